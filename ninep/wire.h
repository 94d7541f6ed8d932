/* SPDX-License-Identifier: MIT */
/*
 * Reading a T-message and writing an R-message. Both cursors remember their first error, so that a
 * message is taken apart without a check after each field and one at the end.
 */
#ifndef NINEP_WIRE_H
#define NINEP_WIRE_H

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "ninep/p9.h"

/*
 * A T-message's own copy of its bytes; strings are ended with a NUL in place. After an error there is
 * nothing left to take.
 */
struct p9_in {
	uint8_t *p, *end;
	int err;
};

/* Ends it with an error, unless there was one; returns zeros to go on with. */
const uint8_t *p9_in_fail(struct p9_in *in, int err);

static inline const uint8_t *p9_take(struct p9_in *in, size_t len)
{
	const uint8_t *p = in->p;

	if ((size_t)(in->end - p) < len)
		return p9_in_fail(in, -EPROTO);
	in->p += len;
	return p;
}

static inline uint8_t p9_get8(struct p9_in *in)
{
	return *p9_take(in, 1);
}

static inline uint16_t p9_get16(struct p9_in *in)
{
	uint16_t v;

	memcpy(&v, p9_take(in, sizeof(v)), sizeof(v));
	return le16toh(v);
}

static inline uint32_t p9_get32(struct p9_in *in)
{
	uint32_t v;

	memcpy(&v, p9_take(in, sizeof(v)), sizeof(v));
	return le32toh(v);
}

static inline uint64_t p9_get64(struct p9_in *in)
{
	uint64_t v;

	memcpy(&v, p9_take(in, sizeof(v)), sizeof(v));
	return le64toh(v);
}

/* These never return NULL. A string with a NUL in it is an error (EINVAL). */
const char *p9_get_string(struct p9_in *in);
/* A name to create or remove: one component, not "." and not ".."; EINVAL, ENAMETOOLONG. */
const char *p9_get_name(struct p9_in *in);
/* The same, but ".." is a name: Twalk. */
const char *p9_get_step(struct p9_in *in);
/* 0 if everything was there, valid, and nothing is left over; EPROTO if not. */
int p9_get_end(const struct p9_in *in);

/* What p9_get_name() refuses. */
int p9_check_name(const char *name);

/* An R-message being written over the pieces of an iovec. */
struct p9_out {
	uint8_t *p, *end;	/* what may be written of the piece at hand */
	const struct iovec *iov; /* the next piece */
	size_t after;		/* bytes that may be written from there on */
	size_t size;		/* bytes that could be written at first */
	bool full;		/* something did not fit */
};

struct p9_qid {
	uint8_t type;
	uint32_t version;
	uint64_t path;
};

/* There are at least `room` bytes in iov. */
void p9_out_init(struct p9_out *out, const struct iovec *iov, size_t room);
/* Goes on in the next piece, in the middle of data too. */
void p9_put_on(struct p9_out *out, const void *data, size_t len);

/* Bytes that may still be written, and that have been written. */
static inline size_t p9_out_room(const struct p9_out *out)
{
	return (size_t)(out->end - out->p) + out->after;
}

static inline size_t p9_out_len(const struct p9_out *out)
{
	return out->size - p9_out_room(out);
}

/* No more than this many bytes may be written from here on. */
void p9_out_limit(struct p9_out *out, size_t room);

static inline void p9_put(struct p9_out *out, const void *data, size_t len)
{
	if ((size_t)(out->end - out->p) < len) {
		p9_put_on(out, data, len);
		return;
	}
	memcpy(out->p, data, len);
	out->p += len;
}

static inline void p9_put8(struct p9_out *out, uint8_t v)
{
	p9_put(out, &v, sizeof(v));
}

static inline void p9_put16(struct p9_out *out, uint16_t v)
{
	v = htole16(v);
	p9_put(out, &v, sizeof(v));
}

static inline void p9_put32(struct p9_out *out, uint32_t v)
{
	v = htole32(v);
	p9_put(out, &v, sizeof(v));
}

static inline void p9_put64(struct p9_out *out, uint64_t v)
{
	v = htole64(v);
	p9_put(out, &v, sizeof(v));
}

static inline void p9_put_qid(struct p9_out *out, const struct p9_qid *qid)
{
	p9_put8(out, qid->type);
	p9_put32(out, qid->version);
	p9_put64(out, qid->path);
}

void p9_put_string(struct p9_out *out, const char *s);

/* Copies len bytes out, behind the first skip bytes; returns how many there were. */
size_t p9_iov_copy(const struct p9_pieces *from, size_t skip, void *to, size_t len);
/* Those pieces that hold len bytes, or as many as there are, behind the first skip, in part[]. */
struct p9_pieces p9_iov_part(const struct p9_pieces *of, size_t skip, size_t len,
			     struct iovec *part);

#endif
