// SPDX-License-Identifier: MIT
/*
 * A plugin for QEMU with which an INT3 of a guest's can be intercepted.
 *
 * QEMU 7.2 looks for an intercept of INTn when it meets an INT3. The architecture has it that INT3 is
 * looked for as the exception #BP instead (AMD's manual, volume 2, 15.12.4), and so KVM asks for it, when a
 * debugger has set a breakpoint. So QEMU is made to look there, before the instruction.
 */
#include "tests/host/plugin_api.h"

__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_API_VERSION;

/*
 * Called by what QEMU made of the guest's code. That has QEMU's state of the processor in RBP, and its
 * return address tells which instruction this is.
 */
void on_int3(unsigned int cpu, void *arg);
__asm__(".text\n"
	".hidden on_int3\n"
	".type on_int3, @function\n"
	"on_int3:\n\t"
	"mov %rbp, %rdi\n\t"
	"mov $0x43, %esi\n\t" /* VMEXIT_EXCP3 */
	"xor %edx, %edx\n\t"
	"mov (%rsp), %rcx\n\t"
	/* What QEMU itself calls for other exceptions; it does not return if there is an intercept. */
	"jmp cpu_svm_check_intercept_param@PLT\n");

static void on_translate(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (qemu_plugin_insn_size(insn) == 1 &&
		    *(const unsigned char *)qemu_plugin_insn_data(insn) == 0xcc)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_int3, PLUGIN_NO_REGISTERS, NULL);
	}
}

__attribute__((visibility("default"))) int
qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	(void)argc;
	(void)argv;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	return 0;
}
