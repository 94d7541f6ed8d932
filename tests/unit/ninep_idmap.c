// SPDX-License-Identifier: MIT
/* idmap: each side's ids by a table, and the rights of a guest's root over what is in it. */
#include <linux/posix_acl_xattr.h>

#include "tests/unit/models.h"

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

TEST_HARNESS_MAIN
