// SPDX-License-Identifier: MIT
/*
 * Between the command and the VMM. Nothing here waits but poll(2): the port is always read, so that
 * control frames and credit come through whatever the command does; a source (stdout, stderr, the
 * kernel log) is read only when the port can take a frame at once and the VMM has room for it.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "images/init.h"

#define HELLO_TIMEOUT_MS 30000
#define CREDIT_STEP	 (FRAMES_WINDOW / 4)
/* How long processes that the command left behind may still write to its streams. Without any such
 * process nobody waits. */
#define GRACE_MS 200
/* A process may be stuck in the kernel: killed, but never gone. */
#define KILL_MS 5000

enum phase {
	RUNNING,
	GRACE,	/* the command has ended */
	KILLED, /* and everything else with it */
};

struct output {
	int *fd; /* in command; -1: nobody reads any more */
	enum frame_channel channel;
	size_t credit;
	bool eof;    /* still to be told */
	bool closed; /* the VMM's reader is gone */
};

static struct command command = {.in = -1, .out = -1, .err = -1, .started = -1, .slave = -1};
static struct output output[2] = {
	{.fd = &command.out, .channel = FRAME_STDOUT, .credit = FRAMES_WINDOW},
	{.fd = &command.err, .channel = FRAME_STDERR, .credit = FRAMES_WINDOW},
};

static struct {
	uint8_t data[FRAMES_WINDOW]; /* a ring */
	size_t head;
	size_t len;
	size_t credit; /* passed on, not yet told */
	bool eof;
	bool tell_closed;
} input;

static bool start_seen;
static bool tell_running;
static enum phase phase;
static long long deadline;
static bool no_children;
static int wait_status;
static int end_asked; /* RB_…, if a signal asked for the machine's end */

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- frames from the VMM ---- */

static uint32_t get_u32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return le32toh(value);
}

static int control_frame(const struct frame_header *frame, const uint8_t *data)
{
	if (frame->type == FRAME_START && frame->length == 8) {
		struct timespec ts;
		uint64_t ns;

		memcpy(&ns, data, sizeof(ns));
		ns = le64toh(ns);
		ts.tv_sec = (time_t)(ns / 1000000000u);
		ts.tv_nsec = (long)(ns % 1000000000u);
		clock_settime(CLOCK_REALTIME, &ts);
		start_seen = true;
		return 0;
	}
	if (frame->type == FRAME_WINSIZE && frame->length == 4) {
		uint16_t size[2];

		memcpy(size, data, sizeof(size));
		config.rows = le16toh(size[0]);
		config.columns = le16toh(size[1]);
		command_winsize(&command, config.rows, config.columns);
		return 0;
	}
	return -1;
}

static int stdin_frame(const struct frame_header *frame, const uint8_t *data)
{
	size_t tail = (input.head + input.len) % FRAMES_WINDOW;
	size_t first = FRAMES_WINDOW - tail;

	if (input.eof || frame->length > FRAMES_WINDOW - input.len - input.credit)
		return -1;
	if (frame->type == FRAME_EOF && !frame->length) {
		input.eof = true;
		return 0;
	}
	if (frame->type != FRAME_DATA)
		return -1;
	if (phase != RUNNING || (command.pid && command.in < 0))
		return 0; /* nobody reads it; the VMM has been or will be told */
	first = first < frame->length ? first : frame->length;
	memcpy(input.data + tail, data, first);
	memcpy(input.data, data + first, frame->length - first);
	input.len += frame->length;
	return 0;
}

/* The terminal's master is one descriptor for both ways. */
static void close_output(struct output *out)
{
	if (config.tty)
		command.in = -1;
	close_fd(out->fd);
}

static int output_frame(struct output *out, const struct frame_header *frame, const uint8_t *data)
{
	if (frame->type == FRAME_CREDIT && frame->length == 4) {
		uint32_t credit = get_u32(data);

		if (credit > FRAMES_WINDOW - out->credit)
			return -1;
		out->credit += credit;
		return 0;
	}
	if (frame->type == FRAME_CLOSED && !frame->length) {
		/* With the read end gone, the command gets SIGPIPE; with the terminal, SIGHUP. */
		out->closed = true;
		close_output(out);
		out->eof = false;
		return 0;
	}
	return -1;
}

