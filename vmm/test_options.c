// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/options.h"
#include "vmm/test.h"

const char test_usage[] =
	"usage: ninepin test [OPTION]… KERNEL… -- COMMAND…\n"
	"Boots each KERNEL (a file or a build tree) and runs COMMAND in it, as `ninepin\n"
	"run` does. Prints one verdict each, as TAP; KTAP of COMMAND becomes subtests.\n"
	"  -c, --cpus N[,N…]  each KERNEL with each of these numbers of processors\n"
	"  --variant WORDS    each of these with WORDS on the kernel's command line;\n"
	"                     again for more variants, '' for none (--append: in all)\n"
	"  -j, --jobs N       at once (the host's processors, divided by the most of -c)\n"
	"  --timeout T        end a VM after T: seconds, or with s, m, h, d (30m)\n"
	"  --junit FILE       the verdicts as JUnit's XML, too\n"
	"  --logs DIR         a folder for each run: its console.log, stdout, stderr and\n"
	"                     result.json (a temporary one, removed if all is well)\n"
	"Each other option is one of `ninepin run`, for every run; but those that name\n"
	"one file or port (--result, --console-log) have no use here.\n"
	"A run fails if COMMAND's status is not 0, if a test of its KTAP failed or is\n"
	"missing, or if the guest ended otherwise: panic, time-out, init not reached.\n"
	"Exit status: 0 all passed, 1 some failed, 125 none failed, but not all could be\n"
	"judged (not started, skipped, ninepin failed), which `git bisect run` skips;\n"
	"128+N ended by signal N.\n";

enum {
	OPT_VARIANT = 4096, /* beyond those of `ninepin run` */
	OPT_JUNIT,
	OPT_LOGS,
};

static const struct option own_options[] = {
	{"cpus", required_argument, NULL, 'c'},
	{"variant", required_argument, NULL, OPT_VARIANT},
	{"jobs", required_argument, NULL, 'j'},
	{"junit", required_argument, NULL, OPT_JUNIT},
	{"logs", required_argument, NULL, OPT_LOGS},
	{"help", no_argument, NULL, 'h'},
};

