// SPDX-License-Identifier: MIT
/* Extended attributes and ACLs: read by a fid, set at its clunk. */
#include "kselftest_harness.h"

#include <sys/xattr.h>

#include "tests/unit/p9client.h"

FIXTURE(xattr)
{
	struct p9c_world w;
	struct p9c *c;
	bool skipped;
};

FIXTURE_VARIANT(xattr)
{
	enum p9_executor executor;
	bool crumbs;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(xattr, sync) { P9_EXEC_SYNC, false };
FIXTURE_VARIANT_ADD(xattr, ring) { P9_EXEC_RING, false };
FIXTURE_VARIANT_ADD(xattr, auto) { P9_EXEC_AUTO, false };
FIXTURE_VARIANT_ADD(xattr, auto_crumbs) { P9_EXEC_AUTO, true };
/* clang-format on */

FIXTURE_SETUP(xattr)
{
	ASSERT_EQ(0, p9c_world_open(&self->w, variant->executor, variant->crumbs, 0));
	self->c = self->w.c;
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "hello"));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d"), 0755));
	self->skipped = setxattr(p9c_path(&self->w, "d"), "user.probe", "", 0, 0) != 0;
	removexattr(p9c_path(&self->w, "d"), "user.probe");
}

FIXTURE_TEARDOWN(xattr)
{
	EXPECT_EQ(0, p9c_world_close(&self->w));
}

#define NEEDS_XATTRS                                                                               \
	if (self->skipped)                                                                         \
	SKIP(return, "the file system of TMPDIR has no extended attributes")

TEST_F(xattr, set_get_list_remove)
{
	struct p9c *c = self->c;
	char value[300];

	NEEDS_XATTRS;
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "d"));
	for (uint32_t fid = 1; fid <= 2; fid++) {
		const char *path = p9c_path(&self->w, fid == 1 ? "f" : "d");

		EXPECT_EQ(-ENODATA, p9c_getxattr(c, fid, "user.one"));
		ASSERT_EQ(0, p9c_setxattr(c, fid, "user.one", "value 1", 7, 0, 3));
		EXPECT_EQ(7, getxattr(path, "user.one", value, sizeof(value)));
		EXPECT_EQ(0, memcmp(value, "value 1", 7));
		ASSERT_EQ(7, p9c_getxattr(c, fid, "user.one"));
		EXPECT_EQ(0, memcmp(c->rp, "value 1", 7));
		EXPECT_EQ(-EEXIST, p9c_setxattr(c, fid, "user.one", "x", 1, XATTR_CREATE, 9));
		EXPECT_EQ(-ENODATA, p9c_setxattr(c, fid, "user.two", "x", 1, XATTR_REPLACE, 9));
		EXPECT_EQ(0, p9c_setxattr(c, fid, "user.two", "xy", 2, XATTR_CREATE, 9));
		EXPECT_EQ(0, p9c_setxattr(c, fid, "user.one", "z", 1, XATTR_REPLACE, 9));
		/* An empty value is one, unless it is to replace: that is Linux's removal. */
		EXPECT_EQ(0, p9c_setxattr(c, fid, "user.empty", "", 0, 0, 9));
		EXPECT_EQ(0, getxattr(path, "user.empty", value, sizeof(value)));
		EXPECT_EQ(0, p9c_getxattr(c, fid, "user.empty"));
		EXPECT_EQ(0, p9c_setxattr(c, fid, "user.empty", "", 0, XATTR_REPLACE, 9));
		EXPECT_EQ(-ENODATA, p9c_getxattr(c, fid, "user.empty"));
		EXPECT_EQ(-ENODATA, p9c_setxattr(c, fid, "user.empty", "", 0, XATTR_REPLACE, 9));
		/* The list. */
		long n = p9c_getxattr(c, fid, "");
		bool one = false, two = false;

		ASSERT_LT(0, n);
		for (const char *p = (const char *)c->rp; p < (const char *)c->rp + n;
		     p += strlen(p) + 1) {
			one |= !strcmp(p, "user.one");
			two |= !strcmp(p, "user.two");
		}
		EXPECT_TRUE(one && two);
		EXPECT_EQ(0, p9c_setxattr(c, fid, "user.one", "", 0, XATTR_REPLACE, 9));
		EXPECT_EQ(-1, getxattr(path, "user.one", value, sizeof(value)));
	}
}

