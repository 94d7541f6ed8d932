// SPDX-License-Identifier: MIT
/* `ninepin run`: one guest, from options to exit status. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "images/frames.h"
#include "ninep/clock.h"
#include "vmm/commands.h"
#include "vmm/console_log.h"
#include "vmm/link.h"
#include "vmm/load.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/needs.h"
#include "vmm/options.h"
#include "vmm/outcome.h"
#include "vmm/plan.h"
#include "vmm/server.h"
#include "vmm/signals.h"
#include "vmm/stats.h"
#include "vmm/stdio.h"

/* A panicked kernel restarts by itself (panic=-1); one that was told not to is ended after this. */
#define PANIC_GRACE_MS 2000

struct run {
	struct run_options opt;
	struct plan plan;
	struct machine machine;
	struct console_log log;
	struct loop *loop;
	struct link *link;
	struct stdio *stdio;
	struct outcome outcome;
	int result_fd;
	int wake_fd;	 /* eventfd: a thread wants the loop to look */
	int signal_fd;	 /* SIGINT, SIGTERM, SIGHUP, SIGQUIT */
	int timeout_fd;	 /* --timeout */
	int grace_fd;	 /* after a panic */
	bool plan_made, machine_made, log_made;
	bool draining;
	bool stuck; /* a vCPU thread does not come back: nothing can be freed */
	_Atomic bool panicked;
};

static void mark(struct run *run, enum moment moment)
{
	run->outcome.moment[moment] = p9_now_ns();
}

/* ---- the end ---- */

static void wake(struct run *run)
{
	uint64_t one = 1;

	(void)!write(run->wake_fd, &one, sizeof(one));
}

/*
 * The run ends like this; the first end counts. May be called from deep within the console port, so
 * the rest is left to wind_up(), from the loop.
 */
static __attribute__((format(printf, 4, 5))) void
finish(struct run *run, enum reason reason, int status, const char *fmt, ...)
{
	va_list ap;

	if (run->outcome.reason != REASON_NONE)
		return;
	mark(run, MOMENT_END);
	run->outcome.reason = reason;
	run->outcome.status = status;
	va_start(ap, fmt);
	vsnprintf(run->outcome.message, sizeof(run->outcome.message), fmt, ap);
	va_end(ap);
	wake(run);
}

static void drained(void *arg)
{
	struct run *run = arg;

	loop_stop(run->loop);
}

/* The guest stops here and now; what it has said so far is still brought to its readers. */
static void wind_up(struct run *run)
{
	run->stuck = !machine_stop(&run->machine);
	virtio_console_pump(&run->machine.console);
	run->draining = true;
	stdio_drain(run->stdio, drained, run);
}

static const char *when(const struct run *run)
{
	if (!run->outcome.moment[MOMENT_INIT])
		return "before its init ran";
	if (!run->outcome.moment[MOMENT_COMMAND])
		return "before the command ran";
	return "while the command ran";
}

static const char *unmet(const struct run *run)
{
	return run->outcome.moment[MOMENT_INIT] ? "" : needs_unmet(&run->machine.console.vdev);
}

static void finish_panicked(struct run *run)
{
	const char *line = console_log_panic(&run->log);

	finish(run, REASON_PANIC, STATUS_PANIC, "the guest's kernel panicked %s: %s", when(run),
	       line ? line : "it told the hypervisor so");
}

/* The machine ended by itself, without the command's status. */
static void finish_ended(struct run *run)
{
	int status = run->outcome.moment[MOMENT_INIT] ? STATUS_NO_REPORT : STATUS_NO_INIT;

	/* What it said last may be the very status. */
	machine_stop(&run->machine);
	virtio_console_pump(&run->machine.console);
	if (run->outcome.reason != REASON_NONE)
		return;
	if (console_log_panic(&run->log)) {
		finish_panicked(run);
		return;
	}
	switch (vm_get_end(&run->machine.vm)) {
	case VM_CRASHED:
		finish_panicked(run);
		break;
	case VM_TRIPLE_FAULT:
		finish(run, REASON_TRIPLE_FAULT, status,
		       "the guest's processor shut down (triple fault) %s", when(run));
		break;
	case VM_FAILED:
		finish(run, REASON_VMM_FAILED, STATUS_VMM_FAILED, "%s",
		       run->machine.vm.failure.text);
		break;
	case VM_RESTARTED:
		finish(run, REASON_RESTART, status, "the guest restarted %s%s", when(run), unmet(run));
		break;
	default:
		finish(run, REASON_POWER_OFF, status, "the guest switched itself off %s%s", when(run),
		       unmet(run));
	}
}

