// SPDX-License-Identifier: MIT
/*
 * What a kernel finds at its 64-bit entry (Documentation/arch/x86/boot, "64-bit boot protocol"): boot_params,
 * page tables and a GDT.
 */
#include "boot/loader.h"

#include <string.h>

#define LOADER_UNKNOWN 0xff /* type_of_loader for a loader without an assigned number */

#define GDT_CODE64 0x00af9b000000ffffull /* __BOOT_CS, 0x10: execute, read, accessed, long mode */
#define GDT_DATA   0x00cf93000000ffffull /* __BOOT_DS, 0x18: read, write, accessed, flat 4 GiB */

#define PTE_PRESENT 0x01ull
#define PTE_WRITE   0x02ull
#define PTE_HUGE    0x80ull
#define PT_ENTRIES  512u

static void write_gdt(uint64_t *gdt)
{
	gdt[0] = 0;
	gdt[1] = 0;
	gdt[2] = GDT_CODE64;
	gdt[3] = GDT_DATA;
}

/* One to one for 4 GiB, in pages of 2 MiB: a PML4, a PDPT and four page directories. */
static void write_page_tables(uint64_t *table)
{
	uint64_t *pdpt = table + PT_ENTRIES, *pd = pdpt + PT_ENTRIES;

	memset(table, 0, 2 * BOOT_PAGE);
	table[0] = (BOOT_PT_GPA + BOOT_PAGE) | PTE_PRESENT | PTE_WRITE;
	for (uint64_t i = 0; i < 4; i++)
		pdpt[i] = (BOOT_PT_GPA + (2 + i) * BOOT_PAGE) | PTE_PRESENT | PTE_WRITE;
	for (uint64_t i = 0; i < 4 * PT_ENTRIES; i++)
		pd[i] = i << 21 | PTE_PRESENT | PTE_WRITE | PTE_HUGE;
}

static void fill_e820(struct boot_params *params, const struct platform *platform)
{
	struct boot_range range[BOOT_RANGES_MAX];
	size_t n = boot_memory_map(platform, range);

	for (size_t i = 0; i < n; i++)
		params->e820_table[i] = (struct boot_e820_entry){
			.addr = range[i].base,
			.size = range[i].size,
			.type = range[i].type,
		};
	params->e820_entries = (__u8)n;
}

void boot_write_params(const struct boot_mem *mem, const struct platform *platform,
		       const struct setup_header *header, uint64_t initrd_gpa,
		       uint64_t initrd_size, const struct boot_tables *tables)
{
	struct boot_params *params = boot_slice(mem, BOOT_ZERO_GPA, sizeof(*params));

	write_gdt(boot_slice(mem, BOOT_GDT_GPA, 4 * sizeof(uint64_t)));
	write_page_tables(boot_slice(mem, BOOT_PT_GPA, 6 * BOOT_PAGE));

	memset(params, 0, sizeof(*params));
	params->hdr = *header;
	params->hdr.type_of_loader = LOADER_UNKNOWN;
	params->hdr.cmd_line_ptr = (__u32)BOOT_CMDLINE_GPA;
	params->hdr.setup_data = tables->setup_data;
	params->hdr.ramdisk_image = initrd_size ? (__u32)initrd_gpa : 0;
	params->hdr.ramdisk_size = (__u32)initrd_size;
	params->ext_ramdisk_image = initrd_size ? (__u32)(initrd_gpa >> 32) : 0;
	params->ext_ramdisk_size = (__u32)(initrd_size >> 32);
	params->acpi_rsdp_addr = tables->rsdp;
	fill_e820(params, platform);
}
