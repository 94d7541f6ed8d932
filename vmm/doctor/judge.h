/* SPDX-License-Identifier: MIT */
/* From facts to findings. Nothing of the host is looked at here, but by asking security modules. */
#ifndef VMM_DOCTOR_JUDGE_H
#define VMM_DOCTOR_JUDGE_H

#include "vmm/doctor/apparmor.h"
#include "vmm/doctor/facts.h"
#include "vmm/doctor/findings.h"
#include "vmm/doctor/person.h"
#include "vmm/doctor/selinux.h"

/* What is wanted of the last place. */
#define WANT_READ   1u
#define WANT_WRITE  2u /* of a folder: to create in it */
#define WANT_XATTRS 4u /* to keep owners in user.* attributes */
#define WANT_SHARE  8u /* it is to be shared: a folder, and not one that is yet to be created */

struct question {
	const struct facts *facts;
	size_t from; /* the first of its places that counts */
	const struct person *person;
	const char *who; /* how to speak of that person: "alice", "QEMU as libvirt-qemu" */
	unsigned int wants;
	const struct selinux *selinux; /* NULL: no matter */
	const char *context;	       /* the person's, for SELinux; NULL: not known */
	const struct apparmor *apparmor; /* NULL: no matter to that person */
	uint32_t mender; /* uid of whoever reads the findings: others' files take sudo to mend */
};

void judge(const struct question *q, struct findings *findings);

#endif
