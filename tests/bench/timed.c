// SPDX-License-Identifier: MIT
/*
 * timed ROW TIMES COMMAND…: runs a command TIMES times, its output thrown away, and prints
 * "ROW ms MEDIAN MIN MAX TIMES". A command that fails ends it with status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_TIMES 99

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double run(char **command)
{
	double start = now();
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		execvp(command[0], command);
		perror(command[0]);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("timed");
		exit(1);
	}
	if (status) {
		fprintf(stderr, "timed: %s failed (wait status %#x)\n", command[0],
			(unsigned int)status);
		exit(1);
	}
	return now() - start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int times = argc > 3 ? atoi(argv[2]) : 0;
	double sample[MAX_TIMES];

	if (times < 1 || times > MAX_TIMES) {
		fprintf(stderr, "usage: timed ROW TIMES COMMAND…\n");
		return 1;
	}
	for (int i = 0; i < times; i++)
		sample[i] = run(argv + 3);
	qsort(sample, (size_t)times, sizeof(*sample), compare);
	printf("%s ms %.3f %.3f %.3f %d\n", argv[1],
	       (sample[(times - 1) / 2] + sample[times / 2]) / 2, sample[0], sample[times - 1],
	       times);
	return 0;
}
