// SPDX-License-Identifier: MIT
// What the doctor makes of AppArmor: answers that a kernel gave, recorded. Linux 6.1, this profile:
//
//   profile ninepin-narrow {
//     capability,
//     /** rmix,
//     /proc/** rw, /sys/** rw, /dev/** rw,
//     /scratch/yes/** rwl,
//   }
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "scratch.h"
#include "vmm/doctor/judge.h"

#define QUESTION(path) "label\0ninepin-narrow\0\002" path

static const struct {
	const char *question;
	size_t len;
	const char *answer;
} answers[] = {
#define ANSWER(path, allow)                                                          \
	{ QUESTION(path), sizeof(QUESTION(path)) - 1,                                \
	  "allow " allow "\ndeny 0x00000000\naudit 0x00000000\nquiet 0x00000000\n" }
	ANSWER("/scratch/no/", "0x00010245"),	 ANSWER("/scratch/no/new", "0x00010245"),
	ANSWER("/scratch/yes/", "0x00010245"),	 ANSWER("/scratch/yes/new", "0x0005337f"),
	ANSWER("/scratch/yes/f", "0x0005337f"),	 ANSWER("/scratch/no/f", "0x00010245"),
};

static int answer_recorded(const struct apparmor *apparmor, const char *question, size_t len,
			   char *answer, size_t size)
{
	(void)apparmor;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (len == answers[i].len && !memcmp(question, answers[i].question, len)) {
			snprintf(answer, size, "%s", answers[i].answer);
			return 0;
		}
	fprintf(stderr, "not recorded: %.*s\n", (int)len, question);
	return -ENOENT;
}

FIXTURE(apparmor)
{
	char dir[64];
	struct apparmor apparmor;
	struct place place;
	struct facts facts;
	struct person root;
	struct question q;
	struct findings found;
};

FIXTURE_SETUP(apparmor)
{
	memset(self, 0, sizeof(*self));
	strcpy(self->dir, "/tmp/vmm_doctor_apparmor.XXXXXX");
	ASSERT_NE(mkdtemp(self->dir), NULL);
	ASSERT_EQ(chdir(self->dir), 0);
	put("current", "ninepin-narrow (enforce)\n");
	apparmor_open(&self->apparmor, self->dir, "current");
	self->apparmor.ask = answer_recorded;
	self->place = (struct place){ .mode = S_IFDIR | 0777, .path = "/scratch/no" };
	self->facts = (struct facts){ .place = &self->place, .n = 1 };
	self->root = (struct person){ .name = "root", .caps = ~0ull };
	self->q = (struct question){
		.facts = &self->facts,
		.person = &self->root,
		.who = "root",
		.wants = WANT_READ | WANT_WRITE,
		.apparmor = &self->apparmor,
	};
}

FIXTURE_TEARDOWN(apparmor)
{
	findings_free(&self->found);
	apparmor_close(&self->apparmor);
	remove_all(self->dir);
}

TEST_F(apparmor, may_not_create)
{
	const struct finding *f;

	judge(&self->q, &self->found);
	ASSERT_EQ(self->found.n, 1);
	f = self->found.finding;
	EXPECT_STREQ(f->kind, "apparmor");
	EXPECT_EQ(f->layer, LAYER_APPARMOR);
	EXPECT_EQ(f->err, EACCES);
	EXPECT_STREQ(f->what, "the profile ninepin-narrow refuses to create in /scratch/no/");
	EXPECT_EQ(strncmp(f->mend[0].text, "add '/scratch/no/{,**} rwlk,' to the profile", 44), 0);
}

TEST_F(apparmor, may_read)
{
	self->q.wants = WANT_READ;
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(apparmor, may_create)
{
	self->place.path = "/scratch/yes";
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(apparmor, files)
{
	self->place.mode = S_IFREG | 0666;
	self->place.path = "/scratch/yes/f";
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
	self->place.path = "/scratch/no/f";
	judge(&self->q, &self->found);
	ASSERT_EQ(self->found.n, 1);
	EXPECT_STREQ(self->found.finding[0].what,
		     "the profile ninepin-narrow refuses to write /scratch/no/f");
}

TEST_F(apparmor, only_what_is_enforced)
{
	static const char *const others[] = { "ninepin-narrow (complain)\n", "unconfined\n", "" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		apparmor_close(&self->apparmor);
		put("current", others[i]);
		apparmor_open(&self->apparmor, self->dir, "current");
		self->apparmor.ask = answer_recorded;
		EXPECT_EQ(self->apparmor.label, NULL);
		judge(&self->q, &self->found);
		EXPECT_EQ(self->found.n, 0);
	}
}

TEST_F(apparmor, no_answer_is_no_refusal)
{
	self->place.path = "/elsewhere";
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(apparmor, not_there)
{
	apparmor_close(&self->apparmor);
	apparmor_open(&self->apparmor, "no", "no");
	self->apparmor.ask = answer_recorded;
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

TEST_HARNESS_MAIN
