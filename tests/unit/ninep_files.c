// SPDX-License-Identifier: MIT
/* Files and their attributes, used well and badly, in every executor, whole and in crumbs. */
#include "kselftest_harness.h"

#include <sys/syscall.h>

#include "ninep/io.h"
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

TEST_F(p9, getattr)
{
	struct p9c *c = self->c;
	struct p9c_attr a, root;
	struct statx stx;

	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "hello"));
	ASSERT_EQ(0, chmod(p9c_path(&self->w, "f"), 04751));
	ASSERT_EQ(0, statx(AT_FDCWD, p9c_path(&self->w, "f"), 0, STATX_ALL, &stx));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(0x7ff, a.valid & 0x7ff);
	EXPECT_EQ(0, a.valid & ~0xfffull);
	EXPECT_EQ(stx.stx_mode, a.mode);
	EXPECT_EQ(stx.stx_uid, a.uid);
	EXPECT_EQ(stx.stx_gid, a.gid);
	EXPECT_EQ(1, a.nlink);
	EXPECT_EQ(5, a.size);
	EXPECT_EQ(stx.stx_blocks, a.blocks);
	EXPECT_EQ(stx.stx_blksize, a.blksize);
	EXPECT_EQ(stx.stx_ino, a.qid.path);
	EXPECT_EQ(stx.stx_mtime.tv_sec, a.mtime[0]);
	EXPECT_EQ(stx.stx_mtime.tv_nsec, a.mtime[1]);
	EXPECT_EQ(stx.stx_ctime.tv_sec, a.ctime[0]);
	EXPECT_EQ(stx.stx_atime.tv_sec, a.atime[0]);
	if (stx.stx_mask & STATX_BTIME) {
		EXPECT_EQ(0x800, a.valid & 0x800);
		EXPECT_EQ(stx.stx_btime.tv_sec, a.btime[0]);
		EXPECT_EQ(stx.stx_btime.tv_nsec, a.btime[1]);
	}
	ASSERT_EQ(0, p9c_getattr(c, 0, &root));
	EXPECT_EQ(P9_QTDIR, root.qid.type);
	EXPECT_NE(root.qid.path, a.qid.path);
	EXPECT_EQ(-EBADF, p9c_getattr(c, 5, &a));
}

/* What p9_io_call() says of a file without its time of birth: 0, it is what statx(2) says. */
static int compare_stat(int fd, const char *name)
{
	const unsigned int flags =
		AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);
	struct statx mine, stx;
	struct p9_io io = {
		.op = P9_IO_STATX,
		.who = {.uid = P9_OWN},
		.fd = fd,
		.name = name,
		.flags = flags,
		.stx = &mine,
	};

	memset(&mine, 0xee, sizeof(mine));
	p9_io_call(&io);
	if (io.res || syscall(SYS_statx, fd, name, flags, STATX_BASIC_STATS, &stx))
		return -1;
	/* These nobody reads. */
	stx.stx_mask = STATX_BASIC_STATS;
	stx.stx_attributes = stx.stx_attributes_mask = 0;
	stx.stx_btime = (struct statx_timestamp){0};
	return memcmp(&mine, &stx, offsetof(struct statx, stx_mnt_id));
}

