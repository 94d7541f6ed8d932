/* SPDX-License-Identifier: MIT */
/*
 * What a command says of its own tests, in the kernel's Test Anything Protocol (Linux:
 * Documentation/dev-tools/ktap.rst) or TAP, as kselftest and KUnit write it. What it says is not
 * trusted: lines and their number are bounded, and what is missing counts as failed.
 */
#ifndef VMM_TEST_KTAP_H
#define VMM_TEST_KTAP_H

#include <stdbool.h>
#include <stdio.h>

#define KTAP_MAX_DEPTH 16     /* deeper subtests are taken for siblings */
#define KTAP_MAX_ITEMS 100000 /* more results than these are one failure */

enum ktap_directive {
	KTAP_NONE,
	KTAP_SKIP,
	KTAP_TODO, /* XFAIL too: a failure is known, and none */
};

/* A result. Those of its subtests come before it, one deeper. */
struct ktap_item {
	unsigned int depth;
	bool ok;
	bool parent;  /* has subtests */
	bool excused; /* within one that is TODO or SKIP */
	enum ktap_directive directive;
	char *name;   /* "" if it has none. UTF-8 without control characters, as all text here */
	char *reason; /* of the directive; "" */
	char *notes; /* of a failure: the lines before its result, with newlines between; NULL: none
		      */
};

struct ktap_level {
	unsigned int indent;
	bool announced; /* by a version line: then there must be a plan */
	bool planned;
	unsigned long plan;
	unsigned long results;
	bool skipped; /* "1..0" */
	char *name;   /* of "# Subtest: NAME"; NULL */
};

/* Zeroed, it is ready. */
struct ktap {
	struct ktap_item *item;
	size_t nitems, cap;
	char *bail; /* why it bailed out; NULL: it did not */
	/* Of tests without subtests, and of those that fail though none of their subtests does. */
	unsigned long passed, failed, skipped, todo;

	struct ktap_level level[KTAP_MAX_DEPTH];
	unsigned int nlevels; /* 0: nothing of it seen yet */
	char *notes;
	size_t notes_len;
	bool full;
};

/* One line, without its newline. 0 or -ENOMEM. */
int ktap_line(struct ktap *ktap, const char *line);
/* No more lines: what is unfinished fails; counts. 0 or -ENOMEM. */
int ktap_end(struct ktap *ktap);
/* All lines of a file, and the end. 0, -ENOMEM or -EIO. */
int ktap_read(struct ktap *ktap, FILE *from);
void ktap_free(struct ktap *ktap);

/* Whether there was any test, or the word of one. */
static inline bool ktap_seen(const struct ktap *ktap)
{
	return ktap->nitems || ktap->bail;
}

#endif
