/* SPDX-License-Identifier: MIT */
/*
 * The VMM's end of the frame stream (images/frames.h): bytes in, bytes out, and callbacks. It
 * holds no descriptors and never waits. One thread at a time.
 *
 * The guest is not trusted: the first frame that breaks a rule is reported once (ops->broken), and
 * nothing is heard after it. Memory is bounded: one FRAMES_WINDOW for stdin, a few hundred bytes
 * for the rest; what the guest may have under way on stdout and stderr is bounded by the credit
 * that is given with link_consumed().
 */
#ifndef VMM_LINK_H
#define VMM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/frames.h"

struct link;

/* What happens to the guest, for the owner of the run. All must be set. May call back into the link
 * (but not free it). */
struct link_ops {
	/* The link has bytes for the guest: call link_pull() when it can take some. */
	void (*output)(void *arg);
	void (*hello)(void *arg, const char *release); /* uname -r; printable characters only */
	/* Where the kernel has its VMCOREINFO note (vmm/vmcoreinfo.h): what it says, unchecked. */
	void (*vmcoreinfo)(void *arg, uint64_t gpa, uint64_t size);
	void (*mounted)(void *arg);
	void (*running)(void *arg);
	void (*tainted)(void *arg, uint64_t flags); /* /proc/sys/kernel/tainted, near the end */
	/* The last word, one of: */
	void (*status)(void *arg, int wait_status);	/* exited or died of a signal */
	void (*failed)(void *arg, const char *message); /* init's sentence; printable, one line */
	void (*broken)(void *arg, const char *message); /* the guest broke the protocol: how */
	/* Kernel log, in whole or part lines, as it comes. Any bytes; see FRAME_KMSG. */
	void (*kmsg)(void *arg, const void *data, size_t len);
};

/* What happens to the command's streams; vmm/stdio.c sets these. channel is FRAME_STDOUT or
 * FRAME_STDERR. */
struct link_streams {
	/* At most FRAMES_WINDOW bytes more than link_consumed() gave back: all must be taken. */
	void (*data)(void *arg, enum frame_channel channel, const void *data, size_t len);
	void (*eof)(void *arg, enum frame_channel channel);
	void (*room)(void *arg);   /* link_stdin_room() has grown */
	void (*closed)(void *arg); /* nobody in the guest reads stdin any more */
};

/* NULL if there is no memory. Until link_set_streams(), output is dropped (and credited). */
struct link *link_new(const struct link_ops *ops, void *arg);
void link_free(struct link *link);
void link_set_streams(struct link *link, const struct link_streams *streams, void *arg);

/* Bytes from the guest; always takes all of them. */
void link_push(struct link *link, const void *data, size_t len);

/* Bytes for the guest: fills buf and returns how many; 0: nothing to send now. */
size_t link_pull(struct link *link, void *buf, size_t cap);
/* Whether link_pull() would return something. */
bool link_has_output(const struct link *link);

/* stdin: how many bytes fit now, give them (at most so many), and its end. */
size_t link_stdin_room(const struct link *link);
void link_stdin(struct link *link, const void *data, size_t len);
void link_stdin_eof(struct link *link);

/* So many bytes of the channel have been passed on: the guest may send as many again. */
void link_consumed(struct link *link, enum frame_channel channel, size_t len);
/* The reader of FRAME_STDOUT or FRAME_STDERR is gone; what still comes is dropped. */
void link_close(struct link *link, enum frame_channel channel);

/* The terminal's size; only the last one is sent. */
void link_winsize(struct link *link, unsigned int rows, unsigned int columns);

#endif
