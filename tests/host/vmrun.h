/* SPDX-License-Identifier: MIT */
/*
 * For plugins of QEMU's: where the emulated host enters its guests, and where it is when they are
 * left. A nested guest begins with VMRUN and ends at the instruction behind it, whatever it was
 * left for; by its place in memory that instruction is never taken for one of a guest's. One
 * processor only.
 */
#ifndef TESTS_HOST_VMRUN_H
#define TESTS_HOST_VMRUN_H

#include <stdbool.h>
#include <string.h>

#include "tests/host/plugin_api.h"

#define MAX_VMRUNS 8

struct vmruns {
	const void *after[MAX_VMRUNS]; /* where the instructions behind VMRUN are */
	size_t n;
};

/* Whether the block is what the host does next when a guest is left. */
static inline bool vmrun_is_exit(const struct vmruns *vmruns, const struct qemu_plugin_tb *tb)
{
	const void *place = qemu_plugin_insn_haddr(qemu_plugin_tb_get_insn(tb, 0));

	for (size_t i = 0; i < vmruns->n; i++) {
		if (vmruns->after[i] == place)
			return true;
	}
	return false;
}

/* Whether the host's instruction is VMRUN; it is remembered then. *full: there are too many. */
static inline bool vmrun_is_enter(struct vmruns *vmruns, const struct qemu_plugin_insn *insn,
				  bool *full)
{
	const char *after = (const char *)qemu_plugin_insn_haddr(insn) + 3;

	if (qemu_plugin_insn_size(insn) != 3 ||
	    memcmp(qemu_plugin_insn_data(insn), "\x0f\x01\xd8", 3))
		return false;
	*full = false;
	for (size_t i = 0; i < vmruns->n; i++) {
		if (vmruns->after[i] == after)
			return true;
	}
	*full = vmruns->n == MAX_VMRUNS;
	if (!*full)
		vmruns->after[vmruns->n++] = after;
	return true;
}

#endif
