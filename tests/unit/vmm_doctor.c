// SPDX-License-Identifier: MIT
/* What the doctor makes of other facts than modes and ACLs, each of them made up. */
#include "doctor.h"

TEST_F(judge, nothing_refuses)
{
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

/* ---- mounts, room, quota, flags, file systems ---- */

TEST_F(judge, mount_that_is_read_only)
{
	const struct finding *f;

	self->mount[1].ro = true;
	self->q.person = &self->root;
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "read-only-mount")), NULL);
	EXPECT_EQ(f->layer, LAYER_MOUNT);
	EXPECT_EQ(f->err, EROFS);
	EXPECT_STREQ(f->place, "/srv");
	EXPECT_STREQ(mend(f, 0), "mount -o remount,bind,rw /srv");
}

TEST_F(judge, file_system_that_is_read_only)
{
	self->mount[1].fs_ro = true;
	judge(&self->q, &self->found);
	EXPECT_STREQ(mend(only(&self->found, "read-only-mount"), 0), "mount -o remount,rw /srv");
}

TEST_F(judge, file_system_that_is_never_writable)
{
	self->mount[1].fs_ro = true;
	self->mount[1].type = "squashfs";
	self->facts.room = (struct room){ .size = 1 << 20, .files = 100 };
	judge(&self->q, &self->found);
	ASSERT_NE(only(&self->found, "read-only-mount"), NULL);
	EXPECT_FALSE(self->found.finding[0].mend[0].command);
}

TEST_F(judge, read_only_is_enough_for_reading)
{
	self->mount[1].ro = true;
	self->place[2].immutable = true;
	self->facts.room = (struct room){ .size = 1 << 20, .files = 5 };
	self->q.wants = WANT_READ;
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(judge, no_space)
{
	const struct finding *f;

	self->facts.room = (struct room){ .size = 1 << 20, .free = 0, .free_root = 65536 };
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "no-space")), NULL);
	EXPECT_EQ(f->layer, LAYER_SPACE);
	EXPECT_EQ(f->err, ENOSPC);
	EXPECT_STREQ(mend(f, 0), "du -xh -d 2 /srv | sort -h | tail");
	EXPECT_EQ(f->nmends, 1);
}

TEST_F(judge, root_has_what_is_reserved)
{
	self->facts.room = (struct room){ .size = 1 << 20, .free = 0, .free_root = 65536 };
	self->q.person = &self->root;
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(judge, tmpfs_can_grow)
{
	self->mount[1].type = "tmpfs";
	self->facts.room = (struct room){ .size = 1 << 20, .files = 100 };
	judge(&self->q, &self->found);
	ASSERT_EQ(self->found.n, 2);
	EXPECT_STREQ(mend(&self->found.finding[0], 1), "mount -o remount,size=2048k /srv");
	EXPECT_STREQ(mend(&self->found.finding[1], 1), "mount -o remount,nr_inodes=200 /srv");
}

TEST_F(judge, no_inodes)
{
	self->facts.room = (struct room){ .size = 1 << 20, .free = 1 << 19, .files = 100 };
	judge(&self->q, &self->found);
	ASSERT_NE(only(&self->found, "no-inodes"), NULL);
	EXPECT_EQ(self->found.finding[0].err, ENOSPC);
}

/* btrfs, for one, makes them as they are needed. */
TEST_F(judge, inodes_without_number)
{
	self->facts.room = (struct room){ .size = 1 << 20, .free = 1 << 19 };
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(judge, quota_of_space)
{
	const struct finding *f;

	self->facts.quota = (struct quota){
		.known = true, .space = 102400, .space_hard = 102400, .files_hard = 10,
	};
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "quota-space")), NULL);
	EXPECT_EQ(f->layer, LAYER_QUOTA);
	EXPECT_EQ(f->err, EDQUOT);
	EXPECT_STREQ(f->what, "alice has used up the quota of space at /srv: 100 of 100 KiB");
	EXPECT_STREQ(mend(f, 0), "setquota -u alice 0 200 0 10 /srv");
}

TEST_F(judge, quota_of_files)
{
	self->facts.quota = (struct quota){ .known = true, .files = 10, .files_hard = 10 };
	judge(&self->q, &self->found);
	ASSERT_NE(only(&self->found, "quota-files"), NULL);
	EXPECT_STREQ(mend(&self->found.finding[0], 0), "setquota -u alice 0 0 0 20 /srv");
}

TEST_F(judge, quota_that_is_soft)
{
	self->facts.quota = (struct quota){ .known = true, .files = 10, .files_soft = 5 };
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
	self->facts.quota.files_late = true;
	judge(&self->q, &self->found);
	EXPECT_NE(only(&self->found, "quota-files"), NULL);
}

TEST_F(judge, quota_does_not_hold_for_root)
{
	self->facts.quota = (struct quota){ .known = true, .files = 10, .files_hard = 10 };
	self->q.person = &self->root;
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(judge, flags)
{
	const struct finding *f;

	self->place[2].immutable = true;
	self->q.person = &self->root;
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "immutable")), NULL);
	EXPECT_EQ(f->layer, LAYER_FLAGS);
	EXPECT_EQ(f->err, EPERM);
	EXPECT_STREQ(mend(f, 0), "chattr -i /srv/data");
}

