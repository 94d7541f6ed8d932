// SPDX-License-Identifier: MIT
/* What the guest says: its init, by the frames of the console port, and its kernel. */
#include "vmm/run.h"

#include <stdio.h>
#include <sys/wait.h>

/* ---- what the guest's init says ---- */

/* The console port has something to do. Not now: this may be called from within its pump. */
void run_on_output(void *arg)
{
	run_wake(arg);
}

static void on_hello(void *arg, const char *release)
{
	struct run *run = arg;

	run_mark(run, MOMENT_INIT);
	snprintf(run->outcome.release, sizeof(run->outcome.release), "%s", release);
}

static void on_vmcoreinfo(void *arg, uint64_t gpa, uint64_t size)
{
	struct run *run = arg;

	run->core.vmcoreinfo_gpa = gpa;
	run->core.vmcoreinfo_size = size;
}

static void on_mounted(void *arg)
{
	run_mark(arg, MOMENT_MOUNTED);
}

static void on_running(void *arg)
{
	struct run *run = arg;

	run_mark(run, MOMENT_COMMAND);
	run_set_timer(run->boot_fd, 0);
}

static void on_tainted(void *arg, uint64_t flags)
{
	struct run *run = arg;

	run->outcome.tainted_known = true;
	run->outcome.tainted = flags;
}

static void on_status(void *arg, int wait_status)
{
	struct run *run = arg;

	/* All of the kernel's log has come by now. */
	if (run_finish_reported(run))
		return;
	if (WIFSIGNALED(wait_status))
		run_finish(run, REASON_SIGNAL, STATUS_SIGNAL + WTERMSIG(wait_status), "%s", "");
	else
		run_finish(run, REASON_EXIT, WEXITSTATUS(wait_status), "%s", "");
}

static void on_failed(void *arg, const char *message)
{
	struct run *run = arg;

	if (run->outcome.moment[MOMENT_COMMAND])
		run_finish(run, REASON_LOST_DATA, STATUS_VMM_FAILED,
			   "the command's files are not complete: %s",
			   message);
	else
		run_finish(run, REASON_INIT_FAILED, STATUS_NO_INIT,
			   "the guest could not be made ready: %s", message);
}

static void on_broken(void *arg, const char *message)
{
	run_finish(arg, REASON_PROTOCOL, STATUS_NO_REPORT,
		   "what the guest sent is not its init's: %s", message);
}

static void on_kmsg(void *arg, const void *data, size_t len)
{
	struct run *run = arg;

	console_log_kmsg(&run->log, data, len);
}

const struct link_ops run_link_ops = {
	.output = run_on_output,
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

/* ---- what the machine says ---- */

void run_on_serial(void *arg, uint8_t byte)
{
	struct run *run = arg;

	console_log_serial(&run->log, byte);
}

void run_on_serial_first(void *arg)
{
	run_mark(arg, MOMENT_KERNEL);
}

void run_on_panic_device(void *arg)
{
	struct run *run = arg;

	atomic_store(&run->told_panic, true);
	atomic_store(&run->panicked, true);
	run_wake(run);
}

void run_on_report(void *arg, enum report_kind kind)
{
	struct run *run = arg;

	if (kind == REPORT_PANIC)
		atomic_store(&run->panicked, true);
	else if (run->opt.fail_on & 1u << kind)
		atomic_store(&run->reported, true);
	else
		return;
	run_wake(run);
}

void run_on_port_input(void *arg, const void *data, size_t len)
{
	struct run *run = arg;

	link_push(run->link, data, len);
}

size_t run_on_port_output(void *arg, void *buf, size_t cap)
{
	struct run *run = arg;

	return link_pull(run->link, buf, cap);
}
