// SPDX-License-Identifier: MIT
/*
 * The descriptors that we are started with are shared with other processes (the shell, the other
 * end of a pipeline), so O_NONBLOCK must not be set on them. Terminals and pipes are opened a
 * second time instead, which gives a file description of our own.
 */
#include "vmm/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* What a pipe or terminal that could not be opened again takes without blocking after POLLOUT. */
#define CAREFUL_MAX 256
#define ESCAPE	    1 /* Ctrl-A */
#define INPUT_MAX   16384u

enum kind {
	OWN,	 /* opened again, O_NONBLOCK */
	SOCKET,	 /* MSG_DONTWAIT */
	CAREFUL, /* only after poll(2), and little */
	PLAIN,	 /* files and the like: never wait for a reader */
};

struct output {
	struct stdio *stdio;
	int channel; /* FRAME_STDOUT, FRAME_STDERR, or -1: our own text */
	int fd; /* its own; -1: none */
	enum kind kind;
	int watch; /* -1: nobody reads any more */
	uint8_t ring[FRAMES_WINDOW];
	size_t head;
	size_t len;
};

struct stdio {
	struct loop *loop;
	struct link *link;
	struct stdio_config config;
	int in;
	bool own_in;
	enum kind in_kind;
	int in_watch; /* -1: not read any more */
	bool escape;  /* Ctrl-A was typed */
	int winch_fd;
	int winch_watch;
	sigset_t old_mask;
	struct output out[3]; /* stdout, stderr, and our own text on stderr */
	size_t dropped;	      /* pieces of our own text */
	int error;
	void (*drained)(void *arg);
	void *drained_arg;
};

/* ---- the terminal ---- */

static struct termios saved;
static volatile sig_atomic_t saved_fd = -1;

void stdio_restore(void)
{
	sigset_t ttou, old;
	int fd = saved_fd;

	if (fd < 0)
		return;
	saved_fd = -1;
	/* In the background, setting the terminal would stop us. */
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &ttou, &old);
	tcsetattr(fd, TCSANOW, &saved);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static int raw_mode(int fd, struct why *why)
{
	static bool registered;
	struct termios raw;

	if (tcgetattr(fd, &saved))
		return why_fail(why, -errno, "the terminal does not tell its settings: %s",
				strerror(errno));
	if (!registered && atexit(stdio_restore))
		return why_fail(why, -ENOMEM, "no memory for the terminal's settings");
	registered = true;
	raw = saved;
	cfmakeraw(&raw);
	saved_fd = fd;
	if (tcsetattr(fd, TCSANOW, &raw)) {
		saved_fd = -1;
		return why_fail(why, -errno, "the terminal cannot be set to raw mode: %s",
				strerror(errno));
	}
	return 0;
}

