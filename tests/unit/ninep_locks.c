// SPDX-License-Identifier: MIT
/* Byte-range locks: owners against each other, sessions against each other, guest against host. */
#include "kselftest_harness.h"

#include <sys/file.h>

#include "tests/unit/p9client.h"

#define RD    P9_LOCK_TYPE_RDLCK
#define WR    P9_LOCK_TYPE_WRLCK
#define UN    P9_LOCK_TYPE_UNLCK
#define BLOCK P9_LOCK_FLAGS_BLOCK

FIXTURE(locks)
{
	struct p9c_world w;
	struct p9c *c;
	int host; /* an open file description of the host's */
};

FIXTURE_VARIANT(locks)
{
	enum p9_executor executor;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(locks, sync) { P9_EXEC_SYNC };
FIXTURE_VARIANT_ADD(locks, ring) { P9_EXEC_RING };
FIXTURE_VARIANT_ADD(locks, auto) { P9_EXEC_AUTO };
/* clang-format on */

FIXTURE_SETUP(locks)
{
	ASSERT_EQ(0, p9c_world_open(&self->w, variant->executor, false, 0));
	self->c = self->w.c;
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "0123456789"));
	self->host = open(p9c_path(&self->w, "f"), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->host);
	for (uint32_t fid = 1; fid <= 3; fid++) {
		ASSERT_EQ(0, p9c_walk(self->c, 0, fid, "f"));
		ASSERT_EQ(0, p9c_lopen(self->c, fid, O_RDWR));
	}
}

FIXTURE_TEARDOWN(locks)
{
	close(self->host);
	EXPECT_EQ(0, p9c_world_close(&self->w));
}

/* The status, or an error. length 0: to the end. */
static int lock(struct p9c *c, uint32_t fid, int type, uint32_t flags, uint64_t start,
		uint64_t length, uint32_t proc)
{
	int err = p9c_call(c, P9_TLOCK, "dbdqqds", fid, type, flags, start, length, proc, "guest");

	return err ?: (int)p9c_get(c, 1);
}

/* Whether the host's processes could lock these bytes. */
static bool host_free(int fd, short type, off_t start, off_t len)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return !fcntl(fd, F_OFD_GETLK, &fl) && fl.l_type == F_UNLCK;
}

static int host_set(int fd, short type, off_t start, off_t len)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return fcntl(fd, F_OFD_SETLK, &fl) ? -errno : 0;
}

TEST_F(locks, owners_exclude_each_other)
{
	struct p9c *c = self->c;

	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 2, 3, 10));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 2, WR, 0, 4, 1, 11));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 2, RD, 0, 0, 0, 11));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 1, RD, 0, 0, 3, 11)); /* one fid, two owners */
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, WR, 0, 0, 2, 11));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, WR, 0, 5, 0, 11));
	/* An owner's own locks give way to each other. */
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 3, RD, 0, 2, 3, 10));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, RD, 0, 3, 1, 11));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 2, WR, 0, 2, 1, 11));
	/* Two who read; neither may write now. */
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 3, WR, 0, 3, 1, 10));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, UN, 0, 3, 1, 11));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 3, WR, 0, 3, 1, 10));
	/* Unlocking in the middle leaves both ends. */
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, UN, 0, 5, 0, 11));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 100, 10, 12));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, 103, 4, 12));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, WR, 0, 103, 4, 13));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 2, WR, 0, 102, 1, 13));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 2, WR, 0, 107, 1, 13));
	/* Another client is another owner, though its process has the same number. */
	EXPECT_EQ(0,
		  p9c_call(c, P9_TLOCK, "dbdqqds", 1, RD, 0, (uint64_t)102, (uint64_t)1, 12, "g2"));
	EXPECT_EQ(P9_LOCK_BLOCKED, p9c_get(c, 1));
	/* Giving back what one does not have is no error. */
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, 0, 0, 999));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 2, WR, 0, 102, 1, 13));
}

