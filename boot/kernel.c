// SPDX-License-Identifier: MIT
/* Kernel files: opening, telling what they are, and what both formats have in common. */
#include "boot/boot.h"
#include "boot/loader.h"
#include "boot/unpack.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <elf.h>

#define KERNEL_UNPACKED_MAX (2ull << 30) /* a vmlinux with debug information has 1 GiB */

static bool packed_matches(const uint8_t *data, size_t size)
{
	return packing_of(data, size) != PACKING_NONE;
}

static int packed_open(struct kernel *kernel, struct why *why)
{
	enum packing packing = packing_of(kernel->data, kernel->size);

	if (!packing_known(packing))
		return why_fail(why, -ENOEXEC,
				"%s is not a kernel as it is but a file packed with %s; unpack it "
				"or give the bzImage itself.",
				kernel->path, packing_name(packing));
	return 0;
}

static const struct kernel_ops packed_ops = {
	.matches = packed_matches,
	.open = packed_open,
};

/* In this order: a bzImage may begin with anything. */
static const struct kernel_ops *const formats[] = {
	[KERNEL_BZIMAGE] = &bzimage_ops,
	[KERNEL_ELF] = &elf_ops,
	[KERNEL_PACKED] = &packed_ops,
};

/* Maps a file that is open, or that failed to. */
static int map_file(struct kernel *kernel, int fd, struct why *why)
{
	struct stat st;
	void *data;
	int err = 0;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err = -errno;
		why_fail(why, err, "The kernel %s cannot be opened: %s; check --kernel.",
			 kernel->path, strerror(-err));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0) {
		err = why_fail(why, -ENOEXEC,
			       "%s is not a kernel but %s; give a bzImage or a vmlinux.",
			       kernel->path,
			       S_ISREG(st.st_mode)   ? "an empty file"
			       : S_ISDIR(st.st_mode) ? "a folder"
						     : "a special file");
		goto out;
	}
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) {
		err = -errno;
		why_fail(why, err, "The kernel %s cannot be mapped: %s.", kernel->path,
			 strerror(-err));
		goto out;
	}
	kernel->data = data;
	kernel->size = (size_t)st.st_size;
	kernel->fd = fd;
	return 0;
out:
	if (fd >= 0)
		close(fd);
	return err;
}

/* Something that is neither a bzImage nor an ELF file: say what it looks like. */
static int not_a_kernel(const struct kernel *kernel, struct why *why)
{
	/* Documentation/arch/arm64/booting: "ARM\x64" at 56; RISC-V's Image has "RSC\x05" there. */
	if (kernel->size >= 60 &&
	    (!memcmp(kernel->data + 56, "ARM\x64", 4) || !memcmp(kernel->data + 56, "RSC\x05", 4)))
		return why_fail(why, -ENOEXEC,
				"%s is a kernel for another processor (%s); "
				"take one that is built for x86-64.",
				kernel->path, kernel->data[56] == 'A' ? "arm64" : "RISC-V");
	return why_fail(why, -ENOEXEC,
			"%s is not a kernel, or is cut short: it is neither a bzImage nor an ELF "
			"file; give the arch/x86/boot/bzImage or vmlinux of a build, or a "
			"/boot/vmlinuz-….",
			kernel->path);
}

int kernel_open(struct kernel *kernel, const char *path, struct why *why)
{
	int err;

	*kernel = (struct kernel){.path = path};
	/* O_NONBLOCK: a fifo by that name must not stop us. */
	err = map_file(kernel, open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), why);
	if (err)
		return err;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (!formats[i] || !formats[i]->matches(kernel->data, kernel->size))
			continue;
		kernel->format = (enum kernel_format)i;
		err = formats[i]->open(kernel, why);
		goto out;
	}
	err = not_a_kernel(kernel, why);
out:
	if (err)
		kernel_close(kernel);
	return err;
}

int kernel_open_unpacked(struct kernel *kernel, const struct kernel *packed, int fd,
			 struct why *why)
{
	int err;

	*kernel = (struct kernel){.path = packed->path};
	memcpy(kernel->release, packed->release, sizeof(kernel->release));
	err = map_file(kernel, fd, why);
	if (err)
		return err;
	kernel->format = KERNEL_ELF;
	err = elf_ops.open(kernel, why);
	if (err)
		kernel_close(kernel);
	return err;
}

