// SPDX-License-Identifier: MIT
#include "vmm/core.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/vmcoreinfo.h"

#define PAGE  4096ull
#define CHUNK (2ull << 20) /* written at once, at most */

#define MAX_SEGMENTS (2 + GMEM_MAX_REGIONS) /* notes, the kernel's text, RAM */

/* A processor's state as QEMU writes it into a dump: version 1 of its note "QEMU". */
struct qemu_segment {
	uint32_t selector;
	uint32_t limit;
	uint32_t flags; /* as in the descriptor's upper half */
	uint32_t pad;
	uint64_t base;
};

struct qemu_cpu {
	uint32_t version;
	uint32_t size;
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
	struct qemu_segment cs, ds, es, fs, gs, ss;
	struct qemu_segment ldt, tr, gdt, idt;
	uint64_t cr[5];
	uint64_t kernel_gs_base;
};
_Static_assert(sizeof(struct qemu_cpu) == 8 + 18 * 8 + 10 * 24 + 6 * 8, "QEMU's note has no gaps");

/* What is written before the memory. */
struct head {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[MAX_SEGMENTS];
	char note[]; /* notes_size bytes */
};

/* ---- the file ---- */

int core_open(const char *path, struct why *why)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	struct stat st;
	int err;

	if (fd < 0)
		return why_fail(why, -errno, "--core: %s cannot be written: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		err = why_fail(why, -EINVAL, "--core: %s is not a plain file: give the name of one", path);
	else if (fchmod(fd, 0600) || ftruncate(fd, 0))
		/* It has all that the guest knew: one that was there does not stay open to others. */
		err = why_fail(why, -errno,
			       "--core: %s is there, and cannot be made yours only: %s: give another name",
			       path, strerror(errno));
	else
		return fd;
	close(fd);
	return err;
}

void core_remove(int fd, const char *path)
{
	struct stat ours, there;

	if (fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_dev == there.st_dev &&
	    ours.st_ino == there.st_ino)
		unlink(path);
	else if (ftruncate(fd, 0))
		return; /* its name leads elsewhere, and its header was never written */
}

static int write_all(int fd, const void *data, uint64_t len, uint64_t offset)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (uint64_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* ---- notes ---- */

static size_t note_size(size_t name, size_t desc)
{
	return sizeof(Elf64_Nhdr) + ((name + 3) & ~3ul) + ((desc + 3) & ~3ul);
}

/* Appends a note to memory that is all zero. */
static char *put_note(char *to, const char *name, uint32_t type, const void *desc, size_t len)
{
	size_t name_len = strlen(name) + 1;
	Elf64_Nhdr head = {
		.n_namesz = (uint32_t)name_len,
		.n_descsz = (uint32_t)len,
		.n_type = type,
	};

	memcpy(to, &head, sizeof(head));
	memcpy(to + sizeof(head), name, name_len);
	memcpy(to + sizeof(head) + ((name_len + 3) & ~3ul), desc, len);
	return to + note_size(name_len, len);
}

static char *put_prstatus(char *to, const struct core_cpu *cpu, unsigned int id)
{
	const struct kvm_regs *r = &cpu->regs;
	const struct kvm_sregs *s = &cpu->sregs;
	/* In the order of struct user_regs_struct. */
	const elf_gregset_t regs = {
		r->r15, r->r14, r->r13, r->r12, r->rbp, r->rbx, r->r11, r->r10, r->r9,
		r->r8, r->rax, r->rcx, r->rdx, r->rsi, r->rdi, ~0ull /* no system call */,
		r->rip, s->cs.selector, r->rflags, r->rsp, s->ss.selector, s->fs.base, s->gs.base,
		s->ds.selector, s->es.selector, s->fs.selector, s->gs.selector,
	};
	struct elf_prstatus status = { .pr_pid = (pid_t)id + 1 }; /* gdb takes 0 for no thread */

	memcpy(&status.pr_reg, &regs, sizeof(regs));
	return put_note(to, "CORE", NT_PRSTATUS, &status, sizeof(status));
}

static struct qemu_segment segment(const struct kvm_segment *s)
{
	return (struct qemu_segment){
		.selector = s->selector,
		.limit = s->limit,
		.flags = (uint32_t)s->type << 8 | (uint32_t)s->s << 12 | (uint32_t)s->dpl << 13 |
			 (uint32_t)s->present << 15 | (uint32_t)s->avl << 20 | (uint32_t)s->l << 21 |
			 (uint32_t)s->db << 22 | (uint32_t)s->g << 23,
		.base = s->base,
	};
}

static char *put_qemu(char *to, const struct core_cpu *cpu)
{
	const struct kvm_regs *r = &cpu->regs;
	const struct kvm_sregs *s = &cpu->sregs;
	const struct qemu_cpu note = {
		.version = 1,
		.size = sizeof(note),
		.rax = r->rax,
		.rbx = r->rbx,
		.rcx = r->rcx,
		.rdx = r->rdx,
		.rsi = r->rsi,
		.rdi = r->rdi,
		.rsp = r->rsp,
		.rbp = r->rbp,
		.r8 = r->r8,
		.r9 = r->r9,
		.r10 = r->r10,
		.r11 = r->r11,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
		.rip = r->rip,
		.rflags = r->rflags,
		.cs = segment(&s->cs),
		.ds = segment(&s->ds),
		.es = segment(&s->es),
		.fs = segment(&s->fs),
		.gs = segment(&s->gs),
		.ss = segment(&s->ss),
		.ldt = segment(&s->ldt),
		.tr = segment(&s->tr),
		.gdt = { .limit = s->gdt.limit, .base = s->gdt.base },
		.idt = { .limit = s->idt.limit, .base = s->idt.base },
		.cr = { s->cr0, 0, s->cr2, s->cr3, s->cr4 },
		.kernel_gs_base = cpu->kernel_gs_base,
	};

	return put_note(to, "QEMU", 0, &note, sizeof(note));
}

static size_t notes_size(const struct core *core, const struct vmcoreinfo *info)
{
	size_t size = core->ncpus * (note_size(sizeof("CORE"), sizeof(struct elf_prstatus)) +
				     note_size(sizeof("QEMU"), sizeof(struct qemu_cpu)));

	return info->text ? size + note_size(sizeof("VMCOREINFO"), info->len) : size;
}

static void put_notes(char *to, const struct core *core, const struct vmcoreinfo *info)
{
	/* crash takes the first NT_PRSTATUS for the first processor, and so on. */
	for (unsigned int i = 0; i < core->ncpus; i++)
		to = put_prstatus(to, &core->cpu[i], i);
	for (unsigned int i = 0; i < core->ncpus; i++)
		to = put_qemu(to, &core->cpu[i]);
	if (info->text)
		put_note(to, "VMCOREINFO", 0, info->text, info->len);
}

/* ---- segments ---- */

static Elf64_Phdr load(uint64_t virt, uint64_t phys, uint64_t size, uint64_t offset)
{
	return (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_offset = offset,
		.p_vaddr = virt,
		.p_paddr = phys,
		.p_filesz = size,
		.p_memsz = size,
	};
}

/* Where a region's memory is in the file. */
static uint64_t region_offset(const struct gmem *mem, unsigned int region, uint64_t data)
{
	for (unsigned int i = 0; i < region; i++)
		data += mem->region[i].size;
	return data;
}

static void put_segments(struct head *head, const struct core *core, const struct vmcoreinfo *info,
			 size_t notes, uint64_t data)
{
	const struct gmem *mem = core->mem;
	struct vmcoreinfo_map map;
	unsigned int n = 0;

	vmcoreinfo_map(info, mem, &map);
	head->phdr[n++] = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_offset = offsetof(struct head, note),
		.p_filesz = notes,
		.p_memsz = notes,
	};
	/* The same bytes of the file as RAM's; so gdb finds what its symbols say without help. */
	for (unsigned int i = 0; i < mem->nregions && map.text; i++) {
		uint64_t at = map.text_phys - mem->region[i].gpa;

		if (at < mem->region[i].size)
			head->phdr[n++] = load(map.text, map.text_phys, map.text_size,
					       region_offset(mem, i, data) + at);
	}
	for (unsigned int i = 0; i < mem->nregions; i++) {
		uint64_t gpa = mem->region[i].gpa;

		head->phdr[n++] = load(map.direct_map + gpa, gpa, mem->region[i].size,
				       region_offset(mem, i, data));
	}
	head->ehdr = (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = offsetof(struct head, phdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (Elf64_Half)n,
	};
}

/* ---- memory ---- */

static bool is_zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, PAGE - 1);
}