/* Of `ninepin run`, but not for many at once: each has a better place here. */
static const struct {
	const char *name, *mend;
} refused[] = {
	{"kernel", "name kernels without an option, before --"},
	{"result", "each run's result is in the folder of --logs"},
	{"console-log", "each run's console is in the folder of --logs"},
	{"core", "run the kernel that fails again, by ninepin run --core"},
	{"gdb", "run the kernel that fails again, by ninepin run --gdb"},
	{"dump-dtb", "ninepin run --dump-dtb writes it"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- lists ---- */

static int add_word(char ***list, size_t *n, char *word, struct why *why)
{
	char **grown = reallocarray(*list, *n + 2, sizeof(*grown));

	if (!grown)
		return option_no_memory(why);
	*list = grown;
	grown[(*n)++] = word;
	grown[*n] = NULL;
	return 0;
}

static int add_pass(struct test_options *opt, const char *name, const char *value, struct why *why)
{
	char *word;
	int err;

	if ((value ? asprintf(&word, "--%s=%s", name, value) : asprintf(&word, "--%s", name)) < 0)
		return option_no_memory(why);
	err = add_word(&opt->pass, &opt->npass, word, why);
	if (err)
		free(word);
	return err;
}

static int parse_number(const char *option, const char *text, size_t len, unsigned int *n,
			struct why *why)
{
	unsigned long value = 0;
	size_t digits = strspn(text, "0123456789");

	if (len && digits >= len && len < 6)
		value = strtoul(text, NULL, 10);
	if (!value)
		return why_fail(why, -EINVAL, "%s: '%.*s' is not a number from 1 on", option,
				(int)len, text);
	*n = (unsigned int)value;
	return 0;
}

/* "1,2,4". Whether a number is too high is for the run's own check. The last --cpus wins. */
static int parse_cpus(struct test_options *opt, const char *text, struct why *why)
{
	opt->ncpus = 0;
	opt->cpus_set = true;
	for (;;) {
		size_t len = strcspn(text, ",");
		unsigned int *grown = reallocarray(opt->cpus, opt->ncpus + 1, sizeof(*grown));
		int err;

		if (!grown)
			return option_no_memory(why);
		opt->cpus = grown;
		err = parse_number("--cpus", text, len, &grown[opt->ncpus++], why);
		if (err || !text[len])
			return err;
		text += len + 1;
	}
}

/* ---- the words ---- */

static int one_option(struct test_options *opt, int c, const struct option *of_run, char *arg,
		      struct why *why)
{
	switch (c) {
	case 'c':
		return parse_cpus(opt, arg, why);
	case 'j':
		return parse_number("--jobs", arg, strlen(arg), &opt->jobs, why);
	case OPT_VARIANT:
		return add_word(&opt->variant, &opt->nvariants, arg, why);
	case OPT_JUNIT:
		return option_string(&opt->junit, arg, why);
	case OPT_LOGS:
		return option_string(&opt->logs, arg, why);
	case 'h':
		opt->help = true;
		return 0;
	case 1:
		return add_word(&opt->kernel, &opt->nkernels, arg, why);
	}
	for (; of_run->name; of_run++)
		if (of_run->val == c)
			break;
	if (!of_run->name)
		return -EINVAL;
	if (!strncmp(of_run->name, "help", 4))
		return why_fail(why, -EINVAL, "--%s is not for ninepin test: see ninepin run --%s",
				of_run->name, of_run->name);
	for (size_t i = 0; i < COUNT(refused); i++)
		if (!strcmp(of_run->name, refused[i].name))
			return why_fail(why, -EINVAL, "--%s is not for ninepin test: %s",
					of_run->name, refused[i].mend);
	return add_pass(opt, of_run->name, of_run->has_arg == no_argument ? NULL : arg, why);
}

/* Our own options and those of `ninepin run` in one table, and its letters as getopt takes them. */
static struct option *all_options(const struct option *of_run, char *short_options)
{
	struct option *all;
	size_t n = 0, nrun = 0;

	while (of_run[nrun].name)
		nrun++;
	all = calloc(COUNT(own_options) + nrun + 1, sizeof(*all));
	if (!all)
		return NULL;
	for (; n < COUNT(own_options); n++)
		all[n] = own_options[n];
	for (; of_run->name; of_run++) {
		bool own = false;

		for (size_t i = 0; i < COUNT(own_options); i++)
			own |= !strcmp(own_options[i].name, of_run->name);
		if (!own)
			all[n++] = *of_run;
	}
	/* Kernels and options in any order; a word that is no option is told apart by its 1. */
	*short_options++ = '-';
	*short_options++ = ':';
	for (size_t i = 0; i < n; i++)
		if (all[i].val < 256) {
			*short_options++ = (char)all[i].val;
			if (all[i].has_arg == required_argument)
				*short_options++ = ':';
		}
	*short_options = '\0';
	return all;
}

static int parse_words(struct test_options *opt, int argc, char *const *argv, struct why *why)
{
	const struct option *of_run = options_known();
	char short_options[2 + 2 * 256 + 1];
	struct option *all = all_options(of_run, short_options);
	int c, err = 0;

	if (!all)
		return option_no_memory(why);
	optind = 0;
	opterr = 0;
	while (!err) {
		/* What getopt is about to look at, for complaints. */
		const char *word = argv[optind ? optind : 1];

		c = getopt_long(argc, argv, short_options, all, NULL);
		if (c == -1)
			break;
		if (c == '?' || c == ':')
			err = option_refused(c, word, "test", why);
		else
			err = one_option(opt, c, of_run, optarg, why);
	}
	/* It stops at the end, or behind "--". */
	opt->command = argv + optind;
	free(all);
	return err;
}

/* What `ninepin run` would refuse in each run is refused once, and now. */
static int check_run(struct test_options *opt, unsigned int cpus, struct why *why)
{
	char **words = calloc(opt->npass + 4, sizeof(*words));
	struct run_options run;
	char number[32];
	size_t n = 0;
	int err;

	if (!words)
		return option_no_memory(why);
	words[n++] = (char *)"run";
	for (size_t i = 0; i < opt->npass; i++)
		words[n++] = opt->pass[i];
	if (cpus) {
		snprintf(number, sizeof(number), "--cpus=%u", cpus);
		words[n++] = number;
	}
	err = options_parse(&run, (int)n, words, why);
	if (!err && !cpus) {
		opt->cpus = malloc(sizeof(*opt->cpus));
		if (opt->cpus)
			opt->cpus[opt->ncpus++] = run.cpus;
		else
			err = option_no_memory(why);
	}
	if (!err && !opt->notes.text) {
		opt->notes = run.notes;
		run.notes.text = NULL;
	}
	options_free(&run);
	free(words);
	return err;
}

static unsigned int default_jobs(const struct test_options *opt)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int most = 1;

	for (size_t i = 0; i < opt->ncpus; i++)
		if (opt->cpus[i] > most)
			most = opt->cpus[i];
	return online > (long)most ? (unsigned int)online / most : 1;
}

int test_options_parse(struct test_options *opt, int argc, char *const *argv, struct why *why)
{
	static char no_words[] = "";
	int err;

	memset(opt, 0, sizeof(*opt));
	/* The first of them, so that the user's wins. */
	err = add_pass(opt, "timeout", TEST_DEFAULT_TIMEOUT, why);
	if (!err)
		err = parse_words(opt, argc, argv, why);
	if (err || opt->help)
		return err;
	if (!opt->nkernels)
		return why_fail(why, -EINVAL,
				"there is no kernel to test: ninepin test KERNEL… -- COMMAND…");
	if (!opt->command[0])
		return why_fail(why, -EINVAL,
				"there is no command to run in the guests: put it behind --");
	if (!opt->nvariants)
		err = add_word(&opt->variant, &opt->nvariants, no_words, why);
	if (!err && !opt->ncpus)
		err = check_run(opt, 0, why);
	for (size_t i = 0; !err && i < opt->ncpus; i++)
		err = check_run(opt, opt->cpus[i], why);
	if (err)
		return err;
	if (opt->nkernels > TEST_MAX_RUNS || opt->ncpus > TEST_MAX_RUNS ||
	    opt->nvariants > TEST_MAX_RUNS || opt->nkernels * opt->ncpus > TEST_MAX_RUNS ||
	    opt->nkernels * opt->ncpus * opt->nvariants > TEST_MAX_RUNS)
		return why_fail(why, -EINVAL, "these are more than %d runs: test fewer at once",
				TEST_MAX_RUNS);
	if (!opt->jobs)
		opt->jobs = default_jobs(opt);
	return 0;
}

void test_options_free(struct test_options *opt)
{
	for (size_t i = 0; i < opt->npass; i++)
		free(opt->pass[i]);
	free(opt->pass);
	free(opt->kernel);
	free(opt->variant);
	free(opt->cpus);
	free(opt->junit);
	free(opt->logs);
	notes_free(&opt->notes);
}
