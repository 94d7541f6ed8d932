// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
	EXPECT_COMPLAINT("--timeout: 'soon'", "--timeout", "soon");
	EXPECT_COMPLAINT("--boot-timeout: 'soon'", "--boot-timeout", "soon");
	EXPECT_COMPLAINT("'ops' is no kind of report: give a list of panic, oops, warn, ", "--fail-on",
			 "warn,ops");
	EXPECT_COMPLAINT("'' is no kind", "--fail-on", "oops,");
	EXPECT_COMPLAINT("'uring'", "--io", "uring");
	EXPECT_COMPLAINT("'fdt'", "--firmware", "fdt");
	EXPECT_COMPLAINT("--kernel", "--kernel", "");
}

TEST(what_ends_a_run)
{
	const unsigned int panic = 1u << REPORT_PANIC;

	ASSERT_EQ(PARSE("true"), 0);
	EXPECT_EQ(opt.fail_on, panic);
	EXPECT_EQ(opt.boot_timeout_ms, 0);
	EXPECT_FALSE(opt.timing);
	options_free(&opt);
	ASSERT_EQ(PARSE("--boot-timeout=1.5", "--timing", "--fail-on=oops,rcu"), 0);
	EXPECT_EQ(opt.fail_on, panic | 1u << REPORT_OOPS | 1u << REPORT_RCU);
	EXPECT_EQ(opt.boot_timeout_ms, 1500);
	EXPECT_TRUE(opt.timing);
	options_free(&opt);
	/* The last one counts. */
	ASSERT_EQ(PARSE("--fail-on=all"), 0);
	EXPECT_EQ(opt.fail_on, (1u << REPORT_KINDS) - panic);
	options_free(&opt);
	ASSERT_EQ(PARSE("--fail-on=all", "--fail-on=none"), 0);
	EXPECT_EQ(opt.fail_on, panic);
	options_free(&opt);
}

#define VIRTFS(n) "--virtfs=local,path=/v" n ",mount_tag=v" n ",security_model=none"

/* Shares of all kinds are one list, in the order of the options. */
TEST(foreign_shares)
{
	char path[] = "/tmp/vmm_options.XXXXXX", file[64];
	static const char xml[] = "<filesystem><source dir='/x'/><target dir='x'/><odd/></filesystem>"
				  "<filesystem><source dir='/y'/><target dir='y'/></filesystem>";
	int fd = mkstemp(path);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(write(fd, xml, strlen(xml)), strlen(xml));
	snprintf(file, sizeof(file), "--libvirt=%s", path);
	ASSERT_EQ(PARSE("--share=/a", file, VIRTFS("1"), "--share=/b"), 0) TH_LOG("%s", why.text);
	ASSERT_EQ(opt.nshares, 5);
	EXPECT_STREQ(opt.share[0].host, "/a");
	EXPECT_STREQ(opt.share[1].host, "/x");
	EXPECT_STREQ(opt.share[2].tag, "y");
	EXPECT_STREQ(opt.share[3].host, "/v1");
	EXPECT_STREQ(opt.share[4].host, "/b");
	EXPECT_FALSE(opt.share[0].foreign);
	EXPECT_TRUE(opt.share[1].foreign);
	EXPECT_NE(strstr(opt.notes.text, "<odd>: skipped"), NULL);
	options_free(&opt);

	EXPECT_COMPLAINT("more folders in it than the 1 that can be shared", VIRTFS("1"), VIRTFS("2"),
			 VIRTFS("3"), VIRTFS("4"), VIRTFS("5"), VIRTFS("6"), VIRTFS("7"), VIRTFS("8"),
			 VIRTFS("9"), VIRTFS("10"), VIRTFS("11"), VIRTFS("12"), VIRTFS("13"), VIRTFS("14"),
			 file);
	EXPECT_COMPLAINT("path= is missing", "--virtfs", "local");
	unlink(path);
	EXPECT_EQ(PARSE(file), -ENOENT);
	EXPECT_NE(strstr(why.text, path), NULL);
	options_free(&opt);
	close(fd);
}

TEST(root)
{
	ASSERT_EQ(PARSE("--root", "/a,,b,rw"), 0);
	EXPECT_STREQ(opt.root, "/a,b");
	EXPECT_TRUE(opt.root_rw);
	options_free(&opt);
	ASSERT_EQ(PARSE("--root", "/a,rw", "--root", "/b"), 0);
	EXPECT_STREQ(opt.root, "/b");
	EXPECT_FALSE(opt.root_rw);
	options_free(&opt);
	ASSERT_EQ(PARSE("--root", "/a,rw,ro"), 0);
	EXPECT_FALSE(opt.root_rw);
	options_free(&opt);
	EXPECT_COMPLAINT("'b' is none of ro and rw", "--root", "/a,b");
	EXPECT_COMPLAINT("leave out rw", "--root", "busybox,rw");
	EXPECT_COMPLAINT("name is empty", "--root", ",rw");
}

