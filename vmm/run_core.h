/* SPDX-License-Identifier: MIT */
/* --core FILE of `ninepin run`: when there is a core, and what the user is told of it. */
#ifndef VMM_RUN_CORE_H
#define VMM_RUN_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/why.h"
#include "vmm/outcome.h"
#include "vmm/vm.h"

struct run_core {
	const char *path; /* NULL: no core is wanted */
	int fd;		  /* -1: not open */
	/* Where the guest says that its VMCOREINFO is; 0, 0 until it has. */
	uint64_t vmcoreinfo_gpa;
	uint64_t vmcoreinfo_size;
};

/* Makes the file, if path is not NULL. 0, or a negative errno and a sentence. */
int run_core_open(struct run_core *core, const char *path, struct why *why);
/*
 * The run is over, and the VM stopped (unless it is stuck: a processor hangs). Writes the core if the
 * end was not the command's own, else removes the file; says on stderr what it did. A signal that comes
 * on the descriptor ends the writing.
 */
void run_core_end(struct run_core *core, const struct outcome *outcome, struct vm *vm, bool stuck,
		  int signal_fd);

#endif
