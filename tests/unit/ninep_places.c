// SPDX-License-Identifier: MIT
/* What is answered in place, what is handed over, and that one file system leaves workers to others. */
#include "kselftest_harness.h"

#include <signal.h>
#include <sys/syscall.h>

#include "ninep/node.h"
#include "ninep/server.h"
#include "ninep/session.h"
#include "ninep/stats.h"
#include "tests/unit/p9client.h"

FIXTURE(places)
{
	struct p9c_world w;
	struct p9c *c;
};

/* Nothing here depends on the file system that the tests' folder is on. */
static void set_class(struct p9c_world *w, enum p9_fs_class class)
{
	w->share->root->fs->class = class;
}

FIXTURE_SETUP(places)
{
	ASSERT_EQ(0, p9c_world_open(&self->w, P9_EXEC_AUTO, false, 0));
	self->c = self->w.c;
	set_class(&self->w, P9_FS_LOCAL);
	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "text"));
	ASSERT_EQ(0, p9c_walk(self->c, 0, 1, "f"));
}

FIXTURE_TEARDOWN(places)
{
	EXPECT_EQ(0, p9c_world_close(&self->w));
}

/* Requests that are meant to be in flight. */
static unsigned int in_flight;

/* How many messages of a type went no further than this, so far. A reply is counted after it is seen. */
static unsigned int count(struct p9c_world *w, int type, enum p9_path path)
{
	pthread_mutex_lock(&w->session->lock);
	while (w->session->active > in_flight) {
		pthread_mutex_unlock(&w->session->lock);
		p9c_pump(w, 2);
		pthread_mutex_lock(&w->session->lock);
	}
	pthread_mutex_unlock(&w->session->lock);
	return (unsigned int)p9_session_stats(w->session)->stat[type / 2][path].ns.n;
}

static unsigned int elsewhere(struct p9c_world *w, int type)
{
	return count(w, type, P9_PATH_RING) + count(w, type, P9_PATH_WORKER);
}

#define IN_PLACE(type)	count(&self->w, type, P9_PATH_IN_PLACE)
#define ELSEWHERE(type) elsewhere(&self->w, type)

TEST_F(places, local_attributes_in_place)
{
	struct p9c_attr a;

	ASSERT_EQ(0, p9c_getattr(self->c, 1, &a));
	EXPECT_EQ(1, IN_PLACE(P9_TGETATTR));
	/* A change goes to the journal. */
	a.mode = 0600;
	ASSERT_EQ(0, p9c_setattr(self->c, 1, &a, P9_SET_MODE));
	EXPECT_EQ(0, IN_PLACE(P9_TSETATTR));
	EXPECT_EQ(1, ELSEWHERE(P9_TSETATTR));
}

TEST_F(places, local_open_for_reading_in_place)
{
	static const struct {
		const char *name;
		uint32_t flags;
	} others[] = {{"f", O_WRONLY}, {"f", O_RDWR}, {"f", O_WRONLY | P9_OPEN_TRUNC}, {"", 0}};
	unsigned int opens, clunks;

	/* The first one learns how the file system is mounted. */
	ASSERT_EQ(0, p9c_lopen(self->c, 1, 0));
	ASSERT_EQ(0, p9c_clunk(self->c, 1));
	opens = IN_PLACE(P9_TLOPEN);
	clunks = IN_PLACE(P9_TCLUNK);
	ASSERT_EQ(0, p9c_walk(self->c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_lopen(self->c, 1, 0));
	ASSERT_EQ(0, p9c_clunk(self->c, 1));
	EXPECT_EQ(opens + 1, IN_PLACE(P9_TLOPEN));
	EXPECT_EQ(clunks + 1, IN_PLACE(P9_TCLUNK));
	/* Not for writing, nor cut short, nor a folder. */
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int n = ELSEWHERE(P9_TLOPEN);

		ASSERT_EQ(0, p9c_walk(self->c, 0, 2, others[i].name));
		ASSERT_EQ(0, p9c_lopen(self->c, 2, others[i].flags));
		EXPECT_EQ(n + 1, ELSEWHERE(P9_TLOPEN));
		clunks = ELSEWHERE(P9_TCLUNK);
		ASSERT_EQ(0, p9c_clunk(self->c, 2));
		EXPECT_EQ(clunks + !!others[i].flags, ELSEWHERE(P9_TCLUNK));
	}
}

