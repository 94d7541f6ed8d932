// SPDX-License-Identifier: MIT
/* The core of a made-up machine: what is in the file, and what a hostile guest can put there. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vmm/core.h"
#include "vmm/vmcoreinfo.h"

#define MIB  (1ull << 20)
#define LOW  (16 * MIB)
#define HIGH (4 * MIB)
#define HIGH_GPA (4096 * MIB)

/* Where the made-up kernel is: its text 2 MiB above where it was linked, as KASLR does it. */
#define TEXT	   0xffffffff81200000ull
#define PHYS_BASE  0x00200000ll
#define DIRECT_MAP 0xffff9a4000000000ull
#define TABLES	   0x00800000ull /* guest-physical: PML4, PDPT, PD for low, PD for high */
#define NOTE	   0x00900000ull

static const char text[] = "OSRELEASE=6.1.0\n"
			   "PAGESIZE=4096\n"
			   "SYMBOL(swapper_pg_dir)=ffffffff80600000\n"
			   "SYMBOL(_stext)=ffffffff80200000\n"
			   "NUMBER(phys_base)=2097152\n"
			   "KERNELOFFSET=200000\n"
			   "NUMBER(KERNEL_IMAGE_SIZE)=1073741824\n"
			   "NUMBER(pgtable_l5_enabled)=0\n";

FIXTURE(core)
{
	struct gmem mem;
	struct core_cpu cpu[2];
	struct core core;
	char path[64];
	int fd;
	uint64_t last;
	bool stop;
	uint8_t *file;
	size_t size;
};

static void put64(struct gmem *mem, uint64_t gpa, uint64_t value)
{
	memcpy(gmem_slice(mem, gpa, 8), &value, 8);
}

static void put_note_at(struct gmem *mem, uint64_t gpa, uint32_t len, const char *desc)
{
	uint8_t *at = gmem_slice(mem, gpa, 24);
	const Elf64_Nhdr head = { .n_namesz = 11, .n_descsz = len, .n_type = 0 };

	memcpy(at, &head, sizeof(head));
	memcpy(at + 12, "VMCOREINFO\0", 12);
	if (desc && gmem_slice(mem, gpa + 24, len))
		memcpy(gmem_slice(mem, gpa + 24, len), desc, len);
}

/* PML4 entry 308 and PDPT entry 256 on: the direct map of both regions in pages of 2 MiB. */
static void put_tables(struct gmem *mem)
{
	unsigned int pml4 = DIRECT_MAP >> 39 & 511, pdpt = DIRECT_MAP >> 30 & 511;

	put64(mem, TABLES + 8 * pml4, (TABLES + 0x1000) | 3);
	put64(mem, TABLES + 0x1000 + 8 * pdpt, (TABLES + 0x2000) | 3);
	put64(mem, TABLES + 0x1000 + 8 * (pdpt + 4), (TABLES + 0x3000) | 3);
	for (unsigned int i = 0; i < LOW / (2 * MIB); i++)
		put64(mem, TABLES + 0x2000 + 8 * i, i * 2 * MIB | 0x83);
	for (unsigned int i = 0; i < HIGH / (2 * MIB); i++)
		put64(mem, TABLES + 0x3000 + 8 * i, (HIGH_GPA + i * 2 * MIB) | 0x83);
}

static bool go_on(void *arg, uint64_t done, uint64_t total)
{
	FIXTURE_DATA(core) *self = arg;

	if (done < self->last || done > total)
		abort();
	self->last = done;
	return !self->stop;
}

