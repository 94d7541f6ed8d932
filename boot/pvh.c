// SPDX-License-Identifier: MIT
/* ELF kernels (vmlinux), by the PVH entry point (Xen's documents misc/pvh and hvm/start_info). */
#include "boot/boot.h"
#include "boot/loader.h"

#include <errno.h>
#include <string.h>

#include <elf.h>

#define NOTE_XEN	  "Xen"
#define NOTE_PHYS32_ENTRY 18
#define SEGMENTS_MAX	  64  /* Linux has five */
#define SECTIONS_MAX	  256 /* Linux has forty, and as many with debug information */

/* x86's COMMAND_LINE_SIZE, less the NUL: Linux cuts what is longer without a word. */
#define CMDLINE_MAX 2047

#define START_MAGIC   0x336ec578u
#define START_VERSION 1

/* Xen's start_info document, version 1: "layout of each entry" of the three blocks. */
struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t modules;
	uint64_t module_list;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memory_map;
	uint32_t memory_ranges;
	uint32_t reserved;
};

struct start_module {
	uint64_t base;
	uint64_t size;
	uint64_t cmdline;
	uint64_t reserved;
};

struct start_range {
	uint64_t base;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

/* All of it lies in one page, in this order. */
struct start_page {
	struct start_info info;
	struct start_module module;
	struct start_range range[BOOT_RANGES_MAX];
};

_Static_assert(sizeof(struct start_info) == 56 && sizeof(struct start_module) == 32 &&
		       sizeof(struct start_range) == 24,
	       "layouts of the start_info document");
_Static_assert(BOOT_PVH_GPA + sizeof(struct start_page) <= BOOT_ZERO_GPA, "fits its place");

/* What we need of an ELF kernel, checked. Segments with nothing to load are left out. */
struct pvh {
	Elf64_Phdr segment[SEGMENTS_MAX];
	size_t nsegments;
	uint64_t entry;
	uint64_t end; /* first address above all segments, .bss and .brk included */
};

static bool pvh_matches(const uint8_t *data, size_t size)
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

/*
 * Looks for the entry point in a PT_NOTE segment that lies inside the file; 0 if it is not there.
 * Name and descriptor are padded to the segment's alignment, counted from its start. The sizes in a
 * note are 32 bits wide, so that no sum of them overflows 64.
 */
static uint64_t find_entry(const struct kernel *kernel, const Elf64_Phdr *segment)
{
	const uint8_t *notes = kernel->data + segment->p_offset;
	uint64_t size = segment->p_filesz, pad = segment->p_align == 8 ? 7 : 3;
	uint64_t at = 0;

	while (at < size && size - at >= sizeof(Elf64_Nhdr)) {
		uint64_t name, desc, entry = 0;
		Elf64_Nhdr note;

		memcpy(&note, notes + at, sizeof(note));
		name = at + sizeof(note);
		desc = (name + note.n_namesz + pad) & ~pad;
		if (desc > size || note.n_descsz > size - desc)
			return 0;
		if (note.n_type == NOTE_PHYS32_ENTRY && note.n_namesz == sizeof(NOTE_XEN) &&
		    !memcmp(notes + name, NOTE_XEN, sizeof(NOTE_XEN)) &&
		    (note.n_descsz == 4 || note.n_descsz == 8)) {
			memcpy(&entry, notes + desc, note.n_descsz);
			return entry;
		}
		at = (desc + note.n_descsz + pad) & ~pad;
	}
	return 0;
}

/* Takes a PT_LOAD segment up into pvh; false if it cannot be loaded anywhere. */
static bool add_segment(const Elf64_Phdr *segment, struct pvh *pvh)
{
	if (!segment->p_memsz)
		return true;
	if (segment->p_filesz > segment->p_memsz || segment->p_paddr < BOOT_HIGH ||
	    segment->p_paddr > UINT64_MAX - segment->p_memsz)
		return false;
	pvh->segment[pvh->nsegments++] = *segment;
	if (pvh->end < segment->p_paddr + segment->p_memsz)
		pvh->end = segment->p_paddr + segment->p_memsz;
	return true;
}

static bool entry_is_loaded(const struct pvh *pvh)
{
	for (size_t i = 0; i < pvh->nsegments; i++) {
		const Elf64_Phdr *segment = &pvh->segment[i];

		if (pvh->entry >= segment->p_paddr &&
		    pvh->entry - segment->p_paddr < segment->p_filesz)
			return true;
	}
	return false;
}

/* -ENOENT: it has no entry point. */
static int parse(const struct kernel *kernel, struct pvh *pvh, struct why *why)
{
	bool loadable = true;
	Elf64_Ehdr header = {0};
	int err = check_header(kernel, &header, why);

	if (err)
		return err;
	*pvh = (struct pvh){0};
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;

		memcpy(&segment, kernel->data + header.e_phoff + i * sizeof(segment),
		       sizeof(segment));
		if (segment.p_type != PT_LOAD && segment.p_type != PT_NOTE)
			continue;
		if (!in_file(kernel, segment.p_offset, segment.p_filesz))
			return boot_truncated(kernel, why);
		if (segment.p_type == PT_LOAD)
			loadable &= add_segment(&segment, pvh);
		else if (!pvh->entry)
			pvh->entry = find_entry(kernel, &segment);
	}
	/* First of all: a program that is no kernel has segments at any address. */
	if (!pvh->entry)
		return why_fail(why, -ENOENT,
				"%s has no PVH entry point (no Xen note of type 18), so it cannot "
				"be booted as an ELF file; build it with CONFIG_PVH=y or give its "
				"bzImage.",
				kernel->path);
	if (!loadable || !entry_is_loaded(pvh))
		return boot_truncated(kernel, why);
	return 0;
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

