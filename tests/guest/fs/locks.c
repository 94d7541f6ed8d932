// SPDX-License-Identifier: MIT
/* Locks: between two processes here, and between here and the host. */
#include "tests/guest/fs/fs.h"

#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Long enough for any machine, and shorter than the 30 s that Linux's client sleeps by default. */
#define WAITER_SECONDS 20

enum kind { POSIX, OFD, FLOCK };

/* 0 or an errno. A flock(2) is always of the whole file. */
static int lock(enum kind kind, int fd, short type, off_t start, off_t length, int wait)
{
	struct flock range = { .l_type = type, .l_start = start, .l_len = length };
	int how = type == F_WRLCK ? LOCK_EX : type == F_RDLCK ? LOCK_SH : LOCK_UN;
	int ret;

	if (kind == FLOCK)
		ret = flock(fd, wait ? how : how | LOCK_NB);
	else if (kind == OFD)
		ret = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range);
	else
		ret = fcntl(fd, wait ? F_SETLKW : F_SETLK, &range);
	return !ret ? 0 : errno == EACCES ? EAGAIN : errno;
}

static int take(enum kind kind, int fd, short type)
{
	return lock(kind, fd, type, 0, 0, 0);
}

/* ---- the host's part ---- */

static int open_kind(const char *word, const char *path, enum kind *kind, int *fd)
{
	static const char *const words[] = { "posix", "ofd", "flock" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(word, words[i]))
			*kind = (enum kind)i;
	*fd = open(path, O_RDWR);
	return *fd < 0 ? errno : 0;
}

/* Holds a lock until it is killed; says whether it got it. */
static int hold(char **word, short type)
{
	enum kind kind = POSIX;
	int told[2], fd, err;
	FILE *pid_file;
	pid_t pid;

	if (pipe(told))
		return errno;
	pid = fork();
	if (pid) {
		if (read(told[0], &err, sizeof(err)) != sizeof(err) || err)
			return err;
		pid_file = fopen("holder", "w");
		return fprintf(pid_file, "%d", pid) < 0 || fclose(pid_file) ? errno : 0;
	}
	setsid();
	for (int i = 0; i < 3; i++)
		close(i);
	err = open_kind(word[0], word[1], &kind, &fd);
	if (!err)
		err = lock(kind, fd, type, atol(word[2]), atol(word[3]), 0);
	if (write(told[1], &err, sizeof(err)) == sizeof(err) && !err)
		pause();
	_exit(0);
}

/* Ends who holds, and waits until that is so. */
static int release(void)
{
	struct pollfd pfd = { .events = POLLIN };
	FILE *pid_file = fopen("holder", "r");
	pid_t pid = 0;

	if (pid_file && fscanf(pid_file, "%d", &pid) != 1)
		pid = 0;
	if (pid_file)
		fclose(pid_file);
	if (!pid)
		return ENOENT;
	pfd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pfd.fd < 0 || kill(pid, SIGKILL))
		return errno;
	return poll(&pfd, 1, 10000) == 1 ? 0 : ETIMEDOUT;
}

/*
 * fs lock hold|share KIND FILE START LENGTH   locks to write or to read, and stays
 * fs lock release                             ends that
 * fs lock try KIND FILE START LENGTH          locks to write, and unlocks
 */
int host_lock(char **word)
{
	enum kind kind = POSIX;
	int fd, err;

	if (!strcmp(word[0], "release"))
		return release();
	if (!strcmp(word[0], "hold") || !strcmp(word[0], "share"))
		return hold(word + 1, word[0][0] == 'h' ? F_WRLCK : F_RDLCK);
	err = open_kind(word[1], word[2], &kind, &fd);
	return err ? err : lock(kind, fd, F_WRLCK, atol(word[3]), atol(word[4]), 0);
}

/* ---- what the steps of other processes need to know ---- */

static enum kind kind;
static int inherited;

static int other_open(void)
{
	return open("f", O_RDWR);
}

static int other_gets(void)
{
	SAME(take(kind, other_open(), F_WRLCK), 0);
	return 0;
}

