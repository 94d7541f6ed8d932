// SPDX-License-Identifier: MIT
#include "virtio/gmem.h"

#include <stddef.h>

void *gmem_slice(const struct gmem *mem, uint64_t gpa, uint64_t len)
{
	for (unsigned int i = 0; i < mem->nregions; i++) {
		const struct gmem_region *r = &mem->region[i];

		/* gpa - r->gpa wraps for addresses below the region, and is then too large. */
		if (gpa >= r->gpa && gpa - r->gpa < r->size && len <= r->size - (gpa - r->gpa))
			return r->host + (gpa - r->gpa);
	}
	return NULL;
}
