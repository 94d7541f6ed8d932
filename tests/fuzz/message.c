// SPDX-License-Identifier: MIT
#include "tests/fuzz/message.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ninep/p9.h"
#include "ninep/proto.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct message messages[] = {
	{P9_TSTATFS, "Tstatfs", "f", "448888884"},
	{P9_TLOPEN, "Tlopen", "fo", "Q4"},
	{P9_TLCREATE, "Tlcreate", "fnomu", "Q4"},
	{P9_TSYMLINK, "Tsymlink", "fntu", "Q"},
	{P9_TMKNOD, "Tmknod", "fnmDu", "Q"},
	{P9_TRENAME, "Trename", "ffn", ""},
	{P9_TREADLINK, "Treadlink", "f", "S"},
	{P9_TGETATTR, "Tgetattr", "fq", "8Q444888888888888888"},
	{P9_TSETATTR, "Tsetattr", "fvmuusTT", ""},
	{P9_TXATTRWALK, "Txattrwalk", "ffx", "8"},
	{P9_TXATTRCREATE, "Txattrcreate", "fxsb", ""},
	{P9_TREADDIR, "Treaddir", "fOc", "E"},
	{P9_TFSYNC, "Tfsync", "fb", ""},
	{P9_TLOCK, "Tlock", "fylOspi", "1"},
	{P9_TGETLOCK, "Tgetlock", "fyOspi", "1884S"},
	{P9_TLINK, "Tlink", "ffn", ""},
	{P9_TMKDIR, "Tmkdir", "fnmu", "Q"},
	{P9_TRENAMEAT, "Trenameat", "fnfn", ""},
	{P9_TUNLINKAT, "Tunlinkat", "fnb", ""},
	{P9_TVERSION, "Tversion", "VS", "VS"},
	{P9_TAUTH, "Tauth", "ftau", "Q"},
	{P9_TATTACH, "Tattach", "fAtau", "Q"},
	{P9_TFLUSH, "Tflush", "w", ""},
	{P9_TWALK, "Twalk", "ffW", "W"},
	{P9_TREAD, "Tread", "fOc", "D"},
	{P9_TWRITE, "Twrite", "fOP", "c"},
	{P9_TCLUNK, "Tclunk", "f", ""},
	{P9_TREMOVE, "Tremove", "f", ""},
};

const struct message *message_find(uint8_t type)
{
	for (size_t i = 0; i < COUNT(messages); i++)
		if (messages[i].type == type)
			return &messages[i];
	return NULL;
}

const char *message_name(uint8_t type)
{
	const struct message *message = message_find(type);
	static char number[8];

	if (message)
		return message->name;
	snprintf(number, sizeof(number), "T%u", type);
	return number;
}

#define PICK(table, input) ((table)[input_byte(input) % COUNT(table)])

/* ---- values ---- */

/* clang-format off */

static const uint32_t fids[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 3, 5, 9, 1024, P9_NOFID};

static const char *const names[] = {
	"f", "d", "g", "a", "b", "f", "d", "g", "..", "abs", "rel", "up", "file", "dangling", "p",
	"m", "secret", "outside", "sub", "n", "", ".", "...", "/", "d/g", "../f", "..\\", "\xff\xfe",
};

static const char *const targets[] = {
	"f", "d", "a", "m", "..", "../outside", "../outside/secret", ".", "", "d/../f", "g",
};

static const char *const anames[] = {
	"", "/", "d", "d/", "//d//", "f", "abs", "rel", "..", "d/..", "d/g", "a", "m",
	"up/outside", ".",
};

static const char *const attributes[] = {
	"", "user.a", "user.b", "user.", "system.posix_acl_access", "system.posix_acl_default",
	"security.capability", "trusted.a", "user.virtfs.uid", "a", "nonsense.a",
};

static const uint32_t uids[] = {P9_NONUNAME, P9_NONUNAME, 0, 1000, 65534, 0x7fffffff};

static const uint32_t open_flags[] = {
	P9_OPEN_TRUNC, P9_OPEN_APPEND, P9_OPEN_DIRECT, P9_OPEN_EXCL, P9_OPEN_CREATE,
	P9_OPEN_DIRECTORY, P9_OPEN_NOATIME, P9_OPEN_NOFOLLOW, P9_OPEN_DSYNC, P9_OPEN_SYNC,
	020000000u /* O_PATH */, 020200000u /* O_TMPFILE */, 0x80000000u, 04000u /* O_NONBLOCK */,
};

