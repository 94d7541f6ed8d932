/* SPDX-License-Identifier: MIT */
/* Extended attributes as fids: read whole at Txattrwalk, set whole at Tclunk. */
#ifndef NINEP_XATTR_H
#define NINEP_XATTR_H

#include "ninep/fid.h"
#include "ninep/session.h"

void p9_xattr_free(struct p9_session *session, struct p9_xattr *xattr);
/* Tclunk: sets or removes it, as the fid's user. Waits. EINVAL: not all of it was written. */
int p9_xattr_apply(struct p9_req *req, struct p9_fid *fid);
/* Tread of an attribute: puts the reply. EINVAL: it is to be set. */
int p9_xattr_read(struct p9_req *req, const struct p9_fid *fid, uint64_t off, uint32_t count);
/* Twrite: puts the reply. EINVAL: it is not to be set, or the write leaves a gap; ENOSPC. */
int p9_xattr_write(struct p9_req *req, struct p9_fid *fid, uint64_t off, uint32_t count);

#endif
