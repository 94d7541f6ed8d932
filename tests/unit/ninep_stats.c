// SPDX-License-Identifier: MIT
/* Histograms of times, and what a session counts of its requests. */
#include "kselftest_harness.h"

#include <signal.h>
#include <stdlib.h>

#include "ninep/stats.h"
#include "tests/unit/p9client.h"

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
	EXPECT_EQ(~0ull, p9_hist_quantile(&one, 1));
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

/* ---- a session's ---- */

FIXTURE(counts)
{
	struct p9c_world w;
	struct p9c *c;
};

FIXTURE_VARIANT(counts)
{
	enum p9_executor executor;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(counts, sync) { P9_EXEC_SYNC };
FIXTURE_VARIANT_ADD(counts, ring) { P9_EXEC_RING };
FIXTURE_VARIANT_ADD(counts, auto) { P9_EXEC_AUTO };
/* clang-format on */

FIXTURE_SETUP(counts)
{
	ASSERT_EQ(0, p9c_world_open(&self->w, variant->executor, false, 0));
	self->c = self->w.c;
}

FIXTURE_TEARDOWN(counts)
{
	EXPECT_EQ(0, p9c_world_close(&self->w));
}

/* Of one message, all paths together. */
static uint64_t answered(const struct p9_stats *stats, uint8_t type)
{
	uint64_t n = 0;

	for (unsigned int path = 0; path < P9_PATHS; path++)
		n += stats->stat[type / 2][path].ns.n;
	return n;
}

static uint64_t on_path(const struct p9_stats *stats, uint8_t type, enum p9_path path)
{
	return stats->stat[type / 2][path].ns.n;
}

/* Everything that was counted; a request counts after its reply was seen. */
static const struct p9_stats *settled(struct p9c_world *w)
{
	p9_session_reset(w->session);
	return p9_session_stats(w->session);
}

TEST_F(counts, each_request_by_message)
{
	const struct p9_stats *stats;
	uint64_t received = 0, sent = 0, errors = 0;
	struct p9c *c = self->c;

	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "12345"));
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
		received += c->t_len;
		sent += c->r_len;
		ASSERT_EQ(0, p9c_call(c, P9_TGETATTR, "dq", 1, 0x7ffull));
		ASSERT_EQ(0, p9c_clunk(c, 1));
	}
	ASSERT_EQ(-ENOENT, p9c_walk(c, 0, 1, "missing"));
	received += c->t_len;
	sent += c->r_len;
	ASSERT_EQ(-EOPNOTSUPP, p9c_call(c, 200, "d", 1));
	ASSERT_EQ(-EOPNOTSUPP, p9c_call(c, 201, "d", 1));

	stats = settled(&self->w);
	EXPECT_EQ(6, answered(stats, P9_TWALK));
	EXPECT_EQ(5, answered(stats, P9_TGETATTR));
	EXPECT_EQ(5, answered(stats, P9_TCLUNK));
	EXPECT_EQ(0, answered(stats, P9_TWRITE));
	EXPECT_EQ(2, answered(stats, 0));
	EXPECT_EQ(0, stats->dropped);
	for (unsigned int path = 0; path < P9_PATHS; path++) {
		const struct p9_stat *walk = &stats->stat[P9_TWALK / 2][path];

		received -= walk->received;
		sent -= walk->sent;
		errors += walk->errors;
	}
	EXPECT_EQ(0, received);
	EXPECT_EQ(0, sent);
	EXPECT_EQ(1, errors);
}

TEST_F(counts, what_got_no_reply_apart)
{
	const struct p9_stats *stats;
	struct p9c *c = self->c;

	p9c_build(c, P9_TGETATTR, "dq", 0, 0x7ffull);
	ASSERT_EQ(0, p9c_submit_len(c, 5)); /* not even a header */
	EXPECT_EQ(P9C_DROPPED, p9c_wait(c));
	stats = settled(&self->w);
	EXPECT_EQ(1, stats->dropped);
	EXPECT_EQ(0, answered(stats, P9_TGETATTR));
}

