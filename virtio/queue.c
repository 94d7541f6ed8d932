// SPDX-License-Identifier: MIT
#include "virtio/queue.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* The ring is shared with vCPUs that write it at any time, so each field is read exactly once. */
#define READ_ONCE(x)	 (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/* Where each side says at which index it wants to hear from the other (§2.7.7.1, §2.7.10). */
static const uint16_t *used_event(const struct virtq *q)
{
	return &q->avail->ring[q->size];
}

static uint16_t *avail_event(struct virtq *q)
{
	return (uint16_t *)&q->used->ring[q->size];
}

int virtq_start(struct virtq *q)
{
	uint64_t n = q->size;

	if (n == 0 || n > VIRTQ_MAX_SIZE || (n & (n - 1)))
		return -EINVAL;
	if ((q->desc_gpa & 15) || (q->avail_gpa & 1) || (q->used_gpa & 3))
		return -EINVAL;
	/* Six bytes of head and tail: flags, index, event. */
	q->desc = gmem_slice(q->mem, q->desc_gpa, n * sizeof(struct vring_desc));
	q->avail = gmem_slice(q->mem, q->avail_gpa, 6 + n * sizeof(uint16_t));
	q->used = gmem_slice(q->mem, q->used_gpa, 6 + n * sizeof(struct vring_used_elem));
	if (!q->desc || !q->avail || !q->used)
		return -EINVAL;
	q->last_avail = 0;
	q->used_idx = 0;
	q->notified_used = 0;
	q->ready = true;
	return 0;
}

void virtq_stop(struct virtq *q)
{
	const struct gmem *mem = q->mem;

	memset(q, 0, sizeof(*q));
	q->mem = mem;
}

static int add_piece(const struct virtq *q, struct virtq_chain *chain, const struct vring_desc *d)
{
	unsigned int i = chain->nout + chain->nin;
	bool writable = d->flags & VRING_DESC_F_WRITE;
	void *host;

	if (i >= VIRTQ_MAX_SIZE || (!writable && chain->nin))
		return -EINVAL;
	host = gmem_slice(q->mem, d->addr, d->len);
	if (!host)
		return -EINVAL;
	chain->iov[i].iov_base = host;
	chain->iov[i].iov_len = d->len;
	if (writable) {
		chain->nin++;
		chain->in_len += d->len;
	} else {
		chain->nout++;
		chain->out_len += d->len;
	}
	return 0;
}

/* Follows a chain in a table of n descriptors. The piece count bounds loops. */
static int follow(const struct virtq *q, struct virtq_chain *chain, const struct vring_desc *table,
		  unsigned int n, uint16_t next, bool indirect)
{
	for (unsigned int seen = 0;; seen++) {
		struct vring_desc d;
		int err;

		if (next >= n || seen >= n)
			return -EINVAL;
		/* A private copy: the guest may change the descriptor while it is checked. */
		d.addr = READ_ONCE(table[next].addr);
		d.len = READ_ONCE(table[next].len);
		d.flags = READ_ONCE(table[next].flags);
		d.next = READ_ONCE(table[next].next);

		if (d.flags & VRING_DESC_F_INDIRECT) {
			const struct vring_desc *inner;
			uint32_t count = d.len / sizeof(d);

			/* §2.7.5.3.1: not nested, not chained on, at least one descriptor. */
			if (indirect || (d.flags & VRING_DESC_F_NEXT) || d.len % sizeof(d) ||
			    count == 0 || count > VIRTQ_MAX_SIZE || (d.addr & 15))
				return -EINVAL;
			inner = gmem_slice(q->mem, d.addr, d.len);
			if (!inner)
				return -EINVAL;
			return follow(q, chain, inner, count, 0, true);
		}
		err = add_piece(q, chain, &d);
		if (err)
			return err;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return 0;
		next = d.next;
	}
}

int virtq_pop(struct virtq *q, struct virtq_chain *chain)
{
	uint16_t avail_idx, waiting;

	if (!q->ready)
		return 0;
	/* Pairs with the driver's barrier between filling the ring and moving its index. */
	avail_idx = __atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE);
	waiting = (uint16_t)(avail_idx - q->last_avail);
	if (waiting == 0)
		return 0;
	if (waiting > q->size)
		return -EINVAL;
	chain->head = READ_ONCE(q->avail->ring[q->last_avail % q->size]);
	if (chain->head >= q->size)
		return -EINVAL;
	q->last_avail++;
	chain->nout = 0;
	chain->nin = 0;
	chain->out_len = 0;
	chain->in_len = 0;
	if (follow(q, chain, q->desc, q->size, chain->head, false) < 0)
		return -EINVAL;
	return 1;
}

void virtq_unpop(struct virtq *q)
{
	q->last_avail--;
}

void virtq_push(struct virtq *q, uint16_t head, uint32_t len)
{
	struct vring_used_elem *e = &q->used->ring[q->used_idx % q->size];

	WRITE_ONCE(e->id, head);
	WRITE_ONCE(e->len, len);
	q->used_idx++;
	/* Pairs with the driver's read barrier: the entry, and the data, before the index. */
	__atomic_store_n(&q->used->idx, q->used_idx, __ATOMIC_RELEASE);
}

bool virtq_must_notify(struct virtq *q)
{
	uint16_t event, old = q->notified_used;

	if (q->used_idx == old)
		return false;
	/*
	 * Our index must be visible before the driver's wish is read, as the driver writes its wish
	 * before it reads our index: one of the two sees the other.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	q->notified_used = q->used_idx;
	if (!q->event_idx)
		return !(READ_ONCE(q->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	event = READ_ONCE(*used_event(q));
	return vring_need_event(event, q->used_idx, old);
}

bool virtq_want_kicks(struct virtq *q)
{
	if (!q->ready)
		return true;
	if (q->event_idx)
		WRITE_ONCE(*avail_event(q), q->last_avail);
	/* The wish before the look at the ring, as in virtq_must_notify(). */
	atomic_thread_fence(memory_order_seq_cst);
	return READ_ONCE(q->avail->idx) == q->last_avail;
}
