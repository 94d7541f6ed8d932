// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/breakdown/counts.h"
#include "tests/bench/breakdown/names.h"

#define MAX_IOS	    8
#define KERNEL_HALF (1ull << 63)

/* Code of other programs is told by its bytes: they share addresses. */
static struct names host, ninepin, program;
static struct symbol others = {.name = "?", .part = ""};
static struct symbol guest_others = {.name = "?", .part = "other programs"};

/* A guest for each IO, for its modules may be in other places. */
static struct {
	char io[16];
	struct names names;
} guests[MAX_IOS];

/* Where, in the stretch that is read, other programs than ninepin were in the host. */
static uint64_t *other_addr;
static size_t nother_addrs;

uint64_t row_insns(const struct row *row)
{
	uint64_t sum = 0;

	for (int i = 0; i < NPLACES; i++)
		sum += row->insns[i];
	return sum;
}

static struct row *find_row(struct rows *rows, enum place place, const char *part, const char *name)
{
	struct row *row;

	for (size_t i = 0; i < rows->n; i++) {
		row = &rows->row[i];
		if (row->place == place && !strcmp(row->name, name) && !strcmp(row->part, part))
			return row;
	}
	rows->row = reallocarray(rows->row, rows->n + 1, sizeof(*row));
	if (!rows->row)
		die("there is no memory left");
	row = &rows->row[rows->n++];
	*row = (struct row){.place = place, .part = part};
	snprintf(row->name, sizeof(row->name), "%s", name);
	return row;
}

/* ---- whose an address is ---- */

static struct names *guest_names(const struct stretch *s)
{
	for (size_t i = 0; i < MAX_IOS; i++) {
		if (!strcmp(guests[i].io, s->io))
			return &guests[i].names;
	}
	die("a stretch of io=%s was counted in a guest, and it has none", s->io);
}

static bool in_host(const struct stretch *s)
{
	return !strcmp(s->io, "none");
}

static enum place host_place(const struct symbol *symbol)
{
	return symbol->module && !strncmp(symbol->part, "kvm", 3) ? KVM : HOST_KERNEL;
}

/* Of the host, without a look at the bytes. */
static struct symbol *host_symbol(const struct stretch *s, uint64_t addr, enum place *place)
{
	if (addr >= KERNEL_HALF) {
		struct symbol *symbol = names_find(&host, addr);

		*place = host_place(symbol);
		return symbol;
	}
	for (size_t i = 0; i < nother_addrs; i++) {
		if (other_addr[i] == addr) {
			*place = HOST_OTHER;
			return &others;
		}
	}
	*place = in_host(s) ? HOST_OTHER : NINEPIN;
	return names_find(in_host(s) ? &program : &ninepin, addr);
}

static struct symbol *symbol_of(const struct stretch *s, bool guest, uint64_t addr,
				const unsigned char *bytes, size_t n)
{
	if (addr >= KERNEL_HALF)
		return names_find(guest ? guest_names(s) : &host, addr);
	if (guest == !in_host(s) && names_has_code(&program, addr, bytes, n))
		return names_find(&program, addr);
	if (guest)
		return &guest_others;
	return names_has_code(&ninepin, addr, bytes, n) ? names_find(&ninepin, addr) : &others;
}

/* ---- the lines of a stretch ---- */

static size_t read_hex(unsigned char *bytes, size_t max, const char *hex)
{
	unsigned int byte;
	size_t n = 0;

	while (n < max && sscanf(hex + 2 * n, "%2x", &byte) == 1)
		bytes[n++] = (unsigned char)byte;
	return n;
}

