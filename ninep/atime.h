/* SPDX-License-Identifier: MIT */
/*
 * Reading a file may change its time of access, which the file system keeps in its journal, and so
 * waits for the disk, RWF_NOWAIT or not. With relatime (the default) that happens once after each
 * change of the file, and once a day. What is known of it here decides only where a read is carried
 * out: on a local file system, one that would change it is not done in place, nor by the ring's
 * thread.
 */
#ifndef NINEP_ATIME_H
#define NINEP_ATIME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct p9_node;
struct p9_req;

/* node was opened as fd, with a Tlopen's flags; stx is what statx says since. May wait. */
void p9_atime_opened(struct p9_req *req, struct p9_node *node, int fd, uint32_t flags,
		     const struct statx *stx);
/* It was written to, or changed in size. */
void p9_atime_written(struct p9_node *node);
/* A read of it is likely to change the time of access; after that read, p9_atime_read(). */
bool p9_atime_due(const struct p9_node *node);
void p9_atime_read(struct p9_node *node);

#endif
