/* SPDX-License-Identifier: MIT */
/*
 * One host operation. A message asks for it with the functions below and gets the result; whether
 * that was a system call in place, the ring or a worker is the executor's business.
 *
 * They all run on a request's coroutine and may wait. All return a negative errno, or what they
 * say. `fs` is the file system the operation falls on (its class decides whether it can be tried in
 * place), NULL if that is not known.
 */
#ifndef NINEP_IO_H
#define NINEP_IO_H

#include <dirent.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include "ninep/identity.h"
#include "ninep/p9.h"

struct file_handle;
struct p9_creds;
struct p9_fs;
struct p9_lock_op;
struct p9_node;
struct p9_req;
struct p9_server;

enum p9_op {
	/* a path or name is looked up: these act as io->who */
	P9_IO_OPEN,
	P9_IO_STATX,
	P9_IO_MKDIR,
	P9_IO_SYMLINK,
	P9_IO_MKNOD,
	P9_IO_LINK,
	P9_IO_RENAME,
	P9_IO_UNLINK,
	P9_IO_CHMOD,
	P9_IO_CHOWN,
	P9_IO_UTIMES,
	P9_IO_GETXATTR,
	P9_IO_LISTXATTR,
	P9_IO_SETXATTR,
	P9_IO_REMOVEXATTR,
	P9_IO_GET_CREDS, /* owner.h; these two act as the process itself */
	P9_IO_SET_CREDS,
	/* on a descriptor; the first three ask who is asking, too */
	P9_IO_READ,
	P9_IO_WRITE,
	P9_IO_TRUNCATE,
	P9_IO_FSYNC,
	P9_IO_CLOSE,
	P9_IO_GETDENTS,
	P9_IO_READLINK,
	P9_IO_STATFS,
	P9_IO_BUFFERED,
	P9_IO_HANDLE,
	P9_IO_OPEN_HANDLE,
	P9_IO_LOCK,
	P9_IO_HOST_OPS,
	/* not the host's: wait for other requests of the session */
	P9_IO_AWAIT_TAG = P9_IO_HOST_OPS,
	P9_IO_AWAIT_ALL,
	P9_IO_AWAIT_LOCK,
};

/* Where the last getdents64() left an open directory; the lock makes seek and read one step. */
struct p9_dirpos {
	pthread_mutex_t lock;
	int64_t pos; /* -1: not known */
};

#define P9_RW_DIRECT   1u /* the descriptor has O_DIRECT */
#define P9_RW_APPEND   4u /* it has O_APPEND: writes go to the end, wherever that is */
#define P9_RW_WRITEOUT 2u /* after it, the host has begun to write out: P9_SHARE_WRITEOUT */
#define P9_RW_ATIME    8u /* reading is likely to change the time of access */
/* sync_file_range(2)'s: what is under way has ended, and the rest has begun. */
#define P9_WRITEOUT_FLAGS (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE)

#define P9_CLOSE_WRITTEN 1u /* it was open for writing */
#define P9_CLOSE_HELD	 2u /* another descriptor of the file stays open */

struct p9_io {
	enum p9_op op;
	struct p9_fs *fs;
	struct p9_who who;
	long res;

	int fd;	 /* what it is done on, or the folder of name */
	int fd2; /* the folder of name2 */
	const char *name, *name2; /* name2 of an attribute's: the path of its file */
	unsigned int flags; /* as the system call's; of a read, write or close, P9_… */
	bool btime;	    /* of P9_IO_STATX: that is needed too */
	uint32_t mode;
	union {
		struct open_how how;
		struct statx *stx;
		struct statfs *sfs;
		struct file_handle *handle;
		struct p9_lock_op *lock;
		struct p9_creds *creds;
		dev_t dev;
		struct {
			uid_t uid;
			gid_t gid;
		};
		struct timespec times[2];
		struct {
			struct p9_pieces data;
			uint64_t off;
		};
		struct {
			void *buf;
			size_t len;
			int64_t dir_off;
			struct p9_dirpos *dirpos;
		};
		uint16_t tag;
	};

	struct p9_req *req;
	struct p9_io *next; /* in an executor's queue */
	/* the ring's: */
	unsigned int at; /* in p9_ring.begun */
	uint8_t to_come; /* completions */
	bool cancelled;	 /* it was asked to give it up */
	long after;	 /* the result of what follows a write */
};

/* ---- what messages call ---- */

/* openat2(2); returns a close-on-exec descriptor. Makes room if the process has no more of them. */
int p9_open(struct p9_req *req, struct p9_fs *fs, int dirfd, const char *name, uint64_t flags,
	    uint32_t mode, uint64_t resolve);
/* Opens the file behind a descriptor (O_PATH too) anew. The caller has checked its type. */
int p9_reopen(struct p9_req *req, struct p9_fs *fs, int fd, uint64_t flags);
/*
 * Of the descriptor if name is "", else of the name in it, not following a symbolic link: as the
 * guest is to know it (owner.h). Perhaps without STATX_BTIME, which costs more.
 */
