// SPDX-License-Identifier: MIT
/* bzImage, by its 64-bit entry point (Documentation/arch/x86/boot, "64-bit boot protocol"). */
#include "boot/boot.h"
#include "boot/loader.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <asm/bootparam.h>

#define SECTOR		512u
#define HEADER_OFFSET	offsetof(struct boot_params, hdr)
#define ENTRY64_OFFSET	0x200u /* the 64-bit entry, from the start of the protected-mode code */
#define DEFAULT_SECTORS 4

/* What we need of a bzImage, checked. */
struct bzimage {
	struct setup_header header;
	uint64_t code; /* the protected-mode code in the file */
	uint64_t code_size;
	uint64_t load; /* where in the guest it goes */
	uint64_t end;  /* first address that the starting kernel leaves alone */
};

static bool bzimage_matches(const uint8_t *data, size_t size)
{
	struct setup_header header;

	if (size < HEADER_OFFSET + sizeof(header))
		return false;
	memcpy(&header, data + HEADER_OFFSET, sizeof(header));
	return header.boot_flag == BOOT_FLAG && header.header == HEADER_MAGIC;
}

/* Where the code goes, and how far the kernel reaches while it starts ("init_size"). */
static int place(const struct kernel *kernel, struct bzimage *bz, struct why *why)
{
	const struct setup_header *header = &bz->header;
	uint64_t align = header->kernel_alignment, reach = header->init_size;

	if (header->pref_address > UINT32_MAX)
		return boot_truncated(kernel, why);
	bz->load = header->pref_address;
	if (header->relocatable_kernel) {
		if (!align || (align & (align - 1)))
			return boot_truncated(kernel, why);
		if (bz->load < BOOT_HIGH)
			bz->load = BOOT_HIGH;
		bz->load = (bz->load + align - 1) & ~(align - 1);
	} else if (bz->load < BOOT_HIGH) {
		return boot_truncated(kernel, why);
	}
	if (reach < bz->code_size)
		reach = bz->code_size;
	bz->end = bz->load + reach;
	return 0;
}

static int parse(const struct kernel *kernel, struct bzimage *bz, struct why *why)
{
	const uint8_t *data = kernel->data;
	struct setup_header *header = &bz->header;
	size_t header_size;

	/*
	 * "The end of setup header can be calculated as 0x0202 + byte value at offset 0x0201": the
	 * offset of the short jump at 0x200. What lies behind is code, not header.
	 */
	header_size = 0x202u + data[0x201] - HEADER_OFFSET;
	memset(header, 0, sizeof(*header));
	memcpy(header, data + HEADER_OFFSET,
	       header_size < sizeof(*header) ? header_size : sizeof(*header));

	if (header->version >= VERSION_2_12 && !(header->xloadflags & XLF_KERNEL_64))
		return why_fail(why, -ENOEXEC,
				"%s is a 32-bit kernel, and only 64-bit ones can be booted; build "
				"it with CONFIG_64BIT=y.",
				kernel->path);
	if (header->version < VERSION_2_12)
		return why_fail(why, -ENOEXEC,
				"%s is too old a kernel: it speaks boot protocol %u.%02u, and 2.12 "
				"(Linux 3.8) is needed; take a newer one.",
				kernel->path, header->version >> 8, header->version & 0xff);
	if (!(header->loadflags & LOADED_HIGH))
		return why_fail(why, -ENOEXEC,
				"%s is a zImage, which is loaded below 1 MiB; build a bzImage.",
				kernel->path);
	if (header_size < offsetof(struct setup_header, handover_offset))
		return boot_truncated(kernel, why);

	bz->code = ((header->setup_sects ? header->setup_sects : DEFAULT_SECTORS) + 1ull) * SECTOR;
	bz->code_size = header->syssize * 16ull;
	if (bz->code_size <= ENTRY64_OFFSET || bz->code > kernel->size ||
	    bz->code_size > kernel->size - bz->code)
		return boot_truncated(kernel, why);
	return place(kernel, bz, why);
}

/* kernel_version points, less 0x200, to a string such as "6.1.0-18-amd64 (builder@host) #1 …". */
static void find_release(struct kernel *kernel, const struct bzimage *bz)
{
	uint64_t at = bz->header.kernel_version + 0x200ull;

	if (bz->header.kernel_version && at < bz->code)
		boot_set_release(kernel, kernel->data + at, bz->code - at);
}

static int bzimage_open(struct kernel *kernel, struct why *why)
{
	struct bzimage bz;
	int err = parse(kernel, &bz, why);

	if (!err)
		find_release(kernel, &bz);
	return err;
}

static int bzimage_load(const struct kernel *kernel, const struct boot_mem *mem,
			uint64_t *initrd_gpa, struct why *why)
{
	struct bzimage bz;
	int err = parse(kernel, &bz, why);

	if (!err)
		err = boot_check_ram(kernel, mem, bz.end, why);
	if (err)
		return err;
	*initrd_gpa = boot_page_up(bz.end);
	return boot_read(kernel, boot_slice(mem, bz.load, bz.code_size), bz.code, bz.code_size, why);
}

static int bzimage_finish(const struct kernel *kernel, const struct boot_mem *mem,
			  const struct platform *platform, const char *cmdline, uint64_t initrd_gpa,
			  uint64_t initrd_size, const struct boot_tables *tables,
			  struct boot_entry *entry, struct why *why)
{
	struct bzimage bz;
	int err;

	err = parse(kernel, &bz, why);
	if (!err)
		err = boot_check_ram(kernel, mem, bz.end, why);
	if (!err)
		err = boot_check_initrd(mem, bz.end, bz.header.initrd_addr_max + 1ull, initrd_gpa,
					initrd_size, why);
	if (!err)
		err = boot_write_cmdline(mem, cmdline, bz.header.cmdline_size, why);
	if (err)
		return err;

	/* bz.end is above 1 MiB and inside the RAM, so the fixed places are there. */
	boot_write_params(mem, platform, &bz.header, initrd_gpa, initrd_size, tables);
	*entry = (struct boot_entry){.rip = bz.load + ENTRY64_OFFSET, .params = BOOT_ZERO_GPA};
	return 0;
}

int bzimage_payload(const struct kernel *kernel, const uint8_t **payload, size_t *size,
		    struct why *why)
{
	struct bzimage bz;
	uint64_t offset, length;
	int err = parse(kernel, &bz, why);

	if (err)
		return err;
	/* payload_offset counts from the beginning of the protected-mode code. */
	offset = bz.header.payload_offset;
	length = bz.header.payload_length;
	if (!length || offset > bz.code_size || length > bz.code_size - offset)
		return boot_truncated(kernel, why);
	*payload = kernel->data + bz.code + offset;
	*size = length;
	return 0;
}

const struct kernel_ops bzimage_ops = {
	.matches = bzimage_matches,
	.open = bzimage_open,
	.load = bzimage_load,
	.finish = bzimage_finish,
};
