// SPDX-License-Identifier: MIT
/* Open files: what an open descriptor is of stays so, whatever becomes of the name; and open(2)'s flags. */
#include "tests/guest/fs/fs.h"

#include <dirent.h>
#include <stdint.h>
#include <sys/wait.h>

/* ---- a descriptor is of a file, not of a name ---- */

static int unlinked(void)
{
	int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0644);

	if (fd < 0 || write(fd, "hello", 5) != 5 || unlink("f"))
		return -1;
	return fd;
}

static int unlinked_stat(void)
{
	struct stat before, st;
	int fd = open("f", O_RDWR | O_CREAT, 0640);

	CHECK(write(fd, "hello", 5) == 5 && fstat(fd, &before) == 0);
	CHECK(unlink("f") == 0);
	CHECK(fstat(fd, &st) == 0);
	SAME(st.st_ino, before.st_ino);
	SAME(st.st_size, 5);
	SAME(st.st_nlink, 0);
	SAME(st.st_mode, S_IFREG | 0640);
	SAME(mode_of("f"), -1);
	return 0;
}

static int unlinked_io(void)
{
	int fd = unlinked();

	CHECK(fd >= 0);
	CHECK(pwrite(fd, "J", 1, 0) == 1);
	CHECK(fd_has(fd, "Jello"));
	CHECK(pwrite(fd, "!", 1, 5) == 1);
	CHECK(fsync(fd) == 0);
	CHECK(fd_has(fd, "Jello!"));
	return 0;
}

static int unlinked_truncate(void)
{
	struct stat st;
	int fd = unlinked();

	CHECK(fd >= 0);
	CHECK(ftruncate(fd, 2) == 0);
	CHECK(fd_has(fd, "he"));
	CHECK(ftruncate(fd, 100) == 0);
	CHECK(fstat(fd, &st) == 0);
	SAME(st.st_size, 100);
	return 0;
}

static int unlinked_attributes(void)
{
	const struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
	struct stat st;
	int fd = unlinked();

	CHECK(fd >= 0);
	CHECK(fchmod(fd, 0604) == 0);
	CHECK(fchown(fd, 12, 34) == 0);
	CHECK(futimens(fd, times) == 0);
	CHECK(fstat(fd, &st) == 0);
	SAME(st.st_mode, S_IFREG | 0604);
	SAME(st.st_uid, 12);
	SAME(st.st_gid, 34);
	SAME(st.st_mtim.tv_sec, 2000);
	return 0;
}

static int renamed_over(void)
{
	int fd;

	TRY(make("old", "old", 0644));
	TRY(make("new", "new", 0644));
	fd = open("old", O_RDWR);
	CHECK(rename("new", "old") == 0);
	CHECK(fd_has(fd, "old"));
	CHECK(pwrite(fd, "O", 1, 0) == 1 && fchmod(fd, 0600) == 0);
	CHECK(fd_has(fd, "Old"));
	CHECK(has("old", "new"));
	SAME(mode_of("old"), S_IFREG | 0644);
	return 0;
}

static int recreated(void)
{
	struct stat first, second;
	int fd = unlinked();

	CHECK(fd >= 0);
	TRY(make("f", "another", 0644));
	CHECK(fstat(fd, &first) == 0 && stat("f", &second) == 0);
	CHECK(first.st_ino != second.st_ino);
	CHECK(fd_has(fd, "hello"));
	CHECK(pwrite(fd, "HELLO", 5, 0) == 5 && ftruncate(fd, 1) == 0);
	CHECK(has("f", "another"));
	return 0;
}

/* A file and its folder are open while rename_it moves the folder d to e. */
static int parent_renamed(int (*rename_it)(void))
{
	struct stat st;
	int dir, fd;

	CHECK(mkdir("d", 0755) == 0);
	TRY(make("d/f", "hello", 0644));
	dir = open("d", O_RDONLY | O_DIRECTORY);
	fd = open("d/f", O_RDWR);
	CHECK(dir >= 0 && fd >= 0);
	TRY(rename_it());
	CHECK(fd_has(fd, "hello"));
	CHECK(pwrite(fd, "J", 1, 0) == 1 && ftruncate(fd, 4) == 0 && fchmod(fd, 0600) == 0);
	CHECK(fstat(fd, &st) == 0);
	SAME(st.st_size, 4);
	CHECK(close(openat(dir, "made", O_WRONLY | O_CREAT | O_EXCL, 0644)) == 0);
	CHECK(fstatat(dir, "f", &st, 0) == 0);
	CHECK(renameat(dir, "f", dir, "g") == 0);
	CHECK(fd_has(fd, "Jell"));
	SAME(host("[ $(cat e/g) = Jell ] && [ $(stat -c %%a e/g) = 600 ] && [ -e e/made ]"), 0);
	return 0;
}

