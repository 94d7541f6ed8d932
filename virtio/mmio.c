// SPDX-License-Identifier: MIT
#include "virtio/mmio.h"

#include <linux/virtio_mmio.h>
#include <stddef.h>
#include <string.h>

#define MAGIC	0x74726976u /* "virt" */
#define VERSION 2u
#define VENDOR	0x4e50494eu /* "NIPN" */

/*
 * Measured with the 9P device (tests/bench/breakdown): without INDIRECT_DESC Linux allocates no table,
 * and a stat takes 1.5 % fewer instructions, but a read of 500k takes 0.6 % more, and a queue of
 * VIRTQ_MAX_SIZE holds two of these. Without EVENT_IDX nothing changes one by one.
 */
#define TRANSPORT_FEATURES                                                                         \
	(1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_INDIRECT_DESC |                        \
	 1ull << VIRTIO_RING_F_EVENT_IDX)

#define IN_PAGE(reg) ((reg) - VIRTIO_MMIO_SPLIT)
_Static_assert(offsetof(struct virtio_page, interrupt_status) ==
				IN_PAGE(VIRTIO_MMIO_INTERRUPT_STATUS) &&
		       offsetof(struct virtio_page, interrupt_ack) == IN_PAGE(VIRTIO_MMIO_INTERRUPT_ACK) &&
		       offsetof(struct virtio_page, status) == IN_PAGE(VIRTIO_MMIO_STATUS) &&
		       offsetof(struct virtio_page, config_generation) ==
			       IN_PAGE(VIRTIO_MMIO_CONFIG_GENERATION) &&
		       offsetof(struct virtio_page, config) == IN_PAGE(VIRTIO_MMIO_CONFIG) &&
		       VIRTIO_MMIO_QUEUE_NOTIFY < VIRTIO_MMIO_SPLIT,
	       "the page is laid out as the registers are");

void virtio_init(struct virtio_dev *vdev, const struct gmem *mem)
{
	vdev->features |= TRANSPORT_FEATURES;
	pthread_mutex_init(&vdev->reg_lock, NULL);
	pthread_mutex_init(&vdev->queue_lock, NULL);
	for (unsigned int i = 0; i < VIRTIO_MAX_QUEUES; i++)
		vdev->queue[i].mem = mem;
}

void virtio_destroy(struct virtio_dev *vdev)
{
	pthread_mutex_destroy(&vdev->reg_lock);
	pthread_mutex_destroy(&vdev->queue_lock);
}

static void raise_irq(struct virtio_dev *vdev, unsigned int bit)
{
	atomic_fetch_or(&vdev->interrupt_status, bit);
	if (atomic_load(&vdev->backed))
		atomic_fetch_or(&vdev->page->interrupt_status, bit);
	atomic_fetch_add_explicit(&vdev->interrupts, 1, memory_order_relaxed);
	vdev->irq(vdev->irq_arg);
}

void virtio_interrupt(struct virtio_dev *vdev)
{
	raise_irq(vdev, VIRTIO_MMIO_INT_VRING);
}

void virtio_broken(struct virtio_dev *vdev)
{
	atomic_store(&vdev->live, false);
	atomic_fetch_or(&vdev->status, VIRTIO_CONFIG_S_NEEDS_RESET);
	if (atomic_load(&vdev->backed)) {
		uint32_t seen = atomic_load(&vdev->page->status);

		/* Not over a reset by the driver. It loses this race only if it is writing anyway. */
		if (seen & VIRTIO_CONFIG_S_DRIVER_OK)
			atomic_compare_exchange_strong(&vdev->page->status, &seen,
						       seen | VIRTIO_CONFIG_S_NEEDS_RESET);
	}
	raise_irq(vdev, VIRTIO_MMIO_INT_CONFIG);
}

/* Under reg_lock, before the device is live. */
static void show_page(struct virtio_dev *vdev)
{
	struct virtio_page *page = vdev->page;

	if (!vdev->reset_by_memory || !vdev->back ||
	    vdev->config_len > VIRTIO_PAGE_SIZE - sizeof(*page))
		return;
	memset(page, 0, VIRTIO_PAGE_SIZE);
	atomic_store(&page->interrupt_status,
		     atomic_load(&vdev->interrupt_status) | VIRTIO_MMIO_INT_VRING);
	atomic_store(&page->status, atomic_load(&vdev->status));
	memcpy(page->config, vdev->config, vdev->config_len);
	atomic_store(&vdev->backed, vdev->back(vdev->back_arg, true) == 0);
}

