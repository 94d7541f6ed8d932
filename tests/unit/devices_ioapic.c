// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "devices/ioapic.h"
#include "kselftest_harness.h"

#define MASKED	0x10000u
#define LEVEL	0x8000u
#define LOGICAL 0x800u
#define PENDING 0x1000u
#define IRR	0x4000u

FIXTURE(ioapic)
{
	struct ioapic chip;
	atomic_uint sent;
	uint32_t address, data; /* of the last one */
	_Atomic bool stop;
};

static void on_send(void *arg, uint32_t address, uint32_t data)
{
	FIXTURE_DATA(ioapic) *self = arg;

	self->address = address;
	self->data = data;
	atomic_fetch_add(&self->sent, 1);
}

static void only_count(void *arg, uint32_t address, uint32_t data)
{
	FIXTURE_DATA(ioapic) *self = arg;

	(void)address;
	(void)data;
	atomic_fetch_add(&self->sent, 1);
}

FIXTURE_SETUP(ioapic)
{
	memset(self, 0, sizeof(*self));
	self->chip.arg = self;
	self->chip.send = on_send;
	ioapic_init(&self->chip);
}

FIXTURE_TEARDOWN(ioapic)
{
}

static uint32_t get(FIXTURE_DATA(ioapic) *self, uint32_t reg)
{
	ioapic_write(&self->chip, IOAPIC_SELECT, reg);
	return ioapic_read(&self->chip, IOAPIC_WINDOW);
}

static void set(FIXTURE_DATA(ioapic) *self, uint32_t reg, uint32_t value)
{
	ioapic_write(&self->chip, IOAPIC_SELECT, reg);
	ioapic_write(&self->chip, IOAPIC_WINDOW, value);
}

TEST_F(ioapic, says_what_it_is)
{
	EXPECT_EQ(get(self, IOAPIC_VERSION), 0x00170011);
	EXPECT_EQ(ioapic_read(&self->chip, IOAPIC_SELECT), IOAPIC_VERSION);
	set(self, IOAPIC_VERSION, 0);
	EXPECT_EQ(get(self, IOAPIC_VERSION), 0x00170011);
	EXPECT_EQ(get(self, IOAPIC_ID), 0);
	set(self, IOAPIC_ID, 0xffffffff);
	EXPECT_EQ(get(self, IOAPIC_ID), 0x0f000000);
	EXPECT_EQ(get(self, IOAPIC_ARB), 0x0f000000);
	set(self, IOAPIC_ARB, 0);
	EXPECT_EQ(get(self, IOAPIC_ARB), 0x0f000000);
}

TEST_F(ioapic, entries)
{
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		EXPECT_EQ(get(self, IOAPIC_ENTRY(pin)), MASKED);
		EXPECT_EQ(get(self, IOAPIC_ENTRY(pin) + 1), 0);
		set(self, IOAPIC_ENTRY(pin), 0xffffffff);
		set(self, IOAPIC_ENTRY(pin) + 1, (pin << 24) | 0xffffff);
	}
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		/* Delivery status and remote IRR are not the guest's to write. */
		EXPECT_EQ(get(self, IOAPIC_ENTRY(pin)), 0x1ffff & ~(PENDING | IRR));
		EXPECT_EQ(get(self, IOAPIC_ENTRY(pin) + 1), pin << 24);
	}
	EXPECT_EQ(self->sent, 0);
}

/* Where no register is, and no entry. */
TEST_F(ioapic, nothing_beyond)
{
	for (unsigned int reg = 0; reg < 0x200; reg++) {
		if ((reg & 0xff) < 3 || ((reg & 0xff) >= 0x10 && (reg & 0xff) < 0x40))
			continue;
		set(self, reg, 0x31);
		EXPECT_EQ(get(self, reg), 0);
	}
	ioapic_write(&self->chip, IOAPIC_SELECT, IOAPIC_ENTRY(0));
	ioapic_write(&self->chip, IOAPIC_WINDOW + 4, 0x31);
	EXPECT_EQ(ioapic_read(&self->chip, IOAPIC_WINDOW + 4), 0);
	EXPECT_EQ(ioapic_read(&self->chip, IOAPIC_WINDOW), MASKED);
}

