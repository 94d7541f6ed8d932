/* SPDX-License-Identifier: MIT */
/* What the doctor finds: what refuses, in which layer, and what mends it. */
#ifndef VMM_DOCTOR_FINDINGS_H
#define VMM_DOCTOR_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

enum layer {
	LAYER_PATH,
	LAYER_MODE,
	LAYER_ACL,
	LAYER_MOUNT,
	LAYER_SPACE,
	LAYER_QUOTA,
	LAYER_FLAGS,
	LAYER_FILE_SYSTEM,
	LAYER_SELINUX,
	LAYER_APPARMOR,
	LAYER_MODEL,
	LAYER_SHARE,
	LAYER_CONFIG, /* of another program */
	LAYER_KVM,
	LAYER_IO_URING,
	LAYER_KERNEL,
	LAYER_UNKNOWN, /* it was tried, and refused */
};

#define FINDING_MENDS 4

struct mend {
	char *text;   /* malloc'd */
	bool command; /* for a shell; else a sentence */
};

/* All strings are malloc'd but kind. */
struct finding {
	const char *kind; /* one word that stays the same: "search", "no-space", … */
	enum layer layer;
	bool refuses; /* else it is something to know */
	int err;      /* the errno that it shows as, positive; 0: none */
	char *place;  /* the path or the thing that it is about */
	char *what;   /* a sentence, without an end */
	struct mend mend[FINDING_MENDS]; /* least privilege first */
	size_t nmends;
};

/* In the order in which they were found. Zeroed, there are none. */
struct findings {
	struct finding *finding;
	size_t n;
	bool no_memory; /* something could not be added */
};

/*
 * Adds one and returns it, for its mends; NULL if there is no memory, or if one of that kind about
 * that place is there already.
 */
struct finding *findings_add(struct findings *findings, const char *kind, enum layer layer, int err,
			     const char *place, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* Adds one that refuses nothing, whatever else there is about that place. */
void findings_note(struct findings *findings, enum layer layer, const char *place, const char *fmt,
		   ...) __attribute__((format(printf, 4, 5)));
/* The next mend: a command, or a sentence. NULL is fine. */
void finding_command(struct finding *finding, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void finding_advice(struct finding *finding, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* It refuses nothing. */
void finding_note(struct finding *finding);
size_t findings_refusing(const struct findings *findings);
void findings_free(struct findings *findings);

/* "host mode", "ACL", … */
const char *layer_name(enum layer layer);
/*
 * The word as a shell needs it, quoted if it must be, and so that clean_text() leaves it as it is;
 * malloc'd, NULL without memory.
 */
char *shell_word(const char *word);

#endif
