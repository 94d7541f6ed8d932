// SPDX-License-Identifier: MIT
/*
 * Fuzzing of ninep/wire.h: what it reads and writes is compared with the simplest thing that could
 * do the same in one flat buffer. Every buffer, array and piece is an allocation of its own size,
 * so that the address sanitizer sees a step beside it.
 *
 * An input is read from its beginning, one choice a byte; what is missing is 0.
 */
#include "ninep/wire.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ninep/proto.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OPS_MAX	   64
#define PIECES_MAX 40
#define UNWRITTEN  0xee

/*
 * Of nothing too: a byte that is not to be touched, since malloc(0) may be anything.
 */
static void *copy_of(const void *data, size_t len)
{
	uint8_t *copy = malloc(len ?: 1);

	must(copy, "out of memory");
	if (len)
		memcpy(copy, data, len);
	return copy;
}

/* ---- reading ---- */

/* What struct p9_in should be: a position in bytes that nothing changes. */
struct flat_in {
	const uint8_t *p;
	size_t at, len;
	int err;
};

static uint64_t flat_get(struct flat_in *in, size_t n)
{
	uint64_t v = 0;

	if (!in->err && in->len - in->at < n)
		in->err = -EPROTO;
	if (in->err)
		return 0;
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)in->p[in->at + i] << 8 * i;
	in->at += n;
	return v;
}

