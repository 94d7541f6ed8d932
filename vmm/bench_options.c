// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "images/bench/bench.h"
#include "vmm/bench.h"
#include "vmm/options.h"

#define DEFAULT_NS   (300ull * 1000 * 1000)
#define MAX_MS	     (24ull * 3600 * 1000)
#define MAX_REQUESTS (BENCH_ROUNDS * BENCH_MAX_SAMPLES)

const char *const bench_op_name[WORK_OPS] = {
	[WORK_GETATTR] = "getattr",   [WORK_WALK] = "walk",
	[WORK_READ_4K] = "read4k",    [WORK_WRITE_4K] = "write4k",
	[WORK_READ_128K] = "read128k", [WORK_WRITE_128K] = "write128k",
};
const char *const bench_io_name[BENCH_EXECUTORS] = {
	[P9_EXEC_SYNC] = "sync",
	[P9_EXEC_RING] = "ring",
	[P9_EXEC_AUTO] = "auto",
};
const char *const bench_mode_name[BENCH_MODES] = {
	[BENCH_POLL] = "poll",
	[BENCH_IRQ] = "irq",
	[BENCH_SERVER] = "server",
};

/* Fits a terminal of 80 × 24. */
const char bench_usage[] =
	"usage: ninepin bench [OPTION]…\n"
	"Measures the 9P device by the real clock, with a guest that is a driver and\n"
	"nothing else. Prints a line for each combination of the following; by default,\n"
	"of all but few depths, in some 25 seconds.\n"
	"  --mode poll|irq      the guest spins on the ring, or waits for interrupts\n"
	"  --op NAME[,NAME…]    getattr, walk, read4k, write4k, read128k, write128k\n"
	"  --qd N[,N…]          requests in flight, 1 to 64 (1,16)\n"
	"  --io X[,X…]          how host files are reached: auto, ring, sync\n"
	"  --time T             measure each line for T: 2, 0.5, 1m (0.3)\n"
	"  --requests N         measure some N requests for each line, however long\n"
	"                       that takes\n"
	"  --kick batch|each    ask for a kick when all that are ready were submitted, or\n"
	"                       after each, as Linux does (batch)\n"
	"  --share DIR          on the file system of this folder, in a folder of its own\n"
	"                       that is removed at the end (in memory: /dev/shm)\n"
	"  --server-only        the 9P server without any VM, from one thread\n"
	"  --csv FILE           the same numbers in full, for programs\n"
	"Times are in microseconds, from submission to the completion being seen;\n"
	"exits (to ninepin) and interrupts are per message.\n"
	"Exit status: 0, 123 failed (a wrong reply, too), 125 not started, 128+N ended\n"
	"by signal N.\n";

/* Calls one() for each word between commas. */
static int each_word(const char *text,
		     int (*one)(struct bench_options *, const char *, struct why *),
		     struct bench_options *opt, struct why *why)
{
	char *copy = strdup(text), *rest = copy, *word;
	int err = 0;

	if (!copy)
		return why_fail(why, -ENOMEM, "there is no memory left to read the options");
	while (!err && (word = strsep(&rest, ",")))
		err = one(opt, word, why);
	free(copy);
	return err;
}

static int find_word(const char *const *names, int n, const char *word)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(names[i], word))
			return i;
	return -1;
}

static int one_op(struct bench_options *opt, const char *word, struct why *why)
{
	int i = find_word(bench_op_name, WORK_OPS, word);

	if (i < 0)
		return why_fail(why, -EINVAL,
				"--op: '%s' is none of getattr, walk, read4k, write4k, read128k and "
				"write128k",
				word);
	opt->op[i] = true;
	return 0;
}

static int one_io(struct bench_options *opt, const char *word, struct why *why)
{
	enum p9_executor executor;
	int err = parse_executor(word, &executor, why);

	if (err)
		return err;
	opt->io[executor] = true;
	opt->io_set = true;
	return 0;
}

static int one_mode(struct bench_options *opt, const char *word, struct why *why)
{
	int i = find_word(bench_mode_name, BENCH_SERVER, word);

	if (i < 0)
		return why_fail(why, -EINVAL, "--mode: '%s' is neither poll nor irq", word);
	opt->mode[i] = true;
	return 0;
}

/* 1 to most, in digits only; 0 if it is not. */
static unsigned long number(const char *word, unsigned long most)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	return *word >= '0' && *word <= '9' && !*end && n <= most ? n : 0;
}

static int one_depth(struct bench_options *opt, const char *word, struct why *why)
{
	unsigned int n = (unsigned int)number(word, BENCH_MAX_DEPTH);

	if (!n)
		return why_fail(why, -EINVAL, "--qd: '%s' is not a number from 1 to %d", word,
				BENCH_MAX_DEPTH);
	for (unsigned int i = 0; i < opt->ndepths; i++)
		if (opt->depth[i] == n)
			return 0;
	if (opt->ndepths == BENCH_MAX_DEPTHS)
		return why_fail(why, -EINVAL, "--qd: more than %d depths: measure the rest apart",
				BENCH_MAX_DEPTHS);
	opt->depth[opt->ndepths++] = n;
	return 0;
}

