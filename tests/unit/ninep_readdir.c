// SPDX-License-Identifier: MIT
/* Treaddir: everything once, in pieces of any size, from any offset. */
#include "kselftest_harness.h"

#include <dirent.h>

#include "tests/unit/p9client.h"

FIXTURE(dir)
{
	struct p9c_world w;
	struct p9c *c;
};

FIXTURE_VARIANT(dir)
{
	enum p9_executor executor;
	bool crumbs;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(dir, sync) { P9_EXEC_SYNC, false };
FIXTURE_VARIANT_ADD(dir, ring) { P9_EXEC_RING, false };
FIXTURE_VARIANT_ADD(dir, auto) { P9_EXEC_AUTO, false };
FIXTURE_VARIANT_ADD(dir, auto_crumbs) { P9_EXEC_AUTO, true };
/* clang-format on */

FIXTURE_SETUP(dir)
{
	ASSERT_EQ(0, p9c_world_open(&self->w, variant->executor, variant->crumbs, 0));
	self->c = self->w.c;
}

FIXTURE_TEARDOWN(dir)
{
	EXPECT_EQ(0, p9c_world_close(&self->w));
}

struct entry {
	struct p9c_qid qid;
	uint64_t off;
	uint8_t type;
	char name[256];
};

/* Entries from an offset on, at most max; their number or an error. *end: where they end. */
static int list(struct p9c *c, uint32_t fid, uint64_t off, uint32_t count, struct entry *entry,
		int max)
{
	int err = p9c_call(c, P9_TREADDIR, "dqd", fid, off, count);
	const uint8_t *end;
	uint32_t len;
	int n = 0;

	if (err)
		return err;
	len = p9c_get(c, 4);
	end = c->rp + len;
	if (len > count || c->r_len != 11 + len)
		return -1000;
	while (c->rp < end && n < max) {
		entry[n].qid = p9c_get_qid(c);
		entry[n].off = p9c_get(c, 8);
		entry[n].type = p9c_get(c, 1);
		p9c_get_string(c, entry[n].name);
		n++;
	}
	return c->rp == end ? n : -1001;
}

#define N 300

static struct entry all[N + 10], some[N + 10];

static int list_all(struct p9c *c, uint32_t fid, uint32_t count, struct entry *entry)
{
	uint64_t off = 0;
	int n = 0, got;

	do {
		got = list(c, fid, off, count, entry + n, N + 10 - n);
		if (got < 0)
			return got;
		n += got;
		if (n)
			off = entry[n - 1].off;
	} while (got);
	return n;
}

static int fill(struct p9c_world *w)
{
	char name[256];

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "%0*d", 1 + i % 255, i);
		if (i % 3 == 0	 ? mkdir(p9c_path(w, name), 0755)
		    : i % 3 == 1 ? symlink("x", p9c_path(w, name))
				 : p9c_host_file(w, name, "x"))
			i = i; /* a few names coincide */
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* Linux asks for that much of a folder at once; of a file as much as fits into a message. */
TEST_F(dir, iounit)
{
	struct p9c *c = self->c;

	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "x"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	ASSERT_EQ(0, p9c_lopen(c, 1, 0));
	p9c_get_qid(c);
	EXPECT_EQ(32768, p9c_get(c, 4));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "f"));
	ASSERT_EQ(0, p9c_lopen(c, 2, 0));
	p9c_get_qid(c);
	EXPECT_EQ(0, p9c_get(c, 4));
}

TEST_F(dir, everything_once_in_any_size)
{
	static const uint32_t count[] = {280, 281, 300, 333, 1000, 4096, 100000, 1u << 31};
	struct p9c *c = self->c;
	int n, names = 0;
	DIR *host;

	ASSERT_EQ(0, fill(&self->w));
	host = opendir(p9c_path(&self->w, ""));
	while (readdir(host))
		names++;
	closedir(host);
	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDONLY | P9_OPEN_DIRECTORY));
	n = list_all(c, 1, 65536, all);
	ASSERT_EQ(names, n);
	qsort(all, n, sizeof(*all), by_name);
	for (int i = 1; i < n; i++)
		EXPECT_STRNE(all[i - 1].name, all[i].name);
	for (size_t k = 0; k < sizeof(count) / sizeof(*count); k++) {
		memset(some, 0, sizeof(some));
		ASSERT_EQ(n, list_all(c, 1, count[k], some));
		qsort(some, n, sizeof(*some), by_name);
		for (int i = 0; i < n; i++) {
			EXPECT_STREQ(all[i].name, some[i].name);
			EXPECT_EQ(all[i].off, some[i].off);
			EXPECT_EQ(all[i].qid.path, some[i].qid.path);
		}
	}
}

