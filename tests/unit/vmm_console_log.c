// SPDX-License-Identifier: MIT
#include <fcntl.h>

#include "kselftest_harness.h"
#include "vmm/console_log.h"

FIXTURE(log)
{
	struct console_log log;
	char tail[8192];
	int panics;
};

static void count_panic(void *arg)
{
	(*(int *)arg)++;
}

FIXTURE_SETUP(log)
{
	self->panics = 0;
	self->tail[0] = '\0';
	console_log_init(&self->log, -1, false);
	self->log.on_panic = count_panic;
	self->log.arg = &self->panics;
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
	console_log_tail(&self->log, add_line, self->tail);
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

TEST_F(log, panic)
{
	serial(&self->log, "nothing of Kernel panic - not syncing: a rumour\n");
	kmsg(&self->log, "Kernel panic - not syncing: said by a program\n");
	EXPECT_EQ(console_log_panic(&self->log), NULL);
	EXPECT_EQ(self->panics, 0);
	serial(&self->log, "[    4.7] Kernel panic - not syncing: sysrq triggered crash\r\n");
	ASSERT_NE(console_log_panic(&self->log), NULL);
	EXPECT_NE(strstr(console_log_panic(&self->log), "sysrq"), NULL);
	serial(&self->log, "Kernel panic - not syncing: again\n");
	EXPECT_EQ(self->panics, 1);
}

TEST(file_gets_all)
{
	char path[] = "/tmp/vmm_console_log.XXXXXX", text[64] = "";
	struct console_log log = { 0 };
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