static int rename_here(void)
{
	CHECK(rename("d", "e") == 0);
	return 0;
}

static int rename_on_host(void)
{
	SAME(host("mv d e"), 0);
	return 0;
}

/* Another folder of the same name is in its place. */
static int replace_on_host(void)
{
	SAME(host("mv d e && mkdir d && echo wrong > d/f"), 0);
	return 0;
}

static int parent_renamed_here(void)
{
	return parent_renamed(rename_here);
}

static int parent_renamed_on_host(void)
{
	return parent_renamed(rename_on_host);
}

static int parent_replaced_on_host(void)
{
	TRY(parent_renamed(replace_on_host));
	SAME(host("[ \"$(ls d) $(cat d/f)\" = 'f wrong' ]"), 0);
	return 0;
}

static int unlinked_on_host(void)
{
	struct stat st;
	int fd;

	TRY(make("f", "hello", 0644));
	fd = open("f", O_RDWR);
	SAME(host("rm f && echo another > f"), 0);
	CHECK(fd_has(fd, "hello"));
	CHECK(pwrite(fd, "J", 1, 0) == 1 && ftruncate(fd, 4) == 0 && fchmod(fd, 0600) == 0);
	CHECK(fd_has(fd, "Jell"));
	CHECK(fstat(fd, &st) == 0);
	SAME(st.st_size, 4);
	SAME(host("[ $(cat f) = another ]"), 0);
	return 0;
}

static int folder_removed(void)
{
	DIR *dir;
	struct dirent *entry;

	CHECK(mkdir("d", 0755) == 0);
	CHECK((dir = opendir("d")) != NULL);
	CHECK(rmdir("d") == 0);
	while ((entry = readdir(dir)))
		CHECK(entry->d_name[0] == '.');
	FAILS(ENOENT, openat(dirfd(dir), "f", O_WRONLY | O_CREAT, 0644));
	return 0;
}

/* ---- flags of open(2) ---- */

static int create_exclusive(void)
{
	TRY(make("f", "", 0644));
	CHECK(symlink("nowhere", "dangling") == 0 && mkdir("d", 0755) == 0);
	FAILS(EEXIST, open("f", O_WRONLY | O_CREAT | O_EXCL, 0644));
	FAILS(EEXIST, open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0644));
	FAILS(EEXIST, open("d", O_WRONLY | O_CREAT | O_EXCL, 0644));
	return 0;
}

static int create_race(void)
{
	for (int round = 0; round < 8; round++) {
		int made = 0, status;
		char name[16];

		snprintf(name, sizeof(name), "race%d", round);
		for (int i = 0; i < 4; i++)
			if (fork() == 0)
				_exit(open(name, O_WRONLY | O_CREAT | O_EXCL, 0644) < 0 ? errno : 0);
		for (int i = 0; i < 4; i++) {
			CHECK(wait(&status) > 0);
			CHECK(status == 0 || WEXITSTATUS(status) == EEXIST);
			made += status == 0;
		}
		SAME(made, 1);
	}
	return 0;
}

/* Whoever makes a file may write to it, whatever its permissions say later. */
static int create_unwritable_as_user(void)
{
	int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0);

	CHECK(fd >= 0 && write(fd, "hello", 5) == 5);
	CHECK(fd_has(fd, "hello"));
	CHECK(close(fd) == 0);
	SAME(mode_of("f"), S_IFREG);
	FAILS(EACCES, open("f", O_RDONLY));
	return 0;
}

static int create_unwritable(void)
{
	return as_user(USER, create_unwritable_as_user);
}

static int no_permission_as_user(void)
{
	FAILS(EACCES, open("secret", O_RDONLY));
	FAILS(EACCES, open("readable", O_RDWR));
	FAILS(EACCES, open("readable", O_WRONLY | O_CREAT | O_TRUNC, 0666));
	FAILS(EACCES, open("closed/f", O_WRONLY | O_CREAT, 0666));
	FAILS(EACCES, unlink("closed/inside"));
	FAILS(EPERM, chmod("readable", 0666));
	FAILS(EPERM, open("readable", O_RDONLY | O_NOATIME));
	CHECK(has("readable", "text"));
	return 0;
}

