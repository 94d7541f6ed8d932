// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "images/config.h"
#include "images/frames.h"
#include "tests/host/hostrun.h"

#define QEMU	 "qemu-system-x86_64"
#define MAX_ARGS 128

/* QEMU's words, one by one; the memory ends with the process that makes them. */
struct words {
	const char *word[MAX_ARGS];
	size_t n;
};

static void __attribute__((format(printf, 2, 3))) word(struct words *words, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (words->n < MAX_ARGS - 1 && vasprintf(&text, fmt, ap) >= 0)
		words->word[words->n++] = text;
	va_end(ap);
}

/* A value in QEMU's options: commas are doubled. */
static void quote(char *buf, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n < size - 2; text++) {
		if (*text == ',')
			buf[n++] = ',';
		buf[n++] = *text;
	}
	buf[n] = '\0';
}

static void virtfs(struct words *words, const char *path, const char *tag, bool read_only)
{
	char quoted[8192];

	quote(quoted, sizeof(quoted), path);
	word(words, "-virtfs");
	/* Only root can give files away; for others, "none" ignores that it fails. */
	word(words, "local,path=%s,mount_tag=%s,security_model=%s,multidevs=remap%s", quoted, tag,
	     geteuid() ? "none" : "passthrough", read_only ? ",readonly=on" : "");
}

/* The machine, as design.md found it to work: see docs/emulated-host.md for each reason. */
static void machine(struct words *words, const struct options *options)
{
	char build[8192];

	quote(build, sizeof(build), options->build);
	word(words, QEMU);
	word(words, "-accel");
	word(words, "tcg,thread=%s", options->icount ? "single" : "multi");
	if (options->icount) {
		word(words, "-icount");
		word(words, "shift=0,sleep=off");
		/* What happens at each message may not fail at one of a thousand. */
		word(words, "-plugin");
		word(words, "%s/mend.so", build);
	}
	word(words, "-plugin");
	word(words, "%s/int3.so", build);
	if (options->plugin) {
		word(words, "-plugin");
		word(words, "%s", options->plugin);
	}
	word(words, "-M");
	word(words, "q35");
	word(words, "-cpu");
	word(words, "qemu64,+svm,+npt");
	word(words, "-smp");
	word(words, "1");
	word(words, "-m");
	word(words, "%lu", options->mem);
	word(words, "-nodefaults");
	word(words, "-no-user-config");
	word(words, "-display");
	word(words, "none");
	word(words, "-no-reboot");
}

static void devices(struct words *words, const struct options *options, int port, int initramfs,
		    int scratch)
{
	char kernel[8192];

	snprintf(kernel, sizeof(kernel), "%s/kernel/vmlinux", options->build);
	word(words, "-kernel");
	word(words, "%s", kernel);
	word(words, "-initrd");
	word(words, "/proc/self/fd/%d", initramfs);
	word(words, "-append");
	/*
	 * A one-shot timer that this emulation loses while a guest is busy stops the host's clock for
	 * tens of seconds; a periodic one comes again. Counted time is steady, and keeps the exact one.
	 */
	word(words, "console=ttyS0 mitigations=off nokaslr panic=-1 cryptomgr.notests quiet %s"
		    "rdinit=/" GUEST_INIT_PATH,
	     options->icount ? "" : "highres=off nohz=off ");
	word(words, "-serial");
	word(words, "stdio");
	word(words, "-device");
	word(words, "virtio-serial-pci");
	word(words, "-chardev");
	word(words, "socket,id=port,fd=%d", port);
	word(words, "-device");
	word(words, "virtserialport,chardev=port,name=" FRAMES_PORT_NAME);
	word(words, "-object");
	word(words, "rng-random,id=rng,filename=/dev/urandom");
	word(words, "-device");
	word(words, "virtio-rng-pci,rng=rng");
	word(words, "-drive");
	word(words, "if=none,id=scratch,format=raw,cache=unsafe,file=/proc/self/fd/%d", scratch);
	word(words, "-device");
	word(words, "virtio-blk-pci,drive=scratch");
	if (options->root)
		virtfs(words, options->root, "root", true);
	for (size_t i = 0; i < options->nshares; i++) {
		char tag[16];

		snprintf(tag, sizeof(tag), "share%zu", i);
		virtfs(words, options->share[i].host, tag, options->share[i].read_only);
	}
}

