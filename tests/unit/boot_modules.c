// SPDX-License-Identifier: MIT
/* Load order out of modules.dep, and modules in each packing; the folders are made here. */
#include "boot/boot.h"
#include "boot/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "kselftest_harness.h"

FIXTURE(modules)
{
	char base[64];
	char dir[128];
	struct module_list list;
	struct why why;
};

FIXTURE_SETUP(modules)
{
	char command[256];

	strcpy(self->base, "/tmp/boot_modules.XXXXXX");
	if (!mkdtemp(self->base))
		abort();
	snprintf(self->dir, sizeof(self->dir), "%s/lib/modules/6.1.0-test", self->base);
	snprintf(command, sizeof(command), "mkdir -p %s", self->dir);
	if (system(command))
		abort();
}

FIXTURE_TEARDOWN(modules)
{
	char command[256];

	module_list_free(&self->list);
	snprintf(command, sizeof(command), "rm -r %s", self->base);
	if (system(command))
		abort();
}

static void write_file(const char *dir, const char *name, const void *data, size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f || (len && fwrite(data, len, 1, f) != 1) || fclose(f))
		abort();
}

static void write_text(const char *dir, const char *name, const char *text)
{
	write_file(dir, name, text, strlen(text));
}

/* Resolves names (up to a NULL) and joins what is found below DIR: "kernel/a.ko kernel/b.ko". */
static int resolve(FIXTURE_DATA(modules) * self, char *order, const char *const *names)
{
	size_t n = 0, skip = strlen(self->dir) + 1;
	int err;

	while (names[n])
		n++;
	module_list_free(&self->list);
	err = modules_resolve(&self->list, self->dir, names, n, &self->why);
	*order = '\0';
	for (size_t i = 0; i < self->list.n; i++) {
		if (strncmp(self->list.path[i], self->dir, skip - 1))
			abort();
		strcat(order, *order ? " " : "");
		strcat(order, self->list.path[i] + skip);
	}
	return err;
}

#define RESOLVE(...) resolve(self, order, (const char *const[]){__VA_ARGS__, NULL})

static const char dep[] =
	"kernel/net/9p/9pnet.ko.xz: kernel/fs/netfs/netfs.ko.xz\n"
	"kernel/fs/netfs/netfs.ko.xz:\n"
	"kernel/fs/9p/9p.ko.xz: kernel/fs/netfs/netfs.ko.xz kernel/net/9p/9pnet.ko.xz\n"
	"kernel/drivers/virtio/virtio_mmio.ko: kernel/drivers/virtio/virtio_ring.ko "
	"kernel/drivers/virtio/virtio.ko\n"
	"kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko\n"
	"kernel/drivers/virtio/virtio.ko:\n"
	"kernel/drivers/char/hw_random/virtio-rng.ko.zst:\n"
	"kernel/misc/my9p.ko:";

TEST_F(modules, order)
{
	char order[1024];

	write_text(self->dir, "modules.dep", dep);
	ASSERT_EQ(RESOLVE("9p"), 0);
	EXPECT_STREQ(order, "kernel/fs/netfs/netfs.ko.xz kernel/net/9p/9pnet.ko.xz "
			    "kernel/fs/9p/9p.ko.xz");
	/* In the order of the names; each once; dashes and underscores are alike, both ways. */
	ASSERT_EQ(RESOLVE("virtio-mmio", "9pnet", "virtio", "9pnet", "virtio_rng", "my9p"), 0);
	EXPECT_STREQ(order, "kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko "
			    "kernel/drivers/virtio/virtio_mmio.ko kernel/fs/netfs/netfs.ko.xz "
			    "kernel/net/9p/9pnet.ko.xz "
			    "kernel/drivers/char/hw_random/virtio-rng.ko.zst kernel/misc/my9p.ko");
	ASSERT_EQ(modules_resolve(&self->list, self->dir, NULL, 0, &self->why), 0);
	EXPECT_EQ(self->list.n, 0);
}

