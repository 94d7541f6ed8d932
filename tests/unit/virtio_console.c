// SPDX-License-Identifier: MIT
/* The console device: the handshake that makes a port, and bytes both ways. */
#include "driver.h"
#include "kselftest_harness.h"
#include "virtio/console.h"

enum { RX, TX, CTRL_RX, CTRL_TX };

FIXTURE(console)
{
	struct driver drv;
	struct virtio_console con;
	char from_guest[256];
	size_t from_len;
	const char *to_guest;
	int woken;
};

static void wake(void *arg)
{
	((FIXTURE_DATA(console) *)arg)->woken++;
}

static void input(void *arg, const void *data, size_t len)
{
	FIXTURE_DATA(console) *self = arg;

	memcpy(self->from_guest + self->from_len, data, len);
	self->from_len += len;
}

static size_t output(void *arg, void *buf, size_t cap)
{
	FIXTURE_DATA(console) *self = arg;
	size_t n = strlen(self->to_guest);

	if (n > cap)
		n = cap;
	memcpy(buf, self->to_guest, n);
	self->to_guest += n;
	return n;
}

FIXTURE_SETUP(console)
{
	memset(self, 0, sizeof(*self));
	self->to_guest = "";
	driver_init(&self->drv);
	self->con.arg = self;
	self->con.wake = wake;
	self->con.input = input;
	self->con.output = output;
	virtio_console_init(&self->con, &self->drv.mem, "a port");
	driver_attach(&self->drv, &self->con.vdev);
}

FIXTURE_TEARDOWN(console)
{
	virtio_destroy(&self->con.vdev);
	driver_free(&self->drv);
}

static void say(FIXTURE_DATA(console) *self, uint16_t event, uint16_t value)
{
	struct virtio_console_control msg = { .event = event, .value = value };
	struct piece p = { driver_put(&self->drv, &msg, sizeof(msg)), sizeof(msg), false };

	driver_add(&self->drv, CTRL_TX, &p, 1);
	driver_kick(&self->drv, CTRL_TX);
	virtio_console_pump(&self->con);
}

static uint64_t offer(FIXTURE_DATA(console) *self, unsigned int q, uint32_t len)
{
	struct piece p = { driver_alloc(&self->drv, len), len, true };

	driver_add(&self->drv, q, &p, 1);
	driver_kick(&self->drv, q);
	return p.gpa;
}

static bool open_port(FIXTURE_DATA(console) *self)
{
	if (!driver_start(&self->drv, 1ull << VIRTIO_CONSOLE_F_MULTIPORT, 4, 16))
		return false;
	for (int i = 0; i < 8; i++)
		offer(self, CTRL_RX, 64);
	say(self, VIRTIO_CONSOLE_DEVICE_READY, 1);
	say(self, VIRTIO_CONSOLE_PORT_READY, 1);
	say(self, VIRTIO_CONSOLE_PORT_OPEN, 1);
	return true;
}

TEST_F(console, handshake)
{
	struct virtio_console_config config;
	struct virtio_console_control *msg;
	const struct vring_used_elem *used;
	uint64_t add, name, open;

	virtio_mmio_read(&self->con.vdev, VIRTIO_MMIO_CONFIG + 4, &config.max_nr_ports, 4);
	EXPECT_EQ(config.max_nr_ports, 1);
	ASSERT_TRUE(driver_start(&self->drv, 1ull << VIRTIO_CONSOLE_F_MULTIPORT, 4, 16));

	/* The answers wait until there are buffers for them. */
	say(self, VIRTIO_CONSOLE_DEVICE_READY, 1);
	EXPECT_EQ(driver_take(&self->drv, CTRL_RX), NULL);
	add = offer(self, CTRL_RX, 64);
	name = offer(self, CTRL_RX, 64);
	open = offer(self, CTRL_RX, 64);
	EXPECT_GT(self->woken, 0);
	virtio_console_pump(&self->con);
	used = driver_take(&self->drv, CTRL_RX);
	ASSERT_NE(used, NULL);
	msg = driver_mem(&self->drv, add);
	EXPECT_EQ(msg->event, VIRTIO_CONSOLE_PORT_ADD);
	EXPECT_EQ(msg->id, 0);

	say(self, VIRTIO_CONSOLE_PORT_READY, 1);
	used = driver_take(&self->drv, CTRL_RX);
	ASSERT_NE(used, NULL);
	msg = driver_mem(&self->drv, name);
	EXPECT_EQ(msg->event, VIRTIO_CONSOLE_PORT_NAME);
	EXPECT_EQ(used->len, sizeof(*msg) + 6);
	EXPECT_EQ(memcmp(msg + 1, "a port", 6), 0);
	ASSERT_NE(driver_take(&self->drv, CTRL_RX), NULL);
	msg = driver_mem(&self->drv, open);
	EXPECT_EQ(msg->event, VIRTIO_CONSOLE_PORT_OPEN);
	EXPECT_EQ(msg->value, 1);
}