/* The last close of an unlinked file gives its blocks back. */
TEST_F(places, local_close_of_an_unlinked_file_elsewhere)
{
	ASSERT_EQ(0, unlink(p9c_path(&self->w, "f")));
	ASSERT_EQ(0, p9c_clunk(self->c, 1));
	EXPECT_EQ(0, IN_PLACE(P9_TCLUNK));
	EXPECT_EQ(1, ELSEWHERE(P9_TCLUNK));
}

/* Somebody's lease is waited for elsewhere. */
TEST_F(places, local_open_does_not_wait_for_a_lease)
{
	int lease;

	signal(SIGIO, SIG_IGN);
	ASSERT_EQ(0, p9c_walk(self->c, 0, 2, "f"));
	ASSERT_EQ(0, p9c_clunk(self->c, 1));
	lease = open(p9c_path(&self->w, "f"), O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, fcntl(lease, F_SETLEASE, F_WRLCK));
	p9c_build(self->c, P9_TLOPEN, "dd", 2, 0);
	ASSERT_EQ(0, p9c_submit(self->c));
	EXPECT_FALSE(p9c_is_done(self->c));
	fcntl(lease, F_SETLEASE, F_UNLCK);
	EXPECT_EQ(0, p9c_wait(self->c));
	close(lease);
}

/* The flags of the descriptors that this process has open on f, but for those with O_PATH. */
static int open_flags(struct p9c_world *w, const char *name)
{
	struct stat want, st;
	int flags = -1;

	if (stat(p9c_path(w, name), &want))
		return -1;
	for (int fd = 0; fd < 200; fd++) {
		int fl = fcntl(fd, F_GETFL);

		if (fl >= 0 && !(fl & O_PATH) && !fstat(fd, &st) && st.st_ino == want.st_ino &&
		    st.st_dev == want.st_dev)
			flags = fl;
	}
	return flags;
}

/* io_uring would not wait for what has O_NONBLOCK. */
TEST_F(places, local_open_leaves_no_trace)
{
	ASSERT_EQ(0, p9c_lopen(self->c, 1, P9_OPEN_APPEND));
	EXPECT_EQ(O_APPEND, open_flags(&self->w, "f") & (O_APPEND | O_NONBLOCK));
}

/* Reading that changes the time of access writes to the journal; the next one does not. */
TEST_F(places, local_read_that_changes_atime_elsewhere)
{
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 2}};
	unsigned int here;

	ASSERT_EQ(0, utimensat(AT_FDCWD, p9c_path(&self->w, "f"), old, 0));
	atomic_store(&self->w.share->root->fs->atime, 2); /* relatime, whatever it is here */
	ASSERT_EQ(0, p9c_lopen(self->c, 1, 0));
	EXPECT_EQ(4, p9c_read(self->c, 1, 0, 100));
	EXPECT_EQ(0, IN_PLACE(P9_TREAD));
	EXPECT_EQ(1, count(&self->w, P9_TREAD, P9_PATH_WORKER));
	/* From then on as far as the file system can be asked not to wait. */
	EXPECT_EQ(4, p9c_read(self->c, 1, 0, 100));
	EXPECT_EQ(1, count(&self->w, P9_TREAD, P9_PATH_WORKER));
	/* Until it is written to. */
	here = count(&self->w, P9_TREAD, P9_PATH_WORKER);
	ASSERT_EQ(0, p9c_walk(self->c, 0, 2, "f"));
	ASSERT_EQ(0, p9c_lopen(self->c, 2, O_WRONLY));
	EXPECT_EQ(1, p9c_write(self->c, 2, 0, "T", 1));
	EXPECT_EQ(4, p9c_read(self->c, 1, 0, 100));
	EXPECT_EQ(here + 1, count(&self->w, P9_TREAD, P9_PATH_WORKER));
	/* Or changes in size. */
	ASSERT_EQ(0, p9c_setattr(self->c, 2, &(struct p9c_attr){.size = 3}, P9_SET_SIZE));
	EXPECT_EQ(3, p9c_read(self->c, 1, 0, 100));
	EXPECT_EQ(here + 2, count(&self->w, P9_TREAD, P9_PATH_WORKER));
}