static int set_time(struct bench_options *opt, const char *text, struct why *why)
{
	struct why ignored;
	uint64_t ms;

	if (parse_duration("--time", text, &ms, &ignored) || !ms || ms > MAX_MS)
		return why_fail(why, -EINVAL,
				"--time: '%s' is not a time of at most a day: give seconds, or a number "
				"with s, m or h",
				text);
	opt->ns = ms * 1000 * 1000;
	return 0;
}

static int set_requests(struct bench_options *opt, const char *text, struct why *why)
{
	opt->requests = number(text, MAX_REQUESTS);
	if (!opt->requests)
		return why_fail(why, -EINVAL, "--requests: '%s' is not a number from 1 to %d", text,
				MAX_REQUESTS);
	return 0;
}

static int set_kick(struct bench_options *opt, const char *text, struct why *why)
{
	opt->kick_each = !strcmp(text, "each");
	if (!opt->kick_each && strcmp(text, "batch"))
		return why_fail(why, -EINVAL, "--kick: '%s' is neither batch nor each", text);
	return 0;
}

static bool any(const bool *set, int n)
{
	for (int i = 0; i < n; i++)
		if (set[i])
			return true;
	return false;
}

static void default_to_all(bool *set, int n)
{
	if (!any(set, n))
		memset(set, true, (size_t)n * sizeof(*set));
}

/* What the words leave open, and what does not go together. */
static int complete(struct bench_options *opt, bool kick_set, struct why *why)
{
	if (opt->ns && opt->requests)
		return why_fail(why, -EINVAL, "--time and --requests: give one of the two");
	if (opt->server_only && (any(opt->mode, BENCH_MODES) || kick_set))
		return why_fail(why, -EINVAL,
				"%s is for the guest's driver, and with --server-only there is none: leave "
				"one of the two out",
				kick_set ? "--kick" : "--mode");
	if (!opt->ns && !opt->requests)
		opt->ns = DEFAULT_NS;
	if (opt->server_only)
		opt->mode[BENCH_SERVER] = true;
	else
		default_to_all(opt->mode, BENCH_SERVER);
	default_to_all(opt->op, WORK_OPS);
	default_to_all(opt->io, BENCH_EXECUTORS);
	if (!opt->ndepths) {
		opt->depth[opt->ndepths++] = 1;
		opt->depth[opt->ndepths++] = 16;
	}
	return 0;
}

int bench_options_parse(struct bench_options *opt, int argc, char *const *argv, struct why *why)
{
	static const struct option long_options[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "op", required_argument, NULL, 'o' },
		{ "qd", required_argument, NULL, 'q' },
		{ "io", required_argument, NULL, 'i' },
		{ "time", required_argument, NULL, 't' },
		{ "requests", required_argument, NULL, 'n' },
		{ "kick", required_argument, NULL, 'k' },
		{ "share", required_argument, NULL, 'S' },
		{ "server-only", no_argument, NULL, 's' },
		{ "csv", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool kick_set = false;
	int c, err = 0;

	memset(opt, 0, sizeof(*opt));
	optind = 0; /* start afresh: tests parse more than once */
	opterr = 0;
	while (!err) {
		/* The word that getopt is about to look at: what a complaint should name. */
		const char *word = argv[optind ? optind : 1];

		c = getopt_long(argc, argv, "+:h", long_options, NULL);
		if (c == -1)
			break;
		switch (c) {
		case 'm':
			err = each_word(optarg, one_mode, opt, why);
			break;
		case 'o':
			err = each_word(optarg, one_op, opt, why);
			break;
		case 'q':
			err = each_word(optarg, one_depth, opt, why);
			break;
		case 'i':
			err = each_word(optarg, one_io, opt, why);
			break;
		case 't':
			err = set_time(opt, optarg, why);
			break;
		case 'n':
			err = set_requests(opt, optarg, why);
			break;
		case 'k':
			kick_set = true;
			err = set_kick(opt, optarg, why);
			break;
		case 'S':
			opt->share = optarg;
			break;
		case 's':
			opt->server_only = true;
			break;
		case 'c':
			opt->csv = optarg;
			break;
		case 'h':
			opt->help = true;
			break;
		default:
			return option_refused(c, word, "bench", why);
		}
	}
	if (err || opt->help)
		return err;
	if (optind < argc)
		return why_fail(why, -EINVAL, "'%s' is not an option: see ninepin bench --help",
				argv[optind]);
	return complete(opt, kick_set, why);
}
