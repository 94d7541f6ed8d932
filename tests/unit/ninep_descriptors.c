// SPDX-License-Identifier: MIT
/*
 * Descriptors do not run out: with far fewer of them than files that the client knows, each fid
 * stays its file, or says ESTALE.
 */
#include "kselftest_harness.h"

#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "tests/unit/p9client.h"

#define LIMIT	  160  /* of the process; half of it are the nodes' */
#define CROWD	  400u /* files that push out the descriptors of all others */
#define CROWD_FID 100000u

FIXTURE(few)
{
	struct p9c_world w;
	struct p9c *c;
	bool skipped, mounts;
};

FIXTURE_VARIANT(few)
{
	enum p9_executor executor;
	bool root; /* by root, files are found by their handles, too */
};

/* clang-format off */
FIXTURE_VARIANT_ADD(few, sync) { P9_EXEC_SYNC, false };
FIXTURE_VARIANT_ADD(few, ring) { P9_EXEC_RING, false };
FIXTURE_VARIANT_ADD(few, auto) { P9_EXEC_AUTO, false };
FIXTURE_VARIANT_ADD(few, sync_root) { P9_EXEC_SYNC, true };
FIXTURE_VARIANT_ADD(few, auto_root) { P9_EXEC_AUTO, true };
/* clang-format on */

FIXTURE_SETUP(few)
{
	struct rlimit limit = {LIMIT / 2, LIMIT};
	char name[32];

	self->skipped = variant->root && geteuid();
	if (self->skipped)
		SKIP(return, "needs root");
	if (!variant->root && !geteuid())
		ASSERT_EQ(0, setresuid(65534, 65534, 65534));
	/* Before the share is opened: what is mounted later is to be seen in it. */
	self->mounts = variant->root && !unshare(CLONE_NEWNS) &&
		       !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_EQ(0, p9c_world_open(&self->w, variant->executor, false, 0));
	self->c = self->w.c;
	/* The soft limit is the hard one now. */
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_EQ(LIMIT, limit.rlim_cur);
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "crowd"), 0755));
	for (unsigned int i = 0; i < CROWD; i++) {
		snprintf(name, sizeof(name), "crowd/%u", i);
		ASSERT_EQ(0, p9c_host_file(&self->w, name, name));
	}
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "hello"));
}

FIXTURE_TEARDOWN(few)
{
	if (!self->skipped)
		EXPECT_EQ(0, p9c_world_close(&self->w));
}

/* In each test: the harness goes on after a SKIP in its setup. */
#define NEEDS_ROOT_IF_ROOT \
	if (self->skipped) \
	SKIP(return, "needs root")

/* How many descriptors of this process are of the file with this inode number. */
static int descriptors_of(ino_t ino)
{
	char path[64];
	struct stat st;
	int n = 0;

	for (int fd = 0; fd < LIMIT; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n += !stat(path, &st) && st.st_ino == ino;
	}
	return n;
}

/* Knows the whole crowd for a moment. 0, or an error. */
static int crowd(struct p9c *c)
{
	char name[32];
	int err = 0;

	for (unsigned int i = 0; i < CROWD && !err; i++) {
		snprintf(name, sizeof(name), "crowd/%u", i);
		err = p9c_walk(c, 0, CROWD_FID + i, name);
	}
	for (unsigned int i = 0; i < CROWD && !err; i++)
		err = p9c_clunk(c, CROWD_FID + i);
	return err;
}

static ino_t ino_of(const struct p9c_world *w, const char *name)
{
	struct stat st;

	return lstat(p9c_path(w, name), &st) ? 0 : st.st_ino;
}

/* Opens a clone of the fid and compares what is in it. */
static int content(struct p9c *c, uint32_t fid, const char *want)
{
	int err = p9c_walk(c, fid, 99, "");
	long n;

	err = err ?: p9c_lopen(c, 99, O_RDONLY);
	if (err) {
		p9c_clunk(c, 99);
		return err;
	}
	n = p9c_read(c, 99, 0, 100);
	err = n == (long)strlen(want) && !memcmp(c->rp, want, (size_t)n) ? 0 : 1;
	p9c_clunk(c, 99);
	return err;
}

