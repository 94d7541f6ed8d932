// SPDX-License-Identifier: MIT
#include "vmm/test_ktap.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/notes.h"

#define MAX_LINE  4096
#define MAX_NOTES 4096 /* the last ones are kept */

/* ---- items ---- */

static struct ktap_item *add_item(struct ktap *ktap, unsigned int depth, bool ok, const char *name)
{
	struct ktap_item *item;

	if (ktap->nitems == ktap->cap) {
		size_t cap = ktap->cap ? 2 * ktap->cap : 32;

		item = realloc(ktap->item, cap * sizeof(*item));
		if (!item)
			return NULL;
		ktap->item = item;
		ktap->cap = cap;
	}
	item = &ktap->item[ktap->nitems];
	memset(item, 0, sizeof(*item));
	item->depth = depth;
	item->ok = ok;
	item->name = clean_text(name);
	item->reason = strdup("");
	if (!item->name || !item->reason) {
		free(item->name);
		free(item->reason);
		return NULL;
	}
	ktap->nitems++;
	return item;
}

/* A failure of the protocol's, which no line says. */
static int add_fault(struct ktap *ktap, unsigned int depth, const char *fmt, const char *name,
		     unsigned long planned, unsigned long ran)
{
	struct ktap_item *item;
	char *text;

	if (asprintf(&text, fmt, name, planned, ran) < 0)
		return -ENOMEM;
	item = add_item(ktap, depth, false, text);
	free(text);
	return item ? 0 : -ENOMEM;
}

static void drop_notes(struct ktap *ktap)
{
	free(ktap->notes);
	ktap->notes = NULL;
	ktap->notes_len = 0;
}

/* A line that is no result: it may tell why the next one fails. */
static int add_note(struct ktap *ktap, const char *line)
{
	char *clean = clean_text(line), *grown;
	size_t len, cut = 0;

	if (!clean)
		return -ENOMEM;
	len = strlen(clean);
	grown = realloc(ktap->notes, ktap->notes_len + 1 + len + 1);
	if (!grown) {
		free(clean);
		return -ENOMEM;
	}
	if (ktap->notes_len)
		grown[ktap->notes_len++] = '\n';
	memcpy(grown + ktap->notes_len, clean, len + 1);
	ktap->notes_len += len;
	free(clean);
	/* Whole lines go, from the beginning. */
	while (ktap->notes_len - cut > MAX_NOTES) {
		char *end = strchr(grown + cut, '\n');

		if (!end)
			break;
		cut = (size_t)(end - grown) + 1;
	}
	memmove(grown, grown + cut, ktap->notes_len - cut + 1);
	ktap->notes_len -= cut;
	ktap->notes = grown;
	return 0;
}

/* ---- levels ---- */

static void open_level(struct ktap *ktap, unsigned int indent)
{
	if (ktap->nlevels < KTAP_MAX_DEPTH)
		ktap->level[ktap->nlevels++] = (struct ktap_level){.indent = indent};
}

/* The deepest level ends: its plan is compared. Its name is still there, for the caller to free. */
static int judge_level(struct ktap *ktap)
{
	const struct ktap_level *level = &ktap->level[ktap->nlevels - 1];
	unsigned int depth = ktap->nlevels - 1;

	if (level->planned && level->results != level->plan)
		return add_fault(ktap, depth, "%s%lu tests were planned, %lu have a result", "",
				 level->plan, level->results);
	if (level->announced && !level->planned)
		return add_fault(ktap, depth,
				 "%sthere is no plan (1..N): not all tests may have run", "", 0, 0);
	return 0;
}

static void pop_level(struct ktap *ktap)
{
	free(ktap->level[--ktap->nlevels].name);
}

/*
 * Closes levels until there are only so many. The first of them to remain gets a result for what
 * was closed, unless its own line follows (with_parent).
 */
