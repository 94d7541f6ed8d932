// SPDX-License-Identifier: MIT
/* Sessions and names, used well and badly, in every executor, in whole buffers and in crumbs. */
#include "kselftest_harness.h"

#include "tests/unit/p9client.h"

FIXTURE(p9)
{
	struct p9c_world w;
	struct p9c *c;
};

FIXTURE_VARIANT(p9)
{
	enum p9_executor executor;
	bool crumbs;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(p9, sync) { P9_EXEC_SYNC, false };
FIXTURE_VARIANT_ADD(p9, ring) { P9_EXEC_RING, false };
FIXTURE_VARIANT_ADD(p9, auto) { P9_EXEC_AUTO, false };
FIXTURE_VARIANT_ADD(p9, sync_crumbs) { P9_EXEC_SYNC, true };
FIXTURE_VARIANT_ADD(p9, ring_crumbs) { P9_EXEC_RING, true };
FIXTURE_VARIANT_ADD(p9, auto_crumbs) { P9_EXEC_AUTO, true };
/* clang-format on */

FIXTURE_SETUP(p9)
{
	ASSERT_EQ(0, p9c_world_open(&self->w, variant->executor, variant->crumbs, 0));
	self->c = self->w.c;
}

FIXTURE_TEARDOWN(p9)
{
	EXPECT_EQ(0, p9c_world_close(&self->w));
}

static bool exists(const struct p9c_world *w, const char *name)
{
	struct stat st;

	return !lstat(p9c_path(w, name), &st);
}

TEST_F(p9, version)
{
	struct p9c *c = self->c;
	char version[64];

	ASSERT_EQ(0, p9c_call(c, P9_TVERSION, "ds", 1u << 30, "9P2000.L"));
	EXPECT_EQ(P9_MSIZE_MAX, p9c_get(c, 4));
	p9c_get_string(c, version);
	EXPECT_STREQ("9P2000.L", version);
	ASSERT_EQ(0, p9c_call(c, P9_TVERSION, "ds", 8192, "9P2000.L"));
	EXPECT_EQ(8192, p9c_get(c, 4));
	/* The fids are gone. */
	EXPECT_EQ(-EBADF, p9c_clunk(c, 0));
	EXPECT_EQ(-EMSGSIZE, p9c_version(c, 4095));
	ASSERT_EQ(0, p9c_call(c, P9_TVERSION, "ds", 8192, "9P2000.u"));
	p9c_get(c, 4);
	p9c_get_string(c, version);
	EXPECT_STREQ("unknown", version);
	EXPECT_EQ(-EPROTO, p9c_attach(c, 0, "", P9_NONUNAME));
}

TEST_F(p9, version_clunks_open_fids)
{
	struct p9c *c = self->c;

	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	ASSERT_EQ(0, p9c_lcreate(c, 1, "f", O_RDWR, 0644, 0));
	ASSERT_EQ(0, p9c_version(c, 65536));
	ASSERT_EQ(0, p9c_attach(c, 0, "", P9_NONUNAME));
	EXPECT_EQ(0, p9c_walk(c, 0, 1, "f"));
}

TEST_F(p9, attach)
{
	struct p9c *c = self->c;

	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "a"), 0755));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "a/b"), 0755));
	ASSERT_EQ(0, p9c_host_file(&self->w, "a/b/f", "x"));
	EXPECT_EQ(-EBADF, p9c_attach(c, 0, "", P9_NONUNAME));
	EXPECT_EQ(0, p9c_attach(c, 1, "/", P9_NONUNAME));
	EXPECT_EQ(0, p9c_attach(c, 2, "a/b", P9_NONUNAME));
	EXPECT_EQ(0, p9c_attach(c, 3, "//a//b/", P9_NONUNAME));
	EXPECT_EQ(0, p9c_walk(c, 2, 4, "f"));
	EXPECT_EQ(-ENOENT, p9c_attach(c, 9, "nowhere", P9_NONUNAME));
	EXPECT_EQ(-ENOTDIR, p9c_attach(c, 9, "a/b/f", P9_NONUNAME));
	EXPECT_EQ(-EINVAL, p9c_attach(c, 9, "..", P9_NONUNAME));
	EXPECT_EQ(-EINVAL, p9c_attach(c, 9, "a/../a", P9_NONUNAME));
	EXPECT_EQ(-EBADF, p9c_call(c, P9_TATTACH, "ddssd", 9, 7, "u", "", 0));
	EXPECT_EQ(-EBADF, p9c_attach(c, P9_NOFID, "", P9_NONUNAME));
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TAUTH, "dssd", 9, "u", "", 0));
}

