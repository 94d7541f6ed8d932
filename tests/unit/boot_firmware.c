// SPDX-License-Identifier: MIT
/* One machine in each of the forms that kernels read: each of its devices is in each of them. */
#include "boot/boot.h"
#include "boot/loader.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define RAM (1u << 20)

FIXTURE(firmware)
{
	struct platform platform;
	struct boot_mem mem;
	struct boot_tables tables;
	struct why why;
};

FIXTURE_SETUP(firmware)
{
	struct platform_device *d = self->platform.device;

	self->mem = (struct boot_mem){.host = calloc(1, RAM), .size = RAM};
	self->platform.cpus = 3;
	self->platform.nram = 1;
	self->platform.ram[0].size = RAM;
	self->platform.lapic_base = 0xfee00000;
	self->platform.ioapic_base = 0xfec01000;
	*d++ = (struct platform_device){PLATFORM_SERIAL, 0x3f8, 8, 4};
	*d++ = (struct platform_device){PLATFORM_RTC, 0x70, 2, 8};
	*d++ = (struct platform_device){PLATFORM_VIRTIO_MMIO, 0xd0000fa0, 0x1000, 16};
	*d++ = (struct platform_device){PLATFORM_VIRTIO_MMIO, 0xd0002fa0, 0x200, 23};
	*d++ = (struct platform_device){PLATFORM_VIRTIO_MMIO, 0xd0004fa0, 0x1000, 5};
	*d++ = (struct platform_device){PLATFORM_PVPANIC, 0xd1001000, 0x1000, 0};
	self->platform.ndevices = d - self->platform.device;
}

FIXTURE_TEARDOWN(firmware)
{
	free(self->mem.host);
}

static int write_tables(FIXTURE_DATA(firmware) * self, enum firmware firmware)
{
	memset(self->mem.host, 0xaa, RAM);
	memset(&self->tables, 0xaa, sizeof(self->tables));
	return firmware_write(firmware, &self->platform, &self->mem, &self->tables, &self->why);
}

/* A machine as large as can be described. */
static void fill(struct platform *platform)
{
	platform->cpus = PLATFORM_MAX_CPUS;
	for (unsigned int i = 2; i < PLATFORM_MAX_DEVICES; i++)
		platform->device[i] = (struct platform_device){PLATFORM_VIRTIO_MMIO,
							       0xd0000fa0 + 0x2000 * i, 0x1000, i};
	platform->ndevices = PLATFORM_MAX_DEVICES;
}

