// SPDX-License-Identifier: MIT
#include "vmm/stats.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ninep/stats.h"

struct unit {
	const char *name;
	double size;
};

/* In three digits, with the largest unit that leaves something before the point. */
static const char *scaled(char text[16], uint64_t value, const struct unit *units, size_t n)
{
	double v = (double)value;
	size_t i = n - 1;

	/* 999.5 of one unit are printed as 1.00 of the next. */
	while (i && v < 0.9995 * units[i].size)
		i--;
	v /= units[i].size;
	snprintf(text, 16, "%.*f%s", i == 0 || v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2, v,
		 units[i].name);
	return text;
}

const char *stats_time(char text[16], uint64_t ns)
{
	static const struct unit units[] = {{"ns", 1}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}};

	return scaled(text, ns, units, sizeof(units) / sizeof(*units));
}

const char *stats_bytes(char text[16], uint64_t bytes)
{
	static const struct unit units[] = {
		{"", 1}, {"K", 1024}, {"M", 1048576}, {"G", 1073741824}};

	return scaled(text, bytes, units, sizeof(units) / sizeof(*units));
}

/* Right-aligned; printf(3) would count µ as two. */
static void put(FILE *out, const char *text, int width)
{
	int letters = 0;

	for (const char *p = text; *p; p++)
		letters += (*p & 0xc0) != 0x80;
	fprintf(out, "%*s%s", width > letters ? width - letters : 1, "", text);
}

static void print_row(FILE *out, const char *name, const char *path, const struct p9_stat *stat)
{
	static const double quantile[] = {0.5, 0.9, 0.99, 1};
	char text[16];

	fprintf(out, "  %-11s %-8s %7" PRIu64 " %6" PRIu64, name, path, stat->ns.n, stat->errors);
	put(out, stats_bytes(text, stat->received), 7);
	put(out, stats_bytes(text, stat->sent), 7);
	for (size_t i = 0; i < sizeof(quantile) / sizeof(*quantile); i++)
		put(out, stats_time(text, p9_hist_quantile(&stat->ns, quantile[i])), 7);
	fputc('\n', out);
}

static void print_share(FILE *out, const struct machine_slot *slot, const char *path)
{
	static const char *const paths[P9_PATHS] = {"in place", "ring", "worker"};
	const struct p9_stats *stats = p9_session_stats(slot->session);
	uint64_t n = 0;

	for (unsigned int i = 0; i < P9_STAT_TYPES; i++)
		for (unsigned int p = 0; p < P9_PATHS; p++)
			n += stats->stat[i][p].ns.n;
	fprintf(out, "ninepin: 9P requests of %s: %" PRIu64 ", %" PRIu64 " dropped; %" PRIu64
		" kicks, %" PRIu64 " interrupts\n",
		path, n, stats->dropped, slot->dev.vdev.kicks, slot->dev.vdev.interrupts);
	if (!n)
		return;
	fprintf(out, "  %-11s %-8s %7s %6s %6s %6s %6s %6s %6s %6s\n", "message", "path", "count",
		"errors", "recv", "sent", "p50", "p90", "p99", "max");
	for (unsigned int i = 0; i < P9_STAT_TYPES; i++)
		for (unsigned int p = 0; p < P9_PATHS; p++)
			if (stats->stat[i][p].ns.n)
				print_row(out, p9_stat_name(i), paths[p], &stats->stat[i][p]);
}

/* ---- exits ---- */

/* What KVM counts of a vCPU by itself (KVM_GET_STATS_FD, Linux 5.14): the value of a name. */
struct kvm_counts {
	struct kvm_stats_header head;
	char *desc;
	int fd;
};

static bool counts_open(struct kvm_counts *counts, const struct vcpu *vcpu)
{
	size_t size;

	counts->desc = NULL;
	counts->fd = ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL);
	if (counts->fd < 0)
		return false;
	if (pread(counts->fd, &counts->head, sizeof(counts->head), 0) != sizeof(counts->head))
		return false;
	size = counts->head.num_desc * (sizeof(struct kvm_stats_desc) + counts->head.name_size);
	counts->desc = malloc(size);
	return counts->desc &&
	       pread(counts->fd, counts->desc, size, counts->head.desc_offset) == (ssize_t)size;
}

