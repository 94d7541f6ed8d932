// SPDX-License-Identifier: MIT
#include "ninep/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "ninep/fid.h"
#include "ninep/io.h"
#include "ninep/session.h"

struct p9_lock_file {
	struct p9_link link;
	const struct p9_fs
		*fs; /* by file system and inode, since nodes may be several for one file */
	uint64_t ino;
	struct p9_locks *locks;
	unsigned int refs; /* guarded by the session's locks->lock */
	int fd;
	bool writable; /* else a write lock can only be a read lock on the host */

	pthread_mutex_t lock; /* held over the host's calls below, which do not wait */
	struct ranges {
		struct owned *range;
		size_t n;
	} all;
	int flocked; /* LOCK_UN, LOCK_SH, LOCK_EX */
};

struct owner {
	size_t refs; /* ranges that are its */
	uint32_t proc;
	char client[];
};

struct owned {
	struct p9_lock_range at;
	struct owner *owner;
	const struct p9_fid *fid; /* through which it was taken; never looked into */
};

static bool overlap(const struct p9_lock_range *a, const struct p9_lock_range *b)
{
	return a->start <= b->end && b->start <= a->end;
}

static bool is_owner(const struct owner *owner, const struct p9_lock_op *op)
{
	return owner->proc == op->proc && !strcmp(owner->client, op->client);
}

static bool is_whole(const struct p9_lock_range *r)
{
	return r->start == 0 && r->end == P9_LOCK_END;
}

/* ---- the host's side ---- */

enum held { NOTHING, READ, WRITE };

static struct flock host_flock(const struct p9_lock_file *file, int64_t start, int64_t end,
			       enum held want)
{
	return (struct flock){
		.l_type = want == NOTHING		    ? F_UNLCK
			  : want == WRITE && file->writable ? F_WRLCK
							    : F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = start,
		.l_len = end == P9_LOCK_END ? 0 : end - start + 1,
	};
}

static int host_lock(const struct p9_lock_file *file, int64_t start, int64_t end, enum held want)
{
	struct flock fl = host_flock(file, start, end, want);
	int err = fcntl(file->fd, F_OFD_SETLK, &fl) ? -errno : 0;

	/* Some file systems have no locks at all; the owners here still exclude each other. */
	return err == -EACCES ? -EAGAIN : err == -EOPNOTSUPP || err == -ENOSYS ? 0 : err;
}

/* From here on one range more (1) or less (-1) locks, of those before or after an operation. */
struct edge {
	int64_t at;
	int8_t by;
	bool write;
	bool after;
};

struct edges {
	struct edge *edge;
	size_t n;
};

static int by_place(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* Of what lies within [start, end]. */
static void add_edges(struct edges *edges, const struct ranges *all, bool after, int64_t start,
		      int64_t end)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct p9_lock_range *r = &all->range[i].at;
		const int64_t from = r->start > start ? r->start : start;
		const int64_t to = r->end < end ? r->end : end;

		if (from > to)
			continue;
		edges->edge[edges->n++] = (struct edge){from, 1, r->write, after};
		if (to < P9_LOCK_END)
			edges->edge[edges->n++] = (struct edge){to + 1, -1, r->write, after};
	}
}

/* In the order of their places, so that one pass over them finds what is to be changed. */
static int edges_init(struct edges *edges, const struct ranges *old, const struct ranges *new,
		      int64_t start, int64_t end)
{
	*edges = (struct edges){.edge = calloc(2 * (old->n + new->n) + 1, sizeof(struct edge))};
	if (!edges->edge)
		return -ENOMEM;
	add_edges(edges, old, false, start, end);
	add_edges(edges, new, true, start, end);
	qsort(edges->edge, edges->n, sizeof(*edges->edge), by_place);
	return 0;
}

/* By so many readers and writers. */
static enum held held(const unsigned int locks[2])
{
	return locks[true] ? WRITE : locks[false] ? READ : NOTHING;
}

/*
 * Locks the bytes up to `end` on the host as they are after the operation (or before it, to go
 * back), where that differs. On an error *failed is where it stopped, if it is wanted; else it goes
 * on.
 */
static int change_host(const struct p9_lock_file *file, const struct edges *edges, bool after,
		       int64_t end, int64_t *failed)
{
	unsigned int locks[2][2] = {{0}};
	int err;

	for (size_t i = 0; i < edges->n;) {
		const int64_t at = edges->edge[i].at;
		int64_t last = P9_LOCK_END;
		enum held want;

		for (; i < edges->n && edges->edge[i].at == at; i++) {
			const struct edge *edge = &edges->edge[i];

			locks[edge->after][edge->write] += (unsigned int)edge->by;
		}
		if (i < edges->n)
			last = edges->edge[i].at - 1;
		if (at > end)
			break;
		want = held(locks[after]);
		if (want == held(locks[!after]))
			continue;
		err = host_lock(file, at, last, want);
		if (err && failed) {
			*failed = at;
			return err;
		}
	}
	return 0;
}

