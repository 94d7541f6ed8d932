// SPDX-License-Identifier: MIT
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vmm/outcome.h"

/* The result, read back from a file. NULL if it is not whole. */
static json_t *result(const struct outcome *outcome, struct console_log *log)
{
	char path[] = "/tmp/vmm_outcome.XXXXXX";
	int fd = mkstemp(path);
	json_t *json = NULL;

	if (outcome_write(outcome, log, fd) == 0 && lseek(fd, 0, SEEK_SET) == 0)
		json = json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
	close(fd);
	unlink(path);
	return json;
}

static const char *string(json_t *json, const char *object, const char *key)
{
	const char *text = json_string_value(
		json_object_get(object ? json_object_get(json, object) : json, key));

	return text ? text : "";
}

static void serial(struct console_log *log, const char *text)
{
	for (; *text; text++)
		console_log_serial(log, (uint8_t)*text);
}

/* Nothing was started: all is null, and whole all the same. */
TEST(nothing)
{
	struct outcome outcome = {
		.reason = REASON_NOT_STARTED,
		.status = STATUS_NOT_STARTED,
		.message = "why",
		.moment[MOMENT_START] = 1,
	};
	json_t *json = result(&outcome, NULL), *times;

	ASSERT_NE(json, NULL);
	EXPECT_STREQ(string(json, NULL, "reason"), "not-started");
	EXPECT_EQ(json_integer_value(json_object_get(json, "status")), 125);
	EXPECT_STREQ(string(json, NULL, "message"), "why");
	EXPECT_TRUE(json_is_null(json_object_get(json_object_get(json, "kernel"), "file")));
	times = json_object_get(json, "times_ms");
	EXPECT_EQ(json_object_size(times), MOMENTS - 1);
	EXPECT_TRUE(json_is_null(json_object_get(times, "end")));
	EXPECT_TRUE(json_is_null(json_object_get(json, "tainted")));
	EXPECT_EQ(json_array_size(json_object_get(json, "reports")), 0);
	EXPECT_TRUE(json_is_array(json_object_get(json, "sysrq")));
	json_decref(json);
}

TEST(all_of_it)
{
	static struct console_log log;
	struct outcome outcome = {
		.reason = REASON_REPORT,
		.status = STATUS_PANIC,
		.release = "6.1.0",
		.kernel = "/boot/\xff\"\n",
		.cmdline = "a=\xc3\xa9 b",
		.moment = { 1000000000, 1001000000, 0, 1002500000 },
		.tainted_known = true,
		.tainted = 1 << 0 | 1 << 7 | 1 << 9 | 1ull << 40,
		.ram = 1 << 20,
		.usage = { .guest_ms = 1, .user_ms = 2, .system_ms = 3, .peak_kib = 4 },
	};
	json_t *json, *report, *times;

	console_log_init(&log, -1, false);
	serial(&log, "[    0.0] Linux version 6.1.0 (x)\n[    1.0] BUG: bad \x80\n[    1.1] more\n");
	console_log_mark(&log);
	serial(&log, "[    2.0] asked\n");
	json = result(&outcome, &log);
	ASSERT_NE(json, NULL);
	EXPECT_STREQ(string(json, NULL, "reason"), "report");
	EXPECT_TRUE(json_is_null(json_object_get(json, "message")));
	EXPECT_STREQ(string(json, "kernel", "file"), "/boot/\\xff\"\n");
	EXPECT_STREQ(string(json, "kernel", "command_line"), "a=\xc3\xa9 b");
	EXPECT_STREQ(string(json, "kernel", "version"), "Linux version 6.1.0 (x)");
	times = json_object_get(json, "times_ms");
	EXPECT_EQ(json_real_value(json_object_get(times, "setup")), 1);
	EXPECT_TRUE(json_is_null(json_object_get(times, "loaded")));
	EXPECT_EQ(json_real_value(json_object_get(times, "guest")), 2.5);
	EXPECT_EQ(json_integer_value(json_object_get(json_object_get(json, "cpu_ms"), "system")), 3);
	EXPECT_EQ(json_integer_value(json_object_get(json_object_get(json, "memory_kib"), "guest")), 1024);
	/* Letters of the bits that have one. */
	EXPECT_STREQ(string(json, "tainted", "letters"), "PDW");
	EXPECT_EQ(json_integer_value(json_object_get(json_object_get(json, "tainted"), "flags")),
		  0x10000000281);
	report = json_array_get(json_object_get(json, "reports"), 0);
	EXPECT_STREQ(string(report, NULL, "kind"), "oops");
	EXPECT_STREQ(string(report, NULL, "line"), "BUG: bad \\x80");
	EXPECT_STREQ(string(report, NULL, "text"),
		     "[    1.0] BUG: bad \\x80\n[    1.1] more\n[    2.0] asked\n");
	EXPECT_EQ(json_integer_value(json_object_get(json_object_get(json, "report_counts"), "oops")), 1);
	EXPECT_EQ(json_array_size(json_object_get(json, "console")), 3);
	EXPECT_STREQ(json_string_value(json_array_get(json_object_get(json, "sysrq"), 0)),
		     "[    2.0] asked");
	json_decref(json);
	console_log_destroy(&log);
}

/* Whatever bytes there are, the result is whole, and what is UTF-8 is as it was. */
TEST(any_bytes)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\xb3", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\xb3" },
		{ "\xc3", "\\xc3" },
		{ "\xe2\x82", "\\xe2\\x82" },
		{ "\xc0\xaf", "\\xc0\\xaf" },		      /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },	      /* a surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* beyond U+10FFFF */
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "\x1b[2J", "\x1b[2J" }, /* JSON's own escape */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome outcome = { .reason = REASON_EXIT };
		json_t *json;

		strcpy(outcome.message, cases[i].from);
		json = result(&outcome, NULL);
		ASSERT_NE(json, NULL);
		EXPECT_STREQ(string(json, NULL, "message"), cases[i].to);
		json_decref(json);
	}
}

TEST(cannot_be_written)
{
	struct outcome outcome = { .reason = REASON_EXIT };
	FILE *full = fopen("/dev/full", "w");

	ASSERT_NE(full, NULL);
	EXPECT_EQ(outcome_write(&outcome, NULL, fileno(full)), -ENOSPC);
	fclose(full);
}

TEST(the_time_line)
{
	struct outcome outcome = {
		.reason = REASON_EXIT,
		.moment = { 1000000000, 1001000000, 0, 1002500000 },
	};
	char text[4096] = "";
	FILE *to = fmemopen(text, sizeof(text), "w");

	outcome_print_times(&outcome, to);
	fclose(to);
	EXPECT_NE(strstr(text, "the machine is made                  1.000      1.000\n"), NULL);
	EXPECT_EQ(strstr(text, "loaded"), NULL);
	EXPECT_NE(strstr(text, "the first instruction                2.500      1.500\n"), NULL);
}

/* What this process takes is more than nothing. */
TEST(usage)
{
	struct usage usage;

	usage_take(&usage);
	EXPECT_GT(usage.peak_kib, 0);
	EXPECT_EQ(usage.guest_ms, 0);
}

TEST_HARNESS_MAIN
