// SPDX-License-Identifier: MIT
/* Modules in the tree that they were built in: modules.order, and what each says it depends on. */
#include "boot/boot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <elf.h>

#include "gzip.h"
#include "kselftest_harness.h"

FIXTURE(tree)
{
	char dir[32];
	struct module_list list;
	struct why why;
};

FIXTURE_SETUP(tree)
{
	strcpy(self->dir, "/tmp/boot_tree_index.XXXXXX");
	if (!mkdtemp(self->dir) || chdir(self->dir) || mkdir("fs", 0755) || mkdir("net", 0755))
		abort();
}

FIXTURE_TEARDOWN(tree)
{
	char command[64];

	module_list_free(&self->list);
	snprintf(command, sizeof(command), "rm -r %s", self->dir);
	if (system(command))
		abort();
}

static void write_file(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "w");

	if (!f || (size && fwrite(data, size, 1, f) != 1) || fclose(f))
		abort();
}

static void write_text(const char *path, const char *text)
{
	write_file(path, text, strlen(text));
}

/* A module as the compiler makes it, of sections only. */
struct ko {
	Elf64_Ehdr elf;
	Elf64_Shdr section[3];
	char names[32];
	char modinfo[96];
};

static const struct ko plain = {
	.elf = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
		.e_type = ET_REL,
		.e_machine = EM_X86_64,
		.e_shoff = offsetof(struct ko, section),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 3,
		.e_shstrndx = 2,
	},
	.section = {
		[1] = {
			.sh_name = 1,
			.sh_type = SHT_PROGBITS,
			.sh_offset = offsetof(struct ko, modinfo),
			.sh_size = sizeof(plain.modinfo),
		},
		[2] = {
			.sh_name = 10,
			.sh_type = SHT_STRTAB,
			.sh_offset = offsetof(struct ko, names),
			.sh_size = sizeof(plain.names),
		},
	},
	.names = "\0.modinfo\0.shstrtab",
	.modinfo = "license=GPL\0alias=depends=no\0depends=",
};

static struct ko with_depends(const char *names)
{
	struct ko ko = plain;

	strcpy(ko.modinfo + sizeof("license=GPL\0alias=depends=no\0depends=") - 1, names);
	return ko;
}

static void write_module(const char *path, const char *depends)
{
	struct ko ko = with_depends(depends);

	write_file(path, &ko, sizeof(ko));
}

static int resolve(FIXTURE_DATA(tree) * self, char *order, const char *const *names)
{
	size_t n = 0;
	int err;

	while (names[n])
		n++;
	module_list_free(&self->list);
	err = modules_resolve(&self->list, self->dir, names, n, &self->why);
	*order = '\0';
	for (size_t i = 0; i < self->list.n; i++) {
		strcat(order, *order ? " " : "");
		strcat(order, self->list.path[i] + strlen(self->dir) + 1);
	}
	return err;
}

#define RESOLVE(...) resolve(self, order, (const char *const[]){ __VA_ARGS__, NULL })

TEST_F(tree, order)
{
	char order[1024];

	write_text("modules.order", "fs/netfs.ko\nnet/9pnet.ko\nfs/9p.ko\nnet/9pnet-virtio.ko\n");
	write_text("modules.builtin", "kernel/drivers/virtio/virtio_mmio.ko\n");
	write_module("fs/netfs.ko", "");
	write_module("net/9pnet.ko", "netfs");
	write_module("fs/9p.ko", "9pnet,netfs");
	write_module("net/9pnet-virtio.ko", "9pnet");
	ASSERT_EQ(RESOLVE("9p", "9pnet_virtio", "virtio_mmio", "virtio_rng?"), 0)
	{
		TH_LOG("%s", self->why.text);
	}
	EXPECT_STREQ(order, "fs/netfs.ko net/9pnet.ko fs/9p.ko net/9pnet-virtio.ko");
	EXPECT_EQ(RESOLVE("9p", "overlay"), -ENOENT);
	EXPECT_NE(strstr(self->why.text, "overlay"), NULL);
	EXPECT_NE(strstr(self->why.text, "make modules"), NULL);
	/* What depmod wrote goes before. */
	write_text("modules.dep", "fs/9p.ko:\n");
	ASSERT_EQ(RESOLVE("9p"), 0);
	EXPECT_STREQ(order, "fs/9p.ko");
}

