// SPDX-License-Identifier: MIT
/*
 * The descriptors of nodes. A guest may know more files than a process may have descriptors: those
 * not used for some time give theirs up, and get another when they are needed again, by the name in
 * their parent or by a file handle.
 *
 * Which one goes is found as by a clock's hand that passes over all that could: one used since the
 * hand last came by is spared once. A new one is the last to be asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ninep/io.h"
#include "ninep/node.h"
#include "ninep/server.h"
#include "ninep/session.h"

/* What pins is while the descriptor is given up, far from any number of users. */
#define GIVEN_UP (-(1 << 30))

/* How far the hand goes for one descriptor: a few steps as a rule, more when there are no others.
 */
#define STEPS	   64
#define STEPS_HARD 4096
#define MAKE_ROOM  32

/* ---- pins ---- */

bool p9_node_try_pin(struct p9_node *node)
{
	if (atomic_fetch_add(&node->pins, 1) >= 0) {
		atomic_store_explicit(&node->used, true, memory_order_relaxed);
		return true;
	}
	atomic_fetch_sub(&node->pins, 1);
	return false;
}

void p9_node_pin_again(struct p9_node *node)
{
	atomic_fetch_add(&node->pins, 1);
}

void p9_node_unpin(struct p9_node *node)
{
	atomic_fetch_sub(&node->pins, 1);
}

void p9_node_release(struct p9_req *req, struct p9_node *node)
{
	if (!node)
		return;
	p9_node_unpin(node);
	p9_node_put(p9_req_share(req), req, node);
}

void p9_node_count_fd(struct p9_share *share, int n)
{
	atomic_fetch_add(&share->server->node_fds, (unsigned int)n);
}

/* ---- the clock; the share's lock is held ---- */

void p9_clock_add(struct p9_share *share, struct p9_node *node)
{
	struct p9_node *hand = share->clock;

	if (!hand) {
		share->clock = node->clock_next = node->clock_prev = node;
	} else {
		node->clock_next = hand;
		node->clock_prev = hand->clock_prev;
		node->clock_prev->clock_next = node;
		hand->clock_prev = node;
	}
	share->clock_n++;
}

void p9_clock_del(struct p9_share *share, struct p9_node *node)
{
	if (!node->clock_next)
		return;
	node->clock_next->clock_prev = node->clock_prev;
	node->clock_prev->clock_next = node->clock_next;
	if (share->clock == node)
		share->clock = node->clock_next == node ? NULL : node->clock_next;
	node->clock_next = node->clock_prev = NULL;
	share->clock_n--;
}

/* ---- giving up ---- */

/* A node, held, that could give up its descriptor; NULL if none is found in so many steps. */
static struct p9_node *pick(struct p9_share *share, int steps)
{
	struct p9_node *node = NULL;

	pthread_mutex_lock(&share->lock);
	while (share->clock && steps-- > 0 && !node) {
		struct p9_node *hand = share->clock;

		share->clock = hand->clock_next;
		if (atomic_load(&hand->pins) || atomic_exchange(&hand->used, false))
			continue;
		p9_node_get(hand);
		atomic_fetch_add(&hand->pins, 1);
		node = hand;
	}
	pthread_mutex_unlock(&share->lock);
	return node;
}

/* Not of a file that is already without a name: nothing would lead back to it. */
static bool is_unlinked(struct p9_req *req, const struct p9_node *node)
{
	struct statx stx;

	return p9_host_statx(req, node->fs, node->fd, "", &stx) || !stx.stx_nlink;
}

/* Takes over the hold on node. False: its descriptor has to stay. */
static bool give_up(struct p9_req *req, struct p9_share *share, struct p9_node *node)
{
	struct file_handle *handle = NULL;
	bool stays = is_unlinked(req, node);
	int fd = -1, mine = 1;

	if (!stays && !node->handle) {
		handle = p9_handle(req, node->fs, node->fd);
		if (!handle)
			p9_node_ask_btime(req, share, node);
	}
	pthread_mutex_lock(&share->lock);
	if (req->dropped) {
		stays = true; /* it may not know what it asked for */
	} else if (stays) {
		p9_clock_del(share, node);
	} else if (node->clock_next && !node->handle) {
		node->handle = handle;
		handle = NULL;
	}
	if (!stays && node->clock_next &&
	    atomic_compare_exchange_strong(&node->pins, &mine, GIVEN_UP)) {
		p9_clock_del(share, node);
		fd = node->fd;
		node->fd = -1;
	}
	pthread_mutex_unlock(&share->lock);
	free(handle);
	if (fd < 0) {
		p9_node_unpin(node);
	} else {
		p9_node_count_fd(share, -1);
		p9_close(req, node->fs, fd, false);
	}
	p9_node_put(share, req, node);
	return fd >= 0;
}

/* The share with most descriptors to give up; a reference. */
static struct p9_share *richest(struct p9_server *server)
{
	struct p9_share *share, *best = NULL;
	unsigned int most = 0;

	pthread_mutex_lock(&server->shares_lock);
	for (share = server->shares; share; share = share->next) {
		unsigned int n;

		pthread_mutex_lock(&share->lock);
		n = share->clock_n;
		pthread_mutex_unlock(&share->lock);
		if (n > most) {
			most = n;
			best = share;
		}
	}
	if (best)
		best->refs++;
	pthread_mutex_unlock(&server->shares_lock);
	return best;
}

