// SPDX-License-Identifier: MIT
/*
 * calls [DIR]: how long file system calls take, in DIR (default: the current folder), which is
 * empty.
 *
 * Each row is a warm-up and then batches of calls; the mean of a batch counts as one sample. Prints
 * for each row "NAME MEDIAN P25 P75 SAMPLES", in microseconds a call. A call that fails ends it
 * with status 1.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES 61
#define BIG                                                                                        \
	512000 /* 24 bytes more than a message of msize=512000 takes, as is usual: two messages */
#define VALUE	   "sixteen letters" /* of an attribute */
#define NAMES	   100
#define LIST_NAMES (NAMES + 2) /* with . and .. */

/* The file stays open while it is measured: its directory entry is in use, as in a program that
 * works on it. */
static int held = -1;
static char buf[BIG];

static void die(const char *what)
{
	fprintf(stderr, "calls: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A call's result, which must be this one. */
static void expect(const char *what, long got, long wanted)
{
	if (got == wanted)
		return;
	if (got >= 0) {
		fprintf(stderr, "calls: %s gave %ld instead of %ld\n", what, got, wanted);
		exit(1);
	}
	die(what);
}

static void expect_error(const char *what, long got, int wanted, int or)
{
	if (got >= 0) {
		fprintf(stderr, "calls: %s did not fail\n", what);
		exit(1);
	}
	if (errno != wanted && errno != or)
		die(what);
}

static void do_stat(void)
{
	struct stat st;

	expect("stat", stat("file", &st), 0);
}

static void do_stat_missing(void)
{
	struct stat st;

	expect_error("stat of a missing name", stat("missing", &st), ENOENT, ENOENT);
}

static void do_open(void)
{
	int fd = open("file", O_RDONLY);

	if (fd < 0)
		die("open");
	expect("close", close(fd), 0);
}

static void do_pread_4k(void)
{
	expect("pread 4k", pread(held, buf, 4096, 0), 4096);
}

static void do_pwrite_4k(void)
{
	expect("pwrite 4k", pwrite(held, buf, 4096, 0), 4096);
}

static void do_pread_big(void)
{
	expect("pread 500k", pread(held, buf, BIG, 0), BIG);
}

static void do_pwrite_big(void)
{
	expect("pwrite 500k", pwrite(held, buf, BIG, 0), BIG);
}

static void do_create(void)
{
	int fd = open("new", O_RDWR | O_CREAT | O_EXCL, 0644);

	if (fd < 0)
		die("create");
	expect("close", close(fd), 0);
	expect("unlink", unlink("new"), 0);
}

static void do_mkdir(void)
{
	expect("mkdir", mkdir("folder", 0755), 0);
	expect("rmdir", rmdir("folder"), 0);
}

static void do_list(void)
{
	DIR *dir = opendir("hundred");
	long n = 0;

	if (!dir)
		die("opendir");
	while (readdir(dir))
		n++;
	closedir(dir);
	expect("names listed", n, LIST_NAMES);
}

/* There and back is two calls. */
static void do_rename(void)
{
	static int there;

	expect("rename", there ? rename("b", "a") : rename("a", "b"), 0);
	there = !there;
}

static void do_fsync(void)
{
	expect("fsync", fsync(held), 0);
}

static void do_symlink(void)
{
	char target[16];

	expect("symlink", symlink("file", "link"), 0);
	expect("readlink", readlink("link", target, sizeof(target)), 4);
	expect("unlink", unlink("link"), 0);
}

/* A tmpfs has no attributes of users' before Linux 6.6; then only the missing one is measured. */
static bool has_attribute;

static void do_getxattr(void)
{
	char value[64];

	expect("getxattr", getxattr("file", "user.bench", value, sizeof(value)), sizeof(VALUE));
}

static void do_getxattr_missing(void)
{
	char value[64];

	expect_error("getxattr", getxattr("file", "user.none", value, sizeof(value)), ENODATA,
		     EOPNOTSUPP);
}

static const struct row {
	const char *name;
	void (*call)(void);
	int batch; /* calls; short, so that most batches see no tick of a timer */
} rows[] = {
	{"stat", do_stat, 8},
	{"stat-missing", do_stat_missing, 8},
	{"open+close", do_open, 3},
	{"pread-4k", do_pread_4k, 8},
	{"pwrite-4k", do_pwrite_4k, 8},
	{"pread-500k", do_pread_big, 1},
	{"pwrite-500k", do_pwrite_big, 1},
	{"create+close+unlink", do_create, 1},
	{"mkdir+rmdir", do_mkdir, 1},
	{"list-100-names", do_list, 1},
	{"rename", do_rename, 1},
	{"fsync", do_fsync, 8},
	{"symlink+readlink+unlink", do_symlink, 1},
	{"getxattr", do_getxattr, 8},
	{"getxattr-missing", do_getxattr_missing, 8},
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const struct row *row)
{
	double sample[SAMPLES];

	for (int i = 0; i < row->batch; i++)
		row->call();
	for (int i = 0; i < SAMPLES; i++) {
		double start = now();

		for (int k = 0; k < row->batch; k++)
			row->call();
		sample[i] = (now() - start) / row->batch;
	}
	qsort(sample, SAMPLES, sizeof(*sample), compare);
	printf("%s %.3f %.3f %.3f %d\n", row->name, sample[SAMPLES / 2], sample[SAMPLES / 4],
	       sample[SAMPLES * 3 / 4], SAMPLES);
	fflush(stdout);
}

static void touch(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT, 0644);

	if (fd < 0 || close(fd))
		die(name);
}

/* Everything is made here: that the folder takes it is part of what is tried. */
static void prepare(void)
{
	memset(buf, 'x', sizeof(buf));
	held = open("file", O_RDWR | O_CREAT, 0644);
	if (held < 0)
		die("file");
	expect("write", write(held, buf, sizeof(buf)), sizeof(buf));
	touch("a");
	has_attribute = !setxattr("file", "user.bench", VALUE, sizeof(VALUE), 0);
	if (mkdir("hundred", 0755))
		die("hundred");
	for (int i = 0; i < NAMES; i++) {
		char name[32];

		snprintf(name, sizeof(name), "hundred/name-%03d", i);
		touch(name);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && chdir(argv[1]))
		die(argv[1]);
	prepare();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (has_attribute || rows[i].call != do_getxattr)
			measure(&rows[i]);
	return 0;
}
