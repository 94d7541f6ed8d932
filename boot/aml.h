/* SPDX-License-Identifier: MIT */
/*
 * Writing AML, the byte code of ACPI's DSDT (ACPI 6.5 §20.2). What encloses other terms (scope,
 * device, package, buffer) is opened and closed; the length in front is filled in at the close.
 */
#ifndef BOOT_AML_H
#define BOOT_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes being written to a buffer of the caller's. Once it is full, full stays set. */
struct aml {
	uint8_t *buf;
	size_t cap;
	size_t len;
	bool full;
};

/* Names are segments of up to four characters, padded here, below the root if "\\" comes first. */
size_t aml_scope(struct aml *aml, const char *name);
size_t aml_device(struct aml *aml, const char *name);
size_t aml_package(struct aml *aml, uint8_t count);
void aml_close(struct aml *aml, size_t opened);

/* Name (NAME, …): the value is what is written next. */
void aml_name(struct aml *aml, const char *name);
void aml_integer(struct aml *aml, uint32_t value);
void aml_string(struct aml *aml, const char *text);
/* "PNP0501" as the number that EisaId () makes of it (ACPI 6.5 §19.3.4). */
void aml_eisa_id(struct aml *aml, const char *id);

/* Resource descriptors (§6.4), to be gathered first and written as one template. */
struct aml_resources {
	uint8_t bytes[64];
	size_t len;
};

void aml_resources(struct aml *aml, const struct aml_resources *resources);
void resource_memory(struct aml_resources *resources, uint32_t base, uint32_t size);
void resource_io(struct aml_resources *resources, uint16_t base, uint8_t size);
/* Consumer, edge-triggered, active high, exclusive. */
void resource_interrupt(struct aml_resources *resources, uint32_t gsi);

#endif
