// SPDX-License-Identifier: MIT
/* What the doctor makes of facts: each of its findings, from facts that are made up. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "vmm/doctor/access.h"
#include "vmm/doctor/judge.h"
#include "vmm/notes.h"

#define ALICE 1000

/* /srv/data, of root, and alice who is in group 50. */
FIXTURE(judge)
{
	struct place place[3];
	struct mount_fact mount[2];
	struct facts facts;
	uint32_t groups[2];
	struct person alice, root;
	struct question q;
	struct findings found;
};

static void set_place(struct place *place, char *path, mode_t mode)
{
	*place = (struct place){
		.path = path,
		.mode = mode,
		.owner = "root",
		.group = "root",
		.acls = PLACE_YES,
		.mount = 7,
		.user_xattrs = PLACE_YES,
	};
}

FIXTURE_SETUP(judge)
{
	memset(self, 0, sizeof(*self));
	set_place(&self->place[0], "/", S_IFDIR | 0755);
	set_place(&self->place[1], "/srv", S_IFDIR | 0755);
	set_place(&self->place[2], "/srv/data", S_IFDIR | 0777);
	self->mount[0] = (struct mount_fact){ .id = 3, .point = "/proc", .type = "proc" };
	self->mount[1] = (struct mount_fact){ .id = 7, .point = "/srv", .type = "ext4" };
	self->facts = (struct facts){
		.place = self->place,
		.n = 3,
		.mount = self->mount,
		.nmounts = 2,
	};
	self->groups[0] = 50;
	self->alice = (struct person){
		.name = "alice",
		.uid = ALICE,
		.gid = ALICE,
		.groups = self->groups,
		.ngroups = 1,
	};
	self->root = (struct person){ .name = "root", .caps = ~0ull };
	self->q = (struct question){
		.facts = &self->facts,
		.person = &self->alice,
		.who = "alice",
		.wants = WANT_READ | WANT_WRITE,
	};
}

FIXTURE_TEARDOWN(judge)
{
	findings_free(&self->found);
}

/* The only finding, which is of this kind; NULL: there are others, or none. */
static struct finding *only(struct findings *found, const char *kind)
{
	if (found->n != 1 || strcmp(found->finding[0].kind, kind)) {
		for (size_t i = 0; i < found->n; i++)
			fprintf(stderr, "found %s: %s\n", found->finding[i].kind,
				found->finding[i].what);
		return NULL;
	}
	return &found->finding[0];
}

static const char *mend(const struct finding *finding, size_t i)
{
	return i < finding->nmends ? finding->mend[i].text : "(none)";
}

TEST_F(judge, nothing_refuses)
{
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

/* ---- modes ---- */

TEST_F(judge, parent_without_search)
{
	const struct finding *f;

	self->place[1].mode = S_IFDIR | 0700;
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "search")), NULL);
	EXPECT_EQ(f->layer, LAYER_MODE);
	EXPECT_EQ(f->err, EACCES);
	EXPECT_STREQ(f->place, "/srv");
	EXPECT_STREQ(f->what, "alice may not pass through /srv: it is drwx------ root:root");
	EXPECT_STREQ(mend(f, 0), "setfacl -m u:alice:x /srv");
	EXPECT_STREQ(mend(f, 1), "chmod o+x /srv");
	EXPECT_TRUE(f->mend[0].command);
}

/* Being able to read a folder is no right to pass it. */
TEST_F(judge, parent_that_can_be_listed_only)
{
	self->place[1].mode = S_IFDIR | 0744;
	judge(&self->q, &self->found);
	ASSERT_NE(only(&self->found, "search"), NULL);
	EXPECT_STREQ(mend(&self->found.finding[0], 0), "setfacl -m u:alice:rx /srv");
	EXPECT_STREQ(mend(&self->found.finding[0], 1), "chmod o+x /srv");
}

