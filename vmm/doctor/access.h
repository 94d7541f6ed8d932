/* SPDX-License-Identifier: MIT */
/* Whether a file's mode and ACL let a person do something, as the kernel decides it (acl(5)). */
#ifndef VMM_DOCTOR_ACCESS_H
#define VMM_DOCTOR_ACCESS_H

#include "vmm/doctor/facts.h"
#include "vmm/doctor/person.h"

#define ACCESS_READ  4u
#define ACCESS_WRITE 2u
#define ACCESS_EXEC  1u /* of a folder: to pass it */

/* What decided. */
enum access_by {
	ACCESS_BY_OWNER,
	ACCESS_BY_ACL_USER, /* an entry for the user */
	ACCESS_BY_GROUP,    /* the file's group */
	ACCESS_BY_ACL_GROUP,
	ACCESS_BY_OTHER,
	ACCESS_BY_CAPABILITY,
};

struct access {
	bool allowed;
	enum access_by by;
	uint32_t id;	     /* the group that decided, of the two group kinds */
	unsigned int perm;   /* what the entry or the mode gives */
	bool masked;	     /* it would be enough, were it not for the ACL's mask */
	unsigned int mask;
};

/* want: ACCESS_* ored. */
struct access access_check(const struct place *place, const struct person *person,
			   unsigned int want);

#endif
