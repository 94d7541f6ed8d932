// SPDX-License-Identifier: MIT
/* What kselftest, KUnit and others write, whole and broken. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "vmm/test_ktap.h"

static struct ktap ktap;

static void read_bytes(const char *text, size_t len)
{
	FILE *file = fmemopen((void *)text, len, "r");

	memset(&ktap, 0, sizeof(ktap));
	if (!file || ktap_read(&ktap, file))
		abort();
	fclose(file);
}

/* "passed failed skipped todo", and the items as "depth:name", "!" before what is not ok. */
static const char *counts(const char *text)
{
	static char said[64];

	read_bytes(text, strlen(text));
	snprintf(said, sizeof(said), "%lu %lu %lu %lu", ktap.passed, ktap.failed, ktap.skipped, ktap.todo);
	return said;
}

static const char *items(void)
{
	static char said[4096];
	char *to = said;

	*to = '\0';
	for (size_t i = 0; i < ktap.nitems; i++)
		to += sprintf(to, "%s%s%u:%s", i ? "|" : "", ktap.item[i].ok ? "" : "!", ktap.item[i].depth,
			      ktap.item[i].name);
	return said;
}

#define EXPECT_COUNTS(is, text)                                                                    \
	do {                                                                                       \
		EXPECT_STREQ(is, counts(text));                                                    \
		ktap_free(&ktap);                                                                  \
	} while (0)

TEST(a_program_that_says_nothing_of_tests)
{
	EXPECT_STREQ("0 0 0 0", counts("all is well\nok then\n  ok 3 nested\nnot ok at all\n"));
	EXPECT_FALSE(ktap_seen(&ktap));
	ktap_free(&ktap);
	EXPECT_COUNTS("0 0 0 0", "");
	EXPECT_COUNTS("0 0 0 0", "1..5 of them\nBail out!\n");
}

TEST(kselftest)
{
	EXPECT_STREQ("2 1 1 0", counts("TAP version 13\n"
				       "1..4\n"
				       "# selftests: timers: posix_timers\n"
				       "# Testing posix timers\n"
				       "ok 1 selftests: timers: posix_timers\n"
				       "ok 2 selftests: timers: nanosleep # SKIP\n"
				       "# Failed: 3 > 2\n"
				       "not ok 3 selftests: timers: mqueue-lat # exit=1\n"
				       "ok 4 selftests: timers: raw_skew\n"));
	EXPECT_STREQ("0:selftests: timers: posix_timers|0:selftests: timers: nanosleep"
		     "|!0:selftests: timers: mqueue-lat # exit=1|0:selftests: timers: raw_skew",
		     items());
	EXPECT_STREQ("# Failed: 3 > 2", ktap.item[2].notes);
	EXPECT_EQ(NULL, ktap.item[0].notes);
	ktap_free(&ktap);
}

TEST(kunit_nests_by_indentation)
{
	EXPECT_STREQ("3 1 0 0", counts("KTAP version 1\n"
				       "1..2\n"
				       "    KTAP version 1\n"
				       "    # Subtest: first\n"
				       "    1..2\n"
				       "    ok 1 one\n"
				       "    # two: EXPECTATION FAILED at lib/x.c:9\n"
				       "    Expected a == 1, but\n"
				       "    not ok 2 two\n"
				       "# first: pass:1 fail:1\n"
				       "not ok 1 first\n"
				       "  KTAP version 1\n"
				       "  1..1\n"
				       "    KTAP version 1\n"
				       "    1..2\n"
				       "    ok 1 a\n"
				       "    ok 2 b\n"
				       "  ok 1 deep\n"
				       "ok 2 second\n"));
	EXPECT_STREQ("1:one|!1:two|!0:first|2:a|2:b|1:deep|0:second", items());
	EXPECT_TRUE(ktap.item[2].parent);
	EXPECT_TRUE(ktap.item[5].parent);
	EXPECT_TRUE(ktap.item[6].parent);
	EXPECT_FALSE(ktap.item[1].parent);
	EXPECT_STREQ("# two: EXPECTATION FAILED at lib/x.c:9\nExpected a == 1, but", ktap.item[1].notes);
	ktap_free(&ktap);
}

TEST(kunit_in_the_kernel_log_of_older_kernels)
{
	EXPECT_STREQ("2 0 0 0", counts("[    0.1] Linux version 6.1\n"
				       "[    1.123456]     # Subtest: suite\n"
				       "[    1.123456]     1..2\n"
				       "[    1.123456]     ok 1 - one\n"
				       "[    1.123456] a line of the kernel\n"
				       "[    1.123456]     ok 2 - two\n"
				       "[    1.123456] ok 1 - suite\n"
				       "[    2.123456] more\n"));
	EXPECT_STREQ("1:one|1:two|0:suite", items());
	ktap_free(&ktap);
}

