// SPDX-License-Identifier: MIT
/*
 * What happens to requests in flight: Tflush, Tversion, reset, many at once.
 *
 * A file lease that this process holds makes an open for writing wait on the host for as long as
 * the test likes. Setting a file's size is one; by then the request has set the group, and so has to
 * go on to its end.
 */
#include "kselftest_harness.h"

#include <signal.h>

#include "tests/unit/p9client.h"

FIXTURE(session)
{
	struct p9c_world w;
	struct p9c *c;	   /* the ring's thread's */
	struct p9c *other; /* another thread's */
	int lease;
};

FIXTURE_VARIANT(session)
{
	enum p9_executor executor;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(session, sync) { P9_EXEC_SYNC };
FIXTURE_VARIANT_ADD(session, ring) { P9_EXEC_RING };
FIXTURE_VARIANT_ADD(session, auto) { P9_EXEC_AUTO };
/* clang-format on */

static struct p9c *another(struct p9c_world *w, uint16_t tag)
{
	struct p9c *c = p9c_new(w->server, w->session, false);

	c->pump = false;
	c->tag = tag;
	return c;
}

FIXTURE_SETUP(session)
{
	ASSERT_EQ(0, p9c_world_open(&self->w, variant->executor, false, 0));
	self->c = self->w.c;
	self->other = another(&self->w, 7);
	/* The kernel tells the holder of a lease by SIGIO. */
	signal(SIGIO, SIG_IGN);
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "x"));
	self->lease = open(p9c_path(&self->w, "f"), O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, fcntl(self->lease, F_SETLEASE, F_RDLCK));
	ASSERT_EQ(0, p9c_walk(self->c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_walk(self->c, 0, 2, "f"));
}

FIXTURE_TEARDOWN(session)
{
	close(self->lease);
	p9c_free(self->other);
	EXPECT_EQ(0, p9c_world_close(&self->w));
}

static void build_wait(struct p9c *c)
{
	p9c_build(c, P9_TSETATTR, "dddddqqqqq", 1, P9_SET_GID | P9_SET_SIZE, 0, 0, getgid(), 0ull,
		  0ull, 0ull, 0ull, 0ull);
}

static void *submit(void *arg)
{
	struct p9c *c = arg;
	int err = p9c_submit(c);

	return (void *)(intptr_t)err;
}

static void *release(void *arg)
{
	int *lease = arg;

	usleep(100000);
	fcntl(*lease, F_SETLEASE, F_UNLCK);
	return NULL;
}

TEST_F(session, flush_of_nothing)
{
	EXPECT_EQ(0, p9c_call(self->c, P9_TFLUSH, "w", 1234));
	EXPECT_EQ(0, p9c_call(self->c, P9_TFLUSH, "w", self->c->tag)); /* itself */
}

TEST_F(session, flush_waits_for_what_has_begun)
{
	struct p9c *flush = another(&self->w, 8), *flush2 = another(&self->w, 9);
	pthread_t thread, thread2, thread3;

	build_wait(self->other);
	pthread_create(&thread, NULL, submit, self->other);
	p9c_pump(&self->w, 100);
	EXPECT_FALSE(p9c_is_done(self->other));
	/* Meanwhile others go on. */
	EXPECT_EQ(0, p9c_call(self->c, P9_TSTATFS, "d", 0));
	/* One tag at a time. */
	self->c->tag = 7;
	EXPECT_EQ(-EPROTO, p9c_call(self->c, P9_TSTATFS, "d", 0));
	self->c->tag = 0;
	p9c_build(flush, P9_TFLUSH, "w", 7);
	pthread_create(&thread2, NULL, submit, flush);
	p9c_pump(&self->w, 50);
	p9c_build(flush2, P9_TFLUSH, "w", 8);
	pthread_create(&thread3, NULL, submit, flush2);
	p9c_pump(&self->w, 100);
	EXPECT_FALSE(p9c_is_done(flush));
	EXPECT_FALSE(p9c_is_done(flush2));
	EXPECT_FALSE(p9c_is_done(self->other));
	fcntl(self->lease, F_SETLEASE, F_UNLCK);
	while (!p9c_is_done(flush2))
		p9c_pump(&self->w, 2);
	EXPECT_EQ(0, p9c_wait(self->other));
	EXPECT_EQ(0, p9c_wait(flush));
	EXPECT_EQ(0, p9c_wait(flush2));
	EXPECT_LT(self->other->order, flush->order);
	EXPECT_LT(flush->order, flush2->order);
	pthread_join(thread, NULL);
	pthread_join(thread2, NULL);
	pthread_join(thread3, NULL);
	p9c_free(flush);
	p9c_free(flush2);
}

