// SPDX-License-Identifier: MIT
/*
 * The machine of `ninepin bench`: the product's own devices, one for each executor, and the guest of
 * images/bench/. The guest asks for one job after the other by a register, on the vCPU's thread.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <x86intrin.h>

#include "images/bench/bench.h"
#include "ninep/clock.h"
#include "virtio/p9.h"
#include "vmm/bench.h"
#include "vmm/loop.h"
#include "vmm/server.h"
#include "vmm/virtio_bus.h"
#include "vmm/vm.h"
#include "vmm/x86_64/x86.h"

extern const uint8_t bench_guest[], bench_guest_end[];

_Static_assert(BENCH_MMIO == VIRTIO_BUS_FIRST && BENCH_MMIO_STRIDE == VIRTIO_BUS_STRIDE &&
		       BENCH_EXECUTORS == BENCH_DEVICES,
	       "the guest knows where its devices are");
_Static_assert(BENCH_LAPIC >= VM_MIN_RAM, "beyond all RAM");

/* Interrupt lines that no old device has. */
static const uint8_t line[BENCH_DEVICES] = { 16, 17, 18 };

/* How often the cost of one is measured. */
#define EXITS 1000

struct counters {
	uint64_t exits, kicks, interrupts;
};

/* By two clocks. */
struct moment {
	uint64_t tsc, ns;
};

struct bench_machine {
	struct bench *bench;
	struct vm vm;
	struct virtio_bus virtio;
	struct loop *loop;
	struct bench_device {
		struct virtio_p9 p9;
		bool ready;
	} device[BENCH_DEVICES];
	int device_fd;		/* eventfd: the guest goes on with another device, */
	atomic_uint device_now; /* this one */

	/* The vCPU's thread only. */
	struct bench_shared *shared; /* in guest memory */
	unsigned int devices_up;
	bool exits_done;
	struct bench_turn turn; /* what the guest is doing; row NULL: not the rows' */
	struct counters before;
	struct moment first;
	struct why why;
};

/* ---- jobs ---- */

/* The thread may lose its processor between two looks: the closest of some is right. */
static struct moment moment(void)
{
	uint64_t closest = UINT64_MAX;
	struct moment best = { 0 };

	for (unsigned int i = 0; i < 8; i++) {
		uint64_t before = __rdtsc(), ns = p9_now_ns(), apart = __rdtsc() - before;

		if (apart < closest) {
			closest = apart;
			best = (struct moment){ .tsc = before + apart / 2, .ns = ns };
		}
	}
	return best;
}

/* Of the guest's time stamp counter, which runs with the host's. */
static double ns_per_tick(const struct bench_machine *m)
{
	struct moment now = moment();

	return (double)(now.ns - m->first.ns) / (double)(now.tsc - m->first.tsc);
}

static struct counters count(struct bench_machine *m)
{
	struct counters now = { 0 };

	for (unsigned int kind = 0; kind < VCPU_EXITS; kind++)
		now.exits += m->vm.vcpu[0].exits[kind];
	for (unsigned int i = 0; i < BENCH_DEVICES; i++) {
		now.kicks += m->device[i].p9.vdev.kicks;
		now.interrupts += m->device[i].p9.vdev.interrupts;
	}
	return now;
}

static void fail(struct bench_machine *m)
{
	vm_set_end(&m->vm, VM_FAILED, m->why.text);
}

static void add_samples(const struct bench_machine *m, struct p9_hist *hist)
{
	const struct bench_shared *shared = m->shared;
	double scale = ns_per_tick(m);

	for (uint64_t i = 0; i < shared->requests && i < BENCH_MAX_SAMPLES; i++)
		p9_hist_add(hist, (uint64_t)((double)shared->sample[i] * scale + 0.5));
}

/* Adds what the guest measured to its row. False if it is wrong. */
static bool take(struct bench_machine *m)
{
	const struct bench_shared *shared = m->shared;
	struct bench_row *row = m->turn.row;
	struct counters now = count(m);

	if (work_writes(row->op) &&
	    bench_files_written(&m->bench->files, row->op, shared->blocks, &m->why))
		return false;
	if (m->turn.warm_up)
		return true;
	add_samples(m, &row->hist);
	row->span_ns += (uint64_t)((double)shared->span * ns_per_tick(m));
	row->messages += shared->messages;
	/* One exit was to ask for the next job. */
	row->exits += now.exits - m->before.exits - 1;
	row->kicks += now.kicks - m->before.kicks;
	row->interrupts += now.interrupts - m->before.interrupts;
	return true;
}

