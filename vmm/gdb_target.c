// SPDX-License-Identifier: MIT
#include "vmm/gdb_target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define PAGE 4096ull

/* ---- memory ---- */

static bool translate(struct vcpu *vcpu, uint64_t address, uint64_t *gpa)
{
	struct kvm_translation t = { .linear_address = address };

	if (ioctl(vcpu->fd, KVM_TRANSLATE, &t) < 0 || !t.valid)
		return false;
	*gpa = t.physical_address;
	return true;
}

/*
 * Guest memory at a virtual address, not beyond its page; *len becomes shorter if need be. NULL: not
 * mapped, or not to memory. A processor in user mode may not have the kernel's half: another has.
 */
static uint8_t *memory(struct gdb_target *target, unsigned int cpu, uint64_t address, size_t *len)
{
	struct vm *vm = target->vm;
	uint64_t left = PAGE - address % PAGE, gpa;
	bool found = translate(&vm->vcpu[cpu], address, &gpa);

	for (unsigned int i = 0; !found && address >> 63 && i < vm->ncpus; i++)
		found = translate(&vm->vcpu[i], address, &gpa);
	if (!found)
		return NULL;
	if (*len > left)
		*len = left;
	return gmem_slice(&vm->mem, gpa, *len);
}

static ssize_t read_memory(void *arg, unsigned int cpu, uint64_t address, void *buf, size_t len)
{
	size_t done = 0, n;

	for (; done < len; done += n) {
		const uint8_t *from;

		n = len - done;
		from = memory(arg, cpu, address + done, &n);
		if (!from)
			break;
		memcpy((uint8_t *)buf + done, from, n);
	}
	return done || !len ? (ssize_t)done : -EFAULT;
}

static int write_memory(void *arg, unsigned int cpu, uint64_t address, const void *data, size_t len)
{
	size_t n;

	for (size_t done = 0; done < len; done += n) {
		uint8_t *to;

		n = len - done;
		to = memory(arg, cpu, address + done, &n);
		if (!to)
			return -EFAULT;
		memcpy(to, (const uint8_t *)data + done, n);
	}
	return 0;
}

/* ---- registers ---- */

static int get_registers(void *arg, unsigned int cpu, uint8_t *registers)
{
	struct gdb_target *target = arg;

	return x86_gdb_get(&target->vm->vcpu[cpu], registers);
}

static int set_registers(void *arg, unsigned int cpu, const uint8_t *registers)
{
	struct gdb_target *target = arg;

	return x86_gdb_set(&target->vm->vcpu[cpu], registers);
}

static void describe(void *arg, unsigned int cpu, char *buf, size_t cap)
{
	struct gdb_target *target = arg;

	snprintf(buf, cap, "CPU %u, %s", cpu, x86_cpu_state(&target->vm->vcpu[cpu]));
}

/* ---- breakpoints ---- */

static struct gdb_soft_break *find_soft(struct gdb_target *target, uint64_t address)
{
	for (unsigned int i = 0; i < target->nsoft; i++)
		if (target->soft[i].address == address)
			return &target->soft[i];
	return NULL;
}

static int set_soft(struct gdb_target *target, unsigned int cpu, uint64_t address, bool on)
{
	struct gdb_soft_break *b = find_soft(target, address);
	size_t len = 1;
	uint8_t *byte;

	if (!on) {
		if (b)
			*b = target->soft[--target->nsoft];
		return 0;
	}
	if (b)
		return 0;
	if (target->nsoft == GDB_MAX_BREAKS)
		return -ENOSPC;
	byte = memory(target, cpu, address, &len);
	if (!byte)
		return -EFAULT;
	target->soft[target->nsoft++] = (struct gdb_soft_break){ .address = address, .byte = byte };
	return 0;
}

/* Each vCPU has the same; debug[0] stands for all. */
static int set_hardware(struct gdb_target *target, const struct x86_hardware_break *b, bool on)
{
	struct x86_hardware_break *all = target->debug[0].hardware, *slot = NULL;

	for (unsigned int i = 0; i < X86_HARDWARE_BREAKS; i++) {
		bool same = all[i].on && all[i].kind == b->kind && all[i].address == b->address &&
			    all[i].len == b->len;

		if (same || (on && !all[i].on && !slot))
			slot = &all[i];
	}
	if (!slot)
		return on ? -ENOSPC : 0;
	*slot = *b;
	slot->on = on;
	for (unsigned int i = 1; i < target->vm->ncpus; i++)
		memcpy(target->debug[i].hardware, all, sizeof(target->debug[i].hardware));
	return 0;
}

static int set_break(void *arg, unsigned int cpu, enum gdb_break kind, uint64_t address, uint64_t len,
		     bool on)
{
	struct gdb_target *target = arg;

	if (!x86_break_is_possible(kind, address, len))
		return -EOPNOTSUPP;
	if (kind == GDB_BREAK_SOFTWARE)
		return set_soft(target, cpu, address, on);
	return set_hardware(target, &(struct x86_hardware_break){ .kind = kind,
								  .address = address,
								  .len = len }, on);
}

