// SPDX-License-Identifier: MIT
/* Names that a share hides: no message that takes a name gets at them, or makes them. */
#include "kselftest_harness.h"

#include <sched.h>
#include <sys/mount.h>

#include "tests/unit/p9client.h"

FIXTURE(hidden)
{
	struct p9c_world w;
	struct p9_share *share;
	struct p9c *c;
};

FIXTURE_VARIANT(hidden)
{
	enum p9_executor executor;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(hidden, sync) { P9_EXEC_SYNC };
FIXTURE_VARIANT_ADD(hidden, ring) { P9_EXEC_RING };
FIXTURE_VARIANT_ADD(hidden, auto) { P9_EXEC_AUTO };
/* clang-format on */

static const char *const folders[] = {
	"etc", "etc/ssl", "etc/ssl/private", "home", "home/me", "home/me/.ssh", "home/other",
	"opt", "store", "many",
};

static const char *const files[] = {
	"etc/passwd", "etc/shadow", "etc/shadow-", "etc/a_1_key", "etc/a_1_pub", "etc/a_key", "top", "etc/ssl/private/key", "etc/ssl/cert",
	"home/me/.ssh/id", "home/me/doc", "home/other/doc", "store/real", "store/chain", "store/plain",
};

static const struct p9_hidden names[] = {
	{.path = "/conf/shadow*"}, /* conf is a link to etc */
	{.path = "etc/a_*_key"},
	{.path = "/top"},
	{.path = "//etc/./ssl/private/"},
	{.path = "/home/*"},
	{.path = "/home/me", .shown = true},
	{.path = "/home/me/.ssh"},
	{.path = "/etc/key"}, /* a link to a link to store/real */
	{.path = "/opt/app/data/secret"}, /* only opt is there */
	{.path = "/many/*"},
	{.path = "/store/nowhere"}, /* a dangling link */
};

/* A share of the same folder that hides these names, and a client of it. */
static int open_hiding(struct p9c_world *w, const struct p9_hidden *hidden, unsigned int n,
		       struct p9_share **share, struct p9c **c)
{
	const struct p9_share_config config = {.hidden = hidden, .nhidden = n};
	int err = p9_share_open(share, w->server, p9c_path(w, ""), &config);

	if (err)
		return err;
	*c = p9c_new(w->server, NULL, false);
	err = p9_session_new(&(*c)->session, *share);
	err = err ?: p9c_version(*c, 65536);
	return err ?: p9c_attach(*c, 0, "", P9_NONUNAME);
}

static void close_hiding(struct p9_share *share, struct p9c *c)
{
	p9_session_free(c->session);
	p9_share_put(share);
	p9c_free(c);
}

FIXTURE_SETUP(hidden)
{
	/* First of all, so that the ring's own threads live in the new namespace too. */
	if (!unshare(CLONE_NEWNS))
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	ASSERT_EQ(0, p9c_world_open(&self->w, variant->executor, false, 0));
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		ASSERT_EQ(0, mkdir(p9c_path(&self->w, folders[i]), 0777));
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		ASSERT_EQ(0, p9c_host_file(&self->w, files[i], "text"));
	ASSERT_EQ(0, symlink("/etc", p9c_path(&self->w, "conf")));
	ASSERT_EQ(0, symlink("../store/chain", p9c_path(&self->w, "etc/key")));
	ASSERT_EQ(0, unlink(p9c_path(&self->w, "store/chain")));
	ASSERT_EQ(0, symlink("/store/real", p9c_path(&self->w, "store/chain")));
	ASSERT_EQ(0, symlink("../far/away", p9c_path(&self->w, "store/nowhere")));
	ASSERT_EQ(0, open_hiding(&self->w, names, sizeof(names) / sizeof(*names), &self->share, &self->c));
}

FIXTURE_TEARDOWN(hidden)
{
	close_hiding(self->share, self->c);
	EXPECT_EQ(0, p9c_world_close(&self->w));
}

TEST_F(hidden, from_walks)
{
	static const char *const not_there[] = {
		"etc/shadow",	 "etc/shadow-",	      "etc/../etc/shadow", "etc/ssl/private",
		"etc/a_1_key",	 "top",		"home/other",	      "home/other/doc",	   "home/me/.ssh",
		"etc/ssl/private/key", "home/me/../other", "etc/key",	   "store/chain",
		"store/real",	 "home/me/.ssh/../doc", "store/nowhere",
	};
	static const char *const there[] = {
		"etc",	   "etc/passwd", "etc/ssl",	"etc/ssl/cert", "conf",
		"etc/a_key", "etc/a_1_pub",
		"home/me", "store",	 "home/me/doc", "store/plain",	"etc/ssl/../../home/me",
	};
	struct p9c *c = self->c;

	for (size_t i = 0; i < sizeof(not_there) / sizeof(*not_there); i++) {
		EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 1, not_there[i]))
		{
			TH_LOG("%s", not_there[i]);
		}
	}
	for (size_t i = 0; i < sizeof(there) / sizeof(*there); i++) {
		EXPECT_EQ(0, p9c_walk(c, 0, 1, there[i]))
		{
			TH_LOG("%s", there[i]);
		}
		EXPECT_EQ(0, p9c_clunk(c, 1));
	}
	/* Nor is one attached to; and a walk that ends before it gives what is before it. */
	EXPECT_EQ(-ENOENT, p9c_attach(c, 1, "/etc/ssl/private", P9_NONUNAME));
	EXPECT_EQ(-ENOENT, p9c_attach(c, 1, "home/other", P9_NONUNAME));
	ASSERT_EQ(0, p9c_call(c, P9_TWALK, "ddwss", 0, 1, 2, "etc", "shadow"));
	EXPECT_EQ(1, p9c_get(c, 2));
	/* An attach below is as any other folder. */
	ASSERT_EQ(0, p9c_attach(c, 1, "etc", P9_NONUNAME));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 1, 2, "shadow"));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 1, 2, "../shadow"));
	/* The other share of the same folder hides nothing. */
	EXPECT_EQ(0, p9c_walk(self->w.c, 0, 1, "etc/shadow"));
}

