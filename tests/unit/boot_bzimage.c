// SPDX-License-Identifier: MIT
/* The bzImage loader, on small files made here; offsets are those of the boot protocol's text. */
#include "boot/boot.h"
#include "boot/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "kselftest_harness.h"

#define SETUP_SECTS 2
#define CODE	    ((SETUP_SECTS + 1) * 512)
#define CODE_SIZE   2048
#define FILE_SIZE   (CODE + CODE_SIZE)
#define PAYLOAD	    1024
#define INIT_SIZE   0x123456
#define RAM	    (32u << 20)
#define ELF_TEXT    "\x7f\x45LF and the rest of a kernel"

static void put(uint8_t *at, uint64_t value, unsigned int bytes)
{
	memcpy(at, &value, bytes);
}

static uint64_t get(const uint8_t *at, unsigned int bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

/* A bzImage whose payload is a gzip'd ELF_TEXT. */
static void make_bzimage(uint8_t *f)
{
	static uint8_t elf[] = ELF_TEXT;
	z_stream z = {.next_in = elf, .avail_in = sizeof(elf)};

	memset(f, 0, FILE_SIZE);
	for (int i = 0; i < CODE_SIZE; i++)
		f[CODE + i] = i * 7 + i / 256;
	f[0x1f1] = SETUP_SECTS;
	put(f + 0x1f4, CODE_SIZE / 16, 4);
	put(f + 0x1fe, 0xaa55, 2);
	f[0x200] = 0xeb;
	f[0x201] = 0x6a;
	memcpy(f + 0x202, "HdrS", 4);
	put(f + 0x206, 0x20f, 2);
	put(f + 0x20e, 0x300, 2); /* kernel_version: at 0x500 */
	f[0x211] = 1;		  /* LOADED_HIGH */
	put(f + 0x22c, 0x7fffffff, 4);
	put(f + 0x230, 0x200000, 4);
	f[0x234] = 1;
	put(f + 0x236, 1, 2); /* XLF_KERNEL_64 */
	put(f + 0x238, 255, 4);
	put(f + 0x250, 0x1122334455667788, 8); /* setup_data, which is the loader's to set */
	put(f + 0x258, 0x1000000, 8);
	put(f + 0x260, INIT_SIZE, 4);
	put(f + 0x26c, 0xdeadbeef, 4); /* behind the header: code */
	strcpy((char *)f + 0x500, "6.1.0-test (me@host) #1 SMP");

	deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	z.next_out = f + CODE + PAYLOAD;
	z.avail_out = CODE_SIZE - PAYLOAD;
	deflate(&z, Z_FINISH);
	put(f + 0x248, PAYLOAD, 4);
	put(f + 0x24c, z.total_out, 4);
	deflateEnd(&z);
}

FIXTURE(bzimage)
{
	uint8_t file[FILE_SIZE];
	char path[64];
	struct kernel kernel;
	struct boot_mem mem;
	struct platform platform;
	struct boot_entry entry;
	struct why why;
	uint64_t initrd;
};

FIXTURE_SETUP(bzimage)
{
	make_bzimage(self->file);
	strcpy(self->path, "/tmp/boot_bzimage.XXXXXX");
	close(mkstemp(self->path));
	self->mem.size = RAM;
	self->mem.host = mmap(NULL, RAM, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	self->platform.nram = 2;
	self->platform.ram[0].size = RAM;
	self->platform.ram[1] = (struct platform_ram){1ull << 32, 1ull << 30};
}

FIXTURE_TEARDOWN(bzimage)
{
	kernel_close(&self->kernel);
	munmap(self->mem.host, RAM);
	unlink(self->path);
}

/* Writes the first size bytes of the file and opens them as a kernel. */
static int try_open(FIXTURE_DATA(bzimage) * self, size_t size)
{
	int fd = open(self->path, O_WRONLY | O_TRUNC);
	bool written = write(fd, self->file, size) == (ssize_t)size;

	close(fd);
	kernel_close(&self->kernel);
	self->why.text[0] = '\0';
	return written ? kernel_open(&self->kernel, self->path, &self->why) : -EIO;
}

static int finish(FIXTURE_DATA(bzimage) * self, const char *cmdline, uint64_t at, uint64_t size)
{
	static const struct boot_tables tables = {.rsdp = 0xe0000, .setup_data = 0xe1000};

	return kernel_finish(&self->kernel, &self->mem, &self->platform, cmdline, at, size, &tables,
			     &self->entry, &self->why);
}

/* A sentence that names the file and has a mend behind its reason. */
static bool good_sentence(const struct why *why, const char *path)
{
	size_t len = strlen(why->text);

	return strstr(why->text, path) && strpbrk(why->text, ";:") && why->text[len - 1] == '.';
}

TEST_F(bzimage, a_good_one_is_loaded)
{
	uint8_t *zero = self->mem.host + BOOT_ZERO_GPA;

	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	EXPECT_EQ(self->kernel.format, KERNEL_BZIMAGE);
	EXPECT_STREQ(self->kernel.release, "6.1.0-test");

	ASSERT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), 0);
	EXPECT_EQ(self->initrd, 0x1124000); /* pref_address + init_size, in whole pages */
	EXPECT_EQ(memcmp(self->mem.host + 0x1000000, self->file + CODE, CODE_SIZE), 0);

	memset(zero, 0xaa, 4096);
	ASSERT_EQ(finish(self, "quiet panic=-1", self->initrd, 12345), 0);
	EXPECT_EQ(self->entry.rip, 0x1000200);
	EXPECT_EQ(self->entry.params, BOOT_ZERO_GPA);

	EXPECT_EQ(get(zero + 0x070, 8), 0xe0000);
	EXPECT_EQ(get(zero + 0x0c0, 4), 0);
	EXPECT_EQ(get(zero + 0x0c4, 4), 0);
	EXPECT_EQ(get(zero + 0x0c8, 4), 0);
	EXPECT_EQ(zero[0x1ef], 0); /* sentinel */
	EXPECT_EQ(zero[0x210], 0xff);
	EXPECT_EQ(get(zero + 0x218, 4), 0x1124000);
	EXPECT_EQ(get(zero + 0x21c, 4), 12345);
	EXPECT_EQ(get(zero + 0x228, 4), BOOT_CMDLINE_GPA);
	EXPECT_EQ(get(zero + 0x250, 8), 0xe1000);
	/* The kernel's own header comes along, and nothing from behind it. */
	EXPECT_EQ(memcmp(zero + 0x202, "HdrS", 4), 0);
	EXPECT_EQ(get(zero + 0x260, 4), INIT_SIZE);
	EXPECT_EQ(get(zero + 0x26c, 4), 0);
	EXPECT_STREQ((char *)self->mem.host + BOOT_CMDLINE_GPA, "quiet panic=-1");
}

