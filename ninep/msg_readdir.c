// SPDX-License-Identifier: MIT
/* Treaddir. */
#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "ninep/msg.h"

/* getdents64() says EINVAL if not one entry fits; the longest name is 255 bytes. */
#define DIRENTS_MIN 280u
/* So much is begun for a further round: all that is read then will fit. */
#define ROOM_MIN (DIRENTS_MIN * 7 / 6 + 1)
/* More in one reply would keep others waiting for long. */
#define REPLY_MAX (64u << 10)

_Static_assert(offsetof(struct p9_req, t_buf) % _Alignof(struct dirent64) == 0,
	       "a buffer for these");

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

/* An entry of the reply, but for its name. */
struct wire_dirent {
	uint8_t qid_type;
	uint32_t qid_version;
	uint64_t qid_path;
	uint64_t offset;
	uint8_t type;
	uint16_t name_len;
} __attribute__((packed));

_Static_assert(sizeof(struct wire_dirent) == P9_DIRENT_SIZE, "as the protocol has it");

static void put_entry(struct p9_out *out, const struct p9_qid *qid, const struct dirent64 *entry,
		      size_t name_len)
{
	const struct wire_dirent wire = {
		.qid_type = qid->type,
		.qid_version = htole32(qid->version),
		.qid_path = htole64(qid->path),
		.offset = htole64((uint64_t)entry->d_off),
		.type = entry->d_type,
		.name_len = htole16((uint16_t)name_len),
	};

	p9_put(out, &wire, sizeof(wire));
	p9_put(out, entry->d_name, name_len);
}

/*
 * Entries from *off on, as many as the buffer holds, and moves *off on. 1: there may be more;
 * -EINVAL: the next one does not fit.
 */
static int put_entries(struct p9_req *req, struct p9_fid *fid, int64_t *off)
{
	/* The T-message has been read. */
	char *buf = (char *)req->t_buf;
	struct p9_out *out = &req->out;
	struct dirent64 *entry;
	struct p9_qid qid;
	bool all = true;
	size_t len;
	ssize_t n;

	/* An entry grows by up to a sixth from the host's form to ours. */
	len = p9_out_room(out) - p9_out_room(out) / 7;
	len = len > sizeof(req->t_buf) ? sizeof(req->t_buf) : len < DIRENTS_MIN ? DIRENTS_MIN : len;
	n = p9_getdents(req, fid->node->fs, fid->fd, &fid->dirpos, *off, buf, len);
	if (n <= 0)
		return (int)n;
	for (ssize_t i = 0; i < n; i += entry->d_reclen) {
		size_t name_len;
		int err;

		entry = (struct dirent64 *)(void *)(buf + i);
		if (p9_is_hidden(fid->node, entry->d_name)) {
			*off = entry->d_off;
			all = false;
			continue;
		}
		name_len = strlen(entry->d_name);
		if (p9_out_room(out) < P9_DIRENT_SIZE + name_len)
			return -EINVAL;
		err = entry_qid(req, fid, entry, &qid);
		if (err)
			return err;
		put_entry(out, &qid, entry, name_len);
		*off = entry->d_off;
	}
	/* Where something was left out, nothing in a reply does not mean the end. */
	return !all || (size_t)n + DIRENTS_MIN > len;
}

/*
 * size[4] Treaddir tag[2] fid[4] offset[8] count[4];
 * Rreaddir count[4] count*(qid[13] offset[8] type[1] name[s])
 *
 * An entry's offset is the host's d_off, untouched, and where to go on from.
 */
int p9_t_readdir(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint64_t off = p9_get64(&req->in);
	uint32_t count = p9_get32(&req->in);
	struct p9_out *out = &req->out;
	struct p9_fid *fid;
	size_t start;
	int64_t at;
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
	p9_out_limit(out, count < REPLY_MAX ? count : REPLY_MAX);
	at = (int64_t)off;
	do {
		err = put_entries(req, fid, &at);
	} while (err > 0 && p9_out_room(out) > ROOM_MIN);
	/* What is wrong behind some entries, the next Treaddir will hear. */
	if (p9_out_len(out) > start)
		err = 0;
	put = htole32((uint32_t)(p9_out_len(out) - start));
	p9_put_at(req, P9_HEADER, &put, sizeof(put));
out:
	p9_fid_put(req, fid);
	return err;
}