static int flock_of(const struct ranges *all)
{
	int op = LOCK_UN;

	for (size_t i = 0; i < all->n; i++)
		if (is_whole(&all->range[i].at) && op != LOCK_EX)
			op = all->range[i].at.write ? LOCK_EX : LOCK_SH;
	return op;
}

static int change_flock(struct p9_lock_file *file, int op)
{
	if (op == file->flocked)
		return 0;
	if (flock(file->fd, op | LOCK_NB)) {
		int err = -errno;

		/* A failed change from one to the other has lost the first. */
		flock(file->fd, file->flocked | LOCK_NB);
		return err == -EWOULDBLOCK ? -EAGAIN : 0;
	}
	file->flocked = op;
	return 0;
}

/* ---- the table; the file's lock is held ---- */

/* The owner that op speaks for; NULL: out of memory. */
static struct owner *find_owner(const struct ranges *all, const struct p9_lock_op *op)
{
	struct owner *owner;
	size_t len = strlen(op->client) + 1;

	for (size_t i = 0; i < all->n; i++)
		if (is_owner(all->range[i].owner, op))
			return all->range[i].owner;
	owner = malloc(sizeof(*owner) + len);
	if (!owner)
		return NULL;
	*owner = (struct owner){.proc = op->proc};
	memcpy(owner->client, op->client, len);
	return owner;
}

static void put_owner(struct owner *owner)
{
	if (owner && !owner->refs)
		free(owner);
}

static void add(struct ranges *all, const struct owned *like, int64_t start, int64_t end)
{
	struct owned *r = &all->range[all->n++];

	*r = *like;
	r->at.start = start;
	r->at.end = end;
}

/* Whether op takes (a part of) r away from its owner: what is within [*start, *end]. */
static bool takes_away(const struct p9_lock_op *op, const struct owned *r, int64_t *start,
		       int64_t *end)
{
	*start = op->range.start;
	*end = op->range.end;
	if (r->fid == op->fid &&
	    (op->what == P9_LOCK_GIVE_FID || (op->by_fid && is_whole(&r->at)))) {
		*start = 0;
		*end = P9_LOCK_END;
		return true;
	}
	return op->what != P9_LOCK_GIVE_FID && is_owner(r->owner, op) &&
	       overlap(&r->at, &op->range);
}

static bool touch(const struct p9_lock_range *a, const struct p9_lock_range *b)
{
	return a->start <= b->end + (b->end < P9_LOCK_END) &&
	       b->start <= a->end + (a->end < P9_LOCK_END);
}

/*
 * Whole files, locked through one fid by two processes, are one flock(2) on a description that the
 * two share. Were it fcntl(2)'s, the client itself would have refused the second.
 */
static bool is_same_flock(const struct owned *r, const struct p9_lock_op *op)
{
	return r->fid == op->fid && is_whole(&r->at) && is_whole(&op->range);
}

/*
 * The ranges as they are after op; owner is whom it takes for. Neighbours of one owner, fid and
 * kind become one.
 */
static int after(const struct ranges *old, const struct p9_lock_op *op, struct owner *owner,
		 struct ranges *new)
{
	struct owned take = {.at = op->range, .owner = owner, .fid = op->fid};

	/* Each may be cut into two, and there may be one more. */
	*new = (struct ranges){.range = calloc(2 * old->n + 1, sizeof(*new->range))};
	if (!new->range)
		return -ENOMEM;
	for (size_t i = 0; i < old->n; i++) {
		const struct owned *r = &old->range[i];
		int64_t start, end;

		if (op->what == P9_LOCK_TAKE && r->owner == owner && r->fid == take.fid &&
		    r->at.write == take.at.write && touch(&r->at, &take.at)) {
			take.at.start = r->at.start < take.at.start ? r->at.start : take.at.start;
			take.at.end = r->at.end > take.at.end ? r->at.end : take.at.end;
			continue;
		}
		if (!takes_away(op, r, &start, &end)) {
			add(new, r, r->at.start, r->at.end);
			/* Whoever of the two made it stronger or weaker, it is that for both. */
			if (op->what == P9_LOCK_TAKE && is_same_flock(r, op))
				new->range[new->n - 1].at.write = op->range.write;
			continue;
		}
		if (r->at.start < start)
			add(new, r, r->at.start, start - 1);
		if (r->at.end > end)
			add(new, r, end + 1, r->at.end);
	}
	if (op->what == P9_LOCK_TAKE)
		add(new, &take, take.at.start, take.at.end);
	return 0;
}

