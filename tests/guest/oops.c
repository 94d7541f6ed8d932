// SPDX-License-Identifier: MIT
/*
 * Makes the kernel report trouble, with a module whose init function begins with a call of ftrace's, as most
 * do:
 *
 *   oops MODULE        behind the call is an instruction that there is none: an oops, which this program dies of
 *   oops MODULE warn   the call is none: a warning of ftrace's, and the module is loaded
 *
 * Exit status: 0, or 1 with a sentence.
 */
#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What ends a signed module; without it, the kernel takes the signature for no part of it. */
#define SIGNED "~Module signature appended~\n"

#define CALL 0xe8
#define CALL_SIZE 5
#define MOV_EAX 0xb8 /* an instruction of the same form and size */

static void spoil(unsigned char *code, int warn)
{
	static const unsigned char ud2[] = { 0x0f, 0x0b };

	if (*code != CALL)
		errx(1, "the module's init function does not begin with a call");
	if (warn)
		*code = MOV_EAX;
	else
		memcpy(code + CALL_SIZE, ud2, sizeof(ud2));
}

int main(int argc, char **argv)
{
	const char *names;
	Elf64_Shdr *section;
	Elf64_Ehdr *elf;
	struct stat st;
	size_t size;
	int fd;

	if (argc < 2 || (fd = open(argv[1], O_RDONLY)) < 0 || fstat(fd, &st))
		err(1, "%s", argc < 2 ? "oops MODULE" : argv[1]);
	size = (size_t)st.st_size;
	elf = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (elf == MAP_FAILED)
		err(1, "%s", argv[1]);
	section = (Elf64_Shdr *)((char *)elf + elf->e_shoff);
	for (int i = 0; i < elf->e_shnum; i++) {
		Elf64_Sym *symbol = (Elf64_Sym *)((char *)elf + section[i].sh_offset);

		if (section[i].sh_type != SHT_SYMTAB)
			continue;
		names = (char *)elf + section[section[i].sh_link].sh_offset;
		for (size_t n = section[i].sh_size / sizeof(*symbol); n--; symbol++)
			if (!strcmp(names + symbol->st_name, "init_module"))
				spoil((unsigned char *)elf + section[symbol->st_shndx].sh_offset +
					      symbol->st_value,
				      argc > 2);
	}
	if (size > strlen(SIGNED) && !memcmp((char *)elf + size - strlen(SIGNED), SIGNED, strlen(SIGNED)))
		size -= strlen(SIGNED);
	if (syscall(SYS_init_module, elf, size, ""))
		err(1, "the kernel does not load %s", argv[1]);
	return 0;
}
