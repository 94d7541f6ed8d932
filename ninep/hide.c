// SPDX-License-Identifier: MIT
#include "ninep/hide.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ninep/node.h"

/* As the kernel has it: more links than this in a row are a ring. */
#define MAX_LINKS 40

struct p9_hide {
	struct p9_hide *next;  /* another name in the same folder */
	struct p9_hide *below; /* names in it */
	struct p9_hide *known; /* the next folder that is open */
	bool hidden;
	bool shown; /* in spite of a pattern */
	int fd;	    /* of a folder that has names below, if it was there; else -1 */
	uint64_t dev, ino;
	const char *star; /* in name: it is a pattern */
	char name[];
};

/* ---- names ---- */

static bool matches(const struct p9_hide *hide, const char *name)
{
	size_t before, after, len;

	if (!hide->star)
		return !strcmp(hide->name, name);
	before = (size_t)(hide->star - hide->name);
	after = strlen(hide->star + 1);
	len = strlen(name);
	return len >= before + after && !memcmp(name, hide->name, before) &&
	       !memcmp(name + len - after, hide->star + 1, after);
}

enum p9_hide_what p9_hide_name(const struct p9_hide *dir, const char *name)
{
	bool pattern = false, parent = false, shown = false;

	for (const struct p9_hide *hide = dir->below; hide; hide = hide->next) {
		if (!matches(hide, name))
			continue;
		if (hide->star) {
			pattern |= hide->hidden;
			continue;
		}
		if (hide->hidden)
			return P9_HIDE_IT;
		parent = true;
		shown = hide->shown;
	}
	if (pattern && !shown)
		return P9_HIDE_IT;
	return parent ? P9_HIDE_PARENT : P9_HIDE_NOT;
}

const struct p9_hide *p9_hide_below(const struct p9_hide *top, const struct p9_hide *dir,
				    const char *name, uint64_t dev, uint64_t ino)
{
	for (const struct p9_hide *hide = top; hide; hide = hide->known)
		if (hide->ino == ino && hide->dev == dev)
			return hide;
	for (const struct p9_hide *hide = dir ? dir->below : NULL; hide; hide = hide->next)
		if (hide->below && !strcmp(hide->name, name))
			return hide;
	return NULL;
}

bool p9_is_hidden(const struct p9_node *dir, const char *name)
{
	return dir->hide && p9_hide_name(dir->hide, name) == P9_HIDE_IT;
}

int p9_may_make(const struct p9_node *dir, const char *name)
{
	return p9_is_hidden(dir, name) ? -EACCES : 0;
}

int p9_may_rename(const struct p9_node *olddir, const char *oldname, const struct p9_node *newdir,
		  const char *newname)
{
	if (p9_is_hidden(olddir, oldname))
		return -ENOENT;
	if ((olddir->hide && p9_hide_name(olddir->hide, oldname)) ||
	    (newdir->hide && p9_hide_name(newdir->hide, newname)))
		return -EACCES;
	return 0;
}

/* ---- making the tree ---- */

struct maker {
	int rootfd, procfd;
	char root[PATH_MAX]; /* of the share, as the kernel calls it; "" for / */
};

static struct p9_hide *make_name(const char *name, size_t len)
{
	struct p9_hide *hide = calloc(1, sizeof(*hide) + len + 1);

	if (!hide)
		return NULL;
	memcpy(hide->name, name, len);
	hide->star = strchr(hide->name, '*');
	hide->fd = -1;
	return hide;
}

/* The place of a path below the root; "." and empty names are passed over. NULL: no memory. */
static struct p9_hide *place(struct p9_hide *at, const char *path)
{
	for (size_t len; *(path += strspn(path, "/")); path += len) {
		struct p9_hide *in = at->below;

		len = strcspn(path, "/");
		if (len == 1 && *path == '.')
			continue;
		while (in && (strncmp(in->name, path, len) || in->name[len]))
			in = in->next;
		if (!in) {
			in = make_name(path, len);
			if (!in)
				return NULL;
			in->next = at->below;
			at->below = in;
		}
		at = in;
	}
	return at;
}

/* What the kernel calls the folder behind fd, from the share's root on. -ENOENT: not in it. */
static int path_of(const struct maker *maker, int fd, char *path)
{
	size_t len = strlen(maker->root);
	char number[12], full[PATH_MAX];
	ssize_t n;

	snprintf(number, sizeof(number), "%d", fd);
	n = readlinkat(maker->procfd, number, full, sizeof(full) - 1);
	if (n < 0)
		return -errno;
	full[n] = '\0';
	if (strncmp(full, maker->root, len) || (full[len] && full[len] != '/'))
		return -ENOENT;
	stpcpy(path, full + len);
	return 0;
}

