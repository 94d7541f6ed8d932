// SPDX-License-Identifier: MIT
#include "ninep/identity.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ninep/p9.h"

/* A user of the host. */
struct user {
	char *name;
	uid_t uid;
	gid_t gid;
	int ngroups;
	gid_t *groups; /* gid among them */
	size_t line;   /* of two with the same uid, the first counts */
};

/* Set once, before there are threads. */
static struct {
	uid_t uid;
	gid_t gid;
	int ngroups;
	gid_t *groups;
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	bool known;

	struct user *users; /* by uid */
	size_t nusers;
} self;
static pthread_once_t self_once = PTHREAD_ONCE_INIT;

/* What this thread wears. `odd`: a change went wrong in the middle, so that nothing is known. */
static _Thread_local struct {
	struct p9_who who;
	bool foreign;
	bool odd;
} worn;

/* ---- the host's users ---- */

static int by_uid(const void *a, const void *b)
{
	const struct user *one = a, *two = b;

	if (one->uid == two->uid)
		return one->line < two->line ? -1 : one->line > two->line;
	return one->uid < two->uid ? -1 : 1;
}

static const struct user *find_user(uid_t uid)
{
	size_t from = 0, to = self.nusers;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (self.users[middle].uid < uid)
			from = middle + 1;
		else
			to = middle;
	}
	return from < self.nusers && self.users[from].uid == uid ? &self.users[from] : NULL;
}

/* Whoever has no place in memory has no groups. */
static void add_group(struct user *user, gid_t gid)
{
	gid_t *grown;

	for (int i = 0; i < user->ngroups; i++)
		if (user->groups[i] == gid)
			return;
	grown = realloc(user->groups, ((size_t)user->ngroups + 1) * sizeof(*grown));
	if (!grown)
		return;
	grown[user->ngroups++] = gid;
	user->groups = grown;
}

/* Straight from the files: a static program has no name service. */
static void read_users(void)
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd *pw;
	struct group *gr;

	while (file && (pw = fgetpwent(file))) {
		struct user *grown = realloc(self.users, (self.nusers + 1) * sizeof(*grown));

		if (!grown)
			break;
		self.users = grown;
		grown[self.nusers] = (struct user){
			.name = strdup(pw->pw_name),
			.uid = pw->pw_uid,
			.gid = pw->pw_gid,
			.line = self.nusers,
		};
		add_group(&grown[self.nusers++], pw->pw_gid);
	}
	if (file)
		fclose(file);
	if (self.users)
		qsort(self.users, self.nusers, sizeof(*self.users), by_uid);
	file = fopen("/etc/group", "re");
	while (file && self.users && (gr = fgetgrent(file)))
		for (char **member = gr->gr_mem; *member; member++)
			for (size_t i = 0; i < self.nusers; i++)
				if (self.users[i].name && !strcmp(self.users[i].name, *member))
					add_group(&self.users[i], gr->gr_gid);
	if (file)
		fclose(file);
}

gid_t p9_identity_group(uid_t uid)
{
	const struct user *user = find_user(uid);

	return user ? user->gid : (gid_t)uid;
}

/* ---- the process itself ---- */

static struct __user_cap_header_struct this_thread(void)
{
	return (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
}

static void self_init(void)
{
	struct __user_cap_header_struct header = this_thread();

	self.uid = geteuid();
	self.gid = getegid();
	self.ngroups = getgroups(0, NULL);
	if (self.ngroups > 0) {
		self.groups = calloc((size_t)self.ngroups, sizeof(*self.groups));
		if (!self.groups || getgroups(self.ngroups, self.groups) < 0)
			return;
	}
	self.known = self.ngroups >= 0 && !syscall(SYS_capget, &header, self.caps);
	if (!self.uid)
		read_users();
}

struct p9_who p9_identity_own(void)
{
	pthread_once(&self_once, self_init);
	return (struct p9_who){.uid = self.uid, .gid = self.gid};
}

bool p9_privileged(void)
{
	const uint32_t needed = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER |
				1u << CAP_FSETID | 1u << CAP_SETUID | 1u << CAP_SETGID;

	pthread_once(&self_once, self_init);
	/* The root of a user namespace may have lost the right to set groups. */
	return self.known && !self.uid && (self.caps[0].effective & needed) == needed &&
	       !syscall(SYS_setgroups, self.ngroups, self.groups);
}

/* ---- changing ---- */

/*
 * glibc's setgroups() would change every thread. setfs[ug]id() do not say whether they worked;
 * asked for an impossible id, they change nothing and say what is set.
 */
static bool set_ids(uid_t uid, gid_t gid, int ngroups, const gid_t *groups)
{
	if (syscall(SYS_setgroups, ngroups, groups) < 0)
		return false;
	syscall(SYS_setfsgid, gid);
	syscall(SYS_setfsuid, uid);
	return (gid_t)syscall(SYS_setfsgid, -1) == gid && (uid_t)syscall(SYS_setfsuid, -1) == uid;
}

/*
 * setfsuid(2) takes away and gives back what overrides a file's permissions, but not what else a
 * file system asks for: to set trusted attributes and file capabilities, to go beyond quotas and
 * into reserved blocks. What is left is needed to change again, or is what `over` is about.
 */
static bool set_caps(uid_t uid, bool over)
{
	const uint32_t change = 1u << CAP_SETUID | 1u << CAP_SETGID;
	const uint32_t files = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER |
			       1u << CAP_FSETID;
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_header_struct header = this_thread();

	memcpy(caps, self.caps, sizeof(caps));
	if (uid) {
		caps[0].effective &= change | (over ? files : 0);
		caps[1].effective = 0;
	}
	return !syscall(SYS_capset, &header, caps);
}

int p9_wear(struct p9_who who)
{
	const struct user *user;
	bool done;

	if (who.uid == P9_OWN) {
		if (!worn.foreign && !worn.odd)
			return 0;
		done = set_ids(self.uid, self.gid, self.ngroups, self.groups) && set_caps(self.uid, false);
		worn.foreign = false;
	} else {
		if (worn.foreign && !worn.odd && p9_who_same(worn.who, who))
			return 0;
		user = find_user(who.uid);
		done = set_ids(who.uid, who.gid, user ? user->ngroups : 0,
			       user ? user->groups : NULL) &&
		       set_caps(who.uid, who.over);
		worn.foreign = true;
		worn.who = who;
	}
	worn.odd = !done;
	return done ? 0 : -EPERM;
}

__attribute__((noinline)) void p9_wear_own(void)
{
	p9_wear((struct p9_who){.uid = P9_OWN});
}