static int close_levels(struct ktap *ktap, unsigned int remain, bool with_parent)
{
	int err = 0;

	while (!err && ktap->nlevels > remain) {
		const struct ktap_level *level = &ktap->level[ktap->nlevels - 1];
		bool any = level->results || level->planned || level->announced;

		err = judge_level(ktap);
		if (!err && any && ktap->nlevels > 1 &&
		    !(with_parent && ktap->nlevels == remain + 1)) {
			err = add_fault(ktap, ktap->nlevels - 2,
					"%s: the result after its subtests is missing",
					level->name ? level->name : "subtests", 0, 0);
			if (!err) {
				ktap->item[ktap->nitems - 1].parent = true;
				ktap->level[ktap->nlevels - 2].results++;
			}
		}
		pop_level(ktap);
	}
	return err;
}

/* Makes the level of this indentation the deepest one. */
static int enter_level(struct ktap *ktap, unsigned int indent, bool result)
{
	unsigned int remain = ktap->nlevels;
	int err;

	if (!remain) {
		open_level(ktap, 0);
		remain = 1;
	}
	while (remain > 1 && ktap->level[remain - 1].indent > indent)
		remain--;
	err = close_levels(ktap, remain, result);
	if (!err && ktap->level[remain - 1].indent < indent)
		open_level(ktap, indent);
	return err;
}

static struct ktap_level *deepest(struct ktap *ktap)
{
	return &ktap->level[ktap->nlevels - 1];
}

/* For a line that only a new set of tests begins with: several may come after one another. */
static int begin_level(struct ktap *ktap, unsigned int indent)
{
	int err = close_levels(ktap, ktap->nlevels - 1, false);

	return err ?: enter_level(ktap, indent, false);
}

/* ---- lines ---- */

/* "[   12.345678] ", with which the kernel's log begins each line. */
static const char *after_stamp(const char *line)
{
	const char *at = line;

	if (*at++ != '[')
		return line;
	while (*at == ' ')
		at++;
	if (!isdigit((unsigned char)*at))
		return line;
	while (isdigit((unsigned char)*at) || *at == '.')
		at++;
	return at[0] == ']' && at[1] == ' ' ? at + 2 : line;
}

static bool is_version(const char *text)
{
	if (!strncmp(text, "KTAP version ", 13))
		text += 13;
	else if (!strncmp(text, "TAP version ", 12))
		text += 12;
	else
		return false;
	return isdigit((unsigned char)*text);
}

static bool is_plan(const char *text, unsigned long *plan)
{
	char *end;

	if (strncmp(text, "1..", 3) || !isdigit((unsigned char)text[3]))
		return false;
	errno = 0;
	*plan = strtoul(text + 3, &end, 10);
	end += strspn(end, " ");
	return !errno && (!*end || *end == '#');
}

/*
 * "ok 3 - name # SKIP why": sets *rest behind the number. Without one, "ok" is a result only where
 * it cannot be the beginning of a sentence; "not ok" is always one.
 */
static bool is_result(const char *text, bool *ok, bool *numbered, const char **rest)
{
	*numbered = false;
	*ok = strncmp(text, "not ", 4) != 0;
	if (!*ok)
		text += 4;
	if (strncmp(text, "ok", 2) || (text[2] && text[2] != ' '))
		return false;
	text += 2;
	text += strspn(text, " ");
	if (isdigit((unsigned char)*text)) {
		size_t digits = strspn(text, "0123456789");

		if (text[digits] && text[digits] != ' ')
			return false;
		text += digits;
		*numbered = true;
	} else if (*ok && *text && strncmp(text, "- ", 2) && *text != '#') {
		return false;
	}
	*rest = text;
	return true;
}

/* The "# SKIP why" of a result; NULL if it has none. */
static char *find_directive(char *text, enum ktap_directive *directive)
{
	static const struct {
		const char *word;
		enum ktap_directive directive;
	} words[] = {{"SKIP", KTAP_SKIP}, {"TODO", KTAP_TODO}, {"XFAIL", KTAP_TODO}};

	for (char *hash = strchr(text, '#'); hash; hash = strchr(hash + 1, '#')) {
		char *word = hash + 1 + strspn(hash + 1, " ");

		if (hash > text && hash[-1] != ' ')
			continue;
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (!strncasecmp(word, words[i].word, strlen(words[i].word))) {
				*directive = words[i].directive;
				return hash;
			}
	}
	return NULL;
}

