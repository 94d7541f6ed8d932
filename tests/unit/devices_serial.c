// SPDX-License-Identifier: MIT
#include <linux/serial_reg.h>

#include "devices/power.h"
#include "devices/pvpanic.h"
#include "devices/rtc.h"
#include "devices/serial.h"
#include "kselftest_harness.h"

struct seen {
	char text[64];
	int n;
	int edges;
};

static void on_byte(void *arg, uint8_t byte)
{
	struct seen *seen = arg;

	seen->text[seen->n++] = (char)byte;
}

static void on_irq(void *arg)
{
	((struct seen *)arg)->edges++;
}

FIXTURE(serial)
{
	struct serial dev;
	struct seen seen;
};

FIXTURE_SETUP(serial)
{
	memset(self, 0, sizeof(*self));
	self->dev.arg = &self->seen;
	self->dev.irq_arg = &self->seen;
	self->dev.output = on_byte;
	self->dev.irq = on_irq;
	serial_init(&self->dev);
}

FIXTURE_TEARDOWN(serial)
{
	serial_destroy(&self->dev);
}

TEST_F(serial, sends_what_is_written)
{
	serial_write(&self->dev, UART_TX, 'h');
	serial_write(&self->dev, UART_TX, 'i');
	EXPECT_STREQ(self->seen.text, "hi");
	EXPECT_TRUE(serial_read(&self->dev, UART_LSR) & UART_LSR_THRE);
	EXPECT_EQ(self->seen.edges, 0);
}

/* With DLAB the first two registers are the divisor, and nothing is sent. */
TEST_F(serial, divisor_latch)
{
	serial_write(&self->dev, UART_LCR, UART_LCR_DLAB);
	serial_write(&self->dev, UART_DLL, 1);
	serial_write(&self->dev, UART_DLM, 2);
	EXPECT_EQ(serial_read(&self->dev, UART_DLL), 1);
	EXPECT_EQ(serial_read(&self->dev, UART_DLM), 2);
	serial_write(&self->dev, UART_LCR, 3);
	EXPECT_EQ(serial_read(&self->dev, UART_IER), 0);
	EXPECT_EQ(self->seen.n, 0);
}

/* What Linux's autoconfig() checks before it believes in a port. */
TEST_F(serial, loopback_probe)
{
	serial_write(&self->dev, UART_MCR, UART_MCR_LOOP | 0x0a);
	EXPECT_EQ(serial_read(&self->dev, UART_MSR) & 0xf0, 0x90);
	serial_write(&self->dev, UART_TX, 'x');
	EXPECT_EQ(self->seen.n, 0);
	serial_write(&self->dev, UART_FCR, UART_FCR_ENABLE_FIFO);
	EXPECT_EQ(serial_read(&self->dev, UART_IIR) & 0xc0, 0xc0);
}

TEST_F(serial, transmitter_interrupt)
{
	serial_write(&self->dev, UART_IER, UART_IER_THRI);
	EXPECT_EQ(self->seen.edges, 1);
	EXPECT_EQ(serial_read(&self->dev, UART_IIR) & 0x0f, UART_IIR_THRI);
	/* Reading the cause took it away. */
	EXPECT_EQ(serial_read(&self->dev, UART_IIR) & 0x0f, UART_IIR_NO_INT);
	serial_write(&self->dev, UART_TX, 'a');
	EXPECT_EQ(self->seen.edges, 2);
	/* Each byte is a new edge, even when the cause was not read: the line drops in between. */
	serial_write(&self->dev, UART_TX, 'b');
	EXPECT_EQ(self->seen.edges, 3);
}

