// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "images/init.h"

#define HEAD sizeof(struct frame_header)

static int fd = -1;

/* One frame on its way out. The sources of data are read only when it is gone, so nothing is ever
 * queued twice. */
static uint8_t out[HEAD + FRAMES_MAX];
static size_t out_len;
static size_t out_pos;

/* Frames on their way in; the first one starts at in[0]. */
static uint8_t in[HEAD + FRAMES_MAX];
static size_t in_len;

static int open_named(void)
{
	struct dirent *entry;
	DIR *dir = opendir("/sys/class/virtio-ports");
	int found = -1;

	while (dir && found < 0 && (entry = readdir(dir))) {
		char path[300];
		char name[64] = "";
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file))
			name[strcspn(name, "\n")] = '\0';
		fclose(file);
		if (strcmp(name, FRAMES_PORT_NAME))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		found = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* The VMM's side opens some time after ours; until then the port hangs up. */
static bool connected(void)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};

	return poll(&pfd, 1, 0) == 1 && !(pfd.revents & POLLHUP);
}

/* What stands between the kernel and the port, as far as sysfs shows. */
static const char *missing(void)
{
	DIR *dir = opendir("/sys/bus/virtio/devices");
	struct dirent *entry;
	bool devices = false;

	while (dir && (entry = readdir(dir)))
		devices |= entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	if (devices)
		return "CONFIG_VIRTIO_CONSOLE";
	if (!access("/sys/bus/platform/drivers/virtio-mmio", F_OK))
		return "what it finds virtio-mmio devices by: CONFIG_ACPI, CONFIG_OF or "
		       "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES";
	return "CONFIG_VIRTIO_MMIO";
}

int port_open(int timeout_ms)
{
	const struct timespec step = {.tv_nsec = 1000000};
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		if (fd < 0)
			fd = open_named();
		if (fd >= 0 && connected())
			return 0;
		nanosleep(&step, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 <
		 timeout_ms);
	if (fd >= 0) {
		close(fd);
		fd = -1;
		return fail("the port " FRAMES_PORT_NAME " to the VMM stays unconnected: "
			    "the VMM does not answer");
	}
	return fail("the guest has no port " FRAMES_PORT_NAME " to the VMM: its kernel lacks %s",
		    missing());
}

int port_fd(void)
{
	return fd;
}

bool port_idle(void)
{
	return fd >= 0 && out_pos == out_len;
}

uint8_t *port_payload(void)
{
	return out + HEAD;
}

void port_send(enum frame_channel channel, enum frame_type type, size_t length)
{
	struct frame_header head = {
		.channel = htole32(channel),
		.type = htole32(type),
		.length = htole32((uint32_t)length),
	};

	memcpy(out, &head, HEAD);
	out_len = HEAD + length;
	out_pos = 0;
}

int port_write(void)
{
	while (out_pos < out_len) {
		ssize_t n = write(fd, out + out_pos, out_len - out_pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return fail("writing to the VMM: %s", strerror(errno));
		out_pos += (size_t)n;
	}
	return 0;
}

int port_flush(void)
{
	while (!port_idle()) {
		struct pollfd pfd = {.fd = fd, .events = POLLOUT};

		if (fd < 0 || port_write())
			return -1;
		if (port_idle())
			break;
		if (poll(&pfd, 1, -1) > 0 && (pfd.revents & POLLHUP))
			return fail("the VMM closed its port");
	}
	return 0;
}

void port_send_wait(enum frame_channel channel, enum frame_type type, const void *data,
		    size_t length)
{
	if (port_flush())
		return;
	if (length)
		memcpy(out + HEAD, data, length);
	port_send(channel, type, length);
	port_flush();
}

/* Hands on the whole frames of in[]. */
static int take_frames(void)
{
	size_t pos = 0;

	while (in_len - pos >= HEAD) {
		struct frame_header head;

		memcpy(&head, in + pos, HEAD);
		head.channel = le32toh(head.channel);
		head.type = le32toh(head.type);
		head.length = le32toh(head.length);
		if (head.length > FRAMES_MAX)
			return fail("the VMM sent a frame of %u bytes", head.length);
		if (in_len - pos - HEAD < head.length)
			break;
		if (port_frame(&head, in + pos + HEAD))
			return fail(
				"the VMM sent a frame that makes no sense: channel %u, type %u, "
				"%u bytes",
				head.channel, head.type, head.length);
		pos += HEAD + head.length;
	}
	memmove(in, in + pos, in_len - pos);
	in_len -= pos;
	return 0;
}

int port_read(void)
{
	for (;;) {
		ssize_t n = read(fd, in + in_len, sizeof(in) - in_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return fail("the VMM closed its port");
		in_len += (size_t)n;
		if (take_frames())
			return -1;
	}
}