/* Objects (Linux 6.3 and later), the prefix of old trees, and packed modules that were installed. */
TEST_F(tree, forms_of_modules_order)
{
	struct ko ko = with_depends("a");
	uint8_t packed[1024];
	char order[1024];

	write_text("modules.order", "fs/a.o\nkernel/fs/b.ko\nfs/c.ko");
	write_module("fs/a.ko", "");
	write_module("fs/b.ko", "a");
	write_file("fs/c.ko.gz", packed, gzip(packed, sizeof(packed), &ko, sizeof(ko)));
	ASSERT_EQ(RESOLVE("b", "c"), 0)
	{
		TH_LOG("%s", self->why.text);
	}
	EXPECT_STREQ(order, "fs/a.ko fs/b.ko fs/c.ko.gz");
	/* A folder of that name is that one. */
	ASSERT_EQ(mkdir("kernel", 0755) + mkdir("kernel/fs", 0755), 0);
	write_module("kernel/fs/b.ko", "");
	ASSERT_EQ(RESOLVE("b"), 0);
	EXPECT_STREQ(order, "kernel/fs/b.ko");
}

TEST_F(tree, what_is_wrong_is_told)
{
	char order[1024];

	write_text("modules.order", "fs/a.ko\nfs/b.ko\n../c.ko\nfs/d.ko\n");
	EXPECT_EQ(RESOLVE("a"), -ENOENT);
	EXPECT_NE(strstr(self->why.text, "make modules"), NULL);
	write_module("fs/a.ko", "b");
	write_module("fs/b.ko", "a");
	EXPECT_EQ(RESOLVE("a"), -ELOOP);
	write_module("fs/b.ko", "nosuch");
	EXPECT_EQ(RESOLVE("a"), -ENOENT);
	EXPECT_NE(strstr(self->why.text, "nosuch"), NULL);
	write_text("fs/d.ko", "#!/bin/sh\n");
	EXPECT_EQ(RESOLVE("d"), -ENOEXEC);
	EXPECT_NE(strstr(self->why.text, "fs/d.ko"), NULL);
	/* Out of the folder: the file is there, and still is not taken. */
	write_module("../c.ko", "");
	EXPECT_EQ(RESOLVE("c"), -EINVAL);
	unlink("../c.ko");
	write_text("modules.order", "");
	EXPECT_EQ(RESOLVE("a"), -ENOENT);
}

/* On memory of the file's own size: it is mapped, so only what goes beyond a page would show; the address
 * sanitizer sees the packed form. */
TEST_F(tree, random_damage_is_survived)
{
	unsigned int good = 0;
	char order[1024];

	write_text("modules.order", "fs/a.ko\nfs/b.ko\n");
	write_module("fs/b.ko", "");
	srandom(1);
	for (unsigned int round = 0; round < 3000; round++) {
		struct ko ko = with_depends("b");
		uint8_t packed[1024];
		size_t size = sizeof(ko);

		for (int i = 0; i < 3; i++)
			((uint8_t *)&ko)[random() % (sizeof(ko) - sizeof(ko.modinfo))] = (uint8_t)random();
		if (round % 5 == 0)
			size = (size_t)random() % sizeof(ko);
		write_file("fs/a.ko", packed, gzip(packed, sizeof(packed), &ko, size));
		good += RESOLVE("a") == 0;
	}
	EXPECT_GT(good, 0);
	EXPECT_LT(good, 3000);
}

TEST_HARNESS_MAIN
