// SPDX-License-Identifier: MIT
/* The tables, read by offsets from the specification (ACPI 6.5 §5.2) and a small AML reader. */
#include "boot/aml.h"
#include "boot/boot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define RAM (1u << 20)

static uint32_t get(const uint8_t *at, unsigned int bytes)
{
	uint32_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, 8);
	return value;
}

static uint8_t sum(const uint8_t *at, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s += *at++;
	return s;
}

FIXTURE(acpi)
{
	struct platform platform;
	struct boot_mem mem;
	struct why why;
	uint64_t rsdp;
};

FIXTURE_SETUP(acpi)
{
	struct platform_device *d = self->platform.device;

	self->mem = (struct boot_mem){.host = calloc(1, RAM), .size = RAM};
	self->platform.cpus = 3;
	self->platform.nram = 1;
	self->platform.ram[0].size = RAM;
	self->platform.lapic_base = 0xfee00000;
	self->platform.ioapic_base = 0xfec00000;
	self->platform.sleep_port = 0x600;
	self->platform.reset_port = 0x602;
	self->platform.reset_value = 0x77;
	*d++ = (struct platform_device){PLATFORM_SERIAL, 0x3f8, 8, 4};
	*d++ = (struct platform_device){PLATFORM_RTC, 0x70, 2, 0};
	*d++ = (struct platform_device){PLATFORM_VIRTIO_MMIO, 0xd0000fa0, 0x1000, 5};
	*d++ = (struct platform_device){PLATFORM_VIRTIO_MMIO, 0xd0002fa0, 0x200, 23};
	*d++ = (struct platform_device){PLATFORM_PVPANIC, 0xd1000000, 2, 0};
	self->platform.ndevices = 5;
}

FIXTURE_TEARDOWN(acpi)
{
	free(self->mem.host);
}

static int write_tables(FIXTURE_DATA(acpi) * self)
{
	struct boot_tables tables = {.setup_data = 1};
	int err = firmware_write(FIRMWARE_ACPI, &self->platform, &self->mem, &tables, &self->why);

	if (!err && tables.setup_data)
		return -EINVAL;
	self->rsdp = tables.rsdp;
	return err;
}

/* A table at gpa with a good checksum, inside the area; NULL otherwise. */
static const uint8_t *table_at(const struct boot_mem *mem, uint64_t gpa, const char *signature)
{
	const uint8_t *table = mem->host + gpa;
	uint64_t end = BOOT_TABLES_GPA + BOOT_TABLES_SIZE;

	if (gpa < BOOT_TABLES_GPA || gpa > end - 36 || get(table + 4, 4) > end - gpa)
		return NULL;
	if (memcmp(table, signature, 4) || get(table + 4, 4) < 36 || sum(table, get(table + 4, 4)))
		return NULL;
	return table;
}

static const uint8_t *find(const struct boot_mem *mem, uint64_t rsdp, const char *signature)
{
	const uint8_t *xsdt = table_at(mem, get64(mem->host + rsdp + 24), "XSDT");
	const uint8_t *fadt;

	if (!xsdt)
		return NULL;
	if (!strcmp(signature, "DSDT")) {
		fadt = find(mem, rsdp, "FACP");
		return fadt ? table_at(mem, get64(fadt + 140), "DSDT") : NULL;
	}
	for (uint32_t at = 36; at < get(xsdt + 4, 4); at += 8) {
		const uint8_t *table = table_at(mem, get64(xsdt + at), signature);

		if (table)
			return table;
	}
	return NULL;
}

TEST_F(acpi, rsdp_and_checksums)
{
	const uint8_t *rsdp;

	memset(self->mem.host, 0xaa, RAM);
	ASSERT_EQ(write_tables(self), 0);
	rsdp = self->mem.host + self->rsdp;
	/* Where kernels without a boot_params look: 16-byte steps from 0xe0000 to 0xfffff. */
	EXPECT_EQ(self->rsdp % 16, 0);
	EXPECT_GE(self->rsdp, 0xe0000);
	EXPECT_LT(self->rsdp, 0x100000);
	EXPECT_EQ(memcmp(rsdp, "RSD PTR ", 8), 0);
	EXPECT_EQ(rsdp[15], 2);
	EXPECT_EQ(get(rsdp + 16, 4), 0); /* no RSDT */
	EXPECT_EQ(get(rsdp + 20, 4), 36);
	EXPECT_EQ(sum(rsdp, 20), 0);
	EXPECT_EQ(sum(rsdp, 36), 0);
	EXPECT_NE(find(&self->mem, self->rsdp, "FACP"), NULL);
	EXPECT_NE(find(&self->mem, self->rsdp, "APIC"), NULL);
	EXPECT_NE(find(&self->mem, self->rsdp, "DSDT"), NULL);
	/* The area is written to its end, and nothing before it. */
	EXPECT_EQ(self->mem.host[BOOT_TABLES_GPA + BOOT_TABLES_SIZE - 1], 0);
	EXPECT_EQ(self->mem.host[BOOT_TABLES_GPA - 1], 0xaa);
}

