// SPDX-License-Identifier: MIT
/* The host operations as functions: fill a struct p9_io, wait for its result. */
#include "ninep/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ninep/owner.h"
#include "ninep/server.h"
#include "ninep/session.h"

static const struct p9_who own = {.uid = P9_OWN};

/* The name of a descriptor below /proc/self/fd. */
struct fd_name {
	char s[12];
};

#define PROC_SELF_FD "/proc/self/fd"

static struct fd_name fd_name(int fd)
{
	struct fd_name name = {.s = ""};
	char *p = name.s + sizeof(name.s);

	*--p = 0;
	do {
		*--p = (char)('0' + fd % 10);
		fd /= 10;
	} while (fd);
	for (char *to = name.s; (*to++ = *p++);)
		;
	return name;
}

int p9_open(struct p9_req *req, struct p9_fs *fs, int dirfd, const char *name, uint64_t flags,
	    uint32_t mode, uint64_t resolve)
{
	struct p9_io io = {
		.op = P9_IO_OPEN,
		.fs = fs,
		.who = req->who,
		.fd = dirfd,
		.name = name,
		.how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve},
	};
	long fd = p9_await(req, &io);

	if ((fd == -EMFILE || fd == -ENFILE) && p9_node_make_room(req))
		fd = p9_await(req, &io);
	return (int)fd;
}

int p9_reopen(struct p9_req *req, struct p9_fs *fs, int fd, uint64_t flags)
{
	struct fd_name name = fd_name(fd);

	/* Of a file or a folder, which is no terminal: O_NOCTTY is not needed. */
	return p9_open(req, fs, p9_req_server(req)->procfd, name.s, flags, 0, 0);
}

static struct p9_io statx_io(struct p9_req *req, struct p9_fs *fs, int fd, const char *name,
			     struct statx *stx)
{
	return (struct p9_io){
		.op = P9_IO_STATX,
		.fs = fs,
		.who = *name ? req->who : own,
		.fd = fd,
		.name = name,
		.flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH),
		.stx = stx,
	};
}

int p9_host_statx(struct p9_req *req, struct p9_fs *fs, int fd, const char *name, struct statx *stx)
{
	struct p9_io io = statx_io(req, fs, fd, name, stx);

	return (int)p9_await(req, &io);
}

int p9_host_statx_btime(struct p9_req *req, struct p9_fs *fs, int fd, struct statx *stx)
{
	struct p9_io io = statx_io(req, fs, fd, "", stx);

	io.btime = true;
	return (int)p9_await(req, &io);
}

int p9_statx(struct p9_req *req, struct p9_fs *fs, int fd, const char *name, struct statx *stx)
{
	int err = p9_host_statx(req, fs, fd, name, stx);

	if (!err)
		p9_owner_show(req, fs, fd, name, stx);
	return err;
}

int p9_mkdirat(struct p9_req *req, struct p9_fs *fs, int dirfd, const char *name, uint32_t mode)
{
	struct p9_io io = {
		.op = P9_IO_MKDIR,
		.fs = fs,
		.who = req->who,
		.fd = dirfd,
		.name = name,
		.mode = mode,
	};

	return (int)p9_await(req, &io);
}

int p9_symlinkat(struct p9_req *req, struct p9_fs *fs, const char *target, int dirfd,
		 const char *name)
{
	struct p9_io io = {
		.op = P9_IO_SYMLINK,
		.fs = fs,
		.who = req->who,
		.name = target,
		.fd2 = dirfd,
		.name2 = name,
	};

	return (int)p9_await(req, &io);
}

int p9_mknodat(struct p9_req *req, struct p9_fs *fs, int dirfd, const char *name, uint32_t mode,
	       dev_t dev)
{
	struct p9_io io = {
		.op = P9_IO_MKNOD,
		.fs = fs,
		.who = req->who,
		.fd = dirfd,
		.name = name,
		.mode = mode,
		.dev = dev,
	};

	return (int)p9_await(req, &io);
}

int p9_linkat(struct p9_req *req, struct p9_fs *fs, int fd, int dirfd, const char *name)
{
	/* By the magic link: AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH. */
	struct fd_name from = fd_name(fd);
	struct p9_io io = {
		.op = P9_IO_LINK,
		.fs = fs,
		.who = req->who,
		.fd = p9_req_server(req)->procfd,
		.name = from.s,
		.fd2 = dirfd,
		.name2 = name,
		.flags = AT_SYMLINK_FOLLOW,
	};

	return (int)p9_await(req, &io);
}