static const uint32_t modes[] = {
	0644, 0755, 0666, 0777, 0, 07777, 04755, 02775, 01777, S_IFREG | 0644, S_IFIFO | 0666,
	S_IFCHR | 0666, S_IFBLK | 0666, S_IFSOCK | 0666, S_IFDIR | 0755, S_IFLNK | 0777, ~0u,
};

/* Nothing that exists, but for /dev/null. */
static const uint32_t devices[][2] = {{0, 0}, {1, 3}, {240, 1}, {0xfff, 0xfffff}, {~0u, ~0u}};

static const uint64_t offsets[] = {
	0, 0, 1, 3, 5, 100, 4095, 4096, 65536, 1u << 20, INT32_MAX, UINT32_MAX, INT64_MAX - 1,
	INT64_MAX, 1ull << 63, UINT64_MAX - 4095, UINT64_MAX,
};

static const uint32_t counts[] = {
	0, 1, 5, 24, 100, 300, 512, 4096, 8192, 65536, 1u << 20, INT32_MAX, 0xfffffff0u, ~0u,
};

static const uint16_t payloads[] = {0, 1, 5, 100, 512, 4096, 8192, 12000};

static const uint64_t sizes[] = {
	0, 0, 1, 5, 100, 4096, 65536, 65537, 1u << 20, UINT32_MAX, INT64_MAX, 1ull << 63, UINT64_MAX,
};

static const uint64_t seconds[] = {
	0, 1, 1000000000, UINT32_MAX, 1ull << 40, INT64_MAX, UINT64_MAX,
};

/* What is too many is too many for all of a Tsetattr: the last one only. */
static const uint64_t nanoseconds[] = {
	0, 1, 5, 123456789, 500000000, 999999998, 999999999, 1000000000,
};

static const uint32_t small[] = {0, 1, P9_UNLINK_REMOVEDIR, 2, 3, ~0u};

static const uint32_t msizes[] = {65536, 8192, 4096, 4095, P9_MSIZE_MAX, ~0u, 0};

static const char *const versions[] = {
	P9_VERSION, P9_VERSION, "9P2000", "9P2000.u", "", "9P2000.L.",
};

static const uint8_t lock_types[] = {0, 1, 2, 0, 1, 2, 3, 255};
/* A lock that blocks may take its time. */
static const uint32_t lock_flags[] = {0, 0, 0, P9_LOCK_FLAGS_BLOCK, 2, ~0u};
static const uint32_t processes[] = {1, 2, 0, ~0u};
static const char *const clients[] = {"one", "two", ""};

/* clang-format on */

/* ---- building ---- */

static uint32_t last_fid;

void message_start(void)
{
	last_fid = 0;
}

struct builder {
	struct input *input;
	uint8_t *t;
	size_t len;
};

static void put(struct builder *b, uint64_t v, size_t n)
{
	must(b->len + n <= MESSAGE_MAX, "the message is too long");
	for (size_t i = 0; i < n; i++)
		b->t[b->len++] = (uint8_t)(v >> 8 * i);
}

static void put_bytes(struct builder *b, const void *data, size_t len)
{
	put(b, len, 2);
	must(b->len + len <= MESSAGE_MAX, "the message is too long");
	memcpy(b->t + b->len, data, len);
	b->len += len;
}

/* One of these; or a long one; or raw bytes. */
static void put_string(struct builder *b, const char *const *table, size_t n)
{
	static const uint16_t lengths[] = {254, 255, 256, 4095, 4096, 5000};
	uint8_t choice = input_byte(b->input);
	char s[5000];

	if (choice < 224) {
		put_bytes(b, table[choice % n], strlen(table[choice % n]));
	} else if (choice < 240) {
		size_t len = lengths[choice % COUNT(lengths)];

		/* What is too long for a server is long enough. */
		if (b->len > 2 * P9_T_MAX)
			len = 1;
		memset(s, 'x', len);
		put_bytes(b, s, len);
	} else {
		size_t len = choice & 7u;

		for (size_t i = 0; i < len; i++)
			s[i] = (char)input_byte(b->input);
		put_bytes(b, s, len);
	}
}

