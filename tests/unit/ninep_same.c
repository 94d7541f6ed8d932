// SPDX-License-Identifier: MIT
/*
 * Replies are the same in all executors: one long session of random requests, well and badly meant,
 * is played to each over a folder of its own, and what comes back is compared, message by message,
 * after inode numbers were renamed by their order of appearance and times of now left out.
 */
#include "kselftest_harness.h"

#include <sys/xattr.h>

#include "tests/unit/p9client.h"

#define REQUESTS 10000
#define FIDS	 12u

/* ---- what is sent ---- */

static uint32_t rnd(uint64_t *state, uint32_t n)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*state >> 33) % n;
}

static const char *name(uint64_t *state)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "a name with spaces"};
	static const char *const odd[] = {"..", ".", "", "x/y"};

	return rnd(state, 20) ? names[rnd(state, 7)] : odd[rnd(state, 4)];
}

static uint32_t open_flags(uint64_t *state)
{
	static const uint32_t flags[] = {O_RDONLY,
					 O_RDWR,
					 O_RDWR,
					 O_WRONLY,
					 O_RDWR | P9_OPEN_TRUNC,
					 O_RDWR | P9_OPEN_APPEND,
					 O_RDWR | P9_OPEN_EXCL,
					 O_RDONLY | P9_OPEN_DIRECTORY,
					 O_RDWR | P9_OPEN_DIRECT,
					 O_RDONLY | P9_OPEN_NOATIME,
					 3};

	return flags[rnd(state, sizeof(flags) / sizeof(*flags))];
}

static void build_write(struct p9c *c, uint64_t *state, uint32_t fid)
{
	uint32_t len = rnd(state, 9000), size;
	uint8_t data[9000];

	for (uint32_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 3 + len);
	p9c_build(c, P9_TWRITE, "dqd", fid, (uint64_t)rnd(state, 20000), len);
	p9c_bytes(c, data, len);
	size = htole32((uint32_t)c->t_len);
	memcpy(c->t, &size, 4);
}

/* The next request: what it is depends on the state alone. */
static void build(struct p9c *c, uint64_t *state)
{
	static const uint32_t types[] = {S_IFREG, S_IFIFO, S_IFSOCK, S_IFDIR, 0};
	uint32_t fid = rnd(state, 3) ? rnd(state, FIDS) : 0, gid = getgid();
	uint32_t other = 1 + rnd(state, FIDS - 1); /* fid 0 stays the root */
	const char *one = name(state), *two = name(state);
	/* The owner's rights stay, so that there is something to do for who is not root, too. */
	uint32_t mode = 0700 | (rnd(state, 4) ? 0066 : rnd(state, 010000));

	switch (rnd(state, 34)) {
	case 0:
	case 1:
	case 2:
	case 3:
		p9c_build(c, P9_TWALK, "ddws", fid, other, 1, one);
		break;
	case 4:
		p9c_build(c, P9_TWALK, "ddwss", 0, other, 2, one, two);
		break;
	case 5:
		p9c_build(c, P9_TWALK, "ddw", fid, other, 0);
		break;
	case 6:
		p9c_build(c, P9_TCLUNK, "d", 1 + rnd(state, FIDS - 1));
		break;
	case 7:
	case 8:
	case 9:
		p9c_build(c, P9_TLOPEN, "dd", fid, open_flags(state));
		break;
	case 10:
	case 11:
	case 12:
		p9c_build(c, P9_TLCREATE, "dsddd", 1 + rnd(state, FIDS - 1), one, open_flags(state),
			  mode, gid);
		break;
	case 13:
		p9c_build(c, P9_TMKDIR, "dsdd", fid, one, 0777, gid);
		break;
	case 14:
		p9c_build(c, P9_TSYMLINK, "dssd", fid, one, two, gid);
		break;
	case 15:
		p9c_build(c, P9_TMKNOD, "dsdddd", fid, one, types[rnd(state, 5)] | mode, 0, 0, gid);
		break;
	case 16:
		p9c_build(c, P9_TRENAME, "dds", fid, other, one);
		break;
	case 17:
		p9c_build(c, P9_TRENAMEAT, "dsds", fid, one, other, two);
		break;
	case 18:
		p9c_build(c, P9_TLINK, "dds", fid, other, one);
		break;
	case 19:
		p9c_build(c, P9_TUNLINKAT, "dsd", fid, one, rnd(state, 2) * 0x200);
		break;
	case 20:
		p9c_build(c, P9_TREMOVE, "d", 1 + rnd(state, FIDS - 1));
		break;
	case 21:
	case 22:
		p9c_build(c, P9_TGETATTR, "dq", fid, (uint64_t)0x3fff);
		break;
	case 23:
		p9c_build(c, P9_TSETATTR,
			  "ddddd"
			  "qqqqq",
			  fid, rnd(state, 0x200), mode, getuid(), gid, (uint64_t)rnd(state, 30000),
			  (uint64_t)1000 + rnd(state, 1000), (uint64_t)rnd(state, 1000000000),
			  (uint64_t)1000 + rnd(state, 1000), (uint64_t)rnd(state, 1000000000));
		break;
	case 24:
		p9c_build(c, P9_TREADDIR, "dqd", fid, (uint64_t)0, 8000);
		break;
	case 25:
		p9c_build(c, P9_TREADLINK, "d", fid);
		break;
	case 26:
	case 27:
		p9c_build(c, P9_TREAD, "dqd", fid, (uint64_t)rnd(state, 20000), rnd(state, 20000));
		break;
	case 28:
	case 29:
		build_write(c, state, fid);
		break;
	case 30:
		p9c_build(c, P9_TXATTRWALK, "dds", fid, other, rnd(state, 2) ? "user.a" : "");
		break;
	case 31:
		p9c_build(c, P9_TXATTRCREATE, "dsqd", 1 + rnd(state, FIDS - 1), "user.a",
			  (uint64_t)rnd(state, 3), rnd(state, 4));
		break;
	case 32:
		p9c_build(c, P9_TLOCK, "dbdqqds", fid, rnd(state, 4), 0, (uint64_t)rnd(state, 10),
			  (uint64_t)rnd(state, 10), rnd(state, 3), "guest");
		break;
	case 33:
		if (rnd(state, 2))
			p9c_build(c, P9_TFSYNC, "dd", fid, rnd(state, 2));
		else
			p9c_build(c, P9_TGETLOCK, "dbqqds", fid, rnd(state, 4),
				  (uint64_t)rnd(state, 10), (uint64_t)rnd(state, 10), rnd(state, 3),
				  "guest");
		break;
	}
}

