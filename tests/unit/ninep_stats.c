// SPDX-License-Identifier: MIT
/* Histograms of times. */
#include "kselftest_harness.h"

#include <stdlib.h>

#include "ninep/hist.h"

static struct p9_hist one, two, both;

static void clear(void)
{
	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	memset(&both, 0, sizeof(both));
}

static double wrong_by(uint64_t got, uint64_t want)
{
	double d = (double)got - (double)want;

	return (d < 0 ? -d : d) / (double)want;
}

TEST(hist_of_one_value_is_within_one_percent)
{
	for (uint64_t ns = 1; ns < 1ull << 42; ns += 1 + ns / 1000) {
		clear();
		p9_hist_add(&one, ns);
		/* The exact minimum and maximum may not help. */
		p9_hist_add(&one, 0);
		p9_hist_add(&one, ~0ull);
		ASSERT_LE(wrong_by(p9_hist_quantile(&one, 0.5), ns), 0.01) TH_LOG("%llu ns",
			(unsigned long long)ns);
	}
}

TEST(hist_knows_its_ends)
{
	clear();
	EXPECT_EQ(0, p9_hist_quantile(&one, 0.5));
	p9_hist_add(&one, 1234567);
	EXPECT_EQ(1234567, p9_hist_quantile(&one, 0));
	EXPECT_EQ(1234567, p9_hist_quantile(&one, 0.5));
	EXPECT_EQ(1234567, p9_hist_quantile(&one, 1));
	p9_hist_add(&one, ~0ull); /* longer than the last bucket */
	EXPECT_EQ(~0ull, one.max);
	EXPECT_EQ(1234567, one.min);
	EXPECT_GT(p9_hist_quantile(&one, 1), 1ull << 41);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

TEST(hist_quantiles_are_those_of_the_sorted_values)
{
	enum { N = 20000 };
	static const double q[] = { 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1 };
	static uint64_t value[N];
	uint64_t seed = 1, sum = 0;

	clear();
	for (size_t i = 0; i < N; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		/* From nanoseconds to minutes. */
		value[i] = 1 + (seed >> 33) % (1ull << (seed >> 59));
		sum += value[i];
		p9_hist_add(i % 3 ? &one : &two, value[i]);
	}
	qsort(value, N, sizeof(*value), by_value);
	p9_hist_merge(&both, &one);
	p9_hist_merge(&both, &two);
	EXPECT_EQ(N, both.n);
	EXPECT_EQ(sum, both.sum);
	EXPECT_EQ(value[0], both.min);
	EXPECT_EQ(value[N - 1], both.max);
	for (size_t i = 0; i < sizeof(q) / sizeof(*q); i++) {
		size_t rank = (size_t)(q[i] * N + 0.9999);

		EXPECT_LE(wrong_by(p9_hist_quantile(&both, q[i]), value[rank - 1]), 0.01);
	}
	/* An empty one changes nothing. */
	clear();
	p9_hist_add(&both, 5);
	p9_hist_merge(&both, &one);
	EXPECT_EQ(5, both.min);
	EXPECT_EQ(5, both.max);
	EXPECT_EQ(1, both.n);
}

TEST_HARNESS_MAIN