TEST_F(p9, unknown_messages)
{
	struct p9c *c = self->c;

	for (unsigned int type = 0; type < 256; type += 2) {
		switch (type) {
		case P9_TSTATFS:
		case P9_TLOPEN:
		case P9_TLCREATE:
		case P9_TSYMLINK:
		case P9_TMKNOD:
		case P9_TRENAME:
		case P9_TREADLINK:
		case P9_TGETATTR:
		case P9_TSETATTR:
		case P9_TXATTRWALK:
		case P9_TXATTRCREATE:
		case P9_TREADDIR:
		case P9_TFSYNC:
		case P9_TLOCK:
		case P9_TGETLOCK:
		case P9_TLINK:
		case P9_TMKDIR:
		case P9_TRENAMEAT:
		case P9_TUNLINKAT:
		case P9_TVERSION:
		case P9_TAUTH:
		case P9_TATTACH:
		case P9_TFLUSH:
		case P9_TWALK:
		case P9_TREAD:
		case P9_TWRITE:
		case P9_TCLUNK:
		case P9_TREMOVE:
			continue;
		}
		EXPECT_EQ(-EOPNOTSUPP, p9c_call(c, (uint8_t)type, "d", 0));
	}
}

TEST_F(p9, walk)
{
	struct p9c *c = self->c;
	struct p9c_qid root, a, b;
	struct p9c_attr attr;

	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "a"), 0755));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "a/b"), 0755));
	ASSERT_EQ(0, p9c_host_file(&self->w, "a/b/f", "x"));

	ASSERT_EQ(0, p9c_getattr(c, 0, &attr));
	root = attr.qid;
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "a/b/f"));
	a = p9c_get_qid(c);
	b = p9c_get_qid(c);
	EXPECT_EQ(P9_QTDIR, a.type);
	EXPECT_EQ(P9_QTDIR, b.type);
	EXPECT_EQ(0, p9c_get_qid(c).type);
	EXPECT_EQ(-EBADF, p9c_walk(c, 0, 1, "a")); /* in use */
	EXPECT_EQ(-EBADF, p9c_walk(c, 77, 2, "a"));
	EXPECT_EQ(-EBADF, p9c_walk(c, 0, P9_NOFID, "a"));

	/* Part of the way: qids, but no fid. */
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 2, "a/nothing/f"));
	EXPECT_EQ(7 + 2 + 13, c->r_len);
	EXPECT_EQ(-EBADF, p9c_clunk(c, 2));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 2, "nothing"));
	EXPECT_EQ(11, c->r_len);
	EXPECT_EQ(-ENOTDIR, p9c_walk(c, 1, 2, "x"));
	EXPECT_EQ(-ENOTDIR, p9c_walk(c, 1, 2, ".."));

	/* `..` */
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "a/b/../../.."));
	for (int i = 0; i < 4; i++)
		p9c_get_qid(c);
	EXPECT_EQ(root.path, p9c_get_qid(c).path);
	ASSERT_EQ(0, p9c_walk(c, 2, 3, "a/b/.."));
	p9c_get_qid(c);
	EXPECT_EQ(b.path, p9c_get_qid(c).path);
	EXPECT_EQ(a.path, p9c_get_qid(c).path);

	/* newfid == fid */
	ASSERT_EQ(0, p9c_walk(c, 3, 3, "b/f"));
	ASSERT_EQ(0, p9c_getattr(c, 3, &attr));
	EXPECT_TRUE(S_ISREG(attr.mode));
	ASSERT_EQ(0, p9c_walk(c, 3, 3, ""));
	ASSERT_EQ(0, p9c_lopen(c, 3, O_RDONLY));
	EXPECT_EQ(-EBUSY, p9c_walk(c, 3, 3, "x"));
	ASSERT_EQ(0, p9c_walk(c, 3, 4, "")); /* a clone of an open fid is not open */
	EXPECT_EQ(-EBADF, p9c_read(c, 4, 0, 1));

	/* too many names */
	p9c_build(c, P9_TWALK,
		  "ddw"
		  "sssssssss"
		  "ssssssss",
		  0, 9, 17, "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a",
		  "a", "a", "a");
	EXPECT_EQ(-EPROTO, p9c_go(c));
	ASSERT_EQ(0, p9c_walk(c, 0, 9, "a/b/../b/../b/../b/../b/../b/../b/.."));
}

