// SPDX-License-Identifier: MIT
/* From options to what is started: places, tags, roots, modules, what the kernel must have. */
#include <errno.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "tiny_kernel.h"
#include "vmm/plan.h"

FIXTURE(plan)
{
	struct run_options opt;
	struct plan plan;
	struct why why;
	char dir[64];
	char src[128];
	char *words[16]; /* the options borrow the command's */
};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static void write_kernel(const char *path)
{
	struct tiny_kernel k;
	FILE *f = fopen(path, "w");

	tiny_kernel(&k, "0.1-plan");
	fwrite(&k, sizeof(k), 1, f);
	fclose(f);
}

FIXTURE_SETUP(plan)
{
	memset(self, 0, sizeof(*self));
	strcpy(self->dir, "/tmp/vmm_plan.XXXXXX");
	ASSERT_NE(mkdtemp(self->dir), NULL);
	ASSERT_EQ(chdir(self->dir), 0);
	mkdir("src", 0755);
	mkdir("other", 0755);
	mkdir("other/src", 0755);
	mkdir("mod", 0755);
	write_kernel("kernel");
	write_file("mod/modules.dep", "kernel/fs/overlayfs/overlay.ko:\n");
	write_file("mod/modules.builtin", "");
	sprintf(self->src, "%s/src", self->dir);
}

FIXTURE_TEARDOWN(plan)
{
	char command[128];

	plan_free(&self->plan);
	options_free(&self->opt);
	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	(void)!system(command);
}

static int make_words(FIXTURE_DATA(plan) *self, bool tty, char *words[])
{
	int n = 0, err;

	while ((self->words[n] = words[n]))
		n++;
	err = options_parse(&self->opt, n, self->words, &self->why);
	return err ? err : plan_make(&self->plan, &self->opt, tty, 25, 80, &self->why);
}

#define MAKE(...)                                                                                  \
	make_words(self, false,                                                                    \
		   (char *[]){ "run", "--kernel=kernel", "--modules=mod", __VA_ARGS__, NULL })

TEST_F(plan, host_root_keeps_the_place)
{
	ASSERT_EQ(MAKE("--share", "src", "--", "true"), 0) TH_LOG("%s", self->why.text);
	/* The root is the first device, read-only; the share follows. */
	ASSERT_EQ(self->plan.nshares, 2);
	EXPECT_STREQ(self->plan.share[0].path, "/");
	EXPECT_EQ(self->plan.share[0].config.flags, P9_SHARE_RO);
	EXPECT_STREQ(self->plan.share[1].path, self->src);
	EXPECT_EQ(self->plan.share[1].config.flags, 0);
	EXPECT_TRUE(self->plan.guest.overlay);
	EXPECT_STREQ(self->plan.guest.mounts[0].path, self->src);
	EXPECT_STREQ(self->plan.guest.cwd, self->src);
	EXPECT_STREQ(self->plan.guest.mounts[0].options,
		     "trans=virtio,version=9p2000.L,cache=mmap,msize=512000,locktimeout=1");
	EXPECT_STREQ(self->plan.guest.argv[0], "true");
}

TEST_F(plan, other_root_has_mnt)
{
	ASSERT_EQ(MAKE("--root", "other", "--share", "src"), 0) TH_LOG("%s", self->why.text);
	EXPECT_STREQ(self->plan.guest.mounts[0].path, "/mnt/src");
	/* That root has no bash. */
	EXPECT_STREQ(self->plan.guest.argv[0], "/bin/sh");
}

TEST_F(plan, place_and_options_as_asked)
{
	ASSERT_EQ(MAKE("--share", "src:/work:ro,cache=none,msize=8192"), 0);
	EXPECT_STREQ(self->plan.guest.mounts[0].path, "/work");
	EXPECT_EQ(self->plan.share[1].config.flags, P9_SHARE_RO);
	EXPECT_STREQ(self->plan.guest.mounts[0].options,
		     "trans=virtio,version=9p2000.L,cache=none,msize=8192,locktimeout=1,ro");
}

TEST_F(plan, two_with_one_name)
{
	EXPECT_EQ(MAKE("--root=other", "--share=src", "--share=other/src"), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "/mnt/src"), NULL);
}

TEST_F(plan, two_with_one_tag)
{
	EXPECT_EQ(MAKE("--share=src,tag=x", "--share=other,tag=x"), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "'x'"), NULL);
}

TEST_F(plan, missing_share)
{
	EXPECT_EQ(MAKE("--share=nosuch"), -ENOENT);
	EXPECT_NE(strstr(self->why.text, "nosuch"), NULL);
}

TEST_F(plan, share_is_a_file)
{
	EXPECT_EQ(MAKE("--share=kernel"), -ENOTDIR);
}

TEST_F(plan, share_is_unreadable)
{
	if (geteuid() == 0 && seteuid(65534) < 0)
		SKIP(return, "cannot become an ordinary user");
	EXPECT_EQ(MAKE("--share=/root"), -EACCES);
	EXPECT_NE(strstr(self->why.text, "/root"), NULL);
	(void)!seteuid(0);
}

TEST_F(plan, missing_kernel)
{
	char *words[] = { "run", "--kernel=nosuch", NULL };

	EXPECT_EQ(make_words(self, false, words), -ENOENT);
	EXPECT_NE(strstr(self->why.text, "nosuch"), NULL);
}