FIXTURE_SETUP(core)
{
	struct why why;
	uint64_t root = 0xffffffff80600000ull - 0xffffffff80000000ull + PHYS_BASE;

	ASSERT_EQ(root, TABLES);
	self->mem = (struct gmem){
		.region = { { .gpa = 0, .size = LOW }, { .gpa = HIGH_GPA, .size = HIGH } },
		.nregions = 2,
	};
	for (int i = 0; i < 2; i++) {
		self->mem.region[i].host = mmap(NULL, self->mem.region[i].size,
						PROT_READ | PROT_WRITE,
						MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(self->mem.region[i].host, MAP_FAILED);
	}
	memset(self->cpu, 0, sizeof(self->cpu));
	self->core = (struct core){
		.mem = &self->mem,
		.cpu = self->cpu,
		.ncpus = 2,
		.go_on = go_on,
		.arg = self,
	};
	strcpy(self->path, "/tmp/ninepin-core.XXXXXX");
	self->fd = mkstemp(self->path);
	ASSERT_GE(self->fd, 0);
	close(self->fd);
	self->fd = core_open(self->path, &why);
	ASSERT_GE(self->fd, 0);
	self->file = MAP_FAILED;
}

FIXTURE_TEARDOWN(core)
{
	if (self->file != MAP_FAILED)
		munmap(self->file, self->size);
	close(self->fd);
	unlink(self->path);
	munmap(self->mem.region[0].host, LOW);
	munmap(self->mem.region[1].host, HIGH);
}

/* Maps what was written; NULL if its header is not there. */
static const Elf64_Ehdr *map_file(FIXTURE_DATA(core) *self)
{
	struct stat st;
	int fd = open(self->path, O_RDONLY);

	fstat(fd, &st);
	self->size = st.st_size;
	self->file = mmap(NULL, self->size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return self->file == MAP_FAILED || memcmp(self->file, ELFMAG, SELFMAG) ? NULL : (void *)self->file;
}

static const Elf64_Phdr *phdr(FIXTURE_DATA(core) *self, unsigned int i)
{
	const Elf64_Ehdr *ehdr = (void *)self->file;

	return (const Elf64_Phdr *)(self->file + ehdr->e_phoff) + i;
}

/* The n-th note of this name; NULL if there is none. */
static const uint8_t *note(FIXTURE_DATA(core) *self, const char *name, unsigned int n, uint32_t *len)
{
	const Elf64_Phdr *notes = phdr(self, 0);
	const uint8_t *p = self->file + notes->p_offset, *end = p + notes->p_filesz;

	while (p < end) {
		const Elf64_Nhdr *head = (const void *)p;
		const uint8_t *desc = p + sizeof(*head) + ((head->n_namesz + 3) & ~3u);

		if (!strcmp((const char *)(head + 1), name) && n-- == 0) {
			*len = head->n_descsz;
			return desc;
		}
		p = desc + ((head->n_descsz + 3) & ~3u);
	}
	return NULL;
}

TEST_F(core, memory_is_where_the_headers_say)
{
	const Elf64_Ehdr *ehdr;
	struct stat st;

	memcpy(gmem_slice(&self->mem, 5 * MIB + 123, 5), "hello", 5);
	memcpy(gmem_slice(&self->mem, HIGH_GPA + HIGH - 3, 3), "end", 3);
	ASSERT_EQ(core_write(self->fd, &self->core), 0);
	ehdr = map_file(self);
	ASSERT_NE(ehdr, NULL);
	EXPECT_EQ(ehdr->e_type, ET_CORE);
	EXPECT_EQ(ehdr->e_machine, EM_X86_64);
	EXPECT_EQ(ehdr->e_ident[EI_CLASS], ELFCLASS64);
	ASSERT_EQ(ehdr->e_phnum, 3);
	EXPECT_EQ(phdr(self, 0)->p_type, PT_NOTE);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(phdr(self, 1 + i)->p_type, PT_LOAD);
		EXPECT_EQ(phdr(self, 1 + i)->p_paddr, self->mem.region[i].gpa);
		/* Nobody said where the guest has it. */
		EXPECT_EQ(phdr(self, 1 + i)->p_vaddr, self->mem.region[i].gpa);
		EXPECT_EQ(phdr(self, 1 + i)->p_filesz, self->mem.region[i].size);
		EXPECT_EQ(phdr(self, 1 + i)->p_memsz, self->mem.region[i].size);
		ASSERT_EQ(memcmp(self->file + phdr(self, 1 + i)->p_offset, self->mem.region[i].host,
				 self->mem.region[i].size), 0);
	}
	EXPECT_EQ(self->last, LOW + HIGH);
	/* Two pages and the head are not holes. */
	ASSERT_EQ(fstat(self->fd, &st), 0);
	EXPECT_GE(st.st_size, LOW + HIGH);
	EXPECT_LE(st.st_blocks, 64 * 2);
}

TEST_F(core, registers_are_in_both_kinds_of_notes)
{
	const struct elf_prstatus *status;
	const uint8_t *qemu;
	uint64_t value;
	uint32_t len;

	self->cpu[1].regs.rip = 0x1111;
	self->cpu[1].regs.rsp = 0x2222;
	self->cpu[1].regs.rax = 0x3333;
	self->cpu[1].sregs.gs.base = 0x4444;
	self->cpu[1].sregs.cs.selector = 0x10;
	self->cpu[1].sregs.idt.base = 0x5555;
	self->cpu[1].sregs.cr3 = 0x6666;
	self->cpu[1].kernel_gs_base = 0x7777;
	ASSERT_EQ(core_write(self->fd, &self->core), 0);
	ASSERT_NE(map_file(self), NULL);

	status = (const void *)note(self, "CORE", 1, &len);
	ASSERT_NE(status, NULL);
	EXPECT_EQ(len, 336);
	EXPECT_EQ(status->pr_pid, 2);
	EXPECT_EQ(status->pr_reg[16], 0x1111);
	EXPECT_EQ(status->pr_reg[17], 0x10);
	EXPECT_EQ(status->pr_reg[19], 0x2222);
	EXPECT_EQ(status->pr_reg[10], 0x3333);
	EXPECT_EQ(status->pr_reg[22], 0x4444);
	EXPECT_EQ(note(self, "CORE", 2, &len), NULL);

	qemu = note(self, "QEMU", 1, &len);
	ASSERT_NE(qemu, NULL);
	ASSERT_EQ(len, 440);
	EXPECT_EQ(*(const uint32_t *)qemu, 1);
	EXPECT_EQ(*(const uint32_t *)(qemu + 4), 440);
	memcpy(&value, qemu + 8 + 16 * 8, 8);
	EXPECT_EQ(value, 0x1111);
	memcpy(&value, qemu + 8 + 18 * 8 + 9 * 24 + 16, 8);
	EXPECT_EQ(value, 0x5555);
	memcpy(&value, qemu + 8 + 18 * 8 + 10 * 24 + 3 * 8, 8);
	EXPECT_EQ(value, 0x6666);
	memcpy(&value, qemu + 432, 8);
	EXPECT_EQ(value, 0x7777);
	EXPECT_EQ(note(self, "VMCOREINFO", 0, &len), NULL);
}

static void expect_vmcoreinfo(struct __test_metadata *_metadata, FIXTURE_DATA(core) *self)
{
	const uint8_t *desc;
	uint32_t len;

	put_tables(&self->mem);
	ASSERT_EQ(core_write(self->fd, &self->core), 0);
	ASSERT_NE(map_file(self), NULL);
	desc = note(self, "VMCOREINFO", 0, &len);
	ASSERT_NE(desc, NULL);
	ASSERT_EQ(len, strlen(text));
	EXPECT_EQ(memcmp(desc, text, len), 0);

	/* The kernel's text, and both regions where the guest has mapped them. */
	ASSERT_EQ(((const Elf64_Ehdr *)self->file)->e_phnum, 4);
	EXPECT_EQ(phdr(self, 1)->p_vaddr, 0xffffffff80200000ull);
	EXPECT_EQ(phdr(self, 1)->p_paddr, 4 * MIB);
	EXPECT_EQ(phdr(self, 1)->p_filesz, LOW - 4 * MIB);
	EXPECT_EQ(phdr(self, 1)->p_offset, phdr(self, 2)->p_offset + 4 * MIB);
	EXPECT_EQ(phdr(self, 2)->p_vaddr, DIRECT_MAP);
	EXPECT_EQ(phdr(self, 3)->p_vaddr, DIRECT_MAP + HIGH_GPA);
}

TEST_F(core, vmcoreinfo_where_the_guest_said)
{
	put_note_at(&self->mem, NOTE + 8, strlen(text), text);
	self->core.vmcoreinfo_gpa = NOTE + 8;
	self->core.vmcoreinfo_size = 4096 + 24;
	expect_vmcoreinfo(_metadata, self);
}

TEST_F(core, vmcoreinfo_is_found_if_the_guest_did_not_say)
{
	/* A header without the rest, on a page before. */
	put_note_at(&self->mem, NOTE - 4096, 8, "nothing\n");
	put_note_at(&self->mem, NOTE, strlen(text), text);
	expect_vmcoreinfo(_metadata, self);
}

TEST_F(core, vmcoreinfo_of_a_hostile_guest)
{
	static const struct {
		uint64_t gpa, size;
		uint32_t len;
	} wild[] = {
		{ LOW - 24, 4096, 100 },       /* its text is beyond the memory */
		{ NOTE, 30, 100 },	       /* longer than was said */
		{ NOTE, UINT64_MAX, 0x7fffffff },
		{ NOTE, UINT64_MAX, UINT32_MAX },
		{ NOTE, UINT64_MAX, 0 },
	};

	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		struct vmcoreinfo info;

		put_note_at(&self->mem, wild[i].gpa, wild[i].len, NULL);
		EXPECT_FALSE(vmcoreinfo_copy(&info, &self->mem, wild[i].gpa, wild[i].size));
		EXPECT_EQ(info.text, NULL);
	}
	for (uint64_t gpa = UINT64_MAX - 30; gpa; gpa++) {
		struct vmcoreinfo info;

		EXPECT_FALSE(vmcoreinfo_copy(&info, &self->mem, gpa, UINT64_MAX));
	}
}

