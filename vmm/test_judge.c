// SPDX-License-Identifier: MIT
/* From what a run has left in its folder to a verdict. */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "vmm/outcome.h"
#include "vmm/test.h"

#define KSFT_SKIP 4 /* Linux: tools/testing/selftests/kselftest.h */

const char *test_verdict_name(enum test_verdict verdict)
{
	static const char *const names[] = {
		[TEST_WAITS] = "not begun", [TEST_RUNS] = "not ended",
		[TEST_PASSED] = "passed",   [TEST_SKIPPED] = "skipped",
		[TEST_FAILED] = "failed",   [TEST_UNJUDGED] = "not judged",
	};

	return names[verdict];
}

static FILE *open_log(const struct test_run *run, const char *name)
{
	char *path;
	FILE *file;

	if (asprintf(&path, "%s/%s", run->logs, name) < 0)
		return NULL;
	file = fopen(path, "re");
	free(path);
	return file;
}

static __attribute__((format(printf, 4, 5))) void
judged(struct test_run *run, enum test_verdict verdict, const char *reason, const char *fmt, ...)
{
	va_list ap;

	run->verdict = verdict;
	if (reason) {
		free(run->reason);
		run->reason = strdup(reason);
	}
	if (!fmt)
		return;
	free(run->message);
	va_start(ap, fmt);
	if (vasprintf(&run->message, fmt, ap) < 0)
		run->message = NULL;
	va_end(ap);
}

/* ---- what is in the folder ---- */

/* A copy of the string at this place; NULL if there is none. jansson gives valid UTF-8 only. */
static char *json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? clean_text(text) : NULL;
}

static int read_result(struct test_run *run)
{
	FILE *file = open_log(run, "result.json");
	json_t *json, *status;
	int err = -ENOENT;

	if (!file)
		return -errno;
	json = json_loadf(file, 0, NULL);
	fclose(file);
	status = json_object_get(json, "status");
	run->reason = json_text(json, "reason");
	if (run->reason && json_is_integer(status)) {
		run->status = (int)json_integer_value(status);
		run->message = json_text(json, "message");
		run->release = json_text(json_object_get(json, "kernel"), "release");
		err = 0;
	}
	json_decref(json);
	return err;
}

/* The last lines of a log, if there are none of another one yet; none if it cannot be read. */
static void read_tail(struct test_run *run, const char *log, const char *name)
{
	FILE *file = run->tail[0] ? NULL : open_log(run, name);
	char line[512];
	size_t n = 0;

	if (!file)
		return;
	if (fseek(file, -(long)sizeof(line) * TEST_TAIL_LINES, SEEK_END) == 0 &&
	    !fgets(line, sizeof(line), file))
		line[0] = '\0'; /* the rest of a line is no line */
	while (fgets(line, sizeof(line), file)) {
		char *clean;

		line[strcspn(line, "\r\n")] = '\0';
		clean = line[0] ? clean_text(line) : NULL;
		if (!clean)
			continue;
		if (n == TEST_TAIL_LINES) {
			free(run->tail[0]);
			memmove(run->tail, run->tail + 1, (n - 1) * sizeof(*run->tail));
			n--;
		}
		run->tail[n++] = clean;
		run->tail_of = log;
	}
	fclose(file);
}

/* ---- the verdict ---- */

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(word, *words))
			return true;
	return false;
}

/* The command ended by itself. */
static void judge_exit(struct test_run *run)
{
	const struct ktap *ktap = &run->ktap;
	bool only_skips =
		ktap->skipped && !ktap->passed && !ktap->failed && !ktap->todo && !ktap->bail;

	if (only_skips && (run->status == 0 || run->status == KSFT_SKIP)) {
		judged(run, TEST_SKIPPED, NULL, "%s", ktap->item[ktap->nitems - 1].reason);
		return;
	}
	if (ktap->bail)
		judged(run, TEST_FAILED, "subtests", "the command bailed out: %s",
		       *ktap->bail ? ktap->bail : "it does not say why");
	else if (ktap->failed)
		judged(run, TEST_FAILED, "subtests", "%lu of %lu subtests failed", ktap->failed,
		       ktap->failed + ktap->passed + ktap->skipped + ktap->todo);
	else if (run->status)
		judged(run, TEST_FAILED, NULL, "the command ended with status %d", run->status);
	else
		judged(run, TEST_PASSED, NULL, NULL);
}

