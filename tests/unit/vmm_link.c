// SPDX-License-Identifier: MIT
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kselftest_harness.h"
#include "vmm/link.h"

#define STREAM_MAX (3 * FRAMES_WINDOW)

/* What the link told. */
struct seen {
	int output;
	int hello;
	int vmcoreinfos;
	uint64_t note[2];
	int mounted;
	int running;
	uint64_t tainted;
	int statuses;
	int status;
	int failed;
	int broken;
	char text[4096]; /* of hello, failed, broken */
	size_t kmsg;
	char data[2][STREAM_MAX];
	size_t len[2];
	int eof[2];
	int room;
	int closed;
	struct link *link;
	bool consume; /* at once */
};

static void on_output(void *arg)
{
	((struct seen *)arg)->output++;
}

static void on_hello(void *arg, const char *release)
{
	struct seen *seen = arg;

	seen->hello++;
	strcpy(seen->text, release);
}

static void on_vmcoreinfo(void *arg, uint64_t gpa, uint64_t size)
{
	struct seen *seen = arg;

	seen->vmcoreinfos++;
	seen->note[0] = gpa;
	seen->note[1] = size;
}

static void on_mounted(void *arg)
{
	((struct seen *)arg)->mounted++;
}

static void on_running(void *arg)
{
	((struct seen *)arg)->running++;
}

static void on_tainted(void *arg, uint64_t flags)
{
	((struct seen *)arg)->tainted = flags;
}

static void on_status(void *arg, int status)
{
	struct seen *seen = arg;

	seen->statuses++;
	seen->status = status;
}

static void on_failed(void *arg, const char *message)
{
	struct seen *seen = arg;

	seen->failed++;
	strcpy(seen->text, message);
}

static void on_broken(void *arg, const char *message)
{
	struct seen *seen = arg;

	seen->broken++;
	strcpy(seen->text, message);
}

static void on_kmsg(void *arg, const void *data, size_t len)
{
	struct seen *seen = arg;

	(void)data;
	seen->kmsg += len;
}

static const struct link_ops ops = {
	.output = on_output,
	.hello = on_hello,
	.vmcoreinfo = on_vmcoreinfo,
	.mounted = on_mounted,
	.running = on_running,
	.tainted = on_tainted,
	.status = on_status,
	.failed = on_failed,
	.broken = on_broken,
	.kmsg = on_kmsg,
};

static void on_data(void *arg, enum frame_channel channel, const void *data, size_t len)
{
	struct seen *seen = arg;
	int i = channel - FRAME_STDOUT;

	if (seen->consume) {
		link_consumed(seen->link, channel, len);
	} else {
		/* The link's promise; the receiver's buffer is no larger. */
		if (seen->len[i] + len > STREAM_MAX)
			abort();
		memcpy(seen->data[i] + seen->len[i], data, len);
	}
	seen->len[i] += len;
}

static void on_eof(void *arg, enum frame_channel channel)
{
	((struct seen *)arg)->eof[channel - FRAME_STDOUT]++;
}

static void on_room(void *arg)
{
	((struct seen *)arg)->room++;
}

static void on_closed(void *arg)
{
	((struct seen *)arg)->closed++;
}

static const struct link_streams streams = {
	.data = on_data,
	.eof = on_eof,
	.room = on_room,
	.closed = on_closed,
};

FIXTURE(link)
{
	struct link *link;
	struct seen *seen;
};

FIXTURE_SETUP(link)
{
	self->seen = calloc(1, sizeof(*self->seen));
	ASSERT_NE(NULL, self->seen);
	self->link = link_new(&ops, self->seen);
	ASSERT_NE(NULL, self->link);
	self->seen->link = self->link;
	link_set_streams(self->link, &streams, self->seen);
}

FIXTURE_TEARDOWN(link)
{
	link_free(self->link);
	free(self->seen);
}

