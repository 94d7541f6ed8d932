// SPDX-License-Identifier: MIT
#include "ninep/atime.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <time.h>

#include "ninep/io.h"
#include "ninep/node.h"
#include "ninep/proto.h"

/* How a file system is mounted; 0: not asked yet. */
enum {
	ATIME_NEVER = 1,
	ATIME_SELDOM, /* relatime */
	ATIME_ALWAYS,
};

/* statfs(2)'s f_flags, which statvfs(3) shares. */
#ifndef ST_RELATIME
#define ST_RELATIME 4096
#endif

/* By the mount of the first file that was opened there. */
static int mounted_how(struct p9_req *req, struct p9_fs *fs, int fd)
{
	int how = atomic_load(&fs->atime);
	struct statfs sfs;

	if (how)
		return how;
	if (p9_fstatfs(req, fs, fd, &sfs))
		return ATIME_ALWAYS;
	if (sfs.f_flags & (ST_NOATIME | ST_RDONLY))
		how = ATIME_NEVER;
	else
		how = sfs.f_flags & ST_RELATIME ? ATIME_SELDOM : ATIME_ALWAYS;
	atomic_store(&fs->atime, how);
	return how;
}

static bool not_after(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec <= b->tv_nsec);
}

/* relatime's rule. */
static bool is_old(const struct statx *stx)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return not_after(&stx->stx_atime, &stx->stx_mtime) ||
	       not_after(&stx->stx_atime, &stx->stx_ctime) ||
	       now.tv_sec - stx->stx_atime.tv_sec >= 24 * 60 * 60;
}

void p9_atime_opened(struct p9_req *req, struct p9_node *node, int fd, uint32_t flags,
		     const struct statx *stx)
{
	int how;

	if (node->fs->class != P9_FS_LOCAL || !S_ISREG(stx->stx_mode) || (flags & P9_OPEN_NOATIME))
		return;
	how = mounted_how(req, node->fs, fd);
	if (how == ATIME_ALWAYS || (how == ATIME_SELDOM && is_old(stx)))
		atomic_store(&node->atime_due, true);
}

void p9_atime_written(struct p9_node *node)
{
	const struct p9_fs *fs = node->fs;

	if (fs->class == P9_FS_LOCAL && atomic_load(&fs->atime) != ATIME_NEVER)
		atomic_store(&node->atime_due, true);
}

bool p9_atime_due(const struct p9_node *node)
{
	return atomic_load_explicit(&node->atime_due, memory_order_relaxed);
}

void p9_atime_read(struct p9_node *node)
{
	if (atomic_load(&node->fs->atime) != ATIME_ALWAYS)
		atomic_store(&node->atime_due, false);
}
