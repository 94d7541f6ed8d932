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
#include "vmm/doctor/qemu.h"
#include "vmm/options.h"
#include "vmm/outcome.h"

#define QEMU_CONF "/etc/libvirt/qemu.conf"

struct options {
	struct share_options share[MAX_SHARES];
	struct notes notes[MAX_SHARES]; /* of each */
	unsigned int nshares;
	struct foreign foreign[MAX_SHARES];
	unsigned int nforeign;
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
	"                      a share of ninepin's, as of ninepin run; again for each\n"
	"  --libvirt FILE      those of somebody else's QEMU, in libvirt's XML\n"
	"  --virtfs OPTIONS    the same, as after QEMU's -virtfs; or more of its words\n"
	"  --as USER[:GROUP]   run by this user, by name or number; by default you, and\n"
	"                      QEMU by qemu.conf's user, else libvirt-qemu or qemu\n"
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
		{ "libvirt", required_argument, NULL, 'l' },
		{ "virtfs", required_argument, NULL, 'v' },
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
		case 'l':
		case 'v':
			if (opt->nforeign == MAX_SHARES)
				return why_fail(why, -EINVAL, "--%s: there can be %d at most",
						c == 'l' ? "libvirt" : "virtfs", MAX_SHARES);
			i = opt->nforeign++;
			err = c == 'l' ? foreign_read_libvirt(&opt->foreign[i], optarg, why) :
					 foreign_read_virtfs(&opt->foreign[i], optarg, why);
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

	/* The context of another user's processes cannot be known; this one's is the best guess. */
	doctor->context = selinux_own_context();
	return opt->as ? person_find(&doctor->person, people, opt->as, why) :
			 person_self(&doctor->person, people, why);
}

static int look_at_foreign(struct doctor *doctor, const struct options *opt, struct why *why)
{
	const struct people *people = &doctor->source.people;
	struct person qemu;
	int err = opt->as ? person_find(&qemu, people, opt->as, why) :
			    qemu_person(&qemu, people, QEMU_CONF, why);

	for (unsigned int i = 0; !err && i < opt->nforeign; i++) {
		/* Of nothing, nothing refuses; but somebody expects something in it. */
		err = opt->foreign[i].nshares ? doctor_foreign(doctor, &opt->foreign[i], &qemu) :
						foreign_no_share(&opt->foreign[i], why);
	}
	person_free(&qemu);
	return err;
}

static int look(struct doctor *doctor, struct options *opt, struct why *why)
{
	int err = choose_person(doctor, opt, why);

	doctor->path = opt->path;
	doctor->one_share = opt->nshares == 1 && !opt->nforeign;
	/* What ninepin lacks is no matter to QEMU. */
	if (!err && (opt->nshares || !opt->nforeign))
		err = host_check(&doctor->report, &doctor->source, &doctor->person);
	for (unsigned int i = 0; !err && i < opt->nshares; i++)
		err = doctor_share(doctor, &opt->share[i], &opt->notes[i], why);
	if (!err && opt->nforeign)
		err = look_at_foreign(doctor, opt, why);
	if (!err && doctor->path && !doctor->path_seen)
		err = doctor_path(doctor);
	if (err == -ENOMEM || (!err && report_incomplete(&doctor->report)))
		return why_fail(why, -ENOMEM, "there is no memory left to look at everything");
	if (err && !why->text[0])
		return why_fail(why, err, "not even / can be looked at: %s", strerror(-err));
	return err;
}

static int print(const struct doctor *doctor, const struct options *opt, struct why *why)
{
	int err = 0;

	if (opt->help)
		fputs(usage_text, stdout);
	else if (opt->json)
		err = report_print_json(&doctor->report, stdout);
	else
		report_print(&doctor->report, stdout);
	if (err)
		return why_fail(why, err, "there is no memory left to print everything");
	errno = EIO;
	if (fflush(stdout) || ferror(stdout))
		return why_fail(why, -errno, "what was found could not be written: %s",
				strerror(errno));
	return 0;
}

int doctor_main(int argc, char **argv)
{
	struct options opt = { 0 };
	struct doctor doctor = { 0 };
	int status = STATUS_NOT_STARTED;
	struct why why = { 0 };
	int err;

	facts_source_open(&doctor.source);
	selinux_open(&doctor.selinux, SELINUX_ROOT);
	apparmor_open(&doctor.apparmor, APPARMOR_ROOT, APPARMOR_CURRENT);
	err = parse(&opt, argc, argv, &why);
	if (!err && !opt.help)
		err = look(&doctor, &opt, &why);
	if (!err)
		err = print(&doctor, &opt, &why);
	if (err)
		fprintf(stderr, "ninepin: %s\n", why.text);
	else
		status = report_refusing(&doctor.report) != 0;
	for (unsigned int i = 0; i < opt.nshares; i++) {
		share_options_free(&opt.share[i]);
		notes_free(&opt.notes[i]);
	}
	for (unsigned int i = 0; i < opt.nforeign; i++)
		foreign_free(&opt.foreign[i]);
	report_free(&doctor.report);
	person_free(&doctor.person);
	free(doctor.context);
	selinux_close(&doctor.selinux);
	apparmor_close(&doctor.apparmor);
	facts_source_close(&doctor.source);
	return status;
}
