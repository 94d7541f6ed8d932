// SPDX-License-Identifier: MIT
#include "vmm/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/platform.h"
#include "vmm/foreign/foreign.h"

#define DEFAULT_RAM (1024ull << 20)

enum {
	OPT_SHARE = 256,
	OPT_LIBVIRT,
	OPT_VIRTFS,
	OPT_ROOT,
	OPT_HIDE,
	OPT_ENV,
	OPT_KERNEL,
	OPT_MODULES,
	OPT_INITRD,
	OPT_APPEND,
	OPT_TIMEOUT,
	OPT_RESULT,
	OPT_CONSOLE_LOG,
	OPT_CORE,
	OPT_GDB,
	OPT_HELP_DEBUG,
	OPT_IO,
	OPT_STATS,
	OPT_FIRMWARE,
	OPT_DUMP_DTB,
	OPT_HELP_SHARE,
	OPT_NO_UNPACK,
	OPT_BOOT_TIMEOUT,
	OPT_FAIL_ON,
	OPT_TIMING,
	OPT_HELP_CI,
};

static const struct option long_options[] = {
	{ "share", required_argument, NULL, OPT_SHARE },
	{ "libvirt", required_argument, NULL, OPT_LIBVIRT },
	{ "virtfs", required_argument, NULL, OPT_VIRTFS },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "hide", required_argument, NULL, OPT_HIDE },
	{ "env", required_argument, NULL, OPT_ENV },
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "no-unpack", no_argument, NULL, OPT_NO_UNPACK },
	{ "modules", required_argument, NULL, OPT_MODULES },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "user", required_argument, NULL, 'u' },
	{ "cpus", required_argument, NULL, 'c' },
	{ "mem", required_argument, NULL, 'm' },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "result", required_argument, NULL, OPT_RESULT },
	{ "console-log", required_argument, NULL, OPT_CONSOLE_LOG },
	{ "core", required_argument, NULL, OPT_CORE },
	{ "gdb", required_argument, NULL, OPT_GDB },
	{ "help-debug", no_argument, NULL, OPT_HELP_DEBUG },
	{ "io", required_argument, NULL, OPT_IO },
	{ "stats", no_argument, NULL, OPT_STATS },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "firmware", required_argument, NULL, OPT_FIRMWARE },
	{ "dump-dtb", required_argument, NULL, OPT_DUMP_DTB },
	{ "help-share", no_argument, NULL, OPT_HELP_SHARE },
	{ "boot-timeout", required_argument, NULL, OPT_BOOT_TIMEOUT },
	{ "fail-on", required_argument, NULL, OPT_FAIL_ON },
	{ "timing", no_argument, NULL, OPT_TIMING },
	{ "help-ci", no_argument, NULL, OPT_HELP_CI },
	{ NULL, 0, NULL, 0 },
};

const struct option *options_known(void)
{
	return long_options;
}

int option_no_memory(struct why *why)
{
	return why_fail(why, -ENOMEM, "there is no memory left to read the options");
}

int option_string(char **to, const char *value, struct why *why)
{
	char *copy = strdup(value);

	if (!copy)
		return option_no_memory(why);
	free(*to);
	*to = copy;
	return 0;
}

static int set_path(char **to, const char *option, const char *value, struct why *why)
{
	if (!*value)
		return why_fail(why, -EINVAL, "%s: the name is empty: give a file or a folder",
				option);
	return option_string(to, value, why);
}

/* PLACE[,wait] */
static int set_gdb(struct run_options *opt, const char *value, struct why *why)
{
	static const char wait[] = ",wait";
	int err = set_path(&opt->gdb, "--gdb", value, why);
	char *end;

	if (err)
		return err;
	end = opt->gdb + strlen(opt->gdb);
	opt->gdb_wait = end - opt->gdb > (ptrdiff_t)strlen(wait) && !strcmp(end - strlen(wait), wait);
	if (opt->gdb_wait)
		end[-(ptrdiff_t)strlen(wait)] = '\0';
	return 0;
}