TEST_F(modules, missing_ones_are_all_named)
{
	char order[1024];

	write_text(self->dir, "modules.dep", dep);
	EXPECT_EQ(RESOLVE("9p", "no_such", "virtio", "nor-this", "9", "virtio_"), -ENOENT);
	EXPECT_STREQ(order, "");
	EXPECT_NE(strstr(self->why.text, "no_such, nor-this, 9, virtio_,"), NULL)
	{
		TH_LOG("%s", self->why.text);
	}
	EXPECT_NE(strstr(self->why.text, self->dir), NULL);
	EXPECT_EQ(RESOLVE("no_such?", "9pnet?"), 0);
	EXPECT_STREQ(order, "kernel/fs/netfs/netfs.ko.xz kernel/net/9p/9pnet.ko.xz");
}

TEST_F(modules, very_many_missing_ones)
{
	static const char *names[500];
	char order[1024];

	for (int i = 0; i < 499; i++)
		names[i] = "a_module_with_a_rather_long_name";
	write_text(self->dir, "modules.dep", dep);
	EXPECT_EQ(resolve(self, order, names), -ENOENT);
	EXPECT_LT(strlen(self->why.text), sizeof(self->why.text));
}

TEST_F(modules, builtin_ones_are_skipped)
{
	char order[1024];

	write_text(self->dir, "modules.dep", dep);
	write_text(self->dir, "modules.builtin",
		   "kernel/drivers/char/virtio_console.ko\n"
		   "kernel/fs/overlayfs/overlay.ko\n");
	ASSERT_EQ(RESOLVE("virtio-console", "overlay", "virtio"), 0);
	EXPECT_STREQ(order, "kernel/drivers/virtio/virtio.ko");
	EXPECT_EQ(RESOLVE("console"), -ENOENT);
}

TEST_F(modules, without_modules_dep)
{
	char order[1024], command[256];

	write_text(self->dir, "modules.builtin", "kernel/fs/9p/9p.ko\n");
	EXPECT_EQ(RESOLVE("9p"), 0);
	EXPECT_STREQ(order, "");
	EXPECT_EQ(RESOLVE("9p", "virtio"), -ENOENT);
	snprintf(command, sizeof(command), "`depmod -b %s/ 6.1.0-test`", self->base);
	EXPECT_NE(strstr(self->why.text, command), NULL)
	{
		TH_LOG("%s", self->why.text);
	}
	strcat(self->dir, "//");
	EXPECT_EQ(RESOLVE("virtio?"), -ENOENT);
	EXPECT_NE(strstr(self->why.text, command), NULL);

	strcpy(self->dir, self->base);
	EXPECT_EQ(RESOLVE("virtio"), -ENOENT);
	EXPECT_NE(strstr(self->why.text, "depmod -b BASE VERSION"), NULL);
	strcpy(self->dir, "x");
	EXPECT_EQ(RESOLVE("virtio"), -ENOENT);
	EXPECT_NE(strstr(self->why.text, "is not there"), NULL);
}

TEST_F(modules, cycles_and_endless_chains)
{
	static char chain[100 * 64];
	char order[4096];
	size_t n = 0;

	write_text(self->dir, "modules.dep", "a.ko: b.ko\nb.ko: c.ko\nc.ko: a.ko\nd.ko: d.ko\n");
	EXPECT_EQ(RESOLVE("a"), -ELOOP);
	EXPECT_NE(strstr(self->why.text, "a.ko depends on itself"), NULL);
	EXPECT_STREQ(order, "");
	EXPECT_EQ(RESOLVE("d"), -ELOOP);

	for (int i = 0; i < 99; i++)
		n += sprintf(chain + n, "m%d.ko: m%d.ko\n", i, i + 1);
	sprintf(chain + n, "m99.ko:\n");
	write_text(self->dir, "modules.dep", chain);
	EXPECT_EQ(RESOLVE("m0"), -ELOOP);
	EXPECT_EQ(RESOLVE("m50"), 0);
	EXPECT_EQ(self->list.n, 50);
}