TEST_F(judge, flag_append_only)
{
	self->place[2].append_only = true;
	judge(&self->q, &self->found);
	ASSERT_NE(only(&self->found, "append-only"), NULL);
	EXPECT_STREQ(mend(&self->found.finding[0], 0), "chattr -a /srv/data");
}

/* Of a folder that is only passed, they are no matter. */
TEST_F(judge, flags_of_a_parent)
{
	self->place[1].immutable = true;
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(judge, no_user_attributes)
{
	self->place[2].user_xattrs = PLACE_NO;
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
	self->q.wants |= WANT_XATTRS;
	judge(&self->q, &self->found);
	ASSERT_NE(only(&self->found, "no-xattrs"), NULL);
	EXPECT_EQ(self->found.finding[0].layer, LAYER_FILE_SYSTEM);
}

/* ---- walks that end early ---- */

TEST_F(judge, a_file_to_be_made)
{
	self->facts.err = -ENOENT;
	self->facts.missing = self->facts.wanted = "/srv/data/new";
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
	self->place[2].mode = S_IFDIR | 0755;
	judge(&self->q, &self->found);
	EXPECT_NE(only(&self->found, "write"), NULL);
}

TEST_F(judge, a_file_in_a_folder_that_is_not_there)
{
	self->facts.err = -ENOENT;
	self->facts.missing = "/srv/data/no";
	self->facts.wanted = "/srv/data/no/such";
	judge(&self->q, &self->found);
	ASSERT_NE(only(&self->found, "missing"), NULL);
	EXPECT_STREQ(self->found.finding[0].what, "/srv/data/no is not there");
	EXPECT_STREQ(mend(&self->found.finding[0], 0), "mkdir -p /srv/data/no");
}

TEST_F(judge, a_file_to_be_read_that_is_not_there)
{
	self->facts.err = -ENOENT;
	self->facts.missing = self->facts.wanted = "/srv/data/no";
	self->q.wants = WANT_READ;
	judge(&self->q, &self->found);
	ASSERT_NE(only(&self->found, "missing"), NULL);
	EXPECT_FALSE(self->found.finding[0].mend[0].command);
}

TEST_F(judge, a_share_that_is_not_there)
{
	self->facts.err = -ENOENT;
	self->facts.missing = self->facts.wanted = "/srv/data/new";
	self->q.wants |= WANT_SHARE;
	judge(&self->q, &self->found);
	ASSERT_NE(only(&self->found, "missing"), NULL);
	EXPECT_STREQ(mend(&self->found.finding[0], 0), "mkdir -p /srv/data/new");
}

TEST_F(judge, a_share_that_is_a_file)
{
	self->place[2].mode = S_IFREG | 0666;
	self->q.wants |= WANT_SHARE;
	judge(&self->q, &self->found);
	ASSERT_NE(only(&self->found, "no-folder"), NULL);
	EXPECT_EQ(self->found.finding[0].err, ENOTDIR);
}

/* Root, too, if it is somebody's FUSE. */
TEST_F(judge, what_root_cannot_look_at)
{
	self->facts.err = -EACCES;
	self->facts.missing = self->facts.wanted = "/srv/data/x";
	self->q.person = &self->root;
	judge(&self->q, &self->found);
	ASSERT_NE(only(&self->found, "unseen"), NULL);
	EXPECT_NE(strstr(mend(&self->found.finding[0], 0), "FUSE"), NULL);
}

TEST_F(judge, what_cannot_be_looked_at)
{
	self->facts.err = -EACCES;
	self->q.mender = ALICE;
	self->facts.missing = self->facts.wanted = "/srv/data/x";
	judge(&self->q, &self->found);
	ASSERT_NE(only(&self->found, "unseen"), NULL);
	EXPECT_STREQ(mend(&self->found.finding[0], 0), "ask again as root");
	EXPECT_TRUE(self->found.finding[0].refuses);
}

/* Whoever asks is kept out by what keeps out the person, and that is said. */
TEST_F(judge, what_cannot_be_looked_at_for_a_reason)
{
	self->facts.err = -EACCES;
	self->facts.missing = self->facts.wanted = "/srv/data/x";
	self->place[2].mode = S_IFDIR | 0700;
	judge(&self->q, &self->found);
	EXPECT_NE(only(&self->found, "search"), NULL);
}

TEST_F(judge, no_more_mends_than_fit)
{
	struct finding *f = findings_add(&self->found, "kind", LAYER_PATH, 0, "/", "what");

	for (int i = 0; i < FINDING_MENDS + 2; i++)
		finding_command(f, "%d", i);
	EXPECT_EQ(f->nmends, FINDING_MENDS);
	EXPECT_STREQ(mend(f, FINDING_MENDS - 1), "3");
}

TEST_F(judge, each_cause_is_said_once)
{
	self->place[1].mode = S_IFDIR | 0700;
	judge(&self->q, &self->found);
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 1);
}

TEST_HARNESS_MAIN