TEST_F(few, many_files_at_once)
{
	struct p9c *c = self->c;
	struct p9c_attr a;
	char name[32];

	NEEDS_ROOT_IF_ROOT;
	for (unsigned int i = 0; i < CROWD; i++) {
		snprintf(name, sizeof(name), "crowd/%u", i);
		ASSERT_EQ(0, p9c_walk(c, 0, CROWD_FID + i, name));
	}
	EXPECT_GE(LIMIT / 2 + 30, p9c_count_fds());
	for (unsigned int i = 0; i < CROWD; i++) {
		snprintf(name, sizeof(name), "crowd/%u", i);
		ASSERT_EQ(0, p9c_getattr(c, CROWD_FID + i, &a));
		EXPECT_EQ(ino_of(&self->w, name), a.qid.path & 0xffffffffffff);
		EXPECT_EQ(0, content(c, CROWD_FID + i, name));
	}
}

TEST_F(few, given_up_and_got_again)
{
	struct p9c *c = self->c;
	ino_t ino = ino_of(&self->w, "f");
	struct p9c_attr a, set = {.mode = 0600};

	NEEDS_ROOT_IF_ROOT;
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	EXPECT_EQ(1, descriptors_of(ino));
	ASSERT_EQ(0, crowd(c));
	EXPECT_EQ(0, descriptors_of(ino));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(1, descriptors_of(ino));
	EXPECT_EQ(5, a.size);
	ASSERT_EQ(0, crowd(c));
	EXPECT_EQ(0, p9c_setattr(c, 1, &set, P9_SET_MODE));
	ASSERT_EQ(0, crowd(c));
	EXPECT_EQ(0, p9c_call(c, P9_TRENAME, "dds", 1, 0, "g"));
	ASSERT_EQ(0, crowd(c));
	EXPECT_EQ(0, p9c_call(c, P9_TLINK, "dds", 0, 1, "h"));
	ASSERT_EQ(0, crowd(c));
	EXPECT_EQ(0, content(c, 1, "hello"));
	/* One node for a name, also if it is walked to anew while it has no descriptor. */
	ASSERT_EQ(0, crowd(c));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "g"));
	EXPECT_EQ(1, descriptors_of(ino));
	ASSERT_EQ(0, crowd(c));
	EXPECT_EQ(0, p9c_call(c, P9_TREMOVE, "d", 1));
	EXPECT_EQ(0, content(c, 2, "hello"));
}

TEST_F(few, deep_down)
{
	struct p9c *c = self->c;
	enum { DEPTH = 300 };

	NEEDS_ROOT_IF_ROOT;
	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	for (uint32_t i = 1; i < DEPTH; i++) {
		ASSERT_EQ(0, p9c_call(c, P9_TMKDIR, "dsdd", i, "d", 0755, getgid()));
		ASSERT_EQ(0, p9c_walk(c, i, i + 1, "d"));
		/* Only the last one is kept. */
		ASSERT_EQ(0, p9c_clunk(c, i));
	}
	ASSERT_EQ(0, p9c_walk(c, DEPTH, 1, ""));
	ASSERT_EQ(0, p9c_lcreate(c, 1, "f", O_RDWR, 0644, getgid()));
	ASSERT_EQ(4, p9c_write(c, 1, 0, "deep", 4));
	ASSERT_EQ(0, p9c_clunk(c, 1));
	ASSERT_EQ(0, p9c_walk(c, DEPTH, 1, "f"));
	ASSERT_EQ(0, crowd(c));
	EXPECT_EQ(0, content(c, 1, "deep"));
	ASSERT_EQ(0, crowd(c));
	ASSERT_EQ(0, p9c_walk(c, DEPTH, 2, ".."));
	/* A folder far above moves, and all below it. */
	ASSERT_EQ(0, crowd(c));
	ASSERT_EQ(0, p9c_call(c, P9_TRENAMEAT, "dsds", 0, "d", 0, "e"));
	EXPECT_EQ(0, content(c, 1, "deep"));
}

/* What the guest itself unlinks or replaces is kept. */
TEST_F(few, unlinked_by_the_guest)
{
	struct p9c *c = self->c;
	struct p9c_attr a;

	NEEDS_ROOT_IF_ROOT;
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, crowd(c));
	ASSERT_EQ(0, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "f", 0));
	ASSERT_EQ(0, crowd(c));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(0, a.nlink);
	EXPECT_EQ(0, content(c, 1, "hello"));

	ASSERT_EQ(0, p9c_host_file(&self->w, "old", "old"));
	ASSERT_EQ(0, p9c_host_file(&self->w, "new", "new"));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "old"));
	ASSERT_EQ(0, p9c_walk(c, 0, 3, "new"));
	ASSERT_EQ(0, crowd(c));
	ASSERT_EQ(0, p9c_call(c, P9_TRENAMEAT, "dsds", 0, "new", 0, "old"));
	ASSERT_EQ(0, crowd(c));
	EXPECT_EQ(0, content(c, 2, "old"));
	EXPECT_EQ(0, content(c, 3, "new"));
}

