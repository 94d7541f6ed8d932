// SPDX-License-Identifier: MIT
#include "tests/fuzz/flight.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ninep/proto.h"
#include "ninep/session.h"
#include "tests/fuzz/message.h"

#define SLOTS	   6
#define ROOM_MAX   (68u << 10)
#define GAP	   16u /* at least; the sanitizer looks at eight bytes at a time */
#define GAP_BYTE   0xa5
#define ARENA(len) ((len) + (P9_MAX_IOV + 2) * 2 * GAP)

/* A buffer cut into pieces that lie apart, with poison between. */
struct pieces {
	struct iovec iov[P9_MAX_IOV + 1];
	size_t n, len, extent;
	uint8_t *arena;
};

struct slot {
	struct p9_session *session;
	struct pieces t, r;
	size_t t_len, r_len;
	/* How many requests of this slot have begun and ended. */
	unsigned int begun;
	atomic_uint ended;
	/* Tflush: how many must have ended of each slot before it */
	unsigned int behind[SLOTS];
	unsigned int order;
	unsigned int msize; /* of the session when it was submitted; 0: none yet */
	bool busy;
	bool may_be_dropped; /* flushed, reset, before a Tversion, or too broken to answer */
	uint8_t message[MESSAGE_MAX], reply[ROOM_MAX];
	uint8_t t_arena[ARENA(MESSAGE_MAX)], r_arena[ARENA(ROOM_MAX)];
};

static struct slot slots[SLOTS];
static struct p9_server *server;
static pthread_t main_thread;
static int wake = -1; /* for a request that ended on another thread */
static bool trace;
static unsigned int order;

/* ---- pieces ---- */

static void cut(struct pieces *p, uint8_t *arena, size_t len, uint8_t how, uint8_t seed)
{
	uint32_t random = seed;

	p->arena = arena;
	p->n = 0;
	p->len = len;
	p->extent = GAP;
	while (len || !p->n) {
		size_t piece;

		random = random * 1664525u + 1013904223u;
		switch (how % 8) {
		case 3: /* the size, the rest of the header, crumbs */
			piece = p->n < 2 ? (p->n ? 3 : 4) : 1;
			break;
		case 4: /* crumbs and nothings */
			piece = p->n % 2;
			break;
		case 5:
			piece = p->n ? len : len / 2;
			break;
		case 6:
			piece = random >> 24 & 63;
			break;
		case 7: /* around the ends of the headers */
			piece = p->n ? len : seed % 32u;
			break;
		default:
			piece = len;
			break;
		}
		/* One piece too many is an error, and seldom. */
		if (piece > len || p->n >= P9_MAX_IOV - 1u + (how == 0xff))
			piece = len;
		p->iov[p->n].iov_base = arena + p->extent;
		p->iov[p->n++].iov_len = piece;
		len -= piece;
		p->extent = (p->extent + piece + 2 * GAP - 1) / GAP * GAP;
	}
}

static void poison(const struct pieces *p)
{
	ASAN_POISON_MEMORY_REGION(p->arena, p->extent);
	for (size_t i = 0; i < p->n; i++)
		ASAN_UNPOISON_MEMORY_REGION(p->iov[i].iov_base, p->iov[i].iov_len);
}

static void unpoison(const struct pieces *p)
{
	ASAN_UNPOISON_MEMORY_REGION(p->arena, p->extent);
}

static void spread(const struct pieces *p, const uint8_t *from)
{
	for (size_t i = 0; i < p->n; i++) {
		memcpy(p->iov[i].iov_base, from, p->iov[i].iov_len);
		from += p->iov[i].iov_len;
	}
}

/* The pieces' bytes; whatever is between them must be as it was: the kernel knows no poison. */
static void gather(const struct pieces *p, uint8_t *to)
{
	const uint8_t *at = p->arena;

	for (size_t i = 0; i <= p->n; i++) {
		const uint8_t *next = i < p->n ? p->iov[i].iov_base : p->arena + p->extent;

		for (; at < next; at++)
			must(*at == GAP_BYTE, "a byte beside piece %zu was written", i);
		if (i == p->n)
			break;
		memcpy(to, at, p->iov[i].iov_len);
		to += p->iov[i].iov_len;
		at += p->iov[i].iov_len;
	}
}

/* ---- a request's life ---- */

