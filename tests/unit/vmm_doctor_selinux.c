// SPDX-License-Identifier: MIT
/*
 * What the doctor makes of SELinux: answers that a kernel gave, recorded. Linux 6.1 with the policy
 * of Debian 12 (selinux-policy-default 2:2.20221101-9), all of its modules.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "scratch.h"
#include "vmm/doctor/judge.h"

/* clang-format off */
/* Files in class/CLASS/perms, and what is in them. */
static const char dir_perms[] =
	"add_name=26 append=10 audit_access=18 create=4 execmod=20 execute=15 getattr=5 "
	"ioctl=1 link=13 lock=7 map=11 mounton=17 open=19 quotaon=16 read=2 "
	"relabelfrom=8 relabelto=9 remove_name=27 rename=14 reparent=28 rmdir=30 "
	"search=29 setattr=6 unlink=12 watch=21 watch_mount=22 watch_reads=25 "
	"watch_sb=23 watch_with_perm=24 write=3";
static const char file_perms[] =
	"append=10 audit_access=18 create=4 entrypoint=27 execmod=20 execute=15 "
	"execute_no_trans=26 getattr=5 ioctl=1 link=13 lock=7 map=11 mounton=17 open=19 "
	"quotaon=16 read=2 relabelfrom=8 relabelto=9 rename=14 setattr=6 unlink=12 "
	"watch=21 watch_mount=22 watch_reads=25 watch_sb=23 watch_with_perm=24 write=3";

static const char *const answers[][2] = {
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:root_t:s0 7", "10040053 ffffffff 0 ffffffff 1 0" },
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:root_t:s0 6", "0 ffffffff 0 ffffffff 1 0" },
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:default_t:s0 7", "10040010 ffffffff 0 ffffffff 1 0" },
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:default_t:s0 6", "0 ffffffff 0 ffffffff 1 0" },
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:user_home_t:s0 7", "10040010 ffffffff 0 ffffffff 1 0" },
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:user_home_t:s0 6", "0 ffffffff 0 ffffffff 1 0" },
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:usr_t:s0 7", "10040053 ffffffff 0 ffffffff 1 0" },
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:usr_t:s0 6", "40053 ffffffff 0 ffffffff 1 0" },
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:svirt_image_t:s0 7", "3e04387f ffffffff 0 ffffffff 1 0" },
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:svirt_image_t:s0 6", "43a7f ffffffff 0 ffffffff 1 0" },
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:virt_image_t:s0 7", "10040010 ffffffff 0 ffffffff 1 0" },
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:virt_image_t:s0 6", "0 ffffffff 0 ffffffff 1 0" },
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:virt_content_t:s0 7", "10040053 ffffffff 0 e9fbffa8 1 0" },
	{ "system_u:system_r:svirt_t:s0 system_u:object_r:virt_content_t:s0 6", "40053 ffffffff 0 fffbfdaa 1 0" },
	{ "system_u:system_r:unconfined_t:s0 system_u:object_r:user_home_t:s0 7", "3ffdffff ffffffff 0 effbffac 1 0" },
	{ "system_u:system_r:unconfined_t:s0 system_u:object_r:user_home_t:s0 6", "7f5ffff ffffffff 0 ffffffef 1 0" },
};
/* clang-format on */

#define DIR_INDEX "7"
#define FILE_INDEX "6"

#define SVIRT "system_u:system_r:svirt_t:s0"

static unsigned int asked;

static int answer_recorded(const struct selinux *selinux, const char *question, char *answer,
			   size_t size)
{
	(void)selinux;
	asked++;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (!strcmp(answers[i][0], question)) {
			snprintf(answer, size, "%s", answers[i][1]);
			return 0;
		}
	fprintf(stderr, "not recorded: %s\n", question);
	return -EIO;
}

static void put_class(const char *name, const char *index, const char *perms)
{
	char path[128], *copy = strdup(perms), *rest = copy, *word;

	snprintf(path, sizeof(path), "class/%s", name);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "class/%s/perms", name);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "class/%s/index", name);
	put(path, index);
	while ((word = strsep(&rest, " "))) {
		char *number = strchr(word, '=');

		*number = '\0';
		snprintf(path, sizeof(path), "class/%s/perms/%s", name, word);
		put(path, number + 1);
	}
	free(copy);
}

FIXTURE(selinux)
{
	char dir[64];
	struct selinux selinux;
	struct place place[3];
	struct facts facts;
	struct person qemu;
	struct question q;
	struct findings found;
};

FIXTURE_SETUP(selinux)
{
	memset(self, 0, sizeof(*self));
	strcpy(self->dir, "/tmp/vmm_doctor_selinux.XXXXXX");
	ASSERT_NE(mkdtemp(self->dir), NULL);
	ASSERT_EQ(chdir(self->dir), 0);
	mkdir("class", 0700);
	put("enforce", "1");
	put_class("dir", DIR_INDEX, dir_perms);
	put_class("file", FILE_INDEX, file_perms);
	selinux_open(&self->selinux, self->dir);
	self->selinux.ask = answer_recorded;
	asked = 0;
	for (int i = 0; i < 3; i++)
		self->place[i] = (struct place){ .mode = S_IFDIR | 0777, .owner = "root" };
	self->place[0].path = "/";
	self->place[0].label = "system_u:object_r:root_t:s0";
	self->place[1].path = "/srv";
	self->place[1].label = "system_u:object_r:usr_t:s0";
	self->place[2].path = "/srv/data";
	self->place[2].label = "system_u:object_r:svirt_image_t:s0";
	self->facts = (struct facts){ .place = self->place, .n = 3 };
	self->qemu = (struct person){ .name = "qemu", .uid = 107, .gid = 107 };
	self->q = (struct question){
		.facts = &self->facts,
		.person = &self->qemu,
		.who = "QEMU as qemu",
		.wants = WANT_READ | WANT_WRITE,
		.selinux = &self->selinux,
		.context = SVIRT,
	};
}

