// SPDX-License-Identifier: MIT
/*
 * fair SLOW OTHER [few]: what must go on while a disk does not answer. Runs in a guest; SLOW is a share on
 * that disk, OTHER one in memory, by whose files it speaks with the test on the host:
 *
 *   we: opened    host: warm         what is in its cache has been dropped
 *   we: warmed    host: suspended    the disk no longer answers
 *   we: went-on   host: resumed
 *
 * If the host makes "gave-up", something hung. "few": nothing is done in place, so what takes a worker
 * waits for one on SLOW, and is not tried there. Prints "ok WHAT" and "not ok WHAT".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define WAITERS 32 /* half of them read what is not in the cache, half fsync */
#define ROUNDS	20

static const char *slow, *other;

static const char *in(const char *dir, const char *name)
{
	static char path[4][300];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static const char *nth(const char *name, int i)
{
	static char s[2][64];
	static int k;

	k = !k;
	snprintf(s[k], sizeof(s[k]), "%s%d", name, i);
	return s[k];
}

static void die(const char *what)
{
	printf("not ok %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void say(const char *name)
{
	int fd = open(in(other, name), O_WRONLY | O_CREAT, 0644);

	if (fd < 0 || close(fd))
		die(name);
}

static bool is_said(const char *name)
{
	return !access(in(other, name), F_OK);
}

static void await(const char *name)
{
	while (!is_said(name))
		usleep(20000);
}

/* ---- what waits ---- */

/* Those of the first kind, and how many of the others, have begun and ended. */
static struct {
	atomic_int begun, ended;
} *shared;

static int run(int fd, int i)
{
	char buf[4096];

	if (i % 2)
		return pread(fd, buf, sizeof(buf), 0) == sizeof(buf) ? 0 : -1;
	/* Data that is to be written, or the journal alone: which then holds what new files are about. */
	if (i % 4 ? fchmod(fd, 0600) : pwrite(fd, "x", 1, 0) != 1)
		return -1;
	return fsync(fd);
}

static void waiter(int i)
{
	int fd = open(in(slow, nth("wait/", i)), O_RDWR);

	if (fd < 0)
		die("opening a file to wait for");
	atomic_fetch_add(&shared->begun, 1);
	await("suspended");
	atomic_fetch_add(&shared->begun, 1);
	if (run(fd, i))
		die(i % 2 ? "a read of what is not in the cache" : "fsync");
	atomic_fetch_add(&shared->ended, 1);
	_exit(0);
}

/*
 * What may wait as well, or not, but must keep nobody else from going on. Each in a folder of its own,
 * which the guest's kernel locks meanwhile.
 */
static int may_read_new(const char *dir)
{
	char buf[8];
	int fd = open(in(dir, "new"), O_RDONLY);

	return fd < 0 || read(fd, buf, 1) != 1;
}

static int may_chmod(const char *dir)
{
	return chmod(in(dir, "new"), 0600);
}

static int may_chown(const char *dir)
{
	return chown(in(dir, "new"), 1, 1);
}

static int may_utime(const char *dir)
{
	return utimensat(AT_FDCWD, in(dir, "new"), NULL, 0);
}

static int may_truncate(const char *dir)
{
	return truncate(in(dir, "new"), 0);
}

static int may_open_trunc(const char *dir)
{
	return open(in(dir, "new"), O_WRONLY | O_TRUNC) < 0;
}

static int may_write(const char *dir)
{
	int fd = open(in(dir, "new"), O_WRONLY);

	return fd < 0 || write(fd, "yy", 2) != 2 || close(fd);
}

static int may_create(const char *dir)
{
	return open(in(dir, "created"), O_WRONLY | O_CREAT, 0644) < 0;
}

static int may_mkdir(const char *dir)
{
	return mkdir(in(dir, "folder"), 0755);
}

static int may_symlink(const char *dir)
{
	return symlink("new", in(dir, "symlink"));
}

static int may_link(const char *dir)
{
	return link(in(dir, "new"), in(dir, "link"));
}

static int may_rename(const char *dir)
{
	return rename(in(dir, "new"), in(dir, "renamed"));
}

static int may_unlink(const char *dir)
{
	return unlink(in(dir, "new"));
}

static int may_list(const char *dir)
{
	DIR *d = opendir(dir);

	return !d || !readdir(d);
}

static int may_mknod(const char *dir)
{
	return mknod(in(dir, "fifo"), S_IFIFO | 0644, 0);
}

static int may_getxattr(const char *dir)
{
	char value[16];

	return getxattr(in(dir, "new"), "user.none", value, sizeof(value)) >= 0 || errno != ENODATA;
}

static int may_setxattr(const char *dir)
{
	return setxattr(in(dir, "new"), "user.some", "value", 5, 0);
}

static int may_statfs(const char *dir)
{
	struct statfs sfs;

	return statfs(dir, &sfs);
}

static const struct {
	const char *name;
	int (*call)(const char *dir);
} others[] = {
	{"a read that changes atime", may_read_new}, {"chmod", may_chmod},
	{"chown", may_chown}, {"utimensat", may_utime}, {"truncate", may_truncate},
	{"open with O_TRUNC", may_open_trunc}, {"write", may_write}, {"create", may_create},
	{"mkdir", may_mkdir}, {"symlink", may_symlink}, {"link", may_link}, {"rename", may_rename},
	{"unlink", may_unlink}, {"listing", may_list}, {"mknod", may_mknod},
	{"getxattr", may_getxattr}, {"setxattr", may_setxattr}, {"statfs", may_statfs},
};
#define OTHERS (int)(sizeof(others) / sizeof(*others))

static void another(int i)
{
	await("go");
	if (others[i].call(in(slow, nth("own/", i))))
		die(others[i].name);
	_exit(0);
}

/* Listings of folders that are not in the cache: each keeps a worker waiting. */
#define LISTERS 8

static void lister(int i)
{
	DIR *d = opendir(in(slow, nth("list/", i)));

	if (!d)
		die("opening a folder to list");
	atomic_fetch_add(&shared->begun, 1);
	await("suspended");
	if (!readdir(d))
		die("listing");
	_exit(0);
}

/* ---- what goes on ---- */

static int held;

static int on_stat(void)
{
	struct stat st;

	return stat(in(slow, "calm/file"), &st);
}

static int on_fstat(void)
{
	struct stat st;

	return fstat(held, &st);
}

static int on_missing(void)
{
	struct stat st;

	return !stat(in(slow, "calm/missing"), &st) || errno != ENOENT;
}

static int on_open(void)
{
	int fd = open(in(slow, "calm/file"), O_RDONLY);

	return fd < 0 || close(fd);
}

static int on_read(void)
{
	char buf[4096];

	return pread(held, buf, sizeof(buf), 0) != sizeof(buf);
}

static int on_lock(void)
{
	return flock(held, LOCK_SH) || flock(held, LOCK_UN);
}

static int on_create(void)
{
	int fd = open(in(other, "new"), O_RDWR | O_CREAT | O_EXCL, 0644);

	return fd < 0 || pwrite(fd, "x", 1, 0) != 1 || fsync(fd) || fchmod(fd, 0600) || close(fd) ||
	       rename(in(other, "new"), in(other, "newer")) || unlink(in(other, "newer"));
}

static int on_mkdir(void)
{
	return mkdir(in(other, "folder"), 0755) || rmdir(in(other, "folder"));
}

static int on_list(void)
{
	DIR *d = opendir(other);
	int n = 0;

	while (d && readdir(d))
		n++;
	return !d || closedir(d) || !n;
}

static int on_xattr(void)
{
	char value[16];

	return getxattr(in(other, "opened"), "user.none", value, sizeof(value)) >= 0;
}

static const struct {
	const char *name;
	int (*call)(void);
	bool worker;
} calls[] = {
	{"stat", on_stat, false}, {"fstat", on_fstat, false}, {"stat of a missing name", on_missing, false},
	{"open and close", on_open, true}, {"read", on_read, false}, {"flock", on_lock, true},
	{"create, write, fsync and unlink on another share", on_create, false},
	{"mkdir and rmdir on another share", on_mkdir, false}, {"listing another share", on_list, false},
	{"getxattr on another share", on_xattr, false},
};
#define CALLS (sizeof(calls) / sizeof(*calls))

static void go_on(int rounds, bool few)
{
	for (size_t i = 0; i < CALLS; i++) {
		if (few && calls[i].worker)
			continue;
		for (int k = 0; k < rounds; k++)
			if (calls[i].call())
				die(calls[i].name);
		if (is_said("gave-up")) {
			printf("not ok %s hung\n", calls[i].name);
			fflush(stdout);
			_exit(1);
		}
		if (rounds > 1)
			printf("ok %s\n", calls[i].name);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	bool few = argc > 3;
	int bad = 0, status;

	if (argc < 3)
		return 1;
	slow = argv[1];
	other = argv[2];
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < WAITERS; i++)
		if (!fork())
			waiter(i);
	for (int i = 0; i < LISTERS; i++)
		if (!fork())
			lister(i);
	for (int i = 0; i < OTHERS; i++)
		if (!fork())
			another(i);
	while (atomic_load(&shared->begun) < WAITERS + LISTERS)
		usleep(20000);
	say("opened");
	await("warm");
	/* New files, which the fsyncs will want written. */
	for (int i = 0; i < OTHERS; i++) {
		int fd = open(in(slow, nth("own/", i)), O_RDONLY | O_DIRECTORY);
		int new = openat(fd, "new", O_WRONLY | O_CREAT, 0644);

		if (new < 0 || write(new, "x", 1) != 1 || close(new) || close(fd))
			die("new");
	}
	held = open(in(slow, "calm/file"), O_RDONLY);
	if (held < 0)
		die("calm/file");
	go_on(1, few);
	say("warmed");
	await("suspended");
	while (atomic_load(&shared->begun) < 2 * WAITERS + LISTERS)
		usleep(20000);
	/* Time for their requests to reach the disk; nothing depends on it but how much is tried. */
	usleep(300000);
	say("go");
	usleep(300000);
	go_on(ROUNDS, few);
	printf("%sok %d requests waited all the time\n",
	       atomic_load(&shared->ended) ? "not " : "", WAITERS);
	fflush(stdout);
	say("went-on");
	await("resumed");
	while (wait(&status) > 0)
		bad += status != 0;
	printf("%sok what waited came to its end\n", bad ? "not " : "");
	return bad != 0;
}
