/* SPDX-License-Identifier: MIT */
/* A driver of virtio-mmio 9P devices (virtio 1.2 §4.2, §2.7), which polls or takes interrupts. */
#ifndef IMAGES_BENCH_DRIVER_H
#define IMAGES_BENCH_DRIVER_H

#include "images/bench/bench.h"

/* Entries of a queue; a request has one, and an indirect table, as in Linux. */
#define DRIVER_QUEUE 128u

/* Tells the VMM and does not return. */
void fail(const char *what) __attribute__((noreturn));

/* Resets a device and brings it up, with EVENT_IDX and INDIRECT_DESC. */
void driver_start(unsigned int device);
/* How this device's completions are waited for from now on. Nothing is in flight. */
void driver_mode(unsigned int device, bool irq);

/* Offers the slot's request to the device, as number i of its queue. */
void driver_submit(unsigned int device, unsigned int i, const struct work_slot *slot);
/* Kicks the device if it wants that for what was submitted since the last call. */
void driver_kick(unsigned int device);
/* Waits until something is done. */
void driver_wait(unsigned int device);
/* The next one that is done, and the length of its reply; false if there is none now. */
bool driver_done(unsigned int device, unsigned int *i, uint32_t *len);

/* entry.S: waits at ring 0 until more interrupts came than `seen`. */
void wait_irq(uint32_t seen);
extern volatile uint32_t irqs;

static inline uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

/* Whoever is behind the register may look at memory, and change it: nothing moves across this. */
static inline void write_register(uint64_t address, uint32_t value)
{
	__asm__ volatile("movl %1, (%0)" ::"r"(address), "r"(value) : "memory");
}

#endif