/* Posted to the ring's thread, which has not looked yet. */
TEST_F(session, flush_drops_what_never_began)
{
	struct p9c *flush = another(&self->w, 8);
	pthread_t thread;
	struct stat st;

	p9c_build(self->other, P9_TMKDIR, "dsdd", 0, "d", 0755, getgid());
	pthread_create(&thread, NULL, submit, self->other);
	pthread_join(thread, NULL);
	if (p9c_is_done(self->other)) {
		EXPECT_NE(P9_EXEC_RING, variant->executor);
		p9c_free(flush);
		return;
	}
	p9c_build(flush, P9_TFLUSH, "w", 7);
	pthread_create(&thread, NULL, submit, flush);
	pthread_join(thread, NULL);
	EXPECT_FALSE(p9c_is_done(flush));
	while (!p9c_is_done(flush))
		p9c_pump(&self->w, 2);
	EXPECT_EQ(0, p9c_wait(flush));
	EXPECT_EQ(P9C_DROPPED, p9c_wait(self->other));
	EXPECT_LT(self->other->order, flush->order);
	EXPECT_EQ(-1, stat(p9c_path(&self->w, "d"), &st));
	p9c_free(flush);
}

/* As a request ends, before its reply is out, a Tflush of it comes in on another thread. */
struct late {
	struct p9c *flushed, *flush;
	bool too_early;
};

static void late_done(void *opaque, size_t len)
{
	struct late *late = opaque;

	p9c_submit(late->flush);
	late->too_early = p9c_is_done(late->flush);
	p9c_done(late->flushed, len);
}

TEST_F(session, flush_waits_for_the_reply_to_be_out)
{
	struct late late = {.flushed = another(&self->w, 8), .flush = self->c};
	struct p9c *c = late.flushed;
	struct iovec t_iov, r_iov = {.iov_base = c->r, .iov_len = c->room};
	struct p9_pieces t = {.iov = &t_iov, .n = 1}, r = {.iov = &r_iov, .n = 1, .len = c->room};

	p9c_build(c, P9_TSTATFS, "d", 1);
	p9c_build(late.flush, P9_TFLUSH, "w", 8);
	t_iov = (struct iovec){.iov_base = c->t, .iov_len = c->t_len};
	t.len = c->t_len;
	ASSERT_EQ(0, p9_submit(self->w.session, &t, &r, late_done, &late));
	while (!p9c_is_done(c))
		p9c_pump(&self->w, 2);
	EXPECT_EQ(0, p9c_wait(c));
	EXPECT_EQ(0, p9c_wait(late.flush));
	EXPECT_FALSE(late.too_early);
	EXPECT_LT(c->order, late.flush->order);
	p9c_free(c);
}

TEST_F(session, version_waits_for_all)
{
	struct p9c *version = another(&self->w, 0);
	pthread_t thread, thread2;

	build_wait(self->other);
	pthread_create(&thread, NULL, submit, self->other);
	p9c_pump(&self->w, 100);
	p9c_build(version, P9_TVERSION, "ds", 65536, "9P2000.L");
	pthread_create(&thread2, NULL, submit, version);
	p9c_pump(&self->w, 100);
	EXPECT_FALSE(p9c_is_done(version));
	EXPECT_EQ(-EBUSY, p9c_call(self->c, P9_TSTATFS, "d", 0));
	EXPECT_EQ(-EBUSY, p9c_version(self->c, 65536));
	fcntl(self->lease, F_SETLEASE, F_UNLCK);
	while (!p9c_is_done(version))
		p9c_pump(&self->w, 2);
	EXPECT_EQ(0, p9c_wait(self->other));
	EXPECT_EQ(0, p9c_wait(version));
	EXPECT_LT(self->other->order, version->order);
	EXPECT_EQ(-EBADF, p9c_clunk(self->c, 1));
	EXPECT_EQ(0, p9c_attach(self->c, 0, "", P9_NONUNAME));
	pthread_join(thread, NULL);
	pthread_join(thread2, NULL);
	p9c_free(version);
}

