// SPDX-License-Identifier: MIT
/*
 * What only the ring does: it cancels what was flushed, and acts as many people.
 *
 * A file lease that this process holds makes an open for writing wait on the host, where it can be
 * interrupted.
 */
#include "kselftest_harness.h"

#include <signal.h>
#include <sys/utsname.h>

#include "ninep/node.h"
#include "ninep/server.h"
#include "ninep/session.h"
#include "ninep/stats.h"
#include "tests/unit/p9client.h"

/* More than the ring's threads. */
#define CROWD 80

FIXTURE(ring)
{
	struct p9c_world w;
	struct p9c *c;
	int lease;
};

FIXTURE_VARIANT(ring)
{
	enum p9_executor executor;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(ring, ring) { P9_EXEC_RING };
FIXTURE_VARIANT_ADD(ring, auto) { P9_EXEC_AUTO };
/* clang-format on */

static struct p9c *another(struct p9c_world *w, uint16_t tag)
{
	struct p9c *c = p9c_new(w->server, w->session, false);

	c->tag = tag;
	return c;
}

FIXTURE_SETUP(ring)
{
	ASSERT_EQ(0, p9c_world_open(&self->w, variant->executor, false, 0));
	self->c = self->w.c;
	/* The kernel tells the holder of a lease by SIGIO. */
	signal(SIGIO, SIG_IGN);
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "x"));
	self->lease = open(p9c_path(&self->w, "f"), O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, fcntl(self->lease, F_SETLEASE, F_RDLCK));
	ASSERT_EQ(0, p9c_walk(self->c, 0, 1, "f"));
	alarm(30); /* what is not cancelled waits until the kernel takes the lease away */
}

FIXTURE_TEARDOWN(ring)
{
	close(self->lease);
	EXPECT_EQ(0, p9c_world_close(&self->w));
}

static uint64_t by_ring(const struct p9c_world *w, unsigned int type)
{
	return p9_session_stats(w->session)->stat[type / 2][P9_PATH_RING].ns.n;
}

/* Carries on until nothing moves by itself. */
static void settle(struct p9c_world *w)
{
	p9c_pump(w, 50);
}

TEST_F(ring, flush_cancels_what_waits)
{
	struct p9c *open = another(&self->w, 1), *flush = another(&self->w, 2);

	p9c_build(open, P9_TLOPEN, "dd", 1, O_WRONLY);
	ASSERT_EQ(0, p9c_submit(open));
	settle(&self->w);
	EXPECT_FALSE(p9c_is_done(open));
	p9c_build(flush, P9_TFLUSH, "w", 1);
	EXPECT_EQ(0, p9c_go(flush));
	EXPECT_EQ(P9C_DROPPED, p9c_wait(open));
	EXPECT_LT(open->order, flush->order);
	/* As if it had never been: the fid is not open, and can be. */
	EXPECT_EQ(-EBADF, p9c_read(self->c, 1, 0, 1));
	EXPECT_EQ(0, p9c_lopen(self->c, 1, O_RDONLY));
	p9c_free(open);
	p9c_free(flush);
}

/* The ring's threads are all busy: what waits for one of them is given up, and the rest is not. */
TEST_F(ring, flush_drops_what_the_kernel_has_not_begun)
{
	struct p9c *mkdir = another(&self->w, 1), *flush = another(&self->w, 2);
	struct p9c *open[CROWD];
	struct stat st;
	bool waits;

	for (uint32_t i = 0; i < CROWD; i++) {
		open[i] = another(&self->w, (uint16_t)(100 + i));
		ASSERT_EQ(0, p9c_walk(self->c, 1, 100 + i, ""));
		p9c_build(open[i], P9_TLOPEN, "dd", 100 + i, O_WRONLY);
		ASSERT_EQ(0, p9c_submit(open[i]));
	}
	settle(&self->w);
	p9c_build(mkdir, P9_TMKDIR, "dsdd", 0, "d", 0755, getgid());
	ASSERT_EQ(0, p9c_submit(mkdir));
	settle(&self->w);
	waits = !p9c_is_done(mkdir); /* on tmpfs it is made in place */
	EXPECT_TRUE(waits || variant->executor == P9_EXEC_AUTO);
	p9c_build(flush, P9_TFLUSH, "w", 1);
	EXPECT_EQ(0, p9c_go(flush));
	if (waits) {
		EXPECT_EQ(P9C_DROPPED, p9c_wait(mkdir));
		EXPECT_EQ(-1, stat(p9c_path(&self->w, "d"), &st));
	}
	for (int i = 0; i < CROWD; i++)
		EXPECT_FALSE(p9c_is_done(open[i]));
	fcntl(self->lease, F_SETLEASE, F_UNLCK);
	for (int i = 0; i < CROWD; i++) {
		EXPECT_EQ(0, p9c_wait(open[i]));
		p9c_free(open[i]);
	}
	p9c_free(mkdir);
	p9c_free(flush);
}

