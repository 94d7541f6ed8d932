// SPDX-License-Identifier: MIT
/*
 * Names what count.so counted, and prints where the instructions of one call go.
 *
 *   report DIR NINEPIN PROGRAM CSV
 *
 * DIR has what tests/bench/breakdown/run gathered:
 *   counts         from count.so, one stretch after the other
 *   stretches      for each of them: IO CALL N TICKS, which are 0 if not known; IO says how ninepin reached the files, or is
 *                  "none" where PROGRAM ran in the emulated host itself
 *   kallsyms.host  /proc/kallsyms of the emulated host, and kallsyms.IO: of the guest
 *   rooms          ROOM FUNCTION for the functions of NINEPIN
 * CSV gets all of it, the functions that are not printed too.
 * Exit status 1 if a stretch has more or fewer instructions than the clock says.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/breakdown/counts.h"
#include "tests/bench/breakdown/names.h"

#define MAX_STRETCHES 128
#define MAX_COLUMNS   8
#define MAX_PARTS     256
#define TOP	      40
/* More is an error in the counting, %. */
#define MAX_APART 1.0
/* What comes less often in a call is noise: a timer of the host's or the guest's. */
#define RARE 0.05

static struct stretch stretches[MAX_STRETCHES];
static size_t nstretches;

static const char *const place_names[NPLACES] = {
	"guest user", "guest kernel", "KVM", "host kernel", "ninepin", "other programs",
};

static double per_call(const struct stretch *s, uint64_t count)
{
	return (double)count / (double)s->n;
}

static double apart(const struct stretch *s)
{
	return ((double)s->insns / (double)s->ticks - 1) * 100;
}

static double sum_count(const struct stretch *s, const struct rows *rows)
{
	double sum = 0;

	for (size_t i = 0; i < rows->n; i++)
		sum += per_call(s, rows->row[i].count);
	return sum;
}

/* ---- the table of one call: a column for each IO ---- */

static double part_insns(const struct stretch *s, const struct row *like)
{
	for (size_t i = 0; i < s->parts.n; i++) {
		const struct row *row = &s->parts.row[i];

		if (row->place == like->place && !strcmp(row->part, like->part) &&
		    !strcmp(row->name, like->name))
			return per_call(s, row->insns[row->place]);
	}
	return 0;
}

static double place_insns(const struct stretch *s, enum place place)
{
	double sum = 0;

	for (size_t i = 0; i < s->parts.n; i++)
		sum += per_call(s, s->parts.row[i].insns[place]);
	return sum;
}

static void line(const char *what, struct stretch *const *column, size_t n,
		 double (*value)(const struct stretch *, const void *), const void *arg)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any = any || value(column[i], arg) >= RARE;
	if (!any)
		return;
	printf("%-36s", what);
	for (size_t i = 0; i < n; i++)
		printf(" %11.1f", value(column[i], arg));
	putchar('\n');
}

static double value_part(const struct stretch *s, const void *arg)
{
	return part_insns(s, arg);
}

static double value_place(const struct stretch *s, const void *arg)
{
	return place_insns(s, *(const enum place *)arg);
}

static double value_all(const struct stretch *s, const void *arg)
{
	(void)arg;
	return per_call(s, s->insns);
}

static double value_clock(const struct stretch *s, const void *arg)
{
	(void)arg;
	return per_call(s, s->ticks);
}

static double value_exits(const struct stretch *s, const void *arg)
{
	(void)arg;
	return sum_count(s, &s->exits);
}

static double value_syscalls(const struct stretch *s, const void *arg)
{
	(void)arg;
	return sum_count(s, &s->syscalls);
}

static double value_idles(const struct stretch *s, const void *arg)
{
	(void)arg;
	return per_call(s, s->idles);
}

/* The parts that any column has, each once. */
static void print_parts(struct stretch *const *column, size_t n, enum place place)
{
	struct row parts[MAX_PARTS] = {0};
	size_t nparts = 0;
	char what[64];

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < column[i]->parts.n && nparts < MAX_PARTS; k++) {
			if (column[i]->parts.row[k].place == place)
				parts[nparts++] = column[i]->parts.row[k];
		}
	}
	qsort(parts, nparts, sizeof(parts[0]), parts_compare);
	for (size_t i = 0; i < nparts; i++) {
		if (!*parts[i].part || (i && !parts_compare(&parts[i - 1], &parts[i])))
			continue;
		snprintf(what, sizeof(what), "  %s", parts[i].part);
		line(what, column, n, value_part, &parts[i]);
	}
}

static void print_call(struct stretch *const *column, size_t n)
{
	printf("\n== %s: instructions of one call (%" PRIu64 " calls)\n%-36s", column[0]->call,
	       column[0]->n, "");
	for (size_t i = 0; i < n; i++)
		printf(" %11s", column[i]->io);
	putchar('\n');
	for (enum place place = 0; place < NPLACES; place++) {
		line(place_names[place], column, n, value_place, &place);
		print_parts(column, n, place);
	}
	line("all", column, n, value_all, NULL);
	line("the clock says, ns", column, n, value_clock, NULL);
	line("exits of the guest", column, n, value_exits, NULL);
	line("system calls", column, n, value_syscalls, NULL);
	line("times the processor was idle", column, n, value_idles, NULL);
}