FIXTURE_TEARDOWN(selinux)
{
	findings_free(&self->found);
	selinux_close(&self->selinux);
	remove_all(self->dir);
}

TEST_F(selinux, svirt_may_write_svirt_image_t)
{
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
	EXPECT_EQ(asked, 4);
}

/* The type that is often recommended. */
TEST_F(selinux, svirt_may_not_write_virt_content_t)
{
	const struct finding *f;

	self->place[2].label = "system_u:object_r:virt_content_t:s0";
	judge(&self->q, &self->found);
	f = self->found.finding;
	ASSERT_EQ(self->found.n, 1);
	EXPECT_STREQ(f[0].kind, "selinux");
	EXPECT_EQ(f[0].layer, LAYER_SELINUX);
	EXPECT_EQ(f[0].err, EACCES);
	EXPECT_TRUE(f[0].refuses);
	EXPECT_STREQ(f[0].place, "/srv/data");
	EXPECT_NE(
		strstr(f[0].what, ": write add_name remove_name of folders, create write of files"),
		NULL);
	EXPECT_STREQ(f[0].mend[0].text, "chcon -R -t svirt_image_t /srv/data");
	EXPECT_STREQ(f[0].mend[1].text,
		     "semanage fcontext -a -t svirt_image_t '/srv/data(/.*)?' && "
		     "restorecon -RF /srv/data");
}

/* semanage takes a regular expression, and no spaces in it. */
TEST_F(selinux, a_name_that_is_no_regular_expression)
{
	self->place[2].label = "system_u:object_r:virt_content_t:s0";
	self->place[2].path = "/srv/a.b (c)";
	judge(&self->q, &self->found);
	ASSERT_EQ(self->found.n, 1);
	EXPECT_STREQ(self->found.finding[0].mend[1].text,
		     "semanage fcontext -a -t svirt_image_t '/srv/a\\.b\\s\\(c\\)(/.*)?' && "
		     "restorecon -RF '/srv/a.b (c)'");
}

TEST_F(selinux, svirt_may_read_virt_content_t)
{
	self->place[2].label = "system_u:object_r:virt_content_t:s0";
	self->q.wants = WANT_READ;
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(selinux, svirt_may_not_read_what_is_a_users)
{
	self->place[2].label = "system_u:object_r:user_home_t:s0";
	self->q.wants = WANT_READ;
	judge(&self->q, &self->found);
	ASSERT_EQ(self->found.n, 1);
	EXPECT_NE(strstr(self->found.finding[0].what, ": read of folders"), NULL);
}

TEST_F(selinux, a_file)
{
	self->place[2].label = "system_u:object_r:virt_content_t:s0";
	self->place[2].mode = S_IFREG | 0666;
	judge(&self->q, &self->found);
	ASSERT_EQ(self->found.n, 1);
	EXPECT_NE(strstr(self->found.finding[0].what, ": write of files"), NULL);
}

TEST_F(selinux, an_unconfined_process_may)
{
	self->place[2].label = "system_u:object_r:user_home_t:s0";
	self->facts.place = &self->place[2];
	self->facts.n = 1;
	self->q.context = "system_u:system_r:unconfined_t:s0";
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
	EXPECT_EQ(asked, 2);
}

/* Without enforcing it would refuse, and does not. */
TEST_F(selinux, permissive)
{
	self->place[2].label = "system_u:object_r:virt_content_t:s0";
	self->selinux.enforcing = false;
	judge(&self->q, &self->found);
	ASSERT_EQ(self->found.n, 1);
	EXPECT_EQ(findings_refusing(&self->found), 0);
}

TEST_F(selinux, is_read)
{
	EXPECT_TRUE(self->selinux.enforcing);
	EXPECT_EQ(self->selinux.class[SELINUX_DIR].index, 7);
	EXPECT_EQ(self->selinux.class[SELINUX_FILE].index, 6);
	EXPECT_EQ(self->selinux.class[SELINUX_DIR].nperms, 30);
	EXPECT_EQ(self->selinux.class[SELINUX_FILE].nperms, 27);
}

/* The folder is there, and empty, in kernels with SELinux that do not use it. */
TEST_F(selinux, not_active)
{
	struct selinux none;

	unlink("enforce");
	selinux_open(&none, self->dir);
	EXPECT_EQ(none.dir, -1);
	self->q.selinux = &none;
	self->place[2].label = "system_u:object_r:virt_content_t:s0";
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(selinux, no_answer_is_no_refusal)
{
	self->place[2].label = "system_u:object_r:nobody_knows_t:s0";
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(selinux, context_of_qemu)
{
	char *context = selinux_qemu_context(self->dir);

	EXPECT_STREQ(context, SVIRT);
	free(context);
	put("config", "# a comment\nSELINUX=enforcing\nSELINUXTYPE=mine\n");
	mkdir("mine", 0700);
	mkdir("mine/contexts", 0700);
	put("mine/contexts/virtual_domain_context", "a_u:a_r:a_t:s0\nb_u:b_r:b_t:s0\n");
	context = selinux_qemu_context(self->dir);
	EXPECT_STREQ(context, "a_u:a_r:a_t:s0");
	free(context);
}

TEST_HARNESS_MAIN
