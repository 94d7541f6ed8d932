// SPDX-License-Identifier: MIT
#include "vmm/doctor/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/notes.h"

#define WIDTH 100 /* columns of a line; commands are not broken */

struct subject *report_add(struct report *report, const char *kind, const char *fmt, ...)
{
	struct subject **grown =
		realloc(report->subject, (report->n + 1) * sizeof(struct subject *));
	struct subject *subject;
	va_list ap;
	int n;

	if (!grown)
		return NULL;
	report->subject = grown;
	subject = calloc(1, sizeof(*subject));
	if (!subject)
		return NULL;
	subject->kind = kind;
	va_start(ap, fmt);
	n = vasprintf(&subject->name, fmt, ap);
	va_end(ap);
	if (n < 0) {
		free(subject);
		return NULL;
	}
	report->subject[report->n++] = subject;
	return subject;
}

bool subject_say(char **to, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return false;
	free(*to);
	*to = text;
	return true;
}

void subject_person(struct subject *subject, const struct person *person)
{
	subject_say(&subject->user, "%s", person->name);
	subject->uid = person->uid;
	subject->gid = person->gid;
}

size_t report_refusing(const struct report *report)
{
	size_t n = 0;

	for (size_t i = 0; i < report->n; i++)
		n += findings_refusing(&report->subject[i]->findings);
	return n;
}

bool report_incomplete(const struct report *report)
{
	for (size_t i = 0; i < report->n; i++)
		if (report->subject[i]->findings.no_memory)
			return true;
	return false;
}

void report_free(struct report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		struct subject *subject = report->subject[i];

		free(subject->name);
		free(subject->about);
		free(subject->good);
		free(subject->user);
		findings_free(&subject->findings);
		free(subject);
	}
	free(report->subject);
}

/* ---- text ---- */

struct pen {
	FILE *to;
	bool colours;
};

#define RED    "1;31"
#define YELLOW "1;33"
#define GREEN  "32"
#define BOLD   "1"

static void ink(const struct pen *pen, const char *colour)
{
	if (pen->colours)
		fprintf(pen->to, "\033[%sm", colour);
}

static void print_clean(const struct pen *pen, const char *text)
{
	char *clean = clean_text(text);

	if (clean)
		fputs(clean, pen->to);
	free(clean);
}

