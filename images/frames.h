/* SPDX-License-Identifier: MIT */
/*
 * What the VMM and the guest's init say to each other over one virtio-console port, named
 * FRAMES_PORT_NAME: a stream of frames in both directions, each a header and length bytes.
 * All numbers are little-endian. Neither side trusts the other: a frame with an unknown channel or
 * type, or longer than FRAMES_MAX, ends the conversation.
 */
#ifndef IMAGES_FRAMES_H
#define IMAGES_FRAMES_H

#include <stdint.h>

#define FRAMES_VERSION	 1
#define FRAMES_PORT_NAME "ninepin"
#define FRAMES_MAX	 32768u /* payload bytes in one frame */

/* Data a stream (stdin, stdout, stderr) may have under way before the receiver gives credit: a
 * stream that nobody reads never holds up the others. kmsg has no limit; the VMM always takes it. */
#define FRAMES_WINDOW 131072u

#define FRAMES_KMSG_PROGRAM '\1'

struct frame_header {
	uint32_t channel;
	uint32_t type;
	uint32_t length;
};

enum frame_channel {
	FRAME_CONTROL = 0,
	FRAME_STDIN = 1,  /* VMM → guest; with a terminal, what was typed */
	FRAME_STDOUT = 2, /* guest → VMM; with a terminal, the only output */
	FRAME_STDERR = 3, /* guest → VMM */
	FRAME_KMSG = 4,	  /* guest → VMM: lines of /dev/kmsg, each ending with a newline; those that a
			   * program wrote, and not the kernel, begin with FRAMES_KMSG_PROGRAM */
};

enum frame_type {
	/* on the stream channels */
	FRAME_DATA = 1,	  /* length bytes */
	FRAME_EOF = 2,	  /* no more data on this channel; empty */
	FRAME_CREDIT = 3, /* u32: the sender of this frame has passed on so many bytes of the channel */
	FRAME_CLOSED = 4, /* guest → VMM on stdin, VMM → guest on stdout/stderr: nobody reads; empty */

	/* on FRAME_CONTROL */
	FRAME_HELLO = 16,   /* guest → VMM, first: u32 version, then uname -r (no NUL) */
	FRAME_START = 17,   /* VMM → guest, answers HELLO: u64 CLOCK_REALTIME in ns, to set the clock */
	FRAME_MOUNTED = 18, /* guest → VMM: root and shares are mounted; empty */
	FRAME_RUNNING = 19, /* guest → VMM: the command was started; empty */
	FRAME_WINSIZE = 20, /* VMM → guest: u16 rows, u16 columns */
	FRAME_STATUS = 21,  /* guest → VMM, last, after all output: u32 wait status as of waitpid(2) */
	FRAME_FAILED = 22,  /* guest → VMM, last: init could not go on, or, after RUNNING, a
			     * share did not take all that was written; a sentence (no NUL) */
	FRAME_TAINTED = 23, /* guest → VMM, after RUNNING: u64, /proc/sys/kernel/tainted */
	FRAME_VMCOREINFO = 24, /* guest → VMM, once: u64 guest-physical address, u64 bytes of the
				* note that /sys/kernel/vmcoreinfo tells of */
};

#endif
