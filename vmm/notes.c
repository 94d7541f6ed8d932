// SPDX-License-Identifier: MIT
#include "vmm/notes.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool has_line(const struct notes *notes, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = notes->text; at && *at; at = strchr(at, '\n') + 1)
		if (!strncmp(at, line, len) && at[len] == '\n')
			return true;
	return false;
}

void notes_add(struct notes *notes, const char *fmt, ...)
{
	char *line, *grown;
	size_t old;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	old = notes->text ? strlen(notes->text) : 0;
	grown = has_line(notes, line) ? NULL : realloc(notes->text, old + (size_t)n + 2);
	if (grown) {
		memcpy(grown + old, line, (size_t)n);
		memcpy(grown + old + n, "\n", 2);
		notes->text = grown;
	}
	free(line);
}

void notes_print(const struct notes *notes, FILE *to)
{
	for (const char *at = notes->text, *end; at && *at; at = end + 1) {
		end = strchr(at, '\n');
		fprintf(to, "ninepin: %.*s\n", (int)(end - at), at);
	}
}

void notes_free(struct notes *notes)
{
	free(notes->text);
	notes->text = NULL;
}
