// SPDX-License-Identifier: MIT
#include "devices/power.h"

#define SLP_EN		(1u << 5)
#define SLP_TYP(v)	(((v) >> 2) & 7u)
#define KBC_PULSE_RESET 0xfe /* pulse output line 0 low */

enum power_event power_write(unsigned int reg, uint8_t value)
{
	if (reg == POWER_SLEEP && (value & SLP_EN) && SLP_TYP(value) == POWER_S5_TYPE)
		return POWER_OFF;
	if (reg == POWER_RESET && value == POWER_RESET_VALUE)
		return POWER_RESTART;
	return POWER_NONE;
}

enum power_event kbc_write(uint8_t value)
{
	return value == KBC_PULSE_RESET ? POWER_RESTART : POWER_NONE;
}

uint8_t power_read(unsigned int reg)
{
	(void)reg;
	return 0;
}
