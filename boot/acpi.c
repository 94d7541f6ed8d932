// SPDX-License-Identifier: MIT
/*
 * The ACPI tables of the machine (ACPI 6.5 §5.2), hardware-reduced (§4.1): no SCI, no PM timer, no
 * PIC; power by two registers. Linux then takes its interrupts from the IOAPIC alone.
 */
#include "boot/aml.h"
#include "boot/loader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* §5.2.6 */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

/* §5.2.5.3 */
struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* over the first 20 bytes, which are all of ACPI 1.0's */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

#define RSDP_V1_SIZE 20

/* §5.2.3.2 */
struct acpi_address {
	uint8_t space;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} __attribute__((packed));

#define SPACE_SYSTEM_IO 1
#define ACCESS_BYTE	1

/* §5.2.8 */
struct acpi_xsdt {
	struct acpi_header header;
	uint64_t table[2];
} __attribute__((packed));

/* §5.2.9; what hardware-reduced machines must leave 0 has no names here. */
struct acpi_fadt {
	struct acpi_header header;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t ignored_44[64];
	uint8_t century; /* at 108: index of the century in the RTC's RAM */
	uint16_t boot_arch;
	uint8_t reserved;
	uint32_t flags;
	struct acpi_address reset;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_version;
	uint64_t x_facs;
	uint64_t x_dsdt;
	uint8_t ignored_148[96];
	struct acpi_address sleep_control;
	struct acpi_address sleep_status;
	uint64_t hypervisor;
} __attribute__((packed));

_Static_assert(sizeof(struct acpi_fadt) == 276, "FADT of revision 6");

#define FADT_REVISION	6
#define FADT_MINOR	5
#define RTC_CENTURY	0x32
#define FADT_RESET_SUP	(1u << 10)
#define FADT_HW_REDUCED (1u << 20)
/* IAPC_BOOT_ARCH, §5.2.9.3. 8042 (bit 1) and CMOS_RTC_NOT_PRESENT (bit 5) stay 0. */
#define BOOT_ARCH_LEGACY_DEVICES (1u << 0) /* the serial port */
#define BOOT_ARCH_NO_VGA	 (1u << 2)

/* §5.2.12 */
struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic_base;
	uint32_t flags; /* PCAT_COMPAT is 0: no 8259s to mask */
} __attribute__((packed));

struct madt_lapic {
	uint8_t type;
	uint8_t length;
	uint8_t processor_uid;
	uint8_t apic_id;
	uint32_t flags;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type;
	uint8_t length;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t gsi_base;
} __attribute__((packed));

#define MADT_LAPIC	   0
#define MADT_IOAPIC	   1
#define MADT_LAPIC_ENABLED 1u

/* The area the tables are written to, one behind the other. */
struct area {
	uint8_t *host;
	size_t len;
};

static struct acpi_header header(const char *signature, uint8_t revision)
{
	struct acpi_header h = {.revision = revision, .oem_revision = 1, .creator_revision = 1};

	memcpy(h.signature, signature, sizeof(h.signature));
	memcpy(h.oem_id, "NINEPN", sizeof(h.oem_id));
	memcpy(h.oem_table_id, "NINEPIN ", sizeof(h.oem_table_id));
	memcpy(h.creator_id, "9PIN", sizeof(h.creator_id));
	return h;
}

/* Seals the table of len bytes at the end of the area and returns its guest-physical address. */
static uint64_t commit(struct area *area, size_t len)
{
	struct acpi_header *table = (struct acpi_header *)(void *)(area->host + area->len);
	uint64_t gpa = BOOT_TABLES_GPA + area->len;

	table->length = (uint32_t)len;
	table->checksum = 0;
	table->checksum = boot_checksum(table, len);
	area->len = (area->len + len + 15) & ~(size_t)15;
	return gpa;
}

static void device_resources(struct aml *aml, const struct platform_device *device)
{
	struct aml_resources resources = {.len = 0};

	if (platform_in_memory(device))
		resource_memory(&resources, (uint32_t)device->base, device->size);
	else
		resource_io(&resources, (uint16_t)device->base, (uint8_t)device->size);
	if (platform_has_interrupt(device))
		resource_interrupt(&resources, device->gsi);
	aml_name(aml, "_CRS");
	aml_resources(aml, &resources);
}

static void device(struct aml *aml, const struct platform_device *dev, unsigned int number)
{
	static const char *const prefix[] = {
		[PLATFORM_SERIAL] = "CO",
		[PLATFORM_RTC] = "RT",
		[PLATFORM_VIRTIO_MMIO] = "VR",
		[PLATFORM_PVPANIC] = "PV",
	};
	char name[8];
	size_t opened;

	snprintf(name, sizeof(name), "%s%02X", prefix[dev->kind], number & 0xff);
	opened = aml_device(aml, name);
	aml_name(aml, "_HID");
	switch (dev->kind) {
	case PLATFORM_SERIAL:
		aml_eisa_id(aml, "PNP0501");
		break;
	case PLATFORM_RTC:
		aml_eisa_id(aml, "PNP0B00");
		break;
	case PLATFORM_VIRTIO_MMIO:
		aml_string(aml, "LNRO0005");
		break;
	case PLATFORM_PVPANIC:
		aml_string(aml, "QEMU0001");
		break;
	}
	aml_name(aml, "_UID");
	aml_integer(aml, number);
	device_resources(aml, dev);
	aml_close(aml, opened);
}

