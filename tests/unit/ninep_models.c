// SPDX-License-Identifier: MIT
/* Ownership models: what the host has, and what the guest is told, in each executor. */
#include "kselftest_harness.h"

#include <grp.h>
#include <linux/posix_acl_xattr.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "tests/unit/p9client.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

FIXTURE(models)
{
	struct p9c_world w;
	struct p9c *c;
	bool open;
	uid_t uid;
	bool root;
};

FIXTURE_VARIANT(models)
{
	enum p9_executor executor;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(models, sync) { P9_EXEC_SYNC };
FIXTURE_VARIANT_ADD(models, ring) { P9_EXEC_RING };
FIXTURE_VARIANT_ADD(models, auto) { P9_EXEC_AUTO };
/* clang-format on */

FIXTURE_SETUP(models)
{
	self->uid = geteuid();
	self->root = !self->uid;
}

FIXTURE_TEARDOWN(models)
{
	if (self->open)
		EXPECT_EQ(0, p9c_world_close(&self->w));
}

/* A share with the model of self->w.config. fid 0 is nobody's in particular, 1000 is uid 1000's. */
static int open_world(struct _test_data_models *self, enum p9_executor executor)
{
	int err = p9c_world_open(&self->w, executor, false, 0);

	if (err == -EOPNOTSUPP)
		return err;
	self->open = !err;
	self->c = self->w.c;
	return err ?: p9c_attach(self->c, 1000, "", 1000);
}

#define OPEN_WORLD()                                                                               \
	do {                                                                                       \
		int open_err = open_world(self, variant->executor);                                \
		if (open_err == -EOPNOTSUPP)                                                       \
			SKIP(return, "the file system of TMPDIR has no extended attributes");      \
		ASSERT_EQ(0, open_err);                                                            \
	} while (0)

/* An attribute on the host as text: "e8030000", or "-" if there is none. */
static const char *hex(const char *path, const char *name)
{
	static char text[4][64];
	static unsigned int at;
	unsigned char value[16];
	ssize_t n = lgetxattr(path, name, value, sizeof(value));
	char *to = text[at = (at + 1) % 4];

	strcpy(to, "-");
	for (ssize_t i = 0; i < n; i++)
		sprintf(to + 2 * i, "%02x", value[i]);
	return to;
}

static uint32_t host_mode(const struct p9c_world *w, const char *name)
{
	struct stat st;

	return lstat(p9c_path(w, name), &st) ? 0 : st.st_mode;
}

/* What the guest is told of a name, walked to by fid 0. */
static struct p9c_attr attr_of(struct p9c *c, const char *name)
{
	struct p9c_attr a = {0};

	if (!p9c_walk(c, 0, 99, name)) {
		p9c_getattr(c, 99, &a);
		p9c_clunk(c, 99);
	}
	return a;
}

static int create(struct p9c *c, uint32_t dir, const char *name, uint32_t mode, uint32_t gid)
{
	int err = p9c_walk(c, dir, 98, "");

	err = err ?: p9c_lcreate(c, 98, name, O_WRONLY, mode, gid);
	p9c_clunk(c, 98);
	return err;
}

static int change(struct p9c *c, uint32_t root, const char *name, uint32_t valid, uint32_t mode,
		  uint32_t uid, uint32_t gid)
{
	struct p9c_attr a = {.mode = mode, .uid = uid, .gid = gid};
	int err = p9c_walk(c, root, 97, name);

	err = err ?: p9c_setattr(c, 97, &a, valid);
	p9c_clunk(c, 97);
	return err;
}

#define EXPECT_OWNER(name, m, u, g)                                                                \
	do {                                                                                       \
		struct p9c_attr got = attr_of(self->c, name);                                      \
		EXPECT_EQ(m, got.mode);                                                            \
		EXPECT_EQ(u, got.uid);                                                             \
		EXPECT_EQ(g, got.gid);                                                             \
	} while (0)

/* ---- mapped ---- */

/* Byte for byte what QEMU writes. */
TEST_F(models, mapped_file)
{
	struct stat st;

	self->w.config.model = P9_MODEL_MAPPED;
	OPEN_WORLD();
	ASSERT_EQ(0, create(self->c, 1000, "f", 0640, 55));
	EXPECT_OWNER("f", 0100640, 1000, 55);
	ASSERT_EQ(0, lstat(p9c_path(&self->w, "f"), &st));
	EXPECT_EQ(0100600, st.st_mode);
	EXPECT_EQ(self->uid, st.st_uid);
	EXPECT_STREQ("e8030000", hex(p9c_path(&self->w, "f"), "user.virtfs.uid"));
	EXPECT_STREQ("37000000", hex(p9c_path(&self->w, "f"), "user.virtfs.gid"));
	EXPECT_STREQ("a0810000", hex(p9c_path(&self->w, "f"), "user.virtfs.mode"));
	EXPECT_STREQ("-", hex(p9c_path(&self->w, "f"), "user.virtfs.rdev"));
	/* What the host made is the host's. */
	ASSERT_EQ(0, p9c_host_file(&self->w, "h", "x"));
	ASSERT_EQ(0, chmod(p9c_path(&self->w, "h"), 0644));
	EXPECT_OWNER("h", 0100644, self->uid, getegid());
}

TEST_F(models, mapped_kinds)
{
	static const struct {
		const char *name;
		uint32_t mode;
		uint64_t rdev;
	} kinds[] = {
		{"file", S_IFREG | 0644, 0},
		{"fifo", S_IFIFO | 0622, 0},
		{"sock", S_IFSOCK | 0755, 0},
		{"chr", S_IFCHR | 0666, 5 << 8 | 2},
		{"blk", S_IFBLK | 0660, 259ull << 8 | 17},
	};
	struct p9c *c = self->c;
	char target[100];

	self->w.config.model = P9_MODEL_MAPPED;
	OPEN_WORLD();
	c = self->c;
	ASSERT_EQ(0, p9c_call(c, P9_TMKDIR, "dsdd", 1000, "d", 0750, 7));
	EXPECT_EQ(0x80, p9c_get_qid(c).type);
	EXPECT_OWNER("d", 040750, 1000, 7);
	EXPECT_EQ(040700, host_mode(&self->w, "d"));
	EXPECT_STREQ("e8410000", hex(p9c_path(&self->w, "d"), "user.virtfs.mode"));

	ASSERT_EQ(0, p9c_call(c, P9_TSYMLINK, "dssd", 1000, "l", "some/where", 7));
	EXPECT_EQ(2, p9c_get_qid(c).type);
	EXPECT_OWNER("l", 0120777, 1000, 7);
	EXPECT_EQ(10, attr_of(c, "l").size);
	EXPECT_EQ(0100600, host_mode(&self->w, "l"));
	EXPECT_STREQ("ffa10000", hex(p9c_path(&self->w, "l"), "user.virtfs.mode"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "l"));
	ASSERT_EQ(0, p9c_call(c, P9_TREADLINK, "d", 1));
	p9c_get_string(c, target);
	EXPECT_STREQ("some/where", target);
	EXPECT_EQ(-ELOOP, p9c_lopen(c, 1, O_RDONLY));
	EXPECT_EQ(-EEXIST, p9c_call(c, P9_TSYMLINK, "dssd", 1000, "l", "x", 7));
	p9c_clunk(c, 1);

	for (size_t i = 0; i < LEN(kinds); i++) {
		const char *path = p9c_path(&self->w, kinds[i].name);

		ASSERT_EQ(0, p9c_call(c, P9_TMKNOD, "dsdddd", 1000, kinds[i].name, kinds[i].mode,
				      (uint32_t)(kinds[i].rdev >> 8), (uint32_t)(kinds[i].rdev & 255), 9));
		EXPECT_OWNER(kinds[i].name, kinds[i].mode, 1000, 9);
		EXPECT_EQ(kinds[i].rdev, attr_of(c, kinds[i].name).rdev);
		EXPECT_EQ(0100600, host_mode(&self->w, kinds[i].name));
		EXPECT_EQ(16, strlen(hex(path, "user.virtfs.rdev")));
		/* Nothing of the host's is behind it. */
		ASSERT_EQ(0, p9c_walk(c, 0, 1, kinds[i].name));
		EXPECT_EQ(S_ISREG(kinds[i].mode) ? 0 : -ENXIO, p9c_lopen(c, 1, O_RDWR));
		p9c_clunk(c, 1);
	}
	EXPECT_STREQ("0205000000000000", hex(p9c_path(&self->w, "chr"), "user.virtfs.rdev"));
	EXPECT_STREQ("0000000000000000", hex(p9c_path(&self->w, "fifo"), "user.virtfs.rdev"));
	/* Removed and renamed like anything. */
	EXPECT_EQ(0, p9c_call(c, P9_TRENAMEAT, "dsds", 0, "chr", 0, "chr2"));
	EXPECT_OWNER("chr2", S_IFCHR | 0666, 1000, 9);
	EXPECT_EQ(0, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "l", 0));
	EXPECT_EQ(0, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "d", P9_UNLINK_REMOVEDIR));
}

