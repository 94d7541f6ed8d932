/* SPDX-License-Identifier: MIT */
/* Shares of somebody else's: what QEMU would be refused. */
#ifndef VMM_DOCTOR_QEMU_H
#define VMM_DOCTOR_QEMU_H

#include "vmm/doctor/doctor.h"
#include "vmm/foreign/foreign.h"

/*
 * As whom QEMU runs: as libvirt's qemu.conf at conf says, else libvirt-qemu or qemu if there are
 * such users, else whoever runs this. -EINVAL, -ENOMEM. person_free() is right after either.
 */
int qemu_person(struct person *person, const struct people *people, const char *conf,
		struct why *why);
/* What the configuration itself refuses, for a QEMU that runs as person. */
void qemu_judge(const struct foreign *f, const struct foreign_share *share,
		const struct person *person, struct findings *findings);
/* Adds a subject for each share: its configuration, and the way to its folder. -ENOMEM. */
int doctor_foreign(struct doctor *doctor, const struct foreign *f, const struct person *person);

#endif