/*
 * A write takes set-user-id bits away, and stops at quotas, by who writes. Few file systems write
 * without waiting what is buffered (XFS does), but all are asked.
 */
TEST_F(places, local_write_in_place_as_the_writer)
{
	const struct iovec iov = {.iov_base = "T", .iov_len = 1};
	struct p9_req *req = &self->w.session->req[0];
	struct p9_io io = {
		.op = P9_IO_WRITE,
		.fs = self->w.share->root->fs,
		.who = {.uid = 5000, .gid = 5000},
		.fd = open(p9c_path(&self->w, "f"), O_WRONLY | O_CLOEXEC),
		.data = {.iov = &iov, .n = 1, .len = 1},
		.req = req,
	};

	if (geteuid())
		SKIP(return, "only root acts as others");
	ASSERT_LE(0, io.fd);
	count(&self->w, P9_TWALK, P9_PATH_IN_PLACE); /* nobody else has the request */
	req->place = P9_ON_CALLER;
	p9_io_try(self->w.server, &io);
	EXPECT_EQ(5000, syscall(SYS_setfsuid, -1));
	p9_wear_own();
	close(io.fd);
}

TEST_F(places, other_nothing_in_place)
{
	struct p9c_attr a;

	set_class(&self->w, P9_FS_OTHER);
	ASSERT_EQ(0, p9c_getattr(self->c, 1, &a));
	ASSERT_EQ(0, p9c_lopen(self->c, 1, 0));
	EXPECT_EQ(4, p9c_read(self->c, 1, 0, 100));
	ASSERT_EQ(0, p9c_clunk(self->c, 1));
	EXPECT_EQ(0, IN_PLACE(P9_TGETATTR) + IN_PLACE(P9_TLOPEN) + IN_PLACE(P9_TREAD) +
			     IN_PLACE(P9_TCLUNK));
}

/* What is mounted in a folder that never waits may well do so. */
TEST_F(places, behind_a_mount_point_nothing_in_place)
{
	struct p9_filesystems *all = &self->w.server->filesystems;
	struct p9_link *link = p9_hash_find(&self->w.session->fids.table, p9_hash_mix(1));
	struct p9_node *node = p9_entry(link, struct p9_fid, link)->node;
	struct p9_fs *fs = node->fs;
	unsigned int n;

	set_class(&self->w, P9_FS_MEMORY);
	n = ELSEWHERE(P9_TWALK);
	ASSERT_EQ(0, p9c_walk(self->c, 0, 2, "f"));
	EXPECT_EQ(n, ELSEWHERE(P9_TWALK));
	node->fs = p9_fs_get(all, 4711, P9_FS_OTHER);
	ASSERT_EQ(0, p9c_walk(self->c, 0, 3, "f"));
	EXPECT_EQ(n + 1, ELSEWHERE(P9_TWALK));
	p9_fs_put(node->fs);
	node->fs = fs;
}

/* ---- the budget of a kick ---- */

TEST_F(places, a_kick_has_so_many_operations)
{
	struct p9c_attr a;

	set_class(&self->w, P9_FS_MEMORY);
	p9_kick_begin();
	for (int i = 0; i < P9_KICK_OPS + 10; i++)
		ASSERT_EQ(0, p9c_getattr(self->c, 1, &a));
	EXPECT_EQ(P9_KICK_OPS, IN_PLACE(P9_TGETATTR));
	EXPECT_EQ(10, ELSEWHERE(P9_TGETATTR));
	p9_kick_end();
	/* The next one has as many again; what is no kick has no bound. */
	for (int kick = 0; kick < 2; kick++) {
		if (!kick)
			p9_kick_begin();
		ASSERT_EQ(0, p9c_getattr(self->c, 1, &a));
		p9_kick_end();
	}
	for (int i = 0; i < P9_KICK_OPS + 10; i++)
		ASSERT_EQ(0, p9c_getattr(self->c, 1, &a));
	EXPECT_EQ(2 * P9_KICK_OPS + 12, IN_PLACE(P9_TGETATTR));
	EXPECT_EQ(10, ELSEWHERE(P9_TGETATTR));
}

#define CHUNK 130000u

