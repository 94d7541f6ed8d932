/* SPDX-License-Identifier: MIT */
/*
 * Where a machine's virtio devices are: their registers on the bus, the interrupt line of each, and the
 * page that is the second half of the registers while a driver is at work (virtio/mmio.h).
 *
 * Each device has two pages of guest-physical addresses for its own, so that a page of memory never
 * hides registers of another; its block lies across their boundary.
 */
#ifndef VMM_VIRTIO_BUS_H
#define VMM_VIRTIO_BUS_H

#include "virtio/mmio.h"
#include "vmm/vm.h"

#define VIRTIO_BUS_MAX 18

#define VIRTIO_BUS_STRIDE (2ull * VIRTIO_PAGE_SIZE)
#define VIRTIO_BUS_FIRST  (VM_MMIO_BASE + VIRTIO_PAGE_SIZE - VIRTIO_MMIO_SPLIT)

struct virtio_bus {
	struct vm *vm;
	uint8_t *pages; /* one for each place */
	struct virtio_place {
		struct virtio_bus *bus;
		struct virtio_dev *vdev; /* NULL: nothing is here */
		uint32_t gsi;
	} place[VIRTIO_BUS_MAX];
};

/* Once for a VM. -ENOMEM and a sentence. virtio_bus_free() is right after either, and on zeroes. */
int virtio_bus_init(struct virtio_bus *bus, struct vm *vm, struct why *why);
/* After vm_free(), and after the devices are destroyed. */
void virtio_bus_free(struct virtio_bus *bus);

/*
 * Gives the device place i, which is free, and an interrupt line. Its registers are VIRTIO_MMIO_SIZE
 * bytes from the address on that is returned: VIRTIO_BUS_FIRST + i * VIRTIO_BUS_STRIDE. The machine
 * does not run yet.
 */
uint64_t virtio_bus_add(struct virtio_bus *bus, unsigned int i, struct virtio_dev *vdev,
			uint32_t gsi);

#endif