/* Under reg_lock. An access that resets the device may wait. */
static void reset(struct virtio_dev *vdev)
{
	pthread_mutex_lock(&vdev->queue_lock);
	atomic_store(&vdev->live, false);
	pthread_mutex_unlock(&vdev->queue_lock);

	/* What is in flight is waited for; its chains do not go back. */
	if (vdev->ops->reset)
		vdev->ops->reset(vdev);

	pthread_mutex_lock(&vdev->queue_lock);
	for (unsigned int i = 0; i < vdev->nqueues; i++)
		virtq_stop(&vdev->queue[i]);
	pthread_mutex_unlock(&vdev->queue_lock);
	if (atomic_load(&vdev->backed)) {
		vdev->back(vdev->back_arg, false);
		atomic_store(&vdev->backed, false);
	}
	atomic_store(&vdev->interrupt_status, 0);
	atomic_store(&vdev->status, 0);
	vdev->driver_features = 0;
	vdev->features_sel = 0;
	vdev->driver_features_sel = 0;
	vdev->queue_sel = 0;
}

void virtio_quiesce(struct virtio_dev *vdev)
{
	pthread_mutex_lock(&vdev->reg_lock);
	reset(vdev);
	pthread_mutex_unlock(&vdev->reg_lock);
}

static void write_status(struct virtio_dev *vdev, uint32_t value)
{
	unsigned int status = atomic_load(&vdev->status);

	if (value == 0) {
		reset(vdev);
		return;
	}
	/* §2.1.1: the driver never clears a bit but by reset. */
	value |= status;
	if ((value & VIRTIO_CONFIG_S_FEATURES_OK) && !(status & VIRTIO_CONFIG_S_FEATURES_OK)) {
		/* §2.2.2: refuse what was not offered, and a driver of the legacy interface. */
		if ((vdev->driver_features & ~vdev->features) ||
		    !(vdev->driver_features & (1ull << VIRTIO_F_VERSION_1)))
			value &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	}
	/* FAILED or NEEDS_RESET from the driver's pen change nothing for us. */
	atomic_fetch_or(&vdev->status, value & 0xff);

	if ((value & VIRTIO_CONFIG_S_DRIVER_OK) && !(status & VIRTIO_CONFIG_S_DRIVER_OK)) {
		if (value & VIRTIO_CONFIG_S_FEATURES_OK)
			show_page(vdev);
		pthread_mutex_lock(&vdev->queue_lock);
		if (value & VIRTIO_CONFIG_S_FEATURES_OK)
			atomic_store_explicit(&vdev->live, true, memory_order_release);
		else
			virtio_broken(vdev);
		pthread_mutex_unlock(&vdev->queue_lock);
		/* Buffers may have been queued before DRIVER_OK. */
		for (unsigned int i = 0; i < vdev->nqueues; i++)
			vdev->ops->notify(vdev, i);
	}
}

/* Under reg_lock: carries out a reset that the driver wrote into the page. */
static void take_over(struct virtio_dev *vdev)
{
	uint32_t value;

	if (!virtio_reset_by_memory(vdev))
		return;
	reset(vdev);
	/* The guest does not reach the page any more: this is the last that it wrote. */
	value = atomic_load(&vdev->page->status);
	if (value)
		write_status(vdev, value);
}

static void lock_registers(struct virtio_dev *vdev)
{
	pthread_mutex_lock(&vdev->reg_lock);
	take_over(vdev);
}

void virtio_mmio_look(struct virtio_dev *vdev)
{
	if (!virtio_reset_by_memory(vdev))
		return;
	lock_registers(vdev);
	pthread_mutex_unlock(&vdev->reg_lock);
}

