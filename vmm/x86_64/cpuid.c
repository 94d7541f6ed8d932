// SPDX-License-Identifier: MIT
/* What the guest sees of its processor: what KVM can give, with our topology. */
#include "vmm/x86_64/x86.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define MAX_ENTRIES 256

#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_HYPERVISOR   (1u << 31)
#define LEAF1_EDX_HTT	       (1u << 28)
#define EXT1_ECX_TOPOEXT       (1u << 22)

static unsigned int log2_up(unsigned int n)
{
	unsigned int shift = 0;

	while ((1u << shift) < n)
		shift++;
	return shift;
}

/*
 * One package of n cores with one thread each. Without this the guest would see the host's own
 * numbers, and Linux complains of each CPU whose APIC id it does not find where it should be.
 */
static void set_topology(struct kvm_cpuid_entry2 *e, unsigned int id, unsigned int n)
{
	unsigned int shift = log2_up(n);

	switch (e->function) {
	case 0x1:
		e->ebx = (e->ebx & 0xffff) | n << 16 | id << 24;
		if (n > 1)
			e->edx |= LEAF1_EDX_HTT;
		else
			e->edx &= ~LEAF1_EDX_HTT;
		break;
	case 0x4: /* Intel: caches; EAX[31:26] cores in the package, EAX[25:14] threads sharing */
		if (e->eax & 0x1f)
			e->eax = (e->eax & 0x3fff) | (n - 1) << 26;
		break;
	case 0xb:
	case 0x1f:
		e->edx = id;
		e->ecx = e->index & 0xff;
		if (e->index == 0) { /* SMT level: one thread */
			e->eax = 0;
			e->ebx = 1;
			e->ecx |= 1u << 8;
		} else if (e->index == 1) { /* core level */
			e->eax = shift;
			e->ebx = n;
			e->ecx |= 2u << 8;
		} else {
			e->eax = 0;
			e->ebx = 0;
		}
		break;
	case 0x80000001:
		e->ecx &= ~EXT1_ECX_TOPOEXT;
		break;
	case 0x80000008: /* AMD: ECX[7:0] cores - 1, ECX[15:12] bits of the APIC id for them */
		e->ecx = (n - 1) | shift << 12;
		break;
	}
}

int x86_set_cpuid(struct vcpu *vcpu, struct why *why)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[MAX_ENTRIES];
	} cpuid; /* set-up is single-threaded */
	unsigned int n = vcpu->vm->ncpus;
	int deadline;

	memset(&cpuid, 0, sizeof(cpuid));
	cpuid.head.nent = MAX_ENTRIES;
	if (ioctl(vcpu->vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, &cpuid) < 0)
		return why_fail(why, -errno, "KVM does not tell what processor it offers: %s",
				strerror(errno));
	deadline = ioctl(vcpu->vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER);
	for (uint32_t i = 0; i < cpuid.head.nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid.entry[i];

		if (e->function == 0x1) {
			e->ecx |= LEAF1_ECX_HYPERVISOR;
			/* The timer needs no calibration then, and no periodic ticks. */
			if (deadline > 0)
				e->ecx |= LEAF1_ECX_TSC_DEADLINE;
		}
		set_topology(e, vcpu->id, n);
	}
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, &cpuid) < 0)
		return why_fail(why, -errno, "KVM refuses the CPUID leaves of CPU %u: %s", vcpu->id,
				strerror(errno));
	return 0;
}