TEST(stat_says_what_statx_says)
{
	static const char *const name[] = {"file", "large", "dir", "link", "fifo", "twice"};
	static const char *const elsewhere[] = {"/dev/shm", "/dev/null", "/proc/self/status",
						"/sys", "/usr/bin"};
	struct p9c_world w = {0};
	int fd;

	ASSERT_EQ(0, p9c_world_open(&w, P9_EXEC_SYNC, false, 0));
	ASSERT_EQ(0, p9c_host_file(&w, "file", "hello"));
	ASSERT_EQ(0, chmod(p9c_path(&w, "file"), 06751));
	ASSERT_EQ(0, p9c_host_file(&w, "large", "hello"));
	ASSERT_EQ(0, truncate(p9c_path(&w, "large"), 5ll << 32));
	ASSERT_EQ(0, mkdir(p9c_path(&w, "dir"), 0750));
	ASSERT_EQ(0, symlink("file", p9c_path(&w, "link")));
	ASSERT_EQ(0, mkfifo(p9c_path(&w, "fifo"), 0600));
	ASSERT_EQ(0, link(p9c_path(&w, "file"), p9c_path(&w, "twice")));
	for (size_t i = 0; i < sizeof(name) / sizeof(*name); i++) {
		const struct timespec times[2] = {{-5, 7}, {1ll << 33, 999999999}};

		utimensat(AT_FDCWD, p9c_path(&w, name[i]), times, AT_SYMLINK_NOFOLLOW);
		fd = open(p9c_path(&w, name[i]), O_PATH | O_NOFOLLOW | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, compare_stat(fd, "")) TH_LOG("%s", name[i]);
		EXPECT_EQ(0, compare_stat(AT_FDCWD, p9c_path(&w, name[i]))) TH_LOG("%s", name[i]);
		close(fd);
	}
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++) {
		fd = open(elsewhere[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		EXPECT_EQ(0, compare_stat(fd, "")) TH_LOG("%s", elsewhere[i]);
		close(fd);
	}
	EXPECT_EQ(0, p9c_world_close(&w));
}

TEST_F(p9, qid_version_changes_with_the_file)
{
	struct p9c *c = self->c;
	struct p9c_attr a, b;

	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "hello"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	ASSERT_EQ(0, p9c_getattr(c, 1, &b));
	EXPECT_EQ(a.qid.version, b.qid.version);
	usleep(20000);
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "HELLO"));
	ASSERT_EQ(0, p9c_getattr(c, 1, &b));
	EXPECT_NE(a.qid.version, b.qid.version);
	EXPECT_EQ(a.qid.path, b.qid.path);
}

TEST_F(p9, setattr)
{
	struct p9c *c = self->c;
	struct p9c_attr a, b, set = {.mode = 0100600, .size = 3, .uid = getuid(), .gid = getgid()};
	struct timespec now;

	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "hello"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_setattr(c, 1, &set, P9_SET_MODE));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(0100600, a.mode);
	EXPECT_EQ(5, a.size);
	ASSERT_EQ(0, p9c_setattr(c, 1, &set, P9_SET_SIZE));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(3, a.size);
	set.atime[0] = 1000000000;
	set.atime[1] = 5;
	set.mtime[0] = 1100000000;
	set.mtime[1] = 999999999;
	ASSERT_EQ(0, p9c_setattr(c, 1, &set, P9_SET_ATIME | P9_SET_ATIME_SET));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(1000000000, a.atime[0]);
	EXPECT_EQ(5, a.atime[1]);
	EXPECT_NE(1100000000, a.mtime[0]);
	ASSERT_EQ(0, p9c_setattr(c, 1, &set,
				 P9_SET_ATIME | P9_SET_MTIME | P9_SET_MTIME_SET | P9_SET_CTIME));
	clock_gettime(CLOCK_REALTIME, &now);
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(1100000000, a.mtime[0]);
	EXPECT_EQ(999999999, a.mtime[1]);
	EXPECT_LE(now.tv_sec - 60, a.atime[0]);
	/* Owner and mode at once: the mode is what was asked for, set-user-id included. */
	set.mode = 04755;
	ASSERT_EQ(0, p9c_setattr(c, 1, &set,
				 P9_SET_MODE | P9_SET_GID | P9_SET_SIZE | P9_SET_MTIME |
					 P9_SET_MTIME_SET));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(0104755, a.mode);
	EXPECT_EQ(1100000000, a.mtime[0]);
	/* Nothing but ctime: it moves on, and all else stays. */
	usleep(20000);
	ASSERT_EQ(0, p9c_setattr(c, 1, &set, P9_SET_CTIME));
	ASSERT_EQ(0, p9c_getattr(c, 1, &b));
	EXPECT_TRUE(a.ctime[0] != b.ctime[0] || a.ctime[1] != b.ctime[1]);
	EXPECT_EQ(a.mode, b.mode);
	EXPECT_EQ(a.mtime[0], b.mtime[0]);
	/* bad ones */
	EXPECT_EQ(-EBADF, p9c_setattr(c, 9, &set, P9_SET_MODE));
	set.mtime[1] = 1000000000;
	EXPECT_EQ(-EINVAL, p9c_setattr(c, 1, &set, P9_SET_MTIME | P9_SET_MTIME_SET));
	set.mtime[1] = 0;
	set.size = 1ull << 63;
	EXPECT_EQ(-EINVAL, p9c_setattr(c, 1, &set, P9_SET_SIZE));
	set.size = 0;
	EXPECT_EQ(-EISDIR, p9c_setattr(c, 0, &set, P9_SET_SIZE));
	ASSERT_EQ(0, symlink("f", p9c_path(&self->w, "l")));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "l"));
	EXPECT_EQ(-EOPNOTSUPP, p9c_setattr(c, 2, &set, P9_SET_MODE));
	EXPECT_EQ(-EINVAL, p9c_setattr(c, 2, &set, P9_SET_SIZE));
	EXPECT_EQ(0, p9c_setattr(c, 2, &set, P9_SET_MTIME | P9_SET_MTIME_SET));
}

