/* SPDX-License-Identifier: MIT */
/*
 * The 9P requests that `ninepin bench` measures: built and checked here, for the guest and for
 * --server-only. Freestanding.
 *
 * The files hold pages that can be told from each other and from anything else, so that a reply with
 * the wrong data is an error and never a number.
 */
#ifndef IMAGES_BENCH_WORK_H
#define IMAGES_BENCH_WORK_H

#include <stdbool.h>
#include <stdint.h>

#define WORK_PAGE      4096u
#define WORK_LARGE     131072u		  /* bytes of the largest payload */
#define WORK_FILE_SIZE (64u * WORK_LARGE) /* of each of the two files */
#define WORK_READ_NAME	"read"		  /* full of pages */
#define WORK_WRITE_NAME "write"		  /* empty of them: zeros */
#define WORK_BUFFER	4096u		  /* bytes for a T-message, and for an R-message */

enum work_op {
	WORK_GETATTR,
	WORK_WALK,
	WORK_READ_4K,
	WORK_WRITE_4K,
	WORK_READ_128K,
	WORK_WRITE_128K,
	WORK_OPS,
};

/* One request in flight. */
struct work_slot {
	uint16_t tag;
	uint8_t *t, *r;	 /* WORK_BUFFER bytes each */
	uint8_t *data;	 /* WORK_LARGE bytes: the payload */
	uint32_t t_len;	 /* of the message in t */
	uint32_t r_room; /* offered at r, before the payload */
	uint32_t data_len;
	bool data_in;	/* the payload is the reply's */
	bool measured;	/* false for a message that only tidies up */
	bool walked;	/* the walk's fid is there */
	uint64_t block; /* of the file, in units of the payload's size */
};

/* One run of one operation. */
struct work {
	enum work_op op;
	bool check_all;
	uint64_t next_block; /* counts up without end */
	uint64_t qid_path;   /* of the file to read */
};

/* Sets tag, t, r and data are the caller's; fills the payload's pages. */
void work_slot_init(struct work_slot *slot, uint16_t tag);

/* The messages that begin a session, one after the other: step 0 … WORK_STEPS - 1. */
#define WORK_STEPS 6
void work_set_up(unsigned int step, struct work_slot *slot);
/* NULL, or what is wrong with the reply of len bytes. */
const char *work_set_up_check(struct work *work, unsigned int step, const struct work_slot *slot,
			      uint32_t len);

void work_begin(struct work *work, enum work_op op, bool check_all);
/* Builds the slot's next request. */
void work_next(struct work *work, struct work_slot *slot);
const char *work_check(const struct work *work, struct work_slot *slot, uint32_t len);
/* The slot may stop here: it has left nothing behind in the session. */
static inline bool work_idle(const struct work_slot *slot)
{
	return !slot->walked;
}

/* Bytes of the operation's payload; 0 if it has none. */
uint32_t work_payload(enum work_op op);
static inline bool work_writes(enum work_op op)
{
	return op == WORK_WRITE_4K || op == WORK_WRITE_128K;
}

/* A page of a file, and whether this is one. */
void work_page_fill(void *page, uint64_t number);
bool work_page_ok(const void *page, uint64_t number);

#endif
