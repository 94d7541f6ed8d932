// SPDX-License-Identifier: MIT
/*
 * The registers that gdb sees: those of its features org.gnu.gdb.i386.core, .sse and .segments, which
 * have to be in this order and of these names, and a feature of our own for the system's.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/x86_64/debug.h"

#define MSR_KERNEL_GS_BASE 0xc0000102

/* X(name, bytes, what gdb writes beside it) */
#define CORE_REGISTERS(X)                                                                          \
	X(rax, 8, "type='int64'") X(rbx, 8, "type='int64'") X(rcx, 8, "type='int64'")              \
	X(rdx, 8, "type='int64'") X(rsi, 8, "type='int64'") X(rdi, 8, "type='int64'")              \
	X(rbp, 8, "type='data_ptr'") X(rsp, 8, "type='data_ptr'") X(r8, 8, "type='int64'")         \
	X(r9, 8, "type='int64'") X(r10, 8, "type='int64'") X(r11, 8, "type='int64'")               \
	X(r12, 8, "type='int64'") X(r13, 8, "type='int64'") X(r14, 8, "type='int64'")              \
	X(r15, 8, "type='int64'") X(rip, 8, "type='code_ptr'") X(eflags, 4, "type='i386_eflags'")  \
	X(cs, 4, "type='int32'") X(ss, 4, "type='int32'") X(ds, 4, "type='int32'")                 \
	X(es, 4, "type='int32'") X(fs, 4, "type='int32'") X(gs, 4, "type='int32'")                 \
	X(st0, 10, "type='i387_ext'") X(st1, 10, "type='i387_ext'") X(st2, 10, "type='i387_ext'")  \
	X(st3, 10, "type='i387_ext'") X(st4, 10, "type='i387_ext'") X(st5, 10, "type='i387_ext'")  \
	X(st6, 10, "type='i387_ext'") X(st7, 10, "type='i387_ext'")                                \
	X(fctrl, 4, "type='int' group='float'") X(fstat, 4, "type='int' group='float'")            \
	X(ftag, 4, "type='int' group='float'") X(fiseg, 4, "type='int' group='float'")             \
	X(fioff, 4, "type='int' group='float'") X(foseg, 4, "type='int' group='float'")            \
	X(fooff, 4, "type='int' group='float'") X(fop, 4, "type='int' group='float'")
#define SSE_REGISTERS(X)                                                                           \
	X(xmm0, 16, "type='vec128'") X(xmm1, 16, "type='vec128'") X(xmm2, 16, "type='vec128'")     \
	X(xmm3, 16, "type='vec128'") X(xmm4, 16, "type='vec128'") X(xmm5, 16, "type='vec128'")     \
	X(xmm6, 16, "type='vec128'") X(xmm7, 16, "type='vec128'") X(xmm8, 16, "type='vec128'")     \
	X(xmm9, 16, "type='vec128'") X(xmm10, 16, "type='vec128'") X(xmm11, 16, "type='vec128'")   \
	X(xmm12, 16, "type='vec128'") X(xmm13, 16, "type='vec128'") X(xmm14, 16, "type='vec128'")  \
	X(xmm15, 16, "type='vec128'") X(mxcsr, 4, "type='int' group='vector'")
#define SEGMENT_REGISTERS(X) X(fs_base, 8, "type='int64'") X(gs_base, 8, "type='int64'")
#define SYSTEM_REGISTERS(X)                                                                        \
	X(k_gs_base, 8, "type='int64' group='system'") X(cr0, 8, "type='int64' group='system'")    \
	X(cr2, 8, "type='int64' group='system'") X(cr3, 8, "type='int64' group='system'")          \
	X(cr4, 8, "type='int64' group='system'") X(cr8, 8, "type='int64' group='system'")          \
	X(efer, 8, "type='int64' group='system'")

#define ALL_REGISTERS(X) CORE_REGISTERS(X) SSE_REGISTERS(X) SEGMENT_REGISTERS(X) SYSTEM_REGISTERS(X)

/* As the packets have them, without gaps. */
struct layout {
#define FIELD(name, bytes, xml) uint8_t name[bytes];
	ALL_REGISTERS(FIELD)
#undef FIELD
};
_Static_assert(sizeof(struct layout) <= GDB_REGISTERS_MAX, "gdb.c has room for all");

static const struct gdb_slot slots[] = {
#define SLOT(name, bytes, xml) { offsetof(struct layout, name), bytes },
	ALL_REGISTERS(SLOT)
#undef SLOT
};