TEST_F(counts, how_far_it_went)
{
	const struct p9_stats *stats;
	struct p9c *c = self->c;

	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "12345"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_call(c, P9_TGETATTR, "dq", 1, 0x7ffull));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, ""));
	ASSERT_EQ(0, p9c_lopen(c, 2, 0));
	ASSERT_EQ(0, p9c_call(c, P9_TREADDIR, "dqd", 2, 0ull, 4096));

	stats = settled(&self->w);
	/* What the automatic choice does depends on the file system of the folder. */
	if (variant->executor == P9_EXEC_RING) {
		EXPECT_EQ(1, on_path(stats, P9_TGETATTR, P9_PATH_RING));
		/* No opcode reads a folder. */
		EXPECT_EQ(1, on_path(stats, P9_TREADDIR, P9_PATH_WORKER));
	}
	if (variant->executor == P9_EXEC_SYNC)
		for (unsigned int i = 0; i < P9_STAT_TYPES; i++) {
			EXPECT_EQ(0, stats->stat[i][P9_PATH_RING].ns.n);
			EXPECT_EQ(0, stats->stat[i][P9_PATH_WORKER].ns.n);
		}
}

static void *release(void *arg)
{
	int *lease = arg;

	usleep(150000);
	fcntl(*lease, F_SETLEASE, F_UNLCK);
	return NULL;
}

/* An open for writing waits on the host for as long as somebody holds a lease. */
TEST_F(counts, the_time_from_taken_to_published)
{
	const struct p9_stats *stats;
	struct p9c *c = self->c;
	uint64_t longest = 0, n = 0;
	pthread_t thread;
	int lease;

	signal(SIGIO, SIG_IGN);
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "x"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	lease = open(p9c_path(&self->w, "f"), O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, fcntl(lease, F_SETLEASE, F_RDLCK));
	ASSERT_EQ(0, pthread_create(&thread, NULL, release, &lease));
	EXPECT_EQ(0, p9c_lopen(c, 1, O_WRONLY));
	pthread_join(thread, NULL);
	close(lease);

	stats = settled(&self->w);
	for (unsigned int path = 0; path < P9_PATHS; path++) {
		longest += stats->stat[P9_TLOPEN / 2][path].ns.max;
		n += stats->stat[P9_TLOPEN / 2][path].ns.n;
	}
	EXPECT_EQ(1, n);
	EXPECT_GE(longest, 100000000);
}

TEST(sums_of_two)
{
	static struct p9_stats one_side, all;
	struct p9_counted read = {.type = P9_TREAD, .path = P9_PATH_RING, .taken_ns = 1000,
				  .published_ns = 3000, .received = 23, .sent = 4107};
	struct p9_counted bad = {.type = P9_TREAD, .path = P9_PATH_RING, .taken_ns = 1000,
				 .published_ns = 2000, .received = 23, .sent = 11, .failed = true};
	struct p9_counted none = {.type = P9_TREAD};
	const struct p9_stat *stat = &all.stat[P9_TREAD / 2][P9_PATH_RING];

	p9_stats_add(&one_side, &read);
	p9_stats_add(&one_side, &none);
	p9_stats_add(&all, &bad);
	p9_stats_merge(&all, &one_side);
	EXPECT_EQ(2, stat->ns.n);
	EXPECT_EQ(1000, stat->ns.min);
	EXPECT_EQ(2000, stat->ns.max);
	EXPECT_EQ(1, stat->errors);
	EXPECT_EQ(46, stat->received);
	EXPECT_EQ(4118, stat->sent);
	EXPECT_EQ(1, all.dropped);
	EXPECT_STREQ("read", p9_stat_name(P9_TREAD / 2));
	EXPECT_STREQ("unknown", p9_stat_name(0));
}

TEST_HARNESS_MAIN
