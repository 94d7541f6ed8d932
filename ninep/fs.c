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
	struct p9_fs *fs;

	pthread_mutex_lock(&all->lock);
	fs = find(all, dev);
	if (fs && fs->nodes)
		fs->nodes++;
	else
		fs = NULL;
	pthread_mutex_unlock(&all->lock);
	return fs;
}

struct p9_fs *p9_fs_get(struct p9_filesystems *all, uint64_t dev, enum p9_fs_class class)
{
	struct p9_fs *fs;

	pthread_mutex_lock(&all->lock);
	fs = find(all, dev);
	if (fs && !fs->nodes++)
		fs->class = class;
	pthread_mutex_unlock(&all->lock);
	return fs;
}

void p9_fs_put(struct p9_filesystems *all, struct p9_fs *fs)
{
	pthread_mutex_lock(&all->lock);
	fs->nodes--;
	pthread_mutex_unlock(&all->lock);
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
static const struct prefix *make_prefix(struct p9_filesystems *all, const struct p9_fs *fs,
					uint64_t upper)
{
	struct prefix *prefix = malloc(sizeof(*prefix));

	if (!prefix)
		return NULL;
	prefix->fs = fs;
	prefix->upper = upper;
	prefix->number = (uint32_t)all->prefixes.n;
	p9_hash_add(&all->prefixes, &prefix->link, prefix_hash(fs, upper));
	return prefix;
}

int p9_qid_path(struct p9_filesystems *all, const struct p9_fs *fs, uint64_t ino, uint64_t *path)
{
	const uint64_t upper = ino >> INO_BITS;
	const struct prefix *prefix;
	int err = 0;

	pthread_mutex_lock(&all->lock);
	prefix = find_prefix(all, fs, upper);
	if (!prefix && all->prefixes.n < MAX_PREFIXES) {
		prefix = make_prefix(all, fs, upper);
		err = prefix ? 0 : -ENOMEM;
	}
	pthread_mutex_unlock(&all->lock);
	if (prefix)
		*path = (uint64_t)prefix->number << INO_BITS | (ino & ((1ull << INO_BITS) - 1));
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
