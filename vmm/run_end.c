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

#include "vmm/needs.h"
#include "vmm/stats.h"
#include "vmm/usage.h"

/* A panicked kernel restarts by itself (panic=-1); one that was told not to is ended after this. */
#define PANIC_GRACE_MS 2000

/* The log is looked at so often while it is waited for, and for so many times. */
#define TICK_MS	     250
#define QUIET_TICKS  4	/* nothing has come: that was all of a report */
#define REPORT_TICKS 20 /* something still comes */
#define SYSRQ_TICKS  12
/* Even a report that is whole: what tells that a program made it up may be a little late. */
#define WHOLE_TICKS 2

/* Show all that is printed; what the processors do; tasks that wait in the kernel. */
#define SYSRQ_KEYS "7lw"

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

/* What the guest's kernel may lack, if its init was not reached. */
static const char *unmet(const struct run *run)
{
	return run->outcome.moment[MOMENT_INIT] ? "" : needs_unmet(&run->machine.console.vdev);
}

/* False if it did not; a report that a program made up may have been withdrawn. */
static bool finish_panicked(struct run *run)
{
	char line[REPORT_KEY_MAX];
	enum report_kind kind;
	bool whole;

	if (!console_log_report(&run->log, 1u << REPORT_PANIC, &kind, line, sizeof(line), &whole)) {
		if (!atomic_load(&run->told_panic) && vm_get_end(&run->machine.vm) != VM_CRASHED)
			return false;
		snprintf(line, sizeof(line), "it told the panic device so");
	}
	run_finish(run, REASON_PANIC, STATUS_PANIC, "the guest's kernel panicked %s: %s", when(run), line);
	return true;
}

