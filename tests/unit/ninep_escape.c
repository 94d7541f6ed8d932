// SPDX-License-Identifier: MIT
/* Nothing outside the share is reached, nothing on a read-only one is changed, each acts as
 * himself. */
#include "kselftest_harness.h"

#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "tests/unit/p9client.h"

FIXTURE(share)
{
	struct p9c_world w;
	struct p9c *c;
};

FIXTURE_VARIANT(share)
{
	enum p9_executor executor;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(share, sync) { P9_EXEC_SYNC };
FIXTURE_VARIANT_ADD(share, ring) { P9_EXEC_RING };
FIXTURE_VARIANT_ADD(share, auto) { P9_EXEC_AUTO };
/* clang-format on */

static char outside[300];

FIXTURE_SETUP(share)
{
	ASSERT_EQ(0, p9c_world_open(&self->w, variant->executor, false, 0));
	self->c = self->w.c;
	snprintf(outside, sizeof(outside), "%s/outside", self->w.dir);
	ASSERT_EQ(0, mkdir(outside, 0777));
	ASSERT_EQ(0, p9c_host_file(&self->w, "../outside/secret", "secret"));
}

FIXTURE_TEARDOWN(share)
{
	EXPECT_EQ(0, p9c_world_close(&self->w));
}

TEST_F(share, symlinks_lead_nowhere)
{
	static const char *const name[] = {"abs", "rel", "root", "up"};
	struct p9c *c = self->c;
	struct stat st;
	char aname[64];

	ASSERT_EQ(0, symlink(outside, p9c_path(&self->w, "abs")));
	ASSERT_EQ(0, symlink("../outside", p9c_path(&self->w, "rel")));
	ASSERT_EQ(0, symlink("/", p9c_path(&self->w, "root")));
	ASSERT_EQ(0, symlink("..", p9c_path(&self->w, "up")));
	ASSERT_EQ(0, symlink("../outside/new", p9c_path(&self->w, "dangling")));
	ASSERT_EQ(0, symlink("../outside/secret", p9c_path(&self->w, "file")));
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(-ENOENT, p9c_call(c, P9_TWALK, "ddwss", 0, 1, 2, name[i], "secret")
					   ?: (p9c_get(c, 2) == 1 ? -ENOENT : 0));
		ASSERT_EQ(0, p9c_walk(c, 0, 1, name[i]));
		EXPECT_EQ(-ENOTDIR, p9c_walk(c, 1, 2, "secret"));
		EXPECT_EQ(-ENOTDIR, p9c_walk(c, 1, 2, ".."));
		EXPECT_EQ(-ELOOP, p9c_lopen(c, 1, O_RDONLY));
		EXPECT_EQ(-ENOTDIR, p9c_lcreate(c, 1, "new", O_RDWR, 0644, 0));
		EXPECT_EQ(-ENOTDIR, p9c_call(c, P9_TMKDIR, "dsdd", 1, "new", 0755, 0));
		EXPECT_EQ(-ENOTDIR, p9c_call(c, P9_TUNLINKAT, "dsd", 1, "secret", 0));
		EXPECT_EQ(-ENOTDIR, p9c_call(c, P9_TRENAMEAT, "dsds", 1, "secret", 0, "s"));
		EXPECT_EQ(-ENOTDIR, p9c_call(c, P9_TRENAMEAT, "dsds", 0, "file", 1, "s"));
		ASSERT_EQ(0, p9c_clunk(c, 1));
		snprintf(aname, sizeof(aname), "%s", name[i]);
		EXPECT_EQ(-ENOTDIR, p9c_attach(c, 9, aname, P9_NONUNAME));
		snprintf(aname, sizeof(aname), "%s/outside", name[i]);
		EXPECT_EQ(-ENOTDIR, p9c_attach(c, 9, aname, P9_NONUNAME));
	}
	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	EXPECT_EQ(-ELOOP, p9c_lcreate(c, 1, "dangling", O_RDWR, 0644, 0));
	EXPECT_EQ(-ELOOP, p9c_lcreate(c, 1, "file", O_RDWR | O_TRUNC, 0644, 0));
	EXPECT_EQ(-1, stat(p9c_path(&self->w, "../outside/new"), &st));
	ASSERT_EQ(0, stat(p9c_path(&self->w, "../outside/secret"), &st));
	EXPECT_EQ(6, st.st_size);
	/* A chmod or chown of a link does not go through it either. */
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "file"));
	struct p9c_attr set = {.mode = 0777, .uid = getuid(), .gid = getgid(), .atime = {5, 0}};
	EXPECT_EQ(-EOPNOTSUPP, p9c_setattr(c, 2, &set, P9_SET_MODE));
	EXPECT_EQ(0, p9c_setattr(c, 2, &set, P9_SET_ATIME | P9_SET_ATIME_SET | P9_SET_GID));
	ASSERT_EQ(0, stat(p9c_path(&self->w, "../outside/secret"), &st));
	EXPECT_NE(5, st.st_atime);
	EXPECT_NE(0777, st.st_mode & 0777);
}

