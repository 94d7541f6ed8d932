// SPDX-License-Identifier: MIT
/* The other ownership models, whom a request acts as, refusals, and writeout=immediate. */
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "tests/unit/models.h"

/* ---- none ---- */

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