TEST_F(locks, the_host_sees_the_union)
{
	struct p9c *c = self->c;

	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 0));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, RD, 0, 0, 10, 10));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, RD, 0, 5, 10, 11));
	EXPECT_TRUE(host_free(self->host, F_RDLCK, 0, 0));
	EXPECT_FALSE(host_free(self->host, F_WRLCK, 0, 1));
	EXPECT_FALSE(host_free(self->host, F_WRLCK, 14, 1));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 15, 0));
	/* One of the two goes: what the other has stays. */
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, 0, 0, 10));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 5));
	EXPECT_FALSE(host_free(self->host, F_WRLCK, 5, 1));
	EXPECT_FALSE(host_free(self->host, F_WRLCK, 9, 1));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, WR, 0, 6, 2, 11));
	EXPECT_TRUE(host_free(self->host, F_RDLCK, 5, 1));
	EXPECT_FALSE(host_free(self->host, F_RDLCK, 6, 1));
	EXPECT_FALSE(host_free(self->host, F_RDLCK, 7, 1));
	EXPECT_TRUE(host_free(self->host, F_RDLCK, 8, 1));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, UN, 0, 0, 0, 11));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 0));
}

TEST_F(locks, the_host_excludes_the_guest)
{
	struct p9c *c = self->c;

	ASSERT_EQ(0, host_set(self->host, F_WRLCK, 5, 2));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 1, RD, 0, 0, 0, 10));
	/* It got nothing of it, not even what comes before. */
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 0));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, RD, 0, 2, 1, 11)); /* so that it goes by pieces */
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 1, RD, 0, 0, 0, 10));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 2));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 3, 0));
	EXPECT_FALSE(host_free(self->host, F_WRLCK, 2, 1));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, WR, 0, 0, 5, 11));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 7, 0, 10));
	EXPECT_EQ(-EAGAIN, host_set(self->host, F_WRLCK, 7, 1));
	/* A read lock that cannot be made a write lock stays one. */
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, RD, 0, 7, 0, 10));
	ASSERT_EQ(0, host_set(self->host, F_RDLCK, 9, 1));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 1, WR, 0, 7, 0, 10));
	EXPECT_FALSE(host_free(self->host, F_WRLCK, 8, 1));
	EXPECT_TRUE(host_free(self->host, F_RDLCK, 8, 1));
	EXPECT_EQ(P9_LOCK_SUCCESS,
		  lock(c, 3, RD, 0, 7, 0, 12)); /* beside 10's, which is for reading */
	ASSERT_EQ(0, host_set(self->host, F_UNLCK, 0, 0));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 3, WR, 0, 0, 0, 12));
}

/* A whole file's lock is what flock(2) in a guest becomes. */
TEST_F(locks, flock_on_both_sides)
{
	struct p9c *c = self->c;

	ASSERT_EQ(0, flock(self->host, LOCK_EX));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 1, WR, 0, 0, 0, 10));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 0));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 1, RD, 0, 0, 0, 10));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 0, 100, 10)); /* not a whole file */
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, 0, 0, 10));
	ASSERT_EQ(0, flock(self->host, LOCK_SH));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, RD, 0, 0, 0, 10));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 1, WR, 0, 0, 0, 10));
	/* What the failed change may have cost it is there again. */
	EXPECT_EQ(-1, flock(self->host, LOCK_EX | LOCK_NB));
	ASSERT_EQ(0, flock(self->host, LOCK_UN));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 0, 0, 10));
	EXPECT_EQ(-1, flock(self->host, LOCK_SH | LOCK_NB));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, RD, 0, 0, 0, 10));
	EXPECT_EQ(0, flock(self->host, LOCK_SH | LOCK_NB));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, 0, 0, 10));
	EXPECT_EQ(0, flock(self->host, LOCK_EX | LOCK_NB));
}

TEST_F(locks, end_with_their_fid)
{
	struct p9c *c = self->c;

	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 0, 5, 10));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, WR, 0, 5, 5, 10));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, RD, 0, 20, 5, 11));
	EXPECT_EQ(0, p9c_clunk(c, 1));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 5));
	EXPECT_FALSE(host_free(self->host, F_WRLCK, 5, 5));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 20, 5));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 3, WR, 0, 0, 5, 12));
	/* A removed file's too. */
	EXPECT_EQ(0, p9c_call(c, P9_TREMOVE, "d", 3));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 5));
	EXPECT_FALSE(host_free(self->host, F_WRLCK, 5, 5));
	/* And all, with the session. */
	ASSERT_EQ(0, p9c_version(c, 65536));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 0));
}