static void trim_end(char *text)
{
	size_t len = strlen(text);

	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
}

/* "\#" and "\\" are TAP's way to write these two in a name. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && (text[1] == '#' || text[1] == '\\'))
			text++;
		*to++ = *text;
	}
	*to = '\0';
}

static int result_line(struct ktap *ktap, unsigned int indent, bool ok, const char *rest)
{
	unsigned int depth;
	char *text = strdup(rest), *name, *directive;
	struct ktap_item *item;
	int err = text ? 0 : -ENOMEM;

	if (!err && ktap->nitems >= KTAP_MAX_ITEMS) {
		ktap->full = true;
		goto out;
	}
	if (!err)
		err = enter_level(ktap, indent, true);
	if (err)
		goto out;
	depth = ktap->nlevels - 1;
	deepest(ktap)->results++;
	name = text + strspn(text, " ");
	if (name[0] == '-' && (name[1] == ' ' || !name[1]))
		name += 1;
	name += strspn(name, " ");
	err = -ENOMEM;
	item = add_item(ktap, depth, ok, "");
	if (!item)
		goto out;
	directive = find_directive(name, &item->directive);
	if (directive) {
		char *why = directive + 1 + strspn(directive + 1, " ");

		*directive = '\0';
		why += strcspn(why, " ");
		free(item->reason);
		item->reason = clean_text(why + strspn(why, " "));
		if (!item->reason)
			goto out;
		trim_end(item->reason);
	}
	trim_end(name);
	unescape(name);
	free(item->name);
	item->name = clean_text(name);
	if (!item->name)
		goto out;
	/* What stands right before it and deeper is its subtests'. */
	item->parent = item > ktap->item && item[-1].depth > depth;
	if (item->directive != KTAP_NONE)
		for (struct ktap_item *sub = item; sub-- > ktap->item && sub->depth > depth;)
			sub->excused = true;
	if (!ok && item->directive == KTAP_NONE) {
		item->notes = ktap->notes;
		ktap->notes = NULL;
	}
	drop_notes(ktap);
	err = 0;
out:
	free(text);
	return err;
}

static int plan_line(struct ktap *ktap, unsigned int indent, unsigned long plan, const char *text)
{
	int err = enter_level(ktap, indent, false);
	struct ktap_item *item;
	const char *why;

	if (!err && deepest(ktap)->planned)
		err = begin_level(ktap, indent);
	if (err)
		return err;
	deepest(ktap)->planned = true;
	deepest(ktap)->plan = plan;
	if (plan)
		return 0;
	/* "1..0 # SKIP why": all of it is skipped, which is one result to show. */
	why = strchr(text, '#');
	item = add_item(ktap, ktap->nlevels - 1, true, "all tests");
	if (!item)
		return -ENOMEM;
	item->directive = KTAP_SKIP;
	if (why) {
		why += 1 + strspn(why + 1, " ");
		if (!strncasecmp(why, "SKIP", 4))
			why += strcspn(why, " ");
		free(item->reason);
		item->reason = clean_text(why + strspn(why, " "));
		if (!item->reason)
			return -ENOMEM;
	}
	return 0;
}

/* Whether a result is meant by it: the program may print lines of its own that look like one. */
static bool may_be_here(const struct ktap *ktap, unsigned int indent, bool numbered)
{
	if (!ktap->nlevels)
		return numbered && !indent;
	return numbered || indent <= ktap->level[ktap->nlevels - 1].indent;
}

