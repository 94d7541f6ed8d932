// SPDX-License-Identifier: MIT
/*
 * A plugin for QEMU that counts, between two marker instructions, how often each instruction of
 * the emulated host and of the guest in it is executed. It knows addresses only; report.c knows
 * names.
 *
 *   -plugin count.so,out=FILE
 *
 * FILE gets, for each stretch between markers:
 *
 *   stretch
 *   i h|g ADDRESS COUNT [BYTES]   an instruction of the host or the guest; in user space its bytes
 *   x ADDRESS COUNT               exits of the guest, by the block of instructions it was in
 *   c ADDRESS N COUNT EXIT CALL CALLER
 *                                 a block of N instructions of the host, and what for: the last
 *                                 exit (a guest's address); in the kernel, the system call (the
 *                                 block that made it, and the one before; 0: an interrupt, a fault)
 *   idle COUNT                    how often the processor halted
 *   end
 *
 * Host or guest is exact: see vmrun.h. One processor only.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/breakdown/marker.h"
#include "tests/host/plugin_api.h"
#include "tests/host/vmrun.h"

#define KERNEL_HALF (1ull << 63)
#define NCONTEXTS   (1u << 18) /* far more than a stretch has; a power of 2 */

__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_API_VERSION;

struct insn {
	uint64_t count;
	uint64_t addr;
	unsigned char size;
	unsigned char bytes[15];
};

struct block {
	struct block *next;
	bool guest;
	bool user;
	bool call; /* ends with SYSCALL */
	uint64_t exits;
	size_t n;
	struct insn insn[];
};

/* What a block of the host is executed for. */
struct context {
	const struct block *block, *exit, *call, *caller;
	uint64_t count;
};

static struct block *blocks;
static struct context contexts[NCONTEXTS];
static size_t ncontexts;
static FILE *out;
static bool counting;
static uint64_t idles;

static bool in_guest;
static struct vmruns vmruns;

/* The last blocks of their kind. A host's block has nothing to do with a guest before its first
 * exit. */
static struct block *guest_block;
static const struct block *user_block, *last_exit, *call, *caller;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "count.so: %s\n", what);
	exit(1);
}

/* ---- a stretch ---- */

static void begin(unsigned int cpu, void *arg)
{
	(void)cpu;
	(void)arg;
	for (struct block *b = blocks; b; b = b->next) {
		b->exits = 0;
		for (size_t i = 0; i < b->n; i++)
			b->insn[i].count = 0;
	}
	memset(contexts, 0, sizeof(contexts));
	ncontexts = 0;
	idles = 0;
	counting = true;
}

static uint64_t addr_of(const struct block *block)
{
	return block ? block->insn[0].addr : 0;
}

static void write_insn(const struct block *b, const struct insn *insn)
{
	fprintf(out, "i %c %lx %lu", b->guest ? 'g' : 'h', insn->addr, insn->count);
	if (b->user) {
		fputc(' ', out);
		for (size_t i = 0; i < insn->size; i++)
			fprintf(out, "%02x", insn->bytes[i]);
	}
	fputc('\n', out);
}

static void end(unsigned int cpu, void *arg)
{
	(void)cpu;
	(void)arg;
	if (!counting)
		return;
	counting = false;
	fprintf(out, "stretch\n");
	for (const struct block *b = blocks; b; b = b->next) {
		for (size_t i = 0; i < b->n; i++) {
			if (b->insn[i].count)
				write_insn(b, &b->insn[i]);
		}
		if (b->exits)
			fprintf(out, "x %lx %lu\n", addr_of(b), b->exits);
	}
	for (const struct context *c = contexts; c < contexts + NCONTEXTS; c++) {
		if (c->count)
			fprintf(out, "c %lx %zu %lu %lx %lx %lx\n", addr_of(c->block), c->block->n,
				c->count, addr_of(c->exit), addr_of(c->call), addr_of(c->caller));
	}
	fprintf(out, "idle %lu\nend\n", idles);
	/* QEMU may be killed rather than ended. */
	if (fflush(out) || ferror(out))
		fail("the file of counts cannot be written");
}

