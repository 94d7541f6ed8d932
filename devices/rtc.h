/* SPDX-License-Identifier: MIT */
/*
 * An MC146818 real-time clock at the usual two ports: it tells the host's time (UTC). Writes to the
 * time are ignored: the guest's clock is the host's. No alarm and no interrupt.
 */
#ifndef DEVICES_RTC_H
#define DEVICES_RTC_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#define RTC_PORT 0x70
#define RTC_SIZE 2

struct rtc {
	pthread_mutex_t lock;
	uint8_t index;
	uint8_t ram[128];
	time_t (*now)(void); /* seconds since 1970; time() but in tests */
};

void rtc_init(struct rtc *rtc);
void rtc_destroy(struct rtc *rtc);
/* port is 0 (index) or 1 (data). */
uint8_t rtc_read(struct rtc *rtc, unsigned int port);
void rtc_write(struct rtc *rtc, unsigned int port, uint8_t value);

#endif