TEST_F(share, dotdot_is_the_servers)
{
	struct p9c *c = self->c;
	struct p9c_attr root;

	ASSERT_EQ(0, p9c_getattr(c, 0, &root));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "../../../.."));
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(root.qid.path, p9c_get_qid(c).path);
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 2, "../outside"));
	/* The host takes a folder out of the share while the guest stands in it. */
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d"), 0755));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d/e"), 0755));
	ASSERT_EQ(0, p9c_walk(c, 0, 3, "d/e"));
	ASSERT_EQ(0, rename(p9c_path(&self->w, "d/e"), p9c_path(&self->w, "../outside/e")));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 3, 4, "../secret"));
	ASSERT_EQ(0, p9c_walk(c, 3, 4, "../.."));
	p9c_get_qid(c);
	EXPECT_EQ(root.qid.path, p9c_get_qid(c).path);
	/* An attach to a subfolder has its root there. */
	ASSERT_EQ(0, p9c_attach(c, 5, "d", P9_NONUNAME));
	uint64_t d = p9c_get_qid(c).path;
	ASSERT_EQ(0, p9c_walk(c, 5, 6, ".."));
	EXPECT_EQ(d, p9c_get_qid(c).path);
	EXPECT_NE(root.qid.path, d);
}

/* A walk to a file that is known finds what the host has put in its place since. */
TEST_F(share, what_is_known_is_looked_at_again)
{
	struct p9c *c = self->c;
	struct p9c_qid first, qid;
	struct stat st;

	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "first"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	first = p9c_get_qid(c);
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "f"));
	EXPECT_EQ(first.path, p9c_get_qid(c).path);
	ASSERT_EQ(0, p9c_clunk(c, 2));
	/* Changed. */
	ASSERT_EQ(0, truncate(p9c_path(&self->w, "f"), 3));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "f"));
	qid = p9c_get_qid(c);
	EXPECT_EQ(first.path, qid.path);
	EXPECT_NE(first.version, qid.version);
	ASSERT_EQ(0, p9c_clunk(c, 2));
	/* Another file, a link to the outside, nothing, a folder, and the first again. */
	ASSERT_EQ(0, link(p9c_path(&self->w, "f"), p9c_path(&self->w, "../kept")));
	ASSERT_EQ(0, p9c_host_file(&self->w, "g", "second"));
	ASSERT_EQ(0, rename(p9c_path(&self->w, "g"), p9c_path(&self->w, "f")));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "f"));
	EXPECT_NE(first.path, p9c_get_qid(c).path);
	ASSERT_EQ(0, p9c_lopen(c, 2, O_RDONLY));
	EXPECT_EQ(6, p9c_read(c, 2, 0, 100));
	ASSERT_EQ(0, unlink(p9c_path(&self->w, "f")));
	ASSERT_EQ(0, symlink("../outside/secret", p9c_path(&self->w, "f")));
	ASSERT_EQ(0, p9c_walk(c, 0, 3, "f"));
	EXPECT_EQ(P9_QTSYMLINK, p9c_get_qid(c).type);
	EXPECT_EQ(-ELOOP, p9c_lopen(c, 3, O_RDONLY));
	ASSERT_EQ(0, unlink(p9c_path(&self->w, "f")));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 4, "f"));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "f"), 0755));
	ASSERT_EQ(0, p9c_walk(c, 0, 4, "f"));
	EXPECT_EQ(P9_QTDIR, p9c_get_qid(c).type);
	ASSERT_EQ(0, rmdir(p9c_path(&self->w, "f")));
	ASSERT_EQ(0, rename(p9c_path(&self->w, "../kept"), p9c_path(&self->w, "f")));
	ASSERT_EQ(0, p9c_walk(c, 0, 5, "f"));
	EXPECT_EQ(first.path, p9c_get_qid(c).path);
	/* Each fid is still what it was. */
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDONLY));
	EXPECT_EQ(3, p9c_read(c, 1, 0, 100));
	EXPECT_EQ(6, p9c_read(c, 2, 0, 100));
	/* And what the guest renames is found by its new name. */
	ASSERT_EQ(0, p9c_call(c, P9_TRENAMEAT, "dsds", 0, "f", 0, "h"));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 6, "f"));
	ASSERT_EQ(0, p9c_walk(c, 0, 6, "h"));
	EXPECT_EQ(first.path, p9c_get_qid(c).path);
	ASSERT_EQ(0, stat(p9c_path(&self->w, "h"), &st));
}