static uint64_t write_dsdt(struct area *area, const struct platform *platform)
{
	unsigned int number[PLATFORM_PVPANIC + 1] = {0};
	struct acpi_header h = header("DSDT", 2); /* 2: integers of 64 bits */
	struct aml aml = {.buf = area->host + area->len, .cap = BOOT_TABLES_SIZE - area->len};
	size_t opened;

	/* 24 devices of less than 100 bytes: the area is never full. */
	memcpy(aml.buf, &h, sizeof(h));
	aml.len = sizeof(h);
	opened = aml_scope(&aml, "\\_SB");
	for (unsigned int i = 0; i < platform->ndevices; i++)
		device(&aml, &platform->device[i], number[platform->device[i].kind]++);
	aml_close(&aml, opened);
	/* §7.4.2: what goes into SLP_TYP, for both of the registers that other machines have. */
	aml_name(&aml, "\\_S5");
	opened = aml_package(&aml, 2);
	aml_integer(&aml, PLATFORM_S5_TYPE);
	aml_integer(&aml, PLATFORM_S5_TYPE);
	aml_close(&aml, opened);
	return commit(area, aml.len);
}

static struct acpi_address byte_port(uint16_t port)
{
	return (struct acpi_address){
		.space = SPACE_SYSTEM_IO,
		.bit_width = 8,
		.access_size = ACCESS_BYTE,
		.address = port,
	};
}

static uint64_t write_fadt(struct area *area, const struct platform *platform, uint64_t dsdt)
{
	struct acpi_fadt fadt = {
		.header = header("FACP", FADT_REVISION),
		.minor_version = FADT_MINOR,
		.century = RTC_CENTURY,
		.boot_arch = BOOT_ARCH_LEGACY_DEVICES | BOOT_ARCH_NO_VGA,
		.flags = FADT_HW_REDUCED | FADT_RESET_SUP,
		.reset = byte_port(platform->reset_port),
		.reset_value = platform->reset_value,
		.x_dsdt = dsdt,
		.sleep_control = byte_port(platform->sleep_port),
		.sleep_status = byte_port((uint16_t)(platform->sleep_port + 1)),
	};

	memcpy(area->host + area->len, &fadt, sizeof(fadt));
	return commit(area, sizeof(fadt));
}

static uint64_t write_madt(struct area *area, const struct platform *platform)
{
	uint8_t *to = area->host + area->len, *at = to;
	struct acpi_madt madt = {
		.header = header("APIC", 5),
		.lapic_base = (uint32_t)platform->lapic_base,
	};
	struct madt_ioapic ioapic = {
		.type = MADT_IOAPIC,
		.length = sizeof(ioapic),
		.id = BOOT_IOAPIC_ID,
		.address = (uint32_t)platform->ioapic_base,
	};

	at = mempcpy(at, &madt, sizeof(madt));
	for (unsigned int cpu = 0; cpu < platform->cpus; cpu++) {
		struct madt_lapic lapic = {
			.type = MADT_LAPIC,
			.length = sizeof(lapic),
			.processor_uid = (uint8_t)cpu,
			.apic_id = (uint8_t)cpu,
			.flags = MADT_LAPIC_ENABLED,
		};

		at = mempcpy(at, &lapic, sizeof(lapic));
	}
	at = mempcpy(at, &ioapic, sizeof(ioapic));
	return commit(area, (size_t)(at - to));
}

static uint64_t write_xsdt(struct area *area, uint64_t fadt, uint64_t madt)
{
	struct acpi_xsdt xsdt = {.header = header("XSDT", 1), .table = {fadt, madt}};

	memcpy(area->host + area->len, &xsdt, sizeof(xsdt));
	return commit(area, sizeof(xsdt));
}

uint64_t acpi_write(const struct platform *platform, uint8_t *host)
{
	struct area area = {.host = host};
	struct acpi_rsdp rsdp = {.revision = 2, .length = sizeof(rsdp)};
	uint64_t dsdt, fadt, madt;

	/* The RSDP comes first, where it is also found by those who search (§5.2.5.1). */
	area.len = (sizeof(rsdp) + 15) & ~(size_t)15;
	dsdt = write_dsdt(&area, platform);
	fadt = write_fadt(&area, platform, dsdt);
	madt = write_madt(&area, platform);

	memcpy(rsdp.signature, "RSD PTR ", sizeof(rsdp.signature));
	memcpy(rsdp.oem_id, "NINEPN", sizeof(rsdp.oem_id));
	rsdp.xsdt = write_xsdt(&area, fadt, madt);
	rsdp.checksum = boot_checksum(&rsdp, RSDP_V1_SIZE);
	rsdp.extended_checksum = boot_checksum(&rsdp, sizeof(rsdp));
	memcpy(area.host, &rsdp, sizeof(rsdp));
	return BOOT_TABLES_GPA;
}