/* A frame from the guest. With data NULL, its payload is as many zeroes. */
static void guest(struct link *link, uint32_t channel, uint32_t type, const void *data, size_t len)
{
	struct frame_header head = {htole32(channel), htole32(type), htole32((uint32_t)len)};
	char *frame = calloc(1, sizeof(head) + len);

	memcpy(frame, &head, sizeof(head));
	if (data)
		memcpy(frame + sizeof(head), data, len);
	link_push(link, frame, sizeof(head) + len);
	free(frame);
}

static void guest_u32(struct link *link, uint32_t channel, uint32_t type, uint32_t value)
{
	value = htole32(value);
	guest(link, channel, type, &value, sizeof(value));
}

static void hello(struct link *link)
{
	guest(link, FRAME_CONTROL, FRAME_HELLO, "\1\0\0\0006.1.0", 9);
}

/* A frame for the guest: its header; its payload in data, if that is large enough. */
static bool next(struct link *link, struct frame_header *head, void *data, size_t cap)
{
	if (link_pull(link, head, sizeof(*head)) != sizeof(*head))
		return false;
	head->channel = le32toh(head->channel);
	head->type = le32toh(head->type);
	head->length = le32toh(head->length);
	return head->length <= cap && link_pull(link, data, head->length) == head->length;
}

/* Past START. */
static void start(struct link *link)
{
	struct frame_header head;
	char data[8];

	hello(link);
	next(link, &head, data, sizeof(data));
}

TEST_F(link, the_usual_run)
{
	struct frame_header head;
	uint64_t ns;
	time_t now = time(NULL);

	EXPECT_FALSE(link_has_output(self->link));
	hello(self->link);
	EXPECT_EQ(1, self->seen->hello);
	EXPECT_STREQ("6.1.0", self->seen->text);
	EXPECT_EQ(1, self->seen->output);
	ASSERT_TRUE(next(self->link, &head, &ns, sizeof(ns)));
	EXPECT_EQ(FRAME_CONTROL, head.channel);
	EXPECT_EQ(FRAME_START, head.type);
	EXPECT_EQ(8, head.length);
	EXPECT_LE(now, (time_t)(le64toh(ns) / 1000000000));
	EXPECT_GE(now + 5, (time_t)(le64toh(ns) / 1000000000));
	EXPECT_FALSE(link_has_output(self->link));

	guest(self->link, FRAME_KMSG, FRAME_DATA, "boot\n", 5);
	EXPECT_EQ(5, self->seen->kmsg);
	guest(self->link, FRAME_CONTROL, FRAME_MOUNTED, NULL, 0);
	guest(self->link, FRAME_CONTROL, FRAME_RUNNING, NULL, 0);
	guest(self->link, FRAME_STDOUT, FRAME_DATA, "out", 3);
	guest(self->link, FRAME_STDERR, FRAME_DATA, "error", 5);
	guest(self->link, FRAME_STDOUT, FRAME_EOF, NULL, 0);
	guest(self->link, FRAME_CONTROL, FRAME_TAINTED, "\x80\2\0\0\0\0\0\1", 8);
	EXPECT_EQ(0x0100000000000280, self->seen->tainted);
	guest_u32(self->link, FRAME_CONTROL, FRAME_STATUS, 7 << 8);
	EXPECT_EQ(1, self->seen->mounted);
	EXPECT_EQ(1, self->seen->running);
	EXPECT_EQ(0, memcmp("out", self->seen->data[0], 3));
	EXPECT_EQ(0, memcmp("error", self->seen->data[1], 5));
	EXPECT_EQ(1, self->seen->eof[0]);
	EXPECT_EQ(0, self->seen->eof[1]);
	EXPECT_EQ(1, self->seen->statuses);
	EXPECT_EQ(7 << 8, self->seen->status);
	EXPECT_EQ(0, self->seen->broken);

	/* Nothing is heard after the last word. */
	guest_u32(self->link, FRAME_CONTROL, FRAME_STATUS, 0);
	guest(self->link, 99, 99, NULL, 0);
	EXPECT_EQ(1, self->seen->statuses);
	EXPECT_EQ(0, self->seen->broken);
}

