// SPDX-License-Identifier: MIT
/* What the doctor says of shares that are there, and to whom it says it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vmm/commands.h"
#include "vmm/doctor/doctor.h"
#include "vmm/outcome.h"

FIXTURE(shares)
{
	char dir[64];
	struct doctor doctor;
	struct share_options share;
	struct notes notes;
	struct why why;
};

FIXTURE_SETUP(shares)
{
	memset(self, 0, sizeof(*self));
	strcpy(self->dir, "/tmp/vmm_doctor_shares.XXXXXX");
	ASSERT_NE(mkdtemp(self->dir), NULL);
	ASSERT_EQ(chdir(self->dir), 0);
	ASSERT_EQ(mkdir("root", 0755), 0);
	facts_source_open(&self->doctor.source);
	self->doctor.selinux.dir = -1;
	self->doctor.apparmor.dir = -1;
	ASSERT_EQ(person_self(&self->doctor.person, &self->doctor.source.people, &self->why), 0);
}

FIXTURE_TEARDOWN(shares)
{
	char command[128];

	report_free(&self->doctor.report);
	person_free(&self->doctor.person);
	facts_source_close(&self->doctor.source);
	share_options_free(&self->share);
	notes_free(&self->notes);
	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	(void)!system(command);
}

/* Asks of one share. */
static int ask(FIXTURE_DATA(shares) *self, const char *share)
{
	return share_options_parse(&self->share, share, &self->notes, &self->why) ?:
	       doctor_share(&self->doctor, &self->share, &self->notes, &self->why);
}

TEST_F(shares, every_note_is_said)
{
	const struct findings *found;

	ASSERT_EQ(ask(self, "root,msize=1048576,cache=loose,writeback"), 0);
	ASSERT_EQ(self->doctor.report.n, 1);
	found = &self->doctor.report.subject[0]->findings;
	EXPECT_EQ(findings_refusing(found), 0);
	ASSERT_EQ(found->n, 3);
	for (size_t i = 0; i < found->n; i++) {
		EXPECT_STREQ(found->finding[i].kind, "note");
		EXPECT_EQ(found->finding[i].layer, LAYER_SHARE);
	}
	EXPECT_NE(strstr(found->finding[0].what, "msize="), NULL);
	EXPECT_NE(strstr(found->finding[1].what, "cache=loose"), NULL);
	EXPECT_NE(strstr(found->finding[2].what, "writeback"), NULL);
}

TEST_F(shares, paths_in_the_guest)
{
	static const struct {
		const char *guest, *path;
		bool in;
	} paths[] = {
		{ "/mnt/src", "/mnt/src/f", true },   { "/mnt/src/", "/mnt/src/f", true },
		{ "/mnt/src//", "/mnt/src", true },   { "/", "/f", true },
		{ "/mnt/src", "/mnt/src2/f", false }, { "/mnt/src/", "/mnt/src2/f", false },
	};
	char root[80];

	snprintf(root, sizeof(root), "%s/root", self->dir);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct facts facts = { 0 };

		self->doctor.path = paths[i].path;
		EXPECT_EQ(doctor_walk(&self->doctor, root, paths[i].guest, &self->doctor.person,
				      &facts),
			  paths[i].in)
		TH_LOG("%s in %s", paths[i].path, paths[i].guest);
		facts_free(&facts);
	}
}

/* What went wrong is said, and is no answer about the share. */
TEST_F(shares, a_report_that_cannot_be_written)
{
	static char *const args[][5] = {
		{ "doctor", "--virtfs", "local,path=root,mount_tag=t,security_model=mapped", NULL },
		{ "doctor", "--virtfs", "local,path=root,mount_tag=t,security_model=mapped",
		  "--json", NULL },
		{ "doctor", "--help", NULL },
	};

	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		FILE *out = stdout, *err = stderr;
		char *said = NULL;
		size_t len = 0;
		int n = 0, status;

		while (args[i][n])
			n++;
		stdout = fopen("/dev/full", "w");
		stderr = open_memstream(&said, &len);
		status = doctor_main(n, (char **)args[i]);
		fclose(stdout);
		fclose(stderr);
		stdout = out;
		stderr = err;
		EXPECT_EQ(status, STATUS_NOT_STARTED);
		EXPECT_NE(strstr(said, "could not be written: No space left on device"), NULL)
		TH_LOG("%s", said);
		free(said);
	}
}

TEST_HARNESS_MAIN