static bool flat_name_is_bad(const char *s, size_t len)
{
	return !len || (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.') ||
	       memchr(s, '/', len);
}

/* kind: 's' a string, 'n' a name, 't' a step of a walk. Allocated. */
static char *flat_get_string(struct flat_in *in, char kind)
{
	size_t len = flat_get(in, 2);
	char *s;

	if (!in->err && in->len - in->at < len)
		in->err = -EPROTO;
	if (!in->err && memchr(in->p + in->at, 0, len))
		in->err = -EINVAL;
	if (in->err)
		return copy_of("", 1);
	s = malloc(len + 1);
	must(s, "out of memory");
	memcpy(s, in->p + in->at, len);
	s[len] = 0;
	in->at += len;
	if (kind == 't' && !strcmp(s, ".."))
		return s;
	if (kind != 's')
		in->err = flat_name_is_bad(s, len) ? -EINVAL : len > 255 ? -ENAMETOOLONG : 0;
	return s;
}

static const char *get_string(struct p9_in *in, char kind)
{
	switch (kind) {
	case 'n':
		return p9_get_name(in);
	case 't':
		return p9_get_step(in);
	default:
		return p9_get_string(in);
	}
}

static void fuzz_in(struct input *input)
{
	static const char kinds[] = {'1', '2', '4', '8', 's', 'n', 't', 's'};
	size_t n = input_byte(input) % OPS_MAX;
	char kind[OPS_MAX], *want[OPS_MAX] = {0};
	const char *got[OPS_MAX] = {0};
	struct flat_in flat;
	struct p9_in in;
	uint8_t *message;
	int end;

	for (size_t i = 0; i < n; i++)
		kind[i] = kinds[input_byte(input) % sizeof(kinds)];
	flat = (struct flat_in){.p = input->p, .len = (size_t)(input->end - input->p)};
	message = copy_of(flat.p, flat.len);
	in = (struct p9_in){.p = message, .end = message + flat.len};

	for (size_t i = 0; i < n; i++) {
		uint64_t v = 0, w = 0;

		switch (kind[i]) {
		case '1':
			v = p9_get8(&in), w = flat_get(&flat, 1);
			break;
		case '2':
			v = p9_get16(&in), w = flat_get(&flat, 2);
			break;
		case '4':
			v = p9_get32(&in), w = flat_get(&flat, 4);
			break;
		case '8':
			v = p9_get64(&in), w = flat_get(&flat, 8);
			break;
		default:
			got[i] = get_string(&in, kind[i]);
			want[i] = flat_get_string(&flat, kind[i]);
			must(got[i], "a string is NULL");
			break;
		}
		must(v == w, "%c: got %llu, not %llu", kind[i], (unsigned long long)v,
		     (unsigned long long)w);
		must(in.err == flat.err, "%c: error %d, not %d", kind[i], in.err, flat.err);
		must(in.p >= message && in.p <= in.end, "%c: out of the message", kind[i]);
		must(in.err || in.p == message + flat.at, "%c: at the wrong place", kind[i]);
	}
	end = flat.err ?: flat.at == flat.len ? 0 : -EPROTO;
	must(p9_get_end(&in) == end, "the end is %d, not %d", p9_get_end(&in), end);
	/* What was read later has left them alone. */
	for (size_t i = 0; i < n; i++) {
		must(!got[i] || !strcmp(got[i], want[i]), "a string has changed");
		free(want[i]);
	}
	free(message);
}

/* ---- writing ---- */

struct pieces {
	struct iovec *iov;
	size_t n, len;
};

static void pieces_make(struct pieces *pieces, struct input *input)
{
	static const uint8_t fresh[256] = {[0 ... 255] = UNWRITTEN};
	struct iovec iov[PIECES_MAX];

	*pieces = (struct pieces){.n = input_byte(input) % PIECES_MAX};
	for (size_t i = 0; i < pieces->n; i++) {
		uint8_t choice = input_byte(input);

		/* Mostly crumbs, some empty. */
		iov[i].iov_len = choice < 200 ? choice % 8 : choice;
		iov[i].iov_base = copy_of(fresh, iov[i].iov_len);
		pieces->len += iov[i].iov_len;
	}
	pieces->iov = copy_of(iov, pieces->n * sizeof(*iov));
}

static void pieces_free(struct pieces *pieces)
{
	for (size_t i = 0; i < pieces->n; i++)
		free(pieces->iov[i].iov_base);
	free(pieces->iov);
}

static void flatten(const struct iovec *iov, size_t n, uint8_t *to)
{
	for (size_t i = 0; i < n; i++) {
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
}

struct flat_out {
	uint8_t *p;
	size_t len, room;
	bool full;
};

static void flat_put(struct flat_out *out, const void *data, size_t len)
{
	out->full |= len > out->room - out->len;
	if (out->full)
		return;
	memcpy(out->p + out->len, data, len);
	out->len += len;
}

static void flat_put_int(struct flat_out *out, uint64_t v, size_t n)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(v >> 8 * i);
	flat_put(out, bytes, n);
}

static void put_one(struct p9_out *out, struct flat_out *flat, struct input *input)
{
	uint8_t choice = input_byte(input);
	uint64_t v = input_int(input, 8);
	struct p9_qid qid = {.type = (uint8_t)v, .version = (uint32_t)(v >> 8), .path = ~v};
	char s[300];
	size_t len = choice + 1u;

	switch (choice % 9) {
	case 0:
		p9_put8(out, (uint8_t)v), flat_put_int(flat, v, 1);
		break;
	case 1:
		p9_put16(out, (uint16_t)v), flat_put_int(flat, v, 2);
		break;
	case 2:
		p9_put32(out, (uint32_t)v), flat_put_int(flat, v, 4);
		break;
	case 3:
		p9_put64(out, v), flat_put_int(flat, v, 8);
		break;
	case 4:
		p9_put_qid(out, &qid);
		/* All of it or nothing need not hold: it is three fields. */
		flat_put_int(flat, qid.type, 1);
		flat_put_int(flat, qid.version, 4);
		flat_put_int(flat, qid.path, 8);
		break;
	case 5:
		memset(s, 'a' + choice % 26, len);
		s[len] = 0;
		p9_put_string(out, s);
		flat_put_int(flat, len, 2);
		flat_put(flat, s, len);
		break;
	case 6:
		p9_out_limit(out, (size_t)v % 1000);
		if (flat->room - flat->len > v % 1000)
			flat->room = flat->len + v % 1000;
		break;
	default:
		memset(s, choice, len);
		p9_put(out, s, len);
		flat_put(flat, s, len);
		break;
	}
	must(out->full == flat->full, "full: %d, not %d", out->full, flat->full);
	must(p9_out_len(out) == flat->len, "%zu bytes written, not %zu", p9_out_len(out), flat->len);
	must(out->full || p9_out_room(out) == flat->room - flat->len, "room for %zu, not %zu",
	     p9_out_room(out), flat->room - flat->len);
}

static void fuzz_out(struct input *input)
{
	struct pieces pieces;
	struct flat_out flat = {0};
	struct p9_out out;
	uint8_t *written;
	size_t n;

	pieces_make(&pieces, input);
	flat.room = input_int(input, 2);
	if (flat.room > pieces.len)
		flat.room = pieces.len;
	flat.p = malloc(pieces.len ?: 1);
	written = malloc(pieces.len ?: 1);
	must(flat.p && written, "out of memory");
	memset(flat.p, UNWRITTEN, pieces.len);

	p9_out_init(&out, pieces.iov, flat.room);
	n = input_byte(input) % OPS_MAX;
	for (size_t i = 0; i < n; i++)
		put_one(&out, &flat, input);
	flatten(pieces.iov, pieces.n, written);
	must(!memcmp(written, flat.p, pieces.len), "what was written is not what should be");

	free(written);
	free(flat.p);
	pieces_free(&pieces);
}

/* ---- iovecs ---- */

static void fuzz_iov(struct input *input)
{
	struct p9_pieces all, found;
	struct pieces pieces;
	struct iovec *part;
	size_t skip, len, there, n, part_len = 0;
	uint8_t *flat, *copy, fill = 0;

	pieces_make(&pieces, input);
	for (size_t i = 0; i < pieces.n; i++)
		for (size_t j = 0; j < pieces.iov[i].iov_len; j++)
			((uint8_t *)pieces.iov[i].iov_base)[j] = fill++;
	flat = malloc(pieces.len ?: 1);
	must(flat, "out of memory");
	flatten(pieces.iov, pieces.n, flat);
	all = (struct p9_pieces){.iov = pieces.iov, .n = pieces.n, .len = pieces.len};

	skip = input_int(input, 2) % 400;
	len = input_int(input, 2) % 400;
	there = skip > pieces.len ? 0 : pieces.len - skip;
	if (len < there)
		there = len;
	copy = malloc(there ?: 1);
	must(copy, "out of memory");
	n = p9_iov_copy(&all, skip, copy, len);
	must(n == there, "p9_iov_copy: %zu bytes, not %zu", n, there);
	must(!n || !memcmp(copy, flat + skip, n), "p9_iov_copy: other bytes");

	part = copy_of(pieces.iov, pieces.n * sizeof(*part));
	found = p9_iov_part(&all, skip, len, part);
	n = found.n;
	must(found.iov == part && n <= pieces.n, "p9_iov_part: more pieces than there were");
	for (size_t i = 0; i < n; i++) {
		must(part[i].iov_len && part_len + part[i].iov_len <= there,
		     "p9_iov_part: piece %zu has %zu bytes", i, part[i].iov_len);
		must(!memcmp(part[i].iov_base, flat + skip + part_len, part[i].iov_len),
		     "p9_iov_part: other bytes");
		part_len += part[i].iov_len;
	}
	must(part_len == there && found.len == there, "p9_iov_part: %zu bytes, not %zu", part_len,
	     there);

	free(part);
	free(copy);
	free(flat);
	pieces_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const fuzz[])(struct input * input) = {fuzz_in, fuzz_out, fuzz_iov};
	struct input input = {.p = data, .end = data + size};

	fuzz[input_byte(&input) % 3](&input);
	return 0;
}