static int other_is_refused(void)
{
	int fd = other_open();

	SAME(take(kind, fd, F_WRLCK), EAGAIN);
	SAME(take(kind, fd, F_RDLCK), EAGAIN);
	return 0;
}

static int other_may_read(void)
{
	int fd = other_open();

	SAME(take(kind, fd, F_WRLCK), EAGAIN);
	SAME(take(kind, fd, F_RDLCK), 0);
	return 0;
}

static int start(enum kind this_kind)
{
	kind = this_kind;
	TRY(make("f", "text", 0666));
	return 0;
}

/* ---- two processes ---- */

static int exclude(enum kind k)
{
	int fd;

	TRY(start(k));
	fd = other_open();
	SAME(take(k, fd, F_WRLCK), 0);
	TRY(in_child(other_is_refused));
	SAME(take(k, fd, F_UNLCK), 0);
	TRY(in_child(other_gets));
	SAME(take(k, fd, F_RDLCK), 0);
	TRY(in_child(other_may_read));
	SAME(take(k, fd, F_WRLCK), 0);
	TRY(in_child(other_is_refused));
	SAME(take(k, fd, F_RDLCK), 0);
	TRY(in_child(other_may_read));
	CHECK(close(fd) == 0);
	TRY(in_child(other_gets));
	return 0;
}

/* A process that waits for a lock to write; it must not die of the alarm. */
static pid_t waiter(void)
{
	pid_t pid = fork();

	if (!pid) {
		alarm(WAITER_SECONDS);
		_exit(lock(kind, other_open(), F_WRLCK, 0, 0, 1));
	}
	return pid;
}

static int still_waits(pid_t pid)
{
	usleep(300000);
	SAME(waitpid(pid, NULL, WNOHANG), 0);
	return 0;
}

static int ends_well(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	SAME(status, 0);
	return 0;
}

static int waits(enum kind k)
{
	pid_t pid;
	int fd;

	TRY(start(k));
	fd = other_open();
	SAME(take(k, fd, F_WRLCK), 0);
	pid = waiter();
	TRY(still_waits(pid));
	SAME(take(k, fd, F_UNLCK), 0);
	return ends_well(pid);
}

static int takes_and_dies(void)
{
	SAME(take(kind, other_open(), F_WRLCK), 0);
	kill(getpid(), SIGKILL);
	return 1;
}

static int holder_dies(enum kind k)
{
	TRY(start(k));
	SAME(in_child(takes_and_dies), SIGKILL);
	TRY(in_child(other_gets));
	SAME(host("fs lock try %s f 0 0", k == FLOCK ? "flock" : "posix"), 0);
	return 0;
}

static void nothing(int sig)
{
	(void)sig;
}

static int gives_up(void)
{
	struct sigaction on_alarm = { .sa_handler = nothing };

	sigaction(SIGALRM, &on_alarm, NULL);
	alarm(3);
	SAME(lock(kind, other_open(), F_WRLCK, 0, 0, 1), EINTR);
	return 0;
}

/* As `flock -w 3` does. */
static int times_out(enum kind k)
{
	int fd;

	TRY(start(k));
	fd = other_open();
	SAME(take(k, fd, F_WRLCK), 0);
	TRY(in_child(gives_up));
	TRY(in_child(other_is_refused));
	SAME(take(k, fd, F_UNLCK), 0);
	TRY(in_child(other_gets));
	return 0;
}

static int ranges_of_other(void)
{
	int fd = other_open();

	SAME(lock(kind, fd, F_WRLCK, 0, 100, 0), 0);
	SAME(lock(kind, fd, F_WRLCK, 300, 0, 0), 0);
	SAME(lock(kind, fd, F_WRLCK, 150, 10, 0), 0);
	SAME(lock(kind, fd, F_WRLCK, 100, 1, 0), EAGAIN);
	SAME(lock(kind, fd, F_WRLCK, 199, 1, 0), EAGAIN);
	SAME(lock(kind, fd, F_WRLCK, 0, 101, 0), EAGAIN);
	SAME(lock(kind, fd, F_WRLCK, 200, 0, 0), EAGAIN);
	SAME(lock(kind, fd, F_WRLCK, 0, 0, 0), EAGAIN);
	return 0;
}

