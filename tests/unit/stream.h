/* SPDX-License-Identifier: MIT */
/*
 * The server over a socket. Client and server are one thread here, which does the server's work
 * while it waits for a reply: so a test decides how far each of them is.
 */
#ifndef TESTS_STREAM_H
#define TESTS_STREAM_H

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "ninep/stream.h"
#include "tests/unit/p9client.h"

#define CONNECTIONS 2

/* A connection, both ends. */
struct wire {
	struct p9_stream *stream; /* NULL: it is over, and freed */
	int fd;			  /* the stream's own */
	int sock;		  /* the client's, -1 once closed */
	struct p9c *c;
};

struct owner {
	struct p9c_world w;
	int wake_fd;
	struct wire wire[CONNECTIONS];
};

FIXTURE(stream)
{
	struct owner o;
	struct p9c *a, *b; /* clients of the two connections */
	int lease;
};

FIXTURE_VARIANT(stream)
{
	enum p9_executor executor;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(stream, sync) { P9_EXEC_SYNC };
FIXTURE_VARIANT_ADD(stream, ring) { P9_EXEC_RING };
FIXTURE_VARIANT_ADD(stream, auto) { P9_EXEC_AUTO };
/* clang-format on */

static void wake(void *arg)
{
	struct owner *o = arg;
	uint64_t one = 1;

	if (write(o->wake_fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void run(struct wire *wire, short revents)
{
	if (wire->stream && !p9_stream_run(wire->stream, revents)) {
		p9_stream_free(wire->stream);
		wire->stream = NULL;
	}
}

/* What a server's loop does in one round, without waiting. */
static void work(void *arg)
{
	struct owner *o = arg;
	struct pollfd fds[CONNECTIONS] = {0};
	uint64_t count;

	p9_server_run(o->w.server);
	if (read(o->wake_fd, &count, sizeof(count)) == sizeof(count))
		for (int i = 0; i < CONNECTIONS; i++)
			run(&o->wire[i], 0);
	for (int i = 0; i < CONNECTIONS; i++) {
		short events = o->wire[i].stream ? p9_stream_events(o->wire[i].stream) : 0;

		fds[i] = (struct pollfd){.fd = events ? o->wire[i].fd : -1, .events = events};
	}
	poll(fds, CONNECTIONS, 0);
	for (int i = 0; i < CONNECTIONS; i++)
		if (fds[i].revents)
			run(&o->wire[i], fds[i].revents);
}

/* For what should not happen: long enough for it to happen. */
static void work_on(struct owner *o)
{
	for (int i = 0; i < 30; i++) {
		work(o);
		usleep(1000);
	}
}

static int open_wire(struct owner *o, struct wire *wire)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	wire->fd = fds[0];
	wire->sock = fds[1];
	wire->c = p9c_connect(wire->sock, work, o);
	return p9_stream_new(&wire->stream, o->w.share, wire->fd, wake, o);
}

static void hang_up(struct wire *wire)
{
	if (wire->sock >= 0)
		close(wire->sock);
	wire->sock = -1;
}

/* The server's part of the connection ends by itself. */
static void await_end(struct owner *o, struct wire *wire)
{
	while (wire->stream) {
		work(o);
		usleep(1000);
	}
}

static int greet(struct p9c *c, uint32_t msize)
{
	int err = p9c_version(c, msize);

	return err ?: p9c_attach(c, 0, "", P9_NONUNAME);
}

FIXTURE_SETUP(stream)
{
	struct owner *o = &self->o;

	ASSERT_EQ(0, p9c_world_open(&o->w, variant->executor, false, 0));
	o->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (int i = 0; i < CONNECTIONS; i++)
		ASSERT_EQ(0, open_wire(o, &o->wire[i]));
	self->a = o->wire[0].c;
	self->b = o->wire[1].c;
	self->lease = -1;
	ASSERT_EQ(0, p9c_host_file(&o->w, "f", "hello"));
}

FIXTURE_TEARDOWN(stream)
{
	struct owner *o = &self->o;

	for (int i = 0; i < CONNECTIONS; i++) {
		hang_up(&o->wire[i]);
		await_end(o, &o->wire[i]);
		p9c_free(o->wire[i].c);
	}
	close(o->wake_fd);
	if (self->lease >= 0)
		close(self->lease);
	EXPECT_EQ(0, p9c_world_close(&o->w));
}

static int send_built(struct p9c *c, uint16_t tag)
{
	memcpy(c->t + 5, &tag, 2);
	return p9c_send(c, c->t, c->t_len);
}

/* From now on an open of "f" for writing waits, on the host, for release(). */
static void hold(struct owner *o, int *lease)
{
	/* The kernel tells the holder of a lease by SIGIO. */
	signal(SIGIO, SIG_IGN);
	*lease = open(p9c_path(&o->w, "f"), O_RDONLY | O_CLOEXEC);
	if (*lease < 0 || fcntl(*lease, F_SETLEASE, F_RDLCK))
		abort();
}

static void release(int lease)
{
	fcntl(lease, F_SETLEASE, F_UNLCK);
}

static void *release_soon(void *lease)
{
	usleep(100000);
	release(*(int *)lease);
	return NULL;
}

#endif
