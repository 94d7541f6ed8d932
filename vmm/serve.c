// SPDX-License-Identifier: MIT
/* `ninepin serve`: the 9P server alone, over a Unix socket. One thread and the server's workers. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ninep/stream.h"
#include "vmm/commands.h"
#include "vmm/doctor/explain.h"
#include "vmm/loop.h"
#include "vmm/options.h"
#include "vmm/outcome.h"
#include "vmm/server.h"
#include "vmm/signals.h"

#define MAX_CONNECTIONS 64
/* Those that may wait to be taken. */
#define BACKLOG 16
_Static_assert(LOOP_MAX_WATCHES >= MAX_CONNECTIONS + 4, "a watch for each connection");

struct connection {
	struct serve *serve;
	struct p9_stream *stream; /* NULL: free */
	int watch;
	atomic_bool ready; /* a request has ended: the loop should look */
};

struct serve {
	/* options */
	char *socket;
	struct share_options share_opt;
	struct notes notes;
	bool share_set;
	enum p9_executor executor;
	bool help;

	struct loop *loop;
	struct p9_server *server;
	struct explain *explain;
	struct p9_share *share;
	pthread_t thread; /* the loop's */
	bool woken;	  /* by that thread: one of the connections is ready */
	int wake_fd;	  /* eventfd: by another one */
	int signal_fd;
	int listen_fd;
	int listen_watch;
	struct stat socket_is; /* what was made at `socket`; st_ino 0: nothing */
	struct connection connection[MAX_CONNECTIONS];
	unsigned int connections;
	bool said_full;
	int status;
};

/* Fits a terminal of 80 × 24. */
static const char usage_text[] =
	"usage: ninepin serve --socket PATH --share HOST[:ro] [OPTION]…\n"
	"Serves a folder of this machine over a Unix socket, by 9P2000.L: to other\n"
	"people's 9P clients, and to root on this machine by\n"
	"  mount -t 9p -o trans=unix,version=9p2000.L PATH MOUNTPOINT\n"
	"  --socket PATH        is made with mode 0600 and removed at the end; one that\n"
	"                       nobody listens at any more is replaced\n"
	"  --share HOST[:ro][,OPT…]   the folder; ro: every change is refused; OPT:\n"
	"                       security_model=, fmode=, dmode=, uidmap=, gidmap=,\n"
	"                       multidevs=, writeout=, as those of ninepin run\n"
	"  --io auto|ring|sync  reach host files in place where that cannot wait,\n"
	"                       never in place, or by system calls only (auto)\n"
	"Says on stderr when clients can connect; ends by SIGINT or SIGTERM. Run by root,\n"
	"it acts as whatever user a client says it is: mind who can open the socket.\n"
	"Exit status: 128+N ended by signal N, 123 ninepin failed, 125 not started.\n";

/* ---- options ---- */

static int set_socket(struct serve *s, const char *path, struct why *why)
{
	const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	if (!*path)
		return why_fail(why, -EINVAL, "--socket: the name is empty: give a path");
	if (strlen(path) > most)
		return why_fail(why, -EINVAL,
				"--socket: %s is too long, a socket's path has at most %zu bytes: give "
				"a shorter one, or a relative one",
				path, most);
	free(s->socket);
	s->socket = strdup(path);
	return s->socket ? 0 : why_fail(why, -ENOMEM, "there is no memory left to read the options");
}

static int set_share(struct serve *s, const char *text, struct why *why)
{
	int err;

	if (s->share_set)
		return why_fail(why, -EINVAL, "--share: there can be only one: share a folder that "
					      "holds them all, or serve each on a socket of its own");
	s->share_set = true;
	err = share_options_parse(&s->share_opt, text, &s->notes, why);
	if (!err && s->share_opt.mount)
		return why_fail(why, -EINVAL,
				"--share: '%s' is for how a guest of ninepin run mounts the folder: leave "
				"it out, the client of a socket decides that itself",
				s->share_opt.mount);
	return err;
}

static int parse(struct serve *s, int argc, char *const *argv, struct why *why)
{
	static const struct option long_options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "share", required_argument, NULL, 'S' },
		{ "io", required_argument, NULL, 'i' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, err = 0;

	optind = 0; /* start afresh: tests parse more than once */
	opterr = 0;
	while (!err) {
		/* The word that getopt is about to look at: what a complaint should name. */
		const char *word = argv[optind ? optind : 1];

		c = getopt_long(argc, argv, "+:h", long_options, NULL);
		if (c == -1)
			break;
		switch (c) {
		case 's':
			err = set_socket(s, optarg, why);
			break;
		case 'S':
			err = set_share(s, optarg, why);
			break;
		case 'i':
			err = parse_executor(optarg, &s->executor, why);
			break;
		case 'h':
			s->help = true;
			break;
		default:
			return option_refused(c, word, "serve", why);
		}
	}
	if (err || s->help)
		return err;
	if (optind < argc)
		return why_fail(why, -EINVAL, "'%s' is not an option: see ninepin serve --help",
				argv[optind]);
	if (!s->socket)
		return why_fail(why, -EINVAL, "--socket is missing: give a path for the socket");
	if (!s->share_set)
		return why_fail(why, -EINVAL, "--share is missing: give the folder to serve");
	return 0;
}

