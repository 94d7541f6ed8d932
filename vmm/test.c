// SPDX-License-Identifier: MIT
/* `ninepin test`: from options to the exit status. */
#include "vmm/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ninep/clock.h"
#include "vmm/commands.h"
#include "vmm/loop.h"
#include "vmm/outcome.h"
#include "vmm/signals.h"
#include "vmm/test_jobs.h"
#include "vmm/test_progress.h"

struct test {
	struct test_options opt;
	struct test_run *run;
	size_t nruns;
	size_t begun, ended;
	struct test_signals signals; /* as they were */
	struct progress progress;
	struct loop *loop;
	FILE *junit; /* NULL: not asked for */
	char *logs;
	int signal_fd; /* what ends us */
	int child_fd;  /* SIGCHLD */
	int tick_fd;   /* for the progress; -1 without a terminal */
	int signal;    /* that ended us; 0: none */
	bool colour;
	bool stopping; /* nothing more is begun */
	bool broken;   /* stdout takes no more */
};

/* ---- which runs ---- */

/* A folder's name: a number, and what of the name may be in one. */
static char *folder_name(const struct test *test, size_t i)
{
	char name[64], *path;
	size_t n = 0;

	for (const char *at = test->run[i].name; *at && n < sizeof(name) - 1; at++) {
		bool fits = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
			    (*at >= '0' && *at <= '9') || strchr("._=-", *at);

		if (fits)
			name[n++] = *at;
		else if (n && name[n - 1] != '_')
			name[n++] = '_';
	}
	name[n] = '\0';
	return asprintf(&path, "%s/%03zu-%s", test->logs, i + 1, name) < 0 ? NULL : path;
}

static char *run_name(const struct test_options *opt, const struct test_run *run)
{
	bool several = opt->cpus_set || opt->ncpus > 1;
	char cpus[32] = "", *name, *clean;

	if (several)
		snprintf(cpus, sizeof(cpus), " cpus=%u", run->cpus);
	if (asprintf(&name, "%s%s%s%s%s", run->kernel, cpus, *run->variant ? " [" : "",
		     run->variant, *run->variant ? "]" : "") < 0)
		return NULL;
	clean = clean_text(name);
	free(name);
	return clean;
}

/* Kernel by kernel, since people compare what differs within one. */
static int make_runs(struct test *test, struct why *why)
{
	const struct test_options *opt = &test->opt;
	size_t i = 0;

	test->nruns = opt->nkernels * opt->ncpus * opt->nvariants;
	test->run = calloc(test->nruns, sizeof(*test->run));
	if (!test->run) {
		test->nruns = 0;
		return why_fail(why, -ENOMEM, "there is no memory left to start");
	}
	for (size_t k = 0; k < opt->nkernels; k++)
		for (size_t c = 0; c < opt->ncpus; c++)
			for (size_t v = 0; v < opt->nvariants; v++, i++) {
				struct test_run *run = &test->run[i];

				run->kernel = opt->kernel[k];
				run->cpus = opt->cpus[c];
				run->variant = opt->variant[v];
				run->name = run_name(opt, run);
				run->logs = run->name ? folder_name(test, i) : NULL;
				run->logs_shown = run->logs ? clean_text(run->logs) : NULL;
				if (!run->logs_shown)
					return why_fail(why, -ENOMEM,
							"there is no memory left to start");
			}
	return 0;
}

/* ---- one run after another ---- */

static void stop(struct test *test)
{
	/* The second time without a chance: what does not end by a TERM is asked no longer. */
	int sig = test->stopping ? SIGKILL : SIGTERM;

	test->stopping = true;
	for (size_t i = 0; i < test->begun; i++)
		if (test->run[i].verdict == TEST_RUNS)
			kill(test->run[i].pid, sig);
}

/* On a terminal that TAP does not go to, a line for people. */
static void tell(const struct test *test, const struct test_run *run)
{
	static const char *const colours[] = {
		[TEST_PASSED] = "\x1b[32m",
		[TEST_SKIPPED] = "\x1b[33m",
		[TEST_FAILED] = "\x1b[31m",
		[TEST_UNJUDGED] = "\x1b[31m",
	};
	bool colour = !getenv("NO_COLOR");

	if (!test->progress.on || isatty(STDOUT_FILENO))
		return;
	fprintf(stderr, "%s%-10s%s %6.1f s  %s%s%s\n", colour ? colours[run->verdict] : "",
		test_verdict_name(run->verdict), colour ? "\x1b[m" : "",
		(double)(run->end_ns - run->begin_ns) / 1e9, run->name, run->message ? ": " : "",
		run->message ? run->message : "");
}

