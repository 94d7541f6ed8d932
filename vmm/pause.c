// SPDX-License-Identifier: MIT
/*
 * Pausing vCPUs, and letting them go on. A vCPU has a wish to be held (hold), which any thread may set, and
 * a state (parked), which it sets itself and vm_resume() takes back: so a vCPU that is resumed and at once
 * held again, before its thread woke, is not taken for one that has stopped again.
 */
#include <signal.h>

#include "vmm/vm.h"

void vm_pause(struct vm *vm)
{
	pthread_mutex_lock(&vm->pause.lock);
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		struct vcpu *vcpu = &vm->vcpu[i];

		atomic_store(&vcpu->hold, true);
		/* Read by KVM_RUN at its start: a signal that comes before it is not lost. */
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		if (vcpu->started && !vcpu->parked)
			pthread_kill(vcpu->thread, VCPU_PAUSE_SIGNAL);
	}
	pthread_mutex_unlock(&vm->pause.lock);
}

void vm_resume(struct vm *vm, uint64_t cpus)
{
	pthread_mutex_lock(&vm->pause.lock);
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		struct vcpu *vcpu = &vm->vcpu[i];

		if (!(cpus >> i & 1) || !vcpu->parked)
			continue;
		vcpu->parked = false;
		vm->pause.parked--;
		atomic_store(&vcpu->hold, false);
		__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	}
	pthread_cond_broadcast(&vm->pause.resumed);
	pthread_mutex_unlock(&vm->pause.lock);
}

void vcpu_park(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	pthread_mutex_lock(&vm->pause.lock);
	/* It may have been resumed in between. */
	if (atomic_load(&vcpu->hold) && !atomic_load(&vm->stop)) {
		vcpu->parked = true;
		if (++vm->pause.parked == vm->ncpus)
			vm->pause.done(vm->pause.arg);
		while (vcpu->parked && !atomic_load(&vm->stop))
			pthread_cond_wait(&vm->pause.resumed, &vm->pause.lock);
	}
	pthread_mutex_unlock(&vm->pause.lock);
}
