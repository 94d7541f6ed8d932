// SPDX-License-Identifier: MIT
/*
 * Registers as memory (virtio/mmio.h): a device whose requests stay in flight until the test completes
 * them, and drivers that reset it by a write that nobody sees.
 */
#include "driver.h"
#include "kselftest_harness.h"
#include "virtio/mmio.h"

#define OK_STATUS                                                                                  \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |      \
	 VIRTIO_CONFIG_S_DRIVER_OK)

static const uint32_t config[2] = { 0x11223344, 0x55667788 };

struct slow {
	struct virtio_dev vdev;
	int notified;
	int resets;
	void (*in_reset)(struct slow *slow);
	struct driver *drv;
};

static void slow_notify(struct virtio_dev *vdev, unsigned int q)
{
	(void)q;
	((struct slow *)vdev)->notified++;
}

static void slow_reset(struct virtio_dev *vdev)
{
	struct slow *slow = (struct slow *)vdev;

	slow->resets++;
	if (slow->in_reset)
		slow->in_reset(slow);
}

static const struct virtio_ops slow_ops = { .notify = slow_notify, .reset = slow_reset };

FIXTURE(page)
{
	struct driver drv;
	struct slow slow;
};

FIXTURE_SETUP(page)
{
	driver_init(&self->drv);
	self->slow = (struct slow){
		.vdev = {
			.ops = &slow_ops,
			.id = 9,
			.config = config,
			.config_len = sizeof(config),
			.nqueues = 1,
			.reset_by_memory = true,
		},
		.drv = &self->drv,
	};
	virtio_init(&self->slow.vdev, &self->drv.mem);
	driver_attach(&self->drv, &self->slow.vdev);
	driver_attach_page(&self->drv);
}

FIXTURE_TEARDOWN(page)
{
	virtio_destroy(&self->slow.vdev);
	driver_free(&self->drv);
}

static bool start(FIXTURE_DATA(page) *self)
{
	self->drv.next = GUEST_BASE;
	return driver_start(&self->drv, 0, 1, 8);
}

/* ---- what the driver sees ---- */

TEST_F(page, is_shown_from_driver_ok_on)
{
	struct driver *d = &self->drv;

	ASSERT_TRUE(driver_negotiate(d, 1ull << VIRTIO_F_VERSION_1));
	ASSERT_TRUE(driver_queue_setup(d, 0, 8));
	EXPECT_FALSE(d->shown);
	driver_ok(d);
	EXPECT_TRUE(d->shown);
	EXPECT_TRUE(virtio_live(&self->slow.vdev));
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_STATUS), OK_STATUS);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_CONFIG_GENERATION), 0);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_CONFIG), config[0]);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_CONFIG + 4), config[1]);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_CONFIG + 8), 0);

	/* Each interrupt finds its bit, whether or not the last one was acknowledged. */
	for (int i = 1; i <= 2; i++) {
		virtio_interrupt(&self->slow.vdev);
		EXPECT_EQ(d->irqs, i);
		EXPECT_EQ(driver_read(d, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
		driver_write(d, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	}
}

/* Of the page, nothing of an earlier driver is left. */
TEST_F(page, is_new_each_time)
{
	struct driver *d = &self->drv;

	ASSERT_TRUE(start(self));
	for (size_t i = 0; i < VIRTIO_PAGE_SIZE / 4; i++)
		d->page[i] = 0xffffffff;
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	ASSERT_TRUE(start(self));
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_STATUS), OK_STATUS);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_CONFIG), config[0]);
	EXPECT_EQ(d->page[VIRTIO_PAGE_SIZE / 4 - 1], 0);
}

TEST_F(page, is_not_shown_if_the_device_does_not_allow_it)
{
	self->slow.vdev.reset_by_memory = false;
	ASSERT_TRUE(start(self));
	EXPECT_FALSE(self->drv.shown);
	EXPECT_TRUE(virtio_live(&self->slow.vdev));
}

TEST_F(page, device_works_if_it_cannot_be_shown)
{
	struct driver *d = &self->drv;

	d->refuse = true;
	ASSERT_TRUE(start(self));
	EXPECT_FALSE(d->shown);
	driver_kick(d, 0);
	EXPECT_EQ(self->slow.notified, 2); /* DRIVER_OK is one, too */
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	EXPECT_EQ(self->slow.resets, 2);
	EXPECT_EQ(d->backs, 0);
}

TEST_F(page, shows_that_the_device_needs_a_reset)
{
	struct driver *d = &self->drv;

	ASSERT_TRUE(start(self));
	pthread_mutex_lock(&self->slow.vdev.queue_lock);
	virtio_broken(&self->slow.vdev);
	pthread_mutex_unlock(&self->slow.vdev.queue_lock);
	EXPECT_EQ(d->irqs, 1);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_STATUS), OK_STATUS | VIRTIO_CONFIG_S_NEEDS_RESET);
	EXPECT_TRUE(driver_read(d, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	EXPECT_FALSE(virtio_live(&self->slow.vdev));
	ASSERT_TRUE(start(self));
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_STATUS), OK_STATUS);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
}

