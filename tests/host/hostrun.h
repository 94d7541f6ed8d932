/* SPDX-License-Identifier: MIT */
/*
 * The emulated host: a machine in QEMU's pure software emulation whose kernel has a real KVM, with
 * our own init in it (design: docs/emulated-host.md).
 *
 *   hostrun.c   the run: the machine, its streams, its end
 *   options.c   the command line
 *   image.c     the initramfs and the scratch disk
 *   archive.c   files and folders of this machine into the initramfs, programs with their libraries
 *   qemu.c      QEMU's command line, its process, its console
 */
#ifndef TESTS_HOST_HOSTRUN_H
#define TESTS_HOST_HOSTRUN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "boot/boot.h"
#include "boot/why.h"

#define MAX_SHARES 16
#define MAX_ADDS   256

/* Exit statuses of our own, as ninepin's (docs: the command line). */
enum {
	END_PANIC = 120,
	END_NO_INIT = 121,
	END_NO_STATUS = 122,
	END_FAILED = 123,
	END_TIMEOUT = 124,
	END_NOT_STARTED = 125,
};

struct share {
	const char *host; /* absolute */
	const char *path; /* in the emulated host */
	bool read_only;
};

struct add {
	const char *file; /* on this machine */
	const char *path; /* in the emulated host */
};

struct options {
	const char *build; /* the folder with ninepin and kernel/ */
	bool icount;	   /* counted time */
	bool verbose;	   /* the kernel log on stderr */
	unsigned long mem; /* MiB */
	double timeout;	   /* seconds; 0: none */
	const char *plugin; /* QEMU's -plugin, or NULL */
	const char *root;  /* absolute, or NULL: an initramfs with busybox */
	struct share share[MAX_SHARES];
	size_t nshares;
	struct add add[MAX_ADDS];
	size_t nadds;
	char **argv; /* the command */
};

/* Reads the command line. 0: go on; 1: done (help was shown); -EINVAL with a sentence. */
int options_read(struct options *options, int argc, char **argv, struct why *why);

/* ---- the initramfs ---- */

struct archive {
	struct cpio cpio;
	const char *prefix; /* "" or "folder/": everything goes below it */
	char **made;	    /* folders and files that are there already */
	size_t nmade;
	unsigned int nested; /* depth of the folder that is being added */
};

/* Puts a file, folder (with all in it) or symbolic link of this machine at a path, an absolute one,
 * and with a dynamically linked program its libraries, at their own paths. Folders above are made.
 */
int archive_add(struct archive *archive, const char *file, const char *path, struct why *why);
int archive_dir(struct archive *archive, const char *path, struct why *why);
int archive_symlink(struct archive *archive, const char *path, const char *target, struct why *why);
void archive_free(struct archive *archive);

/* Writes the initramfs to a file in memory. A descriptor, or a negative errno. */
int image_initramfs(const struct options *options, bool tty, unsigned int rows,
		    unsigned int columns, struct why *why);
/* Makes the scratch disk: a file that has no name any more. A descriptor, or a negative errno. */
int image_scratch(struct why *why);

/* ---- the machine ---- */

struct qemu {
	pid_t pid;   /* 0: not running */
	int port;    /* our end of the frame stream; non-blocking */
	int console; /* a file in memory: the console, and QEMU's own messages */
};

/* Starts QEMU. 0, or a negative errno with nothing left behind. */
int qemu_start(struct qemu *qemu, const struct options *options, int initramfs, int scratch,
	       struct why *why);
/* Once it has closed the port: waits for its end. Whether it failed, other than by the machine's.
 */
bool qemu_failed(struct qemu *qemu);
/* Ends it, if it still runs, and waits for it. */
void qemu_stop(struct qemu *qemu);
/* The console's last lines, to stderr. */
void qemu_show_console(const struct qemu *qemu, int lines);
/* Whether the console has this text. */
bool qemu_console_has(const struct qemu *qemu, const char *text);
void qemu_free(struct qemu *qemu);

/* Runs a program and waits for it, with its output in *text (malloc'd) if that is not NULL. Its
 * exit status, or a negative errno. */
int run_program(const char *const argv[], char **text);

#endif