/* The session may have so many ranges more, or fewer. */
static int account(struct p9_locks *locks, size_t before, size_t now)
{
	int err = 0;

	pthread_mutex_lock(&locks->lock);
	if (now > before && locks->n + (now - before) > P9_MAX_LOCKS)
		err = -ENOLCK;
	else
		locks->n += (unsigned int)now - (unsigned int)before;
	pthread_mutex_unlock(&locks->lock);
	return err;
}

/* From old to new ranges, on the host. On an error, nothing has changed. */
static int change_all(struct p9_lock_file *file, const struct p9_lock_op *op,
		      const struct ranges *old, const struct ranges *new)
{
	const bool all = op->what == P9_LOCK_GIVE_FID || op->by_fid;
	const int64_t start = all ? 0 : op->range.start, end = all ? P9_LOCK_END : op->range.end;
	int64_t failed = P9_LOCK_END;
	struct edges edges;
	int err = edges_init(&edges, old, new, start, end);

	if (err)
		return err;
	err = change_host(file, &edges, true, P9_LOCK_END, &failed);
	if (!err)
		err = change_flock(file, flock_of(new));
	else
		failed--;
	if (err)
		change_host(file, &edges, false, failed, NULL);
	free(edges.edge);
	return err;
}

static void replace(struct p9_lock_file *file, struct ranges *new)
{
	for (size_t i = 0; i < new->n; i++)
		new->range[i].owner->refs++;
	for (size_t i = 0; i < file->all.n; i++) {
		file->all.range[i].owner->refs--;
		put_owner(file->all.range[i].owner);
	}
	free(file->all.range);
	file->all = *new;
}

/* Whether there is anything that op gives back. */
static bool gives_back(const struct ranges *all, const struct p9_lock_op *op)
{
	int64_t start, end;

	for (size_t i = 0; i < all->n; i++)
		if (takes_away(op, &all->range[i], &start, &end))
			return true;
	return false;
}

static int change(struct p9_lock_file *file, const struct p9_lock_op *op)
{
	const struct ranges *old = &file->all;
	struct owner *owner = NULL;
	struct ranges new;
	int err = -ENOMEM;

	if (op->what != P9_LOCK_TAKE && !gives_back(old, op))
		return 0;
	if (op->what == P9_LOCK_TAKE) {
		owner = find_owner(old, op);
		if (!owner)
			return -ENOMEM;
	}
	err = after(old, op, owner, &new);
	if (err)
		goto out;
	err = account(file->locks, old->n, new.n);
	if (err)
		goto out_free;
	err = change_all(file, op, old, &new);
	if (err) {
		account(file->locks, new.n, old->n);
		goto out_free;
	}
	replace(file, &new);
	return 0;
out_free:
	free(new.range);
out:
	put_owner(owner);
	return err;
}

static const struct owned *conflict(const struct p9_lock_file *file, const struct p9_lock_op *op)
{
	for (size_t i = 0; i < file->all.n; i++) {
		const struct owned *r = &file->all.range[i];

		if (overlap(&r->at, &op->range) && (r->at.write || op->range.write) &&
		    !is_owner(r->owner, op) && !is_same_flock(r, op))
			return r;
	}
	return NULL;
}

static int test(const struct p9_lock_file *file, struct p9_lock_op *op)
{
	const struct owned *r = conflict(file, op);
	struct flock fl =
		host_flock(file, op->range.start, op->range.end, op->range.write ? WRITE : READ);

	if (r) {
		op->held = r->at;
		op->holder_proc = r->owner->proc;
		op->holder_client = strdup(r->owner->client);
		return op->holder_client ? 0 : -ENOMEM;
	}
	if (fcntl(file->fd, F_OFD_GETLK, &fl)) {
		op->free = errno == EOPNOTSUPP || errno == ENOSYS;
		return op->free ? 0 : -errno;
	}
	op->free = fl.l_type == F_UNLCK;
	op->held.start = fl.l_start;
	op->held.end = fl.l_len ? fl.l_start + fl.l_len - 1 : P9_LOCK_END;
	op->held.write = fl.l_type == F_WRLCK;
	op->holder_proc = fl.l_pid > 0 ? (uint32_t)fl.l_pid : 0; /* a description has no owner */
	return 0;
}

int p9_lock_call(struct p9_lock_op *op)
{
	struct p9_lock_file *file = op->file;
	int err;

	pthread_mutex_lock(&file->lock);
	if (op->what == P9_LOCK_TEST)
		err = test(file, op);
	else if (op->what == P9_LOCK_TAKE && conflict(file, op))
		err = -EAGAIN;
	else
		err = change(file, op);
	pthread_mutex_unlock(&file->lock);
	return err;
}

