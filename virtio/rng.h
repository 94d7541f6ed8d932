/* SPDX-License-Identifier: MIT */
/* Entropy device (virtio 1.2 §5.4): the host's getrandom(2), filled in on the vCPU's thread. */
#ifndef VIRTIO_RNG_H
#define VIRTIO_RNG_H

#include "virtio/mmio.h"

struct virtio_rng {
	struct virtio_dev vdev;
};

void virtio_rng_init(struct virtio_rng *rng, const struct gmem *mem);

#endif
