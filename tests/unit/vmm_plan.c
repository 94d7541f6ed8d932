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
	mkdir("other/bin", 0755);
	write_file("other/bin/sh", "");
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

/* All that a kernel can be asked for, but for two options to find a device by. */
static const char config[] =
	"CONFIG_BLK_DEV_INITRD=y\nCONFIG_BINFMT_ELF=y\nCONFIG_DEVTMPFS=y\nCONFIG_PROC_FS=y\n"
	"CONFIG_SYSFS=y\nCONFIG_TMPFS=y\nCONFIG_UNIX98_PTYS=y\nCONFIG_SIGNALFD=y\nCONFIG_SMP=y\n"
	"CONFIG_MULTIUSER=y\nCONFIG_VIRTIO_MMIO=y\nCONFIG_VIRTIO_CONSOLE=y\nCONFIG_9P_FS=y\n"
	"CONFIG_NET_9P_VIRTIO=y\nCONFIG_9P_FS_POSIX_ACL=y\nCONFIG_OVERLAY_FS=y\n"
	"CONFIG_HW_RANDOM_VIRTIO=y\nCONFIG_PRINTK=y\nCONFIG_SERIAL_8250_CONSOLE=y\n"
	"CONFIG_ACPI=y\nCONFIG_OF=n\nCONFIG_OF_EARLY_FLATTREE=n\nCONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=n\n"
	"CONFIG_X86_MPPARSE=y\nCONFIG_PVPANIC_MMIO=y\n";

/* The same, with other values: "9P_FS=m ACPI=n". */
static void write_config(const char *other)
{
	char text[sizeof(config)], words[256], *word, *rest = words;

	strcpy(text, config);
	strcpy(words, other);
	while ((word = strsep(&rest, " ")) && *word) {
		char line[64], *value = strchr(word, '=');

		snprintf(line, sizeof(line), "CONFIG_%.*s=", (int)(value - word), word);
		strstr(text, line)[strlen(line)] = value[1];
	}
	write_file("config-0.1-plan", text);
}

/* A kernel without modules: nothing is loaded, and what is missing is told. */
#define NEED(other, ...)                                                                           \
	({                                                                                         \
		write_config(other);                                                               \
		plan_free(&self->plan);                                                            \
		options_free(&self->opt);                                                          \
		make_words(self, false,                                                            \
			   (char *[]){ "run", "--kernel=kernel", __VA_ARGS__, NULL });             \
	})
#define SAYS(words) EXPECT_NE(strstr(self->why.text, words), NULL) TH_LOG("%s", self->why.text)
#define SAYS_NOT(words) EXPECT_EQ(strstr(self->why.text, words), NULL) TH_LOG("%s", self->why.text)

TEST_F(plan, a_kernel_with_all_that_is_needed)
{
	ASSERT_EQ(NEED("", "--root=other", "--share=src,posixacl", "-c2", "-u", "7"), 0)
		TH_LOG("%s", self->why.text);
	EXPECT_EQ(self->plan.guest.nmodules, 0);
	EXPECT_STREQ(self->plan.notes.text ? self->plan.notes.text : "", "");
	/* What it does not need it need not have. */
	EXPECT_EQ(NEED("MULTIUSER=n SMP=n 9P_FS_POSIX_ACL=n HW_RANDOM_VIRTIO=n", "--root=other",
		       "--share=src"), 0) TH_LOG("%s", self->why.text);
	if (access("/bin/busybox", X_OK) != 0)
		SKIP(return, "no busybox here");
	EXPECT_EQ(NEED("9P_FS=n NET_9P_VIRTIO=n OVERLAY_FS=n", "--root=busybox"), 0)
		TH_LOG("%s", self->why.text);
}

