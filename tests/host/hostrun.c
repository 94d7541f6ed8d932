// SPDX-License-Identifier: MIT
#include "tests/host/hostrun.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/link.h"
#include "vmm/loop.h"
#include "vmm/stdio.h"

#define CONSOLE_LINES 20

struct host {
	const struct options *options;
	struct loop *loop;
	struct link *link;
	struct stdio *stdio;
	struct qemu qemu;
	int port_watch;
	char out[16384]; /* for the machine, from the link */
	size_t out_len;
	size_t out_pos;
	bool running;	/* the command was started */
	bool ended;	/* status is final; output is being written */
	int status;	/* ours */
	bool own_end;	/* it is the command's own */
	char why[2200]; /* else: what happened */
};

/* The run ends with this status, once the output that came has been written. */
static void __attribute__((format(printf, 3, 4)))
finish(struct host *host, int status, const char *fmt, ...)
{
	if (host->ended) {
		/* Asked a second time: the reader of our output hangs. */
		loop_stop(host->loop);
		return;
	}
	host->ended = true;
	host->status = status;
	if (fmt) {
		va_list ap;

		va_start(ap, fmt);
		vsnprintf(host->why, sizeof(host->why), fmt, ap);
		va_end(ap);
	}
	if (host->port_watch >= 0)
		loop_unwatch(host->loop, host->port_watch);
	host->port_watch = -1;
	stdio_drain(host->stdio, (void (*)(void *))loop_stop, host->loop);
}

/* ---- the port ---- */

static void write_port(struct host *host)
{
	if (host->port_watch < 0)
		return;
	for (;;) {
		ssize_t n;

		if (host->out_pos == host->out_len) {
			host->out_pos = 0;
			host->out_len = link_pull(host->link, host->out, sizeof(host->out));
			if (!host->out_len)
				break;
		}
		n = write(host->qemu.port, host->out + host->out_pos,
			  host->out_len - host->out_pos);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* full; or closed, which reading tells */
		host->out_pos += (size_t)n;
	}
	loop_events(host->loop, host->port_watch,
		    host->out_pos < host->out_len ? POLLIN | POLLOUT : POLLIN);
}

/* QEMU has ended though no last word came. */
static void machine_ended(struct host *host)
{
	if (qemu_failed(&host->qemu))
		finish(host, END_FAILED, "QEMU failed");
	else if (qemu_console_has(&host->qemu, "Kernel panic"))
		finish(host, END_PANIC, "the machine's kernel panicked");
	else if (host->running)
		finish(host, END_NO_STATUS,
		       "the machine ended without the command's status: it was powered off, or "
		       "crashed");
	else
		finish(host, END_NO_INIT, "the machine ended before the command was started");
}

static void on_port(void *arg, short revents)
{
	struct host *host = arg;
	char buf[65536];
	ssize_t n;

	if (revents & POLLOUT)
		write_port(host);
	if (!(revents & (POLLIN | POLLHUP | POLLERR)))
		return;
	n = read(host->qemu.port, buf, sizeof(buf));
	if (n > 0)
		link_push(host->link, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		machine_ended(host);
}

/* ---- what init says ---- */

static void on_link_output(void *arg)
{
	write_port(arg);
}

static void on_hello(void *arg, const char *release)
{
	(void)arg;
	(void)release;
}

/* Nobody dumps the emulated host. */
static void on_vmcoreinfo(void *arg, uint64_t gpa, uint64_t size)
{
	(void)arg;
	(void)gpa;
	(void)size;
}

static void on_mounted(void *arg)
{
	(void)arg;
}

static void on_running(void *arg)
{
	struct host *host = arg;

	host->running = true;
}

static void on_status(void *arg, int status)
{
	struct host *host = arg;

	host->own_end = true;
	finish(host, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), NULL);
}

static void on_failed(void *arg, const char *message)
{
	struct host *host = arg;

	finish(host, host->running ? END_NO_STATUS : END_NO_INIT, "in the machine: %s", message);
}

static void on_broken(void *arg, const char *message)
{
	finish(arg, END_FAILED, "the machine's init broke the protocol: %s", message);
}

static void on_kmsg(void *arg, const void *data, size_t len)
{
	struct host *host = arg;

	if (host->options->verbose)
		stdio_log(host->stdio, data, len);
}

/* What it works with, the tests' own kernel: nothing to be told. */
static void on_tainted(void *arg, uint64_t flags)
{
	(void)arg;
	(void)flags;
}

static const struct link_ops link_ops = {
	.output = on_link_output,
	.hello = on_hello,
	.vmcoreinfo = on_vmcoreinfo,
	.mounted = on_mounted,
	.running = on_running,
	.tainted = on_tainted,
	.status = on_status,
	.failed = on_failed,
	.broken = on_broken,
	.kmsg = on_kmsg,
};

