/* SPDX-License-Identifier: MIT */
/*
 * Requests in flight: T-messages handed to a server in pieces, replies waited for and checked.
 * A few slots; whatever is wrong with a reply ends the process.
 */
#ifndef TESTS_FUZZ_FLIGHT_H
#define TESTS_FUZZ_FLIGHT_H

#include <stdbool.h>

#include "ninep/p9.h"
#include "tests/fuzz/fuzz.h"

/* Once; NINEPIN_FUZZ_TRACE in the environment: each request is printed. */
void flight_open(struct p9_server *server);

/*
 * A slot for a request, its T-message's buffer of MESSAGE_MAX bytes and the tag that no other in
 * flight has. Waits for the oldest if all are taken.
 */
unsigned int flight_slot(uint16_t *tag, uint8_t **t);
/*
 * Hands over the slot's T-message of len bytes; input says into which pieces it is cut and how much
 * room there is for the reply.
 */
void flight_submit(unsigned int slot, struct p9_session *session, size_t len, struct input *input);
void flight_wait(unsigned int slot);
void flight_wait_all(void);
/* Resets the session, or frees it (the same, and more): each of its requests has ended then. */
void flight_reset(struct p9_session *session, bool free_it);

#endif
