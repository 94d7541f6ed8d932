/* SPDX-License-Identifier: MIT */
/* What `ninepin run --stats` prints at the end of a run. */
#ifndef VMM_STATS_H
#define VMM_STATS_H

#include <stdio.h>

#include "vmm/machine.h"

/*
 * For each share the table of its 9P messages, kicks and interrupts; then the exits of all vCPUs.
 * share[] is what the machine was made with. The vCPUs must have stopped.
 */
void stats_print(FILE *out, const struct machine *m, const struct machine_share *share);

/* In three digits: a time, "1.52µs", and bytes, "15.2K" (of 1024). Returns text. */
const char *stats_time(char text[16], uint64_t ns);
const char *stats_bytes(char text[16], uint64_t bytes);

#endif