TEST_F(ring, reset_cancels_what_waits)
{
	struct p9c *open[CROWD];

	for (uint32_t i = 0; i < CROWD; i++) {
		open[i] = another(&self->w, (uint16_t)(100 + i));
		ASSERT_EQ(0, p9c_walk(self->c, 1, 100 + i, ""));
		p9c_build(open[i], P9_TLOPEN, "dd", 100 + i, O_WRONLY);
		ASSERT_EQ(0, p9c_submit(open[i]));
	}
	settle(&self->w);
	p9_session_reset(self->w.session);
	for (int i = 0; i < CROWD; i++) {
		EXPECT_TRUE(p9c_is_done(open[i]));
		EXPECT_EQ(P9C_DROPPED, p9c_wait(open[i]));
		p9c_free(open[i]);
	}
}

/*
 * Opens that wait for a lease, more than the kernel has threads, on one file system; then one on
 * another. A look at a file takes a thread, too.
 */
TEST_F(ring, one_file_system_leaves_the_ring_to_others)
{
	struct p9_fs *fs = self->w.share->root->fs;
	struct p9c *open[CROWD], *flush = another(&self->w, 1);
	struct p9c_attr a;

	_Static_assert(CROWD > P9_RING_THREADS, "more than there are");
	for (uint32_t i = 0; i < CROWD; i++) {
		open[i] = another(&self->w, (uint16_t)(100 + i));
		ASSERT_EQ(0, p9c_walk(self->c, 1, 100 + i, ""));
		p9c_build(open[i], P9_TLOPEN, "dd", 100 + i, O_WRONLY);
		ASSERT_EQ(0, p9c_submit(open[i]));
	}
	settle(&self->w);
	/* The root's now falls on another file system. */
	self->w.share->root->fs = p9_fs_get(&self->w.server->filesystems, 4711, P9_FS_OTHER);
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(0, p9c_getattr(self->c, 0, &a));
	EXPECT_EQ(10, by_ring(&self->w, P9_TGETATTR));
	self->w.share->root->fs = fs;
	/* What waits for its turn is given up at once. */
	p9c_build(flush, P9_TFLUSH, "w", 100 + CROWD - 1);
	EXPECT_EQ(0, p9c_go(flush));
	EXPECT_EQ(P9C_DROPPED, p9c_wait(open[CROWD - 1]));
	for (int i = 0; i < CROWD - 1; i++)
		EXPECT_FALSE(p9c_is_done(open[i]));
	fcntl(self->lease, F_SETLEASE, F_UNLCK);
	for (int i = 0; i < CROWD - 1; i++)
		EXPECT_EQ(0, p9c_wait(open[i]));
	for (int i = 0; i < CROWD; i++)
		p9c_free(open[i]);
	p9c_free(flush);
}

static atomic_bool reset_over;

static void *reset(void *arg)
{
	p9_session_reset(arg);
	atomic_store(&reset_over, true);
	return NULL;
}

TEST_F(ring, reset_on_another_thread_cancels)
{
	struct p9c *open = another(&self->w, 1);
	pthread_t thread;

	p9c_build(open, P9_TLOPEN, "dd", 1, O_WRONLY);
	ASSERT_EQ(0, p9c_submit(open));
	settle(&self->w);
	pthread_create(&thread, NULL, reset, self->w.session);
	while (!atomic_load(&reset_over))
		p9c_pump(&self->w, 2);
	pthread_join(thread, NULL);
	EXPECT_EQ(P9C_DROPPED, p9c_wait(open));
	p9c_free(open);
}

