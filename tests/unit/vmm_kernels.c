// SPDX-License-Identifier: MIT
/* Which file is booted, what it was built with, and where its modules are. */
#include "vmm/kernels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gzip.h"
#include "kselftest_harness.h"
#include "tiny_kernel.h"

FIXTURE(kernels)
{
	char dir[32];
	const char *modules; /* as the user gives them */
	struct kernel_choice choice;
	struct why why;
};

FIXTURE_SETUP(kernels)
{
	strcpy(self->dir, "/tmp/vmm_kernels.XXXXXX");
	if (!mkdtemp(self->dir) || chdir(self->dir))
		abort();
	setenv("XDG_CACHE_HOME", self->dir, 1);
	unsetenv("INSTALL_MOD_PATH");
	self->modules = NULL;
	memset(&self->choice, 0, sizeof(self->choice));
}

FIXTURE_TEARDOWN(kernels)
{
	char command[64];

	kernel_choice_free(&self->choice);
	snprintf(command, sizeof(command), "rm -r %s", self->dir);
	if (system(command))
		abort();
}

static void write_file(const char *path, const void *data, size_t size)
{
	char folder[256];
	FILE *f;

	strcpy(folder, path);
	for (char *slash = folder; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(folder, 0755);
	}
	f = fopen(path, "w");
	if (!f || (size && fwrite(data, size, 1, f) != 1) || fclose(f))
		abort();
}

static void write_text(const char *path, const char *text)
{
	write_file(path, text, strlen(text));
}

/* An ELF kernel of release 0.1-test; with a configuration in it, if that is not NULL. */
static void write_kernel(const char *path, const char *config, bool packed)
{
	uint8_t buf[8192];
	struct tiny_kernel k;

	tiny_kernel(&k, "0.1-test");
	if (config) {
		strcpy(k.text + 100, "IKCFG_ST");
		gzip(k.text + 108, sizeof(k.text) - 108, config, strlen(config));
	}
	if (packed)
		write_file(path, buf, gzip(buf, sizeof(buf), &k, sizeof(k)));
	else
		write_file(path, &k, sizeof(k));
}

static int choose(FIXTURE_DATA(kernels) * self, const char *kernel)
{
	kernel_choice_free(&self->choice);
	return kernel_choose(&self->choice, kernel, self->modules, KERNEL_UNPACKED, &self->why);
}

#define CHOOSE(kernel)                                                                             \
	ASSERT_EQ(choose(self, kernel), 0)                                                         \
	{                                                                                          \
		TH_LOG("%s", self->why.text);                                                      \
	}

/* Below the test's folder; or "" if there are none. */
static const char *modules(FIXTURE_DATA(kernels) * self)
{
	const char *at = self->choice.modules;

	if (!at)
		return "";
	if (strncmp(at, self->dir, strlen(self->dir)))
		return at;
	at += strlen(self->dir);
	return *at ? at + 1 : ".";
}

TEST_F(kernels, packed_one)
{
	write_kernel("vmlinux.gz", NULL, true);
	CHOOSE("vmlinux.gz");
	EXPECT_STREQ(self->choice.path, "vmlinux.gz");
	EXPECT_EQ(self->choice.kernel.format, KERNEL_ELF);
	EXPECT_STREQ(self->choice.kernel.release, "0.1-test");
	/* Again, out of the cache. */
	CHOOSE("vmlinux.gz");
	EXPECT_STREQ(self->choice.kernel.release, "0.1-test");
	ASSERT_EQ(truncate("vmlinux.gz", 100), 0);
	EXPECT_EQ(choose(self, "vmlinux.gz"), -EBADMSG);
}

