// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "vmm/kreport.h"

static struct kreports reports;

/* Gives lines, separated by newlines, to the recogniser; returns the kinds of what begins, as words. */
static const char *feed(enum report_source source, const char *text)
{
	static char kinds[1024];
	char copy[8192], *rest = copy;

	snprintf(copy, sizeof(copy), "%s", text);
	kinds[0] = '\0';
	for (char *line; (line = strsep(&rest, "\n")) && (*line || rest);) {
		enum report_kind kind = reports_line(&reports, source, line);

		if (kind != REPORT_NONE)
			strcat(strcat(kinds, report_kind_name(kind)), " ");
	}
	return kinds;
}

static void begin(void)
{
	memset(&reports, 0, sizeof(reports));
}

static const char null_pointer[] =
	"[    7.123456] BUG: kernel NULL pointer dereference, address: 0000000000000010\n"
	"[    7.123460] #PF: supervisor write access in kernel mode\n"
	"[    7.123461] #PF: error_code(0x0002) - not-present page\n"
	"[    7.123470] PGD 0 P4D 0 \n"
	"[    7.123480] Oops: 0002 [#1] PREEMPT SMP NOPTI\n"
	"[    7.123490] CPU: 1 PID: 212 Comm: insmod Tainted: G            E      6.1.0 #1\n"
	"[    7.123495] RIP: 0010:demo_init+0x5/0x20 [demo]\n"
	"[    7.123500] Call Trace:\n"
	"[    7.123501]  <TASK>\n"
	"[    7.123502]  do_one_initcall+0x59/0x220\n"
	"[    7.123503]  </TASK>\n"
	"[    7.123504] Modules linked in: demo(E+) overlay\n"
	"[    7.123505] CR2: 0000000000000010\n"
	"[    7.123506] ---[ end trace 0000000000000000 ]---\n";

static const char warning[] =
	"[   10.000001] ------------[ cut here ]------------\n"
	"[   10.000002] refcount_t: underflow; use-after-free.\n"
	"[   10.000003] WARNING: CPU: 0 PID: 1 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110\n"
	"[   10.000004] Modules linked in:\n"
	"[   10.000005] Call Trace:\n"
	"[   10.000006]  <TASK>\n"
	"[   10.000007]  </TASK>\n"
	"[   10.000008] ---[ end trace 0000000000000000 ]---\n";

TEST(an_oops_in_full)
{
	const struct kreport *report;

	begin();
	EXPECT_STREQ(feed(REPORT_SERIAL, "[    7.0] before\n"), "");
	EXPECT_STREQ(feed(REPORT_SERIAL, null_pointer), "oops ");
	EXPECT_STREQ(feed(REPORT_SERIAL, "[    7.2] RIP: 0010:again\n"), "");
	report = reports_find(&reports, 1u << REPORT_OOPS);
	ASSERT_NE(report, NULL);
	EXPECT_STREQ(report_text(report), null_pointer);
	EXPECT_STREQ(report->line, "BUG: kernel NULL pointer dereference, address: 0000000000000010");
	EXPECT_TRUE(report_is_whole(report));
	EXPECT_EQ(reports_find(&reports, 1u << REPORT_WARN), NULL);
}

TEST(a_warning_with_its_own_message)
{
	const struct kreport *report;

	begin();
	EXPECT_STREQ(feed(REPORT_KMSG, warning), "warn ");
	report = reports_find(&reports, ~0u);
	ASSERT_NE(report, NULL);
	EXPECT_STREQ(report_text(report), warning);
	EXPECT_EQ(strncmp(report->line, "WARNING: CPU: 0 PID: 1 at lib/refcount.c:28 ", 44), 0);
}

