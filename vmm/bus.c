// SPDX-License-Identifier: MIT
#include "vmm/bus.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

void bus_add(struct bus *bus, const struct bus_range *range)
{
	assert(bus->n < BUS_MAX_RANGES);
	bus->range[bus->n++] = *range;
}

static const struct bus_range *find(const struct bus *bus, uint64_t addr, unsigned int len)
{
	for (unsigned int i = 0; i < bus->n; i++) {
		const struct bus_range *r = &bus->range[i];

		if (addr >= r->base && addr - r->base < r->size &&
		    len <= r->size - (addr - r->base))
			return r;
	}
	return NULL;
}

void bus_read(const struct bus *bus, uint64_t addr, void *data, unsigned int len)
{
	const struct bus_range *r = find(bus, addr, len);

	if (r)
		r->read(r->dev, addr - r->base, data, len);
	else
		memset(data, 0xff, len);
}

void bus_write(const struct bus *bus, uint64_t addr, const void *data, unsigned int len)
{
	const struct bus_range *r = find(bus, addr, len);

	if (r)
		r->write(r->dev, addr - r->base, data, len);
}
