// SPDX-License-Identifier: MIT
#include "ninep/owner.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>

#include "ninep/io.h"
#include "ninep/server.h"
#include "ninep/session.h"

/* Whom an id that is not in the table is shown as: Linux's own overflow id. */
#define NOBODY 65534u

static const struct p9_share_config *config_of(const struct p9_req *req)
{
	return &req->session->share->config;
}

static bool is_mapped(const struct p9_req *req)
{
	return config_of(req)->model == P9_MODEL_MAPPED;
}

/* ---- the table of ids ---- */

int p9_owner_to_host(const struct p9_idmap *map, uint32_t guest, uint32_t *host)
{
	for (unsigned int i = 0; i < map->n; i++) {
		const struct p9_id_range *r = &map->range[i];

		if (guest < r->guest || guest - r->guest >= r->count)
			continue;
		*host = r->host + (guest - r->guest);
		return 0;
	}
	if (!map->rest)
		return -EPERM;
	*host = guest;
	return 0;
}

static int from_host(const struct p9_idmap *map, uint32_t host, uint32_t *guest)
{
	uint32_t back;

	for (unsigned int i = 0; i < map->n; i++) {
		const struct p9_id_range *r = &map->range[i];

		if (host < r->host || host - r->host >= r->count)
			continue;
		*guest = r->guest + (host - r->host);
		return 0;
	}
	/* As it is, unless that is somebody else in the guest. */
	*guest = host;
	return map->rest && !p9_owner_to_host(map, host, &back) && back == host ? 0 : -EPERM;
}

uint32_t p9_owner_to_guest(const struct p9_idmap *map, uint32_t host)
{
	uint32_t guest;

	return from_host(map, host, &guest) ? NOBODY : guest;
}

/* ---- who ---- */

/* Nobody in particular is the guest's root where a table says what that is: never the server itself. */
static uint32_t guest_uid(const struct p9_req *req, uint32_t uid)
{
	return uid == P9_NONUNAME && config_of(req)->model == P9_MODEL_IDMAP ? 0 : uid;
}

/* Whether the guest's root is this file's root, too. */
static bool has_ids(const struct p9_req *req, const struct statx *stx)
{
	const struct p9_share_config *config = config_of(req);
	uint32_t id;

	return !from_host(&config->uids, stx->stx_uid, &id) &&
	       !from_host(&config->gids, stx->stx_gid, &id);
}

static bool is_roots(struct p9_req *req, const struct p9_node *node)
{
	struct statx stx;

	return !p9_host_statx(req, node->fs, node->fd, "", &stx) && has_ids(req, &stx);
}

void p9_owner_act(struct p9_req *req, uint32_t uid, const struct p9_node *node)
{
	const struct p9_share_config *config = config_of(req);
	uint32_t host = uid;

	req->who = (struct p9_who){.uid = P9_OWN};
	uid = guest_uid(req, uid);
	if (!p9_req_server(req)->identities || uid == P9_NONUNAME || is_mapped(req))
		return;
	if (config->model == P9_MODEL_IDMAP && p9_owner_to_host(&config->uids, uid, &host))
		host = NOBODY;
	if (host == p9_req_server(req)->own.uid)
		return;
	if (config->model == P9_MODEL_IDMAP)
		req->lesser = req->lesser || uid || !is_roots(req, node);
	req->who = (struct p9_who){
		.uid = host,
		.gid = p9_identity_group(host),
		.over = !uid && config->model == P9_MODEL_IDMAP && !req->lesser,
	};
}

void p9_owner_act_on(struct p9_req *req, uint32_t uid, const struct p9_node *node)
{
	req->lesser = false;
	p9_owner_act(req, uid, node);
}

void p9_owner_act_move(struct p9_req *req, const struct p9_node *dir, const char *name)
{
	struct statx stx;

	if (req->who.over && !p9_host_statx(req, dir->fs, dir->fd, name, &stx) &&
	    S_ISDIR(stx.stx_mode) && !has_ids(req, &stx))
		req->who.over = false;
}

int p9_owner_act_create(struct p9_req *req, uint32_t uid, uint32_t gid)
{
	const struct p9_share_config *config = config_of(req);
	const struct p9_server *server = p9_req_server(req);
	uint32_t host;

	uid = guest_uid(req, uid);
	if (!server->identities || uid == P9_NONUNAME || is_mapped(req))
		return 0;
	if (config->model == P9_MODEL_IDMAP &&
	    (p9_owner_to_host(&config->uids, uid, &host) ||
	     p9_owner_to_host(&config->gids, gid, &gid)))
		return -EPERM;
	/* The process's own, and in no other group: keeps its own groups. */
	if (req->who.uid == P9_OWN && gid == server->own.gid)
		return 0;
	if (req->who.uid == P9_OWN)
		req->who.uid = server->own.uid;
	req->who.gid = gid;
	return 0;
}

