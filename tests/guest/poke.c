// SPDX-License-Identifier: MIT
/*
 * Does to files what busybox has no command for. One static program for guest tests:
 *
 *   poke map-write FILE OFFSET TEXT   writes TEXT through a shared mapping
 *   poke map-leave FILE OFFSET TEXT   the same, and does not see to it that it gets any further
 *   poke map-read FILE OFFSET LENGTH  prints bytes from a shared mapping
 *   poke unlinked FILE                creates FILE, unlinks it, and still uses it
 *   poke exclusive FILE               open(O_CREAT|O_EXCL)
 *   poke dir-sync DIR                 fsync(2) of a folder
 *   poke signals COMMAND…             runs COMMAND with every signal as it is by default (a shell
 *                                     starts background jobs with SIGINT ignored)
 *   poke as UID COMMAND…              runs COMMAND as that user and group, with no other groups
 *   poke no-uring COMMAND…            runs COMMAND without io_uring, as containers do
 *   poke first COMMAND…               runs COMMAND before everything else, SCHED_FIFO and never paused: on
 *                                     one processor, nothing else runs
 *   poke kexec KERNEL INITRD CMDLINE  boots that kernel at once, without any shutdown
 *
 * Exit status: 0; 1 with the error's name on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerrorname_np(errno));
	return 1;
}

static int map(const char *path, const char *offset_text, const char *text, size_t length,
	       bool sync)
{
	size_t offset = strtoul(offset_text, NULL, 0);
	int fd = open(path, text ? O_RDWR : O_RDONLY);
	char *bytes;

	if (fd < 0)
		return fail("open");
	bytes = mmap(NULL, offset + length, text ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
		     fd, 0);
	if (bytes == MAP_FAILED)
		return fail("mmap");
	if (!text) {
		fwrite(bytes + offset, 1, length, stdout);
		return 0;
	}
	memcpy(bytes + offset, text, length);
	if (sync && msync(bytes, offset + length, MS_SYNC))
		return fail("msync");
	return 0;
}

static int unlinked(const char *path)
{
	char back[6] = "";
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		return fail("open");
	if (write(fd, "first", 5) != 5)
		return fail("write");
	if (unlink(path))
		return fail("unlink");
	if (pwrite(fd, "F", 1, 0) != 1)
		return fail("pwrite");
	if (pread(fd, back, 5, 0) != 5)
		return fail("pread");
	if (fstat(fd, &st))
		return fail("fstat");
	printf("%s %lld\n", back, (long long)st.st_size);
	return 0;
}

static int open_and_sync(const char *path, int flags, int sync)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		return fail("open");
	if (sync && fsync(fd))
		return fail("fsync");
	return 0;
}

static int with_signals(char **command)
{
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	execvp(command[0], command);
	return fail("exec");
}

static int as(const char *uid, char **command)
{
	unsigned int id = (unsigned int)strtoul(uid, NULL, 10);

	if (setgroups(0, NULL) || setgid(id) || setuid(id))
		return fail("setuid");
	execvp(command[0], command);
	return fail("exec");
}

static int no_uring(char **command)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		return fail("seccomp");
	execvp(command[0], command);
	return fail("exec");
}

static int first(char **command)
{
	struct sched_param param = { .sched_priority = 99 };
	int fd = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY);

	if (fd < 0 || write(fd, "-1", 2) != 2 || sched_setscheduler(0, SCHED_FIFO, &param))
		return fail("SCHED_FIFO");
	execvp(command[0], command);
	return fail("exec");
}

static int boot(const char *kernel, const char *initrd, const char *cmdline)
{
	int kernel_fd = open(kernel, O_RDONLY), initrd_fd = open(initrd, O_RDONLY);

	if (kernel_fd < 0 || initrd_fd < 0)
		return fail("open");
	if (syscall(SYS_kexec_file_load, kernel_fd, initrd_fd, strlen(cmdline) + 1, cmdline, 0ul))
		return fail("kexec_file_load");
	reboot(RB_KEXEC);
	return fail("reboot");
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";

	if (!strcmp(verb, "map-write") && argc == 5)
		return map(argv[2], argv[3], argv[4], strlen(argv[4]), true);
	if (!strcmp(verb, "map-leave") && argc == 5)
		return map(argv[2], argv[3], argv[4], strlen(argv[4]), false);
	if (!strcmp(verb, "map-read") && argc == 5)
		return map(argv[2], argv[3], NULL, strtoul(argv[4], NULL, 0), false);
	if (!strcmp(verb, "unlinked") && argc == 3)
		return unlinked(argv[2]);
	if (!strcmp(verb, "exclusive") && argc == 3)
		return open_and_sync(argv[2], O_CREAT | O_EXCL | O_WRONLY, 0);
	if (!strcmp(verb, "dir-sync") && argc == 3)
		return open_and_sync(argv[2], O_RDONLY | O_DIRECTORY, 1);
	if (!strcmp(verb, "signals"))
		return with_signals(argv + 2);
	if (!strcmp(verb, "no-uring"))
		return no_uring(argv + 2);
	if (!strcmp(verb, "first"))
		return first(argv + 2);
	if (!strcmp(verb, "kexec") && argc == 5)
		return boot(argv[2], argv[3], argv[4]);
	if (!strcmp(verb, "as") && argc > 3)
		return as(argv[2], argv + 3);
	fprintf(stderr, "poke: see the head of tests/guest/poke.c\n");
	return 125;
}