static int no_permission(void)
{
	TRY(make("secret", "text", 0600));
	TRY(make("readable", "text", 0644));
	CHECK(mkdir("closed", 0755) == 0);
	TRY(make("closed/inside", "", 0666));
	TRY(as_user(USER, no_permission_as_user));
	CHECK(has("readable", "text"));
	return 0;
}

#define RECORDS 40

static int append_records(void)
{
	int fd = open("f", O_WRONLY | O_APPEND);
	char record[11];

	snprintf(record, sizeof(record), "%09d\n", getpid());
	for (int i = 0; i < RECORDS; i++)
		CHECK(write(fd, record, 10) == 10);
	return 0;
}

static int append_two(void)
{
	char text[RECORDS * 20 + 1];
	int status, fd, of_first = 0;
	pid_t first;

	TRY(make("f", "", 0644));
	first = fork();
	if (!first)
		_exit(append_records());
	TRY(in_child(append_records));
	CHECK(waitpid(first, &status, 0) == first && status == 0);
	fd = open("f", O_RDONLY);
	SAME(read(fd, text, sizeof(text)), RECORDS * 20);
	for (const char *line = text; line < text + RECORDS * 20; line += 10) {
		CHECK(line[9] == '\n');
		of_first += atoi(line) == first;
	}
	SAME(of_first, RECORDS);
	return 0;
}

static int append_with_host(void)
{
	int fd;

	TRY(make("f", "1", 0644));
	fd = open("f", O_WRONLY | O_APPEND);
	CHECK(write(fd, "2", 1) == 1);
	SAME(host("printf host >> f"), 0);
	CHECK(write(fd, "3", 1) == 1);
	SAME(host("[ $(cat f) = 12host3 ]"), 0);
	return 0;
}

static int truncating(void)
{
	struct stat before, st;

	TRY(make("f", "hello", 0644));
	CHECK(stat("f", &before) == 0);
	CHECK(close(open("f", O_WRONLY | O_TRUNC)) == 0);
	CHECK(stat("f", &st) == 0);
	SAME(st.st_size, 0);
	SAME(st.st_ino, before.st_ino);
	TRY(make("f", "hi", 0644));
	CHECK(close(open("f", O_WRONLY | O_CREAT | O_TRUNC, 0600)) == 0);
	CHECK(stat("f", &st) == 0);
	SAME(st.st_size, 0);
	SAME(st.st_mode, S_IFREG | 0644);
	return 0;
}

static int direct(void)
{
	static char out[16384] __attribute__((aligned(4096))), in[16384] __attribute__((aligned(4096)));
	int fd = open("f", O_RDWR | O_CREAT | O_DIRECT, 0644);

	CHECK(fd >= 0);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7 / 3);
	CHECK(pwrite(fd, out, sizeof(out), 0) == sizeof(out));
	CHECK(pread(fd, in, sizeof(in), 0) == sizeof(in));
	CHECK(!memcmp(in, out, sizeof(in)));
	CHECK(pwrite(fd, out + 4096, 512, 1024) == 512);
	CHECK(pread(fd, in, 512, 1024) == 512);
	CHECK(!memcmp(in, out + 4096, 512));
	/* The end of a file need not be at a block's. */
	CHECK(ftruncate(fd, 9000) == 0);
	SAME(pread(fd, in, 8192, 8192), 808);
	SAME(pread(fd, in, 8192, 12288), 0);
	return 0;
}

static int folder_flags(void)
{
	struct stat st;
	int fd;

	TRY(make("f", "", 0644));
	CHECK(mkdir("d", 0755) == 0 && symlink("d", "to-d") == 0 && symlink("f", "to-f") == 0);
	FAILS(ENOTDIR, open("f", O_RDONLY | O_DIRECTORY));
	FAILS(EISDIR, open("d", O_WRONLY));
	CHECK(close(open("d", O_RDONLY | O_DIRECTORY)) == 0);
	CHECK(close(open("to-d", O_RDONLY | O_DIRECTORY)) == 0);
	FAILS(ELOOP, open("to-f", O_RDONLY | O_NOFOLLOW));
	FAILS(ENOTDIR, open("to-d", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
	fd = open("to-f", O_PATH | O_NOFOLLOW);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode));
	return 0;
}