TEST_F(bzimage, a_short_header_is_copied_only_to_its_end)
{
	uint8_t *zero = self->mem.host + BOOT_ZERO_GPA;

	self->file[0x201] = 0x264 - 0x202; /* ends behind init_size */
	put(self->file + 0x264, 0xdeadbeef, 4);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	ASSERT_EQ(finish(self, "", 0, 0), 0);
	EXPECT_EQ(get(zero + 0x260, 4), INIT_SIZE);
	EXPECT_EQ(get(zero + 0x264, 4), 0);
}

TEST_F(bzimage, e820)
{
	static const uint64_t want[][3] = {
		{0, 0x9fc00, 1},
		{0xe0000, 0x20000, 3},
		{0x100000, RAM - 0x100000, 1},
		{1ull << 32, 1ull << 30, 1},
	};
	uint8_t *zero = self->mem.host + BOOT_ZERO_GPA;

	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	ASSERT_EQ(finish(self, "", 0, 0), 0);
	ASSERT_EQ(zero[0x1e8], 4);
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(get(zero + 0x2d0 + 20 * i, 8), want[i][0]);
		EXPECT_EQ(get(zero + 0x2d8 + 20 * i, 8), want[i][1]);
		EXPECT_EQ(get(zero + 0x2e0 + 20 * i, 4), want[i][2]);
	}
	/* No initramfs: no address either. */
	EXPECT_EQ(get(zero + 0x218, 4), 0);
	EXPECT_EQ(get(zero + 0x21c, 4), 0);
}

