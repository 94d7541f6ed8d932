// SPDX-License-Identifier: MIT
#include "vmm/x86_64/paging.h"

#include <string.h>

#define ENTRIES	      512u
#define ENTRY_PRESENT 0x1ull
#define ENTRY_LARGE   0x80ull
#define ENTRY_ADDRESS 0x000ffffffffff000ull

/* Bits of an address below those that select an entry of a table; level 1 is the lowest. */
static unsigned int shift_of(unsigned int level)
{
	return 12 + 9 * (level - 1);
}

static bool read_entry(const struct gmem *mem, uint64_t table, unsigned int i, uint64_t *entry)
{
	const void *at = gmem_slice(mem, table + i * sizeof(*entry), sizeof(*entry));

	if (!at)
		return false;
	memcpy(entry, at, sizeof(*entry));
	return *entry & ENTRY_PRESENT;
}

/* Entries for 2 MiB and 1 GiB exist. */
static bool is_page(uint64_t entry, unsigned int level)
{
	return level == 1 || (level <= 3 && (entry & ENTRY_LARGE));
}

static uint64_t page_of(uint64_t entry, unsigned int level)
{
	return entry & ENTRY_ADDRESS & -(1ull << shift_of(level));
}

bool x86_translate(const struct gmem *mem, const struct x86_paging *paging, uint64_t virt,
		   uint64_t *phys)
{
	uint64_t table = paging->root & ENTRY_ADDRESS;

	for (unsigned int level = paging->levels; level; level--) {
		unsigned int i = virt >> shift_of(level) & (ENTRIES - 1);
		uint64_t entry;

		if (!read_entry(mem, table, i, &entry))
			return false;
		if (is_page(entry, level)) {
			*phys = page_of(entry, level) | (virt & ((1ull << shift_of(level)) - 1));
			return true;
		}
		table = entry & ENTRY_ADDRESS;
	}
	return false;
}

bool x86_first_kernel_mapping(const struct gmem *mem, const struct x86_paging *paging, uint64_t *base)
{
	uint64_t table = paging->root & ENTRY_ADDRESS, virt = 0, entry;
	unsigned int i = ENTRIES / 2;

	/* Addresses of the upper half have all the bits set above those that are translated. */
	virt = -(1ull << shift_of(paging->levels + 1));
	for (unsigned int level = paging->levels; level; level--, i = 0) {
		while (i < ENTRIES && !read_entry(mem, table, i, &entry))
			i++;
		if (i == ENTRIES)
			return false;
		virt |= (uint64_t)i << shift_of(level);
		if (is_page(entry, level)) {
			*base = virt - page_of(entry, level);
			return *base % (1ull << 30) == 0;
		}
		table = entry & ENTRY_ADDRESS;
	}
	return false;
}