TEST_F(judge, root_passes_everything)
{
	self->place[1].mode = S_IFDIR;
	self->place[2].mode = S_IFDIR;
	self->q.person = &self->root;
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

/* Root in a container, say. */
TEST_F(judge, root_without_capabilities_does_not)
{
	self->place[1].mode = S_IFDIR;
	self->place[1].uid = 5;
	self->root.caps = 0;
	self->q.person = &self->root;
	judge(&self->q, &self->found);
	EXPECT_NE(only(&self->found, "search"), NULL);
}

TEST_F(judge, dac_read_search_reads_and_no_more)
{
	self->place[1].mode = S_IFDIR;
	self->place[2].mode = S_IFDIR;
	self->alice.caps = 1ull << CAP_DAC_READ_SEARCH;
	self->q.wants = WANT_READ;
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
	self->q.wants = WANT_WRITE;
	judge(&self->q, &self->found);
	EXPECT_NE(only(&self->found, "write"), NULL);
}

TEST_F(judge, folder_that_is_not_hers)
{
	const struct finding *f;

	self->place[2].mode = S_IFDIR | 0755;
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "write")), NULL);
	EXPECT_STREQ(f->what, "alice may not create in /srv/data: it is drwxr-xr-x root:root");
	EXPECT_STREQ(mend(f, 0), "setfacl -R -m u:alice:rwX,d:u:alice:rwX /srv/data");
	EXPECT_EQ(f->nmends, 1);
}

TEST_F(judge, folder_that_is_only_to_be_read)
{
	self->place[2].mode = S_IFDIR | 0755;
	self->q.wants = WANT_READ;
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
	self->place[2].mode = S_IFDIR | 0700;
	judge(&self->q, &self->found);
	EXPECT_NE(only(&self->found, "read"), NULL);
}

TEST_F(judge, folder_of_a_group_of_hers)
{
	const struct finding *f;

	self->place[2].mode = S_IFDIR | 0757;
	self->place[2].gid = 50;
	strcpy(self->place[2].group, "staff");
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "write")), NULL);
	EXPECT_STREQ(f->what,
		     "alice may not create in /srv/data: it is drwxr-xrwx root:staff, and its "
		     "group gets no more");
	EXPECT_STREQ(mend(f, 1), "chmod g+wx /srv/data");
}

TEST_F(judge, own_folder_without_the_bit)
{
	const struct finding *f;

	self->place[2].mode = S_IFDIR | 0577;
	self->place[2].uid = ALICE;
	self->q.mender = ALICE;
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "write")), NULL);
	EXPECT_STREQ(mend(f, 0), "chmod u+wx /srv/data");
	EXPECT_EQ(f->nmends, 1);
}

TEST_F(judge, mends_of_others_files_take_sudo)
{
	self->q.mender = ALICE;
	self->place[1].mode = S_IFDIR | 0700;
	judge(&self->q, &self->found);
	EXPECT_STREQ(mend(&self->found.finding[0], 0), "sudo setfacl -m u:alice:x /srv");
}

TEST_F(judge, no_acl_is_proposed_where_there_are_none)
{
	self->place[1].mode = S_IFDIR | 0700;
	self->place[1].acls = PLACE_NO;
	self->place[2].mode = S_IFDIR | 0755;
	self->place[2].acls = PLACE_NO;
	judge(&self->q, &self->found);
	ASSERT_EQ(self->found.n, 2);
	EXPECT_STREQ(mend(&self->found.finding[0], 0), "chmod o+x /srv");
	EXPECT_STREQ(mend(&self->found.finding[1], 0), "chown alice /srv/data");
}

TEST_F(judge, file)
{
	const struct finding *f;

	self->place[2].mode = S_IFREG | 0644;
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "write")), NULL);
	EXPECT_STREQ(f->what, "alice may not write /srv/data: it is -rw-r--r-- root:root");
	/* She keeps what she has. */
	EXPECT_STREQ(mend(f, 0), "setfacl -m u:alice:rw /srv/data");
}

/* Of two entries for her, one for each, the second would take the place of the first. */
TEST_F(judge, file_that_can_be_neither_read_nor_written)
{
	const struct finding *f;

	self->place[2].mode = S_IFREG | 0600;
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "write")), NULL);
	EXPECT_STREQ(f->what,
		     "alice may not read and write /srv/data: it is -rw------- root:root");
	EXPECT_STREQ(mend(f, 0), "setfacl -m u:alice:rw /srv/data");
}

