// SPDX-License-Identifier: MIT
#include "tests/fuzz/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* No byte that is put into a file of the share has the upper bit. */
#define SECRET "\xd3\xc5\xc3\xd9\xc5\xe3\xa0\xa1\xb2\xb3\xc4\xc5\xe6\xe7\xf8\xf9"

static struct {
	pid_t owner;
	char path[PATH_MAX], share_path[PATH_MAX], outside_path[PATH_MAX];
	int share, mount; /* folders; mount is -1 if there is none */
	int secret;
} scratch;

/* What must stay as it was: the files outside, and the share's own for a read-only session. */
struct witness {
	int fd; /* O_PATH */
	struct stat was;
};

static struct witness outside[4], inside[6];

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define try(call)                                                                                  \
	({                                                                                         \
		int result_ = (call);                                                              \
		must(result_ >= 0, "%s: %s", #call, strerror(errno));                              \
		result_;                                                                           \
	})

/* ---- witnesses ---- */

static void witness(struct witness *w, int dirfd, const char *name)
{
	w->fd = try(openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
	try(fstat(w->fd, &w->was));
}

/* Whatever changes a file, or the names in a folder, changes a time that nobody can set back. */
static bool is_changed(const struct witness *w)
{
	const struct stat *was = &w->was;
	struct stat is;

	try(fstat(w->fd, &is));
	return is.st_ctim.tv_sec != was->st_ctim.tv_sec ||
	       is.st_ctim.tv_nsec != was->st_ctim.tv_nsec ||
	       is.st_mtim.tv_sec != was->st_mtim.tv_sec ||
	       is.st_mtim.tv_nsec != was->st_mtim.tv_nsec || is.st_size != was->st_size ||
	       is.st_mode != was->st_mode || is.st_uid != was->st_uid || is.st_gid != was->st_gid ||
	       is.st_nlink != was->st_nlink;
}

static void check_outside(void)
{
	char content[sizeof(SECRET)];

	for (size_t i = 0; i < COUNT(outside); i++)
		must(!is_changed(&outside[i]), "witness %zu outside the share has changed", i);
	must(pread(scratch.secret, content, sizeof(content), 0) == sizeof(SECRET) - 1 &&
		     !memcmp(content, SECRET, sizeof(SECRET) - 1),
	     "the file outside the share has other content");
}

void scratch_check_untouched(void)
{
	for (size_t i = 0; i < COUNT(inside); i++)
		must(!is_changed(&inside[i]), "witness %zu in the read-only share has changed", i);
}

bool scratch_is_outside(uint64_t ino)
{
	for (size_t i = 0; i < COUNT(outside); i++)
		if (outside[i].was.st_ino == ino)
			return true;
	return false;
}

bool scratch_is_secret(const uint8_t *data, size_t len)
{
	return memmem(data, len, SECRET, 8);
}

/* ---- filling and emptying ---- */

static void put_file(int dirfd, const char *name, const char *content, off_t size)
{
	int fd = try(openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));

	must(write(fd, content, strlen(content)) == (ssize_t)strlen(content), "%s", name);
	try(ftruncate(fd, size));
	close(fd);
}

void scratch_fill(void)
{
	static const char *const names[] = {".", "f", "d", "d/g", "abs", "p"};
	int share = scratch.share, dir;

	/* The umask is 0: a server has been made. */
	put_file(share, "f", "Hello, share.", 20000);
	try(mkdirat(share, "d", 0777));
	put_file(share, "d/g", "g", 1);
	/* Not every file system has attributes. */
	dir = try(openat(share, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	(void)!fsetxattr(dir, "user.b", "value", 5, 0);
	close(dir);
	try(symlinkat(scratch.outside_path, share, "abs"));
	try(symlinkat("../outside", share, "rel"));
	try(symlinkat("../outside/secret", share, "file"));
	try(symlinkat("../outside/new", share, "dangling"));
	try(symlinkat("..", share, "up"));
	/* Whoever opens this would wait for ever. */
	try(mkfifoat(share, "p", 0666));
	for (size_t i = 0; i < COUNT(inside); i++)
		witness(&inside[i], share, names[i]);
}

static void empty(int dirfd)
{
	int fd = try(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	DIR *dir = fdopendir(fd);
	struct dirent *entry;

	must(dir, "fdopendir: %s", strerror(errno));
	while ((entry = readdir(dir))) {
		int below;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (!unlinkat(fd, entry->d_name, 0))
			continue;
		/* A folder, and perhaps one that its owner may not read. */
		try(fchmodat(fd, entry->d_name, 0700, 0));
		below = try(openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
		empty(below);
		close(below);
		/* But not where something is mounted. */
		if (unlinkat(fd, entry->d_name, AT_REMOVEDIR))
			must(errno == EBUSY, "%s: %s", entry->d_name, strerror(errno));
	}
	closedir(dir);
}

static void reset(int dirfd)
{
	try(fchown(dirfd, geteuid(), getegid()));
	try(fchmod(dirfd, 0777));
}

void scratch_empty(void)
{
	check_outside();
	for (size_t i = 0; i < COUNT(inside); i++)
		close(inside[i].fd);
	reset(scratch.share);
	if (scratch.mount >= 0)
		reset(scratch.mount);
	empty(scratch.share);
}

/* ---- the host's own changes ---- */

void scratch_meddle(struct input *input)
{
	static const char *const names[] = {"f", "d", "g", "a", "b", "d", "n", "m"};
	uint8_t what = input_byte(input);
	const char *a = names[input_byte(input) % COUNT(names)];
	const char *b = names[input_byte(input) % COUNT(names)];
	int sub, dirfd, other, fd;

	/* Names of one component, in a folder that is one: nothing here leads outside either. */
	sub = openat(scratch.share, what & 0x80 ? "d" : "a",
		     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dirfd = sub >= 0 && what & 0x40 ? sub : scratch.share;
	other = sub >= 0 && what & 0x20 ? sub : scratch.share;
	switch (what % 8) {
	case 0:
		renameat(dirfd, a, other, b);
		break;
	case 1:
		renameat2(dirfd, a, other, b, RENAME_EXCHANGE);
		break;
	case 2:
		unlinkat(dirfd, a, 0);
		break;
	case 3:
		unlinkat(dirfd, a, AT_REMOVEDIR);
		break;
	case 4:
		mkdirat(dirfd, a, 0777);
		break;
	case 5:
		symlinkat(scratch.outside_path, dirfd, a);
		break;
	case 6: /* a folder or file becomes a way out, between two steps of a walk */
		if (!renameat(dirfd, a, scratch.share, "moved"))
			symlinkat(scratch.outside_path, dirfd, a);
		break;
	default:
		fd = openat(dirfd, a, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
			    0666);
		if (fd >= 0) {
			struct stat st;

			if (!fstat(fd, &st) && S_ISREG(st.st_mode))
				(void)!ftruncate(fd, 10);
			close(fd);
		}
		break;
	}
	if (sub >= 0)
		close(sub);
}

/* ---- the folder itself ---- */

static void remove_all(void)
{
	char path[PATH_MAX];
	int fd;

	/* Not by a child of this process. */
	if (getpid() != scratch.owner)
		return;
	if (scratch.mount >= 0 && snprintf(path, PATH_MAX, "%s/m", scratch.share_path) < PATH_MAX)
		umount2(path, MNT_DETACH);
	fd = open(scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	empty(fd);
	close(fd);
	rmdir(scratch.path);
}

/* For this process and its threads alone; it is gone with them. -1 if this user may not. */
static int mount_another(void)
{
	char path[PATH_MAX];

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	must(snprintf(path, PATH_MAX, "%s/m", scratch.share_path) < PATH_MAX, "TMPDIR is too long");
	try(mkdir(path, 0777));
	try(mount("none", path, "tmpfs", MS_NODEV, "size=4m,mode=0777"));
	return try(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

const char *scratch_open(void)
{
	const char *tmp = getenv("TMPDIR");
	int dirfd, sub;

	must(realpath(tmp ?: "/tmp", scratch.outside_path), "TMPDIR: %s", strerror(errno));
	must(snprintf(scratch.path, sizeof(scratch.path) - 20, "%s/fuzz-XXXXXX",
		      scratch.outside_path) < PATH_MAX - 20,
	     "TMPDIR is too long");
	must(mkdtemp(scratch.path), "%s: %s", scratch.path, strerror(errno));
	scratch.owner = getpid();
	atexit(remove_all);
	snprintf(scratch.share_path, PATH_MAX, "%s/share", scratch.path);
	snprintf(scratch.outside_path, PATH_MAX, "%s/outside", scratch.path);

	dirfd = try(open(scratch.path, O_PATH | O_DIRECTORY | O_CLOEXEC));
	try(fchmodat(dirfd, ".", 0777, 0));
	try(mkdirat(dirfd, "share", 0777));
	try(mkdirat(dirfd, "outside", 0777));
	try(fchmodat(dirfd, "share", 0777, 0));
	try(fchmodat(dirfd, "outside", 0777, 0));
	sub = try(openat(dirfd, "outside", O_PATH | O_DIRECTORY | O_CLOEXEC));
	try(mkdirat(sub, "sub", 0777));
	put_file(sub, "secret", SECRET, sizeof(SECRET) - 1);
	try(fchmodat(sub, "secret", 0666, 0));
	scratch.secret = try(openat(sub, "secret", O_RDONLY | O_CLOEXEC));
	scratch.share = try(openat(dirfd, "share", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	scratch.mount = mount_another();
	/* A change in this same tick of the clock would not show. */
	usleep(50000);
	witness(&outside[0], dirfd, ".");
	witness(&outside[1], dirfd, "outside");
	witness(&outside[2], sub, "secret");
	witness(&outside[3], sub, "sub");
	close(sub);
	close(dirfd);
	return scratch.share_path;
}
