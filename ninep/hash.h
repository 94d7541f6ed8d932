/* SPDX-License-Identifier: MIT */
/*
 * A hash table of things that carry their own link, which grows with their number. The caller
 * locks it, and frees what is in it.
 */
#ifndef NINEP_HASH_H
#define NINEP_HASH_H

#include <stddef.h>
#include <stdint.h>

struct p9_link {
	struct p9_link *next; /* in its bucket */
	uint64_t hash;
};

struct p9_hash {
	struct p9_link **bucket;
	size_t buckets; /* a power of two */
	size_t n;	/* things in it */
};

/* The thing of this type whose member is link. */
#define p9_entry(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* -ENOMEM. */
int p9_hash_init(struct p9_hash *hash);
void p9_hash_exit(struct p9_hash *hash);
void p9_hash_add(struct p9_hash *hash, struct p9_link *link, uint64_t value);
/* link is in it. */
void p9_hash_del(struct p9_hash *hash, struct p9_link *link);
/* The first that has this value, or NULL; then the next such one after link. */
struct p9_link *p9_hash_find(const struct p9_hash *hash, uint64_t value);
struct p9_link *p9_hash_more(const struct p9_link *link);

/* Spreads a number's bits over all of its bits; different numbers stay different. */
uint64_t p9_hash_mix(uint64_t v);

#endif