TEST_F(acpi, fadt)
{
	const uint8_t *fadt;

	ASSERT_EQ(write_tables(self), 0);
	fadt = find(&self->mem, self->rsdp, "FACP");
	ASSERT_NE(fadt, NULL);
	EXPECT_EQ(get(fadt + 4, 4), 276);
	EXPECT_EQ(fadt[8], 6);
	EXPECT_EQ(fadt[108], 0x32);
	/* The serial port is there, VGA is not; no 8042; bit 5 would say that there is no RTC. */
	EXPECT_EQ(get(fadt + 109, 2), 1 << 0 | 1 << 2);
	EXPECT_EQ(get(fadt + 112, 4), 1u << 10 | 1u << 20);
	EXPECT_EQ(memcmp(fadt + 116, "\1\10\0\1", 4), 0);
	EXPECT_EQ(get64(fadt + 120), 0x602);
	EXPECT_EQ(fadt[128], 0x77);
	EXPECT_EQ(memcmp(fadt + 244, "\1\10\0\1", 4), 0);
	EXPECT_EQ(get64(fadt + 248), 0x600);
	EXPECT_EQ(memcmp(fadt + 256, "\1\10\0\1", 4), 0);
	EXPECT_EQ(get64(fadt + 260), 0x601);
	/* Hardware-reduced: no FACS, SCI, SMI, PM blocks (§5.2.9: 36 to 107, 148 to 243). */
	for (int i = 36; i < 108; i++)
		EXPECT_EQ(fadt[i], 0);
	for (int i = 132; i < 140; i++)
		EXPECT_EQ(fadt[i], 0);
	for (int i = 148; i < 244; i++)
		EXPECT_EQ(fadt[i], 0);
}

TEST_F(acpi, madt)
{
	for (unsigned int cpus = 1; cpus <= PLATFORM_MAX_CPUS; cpus++) {
		const uint8_t *madt;

		self->platform.cpus = cpus;
		ASSERT_EQ(write_tables(self), 0);
		madt = find(&self->mem, self->rsdp, "APIC");
		ASSERT_NE(madt, NULL);
		ASSERT_EQ(get(madt + 4, 4), 44 + 8 * cpus + 12);
		EXPECT_EQ(get(madt + 36, 4), 0xfee00000);
		EXPECT_EQ(get(madt + 40, 4), 0); /* no 8259 */
		for (unsigned int i = 0; i < cpus; i++) {
			const uint8_t *lapic = madt + 44 + 8 * i;

			EXPECT_EQ(lapic[0], 0);
			EXPECT_EQ(lapic[1], 8);
			EXPECT_EQ(lapic[2], i);
			EXPECT_EQ(lapic[3], i);
			EXPECT_EQ(get(lapic + 4, 4), 1);
		}
		madt += 44 + 8 * cpus;
		EXPECT_EQ(madt[0], 1);
		EXPECT_EQ(madt[1], 12);
		EXPECT_EQ(get(madt + 4, 4), 0xfec00000);
		EXPECT_EQ(get(madt + 8, 4), 0);
	}
}

/* ---- a reader for the AML that the DSDT is made of ---- */

struct found {
	char name[5];
	char hid[16]; /* "LNRO0005", or an EISA id's number in hexadecimal */
	uint32_t uid;
	uint32_t base, size, gsi;
	bool memory, port, interrupt;
};

static size_t pkg_length(const uint8_t *at, size_t *bytes)
{
	size_t len;

	*bytes = 1 + (at[0] >> 6);
	if (*bytes == 1)
		return at[0] & 0x3f;
	len = at[0] & 0xf;
	for (size_t i = 1; i < *bytes; i++)
		len |= (size_t)at[i] << (8 * i - 4);
	return len;
}

/* An integer at *at, which moves on. */
static uint32_t integer(const uint8_t **at)
{
	uint8_t op = *(*at)++;
	unsigned int bytes = op == 0x0a ? 1 : op == 0x0b ? 2 : op == 0x0c ? 4 : 0;
	uint32_t value = bytes ? get(*at, bytes) : op;

	*at += bytes;
	return value;
}