	if (kernel->format == KERNEL_PVH || kernel->format == KERNEL_ELF)
		search_data(kernel, find_config, &config);
	return config;
}

static int pvh_open(struct kernel *kernel, struct why *why)
{
	struct pvh pvh;
	int err = parse(kernel, &pvh, why);

	if (!err)
		search_data(kernel, find_banner, kernel);
	return err == -ENOENT ? -ENOEXEC : err;
}

int pvh_open_unpacked(struct kernel *kernel, struct why *why)
{
	struct pvh pvh;
	int err = parse(kernel, &pvh, why);

	kernel->format = err ? KERNEL_ELF : KERNEL_PVH;
	if (err && err != -ENOENT)
		return err;
	if (!kernel->release[0])
		search_data(kernel, find_banner, kernel);
	return 0;
}

static int pvh_load(const struct kernel *kernel, const struct boot_mem *mem, uint64_t *initrd_gpa,
		    struct why *why)
{
	struct pvh pvh;
	int err = parse(kernel, &pvh, why);

	if (!err)
		err = boot_check_ram(kernel, mem, pvh.end, why);
	if (err)
		return err;
	for (size_t i = 0; i < pvh.nsegments; i++) {
		const Elf64_Phdr *segment = &pvh.segment[i];
		uint8_t *to = boot_slice(mem, segment->p_paddr, segment->p_memsz);

		/* What follows in memory is zero already. */
		err = boot_read(kernel, to, segment->p_offset, segment->p_filesz, why);
		if (err)
			return err;
	}
	*initrd_gpa = boot_page_up(pvh.end);
	return 0;
}

static int pvh_finish(const struct kernel *kernel, const struct boot_mem *mem,
		      const struct platform *platform, const char *cmdline, uint64_t initrd_gpa,
		      uint64_t initrd_size, uint64_t rsdp_gpa, struct boot_entry *entry,
		      struct why *why)
{
	struct boot_range range[BOOT_RANGES_MAX];
	struct start_page *page;
	struct pvh pvh;
	size_t n;
	int err;

	err = parse(kernel, &pvh, why);
	if (!err)
		err = boot_check_ram(kernel, mem, pvh.end, why);
	/* Linux takes the initramfs's address and size as 32 bits each (init_pvh_bootparams()). */
	if (!err)
		err = boot_check_initrd(mem, pvh.end, BOOT_4GIB, initrd_gpa, initrd_size, why);
	if (!err)
		err = boot_write_cmdline(mem, cmdline, CMDLINE_MAX, why);
	if (err)
		return err;

	/* pvh.end is above 1 MiB and inside the RAM, so the fixed place is there. */
	page = boot_slice(mem, BOOT_PVH_GPA, sizeof(*page));
	*page = (struct start_page){
		.info =
			{
				.magic = START_MAGIC,
				.version = START_VERSION,
				.modules = initrd_size ? 1 : 0,
				.module_list = BOOT_PVH_GPA + offsetof(struct start_page, module),
				.cmdline = BOOT_CMDLINE_GPA,
				.rsdp = rsdp_gpa,
				.memory_map = BOOT_PVH_GPA + offsetof(struct start_page, range),
			},
		.module = {.base = initrd_gpa, .size = initrd_size},
	};
	n = boot_memory_map(platform, range);
	for (size_t i = 0; i < n; i++)
		page->range[i] = (struct start_range){
			.base = range[i].base,
			.size = range[i].size,
			.type = range[i].type,
		};
	page->info.memory_ranges = (uint32_t)n;

	*entry = (struct boot_entry){
		.mode = BOOT_PVH32,
		.rip = pvh.entry,
		.info = BOOT_PVH_GPA,
	};
	return 0;
}

const struct kernel_ops pvh_ops = {
	.matches = pvh_matches,
	.open = pvh_open,
	.load = pvh_load,
	.finish = pvh_finish,
};