/* The host swaps a folder for a link to the outside, and back, as fast as it can. */
static atomic_bool stop;

static void *swap(void *arg)
{
	struct p9c_world *w = arg;
	char dir[600], link[600], away[600];

	snprintf(dir, sizeof(dir), "%s", p9c_path(w, "d"));
	snprintf(link, sizeof(link), "%s", p9c_path(w, "../link"));
	snprintf(away, sizeof(away), "%s", p9c_path(w, "../away"));
	while (!atomic_load(&stop)) {
		symlink(outside, link);
		rename(dir, away);
		rename(link, dir);
		usleep(1);
		unlink(dir);
		rename(away, dir);
		usleep(1);
	}
	return NULL;
}

TEST_F(share, races_lead_nowhere)
{
	struct p9c *c = self->c;
	pthread_t thread;
	int inside = 0, leaked = 0;
	char name[32];
	struct stat st;

	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d"), 0755));
	ASSERT_EQ(0, p9c_host_file(&self->w, "d/secret", "public"));
	pthread_create(&thread, NULL, swap, &self->w);
	for (int i = 0; i < 1500; i++) {
		if (!p9c_walk(c, 0, 1, "d/secret")) {
			inside++;
			if (!p9c_lopen(c, 1, O_RDONLY) && p9c_read(c, 1, 0, 6) == 6)
				leaked += !memcmp(c->rp, "secret", 6);
			p9c_clunk(c, 1);
		}
		if (!p9c_walk(c, 0, 2, "d")) {
			snprintf(name, sizeof(name), "new%d", i);
			p9c_lcreate(c, 2, name, O_RDWR, 0644, getgid());
			p9c_clunk(c, 2);
		}
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	EXPECT_LT(0, inside);
	EXPECT_EQ(0, leaked);
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "../outside/new%d", i);
		EXPECT_EQ(-1, stat(p9c_path(&self->w, name), &st));
	}
}

/* A link in /proc is not followed, even one that would lead right back. */
TEST_F(share, magic_links_lead_nowhere)
{
	struct p9c *c = p9c_new(self->w.server, NULL, false);
	struct p9_share *share;

	ASSERT_EQ(0, p9_share_open(&share, self->w.server, "/proc/self", &(struct p9_share_config){0}));
	ASSERT_EQ(0, p9_session_new(&c->session, share));
	ASSERT_EQ(0, p9c_version(c, 65536));
	ASSERT_EQ(0, p9c_attach(c, 0, "", P9_NONUNAME));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 1, "root/etc"));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 1, "cwd/x"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "exe"));
	EXPECT_EQ(-ELOOP, p9c_lopen(c, 1, O_RDONLY));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "cmdline"));
	ASSERT_EQ(0, p9c_lopen(c, 2, O_RDONLY));
	EXPECT_LT(0, p9c_read(c, 2, 0, 100));
	p9_session_free(c->session);
	p9_share_put(share);
	p9c_free(c);
}

TEST_F(share, share_open_errors)
{
	struct p9_share *share;

	EXPECT_EQ(-ENOENT, p9_share_open(&share, self->w.server, "/nowhere/at/all", &(struct p9_share_config){0}));
	EXPECT_EQ(-ENOTDIR, p9_share_open(&share, self->w.server, "/proc/self/status", &(struct p9_share_config){0}));
}

