/* SPDX-License-Identifier: MIT */
/* The 9P server and a folder that it shares, opened for a user: with sentences. */
#ifndef VMM_SERVER_H
#define VMM_SERVER_H

#include "boot/why.h"
#include "ninep/p9.h"
#include "vmm/loop.h"

/*
 * p9_server_new(), with system calls alone in place of P9_EXEC_AUTO where the host refuses io_uring:
 * then note has a sentence that says so, else "". What it says later goes to stderr.
 */
int server_open(struct p9_server **server, enum p9_executor executor, struct why *note,
		struct why *why);
/* Has the loop sleep where the server's thread has to be; it is that thread's loop. */
void server_drive(struct p9_server *server, struct loop *loop);
/* What is to be known while it runs, a sentence without an end: to stderr. Any thread. */
void server_say(void *arg, const char *sentence);
/* p9_share_open() of a folder. */
int server_share(struct p9_share **share, struct p9_server *server, const char *path,
		 const struct p9_share_config *config, struct why *why);

#endif
