// SPDX-License-Identifier: MIT
/* `ninepin run`: one guest, from options to exit status. */
#include "vmm/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "images/frames.h"
#include "ninep/clock.h"
#include "vmm/commands.h"
#include "vmm/load.h"
#include "vmm/server.h"
#include "vmm/signals.h"

void run_mark(struct run *run, enum moment moment)
{
	run->outcome.moment[moment] = p9_now_ns();
}

void run_wake(struct run *run)
{
	uint64_t one = 1;

	(void)!write(run->wake_fd, &one, sizeof(one));
}

/* ---- the loop ---- */

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
	const struct {
		int *fd;
		loop_fn fn;
	} timers[] = {
		{ &run->timeout_fd, run_timed_out },
		{ &run->boot_fd, run_boot_timed_out },
		{ &run->grace_fd, run_grace_over },
		{ &run->tick_fd, run_ticked },
		{ &run->halt_fd, run_look_at_halt },
	};
	int err;

	run->loop = loop_new();
	run->link = link_new(&run_link_ops, run);
	if (!run->loop || !run->link)
		return why_fail(why, -ENOMEM, "no memory left to start");
	run->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = watch(run, run->wake_fd, run_woken, why);
	if (err)
		return err;
	run->signal_fd = signals_open();
	err = watch(run, run->signal_fd, run_signalled, why);
	for (size_t i = 0; !err && i < sizeof(timers) / sizeof(timers[0]); i++) {
		*timers[i].fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		err = watch(run, *timers[i].fd, timers[i].fn, why);
	}
	return err;
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
	run->log.on_report = run_on_report;
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
		.serial_output = run_on_serial,
		.serial_first = run_on_serial_first,
		.panicked = run_on_panic_device,
		.ended = run_on_output,
		.port_wake = run_on_output,
		.port_input = run_on_port_input,
		.port_output = run_on_port_output,
	};
	int err;

	run->machine_made = true;
	run->outcome.ram = config.ram;
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
		.quit = run_on_quit,
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
	run->outcome.cmdline = run->plan.cmdline;
	if (run->plan.kernel.note.text[0])
		fprintf(stderr, "ninepin: %s; using %s\n", run->plan.kernel.note.text,
			run->plan.kernel.path);
	notes_print(&run->plan.notes, stderr);
	err = open_log(run, why);
	if (!err)
		err = run_core_open(&run->core, run->opt.core, why);
	if (!err)
		err = open_loop(run, why);
	if (!err)
		err = make_machine(run, why);
	if (err)
		return err;
	run_mark(run, MOMENT_SETUP);
	err = load_guest(&run->machine, &run->plan, &entry, why);
	if (err)
		return err;
	run_mark(run, MOMENT_LOADED);
	err = run_gdb_open(run, why);
	if (err)
		return err;
	/* The last thing before threads start: from here on the terminal is the guest's. */
	run->stdio = stdio_new(run->loop, run->link, &io, why);
	if (!run->stdio)
		return -EIO;
	run_mark(run, MOMENT_GUEST);
	return machine_start(&run->machine, &entry, why);
}

/* ---- the whole of it ---- */

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
				run->boot_fd, run->grace_fd, run->tick_fd, run->halt_fd, -2 };
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

	run_mark(&run, MOMENT_START);
	run.result_fd = -1;
	run.wake_fd = -1;
	run.signal_fd = -1;
	run.timeout_fd = -1;
	run.boot_fd = -1;
	run.grace_fd = -1;
	run.halt_fd = -1;
	run.tick_fd = -1;
	run.core.fd = -1;
	/* A guest that writes past `ulimit -f` gets EFBIG, as it should. */
	signal(SIGXFSZ, SIG_IGN);
	err = options_parse(&run.opt, argc, argv, &why);
	if (!err && run.opt.help) {
		fputs(run.opt.help, stdout);
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
			run_set_timer(run.timeout_fd, run.opt.timeout_ms);
		if (run.opt.boot_timeout_ms && !run.outcome.moment[MOMENT_COMMAND])
			run_set_timer(run.boot_fd, run.opt.boot_timeout_ms);
		run_set_timer(run.halt_fd, RUN_HALT_MS);
		err = loop_run(run.loop);
		if (err)
			run_finish(&run, REASON_VMM_FAILED, STATUS_VMM_FAILED,
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
	if (!run.stuck)
		gdb_server_free(run.gdb, run.outcome.status);
	run_core_end(&run.core, &run.outcome, &run.machine.vm, run.stuck, run.signal_fd);
	signals_bound_end(run.outcome.status);
	run_report(&run);
	tear_down(&run);
	return run.outcome.status;
}
