// SPDX-License-Identifier: MIT
/* A "newc" cpio archive, as the kernel unpacks it (Documentation, "initramfs buffer format"). */
#include "boot/boot.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CPIO_ALIGN  4u
#define CPIO_HEADER 110u /* the magic and 13 numbers of 8 hexadecimal digits */

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

static void entry(struct cpio *cpio, const char *path, unsigned int mode, unsigned int rmajor,
		  unsigned int rminor, const void *data, size_t len)
{
	size_t name_size = strlen(path) + 1;
	char header[CPIO_HEADER + 1];

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
	snprintf(header, sizeof(header),
		 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", cpio->ino++, mode, 0,
		 0, S_ISDIR(mode) ? 2 : 1, 0, (unsigned int)len, 0, 0, rmajor, rminor,
		 (unsigned int)name_size, 0);
	put(cpio, header, CPIO_HEADER);
	put(cpio, path, name_size);
	pad(cpio);
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