TEST_F(places, a_kick_has_so_many_bytes)
{
	const unsigned int fit = (P9_KICK_BYTES + CHUNK - 1) / CHUNK;

	set_class(&self->w, P9_FS_MEMORY);
	ASSERT_EQ(0, truncate(p9c_path(&self->w, "f"), CHUNK));
	ASSERT_EQ(0, p9c_lopen(self->c, 1, 0));
	p9_kick_begin();
	for (unsigned int i = 0; i < fit + 5; i++)
		ASSERT_EQ(CHUNK, p9c_read(self->c, 1, 0, CHUNK));
	p9_kick_end();
	EXPECT_EQ(fit, IN_PLACE(P9_TREAD));
	EXPECT_EQ(5, ELSEWHERE(P9_TREAD));
}

/* Others wait for the caller's lock meanwhile; alone it is done sooner by itself. */
TEST_F(places, large_payloads_elsewhere_with_several_callers)
{
	static char data[P9_KICK_LARGE];

	ASSERT_EQ(0, p9c_version(self->c, P9_KICK_LARGE + 100));
	ASSERT_EQ(0, p9c_attach(self->c, 0, "", P9_NONUNAME));
	set_class(&self->w, P9_FS_MEMORY);
	ASSERT_EQ(0, p9c_walk(self->c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_lopen(self->c, 1, O_RDWR));
	for (unsigned int callers = 1; callers <= 2; callers++) {
		p9_server_callers(self->w.server, callers);
		p9_kick_begin();
		ASSERT_EQ(P9_KICK_LARGE, p9c_write(self->c, 1, 0, data, P9_KICK_LARGE));
		ASSERT_EQ(P9_KICK_LARGE, p9c_read(self->c, 1, 0, P9_KICK_LARGE));
		ASSERT_EQ(100, p9c_read(self->c, 1, 0, 100));
		p9_kick_end();
		EXPECT_EQ(callers, IN_PLACE(P9_TWRITE) + ELSEWHERE(P9_TWRITE));
		EXPECT_EQ(callers - 1, ELSEWHERE(P9_TWRITE));
		EXPECT_EQ(callers - 1, ELSEWHERE(P9_TREAD));
	}
}

/* ---- what was flushed ---- */

/* Has the budget of a kick used up, so that a walk to what is known is handed over, and flushes that. */
static void *flushed_walk(void *arg)
{
	struct p9c **c = arg; /* for all else, the walk, the flush */
	struct p9c_attr a;

	p9_kick_begin();
	for (int i = 0; i < P9_KICK_OPS; i++)
		if (p9c_getattr(c[0], 1, &a))
			abort();
	p9c_build(c[1], P9_TWALK, "ddws", 0, 2, 1, "f");
	p9c_build(c[2], P9_TFLUSH, "w", c[1]->tag);
	if (p9c_submit(c[1]) || p9c_submit(c[2]))
		abort();
	p9_kick_end();
	return NULL;
}

/* Its look at the name is dropped: it must not open the file instead. */
TEST_F(places, a_dropped_request_does_nothing_more)
{
	struct p9c *c[3] = {self->c};
	pthread_t thread;

	set_class(&self->w, P9_FS_MEMORY);
	for (int i = 1; i < 3; i++) {
		c[i] = p9c_new(self->w.server, self->w.session, false);
		c[i]->tag = (uint16_t)(10 + i);
	}
	pthread_create(&thread, NULL, flushed_walk, c);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, p9c_wait(c[2]));
	EXPECT_EQ(P9C_DROPPED, p9c_wait(c[1]));
	EXPECT_EQ(-EBADF, p9c_clunk(self->c, 2));
	p9c_free(c[1]);
	p9c_free(c[2]);
}

