// SPDX-License-Identifier: MIT
#include "vmm/machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/power.h"
#include "devices/pvpanic.h"
#include "vmm/doctor/explain.h"
#include "vmm/server.h"

/*
 * Interrupt lines of the virtio devices, best first: 16 and up belong to no old ISA device; 0 to 4
 * and 8 do (timer, keyboard, cascade, serial ports, clock).
 */
static const uint8_t lines[] = { 16, 17, 18, 19, 20, 21, 22, 23, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15 };
_Static_assert(PLATFORM_S5_TYPE == POWER_S5_TYPE, "the DSDT and the register agree");
_Static_assert(sizeof(lines) >= VIRTIO_BUS_MAX && VIRTIO_BUS_MAX >= MACHINE_MAX_SHARES + 2,
	       "a line for each device");
_Static_assert(PLATFORM_MAX_DEVICES >= MACHINE_MAX_SHARES + 5, "a place for each device");

static void raise_isa_line(void *arg)
{
	const struct machine_line *line = arg;

	vm_isa_irq(line->vm, line->gsi);
}

/* Notes a device in the description; returns its line. */
static struct machine_line *describe(struct machine *m, enum platform_kind kind, uint64_t base,
				     uint32_t size, uint32_t gsi)
{
	unsigned int i = m->platform.ndevices++;

	m->platform.device[i] = (struct platform_device){
		.kind = kind,
		.base = base,
		.size = size,
		.gsi = gsi,
	};
	m->line[i] = (struct machine_line){ .vm = &m->vm, .gsi = gsi };
	return &m->line[i];
}

/* ---- what the buses call ---- */

/* Ports are bytes; a wider access touches neighbouring ones. */
static void serial_bus_read(void *dev, uint64_t offset, void *data, unsigned int len)
{
	struct machine *m = dev;

	for (unsigned int i = 0; i < len; i++)
		((uint8_t *)data)[i] = serial_read(&m->serial, (unsigned int)offset + i);
}

static void serial_bus_write(void *dev, uint64_t offset, const void *data, unsigned int len)
{
	struct machine *m = dev;

	if (!atomic_load_explicit(&m->serial_used, memory_order_relaxed) &&
	    !atomic_exchange(&m->serial_used, true))
		m->serial_first(m->serial.arg);
	for (unsigned int i = 0; i < len; i++)
		serial_write(&m->serial, (unsigned int)offset + i, ((const uint8_t *)data)[i]);
}

static void rtc_bus_read(void *dev, uint64_t offset, void *data, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++)
		((uint8_t *)data)[i] = rtc_read(dev, (unsigned int)offset + i);
}

static void rtc_bus_write(void *dev, uint64_t offset, const void *data, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++)
		rtc_write(dev, (unsigned int)offset + i, ((const uint8_t *)data)[i]);
}

static void end_by(struct vm *vm, enum power_event event)
{
	if (event == POWER_OFF)
		vm_set_end(vm, VM_POWERED_OFF, NULL);
	else if (event == POWER_RESTART)
		vm_set_end(vm, VM_RESTARTED, NULL);
}

static void power_bus_read(void *dev, uint64_t offset, void *data, unsigned int len)
{
	(void)dev;
	memset(data, 0, len);
	*(uint8_t *)data = power_read((unsigned int)offset);
}

static void power_bus_write(void *dev, uint64_t offset, const void *data, unsigned int len)
{
	if (len == 1)
		end_by(dev, power_write((unsigned int)offset, *(const uint8_t *)data));
}

static void pvpanic_bus_read(void *dev, uint64_t offset, void *data, unsigned int len)
{
	(void)dev;
	memset(data, 0, len);
	*(uint8_t *)data = pvpanic_read((unsigned int)offset);
}

static void pvpanic_bus_write(void *dev, uint64_t offset, const void *data, unsigned int len)
{
	struct machine *m = dev;

	if (len && pvpanic_write((unsigned int)offset, *(const uint8_t *)data))
		m->panicked(m->serial.arg);
}