/* Who may write there may do anything; and entries for all below / are there to stay. */
TEST_F(judge, nobody_is_let_into_the_system)
{
	static const char *const system[] = { "/", "/etc", "/usr/local/bin", "/home", "/root" };

	for (size_t i = 0; i < sizeof(system) / sizeof(system[0]); i++) {
		self->place[2].path = (char *)system[i];
		self->place[2].mode = S_IFDIR | 0755;
		judge(&self->q, &self->found);
		ASSERT_EQ(self->found.n, i + 1);
		ASSERT_EQ(self->found.finding[i].nmends, 1) TH_LOG("%s", system[i]);
		EXPECT_FALSE(self->found.finding[i].mend[0].command);
	}
	self->place[2].path = "/home/alice";
	judge(&self->q, &self->found);
	EXPECT_TRUE(self->found.finding[self->found.n - 1].mend[0].command);
}

/* What is shown instead of such a byte would be another file's name. */
TEST_F(judge, names_that_cannot_be_printed_are_written_as_a_shell_reads_them)
{
	char *clean;

	self->place[1].path = "/a\nb\\'\351";
	self->place[1].mode = S_IFDIR | 0700;
	judge(&self->q, &self->found);
	EXPECT_STREQ(mend(&self->found.finding[0], 1), "chmod o+x $'/a\\012b\\\\\\'\\351'");
	clean = clean_text(mend(&self->found.finding[0], 1));
	EXPECT_STREQ(clean, mend(&self->found.finding[0], 1));
	free(clean);
}

TEST_F(judge, names_are_quoted_for_a_shell)
{
	self->alice.name = "al ice";
	self->place[1].path = "/it's here";
	self->place[1].mode = S_IFDIR | 0700;
	judge(&self->q, &self->found);
	EXPECT_STREQ(mend(&self->found.finding[0], 0), "setfacl -m u:'al ice':x '/it'\\''s here'");
	EXPECT_STREQ(mend(&self->found.finding[0], 1), "chmod o+x '/it'\\''s here'");
}

/* ---- ACLs ---- */

#define ACL(...)                                                          \
	(struct acl)                                                      \
	{                                                                 \
		.entry = (struct acl_entry[]){ __VA_ARGS__ },             \
		.n = sizeof((struct acl_entry[]){ __VA_ARGS__ }) /        \
		     sizeof(struct acl_entry),                            \
	}

TEST_F(judge, acl_lets_in)
{
	self->place[2].mode = S_IFDIR | 0770;
	self->place[2].acl = ACL({ ACL_USER_OBJ, 7, 0 }, { ACL_USER, 7, ALICE },
				 { ACL_GROUP_OBJ, 0, 0 }, { ACL_MASK, 7, 0 }, { ACL_OTHER, 0, 0 });
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(judge, acl_with_too_narrow_a_mask)
{
	const struct finding *f;

	self->place[2].mode = S_IFDIR | 0750;
	self->place[2].acl = ACL({ ACL_USER_OBJ, 7, 0 }, { ACL_USER, 7, ALICE },
				 { ACL_GROUP_OBJ, 5, 0 }, { ACL_MASK, 5, 0 }, { ACL_OTHER, 0, 0 });
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "write")), NULL);
	EXPECT_EQ(f->layer, LAYER_ACL);
	EXPECT_STREQ(f->what,
		     "alice may not create in /srv/data: its ACL gives rwx, but the ACL's mask "
		     "only r-x");
	EXPECT_STREQ(mend(f, 0), "setfacl -m m::rwx /srv/data");
}

