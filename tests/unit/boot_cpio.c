// SPDX-License-Identifier: MIT
/* The archive, read back by a reader as strict as the kernel's (init/initramfs.c). */
#include "boot/boot.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "kselftest_harness.h"

struct member {
	unsigned long ino, mode, uid, gid, nlink, mtime, size, rmajor, rminor;
	char path[256];
	const uint8_t *data;
};

static int hex(const uint8_t *at, unsigned long *value)
{
	char text[9] = {0};
	char *end;

	memcpy(text, at, 8);
	*value = strtoul(text, &end, 16);
	return end == text + 8 ? 0 : -1;
}

/* Reads the member at *at. 1: one more; 0: the trailer; -1: not a cpio archive. */
static int next(const uint8_t *buf, size_t len, size_t *at, struct member *m)
{
	unsigned long field[13], name_size;

	*m = (struct member){0};
	if (*at % 4 || len - *at < 110 || memcmp(buf + *at, "070701", 6))
		return -1;
	for (int i = 0; i < 13; i++)
		if (hex(buf + *at + 6 + 8 * i, &field[i]))
			return -1;
	m->ino = field[0];
	m->mode = field[1];
	m->uid = field[2];
	m->gid = field[3];
	m->nlink = field[4];
	m->mtime = field[5];
	m->size = field[6];
	m->rmajor = field[9];
	m->rminor = field[10];
	name_size = field[11];
	*at += 110;
	if (name_size < 2 || name_size > sizeof(m->path) || name_size > len - *at ||
	    buf[*at + name_size - 1])
		return -1;
	memcpy(m->path, buf + *at, name_size);
	*at = (*at + name_size + 3) & ~3ul;
	if (*at > len || m->size > len - *at)
		return -1;
	m->data = buf + *at;
	*at = (*at + m->size + 3) & ~3ul;
	return strcmp(m->path, "TRAILER!!!") ? 1 : 0;
}

static void write_all(struct cpio *c)
{
	cpio_dir(c, "dev", 0755);
	cpio_chardev(c, "dev/console", 0600, 5, 1);
	cpio_file(c, "init", 0755, "hello", 5);
	cpio_file(c, "empty", 0644, NULL, 0);
	cpio_symlink(c, "bin", "usr/bin");
}

TEST(members_come_back)
{
	uint8_t buf[4096];
	struct cpio c;
	struct member m;
	size_t at = 0;
	unsigned long last_ino;

	memset(buf, 0xaa, sizeof(buf));
	cpio_begin(&c, buf, sizeof(buf));
	write_all(&c);
	ASSERT_EQ(cpio_end(&c), 0);
	ASSERT_EQ(c.len % 4, 0);

	ASSERT_EQ(next(buf, c.len, &at, &m), 1);
	EXPECT_STREQ(m.path, "dev");
	EXPECT_EQ(m.mode, S_IFDIR | 0755);
	EXPECT_EQ(m.nlink, 2);
	last_ino = m.ino;

	ASSERT_EQ(next(buf, c.len, &at, &m), 1);
	EXPECT_STREQ(m.path, "dev/console");
	EXPECT_EQ(m.mode, S_IFCHR | 0600);
	EXPECT_EQ(m.rmajor, 5);
	EXPECT_EQ(m.rminor, 1);
	EXPECT_EQ(m.size, 0);
	EXPECT_NE(m.ino, last_ino);

	ASSERT_EQ(next(buf, c.len, &at, &m), 1);
	EXPECT_STREQ(m.path, "init");
	EXPECT_EQ(m.mode, S_IFREG | 0755);
	EXPECT_EQ(m.uid, 0);
	EXPECT_EQ(m.gid, 0);
	EXPECT_EQ(m.nlink, 1); /* more would make the kernel look for a hard link */
	ASSERT_EQ(m.size, 5);
	EXPECT_EQ(memcmp(m.data, "hello", 5), 0);
	EXPECT_EQ(memcmp(m.data + 5, "\0\0\0", 3), 0);

	ASSERT_EQ(next(buf, c.len, &at, &m), 1);
	EXPECT_STREQ(m.path, "empty");
	EXPECT_EQ(m.size, 0);

	ASSERT_EQ(next(buf, c.len, &at, &m), 1);
	EXPECT_STREQ(m.path, "bin");
	EXPECT_EQ(m.mode, S_IFLNK | 0777);
	ASSERT_EQ(m.size, 7);
	EXPECT_EQ(memcmp(m.data, "usr/bin", 7), 0);

	ASSERT_EQ(next(buf, c.len, &at, &m), 0);
	EXPECT_EQ(at, c.len);
}

