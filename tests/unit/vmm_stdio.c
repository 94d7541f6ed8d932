// SPDX-License-Identifier: MIT
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vmm/stdio.h"

#define SENT_MAX (2 * FRAMES_WINDOW)

FIXTURE(stdio)
{
	struct loop *loop;
	struct link *link;
	struct stdio *stdio;
	struct why why;
	int quits;
	int drains;
	int timer;
	/* What the link sent to the guest, taken apart by channel. */
	char *sent;
	size_t sent_len;
	bool eof;
	int closed[2];
	size_t credit[2];
	unsigned int rows;
	unsigned int columns;
};

static void ignore(void *arg)
{
	(void)arg;
}

static void ignore_text(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static void ignore_flags(void *arg, uint64_t flags)
{
	(void)arg;
	(void)flags;
}

static void ignore_status(void *arg, int status)
{
	(void)arg;
	(void)status;
}

static void ignore_data(void *arg, const void *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
}

static void ignore_numbers(void *arg, uint64_t gpa, uint64_t size)
{
	(void)arg;
	(void)gpa;
	(void)size;
}

static const struct link_ops ops = {
	.output = ignore,
	.hello = ignore_text,
	.vmcoreinfo = ignore_numbers,
	.mounted = ignore,
	.running = ignore,
	.tainted = ignore_flags,
	.status = ignore_status,
	.failed = ignore_text,
	.broken = ignore_text,
	.kmsg = ignore_data,
};

static void count(void *arg)
{
	(*(int *)arg)++;
}

static void on_timer(void *loop, short revents)
{
	(void)revents;
	loop_stop(loop);
}

/* A frame from the guest. */
static void guest(struct link *link, uint32_t channel, uint32_t type, const void *data, size_t len)
{
	struct frame_header head = {htole32(channel), htole32(type), htole32((uint32_t)len)};

	link_push(link, &head, sizeof(head));
	link_push(link, data, len);
}

FIXTURE_SETUP(stdio)
{
	self->loop = loop_new();
	self->link = link_new(&ops, NULL);
	self->sent = malloc(SENT_MAX);
	ASSERT_TRUE(self->loop && self->link && self->sent);
	self->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	ASSERT_LE(0, loop_watch(self->loop, self->timer, POLLIN, on_timer, self->loop));
	guest(self->link, FRAME_CONTROL, FRAME_HELLO, "\1\0\0\0x", 5);
	alarm(20); /* a pump that blocks is a failure */
}

FIXTURE_TEARDOWN(stdio)
{
	stdio_free(self->stdio);
	loop_free(self->loop);
	link_free(self->link);
	close(self->timer);
	free(self->sent);
}

/* Takes in what the link sent. */
static void receive(FIXTURE_DATA(stdio) * self)
{
	struct frame_header head;
	static char data[FRAMES_MAX];

	while (link_pull(self->link, &head, sizeof(head))) {
		size_t len = le32toh(head.length);
		uint32_t credit;
		uint16_t size[2];

		if (link_pull(self->link, data, len) != len)
			abort();
		memcpy(&credit, data, sizeof(credit));
		memcpy(size, data, sizeof(size));
		switch (le32toh(head.channel) << 8 | le32toh(head.type)) {
		case FRAME_STDIN << 8 | FRAME_DATA:
			memcpy(self->sent + self->sent_len, data, len);
			self->sent_len += len;
			break;
		case FRAME_STDIN << 8 | FRAME_EOF:
			self->eof = true;
			break;
		case FRAME_STDOUT << 8 | FRAME_CLOSED:
		case FRAME_STDERR << 8 | FRAME_CLOSED:
			self->closed[le32toh(head.channel) - FRAME_STDOUT]++;
			break;
		case FRAME_STDOUT << 8 | FRAME_CREDIT:
		case FRAME_STDERR << 8 | FRAME_CREDIT:
			self->credit[le32toh(head.channel) - FRAME_STDOUT] += le32toh(credit);
			break;
		case FRAME_CONTROL << 8 | FRAME_WINSIZE:
			self->rows = le16toh(size[0]);
			self->columns = le16toh(size[1]);
			break;
		}
	}
}

/* Lets the loop do what there is to do. */
static void settle(FIXTURE_DATA(stdio) * self)
{
	struct itimerspec soon = {.it_value.tv_nsec = 30000000};

	timerfd_settime(self->timer, 0, &soon, NULL);
	loop_run(self->loop);
	receive(self);
}

static bool begin(FIXTURE_DATA(stdio) * self, int in, int out, int err, bool terminal)
{
	struct stdio_config config = {in, out, err, terminal, count, &self->quits};

	self->stdio = stdio_new(self->loop, self->link, &config, &self->why);
	return self->stdio != NULL;
}

/* So many bytes of stdout, as a guest within its window sends them. */
static void output(struct link *link, const char *data, size_t len)
{
	while (len) {
		size_t n = len < FRAMES_MAX ? len : FRAMES_MAX;

		guest(link, FRAME_STDOUT, FRAME_DATA, data, n);
		data += n;
		len -= n;
	}
}

TEST_F(stdio, pipes_both_ways)
{
	int in[2], out[2], err[2];
	char buf[16];

	ASSERT_FALSE(pipe(in) || pipe(out) || pipe(err));
	ASSERT_TRUE(begin(self, in[0], out[1], err[1], false));
	/* They are shared with others, who did not ask for this. */
	EXPECT_EQ(0, fcntl(in[0], F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(0, fcntl(out[1], F_GETFL) & O_NONBLOCK);

	ASSERT_EQ(5, write(in[1], "\1xin\0", 5));
	settle(self);
	EXPECT_EQ(5, self->sent_len);
	EXPECT_EQ(0, memcmp("\1xin\0", self->sent, 5));
	EXPECT_FALSE(self->eof);
	close(in[1]);
	settle(self);
	EXPECT_TRUE(self->eof);

	guest(self->link, FRAME_STDOUT, FRAME_DATA, "out", 3);
	guest(self->link, FRAME_STDERR, FRAME_DATA, "error", 5);
	settle(self);
	EXPECT_EQ(3, read(out[0], buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp("out", buf, 3));
	EXPECT_EQ(5, read(err[0], buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp("error", buf, 5));
	EXPECT_EQ(0, stdio_error(self->stdio));
}

TEST_F(stdio, files_and_null)
{
	char name[] = "/tmp/stdio.XXXXXX", buf[16];
	int in = mkstemp(name), null = open("/dev/null", O_RDWR), out;

	unlink(name);
	strcpy(name, "/tmp/stdio.XXXXXX");
	out = mkstemp(name);
	unlink(name);
	ASSERT_EQ(4, write(in, "file", 4));
	lseek(in, 0, SEEK_SET);
	ASSERT_TRUE(begin(self, in, out, null, false));
	settle(self);
	EXPECT_EQ(4, self->sent_len);
	EXPECT_TRUE(self->eof);
	guest(self->link, FRAME_STDOUT, FRAME_DATA, "out", 3);
	guest(self->link, FRAME_STDERR, FRAME_DATA, "error", 5);
	EXPECT_EQ(3, pread(out, buf, sizeof(buf), 0));
	EXPECT_EQ(0, stdio_error(self->stdio));
}

TEST_F(stdio, sockets)
{
	int in[2], out[2], null = open("/dev/null", O_RDWR);
	static char data[FRAMES_WINDOW], got[FRAMES_WINDOW];
	size_t len = 0;

	ASSERT_FALSE(socketpair(AF_UNIX, SOCK_STREAM, 0, in));
	ASSERT_FALSE(socketpair(AF_UNIX, SOCK_STREAM, 0, out));
	/* Smaller than what is sent, so that writing it at once would block. */
	setsockopt(out[1], SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
	ASSERT_TRUE(begin(self, in[0], out[1], null, false));
	ASSERT_EQ(2, write(in[1], "in", 2));
	memset(data, 'd', sizeof(data));
	output(self->link, data, sizeof(data));
	settle(self);
	EXPECT_EQ(2, self->sent_len);
	while (len < sizeof(got)) {
		ssize_t n = recv(out[0], got + len, sizeof(got) - len, MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			settle(self);
		else
			ASSERT_LT(0, n);
		len += n > 0 ? n : 0;
	}
	EXPECT_EQ(0, memcmp(data, got, len));
	/* Nobody sends stdin any more. */
	shutdown(in[1], SHUT_WR);
	settle(self);
	EXPECT_TRUE(self->eof);
}

/* A service's stderr is one; it has two writers, the command and ninepin. */
TEST_F(stdio, a_socket_for_stderr)
{
	int err[2], null = open("/dev/null", O_RDWR);
	char got[16];

	ASSERT_FALSE(socketpair(AF_UNIX, SOCK_STREAM, 0, err));
	ASSERT_TRUE(begin(self, null, null, err[1], false));
	guest(self->link, FRAME_STDERR, FRAME_DATA, "error", 5);
	stdio_log(self->stdio, " log", 4);
	settle(self);
	EXPECT_EQ(9, recv(err[0], got, sizeof(got), MSG_DONTWAIT));
}

/* A reader that does not read holds up only its own stream, and the guest's credit. */
TEST_F(stdio, a_full_pipe_does_not_block)
{
	int in[2], out[2], err[2];
	static char data[FRAMES_WINDOW], got[FRAMES_WINDOW];
	size_t len = 0;
	char byte;

	ASSERT_FALSE(pipe(in) || pipe(out) || pipe(err));
	ASSERT_TRUE(begin(self, in[0], out[1], err[1], false));
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 251);
	output(self->link, data, sizeof(data));
	settle(self);
	EXPECT_GT(sizeof(data), self->credit[0]);
	guest(self->link, FRAME_STDERR, FRAME_DATA, "e", 1);
	EXPECT_EQ(1, read(err[0], &byte, 1));

	stdio_drain(self->stdio, count, &self->drains);
	settle(self);
	EXPECT_EQ(0, self->drains);
	while (len < sizeof(got)) {
		ssize_t n = read(out[0], got + len, sizeof(got) - len);

		ASSERT_LT(0, n);
		len += n;
		settle(self);
	}
	EXPECT_EQ(0, memcmp(data, got, len));
	EXPECT_EQ(1, self->drains);
	EXPECT_LT(FRAMES_WINDOW / 2, self->credit[0]);
}

TEST_F(stdio, a_reader_that_goes_away_is_told)
{
	int in[2], out[2], null = open("/dev/null", O_RDWR);
	static char data[FRAMES_WINDOW];

	ASSERT_FALSE(pipe(in) || pipe(out));
	ASSERT_TRUE(begin(self, in[0], out[1], null, false));
	output(self->link, data, sizeof(data));
	settle(self);
	EXPECT_EQ(0, self->closed[0]);
	close(out[0]);
	settle(self);
	EXPECT_EQ(1, self->closed[0]);
	EXPECT_EQ(FRAMES_WINDOW, self->credit[0]);
	/* It is no error; and what still comes is dropped. */
	EXPECT_EQ(0, stdio_error(self->stdio));
	output(self->link, data, sizeof(data));
	stdio_drain(self->stdio, count, &self->drains);
	EXPECT_EQ(1, self->drains);
}

/* A write finds it out before the loop does. */
TEST_F(stdio, a_reader_that_is_gone_already)
{
	int out[2], null = open("/dev/null", O_RDWR);

	ASSERT_FALSE(pipe(out));
	ASSERT_TRUE(begin(self, null, out[1], null, false));
	close(out[0]);
	guest(self->link, FRAME_STDOUT, FRAME_DATA, "out", 3);
	receive(self);
	EXPECT_EQ(1, self->closed[0]);
	EXPECT_EQ(0, stdio_error(self->stdio));
}

/* A command that waits for something else should not have to write to find it out. */
TEST_F(stdio, a_reader_that_goes_away_before_any_output)
{
	int out[2], null = open("/dev/null", O_RDWR);

	ASSERT_FALSE(pipe(out));
	ASSERT_TRUE(begin(self, null, out[1], null, false));
	guest(self->link, FRAME_STDOUT, FRAME_DATA, "out", 3);
	settle(self);
	EXPECT_EQ(0, self->closed[0]);
	close(out[0]);
	settle(self);
	EXPECT_EQ(1, self->closed[0]);
}

TEST_F(stdio, a_full_disk_is_an_error)
{
	int null = open("/dev/null", O_RDWR), full = open("/dev/full", O_WRONLY);

	ASSERT_LE(0, full);
	ASSERT_TRUE(begin(self, null, full, null, false));
	guest(self->link, FRAME_STDOUT, FRAME_DATA, "out", 3);
	settle(self);
	EXPECT_EQ(-ENOSPC, stdio_error(self->stdio));
	EXPECT_EQ(1, self->closed[0]);
}

TEST_F(stdio, stdin_waits_for_the_guest)
{
	int in[2], null = open("/dev/null", O_RDWR);
	static char data[65536];
	uint32_t credit = htole32(1000);
	size_t written = 0;
	ssize_t n;

	ASSERT_FALSE(pipe(in));
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	ASSERT_TRUE(begin(self, in[0], null, null, false));
	for (int i = 0; i < 10; i++) {
		while ((n = write(in[1], data, sizeof(data))) > 0)
			written += n;
		settle(self);
	}
	EXPECT_LT(FRAMES_WINDOW, written);
	EXPECT_EQ(FRAMES_WINDOW, self->sent_len);
	guest(self->link, FRAME_STDIN, FRAME_CREDIT, &credit, sizeof(credit));
	settle(self);
	EXPECT_EQ(FRAMES_WINDOW + 1000, self->sent_len);

	guest(self->link, FRAME_STDIN, FRAME_CLOSED, NULL, 0);
	settle(self);
	EXPECT_EQ(FRAMES_WINDOW + 1000, self->sent_len);
	EXPECT_FALSE(self->eof);
}

TEST_F(stdio, log_text_never_blocks_and_says_what_it_dropped)
{
	int null = open("/dev/null", O_RDWR), err[2];
	static char line[10000], got[2 * FRAMES_WINDOW];
	size_t len = 0;

	ASSERT_FALSE(pipe(err));
	ASSERT_TRUE(begin(self, null, null, err[1], false));
	memset(line, 'l', sizeof(line));
	for (int i = 0; i < 40; i++)
		stdio_log(self->stdio, line, sizeof(line));
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 10; i++) {
		ssize_t n = read(err[0], got + len, sizeof(got) - len);

		len += n > 0 ? n : 0;
		settle(self);
	}
	stdio_log(self->stdio, "last\n", 5);
	memset(line, 0, sizeof(line));
	EXPECT_LT(0, read(err[0], line, sizeof(line) - 1));
	EXPECT_LT(FRAMES_WINDOW, len);
	EXPECT_NE(NULL, strstr(line, "pieces of the log dropped\nlast\n"));
	EXPECT_EQ(0, len % sizeof(line));
}

/* A terminal: the slave is ours, the master is the user. */
static bool open_terminal(int *master, int *slave)
{
	struct winsize size = {.ws_row = 40, .ws_col = 132};

	*master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (*master < 0 || grantpt(*master) || unlockpt(*master))
		return false;
	*slave = open(ptsname(*master), O_RDWR | O_NOCTTY);
	return *slave >= 0 && !ioctl(*slave, TIOCSWINSZ, &size);
}

TEST_F(stdio, a_terminal_is_raw_and_restored)
{
	int master, slave;
	struct termios before, during, after;
	struct winsize size = {.ws_row = 50, .ws_col = 90};
	char buf[64];

	ASSERT_TRUE(open_terminal(&master, &slave));
	EXPECT_TRUE(stdio_is_terminal(slave, slave));
	tcgetattr(slave, &before);
	ASSERT_TRUE(begin(self, slave, slave, slave, true));
	tcgetattr(slave, &during);
	EXPECT_EQ(0, during.c_lflag & (ICANON | ECHO | ISIG));
	EXPECT_EQ(0, during.c_oflag & OPOST);
	EXPECT_EQ(0, fcntl(slave, F_GETFL) & O_NONBLOCK);
	receive(self);
	EXPECT_EQ(40, self->rows);
	EXPECT_EQ(132, self->columns);

	ioctl(slave, TIOCSWINSZ, &size);
	raise(SIGWINCH); /* it is not our controlling terminal */
	settle(self);
	EXPECT_EQ(50, self->rows);
	EXPECT_EQ(90, self->columns);

	/* The guest's bytes as they are; our own text with a return. */
	guest(self->link, FRAME_STDOUT, FRAME_DATA, "a\nb", 3);
	stdio_log(self->stdio, "c\n", 2);
	settle(self);
	EXPECT_EQ(6, read(master, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp("a\nbc\r\n", buf, 6));

	stdio_free(self->stdio);
	self->stdio = NULL;
	tcgetattr(slave, &after);
	EXPECT_EQ(before.c_iflag, after.c_iflag);
	EXPECT_EQ(before.c_oflag, after.c_oflag);
	EXPECT_EQ(before.c_lflag, after.c_lflag);
	EXPECT_EQ(before.c_cc[VMIN], after.c_cc[VMIN]);
	stdio_restore();
}

TEST_F(stdio, ctrl_a)
{
	int master, slave;

	ASSERT_TRUE(open_terminal(&master, &slave));
	ASSERT_TRUE(begin(self, slave, slave, slave, true));
	/* Split between two reads, too. */
	ASSERT_EQ(6, write(master, "1\1a\1\1\1", 6));
	settle(self);
	ASSERT_EQ(3, write(master, "ab\3", 3));
	settle(self);
	EXPECT_EQ(6, self->sent_len);
	EXPECT_EQ(0, memcmp("1\1\1\1b\3", self->sent, 6));
	ASSERT_EQ(2, write(master, "\1z", 2));
	settle(self);
	EXPECT_EQ(0, memcmp("\1z", self->sent + 6, 2));
	EXPECT_EQ(0, self->quits);
	ASSERT_EQ(4, write(master, "q\1xn", 4));
	settle(self);
	EXPECT_EQ(1, self->quits);
}

/* A guest that reads nothing must not keep the user from leaving. */
TEST_F(stdio, ctrl_a_x_is_heard_when_stdin_is_full)
{
	static char data[FRAMES_WINDOW];
	int master, slave;

	ASSERT_TRUE(open_terminal(&master, &slave));
	ASSERT_TRUE(begin(self, slave, slave, slave, true));
	link_stdin(self->link, data, sizeof(data));
	settle(self);
	EXPECT_EQ(0, link_stdin_room(self->link));
	ASSERT_EQ(5, write(master, "lost\1", 5));
	settle(self);
	ASSERT_EQ(1, write(master, "x", 1));
	settle(self);
	EXPECT_EQ(1, self->quits);
}

TEST_F(stdio, a_terminal_that_hangs_up_ends_the_input)
{
	int master, slave;

	ASSERT_TRUE(open_terminal(&master, &slave));
	ASSERT_TRUE(begin(self, slave, slave, slave, true));
	close(master);
	settle(self);
	EXPECT_TRUE(self->eof);
	EXPECT_EQ(1, self->closed[0]);
}

TEST(closed_descriptors_become_null)
{
	char byte;
	int fd;

	fflush(NULL);
	close(0);
	stdio_sanitize();
	ASSERT_EQ(0, read(0, &byte, 1));
	fd = open("/dev/null", O_RDONLY);
	EXPECT_LT(2, fd);
	close(fd);
}

TEST_HARNESS_MAIN