TEST_F(models, mapped_modes_of_the_host)
{
	self->w.config = (struct p9_share_config){
		.model = P9_MODEL_MAPPED,
		.fmode = 0664,
		.dmode = 0775,
	};
	OPEN_WORLD();
	ASSERT_EQ(0, create(self->c, 0, "f", 0600, 0));
	ASSERT_EQ(0, p9c_call(self->c, P9_TMKDIR, "dsdd", 0, "d", 0700, 0));
	EXPECT_EQ(0100664, host_mode(&self->w, "f"));
	EXPECT_EQ(040775, host_mode(&self->w, "d"));
}

TEST_F(models, mapped_changes)
{
	struct p9c *c;

	self->w.config.model = P9_MODEL_MAPPED;
	OPEN_WORLD();
	c = self->c;
	ASSERT_EQ(0, create(c, 1000, "f", 0755, 55));
	EXPECT_EQ(0, change(c, 1000, "f", P9_SET_MODE, 06711, 0, 0));
	EXPECT_OWNER("f", 0106711, 1000, 55);
	EXPECT_EQ(0100600, host_mode(&self->w, "f"));
	/* A change of owner takes set-user-id bits, and leaves the other id. */
	EXPECT_EQ(0, change(c, 1000, "f", P9_SET_UID, 0, 5, 0));
	EXPECT_OWNER("f", 0100711, 5, 55);
	EXPECT_EQ(0, change(c, 1000, "f", P9_SET_GID, 0, 0, 6));
	EXPECT_OWNER("f", 0100711, 5, 6);
	/* Of a folder it does not. */
	ASSERT_EQ(0, p9c_call(c, P9_TMKDIR, "dsdd", 0, "d", 02775, 7));
	EXPECT_EQ(0, change(c, 1000, "d", P9_SET_UID | P9_SET_GID, 0, 8, 9));
	EXPECT_OWNER("d", 042775, 8, 9);
	/* A file of the host's takes what it is given. */
	ASSERT_EQ(0, p9c_host_file(&self->w, "h", "x"));
	EXPECT_EQ(0, change(c, 1000, "h", P9_SET_UID, 0, 77, 0));
	EXPECT_EQ(77, attr_of(c, "h").uid);
	EXPECT_EQ(getegid(), attr_of(c, "h").gid);
}

