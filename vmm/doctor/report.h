/* SPDX-License-Identifier: MIT */
/* What the doctor has looked at, subject by subject, printed for people or as JSON. */
#ifndef VMM_DOCTOR_REPORT_H
#define VMM_DOCTOR_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "vmm/doctor/findings.h"
#include "vmm/doctor/person.h"

/* One thing that was looked at. Strings are malloc'd but kind and model. */
struct subject {
	const char *kind; /* "kvm", "io_uring", "kernel", "share", "path" or "qemu" */
	char *name;
	char *about; /* more of it, for people; NULL: nothing */
	char *good;  /* what there is to say of it if nothing refuses; NULL: nothing */
	const char *model; /* of a share; else NULL */
	bool ro;
	char *user; /* as whom; NULL if it does not matter */
	uint32_t uid, gid;
	struct findings findings;
};

/* Zeroed, it is empty. */
struct report {
	struct subject **subject;
	size_t n;
};

/* A new subject at the end, or NULL without memory. fmt is its name. */
struct subject *report_add(struct report *report, const char *kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Sets one of a subject's strings. Returns false without memory. */
bool subject_say(char **to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void subject_person(struct subject *subject, const struct person *person);

/* Of all subjects. */
size_t report_refusing(const struct report *report);
/* Some finding is missing, for there was no memory. */
bool report_incomplete(const struct report *report);
/* What refuses first; colours if to is a terminal. */
void report_print(const struct report *report, FILE *to);
/* 0 or -ENOMEM. Of either, whether it could be written is told by the stream. */
int report_print_json(const struct report *report, FILE *to);
void report_free(struct report *report);

#endif
