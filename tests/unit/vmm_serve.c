// SPDX-License-Identifier: MIT
/* `ninepin serve`, as a process of its own: its words, its socket, its clients, its end. */
#include "kselftest_harness.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/unit/p9client.h"
#include "vmm/commands.h"

/* The process of a command, and what it says. */
struct command {
	pid_t pid;
	int out, err;	/* pipes from it */
	char said[4096]; /* on stderr, up to what was read of it */
	char printed[4096];
};

FIXTURE(serve)
{
	char dir[64]; /* where the test stands; the folder to serve is share */
	struct command c;
};

FIXTURE_SETUP(serve)
{
	strcpy(self->dir, "/tmp/vmm_serve.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, chdir(self->dir));
	ASSERT_EQ(0, mkdir("share", 0755));
}

FIXTURE_TEARDOWN(serve)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(command));
}

static int serve(int argc, char **argv)
{
	int status = serve_main(argc, argv);

	fflush(stdout);
#if defined(__SANITIZE_ADDRESS__)
	if (__lsan_do_recoverable_leak_check())
		return 99;
#endif
	return status;
}

/* As a container runtime does it. */
static void refuse_io_uring(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
		abort();
}

/* In commands started from now on: */
static bool without_io_uring;
static rlim_t most_files;

static void start(struct command *c, char *const words[])
{
	char *argv[16] = {"serve"};
	int out[2], err[2], argc = 1;

	memset(c, 0, sizeof(*c));
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		abort();
	while ((argv[argc] = words[argc - 1]))
		argc++;
	fflush(NULL);
	c->pid = fork();
	if (!c->pid) {
		signal(SIGINT, SIG_DFL); /* a shell's & ignores it */
		dup2(out[1], 1);
		dup2(err[1], 2);
		close(out[0]);
		close(err[0]);
		if (without_io_uring)
			refuse_io_uring();
		if (most_files)
			setrlimit(RLIMIT_NOFILE, &(struct rlimit){most_files, most_files});
		_exit(serve(argc, argv));
	}
	close(out[1]);
	close(err[1]);
	c->out = out[0];
	c->err = err[0];
}

#define START(c, ...) start(c, (char *[]){__VA_ARGS__, NULL})
#define SERVE(c, ...) START(c, "--socket", "s", "--share", "share", ##__VA_ARGS__)

/* Reads what it says until that has these words in it; false if it ends without. */
static bool await(struct command *c, const char *words)
{
	size_t len = strlen(c->said);

	while (!strstr(c->said, words)) {
		ssize_t n = read(c->err, c->said + len, sizeof(c->said) - 1 - len);

		if (n <= 0)
			return false;
		len += (size_t)n;
	}
	return true;
}

