// SPDX-License-Identifier: MIT
#include "ninep/hash.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_BUCKETS 64u

int p9_hash_init(struct p9_hash *hash)
{
	*hash = (struct p9_hash){.buckets = FIRST_BUCKETS};
	hash->bucket = calloc(FIRST_BUCKETS, sizeof(struct p9_link *));
	return hash->bucket ? 0 : -ENOMEM;
}

void p9_hash_exit(struct p9_hash *hash)
{
	free(hash->bucket);
	*hash = (struct p9_hash){0};
}

static void put_in(struct p9_link **bucket, size_t buckets, struct p9_link *link)
{
	struct p9_link **head = &bucket[link->hash & (buckets - 1)];

	link->next = *head;
	*head = link;
}

/* Without memory for more buckets it goes on with longer ones. */
static void grow(struct p9_hash *hash)
{
	size_t buckets = hash->buckets * 2;
	struct p9_link **bucket = calloc(buckets, sizeof(struct p9_link *));
	struct p9_link *link, *next;

	if (!bucket)
		return;
	for (size_t i = 0; i < hash->buckets; i++) {
		for (link = hash->bucket[i]; link; link = next) {
			next = link->next;
			put_in(bucket, buckets, link);
		}
	}
	free(hash->bucket);
	hash->bucket = bucket;
	hash->buckets = buckets;
}

void p9_hash_add(struct p9_hash *hash, struct p9_link *link, uint64_t value)
{
	if (hash->n >= hash->buckets)
		grow(hash);
	link->hash = value;
	put_in(hash->bucket, hash->buckets, link);
	hash->n++;
}

void p9_hash_del(struct p9_hash *hash, struct p9_link *link)
{
	struct p9_link **at = &hash->bucket[link->hash & (hash->buckets - 1)];

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	hash->n--;
}

static struct p9_link *same(struct p9_link *link, uint64_t value)
{
	while (link && link->hash != value)
		link = link->next;
	return link;
}

struct p9_link *p9_hash_find(const struct p9_hash *hash, uint64_t value)
{
	return same(hash->bucket[value & (hash->buckets - 1)], value);
}

struct p9_link *p9_hash_more(const struct p9_link *link)
{
	return same(link->next, link->hash);
}

/* The finalizer of MurmurHash3, which is a bijection. */
uint64_t p9_hash_mix(uint64_t v)
{
	v ^= v >> 33;
	v *= 0xff51afd7ed558ccdull;
	v ^= v >> 33;
	v *= 0xc4ceb9fe1a85ec53ull;
	return v ^ v >> 33;
}
