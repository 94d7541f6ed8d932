// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vmm/loop.h"

/* Counts its calls; after the last one it wants, it stops the loop. */
struct counter {
	struct loop *loop;
	int id;
	int fd; /* a byte is read from it at each call, if it is there */
	int calls;
	int stop_after;
	short revents;
	int unwatch;	       /* id to remove, or -1 */
	int sleep;	       /* id to put to sleep, or -1 */
	struct counter *again; /* watched anew, in whatever slot is free */
};

static void count(void *arg, short revents)
{
	struct counter *counter = arg;
	char byte;

	counter->revents = revents;
	if (counter->fd >= 0 && read(counter->fd, &byte, 1) < 0)
		abort();
	if (counter->unwatch >= 0)
		loop_unwatch(counter->loop, counter->unwatch);
	if (counter->sleep >= 0)
		loop_events(counter->loop, counter->sleep, -1);
	if (counter->again)
		counter->again->id = loop_watch(counter->loop, counter->again->fd, POLLIN, count,
						counter->again);
	if (++counter->calls == counter->stop_after)
		loop_stop(counter->loop);
}

FIXTURE(loop)
{
	struct loop *loop;
	int a[2];
	int b[2];
	struct counter on_a;
	struct counter on_b;
};

FIXTURE_SETUP(loop)
{
	self->loop = loop_new();
	ASSERT_NE(NULL, self->loop);
	ASSERT_EQ(0, pipe(self->a));
	ASSERT_EQ(0, pipe(self->b));
	self->on_a = (struct counter){self->loop, -1, self->a[0], .unwatch = -1, .sleep = -1};
	self->on_b = (struct counter){self->loop, -1, self->b[0], .unwatch = -1, .sleep = -1};
	alarm(10); /* a loop that hangs is a failure */
}

FIXTURE_TEARDOWN(loop)
{
	for (int i = 0; i < 2; i++) {
		close(self->a[i]);
		close(self->b[i]);
	}
	loop_free(self->loop);
}

TEST_F(loop, calls_once_for_each_byte)
{
	self->on_a.stop_after = 3;
	self->on_a.id = loop_watch(self->loop, self->a[0], POLLIN, count, &self->on_a);
	ASSERT_LE(0, self->on_a.id);
	ASSERT_EQ(3, write(self->a[1], "abc", 3));
	ASSERT_EQ(0, loop_run(self->loop));
	EXPECT_EQ(3, self->on_a.calls);
	EXPECT_EQ(POLLIN, self->on_a.revents);
}

TEST_F(loop, a_plain_file_is_always_ready)
{
	int fd = open("/proc/self/status", O_RDONLY);

	ASSERT_LE(0, fd);
	self->on_a.fd = fd;
	self->on_a.stop_after = 2;
	ASSERT_LE(0, loop_watch(self->loop, fd, POLLIN, count, &self->on_a));
	ASSERT_EQ(0, loop_run(self->loop));
	EXPECT_EQ(2, self->on_a.calls);
	close(fd);
}

TEST_F(loop, a_full_loop_says_so)
{
	int fd[LOOP_MAX_WATCHES];

	for (int i = 0; i < LOOP_MAX_WATCHES; i++) {
		fd[i] = dup(self->a[0]);
		ASSERT_LE(0, loop_watch(self->loop, fd[i], POLLIN, count, &self->on_a));
	}
	EXPECT_EQ(-ENOSPC, loop_watch(self->loop, self->a[0], POLLIN, count, &self->on_a));
	loop_unwatch(self->loop, 7);
	EXPECT_EQ(7, loop_watch(self->loop, self->a[0], POLLIN, count, &self->on_a));
	for (int i = 0; i < LOOP_MAX_WATCHES; i++)
		close(fd[i]);
}

TEST_F(loop, one_watch_for_a_descriptor)
{
	int id = loop_watch(self->loop, self->a[0], POLLIN, count, &self->on_a);

	ASSERT_LE(0, id);
	EXPECT_EQ(-EEXIST, loop_watch(self->loop, self->a[0], POLLIN, count, &self->on_b));
	EXPECT_EQ(-EBADF, loop_watch(self->loop, -1, POLLIN, count, &self->on_b));
	loop_unwatch(self->loop, id);
	EXPECT_LE(0, loop_watch(self->loop, self->a[0], POLLIN, count, &self->on_b));
}

/* A plain file that is asleep, or waited for with no events, does not keep the loop awake. */
TEST_F(loop, a_plain_file_can_sleep)
{
	int fd = open("/proc/self/status", O_RDONLY);

	ASSERT_LE(0, fd);
	self->on_b.fd = fd;
	self->on_b.id = loop_watch(self->loop, fd, POLLIN, count, &self->on_b);
	ASSERT_LE(0, self->on_b.id);
	self->on_a.id = loop_watch(self->loop, self->a[0], POLLIN, count, &self->on_a);
	self->on_a.stop_after = 1;
	ASSERT_EQ(1, write(self->a[1], "x", 1));
	loop_events(self->loop, self->on_b.id, -1);
	ASSERT_EQ(0, loop_run(self->loop));
	self->on_a.calls = 0;
	ASSERT_EQ(1, write(self->a[1], "x", 1));
	loop_events(self->loop, self->on_b.id, 0);
	ASSERT_EQ(0, loop_run(self->loop));
	EXPECT_EQ(0, self->on_b.calls);
	self->on_b.stop_after = 1;
	loop_events(self->loop, self->on_b.id, POLLIN);
	ASSERT_EQ(0, loop_run(self->loop));
	EXPECT_EQ(1, self->on_b.calls);
	close(fd);
}

