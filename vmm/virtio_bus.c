// SPDX-License-Identifier: MIT
#include "vmm/virtio_bus.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define PAGES_SIZE ((size_t)VIRTIO_BUS_MAX * VIRTIO_PAGE_SIZE)

static void look(void *arg)
{
	struct virtio_bus *bus = arg;

	for (unsigned int i = 0; i < VIRTIO_BUS_MAX; i++)
		if (bus->place[i].vdev)
			virtio_mmio_look(bus->place[i].vdev);
}

int virtio_bus_init(struct virtio_bus *bus, struct vm *vm, struct why *why)
{
	void *pages = mmap(NULL, PAGES_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return why_fail(why, -ENOMEM, "no memory left for the registers of devices");
	bus->vm = vm;
	bus->pages = pages;
	vm->look = look;
	vm->look_arg = bus;
	return 0;
}

void virtio_bus_free(struct virtio_bus *bus)
{
	if (bus->pages)
		munmap(bus->pages, PAGES_SIZE);
}

static void raise_line(void *arg)
{
	const struct virtio_place *place = arg;

	vm_irq(place->bus->vm, place->gsi);
}

/* The page becomes memory of the guest's, or ceases to be. It is no part of vm->mem: see mmio.h. */
static int back(void *arg, bool shown)
{
	const struct virtio_place *place = arg;
	struct virtio_bus *bus = place->bus;
	uint64_t i = (uint64_t)(place - bus->place);
	struct kvm_userspace_memory_region slot = {
		.slot = GMEM_MAX_REGIONS + (uint32_t)i,
		.guest_phys_addr = VM_MMIO_BASE + i * VIRTIO_BUS_STRIDE + VIRTIO_PAGE_SIZE,
		.memory_size = shown ? VIRTIO_PAGE_SIZE : 0,
		.userspace_addr = (uintptr_t)(bus->pages + i * VIRTIO_PAGE_SIZE),
	};
	char text[128];
	int err;

	if (ioctl(bus->vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) == 0)
		return 0;
	err = errno;
	if (!shown) {
		/* The device would never be reset again. */
		snprintf(text, sizeof(text), "KVM does not take back a page of a device's registers: %s",
			 strerror(err));
		vm_set_end(bus->vm, VM_FAILED, text);
	}
	return -err;
}

static void read_registers(void *dev, uint64_t offset, void *data, unsigned int len)
{
	virtio_mmio_read(dev, offset, data, len);
}

static void write_registers(void *dev, uint64_t offset, const void *data, unsigned int len)
{
	virtio_mmio_write(dev, offset, data, len);
}

uint64_t virtio_bus_add(struct virtio_bus *bus, unsigned int i, struct virtio_dev *vdev,
			uint32_t gsi)
{
	uint64_t base = VIRTIO_BUS_FIRST + i * VIRTIO_BUS_STRIDE;

	assert(i < VIRTIO_BUS_MAX);
	bus->place[i] = (struct virtio_place){ .bus = bus, .vdev = vdev, .gsi = gsi };
	vdev->irq = raise_line;
	vdev->irq_arg = &bus->place[i];
	vdev->back = back;
	vdev->back_arg = &bus->place[i];
	vdev->page = (void *)(bus->pages + i * VIRTIO_PAGE_SIZE);
	bus_add(&bus->vm->mmio, &(struct bus_range){
		.base = base,
		.size = VIRTIO_MMIO_SIZE,
		.dev = vdev,
		.read = read_registers,
		.write = write_registers,
	});
	return base;
}
