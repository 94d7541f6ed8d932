// SPDX-License-Identifier: MIT
/*
 * A vCPU that starts at ring 3, with everything that its program needs around it: page tables,
 * descriptor tables, interrupt controllers. No firmware, and no code of ring 0 but for handlers.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "images/bench/bench.h"
#include "vmm/x86_64/x86.h"

/* Guest-physical pages, below the program's image. */
#define GDT_GPA	 0x1000
#define TSS_GPA	 0x2000
#define IDT_GPA	 0x3000
#define PML4_GPA 0x4000
#define PDPT_GPA 0x5000
#define PD_GPA	 0x6000 /* and three more, one for each GiB */

#define PTE_PRESENT 0x1
#define PTE_WRITE   0x2
#define PTE_USER    0x4
#define PTE_USED    0x60 /* accessed and dirty: nobody looks */
#define PTE_LARGE   0x80 /* 2 MiB */

#define KERNEL_CS 0x08
#define USER_CS	  0x1b
#define USER_SS	  0x23
#define TSS_SEL	  0x28
#define TSS_LIMIT 0x67

#define GATE_INTERRUPT 0x8e /* present, DPL 0, interrupts off */

#define CR0_FLAGS (1ull << 0 | 1ull << 1 | 1ull << 4 | 1ull << 5 | 1ull << 31) /* PE MP ET NE PG */
#define CR4_FLAGS (1ull << 5 | 1ull << 9 | 1ull << 10) /* PAE OSFXSR OSXMMEXCPT */
#define EFER_FLAGS (1ull << 8 | 1ull << 10)	       /* LME LMA */
#define RFLAGS_IF  (1ull << 9 | 1ull << 1)

#define APIC_SVR	  0xf0
#define APIC_SVR_ENABLED  0x1ff /* and the spurious vector */
#define APIC_LVT0	  0x350
#define APIC_LVT_MASKED	  0x10000

static void *page(const struct vm *vm, uint64_t gpa)
{
	return (uint8_t *)vm_low_ram(vm).host + gpa;
}

/* All of the first 4 GiB where it is, for everybody; and the local interrupt controller again. */
static void make_page_tables(const struct vm *vm)
{
	const uint64_t all = PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_USED;
	uint64_t *pml4 = page(vm, PML4_GPA), *pdpt = page(vm, PDPT_GPA), *pd = page(vm, PD_GPA);

	pml4[0] = PDPT_GPA | all;
	for (unsigned int i = 0; i < 4; i++)
		pdpt[i] = (PD_GPA + i * 0x1000) | all;
	for (uint64_t i = 0; i < 4 * 512; i++)
		pd[i] = i << 21 | all | PTE_LARGE;
	pd[BENCH_LAPIC >> 21] = VM_LAPIC_BASE | all | PTE_LARGE;
}

static void set_gate(const struct vm *vm, unsigned int vector, uint64_t handler)
{
	uint64_t *gate = (uint64_t *)page(vm, IDT_GPA) + 2 * (size_t)vector;

	gate[0] = (handler & 0xffff) | (uint64_t)KERNEL_CS << 16 | (uint64_t)GATE_INTERRUPT << 40 |
		  (handler & 0xffff0000) << 32;
	gate[1] = handler >> 32;
}

static void make_descriptors(const struct vm *vm, const struct bench_image *image)
{
	uint64_t *gdt = page(vm, GDT_GPA);
	uint8_t *tss = page(vm, TSS_GPA);
	const uint16_t no_ports = TSS_LIMIT + 1;

	gdt[KERNEL_CS / 8] = 0x00af9b000000ffff;
	gdt[USER_CS / 8] = 0x00affb000000ffff;
	gdt[USER_SS / 8] = 0x00cff3000000ffff;
	gdt[TSS_SEL / 8] = TSS_LIMIT | (uint64_t)TSS_GPA << 16 | 0x8bull << 40;
	memcpy(tss + 4, &image->stack0, sizeof(image->stack0));
	memcpy(tss + 0x66, &no_ports, sizeof(no_ports));
	for (unsigned int vector = 0; vector < 256; vector++)
		set_gate(vm, vector, image->fault);
	set_gate(vm, 0, image->wait);
	set_gate(vm, BENCH_VECTOR, image->irq);
}

/* The old controllers do not get through; each line of `gsi` interrupts with the one vector. */
static int set_controllers(struct vm *vm, const uint8_t *gsi, unsigned int n)
{
	struct kvm_lapic_state lapic;
	uint32_t value;

	for (unsigned int i = 0; i < n; i++) {
		ioapic_write(&vm->ioapic, IOAPIC_SELECT, IOAPIC_ENTRY(gsi[i]));
		ioapic_write(&vm->ioapic, IOAPIC_WINDOW, BENCH_VECTOR);
	}
	if (ioctl(vm->vcpu[0].fd, KVM_GET_LAPIC, &lapic) < 0)
		return -errno;
	value = APIC_SVR_ENABLED;
	memcpy(lapic.regs + APIC_SVR, &value, sizeof(value));
	value = APIC_LVT_MASKED;
	memcpy(lapic.regs + APIC_LVT0, &value, sizeof(value));
	return ioctl(vm->vcpu[0].fd, KVM_SET_LAPIC, &lapic) < 0 ? -errno : 0;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool code)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.dpl = 3,
		.s = 1,
		.l = code,
		.db = !code,
		.g = 1,
	};
}

static int set_registers(struct vcpu *vcpu, uint64_t entry)
{
	struct kvm_regs regs = { .rip = entry, .rflags = RFLAGS_IF };
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	sregs.cs = segment(USER_CS, 0xb, true);
	sregs.ss = segment(USER_SS, 0x3, false);
	sregs.ds = sregs.ss;
	sregs.es = sregs.ss;
	sregs.fs = sregs.ss;
	sregs.gs = sregs.ss;
	sregs.tr = (struct kvm_segment){
		.base = TSS_GPA,
		.limit = TSS_LIMIT,
		.selector = TSS_SEL,
		.type = 0xb,
		.present = 1,
	};
	sregs.gdt.base = GDT_GPA;
	sregs.gdt.limit = TSS_SEL + 2 * 8 - 1;
	sregs.idt.base = IDT_GPA;
	sregs.idt.limit = 256 * 16 - 1;
	sregs.cr0 = CR0_FLAGS;
	sregs.cr3 = PML4_GPA;
	sregs.cr4 = CR4_FLAGS;
	sregs.efer = EFER_FLAGS;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

int x86_ring3_setup(struct vm *vm, const struct bench_image *image, const uint8_t *gsi,
		    unsigned int n, struct why *why)
{
	int err = vcpu_setup(&vm->vcpu[0], NULL, why);

	if (err)
		return err;
	make_page_tables(vm);
	make_descriptors(vm, image);
	err = set_controllers(vm, gsi, n);
	if (!err)
		err = set_registers(&vm->vcpu[0], image->entry);
	if (err)
		return why_fail(why, err, "KVM refuses the guest's first state: %s", strerror(-err));
	return 0;
}