TEST_F(link, vmcoreinfo_comes_once)
{
	const uint64_t note[2] = { htole64(0x123456789000), htole64(4120) };

	start(self->link);
	guest(self->link, FRAME_CONTROL, FRAME_VMCOREINFO, note, sizeof(note));
	EXPECT_EQ(1, self->seen->vmcoreinfos);
	EXPECT_EQ(0x123456789000, self->seen->note[0]);
	EXPECT_EQ(4120, self->seen->note[1]);
	EXPECT_EQ(0, self->seen->broken);
	guest(self->link, FRAME_CONTROL, FRAME_VMCOREINFO, note, sizeof(note));
	EXPECT_EQ(1, self->seen->vmcoreinfos);
	EXPECT_EQ(1, self->seen->broken);
}

TEST_F(link, vmcoreinfo_has_a_length)
{
	start(self->link);
	guest(self->link, FRAME_CONTROL, FRAME_VMCOREINFO, NULL, 15);
	EXPECT_EQ(0, self->seen->vmcoreinfos);
	EXPECT_EQ(1, self->seen->broken);
}

TEST_F(link, frames_may_come_byte_by_byte)
{
	static const char text[] = "\0\0\0\0\x10\0\0\0\x9\0\0\0\1\0\0\0006.1.0"
				   "\2\0\0\0\1\0\0\0\2\0\0\0hi\2\0\0\0\2\0\0\0\0\0\0\0";

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		link_push(self->link, text + i, 1);
	EXPECT_EQ(0, self->seen->broken) TH_LOG("%s", self->seen->text);
	EXPECT_EQ(1, self->seen->hello);
	EXPECT_EQ(2, self->seen->len[0]);
	EXPECT_EQ(1, self->seen->eof[0]);
}

TEST_F(link, failed_comes_at_any_time_and_is_printable)
{
	guest(self->link, FRAME_CONTROL, FRAME_FAILED, "no\033[2J \t9p\n\xc3\xa9", 13);
	EXPECT_EQ(1, self->seen->failed);
	EXPECT_STREQ("no?[2J ?9p?\xc3\xa9", self->seen->text);
}