int p9_renameat(struct p9_req *req, struct p9_fs *fs, int olddirfd, const char *oldname,
		int newdirfd, const char *newname)
{
	struct p9_io io = {
		.op = P9_IO_RENAME,
		.fs = fs,
		.who = req->who,
		.fd = olddirfd,
		.name = oldname,
		.fd2 = newdirfd,
		.name2 = newname,
	};

	return (int)p9_await(req, &io);
}

int p9_unlinkat(struct p9_req *req, struct p9_fs *fs, int dirfd, const char *name,
		unsigned int flags)
{
	struct p9_io io = {
		.op = P9_IO_UNLINK,
		.fs = fs,
		.who = req->who,
		.fd = dirfd,
		.name = name,
		.flags = flags,
	};

	return (int)p9_await(req, &io);
}

int p9_chmod(struct p9_req *req, struct p9_fs *fs, int fd, uint32_t mode)
{
	struct fd_name name = fd_name(fd);
	struct p9_io io = {
		.op = P9_IO_CHMOD,
		.fs = fs,
		.who = req->who,
		.fd = p9_req_server(req)->procfd,
		.name = name.s,
		.mode = mode,
	};

	return (int)p9_await(req, &io);
}

int p9_chown(struct p9_req *req, struct p9_fs *fs, int fd, uid_t uid, gid_t gid)
{
	struct p9_io io = {
		.op = P9_IO_CHOWN,
		.fs = fs,
		.who = req->who,
		.fd = fd,
		.uid = uid,
		.gid = gid,
	};

	return (int)p9_await(req, &io);
}

int p9_utimes(struct p9_req *req, struct p9_fs *fs, int fd, const struct timespec times[2])
{
	struct p9_io io = {
		.op = P9_IO_UTIMES,
		.fs = fs,
		.who = req->who,
		.fd = fd,
		.times = {times[0], times[1]},
	};

	return (int)p9_await(req, &io);
}

/* A write by others than root takes set-user-id bits away, so it matters whose it is. */
static ssize_t rwv(enum p9_op op, struct p9_req *req, struct p9_fs *fs, int fd,
		   const struct p9_pieces *data, uint64_t off, unsigned int how)
{
	const bool writeout = op == P9_IO_WRITE &&
			      (p9_req_share(req)->config.flags & P9_SHARE_WRITEOUT);
	struct p9_io io = {
		.op = op,
		.fs = fs,
		.who = op == P9_IO_WRITE ? req->who : own,
		.fd = fd,
		.flags = how | (writeout ? P9_RW_WRITEOUT : 0),
		.data = *data,
		.off = off,
	};

	return p9_await(req, &io);
}

ssize_t p9_readv(struct p9_req *req, struct p9_fs *fs, int fd, const struct p9_pieces *data,
		 uint64_t off, unsigned int how)
{
	return rwv(P9_IO_READ, req, fs, fd, data, off, how);
}

ssize_t p9_writev(struct p9_req *req, struct p9_fs *fs, int fd, const struct p9_pieces *data,
		  uint64_t off, unsigned int how)
{
	return rwv(P9_IO_WRITE, req, fs, fd, data, off, how);
}

int p9_fsync(struct p9_req *req, struct p9_fs *fs, int fd, bool data_only)
{
	struct p9_io io = {
		.op = P9_IO_FSYNC,
		.fs = fs,
		.who = own,
		.fd = fd,
		.flags = data_only,
	};

	return (int)p9_await(req, &io);
}

static int do_close(struct p9_req *req, struct p9_fs *fs, int fd, unsigned int how)
{
	struct p9_io io = {
		.op = P9_IO_CLOSE,
		.fs = fs,
		.who = own,
		.fd = fd,
		.flags = how,
	};

	if (req)
		return (int)p9_await(req, &io);
	p9_io_call(&io);
	return (int)io.res;
}

int p9_close(struct p9_req *req, struct p9_fs *fs, int fd, bool written)
{
	return do_close(req, fs, fd, written ? P9_CLOSE_WRITTEN : 0);
}

int p9_close_held(struct p9_req *req, struct p9_fs *fs, int fd, bool written)
{
	return do_close(req, fs, fd, P9_CLOSE_HELD | (written ? P9_CLOSE_WRITTEN : 0));
}

ssize_t p9_getdents(struct p9_req *req, struct p9_fs *fs, int fd, struct p9_dirpos *dirpos,
		    int64_t off, void *buf, size_t len)
{
	struct p9_io io = {
		.op = P9_IO_GETDENTS,
		.fs = fs,
		.who = own,
		.fd = fd,
		.buf = buf,
		.len = len,
		.dir_off = off,
		.dirpos = dirpos,
	};

	return p9_await(req, &io);
}