/* Whether name is among what a folder's fid lists, and how many there are besides "." and "..". */
static bool lists(struct p9c *c, uint32_t fid, const char *path, const char *name, int *n)
{
	char entry[300];
	uint64_t off = 0;
	bool found = false;

	*n = -1;
	if (p9c_walk(c, 0, fid, path) || p9c_lopen(c, fid, O_RDONLY | O_DIRECTORY))
		return false;
	*n = 0;
	for (;;) {
		const uint8_t *end;

		/* Room for a few entries, so that there are several replies. */
		if (p9c_call(c, P9_TREADDIR, "dqd", fid, off, 600))
			*n = -1;
		end = c->rp + 4;
		end += *n < 0 ? 0 : p9c_get(c, 4);
		if (*n < 0 || c->rp == end)
			break;
		while (c->rp < end) {
			p9c_get_qid(c);
			off = p9c_get(c, 8);
			p9c_get(c, 1);
			p9c_get_string(c, entry);
			*n += strcmp(entry, ".") && strcmp(entry, "..");
			found |= !strcmp(entry, name);
		}
	}
	p9c_clunk(c, fid);
	return found;
}

TEST_F(hidden, from_listings)
{
	struct p9c *c = self->c;
	char name[128];
	int n;

	EXPECT_FALSE(lists(c, 1, "etc", "shadow", &n));
	EXPECT_EQ(4, n);
	EXPECT_TRUE(lists(c, 1, "etc", "passwd", &n));
	EXPECT_TRUE(lists(c, 1, "etc", "ssl", &n));
	EXPECT_FALSE(lists(c, 1, "etc", "shadow-", &n));
	EXPECT_FALSE(lists(c, 1, "etc/ssl", "private", &n));
	EXPECT_EQ(1, n);
	EXPECT_TRUE(lists(c, 1, "home", "me", &n));
	EXPECT_EQ(1, n);
	EXPECT_TRUE(lists(c, 1, "home/me", "doc", &n));
	EXPECT_EQ(1, n);
	EXPECT_TRUE(lists(c, 1, "store", "plain", &n));
	EXPECT_EQ(1, n);
	EXPECT_TRUE(lists(self->w.c, 1, "etc", "shadow", &n));
	/* What is behind many that are hidden is found. */
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "etc/shadow.%0100d", i);
		ASSERT_EQ(0, mknod(p9c_path(&self->w, name), S_IFREG, 0));
	}
	EXPECT_TRUE(lists(c, 1, "etc", "passwd", &n));
	EXPECT_EQ(4, n);
	EXPECT_TRUE(lists(c, 1, "etc", "ssl", &n));
	EXPECT_FALSE(lists(c, 1, "many", "x", &n));
	EXPECT_EQ(0, n);
}

