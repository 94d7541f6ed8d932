/* SPDX-License-Identifier: MIT */
/* Kernel, initramfs, ACPI tables and command line into guest memory. */
#ifndef VMM_LOAD_H
#define VMM_LOAD_H

#include "vmm/machine.h"
#include "vmm/plan.h"

/* 0 and where the first vCPU starts, or a negative errno with a sentence. The kernel is closed then. */
int load_guest(struct machine *machine, struct plan *plan, struct boot_entry *entry,
	       struct why *why);

#endif
