// SPDX-License-Identifier: MIT
/* Kernel configurations: as files, packed ones, inside a kernel, and what only looks like one. */
#include "boot/kconfig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gzip.h"
#include "kselftest_harness.h"

static const char text[] = "#\n# Linux/x86 6.1.0 Kernel Configuration\n#\n"
			   "CONFIG_64BIT=y\n"
			   "CONFIG_NET_9P=m\n"
			   "# CONFIG_OF is not set\n"
			   "CONFIG_NR_CPUS=64\n"
			   "CONFIG_LOCALVERSION=\"y\"\n"
			   "# CONFIG_ACPI=y\n"
			   "CONFIG_LAST=y";

FIXTURE(config)
{
	char path[32];
	struct kconfig *config;
};

FIXTURE_SETUP(config)
{
	strcpy(self->path, "/tmp/boot_kconfig.XXXXXX");
	close(mkstemp(self->path));
}

FIXTURE_TEARDOWN(config)
{
	kconfig_free(self->config);
	unlink(self->path);
}

static struct kconfig *read_bytes(FIXTURE_DATA(config) * self, const void *data, size_t size)
{
	FILE *f = fopen(self->path, "w");

	if (!f || (size && fwrite(data, size, 1, f) != 1) || fclose(f))
		abort();
	kconfig_free(self->config);
	self->config = kconfig_read(self->path);
	return self->config;
}

TEST_F(config, values)
{
	EXPECT_EQ(kconfig_get(NULL, "64BIT"), KCONFIG_UNKNOWN);
	ASSERT_NE(read_bytes(self, text, strlen(text)), NULL);
	EXPECT_STREQ(kconfig_from(self->config), self->path);
	EXPECT_EQ(kconfig_get(self->config, "64BIT"), KCONFIG_Y);
	EXPECT_EQ(kconfig_get(self->config, "NET_9P"), KCONFIG_M);
	EXPECT_EQ(kconfig_get(self->config, "LAST"), KCONFIG_Y);
	/* Not set, not there, a comment, part of a name, no tristate. */
	EXPECT_EQ(kconfig_get(self->config, "OF"), KCONFIG_N);
	EXPECT_EQ(kconfig_get(self->config, "OVERLAY_FS"), KCONFIG_N);
	EXPECT_EQ(kconfig_get(self->config, "ACPI"), KCONFIG_N);
	EXPECT_EQ(kconfig_get(self->config, "NET"), KCONFIG_N);
	EXPECT_EQ(kconfig_get(self->config, "9P"), KCONFIG_N);
	EXPECT_EQ(kconfig_get(self->config, "NR_CPUS"), KCONFIG_N);
	EXPECT_EQ(kconfig_get(self->config, "LOCALVERSION"), KCONFIG_N);
	/* The first line counts as any; a longer file, too. */
	ASSERT_NE(read_bytes(self, "CONFIG_A=m\n", 11), NULL);
	EXPECT_EQ(kconfig_get(self->config, "A"), KCONFIG_M);
}

TEST_F(config, packed)
{
	uint8_t packed[1024];
	size_t size = gzip(packed, sizeof(packed), text, strlen(text));

	ASSERT_NE(read_bytes(self, packed, size), NULL);
	EXPECT_EQ(kconfig_get(self->config, "NET_9P"), KCONFIG_M);
	EXPECT_EQ(read_bytes(self, packed, size - 9), NULL);
}

TEST_F(config, what_is_none)
{
	EXPECT_EQ(read_bytes(self, "", 0), NULL);
	EXPECT_EQ(read_bytes(self, "#!/bin/sh\n", 10), NULL);
	EXPECT_EQ(read_bytes(self, "CONFIG_A=y\n\0CONFIG_B=y\n", 23), NULL);
	ASSERT_EQ(truncate(self->path, 5 << 20), 0);
	EXPECT_EQ(kconfig_read(self->path), NULL);
	unlink(self->path);
	EXPECT_EQ(kconfig_read(self->path), NULL);
	ASSERT_EQ(mkfifo(self->path, 0600), 0);
	EXPECT_EQ(kconfig_read(self->path), NULL);
	EXPECT_EQ(kconfig_read("/tmp"), NULL);
}

/* An ELF file's data, on memory of its own size, for the address sanitizer. */
static struct kconfig *find(FIXTURE_DATA(config) * self, const char *before, const void *packed,
			    size_t size, const char *after)
{
	size_t nbefore = strlen(before), nafter = strlen(after), all = nbefore + size + nafter;
	uint8_t *data = malloc(all);

	memcpy(data, before, nbefore);
	memcpy(data + nbefore, packed, size);
	memcpy(data + nbefore + size, after, nafter);
	kconfig_free(self->config);
	self->config = kconfig_find(data, all);
	free(data);
	return self->config;
}

TEST_F(config, inside_a_kernel)
{
	uint8_t packed[1024];
	size_t size = gzip(packed, sizeof(packed), text, strlen(text));

	ASSERT_NE(find(self, "so IKCFG_ST or IKCFG_ST", packed, size, "IKCFG_ED and more"), NULL);
	EXPECT_STREQ(kconfig_from(self->config), "");
	EXPECT_EQ(kconfig_get(self->config, "NET_9P"), KCONFIG_M);
	/* It ends where it ends, also at the end of all. */
	EXPECT_NE(find(self, "IKCFG_ST", packed, size, ""), NULL);
	EXPECT_EQ(find(self, "IKCFG_ST", packed, size - 1, ""), NULL);
	for (size_t n = 0; n < 12; n++)
		EXPECT_EQ(find(self, "IKCFG_ST", packed, n, ""), NULL);
	EXPECT_EQ(find(self, "IKCFG_S", packed, size, ""), NULL);
	EXPECT_EQ(find(self, "IKCFG_ST", "CONFIG_A=y\n", 11, ""), NULL);
	EXPECT_EQ(find(self, "", "", 0, ""), NULL);
	/* Packed, but no configuration. */
	size = gzip(packed, sizeof(packed), "some words", 10);
	EXPECT_EQ(find(self, "IKCFG_ST", packed, size, ""), NULL);
}

/* What unpacks to more than any configuration has is not unpacked to its end. */
TEST_F(config, too_large_a_one)
{
	const size_t all = 5 << 20;
	char *large = malloc(all);
	uint8_t *packed = malloc(all);
	size_t size;

	memset(large, '\n', all);
	memcpy(large, text, strlen(text));
	size = gzip(packed, all, large, all);
	EXPECT_EQ(find(self, "IKCFG_ST", packed, size, ""), NULL);
	size = gzip(packed, all, large, 4 << 20);
	EXPECT_NE(find(self, "IKCFG_ST", packed, size, ""), NULL);
	free(packed);
	free(large);
}

TEST_HARNESS_MAIN
