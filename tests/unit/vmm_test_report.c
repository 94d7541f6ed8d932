// SPDX-License-Identifier: MIT
/* What `ninepin test` makes of a run's folder: the verdict, TAP, JUnit, the exit status. */
#include <expat.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vmm/test.h"
#include "vmm/test_jobs.h"
#include "vmm/test_progress.h"

#define EXITED(n)   ((n) << 8)
#define SIGNALED(n) (n)

static char *text; /* what a writer wrote last */
static size_t text_len;

static FILE *to_text(void)
{
	free(text);
	text = NULL;
	return open_memstream(&text, &text_len);
}

static const char *tap_of(const struct test_run *run)
{
	FILE *to = to_text();

	tap_run(to, run, 1, false);
	fclose(to);
	return text;
}

/* ---- JUnit, as a parser sees it: "/element" of what is open, counted ---- */

struct seen {
	int suites, cases, failures, errors, skipped;
	char first_case[256], message[256];
	char failure[4096]; /* the text of the last one */
	bool in_failure;
};

static void XMLCALL begin(void *arg, const XML_Char *name, const XML_Char **attribute)
{
	struct seen *seen = arg;

	seen->suites += !strcmp(name, "testsuite");
	seen->errors += !strcmp(name, "error");
	seen->skipped += !strcmp(name, "skipped");
	if (!strcmp(name, "testcase") && !seen->cases++)
		for (; *attribute; attribute += 2)
			if (!strcmp(*attribute, "name"))
				snprintf(seen->first_case, sizeof(seen->first_case), "%s", attribute[1]);
	seen->in_failure = !strcmp(name, "failure");
	if (!seen->in_failure)
		return;
	seen->failures++;
	seen->failure[0] = '\0';
	if (!strcmp(attribute[0], "message"))
		snprintf(seen->message, sizeof(seen->message), "%s", attribute[1]);
}

static void XMLCALL end(void *arg, const XML_Char *name)
{
	struct seen *seen = arg;

	(void)name;
	seen->in_failure = false;
}

static void XMLCALL characters(void *arg, const XML_Char *s, int len)
{
	struct seen *seen = arg;

	if (seen->in_failure && strlen(seen->failure) + (size_t)len < sizeof(seen->failure))
		strncat(seen->failure, s, (size_t)len);
}

/* false: it is no XML. */
static bool junit_of(const struct test_run *run, size_t nruns, struct seen *seen)
{
	FILE *to = to_text();
	XML_Parser parser = XML_ParserCreate(NULL);
	bool ok;

	memset(seen, 0, sizeof(*seen));
	ok = junit_write(to, run, nruns) == 0;
	fclose(to);
	XML_SetElementHandler(parser, begin, end);
	XML_SetCharacterDataHandler(parser, characters);
	XML_SetUserData(parser, seen);
	ok = ok && XML_Parse(parser, text, (int)text_len, 1) == XML_STATUS_OK;
	XML_ParserFree(parser);
	return ok;
}

/* ---- a run's folder ---- */

FIXTURE(folder)
{
	char logs[64];
	struct test_run run;
};