struct bed {
	int fd;
	int slept, worked;
};

/* Every second time it has something else to do. */
static int sleep_in(void *arg, int fd)
{
	struct bed *bed = arg;
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	bed->fd = fd;
	if (bed->slept > bed->worked) {
		bed->worked++;
		return 0;
	}
	bed->slept++;
	return poll(&pfd, 1, -1);
}

TEST_F(loop, sleeps_where_it_is_told)
{
	struct bed bed = {0};

	loop_sleep_in(self->loop, sleep_in, &bed);
	self->on_a.stop_after = 3;
	self->on_a.id = loop_watch(self->loop, self->a[0], POLLIN, count, &self->on_a);
	ASSERT_EQ(3, write(self->a[1], "abc", 3));
	ASSERT_EQ(0, loop_run(self->loop));
	EXPECT_EQ(3, self->on_a.calls);
	/* The last round is loop_stop()'s. */
	EXPECT_EQ(4, bed.slept);
	EXPECT_EQ(3, bed.worked);
}

static int cannot_sleep(void *arg, int fd)
{
	(void)fd;
	return *(int *)arg;
}

TEST_F(loop, says_why_it_cannot_sleep)
{
	int err = -EIO;

	loop_sleep_in(self->loop, cannot_sleep, &err);
	EXPECT_EQ(-EIO, loop_run(self->loop));
}

/* Both are ready; the first one to be called removes the other. */
TEST_F(loop, a_removed_watch_is_not_called)
{
	self->on_a.id = loop_watch(self->loop, self->a[0], POLLIN, count, &self->on_a);
	self->on_b.id = loop_watch(self->loop, self->b[0], POLLIN, count, &self->on_b);
	self->on_a.unwatch = self->on_b.id;
	self->on_a.stop_after = 1;
	ASSERT_EQ(1, write(self->a[1], "x", 1));
	ASSERT_EQ(1, write(self->b[1], "x", 1));
	ASSERT_EQ(0, loop_run(self->loop));
	EXPECT_EQ(0, self->on_b.calls);
}

/* The slot of a removed watch is taken by another in the same round: what poll() said of the old
 * descriptor must not reach the new one, which is not ready. */
TEST_F(loop, a_reused_slot_does_not_inherit_events)
{
	struct counter late = {self->loop, -1, -1, .unwatch = -1, .sleep = -1};
	int empty[2];

	ASSERT_EQ(0, pipe(empty));
	late.fd = empty[0];
	self->on_a.id = loop_watch(self->loop, self->a[0], POLLIN, count, &self->on_a);
	self->on_b.id = loop_watch(self->loop, self->b[0], POLLIN, count, &self->on_b);
	self->on_a.unwatch = self->on_b.id;
	self->on_a.again = &late;
	self->on_a.stop_after = 1;
	ASSERT_EQ(1, write(self->a[1], "x", 1));
	ASSERT_EQ(1, write(self->b[1], "x", 1));
	ASSERT_EQ(0, loop_run(self->loop));
	EXPECT_EQ(self->on_b.id, late.id);
	EXPECT_EQ(0, late.calls);
	close(empty[0]);
	close(empty[1]);
}

TEST_F(loop, a_sleeping_watch_hears_nothing)
{
	self->on_a.id = loop_watch(self->loop, self->a[0], POLLIN, count, &self->on_a);
	self->on_b.id = loop_watch(self->loop, self->b[0], POLLIN, count, &self->on_b);
	/* Put to sleep by the other one in the same round, and its writer gone, too. */
	self->on_a.sleep = self->on_b.id;
	self->on_a.stop_after = 2;
	ASSERT_EQ(2, write(self->a[1], "xx", 2));
	ASSERT_EQ(1, write(self->b[1], "x", 1));
	close(self->b[1]);
	ASSERT_EQ(0, loop_run(self->loop));
	EXPECT_EQ(0, self->on_b.calls);

	loop_events(self->loop, self->on_b.id, POLLIN);
	self->on_b.stop_after = 1;
	ASSERT_EQ(0, loop_run(self->loop));
	EXPECT_EQ(1, self->on_b.calls);
	self->b[1] = -1;
}

TEST_F(loop, with_no_events_errors_are_still_heard)
{
	self->on_a.fd = -1;
	self->on_a.stop_after = 1;
	self->on_a.id = loop_watch(self->loop, self->a[1], 0, count, &self->on_a);
	close(self->a[0]);
	ASSERT_EQ(0, loop_run(self->loop));
	EXPECT_EQ(POLLERR, self->on_a.revents);
	self->a[0] = -1;
}

static void *stopper(void *loop)
{
	usleep(50000);
	loop_stop(loop);
	return NULL;
}

TEST_F(loop, stops_from_another_thread)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, stopper, self->loop));
	ASSERT_EQ(0, loop_run(self->loop));
	pthread_join(thread, NULL);
}

static void nothing(int sig)
{
	(void)sig;
}

static void *interrupter(void *arg)
{
	usleep(20000);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

TEST_F(loop, goes_on_after_a_signal)
{
	struct sigaction action = {.sa_handler = nothing};
	pthread_t self_thread = pthread_self(), interrupt, stop;

	sigaction(SIGUSR1, &action, NULL);
	ASSERT_EQ(0, pthread_create(&interrupt, NULL, interrupter, &self_thread));
	ASSERT_EQ(0, pthread_create(&stop, NULL, stopper, self->loop));
	EXPECT_EQ(0, loop_run(self->loop));
	pthread_join(interrupt, NULL);
	pthread_join(stop, NULL);
}

TEST_HARNESS_MAIN