TEST_F(session, reset_waits_for_all)
{
	pthread_t thread, thread2;

	build_wait(self->other);
	pthread_create(&thread, NULL, submit, self->other);
	p9c_pump(&self->w, 100);
	EXPECT_FALSE(p9c_is_done(self->other));
	pthread_create(&thread2, NULL, release, &self->lease);
	p9_session_reset(self->w.session); /* on the ring's thread */
	EXPECT_TRUE(p9c_is_done(self->other));
	EXPECT_EQ(-EPROTO, p9c_call(self->c, P9_TSTATFS, "d", 0));
	EXPECT_EQ(0, p9c_version(self->c, 65536));
	EXPECT_EQ(-EBADF, p9c_call(self->c, P9_TSTATFS, "d", 0));
	EXPECT_EQ(0, p9c_attach(self->c, 0, "", P9_NONUNAME));
	pthread_join(thread, NULL);
	pthread_join(thread2, NULL);
	p9_session_reset(self->w.session);
}

static atomic_bool reset_over;

static void *reset(void *arg)
{
	p9_session_reset(arg);
	atomic_store(&reset_over, true);
	return NULL;
}

TEST_F(session, reset_on_another_thread)
{
	pthread_t thread, thread2;

	build_wait(self->other);
	pthread_create(&thread, NULL, submit, self->other);
	p9c_pump(&self->w, 100);
	pthread_create(&thread2, NULL, reset, self->w.session);
	p9c_pump(&self->w, 100);
	EXPECT_FALSE(atomic_load(&reset_over));
	EXPECT_FALSE(p9c_is_done(self->other));
	/* What comes in meanwhile comes back empty. */
	EXPECT_EQ(P9C_DROPPED, p9c_call(self->c, P9_TSTATFS, "d", 0));
	fcntl(self->lease, F_SETLEASE, F_UNLCK);
	while (!atomic_load(&reset_over))
		p9c_pump(&self->w, 2);
	EXPECT_TRUE(p9c_is_done(self->other));
	EXPECT_EQ(0, p9c_wait(self->other));
	pthread_join(thread, NULL);
	pthread_join(thread2, NULL);
}

TEST_F(session, clunk_while_in_use)
{
	pthread_t thread;

	p9c_build(self->other, P9_TLOPEN, "dd", 1, O_WRONLY);
	pthread_create(&thread, NULL, submit, self->other);
	p9c_pump(&self->w, 100);
	EXPECT_EQ(0, p9c_clunk(self->c, 1));
	EXPECT_EQ(0, p9c_walk(self->c, 0, 1, "")); /* the number is free, and is another fid */
	fcntl(self->lease, F_SETLEASE, F_UNLCK);
	while (!p9c_is_done(self->other))
		p9c_pump(&self->w, 2);
	EXPECT_EQ(-EBADF, p9c_wait(self->other));
	EXPECT_EQ(-EBADF, p9c_read(self->c, 1, 0, 1));
	pthread_join(thread, NULL);
}

struct crowd {
	struct p9c *c[P9_MAX_REQS];
	struct p9_session *session;
	int failed;
};

static void *submit_crowd(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < P9_MAX_REQS; i++)
		if (p9c_submit(crowd->c[i]))
			crowd->failed++;
	return NULL;
}

/* More than the ring's queues hold, all handed over before its thread looks. */
TEST_F(session, as_many_as_may_be)
{
	static struct crowd crowd[4];
	struct p9c *more = another(&self->w, 999);
	pthread_t thread;
	bool waiting;

	for (int s = 0; s < 4; s++) {
		ASSERT_EQ(0, p9_session_new(&crowd[s].session, self->w.share));
		for (int i = 0; i < P9_MAX_REQS; i++) {
			struct p9c *c = another(&self->w, (uint16_t)i);

			c->session = crowd[s].session;
			crowd[s].c[i] = c;
		}
		crowd[s].c[0]->pump = self->c->pump;
		ASSERT_EQ(0, p9c_version(crowd[s].c[0], 8192));
		ASSERT_EQ(0, p9c_attach(crowd[s].c[0], 0, "", P9_NONUNAME));
		ASSERT_EQ(0, p9c_walk(crowd[s].c[0], 0, 1, "f"));
		for (int i = 0; i < P9_MAX_REQS; i++) {
			p9c_build(crowd[s].c[i], P9_TGETATTR, "dq", 1, (uint64_t)0x7ff);
			if (i % 2)
				p9c_build(crowd[s].c[i], P9_TWALK, "ddws", 0, 10 + i, 1, "f");
		}
	}
	for (int s = 0; s < 4; s++) {
		pthread_create(&thread, NULL, submit_crowd, &crowd[s]);
		pthread_join(thread, NULL);
		EXPECT_EQ(0, crowd[s].failed);
	}
	waiting = !p9c_is_done(crowd[0].c[0]);
	EXPECT_EQ(variant->executor == P9_EXEC_RING, waiting);
	if (waiting) {
		more->session = crowd[0].session;
		p9c_build(more, P9_TSTATFS, "d", 0);
		EXPECT_EQ(-EAGAIN, p9c_submit(more));
	}
	for (int s = 0; s < 4; s++) {
		for (int i = 0; i < P9_MAX_REQS; i++) {
			crowd[s].c[i]->pump = self->c->pump;
			EXPECT_EQ(0, p9c_wait(crowd[s].c[i]));
			p9c_free(crowd[s].c[i]);
		}
		p9_session_free(crowd[s].session);
	}
	p9c_free(more);
}