static uint32_t bits(struct input *input, const uint32_t *table, size_t n)
{
	uint64_t chosen = input_int(input, 2);
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++)
		if (chosen >> i & 1)
			v |= table[i];
	return v;
}

static void put_walk(struct builder *b)
{
	/* Mostly one name or none, as a client has it; one too many, sometimes. */
	uint8_t choice = input_byte(b->input);
	size_t n = choice < 128 ? choice % 3 : choice % (P9_MAX_WALK + 2);

	put(b, n, 2);
	for (size_t i = 0; i < n; i++)
		put_string(b, names, COUNT(names));
}

static void put_payload(struct builder *b)
{
	uint32_t len = PICK(payloads, b->input);
	uint8_t fill = input_byte(b->input);

	/* The count is another one sometimes. */
	put(b, fill < 0xf0 ? len : PICK(counts, b->input), 4);
	/* Never like what is outside: all of that has the upper bit. */
	for (uint32_t i = 0; i < len; i++)
		put(b, (fill + i) & 0x7f, 1);
}

static void put_open_flags(struct builder *b)
{
	/* Access mode 3 is an error: seldom. */
	uint8_t access = input_byte(b->input);
	uint32_t flags = access < 16 ? 3 : access % 3;

	/* Most opens are plain. */
	if (access & 0x40)
		flags |= bits(b->input, open_flags, COUNT(open_flags));
	put(b, flags, 4);
}

/* Half of the time the one before, so that messages build on each other. */
static void put_fid(struct builder *b)
{
	uint8_t choice = input_byte(b->input);

	if (choice < 128)
		last_fid = fids[choice % COUNT(fids)];
	put(b, last_fid, 4);
}

static void put_field(struct builder *b, char field)
{
	struct input *input = b->input;
	const uint32_t *device;

	switch (field) {
	case 'f':
		put_fid(b);
		break;
	case 'n':
		put_string(b, names, COUNT(names));
		break;
	case 't':
		put_string(b, targets, COUNT(targets));
		break;
	case 'a':
		put_string(b, anames, COUNT(anames));
		break;
	case 'x':
		put_string(b, attributes, COUNT(attributes));
		break;
	case 'i':
		put_string(b, clients, COUNT(clients));
		break;
	case 'S':
		put_string(b, versions, COUNT(versions));
		break;
	case 'u':
		put(b, PICK(uids, input), 4);
		break;
	case 'o':
		put_open_flags(b);
		break;
	case 'm':
		put(b, PICK(modes, input), 4);
		break;
	case 'v':
		put(b, input_int(input, 2) & 0x3ff, 4);
		break;
	case 'b':
		put(b, PICK(small, input), 4);
		break;
	case 'D':
		device = PICK(devices, input);
		put(b, device[0], 4);
		put(b, device[1], 4);
		break;
	case 'O':
		put(b, PICK(offsets, input), 8);
		break;
	case 'c':
		put(b, PICK(counts, input), 4);
		break;
	case 's':
		put(b, PICK(sizes, input), 8);
		break;
	case 'T':
		put(b, PICK(seconds, input), 8);
		put(b, PICK(nanoseconds, input), 8);
		break;
	case 'W':
		put_walk(b);
		break;
	case 'P':
		put_payload(b);
		break;
	case 'w':
		put(b, input_byte(input) % 8, 2);
		break;
	case 'V':
		put(b, PICK(msizes, input), 4);
		break;
	case 'A':
		put(b, input_byte(input) < 240 ? P9_NOFID : 0, 4);
		break;
	case 'q':
		put(b, input_int(input, 8), 8);
		break;
	case 'y':
		put(b, PICK(lock_types, input), 1);
		break;
	case 'l':
		put(b, PICK(lock_flags, input), 4);
		break;
	case 'p':
		put(b, PICK(processes, input), 4);
		break;
	default:
		must(false, "no field is called '%c'", field);
	}
}

static void begin(struct builder *b, uint8_t type, uint16_t tag)
{
	b->len = 4;
	put(b, type, 1);
	put(b, tag, 2);
}

