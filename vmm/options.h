/* SPDX-License-Identifier: MIT */
/* The words after `ninepin run`, read into values. */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/boot.h"
#include "boot/why.h"
#include "ninep/p9.h"
#include "vmm/hide.h"
#include "vmm/kreport.h"
#include "vmm/share.h"

#define MAX_SHARES 15 /* of the user's; the root may be one more 9P device */

struct option;

/* All strings are malloc'd and the options' own. */
struct run_options {
	struct share_options share[MAX_SHARES];
	unsigned int nshares;
	struct notes notes; /* what the user should know of them */
	char *root;    /* "busybox", or a folder */
	bool root_set; /* --root was given */
	bool root_rw;  /* the folder itself is written to */
	struct hide_list hide; /* of the root */
	bool hide_none;	       /* not even what is hidden of this machine's root by default */
	char **env; /* NAME=VALUE, in order, for the command */
	size_t nenv;
	char *kernel;  /* a file or a build tree; NULL: find one */
	bool no_unpack; /* a bzImage is booted as it is */
	char *modules; /* a /lib/modules/VERSION; NULL: find it */
	char *initrd;
	char *user;   /* USER[:GROUP]; NULL: root */
	char *append; /* all --append, in order, with a space between; "" if none */
	char *result;
	char *console_log;
	char *gdb;  /* where it may connect (vmm/gdb_listen.h); NULL: nowhere */
	bool gdb_wait;
	char *core; /* a file for the guest's memory; NULL: none */
	char *dump_dtb;	      /* a file for the device tree, or NULL */
	enum firmware firmware; /* if firmware_set; else the kernel decides */
	bool firmware_set;
	unsigned int cpus;
	bool cpus_set; /* --cpus was given */
	uint64_t ram;	     /* bytes */
	uint64_t timeout_ms; /* 0: none */
	uint64_t boot_timeout_ms;
	unsigned int fail_on; /* bits 1 << enum report_kind; always that of a panic */
	enum p9_executor executor;
	bool verbose;
	bool stats;
	bool timing;
	const char *help; /* the text that was asked for; NULL: none */
	char *const *command; /* borrowed from argv, ends with NULL; empty: a shell */
};

/*
 * argv[0] is "run". 0, or -EINVAL with a sentence. options_free() is right after either.
 */
int options_parse(struct run_options *opt, int argc, char *const *argv, struct why *why);
void options_free(struct run_options *opt);

/* Every option of `ninepin run`, as getopt_long(3) takes them; one below 256 is a letter, too. */
const struct option *options_known(void);

/* What --help, --help-share, --help-ci and --help-debug ask for. */
extern const char run_usage[], run_share_usage[], run_ci_usage[], run_debug_usage[];

/* A copy of value in place of what was there: the last one given wins. -ENOMEM with a sentence. */
int option_string(char **to, const char *value, struct why *why);
/* -ENOMEM and its sentence. */
int option_no_memory(struct why *why);
/* What getopt_long() refused, c being '?' or ':', in this word of `ninepin COMMAND`. -EINVAL. */
int option_refused(int c, const char *word, const char *command, struct why *why);
/* "auto", "ring" or "sync", as after --io. */
int parse_executor(const char *text, enum p9_executor *executor, struct why *why);
/* "512", "512M", "2G": a bare number is MiB. */
int parse_ram(const char *text, uint64_t *bytes, struct why *why);
/* "30", "1.5m", "2h", "1d", as timeout(1) takes them. */
int parse_duration(const char *option, const char *text, uint64_t *ms, struct why *why);

#endif