TEST_F(plan, tree_without_a_kernel)
{
	char *words[] = { "run", "--kernel=src", NULL };

	EXPECT_EQ(make_words(self, false, words), -ENOENT);
	EXPECT_NE(strstr(self->why.text, "bzImage"), NULL);
}

TEST_F(plan, no_overlay)
{
	write_file("mod/modules.dep", "kernel/fs/9p/9p.ko:\n");
	/* Asked for, it is an error; by default, a note. */
	EXPECT_EQ(MAKE("--root", "other"), -ENOTSUP);
	plan_free(&self->plan);
	options_free(&self->opt);
	if (access("/bin/busybox", X_OK) != 0)
		SKIP(return, "no busybox here");
	EXPECT_EQ(MAKE("--share", "src"), 0) TH_LOG("%s", self->why.text);
	EXPECT_NE(strstr(self->plan.notes.text, "overlayfs"), NULL);
	EXPECT_EQ(self->plan.guest.root, NULL);
	EXPECT_STREQ(self->plan.guest.mounts[0].path, "/mnt/src");
}

TEST_F(plan, terminal)
{
	char *words[] = { "run", "--kernel=kernel", "--modules=mod", NULL };
	bool term = false;

	setenv("TERM", "vt220", 1);
	ASSERT_EQ(make_words(self, true, words), 0);
	EXPECT_TRUE(self->plan.guest.tty);
	EXPECT_EQ(self->plan.guest.rows, 25);
	for (const char *const *e = self->plan.guest.env; *e; e++)
		term |= !strcmp(*e, "TERM=vt220");
	EXPECT_TRUE(term);
}

static bool in_env(FIXTURE_DATA(plan) *self, const char *word)
{
	for (const char *const *e = self->plan.guest.env; *e; e++)
		if (!strncmp(*e, word, strlen(word)))
			return true;
	return false;
}

TEST_F(plan, no_user_is_root)
{
	ASSERT_EQ(MAKE("--root", "other"), 0);
	EXPECT_EQ(self->plan.guest.user, NULL);
	EXPECT_TRUE(in_env(self, "HOME=/root"));
	EXPECT_TRUE(in_env(self, "USER=root"));
	EXPECT_TRUE(in_env(self, "LOGNAME=root"));
	EXPECT_FALSE(in_env(self, "SHELL="));
}

TEST_F(plan, user_of_the_root)
{
	const struct p9_idmap *uids = &self->plan.share[1].config.uids;
	const struct p9_idmap *gids = &self->plan.share[1].config.gids;

	mkdir("other/etc", 0755);
	write_file("other/etc/passwd", "me:x:1234:99::/home/me:/bin/mine\n");
	write_file("other/etc/group", "us:x:77:\ntoo:x:78:me\n");
	chmod(self->dir, 0755);
	/* Root stands aside: it needs no map. */
	if (geteuid() == 0)
		ASSERT_EQ(0, setegid(4321) ?: seteuid(4321));
	EXPECT_EQ(MAKE("--root", "other", "-u", "me:us", "--share=src"), 0)
		TH_LOG("%s", self->why.text);
	EXPECT_EQ(self->plan.guest.user->uid, 1234);
	EXPECT_EQ(self->plan.guest.user->gid, 77);
	EXPECT_EQ(self->plan.guest.user->ngroups, 2);
	EXPECT_STREQ(self->plan.guest.argv[0], "/bin/mine");
	EXPECT_TRUE(in_env(self, "HOME=/home/me"));
	EXPECT_TRUE(in_env(self, "USER=me"));
	EXPECT_TRUE(in_env(self, "LOGNAME=me"));
	EXPECT_TRUE(in_env(self, "SHELL=/bin/mine"));
	EXPECT_EQ(uids->range[0].guest, 1234);
	EXPECT_EQ(uids->range[0].host, geteuid());
	EXPECT_EQ(gids->range[0].guest, 77);
	EXPECT_EQ(gids->range[0].host, getegid());
	if (getuid() == 0)
		ASSERT_EQ(0, seteuid(0) ?: setegid(0));
}

TEST_F(plan, user_of_busybox)
{
	if (access("/bin/busybox", X_OK) != 0)
		SKIP(return, "no busybox here");
	ASSERT_EQ(MAKE("--root", "busybox", "-u", "1234"), 0) TH_LOG("%s", self->why.text);
	EXPECT_EQ(self->plan.guest.user->gid, 1234);
	EXPECT_STREQ(self->plan.guest.argv[0], "/bin/sh");
	EXPECT_TRUE(in_env(self, "HOME=/"));
	EXPECT_FALSE(in_env(self, "USER="));
	plan_free(&self->plan);
	options_free(&self->opt);
	EXPECT_EQ(MAKE("--root", "busybox", "-u", "me"), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "busybox"), NULL);
}

TEST_F(plan, command_line)
{
	ASSERT_EQ(MAKE("--append", "panic=0", "-v"), 0);
	/* The user's words are last, and -v wants to see the kernel's. */
	EXPECT_STREQ(strrchr(self->plan.cmdline, ' '), " panic=0");
	EXPECT_EQ(strstr(self->plan.cmdline, "quiet"), NULL);
}

TEST_HARNESS_MAIN