static int ranges(enum kind k)
{
	int fd;

	TRY(start(k));
	fd = other_open();
	SAME(lock(k, fd, F_WRLCK, 100, 200, 0), 0);
	SAME(lock(k, fd, F_UNLCK, 150, 10, 0), 0);
	TRY(in_child(ranges_of_other));
	return 0;
}

static int asks(void)
{
	struct flock range = { .l_type = F_WRLCK, .l_start = 0, .l_len = 100 };
	int fd = other_open();

	CHECK(fcntl(fd, F_GETLK, &range) == 0);
	SAME(range.l_type, F_WRLCK);
	SAME(range.l_start, 10);
	SAME(range.l_len, 20);
	SAME(range.l_pid, getppid());
	range = (struct flock){ .l_type = F_WRLCK, .l_start = 30, .l_len = 100 };
	CHECK(fcntl(fd, F_GETLK, &range) == 0);
	SAME(range.l_type, F_UNLCK);
	return 0;
}

static int get_lock(void)
{
	TRY(start(POSIX));
	SAME(lock(POSIX, other_open(), F_WRLCK, 10, 20, 0), 0);
	return in_child(asks);
}

static int child_tries(void)
{
	SAME(take(POSIX, inherited, F_WRLCK), EAGAIN);
	CHECK(close(inherited) == 0);
	return 0;
}

static int posix_fork(void)
{
	TRY(start(POSIX));
	inherited = other_open();
	SAME(take(POSIX, inherited, F_WRLCK), 0);
	TRY(in_child(child_tries));
	/* The child's close was none of the parent's. */
	TRY(in_child(other_is_refused));
	SAME(host("fs lock try posix f 0 0"), EAGAIN);
	return 0;
}

/* A flock is the open file's, whoever has it. */
static int child_has(void)
{
	SAME(take(FLOCK, inherited, F_WRLCK), 0);
	CHECK(close(inherited) == 0);
	return 0;
}

static int flock_fork(void)
{
	TRY(start(FLOCK));
	inherited = other_open();
	SAME(take(FLOCK, inherited, F_WRLCK), 0);
	TRY(in_child(child_has));
	TRY(in_child(other_is_refused));
	CHECK(close(inherited) == 0);
	TRY(in_child(other_gets));
	return 0;
}

static int child_locks(void)
{
	SAME(take(FLOCK, inherited, F_WRLCK), 0);
	return 0;
}

/* As a shell's `exec 9>f; flock 9; …; exec 9>&-`: flock(1) has taken the lock, and is gone. */
static int flock_by_child(void)
{
	TRY(start(FLOCK));
	inherited = other_open();
	TRY(in_child(child_locks));
	TRY(in_child(other_is_refused));
	/* Linux's 9P client gives it back for the host when the child ends, and keeps it here. */
	if (where == ON_DISK)
		SAME(host("fs lock try flock f 0 0"), EAGAIN);
	CHECK(close(inherited) == 0);
	TRY(in_child(other_gets));
	SAME(host("fs lock try flock f 0 0"), 0);
	return 0;
}

static int posix_other_close(void)
{
	int fd;

	TRY(start(POSIX));
	fd = other_open();
	SAME(take(POSIX, fd, F_WRLCK), 0);
	CHECK(close(other_open()) == 0);
	TRY(in_child(other_gets));
	SAME(host("fs lock try posix f 0 0"), 0);
	return 0;
}

static int other_close_keeps(enum kind k)
{
	int fd;

	TRY(start(k));
	fd = other_open();
	SAME(take(k, fd, F_WRLCK), 0);
	CHECK(close(other_open()) == 0);
	TRY(in_child(other_is_refused));
	return 0;
}

static int read_only(void)
{
	int fd;

	TRY(start(FLOCK));
	fd = open("f", O_RDONLY);
	SAME(take(POSIX, fd, F_WRLCK), EBADF);
	SAME(take(POSIX, fd, F_RDLCK), 0);
	SAME(take(POSIX, fd, F_UNLCK), 0);
	SAME(take(FLOCK, fd, F_WRLCK), 0);
	TRY(in_child(other_is_refused));
	return 0;
}