void kernel_close(struct kernel *kernel)
{
	if (kernel->data) {
		munmap((void *)(uintptr_t)kernel->data, kernel->size);
		close(kernel->fd);
	}
	kernel->data = NULL;
	kernel->size = 0;
}

int kernel_load(const struct kernel *kernel, const struct boot_mem *mem, uint64_t *initrd_gpa,
		struct why *why)
{
	return formats[kernel->format]->load(kernel, mem, initrd_gpa, why);
}

int kernel_finish(const struct kernel *kernel, const struct boot_mem *mem,
		  const struct platform *platform, const char *cmdline, uint64_t initrd_gpa,
		  uint64_t initrd_size, const struct boot_tables *tables,
		  struct boot_entry *entry, struct why *why)
{
	return formats[kernel->format]->finish(kernel, mem, platform, cmdline, initrd_gpa,
					       initrd_size, tables, entry, why);
}

int kernel_unpack(const struct kernel *kernel, uint8_t **elf, size_t *size, struct why *why)
{
	const uint8_t *payload;
	size_t payload_size;
	int err;

	switch (kernel->format) {
	case KERNEL_BZIMAGE:
		err = bzimage_payload(kernel, &payload, &payload_size, why);
		if (err)
			return err;
		break;
	case KERNEL_PACKED:
		payload = kernel->data;
		payload_size = kernel->size;
		break;
	default:
		return why_fail(why, -EINVAL, "%s is an ELF file already and needs no unpacking.",
				kernel->path);
	}
	err = unpack(payload, payload_size, KERNEL_UNPACKED_MAX, elf, size);
	if (err == -ENOTSUP)
		return why_fail(why, err,
				"%s is packed in a way that cannot be unpacked here (%s); build it "
				"with CONFIG_KERNEL_GZIP, CONFIG_KERNEL_XZ or CONFIG_KERNEL_ZSTD.",
				kernel->path, packing_name(packing_of(payload, payload_size)));
	if (err)
		return why_fail(why, err, "The kernel inside %s cannot be unpacked: %s.",
				kernel->path,
				err == -EBADMSG ? "its data is damaged" : strerror(-err));
	if (*size < SELFMAG || memcmp(*elf, ELFMAG, SELFMAG)) {
		const struct kernel inside = { .path = kernel->path, .data = *elf, .size = *size };

		if (kernel->format == KERNEL_PACKED)
			err = not_a_kernel(&inside, why);
		else
			err = why_fail(why, -ENOEXEC,
				       "What %s has packed inside is no ELF file; build or copy it "
				       "again.",
				       kernel->path);
		free(*elf);
	}
	return err;
}

void kernel_trim(uint8_t *elf, size_t size)
{
	Elf64_Ehdr header;

	if (size < sizeof(header))
		return;
	memcpy(&header, elf, sizeof(header));
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr) ||
	    header.e_phoff > size || header.e_phnum > (size - header.e_phoff) / sizeof(Elf64_Phdr))
		return;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		uint8_t *at = elf + header.e_phoff + i * sizeof(Elf64_Phdr);
		Elf64_Phdr segment;

		memcpy(&segment, at, sizeof(segment));
		if (segment.p_type != PT_LOAD || segment.p_offset > size ||
		    segment.p_filesz > size - segment.p_offset)
			continue;
		while (segment.p_filesz && !elf[segment.p_offset + segment.p_filesz - 1])
			segment.p_filesz--;
		memcpy(at, &segment, sizeof(segment));
	}
}

/* ---- shared by the formats ---- */

static size_t add_range(struct boot_range *out, size_t n, uint64_t base, uint64_t end,
			enum boot_range_type type)
{
	if (base >= end)
		return n;
	out[n] = (struct boot_range){.base = base, .size = end - base, .type = type};
	return n + 1;
}

size_t boot_memory_map(const struct platform *platform, struct boot_range out[BOOT_RANGES_MAX])
{
	unsigned int nram = platform->nram < PLATFORM_MAX_RAM ? platform->nram : PLATFORM_MAX_RAM;
	size_t n = 0;

	for (unsigned int i = 0; i < nram; i++) {
		const struct platform_ram *ram = &platform->ram[i];
		uint64_t end = ram->base + ram->size;

		n = add_range(out, n, ram->base, end < BOOT_LOW_END ? end : BOOT_LOW_END,
			      BOOT_RANGE_RAM);
	}
	n = add_range(out, n, BOOT_TABLES_GPA, BOOT_TABLES_GPA + BOOT_TABLES_SIZE, BOOT_RANGE_ACPI);
	for (unsigned int i = 0; i < nram; i++) {
		const struct platform_ram *ram = &platform->ram[i];

		n = add_range(out, n, ram->base > BOOT_HIGH ? ram->base : BOOT_HIGH,
			      ram->base + ram->size, BOOT_RANGE_RAM);
	}
	return n;
}

