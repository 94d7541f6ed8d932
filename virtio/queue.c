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

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

/* An indirect table may lie anywhere (§2.7.5.3): Linux without CONFIG_SLUB has some at 8 bytes past 16. */
typedef uint64_t any_u64 __attribute__((aligned(1)));

/* A private copy, by two loads: the guest may change the descriptor while it is checked. */
static inline struct desc copy_desc(const uint8_t *from)
{
	const any_u64 *word = (const void *)from;
	uint64_t rest = READ_ONCE(word[1]);

	return (struct desc){
		.addr = READ_ONCE(word[0]),
		.len = (uint32_t)rest,
		.flags = (uint16_t)(rest >> 32),
		.next = (uint16_t)(rest >> 48),
	};
}

/* §2.7.5.3.1: not chained on, at least one descriptor. */
static const uint8_t *indirect_table(const struct virtq *q, const struct desc *d,
				     unsigned int *n)
{
	*n = d->len / sizeof(struct vring_desc);
	if ((d->flags & VRING_DESC_F_NEXT) || d->len % sizeof(struct vring_desc) || *n == 0 ||
	    *n > VIRTQ_MAX_SIZE)
		return NULL;
	return gmem_slice(q->mem, d->addr, d->len);
}

/*
 * Follows a chain from chain->head on. What lies behind the last piece becomes part of it: a driver
 * has to give a descriptor to each page, but often enough they are one stretch of memory.
 */
static int follow(const struct virtq *q, struct virtq_chain *chain)
{
	const struct gmem *mem = q->mem;
	const uint8_t *table = (const void *)q->desc;
	struct iovec *iov = chain->iov;
	/* The count bounds loops, and what is left of chain->iov. */
	unsigned int n = q->size, left = n, next = chain->head;
	unsigned int kind = 0; /* VRING_DESC_F_WRITE once that has begun */
	bool indirect = false;
	uint8_t *host, *end = NULL; /* of the last piece of this direction */
	size_t len = 0;
	struct desc d;

	chain->nout = 0;
	chain->out_len = 0;
	do {
		if (next >= n || left-- == 0)
			return -EINVAL;
		d = copy_desc(table + next * sizeof(struct vring_desc));
		next = d.next;
		/* Once only for each: one comparison as a rule. */
		if ((d.flags & (VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE)) != kind) {
			if (d.flags & VRING_DESC_F_INDIRECT) {
				/* §2.7.5.3.1: not nested. */
				table = indirect ? NULL : indirect_table(q, &d, &n);
				if (!table)
					return -EINVAL;
				indirect = true;
				next = 0;
				left = VIRTQ_MAX_SIZE - (unsigned int)(iov - chain->iov);
				continue;
			}
			if (kind)
				return -EINVAL;
			kind = VRING_DESC_F_WRITE;
			chain->nout = (unsigned int)(iov - chain->iov);
			chain->out_len = len;
			end = NULL;
			len = 0;
		}
		host = gmem_slice(mem, d.addr, d.len);
		if (!host)
			return -EINVAL;
		if (host == end)
			iov[-1].iov_len += d.len;
		else
			*iov++ = (struct iovec){.iov_base = host, .iov_len = d.len};
		end = host + d.len;
		len += d.len;
	} while (d.flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT));
	if (!kind) {
		chain->nout = (unsigned int)(iov - chain->iov);
		chain->out_len = len;
		len = 0;
	}
	chain->nin = (unsigned int)(iov - chain->iov) - chain->nout;
	chain->in_len = len;
	return 0;
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
	return follow(q, chain) < 0 ? -EINVAL : 1;
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
