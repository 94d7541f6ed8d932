/* SPDX-License-Identifier: MIT */
/* The pieces of vcpu_setup() on x86-64, and what is set up in its place for `ninepin bench`. */
#ifndef VMM_X86_64_X86_H
#define VMM_X86_64_X86_H

#include "vmm/vm.h"

struct bench_image;
struct core_cpu;

int x86_set_cpuid(struct vcpu *vcpu, struct why *why);

/*
 * For a VM with one vCPU whose program, loaded already, starts at ring 3 (images/bench/bench.h): n
 * lines gsi[] of the interrupt controller interrupt it. Negative errno and a sentence.
 */
int x86_ring3_setup(struct vm *vm, const struct bench_image *image, const uint8_t *gsi,
		    unsigned int n, struct why *why);

/* The registers of a vCPU that does not run, for a core. 0 or a negative errno. */
int x86_core_cpu(struct vcpu *vcpu, struct core_cpu *cpu);

#endif
