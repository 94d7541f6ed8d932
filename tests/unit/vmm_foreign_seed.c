// SPDX-License-Identifier: MIT
/* Each thing that a page of advice tells people to paste is taken: applied, or answered. */
#include "foreign.h"
#include "seed.h"

FIXTURE(seed)
{
	struct made m;
};

FIXTURE_SETUP(seed)
{
	memset(&self->m, 0, sizeof(self->m));
}

FIXTURE_TEARDOWN(seed)
{
	clear(&self->m);
}

TEST_F(seed, mapped)
{
	const struct share_options *s = self->m.share;

	ASSERT_EQ(libvirt(&self->m, SEED_MAPPED), 0);
	ASSERT_EQ(self->m.n, 1);
	EXPECT_STREQ(s->host, "/path/on/host");
	EXPECT_STREQ(s->tag, "mount_tag");
	EXPECT_STREQ(s->guest, "/mnt/mount_tag");
	EXPECT_TRUE(s->foreign);
	EXPECT_TRUE(s->model_set);
	EXPECT_EQ(s->config.model, P9_MODEL_MAPPED);
	EXPECT_EQ(s->config.flags, P9_SHARE_RO);
	EXPECT_EQ(self->m.notes.text, NULL);
}

TEST_F(seed, complete)
{
	const struct share_options *s = self->m.share;

	ASSERT_EQ(libvirt(&self->m, SEED_COMPLETE), 0);
	ASSERT_EQ(self->m.n, 1);
	EXPECT_STREQ(s->host, "/shared/data");
	EXPECT_STREQ(s->tag, "shared_data");
	EXPECT_STREQ(s->guest, "/mnt/shared_data");
	EXPECT_EQ(s->config.model, P9_MODEL_PASSTHROUGH);
	EXPECT_EQ(s->config.flags, 0);
	EXPECT_SAID(&self->m, "f:6:1: <address type='pci'>: not needed");
	EXPECT_EQ(lines_said(&self->m), 1);
}

TEST_F(seed, complete_and_mounted)
{
	const struct share_options *s = self->m.share;

	ASSERT_EQ(libvirt(&self->m, SEED_COMPLETE SEED_MOUNT), 0);
	ASSERT_EQ(self->m.n, 1);
	EXPECT_STREQ(s->tag, "shared_data");
	EXPECT_STREQ(s->guest, "/mnt/data");
	EXPECT_STREQ(s->access, "client");
	EXPECT_STREQ(s->cache, "mmap");
	EXPECT_EQ(s->msize, 512000);
	EXPECT_SAID(&self->m, "f:10:16: msize=524288: the guest's virtio transport takes 512000");
	EXPECT_EQ(lines_said(&self->m), 2);
}

TEST_F(seed, mounted_for_speed)
{
	const struct share_options *s = self->m.share;

	ASSERT_EQ(libvirt(&self->m, SEED_COMPLETE SEED_MOUNT_LOOSE), 0);
	EXPECT_STREQ(s->guest, "/mnt/data");
	EXPECT_STREQ(s->cache, "loose");
	EXPECT_EQ(s->access, NULL);
	EXPECT_EQ(s->msize, 512000);
	EXPECT_SAID(&self->m, "f:9:16: msize=1048576: the guest's virtio transport takes 512000");
	EXPECT_SAID(&self->m, "f:9:16: cache=loose: what the host changes");
}

/* Of two mounts of a tag the later one is meant, and it alone. */
TEST_F(seed, mounted_twice)
{
	ASSERT_EQ(libvirt(&self->m, SEED_COMPLETE SEED_MOUNT SEED_MOUNT_LOOSE), 0);
	EXPECT_STREQ(self->m.share->cache, "loose");
	EXPECT_EQ(self->m.share->access, NULL);
	EXPECT_SAID(&self->m, "f:10:1: shared_data is mounted again in line 11");
}

TEST_F(seed, read_only)
{
	const struct share_options *s = self->m.share;

	ASSERT_EQ(libvirt(&self->m, SEED_READONLY), 0);
	EXPECT_STREQ(s->host, "/host/path");
	EXPECT_STREQ(s->tag, "/guest/mountpoint");
	EXPECT_STREQ(s->guest, "/guest/mountpoint");
	EXPECT_EQ(s->config.model, P9_MODEL_PASSTHROUGH);
	EXPECT_EQ(s->config.flags, P9_SHARE_RO);
	EXPECT_SAID(&self->m, "f:3:1: '/guest/mountpoint' is a tag");
}

TEST_F(seed, driver)
{
	const struct share_options *s = self->m.share;

	ASSERT_EQ(libvirt(&self->m, SEED_DRIVER), 0);
	EXPECT_EQ(s->config.model, P9_MODEL_PASSTHROUGH);
	EXPECT_EQ(s->config.flags, P9_SHARE_WRITEOUT);
	EXPECT_SAID(&self->m, "f:4:1: <driver type='path'>: nothing to do");
}