int port_frame(const struct frame_header *frame, const uint8_t *data)
{
	switch (frame->channel) {
	case FRAME_CONTROL:
		return control_frame(frame, data);
	case FRAME_STDIN:
		return stdin_frame(frame, data);
	case FRAME_STDOUT:
		return output_frame(&output[0], frame, data);
	case FRAME_STDERR:
		return output_frame(&output[1], frame, data);
	default:
		return -1;
	}
}

/* ---- before the command ---- */

void pump_vmcoreinfo(void)
{
	FILE *file = fopen("/sys/kernel/vmcoreinfo", "re");
	unsigned long long gpa, size;
	uint64_t note[2];
	int n;

	if (!file)
		return;
	n = fscanf(file, "%llx %llx", &gpa, &size);
	fclose(file);
	if (n != 2)
		return;
	note[0] = htole64(gpa);
	note[1] = htole64(size);
	port_send_wait(FRAME_CONTROL, FRAME_VMCOREINFO, note, sizeof(note));
}

int pump_hello(void)
{
	long long end = now_ms() + HELLO_TIMEOUT_MS;
	struct utsname uts;
	uint32_t version = htole32(FRAMES_VERSION);
	uint8_t hello[sizeof(version) + sizeof(uts.release)];
	size_t len;

	uname(&uts);
	len = strlen(uts.release);
	memcpy(hello, &version, sizeof(version));
	memcpy(hello + sizeof(version), uts.release, len);
	port_send_wait(FRAME_CONTROL, FRAME_HELLO, hello, sizeof(version) + len);

	while (!start_seen) {
		struct pollfd pfd = {.fd = port_fd(), .events = POLLIN};
		long long left = end - now_ms();

		if (left <= 0)
			return fail("the VMM does not answer HELLO");
		if (poll(&pfd, 1, (int)left) > 0 && port_read())
			return -1;
	}
	return 0;
}

void pump_kmsg(void)
{
	/* More than the kernel's buffer holds; a log that grows as fast as it is read must end. */
	for (int i = 0; i < 256; i++) {
		size_t len;

		if (port_flush())
			return;
		len = kmsg_read(port_payload(), FRAMES_MAX);
		if (!len)
			return;
		port_send(FRAME_KMSG, FRAME_DATA, len);
	}
}

/* ---- the command's streams ---- */

/* Passes on what was typed or piped in. */
static void write_stdin(void)
{
	while (command.in >= 0 && input.len) {
		size_t first = FRAMES_WINDOW - input.head;
		ssize_t n = write(command.in, input.data + input.head,
				  input.len < first ? input.len : first);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			if (config.tty)
				return; /* it ends with the command */
			close_fd(&command.in);
			break;
		}
		input.head = (input.head + (size_t)n) % FRAMES_WINDOW;
		input.len -= (size_t)n;
		input.credit += (size_t)n;
	}
	if (command.in < 0) {
		input.len = 0;
		input.tell_closed = true;
	} else if (input.eof) {
		/* A terminal ends by Ctrl-D; the descriptor is its output, too. */
		if (config.tty && write(command.in, "\004", 1) < 0 && errno == EAGAIN)
			return;
		if (config.tty)
			command.in = -1;
		else
			close_fd(&command.in);
	}
}

/* Reads a frame's worth of a stream. true: a frame was queued. */
static bool read_output(struct output *out)
{
	size_t room = out->credit < FRAMES_MAX ? out->credit : FRAMES_MAX;
	ssize_t n;

	if (*out->fd < 0 || !room)
		return false;
	n = read(*out->fd, port_payload(), room);
	if (n > 0) {
		out->credit -= (size_t)n;
		port_send(out->channel, FRAME_DATA, (size_t)n);
		return true;
	}
	if (n < 0 && errno == EINTR)
		return false;
	/* A process that is stuck may hold the stream for ever. */
	if (n < 0 && errno == EAGAIN && !(phase == KILLED && (no_children || now_ms() >= deadline)))
		return false;
	close_output(out);
	out->eof = true;
	return false;
}

/* Queues the next frame, if there is one. Small ones first. */
static bool queue_frame(void)
{
	static unsigned int turn;

	if (tell_running) {
		tell_running = false;
		port_send(FRAME_CONTROL, FRAME_RUNNING, 0);
		return true;
	}
	if (input.tell_closed) {
		input.tell_closed = false;
		port_send(FRAME_STDIN, FRAME_CLOSED, 0);
		return true;
	}
	if (input.credit >= CREDIT_STEP) {
		uint32_t credit = htole32((uint32_t)input.credit);

		memcpy(port_payload(), &credit, sizeof(credit));
		input.credit = 0;
		port_send(FRAME_STDIN, FRAME_CREDIT, sizeof(credit));
		return true;
	}
	/* Each source in its turn, so that none holds up another. */
	for (int i = 0; i < 3; i++) {
		unsigned int source = turn++ % 3;
		size_t len;

		if (source == 2) {
			len = kmsg_read(port_payload(), FRAMES_MAX);
			if (!len)
				continue;
			port_send(FRAME_KMSG, FRAME_DATA, len);
			return true;
		}
		if (read_output(&output[source]))
			return true;
		if (output[source].eof) {
			output[source].eof = false;
			port_send(output[source].channel, FRAME_EOF, 0);
			return true;
		}
	}
	return false;
}

