// SPDX-License-Identifier: MIT
/*
 * loaded SLOW OTHER: how long a stat of a file in SLOW that is in memory takes, and a create, close and
 * unlink in OTHER, while nothing else happens and while 32 processes wait for SLOW's disk: half of
 * them read past the cache, half fsync. Prints "NAME IDLE LOADED RATIO", means in microseconds.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAITERS 32

static const char *slow, *other;

static const char *in(const char *dir, const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void die(const char *what)
{
	perror(what);
	kill(0, SIGTERM);
	exit(1);
}

static void do_stat(void)
{
	struct stat st;

	if (stat(in(slow, "file"), &st))
		die("stat");
}

static void do_create(void)
{
	int fd = open(in(other, "new"), O_RDWR | O_CREAT | O_EXCL, 0644);

	if (fd < 0 || close(fd) || unlink(in(other, "new")))
		die("create");
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/*
 * The mean of as many calls as a second has: a median would not know of the moments at which nothing
 * goes on at all.
 */
static double mean(void (*call)(void))
{
	double start, end;
	int n = 0;

	call();
	start = now();
	do {
		call();
		n++;
		end = now();
	} while (end - start < 1e6);
	return (end - start) / n;
}

static void waiter(int i)
{
	static _Alignas(4096) char buf[4096];
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "wait-%d", i);
	fd = open(in(slow, name), O_RDWR | O_CREAT | (i % 2 ? O_DIRECT : 0), 0644);
	if (fd < 0)
		die(name);
	if (i % 2 && (pwrite(fd, buf, sizeof(buf), 0) != sizeof(buf) || fsync(fd)))
		die(name);
	for (;;)
		if (i % 2 ? pread(fd, buf, sizeof(buf), 0) != sizeof(buf)
			  : pwrite(fd, buf, 1, 0) != 1 || fsync(fd))
			die(name);
}

int main(int argc, char **argv)
{
	double idle[2];

	if (argc != 3)
		return 1;
	slow = argv[1];
	other = argv[2];
	/* It stays open: its directory entry is in use. */
	if (open(in(slow, "file"), O_RDONLY) < 0)
		die("file");
	idle[0] = mean(do_stat);
	idle[1] = mean(do_create);
	for (int i = 0; i < WAITERS; i++)
		if (!fork())
			waiter(i);
	usleep(5000000);
	for (int i = 0; i < 2; i++) {
		double loaded = mean(i ? do_create : do_stat);

		printf("%s %.1f %.1f %.2f\n", i ? "create-elsewhere" : "stat", idle[i], loaded,
		       loaded / idle[i]);
		fflush(stdout);
	}
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	return 0;
}