/* A write by anybody but root takes set-user-id bits away, of which the host knows nothing. */
TEST_F(models, mapped_write_clears_setuid)
{
	static const struct {
		uint32_t fid, before, after;
	} writes[] = {
		{0, 06755, 06755}, {5, 06755, 06755}, {1000, 04644, 0644}, {1000, 02755, 0755}, {1000, 02644, 02644},
	};
	struct p9c *c;

	self->w.config.model = P9_MODEL_MAPPED;
	OPEN_WORLD();
	c = self->c;
	ASSERT_EQ(0, p9c_attach(c, 5, "", 0));
	for (size_t i = 0; i < LEN(writes); i++) {
		ASSERT_EQ(0, create(c, 1000, "f", 0644, 55));
		ASSERT_EQ(0, p9c_walk(c, writes[i].fid, 1, "f"));
		ASSERT_EQ(0, p9c_lopen(c, 1, O_WRONLY));
		ASSERT_EQ(0, change(c, 1000, "f", P9_SET_MODE, writes[i].before, 0, 0));
		EXPECT_EQ(1, p9c_write(c, 1, 0, "x", 1));
		EXPECT_OWNER("f", S_IFREG | writes[i].after, 1000, 55);
		p9c_clunk(c, 1);
		ASSERT_EQ(0, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "f", 0));
	}
	/* One that was there before this server. */
	ASSERT_EQ(0, p9c_host_file(&self->w, "old", "x"));
	ASSERT_EQ(0, setxattr(p9c_path(&self->w, "old"), "user.virtfs.mode", "\xed\x89\0\0", 4, 0));
	EXPECT_EQ(0104755, attr_of(c, "old").mode);
	ASSERT_EQ(0, p9c_walk(c, 1000, 1, "old"));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_WRONLY));
	EXPECT_EQ(1, p9c_write(c, 1, 0, "y", 1));
	EXPECT_EQ(0100755, attr_of(c, "old").mode);
}

/* Attributes that make no sense are the host's mistake, or malice. */
TEST_F(models, mapped_nonsense)
{
	struct p9c *c;

	self->w.config.model = P9_MODEL_MAPPED;
	OPEN_WORLD();
	c = self->c;
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "x"));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d"), 0755));
	/* A file that says it is a folder, a folder that says it is a file or a device. */
	ASSERT_EQ(0, setxattr(p9c_path(&self->w, "f"), "user.virtfs.mode", "\xed\x41\0\0", 4, 0));
	ASSERT_EQ(0, setxattr(p9c_path(&self->w, "d"), "user.virtfs.mode", "\xa4\x81\0\0", 4, 0));
	EXPECT_EQ(0100755, attr_of(c, "f").mode);
	EXPECT_EQ(040644, attr_of(c, "d").mode);
	ASSERT_EQ(0, setxattr(p9c_path(&self->w, "d"), "user.virtfs.mode", "\xa4\x21\0\0", 4, 0));
	EXPECT_EQ(040644, attr_of(c, "d").mode);
	/* No type, as some clients sent it; a value of another size. */
	ASSERT_EQ(0, setxattr(p9c_path(&self->w, "f"), "user.virtfs.mode", "\x80\x01\0\0", 4, 0));
	EXPECT_EQ(0100600, attr_of(c, "f").mode);
	/* A type that is none. */
	ASSERT_EQ(0, setxattr(p9c_path(&self->w, "f"), "user.virtfs.mode", "\xff\xff\xff\xff", 4, 0));
	EXPECT_EQ(0107777, attr_of(c, "f").mode);
	ASSERT_EQ(0, setxattr(p9c_path(&self->w, "f"), "user.virtfs.uid", "\x05\0", 2, 0));
	EXPECT_EQ(self->uid, attr_of(c, "f").uid);
	/* A symbolic link of the host's own is one. */
	ASSERT_EQ(0, symlink("target", p9c_path(&self->w, "l")));
	EXPECT_EQ(0120777, attr_of(c, "l").mode);
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "l"));
	EXPECT_EQ(0, p9c_call(c, P9_TREADLINK, "d", 1));
}

static bool listed(struct p9c *c, uint32_t fid, const char *name)
{
	long n = p9c_getxattr(c, fid, "");

	for (const char *p = (const char *)c->rp; p < (const char *)c->rp + n; p += strlen(p) + 1)
		if (!strcmp(p, name))
			return true;
	return false;
}