static size_t columns(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

/*
 * Words, broken between them; `at` columns are used already, and each further line begins at
 * `indent`.
 */
static void print_words(const struct pen *pen, const char *text, size_t at, size_t indent)
{
	char *clean = clean_text(text);
	bool first = true;

	for (const char *word = clean; word && *word;) {
		size_t len = strcspn(word, " "), width = columns(word, len);

		if (!first && at + 1 + width > WIDTH) {
			fprintf(pen->to, "\n%*s", (int)indent, "");
			at = indent;
		} else if (!first) {
			fputc(' ', pen->to);
			at++;
		}
		fwrite(word, 1, len, pen->to);
		at += width;
		first = false;
		word += len + (word[len] == ' ');
	}
	free(clean);
	fputc('\n', pen->to);
}

#define INDENT 8

static void print_finding(const struct pen *pen, const struct finding *finding)
{
	const char *name = finding->err ? strerrorname_np(finding->err) : NULL;
	char *line;

	if (name && strstr(finding->what, name))
		name = NULL;
	if (asprintf(&line, "%s%s: %s%s%s%s", finding->refuses ? "" : "note, ",
		     layer_name(finding->layer), finding->what, name ? " (" : "", name ? name : "",
		     name ? ")" : "") < 0)
		return;
	fprintf(pen->to, "%*s", INDENT, "");
	print_words(pen, line, INDENT, INDENT + 2);
	free(line);
	for (size_t i = 0; i < finding->nmends; i++) {
		fprintf(pen->to, "%*s%s", INDENT + 2, "", i ? "or:   " : "mend: ");
		if (!finding->mend[i].command) {
			print_words(pen, finding->mend[i].text, INDENT + 8, INDENT + 8);
			continue;
		}
		ink(pen, BOLD);
		print_clean(pen, finding->mend[i].text);
		ink(pen, "");
		fputc('\n', pen->to);
	}
}

static void print_subject(const struct pen *pen, const struct subject *subject, const char *word,
			  const char *colour)
{
	const char *more = subject->findings.n ? subject->about : subject->good;
	size_t width = columns(subject->name, strlen(subject->name));

	ink(pen, colour);
	fprintf(pen->to, "%-*s", INDENT, word);
	ink(pen, "");
	print_clean(pen, subject->name);
	if (more) {
		fputs(": ", pen->to);
		print_words(pen, more, INDENT + width + 2, INDENT + 2);
	} else {
		fputc('\n', pen->to);
	}
	for (int refuses = 1; refuses >= 0; refuses--)
		for (size_t i = 0; i < subject->findings.n; i++)
			if (subject->findings.finding[i].refuses == refuses)
				print_finding(pen, &subject->findings.finding[i]);
}

void report_print(const struct report *report, FILE *to)
{
	static const struct {
		const char *word, *colour;
	} ranks[] = { { "refuses", RED }, { "note", YELLOW }, { "ok", GREEN } };
	struct pen pen = { .to = to, .colours = isatty(fileno(to)) && !getenv("NO_COLOR") };

	for (int rank = 0; rank < 3; rank++)
		for (size_t i = 0; i < report->n; i++) {
			const struct subject *subject = report->subject[i];
			int its = findings_refusing(&subject->findings) ? 0
				  : subject->findings.n			? 1
									: 2;

			if (its == rank)
				print_subject(&pen, subject, ranks[rank].word, ranks[rank].colour);
		}
}

/* ---- JSON ---- */

static json_t *json_text(const char *text)
{
	char *clean = text ? clean_text(text) : NULL;
	json_t *value = clean ? json_string(clean) : json_null();

	free(clean);
	return value;
}

static json_t *json_finding(const struct finding *finding)
{
	json_t *mends = json_array();

	for (size_t i = 0; i < finding->nmends; i++)
		json_array_append_new(
			mends, json_pack("{s:o}", finding->mend[i].command ? "command" : "advice",
					 json_text(finding->mend[i].text)));
	return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o}", "kind", finding->kind, "layer",
			 layer_name(finding->layer), "refuses", finding->refuses, "errno",
			 json_text(finding->err ? strerrorname_np(finding->err) : NULL), "place",
			 json_text(finding->place), "what", json_text(finding->what), "mend",
			 mends);
}

static json_t *json_subject(const struct subject *subject)
{
	json_t *object = json_pack("{s:s, s:o, s:b}", "kind", subject->kind, "name",
				   json_text(subject->name), "refuses",
				   findings_refusing(&subject->findings) != 0);
	json_t *findings = json_array();

	if (subject->good && !subject->findings.n)
		json_object_set_new(object, "good", json_text(subject->good));
	if (subject->model) {
		json_object_set_new(object, "model", json_text(subject->model));
		json_object_set_new(object, "readonly", json_boolean(subject->ro));
	}
	if (subject->user)
		json_object_set_new(object, "as",
				    json_pack("{s:o, s:I, s:I}", "user", json_text(subject->user),
					      "uid", (json_int_t)subject->uid, "gid",
					      (json_int_t)subject->gid));
	for (size_t i = 0; i < subject->findings.n; i++)
		json_array_append_new(findings, json_finding(&subject->findings.finding[i]));
	json_object_set_new(object, "findings", findings);
	return object;
}

int report_print_json(const struct report *report, FILE *to)
{
	json_t *subjects = json_array(), *object;
	int err = 0;

	for (size_t i = 0; i < report->n; i++)
		json_array_append_new(subjects, json_subject(report->subject[i]));
	object = json_pack("{s:I, s:o}", "refusing", (json_int_t)report_refusing(report),
			   "subjects", subjects);
	if (!object || (json_dumpf(object, to, JSON_INDENT(2)) && !ferror(to)))
		err = -ENOMEM;
	fputc('\n', to);
	json_decref(object);
	return err;
}