static int folder_is_refused(void)
{
	SAME(take(FLOCK, open("d", O_RDONLY), F_WRLCK), EAGAIN);
	return 0;
}

static int folder(void)
{
	CHECK(mkdir("d", 0755) == 0);
	SAME(take(FLOCK, open("d", O_RDONLY), F_WRLCK), 0);
	return in_child(folder_is_refused);
}

static int unlinked_and_renamed(void)
{
	int fd;

	TRY(start(FLOCK));
	fd = other_open();
	SAME(take(FLOCK, fd, F_WRLCK), 0);
	CHECK(rename("f", "g") == 0);
	SAME(host("fs lock try flock g 0 0"), EAGAIN);
	CHECK(unlink("g") == 0);
	SAME(take(FLOCK, fd, F_UNLCK), 0);
	SAME(take(FLOCK, fd, F_WRLCK), 0);
	/* Another file of the same name is free. */
	TRY(start(FLOCK));
	TRY(in_child(other_gets));
	return 0;
}

/* ---- here against the host ---- */

static const char *word(enum kind k)
{
	return k == POSIX ? "posix" : k == OFD ? "ofd" : "flock";
}

static int host_holds(enum kind k)
{
	int fd;

	TRY(start(k));
	fd = other_open();
	SAME(host("fs lock hold %s f 0 0", word(k)), 0);
	SAME(take(k, fd, F_WRLCK), EAGAIN);
	SAME(take(k, fd, F_RDLCK), EAGAIN);
	SAME(host("fs lock release"), 0);
	SAME(take(k, fd, F_WRLCK), 0);
	SAME(host("fs lock try %s f 0 0", word(k)), EAGAIN);
	SAME(take(k, fd, F_UNLCK), 0);
	SAME(host("fs lock share %s f 0 0", word(k)), 0);
	SAME(take(k, fd, F_WRLCK), EAGAIN);
	SAME(take(k, fd, F_RDLCK), 0);
	SAME(host("fs lock release"), 0);
	return 0;
}

static int wait_for_host(enum kind k)
{
	pid_t pid;

	TRY(start(k));
	SAME(host("fs lock hold %s f 0 0", word(k)), 0);
	pid = waiter();
	TRY(still_waits(pid));
	SAME(host("fs lock release"), 0);
	return ends_well(pid);
}

static int host_is_refused(enum kind k)
{
	int fd;

	TRY(start(k));
	fd = other_open();
	SAME(take(k, fd, F_RDLCK), 0);
	SAME(host("fs lock try %s f 0 0", word(k)), EAGAIN);
	SAME(take(k, fd, F_WRLCK), 0);
	SAME(host("fs lock try %s f 0 0", word(k)), EAGAIN);
	SAME(take(k, fd, F_UNLCK), 0);
	SAME(host("fs lock try %s f 0 0", word(k)), 0);
	SAME(take(k, fd, F_WRLCK), 0);
	CHECK(close(fd) == 0);
	SAME(host("fs lock try %s f 0 0", word(k)), 0);
	return 0;
}

static int ranges_with_host(enum kind k)
{
	struct flock range = { .l_type = F_WRLCK, .l_start = 0, .l_len = 1000 };
	int fd;

	TRY(start(k));
	fd = other_open();
	SAME(host("fs lock hold %s f 100 100", word(k)), 0);
	SAME(lock(k, fd, F_WRLCK, 0, 100, 0), 0);
	SAME(lock(k, fd, F_WRLCK, 200, 0, 0), 0);
	SAME(lock(k, fd, F_WRLCK, 150, 1, 0), EAGAIN);
	CHECK(fcntl(fd, k == OFD ? F_OFD_GETLK : F_GETLK, &range) == 0);
	SAME(range.l_type, F_WRLCK);
	SAME(range.l_start, 100);
	SAME(range.l_len, 100);
	SAME(host("fs lock release"), 0);
	SAME(host("fs lock try %s f 100 100", word(k)), 0);
	SAME(host("fs lock try %s f 99 1", word(k)), EAGAIN);
	SAME(host("fs lock try %s f 5000 1", word(k)), EAGAIN);
	SAME(lock(k, fd, F_UNLCK, 50, 10, 0), 0);
	SAME(host("fs lock try %s f 50 10", word(k)), 0);
	SAME(host("fs lock try %s f 49 1", word(k)), EAGAIN);
	return 0;
}

