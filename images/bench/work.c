// SPDX-License-Identifier: MIT
#include "images/bench/work.h"

#include <stddef.h>

#include "ninep/proto.h"

#define MSIZE (WORK_LARGE + 24) /* as Linux reckons it */
#define WORDS (WORK_PAGE / sizeof(uint64_t))

enum {
	FID_ROOT,
	FID_READ,
	FID_WRITE,
	FID_WALK, /* and one more for each slot */
};

/* ---- pages ---- */

/* The first word tells which page it is, the others are the same in all. */
static uint64_t word(uint64_t number, unsigned int i)
{
	uint64_t x = i ? i : ~number;

	return x * 0x9e3779b97f4a7c15ull ^ 0x6e696e6570696e00ull;
}

void work_page_fill(void *page, uint64_t number)
{
	uint64_t *w = page;

	for (unsigned int i = 0; i < WORDS; i++)
		w[i] = word(number, i);
}

bool work_page_ok(const void *page, uint64_t number)
{
	const uint64_t *w = page;
	uint64_t wrong = 0;

	for (unsigned int i = 0; i < WORDS; i++)
		wrong |= w[i] ^ word(number, i);
	return !wrong;
}

static bool page_ends_ok(const void *page, uint64_t number)
{
	const uint64_t *w = page;

	return w[0] == word(number, 0) && w[WORDS - 1] == word(number, WORDS - 1);
}

/* Nothing of an earlier reply may be taken for this one's. */
static void page_clear(void *page, bool all)
{
	uint64_t *w = page;

	if (all)
		for (unsigned int i = 1; i < WORDS - 1; i++)
			w[i] = 0;
	w[0] = 0;
	w[WORDS - 1] = 0;
}

/* ---- messages ---- */

static void put(struct work_slot *slot, uint64_t v, unsigned int len)
{
	for (; len; len--, v >>= 8)
		slot->t[slot->t_len++] = (uint8_t)v;
}

static void put_string(struct work_slot *slot, const char *s)
{
	unsigned int len = 0;

	while (s[len])
		len++;
	put(slot, len, 2);
	for (unsigned int i = 0; i < len; i++)
		put(slot, (uint8_t)s[i], 1);
}

static void begin(struct work_slot *slot, uint8_t type, uint32_t fid)
{
	slot->t_len = 4;
	slot->r_room = WORK_BUFFER;
	slot->data_len = 0;
	slot->data_in = false;
	slot->measured = true;
	put(slot, type, 1);
	put(slot, type == P9_TVERSION ? P9_NOTAG : slot->tag, 2);
	if (type != P9_TVERSION)
		put(slot, fid, 4);
	/* The reply's head, so that no old one is taken for it. */
	for (unsigned int i = 0; i < P9_HEADER; i++)
		slot->r[i] = 0;
}

static void end(struct work_slot *slot, uint32_t payload)
{
	uint32_t len = slot->t_len;

	slot->t_len = 0;
	put(slot, len + payload, 4);
	slot->t_len = len;
}

static void walk(struct work_slot *slot, uint32_t newfid, const char *name)
{
	begin(slot, P9_TWALK, FID_ROOT);
	put(slot, newfid, 4);
	put(slot, 1, 2);
	put_string(slot, name);
	end(slot, 0);
}

static void open_file(struct work_slot *slot, uint32_t fid, uint32_t flags)
{
	begin(slot, P9_TLOPEN, fid);
	put(slot, flags, 4);
	end(slot, 0);
}

static uint64_t get(const struct work_slot *slot, unsigned int at, unsigned int len)
{
	uint64_t v = 0;

	while (len--)
		v = v << 8 | slot->r[at + len];
	return v;
}

static uint8_t sent(const struct work_slot *slot)
{
	return slot->t[4];
}

/* The reply to what is in t, with so many bytes; its own size, the used ring and its tag agree. */
static const char *check_head(const struct work_slot *slot, uint32_t len, uint32_t wanted)
{
	uint16_t tag = (uint16_t)(slot->t[5] | slot->t[6] << 8);

	if (len >= P9_RLERROR_SIZE && slot->r[4] == P9_RLERROR)
		return "the server answered with an error";
	if (len < P9_HEADER || slot->r[4] != sent(slot) + 1)
		return "the reply is not of the request's type";
	if (get(slot, 5, 2) != tag)
		return "the reply has another tag";
	if (len != wanted || get(slot, 0, 4) != wanted)
		return "the reply has the wrong size";
	return NULL;
}

/* ---- a session's beginning ---- */

void work_slot_init(struct work_slot *slot, uint16_t tag)
{
	slot->tag = tag;
	slot->walked = false;
	for (unsigned int i = 0; i < WORK_LARGE / WORK_PAGE; i++)
		work_page_fill(slot->data + i * WORK_PAGE, i);
}

void work_set_up(unsigned int step, struct work_slot *slot)
{
	switch (step) {
	case 0:
		begin(slot, P9_TVERSION, 0);
		put(slot, MSIZE, 4);
		put_string(slot, P9_VERSION);
		end(slot, 0);
		break;
	case 1:
		begin(slot, P9_TATTACH, FID_ROOT);
		put(slot, P9_NOFID, 4);
		put_string(slot, "bench");
		put_string(slot, "");
		put(slot, P9_NONUNAME, 4);
		end(slot, 0);
		break;
	case 2:
		walk(slot, FID_READ, WORK_READ_NAME);
		break;
	case 3:
		open_file(slot, FID_READ, 0);
		break;
	case 4:
		walk(slot, FID_WRITE, WORK_WRITE_NAME);
		break;
	case 5:
		open_file(slot, FID_WRITE, 1); /* to write */
		break;
	}
}

