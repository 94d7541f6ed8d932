// SPDX-License-Identifier: MIT
/*
 * Starts the command. What a shell would say when there is no such command, the child says itself,
 * on the command's own stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/init.h"

extern char **environ;

/* A script without "#!" is the shell's to run; a program for another machine is not. */
static bool is_text(const char *path)
{
	char head[128];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head));

	if (fd >= 0)
		close(fd);
	return n >= 0 && !memchr(head, '\0', (size_t)n);
}

/* Returns only if it failed, with errno. */
static void exec_path(const char *path)
{
	struct stat st;

	execv(path, config.arg);
	if (errno == ENOEXEC && is_text(path)) {
		char *shell[GUEST_MAX_WORDS + 2] = {"sh", (char *)path};

		memcpy(shell + 2, config.arg + 1, config.nargs * sizeof(*shell));
		execv("/bin/sh", shell);
		errno = ENOEXEC;
	} else if (errno == EACCES && !stat(path, &st) && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
	}
}

/* Looks for a name in PATH; errno is what the best candidate said. */
static void exec_search(const char *name)
{
	const char *path = getenv("PATH");
	int err = ENOENT;

	for (const char *dir = path ? path : ""; *dir; dir += *dir == ':') {
		size_t len = strcspn(dir, ":");
		char full[4096];

		if (snprintf(full, sizeof(full), "%.*s/%s", (int)len, len ? dir : ".", name) <
		    (int)sizeof(full)) {
			exec_path(full);
			if (errno != ENOENT && errno != ENOTDIR && errno != EISDIR)
				err = errno;
		}
		dir += len;
	}
	errno = err;
}

static _Noreturn void exec_command(void)
{
	const char *name = config.arg[0];
	struct stat st;
	int err;

	environ = config.env;
	if (strchr(name, '/'))
		exec_path(name);
	else if (*name)
		exec_search(name);
	else
		errno = ENOENT;
	err = errno;
	if (err != ENOENT && err != ENOTDIR) {
		dprintf(2, "ninepin: %s: %s\n", name, strerror(err));
		_exit(126);
	}
	if (strchr(name, '/') && !stat(name, &st))
		dprintf(2, "ninepin: %s: its interpreter is not found\n", name);
	else
		dprintf(2, "ninepin: %s: not found\n", name);
	_exit(127);
}

/*
 * The streams are the user's too, who else could not open /dev/stderr, or the terminal. The groups
 * go first: afterwards nobody may.
 */
static void become_user(void)
{
	for (int fd = 0; fd < 3; fd++)
		fchown(fd, config.uid, (gid_t)-1);
	if (setgroups(config.ngroups, config.group) || setgid(config.gid) || setuid(config.uid)) {
		dprintf(2, "ninepin: the guest cannot run a command as user %u: %s\n", config.uid,
			strerror(errno));
		_exit(126);
	}
}

static _Noreturn void child(int in, int out, int err, bool tty)
{
	sigset_t none;

	setsid();
	if (tty)
		ioctl(in, TIOCSCTTY, 0);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (config.user)
		become_user();
	if (config.cwd && chdir(config.cwd)) {
		dprintf(2, "ninepin: %s: %s\n", config.cwd, strerror(errno));
		_exit(126);
	}
	exec_command();
}

void command_winsize(const struct command *command, unsigned int rows, unsigned int columns)
{
	struct winsize size = {
		.ws_row = (unsigned short)rows,
		.ws_col = (unsigned short)columns,
	};

	if (config.tty && command->out >= 0)
		ioctl(command->out, TIOCSWINSZ, &size);
}

static int open_terminal(struct command *command)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	char name[32];
	int number, unlock = 0;

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) || ioctl(master, TIOCGPTN, &number)) {
		int err = errno;

		if (master >= 0)
			close(master);
		return fail("the guest gives no terminal: /dev/ptmx: %s", strerror(err));
	}
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	command->in = command->out = master;
	command->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (command->slave < 0)
		return fail("the guest gives no terminal: %s: %s", name, strerror(errno));
	command_winsize(command, config.rows, config.columns);
	return 0;
}

int command_start(struct command *command)
{
	/* Three pipes and the one that tells of exec(): read ends first. */
	int pipes[4][2];

	*command = (struct command){.in = -1, .out = -1, .err = -1, .slave = -1};
	for (int i = 0; i < 4; i++) {
		if (pipe2(pipes[i], O_CLOEXEC))
			return fail("no pipe for the command: %s", strerror(errno));
	}
	if (config.tty && open_terminal(command))
		return -1;

	command->pid = fork();
	if (command->pid < 0)
		return fail("no process for the command: %s", strerror(errno));
	if (!command->pid) {
		if (config.tty)
			child(command->slave, command->slave, command->slave, true);
		child(pipes[0][0], pipes[1][1], pipes[2][1], false);
	}

	command->started = pipes[3][0];
	close(pipes[3][1]);
	close(pipes[0][0]);
	close(pipes[1][1]);
	close(pipes[2][1]);
	if (config.tty) {
		close(pipes[0][1]);
		close(pipes[1][0]);
		close(pipes[2][0]);
		return 0;
	}
	command->in = pipes[0][1];
	command->out = pipes[1][0];
	command->err = pipes[2][0];
	fcntl(command->in, F_SETFL, O_NONBLOCK);
	fcntl(command->out, F_SETFL, O_NONBLOCK);
	fcntl(command->err, F_SETFL, O_NONBLOCK);
	return 0;
}
