/* SPDX-License-Identifier: MIT */
/* What kernel files and tables share; nobody outside boot/ needs it. */
#ifndef BOOT_LOADER_H
#define BOOT_LOADER_H

#include "boot/boot.h"

#include <asm/bootparam.h>

#define BOOT_PAGE    4096ull
#define BOOT_LOW_END 0x0009fc00ull /* usable RAM ends here, as on a PC with 1 KiB of EBDA … */
#define BOOT_HIGH    0x00100000ull /* … and goes on here */
#define BOOT_4GIB    0x100000000ull

static inline uint64_t boot_page_up(uint64_t gpa)
{
	return (gpa + BOOT_PAGE - 1) & ~(BOOT_PAGE - 1);
}

/* Address range types (ACPI 6.5 §15, table 15.7); e820 and hvm_memmap_table_entry use the same. */
enum boot_range_type {
	BOOT_RANGE_RAM = 1,
	BOOT_RANGE_ACPI = 3, /* the guest may use it again once it has read the tables */
};

struct boot_range {
	uint64_t base;
	uint64_t size;
	enum boot_range_type type;
};

#define BOOT_RANGES_MAX (2 * PLATFORM_MAX_RAM + 1)

/* Fills out with the memory map, in ascending order; returns the number of ranges. */
size_t boot_memory_map(const struct platform *platform, struct boot_range out[BOOT_RANGES_MAX]);

/*
 * Takes the release at the beginning of text over into kernel->release, if one is there: it starts
 * with a digit and has nothing in it that would leave /lib/modules when it becomes a path.
 */
bool boot_set_release(struct kernel *kernel, const uint8_t *text, size_t size);
/* -ENOMEM with the sentence, if the kernel's [.., end) does not fit the RAM. */
int boot_check_ram(const struct kernel *kernel, const struct boot_mem *mem, uint64_t end,
		   struct why *why);
/* -ENOMEM: the initramfs does not fit between the kernel and limit (exclusive) or the RAM's end. */
int boot_check_initrd(const struct boot_mem *mem, uint64_t kernel_end, uint64_t limit,
		      uint64_t initrd_gpa, uint64_t initrd_size, struct why *why);
/* -E2BIG: longer than max bytes, not counting the final NUL. */
int boot_write_cmdline(const struct boot_mem *mem, const char *cmdline, uint64_t max,
		       struct why *why);
/* Setup header, "boot protocol": offsets 0x1fe, 0x202 and 0x206. */
#define BOOT_FLAG    0xaa55
#define HEADER_MAGIC 0x53726448u /* "HdrS" */
#define VERSION_2_12 0x020c

/*
 * What both formats' entry point wants: boot_params at BOOT_ZERO_GPA, with what a kernel's file has as its
 * header, and page tables and a GDT in their places. All of these are there: mem is larger than 1 MiB.
 */
void boot_write_params(const struct boot_mem *mem, const struct platform *platform,
		       const struct setup_header *header, uint64_t initrd_gpa,
		       uint64_t initrd_size, const struct boot_tables *tables);
/*
 * Copies a part of the file, which lies inside it, to guest memory: by reading, since the mapping costs
 * a fault every few pages. Negative errno and the sentence.
 */
int boot_read(const struct kernel *kernel, void *to, uint64_t offset, uint64_t size, struct why *why);
/* The sentence for a file that ends before it should. */
int boot_truncated(const struct kernel *kernel, struct why *why);

/* xAPIC: a space of its own, since local APICs are not on an APIC bus. */
#define BOOT_IOAPIC_ID 0

/* What makes the bytes of a table sum up to 0. */
uint8_t boot_checksum(const void *data, size_t len);
/*
 * Writes RSDP, XSDT, FADT, MADT and DSDT (ACPI 6.5 §5.2, hardware-reduced) to the area at BOOT_TABLES_GPA,
 * which is all zero at host. Returns the RSDP's guest-physical address.
 */
uint64_t acpi_write(const struct platform *platform, uint8_t *host);
/* Linux looks for an MP table's pointer from here on (MultiProcessor Specification 1.4 §4.1). */
#define MP_GPA 0x000f0000ull
/* Writes it, and the table behind it, to what is there, all zero at host: less than 1 KiB. */
void mp_write(const struct platform *platform, uint8_t *host);

struct kernel_ops {
	/* Judged by the first bytes alone. */
	bool (*matches)(const uint8_t *data, size_t size);
	/* Checks all that can be checked without a guest, and sets kernel->release. The rest is only of
	 * formats that can be loaded. */
	int (*open)(struct kernel *kernel, struct why *why);
	int (*load)(const struct kernel *kernel, const struct boot_mem *mem, uint64_t *initrd_gpa,
		    struct why *why);
	int (*finish)(const struct kernel *kernel, const struct boot_mem *mem,
		      const struct platform *platform, const char *cmdline, uint64_t initrd_gpa,
		      uint64_t initrd_size, const struct boot_tables *tables,
		      struct boot_entry *entry, struct why *why);
};

extern const struct kernel_ops bzimage_ops;
extern const struct kernel_ops elf_ops;

/* Finds the compressed vmlinux in a bzImage. */
int bzimage_payload(const struct kernel *kernel, const uint8_t **payload, size_t *size,
		    struct why *why);

#endif
