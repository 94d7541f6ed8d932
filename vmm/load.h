/* SPDX-License-Identifier: MIT */
/* Kernel, initramfs, the tables of the machine and command line into guest memory. */
#ifndef VMM_LOAD_H
#define VMM_LOAD_H

#include "vmm/machine.h"
#include "vmm/plan.h"

/*
 * 0 and where the first vCPU starts, or a negative errno with a sentence. The kernel is closed then, and the
 * plan's command line has the words that describe the machine, if there are such.
 */
int load_guest(struct machine *machine, struct plan *plan, struct boot_entry *entry,
	       struct why *why);

#endif