/* What is open, locked, or without a name keeps its descriptor. */
TEST_F(few, kept)
{
	struct p9c *c = self->c;

	NEEDS_ROOT_IF_ROOT;
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDWR));
	ASSERT_EQ(0, p9c_call(c, P9_TLOCK, "dbdqqds", 1, P9_LOCK_TYPE_WRLCK, 0, (uint64_t)0,
			      (uint64_t)0, 10, "guest"));
	ASSERT_EQ(0, p9c_host_file(&self->w, "u", "unlinked"));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "u"));
	ASSERT_EQ(0, unlink(p9c_path(&self->w, "u")));
	ASSERT_EQ(0, crowd(c));
	ASSERT_EQ(0, unlink(p9c_path(&self->w, "f")));
	EXPECT_EQ(0, content(c, 1, "hello"));
	EXPECT_EQ(0, content(c, 2, "unlinked"));
	ASSERT_EQ(2, p9c_write(c, 1, 0, "HE", 2));
	EXPECT_EQ(0, content(c, 1, "HEllo"));
}

/* The host moves, removes or replaces what has no descriptor just now. */
TEST_F(few, changed_by_the_host)
{
	struct p9c *c = self->c;
	/* By its handle the file is found wherever it is. */
	const int moved = variant->root ? 0 : -ESTALE;
	struct p9c_attr a;

	NEEDS_ROOT_IF_ROOT;
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d"), 0755));
	ASSERT_EQ(0, p9c_host_file(&self->w, "d/f", "below"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "d/f"));
	ASSERT_EQ(0, crowd(c));
	ASSERT_EQ(0, rename(p9c_path(&self->w, "f"), p9c_path(&self->w, "g")));
	ASSERT_EQ(0, rename(p9c_path(&self->w, "d"), p9c_path(&self->w, "e")));
	EXPECT_EQ(moved, content(c, 1, "hello"));
	EXPECT_EQ(moved, content(c, 2, "below"));
	/* Another one there now is not taken for it. */
	ASSERT_EQ(0, crowd(c));
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "other"));
	EXPECT_EQ(moved, content(c, 1, "hello"));
	ASSERT_EQ(0, p9c_walk(c, 0, 3, "f"));
	EXPECT_EQ(0, content(c, 3, "other"));
	EXPECT_EQ(moved, content(c, 1, "hello"));
	if (moved)
		EXPECT_EQ(-ESTALE, p9c_getattr(c, 1, &a));
	EXPECT_EQ(0, p9c_clunk(c, 1));
	/* Gone for good. */
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "g"));
	ASSERT_EQ(0, crowd(c));
	ASSERT_EQ(0, unlink(p9c_path(&self->w, "g")));
	EXPECT_EQ(-ESTALE, p9c_getattr(c, 1, &a));
	EXPECT_EQ(-ESTALE, p9c_lopen(c, 1, O_RDONLY));
	EXPECT_EQ(-ESTALE, p9c_call(c, P9_TREMOVE, "d", 1));
	EXPECT_EQ(-EBADF, p9c_clunk(c, 1));
}

/* A removed file's inode number may be the next file's at once. */
TEST_F(few, not_another_with_its_inode_number)
{
	struct p9c *c = self->c;
	struct p9c_attr a;
	ino_t ino;

	NEEDS_ROOT_IF_ROOT;
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ino = ino_of(&self->w, "f");
	ASSERT_EQ(0, crowd(c));
	ASSERT_EQ(0, unlink(p9c_path(&self->w, "f")));
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "other"));
	if (ino_of(&self->w, "f") != ino)
		SKIP(return, "the host's file system gave it another number");
	EXPECT_EQ(-ESTALE, p9c_getattr(c, 1, &a));
	/* To walk there is another matter. */
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "f"));
	EXPECT_EQ(0, content(c, 2, "other"));
	EXPECT_EQ(-ESTALE, content(c, 1, "other"));
}