/* ---- what the guest's init says ---- */

/* The console port has something to do. Not now: this may be called from within its pump. */
static void on_output(void *arg)
{
	wake(arg);
}

static void on_hello(void *arg, const char *release)
{
	struct run *run = arg;

	mark(run, MOMENT_INIT);
	snprintf(run->outcome.release, sizeof(run->outcome.release), "%s", release);
}

static void on_mounted(void *arg)
{
	mark(arg, MOMENT_MOUNTED);
}

static void on_running(void *arg)
{
	mark(arg, MOMENT_COMMAND);
}

static void on_status(void *arg, int wait_status)
{
	struct run *run = arg;

	if (WIFSIGNALED(wait_status))
		finish(run, REASON_SIGNAL, STATUS_SIGNAL + WTERMSIG(wait_status), "%s", "");
	else
		finish(run, REASON_EXIT, WEXITSTATUS(wait_status), "%s", "");
}

static void on_failed(void *arg, const char *message)
{
	struct run *run = arg;

	if (run->outcome.moment[MOMENT_COMMAND])
		finish(run, REASON_LOST_DATA, STATUS_VMM_FAILED, "the command's files are not complete: %s",
		       message);
	else
		finish(run, REASON_INIT_FAILED, STATUS_NO_INIT,
		       "the guest could not be made ready: %s", message);
}

static void on_broken(void *arg, const char *message)
{
	finish(arg, REASON_PROTOCOL, STATUS_NO_REPORT,
	       "what the guest sent is not its init's: %s", message);
}

static void on_kmsg(void *arg, const void *data, size_t len)
{
	struct run *run = arg;

	/* With -v all of it comes by the serial console. */
	if (!run->opt.verbose)
		console_log_kmsg(&run->log, data, len);
}

static const struct link_ops link_ops = {
	.output = on_output,
	.hello = on_hello,
	.mounted = on_mounted,
	.running = on_running,
	.status = on_status,
	.failed = on_failed,
	.broken = on_broken,
	.kmsg = on_kmsg,
};

/* ---- what the machine says ---- */

static void on_serial(void *arg, uint8_t byte)
{
	struct run *run = arg;

	console_log_serial(&run->log, byte);
}

static void on_panic(void *arg)
{
	struct run *run = arg;

	atomic_store(&run->panicked, true);
	wake(run);
}

static void on_port_input(void *arg, const void *data, size_t len)
{
	struct run *run = arg;

	link_push(run->link, data, len);
}

static size_t on_port_output(void *arg, void *buf, size_t cap)
{
	struct run *run = arg;

	return link_pull(run->link, buf, cap);
}

/* ---- the loop ---- */

static void set_timer(int fd, uint64_t ms)
{
	struct itimerspec t = {
		.it_value = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 },
	};

	timerfd_settime(fd, 0, &t, NULL);
}

static void woken(void *arg, short revents)
{
	struct run *run = arg;
	uint64_t count;

	(void)revents;
	(void)!read(run->wake_fd, &count, sizeof(count));
	virtio_console_pump(&run->machine.console);
	if (atomic_exchange(&run->panicked, false))
		set_timer(run->grace_fd, PANIC_GRACE_MS);
	if (run->outcome.reason == REASON_NONE && vm_get_end(&run->machine.vm) != VM_RUNNING)
		finish_ended(run);
	if (run->outcome.reason != REASON_NONE && !run->draining)
		wind_up(run);
}

/* Nobody reads what the command wrote, and the user has waited enough: what is not yet written is
 * lost, so the command's own end is no longer the run's. */
static void give_up_draining(struct run *run)
{
	if (run->outcome.reason == REASON_EXIT || run->outcome.reason == REASON_SIGNAL)
		run->outcome.reason = REASON_NONE;
	loop_stop(run->loop);
}