/* ---- opcodes ---- */

TEST_F(ring, attributes_and_sizes_have_opcodes)
{
	struct p9c_attr set = {.size = 3};
	struct utsname host;
	int major, minor;

	if (variant->executor != P9_EXEC_RING)
		return;
	ASSERT_EQ(0, uname(&host));
	ASSERT_EQ(2, sscanf(host.release, "%d.%d", &major, &minor));
	ASSERT_EQ(0, fcntl(self->lease, F_SETLEASE, F_UNLCK));
	/* Where the file system has none, that is how it says so. */
	EXPECT_NE(0, p9c_call(self->c, P9_TXATTRWALK, "dds", 1, 2, "user.none"));
	EXPECT_EQ(major > 5 || minor >= 19, by_ring(&self->w, P9_TXATTRWALK));
	ASSERT_EQ(0, p9c_walk(self->c, 1, 2, ""));
	ASSERT_EQ(0, p9c_call(self->c, P9_TXATTRCREATE, "dsqd", 2, "user.one", (uint64_t)1, 0));
	ASSERT_EQ(1, p9c_write(self->c, 2, 0, "x", 1));
	p9c_clunk(self->c, 2);
	EXPECT_EQ(major > 5 || minor >= 19, by_ring(&self->w, P9_TCLUNK));
	ASSERT_EQ(0, p9c_walk(self->c, 0, 2, "f"));
	ASSERT_EQ(0, p9c_lopen(self->c, 2, O_RDWR));
	EXPECT_EQ(0, p9c_setattr(self->c, 2, &set, P9_SET_SIZE));
	EXPECT_EQ(major > 6 || (major == 6 && minor >= 9), by_ring(&self->w, P9_TSETATTR));
}

/* ---- identities ---- */

/* More people than the kernel is given at a time, twice, and each several times in a row. */
TEST_F(ring, acts_as_many_people)
{
	const uint32_t people = 150;
	struct stat st;
	char name[32];

	if (geteuid())
		SKIP(return, "only root acts as others");
	for (uint32_t i = 0; i < 2 * people; i++) {
		uint32_t uid = 5000 + i % people;

		snprintf(name, sizeof(name), "dir%u", i);
		ASSERT_EQ(0, p9c_attach(self->c, 10, "", uid));
		EXPECT_EQ(0, p9c_call(self->c, P9_TMKDIR, "dsdd", 10, name, 0700, uid));
		EXPECT_EQ(0, p9c_walk(self->c, 10, 11, name));
		EXPECT_EQ(0, p9c_call(self->c, P9_TMKDIR, "dsdd", 11, "below", 0700, uid));
		EXPECT_EQ(0, p9c_clunk(self->c, 11));
		EXPECT_EQ(0, p9c_clunk(self->c, 10));
		ASSERT_EQ(0, stat(p9c_path(&self->w, name), &st));
		EXPECT_EQ(uid, st.st_uid);
		EXPECT_EQ(0700 | S_IFDIR, st.st_mode);
		/* Another one is not let in. */
		ASSERT_EQ(0, p9c_attach(self->c, 10, "", uid + 1));
		ASSERT_EQ(0, p9c_walk(self->c, 10, 11, name));
		EXPECT_EQ(-EACCES, p9c_call(self->c, P9_TMKDIR, "dsdd", 11, "more", 0700, uid));
		EXPECT_EQ(0, p9c_clunk(self->c, 11));
		EXPECT_EQ(0, p9c_clunk(self->c, 10));
	}
}

