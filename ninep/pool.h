/* SPDX-License-Identifier: MIT */
/*
 * Things of one size that come and go with each message: those given back are kept for the next,
 * so many at most.
 */
#ifndef NINEP_POOL_H
#define NINEP_POOL_H

#include <stdatomic.h>
#include <stddef.h>

struct p9_pooled {
	struct p9_pooled *next;
};

/* All zeros: an empty one. */
struct p9_pool {
	struct p9_pooled *_Atomic first;
	atomic_uint n;
};

/*
 * One of this size, not zeroed; NULL: out of memory. One thread at a time takes, which the caller's
 * lock sees to; meanwhile others may give back.
 */
void *p9_pool_take(struct p9_pool *pool, size_t size);
/* On any thread. */
void p9_pool_give(struct p9_pool *pool, void *thing);
/* Frees what is in it. */
void p9_pool_exit(struct p9_pool *pool);

#endif