/* A mount of a tag that is not there says which there is, and what its options mean. */
TEST_F(seed, mounts_of_nothing)
{
	ASSERT_EQ(libvirt(&self->m, SEED_DRIVER SEED_MOUNT_ANY), 0);
	EXPECT_SAID(&self->m, "f:6:59: no shared folder has the tag '/fs/data'");
	EXPECT_SAID(&self->m, "there is /guest/mountpoint\n");
	EXPECT_EQ(self->m.share->access, NULL);

	ASSERT_EQ(libvirt(&self->m, SEED_DRIVER SEED_MOUNT_WRITEBACK), 0);
	EXPECT_SAID(&self->m, "f:6:53: no shared folder has the tag '/fs/data'");
	EXPECT_SAID(&self->m, "f:6:18: writeback is no option of 9P");
	EXPECT_SAID(&self->m, "f:6:18: cache=loose: what the host changes");
	EXPECT_STREQ(self->m.share->cache, "mmap");
}

/* The same, of the tag that is meant. */
TEST_F(seed, mounts_of_a_tag_that_is_there)
{
	static const char share[] = "<filesystem><source dir='/a'/><target dir='/fs/data'/></filesystem>\n";
	char text[1024];

	snprintf(text, sizeof(text), "%s%s", share, SEED_MOUNT_ANY);
	ASSERT_EQ(libvirt(&self->m, text), 0);
	EXPECT_STREQ(self->m.share->tag, "/fs/data");
	EXPECT_STREQ(self->m.share->guest, "/mnt");
	EXPECT_STREQ(self->m.share->access, "any");

	snprintf(text, sizeof(text), "%s%s", share, SEED_MOUNT_WRITEBACK);
	ASSERT_EQ(libvirt(&self->m, text), 0);
	EXPECT_STREQ(self->m.share->guest, "/mnt");
	EXPECT_STREQ(self->m.share->cache, "loose");
	EXPECT_SAID(&self->m, "writeback is no option of 9P");
}

TEST_F(seed, commands)
{
	static const struct {
		const char *paste, *where, *answer;
	} commands[] = {
		{ SEED_LS, "f:10:1: 'ls -ld /shared/data' ", "ninepin doctor looks at them all" },
		{ SEED_MOUNTS, "f:10:1: 'mount | grep 9p' ", "lists the guest's 9P mounts" },
		{ SEED_ECHO, "f:10:1: 'echo \"test\" > /mnt/data/testfile' ",
		  "creates /mnt/data/testfile as a test" },
		{ SEED_CHMOD, "f:9:3: 'chmod -R a+rwX /host/path' ", "not to what is made later" },
		{ SEED_CHCON, "f:9:3: 'chcon -R -t virt_content_t /host/path ",
		  "virt_content_t, which lets a QEMU that libvirt confines read, but not write" },
		{ SEED_SETFACL, "f:9:3: 'setfacl -R -m u:qemu:rwx /host/path ",
		  "gives the user qemu access to what is in there now, not to what is made later, which "
		  "takes d:u:… as well" },
		{ SEED_DMESG, "f:9:3: 'dmesg | grep 9p' ", "a refused call is not in it" },
		{ SEED_MODEL, "f:10:1: 'security_model=none' ",
		  "ninepin run --share FOLDER,security_model=none" },
	};
	char text[2048];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", SEED_COMPLETE, commands[i].paste);
		ASSERT_EQ(libvirt(&self->m, text), 0);
		EXPECT_EQ(self->m.n, 1);
		EXPECT_SAID(&self->m, commands[i].where);
		EXPECT_SAID(&self->m, commands[i].answer);
		EXPECT_EQ(lines_said(&self->m), 2);
	}
}

TEST_F(seed, all_in_one_file)
{
	unsigned int line = 0;

	ASSERT_EQ(libvirt(&self->m, SEED_ALL), 0);
	ASSERT_EQ(self->m.n, 3);
	EXPECT_STREQ(self->m.share[0].tag, "mount_tag");
	EXPECT_STREQ(self->m.share[1].guest, "/mnt/data");
	EXPECT_EQ(self->m.share[2].config.flags, P9_SHARE_WRITEOUT);
	EXPECT_SAID(&self->m, "the tag /guest/mountpoint comes again in line");
	EXPECT_EQ(self->m.f.ncommands, 12);
	/* Each has a line of its own, in the order of the text. */
	for (const char *at = self->m.notes.text; *at; at = strchr(at, '\n') + 1) {
		unsigned int this;

		ASSERT_EQ(sscanf(at, "f:%u:", &this), 1);
		EXPECT_GE(this, line);
		line = this;
	}
	EXPECT_EQ(line, 42);
}

/* Cut off anywhere, it is read or refused with a place, and no byte beyond it is looked at. */
TEST_F(seed, cut_off)
{
	static const char *const pastes[] = {
		SEED_MAPPED, SEED_COMPLETE SEED_MOUNT, SEED_READONLY, SEED_DRIVER SEED_MOUNT_WRITEBACK,
		SEED_LS SEED_MOUNTS SEED_ECHO SEED_CHMOD SEED_CHCON SEED_SETFACL SEED_DMESG SEED_MODEL,
	};
	unsigned int refused = 0;

	for (size_t i = 0; i < sizeof(pastes) / sizeof(pastes[0]); i++)
		for (size_t len = 0; len <= strlen(pastes[i]); len++) {
			int err = parse(&self->m, pastes[i], len);
			unsigned int line, column;

			if (!err) {
				to_shares(&self->m);
				continue;
			}
			EXPECT_EQ(err, -EINVAL);
			EXPECT_EQ(sscanf(self->m.why.text, "f:%u:%u: ", &line, &column), 2)
				TH_LOG("%s", self->m.why.text);
			refused++;
		}
	EXPECT_GT(refused, 500);
}

TEST_HARNESS_MAIN
