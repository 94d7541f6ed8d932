/* SPDX-License-Identifier: MIT */
/* Where gdb may connect: PORT or HOST:PORT of TCP, or the path of a Unix socket. */
#ifndef VMM_GDB_LISTEN_H
#define VMM_GDB_LISTEN_H

#include <sys/stat.h>

#include "boot/why.h"

struct gdb_listen {
	int fd;
	char address[128];    /* as gdb's `target remote` takes it; TCP's port 0 is the one it became */
	struct stat socket_is; /* what was made at `address`; st_ino 0: nothing */
};

/*
 * PORT is of 127.0.0.1; HOST is a number, in brackets if it has colons, or localhost. What has a slash is a
 * path; the socket is its owner's only. 0, or a negative errno and a sentence.
 */
int gdb_listen_open(struct gdb_listen *l, const char *where, struct why *why);
/* Also removes the socket from its path. */
void gdb_listen_close(struct gdb_listen *l);

#endif