/* ---- attributes that say whose a file is ---- */

static const struct {
	const char *name;
	unsigned int bit;
	size_t size;
} attributes[] = {
	{"user.virtfs.uid", P9_CRED_UID, 4},
	{"user.virtfs.gid", P9_CRED_GID, 4},
	{"user.virtfs.mode", P9_CRED_MODE, 4},
	{"user.virtfs.rdev", P9_CRED_RDEV, 8},
};
#define ATTRIBUTES (sizeof(attributes) / sizeof(*attributes))

static uint32_t *small_field(struct p9_creds *creds, unsigned int bit)
{
	return bit == P9_CRED_UID ? &creds->uid : bit == P9_CRED_GID ? &creds->gid : &creds->mode;
}

/* The path of an operation's file; a name's last step is not followed, nor is a descriptor's. */
struct place {
	char path[32 + P9_NAME_LEN];
	bool named;
};

static struct place place_of(const struct p9_io *io)
{
	struct place place = {.named = *io->name};

	snprintf(place.path, sizeof(place.path), place.named ? "/proc/self/fd/%d/%s" : "/proc/self/fd/%d",
		 io->fd, io->name);
	return place;
}

/* What cannot be read is as if it were not there: the host's own then shows. */
static void get_creds(const struct place *place, struct p9_creds *creds)
{
	creds->set = 0;
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		unsigned int bit = attributes[i].bit;
		size_t size = attributes[i].size;
		uint64_t value = 0;
		ssize_t n;

		/* Only a device has a number. */
		if (bit == P9_CRED_RDEV && !((creds->set & P9_CRED_MODE) &&
					     (S_ISCHR(creds->mode) || S_ISBLK(creds->mode))))
			continue;
		n = (place->named ? lgetxattr : getxattr)(place->path, attributes[i].name, &value, size);
		if (n < 0 && errno != ENODATA)
			creds->set |= P9_CRED_UNSURE;
		if (n != (ssize_t)size)
			continue;
		creds->set |= bit;
		if (bit == P9_CRED_RDEV)
			creds->rdev = le64toh(value);
		else
			*small_field(creds, bit) = (uint32_t)le64toh(value);
	}
}

static int set_creds(const struct place *place, struct p9_creds *creds)
{
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		unsigned int bit = attributes[i].bit;
		uint64_t value;

		if (!(creds->set & bit))
			continue;
		value = htole64(bit == P9_CRED_RDEV ? creds->rdev : *small_field(creds, bit));
		if ((place->named ? lsetxattr : setxattr)(place->path, attributes[i].name, &value,
							  attributes[i].size, 0))
			return -1;
	}
	return 0;
}

int p9_owner_possible(int dirfd)
{
	const struct place place = place_of(&(struct p9_io){.fd = dirfd, .name = ""});

	return getxattr(place.path, attributes[0].name, NULL, 0) < 0 && errno == EOPNOTSUPP ? -EOPNOTSUPP
											     : 0;
}

long p9_owner_call(const struct p9_io *io)
{
	const struct place place = place_of(io);

	if (io->op == P9_IO_SET_CREDS)
		return set_creds(&place, io->creds);
	get_creds(&place, io->creds);
	return 0;
}

static int creds_io(enum p9_op op, struct p9_req *req, struct p9_fs *fs, int fd, const char *name,
		    struct p9_creds *creds)
{
	struct p9_io io = {
		.op = op,
		.fs = fs,
		.who = {.uid = P9_OWN},
		.fd = fd,
		.name = name,
		.creds = creds,
	};

	return (int)p9_await(req, &io);
}

static bool has_setid(uint32_t mode)
{
	return S_ISREG(mode) && ((mode & S_ISUID) || (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP));
}

/* ---- new files ---- */

uint32_t p9_owner_new_mode(const struct p9_req *req, uint32_t mode)
{
	const struct p9_share_config *config = config_of(req);

	if (!is_mapped(req))
		return mode;
	if (S_ISDIR(mode))
		return config->dmode ?: 0700;
	return S_IFREG | (config->fmode ?: 0600);
}

int p9_owner_made(struct p9_req *req, struct p9_fs *fs, int fd, const char *name, uint32_t uid,
		  uint32_t gid, uint32_t mode, uint64_t rdev)
{
	struct p9_creds creds = {
		.set = P9_CRED_MODE,
		.uid = uid,
		.gid = gid,
		.mode = mode,
		.rdev = rdev,
	};

	if (!is_mapped(req))
		return 0;
	if (uid != P9_NONUNAME)
		creds.set |= P9_CRED_UID;
	if (gid != P9_NONUNAME)
		creds.set |= P9_CRED_GID;
	/* As QEMU does, of fifos, sockets and files too. */
	if (rdev != P9_NO_RDEV)
		creds.set |= P9_CRED_RDEV;
	return creds_io(P9_IO_SET_CREDS, req, fs, fd, name, &creds);
}

