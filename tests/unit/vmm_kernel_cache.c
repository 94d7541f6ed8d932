// SPDX-License-Identifier: MIT
/* Unpacked kernels: kept, found again, noticed when damaged, few, and never in the way. */
#include "vmm/kernel_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gzip.h"
#include "kselftest_harness.h"

FIXTURE(cache)
{
	char base[64];
	char dir[128];
	struct why why;
};

FIXTURE_SETUP(cache)
{
	strcpy(self->base, "/tmp/vmm_kernel_cache.XXXXXX");
	if (!mkdtemp(self->base))
		abort();
	snprintf(self->dir, sizeof(self->dir), "%s/ninepin/kernels", self->base);
	setenv("XDG_CACHE_HOME", self->base, 1);
	setenv("HOME", "/nowhere", 1);
}

FIXTURE_TEARDOWN(cache)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -r %s", self->base);
	if (system(command))
		abort();
}

/* The descriptor that a kernel with this text in it gives, checked to have that; 0 where it was made up, -1 if it
 * is not what it should be. */
static int get(FIXTURE_DATA(cache) * self, const char *text)
{
	uint8_t packed[256];
	char elf[64], got[64];
	struct kernel kernel = { .path = "vmlinux.gz", .format = KERNEL_PACKED, .data = packed };
	int n = snprintf(elf, sizeof(elf), "\177ELF %s", text), fd;

	kernel.size = gzip(packed, sizeof(packed), elf, n);
	fd = kernel_cache_open(&kernel, &self->why);
	if (fd < 0)
		return fd;
	if (pread(fd, got, n, 0) != n || memcmp(got, elf, n)) {
		close(fd);
		return -1;
	}
	return fd;
}

static ino_t get_inode(FIXTURE_DATA(cache) * self, const char *text)
{
	struct stat st = { 0 };
	int fd = get(self, text);

	if (fd >= 0) {
		fstat(fd, &st);
		close(fd);
	}
	return st.st_ino;
}

/* How many files are kept; *name is that of one, as a path. */
static int count(FIXTURE_DATA(cache) * self, char name[512])
{
	DIR *dir = opendir(self->dir);
	struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir))) {
		if (!strstr(entry->d_name, ".elf"))
			continue;
		n++;
		if (name)
			snprintf(name, 512, "%s/%s", self->dir, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return n;
}

static mode_t mode_of(const char *path)
{
	struct stat st = { 0 };

	stat(path, &st);
	return st.st_mode & 07777;
}

TEST_F(cache, keeps_what_it_unpacked)
{
	char path[512];
	ino_t first = get_inode(self, "one");

	ASSERT_NE(first, 0);
	EXPECT_EQ(get_inode(self, "one"), first);
	ASSERT_EQ(count(self, path), 1);
	EXPECT_EQ(mode_of(path), 0600);
	EXPECT_EQ(mode_of(self->dir), 0700);
	EXPECT_NE(get_inode(self, "two"), first);
	EXPECT_EQ(count(self, NULL), 2);
}

/* The name is no plain hash of the content: whoever chooses a kernel cannot choose its name. */
TEST_F(cache, has_a_secret_of_its_own)
{
	char first[512], second[512], secret[256];

	ASSERT_NE(get_inode(self, "one"), 0);
	ASSERT_EQ(count(self, first), 1);
	unlink(first);
	snprintf(secret, sizeof(secret), "%s/secret", self->dir);
	EXPECT_EQ(mode_of(secret), 0600);
	ASSERT_EQ(unlink(secret), 0);
	ASSERT_NE(get_inode(self, "one"), 0);
	ASSERT_EQ(count(self, second), 1);
	EXPECT_STRNE(first, second);
}

TEST_F(cache, damage_is_noticed)
{
	char path[512];
	struct stat st;

	ASSERT_NE(get_inode(self, "one"), 0);
	ASSERT_EQ(count(self, path), 1);
	ASSERT_EQ(stat(path, &st), 0);
	/* Each byte, of the kernel and of what is behind it. */
	for (off_t at = 0; at < st.st_size; at++) {
		int fd = open(path, O_RDWR), again;
		struct stat now;
		uint8_t byte;

		ASSERT_GE(fd, 0);
		fstat(fd, &st);
		ASSERT_EQ(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		ASSERT_EQ(pwrite(fd, &byte, 1, at), 1);
		again = get(self, "one");
		ASSERT_GE(again, 0);
		fstat(again, &now);
		EXPECT_NE(now.st_ino, st.st_ino);
		close(again);
		close(fd);
	}
	for (off_t size = 0; size < st.st_size; size++) {
		int fd;

		ASSERT_EQ(truncate(path, size), 0);
		fd = get(self, "one");
		ASSERT_GE(fd, 0);
		close(fd);
	}
	EXPECT_EQ(count(self, NULL), 1);
}

static void set_age(const char *path, time_t seconds)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = time(NULL) - seconds } };

	if (utimensat(AT_FDCWD, path, times, 0))
		abort();
}

