/* SPDX-License-Identifier: MIT */
/*
 * A guest's virtio driver, as small as a test needs: some memory, and queues set up through the
 * register block as virtio 1.2 §3.1.1 and §4.2.3 say.
 */
#ifndef TESTS_UNIT_DRIVER_H
#define TESTS_UNIT_DRIVER_H

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/mmio.h"

#define GUEST_RAM  (4u << 20)
#define GUEST_BASE 0x100000u /* so that a zero address is not RAM */

struct driver_queue {
	uint16_t size;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_desc;
	uint16_t seen; /* used entries taken */
};

struct driver {
	struct gmem mem;
	struct virtio_dev *vdev;
	struct driver_queue q[VIRTIO_MAX_QUEUES];
	uint64_t next; /* free guest memory from here on */
	_Atomic int irqs;
	/* With driver_attach_page(): the second half of the registers, and whether it is memory now. */
	_Atomic uint32_t page[VIRTIO_PAGE_SIZE / 4];
	pthread_rwlock_t page_lock; /* as KVM: no access goes on when the page has been taken away */
	bool shown;
	bool refuse; /* to show it */
	int backs;   /* how often it was shown or taken away */
};

static inline void driver_irq(void *arg)
{
	((struct driver *)arg)->irqs++;
}

static inline int driver_back(void *arg, bool shown)
{
	struct driver *d = arg;

	if (shown && d->refuse)
		return -ENOMEM;
	pthread_rwlock_wrlock(&d->page_lock);
	d->backs++;
	d->shown = shown;
	pthread_rwlock_unlock(&d->page_lock);
	return 0;
}

/* The guest's access to a register: false if it is an exit. */
static inline bool driver_memory(struct driver *d, uint64_t reg, uint32_t *v, bool write)
{
	bool shown;

	if (reg < VIRTIO_MMIO_SPLIT)
		return false;
	pthread_rwlock_rdlock(&d->page_lock);
	shown = d->shown;
	if (shown && write)
		d->page[(reg - VIRTIO_MMIO_SPLIT) / 4] = *v;
	else if (shown)
		*v = d->page[(reg - VIRTIO_MMIO_SPLIT) / 4];
	pthread_rwlock_unlock(&d->page_lock);
	return shown;
}

static inline uint32_t driver_read(struct driver *d, uint64_t reg)
{
	uint32_t v;

	if (!driver_memory(d, reg, &v, false))
		virtio_mmio_read(d->vdev, reg, &v, 4);
	return v;
}

static inline void driver_write(struct driver *d, uint64_t reg, uint32_t v)
{
	if (!driver_memory(d, reg, &v, true))
		virtio_mmio_write(d->vdev, reg, &v, 4);
}

static inline void driver_init(struct driver *d)
{
	memset(d, 0, sizeof(*d));
	pthread_rwlock_init(&d->page_lock, NULL);
	d->mem.nregions = 1;
	d->mem.region[0] = (struct gmem_region){ GUEST_BASE, GUEST_RAM, calloc(1, GUEST_RAM) };
	d->next = GUEST_BASE;
}

static inline void driver_free(struct driver *d)
{
	free(d->mem.region[0].host);
	pthread_rwlock_destroy(&d->page_lock);
}

static inline void driver_attach(struct driver *d, struct virtio_dev *vdev)
{
	d->vdev = vdev;
	vdev->irq = driver_irq;
	vdev->irq_arg = d;
}

/* After driver_attach(): the second half of the registers may be memory. */
static inline void driver_attach_page(struct driver *d)
{
	d->vdev->back = driver_back;
	d->vdev->back_arg = d;
	d->vdev->page = (struct virtio_page *)d->page;
}

static inline uint64_t driver_alloc(struct driver *d, size_t len)
{
	uint64_t gpa = (d->next + 63) & ~63ull;

	d->next = gpa + len;
	return gpa;
}

static inline void *driver_mem(struct driver *d, uint64_t gpa)
{
	return gmem_slice(&d->mem, gpa, 1);
}