TEST_F(locks, end_with_a_reset)
{
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(self->c, 1, WR, 0, 0, 0, 10));
	p9_session_reset(self->w.session);
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 0));
	EXPECT_EQ(0, flock(self->host, LOCK_EX | LOCK_NB));
}

/*
 * What Linux's client sends when a process ends (no flag) concerns that process only; a wish to
 * unlock the whole file (the flag is there) whatever was locked so through the fid: flock(2) is the
 * description's, not the process's.
 */
TEST_F(locks, given_back_by_another_process)
{
	struct p9c *c = self->c;

	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, BLOCK, 0, 0, 10));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, 0, 0, 11)); /* a child ends */
	EXPECT_FALSE(host_free(self->host, F_RDLCK, 0, 0));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, UN, BLOCK, 0, 0, 11)); /* not through this one */
	EXPECT_FALSE(host_free(self->host, F_RDLCK, 0, 0));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, BLOCK, 0, 0, 11));
	EXPECT_TRUE(host_free(self->host, F_RDLCK, 0, 0));
	/* Not what is no whole file: that is fcntl(2)'s. */
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, BLOCK, 0, 9, 10));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, BLOCK, 0, 0, 11));
	EXPECT_FALSE(host_free(self->host, F_RDLCK, 0, 0));
}

/* As flock(2) of a descriptor that a child has from its parent. */
TEST_F(locks, shared_by_a_parent_and_its_child)
{
	struct p9c *c = self->c;

	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, BLOCK, 0, 0, 10));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, BLOCK, 0, 0, 11));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 2, WR, 0, 0, 0, 12));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, 0, 0, 11)); /* the child ends */
	EXPECT_FALSE(host_free(self->host, F_RDLCK, 0, 0));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, BLOCK, 0, 0, 11));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, BLOCK, 0, 0, 12));
	EXPECT_TRUE(host_free(self->host, F_RDLCK, 0, 0));
	/* One of them makes it a lock for reading, or for writing again: it is one lock. */
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, BLOCK, 0, 0, 10));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, RD, BLOCK, 0, 0, 11));
	EXPECT_TRUE(host_free(self->host, F_RDLCK, 0, 0));
	EXPECT_EQ(0, flock(self->host, LOCK_SH | LOCK_NB));
	EXPECT_EQ(0, flock(self->host, LOCK_UN));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, RD, 0, 0, 0, 12));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 1, WR, 0, 0, 0, 11));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, UN, 0, 0, 0, 12));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, BLOCK, 0, 0, 11));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, 0, 0, 11)); /* the child ends */
	EXPECT_FALSE(host_free(self->host, F_RDLCK, 0, 0));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, BLOCK, 0, 0, 10));
	EXPECT_TRUE(host_free(self->host, F_RDLCK, 0, 0));
}

TEST_F(locks, two_sessions)
{
	struct p9c *c = self->c, *d = p9c_new(self->w.server, NULL, false);

	ASSERT_EQ(0, p9_session_new(&d->session, self->w.share));
	ASSERT_EQ(0, p9c_version(d, 65536));
	ASSERT_EQ(0, p9c_attach(d, 0, "", P9_NONUNAME));
	ASSERT_EQ(0, p9c_walk(d, 0, 1, "f"));
	ASSERT_EQ(0, p9c_lopen(d, 1, O_RDWR));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 0, 5, 10));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(d, 1, WR, 0, 0, 5, 10)); /* the same name, another guest */
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(d, 1, WR, 0, 5, 5, 10));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 1, RD, 0, 5, 5, 10));
	p9_session_free(d->session);
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, RD, 0, 5, 5, 10));
	p9c_free(d);
}

/* The four fields of Rgetlock; owner -1: nobody. */
struct found {
	int type;
	uint64_t start, length;
	uint32_t proc;
	char client[256];
};

static int getlock(struct p9c *c, uint32_t fid, int type, uint64_t start, uint64_t length,
		   uint32_t proc, struct found *found)
{
	int err = p9c_call(c, P9_TGETLOCK, "dbqqds", fid, type, start, length, proc, "guest");

	if (err)
		return err;
	found->type = (int)p9c_get(c, 1);
	found->start = p9c_get(c, 8);
	found->length = p9c_get(c, 8);
	found->proc = (uint32_t)p9c_get(c, 4);
	p9c_get_string(c, found->client);
	return 0;
}

