// SPDX-License-Identifier: MIT
/*
 * Test Anything Protocol 14. Every run's report is whole: subtests (four columns deeper), the line
 * of the run, and, if it did not pass, why, as YAML.
 */
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/test.h"

static const char *const red = "\x1b[31m", *const green = "\x1b[32m", *const yellow = "\x1b[33m",
			 *const plain = "\x1b[m";

void tap_head(FILE *to, size_t nruns)
{
	fprintf(to, "TAP version 14\n1..%zu\n", nruns);
}

/* Within a description `#` would begin a directive. */
static void put_name(FILE *to, const char *name)
{
	for (; *name; name++) {
		if (*name == '#' || *name == '\\')
			putc('\\', to);
		putc(*name, to);
	}
}

static void put_indent(FILE *to, unsigned int depth)
{
	for (unsigned int i = 0; i < depth; i++)
		fputs("    ", to);
}

/* Text of one or more lines, as comments. */
static void put_comment(FILE *to, unsigned int depth, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		put_indent(to, depth);
		/* Most are comments already. */
		fprintf(to, "%s%.*s\n", *text == '#' ? "" : "# ", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

void tap_comment(FILE *to, const char *fmt, ...)
{
	va_list ap;

	fputs("# ", to);
	va_start(ap, fmt);
	vfprintf(to, fmt, ap);
	va_end(ap);
	putc('\n', to);
}

static void put_item(FILE *to, const struct ktap_item *item, unsigned int depth, size_t n)
{
	if (item->notes)
		put_comment(to, depth, item->notes);
	put_indent(to, depth);
	fprintf(to, "%sok %zu", item->ok ? "" : "not ", n);
	if (*item->name) {
		fputs(" - ", to);
		put_name(to, item->name);
	}
	if (item->directive != KTAP_NONE) {
		fprintf(to, " # %s", item->directive == KTAP_SKIP ? "SKIP" : "TODO");
		if (*item->reason)
			fprintf(to, " %s", item->reason);
	}
	putc('\n', to);
}

/* They are numbered anew, and planned when all are known: what was missing has become a failure. */
static void put_subtests(FILE *to, const struct test_run *run)
{
	size_t n[KTAP_MAX_DEPTH + 1] = {0};
	unsigned int depth = 0; /* of the last one */

	for (size_t i = 0; i <= run->ktap.nitems; i++) {
		const struct ktap_item *item = i < run->ktap.nitems ? &run->ktap.item[i] : NULL;

		/* Depths that end here. What is deeper than before begins with the first of it. */
		for (; i && (!item || depth > item->depth); depth--) {
			if (n[depth]) {
				put_indent(to, depth + 1);
				fprintf(to, "1..%zu\n", n[depth]);
			}
			n[depth] = 0;
			if (!depth)
				break;
		}
		if (!item)
			break;
		depth = item->depth;
		put_item(to, item, depth + 1, ++n[depth]);
	}
	if (run->ktap.bail) {
		/* As a line of its own it would end everybody's reading. */
		put_indent(to, 1);
		fprintf(to, "# Bail out! %s\n", run->ktap.bail);
	}
}

/* A string that YAML takes as well as JSON. */
static void put_string(FILE *to, const char *text)
{
	json_t *json = json_string(text);

	if (!json || json_dumpf(json, to, JSON_ENCODE_ANY))
		fputs("null", to);
	json_decref(json);
	putc('\n', to);
}

static void put_field(FILE *to, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	fprintf(to, "  %s: ", name);
	put_string(to, text);
}

static void put_yaml(FILE *to, const struct test_run *run)
{
	fputs("  ---\n", to);
	put_field(to, "message", run->message);
	put_field(to, "reason", run->reason);
	fprintf(to, "  status: %d\n", run->status);
	put_field(to, "kernel", run->release);
	put_field(to, "logs", run->logs_shown);
	if (run->tail_of) {
		fprintf(to, "  %s:\n", run->tail_of);
		for (size_t i = 0; i < TEST_TAIL_LINES && run->tail[i]; i++) {
			fputs("    - ", to);
			put_string(to, run->tail[i]);
		}
	}
	fputs("  ...\n", to);
}

void tap_run(FILE *to, const struct test_run *run, size_t n, bool colour)
{
	bool ok = run->verdict == TEST_PASSED || run->verdict == TEST_SKIPPED;
	uint64_t ms = (run->end_ns - run->begin_ns) / 1000000;

	if (run->ktap.nitems || run->ktap.bail) {
		fputs("# Subtest: ", to);
		put_name(to, run->name);
		putc('\n', to);
		put_subtests(to, run);
	}
	if (colour)
		fputs(run->verdict == TEST_SKIPPED ? yellow : ok ? green : red, to);
	fputs(ok ? "ok" : "not ok", to);
	if (colour)
		fputs(plain, to);
	fprintf(to, " %zu - ", n);
	put_name(to, run->name);
	if (run->verdict == TEST_SKIPPED)
		fprintf(to, " # SKIP %s\n", run->message ? run->message : "");
	else
		fprintf(to, " # time=%llu.%03llus\n", (unsigned long long)ms / 1000,
			(unsigned long long)ms % 1000);
	if (!ok)
		put_yaml(to, run);
}
