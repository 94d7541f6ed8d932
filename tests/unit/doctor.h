/* SPDX-License-Identifier: MIT */
/* Facts that are made up, for the doctor to judge. */
#ifndef TESTS_DOCTOR_H
#define TESTS_DOCTOR_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "vmm/doctor/judge.h"

#define ALICE 1000

/* /srv/data, of root, and alice who is in group 50. */
FIXTURE(judge)
{
	struct place place[3];
	struct mount_fact mount[2];
	struct facts facts;
	uint32_t groups[2];
	struct person alice, root;
	struct question q;
	struct findings found;
};

static inline void set_place(struct place *place, char *path, mode_t mode)
{
	*place = (struct place){
		.path = path,
		.mode = mode,
		.owner = "root",
		.group = "root",
		.acls = PLACE_YES,
		.mount = 7,
		.user_xattrs = PLACE_YES,
	};
}

FIXTURE_SETUP(judge)
{
	memset(self, 0, sizeof(*self));
	set_place(&self->place[0], "/", S_IFDIR | 0755);
	set_place(&self->place[1], "/srv", S_IFDIR | 0755);
	set_place(&self->place[2], "/srv/data", S_IFDIR | 0777);
	self->mount[0] = (struct mount_fact){ .id = 3, .point = "/proc", .type = "proc" };
	self->mount[1] = (struct mount_fact){ .id = 7, .point = "/srv", .type = "ext4" };
	self->facts = (struct facts){
		.place = self->place,
		.n = 3,
		.mount = self->mount,
		.nmounts = 2,
	};
	self->groups[0] = 50;
	self->alice = (struct person){
		.name = "alice",
		.uid = ALICE,
		.gid = ALICE,
		.groups = self->groups,
		.ngroups = 1,
	};
	self->root = (struct person){ .name = "root", .caps = ~0ull };
	self->q = (struct question){
		.facts = &self->facts,
		.person = &self->alice,
		.who = "alice",
		.wants = WANT_READ | WANT_WRITE,
	};
}

FIXTURE_TEARDOWN(judge)
{
	findings_free(&self->found);
}

/* The only finding, which is of this kind; NULL: there are others, or none. */
static inline struct finding *only(struct findings *found, const char *kind)
{
	if (found->n != 1 || strcmp(found->finding[0].kind, kind)) {
		for (size_t i = 0; i < found->n; i++)
			fprintf(stderr, "found %s: %s\n", found->finding[i].kind,
				found->finding[i].what);
		return NULL;
	}
	return &found->finding[0];
}

static inline const char *mend(const struct finding *finding, size_t i)
{
	return i < finding->nmends ? finding->mend[i].text : "(none)";
}

#endif