#define RVERSION_SIZE (P9_HEADER + 4 + 2 + sizeof(P9_VERSION) - 1)
#define RWALK_SIZE    (P9_HEADER + 2 + P9_QID_SIZE)
#define RGETATTR_SIZE 160

const char *work_set_up_check(struct work *work, unsigned int step, const struct work_slot *slot,
			      uint32_t len)
{
	static const uint32_t wanted[WORK_STEPS] = {
		RVERSION_SIZE,		     P9_HEADER + P9_QID_SIZE, RWALK_SIZE,
		P9_HEADER + P9_QID_SIZE + 4, RWALK_SIZE,	      P9_HEADER + P9_QID_SIZE + 4,
	};
	const char *wrong = check_head(slot, len, wanted[step]);

	if (wrong)
		return wrong;
	if (step == 0 && get(slot, P9_HEADER, 4) != MSIZE)
		return "the server wants smaller messages";
	if (step == 2)
		work->qid_path = get(slot, P9_HEADER + 2 + 5, 8);
	return NULL;
}

/* ---- what is measured ---- */

uint32_t work_payload(enum work_op op)
{
	switch (op) {
	case WORK_READ_4K:
	case WORK_WRITE_4K:
		return WORK_PAGE;
	case WORK_READ_128K:
	case WORK_WRITE_128K:
		return WORK_LARGE;
	default:
		return 0;
	}
}

void work_begin(struct work *work, enum work_op op, bool check_all)
{
	work->op = op;
	work->check_all = check_all;
	work->next_block = 0;
}

/* The number of the first page of the slot's block. */
static uint64_t first_page(const struct work_slot *slot)
{
	return slot->block * (slot->data_len / WORK_PAGE);
}

static void begin_payload(struct work *work, struct work_slot *slot, uint8_t type, uint32_t fid)
{
	uint32_t len = work_payload(work->op);

	begin(slot, type, fid);
	slot->block = work->next_block++ % (WORK_FILE_SIZE / len);
	slot->data_len = len;
	slot->data_in = type == P9_TREAD;
	put(slot, slot->block * len, 8);
	put(slot, len, 4);
	end(slot, slot->data_in ? 0 : len);
}

void work_next(struct work *work, struct work_slot *slot)
{
	switch (work->op) {
	case WORK_GETATTR:
		begin(slot, P9_TGETATTR, FID_READ);
		put(slot, P9_STATS_BASIC, 8);
		end(slot, 0);
		break;
	case WORK_WALK:
		if (!slot->walked) {
			walk(slot, FID_WALK + slot->tag, WORK_READ_NAME);
		} else {
			begin(slot, P9_TCLUNK, FID_WALK + slot->tag);
			slot->measured = false;
			end(slot, 0);
		}
		break;
	case WORK_READ_4K:
	case WORK_READ_128K:
		begin_payload(work, slot, P9_TREAD, FID_READ);
		slot->r_room = P9_RREAD_DATA;
		for (uint32_t at = 0; at < slot->data_len; at += WORK_PAGE)
			page_clear(slot->data + at, work->check_all);
		break;
	case WORK_WRITE_4K:
	case WORK_WRITE_128K:
		begin_payload(work, slot, P9_TWRITE, FID_WRITE);
		for (uint32_t at = 0; at < slot->data_len; at += WORK_PAGE)
			*(uint64_t *)(slot->data + at) = word(first_page(slot) + at / WORK_PAGE, 0);
		break;
	case WORK_OPS:
		break;
	}
}

static const char *check_read(const struct work *work, const struct work_slot *slot, uint32_t len)
{
	const char *wrong = check_head(slot, len, P9_RREAD_DATA + slot->data_len);

	if (wrong)
		return wrong;
	if (get(slot, P9_HEADER, 4) != slot->data_len)
		return "fewer bytes were read than there are";
	for (uint32_t at = 0; at < slot->data_len; at += WORK_PAGE) {
		uint64_t number = first_page(slot) + at / WORK_PAGE;
		const void *page = slot->data + at;

		if (!(work->check_all ? work_page_ok(page, number) : page_ends_ok(page, number)))
			return "what was read is not what the file holds";
	}
	return NULL;
}

const char *work_check(const struct work *work, struct work_slot *slot, uint32_t len)
{
	const char *wrong;

	switch (sent(slot)) {
	case P9_TGETATTR:
		wrong = check_head(slot, len, RGETATTR_SIZE);
		/* valid[8] qid[13] mode[4] uid[4] gid[4] nlink[8] rdev[8], then the size */
		if (!wrong && (get(slot, P9_HEADER + 8 + 5, 8) != work->qid_path ||
			       get(slot, P9_HEADER + 49, 8) != WORK_FILE_SIZE))
			wrong = "the attributes are not the file's";
		return wrong;
	case P9_TWALK:
		wrong = check_head(slot, len, RWALK_SIZE);
		if (!wrong && get(slot, P9_HEADER + 2 + 5, 8) != work->qid_path)
			wrong = "the walk led to another file";
		slot->walked = !wrong;
		return wrong;
	case P9_TCLUNK:
		slot->walked = false;
		return check_head(slot, len, P9_HEADER);
	case P9_TREAD:
		return check_read(work, slot, len);
	default:
		wrong = check_head(slot, len, P9_HEADER + 4);
		if (!wrong && get(slot, P9_HEADER, 4) != slot->data_len)
			wrong = "fewer bytes were written than there are";
		return wrong;
	}
}
