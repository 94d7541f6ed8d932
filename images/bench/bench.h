/* SPDX-License-Identifier: MIT */
/*
 * What `ninepin bench` and its guest agree on. The guest is a flat image, loaded at BENCH_IMAGE,
 * that begins with a struct bench_image. Its addresses are guest-physical ones.
 */
#ifndef IMAGES_BENCH_BENCH_H
#define IMAGES_BENCH_BENCH_H

#define BENCH_IMAGE	0x100000
#define BENCH_DEVICES	3	   /* virtio-mmio 9P devices */
#define BENCH_MMIO	0xd0000fa0 /* the first device's registers */
#define BENCH_MMIO_STRIDE 0x2000   /* from one device to the next */
#define BENCH_CONTROL	(0xd0000000 + BENCH_DEVICES * BENCH_MMIO_STRIDE)
#define BENCH_VECTOR	0x30 /* of every device's interrupt */
/*
 * Where the local interrupt controller appears: within reach of a 32-bit address, so that the
 * interrupt handler needs no register. Beyond all RAM.
 */
#define BENCH_LAPIC	0x40000000
#define BENCH_LAPIC_EOI (BENCH_LAPIC + 0xb0)

#define BENCH_MAX_DEPTH	  64
#define BENCH_MAX_SAMPLES (1 << 19) /* of one job */

/* What the guest writes to the control register. */
#define BENCH_NOTHING 0
#define BENCH_NEXT   1 /* the job is done: give the next one, by the time this write is over */
#define BENCH_FAILED 2 /* see failure */
#define BENCH_FAULT  3 /* the guest's own program went wrong */

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#include "images/bench/work.h"

struct bench_image {
	uint64_t entry;
	uint64_t irq;	 /* the interrupt's handler */
	uint64_t wait;	 /* the divide error's: waits for an interrupt */
	uint64_t fault;	 /* every other exception's */
	uint64_t shared; /* struct bench_shared */
	uint64_t stack0; /* top of the stack of ring 0 */
	uint64_t end;	 /* of the memory that the guest uses */
};

enum bench_job_kind {
	BENCH_SET_UP, /* takes the device from reset to open files */
	BENCH_EXITS,  /* writes the control register, and nothing else */
	BENCH_RUN,
};

struct bench_job {
	uint32_t kind;
	uint32_t device;
	uint32_t op; /* enum work_op */
	uint32_t depth;
	uint32_t warm_up;  /* requests before the first that is measured */
	bool irq;	   /* wait for interrupts, else spin on the used ring */
	bool kick_each;	   /* ask for a kick after each request, else after all that are ready */
	bool check_all;	   /* every byte that is read, else two words of each page */
	uint64_t requests; /* the most that are measured; 1 … BENCH_MAX_SAMPLES */
	uint64_t ticks;	   /* of the time stamp counter, after which no more are begun */
};

struct bench_shared {
	struct bench_job job;
	/* What became of it. */
	uint64_t requests; /* measured: so many samples */
	uint64_t span;	   /* ticks from the first of these to the last */
	uint64_t messages; /* all that were sent, those not measured too */
	uint64_t blocks;   /* of the file, written from its beginning on */
	char failure[96];
	uint64_t sample[BENCH_MAX_SAMPLES]; /* ticks from submission to the completion being seen,
					     * or of an exit and the way back */
};
#endif

#endif
