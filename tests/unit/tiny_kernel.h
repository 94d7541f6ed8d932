/* SPDX-License-Identifier: MIT */
/* A file that is taken for a kernel: an ELF with an entry point and a banner. */
#ifndef TESTS_UNIT_TINY_KERNEL_H
#define TESTS_UNIT_TINY_KERNEL_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct tiny_kernel {
	Elf64_Ehdr elf;
	Elf64_Phdr segment;
	char text[4096]; /* all that is loaded: the banner, then whatever a test puts there */
};

static inline void tiny_kernel(struct tiny_kernel *k, const char *release)
{
	*k = (struct tiny_kernel){
		.elf = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_entry = 0x1000000,
			.e_phoff = offsetof(struct tiny_kernel, segment),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1,
		},
		.segment = {
			.p_type = PT_LOAD,
			.p_offset = offsetof(struct tiny_kernel, text),
			.p_paddr = 0x1000000,
			.p_filesz = sizeof(k->text),
			.p_memsz = sizeof(k->text),
		},
	};
	strcpy(k->text, "Linux version ");
	strcat(k->text, release);
}

#endif
