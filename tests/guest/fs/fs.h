/* SPDX-License-Identifier: MIT */
/*
 * What a folder's users may expect of it, as cases in tables. The same program runs in a guest, on a
 * share, and on a local disk: an expectation that a local disk does not meet is a wrong one.
 *
 * Each case runs in a process and an empty folder of its own, as root with umask 0. It returns 0, or
 * what CHECK and its kin return after they have printed why.
 */
#ifndef TESTS_GUEST_FS_H
#define TESTS_GUEST_FS_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How the folder is reached; a case may hold on some only. */
enum where {
	ON_NONE = 1, /* a share with cache=none, and so on */
	ON_MMAP = 2,
	ON_LOOSE = 4,
	ON_DISK = 8,
	ON_MAPPED = 16, /* cache=none, security_model=mapped-xattr */
	ON_9P = ON_NONE | ON_MMAP | ON_LOOSE | ON_MAPPED,
	/* What the host changes is seen. */
	ON_FRESH = ON_NONE | ON_MMAP | ON_MAPPED | ON_DISK,
	/* The host has the guest's owners, modes and kinds of files, and all of its attributes. */
	ON_FAITHFUL = ON_NONE | ON_MMAP | ON_LOOSE | ON_DISK,
	ON_ALL = ON_9P | ON_DISK,
};

struct fs_case {
	const char *name;
	int (*run)(void);
	enum where on; /* 0 is ON_ALL */
};

extern enum where where;

extern const struct fs_case open_cases[], name_cases[], mode_cases[], special_cases[], host_cases[],
	map_cases[], xattr_cases[], acl_cases[], lock_cases[];

/* An ordinary user of the guest, and another. */
#define USER  1000
#define OTHER 1001

/* Prints where and why a case fails, with the name of errno. Returns 1. */
int complain(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define COMPLAIN(...) complain(__FILE__, __LINE__, __VA_ARGS__)

#define CHECK(condition)                              \
	do {                                          \
		errno = 0;                            \
		if (!(condition))                     \
			return COMPLAIN("%s", #condition); \
	} while (0)

/* A call that must fail, with this errno. */
#define FAILS(want, call)                                                                      \
	do {                                                                                   \
		long long got_ = (long long)(call);                                            \
		if (got_ != -1 || errno != (want))                                             \
			return COMPLAIN("%s: wanted %s, got %lld", #call, strerrorname_np(want), \
					got_);                                                 \
	} while (0)

#define SAME(a, b)                                                                       \
	do {                                                                             \
		long long a_ = (long long)(a), b_ = (long long)(b);                      \
		if (a_ != b_)                                                            \
			return COMPLAIN("%s is %lld, %s is %lld", #a, a_, #b, b_);       \
	} while (0)

/* Another step of the same case, which has printed its own reason. */
#define TRY(step)               \
	do {                    \
		if (step)       \
			return 1; \
	} while (0)

/* Runs the step in a child process, as it is or as this user (and group) without privileges. */
int in_child(int (*step)(void));
int as_user(unsigned int id, int (*step)(void));

/*
 * Has the host run a shell command in this case's folder, with this program on its PATH as `fs`.
 * Returns its exit status.
 */
int host(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, of what only a faithful host knows. 0 on others. */
int faithful_host(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Makes (or overwrites) a file with this text and these permissions. */
int make(const char *path, const char *text, mode_t mode);
/* Whether a file has just this text, by opening it anew. */
int has(const char *path, const char *text);
/* Whether an open file has just this text from its beginning. */
int fd_has(int fd, const char *text);
/* Of a path, itself not followed: permissions and type; -1 if there is nothing. */
long long mode_of(const char *path);

/* What the host is asked to do, by words on the command line. Exit status: 0 or an errno. */
int host_lock(char **word);
int host_xattr(char **word);

#endif
