// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/host/hostrun.h"

/* Notes that the path is in the archive. 1 if it was there before. */
static int note(struct archive *archive, const char *path, struct why *why)
{
	char **more;

	for (size_t i = 0; i < archive->nmade; i++) {
		if (!strcmp(archive->made[i], path))
			return 1;
	}
	more = realloc(archive->made, (archive->nmade + 1) * sizeof(*more));
	if (more) {
		archive->made = more;
		more[archive->nmade] = strdup(path);
	}
	if (!more || !more[archive->nmade])
		return why_fail(why, -ENOMEM, "no memory for the initramfs's list of files");
	archive->nmade++;
	return 0;
}

void archive_free(struct archive *archive)
{
	for (size_t i = 0; i < archive->nmade; i++)
		free(archive->made[i]);
	free(archive->made);
}

/* The path in the archive: relative, below the prefix. */
static int inside(const struct archive *archive, char *buf, size_t size, const char *path,
		  struct why *why)
{
	path += strspn(path, "/");
	if (snprintf(buf, size, "%s%s", archive->prefix, path) >= (int)size)
		return why_fail(why, -ENAMETOOLONG, "%s: the path is too long", path);
	return 0;
}

static int add_dir(struct archive *archive, const char *path, unsigned int mode, struct why *why)
{
	char full[PATH_MAX];
	int ret = inside(archive, full, sizeof(full), path, why);

	if (!ret)
		ret = note(archive, full, why);
	if (!ret)
		cpio_dir(&archive->cpio, full, mode);
	return ret < 0 ? ret : 0;
}

/* The folders above a path. */
static int add_parents(struct archive *archive, const char *path, struct why *why)
{
	char part[PATH_MAX];

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return why_fail(why, -ENAMETOOLONG, "%s: the path is too long", path);
	for (char *slash = part + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		int ret;

		*slash = '\0';
		ret = add_dir(archive, part, 0755, why);
		if (ret)
			return ret;
	}
	return 0;
}

int archive_dir(struct archive *archive, const char *path, struct why *why)
{
	int ret = add_parents(archive, path, why);

	return ret ? ret : add_dir(archive, path, 0755, why);
}

int archive_symlink(struct archive *archive, const char *path, const char *target, struct why *why)
{
	char full[PATH_MAX];
	int ret = add_parents(archive, path, why);

	if (!ret)
		ret = inside(archive, full, sizeof(full), path, why);
	if (!ret)
		ret = note(archive, full, why);
	if (!ret)
		cpio_symlink(&archive->cpio, full, target);
	return ret < 0 ? ret : 0;
}

/* ---- programs ---- */

/* The program interpreter of a dynamically linked 64-bit ELF file, or NULL. */
static const char *interpreter(const uint8_t *data, size_t size)
{
	Elf64_Ehdr head;

	if (size < sizeof(head) || memcmp(data, ELFMAG, SELFMAG) || data[EI_CLASS] != ELFCLASS64)
		return NULL;
	memcpy(&head, data, sizeof(head));
	for (unsigned int i = 0; i < head.e_phnum; i++) {
		size_t pos = head.e_phoff + i * sizeof(Elf64_Phdr);
		Elf64_Phdr ph;

		if (pos > size || size - pos < sizeof(ph))
			return NULL;
		memcpy(&ph, data + pos, sizeof(ph));
		if (ph.p_type != PT_INTERP)
			continue;
		if (ph.p_offset > size || !ph.p_filesz || ph.p_filesz > size - ph.p_offset ||
		    data[ph.p_offset + ph.p_filesz - 1])
			return NULL;
		return (const char *)data + ph.p_offset;
	}
	return NULL;
}

/* A library's name mostly is a link: what it leads to is what counts. */
static int add_library(struct archive *archive, const char *path, struct why *why)
{
	unsigned int nested = archive->nested;
	int ret;

	archive->nested = 0;
	ret = archive_add(archive, path, path, why);
	archive->nested = nested;
	return ret;
}

/* "	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)", "	/lib64/ld-linux-x86-64.so.2 (0x…)"
 */