static int no_atime(void)
{
	const struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
	char c;
	int fd;

	TRY(make("f", "hello", 0644));
	CHECK(utimensat(AT_FDCWD, "f", times, 0) == 0);
	fd = open("f", O_RDONLY | O_NOATIME);
	CHECK(fd >= 0 && read(fd, &c, 1) == 1);
	SAME(host("[ $(stat -c %%X f) = 1000 ]"), 0);
	CHECK(close(fd) == 0);
	return 0;
}

static int synchronous(void)
{
	int fd = open("f", O_RDWR | O_CREAT | O_SYNC, 0644);

	CHECK(fd >= 0 && write(fd, "hello", 5) == 5);
	SAME(host("[ $(cat f) = hello ]"), 0);
	CHECK(fdatasync(fd) == 0 && fsync(fd) == 0);
	CHECK(close(fd) == 0);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(fsync(fd) == 0);
	return 0;
}

/* 9P has no message for these. What can be told apart must be told. */
static int not_in_9p(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	TRY(make("h", "", 0644));
	FAILS(EOPNOTSUPP, open(".", O_RDWR | O_TMPFILE, 0600));
	FAILS(EOPNOTSUPP, fallocate(fd, 0, 0, 4096));
	FAILS(EINVAL, renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_NOREPLACE));
	FAILS(EINVAL, renameat2(AT_FDCWD, "f", AT_FDCWD, "h", RENAME_EXCHANGE));
	CHECK(posix_fallocate(fd, 0, 4096) == 0);
	SAME(lseek(fd, 0, SEEK_HOLE), 4096);
	return 0;
}

static int sparse(void)
{
	struct stat st;
	char c = 1;
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	CHECK(pwrite(fd, "x", 1, (off_t)5 << 30) == 1);
	CHECK(fstat(fd, &st) == 0);
	SAME(st.st_size, ((off_t)5 << 30) + 1);
	CHECK(pread(fd, &c, 1, (off_t)5 << 29) == 1 && c == 0);
	CHECK(pread(fd, &c, 1, (off_t)5 << 30) == 1 && c == 'x');
	return 0;
}

static int copies(void)
{
	off_t from = 1;
	int in, out = open("g", O_RDWR | O_CREAT, 0644);

	TRY(make("f", "hello", 0644));
	in = open("f", O_RDONLY);
	SAME(copy_file_range(in, &from, out, NULL, 100, 0), 4);
	CHECK(has("g", "ello"));
	return 0;
}

const struct fs_case open_cases[] = {
	{ "an unlinked open file: fstat", unlinked_stat, 0 },
	{ "an unlinked open file: read, write, fsync", unlinked_io, 0 },
	{ "an unlinked open file: ftruncate", unlinked_truncate, 0 },
	{ "an unlinked open file: fchmod, fchown, futimens", unlinked_attributes, 0 },
	{ "a file renamed over while open stays itself", renamed_over, 0 },
	{ "re-creation under the same name is another file", recreated, 0 },
	{ "the folder of an open file, renamed", parent_renamed_here, 0 },
	{ "the folder of an open file, renamed by the host", parent_renamed_on_host, 0 },
	{ "the folder of an open file, replaced by the host", parent_replaced_on_host, 0 },
	{ "an open file, unlinked and made anew by the host", unlinked_on_host, 0 },
	{ "an open folder, removed", folder_removed, 0 },
	{ "O_EXCL", create_exclusive, 0 },
	{ "O_EXCL: of four that try, one makes the file", create_race, 0 },
	{ "a file made without permissions can be written by its maker", create_unwritable, 0 },
	{ "what an ordinary user may not do is refused", no_permission, 0 },
	{ "O_APPEND: two appenders", append_two, 0 },
	{ "O_APPEND: the host appends too", append_with_host, ON_FRESH },
	{ "O_TRUNC", truncating, 0 },
	{ "O_DIRECT", direct, 0 },
	{ "O_DIRECTORY, O_NOFOLLOW, O_PATH", folder_flags, 0 },
	{ "O_NOATIME", no_atime, 0 },
	{ "O_SYNC, fdatasync, fsync, fsync of a folder", synchronous, 0 },
	{ "what 9P cannot is refused: O_TMPFILE, fallocate, renameat2's flags", not_in_9p, ON_9P },
	{ "a sparse file of 5 GiB", sparse, 0 },
	{ "copy_file_range", copies, 0 },
	{ 0 },
};
