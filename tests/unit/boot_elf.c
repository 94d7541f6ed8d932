// SPDX-License-Identifier: MIT
/* The ELF loader, on small files made here; boot_params is read by its document's offsets. */
#include "boot/boot.h"
#include "boot/loader.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define RAM	  (16u << 20)
#define TEXT	  0x200000u /* physical addresses of the two segments */
#define DATA	  0x300000u
#define DATA_SIZE 0x40u
#define DATA_MEM  0x12345u
#define ENTRY	  (TEXT + 0x10)

/* The file, in the order in which it lies there. */
struct image {
	Elf64_Ehdr elf;
	Elf64_Phdr text, note, data;
	uint8_t notes[16];
	uint8_t code[0x80];
	uint8_t bytes[DATA_SIZE];
};

static void make_elf(struct image *f)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->elf.e_ident, ELFMAG, SELFMAG);
	f->elf.e_ident[EI_CLASS] = ELFCLASS64;
	f->elf.e_ident[EI_DATA] = ELFDATA2LSB;
	f->elf.e_type = ET_EXEC;
	f->elf.e_machine = EM_X86_64;
	f->elf.e_entry = ENTRY;
	f->elf.e_phoff = offsetof(struct image, text);
	f->elf.e_phentsize = sizeof(Elf64_Phdr);
	f->elf.e_phnum = 3;

	f->text.p_type = PT_LOAD;
	f->text.p_offset = offsetof(struct image, code);
	f->text.p_vaddr = 0xffffffff81000000;
	f->text.p_paddr = TEXT;
	f->text.p_filesz = f->text.p_memsz = sizeof(f->code);
	f->data.p_type = PT_LOAD;
	f->data.p_offset = offsetof(struct image, bytes);
	f->data.p_paddr = DATA;
	f->data.p_filesz = DATA_SIZE;
	f->data.p_memsz = DATA_MEM;
	f->note.p_type = PT_NOTE;
	f->note.p_offset = offsetof(struct image, notes);
	f->note.p_filesz = sizeof(f->notes);

	memset(f->code, 0xc5, sizeof(f->code));
	strcpy((char *)f->code + 0x20, "Linux version %s");
	strcpy((char *)f->code + 0x40, "Linux version 6.1.0-test (me@host)");
	memset(f->bytes, 0xd5, sizeof(f->bytes));
}

FIXTURE(elf)
{
	struct image file;
	Elf64_Shdr section[2]; /* behind it in the file, for one test */
	char path[64];
	struct kernel kernel;
	struct boot_mem mem;
	struct platform platform;
	struct boot_entry entry;
	struct why why;
	uint64_t initrd;
};

