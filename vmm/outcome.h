/* SPDX-License-Identifier: MIT */
/* How a run ended: what the exit status, --result FILE and --timing say. */
#ifndef VMM_OUTCOME_H
#define VMM_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/console_log.h"
#include "vmm/usage.h"

/* Exit statuses of ninepin's own (docs/run.md); below 120 they are the command's. */
enum {
	STATUS_PANIC = 120, /* or another report that --fail-on names */
	STATUS_NO_INIT = 121,
	STATUS_NO_REPORT = 122,
	STATUS_VMM_FAILED = 123,
	STATUS_TIMEOUT = 124,
	STATUS_NOT_STARTED = 125,
	STATUS_SIGNAL = 128, /* + the signal's number */
};

enum reason {
	REASON_NONE, /* still running */
	REASON_EXIT,
	REASON_SIGNAL, /* the command died of one */
	REASON_PANIC,
	REASON_REPORT, /* --fail-on */
	REASON_TRIPLE_FAULT,
	REASON_POWER_OFF,
	REASON_RESTART,
	REASON_INIT_FAILED, /* init could not prepare the guest */
	REASON_LOST_DATA,   /* a share did not take what the command wrote */
	REASON_PROTOCOL,    /* the guest said what no init says */
	REASON_TIMEOUT,
	REASON_BOOT_TIMEOUT,
	REASON_INTERRUPTED, /* a signal to ninepin, or Ctrl-A x */
	REASON_VMM_FAILED,
	REASON_NOT_STARTED,
};

/* Moments of a run, in their order. */
enum moment {
	MOMENT_START,	/* the program starts */
	MOMENT_SETUP,	/* the machine is made */
	MOMENT_LOADED,	/* kernel and initramfs are in its memory */
	MOMENT_GUEST,	/* the first vCPU enters the guest */
	MOMENT_KERNEL,	/* the kernel takes its console */
	MOMENT_INIT,	/* the guest's init speaks */
	MOMENT_MOUNTED, /* root and shares are there */
	MOMENT_COMMAND, /* the command runs */
	MOMENT_END,
	MOMENTS,
};

struct outcome {
	enum reason reason;
	int status;		   /* ninepin's exit status */
	char message[1024];	   /* a sentence for every end but the command's own; else "" */
	char release[128];	   /* of the guest's kernel, "" if it never told */
	const char *kernel;	   /* its file, or NULL */
	const char *cmdline;	   /* NULL: the run did not come so far */
	uint64_t moment[MOMENTS]; /* ns of CLOCK_MONOTONIC; 0: never came */
	bool tainted_known;
	uint64_t tainted; /* /proc/sys/kernel/tainted at the command's end */
	uint64_t ram;	  /* bytes; 0: no guest */
	struct usage usage;
};

/* The word for a reason in the result file. */
const char *reason_name(enum reason reason);

/*
 * Writes the result as one JSON object to the descriptor; log may be NULL. 0 or a negative errno. Times are in
 * milliseconds from MOMENT_START; those that never came are null. Bytes that are no UTF-8 become \xNN.
 */
int outcome_write(const struct outcome *outcome, struct console_log *log, int fd);

/* The time line, with processor time and memory, as a table. */
void outcome_print_times(const struct outcome *outcome, FILE *to);

#endif