TEST(type_bits_come_from_the_call_not_from_the_mode)
{
	uint8_t buf[1024];
	struct member m;
	struct cpio c;
	size_t at = 0;

	cpio_begin(&c, buf, sizeof(buf));
	cpio_file(&c, "f", S_IFDIR | 04755, "x", 1);
	ASSERT_EQ(cpio_end(&c), 0);
	ASSERT_EQ(next(buf, c.len, &at, &m), 1);
	EXPECT_EQ(m.mode, S_IFREG | 04755);
}

TEST(raw_bytes_are_padded_so_that_members_stay_aligned)
{
	uint8_t buf[1024];
	struct member m;
	struct cpio c;

	for (size_t n = 0; n < 9; n++) {
		size_t at = (n + 3) & ~3ul;
		int fd = memfd_create("initrd", 0);

		ASSERT_EQ(pwrite(fd, "\x1f\x8b.......", n, 0), n);

		memset(buf, 0xaa, sizeof(buf));
		cpio_begin(&c, buf, sizeof(buf));
		EXPECT_EQ(cpio_read(&c, fd), 0);
		EXPECT_EQ(memcmp(buf, "\x1f\x8b.......", n), 0);
		close(fd);
		cpio_file(&c, "f", 0644, "x", 1);
		ASSERT_EQ(cpio_end(&c), 0);
		for (size_t i = n; i < at; i++)
			EXPECT_EQ(buf[i], 0);
		ASSERT_EQ(next(buf, c.len, &at, &m), 1);
		EXPECT_STREQ(m.path, "f");
	}
}

TEST(a_file_is_read_to_where_it_goes)
{
	int fd = memfd_create("file", 0);
	uint8_t buf[1024];
	struct member m;
	struct cpio c;
	size_t at = 0;

	ASSERT_EQ(pwrite(fd, "hello", 5, 0), 5);
	ASSERT_EQ(lseek(fd, 2, SEEK_SET), 2);
	memset(buf, 0xaa, sizeof(buf));
	cpio_begin(&c, buf, sizeof(buf));
	EXPECT_EQ(cpio_file_from(&c, "f", S_IFDIR | 04755, fd, 5), buf + 112);
	EXPECT_NE(cpio_file_from(&c, "empty", 0644, fd, 0), NULL);
	ASSERT_EQ(cpio_end(&c), 0);
	ASSERT_EQ(next(buf, c.len, &at, &m), 1);
	EXPECT_EQ(m.mode, S_IFREG | 04755);
	ASSERT_EQ(m.size, 5);
	EXPECT_EQ(memcmp(m.data, "hello\0\0\0", 8), 0);
	ASSERT_EQ(next(buf, c.len, &at, &m), 1);
	EXPECT_EQ(m.size, 0);

	/* A file that has become shorter, one that cannot be read, and no room. */
	cpio_begin(&c, buf, sizeof(buf));
	EXPECT_EQ(cpio_file_from(&c, "f", 0644, fd, 6), NULL);
	EXPECT_EQ(cpio_end(&c), -EIO);
	cpio_begin(&c, buf, sizeof(buf));
	EXPECT_EQ(cpio_file_from(&c, "f", 0644, -1, 5), NULL);
	EXPECT_EQ(cpio_end(&c), -EBADF);
	cpio_begin(&c, buf, 112 + 4);
	EXPECT_EQ(cpio_file_from(&c, "f", 0644, fd, 5), NULL);
	EXPECT_EQ(cpio_end(&c), -ENOSPC);
	close(fd);
}