int p9_statx(struct p9_req *req, struct p9_fs *fs, int fd, const char *name, struct statx *stx);
/* The same as the host knows it. */
int p9_host_statx(struct p9_req *req, struct p9_fs *fs, int fd, const char *name,
		  struct statx *stx);
/* The same of a descriptor, with STATX_BTIME if there is one. */
int p9_host_statx_btime(struct p9_req *req, struct p9_fs *fs, int fd, struct statx *stx);
int p9_mkdirat(struct p9_req *req, struct p9_fs *fs, int dirfd, const char *name, uint32_t mode);
int p9_symlinkat(struct p9_req *req, struct p9_fs *fs, const char *target, int dirfd,
		 const char *name);
int p9_mknodat(struct p9_req *req, struct p9_fs *fs, int dirfd, const char *name, uint32_t mode,
	       dev_t dev);
/* Makes a further name for the file behind fd. */
int p9_linkat(struct p9_req *req, struct p9_fs *fs, int fd, int dirfd, const char *name);
int p9_renameat(struct p9_req *req, struct p9_fs *fs, int olddirfd, const char *oldname,
		int newdirfd, const char *newname);
int p9_unlinkat(struct p9_req *req, struct p9_fs *fs, int dirfd, const char *name,
		unsigned int flags);
/* These three work on an O_PATH descriptor too. */
int p9_chmod(struct p9_req *req, struct p9_fs *fs, int fd, uint32_t mode);
int p9_chown(struct p9_req *req, struct p9_fs *fs, int fd, uid_t uid, gid_t gid);
int p9_utimes(struct p9_req *req, struct p9_fs *fs, int fd, const struct timespec times[2]);

/* These too, and on special files, which are not opened. Bytes; a list is names with NULs. */
ssize_t p9_getxattr(struct p9_req *req, const struct p9_node *node, const char *name, void *buf,
		    size_t len);
ssize_t p9_listxattr(struct p9_req *req, const struct p9_node *node, void *buf, size_t len);
int p9_setxattr(struct p9_req *req, const struct p9_node *node, const char *name, const void *buf,
		size_t len, unsigned int flags);
int p9_removexattr(struct p9_req *req, const struct p9_node *node, const char *name);

/* Bytes read or written; may be fewer than asked for. `how`: P9_RW_DIRECT, …_APPEND, …_ATIME. */
ssize_t p9_readv(struct p9_req *req, struct p9_fs *fs, int fd, const struct p9_pieces *data,
		 uint64_t off, unsigned int how);
ssize_t p9_writev(struct p9_req *req, struct p9_fs *fs, int fd, const struct p9_pieces *data,
		  uint64_t off, unsigned int how);
int p9_fsync(struct p9_req *req, struct p9_fs *fs, int fd, bool data_only);
/* `written`: closing may start writing out. With req NULL: here and now. */
int p9_close(struct p9_req *req, struct p9_fs *fs, int fd, bool written);
/* The same while another descriptor of the file stays open. */
int p9_close_held(struct p9_req *req, struct p9_fs *fs, int fd, bool written);
/* getdents64(2) from a position on; bytes read, 0 at the end. */
ssize_t p9_getdents(struct p9_req *req, struct p9_fs *fs, int fd, struct p9_dirpos *dirpos,
		    int64_t off, void *buf, size_t len);
/* The length of the target of the symbolic link behind fd; buf is not NUL-terminated. */
ssize_t p9_readlink(struct p9_req *req, struct p9_fs *fs, int fd, char *buf, size_t len);
int p9_ftruncate(struct p9_req *req, struct p9_fs *fs, int fd, uint64_t size);
int p9_fstatfs(struct p9_req *req, struct p9_fs *fs, int fd, struct statfs *sfs);
/* Takes O_DIRECT off an open descriptor. */
int p9_buffered(struct p9_req *req, struct p9_fs *fs, int fd);
/* The file's handle, malloc'd; NULL if it has none (or there is no memory). */
struct file_handle *p9_handle(struct p9_req *req, struct p9_fs *fs, int fd);
/* The file with this handle, as an O_PATH descriptor; fd is open on its file system. */
int p9_open_handle(struct p9_req *req, struct p9_fs *fs, int fd, struct file_handle *handle);
/* Carries out op on its file's locks: as p9_lock_call(). */
int p9_lock(struct p9_req *req, struct p9_fs *fs, struct p9_lock_op *op);

/* Waits until the request with this tag has ended, if there is one. */
void p9_await_tag(struct p9_req *req, uint16_t tag);
/* Waits until this request is the session's only one. */
void p9_await_all(struct p9_req *req);
/* Waits a little, or until somebody has given a lock back. False: the request was flushed. */
bool p9_await_lock(struct p9_req *req);

/* ---- what carries them out ---- */

/* exec_sync.c: the system call, on this thread, as io->who. Sets io->res. */
void p9_io_call(struct p9_io *io);
/* exec_auto.c: tries io where it cannot block; false: to be handed over. */
bool p9_io_try(struct p9_server *server, struct p9_io *io);

#endif