/* Walks the page tables as a processor does; ~0 if the address is not mapped. */
static uint64_t walk(const struct boot_mem *mem, uint64_t address)
{
	uint64_t entry = BOOT_PT_GPA, pages = 0x000ffffffffff000;

	for (int shift = 39; shift >= 21; shift -= 9) {
		entry = get(mem->host + (entry & pages) + (address >> shift & 511) * 8, 8);
		if ((entry & 3) != 3)
			return ~0ull;
	}
	if (!(entry & 0x80))
		return ~0ull;
	return (entry & pages) + (address & 0x1fffff);
}

TEST_F(bzimage, page_tables_and_gdt)
{
	const uint8_t *gdt = self->mem.host + BOOT_GDT_GPA;

	memset(self->mem.host, 0xaa, BOOT_CMDLINE_GPA);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	ASSERT_EQ(finish(self, "", 0, 0), 0);
	for (uint64_t at = 0x1234; at < 1ull << 32; at += 0x1ff000)
		ASSERT_EQ(walk(&self->mem, at), at);
	EXPECT_EQ(walk(&self->mem, 0xffffffff), 0xffffffff);
	EXPECT_EQ(walk(&self->mem, 1ull << 32), ~0ull);
	EXPECT_EQ(walk(&self->mem, 1ull << 39), ~0ull);
	EXPECT_EQ(get(gdt, 8), 0);
	/* Code: present, ring 0, execute and read, long. Data: present, read and write, flat. */
	EXPECT_EQ(get(gdt + 0x10, 8), 0x00af9b000000ffff);
	EXPECT_EQ(get(gdt + 0x18, 8), 0x00cf93000000ffff);
}

TEST_F(bzimage, truncated_anywhere_is_refused)
{
	for (size_t size = 0; size < FILE_SIZE; size++) {
		ASSERT_EQ(try_open(self, size), -ENOEXEC)
		{
			TH_LOG("%zu bytes", size);
		}
		ASSERT_TRUE(good_sentence(&self->why, self->path))
		{
			TH_LOG("%s", self->why.text);
		}
		ASSERT_EQ(self->kernel.data, NULL);
	}
}

TEST_F(bzimage, a_signature_behind_the_code_does_no_harm)
{
	put(self->file + 0x1f4, CODE_SIZE / 16 - 4, 4);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
}

TEST_F(bzimage, what_cannot_be_booted_says_why)
{
	static const struct {
		const char *what;
		unsigned int at, bytes;
		uint64_t value;
		const char *says;
	} bad[] = {
		{"32-bit", 0x236, 2, 0x7e, "32-bit kernel"},
		{"old protocol", 0x206, 2, 0x20b, "boot protocol 2.11"},
		{"zImage", 0x211, 1, 0, "zImage"},
		{"short header", 0x201, 1, 0x40, "cut short"},
		{"no code", 0x1f4, 4, 0, "cut short"},
		{"code below the entry point", 0x1f4, 4, 0x20, "cut short"},
		{"code beyond the file", 0x1f4, 4, CODE_SIZE / 16 + 1, "cut short"},
		{"code far beyond the file", 0x1f4, 4, 0xffffffff, "cut short"},
		{"set-up beyond the file", 0x1f1, 1, 0xff, "cut short"},
		{"no magic", 0x202, 4, 0, "not a kernel"},
		{"no boot flag", 0x1fe, 2, 0, "not a kernel"},
		{"alignment 0", 0x230, 4, 0, "cut short"},
		{"alignment no power of two", 0x230, 4, 0x300000, "cut short"},
		{"address above 4 GiB", 0x258, 8, 1ull << 32, "cut short"},
		{"address at the very end", 0x258, 8, UINT64_MAX, "cut short"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		make_bzimage(self->file);
		put(self->file + bad[i].at, bad[i].value, bad[i].bytes);
		EXPECT_EQ(try_open(self, FILE_SIZE), -ENOEXEC)
		{
			TH_LOG("%s", bad[i].what);
		}
		EXPECT_TRUE(good_sentence(&self->why, self->path))
		{
			TH_LOG("%s", self->why.text);
		}
		EXPECT_NE(strstr(self->why.text, bad[i].says), NULL)
		{
			TH_LOG("%s: %s", bad[i].what, self->why.text);
		}
	}
}

TEST_F(bzimage, load_address)
{
	static const struct {
		bool relocatable;
		uint64_t pref, align, load;
	} all[] = {
		{true, 0x1000000, 0x200000, 0x1000000},
		{true, 0x1000001, 0x200000, 0x1200000},
		{true, 0, 0x200000, 0x200000},
		{true, 0, 0x1000, 0x100000},
		{false, 0x400000, 0, 0x400000},
		{false, 0x100000, 0x200000, 0x100000},
		{false, 0, 0x200000, 0}, /* over what we keep in the first MiB */
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		self->file[0x234] = all[i].relocatable;
		put(self->file + 0x258, all[i].pref, 8);
		put(self->file + 0x230, all[i].align, 4);
		ASSERT_EQ(try_open(self, FILE_SIZE), all[i].load ? 0 : -ENOEXEC);
		if (!all[i].load)
			continue;
		ASSERT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), 0);
		EXPECT_EQ(self->initrd, (all[i].load + INIT_SIZE + 4095) & ~4095ull);
		EXPECT_EQ(memcmp(self->mem.host + all[i].load, self->file + CODE, CODE_SIZE), 0);
		ASSERT_EQ(finish(self, "", 0, 0), 0);
		EXPECT_EQ(self->entry.rip, all[i].load + 0x200);
	}
}

