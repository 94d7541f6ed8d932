// SPDX-License-Identifier: MIT
#include "vmm/user.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where names are looked up. */
struct names {
	const char *root; /* NULL: busybox's */
	struct why *why;
};

static int no_memory(struct why *why)
{
	return why_fail(why, -ENOMEM, "there is no memory left to find the guest's user");
}

static bool is_number(const char *text, uint32_t *id)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	/* The last one means "no change" to chown(2) and its kin. */
	if (!isdigit((unsigned char)*text) || *end || n >= UINT32_MAX)
		return false;
	*id = (uint32_t)n;
	return true;
}

/*
 * A file of the root as those in it see it: links stay within. What is none, such as a FIFO, must not
 * be waited for. NULL with errno.
 */
static FILE *open_file(const char *root, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT,
	};
	int dir = root ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	FILE *file = NULL;
	struct stat st;
	int fd;

	if (dir < 0)
		return NULL;
	fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	close(dir);
	if (fd < 0)
		return NULL;
	errno = EINVAL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		file = fdopen(fd, "r");
	if (!file)
		close(fd);
	return file;
}

/* A name that is not in the file; err: why that could not be read, else 0. */
static int unknown(const struct names *names, const char *what, const char *name, const char *path,
		   int err)
{
	const char *root = names->root && strcmp(names->root, "/") ? names->root : "";

	if (!names->root)
		return why_fail(names->why, -EINVAL,
				"--user: a busybox root knows no %s '%s', only root: give a number, "
				"such as 1000",
				what, name);
	if (err)
		return why_fail(names->why, -EINVAL,
				"--user: %s/%s, which would know the %s '%s', cannot be read: %s: give "
				"a number",
				root, path, what, name,
				err == EINVAL ? "it is no file" : strerror(err));
	return why_fail(names->why, -EINVAL,
			"--user: there is no %s '%s' in %s/%s: give one that is, or a number", what,
			name, root, path);
}

static int set_user(struct user *user, const char *name, const char *home, const char *shell,
		    struct why *why)
{
	free(user->name);
	free(user->home);
	free(user->shell);
	user->name = name ? strdup(name) : NULL;
	user->home = strdup(home && *home ? home : "/");
	user->shell = strdup(shell && *shell ? shell : "/bin/sh");
	return (name && !user->name) || !user->home || !user->shell ? no_memory(why) : 0;
}

/* A name comes before a number, as with chown(1). */
static int find_user(struct user *user, const char *text, const struct names *names)
{
	struct guest_user *ids = &user->ids;
	bool number = is_number(text, &ids->uid), named = false, found = false;
	FILE *file = open_file(names->root, "etc/passwd");
	int err = file ? 0 : errno, ret;
	struct passwd *entry;

	if (!names->root && (!strcmp(text, "root") || (number && !ids->uid))) {
		ids->uid = ids->gid = 0;
		return set_user(user, "root", "/root", "/bin/sh", names->why);
	}
	ids->gid = ids->uid;
	ret = set_user(user, NULL, NULL, NULL, names->why);
	while (!ret && !named && file && (entry = fgetpwent(file))) {
		named = !strcmp(entry->pw_name, text);
		if (!named && (found || !number || entry->pw_uid != ids->uid))
			continue;
		found = true;
		ids->uid = entry->pw_uid;
		ids->gid = entry->pw_gid;
		ret = set_user(user, entry->pw_name, entry->pw_dir, entry->pw_shell, names->why);
	}
	if (file)
		fclose(file);
	if (!ret && !found && !number)
		ret = unknown(names, "user", text, "etc/passwd", err);
	return ret;
}

static int find_group(uint32_t *gid, const char *text, const struct names *names)
{
	bool number = is_number(text, gid), found = false;
	FILE *file = open_file(names->root, "etc/group");
	int err = file ? 0 : errno;
	struct group *entry;

	if (!names->root && !strcmp(text, "root")) {
		*gid = 0;
		return 0;
	}
	while (!found && file && (entry = fgetgrent(file)))
		if (!strcmp(entry->gr_name, text)) {
			*gid = entry->gr_gid;
			found = true;
		}
	if (file)
		fclose(file);
	return found || number ? 0 : unknown(names, "group", text, "etc/group", err);
}

static bool lists(char *const *member, const char *name)
{
	for (; *member; member++)
		if (!strcmp(*member, name))
			return true;
	return false;
}

static int add_group(struct user *user, uint32_t gid, struct why *why)
{
	for (size_t i = 0; i < user->ids.ngroups; i++)
		if (user->group[i] == gid)
			return 0;
	if (user->ids.ngroups == GUEST_MAX_GROUPS)
		return why_fail(why, -EINVAL, "--user: %s is in more than %d groups: give its number",
				user->name, GUEST_MAX_GROUPS);
	user->group[user->ids.ngroups++] = gid;
	return 0;
}

static int add_groups(struct user *user, const struct names *names)
{
	FILE *file = user->name ? open_file(names->root, "etc/group") : NULL;
	struct group *entry;
	int ret = add_group(user, user->ids.gid, names->why);

	while (!ret && file && (entry = fgetgrent(file)))
		if (lists(entry->gr_mem, user->name))
			ret = add_group(user, entry->gr_gid, names->why);
	if (file)
		fclose(file);
	return ret;
}

int user_find(struct user *user, const char *text, const char *root, struct why *why)
{
	const struct names names = { .root = root, .why = why };
	char *name = strdup(text), *group;
	int ret;

	if (!name)
		return no_memory(why);
	user->ids.group = user->group;
	group = strchr(name, ':');
	if (group)
		*group++ = '\0';
	if (!*name || (group && !*group))
		ret = why_fail(why, -EINVAL, "--user: '%s' is not USER or USER:GROUP", text);
	else
		ret = find_user(user, name, &names);
	if (!ret && group)
		ret = find_group(&user->ids.gid, group, &names);
	if (!ret)
		ret = add_groups(user, &names);
	free(name);
	return ret;
}

void user_join(struct user *user, const gid_t *groups, int n, gid_t but)
{
	struct why full;

	for (int i = 0; i < n; i++)
		if (groups[i] && groups[i] != but && add_group(user, groups[i], &full))
			return;
}

void user_free(struct user *user)
{
	free(user->name);
	free(user->home);
	free(user->shell);
}