TEST(directives)
{
	EXPECT_STREQ("1 1 3 3", counts("TAP version 14\n1..8\n"
				       "ok 1 - a # SKIP no such device\n"
				       "not ok 2 - b # skip\n"
				       "ok 3 # SKIP\n"
				       "not ok 4 - c # TODO not yet\n"
				       "not ok 5 - d # XFAIL known\n"
				       "ok 6 - e # TODO it works\n"
				       "not ok 7 - f # TIMEOUT 45\n"
				       "ok 8 - issue \\#SKIP\n"));
	EXPECT_STREQ("no such device", ktap.item[0].reason);
	EXPECT_STREQ("a", ktap.item[0].name);
	EXPECT_STREQ("known", ktap.item[4].reason);
	EXPECT_STREQ("", ktap.item[1].reason);
	EXPECT_STREQ("f # TIMEOUT 45", ktap.item[6].name);
	EXPECT_STREQ("issue #SKIP", ktap.item[7].name);
	ktap_free(&ktap);
}

TEST(a_known_failure_covers_its_subtests)
{
	EXPECT_COUNTS("1 0 0 1", "KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  not ok 1 a\n  ok 2 b\n"
				 "not ok 1 all # TODO soon\n");
	/* But the next test's are its own. */
	EXPECT_COUNTS("0 1 0 1", "KTAP version 1\n1..2\n  KTAP version 1\n  1..1\n  not ok 1 a\n"
				 "not ok 1 x # TODO\n"
				 "  KTAP version 1\n  1..1\n  not ok 1 a\nnot ok 2 y\n");
}

TEST(a_failure_is_counted_once_and_never_lost)
{
	/* The one above says it is well. */
	EXPECT_COUNTS("0 1 0 0", "KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  not ok 1 a\nok 1 all\n");
	/* Only the one above fails. */
	EXPECT_COUNTS("1 1 0 0", "KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  ok 1 a\nnot ok 1 all\n");
	/* Both do. */
	EXPECT_COUNTS("0 1 0 0", "KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  not ok 1 a\nnot ok 1 all\n");
	EXPECT_COUNTS("0 1 0 0", "TAP version 13\n1..1\nnot ok\n");
}

TEST(what_was_planned_must_come)
{
	EXPECT_STREQ("2 1 0 0", counts("TAP version 13\n1..3\nok 1 a\nok 2 b\n"));
	EXPECT_STREQ("0:a|0:b|!0:3 tests were planned, 2 have a result", items());
	ktap_free(&ktap);
	EXPECT_COUNTS("2 1 0 0", "1..1\nok 1 a\nok 2 b\n");
	EXPECT_COUNTS("0 1 0 0", "1..2\n");
	/* In a subtest: then the test itself is no longer well. */
	EXPECT_STREQ("1 1 0 0", counts("KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\nok 1 all\n"));
	EXPECT_STREQ("1:a|!1:2 tests were planned, 1 have a result|0:all", items());
	ktap_free(&ktap);
	/* A plan may come last. */
	EXPECT_COUNTS("1 1 0 0", "ok 1 a\nnot ok 2 b\n1..2\n");
	EXPECT_COUNTS("1 1 0 0", "ok 1 a\n1..2\n");
}

TEST(who_announces_tests_must_plan_them)
{
	EXPECT_STREQ("1 1 0 0", counts("TAP version 13\nok 1 a\n"));
	EXPECT_NE(NULL, strstr(items(), "no plan"));
	ktap_free(&ktap);
	EXPECT_COUNTS("0 1 0 0", "TAP version 13\n");
	EXPECT_COUNTS("1 0 0 0", "ok 1 a\n");
}

TEST(output_that_breaks_off)
{
	EXPECT_STREQ("1 2 0 0", counts("KTAP version 1\n1..2\n    KTAP version 1\n    # Subtest: suite\n"
				       "    1..3\n    ok 1 a\n"));
	EXPECT_STREQ("1:a|!1:3 tests were planned, 1 have a result"
		     "|!0:suite: the result after its subtests is missing"
		     "|!0:2 tests were planned, 1 have a result",
		     items());
	ktap_free(&ktap);
	/* Without the last newline, and within a word. */
	EXPECT_COUNTS("1 0 0 0", "1..1\nok 1");
	EXPECT_COUNTS("0 1 0 0", "1..1\nnot o");
}

