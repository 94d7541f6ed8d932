/* SPDX-License-Identifier: MIT */
/* `ninepin test`: one command in many guests, each of them a `ninepin run` of its own. */
#ifndef VMM_TEST_H
#define VMM_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "boot/why.h"
#include "vmm/notes.h"
#include "vmm/test_ktap.h"

#define TEST_MAX_RUNS	     4096
#define TEST_TAIL_LINES	     20 /* of a failure's report */
#define TEST_DEFAULT_TIMEOUT "30m"

/* All strings are malloc'd and the options' own, but for the borrowed ones. */
struct test_options {
	char **kernel; /* borrowed from argv */
	size_t nkernels;
	unsigned int *cpus; /* at least one */
	size_t ncpus;
	bool cpus_set;
	char **variant; /* more words for the kernel's command line; borrowed; at least one, maybe
			   "" */
	size_t nvariants;
	unsigned int jobs; /* at least 1 */
	char *junit;
	char *logs;  /* NULL: a temporary folder */
	char **pass; /* the words for each `ninepin run`, without the axes above */
	size_t npass;
	struct notes notes; /* what the user should know of them */
	char *const *command;
	bool help;
};

extern const char test_usage[];

/* argv[0] is "test". 0, or -EINVAL or -ENOMEM with a sentence. test_options_free() is right after
 * either. */
int test_options_parse(struct test_options *opt, int argc, char *const *argv, struct why *why);
void test_options_free(struct test_options *opt);

enum test_verdict {
	TEST_WAITS, /* not begun */
	TEST_RUNS,
	TEST_PASSED,
	TEST_SKIPPED,
	TEST_FAILED,
	TEST_UNJUDGED, /* the run itself went wrong: nothing is known of the kernel */
	TEST_VERDICTS,
};

/* All strings are malloc'd and its own, but for the borrowed ones; UTF-8 without control
 * characters. */
struct test_run {
	char *name;	    /* what tells it from the others */
	const char *kernel; /* borrowed, as typed */
	unsigned int cpus;
	const char *variant;
	char *logs;	  /* its folder */
	char *logs_shown; /* for people */
	pid_t pid;	  /* while it runs */
	uint64_t begin_ns, end_ns;

	enum test_verdict verdict;
	char *reason; /* of the result, or a word of ours; NULL before the end */
	int status;
	char *message; /* a sentence why it is not passed; NULL */
	char *release; /* of the guest's kernel; NULL: unknown */
	struct ktap ktap;
	const char *tail_of; /* the log that says most of why it is not passed: "console"; NULL */
	char *tail[TEST_TAIL_LINES]; /* its last lines; NULL behind the last */
};

/*
 * Reads what an ended run has left in its folder, and judges. wait_status is as waitpid(2) gives
 * it. What cannot be read makes it TEST_UNJUDGED, with a sentence.
 */
void test_judge(struct test_run *run, int wait_status);
void test_run_free(struct test_run *run);

struct test_sum {
	unsigned int of[TEST_VERDICTS];
};

void test_count(struct test_sum *sum, const struct test_run *run, size_t nruns);
/* 0 all passed, 1 some failed, 125 not all could be judged and none failed. */
int test_exit_status(const struct test_sum *sum);

/* "passed", "failed", … */
const char *test_verdict_name(enum test_verdict verdict);

/* Test Anything Protocol 14: a run's subtests and its own line, which is number n. */
void tap_head(FILE *to, size_t nruns);
void tap_run(FILE *to, const struct test_run *run, size_t n, bool colour);
void tap_comment(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* JUnit's XML, a suite for each run. 0, -ENOMEM, or a negative errno of writing. */
int junit_write(FILE *to, const struct test_run *run, size_t nruns);

#endif