/* The resources in a buffer's bytes; false if there is one that we do not know. */
static bool resources(const uint8_t *at, const uint8_t *end, struct found *found)
{
	while (at < end) {
		if (at[0] == 0x86) {
			found->memory = get(at + 1, 2) == 9 && at[3] == 1;
			found->base = get(at + 4, 4);
			found->size = get(at + 8, 4);
			at += 12;
		} else if (at[0] == 0x47) {
			found->port = at[1] == 1 && get(at + 2, 2) == get(at + 4, 2) && at[6] == 1;
			found->base = get(at + 2, 2);
			found->size = at[7];
			at += 8;
		} else if (at[0] == 0x89) {
			/* Consumer, edge, active high, exclusive, one of them. */
			found->interrupt = get(at + 1, 2) == 6 && at[3] == 0x03 && at[4] == 1;
			found->gsi = get(at + 5, 4);
			at += 9;
		} else {
			return at[0] == 0x79 && at + 2 == end;
		}
	}
	return false;
}

/* The terms of a Device. */
static bool device_terms(const uint8_t *at, const uint8_t *end, struct found *found)
{
	while (at < end) {
		const uint8_t *name = at + 1;
		size_t bytes, len;

		if (*at != 0x08)
			return false;
		at += 5;
		if (!memcmp(name, "_HID", 4) && *at == 0x0d) {
			snprintf(found->hid, sizeof(found->hid), "%s", at + 1);
			at += 2 + strlen((const char *)at + 1);
		} else if (!memcmp(name, "_HID", 4)) {
			snprintf(found->hid, sizeof(found->hid), "%08x", integer(&at));
		} else if (!memcmp(name, "_UID", 4)) {
			found->uid = integer(&at);
		} else if (!memcmp(name, "_CRS", 4) && *at == 0x11) {
			const uint8_t *data = at + 1, *behind;

			len = pkg_length(data, &bytes);
			behind = data + len;
			data += bytes;
			if (integer(&data) != behind - data || !resources(data, behind, found))
				return false;
			at = behind;
		} else {
			return false;
		}
	}
	return at == end;
}

/* Scope (\_SB) { devices }, Name (\_S5, Package {n, n}); the number of devices, or -1. */
static int read_dsdt(const uint8_t *dsdt, struct found *found, uint32_t *s5)
{
	const uint8_t *at = dsdt + 36, *end = dsdt + get(dsdt + 4, 4), *scope;
	size_t bytes;
	int n = 0;

	if (*at++ != 0x10)
		return -1;
	scope = at + pkg_length(at, &bytes);
	at += bytes;
	if (memcmp(at, "\\_SB_", 5))
		return -1;
	at += 5;
	while (at < scope) {
		const uint8_t *behind;

		if (at[0] != 0x5b || at[1] != 0x82)
			return -1;
		at += 2;
		behind = at + pkg_length(at, &bytes);
		at += bytes;
		memset(&found[n], 0, sizeof(found[n]));
		memcpy(found[n].name, at, 4);
		if (!device_terms(at + 4, behind, &found[n]))
			return -1;
		n++;
		at = behind;
	}
	if (at != scope || memcmp(at, "\x08\\_S5_\x12", 7))
		return -1;
	at += 7;
	if (at + pkg_length(at, &bytes) != end || at[bytes] != 2)
		return -1;
	at += bytes + 1;
	s5[0] = integer(&at);
	s5[1] = integer(&at);
	return at == end ? n : -1;
}

TEST_F(acpi, dsdt)
{
	struct found found[PLATFORM_MAX_DEVICES];
	const uint8_t *dsdt;
	uint32_t s5[2];

	ASSERT_EQ(write_tables(self), 0);
	dsdt = find(&self->mem, self->rsdp, "DSDT");
	ASSERT_NE(dsdt, NULL);
	EXPECT_EQ(dsdt[8], 2);
	ASSERT_EQ(read_dsdt(dsdt, found, s5), 5);
	EXPECT_EQ(s5[0], PLATFORM_S5_TYPE);
	EXPECT_EQ(s5[1], PLATFORM_S5_TYPE);

	EXPECT_STREQ(found[0].hid, "0105d041"); /* EisaId ("PNP0501"), as iasl has it */
	EXPECT_TRUE(found[0].port && found[0].interrupt);
	EXPECT_EQ(found[0].base, 0x3f8);
	EXPECT_EQ(found[0].size, 8);
	EXPECT_EQ(found[0].gsi, 4);

	EXPECT_STREQ(found[1].hid, "000bd041");
	EXPECT_TRUE(found[1].port && !found[1].interrupt);
	EXPECT_EQ(found[1].base, 0x70);
	EXPECT_EQ(found[1].size, 2);

	EXPECT_STREQ(found[2].hid, "LNRO0005");
	EXPECT_TRUE(found[2].memory && found[2].interrupt);
	EXPECT_EQ(found[2].base, 0xd0000fa0);
	EXPECT_EQ(found[2].size, 0x1000);
	EXPECT_EQ(found[2].gsi, 5);
	EXPECT_EQ(found[2].uid, 0);

	EXPECT_STREQ(found[3].hid, "LNRO0005");
	EXPECT_EQ(found[3].base, 0xd0002fa0);
	EXPECT_EQ(found[3].size, 0x200);
	EXPECT_EQ(found[3].gsi, 23);
	EXPECT_EQ(found[3].uid, 1);

	EXPECT_STREQ(found[4].hid, "QEMU0001");
	EXPECT_TRUE(found[4].memory && !found[4].interrupt);
	EXPECT_EQ(found[4].base, 0xd1000000);
	EXPECT_EQ(found[4].size, 2);
	EXPECT_EQ(found[4].uid, 0);
}

