// SPDX-License-Identifier: MIT
/* `ninepin doctor`: what refuses, or would, in which layer, and what mends it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/commands.h"
#include "vmm/doctor/doctor.h"
#include "vmm/doctor/host.h"
#include "vmm/options.h"
#include "vmm/outcome.h"

#define SELINUX_ROOT "/sys/fs/selinux"

struct options {
	struct share_options share[MAX_SHARES];
	struct notes notes[MAX_SHARES]; /* of each */
	unsigned int nshares;
	const char *as; /* USER[:GROUP], NULL: whoever runs this */
	const char *path;
	bool json;
	bool help;
};

/* Fits a terminal of 80 × 24. */
static const char usage_text[] =
	"usage: ninepin doctor [OPTION]… [PATH]\n"
	"Finds what refuses, or would, when a guest reads, creates or changes files in a\n"
	"share: modes, ACLs, mounts, space, quotas, flags, security modules, the model;\n"
	"and what ninepin itself lacks. Says in which layer, and what mends it.\n"
	"\n"
	"  --share HOST[:GUEST][:ro][,OPTION…]\n"
	"                      a share, as of ninepin run; again for each\n"
	"  --as USER[:GROUP]   as run by this user, by name or number (you)\n"
	"  --json              for programs\n"
	"  PATH                a file or folder that has to be reached, and changed: in a\n"
	"                      share if there is one\n"
	"Nothing is changed, but that in a share that you may write a file is created and\n"
	"removed again. To see everything, and for other users, run it as root.\n"
	"Exit status: 0 nothing refuses, 1 something does, 125 the options are wrong.\n";

static int parse(struct options *opt, int argc, char *const *argv, struct why *why)
{
	static const struct option long_options[] = {
		{ "share", required_argument, NULL, 's' },
		{ "as", required_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned int i;
	int c, err = 0;

	optind = 0; /* start afresh: tests parse more than once */
	opterr = 0;
	while (!err) {
		/* The word that getopt is about to look at: what a complaint should name. */
		const char *word = argv[optind ? optind : 1];

		c = getopt_long(argc, argv, ":h", long_options, NULL);
		if (c == -1)
			break;
		switch (c) {
		case 's':
			if (opt->nshares == MAX_SHARES)
				return why_fail(why, -EINVAL, "--share: there can be %d at most",
						MAX_SHARES);
			i = opt->nshares++;
			err = share_options_parse(&opt->share[i], optarg, &opt->notes[i], why);
			break;
		case 'a':
			opt->as = optarg;
			break;
		case 'j':
			opt->json = true;
			break;
		case 'h':
			opt->help = true;
			break;
		default:
			return option_refused(c, word, "doctor", why);
		}
	}
	if (err || opt->help)
		return err;
	if (argc - optind > 1)
		return why_fail(why, -EINVAL, "'%s' is one path too many: give one at a time",
				argv[optind + 1]);
	opt->path = argv[optind];
	if (opt->path && !*opt->path)
		return why_fail(why, -EINVAL, "the path is empty: give a file or a folder");
	return 0;
}

static int choose_person(struct doctor *doctor, const struct options *opt, struct why *why)
{
	const struct people *people = &doctor->source.people;
	int err;

	if (!opt->as) {
		err = person_self(&doctor->person, people, why);
		doctor->context = selinux_own_context();
		return err;
	}
	/* As another user, it would be in a context that cannot be known: its own is the best guess. */
	doctor->context = selinux_own_context();
	return person_find(&doctor->person, people, opt->as, why);
}

static int look(struct doctor *doctor, struct options *opt, struct why *why)
{
	int err = choose_person(doctor, opt, why);

	if (!err)
		err = host_check(&doctor->report, &doctor->source, &doctor->person);
	for (unsigned int i = 0; !err && i < opt->nshares; i++)
		err = doctor_share(doctor, &opt->share[i], &opt->notes[i], why);
	if (!err && doctor->path && !doctor->path_seen)
		err = doctor_path(doctor);
	if (err == -ENOMEM || (!err && report_incomplete(&doctor->report)))
		return why_fail(why, -ENOMEM, "there is no memory left to look at everything");
	return err;
}

int doctor_main(int argc, char **argv)
{
	struct options opt = { 0 };
	struct doctor doctor = { 0 };
	int status = STATUS_NOT_STARTED;
	struct why why;
	int err;

	facts_source_open(&doctor.source);
	selinux_open(&doctor.selinux, SELINUX_ROOT);
	err = parse(&opt, argc, argv, &why);
	if (!err && opt.help) {
		fputs(usage_text, stdout);
		status = 0;
		goto out;
	}
	doctor.path = opt.path;
	if (!err)
		err = look(&doctor, &opt, &why);
	if (!err && opt.json)
		err = report_print_json(&doctor.report, stdout);
	else if (!err)
		report_print(&doctor.report, stdout);
	if (err)
		fprintf(stderr, "ninepin: %s\n", why.text);
	else
		status = report_refusing(&doctor.report) != 0;
out:
	for (unsigned int i = 0; i < opt.nshares; i++) {
		share_options_free(&opt.share[i]);
		notes_free(&opt.notes[i]);
	}
	report_free(&doctor.report);
	person_free(&doctor.person);
	free(doctor.context);
	selinux_close(&doctor.selinux);
	facts_source_close(&doctor.source);
	return status;
}
