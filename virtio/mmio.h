/* SPDX-License-Identifier: MIT */
/*
 * The virtio-mmio transport, version 2 (virtio 1.2 §4.2), and what a device gives to it.
 *
 * Register accesses come from any vCPU thread and are serialised by the transport, except for
 * queue notifications, which go straight to the device. A device takes vdev->queue_lock around
 * everything it does to its queues.
 */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtio/queue.h"

#define VIRTIO_MMIO_SIZE  0x1000u
#define VIRTIO_MAX_QUEUES 4

struct virtio_dev;

struct virtio_ops {
	/* The driver kicked queue q. On the vCPU's thread, without locks. */
	void (*notify)(struct virtio_dev *vdev, unsigned int q);
	/*
	 * The driver resets the device: every chain taken so far has come back when this returns. May
	 * wait. No queue is live any more when it is called. NULL if the device keeps nothing.
	 */
	void (*reset)(struct virtio_dev *vdev);
};

struct virtio_dev {
	const struct virtio_ops *ops;
	uint32_t id; /* §5: 4 rng, 3 console, 9 9P */
	uint64_t features;
	const void *config; /* device configuration space, read-only to the driver */
	uint32_t config_len;
	unsigned int nqueues;

	/* How the device interrupts: an edge on its line. Any thread. Set by the owner. */
	void (*irq)(void *arg);
	void *irq_arg;

	/* The transport's own. */
	pthread_mutex_t reg_lock;
	pthread_mutex_t queue_lock;
	struct virtq queue[VIRTIO_MAX_QUEUES];
	atomic_uint interrupt_status;
	atomic_uint status;
	_Atomic bool live; /* DRIVER_OK and no reset needed; written under queue_lock */
	uint64_t driver_features;
	uint32_t features_sel;
	uint32_t driver_features_sel;
	uint32_t queue_sel;

	/* Counted since virtio_init(), resets included; read by whoever wants to know. */
	_Atomic uint64_t kicks;	     /* writes to QueueNotify that reached the device */
	_Atomic uint64_t interrupts; /* edges raised */
};

/* The device-specific fields above irq are set by the caller before. */
void virtio_init(struct virtio_dev *vdev, const struct gmem *mem);
void virtio_destroy(struct virtio_dev *vdev);

/* An access to the register block; offset < VIRTIO_MMIO_SIZE. */
void virtio_mmio_read(struct virtio_dev *vdev, uint64_t offset, void *data, unsigned int len);
void virtio_mmio_write(struct virtio_dev *vdev, uint64_t offset, const void *data,
		       unsigned int len);

/* Tells the driver that queues have used buffers. Any thread. */
void virtio_interrupt(struct virtio_dev *vdev);
/* The guest broke the rules: DEVICE_NEEDS_RESET (§2.1.2). Under queue_lock. */
void virtio_broken(struct virtio_dev *vdev);
/* For the end of the VM: like a reset by the driver. */
void virtio_quiesce(struct virtio_dev *vdev);

static inline bool virtio_live(struct virtio_dev *vdev)
{
	return atomic_load_explicit(&vdev->live, memory_order_acquire);
}

#endif
