// SPDX-License-Identifier: MIT
#include "virtio/rng.h"

#include <linux/virtio_ids.h>
#include <sys/random.h>

/* The most one request gets: Linux asks for 64 bytes, and getrandom() takes its time for megabytes. */
#define MAX_BYTES 4096u

static uint32_t fill(const struct virtq_chain *chain)
{
	uint32_t done = 0;

	for (unsigned int i = chain->nout; i < chain->nout + chain->nin && done < MAX_BYTES; i++) {
		size_t len = chain->iov[i].iov_len;
		ssize_t n;

		if (len > MAX_BYTES - done)
			len = MAX_BYTES - done;
		n = getrandom(chain->iov[i].iov_base, len, 0);
		if (n < 0)
			break;
		done += (uint32_t)n;
		if ((size_t)n < len)
			break;
	}
	return done;
}

static void rng_notify(struct virtio_dev *vdev, unsigned int index)
{
	struct virtq *q = &vdev->queue[index];
	struct virtq_chain chain;
	bool interrupt = false;
	int got;

	pthread_mutex_lock(&vdev->queue_lock);
	while (virtio_live(vdev)) {
		got = virtq_pop(q, &chain);
		if (got == 0 && virtq_want_kicks(q))
			break;
		if (got < 0)
			virtio_broken(vdev);
		if (got > 0)
			virtq_push(q, chain.head, fill(&chain));
	}
	if (virtio_live(vdev) && q->ready)
		interrupt = virtq_must_notify(q);
	pthread_mutex_unlock(&vdev->queue_lock);
	if (interrupt)
		virtio_interrupt(vdev);
}

static const struct virtio_ops rng_ops = {
	.notify = rng_notify,
};

void virtio_rng_init(struct virtio_rng *rng, const struct gmem *mem)
{
	*rng = (struct virtio_rng){
		.vdev = {
			.ops = &rng_ops,
			.id = VIRTIO_ID_RNG,
			.nqueues = 1,
			/* The buffer is part of what Linux's driver frees last. */
			.reset_by_memory = true,
		},
	};
	virtio_init(&rng->vdev, mem);
}
