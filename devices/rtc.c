// SPDX-License-Identifier: MIT
#include "devices/rtc.h"

#include <stddef.h>
#include <string.h>

/* Registers (MC146818A data sheet, address map; 0x32 as ACPI's FADT names it). */
enum {
	REG_SECONDS = 0x00,
	REG_MINUTES = 0x02,
	REG_HOURS = 0x04,
	REG_WEEKDAY = 0x06,
	REG_DAY = 0x07,
	REG_MONTH = 0x08,
	REG_YEAR = 0x09,
	REG_A = 0x0a,
	REG_B = 0x0b,
	REG_C = 0x0c,
	REG_D = 0x0d,
	REG_CENTURY = 0x32,
};

#define B_24H	 0x02
#define B_BINARY 0x04
#define D_VALID	 0x80
#define HOUR_PM	 0x80

static time_t host_now(void)
{
	return time(NULL);
}

void rtc_init(struct rtc *rtc)
{
	memset(rtc, 0, sizeof(*rtc));
	pthread_mutex_init(&rtc->lock, NULL);
	rtc->ram[REG_A] = 0x26; /* 32.768 kHz, 1024 Hz, no update in progress: ever */
	rtc->ram[REG_B] = B_24H;
	rtc->now = host_now;
}

void rtc_destroy(struct rtc *rtc)
{
	pthread_mutex_destroy(&rtc->lock);
}

static uint8_t encode(const struct rtc *rtc, int value)
{
	if (rtc->ram[REG_B] & B_BINARY)
		return (uint8_t)value;
	return (uint8_t)((value / 10) << 4 | value % 10);
}

static uint8_t encode_hour(const struct rtc *rtc, int hour)
{
	uint8_t pm = 0;

	if (rtc->ram[REG_B] & B_24H)
		return encode(rtc, hour);
	if (hour >= 12)
		pm = HOUR_PM;
	return encode(rtc, hour % 12 ? hour % 12 : 12) | pm;
}

static uint8_t read_register(const struct rtc *rtc, unsigned int reg)
{
	time_t now = rtc->now();
	struct tm tm;

	gmtime_r(&now, &tm);
	switch (reg) {
	case REG_SECONDS:
		return encode(rtc, tm.tm_sec);
	case REG_MINUTES:
		return encode(rtc, tm.tm_min);
	case REG_HOURS:
		return encode_hour(rtc, tm.tm_hour);
	case REG_WEEKDAY:
		return encode(rtc, tm.tm_wday + 1);
	case REG_DAY:
		return encode(rtc, tm.tm_mday);
	case REG_MONTH:
		return encode(rtc, tm.tm_mon + 1);
	case REG_YEAR:
		return encode(rtc, tm.tm_year % 100);
	case REG_CENTURY:
		return encode(rtc, (tm.tm_year + 1900) / 100);
	case REG_C:
		return 0;
	case REG_D:
		return D_VALID;
	}
	return rtc->ram[reg];
}

uint8_t rtc_read(struct rtc *rtc, unsigned int port)
{
	uint8_t value = 0xff;

	pthread_mutex_lock(&rtc->lock);
	if (port == 1)
		value = read_register(rtc, rtc->index);
	pthread_mutex_unlock(&rtc->lock);
	return value;
}

void rtc_write(struct rtc *rtc, unsigned int port, uint8_t value)
{
	pthread_mutex_lock(&rtc->lock);
	if (port == 0)
		rtc->index = value & 0x7f;
	else if (rtc->index == REG_A)
		rtc->ram[REG_A] = value & 0x7f;
	else
		rtc->ram[rtc->index] = value;
	pthread_mutex_unlock(&rtc->lock);
}
