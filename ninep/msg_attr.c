// SPDX-License-Identifier: MIT
/* Tgetattr, Tsetattr, Tstatfs. */
#include <errno.h>
#include <fcntl.h>

#include "ninep/atime.h"
#include "ninep/msg.h"
#include "ninep/owner.h"
#include "ninep/refusal.h"

/* A device number as Linux writes it for others (new_encode_dev): twelve bits and twenty. */
static uint64_t encode_dev(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (uint64_t)(major & 0xfff) << 8 | (uint64_t)(minor & 0xfff00) << 12;
}

static void put_time(struct p9_out *out, const struct statx_timestamp *t)
{
	p9_put64(out, (uint64_t)t->tv_sec);
	p9_put64(out, t->tv_nsec);
}

/*
 * size[4] Tgetattr tag[2] fid[4] request_mask[8]; Rgetattr valid[8] qid[13] mode[4] uid[4] gid[4]
 * nlink[8] rdev[8] size[8] blksize[8] blocks[8] atime[16] mtime[16] ctime[16] btime[16] gen[8]
 * data_version[8]
 *
 * Whatever was asked for, all that the host says is sent, but for the time of birth; generation and
 * data version it does not.
 */
int p9_t_getattr(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint64_t mask = p9_get64(&req->in);
	struct p9_out *out = &req->out;
	struct p9_fid *fid;
	struct p9_qid qid;
	struct statx stx;
	int err = p9_get_end(&req->in);

	if (!err)
		err = p9_fid_get(req, num, &fid);
	if (err)
		return err;
	err = p9_node_statx(req, fid->node, fid->node->fd, mask & P9_STATS_BTIME, &stx);
	if (!err)
		err = p9_node_qid(req, fid->node, &stx, &qid);
	if (err)
		goto out;
	p9_owner_seen(fid->node, stx.stx_mode);
	p9_put64(out, P9_STATS_BASIC | (stx.stx_mask & STATX_BTIME ? P9_STATS_BTIME : 0));
	p9_put_qid(out, &qid);
	p9_put32(out, stx.stx_mode);
	p9_put32(out, stx.stx_uid);
	p9_put32(out, stx.stx_gid);
	p9_put64(out, stx.stx_nlink);
	p9_put64(out, encode_dev(stx.stx_rdev_major, stx.stx_rdev_minor));
	p9_put64(out, stx.stx_size);
	p9_put64(out, stx.stx_blksize);
	p9_put64(out, stx.stx_blocks);
	put_time(out, &stx.stx_atime);
	put_time(out, &stx.stx_mtime);
	put_time(out, &stx.stx_ctime);
	if (!(stx.stx_mask & STATX_BTIME))
		stx.stx_btime = (struct statx_timestamp){0};
	put_time(out, &stx.stx_btime);
	p9_put64(out, 0);
	p9_put64(out, 0);
out:
	p9_fid_put(req, fid);
	return err;
}

/* Through the fid's own descriptor if it is open for writing, since that needs no permission. */
static int set_size(struct p9_req *req, struct p9_fid *fid, uint64_t size)
{
	struct p9_node *node = fid->node;
	int fd, err;

	if (S_ISDIR(node->type))
		return -EISDIR;
	if (!S_ISREG(node->type) || size > INT64_MAX)
		return -EINVAL;
	if (fid->fd >= 0 && (fid->flags & P9_OPEN_ACCMODE)) {
		err = p9_ftruncate(req, node->fs, fid->fd, size);
	} else {
		fd = p9_reopen(req, node->fs, node->fd, O_WRONLY);
		if (fd < 0)
			return fd;
		err = p9_ftruncate(req, node->fs, fd, size);
		p9_close(req, node->fs, fd, true);
	}
	if (!err)
		p9_atime_written(node);
	return err;
}

static struct timespec time_to_set(uint32_t valid, uint32_t bit, uint32_t set_bit, uint64_t sec,
				   uint64_t nsec)
{
	if (!(valid & bit))
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	if (!(valid & set_bit))
		return (struct timespec){.tv_nsec = UTIME_NOW};
	return (struct timespec){.tv_sec = (time_t)sec, .tv_nsec = (long)nsec};
}

/* Nothing moves ctime alone but to set what is there already; a chown would clear set-user-id. */
static int touch_ctime(struct p9_req *req, const struct p9_node *node)
{
	struct timespec times[2] = {{0}, {.tv_nsec = UTIME_OMIT}};
	struct statx stx;
	int err = p9_host_statx(req, node->fs, node->fd, "", &stx);

	if (err)
		return err;
	times[0].tv_sec = stx.stx_atime.tv_sec;
	times[0].tv_nsec = stx.stx_atime.tv_nsec;
	return p9_utimes(req, node->fs, node->fd, times);
}

