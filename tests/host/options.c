// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/host/hostrun.h"

static const char help[] =
	"usage: tests/host/run [OPTION]… [-- COMMAND…]\n"
	"\n"
	"Boots the emulated host - a machine in QEMU with a real KVM, on any machine -\n"
	"and runs COMMAND there as root; without one, a shell. The exit status and the\n"
	"standard streams are COMMAND's; it gets a terminal if stdin and stdout both\n"
	"are one. In the machine are busybox, ninepin on the PATH, a guest kernel where\n"
	"ninepin finds it, and an empty ext4 on /scratch.\n"
	"\n"
	"  --add FILE[:PATH]  put a file or folder into the machine, by default at /NAME;\n"
	"                     a program brings its libraries; again for each\n"
	"  --share DIR[:PATH][:ro]\n"
	"                     mount a folder, by default at its own absolute path; what\n"
	"                     is written there is written here; again for each\n"
	"  --root DIR         the machine's root is DIR, which is only read: what is\n"
	"                     written goes to memory. Without it: busybox alone\n"
	"  --icount           counted time: a nanosecond for each instruction, which is\n"
	"                     repeatable, and slower\n"
	"  --plugin FILE[,ARG=VALUE…]  one for QEMU, as of its own -plugin\n"
	"  --mem SIZE         memory of the machine: 3G, 3072M or 3072; default 2G\n"
	"  --timeout TIME     end it after 90, 90s, 10m or 1h\n"
	"  -v                 the kernel's log on stderr\n"
	"  --help             this text\n"
	"\n"
	"At a terminal, Ctrl-A x ends the machine, and Ctrl-A a sends Ctrl-A.\n"
	"\n"
	"Exit status: COMMAND's (126, 127, 128+N as a shell's), or\n"
	"  120 kernel panic        121 it did not get to COMMAND\n"
	"  122 it ended without COMMAND's status                 123 QEMU or output failed\n"
	"  124 time-out            125 nothing was started\n"
	"NINEPIN_NO_MAKE=1: do not look whether something must be built first.\n";

static int read_mem(unsigned long *mib, const char *text, struct why *why)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	unsigned long unit = !*end || !strcmp(end, "M") || !strcmp(end, "m") ? 1
			     : !strcmp(end, "G") || !strcmp(end, "g")	     ? 1024
									     : 0;

	if (end == text || *text == '-' || !unit || value > (1ul << 20) / unit ||
	    value * unit < 512)
		return why_fail(why, -EINVAL,
				"--mem %s: it takes a size such as 2G or 3072M, at least 512M",
				text);
	*mib = value * unit;
	return 0;
}

static int read_time(double *seconds, const char *text, struct why *why)
{
	static const char units[] = "smhd";
	static const double factor[] = {1, 60, 3600, 86400};
	char *end;
	double value = strtod(text, &end);
	const char *unit = *end ? strchr(units, *end) : units;

	if (end == text || !unit || (*end && end[1]) || !isfinite(value) || value < 0)
		return why_fail(why, -EINVAL,
				"--timeout %s: it takes a time such as 90, 90s, 10m or 1h", text);
	*seconds = value * factor[unit - units];
	if (*seconds > 1e9)
		*seconds = 0; /* longer than anybody waits */
	return 0;
}

static int read_add(struct options *options, char *text, struct why *why)
{
	struct add *add = &options->add[options->nadds];
	char *colon = strrchr(text, ':');
	char path[PATH_MAX];

	if (options->nadds == MAX_ADDS)
		return why_fail(why, -EINVAL, "--add %s: at most %d are taken; add a folder", text,
				MAX_ADDS);
	if (colon && access(text, F_OK)) {
		*colon = '\0';
		add->path = colon + 1;
		if (*add->path != '/' || !add->path[1])
			return why_fail(why, -EINVAL,
					"--add %s:%s: the path in the machine must start with /",
					text, add->path);
	}
	if (!realpath(text, path))
		return why_fail(why, -errno, "--add %s: %s", text, strerror(errno));
	add->file = text;
	if (!add->path) {
		/* The name as it was given; "." and the like have none. */
		const char *slash = strrchr(text, '/');
		const char *name = slash ? slash + 1 : text;

		if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
			name = strrchr(path, '/') + 1;
		if (asprintf((char **)&add->path, "/%s", name) < 0)
			return why_fail(why, -ENOMEM, "no memory");
	}
	options->nadds++;
	return 0;
}