FIXTURE_SETUP(folder)
{
	strcpy(self->logs, "/tmp/ninepin-test.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->logs));
	memset(&self->run, 0, sizeof(self->run));
	self->run.name = strdup("k #1");
	self->run.logs = strdup(self->logs);
	self->run.logs_shown = strdup("logs");
	self->run.begin_ns = 1000000000;
	self->run.end_ns = 2234000000;
	self->run.verdict = TEST_RUNS;
}

FIXTURE_TEARDOWN(folder)
{
	logs_remove(&self->run);
	/* Nothing else was in it. */
	EXPECT_NE(0, access(self->logs, F_OK));
	test_run_free(&self->run);
}

static void put(const char *folder, const char *name, const char *fmt, ...)
{
	char path[128];
	va_list ap;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	va_start(ap, fmt);
	if (!file || vfprintf(file, fmt, ap) < 0)
		abort();
	va_end(ap);
	fclose(file);
}

static void put_result(const char *folder, const char *reason, int status)
{
	put(folder, "result.json",
	    "{\"reason\": \"%s\", \"status\": %d, \"message\": null, \"kernel\": {\"release\": \"6.1\"}}", reason,
	    status);
}

/* How a run is judged that ends so, with this output. */
#define EXPECT_VERDICT(verdict_is, wait_status, reason_is, status_is, output)                                \
	do {                                                                                               \
		struct test_run one = { .logs = strdup(self->logs) };                                      \
		put(self->logs, "stdout", "%s", output);                                                   \
		put_result(self->logs, reason_is, status_is);                                              \
		test_judge(&one, wait_status);                                                             \
		EXPECT_EQ(verdict_is, one.verdict) TH_LOG("said: %s", one.message ? one.message : "nothing"); \
		if (one.verdict == TEST_FAILED)                                                            \
			EXPECT_EQ(one.message != NULL, !strcmp(reason_is, "exit") || !strcmp(reason_is, "signal")); \
		test_run_free(&one);                                                                       \
	} while (0)

TEST_F(folder, verdicts)
{
	static const char good[] = "1..1\nok 1\n", bad[] = "1..1\nnot ok 1\n", skips[] = "1..1\nok 1 # SKIP\n",
			  some[] = "1..2\nok 1\nok 2 # SKIP\n", gone[] = "1..2\nok 1\n", bail[] = "1..1\nBail out!\n";

	EXPECT_VERDICT(TEST_PASSED, EXITED(0), "exit", 0, "");
	EXPECT_VERDICT(TEST_PASSED, EXITED(0), "exit", 0, good);
	EXPECT_VERDICT(TEST_PASSED, EXITED(0), "exit", 0, some);
	EXPECT_VERDICT(TEST_FAILED, EXITED(1), "exit", 1, "");
	EXPECT_VERDICT(TEST_FAILED, EXITED(1), "exit", 1, good);
	EXPECT_VERDICT(TEST_FAILED, EXITED(0), "exit", 0, bad);
	EXPECT_VERDICT(TEST_FAILED, EXITED(0), "exit", 0, gone);
	EXPECT_VERDICT(TEST_FAILED, EXITED(0), "exit", 0, bail);
	EXPECT_VERDICT(TEST_SKIPPED, EXITED(0), "exit", 0, skips);
	EXPECT_VERDICT(TEST_SKIPPED, EXITED(4), "exit", 4, skips);
	EXPECT_VERDICT(TEST_FAILED, EXITED(3), "exit", 3, skips);
	EXPECT_VERDICT(TEST_FAILED, EXITED(4), "exit", 4, "");
	EXPECT_VERDICT(TEST_FAILED, EXITED(4), "exit", 4, some);
	/* Its own end, though ninepin has these numbers too. */
	EXPECT_VERDICT(TEST_FAILED, EXITED(125), "exit", 125, "");
	EXPECT_VERDICT(TEST_FAILED, EXITED(139), "signal", 139, good);
	EXPECT_VERDICT(TEST_FAILED, EXITED(120), "panic", 120, good);
	EXPECT_VERDICT(TEST_FAILED, EXITED(121), "restart", 121, "");
	EXPECT_VERDICT(TEST_FAILED, EXITED(124), "timeout", 124, "");
	EXPECT_VERDICT(TEST_FAILED, EXITED(120), "a-reason-of-the-future", 120, "");
	EXPECT_VERDICT(TEST_UNJUDGED, EXITED(125), "not-started", 125, "");
	EXPECT_VERDICT(TEST_UNJUDGED, EXITED(123), "vmm-failed", 123, good);
	EXPECT_VERDICT(TEST_UNJUDGED, EXITED(123), "lost-data", 123, good);
	EXPECT_VERDICT(TEST_UNJUDGED, EXITED(143), "interrupted", 143, good);
	/* A process that says one thing and does another. */
	EXPECT_VERDICT(TEST_UNJUDGED, EXITED(1), "exit", 0, good);
	EXPECT_VERDICT(TEST_UNJUDGED, SIGNALED(11), "exit", 0, good);
}

TEST_F(folder, without_a_result)
{
	put(self->logs, "stdout", "%s", "");
	put(self->logs, "stderr", "Segmentation \xff\x01 fault\n");
	put(self->logs, "result.json", "{\"reason\": ");
	test_judge(&self->run, EXITED(1));
	EXPECT_EQ(TEST_UNJUDGED, self->run.verdict);
	EXPECT_STREQ("no-result", self->run.reason);
	EXPECT_STREQ("stderr", self->run.tail_of);
	EXPECT_STREQ("Segmentation ?? fault", self->run.tail[0]);
}

TEST_F(folder, without_anything)
{
	test_judge(&self->run, EXITED(0));
	EXPECT_EQ(TEST_UNJUDGED, self->run.verdict);
}

TEST_F(folder, a_panic_shows_the_consoles_last_lines)
{
	static const char report[] = "# Subtest: k \\#1\n"
				     "        ok 1 - a\n"
				     "        1..1\n"
				     "    ok 1 - b\n"
				     "    not ok 2 - 2 tests were planned, 1 have a result\n"
				     "    1..2\n"
				     "not ok 1 - k \\#1 # time=1.234s\n"
				     "  ---\n"
				     "  message: \"it \\\"panicked\\\"?\"\n"
				     "  reason: \"panic\"\n"
				     "  status: 120\n"
				     "  logs: \"logs\"\n"
				     "  console:\n"
				     "    - \"line 20 <&?]]>\\\"\"\n";
	char console[40 * 32], *to = console;
	struct seen seen;

	for (int i = 0; i < 40; i++)
		to += sprintf(to, "line %d <&\x1b]]>\"\n", i);
	put(self->logs, "stdout", "KTAP version 1\n1..2\n  KTAP version 1\n  1..1\n  ok 1 a\nok 1 b\n");
	put(self->logs, "stderr", "%s", "not this\n");
	put(self->logs, "console.log", "%s", console);
	put(self->logs, "result.json", "{\"reason\": \"panic\", \"status\": 120, \"message\": \"it \\\"panicked\\\"\\n\","
				       "\"kernel\": {\"release\": null}}");
	test_judge(&self->run, EXITED(120));
	EXPECT_STREQ("console", self->run.tail_of);
	EXPECT_STREQ("line 20 <&?]]>\"", self->run.tail[0]);
	EXPECT_STREQ("line 39 <&?]]>\"", self->run.tail[TEST_TAIL_LINES - 1]);

	EXPECT_EQ(text, NULL);
	tap_of(&self->run);
	EXPECT_EQ(0, strncmp(text, report, strlen(report))) TH_LOG("said: %s", text);
	EXPECT_STREQ("  ...\n", text + text_len - 6);

	ASSERT_TRUE(junit_of(&self->run, 1, &seen));
	EXPECT_EQ(1, seen.suites);
	EXPECT_EQ(4, seen.cases);
	EXPECT_EQ(2, seen.failures);
	EXPECT_STREQ("k #1", seen.first_case);
	EXPECT_NE(NULL, strstr(text, "tests=\"4\" failures=\"2\" errors=\"0\" skipped=\"0\" time=\"1.234\""));
	EXPECT_NE(NULL, strstr(text, "line 39 &lt;&amp;?]]&gt;&quot;"));
	EXPECT_NE(NULL, strstr(text, "name=\"b / a\""));
}

TEST_F(folder, junit_takes_whatever_a_test_says)
{
	struct seen seen;

	put_result(self->logs, "exit", 0);
	put(self->logs, "stdout",
	    "1..4\n# <notes> & \x01\x1b[m \xef\xbf\xbe \xef\xbf\xbf \xed\xa0\x80 \xff\nnot ok 1 \"<a>\" & 'b'\n"
	    "ok 2 \xef\xbf\xbf # SKIP <no> & \"device\"\nnot ok 3 # TODO\nok 4\n");
	test_judge(&self->run, EXITED(0));
	ASSERT_TRUE(junit_of(&self->run, 1, &seen)) TH_LOG("wrote: %s", text);
	EXPECT_EQ(5, seen.cases);
	EXPECT_EQ(2, seen.failures);
	EXPECT_EQ(2, seen.skipped);
	EXPECT_EQ(0, strncmp(seen.failure, "# <notes> & ??[m ? ? ", 21)) TH_LOG("read: %s", seen.failure);
}

/* Nobody waits for a report because a test said much. */
TEST_F(folder, junit_names_many)
{
	struct seen seen;

	ktap_line(&self->run.ktap, "KTAP version 1");
	ktap_line(&self->run.ktap, "1..1");
	ktap_line(&self->run.ktap, "  KTAP version 1");
	ktap_line(&self->run.ktap, "  1..99000");
	for (int i = 0; i < 99000; i++)
		ktap_line(&self->run.ktap, "  ok 1 a");
	ktap_line(&self->run.ktap, "ok 1 b");
	ASSERT_EQ(0, ktap_end(&self->run.ktap));
	self->run.verdict = TEST_PASSED;
	ASSERT_TRUE(junit_of(&self->run, 1, &seen));
	EXPECT_EQ(99002, seen.cases);
	EXPECT_NE(NULL, strstr(text, "name=\"b / a\"/>\n    <testcase classname=\"k #1\" name=\"b\"/>"));
}

TEST_F(folder, what_did_not_run_is_neither_well_nor_wrong)
{
	struct seen seen;

	self->run.verdict = TEST_WAITS;
	ASSERT_TRUE(junit_of(&self->run, 1, &seen));
	EXPECT_EQ(1, seen.skipped);
	EXPECT_EQ(0, seen.failures + seen.errors);
}

TEST(tap_numbers_and_plans_each_level)
{
	struct test_run run = { .name = (char *)"k", .verdict = TEST_PASSED };
	FILE *from = fmemopen((void *)"1..2\n"
				      "  KTAP version 1\n  1..1\n    KTAP version 1\n    1..2\n    ok 1 a # SKIP a # b\n"
				      "    not ok 2 b\\#c # XFAIL\n  ok 1 d\nok 7 e\n"
				      "  KTAP version 1\n  1..1\n  ok 1\nok 9 f\n",
			      163, "r");

	ASSERT_NE(NULL, from);
	ASSERT_EQ(0, ktap_read(&run.ktap, from));
	fclose(from);
	EXPECT_STREQ("# Subtest: k\n"
		     "            ok 1 - a # SKIP a # b\n"
		     "            not ok 2 - b\\#c # TODO\n"
		     "            1..2\n"
		     "        ok 1 - d\n"
		     "        1..1\n"
		     "    ok 1 - e\n"
		     "        ok 1\n"
		     "        1..1\n"
		     "    ok 2 - f\n"
		     "    1..2\n"
		     "ok 1 - k # time=0.000s\n",
		     tap_of(&run));
	ktap_free(&run.ktap);
}

TEST(exit_status)
{
	static const struct {
		enum test_verdict verdict[3];
		int status;
	} is[] = {
		{ { TEST_PASSED, TEST_PASSED, TEST_PASSED }, 0 },
		{ { TEST_PASSED, TEST_SKIPPED, TEST_PASSED }, 0 },
		{ { TEST_PASSED, TEST_FAILED, TEST_PASSED }, 1 },
		{ { TEST_UNJUDGED, TEST_FAILED, TEST_SKIPPED }, 1 },
		{ { TEST_PASSED, TEST_UNJUDGED, TEST_PASSED }, 125 },
		{ { TEST_SKIPPED, TEST_SKIPPED, TEST_SKIPPED }, 125 },
		{ { TEST_PASSED, TEST_PASSED, TEST_WAITS }, 125 },
	};

	for (size_t i = 0; i < sizeof(is) / sizeof(is[0]); i++) {
		struct test_run run[3] = { 0 };
		struct test_sum sum;

		for (int j = 0; j < 3; j++)
			run[j].verdict = is[i].verdict[j];
		test_count(&sum, run, 3);
		EXPECT_EQ(is[i].status, test_exit_status(&sum)) TH_LOG("case %zu", i);
	}
}

TEST(progress_fits_the_terminal)
{
	struct test_run run[30] = { 0 };
	FILE *to;
	int lines = 0;

	for (int i = 0; i < 30; i++) {
		run[i].name = (char *)"ä name that is a good deal longer than twenty columns";
		run[i].verdict = i < 2 ? TEST_FAILED : i < 28 ? TEST_RUNS : TEST_WAITS;
	}
	to = to_text();
	EXPECT_EQ(8, progress_draw(to, run, 30, 12000000000, 10, 20));
	fclose(to);
	EXPECT_EQ(0, strncmp(text, "   12 s  ä name tha\n   12 s", 28)) TH_LOG("drew:\n%s", text);
	EXPECT_NE(NULL, strstr(text, "2 of 30 ended, 2 fa\n"));
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	EXPECT_EQ(8, lines);
	/* There is no terminal so small that it draws more than it has. */
	for (unsigned int rows = 1; rows < 40; rows++) {
		to = to_text();
		EXPECT_LE(progress_draw(to, run, 30, 0, rows, 1), rows);
		fclose(to);
	}
}

TEST(nothing_without_a_terminal)
{
	struct progress progress;
	struct test_run run = { .name = (char *)"k", .verdict = TEST_RUNS };
	FILE *to = tmpfile();

	ASSERT_NE(NULL, to);
	progress_init(&progress, to, 0);
	progress_tick(&progress, &run, 1, 5000000000);
	progress_news(&progress, 6000000000);
	fflush(to);
	EXPECT_EQ(0, ftell(to));
	fclose(to);
}

TEST_HARNESS_MAIN