TEST_F(share, read_only)
{
	struct p9c *c = p9c_new(self->w.server, NULL, false);
	struct p9c_attr set = {.mode = 0777};
	struct p9_share *share;
	struct stat st, st2;

	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "hello"));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d"), 0755));
	ASSERT_EQ(0, stat(p9c_path(&self->w, "f"), &st));
	ASSERT_EQ(0, p9_share_open(&share, self->w.server, p9c_path(&self->w, ""), &(struct p9_share_config){.flags = P9_SHARE_RO}));
	ASSERT_EQ(0, p9_session_new(&c->session, share));
	ASSERT_EQ(0, p9c_version(c, 65536));
	ASSERT_EQ(0, p9c_attach(c, 0, "", P9_NONUNAME));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "f"));
	EXPECT_EQ(-EROFS, p9c_lopen(c, 1, O_WRONLY));
	EXPECT_EQ(-EROFS, p9c_lopen(c, 1, O_RDWR));
	EXPECT_EQ(-EROFS, p9c_lopen(c, 1, O_RDONLY | P9_OPEN_TRUNC));
	EXPECT_EQ(-EROFS, p9c_lcreate(c, 0, "g", O_RDONLY, 0644, 0));
	EXPECT_EQ(-EROFS, p9c_call(c, P9_TMKDIR, "dsdd", 0, "g", 0755, 0));
	EXPECT_EQ(-EROFS, p9c_call(c, P9_TSYMLINK, "dssd", 0, "g", "t", 0));
	EXPECT_EQ(-EROFS, p9c_call(c, P9_TMKNOD, "dsdddd", 0, "g", S_IFIFO, 0, 0, 0));
	EXPECT_EQ(-EROFS, p9c_call(c, P9_TLINK, "dds", 0, 1, "g"));
	EXPECT_EQ(-EROFS, p9c_call(c, P9_TRENAME, "dds", 1, 0, "g"));
	EXPECT_EQ(-EROFS, p9c_call(c, P9_TRENAMEAT, "dsds", 0, "f", 0, "g"));
	EXPECT_EQ(-EROFS, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "f", 0));
	EXPECT_EQ(-EROFS, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "d", 0x200));
	for (uint32_t bit = 1; bit <= P9_SET_MTIME_SET; bit <<= 1)
		EXPECT_EQ(-EROFS, p9c_setattr(c, 1, &set, bit));
	EXPECT_EQ(-EROFS, p9c_write(c, 1, 0, "x", 1));
	EXPECT_EQ(-EROFS, p9c_call(c, P9_TREMOVE, "d", 2));
	EXPECT_EQ(-EBADF, p9c_clunk(c, 2));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDONLY));
	EXPECT_EQ(5, p9c_read(c, 1, 0, 10));
	EXPECT_EQ(0, p9c_call(c, P9_TFSYNC, "dd", 1, 0));
	ASSERT_EQ(0, stat(p9c_path(&self->w, "f"), &st2));
	EXPECT_EQ(st.st_ctim.tv_nsec, st2.st_ctim.tv_nsec);
	EXPECT_EQ(-1, lstat(p9c_path(&self->w, "g"), &st));
	p9_session_free(c->session);
	p9_share_put(share);
	p9c_free(c);
}

/* ---- identity ---- */

#define USER  12345u
#define GROUP 23456u