TEST_F(p9, bad_names)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "/", "/etc", "../x"};
	struct p9c *c = self->c;
	char longest[257];

	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "a"), 0755));
	ASSERT_EQ(0, p9c_host_file(&self->w, "a/b", "x"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "a/b"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *s = bad[i];

		if (strcmp(s, "..") != 0) {
			EXPECT_EQ(-EINVAL, p9c_call(c, P9_TWALK, "ddws", 0, 9, 1, s));
			EXPECT_EQ(-EINVAL, p9c_call(c, P9_TWALK, "ddwss", 0, 9, 2, "a", s));
		}
		EXPECT_EQ(-EINVAL, p9c_lcreate(c, 0, s, O_RDWR, 0644, 0));
		EXPECT_EQ(-EINVAL, p9c_call(c, P9_TMKDIR, "dsdd", 0, s, 0755, 0));
		EXPECT_EQ(-EINVAL, p9c_call(c, P9_TSYMLINK, "dssd", 0, s, "t", 0));
		EXPECT_EQ(-EINVAL, p9c_call(c, P9_TMKNOD, "dsdddd", 0, s, S_IFIFO, 0, 0, 0));
		EXPECT_EQ(-EINVAL, p9c_call(c, P9_TLINK, "dds", 0, 1, s));
		EXPECT_EQ(-EINVAL, p9c_call(c, P9_TRENAME, "dds", 1, 0, s));
		EXPECT_EQ(-EINVAL, p9c_call(c, P9_TRENAMEAT, "dsds", 0, s, 0, "x"));
		EXPECT_EQ(-EINVAL, p9c_call(c, P9_TRENAMEAT, "dsds", 0, "a", 0, s));
		EXPECT_EQ(-EINVAL, p9c_call(c, P9_TUNLINKAT, "dsd", 0, s, 0));
	}
	memset(longest, 'x', 256);
	longest[256] = 0;
	EXPECT_EQ(-ENAMETOOLONG, p9c_lcreate(c, 0, longest, O_RDWR, 0644, 0));
	longest[255] = 0;
	EXPECT_EQ(0, p9c_call(c, P9_TMKDIR, "dsdd", 0, longest, 0755, 0));
	EXPECT_EQ(0, p9c_walk(c, 0, 3, longest));
	/* A NUL within. */
	p9c_build(c, P9_TMKDIR, "dsdd", 0, "abc", 0755, 0);
	c->t[14] = 0;
	EXPECT_EQ(-EINVAL, p9c_go(c));
}

TEST_F(p9, symlinks)
{
	struct p9c *c = self->c;
	static char target[5000];
	char back[5000];

	ASSERT_EQ(0, p9c_call(c, P9_TSYMLINK, "dssd", 0, "l", "/etc/passwd", getgid()));
	EXPECT_EQ(P9_QTSYMLINK, p9c_get_qid(c).type);
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "l"));
	EXPECT_EQ(P9_QTSYMLINK, p9c_get_qid(c).type);
	ASSERT_EQ(0, p9c_call(c, P9_TREADLINK, "d", 1));
	p9c_get_string(c, back);
	EXPECT_STREQ("/etc/passwd", back);
	EXPECT_EQ(-ELOOP, p9c_lopen(c, 1, O_RDONLY));
	EXPECT_EQ(-ENOTDIR, p9c_walk(c, 1, 2, "x"));
	EXPECT_EQ(-EINVAL, p9c_call(c, P9_TREADLINK, "d", 0));
	EXPECT_EQ(-EEXIST, p9c_call(c, P9_TSYMLINK, "dssd", 0, "l", "x", 0));
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TSYMLINK, "dssd", 0, "m", "", 0));
	memset(target, 't', sizeof(target));
	target[4000] = 0;
	ASSERT_EQ(0, p9c_call(c, P9_TSYMLINK, "dssd", 0, "long", target, getgid()));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "long"));
	ASSERT_EQ(0, p9c_call(c, P9_TREADLINK, "d", 2));
	p9c_get_string(c, back);
	EXPECT_STREQ(target, back);
	c->room = 4008; /* one byte short */
	EXPECT_EQ(-EMSGSIZE, p9c_call(c, P9_TREADLINK, "d", 2));
	c->room = sizeof(c->r);
	target[4000] = 't';
	target[4096] = 0;
	EXPECT_EQ(-ENAMETOOLONG, p9c_call(c, P9_TSYMLINK, "dssd", 0, "n", target, 0));
}

