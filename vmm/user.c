// SPDX-License-Identifier: MIT
#include "vmm/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/people.h"

/* Where names are looked up. */
struct names {
	const char *root; /* NULL: busybox's */
	struct people people;
	struct why *why;
};

static int no_memory(struct why *why)
{
	return why_fail(why, -ENOMEM, "there is no memory left to find the guest's user");
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
	bool number = people_number(text, &ids->uid);
	const struct passwd *entry = people_user(&names->people, text, 0);

	if (!names->root && (!strcmp(text, "root") || (number && !ids->uid))) {
		ids->uid = ids->gid = 0;
		return set_user(user, "root", "/root", "/bin/sh", names->why);
	}
	if (!entry && number)
		entry = people_user(&names->people, NULL, ids->uid);
	if (!entry && !number)
		return unknown(names, "user", text, "etc/passwd", names->people.passwd_err);
	if (!entry) {
		ids->gid = ids->uid;
		return set_user(user, NULL, NULL, NULL, names->why);
	}
	ids->uid = entry->pw_uid;
	ids->gid = entry->pw_gid;
	return set_user(user, entry->pw_name, entry->pw_dir, entry->pw_shell, names->why);
}

static int find_group(uint32_t *gid, const char *text, const struct names *names)
{
	const struct group *entry = people_group(&names->people, text, 0);

	if (!names->root && !strcmp(text, "root"))
		*gid = 0;
	else if (entry)
		*gid = entry->gr_gid;
	else if (!people_number(text, gid))
		return unknown(names, "group", text, "etc/group", names->people.group_err);
	return 0;
}

static int add_groups(struct user *user, const struct names *names)
{
	uint32_t *groups;
	size_t n;
	int err = people_groups(&names->people, user->name, user->ids.gid, &groups, &n);

	if (err) {
		err = no_memory(names->why);
	} else if (n > GUEST_MAX_GROUPS) {
		err = why_fail(names->why, -EINVAL,
			       "--user: %s is in more than %d groups: give its number", user->name,
			       GUEST_MAX_GROUPS);
	} else {
		memcpy(user->group, groups, n * sizeof(*groups));
		user->ids.ngroups = n;
	}
	free(groups);
	return err;
}

int user_find(struct user *user, const char *text, const char *root, struct why *why)
{
	struct names names = { .root = root, .why = why };
	char *name = strdup(text), *group;
	int ret;

	if (!name)
		return no_memory(why);
	people_open(&names.people, root);
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
	people_close(&names.people);
	free(name);
	return ret;
}

static bool has_group(const struct user *user, gid_t gid)
{
	for (size_t i = 0; i < user->ids.ngroups; i++)
		if (user->group[i] == gid)
			return true;
	return false;
}

void user_join(struct user *user, const gid_t *groups, int n, gid_t but)
{
	size_t *total = &user->ids.ngroups;

	for (int i = 0; i < n && *total < GUEST_MAX_GROUPS; i++)
		if (groups[i] && groups[i] != but && !has_group(user, groups[i]))
			user->group[(*total)++] = groups[i];
}

void user_free(struct user *user)
{
	free(user->name);
	free(user->home);
	free(user->shell);
}
