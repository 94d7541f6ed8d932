// SPDX-License-Identifier: MIT
#include "images/bench/driver.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

/* Header, payload, header: the most that a request has. */
#define TABLE (2 + WORK_LARGE / WORK_PAGE)

/* An interrupt is asked for when the used index passes this far ahead: it never does. */
#define NEVER 0x8000

struct ring {
	struct vring_desc desc[DRIVER_QUEUE] __attribute__((aligned(16)));
	struct {
		uint16_t flags, idx, ring[DRIVER_QUEUE], used_event;
	} avail __attribute__((aligned(64)));
	struct {
		uint16_t flags, idx;
		struct vring_used_elem ring[DRIVER_QUEUE];
		uint16_t avail_event;
	} used __attribute__((aligned(64)));
};

static struct queue {
	struct ring ring;
	struct vring_desc table[BENCH_MAX_DEPTH][TABLE] __attribute__((aligned(16)));
	uint16_t kicked; /* the available index when a kick was last considered */
	uint16_t seen;	 /* of the used index */
	bool irq;
	uint32_t irqs; /* seen */
} queues[BENCH_DEVICES];

static uint64_t base_of(unsigned int device)
{
	return BENCH_MMIO + (uint64_t)device * BENCH_MMIO_STRIDE;
}

static uint32_t read_register(unsigned int device, unsigned int offset)
{
	return *(volatile uint32_t *)(base_of(device) + offset);
}

static void set(unsigned int device, unsigned int offset, uint32_t value)
{
	write_register(base_of(device) + offset, value);
}

static void set_address(unsigned int device, unsigned int offset, const void *p)
{
	set(device, offset, (uint32_t)(uintptr_t)p);
	set(device, offset + 4, (uint32_t)((uintptr_t)p >> 32));
}