static int open_in_root(const struct maker *maker, const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, maker->rootfd, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static bool goes_up(const char *path)
{
	for (; (path = strstr(path, "..")); path += 2)
		if ((path[-1] == '/') && (!path[2] || path[2] == '/'))
			return true;
	return false;
}

/*
 * Finds where a path leads without the links in it, but for the last name: the folder that is
 * there, an open descriptor, and its path in `to`, then the names that are not there yet and the
 * last one.
 */
static int resolve(const struct maker *maker, const char *path, char *to, int *folder,
		   const char **last)
{
	char above[PATH_MAX];
	char *cut = above + strlen(path);
	int fd, err;

	stpcpy(above, path);
	do {
		while (cut > above && *cut != '/')
			cut--;
		*cut = '\0';
		fd = open_in_root(maker, above);
	} while (fd < 0 && cut > above);
	if (fd < 0)
		return fd;
	err = path_of(maker, fd, to);
	if (!err && goes_up(path + (cut - above)))
		err = -EINVAL;
	if (!err && strlen(to) + strlen(path + (cut - above)) >= PATH_MAX)
		err = -ENAMETOOLONG;
	if (err) {
		close(fd);
		return err;
	}
	stpcpy(to + strlen(to), path + (cut - above));
	*folder = fd;
	*last = strchr(path + (cut - above) + 1, '/') ? NULL : strrchr(to, '/') + 1;
	return 0;
}

/* One slash in front and none at the end, so that what is behind the last one is a name. */
static int normal(const char *path, char *to)
{
	size_t len;

	path += strspn(path, "/");
	for (len = strlen(path); len && path[len - 1] == '/'; len--)
		;
	if (!len)
		return -EINVAL;
	if (len + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	to[0] = '/';
	memcpy(to + 1, path, len);
	to[len + 1] = '\0';
	return 0;
}

/*
 * Hides (or shows) a path. The last name is a symbolic link with this target, or "": then link is
 * the path that it leads to.
 */
static int add_one(const struct maker *maker, struct p9_hide *top, const char *path, bool shown,
		   char *link)
{
	struct p9_hide *hide;
	const char *last;
	char to[PATH_MAX], target[PATH_MAX];
	ssize_t n = -1;
	int folder, err;

	err = resolve(maker, path, to, &folder, &last);
	if (err)
		return err;
	if (last)
		n = readlinkat(folder, last, target, sizeof(target) - 1);
	close(folder);
	hide = place(top, to);
	if (!hide)
		return -ENOMEM;
	if (hide == top)
		return -EINVAL;
	if (shown)
		hide->shown = true;
	else
		hide->hidden = true;
	target[n > 0 ? n : 0] = '\0';
	*strrchr(to, '/') = '\0';
	if (n <= 0 || strlen(to) + 1 + (size_t)n >= PATH_MAX)
		link[0] = '\0';
	else if (target[0] == '/')
		stpcpy(link, target);
	else
		stpcpy(stpcpy(stpcpy(link, to), "/"), target);
	return 0;
}

/* The same, and where links lead from there. */
static int add(const struct maker *maker, struct p9_hide *top, const char *given, bool shown)
{
	char path[PATH_MAX], link[PATH_MAX];
	int err = normal(given, path) ?: add_one(maker, top, path, shown, link);

	/* One that leads to nowhere, or to the root, hides no more than itself. */
	for (int links = 0; !err && links < MAX_LINKS && *link; links++)
		if (normal(link, path) || add_one(maker, top, path, shown, link))
			break;
	return err;
}

/* Opens the folders that are there; what has names below it is looked for in its own folder. */
static void open_folders(struct p9_hide *top, struct p9_hide *dir)
{
	for (struct p9_hide *in = dir->below; in; in = in->next) {
		struct stat st;

		if (!in->below)
			continue;
		if (dir->fd >= 0)
			in->fd = openat(dir->fd, in->name,
					O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (in->fd >= 0 && !fstat(in->fd, &st)) {
			in->dev = st.st_dev;
			in->ino = st.st_ino;
			in->known = top->known;
			top->known = in;
		}
		open_folders(top, in);
	}
}

/* With all the paths, and the folders that are there. */
static int fill(struct maker *maker, struct p9_hide *top, const struct p9_hidden *hidden,
		unsigned int n)
{
	struct stat st;
	int err = path_of(maker, maker->rootfd, maker->root);

	if (!strcmp(maker->root, "/"))
		maker->root[0] = '\0';
	for (unsigned int i = 0; !err && i < n; i++)
		err = add(maker, top, hidden[i].path, hidden[i].shown);
	if (err)
		return err;
	top->fd = fcntl(maker->rootfd, F_DUPFD_CLOEXEC, 0);
	if (top->fd < 0 || fstat(top->fd, &st))
		return -errno;
	top->dev = st.st_dev;
	top->ino = st.st_ino;
	open_folders(top, top);
	return 0;
}

int p9_hide_new(struct p9_hide **out, int rootfd, int procfd, const struct p9_hidden *hidden,
		unsigned int n)
{
	struct maker maker = {.rootfd = rootfd, .procfd = procfd};
	struct p9_hide *top;
	int err;

	*out = NULL;
	if (!n)
		return 0;
	top = make_name("", 0);
	if (!top)
		return -ENOMEM;
	err = fill(&maker, top, hidden, n);
	if (err)
		p9_hide_free(top);
	else
		*out = top;
	return err;
}

void p9_hide_free(struct p9_hide *top)
{
	while (top) {
		struct p9_hide *next = top->next;

		p9_hide_free(top->below);
		if (top->fd >= 0)
			close(top->fd);
		free(top);
		top = next;
	}
}