static void give_turn(struct bench_machine *m)
{
	const struct bench_turn *turn = &m->turn;
	double ticks = (double)turn->ns / ns_per_tick(m);

	m->shared->job = (struct bench_job){
		.kind = BENCH_RUN,
		.device = turn->row->io,
		.op = turn->row->op,
		.depth = turn->row->depth,
		.warm_up = 2 * turn->row->depth,
		.irq = turn->row->mode == BENCH_IRQ,
		.kick_each = m->bench->opt.kick_each,
		.check_all = turn->warm_up,
		.requests = turn->requests < BENCH_MAX_SAMPLES ? turn->requests : BENCH_MAX_SAMPLES,
		/* Some days at most, so that the guest's sum does not overflow. */
		.ticks = ticks < 1e15 ? (uint64_t)ticks : (uint64_t)1e15,
	};
}

/* Has the loop do the work of this device's server. */
static void go_on_with(struct bench_machine *m, unsigned int device)
{
	uint64_t one = 1;

	atomic_store(&m->device_now, device);
	(void)!write(m->device_fd, &one, sizeof(one));
}

/* The guest is done with what it was given. */
static void next_job(struct bench_machine *m)
{
	if (m->turn.row && !take(m)) {
		fail(m);
		return;
	}
	if (!m->turn.row && m->exits_done)
		add_samples(m, &m->bench->rows.exit);
	while (m->devices_up < BENCH_DEVICES && !m->device[m->devices_up].ready)
		m->devices_up++;
	if (m->devices_up < BENCH_DEVICES) {
		go_on_with(m, m->devices_up);
		m->shared->job = (struct bench_job){
			.kind = BENCH_SET_UP,
			.device = m->devices_up++,
		};
	} else if (!m->exits_done) {
		m->shared->job = (struct bench_job){ .kind = BENCH_EXITS, .requests = EXITS };
	} else if (bench_rows_next(&m->bench->rows, &m->turn)) {
		go_on_with(m, m->turn.row->io);
		give_turn(m);
	} else {
		vm_set_end(&m->vm, VM_POWERED_OFF, NULL);
	}
	m->exits_done = m->shared->job.kind != BENCH_SET_UP;
	m->before = count(m);
}

static void guest_failed(struct bench_machine *m)
{
	char what[sizeof(m->shared->failure)];

	memcpy(what, m->shared->failure, sizeof(what));
	what[sizeof(what) - 1] = '\0';
	if (m->turn.row)
		bench_failed(&m->why, -EPROTO, m->turn.row, what);
	else
		why_fail(&m->why, -EPROTO, "the guest cannot begin: %s", what);
	fail(m);
}

static void control_write(void *dev, uint64_t offset, const void *data, unsigned int len)
{
	struct bench_machine *m = dev;
	uint32_t value;

	if (offset || len != sizeof(value))
		return;
	memcpy(&value, data, sizeof(value));
	switch (value) {
	case BENCH_NOTHING:
		break;
	case BENCH_NEXT:
		next_job(m);
		break;
	case BENCH_FAILED:
		guest_failed(m);
		break;
	default:
		why_fail(&m->why, -EFAULT, "the guest's program went wrong (a processor exception)");
		fail(m);
	}
}

static void control_read(void *dev, uint64_t offset, void *data, unsigned int len)
{
	(void)dev;
	(void)offset;
	memset(data, 0, len);
}

/* ---- the machine ---- */

static int add_device(struct bench_machine *m, unsigned int i, struct why *why)
{
	struct bench_device *device = &m->device[i];
	int err = virtio_p9_init(&device->p9, &m->vm.mem, m->bench->side[i].session, "bench");

	if (err)
		return why_fail(why, err, "no device can be made: %s", strerror(-err));
	device->ready = true;
	virtio_bus_add(&m->virtio, i, &device->p9.vdev, line[i]);
	return 0;
}