TEST_F(modules, damaged_indexes)
{
	static const char nul[] = "a\0b.ko:\nc.ko: d.ko\0\n";
	char order[1024];

	/* Lines that say nothing are passed over; what remains is used. */
	write_text(self->dir, "modules.dep",
		   "\n\n:\n: x.ko\nno colon\nkernel/a.ko:  \n:::\na.txt:");
	ASSERT_EQ(RESOLVE("a"), 0);
	EXPECT_STREQ(order, "kernel/a.ko");
	write_text(self->dir, "modules.dep", "a.kox:\na.k:\na:\n.ko:\n");
	EXPECT_EQ(RESOLVE("a"), -ENOENT);
	write_text(self->dir, "modules.dep", "a.ko: gone.ko\n");
	EXPECT_EQ(RESOLVE("a"), -ENOENT);
	EXPECT_NE(strstr(self->why.text, "needs gone.ko"), NULL);
	write_text(self->dir, "modules.dep", "");
	EXPECT_EQ(RESOLVE("a"), -ENOENT);
	write_file(self->dir, "modules.dep", nul, sizeof(nul) - 1);
	EXPECT_EQ(RESOLVE("c"), -ENOENT);
	write_file(self->dir, "modules.dep", "x\0y/a.ko:", 9);
	EXPECT_EQ(RESOLVE("a"), -EINVAL);
}

TEST_F(modules, an_index_cannot_reach_out_of_its_folder)
{
	static const char *const bad[] = {"/etc/a.ko:", "../a.ko:", "kernel/../../a.ko:"};
	char order[1024];

	for (size_t i = 0; i < 3; i++) {
		write_text(self->dir, "modules.dep", bad[i]);
		EXPECT_EQ(RESOLVE("a"), -EINVAL);
		EXPECT_NE(strstr(self->why.text, "outside"), NULL);
	}
	write_text(self->dir, "modules.dep", "a.ko: ../b.ko\n../b.ko:\n");
	EXPECT_EQ(RESOLVE("a"), -EINVAL);
	EXPECT_EQ(self->list.n, 0);
	write_text(self->dir, "modules.dep", "kernel/..x/a.ko:");
	EXPECT_EQ(RESOLVE("a"), 0);
}

/* Text of parts that matter to the reader, put together at random. */
TEST_F(modules, random_indexes_are_survived)
{
	static const char *const part[] = {"a.ko", "b.ko", "c.ko", ":",	 ": ", " ",
					   "\n",   "\n",   "/",	   "..", "",   "-"};
	static const char *const name[] = {"a", "b?", "c?"};
	char text[512];

	srand(1);
	for (int round = 0; round < 2000; round++) {
		*text = '\0';
		for (int i = rand() % 40; i >= 0; i--)
			strcat(text, part[rand() % 12]);
		write_text(self->dir, "modules.dep", text);
		module_list_free(&self->list);
		if (modules_resolve(&self->list, self->dir, name, 3, &self->why)) {
			ASSERT_EQ(self->list.path, NULL);
		} else {
			ASSERT_NE(self->list.n, 0);
		}
	}
}

/* ---- packed modules ---- */

#define PLAIN_SIZE 300000u

static void make_plain(uint8_t *plain)
{
	srand(2);
	for (size_t i = 0; i < PLAIN_SIZE; i++)
		plain[i] = i % 100 < 50 ? rand() : i / 1000;
	memcpy(plain, "\x7f\x45LF", 4);
}

static size_t pack(enum packing packing, const uint8_t *plain, uint8_t *out, size_t cap)
{
	z_stream z = {.next_in = (uint8_t *)plain, .avail_in = PLAIN_SIZE};
	size_t n = 0;

	switch (packing) {
	case PACKING_GZIP:
		z.next_out = out;
		z.avail_out = cap;
		deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
		deflate(&z, Z_FINISH);
		n = z.total_out;
		deflateEnd(&z);
		return n;
	case PACKING_XZ:
		/* CRC32: the kernel's own reader knows no other. */
		if (lzma_easy_buffer_encode(3, LZMA_CHECK_CRC32, NULL, plain, PLAIN_SIZE, out, &n,
					    cap) != LZMA_OK)
			abort();
		return n;
	case PACKING_ZSTD:
		return ZSTD_compress(out, cap, plain, PLAIN_SIZE, 3);
	default:
		memcpy(out, plain, PLAIN_SIZE);
		return PLAIN_SIZE;
	}
}