TEST_F(core, numbers_of_a_hostile_guest)
{
	static const char *const lines[] = {
		"SYMBOL(_stext)=0\nNUMBER(phys_base)=0\nNUMBER(KERNEL_IMAGE_SIZE)=1073741824\n",
		"SYMBOL(_stext)=ffffffff80200000\nNUMBER(phys_base)=17592186044416\n"
		"NUMBER(KERNEL_IMAGE_SIZE)=1073741824\n",
		"SYMBOL(_stext)=ffffffff80200000\nNUMBER(phys_base)=-9223372036854775808\n"
		"NUMBER(KERNEL_IMAGE_SIZE)=1073741824\n",
		"SYMBOL(_stext)=ffffffff80200000\nNUMBER(phys_base)=123\n"
		"NUMBER(KERNEL_IMAGE_SIZE)=18446744073709551615\n",
		"SYMBOL(_stext)=ffffffff80200000\nNUMBER(phys_base)=0\nNUMBER(KERNEL_IMAGE_SIZE)=1",
		"SYMBOL(_stext)=\nNUMBER(phys_base)\nNUMBER(KERNEL_IMAGE_SIZE)=x\n",
		"\n\n\n=\n",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct vmcoreinfo info = { .text = (char *)lines[i], .len = strlen(lines[i]) };
		struct vmcoreinfo_map map;

		vmcoreinfo_map(&info, &self->mem, &map);
		EXPECT_EQ(map.text, 0) TH_LOG("case %zu", i);
		EXPECT_EQ(map.direct_map, 0);
	}
}