TEST_F(models, mapped_attributes)
{
	static const char acl[] = "\2\0\0\0\1\0\6\0\xff\xff\xff\xff\2\0\4\0\x05\0\0\0\4\0\0\0\xff\xff\xff\xff"
				  "\x10\0\4\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff";
	const size_t len = sizeof(acl) - 1;
	const char *path;
	struct p9c *c;

	self->w.config.model = P9_MODEL_MAPPED;
	OPEN_WORLD();
	c = self->c;
	ASSERT_EQ(0, create(c, 1000, "f", 0640, 55));
	path = p9c_path(&self->w, "f");
	ASSERT_EQ(0, p9c_walk(c, 1000, 1, "f"));
	ASSERT_EQ(0, p9c_setxattr(c, 1, "user.mine", "v", 1, 0, 1));
	ASSERT_EQ(0, p9c_setxattr(c, 1, "system.posix_acl_access", acl, len, 0, 100));
	/* The host's ACL is none of this; the file is the server's. */
	EXPECT_EQ(-1, getxattr(path, "system.posix_acl_access", NULL, 0));
	EXPECT_EQ(len, getxattr(path, "user.virtfs.system.posix_acl_access", NULL, 0));
	ASSERT_EQ(len, p9c_getxattr(c, 1, "system.posix_acl_access"));
	EXPECT_EQ(0, memcmp(c->rp, acl, len));
	/* Its own are hidden. */
	EXPECT_TRUE(listed(c, 1, "user.mine"));
	EXPECT_TRUE(listed(c, 1, "system.posix_acl_access"));
	EXPECT_FALSE(listed(c, 1, "user.virtfs.uid"));
	EXPECT_FALSE(listed(c, 1, "user.virtfs.system.posix_acl_access"));
	EXPECT_EQ(-ENODATA, p9c_getxattr(c, 1, "user.virtfs.uid"));
	EXPECT_EQ(-EPERM, p9c_setxattr(c, 1, "user.virtfs.uid", "\0\0\0\0", 4, 0, 4));
	EXPECT_EQ(-EPERM, p9c_setxattr(c, 1, "user.virtfs.uid", "", 0, XATTR_REPLACE, 1));
	EXPECT_EQ(1000, attr_of(c, "f").uid);
	/* A guest's file capabilities are not to be the host's. */
	EXPECT_EQ(-EOPNOTSUPP, p9c_setxattr(c, 1, "security.capability", "x", 1, 0, 1));
	EXPECT_EQ(-EOPNOTSUPP, p9c_setxattr(c, 1, "trusted.x", "x", 1, 0, 1));
	/* Gone, and gone again. */
	EXPECT_EQ(0, p9c_setxattr(c, 1, "system.posix_acl_access", "", 0, 0, 1));
	EXPECT_EQ(-ENODATA, p9c_getxattr(c, 1, "system.posix_acl_access"));
	EXPECT_EQ(0, p9c_setxattr(c, 1, "system.posix_acl_access", "", 0, 0, 1));
}

/* A file system that cannot keep the attributes is said so at once. */
TEST_F(models, mapped_needs_attributes)
{
	const struct p9_share_config config = {.model = P9_MODEL_MAPPED};
	struct p9_share *share;

	ASSERT_EQ(0, p9c_world_open(&self->w, variant->executor, false, 0));
	self->open = true;
	EXPECT_EQ(-EOPNOTSUPP, p9_share_open(&share, self->w.server, "/proc", &config));
}

/* ---- none ---- */

/* The rest of the test is somebody who may not give files away. To be called before all else. */
static void become_user(struct _test_data_models *self)
{
	const gid_t group = 1235;

	if (self->root && (setgroups(1, &group) || setgid(1234) || setuid(1234)))
		exit(KSFT_FAIL);
	self->uid = geteuid();
}

TEST_F(models, none_ignores_a_refused_chown)
{
	become_user(self);
	self->w.config.model = P9_MODEL_NONE;
	OPEN_WORLD();
	ASSERT_EQ(0, create(self->c, 1000, "f", 04755, 55));
	EXPECT_OWNER("f", 0104755, self->uid, getegid());
	EXPECT_EQ(0, change(self->c, 1000, "f", P9_SET_UID | P9_SET_GID, 0, 0, 0));
	EXPECT_OWNER("f", 0104755, self->uid, getegid());
	EXPECT_EQ(0, change(self->c, 1000, "f", P9_SET_MODE, 0600, 0, 0));
	EXPECT_EQ(0100600, host_mode(&self->w, "f"));
}

/* The control: the same in passthrough is refused. */
TEST_F(models, passthrough_tells_of_a_refused_chown)
{
	become_user(self);
	OPEN_WORLD();
	ASSERT_EQ(0, create(self->c, 1000, "f", 0755, 55));
	EXPECT_EQ(-EPERM, change(self->c, 1000, "f", P9_SET_UID, 0, 0, 0));
}

/* Other errors than that are not swallowed. */
TEST_F(models, none_tells_of_other_errors)
{
	self->w.config.model = P9_MODEL_NONE;
	OPEN_WORLD();
	ASSERT_EQ(0, create(self->c, 0, "f", 0644, getegid()));
	if (!self->root)
		SKIP(return, "needs root");
	ASSERT_EQ(0, change(self->c, 0, "f", P9_SET_UID | P9_SET_GID, 0, 3, 4));
	EXPECT_OWNER("f", 0100644, 3, 4);
}

/* ---- idmap ---- */

/* You are the guest's root and user 1000. */
static struct p9_idmap you_are(uint32_t you)
{
	return (struct p9_idmap){
		.range = {{.guest = 1000, .host = you, .count = 1}, {.guest = 0, .host = you, .count = 1}},
		.n = 2,
		.rest = true,
	};
}

TEST_F(models, idmap_of_an_ordinary_user)
{
	struct p9c *c;

	become_user(self);
	self->w.config.model = P9_MODEL_IDMAP;
	self->w.config.uids = you_are(self->uid);
	self->w.config.gids = you_are(getegid());
	OPEN_WORLD();
	c = self->c;
	ASSERT_EQ(0, create(c, 1000, "f", 0640, 1000));
	EXPECT_OWNER("f", 0100640, 1000, 1000);
	ASSERT_EQ(0, create(c, 0, "by_root", 0640, 0));
	EXPECT_OWNER("by_root", 0100640, 1000, 1000);
	/* Between the two nothing changes. */
	EXPECT_EQ(0, change(c, 0, "f", P9_SET_UID | P9_SET_GID, 0, 0, 0));
	EXPECT_EQ(0, change(c, 0, "f", P9_SET_UID | P9_SET_GID, 0, 1000, 1000));
	EXPECT_OWNER("f", 0100640, 1000, 1000);
	/* To anybody else the host refuses it. */
	EXPECT_EQ(-EPERM, change(c, 0, "f", P9_SET_UID, 0, 1001, 0));
	EXPECT_EQ(-EPERM, change(c, 0, "f", P9_SET_UID, 0, 4242, 0));
	EXPECT_EQ(-EPERM, change(c, 0, "f", P9_SET_GID, 0, 0, 1001));
	/* One more group of one's own. */
	if (self->root) {
		EXPECT_EQ(0, change(c, 0, "f", P9_SET_GID, 0, 0, 1235));
		EXPECT_OWNER("f", 0100640, 1000, 1235);
	}
}

