// SPDX-License-Identifier: MIT
/*
 * The MP table (MultiProcessor Specification 1.4, chapter 4): CPUs and interrupt lines for kernels that have
 * neither ACPI nor a device tree. Linux without ACPI always reads it (CONFIG_X86_MPPARSE).
 */
#include "boot/loader.h"

#include <string.h>

/* §4.1 */
struct mp_pointer {
	char signature[4];
	uint32_t table;
	uint8_t length; /* in units of 16 bytes */
	uint8_t spec;	/* 4: version 1.4 */
	uint8_t checksum;
	uint8_t features[5]; /* 0: there is a table, and no register to leave PIC mode by */
} __attribute__((packed));

/* §4.2 */
struct mp_header {
	char signature[4];
	uint16_t length;
	uint8_t spec;
	uint8_t checksum;
	char oem_id[8];
	char product_id[12];
	uint32_t oem_table;
	uint16_t oem_size;
	uint16_t entries;
	uint32_t lapic_base;
	uint16_t extended_length;
	uint8_t extended_checksum;
	uint8_t reserved;
} __attribute__((packed));

/* §4.3.1 */
struct mp_cpu {
	uint8_t type;
	uint8_t apic_id;
	uint8_t apic_version;
	uint8_t flags;
	uint32_t signature;
	uint32_t features;
	uint64_t reserved;
} __attribute__((packed));

/* §4.3.2 */
struct mp_bus {
	uint8_t type;
	uint8_t id;
	char name[6];
} __attribute__((packed));

/* §4.3.3 */
struct mp_ioapic {
	uint8_t type;
	uint8_t id;
	uint8_t version;
	uint8_t flags;
	uint32_t address;
} __attribute__((packed));

/* §4.3.4 */
struct mp_interrupt {
	uint8_t type;
	uint8_t kind;
	uint16_t flags;
	uint8_t bus;
	uint8_t bus_irq;
	uint8_t ioapic;
	uint8_t pin;
} __attribute__((packed));

_Static_assert(sizeof(struct mp_pointer) == 16 && sizeof(struct mp_header) == 44 &&
		       sizeof(struct mp_cpu) == 20 && sizeof(struct mp_bus) == 8 &&
		       sizeof(struct mp_ioapic) == 8 && sizeof(struct mp_interrupt) == 8,
	       "sizes of table 4-3");

#define MP_SPEC_1_4 4

#define TYPE_CPU       0
#define TYPE_BUS       1
#define TYPE_IOAPIC    2
#define TYPE_INTERRUPT 3

#define CPU_ENABLED   1u
#define CPU_BOOT      2u
#define CPU_P6	      0x600u /* family 6 … */
#define CPU_FPU_APIC  0x201u /* … with what CPUID tells better */
#define LAPIC_VERSION 0x14   /* integrated */

#define IOAPIC_VERSION 0x11
#define IOAPIC_ENABLED 1u

#define BUS_ISA 0
/* §4.3.4, table 4-10: vectored, active high, edge-triggered. */
#define KIND_INT	  0
#define FLAG_ACTIVE_HIGH  1u
#define FLAG_EDGE	  (1u << 2)

/* Copies an entry to *at, which moves on. */
static void add(uint8_t **at, struct mp_header *header, const void *entry, size_t len)
{
	*at = mempcpy(*at, entry, len);
	header->entries++;
}

void mp_write(const struct platform *platform, uint8_t *host)
{
	struct mp_pointer pointer = {
		.signature = "_MP_",
		.table = (uint32_t)MP_GPA + sizeof(pointer),
		.length = sizeof(pointer) / 16,
		.spec = MP_SPEC_1_4,
	};
	struct mp_header header = {
		.signature = "PCMP",
		.spec = MP_SPEC_1_4,
		.oem_id = "NINEPIN ",
		.product_id = "NINEPIN     ",
		.lapic_base = (uint32_t)platform->lapic_base,
	};
	struct mp_bus isa = {.type = TYPE_BUS, .id = BUS_ISA, .name = "ISA   "};
	struct mp_ioapic ioapic = {
		.type = TYPE_IOAPIC,
		.id = BOOT_IOAPIC_ID,
		.version = IOAPIC_VERSION,
		.flags = IOAPIC_ENABLED,
		.address = (uint32_t)platform->ioapic_base,
	};
	uint8_t *table = host + sizeof(pointer), *at = table + sizeof(header);

	for (unsigned int i = 0; i < platform->cpus; i++) {
		struct mp_cpu cpu = {
			.type = TYPE_CPU,
			.apic_id = (uint8_t)i,
			.apic_version = LAPIC_VERSION,
			.flags = CPU_ENABLED | (i ? 0 : CPU_BOOT),
			.signature = CPU_P6,
			.features = CPU_FPU_APIC,
		};

		add(&at, &header, &cpu, sizeof(cpu));
	}
	add(&at, &header, &isa, sizeof(isa));
	add(&at, &header, &ioapic, sizeof(ioapic));
	/*
	 * Lines above 15 are ISA's too, though that has none: of a bus that Linux takes for PCI it wants
	 * to know slots.
	 */
	for (unsigned int i = 0; i < platform->ndevices; i++) {
		struct mp_interrupt interrupt = {
			.type = TYPE_INTERRUPT,
			.kind = KIND_INT,
			.flags = FLAG_ACTIVE_HIGH | FLAG_EDGE,
			.bus = BUS_ISA,
			.bus_irq = (uint8_t)platform->device[i].gsi,
			.ioapic = BOOT_IOAPIC_ID,
			.pin = (uint8_t)platform->device[i].gsi,
		};

		if (platform_has_interrupt(&platform->device[i]))
			add(&at, &header, &interrupt, sizeof(interrupt));
	}
	header.length = (uint16_t)(at - table);
	memcpy(table, &header, sizeof(header));
	header.checksum = boot_checksum(table, header.length);
	memcpy(table, &header, sizeof(header));
	pointer.checksum = boot_checksum(&pointer, sizeof(pointer));
	memcpy(host, &pointer, sizeof(pointer));
}