static void write_queue_ready(struct virtio_dev *vdev, struct virtq *q, uint32_t value)
{
	pthread_mutex_lock(&vdev->queue_lock);
	if (value == 1 && !q->ready) {
		q->event_idx = vdev->driver_features & (1ull << VIRTIO_RING_F_EVENT_IDX);
		/* On a mistake the register goes on reading 0, which Linux's driver notices. */
		virtq_start(q);
	} else if (value == 0 && !(atomic_load(&vdev->status) & VIRTIO_CONFIG_S_DRIVER_OK)) {
		/* Once the driver was ready (broken since or not) chains may be in flight: only a reset
		 * drains them. */
		virtq_stop(q);
	}
	pthread_mutex_unlock(&vdev->queue_lock);
}

static void set_low(uint64_t *v, uint32_t low)
{
	*v = (*v & ~0xffffffffull) | low;
}

static void set_high(uint64_t *v, uint32_t high)
{
	*v = (*v & 0xffffffffull) | (uint64_t)high << 32;
}

static void write_queue_register(struct virtio_dev *vdev, uint64_t offset, uint32_t value)
{
	struct virtq *q;

	if (vdev->queue_sel >= vdev->nqueues)
		return;
	q = &vdev->queue[vdev->queue_sel];
	if (offset == VIRTIO_MMIO_QUEUE_READY) {
		write_queue_ready(vdev, q, value);
		return;
	}
	if (q->ready)
		return; /* §4.2.2.2: not while the queue is in use */
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->size = value <= VIRTQ_MAX_SIZE ? (uint16_t)value : 0;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		set_low(&q->desc_gpa, value);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_high(&q->desc_gpa, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
		set_low(&q->avail_gpa, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_high(&q->avail_gpa, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		set_low(&q->used_gpa, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_high(&q->used_gpa, value);
		break;
	}
}

void virtio_mmio_write(struct virtio_dev *vdev, uint64_t offset, const void *data, unsigned int len)
{
	uint32_t value;

	/* §4.2.2.2: registers are 32 bits wide; configuration space is read-only here. */
	if (len != 4 || offset >= VIRTIO_MMIO_CONFIG)
		return;
	memcpy(&value, data, 4);

	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		if (virtio_live(vdev)) {
			if (value >= vdev->nqueues)
				return;
			atomic_fetch_add_explicit(&vdev->kicks, 1, memory_order_relaxed);
			vdev->ops->notify(vdev, value);
		} else {
			virtio_mmio_look(vdev);
		}
		return;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		atomic_fetch_and(&vdev->interrupt_status, ~value);
		return;
	}

	lock_registers(vdev);
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		vdev->features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		vdev->driver_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		if (atomic_load(&vdev->status) & VIRTIO_CONFIG_S_FEATURES_OK)
			break;
		if (vdev->driver_features_sel == 0)
			set_low(&vdev->driver_features, value);
		else if (vdev->driver_features_sel == 1)
			set_high(&vdev->driver_features, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		vdev->queue_sel = value;
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(vdev, value);
		break;
	default:
		write_queue_register(vdev, offset, value);
	}
	pthread_mutex_unlock(&vdev->reg_lock);
}

static uint32_t read_register(struct virtio_dev *vdev, uint64_t offset)
{
	const struct virtq *q = NULL;

	if (vdev->queue_sel < vdev->nqueues)
		q = &vdev->queue[vdev->queue_sel];
	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return vdev->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		if (vdev->features_sel > 1)
			return 0;
		return (uint32_t)(vdev->features >> (32 * vdev->features_sel));
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return q ? VIRTQ_MAX_SIZE : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return q ? q->ready : 0;
	case VIRTIO_MMIO_STATUS:
		return atomic_load(&vdev->status);
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return 0; /* our configuration spaces never change */
	}
	return 0;
}

void virtio_mmio_read(struct virtio_dev *vdev, uint64_t offset, void *data, unsigned int len)
{
	uint32_t value;

	memset(data, 0, len);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		offset -= VIRTIO_MMIO_CONFIG;
		if (offset < vdev->config_len && len <= vdev->config_len - offset)
			memcpy(data, (const char *)vdev->config + offset, len);
		return;
	}
	if (len != 4)
		return;
	/* Read on every interrupt, so without the lock. */
	if (offset == VIRTIO_MMIO_INTERRUPT_STATUS) {
		value = atomic_load(&vdev->interrupt_status);
	} else {
		lock_registers(vdev);
		value = read_register(vdev, offset);
		pthread_mutex_unlock(&vdev->reg_lock);
	}
	memcpy(data, &value, 4);
}