static void kbc_bus_read(void *dev, uint64_t offset, void *data, unsigned int len)
{
	(void)dev;
	(void)offset;
	/*
	 * Status: the input buffer is empty, so that a reset pulse is sent at once; the output buffer never is,
	 * by which a driver that probes for a keyboard sees at once that there is none.
	 */
	memset(data, 0, len);
	*(uint8_t *)data = KBC_OUTPUT_FULL;
}

static void kbc_bus_write(void *dev, uint64_t offset, const void *data, unsigned int len)
{
	(void)offset;
	if (len == 1)
		end_by(dev, kbc_write(*(const uint8_t *)data));
}

/* ---- assembly ---- */

static void add_virtio(struct machine *m, struct virtio_dev *vdev, unsigned int n)
{
	uint64_t base = virtio_bus_add(&m->virtio, n, vdev, lines[n]);

	describe(m, PLATFORM_VIRTIO_MMIO, base, VIRTIO_MMIO_SIZE, lines[n]);
}

static void add_platform_devices(struct machine *m, const struct machine_config *config)
{
	m->serial.arg = config->arg;
	m->serial.output = config->serial_output;
	m->serial_first = config->serial_first;
	m->panicked = config->panicked;
	m->serial.irq = raise_isa_line;
	serial_init(&m->serial);
	bus_add(&m->vm.pio, &(struct bus_range){
		.base = SERIAL_PORT,
		.size = SERIAL_SIZE,
		.dev = m,
		.read = serial_bus_read,
		.write = serial_bus_write,
	});
	m->serial.irq_arg = describe(m, PLATFORM_SERIAL, SERIAL_PORT, SERIAL_SIZE, SERIAL_IRQ);

	rtc_init(&m->rtc);
	bus_add(&m->vm.pio, &(struct bus_range){
		.base = RTC_PORT,
		.size = RTC_SIZE,
		.dev = &m->rtc,
		.read = rtc_bus_read,
		.write = rtc_bus_write,
	});
	describe(m, PLATFORM_RTC, RTC_PORT, RTC_SIZE, 8);

	bus_add(&m->vm.pio, &(struct bus_range){
		.base = POWER_PORT,
		.size = POWER_SIZE,
		.dev = &m->vm,
		.read = power_bus_read,
		.write = power_bus_write,
	});
	bus_add(&m->vm.pio, &(struct bus_range){
		.base = KBC_PORT,
		.size = 1,
		.dev = &m->vm,
		.read = kbc_bus_read,
		.write = kbc_bus_write,
	});

	bus_add(&m->vm.mmio, &(struct bus_range){
		.base = VM_PVPANIC_BASE,
		.size = PVPANIC_SIZE,
		.dev = m,
		.read = pvpanic_bus_read,
		.write = pvpanic_bus_write,
	});
	describe(m, PLATFORM_PVPANIC, VM_PVPANIC_BASE, PVPANIC_SIZE, 0);
}

static void describe_machine(struct machine *m)
{
	struct platform *p = &m->platform;

	p->cpus = m->vm.ncpus;
	for (unsigned int i = 0; i < m->vm.mem.nregions; i++) {
		p->ram[p->nram].base = m->vm.mem.region[i].gpa;
		p->ram[p->nram++].size = m->vm.mem.region[i].size;
	}
	p->lapic_base = VM_LAPIC_BASE;
	p->ioapic_base = VM_IOAPIC_BASE;
	p->sleep_port = POWER_PORT + POWER_SLEEP;
	p->reset_port = POWER_PORT + POWER_RESET;
	p->reset_value = POWER_RESET_VALUE;
}