/* What Linux does with a break and the key after it: one interrupt, LSR and RX for each of the two. */
TEST_F(serial, break_and_key)
{
	EXPECT_FALSE(serial_sysrq(&self->dev, 'w')); /* nobody listens */
	EXPECT_TRUE(serial_is_read(&self->dev));
	EXPECT_EQ(self->seen.edges, 0);
	EXPECT_FALSE(serial_read(&self->dev, UART_LSR) & UART_LSR_DR);
	EXPECT_EQ(serial_read(&self->dev, UART_RX), 0);

	serial_write(&self->dev, UART_IER, UART_IER_RDI | UART_IER_RLSI);
	EXPECT_TRUE(serial_sysrq(&self->dev, 'w'));
	EXPECT_EQ(self->seen.edges, 1);
	EXPECT_FALSE(serial_sysrq(&self->dev, 'l')); /* the first is not yet read */
	EXPECT_FALSE(serial_is_read(&self->dev));
	EXPECT_EQ(serial_read(&self->dev, UART_IIR) & 0x0f, UART_IIR_RLSI);
	EXPECT_EQ(serial_read(&self->dev, UART_LSR) & 0x1f, UART_LSR_DR | UART_LSR_BI);
	EXPECT_EQ(serial_read(&self->dev, UART_RX), 0);
	EXPECT_EQ(serial_read(&self->dev, UART_IIR) & 0x0f, UART_IIR_RDI);
	EXPECT_EQ(serial_read(&self->dev, UART_LSR) & 0x1f, UART_LSR_DR);
	EXPECT_EQ(serial_read(&self->dev, UART_RX), 'w');
	EXPECT_EQ(serial_read(&self->dev, UART_IIR) & 0x0f, UART_IIR_NO_INT);
	EXPECT_EQ(serial_read(&self->dev, UART_LSR) & 0x1f, 0);
	EXPECT_TRUE(serial_is_read(&self->dev));
	EXPECT_TRUE(serial_sysrq(&self->dev, 'l'));
	EXPECT_EQ(self->seen.edges, 2);
}

/* A driver that opens the port empties it, and the line falls. */
TEST_F(serial, input_is_cleared)
{
	serial_write(&self->dev, UART_IER, UART_IER_RDI);
	EXPECT_TRUE(serial_sysrq(&self->dev, 'w'));
	serial_write(&self->dev, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	EXPECT_TRUE(serial_is_read(&self->dev));
	EXPECT_EQ(serial_read(&self->dev, UART_LSR) & 0x1f, 0);
	EXPECT_EQ(serial_read(&self->dev, UART_IIR) & 0x0f, UART_IIR_NO_INT);
	EXPECT_TRUE(serial_sysrq(&self->dev, 'w'));
	EXPECT_EQ(self->seen.edges, 2);
}

/* The first byte tells of a panic; a crash kernel that takes over is none, and not offered. */
TEST(panic_device)
{
	EXPECT_EQ(pvpanic_read(0), 1);
	EXPECT_EQ(pvpanic_read(1), 0);
	EXPECT_TRUE(pvpanic_write(0, 1));
	EXPECT_FALSE(pvpanic_write(0, 2));
	EXPECT_FALSE(pvpanic_write(1, 1));
}

static time_t a_moment(void)
{
	return 1709210096; /* Thu 2024-02-29 12:34:56 UTC */
}

static uint8_t reg(struct rtc *rtc, uint8_t index)
{
	rtc_write(rtc, 0, index);
	return rtc_read(rtc, 1);
}

TEST(rtc_tells_the_time)
{
	struct rtc rtc;

	rtc_init(&rtc);
	rtc.now = a_moment;
	EXPECT_EQ(reg(&rtc, 0), 0x56);
	EXPECT_EQ(reg(&rtc, 2), 0x34);
	EXPECT_EQ(reg(&rtc, 4), 0x12);
	EXPECT_EQ(reg(&rtc, 6), 5);
	EXPECT_EQ(reg(&rtc, 7), 0x29);
	EXPECT_EQ(reg(&rtc, 8), 0x02);
	EXPECT_EQ(reg(&rtc, 9), 0x24);
	EXPECT_EQ(reg(&rtc, 0x32), 0x20);
	EXPECT_EQ(reg(&rtc, 0x0a) & 0x80, 0);
	EXPECT_EQ(reg(&rtc, 0x0d), 0x80);
	/* Binary and 12-hour forms, as register B says. */
	rtc_write(&rtc, 0, 0x0b);
	rtc_write(&rtc, 1, 0x04);
	EXPECT_EQ(reg(&rtc, 0), 56);
	EXPECT_EQ(reg(&rtc, 4), 0x80 | 12);
	rtc_destroy(&rtc);
}

TEST(power_events)
{
	EXPECT_EQ(power_write(POWER_SLEEP, 1 << 5 | POWER_S5_TYPE << 2), POWER_OFF);
	EXPECT_EQ(power_write(POWER_SLEEP, POWER_S5_TYPE << 2), POWER_NONE);
	EXPECT_EQ(power_write(POWER_SLEEP, 1 << 5 | 3 << 2), POWER_NONE);
	EXPECT_EQ(power_write(POWER_RESET, POWER_RESET_VALUE), POWER_RESTART);
	EXPECT_EQ(power_write(POWER_RESET, 0), POWER_NONE);
	EXPECT_EQ(kbc_write(0xfe), POWER_RESTART);
	EXPECT_EQ(kbc_write(0xd1), POWER_NONE);
}

TEST_HARNESS_MAIN
