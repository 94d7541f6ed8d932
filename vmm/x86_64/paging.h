/* SPDX-License-Identifier: MIT */
/*
 * A guest's page tables in its memory, in 64-bit mode (AMD's manual, volume 2, 5.3; Intel's, volume 3,
 * 4.5). The tables are the guest's: an entry that leads out of its memory leads nowhere.
 */
#ifndef VMM_X86_64_PAGING_H
#define VMM_X86_64_PAGING_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio/gmem.h"

struct x86_paging {
	uint64_t root;	     /* guest-physical address of the highest table */
	unsigned int levels; /* 4 or 5 */
};

/* Whether a virtual address is mapped, and to where. */
bool x86_translate(const struct gmem *mem, const struct x86_paging *paging, uint64_t virt,
		   uint64_t *phys);

/*
 * The lowest mapping in the upper half of the addresses: *base is its virtual address less its
 * physical one. False if there is none, or *base is not at a boundary of 1 GiB.
 */
bool x86_first_kernel_mapping(const struct gmem *mem, const struct x86_paging *paging, uint64_t *base);

#endif