/* Open files need descriptors, too: nodes make room for them, to the last one. */
TEST_F(few, make_room_for_open_files)
{
	struct p9c *c = self->c;
	unsigned int n;
	char name[32];
	int err = 0;

	NEEDS_ROOT_IF_ROOT;
	for (unsigned int i = 0; i < CROWD; i++) {
		snprintf(name, sizeof(name), "crowd/%u", i);
		ASSERT_EQ(0, p9c_walk(c, 0, CROWD_FID + i, name));
	}
	/* An open file has two: its own, and its node's. */
	for (n = 0; n < CROWD && !err; n++)
		err = p9c_lopen(c, CROWD_FID + n, O_RDONLY);
	EXPECT_EQ(-EMFILE, err);
	EXPECT_LT((LIMIT - 40) / 2, n);
	EXPECT_EQ(0, p9c_clunk(c, CROWD_FID));
	EXPECT_EQ(0, p9c_lopen(c, CROWD_FID + n - 1, O_RDONLY)); /* there is room again */
	/* One file may be open many times; what it has besides are nodes' that can go. */
	for (unsigned int i = 1; i < CROWD; i++)
		ASSERT_EQ(0, p9c_clunk(c, CROWD_FID + i));
	for (unsigned int i = 0; i < CROWD; i++) {
		snprintf(name, sizeof(name), "crowd/%u", i);
		ASSERT_EQ(0, p9c_walk(c, 0, CROWD_FID + i, name));
	}
	for (n = 1, err = 0; n < CROWD && !err; n++)
		err = p9c_walk(c, 0, n, "f") ?: p9c_lopen(c, n, O_RDONLY);
	EXPECT_EQ(-EMFILE, err);
	EXPECT_LT(LIMIT - 40, n);
	for (unsigned int i = 1; i < n; i++)
		p9c_clunk(c, i);
	/* And all goes on when they are closed. */
	for (unsigned int i = 0; i < CROWD; i++)
		ASSERT_EQ(0, p9c_clunk(c, CROWD_FID + i));
	ASSERT_EQ(0, crowd(c));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	EXPECT_EQ(0, content(c, 1, "hello"));
}

/* An overlay has no handles: device, inode and time of birth must do. */
TEST_F(few, without_handles)
{
	struct p9c *c = self->c;
	char options[2000];
	struct p9c_attr a;

	NEEDS_ROOT_IF_ROOT;
	if (!self->mounts)
		SKIP(return, "needs root");
	for (int i = 0; i < 4; i++) {
		static const char *const name[] = {"../lower", "../upper", "../work", "o"};

		ASSERT_EQ(0, mkdir(p9c_path(&self->w, name[i]), 0755));
	}
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s",
		 p9c_path(&self->w, "../lower"), p9c_path(&self->w, "../upper"),
		 p9c_path(&self->w, "../work"));
	if (mount("overlay", p9c_path(&self->w, "o"), "overlay", 0, options))
		SKIP(return, "no overlay file system");
	ASSERT_EQ(0, p9c_host_file(&self->w, "o/f", "first"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "o/f"));
	ASSERT_EQ(0, crowd(c));
	EXPECT_EQ(0, content(c, 1, "first"));
	ASSERT_EQ(0, crowd(c));
	ASSERT_EQ(0, p9c_host_file(&self->w, "o/g", "second"));
	ASSERT_EQ(0, rename(p9c_path(&self->w, "o/g"), p9c_path(&self->w, "o/f")));
	EXPECT_EQ(-ESTALE, p9c_getattr(c, 1, &a));
	umount2(p9c_path(&self->w, "o"), MNT_DETACH);
}

/* Several threads use the same few files, while others push these out. */
struct user {
	struct p9c *c;
	unsigned int i;
	int failed;
	atomic_int *running;
};

static void *use(void *arg)
{
	struct user *u = arg;
	struct p9c_attr a;
	char name[32];
	int bad = 0;

	for (unsigned int round = 0; round < 600 && !bad; round++) {
		uint32_t fid = 1000000 * (u->i + 1) + round % 100;

		if (round >= 100)
			bad += p9c_clunk(u->c, fid) != 0;
		snprintf(name, sizeof(name), "crowd/%u", (round * 7 + u->i * 50) % CROWD);
		bad += p9c_walk(u->c, 0, fid, name) != 0;
		bad += p9c_getattr(u->c, fid, &a) != 0;
		bad += p9c_getattr(u->c, 1 + round % 8, &a) != 0;
	}
	u->failed = bad;
	atomic_fetch_sub(u->running, 1);
	return NULL;
}

