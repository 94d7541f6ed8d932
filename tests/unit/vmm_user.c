// SPDX-License-Identifier: MIT
/* --user USER[:GROUP]: names and numbers, in a root of its own. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vmm/user.h"

FIXTURE(user)
{
	char root[64];
	struct user user;
	struct why why;
};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

FIXTURE_SETUP(user)
{
	strcpy(self->root, "/tmp/vmm_user.XXXXXX");
	ASSERT_NE(mkdtemp(self->root), NULL);
	ASSERT_EQ(chdir(self->root), 0);
	mkdir("etc", 0755);
	write_file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"
				 "# a remark\n"
				 "me:x:1000:1001:Me,,,:/home/me:/bin/zsh\n"
				 "also-me:x:1000:5::/home/other:/bin/sh\n"
				 "1234:x:77:77::/home/odd:\n"
				 "nowhere:x:78:78:::\n");
	write_file("etc/group", "root:x:0:\naudio:x:29:you,me\nme:x:1001:me\nvideo:x:44:me,you\n"
				"games:x:60:also-me,mess\n");
}

FIXTURE_TEARDOWN(user)
{
	char command[128];

	user_free(&self->user);
	snprintf(command, sizeof(command), "rm -rf %s", self->root);
	(void)!system(command);
}

static int find(FIXTURE_DATA(user) *self, const char *text)
{
	user_free(&self->user);
	memset(&self->user, 0, sizeof(self->user));
	return user_find(&self->user, text, self->root, &self->why);
}

#define EXPECT_GROUPS(...)                                                                         \
	do {                                                                                       \
		const uint32_t want[] = { __VA_ARGS__ };                                           \
		EXPECT_EQ(self->user.ids.ngroups, sizeof(want) / sizeof(want[0]));                 \
		EXPECT_EQ(memcmp(self->user.ids.group, want, sizeof(want)), 0);                    \
	} while (0)

TEST_F(user, by_name)
{
	ASSERT_EQ(find(self, "me"), 0) TH_LOG("%s", self->why.text);
	EXPECT_EQ(self->user.ids.uid, 1000);
	EXPECT_EQ(self->user.ids.gid, 1001);
	EXPECT_STREQ(self->user.name, "me");
	EXPECT_STREQ(self->user.home, "/home/me");
	EXPECT_STREQ(self->user.shell, "/bin/zsh");
	EXPECT_GROUPS(1001, 29, 44);
}

TEST_F(user, by_number_that_has_a_name)
{
	ASSERT_EQ(find(self, "1000"), 0);
	EXPECT_STREQ(self->user.name, "me");
	EXPECT_EQ(self->user.ids.gid, 1001);
	EXPECT_GROUPS(1001, 29, 44);
	ASSERT_EQ(find(self, "0"), 0);
	EXPECT_STREQ(self->user.name, "root");
}

TEST_F(user, by_number_without_a_name)
{
	ASSERT_EQ(find(self, "4242"), 0);
	EXPECT_EQ(self->user.ids.uid, 4242);
	EXPECT_EQ(self->user.ids.gid, 4242);
	EXPECT_EQ(self->user.name, NULL);
	EXPECT_STREQ(self->user.home, "/");
	EXPECT_STREQ(self->user.shell, "/bin/sh");
	EXPECT_GROUPS(4242);
}

TEST_F(user, a_name_of_digits)
{
	ASSERT_EQ(find(self, "1234"), 0);
	EXPECT_EQ(self->user.ids.uid, 77);
	EXPECT_STREQ(self->user.home, "/home/odd");
	EXPECT_STREQ(self->user.shell, "/bin/sh");
}

TEST_F(user, no_home)
{
	ASSERT_EQ(find(self, "nowhere"), 0);
	EXPECT_STREQ(self->user.home, "/");
}

TEST_F(user, with_a_group)
{
	ASSERT_EQ(find(self, "me:games"), 0);
	EXPECT_EQ(self->user.ids.gid, 60);
	EXPECT_GROUPS(60, 29, 1001, 44);
	ASSERT_EQ(find(self, "me:44"), 0);
	EXPECT_GROUPS(44, 29, 1001);
	ASSERT_EQ(find(self, "4242:9"), 0);
	EXPECT_EQ(self->user.ids.uid, 4242);
	EXPECT_GROUPS(9);
}

TEST_F(user, unknown)
{
	static const char *const bad[] = { "you",  "me:nosuch",  "4294967295", "-1", "1000x",
					   "me:-1", "me:4294967295", "",	 ":",  "me:",
					   ":games" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(find(self, bad[i]), -EINVAL) TH_LOG("'%s'", bad[i]);
	}
	find(self, "you");
	EXPECT_NE(strstr(self->why.text, "'you'"), NULL);
	EXPECT_NE(strstr(self->why.text, "/etc/passwd"), NULL);
	find(self, "me:nosuch");
	EXPECT_NE(strstr(self->why.text, "/etc/group"), NULL);
}

/* A root without these files has numbers. */
TEST_F(user, no_files)
{
	unlink("etc/passwd");
	unlink("etc/group");
	EXPECT_EQ(find(self, "me"), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "No such file"), NULL);
	ASSERT_EQ(find(self, "1000:5"), 0);
	EXPECT_GROUPS(5);
}