TEST_F(bzimage, too_little_ram_says_how_much_is_needed)
{
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	self->mem.size = 0x1000000 + INIT_SIZE;
	EXPECT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), 0);
	self->mem.size--;
	EXPECT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), -ENOMEM);
	EXPECT_NE(strstr(self->why.text, "18 MiB are needed"), NULL);
	EXPECT_NE(strstr(self->why.text, "--mem"), NULL);
	EXPECT_EQ(finish(self, "", 0, 0), -ENOMEM);

	/* init_size may be a lie: the code itself must fit as well. */
	put(self->file + 0x260, 0, 4);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	self->mem.size = 0x1000000 + CODE_SIZE - 1;
	EXPECT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), -ENOMEM);
}

TEST_F(bzimage, the_initramfs_must_fit)
{
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	ASSERT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), 0);
	EXPECT_EQ(finish(self, "", self->initrd, RAM - self->initrd), 0);
	EXPECT_EQ(finish(self, "", self->initrd, RAM - self->initrd + 1), -ENOMEM);
	EXPECT_NE(strstr(self->why.text, "--mem"), NULL);
	EXPECT_EQ(finish(self, "", self->initrd, UINT64_MAX), -ENOMEM);
	EXPECT_EQ(finish(self, "", RAM + 4096, 1), -ENOMEM);
	EXPECT_EQ(finish(self, "", self->initrd - 4096, 1), -EINVAL);

	/* initrd_addr_max is the last address that may be used. */
	put(self->file + 0x22c, self->initrd + 0xfff, 4);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	EXPECT_EQ(finish(self, "", self->initrd, 0x1000), 0);
	EXPECT_EQ(finish(self, "", self->initrd, 0x1001), -ENOMEM);
	EXPECT_NE(strstr(self->why.text, "smaller"), NULL);
	put(self->file + 0x22c, 0xffffffff, 4);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	EXPECT_EQ(finish(self, "", self->initrd, 0x1000), 0);
}

TEST_F(bzimage, the_command_line_must_fit)
{
	static char line[BOOT_CMDLINE_MAX + 1];

	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	memset(line, 'x', 255);
	EXPECT_EQ(finish(self, line, 0, 0), 0);
	line[255] = 'x';
	EXPECT_EQ(finish(self, line, 0, 0), -E2BIG);
	EXPECT_NE(strstr(self->why.text, "256"), NULL);
	EXPECT_NE(strstr(self->why.text, "255"), NULL);

	/* However much the kernel takes, there is a limit to our place for it. */
	put(self->file + 0x238, 0xffffffff, 4);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	memset(line, 'x', BOOT_CMDLINE_MAX - 1);
	EXPECT_EQ(finish(self, line, 0, 0), 0);
	line[BOOT_CMDLINE_MAX - 1] = 'x';
	EXPECT_EQ(finish(self, line, 0, 0), -E2BIG);
}

