// SPDX-License-Identifier: MIT
/*
 * The device tree of the machine (Devicetree Specification 0.4), as Linux reads it on x86
 * (arch/x86/kernel/devicetree.c): the names of the interrupt controllers are those of the first machine
 * that had one. RAM is not in it, but in boot_params.
 */
#include "boot/boot.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#define IOAPIC_PHANDLE 1
#define CONTROLLER_SIZE 0x1000

/*
 * The second cell of an interrupt, by the driver: edge-triggered, active high. Its document says falling;
 * that is an edge as well, and the IOAPIC knows no polarity.
 */
#define SENSE_EDGE 3

#define ISA_IO	       1 /* first cell of an address on the ISA bus: I/O space */
#define ISA_IO_SIZE    0x10000
#define SERIAL_CLOCK   1843200
#define NAME_MAX_BYTES 32

/* A tree being written. After an error every further call is a no-op. */
struct tree {
	void *fdt;
	int err; /* libfdt's */
};

static void begin(struct tree *tree, const char *name)
{
	if (!tree->err)
		tree->err = fdt_begin_node(tree->fdt, name);
}

/* "virtio@d0000000" */
static void begin_at(struct tree *tree, const char *name, const char *space, uint64_t at)
{
	char full[NAME_MAX_BYTES];

	snprintf(full, sizeof(full), "%s@%s%llx", name, space, (unsigned long long)at);
	begin(tree, full);
}

static void end(struct tree *tree)
{
	if (!tree->err)
		tree->err = fdt_end_node(tree->fdt);
}

static void add_empty(struct tree *tree, const char *name)
{
	if (!tree->err)
		tree->err = fdt_property(tree->fdt, name, NULL, 0);
}

static void add_string(struct tree *tree, const char *name, const char *value)
{
	if (!tree->err)
		tree->err = fdt_property(tree->fdt, name, value, (int)strlen(value) + 1);
}

static void add_cells(struct tree *tree, const char *name, const uint32_t *cell, size_t n)
{
	void *at;

	if (!tree->err)
		tree->err = fdt_property_placeholder(tree->fdt, name, (int)(n * sizeof(*cell)), &at);
	for (size_t i = 0; !tree->err && i < n; i++)
		fdt32_st((fdt32_t *)at + i, cell[i]);
}

#define ADD_CELLS(tree, name, ...)                                                                 \
	add_cells(tree, name, (const uint32_t[]){__VA_ARGS__},                                     \
		  sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* How addresses below this node are written. */
static void add_sizes(struct tree *tree, uint32_t address_cells, uint32_t size_cells)
{
	ADD_CELLS(tree, "#address-cells", address_cells);
	ADD_CELLS(tree, "#size-cells", size_cells);
}

static void add_cpus(struct tree *tree, const struct platform *platform)
{
	begin(tree, "cpus");
	add_sizes(tree, 1, 0);
	for (uint32_t i = 0; i < platform->cpus; i++) {
		begin_at(tree, "cpu", "", i);
		add_string(tree, "device_type", "cpu");
		add_string(tree, "compatible", "intel,x86");
		ADD_CELLS(tree, "reg", i); /* the APIC id */
		end(tree);
	}
	end(tree);
}

static void add_controllers(struct tree *tree, const struct platform *platform)
{
	begin_at(tree, "interrupt-controller", "", platform->ioapic_base);
	add_string(tree, "compatible", "intel,ce4100-ioapic");
	ADD_CELLS(tree, "reg", (uint32_t)platform->ioapic_base, CONTROLLER_SIZE);
	add_empty(tree, "interrupt-controller");
	ADD_CELLS(tree, "#address-cells", 0);
	ADD_CELLS(tree, "#interrupt-cells", 2);
	ADD_CELLS(tree, "phandle", IOAPIC_PHANDLE);
	end(tree);
	begin_at(tree, "interrupt-controller", "", platform->lapic_base);
	add_string(tree, "compatible", "intel,ce4100-lapic");
	ADD_CELLS(tree, "reg", (uint32_t)platform->lapic_base, CONTROLLER_SIZE);
	add_empty(tree, "interrupt-controller");
	ADD_CELLS(tree, "#address-cells", 0);
	ADD_CELLS(tree, "#interrupt-cells", 2);
	end(tree);
}

static void add_device(struct tree *tree, const struct platform_device *dev)
{
	switch (dev->kind) {
	case PLATFORM_SERIAL:
		begin_at(tree, "serial", "i", dev->base);
		add_string(tree, "compatible", "ns16550a");
		ADD_CELLS(tree, "clock-frequency", SERIAL_CLOCK);
		break;
	case PLATFORM_RTC:
		begin_at(tree, "rtc", "i", dev->base);
		add_string(tree, "compatible", "motorola,mc146818");
		break;
	case PLATFORM_VIRTIO_MMIO:
		begin_at(tree, "virtio", "", dev->base);
		add_string(tree, "compatible", "virtio,mmio");
		break;
	case PLATFORM_PVPANIC:
		begin_at(tree, "pvpanic", "", dev->base);
		add_string(tree, "compatible", "qemu,pvpanic-mmio");
		break;
	}
	if (platform_in_memory(dev))
		ADD_CELLS(tree, "reg", (uint32_t)dev->base, dev->size);
	else
		ADD_CELLS(tree, "reg", ISA_IO, (uint32_t)dev->base, dev->size);
	if (platform_has_interrupt(dev))
		ADD_CELLS(tree, "interrupts", dev->gsi, SENSE_EDGE);
	end(tree);
}

static void add_devices(struct tree *tree, const struct platform *platform, bool memory)
{
	for (unsigned int i = 0; i < platform->ndevices; i++)
		if (platform_in_memory(&platform->device[i]) == memory)
			add_device(tree, &platform->device[i]);
}

int firmware_device_tree(const struct platform *platform, void *buf, size_t cap)
{
	struct tree tree = {.fdt = buf};

	tree.err = fdt_create(buf, (int)cap) ?: fdt_finish_reservemap(buf);
	begin(&tree, "");
	add_string(&tree, "compatible", "ninepin");
	add_string(&tree, "model", "ninepin");
	add_sizes(&tree, 1, 1);
	ADD_CELLS(&tree, "interrupt-parent", IOAPIC_PHANDLE);
	add_cpus(&tree, platform);

	begin(&tree, "soc");
	add_string(&tree, "compatible", "simple-bus");
	add_sizes(&tree, 1, 1);
	add_empty(&tree, "ranges");
	add_controllers(&tree, platform);
	add_devices(&tree, platform, true);
	end(&tree);

	/* Addresses on it are {space, address}; those of the I/O space are ports. */
	begin(&tree, "isa@0");
	add_string(&tree, "compatible", "isa");
	add_sizes(&tree, 2, 1);
	ADD_CELLS(&tree, "ranges", ISA_IO, 0, 0, ISA_IO_SIZE);
	add_devices(&tree, platform, false);
	end(&tree);

	end(&tree);
	if (!tree.err)
		tree.err = fdt_finish(buf);
	return tree.err ? -ENOSPC : (int)fdt_totalsize(buf);
}