static void count_context(const struct block *block)
{
	const struct context key = {block, last_exit, call, caller, 0};
	uint64_t hash = (uintptr_t)block ^ (uintptr_t)last_exit * 3 ^ (uintptr_t)call * 5 ^
			(uintptr_t)caller * 7;
	struct context *c;

	hash *= 0x9e3779b97f4a7c15;
	for (uint64_t i = hash >> 32;; i++) {
		c = &contexts[i & (NCONTEXTS - 1)];
		if (!c->count)
			break;
		if (c->block == key.block && c->exit == key.exit && c->call == key.call &&
		    c->caller == key.caller) {
			c->count++;
			return;
		}
	}
	if (++ncontexts == NCONTEXTS / 4 * 3)
		fail("there are too many contexts to count");
	*c = key;
	c->count = 1;
}

/* ---- what is executed ---- */

static void on_vmrun(unsigned int cpu, void *arg)
{
	(void)cpu;
	(void)arg;
	in_guest = true;
}

static void on_vmexit(unsigned int cpu, void *arg)
{
	(void)cpu;
	(void)arg;
	in_guest = false;
	if (counting && guest_block)
		guest_block->exits++;
	last_exit = guest_block;
}

static void on_guest_block(unsigned int cpu, void *arg)
{
	(void)cpu;
	guest_block = arg;
}

static void on_host_block(unsigned int cpu, void *arg)
{
	const struct block *block = arg;

	(void)cpu;
	if (block->user)
		call = caller = NULL;
	if (counting)
		count_context(block);
	if (block->user) {
		if (block->call) {
			call = block;
			caller = user_block;
		}
		user_block = block;
	}
}

/* ---- what is translated ---- */

static bool is(const struct insn *insn, const char *bytes, size_t n)
{
	return insn->size >= n && !memcmp(insn->bytes, bytes, n);
}

static bool is_marker(const struct insn *insn, uint32_t number)
{
	return insn->size == 7 && is(insn, "\x0f\x1f\x80", 3) &&
	       !memcmp(insn->bytes + 3, &number, sizeof(number));
}

static void on_translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	struct block *block = calloc(1, sizeof(*block) + n * sizeof(block->insn[0]));
	bool is_exit, full = false;

	(void)id;
	if (!block)
		fail("there is no memory left");
	/* A block is translated right before it is executed, and QEMU does not share one between
	 * host and guest. The first after an exit is the host's already. */
	is_exit = vmrun_is_exit(&vmruns, tb);
	block->guest = in_guest && !is_exit;
	block->n = n;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *from = qemu_plugin_tb_get_insn(tb, i);
		struct insn *insn = &block->insn[i];

		insn->addr = qemu_plugin_insn_vaddr(from);
		insn->size = (unsigned char)qemu_plugin_insn_size(from);
		memcpy(insn->bytes, qemu_plugin_insn_data(from), insn->size);
		qemu_plugin_register_vcpu_insn_exec_inline(from, PLUGIN_ADD_U64, &insn->count, 1);
		if (!block->guest && vmrun_is_enter(&vmruns, from, &full)) {
			if (full)
				fail("VMRUN is in too many places");
			qemu_plugin_register_vcpu_insn_exec_cb(from, on_vmrun, PLUGIN_NO_REGISTERS,
							       NULL);
		}
		/* A guest's ends it, but the host's halts the processor. */
		if (is(insn, "\xf4", 1) && !block->guest)
			qemu_plugin_register_vcpu_insn_exec_inline(from, PLUGIN_ADD_U64, &idles, 1);
		if (is_marker(insn, MARKER_BEGIN))
			qemu_plugin_register_vcpu_insn_exec_cb(from, begin, PLUGIN_NO_REGISTERS,
							       NULL);
		if (is_marker(insn, MARKER_END))
			qemu_plugin_register_vcpu_insn_exec_cb(from, end, PLUGIN_NO_REGISTERS,
							       NULL);
	}
	block->user = block->insn[0].addr < KERNEL_HALF;
	block->call = block->user && is(&block->insn[n - 1], "\x0f\x05", 2);
	block->next = blocks;
	blocks = block;
	if (is_exit)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_vmexit, PLUGIN_NO_REGISTERS, NULL);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, block->guest ? on_guest_block : on_host_block,
					     PLUGIN_NO_REGISTERS, block);
}

__attribute__((visibility("default"))) int
qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "count.so: it takes one argument: out=FILE\n");
		return -1;
	}
	out = fopen(argv[0] + 4, "we");
	if (!out) {
		fprintf(stderr, "count.so: %s: cannot be written\n", argv[0] + 4);
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	return 0;
}