TEST_F(bzimage, a_release_that_could_leave_its_folder_is_not_taken)
{
	static const char *const bad[] = {
		"../../etc x", "6.1/../.. x", "v6.1 x", " 6.1", "", "\x01",
	};
	uint8_t *text = self->file + 0x500;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy((char *)text, bad[i]);
		ASSERT_EQ(try_open(self, FILE_SIZE), 0);
		EXPECT_STREQ(self->kernel.release, "");
	}
	/* Longer than there is room for; a pointer beyond the set-up code; up to its very end. */
	memset(text, '6', 0x100);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	EXPECT_STREQ(self->kernel.release, "");
	put(self->file + 0x20e, 0xffff, 2);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	EXPECT_STREQ(self->kernel.release, "");
	put(self->file + 0x20e, 0x3f8, 2);
	memcpy(self->file + CODE - 8, "6.1-8888", 8);
	self->file[CODE] = '9';
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	EXPECT_STREQ(self->kernel.release, "6.1-8888");
}

TEST_F(bzimage, unpack)
{
	uint8_t *elf = NULL;
	size_t size;

	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	ASSERT_EQ(kernel_unpack(&self->kernel, &elf, &size, &self->why), 0);
	EXPECT_STREQ((char *)elf, ELF_TEXT);
	free(elf);

	/* A payload that reaches out of the file. */
	put(self->file + 0x248, CODE_SIZE - 4, 4);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	EXPECT_EQ(kernel_unpack(&self->kernel, &elf, &size, &self->why), -ENOEXEC);
	put(self->file + 0x248, 0xffffffff, 4);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	EXPECT_EQ(kernel_unpack(&self->kernel, &elf, &size, &self->why), -ENOEXEC);

	make_bzimage(self->file);
	put(self->file + 0x24c, 20, 4);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	EXPECT_EQ(kernel_unpack(&self->kernel, &elf, &size, &self->why), -EBADMSG);
	put(self->file + 0x24c, 0, 4);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	EXPECT_EQ(kernel_unpack(&self->kernel, &elf, &size, &self->why), -ENOEXEC);

	make_bzimage(self->file);
	memcpy(self->file + CODE + PAYLOAD, "\x02\x21\x4c\x18", 4);
	ASSERT_EQ(try_open(self, FILE_SIZE), 0);
	EXPECT_EQ(kernel_unpack(&self->kernel, &elf, &size, &self->why), -ENOTSUP);
	EXPECT_NE(strstr(self->why.text, "lz4"), NULL);
}

/*
 * Damaged headers, on memory of the file's exact size so that the address sanitizer sees each byte
 * too far. Whatever happens, loading stays inside the RAM and says so with 0 or an error.
 */
TEST_F(bzimage, random_damage_is_survived)
{
	unsigned int loaded = 0;
	int fd = memfd_create("kernel", 0); /* the bytes as read; data: as mapped */

	srand(1);
	for (int round = 0; round < 10000; round++) {
		size_t size = round % 4 ? FILE_SIZE : 0x26c + rand() % (FILE_SIZE - 0x26c);
		uint8_t *data = malloc(size);
		struct kernel k = {.path = "k", .fd = fd, .data = data, .size = size};
		uint8_t *elf;
		size_t n;

		memcpy(data, self->file, size);
		for (int i = rand() % 4; i >= 0; i--) {
			size_t at = 0x1f1 + rand() % (0x26c - 0x1f1);

			data[at] = rand() % 3 ? rand() : rand() % 2 ? 0xff : 0;
		}
		ASSERT_EQ(ftruncate(fd, 0), 0);
		ASSERT_EQ(pwrite(fd, data, size, 0), size);
		if (bzimage_ops.matches(data, size) && !bzimage_ops.open(&k, &self->why)) {
			if (!kernel_load(&k, &self->mem, &self->initrd, &self->why) &&
			    !kernel_finish(&k, &self->mem, &self->platform, "", self->initrd, 1,
					   &(struct boot_tables){0}, &self->entry, &self->why))
				loaded++;
			if (!kernel_unpack(&k, &elf, &n, &self->why))
				free(elf);
		}
		free(data);
	}
	close(fd);
	EXPECT_GT(loaded, 1000);
}

TEST_HARNESS_MAIN
