/* SPDX-License-Identifier: MIT */
/* One run of `ninepin doctor`: what is asked, and what is found. */
#ifndef VMM_DOCTOR_DOCTOR_H
#define VMM_DOCTOR_DOCTOR_H

#include "vmm/doctor/facts.h"
#include "vmm/doctor/judge.h"
#include "vmm/doctor/report.h"
#include "vmm/doctor/selinux.h"
#include "vmm/share.h"

struct doctor {
	struct facts_source source;
	struct person person; /* as whom */
	struct selinux selinux;
	char *context;	  /* the person's, for SELinux; NULL: not known */
	struct apparmor apparmor; /* this process's */
	const char *path; /* that has to be reached; NULL: the shares themselves */
	bool path_seen;	  /* it was in a share */
	bool one_share;	  /* there is no other */
	struct report report;
};

/*
 * A share of ninepin's, to be started by the person. notes are what reading its options said.
 * -EINVAL with a sentence: the options contradict each other. Without one, -ENOMEM, or as stat(2)
 * of the root of all paths.
 */
int doctor_share(struct doctor *doctor, struct share_options *share, const struct notes *notes,
		 struct why *why);
/* The path alone. Errors are as those without a sentence, above. */
int doctor_path(struct doctor *doctor);
/*
 * Gathers facts of doctor->path in the share whose folder is at root and appears at guest (NULL:
 * not known): as a path on the host, as one in the guest, or from the folder on. 1: it is in the
 * share, or nowhere; 0: it is elsewhere; -ENOMEM.
 */
int doctor_walk(struct doctor *doctor, const char *root, const char *guest,
		const struct person *person, struct facts *facts);

#endif