static int add_share(struct machine *m, const struct machine_share *config, struct why *why)
{
	struct machine_slot *slot = &m->share[m->nshares++];
	int err;

	err = server_share(&slot->share, m->server, config->path, &config->config, why);
	if (err)
		return err;
	if (config->explain)
		err = explain_share(m->explain, slot->share, config->path, &config->config, why);
	if (err)
		return err;
	err = p9_session_new(&slot->session, slot->share);
	if (err)
		return why_fail(why, err, "no memory left for sharing %s", config->path);
	err = virtio_p9_init(&slot->dev, &m->vm.mem, slot->session, config->tag);
	if (err)
		return why_fail(why, err, "the tag '%s' is too long: give at most %d letters",
				config->tag, VIRTIO_P9_TAG_MAX);
	slot->ready = true;
	return 0;
}

static int add_shares(struct machine *m, const struct machine_config *config, struct why *why)
{
	for (unsigned int i = 0; i < config->nshares; i++) {
		int err = add_share(m, &config->share[i], why);

		if (err)
			return err;
	}
	return 0;
}

int machine_new(struct machine *m, const struct machine_config *config, struct why *why)
{
	unsigned int n = 0;
	int err;

	err = vm_new(&m->vm, config->ram, config->cpus, false, why) ?:
		      virtio_bus_init(&m->virtio, &m->vm, why);
	if (err)
		return err;
	m->vm.on_end = config->ended;
	m->vm.on_end_arg = config->arg;
	describe_machine(m);
	add_platform_devices(m, config);

	m->console.arg = config->arg;
	m->console.wake = config->port_wake;
	m->console.input = config->port_input;
	m->console.output = config->port_output;
	virtio_console_init(&m->console, &m->vm.mem, config->port_name);
	virtio_rng_init(&m->rng, &m->vm.mem);
	m->devices_ready = true;

	err = server_open(&m->server, config->executor, &m->note, why);
	if (!err)
		err = explain_new(&m->explain, server_say, NULL, why);
	if (err)
		return err;
	p9_server_callers(m->server, config->cpus);
	p9_server_on_refusal(m->server, explain_refusal, m->explain);
	err = add_shares(m, config, why);
	if (err)
		return err;
	/* The console comes first, so that the guest's init can speak before anything else. */
	add_virtio(m, &m->console.vdev, n++);
	for (unsigned int i = 0; i < m->nshares; i++)
		add_virtio(m, &m->share[i].dev.vdev, n++);
	add_virtio(m, &m->rng.vdev, n++);
	return 0;
}

int machine_start(struct machine *m, const struct boot_entry *entry, struct why *why)
{
	int err = vm_prepare(&m->vm, entry, why);

	if (err)
		return err;
	err = p9_server_start(m->server) ?: explain_start(m->explain);
	if (err)
		return why_fail(why, err, "no threads for the 9P server: %s", strerror(-err));
	return vm_start(&m->vm, why);
}

static void serve_requests(void *arg)
{
	struct machine *m = arg;

	p9_server_run(m->server);
}

bool machine_stop(struct machine *m)
{
	return vm_stop(&m->vm, m->server ? serve_requests : NULL, m);
}

void machine_free(struct machine *m)
{
	if (!machine_stop(m))
		return;
	for (unsigned int i = 0; i < m->nshares; i++) {
		struct machine_slot *slot = &m->share[i];

		if (slot->ready)
			virtio_quiesce(&slot->dev.vdev);
		if (slot->session)
			p9_session_free(slot->session);
		if (slot->ready)
			virtio_p9_destroy(&slot->dev);
		if (slot->share)
			p9_share_put(slot->share);
	}
	if (m->server)
		p9_server_free(m->server);
	explain_free(m->explain);
	if (m->devices_ready) {
		virtio_destroy(&m->console.vdev);
		virtio_destroy(&m->rng.vdev);
		serial_destroy(&m->serial);
		rtc_destroy(&m->rtc);
	}
	vm_free(&m->vm);
	virtio_bus_free(&m->virtio);
}