TEST_F(link, bad_frames_break_it)
{
	static const struct {
		bool greeted;
		uint32_t channel;
		uint32_t type;
		size_t len;
		bool bad;
	} cases[] = {
		{false, FRAME_STDOUT, FRAME_DATA, 1, true}, /* before HELLO */
		{false, FRAME_KMSG, FRAME_DATA, 1, true},
		{false, FRAME_KMSG, FRAME_FAILED, 1, true},
		{false, FRAME_CONTROL, FRAME_MOUNTED, 0, true},
		{false, FRAME_CONTROL, FRAME_HELLO, 3, true}, /* no version */
		{false, FRAME_CONTROL, FRAME_HELLO, 9, true}, /* version 0 */
		{true, FRAME_CONTROL, FRAME_HELLO, 9, true},  /* a second one */
		{true, FRAME_CONTROL, FRAME_MOUNTED, 0, false},
		{true, FRAME_CONTROL, FRAME_MOUNTED, 1, true},
		{true, FRAME_CONTROL, FRAME_RUNNING, 0, true}, /* before MOUNTED */
		{true, FRAME_CONTROL, FRAME_STATUS, 4, true},  /* before RUNNING */
		{true, FRAME_CONTROL, FRAME_TAINTED, 8, true}, /* before RUNNING */
		{true, FRAME_CONTROL, FRAME_FAILED, 2048, false},
		{true, FRAME_CONTROL, FRAME_FAILED, 2049, true},
		{true, FRAME_CONTROL, FRAME_START, 8, true}, /* the VMM's */
		{true, FRAME_CONTROL, FRAME_WINSIZE, 4, true},
		{true, FRAME_CONTROL, FRAME_DATA, 1, true},
		{true, FRAME_CONTROL, 0, 0, true},
		{true, FRAME_CONTROL, 24, 0, true},
		{true, FRAME_STDIN, FRAME_DATA, 1, true},
		{true, FRAME_STDIN, FRAME_EOF, 0, true},
		{true, FRAME_STDIN, FRAME_CREDIT, 4, false}, /* of nothing */
		{true, FRAME_STDIN, FRAME_CREDIT, 3, true},
		{true, FRAME_STDIN, FRAME_CREDIT, 32768, true},
		{true, FRAME_STDIN, FRAME_CLOSED, 0, false},
		{true, FRAME_STDIN, FRAME_CLOSED, 1, true},
		{true, FRAME_STDOUT, FRAME_DATA, 0, false},
		{true, FRAME_STDOUT, FRAME_DATA, FRAMES_MAX, false},
		{true, FRAME_STDOUT, FRAME_DATA, FRAMES_MAX + 1, true},
		{true, FRAME_STDOUT, FRAME_EOF, 1, true},
		{true, FRAME_STDOUT, FRAME_CREDIT, 4, true},
		{true, FRAME_STDERR, FRAME_CLOSED, 0, true},
		{true, FRAME_STDERR, FRAME_HELLO, 9, true},
		{true, FRAME_KMSG, FRAME_DATA, FRAMES_MAX, false},
		{true, FRAME_KMSG, FRAME_EOF, 0, true},
		{true, 5, FRAME_DATA, 1, true},
		{true, 0xffffffff, FRAME_DATA, 1, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct link *link = link_new(&ops, self->seen);

		link_set_streams(link, &streams, self->seen);
		self->seen->broken = 0;
		self->seen->len[0] = 0;
		if (cases[i].greeted)
			start(link);
		guest(link, cases[i].channel, cases[i].type, NULL, cases[i].len);
		EXPECT_EQ(cases[i].bad, self->seen->broken)
		{
			TH_LOG("case %zu: %s", i, self->seen->text);
		}
		link_free(link);
	}
}

TEST_F(link, a_status_must_be_an_end)
{
	start(self->link);
	guest(self->link, FRAME_CONTROL, FRAME_MOUNTED, NULL, 0);
	guest(self->link, FRAME_CONTROL, FRAME_RUNNING, NULL, 0);
	guest_u32(self->link, FRAME_CONTROL, FRAME_STATUS, 0x137f); /* stopped */
	EXPECT_EQ(1, self->seen->broken);
	EXPECT_EQ(0, self->seen->statuses);
}

TEST_F(link, output_needs_credit)
{
	struct frame_header head;
	uint32_t credit;

	start(self->link);
	for (uint32_t sent = 0; sent < FRAMES_WINDOW; sent += FRAMES_MAX)
		guest(self->link, FRAME_STDOUT, FRAME_DATA, NULL, FRAMES_MAX);
	EXPECT_EQ(FRAMES_WINDOW, self->seen->len[0]);
	EXPECT_EQ(0, self->seen->broken);
	/* The other stream has a window of its own. */
	guest(self->link, FRAME_STDERR, FRAME_DATA, NULL, 10);
	EXPECT_EQ(0, self->seen->broken);

	/* Small pieces are saved up. */
	link_consumed(self->link, FRAME_STDOUT, 100);
	EXPECT_FALSE(link_has_output(self->link));
	link_consumed(self->link, FRAME_STDOUT, FRAMES_WINDOW / 4);
	ASSERT_TRUE(next(self->link, &head, &credit, sizeof(credit)));
	EXPECT_EQ(FRAME_STDOUT, head.channel);
	EXPECT_EQ(FRAME_CREDIT, head.type);
	EXPECT_EQ(FRAMES_WINDOW / 4 + 100, le32toh(credit));
	EXPECT_FALSE(link_has_output(self->link));

	guest(self->link, FRAME_STDOUT, FRAME_DATA, NULL, FRAMES_MAX);
	guest(self->link, FRAME_STDOUT, FRAME_DATA, NULL, 100);
	EXPECT_EQ(0, self->seen->broken);
	guest(self->link, FRAME_STDOUT, FRAME_DATA, NULL, 1);
	EXPECT_EQ(1, self->seen->broken);
}

TEST_F(link, data_after_eof_breaks_it)
{
	start(self->link);
	guest(self->link, FRAME_STDERR, FRAME_EOF, NULL, 0);
	guest(self->link, FRAME_STDERR, FRAME_DATA, NULL, 1);
	EXPECT_EQ(1, self->seen->broken);
}

TEST_F(link, a_closed_stream_is_dropped_and_credited)
{
	struct frame_header head;

	start(self->link);
	link_close(self->link, FRAME_STDOUT);
	ASSERT_TRUE(next(self->link, &head, NULL, 0));
	EXPECT_EQ(FRAME_STDOUT, head.channel);
	EXPECT_EQ(FRAME_CLOSED, head.type);
	link_close(self->link, FRAME_STDOUT);
	EXPECT_FALSE(link_has_output(self->link));

	for (int i = 0; i < 20; i++) {
		guest(self->link, FRAME_STDOUT, FRAME_DATA, NULL, FRAMES_MAX);
		while (link_has_output(self->link)) {
			uint32_t credit;

			ASSERT_TRUE(next(self->link, &head, &credit, sizeof(credit)));
		}
	}
	EXPECT_EQ(0, self->seen->broken);
	EXPECT_EQ(0, self->seen->len[0]);
}

TEST_F(link, stdin_comes_out_as_it_went_in)
{
	static uint8_t in[STREAM_MAX], out[STREAM_MAX];
	size_t given = 0, taken = 0;
	struct frame_header head;
	uint8_t *data = malloc(FRAMES_MAX);

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7 + i / 251);
	/* Before HELLO nobody is there to hear it, but it is kept. */
	link_stdin(self->link, in, 1000);
	given = 1000;
	EXPECT_FALSE(link_has_output(self->link));
	start(self->link);

	while (taken < sizeof(in)) {
		size_t room = link_stdin_room(self->link);
		size_t n = sizeof(in) - given < room ? sizeof(in) - given : room;

		EXPECT_GE(FRAMES_WINDOW, given + room - taken);
		link_stdin(self->link, in + given, n);
		given += n;
		ASSERT_TRUE(next(self->link, &head, data, FRAMES_MAX));
		ASSERT_EQ(FRAME_STDIN, head.channel);
		ASSERT_EQ(FRAME_DATA, head.type);
		memcpy(out + taken, data, head.length);
		taken += head.length;
		guest_u32(self->link, FRAME_STDIN, FRAME_CREDIT, head.length);
		ASSERT_EQ(0, self->seen->broken);
	}
	EXPECT_EQ(0, memcmp(in, out, sizeof(in)));
	EXPECT_LT(0, self->seen->room);
	link_stdin_eof(self->link);
	ASSERT_TRUE(next(self->link, &head, NULL, 0));
	EXPECT_EQ(FRAME_EOF, head.type);
	EXPECT_FALSE(link_has_output(self->link));
	EXPECT_EQ(0, link_stdin_room(self->link));
	free(data);
}

