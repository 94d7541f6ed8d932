/* SPDX-License-Identifier: MIT */
/* A run as a process of its own, and its folder. */
#ifndef VMM_TEST_JOBS_H
#define VMM_TEST_JOBS_H

#include <signal.h>

#include "vmm/test.h"

/* What a child gets back of its parent's signals. */
struct test_signals {
	sigset_t mask;
	struct sigaction pipe;
};

/*
 * Makes the folder that runs' folders are in: the one of --logs, or a new one below $TMPDIR. A
 * malloc'd path, or NULL with a sentence.
 */
char *logs_make(const char *asked, struct why *why);
/* Removes the files that a run leaves, and its folder if nothing else is in it. */
void logs_remove(const struct test_run *run);

/*
 * Makes the run's folder and starts `ninepin run` with its streams in there. It ends when this
 * process does. 0, or a negative errno with a sentence.
 */
int job_start(struct test_run *run, const struct test_options *opt,
	      const struct test_signals *signals, struct why *why);

#endif
