/* SPDX-License-Identifier: MIT */
/*
 * Guest memory as devices see it. The guest is hostile: every address it gives goes through
 * gmem_slice(), which is the only way to a host pointer.
 */
#ifndef VIRTIO_GMEM_H
#define VIRTIO_GMEM_H

#include <stddef.h>
#include <stdint.h>

#define GMEM_MAX_REGIONS 2

struct gmem_region {
	uint64_t gpa;
	uint64_t size; /* bytes */
	uint8_t *host;
};

struct gmem {
	struct gmem_region region[GMEM_MAX_REGIONS];
	unsigned int nregions;
};

static inline void *gmem_region_slice(const struct gmem_region *r, uint64_t gpa, uint64_t len)
{
	/* Wraps for addresses below the region, and is then too large. */
	uint64_t at = gpa - r->gpa;

	return at < r->size && len <= r->size - at ? r->host + at : NULL;
}

/* Host address of [gpa, gpa + len), or NULL unless one region holds all of it. */
static inline void *gmem_slice(const struct gmem *mem, uint64_t gpa, uint64_t len)
{
	void *host = gmem_region_slice(&mem->region[0], gpa, len);

	/* Nothing is in a region that there is not: its size is 0. */
	return host ?: gmem_region_slice(&mem->region[1], gpa, len);
}

_Static_assert(GMEM_MAX_REGIONS == 2, "gmem_slice() looks at each");

#endif
