// SPDX-License-Identifier: MIT
/* The guest of `ninepin bench`: does one job after the other, as the VMM gives them. */
#include "images/bench/driver.h"

struct bench_shared bench_shared;

static struct {
	uint8_t t[WORK_BUFFER], r[WORK_BUFFER], data[WORK_LARGE];
} buffer[BENCH_MAX_DEPTH] __attribute__((aligned(WORK_PAGE)));

static struct work_slot slot[BENCH_MAX_DEPTH];
static uint64_t submitted[BENCH_MAX_DEPTH];
/* Each device's session knows the files by other numbers. */
static struct work works[BENCH_DEVICES];

void fail(const char *what)
{
	unsigned int i = 0;

	for (; i < sizeof(bench_shared.failure) - 1 && what[i]; i++)
		bench_shared.failure[i] = what[i];
	bench_shared.failure[i] = '\0';
	for (;;)
		write_register(BENCH_CONTROL, BENCH_FAILED);
}

static void fail_if(const char *wrong)
{
	if (wrong)
		fail(wrong);
}

static void set_up(unsigned int device)
{
	unsigned int i;
	uint32_t len;

	driver_start(device);
	for (unsigned int step = 0; step < WORK_STEPS; step++) {
		work_set_up(step, &slot[0]);
		driver_submit(device, 0, &slot[0]);
		driver_kick(device);
		do {
			driver_wait(device);
		} while (!driver_done(device, &i, &len));
		fail_if(work_set_up_check(&works[device], step, &slot[0], len));
	}
}

static void submit(const struct bench_job *job, unsigned int i)
{
	work_next(&works[job->device], &slot[i]);
	submitted[i] = ticks();
	driver_submit(job->device, i, &slot[i]);
	bench_shared.messages++;
	if (job->kick_each)
		driver_kick(job->device);
}

static void run(const struct bench_job *job)
{
	struct bench_shared *shared = &bench_shared;
	struct work *work = &works[job->device];
	unsigned int in_flight = job->depth, warm_up = job->warm_up;
	uint64_t first = 0, end = ticks() + job->ticks;
	bool over = false;

	work_begin(work, job->op, job->check_all);
	driver_mode(job->device, job->irq);
	for (unsigned int i = 0; i < job->depth; i++)
		submit(job, i);
	driver_kick(job->device);
	while (in_flight) {
		struct {
			unsigned int i;
			uint32_t len;
			uint64_t seen;
		} done[BENCH_MAX_DEPTH];
		unsigned int n = 0;

		driver_wait(job->device);
		/* Stamped before anything is checked: that takes time, too. */
		while (n < job->depth && driver_done(job->device, &done[n].i, &done[n].len))
			done[n++].seen = ticks();
		for (unsigned int k = 0; k < n; k++) {
			unsigned int i = done[k].i;
			bool measured = slot[i].measured;

			fail_if(work_check(work, &slot[i], done[k].len));
			if (over) {
				/* Fewer are in flight than the depth says: no measure of it. */
			} else if (measured && warm_up) {
				warm_up--;
				first = done[k].seen;
			} else if (measured) {
				shared->sample[shared->requests++] = done[k].seen - submitted[i];
				shared->span = done[k].seen - first;
				over = shared->requests == job->requests;
			}
			over |= (int64_t)(done[k].seen - end) > 0;
			if (over && work_idle(&slot[i]))
				in_flight--;
			else
				submit(job, i);
		}
		driver_kick(job->device);
	}
	shared->blocks = work->next_block;
}

static void exits(const struct bench_job *job)
{
	for (uint64_t i = 0; i < job->requests; i++) {
		uint64_t begun = ticks();

		write_register(BENCH_CONTROL, BENCH_NOTHING);
		bench_shared.sample[i] = ticks() - begun;
	}
	bench_shared.requests = job->requests;
}

void guest_main(void);
void guest_main(void)
{
	for (unsigned int i = 0; i < BENCH_MAX_DEPTH; i++) {
		slot[i].t = buffer[i].t;
		slot[i].r = buffer[i].r;
		slot[i].data = buffer[i].data;
		work_slot_init(&slot[i], (uint16_t)i);
	}
	for (;;) {
		struct bench_job job;

		write_register(BENCH_CONTROL, BENCH_NEXT);
		job = bench_shared.job;
		bench_shared.requests = 0;
		bench_shared.span = 0;
		bench_shared.messages = 0;
		bench_shared.blocks = 0;
		if (job.kind == BENCH_SET_UP)
			set_up(job.device);
		else if (job.kind == BENCH_EXITS)
			exits(&job);
		else
			run(&job);
	}
}
