/* SPDX-License-Identifier: MIT */
/*
 * The messages: one function each, which reads the T-message from req->in, does it, and puts the
 * R-message's body into req->out (its header comes by itself). A negative errno becomes Rlerror;
 * the body is thrown away then. They run on the request's coroutine, and there is room for the
 * smallest reply before they begin.
 */
#ifndef NINEP_MSG_H
#define NINEP_MSG_H

#include "ninep/fid.h"
#include "ninep/io.h"
#include "ninep/proto.h"
#include "ninep/session.h"
#include "ninep/wire.h"

int p9_t_version(struct p9_req *req);
int p9_t_auth(struct p9_req *req);
int p9_t_attach(struct p9_req *req);
int p9_t_flush(struct p9_req *req);
int p9_t_clunk(struct p9_req *req);
int p9_t_walk(struct p9_req *req);
int p9_t_xattrwalk(struct p9_req *req);
int p9_t_xattrcreate(struct p9_req *req);
int p9_t_lock(struct p9_req *req);
int p9_t_getlock(struct p9_req *req);
int p9_t_getattr(struct p9_req *req);
int p9_t_setattr(struct p9_req *req);
int p9_t_statfs(struct p9_req *req);
int p9_t_lopen(struct p9_req *req);
int p9_t_lcreate(struct p9_req *req);
int p9_t_read(struct p9_req *req);
int p9_t_write(struct p9_req *req);
int p9_t_fsync(struct p9_req *req);
int p9_t_readdir(struct p9_req *req);
int p9_t_readlink(struct p9_req *req);
int p9_t_mkdir(struct p9_req *req);
int p9_t_symlink(struct p9_req *req);
int p9_t_mknod(struct p9_req *req);
int p9_t_link(struct p9_req *req);
int p9_t_rename(struct p9_req *req);
int p9_t_renameat(struct p9_req *req);
int p9_t_unlinkat(struct p9_req *req);
int p9_t_remove(struct p9_req *req);

/* 0, or EROFS on a read-only share: before any change. */
int p9_may_change(const struct p9_req *req);
/* Writes bytes into the reply at an offset that was passed already. */
void p9_put_at(struct p9_req *req, size_t at, const void *data, size_t len);

#endif
