/* SPDX-License-Identifier: MIT */
/* What a debugger does with a vCPU that does not run: its registers, steps and breakpoints. */
#ifndef VMM_X86_64_DEBUG_H
#define VMM_X86_64_DEBUG_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/gdb.h"
#include "vmm/vm.h"

#define X86_BREAK_BYTE	   0xcc /* INT3 */
#define X86_HARDWARE_BREAKS 4

/* The registers that gdb sees of x86-64, and its name for each. */
const struct gdb_registers *x86_gdb_registers(void);
/* 0 or a negative errno. */
int x86_gdb_get(struct vcpu *vcpu, uint8_t *registers);
int x86_gdb_set(struct vcpu *vcpu, const uint8_t *registers);

/* What a vCPU stops at. */
struct x86_debug {
	bool step;
	bool software; /* INT3 */
	struct x86_hardware_break {
		bool on;
		enum gdb_break kind;
		uint64_t address;
		uint64_t len; /* 1, 2, 4 or 8; a breakpoint's is 1 */
	} hardware[X86_HARDWARE_BREAKS];
};

/* Whether the processor can watch for it. Reads alone it cannot (AMD's manual, volume 2, 13.1.1.5). */
bool x86_break_is_possible(enum gdb_break kind, uint64_t address, uint64_t len);
/* The debug control register, DR7, for these. */
uint64_t x86_dr7(const struct x86_debug *debug);
/* 0 or a negative errno. */
int x86_debug_set(struct vcpu *vcpu, const struct x86_debug *debug);

/* KVM_EXIT_DEBUG: what it was, and where. */
enum x86_debug_event {
	X86_DEBUG_OTHER, /* the guest's own, which it has to get */
	X86_DEBUG_STEP,
	X86_DEBUG_SOFTWARE, /* an INT3; *address is its own */
	X86_DEBUG_HARDWARE, /* *n is which */
};
enum x86_debug_event x86_debug_event(const struct vcpu *vcpu, const struct x86_debug *debug,
				     uint64_t *address, unsigned int *n);
/* The guest gets the exception of the exit. On the vCPU's thread. */
int x86_debug_pass_on(struct vcpu *vcpu, const struct x86_debug *debug);

/* Whether it runs, sleeps or waits to be started: a word. */
const char *x86_cpu_state(struct vcpu *vcpu);

#endif