/* The driver has reset the device: the next driver must not find that it needs a reset. */
TEST_F(page, a_reset_is_not_written_over)
{
	struct driver *d = &self->drv;

	ASSERT_TRUE(start(self));
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	pthread_mutex_lock(&self->slow.vdev.queue_lock);
	virtio_broken(&self->slow.vdev);
	pthread_mutex_unlock(&self->slow.vdev.queue_lock);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_STATUS), 0);
}

/* ---- resets ---- */

/* Queues are dead at once; the reset comes with the first access that exits. */
TEST_F(page, reset_is_seen)
{
	struct driver *d = &self->drv;

	ASSERT_TRUE(start(self));
	EXPECT_EQ(self->slow.resets, 1);
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	EXPECT_FALSE(virtio_live(&self->slow.vdev));
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_STATUS), 0);
	EXPECT_TRUE(d->shown);

	/* As Linux's driver goes away. */
	driver_write(d, VIRTIO_MMIO_QUEUE_SEL, 0);
	EXPECT_EQ(self->slow.resets, 2);
	EXPECT_FALSE(d->shown);
	driver_write(d, VIRTIO_MMIO_QUEUE_READY, 0);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_QUEUE_READY), 0);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_STATUS), 0);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	EXPECT_EQ(self->slow.resets, 2);
	EXPECT_FALSE(self->slow.vdev.queue[0].ready);
}

TEST_F(page, any_first_access_resets)
{
	struct driver *d = &self->drv;
	static const struct {
		uint64_t reg;
		bool write;
	} access[] = {
		{ VIRTIO_MMIO_MAGIC_VALUE, false },	   { VIRTIO_MMIO_DEVICE_FEATURES, false },
		{ VIRTIO_MMIO_QUEUE_READY, false },	   { VIRTIO_MMIO_DEVICE_FEATURES_SEL, true },
		{ VIRTIO_MMIO_DRIVER_FEATURES_SEL, true }, { VIRTIO_MMIO_DRIVER_FEATURES, true },
		{ VIRTIO_MMIO_QUEUE_SEL, true },	   { VIRTIO_MMIO_QUEUE_NUM, true },
		{ VIRTIO_MMIO_QUEUE_READY, true },	   { VIRTIO_MMIO_QUEUE_NOTIFY, true },
	};

	for (size_t i = 0; i < sizeof(access) / sizeof(access[0]); i++) {
		TH_LOG("register %#llx", (unsigned long long)access[i].reg);
		ASSERT_TRUE(start(self));
		self->slow.resets = 0;
		self->slow.notified = 0;
		driver_write(d, VIRTIO_MMIO_STATUS, 0);
		if (access[i].write)
			driver_write(d, access[i].reg, 0);
		else
			driver_read(d, access[i].reg);
		EXPECT_EQ(self->slow.resets, 1);
		EXPECT_EQ(self->slow.notified, 0);
		EXPECT_FALSE(d->shown);
	}
}

/* As does any other exit of the guest. */
TEST_F(page, a_look_resets)
{
	struct driver *d = &self->drv;

	virtio_mmio_look(d->vdev);
	EXPECT_EQ(self->slow.resets, 0);
	ASSERT_TRUE(start(self));
	self->slow.resets = 0;
	virtio_mmio_look(d->vdev);
	EXPECT_EQ(self->slow.resets, 0);
	EXPECT_TRUE(virtio_live(d->vdev));
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	virtio_mmio_look(d->vdev);
	EXPECT_EQ(self->slow.resets, 1);
	EXPECT_FALSE(d->shown);
	virtio_mmio_look(d->vdev);
	EXPECT_EQ(self->slow.resets, 1);
}

/* The next driver says who it is before its first access that exits. */
TEST_F(page, what_the_next_driver_wrote_counts)
{
	struct driver *d = &self->drv;
	uint32_t met = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	ASSERT_TRUE(start(self));
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	driver_write(d, VIRTIO_MMIO_STATUS, driver_read(d, VIRTIO_MMIO_STATUS) | 1);
	driver_write(d, VIRTIO_MMIO_STATUS, driver_read(d, VIRTIO_MMIO_STATUS) | 2);
	driver_write(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	EXPECT_EQ(self->slow.resets, 2);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_DEVICE_FEATURES), 1u << (VIRTIO_F_VERSION_1 - 32));
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_STATUS), met);
	driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES, 1u << (VIRTIO_F_VERSION_1 - 32));
	driver_write(d, VIRTIO_MMIO_STATUS, met | VIRTIO_CONFIG_S_FEATURES_OK);
	d->next = GUEST_BASE;
	ASSERT_TRUE(driver_queue_setup(d, 0, 8));
	driver_ok(d);
	EXPECT_EQ(self->slow.resets, 2);
	EXPECT_TRUE(virtio_live(&self->slow.vdev));
	EXPECT_TRUE(d->shown);
}

