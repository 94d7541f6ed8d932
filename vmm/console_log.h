/* SPDX-License-Identifier: MIT */
/*
 * What the guest's kernel says, from its serial console and from /dev/kmsg: kept for the end of a
 * run, written to a file, watched for a panic. Any thread.
 */
#ifndef VMM_CONSOLE_LOG_H
#define VMM_CONSOLE_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONSOLE_LINES	 64  /* remembered */
#define CONSOLE_LINE_MAX 512 /* bytes; longer lines are cut */
#define CONSOLE_TAIL	 20  /* shown at the end */

struct console_log {
	pthread_mutex_t lock;
	char line[CONSOLE_LINES][CONSOLE_LINE_MAX];
	unsigned long nlines; /* ever; the last CONSOLE_LINES of them are there */
	struct console_part {
		char text[CONSOLE_LINE_MAX];
		size_t len;
	} serial, kmsg; /* lines not yet ended */
	int file;	/* -1: none */
	bool echo;	/* serial bytes go to stderr, too */
	char panic[CONSOLE_LINE_MAX]; /* the panic's line, or "" */

	/* The kernel has panicked; called once, with no lock held. */
	void (*on_panic)(void *arg);
	void *arg;
};

/* *log is all zero before: it is large. file is taken over (closed by console_log_destroy()); -1 for none. */
void console_log_init(struct console_log *log, int file, bool echo);
void console_log_destroy(struct console_log *log);

void console_log_serial(struct console_log *log, uint8_t byte);
/* Lines that the serial console has shown already are left out. */
void console_log_kmsg(struct console_log *log, const void *data, size_t len);

/* The panic's line, or NULL. Stays valid. */
const char *console_log_panic(struct console_log *log);
/* Calls line() for each of the last CONSOLE_TAIL lines, oldest first. Returns how many. */
unsigned int console_log_tail(struct console_log *log,
			      void (*line)(void *arg, const char *text), void *arg);

#endif
