// SPDX-License-Identifier: MIT
/* Mapped files. */
#include "tests/guest/fs/fs.h"

#include <sys/mman.h>

#define SIZE 20000

static char *map(const char *path, int flags, int prot, int how)
{
	int fd = open(path, flags);
	char *bytes = mmap(NULL, SIZE, prot, how, fd, 0);

	close(fd);
	return bytes;
}

static int make_big(void)
{
	TRY(make("f", "hello", 0644));
	CHECK(truncate("f", SIZE) == 0);
	return 0;
}

/* Waits for a byte that another process writes. */
static int becomes(const volatile char *byte, char want)
{
	for (int i = 0; i < 3000 && *byte != want; i++)
		usleep(10000);
	return *byte == want;
}

static int other_process(void)
{
	char *bytes = map("f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);

	CHECK(bytes != MAP_FAILED);
	CHECK(becomes(bytes, 'J'));
	bytes[10000] = '!';
	return 0;
}

static int two_processes(void)
{
	char *bytes;

	TRY(make_big());
	bytes = map("f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	CHECK(bytes != MAP_FAILED);
	if (fork() == 0)
		_exit(other_process());
	bytes[0] = 'J';
	CHECK(becomes(bytes + 10000, '!'));
	CHECK(msync(bytes, SIZE, MS_SYNC) == 0);
	SAME(host("[ $(tr -d '\\0' < f) = 'Jello!' ] && [ $(stat -c %%s f) = %d ]", SIZE), 0);
	return 0;
}

static int with_read_and_write(void)
{
	char *bytes, c;
	int fd;

	TRY(make_big());
	bytes = map("f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	CHECK(bytes != MAP_FAILED);
	fd = open("f", O_RDWR);
	CHECK(bytes[1] == 'e');
	CHECK(pwrite(fd, "E", 1, 1) == 1);
	CHECK(bytes[1] == 'E');
	bytes[0] = 'H';
	CHECK(msync(bytes, SIZE, MS_SYNC) == 0);
	CHECK(pread(fd, &c, 1, 0) == 1 && c == 'H');
	return 0;
}

static int in_one_page(void)
{
	char *bytes;
	int fd;

	TRY(make_big());
	bytes = map("f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	CHECK(bytes != MAP_FAILED);
	fd = open("f", O_RDWR);
	bytes[5000] = 'm';
	CHECK(pwrite(fd, "w", 1, 5001) == 1);
	CHECK(msync(bytes, SIZE, MS_SYNC) == 0 && fsync(fd) == 0);
	SAME(host("[ $(tr -d '\\0' < f) = hellomw ]"), 0);
	return 0;
}

static int write_and_leave(void)
{
	char *bytes = map("f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);

	CHECK(bytes != MAP_FAILED);
	bytes[0] = 'J';
	return 0;
}

static int without_msync(void)
{
	TRY(make_big());
	TRY(in_child(write_and_leave));
	SAME(host("[ $(head -c 5 f) = Jello ]"), 0);
	return 0;
}

static int unlinked(void)
{
	char *bytes;
	char c;
	int fd;

	TRY(make_big());
	fd = open("f", O_RDWR);
	bytes = map("f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	CHECK(bytes != MAP_FAILED && unlink("f") == 0);
	bytes[9000] = 'x';
	CHECK(msync(bytes, SIZE, MS_SYNC) == 0);
	CHECK(pread(fd, &c, 1, 9000) == 1 && c == 'x');
	return 0;
}

static int private(void)
{
	char *bytes;

	TRY(make_big());
	bytes = map("f", O_RDONLY, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	CHECK(bytes != MAP_FAILED && !memcmp(bytes, "hello", 6));
	bytes[0] = 'J';
	CHECK(!memcmp(bytes, "Jello", 6) && bytes[SIZE - 1] == 0);
	SAME(host("[ $(head -c 5 f) = hello ]"), 0);
	return 0;
}

static int shared_reading(void)
{
	char *bytes;

	TRY(make_big());
	bytes = map("f", O_RDONLY, PROT_READ, MAP_SHARED);
	CHECK(bytes != MAP_FAILED && !memcmp(bytes, "hello", 6));
	return 0;
}

/* Linux's client: such a mapping needs cache=mmap or loose. It must say so. */
static int refused(void)
{
	int fd;

	TRY(make_big());
	fd = open("f", O_RDWR);
	FAILS(EINVAL, (long)mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	return 0;
}

static int execute(void)
{
	SAME(host("cp /bin/busybox true && chmod 755 true"), 0);
	SAME(system("./true"), 0);
	return 0;
}

const struct fs_case map_cases[] = {
	{ "a shared mapping of two processes", two_processes, ON_MMAP | ON_LOOSE | ON_DISK },
	{ "a shared mapping beside read and write", with_read_and_write,
	  ON_MMAP | ON_LOOSE | ON_DISK },
	/* With cache=mmap, Linux 6.1 writes the page back after it has passed the write on. */
	{ "a shared mapping and a write in one page", in_one_page, ON_LOOSE | ON_DISK },
	{ "a shared mapping, written without msync", without_msync, ON_MMAP | ON_DISK },
	{ "a shared mapping of an unlinked file", unlinked, ON_MMAP | ON_LOOSE | ON_DISK },
	{ "a shared mapping to write to is EINVAL with cache=none", refused, ON_NONE },
	{ "a shared mapping to read", shared_reading, 0 },
	{ "a private mapping", private, 0 },
	{ "a program in the folder runs", execute, 0 },
	{ 0 },
};
