// SPDX-License-Identifier: MIT
#include "vmm/x86_64/debug.h"

#include <errno.h>
#include <sys/ioctl.h>

#define VECTOR_DB 1
#define VECTOR_BP 3

/* Debug registers (AMD's manual, volume 2, 13.1.1). */
#define DR6_HIT(n) (1ull << (n))
#define DR7_FIXED  0x400ull
#define DR7_GLOBAL(n) (2ull << (2 * (n)))
#define DR7_TYPE_LEN(n, type, len) (((type) | (len) << 2) << (16 + 4 * (n)))

bool x86_break_is_possible(enum gdb_break kind, uint64_t address, uint64_t len)
{
	switch (kind) {
	case GDB_BREAK_SOFTWARE:
	case GDB_BREAK_HARDWARE:
		return true;
	case GDB_WATCH_WRITE:
	case GDB_WATCH_ACCESS:
		return (len == 1 || len == 2 || len == 4 || len == 8) && address % len == 0;
	default:
		return false;
	}
}

uint64_t x86_dr7(const struct x86_debug *debug)
{
	uint64_t dr7 = DR7_FIXED;

	for (unsigned int i = 0; i < X86_HARDWARE_BREAKS; i++) {
		const struct x86_hardware_break *b = &debug->hardware[i];
		uint64_t type = 0, len = 0;

		if (!b->on)
			continue;
		if (b->kind != GDB_BREAK_HARDWARE) {
			type = b->kind == GDB_WATCH_WRITE ? 1 : 3;
			len = b->len == 8 ? 2 : b->len - 1; /* 1, 2, 8, 4 bytes: 0 to 3 */
		}
		dr7 |= DR7_GLOBAL(i) | DR7_TYPE_LEN(i, type, len);
	}
	return dr7;
}

/* Whether a step may be made without the guest's interrupts in between (Linux 5.15). */
static uint32_t block_irq(const struct vcpu *vcpu)
{
	int flags = ioctl(vcpu->vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_SET_GUEST_DEBUG2);

	return flags > 0 ? (uint32_t)flags & KVM_GUESTDBG_BLOCKIRQ : 0;
}

static int set(struct vcpu *vcpu, const struct x86_debug *debug, uint32_t more)
{
	struct kvm_guest_debug to = { .control = more };

	if (debug->step)
		to.control |= KVM_GUESTDBG_SINGLESTEP | block_irq(vcpu);
	if (debug->software)
		to.control |= KVM_GUESTDBG_USE_SW_BP;
	for (unsigned int i = 0; i < X86_HARDWARE_BREAKS; i++) {
		if (!debug->hardware[i].on)
			continue;
		to.control |= KVM_GUESTDBG_USE_HW_BP;
		to.arch.debugreg[i] = debug->hardware[i].address;
	}
	if (to.control & KVM_GUESTDBG_USE_HW_BP)
		to.arch.debugreg[7] = x86_dr7(debug);
	if (to.control)
		to.control |= KVM_GUESTDBG_ENABLE;
	return ioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &to) < 0 ? -errno : 0;
}

int x86_debug_set(struct vcpu *vcpu, const struct x86_debug *debug)
{
	return set(vcpu, debug, 0);
}

enum x86_debug_event x86_debug_event(const struct vcpu *vcpu, const struct x86_debug *debug,
				     uint64_t *address, unsigned int *n)
{
	const struct kvm_debug_exit_arch *arch = &vcpu->run->debug.arch;

	*address = arch->pc;
	if (arch->exception == VECTOR_BP)
		return X86_DEBUG_SOFTWARE;
	if (arch->exception != VECTOR_DB)
		return X86_DEBUG_OTHER;
	for (*n = 0; *n < X86_HARDWARE_BREAKS; (*n)++)
		if (debug->hardware[*n].on && (arch->dr6 & DR6_HIT(*n)))
			return X86_DEBUG_HARDWARE;
	return debug->step ? X86_DEBUG_STEP : X86_DEBUG_OTHER;
}

int x86_debug_pass_on(struct vcpu *vcpu, const struct x86_debug *debug)
{
	const struct kvm_debug_exit_arch *arch = &vcpu->run->debug.arch;
	struct kvm_debugregs regs;

	if (arch->exception == VECTOR_BP)
		return set(vcpu, debug, KVM_GUESTDBG_INJECT_BP);
	if (ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &regs) < 0)
		return -errno;
	regs.dr6 = arch->dr6;
	if (ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &regs) < 0)
		return -errno;
	return set(vcpu, debug, KVM_GUESTDBG_INJECT_DB);
}

const char *x86_cpu_state(struct vcpu *vcpu)
{
	struct kvm_mp_state state;

	if (ioctl(vcpu->fd, KVM_GET_MP_STATE, &state) < 0)
		return "of an unknown state";
	switch (state.mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		return "running";
	case KVM_MP_STATE_HALTED:
		return "halted";
	default:
		return "waits to be started";
	}
}