/* An absolute link is the root's own. */
TEST_F(user, links_stay_within)
{
	rename("etc/passwd", "etc/real");
	ASSERT_EQ(symlink("/etc/real", "etc/passwd"), 0);
	ASSERT_EQ(find(self, "me"), 0);
	unlink("etc/passwd");
	ASSERT_EQ(symlink("/etc/passwd", "etc/passwd"), 0);
	EXPECT_EQ(find(self, "daemon"), -EINVAL);
}

/* Nobody writes to it, so that opening it would wait for ever. */
TEST_F_TIMEOUT(user, files_that_are_none, 10)
{
	unlink("etc/passwd");
	unlink("etc/group");
	ASSERT_EQ(mkfifo("etc/passwd", 0644), 0);
	ASSERT_EQ(mkdir("etc/group", 0755), 0);
	EXPECT_EQ(find(self, "me"), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "/etc/passwd, which would know the user 'me', cannot be "
					 "read: it is no file"),
		  NULL);
	EXPECT_EQ(find(self, "1000:me"), -EINVAL);
	ASSERT_EQ(find(self, "1000:5"), 0);
	EXPECT_GROUPS(5);
}

TEST_F(user, too_many_groups)
{
	FILE *f = fopen("etc/group", "w");

	for (int i = 0; i < GUEST_MAX_GROUPS - 1; i++)
		fprintf(f, "g%d:x:%d:me\n", i, i + 5000);
	fclose(f);
	EXPECT_EQ(find(self, "me"), 0);
	EXPECT_EQ(self->user.ids.ngroups, GUEST_MAX_GROUPS);
	f = fopen("etc/group", "a");
	fprintf(f, "last:x:9999:me\n");
	fclose(f);
	EXPECT_EQ(find(self, "me"), -EINVAL);
}

/* Whoever runs ninepin brings own groups along, but for root's and what is shown as another. */
TEST_F(user, joins_groups)
{
	static const gid_t groups[] = { 0, 42000, 1000, 42001, 42000 };

	ASSERT_EQ(find(self, "77:5"), 0);
	user_join(&self->user, groups, 5, 1000);
	EXPECT_GROUPS(5, 42000, 42001);
}

TEST_F(user, of_busybox)
{
	ASSERT_EQ(user_find(&self->user, "root", NULL, &self->why), 0);
	EXPECT_EQ(self->user.ids.uid, 0);
	EXPECT_EQ(self->user.ids.gid, 0);
	EXPECT_STREQ(self->user.home, "/root");
	user_free(&self->user);
	memset(&self->user, 0, sizeof(self->user));
	ASSERT_EQ(user_find(&self->user, "5:root", NULL, &self->why), 0);
	EXPECT_EQ(self->user.ids.uid, 5);
	EXPECT_EQ(self->user.ids.gid, 0);
	user_free(&self->user);
	memset(&self->user, 0, sizeof(self->user));
	EXPECT_EQ(user_find(&self->user, "me", NULL, &self->why), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "busybox"), NULL);
}

TEST_HARNESS_MAIN
