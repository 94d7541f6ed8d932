/* SPDX-License-Identifier: MIT */
/*
 * Kernels that were unpacked once, in $XDG_CACHE_HOME/ninepin/kernels (~/.cache/ninepin/kernels): a
 * guest that starts from the ELF need not unpack itself.
 */
#ifndef VMM_KERNEL_CACHE_H
#define VMM_KERNEL_CACHE_H

#include "boot/boot.h"
#include "boot/why.h"

/* The longest unused go when there are more. */
#define KERNEL_CACHE_MAX 4

/*
 * A file with what kernel_unpack() and kernel_trim() give of packed, for kernel_open_unpacked(): by content, out of the cache;
 * else it is unpacked and put there. A cache that cannot be used (no home, read-only, disk full) is no failure:
 * the file is memory then. Unpacking that takes seconds is told on stderr.
 * The descriptor, which is the caller's, or kernel_unpack()'s errno or -ENOMEM, with a sentence.
 */
int kernel_cache_open(const struct kernel *packed, struct why *why);

#endif
