// SPDX-License-Identifier: MIT
/* How a run ends, and what is said of it. */
#include "vmm/run.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "vmm/stats.h"

/* A panicked kernel restarts by itself (panic=-1); one that was told not to is ended after this. */
#define PANIC_GRACE_MS 2000

/* ---- the end ---- */

void run_finish(struct run *run, enum reason reason, int status, const char *fmt, ...)
{
	va_list ap;

	if (run->outcome.reason != REASON_NONE)
		return;
	run_mark(run, MOMENT_END);
	run->outcome.reason = reason;
	run->outcome.status = status;
	va_start(ap, fmt);
	vsnprintf(run->outcome.message, sizeof(run->outcome.message), fmt, ap);
	va_end(ap);
	run_wake(run);
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

static void finish_panicked(struct run *run)
{
	const char *line = console_log_panic(&run->log);

	run_finish(run, REASON_PANIC, STATUS_PANIC, "the guest's kernel panicked %s: %s", when(run),
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
		run_finish(run, REASON_TRIPLE_FAULT, status,
			   "the guest's processor shut down (triple fault) %s", when(run));
		break;
	case VM_FAILED:
		run_finish(run, REASON_VMM_FAILED, STATUS_VMM_FAILED, "%s",
			   run->machine.vm.failure.text);
		break;
	case VM_RESTARTED:
		run_finish(run, REASON_RESTART, status, "the guest restarted %s", when(run));
		break;
	default:
		run_finish(run, REASON_POWER_OFF, status, "the guest switched itself off %s", when(run));
	}
}

/* ---- events ---- */

void run_set_timer(int fd, uint64_t ms)
{
	struct itimerspec t = {
		.it_value = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 },
	};

	timerfd_settime(fd, 0, &t, NULL);
}

void run_woken(void *arg, short revents)
{
	struct run *run = arg;
	uint64_t count;

	(void)revents;
	(void)!read(run->wake_fd, &count, sizeof(count));
	virtio_console_pump(&run->machine.console);
	if (atomic_exchange(&run->panicked, false))
		run_set_timer(run->grace_fd, PANIC_GRACE_MS);
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

void run_signalled(void *arg, short revents)
{
	struct run *run = arg;
	struct signalfd_siginfo info;

	(void)revents;
	if (read(run->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (run->draining)
		give_up_draining(run);
	run_finish(run, REASON_INTERRUPTED, STATUS_SIGNAL + (int)info.ssi_signo,
		   "ended by signal %u (%s)", info.ssi_signo, strsignal((int)info.ssi_signo));
}

void run_on_quit(void *arg)
{
	run_finish(arg, REASON_INTERRUPTED, STATUS_SIGNAL + SIGINT, "ended by Ctrl-A x");
}

void run_timed_out(void *arg, short revents)
{
	struct run *run = arg;

	(void)revents;
	if (run->draining)
		give_up_draining(run);
	run_finish(run, REASON_TIMEOUT, STATUS_TIMEOUT, "time-out after %" PRIu64 ".%03" PRIu64 " s, %s",
		   run->opt.timeout_ms / 1000, run->opt.timeout_ms % 1000, when(run));
}

void run_grace_over(void *arg, short revents)
{
	(void)revents;
	finish_panicked(arg);
}

/* ---- the report ---- */

static void show_line(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "  %s\n", text);
}

void run_report(struct run *run)
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
