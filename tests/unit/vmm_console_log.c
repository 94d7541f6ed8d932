// SPDX-License-Identifier: MIT
#include <fcntl.h>

#include "kselftest_harness.h"
#include "vmm/console_log.h"

FIXTURE(log)
{
	struct console_log log;
	char tail[8192];
	int begun[REPORT_KINDS];
};

static void count_report(void *arg, enum report_kind kind)
{
	__atomic_add_fetch((int *)arg + kind, 1, __ATOMIC_RELAXED);
}

FIXTURE_SETUP(log)
{
	memset(self, 0, sizeof(*self));
	console_log_init(&self->log, -1, false);
	self->log.on_report = count_report;
	self->log.arg = self->begun;
}

FIXTURE_TEARDOWN(log)
{
	console_log_destroy(&self->log);
}

static void serial(struct console_log *log, const char *text)
{
	for (; *text; text++)
		console_log_serial(log, (uint8_t)*text);
}

static void kmsg(struct console_log *log, const char *text)
{
	console_log_kmsg(log, text, strlen(text));
}

static void add_line(void *arg, const char *text)
{
	strcat(strcat(arg, text), "|");
}

static const char *tail(FIXTURE_DATA(log) *self)
{
	self->tail[0] = '\0';
	console_log_tail(&self->log, CONSOLE_TAIL, add_line, self->tail);
	return self->tail;
}

TEST_F(log, last_twenty_lines)
{
	char line[16];

	EXPECT_STREQ(tail(self), "");
	for (int i = 0; i < 100; i++) {
		sprintf(line, "%d\r\n", i);
		serial(&self->log, line);
	}
	serial(&self->log, "unended");
	EXPECT_EQ(strncmp(tail(self), "81|82|", 6), 0);
	EXPECT_NE(strstr(self->tail, "99|unended|"), NULL);
}

/* Warnings come by the serial console and by /dev/kmsg: once is enough. */
TEST_F(log, no_line_twice)
{
	serial(&self->log, "[    1.0] a warning\n");
	kmsg(&self->log, "[    0.9] info\n[    1.0] a warning\n[    1.1] mo");
	kmsg(&self->log, "re\n");
	EXPECT_STREQ(tail(self), "[    1.0] a warning|[    0.9] info|[    1.1] more|");
}

/* What a terminal would act on is left out, and long lines are cut. */
TEST_F(log, harmless)
{
	serial(&self->log, "a\033[31mred\a\n");
	for (int i = 0; i < 2000; i++)
		serial(&self->log, "x");
	serial(&self->log, "\n");
	EXPECT_EQ(strncmp(tail(self), "a[31mred|xxx", 12), 0);
	EXPECT_LT(strlen(self->tail), 600);
}

static const char *line_of(FIXTURE_DATA(log) *self, enum report_kind of)
{
	static char text[REPORT_KEY_MAX];
	enum report_kind kind;
	bool whole;

	return console_log_report(&self->log, 1u << of, &kind, text, sizeof(text), &whole) ? text : "";
}

TEST_F(log, panic)
{
	serial(&self->log, "[    4.6] nothing of Kernel panic - not syncing: a rumour\n");
	EXPECT_STREQ(line_of(self, REPORT_PANIC), "");
	serial(&self->log, "[    4.7] Kernel panic - not syncing: sysrq triggered crash\r\n");
	EXPECT_STREQ(line_of(self, REPORT_PANIC), "Kernel panic - not syncing: sysrq triggered crash");
	EXPECT_EQ(self->begun[REPORT_PANIC], 1);
}

/* What a program prints to the console has no time before it, if the kernel's lines do. */
TEST_F(log, a_program_on_the_console)
{
	serial(&self->log, "[    0.1] Linux version 6.1.0 (gcc) #1\n");
	EXPECT_STREQ(self->log.version, "Linux version 6.1.0 (gcc) #1");
	serial(&self->log, "Kernel panic - not syncing: said by a program\n");
	EXPECT_STREQ(line_of(self, REPORT_PANIC), "");
	serial(&self->log, "[    4.7] Kernel panic - not syncing: true\n");
	EXPECT_STREQ(line_of(self, REPORT_PANIC), "Kernel panic - not syncing: true");
}

