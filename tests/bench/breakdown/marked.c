// SPDX-License-Identifier: MIT
/*
 * Makes one system call, or a few that belong together, again and again between two markers.
 *
 *   marked DIR N CALL…      in DIR; N calls each
 *
 * Prints for each CALL its name, N, and the ticks of the time-stamp counter between the markers, in
 * counted time one for each instruction.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <x86intrin.h>

#include "tests/bench/breakdown/marker.h"

#define WARM_UP 64
#define SMALL	4096
#define LARGE	500000
#define NAMES	100

static int fd;
static char buf[LARGE];

static long call_stat(void)
{
	struct stat st;

	return stat("file", &st);
}

static long call_missing(void)
{
	struct stat st;

	return stat("missing", &st) && errno == ENOENT ? 0 : -1;
}

static long call_open(void)
{
	int new = open("file", O_RDONLY);

	return new < 0 ? -1 : close(new);
}

static long call_pread(void)
{
	return pread(fd, buf, SMALL, 0) == SMALL ? 0 : -1;
}

static long call_pwrite(void)
{
	return pwrite(fd, buf, SMALL, 0) == SMALL ? 0 : -1;
}

static long call_pread_large(void)
{
	return pread(fd, buf, LARGE, 0) == LARGE ? 0 : -1;
}

static long call_pwrite_large(void)
{
	return pwrite(fd, buf, LARGE, 0) == LARGE ? 0 : -1;
}

static long call_create(void)
{
	int new = open("new", O_RDWR | O_CREAT | O_EXCL, 0644);

	return new < 0 || close(new) ? -1 : unlink("new");
}

static long call_mkdir(void)
{
	return mkdir("newdir", 0755) ? -1 : rmdir("newdir");
}

static long call_rename(void)
{
	static int there;

	there = !there;
	return there ? rename("file", "moved") : rename("moved", "file");
}

static long call_fsync(void)
{
	return fsync(fd);
}

static long call_symlink(void)
{
	char to[16];

	return symlink("file", "link") || readlink("link", to, sizeof(to)) != 4 ? -1
										: unlink("link");
}

/* Of an attribute that is not there, which can be asked for on any file system. */
static long call_getxattr(void)
{
	char value[16];

	return getxattr("file", "user.none", value, sizeof(value)) < 0 &&
			       (errno == ENODATA || errno == EOPNOTSUPP)
		       ? 0
		       : -1;
}

/* A hundred names. */
static long call_list(void)
{
	DIR *dir = opendir("names");
	long n = 0;

	while (dir && readdir(dir))
		n++;
	return dir && n == NAMES + 2 ? closedir(dir) : -1;
}

/* No file at all, for the test of the counting: two instructions a turn, 1000 turns. */
static __attribute__((noinline)) long call_spin(void)
{
	long turns = 1000;

	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(turns)::"cc");
	return turns;
}

static long call_getppid(void)
{
	return getppid() < 0;
}

static const struct {
	const char *name;
	long (*call)(void);
} calls[] = {
	{"stat", call_stat},
	{"missing", call_missing},
	{"open", call_open},
	{"pread4k", call_pread},
	{"pwrite4k", call_pwrite},
	{"pread500k", call_pread_large},
	{"pwrite500k", call_pwrite_large},
	{"create", call_create},
	{"mkdir", call_mkdir},
	{"rename", call_rename},
	{"fsync", call_fsync},
	{"symlink", call_symlink},
	{"getxattr", call_getxattr},
	{"list", call_list},
	{"spin", call_spin},
	{"getppid", call_getppid},
};

static long (*find(const char *name))(void)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (!strcmp(calls[i].name, name))
			return calls[i].call;
	}
	return NULL;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "marked: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The ticks between the markers. */
static unsigned long long measure(const char *name, long (*call)(void), long n)
{
	unsigned long long ticks;
	long failed = 0;

	for (int i = 0; i < WARM_UP; i++)
		failed |= call();
	ticks = __rdtsc();
	MARKER(MARKER_BEGIN);
	for (long i = 0; i < n; i++)
		failed |= call();
	MARKER(MARKER_END);
	ticks = __rdtsc() - ticks;
	if (failed)
		fail(name);
	return ticks;
}

static void make_names(void)
{
	char name[32];

	if (mkdir("names", 0755) && errno != EEXIST)
		fail("names");
	for (int i = 0; i < NAMES; i++) {
		int new;

		snprintf(name, sizeof(name), "names/file%03d", i);
		new = open(name, O_WRONLY | O_CREAT, 0644);
		if (new < 0)
			fail(name);
		close(new);
	}
}

int main(int argc, char **argv)
{
	long n;

	if (argc < 4 || (n = strtol(argv[2], NULL, 10)) <= 0) {
		fprintf(stderr, "usage: marked DIR N CALL…\n");
		return 2;
	}
	if (chdir(argv[1]))
		fail(argv[1]);
	fd = open("file", O_RDWR | O_CREAT, 0644);
	if (fd < 0 || pwrite(fd, buf, LARGE, 0) != LARGE)
		fail("file");
	make_names();
	for (int i = 3; i < argc; i++) {
		long (*call)(void) = find(argv[i]);

		if (!call) {
			fprintf(stderr, "marked: there is no call '%s'\n", argv[i]);
			return 2;
		}
		printf("%s %ld %llu\n", argv[i], n, measure(argv[i], call, n));
		fflush(stdout);
	}
	return 0;
}