TEST_F(dir, from_any_offset)
{
	struct p9c *c = self->c;
	int n;

	ASSERT_EQ(0, fill(&self->w));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDONLY));
	n = list_all(c, 1, 65536, all);
	ASSERT_LT(N / 2, n);
	for (int i = n - 2; i >= 0; i -= 7) {
		ASSERT_LE(1, list(c, 1, all[i].off, 600, some, N));
		EXPECT_STREQ(all[i + 1].name, some[0].name);
	}
	EXPECT_EQ(0, list(c, 1, all[n - 1].off, 65536, some, N));
	ASSERT_LE(1, list(c, 1, 0, 600, some, N));
	EXPECT_STREQ(all[0].name, some[0].name);
}

TEST_F(dir, offsets_are_the_hosts)
{
	struct p9c *c = self->c;
	struct dirent *entry;
	DIR *host;
	int n;

	ASSERT_EQ(0, fill(&self->w));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDONLY));
	n = list_all(c, 1, 65536, all);
	host = opendir(p9c_path(&self->w, ""));
	for (int i = 0; i < n; i++) {
		entry = readdir(host);
		EXPECT_STREQ(entry->d_name, all[i].name);
		EXPECT_EQ(entry->d_off, all[i].off);
	}
	closedir(host);
}

TEST_F(dir, types_and_qids_agree_with_walk)
{
	struct p9c *c = self->c;
	struct p9c_attr root, a;
	int n, special = 0;

	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d"), 0755));
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d/dir"), 0755));
	ASSERT_EQ(0, p9c_host_file(&self->w, "d/file", "x"));
	ASSERT_EQ(0, symlink("x", p9c_path(&self->w, "d/link")));
	ASSERT_EQ(0, mkfifo(p9c_path(&self->w, "d/fifo"), 0644));
	ASSERT_EQ(0, p9c_getattr(c, 0, &root));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "d"));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "d"));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDONLY));
	n = list_all(c, 1, 65536, all);
	ASSERT_EQ(6, n);
	for (int i = 0; i < n; i++) {
		if (!strcmp(all[i].name, ".")) {
			ASSERT_EQ(0, p9c_getattr(c, 1, &a));
		} else if (!strcmp(all[i].name, "..")) {
			a = root;
		} else {
			ASSERT_EQ(0, p9c_walk(c, 2, 3, all[i].name));
			ASSERT_EQ(0, p9c_getattr(c, 3, &a));
			ASSERT_EQ(0, p9c_clunk(c, 3));
			special++;
		}
		EXPECT_EQ(a.qid.path, all[i].qid.path);
		EXPECT_EQ(a.qid.type, all[i].qid.type);
		EXPECT_EQ(IFTODT(a.mode), all[i].type);
	}
	EXPECT_EQ(4, special);
	/* `..` of the root does not name the outside. */
	ASSERT_EQ(0, p9c_walk(c, 0, 4, ""));
	ASSERT_EQ(0, p9c_lopen(c, 4, O_RDONLY));
	n = list_all(c, 4, 65536, all);
	for (int i = 0; i < n; i++)
		if (!strcmp(all[i].name, ".."))
			EXPECT_EQ(root.qid.path, all[i].qid.path);
}

