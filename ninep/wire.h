/* SPDX-License-Identifier: MIT */
/*
 * Reading a T-message and writing an R-message. Both cursors remember their first error, so that a
 * message is taken apart without a check after each field and one at the end.
 */
#ifndef NINEP_WIRE_H
#define NINEP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* A T-message's own copy of its bytes; strings are ended with a NUL in place. */
struct p9_in {
	uint8_t *p, *end;
	int err;
};

uint8_t p9_get8(struct p9_in *in);
uint16_t p9_get16(struct p9_in *in);
uint32_t p9_get32(struct p9_in *in);
uint64_t p9_get64(struct p9_in *in);
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
	const struct iovec *iov;
	size_t n;
	size_t used; /* bytes of iov[0] that are written */
	size_t len;  /* bytes written in all */
	size_t room; /* bytes that may still be written */
	bool full;   /* something did not fit */
};

struct p9_qid {
	uint8_t type;
	uint32_t version;
	uint64_t path;
};

void p9_out_init(struct p9_out *out, const struct iovec *iov, size_t n, size_t room);
void p9_put(struct p9_out *out, const void *data, size_t len);
void p9_put8(struct p9_out *out, uint8_t v);
void p9_put16(struct p9_out *out, uint16_t v);
void p9_put32(struct p9_out *out, uint32_t v);
void p9_put64(struct p9_out *out, uint64_t v);
void p9_put_string(struct p9_out *out, const char *s);
void p9_put_qid(struct p9_out *out, const struct p9_qid *qid);

size_t p9_iov_len(const struct iovec *iov, size_t n);
/* Copies len bytes out, behind the first skip bytes; returns how many there were. */
size_t p9_iov_copy(const struct iovec *iov, size_t n, size_t skip, void *to, size_t len);
/* Writes to part[] the pieces that hold len bytes behind the first skip; returns their number. */
size_t p9_iov_part(const struct iovec *iov, size_t n, size_t skip, size_t len, struct iovec *part);

#endif
