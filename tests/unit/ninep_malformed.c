// SPDX-License-Identifier: MIT
/* Requests that are not: each earns an Rlerror or comes back empty, and the session lives on. */
#include "kselftest_harness.h"

#include "tests/unit/p9client.h"

FIXTURE(bad)
{
	struct p9c_world w;
	struct p9c *c;
};

FIXTURE_VARIANT(bad)
{
	enum p9_executor executor;
	bool crumbs;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(bad, sync) { P9_EXEC_SYNC, false };
FIXTURE_VARIANT_ADD(bad, ring) { P9_EXEC_RING, false };
FIXTURE_VARIANT_ADD(bad, auto) { P9_EXEC_AUTO, false };
FIXTURE_VARIANT_ADD(bad, auto_crumbs) { P9_EXEC_AUTO, true };
/* clang-format on */

FIXTURE_SETUP(bad)
{
	ASSERT_EQ(0, p9c_world_open(&self->w, variant->executor, variant->crumbs, 0));
	self->c = self->w.c;
}

FIXTURE_TEARDOWN(bad)
{
	EXPECT_EQ(0, p9c_world_close(&self->w));
}

/* The fids that the templates below use; the rest is clunked. */
static int set_up(struct p9c_world *w)
{
	struct p9c *c = w->c;
	int err;

	p9c_host_file(w, "f", "hello");
	symlink("f", p9c_path(w, "l"));
	mkdir(p9c_path(w, "d"), 0755);
	chmod(p9c_path(w, "f"), 0666);
	chmod(p9c_path(w, ""), 0777);
	for (uint32_t fid = 0; fid < 32; fid++)
		p9c_clunk(c, fid);
	err = p9c_attach(c, 0, "", P9_NONUNAME);
	err = err ?: p9c_walk(c, 0, 1, "f");
	err = err ?: p9c_lopen(c, 1, O_RDWR);
	err = err ?: p9c_walk(c, 0, 2, "l");
	err = err ?: p9c_walk(c, 0, 3, "");
	err = err ?: p9c_lopen(c, 3, O_RDONLY);
	err = err ?: p9c_walk(c, 0, 4, "f");
	return err;
}

/* A valid request, number i; false if there are no more. */
static bool template(struct p9c *c, int i)
{
	switch (i) {
	case 0:
		p9c_build(c, P9_TSTATFS, "d", 0);
		break;
	case 1:
		p9c_build(c, P9_TLOPEN, "dd", 4, O_RDONLY);
		break;
	case 2:
		p9c_build(c, P9_TLCREATE, "dsddd", 0, "new", O_RDWR, 0644, getgid());
		break;
	case 3:
		p9c_build(c, P9_TSYMLINK, "dssd", 0, "sym", "target", getgid());
		break;
	case 4:
		p9c_build(c, P9_TMKNOD, "dsdddd", 0, "nod", S_IFIFO | 0644, 0, 0, getgid());
		break;
	case 5:
		p9c_build(c, P9_TRENAME, "dds", 4, 0, "f");
		break;
	case 6:
		p9c_build(c, P9_TREADLINK, "d", 2);
		break;
	case 7:
		p9c_build(c, P9_TGETATTR, "dq", 1, (uint64_t)0x3fff);
		break;
	case 8:
		p9c_build(c, P9_TSETATTR,
			  "ddddd"
			  "qqqqq",
			  1, P9_SET_MODE, 0644, 0, 0, (uint64_t)0, (uint64_t)0, (uint64_t)0,
			  (uint64_t)0, (uint64_t)0);
		break;
	case 9:
		p9c_build(c, P9_TREADDIR, "dqd", 3, (uint64_t)0, 1000);
		break;
	case 10:
		p9c_build(c, P9_TFSYNC, "dd", 1, 0);
		break;
	case 11:
		p9c_build(c, P9_TLINK, "dds", 0, 4, "lnk");
		break;
	case 12:
		p9c_build(c, P9_TMKDIR, "dsdd", 0, "dir", 0755, getgid());
		break;
	case 13:
		p9c_build(c, P9_TRENAMEAT, "dsds", 0, "f", 0, "f");
		break;
	case 14:
		p9c_build(c, P9_TUNLINKAT, "dsd", 0, "d", 0x200);
		break;
	case 15:
		p9c_build(c, P9_TATTACH, "ddssd", 20, P9_NOFID, "user", "d", 0);
		break;
	case 16:
		p9c_build(c, P9_TFLUSH, "w", 77);
		break;
	case 17:
		p9c_build(c, P9_TWALK, "ddwss", 0, 21, 2, "d", "..");
		break;
	case 18:
		p9c_build(c, P9_TREAD, "dqd", 1, (uint64_t)0, 100);
		break;
	case 19:
		p9c_build(c, P9_TWRITE, "dqdbbbbb", 1, (uint64_t)0, 5, 1, 2, 3, 4, 5);
		break;
	case 20:
		p9c_build(c, P9_TCLUNK, "d", 4);
		break;
	case 21:
		p9c_build(c, P9_TREMOVE, "d", 2);
		break;
	case 22:
		p9c_build(c, P9_TVERSION, "ds", 65536, "9P2000.L");
		break;
	default:
		return false;
	}
	return true;
}

static void set_size(struct p9c *c, uint32_t size)
{
	size = htole32(size);
	memcpy(c->t, &size, 4);
}

TEST_F(bad, cut_short_anywhere)
{
	struct p9c *c = self->c;

	ASSERT_EQ(0, set_up(&self->w));
	for (int i = 0; template(c, i); i++) {
		size_t len = c->t_len;

		for (size_t cut = 0; cut < len; cut++) {
			/* The size says more than there is. */
			ASSERT_EQ(0, p9c_submit_len(c, cut));
			EXPECT_EQ(cut < 7 ? P9C_DROPPED : -EPROTO, p9c_wait(c));
			/* It says the truth, but a field is missing. Tfsync may do without its
			 * last. */
			set_size(c, (uint32_t)cut);
			ASSERT_EQ(0, p9c_submit_len(c, cut));
			EXPECT_EQ(cut < 7		 ? P9C_DROPPED
				  : i == 10 && cut == 11 ? 0
							 : -EPROTO,
				  p9c_wait(c))
			TH_LOG("template %d, %zu bytes", i, cut);
			/* It says less than there is. */
			ASSERT_EQ(0, p9c_submit_len(c, len));
			EXPECT_EQ(i == 10 && cut == 11 ? 0 : -EPROTO, p9c_wait(c));
			set_size(c, (uint32_t)len);
		}
		/* One byte too many. */
		c->t[len] = 0;
		set_size(c, (uint32_t)len + 1);
		ASSERT_EQ(0, p9c_submit_len(c, len + 1));
		EXPECT_EQ(-EPROTO, p9c_wait(c));
		/* And none of all that has hurt: the real thing works. */
		set_size(c, (uint32_t)len);
		c->t_len = len;
		EXPECT_EQ(0, p9c_go(c))
		TH_LOG("template %d", i);
		if (i != 22)
			ASSERT_EQ(0, set_up(&self->w));
	}
}

TEST_F(bad, sizes)
{
	const struct p9_pieces none = {.n = 0}, many = {.n = P9_MAX_IOV + 1};
	struct p9c *c = self->c;

	p9c_build(c, P9_TSTATFS, "d", 0);
	for (uint32_t size = 0; size < 11; size++) {
		set_size(c, size);
		EXPECT_EQ(-EPROTO, p9c_go(c));
	}
	set_size(c, UINT32_MAX);
	EXPECT_EQ(-EPROTO, p9c_go(c));
	/* More than msize, and more than is read of anything but Twrite. */
	c->t_len = 140000;
	set_size(c, 140000);
	EXPECT_EQ(-EMSGSIZE, p9c_go(c));
	c->t_len = 10000;
	set_size(c, 10000);
	EXPECT_EQ(-EMSGSIZE, p9c_go(c));
	/* Bytes behind the message are nobody's. */
	p9c_build(c, P9_TSTATFS, "d", 0);
	c->t_len += 100;
	EXPECT_EQ(0, p9c_go(c));
	EXPECT_EQ(-EINVAL, p9_submit(self->w.session, &many, &none, p9c_done, c));
	EXPECT_EQ(-EINVAL, p9_submit(self->w.session, &none, &many, p9c_done, c));
	c->done = false;
	EXPECT_EQ(0, p9_submit(self->w.session, &none, &none, p9c_done, c));
	EXPECT_EQ(P9C_DROPPED, p9c_wait(c));
}

TEST_F(bad, before_version)
{
	struct p9c *c = self->c;

	p9_session_reset(self->w.session);
	for (int i = 0; template(c, i); i++)
		if (c->t[4] != P9_TVERSION)
			EXPECT_EQ(-EPROTO, p9c_go(c));
}

static uint32_t rnd(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*state >> 33);
}

