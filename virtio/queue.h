/* SPDX-License-Identifier: MIT */
/*
 * The device's side of a split virtqueue (virtio 1.2 §2.7) with VIRTIO_F_INDIRECT_DESC and
 * VIRTIO_F_EVENT_IDX. A queue has no lock of its own: its device serialises the calls.
 */
#ifndef VIRTIO_QUEUE_H
#define VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <linux/virtio_ring.h>

#include "virtio/gmem.h"

/* Entries of a queue, and the most descriptors one chain may have, indirect ones included: a 9P
 * request of the largest size Linux sends needs 128 (its transport's VIRTQUEUE_NUM). */
#define VIRTQ_MAX_SIZE 256

struct virtq {
	const struct gmem *mem;
	/* What the driver wrote; checked by virtq_start(). */
	uint16_t size;
	uint64_t desc_gpa;
	uint64_t avail_gpa;
	uint64_t used_gpa;

	bool ready;
	bool event_idx; /* VIRTIO_F_EVENT_IDX was negotiated */
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	struct vring_used *used;
	uint16_t last_avail;	/* next entry of the available ring to take */
	uint16_t used_idx;	/* next entry of the used ring to fill */
	uint16_t notified_used; /* used_idx when virtq_must_notify() was last asked */
};

/*
 * One buffer of the guest: iov[0 … nout - 1] to read, then nin pieces to write. Descriptors of
 * neighbouring memory are one piece.
 */
struct virtq_chain {
	uint16_t head;
	unsigned int nout;
	unsigned int nin;
	size_t out_len;
	size_t in_len;
	struct iovec iov[VIRTQ_MAX_SIZE];
};

/* 0, or -EINVAL if the rings are not aligned (§2.7), not in RAM, or the size is no power of two. */
int virtq_start(struct virtq *q);
/* Back to the state after reset. The rings are not touched any more. */
void virtq_stop(struct virtq *q);

/*
 * Takes the next chain: 1, or 0 if there is none, or -EINVAL if the guest broke the rules (index
 * out of range, loop, memory that is not RAM, a writable piece before a readable one, …); the
 * device then needs a reset. Each descriptor is copied once before it is looked at.
 */
int virtq_pop(struct virtq *q, struct virtq_chain *chain);

/* Undoes the last virtq_pop(): the chain will be popped again. */
void virtq_unpop(struct virtq *q);

/* Gives the chain back; len is the number of bytes written to its writable pieces. */
void virtq_push(struct virtq *q, uint16_t head, uint32_t len);

/* Whether the driver wants an interrupt for what was pushed since the last call (§2.7.7.2). */
bool virtq_must_notify(struct virtq *q);

/*
 * Asks the driver for a kick when it adds a chain. False if one has come in the meantime: the caller
 * must go on popping.
 */
bool virtq_want_kicks(struct virtq *q);

#endif