/* In the child: becomes QEMU. Tells errno to fail_fd if it cannot. */
static _Noreturn void become_qemu(const struct options *options, const int *keep, size_t nkeep,
				  int console, int fail_fd, pid_t parent)
{
	struct words words = {0};
	sigset_t none;
	int null = open("/dev/null", O_RDWR);
	int err;

	/* It must not outlive us, and is not the terminal's to interrupt. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, 0);
	dup2(console, 1);
	dup2(console, 2);
	for (size_t i = 0; i < nkeep; i++)
		fcntl(keep[i], F_SETFD, 0);
	machine(&words, options);
	devices(&words, options, keep[0], keep[1], keep[2]);
	execvp(QEMU, (char *const *)words.word);
	err = errno;
	while (write(fail_fd, &err, sizeof(err)) < 0 && errno == EINTR)
		;
	_exit(127);
}

int qemu_start(struct qemu *qemu, const struct options *options, int initramfs, int scratch,
	       struct why *why)
{
	int pair[2] = {-1, -1}, fail[2] = {-1, -1};
	pid_t parent = getpid();
	int err = 0, ret;

	*qemu = (struct qemu){.port = -1, .console = -1};
	qemu->console = memfd_create("console", MFD_CLOEXEC);
	if (qemu->console < 0 || pipe2(fail, O_CLOEXEC) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		ret = why_fail(why, -errno, "no descriptors for QEMU: %s", strerror(errno));
		goto out;
	}
	qemu->pid = fork();
	if (qemu->pid < 0) {
		ret = why_fail(why, -errno, "no process for QEMU: %s", strerror(errno));
		qemu->pid = 0;
		goto out;
	}
	if (!qemu->pid) {
		const int keep[] = {pair[1], initramfs, scratch};

		become_qemu(options, keep, 3, qemu->console, fail[1], parent);
	}
	close(fail[1]);
	fail[1] = -1;
	if (read(fail[0], &err, sizeof(err)) == sizeof(err)) {
		ret = why_fail(why, -err, QEMU " cannot be started: %s%s", strerror(err),
			       err == ENOENT ? "; install the package qemu-system-x86" : "");
		goto out;
	}
	qemu->port = pair[0];
	pair[0] = -1;
	fcntl(qemu->port, F_SETFL, O_NONBLOCK);
	ret = 0;
out:
	for (int i = 0; i < 2; i++) {
		if (pair[i] >= 0)
			close(pair[i]);
		if (fail[i] >= 0)
			close(fail[i]);
	}
	if (ret)
		qemu_free(qemu);
	return ret;
}

bool qemu_failed(struct qemu *qemu)
{
	int status = 0;

	if (!qemu->pid)
		return false;
	while (waitpid(qemu->pid, &status, 0) < 0 && errno == EINTR)
		;
	qemu->pid = 0;
	return status != 0;
}

void qemu_stop(struct qemu *qemu)
{
	if (!qemu->pid)
		return;
	kill(qemu->pid, SIGKILL);
	while (waitpid(qemu->pid, NULL, 0) < 0 && errno == EINTR)
		;
	qemu->pid = 0;
}

void qemu_free(struct qemu *qemu)
{
	qemu_stop(qemu);
	if (qemu->port >= 0)
		close(qemu->port);
	if (qemu->console >= 0)
		close(qemu->console);
	qemu->port = qemu->console = -1;
}

/* The whole console, with a NUL after it; malloc'd, or NULL. */
static char *read_console(const struct qemu *qemu, size_t *len)
{
	struct stat st;
	char *text;
	ssize_t n;

	if (fstat(qemu->console, &st))
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return NULL;
	n = pread(qemu->console, text, (size_t)st.st_size, 0);
	*len = n < 0 ? 0 : (size_t)n;
	text[*len] = '\0';
	return text;
}

void qemu_show_console(const struct qemu *qemu, int lines)
{
	size_t len;
	char *text = read_console(qemu, &len);
	char *p;

	if (!text)
		return;
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		text[--len] = '\0';
	for (p = text + len; p > text; p--) {
		if (p[-1] == '\n' && !--lines)
			break;
	}
	if (*p)
		fprintf(stderr, "tests/host/run: the end of the console:\n");
	for (char *save = NULL, *line = strtok_r(p, "\r\n", &save); line;
	     line = strtok_r(NULL, "\r\n", &save))
		fprintf(stderr, "  | %s\n", line);
	free(text);
}

bool qemu_console_has(const struct qemu *qemu, const char *what)
{
	size_t len;
	char *text = read_console(qemu, &len);
	bool has = text && memmem(text, len, what, strlen(what));

	free(text);
	return has;
}