int ktap_line(struct ktap *ktap, const char *line)
{
	const char *text = after_stamp(line), *rest;
	unsigned int indent = (unsigned int)strspn(text, " ");
	unsigned long plan;
	bool ok, numbered;
	int err;

	text += indent;
	if (ktap->bail || ktap->full)
		return 0;
	if (is_version(text)) {
		err = enter_level(ktap, indent, false);
		if (!err &&
		    (deepest(ktap)->announced || deepest(ktap)->planned || deepest(ktap)->results))
			err = begin_level(ktap, indent);
		if (!err)
			deepest(ktap)->announced = true;
		return err;
	}
	if (is_plan(text, &plan))
		return plan_line(ktap, indent, plan, text);
	if (!strncmp(text, "# Subtest: ", 11) && (indent || ktap->nlevels)) {
		err = enter_level(ktap, indent, false);
		if (err || deepest(ktap)->name)
			return err;
		deepest(ktap)->name = clean_text(text + 11);
		return deepest(ktap)->name ? 0 : -ENOMEM;
	}
	if (is_result(text, &ok, &numbered, &rest) && may_be_here(ktap, indent, numbered))
		return result_line(ktap, indent, ok, rest);
	if (!ktap->nlevels || !*text)
		return 0;
	if (strncmp(text, "Bail out!", 9) != 0)
		return add_note(ktap, text);
	text += 9;
	ktap->bail = clean_text(text + strspn(text, " "));
	return ktap->bail ? 0 : -ENOMEM;
}

/* ---- the end ---- */

static void count(struct ktap *ktap)
{
	bool sub_failed[KTAP_MAX_DEPTH + 1] = {false};

	for (size_t i = 0; i < ktap->nitems; i++) {
		const struct ktap_item *item = &ktap->item[i];
		bool failed = !item->ok && item->directive == KTAP_NONE && !item->excused;
		bool below = sub_failed[item->depth + 1];

		if (item->parent)
			sub_failed[item->depth + 1] = false;
		sub_failed[item->depth] |= failed || (item->parent && below);
		if (item->parent && !(failed && !below))
			continue;
		if (failed)
			ktap->failed++;
		else if (item->directive == KTAP_SKIP)
			ktap->skipped++;
		else if (!item->ok || item->directive == KTAP_TODO)
			ktap->todo++;
		else
			ktap->passed++;
	}
}

int ktap_end(struct ktap *ktap)
{
	int err = 0;

	/* Of a stream that was given up, what is missing is no news. */
	if (ktap->full)
		err = add_fault(ktap, 0, "%smore than %lu results", "", KTAP_MAX_ITEMS, 0);
	while (!err && (ktap->bail || ktap->full) && ktap->nlevels) {
		if (ktap->nlevels > 1 && !ktap->full) {
			err = add_fault(ktap, ktap->nlevels - 2, "%s: ended by \"Bail out!\"",
					deepest(ktap)->name ? deepest(ktap)->name : "subtests", 0,
					0);
			if (!err)
				ktap->item[ktap->nitems - 1].parent = true;
		}
		pop_level(ktap);
	}
	if (!err)
		err = close_levels(ktap, 0, false);
	while (ktap->nlevels)
		pop_level(ktap);
	drop_notes(ktap);
	count(ktap);
	return err;
}

int ktap_read(struct ktap *ktap, FILE *from)
{
	char line[MAX_LINE] = "";
	size_t len = 0;
	int c, err = 0;

	/* Of an overlong line only the beginning is looked at; the last one may lack its newline.
	 */
	do {
		c = getc_unlocked(from);
		if (c != '\n' && c != EOF) {
			if (c && len < sizeof(line) - 1)
				line[len++] = (char)c;
			continue;
		}
		line[len] = '\0';
		len = 0;
		trim_end(line);
		err = ktap_line(ktap, line);
	} while (!err && c != EOF);
	if (!err && ferror(from))
		err = -EIO;
	return err ?: ktap_end(ktap);
}

void ktap_free(struct ktap *ktap)
{
	for (size_t i = 0; i < ktap->nitems; i++) {
		free(ktap->item[i].name);
		free(ktap->item[i].reason);
		free(ktap->item[i].notes);
	}
	free(ktap->item);
	free(ktap->bail);
	while (ktap->nlevels)
		pop_level(ktap);
	drop_notes(ktap);
	memset(ktap, 0, sizeof(*ktap));
}
