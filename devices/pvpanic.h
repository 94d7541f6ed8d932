/* SPDX-License-Identifier: MIT */
/*
 * The panic device: a kernel that panics says so with one write, even if it has no console. One register
 * of a byte: reading it gives the events that it takes, writing one tells of it (QEMU's pvpanic
 * specification; ACPI "QEMU0001", device tree "qemu,pvpanic-mmio").
 */
#ifndef DEVICES_PVPANIC_H
#define DEVICES_PVPANIC_H

#include <stdbool.h>
#include <stdint.h>

#define PVPANIC_SIZE 2 /* bytes of address space; only the first is used */

/* That a crash kernel takes over (bit 1) is not offered: it is no end. */
uint8_t pvpanic_read(unsigned int reg);
/* Whether the guest's kernel says that it panicked. */
bool pvpanic_write(unsigned int reg, uint8_t value);

#endif