TEST(hide)
{
	ASSERT_EQ(PARSE("--hide", "/a", "--hide=none", "--hide", "/b/c*"), 0);
	EXPECT_EQ(opt.hide.n, 2);
	EXPECT_STREQ(opt.hide.entry[1].path, "/b/c*");
	EXPECT_TRUE(opt.hide_none);
	options_free(&opt);
	EXPECT_COMPLAINT("'a' is no path", "--hide", "a");
	EXPECT_COMPLAINT("'' is no path", "--hide", "");
	EXPECT_COMPLAINT("something in the root", "--hide", "/");
	EXPECT_COMPLAINT("something in the root", "--hide", "//.");
	EXPECT_COMPLAINT("without '..'", "--hide", "/a/../b");
	EXPECT_COMPLAINT("without '..'", "--hide", "/a/..");
	EXPECT_COMPLAINT("one * only", "--hide", "/a*/b");
	EXPECT_COMPLAINT("one * only", "--hide", "/a/*b*");
	EXPECT_COMPLAINT("nothing that could be hidden", "--root=busybox", "--hide", "/a");
}

TEST(env)
{
	setenv("A_1", "here", 1);
	unsetenv("UNSET");
	ASSERT_EQ(PARSE("--env", "A_1", "--env=_b=x=y", "--env", "C="), 0);
	ASSERT_EQ(opt.nenv, 3);
	EXPECT_STREQ(opt.env[0], "A_1=here");
	EXPECT_STREQ(opt.env[1], "_b=x=y");
	EXPECT_STREQ(opt.env[2], "C=");
	options_free(&opt);
	EXPECT_COMPLAINT("UNSET is not set here", "--env", "UNSET");
	EXPECT_COMPLAINT("'' is not NAME", "--env", "");
	EXPECT_COMPLAINT("'=x' is not NAME", "--env", "=x");
	EXPECT_COMPLAINT("'1a=x' is not NAME", "--env", "1a=x");
	EXPECT_COMPLAINT("'a-b=x' is not NAME", "--env", "a-b=x");
	EXPECT_COMPLAINT("'a b' is not NAME", "--env", "a b");
}

TEST(helps_fit_a_terminal)
{
	const char *const usage[] = { run_usage, run_share_usage, run_ci_usage, run_debug_usage };

	for (size_t i = 0; i < sizeof(usage) / sizeof(usage[0]); i++) {
		int lines = 0;

		for (const char *line = usage[i]; *line; line = strchr(line, '\n') + 1) {
			int columns = 0;

			for (const char *p = line; *p != '\n'; p++)
				columns += (*p & 0xc0) != 0x80;
			EXPECT_GE(80, columns) TH_LOG("%.80s", line);
			lines++;
		}
		EXPECT_GE(24, lines);
	}
	ASSERT_EQ(PARSE("--help"), 0);
	EXPECT_EQ(opt.help, &run_usage[0]);
	options_free(&opt);
	ASSERT_EQ(PARSE("--help-share"), 0);
	EXPECT_EQ(opt.help, &run_share_usage[0]);
	options_free(&opt);
	ASSERT_EQ(PARSE("--help-ci"), 0);
	EXPECT_EQ(opt.help, &run_ci_usage[0]);
	options_free(&opt);
	ASSERT_EQ(PARSE("--help-debug"), 0);
	EXPECT_EQ(opt.help, &run_debug_usage[0]);
	options_free(&opt);
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

	EXPECT_EQ(parse_duration("--timeout", "20", &ms, &why), 0);
	EXPECT_EQ(ms, 20000);
	EXPECT_EQ(parse_duration("--timeout", "0.5s", &ms, &why), 0);
	EXPECT_EQ(ms, 500);
	EXPECT_EQ(parse_duration("--timeout", "2h", &ms, &why), 0);
	EXPECT_EQ(ms, 7200000);
	EXPECT_EQ(parse_duration("--timeout", "1d", &ms, &why), 0);
	EXPECT_EQ(ms, 86400000);
	EXPECT_EQ(parse_duration("--timeout", "0", &ms, &why), 0);
	EXPECT_EQ(ms, 0);
	/* Never rounded down to "none". */
	EXPECT_EQ(parse_duration("--timeout", "0.0001", &ms, &why), 0);
	EXPECT_EQ(ms, 1);
	EXPECT_EQ(parse_duration("--timeout", "", &ms, &why), -EINVAL);
	EXPECT_EQ(parse_duration("--timeout", "-1", &ms, &why), -EINVAL);
	EXPECT_EQ(parse_duration("--timeout", "5x", &ms, &why), -EINVAL);
	EXPECT_EQ(parse_duration("--timeout", "5sm", &ms, &why), -EINVAL);
	EXPECT_EQ(parse_duration("--timeout", "inf", &ms, &why), -EINVAL);
	EXPECT_EQ(parse_duration("--timeout", "1e300", &ms, &why), -EINVAL);
}

TEST(gdb_and_core)
{
	ASSERT_EQ(PARSE("--gdb", "1234"), 0);
	EXPECT_STREQ(opt.gdb, "1234");
	EXPECT_FALSE(opt.gdb_wait);
	EXPECT_EQ(opt.core, NULL);
	options_free(&opt);
	ASSERT_EQ(PARSE("--gdb", "/a,b/wait,wait", "--core=f"), 0);
	EXPECT_STREQ(opt.gdb, "/a,b/wait");
	EXPECT_TRUE(opt.gdb_wait);
	EXPECT_STREQ(opt.core, "f");
	options_free(&opt);
	/* The last one given wins, with what it says of waiting. */
	ASSERT_EQ(PARSE("--gdb", "1,wait", "--gdb", "2"), 0);
	EXPECT_STREQ(opt.gdb, "2");
	EXPECT_FALSE(opt.gdb_wait);
	options_free(&opt);
	EXPECT_COMPLAINT("--gdb", "--gdb", "");
	EXPECT_COMPLAINT("--core", "--core", "");
}

TEST_HARNESS_MAIN