TEST_F(link, stdin_stops_at_the_window)
{
	static uint8_t in[FRAMES_WINDOW];
	static uint8_t out[2 * FRAMES_WINDOW];
	size_t n;

	start(self->link);
	link_stdin(self->link, in, sizeof(in));
	EXPECT_EQ(0, link_stdin_room(self->link));
	/* More than there is room for is lost, not written elsewhere. */
	link_stdin(self->link, in, sizeof(in));
	n = link_pull(self->link, out, sizeof(out));
	EXPECT_EQ(sizeof(in) + 4 * sizeof(struct frame_header), n);
	EXPECT_EQ(0, link_stdin_room(self->link));
	EXPECT_FALSE(link_has_output(self->link));
	guest_u32(self->link, FRAME_STDIN, FRAME_CREDIT, 5);
	EXPECT_EQ(5, link_stdin_room(self->link));
	guest_u32(self->link, FRAME_STDIN, FRAME_CREDIT, FRAMES_WINDOW);
	EXPECT_EQ(1, self->seen->broken);
}

TEST_F(link, control_overtakes_stdin)
{
	static uint8_t in[FRAMES_WINDOW];
	struct frame_header head;
	uint16_t size[2];

	start(self->link);
	link_stdin(self->link, in, sizeof(in));
	link_winsize(self->link, 1, 1);
	link_winsize(self->link, 50, 100);
	ASSERT_TRUE(next(self->link, &head, size, sizeof(size)));
	EXPECT_EQ(FRAME_WINSIZE, head.type);
	EXPECT_EQ(50, le16toh(size[0]));
	EXPECT_EQ(100, le16toh(size[1]));
	ASSERT_TRUE(next(self->link, &head, in, sizeof(in)));
	EXPECT_EQ(FRAME_STDIN, head.channel);
}