static bool in_release(uint8_t c)
{
	return isalnum(c) || (c && strchr(".+-_~", c));
}

bool boot_set_release(struct kernel *kernel, const uint8_t *text, size_t size)
{
	size_t n = 0;

	while (n < size && in_release(text[n]))
		n++;
	if (!n || n >= sizeof(kernel->release) || !isdigit(text[0]) ||
	    (n < size && text[n] && text[n] != ' '))
		return false;
	memcpy(kernel->release, text, n);
	kernel->release[n] = '\0';
	return true;
}

static unsigned long long mib_up(uint64_t bytes)
{
	return (bytes >> 20) + !!(bytes & 0xfffff);
}

int boot_check_ram(const struct kernel *kernel, const struct boot_mem *mem, uint64_t end,
		   struct why *why)
{
	/* It starts in an address space of 4 GiB, that of our page tables. */
	if (end > BOOT_4GIB)
		return why_fail(why, -ENOEXEC,
				"%s is damaged or no Linux: it asks to be loaded above 4 GiB; "
				"build or copy it again.",
				kernel->path);
	if (end > mem->size)
		return why_fail(why, -ENOMEM,
				"The guest has too little RAM for the kernel %s: %llu MiB are "
				"needed to load it and there are %llu; give more with --mem.",
				kernel->path, mib_up(end), (unsigned long long)(mem->size >> 20));
	return 0;
}

int boot_check_initrd(const struct boot_mem *mem, uint64_t kernel_end, uint64_t limit,
		      uint64_t initrd_gpa, uint64_t initrd_size, struct why *why)
{
	if (!initrd_size)
		return 0;
	if (limit > mem->size)
		limit = mem->size;
	if (initrd_gpa < kernel_end)
		return why_fail(why, -EINVAL,
				"The initramfs at %#llx would lie over the kernel, which ends at "
				"%#llx.",
				(unsigned long long)initrd_gpa, (unsigned long long)kernel_end);
	if (initrd_gpa > limit || initrd_size > limit - initrd_gpa)
		return why_fail(why, -ENOMEM,
				"The initramfs (%llu MiB, after a kernel that takes the first %llu "
				"MiB) does not fit into the %llu MiB that the kernel can take it "
				"from; %s.",
				mib_up(initrd_size), mib_up(initrd_gpa),
				(unsigned long long)(limit >> 20),
				limit == mem->size ? "give the guest more RAM with --mem"
						   : "make the initramfs smaller");
	return 0;
}

int boot_write_cmdline(const struct boot_mem *mem, const char *cmdline, uint64_t max,
		       struct why *why)
{
	size_t len = strlen(cmdline);
	char *to;

	if (max > BOOT_CMDLINE_MAX - 1)
		max = BOOT_CMDLINE_MAX - 1;
	if (len > max)
		return why_fail(why, -E2BIG,
				"The kernel command line has %zu bytes and this kernel takes at "
				"most %llu; shorten --append.",
				len, (unsigned long long)max);
	to = boot_slice(mem, BOOT_CMDLINE_GPA, len + 1);
	if (!to)
		return why_fail(why, -ENOMEM,
				"The guest has too little RAM for a kernel command "
				"line; give more with --mem.");
	memcpy(to, cmdline, len + 1);
	return 0;
}

int boot_read(const struct kernel *kernel, void *to, uint64_t offset, uint64_t size, struct why *why)
{
	for (uint64_t done = 0; done < size;) {
		ssize_t n = pread(kernel->fd, (uint8_t *)to + done, size - done,
				  (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return why_fail(why, -errno, "The kernel %s cannot be read: %s.",
					kernel->path, strerror(errno));
		if (n == 0)
			return boot_truncated(kernel, why);
		if (n > 0)
			done += (uint64_t)n;
	}
	return 0;
}

int boot_truncated(const struct kernel *kernel, struct why *why)
{
	return why_fail(why, -ENOEXEC,
			"The kernel %s is cut short or damaged: its %zu bytes do not hold what its "
			"headers say; build or copy it again.",
			kernel->path, kernel->size);
}