/* A kernel without CONFIG_PRINTK_TIME. */
TEST_F(log, without_times)
{
	serial(&self->log, "Linux version 6.1.0 (gcc) #1\n");
	serial(&self->log, "[1] a program\n");
	serial(&self->log, "Kernel panic - not syncing: true\n");
	EXPECT_EQ(self->begun[REPORT_PANIC], 1);
}

/* /dev/kmsg says who wrote a line: what only a program said is not believed, also if it came by the console
 * before. */
TEST_F(log, a_program_in_kmsg)
{
	kmsg(&self->log, "\1[    1.0] BUG: a program's\n[    1.1] usual\n");
	EXPECT_EQ(self->begun[REPORT_OOPS], 0);
	EXPECT_STREQ(tail(self), "[    1.0] BUG: a program's|[    1.1] usual|");
	serial(&self->log, "[    2.0] BUG: a program's\n");
	EXPECT_EQ(self->begun[REPORT_OOPS], 1);
	EXPECT_STREQ(line_of(self, REPORT_OOPS), "BUG: a program's");
	kmsg(&self->log, "\1[    2.0] BUG: a program's\n");
	EXPECT_STREQ(line_of(self, REPORT_OOPS), "");
	kmsg(&self->log, "[    3.0] BUG: the kernel's\n");
	EXPECT_STREQ(line_of(self, REPORT_OOPS), "BUG: the kernel's");
	EXPECT_EQ(self->begun[REPORT_OOPS], 2);
}

/* With echo the console has the whole log; kmsg is still watched. */
TEST_F(log, echo_and_kmsg)
{
	self->log.echo = true;
	kmsg(&self->log, "[    1.0] BUG: only here\n");
	EXPECT_STREQ(tail(self), "");
	EXPECT_EQ(self->begun[REPORT_OOPS], 1);
}

/* What comes after the mark pushes nothing out of the tail. */
TEST_F(log, mark)
{
	static char after[1 << 17];

	for (int i = 0; i < 1000; i++)
		serial(&self->log, i == 998 ? "before\n" : i == 999 ? "last" : "early\n");
	console_log_mark(&self->log);
	console_log_after_mark(&self->log, add_line, after);
	EXPECT_STREQ(after, "");
	for (int i = 0; i < 2 * CONSOLE_LINES; i++)
		serial(&self->log, i ? "dump\n" : "first\n");
	EXPECT_NE(strstr(tail(self), "early|before|last|"), NULL);
	EXPECT_EQ(strstr(self->tail, "dump"), NULL);
	console_log_after_mark(&self->log, add_line, after);
	EXPECT_EQ(strncmp(after, "first|dump|", 11), 0);
	EXPECT_EQ(console_log_tail(&self->log, CONSOLE_KEPT, add_line, after), CONSOLE_KEPT);
}

static void *serial_thread(void *arg)
{
	for (int i = 0; i < 2000; i++)
		serial(arg, "[    1.0] BUG: both\n[    1.1]  </TASK>\n");
	return NULL;
}

/* A vCPU's thread writes while the main thread reads; for ThreadSanitizer. */
TEST_F(log, two_threads)
{
	pthread_t thread;

	ASSERT_EQ(pthread_create(&thread, NULL, serial_thread, &self->log), 0);
	for (int i = 0; i < 2000; i++) {
		kmsg(&self->log, "\1[    1.0] BUG: both\n[    1.2] BUG: kmsg\n[    1.3]  </TASK>\n");
		line_of(self, REPORT_OOPS);
		console_log_traffic(&self->log);
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(console_log_traffic(&self->log), 2000 * 5);
	EXPECT_GE(__atomic_load_n(&self->begun[REPORT_OOPS], __ATOMIC_RELAXED), 2000);
}

TEST(file_gets_all)
{
	char path[] = "/tmp/vmm_console_log.XXXXXX", text[64] = "";
	static struct console_log log;
	int fd = mkstemp(path);

	ASSERT_GE(fd, 0);
	console_log_init(&log, fd, false);
	serial(&log, "one\r\n");
	kmsg(&log, "one\ntwo\n");
	EXPECT_EQ(pread(fd, text, sizeof(text) - 1, 0), 8);
	EXPECT_STREQ(text, "one\ntwo\n");
	console_log_destroy(&log);
	unlink(path);
}

TEST_HARNESS_MAIN