/* All at once, as different people, from one submission. */
TEST_F(ring, acts_as_many_people_at_once)
{
	struct p9c *c[CROWD];
	struct stat st;
	char name[32];

	if (geteuid())
		SKIP(return, "only root acts as others");
	for (uint32_t i = 0; i < CROWD; i++) {
		c[i] = another(&self->w, (uint16_t)(100 + i));
		ASSERT_EQ(0, p9c_attach(self->c, 100 + i, "", 5000 + i));
	}
	for (uint32_t i = 0; i < CROWD; i++) {
		snprintf(name, sizeof(name), "dir%u", i);
		p9c_build(c[i], P9_TMKDIR, "dsdd", 100 + i, name, 0700, 5000 + i);
		ASSERT_EQ(0, p9c_submit(c[i]));
	}
	for (uint32_t i = 0; i < CROWD; i++) {
		EXPECT_EQ(0, p9c_wait(c[i]));
		p9c_free(c[i]);
		snprintf(name, sizeof(name), "dir%u", i);
		ASSERT_EQ(0, stat(p9c_path(&self->w, name), &st));
		EXPECT_EQ(5000 + i, st.st_uid);
	}
}

/* ---- rounds ---- */

struct rounds {
	struct p9c *c[3];
	int begun, ended;
	int within; /* replies in rounds */
};

static void on_round(void *arg, bool begins)
{
	struct rounds *rounds = arg;

	*(begins ? &rounds->begun : &rounds->ended) += 1;
	if (!begins)
		for (int i = 0; i < 3; i++)
			rounds->within += p9c_is_done(rounds->c[i]);
}

/* What is in the page cache is read as it is submitted: they complete together. */
static void submit_reads(struct rounds *rounds, int n)
{
	for (int i = 0; i < n; i++) {
		p9c_build(rounds->c[i], P9_TREAD, "dqd", 2, (uint64_t)0, 1);
		if (p9c_submit(rounds->c[i]))
			abort();
	}
}

/* O_NOATIME, since a read that changes the time of access is left to a worker. */
static void open_rounds(struct p9c_world *w, struct rounds *rounds)
{
	for (int i = 0; i < 3; i++)
		rounds->c[i] = another(w, (uint16_t)(20 + i));
	p9_session_on_round(w->session, on_round, rounds);
	if (p9c_walk(w->c, 0, 2, "f") || p9c_lopen(w->c, 2, O_RDONLY | P9_OPEN_NOATIME))
		abort();
}

static void close_rounds(struct rounds *rounds)
{
	for (int i = 0; i < 3; i++)
		p9c_free(rounds->c[i]);
}

TEST_F(ring, what_completes_together_is_a_round)
{
	struct rounds rounds = {0};

	if (variant->executor != P9_EXEC_RING)
		return;
	open_rounds(&self->w, &rounds);
	submit_reads(&rounds, 3);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, p9c_wait(rounds.c[i]));
	EXPECT_EQ(1, rounds.begun);
	EXPECT_EQ(1, rounds.ended);
	EXPECT_EQ(3, rounds.within);
	/* One alone is none. */
	EXPECT_EQ(1, p9c_read(self->c, 2, 0, 1));
	EXPECT_EQ(1, rounds.begun);
	close_rounds(&rounds);
}

/* A round's end is the last thing that Tversion, or a reset, waits for. */
TEST_F(ring, version_and_reset_wait_for_the_end_of_a_round)
{
	struct rounds rounds = {0};

	if (variant->executor != P9_EXEC_RING)
		return;
	open_rounds(&self->w, &rounds);
	submit_reads(&rounds, 2);
	p9c_build(rounds.c[2], P9_TVERSION, "ds", 8192, "9P2000.L");
	ASSERT_EQ(0, p9c_submit(rounds.c[2]));
	EXPECT_EQ(0, p9c_wait(rounds.c[2]));
	EXPECT_EQ(1, rounds.ended);
	EXPECT_EQ(2, rounds.within);
	ASSERT_EQ(0, p9c_attach(self->c, 0, "", P9_NONUNAME));
	ASSERT_EQ(0, p9c_walk(self->c, 0, 2, "f"));
	ASSERT_EQ(0, p9c_lopen(self->c, 2, O_RDONLY | P9_OPEN_NOATIME));
	submit_reads(&rounds, 2);
	p9_session_reset(self->w.session);
	EXPECT_EQ(2, rounds.ended);
	close_rounds(&rounds);
}

TEST_HARNESS_MAIN
