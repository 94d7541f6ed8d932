// SPDX-License-Identifier: MIT
#include "vmm/console_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PANIC "Kernel panic - not syncing"

void console_log_init(struct console_log *log, int file, bool echo)
{
	pthread_mutex_init(&log->lock, NULL);
	log->file = file;
	log->echo = echo;
}

void console_log_destroy(struct console_log *log)
{
	if (log->file >= 0)
		close(log->file);
	pthread_mutex_destroy(&log->lock);
}

/* A log is a service: where it cannot be written, the run goes on. A signal ends the attempt, for
 * it means that this thread is wanted elsewhere. */
static void put(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static bool seen(const struct console_log *log, const char *text)
{
	unsigned long n = log->nlines < CONSOLE_LINES ? log->nlines : CONSOLE_LINES;

	for (unsigned long i = 1; i <= n; i++)
		if (!strcmp(log->line[(log->nlines - i) % CONSOLE_LINES], text))
			return true;
	return false;
}

/*
 * A panic's line begins with the words, behind the kernel's time stamp if there is one. A program
 * that merely prints them somewhere in a line of its own is not believed.
 */
static bool is_panic(const char *text)
{
	const char *bracket;

	if (*text == '[' && (bracket = strstr(text, "] ")))
		text = bracket + 2;
	return !strncmp(text, PANIC, strlen(PANIC));
}

/* Under the lock. True if this line is the panic's. */
static bool add_line(struct console_log *log, struct console_part *part)
{
	char *slot;
	bool panic;

	part->text[part->len] = '\0';
	/* Empty lines tell nothing; "seen" keeps a line of both sources from coming twice. */
	if (part->len == 0 || (part == &log->kmsg && seen(log, part->text))) {
		part->len = 0;
		return false;
	}
	slot = log->line[log->nlines++ % CONSOLE_LINES];
	memcpy(slot, part->text, part->len + 1);
	if (log->file >= 0) {
		part->text[part->len] = '\n';
		put(log->file, part->text, part->len + 1);
	}
	panic = part == &log->serial && !log->panic[0] && is_panic(slot);
	if (panic)
		memcpy(log->panic, slot, part->len + 1);
	part->len = 0;
	return panic;
}

static bool add_byte(struct console_log *log, struct console_part *part, char c)
{
	if (c == '\n')
		return add_line(log, part);
	/* Room for a newline and a NUL; nothing a terminal would act on. */
	if (part->len < CONSOLE_LINE_MAX - 2 && (unsigned char)c >= ' ' && c != 0x7f)
		part->text[part->len++] = c;
	else if (c == '\t' && part->len < CONSOLE_LINE_MAX - 2)
		part->text[part->len++] = ' ';
	return false;
}

void console_log_serial(struct console_log *log, uint8_t byte)
{
	bool panic;

	pthread_mutex_lock(&log->lock);
	panic = add_byte(log, &log->serial, (char)byte);
	pthread_mutex_unlock(&log->lock);
	if (log->echo)
		put(STDERR_FILENO, (const char *)&byte, 1);
	if (panic && log->on_panic)
		log->on_panic(log->arg);
}

void console_log_kmsg(struct console_log *log, const void *data, size_t len)
{
	pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < len; i++)
		add_byte(log, &log->kmsg, ((const char *)data)[i]);
	pthread_mutex_unlock(&log->lock);
}

const char *console_log_panic(struct console_log *log)
{
	const char *panic;

	pthread_mutex_lock(&log->lock);
	panic = log->panic[0] ? log->panic : NULL;
	pthread_mutex_unlock(&log->lock);
	return panic;
}

unsigned int console_log_tail(struct console_log *log,
			      void (*line)(void *arg, const char *text), void *arg)
{
	unsigned long n;

	pthread_mutex_lock(&log->lock);
	add_line(log, &log->serial); /* a last line that never ended */
	n = log->nlines < CONSOLE_TAIL ? log->nlines : CONSOLE_TAIL;
	for (unsigned long i = n; i > 0; i--)
		line(arg, log->line[(log->nlines - i) % CONSOLE_LINES]);
	pthread_mutex_unlock(&log->lock);
	return (unsigned int)n;
}
