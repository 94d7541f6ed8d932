// SPDX-License-Identifier: MIT
#include "ninep/fs.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* ---- entries ---- */

/* The lock is held. */
static struct p9_fs *find(struct p9_filesystems *all, uint64_t dev)
{
	struct p9_fs *fs;

	for (fs = all->first; fs; fs = fs->next)
		if (fs->dev == dev)
			return fs;
	fs = calloc(1, sizeof(*fs));
	if (!fs)
		return NULL;
	fs->dev = dev;
	fs->next = all->first;
	all->first = fs;
	return fs;
}

struct p9_fs *p9_fs_find(struct p9_filesystems *all, uint64_t dev)
{
	struct p9_fs *fs;

	pthread_mutex_lock(&all->lock);
	fs = find(all, dev);
	pthread_mutex_unlock(&all->lock);
	return fs;
}

struct p9_fs *p9_fs_get_known(struct p9_filesystems *all, uint64_t dev)
{
	unsigned int nodes;
	struct p9_fs *fs;

	pthread_mutex_lock(&all->lock);
	fs = find(all, dev);
	nodes = fs ? atomic_load(&fs->nodes) : 0;
	while (nodes && !atomic_compare_exchange_weak(&fs->nodes, &nodes, nodes + 1))
		;
	pthread_mutex_unlock(&all->lock);
	return nodes ? fs : NULL;
}

struct p9_fs *p9_fs_get_more(struct p9_fs *fs)
{
	atomic_fetch_add(&fs->nodes, 1);
	return fs;
}

struct p9_fs *p9_fs_get(struct p9_filesystems *all, uint64_t dev, enum p9_fs_class class)
{
	struct p9_fs *fs;

	pthread_mutex_lock(&all->lock);
	fs = find(all, dev);
	/* Whoever reads the class has counted a node, and there is none. */
	if (fs && !atomic_load(&fs->nodes)) {
		fs->class = class;
		atomic_store(&fs->writes_wait, false);
		atomic_store(&fs->atime, 0);
	}
	if (fs)
		p9_fs_get_more(fs);
	pthread_mutex_unlock(&all->lock);
	return fs;
}

void p9_fs_put(struct p9_fs *fs)
{
	atomic_fetch_sub(&fs->nodes, 1);
}

enum p9_fs_class p9_fs_classify(uint64_t f_type)
{
	switch (f_type) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
		return P9_FS_MEMORY;
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
		return P9_FS_LOCAL;
	default:
		return P9_FS_OTHER;
	}
}

/* ---- qid.path: 16 bits of prefix, 48 of inode number ---- */

/*
 * A prefix stands for a file system and the upper 16 bits of inode numbers on it. The first one is
 * 0, so that the inode numbers of a share's own file system are shown as they are. Most file
 * systems need one prefix. One whose inode numbers are hashes (some FUSE ones) uses them all up;
 * from then on a new pair is hashed to 63 bits, which for ten million such files makes two of them
 * the same with a chance of one in a hundred thousand.
 */
#define INO_BITS     48
#define MAX_PREFIXES 0x8000u

struct prefix {
	struct p9_link link;
	const struct p9_fs *fs;
	uint64_t upper;
	uint32_t number;
};

static uint64_t prefix_hash(const struct p9_fs *fs, uint64_t upper)
{
	return p9_hash_mix(fs->dev ^ p9_hash_mix(upper));
}

/* The lock is held. */
static const struct prefix *find_prefix(const struct p9_filesystems *all, const struct p9_fs *fs,
					uint64_t upper)
{
	struct p9_link *link = p9_hash_find(&all->prefixes, prefix_hash(fs, upper));

	for (; link; link = p9_hash_more(link)) {
		const struct prefix *prefix = p9_entry(link, struct prefix, link);

		if (prefix->fs == fs && prefix->upper == upper)
			return prefix;
	}
	return NULL;
}

/* The lock is held. NULL: out of memory. */
static const struct prefix *make_prefix(struct p9_filesystems *all, struct p9_fs *fs,
					uint64_t upper)
{
	struct prefix *prefix = malloc(sizeof(*prefix));

	if (!prefix)
		return NULL;
	prefix->fs = fs;
	prefix->upper = upper;
	prefix->number = (uint32_t)all->prefixes.n;
	p9_hash_add(&all->prefixes, &prefix->link, prefix_hash(fs, upper));
	if (!upper)
		atomic_store(&fs->low_prefix, prefix->number + 1);
	return prefix;
}

static uint64_t with_prefix(uint32_t number, uint64_t ino)
{
	return (uint64_t)number << INO_BITS | (ino & ((1ull << INO_BITS) - 1));
}

int p9_qid_path(struct p9_filesystems *all, struct p9_fs *fs, uint64_t ino, uint64_t *path)
{
	const uint64_t upper = ino >> INO_BITS;
	unsigned int low = upper ? 0 : atomic_load(&fs->low_prefix);
	const struct prefix *prefix;
	int err = 0;

	if (low) {
		*path = with_prefix(low - 1, ino);
		return 0;
	}
	pthread_mutex_lock(&all->lock);
	prefix = find_prefix(all, fs, upper);
	if (!prefix && all->prefixes.n < MAX_PREFIXES) {
		prefix = make_prefix(all, fs, upper);
		err = prefix ? 0 : -ENOMEM;
	}
	pthread_mutex_unlock(&all->lock);
	if (prefix)
		*path = with_prefix(prefix->number, ino);
	else
		*path = p9_hash_mix(ino ^ p9_hash_mix(fs->dev)) | 1ull << 63;
	return err;
}

int p9_filesystems_init(struct p9_filesystems *all)
{
	*all = (struct p9_filesystems){0};
	pthread_mutex_init(&all->lock, NULL);
	return p9_hash_init(&all->prefixes);
}

void p9_filesystems_exit(struct p9_filesystems *all)
{
	struct p9_fs *fs, *next;

	for (size_t i = 0; i < all->prefixes.buckets; i++) {
		struct p9_link *link = all->prefixes.bucket[i];

		while (link) {
			struct prefix *prefix = p9_entry(link, struct prefix, link);

			link = link->next;
			free(prefix);
		}
	}
	p9_hash_exit(&all->prefixes);
	for (fs = all->first; fs; fs = next) {
		next = fs->next;
		free(fs);
	}
	pthread_mutex_destroy(&all->lock);
}