/* What is the host's root's is not the guest's root's, and is shown as nobody's. */
TEST_F(models, idmap_shows_others)
{
	if (!self->root)
		SKIP(return, "needs root, to make files that are somebody else's");
	self->w.config.model = P9_MODEL_IDMAP;
	self->w.config.uids = you_are(1234);
	self->w.config.gids = you_are(1235);
	OPEN_WORLD();
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "x"));
	ASSERT_EQ(0, chown(p9c_path(&self->w, "f"), 0, 0));
	EXPECT_EQ(65534, attr_of(self->c, "f").uid);
	EXPECT_EQ(65534, attr_of(self->c, "f").gid);
	ASSERT_EQ(0, chown(p9c_path(&self->w, "f"), 1000, 1000));
	EXPECT_EQ(65534, attr_of(self->c, "f").uid);
	ASSERT_EQ(0, chown(p9c_path(&self->w, "f"), 1001, 1002));
	EXPECT_EQ(1001, attr_of(self->c, "f").uid);
	EXPECT_EQ(1002, attr_of(self->c, "f").gid);
	ASSERT_EQ(0, chown(p9c_path(&self->w, "f"), 1234, 1235));
	EXPECT_EQ(1000, attr_of(self->c, "f").uid);
	EXPECT_EQ(1000, attr_of(self->c, "f").gid);
}

TEST_F(models, idmap_by_tables)
{
	static const struct p9_idmap map = {.range = {{0, 100000, 2000}, {5000, 7, 1}}, .n = 2};
	struct p9c *c;
	struct stat st;

	if (!self->root)
		SKIP(return, "needs root, to act as others");
	self->w.config.model = P9_MODEL_IDMAP;
	self->w.config.uids = map;
	self->w.config.gids = map;
	OPEN_WORLD();
	c = self->c;
	ASSERT_EQ(0, p9c_attach(c, 2, "", 2000)); /* not in the table */
	ASSERT_EQ(0, p9c_attach(c, 3, "", 0));
	ASSERT_EQ(0, create(c, 1000, "f", 0640, 5000));
	EXPECT_OWNER("f", 0100640, 1000, 5000);
	ASSERT_EQ(0, stat(p9c_path(&self->w, "f"), &st));
	EXPECT_EQ(101000, st.st_uid);
	EXPECT_EQ(7, st.st_gid);
	/* What is in no table is nobody's, and cannot be made. */
	EXPECT_EQ(-EPERM, create(c, 2, "g", 0644, 0));
	EXPECT_EQ(-EPERM, create(c, 1000, "g", 0644, 2000));
	EXPECT_EQ(-EPERM, change(c, 0, "f", P9_SET_UID, 0, 2000, 0));
	EXPECT_EQ(-EPERM, change(c, 0, "f", P9_SET_GID, 0, 0, 2000));
	EXPECT_EQ(0, change(c, 0, "f", P9_SET_UID | P9_SET_GID, 0, 5000, 3));
	ASSERT_EQ(0, stat(p9c_path(&self->w, "f"), &st));
	EXPECT_EQ(7, st.st_uid);
	EXPECT_EQ(100003, st.st_gid);
	ASSERT_EQ(0, chown(p9c_path(&self->w, "f"), 2000, 0));
	EXPECT_EQ(65534, attr_of(c, "f").uid);
	/* The host's user of that number is somebody else. */
	ASSERT_EQ(0, p9c_walk(c, 2, 4, "f"));
	EXPECT_EQ(-EACCES, p9c_lopen(c, 4, O_RDWR));
}