FIXTURE_SETUP(elf)
{
	make_elf(&self->file);
	strcpy(self->path, "/tmp/boot_elf.XXXXXX");
	close(mkstemp(self->path));
	self->mem.size = RAM;
	self->mem.host = mmap(NULL, RAM, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	self->platform.nram = 1;
	self->platform.ram[0].size = RAM;
}

FIXTURE_TEARDOWN(elf)
{
	kernel_close(&self->kernel);
	munmap(self->mem.host, RAM);
	unlink(self->path);
}

static uint64_t get(const uint8_t *at, unsigned int bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static int try_open(FIXTURE_DATA(elf) * self, size_t size)
{
	int fd = open(self->path, O_WRONLY | O_TRUNC);
	bool written = write(fd, &self->file, size) == (ssize_t)size;

	close(fd);
	kernel_close(&self->kernel);
	self->why.text[0] = '\0';
	return written ? kernel_open(&self->kernel, self->path, &self->why) : -EIO;
}

static int finish(FIXTURE_DATA(elf) * self, const char *cmdline, uint64_t at, uint64_t size)
{
	static const struct boot_tables tables = {.rsdp = 0xe0000, .setup_data = 0xe1000};

	return kernel_finish(&self->kernel, &self->mem, &self->platform, cmdline, at, size, &tables,
			     &self->entry, &self->why);
}

TEST_F(elf, a_good_one_is_loaded)
{
	static const uint64_t want[][3] = {
		{0, 0x9fc00, 1},
		{0xe0000, 0x20000, 3},
		{0x100000, RAM - 0x100000, 1},
	};
	uint8_t *ram = self->mem.host, *zero = ram + BOOT_ZERO_GPA;

	ASSERT_EQ(try_open(self, sizeof(self->file)), 0);
	EXPECT_EQ(self->kernel.format, KERNEL_ELF);
	EXPECT_STREQ(self->kernel.release, "6.1.0-test");

	memset(ram + DATA, 0xaa, 0x20000);
	memset(zero, 0xaa, 4096);
	ASSERT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), 0);
	EXPECT_EQ(self->initrd, 0x313000);
	EXPECT_EQ(memcmp(ram + TEXT, self->file.code, sizeof(self->file.code)), 0);
	EXPECT_EQ(memcmp(ram + DATA, self->file.bytes, DATA_SIZE), 0);
	/* Zero in a new machine: a page that is written to is one more. */
	EXPECT_EQ(ram[DATA + DATA_SIZE], 0xaa);

	ASSERT_EQ(finish(self, "quiet", self->initrd, 12345), 0);
	EXPECT_EQ(self->entry.rip, ENTRY);
	ASSERT_EQ(self->entry.params, BOOT_ZERO_GPA);
	EXPECT_EQ(get(zero + 0x070, 8), 0xe0000);
	ASSERT_EQ(zero[0x1e8], 3); /* of the memory map, which boot_bzimage.c looks at */
	EXPECT_EQ(zero[0x1ef], 0); /* sentinel */
	/* A setup header, though the file has none. */
	EXPECT_EQ(get(zero + 0x1fe, 2), 0xaa55);
	EXPECT_EQ(memcmp(zero + 0x202, "HdrS", 4), 0);
	EXPECT_EQ(get(zero + 0x206, 2), 0x20c);
	EXPECT_EQ(zero[0x210], 0xff);
	EXPECT_EQ(zero[0x211], 1);
	EXPECT_EQ(get(zero + 0x218, 4), self->initrd);
	EXPECT_EQ(get(zero + 0x21c, 4), 12345);
	EXPECT_EQ(get(zero + 0x250, 8), 0xe1000);
	EXPECT_STREQ((char *)ram + get(zero + 0x228, 4), "quiet");

	ASSERT_EQ(finish(self, "", 0, 0), 0);
	EXPECT_EQ(get(zero + 0x218, 4), 0);
	EXPECT_EQ(get(zero + 0x21c, 4), 0);
}

TEST_F(elf, truncated_anywhere_is_refused)
{
	for (size_t size = 0; size < sizeof(self->file); size++) {
		size_t len;

		ASSERT_EQ(try_open(self, size), -ENOEXEC)
		{
			TH_LOG("%zu bytes", size);
		}
		len = strlen(self->why.text);
		ASSERT_TRUE(strstr(self->why.text, self->path) && strchr(self->why.text, ';') &&
			    self->why.text[len - 1] == '.');
		ASSERT_EQ(self->kernel.data, NULL);
	}
}

