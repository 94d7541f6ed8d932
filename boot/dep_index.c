// SPDX-License-Identifier: MIT
/*
 * All numbers are 32 bits wide, the highest byte first. The file begins with a magic number, the
 * version and where the root is. A place has in its upper bits which parts the node there has, in
 * this order: a prefix   letters that all names below share, NUL-terminated children   the first
 * and the last letter that a name can go on with, and a place for each from the first to the last,
 * 0 if there is none values     how many; and each with a priority before it, best first,
 * NUL-terminated
 */
#include "boot/dep_index.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAGIC	      0xb007f457u
#define VERSION_MAJOR 2
#define HEADER_SIZE   12u

#define HAS_PREFIX   0x80000000u
#define HAS_VALUES   0x40000000u
#define HAS_CHILDREN 0x20000000u
#define PLACE_MASK   0x0fffffffu

static bool read_number(struct span index, size_t at, uint32_t *number)
{
	uint32_t raw;

	if (at > index.len || index.len - at < sizeof(raw))
		return false;
	memcpy(&raw, index.at + at, sizeof(raw));
	*number = __builtin_bswap32(raw);
	return true;
}

static bool read_text(struct span index, size_t at, struct span *text)
{
	const char *end;

	if (at >= index.len)
		return false;
	end = memchr(index.at + at, '\0', index.len - at);
	if (!end)
		return false;
	*text = (struct span){index.at + at, (size_t)(end - index.at) - at};
	return true;
}

/* Takes prefix from the beginning of name, if it is there. */
static bool skip_prefix(struct span *name, struct span prefix)
{
	if (prefix.len > name->len)
		return false;
	for (size_t i = 0; i < prefix.len; i++)
		if (module_fold(name->at[i]) != module_fold(prefix.at[i]))
			return false;
	name->at += prefix.len;
	name->len -= prefix.len;
	return true;
}

/* The children are a table at *at, and what follows them there afterwards; *next is that of letter,
 * or 0. */
static bool read_children(struct span index, size_t *at, unsigned char letter, uint32_t *next)
{
	unsigned char first, last;
	size_t table = *at + 2;

	*next = 0;
	if (table > index.len)
		return false;
	first = (unsigned char)index.at[*at];
	last = (unsigned char)index.at[*at + 1];
	if (last < first)
		return false;
	*at = table + (last - first + 1u) * sizeof(*next);
	if (letter < first || letter > last)
		return true;
	return read_number(index, table + (size_t)(letter - first) * sizeof(*next), next);
}

int dep_index_find(struct span index, struct span name, struct span *line)
{
	uint32_t magic, version, node, count;
	struct span prefix;

	if (!read_number(index, 0, &magic) || magic != MAGIC || !read_number(index, 4, &version) ||
	    version >> 16 != VERSION_MAJOR || !read_number(index, 8, &node))
		return -EBADMSG;
	/* Each turn but the last takes a letter from the name: a circle of nodes does no harm. */
	for (;;) {
		size_t at = node & PLACE_MASK;
		uint32_t next = 0;

		if (at < HEADER_SIZE)
			return -EBADMSG;
		if (node & HAS_PREFIX) {
			if (!read_text(index, at, &prefix))
				return -EBADMSG;
			if (!skip_prefix(&name, prefix))
				return 0;
			at += prefix.len + 1;
		}
		if ((node & HAS_CHILDREN) &&
		    !read_children(index, &at,
				   (unsigned char)(name.len ? module_fold(*name.at) : '\0'), &next))
			return -EBADMSG;
		if (!name.len) {
			if (!(node & HAS_VALUES))
				return 0;
			if (!read_number(index, at, &count) || !count ||
			    !read_text(index, at + 2 * sizeof(count), line))
				return -EBADMSG;
			return 1;
		}
		if (!(next & PLACE_MASK))
			return 0;
		node = next;
		name.at++;
		name.len--;
	}
}