/* The guest's root has root's rights over what is in the tables, and no others. */
TEST_F(models, idmap_root)
{
	static const struct p9_idmap map = {.range = {{0, 100000, 2000}}, .n = 1};
	static const struct {
		const char *name;
		uid_t uid;
		gid_t gid;
		bool in;
	} files[] = {
		{"in", 101000, 101000, true},
		{"roots", 0, 0, false},
		{"others", 5, 101000, false},
		{"groups", 101000, 5, false},
	};
	char path[100];
	struct p9c *c;
	struct stat st;

	if (!self->root)
		SKIP(return, "needs root, to act as others");
	self->w.config.model = P9_MODEL_IDMAP;
	self->w.config.uids = self->w.config.gids = map;
	OPEN_WORLD();
	c = self->c;
	ASSERT_EQ(0, p9c_attach(c, 3, "", 0));
	for (size_t i = 0; i < LEN(files); i++) {
		int wanted = files[i].in ? 0 : -EACCES;
		const char *dir = files[i].name;

		sprintf(path, "%s/f", dir);
		ASSERT_EQ(0, mkdir(p9c_path(&self->w, dir), 0755));
		ASSERT_EQ(0, p9c_host_file(&self->w, path, "x"));
		ASSERT_EQ(0, chmod(p9c_path(&self->w, path), 0600));
		ASSERT_EQ(0, chown(p9c_path(&self->w, path), files[i].uid, files[i].gid));
		/* To reach the file the folder has to be open. */
		ASSERT_EQ(0, p9c_walk(c, 3, 4, path)) TH_LOG("%s", path);
		ASSERT_EQ(0, chmod(p9c_path(&self->w, dir), 0700));
		ASSERT_EQ(0, chown(p9c_path(&self->w, dir), files[i].uid, files[i].gid));
		EXPECT_EQ(wanted, p9c_lopen(c, 4, O_RDWR)) TH_LOG("%s", dir);
		p9c_clunk(c, 4);
		ASSERT_EQ(0, p9c_walk(c, 3, 4, dir));
		EXPECT_EQ(wanted, create(c, 4, "new", 04755, 0)) TH_LOG("%s", dir);
		EXPECT_EQ(wanted, p9c_walk(c, 4, 5, "f"));
		p9c_clunk(c, 5);
		/* In one go, through it. */
		EXPECT_EQ(wanted ? -ENOENT : 0, p9c_walk(c, 3, 5, path));
		p9c_clunk(c, 5);
		EXPECT_EQ(wanted, p9c_call(c, P9_TRENAMEAT, "dsds", 4, "f", 4, "g")) TH_LOG("%s", dir);
		EXPECT_EQ(wanted ? -EPERM : 0, change(c, 3, dir, P9_SET_UID, 0, 7, 0));
		EXPECT_EQ(wanted ? -EPERM : 0, change(c, 3, dir, P9_SET_MODE, 0755, 0, 0));
		p9c_clunk(c, 4);
	}
	/* New files are the guest's root's, not the host's. */
	ASSERT_EQ(0, stat(p9c_path(&self->w, "in/new"), &st));
	EXPECT_EQ(100000, st.st_uid);
	EXPECT_EQ(100000, st.st_gid);
	EXPECT_EQ(0104755, st.st_mode);
	/* Out of a folder with rights into one without, and back: neither. */
	ASSERT_EQ(0, chmod(p9c_path(&self->w, "roots"), 0755));
	ASSERT_EQ(0, p9c_walk(c, 3, 4, "in"));
	ASSERT_EQ(0, p9c_walk(c, 3, 5, "roots"));
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TRENAMEAT, "dsds", 4, "new", 5, "new"));
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TRENAMEAT, "dsds", 5, "f", 4, "f"));
	/* What would be root's on the host too. */
	EXPECT_EQ(-EPERM, p9c_call(c, P9_TMKNOD, "dsdddd", 4, "dev", S_IFCHR | 0600, 1, 3, 0));
	EXPECT_EQ(0, p9c_call(c, P9_TMKNOD, "dsdddd", 4, "fifo", S_IFIFO | 0600, 0, 0, 0));
	ASSERT_EQ(0, p9c_walk(c, 3, 6, "in/g"));
	EXPECT_EQ(-EPERM, p9c_setxattr(c, 6, "trusted.x", "x", 1, 0, 1));
}

/* Nor does it get any by another message, or beside somebody else. */
TEST_F(models, idmap_root_by_other_ways)
{
	static const struct p9_idmap map = {.range = {{0, 100000, 2000}}, .n = 1};
	struct p9c *c;
	struct stat st;

	if (!self->root)
		SKIP(return, "needs root, to act as others");
	self->w.config.model = P9_MODEL_IDMAP;
	self->w.config.uids = self->w.config.gids = map;
	OPEN_WORLD();
	c = self->c;
	ASSERT_EQ(0, chmod(p9c_path(&self->w, ""), 0755));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "in"), 0755));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "in/dir"), 0755));
	ASSERT_EQ(0, p9c_host_file(&self->w, "in/secret", "x"));
	ASSERT_EQ(0, chmod(p9c_path(&self->w, "in/secret"), 0600));
	ASSERT_EQ(0, chown(p9c_path(&self->w, "in"), 100000, 100000));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "in2"), 0755));
	ASSERT_EQ(0, chown(p9c_path(&self->w, "in2"), 100000, 100000));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "roots"), 0755));
	ASSERT_EQ(0, p9c_host_file(&self->w, "roots/f", "x"));
	ASSERT_EQ(0, chown(p9c_path(&self->w, "roots/f"), 100000, 100000));
	ASSERT_EQ(0, p9c_host_file(&self->w, "roots/closed", "x"));
	ASSERT_EQ(0, chmod(p9c_path(&self->w, "roots/closed"), 0600));
	ASSERT_EQ(0, p9c_attach(c, 3, "", 0));
	ASSERT_EQ(0, p9c_walk(c, 3, 4, "in"));
	ASSERT_EQ(0, p9c_walk(c, 3, 5, "roots"));

	/* Who is nobody in particular is the guest's root, not the host's. */
	ASSERT_EQ(0, p9c_walk(c, 0, 6, "in/secret"));
	EXPECT_EQ(-EACCES, p9c_lopen(c, 6, O_RDWR));
	p9c_clunk(c, 6);
	ASSERT_EQ(0, p9c_walk(c, 0, 6, "in"));
	EXPECT_EQ(-EPERM, p9c_call(c, P9_TMKNOD, "dsdddd", 6, "dev", S_IFCHR | 0666, 1, 3, 0));
	EXPECT_EQ(0, create(c, 6, "new", 0644, 0));
	ASSERT_EQ(0, stat(p9c_path(&self->w, "in/new"), &st));
	EXPECT_EQ(100000, st.st_uid);
	p9c_clunk(c, 6);

	/* To create what is there is to open it. */
	ASSERT_EQ(0, p9c_walk(c, 3, 6, "in"));
	EXPECT_EQ(-EACCES, p9c_lcreate(c, 6, "secret", O_RDWR, 0644, 0));
	p9c_clunk(c, 6);

	/* A name is its folder's. */
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TUNLINKAT, "dsd", 5, "f", 0));
	ASSERT_EQ(0, p9c_walk(c, 3, 6, "roots/f"));
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TRENAME, "dds", 6, 4, "f"));
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TREMOVE, "d", 6));
	EXPECT_EQ(0, access(p9c_path(&self->w, "roots/f"), F_OK));

	/* A folder of the host's root may not be moved; one of its files may. */
	ASSERT_EQ(0, p9c_walk(c, 3, 7, "in2"));
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TRENAMEAT, "dsds", 4, "dir", 7, "dir"));
	EXPECT_EQ(0, p9c_call(c, P9_TRENAMEAT, "dsds", 4, "secret", 7, "secret"));

	/* Two users in one request. */
	ASSERT_EQ(0, p9c_walk(c, 1000, 8, "roots/closed"));
	EXPECT_EQ(-EPERM, p9c_call(c, P9_TLINK, "dds", 4, 8, "hard"));
	ASSERT_EQ(0, p9c_walk(c, 1000, 9, "roots"));
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TRENAMEAT, "dsds", 9, "f", 4, "f"));
}

