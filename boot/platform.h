/* SPDX-License-Identifier: MIT */
/*
 * The one description of the machine. The VMM fills it in; boot/ renders it for the guest as memory
 * maps and ACPI tables, a device tree, or an MP table and words for the command line. Addresses are
 * guest-physical, sizes are bytes.
 */
#ifndef BOOT_PLATFORM_H
#define BOOT_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLATFORM_MAX_CPUS    16
#define PLATFORM_MAX_DEVICES 24
#define PLATFORM_MAX_RAM     2

#define PLATFORM_S5_TYPE 5 /* SLP_TYP that means power-off: what the DSDT's \_S5 names */

enum platform_kind {
	PLATFORM_SERIAL,      /* 16550, port I/O */
	PLATFORM_RTC,	      /* MC146818, port I/O */
	PLATFORM_VIRTIO_MMIO, /* virtio 1.2 §4.2, memory */
	PLATFORM_PVPANIC,     /* memory, no interrupt */
};

struct platform_device {
	enum platform_kind kind;
	uint64_t base; /* first port or guest-physical address */
	uint32_t size;
	uint32_t gsi; /* global system interrupt; edge-triggered, exclusive */
};

/* Else its base is a port. */
static inline bool platform_in_memory(const struct platform_device *device)
{
	return device->kind == PLATFORM_VIRTIO_MMIO || device->kind == PLATFORM_PVPANIC;
}

/* The clock has no alarm, and who panics has nothing to wait for. */
static inline bool platform_has_interrupt(const struct platform_device *device)
{
	return device->kind == PLATFORM_SERIAL || device->kind == PLATFORM_VIRTIO_MMIO;
}

struct platform_ram {
	uint64_t base;
	uint64_t size;
};

struct platform {
	unsigned int cpus; /* local APIC ids are 0 … cpus - 1 */
	struct platform_ram ram[PLATFORM_MAX_RAM];
	unsigned int nram;
	struct platform_device device[PLATFORM_MAX_DEVICES];
	unsigned int ndevices;
	uint64_t lapic_base;
	uint64_t ioapic_base; /* one, with 24 pins, GSI n is pin n */
	uint16_t sleep_port;  /* FADT SLEEP_CONTROL_REG; SLEEP_STATUS_REG is the next port */
	uint16_t reset_port;  /* FADT RESET_REG */
	uint8_t reset_value;
};

/*
 * Low guest RAM as boot/ sees it: guest-physical 0 … size - 1, mapped at host. Everything that is
 * loaded goes there, through boot_slice().
 */
struct boot_mem {
	uint8_t *host;
	uint64_t size;
};

/* Host address of [gpa, gpa + len), or NULL if any of it lies outside the low RAM. */
static inline void *boot_slice(const struct boot_mem *mem, uint64_t gpa, uint64_t len)
{
	if (gpa > mem->size || len > mem->size - gpa)
		return NULL;
	return mem->host + gpa;
}

#endif