TEST_F(plan, a_kernel_that_lacks_something)
{
	EXPECT_EQ(NEED("9P_FS=n VIRTIO_MMIO=n", "--root=other"), -ENOTSUP);
	SAYS("config-0.1-plan");
	SAYS("CONFIG_VIRTIO_MMIO, CONFIG_9P_FS:");
	SAYS("images/ninepin.config");
	SAYS_NOT("busybox");
	EXPECT_EQ(NEED("OVERLAY_FS=n", "--root=other"), -ENOTSUP);
	SAYS("CONFIG_OVERLAY_FS:");
	SAYS("--root busybox");
	EXPECT_EQ(NEED("OVERLAY_FS=n 9P_FS=n", "--root=other"), -ENOTSUP);
	SAYS("CONFIG_9P_FS, CONFIG_OVERLAY_FS:");
	SAYS_NOT("--root busybox");
	EXPECT_EQ(NEED("MULTIUSER=n", "--root=other", "-u7"), -ENOTSUP);
	SAYS("CONFIG_MULTIUSER:");
	EXPECT_EQ(NEED("SMP=n", "--root=other", "-c2"), -ENOTSUP);
	SAYS("CONFIG_SMP:");
	EXPECT_EQ(NEED("SMP=n", "--root=other", "-c1"), 0);
	EXPECT_EQ(NEED("9P_FS_POSIX_ACL=n", "--root=other", "--share=src,posixacl"), -ENOTSUP);
	SAYS("CONFIG_9P_FS_POSIX_ACL:");
	EXPECT_EQ(NEED("ACPI=n", "--root=other"), -ENOTSUP);
	SAYS("CONFIG_ACPI or CONFIG_OF_EARLY_FLATTREE or CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES:");
	EXPECT_EQ(NEED("SERIAL_8250_CONSOLE=n", "--root=other"), 0);
	EXPECT_NE(strstr(self->plan.notes.text, "CONFIG_SERIAL_8250_CONSOLE"), NULL);
}

