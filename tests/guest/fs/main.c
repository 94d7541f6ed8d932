// SPDX-License-Identifier: MIT
/*
 *   fs run WHERE CTL DIR GROUP…   runs the cases of these groups in DIR; WHERE is none, mmap, loose,
 *                                 disk or mapped. Prints "ok NAME" or "not ok NAME" after "# why", and
 *                                 at last "done"
 *   fs host CTL                   does what the cases ask of the host, through the folder CTL, which
 *                                 both see; until it is killed
 *   fs lock …, fs xattr …         what they ask: see locks.c, xattrs.c
 */
#include "tests/guest/fs/fs.h"

#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

/* Only what hangs is ended by these. */
#define CASE_SECONDS 90
#define HOST_SECONDS 60

enum where where;
static const char *ctl;
static pid_t running;

static const struct {
	const char *name;
	const struct fs_case *cases;
} groups[] = {
	{ "open", open_cases },	      { "names", name_cases }, { "modes", mode_cases },
	{ "special", special_cases }, { "host", host_cases },  { "map", map_cases },
	{ "xattrs", xattr_cases },    { "acls", acl_cases },   { "locks", lock_cases },
};

int complain(const char *file, int line, const char *fmt, ...)
{
	int err = errno;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("# %s:%d: %s (%s)\n", strrchr(file, '/') + 1, line, text, strerrorname_np(err));
	fflush(stdout);
	return 1;
}

int in_child(int (*step)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(step());
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return COMPLAIN("fork");
	return status;
}

static unsigned int user_id;
static int (*user_step)(void);

static int become_user(void)
{
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(user_id, user_id, user_id) == 0);
	CHECK(setresuid(user_id, user_id, user_id) == 0);
	return user_step();
}

int as_user(unsigned int id, int (*step)(void))
{
	user_id = id;
	user_step = step;
	return in_child(become_user);
}

/* ---- files ---- */

int make(const char *path, const char *text, mode_t mode)
{
	size_t n = strlen(text);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, n) != (ssize_t)n || fchmod(fd, mode) || close(fd))
		return COMPLAIN("making %s", path);
	return 0;
}

int fd_has(int fd, const char *text)
{
	char got[256];
	ssize_t n = pread(fd, got, sizeof(got), 0);

	return n == (ssize_t)strlen(text) && !memcmp(got, text, (size_t)n);
}

int has(const char *path, const char *text)
{
	int fd = open(path, O_RDONLY);
	int same = fd >= 0 && fd_has(fd, text);

	if (fd >= 0)
		close(fd);
	return same;
}

long long mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? -1 : (long long)st.st_mode;
}

/* ---- the host ---- */

static const char *ctl_path(const char *name)
{
	static char path[2][PATH_MAX];
	static int turn;

	turn = !turn;
	snprintf(path[turn], PATH_MAX, "%s/%s", ctl, name);
	return path[turn];
}

/* Passes a text to the other side, whole or not at all. */
static int post(const char *name, const char *text)
{
	FILE *file = fopen(ctl_path("new"), "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		return -1;
	return rename(ctl_path("new"), ctl_path(name));
}

/* Takes what the other side has posted. 0 if there is nothing. */
static int take(const char *name, char *text, size_t size)
{
	FILE *file = fopen(ctl_path(name), "r");
	size_t n;

	if (!file)
		return 0;
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
	return unlink(ctl_path(name)) == 0;
}

static int host_answers(const char *command)
{
	char text[64];

	if (post("request", command))
		return COMPLAIN("asking the host");
	for (int i = 0; i < HOST_SECONDS * 100; i++) {
		if (take("answer", text, sizeof(text)))
			return atoi(text);
		usleep(10000);
	}
	return COMPLAIN("the host does not answer: %s", command);
}

static __attribute__((format(printf, 1, 0))) int host_v(const char *fmt, va_list ap)
{
	char command[PATH_MAX + 512], folder[PATH_MAX];
	int n;

	if (!getcwd(folder, sizeof(folder)))
		return COMPLAIN("getcwd");
	n = snprintf(command, sizeof(command), "cd '%s' && ", folder);
	vsnprintf(command + n, sizeof(command) - (size_t)n, fmt, ap);
	return host_answers(command);
}

int host(const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = host_v(fmt, ap);
	va_end(ap);
	return ret;
}

int faithful_host(const char *fmt, ...)
{
	va_list ap;
	int ret = 0;

	va_start(ap, fmt);
	if (where & ON_FAITHFUL)
		ret = host_v(fmt, ap);
	va_end(ap);
	return ret;
}

static int be_host(void)
{
	char command[PATH_MAX + 512], text[64];

	for (;;) {
		if (!take("request", command, sizeof(command))) {
			usleep(10000);
			continue;
		}
		int status = system(command);

		snprintf(text, sizeof(text), "%d\n",
			 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
		if (post("answer", text))
			return COMPLAIN("answering");
	}
}

/* ---- running ---- */

static void end_case(int sig)
{
	(void)sig;
	kill(-running, SIGKILL);
}

static int run_case(const struct fs_case *c, const char *dir)
{
	int status = -1;

	if (mkdir(dir, 0777))
		return COMPLAIN("mkdir %s", dir);
	running = fork();
	if (!running) {
		signal(SIGALRM, SIG_DFL);
		setpgid(0, 0);
		_exit(chdir(dir) ? COMPLAIN("chdir") : c->run());
	}
	setpgid(running, running);
	alarm(CASE_SECONDS);
	while (waitpid(running, &status, 0) < 0 && errno == EINTR)
		;
	alarm(0);
	kill(-running, SIGKILL);
	if (WIFSIGNALED(status))
		printf("# it was ended by signal %d; 9: it hung\n", WTERMSIG(status));
	return status;
}

static int run(const char *base, char **group)
{
	struct sigaction on_alarm = { .sa_handler = end_case };

	umask(0);
	sigaction(SIGALRM, &on_alarm, NULL);
	for (; *group; group++) {
		const struct fs_case *c = NULL;

		for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
			if (!strcmp(groups[i].name, *group))
				c = groups[i].cases;
		if (!c)
			return COMPLAIN("no group %s", *group);
		for (int i = 0; c->name; c++, i++) {
			char dir[PATH_MAX];

			if (c->on && !(c->on & where))
				continue;
			snprintf(dir, sizeof(dir), "%s/%s%d", base, *group, i);
			printf("%s %s\n", run_case(c, dir) ? "not ok" : "ok", c->name);
			fflush(stdout);
		}
	}
	puts("done");
	return 0;
}

static int find_where(const char *word)
{
	static const char *const words[] = { "none", "mmap", "loose", "disk", "mapped" };

	for (int i = 0; i < 5; i++)
		if (!strcmp(word, words[i]))
			return 1 << i;
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";

	ctl = argv[argc > 3 ? 3 : 2];
	if (!strcmp(verb, "host") && argc == 3)
		return be_host();
	if (!strcmp(verb, "lock"))
		return host_lock(argv + 2);
	if (!strcmp(verb, "xattr"))
		return host_xattr(argv + 2);
	if (!strcmp(verb, "run") && argc > 5 && (where = (enum where)find_where(argv[2])))
		return run(argv[4], argv + 5);
	fprintf(stderr, "fs: see the head of tests/guest/fs/main.c\n");
	return 125;
}
