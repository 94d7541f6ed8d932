// SPDX-License-Identifier: MIT
/*
 * ELF kernels (vmlinux), by their own entry point, which is the one that a bzImage jumps to when it has
 * unpacked itself: startup_64, with the same state as "64-bit boot protocol" of Documentation/arch/x86/boot
 * asks for. Every 64-bit Linux has it, and it takes what bzImage takes: a device tree, too.
 */
#include "boot/boot.h"
#include "boot/loader.h"

#include <errno.h>
#include <string.h>

#include <asm/bootparam.h>
#include <elf.h>

#define SEGMENTS_MAX	  64  /* Linux has five */
#define SECTIONS_MAX	  256 /* Linux has forty, and as many with debug information */

/* x86's COMMAND_LINE_SIZE, less the NUL: Linux cuts what is longer without a word. */
#define CMDLINE_MAX 2047

/*
 * A vmlinux has no setup header. This one says what Linux looks for: that there is one, and of a protocol
 * that has all fields which are filled in.
 */
static const struct setup_header header_of_elf = {
	.boot_flag = BOOT_FLAG,
	.header = HEADER_MAGIC,
	.version = VERSION_2_12,
	.loadflags = LOADED_HIGH,
};

/* What we need of an ELF kernel, checked. Segments with nothing to load are left out. */
struct elf {
	Elf64_Phdr segment[SEGMENTS_MAX];
	size_t nsegments;
	uint64_t entry;
	uint64_t end; /* first address above all segments, .bss and .brk included */
	bool loadable;
};

static bool elf_matches(const uint8_t *data, size_t size)
{
	return size >= SELFMAG && !memcmp(data, ELFMAG, SELFMAG);
}

static bool in_file(const struct kernel *kernel, uint64_t offset, uint64_t size)
{
	return offset <= kernel->size && size <= kernel->size - offset;
}

static const char *machine_name(unsigned int machine)
{
	switch (machine) {
	case EM_AARCH64:
		return "arm64";
	case EM_ARM:
		return "arm";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC64:
		return "powerpc";
	case EM_S390:
		return "s390";
	default:
		return "not x86-64";
	}
}

static int check_header(const struct kernel *kernel, Elf64_Ehdr *header, struct why *why)
{
	if (!in_file(kernel, 0, sizeof(*header)))
		return boot_truncated(kernel, why);
	memcpy(header, kernel->data, sizeof(*header));
	/* e_machine is at the same place in both classes, but e_ident tells its byte order. */
	if (header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    (header->e_machine != EM_X86_64 && header->e_machine != EM_386))
		return why_fail(why, -ENOEXEC,
				"%s is a kernel for another processor (%s); take one that is built "
				"for x86-64.",
				kernel->path,
				header->e_ident[EI_DATA] == ELFDATA2LSB
					? machine_name(header->e_machine)
					: "big-endian");
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64)
		return why_fail(why, -ENOEXEC,
				"%s is a 32-bit kernel, and only 64-bit ones can be booted; build "
				"it with CONFIG_64BIT=y.",
				kernel->path);
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return why_fail(why, -ENOEXEC,
				"%s is not a kernel but an object file or a core dump; give the "
				"vmlinux at the top of the build tree.",
				kernel->path);
	if (header->e_phentsize != sizeof(Elf64_Phdr) || !header->e_phnum ||
	    header->e_phnum > SEGMENTS_MAX ||
	    !in_file(kernel, header->e_phoff, header->e_phnum * sizeof(Elf64_Phdr)))
		return boot_truncated(kernel, why);
	return 0;
}

/* Takes a PT_LOAD segment up into elf; false if it cannot be loaded anywhere. */
static bool add_segment(const Elf64_Phdr *segment, struct elf *elf)
{
	if (!segment->p_memsz)
		return true;
	if (segment->p_filesz > segment->p_memsz || segment->p_paddr < BOOT_HIGH ||
	    segment->p_paddr > UINT64_MAX - segment->p_memsz)
		return false;
	elf->segment[elf->nsegments++] = *segment;
	if (elf->end < segment->p_paddr + segment->p_memsz)
		elf->end = segment->p_paddr + segment->p_memsz;
	return true;
}

static bool entry_is_loaded(const struct elf *elf)
{
	for (size_t i = 0; i < elf->nsegments; i++) {
		const Elf64_Phdr *segment = &elf->segment[i];

		if (elf->entry >= segment->p_paddr &&
		    elf->entry - segment->p_paddr < segment->p_filesz)
			return true;
	}
	return false;
}

/* The headers and what they say; whether it can be loaded is another question. */
static int read_segments(const struct kernel *kernel, struct elf *elf, struct why *why)
{
	Elf64_Ehdr header = {0};
	int err = check_header(kernel, &header, why);

	if (err)
		return err;
	*elf = (struct elf){.entry = header.e_entry, .loadable = true};
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;

		memcpy(&segment, kernel->data + header.e_phoff + i * sizeof(segment),
		       sizeof(segment));
		if (segment.p_type != PT_LOAD)
			continue;
		if (!in_file(kernel, segment.p_offset, segment.p_filesz))
			return boot_truncated(kernel, why);
		elf->loadable &= add_segment(&segment, elf);
	}
	elf->loadable &= entry_is_loaded(elf);
	return 0;
}

