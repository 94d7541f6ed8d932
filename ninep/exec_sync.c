// SPDX-License-Identifier: MIT
/*
 * Host operations as system calls, here and now, in the identity they ask for.
 *
 * Nothing here waits on a coroutine, and p9_io_call() is not inlined into what does: errno and what
 * the thread wears are the thread's own.
 */
#include "ninep/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ninep/identity.h"
#include "ninep/lock.h"
#include "ninep/owner.h"

/*
 * The older calls say the same but for the time of birth, and fstat(2) does for a fraction of the
 * price: statx(2) takes the path "", and a page for it. glibc's fstat() may do so, too.
 */
static long stat_file(const struct p9_io *io)
{
	struct statx *stx = io->stx;
	struct stat st;
	long err;

	if (io->btime)
		return syscall(SYS_statx, io->fd, io->name, io->flags,
			       STATX_BASIC_STATS | STATX_BTIME, stx);
	if (*io->name)
		err = syscall(SYS_newfstatat, io->fd, io->name, &st, io->flags);
	else
		err = syscall(SYS_fstat, io->fd, &st);
	if (err)
		return err;
	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = (uint32_t)st.st_blksize,
		.stx_nlink = (uint32_t)st.st_nlink,
		.stx_uid = st.st_uid,
		.stx_gid = st.st_gid,
		.stx_mode = (uint16_t)st.st_mode,
		.stx_ino = st.st_ino,
		.stx_size = (uint64_t)st.st_size,
		.stx_blocks = (uint64_t)st.st_blocks,
		.stx_atime = {st.st_atim.tv_sec, (uint32_t)st.st_atim.tv_nsec, 0},
		.stx_ctime = {st.st_ctim.tv_sec, (uint32_t)st.st_ctim.tv_nsec, 0},
		.stx_mtime = {st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec, 0},
		.stx_rdev_major = major(st.st_rdev),
		.stx_rdev_minor = minor(st.st_rdev),
		.stx_dev_major = major(st.st_dev),
		.stx_dev_minor = minor(st.st_dev),
	};
	return 0;
}

static long getdents(const struct p9_io *io)
{
	struct p9_dirpos *at = io->dirpos;
	long n = 0;

	pthread_mutex_lock(&at->lock);
	if (at->pos != io->dir_off)
		n = lseek(io->fd, io->dir_off, SEEK_SET);
	if (n >= 0)
		n = syscall(SYS_getdents64, io->fd, io->buf, io->len);
	/*
	 * The last entry's d_off is where the kernel stands now. At the end it stays, but for a
	 * rewind of a folder without entries: that has to be one.
	 */
	at->pos = n < 0 || !io->dir_off ? -1 : io->dir_off;
	for (long i = 0; i < n;) {
		const struct dirent64 *entry = (const void *)((const char *)io->buf + i);

		at->pos = entry->d_off;
		i += entry->d_reclen;
	}
	pthread_mutex_unlock(&at->lock);
	return n;
}

static long lock(const struct p9_io *io)
{
	int err = p9_lock_call(io->lock);

	errno = -err;
	return err ? -1 : 0;
}

static long write_at(const struct p9_io *io)
{
	ssize_t n = pwritev(io->fd, io->data.iov, (int)io->data.n, (off_t)io->off);
	bool append = io->flags & P9_RW_APPEND; /* then all of the file */

	if (n > 0 && (io->flags & P9_RW_WRITEOUT) &&
	    sync_file_range(io->fd, append ? 0 : (off_t)io->off, append ? 0 : n, P9_WRITEOUT_FLAGS))
		return -1;
	return n;
}

static long handle(const struct p9_io *io)
{
	int mount_id;

	return name_to_handle_at(io->fd, "", io->handle, &mount_id, AT_EMPTY_PATH);
}

/* -1 and errno, as a system call. */
static long call(struct p9_io *io)
{
	switch (io->op) {
	case P9_IO_OPEN:
		return syscall(SYS_openat2, io->fd, io->name, &io->how, sizeof(io->how));
	case P9_IO_STATX:
		return stat_file(io);
	case P9_IO_MKDIR:
		return mkdirat(io->fd, io->name, io->mode);
	case P9_IO_SYMLINK:
		return symlinkat(io->name, io->fd2, io->name2);
	case P9_IO_MKNOD:
		return mknodat(io->fd, io->name, io->mode, io->dev);
	case P9_IO_LINK:
		return linkat(io->fd, io->name, io->fd2, io->name2, (int)io->flags);
	case P9_IO_RENAME:
		return renameat(io->fd, io->name, io->fd2, io->name2);
	case P9_IO_UNLINK:
		return unlinkat(io->fd, io->name, (int)io->flags);
	case P9_IO_CHMOD:
		return fchmodat(io->fd, io->name, io->mode, 0);
	case P9_IO_CHOWN:
		return fchownat(io->fd, "", io->uid, io->gid, AT_EMPTY_PATH);
	case P9_IO_UTIMES:
		return syscall(SYS_utimensat, io->fd, "", io->times, AT_EMPTY_PATH);
	case P9_IO_GETXATTR:
		return getxattr(io->name2, io->name, io->buf, io->len);
	case P9_IO_LISTXATTR:
		return listxattr(io->name2, io->buf, io->len);
	case P9_IO_SETXATTR:
		return setxattr(io->name2, io->name, io->buf, io->len, (int)io->flags);
	case P9_IO_REMOVEXATTR:
		return removexattr(io->name2, io->name);
	case P9_IO_GET_CREDS:
	case P9_IO_SET_CREDS:
		return p9_owner_call(io);
	case P9_IO_READ:
		return preadv(io->fd, io->data.iov, (int)io->data.n, (off_t)io->off);
	case P9_IO_WRITE:
		return write_at(io);
	case P9_IO_FSYNC:
		return io->flags ? fdatasync(io->fd) : fsync(io->fd);
	case P9_IO_CLOSE:
		return close(io->fd);
	case P9_IO_GETDENTS:
		return getdents(io);
	case P9_IO_READLINK:
		return readlinkat(io->fd, "", io->buf, io->len);
	case P9_IO_TRUNCATE:
		return ftruncate(io->fd, (off_t)io->off);
	case P9_IO_STATFS:
		return fstatfs(io->fd, io->sfs);
	case P9_IO_HANDLE:
		return handle(io);
	case P9_IO_OPEN_HANDLE:
		return open_by_handle_at(io->fd, io->handle, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	case P9_IO_LOCK:
		return lock(io);
	case P9_IO_BUFFERED: {
		int flags = fcntl(io->fd, F_GETFL);

		return flags < 0 ? flags : fcntl(io->fd, F_SETFL, flags & ~O_DIRECT);
	}
	default:
		errno = ENOSYS;
		return -1;
	}
}

/* Where nothing asks who is asking, the thread stays as it is dressed. */
static bool identity_matters(const struct p9_io *io)
{
	switch (io->op) {
	case P9_IO_STATX:
		return *io->name;
	case P9_IO_CLOSE:
	case P9_IO_GETDENTS:
	case P9_IO_READLINK:
	case P9_IO_STATFS:
	case P9_IO_BUFFERED:
	case P9_IO_LOCK:
		return false;
	default:
		return true;
	}
}

__attribute__((noinline)) void p9_io_call(struct p9_io *io)
{
	long res = identity_matters(io) ? p9_wear(io->who) : 0;

	if (!res) {
		res = call(io);
		if (res < 0)
			res = -errno;
	}
	io->res = res;
}
