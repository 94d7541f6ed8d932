// SPDX-License-Identifier: MIT
#include "vmm/kernel_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#define SUFFIX	     ".elf"
#define NEW_PREFIX   "new."
#define NEW_LIFE     3600 /* seconds after which a file that nobody finished is litter */
#define SECRET_NAME  "secret"
#define NAME_SIZE    (2 * sizeof(XXH128_canonical_t) + sizeof(SUFFIX))
#define BLOCK	     4096u
#define PATIENCE     2 /* seconds without a word */

/*
 * Files are known by a hash that is not made to withstand whoever chooses them. With a secret of this folder
 * nobody can tell before which two would have the same.
 */
#define SECRET_SIZE 192 /* XXH3's own has as many bytes */

/* What a cached file has behind the ELF. */
struct trailer {
	char magic[8];
	uint64_t packed_size;
	uint64_t elf_size;
	XXH128_canonical_t elf_hash;
};

static const char trailer_magic[8] = "ninepin1";

struct cache {
	int dir;
	uint8_t secret[SECRET_SIZE];
};

static XXH128_canonical_t hash(const struct cache *cache, const void *data, size_t size)
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSecret(data, size, cache->secret,
								       sizeof(cache->secret)));
	return canonical;
}

static bool write_all(int fd, const void *data, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, (const uint8_t *)data + done, size - done);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			done += (size_t)n;
	}
	return true;
}

/* ---- the folder ---- */

/* A folder below dir, or at path, made if it is not there. -1: it cannot be used. */
static int enter(int dir, const char *path)
{
	struct stat st;
	int fd;

	mkdirat(dir, path, 0700);
	fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Whoever else may write here could give us a kernel of theirs. */
	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_uid != geteuid() || st.st_mode & 022)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int enter_next(int dir, const char *path)
{
	int fd = dir < 0 ? -1 : enter(dir, path);

	if (dir >= 0)
		close(dir);
	return fd;
}

static int open_folder(void)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char path[PATH_MAX];

	/* "All paths set in these environment variables must be absolute", or ignored. */
	if (base && base[0] == '/')
		snprintf(path, sizeof(path), "%s", base);
	else if (home && home[0] == '/')
		snprintf(path, sizeof(path), "%s/.cache", home);
	else
		return -1;
	return enter_next(enter_next(enter(AT_FDCWD, path), "ninepin"), "kernels");
}