TEST_F(console, bytes_from_the_guest)
{
	uint64_t gpa = driver_put(&self->drv, "hello, world", 12);
	struct piece p[] = { { gpa, 5, false }, { gpa + 5, 7, false } };

	ASSERT_TRUE(open_port(self));
	driver_add(&self->drv, TX, p, 2);
	virtio_console_pump(&self->con);
	EXPECT_EQ(self->from_len, 12);
	EXPECT_EQ(memcmp(self->from_guest, "hello, world", 12), 0);
	EXPECT_NE(driver_take(&self->drv, TX), NULL);
}

TEST_F(console, bytes_to_the_guest)
{
	const struct vring_used_elem *used;
	uint64_t a, b;

	ASSERT_TRUE(open_port(self));
	a = offer(self, RX, 4);
	b = offer(self, RX, 4);
	virtio_console_pump(&self->con);
	EXPECT_EQ(driver_take(&self->drv, RX), NULL);
	self->to_guest = "abcdefghi";
	virtio_console_pump(&self->con);
	used = driver_take(&self->drv, RX);
	ASSERT_NE(used, NULL);
	EXPECT_EQ(used->len, 4);
	EXPECT_EQ(memcmp(driver_mem(&self->drv, a), "abcd", 4), 0);
	ASSERT_NE(driver_take(&self->drv, RX), NULL);
	EXPECT_EQ(memcmp(driver_mem(&self->drv, b), "efgh", 4), 0);
	/* No buffer is left: the last byte waits, and is not lost. */
	EXPECT_STREQ(self->to_guest, "i");
	a = offer(self, RX, 4);
	virtio_console_pump(&self->con);
	used = driver_take(&self->drv, RX);
	ASSERT_NE(used, NULL);
	EXPECT_EQ(used->len, 1);
}

/* Nothing is sent into a port that nobody has open: it would be lost. */
TEST_F(console, waits_for_the_port_to_be_open)
{
	ASSERT_TRUE(driver_start(&self->drv, 1ull << VIRTIO_CONSOLE_F_MULTIPORT, 4, 16));
	offer(self, RX, 64);
	self->to_guest = "early";
	virtio_console_pump(&self->con);
	EXPECT_EQ(driver_take(&self->drv, RX), NULL);
	say(self, VIRTIO_CONSOLE_PORT_OPEN, 1);
	EXPECT_NE(driver_take(&self->drv, RX), NULL);
	EXPECT_STREQ(self->to_guest, "");
}

TEST_F(console, reset_closes_the_port)
{
	ASSERT_TRUE(open_port(self));
	driver_write(&self->drv, VIRTIO_MMIO_STATUS, 0);
	EXPECT_FALSE(self->con.guest_open);
	self->drv.next = GUEST_BASE;
	ASSERT_TRUE(open_port(self));
	EXPECT_TRUE(self->con.guest_open);
}

/* Short and strange control messages are passed over; a broken chain is not. */
TEST_F(console, bad_control)
{
	struct piece p = { driver_put(&self->drv, "xyz", 3), 3, false }, bad = { 0, 8, false };

	ASSERT_TRUE(open_port(self));
	driver_add(&self->drv, CTRL_TX, &p, 1);
	virtio_console_pump(&self->con);
	say(self, 77, 1);
	EXPECT_TRUE(virtio_live(&self->con.vdev));
	driver_add(&self->drv, CTRL_TX, &bad, 1);
	virtio_console_pump(&self->con);
	EXPECT_FALSE(virtio_live(&self->con.vdev));
}

TEST_HARNESS_MAIN
