// SPDX-License-Identifier: MIT
/* mapped-xattr: what the host has, and what the guest is told. */
#include "tests/unit/models.h"

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

static int set_uid(const struct p9c_world *w, const char *name, uint32_t uid)
{
	const uint32_t value = htole32(uid);

	return setxattr(p9c_path(w, name), "user.virtfs.uid", &value, sizeof(value), 0);
}

/* What is remembered of a file's attributes goes by its ctime, once that is past. */
TEST_F(models, mapped_changed_by_the_host)
{
	struct timespec now;
	struct stat st;

	self->w.config.model = P9_MODEL_MAPPED;
	OPEN_WORLD();
	ASSERT_EQ(0, create(self->c, 1000, "f", 0640, 55));
	ASSERT_EQ(0, p9c_walk(self->c, 0, 1, "f"));
	ASSERT_EQ(0, lstat(p9c_path(&self->w, "f"), &st));
	do {
		usleep(10000);
		clock_gettime(CLOCK_REALTIME, &now);
	} while (now.tv_sec < st.st_ctime + 3);
	for (int i = 0; i < 2; i++)
		EXPECT_OWNER("f", 0100640, 1000, 55);
	/* The first change is of what is remembered, the others each of what has just come. */
	for (uint32_t uid = 2000; uid < 2100; uid++) {
		ASSERT_EQ(0, set_uid(&self->w, "f", uid));
		EXPECT_OWNER("f", 0100640, uid, 55);
	}
	ASSERT_EQ(0, change(self->c, 1000, "f", P9_SET_GID, 0, 0, 66));
	EXPECT_OWNER("f", 0100640, 2099, 66);
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

TEST_HARNESS_MAIN
