// SPDX-License-Identifier: MIT
/* QEMU's -virtfs, -fsdev and -device. */
#include <errno.h>

#include "foreign.h"

FIXTURE(qemu)
{
	struct made m;
};

FIXTURE_SETUP(qemu)
{
	memset(&self->m, 0, sizeof(self->m));
}

FIXTURE_TEARDOWN(qemu)
{
	clear(&self->m);
}

TEST_F(qemu, words_and_places)
{
	const struct foreign_share *s;
	char at[32];

	clear(&self->m);
	ASSERT_EQ(foreign_read_virtfs(&self->m.f,
				      "local,path=/a,,b,mount_tag=data,security_model=mapped,readonly=on,"
				      "writeout=immediate,fmode=0640,dmode=0750,multidevs=remap,id=fs0,"
				      "throttling.bps-total=9",
				      &self->m.why),
		  0);
	EXPECT_EQ(self->m.f.program, FOREIGN_QEMU);
	ASSERT_EQ(self->m.f.nshares, 1);
	s = self->m.f.share;
	EXPECT_WORD(s->self, "-virtfs", 1, 1);
	EXPECT_WORD(s->type, "local", 1, 1);
	EXPECT_WORD(s->path, "/a,b", 1, 7);
	EXPECT_WORD(s->tag, "data", 1, 18);
	EXPECT_WORD(s->model, "mapped", 1, 33);
	EXPECT_WORD(s->readonly, "readonly=on", 1, 55);
	EXPECT_WORD(s->writeout, "immediate", 1, 67);
	EXPECT_STREQ(s->fmode.text, "0640");
	EXPECT_STREQ(s->dmode.text, "0750");
	EXPECT_STREQ(s->multidevs.text, "remap");
	EXPECT_STREQ(s->id.text, "fs0");
	ASSERT_EQ(s->nother, 1);
	EXPECT_STREQ(s->other[0].text, "throttling.bps-total=9");
	EXPECT_STREQ(foreign_at(&self->m.f, &s->path, at, sizeof(at)), "--virtfs");
}

TEST_F(qemu, virtfs)
{
	static const char *const same[] = {
		"local,path=/src,mount_tag=data,security_model=mapped-xattr,readonly",
		"fsdriver=local,path=/src,mount_tag=data,security_model=mapped,readonly=on",
		"-virtfs local,path=/src,mount_tag=data,security_model=mapped,readonly=on",
		"  --virtfs 'local,path=/src,mount_tag=data,security_model=mapped,readonly=yes'",
		"qemu-system-x86_64 -enable-kvm \\\n -virtfs local,path=/src,mount_tag=data,"
		"security_model=mapped,readonly=on -m 2G \\\n -device virtio-net-pci,netdev=n0",
		"-device virtio-9p-pci,fsdev=f,mount_tag=data,addr=5 "
		"-fsdev local,path=/src,id=f,security_model=mapped,readonly=on",
		"-fsdev local,path=/src,id=f,security_model=mapped,readonly=on "
		"-device '{\"driver\":\"virtio-9p-pci\",\"id\":\"fs0\",\"fsdev\":\"f\",\"mount_tag\":"
		"\"data\",\"bus\":\"pci.1\",\"addr\":\"0x0\"}'",
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		const struct share_options *s = self->m.share;

		ASSERT_EQ(qemu(&self->m, same[i]), 0) TH_LOG("%s: %s", same[i], self->m.why.text);
		ASSERT_EQ(self->m.n, 1);
		EXPECT_STREQ(s->host, "/src");
		EXPECT_STREQ(s->tag, "data");
		EXPECT_STREQ(s->guest, "/mnt/data");
		EXPECT_EQ(s->config.model, P9_MODEL_MAPPED);
		EXPECT_EQ(s->config.flags, P9_SHARE_RO);
		EXPECT_TRUE(s->foreign);
	}
	EXPECT_SAID(&self->m, "--virtfs: addr=0x0: not needed, the guest has no PCI");
}

TEST_F(qemu, several)
{
	ASSERT_EQ(qemu(&self->m, "-fsdev local,id=a,path=/a,security_model=none "
				 "-fsdev local,id=b,path=/b,security_model=passthrough "
				 "-device virtio-9p-device,fsdev=b,mount_tag=tb "
				 "-device virtio-9p-ccw,mount_tag=ta,fsdev=a "
				 "-virtfs local,path=/c,mount_tag=tc,security_model=mapped,id=a"),
		  0);
	ASSERT_EQ(self->m.n, 3);
	EXPECT_STREQ(self->m.share[0].host, "/a");
	EXPECT_STREQ(self->m.share[0].tag, "ta");
	EXPECT_EQ(self->m.share[0].config.model, P9_MODEL_NONE);
	EXPECT_STREQ(self->m.share[1].tag, "tb");
	EXPECT_EQ(self->m.share[1].config.model, P9_MODEL_PASSTHROUGH);
	EXPECT_STREQ(self->m.share[2].tag, "tc");
	EXPECT_EQ(self->m.notes.text, NULL);
}

