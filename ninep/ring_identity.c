// SPDX-License-Identifier: MIT
/*
 * Identities for the ring ("personalities"): the ring's thread wears one while it registers it, and
 * an entry then names it by number. The last ones used stay registered.
 */
#include <errno.h>

#include "ninep/ring.h"

static int registered(struct p9_ring *ring, struct p9_personality *place, struct p9_who who)
{
	int id;

	if (place->id) {
		/* What was submitted keeps its identity; what was not has only the number. */
		if (io_uring_sq_ready(&ring->uring))
			return -EAGAIN;
		io_uring_unregister_personality(&ring->uring, place->id);
		place->id = 0;
	}
	id = p9_wear(who);
	if (!id)
		id = io_uring_register_personality(&ring->uring);
	if (id > 0)
		*place = (struct p9_personality){.who = who, .id = id};
	return id;
}

int p9_ring_personality(struct p9_ring *ring, struct p9_who who)
{
	struct p9_personality *place = &ring->personality[0];
	int id = 0;

	if (who.uid == P9_OWN)
		return 0;
	for (unsigned int i = 0; i < P9_PERSONALITIES && !id; i++) {
		struct p9_personality *one = &ring->personality[i];

		if (one->id && p9_who_same(one->who, who))
			id = one->id;
		if (id || one->used < place->used)
			place = one;
	}
	if (!id)
		id = registered(ring, place, who);
	if (id > 0)
		place->used = ++ring->uses;
	return id;
}