TEST(bailing_out)
{
	EXPECT_STREQ("1 0 0 0", counts("TAP version 13\n1..3\nok 1 a\nBail out! no memory\nok 2 b\n"));
	EXPECT_STREQ("no memory", ktap.bail);
	ktap_free(&ktap);
	EXPECT_STREQ("1 1 0 0", counts("KTAP version 1\n1..3\n  KTAP version 1\n  1..2\n  ok 1 a\n  Bail out!\n"));
	EXPECT_STREQ("", ktap.bail);
	EXPECT_TRUE(ktap_seen(&ktap));
	EXPECT_EQ(0, ktap.item[ktap.nitems - 1].depth);
	ktap_free(&ktap);
}

TEST(nothing_to_test)
{
	EXPECT_STREQ("0 0 1 0", counts("TAP version 13\n1..0 # SKIP no hardware\n"));
	EXPECT_STREQ("no hardware", ktap.item[0].reason);
	ktap_free(&ktap);
	EXPECT_COUNTS("0 0 1 0", "1..0\n");
	EXPECT_COUNTS("1 1 1 0", "1..0\nok 1 yet\n");
}

TEST(one_set_of_tests_after_another)
{
	EXPECT_COUNTS("3 0 0 0", "TAP version 13\n1..1\nok 1 a\nTAP version 13\n1..2\nok 1 b\nok 2 c\n");
	EXPECT_COUNTS("2 1 0 0", "TAP version 13\n1..2\nok 1 a\nTAP version 13\n1..1\nok 1 c\n");
	EXPECT_COUNTS("3 0 0 0", "1..1\nok 1 a\n1..2\nok 1 b\nok 2 c\n");
}

TEST(lines_of_any_kind)
{
	static const char zeros[] = "1..2\nok 1 a\0b\nnot ok 2 b\n";
	char *text = malloc(70000);

	read_bytes(zeros, sizeof(zeros) - 1);
	EXPECT_STREQ("0:ab|!0:b", items());
	ktap_free(&ktap);

	ASSERT_NE(NULL, text);
	strcpy(text, "1..2\nok 1 ");
	memset(text + 10, 'x', 60000);
	strcpy(text + 60010, "\nnot ok 2 b\n");
	EXPECT_COUNTS("1 1 0 0", text);
	free(text);

	EXPECT_STREQ("1 0 0 0", counts("1..1\r\nok 1 \x1b[31mred\xff\r\n"));
	EXPECT_STREQ("0:?[31mred?", items());
	ktap_free(&ktap);
	/* What a program says in between, and deeper. */
	EXPECT_COUNTS("1 0 0 0", "1..1\n  ok\n  not ok at all\nok 1\n");
	EXPECT_COUNTS("0 0 0 0", "1..99999999999999999999999999\n");
}

TEST(notes_are_the_last_ones)
{
	char *text = malloc(20000), *to = text;

	ASSERT_NE(NULL, text);
	to += sprintf(to, "1..1\n");
	for (int i = 0; i < 1000; i++)
		to += sprintf(to, "# note %d\n", i);
	sprintf(to, "not ok 1 a\n");
	EXPECT_STREQ("0 1 0 0", counts(text));
	free(text);
	ASSERT_NE(NULL, ktap.item[0].notes);
	EXPECT_LE(strlen(ktap.item[0].notes), 4096);
	EXPECT_EQ(0, strncmp(ktap.item[0].notes, "# note ", 7));
	EXPECT_NE(NULL, strstr(ktap.item[0].notes, "# note 999"));
	ktap_free(&ktap);
}

TEST(as_deep_and_as_many_as_there_may_be)
{
	struct ktap many = { 0 };
	char line[128];

	for (int i = 0; i < 40; i++) {
		sprintf(line, "%*sKTAP version 1", 2 * i, "");
		ASSERT_EQ(0, ktap_line(&many, line));
		sprintf(line, "%*s1..1", 2 * i, "");
		ASSERT_EQ(0, ktap_line(&many, line));
	}
	for (int i = 39; i >= 0; i--) {
		sprintf(line, "%*sok 1 deep", 2 * i, "");
		ASSERT_EQ(0, ktap_line(&many, line));
	}
	ASSERT_EQ(0, ktap_end(&many));
	for (size_t i = 0; i < many.nitems; i++)
		ASSERT_LT(many.item[i].depth, KTAP_MAX_DEPTH);
	ktap_free(&many);

	ASSERT_EQ(0, ktap_line(&many, "TAP version 13"));
	for (int i = 0; i < KTAP_MAX_ITEMS + 10; i++)
		ASSERT_EQ(0, ktap_line(&many, "ok 1"));
	ASSERT_EQ(0, ktap_end(&many));
	EXPECT_EQ(KTAP_MAX_ITEMS, many.passed);
	EXPECT_EQ(1, many.failed);
	ktap_free(&many);
}

TEST_HARNESS_MAIN
