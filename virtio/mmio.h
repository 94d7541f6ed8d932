/* SPDX-License-Identifier: MIT */
/*
 * The virtio-mmio transport, version 2 (virtio 1.2 §4.2), and what a device gives to it.
 *
 * Register accesses come from any vCPU thread and are serialised by the transport, except for
 * queue notifications, which go straight to the device. A device takes vdev->queue_lock around
 * everything it does to its queues.
 *
 * Registers as memory
 * -------------------
 * Linux reads InterruptStatus and writes InterruptACK in each interrupt, and each of the two is an
 * exit that costs as much as the request's kick. So an owner may place the block across a page
 * boundary, at VIRTIO_MMIO_SPLIT: below it is what needs an exit, QueueNotify above all; from it on,
 * InterruptStatus, InterruptACK, Status, ConfigGeneration and the configuration space, which from
 * DRIVER_OK to the next reset can be a page of memory that the guest reads and writes by itself
 * (vdev->back()). In the page
 *   - InterruptStatus always has the bit of used buffers: the line is edge-triggered and the device's
 *     alone, so whoever looks at it has been interrupted, and may always find nothing (§2.7.7);
 *   - InterruptACK is written and forgotten;
 *   - Status is what the driver wrote last, and DEVICE_NEEDS_RESET (§2.1.2) when it is set.
 *
 * The price is that a reset (a write of 0 to Status, §4.2.2.2) is not noticed when it happens. Status
 * is read before a chain is taken, before one is given back, before an interrupt is raised for it, at
 * each access below VIRTIO_MMIO_SPLIT, and by virtio_mmio_look(), which the owner calls at each other
 * exit of the guest. If DRIVER_OK is gone, queues are left alone from there on. An access below
 * VIRTIO_MMIO_SPLIT, and virtio_mmio_look(), moreover carry the reset out before anything else: wait for
 * requests in flight as a write of 0 does without the page, take the page away, and go on with what the
 * driver wrote to Status meanwhile (ACKNOWLEDGE, DRIVER). No driver comes from a reset to DRIVER_OK
 * without such an access: it must negotiate features (§3.1.1) and enable queues (§4.2.3.2) there.
 *
 * So from the driver's write of 0 to the guest's next exit that is no access to another virtio device,
 * though Status reads 0,
 *   - requests in flight go on, and what they read may still arrive in their own buffers;
 *   - at most one chain for each thread that was just then giving one back still gets into the used
 *     ring, and an interrupt may follow.
 * §2.4.1 promises a driver more: that a device whose Status reads 0 does not touch its queues. What is
 * needed is that neither buffers nor rings are put to another use before that exit. Of Linux:
 *   - A driver that lets go of its device disables its queues (QueueSel, QueueReady: exits), and frees
 *     the rings after that. Whether it frees buffers after that, too, is the driver's doing, so a device
 *     says for itself whether its driver does: see reset_by_memory.
 *   - Before a kexec, newer kernels reset each device (virtio_dev_shutdown()), then clear the
 *     interrupt controller, which is an exit if the VMM is that controller, then jump. Older ones
 *     reset nothing, and no transport helps: what they left in flight ends when the next kernel resets
 *     the device to take it over. So it is with the kernel that a panic starts, in memory of its own.
 * A driver that polls Status until it reads 0, and then frees, without any exit, is not served rightly by
 * a device that has reset_by_memory.
 *
 * The guest may write into the page what it likes, at any time and from all its CPUs. Nothing is
 * read from there but one word, Status, and nothing follows from it but that queues are let be and that
 * a reset is carried out. What the device did and did not agree to is in the fields below.
 */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H

#include <linux/virtio_config.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtio/queue.h"

#define VIRTIO_MMIO_SIZE  0x1000u
#define VIRTIO_MMIO_SPLIT 0x60u /* InterruptStatus; QueueNotify is below */
#define VIRTIO_PAGE_SIZE  4096u
#define VIRTIO_MAX_QUEUES 4

/* The registers from VIRTIO_MMIO_SPLIT on, as they lie at the beginning of a page (§4.2.2). */
struct virtio_page {
	_Atomic uint32_t interrupt_status; /* 0x060 */
	uint32_t interrupt_ack;
	uint32_t reserved[2];
	_Atomic uint32_t status;	/* 0x070 */
	uint32_t not_read[34];		/* queue addresses, shared memory: 0x080 … */
	uint32_t config_generation;	/* 0x0fc */
	uint8_t config[];		/* 0x100 */
};

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
	/*
	 * Linux's driver frees no buffer and no ring between its write of 0 to Status and its disabling
	 * of the queues. The transport may then make the second half of the registers memory.
	 */
	bool reset_by_memory;

	/* How the device interrupts: an edge on its line. Any thread. Set by the owner. */
	void (*irq)(void *arg);
	void *irq_arg;

	/*
	 * Shows the guest `page`, of VIRTIO_PAGE_SIZE bytes, where its registers from VIRTIO_MMIO_SPLIT
	 * on are, or takes it away: no CPU of the guest reaches it any more when that returns. Showing
	 * it may fail, and each access exits as before. Never called by two threads at once. The page
	 * is the owner's, lives until virtio_destroy(), and no DMA may reach it: it is not in the
	 * gmem. Set by the owner; NULL where registers are never memory.
	 */
	int (*back)(void *arg, bool shown);
	void *back_arg;
	struct virtio_page *page;

	/* The transport's own. */
	pthread_mutex_t reg_lock;
	pthread_mutex_t queue_lock;
	struct virtq queue[VIRTIO_MAX_QUEUES];
	atomic_uint interrupt_status;
	atomic_uint status;
	_Atomic bool live;   /* DRIVER_OK and no reset needed; written under queue_lock */
	_Atomic bool backed; /* the guest sees the page; written under reg_lock, while not live */
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

/*
 * Carries out a reset that the guest wrote into the page, if there is one: may wait as the reset does.
 * To be called, where there is a page, at each exit of the guest that is no access to the registers, of
 * this device or another.
 */
void virtio_mmio_look(struct virtio_dev *vdev);

/* Tells the driver that queues have used buffers. Any thread. */
void virtio_interrupt(struct virtio_dev *vdev);
/* The guest broke the rules: DEVICE_NEEDS_RESET (§2.1.2). Under queue_lock. */
void virtio_broken(struct virtio_dev *vdev);
/* For the end of the VM: like a reset by the driver. */
void virtio_quiesce(struct virtio_dev *vdev);

/* The driver wrote into the page that DRIVER_OK is over. */
static inline bool virtio_reset_by_memory(struct virtio_dev *vdev)
{
	return atomic_load_explicit(&vdev->backed, memory_order_relaxed) &&
	       !(atomic_load_explicit(&vdev->page->status, memory_order_acquire) &
		 VIRTIO_CONFIG_S_DRIVER_OK);
}

/* Whether the queues may be touched: the driver has said DRIVER_OK, and has not taken it back. */
static inline bool virtio_live(struct virtio_dev *vdev)
{
	if (!atomic_load_explicit(&vdev->live, memory_order_acquire))
		return false;
	return !virtio_reset_by_memory(vdev);
}

#endif