/* Into an archive of one file: its data, which the next call overwrites. */
static int read_module(const char *path, const uint8_t **data, size_t *size, struct why *why)
{
	static uint8_t buf[PLAIN_SIZE * 3];
	struct cpio cpio;
	unsigned int n;
	int err;

	cpio_begin(&cpio, buf, sizeof(buf));
	err = module_write(&cpio, "m.ko", 0600, path, why);
	if (err)
		return err;
	if (cpio.err)
		return cpio.err;
	/* The number of bytes in the header, then the name and a NUL, and padding up to 4. */
	if (sscanf((char *)buf + 54, "%8x", &n) != 1)
		abort();
	if (cpio.len != 116 + (n + 3) / 4 * 4)
		abort();
	*data = buf + 116;
	*size = n;
	return 0;
}

static const enum packing packings[] = {PACKING_NONE, PACKING_GZIP, PACKING_XZ, PACKING_ZSTD};

TEST_F(modules, read_in_each_packing)
{
	static uint8_t plain[PLAIN_SIZE], packed[PLAIN_SIZE * 2];
	char path[256];

	make_plain(plain);
	snprintf(path, sizeof(path), "%s/module", self->dir);
	for (int i = 0; i < 4; i++) {
		size_t n = pack(packings[i], plain, packed, sizeof(packed)), size;
		const uint8_t *data;

		EXPECT_EQ(packing_of(packed, n), packings[i]);
		write_file(self->dir, "module", packed, n);
		ASSERT_EQ(read_module(path, &data, &size, &self->why), 0);
		ASSERT_EQ(size, PLAIN_SIZE);
		EXPECT_EQ(memcmp(data, plain, size), 0);
	}
}

TEST_F(modules, an_archive_without_room)
{
	static uint8_t plain[PLAIN_SIZE], packed[PLAIN_SIZE * 2], buf[PLAIN_SIZE];
	struct cpio cpio;
	char path[256];

	make_plain(plain);
	snprintf(path, sizeof(path), "%s/module", self->dir);
	for (int i = 0; i < 4; i++) {
		size_t n = pack(packings[i], plain, packed, sizeof(packed));

		write_file(self->dir, "module", packed, n);
		/* None for what is packed, for what is unpacked, and for the last byte of that. */
		for (int k = 0; k < 3; k++) {
			size_t cap = 116 + (size_t[]){ n - 1, n, PLAIN_SIZE - 1 }[k];

			if (i == 0 && k == 1)
				continue;
			cpio_begin(&cpio, buf, cap < sizeof(buf) ? cap : sizeof(buf));
			EXPECT_EQ(module_write(&cpio, "m.ko", 0600, path, &self->why), 0);
			EXPECT_EQ(cpio_end(&cpio), -ENOSPC);
		}
	}
}

TEST_F(modules, what_is_no_module)
{
	char path[256];
	const uint8_t *data;
	size_t size;

	snprintf(path, sizeof(path), "%s/module", self->dir);
	EXPECT_EQ(read_module(path, &data, &size, &self->why), -ENOENT);
	EXPECT_NE(strstr(self->why.text, path), NULL);
	EXPECT_NE(strstr(self->why.text, "depmod"), NULL);
	write_text(self->dir, "module", "");
	EXPECT_EQ(read_module(path, &data, &size, &self->why), -ENOEXEC);
	write_text(self->dir, "module", "\x7f\x45L");
	EXPECT_EQ(read_module(path, &data, &size, &self->why), -ENOEXEC);
	write_text(self->dir, "module", "a text");
	EXPECT_EQ(read_module(path, &data, &size, &self->why), -ENOEXEC);
	EXPECT_NE(strstr(self->why.text, path), NULL);
	write_text(self->dir, "module", "BZh91AY");
	EXPECT_EQ(read_module(path, &data, &size, &self->why), -ENOTSUP);
	EXPECT_NE(strstr(self->why.text, "bzip2"), NULL);
	write_text(self->dir, "module", "\xfd\x37zXZ");
	EXPECT_EQ(read_module(path, &data, &size, &self->why), -ENOEXEC);
	EXPECT_EQ(read_module(self->dir, &data, &size, &self->why), -EISDIR);
	unlink(path);
	ASSERT_EQ(mkfifo(path, 0600), 0);
	EXPECT_EQ(read_module(path, &data, &size, &self->why), -EINVAL);
}

