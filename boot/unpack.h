/* SPDX-License-Identifier: MIT */
/* Decompression of untrusted data, with a limit to what may come out. */
#ifndef BOOT_UNPACK_H
#define BOOT_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum packing {
	PACKING_NONE, /* none that we know by its magic */
	PACKING_GZIP,
	PACKING_XZ,
	PACKING_ZSTD,
	/* Known by name, but not unpacked: */
	PACKING_BZIP2,
	PACKING_LZMA,
	PACKING_LZO,
	PACKING_LZ4,
};

enum packing packing_of(const uint8_t *in, size_t in_size);
const char *packing_name(enum packing packing);
/* Whether unpack() can. */
bool packing_known(enum packing packing);

/*
 * Unpacks the stream at the start of in; what follows the stream is passed over. *out is malloc'd,
 * the caller frees it.
 * -ENOTSUP: not gzip, xz or zstd; -EBADMSG: damaged or cut short; -EFBIG: more than limit bytes
 * (less than SIZE_MAX) come out; -ENOMEM.
 */
int unpack(const uint8_t *in, size_t in_size, size_t limit, uint8_t **out, size_t *out_size);

#endif
