// SPDX-License-Identifier: MIT
/* A run that gdb may look into. */
#include <signal.h>
#include <sys/timerfd.h>

#include "vmm/run.h"

static void hold_timer(int fd, struct itimerspec *left, bool held)
{
	const struct itimerspec off = { 0 };

	if (held)
		timerfd_gettime(fd, left);
	/* One that was not set then may have been set meanwhile, for what the guest had said before. */
	if (held || left->it_value.tv_sec || left->it_value.tv_nsec)
		timerfd_settime(fd, 0, held ? &off : left, NULL);
}

/* While gdb holds the guest, no time-out goes on. */
static void on_held(void *arg, bool held)
{
	struct run *run = arg;

	/* The command's start may be heard of only now. */
	if (run->outcome.moment[MOMENT_COMMAND])
		run->boot_left = (struct itimerspec){ 0 };
	hold_timer(run->timeout_fd, &run->timeout_left, held);
	hold_timer(run->boot_fd, &run->boot_left, held);
	hold_timer(run->grace_fd, &run->grace_left, held);
	hold_timer(run->tick_fd, &run->tick_left, held);
}

static void on_kill(void *arg)
{
	run_finish(arg, REASON_INTERRUPTED, STATUS_SIGNAL + SIGKILL, "ended by gdb");
}

int run_gdb_open(struct run *run, struct why *why)
{
	const struct gdb_server_config config = {
		.where = run->opt.gdb,
		.wait = run->opt.gdb_wait,
		.loop = run->loop,
		.vm = &run->machine.vm,
		.held = on_held,
		.kill = on_kill,
		.arg = run,
	};

	return run->opt.gdb ? gdb_server_new(&run->gdb, &config, why) : 0;
}