/* ---- unpack() itself ---- */

TEST(unpack_up_to_the_limit)
{
	static uint8_t plain[PLAIN_SIZE], packed[PLAIN_SIZE * 2];
	uint8_t *out;
	size_t size;

	make_plain(plain);
	for (int i = 1; i < 4; i++) {
		size_t n = pack(packings[i], plain, packed, sizeof(packed));

		ASSERT_EQ(unpack(packed, n, PLAIN_SIZE, &out, &size), 0);
		EXPECT_EQ(size, PLAIN_SIZE);
		free(out);
		EXPECT_EQ(unpack(packed, n, PLAIN_SIZE - 1, &out, &size), -EFBIG);
		EXPECT_EQ(unpack(packed, n, 1, &out, &size), -EFBIG);
		/* What follows the stream is passed over: a kernel's has its size there. */
		memset(packed + n, 0x55, 4);
		ASSERT_EQ(unpack(packed, n + 4, 1 << 30, &out, &size), 0);
		EXPECT_EQ(size, PLAIN_SIZE);
		EXPECT_EQ(memcmp(out, plain, size), 0);
		free(out);
	}
}

TEST(unpack_cut_short_or_damaged)
{
	static uint8_t plain[PLAIN_SIZE], packed[PLAIN_SIZE * 2];
	uint8_t *out;
	size_t size;

	make_plain(plain);
	for (int i = 1; i < 4; i++) {
		size_t n = pack(packings[i], plain, packed, sizeof(packed));

		for (size_t cut = 8; cut < n; cut += cut < 64 || cut > n - 32 ? 1 : 997) {
			uint8_t *exact = malloc(cut);

			memcpy(exact, packed, cut);
			ASSERT_EQ(unpack(exact, cut, 1 << 30, &out, &size), -EBADMSG);
			free(exact);
		}
		for (int round = 0; round < 50; round++) {
			size_t at = rand() % n;
			uint8_t was = packed[at];
			int err;

			packed[at] ^= 1 << rand() % 8;
			err = unpack(packed, n, 1 << 20, &out, &size);
			if (!err)
				free(out);
			/* Some bits do not matter (a time in gzip's header); none may do harm. */
			EXPECT_TRUE(err == 0 || err == -EBADMSG || err == -ENOTSUP ||
				    err == -EFBIG || err == -ENOMEM);
			packed[at] = was;
		}
	}
}

TEST(unpack_a_bomb)
{
	static uint8_t zeros[1 << 20], packed[1 << 20];
	z_stream z = {.next_out = packed, .avail_out = sizeof(packed)};
	uint8_t *out;
	size_t size;

	deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	for (int i = 0; i < 64; i++) {
		z.next_in = zeros;
		z.avail_in = sizeof(zeros);
		deflate(&z, i == 63 ? Z_FINISH : Z_NO_FLUSH);
	}
	deflateEnd(&z);
	EXPECT_LT(z.total_out, 1 << 17);
	EXPECT_EQ(unpack(packed, z.total_out, 1 << 20, &out, &size), -EFBIG);
}

TEST(packings_are_known_by_their_magic)
{
	EXPECT_EQ(packing_of((uint8_t *)"", 0), PACKING_NONE);
	EXPECT_EQ(packing_of((uint8_t *)"\x1f", 1), PACKING_NONE);
	EXPECT_EQ(packing_of((uint8_t *)"\x5d\0\0\x80", 4), PACKING_LZMA);
	EXPECT_EQ(packing_of((uint8_t *)"\x89LZO", 4), PACKING_LZO);
	EXPECT_EQ(packing_of((uint8_t *)"\x02\x21\x4c\x18", 4), PACKING_LZ4);
	EXPECT_STREQ(packing_name(PACKING_LZ4), "lz4");
}

TEST_HARNESS_MAIN