TEST_F(acpi, dsdt_with_any_number_of_devices)
{
	struct found found[PLATFORM_MAX_DEVICES];

	for (unsigned int n = 0; n <= PLATFORM_MAX_DEVICES; n++) {
		const uint8_t *dsdt;
		uint32_t s5[2];

		self->platform.ndevices = n;
		for (unsigned int i = 0; i < n; i++)
			self->platform.device[i] = (struct platform_device){
				PLATFORM_VIRTIO_MMIO, 0xd0000000 + 0x1000 * i, 0x1000, i};
		ASSERT_EQ(write_tables(self), 0);
		dsdt = find(&self->mem, self->rsdp, "DSDT");
		ASSERT_NE(dsdt, NULL);
		ASSERT_EQ(read_dsdt(dsdt, found, s5), n);
		for (unsigned int i = 0; i < n; i++) {
			EXPECT_EQ(found[i].uid, i);
			EXPECT_EQ(found[i].gsi, i);
			for (unsigned int j = 0; j < i; j++)
				EXPECT_STRNE(found[i].name, found[j].name);
		}
	}
}

TEST_F(acpi, iasl_reads_the_dsdt)
{
	char dir[] = "/tmp/boot_acpi.XXXXXX", command[256], text[8192];
	const uint8_t *dsdt;
	size_t len;
	FILE *f;
	int status;

	if (system("command -v iasl >/dev/null 2>&1"))
		SKIP(return, "iasl is not installed");
	ASSERT_EQ(write_tables(self), 0);
	dsdt = find(&self->mem, self->rsdp, "DSDT");
	ASSERT_NE(dsdt, NULL);
	ASSERT_NE(mkdtemp(dir), NULL);
	snprintf(command, sizeof(command), "%s/dsdt.aml", dir);
	f = fopen(command, "w");
	ASSERT_NE(f, NULL);
	ASSERT_EQ(fwrite(dsdt, get(dsdt + 4, 4), 1, f), 1);
	fclose(f);
	/* Taken apart, then put together: the compiler checks what the disassembler does not. */
	snprintf(command, sizeof(command),
		 "cd %s && { iasl -d dsdt.aml && iasl dsdt.dsl; } >/dev/null 2>&1 && cat dsdt.dsl",
		 dir);
	f = popen(command, "r");
	ASSERT_NE(f, NULL);
	len = fread(text, 1, sizeof(text) - 1, f);
	text[len] = '\0';
	status = pclose(f);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	EXPECT_EQ(system(command), 0);
	EXPECT_EQ(status, 0);
	EXPECT_NE(strstr(text, "EisaId (\"PNP0501\")"), NULL);
	EXPECT_NE(strstr(text, "EisaId (\"PNP0B00\")"), NULL);
	EXPECT_NE(strstr(text, "Name (_HID, \"LNRO0005\")"), NULL);
	EXPECT_NE(strstr(text, "Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive"), NULL);
	EXPECT_NE(strstr(text, "Memory32Fixed (ReadWrite,"), NULL);
	EXPECT_NE(strstr(text, "Name (\\_S5, Package (0x02)"), NULL);
}

