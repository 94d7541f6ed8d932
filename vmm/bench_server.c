// SPDX-License-Identifier: MIT
/* `ninepin bench --server-only`: the requests of images/bench/work.c, by p9_submit() alone. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "images/bench/bench.h"
#include "ninep/clock.h"
#include "vmm/bench.h"
#include "vmm/server.h"

/* How often a signal is looked for while requests end without a wait. */
#define LOOK_NS (10ull * 1000 * 1000)

struct flight {
	struct driver *driver;
	struct work_slot slot;
	uint8_t t[WORK_BUFFER], r[WORK_BUFFER];
	uint64_t begun, ended; /* ns */
	uint32_t len;	       /* of the reply */
	atomic_bool done;
};

struct driver {
	struct bench *bench;
	pthread_t thread; /* this one: the ring's, too */
	struct loop *loop; /* where it sleeps */
	int wake_fd;	   /* eventfd: a request has ended on another thread */
	uint8_t *data;	  /* payloads, page-aligned */
	struct work work[BENCH_EXECUTORS];
	struct flight flight[BENCH_MAX_DEPTH];
};

/* On whatever thread the request ended. */
static void done(void *opaque, size_t len)
{
	struct flight *f = opaque;
	struct driver *d = f->driver;
	bool elsewhere = !pthread_equal(pthread_self(), d->thread);
	int wake_fd = d->wake_fd;
	uint64_t one = 1;

	f->ended = p9_now_ns();
	f->len = (uint32_t)len;
	atomic_store_explicit(&f->done, true, memory_order_release);
	if (elsewhere)
		(void)!write(wake_fd, &one, sizeof(one));
}

static bool take_done(struct flight *f)
{
	if (!atomic_load_explicit(&f->done, memory_order_acquire))
		return false;
	atomic_store_explicit(&f->done, false, memory_order_relaxed);
	return true;
}

/* The request's pieces are a guest's: messages apart from payloads, and these in pages. */
static int submit(struct driver *d, const struct bench_side *side, struct flight *f)
{
	struct iovec t_iov[1 + WORK_LARGE / WORK_PAGE], r_iov[1 + WORK_LARGE / WORK_PAGE];
	const struct work_slot *slot = &f->slot;
	struct p9_pieces t = { .iov = t_iov, .n = 1, .len = slot->t_len };
	struct p9_pieces r = { .iov = r_iov, .n = 1, .len = slot->r_room };

	t_iov[0] = (struct iovec){ .iov_base = slot->t, .iov_len = slot->t_len };
	r_iov[0] = (struct iovec){ .iov_base = slot->r, .iov_len = slot->r_room };
	for (uint32_t at = 0; at < slot->data_len; at += WORK_PAGE) {
		struct iovec *iov = slot->data_in ? &r_iov[r.n++] : &t_iov[t.n++];

		*iov = (struct iovec){ .iov_base = slot->data + at, .iov_len = WORK_PAGE };
		*(slot->data_in ? &r.len : &t.len) += WORK_PAGE;
	}
	f->driver = d;
	f->begun = p9_now_ns();
	return p9_submit(side->session, &t, &r, done, f);
}

static void woken(void *arg, short revents)
{
	struct driver *d = arg;
	uint64_t count;

	(void)revents;
	(void)!read(d->wake_fd, &count, sizeof(count));
}

static void signalled(void *arg, short revents)
{
	struct driver *d = arg;

	(void)revents;
	bench_signalled(d->bench);
}

static int set_up(struct driver *d, enum p9_executor io, struct why *why)
{
	struct bench_side *side = &d->bench->side[io];
	struct flight *f = &d->flight[0];

	server_drive(side->server, d->loop);
	for (unsigned int step = 0; step < WORK_STEPS; step++) {
		const char *wrong;
		int err;

		work_set_up(step, &f->slot);
		err = submit(d, side, f);
		if (err)
			return why_fail(why, err, "the server takes no request: %s", strerror(-err));
		while (!take_done(f)) {
			loop_turn(d->loop);
			if (d->bench->signal)
				return 0;
		}
		wrong = work_set_up_check(&d->work[io], step, &f->slot, f->len);
		if (wrong)
			return why_fail(why, -EPROTO, "io=%s: %s", bench_io_name[io], wrong);
	}
	return 0;
}

