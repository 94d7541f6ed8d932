/* SPDX-License-Identifier: MIT */
/*
 * 9P over a stream: one connected socket, with a session of its own. The socket is read, requests
 * are submitted, and replies are sent whole, in the order in which requests end.
 *
 * It has no event loop and never waits: its owner waits for p9_stream_events() on the descriptor and
 * calls p9_stream_run(). One thread, the owner's, calls everything here; if the server has a ring it
 * is the ring's thread.
 *
 * A message longer than P9_MSIZE_MAX is answered with EMSGSIZE and ends the connection, since what
 * follows cannot be told from its body; a size that is less than a header ends it without an
 * answer. At the end of file the requests that came before it are still carried out and answered.
 */
#ifndef NINEP_STREAM_H
#define NINEP_STREAM_H

#include <stdbool.h>

#include "ninep/p9.h"

struct p9_stream;

/*
 * fd is the stream's if this succeeds; -ENOMEM if not. wake(arg) is called when a request has ended
 * and nobody is in p9_stream_run() to see it, on whatever thread ended it: it makes the owner call
 * p9_stream_run() soon. arg must outlive the stream.
 */
int p9_stream_new(struct p9_stream **stream, struct p9_share *share, int fd,
		  void (*wake)(void *arg), void *arg);
/*
 * Closes the connection as it is. Waits for requests in flight, as p9_session_reset() does; there
 * are none if p9_stream_run() has returned false.
 */
void p9_stream_free(struct p9_stream *stream);

/* What to wait for, as poll(2) has it; 0: only wake() changes anything, not even errors count. */
short p9_stream_events(const struct p9_stream *stream);
/*
 * Does what can be done now. revents: what poll(2) found, 0 after wake(). False: the connection is
 * over, nothing is in flight and every fid is closed; p9_stream_free() is what is left to do.
 */
bool p9_stream_run(struct p9_stream *stream, short revents);

#endif
