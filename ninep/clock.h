/* SPDX-License-Identifier: MIT */
#ifndef NINEP_CLOCK_H
#define NINEP_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of CLOCK_MONOTONIC: by the vDSO, so without a system call where the TSC is steady. */
static inline uint64_t p9_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

#endif
