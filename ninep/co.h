/* SPDX-License-Identifier: MIT */
/*
 * A small stackful coroutine: a function that may wait in the middle, also from within a function
 * it calls, and is carried on later, perhaps by another thread.
 *
 * Beware of thread-local data, errno too, in code that runs on a coroutine: the compiler may
 * compute an address before a wait and use it after. Whatever touches such data is a function of
 * its own, not inlined, that does not wait.
 */
#ifndef NINEP_CO_H
#define NINEP_CO_H

#include <stdbool.h>
#include <stddef.h>

struct p9_co {
	void *sp;	 /* while it waits */
	void *caller_sp; /* while it runs */
	void *map;	 /* the mapping: a guard page and the stack above it */
	void (*fn)(void *arg);
	void *arg;
	bool done; /* fn has returned; the next p9_co_resume() calls it again */
	/* for the sanitizers */
	void *fake_stack;
	const void *caller_bottom;
	size_t caller_size;
	void *fiber, *caller_fiber;
};

/* Makes the stack. The first p9_co_resume() calls fn(arg). -ENOMEM. */
int p9_co_init(struct p9_co *co, void (*fn)(void *arg), void *arg);
/* Only while the coroutine is done or was never resumed. Nothing happens to an all-zero one. */
void p9_co_destroy(struct p9_co *co);
/* Runs it until it waits (co->done is false) or fn returns (true). */
void p9_co_resume(struct p9_co *co);
/* On the coroutine: back to whoever resumed it. */
void p9_co_wait(struct p9_co *co);

#endif