TEST_F(xattr, read_in_pieces)
{
	struct p9c *c = self->c;

	NEEDS_XATTRS;
	ASSERT_EQ(0, setxattr(p9c_path(&self->w, "f"), "user.a", "0123456789", 10, 0));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_call(c, P9_TXATTRWALK, "dds", 1, 2, "user.a"));
	EXPECT_EQ(10, p9c_get(c, 8));
	/* It was read at once: what changes on the host does not mix in. */
	ASSERT_EQ(0, setxattr(p9c_path(&self->w, "f"), "user.a", "abc", 3, 0));
	ASSERT_EQ(4, p9c_read(c, 2, 0, 4));
	EXPECT_EQ(0, memcmp(c->rp, "0123", 4));
	ASSERT_EQ(6, p9c_read(c, 2, 4, 100));
	EXPECT_EQ(0, memcmp(c->rp, "456789", 6));
	EXPECT_EQ(0, p9c_read(c, 2, 10, 100));
	EXPECT_EQ(0, p9c_read(c, 2, UINT64_MAX, 100));
	c->room = 14;
	EXPECT_EQ(3, p9c_read(c, 2, 7, 100));
	c->room = sizeof(c->r);
	EXPECT_EQ(-EINVAL, p9c_write(c, 2, 0, "x", 1));
}

/* Of every size, and a list of names that is long. */
TEST_F(xattr, small_and_large)
{
	static const size_t sizes[] = {0, 1, 255, 256, 257, 3000};
	struct p9c *c = self->c;
	char value[3000], name[250];

	NEEDS_XATTRS;
	memset(value, 'v', sizeof(value));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		ASSERT_EQ(0, setxattr(p9c_path(&self->w, "f"), "user.a", value, sizes[i], 0));
		ASSERT_EQ(0, p9c_call(c, P9_TXATTRWALK, "dds", 1, 2, "user.a"));
		EXPECT_EQ(sizes[i], p9c_get(c, 8));
		EXPECT_EQ((int)sizes[i], p9c_read(c, 2, 0, 4000));
		EXPECT_EQ(0, memcmp(c->rp, value, sizes[i]));
		ASSERT_EQ(0, p9c_clunk(c, 2));
	}
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[249] = 0;
	for (int i = 0; i < 2; i++) {
		name[5] = (char)('a' + i);
		ASSERT_EQ(0, setxattr(p9c_path(&self->w, "f"), name, "", 0, 0));
	}
	ASSERT_EQ(0, p9c_call(c, P9_TXATTRWALK, "dds", 1, 2, ""));
	EXPECT_LE(2u * 250 + 7, p9c_get(c, 8));
	EXPECT_LE(2 * 250 + 7, p9c_read(c, 2, 0, 4000));
}

/* A fid that stands for an attribute is no file, whatever is asked of it. */
TEST_F(xattr, is_not_the_file)
{
	struct p9c *c = self->c;
	struct p9c_attr a = {.mode = 0600};

	NEEDS_XATTRS;
	ASSERT_EQ(0, setxattr(p9c_path(&self->w, "f"), "user.a", "1", 1, 0));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_call(c, P9_TXATTRWALK, "dds", 1, 2, "user.a"));
	EXPECT_EQ(-EBADF, p9c_getattr(c, 2, &a));
	EXPECT_EQ(-EBADF, p9c_setattr(c, 2, &a, P9_SET_MODE));
	EXPECT_EQ(-EBADF, p9c_lopen(c, 2, O_RDONLY));
	EXPECT_EQ(-EBADF, p9c_walk(c, 2, 3, ""));
	EXPECT_EQ(-EBADF, p9c_call(c, P9_TXATTRWALK, "dds", 2, 3, "user.a"));
	EXPECT_EQ(-EBADF, p9c_call(c, P9_TXATTRCREATE, "dsqd", 2, "user.a", (uint64_t)1, 0));
	EXPECT_EQ(-EBADF, p9c_call(c, P9_TREMOVE, "d", 2)); /* and the fid is gone */
	EXPECT_EQ(-EBADF, p9c_clunk(c, 2));
	EXPECT_EQ(0, access(p9c_path(&self->w, "f"), F_OK));
	EXPECT_EQ(-EBADF, p9c_call(c, P9_TXATTRWALK, "dds", 1, 1, "user.a"));
	EXPECT_EQ(-EBADF, p9c_call(c, P9_TXATTRWALK, "dds", 99, 3, "user.a"));
	ASSERT_EQ(0, p9c_walk(c, 0, 4, "f"));
	ASSERT_EQ(0, p9c_lopen(c, 4, O_RDWR));
	EXPECT_EQ(-EBUSY, p9c_call(c, P9_TXATTRCREATE, "dsqd", 4, "user.b", (uint64_t)1, 0));
	ASSERT_EQ(0, p9c_call(c, P9_TXATTRWALK, "dds", 4, 3, "user.a"));
	EXPECT_EQ(1, p9c_read(c, 3, 0, 10));
}