TEST_F(p9, mkdir_rmdir)
{
	struct p9c *c = self->c;
	struct stat st;

	ASSERT_EQ(0, p9c_call(c, P9_TMKDIR, "dsdd", 0, "d", 01777, getgid()));
	EXPECT_EQ(P9_QTDIR, p9c_get_qid(c).type);
	ASSERT_EQ(0, stat(p9c_path(&self->w, "d"), &st));
	EXPECT_EQ(041777, st.st_mode);
	EXPECT_EQ(-EEXIST, p9c_call(c, P9_TMKDIR, "dsdd", 0, "d", 0755, 0));
	EXPECT_EQ(-EBADF, p9c_call(c, P9_TMKDIR, "dsdd", 8, "d", 0755, 0));
	EXPECT_EQ(-EISDIR, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "d", 0));
	EXPECT_EQ(-EINVAL, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "d", 0x100));
	ASSERT_EQ(0, p9c_host_file(&self->w, "d/f", "x"));
	EXPECT_EQ(-ENOTEMPTY, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "d", 0x200));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "d/f"));
	EXPECT_EQ(-ENOTDIR, p9c_call(c, P9_TMKDIR, "dsdd", 1, "d", 0755, 0));
	EXPECT_EQ(-ENOTDIR, p9c_call(c, P9_TUNLINKAT, "dsd", 1, "d", 0));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "d"));
	EXPECT_EQ(-ENOTDIR, p9c_call(c, P9_TUNLINKAT, "dsd", 2, "f", 0x200));
	EXPECT_EQ(0, p9c_call(c, P9_TUNLINKAT, "dsd", 2, "f", 0));
	EXPECT_EQ(0, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "d", 0x200));
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "d", 0x200));
	/* `..` of a folder that is gone */
	EXPECT_EQ(0, p9c_walk(c, 2, 3, ".."));
}

TEST_F(p9, link)
{
	struct p9c *c = self->c;
	struct p9c_attr a;

	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "x"));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d"), 0755));
	ASSERT_EQ(0, symlink("f", p9c_path(&self->w, "l")));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "d"));
	ASSERT_EQ(0, p9c_walk(c, 0, 3, "l"));
	ASSERT_EQ(0, p9c_call(c, P9_TLINK, "dds", 2, 1, "g"));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(2, a.nlink);
	EXPECT_EQ(-EEXIST, p9c_call(c, P9_TLINK, "dds", 2, 1, "g"));
	EXPECT_EQ(-EPERM, p9c_call(c, P9_TLINK, "dds", 0, 2, "dd"));
	EXPECT_EQ(-ENOTDIR, p9c_call(c, P9_TLINK, "dds", 1, 1, "x"));
	/* The link itself, not what it points to. */
	ASSERT_EQ(0, p9c_call(c, P9_TLINK, "dds", 2, 3, "ll"));
	ASSERT_EQ(0, p9c_walk(c, 2, 4, "ll"));
	ASSERT_EQ(0, p9c_call(c, P9_TREADLINK, "d", 4));
}

TEST_F(p9, rename)
{
	struct p9c *c = self->c;
	struct p9c_attr a;
	uint64_t e;

	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "a"), 0755));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "a/b"), 0755));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "e"), 0755));
	ASSERT_EQ(0, p9c_host_file(&self->w, "a/b/f", "x"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "a"));
	ASSERT_EQ(0, p9c_walk(c, 1, 2, "b"));
	ASSERT_EQ(0, p9c_walk(c, 2, 3, "f"));
	ASSERT_EQ(0, p9c_walk(c, 0, 4, "e"));
	e = p9c_get_qid(c).path;
	/* into itself */
	EXPECT_EQ(-EINVAL, p9c_call(c, P9_TRENAMEAT, "dsds", 0, "a", 2, "a"));
	EXPECT_EQ(-EINVAL, p9c_call(c, P9_TRENAME, "dds", 1, 2, "a"));
	EXPECT_EQ(-EBUSY, p9c_call(c, P9_TRENAME, "dds", 0, 1, "a"));
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TRENAMEAT, "dsds", 0, "none", 2, "a"));
	EXPECT_EQ(-ENOTDIR, p9c_call(c, P9_TRENAMEAT, "dsds", 3, "none", 2, "a"));
	/* `..` follows */
	ASSERT_EQ(0, p9c_call(c, P9_TRENAMEAT, "dsds", 1, "b", 4, "bb"));
	EXPECT_TRUE(exists(&self->w, "e/bb/f"));
	ASSERT_EQ(0, p9c_walk(c, 2, 5, ".."));
	EXPECT_EQ(e, p9c_get_qid(c).path);
	ASSERT_EQ(0, p9c_call(c, P9_TRENAME, "dds", 3, 0, "ff"));
	EXPECT_TRUE(exists(&self->w, "ff"));
	/* over what exists, and the fid of that is still its own file */
	ASSERT_EQ(0, p9c_host_file(&self->w, "g", "gggg"));
	ASSERT_EQ(0, p9c_walk(c, 0, 6, "g"));
	ASSERT_EQ(0, p9c_call(c, P9_TRENAME, "dds", 3, 0, "g"));
	ASSERT_EQ(0, p9c_getattr(c, 6, &a));
	EXPECT_EQ(4, a.size);
	EXPECT_EQ(0, a.nlink);
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TREMOVE, "d", 6));
	EXPECT_TRUE(exists(&self->w, "g"));
	ASSERT_EQ(0, p9c_call(c, P9_TREMOVE, "d", 3));
	EXPECT_FALSE(exists(&self->w, "g"));
	EXPECT_EQ(-EBADF, p9c_clunk(c, 3));
}