TEST_F(hidden, cannot_be_made)
{
	struct p9c *c = self->c;
	struct stat st;

	ASSERT_EQ(0, p9c_walk(c, 0, 1, "etc"));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "etc/passwd"));
	ASSERT_EQ(0, p9c_walk(c, 0, 3, "many"));
	ASSERT_EQ(0, p9c_walk(c, 1, 4, ""));
	/* Whether it is there cannot be told. */
	for (int i = 0; i < 2; i++) {
		const uint32_t dir = i ? 3 : 1;
		const char *name = i ? "new" : "shadow";

		ASSERT_EQ(0, p9c_walk(c, dir, 5, ""));
		EXPECT_EQ(-EACCES, p9c_lcreate(c, 5, name, O_RDWR, 0644, 0));
		EXPECT_EQ(-EACCES, p9c_lcreate(c, 5, name, O_RDWR | P9_OPEN_EXCL, 0644, 0));
		EXPECT_EQ(-EACCES, p9c_lcreate(c, 5, name, O_RDWR | P9_OPEN_TRUNC, 0644, 0));
		ASSERT_EQ(0, p9c_clunk(c, 5));
		EXPECT_EQ(-EACCES, p9c_call(c, P9_TMKDIR, "dsdd", dir, name, 0755, 0));
		EXPECT_EQ(-EACCES, p9c_call(c, P9_TSYMLINK, "dssd", dir, name, "target", 0));
		EXPECT_EQ(-EACCES, p9c_call(c, P9_TMKNOD, "dsdddd", dir, name, S_IFIFO | 0600, 0, 0, 0));
		EXPECT_EQ(-EACCES, p9c_call(c, P9_TLINK, "dds", dir, 2, name));
		EXPECT_EQ(-EACCES, p9c_call(c, P9_TRENAMEAT, "dsds", 1, "passwd", dir, name));
		EXPECT_EQ(-EACCES, p9c_call(c, P9_TRENAME, "dds", 2, dir, name));
	}
	ASSERT_EQ(0, stat(p9c_path(&self->w, "etc/shadow"), &st));
	EXPECT_EQ(4, st.st_size);
	EXPECT_EQ(1, st.st_nlink);
	EXPECT_EQ(0, stat(p9c_path(&self->w, "etc/passwd"), &st));
	EXPECT_EQ(-1, stat(p9c_path(&self->w, "many/new"), &st));
	/* Beside them everything can. */
	EXPECT_EQ(0, p9c_call(c, P9_TMKDIR, "dsdd", 1, "sha", 0755, getgid()));
	EXPECT_EQ(0, p9c_call(c, P9_TLINK, "dds", 1, 2, "passwd2"));
	EXPECT_EQ(0, p9c_call(c, P9_TRENAMEAT, "dsds", 1, "passwd2", 0, "passwd"));
}

TEST_F(hidden, cannot_be_moved_or_removed)
{
	struct p9c *c = self->c;
	struct stat st;

	ASSERT_EQ(0, p9c_walk(c, 0, 1, "etc"));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "etc/ssl"));
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TRENAMEAT, "dsds", 1, "shadow", 0, "seen"));
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TRENAMEAT, "dsds", 2, "private", 0, "seen"));
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TRENAMEAT, "dsds", 1, "shadow", 1, "shadow-"));
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TRENAMEAT, "dsds", 1, "shadow.none", 0, "seen"));
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TUNLINKAT, "dsd", 1, "shadow", 0));
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TUNLINKAT, "dsd", 2, "private", 0x200));
	EXPECT_EQ(0, stat(p9c_path(&self->w, "etc/shadow"), &st));
	EXPECT_EQ(0, stat(p9c_path(&self->w, "etc/ssl/private/key"), &st));
	/* Nor may the folders above be moved, by which they are known. */
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TRENAMEAT, "dsds", 0, "etc", 0, "etc2"));
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TRENAMEAT, "dsds", 1, "ssl", 0, "ssl"));
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TRENAME, "dds", 2, 0, "ssl"));
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TRENAMEAT, "dsds", 0, "store", 1, "ssl"));
	/* They are not empty, though they may seem so. */
	ASSERT_EQ(0, unlink(p9c_path(&self->w, "etc/ssl/cert")));
	EXPECT_EQ(-ENOTEMPTY, p9c_call(c, P9_TUNLINKAT, "dsd", 1, "ssl", 0x200));
}

/* What the host does meanwhile changes nothing. */
TEST_F(hidden, whatever_the_host_puts_there)
{
	struct p9c *c = self->c;
	int n;

	ASSERT_EQ(0, p9c_walk(c, 0, 1, "etc"));
	/* As passwd(1) has it: a new file of the same name. */
	ASSERT_EQ(0, p9c_host_file(&self->w, "etc/nshadow", "new"));
	ASSERT_EQ(0, p9c_walk(c, 1, 2, "nshadow"));
	ASSERT_EQ(0, rename(p9c_path(&self->w, "etc/nshadow"), p9c_path(&self->w, "etc/shadow")));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 1, 3, "shadow"));
	EXPECT_FALSE(lists(c, 3, "etc", "shadow", &n));
	/* A new folder above it. */
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "etc/new"), 0777));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "etc/new/private"), 0777));
	ASSERT_EQ(0, p9c_walk(c, 1, 3, "new/private"));
	ASSERT_EQ(0, rename(p9c_path(&self->w, "etc/ssl"), p9c_path(&self->w, "etc/old")));
	ASSERT_EQ(0, rename(p9c_path(&self->w, "etc/new"), p9c_path(&self->w, "etc/ssl")));
	EXPECT_EQ(0, p9c_walk(c, 1, 4, "ssl"));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 1, 5, "ssl/private"));
	/* And the old one elsewhere. */
	EXPECT_EQ(0, p9c_walk(c, 1, 5, "old/cert"));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 1, 6, "old/private"));
	EXPECT_FALSE(lists(c, 6, "etc/old", "private", &n));
	EXPECT_EQ(1, n);
}

