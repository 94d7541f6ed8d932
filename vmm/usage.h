/* SPDX-License-Identifier: MIT */
/* What a run took: processor time and memory. */
#ifndef VMM_USAGE_H
#define VMM_USAGE_H

#include <stdint.h>

struct usage {
	/* Milliseconds of processor time of this process, all threads: in the guest (by clock ticks, mostly of 10 ms),
	 * and outside of it. */
	uint64_t guest_ms;
	uint64_t user_ms;
	uint64_t system_ms;
	uint64_t peak_kib; /* the most memory that was resident, the guest's included */
};

/* What cannot be read is 0. */
void usage_take(struct usage *usage);

#endif