static const char *folder(const char *option, const char *text, struct why *why)
{
	struct stat st;
	char *path = realpath(text, NULL);

	if (!path || stat(path, &st) || access(path, R_OK | X_OK))
		why_fail(why, -errno, "%s %s: %s", option, text, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		why_fail(why, -ENOTDIR, "%s %s: it is not a folder", option, text);
	else
		return path;
	free(path);
	return NULL;
}

static int add_share(struct options *options, const char *host, const char *path, bool read_only,
		     struct why *why)
{
	if (options->nshares == MAX_SHARES)
		return why_fail(why, -EINVAL, "--share %s: at most %d are taken", host, MAX_SHARES);
	options->share[options->nshares++] = (struct share){host, path, read_only};
	return 0;
}

static int read_share(struct options *options, char *text, struct why *why)
{
	const char *host, *path = NULL;
	bool read_only = false;

	if (access(text, F_OK)) {
		char *colon = strrchr(text, ':');

		if (colon && !strcmp(colon, ":ro")) {
			read_only = true;
			*colon = '\0';
			colon = strrchr(text, ':');
		}
		if (colon && access(text, F_OK)) {
			*colon = '\0';
			path = colon + 1;
			if (*path != '/' || !path[1])
				return why_fail(why, -EINVAL,
						"--share %s:%s: the path in the machine must start "
						"with /",
						text, path);
		}
	}
	host = folder("--share", text, why);
	if (!host)
		return -EINVAL;
	return add_share(options, host, path ? path : host, read_only, why);
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

/* With --root /, what is in /tmp and /run of this machine is hidden by the machine's own; the guest
 * kernel that `make run` names must be there all the same. */
static int show_build(struct options *options, struct why *why)
{
	if (!options->root || strcmp(options->root, "/") ||
	    (!is_below(options->build, "/tmp") && !is_below(options->build, "/run")))
		return 0;
	for (size_t i = 0; i < options->nshares; i++) {
		if (is_below(options->build, options->share[i].path))
			return 0;
	}
	return add_share(options, options->build, options->build, true, why);
}

int options_read(struct options *options, int argc, char **argv, struct why *why)
{
	enum { BUILD = 256, ADD, SHARE, ROOT, ICOUNT, PLUGIN, MEM, TIMEOUT, HELP };
	static const struct option longs[] = {
		{"build", required_argument, NULL, BUILD},
		{"add", required_argument, NULL, ADD},
		{"share", required_argument, NULL, SHARE},
		{"root", required_argument, NULL, ROOT},
		{"icount", no_argument, NULL, ICOUNT},
		{"plugin", required_argument, NULL, PLUGIN},
		{"mem", required_argument, NULL, MEM},
		{"timeout", required_argument, NULL, TIMEOUT},
		{"help", no_argument, NULL, HELP},
		{NULL, 0, NULL, 0},
	};
	static char *shell[] = {"sh", NULL};
	int opt, ret = 0;

	*options = (struct options){.build = "build", .mem = 2048};
	opterr = 0;
	while (!ret && (opt = getopt_long(argc, argv, "+:vh", longs, NULL)) != -1) {
		switch (opt) {
		case BUILD:
			options->build = optarg;
			break;
		case ADD:
			ret = read_add(options, optarg, why);
			break;
		case SHARE:
			ret = read_share(options, optarg, why);
			break;
		case ROOT:
			options->root = folder("--root", optarg, why);
			ret = options->root ? 0 : -EINVAL;
			break;
		case ICOUNT:
			options->icount = true;
			break;
		case PLUGIN:
			options->plugin = optarg;
			break;
		case MEM:
			ret = read_mem(&options->mem, optarg, why);
			break;
		case TIMEOUT:
			ret = read_time(&options->timeout, optarg, why);
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'h':
		case HELP:
			fputs(help, stdout);
			return 1;
		case ':':
			return why_fail(why, -EINVAL, "%s needs a value: see --help",
					argv[optind - 1]);
		default:
			return why_fail(why, -EINVAL, "unknown option %s: see --help",
					argv[optind - 1]);
		}
	}
	if (ret)
		return ret;
	options->argv = optind < argc ? argv + optind : shell;
	options->build = folder("--build", options->build, why);
	if (!options->build)
		return -EINVAL;
	return show_build(options, why);
}