/* ---- several threads on one session ---- */

#define THREADS 4
#define ROUNDS	60

struct actor {
	struct p9c *c;
	int i;
	int failed;
	atomic_int *running;
};

static void *act(void *arg)
{
	struct actor *a = arg;
	uint32_t dir = 1000u * (a->i + 1), file = dir + 1, second = dir + 2, shared = 500;
	char name[32], other[32];
	int bad = 0;

	snprintf(name, sizeof(name), "dir%d", a->i);
	bad += p9c_call(a->c, P9_TMKDIR, "dsdd", 0, name, 0755, getgid()) != 0;
	bad += p9c_walk(a->c, 0, dir, name) != 0;
	for (int round = 0; round < ROUNDS && !bad; round++) {
		snprintf(name, sizeof(name), "file%d", round);
		snprintf(other, sizeof(other), "other%d", round % 3);
		bad += p9c_walk(a->c, dir, file, "") != 0;
		bad += p9c_lcreate(a->c, file, name, O_RDWR, 0644, getgid()) != 0;
		bad += p9c_write(a->c, file, 0, name, 6) != 6;
		bad += p9c_read(a->c, file, 0, 100) != 6 || memcmp(a->c->rp, name, 6) != 0;
		bad += p9c_walk(a->c, dir, second, name) != 0;
		bad += p9c_call(a->c, P9_TRENAMEAT, "dsds", dir, name, dir, other) != 0;
		bad += p9c_call(a->c, P9_TREMOVE, "d", second) != 0;
		bad += p9c_clunk(a->c, file) != 0;
		/* One number for all of them: whoever comes first. */
		p9c_walk(a->c, 0, shared, "f");
		p9c_lopen(a->c, shared, O_RDONLY);
		p9c_read(a->c, shared, 0, 10);
		p9c_walk(a->c, shared, shared, "");
		p9c_clunk(a->c, shared);
		/* And they move one folder about, and look up from it. */
		p9c_call(a->c, P9_TRENAMEAT, "dsds", 0, "ball", dir, "ball");
		p9c_walk(a->c, dir, second, "ball/..");
		p9c_clunk(a->c, second);
		p9c_call(a->c, P9_TRENAMEAT, "dsds", dir, "ball", 0, "ball");
	}
	a->failed = bad;
	atomic_fetch_sub(a->running, 1);
	return NULL;
}

TEST_F(session, several_threads)
{
	struct actor actor[THREADS];
	pthread_t thread[THREADS];
	atomic_int running = THREADS;

	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "ball"), 0755));
	for (int i = 0; i < THREADS; i++) {
		actor[i] = (struct actor){another(&self->w, 20 + i), i, 0, &running};
		pthread_create(&thread[i], NULL, act, &actor[i]);
	}
	while (atomic_load(&running))
		p9c_pump(&self->w, 2);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, actor[i].failed);
		p9c_free(actor[i].c);
	}
}

/* Workers that have not begun: what waits for them is dropped all the same. */
TEST(flush_before_the_workers_start)
{
	struct p9c_world w = {.idle_workers = true};
	struct p9c *mknod, *flush;
	struct stat st;

	ASSERT_EQ(0, p9c_world_open(&w, P9_EXEC_RING, false, 0));
	mknod = another(&w, 1);
	flush = another(&w, 2);
	flush->pump = true;
	p9c_build(mknod, P9_TMKNOD, "dsdddd", 0, "p", S_IFIFO | 0644, 0, 0, getgid());
	ASSERT_EQ(0, p9c_submit(mknod));
	p9c_build(flush, P9_TFLUSH, "w", 1);
	EXPECT_EQ(0, p9c_go(flush));
	EXPECT_EQ(P9C_DROPPED, p9c_wait(mknod));
	EXPECT_LT(mknod->order, flush->order);
	EXPECT_EQ(-1, stat(p9c_path(&w, "p"), &st));
	p9c_free(mknod);
	p9c_free(flush);
	EXPECT_EQ(0, p9c_world_close(&w));
}

TEST_HARNESS_MAIN
