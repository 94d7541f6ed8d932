/* SPDX-License-Identifier: MIT */
/* What a person at a terminal sees of runs that have not ended; without a terminal, nothing. */
#ifndef VMM_TEST_PROGRESS_H
#define VMM_TEST_PROGRESS_H

#include "vmm/test.h"

#define PROGRESS_QUIET_NS 2000000000ull /* shown after this long without news */

struct progress {
	FILE *to;	    /* a terminal */
	bool on;	    /* it is one */
	unsigned int lines; /* that are on it now */
	uint64_t news_ns;   /* when anything else was last printed */
};

/* It writes to this, if it is a terminal that can move its cursor. */
void progress_init(struct progress *progress, FILE *to, uint64_t now_ns);
/* Takes its lines away, before something else is printed. */
void progress_news(struct progress *progress, uint64_t now_ns);
/* Once a second, or so. */
void progress_tick(struct progress *progress, const struct test_run *run, size_t nruns,
		   uint64_t now_ns);

/*
 * The lines, at most so many and none longer than columns, on the stream; how many they were. For a
 * terminal of any kind, without moving its cursor.
 */
unsigned int progress_draw(FILE *to, const struct test_run *run, size_t nruns, uint64_t now_ns,
			   unsigned int rows, unsigned int columns);

#endif
