// SPDX-License-Identifier: MIT
/* Host operations as entries of the submission queue. */
#include <errno.h>
#include <fcntl.h>

#include "ninep/ring.h"

/* Linux 6.9; the headers of older ones do not know it. */
#define OP_FTRUNCATE 55

/*
 * No opcode is used for closing: the last close of a file happens on the way out of the system
 * call, which is to say on the ring's own thread.
 */
static const int opcode[P9_IO_HOST_OPS] = {
	[P9_IO_OPEN] = IORING_OP_OPENAT2,      [P9_IO_STATX] = IORING_OP_STATX,
	[P9_IO_MKDIR] = IORING_OP_MKDIRAT,     [P9_IO_SYMLINK] = IORING_OP_SYMLINKAT,
	[P9_IO_LINK] = IORING_OP_LINKAT,       [P9_IO_RENAME] = IORING_OP_RENAMEAT,
	[P9_IO_UNLINK] = IORING_OP_UNLINKAT,   [P9_IO_READ] = IORING_OP_READV,
	[P9_IO_WRITE] = IORING_OP_WRITEV,      [P9_IO_FSYNC] = IORING_OP_FSYNC,
	[P9_IO_GETXATTR] = IORING_OP_GETXATTR, [P9_IO_SETXATTR] = IORING_OP_SETXATTR,
	[P9_IO_TRUNCATE] = OP_FTRUNCATE,
};

int p9_ring_probe(struct p9_ring *ring)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);

	if (!probe)
		return -ENOSYS;
	for (int op = 0; op < P9_IO_HOST_OPS; op++)
		ring->has[op] = opcode[op] && io_uring_opcode_supported(probe, opcode[op]);
	ring->has_writeout = io_uring_opcode_supported(probe, IORING_OP_SYNC_FILE_RANGE);
	io_uring_free_probe(probe);
	return 0;
}

static void prepare(struct io_uring_sqe *sqe, struct p9_io *io)
{
	switch (io->op) {
	case P9_IO_OPEN:
		io_uring_prep_openat2(sqe, io->fd, io->name, &io->how);
		break;
	case P9_IO_STATX:
		io_uring_prep_statx(sqe, io->fd, io->name, (int)io->flags,
				    STATX_BASIC_STATS | STATX_BTIME, io->stx);
		break;
	case P9_IO_MKDIR:
		io_uring_prep_mkdirat(sqe, io->fd, io->name, io->mode);
		break;
	case P9_IO_SYMLINK:
		io_uring_prep_symlinkat(sqe, io->name, io->fd2, io->name2);
		break;
	case P9_IO_LINK:
		io_uring_prep_linkat(sqe, io->fd, io->name, io->fd2, io->name2, (int)io->flags);
		break;
	case P9_IO_RENAME:
		io_uring_prep_renameat(sqe, io->fd, io->name, io->fd2, io->name2, 0);
		break;
	case P9_IO_UNLINK:
		io_uring_prep_unlinkat(sqe, io->fd, io->name, (int)io->flags);
		break;
	case P9_IO_GETXATTR:
		io_uring_prep_getxattr(sqe, io->name, io->buf, io->name2, (unsigned int)io->len);
		break;
	case P9_IO_SETXATTR:
		io_uring_prep_setxattr(sqe, io->name, io->buf, io->name2, (int)io->flags,
				       (unsigned int)io->len);
		break;
	case P9_IO_READ:
		io_uring_prep_readv(sqe, io->fd, io->data.iov, (unsigned int)io->data.n, io->off);
		break;
	case P9_IO_WRITE:
		io_uring_prep_writev(sqe, io->fd, io->data.iov, (unsigned int)io->data.n, io->off);
		break;
	case P9_IO_TRUNCATE:
		io_uring_prep_rw(OP_FTRUNCATE, sqe, io->fd, NULL, 0, io->off);
		break;
	case P9_IO_FSYNC:
		io_uring_prep_fsync(sqe, io->fd, io->flags ? IORING_FSYNC_DATASYNC : 0);
		break;
	default:
		io_uring_prep_nop(sqe);
		break;
	}
	io_uring_sqe_set_data(sqe, io);
}

static void prepare_writeout(struct io_uring_sqe *sqe, struct p9_io *io)
{
	bool append = io->flags & P9_RW_APPEND; /* then all of the file: a length of 0 */

	io_uring_prep_sync_file_range(sqe, io->fd, append ? 0 : (unsigned int)io->data.len,
				      append ? 0 : io->off, P9_WRITEOUT_FLAGS);
	io_uring_sqe_set_data64(sqe, (uintptr_t)io | P9_RING_SECOND);
}

/* The write, and then writing out. */
unsigned int p9_ring_entries(const struct p9_io *io)
{
	return io->op == P9_IO_WRITE && (io->flags & P9_RW_WRITEOUT) ? 2 : 1;
}

void p9_ring_prepare(struct p9_ring *ring, struct p9_io *io, int personality)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	prepare(sqe, io);
	sqe->personality = (uint16_t)personality;
	if (p9_ring_entries(io) == 1)
		return;
	/* A hard link holds after a short write, too. */
	sqe->flags |= IOSQE_IO_HARDLINK;
	sqe = io_uring_get_sqe(&ring->uring);
	prepare_writeout(sqe, io);
	sqe->personality = (uint16_t)personality;
}