/* ---- files with locks ---- */

int p9_locks_init(struct p9_locks *locks)
{
	*locks = (struct p9_locks){0};
	pthread_mutex_init(&locks->lock, NULL);
	return p9_hash_init(&locks->files);
}

void p9_locks_exit(struct p9_locks *locks)
{
	p9_hash_exit(&locks->files);
	pthread_mutex_destroy(&locks->lock);
}

static uint64_t hash_of(const struct p9_node *node)
{
	return p9_hash_mix(node->fs->dev ^ p9_hash_mix(node->ino));
}

/* The session's lock is held. A reference, or NULL. */
static struct p9_lock_file *find(struct p9_locks *locks, const struct p9_node *node)
{
	struct p9_link *link = p9_hash_find(&locks->files, hash_of(node));

	for (; link; link = p9_hash_more(link)) {
		struct p9_lock_file *file = p9_entry(link, struct p9_lock_file, link);

		if (file->fs == node->fs && file->ino == node->ino) {
			file->refs++;
			return file;
		}
	}
	return NULL;
}

static struct p9_lock_file *find_locked(struct p9_locks *locks, const struct p9_node *node)
{
	struct p9_lock_file *file;

	pthread_mutex_lock(&locks->lock);
	file = find(locks, node);
	pthread_mutex_unlock(&locks->lock);
	return file;
}

/*
 * A descriptor of our own: a guest may flock(2) a file for writing that it has opened for reading
 * only, and the host's locks end with the descriptor they were taken through.
 */
static int open_for_locks(struct p9_req *req, const struct p9_fid *fid, bool *writable)
{
	struct p9_node *node = fid->node;
	const struct p9_who who = req->who;
	int fd = -EROFS;

	req->who = (struct p9_who){.uid = P9_OWN};
	*writable = S_ISREG(node->type) && !(p9_req_share(req)->config.flags & P9_SHARE_RO);
	if (*writable)
		fd = p9_reopen(req, node->fs, node->fd, O_RDWR);
	if (fd == -EACCES || fd == -EPERM || fd == -EROFS || fd == -ETXTBSY) {
		*writable = false;
		fd = p9_reopen(req, node->fs, node->fd, O_RDONLY);
	}
	req->who = who;
	return fd;
}

int p9_lock_file_get(struct p9_req *req, const struct p9_fid *fid, struct p9_lock_file **out)
{
	struct p9_locks *locks = &req->session->locks;
	struct p9_node *node = fid->node;
	struct p9_lock_file *file, *there;

	*out = find_locked(locks, node);
	if (*out)
		return 0;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->fd = open_for_locks(req, fid, &file->writable);
	if (file->fd < 0) {
		int err = file->fd;

		free(file);
		return err;
	}
	file->fs = node->fs;
	file->ino = node->ino;
	file->locks = locks;
	file->refs = 1;
	file->flocked = LOCK_UN;
	pthread_mutex_init(&file->lock, NULL);
	pthread_mutex_lock(&locks->lock);
	there = find(locks, node);
	if (!there)
		p9_hash_add(&locks->files, &file->link, hash_of(node));
	pthread_mutex_unlock(&locks->lock);
	*out = there ?: file;
	if (there) {
		p9_close(req, node->fs, file->fd, false);
		pthread_mutex_destroy(&file->lock);
		free(file);
	}
	return 0;
}

void p9_lock_file_put(struct p9_session *session, struct p9_req *req, struct p9_lock_file *file)
{
	struct p9_locks *locks = &session->locks;
	struct p9_fs *fs;
	bool last;

	if (!file)
		return;
	pthread_mutex_lock(&locks->lock);
	last = !--file->refs && !file->all.n;
	if (last)
		p9_hash_del(&locks->files, &file->link);
	pthread_mutex_unlock(&locks->lock);
	if (!last)
		return;
	fs = p9_fs_find(&session->share->server->filesystems, file->fs->dev);
	p9_close(req, fs, file->fd, false);
	pthread_mutex_destroy(&file->lock);
	free(file->all.range);
	free(file);
}

void p9_lock_release_fid(struct p9_session *session, struct p9_req *req, const struct p9_fid *fid)
{
	struct p9_lock_op op = {
		.what = P9_LOCK_GIVE_FID,
		.file = find_locked(&session->locks, fid->node),
		.fid = fid,
	};

	if (!op.file)
		return;
	if (req)
		p9_lock(req, fid->node->fs, &op);
	else
		p9_lock_call(&op);
	p9_lock_file_put(session, req, op.file);
	p9_lockwait_poke(&session->share->server->lockwait);
}