TEST_F(xattr, set_badly)
{
	struct p9c *c = self->c;
	char name[300], value[10];

	NEEDS_XATTRS;
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[256] = 0;
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	EXPECT_EQ(-ERANGE, p9c_call(c, P9_TXATTRCREATE, "dsqd", 1, name, (uint64_t)1, 0));
	EXPECT_EQ(-ERANGE, p9c_call(c, P9_TXATTRWALK, "dds", 1, 2, name));
	EXPECT_EQ(-EINVAL, p9c_call(c, P9_TXATTRCREATE, "dsqd", 1, "", (uint64_t)1, 0));
	EXPECT_EQ(-EINVAL, p9c_call(c, P9_TXATTRCREATE, "dsqd", 1, "user.a", (uint64_t)1, 4));
	EXPECT_EQ(-E2BIG, p9c_call(c, P9_TXATTRCREATE, "dsqd", 1, "user.a", (uint64_t)65537, 0));
	EXPECT_EQ(-E2BIG, p9c_call(c, P9_TXATTRCREATE, "dsqd", 1, "user.a", UINT64_MAX, 0));
	/* None of these has taken fid 1. */
	ASSERT_EQ(0, p9c_call(c, P9_TXATTRCREATE, "dsqd", 1, "user.a", (uint64_t)5, 0));
	EXPECT_EQ(-EINVAL, p9c_read(c, 1, 0, 1));
	EXPECT_EQ(-ENOSPC, p9c_write(c, 1, 0, "123456", 6));
	EXPECT_EQ(-EINVAL, p9c_write(c, 1, 1, "2", 1)); /* a gap */
	EXPECT_EQ(-EINVAL, p9c_write(c, 1, UINT64_MAX, "2", 1));
	EXPECT_EQ(3, p9c_write(c, 1, 0, "abc", 3));
	EXPECT_EQ(3, p9c_write(c, 1, 2, "def", 3));
	EXPECT_EQ(0, p9c_clunk(c, 1));
	ASSERT_EQ(5, getxattr(p9c_path(&self->w, "f"), "user.a", value, sizeof(value)));
	EXPECT_EQ(0, memcmp(value, "abdef", 5));
	/* Less than was announced: not set. */
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_call(c, P9_TXATTRCREATE, "dsqd", 1, "user.b", (uint64_t)5, 0));
	EXPECT_EQ(3, p9c_write(c, 1, 0, "abc", 3));
	EXPECT_EQ(-EINVAL, p9c_clunk(c, 1));
	EXPECT_EQ(-EBADF, p9c_clunk(c, 1));
	EXPECT_EQ(-1, getxattr(p9c_path(&self->w, "f"), "user.b", value, sizeof(value)));
	/* Nor what a new session leaves behind. */
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_call(c, P9_TXATTRCREATE, "dsqd", 1, "user.b", (uint64_t)1, 0));
	EXPECT_EQ(1, p9c_write(c, 1, 0, "a", 1));
	ASSERT_EQ(0, p9c_version(c, 65536));
	EXPECT_EQ(-1, getxattr(p9c_path(&self->w, "f"), "user.b", value, sizeof(value)));
}

TEST_F(xattr, of_an_unlinked_file)
{
	struct p9c *c = self->c;

	NEEDS_XATTRS;
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "f"));
	ASSERT_EQ(0, p9c_lopen(c, 2, O_RDWR));
	ASSERT_EQ(0, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "f", 0));
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "another"));
	ASSERT_EQ(0, p9c_setxattr(c, 1, "user.a", "1", 1, 0, 9));
	EXPECT_EQ(1, p9c_getxattr(c, 2, "user.a"));
	EXPECT_EQ(-1, getxattr(p9c_path(&self->w, "f"), "user.a", NULL, 0));
}