/* The guest closes stdin in the middle of a frame: the frame is finished, the rest is dropped. */
TEST_F(link, stdin_closed_in_mid_frame)
{
	static uint8_t in[FRAMES_WINDOW];
	struct frame_header head;
	size_t n;

	start(self->link);
	link_stdin(self->link, in, sizeof(in));
	ASSERT_EQ(sizeof(head), link_pull(self->link, &head, sizeof(head)));
	ASSERT_EQ(10, link_pull(self->link, in, 10));
	guest(self->link, FRAME_STDIN, FRAME_CLOSED, NULL, 0);
	EXPECT_EQ(1, self->seen->closed);
	EXPECT_EQ(0, link_stdin_room(self->link));
	n = link_pull(self->link, in, sizeof(in));
	EXPECT_EQ(le32toh(head.length) - 10, n);
	EXPECT_FALSE(link_has_output(self->link));
	link_stdin(self->link, in, 10);
	link_stdin_eof(self->link);
	EXPECT_FALSE(link_has_output(self->link));
	EXPECT_EQ(0, self->seen->broken);
}

TEST_F(link, pulling_any_number_of_bytes_gives_the_same)
{
	static const char frames[] = "\0\0\0\0\x14\0\0\0\4\0\0\0\3\0\4\0"
				     "\1\0\0\0\1\0\0\0\xa\0\0\0"
				     "0123456789";
	uint8_t out[100];

	start(self->link);
	for (size_t piece = 1; piece < 50; piece++) {
		size_t n = 0, got;

		link_winsize(self->link, 3, 4);
		link_stdin(self->link, "0123456789", 10);
		while ((got = link_pull(self->link, out + n, piece)))
			n += got;
		ASSERT_EQ(sizeof(frames) - 1, n);
		EXPECT_EQ(0, memcmp(frames, out, n));
	}
}

/* A hostile guest: nothing it sends does more than break the link. With asan, this says a lot. */
TEST_F(link, random_bytes)
{
	unsigned int seed = 1;

	for (int round = 0; round < 20000; round++) {
		struct link *link = link_new(&ops, self->seen);
		uint8_t buf[600];
		size_t n = 0;

		self->seen->link = link;
		self->seen->consume = round & 1;
		self->seen->len[0] = self->seen->len[1] = 0;
		link_set_streams(link, &streams, self->seen);
		if (round % 3)
			hello(link);
		/* Mostly plausible frames, so that it gets somewhere. */
		while (n < sizeof(buf) - 80) {
			uint32_t head[3] = {htole32((uint32_t)rand_r(&seed) % 6),
					    htole32((uint32_t)rand_r(&seed) % 25),
					    htole32((uint32_t)rand_r(&seed) % 8)};

			if (rand_r(&seed) % 40 == 0)
				head[rand_r(&seed) % 3] = htole32((uint32_t)rand_r(&seed));
			memcpy(buf + n, head, sizeof(head));
			n += sizeof(head);
			for (uint32_t i = le32toh(head[2]) % 60; i; i--)
				buf[n++] = (uint8_t)rand_r(&seed);
		}
		for (size_t pos = 0; pos < n;) {
			size_t piece = (size_t)rand_r(&seed) % 30 + 1;
			uint8_t out[64];

			piece = piece < n - pos ? piece : n - pos;
			link_push(link, buf + pos, piece);
			pos += piece;
			link_stdin(link, buf, (size_t)rand_r(&seed) % 100);
			link_pull(link, out, (size_t)rand_r(&seed) % sizeof(out));
		}
		link_free(link);
	}
	EXPECT_LT(1000, self->seen->broken);
}

TEST_HARNESS_MAIN