#define REFUSED(change, says)                                                                      \
	do {                                                                                       \
		make_elf(f);                                                                       \
		change;                                                                            \
		EXPECT_EQ(try_open(self, sizeof(*f)), -ENOEXEC)                                    \
		{                                                                                  \
			TH_LOG("%s", #change);                                                     \
		}                                                                                  \
		EXPECT_NE(strstr(self->why.text, says), NULL)                                      \
		{                                                                                  \
			TH_LOG("%s: %s", #change, self->why.text);                                 \
		}                                                                                  \
	} while (0)

TEST_F(elf, what_cannot_be_booted_says_why)
{
	struct image *f = &self->file;

	REFUSED(f->elf.e_ident[EI_CLASS] = ELFCLASS32, "32-bit");
	REFUSED(f->elf.e_machine = EM_386, "32-bit");
	REFUSED(f->elf.e_machine = EM_AARCH64, "another processor (arm64)");
	REFUSED(f->elf.e_machine = EM_RISCV, "another processor (RISC-V)");
	REFUSED(f->elf.e_ident[EI_DATA] = ELFDATA2MSB, "another processor");
	REFUSED(f->elf.e_type = ET_REL, "object file");
	REFUSED(f->elf.e_type = ET_CORE, "core dump");
	REFUSED(f->elf.e_phentsize = 32, "cut short");
	REFUSED(f->elf.e_phnum = 0, "cut short");
	REFUSED(f->elf.e_phnum = 0xffff, "cut short");
	REFUSED(f->elf.e_phoff = sizeof(*f), "cut short");
	REFUSED(f->elf.e_phoff = UINT64_MAX, "cut short");
	REFUSED(f->text.p_offset = UINT64_MAX - 8, "cut short");
	REFUSED(f->text.p_filesz = f->text.p_memsz = sizeof(*f), "cut short");
	REFUSED(f->text.p_memsz = f->text.p_filesz - 1, "cut short");
	REFUSED(f->text.p_paddr = 0x1000, "cut short");
	REFUSED(f->data.p_paddr = 0x1000, "cut short");
	REFUSED(f->data.p_paddr = UINT64_MAX - DATA_SIZE, "cut short");
	REFUSED(f->data.p_memsz = UINT64_MAX, "cut short");
	/* A program: some of them lie where a kernel could. */
	REFUSED(memset(f->code, 0, sizeof(f->code)), "no Linux kernel");
	REFUSED(memset(f->code, 0, sizeof(f->code)); f->text.p_paddr = 0, "no Linux kernel");
	/* The entry point must be in what was loaded. */
	REFUSED(f->elf.e_entry = TEXT - 1, "cut short");
	REFUSED(f->elf.e_entry = TEXT + sizeof(f->code), "cut short");
	REFUSED(f->elf.e_entry = DATA + DATA_SIZE, "cut short");
}

TEST_F(elf, too_many_segments)
{
	struct {
		struct image image;
		Elf64_Phdr segment[100];
	} *file = calloc(1, sizeof(*file));
	struct kernel k = {.path = "k", .data = (uint8_t *)file, .size = sizeof(*file)};

	file->image = self->file;
	file->image.elf.e_phoff = sizeof(file->image);
	for (int i = 0; i < 100; i++)
		file->segment[i] = i ? self->file.text : self->file.note;
	file->image.elf.e_phnum = 64;
	EXPECT_EQ(elf_ops.open(&k, &self->why), 0);
	for (int n = 65; n <= 100; n++) {
		file->image.elf.e_phnum = n;
		EXPECT_EQ(elf_ops.open(&k, &self->why), -ENOEXEC);
	}
	free(file);
}

TEST_F(elf, what_does_not_fit_the_ram)
{
	ASSERT_EQ(try_open(self, sizeof(self->file)), 0);
	self->mem.size = DATA + DATA_MEM;
	EXPECT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), 0);
	self->mem.size--;
	EXPECT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), -ENOMEM);
	EXPECT_NE(strstr(self->why.text, "4 MiB are needed"), NULL);
	EXPECT_EQ(finish(self, "", 0, 0), -ENOMEM);
	self->mem.size = RAM;

	self->file.data.p_paddr = UINT64_MAX - DATA_MEM;
	ASSERT_EQ(try_open(self, sizeof(self->file)), 0);
	EXPECT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), -ENOEXEC);
	EXPECT_NE(strstr(self->why.text, "4 GiB"), NULL);
}

TEST_F(elf, initramfs_and_command_line_must_fit)
{
	static char line[2049];

	ASSERT_EQ(try_open(self, sizeof(self->file)), 0);
	ASSERT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), 0);
	EXPECT_EQ(finish(self, "", self->initrd, RAM - self->initrd), 0);
	EXPECT_EQ(finish(self, "", self->initrd, RAM - self->initrd + 1), -ENOMEM);
	EXPECT_EQ(finish(self, "", self->initrd, UINT64_MAX), -ENOMEM);
	EXPECT_EQ(finish(self, "", DATA, 1), -EINVAL);
	memset(line, 'x', 2047);
	EXPECT_EQ(finish(self, line, 0, 0), 0);
	line[2047] = 'x';
	EXPECT_EQ(finish(self, line, 0, 0), -E2BIG);
	EXPECT_NE(strstr(self->why.text, "2047"), NULL);
}

