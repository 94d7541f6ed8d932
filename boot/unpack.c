// SPDX-License-Identifier: MIT
#include "boot/unpack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#define FIRST_GUESS   (256u << 10)
#define XZ_MEMORY_MAX (256ull << 20) /* the decoder's dictionary: hostile headers ask for 4 GiB */

struct output {
	uint8_t *data;
	size_t size;
	size_t cap;
	size_t limit;
};

/* Makes room for more; -EFBIG when the limit is used up. */
static int output_grow(struct output *out)
{
	size_t cap = out->cap ? out->cap * 2 : FIRST_GUESS;
	uint8_t *data;

	if (out->size < out->cap)
		return 0;
	if (out->cap >= out->limit)
		return -EFBIG;
	if (cap > out->limit)
		cap = out->limit;
	data = realloc(out->data, cap);
	if (!data)
		return -ENOMEM;
	out->data = data;
	out->cap = cap;
	return 0;
}

/* What zlib is handed at once: its counts are 32 bits wide. */
static uInt zlib_count(size_t n)
{
	return n > (1u << 30) ? 1u << 30 : (uInt)n;
}

static int unpack_gzip(const uint8_t *in, size_t in_size, struct output *out)
{
	z_stream z = {0};
	size_t used = 0;
	int err, ret;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) /* 16: a gzip header, not zlib's own */
		return -ENOMEM;
	for (;;) {
		uInt in_count = zlib_count(in_size - used), out_count;

		err = output_grow(out);
		if (err)
			break;
		out_count = zlib_count(out->cap - out->size);
		z.next_in = (Bytef *)(uintptr_t)(in + used);
		z.avail_in = in_count;
		z.next_out = out->data + out->size;
		z.avail_out = out_count;
		ret = inflate(&z, Z_NO_FLUSH);
		used += in_count - z.avail_in;
		out->size += out_count - z.avail_out;
		if (ret == Z_STREAM_END)
			break;
		/* Z_BUF_ERROR: nothing left to read, though there is room to write. */
		if (ret != Z_OK) {
			err = ret == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
			break;
		}
	}
	inflateEnd(&z);
	return err;
}

static int unpack_xz(const uint8_t *in, size_t in_size, struct output *out)
{
	lzma_stream xz = LZMA_STREAM_INIT;
	lzma_ret ret;
	int err;

	if (lzma_stream_decoder(&xz, XZ_MEMORY_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	xz.next_in = in;
	xz.avail_in = in_size;
	for (;;) {
		err = output_grow(out);
		if (err)
			break;
		xz.next_out = out->data + out->size;
		xz.avail_out = out->cap - out->size;
		ret = lzma_code(&xz, LZMA_RUN);
		out->size = out->cap - xz.avail_out;
		if (ret == LZMA_STREAM_END)
			break;
		/* LZMA_BUF_ERROR: all is read, there is room, and it does not end. */
		if (ret != LZMA_OK) {
			err = ret == LZMA_MEM_ERROR || ret == LZMA_MEMLIMIT_ERROR ? -ENOMEM
										  : -EBADMSG;
			break;
		}
	}
	lzma_end(&xz);
	return err;
}

static int unpack_zstd(const uint8_t *in, size_t in_size, struct output *out)
{
	ZSTD_DStream *zs = ZSTD_createDStream();
	ZSTD_inBuffer zin = {.src = in, .size = in_size};
	size_t ret;
	int err;

	if (!zs)
		return -ENOMEM;
	for (;;) {
		ZSTD_outBuffer zout;

		err = output_grow(out);
		if (err)
			break;
		zout = (ZSTD_outBuffer){.dst = out->data, .size = out->cap, .pos = out->size};
		ret = ZSTD_decompressStream(zs, &zout, &zin);
		out->size = zout.pos;
		if (ZSTD_isError(ret)) {
			err = -EBADMSG;
			break;
		}
		if (ret == 0)
			break;
		if (zin.pos == zin.size && zout.pos < zout.size) {
			err = -EBADMSG;
			break;
		}
	}
	ZSTD_freeDStream(zs);
	return err;
}

/* The magic numbers of what Linux compresses kernels and modules with. */
static const struct {
	const char *name;
	const char *magic;
	size_t len;
	int (*unpack)(const uint8_t *in, size_t in_size, struct output *out);
} packings[] = {
	[PACKING_NONE] = {"unknown", NULL, 0, NULL},
	[PACKING_GZIP] = {"gzip", "\x1f\x8b", 2, unpack_gzip},
	[PACKING_XZ] = {"xz", "\xfd\x37zXZ", 6, unpack_xz},
	[PACKING_ZSTD] = {"zstd", "\x28\xb5\x2f\xfd", 4, unpack_zstd},
	[PACKING_BZIP2] = {"bzip2", "BZh", 3, NULL},
	[PACKING_LZMA] = {"lzma", "\x5d\0\0", 3, NULL},
	[PACKING_LZO] = {"lzo", "\x89LZO", 4, NULL},
	[PACKING_LZ4] = {"lz4", "\x02\x21\x4c\x18", 4, NULL},
};

#define NPACKINGS (sizeof(packings) / sizeof(packings[0]))

enum packing packing_of(const uint8_t *in, size_t in_size)
{
	for (size_t i = 1; i < NPACKINGS; i++)
		if (in_size >= packings[i].len && !memcmp(in, packings[i].magic, packings[i].len))
			return (enum packing)i;
	return PACKING_NONE;
}

const char *packing_name(enum packing packing)
{
	return packings[packing].name;
}

bool packing_known(enum packing packing)
{
	return packings[packing].unpack != NULL;
}

int unpack(const uint8_t *in, size_t in_size, size_t limit, uint8_t **out, size_t *out_size)
{
	enum packing packing = packing_of(in, in_size);
	/* One byte more, to tell a stream that ends at the limit from one that goes on. */
	struct output o = {.limit = limit + 1};
	uint8_t *fit;
	int err;

	if (!packings[packing].unpack)
		return -ENOTSUP;
	err = packings[packing].unpack(in, in_size, &o);
	if (!err && o.size > limit)
		err = -EFBIG;
	if (err) {
		free(o.data);
		return err;
	}
	/* Shrinking that fails leaves the larger block, which will do. */
	*out = o.data;
	fit = realloc(o.data, o.size ? o.size : 1);
	if (fit)
		*out = fit;
	*out_size = o.size;
	return 0;
}
