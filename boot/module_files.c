// SPDX-License-Identifier: MIT
#include "boot/module_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int module_open(const char *path, size_t limit, size_t *size, int *err)
{
	/* O_NONBLOCK: a fifo by that name must not stop us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	*err = 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		*err = -errno;
	else if (!S_ISREG(st.st_mode))
		*err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else if ((uint64_t)st.st_size > limit)
		*err = -EFBIG;
	else
		*size = (size_t)st.st_size;
	if (*err && fd >= 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool span_cut(struct span *text, char sep, struct span *piece)
{
	const char *found;

	if (!text->len)
		return false;
	found = memchr(text->at, sep, text->len);
	piece->at = text->at;
	piece->len = found ? (size_t)(found - text->at) : text->len;
	text->at += piece->len + !!found;
	text->len -= piece->len + !!found;
	return true;
}

bool span_same(struct span a, struct span b)
{
	return a.len == b.len && !memcmp(a.at, b.at, a.len);
}

struct span span_base(struct span path)
{
	const char *slash = memrchr(path.at, '/', path.len);

	return slash ? (struct span){ slash + 1, path.len - (size_t)(slash + 1 - path.at) } : path;
}

bool module_has_name(struct span path, struct span name)
{
	struct span base = span_base(path);

	if (base.len < name.len + 3 || memcmp(base.at + name.len, ".ko", 3) ||
	    (base.len > name.len + 3 && base.at[name.len + 3] != '.'))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (module_fold(base.at[i]) != module_fold(name.at[i]))
			return false;
	return true;
}

/* Maps a file: little of it is looked at closely, and depmod replaces it rather than writes to it. */
int module_map(const char *path, size_t limit, struct span *span)
{
	int fd, err;

	fd = module_open(path, limit, &span->len, &err);
	if (fd < 0)
		return err;
	span->at = NULL;
	if (span->len)
		span->at = mmap(NULL, span->len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (span->at == MAP_FAILED) {
		err = -errno;
		*span = (struct span){0};
	}
	close(fd);
	return err;
}

void module_unmap(struct span *span)
{
	if (span->len)
		munmap((void *)(uintptr_t)span->at, span->len);
}