static inline uint64_t driver_put(struct driver *d, const void *data, size_t len)
{
	uint64_t gpa = driver_alloc(d, len);

	memcpy(driver_mem(d, gpa), data, len);
	return gpa;
}

/* Features as wanted; returns whether the device agreed. */
static inline bool driver_negotiate(struct driver *d, uint64_t features)
{
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	driver_write(d, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
	driver_write(d, VIRTIO_MMIO_STATUS,
		     VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			     VIRTIO_CONFIG_S_FEATURES_OK);
	return driver_read(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK;
}

static inline bool driver_queue_setup(struct driver *d, unsigned int i, uint16_t size)
{
	struct driver_queue *q = &d->q[i];

	memset(q, 0, sizeof(*q));
	q->size = size;
	q->desc_gpa = driver_alloc(d, 16ul * size);
	q->avail_gpa = driver_alloc(d, 6 + 2ul * size);
	q->used_gpa = driver_alloc(d, 6 + 8ul * size);
	q->desc = driver_mem(d, q->desc_gpa);
	q->avail = driver_mem(d, q->avail_gpa);
	q->used = driver_mem(d, q->used_gpa);
	driver_write(d, VIRTIO_MMIO_QUEUE_SEL, i);
	driver_write(d, VIRTIO_MMIO_QUEUE_NUM, size);
	driver_write(d, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)q->desc_gpa);
	driver_write(d, VIRTIO_MMIO_QUEUE_DESC_HIGH, 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)q->avail_gpa);
	driver_write(d, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)q->used_gpa);
	driver_write(d, VIRTIO_MMIO_QUEUE_USED_HIGH, 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_READY, 1);
	return driver_read(d, VIRTIO_MMIO_QUEUE_READY) == 1;
}

static inline void driver_ok(struct driver *d)
{
	driver_write(d, VIRTIO_MMIO_STATUS,
		     driver_read(d, VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_DRIVER_OK);
}

/* Everything up to DRIVER_OK, with nqueues queues. */
static inline bool driver_start(struct driver *d, uint64_t features, unsigned int nqueues,
				uint16_t size)
{
	if (!driver_negotiate(d, features | 1ull << VIRTIO_F_VERSION_1))
		return false;
	for (unsigned int i = 0; i < nqueues; i++)
		if (!driver_queue_setup(d, i, size))
			return false;
	driver_ok(d);
	return true;
}

struct piece {
	uint64_t gpa;
	uint32_t len;
	bool writable;
};

static inline void driver_offer(struct driver_queue *q, uint16_t head)
{
	q->avail->ring[q->avail->idx % q->size] = head;
	__atomic_store_n(&q->avail->idx, q->avail->idx + 1, __ATOMIC_RELEASE);
}

/* Adds a chain; returns its head. Descriptors are used round and round. */
static inline uint16_t driver_add(struct driver *d, unsigned int i, const struct piece *p, size_t n)
{
	struct driver_queue *q = &d->q[i];
	uint16_t head = q->next_desc;

	for (size_t k = 0; k < n; k++) {
		uint16_t at = (uint16_t)((head + k) % q->size);
		bool more = k + 1 < n;

		q->desc[at] = (struct vring_desc){
			.addr = p[k].gpa,
			.len = p[k].len,
			.flags = (uint16_t)((p[k].writable ? VRING_DESC_F_WRITE : 0) |
					    (more ? VRING_DESC_F_NEXT : 0)),
			.next = (uint16_t)((at + 1) % q->size),
		};
	}
	q->next_desc = (uint16_t)((head + n) % q->size);
	driver_offer(q, head);
	return head;
}

static inline void driver_kick(struct driver *d, unsigned int i)
{
	driver_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, i);
}

/* The next used entry, or NULL. */
static inline const struct vring_used_elem *driver_take(struct driver *d, unsigned int i)
{
	struct driver_queue *q = &d->q[i];

	if (__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) == q->seen)
		return NULL;
	return &q->used->ring[q->seen++ % q->size];
}

#endif