int parse_ram(const char *text, uint64_t *bytes, struct why *why)
{
	unsigned int shift = 20;
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || errno)
		goto bad;
	if (*end) {
		switch (toupper((unsigned char)*end)) {
		case 'K':
			shift = 10;
			break;
		case 'M':
			shift = 20;
			break;
		case 'G':
			shift = 30;
			break;
		case 'T':
			shift = 40;
			break;
		default:
			goto bad;
		}
		end++;
		/* "512M", "512MB" and "512MiB" are the same to people. */
		if (!strcasecmp(end, "b") || !strcasecmp(end, "ib"))
			end += strlen(end);
		if (*end)
			goto bad;
	}
	if (n > UINT64_MAX >> shift)
		goto bad;
	/* Whole pages: KVM takes nothing else. */
	*bytes = (n << shift) & ~0xfffull;
	return 0;
bad:
	return why_fail(why, -EINVAL, "--mem: '%s' is not a size: give MiB, or a number with K, M or G",
			text);
}

int parse_duration(const char *option, const char *text, uint64_t *ms, struct why *why)
{
	static const struct {
		char suffix;
		double seconds;
	} units[] = { { '\0', 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	char *end;
	double n = strtod(text, &end);

	if ((isdigit((unsigned char)*text) || *text == '.') && end != text && isfinite(n))
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
			double total = n * units[i].seconds * 1000;

			if (*end != units[i].suffix || (*end && end[1]))
				continue;
			if (total > 1e15)
				break;
			/* A time-out that rounds down to "none" would be a trap. */
			*ms = total > 0 && total < 1 ? 1 : (uint64_t)total;
			return 0;
		}
	return why_fail(why, -EINVAL,
			"%s: '%s' is not a time: give seconds, or a number with s, m, h or d",
			option, text);
}

static int parse_cpus(const char *text, unsigned int *cpus, struct why *why)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (!*text || *end || n < 1 || n > PLATFORM_MAX_CPUS)
		return why_fail(why, -EINVAL, "--cpus: '%s' is not a number from 1 to %d", text,
				PLATFORM_MAX_CPUS);
	*cpus = (unsigned int)n;
	return 0;
}

int parse_executor(const char *text, enum p9_executor *executor, struct why *why)
{
	if (!strcmp(text, "auto"))
		*executor = P9_EXEC_AUTO;
	else if (!strcmp(text, "ring"))
		*executor = P9_EXEC_RING;
	else if (!strcmp(text, "sync"))
		*executor = P9_EXEC_SYNC;
	else
		return why_fail(why, -EINVAL, "--io: '%s' is not one of auto, ring and sync", text);
	return 0;
}

int option_refused(int c, const char *word, const char *command, struct why *why)
{
	return why_fail(why, -EINVAL,
			c == ':' ? "option '%s' needs a value: see ninepin %s --help" :
				   "unknown option '%s': see ninepin %s --help",
			word, command);
}

static int add_words(char **append, const char *words, struct why *why)
{
	size_t old = strlen(*append), more = strlen(words);
	char *joined = realloc(*append, old + 1 + more + 1);

	if (!joined)
		return option_no_memory(why);
	*append = joined;
	if (old)
		joined[old++] = ' ';
	memcpy(joined + old, words, more + 1);
	return 0;
}

/* The shares of another program's configuration come after those that there are. */
static int add_foreign(struct run_options *opt, int c, const char *arg, struct why *why)
{
	struct foreign foreign = { 0 };
	unsigned int n = 0;
	int err = c == OPT_LIBVIRT ? foreign_read_libvirt(&foreign, arg, why) :
				     foreign_read_virtfs(&foreign, arg, why);

	if (!err)
		err = foreign_to_shares(&foreign, opt->share + opt->nshares,
					MAX_SHARES - opt->nshares, &n, &opt->notes, why);
	opt->nshares += n;
	foreign_free(&foreign);
	return err;
}

