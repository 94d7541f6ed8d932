/* SPDX-License-Identifier: MIT */
/* What a user should know although it is no error: sentences, in order, each of them once. */
#ifndef VMM_NOTES_H
#define VMM_NOTES_H

#include <stdio.h>

struct notes {
	char *text; /* each sentence ends with a newline; NULL: none */
};

/*
 * Zeroed notes are empty. Without memory, or with the same sentence there already, nothing is added.
 * Names and text of others may be in it: it goes through clean_text().
 */
void notes_add(struct notes *notes, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Each on a line of its own after "ninepin: ". */
void notes_print(const struct notes *notes, FILE *to);
void notes_free(struct notes *notes);

/*
 * A copy that a terminal and JSON can take: what is no UTF-8, and control characters, become '?'.
 * malloc'd, NULL without memory.
 */
char *clean_text(const char *text);

#endif