TEST_F(share, acts_as_the_fids_user)
{
	struct p9c *c = self->c;
	struct p9c_attr a, set = {.uid = USER + 1, .mode = 0600};

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, p9c_host_file(&self->w, "private", "secret"));
	ASSERT_EQ(0, chmod(p9c_path(&self->w, "private"), 0600));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "closed"), 0700));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "grouped"), 0777));
	ASSERT_EQ(0, chown(p9c_path(&self->w, "grouped"), 0, 777));
	ASSERT_EQ(0, chmod(p9c_path(&self->w, "grouped"), 02777));
	ASSERT_EQ(0, p9c_attach(c, 100, "", USER));
	ASSERT_EQ(0, p9c_attach(c, 200, "", 0));

	/* Whatever is created belongs to the user and the message's group. */
	ASSERT_EQ(0, p9c_walk(c, 100, 1, ""));
	ASSERT_EQ(0, p9c_lcreate(c, 1, "file", O_RDWR, 0644, GROUP));
	ASSERT_EQ(0, p9c_call(c, P9_TMKDIR, "dsdd", 100, "dir", 0755, GROUP));
	ASSERT_EQ(0, p9c_call(c, P9_TSYMLINK, "dssd", 100, "link", "t", GROUP));
	ASSERT_EQ(0, p9c_call(c, P9_TMKNOD, "dsdddd", 100, "fifo", S_IFIFO | 0644, 0, 0, GROUP));
	for (int i = 0; i < 4; i++) {
		static const char *const name[] = {"file", "dir", "link", "fifo"};

		ASSERT_EQ(0, p9c_walk(c, 100, 2, name[i]));
		ASSERT_EQ(0, p9c_getattr(c, 2, &a));
		EXPECT_EQ(USER, a.uid);
		EXPECT_EQ(GROUP, a.gid);
		ASSERT_EQ(0, p9c_clunk(c, 2));
	}
	/* A set-group-id folder has its way. */
	ASSERT_EQ(0, p9c_walk(c, 100, 3, "grouped"));
	ASSERT_EQ(0, p9c_lcreate(c, 3, "f", O_RDWR, 0644, GROUP));
	ASSERT_EQ(0, p9c_getattr(c, 3, &a));
	EXPECT_EQ(777, a.gid);
	/* Not root's powers: */
	ASSERT_EQ(0, p9c_walk(c, 100, 4, "private"));
	EXPECT_EQ(-EACCES, p9c_lopen(c, 4, O_RDONLY));
	EXPECT_EQ(-EPERM, p9c_setattr(c, 4, &set, P9_SET_MODE));
	EXPECT_EQ(-EPERM, p9c_setattr(c, 1, &set, P9_SET_UID));
	ASSERT_EQ(0, p9c_walk(c, 100, 5, "closed"));
	EXPECT_EQ(-EACCES, p9c_walk(c, 5, 6, "x"));
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TMKDIR, "dsdd", 5, "x", 0755, GROUP));
	EXPECT_EQ(-EPERM, p9c_call(c, P9_TMKNOD, "dsdddd", 100, "c", S_IFCHR, 1, 3, GROUP));
	/* his own: */
	EXPECT_EQ(0, p9c_setattr(c, 1, &set, P9_SET_MODE));
	/* Root's are root's, and nobody in particular is the process itself. */
	ASSERT_EQ(0, p9c_walk(c, 200, 7, "private"));
	EXPECT_EQ(0, p9c_lopen(c, 7, O_RDONLY));
	ASSERT_EQ(0, p9c_walk(c, 0, 8, "private"));
	EXPECT_EQ(0, p9c_lopen(c, 8, O_RDONLY));
	ASSERT_EQ(0, p9c_walk(c, 200, 9, ""));
	ASSERT_EQ(0, p9c_lcreate(c, 9, "roots", O_RDWR, 0644, GROUP));
	ASSERT_EQ(0, p9c_getattr(c, 9, &a));
	EXPECT_EQ(0, a.uid);
	EXPECT_EQ(GROUP, a.gid);
	/* And the caller is himself again. */
	EXPECT_EQ(0, setfsuid(-1));
	EXPECT_EQ(0, setfsgid(-1));
}

/*
 * Who may write may truncate, and so change mtime; to change mtime alone is the owner's. Linux's
 * client sends this for O_TRUNC and ftruncate(2).
 */
TEST_F(share, truncated_by_who_may_write)
{
	const uint32_t valid = P9_SET_SIZE | P9_SET_MTIME | P9_SET_CTIME;
	struct p9c *c = self->c;
	struct p9c_attr a, b, set = {.size = 0};

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "hello"));
	ASSERT_EQ(0, chmod(p9c_path(&self->w, "f"), 0666));
	ASSERT_EQ(0, p9c_attach(c, 100, "", USER));
	ASSERT_EQ(0, p9c_walk(c, 100, 1, "f"));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDWR));
	EXPECT_EQ(0, p9c_setattr(c, 1, &set, valid));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(0, a.size);
	/* Of what is empty already, too. */
	usleep(20000);
	EXPECT_EQ(0, p9c_setattr(c, 1, &set, valid));
	ASSERT_EQ(0, p9c_getattr(c, 1, &b));
	EXPECT_NE(0, memcmp(a.mtime, b.mtime, sizeof(a.mtime)));
	ASSERT_EQ(0, p9c_walk(c, 100, 2, "f"));
	EXPECT_EQ(0, p9c_setattr(c, 2, &set, valid));
	EXPECT_EQ(-EPERM, p9c_setattr(c, 2, &set, P9_SET_MTIME));
	EXPECT_EQ(-EPERM, p9c_setattr(c, 2, &set, valid | P9_SET_MTIME_SET));
}