TEST_F(locks, getlock)
{
	struct p9c *c = self->c;
	struct found found;

	ASSERT_EQ(0, getlock(c, 1, WR, 3, 4, 10, &found));
	EXPECT_EQ(UN, found.type);
	EXPECT_EQ(3, found.start);
	EXPECT_EQ(4, found.length);
	EXPECT_EQ(10, found.proc);
	EXPECT_STREQ("guest", found.client);
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, RD, 0, 5, 0, 11));
	ASSERT_EQ(0, getlock(c, 1, WR, 3, 4, 10, &found));
	EXPECT_EQ(RD, found.type);
	EXPECT_EQ(5, found.start);
	EXPECT_EQ(0, found.length);
	EXPECT_EQ(11, found.proc);
	EXPECT_STREQ("guest", found.client);
	ASSERT_EQ(0, getlock(c, 1, RD, 3, 4, 10, &found));
	EXPECT_EQ(UN, found.type);
	ASSERT_EQ(0, getlock(c, 1, WR, 3, 4, 11, &found));
	EXPECT_EQ(UN, found.type);
	ASSERT_EQ(0, host_set(self->host, F_WRLCK, 0, 2));
	ASSERT_EQ(0, getlock(c, 1, RD, 1, 1, 10, &found));
	EXPECT_EQ(WR, found.type);
	EXPECT_EQ(0, found.start);
	EXPECT_EQ(2, found.length);
	EXPECT_STREQ("", found.client);
	/* Asking takes nothing. */
	EXPECT_EQ(0, host_set(self->host, F_WRLCK, 0, 5));
	ASSERT_EQ(0, getlock(c, 1, UN, 5, 0, 10, &found));
	EXPECT_EQ(RD, found.type);
	EXPECT_EQ(11, found.proc);
	ASSERT_EQ(0, getlock(c, 1, UN, 5, 0, 11, &found));
	EXPECT_EQ(UN, found.type);
	EXPECT_EQ(-EINVAL, getlock(c, 1, UN + 1, 0, 0, 10, &found));
	EXPECT_EQ(-EBADF, getlock(c, 0, WR, 0, 0, 10, &found));
}

TEST_F(locks, refused)
{
	struct p9c *c = self->c;
	char client[300];

	memset(client, 'c', sizeof(client));
	client[256] = 0;
	EXPECT_EQ(-EBADF, lock(c, 0, WR, 0, 0, 0, 10)); /* not open */
	EXPECT_EQ(-EBADF, lock(c, 99, WR, 0, 0, 0, 10));
	EXPECT_EQ(-EINVAL, lock(c, 1, 3, 0, 0, 0, 10));
	EXPECT_EQ(-EINVAL, lock(c, 1, WR, 0, 1ull << 63, 1, 10));
	EXPECT_EQ(-EINVAL, p9c_call(c, P9_TLOCK, "dbdqqds", 1, WR, 0, 0ull, 0ull, 1, client));
	/* Too long is "to the end". */
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 5, UINT64_MAX, 10));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 1, WR, 0, INT64_MAX, 1, 11));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, INT64_MAX, 1, 10));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, INT64_MAX, 1, 11));
}

/* A file that may only be read, and a folder, can be locked all the same; flock(1) does that. */
TEST_F(locks, without_writing)
{
	struct p9c *c = self->c, *d = p9c_new(self->w.server, NULL, false);
	struct p9_share *share;

	ASSERT_EQ(0, p9c_walk(c, 0, 4, "f"));
	ASSERT_EQ(0, p9c_lopen(c, 4, O_RDONLY));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 4, WR, 0, 0, 0, 10));
	EXPECT_EQ(-1, flock(self->host, LOCK_SH | LOCK_NB));
	EXPECT_EQ(0, p9c_clunk(c, 4));
	ASSERT_EQ(0, p9c_walk(c, 0, 4, ""));
	ASSERT_EQ(0, p9c_lopen(c, 4, O_RDONLY));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 4, WR, 0, 0, 0, 10));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(c, 4, WR, 0, 0, 9, 11));

	ASSERT_EQ(0, p9_share_open(&share, self->w.server, p9c_path(&self->w, ""), &(struct p9_share_config){.flags = P9_SHARE_RO}));
	ASSERT_EQ(0, p9_session_new(&d->session, share));
	ASSERT_EQ(0, p9c_version(d, 65536));
	ASSERT_EQ(0, p9c_attach(d, 0, "", P9_NONUNAME));
	ASSERT_EQ(0, p9c_walk(d, 0, 1, "f"));
	ASSERT_EQ(0, p9c_lopen(d, 1, O_RDONLY));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(d, 1, WR, 0, 0, 0, 10));
	EXPECT_EQ(P9_LOCK_BLOCKED, lock(d, 1, RD, 0, 0, 9, 11));
	EXPECT_FALSE(host_free(self->host, F_WRLCK, 0, 0));
	EXPECT_EQ(-1, flock(self->host, LOCK_SH | LOCK_NB));
	p9_session_free(d->session);
	p9_share_put(share);
	p9c_free(d);
}