static int next(struct driver *d, const struct bench_turn *turn, struct flight *f, struct why *why)
{
	int err;

	work_next(&d->work[turn->row->io], &f->slot);
	if (!turn->warm_up)
		turn->row->messages++;
	err = submit(d, &d->bench->side[turn->row->io], f);
	return err ? bench_failed(why, err, turn->row, strerror(-err)) : 0;
}

static int run(struct driver *d, const struct bench_turn *turn, struct why *why)
{
	struct bench_row *row = turn->row;
	struct work *work = &d->work[row->io];
	unsigned int in_flight = row->depth, warm_up = 2 * row->depth;
	uint64_t start = p9_now_ns(), look = start + LOOK_NS, first = 0, measured = 0, span = 0;
	uint64_t ended = start;
	bool over = false;
	int err = 0;

	server_drive(d->bench->side[row->io].server, d->loop);
	work_begin(work, row->op, turn->warm_up);
	for (unsigned int i = 0; i < row->depth && !err; i++)
		err = next(d, turn, &d->flight[i], why);
	while (in_flight && !err) {
		bool any = false;

		for (unsigned int i = 0; i < row->depth && !err; i++) {
			struct flight *f = &d->flight[i];
			const char *wrong;

			if (!take_done(f))
				continue;
			any = true;
			ended = f->ended;
			wrong = work_check(work, &f->slot, f->len);
			if (wrong)
				return bench_failed(why, -EPROTO, row, wrong);
			if (over || !f->slot.measured) {
			} else if (warm_up) {
				warm_up--;
				first = f->ended;
			} else {
				if (!turn->warm_up)
					p9_hist_add(&row->hist, f->ended - f->begun);
				if (f->ended > first)
					span = f->ended - first;
				over = ++measured == turn->requests;
			}
			over |= f->ended - start > turn->ns;
			if (over && work_idle(&f->slot))
				in_flight--;
			else
				err = next(d, turn, f, why);
		}
		if (!any && in_flight)
			loop_turn(d->loop);
		if (ended > look) {
			look = ended + LOOK_NS;
			bench_signalled(d->bench);
		}
		if (d->bench->signal)
			return 0;
	}
	if (!turn->warm_up)
		row->span_ns += span;
	if (!err && work_writes(row->op))
		err = bench_files_written(&d->bench->files, row->op, work->next_block, why);
	return err;
}

static int measure(struct driver *d, struct why *why)
{
	struct bench *b = d->bench;
	struct bench_turn turn;
	int err = 0;

	for (unsigned int i = 0; i < BENCH_MAX_DEPTH; i++) {
		struct flight *f = &d->flight[i];

		f->slot.t = f->t;
		f->slot.r = f->r;
		f->slot.data = d->data + (size_t)i * WORK_LARGE;
		work_slot_init(&f->slot, (uint16_t)i);
	}
	for (unsigned int io = 0; io < BENCH_EXECUTORS && !err; io++)
		if (b->side[io].server)
			err = set_up(d, io, why);
	while (!err && !bench_signalled(b) && bench_rows_next(&b->rows, &turn))
		err = run(d, &turn, why);
	/* What is still in flight, or just ends on another thread, uses what is freed now. */
	for (unsigned int io = 0; io < BENCH_EXECUTORS; io++)
		if (b->side[io].session)
			p9_session_reset(b->side[io].session);
	return err;
}

int bench_server(struct bench *bench, struct why *why)
{
	struct driver *d = calloc(1, sizeof(*d));
	int err = -ENOMEM;

	if (d) {
		d->data = aligned_alloc(WORK_PAGE, (size_t)BENCH_MAX_DEPTH * WORK_LARGE);
		d->loop = loop_new();
	}
	if (d && d->data && d->loop) {
		d->bench = bench;
		d->thread = pthread_self();
		d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = d->wake_fd < 0 ? -errno : 0;
	}
	if (err) {
		why_fail(why, err, "nothing can be measured: %s", strerror(-err));
	} else {
		loop_watch(d->loop, d->wake_fd, POLLIN, woken, d);
		loop_watch(d->loop, bench->signal_fd, POLLIN, signalled, d);
		bench_pin(false);
		err = measure(d, why);
		close(d->wake_fd);
	}
	if (d) {
		free(d->data);
		loop_free(d->loop);
	}
	free(d);
	return err;
}
