/* SPDX-License-Identifier: MIT */
/*
 * A histogram of times, log-linear: 64 buckets for each power of two, so that a bucket's middle is
 * within 0.8 % of any value in it, from 1 ns to 73 minutes (what is longer counts as that).
 *
 * One thread at a time adds (whoever holds the owner's lock); any thread may read meanwhile, and
 * sees each number as it was a moment ago.
 */
#ifndef NINEP_HIST_H
#define NINEP_HIST_H

#include <stdatomic.h>
#include <stdint.h>

#define P9_HIST_SUB	64u /* buckets of one power of two */
#define P9_HIST_MAX_BIT 42u /* values below 2^42 ns */
#define P9_HIST_BUCKETS (P9_HIST_SUB * (P9_HIST_MAX_BIT - 5))

/* All zero is an empty one. Nanoseconds. */
struct p9_hist {
	_Atomic uint64_t n;
	_Atomic uint64_t sum;
	_Atomic uint64_t min, max; /* exact; of no meaning while n is 0 */
	_Atomic uint64_t count[P9_HIST_BUCKETS];
};

void p9_hist_add(struct p9_hist *hist, uint64_t ns);
/* Adds all of `from`. */
void p9_hist_merge(struct p9_hist *to, const struct p9_hist *from);
/*
 * The value that a share of q (0 … 1) of all values is not above: q 0.5 is the median, q 1 exactly
 * max. Never beyond min and max. 0 if there is none.
 */
uint64_t p9_hist_quantile(const struct p9_hist *hist, double q);

#endif
