/* SPDX-License-Identifier: MIT */
/*
 * Ownership models: who a guest's user is on the host, what a new file gets, and what the guest is
 * told of a file's owner, group, mode and device number. See docs/permissions.md.
 *
 * P9_MODEL_MAPPED keeps these in attributes user.virtfs.{uid,gid,mode,rdev} of files that belong to
 * the server (little-endian u32, u32, u32, u64; the form is QEMU's, so a share can go back and
 * forth). Symbolic links and special files are plain files to the host there.
 *
 * Where nothing else is said: 0 or a negative errno, and they wait.
 */
#ifndef NINEP_OWNER_H
#define NINEP_OWNER_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "ninep/creds.h"
#include "ninep/fid.h"
#include "ninep/node.h"

struct p9_io;
struct p9_req;

/* ---- who ---- */

/*
 * The request acts as 9P's user uid from now on, on a node that is held. With a table the guest's
 * root has root's rights over files whose owner and group are in it, as in a user namespace: so over
 * all nodes that the request is about, or none.
 */
void p9_owner_act(struct p9_req *req, uint32_t uid, const struct p9_node *node);
/* The same for this node alone. */
void p9_owner_act_on(struct p9_req *req, uint32_t uid, const struct p9_node *node);
/* After that, about to move name out of dir: a folder's `..` is its own to change. */
void p9_owner_act_move(struct p9_req *req, const struct p9_node *dir, const char *name);
/*
 * After that, about to create something in gid. -EPERM: there are no such ids on the host. Does not
 * wait.
 */
int p9_owner_act_create(struct p9_req *req, uint32_t uid, uint32_t gid);

/* ---- new files ---- */

/* The mode that something new has on the host; the guest asked for mode, with its type. */
uint32_t p9_owner_new_mode(const struct p9_req *req, uint32_t mode);
/* Made otherwise than by Tmknod. */
#define P9_NO_RDEV UINT64_MAX
/*
 * What was just made, at name in fd or behind fd itself if name is "", is uid's and gid's. If that
 * fails the caller has to take it away again.
 */
int p9_owner_made(struct p9_req *req, struct p9_fs *fs, int fd, const char *name, uint32_t uid,
		  uint32_t gid, uint32_t mode, uint64_t rdev);
/* symlink(2) and readlink(2), each as the model has it; p9_owner_made() follows the first. */
int p9_owner_symlink(struct p9_req *req, const struct p9_node *dir, const char *name,
		     const char *target);
ssize_t p9_owner_readlink(struct p9_req *req, const struct p9_node *node, char *buf, size_t len);

/* ---- files that are there ---- */

/* Turns what the host says of a file (name in fd, or "") into what the guest is told. */
void p9_owner_show(struct p9_req *req, struct p9_fs *fs, int fd, const char *name,
		   struct statx *stx);
/* The same of a descriptor, and what may be remembered of it. */
void p9_owner_show_new(struct p9_req *req, struct p9_fs *fs, int fd, struct statx *stx,
		       struct p9_seen_creds *seen);
/* The same of a node's, by what is remembered if that still holds. */
void p9_owner_show_node(struct p9_req *req, struct p9_node *node, int fd, struct statx *stx);
/* Remembers it. Does not wait. */
void p9_owner_remember(struct p9_req *req, struct p9_node *node, const struct p9_seen_creds *seen);
/* A file's mode, as the guest knows it, came by: what p9_owner_write() goes by. Does not wait. */
void p9_owner_seen(struct p9_node *node, uint32_t mode);
/* (uint32_t)-1: leave it. */
int p9_owner_chown(struct p9_req *req, struct p9_node *node, uint32_t uid, uint32_t gid);
int p9_owner_chmod(struct p9_req *req, struct p9_node *node, uint32_t mode);
/*
 * Somebody is about to write to a file: takes set-user-id bits away where the host does not know of
 * them.
 */
int p9_owner_write(struct p9_req *req, const struct p9_fid *fid);

/* ---- owner_xattr.c: attributes, as the guest names and knows them ---- */

ssize_t p9_owner_getxattr(struct p9_req *req, const struct p9_node *node, const char *name,
			  void *buf, size_t len);
ssize_t p9_owner_listxattr(struct p9_req *req, const struct p9_node *node, void *buf, size_t len);
/* value may be changed. */
int p9_owner_setxattr(struct p9_req *req, const struct p9_node *node, const char *name, void *value,
		      size_t len, unsigned int flags);
int p9_owner_removexattr(struct p9_req *req, const struct p9_node *node, const char *name);

/* By a share's table. -EPERM: it has no such id. Do not wait. */
int p9_owner_to_host(const struct p9_idmap *map, uint32_t guest, uint32_t *host);
/* The same, or nobody. */
uint32_t p9_owner_to_guest(const struct p9_idmap *map, uint32_t host);

/* A mapped share can be here; -EOPNOTSUPP: no user.* attributes. In place. */
int p9_owner_possible(int dirfd);
/* Carries out P9_IO_GET_CREDS and P9_IO_SET_CREDS: a result as a system call's, in place. */
long p9_owner_call(const struct p9_io *io);

#endif