/* Each is one report, of this kind, whole if it has an end. */
TEST(kinds)
{
	static const struct {
		const char *text, *kinds;
		bool whole;
	} cases[] = {
		{ null_pointer, "oops ", true },
		{ warning, "warn ", true },
		{ "[ 1.0] ------------[ cut here ]------------\n[ 1.1] kernel BUG at mm/slub.c:4123!\n"
		  "[ 1.2] invalid opcode: 0000 [#1] PREEMPT SMP PTI\n[ 1.3] ---[ end trace 0 ]---\n",
		  "oops ", true },
		{ "[ 1.0] general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP\n",
		  "oops ", false },
		{ "[ 1.0] invalid opcode: 0000 [#1] PREEMPT SMP NOPTI\n", "oops ", false },
		{ "[ 1.0] divide error: 0000 [#2] SMP\n", "oops ", false },
		{ "[ 1.0] BUG: unable to handle page fault for address: ffffc90000a3f000\n", "oops ", false },
		{ "[ 1.0] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000\n"
		  "[ 1.1] Internal error: Oops: 0000000096000004 [#1] SMP\n[ 1.2] ---[ end trace 0 ]---\n",
		  "oops ", true },
		{ "[ 1.0] BUG: sleeping function called from invalid context at mm/slab.h:1\n", "oops ", false },
		{ "[    T1] BUG: scheduling while atomic: sh/1/0x2\n", "oops ", false },
		{ "[   28.0][   C0] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [sh:123]\n", "lockup ",
		  false },
		{ "[   28.0] watchdog: Watchdog detected hard LOCKUP on cpu 3\n", "lockup ", false },
		{ "[   28.0] NMI watchdog: Watchdog detected hard LOCKUP on cpu 0\n", "lockup ", false },
		{ "[   28.0] BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 37s!\n",
		  "lockup ", false },
		{ "[  242.0] INFO: task mount:77 blocked for more than 120 seconds.\n"
		  "[  242.1]       Not tainted 6.1.0 #1\n"
		  "[  242.2] task:mount state:D stack:0 pid:77\n[  242.3] Call Trace:\n[  242.4]  <TASK>\n"
		  "[  242.5]  </TASK>\n",
		  "hung ", true },
		{ "[ 3.0] ==================================================================\n"
		  "[ 3.1] BUG: KASAN: slab-out-of-bounds in demo+0x12/0x40\n"
		  "[ 3.2] Write of size 1 at addr ffff8880 by task insmod/97\n[ 3.3] Call Trace:\n[ 3.4]  </TASK>\n"
		  "[ 3.5] ==================================================================\n",
		  "kasan ", true },
		{ "[ 3.0] ==================================================================\n"
		  "[ 3.1] BUG: KCSAN: data-race in a / b\n"
		  "[ 3.5] ==================================================================\n",
		  "kcsan ", true },
		{ "[ 3.1] BUG: KFENCE: use-after-free read in test+0x1/0x2\n", "kfence ", false },
		{ "[ 3.1] BUG: KMSAN: uninit-value in test+0x1/0x2\n", "kmsan ", false },
		{ "[ 3.0] ================================================================================\n"
		  "[ 3.1] UBSAN: array-index-out-of-bounds in drivers/demo.c:12:3\n"
		  "[ 3.2] index 8 is out of range for type 'int [8]'\n"
		  "[ 3.3] ================================================================================\n",
		  "ubsan ", true },
		{ "[ 3.0] ------------[ cut here ]------------\n[ 3.1] UBSAN: shift-out-of-bounds in a.c:1:2\n"
		  "[ 3.2] ---[ end trace ]---\n",
		  "ubsan ", true },
		{ "[ 3.0] ======================================================\n"
		  "[ 3.1] WARNING: possible circular locking dependency detected\n[ 3.2] 6.1.0 #1 Not tainted\n"
		  "[ 3.3] ------------------------------------------------------\n[ 3.4] stack backtrace:\n"
		  "[ 3.5]  <TASK>\n[ 3.6]  </TASK>\n",
		  "lockdep ", true },
		{ "[ 3.0] ================================\n[ 3.1] WARNING: inconsistent lock state\n", "lockdep ",
		  false },
		{ "[ 3.1] WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected\n", "lockdep ", false },
		{ "[ 3.0] =============================\n[ 3.1] WARNING: suspicious RCU usage\n", "rcu ", false },
		{ "[ 24.0] rcu: INFO: rcu_preempt self-detected stall on CPU\n"
		  "[ 24.1] rcu: \t0-....: (5250 ticks this GP)\n",
		  "rcu ", false },
		{ "[ 24.0] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:\n", "rcu ", false },
		{ "[ 1.0] Kernel panic - not syncing: Fatal exception\n[ 1.1] Kernel Offset: disabled\n", "panic ",
		  true },
		{ "[ 1.0] Kernel panic - not syncing: x\n[ 1.1] ---[ end Kernel panic - not syncing: x ]---\n",
		  "panic ", true },
		/* And none at all. */
		{ "[ 1.0] a program says BUG: here\n[ 1.1] traps: a.out[77] general protection fault ip:1\n"
		  "[ 1.2] a.out[77]: segfault at 0 ip 0 sp 0 error 4\n[ 1.3] rcu: \tRCU debug\n"
		  "[ 1.4] Spectre V2 : WARNING: Unprivileged eBPF is enabled\n"
		  "[ 1.5] NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.\n"
		  "[ 1.6] WARNING: kernel not configured for storage-class memory\n"
		  "[ 1.7] ------------[ cut here ]------------\n[ 1.8] and nothing more\n",
		  "", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct kreport *report;

		begin();
		EXPECT_STREQ(feed(REPORT_SERIAL, cases[i].text), cases[i].kinds)
		{
			TH_LOG("case %zu: %.80s", i, cases[i].text);
		}
		report = reports_find(&reports, ~0u);
		if (!*cases[i].kinds) {
			EXPECT_EQ(report, NULL);
			continue;
		}
		ASSERT_NE(report, NULL);
		EXPECT_STREQ(report_text(report), cases[i].text);
		EXPECT_EQ(report_is_whole(report), cases[i].whole)
		{
			TH_LOG("case %zu: %.80s", i, cases[i].text);
		}
	}
}

/* The same log by two ways: one report, and the longer text. */
TEST(both_sources_are_one)
{
	const struct kreport *report;

	begin();
	EXPECT_STREQ(feed(REPORT_SERIAL,
			  "[   10.000003] WARNING: CPU: 0 PID: 1 at lib/refcount.c:28 "
			  "refcount_warn_saturate+0xba/0x110\n"),
		     "warn ");
	EXPECT_STREQ(feed(REPORT_KMSG, warning), "");
	EXPECT_EQ(reports.n, 1);
	EXPECT_EQ(reports.count[REPORT_WARN], 1);
	report = reports_find(&reports, 1u << REPORT_WARN);
	EXPECT_STREQ(report_text(report), warning);
	EXPECT_TRUE(report_is_whole(report));

	/* The same words at another time are another one. */
	EXPECT_STREQ(feed(REPORT_KMSG, "[   11.0] ------------[ cut here ]------------\n"
				       "[   11.0] WARNING: CPU: 0 PID: 1 at lib/refcount.c:28 "
				       "refcount_warn_saturate+0xba/0x110\n"),
		     "warn ");
	EXPECT_EQ(reports.count[REPORT_WARN], 2);
}

/* An oops that is fatal: what led to the panic comes first. */
TEST(a_panic_after_an_oops)
{
	begin();
	EXPECT_STREQ(feed(REPORT_SERIAL, null_pointer), "oops ");
	EXPECT_STREQ(feed(REPORT_SERIAL, "[    8.0] Kernel panic - not syncing: Fatal exception\n"), "panic ");
	EXPECT_EQ(reports.report[0].kind, REPORT_OOPS);
	EXPECT_EQ(reports.report[1].kind, REPORT_PANIC);
	/* Also in the middle of one. */
	begin();
	EXPECT_STREQ(feed(REPORT_SERIAL, "[    8.0] BUG: bad\n[    8.1] Kernel panic - not syncing: on it\n"),
		     "oops panic ");
}

/* One that has no end of its own does not swallow the next. */
TEST(one_after_the_other)
{
	begin();
	EXPECT_STREQ(feed(REPORT_SERIAL, "[ 1.0] BUG: sleeping function called from invalid context\n"
					 "[ 1.1]  <TASK>\n[ 1.2]  </TASK>\n"
					 "[ 9.0] BUG: sleeping function called from invalid context\n"
					 "[ 9.1] rcu: INFO: not yet, before its trace: stall\n[ 9.2]  </TASK>\n"
					 "[ 10.0] rcu: INFO: rcu_sched self-detected stall on CPU\n"
					 "[ 11.0] watchdog: BUG: soft lockup - CPU#0 stuck for 26s!\n"
					 "[ 12.0] ------------[ cut here ]------------\n"
					 "[ 12.0] WARNING: CPU: 0 PID: 1 at a.c:1 f+0x0/0x1\n"),
		     "oops oops rcu lockup warn ");
}

/* Lines and bytes are bounded; so is the number, but the first of each kind is kept. */
TEST(bounds)
{
	const struct kreport *report;
	char line[512];

	begin();
	feed(REPORT_SERIAL, "[ 1.0] BUG: endless\n");
	for (int i = 0; i < 3 * REPORT_LINES_MAX; i++) {
		snprintf(line, sizeof(line), "[ 2.0] %0400d", i);
		reports_line(&reports, REPORT_SERIAL, line);
	}
	report = reports_find(&reports, ~0u);
	EXPECT_TRUE(report_is_whole(report));
	EXPECT_LT(strlen(report_text(report)), REPORT_TEXT_MAX);
	EXPECT_GT(strlen(report_text(report)), REPORT_TEXT_MAX - 512);
	EXPECT_EQ(report_text(report)[strlen(report_text(report)) - 1], '\n');

	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "[ %d.0] BUG: number\n[ %d.1]  </TASK>\n", i + 10, i + 10);
		feed(REPORT_SERIAL, line);
	}
	EXPECT_EQ(reports.n, REPORTS_FIRST);
	EXPECT_EQ(reports.count[REPORT_OOPS], 1001);
	EXPECT_STREQ(feed(REPORT_SERIAL, warning), "warn ");
	ASSERT_NE(reports_find(&reports, 1u << REPORT_WARN), NULL);
	EXPECT_STREQ(report_text(reports_find(&reports, 1u << REPORT_WARN)), warning);
}

