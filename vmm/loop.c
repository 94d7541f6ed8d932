// SPDX-License-Identifier: MIT
/* epoll(7), since an epoll set is one descriptor, for which another loop can wait. */
#include "vmm/loop.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* These bits are the same in both. */
_Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR &&
	       POLLHUP == EPOLLHUP, "poll(2) has other bits");

struct watch {
	loop_fn fn; /* NULL: the slot is free */
	void *arg;
	int fd;
	short events;		 /* < 0: asleep */
	bool plain;		 /* a file that epoll refuses, and that is always ready */
	unsigned int generation; /* tells a watch from an earlier one in the same slot */
};

struct loop {
	int epoll_fd;
	int stop_fd;
	int plain_fd; /* always readable; in the set while a plain file is waited for */
	loop_sleep_fn sleep; /* NULL: epoll_wait() */
	void *sleep_arg;
	void (*round)(void *arg); /* may be NULL */
	void *round_arg;
	unsigned int generation;
	struct watch watch[LOOP_MAX_WATCHES];
};

/* In epoll_event.data for these two. A watch's has its id and generation. */
#define STOP  UINT64_MAX
#define PLAIN (UINT64_MAX - 1)

static int control(struct loop *loop, int op, int fd, short events, uint64_t data)
{
	struct epoll_event event = { .events = (uint32_t)events, .data.u64 = data };

	return epoll_ctl(loop->epoll_fd, op, fd, &event) ? -errno : 0;
}

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->plain_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->plain_fd < 0 || control(loop, EPOLL_CTL_ADD, loop->stop_fd, POLLIN, STOP)) {
		loop_free(loop);
		return NULL;
	}
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	for (int *fd = (int[]){ loop->epoll_fd, loop->stop_fd, loop->plain_fd, -2 }; *fd != -2; fd++)
		if (*fd >= 0)
			close(*fd);
	free(loop);
}

void loop_sleep_in(struct loop *loop, loop_sleep_fn fn, void *arg)
{
	loop->sleep = fn;
	loop->sleep_arg = arg;
}

void loop_on_round(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	loop->round = fn;
	loop->round_arg = arg;
}

static void count_plain(struct loop *loop)
{
	bool any = false;

	for (int id = 0; id < LOOP_MAX_WATCHES; id++) {
		const struct watch *watch = &loop->watch[id];

		any |= watch->fn && watch->plain && watch->events > 0;
	}
	control(loop, any ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, loop->plain_fd, POLLIN, PLAIN);
}

/* Changes what is waited for. 0, or why the descriptor cannot be waited for. */
static int set_events(struct loop *loop, int id, short events)
{
	struct watch *watch = &loop->watch[id];
	uint64_t data = (uint64_t)watch->generation << 32 | (uint32_t)id;
	bool was_asleep = watch->events < 0;
	int err = 0;

	watch->events = events;
	if (!watch->plain && !(was_asleep && events < 0))
		err = control(loop,
			      was_asleep ? EPOLL_CTL_ADD : events < 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD,
			      watch->fd, events, data);
	if (err == -EPERM)
		watch->plain = true;
	if (watch->plain)
		count_plain(loop);
	return watch->plain ? 0 : err;
}

int loop_watch(struct loop *loop, int fd, short events, loop_fn fn, void *arg)
{
	for (int id = 0; id < LOOP_MAX_WATCHES; id++) {
		struct watch *watch = &loop->watch[id];
		int err;

		if (watch->fn)
			continue;
		*watch = (struct watch){
			.fn = fn,
			.arg = arg,
			.fd = fd,
			.events = -1,
			.generation = ++loop->generation,
		};
		err = set_events(loop, id, events);
		if (err)
			watch->fn = NULL;
		return err ?: id;
	}
	return -ENOSPC;
}

void loop_events(struct loop *loop, int id, short events)
{
	if (events != loop->watch[id].events)
		set_events(loop, id, events);
}

void loop_unwatch(struct loop *loop, int id)
{
	set_events(loop, id, -1);
	loop->watch[id].fn = NULL;
}

static void serve(const struct watch *watch, short revents)
{
	if (!watch->fn || watch->events < 0)
		return;
	revents &= (short)(watch->events | POLLERR | POLLHUP);
	if (revents)
		watch->fn(watch->arg, revents);
}

static void serve_plain(struct loop *loop)
{
	for (int id = 0; id < LOOP_MAX_WATCHES; id++)
		if (loop->watch[id].plain)
			serve(&loop->watch[id], POLLIN | POLLOUT);
}

/*
 * An earlier callback of this round may have removed the watch, given its slot to another one, or
 * changed what it waits for.
 */
static void serve_event(struct loop *loop, const struct epoll_event *event)
{
	const struct watch *watch = &loop->watch[(uint32_t)event->data.u64];

	if (watch->generation == event->data.u64 >> 32)
		serve(watch, (short)event->events);
}

int loop_turn(struct loop *loop)
{
	struct epoll_event event[LOOP_MAX_WATCHES + 2];
	bool stopped = false;
	uint64_t stops;
	int n = 1;

	if (loop->sleep)
		n = loop->sleep(loop->sleep_arg, loop->epoll_fd);
	if (n > 0) {
		n = epoll_wait(loop->epoll_fd, event, LOOP_MAX_WATCHES + 2, loop->sleep ? 0 : -1);
		if (n < 0)
			n = -errno;
	}
	if (n < 0)
		return n == -EINTR ? 0 : n;
	for (int i = 0; i < n; i++)
		if (event[i].data.u64 == STOP && read(loop->stop_fd, &stops, sizeof(stops)) > 0)
			stopped = true;
	for (int i = 0; i < n && !stopped; i++) {
		if (event[i].data.u64 == PLAIN)
			serve_plain(loop);
		else
			serve_event(loop, &event[i]);
	}
	if (loop->round && !stopped)
		loop->round(loop->round_arg);
	return stopped;
}

int loop_run(struct loop *loop)
{
	int ret;

	do
		ret = loop_turn(loop);
	while (!ret);
	return ret > 0 ? 0 : ret;
}

void loop_stop(struct loop *loop)
{
	uint64_t one = 1;
	ssize_t n = write(loop->stop_fd, &one, sizeof(one));

	(void)n; /* fails only when the counter is full: then it is set anyhow */
}
