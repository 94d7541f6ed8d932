// SPDX-License-Identifier: MIT
#include "ninep/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ninep/io.h"
#include "ninep/server.h"
#include "ninep/session.h"

/* ---- the table; the share's lock is held ---- */

static struct p9_node **bucket(struct p9_share *share, const struct p9_node *parent,
			       const char *name)
{
	uint64_t hash = (uint64_t)(uintptr_t)parent >> 4;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ull;
	return &share->bucket[(hash ^ hash >> 32) % P9_NODE_BUCKETS];
}

static struct p9_node *find(struct p9_share *share, const struct p9_node *parent, const char *name)
{
	struct p9_node *node = *bucket(share, parent, name);

	while (node && (node->parent != parent || strcmp(node->name, name) != 0))
		node = node->next;
	return node;
}

static void insert(struct p9_share *share, struct p9_node *node)
{
	struct p9_node **head = bucket(share, node->parent, node->name);

	node->next = *head;
	*head = node;
	node->placed = true;
}

static void displace(struct p9_share *share, struct p9_node *node)
{
	struct p9_node **at;

	if (!node->placed)
		return;
	for (at = bucket(share, node->parent, node->name); *at != node; at = &(*at)->next)
		;
	*at = node->next;
	node->placed = false;
}

/* ---- references ---- */

struct p9_node *p9_node_get(struct p9_share *share, struct p9_node *node)
{
	pthread_mutex_lock(&share->lock);
	node->refs++;
	pthread_mutex_unlock(&share->lock);
	return node;
}

void p9_node_put(struct p9_share *share, struct p9_req *req, struct p9_node *node)
{
	while (node) {
		struct p9_node *parent;
		bool last;

		pthread_mutex_lock(&share->lock);
		last = !--node->refs;
		parent = node->parent;
		if (last)
			displace(share, node);
		pthread_mutex_unlock(&share->lock);
		if (!last)
			return;
		p9_close(req, node->fs, node->fd, false);
		p9_fs_put(share->server, node->fs);
		free(node->name);
		free(node);
		node = parent; /* it has lost the reference of this one */
	}
}

struct p9_node *p9_node_parent(struct p9_share *share, struct p9_node *node)
{
	pthread_mutex_lock(&share->lock);
	if (node->parent)
		node = node->parent;
	node->refs++;
	pthread_mutex_unlock(&share->lock);
	return node;
}

void p9_node_where(struct p9_share *share, struct p9_node *node, struct p9_place_name *place)
{
	pthread_mutex_lock(&share->lock);
	place->parent = node->placed ? node->parent : NULL;
	if (place->parent) {
		place->parent->refs++;
		memcpy(place->name, node->name, strlen(node->name) + 1);
	}
	pthread_mutex_unlock(&share->lock);
}

/* ---- what a node is ---- */