/* ACLs name people, too. */
TEST_F(models, idmap_acls)
{
	static const struct p9_idmap map = {.range = {{0, 100000, 2000}}, .n = 1};
	struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entry[6];
	} acl = {
		.header = {htole32(POSIX_ACL_XATTR_VERSION)},
		.entry = {{1, 6, -1}, {2, 4, 5}, {4, 4, -1}, {8, 4, 6}, {16, 6, -1}, {32, 0, -1}},
	}, host;
	struct p9c *c;

	self->w.config.model = P9_MODEL_IDMAP;
	self->w.config.uids = self->w.config.gids = map;
	OPEN_WORLD();
	c = self->c;
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "x"));
	if (self->root)
		ASSERT_EQ(0, chown(p9c_path(&self->w, "f"), 100000, 100000));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	if (p9c_setxattr(c, 1, "system.posix_acl_access", &acl, sizeof(acl), 0, 1000) == -EOPNOTSUPP)
		SKIP(return, "the file system of TMPDIR has no ACLs");
	ASSERT_EQ(sizeof(host), getxattr(p9c_path(&self->w, "f"), "system.posix_acl_access", &host,
					 sizeof(host)));
	EXPECT_EQ(100005, host.entry[1].e_id);
	EXPECT_EQ(100006, host.entry[3].e_id);
	ASSERT_EQ(sizeof(acl), p9c_getxattr(c, 1, "system.posix_acl_access"));
	EXPECT_EQ(0, memcmp(c->rp, &acl, sizeof(acl)));
	acl.entry[1].e_id = 2000;
	EXPECT_EQ(-EPERM, p9c_setxattr(c, 1, "system.posix_acl_access", &acl, sizeof(acl), 0, 1000));
	EXPECT_EQ(-EINVAL, p9c_setxattr(c, 1, "system.posix_acl_access", &acl, 11, 0, 1000));
	EXPECT_EQ(-EINVAL, p9c_setxattr(c, 1, "system.posix_acl_access", &acl, 3, 0, 1000));
}

/* ---- whom a request acts as ---- */

/* In a mount namespace of its own, /etc/passwd and /etc/group are what the test says. */
static bool fake_etc(const char *passwd, const char *group)
{
	const char *names[] = {"/etc/passwd", "/etc/group"}, *texts[] = {passwd, group};
	char path[] = "/tmp/ninep_models.XXXXXX";
	int fd;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	for (int i = 0; i < 2; i++) {
		strcpy(path, "/tmp/ninep_models.XXXXXX");
		fd = mkstemp(path);
		if (fd < 0 || write(fd, texts[i], strlen(texts[i])) < 0 || close(fd) ||
		    mount(path, names[i], NULL, MS_BIND, NULL) || unlink(path))
			return false;
	}
	return true;
}

TEST_F(models, groups_are_the_hosts)
{
	struct p9c *c;
	struct stat st;

	if (!self->root || !fake_etc("root:x:0:0::/:/bin/sh\nann:x:1000:300::/:/bin/sh\n",
				     "root:x:0:\nown:x:300:\nteam:x:400:bob,ann\nother:x:500:bob\n"))
		SKIP(return, "needs root and a mount namespace");
	OPEN_WORLD();
	c = self->c;
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = {"own", "team", "other"};
		static const gid_t gids[] = {300, 400, 500};

		ASSERT_EQ(0, p9c_host_file(&self->w, names[i], "x"));
		ASSERT_EQ(0, chown(p9c_path(&self->w, names[i]), 0, gids[i]));
		ASSERT_EQ(0, chmod(p9c_path(&self->w, names[i]), 0060));
		ASSERT_EQ(0, p9c_walk(c, 1000, 1, names[i]));
		EXPECT_EQ(i < 2 ? 0 : -EACCES, p9c_lopen(c, 1, O_RDWR)) TH_LOG("%s", names[i]);
		p9c_clunk(c, 1);
	}
	/* While it creates in another group, it still has its own. */
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "dir"), 0));
	ASSERT_EQ(0, chown(p9c_path(&self->w, "dir"), 0, 300));
	ASSERT_EQ(0, chmod(p9c_path(&self->w, "dir"), 0070));
	ASSERT_EQ(0, p9c_walk(c, 1000, 2, "dir"));
	EXPECT_EQ(0, create(c, 2, "new", 0644, 400));
	ASSERT_EQ(0, stat(p9c_path(&self->w, "dir/new"), &st));
	EXPECT_EQ(1000, st.st_uid);
	EXPECT_EQ(400, st.st_gid);
	/* And what comes next as somebody else has none of them. */
	ASSERT_EQ(0, p9c_attach(c, 3, "", 1001));
	ASSERT_EQ(0, p9c_walk(c, 3, 4, "team"));
	EXPECT_EQ(-EACCES, p9c_lopen(c, 4, O_RDONLY));
}

