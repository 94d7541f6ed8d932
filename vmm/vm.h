/* SPDX-License-Identifier: MIT */
/* A KVM virtual machine without devices: guest memory, interrupt controllers, vCPUs, its end. */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "boot/boot.h"
#include "devices/ioapic.h"
#include "virtio/gmem.h"
#include "vmm/bus.h"

/* Guest-physical layout: RAM from 0 to the hole, the rest of it from 4 GiB on. */
#define VM_HOLE_START  0xc0000000ull
#define VM_HOLE_END    0x100000000ull
#define VM_MMIO_BASE   0xd0000000ull
#define VM_MMIO_END    0xd1000000ull /* what is between these two is virtio devices */
#define VM_PVPANIC_BASE VM_MMIO_END
#define VM_LAPIC_BASE  0xfee00000ull
#define VM_IOAPIC_BASE 0xfec01000ull /* not KVM's own, which is a page below */
/* Three pages and one that Intel's KVM keeps for itself, in the hole. */
#define VM_TSS_ADDR	     0xfffbd000ull
#define VM_IDENTITY_MAP_ADDR 0xfffbc000ull

#define VM_MIN_RAM (64ull << 20) /* less than this no distribution's kernel starts in */

/* How the machine ended, seen from outside the guest. */
enum vm_end {
	VM_RUNNING,
	VM_POWERED_OFF,
	VM_RESTARTED,
	VM_TRIPLE_FAULT,
	VM_CRASHED, /* the guest told the hypervisor that it panicked */
	VM_FAILED,  /* KVM or ninepin failed; vm_failure() says how */
};

struct vm;

/* Why a vCPU left the guest and came to ninepin; what KVM serves itself is not among them. */
enum vcpu_exit {
	VCPU_EXIT_PORT_IN,
	VCPU_EXIT_PORT_OUT,
	VCPU_EXIT_MMIO_READ,
	VCPU_EXIT_MMIO_WRITE,
	VCPU_EXIT_SIGNAL,
	VCPU_EXIT_OTHER,
	VCPU_EXITS,
};

struct vcpu {
	struct vm *vm;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
	bool parked;	   /* waits for vm_resume(); under pause.lock */
	_Atomic bool hold; /* it is to be parked */
	_Atomic unsigned int halted; /* how many looks of vm_halted() in a row found it so */
	_Atomic uint64_t exits[VCPU_EXITS]; /* written by its thread only */
};

struct vm {
	int kvm_fd;
	int fd;
	size_t run_size; /* bytes of a struct kvm_run mapping */
	struct gmem mem;
	struct vcpu vcpu[PLATFORM_MAX_CPUS];
	unsigned int ncpus;
	struct bus pio;
	struct bus mmio;
	struct ioapic ioapic;

	struct {
		pthread_mutex_t lock;
		pthread_cond_t resumed;
		unsigned int parked; /* how many are */
		/* All are parked. Called on a vCPU's thread, under the lock. */
		void (*done)(void *arg);
		void *arg;
	} pause;
	/* KVM_EXIT_DEBUG, on the vCPU's thread. NULL: nobody debugs. */
	void (*debug)(void *arg, struct vcpu *vcpu);
	void *debug_arg;

	_Atomic bool stop;
	pthread_mutex_t end_lock;
	enum vm_end end;
	struct why failure;
	/* Called once, on any thread, when the machine has ended by itself. */
	void (*on_end)(void *arg);
	void *on_end_arg;
	/* Called at each exit that is no access to a virtio device (virtio/mmio.h), or NULL. */
	void (*look)(void *arg);
	void *look_arg;
};

/*
 * Makes the machine with ram bytes of memory. Negative errno and a sentence: -ENOENT or -EACCES for
 * /dev/kvm, -ENOTSUP for a KVM that is too old, or no hardware's unless `software` is set, -ENOMEM.
 */
int vm_new(struct vm *vm, uint64_t ram, unsigned int ncpus, bool software, struct why *why);
/* Whether the processor has what KVM needs; there are KVMs in software that do without. */
bool vm_has_hardware(void);
/* Whether vm_new() would find the KVM that it needs; with its errors. */
int vm_check(struct why *why);
/* Frees everything, after vm_stop(). Safe on a struct vm that vm_new() failed on. */
void vm_free(struct vm *vm);

/* The RAM below the hole. */
struct boot_mem vm_low_ram(const struct vm *vm);

/* Sets all vCPUs up; the first one starts at entry. */
int vm_prepare(struct vm *vm, const struct boot_entry *entry, struct why *why);
/* Starts a thread for each vCPU. */
int vm_start(struct vm *vm, struct why *why);
/*
 * Makes every vCPU thread leave the guest and waits for it. A vCPU may itself wait for the calling
 * thread (a device reset for requests that it completes): meanwhile(), if not NULL, is called again
 * and again until all have stopped. False if one does not stop for seconds: it still runs, so
 * nothing of the VM may be freed.
 */
bool vm_stop(struct vm *vm, void (*meanwhile)(void *arg), void *arg);

/*
 * Pausing (vmm/pause.c). Asks every vCPU to leave the guest and to wait, its state whole; pause.done tells
 * when all do, unless the machine ends before. Any thread. Before vm_start(): none enters the guest.
 */
void vm_pause(struct vm *vm);
/* Those vCPUs whose bits are set go on, after all were paused. */
void vm_resume(struct vm *vm, uint64_t cpus);
/* On a vCPU's thread, outside of KVM: waits if it is to. */
void vcpu_park(struct vcpu *vcpu);
/*
 * To be called again and again, seconds apart: true when every CPU waits in HLT with its interrupts off, and has at
 * each of the last calls. Nothing of this machine's wakes it: so ends a guest without a power switch.
 */
bool vm_halted(struct vm *vm);

/* A rising edge on a pin of the interrupt controller (gsi < IOAPIC_PINS). Any thread. */
void vm_irq(struct vm *vm, uint32_t gsi);
/*
 * The same of an ISA device, also on the 8259s' line of that number: a kernel with a device tree takes the ports of a
 * PC for devices that no one has described, and their lines for the 8259s'.
 */
void vm_isa_irq(struct vm *vm, uint32_t irq);

/* The machine ends for this reason; the first one counts. Any thread. */
void vm_set_end(struct vm *vm, enum vm_end end, const char *failure);
enum vm_end vm_get_end(struct vm *vm);

/* vmm/x86_64: a vCPU's CPUID leaves, MSRs, and the registers that entry asks for (NULL for a CPU
 * that waits to be started by another). */
int vcpu_setup(struct vcpu *vcpu, const struct boot_entry *entry, struct why *why);

/* Runs until the VM stops (vmm/vcpu.c). */
void vcpu_loop(struct vcpu *vcpu);
/* The signal that makes KVM_RUN return, and system calls too. */
#define VCPU_KICK_SIGNAL SIGUSR1
/* Makes KVM_RUN return, but no system call fail that a device makes: for a look in passing. */
#define VCPU_PAUSE_SIGNAL SIGUSR2

#endif