static int load(struct bench_machine *m, struct why *why)
{
	size_t size = (size_t)(bench_guest_end - bench_guest);
	struct boot_mem ram = vm_low_ram(&m->vm);
	struct bench_image image;

	memcpy(&image, bench_guest, sizeof(image));
	if (image.end > ram.size)
		return why_fail(why, -EFBIG, "the guest is larger than its memory");
	/* Touched first, so that no page comes in while something is measured. */
	memset(ram.host, 0, image.end);
	memcpy((uint8_t *)ram.host + BENCH_IMAGE, bench_guest, size);
	m->shared = (void *)((uint8_t *)ram.host + image.shared);
	return x86_ring3_setup(&m->vm, &image, line, BENCH_DEVICES, why);
}

static void ended(void *arg)
{
	struct bench_machine *m = arg;

	loop_stop(m->loop);
}

static int make(struct bench_machine *m, struct why *why)
{
	int err = vm_new(&m->vm, VM_MIN_RAM, 1, true, why) ?:
			  virtio_bus_init(&m->virtio, &m->vm, why);

	m->vm.on_end = ended;
	m->vm.on_end_arg = m;
	for (unsigned int i = 0; i < BENCH_DEVICES && !err; i++)
		if (m->bench->side[i].server)
			err = add_device(m, i, why);
	if (err)
		return err;
	bus_add(&m->vm.mmio, &(struct bus_range){
		.base = BENCH_CONTROL,
		.size = sizeof(uint32_t),
		.dev = m,
		.read = control_read,
		.write = control_write,
	});
	return load(m, why);
}

/* ---- the main thread, which is the rings' ---- */

/* The loop sleeps in the ring that is measured, if it is one, as that of `ninepin run` does. */
static void drive(void *arg, short revents)
{
	struct bench_machine *m = arg;
	uint64_t count;

	(void)revents;
	(void)!read(m->device_fd, &count, sizeof(count));
	server_drive(m->bench->side[atomic_load(&m->device_now)].server, m->loop);
}

static void serve_rings(void *arg)
{
	struct bench *b = arg;

	for (unsigned int i = 0; i < BENCH_EXECUTORS; i++)
		if (b->side[i].server)
			p9_server_run(b->side[i].server);
}

static void signalled(void *arg, short revents)
{
	struct bench_machine *m = arg;

	(void)revents;
	if (bench_signalled(m->bench))
		loop_stop(m->loop);
}

static int run(struct bench_machine *m, struct why *why)
{
	struct bench *b = m->bench;
	int err;

	loop_watch(m->loop, m->device_fd, POLLIN, drive, m);
	loop_watch(m->loop, b->signal_fd, POLLIN, signalled, m);
	m->first = moment();
	/* A thread begins on the CPU of the one that makes it. */
	bench_pin(false);
	err = vm_start(&m->vm, why);
	bench_pin(true);
	if (err)
		return err;
	err = loop_run(m->loop);
	if (err)
		return why_fail(why, err, "waiting for events failed: %s", strerror(-err));
	if (vm_get_end(&m->vm) == VM_FAILED)
		return why_fail(why, -EIO, "%s", m->vm.failure.text);
	if (!b->signal && vm_get_end(&m->vm) != VM_POWERED_OFF)
		return why_fail(why, -EIO, "the guest's processor shut down (triple fault)");
	return 0;
}

int bench_vm(struct bench *bench, struct why *why)
{
	static struct bench_machine machine; /* large: a slot for each entry of a queue */
	struct bench_machine *m = &machine;
	int err;

	m->bench = bench;
	m->loop = loop_new();
	m->device_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!m->loop || m->device_fd < 0)
		return why_fail(why, -ENOMEM, "there is no memory left to start");
	err = make(m, why);
	if (!err)
		err = run(m, why);
	bench->stuck = !vm_stop(&m->vm, serve_rings, bench);
	if (bench->stuck)
		return err;
	for (unsigned int i = 0; i < BENCH_DEVICES; i++) {
		if (!m->device[i].ready)
			continue;
		virtio_quiesce(&m->device[i].p9.vdev);
		virtio_p9_destroy(&m->device[i].p9);
	}
	vm_free(&m->vm);
	virtio_bus_free(&m->virtio);
	loop_free(m->loop);
	close(m->device_fd);
	return err;
}