TEST_F(plan, how_the_guest_learns_of_its_machine)
{
	static const struct {
		const char *config, *option;
		int firmware; /* or an error */
	} cases[] = {
		{ "OF_EARLY_FLATTREE=y VIRTIO_MMIO_CMDLINE_DEVICES=y", NULL, FIRMWARE_ACPI },
		{ "ACPI=n OF_EARLY_FLATTREE=y VIRTIO_MMIO_CMDLINE_DEVICES=y", NULL, FIRMWARE_DTB },
		{ "ACPI=n OF=y VIRTIO_MMIO_CMDLINE_DEVICES=y X86_MPPARSE=y", NULL, FIRMWARE_CMDLINE },
		{ "VIRTIO_MMIO_CMDLINE_DEVICES=y X86_MPPARSE=y", "--firmware=cmdline", FIRMWARE_CMDLINE },
		{ "OF_EARLY_FLATTREE=y", "--firmware=dtb", FIRMWARE_DTB },
		{ "OF_EARLY_FLATTREE=n", "--firmware=dtb", -ENOTSUP },
		{ "ACPI=n OF_EARLY_FLATTREE=y", "--firmware=acpi", -ENOTSUP },
		{ "VIRTIO_MMIO_CMDLINE_DEVICES=y X86_MPPARSE=n", "--firmware=cmdline", -ENOTSUP },
	};
	const struct platform platform = {
		.cpus = 1,
		.ndevices = 1,
		.device = { { PLATFORM_VIRTIO_MMIO, 0xd0000000, 0x1000, 16 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int err = NEED(cases[i].config, "--root=other", "--append=mine",
			       (char *)cases[i].option);

		TH_LOG("case %zu: %s", i, err ? self->why.text : "");
		EXPECT_EQ(err ? err : (int)self->plan.firmware, cases[i].firmware);
		if (err)
			continue;
		/* The user's words come last. */
		ASSERT_EQ(plan_describe(&self->plan, &platform, &self->why), 0);
		EXPECT_EQ(strncmp(self->plan.cmdline, "virtio_mmio.device=0x1000@0xd0000000:16 console=", 48) == 0,
			  cases[i].firmware == FIRMWARE_CMDLINE);
		EXPECT_STREQ(strrchr(self->plan.cmdline, ' '), " mine");
	}
	EXPECT_EQ(NEED("ACPI=n OF_EARLY_FLATTREE=y", "--root=other", "--firmware=cmdline"), -ENOTSUP);
	SAYS(": CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES:");
	/* Nothing is known. */
	unlink("config-0.1-plan");
	plan_free(&self->plan);
	options_free(&self->opt);
	ASSERT_EQ(MAKE("--root=other"), 0) TH_LOG("%s", self->why.text);
	EXPECT_EQ(self->plan.firmware, FIRMWARE_ACPI);
	plan_free(&self->plan);
	options_free(&self->opt);
	ASSERT_EQ(MAKE("--root=other", "--firmware=dtb"), 0) TH_LOG("%s", self->why.text);
	EXPECT_EQ(self->plan.firmware, FIRMWARE_DTB);
}

TEST_F(plan, a_kernel_with_modules)
{
	write_file("mod/modules.dep", "kernel/fs/9p/9p.ko:\n");
	EXPECT_EQ(NEED("9P_FS=m NET_9P_VIRTIO=m", "--root=other"), -ENOTSUP);
	SAYS("--modules");
	SAYS("CONFIG_9P_FS (a module), CONFIG_NET_9P_VIRTIO (a module)");
	EXPECT_EQ(NEED("9P_FS=m ACPI=n", "--root=other"), -ENOTSUP);
	SAYS("CONFIG_9P_FS (a module), CONFIG_ACPI or");
	SAYS("ninepin.config");
	/* Only those that are modules are looked for. */
	ASSERT_EQ(NEED("9P_FS=m HW_RANDOM_VIRTIO=m", "--root=other", "--modules=mod"), 0)
		TH_LOG("%s", self->why.text);
	ASSERT_EQ(self->plan.guest.nmodules, 2);
	EXPECT_STREQ(self->plan.guest.modules[0], "9p");
	EXPECT_STREQ(self->plan.guest.modules[1], "virtio_rng?");
	/* Nothing is known: all are, and modules.builtin tells which are none. */
	unlink("config-0.1-plan");
	plan_free(&self->plan);
	options_free(&self->opt);
	write_file("mod/modules.dep", "kernel/fs/overlayfs/overlay.ko:\n");
	ASSERT_EQ(MAKE("--root=other"), 0) TH_LOG("%s", self->why.text);
	EXPECT_EQ(self->plan.guest.nmodules, 7);
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
	write_file("other/bin/mine", "");
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

/* ---- a root that is written to ---- */

TEST_F(plan, root_written_to)
{
	const struct p9_share_config *config = &self->plan.share[0].config;

	/* No overlayfs is needed. */
	write_file("mod/modules.dep", "kernel/fs/9p/9p.ko:\n");
	ASSERT_EQ(MAKE("--root=other,rw", "--share=src"), 0) TH_LOG("%s", self->why.text);
	EXPECT_EQ(config->flags, 0);
	EXPECT_FALSE(self->plan.guest.overlay);
	EXPECT_EQ(self->plan.guest.home, NULL);
	EXPECT_EQ(config->model, p9_privileged() ? P9_MODEL_PASSTHROUGH : P9_MODEL_IDMAP);
	EXPECT_NE(strstr(self->plan.root.options, "cache=mmap"), NULL);
	EXPECT_TRUE(self->plan.share[0].explain);
	for (size_t i = 0; i < self->plan.guest.nmodules; i++)
		EXPECT_STRNE(self->plan.guest.modules[i], "overlay");
	/* What the guest will make in it. */
	EXPECT_NE(strstr(self->plan.notes.text, "no /dev, /proc, /sys, /run, /tmp, /mnt/src to mount"), NULL)
		TH_LOG("%s", self->plan.notes.text);
}

TEST_F(plan, root_written_to_by_an_ordinary_user)
{
	const struct p9_idmap *uids = &self->plan.share[0].config.uids;
	int err;

	mkdir("other/dev", 0755);
	mkdir("other/proc", 0755);
	mkdir("other/sys", 0755);
	mkdir("other/tmp", 0755);
	ASSERT_EQ(0, symlink("/tmp", "other/run"));
	chmod(self->dir, 0755);
	if (geteuid() == 0)
		ASSERT_EQ(0, setegid(4321) ?: seteuid(4321));
	err = MAKE("--root=other,rw", "--share=src:/tmp/src", "-u1234");
	EXPECT_EQ(err, 0);
	EXPECT_EQ(uids->n, 2);
	EXPECT_EQ(uids->range[0].guest, 1234);
	EXPECT_EQ(uids->range[0].host, geteuid());
	EXPECT_EQ(uids->range[1].guest, 0);
	EXPECT_EQ(uids->range[1].host, geteuid());
	/* All is there, or in memory. */
	EXPECT_EQ(self->plan.notes.text, NULL);
	if (getuid() == 0)
		ASSERT_EQ(0, seteuid(0) ?: setegid(0));
}

TEST_F(plan, root_of_the_machine_is_not_written_to)
{
	EXPECT_EQ(MAKE("--root", "/,rw"), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "this machine's own system"), NULL);
	plan_free(&self->plan);
	options_free(&self->opt);
	EXPECT_EQ(MAKE("--root", "/usr/..,rw"), -EINVAL);
}

TEST_F(plan, root_without_a_shell)
{
	EXPECT_EQ(MAKE("--root", "src"), -ENOENT);
	EXPECT_NE(strstr(self->why.text, "/bin/sh"), NULL);
	plan_free(&self->plan);
	options_free(&self->opt);
	EXPECT_EQ(MAKE("--root", "src", "--", "/x"), 0);
	plan_free(&self->plan);
	options_free(&self->opt);
	/* As those in it see it; a share may bring it. */
	ASSERT_EQ(0, symlink("/usr/bin", "src/bin"));
	EXPECT_EQ(MAKE("--root", "src"), -ENOENT);
	plan_free(&self->plan);
	options_free(&self->opt);
	EXPECT_EQ(MAKE("--root", "src", "--share=other/bin:/bin"), 0);
}

/* ---- what is hidden ---- */

/* 1: hidden, 2: an exception; of the first share, the root. */
static int in_hidden(FIXTURE_DATA(plan) *self, const char *path)
{
	const struct p9_share_config *config = &self->plan.share[0].config;
	int is = 0;

	for (unsigned int i = 0; i < config->nhidden; i++)
		if (!strcmp(config->hidden[i].path, path))
			is |= config->hidden[i].shown ? 2 : 1;
	return is;
}

TEST_F(plan, hidden_of_the_machine)
{
	char path[512], *real = realpath("/home", NULL);

	ASSERT_NE(real, NULL);
	snprintf(path, sizeof(path), "%s/src", self->dir);
	setenv("HOME", path, 1);
	ASSERT_EQ(MAKE("--share=src", "--hide=/opt/mine"), 0) TH_LOG("%s", self->why.text);
	EXPECT_EQ(in_hidden(self, "/etc/shadow*"), 1);
	EXPECT_EQ(in_hidden(self, "/proc/*"), 1);
	EXPECT_EQ(in_hidden(self, "/home/*"), 1);
	EXPECT_EQ(in_hidden(self, "/opt/mine"), 1);
	EXPECT_EQ(in_hidden(self, "/root"), geteuid() != 0);
	snprintf(path, sizeof(path), "%s/src/.ssh", self->dir);
	EXPECT_EQ(in_hidden(self, path), 1);
	/* A share is as it is. */
	EXPECT_EQ(self->plan.share[1].config.nhidden, 0);
	plan_free(&self->plan);
	options_free(&self->opt);

	/* A home below /home is spared, and what leads to it. */
	setenv("HOME", real, 1);
	ASSERT_EQ(MAKE("--share=src"), 0);
	EXPECT_EQ(in_hidden(self, real), 0);
	free(real);
	plan_free(&self->plan);
	options_free(&self->opt);

	ASSERT_EQ(MAKE("--hide=none", "--hide=/opt/mine"), 0);
	EXPECT_EQ(self->plan.share[0].config.nhidden, 1);
	EXPECT_EQ(in_hidden(self, "/opt/mine"), 1);
	plan_free(&self->plan);
	options_free(&self->opt);

	/* Of another root, nothing is by itself. */
	ASSERT_EQ(MAKE("--root=other", "--hide=/etc/key"), 0);
	EXPECT_EQ(self->plan.share[0].config.nhidden, 1);
	EXPECT_EQ(in_hidden(self, "/etc/key"), 1);
	plan_free(&self->plan);
	options_free(&self->opt);
	ASSERT_EQ(MAKE("--root=other,rw", "--hide=/etc/key"), 0);
	EXPECT_EQ(in_hidden(self, "/etc/key"), 1);
}

TEST_F(plan, your_own_home_is_spared)
{
	if (geteuid() || mkdir("/home/.vmm_plan", 0755) || mkdir("/home/.vmm_plan/me", 0755))
		SKIP(return, "needs root");
	setenv("HOME", "/home/.vmm_plan/me/", 1);
	EXPECT_EQ(MAKE("--", "true"), 0);
	EXPECT_EQ(in_hidden(self, "/home/.vmm_plan"), 2);
	EXPECT_EQ(in_hidden(self, "/home/.vmm_plan/*"), 1);
	EXPECT_EQ(in_hidden(self, "/home/.vmm_plan/me"), 2);
	EXPECT_EQ(in_hidden(self, "/home/.vmm_plan/me/*"), 0);
	EXPECT_EQ(0, rmdir("/home/.vmm_plan/me") ?: rmdir("/home/.vmm_plan"));
}

/* ---- the environment ---- */

TEST_F(plan, environment_is_fixed)
{
	static const char *const fixed[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C.UTF-8", "HOME=/root", "USER=root", "LOGNAME=root", NULL,
	};
	size_t i;

	setenv("LANG", "de_DE.UTF-8", 1);
	setenv("LC_ALL", "de_DE.UTF-8", 1);
	setenv("USER", "somebody", 1);
	setenv("PATH", "/bin:/usr/bin:/nowhere", 1);
	setenv("SECRET", "s", 1);
	ASSERT_EQ(MAKE("--", "true"), 0);
	for (i = 0; fixed[i]; i++)
		ASSERT_STREQ(self->plan.guest.env[i], fixed[i]);
	EXPECT_EQ(self->plan.guest.env[i], NULL);
}

TEST_F(plan, environment_as_asked)
{
	size_t n = 0, langs = 0;

	setenv("HERE", "a=b c", 1);
	setenv("LANG", "de_DE.UTF-8", 1);
	ASSERT_EQ(MAKE("--env=HERE", "--env", "LANG", "--env=X=1", "--env=X=2", "--env=EMPTY=", "--", "true"), 0);
	for (const char *const *e = self->plan.guest.env; *e; e++) {
		n++;
		langs += !strncmp(*e, "LANG=", 5);
	}
	EXPECT_EQ(n, 8);
	EXPECT_EQ(langs, 1);
	EXPECT_TRUE(in_env(self, "HERE=a=b c"));
	EXPECT_TRUE(in_env(self, "LANG=de_DE.UTF-8"));
	EXPECT_TRUE(in_env(self, "X=2"));
	EXPECT_FALSE(in_env(self, "X=1"));
	EXPECT_TRUE(in_env(self, "EMPTY="));
}

/* Of the user, where the root has one that may be hidden. */
TEST_F(plan, home_to_be_made)
{
	ASSERT_EQ(MAKE("--root=other", "--", "true"), 0);
	EXPECT_EQ(self->plan.guest.home, NULL);
	plan_free(&self->plan);
	options_free(&self->opt);
	mkdir("other/root", 0700);
	ASSERT_EQ(MAKE("--root=other", "--hide=/root", "--", "true"), 0);
	EXPECT_STREQ(self->plan.guest.home, "/root");
}

TEST_F(plan, command_line)
{
	ASSERT_EQ(MAKE("--append", "panic=0", "-v"), 0);
	/* The user's words are last, and -v wants to see the kernel's. */
	EXPECT_STREQ(strrchr(self->plan.cmdline, ' '), " panic=0");
	EXPECT_EQ(strstr(self->plan.cmdline, "quiet"), NULL);
}

TEST_HARNESS_MAIN