/* DIR[,rw] or busybox */
static int set_root(struct run_options *opt, const char *arg, struct why *why)
{
	char *copy = strdup(arg), *rest = copy, *word;
	int err;

	if (!copy)
		return option_no_memory(why);
	opt->root_set = true;
	opt->root_rw = false;
	err = set_path(&opt->root, "--root", share_next_word(&rest), why);
	while (!err && (word = share_next_word(&rest))) {
		opt->root_rw = !strcmp(word, "rw");
		if (strcmp(word, "rw") && strcmp(word, "ro"))
			err = why_fail(why, -EINVAL,
				       "--root: '%s' is none of ro and rw (a comma in a path is written "
				       "twice)",
				       word);
	}
	if (!err && opt->root_rw && !strcmp(opt->root, "busybox"))
		err = why_fail(why, -EINVAL,
			       "--root: busybox is in the guest's memory, and is written to there: leave "
			       "out rw");
	free(copy);
	return err;
}

static int add_hidden(struct run_options *opt, const char *path, struct why *why)
{
	if (!strcmp(path, "none")) {
		opt->hide_none = true;
		return 0;
	}
	return hide_check(path, why) ?: hide_add(&opt->hide, path, why);
}

/* As a shell takes it for a variable's. */
static bool is_name(const char *text, size_t len)
{
	if (!len || isdigit((unsigned char)*text))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '_')
			return false;
	return true;
}

/* NAME=VALUE, or NAME with its value here. */
static int add_env(struct run_options *opt, const char *arg, struct why *why)
{
	size_t len = strcspn(arg, "=");
	const char *value = arg[len] ? arg + len + 1 : NULL;
	char **grown, *text;

	if (!is_name(arg, len))
		return why_fail(why, -EINVAL,
				"--env: '%s' is not NAME or NAME=VALUE: a name has letters, digits and _",
				arg);
	if (!value)
		value = getenv(arg);
	if (!value)
		return why_fail(why, -EINVAL,
				"--env: %s is not set here: set (and export) it, or give --env %s=VALUE",
				arg, arg);
	grown = realloc(opt->env, (opt->nenv + 1) * sizeof(*grown));
	if (!grown)
		return option_no_memory(why);
	opt->env = grown;
	if (asprintf(&text, "%.*s=%s", (int)len, arg, value) < 0)
		return option_no_memory(why);
	grown[opt->nenv++] = text;
	return 0;
}

/* ---- all ---- */

static int parse_firmware(struct run_options *opt, const char *text, struct why *why)
{
	static const char *const names[] = {
		[FIRMWARE_ACPI] = "acpi",
		[FIRMWARE_DTB] = "dtb",
		[FIRMWARE_CMDLINE] = "cmdline",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(text, names[i])) {
			opt->firmware = (enum firmware)i;
			opt->firmware_set = true;
			return 0;
		}
	return why_fail(why, -EINVAL, "--firmware: '%s' is not one of acpi, dtb and cmdline", text);
}

