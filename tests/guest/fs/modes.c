// SPDX-License-Identifier: MIT
/* Permissions: umask, sticky and set-group-id folders, and when set-id bits go. */
#include "tests/guest/fs/fs.h"

#include <sys/sysmacros.h>

#define GROUP 500

static int umask_holds(void)
{
	umask(027);
	CHECK(close(open("f", O_WRONLY | O_CREAT, 0666)) == 0);
	CHECK(mkdir("d", 0777) == 0);
	CHECK(mkfifo("p", 0666) == 0);
	SAME(mode_of("f"), S_IFREG | 0640);
	SAME(mode_of("d"), S_IFDIR | 0750);
	SAME(mode_of("p"), S_IFIFO | 0640);
	SAME(faithful_host("[ \"$(stat -c %%a f d p)\" = \"$(printf '640\\n750\\n640')\" ]"), 0);
	return 0;
}

static int owner_as_user(void)
{
	CHECK(close(open("f", O_WRONLY | O_CREAT, 0644)) == 0);
	CHECK(mkdir("d", 0755) == 0);
	CHECK(symlink("f", "l") == 0);
	CHECK(mkfifo("p", 0600) == 0);
	FAILS(EPERM, chown("f", OTHER, -1));
	FAILS(EPERM, chown("f", -1, GROUP));
	return 0;
}

static int owner(void)
{
	struct stat st;

	TRY(as_user(USER, owner_as_user));
	for (const char *name = "fdlp"; *name; name++) {
		const char path[2] = { *name };

		CHECK(lstat(path, &st) == 0);
		SAME(st.st_uid, USER);
		SAME(st.st_gid, USER);
	}
	SAME(faithful_host("[ \"$(stat -c %%u:%%g f d l p | sort -u)\" = 1000:1000 ]"), 0);
	return 0;
}

static int sticky_as_user(void)
{
	TRY(make("d/mine", "", 0644));
	FAILS(EPERM, unlink("d/other"));
	FAILS(EPERM, rename("d/other", "d/taken"));
	FAILS(EPERM, rename("d/mine", "d/other"));
	CHECK(rename("d/mine", "d/still-mine") == 0);
	CHECK(unlink("d/still-mine") == 0);
	return 0;
}

static int sticky(void)
{
	CHECK(mkdir("d", 0777) == 0 && chmod("d", 01777) == 0);
	TRY(make("d/other", "", 0666));
	CHECK(chown("d/other", OTHER, OTHER) == 0);
	TRY(as_user(USER, sticky_as_user));
	SAME(mode_of("d"), S_IFDIR | 01777);
	return 0;
}

static int fill_folder(void)
{
	CHECK(close(open("d/f", O_WRONLY | O_CREAT, 0644)) == 0);
	CHECK(mkdir("d/sub", 0755) == 0);
	CHECK(close(open("d/sub/f", O_WRONLY | O_CREAT, 0644)) == 0);
	CHECK(symlink("f", "d/link") == 0);
	CHECK(mkfifo("d/fifo", 0644) == 0);
	return 0;
}

static int groups_inherited(unsigned int user)
{
	const char *const made[] = { "d/f", "d/sub", "d/sub/f", "d/link", "d/fifo" };
	struct stat st;

	CHECK(mkdir("d", 0777) == 0 && chown("d", 0, GROUP) == 0 && chmod("d", 02777) == 0);
	SAME(mode_of("d"), S_IFDIR | 02777);
	TRY(user ? as_user(user, fill_folder) : fill_folder());
	for (int i = 0; i < 5; i++) {
		CHECK(lstat(made[i], &st) == 0);
		SAME(st.st_gid, GROUP);
		SAME(st.st_uid, user);
	}
	SAME(mode_of("d/sub"), S_IFDIR | 02755);
	SAME(mode_of("d/f"), S_IFREG | 0644);
	SAME(faithful_host("[ \"$(stat -c %%g d/* d/sub/f | sort -u) $(stat -c %%a d/sub)\" = '500 2755' ]"), 0);
	return 0;
}

static int set_gid_folder(void)
{
	return groups_inherited(0);
}

static int set_gid_folder_of_user(void)
{
	return groups_inherited(USER);
}

/* ---- set-id bits ---- */

static int of_user(const char *path, mode_t mode)
{
	TRY(make(path, "program", mode));
	CHECK(chown(path, USER, USER) == 0 && chmod(path, mode) == 0);
	SAME(mode_of(path), S_IFREG | mode);
	return 0;
}

static int write_f(void)
{
	int fd = open("f", O_WRONLY);

	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	CHECK(close(fd) == 0);
	return 0;
}

static int truncate_f(void)
{
	CHECK(truncate("f", 3) == 0);
	return 0;
}

static int ftruncate_f(void)
{
	int fd = open("f", O_WRONLY);

	CHECK(fd >= 0 && ftruncate(fd, 3) == 0);
	CHECK(close(fd) == 0);
	return 0;
}

static int open_truncate_f(void)
{
	CHECK(close(open("f", O_WRONLY | O_TRUNC)) == 0);
	return 0;
}

