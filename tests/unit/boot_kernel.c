// SPDX-License-Identifier: MIT
/* What is no kernel, the memory map, and a real kernel: NINEPIN_TEST_KERNEL=/boot/vmlinuz-… */
#include "boot/boot.h"
#include "boot/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gzip.h"
#include "kselftest_harness.h"

#define RAM (1ull << 30)

static int open_bytes(const char *path, const void *bytes, size_t len, struct why *why)
{
	struct kernel kernel;
	int fd = open(path, O_WRONLY | O_TRUNC), err;
	bool written = write(fd, bytes, len) == (ssize_t)len;

	close(fd);
	if (!written)
		return -EIO;
	err = kernel_open(&kernel, path, why);
	if (!err)
		kernel_close(&kernel);
	return err;
}

TEST(what_is_no_kernel_says_what_it_is)
{
	char path[] = "/tmp/boot_kernel.XXXXXX", fifo[64];
	uint8_t image[64] = "MZ";
	struct kernel kernel;
	struct why why;

	close(mkstemp(path));
	EXPECT_EQ(open_bytes(path, "", 0, &why), -ENOEXEC);
	EXPECT_NE(strstr(why.text, "an empty file"), NULL);
	EXPECT_EQ(open_bytes(path, "#!/bin/sh\n", 10, &why), -ENOEXEC);
	EXPECT_NE(strstr(why.text, "not a kernel"), NULL);
	EXPECT_EQ(open_bytes(path, "BZh91AY&SY", 10, &why), -ENOEXEC);
	EXPECT_NE(strstr(why.text, "packed with bzip2"), NULL);
	memcpy(image + 56, "ARM\x64", 4);
	EXPECT_EQ(open_bytes(path, image, 64, &why), -ENOEXEC);
	EXPECT_NE(strstr(why.text, "another processor (arm64)"), NULL);
	memcpy(image + 56, "RSC\x05", 4);
	EXPECT_EQ(open_bytes(path, image, 60, &why), -ENOEXEC);
	EXPECT_NE(strstr(why.text, "another processor (RISC-V)"), NULL);
	EXPECT_EQ(open_bytes(path, image, 59, &why), -ENOEXEC);

	EXPECT_EQ(kernel_open(&kernel, "/tmp", &why), -ENOEXEC);
	EXPECT_NE(strstr(why.text, "a folder"), NULL);
	/* A program is an ELF file, too. */
	EXPECT_EQ(kernel_open(&kernel, "/proc/self/exe", &why), -ENOEXEC);
	EXPECT_NE(strstr(why.text, "no Linux kernel"), NULL);
	/* One that nobody writes to must not block. */
	snprintf(fifo, sizeof(fifo), "%s.fifo", path);
	ASSERT_EQ(mkfifo(fifo, 0600), 0);
	EXPECT_EQ(kernel_open(&kernel, fifo, &why), -ENOEXEC);
	EXPECT_NE(strstr(why.text, "a special file"), NULL);
	unlink(fifo);
	unlink(path);
	EXPECT_EQ(kernel_open(&kernel, path, &why), -ENOENT);
	EXPECT_NE(strstr(why.text, path), NULL);
	EXPECT_NE(strstr(why.text, "--kernel"), NULL);
}

/* Known by its content, whatever it is called; what is inside shows when it is unpacked. */
TEST(packed_files)
{
	char path[] = "/tmp/boot_kernel.XXXXXX";
	uint8_t image[64] = "MZ", packed[256], *elf;
	struct kernel kernel, inside;
	struct why why;
	size_t size;
	int fd;

	close(mkstemp(path));
	size = gzip(packed, sizeof(packed), "\177ELF and so on", 14);
	ASSERT_EQ(open_bytes(path, packed, size, &why), 0);
	ASSERT_EQ(kernel_open(&kernel, path, &why), 0);
	EXPECT_EQ(kernel.format, KERNEL_PACKED);
	EXPECT_STREQ(kernel.release, "");
	ASSERT_EQ(kernel_unpack(&kernel, &elf, &size, &why), 0);
	ASSERT_EQ(size, 14);
	EXPECT_EQ(memcmp(elf, "\177ELF and so on", size), 0);
	/* Unpacked it is judged as any ELF file, and the packed one is named. */
	fd = memfd_create("elf", 0);
	ASSERT_EQ(write(fd, elf, size), size);
	EXPECT_EQ(kernel_open_unpacked(&inside, &kernel, fd, &why), -ENOEXEC);
	EXPECT_NE(strstr(why.text, path), NULL);
	EXPECT_EQ(fcntl(fd, F_GETFD), -1);
	free(elf);
	kernel_close(&kernel);

	memcpy(image + 56, "ARM\x64", 4);
	size = gzip(packed, sizeof(packed), image, sizeof(image));
	ASSERT_EQ(open_bytes(path, packed, size, &why), 0);
	ASSERT_EQ(kernel_open(&kernel, path, &why), 0);
	EXPECT_EQ(kernel_unpack(&kernel, &elf, &size, &why), -ENOEXEC);
	EXPECT_NE(strstr(why.text, "another processor (arm64)"), NULL);
	kernel_close(&kernel);

	ASSERT_EQ(open_bytes(path, packed, 20, &why), 0);
	ASSERT_EQ(kernel_open(&kernel, path, &why), 0);
	EXPECT_EQ(kernel_unpack(&kernel, &elf, &size, &why), -EBADMSG);
	EXPECT_NE(strstr(why.text, "damaged"), NULL);
	kernel_close(&kernel);
	unlink(path);
}