/* Pages from here on that are all zeros, or that all are not: at most a chunk of them. */
static uint64_t run_of(const uint8_t *p, uint64_t left, bool *zero)
{
	uint64_t len = PAGE;

	*zero = is_zero(p);
	while (len < left && len < CHUNK && is_zero(p + len) == *zero)
		len += PAGE;
	return len;
}

static int write_memory(int fd, const struct core *core, uint64_t offset, uint64_t total)
{
	uint64_t done = 0;

	for (unsigned int i = 0; i < core->mem->nregions; i++) {
		const struct gmem_region *region = &core->mem->region[i];
		uint64_t len;

		for (uint64_t at = 0; at < region->size; at += len, done += len) {
			bool zero;
			int err;

			len = run_of(region->host + at, region->size - at, &zero);
			err = zero ? 0 : write_all(fd, region->host + at, len, offset + done);
			if (err)
				return err;
			if (core->go_on && !core->go_on(core->arg, done + len, total))
				return -EINTR;
		}
	}
	return 0;
}

int core_write(int fd, const struct core *core)
{
	uint64_t total = region_offset(core->mem, core->mem->nregions, 0), data;
	struct vmcoreinfo info;
	struct head *head;
	size_t notes, size;
	int err;

	vmcoreinfo_copy(&info, core->mem, core->vmcoreinfo_gpa, core->vmcoreinfo_size);
	notes = notes_size(core, &info);
	size = offsetof(struct head, note) + notes;
	data = (size + PAGE - 1) & -PAGE;
	head = calloc(1, size);
	if (!head) {
		vmcoreinfo_free(&info);
		return -ENOMEM;
	}
	put_notes(head->note, core, &info);
	put_segments(head, core, &info, notes, data);
	vmcoreinfo_free(&info);

	err = ftruncate(fd, (off_t)(data + total)) ? -errno : write_memory(fd, core, data, total);
	if (!err)
		err = write_all(fd, (char *)head + sizeof(head->ehdr), size - sizeof(head->ehdr),
				sizeof(head->ehdr));
	if (!err)
		err = write_all(fd, &head->ehdr, sizeof(head->ehdr), 0);
	free(head);
	return err;
}
