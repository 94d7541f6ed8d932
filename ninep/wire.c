// SPDX-License-Identifier: MIT
#include "ninep/wire.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "ninep/proto.h"

static const void *take(struct p9_in *in, size_t len)
{
	static const uint8_t zeros[8];
	const void *p = in->p;

	if (in->err || (size_t)(in->end - in->p) < len) {
		in->err = in->err ?: -EPROTO;
		return zeros;
	}
	in->p += len;
	return p;
}

uint8_t p9_get8(struct p9_in *in)
{
	return *(const uint8_t *)take(in, 1);
}

uint16_t p9_get16(struct p9_in *in)
{
	uint16_t v;

	memcpy(&v, take(in, sizeof(v)), sizeof(v));
	return le16toh(v);
}

uint32_t p9_get32(struct p9_in *in)
{
	uint32_t v;

	memcpy(&v, take(in, sizeof(v)), sizeof(v));
	return le32toh(v);
}

uint64_t p9_get64(struct p9_in *in)
{
	uint64_t v;

	memcpy(&v, take(in, sizeof(v)), sizeof(v));
	return le64toh(v);
}

const char *p9_get_string(struct p9_in *in)
{
	size_t len = p9_get16(in);
	uint8_t *s = in->p;
	uint8_t *to;

	take(in, len);
	if (in->err)
		return "";
	if (memchr(s, 0, len)) {
		in->err = -EINVAL;
		return "";
	}
	/* There is room for the NUL where the length was. */
	to = s - 1;
	memmove(to, s, len);
	to[len] = 0;
	return (const char *)to;
}

int p9_check_name(const char *name)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
		return -EINVAL;
	if (strlen(name) > P9_NAME_LEN)
		return -ENAMETOOLONG;
	return 0;
}

const char *p9_get_name(struct p9_in *in)
{
	const char *name = p9_get_string(in);

	if (!in->err)
		in->err = p9_check_name(name);
	return name;
}

const char *p9_get_step(struct p9_in *in)
{
	const char *name = p9_get_string(in);

	if (!in->err && strcmp(name, "..") != 0)
		in->err = p9_check_name(name);
	return name;
}

int p9_get_end(const struct p9_in *in)
{
	if (in->err)
		return in->err;
	return in->p == in->end ? 0 : -EPROTO;
}

void p9_out_init(struct p9_out *out, const struct iovec *iov, size_t n, size_t room)
{
	*out = (struct p9_out){.iov = iov, .n = n, .room = room};
}

void p9_put(struct p9_out *out, const void *data, size_t len)
{
	const uint8_t *from = data;

	if (out->full || len > out->room) {
		out->full = true;
		return;
	}
	out->len += len;
	out->room -= len;
	while (len) {
		size_t piece = out->iov->iov_len - out->used;

		if (!piece) {
			out->iov++;
			out->n--;
			out->used = 0;
			continue;
		}
		if (piece > len)
			piece = len;
		memcpy((uint8_t *)out->iov->iov_base + out->used, from, piece);
		out->used += piece;
		from += piece;
		len -= piece;
	}
}

void p9_put8(struct p9_out *out, uint8_t v)
{
	p9_put(out, &v, sizeof(v));
}

void p9_put16(struct p9_out *out, uint16_t v)
{
	v = htole16(v);
	p9_put(out, &v, sizeof(v));
}

void p9_put32(struct p9_out *out, uint32_t v)
{
	v = htole32(v);
	p9_put(out, &v, sizeof(v));
}

void p9_put64(struct p9_out *out, uint64_t v)
{
	v = htole64(v);
	p9_put(out, &v, sizeof(v));
}

void p9_put_string(struct p9_out *out, const char *s)
{
	size_t len = strlen(s);

	p9_put16(out, (uint16_t)len);
	p9_put(out, s, len);
}

void p9_put_qid(struct p9_out *out, const struct p9_qid *qid)
{
	p9_put8(out, qid->type);
	p9_put32(out, qid->version);
	p9_put64(out, qid->path);
}

size_t p9_iov_len(const struct iovec *iov, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		if (__builtin_add_overflow(len, iov[i].iov_len, &len))
			return SIZE_MAX;
	return len;
}

size_t p9_iov_copy(const struct iovec *iov, size_t n, size_t skip, void *to, size_t len)
{
	size_t copied = 0;

	for (; n && copied < len; iov++, n--) {
		size_t piece = iov->iov_len;

		if (skip >= piece) {
			skip -= piece;
			continue;
		}
		piece -= skip;
		if (piece > len - copied)
			piece = len - copied;
		memcpy((uint8_t *)to + copied, (const uint8_t *)iov->iov_base + skip, piece);
		copied += piece;
		skip = 0;
	}
	return copied;
}

size_t p9_iov_part(const struct iovec *iov, size_t n, size_t skip, size_t len, struct iovec *part)
{
	size_t pieces = 0;

	for (; n && len; iov++, n--) {
		size_t piece;

		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		piece = iov->iov_len - skip < len ? iov->iov_len - skip : len;
		part[pieces].iov_base = (uint8_t *)iov->iov_base + skip;
		part[pieces++].iov_len = piece;
		len -= piece;
		skip = 0;
	}
	return pieces;
}