TEST_F(few, several_threads)
{
	enum { THREADS = 3 };
	struct user user[THREADS];
	pthread_t thread[THREADS];
	atomic_int running = THREADS;
	char name[32];

	NEEDS_ROOT_IF_ROOT;
	for (uint32_t i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "crowd/%u", i);
		ASSERT_EQ(0, p9c_walk(self->c, 0, 1 + i, name));
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		user[i] = (struct user){p9c_new(self->w.server, self->w.session, false), i, 0,
					&running};
		user[i].c->pump = false;
		user[i].c->tag = (uint16_t)(10 + i);
		pthread_create(&thread[i], NULL, use, &user[i]);
	}
	while (atomic_load(&running))
		p9c_pump(&self->w, 2);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, user[i].failed);
		p9c_free(user[i].c);
	}
}

struct renamer {
	struct p9c *c;
	atomic_bool stop, over;
	int err;
};

static void *rename_to_and_fro(void *arg)
{
	static const char *const name[] = {"d", "e"};
	struct renamer *r = arg;

	for (unsigned int i = 0; !r->err && !atomic_load(&r->stop); i++)
		r->err = p9c_call(r->c, P9_TRENAMEAT, "dsds", 0, name[i % 2], 0, name[(i + 1) % 2]);
	atomic_store(&r->over, true);
	return NULL;
}

/* A file below a folder that the guest itself renames is not lost, whoever comes first. */
TEST_F(few, below_what_is_renamed)
{
	struct renamer r = {0};
	struct p9c *c = self->c;
	struct p9c_attr a;
	pthread_t thread;
	int err = 0;

	NEEDS_ROOT_IF_ROOT;
	r.c = p9c_new(self->w.server, self->w.session, false);
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d"), 0755));
	ASSERT_EQ(0, p9c_host_file(&self->w, "d/f", "below"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "d/f"));
	r.c->pump = false;
	r.c->tag = 10;
	pthread_create(&thread, NULL, rename_to_and_fro, &r);
	for (unsigned int i = 0; i < 50 && !err; i++)
		err = crowd(c) ?: p9c_getattr(c, 1, &a);
	EXPECT_EQ(0, err);
	atomic_store(&r.stop, true);
	while (!atomic_load(&r.over))
		p9c_pump(&self->w, 2);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, r.err);
	p9c_free(r.c);
}

FIXTURE(many)
{
	int unused;
};

FIXTURE_SETUP(many)
{
}

FIXTURE_TEARDOWN(many)
{
}

/*
 * As a guest that keeps all it has seen (cache=loose): a million files, with as many descriptors as
 * a shell gives a process by default. Takes minutes: make test-long.
 */
TEST_F_TIMEOUT(many, a_million_files, 1500)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	enum { DIRS = 50, FILES = 1000 }; /* slow, and hungry */
#else
	enum { DIRS = 1000, FILES = 1000 };
#endif
	struct rlimit limit = {1024, 1024};
	struct p9c_world w = {0};
	struct p9c_attr a;
	char name[64];
	uint32_t bad = 0;

	if (!getenv("NINEPIN_LONG"))
		SKIP(return, "takes minutes: make test-long");
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_EQ(0, p9c_world_open(&w, P9_EXEC_AUTO, false, 0));
	for (uint32_t d = 0; d < DIRS; d++) {
		snprintf(name, sizeof(name), "%u", d);
		ASSERT_EQ(0, mkdir(p9c_path(&w, name), 0755));
		for (uint32_t f = 0; f < FILES; f++) {
			snprintf(name, sizeof(name), "%u/%u", d, f);
			bad += mknod(p9c_path(&w, name), S_IFREG | (f & 0777), 0) != 0;
		}
	}
	ASSERT_EQ(0, bad);
	for (uint32_t i = 0; i < DIRS * FILES; i++) {
		snprintf(name, sizeof(name), "%u/%u", i / FILES, i % FILES);
		bad += p9c_walk(w.c, 0, 1 + i, name) != 0;
	}
	EXPECT_EQ(0, bad);
	EXPECT_GT(1024, p9c_count_fds());
	/* Every one of them still is what it was. */
	for (uint32_t i = 0; i < DIRS * FILES; i++)
		bad += p9c_getattr(w.c, 1 + i, &a) || (a.mode & 0777) != (i % FILES & 0777);
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, p9c_world_close(&w));
}

TEST_HARNESS_MAIN
