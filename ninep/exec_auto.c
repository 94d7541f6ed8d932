// SPDX-License-Identifier: MIT
/*
 * What may be done at once, by the class of the file system it falls on:
 * memory: everything, nothing there waits for a device;
 * local: what can be asked for without waiting, or is known not to wait;
 * other: nothing, not even statx or close, since a network or another process may be behind it.
 *
 * And how much of it on one kick: docs/executors.md has the whole table, and why.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ninep/io.h"
#include "ninep/server.h"
#include "ninep/session.h"

/* ---- the budget of a kick ---- */

static _Thread_local struct {
	bool on;
	unsigned int ops; /* done in place so far */
	size_t bytes;
} kick;

/* Nothing here is inlined into what runs on a coroutine: the thread's own is looked up anew. */
__attribute__((noinline)) void p9_kick_begin(void)
{
	kick.on = true;
	kick.ops = 0;
	kick.bytes = 0;
}

__attribute__((noinline)) void p9_kick_end(void)
{
	kick.on = false;
}

/* Bytes that io moves by copying. */
static size_t payload(const struct p9_io *io)
{
	return io->op == P9_IO_READ || io->op == P9_IO_WRITE ? io->data.len : 0;
}

/* Whether the kick that is being served may be kept up by io, too. */
static __attribute__((noinline)) bool within_budget(const struct p9_server *server,
						    const struct p9_io *io)
{
	size_t len;

	if (!kick.on)
		return true;
	len = payload(io);
	if (kick.ops >= P9_KICK_OPS || kick.bytes >= P9_KICK_BYTES ||
	    (server->callers > 1 && len >= P9_KICK_LARGE))
		return false;
	kick.ops++;
	kick.bytes += len;
	return true;
}

/* ---- local file systems ---- */

/*
 * Opening, for reading, a file whose inode is in memory, by /proc/self/fd: no name of the file
 * system's own is looked up. A lease that somebody else has would be waited for; O_NONBLOCK asks
 * not to, and means nothing for a file otherwise, but io_uring goes by it.
 */
static bool try_reopen(struct p9_io *io)
{
	if (io->how.flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_DIRECTORY))
		return false;
	if (io->how.flags & O_PATH) {
		p9_io_call(io);
		return true;
	}
	io->how.flags |= O_NONBLOCK;
	p9_io_call(io);
	io->how.flags &= ~(uint64_t)O_NONBLOCK;
	if (io->res >= 0 && fcntl((int)io->res, F_SETFL, (int)io->how.flags)) {
		close((int)io->res);
		return false;
	}
	return io->res != -EAGAIN;
}

/* Only what is in the dentry cache. A create never is (EAGAIN). */
static bool try_open(const struct p9_server *server, struct p9_io *io)
{
	if (!io->how.resolve)
		return io->fd == server->procfd && try_reopen(io);
	if (!server->resolve_cached || (io->how.flags & (O_CREAT | O_TRUNC)))
		return false;
	io->how.resolve |= RESOLVE_CACHED;
	p9_io_call(io);
	io->how.resolve &= ~(uint64_t)RESOLVE_CACHED;
	return io->res != -EAGAIN;
}

/* RWF_NOWAIT does not keep a direct transfer, writing out, or a time of access from waiting. */
static __attribute__((noinline)) bool try_rw(struct p9_io *io)
{
	const bool write = io->op == P9_IO_WRITE;
	ssize_t n;
	int err;

	if (io->flags & (P9_RW_DIRECT | P9_RW_WRITEOUT | P9_RW_ATIME))
		return false;
	if (write && atomic_load_explicit(&io->fs->writes_wait, memory_order_relaxed))
		return false;
	err = p9_wear(io->who);
	if (err) {
		io->res = err;
		return true;
	}
	n = (write ? pwritev2 : preadv2)(io->fd, io->data.iov, (int)io->data.n, (off_t)io->off,
					 RWF_NOWAIT);
	io->res = n < 0 ? -errno : n;
	/* ext4 does not know it of buffered writes, and need not be asked again. */
	if (write && io->res == -EOPNOTSUPP)
		atomic_store_explicit(&io->fs->writes_wait, true, memory_order_relaxed);
	return io->res != -EAGAIN && io->res != -EOPNOTSUPP && io->res != -ENOSYS;
}

/*
 * Closing waits if it gives back the blocks of an unlinked file, or starts writing out (ext4 does
 * that after a truncation) or frees what was set aside for writing.
 */
static bool try_close(struct p9_io *io)
{
	struct statx stx = {0};
	struct p9_io stat = {
		.op = P9_IO_STATX,
		.who = {.uid = P9_OWN},
		.fd = io->fd,
		.name = "",
		.stx = &stx,
	};

	if (io->flags & P9_CLOSE_WRITTEN)
		return false;
	if (!(io->flags & P9_CLOSE_HELD)) {
		p9_io_call(&stat);
		if (stat.res || !stx.stx_nlink)
			return false;
	}
	p9_io_call(io);
	return true;
}

/* By name: as far as it is in the dentry cache, and not on another file system. */
static __attribute__((noinline)) bool try_statx(const struct p9_server *server, struct p9_io *io)
{
	struct p9_io open = {
		.op = P9_IO_OPEN,
		.who = io->who,
		.fd = io->fd,
		.name = io->name,
		.how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
			.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_CACHED},
	};
	struct p9_io stat = *io;

	if (!*io->name) {
		p9_io_call(io);
		return true;
	}
	if (!server->resolve_cached)
		return false;
	p9_io_call(&open);
	if (open.res < 0)
		return false;
	stat.fd = (int)open.res;
	stat.name = "";
	stat.flags |= AT_EMPTY_PATH;
	p9_io_call(&stat);
	close((int)open.res);
	io->res = stat.res;
	return true;
}

static bool try_local(const struct p9_server *server, struct p9_io *io)
{
	switch (io->op) {
	case P9_IO_OPEN:
		return try_open(server, io);
	case P9_IO_READ:
	case P9_IO_WRITE:
		return try_rw(io);
	case P9_IO_CLOSE:
		return try_close(io);
	case P9_IO_STATX:
		return try_statx(server, io);
	case P9_IO_BUFFERED:
	case P9_IO_HANDLE:
	case P9_IO_LOCK:
		p9_io_call(io);
		return true;
	default:
		return false;
	}
}

bool p9_io_try(struct p9_server *server, struct p9_io *io)
{
	enum p9_fs_class class = io->fs ? io->fs->class : P9_FS_OTHER;

	if (class == P9_FS_OTHER)
		return false;
	if (io->req->place == P9_ON_CALLER && !within_budget(server, io))
		return false;
	if (class == P9_FS_LOCAL)
		return try_local(server, io);
	p9_io_call(io);
	return true;
}
