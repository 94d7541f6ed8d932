// SPDX-License-Identifier: MIT
/*
 * Somebody at a terminal, for tests: runs a command on a pseudo-terminal of 30 rows and 100 columns
 * and goes through steps, then waits for the command's end.
 *
 *   pty STEP… -- COMMAND…
 *     expect:TEXT       waits until TEXT is on the screen, after what was last expected
 *     send:TEXT         types TEXT
 *     size:ROWSxCOLS    resizes the terminal
 *
 * Prints what was on the screen. Exit status: the command's, or 128 + its signal; 125 if a step failed
 * or the terminal's settings at the end are not those of the start.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

/* Ends only what hangs. */
#define PATIENCE_MS 120000

static char screen[1 << 20];
static size_t shown, expected; /* bytes on the screen, and how many of them were expected so far */

/* Reads what comes next. 0 at the end of the terminal, -1 if nothing comes. */
static int more(int terminal)
{
	struct pollfd pfd = { .fd = terminal, .events = POLLIN };
	ssize_t n;

	if (shown == sizeof(screen) - 1)
		return -1;
	if (poll(&pfd, 1, PATIENCE_MS) != 1)
		return -1;
	n = read(terminal, screen + shown, sizeof(screen) - 1 - shown);
	if (n <= 0)
		return 0;
	fwrite(screen + shown, 1, (size_t)n, stdout);
	shown += (size_t)n;
	return 1;
}

static int expect(int terminal, const char *text)
{
	for (;;) {
		char *found = memmem(screen + expected, shown - expected, text, strlen(text));

		if (found) {
			expected = (size_t)(found - screen) + strlen(text);
			return 0;
		}
		if (more(terminal) <= 0)
			return -1;
	}
}

static int step(int terminal, const char *step)
{
	struct winsize size = { 0 };

	if (!strncmp(step, "expect:", 7))
		return expect(terminal, step + 7);
	if (!strncmp(step, "send:", 5))
		return write(terminal, step + 5, strlen(step + 5)) < 0 ? -1 : 0;
	if (sscanf(step, "size:%hux%hu", &size.ws_row, &size.ws_col) == 2)
		return ioctl(terminal, TIOCSWINSZ, &size);
	return -1;
}

int main(int argc, char **argv)
{
	struct winsize size = { .ws_row = 30, .ws_col = 100 };
	struct termios before, after;
	int terminal, spare, status, command = 1, failed = 0;
	pid_t pid;

	while (command < argc && strcmp(argv[command], "--") != 0)
		command++;
	if (++command >= argc) {
		fprintf(stderr, "usage: pty STEP… -- COMMAND…\n");
		return 125;
	}
	/* The spare descriptor keeps the settings readable when the command is gone. */
	if (openpty(&terminal, &spare, NULL, NULL, &size) || tcgetattr(spare, &before)) {
		perror("pty");
		return 125;
	}
	pid = fork();
	if (!pid) {
		close(terminal);
		login_tty(spare);
		execvp(argv[command], argv + command);
		_exit(127);
	}
	for (int i = 1; i < command - 1 && !failed; i++)
		if (step(terminal, argv[i])) {
			printf("\npty: this step failed: %s\n", argv[i]);
			failed = 1;
			kill(pid, SIGKILL);
		}
	/* The terminal's end does not show while the spare is open: wait for the command. */
	while (waitpid(pid, &status, WNOHANG) == 0) {
		struct pollfd pfd = { .fd = terminal, .events = POLLIN };

		if (poll(&pfd, 1, 100) == 1)
			more(terminal);
	}
	if (tcgetattr(spare, &after))
		return 125;
	while (poll(&(struct pollfd){ .fd = terminal, .events = POLLIN }, 1, 0) == 1 &&
	       more(terminal) > 0)
		;
	if (!failed && (before.c_iflag != after.c_iflag || before.c_oflag != after.c_oflag ||
			before.c_cflag != after.c_cflag || before.c_lflag != after.c_lflag ||
			memcmp(before.c_cc, after.c_cc, sizeof(before.c_cc)) != 0)) {
		printf("\npty: the terminal's settings were not restored\n");
		failed = 1;
	}
	if (failed)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
