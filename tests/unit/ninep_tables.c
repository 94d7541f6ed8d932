// SPDX-License-Identifier: MIT
/* The growing hash table, and how inode numbers of several file systems become one space. */
#include "kselftest_harness.h"

#include <errno.h>

#include "ninep/fs.h"
#include "ninep/hash.h"

struct thing {
	uint64_t number;
	struct p9_link link;
};

TEST(hash_finds_what_is_in_it)
{
	enum { N = 5000 };
	static struct thing thing[N];
	struct p9_hash hash;
	size_t found;

	ASSERT_EQ(0, p9_hash_init(&hash));
	for (uint64_t i = 0; i < N; i++) {
		thing[i].number = i;
		p9_hash_add(&hash, &thing[i].link, p9_hash_mix(i / 2)); /* two of each value */
	}
	EXPECT_EQ(N, hash.n);
	EXPECT_LE(N / 2, hash.buckets); /* it has grown */
	for (uint64_t i = 0; i < N; i += 2)
		p9_hash_del(&hash, &thing[i].link);
	for (uint64_t i = 0; i < N / 2; i++) {
		struct p9_link *link = p9_hash_find(&hash, p9_hash_mix(i));

		ASSERT_NE(NULL, link);
		EXPECT_EQ(2 * i + 1, p9_entry(link, struct thing, link)->number);
		EXPECT_EQ(NULL, p9_hash_more(link));
	}
	EXPECT_EQ(NULL, p9_hash_find(&hash, p9_hash_mix(N)));
	p9_hash_add(&hash, &thing[0].link, p9_hash_mix(0));
	found = 0;
	for (struct p9_link *l = p9_hash_find(&hash, p9_hash_mix(0)); l; l = p9_hash_more(l))
		found++;
	EXPECT_EQ(2, found);
	p9_hash_exit(&hash);
}

static uint64_t path(struct p9_filesystems *all, struct p9_fs *fs, uint64_t ino)
{
	uint64_t p = 0;

	return p9_qid_path(all, fs, ino, &p) ? 0 : p;
}

TEST(inode_numbers_do_not_collide)
{
	struct p9_filesystems all;
	struct p9_fs *one, *two, *three;

	ASSERT_EQ(0, p9_filesystems_init(&all));
	one = p9_fs_find(&all, 0x801);
	two = p9_fs_find(&all, 0x802);
	three = p9_fs_find(&all, 0x803);
	EXPECT_EQ(one, p9_fs_find(&all, 0x801));
	/* The first one's are as they are. */
	EXPECT_EQ(2, path(&all, one, 2));
	EXPECT_EQ((1ull << 48) - 1, path(&all, one, (1ull << 48) - 1));
	/* Others have a prefix, for themselves and for each upper part. */
	uint64_t p[] = {path(&all, one, 2),		  path(&all, two, 2),
			path(&all, three, 2),		  path(&all, one, 1ull << 48 | 2),
			path(&all, two, 1ull << 48 | 2),  path(&all, one, 1ull << 63 | 2),
			path(&all, two, ~0ull),		  path(&all, one, ~0ull),
			path(&all, two, 2ull << 48 | 2),  path(&all, three, 0xffffull << 48 | 2)};

	for (size_t i = 0; i < 10; i++) {
		EXPECT_NE(0, p[i]);
		EXPECT_EQ(0, p[i] >> 63);
		for (size_t k = 0; k < i; k++)
			EXPECT_NE(p[k], p[i]);
	}
	/* And they stay. */
	EXPECT_EQ(p[1], path(&all, two, 2));
	EXPECT_EQ(p[9], path(&all, three, 0xffffull << 48 | 2));
	p9_filesystems_exit(&all);
}

/* Inode numbers that are hashes use up the prefixes; what has one keeps it. */
TEST(inode_numbers_without_order)
{
	struct p9_filesystems all;
	struct p9_fs *one, *two;
	uint64_t first, last = 0;

	ASSERT_EQ(0, p9_filesystems_init(&all));
	one = p9_fs_find(&all, 1);
	two = p9_fs_find(&all, 2);
	first = path(&all, one, p9_hash_mix(0));
	for (uint64_t i = 0; i < 200000; i++)
		last = path(&all, one, p9_hash_mix(i));
	EXPECT_EQ(first, path(&all, one, p9_hash_mix(0)));
	EXPECT_EQ(last, path(&all, one, p9_hash_mix(199999)));
	EXPECT_EQ(0x8000, all.prefixes.n);
	/* From then on they are hashed, marked by the top bit. */
	EXPECT_EQ(1, path(&all, two, 7) >> 63);
	EXPECT_EQ(1, path(&all, two, 8) >> 63);
	EXPECT_NE(path(&all, two, 7), path(&all, two, 8));
	p9_filesystems_exit(&all);
}

TEST(class_lasts_as_long_as_there_are_nodes)
{
	struct p9_filesystems all;
	struct p9_fs *fs;

	ASSERT_EQ(0, p9_filesystems_init(&all));
	EXPECT_EQ(NULL, p9_fs_get_known(&all, 5));
	fs = p9_fs_get(&all, 5, P9_FS_MEMORY);
	ASSERT_NE(NULL, fs);
	EXPECT_EQ(fs, p9_fs_get_known(&all, 5));
	EXPECT_EQ(fs, p9_fs_get(&all, 5, P9_FS_OTHER));
	EXPECT_EQ(P9_FS_MEMORY, fs->class);
	for (int i = 0; i < 3; i++)
		p9_fs_put(fs);
	/* Another file system may have got the number. */
	EXPECT_EQ(NULL, p9_fs_get_known(&all, 5));
	EXPECT_EQ(fs, p9_fs_get(&all, 5, P9_FS_OTHER));
	EXPECT_EQ(P9_FS_OTHER, fs->class);
	p9_filesystems_exit(&all);
}

TEST_HARNESS_MAIN