static int chown_f(void)
{
	CHECK(chown("f", -1, USER) == 0);
	return 0;
}

/* After the step, by this user, on a file of USER's with mode before, its mode is after: on both sides. */
static int bits(unsigned int user, int (*step)(void), mode_t before, mode_t after)
{
	TRY(of_user("f", before));
	TRY(user ? as_user(user, step) : step());
	SAME(faithful_host("[ $(stat -c %%a f) = %o ]", after), 0);
	SAME(mode_of("f"), S_IFREG | after);
	return 0;
}

static int bits_write(void)
{
	return bits(USER, write_f, 06755, 0755);
}

static int bits_write_of_other(void)
{
	return bits(OTHER, write_f, 06777, 0777);
}

static int bits_truncate(void)
{
	return bits(USER, truncate_f, 06755, 0755);
}

static int bits_ftruncate(void)
{
	return bits(USER, ftruncate_f, 06755, 0755);
}

static int bits_open_truncate(void)
{
	return bits(USER, open_truncate_f, 06755, 0755);
}

static int bits_chown(void)
{
	return bits(USER, chown_f, 06755, 0755);
}

static int bits_chown_by_root(void)
{
	return bits(0, chown_f, 06755, 0755);
}

/* Without leave to execute for the group, set-group-id means no set-group-id. */
static int bits_chown_locking(void)
{
	return bits(0, chown_f, 02644, 02644);
}

static int bits_write_by_root(void)
{
	return bits(0, write_f, 06755, 06755);
}

static int chmod_as_user(void)
{
	CHECK(chmod("f", 06755) == 0);
	return 0;
}

/* Not of the file's group: set-group-id is not theirs to give. */
static int chmod_of_foreign_group(void)
{
	TRY(of_user("f", 0755));
	CHECK(chown("f", USER, GROUP) == 0);
	TRY(as_user(USER, chmod_as_user));
	SAME(mode_of("f"), S_IFREG | 04755);
	return 0;
}

static int chmod_all(void)
{
	TRY(make("f", "", 0644));
	CHECK(mkdir("d", 0755) == 0);
	for (unsigned int mode = 0; mode < 010000; mode = mode * 3 + 1) {
		CHECK(chmod("f", mode) == 0 && chmod("d", mode) == 0);
		SAME(mode_of("f"), S_IFREG | mode);
		SAME(mode_of("d"), S_IFDIR | mode);
	}
	return 0;
}

static int times(void)
{
	const struct timespec set[2] = { { 1000000001, 123456789 }, { 2000000002, 987654321 } };
	const struct timespec some[2] = { { 0, UTIME_OMIT }, { 3000000000, 5 } };
	const struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };
	struct stat st;

	TRY(make("f", "", 0644));
	CHECK(utimensat(AT_FDCWD, "f", set, 0) == 0 && stat("f", &st) == 0);
	SAME(st.st_atim.tv_sec, 1000000001);
	SAME(st.st_mtim.tv_sec, 2000000002);
	/* Linux's 9P client cuts the times that it sets to whole seconds. */
	if (where == ON_DISK) {
		SAME(st.st_atim.tv_nsec, 123456789);
		SAME(st.st_mtim.tv_nsec, 987654321);
	}
	CHECK(utimensat(AT_FDCWD, "f", some, 0) == 0 && stat("f", &st) == 0);
	SAME(st.st_atim.tv_sec, 1000000001);
	SAME(st.st_mtim.tv_sec, 3000000000);
	CHECK(utimensat(AT_FDCWD, "f", now, 0) == 0 && stat("f", &st) == 0);
	CHECK(st.st_atim.tv_sec > 1000000001);
	SAME(st.st_mtim.tv_sec, 3000000000);
	return 0;
}

const struct fs_case mode_cases[] = {
	{ "umask", umask_holds, 0 },
	{ "what a user makes is the user's", owner, 0 },
	{ "a sticky folder", sticky, 0 },
	{ "a set-group-id folder gives its group", set_gid_folder, 0 },
	{ "a set-group-id folder gives its group to what a user makes", set_gid_folder_of_user, 0 },
	{ "set-id bits go when a user writes", bits_write, 0 },
	/* With cache=loose the client itself wants to clear them, as a user who may not: EPERM. */
	{ "set-id bits go when another user writes", bits_write_of_other, ON_FRESH },
	{ "set-id bits go when a user truncates", bits_truncate, 0 },
	{ "set-id bits go when a user ftruncates", bits_ftruncate, 0 },
	{ "set-id bits go when a user opens with O_TRUNC", bits_open_truncate, 0 },
	{ "set-id bits go when a user chowns", bits_chown, 0 },
	{ "set-id bits go when root chowns", bits_chown_by_root, 0 },
	{ "set-group-id stays at chown without leave to execute", bits_chown_locking, 0 },
	{ "set-id bits stay when root writes", bits_write_by_root, 0 },
	{ "set-group-id is refused to who is not of the group", chmod_of_foreign_group, 0 },
	{ "chmod of each kind of bits", chmod_all, 0 },
	{ "utimensat: beyond 2038, now, and omitted", times, 0 },
	{ 0 },
};
