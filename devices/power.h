/* SPDX-License-Identifier: MIT */
/*
 * How a guest ends the machine: the sleep control register of hardware-reduced ACPI (ACPI 6.5
 * §4.8.3.7) for S5, the ACPI reset register, and the keyboard controller's reset pulse, which
 * kernels without ACPI use.
 */
#ifndef DEVICES_POWER_H
#define DEVICES_POWER_H

#include <stdint.h>

#define POWER_PORT	  0x600 /* sleep control, sleep status, reset */
#define POWER_SIZE	  3
#define POWER_SLEEP	  0
#define POWER_STATUS	  1
#define POWER_RESET	  2
#define POWER_RESET_VALUE 1
#define POWER_S5_TYPE	  5 /* SLP_TYP in the DSDT's \_S5 */

#define KBC_PORT	0x64
#define KBC_OUTPUT_FULL 0x01 /* of its status */

enum power_event { POWER_NONE, POWER_OFF, POWER_RESTART };

/* What a write means. reg counts from POWER_PORT. */
enum power_event power_write(unsigned int reg, uint8_t value);
enum power_event kbc_write(uint8_t value);
/* The status register's WAK_STS: there is nothing to wake from. */
uint8_t power_read(unsigned int reg);

#endif