TEST_F(ioapic, an_edge_is_a_message)
{
	set(self, IOAPIC_ENTRY(16) + 1, 3u << 24);
	set(self, IOAPIC_ENTRY(16), 0x31);
	set(self, IOAPIC_ENTRY(17) + 1, 0xffu << 24);
	set(self, IOAPIC_ENTRY(17), LOGICAL | 0x100 | 0x32); /* lowest priority */

	ioapic_edge(&self->chip, 16);
	EXPECT_EQ(self->sent, 1);
	EXPECT_EQ(self->address, 0xfee03000);
	EXPECT_EQ(self->data, 0x4031);
	ioapic_edge(&self->chip, 16);
	EXPECT_EQ(self->sent, 2);
	ioapic_edge(&self->chip, 17);
	EXPECT_EQ(self->sent, 3);
	EXPECT_EQ(self->address, 0xfeeff004);
	EXPECT_EQ(self->data, 0x4132);
}

/* Nobody would take a level down again. */
TEST_F(ioapic, a_level_is_an_edge)
{
	set(self, IOAPIC_ENTRY(5), LEVEL | 0x35);
	EXPECT_EQ(get(self, IOAPIC_ENTRY(5)), LEVEL | 0x35);
	ioapic_edge(&self->chip, 5);
	ioapic_edge(&self->chip, 5);
	EXPECT_EQ(self->sent, 2);
	EXPECT_EQ(self->data, 0x4035);
	EXPECT_EQ(get(self, IOAPIC_ENTRY(5)), LEVEL | 0x35);
}

/* As Linux moves an interrupt to another CPU: masked, both halves written, unmasked. */
TEST_F(ioapic, a_masked_edge_is_kept)
{
	set(self, IOAPIC_ENTRY(23), 0x31);
	set(self, IOAPIC_ENTRY(23), MASKED | 0x31);
	ioapic_edge(&self->chip, 23);
	ioapic_edge(&self->chip, 23);
	EXPECT_EQ(self->sent, 0);
	EXPECT_EQ(get(self, IOAPIC_ENTRY(23)), MASKED | PENDING | 0x31);
	set(self, IOAPIC_ENTRY(23) + 1, 1u << 24);
	set(self, IOAPIC_ENTRY(23), MASKED | 0x32);
	EXPECT_EQ(self->sent, 0);
	set(self, IOAPIC_ENTRY(23), 0x32);
	EXPECT_EQ(self->sent, 1);
	EXPECT_EQ(self->address, 0xfee01000);
	EXPECT_EQ(self->data, 0x4032);
	EXPECT_EQ(get(self, IOAPIC_ENTRY(23)), 0x32);
	set(self, IOAPIC_ENTRY(23), MASKED | 0x32);
	set(self, IOAPIC_ENTRY(23), 0x32);
	EXPECT_EQ(self->sent, 1);
}

static void *mask_and_unmask(void *arg)
{
	FIXTURE_DATA(ioapic) *self = arg;

	while (!atomic_load(&self->stop)) {
		set(self, IOAPIC_ENTRY(16), MASKED | 0x31);
		set(self, IOAPIC_ENTRY(16), 0x31);
	}
	return NULL;
}

/* A lost one would be waited for until the harness ends the test. */
TEST_F(ioapic, none_is_lost_while_another_cpu_masks)
{
	pthread_t other;

	self->chip.send = only_count;
	ASSERT_EQ(pthread_create(&other, NULL, mask_and_unmask, self), 0);
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int before = atomic_load(&self->sent);

		ioapic_edge(&self->chip, 16);
		while (atomic_load(&self->sent) == before)
			sched_yield();
	}
	atomic_store(&self->stop, true);
	pthread_join(other, NULL);
	EXPECT_GE(atomic_load(&self->sent), 20000);
}

TEST_HARNESS_MAIN
