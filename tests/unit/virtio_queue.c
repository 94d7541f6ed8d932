// SPDX-License-Identifier: MIT
/* The queue and the transport, against a guest that keeps the rules and guests that do not. */
#include <errno.h>

#include "driver.h"
#include "kselftest_harness.h"
#include "virtio/rng.h"

#define EVENT_IDX (1ull << VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT  (1ull << VIRTIO_RING_F_INDIRECT_DESC)
#define VERSION_1 (1ull << VIRTIO_F_VERSION_1)

/* ---- guest memory ---- */

TEST(slices_stay_inside)
{
	static uint8_t low_ram[4096], high_ram[4096];
	uint8_t *low = low_ram, *high = high_ram;
	struct gmem mem = {
		.region = { { 0, 4096, low }, { 1ull << 32, 4096, high } },
		.nregions = 2,
	};

	EXPECT_EQ(gmem_slice(&mem, 0, 4096), low);
	EXPECT_EQ(gmem_slice(&mem, 4095, 1), low + 4095);
	EXPECT_EQ(gmem_slice(&mem, 4095, 2), NULL);
	EXPECT_EQ(gmem_slice(&mem, 4096, 0), NULL);
	EXPECT_EQ(gmem_slice(&mem, 1ull << 32, 4096), high);
	EXPECT_EQ(gmem_slice(&mem, (1ull << 32) - 1, 1), NULL);
	EXPECT_EQ(gmem_slice(&mem, UINT64_MAX, 2), NULL);
	EXPECT_EQ(gmem_slice(&mem, 8, UINT64_MAX), NULL);
	EXPECT_EQ(gmem_slice(&mem, UINT64_MAX - 8, 16), NULL);
}

/* ---- a queue that is driven by hand, with the entropy device behind it ---- */

FIXTURE(queue)
{
	struct driver drv;
	struct virtio_rng rng;
	struct virtq *q;
	struct virtq_chain chain;
};

FIXTURE_SETUP(queue)
{
	driver_init(&self->drv);
	virtio_rng_init(&self->rng, &self->drv.mem);
	driver_attach(&self->drv, &self->rng.vdev);
	self->q = &self->rng.vdev.queue[0];
}

FIXTURE_TEARDOWN(queue)
{
	virtio_destroy(&self->rng.vdev);
	driver_free(&self->drv);
}

/* Set up, but not live: the test pops by itself. */
static bool by_hand(struct driver *d, uint64_t features, uint16_t size)
{
	return driver_negotiate(d, features | VERSION_1) && driver_queue_setup(d, 0, size);
}

TEST_F(queue, registers)
{
	struct driver *d = &self->drv;

	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_VERSION), 2);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_DEVICE_ID), 4);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_QUEUE_NUM_MAX), VIRTQ_MAX_SIZE);
	driver_write(d, VIRTIO_MMIO_QUEUE_SEL, 1);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_SEL, 0xffffffff);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_QUEUE_READY), 0);
	/* Neither the end of the configuration space nor odd widths read anything. */
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_CONFIG), 0);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_SIZE - 4), 0);
}

