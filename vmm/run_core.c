// SPDX-License-Identifier: MIT
#include "vmm/run_core.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ninep/clock.h"
#include "vmm/core.h"
#include "vmm/x86_64/x86.h"

#define PROGRESS_NS (2 * 1000000000ull)

struct progress {
	uint64_t last; /* ns: when something was said, or the beginning */
	int signal_fd;
};

static bool go_on(void *arg, uint64_t done, uint64_t total)
{
	struct progress *progress = arg;
	struct pollfd pfd = { .fd = progress->signal_fd, .events = POLLIN };
	uint64_t now = p9_now_ns();

	if (now - progress->last >= PROGRESS_NS) {
		progress->last = now;
		fprintf(stderr, "ninepin: --core: %" PRIu64 " of %" PRIu64 " MiB\n", done >> 20,
			total >> 20);
	}
	return poll(&pfd, 1, 0) <= 0;
}

int run_core_open(struct run_core *core, const char *path, struct why *why)
{
	core->path = path;
	core->fd = -1;
	if (!path)
		return 0;
	core->fd = core_open(path, why);
	return core->fd < 0 ? core->fd : 0;
}

static bool is_wanted(enum reason reason)
{
	return reason != REASON_EXIT && reason != REASON_SIGNAL && reason != REASON_NOT_STARTED;
}

static int write_core(const struct run_core *core, struct vm *vm, int signal_fd)
{
	struct core_cpu cpu[PLATFORM_MAX_CPUS];
	struct progress progress = { .last = p9_now_ns(), .signal_fd = signal_fd };
	int err = 0;

	for (unsigned int i = 0; i < vm->ncpus && !err; i++)
		err = x86_core_cpu(&vm->vcpu[i], &cpu[i]);
	return err ?: core_write(core->fd, &(struct core){
		.mem = &vm->mem,
		.cpu = cpu,
		.ncpus = vm->ncpus,
		.vmcoreinfo_gpa = core->vmcoreinfo_gpa,
		.vmcoreinfo_size = core->vmcoreinfo_size,
		.go_on = go_on,
		.arg = &progress,
	});
}

static void say_written(const struct run_core *core)
{
	struct stat st;

	if (fstat(core->fd, &st) == 0)
		fprintf(stderr,
			"ninepin: --core: %s has the guest's memory (%llu MiB, %llu of them on the disk)\n",
			core->path, (unsigned long long)st.st_size >> 20,
			(unsigned long long)st.st_blocks >> 11);
}

void run_core_end(struct run_core *core, const struct outcome *outcome, struct vm *vm, bool stuck,
		  int signal_fd)
{
	int err = 0;

	if (core->fd < 0)
		return;
	if (!is_wanted(outcome->reason)) {
		core_remove(core->fd, core->path);
	} else if (stuck) {
		core_remove(core->fd, core->path);
		fprintf(stderr, "ninepin: --core: none, since a processor of the guest's does not stop: is "
				"a file server that a share is on dead?\n");
	} else {
		err = write_core(core, vm, signal_fd);
	}
	if (err) {
		core_remove(core->fd, core->path);
		fprintf(stderr, "ninepin: --core: %s could not be written, and is removed: %s\n",
			core->path, err == -EINTR ? "a signal came" : strerror(-err));
	} else if (is_wanted(outcome->reason) && !stuck) {
		say_written(core);
	}
	close(core->fd);
	core->fd = -1;
}
