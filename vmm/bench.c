// SPDX-License-Identifier: MIT
/* `ninepin bench`: from options to the table. */
#include "vmm/bench.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vmm/commands.h"
#include "vmm/outcome.h"
#include "vmm/server.h"
#include "vmm/signals.h"

void bench_pin(bool another)
{
	static cpu_set_t all; /* as they were when the program started */
	cpu_set_t one;
	int cpu = -1;

	if (!CPU_COUNT(&all) && sched_getaffinity(0, sizeof(all), &all))
		return;
	for (int i = 0, n = 0; i < CPU_SETSIZE && n <= another; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		cpu = i;
		n++;
	}
	if (cpu < 0)
		return;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

bool bench_signalled(struct bench *bench)
{
	struct signalfd_siginfo info;

	if (read(bench->signal_fd, &info, sizeof(info)) == sizeof(info))
		bench->signal = (int)info.ssi_signo;
	return bench->signal;
}

int bench_failed(struct why *why, int err, const struct bench_row *row, const char *what)
{
	return why_fail(why, err, "%s, %u in flight, mode %s, io=%s: %s", bench_op_name[row->op],
			row->depth, bench_mode_name[row->mode], bench_io_name[row->io], what);
}

/* ---- the servers ---- */

/* Whether the host refuses io_uring, as container runtimes do. */
static bool refused(int err)
{
	return err == -ENOSYS || err == -EPERM || err == -EACCES;
}

static int open_side(struct bench *b, enum p9_executor io, struct why *why)
{
	const struct p9_share_config plain = { .model = P9_MODEL_PASSTHROUGH };
	struct bench_side *side = &b->side[io];
	int err = p9_server_new(&side->server, io);

	if (err) {
		side->server = NULL;
		return why_fail(why, err, "the 9P server cannot start: %s%s", strerror(-err),
				refused(err) ? " (io_uring is refused here: try --io=sync)" : "");
	}
	err = server_share(&side->share, side->server, b->files.dir, &plain, why);
	if (err)
		return err;
	err = p9_session_new(&side->session, side->share);
	if (!err)
		err = p9_server_start(side->server);
	if (err)
		return why_fail(why, err, "the 9P server cannot start: %s", strerror(-err));
	return 0;
}

/* Their threads stay where this one is: away from the guest, if there is more than one CPU. */
static int open_sides(struct bench *b, struct why *why)
{
	bench_pin(true);
	for (unsigned int io = 0; io < BENCH_EXECUTORS; io++) {
		int err = b->opt.io[io] ? open_side(b, io, why) : 0;

		if (refused(err) && !b->side[io].server && !b->opt.io_set) {
			fprintf(stderr, "ninepin: io_uring is refused here: io=%s is left out\n",
				bench_io_name[io]);
			b->opt.io[io] = false;
		} else if (err) {
			return err;
		}
	}
	return 0;
}

static void close_sides(struct bench *b)
{
	for (unsigned int io = 0; io < BENCH_EXECUTORS; io++) {
		struct bench_side *side = &b->side[io];

		if (side->session)
			p9_session_free(side->session);
		if (side->share)
			p9_share_put(side->share);
		p9_server_free(side->server);
	}
}

/* ---- start and end ---- */

static int open_csv(const struct bench *b, FILE **csv, struct why *why)
{
	if (!b->opt.csv)
		return 0;
	*csv = fopen(b->opt.csv, "we");
	if (!*csv)
		return why_fail(why, -errno, "--csv: %s cannot be written: %s", b->opt.csv,
				strerror(errno));
	return 0;
}

static int start(struct bench *b, FILE **csv, struct why *why)
{
	int err;

	/* A reader that goes away, or `ulimit -f`, is an error like others: files are removed. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	b->signal_fd = signals_open();
	if (b->signal_fd < 0)
		return why_fail(why, -errno, "no descriptor left: %s: raise ulimit -n",
				strerror(errno));
	err = open_csv(b, csv, why);
	if (!err)
		err = bench_files_make(&b->files, b->opt.share, why);
	if (!err)
		err = open_sides(b, why);
	if (err)
		return err;
	err = bench_rows_init(&b->rows, &b->opt);
	return err ? why_fail(why, err, "there is no memory left to start") : 0;
}

static int report(const struct bench *b, FILE *csv, struct why *why)
{
	int err = 0;

	/* Each, even if the other cannot be written: they took their time. */
	if (csv)
		bench_rows_csv(&b->rows, csv);
	if (csv && (fflush(csv) || ferror(csv)))
		err = why_fail(why, -errno, "--csv: %s could not be written: %s", b->opt.csv,
			       strerror(errno));
	bench_rows_print(&b->rows, stdout);
	if (fflush(stdout) || ferror(stdout))
		err = why_fail(why, -errno, "the table could not be written: %s", strerror(errno));
	return err;
}

static int measure(struct bench *b, struct why *why)
{
	int err = b->opt.server_only ? bench_server(b, why) : bench_vm(b, why);

	bench_progress_end(&b->rows);
	return err;
}

int bench_main(int argc, char **argv)
{
	struct bench b = { .signal_fd = -1, .files.fd = -1 };
	int status = STATUS_NOT_STARTED, err;
	FILE *csv = NULL;
	struct why why;

	err = bench_options_parse(&b.opt, argc, argv, &why);
	if (!err && b.opt.help) {
		fputs(bench_usage, stdout);
		return 0;
	}
	if (!err)
		err = start(&b, &csv, &why);
	if (!err) {
		err = measure(&b, &why);
		/* Nothing was measured yet: the machine could not be made. */
		status = b.rows.round || b.rows.next ? STATUS_VMM_FAILED : STATUS_NOT_STARTED;
	}
	if (!err && !b.signal) {
		status = STATUS_VMM_FAILED;
		err = report(&b, csv, &why);
	}
	if (b.signal) {
		fprintf(stderr, "ninepin: ended by signal %d (%s)\n", b.signal,
			strsignal(b.signal));
		status = STATUS_SIGNAL + b.signal;
	} else if (err) {
		fprintf(stderr, "ninepin: %s\n", why.text);
	} else {
		status = 0;
	}
	bench_files_remove(&b.files);
	if (b.stuck)
		return status;
	signals_bound_end(status);
	close_sides(&b);
	bench_rows_free(&b.rows);
	if (csv)
		fclose(csv);
	if (b.signal_fd >= 0)
		close(b.signal_fd);
	signals_end_reached();
	return status;
}
