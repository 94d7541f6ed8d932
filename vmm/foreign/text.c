// SPDX-License-Identifier: MIT
/*
 * The lines that people paste around the XML: commands with a prompt before them, lines of an fstab,
 * and prose.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/foreign/read.h"

/* ---- words ---- */

/* How many bytes at this point are an operator of the shell's. */
static size_t operator_here(const char *at, const char *end)
{
	if (!strchr("|&;<>", *at))
		return 0;
	return at + 1 < end && at[1] == *at && *at != ';' ? 2 : 1;
}

/* Copies one word without its quotes; returns where it ends in the text. */
static const char *copy_word(const char *at, const char *end, char **to)
{
	char quote = 0;

	for (; at < end; at++) {
		if (quote && *at == quote) {
			quote = 0;
		} else if (!quote && (*at == '\'' || *at == '"')) {
			quote = *at;
		} else if (*at == '\\' && quote != '\'' && at + 1 < end) {
			if (*++at != '\n')
				*(*to)++ = *at;
		} else if (!quote && (isspace((unsigned char)*at) || operator_here(at, end))) {
			break;
		} else {
			*(*to)++ = *at;
		}
	}
	*(*to)++ = '\0';
	return at;
}

int foreign_split(struct foreign_words *words, const char *text, size_t len, unsigned int line,
		  unsigned int column)
{
	const char *at = text, *end = text + len, *seen = text;
	char *to;

	words->n = 0;
	/* A byte for each, and a NUL for each word: operators need no blank between. */
	to = words->buf = malloc(2 * len + 1);
	if (!to)
		return -ENOMEM;
	while (words->n < FOREIGN_MAX_WORDS) {
		size_t op;

		while (at < end && (isspace((unsigned char)*at) ||
				    (*at == '\\' && at + 1 < end && at[1] == '\n')))
			at++;
		if (at == end || *at == '#')
			break;
		foreign_advance(&line, &column, seen, at);
		seen = at;
		op = operator_here(at, end);
		words->word[words->n] = to;
		words->line[words->n] = line;
		words->column[words->n] = column;
		words->op[words->n++] = op > 0;
		if (op) {
			memcpy(to, at, op);
			to[op] = '\0';
			to += op + 1;
			at += op;
		} else {
			at = copy_word(at, end, &to);
		}
	}
	words->word[words->n] = NULL;
	return 0;
}

void foreign_words_free(struct foreign_words *words)
{
	free(words->buf);
	words->buf = NULL;
}

/* ---- mount(8) and fstab(5) ---- */

static bool is_shared_type(const char *type)
{
	return !strcmp(type, "9p") || !strcmp(type, "virtiofs");
}

static int set_word(struct foreign_word *to, const struct foreign_words *w, size_t i)
{
	return foreign_set(to, w->word[i], strlen(w->word[i]), w->line[i], w->column[i]);
}

static int add_options(struct foreign_word *options, const char *more, unsigned int line,
		       unsigned int column)
{
	size_t old = options->text ? strlen(options->text) : 0, len = strlen(more);
	char *joined = realloc(options->text, old + len + 2);

	if (!joined)
		return -ENOMEM;
	if (old)
		joined[old++] = ',';
	else
		*options = (struct foreign_word){ .line = line, .column = column };
	memcpy(joined + old, more, len + 1);
	options->text = joined;
	return 0;
}

/* Whether a word is this option of mount(8)'s; its value is in the same word, or *i moves on to it. */
static bool is_option(const struct foreign_words *w, size_t *i, const char *brief, const char *full,
		      const char **value)
{
	const char *word = w->word[*i];
	size_t len = strlen(full);

	if (!strncmp(word, full, len) && word[len] == '=') {
		*value = word + len + 1;
		return true;
	}
	if (!strncmp(word, brief, 2) && word[2]) {
		*value = word + 2;
		return true;
	}
	if ((strcmp(word, brief) && strcmp(word, full)) || *i + 1 == w->n || w->op[*i + 1])
		return false;
	*value = w->word[++*i];
	return true;
}