static int parse(const struct kernel *kernel, struct elf *elf, struct why *why)
{
	int err = read_segments(kernel, elf, why);

	return err || elf->loadable ? err : boot_truncated(kernel, why);
}

/* A piece of the kernel's data, until one is found to have what is searched for. */
typedef bool (*data_fn)(void *arg, const uint8_t *data, size_t size);

/*
 * The sections of data, for Linux has 15 MB of code before them that need not be read; all segments, where
 * there are no such sections.
 */
static void search_data(const struct kernel *kernel, data_fn found, void *arg)
{
	bool searched = false;
	Elf64_Ehdr header;
	uint64_t at;

	memcpy(&header, kernel->data, sizeof(header));
	at = header.e_shoff;
	if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum > SECTIONS_MAX ||
	    !in_file(kernel, at, header.e_shnum * sizeof(Elf64_Shdr)))
		header.e_shnum = 0;
	for (unsigned int i = 0; i < header.e_shnum; i++, at += sizeof(Elf64_Shdr)) {
		Elf64_Shdr section;

		memcpy(&section, kernel->data + at, sizeof(section));
		if (section.sh_type != SHT_PROGBITS || !(section.sh_flags & SHF_ALLOC) ||
		    section.sh_flags & SHF_EXECINSTR ||
		    !in_file(kernel, section.sh_offset, section.sh_size))
			continue;
		searched = true;
		if (found(arg, kernel->data + section.sh_offset, section.sh_size))
			return;
	}
	if (searched)
		return;
	at = header.e_phoff;
	for (unsigned int i = 0; i < header.e_phnum; i++, at += sizeof(Elf64_Phdr)) {
		Elf64_Phdr segment;

		memcpy(&segment, kernel->data + at, sizeof(segment));
		if (segment.p_type == PT_LOAD && segment.p_memsz &&
		    found(arg, kernel->data + segment.p_offset, segment.p_filesz))
			return;
	}
}

/* The banner: "Linux version 6.1.0-18-amd64 (builder@host) …". */
static bool find_banner(void *arg, const uint8_t *data, size_t size)
{
	static const char banner[] = "Linux version ";
	const size_t len = sizeof(banner) - 1;
	const uint8_t *at = data, *end = data + size;

	while ((at = memmem(at, (size_t)(end - at), banner, len))) {
		at += len;
		if (boot_set_release(arg, at, (size_t)(end - at)))
			return true;
	}
	return false;
}

static bool find_config(void *arg, const uint8_t *data, size_t size)
{
	struct kconfig **config = arg;

	*config = kconfig_find(data, size);
	/* It is in .rodata, the first of them: who has none is not to be searched to the end. */
	return true;
}

struct kconfig *kernel_config(const struct kernel *kernel)
{
	struct kconfig *config = NULL;

	if (kernel->format == KERNEL_ELF)
		search_data(kernel, find_config, &config);
	return config;
}

static int elf_open(struct kernel *kernel, struct why *why)
{
	struct elf elf;
	int err = read_segments(kernel, &elf, why);

	if (err)
		return err;
	if (!kernel->release[0])
		search_data(kernel, find_banner, kernel);
	/* First of all: a program that is no kernel has segments at any address. */
	if (!kernel->release[0])
		return why_fail(why, -ENOEXEC,
				"%s is an ELF file but no Linux kernel (it has no \"Linux version\" in "
				"it); give the vmlinux at the top of a build tree, or a bzImage.",
				kernel->path);
	return parse(kernel, &elf, why);
}

static int elf_load(const struct kernel *kernel, const struct boot_mem *mem, uint64_t *initrd_gpa,
		    struct why *why)
{
	struct elf elf;
	int err = parse(kernel, &elf, why);

	if (!err)
		err = boot_check_ram(kernel, mem, elf.end, why);
	if (err)
		return err;
	for (size_t i = 0; i < elf.nsegments; i++) {
		const Elf64_Phdr *segment = &elf.segment[i];
		uint8_t *to = boot_slice(mem, segment->p_paddr, segment->p_memsz);

		/* What follows in memory is zero already. */
		err = boot_read(kernel, to, segment->p_offset, segment->p_filesz, why);
		if (err)
			return err;
	}
	*initrd_gpa = boot_page_up(elf.end);
	return 0;
}

static int elf_finish(const struct kernel *kernel, const struct boot_mem *mem,
		      const struct platform *platform, const char *cmdline, uint64_t initrd_gpa,
		      uint64_t initrd_size, const struct boot_tables *tables,
		      struct boot_entry *entry, struct why *why)
{
	struct elf elf;
	int err;

	err = parse(kernel, &elf, why);
	if (!err)
		err = boot_check_ram(kernel, mem, elf.end, why);
	if (!err)
		err = boot_check_initrd(mem, elf.end, BOOT_4GIB, initrd_gpa, initrd_size, why);
	if (!err)
		err = boot_write_cmdline(mem, cmdline, CMDLINE_MAX, why);
	if (err)
		return err;
	/* elf.end is above 1 MiB and inside the RAM, so the fixed places are there. */
	boot_write_params(mem, platform, &header_of_elf, initrd_gpa, initrd_size, tables);
	*entry = (struct boot_entry){.rip = elf.entry, .params = BOOT_ZERO_GPA};
	return 0;
}

const struct kernel_ops elf_ops = {
	.matches = elf_matches,
	.open = elf_open,
	.load = elf_load,
	.finish = elf_finish,
};
