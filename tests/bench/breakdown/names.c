// SPDX-License-Identifier: MIT
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/breakdown/names.h"

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "breakdown: ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static struct symbol *add(struct names *names)
{
	if (!(names->n & (names->n - 1))) {
		struct symbol *more =
			reallocarray(names->symbol, names->n ? names->n * 2 : 1, sizeof(*more));

		if (!more)
			die("there is no memory left");
		names->symbol = more;
	}
	names->symbol[names->n] = (struct symbol){0};
	return &names->symbol[names->n++];
}

static size_t underscores(const struct symbol *symbol)
{
	return strspn(symbol->name, "_");
}

/* By address; where several are at one address, the plainest name comes first. */
static int compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (underscores(x) != underscores(y))
		return underscores(x) < underscores(y) ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Sorts, and leaves one name for each address. */
static void finish(struct names *names, const char *path)
{
	size_t n = 0;

	if (!names->n)
		die("%s has no names of functions", path);
	qsort(names->symbol, names->n, sizeof(names->symbol[0]), compare);
	for (size_t i = 0; i < names->n; i++) {
		if (!n || names->symbol[n - 1].addr != names->symbol[i].addr)
			names->symbol[n++] = names->symbol[i];
	}
	names->n = n;
	names->unknown = (struct symbol){.name = "?", .part = "other"};
}

struct symbol *names_find(struct names *names, uint64_t addr)
{
	size_t low = 0, high = names->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (names->symbol[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || (names->symbol[low - 1].end && addr >= names->symbol[low - 1].end))
		return &names->unknown;
	return &names->symbol[low - 1];
}

/* ---- kernels ---- */

void names_read_kallsyms(struct names *names, const char *path)
{
	FILE *in = fopen(path, "re");
	char name[512], module[128];
	char *line = NULL;
	size_t size = 0;
	uint64_t addr;
	char type;

	if (!in)
		die("%s: %s", path, strerror(errno));
	while (getline(&line, &size, in) > 0) {
		int words = sscanf(line, "%lx %c %511s [%127[^]]]", &addr, &type, name, module);
		struct symbol *symbol;

		if (words < 3 || !strchr("tTwW", type))
			continue;
		if (!addr)
			die("%s hides the addresses: it is to be read by root", path);
		symbol = add(names);
		symbol->addr = addr;
		symbol->name = strdup(name);
		symbol->module = words == 4;
		symbol->part = words == 4 ? strdup(module) : family_of(name);
		if (!symbol->name || !symbol->part)
			die("there is no memory left");
	}
	free(line);
	fclose(in);
	finish(names, path);
}

/* ---- programs ---- */

struct room {
	char name[32];
	char *function;
};

static int compare_rooms(const void *a, const void *b)
{
	return strcmp(((const struct room *)a)->function, ((const struct room *)b)->function);
}

static struct room *read_rooms(const char *path, size_t *n)
{
	FILE *in = fopen(path, "re");
	struct room *rooms = NULL;
	char name[32], function[512];

	if (!in)
		die("%s: %s", path, strerror(errno));
	*n = 0;
	while (fscanf(in, "%31s %511s", name, function) == 2) {
		rooms = reallocarray(rooms, *n + 1, sizeof(*rooms));
		if (!rooms)
			die("there is no memory left");
		memcpy(rooms[*n].name, name, sizeof(name));
		rooms[*n].function = strdup(function);
		if (!rooms[(*n)++].function)
			die("there is no memory left");
	}
	fclose(in);
	if (*n)
		qsort(rooms, *n, sizeof(*rooms), compare_rooms);
	return rooms;
}

/* A part of the file, or the end of the process. */
static const void *piece(const struct names *names, const char *path, uint64_t offset,
			 uint64_t size)
{
	if (offset > names->size || size > names->size - offset)
		die("%s is not a whole ELF file", path);
	return names->image + offset;
}

void names_read_elf(struct names *names, const char *path, const char *rooms)
{
	const Elf64_Ehdr *header;
	const Elf64_Shdr *section;
	struct room *room = NULL;
	struct stat st;
	size_t nrooms = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		die("%s: %s", path, strerror(errno));
	names->size = (size_t)st.st_size;
	names->image = mmap(NULL, names->size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (names->image == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	if (rooms)
		room = read_rooms(rooms, &nrooms);

	header = piece(names, path, 0, sizeof(*header));
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) || header->e_type != ET_EXEC)
		die("%s is not a program that is always at the same addresses", path);
	section = piece(names, path, header->e_shoff, header->e_shnum * sizeof(*section));
	for (int i = 0; i < header->e_shnum; i++) {
		const Elf64_Sym *sym;
		const char *text;

		if (section[i].sh_type != SHT_SYMTAB)
			continue;
		sym = piece(names, path, section[i].sh_offset, section[i].sh_size);
		text = piece(names, path, section[section[i].sh_link].sh_offset, 1);
		for (size_t k = 0; k < section[i].sh_size / sizeof(*sym); k++) {
			const struct room *found = NULL;
			struct symbol *symbol;
			struct room key = {"", (char *)text + sym[k].st_name};

			if (ELF64_ST_TYPE(sym[k].st_info) != STT_FUNC || !sym[k].st_value)
				continue;
			if (nrooms)
				found = bsearch(&key, room, nrooms, sizeof(*room), compare_rooms);
			symbol = add(names);
			symbol->addr = sym[k].st_value;
			/* Assembly may not say how long a function is. */
			symbol->end = sym[k].st_size ? sym[k].st_value + sym[k].st_size : 0;
			symbol->name = key.function;
			symbol->part = found ? found->name : rooms ? "libraries" : "";
		}
	}
	finish(names, path);
}

bool names_has_code(const struct names *names, uint64_t addr, const unsigned char *bytes, size_t n)
{
	const Elf64_Ehdr *header = (const void *)names->image;
	const Elf64_Phdr *load = (const void *)(names->image + header->e_phoff);

	for (int i = 0; i < header->e_phnum; i++) {
		if (load[i].p_type == PT_LOAD && addr >= load[i].p_vaddr &&
		    addr - load[i].p_vaddr + n <= load[i].p_filesz &&
		    load[i].p_offset + load[i].p_filesz <= names->size)
			return !memcmp(names->image + load[i].p_offset + (addr - load[i].p_vaddr),
				       bytes, n);
	}
	return false;
}
