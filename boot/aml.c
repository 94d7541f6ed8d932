// SPDX-License-Identifier: MIT
#include "boot/aml.h"

#include <string.h>

/* §20.2 and §20.3: the opcodes we use. */
#define OP_NAME	      0x08
#define OP_BYTE	      0x0a
#define OP_WORD	      0x0b
#define OP_DWORD      0x0c
#define OP_STRING     0x0d
#define OP_SCOPE      0x10
#define OP_BUFFER     0x11
#define OP_PACKAGE    0x12
#define OP_EXT	      0x5b
#define OP_EXT_DEVICE 0x82

/* §6.4.2 and §6.4.3: the descriptors we use; small ones have their length in the tag. */
#define RESOURCE_IO	   0x47
#define RESOURCE_END	   0x79
#define RESOURCE_MEMORY32  0x86
#define RESOURCE_INTERRUPT 0x89

#define NAME_SEG 4

static void put(struct aml *aml, const void *data, size_t len)
{
	if (aml->full || len > aml->cap - aml->len) {
		aml->full = true;
		return;
	}
	memcpy(aml->buf + aml->len, data, len);
	aml->len += len;
}

static void put_byte(struct aml *aml, uint8_t byte)
{
	put(aml, &byte, 1);
}

static void put_name(struct aml *aml, const char *name)
{
	if (*name == '\\')
		put_byte(aml, (uint8_t)*name++);
	for (unsigned int i = 0; i < NAME_SEG; i++)
		put_byte(aml, *name ? (uint8_t)*name++ : '_');
}

size_t aml_scope(struct aml *aml, const char *name)
{
	size_t opened;

	put_byte(aml, OP_SCOPE);
	opened = aml->len;
	put_name(aml, name);
	return opened;
}

size_t aml_device(struct aml *aml, const char *name)
{
	size_t opened;

	put_byte(aml, OP_EXT);
	put_byte(aml, OP_EXT_DEVICE);
	opened = aml->len;
	put_name(aml, name);
	return opened;
}

size_t aml_package(struct aml *aml, uint8_t count)
{
	size_t opened;

	put_byte(aml, OP_PACKAGE);
	opened = aml->len;
	put_byte(aml, count);
	return opened;
}

/*
 * Puts PkgLength (§20.2.4) in front of what was written since opened. It counts itself too: one
 * byte up to 63; else its first byte has the number of further bytes and the lowest four bits.
 */
void aml_close(struct aml *aml, size_t opened)
{
	size_t len = aml->len - opened, extra = 0;
	uint8_t head[4] = {0};

	if (len + 1 > 0x3f)
		for (extra = 1; len + 1 + extra >= (size_t)1 << (4 + 8 * extra);)
			extra++;
	len += 1 + extra;
	if (aml->full || extra > 3 || 1 + extra > aml->cap - aml->len) {
		aml->full = true;
		return;
	}
	head[0] = (uint8_t)(extra ? extra << 6 | (len & 0xf) : len);
	for (size_t i = 0; i < extra; i++)
		head[1 + i] = (uint8_t)(len >> (4 + 8 * i));
	memmove(aml->buf + opened + 1 + extra, aml->buf + opened, aml->len - opened);
	memcpy(aml->buf + opened, head, 1 + extra);
	aml->len += 1 + extra;
}

void aml_name(struct aml *aml, const char *name)
{
	put_byte(aml, OP_NAME);
	put_name(aml, name);
}

/* §20.2.3: the shortest form. */
void aml_integer(struct aml *aml, uint32_t value)
{
	uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
			    (uint8_t)(value >> 24)};

	if (value <= 1) { /* ZeroOp and OneOp are the numbers themselves */
		put(aml, bytes, 1);
	} else if (value <= UINT8_MAX) {
		put_byte(aml, OP_BYTE);
		put(aml, bytes, 1);
	} else if (value <= UINT16_MAX) {
		put_byte(aml, OP_WORD);
		put(aml, bytes, 2);
	} else {
		put_byte(aml, OP_DWORD);
		put(aml, bytes, 4);
	}
}

void aml_string(struct aml *aml, const char *text)
{
	put_byte(aml, OP_STRING);
	put(aml, text, strlen(text) + 1);
}

static unsigned int hex_digit(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Three letters in five bits each, then four hexadecimal digits, the highest byte first. */
void aml_eisa_id(struct aml *aml, const char *id)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < 3; i++)
		value = value << 5 | (unsigned int)(id[i] - '@');
	for (unsigned int i = 3; i < 7; i++)
		value = value << 4 | hex_digit(id[i]);
	aml_integer(aml, __builtin_bswap32(value));
}

void aml_resources(struct aml *aml, const struct aml_resources *resources)
{
	size_t opened;

	put_byte(aml, OP_BUFFER);
	opened = aml->len;
	aml_integer(aml, (uint32_t)resources->len + 2);
	put(aml, resources->bytes, resources->len);
	/* End tag, with a checksum of 0: "treat it as good" (§6.4.2.9). */
	put_byte(aml, RESOURCE_END);
	put_byte(aml, 0);
	aml_close(aml, opened);
}

static void resource(struct aml_resources *resources, const void *bytes, size_t len)
{
	if (len > sizeof(resources->bytes) - resources->len)
		return;
	memcpy(resources->bytes + resources->len, bytes, len);
	resources->len += len;
}

/* §6.4.3.4 */
void resource_memory(struct aml_resources *resources, uint32_t base, uint32_t size)
{
	struct {
		uint8_t tag;
		uint16_t length;
		uint8_t writable;
		uint32_t base;
		uint32_t size;
	} __attribute__((packed)) memory = {RESOURCE_MEMORY32, 9, 1, base, size};

	resource(resources, &memory, sizeof(memory));
}

/* §6.4.2.5 */
void resource_io(struct aml_resources *resources, uint16_t base, uint8_t size)
{
	struct {
		uint8_t tag;
		uint8_t decode16;
		uint16_t min;
		uint16_t max;
		uint8_t align;
		uint8_t size;
	} __attribute__((packed)) io = {RESOURCE_IO, 1, base, base, 1, size};

	resource(resources, &io, sizeof(io));
}

/* §6.4.3.6 */
void resource_interrupt(struct aml_resources *resources, uint32_t gsi)
{
	enum { CONSUMER = 1 << 0, EDGE = 1 << 1 }; /* active high and exclusive are 0 */
	struct {
		uint8_t tag;
		uint16_t length;
		uint8_t flags;
		uint8_t count;
		uint32_t gsi;
	} __attribute__((packed)) interrupt = {RESOURCE_INTERRUPT, 6, CONSUMER | EDGE, 1, gsi};

	resource(resources, &interrupt, sizeof(interrupt));
}