enum { BYTES = 24, OWNERS = 3 };

/* What each owner has at each byte: UN, RD or WR; and the host, last. */
struct model {
	int has[OWNERS + 1][BYTES];
};

static int at_byte(const struct model *m, int byte, int from, int to)
{
	int most = UN;

	for (int i = from; i < to; i++)
		if (m->has[i][byte] != UN && most != WR)
			most = m->has[i][byte];
	return most;
}

static bool may_take(const struct model *m, int owner, int type, int start, int end)
{
	for (int b = start; b < end && type != UN; b++)
		for (int i = 0; i <= OWNERS; i++)
			if (i != owner &&
			    (m->has[i][b] == WR || (m->has[i][b] == RD && type == WR)))
				return false;
	return true;
}

/* Ranges of several owners and the host, at random, on a few bytes. */
TEST_F(locks, at_random)
{
	static const short host_type[] = {[RD] = F_RDLCK, [WR] = F_WRLCK, [UN] = F_UNLCK};
	struct p9c *c = self->c;
	struct model m;
	unsigned int blocked = 0;

	for (int i = 0; i <= OWNERS; i++)
		for (int b = 0; b < BYTES; b++)
			m.has[i][b] = UN;
	srand(1);
	for (int round = 0; round < 2000; round++) {
		int owner = rand() % (OWNERS + 1), type = rand() % 3;
		int start = rand() % BYTES, end = start + 1 + rand() % (BYTES - start);
		bool may = may_take(&m, owner, type, start, end);

		if (owner == OWNERS) {
			ASSERT_EQ(may ? 0 : -EAGAIN,
				  host_set(self->host, host_type[type], start, end - start));
		} else {
			ASSERT_EQ(may ? P9_LOCK_SUCCESS : P9_LOCK_BLOCKED,
				  lock(c, 1 + (uint32_t)(rand() % 3), type, 0, (uint64_t)start,
				       (uint64_t)(end - start), 10 + (uint32_t)owner));
		}
		blocked += !may;
		for (int b = start; b < end && may; b++)
			m.has[owner][b] = type;
		for (int b = 0; b < BYTES; b++) {
			int guests = at_byte(&m, b, 0, OWNERS);

			ASSERT_EQ(guests != WR, host_free(self->host, F_RDLCK, b, 1));
			ASSERT_EQ(guests == UN, host_free(self->host, F_WRLCK, b, 1));
		}
	}
	EXPECT_LT(100, blocked);
	EXPECT_GT(1900, blocked);
}

/*
 * Fids that once had a lock in a file with thousands end as fast as others: a session with many
 * could not be ended else. (Without that this runs into the harness's time limit.)
 */
TEST_F(locks, many_fids_in_a_file_with_many)
{
	struct p9c *c = self->c;

	for (uint32_t n = 0; n < P9_MAX_LOCKS - 2; n++)
		ASSERT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 10 + 2ull * n, 1, 10));
	for (uint32_t fid = 10; fid < 300; fid++) {
		ASSERT_EQ(0, p9c_walk(c, 0, fid, "f"));
		ASSERT_EQ(0, p9c_lopen(c, fid, O_RDWR));
		ASSERT_EQ(P9_LOCK_SUCCESS, lock(c, fid, RD, 0, 5, 1, 10));
	}
	for (uint32_t fid = 10; fid < 299; fid++)
		ASSERT_EQ(0, p9c_clunk(c, fid));
	EXPECT_FALSE(host_free(self->host, F_WRLCK, 5, 1)); /* the last one's */
	ASSERT_EQ(0, p9c_clunk(c, 299));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 5, 1));
	EXPECT_FALSE(host_free(self->host, F_RDLCK, 10, 1));
}