static int one_option(struct run_options *opt, int c, const char *arg, struct why *why)
{
	switch (c) {
	case OPT_SHARE:
		if (opt->nshares == MAX_SHARES)
			return why_fail(why, -EINVAL, "--share: there can be %d at most",
					MAX_SHARES);
		return share_options_parse(&opt->share[opt->nshares++], arg, &opt->notes, why);
	case OPT_LIBVIRT:
	case OPT_VIRTFS:
		return add_foreign(opt, c, arg, why);
	case OPT_ROOT:
		return set_root(opt, arg, why);
	case OPT_HIDE:
		return add_hidden(opt, arg, why);
	case OPT_ENV:
		return add_env(opt, arg, why);
	case OPT_KERNEL:
		return set_path(&opt->kernel, "--kernel", arg, why);
	case OPT_NO_UNPACK:
		opt->no_unpack = true;
		return 0;
	case OPT_MODULES:
		return set_path(&opt->modules, "--modules", arg, why);
	case OPT_INITRD:
		return set_path(&opt->initrd, "--initrd", arg, why);
	case OPT_RESULT:
		return set_path(&opt->result, "--result", arg, why);
	case OPT_CONSOLE_LOG:
		return set_path(&opt->console_log, "--console-log", arg, why);
	case OPT_CORE:
		return set_path(&opt->core, "--core", arg, why);
	case OPT_GDB:
		return set_gdb(opt, arg, why);
	case OPT_HELP_DEBUG:
		opt->help = run_debug_usage;
		return 0;
	case OPT_APPEND:
		return add_words(&opt->append, arg, why);
	case OPT_TIMEOUT:
		return parse_duration("--timeout", arg, &opt->timeout_ms, why);
	case OPT_BOOT_TIMEOUT:
		return parse_duration("--boot-timeout", arg, &opt->boot_timeout_ms, why);
	case OPT_FAIL_ON:
		return report_kinds_parse(arg, &opt->fail_on, why);
	case OPT_TIMING:
		opt->timing = true;
		return 0;
	case OPT_IO:
		return parse_executor(arg, &opt->executor, why);
	case OPT_STATS:
		opt->stats = true;
		return 0;
	case OPT_FIRMWARE:
		return parse_firmware(opt, arg, why);
	case OPT_DUMP_DTB:
		return set_path(&opt->dump_dtb, "--dump-dtb", arg, why);
	case 'u':
		return option_string(&opt->user, arg, why);
	case 'c':
		opt->cpus_set = true;
		return parse_cpus(arg, &opt->cpus, why);
	case 'm':
		return parse_ram(arg, &opt->ram, why);
	case 'v':
		opt->verbose = true;
		return 0;
	case 'h':
		opt->help = run_usage;
		return 0;
	case OPT_HELP_SHARE:
		opt->help = run_share_usage;
		return 0;
	case OPT_HELP_CI:
		opt->help = run_ci_usage;
		return 0;
	}
	return -EINVAL;
}

int options_parse(struct run_options *opt, int argc, char *const *argv, struct why *why)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	int c, err;

	memset(opt, 0, sizeof(*opt));
	opt->ram = DEFAULT_RAM;
	opt->executor = P9_EXEC_AUTO;
	opt->fail_on = 1u << REPORT_PANIC;
	opt->cpus = online < 1 ? 1 : online > PLATFORM_MAX_CPUS ? PLATFORM_MAX_CPUS : (unsigned int)online;
	opt->command = argv + argc;
	err = option_string(&opt->root, "/", why);
	if (!err)
		err = option_string(&opt->append, "", why);

	optind = 0; /* start afresh: tests parse more than once */
	opterr = 0;
	while (!err) {
		/* The word that getopt is about to look at: what a complaint should name. */
		const char *word = argv[optind ? optind : 1];

		c = getopt_long(argc, argv, "+:u:c:m:vh", long_options, NULL);
		if (c == -1)
			break;
		if (c == '?' || c == ':')
			return option_refused(c, word, "run", why);
		err = one_option(opt, c, optarg, why);
	}
	if (!err && opt->hide.n && !strcmp(opt->root, "busybox"))
		err = why_fail(why, -EINVAL,
			       "--hide: a busybox root has nothing that could be hidden: leave it out");
	if (!err)
		opt->command = argv + optind;
	return err;
}

void options_free(struct run_options *opt)
{
	for (unsigned int i = 0; i < opt->nshares; i++)
		share_options_free(&opt->share[i]);
	notes_free(&opt->notes);
	hide_free(&opt->hide);
	for (size_t i = 0; i < opt->nenv; i++)
		free(opt->env[i]);
	free(opt->env);
	free(opt->root);
	free(opt->kernel);
	free(opt->user);
	free(opt->modules);
	free(opt->initrd);
	free(opt->append);
	free(opt->result);
	free(opt->console_log);
	free(opt->core);
	free(opt->gdb);
	free(opt->dump_dtb);
}
