// SPDX-License-Identifier: MIT
/* Fifos, sockets, device nodes and symbolic links: made, seen, used, changed and removed. */
#include "tests/guest/fs/fs.h"

#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

/* The life of a special file that is there as "s". test is the host's [ -x ]. */
static int life(mode_t type, dev_t rdev, char test)
{
	const struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
	struct stat st;

	CHECK(lstat("s", &st) == 0);
	SAME(st.st_mode & S_IFMT, type);
	SAME(st.st_rdev, rdev);
	SAME(faithful_host("[ -%c s ] && [ $(stat -c %%t:%%T s) = %x:%x ]", test, major(rdev),
			   minor(rdev)),
	     0);
	CHECK(chmod("s", 0640) == 0);
	CHECK(chown("s", 12, 34) == 0);
	CHECK(utimensat(AT_FDCWD, "s", times, 0) == 0);
	CHECK(link("s", "s2") == 0 && rename("s", "t") == 0);
	CHECK(lstat("t", &st) == 0);
	SAME(st.st_mode, type | 0640);
	SAME(st.st_uid, 12);
	SAME(st.st_gid, 34);
	SAME(st.st_mtim.tv_sec, 2000);
	SAME(st.st_nlink, 2);
	SAME(st.st_rdev, rdev);
	CHECK(unlink("s2") == 0 && unlink("t") == 0);
	SAME(host("[ -z \"$(ls)\" ]"), 0);
	return 0;
}

static int fifo(void)
{
	CHECK(mkfifo("s", 0600) == 0);
	return life(S_IFIFO, 0, 'p');
}

static int character(void)
{
	CHECK(mknod("s", S_IFCHR | 0600, makedev(1, 3)) == 0);
	return life(S_IFCHR, makedev(1, 3), 'c');
}

static int block(void)
{
	CHECK(mknod("s", S_IFBLK | 0600, makedev(259, 70000)) == 0);
	return life(S_IFBLK, makedev(259, 70000), 'b');
}

static int bound(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	return fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 1) ? -1 : fd;
}

static int socket_file(void)
{
	CHECK(bound("s") >= 0);
	return life(S_IFSOCK, 0, 'S');
}

static int connect_s(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "s" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	CHECK(write(fd, "hello", 5) == 5);
	return 0;
}

static int socket_used(void)
{
	char got[5];
	int fd = bound("s"), peer;

	CHECK(fd >= 0);
	TRY(in_child(connect_s));
	peer = accept(fd, NULL, NULL);
	CHECK(peer >= 0 && read(peer, got, 5) == 5 && !memcmp(got, "hello", 5));
	FAILS(ENXIO, open("s", O_RDONLY));
	return 0;
}

static int fifo_used(void)
{
	char got[5];
	int fd;

	CHECK(mkfifo("s", 0600) == 0);
	if (fork() == 0) {
		fd = open("s", O_WRONLY);
		_exit(write(fd, "hello", 5) != 5);
	}
	fd = open("s", O_RDONLY);
	CHECK(fd >= 0 && read(fd, got, 5) == 5 && !memcmp(got, "hello", 5));
	return 0;
}

static int device_used(void)
{
	char c = 1;
	int fd;

	CHECK(mknod("zero", S_IFCHR | 0600, makedev(1, 5)) == 0);
	fd = open("zero", O_RDWR);
	CHECK(fd >= 0 && read(fd, &c, 1) == 1 && c == 0);
	return 0;
}

static int device_as_user(void)
{
	FAILS(EPERM, mknod("s", S_IFCHR | 0600, makedev(1, 3)));
	CHECK(mkfifo("fifo", 0600) == 0);
	CHECK(bound("socket") >= 0);
	return 0;
}

static int no_device_for_user(void)
{
	return as_user(USER, device_as_user);
}

static int symlinks(void)
{
	const struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
	static char target[4001], got[4100];
	struct stat st;

	TRY(make("f", "hello", 0644));
	memset(target, 'x', 4000);
	for (size_t i = 100; i < 4000; i += 100)
		target[i] = '/';
	CHECK(symlink(target, "long") == 0);
	SAME(readlink("long", got, sizeof(got)), 4000);
	CHECK(!memcmp(got, target, 4000));
	CHECK(lstat("long", &st) == 0);
	SAME(st.st_size, 4000);
	CHECK(symlink("f", "l") == 0);
	CHECK(lchown("l", 12, 34) == 0);
	CHECK(utimensat(AT_FDCWD, "l", times, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(lstat("l", &st) == 0);
	SAME(st.st_uid, 12);
	SAME(st.st_mtim.tv_sec, 2000);
	CHECK(stat("l", &st) == 0);
	SAME(st.st_uid, 0);
	CHECK(st.st_mtim.tv_sec != 2000);
	CHECK(link("l", "m") == 0 && rename("m", "n") == 0);
	CHECK(readlink("n", got, sizeof(got)) == 1 && got[0] == 'f');
	CHECK(symlink("n", "n2") == 0 && has("n2", "hello"));
	CHECK(symlink("loop", "loop") == 0);
	FAILS(ELOOP, open("loop", O_RDONLY));
	CHECK(unlink("l") == 0 && has("f", "hello"));
	return 0;
}

const struct fs_case special_cases[] = {
	{ "a fifo's life", fifo, 0 },
	{ "a socket's life", socket_file, 0 },
	{ "a character device's life", character, 0 },
	{ "a block device's life", block, 0 },
	{ "a fifo carries data", fifo_used, 0 },
	{ "a socket carries data", socket_used, 0 },
	{ "a device node is this machine's device", device_used, 0 },
	{ "a user may make fifos and sockets, but no devices", no_device_for_user, 0 },
	{ "symbolic links: long, changed, renamed, linked", symlinks, 0 },
	{ 0 },
};