static void counts_close(struct kvm_counts *counts)
{
	free(counts->desc);
	if (counts->fd >= 0)
		close(counts->fd);
}

static uint64_t counts_get(const struct kvm_counts *counts, const char *name)
{
	size_t step = sizeof(struct kvm_stats_desc) + counts->head.name_size;
	uint64_t value = 0;

	for (uint32_t i = 0; i < counts->head.num_desc; i++) {
		const struct kvm_stats_desc *desc = (const void *)(counts->desc + i * step);

		if (strncmp(desc->name, name, counts->head.name_size) != 0)
			continue;
		if (pread(counts->fd, &value, sizeof(value),
			  (off_t)counts->head.data_offset + desc->offset) != sizeof(value))
			return 0;
		break;
	}
	return value;
}

/* "word 12, word 3", without those that are zero. */
static void print_counts(FILE *out, const char *const *name, const uint64_t *n, size_t count)
{
	const char *before = " (";

	for (size_t i = 0; i < count; i++) {
		if (!n[i])
			continue;
		fprintf(out, "%s%s %" PRIu64, before, name[i], n[i]);
		before = ", ";
	}
	fputs(before[0] == ',' ? ")\n" : "\n", out);
}

static void print_exits(FILE *out, const struct vm *vm)
{
	static const char *const name[VCPU_EXITS] = {
		[VCPU_EXIT_PORT_IN] = "port in",
		[VCPU_EXIT_PORT_OUT] = "port out",
		[VCPU_EXIT_MMIO_READ] = "mmio read",
		[VCPU_EXIT_MMIO_WRITE] = "mmio write",
		[VCPU_EXIT_SIGNAL] = "signal",
		[VCPU_EXIT_OTHER] = "other",
	};
	uint64_t n[VCPU_EXITS] = {0}, total = 0;

	for (unsigned int cpu = 0; cpu < vm->ncpus; cpu++)
		for (unsigned int kind = 0; kind < VCPU_EXITS; kind++)
			n[kind] += vm->vcpu[cpu].exits[kind];
	for (unsigned int kind = 0; kind < VCPU_EXITS; kind++)
		total += n[kind];
	fprintf(out, "ninepin: exits to ninepin: %" PRIu64, total);
	print_counts(out, name, n, VCPU_EXITS);
}

static void print_kvm_exits(FILE *out, const struct vm *vm)
{
	/* KVM's names. Those that ninepin serves are among its exits, too. */
	static const char *const name[] = {
		"io_exits",	   "mmio_exits",      "halt_exits",	     "irq_exits",
		"irq_window_exits", "signal_exits", "request_irq_exits", "irq_injections",
		"hypercalls",	   "pf_fixed",
	};
	enum { N = sizeof(name) / sizeof(*name) };
	uint64_t n[N] = {0}, total = 0;

	for (unsigned int cpu = 0; cpu < vm->ncpus; cpu++) {
		struct kvm_counts counts;

		if (counts_open(&counts, &vm->vcpu[cpu])) {
			total += counts_get(&counts, "exits");
			for (size_t i = 0; i < N; i++)
				n[i] += counts_get(&counts, name[i]);
		}
		counts_close(&counts);
	}
	if (!total)
		return; /* an older kernel */
	fprintf(out, "ninepin: exits to KVM: %" PRIu64, total);
	print_counts(out, name, n, N);
}

void stats_print(FILE *out, const struct machine *m, const struct machine_share *share)
{
	for (unsigned int i = 0; i < m->nshares; i++)
		if (m->share[i].ready)
			print_share(out, &m->share[i], share[i].path);
	print_exits(out, &m->vm);
	print_kvm_exits(out, &m->vm);
}