static void report_run(struct test *test, const struct test_run *run)
{
	progress_news(&test->progress, p9_now_ns());
	tap_run(stdout, run, ++test->ended, test->colour);
	if ((fflush(stdout) || ferror(stdout)) && !test->broken) {
		test->broken = true;
		fprintf(stderr, "ninepin: stdout cannot be written: %s\n", strerror(errno));
		stop(test);
	}
	tell(test, run);
}

/* Begins as many as there may be at once; the last one to end stops the loop. */
static void begin_runs(struct test *test)
{
	while (!test->stopping && test->begun < test->nruns &&
	       test->begun - test->ended < test->opt.jobs) {
		struct test_run *run = &test->run[test->begun++];
		struct why why;

		run->begin_ns = p9_now_ns();
		run->verdict = TEST_RUNS;
		if (job_start(run, &test->opt, &test->signals, &why) == 0)
			continue;
		run->end_ns = p9_now_ns();
		run->verdict = TEST_UNJUDGED;
		run->reason = strdup("not-started");
		run->status = STATUS_NOT_STARTED;
		run->message = clean_text(why.text);
		report_run(test, run);
	}
	if (test->begun == test->ended && (test->stopping || test->begun == test->nruns))
		loop_stop(test->loop);
}

static void child_ended(void *arg, short revents)
{
	struct test *test = arg;
	struct signalfd_siginfo info;
	int wait_status;
	pid_t pid;

	(void)revents;
	while (read(test->child_fd, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0)
		for (size_t i = 0; i < test->begun; i++) {
			struct test_run *run = &test->run[i];

			if (run->verdict != TEST_RUNS || run->pid != pid)
				continue;
			run->end_ns = p9_now_ns();
			test_judge(run, wait_status);
			report_run(test, run);
			break;
		}
	begin_runs(test);
}

static void signalled(void *arg, short revents)
{
	struct test *test = arg;
	struct signalfd_siginfo info;

	(void)revents;
	if (read(test->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (!test->signal)
		test->signal = (int)info.ssi_signo;
	stop(test);
	begin_runs(test);
}

static void ticked(void *arg, short revents)
{
	struct test *test = arg;
	uint64_t count;

	(void)revents;
	(void)!read(test->tick_fd, &count, sizeof(count));
	progress_tick(&test->progress, test->run, test->nruns, p9_now_ns());
}

/* ---- start and end ---- */

static int watch(struct test *test, int fd, loop_fn fn, struct why *why)
{
	int err = fd < 0 ? -errno : loop_watch(test->loop, fd, POLLIN, fn, test);

	return err < 0 ? why_fail(why, err, "no descriptor left: %s: raise ulimit -n",
				  strerror(-err))
		       : 0;
}

static int open_loop(struct test *test, struct why *why)
{
	struct itimerspec second = {.it_value.tv_sec = 1, .it_interval.tv_sec = 1};
	sigset_t set;
	int err;

	test->loop = loop_new();
	if (!test->loop)
		return why_fail(why, -ENOMEM, "there is no memory left to start");
	sigprocmask(SIG_SETMASK, NULL, &test->signals.mask);
	/* A reader of stdout that goes away is an error like others. */
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, &test->signals.pipe);
	/* Whoever started us may have had no interest in children. */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	test->child_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	err = watch(test, test->child_fd, child_ended, why);
	if (err)
		return err;
	test->signal_fd = signals_open();
	err = watch(test, test->signal_fd, signalled, why);
	if (err || !test->progress.on)
		return err;
	test->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	err = watch(test, test->tick_fd, ticked, why);
	if (!err)
		timerfd_settime(test->tick_fd, 0, &second, NULL);
	return err;
}

static int start(struct test *test, struct why *why)
{
	int err;

	notes_print(&test->opt.notes, stderr);
	if (test->opt.junit) {
		test->junit = fopen(test->opt.junit, "we");
		if (!test->junit)
			return why_fail(why, -errno, "--junit: %s cannot be written: %s",
					test->opt.junit, strerror(errno));
	}
	test->logs = logs_make(test->opt.logs, why);
	if (!test->logs)
		return -EIO;
	progress_init(&test->progress, stderr, p9_now_ns());
	test->colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	err = make_runs(test, why);
	return err ?: open_loop(test, why);
}

static bool all_is_well(const struct test_sum *sum, size_t nruns)
{
	return sum->of[TEST_PASSED] + sum->of[TEST_SKIPPED] == nruns;
}

static void put_sum(const struct test *test, const struct test_sum *sum)
{
	unsigned long passed = 0, failed = 0, skipped = 0, todo = 0;

	for (size_t i = 0; i < test->nruns; i++) {
		passed += test->run[i].ktap.passed;
		failed += test->run[i].ktap.failed;
		skipped += test->run[i].ktap.skipped;
		todo += test->run[i].ktap.todo;
	}
	if (test->signal)
		tap_comment(stdout, "ended by signal %d (%s)", test->signal,
			    strsignal(test->signal));
	if (passed || failed || skipped || todo)
		tap_comment(stdout,
			    "subtests: %lu passed, %lu failed, %lu skipped, %lu known failures",
			    passed, failed, skipped, todo);
	tap_comment(stdout, "%u passed, %u failed, %u skipped, %u not judged%s",
		    sum->of[TEST_PASSED], sum->of[TEST_FAILED], sum->of[TEST_SKIPPED],
		    sum->of[TEST_UNJUDGED], sum->of[TEST_WAITS] ? ", the others not begun" : "");
	if (test->opt.logs || !all_is_well(sum, test->nruns))
		tap_comment(stdout, "logs are in %s", test->logs);
}

/* 0, or that something could not be written. */
static int finish(struct test *test, const struct test_sum *sum)
{
	int err = 0, status = 0;

	put_sum(test, sum);
	if ((fflush(stdout) || ferror(stdout)) && !test->broken) {
		fprintf(stderr, "ninepin: stdout cannot be written: %s\n", strerror(errno));
		test->broken = true;
	}
	if (test->broken)
		status = STATUS_NOT_STARTED;
	if (test->junit)
		err = junit_write(test->junit, test->run, test->nruns);
	if (err) {
		fprintf(stderr, "ninepin: --junit: %s cannot be written: %s\n", test->opt.junit,
			strerror(-err));
		status = STATUS_NOT_STARTED;
	}
	if (!test->opt.logs && all_is_well(sum, test->nruns)) {
		for (size_t i = 0; i < test->nruns; i++)
			logs_remove(&test->run[i]);
		rmdir(test->logs);
	}
	return status;
}

static void tear_down(struct test *test)
{
	for (size_t i = 0; i < test->nruns; i++)
		test_run_free(&test->run[i]);
	free(test->run);
	loop_free(test->loop);
	if (test->junit)
		fclose(test->junit);
	free(test->logs);
	for (int *fd = (int[]){test->signal_fd, test->child_fd, test->tick_fd, -2}; *fd != -2; fd++)
		if (*fd >= 0)
			close(*fd);
	test_options_free(&test->opt);
}

int test_main(int argc, char **argv)
{
	struct test test = {.signal_fd = -1, .child_fd = -1, .tick_fd = -1};
	struct test_sum sum;
	struct why why;
	int err, status = STATUS_NOT_STARTED, unwritten;

	err = test_options_parse(&test.opt, argc, argv, &why);
	if (!err && test.opt.help) {
		fputs(test_usage, stdout);
		test_options_free(&test.opt);
		return 0;
	}
	if (!err)
		err = start(&test, &why);
	if (err) {
		fprintf(stderr, "ninepin: %s\n", why.text);
		goto out;
	}
	tap_head(stdout, test.nruns);
	fflush(stdout);
	begin_runs(&test);
	err = loop_run(test.loop);
	if (err) {
		fprintf(stderr, "ninepin: waiting for events failed: %s\n", strerror(-err));
		stop(&test);
		goto out;
	}
	progress_news(&test.progress, p9_now_ns());
	test_count(&sum, test.run, test.nruns);
	unwritten = finish(&test, &sum);
	status = test.signal ? STATUS_SIGNAL + test.signal : test_exit_status(&sum);
	if (unwritten && status == 0)
		status = unwritten;
out:
	tear_down(&test);
	return status;
}
