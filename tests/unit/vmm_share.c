// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vmm/share.h"

FIXTURE(share)
{
	struct share_options s;
	struct notes notes;
	struct why why;
	char dir[64];
};

FIXTURE_SETUP(share)
{
	memset(self, 0, sizeof(*self));
	strcpy(self->dir, "/tmp/vmm_share.XXXXXX");
	ASSERT_NE(mkdtemp(self->dir), NULL);
	ASSERT_EQ(chdir(self->dir), 0);
}

FIXTURE_TEARDOWN(share)
{
	char command[128];

	if (getuid() == 0)
		ASSERT_EQ(0, seteuid(0));
	share_options_free(&self->s);
	notes_free(&self->notes);
	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	(void)!system(command);
}

TEST_F(share, plain)
{
	ASSERT_EQ(share_options_parse(&self->s, "src", &self->notes, &self->why), 0);
	EXPECT_STREQ(self->s.host, "src");
	EXPECT_EQ(self->s.guest, NULL);
	EXPECT_STREQ(self->s.cache, "mmap");
	EXPECT_EQ(self->s.msize, 512000);
	EXPECT_EQ(self->s.config.flags, 0);
	EXPECT_EQ(self->s.mount, NULL);
}

TEST_F(share, all)
{
	ASSERT_EQ(share_options_parse(&self->s, "src:/in/guest:ro,cache=none,msize=65536,tag=code,multidevs=warn",
				      &self->notes, &self->why),
		  0);
	EXPECT_STREQ(self->s.host, "src");
	EXPECT_STREQ(self->s.guest, "/in/guest");
	EXPECT_STREQ(self->s.cache, "none");
	EXPECT_STREQ(self->s.tag, "code");
	EXPECT_EQ(self->s.msize, 65536);
	EXPECT_EQ(self->s.config.flags, P9_SHARE_WARN_MULTIDEVS | P9_SHARE_RO);
}

TEST_F(share, read_only_two_ways)
{
	ASSERT_EQ(share_options_parse(&self->s, "src:ro", &self->notes, &self->why), 0);
	EXPECT_TRUE(self->s.config.flags & P9_SHARE_RO);
	EXPECT_STREQ(self->s.host, "src");
	share_options_free(&self->s);
	memset(&self->s, 0, sizeof(self->s));
	ASSERT_EQ(share_options_parse(&self->s, "src,ro", &self->notes, &self->why), 0);
	EXPECT_TRUE(self->s.config.flags & P9_SHARE_RO);
}

TEST_F(share, comma_in_a_path_is_doubled)
{
	ASSERT_EQ(share_options_parse(&self->s, "a,,b,,c,cache=loose", &self->notes, &self->why), 0);
	EXPECT_STREQ(self->s.host, "a,b,c");
	EXPECT_STREQ(self->s.cache, "loose");
}

/* A folder whose name has a colon is that folder. */
TEST_F(share, colon_in_a_name)
{
	ASSERT_EQ(mkdir("a:ro", 0700), 0);
	ASSERT_EQ(share_options_parse(&self->s, "a:ro", &self->notes, &self->why), 0);
	EXPECT_STREQ(self->s.host, "a:ro");
	EXPECT_EQ(self->s.config.flags, 0);
	share_options_free(&self->s);
	memset(&self->s, 0, sizeof(self->s));
	ASSERT_EQ(share_options_parse(&self->s, "a:ro:ro", &self->notes, &self->why), 0);
	EXPECT_STREQ(self->s.host, "a:ro");
	EXPECT_TRUE(self->s.config.flags & P9_SHARE_RO);
}

/* A word for word: what each option becomes. */
TEST_F(share, ownership)
{
	const struct p9_share_config *c = &self->s.config;

	ASSERT_EQ(share_options_parse(&self->s,
				      "src,model=mapped,fmode=0640,dmode=750,writeout=immediate,"
				      "access=client,posixacl,trans=virtio,version=9p2000.L",
				      &self->notes, &self->why),
		  0);
	EXPECT_TRUE(self->s.model_set);
	EXPECT_EQ(c->model, P9_MODEL_MAPPED);
	EXPECT_EQ(c->fmode, 0640);
	EXPECT_EQ(c->dmode, 0750);
	EXPECT_EQ(c->flags, P9_SHARE_WRITEOUT);
	EXPECT_STREQ(self->s.access, "client");
	EXPECT_TRUE(self->s.posixacl);
	EXPECT_EQ(self->notes.text, NULL);
}