/* FEATURES_OK cannot be had by writing it into the page. */
TEST_F(page, features_are_not_taken_from_the_page)
{
	struct driver *d = &self->drv;

	ASSERT_TRUE(start(self));
	driver_write(d, VIRTIO_MMIO_STATUS, OK_STATUS & ~VIRTIO_CONFIG_S_DRIVER_OK);
	driver_read(d, VIRTIO_MMIO_MAGIC_VALUE);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_STATUS),
		  VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
}

static void scribble(struct slow *slow)
{
	/* Another CPU, while the reset waits. */
	driver_write(slow->drv, VIRTIO_MMIO_STATUS, 0xffffffff);
}

TEST_F(page, what_is_written_while_the_reset_waits_counts)
{
	struct driver *d = &self->drv;

	ASSERT_TRUE(start(self));
	self->slow.in_reset = scribble;
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	driver_read(d, VIRTIO_MMIO_MAGIC_VALUE);
	self->slow.in_reset = NULL;
	EXPECT_FALSE(d->shown);
	EXPECT_FALSE(virtio_live(&self->slow.vdev));
	/* DRIVER_OK without features: an error of the driver's. */
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_STATUS), 0xffu & ~VIRTIO_CONFIG_S_FEATURES_OK);
	ASSERT_TRUE(start(self));
	EXPECT_TRUE(virtio_live(&self->slow.vdev));
}

/* An access to the second half that exited just before it became memory. */
TEST_F(page, late_exits)
{
	struct driver *d = &self->drv;
	uint32_t zero = 0, one = 1, all = 0xff, v;

	ASSERT_TRUE(start(self));
	virtio_mmio_write(d->vdev, VIRTIO_MMIO_INTERRUPT_ACK, &one, 4);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	virtio_mmio_read(d->vdev, VIRTIO_MMIO_STATUS, &v, 4);
	EXPECT_EQ(v, OK_STATUS);
	virtio_mmio_write(d->vdev, VIRTIO_MMIO_STATUS, &all, 4);
	EXPECT_TRUE(virtio_live(d->vdev));
	EXPECT_EQ(d->backs, 1);
	virtio_mmio_write(d->vdev, VIRTIO_MMIO_STATUS, &zero, 4);
	EXPECT_FALSE(d->shown);
	EXPECT_EQ(self->slow.resets, 2);
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_STATUS), 0);
}

/* The end of the VM, too, takes the page away. */
TEST_F(page, quiesce)
{
	ASSERT_TRUE(start(self));
	virtio_quiesce(&self->slow.vdev);
	EXPECT_FALSE(self->drv.shown);
	EXPECT_EQ(self->slow.resets, 2);
}

/* ---- a guest that does what it likes, on two CPUs ---- */

struct wild {
	struct driver *d;
	unsigned int seed;
	_Atomic bool *stop;
};

static void *scribbler(void *arg)
{
	struct wild *w = arg;

	while (!*w->stop) {
		uint32_t v = (uint32_t)rand_r(&w->seed);

		driver_memory(w->d, VIRTIO_MMIO_SPLIT + 4 * (v % 64), &v, true);
	}
	return NULL;
}

static void *accessor(void *arg)
{
	struct wild *w = arg;

	for (int i = 0; i < 20000; i++) {
		uint64_t reg = 4 * ((unsigned int)rand_r(&w->seed) % 48);
		uint32_t v = (uint32_t)rand_r(&w->seed) & 0x3f;

		switch (rand_r(&w->seed) % 4) {
		case 0:
			driver_read(w->d, reg);
			break;
		case 1:
			driver_write(w->d, reg, v);
			break;
		case 2:
			driver_write(w->d, VIRTIO_MMIO_STATUS, 0);
			break;
		default:
			driver_kick(w->d, 0);
		}
	}
	return NULL;
}

TEST_F(page, wild_guest)
{
	struct driver *d = &self->drv;
	_Atomic bool stop = false;
	struct wild w[3] = { { d, 1, &stop }, { d, 2, &stop }, { d, 3, &stop } };
	pthread_t thread[3];

	ASSERT_TRUE(start(self));
	pthread_create(&thread[0], NULL, scribbler, &w[0]);
	pthread_create(&thread[1], NULL, accessor, &w[1]);
	pthread_create(&thread[2], NULL, accessor, &w[2]);
	for (int i = 0; i < 200; i++)
		start(self);
	pthread_join(thread[1], NULL);
	pthread_join(thread[2], NULL);
	stop = true;
	pthread_join(thread[0], NULL);
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	ASSERT_TRUE(start(self));
	EXPECT_TRUE(virtio_live(&self->slow.vdev));
	EXPECT_EQ(driver_read(d, VIRTIO_MMIO_STATUS), OK_STATUS);
}

TEST_HARNESS_MAIN