/* As many as may be are under way; and 64 KiB fit, if the host takes so much. */
TEST_F(xattr, limits)
{
	struct p9c *c = self->c;
	static char big[65536];

	NEEDS_XATTRS;
	for (uint32_t i = 0; i < P9_MAX_XATTRS; i++) {
		ASSERT_EQ(0, p9c_walk(c, 0, 100 + i, "f"));
		ASSERT_EQ(0, p9c_call(c, P9_TXATTRCREATE, "dsqd", 100 + i, "user.a", (uint64_t)100,
				      0));
	}
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	EXPECT_EQ(-ENOMEM, p9c_call(c, P9_TXATTRCREATE, "dsqd", 1, "user.a", (uint64_t)1, 0));
	EXPECT_EQ(-ENOMEM, p9c_call(c, P9_TXATTRWALK, "dds", 1, 2, ""));
	EXPECT_EQ(-EINVAL, p9c_clunk(c, 100));
	EXPECT_EQ(0, p9c_call(c, P9_TXATTRWALK, "dds", 1, 2, ""));
	/* ext4 has a block of room for all, tmpfs and xfs take this. */
	int err = setxattr(p9c_path(&self->w, "f"), "user.big", big, sizeof(big), 0) ? -errno : 0;

	for (uint32_t i = 1; i < P9_MAX_XATTRS; i++)
		p9c_clunk(c, 100 + i);
	EXPECT_EQ(err, p9c_setxattr(c, 1, "user.big", big, sizeof(big), 0, 20000));
	if (!err)
		EXPECT_EQ(sizeof(big), p9c_getxattr(c, 1, "user.big"));
}

/* An ACL is the attribute that the kernel makes of it, and changes the mode. */
TEST_F(xattr, acl)
{
	struct p9c *c = self->c;
	/* version 2; then {tag, perm, id}: user::rw- user:12345:rwx group::r-- mask::rwx other::---
	 */
	static const uint32_t acl[] = {2,   6 << 16 | 1,    ~0u, 7 << 16 | 2,	 12345, 4 << 16 | 4,
				       ~0u, 7 << 16 | 0x10, ~0u, 0 << 16 | 0x20, ~0u};
	struct p9c_attr a;
	int err = setxattr(p9c_path(&self->w, "d"), "system.posix_acl_access", acl, sizeof(acl), 0);

	NEEDS_XATTRS;
	if (err)
		SKIP(return, "the file system of TMPDIR has no ACLs");
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_setxattr(c, 1, "system.posix_acl_access", acl, sizeof(acl), 0, 1000));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(0100670, a.mode);
	EXPECT_EQ(sizeof(acl), p9c_getxattr(c, 1, "system.posix_acl_access"));
	EXPECT_EQ(0, memcmp(c->rp, acl, sizeof(acl)));
	/* Removed with any flags; once more is no error, as on the host. */
	ASSERT_EQ(0, p9c_setxattr(c, 1, "system.posix_acl_access", "", 0, 0, 9));
	EXPECT_EQ(-ENODATA, p9c_getxattr(c, 1, "system.posix_acl_access"));
	EXPECT_EQ(0, p9c_setxattr(c, 1, "system.posix_acl_access", "", 0, XATTR_REPLACE, 9));
	/* What is no ACL is refused by the host. */
	EXPECT_EQ(-EINVAL, p9c_setxattr(c, 1, "system.posix_acl_access", "x", 1, 0, 9));
	EXPECT_EQ(-EACCES, p9c_setxattr(c, 1, "system.posix_acl_default", acl, sizeof(acl), 0, 1000));
}

TEST_F(xattr, of_special_files)
{
	struct p9c *c = self->c;

	NEEDS_XATTRS;
	ASSERT_EQ(0, mkfifo(p9c_path(&self->w, "p"), 0644));
	ASSERT_EQ(0, symlink("f", p9c_path(&self->w, "l")));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "p"));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "l"));
	/* Linux gives user attributes to files and folders only; it is the link that is asked. */
	EXPECT_EQ(-EPERM, p9c_setxattr(c, 1, "user.a", "1", 1, 0, 9));
	EXPECT_EQ(-EPERM, p9c_setxattr(c, 2, "user.a", "1", 1, 0, 9));
	EXPECT_EQ(-1, getxattr(p9c_path(&self->w, "f"), "user.a", NULL, 0));
	if (geteuid())
		SKIP(return, "needs root");
	EXPECT_EQ(0, p9c_setxattr(c, 1, "trusted.a", "12", 2, 0, 9));
	EXPECT_EQ(0, p9c_setxattr(c, 2, "trusted.a", "1", 1, 0, 9));
	EXPECT_EQ(2, getxattr(p9c_path(&self->w, "p"), "trusted.a", NULL, 0));
	EXPECT_EQ(1, lgetxattr(p9c_path(&self->w, "l"), "trusted.a", NULL, 0));
	EXPECT_EQ(-1, getxattr(p9c_path(&self->w, "f"), "trusted.a", NULL, 0));
	EXPECT_EQ(2, p9c_getxattr(c, 1, "trusted.a"));
}