/* Its exit status, when it has ended and everything is read; -1: it died of a signal. */
static int end(struct command *c)
{
	size_t len = 0;
	int status;
	ssize_t n;

	await(c, "\xff");
	while ((n = read(c->out, c->printed + len, sizeof(c->printed) - 1 - len)) > 0)
		len += (size_t)n;
	close(c->out);
	close(c->err);
	waitpid(c->pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int stop(struct command *c, int sig)
{
	kill(c->pid, sig);
	return end(c);
}

static int connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A client that is attached. NULL if that does not succeed. */
static struct p9c *client(const char *path)
{
	int fd = connect_to(path);
	struct p9c *c;

	if (fd < 0)
		return NULL;
	c = p9c_connect(fd, NULL, NULL);
	return p9c_version(c, 65536) || p9c_attach(c, 0, "", P9_NONUNAME) ? NULL : c;
}

static void hang_up(struct p9c *c)
{
	close(c->sock);
	p9c_free(c);
}

static unsigned int lines(const char *s)
{
	unsigned int n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

/* ---- words ---- */

/* Refused with one sentence, which has this word in it. */
#define EXPECT_REFUSED(word, ...)                                                                  \
	do {                                                                                       \
		START(&self->c, __VA_ARGS__);                                                      \
		EXPECT_EQ(125, end(&self->c));                                                     \
		EXPECT_EQ(1, lines(self->c.said)) TH_LOG("said: %s", self->c.said);                \
		EXPECT_NE(NULL, strstr(self->c.said, word)) TH_LOG("said: %s", self->c.said);      \
		EXPECT_STREQ("", self->c.printed);                                                 \
	} while (0)

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

TEST_F(serve, bad_words)
{
	EXPECT_REFUSED("--socket is missing", "--share", "share");
	EXPECT_REFUSED("--share is missing", "--socket", "s");
	EXPECT_REFUSED("'--nosuch'", "--nosuch");
	EXPECT_REFUSED("'-x'", "-x");
	EXPECT_REFUSED("'--share'", "--socket", "s", "--share");
	EXPECT_REFUSED("'word'", "--socket", "s", "--share", "share", "word");
	EXPECT_REFUSED("'uring'", "--socket", "s", "--share", "share", "--io=uring");
	EXPECT_REFUSED("only one", "--socket", "s", "--share", "share", "--share", "share");
	EXPECT_REFUSED("empty", "--socket", "", "--share", "share");
	EXPECT_REFUSED("107 bytes", "--socket", FIFTY FIFTY "01234567", "--share", "share");
	EXPECT_REFUSED("nowhere to share is not there", "--socket", "s", "--share", "nowhere");
	EXPECT_REFUSED("unknown option 'nosuch'", "--socket", "s", "--share", "share,nosuch");
	EXPECT_REFUSED("nowhere/s cannot be made", "--socket", "nowhere/s", "--share", "share");
	EXPECT_NE(0, access("s", F_OK));
}

/* What only concerns a guest's mount. */
TEST_F(serve, words_for_a_guest)
{
	EXPECT_REFUSED("'/src'", "--socket", "s", "--share", "share:/src");
	EXPECT_REFUSED("'/src'", "--socket", "s", "--share", "share:/src:ro");
	EXPECT_REFUSED("'cache=none'", "--socket", "s", "--share", "share,cache=none");
	EXPECT_REFUSED("'msize=8192'", "--socket", "s", "--share", "share,ro,msize=8192");
	EXPECT_REFUSED("'tag=x'", "--socket", "s", "--share", "share,tag=x");
}

TEST_F(serve, help)
{
	START(&self->c, "--help");
	EXPECT_EQ(0, end(&self->c));
	EXPECT_STREQ("", self->c.said);
	EXPECT_GE(24, lines(self->c.printed));
	for (char *line = strtok(self->c.printed, "\n"); line; line = strtok(NULL, "\n")) {
		size_t columns = 0;

		for (char *p = line; *p; p++)
			columns += (*p & 0xc0) != 0x80;
		EXPECT_GE(80, columns) TH_LOG("%s", line);
	}
}

/* ---- serving ---- */

TEST_F(serve, serves)
{
	static char *const io[] = {"--io=auto", "--io=ring", "--io=sync"};

	for (int i = 0; i < 3; i++) {
		struct p9c *a, *b;
		struct stat st;
		char name[16];

		SERVE(&self->c, io[i]);
		ASSERT_TRUE(await(&self->c, "ninepin: serving share on s\n"));
		ASSERT_EQ(0, lstat("s", &st));
		EXPECT_TRUE(S_ISSOCK(st.st_mode));
		EXPECT_EQ(0600, st.st_mode & 07777);
		a = client("s");
		b = client("s");
		ASSERT_NE(NULL, a);
		ASSERT_NE(NULL, b);
		snprintf(name, sizeof(name), "f%d", i);
		ASSERT_EQ(0, p9c_walk(a, 0, 1, ""));
		ASSERT_EQ(0, p9c_lcreate(a, 1, name, O_RDWR, 0666, getgid()));
		EXPECT_EQ(5, p9c_write(a, 1, 0, "hello", 5));
		ASSERT_EQ(0, p9c_walk(b, 0, 1, name));
		ASSERT_EQ(0, p9c_lopen(b, 1, O_RDONLY));
		EXPECT_EQ(5, p9c_read(b, 1, 0, 100));
		EXPECT_EQ(0, memcmp(b->rp, "hello", 5));
		/* The mode is the client's affair, whatever the socket's was. */
		snprintf(name, sizeof(name), "share/f%d", i);
		ASSERT_EQ(0, stat(name, &st));
		EXPECT_EQ(0666, st.st_mode & 07777);
		hang_up(a);
		EXPECT_EQ(5, p9c_read(b, 1, 0, 100));
		EXPECT_EQ(128 + SIGTERM, stop(&self->c, SIGTERM));
		EXPECT_EQ(P9C_DROPPED, p9c_receive(b));
		EXPECT_NE(0, access("s", F_OK));
		hang_up(b);
	}
}

TEST_F(serve, where_io_uring_is_refused)
{
	struct p9c *c;

	without_io_uring = true;
	EXPECT_REFUSED("try --io=sync", "--socket", "s", "--share", "share", "--io=ring");
	SERVE(&self->c);
	ASSERT_TRUE(await(&self->c, "io_uring is refused here"));
	ASSERT_TRUE(await(&self->c, "serving share on s"));
	c = client("s");
	ASSERT_NE(NULL, c);
	EXPECT_EQ(0, p9c_lcreate(c, 0, "f", O_RDWR, 0666, getgid()));
	hang_up(c);
	EXPECT_EQ(128 + SIGTERM, stop(&self->c, SIGTERM));
}

TEST_F(serve, read_only)
{
	struct p9c *c;

	START(&self->c, "--socket", "s", "--share", "share:ro");
	ASSERT_TRUE(await(&self->c, "serving share on s"));
	c = client("s");
	ASSERT_NE(NULL, c);
	EXPECT_EQ(-EROFS, p9c_lcreate(c, 0, "f", O_RDWR, 0666, getgid()));
	hang_up(c);
	EXPECT_EQ(128 + SIGINT, stop(&self->c, SIGINT));
}

/* As many as there may be; one more waits until one of them has gone. */
TEST_F(serve, many_clients)
{
	enum { MOST = 64 };
	struct pollfd fd = {.events = POLLIN};
	struct p9c *c[MOST], *more;

	SERVE(&self->c);
	ASSERT_TRUE(await(&self->c, "serving"));
	for (int i = 0; i < MOST; i++) {
		c[i] = client("s");
		ASSERT_NE(NULL, c[i]);
	}
	more = p9c_connect(connect_to("s"), NULL, NULL);
	p9c_build(more, P9_TVERSION, "ds", 8192, "9P2000.L");
	ASSERT_EQ(0, p9c_submit(more));
	ASSERT_TRUE(await(&self->c, "64 clients are connected"));
	fd.fd = more->sock;
	EXPECT_EQ(0, poll(&fd, 1, 50));
	EXPECT_EQ(0, p9c_call(c[MOST - 1], P9_TSTATFS, "d", 0));
	hang_up(c[7]);
	EXPECT_EQ(0, p9c_wait(more));
	EXPECT_EQ(0, p9c_attach(more, 0, "", P9_NONUNAME));
	c[7] = more;
	for (int i = 0; i < MOST; i++)
		hang_up(c[i]);
	/* They can all come again. */
	more = client("s");
	ASSERT_NE(NULL, more);
	hang_up(more);
	EXPECT_EQ(128 + SIGTERM, stop(&self->c, SIGTERM));
}

/* Descriptors run out before that. Who was connected is served on, and the others in their turn. */
TEST_F(serve, too_few_descriptors)
{
	enum { MANY = 40 };
	struct p9c *c[MANY];

	most_files = 30;
	SERVE(&self->c);
	ASSERT_TRUE(await(&self->c, "serving"));
	for (int i = 0; i < MANY; i++) {
		c[i] = p9c_connect(connect_to("s"), NULL, NULL);
		ASSERT_LE(0, c[i]->sock);
		p9c_build(c[i], P9_TVERSION, "ds", 8192, "9P2000.L");
		ASSERT_EQ(0, p9c_submit(c[i]));
		/* The backlog is short: the last ones connect when the first have gone. */
		if (i >= 20) {
			EXPECT_EQ(0, p9c_wait(c[i - 20]));
			hang_up(c[i - 20]);
		}
	}
	for (int i = MANY - 20; i < MANY; i++) {
		EXPECT_EQ(0, p9c_wait(c[i]));
		hang_up(c[i]);
	}
	EXPECT_EQ(128 + SIGTERM, stop(&self->c, SIGTERM));
}

/* ---- the socket ---- */

static void stale_socket(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1))
		abort();
	close(fd);
}

TEST_F(serve, a_stale_socket_is_replaced)
{
	struct p9c *c;

	stale_socket("s");
	SERVE(&self->c);
	ASSERT_TRUE(await(&self->c, "serving"));
	c = client("s");
	ASSERT_NE(NULL, c);
	hang_up(c);
	EXPECT_EQ(128 + SIGTERM, stop(&self->c, SIGTERM));
}

TEST_F(serve, a_live_socket_is_left_alone)
{
	struct command first;
	struct p9c *c;

	SERVE(&first);
	ASSERT_TRUE(await(&first, "serving"));
	EXPECT_REFUSED("another server listens at s", "--socket", "s", "--share", "share");
	c = client("s");
	ASSERT_NE(NULL, c);
	hang_up(c);
	EXPECT_EQ(128 + SIGTERM, stop(&first, SIGTERM));
}

TEST_F(serve, a_file_in_the_way)
{
	int fd = open("s", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	close(fd);
	EXPECT_REFUSED("s is there, and is no socket", "--socket", "s", "--share", "share");
	EXPECT_EQ(0, access("s", F_OK));
	/* Nor is what a link names. */
	ASSERT_EQ(0, unlink("s"));
	stale_socket("other");
	ASSERT_EQ(0, symlink("other", "s"));
	EXPECT_REFUSED("s is there, and is no socket", "--socket", "s", "--share", "share");
	EXPECT_EQ(0, access("other", F_OK));
}

/* What somebody else has put at the path meanwhile is not ours to remove. */
TEST_F(serve, anothers_socket_is_not_removed)
{
	SERVE(&self->c);
	ASSERT_TRUE(await(&self->c, "serving"));
	ASSERT_EQ(0, rename("s", "elsewhere"));
	stale_socket("s");
	EXPECT_EQ(128 + SIGTERM, stop(&self->c, SIGTERM));
	EXPECT_EQ(0, access("s", F_OK));
}

/* ---- the end ---- */

/*
 * A request waits on the host while this process has the lease: setting the size opens the file. By
 * then the group is set, so it is not cancelled.
 */
static int blocked_setattr(struct p9c *c)
{
	int lease;

	signal(SIGIO, SIG_IGN);
	close(open("share/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
	lease = open("share/f", O_RDONLY | O_CLOEXEC);
	if (fcntl(lease, F_SETLEASE, F_RDLCK) || p9c_walk(c, 0, 1, "f"))
		abort();
	p9c_build(c, P9_TSETATTR, "dddddqqqqq", 1, P9_SET_GID | P9_SET_SIZE, 0, 0, getgid(), 0ull,
		  0ull, 0ull, 0ull, 0ull);
	if (p9c_submit(c))
		abort();
	/* It has begun when the kernel asks for the lease. */
	while (fcntl(lease, F_GETLEASE) == F_RDLCK)
		usleep(1000);
	return lease;
}

TEST_F(serve, ends_after_requests_in_flight)
{
	struct p9c *c;
	int lease;

	SERVE(&self->c);
	ASSERT_TRUE(await(&self->c, "serving"));
	c = client("s");
	ASSERT_NE(NULL, c);
	lease = blocked_setattr(c);
	kill(self->c.pid, SIGTERM);
	ASSERT_TRUE(await(&self->c, "ended by signal 15"));
	EXPECT_EQ(0, waitpid(self->c.pid, NULL, WNOHANG));
	close(lease);
	EXPECT_EQ(128 + SIGTERM, end(&self->c));
	hang_up(c);
}

/* It does not wait for the host for ever. */
TEST_F(serve, ends_though_the_host_hangs)
{
	struct p9c *c;
	int lease;

	SERVE(&self->c);
	ASSERT_TRUE(await(&self->c, "serving"));
	c = client("s");
	ASSERT_NE(NULL, c);
	lease = blocked_setattr(c);
	EXPECT_EQ(128 + SIGTERM, stop(&self->c, SIGTERM));
	EXPECT_NE(0, access("s", F_OK));
	close(lease);
	hang_up(c);
}

TEST_HARNESS_MAIN