#define OF_KIND(step, kind)             \
	static int step##_##kind(void)  \
	{                               \
		return step(kind);      \
	}
#define OF_EACH(step)          \
	OF_KIND(step, POSIX)   \
	OF_KIND(step, OFD)     \
	OF_KIND(step, FLOCK)

OF_EACH(exclude)
OF_EACH(waits)
OF_EACH(holder_dies)
OF_EACH(host_holds)
OF_EACH(wait_for_host)
OF_EACH(host_is_refused)
OF_KIND(times_out, POSIX)
OF_KIND(times_out, FLOCK)
OF_KIND(ranges, POSIX)
OF_KIND(ranges, OFD)
OF_KIND(other_close_keeps, OFD)
OF_KIND(other_close_keeps, FLOCK)
OF_KIND(ranges_with_host, POSIX)
OF_KIND(ranges_with_host, OFD)

const struct fs_case lock_cases[] = {
	{ "fcntl: two processes exclude each other", exclude_POSIX, 0 },
	{ "fcntl, open file: two processes exclude each other", exclude_OFD, 0 },
	{ "flock: two processes exclude each other", exclude_FLOCK, 0 },
	{ "fcntl: who waits gets it", waits_POSIX, 0 },
	{ "fcntl, open file: who waits gets it", waits_OFD, 0 },
	{ "flock: who waits gets it", waits_FLOCK, 0 },
	{ "fcntl: gone when the holder dies", holder_dies_POSIX, 0 },
	{ "fcntl, open file: gone when the holder dies", holder_dies_OFD, 0 },
	{ "flock: gone when the holder dies", holder_dies_FLOCK, 0 },
	{ "fcntl: who waits can give up", times_out_POSIX, 0 },
	{ "flock: who waits can give up", times_out_FLOCK, 0 },
	{ "fcntl: ranges that do not overlap are free", ranges_POSIX, 0 },
	{ "fcntl, open file: ranges that do not overlap are free", ranges_OFD, 0 },
	{ "fcntl: F_GETLK says who holds what", get_lock, 0 },
	{ "fcntl: a child does not own its parent's lock", posix_fork, 0 },
	{ "flock: a child shares its parent's lock", flock_fork, 0 },
	{ "flock: what a child has locked lasts until the last close", flock_by_child, 0 },
	{ "fcntl: closing another descriptor drops the lock", posix_other_close, 0 },
	{ "fcntl, open file: closing another descriptor does not", other_close_keeps_OFD, 0 },
	{ "flock: closing another descriptor does not", other_close_keeps_FLOCK, 0 },
	{ "flock: to write, by a descriptor that only reads", read_only, 0 },
	{ "flock: of a folder", folder, 0 },
	{ "flock: of a file that is renamed and unlinked", unlinked_and_renamed, 0 },
	{ "fcntl: the host holds it", host_holds_POSIX, 0 },
	{ "fcntl, open file: the host holds it", host_holds_OFD, 0 },
	{ "flock: the host holds it", host_holds_FLOCK, 0 },
	{ "fcntl: who waits for the host gets it", wait_for_host_POSIX, 0 },
	{ "fcntl, open file: who waits for the host gets it", wait_for_host_OFD, 0 },
	{ "flock: who waits for the host gets it", wait_for_host_FLOCK, 0 },
	{ "fcntl: the host is refused", host_is_refused_POSIX, 0 },
	{ "fcntl, open file: the host is refused", host_is_refused_OFD, 0 },
	{ "flock: the host is refused", host_is_refused_FLOCK, 0 },
	{ "fcntl: ranges, with the host", ranges_with_host_POSIX, 0 },
	{ "fcntl, open file: ranges, with the host", ranges_with_host_OFD, 0 },
	{ 0 },
};
