/* SPDX-License-Identifier: MIT */
/*
 * A 16550A serial port: where the kernel's console goes. What comes in is a line's break and one key after it,
 * which Linux takes as SysRq.
 */
#ifndef DEVICES_SERIAL_H
#define DEVICES_SERIAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIAL_PORT 0x3f8
#define SERIAL_SIZE 8
#define SERIAL_IRQ  4

struct serial {
	pthread_mutex_t lock;
	uint8_t ier, lcr, mcr, scr, fcr;
	uint8_t dll, dlm;
	int thr_pending; /* "transmitter empty" was not yet reported by IIR */
	int irq_level;
	uint8_t rx[2]; /* what the guest has not yet read, oldest first; a break is a NUL */
	unsigned int nrx;
	bool rx_break; /* the first of them is a break */

	/* The owner's, set before serial_init(). */
	void *arg;
	void (*output)(void *arg, uint8_t byte); /* on a vCPU's thread */
	void *irq_arg;
	void (*irq)(void *irq_arg); /* an edge on the line */
};

void serial_init(struct serial *serial);
void serial_destroy(struct serial *serial);
/* reg is 0 … SERIAL_SIZE - 1. */
uint8_t serial_read(struct serial *serial, unsigned int reg);
void serial_write(struct serial *serial, unsigned int reg, uint8_t value);

/* A break, and then this key, come in. False if what came before is not yet read, or the guest does not listen. Any
 * thread. */
bool serial_sysrq(struct serial *serial, uint8_t key);
/* Whether all that came in was read. */
bool serial_is_read(struct serial *serial);

#endif