/* Tables that lead out of memory, to themselves, or to a map of something else. */
TEST_F(core, page_tables_of_a_hostile_guest)
{
	unsigned int seed = 1;

	put_note_at(&self->mem, NOTE, strlen(text), text);
	for (int round = 0; round < 2000; round++) {
		struct vmcoreinfo info = { .text = (char *)text, .len = strlen(text) };
		struct vmcoreinfo_map map;

		put_tables(&self->mem);
		for (int i = 0; i < 40; i++) {
			uint64_t value = (uint64_t)rand_r(&seed) << 32 | rand_r(&seed);

			if (i & 1)
				value = (TABLES + (value & 0x7000)) | 3;
			put64(&self->mem, TABLES + 2048 + (rand_r(&seed) % (0x4000 - 2048) & ~7u), value);
		}
		vmcoreinfo_map(&info, &self->mem, &map);
		EXPECT_EQ(map.text, 0xffffffff80200000ull);
		EXPECT_EQ(map.direct_map % (1ull << 30), 0);
		memset(gmem_slice(&self->mem, TABLES, 0x4000), 0, 0x4000);
	}
}

TEST_F(core, half_a_core_is_none)
{
	struct rlimit limit = { .rlim_cur = 6 * MIB, .rlim_max = RLIM_INFINITY };

	memset(self->mem.region[0].host, 'x', LOW);
	self->stop = true;
	EXPECT_EQ(core_write(self->fd, &self->core), -EINTR);
	EXPECT_EQ(map_file(self), NULL);

	signal(SIGXFSZ, SIG_IGN);
	self->stop = false;
	ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 6 * MIB;
	ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	EXPECT_EQ(core_write(self->fd, &self->core), -EFBIG);
}

TEST_F(core, no_older_core_is_left)
{
	struct why why;
	struct stat st;
	int fd;

	ASSERT_EQ(core_write(self->fd, &self->core), 0);
	ASSERT_EQ(chmod(self->path, 0644), 0);
	fd = core_open(self->path, &why);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(stat(self->path, &st), 0);
	EXPECT_EQ(st.st_size, 0);
	EXPECT_EQ(st.st_mode & 0777, 0600);
	core_remove(fd, self->path);
	EXPECT_EQ(access(self->path, F_OK), -1);
	close(fd);

	/* It is another file by now. */
	fd = core_open(self->path, &why);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(unlink(self->path), 0);
	close(open(self->path, O_CREAT | O_WRONLY, 0600));
	core_remove(fd, self->path);
	EXPECT_EQ(access(self->path, F_OK), 0);
	close(fd);
}

TEST(what_cannot_be_a_core)
{
	struct why why;

	EXPECT_EQ(core_open("/no/such/folder/core", &why), -ENOENT);
	EXPECT_NE(strstr(why.text, "/no/such/folder/core"), NULL);
	EXPECT_EQ(core_open("/dev/null", &why), -EINVAL);
	EXPECT_NE(strstr(why.text, "not a plain file"), NULL);
}

TEST_HARNESS_MAIN
