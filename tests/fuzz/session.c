// SPDX-License-Identifier: MIT
/*
 * Fuzzing of whole sessions on a scratch folder (see scratch.h).
 *
 * An input is a header and any number of records of RECORD bytes; each record is one request, with
 * the way that it is handed over, or something that the host does meanwhile. After each input no
 * request, fid, node or descriptor may be left, and nothing outside the share may have changed.
 *
 * NINEPIN_FUZZ_EXECUTOR=sync|ring|auto says how host operations are carried out (default sync),
 * NINEPIN_FUZZ_TRACE=1 prints each request with its reply, TMPDIR is where the scratch folder is.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ninep/session.h"
#include "tests/fuzz/flight.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message.h"
#include "tests/fuzz/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

#define HEADER	 2u
#define RECORD	 24u
#define SHARES	 5u
#define FILE_MAX (64u << 20) /* bytes of a file: sparse ones, in the share */

static struct p9_server *server;
static struct p9_share *shares[SHARES];
static unsigned int many; /* descriptors of nodes that the server would have by itself */

/* ---- what is there once ---- */

static unsigned int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	must(dir, "/proc/self/fd: %s", strerror(errno));
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static enum p9_executor executor(void)
{
	static const char *const name[] = {
		[P9_EXEC_SYNC] = "sync", [P9_EXEC_RING] = "ring", [P9_EXEC_AUTO] = "auto"};
	const char *wanted = getenv("NINEPIN_FUZZ_EXECUTOR");

	for (unsigned int i = 0; i < 3; i++)
		if (!wanted || !strcmp(wanted, name[i]))
			return i;
	must(false, "NINEPIN_FUZZ_EXECUTOR=%s is none of sync, ring and auto", wanted);
}

static void set_up(void)
{
	static const struct p9_share_config config[SHARES] = {
		{0},
		{.flags = P9_SHARE_RO},
		{.flags = P9_SHARE_FORBID_MULTIDEVS},
		{.model = P9_MODEL_MAPPED},
		{.model = P9_MODEL_IDMAP, .uids = {.range = {{0, 1000, 5}}, .n = 1}},
	};
	const struct rlimit limit = {FILE_MAX, FILE_MAX};
	const char *path;
	int err;

	/* It holds for libFuzzer's log too. The signal is libFuzzer's until now. */
	setrlimit(RLIMIT_FSIZE, &limit);
	signal(SIGXFSZ, SIG_IGN);
	err = p9_server_new(&server, executor());
	if (err == -ENOSYS || err == -EPERM) {
		/* Past libFuzzer, which takes the end of the process for a crash. */
		fprintf(stderr, "this machine refuses io_uring\n");
		_exit(4);
	}
	must(!err, "p9_server_new: %s", strerror(-err));
	must(!p9_server_start(server), "p9_server_start");
	path = scratch_open();
	for (unsigned int i = 0; i < SHARES; i++) {
		err = p9_share_open(&shares[i], server, path, &config[i]);
		/* Where there are no user.* attributes: one more of the first kind. */
		if (err == -EOPNOTSUPP)
			err = p9_share_open(&shares[i], server, path, &config[0]);
		must(!err, "p9_share_open: %s", strerror(-err));
	}
	many = server->node_fds_max;
	flight_open(server);
}

/* ---- one input ---- */

static struct p9_session *new_session(struct p9_share *share)
{
	struct p9_session *session;

	must(!p9_session_new(&session, share), "p9_session_new");
	return session;
}

/* Most inputs find fids to work with, some only the share's folder, some a session with nothing. */
static void begin(struct p9_session *session, uint8_t how)
{
	unsigned int steps = how < 0xc0 ? UINT_MAX : how < 0xf8 ? 2 : 0;
	struct input none = {0};
	unsigned int slot;
	uint16_t tag;
	uint8_t *t;
	size_t len;

	for (unsigned int i = 0; i < steps; i++) {
		slot = flight_slot(&tag, &t);
		len = message_opening(i, how & 4 ? P9_MSIZE_MIN : 65536, tag, t);
		if (!len)
			break;
		flight_submit(slot, session, len, &none);
		flight_wait(slot);
	}
}

static void check_cleared(const struct p9_session *session)
{
	must(!session->active, "%u requests are left", session->active);
	must(!session->fids.table.n, "%zu fids are left", session->fids.table.n);
	must(!session->locks.n && !session->locks.files.n, "%u locks of %zu files are left",
	     session->locks.n, session->locks.files.n);
	must(!session->xattrs, "%u attributes are left", session->xattrs);
	must(!session->lock_waits, "%u waits for a lock are left", session->lock_waits);
	for (size_t i = 0; i < P9_TAG_BUCKETS; i++)
		must(!session->by_tag[i], "a tag is left");
}

/* The share's folder is all that is remembered. */
static void check_share(const struct p9_share *share)
{
	must(share->refs == 1, "%u references to the share are left", share->refs);
	must(share->root->refs == 1 && share->root->pins == 1,
	     "%u references to the root are left, %d pins", share->root->refs, share->root->pins);
	must(share->nodes == 1 && !share->table.n && !share->clock_n,
	     "%u nodes are left, %zu in the table, %u with a descriptor to give up", share->nodes,
	     share->table.n, share->clock_n);
}