TEST_F(p9, unlinked_file_stays_a_file)
{
	struct p9c *c = self->c;
	struct p9c_attr a, set = {.mode = 0640, .size = 2};

	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	ASSERT_EQ(0, p9c_lcreate(c, 1, "f", O_RDWR, 0400, 0)); /* not writable by a new open */
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "f"));
	ASSERT_EQ(5, p9c_write(c, 1, 0, "hello", 5));
	ASSERT_EQ(0, p9c_call(c, P9_TUNLINKAT, "dsd", 0, "f", 0));
	EXPECT_FALSE(exists(&self->w, "f"));
	for (uint32_t fid = 1; fid <= 2; fid++) {
		ASSERT_EQ(0, p9c_getattr(c, fid, &a));
		EXPECT_EQ(0, a.nlink);
		EXPECT_EQ(0, p9c_setattr(c, fid, &set, P9_SET_MODE));
		EXPECT_EQ(0, p9c_setattr(c, fid, &set, P9_SET_SIZE));
		EXPECT_EQ(0, p9c_setattr(c, fid, &set, P9_SET_ATIME | P9_SET_ATIME_SET));
		ASSERT_EQ(0, p9c_getattr(c, fid, &a));
		EXPECT_EQ(0100640, a.mode);
		EXPECT_EQ(2, a.size);
		EXPECT_EQ(0, a.atime[0]);
		set.mode = 0640;
	}
	ASSERT_EQ(2, p9c_read(c, 1, 0, 10));
	EXPECT_EQ(0, memcmp(c->rp, "he", 2));
	ASSERT_EQ(0, p9c_lopen(c, 2, O_RDONLY));
	ASSERT_EQ(2, p9c_read(c, 2, 0, 10));
	/* Another file of that name is another file. */
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "other"));
	ASSERT_EQ(2, p9c_read(c, 1, 0, 10));
	EXPECT_EQ(-ENOENT, p9c_call(c, P9_TREMOVE, "d", 2));
	EXPECT_TRUE(exists(&self->w, "f"));
	EXPECT_EQ(0, p9c_clunk(c, 1));
}

