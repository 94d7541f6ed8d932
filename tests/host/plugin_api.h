/* SPDX-License-Identifier: MIT */
/*
 * What our plugins use of QEMU's interface for TCG plugins, version 1 (QEMU 6.0 to 8.2; Debian 12
 * has 7.2). Debian ships the interface in qemu-system-x86_64 but not its header. QEMU's
 * documentation: "QEMU TCG Plugins".
 */
#ifndef TESTS_HOST_PLUGIN_API_H
#define TESTS_HOST_PLUGIN_API_H

#include <stddef.h>
#include <stdint.h>

#define PLUGIN_API_VERSION 1

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;

enum { PLUGIN_NO_REGISTERS = 0 }; /* a callback neither reads nor writes the CPU's registers */
enum { PLUGIN_ADD_U64 = 0 };	  /* an inline operation: *ptr += value */

/* What a plugin has. */
extern int qemu_plugin_version;
int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv);

/* What QEMU has. A tb, a block of instructions that is translated at once, and its instructions are
 * valid only in the callback of its translation. */
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
					   void (*cb)(plugin_id id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*cb)(unsigned int cpu, void *arg), int registers,
					  void *arg);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int cpu, void *arg), int registers,
					    void *arg);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int operation,
						void *ptr, uint64_t value);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
/* Where QEMU has the instruction's first byte: the same for all who share the page. */
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn);

#endif
