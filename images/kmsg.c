// SPDX-License-Identifier: MIT
/*
 * /dev/kmsg gives one record for each read: "priority,sequence,microseconds,flags;text\n" and then
 * lines of further keys, which start with a blank. Bytes that are not printable ASCII are written
 * as \xNN (kernel Documentation/ABI/testing/dev-kmsg). The priority's bits from 3 on are the facility, as of
 * syslog(3): the kernel's is 0, which a program that writes to /dev/kmsg cannot give.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images/init.h"

#define RECORD_MAX 8192 /* the kernel's CONSOLE_EXT_LOG_MAX: a read of less may fail */

static int fd = -1;

void kmsg_open(void)
{
	fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

int kmsg_fd(void)
{
	return fd;
}

/* The byte of "\xNN", or -1. */
static int escaped(const char *p, const char *end)
{
	char hex[3];
	char *rest;
	long value;

	if (end - p < 4 || p[0] != '\\' || p[1] != 'x')
		return -1;
	hex[0] = p[2];
	hex[1] = p[3];
	hex[2] = '\0';
	value = strtol(hex, &rest, 16);
	return *rest ? -1 : (int)value;
}

/* One record as lines, each with the time stamp. What does not fit is cut. */
static size_t format(char *line, size_t size, const char *record, size_t len)
{
	const char *end = memchr(record, '\n', len);
	const char *text = memchr(record, ';', len);
	unsigned long long us = 0;
	unsigned int priority = 0;
	char head[40];
	size_t n, head_len;

	if (!end)
		end = record + len;
	if (!text || text > end)
		return 0;
	sscanf(record, "%u,%*u,%llu", &priority, &us);
	head_len = (size_t)snprintf(head, sizeof(head), "%.*s[%5llu.%06llu] ", priority >> 3 ? 1 : 0,
				    (char[]){FRAMES_KMSG_PROGRAM}, us / 1000000, us % 1000000);
	n = head_len;
	memcpy(line, head, n);
	for (const char *p = text + 1; p < end && n < size - 1; p++) {
		int byte = escaped(p, end);

		/* Text in UTF-8 is given back; control characters stay harmless. */
		if (byte == '\n') {
			if (n + 1 + head_len >= size)
				break;
			line[n++] = '\n';
			memcpy(line + n, head, head_len);
			n += head_len;
			p += 3;
		} else if (byte == '\t') {
			line[n++] = ' '; /* as the VMM has it of the console's */
			p += 3;
		} else if (byte >= 0x80 || byte == '\\') {
			line[n++] = (char)byte;
			p += 3;
		} else {
			line[n++] = *p;
		}
	}
	line[n++] = '\n';
	return n;
}

size_t kmsg_read(uint8_t *buf, size_t size)
{
	char record[RECORD_MAX + 1];
	size_t len = 0;

	while (fd >= 0 && size - len > RECORD_MAX + 64) {
		ssize_t n = read(fd, record, RECORD_MAX);

		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* records were overwritten before we came: go on with the next */
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			close(fd);
			fd = -1;
			break;
		}
		record[n] = '\0';
		len += format((char *)buf + len, size - len, record, (size_t)n);
	}
	return len;
}
