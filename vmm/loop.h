/* SPDX-License-Identifier: MIT */
/*
 * The event loop of the main thread: descriptors to wait for and what to call. One thread only,
 * but for loop_stop().
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <poll.h>
#include <stdbool.h>

#define LOOP_MAX_WATCHES 72 /* `serve` has one for each connection */

struct loop;

/* revents as poll(2) gives them. */
typedef void (*loop_fn)(void *arg, short revents);

/* NULL with errno set if memory or descriptors run out. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/*
 * From now on the loop sleeps in fn(arg, fd), which returns 1 when fd polls readable, 0 if it has done
 * something else, or a negative errno. NULL: as at the beginning, by itself.
 */
typedef int (*loop_sleep_fn)(void *arg, int fd);
void loop_sleep_in(struct loop *loop, loop_sleep_fn fn, void *arg);

/* fn(arg) is called at the end of each round, for what callbacks and sleeping have left to be done. */
void loop_on_round(struct loop *loop, void (*fn)(void *arg), void *arg);

/*
 * Watches fd for events (POLLIN, POLLOUT; 0 for errors only). Returns an id ≥ 0, or -ENOSPC, -EEXIST
 * (fd has a watch that is awake), or another negative errno of epoll_ctl(2). The descriptor stays
 * the caller's, and is unwatched before it is closed. Plain files work (they are always ready).
 */
int loop_watch(struct loop *loop, int fd, short events, loop_fn fn, void *arg);
/* Changes what is waited for. With events < 0 the watch sleeps (not even errors are reported). */
void loop_events(struct loop *loop, int id, short events);
/* Safe from within a callback, also for the watch being served. */
void loop_unwatch(struct loop *loop, int id);

/* One round: sleeps until there is something, and runs callbacks. 0, 1 after loop_stop(), or as below. */
int loop_turn(struct loop *loop);
/* Rounds until loop_stop(). 0, or a negative errno if waiting itself failed. */
int loop_run(struct loop *loop);
/* From any thread: loop_run() returns soon. */
void loop_stop(struct loop *loop);

#endif