/*
 * size[4] Tsetattr tag[2] fid[4] valid[4] mode[4] uid[4] gid[4] size[8] atime[16] mtime[16];
 * Rsetattr
 *
 * A change of owner or size takes set-user-id bits away, so mode comes after them; a change of size
 * is a change of mtime, so times are last. ctime follows by itself.
 */
int p9_t_setattr(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint32_t valid = p9_get32(&req->in);
	uint32_t mode = p9_get32(&req->in);
	uid_t uid = p9_get32(&req->in);
	gid_t gid = p9_get32(&req->in);
	uint64_t size = p9_get64(&req->in);
	uint64_t atime = p9_get64(&req->in), atime_nsec = p9_get64(&req->in);
	uint64_t mtime = p9_get64(&req->in), mtime_nsec = p9_get64(&req->in);
	struct p9_node *node;
	struct p9_fid *fid;
	int err = p9_get_end(&req->in);

	if (!err && (atime_nsec > 999999999 || mtime_nsec > 999999999))
		err = -EINVAL;
	if (!err)
		err = p9_fid_get(req, num, &fid);
	if (err)
		return err;
	node = fid->node;
	/*
	 * The change of size sets mtime to now by itself. Asked for alone it would be the owner's
	 * privilege, and Linux's client asks for both when somebody truncates who may only write.
	 */
	if ((valid & P9_SET_SIZE) && !(valid & P9_SET_MTIME_SET))
		valid &= ~P9_SET_MTIME;

	if (valid & (P9_SET_UID | P9_SET_GID)) {
		err = p9_owner_chown(req, node, valid & P9_SET_UID ? uid : (uid_t)-1,
				     valid & P9_SET_GID ? gid : (gid_t)-1);
		if (p9_refused(req, P9_REFUSED_CHOWN, node, NULL, err))
			goto out;
	}
	if (valid & P9_SET_SIZE) {
		err = set_size(req, fid, size);
		if (err)
			goto out;
	}
	if (valid & P9_SET_MODE) {
		/* Linux has no mode of a symbolic link to set. */
		err = S_ISLNK(node->type) ? -EOPNOTSUPP
					  : p9_owner_chmod(req, node, mode & 07777);
		if (err)
			goto out;
	}
	if (valid & (P9_SET_ATIME | P9_SET_MTIME)) {
		const struct timespec times[2] = {
			time_to_set(valid, P9_SET_ATIME, P9_SET_ATIME_SET, atime, atime_nsec),
			time_to_set(valid, P9_SET_MTIME, P9_SET_MTIME_SET, mtime, mtime_nsec),
		};

		err = p9_utimes(req, node->fs, node->fd, times);
	} else if (valid == P9_SET_CTIME) {
		err = touch_ctime(req, node);
	}
out:
	p9_fid_put(req, fid);
	return err;
}

/*
 * size[4] Tstatfs tag[2] fid[4]; Rstatfs type[4] bsize[4] blocks[8] bfree[8] bavail[8] files[8]
 * ffree[8] fsid[8] namelen[4]
 */
int p9_t_statfs(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	struct p9_out *out = &req->out;
	struct statfs sfs;
	struct p9_fid *fid;
	int err = p9_get_end(&req->in);

	if (!err)
		err = p9_fid_get(req, num, &fid);
	if (err)
		return err;
	err = p9_fstatfs(req, fid->node->fs, fid->node->fd, &sfs);
	p9_fid_put(req, fid);
	if (err)
		return err;
	p9_put32(out, (uint32_t)sfs.f_type);
	p9_put32(out, (uint32_t)sfs.f_bsize);
	p9_put64(out, sfs.f_blocks);
	p9_put64(out, sfs.f_bfree);
	p9_put64(out, sfs.f_bavail);
	p9_put64(out, sfs.f_files);
	p9_put64(out, sfs.f_ffree);
	p9_put64(out, (uint64_t)(uint32_t)sfs.f_fsid.__val[0] |
			      (uint64_t)(uint32_t)sfs.f_fsid.__val[1] << 32);
	p9_put32(out, sfs.f_namelen < P9_NAME_LEN ? (uint32_t)sfs.f_namelen : P9_NAME_LEN);
	return 0;
}
