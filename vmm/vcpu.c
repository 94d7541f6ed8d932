// SPDX-License-Identifier: MIT
/* A vCPU thread: runs the guest, serves its exits. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/vm.h"

/* What the guest wrote into memory that devices watch counts before what it does next. */
static void look(struct vm *vm)
{
	if (vm->look)
		vm->look(vm->look_arg);
}

static void serve_pio(struct vm *vm, struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	look(vm);
	/* A string instruction (rep outsb) brings many items for one port. */
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(&vm->pio, run->io.port, data, run->io.size);
		else
			bus_read(&vm->pio, run->io.port, data, run->io.size);
	}
}

static void serve_mmio(struct vm *vm, struct kvm_run *run)
{
	if (run->mmio.phys_addr < VM_MMIO_BASE || run->mmio.phys_addr >= VM_MMIO_END)
		look(vm);
	if (run->mmio.is_write)
		bus_write(&vm->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	else
		bus_read(&vm->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
}

static void serve_system_event(struct vm *vm, const struct kvm_run *run)
{
	switch (run->system_event.type) {
	case KVM_SYSTEM_EVENT_RESET:
		vm_set_end(vm, VM_RESTARTED, NULL);
		break;
	case KVM_SYSTEM_EVENT_CRASH:
		vm_set_end(vm, VM_CRASHED, NULL);
		break;
	default:
		vm_set_end(vm, VM_POWERED_OFF, NULL);
	}
}

static void fail(struct vcpu *vcpu, const char *what, unsigned long long detail)
{
	char text[256];

	snprintf(text, sizeof(text), "CPU %u: %s (%#llx): the host's kernel log may say more",
		 vcpu->id, what, detail);
	vm_set_end(vcpu->vm, VM_FAILED, text);
}

static void serve_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		serve_pio(vcpu->vm, run);
		break;
	case KVM_EXIT_MMIO:
		serve_mmio(vcpu->vm, run);
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_SHUTDOWN:
		vm_set_end(vcpu->vm, VM_TRIPLE_FAULT, NULL);
		break;
	case KVM_EXIT_DEBUG:
		if (vcpu->vm->debug)
			vcpu->vm->debug(vcpu->vm->debug_arg, vcpu);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		serve_system_event(vcpu->vm, run);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		fail(vcpu, "the processor refuses to enter the guest",
		     run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		fail(vcpu, "KVM cannot go on with an instruction of the guest's",
		     run->internal.suberror);
		break;
	default:
		fail(vcpu, "KVM returned for a reason that ninepin does not know",
		     run->exit_reason);
	}
}

/* This thread is the only one that counts: no locked instruction is needed. */
static void count_exit(struct vcpu *vcpu, enum vcpu_exit kind)
{
	_Atomic uint64_t *n = &vcpu->exits[kind];

	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static enum vcpu_exit kind_of(const struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		return run->io.direction == KVM_EXIT_IO_OUT ? VCPU_EXIT_PORT_OUT :
							      VCPU_EXIT_PORT_IN;
	case KVM_EXIT_MMIO:
		return run->mmio.is_write ? VCPU_EXIT_MMIO_WRITE : VCPU_EXIT_MMIO_READ;
	case KVM_EXIT_INTR:
		return VCPU_EXIT_SIGNAL;
	default:
		return VCPU_EXIT_OTHER;
	}
}

/* After a kick: whether the CPU is in HLT with interrupts off, or was never started. */
static void look_at_halt(struct vcpu *vcpu)
{
	struct kvm_mp_state mp;
	bool halted = false;

	if (ioctl(vcpu->fd, KVM_GET_MP_STATE, &mp) == 0)
		halted = mp.mp_state == KVM_MP_STATE_HALTED ? !vcpu->run->if_flag :
							      mp.mp_state != KVM_MP_STATE_RUNNABLE;
	atomic_store(&vcpu->halted, halted ? atomic_load(&vcpu->halted) + 1 : 0);
}

void vcpu_loop(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	while (!atomic_load_explicit(&vm->stop, memory_order_relaxed)) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) == 0) {
			count_exit(vcpu, kind_of(vcpu->run));
			serve_exit(vcpu);
			continue;
		}
		count_exit(vcpu, VCPU_EXIT_SIGNAL);
		if (errno != EINTR && errno != EAGAIN) {
			fail(vcpu, strerror(errno), (unsigned long long)errno);
			continue;
		}
		look_at_halt(vcpu);
		/* Only here: an access to a device is complete when KVM has been entered again. */
		if (atomic_load_explicit(&vcpu->hold, memory_order_relaxed))
			vcpu_park(vcpu);
	}
}