/* The INT3s are in the guest only while it runs, so that its memory reads as it is. */
static void patch(struct gdb_target *target, bool in)
{
	if (target->patched == in)
		return;
	target->patched = in;
	for (unsigned int i = 0; i < target->nsoft; i++) {
		struct gdb_soft_break *b = &target->soft[i];

		if (in) {
			b->was = *b->byte;
			*b->byte = X86_BREAK_BYTE;
		} else if (*b->byte == X86_BREAK_BYTE) {
			/* Else the guest has put something else there. */
			*b->byte = b->was;
		}
	}
}

/* ---- running ---- */

static void run(struct gdb_target *target, const enum gdb_resume *how)
{
	uint64_t cpus = 0;

	for (unsigned int i = 0; i < target->vm->ncpus; i++) {
		if (how[i] == GDB_STAY)
			continue;
		cpus |= 1ull << i;
		target->debug[i].step = how[i] == GDB_STEP;
		target->debug[i].software = target->nsoft != 0;
		/* Of these flags none is refused. */
		x86_debug_set(&target->vm->vcpu[i], &target->debug[i]);
	}
	patch(target, true);
	target->resumed(target->arg);
	vm_resume(target->vm, cpus);
}

/* A stop that came beside the one that was told. Watched data is told of now; what stopped before an
 * instruction will do so again. */
static bool tell_stop(struct gdb_target *target, bool watched_only)
{
	bool told = false;

	for (unsigned int i = 0; i < target->vm->ncpus; i++) {
		struct gdb_stop *stop = &target->stop[i];
		bool watched = stop->at_break && stop->kind >= GDB_WATCH_WRITE;

		if (!target->has_stop[i] || (told && watched))
			continue;
		target->has_stop[i] = false;
		if (told || (watched_only && !watched))
			continue;
		told = true;
		target->stopped(target->arg, stop);
	}
	return told;
}

static void resume(void *arg, const enum gdb_resume *how)
{
	struct gdb_target *target = arg;

	if (!tell_stop(target, true))
		run(target, how);
}

static void interrupt(void *arg)
{
	struct gdb_target *target = arg;

	target->interrupted = true;
	vm_pause(target->vm);
}

void gdb_target_forget(struct gdb_target *target)
{
	patch(target, false);
	target->nsoft = 0;
	target->interrupted = false;
	memset(target->debug, 0, sizeof(target->debug));
	memset(target->has_stop, 0, sizeof(target->has_stop));
}

static void detach(void *arg)
{
	struct gdb_target *target = arg;
	enum gdb_resume how[PLATFORM_MAX_CPUS];

	gdb_target_forget(target);
	for (unsigned int i = 0; i < PLATFORM_MAX_CPUS; i++)
		how[i] = GDB_CONTINUE;
	run(target, how);
}

static void kill_vm(void *arg)
{
	struct gdb_target *target = arg;

	target->kill(target->arg);
}

const struct gdb_ops gdb_target_ops = {
	.get_registers = get_registers,
	.set_registers = set_registers,
	.read = read_memory,
	.write = write_memory,
	.set_break = set_break,
	.resume = resume,
	.interrupt = interrupt,
	.detach = detach,
	.kill = kill_vm,
	.describe = describe,
};

/* On the vCPU's thread. What it reads changes only while all are paused. */
static void on_debug(void *arg, struct vcpu *vcpu)
{
	struct gdb_target *target = arg;
	const struct x86_debug *debug = &target->debug[vcpu->id];
	struct gdb_stop stop = { .cpu = vcpu->id, .signal = GDB_SIGTRAP };
	uint64_t address;
	unsigned int n;

	switch (x86_debug_event(vcpu, debug, &address, &n)) {
	case X86_DEBUG_STEP:
		break;
	case X86_DEBUG_SOFTWARE:
		if (!find_soft(target, address)) {
			x86_debug_pass_on(vcpu, debug);
			return;
		}
		stop.at_break = true;
		stop.kind = GDB_BREAK_SOFTWARE;
		break;
	case X86_DEBUG_HARDWARE:
		stop.at_break = true;
		stop.kind = debug->hardware[n].kind;
		stop.address = debug->hardware[n].address;
		break;
	default:
		x86_debug_pass_on(vcpu, debug);
		return;
	}
	target->stop[vcpu->id] = stop;
	target->has_stop[vcpu->id] = true;
	vm_pause(target->vm);
}

void gdb_target_init(struct gdb_target *target, struct vm *vm)
{
	target->vm = vm;
	vm->debug = on_debug;
	vm->debug_arg = target;
}

void gdb_target_paused(struct gdb_target *target)
{
	struct gdb_stop stop = { .signal = target->interrupted ? GDB_SIGINT : GDB_SIGTRAP };

	patch(target, false);
	target->interrupted = false;
	if (!tell_stop(target, false))
		target->stopped(target->arg, &stop);
}

void gdb_target_end(struct gdb_target *target)
{
	patch(target, false);
}