static bool is_an_answer(int res)
{
	return res == P9C_DROPPED || (res <= 0 && res > -4096);
}

TEST_F(bad, random_bytes)
{
	static const uint8_t fill[] = {0x00, 0xff};
	struct p9c *c = self->c;
	uint64_t state = 1;

	ASSERT_EQ(0, set_up(&self->w));
	for (int round = 0; round < 4000; round++) {
		size_t len = rnd(&state) % 300;

		for (size_t i = 0; i < len; i++) {
			/* Many zeros, so that fids and lengths are sometimes small. */
			c->t[i] = (uint8_t)(rnd(&state) % 3 ? fill[rnd(&state) % 16 == 0]
							    : rnd(&state));
		}
		c->t_len = len;
		set_size(c, (uint32_t)len);
		c->t[4] = (uint8_t)(rnd(&state) % 128);
		c->room = rnd(&state) % 4 ? sizeof(c->r) : rnd(&state) % 200;
		ASSERT_TRUE(is_an_answer(p9c_go(c)));
	}
	c->room = sizeof(c->r);
	ASSERT_EQ(0, p9c_version(c, 131072));
	EXPECT_EQ(0, p9c_attach(c, 0, "", P9_NONUNAME));
}

TEST_F(bad, flipped_bits)
{
	struct p9c *c = self->c;
	uint64_t state = 2;

	ASSERT_EQ(0, p9c_version(c, 131072));
	for (int round = 0; round < 4000; round++) {
		if (round % 100 == 0) {
			p9c_version(c, 131072);
			set_up(&self->w);
		}
		template(c, (int)(rnd(&state) % 23));
		for (uint32_t flips = rnd(&state) % 4; flips; flips--)
			c->t[4 + rnd(&state) % (c->t_len - 4)] ^= (uint8_t)(1u << rnd(&state) % 8);
		if (c->t[4] == P9_TWRITE || c->t[4] == P9_TSETATTR)
			c->t[sizeof("size[4]t") + 8] &= 0x7f; /* not exabytes on the disk */
		ASSERT_TRUE(is_an_answer(p9c_go(c)));
	}
	ASSERT_EQ(0, p9c_version(c, 131072));
	EXPECT_EQ(0, p9c_attach(c, 0, "", P9_NONUNAME));
}

TEST_F(bad, fid_limit)
{
	struct p9c *c = self->c;
	int err = 0;
	uint32_t fid;

	/* Millions of requests: enough to try it once, and too many for a sanitizer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	SKIP(return, "takes too long with a sanitizer");
#endif
	if (variant->executor != P9_EXEC_SYNC)
		return;
	for (fid = 1; !err && fid < P9_MAX_FIDS + 10; fid++)
		err = p9c_walk(c, 0, fid, "");
	EXPECT_EQ(-EMFILE, err);
	EXPECT_EQ(P9_MAX_FIDS + 1, fid);
	EXPECT_EQ(0, p9c_clunk(c, 5));
	EXPECT_EQ(0, p9c_walk(c, 0, 5, ""));
}

TEST_HARNESS_MAIN
