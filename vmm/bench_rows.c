// SPDX-License-Identifier: MIT
/* What is measured, in which order, and the table of it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/bench.h"
#include "vmm/vm.h"

/* A progress line is worth it from here on. */
#define PROGRESS_NS (2ull * 1000 * 1000 * 1000)

static unsigned int count(const bool *set, unsigned int n)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += set[i];
	return sum;
}

/* The order of the table: what is worth comparing stands together. */
static void add_rows(struct bench_rows *rows, enum bench_mode mode, enum work_op op)
{
	static const enum p9_executor order[] = { P9_EXEC_AUTO, P9_EXEC_RING, P9_EXEC_SYNC };
	const struct bench_options *opt = rows->opt;

	for (unsigned int d = 0; d < opt->ndepths; d++) {
		for (unsigned int i = 0; i < BENCH_EXECUTORS; i++) {
			struct bench_row *row = &rows->row[rows->n];

			if (!opt->io[order[i]])
				continue;
			row->mode = mode;
			row->op = op;
			row->depth = opt->depth[d];
			row->io = order[i];
			rows->n++;
		}
	}
}

int bench_rows_init(struct bench_rows *rows, const struct bench_options *opt)
{
	unsigned int n = count(opt->mode, BENCH_MODES) * count(opt->op, WORK_OPS) * opt->ndepths *
			 count(opt->io, BENCH_EXECUTORS);

	*rows = (struct bench_rows){ .opt = opt, .row = calloc(n, sizeof(*rows->row)) };
	if (!rows->row)
		return -ENOMEM;
	for (unsigned int mode = 0; mode < BENCH_MODES; mode++)
		for (unsigned int op = 0; opt->mode[mode] && op < WORK_OPS; op++)
			if (opt->op[op])
				add_rows(rows, mode, op);
	rows->progress = isatty(STDERR_FILENO) && (!opt->ns || n * opt->ns > PROGRESS_NS);
	return 0;
}

void bench_rows_free(struct bench_rows *rows)
{
	free(rows->row);
}

static void show_progress(const struct bench_rows *rows)
{
	unsigned int all = rows->n * (BENCH_ROUNDS + 1), done = rows->round * rows->n + rows->next;

	if (rows->progress)
		fprintf(stderr, "\rninepin: measuring: %3u %%", 100 * done / all);
}

void bench_progress_end(const struct bench_rows *rows)
{
	if (rows->progress)
		fprintf(stderr, "\r\033[K");
}

static uint64_t nth_part(uint64_t whole, unsigned int n)
{
	return (whole + n - 1) / n;
}

bool bench_rows_next(struct bench_rows *rows, struct bench_turn *turn)
{
	const struct bench_options *opt = rows->opt;

	if (rows->next == rows->n) {
		rows->next = 0;
		rows->round++;
	}
	if (rows->round > BENCH_ROUNDS)
		return false;
	show_progress(rows);
	*turn = (struct bench_turn){ .row = &rows->row[rows->next++], .warm_up = !rows->round };
	if (turn->warm_up)
		turn->requests = 2 * WORK_FILE_SIZE / WORK_LARGE;
	else
		turn->requests = opt->requests ? nth_part(opt->requests, BENCH_ROUNDS) : UINT64_MAX;
	turn->ns = opt->ns ? nth_part(opt->ns, BENCH_ROUNDS) : UINT64_MAX;
	return true;
}

/* ---- the table ---- */

static double per_second(const struct bench_row *row)
{
	return row->span_ns ? 1e9 * (double)row->hist.n / (double)row->span_ns : 0;
}

static double per_message(const struct bench_row *row, uint64_t n)
{
	return row->messages ? (double)n / (double)row->messages : 0;
}

static void print_time(FILE *out, uint64_t ns)
{
	double us = (double)ns / 1000;

	fprintf(out, us < 1000 ? " %7.2f" : us < 10000 ? " %7.1f" : " %7.0f", us);
}

void bench_rows_print(const struct bench_rows *rows, FILE *out)
{
	if (!rows->opt->server_only)
		fprintf(out, "An exit to ninepin and back takes %.2f µs here%s\n",
			(double)p9_hist_quantile(&rows->exit, 0.5) / 1000,
			vm_has_hardware() ? "" : " (this KVM is not hardware's)");
	fprintf(out, "mode   op        qd io       min     p50     p90     p99    req/s exits  irqs\n");
	for (unsigned int i = 0; i < rows->n; i++) {
		struct bench_row *row = &rows->row[i];

		fprintf(out, "%-6s %-9s %2u %-4s", bench_mode_name[row->mode],
			bench_op_name[row->op], row->depth, bench_io_name[row->io]);
		if (row->hist.n) {
			print_time(out, row->hist.min);
			print_time(out, p9_hist_quantile(&row->hist, 0.5));
			print_time(out, p9_hist_quantile(&row->hist, 0.9));
			print_time(out, p9_hist_quantile(&row->hist, 0.99));
			fprintf(out, " %8.0f", per_second(row));
		} else {
			fprintf(out, " %7s %7s %7s %7s %8s", "-", "-", "-", "-", "-");
		}
		if (row->mode == BENCH_SERVER)
			fprintf(out, "     -     -\n");
		else
			fprintf(out, " %5.2f %5.2f\n", per_message(row, row->exits),
				per_message(row, row->interrupts));
	}
}

void bench_rows_csv(const struct bench_rows *rows, FILE *out)
{
	fprintf(out, "mode,op,qd,io,requests,min_ns,p50_ns,p90_ns,p99_ns,max_ns,requests_per_second,"
		     "messages,exits,kicks,interrupts\n");
	for (unsigned int i = 0; i < rows->n; i++) {
		struct bench_row *row = &rows->row[i];

		fprintf(out, "%s,%s,%u,%s,%" PRIu64 ",%" PRIu64, bench_mode_name[row->mode],
			bench_op_name[row->op], row->depth, bench_io_name[row->io], row->hist.n,
			row->hist.min);
		fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.1f",
			p9_hist_quantile(&row->hist, 0.5), p9_hist_quantile(&row->hist, 0.9),
			p9_hist_quantile(&row->hist, 0.99), row->hist.max, per_second(row));
		fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", row->messages,
			row->exits, row->kicks, row->interrupts);
	}
}