TEST(a_file_fits_exactly_or_not_at_all)
{
	int fd = memfd_create("initrd", 0), closed = dup(fd);
	uint8_t buf[64];
	struct cpio c;

	ASSERT_EQ(pwrite(fd, buf, sizeof(buf), 0), sizeof(buf));
	cpio_begin(&c, buf, sizeof(buf));
	EXPECT_EQ(cpio_read(&c, fd), 0);
	EXPECT_EQ(c.len, sizeof(buf));
	ASSERT_EQ(lseek(fd, 0, SEEK_SET), 0);
	cpio_begin(&c, buf, sizeof(buf) - 1);
	EXPECT_EQ(cpio_read(&c, fd), -ENOSPC);
	EXPECT_EQ(cpio_end(&c), -ENOSPC);
	close(closed);
	cpio_begin(&c, buf, sizeof(buf));
	EXPECT_EQ(cpio_read(&c, closed), -EBADF);
	close(fd);
}

TEST(every_size_of_file_keeps_the_alignment)
{
	uint8_t buf[4096], data[64] = {0};
	struct member m;
	struct cpio c;

	for (size_t n = 0; n < sizeof(data); n++) {
		size_t at = 0;

		cpio_begin(&c, buf, sizeof(buf));
		cpio_file(&c, &"a-rather-long-name"[n % 16], 0644, data, n);
		ASSERT_EQ(cpio_end(&c), 0);
		ASSERT_EQ(next(buf, c.len, &at, &m), 1);
		ASSERT_EQ(m.size, n);
		ASSERT_EQ(next(buf, c.len, &at, &m), 0);
	}
}

TEST(a_buffer_too_small_is_an_error_at_every_size)
{
	uint8_t whole[4096];
	struct cpio c;
	size_t len;

	cpio_begin(&c, whole, sizeof(whole));
	write_all(&c);
	ASSERT_EQ(cpio_end(&c), 0);
	len = c.len;
	for (size_t cap = 0; cap <= len; cap++) {
		uint8_t *buf = malloc(cap + 16);

		memset(buf, 0xaa, cap + 16);
		cpio_begin(&c, buf, cap);
		write_all(&c);
		ASSERT_EQ(cpio_end(&c), cap < len ? -ENOSPC : 0);
		ASSERT_LE(c.len, cap);
		for (int i = 0; i < 16; i++)
			ASSERT_EQ(buf[cap + i], 0xaa);
		/* An error sticks: there is nothing that a smaller member could mend. */
		if (cap < len) {
			cpio_file(&c, "x", 0644, NULL, 0);
			ASSERT_EQ(cpio_end(&c), -ENOSPC);
		}
		free(buf);
	}
}

TEST(a_file_of_4_gib_is_refused)
{
	size_t len = 1ull << 32;
	void *data = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t buf[1024];
	struct cpio c;

	if (data == MAP_FAILED)
		SKIP(return, "no address space");
	cpio_begin(&c, buf, sizeof(buf));
	cpio_file(&c, "big", 0644, data, len);
	EXPECT_EQ(cpio_end(&c), -EFBIG);
	munmap(data, len);
}

TEST(what_the_kernel_would_pass_over_is_refused)
{
	static char name[PATH_MAX + 1], target[PATH_MAX + 2];
	static uint8_t buf[4 * PATH_MAX];
	struct cpio c;

	memset(name, 'n', PATH_MAX - 1);
	memset(target, 't', PATH_MAX);
	cpio_begin(&c, buf, sizeof(buf));
	cpio_file(&c, name, 0644, NULL, 0);
	cpio_symlink(&c, "link", target);
	EXPECT_EQ(cpio_end(&c), 0);

	name[PATH_MAX - 1] = 'n';
	cpio_begin(&c, buf, sizeof(buf));
	cpio_file(&c, name, 0644, NULL, 0);
	EXPECT_EQ(cpio_end(&c), -ENAMETOOLONG);

	target[PATH_MAX] = 't';
	cpio_begin(&c, buf, sizeof(buf));
	cpio_symlink(&c, "link", target);
	EXPECT_EQ(cpio_end(&c), -ENAMETOOLONG);
}

TEST_HARNESS_MAIN