TEST_F(locks, as_many_as_may_be)
{
	struct p9c *c = self->c;
	uint32_t n;

	for (n = 0; n < P9_MAX_LOCKS; n++)
		if (lock(c, 1 + n % 2, WR, 0, 2ull * n, 1, 10 + n % 2))
			break;
	EXPECT_EQ(P9_MAX_LOCKS, n);
	EXPECT_EQ(-ENOLCK, lock(c, 1, WR, 0, 2ull * n, 1, 12));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, 0, 1, 10));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 2ull * n, 1, 12));
	/* Neighbours of one owner are one. */
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, 0, 0, 10));
	for (n = 0; n < 2 * P9_MAX_LOCKS; n++)
		if (lock(c, 3, WR, 0, 1000000 + n, 1, 13))
			break;
	EXPECT_EQ(2 * P9_MAX_LOCKS, n);
}

/* ---- waiting ---- */

static struct p9c *another(struct p9c_world *w, uint16_t tag)
{
	struct p9c *c = p9c_new(w->server, w->session, false);

	c->tag = tag;
	return c;
}

static void build_lock(struct p9c *c, uint32_t fid, uint32_t proc)
{
	p9c_build(c, P9_TLOCK, "dbdqqds", fid, WR, BLOCK, (uint64_t)0, (uint64_t)5, proc, "guest");
}

/* Submits what is to wait. On a busy machine its second may be over at once: then once more. */
static bool waits(struct p9c_world *w, struct p9c *d)
{
	for (int i = 0; i < 50; i++) {
		if (p9c_submit(d))
			return false;
		p9c_pump(w, 40);
		if (!p9c_is_done(d))
			return true;
	}
	return false;
}

/* The status in the end, coming again as a client does. */
static int comes(struct p9c *d)
{
	for (;;) {
		int err = p9c_wait(d);
		int status = err ?: (int)p9c_get(d, 1);

		if (status != P9_LOCK_BLOCKED)
			return status;
		err = p9c_submit(d);
		if (err)
			return err;
	}
}

TEST_F(locks, waits_until_it_is_free)
{
	struct p9c *c = self->c, *d = another(&self->w, 7);

	/* For another owner, */
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 0, 5, 10));
	build_lock(d, 2, 11);
	ASSERT_TRUE(waits(&self->w, d));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, 0, 5, 10));
	EXPECT_EQ(P9_LOCK_SUCCESS, comes(d));
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 2, UN, 0, 0, 5, 11));
	/* for the host, which does not say when, */
	ASSERT_EQ(0, host_set(self->host, F_WRLCK, 0, 1));
	ASSERT_TRUE(waits(&self->w, d));
	ASSERT_EQ(0, host_set(self->host, F_UNLCK, 0, 1));
	EXPECT_EQ(P9_LOCK_SUCCESS, comes(d));
	/* and for the end of a fid. */
	build_lock(d, 3, 12);
	ASSERT_TRUE(waits(&self->w, d));
	EXPECT_EQ(0, p9c_clunk(c, 2));
	EXPECT_EQ(P9_LOCK_SUCCESS, comes(d));
	p9c_free(d);
}

TEST_F(locks, waits_not_for_ever)
{
	struct p9c *c = self->c, *d = another(&self->w, 7);
	struct timespec a, b;

	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 0, 5, 10));
	clock_gettime(CLOCK_MONOTONIC, &a);
	build_lock(d, 2, 11);
	EXPECT_EQ(0, p9c_go(d));
	EXPECT_EQ(P9_LOCK_BLOCKED, p9c_get(d, 1));
	clock_gettime(CLOCK_MONOTONIC, &b);
	EXPECT_LE(900, (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000);
	p9c_free(d);
}

TEST_F(locks, waiting_can_be_flushed)
{
	struct p9c *c = self->c, *d = another(&self->w, 7);

	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 0, 5, 10));
	build_lock(d, 2, 11);
	ASSERT_TRUE(waits(&self->w, d));
	EXPECT_EQ(0, p9c_call(c, P9_TFLUSH, "w", 7));
	EXPECT_TRUE(p9c_is_done(d));
	EXPECT_EQ(P9C_DROPPED, p9c_wait(d));
	EXPECT_LT(d->order, c->order);
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, 0, 5, 10));
	p9c_pump(&self->w, 60);
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 0));
	p9c_free(d);
}

