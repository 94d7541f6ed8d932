/* SPDX-License-Identifier: MIT */
/*
 * --core FILE: a guest's memory and processors as an ELF core (ELF64, ET_CORE) that crash, drgn and
 * gdb open. A PT_LOAD for each region of RAM has its guest-physical address as p_paddr, and as p_vaddr
 * where the guest's kernel has it mapped (else the physical address again); one more, if the guest
 * said where, is the kernel's own text and data. PT_NOTE has an NT_PRSTATUS and a note "QEMU" for
 * each processor, as QEMU's dump-guest-memory does, and the guest's VMCOREINFO.
 */
#ifndef VMM_CORE_H
#define VMM_CORE_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "boot/why.h"
#include "virtio/gmem.h"

struct core_cpu {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	uint64_t kernel_gs_base; /* what SWAPGS brings */
};

struct core {
	const struct gmem *mem;
	const struct core_cpu *cpu;
	unsigned int ncpus;
	/* Where the guest says that its VMCOREINFO is, with how many bytes; 0, 0 if it did not. */
	uint64_t vmcoreinfo_gpa;
	uint64_t vmcoreinfo_size;
	/* Called now and then, with bytes of memory done and in all: false ends it with -EINTR. */
	bool (*go_on)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/*
 * Makes the file, empty, in place of what was there, so that no older core is taken for this run's.
 * A descriptor, or a negative errno and a sentence.
 */
int core_open(const char *path, struct why *why);
/*
 * Writes it. The ELF header comes last: what was not written to its end is no core. Pages of zeros
 * are holes. 0, or a negative errno: -EINTR, -ENOMEM, or of write(2).
 */
int core_write(int fd, const struct core *core);
/* Removes the file, if it still is that of the descriptor. */
void core_remove(int fd, const char *path);

#endif
