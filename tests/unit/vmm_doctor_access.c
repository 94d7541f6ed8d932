// SPDX-License-Identifier: MIT
/* What the doctor makes of modes and ACLs, from facts that are made up. */
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#include "doctor.h"
#include "vmm/doctor/access.h"
#include "vmm/notes.h"

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