TEST_F(elf, a_release_at_the_end)
{
	memset(self->file.code + 0x40, 0, 0x40);
	/* A banner that the segment's end cuts is one that ends there. */
	memcpy(self->file.code + 0x80 - 17, "Linux version 6.1", 17);
	ASSERT_EQ(try_open(self, sizeof(self->file)), 0);
	EXPECT_STREQ(self->kernel.release, "6.1");
}

/* Sections of data come first: Linux's banner is in one, behind all of its code. */
TEST_F(elf, the_release_of_a_section_of_data)
{
	const size_t all = offsetof(FIXTURE_DATA(elf), path), code = offsetof(struct image, code);

	strcpy((char *)self->file.code, "Linux version 1.0 ");
	self->file.elf.e_shoff = offsetof(FIXTURE_DATA(elf), section);
	self->file.elf.e_shentsize = sizeof(Elf64_Shdr);
	self->file.elf.e_shnum = 2;
	self->section[0] = (Elf64_Shdr){
		.sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC | SHF_EXECINSTR, .sh_offset = code,
		.sh_size = 0x40
	};
	self->section[1] = (Elf64_Shdr){
		.sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC, .sh_offset = code + 0x40, .sh_size = 0x40
	};
	ASSERT_EQ(try_open(self, all), 0);
	EXPECT_STREQ(self->kernel.release, "6.1.0-test");
	/* One that lies beyond the file's end, or a table that does, is as good as none. */
	self->section[1].sh_size = all;
	ASSERT_EQ(try_open(self, all), 0);
	EXPECT_STREQ(self->kernel.release, "1.0");
	self->section[1].sh_size = 0x40;
	ASSERT_EQ(try_open(self, all - 1), 0);
	EXPECT_STREQ(self->kernel.release, "1.0");
}

TEST_F(elf, a_file_that_shrinks_is_noticed)
{
	ASSERT_EQ(try_open(self, sizeof(self->file)), 0);
	ASSERT_EQ(truncate(self->path, sizeof(self->file) - 1), 0);
	EXPECT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), -ENOEXEC);
}

/* On memory of the file's exact size, so that the address sanitizer sees each byte too far. */
TEST_F(elf, random_damage_is_survived)
{
	const size_t headers = offsetof(struct image, code);
	unsigned int loaded = 0;
	int fd = memfd_create("kernel", 0); /* the bytes as read; data: as mapped */

	srand(1);
	for (int round = 0; round < 50000; round++) {
		size_t size =
			round % 4 ? sizeof(self->file) : 4 + rand() % (sizeof(self->file) - 4);
		uint8_t *data = malloc(size);
		struct kernel k = {.path = "k", .fd = fd, .data = data, .size = size};

		memcpy(data, &self->file, size);
		for (int i = rand() % 4; i >= 0; i--) {
			size_t at = 4 + rand() % (headers - 4);

			if (at < size)
				data[at] = rand() % 3 ? rand() : rand() % 2 ? 0xff : 0;
		}
		ASSERT_EQ(ftruncate(fd, 0), 0);
		ASSERT_EQ(pwrite(fd, data, size, 0), size);
		if (elf_ops.matches(data, size) && !elf_ops.open(&k, &self->why)) {
			k.format = KERNEL_ELF;
			if (!kernel_load(&k, &self->mem, &self->initrd, &self->why) &&
			    !kernel_finish(&k, &self->mem, &self->platform, "", self->initrd, 1,
					   &(struct boot_tables){0}, &self->entry, &self->why))
				loaded++;
		}
		free(data);
	}
	close(fd);
	EXPECT_GT(loaded, 1000);
}

TEST_HARNESS_MAIN
