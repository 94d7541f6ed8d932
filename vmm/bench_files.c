// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/bench.h"

#define PAGES (WORK_FILE_SIZE / WORK_PAGE)

static void path_of(const struct bench_files *files, char path[300], const char *name)
{
	snprintf(path, 300, "%s/%s", files->dir, name);
}

/* Where a folder in memory can be made; TMPDIR is the second best. */
static const char *memory(void)
{
	const char *tmp = getenv("TMPDIR");

	if (!access("/dev/shm", W_OK | X_OK))
		return "/dev/shm";
	return tmp && *tmp ? tmp : "/tmp";
}

/* A page of each file: with its number, or empty. */
static int write_pages(int fd, uint64_t first, uint64_t n, bool empty)
{
	uint64_t page[WORK_PAGE / sizeof(uint64_t)] = { 0 };

	for (uint64_t i = first; i < first + n; i++) {
		ssize_t done;

		if (!empty)
			work_page_fill(page, i);
		done = pwrite(fd, page, sizeof(page), (off_t)(i * WORK_PAGE));
		if (done != sizeof(page))
			return done < 0 ? -errno : -ENOSPC;
	}
	return 0;
}

static int make_file(const struct bench_files *files, const char *name, bool empty)
{
	char path[300];
	int fd, err;

	path_of(files, path, name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_pages(fd, 0, PAGES, empty);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int bench_files_make(struct bench_files *files, const char *where, struct why *why)
{
	const char *named = where ? "--share: " : "";
	struct stat st;
	int fd;

	files->fd = -1;
	files->dir[0] = '\0';
	if (!where)
		where = memory();
	if (strlen(where) > sizeof(files->dir) - 32)
		return why_fail(why, -ENAMETOOLONG, "%s%s is too long: give a shorter path",
				named, where);
	if (stat(where, &st))
		return why_fail(why, -errno, "%s%s cannot be used: %s: make it first", named, where,
				strerror(errno));
	snprintf(files->dir, sizeof(files->dir), "%s/ninepin-bench.XXXXXX", where);
	if (!mkdtemp(files->dir)) {
		files->dir[0] = '\0';
		return why_fail(why, -errno,
				"no folder can be made in %s: %s: give another one with --share", where,
				strerror(errno));
	}
	fd = make_file(files, WORK_READ_NAME, false);
	if (fd >= 0) {
		close(fd);
		fd = files->fd = make_file(files, WORK_WRITE_NAME, true);
	}
	if (fd < 0)
		return why_fail(why, fd,
				"two files of %u MiB cannot be made in %s: %s: give another folder with "
				"--share",
				WORK_FILE_SIZE >> 20, where, strerror(-fd));
	return 0;
}

int bench_files_written(struct bench_files *files, enum work_op op, uint64_t blocks,
			struct why *why)
{
	uint64_t pages = blocks * (work_payload(op) / WORK_PAGE);
	uint64_t page[WORK_PAGE / sizeof(uint64_t)];
	int err;

	if (pages > PAGES || blocks > PAGES)
		pages = PAGES;
	for (uint64_t i = 0; i < PAGES && i <= pages; i++) {
		bool ok = pread(files->fd, page, sizeof(page), (off_t)(i * WORK_PAGE)) ==
			  sizeof(page);

		/* The page behind the last one is as empty as it was. */
		if (i == pages)
			ok &= page[0] == 0;
		else
			ok &= work_page_ok(page, i);
		if (!ok)
			return why_fail(why, -EIO, "%s: page %u of the file is not what was written",
					bench_op_name[op], (unsigned int)i);
	}
	err = write_pages(files->fd, 0, pages, true);
	if (err)
		return why_fail(why, err, "%s: the file cannot be made empty again: %s",
				bench_op_name[op], strerror(-err));
	return 0;
}

void bench_files_remove(struct bench_files *files)
{
	char path[300];

	if (files->fd >= 0)
		close(files->fd);
	if (!files->dir[0])
		return;
	path_of(files, path, WORK_READ_NAME);
	unlink(path);
	path_of(files, path, WORK_WRITE_NAME);
	unlink(path);
	rmdir(files->dir);
}