static size_t finish(struct builder *b)
{
	size_t len = b->len;

	b->len = 0;
	put(b, len, 4);
	return len;
}

/* Something is wrong with it: the size, the type, a byte, the end. */
static size_t spoil(struct input *input, uint8_t *t, size_t len)
{
	uint8_t how = input_byte(input), value = input_byte(input);
	size_t at = P9_HEADER + input_int(input, 2) % (len - P9_HEADER + 1);

	switch (how % 6) {
	case 0:
		t[0] = (uint8_t)(t[0] + (value & 1 ? 1 : -1));
		break;
	case 1:
		memset(t, value, 4);
		break;
	case 2: /* a device that exists must not come about by chance */
		t[4] = value != P9_TMKNOD ? value : 0;
		break;
	case 3:
		if (at < len && t[4] != P9_TMKNOD)
			t[at] = value;
		break;
	case 4: /* fewer bytes than the size says */
		return value < len ? value : len;
	default: /* cut, and the size says so */
		t[0] = (uint8_t)at;
		t[1] = (uint8_t)(at >> 8);
		return at;
	}
	return len;
}

size_t message_build(struct input *input, uint16_t tag, uint8_t *t)
{
	struct builder b = {.input = input, .t = t};
	const struct message *message = &PICK(messages, input);
	bool spoiled = input_byte(input) >= 240;
	size_t len;

	begin(&b, message->type, message->type == P9_TVERSION ? P9_NOTAG : tag);
	for (const char *field = message->t; *field; field++)
		put_field(&b, *field);
	len = finish(&b);
	return spoiled ? spoil(input, t, len) : len;
}

bool message_blocks(const uint8_t *t)
{
	/* fid[4] type[1] flags[4] */
	return t[4] == P9_TLOCK && (t[P9_HEADER + 5] & P9_LOCK_FLAGS_BLOCK);
}

size_t message_opening(unsigned int step, uint32_t msize, uint16_t tag, uint8_t *t)
{
#define BODY(bytes) bytes, sizeof(bytes) - 1
	static const struct {
		uint8_t type;
		const char *body;
		size_t len;
	} opening[] = {
		/* clang-format off */
		{P9_TVERSION, BODY("\0\0\1\0" "\10\0" P9_VERSION)},
		{P9_TATTACH, BODY("\0\0\0\0" "\377\377\377\377" "\0\0" "\0\0" "\377\377\377\377")},
		{P9_TWALK, BODY("\0\0\0\0" "\1\0\0\0" "\1\0" "\1\0f")},
		{P9_TLOPEN, BODY("\1\0\0\0" "\2\0\0\0")},
		{P9_TWALK, BODY("\0\0\0\0" "\2\0\0\0" "\0\0")},
		{P9_TLOPEN, BODY("\2\0\0\0" "\0\0\0\0")},
		{P9_TWALK, BODY("\0\0\0\0" "\3\0\0\0" "\1\0" "\1\0d")},
		{P9_TWALK, BODY("\0\0\0\0" "\4\0\0\0" "\1\0" "\3\0rel")},
		{P9_TWALK, BODY("\0\0\0\0" "\5\0\0\0" "\2\0" "\1\0d" "\1\0g")},
		{P9_TWALK, BODY("\0\0\0\0" "\6\0\0\0" "\1\0" "\1\0p")},
		{P9_TWALK, BODY("\0\0\0\0" "\7\0\0\0" "\1\0" "\1\0f")},
		{P9_TXATTRCREATE, BODY("\7\0\0\0" "\6\0user.a" "\5\0\0\0\0\0\0\0" "\0\0\0\0")},
		{P9_TXATTRWALK, BODY("\3\0\0\0" "\10\0\0\0" "\6\0user.b")},
		/* clang-format on */
	};
	struct builder b = {.t = t};

	if (step >= COUNT(opening))
		return 0;
	begin(&b, opening[step].type, step ? tag : P9_NOTAG);
	memcpy(t + b.len, opening[step].body, opening[step].len);
	b.len += opening[step].len;
	if (!step) {
		struct builder field = {.t = t, .len = P9_HEADER};

		put(&field, msize, 4);
	}
	return finish(&b);
}
