// SPDX-License-Identifier: MIT
#include "vmm/doctor/person.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void people_user_name(const struct people *people, uint32_t uid, char *buf, size_t size)
{
	const struct passwd *pw = people_user(people, NULL, uid);

	if (pw)
		snprintf(buf, size, "%s", pw->pw_name);
	else
		snprintf(buf, size, "%u", uid);
}

void people_group_name(const struct people *people, uint32_t gid, char *buf, size_t size)
{
	const struct group *gr = people_group(people, NULL, gid);

	if (gr)
		snprintf(buf, size, "%s", gr->gr_name);
	else
		snprintf(buf, size, "%u", gid);
}

static int no_memory(struct why *why)
{
	return why_fail(why, -ENOMEM, "there is no memory left to look at users and groups");
}

static int set_name(struct person *person, const struct people *people)
{
	char name[256];

	people_user_name(people, person->uid, name, sizeof(name));
	person->name = strdup(name);
	return person->name ? 0 : -ENOMEM;
}

/* A person whose ids are known, and the name if it is not NULL: the groups are those of a login. */
static int fill_in(struct person *person, const struct people *people, struct why *why)
{
	const struct passwd *pw;

	person->caps = person->uid ? 0 : (2ull << CAP_LAST_CAP) - 1;
	if (!person->name && set_name(person, people))
		return no_memory(why);
	pw = people_user(people, person->name, 0);
	if (people_groups(people, person->name, pw ? pw->pw_gid : person->gid, &person->groups,
			  &person->ngroups))
		return no_memory(why);
	return 0;
}

int person_by_id(struct person *person, const struct people *people, uint32_t uid, uint32_t gid,
		 struct why *why)
{
	*person = (struct person){ .uid = uid, .gid = gid };
	return fill_in(person, people, why);
}

int person_self(struct person *person, const struct people *people, struct why *why)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };
	int n = getgroups(0, NULL);

	*person = (struct person){ .uid = geteuid(), .gid = getegid(), .self = true };
	syscall(SYS_capget, &header, caps);
	person->caps = caps[0].effective | (uint64_t)caps[1].effective << 32;
	if (set_name(person, people))
		return no_memory(why);
	if (n > 0) {
		person->groups = calloc((size_t)n, sizeof(*person->groups));
		if (!person->groups)
			return no_memory(why);
		n = getgroups(n, person->groups);
		person->ngroups = n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The ids of USER[:GROUP], and the name, for several may have one uid; text is changed. */
static int find_ids(struct person *person, const struct people *people, char *text, struct why *why)
{
	char *colon = strchr(text, ':');
	const struct passwd *pw;
	const struct group *gr;

	if (colon)
		*colon++ = '\0';
	pw = people_user(people, text, 0);
	if (!pw && people_number(text, &person->uid))
		pw = people_user(people, NULL, person->uid);
	else if (!pw)
		return why_fail(why, -EINVAL,
				"--as: there is no user '%s' in /etc/passwd: give another name, or "
				"a uid",
				text);
	if (pw) {
		person->uid = pw->pw_uid;
		person->name = strdup(pw->pw_name);
		if (!person->name)
			return no_memory(why);
	}
	/* Of a number that nobody has, a group of the same number is the best guess. */
	person->gid = pw ? pw->pw_gid : person->uid;
	if (!colon)
		return 0;
	gr = people_group(people, colon, 0);
	if (gr)
		person->gid = gr->gr_gid;
	else if (!people_number(colon, &person->gid))
		return why_fail(why, -EINVAL,
				"--as: there is no group '%s' in /etc/group: give another name, or "
				"a gid",
				colon);
	return 0;
}

int person_find(struct person *person, const struct people *people, const char *text,
		struct why *why)
{
	char *copy = strdup(text);
	int err;

	memset(person, 0, sizeof(*person));
	if (!copy)
		return no_memory(why);
	err = find_ids(person, people, copy, why);
	free(copy);
	return err ? err : fill_in(person, people, why);
}

void person_free(struct person *person)
{
	free(person->name);
	free(person->groups);
}

bool person_in_group(const struct person *person, uint32_t gid)
{
	if (person->gid == gid)
		return true;
	for (size_t i = 0; i < person->ngroups; i++)
		if (person->groups[i] == gid)
			return true;
	return false;
}

bool person_can(const struct person *person, unsigned int cap)
{
	return person->caps >> cap & 1;
}

bool person_privileged(const struct person *person)
{
	static const unsigned int needed[] = { CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,
					       CAP_FSETID, CAP_SETUID,	     CAP_SETGID };

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!person_can(person, needed[i]))
			return false;
	return person->uid == 0;
}