/* Two names of one file: such a rename does nothing, and no name is forgotten. */
TEST_F(p9, rename_of_links)
{
	struct p9c *c = self->c;

	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "x"));
	ASSERT_EQ(0, link(p9c_path(&self->w, "f"), p9c_path(&self->w, "g")));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "g"));
	ASSERT_EQ(0, p9c_call(c, P9_TRENAMEAT, "dsds", 0, "f", 0, "g"));
	ASSERT_EQ(0, p9c_call(c, P9_TREMOVE, "d", 1));
	EXPECT_FALSE(exists(&self->w, "f"));
	EXPECT_TRUE(exists(&self->w, "g"));
	ASSERT_EQ(0, p9c_call(c, P9_TREMOVE, "d", 2));
	EXPECT_FALSE(exists(&self->w, "g"));
}

/* The host moves a folder up, then the guest moves its old parent below it. */
TEST_F(p9, rename_against_the_host)
{
	struct p9c *c = self->c;

	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "a"), 0755));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "a/b"), 0755));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "a"));
	ASSERT_EQ(0, p9c_walk(c, 1, 2, "b"));
	ASSERT_EQ(0, rename(p9c_path(&self->w, "a/b"), p9c_path(&self->w, "b")));
	ASSERT_EQ(0, p9c_call(c, P9_TRENAMEAT, "dsds", 0, "a", 2, "a"));
	EXPECT_TRUE(exists(&self->w, "b/a"));
	ASSERT_EQ(0, p9c_walk(c, 2, 3, "../../../.."));
	ASSERT_EQ(0, p9c_walk(c, 0, 4, "b/a/../.."));
	/* A name that means something else by now is not touched. */
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "x"));
	ASSERT_EQ(0, p9c_walk(c, 0, 5, "f"));
	ASSERT_EQ(0, rename(p9c_path(&self->w, "f"), p9c_path(&self->w, "g")));
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "another"));
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TRENAME, "dds", 5, 0, "h"));
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TREMOVE, "d", 5));
	EXPECT_TRUE(exists(&self->w, "f"));
	EXPECT_TRUE(exists(&self->w, "g"));
}

TEST_F(p9, reply_that_does_not_fit)
{
	struct p9c *c = self->c;

	for (size_t room = 0; room < 11; room++) {
		c->room = room;
		EXPECT_EQ(P9C_DROPPED, p9c_call(c, P9_TSTATFS, "d", 0));
	}
	c->room = 66;
	EXPECT_EQ(-EMSGSIZE, p9c_call(c, P9_TSTATFS, "d", 0));
	/* No reply, no deed. */
	c->room = 19;
	EXPECT_EQ(-EMSGSIZE, p9c_call(c, P9_TMKDIR, "dsdd", 0, "d", 0755, 0));
	EXPECT_FALSE(exists(&self->w, "d"));
	EXPECT_EQ(-EMSGSIZE, p9c_walk(c, 0, 1, "a"));
	c->room = 20;
	EXPECT_EQ(0, p9c_call(c, P9_TMKDIR, "dsdd", 0, "d", 0755, 0));
	EXPECT_EQ(-EMSGSIZE, p9c_walk(c, 0, 1, "d"));
	c->room = sizeof(c->r);
	EXPECT_EQ(-EBADF, p9c_clunk(c, 1));
}

TEST_HARNESS_MAIN
