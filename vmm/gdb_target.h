/* SPDX-License-Identifier: MIT */
/* What gdb does to a VM: the target of vmm/gdb.h. The thread of the event loop, but where it says so. */
#ifndef VMM_GDB_TARGET_H
#define VMM_GDB_TARGET_H

#include "vmm/gdb.h"
#include "vmm/vm.h"
#include "vmm/x86_64/debug.h"

#define GDB_MAX_BREAKS 256 /* software breakpoints */

struct gdb_target {
	struct vm *vm;
	/* Both are called on the loop's thread. */
	void (*kill)(void *arg);
	void (*resumed)(void *arg);
	void (*stopped)(void *arg, const struct gdb_stop *stop);
	void *arg;

	struct gdb_soft_break {
		uint64_t address;
		uint8_t *byte; /* in guest memory */
		uint8_t was;   /* what is there while the target is paused */
	} soft[GDB_MAX_BREAKS];
	unsigned int nsoft;
	struct x86_debug debug[PLATFORM_MAX_CPUS];
	/* What a vCPU stopped at, not yet told; its thread writes it. */
	struct gdb_stop stop[PLATFORM_MAX_CPUS];
	bool has_stop[PLATFORM_MAX_CPUS];
	bool patched; /* the INT3s are in the guest */
	bool interrupted; /* by Ctrl-C */
};

extern const struct gdb_ops gdb_target_ops;

/* Becomes the VM's debugger, before vm_start(). */
void gdb_target_init(struct gdb_target *target, struct vm *vm);
/* All vCPUs are paused: takes the breakpoints out of the guest, and calls stopped(). */
void gdb_target_paused(struct gdb_target *target);
/* While all are paused: what gdb had set is gone. */
void gdb_target_forget(struct gdb_target *target);
/* The guest is as if there had been no debugger. Its vCPUs do not run, and will not. */
void gdb_target_end(struct gdb_target *target);

#endif