static void read_insn(struct stretch *s, const char *line)
{
	char whose, hex[32] = "";
	unsigned char bytes[15];
	uint64_t addr, count;
	struct symbol *symbol;
	int words = sscanf(line, "i %c %" SCNx64 " %" SCNu64 " %31s", &whose, &addr, &count, hex);

	if (words < 3 || (addr < KERNEL_HALF && words < 4))
		die("the counts have a line that is none: %s", line);
	symbol = symbol_of(s, whose == 'g', addr, bytes, read_hex(bytes, sizeof(bytes), hex));
	symbol->insns += count;
	if (addr == symbol->addr)
		symbol->entries += count;
	s->insns += count;
	if (addr < KERNEL_HALF && whose == 'h' && symbol == &others) {
		other_addr = reallocarray(other_addr, nother_addrs + 1, sizeof(*other_addr));
		if (!other_addr)
			die("there is no memory left");
		other_addr[nother_addrs++] = addr;
	}
}

static struct row *exit_row(struct stretch *s, uint64_t addr)
{
	struct symbol *symbol =
		addr < KERNEL_HALF ? names_find(&program, addr) : names_find(guest_names(s), addr);
	char name[128];

	snprintf(name, sizeof(name), "%s+0x%" PRIx64, symbol->name, addr - symbol->addr);
	return find_row(&s->exits, 0, "", name);
}

/* A system call: the function that made it, and where that is a library's, who called it. */
static struct row *syscall_row(struct stretch *s, uint64_t call, uint64_t caller)
{
	const struct symbol *from, *by;
	enum place place;
	char name[128];

	if (!call)
		return find_row(&s->syscalls, 0, "", "(interrupts and faults)");
	from = host_symbol(s, call, &place);
	by = host_symbol(s, caller, &place);
	if (by == from || !strcmp(by->part, "libraries") || place != NINEPIN)
		snprintf(name, sizeof(name), "%s", from->name);
	else
		snprintf(name, sizeof(name), "%s in %s", from->name, by->name);
	return find_row(&s->syscalls, 0, "", name);
}

static void read_context(struct stretch *s, const char *line)
{
	uint64_t addr, n, count, vmexit, call, caller;
	struct symbol *symbol;
	enum place place;
	struct row *row;

	if (sscanf(line, "c %" SCNx64 " %" SCNu64 " %" SCNu64 " %" SCNx64 " %" SCNx64 " %" SCNx64,
		   &addr, &n, &count, &vmexit, &call, &caller) != 6)
		die("the counts have a line that is none: %s", line);
	symbol = host_symbol(s, addr, &place);
	if (vmexit && !in_host(s))
		exit_row(s, vmexit)->insns[place] += n * count;
	if (addr < KERNEL_HALF)
		return;
	row = syscall_row(s, call, caller);
	row->insns[place] += n * count;
	if (addr == symbol->addr && !strcmp(symbol->name, "entry_SYSCALL_64"))
		row->count += count;
}

static void read_exit(struct stretch *s, const char *line)
{
	uint64_t addr, count;

	if (sscanf(line, "x %" SCNx64 " %" SCNu64, &addr, &count) != 2)
		die("the counts have a line that is none: %s", line);
	exit_row(s, addr)->count += count;
}

/* ---- the end of a stretch ---- */

static void collect_symbol(struct stretch *s, struct symbol *symbol, enum place place)
{
	struct row *row;

	if (!symbol->insns)
		return;
	/* Two functions may have one name. */
	row = find_row(&s->functions, place, symbol->part, symbol->name);
	row->insns[place] += symbol->insns;
	row->count += symbol->entries;
	row = find_row(&s->parts, place, symbol->part, symbol->module ? "module" : "");
	row->insns[place] += symbol->insns;
	symbol->insns = symbol->entries = 0;
}

static void collect(struct stretch *s, struct names *names, enum place place)
{
	for (size_t i = 0; i <= names->n; i++) {
		struct symbol *symbol = i < names->n ? &names->symbol[i] : &names->unknown;

		collect_symbol(s, symbol, names == &host ? host_place(symbol) : place);
	}
}

static int by_insns(const void *a, const void *b)
{
	uint64_t x = row_insns(a), y = row_insns(b);

	return x < y ? 1 : x > y ? -1 : 0;
}