uint64_t p9_stx_dev(const struct statx *stx)
{
	return makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

static uint64_t nanoseconds(const struct statx_timestamp *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + t->tv_nsec;
}

/* Another one after each change: ctime cannot be set back, and mtime is what data changes. */
static uint32_t qid_version(const struct statx *stx)
{
	uint64_t v = nanoseconds(&stx->stx_ctime) * 0x9e3779b97f4a7c15ull;

	v = (v + nanoseconds(&stx->stx_mtime)) * 0xd6e8feb86659fd93ull;
	return (uint32_t)(v >> 32);
}

int p9_qid(struct p9_req *req, const struct statx *stx, struct p9_qid *qid)
{
	const struct p9_fs *fs = p9_fs_find(p9_req_server(req), p9_stx_dev(stx));

	if (!fs)
		return -ENOMEM;
	qid->type = S_ISDIR(stx->stx_mode) ? P9_QTDIR : S_ISLNK(stx->stx_mode) ? P9_QTSYMLINK : 0;
	qid->version = qid_version(stx);
	qid->path = p9_qid_path(fs, stx->stx_ino);
	return 0;
}

/*
 * The node for what was found as name in dir: the one that is there already if it is the same file,
 * else a new one. Takes fd and fs over, whatever the result.
 */
static int enter(struct p9_req *req, struct p9_node *dir, const char *name, int fd,
		 struct p9_fs *fs, const struct statx *stx, struct p9_node **out)
{
	struct p9_share *share = p9_req_share(req);
	struct p9_node *node = malloc(sizeof(*node));
	struct p9_node *there = NULL;
	char *copy = strdup(name);
	int err = -ENOMEM;

	if (!node || !copy)
		goto out_drop;
	*node = (struct p9_node){
		.refs = 1,
		.fd = fd,
		.fs = fs,
		.ino = stx->stx_ino,
		.type = stx->stx_mode & S_IFMT,
		.parent = dir,
		.name = copy,
	};
	err = 0;
	pthread_mutex_lock(&share->lock);
	there = find(share, dir, name);
	if (there && (there->fs != fs || there->ino != node->ino || there->type != node->type)) {
		displace(share, there); /* the host has put something else there */
		there = NULL;
	}
	if (there) {
		there->refs++;
	} else {
		dir->refs++;
		insert(share, node);
	}
	pthread_mutex_unlock(&share->lock);
	*out = there ?: node;
	if (!there)
		return 0;
out_drop:
	free(copy);
	free(node);
	p9_close(req, fs, fd, false);
	p9_fs_put(share->server, fs);
	return err;
}

/* The file system behind fd, with one more node on it. hint has its class where that is known. */
static int fs_of(struct p9_req *req, const struct p9_fs *hint, int fd, const struct statx *stx,
		 struct p9_fs **fs)
{
	enum p9_fs_class class;
	struct statfs sfs;
	int err;

	*fs = p9_fs_get_known(p9_req_server(req), p9_stx_dev(stx));
	if (*fs)
		return 0;
	if (hint) {
		class = hint->class;
	} else {
		err = p9_fstatfs(req, NULL, fd, &sfs);
		if (err)
			return err;
		class = p9_fs_classify((uint64_t)sfs.f_type);
	}
	*fs = p9_fs_get(p9_req_server(req), p9_stx_dev(stx), class);
	return *fs ? 0 : -ENOMEM;
}

/* fs: the class of what is behind fd, NULL if not known. Takes fd over. */
static int enter_fd(struct p9_req *req, struct p9_node *dir, const char *name, int fd,
		    struct p9_fs *fs, struct p9_node **node, struct statx *stx)
{
	struct p9_fs *node_fs;
	int err;

	err = p9_statx(req, fs, fd, "", stx);
	if (!err)
		err = fs_of(req, fs, fd, stx, &node_fs);
	if (err) {
		p9_close(req, fs, fd, false);
		return err;
	}
	return enter(req, dir, name, fd, node_fs, stx, node);
}

int p9_node_step(struct p9_req *req, struct p9_node *root, struct p9_node *dir, const char *name,
		 struct p9_node **node, struct statx *stx)
{
	const uint64_t flags = O_PATH | O_NOFOLLOW;
	const uint64_t beneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
	struct p9_share *share = p9_req_share(req);
	struct p9_fs *fs = dir->fs;
	int fd, err;

	if (!S_ISDIR(dir->type))
		return -ENOTDIR;
	if (!strcmp(name, "..")) {
		*node = dir == root ? p9_node_get(share, dir) : p9_node_parent(share, dir);
		err = p9_statx(req, (*node)->fs, (*node)->fd, "", stx);
		if (err)
			p9_node_put(share, req, *node);
		return err;
	}
	/* What is not behind a mount point is of the folder's class. */
	fd = p9_open(req, fs, dir->fd, name, flags, 0, beneath | RESOLVE_NO_XDEV);
	if (fd == -EXDEV) {
		fs = NULL;
		fd = p9_open(req, fs, dir->fd, name, flags, 0, beneath);
	}
	if (fd < 0)
		return fd;
	return enter_fd(req, dir, name, fd, fs, node, stx);
}

int p9_node_of_fd(struct p9_req *req, struct p9_node *dir, const char *name, int fd,
		  struct p9_node **node, struct statx *stx)
{
	int path = p9_reopen(req, dir->fs, fd, O_PATH);

	if (path < 0)
		return path;
	return enter_fd(req, dir, name, path, dir->fs, node, stx);
}

int p9_node_check(struct p9_req *req, const struct p9_node *node, const struct p9_node *dir,
		  const char *name)
{
	struct statx stx;
	int err = p9_statx(req, dir->fs, dir->fd, name, &stx);

	if (err)
		return err;
	return p9_stx_dev(&stx) == node->fs->dev && stx.stx_ino == node->ino ? 0 : -ENOENT;
}

/* ---- the tree follows what happens ---- */

void p9_node_removed(struct p9_req *req, struct p9_node *dir, const char *name)
{
	struct p9_share *share = p9_req_share(req);
	struct p9_node *node;

	pthread_mutex_lock(&share->lock);
	node = find(share, dir, name);
	if (node)
		displace(share, node);
	pthread_mutex_unlock(&share->lock);
}

/*
 * Whether dir is node or below it, in the remembered tree. The host may have moved folders about,
 * so that a rename which it allows would close a ring here.
 */
static bool is_below(const struct p9_node *dir, const struct p9_node *node)
{
	for (; dir; dir = dir->parent)
		if (dir == node)
			return true;
	return false;
}

/*
 * Puts node elsewhere; the share's lock is held. Swaps *name for the old name and returns the
 * parent that has lost a reference, NULL if node could only be taken out.
 */
static struct p9_node *move(struct p9_share *share, struct p9_node *node, struct p9_node *newdir,
			    char **name)
{
	struct p9_node *there = find(share, newdir, *name);
	struct p9_node *parent = node->parent;
	char *old = node->name;

	if (there)
		displace(share, there);
	displace(share, node);
	if (is_below(newdir, node))
		return NULL;
	newdir->refs++;
	node->parent = newdir;
	node->name = *name;
	*name = old;
	insert(share, node);
	return parent;
}

void p9_node_renamed(struct p9_req *req, struct p9_node *olddir, const char *oldname,
		     struct p9_node *newdir, const char *newname)
{
	struct p9_share *share = p9_req_share(req);
	struct p9_node *node, *parent = NULL;
	char *name = strdup(newname);
	bool there;

	pthread_mutex_lock(&share->lock);
	node = find(share, olddir, oldname);
	if (node)
		node->refs++;
	pthread_mutex_unlock(&share->lock);
	if (!node) {
		p9_node_removed(req, newdir, newname);
		goto out;
	}
	/*
	 * Was it really this file? And two names of one file are left both where they are: such a
	 * rename does nothing.
	 */
	there = !p9_node_check(req, node, newdir, newname);
	if (there && !S_ISDIR(node->type) && !p9_node_check(req, node, olddir, oldname))
		goto out_put;
	pthread_mutex_lock(&share->lock);
	if (node->placed && node->parent == olddir && !strcmp(node->name, oldname)) {
		if (there && name)
			parent = move(share, node, newdir, &name);
		else
			displace(share, node);
	}
	pthread_mutex_unlock(&share->lock);
	p9_node_put(share, req, parent);
out_put:
	p9_node_put(share, req, node);
out:
	free(name);
}

/* ---- shares ---- */

int p9_share_open(struct p9_share **out, struct p9_server *server, const char *path,
		  unsigned int flags)
{
	struct p9_share *share = calloc(1, sizeof(*share));
	struct p9_node *root = calloc(1, sizeof(*root));
	struct statfs sfs;
	struct stat st;
	int err = -ENOMEM;
	int fd = -1;

	if (!share || !root)
		goto out_free;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || fstatfs(fd, &sfs)) {
		err = -errno;
		goto out_free;
	}
	root->fs = p9_fs_get(server, st.st_dev, p9_fs_classify((uint64_t)sfs.f_type));
	if (!root->fs)
		goto out_free;
	root->refs = 1;
	root->fd = fd;
	root->ino = st.st_ino;
	root->type = S_IFDIR;
	atomic_init(&share->refs, 1);
	share->server = server;
	share->flags = flags;
	share->root = root;
	pthread_mutex_init(&share->lock, NULL);
	*out = share;
	return 0;

out_free:
	if (fd >= 0)
		close(fd);
	free(root);
	free(share);
	return err;
}

void p9_share_put(struct p9_share *share)
{
	if (!share || atomic_fetch_sub(&share->refs, 1) > 1)
		return;
	p9_node_put(share, NULL, share->root);
	pthread_mutex_destroy(&share->lock);
	free(share);
}
