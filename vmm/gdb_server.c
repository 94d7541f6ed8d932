// SPDX-License-Identifier: MIT
#include "vmm/gdb_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/gdb.h"
#include "vmm/gdb_listen.h"
#include "vmm/gdb_target.h"

/* Reads and writes in one go: a gdb that talks without end does not keep the run from its other work. */
#define TURN 64

struct gdb_server {
	struct gdb_server_config config;
	struct gdb gdb;
	struct gdb_target target;
	struct gdb_listen listen;
	int listen_watch, paused_watch, watch; /* ids; -1: none */
	int paused_fd;			       /* eventfd: all vCPUs are paused */
	int fd;				       /* gdb's; -1: there is none */
	bool paused;
	bool waits; /* for the first gdb */
	bool left;  /* a gdb went; what it had set is still there */
	char in[4096];
	size_t in_len, in_pos;
	char out[4096];
	size_t out_len, out_pos;
};

static void hold(struct gdb_server *s, bool paused)
{
	if (s->paused == paused)
		return;
	s->paused = paused;
	s->config.held(s->config.arg, paused);
}

/* ---- gdb comes and goes ---- */

/* The guest runs again as if there had been no gdb, at once or when it has been paused for that. */
static void drop(struct gdb_server *s)
{
	loop_unwatch(s->config.loop, s->watch);
	close(s->fd);
	s->fd = -1;
	loop_events(s->config.loop, s->listen_watch, POLLIN);
	if (s->paused) {
		gdb_target_ops.detach(&s->target);
		return;
	}
	s->left = true;
	vm_pause(s->config.vm);
}

/* Sends what there is. 1: all of it, 0: gdb does not take more now, -1: it is gone. */
static int send_out(struct gdb_server *s)
{
	while (s->out_pos < s->out_len) {
		ssize_t n = send(s->fd, s->out + s->out_pos, s->out_len - s->out_pos,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			s->out_pos += (size_t)n;
	}
	return 1;
}

/* One step of the conversation: the events to wait for then, 0 if there may be more to do, -1: gdb is gone. */
static int step(struct gdb_server *s)
{
	ssize_t n = send_out(s);

	if (n <= 0)
		return n < 0 ? -1 : POLLOUT;
	s->out_pos = 0;
	s->out_len = gdb_pull(&s->gdb, s->out, sizeof(s->out));
	if (s->out_len)
		return 0;
	if (s->in_pos < s->in_len) {
		size_t taken = gdb_push(&s->gdb, s->in + s->in_pos, s->in_len - s->in_pos);

		s->in_pos += taken;
		/* What is not taken now waits for the target to stop: POLLHUP and POLLERR alone. */
		return taken ? 0 : POLLHUP;
	}
	n = recv(s->fd, s->in, sizeof(s->in), MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN ? POLLIN : errno == EINTR ? 0 : -1;
	s->in_pos = 0;
	s->in_len = (size_t)n;
	return n ? 0 : -1;
}

static void talk(struct gdb_server *s)
{
	int events = 0;

	for (int i = 0; !events && i < TURN; i++)
		events = step(s);
	if (events < 0)
		drop(s);
	else
		loop_events(s->config.loop, s->watch, (short)(events ?: POLLIN | POLLOUT));
}

static void ready(void *arg, short revents)
{
	struct gdb_server *s = arg;

	if (revents & POLLERR || (revents & POLLHUP && !(revents & POLLIN)))
		drop(s);
	else
		talk(s);
}

static void connected(void *arg, short revents)
{
	struct gdb_server *s = arg;
	const int one = 1;

	(void)revents;
	s->fd = accept4(s->listen.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (s->fd < 0)
		return;
	s->watch = loop_watch(s->config.loop, s->fd, POLLIN, ready, s);
	if (s->watch < 0) {
		close(s->fd);
		s->fd = -1;
		return;
	}
	/* A gdb whose machine is gone is found out in the end. Fails for a Unix socket, which has no need. */
	setsockopt(s->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	/* The next one waits until this one is gone. */
	loop_events(s->config.loop, s->listen_watch, -1);
	s->waits = false;
	s->in_len = s->in_pos = s->out_len = s->out_pos = 0;
	gdb_connected(&s->gdb);
	if (s->paused)
		gdb_target_paused(&s->target);
	else
		vm_pause(s->config.vm);
}

/* ---- the target ---- */

static void paused(void *arg, short revents)
{
	struct gdb_server *s = arg;
	uint64_t count;

	(void)revents;
	(void)!read(s->paused_fd, &count, sizeof(count));
	hold(s, true);
	if (s->left)
		gdb_target_forget(&s->target);
	s->left = false;
	if (s->fd >= 0)
		gdb_target_paused(&s->target);
	else if (!s->waits)
		gdb_target_ops.detach(&s->target);
}

/* On a vCPU's thread. */
static void all_parked(void *arg)
{
	struct gdb_server *s = arg;
	uint64_t one = 1;

	(void)!write(s->paused_fd, &one, sizeof(one));
}

static void on_stopped(void *arg, const struct gdb_stop *stop)
{
	struct gdb_server *s = arg;

	gdb_stopped(&s->gdb, stop);
	/* Soon: this may come from within the conversation. */
	loop_events(s->config.loop, s->watch, POLLIN | POLLOUT);
}

static void on_resumed(void *arg)
{
	hold(arg, false);
}

static void on_kill(void *arg)
{
	struct gdb_server *s = arg;

	s->config.kill(s->config.arg);
}

/* ---- start and end ---- */

int gdb_server_new(struct gdb_server **server, const struct gdb_server_config *config, struct why *why)
{
	struct gdb_server *s = calloc(1, sizeof(*s));
	int err;

	*server = s;
	if (!s)
		return why_fail(why, -ENOMEM, "no memory left to start");
	s->config = *config;
	s->fd = -1;
	s->listen.fd = -1;
	s->waits = config->wait;
	s->target.arg = s;
	s->target.kill = on_kill;
	s->target.resumed = on_resumed;
	s->target.stopped = on_stopped;
	gdb_target_init(&s->target, config->vm);
	gdb_init(&s->gdb, &gdb_target_ops, &s->target, x86_gdb_registers(), config->vm->ncpus);
	s->paused_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	config->vm->pause.done = all_parked;
	config->vm->pause.arg = s;
	err = gdb_listen_open(&s->listen, config->where, why);
	if (err)
		return err;
	s->paused_watch = loop_watch(config->loop, s->paused_fd, POLLIN, paused, s);
	s->listen_watch = loop_watch(config->loop, s->listen.fd, POLLIN, connected, s);
	if (s->paused_watch < 0 || s->listen_watch < 0)
		return why_fail(why, -EMFILE, "no descriptor left for --gdb: raise ulimit -n");
	if (config->wait)
		vm_pause(config->vm);
	fprintf(stderr, "ninepin: gdb: target remote %s%s\n", s->listen.address,
		config->wait ? " (the guest waits for it)" : "");
	return 0;
}

void gdb_server_free(struct gdb_server *s, int status)
{
	if (!s)
		return;
	gdb_target_end(&s->target);
	if (s->fd >= 0) {
		gdb_exited(&s->gdb, status);
		/* As much as it takes now. */
		while (send_out(s) > 0) {
			s->out_pos = 0;
			s->out_len = gdb_pull(&s->gdb, s->out, sizeof(s->out));
			if (!s->out_len)
				break;
		}
		close(s->fd);
	}
	gdb_listen_close(&s->listen);
	if (s->paused_fd >= 0)
		close(s->paused_fd);
	free(s);
}
