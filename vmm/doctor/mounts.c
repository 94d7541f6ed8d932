// SPDX-License-Identifier: MIT
/* /proc/self/mountinfo, read (proc(5)). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/doctor/facts.h"

/* Undoes the file's \040 and the like, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *at = text; *at; at++) {
		if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
		    at[3] >= '0' && at[3] <= '7') {
			*to++ = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
			at += 3;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
}

static char *copy_field(const char *field)
{
	char *copy = strdup(field ? field : "");

	if (copy)
		unescape(copy);
	return copy;
}

/* Whether a comma-separated list has the word. */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, word, len) && (at[len] == ',' || !at[len]))
			return true;
	}
	return false;
}

/* 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue */
static int parse_line(struct mount_fact *mount, char *line)
{
	char *field[6], *rest, *dash, *tail;

	for (int i = 0; i < 6; i++) {
		field[i] = strsep(&line, " ");
		if (!line)
			return 0;
	}
	/* Optional fields, then a dash. */
	rest = line;
	dash = !strncmp(rest, "- ", 2) ? rest : strstr(rest, " - ");
	if (!dash)
		return 0;
	tail = dash + (*dash == ' ' ? 3 : 2);
	mount->id = strtoull(field[0], NULL, 10);
	mount->ro = has_word(field[5], "ro");
	mount->point = copy_field(field[4]);
	mount->type = copy_field(strsep(&tail, " "));
	mount->source = copy_field(strsep(&tail, " "));
	mount->fs_ro = tail && has_word(tail, "ro");
	return mount->point && mount->type && mount->source ? 1 : -ENOMEM;
}

int mounts_parse(struct mount_fact **mounts, size_t *n, const char *text)
{
	char *copy = strdup(text), *rest = copy, *line;
	int err = copy ? 0 : -ENOMEM;

	*mounts = NULL;
	*n = 0;
	while (!err && (line = strsep(&rest, "\n"))) {
		struct mount_fact *grown = realloc(*mounts, (*n + 1) * sizeof(*grown));
		int got;

		if (!grown) {
			err = -ENOMEM;
			break;
		}
		*mounts = grown;
		memset(&grown[*n], 0, sizeof(*grown));
		got = parse_line(&grown[*n], line);
		if (got)
			++*n;
		if (got < 0)
			err = got;
	}
	free(copy);
	return err;
}

void mounts_free(struct mount_fact *mounts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(mounts[i].point);
		free(mounts[i].type);
		free(mounts[i].source);
	}
	free(mounts);
}