/* ---- other ends ---- */

static void on_quit(void *arg)
{
	struct host *host = arg;

	host->own_end = true;
	finish(host, 128 + SIGINT, NULL);
}

struct source {
	struct host *host;
	int fd;
};

static void on_signal(void *arg, short revents)
{
	struct source *source = arg;
	struct signalfd_siginfo info;

	(void)revents;
	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return;
	source->host->own_end = true;
	finish(source->host, 128 + (int)info.ssi_signo, NULL);
}

static void on_timeout(void *arg, short revents)
{
	struct source *source = arg;

	(void)revents;
	finish(source->host, END_TIMEOUT, "the time is up (--timeout %g s)",
	       source->host->options->timeout);
}

/* The signals that end us, but for those that we were told to ignore (nohup). */
static int open_signals(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct sigaction action;

		if (!sigaction(ends[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(&set, ends[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_timer(double seconds)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct itimerspec spec = {
		.it_value.tv_sec = (time_t)seconds,
		.it_value.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};

	if (fd >= 0)
		timerfd_settime(fd, 0, &spec, NULL);
	return fd;
}

/* ---- the run ---- */

static int start_machine(struct host *host, bool tty, struct why *why)
{
	unsigned int rows = 0, columns = 0;
	int initramfs, scratch, ret;

	if (tty)
		stdio_winsize(1, &rows, &columns);
	initramfs = image_initramfs(host->options, tty, rows, columns, why);
	if (initramfs < 0)
		return initramfs;
	scratch = image_scratch(why);
	if (scratch < 0) {
		close(initramfs);
		return scratch;
	}
	ret = qemu_start(&host->qemu, host->options, initramfs, scratch, why);
	close(initramfs);
	close(scratch);
	return ret;
}

/* The loop, from the machine's start to its end. 0, or a negative errno if nothing was started. */
static int run(struct host *host, struct why *why)
{
	bool tty = stdio_is_terminal(0, 1);
	struct stdio_config config = {
		.in = 0, .out = 1, .err = 2, .terminal = tty, .quit = on_quit, .arg = host};
	struct source signals = {host, -1}, timer = {host, -1};
	int ret;

	host->loop = loop_new();
	host->link = link_new(&link_ops, host);
	if (!host->loop || !host->link)
		return why_fail(why, -ENOMEM, "no memory for the event loop");
	ret = start_machine(host, tty, why);
	if (ret)
		return ret;

	signals.fd = open_signals();
	if (host->options->timeout > 0)
		timer.fd = open_timer(host->options->timeout);
	host->port_watch = loop_watch(host->loop, host->qemu.port, POLLIN, on_port, host);
	if (signals.fd < 0 || (host->options->timeout > 0 && timer.fd < 0) ||
	    host->port_watch < 0 ||
	    loop_watch(host->loop, signals.fd, POLLIN, on_signal, &signals) < 0 ||
	    (timer.fd >= 0 && loop_watch(host->loop, timer.fd, POLLIN, on_timeout, &timer) < 0)) {
		ret = why_fail(why, -EMFILE, "no descriptors for the event loop");
		goto out;
	}
	host->stdio = stdio_new(host->loop, host->link, &config, why);
	if (!host->stdio) {
		ret = -EIO;
		goto out;
	}
	ret = loop_run(host->loop);
	if (ret)
		why_fail(why, ret, "the event loop failed: %s", strerror(-ret));
	if (!ret && stdio_error(host->stdio)) {
		host->status = END_FAILED;
		snprintf(host->why, sizeof(host->why), "writing the command's output: %s",
			 strerror(-stdio_error(host->stdio)));
	}
out:
	stdio_free(host->stdio);
	if (signals.fd >= 0)
		close(signals.fd);
	if (timer.fd >= 0)
		close(timer.fd);
	return ret;
}

int main(int argc, char **argv)
{
	static struct host host = {.port_watch = -1, .qemu = {.port = -1, .console = -1}};
	static struct options options;
	struct why why = {""};
	const char *path;
	char *more;
	int ret;

	stdio_sanitize();
	ret = options_read(&options, argc, argv, &why);
	if (ret > 0)
		return 0;
	/* mkfs is where ordinary users do not look. */
	path = getenv("PATH");
	if (asprintf(&more, "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin") > 0)
		setenv("PATH", more, 1);
	host.options = &options;
	if (!ret)
		ret = run(&host, &why);
	if (ret)
		host.status = END_NOT_STARTED;
	if (host.why[0] || ret)
		fprintf(stderr, "tests/host/run: %s\n", ret ? why.text : host.why);
	if (!host.own_end && host.qemu.console >= 0)
		qemu_show_console(&host.qemu, CONSOLE_LINES);
	qemu_free(&host.qemu);
	link_free(host.link);
	loop_free(host.loop);
	return host.status;
}