/* ---- what is listed for one stretch ---- */

static void print_list(const struct stretch *s, const struct rows *rows, const char *what)
{
	struct row rare = {.name = "(rare ones)"};
	bool any = false;

	for (size_t i = 0; i <= rows->n; i++) {
		const struct row *row = i < rows->n ? &rows->row[i] : &rare;

		if (i < rows->n && per_call(s, row->count) < RARE) {
			rare.count += row->count;
			for (int k = 0; k < NPLACES; k++)
				rare.insns[k] += row->insns[k];
			continue;
		}
		if (!row_insns(row))
			continue;
		if (!any)
			printf("\n-- %s, io=%s: %s\n%8s %10s %10s %10s %10s\n", s->call, s->io,
			       what, "times", "all", "KVM", "kernel", "ninepin");
		any = true;
		printf("%8.2f %10.1f %10.1f %10.1f %10.1f  %s\n", per_call(s, row->count),
		       per_call(s, row_insns(row)), per_call(s, row->insns[KVM]),
		       per_call(s, row->insns[HOST_KERNEL]), per_call(s, row->insns[NINEPIN]),
		       row->name);
	}
}

static void print_top(const struct stretch *s)
{
	printf("\n-- %s, io=%s: the functions with the most instructions\n%10s %6s %8s  %s\n",
	       s->call, s->io, "all", "%", "times", "where");
	for (size_t i = 0; i < s->functions.n && i < TOP; i++) {
		const struct row *row = &s->functions.row[i];
		char where[64];

		snprintf(where, sizeof(where), "%s%s%s", place_names[row->place],
			 *row->part ? ": " : "", row->part);
		printf("%10.1f %6.1f %8.2f  %-38s %s\n", per_call(s, row_insns(row)),
		       (double)row_insns(row) * 100 / (double)s->insns, per_call(s, row->count),
		       where, row->name);
	}
}

/* ---- the CSV file ---- */

static void csv_rows(FILE *out, const struct stretch *s, const char *kind, const struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *row = &rows->row[i];

		for (int place = 0; place < NPLACES; place++) {
			if (!row->insns[place])
				continue;
			fprintf(out, "%s,%s,%s,%s,\"%s\",%s,%.3f,%.3f\n", s->call, s->io, kind,
				place_names[place], row->part, row->name, per_call(s, row->count),
				per_call(s, row->insns[place]));
		}
	}
}

static int write_csv(FILE *out)
{
	fprintf(out, "call,io,kind,place,part,name,times,instructions\n");
	for (const struct stretch *s = stretches; s < stretches + nstretches; s++) {
		fprintf(out, "%s,%s,all,,,,1,%.3f\n", s->call, s->io, per_call(s, s->insns));
		fprintf(out, "%s,%s,clock,,,,1,%.3f\n", s->call, s->io, per_call(s, s->ticks));
		csv_rows(out, s, "function", &s->functions);
		csv_rows(out, s, "exit", &s->exits);
		csv_rows(out, s, "syscall", &s->syscalls);
	}
	return ferror(out) | fclose(out);
}

/* Idle time is no instruction: a stretch with some cannot be checked, nor one whose clock was not read. */
static int check(void)
{
	int ret = 0;

	for (const struct stretch *s = stretches; s < stretches + nstretches; s++) {
		if (s->idles || !s->ticks || (apart(s) <= MAX_APART && apart(s) >= -MAX_APART))
			continue;
		fprintf(stderr,
			"breakdown: %s, io=%s: %" PRIu64 " instructions were counted, but %" PRIu64
			" ns went by\n",
			s->call, s->io, s->insns, s->ticks);
		ret = 1;
	}
	return ret;
}

int main(int argc, char **argv)
{
	struct stretch *column[MAX_COLUMNS];
	FILE *csv;

	if (argc != 5) {
		fprintf(stderr, "usage: report DIR NINEPIN PROGRAM CSV\n");
		return 2;
	}
	nstretches = counts_read(stretches, MAX_STRETCHES, argv[1], argv[2], argv[3]);
	for (size_t i = 0; i < nstretches; i++) {
		size_t n = 0;
		bool first = true;

		for (size_t k = 0; k < i; k++)
			first = first && strcmp(stretches[k].call, stretches[i].call);
		if (!first)
			continue;
		for (size_t k = i; k < nstretches && n < MAX_COLUMNS; k++) {
			if (!strcmp(stretches[k].call, stretches[i].call))
				column[n++] = &stretches[k];
		}
		print_call(column, n);
		for (size_t k = 0; k < n; k++) {
			print_list(column[k], &column[k]->exits,
				   "exits of the guest, by where it was; instructions until it ran "
				   "again");
			print_list(column[k], &column[k]->syscalls,
				   "system calls; instructions in the kernel");
		}
		print_top(column[0]);
	}
	csv = fopen(argv[4], "we");
	if (!csv || write_csv(csv))
		die("%s: %s", argv[4], strerror(errno));
	return check();
}
