// SPDX-License-Identifier: MIT
/* Whether a reply is one. */
#include <endian.h>
#include <string.h>

#include "ninep/p9.h"
#include "ninep/proto.h"
#include "tests/fuzz/message.h"
#include "tests/fuzz/scratch.h"

/* A reply that is being taken apart. */
struct reader {
	const uint8_t *p, *end;
	const char *name; /* of the T-message */
};

static uint64_t get(struct reader *r, size_t n)
{
	uint64_t v = 0;

	must((size_t)(r->end - r->p) >= n, "the reply to %s is too short", r->name);
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)*r->p++ << 8 * i;
	return v;
}

static const uint8_t *get_bytes(struct reader *r, size_t n)
{
	const uint8_t *p = r->p;

	must((size_t)(r->end - r->p) >= n, "the reply to %s is too short", r->name);
	r->p += n;
	return p;
}

static void check_qid(struct reader *r)
{
	uint8_t type = (uint8_t)get(r, 1);
	uint64_t path;

	get(r, 4);
	path = get(r, 8);
	must(!(type & ~(P9_QTDIR | P9_QTSYMLINK)), "%s: qid of type %#x", r->name, type);
	must(!scratch_is_outside(path), "%s: escaped to file %llu", r->name,
	     (unsigned long long)path);
}

static void check_entries(struct reader *r)
{
	while (r->p < r->end) {
		size_t len;

		check_qid(r);
		get(r, 8);
		get(r, 1);
		len = get(r, 2);
		must(len && !memchr(get_bytes(r, len), '/', len), "%s: a bad name", r->name);
	}
}

/* The T-message's integer so far behind its header. */
static uint64_t asked(const uint8_t *t, int at, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, t + P9_HEADER + at, n);
	return le64toh(v);
}

static bool is_bad_name(const uint8_t *s, size_t len)
{
	return !len || len > P9_NAME_LEN ||
	       (s[0] == '.' && (len == 1 || (len == 2 && s[1] == '.'))) || memchr(s, '/', len) ||
	       memchr(s, 0, len);
}

/* A folder below the share: names with slashes between and around them. */
static bool is_bad_path(const uint8_t *s, size_t len)
{
	while (len) {
		const uint8_t *slash = memchr(s, '/', len);
		size_t name = slash ? (size_t)(slash - s) : len;

		if (name && is_bad_name(s, name))
			return true;
		s += slash ? name + 1 : name;
		len -= slash ? name + 1 : name;
	}
	return false;
}

/* What succeeded was asked for in names that are names. */
static void check_asked(const struct message *message, const uint8_t *t)
{
	struct reader r = {.p = t + P9_HEADER, .end = t + MESSAGE_MAX, .name = message->name};
	const uint8_t *s;
	size_t len;

	for (const char *field = message->t; *field; field++) {
		switch (*field) {
		case 'n':
		case 'a':
		case 't':
		case 'x':
		case 'i':
		case 'S':
			len = get(&r, 2);
			s = get_bytes(&r, len);
			must(*field != 'n' || !is_bad_name(s, len), "%s: a bad name was taken",
			     r.name);
			must(*field != 'a' || !is_bad_path(s, len), "%s: a bad path was taken",
			     r.name);
			break;
		case 'y':
			get(&r, 1);
			break;
		case 'O':
		case 's':
		case 'q':
		case 'D':
			get(&r, 8);
			break;
		case 'T':
			get(&r, 8);
			get(&r, 8);
			break;
		case 'W':
			len = get(&r, 2);
			must(len <= P9_MAX_WALK, "Twalk: %zu names were taken", len);
			return;
		case 'w':
			get(&r, 2);
			break;
		case 'P':
			return;
		default:
			get(&r, 4);
			break;
		}
	}
}

static void check_field(struct reader *r, char field, const uint8_t *t)
{
	uint64_t n;

	switch (field) {
	case '1':
	case '2':
	case '4':
	case '8':
		get(r, (size_t)(field - '0'));
		break;
	case 'Q':
		check_qid(r);
		break;
	case 'S':
		n = get(r, 2);
		get_bytes(r, n);
		break;
	case 'W':
		n = get(r, 2);
		must(n <= asked(t, 8, 2), "Twalk: more qids than names");
		must(n || !asked(t, 8, 2), "Twalk: no qid and no error");
		while (n--)
			check_qid(r);
		break;
	case 'c':
		n = get(r, 4);
		must(n <= asked(t, 12, 4), "Twrite: more than was sent");
		must(asked(t, 12, 4) == asked(t, -P9_HEADER, 4) - P9_TWRITE_DATA,
		     "Twrite: size and count do not agree");
		break;
	case 'D':
		n = get(r, 4);
		must(n <= asked(t, 12, 4), "Tread: more than was asked for");
		must(n == (size_t)(r->end - r->p), "Tread: %llu bytes are %zu",
		     (unsigned long long)n, (size_t)(r->end - r->p));
		must(!scratch_is_secret(get_bytes(r, n), n), "Tread: read outside the share");
		break;
	case 'E':
		n = get(r, 4);
		must(n <= asked(t, 12, 4), "Treaddir: more than was asked for");
		must(n == (size_t)(r->end - r->p), "Treaddir: %llu bytes are %zu",
		     (unsigned long long)n, (size_t)(r->end - r->p));
		check_entries(r);
		break;
	case 'V':
		n = get(r, 4);
		must(n >= P9_MSIZE_MIN && n <= asked(t, 0, 4), "Tversion: msize %llu",
		     (unsigned long long)n);
		break;
	default:
		must(false, "no field is called '%c'", field);
	}
}

void message_check(const uint8_t *t, const uint8_t *r, size_t r_len)
{
	const struct message *message = message_find(t[4]);
	struct reader reader = {.p = r + P9_HEADER, .end = r + r_len};

	must(message, "T%u was answered with R%u", t[4], r[4]);
	reader.name = message->name;
	check_asked(message, t);
	for (const char *field = message->r; *field; field++)
		check_field(&reader, *field, t);
	must(reader.p == reader.end, "the reply to %s is too long", reader.name);
}