static void signalled(void *arg, short revents)
{
	struct run *run = arg;
	struct signalfd_siginfo info;

	(void)revents;
	if (read(run->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (run->draining)
		give_up_draining(run);
	finish(run, REASON_INTERRUPTED, STATUS_SIGNAL + (int)info.ssi_signo,
	       "ended by signal %u (%s)", info.ssi_signo, strsignal((int)info.ssi_signo));
}

static void on_quit(void *arg)
{
	finish(arg, REASON_INTERRUPTED, STATUS_SIGNAL + SIGINT, "ended by Ctrl-A x");
}

static void timed_out(void *arg, short revents)
{
	struct run *run = arg;

	(void)revents;
	if (run->draining)
		give_up_draining(run);
	finish(run, REASON_TIMEOUT, STATUS_TIMEOUT, "time-out after %" PRIu64 ".%03" PRIu64 " s, %s%s",
	       run->opt.timeout_ms / 1000, run->opt.timeout_ms % 1000, when(run), unmet(run));
}

static void grace_over(void *arg, short revents)
{
	(void)revents;
	finish_panicked(arg);
}

static int watch(struct run *run, int fd, loop_fn fn, struct why *why)
{
	int err;

	if (fd < 0)
		return why_fail(why, -errno, "no descriptor left: %s: raise ulimit -n",
				strerror(errno));
	err = loop_watch(run->loop, fd, POLLIN, fn, run);
	return err < 0 ? why_fail(why, err, "too many descriptors to wait for") : 0;
}

static int open_loop(struct run *run, struct why *why)
{
	int err;

	run->loop = loop_new();
	run->link = link_new(&link_ops, run);
	if (!run->loop || !run->link)
		return why_fail(why, -ENOMEM, "no memory left to start");
	run->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = watch(run, run->wake_fd, woken, why);
	if (err)
		return err;
	run->signal_fd = signals_open();
	err = watch(run, run->signal_fd, signalled, why);
	if (err)
		return err;
	run->timeout_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	err = watch(run, run->timeout_fd, timed_out, why);
	if (err)
		return err;
	run->grace_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	return watch(run, run->grace_fd, grace_over, why);
}

/* ---- the start ---- */

/* Not blocking: a pipe that nobody reads must not hold the run up. */
#define OPEN_OUTPUT (O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* The first thing of all, so that no result of an earlier run is taken for this one's. */
static int open_result(struct run *run, struct why *why)
{
	if (!run->opt.result)
		return 0;
	run->result_fd = open(run->opt.result, OPEN_OUTPUT, 0666);
	if (run->result_fd < 0)
		return why_fail(why, -errno, "--result: %s cannot be written: %s", run->opt.result,
				strerror(errno));
	return 0;
}

static int open_log(struct run *run, struct why *why)
{
	int log = -1;

	if (run->opt.console_log) {
		log = open(run->opt.console_log, OPEN_OUTPUT, 0666);
		if (log < 0)
			return why_fail(why, -errno, "--console-log: %s cannot be written: %s",
					run->opt.console_log, strerror(errno));
	}
	console_log_init(&run->log, log, run->opt.verbose);
	run->log.on_panic = on_panic;
	run->log.arg = run;
	run->log_made = true;
	return 0;
}

static int make_machine(struct run *run, struct why *why)
{
	struct machine_config config = {
		.ram = run->opt.ram,
		.cpus = run->opt.cpus,
		.executor = run->opt.executor,
		.share = run->plan.share,
		.nshares = run->plan.nshares,
		.port_name = FRAMES_PORT_NAME,
		.arg = run,
		.serial_output = on_serial,
		.ended = on_output,
		.port_wake = on_output,
		.port_input = on_port_input,
		.port_output = on_port_output,
	};
	int err;

	run->machine_made = true;
	err = machine_new(&run->machine, &config, why);
	if (err)
		return err;
	if (run->machine.note.text[0])
		fprintf(stderr, "ninepin: %s\n", run->machine.note.text);
	server_drive(run->machine.server, run->loop);
	return 0;
}

static int start(struct run *run, struct why *why)
{
	struct stdio_config io = {
		.in = STDIN_FILENO,
		.out = STDOUT_FILENO,
		.err = STDERR_FILENO,
		.terminal = stdio_is_terminal(STDIN_FILENO, STDOUT_FILENO),
		.quit = on_quit,
		.arg = run,
	};
	unsigned int rows = 0, columns = 0;
	struct boot_entry entry;
	int err;

	if (io.terminal)
		stdio_winsize(STDOUT_FILENO, &rows, &columns);
	notes_print(&run->opt.notes, stderr);
	run->plan_made = true;
	err = plan_make(&run->plan, &run->opt, io.terminal, rows, columns, why);
	if (err)
		return err;
	run->outcome.kernel = run->plan.kernel.path;
	if (run->plan.kernel.note.text[0])
		fprintf(stderr, "ninepin: %s; using %s\n", run->plan.kernel.note.text,
			run->plan.kernel.path);
	notes_print(&run->plan.notes, stderr);
	err = open_log(run, why);
	if (!err)
		err = open_loop(run, why);
	if (!err)
		err = make_machine(run, why);
	if (!err)
		err = load_guest(&run->machine, &run->plan, &entry, why);
	if (err)
		return err;
	/* The last thing before threads start: from here on the terminal is the guest's. */
	run->stdio = stdio_new(run->loop, run->link, &io, why);
	if (!run->stdio)
		return -EIO;
	mark(run, MOMENT_GUEST);
	return machine_start(&run->machine, &entry, why);
}

/* ---- the report ---- */

static void show_line(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "  %s\n", text);
}

static void report(struct run *run)
{
	struct outcome *o = &run->outcome;
	int err = 0;

	if (run->result_fd >= 0)
		err = outcome_write(o, run->result_fd);
	if (o->reason != REASON_EXIT && o->reason != REASON_SIGNAL && o->reason != REASON_NOT_STARTED) {
		/* With -v they have all been seen. */
		if (!run->opt.verbose) {
			fprintf(stderr, "ninepin: the last lines of the guest's console:\n");
			if (console_log_tail(&run->log, show_line, NULL) == 0)
				fprintf(stderr, "  (none)\n");
		}
	}
	if (run->opt.stats && o->moment[MOMENT_GUEST])
		stats_print(stderr, &run->machine, run->plan.share);
	if (o->message[0])
		fprintf(stderr, "ninepin: %s\n", o->message);
	if (err)
		fprintf(stderr, "ninepin: --result: %s cannot be written: %s\n", run->opt.result,
			strerror(-err));
}

static void tear_down(struct run *run)
{
	if (run->stuck)
		_exit(run->outcome.status);
	if (run->machine_made)
		machine_free(&run->machine);
	stdio_free(run->stdio);
	if (run->link)
		link_free(run->link);
	if (run->loop)
		loop_free(run->loop);
	if (run->log_made)
		console_log_destroy(&run->log);
	if (run->plan_made)
		plan_free(&run->plan);
	for (int *fd = (int[]){ run->result_fd, run->wake_fd, run->signal_fd, run->timeout_fd,
				run->grace_fd, -2 };
	     *fd != -2; fd++)
		if (*fd >= 0)
			close(*fd);
	options_free(&run->opt);
	signals_end_reached();
}

int run_main(int argc, char **argv)
{
	static struct run run; /* large: one entry for each possible device and queue slot */
	struct why why;
	int err;

	mark(&run, MOMENT_START);
	run.result_fd = -1;
	run.wake_fd = -1;
	run.signal_fd = -1;
	run.timeout_fd = -1;
	run.grace_fd = -1;
	/* A guest that writes past `ulimit -f` gets EFBIG, as it should. */
	signal(SIGXFSZ, SIG_IGN);
	err = options_parse(&run.opt, argc, argv, &why);
	if (!err && (run.opt.help || run.opt.help_share)) {
		fputs(run.opt.help ? run_usage : run_share_usage, stdout);
		options_free(&run.opt);
		return 0;
	}
	if (err) {
		struct why ignored;

		open_result(&run, &ignored);
	} else {
		err = open_result(&run, &why);
	}
	if (!err)
		err = start(&run, &why);
	if (!err) {
		if (run.opt.timeout_ms)
			set_timer(run.timeout_fd, run.opt.timeout_ms);
		err = loop_run(run.loop);
		if (err)
			finish(&run, REASON_VMM_FAILED, STATUS_VMM_FAILED,
			       "waiting for events failed: %s", strerror(-err));
		err = stdio_error(run.stdio);
		if (err) {
			/* Of a writer that then saw its pipe closed, too. */
			if (run.outcome.status == 0 || run.outcome.status == STATUS_SIGNAL + SIGPIPE) {
				run.outcome.reason = REASON_VMM_FAILED;
				run.outcome.status = STATUS_VMM_FAILED;
			}
			snprintf(run.outcome.message, sizeof(run.outcome.message),
				 "the command's output could not be written: %s", strerror(-err));
		}
	} else {
		run.outcome.reason = REASON_NOT_STARTED;
		run.outcome.status = STATUS_NOT_STARTED;
		snprintf(run.outcome.message, sizeof(run.outcome.message), "%s", why.text);
	}
	stdio_restore();
	signals_bound_end(run.outcome.status);
	report(&run);
	tear_down(&run);
	return run.outcome.status;
}
