// SPDX-License-Identifier: MIT
#include "vmm/notes.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the UTF-8 character at text, 0: it is none. RFC 3629 §4. */
static size_t utf8_length(const unsigned char *text)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (text[0] < 0x80)
		return 1;
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		n = 2;
	else if (text[0] >= 0xe0 && text[0] <= 0xef)
		n = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (text[0] == 0xe0)
		low = 0xa0;
	if (text[0] == 0xed)
		high = 0x9f;
	if (text[0] == 0xf0)
		low = 0x90;
	if (text[0] == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < n; i++) {
		if (text[i] < low || text[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return n;
}

char *clean_text(const char *text)
{
	char *clean = malloc(strlen(text) + 1), *to = clean;

	if (!clean)
		return NULL;
	while (*text) {
		const unsigned char *at = (const unsigned char *)text;
		size_t n = utf8_length(at);
		/* Those of C1 are a terminal's, too. */
		bool control = *at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0);

		if (!n || control) {
			*to++ = '?';
			text += n ? n : 1;
		} else {
			memcpy(to, text, n);
			to += n;
			text += n;
		}
	}
	*to = '\0';
	return clean;
}

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
	char *text, *line, *grown = NULL;
	size_t old, len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	line = clean_text(text);
	free(text);
	if (!line)
		return;
	len = strlen(line);
	old = notes->text ? strlen(notes->text) : 0;
	if (!has_line(notes, line))
		grown = realloc(notes->text, old + len + 2);
	if (grown) {
		memcpy(grown + old, line, len);
		memcpy(grown + old + len, "\n", 2);
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
