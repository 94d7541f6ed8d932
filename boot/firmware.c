// SPDX-License-Identifier: MIT
/* The one description of the machine, in the form that a guest's kernel reads. */
#include "boot/loader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

uint8_t boot_checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	return (uint8_t)-sum;
}

/* What no table can say is a mistake in the machine's description. */
static int check(const struct platform *platform, struct why *why)
{
	if (!platform->cpus || platform->cpus > PLATFORM_MAX_CPUS ||
	    platform->ndevices > PLATFORM_MAX_DEVICES)
		return why_fail(why, -EINVAL,
				"The machine has %u CPUs and %u devices, and its tables are made "
				"for 1 to %u and up to %u; use fewer.",
				platform->cpus, platform->ndevices, PLATFORM_MAX_CPUS,
				PLATFORM_MAX_DEVICES);
	for (unsigned int i = 0; i < platform->ndevices; i++) {
		const struct platform_device *dev = &platform->device[i];
		bool memory = platform_in_memory(dev);
		uint64_t last = memory ? UINT32_MAX : UINT16_MAX;

		if (dev->base > last || !dev->size || dev->size - 1 > last - dev->base ||
		    (!memory && dev->size > UINT8_MAX))
			return why_fail(why, -EINVAL,
					"Device %u of the machine, at %#llx with %#x bytes, lies "
					"outside of what its descriptor in a table reaches.",
					i, (unsigned long long)dev->base, dev->size);
	}
	return 0;
}

/* Kernels take the area's guest-physical address, and find the tree behind the header. */
static uint64_t write_setup_data(const struct platform *platform, uint8_t *area)
{
	struct setup_data head = {.type = SETUP_DTB};
	int size = firmware_device_tree(platform, area + sizeof(head),
					BOOT_TABLES_SIZE - sizeof(head));

	/* 24 devices and 16 CPUs of less than 300 bytes: the area is never full. */
	head.len = (__u32)size;
	memcpy(area, &head, sizeof(head));
	return BOOT_TABLES_GPA;
}

int firmware_write(enum firmware firmware, const struct platform *platform,
		   const struct boot_mem *mem, struct boot_tables *tables, struct why *why)
{
	uint8_t *area = boot_slice(mem, BOOT_TABLES_GPA, BOOT_TABLES_SIZE);
	int err = check(platform, why);

	if (err)
		return err;
	if (!area)
		return why_fail(why, -ENOMEM,
				"The guest's RAM ends below its first MiB, where the tables that "
				"describe it go; give more with --mem.");
	memset(area, 0, BOOT_TABLES_SIZE);
	*tables = (struct boot_tables){0};
	switch (firmware) {
	case FIRMWARE_ACPI:
		tables->rsdp = acpi_write(platform, area);
		break;
	case FIRMWARE_DTB:
		tables->setup_data = write_setup_data(platform, area);
		break;
	case FIRMWARE_CMDLINE:
		mp_write(platform, area + (MP_GPA - BOOT_TABLES_GPA));
		break;
	}
	return 0;
}

size_t firmware_words(const struct platform *platform, char *buf, size_t cap)
{
	size_t len = 0;

	if (cap)
		buf[0] = '\0';
	for (unsigned int i = 0; i < platform->ndevices; i++) {
		const struct platform_device *dev = &platform->device[i];

		/*
		 * Port and clock have their places on every PC, where kernels look for them. For the
		 * panic device there is no word.
		 */
		if (dev->kind != PLATFORM_VIRTIO_MMIO)
			continue;
		len += (size_t)snprintf(len < cap ? buf + len : NULL, len < cap ? cap - len : 0,
					"%svirtio_mmio.device=%#x@%#llx:%u", len ? " " : "",
					dev->size, (unsigned long long)dev->base, dev->gsi);
	}
	return len;
}