TEST_F(p9, create_read_write)
{
	struct p9c *c = self->c;
	static char big[100000];
	struct p9c_attr a;
	struct stat st;

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 251);
	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	ASSERT_EQ(0, p9c_lcreate(c, 1, "f", O_RDWR | O_CREAT | O_EXCL, 0666, getgid()));
	EXPECT_EQ(0, p9c_get_qid(c).type);
	EXPECT_EQ(0, p9c_get(c, 4));
	ASSERT_EQ(0, stat(p9c_path(&self->w, "f"), &st));
	EXPECT_EQ(0100666, st.st_mode); /* no umask of ours */
	ASSERT_EQ(sizeof(big), p9c_write(c, 1, 0, big, sizeof(big)));
	ASSERT_EQ(sizeof(big), p9c_read(c, 1, 0, sizeof(big) + 1000));
	EXPECT_EQ(0, memcmp(c->rp, big, sizeof(big)));
	ASSERT_EQ(5, p9c_read(c, 1, sizeof(big) - 5, 1000));
	ASSERT_EQ(0, p9c_read(c, 1, sizeof(big), 1000));
	ASSERT_EQ(0, p9c_read(c, 1, 0, 0));
	ASSERT_EQ(0, p9c_write(c, 1, 0, "", 0));
	ASSERT_EQ(3, p9c_write(c, 1, sizeof(big) + 10, "end", 3));
	ASSERT_EQ(0, p9c_getattr(c, 1, &a));
	EXPECT_EQ(sizeof(big) + 13, a.size);
	/* More than msize holds is cut to what fits. */
	ASSERT_EQ(0, truncate(p9c_path(&self->w, "f"), 1 << 20));
	ASSERT_EQ(131072 - 11, p9c_read(c, 1, 0, 1 << 20));
	c->room = 100;
	ASSERT_EQ(100 - 11, p9c_read(c, 1, 0, 1 << 20));
	EXPECT_EQ(0, memcmp(c->rp, big, 89));
	c->room = 15;
	ASSERT_EQ(4, p9c_read(c, 1, 8, 1 << 20));
	EXPECT_EQ(0, memcmp(c->rp, big + 8, 4));
	c->room = sizeof(c->r);
	EXPECT_EQ(-EINVAL, p9c_read(c, 1, UINT64_MAX, 1));
	EXPECT_EQ(-EINVAL, p9c_read(c, 1, 1ull << 63, 1));
	EXPECT_EQ(-EINVAL, p9c_write(c, 1, UINT64_MAX, "x", 1));
	EXPECT_EQ(0, p9c_call(c, P9_TFSYNC, "dd", 1, 0));
	EXPECT_EQ(0, p9c_call(c, P9_TFSYNC, "dd", 1, 1));
	EXPECT_EQ(0, p9c_call(c, P9_TFSYNC, "d", 1));
	EXPECT_EQ(-EBADF, p9c_call(c, P9_TFSYNC, "dd", 0, 0));
	EXPECT_EQ(0, p9c_clunk(c, 1));
	EXPECT_EQ(-EBADF, p9c_clunk(c, 1));
	EXPECT_EQ(-EBADF, p9c_read(c, 1, 0, 1));
	EXPECT_EQ(-EBADF, p9c_read(c, 0, 0, 1)); /* not open */
}

TEST_F(p9, write_count_must_be_true)
{
	struct p9c *c = self->c;
	struct stat st;

	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	ASSERT_EQ(0, p9c_lcreate(c, 1, "f", O_RDWR, 0644, 0));
	for (uint32_t count = 0; count < 10; count++) {
		p9c_build(c, P9_TWRITE,
			  "dqd"
			  "bbbb",
			  1, (uint64_t)0, count, 1, 2, 3, 4);
		EXPECT_EQ(count == 4 ? 0 : -EPROTO, p9c_go(c));
	}
	p9c_build(c, P9_TWRITE, "dqd", 1, (uint64_t)0, 0xfffffff0u);
	EXPECT_EQ(-EPROTO, p9c_go(c));
	ASSERT_EQ(0, stat(p9c_path(&self->w, "f"), &st));
	EXPECT_EQ(4, st.st_size);
}

