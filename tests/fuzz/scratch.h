/* SPDX-License-Identifier: MIT */
/*
 * The scratch folder of a session under fuzzing, below TMPDIR (default /tmp):
 *
 *   share/    what is shared; filled anew before each input, emptied after it
 *   outside/  never to be touched: a file `secret` and a folder `sub`; anybody might change both
 *
 * In the share are symbolic links to outside/, absolute and relative, and, where the process may
 * mount, another file system: share/m.
 */
#ifndef TESTS_FUZZ_SCRATCH_H
#define TESTS_FUZZ_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/fuzz.h"

/* Makes it, once; it is removed when the process exits. Returns the path of share/. */
const char *scratch_open(void);

void scratch_fill(void);
/* The share is as scratch_fill() left it. */
void scratch_check_untouched(void);
/* Nothing outside the share has changed; then empties the share. */
void scratch_empty(void);

/* What the host does in the share meanwhile, as the input says. Never outside. */
void scratch_meddle(struct input *input);

/* Whether this inode is outside the share. */
bool scratch_is_outside(uint64_t ino);
/* Whether bytes of the file outside the share are among these. */
bool scratch_is_secret(const uint8_t *data, size_t len);

#endif
