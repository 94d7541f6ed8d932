/* SPDX-License-Identifier: MIT */
/* What ninepin itself needs of the host: KVM, io_uring, a kernel with its modules. */
#ifndef VMM_DOCTOR_HOST_H
#define VMM_DOCTOR_HOST_H

#include "vmm/doctor/facts.h"
#include "vmm/doctor/report.h"

/* Adds a subject for each. -ENOMEM. */
int host_check(struct report *report, const struct facts_source *source,
	       const struct person *person);

#endif
