// SPDX-License-Identifier: MIT
/* A "newc" cpio archive, as the kernel unpacks it (Documentation, "initramfs buffer format"). */
#include "boot/boot.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CPIO_ALIGN  4u
#define CPIO_HEADER 110u /* the magic and 13 numbers of 8 hexadecimal digits */
#define CPIO_MAGIC  6u

/* Room for len more bytes, or NULL and the error that sticks. */
static uint8_t *take(struct cpio *cpio, size_t len)
{
	uint8_t *at = cpio->buf + cpio->len;

	if (cpio->err)
		return NULL;
	if (len > cpio->cap - cpio->len) {
		cpio->err = -ENOSPC;
		return NULL;
	}
	cpio->len += len;
	return at;
}

static void put(struct cpio *cpio, const void *data, size_t len)
{
	uint8_t *at = take(cpio, len);

	if (at && len)
		memcpy(at, data, len);
}

static void pad(struct cpio *cpio)
{
	static const uint8_t zero[CPIO_ALIGN];

	put(cpio, zero, -cpio->len & (CPIO_ALIGN - 1));
}

static uint8_t *put_number(uint8_t *at, uint32_t number)
{
	static const char digit[] = "0123456789ABCDEF";

	for (int shift = 28; shift >= 0; shift -= 4)
		*at++ = (uint8_t)digit[number >> shift & 0xf];
	return at;
}

/* All of an entry that comes before its data, which has len bytes. */
static void header(struct cpio *cpio, const char *path, unsigned int mode, unsigned int rmajor,
		   unsigned int rminor, size_t len)
{
	static const char magic[] = "070701";
	size_t name_size = strlen(path) + 1;
	uint8_t *at;

	/* What the kernel would pass over without a word must not get into the archive. */
	if (!cpio->err && len > UINT32_MAX)
		cpio->err = -EFBIG;
	if (!cpio->err && (name_size > PATH_MAX || (S_ISLNK(mode) && len > PATH_MAX)))
		cpio->err = -ENAMETOOLONG;
	if (cpio->err)
		return;

	/*
	 * The kernel takes regular files with nlink > 1 and the same inode number for one file.
	 * Owner, group and time are 0.
	 */
	put(cpio, magic, CPIO_MAGIC);
	at = take(cpio, CPIO_HEADER - CPIO_MAGIC);
	if (at) {
		const uint32_t number[] = {
			cpio->ino++, mode, 0, 0, S_ISDIR(mode) ? 2 : 1, 0, (uint32_t)len, 0, 0, rmajor,
			rminor, (uint32_t)name_size, 0,
		};

		for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++)
			at = put_number(at, number[i]);
	}
	put(cpio, path, name_size);
	pad(cpio);
}

static void entry(struct cpio *cpio, const char *path, unsigned int mode, unsigned int rmajor,
		  unsigned int rminor, const void *data, size_t len)
{
	header(cpio, path, mode, rmajor, rminor, len);
	put(cpio, data, len);
	pad(cpio);
}

void cpio_begin(struct cpio *cpio, void *buf, size_t cap)
{
	*cpio = (struct cpio){.buf = buf, .cap = cap, .ino = 1};
}

int cpio_read(struct cpio *cpio, int fd)
{
	while (!cpio->err) {
		uint8_t beyond;
		size_t room = cpio->cap - cpio->len;
		ssize_t n = read(fd, room ? cpio->buf + cpio->len : &beyond, room ? room : 1);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			cpio->err = -errno;
		if (n > 0 && !room)
			cpio->err = -ENOSPC;
		else if (n > 0)
			cpio->len += (size_t)n;
	}
	pad(cpio);
	return cpio->err;
}

void cpio_dir(struct cpio *cpio, const char *path, unsigned int mode)
{
	entry(cpio, path, S_IFDIR | (mode & 07777), 0, 0, NULL, 0);
}

void cpio_file(struct cpio *cpio, const char *path, unsigned int mode, const void *data, size_t len)
{
	entry(cpio, path, S_IFREG | (mode & 07777), 0, 0, data, len);
}

const uint8_t *cpio_file_from(struct cpio *cpio, const char *path, unsigned int mode, int fd, size_t size)
{
	uint8_t *data;
	size_t done = 0;

	header(cpio, path, S_IFREG | (mode & 07777), 0, 0, size);
	data = take(cpio, size);
	while (data && done < size) {
		ssize_t n = pread(fd, data + done, size - done, (off_t)done);

		if (n > 0) {
			done += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			cpio->err = n ? -errno : -EIO;
			return NULL;
		}
	}
	pad(cpio);
	return cpio->err ? NULL : data;
}

void cpio_symlink(struct cpio *cpio, const char *path, const char *target)
{
	entry(cpio, path, S_IFLNK | 0777, 0, 0, target, strlen(target));
}

void cpio_chardev(struct cpio *cpio, const char *path, unsigned int mode, unsigned int major,
		  unsigned int minor)
{
	entry(cpio, path, S_IFCHR | (mode & 07777), major, minor, NULL, 0);
}

int cpio_end(struct cpio *cpio)
{
	entry(cpio, "TRAILER!!!", 0, 0, 0, NULL, 0);
	return cpio->err;
}