TEST(withdrawn)
{
	begin();
	for (int i = 0; i < 100; i++) {
		EXPECT_STREQ(feed(REPORT_SERIAL, "[ 5.0] BUG: made up\n[ 5.1] more\n"), "oops ");
		reports_withdraw(&reports, "[ 4.0] BUG: made up"); /* another one */
		ASSERT_NE(reports_find(&reports, ~0u), NULL);
		reports_withdraw(&reports, "[ 5.0] BUG: made up");
		ASSERT_EQ(reports_find(&reports, ~0u), NULL);
	}
	EXPECT_EQ(reports.count[REPORT_OOPS], 0);
	EXPECT_EQ(reports.n, 1);
	/* What the kernel itself has in /dev/kmsg is not to be withdrawn. */
	feed(REPORT_KMSG, "[ 6.0] BUG: true\n");
	reports_withdraw(&reports, "[ 6.0] BUG: true");
	EXPECT_NE(reports_find(&reports, ~0u), NULL);
}

TEST(stamps)
{
	bool stamped;

	EXPECT_STREQ(report_skip_stamp("[    1.234567] text", &stamped), "text");
	EXPECT_TRUE(stamped);
	EXPECT_STREQ(report_skip_stamp("[    1.234567][  T123] text", &stamped), "text");
	EXPECT_STREQ(report_skip_stamp("[    1.234567]  </TASK>", &stamped), " </TASK>");
	EXPECT_STREQ(report_skip_stamp("[ BUG: Invalid wait context ]", &stamped),
		     "[ BUG: Invalid wait context ]");
	EXPECT_FALSE(stamped);
	EXPECT_STREQ(report_skip_stamp(" text", &stamped), " text");
	EXPECT_STREQ(report_skip_stamp("[", &stamped), "[");
	EXPECT_STREQ(report_skip_stamp("[]", &stamped), "[]");
	EXPECT_STREQ(report_skip_stamp("", &stamped), "");
}

TEST_HARNESS_MAIN
