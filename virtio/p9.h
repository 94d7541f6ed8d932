/* SPDX-License-Identifier: MIT */
/*
 * 9P transport device (virtio 1.2 §5.9 reserves id 9; the layout is the Linux driver's: a mount tag
 * in configuration space and one queue of requests). Requests are handed to the server on the
 * thread that took the kick, and may be finished there and then.
 */
#ifndef VIRTIO_P9_H
#define VIRTIO_P9_H

#include "ninep/p9.h"
#include "virtio/mmio.h"

#define VIRTIO_P9_TAG_MAX 255 /* bytes; also what QEMU allows at most */

struct virtio_p9 {
	struct virtio_dev vdev;
	struct p9_session *session; /* borrowed; outlives the device */
	struct {
		uint16_t len; /* little-endian, as is x86 */
		char tag[VIRTIO_P9_TAG_MAX];
	} __attribute__((packed)) config;

	/* Chains taken and not yet given back; under vdev.queue_lock. */
	unsigned int in_flight;
	bool draining; /* somebody waits for */
	pthread_cond_t idle; /* in_flight became 0 */
	struct virtio_p9_slot {
		struct virtio_p9 *p9;
		uint16_t head;
	} slot[VIRTQ_MAX_SIZE];
};

/* -ENAMETOOLONG if the tag has more than VIRTIO_P9_TAG_MAX bytes. */
int virtio_p9_init(struct virtio_p9 *p9, const struct gmem *mem, struct p9_session *session,
		   const char *tag);
void virtio_p9_destroy(struct virtio_p9 *p9);

#endif