TEST_F(kernels, configuration)
{
	write_kernel("boot/vmlinux", NULL, false);
	CHOOSE("boot/vmlinux");
	EXPECT_EQ(self->choice.config, NULL);
	/* In the kernel; beside it, by its release, which was installed with it. */
	write_kernel("boot/vmlinux", "CONFIG_OF=y\n", false);
	CHOOSE("boot/vmlinux");
	EXPECT_EQ(kconfig_get(self->choice.config, "OF"), KCONFIG_Y);
	write_text("boot/config-0.1-test", "CONFIG_OF=m\n");
	write_text("boot/config-0.1-testing", "CONFIG_ACPI=y\n");
	CHOOSE("boot/vmlinux");
	EXPECT_EQ(kconfig_get(self->choice.config, "OF"), KCONFIG_M);
	EXPECT_NE(strstr(kconfig_from(self->choice.config), "/boot/config-0.1-test"), NULL);
	/* And out of one that is packed. */
	write_kernel("vmlinux.gz", "CONFIG_9P_FS=y\n", true);
	CHOOSE("vmlinux.gz");
	EXPECT_EQ(kconfig_get(self->choice.config, "9P_FS"), KCONFIG_N);
}

TEST_F(kernels, configuration_of_a_tree)
{
	write_kernel("tree/vmlinux", NULL, false);
	write_text("tree/.config", "CONFIG_OF=y\n");
	CHOOSE("tree");
	EXPECT_STREQ(self->choice.path, "tree/vmlinux");
	EXPECT_EQ(kconfig_get(self->choice.config, "OF"), KCONFIG_Y);
	/* What it was built with goes before what it would now be built with. */
	write_kernel("tree/arch/x86/boot/bzImage", "CONFIG_OF=m\n", false);
	CHOOSE("tree");
	EXPECT_STREQ(self->choice.path, "tree/arch/x86/boot/bzImage");
	EXPECT_EQ(kconfig_get(self->choice.config, "OF"), KCONFIG_M);
	write_kernel("tree/arch/x86/boot/bzImage", NULL, false);
	CHOOSE("tree");
	EXPECT_EQ(kconfig_get(self->choice.config, "OF"), KCONFIG_Y);
}

TEST_F(kernels, modules)
{
	write_kernel("boot/vmlinuz", NULL, false);
	CHOOSE("boot/vmlinuz");
	EXPECT_STREQ(modules(self), "");
	write_text("lib/modules/0.1-test/modules.dep", "");
	CHOOSE("boot/vmlinuz");
	EXPECT_STREQ(modules(self), "lib/modules/0.1-test");
	write_text("boot/lib/modules/0.1-test/modules.dep", "");
	CHOOSE("boot/vmlinuz");
	EXPECT_STREQ(modules(self), "boot/lib/modules/0.1-test");
	/* The user's word goes before all. */
	self->modules = "boot";
	CHOOSE("boot/vmlinuz");
	EXPECT_STREQ(self->choice.modules, "boot");
	self->modules = "nosuch";
	EXPECT_EQ(choose(self, "boot/vmlinuz"), -ENOENT);
}

TEST_F(kernels, modules_of_a_tree)
{
	write_kernel("tree/arch/x86/boot/bzImage", NULL, false);
	write_text("tree/include/config/kernel.release", "0.1-test\n");
	CHOOSE("tree");
	EXPECT_STREQ(modules(self), "");
	write_text("tree/modules.order", "fs/9p/9p.ko\n");
	CHOOSE("tree");
	EXPECT_STREQ(modules(self), "tree");
	CHOOSE("tree/arch/x86/boot/bzImage");
	EXPECT_STREQ(modules(self), "tree");
	write_kernel("tree/vmlinux", NULL, false);
	CHOOSE("tree/vmlinux");
	EXPECT_STREQ(modules(self), "tree");
	/* Installed ones go before, if there are any of this release. */
	setenv("INSTALL_MOD_PATH", "mods", 1);
	CHOOSE("tree");
	EXPECT_STREQ(modules(self), "tree");
	write_text("mods/lib/modules/0.1-test/modules.order", "kernel/fs/9p/9p.ko\n");
	CHOOSE("tree");
	EXPECT_STREQ(modules(self), "mods/lib/modules/0.1-test");
	/* That is about what was built in the tree. */
	write_kernel("vmlinuz", NULL, false);
	CHOOSE("vmlinuz");
	EXPECT_STREQ(modules(self), "");
	/* We may stand in it. */
	ASSERT_EQ(chdir("tree"), 0);
	unsetenv("INSTALL_MOD_PATH");
	CHOOSE(NULL);
	EXPECT_STREQ(self->choice.path, "arch/x86/boot/bzImage");
	EXPECT_STREQ(modules(self), "tree");
}

TEST_HARNESS_MAIN