/* As on a local disk: a write, truncation or new owner takes a program's special rights away. */
TEST_F(share, set_id_bits_are_cleared)
{
	/* version 2, effective; permitted: CAP_NET_RAW */
	static const uint32_t caps[5] = {0x02000001, 1 << 13};
	struct p9c *c = self->c;
	struct p9c_attr a, set = {.mode = 06777, .uid = USER, .gid = GROUP};
	const char *path = p9c_path(&self->w, "f");

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "hello"));
	ASSERT_EQ(0, p9c_attach(c, 100, "", USER));
	ASSERT_EQ(0, p9c_walk(c, 100, 1, "f"));
	ASSERT_EQ(0, chmod(path, 06777));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDWR));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(0106777, a.mode);
	EXPECT_EQ(1, p9c_write(c, 1, 0, "x", 1));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(0100777, a.mode);
	ASSERT_EQ(0, chmod(path, 06777));
	EXPECT_EQ(0, p9c_setattr(c, 1, &set, P9_SET_SIZE));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(0100777, a.mode);
	ASSERT_EQ(0, chmod(path, 06777));
	ASSERT_EQ(0, p9c_walk(c, 100, 2, "f"));
	ASSERT_EQ(0, p9c_lopen(c, 2, O_RDWR | P9_OPEN_TRUNC));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(0100777, a.mode);
	/* Root may leave them, but for a change of owner; and set them again at once. */
	ASSERT_EQ(0, chmod(path, 06777));
	ASSERT_EQ(0, p9c_walk(c, 0, 3, "f"));
	ASSERT_EQ(0, p9c_lopen(c, 3, O_RDWR));
	EXPECT_EQ(1, p9c_write(c, 3, 0, "x", 1));
	ASSERT_EQ(0, p9c_getattr(c, 3, &a));
	EXPECT_EQ(0106777, a.mode);
	EXPECT_EQ(0, p9c_setattr(c, 3, &set, P9_SET_UID | P9_SET_GID));
	ASSERT_EQ(0, p9c_getattr(c, 3, &a));
	EXPECT_EQ(0100777, a.mode);
	EXPECT_EQ(0, p9c_setattr(c, 3, &set, P9_SET_UID | P9_SET_MODE));
	ASSERT_EQ(0, p9c_getattr(c, 3, &a));
	EXPECT_EQ(0106777, a.mode);
	/* A folder's stay. */
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d"), 0755));
	ASSERT_EQ(0, chmod(p9c_path(&self->w, "d"), 02755));
	ASSERT_EQ(0, p9c_walk(c, 0, 4, "d"));
	EXPECT_EQ(0, p9c_setattr(c, 4, &set, P9_SET_UID));
	ASSERT_EQ(0, p9c_getattr(c, 4, &a));
	EXPECT_EQ(042755, a.mode);
	/* A file's capabilities go whoever writes. */
	if (setxattr(path, "security.capability", caps, sizeof(caps), 0))
		SKIP(return, "no file capabilities here");
	EXPECT_EQ(1, p9c_write(c, 3, 0, "x", 1));
	EXPECT_EQ(-1, getxattr(path, "security.capability", NULL, 0));
	ASSERT_EQ(0, setxattr(path, "security.capability", caps, sizeof(caps), 0));
	EXPECT_EQ(0, p9c_setattr(c, 3, &set, P9_SET_UID));
	EXPECT_EQ(-1, getxattr(path, "security.capability", NULL, 0));
}

TEST_F(share, an_ordinary_user_is_himself)
{
	struct p9c *c = self->c;
	struct p9c_attr a;

	if (!geteuid())
		SKIP(return, "is root");
	ASSERT_EQ(0, p9c_attach(c, 100, "", USER));
	ASSERT_EQ(0, p9c_walk(c, 100, 1, ""));
	ASSERT_EQ(0, p9c_lcreate(c, 1, "file", O_RDWR, 0644, GROUP));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(geteuid(), a.uid);
	EXPECT_EQ(getegid(), a.gid);
}

/* ---- several file systems below one share ---- */

FIXTURE(mounts)
{
	struct p9c_world w;
	bool skipped;
};

FIXTURE_VARIANT(mounts)
{
	enum p9_executor executor;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(mounts, sync) { P9_EXEC_SYNC };
FIXTURE_VARIANT_ADD(mounts, ring) { P9_EXEC_RING };
FIXTURE_VARIANT_ADD(mounts, auto) { P9_EXEC_AUTO };
/* clang-format on */

FIXTURE_SETUP(mounts)
{
	/* First of all, so that the ring's own threads live in the new namespace too. */
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		self->skipped = true;
		SKIP(return, "needs root");
	}
	ASSERT_EQ(0, p9c_world_open(&self->w, variant->executor, false, 0));
}