/* ---- what was refused ---- */

struct told {
	unsigned int n;
	struct p9_refusal last;
	char path[300];
};

static void tell(void *arg, const struct p9_refusal *refusal)
{
	struct told *told = arg;

	told->last = *refusal;
	snprintf(told->path, sizeof(told->path), "%s", refusal->path ?: "(too long)");
	told->n++;
}

TEST_F(models, tells_of_refusals)
{
	struct told told = {0};
	struct p9c *c;

	become_user(self);
	OPEN_WORLD();
	c = self->c;
	p9_server_on_refusal(self->w.server, tell, &told);
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d"), 0755));
	ASSERT_EQ(0, p9c_host_file(&self->w, "d/f", "x"));
	ASSERT_EQ(0, chmod(p9c_path(&self->w, "d/f"), 0));
	ASSERT_EQ(0, chmod(p9c_path(&self->w, "d"), 0555));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "d"));
	/* What works, and what is not there, is none. */
	EXPECT_EQ(-ENOENT, p9c_walk(c, 1, 9, "nothing"));
	EXPECT_EQ(0, told.n);

	EXPECT_EQ(-EACCES, create(c, 1, "new", 0644, 0));
	EXPECT_EQ(1, told.n);
	EXPECT_EQ(P9_REFUSED_CREATE, told.last.what);
	EXPECT_EQ(-EACCES, told.last.err);
	EXPECT_EQ(self->uid, told.last.uid);
	EXPECT_EQ(getegid(), told.last.gid);
	EXPECT_EQ(self->w.share, told.last.share);
	EXPECT_STREQ("d/new", told.path);

	EXPECT_EQ(-EACCES, p9c_call(c, P9_TMKDIR, "dsdd", 1, "sub", 0755, 0));
	EXPECT_STREQ("d/sub", told.path);
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TSYMLINK, "dssd", 1, "l", "x", 0));
	EXPECT_STREQ("d/l", told.path);
	EXPECT_EQ(-EPERM, p9c_call(c, P9_TMKNOD, "dsdddd", 0, "dev", S_IFCHR | 0600, 1, 3, 0));
	EXPECT_EQ(P9_REFUSED_MKNOD, told.last.what);
	EXPECT_STREQ("dev", told.path);

	ASSERT_EQ(0, p9c_walk(c, 1, 2, "f"));
	EXPECT_EQ(-EACCES, p9c_lopen(c, 2, O_RDONLY));
	EXPECT_EQ(P9_REFUSED_OPEN, told.last.what);
	EXPECT_STREQ("d/f", told.path);
	EXPECT_EQ(-EPERM, change(c, 0, "d/f", P9_SET_UID, 0, 0, 0));
	EXPECT_EQ(P9_REFUSED_CHOWN, told.last.what);
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TLINK, "dds", 1, 2, "hard"));
	EXPECT_EQ(P9_REFUSED_CREATE, told.last.what);
	EXPECT_STREQ("d/hard", told.path);
	EXPECT_EQ(7, told.n);
	chmod(p9c_path(&self->w, "d"), 0755);
}

/* ---- writeout=immediate ---- */

/* Whether the first page of a file is dirty: by the kernel's flags of the page behind a mapping. */
static int first_page_is_dirty(const char *path)
{
	int fd = open(path, O_RDONLY), map = open("/proc/self/pagemap", O_RDONLY);
	int flags = open("/proc/kpageflags", O_RDONLY);
	volatile const char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	uint64_t entry, bits;
	int dirty = -1;

	(void)*page;
	if (pread(map, &entry, 8, (uintptr_t)page / 4096 * 8) == 8 &&
	    pread(flags, &bits, 8, (entry & ((1ull << 55) - 1)) * 8) == 8)
		dirty = bits >> 4 & 1;
	munmap((void *)page, 4096);
	close(fd);
	close(map);
	if (flags >= 0)
		close(flags);
	return dirty;
}

TEST_F(models, writeout)
{
	static const unsigned int flags[] = {0, P9_SHARE_WRITEOUT};
	char data[5000], back[5000];
	struct p9c *c;
	int dirty[2];

	memset(data, 'x', sizeof(data));
	for (int i = 0; i < 2; i++) {
		self->w = (struct p9c_world){.config.flags = flags[i]};
		OPEN_WORLD();
		c = self->c;
		ASSERT_EQ(0, p9c_lcreate(c, 0, "f", O_RDWR, 0644, 0));
		EXPECT_EQ(5000, p9c_write(c, 0, 0, data, 5000));
		dirty[i] = first_page_is_dirty(p9c_path(&self->w, "f"));
		EXPECT_EQ(100, p9c_write(c, 0, 5000, data, 100));
		ASSERT_EQ(5000, p9c_read(c, 0, 100, 5000));
		memcpy(back, c->rp, 5000);
		EXPECT_EQ(0, memcmp(data, back, 5000));
		self->open = false;
		EXPECT_EQ(0, p9c_world_close(&self->w));
	}
	if (dirty[0] != 1)
		SKIP(return, "needs root, and a file system that writes out");
	EXPECT_EQ(0, dirty[1]);
}

TEST_HARNESS_MAIN