static int add_libraries(struct archive *archive, const char *file, const char *interp,
			 struct why *why)
{
	const char *argv[] = {interp, "--list", file, NULL};
	char *text = NULL, *save = NULL;
	int ret = run_program(argv, &text);

	if (ret) {
		ret = why_fail(why, -ENOENT, "%s: its libraries are not found: %s", file,
			       text ? text : interp);
		goto out;
	}
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *path = strchr(line, '/');
		char *end = path ? strstr(path, " (") : NULL;

		if (strstr(line, "not found")) {
			ret = why_fail(why, -ENOENT, "%s needs a library that is not there:%s",
				       file, line);
			goto out;
		}
		if (!end)
			continue; /* the kernel's own */
		*end = '\0';
		ret = add_library(archive, path, why);
		if (ret)
			goto out;
	}
	ret = add_library(archive, interp, why);
out:
	free(text);
	return ret;
}

/* ---- what is on this machine ---- */

static int add_file(struct archive *archive, const char *file, const char *full,
		    const struct stat *st, struct why *why)
{
	size_t size = (size_t)st->st_size;
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	void *data = NULL;
	const char *interp;
	int ret = 0;

	if (fd < 0)
		return why_fail(why, -errno, "%s: %s", file, strerror(errno));
	if (size) {
		data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED) {
			ret = why_fail(why, -errno, "%s: %s", file, strerror(errno));
			data = NULL;
			goto out;
		}
	}
	cpio_file(&archive->cpio, full, st->st_mode & 07777, data, size);
	interp = data ? interpreter(data, size) : NULL;
	if (interp)
		ret = add_libraries(archive, file, interp, why);
out:
	if (data)
		munmap(data, size);
	close(fd);
	return ret;
}

static int add_folder(struct archive *archive, const char *file, const char *path, struct why *why)
{
	struct dirent *entry;
	DIR *dir = opendir(file);
	int ret = 0;

	if (!dir)
		return why_fail(why, -errno, "%s: %s", file, strerror(errno));
	while (!ret && (entry = readdir(dir))) {
		char from[PATH_MAX], to[PATH_MAX];

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(from, sizeof(from), "%s/%s", file, entry->d_name) >=
			    (int)sizeof(from) ||
		    snprintf(to, sizeof(to), "%s/%s", path, entry->d_name) >= (int)sizeof(to))
			ret = why_fail(why, -ENAMETOOLONG, "%s: a path in it is too long", file);
		else
			ret = archive_add(archive, from, to, why);
	}
	closedir(dir);
	return ret;
}

int archive_add(struct archive *archive, const char *file, const char *path, struct why *why)
{
	char full[PATH_MAX], target[PATH_MAX];
	struct stat st;
	ssize_t n;
	int ret;

	/* The name the user gives may be a link; links within a folder stay links. */
	if (lstat(file, &st) || (S_ISLNK(st.st_mode) && !archive->nested && stat(file, &st)))
		return why_fail(why, -errno, "%s: %s", file, strerror(errno));
	ret = add_parents(archive, path, why);
	if (!ret)
		ret = inside(archive, full, sizeof(full), path, why);
	if (ret)
		return ret;

	if (S_ISDIR(st.st_mode)) {
		ret = add_dir(archive, path, st.st_mode & 07777, why);
		archive->nested++;
		if (!ret)
			ret = add_folder(archive, file, path, why);
		archive->nested--;
		return ret;
	}
	ret = note(archive, full, why);
	if (ret)
		return ret < 0 ? ret : 0; /* a library that another program needs, too */
	if (S_ISLNK(st.st_mode)) {
		n = readlink(file, target, sizeof(target) - 1);
		if (n < 0)
			return why_fail(why, -errno, "%s: %s", file, strerror(errno));
		target[n] = '\0';
		cpio_symlink(&archive->cpio, full, target);
		return 0;
	}
	if (!S_ISREG(st.st_mode))
		return why_fail(why, -EINVAL, "%s is no file, folder or link", file);
	return add_file(archive, file, full, &st, why);
}