static void *submit(void *arg)
{
	p9c_submit(arg);
	return NULL;
}

/* A request that is dropped before it began may be the last to hold a fid; its locks go all the
 * same. */
TEST_F(locks, end_with_a_dropped_request)
{
	struct p9c *c = self->c, *d = another(&self->w, 7), *flush = another(&self->w, 8);
	pthread_t thread;

	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 0, 5, 10));
	/* On other threads, so that nobody does the ring's work. */
	p9c_build(d, P9_TGETATTR, "dq", 1, (uint64_t)0x7ff);
	pthread_create(&thread, NULL, submit, d);
	pthread_join(thread, NULL);
	EXPECT_EQ(variant->executor == P9_EXEC_RING, !p9c_is_done(d));
	p9c_build(c, P9_TCLUNK, "d", 1);
	pthread_create(&thread, NULL, submit, c);
	pthread_join(thread, NULL);
	p9c_build(flush, P9_TFLUSH, "w", 7);
	pthread_create(&thread, NULL, submit, flush);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, p9c_wait(c));
	EXPECT_EQ(0, p9c_wait(flush));
	EXPECT_EQ(variant->executor == P9_EXEC_RING ? P9C_DROPPED : 0, p9c_wait(d));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 0));
	p9c_free(d);
	p9c_free(flush);
}

TEST_F(locks, waiting_ends_with_the_session)
{
	struct p9c *c = self->c, *d = another(&self->w, 7);

	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 0, 5, 10));
	build_lock(d, 2, 11);
	ASSERT_TRUE(waits(&self->w, d));
	p9_session_reset(self->w.session);
	EXPECT_EQ(P9C_DROPPED, p9c_wait(d));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 0));
	p9c_free(d);
}

/* A new session does not wait until they have waited long enough. */
TEST_F(locks, waiting_ends_with_a_new_session)
{
	struct p9c *c = self->c, *d = another(&self->w, 7);

	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 0, 5, 10));
	build_lock(d, 2, 11);
	ASSERT_TRUE(waits(&self->w, d));
	ASSERT_EQ(0, p9c_version(c, 65536));
	EXPECT_EQ(P9C_DROPPED, p9c_wait(d));
	EXPECT_TRUE(host_free(self->host, F_WRLCK, 0, 0));
	p9c_free(d);
}

TEST_F(locks, no_more_than_so_many_wait)
{
	struct p9c *c = self->c, *d[P9_MAX_LOCK_WAITS + 1], *last;
	bool others_wait = false;

	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, WR, 0, 0, 5, 10));
	for (unsigned int i = 0; i <= P9_MAX_LOCK_WAITS; i++) {
		d[i] = another(&self->w, (uint16_t)(100 + i));
		build_lock(d[i], 2, 100 + i);
	}
	last = d[P9_MAX_LOCK_WAITS];
	/* All in less than the second that they wait, if the machine is not too busy. */
	for (int round = 0; round < 20 && !others_wait; round++) {
		for (unsigned int i = 0; i <= P9_MAX_LOCK_WAITS; i++)
			ASSERT_EQ(0, p9c_submit(d[i]));
		/* The one too many is told at once, so that somebody else finds his place. */
		EXPECT_EQ(0, p9c_wait(last));
		EXPECT_EQ(P9_LOCK_BLOCKED, p9c_get(last, 1));
		others_wait = !p9c_is_done(d[0]);
		for (unsigned int i = 0; i < P9_MAX_LOCK_WAITS && !others_wait; i++)
			EXPECT_EQ(0, p9c_wait(d[i]));
	}
	EXPECT_TRUE(others_wait);
	EXPECT_EQ(P9_LOCK_SUCCESS, lock(c, 1, UN, 0, 0, 5, 10));
	/* One of them gets it, the others wait on. */
	p9_session_reset(self->w.session);
	for (unsigned int i = 0; i <= P9_MAX_LOCK_WAITS; i++)
		p9c_free(d[i]);
}

TEST_HARNESS_MAIN