/* ---- connections ---- */

/* On whatever thread ended a request. */
static void wake(void *arg)
{
	struct connection *c = arg;
	uint64_t one = 1;

	atomic_store(&c->ready, true);
	if (pthread_equal(c->serve->thread, pthread_self()))
		c->serve->woken = true;
	else
		(void)!write(c->serve->wake_fd, &one, sizeof(one));
}

static void serve_connection(void *arg, short revents)
{
	struct connection *c = arg;
	struct serve *s = c->serve;
	short events;

	if (p9_stream_run(c->stream, revents)) {
		events = p9_stream_events(c->stream);
		loop_events(s->loop, c->watch, events ? events : (short)-1);
		return;
	}
	loop_unwatch(s->loop, c->watch);
	p9_stream_free(c->stream);
	c->stream = NULL;
	s->connections--;
	loop_events(s->loop, s->listen_watch, POLLIN);
}

static void woken(void *arg, short revents)
{
	struct serve *s = arg;
	uint64_t count;

	(void)revents;
	(void)!read(s->wake_fd, &count, sizeof(count));
	s->woken = true;
}

static void end_round(void *arg)
{
	struct serve *s = arg;

	while (s->woken) {
		s->woken = false;
		for (int i = 0; i < MAX_CONNECTIONS; i++) {
			struct connection *c = &s->connection[i];

			if (c->stream && atomic_exchange(&c->ready, false))
				serve_connection(c, 0);
		}
	}
}

/* A connection that was accepted; fd is taken. */
static void add_connection(struct serve *s, int fd)
{
	struct connection *c = s->connection;

	while (c->stream)
		c++;
	c->serve = s;
	if (p9_stream_new(&c->stream, s->share, fd, wake, c)) {
		fprintf(stderr, "ninepin: no memory left for one more connection: it is closed\n");
		close(fd);
		return;
	}
	/* There is a watch for each. */
	c->watch = loop_watch(s->loop, fd, POLLIN, serve_connection, c);
	s->connections++;
}

static void failed(struct serve *s, const char *what, int err)
{
	fprintf(stderr, "ninepin: %s: %s\n", what, strerror(err));
	s->status = STATUS_VMM_FAILED;
	loop_stop(s->loop);
}

static void connected(void *arg, short revents)
{
	struct serve *s = arg;
	int fd;

	(void)revents;
	if (s->connections == MAX_CONNECTIONS) {
		/* The next one waits in the socket's backlog, until one of these is over. */
		if (!s->said_full)
			fprintf(stderr, "ninepin: %d clients are connected: more have to wait\n",
				MAX_CONNECTIONS);
		s->said_full = true;
		loop_events(s->loop, s->listen_watch, -1);
		return;
	}
	fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0) {
		add_connection(s, fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		/* Descriptors or memory: the end of another connection may give some back. */
		if (!s->connections)
			failed(s, "no client can connect", errno);
		loop_events(s->loop, s->listen_watch, -1);
	}
}

/* ---- the socket ---- */