/* The words of a `mount`, up to an operator: 1 if it mounts what a VM shares. */
static int read_mount(struct foreign_command *c, const struct foreign_words *w)
{
	struct foreign_word *next[] = { &c->tag, &c->place, NULL }, **place = next;
	bool shared = false;
	int err = 0;

	for (size_t i = 1; !err && i < w->n && !w->op[i]; i++) {
		const char *word = w->word[i], *value;

		if (is_option(w, &i, "-t", "--types", &value))
			shared = is_shared_type(value);
		else if (is_option(w, &i, "-o", "--options", &value))
			err = add_options(&c->options, value, w->line[i], w->column[i]);
		else if (!strcmp(word, "-r") || !strcmp(word, "--read-only"))
			err = add_options(&c->options, "ro", w->line[i], w->column[i]);
		else if (*word != '-' && *place)
			err = set_word(*place++, w, i);
	}
	return err ? err : shared && !*place;
}

/* TAG PLACE 9p OPTIONS [0 0] */
static int read_fstab(struct foreign_command *c, const struct foreign_words *w)
{
	if (w->n < 4 || w->word[1][0] != '/' || !is_shared_type(w->word[2]))
		return 0;
	return set_word(&c->tag, w, 0) || set_word(&c->place, w, 1) || set_word(&c->options, w, 3) ?
		       -ENOMEM :
		       1;
}

/* ---- commands ---- */

/* "mount the share" is prose: a command has an option, a path, or an operator among its words. */
static bool looks_typed(const struct foreign_words *w)
{
	if (w->n == 1)
		return true;
	for (size_t i = 1; i < w->n; i++)
		if (w->op[i] || w->word[i][0] == '-' || w->word[i][0] == '/')
			return true;
	return false;
}

/* 1: it is a command to be kept. */
static int read_command(struct foreign_command *c, const struct foreign_words *w)
{
	int found;

	if (!w->n || w->op[0])
		return 0;
	found = strcmp(w->word[0], "mount") ? read_fstab(c, w) : read_mount(c, w);
	if (found)
		return found;
	/* Words of a mount of something else. */
	foreign_free_command(c);
	return looks_typed(w) && foreign_has_answer(w->word[0]);
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && isblank((unsigned char)*at))
		at++;
	return at;
}

/* "# ", "$ ", also after "root@host:~" and the like. */
static const char *skip_prompt(const char *text, const char *end)
{
	static const char sudo[] = "sudo ";
	const char *at = text;

	while (at + 1 < end && !((*at == '#' || *at == '$') && at[1] == ' '))
		at++;
	if (at + 1 < end && (at == text || memchr(text, '@', (size_t)(at - text))))
		text = skip_blanks(at + 1, end);
	if ((size_t)(end - text) > strlen(sudo) && !memcmp(text, sudo, strlen(sudo)))
		text = skip_blanks(text + strlen(sudo), end);
	return text;
}

int foreign_text_line(struct foreign *f, const char *text, size_t len, unsigned int line,
		      unsigned int column)
{
	const char *end = text + len, *start = skip_prompt(text, end);
	struct foreign_command command = { 0 }, *kept;
	struct foreign_words words;
	int found;

	foreign_advance(&line, &column, text, start);
	while (end > start && isspace((unsigned char)end[-1]))
		end--;
	len = (size_t)(end - start);
	if (memchr(start, 0, len))
		return 0;
	if (foreign_split(&words, start, len, line, column))
		return -ENOMEM;
	found = read_command(&command, &words);
	foreign_words_free(&words);
	if (found > 0) {
		kept = foreign_set(&command.line, start, len, line, column) ? NULL :
									     foreign_add_command(f);
		if (kept) {
			*kept = command;
			return 0;
		}
		found = -ENOMEM;
	}
	foreign_free_command(&command);
	return found;
}
