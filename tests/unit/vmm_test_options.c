// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "kselftest_harness.h"
#include "vmm/test.h"

static struct test_options opt;
static struct why why;
static char *kept[64]; /* the options borrow the words */

static int parse_words(char *words[])
{
	int n = 0;

	while ((kept[n] = words[n]))
		n++;
	memset(&why, 0, sizeof(why));
	return test_options_parse(&opt, n, kept, &why);
}

#define PARSE(...) parse_words((char *[]){ "test", __VA_ARGS__, NULL })
#define EXPECT_COMPLAINT(word, ...)                                                                \
	do {                                                                                       \
		EXPECT_EQ(PARSE(__VA_ARGS__), -EINVAL);                                            \
		EXPECT_NE(strstr(why.text, word), NULL) TH_LOG("said: %s", why.text);              \
		test_options_free(&opt);                                                           \
	} while (0)

TEST(defaults)
{
	ASSERT_EQ(0, PARSE("k", "--", "true"));
	EXPECT_EQ(1, opt.nkernels);
	EXPECT_STREQ("k", opt.kernel[0]);
	EXPECT_EQ(1, opt.ncpus);
	EXPECT_GE(opt.cpus[0], 1);
	EXPECT_FALSE(opt.cpus_set);
	EXPECT_EQ(1, opt.nvariants);
	EXPECT_STREQ("", opt.variant[0]);
	EXPECT_GE(opt.jobs, 1);
	EXPECT_EQ(NULL, opt.logs);
	EXPECT_EQ(1, opt.npass);
	EXPECT_STREQ("--timeout=30m", opt.pass[0]);
	EXPECT_STREQ("true", opt.command[0]);
	test_options_free(&opt);
}

TEST(options_kernels_and_the_command)
{
	ASSERT_EQ(0, PARSE("-j3", "a", "--cpus", "1,2,16", "-m", "300", "b", "--variant=nosmt quiet", "--variant", "",
			   "--append", "x=1", "--append=y", "--timeout", "5", "--root=busybox", "--stats", "-v", "--junit",
			   "j", "--logs", "l", "c", "--", "make", "--jobs", "4"));
	EXPECT_EQ(3, opt.nkernels);
	EXPECT_STREQ("c", opt.kernel[2]);
	EXPECT_EQ(3, opt.ncpus);
	EXPECT_EQ(16, opt.cpus[2]);
	EXPECT_TRUE(opt.cpus_set);
	EXPECT_EQ(2, opt.nvariants);
	EXPECT_STREQ("nosmt quiet", opt.variant[0]);
	EXPECT_EQ(3, opt.jobs);
	EXPECT_STREQ("j", opt.junit);
	EXPECT_STREQ("l", opt.logs);
	ASSERT_EQ(8, opt.npass);
	EXPECT_STREQ("--mem=300", opt.pass[1]);
	EXPECT_STREQ("--append=x=1", opt.pass[2]);
	/* Behind the default, so it wins. */
	EXPECT_STREQ("--timeout=5", opt.pass[4]);
	EXPECT_STREQ("--stats", opt.pass[6]);
	EXPECT_STREQ("--verbose", opt.pass[7]);
	EXPECT_STREQ("make", opt.command[0]);
	EXPECT_STREQ("4", opt.command[2]);
	test_options_free(&opt);
}

TEST(what_is_refused)
{
	EXPECT_COMPLAINT("kernel", "--", "true");
	EXPECT_COMPLAINT("command", "k");
	EXPECT_COMPLAINT("command", "k", "--");
	EXPECT_COMPLAINT("--bogus", "--bogus", "k", "--", "true");
	EXPECT_COMPLAINT("needs a value", "k", "--mem");
	EXPECT_COMPLAINT("--jobs", "-j", "0", "k", "--", "true");
	EXPECT_COMPLAINT("--jobs", "-j", "many", "k", "--", "true");
	EXPECT_COMPLAINT("--jobs", "-j", "4294967297", "k", "--", "true");
	EXPECT_COMPLAINT("--cpus", "-c", "1,,2", "k", "--", "true");
	EXPECT_COMPLAINT("--cpus", "-c", "1,", "k", "--", "true");
	EXPECT_COMPLAINT("--cpus", "-c", "1x", "k", "--", "true");
	/* By the check of `ninepin run`. */
	EXPECT_COMPLAINT("17", "-c", "1,17", "k", "--", "true");
	EXPECT_COMPLAINT("--mem", "-m", "lots", "k", "--", "true");
	EXPECT_COMPLAINT("--timeout", "--timeout", "soon", "k", "--", "true");
	/* Of `ninepin run`, but with no meaning for many. */
	EXPECT_COMPLAINT("--kernel", "--kernel", "k", "--", "true");
	EXPECT_COMPLAINT("--result", "--result", "r", "k", "--", "true");
	EXPECT_COMPLAINT("--console-log", "--console-log=c", "k", "--", "true");
	EXPECT_COMPLAINT("--core", "--core=c", "k", "--", "true");
	EXPECT_COMPLAINT("--gdb", "--gdb=1234", "k", "--", "true");
	EXPECT_COMPLAINT("ninepin run --help-share", "--help-share", "k", "--", "true");
}

TEST(more_runs_than_there_may_be)
{
	char list[2 * 600 + 1], *words[2 + 600 + 3] = { "test", "-c" };
	int n = 2;

	for (int i = 0; i < 600; i++)
		memcpy(list + 2 * i, "1,", 2);
	list[2 * 600 - 1] = '\0';
	words[n++] = list;
	for (int i = 0; i < 8; i++)
		words[n++] = "k";
	words[n++] = "--";
	words[n++] = "true";
	EXPECT_EQ(-EINVAL, test_options_parse(&opt, n, words, &why));
	EXPECT_NE(NULL, strstr(why.text, "4096"));
	test_options_free(&opt);
}

/* 80 × 24, with a prompt below it. */
TEST(help_fits_a_terminal)
{
	int lines = 0;

	for (const char *line = test_usage; *line; lines++) {
		size_t columns = 0;

		for (; *line != '\n'; line++)
			columns += ((unsigned char)*line & 0xc0) != 0x80;
		EXPECT_LE(columns, 80) TH_LOG("line %d", lines + 1);
		line++;
	}
	EXPECT_LE(lines, 23);
	ASSERT_EQ(0, PARSE("--help"));
	EXPECT_TRUE(opt.help);
	test_options_free(&opt);
}

TEST_HARNESS_MAIN