TEST_F(cache, the_longest_unused_goes)
{
	char path[2][512], text[16], litter[256], fresh[256];
	ino_t used;

	used = get_inode(self, "used");
	ASSERT_EQ(count(self, path[0]), 1);
	set_age(path[0], 500);
	for (int i = 1; i < KERNEL_CACHE_MAX; i++) {
		snprintf(text, sizeof(text), "%d", i);
		ASSERT_NE(get_inode(self, text), 0);
	}
	EXPECT_EQ(count(self, NULL), KERNEL_CACHE_MAX);
	/* Being found is being used. */
	EXPECT_EQ(get_inode(self, "used"), used);
	snprintf(litter, sizeof(litter), "%s/new.0123456789abcdef", self->dir);
	snprintf(fresh, sizeof(fresh), "%s/new.0123456789abcdee", self->dir);
	close(creat(litter, 0600));
	close(creat(fresh, 0600));
	set_age(litter, 4000);
	ASSERT_NE(get_inode(self, "one more"), 0);
	EXPECT_EQ(count(self, NULL), KERNEL_CACHE_MAX);
	EXPECT_EQ(get_inode(self, "used"), used);
	/* What nobody finished, but not what somebody may be at. */
	EXPECT_NE(access(litter, F_OK), 0);
	EXPECT_EQ(access(fresh, F_OK), 0);
	unlink(fresh);
}

/* No home, none that may be written to, somebody else's: all is well, and nothing is kept. */
TEST_F(cache, is_not_needed)
{
	char command[256], path[512];
	int fd;

	unsetenv("XDG_CACHE_HOME");
	fd = get(self, "one");
	EXPECT_GE(fd, 0);
	close(fd);
	unsetenv("HOME");
	fd = get(self, "one");
	EXPECT_GE(fd, 0);
	close(fd);
	setenv("XDG_CACHE_HOME", "relative", 1);
	fd = get(self, "one");
	EXPECT_GE(fd, 0);
	close(fd);
	EXPECT_NE(access("relative", F_OK), 0);

	setenv("XDG_CACHE_HOME", self->base, 1);
	snprintf(command, sizeof(command), "mkdir -p -m 777 %s", self->dir);
	ASSERT_EQ(system(command), 0);
	ASSERT_EQ(chmod(self->dir, 0777), 0);
	fd = get(self, "one");
	EXPECT_GE(fd, 0);
	close(fd);
	EXPECT_EQ(count(self, NULL), 0);
	ASSERT_EQ(rmdir(self->dir), 0);
	/* A file where the folder should be. */
	close(creat(self->dir, 0600));
	fd = get(self, "one");
	EXPECT_GE(fd, 0);
	close(fd);
	ASSERT_EQ(unlink(self->dir), 0);

	/* A link by the name of a kernel is not followed. */
	ASSERT_NE(get_inode(self, "one"), 0);
	ASSERT_EQ(count(self, path), 1);
	ASSERT_EQ(rename(path, "/tmp/vmm_kernel_cache.moved"), 0);
	ASSERT_EQ(symlink("/tmp/vmm_kernel_cache.moved", path), 0);
	fd = get(self, "one");
	EXPECT_GE(fd, 0);
	close(fd);
	unlink("/tmp/vmm_kernel_cache.moved");
}

TEST_F(cache, what_cannot_be_unpacked_is_told)
{
	uint8_t packed[256];
	struct kernel kernel = { .path = "vmlinux.gz", .format = KERNEL_PACKED, .data = packed };

	kernel.size = gzip(packed, sizeof(packed), "\177ELF and so on", 14) - 9;
	EXPECT_EQ(kernel_cache_open(&kernel, &self->why), -EBADMSG);
	EXPECT_NE(strstr(self->why.text, "vmlinux.gz"), NULL);
	EXPECT_EQ(count(self, NULL), 0);
}

TEST_HARNESS_MAIN
