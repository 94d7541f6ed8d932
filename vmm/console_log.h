/* SPDX-License-Identifier: MIT */
/*
 * What the guest's kernel says, from its serial console and from /dev/kmsg: kept for the end of a
 * run, written to a file, watched for a panic and other reports. Any thread.
 */
#ifndef VMM_CONSOLE_LOG_H
#define VMM_CONSOLE_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/kreport.h"

#define CONSOLE_LINES	 512 /* remembered */
#define CONSOLE_LINE_MAX 512 /* bytes; longer lines are cut */
#define CONSOLE_TAIL	 20  /* shown at the end */
#define CONSOLE_KEPT	 64  /* told in the result; never lost to what comes after a mark */

struct console_log {
	pthread_mutex_t lock;
	char line[CONSOLE_LINES][CONSOLE_LINE_MAX];
	unsigned long nlines; /* ever; the last CONSOLE_LINES of them are there */
	unsigned long mark;   /* nlines at console_log_mark() */
	bool marked;
	unsigned long traffic; /* lines of all kinds, also those that are not kept */
	struct console_part {
		enum report_source source;
		char text[CONSOLE_LINE_MAX];
		size_t len;
		bool program; /* of /dev/kmsg: not the kernel's own words */
	} serial, kmsg;	      /* lines not yet ended */
	bool begun, stamped;  /* the first line on the console had a time before it, so all of the kernel's do */
	int file;	      /* -1: none */
	bool echo;	      /* serial bytes go to stderr, too, and are the whole log */
	char version[CONSOLE_LINE_MAX]; /* "Linux version …", or "" */
	struct kreports reports;

	/* A report has begun; called with no lock held. */
	void (*on_report)(void *arg, enum report_kind kind);
	void *arg;
};

/*
 * *log is all zero before: it is large. file is taken over (closed by console_log_destroy()); -1 for none.
 * With echo, all that the kernel says is expected on the serial console: what comes from /dev/kmsg is not
 * logged, but watched all the same.
 */
void console_log_init(struct console_log *log, int file, bool echo);
void console_log_destroy(struct console_log *log);

void console_log_serial(struct console_log *log, uint8_t byte);
/*
 * Lines, of which those that a program wrote to /dev/kmsg begin with FRAMES_KMSG_PROGRAM. Lines that the
 * serial console has shown already are left out; a report that a program made up there is withdrawn.
 */
void console_log_kmsg(struct console_log *log, const void *data, size_t len);

/* From here on it is no longer what the guest says by itself: the tail is what was before. Once. */
void console_log_mark(struct console_log *log);
/* Grows with each line that comes. */
unsigned long console_log_traffic(struct console_log *log);

/*
 * The first report of one of these kinds: false if there is none. Its line goes to text; *whole says whether
 * its end has been seen.
 */
bool console_log_report(struct console_log *log, unsigned int kinds, enum report_kind *kind, char *text,
			size_t size, bool *whole);

/* Calls fn() for each report that is kept; count[] gets how many there were of each kind. */
void console_log_each_report(struct console_log *log, void (*fn)(void *arg, const struct kreport *report),
			     void *arg, unsigned int count[REPORT_KINDS]);

/* Calls line() for each of the last max lines (at most CONSOLE_KEPT) before the mark, oldest first. Returns how
 * many. */
unsigned int console_log_tail(struct console_log *log, unsigned int max,
			      void (*line)(void *arg, const char *text), void *arg);
/* And for each line after the mark. */
void console_log_after_mark(struct console_log *log, void (*line)(void *arg, const char *text),
			    void *arg);

#endif