TEST_F(hidden, before_they_are_there)
{
	struct p9c *c = self->c;
	int n;

	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 1, "opt/app"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "opt"));
	ASSERT_EQ(0, p9c_call(c, P9_TMKDIR, "dsdd", 1, "app", 0777, getgid()));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "opt/app/data"), 0777));
	ASSERT_EQ(0, p9c_host_file(&self->w, "opt/app/data/secret", "text"));
	ASSERT_EQ(0, p9c_host_file(&self->w, "opt/app/data/other", "text"));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 2, "opt/app/data/secret"));
	EXPECT_EQ(0, p9c_walk(c, 0, 2, "opt/app/data/other"));
	EXPECT_TRUE(lists(c, 3, "opt/app/data", "other", &n));
	EXPECT_EQ(1, n);
	EXPECT_EQ(-EACCES, p9c_call(c, P9_TRENAMEAT, "dsds", 1, "app", 0, "app"));
	/* Where a link led to nowhere. */
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "far"), 0777));
	ASSERT_EQ(0, p9c_host_file(&self->w, "far/away", "text"));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 4, "far/away"));
	EXPECT_EQ(0, p9c_walk(c, 0, 4, "far"));
}

/* The same folder in another place. */
TEST_F(hidden, behind_a_mount)
{
	struct p9c *c = self->c;
	struct stat st;
	int n;

	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "bound"), 0777));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "all"), 0777));
	if (mount(p9c_path(&self->w, "etc"), p9c_path(&self->w, "bound"), NULL, MS_BIND, NULL))
		SKIP(return, "needs root");
	ASSERT_EQ(0, mount(p9c_path(&self->w, ""), p9c_path(&self->w, "all"), NULL, MS_BIND, NULL));
	ASSERT_EQ(0, stat(p9c_path(&self->w, "bound/shadow"), &st));
	EXPECT_EQ(0, p9c_walk(c, 0, 1, "bound/passwd"));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 2, "bound/shadow"));
	EXPECT_FALSE(lists(c, 2, "bound", "shadow", &n));
	EXPECT_EQ(0, p9c_walk(c, 0, 2, "all/home/me"));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 3, "all/home/other"));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 3, "all/top"));
	ASSERT_EQ(0, p9c_clunk(c, 1));
	ASSERT_EQ(0, p9c_clunk(c, 2));
	umount2(p9c_path(&self->w, "bound"), MNT_DETACH);
	umount2(p9c_path(&self->w, "all"), MNT_DETACH);
}

TEST_F(hidden, what_makes_no_sense)
{
	static const struct p9_hidden wrong[] = {
		{.path = "/"}, {.path = ""}, {.path = "/."}, {.path = "/none/../etc"}, {.path = "etc/.."},
	};
	struct p9_share *share;
	struct p9c *c;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		EXPECT_EQ(-EINVAL, open_hiding(&self->w, wrong + i, 1, &share, &c));
	/* ".." where something is: as a path of the share has it. */
	ASSERT_EQ(0, open_hiding(&self->w, &(struct p9_hidden){.path = "../../etc/ssl/../passwd"}, 1, &share,
				 &c));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 1, "etc/passwd"));
	EXPECT_EQ(0, p9c_walk(c, 0, 1, "etc/shadow"));
	close_hiding(share, c);
	/* An exception is one from patterns only. */
	ASSERT_EQ(0, open_hiding(&self->w,
				 (struct p9_hidden[]){{.path = "home/me", .shown = true}, {.path = "home/me"}},
				 2, &share, &c));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 1, "home/me"));
	close_hiding(share, c);
	/* Names below one that a pattern hides are no exception. */
	ASSERT_EQ(0, open_hiding(&self->w,
				 (struct p9_hidden[]){{.path = "home/*"}, {.path = "home/me/doc"}}, 2,
				 &share, &c));
	EXPECT_EQ(-ENOENT, p9c_walk(c, 0, 1, "home/me"));
	close_hiding(share, c);
}

TEST_HARNESS_MAIN
