// SPDX-License-Identifier: MIT
/* Treaddir. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ninep/msg.h"

#define DIRENTS_MAX (64u << 10)
/* getdents64() says EINVAL if not one entry fits; the longest name is 255 bytes. */
#define DIRENTS_MIN 280u

/*
 * The qid of an entry. What is a mount point, or on a file system that lies about d_ino, has
 * another one when it is walked to. `..` is the remembered parent, "." the folder itself.
 */
static int entry_qid(struct p9_req *req, struct p9_fid *fid, struct dirent64 *entry,
		     struct p9_qid *qid)
{
	struct p9_share *share = p9_req_share(req);
	struct p9_node *node = fid->node;
	struct statx stx;
	int err;

	*qid = (struct p9_qid){0};
	if (!strcmp(entry->d_name, "..")) {
		node = node == fid->root ? p9_node_get(node) : p9_node_parent(share, node);
		entry->d_type = DT_DIR;
		err = p9_node_qid_path(req, node->fs, node->ino, &qid->path);
		p9_node_put(share, req, node);
	} else if (!strcmp(entry->d_name, ".")) {
		entry->d_type = DT_DIR;
		err = p9_node_qid_path(req, node->fs, node->ino, &qid->path);
	} else {
		if (entry->d_type == DT_UNKNOWN &&
		    !p9_statx(req, node->fs, node->fd, entry->d_name, &stx))
			entry->d_type = (unsigned char)IFTODT(stx.stx_mode);
		/* What a mapped plain file is, its attributes say: who wants to know asks for it. */
		if (share->config.model == P9_MODEL_MAPPED && entry->d_type == DT_REG)
			entry->d_type = DT_UNKNOWN;
		err = p9_node_qid_path(req, node->fs, entry->d_ino, &qid->path);
	}
	qid->type = entry->d_type == DT_DIR ? P9_QTDIR : entry->d_type == DT_LNK ? P9_QTSYMLINK : 0;
	return err;
}

/*
 * size[4] Treaddir tag[2] fid[4] offset[8] count[4];
 * Rreaddir count[4] count*(qid[13] offset[8] type[1] name[s])
 *
 * An entry's offset is the host's d_off, untouched, and where to go on from. Entries that do not
 * fit are left; the next Treaddir asks for them again.
 */
int p9_t_readdir(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint64_t off = p9_get64(&req->in);
	uint32_t count = p9_get32(&req->in);
	struct p9_out *out = &req->out;
	struct dirent64 *entry;
	struct p9_fid *fid;
	struct p9_qid qid;
	char *buf = NULL;
	size_t start, len;
	ssize_t n;
	uint32_t put;
	int err = p9_get_end(&req->in);

	if (!err)
		err = p9_fid_get(req, num, &fid);
	if (err)
		return err;
	err = fid->fd < 0 ? -EBADF : S_ISDIR(fid->node->type) ? 0 : -ENOTDIR;
	if (!err && off > INT64_MAX)
		err = -EINVAL;
	if (err)
		goto out;
	p9_put32(out, 0);
	start = p9_out_len(out);
	p9_out_limit(out, count);

	/* An entry grows by up to a sixth from the host's form to ours. */
	len = p9_out_room(out) - p9_out_room(out) / 7;
	len = len > DIRENTS_MAX ? DIRENTS_MAX : len < DIRENTS_MIN ? DIRENTS_MIN : len;
	err = -ENOMEM;
	buf = malloc(len);
	if (!buf)
		goto out;
	n = p9_getdents(req, fid->node->fs, fid->fd, &fid->dirpos, (int64_t)off, buf, len);
	err = n < 0 ? (int)n : 0;
	if (err)
		goto out;
	for (ssize_t i = 0; i < n; i += entry->d_reclen) {
		entry = (struct dirent64 *)(void *)(buf + i);
		if (p9_out_room(out) < P9_DIRENT_SIZE + strlen(entry->d_name))
			break;
		err = entry_qid(req, fid, entry, &qid);
		if (err)
			goto out;
		p9_put_qid(out, &qid);
		p9_put64(out, (uint64_t)entry->d_off);
		p9_put8(out, entry->d_type);
		p9_put_string(out, entry->d_name);
	}
	/* Nothing would mean the end of the folder. */
	if (n && p9_out_len(out) == start)
		err = -EINVAL;
	put = htole32((uint32_t)(p9_out_len(out) - start));
	p9_put_at(req, P9_HEADER, &put, sizeof(put));
out:
	free(buf);
	p9_fid_put(req, fid);
	return err;
}
