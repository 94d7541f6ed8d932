/* SPDX-License-Identifier: MIT */
/* Which device answers at an address. Filled at set-up, read-only (and so lock-free) afterwards. */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <stdint.h>

#define BUS_MAX_RANGES 32

struct bus_range {
	uint64_t base;
	uint64_t size;
	void *dev;
	/* offset counts from base; an access never crosses the end of the range. */
	void (*read)(void *dev, uint64_t offset, void *data, unsigned int len);
	void (*write)(void *dev, uint64_t offset, const void *data, unsigned int len);
};

struct bus {
	struct bus_range range[BUS_MAX_RANGES];
	unsigned int n;
};

/* The ranges of one bus must not overlap; there is room for all that a machine can have. */
void bus_add(struct bus *bus, const struct bus_range *range);
/* Where nothing answers, reads give ones and writes are lost, as on a real bus. */
void bus_read(const struct bus *bus, uint64_t addr, void *data, unsigned int len);
void bus_write(const struct bus *bus, uint64_t addr, const void *data, unsigned int len);

#endif