/* ---- what comes back ---- */

/* Numbers in their order of appearance. */
struct names {
	uint64_t number[10000];
	uint32_t n;
};

static uint32_t rename_number(struct names *names, uint64_t number)
{
	uint32_t i = 0;

	while (i < names->n && names->number[i] != number)
		i++;
	if (i == names->n && names->n < 10000)
		names->number[names->n++] = number;
	return i;
}

struct record {
	char *text;
	size_t len;
};

static void put_qid(struct p9c *c, struct names *names, FILE *out)
{
	struct p9c_qid qid = p9c_get_qid(c);

	fprintf(out, " qid %u/%u", qid.type, rename_number(names, qid.path));
}

/* A time that was set is small. */
static void put_time(struct p9c *c, FILE *out)
{
	uint64_t sec = p9c_get(c, 8), nsec = p9c_get(c, 8);

	if (sec < 1000000)
		fprintf(out, " %llu.%llu", (unsigned long long)sec, (unsigned long long)nsec);
	else
		fprintf(out, " now");
}

static void put_attr(struct p9c *c, struct names *names, FILE *out)
{
	static const size_t size[] = {4, 4, 4, 8, 8, 8}; /* mode uid gid nlink rdev size */

	fprintf(out, " %llx", (unsigned long long)p9c_get(c, 8));
	put_qid(c, names, out);
	for (size_t i = 0; i < 6; i++)
		fprintf(out, " %llo", (unsigned long long)p9c_get(c, size[i]));
	p9c_get(c, 8);
	p9c_get(c, 8); /* how many blocks is the file system's affair */
	put_time(c, out);
	put_time(c, out);
	put_time(c, out);
}

static void put_entries(struct p9c *c, struct names *names, FILE *out)
{
	const uint8_t *end;
	char entry[300];

	end = c->rp + 4 + p9c_get(c, 4);
	while (c->rp < end) {
		put_qid(c, names, out);
		p9c_get(c, 8); /* the host's own */
		fprintf(out, " %llu", (unsigned long long)p9c_get(c, 1));
		p9c_get_string(c, entry);
		fprintf(out, " '%s'", entry);
	}
}

static void put_reply(struct p9c *c, int err, struct names *names, FILE *out)
{
	fprintf(out, "%u:", c->t[4]);
	if (err) {
		fprintf(out, " error %d\n", err);
		return;
	}
	switch (c->t[4]) {
	case P9_TWALK:
		for (uint64_t n = p9c_get(c, 2); n; n--)
			put_qid(c, names, out);
		break;
	case P9_TLOPEN:
	case P9_TLCREATE:
	case P9_TMKDIR:
	case P9_TSYMLINK:
	case P9_TMKNOD:
		put_qid(c, names, out);
		break;
	case P9_TGETATTR:
		put_attr(c, names, out);
		break;
	case P9_TREADDIR:
		put_entries(c, names, out);
		break;
	default:
		for (; c->rp < c->r + c->r_len; c->rp++)
			fprintf(out, "%02x", *c->rp);
	}
	fprintf(out, "\n");
}

