// SPDX-License-Identifier: MIT
#include "vmm/test_jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/outcome.h"

#define SELF "/proc/self/exe"

/* ---- folders ---- */

char *logs_make(const char *asked, struct why *why)
{
	const char *tmp = getenv("TMPDIR");
	char *path = NULL;

	if (asked) {
		if (mkdir(asked, 0777) == 0 || errno == EEXIST)
			path = strdup(asked);
		else
			why_fail(why, -errno, "--logs: %s cannot be made: %s", asked,
				 strerror(errno));
	} else if (asprintf(&path, "%s/ninepin-test-XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0) {
		path = NULL;
		why_fail(why, -ENOMEM, "there is no memory left to start");
	} else if (!mkdtemp(path)) {
		why_fail(why, -errno,
			 "no folder for logs can be made in %s: %s: name one with --logs",
			 tmp && *tmp ? tmp : "/tmp", strerror(errno));
		free(path);
		path = NULL;
	}
	return path;
}

void logs_remove(const struct test_run *run)
{
	static const char *const names[] = {"console.log", "stdout", "stderr", "result.json"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (snprintf(path, sizeof(path), "%s/%s", run->logs, names[i]) < PATH_MAX)
			unlink(path);
	rmdir(run->logs);
}

/* ---- the process ---- */

static int add(char **words, size_t *n, const char *fmt, const char *a, const char *b)
{
	if (asprintf(&words[*n], fmt, a, b) < 0)
		return -ENOMEM;
	(*n)++;
	return 0;
}

static void free_words(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

/* Copies, so that all can be freed in one way. NULL without memory. */
static char **make_words(const struct test_run *run, const struct test_options *opt)
{
	size_t n = 0, ncommand = 0;
	char **words, cpus[32];
	int err;

	while (opt->command[ncommand])
		ncommand++;
	words = calloc(opt->npass + ncommand + 16, sizeof(*words));
	if (!words)
		return NULL;
	snprintf(cpus, sizeof(cpus), "%u", run->cpus);
	err = add(words, &n, "%s", "ninepin", "") ?: add(words, &n, "%s", "run", "");
	for (size_t i = 0; !err && i < opt->npass; i++)
		err = add(words, &n, "%s", opt->pass[i], "");
	err = err ?: add(words, &n, "--kernel=%s", run->kernel, "");
	err = err ?: add(words, &n, "--cpus=%s", cpus, "");
	if (!err && *run->variant)
		err = add(words, &n, "--append=%s", run->variant, "");
	err = err ?: add(words, &n, "--result=%s/%s", run->logs, "result.json");
	err = err ?: add(words, &n, "--console-log=%s/%s", run->logs, "console.log");
	err = err ?: add(words, &n, "%s", "--", "");
	for (size_t i = 0; !err && i < ncommand; i++)
		err = add(words, &n, "%s", opt->command[i], "");
	if (err) {
		free_words(words);
		return NULL;
	}
	return words;
}

static int open_stream(const struct test_run *run, const char *name, int flags)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", run->logs, name) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
}

static void child(char **words, const int fd[3], const struct test_signals *signals, pid_t parent)
{
	/* Also if the parent is killed. Then it may have been before this. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(STATUS_NOT_STARTED);
	for (int i = 0; i < 3; i++)
		if (dup2(fd[i], i) != i)
			_exit(STATUS_NOT_STARTED);
	sigaction(SIGPIPE, &signals->pipe, NULL);
	sigprocmask(SIG_SETMASK, &signals->mask, NULL);
	execv(SELF, words);
	dprintf(STDERR_FILENO, "ninepin: " SELF " cannot be run: %s\n", strerror(errno));
	_exit(STATUS_NOT_STARTED);
}

int job_start(struct test_run *run, const struct test_options *opt,
	      const struct test_signals *signals, struct why *why)
{
	int fd[3] = {-1, -1, -1}, err = 0;
	char **words = NULL;
	pid_t parent = getpid();

	if (mkdir(run->logs, 0777) && errno != EEXIST)
		return why_fail(why, -errno, "the folder %s cannot be made: %s", run->logs,
				strerror(errno));
	/* Files of an earlier run there are not this one's. */
	logs_remove(run);
	mkdir(run->logs, 0777);
	fd[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd[1] = open_stream(run, "stdout", O_WRONLY | O_CREAT | O_TRUNC);
	fd[2] = open_stream(run, "stderr", O_WRONLY | O_CREAT | O_TRUNC);
	if (fd[0] < 0 || fd[1] < 0 || fd[2] < 0) {
		err = why_fail(why, -errno, "a file in %s cannot be made: %s", run->logs,
			       strerror(errno));
		goto out;
	}
	words = make_words(run, opt);
	run->pid = words ? fork() : -1;
	if (run->pid == 0)
		child(words, fd, signals, parent);
	if (run->pid < 0)
		err = why_fail(why, -errno, "no process can be started: %s", strerror(errno));
out:
	free_words(words);
	for (int i = 0; i < 3; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	return err;
}
