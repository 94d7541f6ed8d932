// SPDX-License-Identifier: MIT
#include "devices/pvpanic.h"

#include <misc/pvpanic.h>

uint8_t pvpanic_read(unsigned int reg)
{
	return reg == 0 ? PVPANIC_PANICKED : 0;
}

bool pvpanic_write(unsigned int reg, uint8_t value)
{
	return reg == 0 && (value & PVPANIC_PANICKED);
}