TEST_F(p9, lcreate_on_what_exists)
{
	struct p9c *c = self->c;
	struct stat st;

	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "hello"));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d"), 0755));
	ASSERT_EQ(0, symlink("f", p9c_path(&self->w, "l")));
	ASSERT_EQ(0, symlink("new", p9c_path(&self->w, "dangling")));
	ASSERT_EQ(0, mkfifo(p9c_path(&self->w, "p"), 0644));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	EXPECT_EQ(-EEXIST, p9c_lcreate(c, 1, "f", O_RDWR | O_EXCL, 0644, 0));
	EXPECT_EQ(-EISDIR, p9c_lcreate(c, 1, "d", O_RDWR, 0644, 0));
	EXPECT_EQ(-ELOOP, p9c_lcreate(c, 1, "l", O_RDWR, 0644, 0));
	EXPECT_EQ(-ELOOP, p9c_lcreate(c, 1, "dangling", O_RDWR, 0644, 0));
	EXPECT_FALSE(exists(&self->w, "new"));
	EXPECT_EQ(-ENXIO, p9c_lcreate(c, 1, "p", O_RDWR, 0644, 0));
	EXPECT_EQ(-EINVAL, p9c_lcreate(c, 1, "x", 3, 0644, 0));
	ASSERT_EQ(0, p9c_lcreate(c, 1, "f", O_RDWR, 0644, 0));
	ASSERT_EQ(5, p9c_read(c, 1, 0, 100));
	EXPECT_EQ(-EBUSY, p9c_lcreate(c, 1, "g", O_RDWR, 0644, 0));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, ""));
	ASSERT_EQ(0, p9c_lcreate(c, 2, "f", O_RDWR | O_TRUNC, 0644, 0));
	ASSERT_EQ(0, stat(p9c_path(&self->w, "f"), &st));
	EXPECT_EQ(0, st.st_size);
	ASSERT_EQ(0, p9c_walk(c, 0, 3, "f"));
	EXPECT_EQ(-ENOTDIR, p9c_lcreate(c, 3, "g", O_RDWR, 0644, 0));
}

TEST_F(p9, lopen)
{
	struct p9c *c = self->c;
	struct stat st;

	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "hello"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	EXPECT_EQ(-EINVAL, p9c_lopen(c, 1, 3));
	EXPECT_EQ(-ENOTDIR, p9c_lopen(c, 1, P9_OPEN_DIRECTORY));
	EXPECT_EQ(-EBADF, p9c_lopen(c, 9, 0));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDONLY | 0100000 | 02000000 | 04000)); /* noise */
	EXPECT_EQ(-EBUSY, p9c_lopen(c, 1, O_RDONLY));
	ASSERT_EQ(5, p9c_read(c, 1, 0, 10));
	EXPECT_EQ(-EBADF, p9c_write(c, 1, 0, "x", 1));
	ASSERT_EQ(0, p9c_walk(c, 1, 2, ""));
	ASSERT_EQ(0, p9c_lopen(c, 2, O_WRONLY | P9_OPEN_APPEND));
	EXPECT_EQ(-EBADF, p9c_read(c, 2, 0, 10));
	ASSERT_EQ(3, p9c_write(c, 2, 0, "+++", 3));
	ASSERT_EQ(8, p9c_read(c, 1, 0, 10));
	EXPECT_EQ(0, memcmp(c->rp, "hello+++", 8));
	ASSERT_EQ(0, p9c_walk(c, 1, 3, ""));
	ASSERT_EQ(0, p9c_lopen(c, 3, O_RDWR | P9_OPEN_TRUNC | P9_OPEN_NOATIME | P9_OPEN_SYNC));
	ASSERT_EQ(0, stat(p9c_path(&self->w, "f"), &st));
	EXPECT_EQ(0, st.st_size);
	/* An existing file: the client has settled O_CREAT and O_EXCL by itself. */
	ASSERT_EQ(0, p9c_walk(c, 1, 4, ""));
	EXPECT_EQ(0, p9c_lopen(c, 4, O_RDONLY | P9_OPEN_CREATE | P9_OPEN_EXCL | P9_OPEN_NOFOLLOW));
	ASSERT_EQ(0, p9c_walk(c, 0, 5, ""));
	EXPECT_EQ(-EISDIR, p9c_lopen(c, 5, O_WRONLY));
	EXPECT_EQ(0, p9c_lopen(c, 5, O_RDONLY | P9_OPEN_DIRECTORY));
	EXPECT_EQ(-EISDIR, p9c_read(c, 5, 0, 10));
	EXPECT_EQ(0, p9c_call(c, P9_TFSYNC, "dd", 5, 0));
}