TEST_F(xattr, acts_as_the_user)
{
	struct p9c *c = self->c;

	NEEDS_XATTRS;
	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, setxattr(p9c_path(&self->w, "f"), "user.a", "1", 1, 0));
	ASSERT_EQ(0, chmod(p9c_path(&self->w, "f"), 0600));
	ASSERT_EQ(0, p9c_attach(c, 100, "", 12345));
	ASSERT_EQ(0, p9c_walk(c, 100, 1, "f"));
	EXPECT_EQ(-EACCES, p9c_getxattr(c, 1, "user.a"));
	EXPECT_EQ(-EACCES, p9c_setxattr(c, 1, "user.a", "2", 1, 0, 9));
	EXPECT_EQ(-EACCES, p9c_setxattr(c, 1, "user.a", "", 0, XATTR_REPLACE, 9));
	EXPECT_EQ(1, getxattr(p9c_path(&self->w, "f"), "user.a", NULL, 0));
}

/* What the host allows nobody but root, whoever's the file is. */
TEST_F(xattr, not_roots_attributes)
{
	/* version 2, effective; permitted: CAP_NET_RAW */
	static const uint32_t caps[5] = {0x02000001, 1 << 13};
	struct p9c *c = self->c;
	const char *path = p9c_path(&self->w, "f");

	NEEDS_XATTRS;
	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, setxattr(path, "trusted.a", "1", 1, 0));
	ASSERT_EQ(0, chown(path, 12345, 12345));
	ASSERT_EQ(0, p9c_attach(c, 100, "", 12345));
	ASSERT_EQ(0, p9c_attach(c, 200, "", 0));
	ASSERT_EQ(0, p9c_walk(c, 100, 1, "f"));
	ASSERT_EQ(0, p9c_walk(c, 200, 2, "f"));
	EXPECT_EQ(-ENODATA, p9c_getxattr(c, 1, "trusted.a"));
	EXPECT_EQ(0, p9c_getxattr(c, 1, ""));
	EXPECT_EQ(-EPERM, p9c_setxattr(c, 1, "trusted.a", "2", 1, 0, 9));
	EXPECT_EQ(-EPERM, p9c_setxattr(c, 1, "security.a", "2", 1, 0, 9));
	EXPECT_EQ(-EPERM, p9c_setxattr(c, 1, "security.capability", caps, sizeof(caps), 0, sizeof(caps)));
	EXPECT_EQ(0, p9c_setxattr(c, 1, "user.a", "2", 1, 0, 9));
	/* Root may, right after somebody else. */
	EXPECT_EQ(1, p9c_getxattr(c, 2, "trusted.a"));
	EXPECT_EQ(0, p9c_setxattr(c, 2, "trusted.a", "22", 2, 0, 9));
	EXPECT_EQ(0, p9c_setxattr(c, 2, "security.capability", caps, sizeof(caps), 0, sizeof(caps)));
	EXPECT_EQ(2, getxattr(path, "trusted.a", NULL, 0));
	EXPECT_EQ(-ENODATA, p9c_getxattr(c, 1, "trusted.a"));
}

TEST_F(xattr, read_only)
{
	struct p9c *c = p9c_new(self->w.server, NULL, false);
	struct p9_share *share;

	NEEDS_XATTRS;
	ASSERT_EQ(0, setxattr(p9c_path(&self->w, "f"), "user.a", "1", 1, 0));
	ASSERT_EQ(0, p9_share_open(&share, self->w.server, p9c_path(&self->w, ""), &(struct p9_share_config){.flags = P9_SHARE_RO}));
	ASSERT_EQ(0, p9_session_new(&c->session, share));
	ASSERT_EQ(0, p9c_version(c, 65536));
	ASSERT_EQ(0, p9c_attach(c, 0, "", P9_NONUNAME));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	EXPECT_EQ(1, p9c_getxattr(c, 1, "user.a"));
	EXPECT_EQ(-EROFS, p9c_setxattr(c, 1, "user.a", "2", 1, 0, 9));
	EXPECT_EQ(-EROFS, p9c_setxattr(c, 1, "user.a", "", 0, XATTR_REPLACE, 9));
	p9_session_free(c->session);
	p9_share_put(share);
	p9c_free(c);
}

TEST_HARNESS_MAIN