/* bitsize is a word of its own in the description. */
#define BITS_4	"32"
#define BITS_8	"64"
#define BITS_10 "80"
#define BITS_16 "128"
#define XML(name, bytes, xml) "<reg name='" #name "' bitsize='" BITS_##bytes "' " xml "/>\n"

static const char description[] =
	"<?xml version='1.0'?>\n"
	"<!DOCTYPE target SYSTEM 'gdb-target.dtd'>\n"
	"<target>\n"
	"<architecture>i386:x86-64</architecture>\n"
	"<feature name='org.gnu.gdb.i386.core'>\n"
	"<flags id='i386_eflags' size='4'>\n"
	"<field name='CF' start='0' end='0'/><field name='' start='1' end='1'/>\n"
	"<field name='PF' start='2' end='2'/><field name='AF' start='4' end='4'/>\n"
	"<field name='ZF' start='6' end='6'/><field name='SF' start='7' end='7'/>\n"
	"<field name='TF' start='8' end='8'/><field name='IF' start='9' end='9'/>\n"
	"<field name='DF' start='10' end='10'/><field name='OF' start='11' end='11'/>\n"
	"<field name='NT' start='14' end='14'/><field name='RF' start='16' end='16'/>\n"
	"<field name='VM' start='17' end='17'/><field name='AC' start='18' end='18'/>\n"
	"<field name='VIF' start='19' end='19'/><field name='VIP' start='20' end='20'/>\n"
	"<field name='ID' start='21' end='21'/>\n"
	"</flags>\n"
	CORE_REGISTERS(XML)
	"</feature>\n"
	"<feature name='org.gnu.gdb.i386.sse'>\n"
	"<vector id='v4f' type='ieee_single' count='4'/>\n"
	"<vector id='v2d' type='ieee_double' count='2'/>\n"
	"<vector id='v16i8' type='int8' count='16'/>\n"
	"<vector id='v8i16' type='int16' count='8'/>\n"
	"<vector id='v4i32' type='int32' count='4'/>\n"
	"<vector id='v2i64' type='int64' count='2'/>\n"
	"<union id='vec128'>\n"
	"<field name='v4_float' type='v4f'/><field name='v2_double' type='v2d'/>\n"
	"<field name='v16_int8' type='v16i8'/><field name='v8_int16' type='v8i16'/>\n"
	"<field name='v4_int32' type='v4i32'/><field name='v2_int64' type='v2i64'/>\n"
	"<field name='uint128' type='uint128'/>\n"
	"</union>\n"
	SSE_REGISTERS(XML)
	"</feature>\n"
	"<feature name='org.gnu.gdb.i386.segments'>\n"
	SEGMENT_REGISTERS(XML)
	"</feature>\n"
	"<feature name='ninepin.x86-64.system'>\n"
	SYSTEM_REGISTERS(XML)
	"</feature>\n"
	"</target>\n";

const struct gdb_registers *x86_gdb_registers(void)
{
	static const struct gdb_registers registers = {
		.xml = description,
		.size = sizeof(struct layout),
		.n = sizeof(slots) / sizeof(slots[0]),
		.slot = slots,
	};

	return &registers;
}

/* What KVM has of them. */
struct state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry kernel_gs_base;
	} msrs;
};

static int get_state(struct vcpu *vcpu, struct state *s)
{
	s->msrs.head.nmsrs = 1;
	s->msrs.head.pad = 0;
	s->msrs.kernel_gs_base = (struct kvm_msr_entry){ .index = MSR_KERNEL_GS_BASE };
	if (ioctl(vcpu->fd, KVM_GET_REGS, &s->regs) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &s->sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_FPU, &s->fpu) < 0 || ioctl(vcpu->fd, KVM_GET_MSRS, &s->msrs) < 0)
		return -errno;
	return 0;
}

/* A field of KVM's and one of the packets', both little-endian, of whatever sizes. */
struct pair {
	void *ours;
	size_t ours_size;
	void *packet;
	size_t packet_size;
};

/* Copies one way. What the packets have no room for stays as it is in KVM's. */
static void move(const struct pair *pair, bool to_packet)
{
	size_t size = pair->ours_size < pair->packet_size ? pair->ours_size : pair->packet_size;

	memcpy(to_packet ? pair->packet : pair->ours, to_packet ? pair->ours : pair->packet, size);
}