static void judge_reason(struct test_run *run)
{
	/* Of the host, of ninepin, or of who stopped it: they tell nothing about the kernel. */
	static const char *const not_its_fault[] = {
		"not-started", "vmm-failed", "lost-data", "interrupted", "running", NULL,
	};

	if (!strcmp(run->reason, "exit"))
		judge_exit(run);
	else if (is_one_of(run->reason, not_its_fault))
		judged(run, TEST_UNJUDGED, NULL, NULL);
	else if (!strcmp(run->reason, "signal"))
		judged(run, TEST_FAILED, NULL, "the command died of signal %d (%s)",
		       run->status - STATUS_SIGNAL, strsignal(run->status - STATUS_SIGNAL));
	else
		judged(run, TEST_FAILED, NULL, NULL);
}

/* Of which the console tells nothing. */
static bool is_commands_end(const struct test_run *run)
{
	static const char *const reasons[] = {"exit", "signal", "subtests", NULL};

	return run->reason && is_one_of(run->reason, reasons);
}

void test_judge(struct test_run *run, int wait_status)
{
	FILE *output = open_log(run, "stdout");
	int err = output ? ktap_read(&run->ktap, output) : -errno;
	bool speechless = true; /* it could not say by itself what is wrong */

	if (output)
		fclose(output);
	if (err)
		judged(run, TEST_UNJUDGED, "no-output", "what the command said cannot be read: %s",
		       strerror(-err));
	else if (WIFSIGNALED(wait_status))
		judged(run, TEST_UNJUDGED, "vmm-crashed", "ninepin run died of signal %d (%s)",
		       WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
	else if (read_result(run))
		judged(run, TEST_UNJUDGED, "no-result",
		       "ninepin run ended with status %d and no result", WEXITSTATUS(wait_status));
	else if (run->status != WEXITSTATUS(wait_status))
		judged(run, TEST_UNJUDGED, "no-result",
		       "ninepin run ended with status %d, but its result says %d",
		       WEXITSTATUS(wait_status), run->status);
	else {
		speechless = false;
		judge_reason(run);
	}
	if (run->verdict != TEST_FAILED && run->verdict != TEST_UNJUDGED)
		return;
	if (speechless || is_commands_end(run)) {
		read_tail(run, "stderr", "stderr");
		if (!ktap_seen(&run->ktap))
			read_tail(run, "stdout", "stdout");
	} else {
		read_tail(run, "console", "console.log");
	}
}

void test_run_free(struct test_run *run)
{
	free(run->name);
	free(run->logs);
	free(run->logs_shown);
	free(run->reason);
	free(run->message);
	free(run->release);
	ktap_free(&run->ktap);
	for (size_t i = 0; i < TEST_TAIL_LINES; i++)
		free(run->tail[i]);
}

/* ---- all of them ---- */

void test_count(struct test_sum *sum, const struct test_run *run, size_t nruns)
{
	memset(sum, 0, sizeof(*sum));
	for (size_t i = 0; i < nruns; i++)
		sum->of[run[i].verdict]++;
}

int test_exit_status(const struct test_sum *sum)
{
	if (sum->of[TEST_FAILED])
		return 1;
	if (sum->of[TEST_UNJUDGED] || sum->of[TEST_WAITS] || sum->of[TEST_RUNS] ||
	    !sum->of[TEST_PASSED])
		return STATUS_NOT_STARTED;
	return 0;
}