void flight_open(struct p9_server *of)
{
	server = of;
	main_thread = pthread_self();
	trace = getenv("NINEPIN_FUZZ_TRACE");
	wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(wake >= 0, "eventfd: %s", strerror(errno));
}

static bool is_done(const struct slot *slot)
{
	return atomic_load(&slot->ended) == slot->begun;
}

static struct p9_pieces as_given(const struct pieces *pieces)
{
	return (struct p9_pieces){.iov = pieces->iov, .n = pieces->n, .len = pieces->len};
}

static void done(void *opaque, size_t len)
{
	struct slot *slot = opaque;
	const struct p9_pieces r = as_given(&slot->r);
	const uint64_t one = 1;
	bool elsewhere = !pthread_equal(pthread_self(), main_thread);
	uint8_t header[P9_HEADER] = {0};

	must(!is_done(slot), "a request has ended twice");
	if (len)
		p9_iov_copy(&r, 0, header, sizeof(header));
	for (unsigned int i = 0; header[4] == P9_TFLUSH + 1 && i < SLOTS; i++)
		must(atomic_load(&slots[i].ended) >= slot->behind[i],
		     "Rflush came before the end of what it flushed");
	slot->r_len = len;
	atomic_fetch_add(&slot->ended, 1);
	if (elsewhere && write(wake, &one, sizeof(one)) < 0)
		must(errno == EAGAIN, "eventfd: %s", strerror(errno));
}

static uint32_t le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static void print(const struct slot *slot)
{
	const uint8_t *t = slot->message, *r = slot->reply;

	fprintf(stderr, "%-12s tag %d, %zu bytes:", message_name(t[4]), t[5] | t[6] << 8,
		slot->t_len);
	for (size_t i = P9_HEADER; i < slot->t_len && i < 60; i++)
		fprintf(stderr, " %02x", t[i]);
	if (!slot->r_len)
		fprintf(stderr, " -> dropped\n");
	else if (r[4] == P9_RLERROR)
		fprintf(stderr, " -> %s\n", strerror((int)le32(r + P9_HEADER)));
	else
		fprintf(stderr, " -> R%u, %zu bytes\n", r[4], slot->r_len);
}

/* The request has ended. */
static void check(struct slot *slot)
{
	const uint8_t *t = slot->message, *r = slot->reply;
	uint32_t ecode;

	unpoison(&slot->t);
	unpoison(&slot->r);
	gather(&slot->r, slot->reply);
	slot->busy = false;
	must(slot->r_len <= slot->r.len, "a reply of %zu bytes in %zu", slot->r_len, slot->r.len);
	must(!slot->msize || slot->r_len <= slot->msize, "a reply of %zu bytes, msize is %u",
	     slot->r_len, slot->msize);
	if (trace)
		print(slot);
	if (!slot->r_len) {
		must(slot->may_be_dropped, "%s was dropped", message_name(t[4]));
		return;
	}
	must(slot->r_len >= P9_HEADER && le32(r) == slot->r_len, "%s: size %u in a reply of %zu",
	     message_name(t[4]), le32(r), slot->r_len);
	must(r[5] == t[5] && r[6] == t[6], "%s: another tag", message_name(t[4]));
	if (r[4] == P9_RLERROR) {
		must(slot->r_len == P9_RLERROR_SIZE, "Rlerror of %zu bytes", slot->r_len);
		ecode = le32(r + P9_HEADER);
		must(ecode && ecode <= 4095, "%s: errno %u", message_name(t[4]), ecode);
		/* What libFuzzer's timer interrupts would have waited for ever. */
		must(ecode != EINTR, "%s hung", message_name(t[4]));
		return;
	}
	must(r[4] == t[4] + 1, "%s: a reply of type %u", message_name(t[4]), r[4]);
	must(le32(t) <= slot->t_len, "%s: its size is %u, and %zu bytes were sent",
	     message_name(t[4]), le32(t), slot->t_len);
	message_check(t, r, slot->r_len);
}

void flight_wait(unsigned int i)
{
	struct slot *slot = &slots[i];
	struct pollfd fd = {.fd = wake, .events = POLLIN};
	bool ring = p9_server_has_ring(server);
	uint64_t count;

	if (!slot->busy)
		return;
	/* What never ends is libFuzzer's -timeout to find. */
	while (!is_done(slot))
		if ((ring ? p9_server_wait(server, wake) : poll(&fd, 1, -1)) > 0)
			must(read(wake, &count, sizeof(count)) > 0, "eventfd");
	check(slot);
}