FIXTURE_TEARDOWN(mounts)
{
	if (!self->skipped)
		EXPECT_EQ(0, p9c_world_close(&self->w));
}

static void count_words(void *arg, const char *sentence)
{
	*(int *)arg += strstr(sentence, "multidevs=") != NULL;
}

/* The same two, with multidevs=forbid and =warn. */
static void check_multidevs(struct __test_metadata *_metadata, FIXTURE_DATA(mounts) * self)
{
	static const unsigned int flags[] = {P9_SHARE_FORBID_MULTIDEVS, P9_SHARE_WARN_MULTIDEVS};
	struct p9c_attr a, b;
	struct stat st;

	for (int i = 0; i < 2; i++) {
		struct p9c *c = p9c_new(self->w.server, NULL, false);
		struct p9_share *share;
		int said = 0, err = i ? 0 : -ENODEV;

		p9_server_on_say(self->w.server, count_words, &said);
		ASSERT_EQ(0,
			  p9_share_open(&share, self->w.server, p9c_path(&self->w, ""), &(struct p9_share_config){.flags = flags[i]}));
		ASSERT_EQ(0, p9_session_new(&c->session, share));
		ASSERT_EQ(0, p9c_version(c, 65536));
		ASSERT_EQ(0, p9c_attach(c, 0, "", P9_NONUNAME));
		EXPECT_EQ(0, said);
		EXPECT_EQ(err, p9c_walk(c, 0, 1, "m"));
		EXPECT_EQ(err, p9c_walk(c, 0, 2, "n"));
		EXPECT_EQ(err, p9c_walk(c, 0, 3, "m/f"));
		EXPECT_EQ(1, said); /* not again and again */
		if (i) {
			ASSERT_EQ(0, p9c_getattr(c, 1, &a));
			ASSERT_EQ(0, p9c_getattr(c, 2, &b));
			ASSERT_EQ(0, stat(p9c_path(&self->w, "n"), &st));
			EXPECT_EQ(st.st_ino, b.qid.path);
			EXPECT_EQ(a.qid.path, b.qid.path);
		}
		p9_session_free(c->session);
		p9_share_put(share);
		p9c_free(c);
	}
	p9_server_on_say(self->w.server, NULL, NULL);
}

TEST_F(mounts, are_told_apart)
{
	struct p9c *c = self->w.c;
	struct p9c_attr a, b;

	if (self->skipped)
		SKIP(return, "needs root");
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "m"), 0755));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "n"), 0755));
	ASSERT_EQ(0, mount("tmpfs", p9c_path(&self->w, "m"), "tmpfs", 0, NULL));
	ASSERT_EQ(0, mount("tmpfs", p9c_path(&self->w, "n"), "tmpfs", 0, NULL));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "m"));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "n"));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	ASSERT_EQ(0, p9c_getattr(c, 2, &b));
	EXPECT_NE(a.qid.path, b.qid.path);
	EXPECT_EQ((uint32_t)a.qid.path, (uint32_t)b.qid.path); /* one inode number, two devices */
	ASSERT_EQ(0, p9c_walk(c, 1, 3, ""));
	ASSERT_EQ(0, p9c_lcreate(c, 3, "f", O_RDWR, 0644, getgid()));
	ASSERT_EQ(5, p9c_write(c, 3, 0, "hello", 5));
	ASSERT_EQ(5, p9c_read(c, 3, 0, 50));
	ASSERT_EQ(0, p9c_walk(c, 1, 4, "f"));
	EXPECT_EQ(-EXDEV, p9c_call(c, P9_TRENAME, "dds", 4, 2, "f"));
	EXPECT_EQ(-EXDEV, p9c_call(c, P9_TLINK, "dds", 2, 4, "f"));
	EXPECT_EQ(-EBUSY, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "m", 0x200));
	ASSERT_EQ(0, p9c_walk(c, 1, 5, "../n/.."));
	check_multidevs(_metadata, self);
	umount2(p9c_path(&self->w, "m"), MNT_DETACH);
	umount2(p9c_path(&self->w, "n"), MNT_DETACH);
}

TEST_HARNESS_MAIN