/* A plain file that holds the target. */
int p9_owner_symlink(struct p9_req *req, const struct p9_node *dir, const char *name,
		     const char *target)
{
	const struct iovec iov = {.iov_base = (char *)target, .iov_len = strlen(target)};
	const struct p9_pieces data = {.iov = &iov, .n = 1, .len = iov.iov_len};
	ssize_t n;
	int fd, err;

	if (!is_mapped(req))
		return p9_symlinkat(req, dir->fs, target, dir->fd, name);
	fd = p9_open(req, dir->fs, dir->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
		     p9_owner_new_mode(req, S_IFLNK) & 07777,
		     RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return fd;
	n = p9_writev(req, dir->fs, fd, &data, 0, 0);
	err = p9_close(req, dir->fs, fd, true);
	if (n != (ssize_t)iov.iov_len)
		err = n < 0 ? (int)n : -ENOSPC;
	if (err)
		p9_unlinkat(req, dir->fs, dir->fd, name, 0);
	return err;
}

ssize_t p9_owner_readlink(struct p9_req *req, const struct p9_node *node, char *buf, size_t len)
{
	const struct iovec iov = {.iov_base = buf, .iov_len = len};
	const struct p9_pieces data = {.iov = &iov, .n = 1, .len = len};
	ssize_t n = p9_readlink(req, node->fs, node->fd, buf, len);
	int fd;

	/* The host's own symbolic links are links in a mapped share, too. */
	if (!is_mapped(req) || (n != -ENOENT && n != -EINVAL))
		return n;
	fd = p9_reopen(req, node->fs, node->fd, O_RDONLY);
	if (fd < 0)
		return fd;
	n = p9_readv(req, node->fs, fd, &data, 0, 0);
	p9_close(req, node->fs, fd, false);
	return n;
}

/* ---- files that are there ---- */

/* A folder is a folder, and nothing else can be one; the rest the attribute decides. */
static uint16_t shown_mode(uint16_t host, uint32_t mode)
{
	bool kind = S_ISREG(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) ||
		    S_ISFIFO(mode) || S_ISSOCK(mode);

	if (S_ISREG(host) && kind)
		return (uint16_t)mode;
	return (uint16_t)((host & S_IFMT) | (mode & 07777));
}

static void apply(const struct p9_creds *creds, struct statx *stx)
{
	if (creds->set & P9_CRED_UID)
		stx->stx_uid = creds->uid;
	if (creds->set & P9_CRED_GID)
		stx->stx_gid = creds->gid;
	if (creds->set & P9_CRED_MODE)
		stx->stx_mode = shown_mode(stx->stx_mode, creds->mode);
	if (creds->set & P9_CRED_RDEV) {
		stx->stx_rdev_major = major(creds->rdev);
		stx->stx_rdev_minor = minor(creds->rdev);
	}
}

/*
 * Setting an attribute sets ctime to now. So whoever looks at a file whose ctime is past, by more
 * than a file system's clock is coarse, will see another one after any change: what he reads then
 * holds until that.
 */
#define COARSEST 1 /* second */

static bool is_past(const struct p9_fs *fs, const struct statx *stx)
{
	struct timespec now;

	if (!fs || fs->class == P9_FS_OTHER)
		return false;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return stx->stx_ctime.tv_sec < now.tv_sec - COARSEST;
}

/* In a mapped share. stx was asked for before. */
static void look(struct p9_req *req, struct p9_fs *fs, int fd, const char *name,
		 const struct statx *stx, struct p9_seen_creds *seen)
{
	bool past = is_past(fs, stx);

	*seen = (struct p9_seen_creds){.ctime = stx->stx_ctime};
	seen->holds = !creds_io(P9_IO_GET_CREDS, req, fs, fd, name, &seen->creds) && past &&
		      !(seen->creds.set & P9_CRED_UNSURE);
}

static void show_ids(const struct p9_req *req, struct statx *stx)
{
	const struct p9_share_config *config = config_of(req);

	if (config->model == P9_MODEL_IDMAP) {
		stx->stx_uid = p9_owner_to_guest(&config->uids, stx->stx_uid);
		stx->stx_gid = p9_owner_to_guest(&config->gids, stx->stx_gid);
	}
}

void p9_owner_show(struct p9_req *req, struct p9_fs *fs, int fd, const char *name,
		   struct statx *stx)
{
	struct p9_seen_creds seen;

	show_ids(req, stx);
	if (!is_mapped(req))
		return;
	look(req, fs, fd, name, stx, &seen);
	apply(&seen.creds, stx);
}

void p9_owner_show_new(struct p9_req *req, struct p9_fs *fs, int fd, struct statx *stx,
		       struct p9_seen_creds *seen)
{
	seen->holds = false;
	show_ids(req, stx);
	if (!is_mapped(req))
		return;
	look(req, fs, fd, "", stx, seen);
	apply(&seen->creds, stx);
}

void p9_owner_show_node(struct p9_req *req, struct p9_node *node, int fd, struct statx *stx)
{
	struct p9_share *share = p9_req_share(req);
	struct p9_seen_creds seen;

	show_ids(req, stx);
	if (!is_mapped(req))
		return;
	pthread_mutex_lock(&share->lock);
	seen = node->seen_creds;
	pthread_mutex_unlock(&share->lock);
	if (!seen.holds || seen.ctime.tv_sec != stx->stx_ctime.tv_sec ||
	    seen.ctime.tv_nsec != stx->stx_ctime.tv_nsec) {
		look(req, node->fs, fd, "", stx, &seen);
		p9_owner_remember(req, node, &seen);
	}
	apply(&seen.creds, stx);
}

void p9_owner_remember(struct p9_req *req, struct p9_node *node, const struct p9_seen_creds *seen)
{
	struct p9_share *share = p9_req_share(req);

	if (!seen->holds)
		return;
	pthread_mutex_lock(&share->lock);
	node->seen_creds = *seen;
	pthread_mutex_unlock(&share->lock);
}

/* Of a mapped file: sets what creds has, and takes set-user-id bits away. */
static int change_creds(struct p9_req *req, const struct p9_node *node, struct p9_creds *creds)
{
	struct p9_creds old = {0};
	int err = creds_io(P9_IO_GET_CREDS, req, node->fs, node->fd, "", &old);

	if (!err && (old.set & P9_CRED_MODE) && has_setid(old.mode)) {
		creds->set |= P9_CRED_MODE;
		creds->mode = old.mode & ~(uint32_t)S_ISUID;
		if (old.mode & S_IXGRP)
			creds->mode &= ~(uint32_t)S_ISGID;
	}
	if (!err && creds->set)
		err = creds_io(P9_IO_SET_CREDS, req, node->fs, node->fd, "", creds);
	return err;
}

int p9_owner_chown(struct p9_req *req, struct p9_node *node, uint32_t uid, uint32_t gid)
{
	const struct p9_share_config *config = config_of(req);
	struct p9_creds creds = {.uid = uid, .gid = gid};
	int err = 0;

	switch (config->model) {
	case P9_MODEL_MAPPED:
		if (uid != (uint32_t)-1)
			creds.set |= P9_CRED_UID;
		if (gid != (uint32_t)-1)
			creds.set |= P9_CRED_GID;
		return change_creds(req, node, &creds);
	case P9_MODEL_IDMAP:
		if (uid != (uint32_t)-1)
			err = p9_owner_to_host(&config->uids, uid, &uid);
		if (!err && gid != (uint32_t)-1)
			err = p9_owner_to_host(&config->gids, gid, &gid);
		return err ?: p9_chown(req, node->fs, node->fd, uid, gid);
	case P9_MODEL_NONE:
		err = p9_chown(req, node->fs, node->fd, uid, gid);
		/* The second, of an id that the server's user namespace does not have. */
		return err == -EPERM || err == -EINVAL ? 0 : err;
	default:
		return p9_chown(req, node->fs, node->fd, uid, gid);
	}
}

int p9_owner_chmod(struct p9_req *req, struct p9_node *node, uint32_t mode)
{
	struct p9_creds creds = {.set = P9_CRED_MODE, .mode = node->type | mode};

	if (!is_mapped(req))
		return p9_chmod(req, node->fs, node->fd, mode);
	p9_owner_seen(node, creds.mode);
	return creds_io(P9_IO_SET_CREDS, req, node->fs, node->fd, "", &creds);
}

void p9_owner_seen(struct p9_node *node, uint32_t mode)
{
	if (has_setid(mode))
		atomic_store(&node->setid, true);
}

int p9_owner_write(struct p9_req *req, const struct p9_fid *fid)
{
	struct p9_creds creds = {0};
	int err;

	if (!is_mapped(req) || !fid->uid || fid->uid == P9_NONUNAME ||
	    !atomic_load(&fid->node->setid))
		return 0;
	err = change_creds(req, fid->node, &creds);
	if (!err)
		atomic_store(&fid->node->setid, false);
	return err;
}