static bool give_up_one(struct p9_req *req, int steps)
{
	struct p9_share *share = richest(p9_req_server(req));
	struct p9_node *node;
	bool done = false;

	if (!share)
		return false;
	node = pick(share, steps);
	if (node)
		done = give_up(req, share, node);
	p9_share_put(share);
	return done;
}

void p9_node_trim(struct p9_req *req)
{
	struct p9_server *server = p9_req_server(req);

	/* One comes, two may go: the number falls back to what it may be. */
	for (int i = 0; i < 2 && atomic_load(&server->node_fds) > server->node_fds_max; i++)
		give_up_one(req, STEPS);
}

bool p9_node_make_room(struct p9_req *req)
{
	bool any = false;

	for (int i = 0; i < MAKE_ROOM; i++)
		any |= give_up_one(req, STEPS_HARD);
	return any;
}

/* ---- getting another ---- */

static bool same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* An inode number may have been given to another file meanwhile; a handle or birth time tells. */
static int check_same(struct p9_req *req, const struct p9_node *node, int fd,
		      const struct statx *stx)
{
	struct file_handle *handle;
	struct statx full;
	bool same;
	int err;

	if (p9_stx_dev(stx) != node->fs->dev || stx->stx_ino != node->ino ||
	    (stx->stx_mode & S_IFMT) != node->type)
		return -ESTALE;
	if (!node->handle) {
		if (atomic_load(&node->btime_is) != P9_BTIME_KNOWN)
			return 0;
		err = p9_host_statx_btime(req, node->fs, fd, &full);
		return err ?: same_time(&full.stx_btime, &node->btime) ? 0 : -ESTALE;
	}
	handle = p9_handle(req, node->fs, fd);
	same = handle && handle->handle_type == node->handle->handle_type &&
	       handle->handle_bytes == node->handle->handle_bytes &&
	       !memcmp(handle->f_handle, node->handle->f_handle, handle->handle_bytes);
	free(handle);
	return same ? 0 : -ESTALE;
}

int p9_node_adopt(struct p9_req *req, struct p9_node *node, int fd, const struct statx *stx)
{
	struct p9_share *share = p9_req_share(req);
	bool taken;
	int err = check_same(req, node, fd, stx);

	if (err)
		return err;
	pthread_mutex_lock(&share->lock);
	taken = atomic_load(&node->pins) < 0;
	if (taken) {
		node->fd = fd;
		if (node->placed)
			p9_clock_add(share, node);
		/* From here on others may pin it. */
		atomic_fetch_add(&node->pins, 1 - GIVEN_UP);
	} else {
		p9_node_pin_again(node); /* somebody was faster */
	}
	pthread_mutex_unlock(&share->lock);
	if (taken)
		p9_node_count_fd(share, 1);
	else
		p9_close(req, node->fs, fd, false);
	p9_node_trim(req);
	return 0;
}

/* The file by its handle, wherever it is now; only the host's root may do that. */
static int open_handle(struct p9_req *req, const struct p9_node *node)
{
	const struct p9_share *share = p9_req_share(req);

	if (share->handle_fd < 0 || !node->handle || node->fs != share->root->fs)
		return -ESTALE;
	return p9_open_handle(req, node->fs, share->handle_fd, node->handle);
}

/* Opens node, at name in parent, which is held. 0: node is pinned. */
static int open_again(struct p9_req *req, struct p9_node *parent, struct p9_node *node,
		      const char *name)
{
	const struct p9_who who = req->who;
	struct statx stx;
	int err = -ESTALE;

	/* Whoever asks now, somebody who was allowed to has walked there. */
	req->who = (struct p9_who){.uid = P9_OWN};
	for (int by_handle = *name == 0; by_handle < 2 && err == -ESTALE; by_handle++) {
		int fd = by_handle ? open_handle(req, node)
				   : p9_open(req, parent->fs, parent->fd, name, O_PATH | O_NOFOLLOW,
					     0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);

		err = fd;
		if (fd >= 0) {
			err = p9_statx(req, node->fs, fd, "", &stx);
			err = err ?: p9_node_adopt(req, node, fd, &stx);
			if (err)
				p9_close(req, node->fs, fd, false);
		}
		if (err && err != -EMFILE && err != -ENFILE && err != -ENOMEM)
			err = -ESTALE;
	}
	req->who = who;
	return err;
}

int p9_node_pin(struct p9_req *req, struct p9_node *node)
{
	struct p9_share *share = p9_req_share(req);
	int err = 0;

	/* Downwards, from the nearest folder above that has a descriptor: the root has. */
	while (!err && !p9_node_try_pin(node)) {
		struct p9_node *child = node, *parent;
		char name[P9_NAME_LEN + 1] = "";

		pthread_mutex_lock(&share->lock);
		for (parent = child->parent; !p9_node_try_pin(parent); parent = child->parent)
			child = parent;
		p9_node_get(parent);
		p9_node_get(child);
		if (child->placed)
			memcpy(name, child->name, strlen(child->name) + 1);
		pthread_mutex_unlock(&share->lock);

		err = open_again(req, parent, child, name);
		/* Who renames or removes it meanwhile has opened it before. */
		if (err == -ESTALE && p9_node_try_pin(child))
			err = 0;
		if (!err)
			p9_node_unpin(child);
		p9_node_put(share, req, child);
		p9_node_release(req, parent);
	}
	return err;
}