TEST_F(queue, features_are_checked)
{
	/* A legacy driver, and one that takes what was not offered. */
	EXPECT_FALSE(driver_negotiate(&self->drv, 0));
	EXPECT_FALSE(driver_negotiate(&self->drv, VERSION_1 | 1ull << 5));
	EXPECT_TRUE(driver_negotiate(&self->drv, VERSION_1 | EVENT_IDX | INDIRECT));
	/* DRIVER_OK without FEATURES_OK is an error of the driver's. */
	driver_negotiate(&self->drv, 0);
	driver_ok(&self->drv);
	EXPECT_TRUE(driver_read(&self->drv, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

TEST_F(queue, bad_rings_do_not_start)
{
	struct driver *d = &self->drv;
	static const uint64_t places[][3] = {
		{ GUEST_BASE + 8, GUEST_BASE + 4096, GUEST_BASE + 8192 },     /* descriptors: 16 */
		{ GUEST_BASE, GUEST_BASE + 4097, GUEST_BASE + 8192 },	      /* available: 2 */
		{ GUEST_BASE, GUEST_BASE + 4096, GUEST_BASE + 8194 },	      /* used: 4 */
		{ 0, GUEST_BASE + 4096, GUEST_BASE + 8192 },		      /* no RAM */
		{ GUEST_BASE, GUEST_BASE + GUEST_RAM - 8, GUEST_BASE + 8192 }, /* past its end */
		{ GUEST_BASE, GUEST_BASE + 4096, GUEST_BASE + GUEST_RAM - 8 },
	};
	static const uint16_t sizes[] = { 0, 3, 255, VIRTQ_MAX_SIZE * 2 };

	ASSERT_TRUE(driver_negotiate(d, VERSION_1));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct virtq q = {
			.mem = &d->mem,
			.size = 16,
			.desc_gpa = places[i][0],
			.avail_gpa = places[i][1],
			.used_gpa = places[i][2],
		};

		EXPECT_EQ(virtq_start(&q), -EINVAL);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		EXPECT_FALSE(driver_queue_setup(d, 0, sizes[i]));
	EXPECT_TRUE(driver_queue_setup(d, 0, 16));
}

TEST_F(queue, pops_pieces_in_order)
{
	struct driver *d = &self->drv;
	uint64_t a = driver_put(d, "abc", 3), b = driver_alloc(d, 100);
	struct piece p[] = { { a, 3, false }, { a, 0, false }, { b, 100, true } };
	uint16_t head;

	ASSERT_TRUE(by_hand(d, 0, 8));
	EXPECT_EQ(virtq_pop(self->q, &self->chain), 0);
	head = driver_add(d, 0, p, 3);
	ASSERT_EQ(virtq_pop(self->q, &self->chain), 1);
	EXPECT_EQ(self->chain.head, head);
	EXPECT_EQ(self->chain.nout, 2);
	EXPECT_EQ(self->chain.nin, 1);
	EXPECT_EQ(self->chain.out_len, 3);
	EXPECT_EQ(self->chain.in_len, 100);
	EXPECT_EQ(memcmp(self->chain.iov[0].iov_base, "abc", 3), 0);
	EXPECT_EQ(virtq_pop(self->q, &self->chain), 0);
	virtq_push(self->q, head, 42);
	EXPECT_EQ(d->q[0].used->idx, 1);
	EXPECT_EQ(d->q[0].used->ring[0].id, head);
	EXPECT_EQ(d->q[0].used->ring[0].len, 42);
}

/* The indices are 16 bits and wrap. */
TEST_F(queue, wraps)
{
	struct driver *d = &self->drv;
	struct piece p = { driver_alloc(d, 16), 16, true };
	int popped = 0;

	ASSERT_TRUE(by_hand(d, 0, 4));
	for (int i = 0; i < 70000; i++) {
		uint16_t head = driver_add(d, 0, &p, 1);

		if (virtq_pop(self->q, &self->chain) == 1 && self->chain.head == head)
			popped++;
		virtq_push(self->q, head, (uint32_t)i);
		if (driver_take(d, 0)->len != (uint32_t)i)
			break;
	}
	EXPECT_EQ(popped, 70000);
}

TEST_F(queue, indirect)
{
	struct driver *d = &self->drv;
	uint64_t data = driver_alloc(d, 4096);
	struct vring_desc table[200];
	uint64_t gpa;

	for (unsigned int i = 0; i < 200; i++)
		table[i] = (struct vring_desc){
			.addr = data + 2 * i,
			.len = 1,
			.flags = (i < 199 ? VRING_DESC_F_NEXT : 0) | (i >= 100 ? VRING_DESC_F_WRITE : 0),
			.next = (uint16_t)(i + 1),
		};
	gpa = driver_alloc(d, sizeof(table) + 16);
	/* The specification asks for no alignment of it. */
	for (unsigned int offset = 0; offset < 16; offset++) {
		memcpy(driver_mem(d, gpa + offset), table, sizeof(table));
		ASSERT_TRUE(by_hand(d, INDIRECT, 8));
		d->q[0].desc[0] = (struct vring_desc){
			gpa + offset, sizeof(table), VRING_DESC_F_INDIRECT, 0
		};
		driver_offer(&d->q[0], 0);
		ASSERT_EQ(virtq_pop(self->q, &self->chain), 1);
		EXPECT_EQ(self->chain.nout, 100);
		EXPECT_EQ(self->chain.nin, 100);
		EXPECT_EQ(self->chain.iov[199].iov_base, driver_mem(d, data + 2 * 199));
	}
}

/* A driver has to give a descriptor to each page; neighbouring ones are one piece. */
TEST_F(queue, neighbours_are_one_piece)
{
	struct driver *d = &self->drv;
	uint64_t a = driver_alloc(d, 4096), b = driver_alloc(d, 4096);
	struct piece p[] = {
		{ a, 10, false },     { a + 10, 20, false }, { a + 31, 1, false },
		{ a + 32, 8, true }, /* of the other direction */
		{ b, 100, true },     { b + 100, 0, true },  { b + 100, 50, true },
		{ b + 50, 10, true },
	};

	ASSERT_TRUE(by_hand(d, 0, 8));
	driver_add(d, 0, p, 8);
	ASSERT_EQ(virtq_pop(self->q, &self->chain), 1);
	ASSERT_EQ(self->chain.nout, 2);
	ASSERT_EQ(self->chain.nin, 3);
	EXPECT_EQ(self->chain.out_len, 31);
	EXPECT_EQ(self->chain.in_len, 168);
	EXPECT_EQ(self->chain.iov[0].iov_base, driver_mem(d, a));
	EXPECT_EQ(self->chain.iov[0].iov_len, 30);
	EXPECT_EQ(self->chain.iov[1].iov_base, driver_mem(d, a + 31));
	EXPECT_EQ(self->chain.iov[2].iov_base, driver_mem(d, a + 32));
	EXPECT_EQ(self->chain.iov[3].iov_base, driver_mem(d, b));
	EXPECT_EQ(self->chain.iov[3].iov_len, 150);
	EXPECT_EQ(self->chain.iov[4].iov_base, driver_mem(d, b + 50));
	EXPECT_EQ(self->chain.iov[4].iov_len, 10);
}

/* Each of these must be refused; none may be followed. */
TEST_F(queue, broken_chains)
{
	struct driver *d = &self->drv;
	uint64_t ok = driver_alloc(d, 4096);
	uint64_t inner = driver_alloc(d, 64);
	struct vring_desc *in = driver_mem(d, inner);
	const struct {
		struct vring_desc desc[2];
		struct vring_desc indirect[2];
	} cases[] = {
		{ { { 0, 16, 0, 0 } }, {} },						/* no RAM */
		{ { { GUEST_BASE + GUEST_RAM - 8, 16, 0, 0 } }, {} },			/* past it */
		{ { { UINT64_MAX - 4, 16, 0, 0 } }, {} },				/* wraps */
		{ { { ok, 16, VRING_DESC_F_NEXT, 0 } }, {} },				/* loop */
		{ { { ok, 16, VRING_DESC_F_NEXT, 8 } }, {} },				/* outside */
		{ { { ok, 16, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1 }, { ok, 16, 0, 0 } }, {} },
		{ { { inner, 24, VRING_DESC_F_INDIRECT, 0 } }, { { ok, 1, 0, 0 } } },	/* size */
		{ { { inner, 0, VRING_DESC_F_INDIRECT, 0 } }, { { ok, 1, 0, 0 } } },	/* empty */
		{ { { inner, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1 }, { ok, 1, 0, 0 } },
		  { { ok, 1, 0, 0 } } },
		{ { { inner, 16, VRING_DESC_F_INDIRECT, 0 } },
		  { { inner, 16, VRING_DESC_F_INDIRECT, 0 } } },			/* nested */
		{ { { inner, 32, VRING_DESC_F_INDIRECT, 0 } },
		  { { ok, 1, VRING_DESC_F_NEXT, 1 }, { ok, 1, VRING_DESC_F_NEXT, 0 } } },
		{ { { inner, 0xfffffff0, VRING_DESC_F_INDIRECT, 0 } }, { { ok, 1, 0, 0 } } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		TH_LOG("case %zu", i);
		ASSERT_TRUE(by_hand(d, INDIRECT, 8));
		memcpy(d->q[0].desc, cases[i].desc, sizeof(cases[i].desc));
		memcpy(in, cases[i].indirect, sizeof(cases[i].indirect));
		driver_offer(&d->q[0], 0);
		EXPECT_EQ(virtq_pop(self->q, &self->chain), -EINVAL);
	}
	/* A head, and a number of new chains, that cannot be. */
	ASSERT_TRUE(by_hand(d, 0, 8));
	driver_offer(&d->q[0], 8);
	EXPECT_EQ(virtq_pop(self->q, &self->chain), -EINVAL);
	ASSERT_TRUE(by_hand(d, 0, 8));
	d->q[0].avail->idx = 9;
	EXPECT_EQ(virtq_pop(self->q, &self->chain), -EINVAL);
}

/* More pieces than the cap, though each table is short enough. */
TEST_F(queue, chain_length_is_capped)
{
	struct driver *d = &self->drv;
	struct vring_desc table[VIRTQ_MAX_SIZE];
	uint64_t ok = driver_alloc(d, 16), gpa;

	for (unsigned int i = 0; i < VIRTQ_MAX_SIZE; i++)
		table[i] = (struct vring_desc){ ok, 1, VRING_DESC_F_NEXT, (uint16_t)(i + 1) };
	table[VIRTQ_MAX_SIZE - 1].flags = 0;
	gpa = driver_put(d, table, sizeof(table));
	ASSERT_TRUE(by_hand(d, INDIRECT, 8));
	d->q[0].desc[0] = (struct vring_desc){ ok, 1, VRING_DESC_F_NEXT, 1 };
	d->q[0].desc[1] = (struct vring_desc){ gpa, sizeof(table), VRING_DESC_F_INDIRECT, 0 };
	driver_offer(&d->q[0], 0);
	EXPECT_EQ(virtq_pop(self->q, &self->chain), -EINVAL);
	ASSERT_TRUE(by_hand(d, INDIRECT, 8));
	d->q[0].desc[0] = (struct vring_desc){ gpa, sizeof(table), VRING_DESC_F_INDIRECT, 0 };
	driver_offer(&d->q[0], 0);
	EXPECT_EQ(virtq_pop(self->q, &self->chain), 1);
}

TEST_F(queue, event_index)
{
	struct driver *d = &self->drv;
	struct piece p = { driver_alloc(d, 16), 16, true };
	uint16_t *used_event, *avail_event;

	ASSERT_TRUE(by_hand(d, EVENT_IDX, 8));
	used_event = &d->q[0].avail->ring[8];
	avail_event = (uint16_t *)&d->q[0].used->ring[8];

	/* The driver wants to hear of the second buffer, not of the first. */
	*used_event = 1;
	for (int i = 0; i < 3; i++)
		driver_add(d, 0, &p, 1);
	EXPECT_FALSE(virtq_want_kicks(self->q));
	virtq_pop(self->q, &self->chain);
	virtq_push(self->q, self->chain.head, 0);
	EXPECT_FALSE(virtq_must_notify(self->q));
	virtq_pop(self->q, &self->chain);
	virtq_push(self->q, self->chain.head, 0);
	EXPECT_TRUE(virtq_must_notify(self->q));
	EXPECT_FALSE(virtq_must_notify(self->q));
	virtq_pop(self->q, &self->chain);
	EXPECT_TRUE(virtq_want_kicks(self->q));
	EXPECT_EQ(*avail_event, 3);
	/* A batch that passes the event raises one interrupt. */
	*used_event = 2;
	virtq_push(self->q, self->chain.head, 0);
	EXPECT_TRUE(virtq_must_notify(self->q));
}

TEST_F(queue, no_interrupt_flag)
{
	struct driver *d = &self->drv;
	struct piece p = { driver_alloc(d, 16), 16, true };

	ASSERT_TRUE(by_hand(d, 0, 8));
	d->q[0].avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	driver_add(d, 0, &p, 1);
	virtq_pop(self->q, &self->chain);
	virtq_push(self->q, self->chain.head, 0);
	EXPECT_FALSE(virtq_must_notify(self->q));
	d->q[0].avail->flags = 0;
	driver_add(d, 0, &p, 1);
	virtq_pop(self->q, &self->chain);
	virtq_push(self->q, self->chain.head, 0);
	EXPECT_TRUE(virtq_must_notify(self->q));
	EXPECT_FALSE(virtq_must_notify(self->q));
}

/* ---- the whole device ---- */

TEST_F(queue, entropy_device)
{
	struct driver *d = &self->drv;
	uint64_t buf = driver_alloc(d, 64);
	struct piece p[] = { { buf, 32, true }, { buf + 32, 32, true } };
	const struct vring_used_elem *used;
	char zero[64] = { 0 };

	ASSERT_TRUE(driver_start(d, EVENT_IDX | INDIRECT, 1, 8));
	driver_add(d, 0, p, 2);
	driver_kick(d, 0);
	used = driver_take(d, 0);
	ASSERT_NE(used, NULL);
	EXPECT_EQ(used->len, 64);
	EXPECT_NE(memcmp(driver_mem(d, buf), zero, 64), 0);
	EXPECT_EQ(d->irqs, 1);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	driver_write(d, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}

TEST_F(queue, broken_guest_needs_reset_and_recovers)
{
	struct driver *d = &self->drv;
	struct piece bad = { 0, 32, true }, good = { driver_alloc(d, 32), 32, true };

	ASSERT_TRUE(driver_start(d, 0, 1, 8));
	driver_add(d, 0, &bad, 1);
	driver_kick(d, 0);
	EXPECT_TRUE(driver_read(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	driver_add(d, 0, &good, 1);
	driver_kick(d, 0);
	EXPECT_EQ(driver_take(d, 0), NULL);
	/* Chains may still be in flight: the rings stay until the reset. */
	driver_write(d, VIRTIO_MMIO_QUEUE_SEL, 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_READY, 0);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_QUEUE_READY), 1);

	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_STATUS), 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_SEL, 0);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_QUEUE_READY), 0);
	ASSERT_TRUE(driver_start(d, 0, 1, 8));
	driver_add(d, 0, &good, 1);
	driver_kick(d, 0);
	EXPECT_NE(driver_take(d, 0), NULL);
}

/* What was queued before DRIVER_OK is served without another kick. */
TEST_F(queue, early_buffers)
{
	struct driver *d = &self->drv;
	struct piece p = { driver_alloc(d, 32), 32, true };

	ASSERT_TRUE(by_hand(d, 0, 8));
	driver_add(d, 0, &p, 1);
	driver_kick(d, 0);
	EXPECT_EQ(driver_take(d, 0), NULL);
	driver_ok(d);
	EXPECT_NE(driver_take(d, 0), NULL);
}

/* A live queue cannot be moved or stopped but by a reset. */
TEST_F(queue, live_queue_is_fixed)
{
	struct driver *d = &self->drv;

	ASSERT_TRUE(driver_start(d, 0, 1, 8));
	driver_write(d, VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_NUM, 4);
	driver_write(d, VIRTIO_MMIO_QUEUE_READY, 0);
	EXPECT_EQ(self->q->desc_gpa, d->q[0].desc_gpa);
	EXPECT_EQ(self->q->size, 8);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_QUEUE_READY), 1);
}

TEST_HARNESS_MAIN
