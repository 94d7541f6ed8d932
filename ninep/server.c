// SPDX-License-Identifier: MIT
#include "ninep/server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ninep/session.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* RESOLVE_CACHED came with Linux 5.12; before that it is EINVAL. */
static bool have_resolve_cached(int dirfd)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED};
	long fd = syscall(SYS_openat2, dirfd, ".", &how, sizeof(how));

	if (fd >= 0)
		close((int)fd);
	return fd >= 0 || errno == EAGAIN;
}

int p9_server_new(struct p9_server **out, enum p9_executor executor)
{
	struct p9_server *server = calloc(1, sizeof(*server));
	struct statfs sfs;
	int err;

	if (!server)
		return -ENOMEM;
	umask(0);
	server->executor = executor;
	server->identities = p9_identity_init(&server->own);
	pthread_mutex_init(&server->fs_lock, NULL);
	server->procfd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (server->procfd < 0) {
		err = -errno;
		goto out_free;
	}
	err = -ENOENT;
	if (fstatfs(server->procfd, &sfs) || sfs.f_type != PROC_SUPER_MAGIC)
		goto out_close;
	server->resolve_cached = have_resolve_cached(server->procfd);
	server->ring.event = -1;
	p9_workers_init(&server->workers);
	if (executor != P9_EXEC_SYNC) {
		err = p9_ring_init(&server->ring);
		if (err)
			goto out_close;
	}
	*out = server;
	return 0;

out_close:
	close(server->procfd);
out_free:
	pthread_mutex_destroy(&server->fs_lock);
	free(server);
	return err;
}

int p9_server_start(struct p9_server *server)
{
	if (server->executor == P9_EXEC_SYNC)
		return 0;
	return p9_workers_start(&server->workers);
}

void p9_server_free(struct p9_server *server)
{
	struct p9_fs *fs, *next;

	if (!server)
		return;
	if (server->executor != P9_EXEC_SYNC) {
		p9_workers_stop(&server->workers);
		p9_ring_exit(&server->ring);
	}
	for (fs = server->fs; fs; fs = next) {
		next = fs->next;
		free(fs);
	}
	close(server->procfd);
	pthread_mutex_destroy(&server->fs_lock);
	free(server);
}

int p9_server_fd(const struct p9_server *server)
{
	return server->ring.event;
}

void p9_server_run(struct p9_server *server)
{
	if (server->executor == P9_EXEC_SYNC)
		return;
	p9_ring_run(&server->ring);
	p9_wear_own();
}

struct p9_who p9_identity(const struct p9_server *server, uint32_t uid, uint32_t gid)
{
	struct p9_who own = {.uid = P9_OWN};

	if (!server->identities || uid == P9_NONUNAME)
		return own;
	/* The process's own, and nothing is created in another group: keeps its own groups. */
	if (uid == server->own.uid && gid == server->own.gid)
		return own;
	return (struct p9_who){.uid = uid, .gid = gid};
}

/* ---- file systems ---- */

static struct p9_fs *fs_find(struct p9_server *server, uint64_t dev)
{
	struct p9_fs *fs;

	for (fs = server->fs; fs; fs = fs->next)
		if (fs->dev == dev)
			return fs;
	fs = calloc(1, sizeof(*fs));
	if (!fs)
		return NULL;
	fs->dev = dev;
	fs->index = server->fs_count++;
	fs->next = server->fs;
	server->fs = fs;
	return fs;
}

struct p9_fs *p9_fs_find(struct p9_server *server, uint64_t dev)
{
	struct p9_fs *fs;

	pthread_mutex_lock(&server->fs_lock);
	fs = fs_find(server, dev);
	pthread_mutex_unlock(&server->fs_lock);
	return fs;
}

struct p9_fs *p9_fs_get_known(struct p9_server *server, uint64_t dev)
{
	struct p9_fs *fs;

	pthread_mutex_lock(&server->fs_lock);
	fs = fs_find(server, dev);
	if (fs && fs->nodes)
		fs->nodes++;
	else
		fs = NULL;
	pthread_mutex_unlock(&server->fs_lock);
	return fs;
}

struct p9_fs *p9_fs_get(struct p9_server *server, uint64_t dev, enum p9_fs_class class)
{
	struct p9_fs *fs;

	pthread_mutex_lock(&server->fs_lock);
	fs = fs_find(server, dev);
	if (fs && !fs->nodes++)
		fs->class = class;
	pthread_mutex_unlock(&server->fs_lock);
	return fs;
}

void p9_fs_put(struct p9_server *server, struct p9_fs *fs)
{
	pthread_mutex_lock(&server->fs_lock);
	fs->nodes--;
	pthread_mutex_unlock(&server->fs_lock);
}

enum p9_fs_class p9_fs_classify(uint64_t f_type)
{
	switch (f_type) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
		return P9_FS_MEMORY;
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
		return P9_FS_LOCAL;
	default:
		return P9_FS_OTHER;
	}
}

/*
 * Sixteen bits of index and 48 of inode number, where that is enough; else a hash, marked by the
 * top bit. The first file system, the share's own, keeps its inode numbers as they are.
 */
uint64_t p9_qid_path(const struct p9_fs *fs, uint64_t ino)
{
	uint64_t hash = ino ^ ((uint64_t)fs->index + 1) * 0x9e3779b97f4a7c15ull;

	if (!(ino >> 48) && fs->index < 0x8000)
		return (uint64_t)fs->index << 48 | ino;
	for (int i = 0; i < 2; i++) {
		hash ^= hash >> 32;
		hash *= 0xd6e8feb86659fd93ull;
	}
	hash ^= hash >> 32;
	return hash | 1ull << 63;
}