/*
 * Another fid for what was just created, so that its inode number is not given to a later file:
 * when the host does that differs from time to time.
 */
static void hold(struct p9c *c, uint32_t num)
{
	uint32_t fid;
	char child[300];

	memcpy(&fid, c->t + 7, 4);
	if (c->t[4] == P9_TLCREATE) {
		p9c_walk(c, fid, num, "");
	} else if (c->t[4] == P9_TMKDIR || c->t[4] == P9_TSYMLINK || c->t[4] == P9_TMKNOD) {
		snprintf(child, sizeof(child), "%.*s", c->t[11], (const char *)c->t + 13);
		p9c_walk(c, fid, num, child);
	}
}

static int play(enum p9_executor executor, const struct p9_share_config *config, uint64_t state,
		struct record *record)
{
	static struct names names;
	struct p9c_world w = {.config = *config};
	FILE *out = open_memstream(&record->text, &record->len);
	int err = p9c_world_open(&w, executor, false, 0);

	names.n = 0;
	for (int i = 0; !err && i < REQUESTS; i++) {
		build(w.c, &state);
		w.c->tag = (uint16_t)i;
		put_reply(w.c, p9c_go(w.c), &names, out);
		hold(w.c, 1000 + (uint32_t)i);
	}
	fclose(out);
	return err ?: p9c_world_close(&w);
}

/* The line in which two texts differ first. */
static void show_difference(const char *a, const char *b)
{
	int line = 1;

	while (*a && *a == *b) {
		line += *a == '\n';
		a++, b++;
	}
	while (line > 1 && a[-1] != '\n')
		a--, b--;
	fprintf(stderr, "# request %d:\n# %.*s\n# %.*s\n", line, (int)strcspn(a, "\n"), a,
		(int)strcspn(b, "\n"), b);
}

/* How many replies to this message are no errors. */
static int count(const char *text, unsigned int type)
{
	char line[16];
	int n = 0;

	snprintf(line, sizeof(line), "\n%u:", type);
	while ((text = strstr(text, line))) {
		text += strlen(line);
		n += strncmp(text, " error", 6) != 0;
	}
	return n;
}

FIXTURE(same)
{
	int unused;
};

FIXTURE_VARIANT(same)
{
	uint64_t seed;
	bool memory; /* where nothing waits */
	struct p9_share_config config;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(same, one) { 1, false, {0} };
FIXTURE_VARIANT_ADD(same, two) { 2, false, {0} };
FIXTURE_VARIANT_ADD(same, three) { 3, true, {0} };
FIXTURE_VARIANT_ADD(same, mapped) { 4, false, {.model = P9_MODEL_MAPPED} };
FIXTURE_VARIANT_ADD(same, written_out) { 5, false, {.flags = P9_SHARE_WRITEOUT} };
/* clang-format on */

FIXTURE_SETUP(same)
{
}

FIXTURE_TEARDOWN(same)
{
}

TEST_F(same, in_all_executors)
{
	static const enum p9_executor executor[] = {P9_EXEC_SYNC, P9_EXEC_RING, P9_EXEC_AUTO};
	static const uint8_t type[] = {
		P9_TLOPEN,    P9_TLCREATE, P9_TSYMLINK, P9_TMKNOD,    P9_TRENAME, P9_TREADLINK,
		P9_TGETATTR,  P9_TSETATTR, P9_TREADDIR, P9_TFSYNC,    P9_TLOCK,	  P9_TGETLOCK,
		P9_TLINK,     P9_TMKDIR,   P9_TWALK,	P9_TRENAMEAT, P9_TREAD,	  P9_TWRITE,
		P9_TUNLINKAT, P9_TREMOVE,  P9_TCLUNK,
	};
	struct record record[3];

	if (variant->memory && access("/dev/shm", W_OK))
		SKIP(return, "no /dev/shm");
	if (variant->memory)
		setenv("TMPDIR", "/dev/shm", 1);
	for (int i = 0; i < 3; i++) {
		int err = play(executor[i], &variant->config, variant->seed, &record[i]);

		if (err == -EOPNOTSUPP)
			SKIP(return, "the file system of TMPDIR has no extended attributes");
		ASSERT_EQ(0, err);
	}
	/* Of each kind of message some must work. */
	for (size_t i = 0; i < sizeof(type) / sizeof(*type); i++) {
		EXPECT_LE(2, count(record[0].text, type[i]))
		TH_LOG("message %u", type[i]);
	}
	for (int i = 1; i < 3; i++) {
		bool same = !strcmp(record[0].text, record[i].text);

		EXPECT_TRUE(same);
		if (!same)
			show_difference(record[0].text, record[i].text);
	}
	for (int i = 0; i < 3; i++)
		free(record[i].text);
}

TEST_HARNESS_MAIN
