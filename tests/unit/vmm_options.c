// SPDX-License-Identifier: MIT
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "vmm/options.h"

static struct run_options opt;
static struct why why;

/* The options borrow the command's words, so these must outlive the call. */
static char *kept[64];

static int parse_words(char *words[])
{
	int n = 0;

	while ((kept[n] = words[n]))
		n++;
	memset(&why, 0, sizeof(why));
	return options_parse(&opt, n, kept, &why);
}

#define PARSE(...) parse_words((char *[]){ "run", __VA_ARGS__, NULL })
/* The sentence names the thing. */
#define EXPECT_COMPLAINT(word, ...)                                                                \
	do {                                                                                       \
		EXPECT_EQ(PARSE(__VA_ARGS__), -EINVAL);                                            \
		EXPECT_NE(strstr(why.text, word), NULL) TH_LOG("said: %s", why.text);              \
		options_free(&opt);                                                                \
	} while (0)

TEST(defaults)
{
	char *words[] = { "run", NULL };

	ASSERT_EQ(parse_words(words), 0);
	EXPECT_STREQ(opt.root, "/");
	EXPECT_FALSE(opt.root_set);
	EXPECT_EQ(opt.ram, 1024ull << 20);
	EXPECT_GE(opt.cpus, 1);
	EXPECT_LE(opt.cpus, 16);
	EXPECT_EQ(opt.timeout_ms, 0);
	EXPECT_EQ(opt.nshares, 0);
	EXPECT_EQ(opt.command[0], NULL);
	EXPECT_STREQ(opt.append, "");
	EXPECT_EQ(opt.user, NULL);
	options_free(&opt);
}

TEST(everything_at_once)
{
	ASSERT_EQ(PARSE("--share", "/tmp", "--share=/usr:/mnt/u:ro,cache=loose", "-c", "3", "-m2G",
			"--timeout", "1.5m", "--append", "a=1", "--append", "b", "--root", "busybox",
			"--kernel", "k", "--modules", "m", "--initrd", "i", "--result", "r",
			"--console-log", "l", "--io=sync", "-u", "me:us", "-v", "--stats", "--", "make", "-j", "test"),
		  0);
	EXPECT_EQ(opt.nshares, 2);
	EXPECT_STREQ(opt.share[1].host, "/usr");
	EXPECT_STREQ(opt.share[1].guest, "/mnt/u");
	EXPECT_TRUE(opt.share[1].config.flags & P9_SHARE_RO);
	EXPECT_FALSE(opt.share[0].config.flags & P9_SHARE_RO);
	EXPECT_EQ(opt.cpus, 3);
	EXPECT_EQ(opt.ram, 2ull << 30);
	EXPECT_EQ(opt.timeout_ms, 90000);
	EXPECT_STREQ(opt.append, "a=1 b");
	EXPECT_TRUE(opt.verbose);
	EXPECT_TRUE(opt.stats);
	EXPECT_STREQ(opt.user, "me:us");
	EXPECT_EQ(opt.executor, P9_EXEC_SYNC);
	EXPECT_STREQ(opt.command[0], "make");
	EXPECT_STREQ(opt.command[1], "-j");
	EXPECT_EQ(opt.command[3], NULL);
	options_free(&opt);
}

/* The command's own options are not ours, with "--" or without. */
TEST(command_ends_options)
{
	ASSERT_EQ(PARSE("ls", "-c", "99"), 0);
	EXPECT_STREQ(opt.command[1], "-c");
	options_free(&opt);
}

TEST(bad_words)
{
	EXPECT_COMPLAINT("'--nosuch'", "--nosuch");
	EXPECT_COMPLAINT("'-x'", "-x");
	EXPECT_COMPLAINT("'--share'", "--share");
	EXPECT_COMPLAINT("'--user'", "--user");
	EXPECT_COMPLAINT("'17'", "-c", "17");
	EXPECT_COMPLAINT("'0'", "--cpus=0");
	EXPECT_COMPLAINT("'two'", "--cpus", "two");
	EXPECT_COMPLAINT("'-1'", "--mem=-1");
	EXPECT_COMPLAINT("'1Q'", "-m", "1Q");
	EXPECT_COMPLAINT("'soon'", "--timeout", "soon");
	EXPECT_COMPLAINT("'uring'", "--io", "uring");
	EXPECT_COMPLAINT("--kernel", "--kernel", "");
}

TEST(sizes)
{
	uint64_t n;

	EXPECT_EQ(parse_ram("512", &n, &why), 0);
	EXPECT_EQ(n, 512ull << 20);
	EXPECT_EQ(parse_ram("65536K", &n, &why), 0);
	EXPECT_EQ(n, 64ull << 20);
	EXPECT_EQ(parse_ram("1GiB", &n, &why), 0);
	EXPECT_EQ(n, 1ull << 30);
	EXPECT_EQ(parse_ram("512mb", &n, &why), 0);
	EXPECT_EQ(n, 512ull << 20);
	/* Whole pages. */
	EXPECT_EQ(parse_ram("65537K", &n, &why), 0);
	EXPECT_EQ(n & 4095, 0);
	EXPECT_EQ(parse_ram("", &n, &why), -EINVAL);
	EXPECT_EQ(parse_ram("G", &n, &why), -EINVAL);
	EXPECT_EQ(parse_ram(" 1", &n, &why), -EINVAL);
	EXPECT_EQ(parse_ram("1Gx", &n, &why), -EINVAL);
	EXPECT_EQ(parse_ram("17592186044416T", &n, &why), -EINVAL);
	EXPECT_EQ(parse_ram("99999999999999999999", &n, &why), -EINVAL);
}

TEST(times)
{
	uint64_t ms;

	EXPECT_EQ(parse_duration("20", &ms, &why), 0);
	EXPECT_EQ(ms, 20000);
	EXPECT_EQ(parse_duration("0.5s", &ms, &why), 0);
	EXPECT_EQ(ms, 500);
	EXPECT_EQ(parse_duration("2h", &ms, &why), 0);
	EXPECT_EQ(ms, 7200000);
	EXPECT_EQ(parse_duration("1d", &ms, &why), 0);
	EXPECT_EQ(ms, 86400000);
	EXPECT_EQ(parse_duration("0", &ms, &why), 0);
	EXPECT_EQ(ms, 0);
	/* Never rounded down to "none". */
	EXPECT_EQ(parse_duration("0.0001", &ms, &why), 0);
	EXPECT_EQ(ms, 1);
	EXPECT_EQ(parse_duration("", &ms, &why), -EINVAL);
	EXPECT_EQ(parse_duration("-1", &ms, &why), -EINVAL);
	EXPECT_EQ(parse_duration("5x", &ms, &why), -EINVAL);
	EXPECT_EQ(parse_duration("5sm", &ms, &why), -EINVAL);
	EXPECT_EQ(parse_duration("inf", &ms, &why), -EINVAL);
	EXPECT_EQ(parse_duration("1e300", &ms, &why), -EINVAL);
}

TEST_HARNESS_MAIN