void stdio_sanitize(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

bool stdio_is_terminal(int in, int out)
{
	return isatty(in) && isatty(out);
}

void stdio_winsize(int fd, unsigned int *rows, unsigned int *columns)
{
	struct winsize size = {0};

	if (ioctl(fd, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col) {
		size.ws_row = 24;
		size.ws_col = 80;
	}
	*rows = size.ws_row;
	*columns = size.ws_col;
}

static void on_winch(void *arg, short revents)
{
	struct stdio *stdio = arg;
	struct signalfd_siginfo info;
	unsigned int rows, columns;

	(void)revents;
	while (read(stdio->winch_fd, &info, sizeof(info)) > 0)
		;
	stdio_winsize(stdio->config.out, &rows, &columns);
	link_winsize(stdio->link, rows, columns);
}

/* ---- input ---- */

static void stop_input(struct stdio *stdio)
{
	if (stdio->in_watch < 0)
		return;
	loop_unwatch(stdio->loop, stdio->in_watch);
	stdio->in_watch = -1;
}

/* What was typed, but for our own commands. Beyond the room there is, it is lost, as in a terminal
 * that nobody reads: Ctrl-A x must be heard. */
static void typed(struct stdio *stdio, const uint8_t *text, size_t len)
{
	uint8_t out[2 * INPUT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (!stdio->escape && text[i] == ESCAPE) {
			stdio->escape = true;
			continue;
		}
		if (stdio->escape && (text[i] == 'x' || text[i] == 'X')) {
			stop_input(stdio);
			stdio->config.quit(stdio->config.arg);
			return;
		}
		if (stdio->escape)
			out[n++] = ESCAPE;
		if (!stdio->escape || (text[i] != ESCAPE && text[i] != 'a'))
			out[n++] = text[i];
		stdio->escape = false;
	}
	link_stdin(stdio->link, out, n);
}

static void on_input(void *arg, short revents)
{
	struct stdio *stdio = arg;
	uint8_t buf[INPUT_MAX];
	size_t room = link_stdin_room(stdio->link);
	ssize_t n;

	(void)revents;
	if (stdio->config.terminal || room > sizeof(buf))
		room = sizeof(buf);
	if (!room) {
		loop_events(stdio->loop, stdio->in_watch, -1);
		return;
	}
	n = stdio->in_kind == SOCKET ? recv(stdio->in, buf, room, MSG_DONTWAIT)
				     : read(stdio->in, buf, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		stop_input(stdio);
		link_stdin_eof(stdio->link);
	} else if (stdio->config.terminal) {
		typed(stdio, buf, (size_t)n);
	} else {
		link_stdin(stdio->link, buf, (size_t)n);
	}
}

static void on_room(void *arg)
{
	struct stdio *stdio = arg;

	if (stdio->in_watch >= 0)
		loop_events(stdio->loop, stdio->in_watch, POLLIN);
}

static void on_closed(void *arg)
{
	struct stdio *stdio = arg;

	if (!stdio->config.terminal)
		stop_input(stdio);
}

/* ---- output ---- */

static void check_drained(struct stdio *stdio)
{
	void (*drained)(void *arg) = stdio->drained;

	for (int i = 0; i < 3; i++) {
		if (stdio->out[i].len)
			return;
	}
	stdio->drained = NULL;
	if (drained)
		drained(stdio->drained_arg);
}

static void passed_on(struct output *out, size_t len)
{
	out->head = (out->head + len) % sizeof(out->ring);
	out->len -= len;
	if (len && out->channel >= 0)
		link_consumed(out->stdio->link, (enum frame_channel)out->channel, len);
}

/* Nobody reads it any more. */
static void give_up_output(struct output *out)
{
	if (out->watch < 0)
		return;
	loop_unwatch(out->stdio->loop, out->watch);
	out->watch = -1;
	if (out->channel >= 0)
		link_close(out->stdio->link, (enum frame_channel)out->channel);
	passed_on(out, out->len);
}

/* Writes what can be written now. */
static void flush(struct output *out)
{
	while (out->len && out->watch >= 0) {
		size_t n = sizeof(out->ring) - out->head;
		ssize_t done;

		if (n > out->len)
			n = out->len;
		if (out->kind == CAREFUL && n > CAREFUL_MAX)
			n = CAREFUL_MAX;
		done = out->kind == SOCKET ? send(out->fd, out->ring + out->head, n,
						  MSG_DONTWAIT | MSG_NOSIGNAL)
					   : write(out->fd, out->ring + out->head, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN)
			break;
		if (done < 0) {
			if (errno != EPIPE && !out->stdio->error)
				out->stdio->error = -errno;
			give_up_output(out);
			break;
		}
		passed_on(out, (size_t)done);
		if (out->kind == CAREFUL)
			break;
	}
	/* Waiting for nothing still tells when the reader goes away. */
	if (out->watch >= 0)
		loop_events(out->stdio->loop, out->watch, out->len ? POLLOUT : 0);
	check_drained(out->stdio);
}

static void on_output(void *arg, short revents)
{
	struct output *out = arg;

	if (revents & (POLLERR | POLLHUP | POLLNVAL)) {
		give_up_output(out);
		check_drained(out->stdio);
	} else {
		flush(out);
	}
}

static void append(struct output *out, const void *data, size_t len)
{
	size_t tail = (out->head + out->len) % sizeof(out->ring);
	size_t first = sizeof(out->ring) - tail;

	first = first < len ? first : len;
	memcpy(out->ring + tail, data, first);
	memcpy(out->ring, (const uint8_t *)data + first, len - first);
	out->len += len;
}

/* After data was appended. */
static void start_output(struct output *out)
{
	if (out->kind == CAREFUL && out->watch >= 0)
		loop_events(out->stdio->loop, out->watch, POLLOUT);
	else
		flush(out);
}

static void on_data(void *arg, enum frame_channel channel, const void *data, size_t len)
{
	struct stdio *stdio = arg;
	struct output *out = &stdio->out[channel - FRAME_STDOUT];

	/* The link sees to it that this fits. */
	append(out, data, len);
	if (out->watch < 0)
		passed_on(out, len);
	start_output(out);
}

static void on_eof(void *arg, enum frame_channel channel)
{
	/* Our stdout stays open until we end: it is not ours alone. */
	(void)arg;
	(void)channel;
}

/* How long our own text gets: in a raw terminal, a line's end needs the return, too. */
static size_t text_size(const char *text, size_t len, bool returns)
{
	size_t size = len;

	for (size_t i = 0; returns && i < len; i++)
		size += text[i] == '\n';
	return size;
}

static void append_text(struct output *out, const char *text, size_t len, bool returns)
{
	for (size_t i = 0; returns && i < len; i++) {
		if (text[i] == '\n')
			append(out, "\r", 1);
		append(out, text + i, 1);
	}
	if (!returns)
		append(out, text, len);
}

void stdio_log(struct stdio *stdio, const void *data, size_t len)
{
	struct output *out = &stdio->out[2];
	bool returns = stdio->config.terminal && isatty(stdio->config.err);
	char note[80];
	int n = 0;

	if (out->watch < 0)
		return;
	if (stdio->dropped)
		n = snprintf(note, sizeof(note), "\nninepin: %zu pieces of the log dropped\n",
			     stdio->dropped);
	if (text_size(note, (size_t)n, returns) + text_size(data, len, returns) >
	    sizeof(out->ring) - out->len) {
		stdio->dropped++;
	} else {
		append_text(out, note, (size_t)n, returns);
		append_text(out, data, len, returns);
		stdio->dropped = 0;
	}
	start_output(out);
}

void stdio_drain(struct stdio *stdio, void (*done)(void *arg), void *arg)
{
	stop_input(stdio);
	stdio->drained = done;
	stdio->drained_arg = arg;
	check_drained(stdio);
}

int stdio_error(const struct stdio *stdio)
{
	return stdio->error;
}

/* ---- set-up ---- */

/* How to use a descriptor without blocking: returns the one to use. */
static int open_again(int fd, int flags, enum kind *kind)
{
	struct stat st;
	char path[40];
	int own;

	*kind = PLAIN;
	if (fstat(fd, &st))
		return fd;
	if (S_ISSOCK(st.st_mode)) {
		*kind = SOCKET;
		return fd;
	}
	if (!S_ISFIFO(st.st_mode) && !isatty(fd))
		return fd;
	/* Refused for a terminal or pipe of another user: su, sudo. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	*kind = own < 0 ? CAREFUL : OWN;
	return own < 0 ? fd : own;
}

static int open_output(struct stdio *stdio, struct output *out, int channel, int fd)
{
	out->stdio = stdio;
	out->channel = channel;
	out->fd = open_again(fd, O_WRONLY, &out->kind);
	/* The loop takes a descriptor once, and stderr is watched twice. */
	if (out->fd == fd)
		out->fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	out->watch = loop_watch(stdio->loop, out->fd, 0, on_output, out);
	return out->watch < 0 ? -1 : 0;
}

static int start_terminal(struct stdio *stdio, struct why *why)
{
	unsigned int rows, columns;
	sigset_t winch;

	sigemptyset(&winch);
	sigaddset(&winch, SIGWINCH);
	pthread_sigmask(SIG_BLOCK, &winch, NULL);
	stdio->winch_fd = signalfd(-1, &winch, SFD_NONBLOCK | SFD_CLOEXEC);
	if (stdio->winch_fd >= 0)
		stdio->winch_watch =
			loop_watch(stdio->loop, stdio->winch_fd, POLLIN, on_winch, stdio);
	if (stdio->winch_watch < 0)
		return why_fail(why, -EMFILE, "no descriptor to hear of the terminal's size");
	stdio_winsize(stdio->config.out, &rows, &columns);
	link_winsize(stdio->link, rows, columns);
	return raw_mode(stdio->config.in, why);
}

struct stdio *stdio_new(struct loop *loop, struct link *link, const struct stdio_config *config,
			struct why *why)
{
	static const struct link_streams streams = {
		.data = on_data,
		.eof = on_eof,
		.room = on_room,
		.closed = on_closed,
	};
	struct stdio *stdio = calloc(1, sizeof(*stdio));

	if (!stdio) {
		why_fail(why, -ENOMEM, "no memory for the standard streams");
		return NULL;
	}
	stdio->loop = loop;
	stdio->link = link;
	stdio->config = *config;
	stdio->winch_fd = stdio->winch_watch = -1;
	pthread_sigmask(SIG_BLOCK, NULL, &stdio->old_mask);
	for (int i = 0; i < 3; i++)
		stdio->out[i].fd = stdio->out[i].watch = -1;
	signal(SIGPIPE, SIG_IGN);

	stdio->in = open_again(config->in, O_RDONLY, &stdio->in_kind);
	stdio->own_in = stdio->in != config->in;
	stdio->in_watch = loop_watch(loop, stdio->in, POLLIN, on_input, stdio);
	if (stdio->in_watch < 0 || open_output(stdio, &stdio->out[0], FRAME_STDOUT, config->out) ||
	    open_output(stdio, &stdio->out[1], FRAME_STDERR, config->err) ||
	    open_output(stdio, &stdio->out[2], -1, config->err)) {
		why_fail(why, -ENOSPC, "too many descriptors in the event loop");
		goto fail;
	}
	if (config->terminal && start_terminal(stdio, why))
		goto fail;
	link_set_streams(link, &streams, stdio);
	return stdio;

fail:
	stdio_free(stdio);
	return NULL;
}

void stdio_free(struct stdio *stdio)
{
	if (!stdio)
		return;
	stdio_restore();
	link_set_streams(stdio->link, NULL, NULL);
	stop_input(stdio);
	if (stdio->own_in)
		close(stdio->in);
	if (stdio->winch_watch >= 0)
		loop_unwatch(stdio->loop, stdio->winch_watch);
	if (stdio->config.terminal)
		pthread_sigmask(SIG_SETMASK, &stdio->old_mask, NULL);
	if (stdio->winch_fd >= 0)
		close(stdio->winch_fd);
	for (int i = 0; i < 3; i++) {
		if (stdio->out[i].watch >= 0)
			loop_unwatch(stdio->loop, stdio->out[i].watch);
		if (stdio->out[i].fd >= 0)
			close(stdio->out[i].fd);
	}
	free(stdio);
}