static void request(struct p9_session *session, uint8_t flight, struct input *input)
{
	struct input way = {.p = input->p, .end = input->p + 4};
	unsigned int slot;
	uint16_t tag;
	uint8_t *t;
	size_t len;

	input->p += 4;
	slot = flight_slot(&tag, &t);
	/* Another one's tag, sometimes. */
	len = message_build(input, flight >= 0xf0 ? 0 : tag, t);
	flight_submit(slot, session, len, &way);
	if (!(flight & 1) && !message_blocks(t))
		flight_wait(slot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {.p = data, .end = data + size};
	struct p9_session *sessions[2] = {0};
	unsigned int descriptors;
	struct p9_share *share;
	uint8_t which, how;

	if (!server)
		set_up();
	/* Between two inputs libFuzzer may open some for itself. */
	descriptors = count_descriptors();
	which = input_byte(&input);
	share = shares[which < 0xa0 ? 0 : which % SHARES];
	how = input_byte(&input);
	/* Sometimes nodes have to give up their descriptors at once. */
	server->node_fds_max = how & 2 ? SHARES + 1 : many;
	message_start();
	scratch_fill();
	while (input.p < input.end) {
		uint8_t record[RECORD] = {0};
		size_t n = (size_t)(input.end - input.p) < RECORD ? (size_t)(input.end - input.p)
								  : RECORD;
		struct input in = {.p = record, .end = record + RECORD};
		struct p9_session **session;
		uint8_t what, flight;

		memcpy(record, input.p, n);
		input.p += n;
		what = input_byte(&in);
		flight = input_byte(&in);
		/* Another client of the same share, sometimes. */
		session = &sessions[what % 16 == 15];
		if (!*session) {
			*session = new_session(share);
			begin(*session, how);
		}
		if (what < 0xe0) {
			request(*session, flight, &in);
		} else if (what < 0xfc) {
			if (share != shares[1])
				scratch_meddle(&in);
		} else {
			flight_reset(*session, false);
			check_cleared(*session);
			begin(*session, how);
		}
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (!sessions[i])
			continue;
		if (how & 1)
			flight_wait_all();
		flight_reset(sessions[i], false);
		check_cleared(sessions[i]);
		flight_reset(sessions[i], true);
	}
	for (unsigned int i = 0; i < SHARES; i++)
		check_share(shares[i]);
	must(server->node_fds == SHARES, "%u nodes have a descriptor", server->node_fds);
	if (share == shares[1])
		scratch_check_untouched();
	scratch_empty();
	must(count_descriptors() == descriptors, "%u descriptors are open, not %u",
	     count_descriptors(), descriptors);
	return 0;
}

/* ---- mutation: of records, so that what comes behind keeps its meaning ---- */

static size_t insert(uint8_t *data, size_t size, size_t max_size, size_t at, const uint8_t *record)
{
	if (size + RECORD > max_size)
		return size;
	memmove(data + at + RECORD, data + at, size - at);
	memcpy(data + at, record, RECORD);
	return size + RECORD;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	uint8_t record[RECORD];
	size_t n, at, other;

	if (size < HEADER + RECORD || (size - HEADER) % RECORD)
		size = HEADER + (size < HEADER ? 0 : size - HEADER) / RECORD * RECORD;
	if (size > max_size)
		return LLVMFuzzerMutate(data, 0, max_size);
	n = (size - HEADER) / RECORD;
	srand(seed);
	at = HEADER + (n ? (size_t)rand() % n : 0) * RECORD;
	other = HEADER + (n ? (size_t)rand() % n : 0) * RECORD;
	switch (n ? rand() % 12 : 0) {
	case 0:
	case 1:
	case 2: /* a new one */
		for (size_t i = 0; i < RECORD; i++)
			record[i] = (uint8_t)rand();
		/* Mostly a request, in one piece; half of them waited for. */
		if (rand() % 4)
			record[0] = 0;
		if (rand() % 2)
			record[1] = 0;
		if (rand() % 4)
			memset(record + 2, 0, 4);
		return insert(data, size, max_size, at, record);
	case 3: /* one again */
		memcpy(record, data + at, RECORD);
		return insert(data, size, max_size, other, record);
	case 4: /* one less */
		memmove(data + at, data + at + RECORD, size - at - RECORD);
		return size - RECORD;
	case 5: /* two change places */
		memcpy(record, data + at, RECORD);
		memcpy(data + at, data + other, RECORD);
		memcpy(data + other, record, RECORD);
		return size;
	case 6:
		data[(size_t)rand() % HEADER] = (uint8_t)rand();
		return size;
	case 7:
	case 8: /* one byte of the message */
		data[at + 6 + (size_t)rand() % (RECORD - 6)] = (uint8_t)rand();
		return size;
	default:
		LLVMFuzzerMutate(data + at, RECORD, RECORD);
		return size;
	}
}