/* A new file in the folder, without a name as long as it is not whole. */
static int new_file(const struct cache *cache, char name[NAME_SIZE])
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -1;
	snprintf(name, NAME_SIZE, NEW_PREFIX "%016llx", (unsigned long long)random);
	return openat(cache->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static bool read_secret(struct cache *cache)
{
	int fd = openat(cache->dir, SECRET_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool ok = fd >= 0 && read(fd, cache->secret, sizeof(cache->secret)) ==
				     (ssize_t)sizeof(cache->secret);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* By link(2), which fails where another was faster. */
static void make_secret(struct cache *cache)
{
	char name[NAME_SIZE];
	int fd = new_file(cache, name);

	if (fd < 0)
		return;
	if (getrandom(cache->secret, sizeof(cache->secret), 0) == (ssize_t)sizeof(cache->secret) &&
	    write_all(fd, cache->secret, sizeof(cache->secret)))
		linkat(cache->dir, name, cache->dir, SECRET_NAME, 0);
	unlinkat(cache->dir, name, 0);
	close(fd);
}

static bool cache_open(struct cache *cache)
{
	cache->dir = open_folder();
	if (cache->dir < 0)
		return false;
	if (!read_secret(cache)) {
		make_secret(cache);
		if (!read_secret(cache)) {
			close(cache->dir);
			return false;
		}
	}
	return true;
}

/* ---- files in it ---- */

static bool has_suffix(const char *name)
{
	size_t len = strlen(name);

	return len == NAME_SIZE - 1 && !strcmp(name + len - strlen(SUFFIX), SUFFIX);
}

/* Makes room for one more, and clears away what nobody finished. */
static void clear_out(const struct cache *cache)
{
	unsigned int count;

	do {
		char oldest[NAME_SIZE] = "";
		struct timespec age = {0};
		int fd = openat(cache->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *dir = fd < 0 ? NULL : fdopendir(fd);
		struct dirent *entry;

		count = 0;
		while (dir && (entry = readdir(dir))) {
			struct stat st;

			if (fstatat(cache->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
				continue;
			if (!strncmp(entry->d_name, NEW_PREFIX, strlen(NEW_PREFIX)) &&
			    time(NULL) - st.st_mtim.tv_sec > NEW_LIFE)
				unlinkat(cache->dir, entry->d_name, 0);
			if (!has_suffix(entry->d_name))
				continue;
			count++;
			if (!oldest[0] || st.st_mtim.tv_sec < age.tv_sec ||
			    (st.st_mtim.tv_sec == age.tv_sec && st.st_mtim.tv_nsec < age.tv_nsec)) {
				memcpy(oldest, entry->d_name, sizeof(oldest));
				age = st.st_mtim;
			}
		}
		if (dir)
			closedir(dir);
		else if (fd >= 0)
			close(fd);
		if (count >= KERNEL_CACHE_MAX && unlinkat(cache->dir, oldest, 0) < 0)
			return;
	} while (count > KERNEL_CACHE_MAX);
}

/* Whether a file is as it was written. */
static bool is_whole(const struct cache *cache, int fd, const struct kernel *packed)
{
	XXH128_canonical_t now;
	struct trailer trailer;
	bool whole = false;
	struct stat st;
	void *elf;

	if (fstat(fd, &st) < 0 || st.st_size <= (off_t)sizeof(trailer) ||
	    pread(fd, &trailer, sizeof(trailer), st.st_size - (off_t)sizeof(trailer)) !=
		    (ssize_t)sizeof(trailer) ||
	    memcmp(trailer.magic, trailer_magic, sizeof(trailer.magic)) ||
	    trailer.packed_size != packed->size ||
	    trailer.elf_size != (uint64_t)st.st_size - sizeof(trailer))
		return false;
	elf = mmap(NULL, trailer.elf_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (elf == MAP_FAILED)
		return false;
	now = hash(cache, elf, trailer.elf_size);
	whole = !memcmp(&now, &trailer.elf_hash, sizeof(now));
	munmap(elf, trailer.elf_size);
	return whole;
}

/* -1: it is not there, or no longer as it was. */
static int take(const struct cache *cache, const char *name, const struct kernel *packed)
{
	int fd = openat(cache->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (!is_whole(cache, fd, packed)) {
		fprintf(stderr,
			"ninepin: the unpacked copy of the kernel %s was damaged: it is made again\n",
			packed->path);
		unlinkat(cache->dir, name, 0);
		close(fd);
		return -1;
	}
	futimens(fd, NULL); /* used now */
	return fd;
}

/* Blocks of nothing but zeros become holes. */
static bool write_sparse(int fd, const uint8_t *data, size_t size)
{
	static const uint8_t zeros[BLOCK];

	for (size_t done = 0; done < size; done += BLOCK) {
		size_t n = size - done < BLOCK ? size - done : BLOCK;

		if (memcmp(data + done, zeros, n) == 0) {
			if (lseek(fd, (off_t)n, SEEK_CUR) < 0)
				return false;
		} else if (!write_all(fd, data + done, n)) {
			return false;
		}
	}
	return ftruncate(fd, (off_t)size) == 0;
}

static bool write_file(const struct cache *cache, int fd, const struct kernel *packed,
		       const void *elf, size_t size)
{
	struct trailer trailer = {
		.packed_size = packed->size,
		.elf_size = size,
		.elf_hash = hash(cache, elf, size),
	};

	memcpy(trailer.magic, trailer_magic, sizeof(trailer.magic));
	return write_sparse(fd, elf, size) && write_all(fd, &trailer, sizeof(trailer));
}

static int put(const struct cache *cache, const char *name, const struct kernel *packed,
	       const void *elf, size_t size)
{
	char new[NAME_SIZE];
	int fd;

	clear_out(cache);
	fd = new_file(cache, new);
	if (fd < 0)
		return -1;
	if (write_file(cache, fd, packed, elf, size) &&
	    renameat(cache->dir, new, cache->dir, name) == 0)
		return fd;
	unlinkat(cache->dir, new, 0);
	close(fd);
	return -1;
}

static int in_memory(const void *elf, size_t size, struct why *why)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	if (fd >= 0 && write_sparse(fd, elf, size))
		return fd;
	if (fd >= 0)
		close(fd);
	return why_fail(why, -ENOMEM, "there is no memory left for the unpacked kernel");
}

/* ---- progress ---- */

static void say(int signo)
{
	static const char text[] = "ninepin: unpacking the kernel\n";

	(void)signo;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
}

/*
 * A timer's signal, since the decompressors do not come back before they are done. Not SIGALRM: that one may
 * be somebody's time-out for us.
 */
static int unpack(const struct kernel *packed, uint8_t **elf, size_t *size, struct why *why)
{
	const struct itimerspec patience = { .it_value.tv_sec = PATIENCE };
	struct sigaction action = { .sa_handler = say, .sa_flags = SA_RESTART }, before;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	timer_t timer;
	bool timed;
	int err;

	sigaction(SIGRTMIN, &action, &before);
	timed = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
	if (timed)
		timer_settime(timer, 0, &patience, NULL);
	err = kernel_unpack(packed, elf, size, why);
	if (!err)
		kernel_trim(*elf, *size);
	if (timed)
		timer_delete(timer);
	sigaction(SIGRTMIN, &before, NULL);
	return err;
}

int kernel_cache_open(const struct kernel *packed, struct why *why)
{
	struct cache cache;
	bool usable = cache_open(&cache);
	char name[NAME_SIZE] = "";
	uint8_t *elf;
	size_t size;
	int fd = -1;

	if (usable) {
		XXH128_canonical_t h = hash(&cache, packed->data, packed->size);

		for (size_t i = 0; i < sizeof(h.digest); i++)
			snprintf(name + 2 * i, sizeof(name) - 2 * i, "%02x", h.digest[i]);
		snprintf(name + 2 * sizeof(h.digest), sizeof(SUFFIX), SUFFIX);
		fd = take(&cache, name, packed);
	}
	if (fd < 0) {
		fd = unpack(packed, &elf, &size, why);
		if (fd == 0) {
			fd = usable ? put(&cache, name, packed, elf, size) : -1;
			if (fd < 0)
				fd = in_memory(elf, size, why);
			free(elf);
		}
	}
	if (usable)
		close(cache.dir);
	return fd;
}