/* A socket at the path that nobody listens at goes away; anything else is in the way. */
static int make_way(struct serve *s, const struct sockaddr_un *addr, struct why *why)
{
	struct stat st;
	int fd, err;

	if (lstat(s->socket, &st))
		return 0; /* bind() will tell what is wrong */
	if (!S_ISSOCK(st.st_mode))
		return why_fail(why, -EEXIST,
				"--socket: %s is there, and is no socket: give another path", s->socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return why_fail(why, -errno, "no descriptor left: %s: raise ulimit -n",
				strerror(errno));
	err = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? errno : 0;
	close(fd);
	if (!err || err == EAGAIN)
		return why_fail(why, -EADDRINUSE,
				"--socket: another server listens at %s: end it, or give another path",
				s->socket);
	if (err == ECONNREFUSED && unlink(s->socket) == 0)
		return 0;
	if (err == ECONNREFUSED)
		err = errno;
	return why_fail(why, -err,
			"--socket: %s is there, and cannot be replaced: %s: give another path",
			s->socket, strerror(err));
}

/* The last step of the start: whoever sees the socket can connect. */
static int open_socket(struct serve *s, struct why *why)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t umask_was;
	int err;

	memcpy(addr.sun_path, s->socket, strlen(s->socket));
	err = make_way(s, &addr, why);
	if (err)
		return err;
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0)
		return why_fail(why, -errno, "no descriptor left: %s: raise ulimit -n",
				strerror(errno));
	umask_was = umask(0177);
	err = bind(s->listen_fd, (const struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
	umask(umask_was);
	if (err)
		return why_fail(why, err, "--socket: %s cannot be made: %s: check its folder",
				s->socket, strerror(-err));
	if (lstat(s->socket, &s->socket_is))
		s->socket_is.st_ino = 0;
	if (listen(s->listen_fd, BACKLOG))
		return why_fail(why, -errno, "--socket: nobody can listen at %s: %s", s->socket,
				strerror(errno));
	s->listen_watch = loop_watch(s->loop, s->listen_fd, POLLIN, connected, s);
	return 0;
}

/* Not what somebody else may have put there since. */
static void remove_socket(struct serve *s)
{
	struct stat st;

	if (s->socket_is.st_ino && lstat(s->socket, &st) == 0 && st.st_ino == s->socket_is.st_ino &&
	    st.st_dev == s->socket_is.st_dev)
		unlink(s->socket);
}

/* ---- start and end ---- */

static void signalled(void *arg, short revents)
{
	struct serve *s = arg;
	struct signalfd_siginfo info;

	(void)revents;
	if (read(s->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	fprintf(stderr, "ninepin: ended by signal %u (%s)\n", info.ssi_signo,
		strsignal((int)info.ssi_signo));
	s->status = STATUS_SIGNAL + (int)info.ssi_signo;
	loop_stop(s->loop);
}

static int watch(struct serve *s, int fd, loop_fn fn, struct why *why)
{
	if (fd < 0)
		return why_fail(why, -errno, "no descriptor left: %s: raise ulimit -n",
				strerror(errno));
	loop_watch(s->loop, fd, POLLIN, fn, s);
	return 0;
}

static int start(struct serve *s, struct why *why)
{
	struct why note;
	int err;

	/* What a client asks for fails with EFBIG or EPIPE, as it should. */
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	s->loop = loop_new();
	if (!s->loop)
		return why_fail(why, -ENOMEM, "no memory left to start");
	s->thread = pthread_self();
	loop_on_round(s->loop, end_round, s);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = watch(s, s->wake_fd, woken, why);
	if (err)
		return err;
	s->signal_fd = signals_open();
	err = watch(s, s->signal_fd, signalled, why);
	if (!err)
		err = server_open(&s->server, s->executor, &note, why);
	if (err)
		return err;
	if (note.text[0])
		fprintf(stderr, "ninepin: %s\n", note.text);
	server_drive(s->server, s->loop);
	err = share_settle(&s->share_opt, SHARE_NO_GUEST, SHARE_NO_GUEST, &s->notes, why);
	notes_print(&s->notes, stderr);
	if (!err)
		err = server_share(&s->share, s->server, s->share_opt.host, &s->share_opt.config,
				   why);
	if (!err)
		err = explain_new(&s->explain, server_say, NULL, why);
	if (!err)
		err = explain_share(s->explain, s->share, s->share_opt.host, &s->share_opt.config, why);
	if (err)
		return err;
	p9_server_on_refusal(s->server, explain_refusal, s->explain);
	err = p9_server_start(s->server) ?: explain_start(s->explain);
	if (err)
		return why_fail(why, err, "no threads for the 9P server: %s", strerror(-err));
	err = open_socket(s, why);
	if (!err)
		fprintf(stderr, "ninepin: serving %s on %s\n", s->share_opt.host, s->socket);
	return err;
}

static void tear_down(struct serve *s)
{
	remove_socket(s);
	signals_bound_end(s->status);
	for (int i = 0; i < MAX_CONNECTIONS; i++)
		p9_stream_free(s->connection[i].stream);
	if (s->share)
		p9_share_put(s->share);
	p9_server_free(s->server);
	explain_free(s->explain);
	signals_end_reached();
	loop_free(s->loop);
	for (int *fd = (int[]){ s->wake_fd, s->signal_fd, s->listen_fd, -2 }; *fd != -2; fd++)
		if (*fd >= 0)
			close(*fd);
	share_options_free(&s->share_opt);
	notes_free(&s->notes);
	free(s->socket);
}

int serve_main(int argc, char **argv)
{
	struct serve s = {
		.executor = P9_EXEC_AUTO,
		.wake_fd = -1,
		.signal_fd = -1,
		.listen_fd = -1,
		.status = STATUS_NOT_STARTED,
	};
	struct why why;
	int err;

	/*
	 * A connection's session is large and hardly touched. Once one was given back, the C library
	 * would take the next from its heap, and clear all of it.
	 */
	mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
	err = parse(&s, argc, argv, &why);
	if (!err && s.help) {
		fputs(usage_text, stdout);
		s.status = 0;
		goto out;
	}
	if (!err)
		err = start(&s, &why);
	if (err) {
		fprintf(stderr, "ninepin: %s\n", why.text);
		goto out;
	}
	err = loop_run(s.loop);
	if (err)
		failed(&s, "waiting for events failed", -err);
out:
	tear_down(&s);
	return s.status;
}
