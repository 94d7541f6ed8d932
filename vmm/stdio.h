/* SPDX-License-Identifier: MIT */
/*
 * The process's own stdin, stdout and stderr, pumped to and from a link in the event loop, without
 * ever blocking it; and the terminal.
 */
#ifndef VMM_STDIO_H
#define VMM_STDIO_H

#include <stdbool.h>
#include <stddef.h>

#include "boot/why.h"
#include "vmm/link.h"
#include "vmm/loop.h"

struct stdio;

struct stdio_config {
	int in; /* normally 0, 1, 2; they stay the caller's */
	int out;
	int err;
	bool terminal; /* raw mode, Ctrl-A x, window size; in and out must both be terminals */
	void (*quit)(void *arg); /* the user typed Ctrl-A x; needed with terminal */
	void *arg;
};

/* For the start of main(): descriptors 0, 1 and 2 that are closed become /dev/null, so that no file
 * opened later is taken for one of them. */
void stdio_sanitize(void);

/* Whether both descriptors are terminals. */
bool stdio_is_terminal(int in, int out);
/* The terminal's size; 24 × 80 where it does not know. */
void stdio_winsize(int fd, unsigned int *rows, unsigned int *columns);

/*
 * Starts pumping (sets the link's streams). Call it before any thread starts: it ignores SIGPIPE
 * and, with a terminal, blocks SIGWINCH, which it takes from a descriptor. NULL with a sentence in
 * *why.
 */
struct stdio *stdio_new(struct loop *loop, struct link *link, const struct stdio_config *config,
			struct why *why);
/* Stops pumping and restores the terminal; unwritten output is dropped. NULL is fine. */
void stdio_free(struct stdio *stdio);

/*
 * Text of ours on stderr (kernel log for -v): queued, without blocking; a piece is dropped whole,
 * and counted, when the reader is a window behind.
 */
void stdio_log(struct stdio *stdio, const void *data, size_t len);

/*
 * The end of a run: reads no more stdin, and calls done(arg) once all output that was received is
 * written or its reader is gone; that may be before it returns. Time is bounded only by the reader:
 * the loop goes on serving signals and time-outs.
 */
void stdio_drain(struct stdio *stdio, void (*done)(void *arg), void *arg);

/* The first write error but EPIPE, as a negative errno (a full disk); else 0. */
int stdio_error(const struct stdio *stdio);

/* Puts the terminal back as it was. Async-signal-safe, may be called any number of times, also
 * without a terminal; it is registered with atexit() too. */
void stdio_restore(void);

#endif