TEST_F(acpi, what_cannot_be_said_is_refused)
{
	struct platform *p = &self->platform;

	p->cpus = 0;
	EXPECT_EQ(write_tables(self), -EINVAL);
	p->cpus = PLATFORM_MAX_CPUS + 1;
	EXPECT_EQ(write_tables(self), -EINVAL);
	p->cpus = 1;
	p->ndevices = PLATFORM_MAX_DEVICES + 1;
	EXPECT_EQ(write_tables(self), -EINVAL);
	p->ndevices = 4;
	p->device[2].base = 1ull << 32;
	EXPECT_EQ(write_tables(self), -EINVAL);
	p->device[2].base = 0xfffff000;
	EXPECT_EQ(write_tables(self), 0);
	p->device[2].size = 0x1001;
	EXPECT_EQ(write_tables(self), -EINVAL);
	p->device[2].size = 0x1000;
	p->device[0].size = 256;
	EXPECT_EQ(write_tables(self), -EINVAL);
	p->device[0].size = 8;
	self->mem.size = RAM - 1;
	EXPECT_EQ(write_tables(self), -ENOMEM);
	EXPECT_NE(strstr(self->why.text, "--mem"), NULL);
}

/* ---- the emitter ---- */

TEST(pkg_length_of_every_size)
{
	static const size_t sizes[] = {0,    1,	   57,	 58,   59,    60,      61,
				       62,   63,   64,	 4090, 4091,  4092,    4093,
				       4094, 4095, 4096, 5000, 65000, 1 << 20, (1 << 20) + 1};
	uint8_t *buf = malloc(2 << 20);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct aml aml = {.buf = buf, .cap = 2 << 20};
		size_t opened = aml_scope(&aml, "\\_SB"), bytes, len;

		for (size_t j = 0; j < sizes[i]; j++)
			aml_integer(&aml, j & 1);
		aml_close(&aml, opened);
		ASSERT_FALSE(aml.full);
		len = pkg_length(buf + 1, &bytes);
		/* It counts itself and reaches to the end; no shorter form would have done. */
		ASSERT_EQ(1 + len, aml.len);
		ASSERT_EQ(len, bytes + 5 + sizes[i]);
		ASSERT_EQ(bytes, 5 + sizes[i] + 1 <= 63	      ? 1
				 : 5 + sizes[i] + 2 < 1 << 12 ? 2
				 : 5 + sizes[i] + 3 < 1 << 20 ? 3
							      : 4);
		if (bytes > 1)
			ASSERT_EQ(buf[1] & 0x30, 0);
		ASSERT_EQ(memcmp(buf + 1 + bytes, "\\_SB_", 5), 0);
		for (size_t j = 0; j < sizes[i]; j++)
			ASSERT_EQ(buf[1 + bytes + 5 + j], j & 1);
	}
	free(buf);
}

TEST(integers_take_the_shortest_form)
{
	static const struct {
		uint32_t value;
		size_t len;
		const char *bytes;
	} all[] = {
		{0, 1, "\0"},
		{1, 1, "\1"},
		{2, 2, "\x0a\2"},
		{255, 2, "\x0a\xff"},
		{256, 3, "\x0b\0\1"},
		{65535, 3, "\x0b\xff\xff"},
		{65536, 5, "\x0c\0\0\1\0"},
		{0xfffffffe, 5, "\x0c\xfe\xff\xff\xff"},
	};
	uint8_t buf[16];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct aml aml = {.buf = buf, .cap = sizeof(buf)};

		aml_integer(&aml, all[i].value);
		ASSERT_EQ(aml.len, all[i].len);
		EXPECT_EQ(memcmp(buf, all[i].bytes, aml.len), 0);
	}
}

static void some_aml(struct aml *aml)
{
	struct aml_resources resources = {.len = 0};
	size_t scope = aml_scope(aml, "\\_SB"), device = aml_device(aml, "DEV");

	aml_name(aml, "_HID");
	aml_string(aml, "LNRO0005");
	aml_name(aml, "_CRS");
	resource_memory(&resources, 0xd0000000, 0x1000);
	resource_interrupt(&resources, 5);
	aml_resources(aml, &resources);
	aml_close(aml, device);
	aml_close(aml, scope);
}

TEST(a_full_buffer_is_noticed_at_every_size)
{
	uint8_t whole[256];
	struct aml aml = {.buf = whole, .cap = sizeof(whole)};
	size_t len;

	some_aml(&aml);
	ASSERT_FALSE(aml.full);
	len = aml.len;
	for (size_t cap = 0; cap <= len; cap++) {
		uint8_t *buf = malloc(cap + 8);

		memset(buf, 0xaa, cap + 8);
		aml = (struct aml){.buf = buf, .cap = cap};
		some_aml(&aml);
		ASSERT_EQ(aml.full, cap < len);
		for (int i = 0; i < 8; i++)
			ASSERT_EQ(buf[cap + i], 0xaa);
		free(buf);
	}
}

TEST_HARNESS_MAIN
