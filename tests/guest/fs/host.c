// SPDX-License-Identifier: MIT
/* What the host changes is seen, also by who has looked before. */
#include "tests/guest/fs/fs.h"

#include <dirent.h>

static int count_names(void)
{
	DIR *dir = opendir(".");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n - 2;
}

static int size_and_content(void)
{
	struct stat st;
	int fd;

	TRY(make("f", "hello", 0644));
	CHECK(has("f", "hello"));
	SAME(host("printf 'longer than that' > f"), 0);
	CHECK(stat("f", &st) == 0);
	SAME(st.st_size, 16);
	CHECK(has("f", "longer than that"));
	/* Also through a descriptor that is open all the while. */
	fd = open("f", O_RDWR);
	CHECK(fd_has(fd, "longer than that"));
	SAME(host("printf 'short' > f"), 0);
	CHECK(fstat(fd, &st) == 0);
	SAME(st.st_size, 5);
	CHECK(fd_has(fd, "short"));
	/* Same size, other bytes. */
	SAME(host("printf 'SHORT' > f"), 0);
	CHECK(fd_has(fd, "SHORT"));
	SAME(host("printf '!' >> f"), 0);
	/* Linux's client seeks from the size that it has seen last. */
	CHECK(fstat(fd, &st) == 0);
	SAME(lseek(fd, 0, SEEK_END), 6);
	CHECK(pwrite(fd, "guest", 5, 6) == 5);
	SAME(host("[ $(cat f) = 'SHORT!guest' ]"), 0);
	return 0;
}

static int attributes(void)
{
	struct stat st;

	TRY(make("f", "hello", 0644));
	CHECK(stat("f", &st) == 0);
	SAME(host("chmod 751 f && chown 12:34 f && touch -d @1000 f && ln f g"), 0);
	CHECK(stat("f", &st) == 0);
	SAME(st.st_mode, S_IFREG | 0751);
	SAME(st.st_uid, 12);
	SAME(st.st_gid, 34);
	SAME(st.st_mtim.tv_sec, 1000);
	SAME(st.st_nlink, 2);
	SAME(host("[ $(stat -c %%z f | cut -d . -f 2 | cut -c 1-9) = %09ld ]", st.st_ctim.tv_nsec), 0);
	return 0;
}

static int names_come_and_go(void)
{
	SAME(mode_of("f"), -1);
	SAME(count_names(), 0);
	SAME(host("echo x > f && mkdir d && echo y > d/g"), 0);
	CHECK(has("f", "x\n"));
	CHECK(has("d/g", "y\n"));
	SAME(count_names(), 2);
	SAME(host("rm f d/g"), 0);
	FAILS(ENOENT, open("f", O_RDONLY));
	FAILS(ENOENT, open("d/g", O_RDONLY));
	CHECK(rmdir("d") == 0);
	SAME(count_names(), 0);
	return 0;
}

static int replaced(void)
{
	TRY(make("f", "one", 0644));
	TRY(make("g", "two", 0644));
	CHECK(has("f", "one"));
	SAME(host("mv g f"), 0);
	CHECK(has("f", "two"));
	SAME(mode_of("g"), -1);
	SAME(host("rm f && mkdir f && echo three > f/g"), 0);
	CHECK(has("f/g", "three\n"));
	SAME(host("rm -r f && ln -s h f && echo four > h"), 0);
	CHECK(has("f", "four\n"));
	CHECK(S_ISLNK(mode_of("f")));
	return 0;
}

static int edits_of_guest(void)
{
	int fd;

	TRY(make("f", "hello", 0644));
	SAME(host("[ $(cat f) = hello ]"), 0);
	fd = open("f", O_RDWR);
	CHECK(pwrite(fd, "J", 1, 0) == 1 && ftruncate(fd, 4) == 0);
	SAME(host("[ $(cat f) = Jell ]"), 0);
	CHECK(rename("f", "g") == 0);
	SAME(host("[ ! -e f ] && [ $(cat g) = Jell ]"), 0);
	return 0;
}

/* Whatever the cache, once it is closed or synced. */
static int synced_edits_of_guest(void)
{
	int fd;

	TRY(make("f", "hello", 0644));
	fd = open("f", O_RDWR);
	CHECK(pwrite(fd, "J", 1, 0) == 1 && fsync(fd) == 0);
	SAME(host("[ $(cat f) = Jello ]"), 0);
	CHECK(unlink("f") == 0);
	SAME(host("[ ! -e f ]"), 0);
	return 0;
}

const struct fs_case host_cases[] = {
	{ "the host changes size and content", size_and_content, ON_FRESH },
	{ "the host changes attributes", attributes, (enum where)(ON_FRESH & ON_FAITHFUL) },
	{ "the host makes and removes names", names_come_and_go, ON_FRESH },
	{ "the host replaces a file", replaced, ON_FRESH },
	{ "the host sees what is written at once", edits_of_guest, ON_FRESH },
	{ "the host sees what is synced", synced_edits_of_guest, 0 },
	{ 0 },
};
