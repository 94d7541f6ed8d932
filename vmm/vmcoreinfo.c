// SPDX-License-Identifier: MIT
#include "vmm/vmcoreinfo.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/x86_64/paging.h"

#define PAGE 4096ull

/* The note's name, with its NUL and the bytes up to a multiple of 4. */
static const char note_name[12] = "VMCOREINFO";
#define NAME_SIZE sizeof("VMCOREINFO")
#define NOTE_HEAD (sizeof(Elf64_Nhdr) + sizeof(note_name))

/* Where Linux has its text (x86-64: __START_KERNEL_map), and the boundary that it begins at. */
#define KERNEL_MAP   0xffffffff80000000ull
#define KERNEL_ALIGN (2ull << 20)

/* Whether there is a note, and how long its text is. */
static bool is_note(const struct gmem *mem, uint64_t gpa, uint64_t size, uint32_t *len)
{
	const uint8_t *at = gmem_slice(mem, gpa, NOTE_HEAD);
	Elf64_Nhdr head;

	if (!at || size < NOTE_HEAD)
		return false;
	memcpy(&head, at, sizeof(head));
	*len = head.n_descsz;
	return head.n_namesz == NAME_SIZE && head.n_type == 0 && head.n_descsz &&
	       head.n_descsz <= VMCOREINFO_MAX && head.n_descsz <= size - NOTE_HEAD &&
	       !memcmp(at + sizeof(head), note_name, sizeof(note_name));
}

static bool copy(struct vmcoreinfo *info, const struct gmem *mem, uint64_t gpa, uint64_t size)
{
	const char *text;
	uint32_t len;

	if (!is_note(mem, gpa, size, &len))
		return false;
	text = gmem_slice(mem, gpa + NOTE_HEAD, len);
	if (!text)
		return false;
	info->text = malloc((size_t)len + 1);
	if (!info->text)
		return false;
	memcpy(info->text, text, len);
	info->text[len] = '\0';
	info->len = len;
	return true;
}

/* A kernel that ends before its init runs has told nobody. Linux gives the note pages of its own. */
static bool find(struct vmcoreinfo *info, const struct gmem *mem)
{
	uint64_t at;

	for (unsigned int i = 0; i < mem->nregions; i++)
		for (uint64_t page = 0; page < mem->region[i].size / PAGE; page++) {
			if (!copy(info, mem, mem->region[i].gpa + page * PAGE, UINT64_MAX))
				continue;
			if (vmcoreinfo_number(info, "SYMBOL(swapper_pg_dir)", 16, &at))
				return true;
			vmcoreinfo_free(info);
		}
	return false;
}

bool vmcoreinfo_copy(struct vmcoreinfo *info, const struct gmem *mem, uint64_t gpa, uint64_t size)
{
	memset(info, 0, sizeof(*info));
	return copy(info, mem, gpa, size) || find(info, mem);
}

void vmcoreinfo_free(struct vmcoreinfo *info)
{
	free(info->text);
	memset(info, 0, sizeof(*info));
}

bool vmcoreinfo_number(const struct vmcoreinfo *info, const char *name, int base, uint64_t *value)
{
	size_t len = strlen(name);

	for (const char *line = info->text; line && *line; line += strspn(line, "\n")) {
		if (!strncmp(line, name, len) && line[len] == '=') {
			char *end;

			errno = 0;
			*value = strtoull(line + len + 1, &end, base);
			return !errno && end > line + len + 1 && (!*end || *end == '\n');
		}
		line += strcspn(line, "\n");
	}
	return false;
}

static void map_text(const struct vmcoreinfo *info, const struct gmem *mem,
		     struct vmcoreinfo_map *map)
{
	uint64_t text, phys_base, size, phys;

	if (!vmcoreinfo_number(info, "SYMBOL(_stext)", 16, &text) ||
	    !vmcoreinfo_number(info, "NUMBER(phys_base)", 10, &phys_base) ||
	    !vmcoreinfo_number(info, "NUMBER(KERNEL_IMAGE_SIZE)", 10, &size))
		return;
	text &= -KERNEL_ALIGN;
	if (text < KERNEL_MAP || text - KERNEL_MAP >= size)
		return;
	phys = text - KERNEL_MAP + phys_base;
	size -= text - KERNEL_MAP;
	for (unsigned int i = 0; i < mem->nregions; i++) {
		const struct gmem_region *region = &mem->region[i];
		uint64_t at = phys - region->gpa;

		if (phys % PAGE || at >= region->size)
			continue;
		map->text = text;
		map->text_phys = phys;
		map->text_size = size < region->size - at ? size : region->size - at;
	}
}

/* The kernel's first mapping is that of all memory. It is believed if the memory is all there. */
static uint64_t find_direct_map(const struct gmem *mem, const struct x86_paging *paging)
{
	uint64_t base;

	if (!x86_first_kernel_mapping(mem, paging, &base))
		return 0;
	for (unsigned int i = 0; i < mem->nregions; i++) {
		uint64_t probe = mem->region[i].gpa + mem->region[i].size / 2, phys;

		if (!x86_translate(mem, paging, base + probe, &phys) || phys != probe)
			return 0;
	}
	return base;
}

void vmcoreinfo_map(const struct vmcoreinfo *info, const struct gmem *mem,
		    struct vmcoreinfo_map *map)
{
	struct x86_paging paging = { .levels = 4 };
	uint64_t root, five = 0;

	memset(map, 0, sizeof(*map));
	map_text(info, mem, map);
	if (!map->text || !vmcoreinfo_number(info, "SYMBOL(swapper_pg_dir)", 16, &root))
		return;
	vmcoreinfo_number(info, "NUMBER(pgtable_l5_enabled)", 10, &five);
	if (five)
		paging.levels = 5;
	paging.root = root - map->text + map->text_phys;
	map->direct_map = find_direct_map(mem, &paging);
}
