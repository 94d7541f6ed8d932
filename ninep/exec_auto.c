// SPDX-License-Identifier: MIT
/*
 * What may be done at once, by the class of the file system it falls on:
 * memory: everything, nothing there waits for a device;
 * local: what can be asked for without waiting, or is known not to wait;
 * other: nothing, not even statx or close, since a network or another process may be behind it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ninep/io.h"
#include "ninep/server.h"

/*
 * Only what is in the dentry cache. A create never is (EAGAIN); an open by /proc/self/fd has no
 * RESOLVE_BENEATH and would always say EAGAIN too.
 */
static bool try_open(const struct p9_server *server, struct p9_io *io)
{
	if (!server->resolve_cached || !io->how.resolve || (io->how.flags & (O_CREAT | O_TRUNC)))
		return false;
	io->how.resolve |= RESOLVE_CACHED;
	p9_io_call(io);
	io->how.resolve &= ~(uint64_t)RESOLVE_CACHED;
	return io->res != -EAGAIN;
}

static __attribute__((noinline)) bool try_rw(struct p9_io *io)
{
	ssize_t n;

	/* RWF_NOWAIT does not keep a direct transfer, or writing out, from waiting for the device. */
	if (io->flags & (P9_RW_DIRECT | P9_RW_WRITEOUT))
		return false;
	if (io->op == P9_IO_READ)
		n = preadv2(io->fd, io->iov, (int)io->niov, (off_t)io->off, RWF_NOWAIT);
	else
		n = pwritev2(io->fd, io->iov, (int)io->niov, (off_t)io->off, RWF_NOWAIT);
	io->res = n < 0 ? -errno : n;
	return io->res != -EAGAIN && io->res != -EOPNOTSUPP && io->res != -ENOSYS;
}

/*
 * Closing waits if it gives back the blocks of an unlinked file, or starts writing out (ext4 does
 * that after a truncation).
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

	if (io->flags & (P9_RW_DIRECT | P9_RW_WRITEOUT))
		return false;
	p9_io_call(&stat);
	if (stat.res || !stx.stx_nlink)
		return false;
	p9_io_call(io);
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
		if (*io->name && !io->held)
			return false;
		p9_io_call(io);
		return true;
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
	switch (io->fs ? io->fs->class : P9_FS_OTHER) {
	case P9_FS_MEMORY:
		p9_io_call(io);
		return true;
	case P9_FS_LOCAL:
		return try_local(server, io);
	default:
		return false;
	}
}
