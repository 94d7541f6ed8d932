// SPDX-License-Identifier: MIT
/* What a core has of a vCPU. */
#include <errno.h>
#include <sys/ioctl.h>

#include "vmm/core.h"
#include "vmm/x86_64/x86.h"

#define MSR_KERNEL_GS_BASE 0xc0000102

int x86_core_cpu(struct vcpu *vcpu, struct core_cpu *cpu)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[1];
	} msrs = { .head.nmsrs = 1, .entry = { { .index = MSR_KERNEL_GS_BASE } } };

	if (ioctl(vcpu->fd, KVM_GET_REGS, &cpu->regs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_SREGS, &cpu->sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_MSRS, &msrs) < 0)
		return -errno;
	cpu->kernel_gs_base = msrs.entry[0].data;
	return 0;
}