static uint64_t get(const uint8_t *at, unsigned int bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static uint8_t sum(const uint8_t *at, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s += *at++;
	return s;
}

/* ---- the device tree ---- */

/* The tree in the guest's memory, found as Linux does; NULL if there is none. */
static const void *tree_of(const FIXTURE_DATA(firmware) * self)
{
	const uint8_t *data = self->mem.host + self->tables.setup_data;

	/* The last of a list, of type SETUP_DTB, with a length; behind them, aligned, the tree. */
	if (self->tables.setup_data % 8 || get(data, 8) || get(data + 8, 4) != 2 ||
	    fdt_check_full(data + 16, get(data + 12, 4)))
		return NULL;
	return data + 16;
}

static uint32_t cell(const void *tree, int node, const char *name, unsigned int i)
{
	int len;
	const fdt32_t *value = fdt_getprop(tree, node, name, &len);

	return value && len > (int)(4 * i) ? fdt32_to_cpu(value[i]) : ~0u;
}

TEST_F(firmware, the_device_tree_has_each_device)
{
	static const char *const compatible[] = {
		[PLATFORM_SERIAL] = "ns16550a",
		[PLATFORM_RTC] = "motorola,mc146818",
		[PLATFORM_VIRTIO_MMIO] = "virtio,mmio",
		[PLATFORM_PVPANIC] = "qemu,pvpanic-mmio",
	};
	const void *tree;
	int ioapic, lapic;

	for (int round = 0; round < 2; round++) {
		ASSERT_EQ(write_tables(self, FIRMWARE_DTB), 0);
		EXPECT_EQ(self->tables.rsdp, 0);
		tree = tree_of(self);
		ASSERT_NE(tree, NULL);
		ioapic = fdt_node_offset_by_compatible(tree, -1, "intel,ce4100-ioapic");
		EXPECT_EQ(cell(tree, ioapic, "reg", 0), 0xfec01000);
		EXPECT_EQ(cell(tree, ioapic, "#interrupt-cells", 0), 2);
		EXPECT_EQ(cell(tree, 0, "interrupt-parent", 0), fdt_get_phandle(tree, ioapic));
		lapic = fdt_node_offset_by_compatible(tree, -1, "intel,ce4100-lapic");
		EXPECT_EQ(cell(tree, lapic, "reg", 0), 0xfee00000);

		for (unsigned int i = 0; i < self->platform.ndevices; i++) {
			const struct platform_device *dev = &self->platform.device[i];
			bool port = dev->kind == PLATFORM_SERIAL || dev->kind == PLATFORM_RTC;
			int node = -1, parent;

			do
				node = fdt_node_offset_by_compatible(tree, node,
								     compatible[dev->kind]);
			while (node >= 0 && cell(tree, node, "reg", port) != dev->base);
			ASSERT_GE(node, 0)
			{
				TH_LOG("device %u", i);
			}
			parent = fdt_parent_offset(tree, node);
			EXPECT_EQ(fdt_address_cells(tree, parent), port ? 2 : 1);
			EXPECT_EQ(fdt_size_cells(tree, parent), 1);
			if (port)
				EXPECT_EQ(cell(tree, node, "reg", 0), 1);
			EXPECT_EQ(cell(tree, node, "reg", port + 1), dev->size);
			/* Edge-triggered. */
			EXPECT_EQ(cell(tree, node, "interrupts", 0),
				  platform_has_interrupt(dev) ? dev->gsi : ~0u);
			EXPECT_EQ(cell(tree, node, "interrupts", 1),
				  platform_has_interrupt(dev) ? 3 : ~0u);
		}
		fill(&self->platform);
	}
}

TEST_F(firmware, the_device_tree_has_each_cpu)
{
	for (unsigned int cpus = 1; cpus <= PLATFORM_MAX_CPUS; cpus++) {
		unsigned int n = 0;
		const void *tree;
		int node;

		self->platform.cpus = cpus;
		ASSERT_EQ(write_tables(self, FIRMWARE_DTB), 0);
		tree = tree_of(self);
		ASSERT_NE(tree, NULL);
		fdt_for_each_subnode(node, tree, fdt_path_offset(tree, "/cpus"))
		{
			EXPECT_STREQ(fdt_getprop(tree, node, "device_type", NULL), "cpu");
			EXPECT_EQ(cell(tree, node, "reg", 0), n++);
		}
		EXPECT_EQ(n, cpus);
	}
}

TEST_F(firmware, a_device_tree_by_itself)
{
	char buf[8192];
	int size = firmware_device_tree(&self->platform, buf, sizeof(buf));

	ASSERT_GT(size, 0);
	EXPECT_EQ(fdt_check_full(buf, size), 0);
	ASSERT_EQ(write_tables(self, FIRMWARE_DTB), 0);
	EXPECT_EQ(memcmp(buf, tree_of(self), size), 0);
	/* All of it, or none. */
	for (int cap = 0; cap < size; cap++)
		ASSERT_EQ(firmware_device_tree(&self->platform, buf, cap), -ENOSPC);
}

TEST_F(firmware, dtc_has_no_complaints)
{
	char path[] = "/tmp/boot_firmware.XXXXXX", command[128], text[16384];
	size_t len;
	int status;
	FILE *f;

	if (system("command -v dtc >/dev/null 2>&1"))
		SKIP(return, "dtc is not installed");
	fill(&self->platform);
	f = fdopen(mkstemp(path), "w");
	len = firmware_device_tree(&self->platform, text, sizeof(text));
	ASSERT_EQ(fwrite(text, 1, len, f), len);
	fclose(f);
	snprintf(command, sizeof(command), "dtc -I dtb -O dtb -o /dev/null %s 2>&1", path);
	f = popen(command, "r");
	ASSERT_NE(f, NULL);
	len = fread(text, 1, sizeof(text) - 1, f);
	text[len] = '\0';
	status = pclose(f);
	unlink(path);
	EXPECT_EQ(status, 0);
	EXPECT_STREQ(text, "");
}

/* ---- the MP table and the command line ---- */

TEST_F(firmware, the_mp_table)
{
	static const unsigned int sizes[] = {20, 8, 8, 8};

	for (int round = 0; round < 2; round++) {
		const uint8_t *pointer = self->mem.host + 0xf0000, *table = pointer + 16, *at;
		unsigned int n[4] = {0}, lines = 0, entries = 0;

		ASSERT_EQ(write_tables(self, FIRMWARE_CMDLINE), 0);
		EXPECT_EQ(self->tables.rsdp, 0);
		EXPECT_EQ(self->tables.setup_data, 0);
		ASSERT_EQ(memcmp(pointer, "_MP_", 4), 0);
		EXPECT_EQ(get(pointer + 4, 4), 0xf0010);
		EXPECT_EQ(get(pointer + 8, 2), 0x0401);
		EXPECT_EQ(sum(pointer, 16), 0);
		EXPECT_EQ(get(pointer + 11, 5), 0);
		ASSERT_EQ(memcmp(table, "PCMP", 4), 0);
		EXPECT_EQ(table[6], 4);
		EXPECT_EQ(sum(table, get(table + 4, 2)), 0);
		EXPECT_EQ(get(table + 36, 4), 0xfee00000);

		for (at = table + 44; at < table + get(table + 4, 2); at += sizes[at[0]]) {
			const struct platform_device *dev = self->platform.device;

			ASSERT_LT(at[0], 4);
			entries++;
			switch (at[0]) {
			case 0:
				EXPECT_EQ(at[1], n[0]);
				/* Enabled, the first one of them to boot. */
				EXPECT_EQ(at[3], n[0] ? 1 : 3);
				break;
			case 1:
				EXPECT_EQ(memcmp(at + 2, "ISA   ", 6), 0);
				break;
			case 2:
				EXPECT_EQ(at[3], 1);
				EXPECT_EQ(get(at + 4, 4), 0xfec01000);
				break;
			case 3:
				while (dev[lines].kind != PLATFORM_SERIAL &&
				       dev[lines].kind != PLATFORM_VIRTIO_MMIO)
					lines++;
				/* An interrupt, active high, edge-triggered. */
				EXPECT_EQ(get(at + 1, 3), 0x000500);
				EXPECT_EQ(at[5], dev[lines].gsi);
				EXPECT_EQ(at[7], dev[lines].gsi);
				lines++;
				break;
			}
			n[at[0]]++;
		}
		EXPECT_EQ(at, table + get(table + 4, 2));
		EXPECT_EQ(entries, get(table + 34, 2));
		EXPECT_EQ(n[0], self->platform.cpus);
		EXPECT_EQ(n[1], 1);
		EXPECT_EQ(n[2], 1);
		/* All but the clock and the panic device, which the larger machine lacks. */
		EXPECT_EQ(n[3], self->platform.ndevices - 2 + round);
		fill(&self->platform);
	}
}

TEST_F(firmware, the_words)
{
	static const char want[] = "virtio_mmio.device=0x1000@0xd0000fa0:16 "
				   "virtio_mmio.device=0x200@0xd0002fa0:23 "
				   "virtio_mmio.device=0x1000@0xd0004fa0:5";
	char buf[sizeof(want) + 1];

	EXPECT_EQ(firmware_words(&self->platform, NULL, 0), sizeof(want) - 1);
	for (size_t cap = 1; cap <= sizeof(want); cap++) {
		memset(buf, 0xaa, sizeof(buf));
		ASSERT_EQ(firmware_words(&self->platform, buf, cap), sizeof(want) - 1);
		ASSERT_EQ(memcmp(buf, want, cap - 1), 0);
		ASSERT_EQ(buf[cap - 1], '\0');
		ASSERT_EQ((uint8_t)buf[cap], 0xaa);
	}
	self->platform.ndevices = 2;
	EXPECT_EQ(firmware_words(&self->platform, buf, sizeof(buf)), 0);
	EXPECT_STREQ(buf, "");
}

/* ---- all of them ---- */

TEST_F(firmware, only_the_area_is_written)
{
	static const enum firmware all[] = {FIRMWARE_ACPI, FIRMWARE_DTB, FIRMWARE_CMDLINE};

	fill(&self->platform);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		ASSERT_EQ(write_tables(self, all[i]), 0);
		for (uint32_t at = 0; at < BOOT_TABLES_GPA; at++)
			ASSERT_EQ(self->mem.host[at], 0xaa);
		EXPECT_EQ(self->mem.host[BOOT_TABLES_GPA + BOOT_TABLES_SIZE - 1], 0);
	}
}

TEST_F(firmware, what_cannot_be_said_is_refused)
{
	static const enum firmware all[] = {FIRMWARE_ACPI, FIRMWARE_DTB, FIRMWARE_CMDLINE};
	struct platform *p = &self->platform;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		p->cpus = PLATFORM_MAX_CPUS + 1;
		EXPECT_EQ(write_tables(self, all[i]), -EINVAL);
		p->cpus = 1;
		p->device[2].size = 0x30000000;
		EXPECT_EQ(write_tables(self, all[i]), -EINVAL);
		p->device[2].size = 0x1000;
		self->mem.size = RAM - 1;
		EXPECT_EQ(write_tables(self, all[i]), -ENOMEM);
		self->mem.size = RAM;
	}
}

TEST_HARNESS_MAIN