TEST_F(dir, while_entries_go)
{
	struct p9c *c = self->c;
	uint64_t off = 0;
	int got, seen = 0;

	ASSERT_EQ(0, fill(&self->w));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDONLY));
	/* As rm -r does: remove what was just listed, and go on from its offset. */
	while ((got = list(c, 1, off, 1000, some, N)) > 0) {
		off = some[got - 1].off;
		for (int i = 0; i < got; i++) {
			if (some[i].name[0] == '.')
				continue;
			EXPECT_EQ(0, p9c_call(c, P9_TUNLINKAT, "dsd", 0, some[i].name,
					      some[i].type == DT_DIR ? 0x200 : 0));
			seen++;
		}
	}
	EXPECT_EQ(0, got);
	EXPECT_LT(N / 2, seen);
	EXPECT_EQ(2, list_all(c, 1, 65536, all));
}

TEST_F(dir, refused)
{
	struct p9c *c = self->c;
	char longest[256];

	ASSERT_EQ(0, p9c_host_file(&self->w, "f", "x"));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDONLY));
	EXPECT_EQ(-ENOTDIR, list(c, 1, 0, 1000, some, N));
	EXPECT_EQ(-EBADF, list(c, 0, 0, 1000, some, N)); /* not open */
	EXPECT_EQ(-EBADF, list(c, 9, 0, 1000, some, N));
	memset(longest, 'x', 255);
	longest[255] = 0;
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "d"), 0755));
	ASSERT_EQ(0, p9c_walk(c, 0, 2, "d"));
	ASSERT_EQ(0, p9c_call(c, P9_TMKDIR, "dsdd", 2, longest, 0755, 0));
	ASSERT_EQ(0, p9c_walk(c, 2, 3, ""));
	ASSERT_EQ(0, p9c_lopen(c, 3, O_RDONLY));
	EXPECT_EQ(3, list_all(c, 3, 279, some));       /* 24 + 255 */
	EXPECT_EQ(-EINVAL, list_all(c, 3, 278, some)); /* not silently the end */
	EXPECT_EQ(-EINVAL, list(c, 3, 0, 10, some, N));
	EXPECT_EQ(-EINVAL, list(c, 3, UINT64_MAX, 1000, some, N));
}

/* Many entries, of which some are made and some removed while they are listed. */
TEST_F(dir, a_hundred_thousand)
{
	enum { MANY = 100000 };
	static bool seen[MANY], removed[MANY];
	static struct entry piece[1000];
	struct p9c *c = self->c;
	uint64_t off = 0;
	char name[64];
	int n, failed = 0, twice = 0, missing = 0, rounds = 0;

	if (variant->crumbs)
		return;
	ASSERT_EQ(0, mkdir(p9c_path(&self->w, "many"), 0755));
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "many/%06d", i);
		/* Few inodes for many names; a file has not room for more than 65000. */
		if (i % 50000 == 0
			    ? p9c_host_file(&self->w, name, "x")
			    : link(p9c_path(&self->w, i < 50000 ? "many/000000" : "many/050000"),
				   p9c_path(&self->w, name)))
			failed++;
	}
	ASSERT_EQ(0, failed);
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "many"));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDONLY | P9_OPEN_DIRECTORY));
	while ((n = list(c, 1, off, 20000, piece, 1000)) > 0) {
		for (int i = 0; i < n; i++) {
			unsigned int number = (unsigned int)strtoul(piece[i].name, NULL, 10);

			if (strlen(piece[i].name) != 6 || number >= MANY)
				continue;
			twice += seen[number];
			seen[number] = true;
		}
		off = piece[n - 1].off;
		rounds++;
		removed[rounds * 97 % MANY] = true;
		snprintf(name, sizeof(name), "many/%06d", rounds * 97 % MANY);
		ASSERT_EQ(0, unlink(p9c_path(&self->w, name)));
		snprintf(name, sizeof(name), "many/a-new-one-%d", rounds);
		ASSERT_EQ(0, p9c_host_file(&self->w, name, "x"));
	}
	ASSERT_EQ(0, n);
	for (int i = 0; i < MANY; i++)
		missing += !seen[i] && !removed[i];
	/* What was there from the beginning to the end came once; what was not, at most once. */
	EXPECT_EQ(0, twice);
	EXPECT_EQ(0, missing);
}

TEST_HARNESS_MAIN