static bool streams_ended(void)
{
	return command.out < 0 && command.err < 0 && !output[0].eof && !output[1].eof;
}

/* ---- its end ---- */

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != command.pid || phase != RUNNING)
			continue;
		wait_status = status;
		phase = GRACE;
		deadline = now_ms() + GRACE_MS;
		close_fd(&command.slave);
		if (!config.tty)
			close_fd(&command.in);
		command.in = -1;
		input.len = 0;
	}
	no_children = pid < 0 && errno == ECHILD;
}

static void read_signals(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		/* As busybox's init takes them, so that its poweroff and reboot work. */
		if (info.ssi_signo == SIGUSR1 || info.ssi_signo == SIGUSR2)
			end_asked = RB_POWER_OFF;
		else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			end_asked = RB_AUTOBOOT;
	}
	reap();
}

static void kill_all(void)
{
	kill(-1, SIGKILL);
	close_fd(&command.slave);
	phase = KILLED;
	deadline = now_ms() + KILL_MS;
	reap();
}

static int wait_for_something(int signals)
{
	enum { PORT, SIGNALS, STARTED, IN, OUT, ERR, KMSG, N };
	bool idle = port_idle();
	struct pollfd pfd[N] = {
		[PORT] = {.fd = port_fd(), .events = idle ? POLLIN : POLLIN | POLLOUT},
		[SIGNALS] = {.fd = signals, .events = POLLIN},
		[STARTED] = {.fd = command.started, .events = POLLIN},
		/* With no events asked for, a pipe still tells that its reader is gone. */
		[IN] = {.fd = config.tty && !input.len && !input.eof ? -1 : command.in,
			.events = input.len || input.eof ? POLLOUT : 0},
		[OUT] = {.fd = idle && output[0].credit ? command.out : -1, .events = POLLIN},
		[ERR] = {.fd = idle && output[1].credit ? command.err : -1, .events = POLLIN},
		[KMSG] = {.fd = idle ? kmsg_fd() : -1, .events = POLLIN},
	};
	long long left = -1;

	if (phase != RUNNING) {
		left = deadline - now_ms();
		if (left < 0)
			left = phase == KILLED ? -1 : 0;
	}
	if (poll(pfd, N, (int)left) < 0)
		return errno == EINTR ? 0 : fail("poll in the guest's init: %s", strerror(errno));

	if ((pfd[PORT].revents & (POLLIN | POLLHUP)) && port_read())
		return -1;
	if (pfd[SIGNALS].revents)
		read_signals(signals);
	if (pfd[STARTED].revents) {
		close_fd(&command.started);
		tell_running = true;
	}
	if (pfd[IN].revents & (POLLERR | POLLHUP) && !config.tty)
		close_fd(&command.in);
	if (pfd[IN].revents)
		write_stdin();
	return 0;
}

static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		fail("the guest kernel has no signalfd (CONFIG_SIGNALFD): %s", strerror(errno));
	return fd;
}

int pump_run(int *status)
{
	int signals = open_signals();

	if (signals < 0 || command_start(&command))
		return -1;
	for (int i = 0; i < 2; i++) {
		if (output[i].closed) /* before the command was there */
			close_output(&output[i]);
	}
	for (;;) {
		if (port_idle())
			queue_frame();
		if (port_write())
			return -1;
		if (end_asked && phase != KILLED)
			kill_all();
		if (end_asked && (streams_ended() || now_ms() >= deadline)) {
			*status = end_asked;
			return 1;
		}
		if (phase == GRACE && (streams_ended() || now_ms() >= deadline))
			kill_all();
		if (phase == KILLED && streams_ended() && command.started < 0 && !tell_running &&
		    (no_children || now_ms() >= deadline))
			break;
		if (wait_for_something(signals))
			return -1;
	}
	*status = wait_status;
	return port_flush();
}
