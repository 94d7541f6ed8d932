/* SPDX-License-Identifier: MIT */
/* As whom files are reached: ids, groups and capabilities, and the names of ids. */
#ifndef VMM_DOCTOR_PERSON_H
#define VMM_DOCTOR_PERSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/why.h"
#include "vmm/people.h"

struct person {
	char *name; /* malloc'd; the uid's digits if it has no name */
	uint32_t uid, gid;
	uint32_t *groups; /* malloc'd; gid need not be among them */
	size_t ngroups;
	uint64_t caps; /* effective: bit n is capability n of capabilities(7) */
	bool self;     /* whoever runs this */
};

/* Writes the name, or the digits if there is none, into buf. */
void people_user_name(const struct people *people, uint32_t uid, char *buf, size_t size);
void people_group_name(const struct people *people, uint32_t gid, char *buf, size_t size);

/* Whoever runs this. -ENOMEM with a sentence. person_free() is right after each of these three. */
int person_self(struct person *person, const struct people *people, struct why *why);
/*
 * USER or USER:GROUP, names or numbers. Root has every capability, others none. -EINVAL, -ENOMEM.
 */
int person_find(struct person *person, const struct people *people, const char *text,
		struct why *why);
/* By numbers; the groups are those that /etc/group gives the user. */
int person_by_id(struct person *person, const struct people *people, uint32_t uid, uint32_t gid,
		 struct why *why);
void person_free(struct person *person);

bool person_in_group(const struct person *person, uint32_t gid);
bool person_can(const struct person *person, unsigned int cap);
/* Whether it may give files to others and act as them, as p9_privileged() says of this process. */
bool person_privileged(const struct person *person);

#endif
