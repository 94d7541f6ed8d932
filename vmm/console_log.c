// SPDX-License-Identifier: MIT
#include "vmm/console_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images/frames.h"

#define VERSION "Linux version "

void console_log_init(struct console_log *log, int file, bool echo)
{
	pthread_mutex_init(&log->lock, NULL);
	log->serial.source = REPORT_SERIAL;
	log->kmsg.source = REPORT_KMSG;
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
	unsigned long n = log->nlines < CONSOLE_KEPT ? log->nlines : CONSOLE_KEPT;

	for (unsigned long i = 1; i <= n; i++)
		if (!strcmp(log->line[(log->nlines - i) % CONSOLE_LINES], text))
			return true;
	return false;
}

/*
 * Looks for reports in the line. A program can write to the console, too: where the kernel puts a time
 * before each of its lines, one without is not the kernel's.
 */
static enum report_kind watch(struct console_log *log, const struct console_part *part)
{
	bool stamped;
	const char *text = report_skip_stamp(part->text, &stamped);

	if (part->program) {
		reports_withdraw(&log->reports, part->text);
		return REPORT_NONE;
	}
	if (part == &log->serial) {
		if (!log->begun)
			log->stamped = stamped;
		log->begun = true;
		if (log->stamped && !stamped)
			return REPORT_NONE;
	}
	if (!log->version[0] && !strncmp(text, VERSION, strlen(VERSION)))
		snprintf(log->version, sizeof(log->version), "%s", text);
	return reports_line(&log->reports, part->source, part->text);
}

static void remember(struct console_log *log, struct console_part *part)
{
	/* What comes after the mark must not push out what was before. */
	if (!log->marked || log->nlines - log->mark < CONSOLE_LINES - CONSOLE_KEPT)
		memcpy(log->line[log->nlines++ % CONSOLE_LINES], part->text, part->len + 1);
	if (log->file >= 0) {
		part->text[part->len] = '\n';
		put(log->file, part->text, part->len + 1);
	}
}

/* Under the lock. The kind of report that begins with this line. */
static enum report_kind add_line(struct console_log *log, struct console_part *part)
{
	enum report_kind kind = REPORT_NONE;

	part->text[part->len] = '\0';
	/* Empty lines tell nothing. */
	if (part->len) {
		log->traffic++;
		kind = watch(log, part);
		/* "seen" keeps a line of both sources from coming twice. */
		if (part == &log->serial || (!log->echo && !seen(log, part->text)))
			remember(log, part);
	}
	part->len = 0;
	part->program = false;
	return kind;
}

static enum report_kind add_byte(struct console_log *log, struct console_part *part, char c)
{
	if (c == '\n')
		return add_line(log, part);
	/* Room for a newline and a NUL; nothing a terminal would act on. */
	if (part->len < CONSOLE_LINE_MAX - 2 && (unsigned char)c >= ' ' && c != 0x7f)
		part->text[part->len++] = c;
	else if (c == '\t' && part->len < CONSOLE_LINE_MAX - 2)
		part->text[part->len++] = ' ';
	else if (c == FRAMES_KMSG_PROGRAM && !part->len && part == &log->kmsg)
		part->program = true;
	return REPORT_NONE;
}

void console_log_serial(struct console_log *log, uint8_t byte)
{
	enum report_kind kind;

	pthread_mutex_lock(&log->lock);
	kind = add_byte(log, &log->serial, (char)byte);
	pthread_mutex_unlock(&log->lock);
	if (log->echo)
		put(STDERR_FILENO, (const char *)&byte, 1);
	if (kind != REPORT_NONE && log->on_report)
		log->on_report(log->arg, kind);
}

void console_log_kmsg(struct console_log *log, const void *data, size_t len)
{
	pthread_mutex_lock(&log->lock);
	for (size_t i = 0; i < len; i++) {
		enum report_kind kind = add_byte(log, &log->kmsg, ((const char *)data)[i]);

		if (kind == REPORT_NONE || !log->on_report)
			continue;
		pthread_mutex_unlock(&log->lock);
		log->on_report(log->arg, kind);
		pthread_mutex_lock(&log->lock);
	}
	pthread_mutex_unlock(&log->lock);
}

void console_log_mark(struct console_log *log)
{
	pthread_mutex_lock(&log->lock);
	add_line(log, &log->serial);
	log->mark = log->nlines;
	log->marked = true;
	pthread_mutex_unlock(&log->lock);
}

unsigned long console_log_traffic(struct console_log *log)
{
	unsigned long traffic;

	pthread_mutex_lock(&log->lock);
	traffic = log->traffic;
	pthread_mutex_unlock(&log->lock);
	return traffic;
}

bool console_log_report(struct console_log *log, unsigned int kinds, enum report_kind *kind, char *text,
			size_t size, bool *whole)
{
	const struct kreport *report;

	pthread_mutex_lock(&log->lock);
	report = reports_find(&log->reports, kinds);
	if (report) {
		*kind = report->kind;
		*whole = report_is_whole(report);
		snprintf(text, size, "%s", report->line);
	}
	pthread_mutex_unlock(&log->lock);
	return report != NULL;
}

void console_log_each_report(struct console_log *log, void (*fn)(void *arg, const struct kreport *report),
			     void *arg, unsigned int count[REPORT_KINDS])
{
	pthread_mutex_lock(&log->lock);
	memcpy(count, log->reports.count, sizeof(log->reports.count));
	for (unsigned int i = 0; i < log->reports.n; i++)
		if (log->reports.report[i].kind != REPORT_NONE)
			fn(arg, &log->reports.report[i]);
	pthread_mutex_unlock(&log->lock);
}

unsigned int console_log_tail(struct console_log *log, unsigned int max,
			      void (*line)(void *arg, const char *text), void *arg)
{
	unsigned long n, end;

	pthread_mutex_lock(&log->lock);
	add_line(log, &log->serial); /* a last line that never ended */
	end = log->marked ? log->mark : log->nlines;
	n = end < max ? end : max;
	for (unsigned long i = n; i > 0; i--)
		line(arg, log->line[(end - i) % CONSOLE_LINES]);
	pthread_mutex_unlock(&log->lock);
	return (unsigned int)n;
}

void console_log_after_mark(struct console_log *log, void (*line)(void *arg, const char *text),
			    void *arg)
{
	pthread_mutex_lock(&log->lock);
	add_line(log, &log->serial);
	for (unsigned long i = log->mark; log->marked && i < log->nlines; i++)
		line(arg, log->line[i % CONSOLE_LINES]);
	pthread_mutex_unlock(&log->lock);
}