void flight_wait_all(void)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		flight_wait(i);
}

unsigned int flight_slot(uint16_t *tag, uint8_t **t)
{
	unsigned int slot = 0;

	for (unsigned int i = 0; i < SLOTS; i++) {
		if (!slots[i].busy) {
			slot = i;
			break;
		}
		if (slots[i].order < slots[slot].order)
			slot = i;
	}
	flight_wait(slot);
	*tag = (uint16_t)slot;
	*t = slots[slot].message;
	return slot;
}

/* What a Tflush has to wait for: whoever has the tag, in this session. */
static void flush(struct slot *flusher)
{
	const uint8_t *t = flusher->message;
	uint16_t tag = (uint16_t)(t[P9_HEADER] | t[P9_HEADER + 1] << 8);

	for (unsigned int i = 0; i < SLOTS; i++) {
		struct slot *slot = &slots[i];

		if (slot == flusher || !slot->busy || slot->session != flusher->session ||
		    (slot->message[5] | slot->message[6] << 8) != tag)
			continue;
		flusher->behind[i] = slot->begun;
		slot->may_be_dropped = true;
	}
}

/* Tversion ends a session: what has not begun by then never will. */
static void end_session(const struct slot *version)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		if (&slots[i] != version && slots[i].session == version->session)
			slots[i].may_be_dropped = true;
}

static size_t room(uint8_t choice)
{
	static const uint32_t rooms[] = {0,  7,	 10, 11,  12,  15,  20,	  22,	 24,
					 28, 67, 90, 160, 200, 300, 4096, 65536, ROOM_MAX};

	return choice < 180 ? 9000 : rooms[choice % (sizeof(rooms) / sizeof(*rooms))];
}

void flight_submit(unsigned int i, struct p9_session *session, size_t len, struct input *input)
{
	struct slot *slot = &slots[i];
	uint8_t t_how = input_byte(input), r_how = input_byte(input), seed = input_byte(input);
	size_t r_room = room(input_byte(input));
	struct p9_pieces t, r;
	int err;

	slot->t_len = len;
	slot->session = session;
	slot->order = order++;
	slot->msize = atomic_load(&session->msize);
	memset(slot->behind, 0, sizeof(slot->behind));
	slot->may_be_dropped = len < P9_HEADER || r_room < P9_RLERROR_SIZE;
	/* What is behind the end of a cut message was never sent. */
	memset(slot->message + len, 0, len < P9_HEADER ? P9_HEADER - len : 0);
	if (slot->message[4] == P9_TFLUSH && len >= P9_HEADER + 2)
		flush(slot);
	if (slot->message[4] == P9_TVERSION)
		end_session(slot);
	cut(&slot->t, slot->t_arena, len, t_how, seed);
	spread(&slot->t, slot->message);
	cut(&slot->r, slot->r_arena, r_room, r_how, seed);
	memset(slot->r_arena, GAP_BYTE, slot->r.extent);
	poison(&slot->t);
	poison(&slot->r);
	slot->busy = true;
	slot->begun++;
	t = as_given(&slot->t);
	r = as_given(&slot->r);
	err = p9_submit(session, &t, &r, done, slot);
	if (err) {
		must(err == -EINVAL && (slot->t.n > P9_MAX_IOV || slot->r.n > P9_MAX_IOV),
		     "p9_submit: %s", strerror(-err));
		unpoison(&slot->t);
		unpoison(&slot->r);
		slot->busy = false;
		slot->begun--;
		return;
	}
	must(slot->t.n <= P9_MAX_IOV && slot->r.n <= P9_MAX_IOV, "too many pieces were taken");
	/* A T-message is read once, but for the data of a Twrite: a guest may write over it now. */
	if (slot->message[4] != P9_TWRITE)
		for (size_t j = 0; j < slot->t.n; j++)
			memset(slot->t.iov[j].iov_base, 0xff, slot->t.iov[j].iov_len);
}

void flight_reset(struct p9_session *session, bool free_it)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		if (slots[i].session == session)
			slots[i].may_be_dropped = true;
	if (free_it)
		p9_session_free(session);
	else
		p9_session_reset(session);
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (!slots[i].busy || slots[i].session != session)
			continue;
		must(is_done(&slots[i]), "a request has outlived the reset");
		flight_wait(i);
	}
}