/* What chmod calls the group's bits is the mask then: it would mend nothing. */
TEST_F(judge, acl_with_too_little_for_the_group_of_hers)
{
	const struct finding *f;

	self->place[2].gid = 50;
	strcpy(self->place[2].group, "staff");
	self->place[2].mode = S_IFDIR | 0770;
	self->place[2].acl = ACL({ ACL_USER_OBJ, 7, 0 }, { ACL_USER, 7, 7 },
				 { ACL_GROUP_OBJ, 5, 0 }, { ACL_MASK, 7, 0 }, { ACL_OTHER, 0, 0 });
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "write")), NULL);
	EXPECT_EQ(f->layer, LAYER_ACL);
	EXPECT_STREQ(f->what,
		     "alice may not create in /srv/data: its ACL gives its own group, staff, only "
		     "r-x");
	EXPECT_STREQ(mend(f, 0), "setfacl -R -m u:alice:rwX,d:u:alice:rwX /srv/data");
	EXPECT_STREQ(mend(f, 1), "setfacl -m g::rwx /srv/data");
	EXPECT_EQ(f->nmends, 2);
}

/* chmod 700 made it so; the kernel then does not even ask the ACL. */
TEST_F(judge, acl_with_an_empty_mask)
{
	const struct finding *f;

	self->place[2].mode = S_IFDIR | 0700;
	self->place[2].acl = ACL({ ACL_USER_OBJ, 7, 0 }, { ACL_USER, 7, ALICE },
				 { ACL_GROUP_OBJ, 5, 0 }, { ACL_MASK, 0, 0 }, { ACL_OTHER, 0, 0 });
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "write")), NULL);
	EXPECT_STREQ(mend(f, 0),
		     "setfacl -m m::rwx /srv/data    # also widens what the mask leaves to others");
}

TEST_F(judge, acl_that_is_not_asked_does_not_refuse)
{
	self->place[2].mode = S_IFDIR | 0707;
	self->place[2].acl = ACL({ ACL_USER_OBJ, 7, 0 }, { ACL_USER, 7, ALICE },
				 { ACL_GROUP_OBJ, 5, 0 }, { ACL_MASK, 0, 0 }, { ACL_OTHER, 7, 0 });
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
}

/* An entry of one's own counts, though others get more. */
TEST_F(judge, acl_with_too_little_for_her)
{
	const struct finding *f;

	self->place[2].mode = S_IFDIR | 0777;
	self->place[2].acl = ACL({ ACL_USER_OBJ, 7, 0 }, { ACL_USER, 5, ALICE },
				 { ACL_GROUP_OBJ, 7, 0 }, { ACL_MASK, 7, 0 }, { ACL_OTHER, 7, 0 });
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "write")), NULL);
	EXPECT_EQ(f->layer, LAYER_ACL);
	EXPECT_STREQ(f->what,
		     "alice may not create in /srv/data: its ACL gives user alice only r-x");
	EXPECT_STREQ(mend(f, 0), "setfacl -R -m u:alice:rwX,d:u:alice:rwX /srv/data");
}

TEST_F(judge, acl_entry_that_lists_and_does_not_pass)
{
	self->place[1].mode = S_IFDIR | 0775;
	self->place[1].acl = ACL({ ACL_USER_OBJ, 7, 0 }, { ACL_USER, 4, ALICE },
				 { ACL_GROUP_OBJ, 7, 0 }, { ACL_MASK, 7, 0 }, { ACL_OTHER, 5, 0 });
	judge(&self->q, &self->found);
	ASSERT_NE(only(&self->found, "search"), NULL);
	EXPECT_STREQ(mend(&self->found.finding[0], 0), "setfacl -m u:alice:rx /srv");
}

TEST_F(judge, acl_of_a_group)
{
	self->place[2].mode = S_IFDIR | 0770;
	self->place[2].acl = ACL({ ACL_USER_OBJ, 7, 0 }, { ACL_GROUP_OBJ, 0, 0 },
				 { ACL_GROUP, 7, 50 }, { ACL_MASK, 7, 0 }, { ACL_OTHER, 0, 0 });
	judge(&self->q, &self->found);
	EXPECT_EQ(self->found.n, 0);
	self->place[2].acl.entry[2].perm = 4;
	judge(&self->q, &self->found);
	EXPECT_NE(only(&self->found, "write"), NULL);
	EXPECT_EQ(self->found.finding[0].layer, LAYER_ACL);
}

