// SPDX-License-Identifier: MIT
#include "ninep/wire.h"

#include "ninep/proto.h"

const uint8_t *p9_in_fail(struct p9_in *in, int err)
{
	static const uint8_t zeros[8];

	if (!in->err)
		in->err = err;
	in->end = in->p;
	return zeros;
}

const char *p9_get_string(struct p9_in *in)
{
	size_t len = p9_get16(in);
	uint8_t *s = in->p;
	uint8_t *to;

	/* One that is empty must not hide that its length was missing. */
	if ((size_t)(in->end - s) < len)
		p9_in_fail(in, -EPROTO);
	else if (memchr(s, 0, len))
		p9_in_fail(in, -EINVAL);
	if (in->err)
		return "";
	in->p += len;
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

	int err = in->err ? 0 : p9_check_name(name);

	if (err)
		p9_in_fail(in, err);
	return name;
}

const char *p9_get_step(struct p9_in *in)
{
	const char *name = p9_get_string(in);

	int err = in->err || !strcmp(name, "..") ? 0 : p9_check_name(name);

	if (err)
		p9_in_fail(in, err);
	return name;
}

int p9_get_end(const struct p9_in *in)
{
	if (in->err)
		return in->err;
	return in->p == in->end ? 0 : -EPROTO;
}

/* Begins a piece, of which no more may be written than is left. */
static void next_piece(struct p9_out *out)
{
	size_t len = out->iov->iov_len < out->after ? out->iov->iov_len : out->after;

	out->p = out->iov->iov_base;
	out->end = out->p + len;
	out->after -= len;
	out->iov++;
}

void p9_out_init(struct p9_out *out, const struct iovec *iov, size_t room)
{
	*out = (struct p9_out){.iov = iov, .after = room, .size = room};
	if (room)
		next_piece(out);
}

void p9_put_on(struct p9_out *out, const void *data, size_t len)
{
	const uint8_t *from = data;

	if (out->full || len > p9_out_room(out)) {
		/* Nor may anything that is shorter follow. */
		out->full = true;
		out->size -= p9_out_room(out);
		out->end = out->p;
		out->after = 0;
		return;
	}
	while (len) {
		size_t piece = (size_t)(out->end - out->p);

		if (!piece) {
			next_piece(out);
			continue;
		}
		if (piece > len)
			piece = len;
		memcpy(out->p, from, piece);
		out->p += piece;
		from += piece;
		len -= piece;
	}
}

void p9_out_limit(struct p9_out *out, size_t room)
{
	size_t here = (size_t)(out->end - out->p);

	if (room >= p9_out_room(out))
		return;
	out->size -= p9_out_room(out) - room;
	if (room < here) {
		out->end = out->p + room;
		here = room;
	}
	out->after = room - here;
}

void p9_put_string(struct p9_out *out, const char *s)
{
	size_t len = strlen(s);

	p9_put16(out, (uint16_t)len);
	p9_put(out, s, len);
}

size_t p9_iov_copy(const struct p9_pieces *from, size_t skip, void *to, size_t len)
{
	const struct iovec *iov = from->iov, *const end = iov + from->n;
	size_t copied = 0;

	for (; iov != end && copied < len; iov++) {
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

struct p9_pieces p9_iov_part(const struct p9_pieces *of, size_t skip, size_t len,
			     struct iovec *part)
{
	const struct iovec *iov = of->iov, *const end = iov + of->n;
	struct p9_pieces out = {.iov = part};

	for (; iov != end && out.len < len; iov++) {
		size_t piece;

		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		piece = iov->iov_len - skip;
		if (piece > len - out.len)
			piece = len - out.len;
		part[out.n].iov_base = (uint8_t *)iov->iov_base + skip;
		part[out.n++].iov_len = piece;
		out.len += piece;
		skip = 0;
	}
	return out;
}