/* What has only looked, at a name say, has not begun. */
TEST_F(places, a_request_that_has_only_looked_can_be_dropped)
{
	struct p9c *stuck[P9_RING_THREADS], *c[2];
	struct stat st;
	int lease;

	signal(SIGIO, SIG_IGN);
	ASSERT_EQ(0, p9c_host_file(&self->w, "g", "text"));
	ASSERT_EQ(0, p9c_walk(self->c, 0, 2, "g"));
	lease = open(p9c_path(&self->w, "f"), O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, fcntl(lease, F_SETLEASE, F_RDLCK));
	for (unsigned int i = 0; i < P9_RING_THREADS; i++) {
		ASSERT_EQ(0, p9c_walk(self->c, 1, 100 + i, ""));
		stuck[i] = p9c_new(self->w.server, self->w.session, false);
		stuck[i]->tag = (uint16_t)(100 + i);
		p9c_build(stuck[i], P9_TLOPEN, "dd", 100 + i, O_WRONLY);
		ASSERT_EQ(0, p9c_submit(stuck[i]));
	}
	for (int i = 0; i < 2; i++) {
		c[i] = p9c_new(self->w.server, self->w.session, false);
		c[i]->tag = (uint16_t)(10 + i);
	}
	p9c_build(c[0], P9_TRENAME, "dds", 2, 0, "h");
	ASSERT_EQ(0, p9c_submit(c[0]));
	p9c_pump(&self->w, 20);
	EXPECT_FALSE(p9c_is_done(c[0]));
	EXPECT_EQ(0, p9c_call(c[1], P9_TFLUSH, "w", c[0]->tag));
	EXPECT_EQ(P9C_DROPPED, p9c_wait(c[0]));
	EXPECT_EQ(-1, stat(p9c_path(&self->w, "h"), &st));
	fcntl(lease, F_SETLEASE, F_UNLCK);
	close(lease);
	for (unsigned int i = 0; i < P9_RING_THREADS; i++) {
		EXPECT_EQ(0, p9c_wait(stuck[i]));
		p9c_free(stuck[i]);
	}
	for (int i = 0; i < 2; i++)
		p9c_free(c[i]);
}

/* ---- workers ---- */

#define STUCK 20

/*
 * Opens that a lease keeps waiting, as many as would take all workers twice, on one file system; then
 * one on another.
 */
TEST_F(places, one_file_system_leaves_workers_to_others)
{
	struct p9c *stuck[STUCK], *also;
	struct p9_fs *fs = self->w.share->root->fs, *other;
	struct p9c_attr a;
	int lease;

	_Static_assert(STUCK > 2 * P9_WORKERS, "more than there are");
	signal(SIGIO, SIG_IGN);
	set_class(&self->w, P9_FS_OTHER);
	self->w.server->ring.has[P9_IO_OPEN] = self->w.server->ring.has[P9_IO_STATX] = false;
	for (int i = 0; i < STUCK; i++)
		ASSERT_EQ(0, p9c_walk(self->c, 0, 100 + i, "f"));
	lease = open(p9c_path(&self->w, "f"), O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, fcntl(lease, F_SETLEASE, F_RDLCK));
	for (int i = 0; i < STUCK; i++) {
		stuck[i] = p9c_new(self->w.server, self->w.session, false);
		stuck[i]->tag = (uint16_t)(10 + i);
		p9c_build(stuck[i], P9_TLOPEN, "dd", 100 + i, O_WRONLY);
		ASSERT_EQ(0, p9c_submit(stuck[i]));
	}
	in_flight = STUCK;
	/* The root's now falls on another file system. */
	other = p9_fs_get(&self->w.server->filesystems, 4711, P9_FS_OTHER);
	self->w.share->root->fs = other;
	also = p9c_new(self->w.server, self->w.session, false);
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(0, p9c_getattr(also, 0, &a));
	EXPECT_EQ(10, count(&self->w, P9_TGETATTR, P9_PATH_WORKER));
	self->w.share->root->fs = fs;
	in_flight = 0;
	/* What has not begun is given up at once. */
	p9c_build(also, P9_TFLUSH, "w", stuck[STUCK - 1]->tag);
	EXPECT_EQ(0, p9c_go(also));
	EXPECT_EQ(P9C_DROPPED, p9c_wait(stuck[STUCK - 1]));
	for (int i = 0; i < STUCK - 1; i++)
		EXPECT_FALSE(p9c_is_done(stuck[i]));
	fcntl(lease, F_SETLEASE, F_UNLCK);
	close(lease);
	for (int i = 0; i < STUCK - 1; i++)
		EXPECT_EQ(0, p9c_wait(stuck[i]));
	for (int i = 0; i < STUCK; i++)
		p9c_free(stuck[i]);
	p9c_free(also);
}

TEST_HARNESS_MAIN