bool run_finish_reported(struct run *run)
{
	unsigned int kinds = run->opt.fail_on & ~(1u << REPORT_PANIC);
	char line[REPORT_KEY_MAX];
	enum report_kind kind;
	bool whole;

	if (!console_log_report(&run->log, kinds, &kind, line, sizeof(line), &whole))
		return false;
	run_finish(run, REASON_REPORT, STATUS_PANIC, "the guest's kernel reports trouble (%s) %s: %s",
		   report_kind_name(kind), when(run), line);
	return true;
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
	if (finish_panicked(run) || run_finish_reported(run))
		return;
	switch (vm_get_end(&run->machine.vm)) {
	case VM_TRIPLE_FAULT:
		run_finish(run, REASON_TRIPLE_FAULT, status,
			   "the guest's processor shut down (triple fault) %s", when(run));
		break;
	case VM_FAILED:
		run_finish(run, REASON_VMM_FAILED, STATUS_VMM_FAILED, "%s",
			   run->machine.vm.failure.text);
		break;
	case VM_RESTARTED:
		run_finish(run, REASON_RESTART, status, "the guest restarted %s%s", when(run), unmet(run));
		break;
	default:
		run_finish(run, REASON_POWER_OFF, status, "the guest switched itself off %s%s", when(run),
			   unmet(run));
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

/* ---- waiting for the log ---- */

static void await(struct run *run, int what)
{
	static const struct itimerspec tick = {
		.it_value.tv_nsec = TICK_MS * 1000000,
		.it_interval.tv_nsec = TICK_MS * 1000000,
	};
	static const struct itimerspec none;

	run->await = what;
	run->ticks = 0;
	run->quiet = 0;
	timerfd_settime(run->tick_fd, 0, what == AWAIT_NOTHING ? &none : &tick, NULL);
}

static void await_report(struct run *run)
{
	unsigned int kinds = run->opt.fail_on & ~(1u << REPORT_PANIC);
	char line[REPORT_KEY_MAX];
	enum report_kind kind;
	bool whole;

	if (!console_log_report(&run->log, kinds, &kind, line, sizeof(line), &whole))
		await(run, AWAIT_NOTHING);
	else if ((whole && run->ticks >= WHOLE_TICKS) || run->quiet >= QUIET_TICKS ||
		 run->ticks >= REPORT_TICKS)
		run_finish_reported(run);
}

/* One key at a time: Linux remembers no more. */
static void await_sysrq(struct run *run)
{
	if (*run->keys && serial_sysrq(&run->machine.serial, (uint8_t)*run->keys)) {
		run->keys++;
		run->quiet = 0;
	}
	if (run->ticks >= SYSRQ_TICKS || (!*run->keys && run->quiet >= QUIET_TICKS)) {
		await(run, AWAIT_NOTHING);
		run_wake(run);
	}
}

void run_ticked(void *arg, short revents)
{
	struct run *run = arg;
	uint64_t count;
	unsigned long traffic = console_log_traffic(&run->log);

	(void)revents;
	(void)!read(run->tick_fd, &count, sizeof(count));
	run->quiet = traffic == run->traffic ? run->quiet + 1 : 0;
	run->traffic = traffic;
	run->ticks++;
	if (run->await == AWAIT_REPORT)
		await_report(run);
	else if (run->await == AWAIT_SYSRQ)
		await_sysrq(run);
}

/*
 * A guest that hangs is asked what it does before it is ended: by a break and a key on its console, which its
 * kernel serves in an interrupt, whatever its tasks do. One that has not got so far does not listen.
 */
static void ask(struct run *run)
{
	console_log_mark(&run->log);
	run->keys = SYSRQ_KEYS;
	if (!serial_sysrq(&run->machine.serial, (uint8_t)*run->keys))
		return;
	run->keys++;
	await(run, AWAIT_SYSRQ);
}

/* ---- what the loop calls ---- */

void run_woken(void *arg, short revents)
{
	struct run *run = arg;
	uint64_t count;

	(void)revents;
	(void)!read(run->wake_fd, &count, sizeof(count));
	virtio_console_pump(&run->machine.console);
	if (atomic_exchange(&run->panicked, false))
		run_set_timer(run->grace_fd, PANIC_GRACE_MS);
	if (atomic_exchange(&run->reported, false) && run->await == AWAIT_NOTHING)
		await(run, AWAIT_REPORT);
	if (vm_get_end(&run->machine.vm) != VM_RUNNING) {
		await(run, AWAIT_NOTHING);
		if (run->outcome.reason == REASON_NONE)
			finish_ended(run);
	}
	if (run->outcome.reason != REASON_NONE && !run->draining && run->await != AWAIT_SYSRQ)
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

static bool is_late(struct run *run)
{
	if (run->draining)
		give_up_draining(run);
	return run->outcome.reason == REASON_NONE && !run_finish_reported(run);
}

void run_timed_out(void *arg, short revents)
{
	struct run *run = arg;

	(void)revents;
	if (!is_late(run))
		return;
	run_finish(run, REASON_TIMEOUT, STATUS_TIMEOUT, "time-out after %" PRIu64 ".%03" PRIu64 " s, %s%s",
		   run->opt.timeout_ms / 1000, run->opt.timeout_ms % 1000, when(run), unmet(run));
	if (!run->draining)
		ask(run);
}

void run_boot_timed_out(void *arg, short revents)
{
	struct run *run = arg;

	(void)revents;
	if (run->draining || !is_late(run))
		return;
	run_finish(run, REASON_BOOT_TIMEOUT, STATUS_TIMEOUT,
		   "the command does not run after %" PRIu64 ".%03" PRIu64 " s: time-out %s%s",
		   run->opt.boot_timeout_ms / 1000, run->opt.boot_timeout_ms % 1000, when(run),
		   unmet(run));
	ask(run);
}

void run_grace_over(void *arg, short revents)
{
	(void)revents;
	finish_panicked(arg);
}

/* Without ACPI the kernel has no switch: who powers off comes to a halt. */
void run_look_at_halt(void *arg, short revents)
{
	struct run *run = arg;

	(void)revents;
	if (vm_halted(&run->machine.vm))
		vm_set_end(&run->machine.vm, VM_POWERED_OFF, NULL);
	else
		run_set_timer(run->halt_fd, RUN_HALT_MS);
}

/* ---- the report ---- */

static void show_line(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "  %s\n", text);
}

/* What the guest said before its end, where that is not all and not yet seen. */
static void show_console(struct run *run)
{
	/* With -v all lines have been seen. */
	if (run->opt.verbose)
		return;
	fprintf(stderr, "ninepin: the last lines of the guest's console:\n");
	if (!run->log_made || console_log_tail(&run->log, CONSOLE_TAIL, show_line, NULL) == 0)
		fprintf(stderr, "  (none)\n");
	if (!run->log_made || !run->log.marked || run->log.nlines == run->log.mark)
		return;
	if (run->opt.console_log || run->opt.result) {
		fprintf(stderr, "ninepin: what it did then (SysRq l and w) is in %s\n",
			run->opt.console_log ? run->opt.console_log : run->opt.result);
		return;
	}
	fprintf(stderr, "ninepin: what it did then (SysRq l and w):\n");
	console_log_after_mark(&run->log, show_line, NULL);
}

void run_report(struct run *run)
{
	struct outcome *o = &run->outcome;
	int err = 0;

	usage_take(&o->usage);
	if (run->result_fd >= 0)
		err = outcome_write(o, run->log_made ? &run->log : NULL, run->result_fd);
	if (o->reason != REASON_EXIT && o->reason != REASON_SIGNAL && o->reason != REASON_NOT_STARTED)
		show_console(run);
	if (run->opt.stats && o->moment[MOMENT_GUEST])
		stats_print(stderr, &run->machine, run->plan.share);
	if (run->opt.timing)
		outcome_print_times(o, stderr);
	if (o->message[0])
		fprintf(stderr, "ninepin: %s\n", o->message);
	if (err)
		fprintf(stderr, "ninepin: --result: %s cannot be written: %s\n", run->opt.result,
			strerror(-err));
}