/* Whatever the guest's alignment and the host's file system: O_DIRECT is a wish. */
TEST_F(p9, direct)
{
	struct p9c *c = self->c;

	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	ASSERT_EQ(0, p9c_lcreate(c, 1, "f", O_RDWR | P9_OPEN_DIRECT, 0644, 0));
	ASSERT_EQ(5, p9c_write(c, 1, 3, "hello", 5));
	ASSERT_EQ(8, p9c_read(c, 1, 0, 4096));
	EXPECT_EQ(0, memcmp(c->rp, "\0\0\0hello", 8));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "f"));
	ASSERT_EQ(0, p9c_lopen(c, 2, O_RDWR | P9_OPEN_DIRECT));
	ASSERT_EQ(4, p9c_read(c, 2, 4, 4096));
	EXPECT_EQ(0, memcmp(c->rp, "ello", 4));
}

TEST_F(p9, special_files_are_never_opened)
{
	struct p9c *c = self->c;
	struct p9c_attr a, set = {.mode = 0640};
	bool root = geteuid() == 0;

	ASSERT_EQ(0, p9c_call(c, P9_TMKNOD, "dsdddd", 0, "fifo", S_IFIFO | 0622, 0, 0, getgid()));
	EXPECT_EQ(0, p9c_get_qid(c).type);
	ASSERT_EQ(0, p9c_call(c, P9_TMKNOD, "dsdddd", 0, "sock", S_IFSOCK | 0666, 0, 0, getgid()));
	ASSERT_EQ(0, p9c_call(c, P9_TMKNOD, "dsdddd", 0, "reg", S_IFREG | 0666, 0, 0, getgid()));
	EXPECT_EQ(root ? 0 : -EPERM,
		  p9c_call(c, P9_TMKNOD, "dsdddd", 0, "null", S_IFCHR | 0666, 1, 3, getgid()));
	EXPECT_EQ(-EEXIST, p9c_call(c, P9_TMKNOD, "dsdddd", 0, "fifo", S_IFIFO, 0, 0, 0));
	for (int i = 0; i < (root ? 3 : 2); i++) {
		static const char *const name[] = {"fifo", "sock", "null"};

		ASSERT_EQ(0, p9c_walk(c, 0, 1, name[i]));
		EXPECT_EQ(-ENXIO, p9c_lopen(c, 1, O_RDONLY));
		EXPECT_EQ(-ENXIO, p9c_lopen(c, 1, O_RDWR));
		EXPECT_EQ(-EINVAL, p9c_setattr(c, 1, &set, P9_SET_SIZE));
		EXPECT_EQ(0, p9c_setattr(c, 1, &set, P9_SET_MODE));
		ASSERT_EQ(0, p9c_getattr(c, 1, &a));
		EXPECT_EQ(0640, a.mode & 07777);
		if (i == 2)
			EXPECT_EQ(0x103, a.rdev);
		EXPECT_EQ(0, p9c_call(c, P9_TREMOVE, "d", 1));
		EXPECT_FALSE(exists(&self->w, name[i]));
	}
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "reg"));
	EXPECT_EQ(0, p9c_lopen(c, 1, O_RDWR));
}

TEST_F(p9, statfs)
{
	struct p9c *c = self->c;

	ASSERT_EQ(0, p9c_call(c, P9_TSTATFS, "d", 0));
	EXPECT_EQ(7 + 60, c->r_len);
	EXPECT_NE(0, p9c_get(c, 4));
	EXPECT_NE(0, p9c_get(c, 4));
	p9c_get(c, 8);
	p9c_get(c, 8);
	p9c_get(c, 8);
	p9c_get(c, 8);
	p9c_get(c, 8);
	p9c_get(c, 8);
	EXPECT_EQ(255, p9c_get(c, 4));
	EXPECT_EQ(-EBADF, p9c_call(c, P9_TSTATFS, "d", 4));
}

TEST_HARNESS_MAIN
