// SPDX-License-Identifier: MIT
#include "ninep/pool.h"

#include <stdlib.h>

/* What gcc says by this macro, clang says in its own way. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif

/* The address sanitizer is to see what is used after it was given back. */
#if defined(__SANITIZE_ADDRESS__)
#define MOST 0u
#else
#define MOST 1024u
#endif

void *p9_pool_take(struct p9_pool *pool, size_t size)
{
	struct p9_pooled *first = atomic_load(&pool->first);

	/* What is in it stays there but for us: the next of the first is the next until then. */
	while (first && !atomic_compare_exchange_weak(&pool->first, &first, first->next))
		;
	if (!first)
		return malloc(size);
	atomic_fetch_sub_explicit(&pool->n, 1, memory_order_relaxed);
	return first;
}

void p9_pool_give(struct p9_pool *pool, void *thing)
{
	struct p9_pooled *first, *mine = thing;

	if (atomic_load_explicit(&pool->n, memory_order_relaxed) + 1 > MOST) {
		free(thing);
		return;
	}
	atomic_fetch_add_explicit(&pool->n, 1, memory_order_relaxed);
	first = atomic_load(&pool->first);
	do {
		mine->next = first;
	} while (!atomic_compare_exchange_weak(&pool->first, &first, mine));
}

void p9_pool_exit(struct p9_pool *pool)
{
	struct p9_pooled *thing = atomic_load(&pool->first), *next;

	for (; thing; thing = next) {
		next = thing->next;
		free(thing);
	}
	*pool = (struct p9_pool){.n = 0};
}
