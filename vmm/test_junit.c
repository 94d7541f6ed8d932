// SPDX-License-Identifier: MIT
/*
 * The XML that JUnit's ant task began with, as CI systems read it: a <testsuite> for each run, in
 * it a <testcase> for the run itself and one for each of its subtests.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/test.h"

/* Text here has no control characters; U+FFFE and U+FFFF are all else that XML forbids. */
static void put_text(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (!strncmp(text, "\xef\xbf\xbe", 3) || !strncmp(text, "\xef\xbf\xbf", 3)) {
			putc('?', to);
			text += 2;
			continue;
		}
		switch (*text) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			putc(*text, to);
		}
	}
}

static void put_attribute(FILE *to, const char *name, const char *text)
{
	fprintf(to, " %s=\"", name);
	put_text(to, text);
	putc('"', to);
}

static void put_time(FILE *to, uint64_t ns)
{
	fprintf(to, " time=\"%" PRIu64 ".%03" PRIu64 "\"", ns / 1000000000, ns / 1000000 % 1000);
}

struct counts {
	size_t tests, failures, errors, skipped;
};

static void put_counts(FILE *to, const struct counts *counts)
{
	fprintf(to, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"", counts->tests,
		counts->failures, counts->errors, counts->skipped);
}

static bool item_skipped(const struct ktap_item *item)
{
	/* JUnit knows no better word for a known failure. */
	return item->directive == KTAP_SKIP ||
	       (!item->ok && (item->directive == KTAP_TODO || item->excused));
}

static void add_counts(struct counts *counts, const struct test_run *run)
{
	counts->tests += 1 + run->ktap.nitems;
	switch (run->verdict) {
	case TEST_PASSED:
		break;
	case TEST_FAILED:
		counts->failures++;
		break;
	case TEST_UNJUDGED:
		counts->errors++;
		break;
	default:
		counts->skipped++;
	}
	for (size_t i = 0; i < run->ktap.nitems; i++) {
		counts->skipped += item_skipped(&run->ktap.item[i]);
		counts->failures += !item_skipped(&run->ktap.item[i]) && !run->ktap.item[i].ok;
	}
}

static uint64_t duration(const struct test_run *run)
{
	return run->end_ns - run->begin_ns;
}

static void put_why(FILE *to, const char *element, const struct test_run *run)
{
	const char *message = run->message ? run->message : test_verdict_name(run->verdict);

	fprintf(to, "      <%s", element);
	put_attribute(to, "message", message);
	put_attribute(to, "type", run->reason ? run->reason : "none");
	putc('>', to);
	put_text(to, message);
	if (run->tail_of)
		fprintf(to, "\n\nThe last lines of its %s:\n", run->tail_of);
	for (size_t i = 0; i < TEST_TAIL_LINES && run->tail[i]; i++) {
		put_text(to, run->tail[i]);
		putc('\n', to);
	}
	if (run->logs_shown) {
		fputs("\nLogs: ", to);
		put_text(to, run->logs_shown);
		putc('\n', to);
	}
	fprintf(to, "</%s>\n", element);
}

static void put_run(FILE *to, const struct test_run *run)
{
	fputs("    <testcase", to);
	put_attribute(to, "classname", "ninepin");
	put_attribute(to, "name", run->name);
	put_time(to, duration(run));
	switch (run->verdict) {
	case TEST_PASSED:
		fputs("/>\n", to);
		return;
	case TEST_FAILED:
		fputs(">\n", to);
		put_why(to, "failure", run);
		break;
	case TEST_UNJUDGED:
		fputs(">\n", to);
		put_why(to, "error", run);
		break;
	default:
		fputs(">\n      <skipped", to);
		put_attribute(to, "message",
			      run->message ? run->message : test_verdict_name(run->verdict));
		fputs("/>\n", to);
	}
	fputs("    </testcase>\n", to);
}

#define NO_PARENT SIZE_MAX

/* For each result the one that it is a subtest of, which is the first after it that is less deep. */
static size_t *find_parents(const struct ktap *ktap)
{
	size_t next[KTAP_MAX_DEPTH]; /* of each depth the first after this one */
	size_t *parent = calloc(ktap->nitems ? ktap->nitems : 1, sizeof(*parent));

	for (unsigned int depth = 0; depth < KTAP_MAX_DEPTH; depth++)
		next[depth] = NO_PARENT;
	for (size_t i = ktap->nitems; parent && i--;) {
		parent[i] = NO_PARENT;
		for (unsigned int depth = 0; depth < ktap->item[i].depth; depth++)
			if (next[depth] < parent[i])
				parent[i] = next[depth];
		next[ktap->item[i].depth] = i;
	}
	return parent;
}

/* The names of the tests that it is in come first: "suite / case". */
static void put_item_name(FILE *to, const struct ktap *ktap, const size_t *parent, size_t i)
{
	size_t path[KTAP_MAX_DEPTH] = { 0 }, n = 0;

	for (; i != NO_PARENT; i = parent[i])
		path[n++] = i;
	fputs(" name=\"", to);
	while (n--) {
		const char *name = ktap->item[path[n]].name;

		put_text(to, *name ? name : "(no name)");
		if (n)
			fputs(" / ", to);
	}
	putc('"', to);
}

static void put_item(FILE *to, const struct test_run *run, const size_t *parent, size_t i)
{
	const struct ktap_item *item = &run->ktap.item[i];

	fputs("    <testcase", to);
	put_attribute(to, "classname", run->name);
	put_item_name(to, &run->ktap, parent, i);
	if (item_skipped(item)) {
		const char *why = item->directive == KTAP_SKIP ? "skipped" : "a known failure";

		fputs(">\n      <skipped", to);
		put_attribute(to, "message", *item->reason ? item->reason : why);
		fputs("/>\n    </testcase>\n", to);
	} else if (item->ok) {
		fputs("/>\n", to);
	} else {
		fputs(">\n      <failure message=\"not ok\">", to);
		put_text(to, item->notes ? item->notes : "not ok");
		fputs("</failure>\n    </testcase>\n", to);
	}
}

static int put_suite(FILE *to, const struct test_run *run)
{
	size_t *parent = find_parents(&run->ktap);
	struct counts counts = {0};

	if (!parent)
		return -ENOMEM;
	add_counts(&counts, run);
	fputs("  <testsuite", to);
	put_attribute(to, "name", run->name);
	put_counts(to, &counts);
	put_time(to, duration(run));
	fputs(">\n    <properties>\n      <property name=\"kernel\"", to);
	put_attribute(to, "value", run->release ? run->release : "unknown");
	fputs("/>\n    </properties>\n", to);
	put_run(to, run);
	for (size_t i = 0; i < run->ktap.nitems; i++)
		put_item(to, run, parent, i);
	fputs("  </testsuite>\n", to);
	free(parent);
	return 0;
}

int junit_write(FILE *to, const struct test_run *run, size_t nruns)
{
	struct counts counts = {0};
	uint64_t ns = 0;
	int err = 0;

	for (size_t i = 0; i < nruns; i++) {
		add_counts(&counts, &run[i]);
		ns += duration(&run[i]);
	}
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"ninepin test\"", to);
	put_counts(to, &counts);
	put_time(to, ns);
	fputs(">\n", to);
	for (size_t i = 0; i < nruns && !err; i++)
		err = put_suite(to, &run[i]);
	fputs("</testsuites>\n", to);
	if (err)
		return err;
	return fflush(to) || ferror(to) ? -(errno ? errno : EIO) : 0;
}
