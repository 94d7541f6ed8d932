// SPDX-License-Identifier: MIT
#include "ninep/hist.h"

#define SUB_BITS 6u
_Static_assert(P9_HIST_SUB == 1u << SUB_BITS, "one number, twice");

/* Values below 2 × 64 have a bucket each; from there on 64 for each power of two. */
static unsigned int bucket_of(uint64_t ns)
{
	unsigned int shift;

	if (ns >= 1ull << P9_HIST_MAX_BIT)
		return P9_HIST_BUCKETS - 1;
	if (ns < 2 * P9_HIST_SUB)
		return (unsigned int)ns;
	shift = 63u - (unsigned int)__builtin_clzll(ns) - SUB_BITS;
	return shift * P9_HIST_SUB + (unsigned int)(ns >> shift);
}

/* The middle of a bucket's values. */
static uint64_t value_of(unsigned int bucket)
{
	unsigned int shift;
	uint64_t low;

	if (bucket < 2 * P9_HIST_SUB)
		return bucket;
	shift = bucket / P9_HIST_SUB - 1;
	low = (uint64_t)(bucket - shift * P9_HIST_SUB) << shift;
	return low + ((1ull << shift) - 1) / 2;
}

static uint64_t get(const _Atomic uint64_t *from)
{
	return atomic_load_explicit(from, memory_order_relaxed);
}

/* No other thread writes. */
static void set(_Atomic uint64_t *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

static void add(struct p9_hist *hist, uint64_t n, uint64_t sum, uint64_t min, uint64_t max)
{
	uint64_t before = get(&hist->n);

	if (!before || min < get(&hist->min))
		set(&hist->min, min);
	if (!before || max > get(&hist->max))
		set(&hist->max, max);
	set(&hist->sum, get(&hist->sum) + sum);
	set(&hist->n, before + n);
}

void p9_hist_add(struct p9_hist *hist, uint64_t ns)
{
	_Atomic uint64_t *count = &hist->count[bucket_of(ns)];

	set(count, get(count) + 1);
	add(hist, 1, ns, ns, ns);
}

void p9_hist_merge(struct p9_hist *to, const struct p9_hist *from)
{
	if (!get(&from->n))
		return;
	for (unsigned int i = 0; i < P9_HIST_BUCKETS; i++) {
		uint64_t more = get(&from->count[i]);

		if (more)
			set(&to->count[i], get(&to->count[i]) + more);
	}
	add(to, get(&from->n), get(&from->sum), get(&from->min), get(&from->max));
}

uint64_t p9_hist_quantile(const struct p9_hist *hist, double q)
{
	uint64_t min = get(&hist->min), max = get(&hist->max);
	uint64_t total = 0, seen = 0, value;
	double rank;

	/* Not hist->n: the counts may be ahead of it, or behind. */
	for (unsigned int i = 0; i < P9_HIST_BUCKETS; i++)
		total += get(&hist->count[i]);
	if (!total)
		return 0;
	if (q >= 1)
		return max;
	rank = q * (double)total;
	for (unsigned int i = 0; i < P9_HIST_BUCKETS; i++) {
		seen += get(&hist->count[i]);
		if (!seen || (double)seen < rank)
			continue;
		value = value_of(i);
		return value < min ? min : value > max ? max : value;
	}
	return max;
}