TEST_F(share, models_by_all_their_names)
{
	static const struct {
		const char *text;
		enum p9_model model;
	} names[] = {
		{ "src,security_model=passthrough", P9_MODEL_PASSTHROUGH },
		{ "src,security_model=mapped-xattr", P9_MODEL_MAPPED },
		{ "src,security_model=mapped", P9_MODEL_MAPPED },
		{ "src,security_model=none", P9_MODEL_NONE },
		{ "src,model=squash", P9_MODEL_NONE },
		{ "src,model=idmap", P9_MODEL_IDMAP },
		{ "src,model=none,model=idmap", P9_MODEL_IDMAP },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ASSERT_EQ(share_options_parse(&self->s, names[i].text, &self->notes, &self->why), 0);
		EXPECT_EQ(self->s.config.model, names[i].model) TH_LOG("%s", names[i].text);
		share_options_free(&self->s);
		memset(&self->s, 0, sizeof(self->s));
	}
	ASSERT_EQ(share_options_parse(&self->s, "src,model=mapped-file", &self->notes, &self->why),
		  -EINVAL);
	EXPECT_NE(strstr(self->why.text, "mapped-xattr"), NULL);
}

TEST_F(share, id_maps)
{
	const struct p9_idmap *uids = &self->s.config.uids;

	ASSERT_EQ(share_options_parse(&self->s, "src,uidmap=0:1000:1,uidmap=1:100000:65535,gidmap=0:0:5",
				      &self->notes, &self->why),
		  0);
	ASSERT_EQ(uids->n, 2);
	EXPECT_EQ(uids->range[1].guest, 1);
	EXPECT_EQ(uids->range[1].host, 100000);
	EXPECT_EQ(uids->range[1].count, 65535);
	EXPECT_EQ(self->s.config.gids.n, 1);
	EXPECT_FALSE(uids->rest);
}

/* What people copy from elsewhere works, and they hear what it really means. */
TEST_F(share, copied_without_knowing)
{
	ASSERT_EQ(share_options_parse(&self->s, "src,msize=1048576,cache=loose,writeback",
				      &self->notes, &self->why),
		  0);
	EXPECT_EQ(self->s.msize, 512000);
	ASSERT_NE(self->notes.text, NULL);
	EXPECT_NE(strstr(self->notes.text, "msize=512000 is used\n"), NULL);
	EXPECT_NE(strstr(self->notes.text, "cache=loose: what the host changes"), NULL);
	EXPECT_NE(strstr(self->notes.text, "writeback is no option of 9P"), NULL);
}

static int settle(struct share_options *s, const char *text, struct notes *notes, struct why *why)
{
	memset(s, 0, sizeof(*s));
	return share_options_parse(s, text, notes, why) ?: share_settle(s, 0, 0, notes, why);
}

TEST_F(share, options_of_another_model)
{
	EXPECT_EQ(settle(&self->s, "src,model=none,fmode=0600", &self->notes, &self->why), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "mapped-xattr"), NULL);
	share_options_free(&self->s);
	EXPECT_EQ(settle(&self->s, "src,model=none,uidmap=0:0:1", &self->notes, &self->why), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "idmap"), NULL);
	share_options_free(&self->s);
	/* A map says which model is meant. */
	EXPECT_EQ(settle(&self->s, "src,uidmap=0:0:1,gidmap=0:0:1", &self->notes, &self->why), 0);
	EXPECT_EQ(self->s.config.model, P9_MODEL_IDMAP);
}

