// SPDX-License-Identifier: MIT
/*
 * poll(2), because the watches are few and plain files count as ready, which epoll refuses.
 */
#include "vmm/loop.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct watch {
	loop_fn fn; /* NULL: the slot is free */
	void *arg;
	int fd;
	short events;		 /* < 0: asleep */
	unsigned int generation; /* tells a watch from an earlier one in the same slot */
};

struct loop {
	int stop_fd;
	unsigned int generation;
	struct watch watch[LOOP_MAX_WATCHES];
};

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->stop_fd < 0) {
		free(loop);
		return NULL;
	}
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->stop_fd);
	free(loop);
}

int loop_watch(struct loop *loop, int fd, short events, loop_fn fn, void *arg)
{
	for (int id = 0; id < LOOP_MAX_WATCHES; id++) {
		struct watch *watch = &loop->watch[id];

		if (watch->fn)
			continue;
		*watch = (struct watch){
			.fn = fn,
			.arg = arg,
			.fd = fd,
			.events = events,
			.generation = ++loop->generation,
		};
		return id;
	}
	return -ENOSPC;
}

void loop_events(struct loop *loop, int id, short events)
{
	loop->watch[id].events = events;
}

void loop_unwatch(struct loop *loop, int id)
{
	loop->watch[id].fn = NULL;
}

int loop_run(struct loop *loop)
{
	struct pollfd pfd[LOOP_MAX_WATCHES + 1];
	struct {
		int id;
		unsigned int generation;
	} polled[LOOP_MAX_WATCHES];

	for (;;) {
		nfds_t n = 0;
		uint64_t stops;

		for (int id = 0; id < LOOP_MAX_WATCHES; id++) {
			const struct watch *watch = &loop->watch[id];

			if (!watch->fn || watch->events < 0)
				continue;
			pfd[n] = (struct pollfd){.fd = watch->fd, .events = watch->events};
			polled[n].id = id;
			polled[n].generation = watch->generation;
			n++;
		}
		pfd[n] = (struct pollfd){.fd = loop->stop_fd, .events = POLLIN};

		if (poll(pfd, n + 1, -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}

		if (pfd[n].revents && read(loop->stop_fd, &stops, sizeof(stops)) > 0)
			return 0;
		for (nfds_t i = 0; i < n; i++) {
			const struct watch *watch = &loop->watch[polled[i].id];
			short revents = pfd[i].revents;

			/* An earlier callback of this round may have removed this watch, given its
			 * slot to another one, or changed what it waits for. */
			if (!watch->fn || watch->generation != polled[i].generation ||
			    watch->events < 0)
				continue;
			revents &= (short)(watch->events | POLLERR | POLLHUP | POLLNVAL);
			if (revents)
				watch->fn(watch->arg, revents);
		}
	}
}

void loop_stop(struct loop *loop)
{
	uint64_t one = 1;
	ssize_t n = write(loop->stop_fd, &one, sizeof(one));

	(void)n; /* fails only when the counter is full: then it is set anyhow */
}