/* All of them, one way or the other. */
static void move_all(struct state *s, struct layout *l, bool to_packet)
{
	struct kvm_regs *r = &s->regs;
	struct kvm_sregs *sr = &s->sregs;
#define PAIR(member, name) { &(member), sizeof(member), l->name, sizeof(l->name) }
	const struct pair pairs[] = {
		PAIR(r->rax, rax), PAIR(r->rbx, rbx), PAIR(r->rcx, rcx), PAIR(r->rdx, rdx),
		PAIR(r->rsi, rsi), PAIR(r->rdi, rdi), PAIR(r->rbp, rbp), PAIR(r->rsp, rsp),
		PAIR(r->r8, r8), PAIR(r->r9, r9), PAIR(r->r10, r10), PAIR(r->r11, r11),
		PAIR(r->r12, r12), PAIR(r->r13, r13), PAIR(r->r14, r14), PAIR(r->r15, r15),
		PAIR(r->rip, rip), PAIR(r->rflags, eflags),
		PAIR(sr->cs.selector, cs), PAIR(sr->ss.selector, ss), PAIR(sr->ds.selector, ds),
		PAIR(sr->es.selector, es), PAIR(sr->fs.selector, fs), PAIR(sr->gs.selector, gs),
		PAIR(s->fpu.fcw, fctrl), PAIR(s->fpu.fsw, fstat), PAIR(s->fpu.last_ip, fioff),
		PAIR(s->fpu.last_dp, fooff), PAIR(s->fpu.last_opcode, fop), PAIR(s->fpu.mxcsr, mxcsr),
		PAIR(sr->fs.base, fs_base), PAIR(sr->gs.base, gs_base),
		PAIR(s->msrs.kernel_gs_base.data, k_gs_base), PAIR(sr->cr0, cr0), PAIR(sr->cr2, cr2),
		PAIR(sr->cr3, cr3), PAIR(sr->cr4, cr4), PAIR(sr->cr8, cr8), PAIR(sr->efer, efer),
	};
#undef PAIR

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		move(&pairs[i], to_packet);
	for (size_t i = 0; i < 8; i++)
		move(&(struct pair){ s->fpu.fpr[i], 10, (uint8_t *)l->st0 + 10 * i, 10 }, to_packet);
	for (size_t i = 0; i < 16; i++)
		move(&(struct pair){ s->fpu.xmm[i], 16, (uint8_t *)l->xmm0 + 16 * i, 16 }, to_packet);
}

/* KVM has one bit for each of the eight: in use or not. gdb has the two of FSAVE, 3 being empty. */
static uint16_t widen_tags(uint8_t tags)
{
	uint16_t wide = 0;

	for (unsigned int i = 0; i < 8; i++)
		if (!(tags >> i & 1))
			wide = (uint16_t)(wide | 3u << (2 * i));
	return wide;
}

static uint8_t narrow_tags(const uint8_t *tags)
{
	unsigned int wide = tags[0] | (unsigned int)tags[1] << 8, narrow = 0;

	for (unsigned int i = 0; i < 8; i++)
		if ((wide >> (2 * i) & 3) != 3)
			narrow |= 1u << i;
	return (uint8_t)narrow;
}

int x86_gdb_get(struct vcpu *vcpu, uint8_t *registers)
{
	struct layout *l = (struct layout *)registers;
	struct state s;
	uint16_t tags;
	int err = get_state(vcpu, &s);

	if (err)
		return err;
	memset(l, 0, sizeof(*l));
	move_all(&s, l, true);
	tags = widen_tags(s.fpu.ftwx);
	memcpy(l->ftag, &tags, sizeof(tags));
	return 0;
}

int x86_gdb_set(struct vcpu *vcpu, const uint8_t *registers)
{
	struct layout l;
	struct state s, was;
	int err = get_state(vcpu, &was);

	if (err)
		return err;
	s = was;
	memcpy(&l, registers, sizeof(l));
	move_all(&s, &l, false);
	s.fpu.ftwx = narrow_tags(l.ftag);
	if (memcmp(&s.regs, &was.regs, sizeof(s.regs)) && ioctl(vcpu->fd, KVM_SET_REGS, &s.regs) < 0)
		return -errno;
	if (memcmp(&s.sregs, &was.sregs, sizeof(s.sregs)) && ioctl(vcpu->fd, KVM_SET_SREGS, &s.sregs) < 0)
		return -errno;
	if (memcmp(&s.fpu, &was.fpu, sizeof(s.fpu)) && ioctl(vcpu->fd, KVM_SET_FPU, &s.fpu) < 0)
		return -errno;
	if (s.msrs.kernel_gs_base.data != was.msrs.kernel_gs_base.data &&
	    ioctl(vcpu->fd, KVM_SET_MSRS, &s.msrs) < 1)
		return -EINVAL;
	return 0;
}
