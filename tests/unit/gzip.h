/* SPDX-License-Identifier: MIT */
/* Packing, for tests of what unpacks. */
#ifndef TESTS_UNIT_GZIP_H
#define TESTS_UNIT_GZIP_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

/* The size of what data became. */
static inline size_t gzip(void *packed, size_t cap, const void *data, size_t size)
{
	z_stream z = {
		.next_in = (Bytef *)(uintptr_t)data,
		.avail_in = (uInt)size,
		.next_out = packed,
		.avail_out = (uInt)cap,
	};

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK ||
	    deflate(&z, Z_FINISH) != Z_STREAM_END || deflateEnd(&z) != Z_OK)
		abort();
	return cap - z.avail_out;
}

#endif
