/* SPDX-License-Identifier: MIT */
/* T-messages made out of input bytes, and what their replies must look like. */
#ifndef TESTS_FUZZ_MESSAGE_H
#define TESTS_FUZZ_MESSAGE_H

#include <stdbool.h>

#include "ninep/wire.h"
#include "tests/fuzz/fuzz.h"

/*
 * A T-message is a letter for each field, whose value an input byte or two choose out of those that
 * a server has to tell apart. A further message is a further line.
 *   f fid         n name        t symlink's target   a aname      u uid or gid
 *   o open flags  m mode        v Tsetattr's valid   b 0, 1, …    D device
 *   O offset      c count       s size               T time: seconds, nanoseconds
 *   W Twalk's number and names  P Twrite's count and data         w another request's tag
 *   V msize       S version     A afid               q any eight bytes
 *   x attribute   y type[1]     l lock's flags       p proc_id    i client_id
 *
 * An R-message likewise: 1 2 4 8 integers, Q qid, S string, W Rwalk's number and qids, c Twrite's
 * count, D Rread's count and data, E Rreaddir's count and entries, V msize.
 */
struct message {
	uint8_t type;
	const char *name, *t, *r;
};

/* NULL: there is no such T-message. */
const struct message *message_find(uint8_t type);
/* "Twalk", "T97". */
const char *message_name(uint8_t type);

/* Room for the largest T-message that is made. */
#define MESSAGE_MAX (24u << 10)

/* Before each input. */
void message_start(void);
/*
 * Makes a whole T-message, header and all, mostly with fields that mean something; its length.
 * Whatever the bytes, no Tmknod names a device that exists, but for /dev/null.
 */
size_t message_build(struct input *input, uint16_t tag, uint8_t *t);
/* A Tlock that may be held back for a second: nobody waits for it at once. */
bool message_blocks(const uint8_t *t);
/*
 * What a session begins with: Tversion, Tattach with fid 0, and then fids 1 and 2, a file and the
 * share's folder, open, 3 a folder, 4 a symbolic link, 5 a file, 6 a fifo, 7 an attribute to be
 * set, 8 one to be read. 0 when there are no more steps.
 */
size_t message_opening(unsigned int step, uint32_t msize, uint16_t tag, uint8_t *t);

/*
 * Checks a reply that is none of Rlerror, behind its header: what this T-message asked for, nothing
 * left over, no file outside the share (by its qid), none of its bytes.
 */
void message_check(const uint8_t *t, const uint8_t *r, size_t r_len);

#endif