TEST_F(share, root_has_passthrough)
{
	if (!p9_privileged())
		SKIP(return, "needs root");
	ASSERT_EQ(settle(&self->s, "src", &self->notes, &self->why), 0);
	EXPECT_EQ(self->s.config.model, P9_MODEL_PASSTHROUGH);
	share_options_free(&self->s);
	ASSERT_EQ(settle(&self->s, "src,model=idmap", &self->notes, &self->why), 0);
	EXPECT_EQ(self->s.config.uids.n, 0);
	EXPECT_TRUE(self->s.config.uids.rest);
	share_options_free(&self->s);
	EXPECT_EQ(settle(&self->s, "src,uidmap=0:100000:10", &self->notes, &self->why), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "give gidmap="), NULL);
	share_options_free(&self->s);
	EXPECT_EQ(settle(&self->s, "src,gidmap=0:100000:10", &self->notes, &self->why), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "give uidmap="), NULL);
}


TEST_F(share, others_have_idmap)
{
	const struct p9_idmap *uids = &self->s.config.uids;

	if (geteuid() == 0)
		ASSERT_EQ(0, setegid(1234) ?: seteuid(1234));
	ASSERT_EQ(settle(&self->s, "src", &self->notes, &self->why), 0);
	EXPECT_EQ(self->s.config.model, P9_MODEL_IDMAP);
	ASSERT_EQ(uids->n, 1);
	EXPECT_EQ(uids->range[0].guest, 0);
	EXPECT_EQ(uids->range[0].host, geteuid());
	EXPECT_TRUE(uids->rest);
	share_options_free(&self->s);

	/* Without a guest everybody is the same on both sides. */
	memset(&self->s, 0, sizeof(self->s));
	ASSERT_EQ(share_options_parse(&self->s, "src", &self->notes, &self->why), 0);
	ASSERT_EQ(share_settle(&self->s, SHARE_NO_GUEST, SHARE_NO_GUEST, &self->notes, &self->why), 0);
	EXPECT_EQ(uids->n, 0);
	EXPECT_TRUE(uids->rest);
	share_options_free(&self->s);

	EXPECT_EQ(settle(&self->s, "src,model=passthrough", &self->notes, &self->why), -EPERM);
	EXPECT_NE(strstr(self->why.text, "mapped-xattr"), NULL);
	share_options_free(&self->s);

	/* In another program's configuration it is replaced. */
	memset(&self->s, 0, sizeof(self->s));
	ASSERT_EQ(share_options_parse(&self->s, "src,model=passthrough", &self->notes, &self->why), 0);
	self->s.foreign = true;
	EXPECT_EQ(share_settle(&self->s, 1000, 1000, &self->notes, &self->why), 0);
	EXPECT_EQ(self->s.config.model, P9_MODEL_IDMAP);
	EXPECT_EQ(uids->n, 2);
	EXPECT_NE(strstr(self->notes.text, "idmap is used"), NULL);
}

TEST_F(share, bad)
{
	static const char *const bad[] = {
		"src:guest",	   "",		  "src,cache=fast", "src,msize=100", "src,msize=9999999999",
		"src,msize=64k",   "src,tag=",	  "src,tag=a b",    "src,multidevs=x", "src,nosuch",  "src,nosuch=1",
		"src,,ro,nosuch=", "src:/", "src://",
		"src,model=", "src,model=open", "src,fmode=9", "src,fmode=0400", "src,fmode=01600", "src,dmode=0600",
		"src,writeout=later", "src,access=", "src,access=me", "src,access=4294967295", "src,trans=tcp",
		"src,uidmap=0", "src,uidmap=0:0:0", "src,uidmap=0:0:1:1", "src,uidmap=-1:0:1",
		"src,uidmap=0:4294967295:1", "src,gidmap=1:4294967294:2",
		"src,uidmap=0:1000:10,uidmap=5:2000:10",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(share_options_parse(&self->s, bad[i], &self->notes, &self->why), -EINVAL)
			TH_LOG("'%s'", bad[i]);
		EXPECT_NE(self->why.text[0], 0);
		share_options_free(&self->s);
		memset(&self->s, 0, sizeof(self->s));
	}
}

TEST_HARNESS_MAIN