TEST(memory_map)
{
	struct platform platform = {.nram = 1};
	struct boot_range range[BOOT_RANGES_MAX];

	/* RAM that ends in the low part, in the hole, or exactly where a part does. */
	platform.ram[0].size = 0x8000;
	ASSERT_EQ(boot_memory_map(&platform, range), 2);
	EXPECT_EQ(range[0].size, 0x8000);
	EXPECT_EQ(range[1].type, BOOT_RANGE_ACPI);
	platform.ram[0].size = 0xa0000;
	ASSERT_EQ(boot_memory_map(&platform, range), 2);
	EXPECT_EQ(range[0].size, 0x9fc00);
	platform.ram[0].size = 0x100000;
	ASSERT_EQ(boot_memory_map(&platform, range), 2);
	platform.ram[0].size = 0x100001;
	ASSERT_EQ(boot_memory_map(&platform, range), 3);
	EXPECT_EQ(range[2].base, 0x100000);
	EXPECT_EQ(range[2].size, 1);

	/* What the loaders write below 1 MiB is RAM, the ACPI tables are not. */
	EXPECT_LE(BOOT_CMDLINE_GPA + BOOT_CMDLINE_MAX, range[0].size);
	EXPECT_EQ(range[1].base, BOOT_TABLES_GPA);
	EXPECT_EQ(range[1].size, BOOT_TABLES_SIZE);

	platform.nram = 2;
	platform.ram[0].size = 0xc0000000;
	platform.ram[1] = (struct platform_ram){1ull << 32, 5ull << 30};
	ASSERT_EQ(boot_memory_map(&platform, range), 4);
	for (int i = 1; i < 4; i++)
		EXPECT_GE(range[i].base, range[i - 1].base + range[i - 1].size);
	EXPECT_EQ(range[3].base, 1ull << 32);
	EXPECT_EQ(range[3].size, 5ull << 30);
}

FIXTURE(real)
{
	const char *path;
	struct kernel kernel;
	struct boot_mem mem;
	struct platform platform;
	struct boot_entry entry;
	struct why why;
	uint64_t initrd;
};

FIXTURE_SETUP(real)
{
	self->path = getenv("NINEPIN_TEST_KERNEL");
	self->mem.size = RAM;
	self->mem.host = mmap(NULL, RAM, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	self->platform.nram = 1;
	self->platform.ram[0].size = RAM;
}

FIXTURE_TEARDOWN(real)
{
	kernel_close(&self->kernel);
	munmap(self->mem.host, RAM);
}

TEST_F(real, is_loaded)
{
	if (!self->path || !*self->path)
		SKIP(return, "NINEPIN_TEST_KERNEL is not set");
	ASSERT_EQ(kernel_open(&self->kernel, self->path, &self->why), 0)
	{
		TH_LOG("%s", self->why.text);
	}
	EXPECT_STRNE(self->kernel.release, "");
	ASSERT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), 0);
	EXPECT_GT(self->initrd, self->kernel.size);
	ASSERT_EQ(kernel_finish(&self->kernel, &self->mem, &self->platform, "quiet", self->initrd,
				4096, &(struct boot_tables){0}, &self->entry, &self->why),
		  0);
	EXPECT_NE(self->mem.host[self->entry.rip], 0);
}

/* The ELF that is in a bzImage is the same kernel. */
TEST_F(real, is_unpacked)
{
	char path[] = "/tmp/boot_kernel.XXXXXX", release[128];
	uint8_t *elf;
	size_t size;
	int fd;

	if (!self->path || !*self->path)
		SKIP(return, "NINEPIN_TEST_KERNEL is not set");
	ASSERT_EQ(kernel_open(&self->kernel, self->path, &self->why), 0);
	if (self->kernel.format != KERNEL_BZIMAGE)
		SKIP(return, "NINEPIN_TEST_KERNEL is not a bzImage");
	strcpy(release, self->kernel.release);
	ASSERT_EQ(kernel_unpack(&self->kernel, &elf, &size, &self->why), 0)
	{
		TH_LOG("%s", self->why.text);
	}
	kernel_close(&self->kernel);

	fd = mkstemp(path);
	EXPECT_EQ(write(fd, elf, size), size);
	close(fd);
	free(elf);
	EXPECT_EQ(kernel_open(&self->kernel, path, &self->why), 0)
	{
		TH_LOG("%s", self->why.text);
	}
	unlink(path);
	EXPECT_EQ(self->kernel.format, KERNEL_ELF);
	EXPECT_STREQ(self->kernel.release, release);
	EXPECT_EQ(kernel_load(&self->kernel, &self->mem, &self->initrd, &self->why), 0);
	EXPECT_EQ(kernel_finish(&self->kernel, &self->mem, &self->platform, "quiet", self->initrd,
				4096, &(struct boot_tables){0}, &self->entry, &self->why),
		  0);
	EXPECT_NE(self->mem.host[self->entry.rip], 0);
}

TEST_HARNESS_MAIN