static void negotiate(unsigned int device)
{
	static const uint64_t wanted = 1ull << VIRTIO_F_VERSION_1 |
				       1ull << VIRTIO_RING_F_EVENT_IDX |
				       1ull << VIRTIO_RING_F_INDIRECT_DESC;
	uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	set(device, VIRTIO_MMIO_STATUS, status);
	for (uint32_t half = 0; half < 2; half++) {
		uint32_t bits = (uint32_t)(wanted >> (32 * half));

		set(device, VIRTIO_MMIO_DEVICE_FEATURES_SEL, half);
		if (bits & ~read_register(device, VIRTIO_MMIO_DEVICE_FEATURES))
			fail("the device lacks a feature");
		set(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
		set(device, VIRTIO_MMIO_DRIVER_FEATURES, bits);
	}
	set(device, VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(read_register(device, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK))
		fail("the device refuses its features");
}

void driver_start(unsigned int device)
{
	struct queue *q = &queues[device];
	struct ring *ring = &q->ring;

	if (read_register(device, VIRTIO_MMIO_MAGIC_VALUE) != 0x74726976 ||
	    read_register(device, VIRTIO_MMIO_VERSION) != 2 ||
	    read_register(device, VIRTIO_MMIO_DEVICE_ID) != 9)
		fail("there is no 9P device");
	set(device, VIRTIO_MMIO_STATUS, 0);
	negotiate(device);
	set(device, VIRTIO_MMIO_QUEUE_SEL, 0);
	set(device, VIRTIO_MMIO_QUEUE_NUM, DRIVER_QUEUE);
	set_address(device, VIRTIO_MMIO_QUEUE_DESC_LOW, ring->desc);
	set_address(device, VIRTIO_MMIO_QUEUE_AVAIL_LOW, &ring->avail);
	set_address(device, VIRTIO_MMIO_QUEUE_USED_LOW, &ring->used);
	set(device, VIRTIO_MMIO_QUEUE_READY, 1);
	if (read_register(device, VIRTIO_MMIO_QUEUE_READY) != 1)
		fail("the device refuses its queue");
	set(device, VIRTIO_MMIO_STATUS,
	    VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |
		    VIRTIO_CONFIG_S_DRIVER_OK);
	driver_mode(device, false);
}

/* Stores before it are seen before loads after it are done. */
static void full_barrier(void)
{
	__asm__ volatile("mfence" ::: "memory");
}

static void ask_for_interrupt(struct queue *q)
{
	volatile uint16_t *used_event = &q->ring.avail.used_event;

	*used_event = (uint16_t)(q->seen + (q->irq ? 0 : NEVER));
}

void driver_mode(unsigned int device, bool irq)
{
	struct queue *q = &queues[device];

	q->irq = irq;
	q->irqs = irqs;
	ask_for_interrupt(q);
	full_barrier();
}

static unsigned int add(struct vring_desc *table, unsigned int n, const void *p, uint32_t len,
			uint16_t flags)
{
	table[n].addr = (uintptr_t)p;
	table[n].len = len;
	table[n].flags = flags | VRING_DESC_F_NEXT;
	table[n].next = (uint16_t)(n + 1);
	return n + 1;
}

static unsigned int add_payload(struct vring_desc *table, unsigned int n,
				const struct work_slot *slot, uint16_t flags)
{
	for (uint32_t at = 0; at < slot->data_len; at += WORK_PAGE)
		n = add(table, n, slot->data + at, WORK_PAGE, flags);
	return n;
}

void driver_submit(unsigned int device, unsigned int i, const struct work_slot *slot)
{
	struct queue *q = &queues[device];
	struct vring_desc *table = q->table[i];
	volatile uint16_t *avail_idx = &q->ring.avail.idx;
	unsigned int n;

	n = add(table, 0, slot->t, slot->t_len, 0);
	if (!slot->data_in)
		n = add_payload(table, n, slot, 0);
	n = add(table, n, slot->r, slot->r_room, VRING_DESC_F_WRITE);
	if (slot->data_in)
		n = add_payload(table, n, slot, VRING_DESC_F_WRITE);
	table[n - 1].flags &= (uint16_t)~VRING_DESC_F_NEXT;

	q->ring.desc[i].addr = (uintptr_t)table;
	q->ring.desc[i].len = (uint32_t)(n * sizeof(*table));
	q->ring.desc[i].flags = VRING_DESC_F_INDIRECT;
	q->ring.avail.ring[*avail_idx % DRIVER_QUEUE] = (uint16_t)i;
	/* x86 keeps stores in order; the compiler must, too. */
	__asm__ volatile("" ::: "memory");
	*avail_idx = (uint16_t)(*avail_idx + 1);
}

void driver_kick(unsigned int device)
{
	struct queue *q = &queues[device];
	volatile uint16_t *avail_event = &q->ring.used.avail_event;
	uint16_t old = q->kicked, new = q->ring.avail.idx;

	full_barrier();
	q->kicked = new;
	if (new != old && vring_need_event(*avail_event, new, old))
		set(device, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

static bool any_done(const struct queue *q)
{
	const volatile uint16_t *used_idx = &q->ring.used.idx;

	return *used_idx != q->seen;
}

/*
 * With interrupts, as Linux does it: what is done is only looked for when one has come, which is
 * then acknowledged by a read and a write.
 */
void driver_wait(unsigned int device)
{
	struct queue *q = &queues[device];

	if (!q->irq) {
		while (!any_done(q))
			__builtin_ia32_pause();
		return;
	}
	do {
		uint32_t status;

		while (irqs == q->irqs)
			wait_irq(q->irqs);
		q->irqs = irqs;
		status = read_register(device, VIRTIO_MMIO_INTERRUPT_STATUS);
		set(device, VIRTIO_MMIO_INTERRUPT_ACK, status);
		if (status & VIRTIO_MMIO_INT_CONFIG)
			fail("the device needs a reset");
	} while (!any_done(q));
}

bool driver_done(unsigned int device, unsigned int *i, uint32_t *len)
{
	struct queue *q = &queues[device];
	const struct vring_used_elem *e = &q->ring.used.ring[q->seen % DRIVER_QUEUE];

	if (!any_done(q)) {
		/* The wish is seen before the last look: what is done after it makes an interrupt. */
		full_barrier();
		if (!any_done(q))
			return false;
	}
	__asm__ volatile("" ::: "memory");
	*i = e->id;
	*len = e->len;
	if (*i >= BENCH_MAX_DEPTH)
		fail("the device gave back what it was not given");
	q->seen++;
	ask_for_interrupt(q);
	return true;
}