/* The kernel does not ask it, but the group's bits are its mask all the same. */
TEST_F(judge, acl_of_the_owning_group_with_an_empty_mask)
{
	const struct finding *f;

	self->place[2].mode = S_IFDIR | 0700;
	self->place[2].gid = 50;
	self->place[2].acl = ACL({ ACL_USER_OBJ, 7, 0 }, { ACL_GROUP_OBJ, 5, 0 },
				 { ACL_MASK, 0, 0 }, { ACL_OTHER, 0, 0 });
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "write")), NULL);
	EXPECT_EQ(f->layer, LAYER_ACL);
	EXPECT_STREQ(mend(f, 1), "setfacl -m g::rwx /srv/data");
}

/* What a mask keeps from others they get when it is set anew. */
TEST_F(judge, acl_whose_mask_narrows_others)
{
	static const char remark[] = "    # also widens what the mask leaves to others";
	struct acl_entry *user;
	const struct finding *f;

	self->place[2].mode = S_IFDIR | 0750;
	self->place[2].gid = 50;
	self->place[2].acl = ACL({ ACL_USER_OBJ, 7, 0 }, { ACL_USER, 7, 4 },
				 { ACL_GROUP_OBJ, 5, 0 }, { ACL_MASK, 5, 0 }, { ACL_OTHER, 0, 0 });
	user = &self->place[2].acl.entry[1];
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "write")), NULL);
	EXPECT_NE(strstr(mend(f, 0), remark), NULL);
	EXPECT_NE(strstr(mend(f, 1), remark), NULL);
	findings_free(&self->found);
	self->found = (struct findings){ 0 };
	/* Another whom it does not narrow. */
	user->perm = 5;
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "write")), NULL);
	EXPECT_STREQ(mend(f, 0), "setfacl -R -m u:alice:rwX,d:u:alice:rwX /srv/data");
	EXPECT_STREQ(mend(f, 1), "setfacl -m g::rwx /srv/data");
	findings_free(&self->found);
	self->found = (struct findings){ 0 };
	/* The mask itself is too narrow, for others as for her. */
	*user = (struct acl_entry){ ACL_USER, 7, ALICE };
	self->place[2].acl.entry[2].perm = 7;
	judge(&self->q, &self->found);
	ASSERT_NE((f = only(&self->found, "write")), NULL);
	EXPECT_STREQ(mend(f, 0),
		     "setfacl -m m::rwx /srv/data    # also widens what the mask leaves to others");
}

/* The file's own group is none of hers, and no entry fits: she is another. */
TEST_F(judge, acl_for_others)
{
	self->place[2].mode = S_IFDIR | 0775;
	self->place[2].acl = ACL({ ACL_USER_OBJ, 7, 0 }, { ACL_USER, 7, 4 },
				 { ACL_GROUP_OBJ, 7, 0 }, { ACL_MASK, 7, 0 }, { ACL_OTHER, 5, 0 });
	judge(&self->q, &self->found);
	EXPECT_NE(only(&self->found, "write"), NULL);
	EXPECT_EQ(self->found.finding[0].layer, LAYER_MODE);
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

/* ---- the ACL's format ---- */

TEST(acl_of_an_attribute)
{
	const struct {
		struct posix_acl_xattr_header head;
		struct posix_acl_xattr_entry entry[2];
	} value = { { POSIX_ACL_XATTR_VERSION },
		    { { ACL_USER, 5, 1000 }, { ACL_MASK, 4, (uint32_t)ACL_UNDEFINED_ID } } };
	struct acl acl;

	ASSERT_EQ(acl_parse(&acl, &value, sizeof(value)), 0);
	ASSERT_EQ(acl.n, 2);
	EXPECT_EQ(acl.entry[0].tag, ACL_USER);
	EXPECT_EQ(acl.entry[0].perm, 5);
	EXPECT_EQ(acl.entry[0].id, 1000);
	EXPECT_EQ(acl.entry[1].perm, 4);
	free(acl.entry);
	EXPECT_EQ(acl_parse(&acl, &value, sizeof(value) - 1), -EINVAL);
	EXPECT_EQ(acl_parse(&acl, &value, 2), -EINVAL);
}

TEST_HARNESS_MAIN