static size_t rank(const struct row *row)
{
	size_t i = 0;

	if (*row->name)
		return 0;
	while (families[i] && strcmp(families[i], row->part))
		i++;
	return i + 1;
}

int parts_compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (rank(x) != rank(y))
		return rank(x) < rank(y) ? -1 : 1;
	return strcmp(x->part, y->part);
}

static void sort(struct rows *rows, int (*compare)(const void *, const void *))
{
	if (rows->n)
		qsort(rows->row, rows->n, sizeof(*rows->row), compare);
}

static void finish(struct stretch *s)
{
	if (!in_host(s))
		collect(s, guest_names(s), GUEST_KERNEL);
	collect(s, &program, in_host(s) ? HOST_OTHER : GUEST_USER);
	collect(s, &host, HOST_KERNEL);
	collect(s, &ninepin, NINEPIN);
	collect_symbol(s, &others, HOST_OTHER);
	collect_symbol(s, &guest_others, GUEST_USER);
	sort(&s->functions, by_insns);
	sort(&s->parts, parts_compare);
	sort(&s->exits, by_insns);
	sort(&s->syscalls, by_insns);
}

static FILE *open_in(const char *dir, const char *name)
{
	char path[PATH_MAX];
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	in = fopen(path, "re");
	if (!in)
		die("%s: %s", path, strerror(errno));
	return in;
}

static void read_guest(const char *dir, const char *io)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < MAX_IOS; i++) {
		if (!strcmp(guests[i].io, io))
			return;
		if (*guests[i].io)
			continue;
		snprintf(guests[i].io, sizeof(guests[i].io), "%s", io);
		snprintf(path, sizeof(path), "%s/kallsyms.%s", dir, io);
		names_read_kallsyms(&guests[i].names, path);
		return;
	}
	die("there are too many guests");
}

/* One line of stretches, and its part of counts. */
static bool read_stretch(struct stretch *s, FILE *list, FILE *in, const char *dir)
{
	char *line = NULL;
	size_t size = 0;
	int words =
		fscanf(list, "%15s %31s %" SCNu64 " %" SCNu64, s->io, s->call, &s->n, &s->ticks);

	if (words == EOF)
		return false;
	if (words != 4 || !s->n)
		die("%s/stretches has a line that is none", dir);
	if (!in_host(s))
		read_guest(dir, s->io);
	nother_addrs = 0;
	if (getline(&line, &size, in) < 0 || strcmp(line, "stretch\n"))
		die("%s/counts has fewer stretches than %s/stretches", dir, dir);
	for (;;) {
		if (getline(&line, &size, in) < 0)
			die("%s/counts ends too early", dir);
		if (!strcmp(line, "end\n"))
			break;
		else if (*line == 'i' && line[1] == ' ')
			read_insn(s, line);
		else if (*line == 'x')
			read_exit(s, line);
		else if (*line == 'c')
			read_context(s, line);
		else if (sscanf(line, "idle %" SCNu64, &s->idles) != 1)
			die("the counts have a line that is none: %s", line);
	}
	free(line);
	finish(s);
	return true;
}

size_t counts_read(struct stretch *stretches, size_t max, const char *dir, const char *ninepin_path,
		   const char *program_path)
{
	FILE *list = open_in(dir, "stretches"), *in = open_in(dir, "counts");
	char path[PATH_MAX];
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/kallsyms.host", dir);
	names_read_kallsyms(&host, path);
	snprintf(path, sizeof(path), "%s/rooms", dir);
	names_read_elf(&ninepin, ninepin_path, path);
	names_read_elf(&program, program_path, NULL);
	while (n < max && read_stretch(&stretches[n], list, in, dir))
		n++;
	if (!n || fgetc(in) != EOF)
		die("%s/counts has other stretches than %s/stretches", dir, dir);
	fclose(list);
	fclose(in);
	return n;
}
