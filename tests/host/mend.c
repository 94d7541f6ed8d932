// SPDX-License-Identifier: MIT
/*
 * A plugin for QEMU that takes back what QEMU forgets.
 *
 * QEMU 7.2 keeps the vector of an interrupt that VMRUN has delivered in its CPU's exception_index.
 * If it leaves its loop before the guest's next exit, for a timer of the host's say, the guest gets
 * the interrupt once more, though it has interrupts disabled. One in the handler of an edge, which
 * holds a lock, hangs the guest: of some ten thousand messages of 9P, one does. So when a guest has
 * begun to run there is no vector.
 *
 * Where the CPU has it is told by a function of QEMU's that does the same. Another QEMU may be
 * mended, and is left alone if that function is different.
 */
#include <stdint.h>

#include "tests/host/plugin_api.h"
#include "tests/host/vmrun.h"

__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_API_VERSION;

/* QEMU's own. */
extern __thread char *current_cpu;
void cpu_loop_exit_noexc(void *cpu);

static struct vmruns vmruns;
static int32_t exception_index; /* an offset into the CPU */
static bool in_guest, entered;

static void on_enter(unsigned int cpu, void *arg)
{
	(void)cpu;
	(void)arg;
	in_guest = entered = true;
}

static void on_leave(unsigned int cpu, void *arg)
{
	(void)cpu;
	(void)arg;
	in_guest = false;
}

static void on_guest_block(unsigned int cpu, void *arg)
{
	const int32_t none = -1;

	(void)cpu;
	(void)arg;
	if (entered)
		memcpy(current_cpu + exception_index, &none, sizeof(none));
	entered = false;
}

static void on_translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	bool full;

	(void)id;
	if (vmrun_is_exit(&vmruns, tb)) {
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_leave, PLUGIN_NO_REGISTERS, NULL);
	} else if (in_guest) {
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_guest_block, PLUGIN_NO_REGISTERS, NULL);
		return;
	}
	/* It ends a block. */
	if (vmrun_is_enter(&vmruns, qemu_plugin_tb_get_insn(tb, n - 1), &full) && !full)
		qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, n - 1), on_enter,
						       PLUGIN_NO_REGISTERS, NULL);
}

__attribute__((visibility("default"))) int
qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
	const unsigned char *code = (const void *)cpu_loop_exit_noexc;

	(void)info;
	(void)argc;
	(void)argv;
	/* movl $-1, OFFSET(%rdi) */
	for (int i = 0; i < 16; i++) {
		if (!memcmp(code + i, "\xc7\x87", 2) &&
		    !memcmp(code + i + 6, "\xff\xff\xff\xff", 4)) {
			memcpy(&exception_index, code + i + 2, sizeof(exception_index));
			qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
			break;
		}
	}
	return 0;
}