TEST_F(qemu, values)
{
	ASSERT_EQ(qemu(&self->m, "local,path=/my docs,mount_tag=/x,security_model=none,readonly=off"), 0);
	EXPECT_STREQ(self->m.share->host, "/my docs");
	EXPECT_STREQ(self->m.share->guest, "/x");
	EXPECT_STREQ(self->m.share->tag, "/x");
	EXPECT_EQ(self->m.share->config.flags, 0);

	/* QEMU wants to be told the model; here it then depends on who runs it. */
	ASSERT_EQ(qemu(&self->m, "local,path=/s,mount_tag=t,writeout=immediate,multidevs=warn"), 0);
	EXPECT_FALSE(self->m.share->model_set);
	EXPECT_EQ(self->m.share->config.flags, P9_SHARE_WRITEOUT | P9_SHARE_WARN_MULTIDEVS);

	ASSERT_EQ(qemu(&self->m, "local,path=/s,mount_tag=t,security_model=mapped,fmode=0600,dmode=0700"), 0);
	EXPECT_EQ(self->m.notes.text, NULL);
	EXPECT_EQ(self->m.share->config.fmode, 0600);
	ASSERT_EQ(qemu(&self->m, "local,path=/s,mount_tag=t,security_model=mapped,fmode=644"), 0);
	EXPECT_EQ(self->m.share->config.fmode, 0644);
	EXPECT_SAID(&self->m, "fmode=644: QEMU takes a number without a 0 before it for decimal, which makes "
			      "this 0204");

	ASSERT_EQ(qemu(&self->m, "local,path=/s,mount_tag=t,security_model=none,throttling.bps-total=1,"
				 "sock_fd=3,odd"),
		  0);
	EXPECT_SAID(&self->m, "--virtfs: throttling.bps-total=1: skipped");
	EXPECT_SAID(&self->m, "--virtfs: sock_fd=3: skipped");
	EXPECT_SAID(&self->m, "--virtfs: odd: skipped");
}

TEST_F(qemu, bad)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "path= is missing" },
		{ "local,mount_tag=t", "path= is missing" },
		{ "local,path=/s", "mount_tag= is missing" },
		{ "-fsdev local,path=/s,id=f", "-device virtio-9p-pci,fsdev=…,mount_tag= is missing" },
		{ "-fsdev local,path=/s,id=f -device virtio-9p-pci,fsdev=g,mount_tag=t",
		  "a -device with fsdev=g, and no -fsdev with id=g" },
		{ "-device virtio-9p-pci,mount_tag=t", "no -fsdev with id=" },
		{ "-virtfs", "nothing follows -virtfs" },
		{ "qemu -m 1G -device virtio-net-pci", "there is no -virtfs or -fsdev in it" },
		{ "-device '{\"driver\":'", "there is no -virtfs or -fsdev in it" },
		{ "synth,mount_tag=t", "fsdriver=synth: this is QEMU's made-up" },
		{ "proxy,socket=/s,mount_tag=t", "fsdriver=proxy: QEMU's proxy helper is not needed" },
		{ "/home/me", "fsdriver=/home/me is unknown: a shared folder is a 'local'" },
		{ "local,path=/s,mount_tag=t,security_model=mapped-file",
		  "security_model=mapped-file keeps owners in files of its own" },
		{ "local,path=/s,mount_tag=t,security_model=x", "security_model=x is unknown" },
		{ "local,path=/s,mount_tag=t,security_model=none,fmode=0600",
		  "fmode=0600 is for the mapped model only" },
		{ "local,path=/s,mount_tag=t,multidevs=x", "--virtfs: multidevs=x is none of" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(qemu(&self->m, bad[i].text), -EINVAL) TH_LOG("%s", bad[i].text);
		EXPECT_WHY(&self->m, bad[i].why);
	}
}

TEST_F(qemu, cut_off)
{
	static const char whole[] =
		"qemu -fsdev 'local,id=f,path=/a,,b,security_model=mapped' -m 1G "
		"-device {\\\"driver\\\":\\\"virtio-9p-pci\\\",\\\"fsdev\\\":\\\"f\\\"} "
		"--virtfs local,path=/c,mount_tag=t,readonly,fmode=0600";

	for (size_t len = 0; len < sizeof(whole); len++) {
		char *text = strndup(whole, len);
		int err = qemu(&self->m, text);

		EXPECT_TRUE(!err || (err == -EINVAL && self->m.why.text[0]));
		free(text);
	}
}

TEST_HARNESS_MAIN
