// SPDX-License-Identifier: MIT
/* The state a vCPU starts in. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/x86_64/x86.h"

#define CR0_PE	(1ull << 0)
#define CR0_ET	(1ull << 4)
#define CR0_PG	(1ull << 31)
#define CR4_PAE (1ull << 5)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)

#define MSR_MISC_ENABLE		 0x1a0
#define MISC_ENABLE_FAST_STRING	 1ull
#define MSR_MTRR_DEF_TYPE	 0x2ff
#define MTRR_ENABLED_WRITE_BACK	 (1ull << 11 | 6)

/* Linux boot protocol, "64-bit boot protocol": __BOOT_CS and __BOOT_DS. */
#define BOOT_CS 0x10
#define BOOT_DS 0x18

static struct kvm_segment flat(uint16_t selector, uint8_t type, bool long_mode)
{
	return (struct kvm_segment){
		.base = 0,
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.db = !long_mode,
		.l = long_mode,
		.g = 1,
	};
}

static void set_sregs(struct kvm_sregs *sregs)
{
	sregs->cs = flat(BOOT_CS, 0xb, true); /* execute, read, accessed */
	sregs->ds = flat(BOOT_DS, 0x3, false);	   /* read, write, accessed */
	sregs->es = sregs->ds;
	sregs->fs = sregs->ds;
	sregs->gs = sregs->ds;
	sregs->ss = sregs->ds;
	/* Long mode has no task without a busy task state segment. */
	sregs->tr = (struct kvm_segment){ .limit = 0x67, .type = 0xb, .present = 1 };
	sregs->gdt.base = BOOT_GDT_GPA;
	sregs->gdt.limit = 4 * 8 - 1;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
	sregs->cr0 = CR0_PE | CR0_ET | CR0_PG;
	sregs->cr3 = BOOT_PT_GPA;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
}

static int set_msrs(struct vcpu *vcpu)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[2];
	} msrs = {
		.head.nmsrs = 2,
		.entry = {
			{ .index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING },
			/* As firmware leaves it: all memory write-back. */
			{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLED_WRITE_BACK },
		},
	};

	return ioctl(vcpu->fd, KVM_SET_MSRS, &msrs) < 0 ? -errno : 0;
}

int vcpu_setup(struct vcpu *vcpu, const struct boot_entry *entry, struct why *why)
{
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_sregs sregs;
	int err;

	err = x86_set_cpuid(vcpu, why);
	if (err)
		return err;
	if (set_msrs(vcpu) < 0)
		goto fail;
	if (!entry)
		return 0; /* in wait-for-SIPI, as KVM leaves all CPUs but the first */

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		goto fail;
	set_sregs(&sregs);
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0)
		goto fail;
	regs.rip = entry->rip;
	regs.rsi = entry->params;
	if (ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		goto fail;
	return 0;
fail:
	return why_fail(why, -errno, "KVM refuses the first state of CPU %u: %s", vcpu->id,
			strerror(errno));
}