ssize_t p9_readlink(struct p9_req *req, struct p9_fs *fs, int fd, char *buf, size_t len)
{
	struct p9_io io = {
		.op = P9_IO_READLINK,
		.fs = fs,
		.who = own,
		.fd = fd,
		.buf = buf,
		.len = len,
	};

	return p9_await(req, &io);
}

int p9_ftruncate(struct p9_req *req, struct p9_fs *fs, int fd, uint64_t size)
{
	struct p9_io io = {
		.op = P9_IO_TRUNCATE,
		.fs = fs,
		.who = req->who,
		.fd = fd,
		.off = size,
	};

	return (int)p9_await(req, &io);
}

int p9_fstatfs(struct p9_req *req, struct p9_fs *fs, int fd, struct statfs *sfs)
{
	struct p9_io io = {
		.op = P9_IO_STATFS,
		.fs = fs,
		.who = own,
		.fd = fd,
		.sfs = sfs,
	};

	return (int)p9_await(req, &io);
}

int p9_buffered(struct p9_req *req, struct p9_fs *fs, int fd)
{
	struct p9_io io = {
		.op = P9_IO_BUFFERED,
		.fs = fs,
		.who = own,
		.fd = fd,
	};

	return (int)p9_await(req, &io);
}

struct file_handle *p9_handle(struct p9_req *req, struct p9_fs *fs, int fd)
{
	struct file_handle *handle = malloc(sizeof(*handle) + MAX_HANDLE_SZ);
	struct p9_io io = {
		.op = P9_IO_HANDLE,
		.fs = fs,
		.who = own,
		.fd = fd,
		.handle = handle,
	};

	if (!handle)
		return NULL;
	handle->handle_bytes = MAX_HANDLE_SZ;
	if (p9_await(req, &io)) {
		free(handle);
		return NULL;
	}
	return realloc(handle, sizeof(*handle) + handle->handle_bytes) ?: handle;
}

int p9_open_handle(struct p9_req *req, struct p9_fs *fs, int fd, struct file_handle *handle)
{
	struct p9_io io = {
		.op = P9_IO_OPEN_HANDLE,
		.fs = fs,
		.who = own,
		.fd = fd,
		.handle = handle,
	};

	return (int)p9_await(req, &io);
}

int p9_lock(struct p9_req *req, struct p9_fs *fs, struct p9_lock_op *op)
{
	struct p9_io io = {
		.op = P9_IO_LOCK,
		.fs = fs,
		.who = own,
		.lock = op,
	};

	return (int)p9_await(req, &io);
}

/*
 * There is no way to name an attribute's file by a descriptor's number below an open /proc/self/fd
 * before Linux 6.13 (setxattrat), and fsetxattr(2) takes no O_PATH descriptor.
 */
static ssize_t xattr(enum p9_op op, struct p9_req *req, const struct p9_node *node,
		     const char *name, const void *buf, size_t len, unsigned int flags)
{
	char path[sizeof(PROC_SELF_FD) + sizeof(struct fd_name)];
	struct p9_io io = {
		.op = op,
		.fs = node->fs,
		.who = req->who,
		.name = name,
		.name2 = path,
		.flags = flags,
		.buf = (void *)buf,
		.len = len,
	};

	stpcpy(stpcpy(path, PROC_SELF_FD "/"), fd_name(node->fd).s);
	return p9_await(req, &io);
}

ssize_t p9_getxattr(struct p9_req *req, const struct p9_node *node, const char *name, void *buf,
		    size_t len)
{
	return xattr(P9_IO_GETXATTR, req, node, name, buf, len, 0);
}

ssize_t p9_listxattr(struct p9_req *req, const struct p9_node *node, void *buf, size_t len)
{
	return xattr(P9_IO_LISTXATTR, req, node, "", buf, len, 0);
}

int p9_setxattr(struct p9_req *req, const struct p9_node *node, const char *name, const void *buf,
		size_t len, unsigned int flags)
{
	return (int)xattr(P9_IO_SETXATTR, req, node, name, buf, len, flags);
}

int p9_removexattr(struct p9_req *req, const struct p9_node *node, const char *name)
{
	return (int)xattr(P9_IO_REMOVEXATTR, req, node, name, NULL, 0, 0);
}

void p9_await_tag(struct p9_req *req, uint16_t tag)
{
	struct p9_io io = {.op = P9_IO_AWAIT_TAG, .tag = tag};

	p9_await(req, &io);
}

void p9_await_all(struct p9_req *req)
{
	struct p9_io io = {.op = P9_IO_AWAIT_ALL};

	p9_await(req, &io);
}

bool p9_await_lock(struct p9_req *req)
{
	struct p9_io io = {.op = P9_IO_AWAIT_LOCK};

	return !p9_await(req, &io);
}
