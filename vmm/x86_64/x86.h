/* SPDX-License-Identifier: MIT */
/* The pieces of vcpu_setup() on x86-64. */
#ifndef VMM_X86_64_X86_H
#define VMM_X86_64_X86_H

#include "vmm/vm.h"

int x86_set_cpuid(struct vcpu *vcpu, struct why *why);

#endif
