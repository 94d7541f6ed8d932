// SPDX-License-Identifier: MIT
/* What the doctor says of somebody else's configuration, and as whom QEMU runs. */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "scratch.h"
#include "vmm/doctor/qemu.h"

FIXTURE(qemu)
{
	char dir[64];
	struct people people;
	struct person person;
	struct foreign foreign;
	struct findings found;
	struct why why;
};

FIXTURE_SETUP(qemu)
{
	memset(self, 0, sizeof(*self));
	strcpy(self->dir, "/tmp/vmm_doctor_qemu.XXXXXX");
	ASSERT_NE(mkdtemp(self->dir), NULL);
	ASSERT_EQ(chdir(self->dir), 0);
	ASSERT_EQ(mkdir("etc", 0755), 0);
	put("etc/passwd", "root:x:0:0::/root:/bin/sh\nlibvirt-qemu:x:64055:108::/:/bin/false\n"
		      "qemu:x:107:107::/:/bin/false\n");
	put("etc/group", "kvm:x:108:libvirt-qemu\nqemu:x:107:\n");
	people_open(&self->people, ".");
}

FIXTURE_TEARDOWN(qemu)
{
	foreign_free(&self->foreign);
	findings_free(&self->found);
	person_free(&self->person);
	people_close(&self->people);
	remove_all(self->dir);
}

/* Judges the first share, of a QEMU that runs as person, else as libvirt-qemu. */
#define JUDGE(name)                                                                              \
	do {                                                                                     \
		ASSERT_EQ(person_find(&self->person, &self->people, name, &self->why), 0);       \
		ASSERT_EQ(self->foreign.nshares, 1);                                             \
		qemu_judge(&self->foreign, &self->foreign.share[0], &self->person, &self->found); \
	} while (0)

#define LIBVIRT(xml, name)                                                                       \
	do {                                                                                     \
		ASSERT_EQ(foreign_parse_libvirt(&self->foreign, "g.xml", xml, strlen(xml),       \
						&self->why),                                     \
			  0)                                                                     \
		{                                                                                \
			TH_LOG("%s", self->why.text);                                            \
		}                                                                                \
		JUDGE(name);                                                                     \
	} while (0)

#define VIRTFS(words, name)                                                                      \
	do {                                                                                     \
		ASSERT_EQ(foreign_read_virtfs(&self->foreign, words, &self->why), 0)             \
		{                                                                                \
			TH_LOG("%s", self->why.text);                                            \
		}                                                                                \
		JUDGE(name);                                                                     \
	} while (0)

static const struct finding *found(const struct findings *findings, const char *kind)
{
	for (size_t i = 0; i < findings->n; i++)
		if (!strcmp(findings->finding[i].kind, kind))
			return &findings->finding[i];
	return NULL;
}

TEST_F(qemu, passthrough)
{
	const struct finding *f;

	LIBVIRT("\n\n<filesystem type='mount' accessmode='passthrough'>\n<source dir='/a'/>\n"
		"<target dir='a'/>\n</filesystem>\n",
		"libvirt-qemu");
	ASSERT_EQ(self->found.n, 1);
	ASSERT_NE((f = found(&self->found, "model-chown")), NULL);
	EXPECT_STREQ(f->what,
		     "line 3: accessmode='passthrough': QEMU as libvirt-qemu may not chown, so "
		     "creates fail with EPERM");
	EXPECT_STREQ(f->place, "g.xml:3:1");
	EXPECT_EQ(f->layer, LAYER_MODEL);
	EXPECT_EQ(f->err, EPERM);
	EXPECT_TRUE(f->refuses);
	EXPECT_EQ(strncmp(f->mend[0].text, "use accessmode='mapped'", 23), 0);
	EXPECT_EQ(strncmp(f->mend[1].text, "use accessmode='squash'", 23), 0);
}

TEST_F(qemu, passthrough_by_default)
{
	LIBVIRT("<filesystem type='mount'><source dir='/a'/><target dir='a'/></filesystem>",
		"qemu");
	ASSERT_NE(found(&self->found, "model-chown"), NULL);
	EXPECT_NE(strstr(self->found.finding[0].what, "without accessmode="), NULL);
}

TEST_F(qemu, passthrough_as_root)
{
	LIBVIRT("<filesystem type='mount'><source dir='/a'/><target dir='a'/></filesystem>",
		"root");
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(qemu, mapped_and_squash)
{
	LIBVIRT("<filesystem type='mount' accessmode='mapped' fmode='644'><source dir='/a'/>"
		"<target dir='a'/></filesystem>",
		"qemu");
	EXPECT_EQ(self->found.n, 0);
	foreign_free(&self->foreign);
	memset(&self->foreign, 0, sizeof(self->foreign));
	person_free(&self->person);
	LIBVIRT("<filesystem type='mount' accessmode='squash'><source dir='/a'/>"
		"<target dir='a'/></filesystem>",
		"qemu");
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(qemu, read_only)
{
	const struct finding *f;

	LIBVIRT("<filesystem type='mount' accessmode='mapped'>\n<source dir='/a'/>\n<target "
		"dir='a'/>\n"
		"<readonly/> <!-- Remove this for write access -->\n</filesystem>",
		"qemu");
	ASSERT_NE((f = found(&self->found, "read-only-share")), NULL);
	EXPECT_STREQ(f->what, "line 4: <readonly/>: every change is refused");
	EXPECT_EQ(f->err, EROFS);
	EXPECT_TRUE(f->refuses);
}

TEST_F(qemu, a_tag_is_no_place)
{
	const struct finding *f;

	LIBVIRT("<filesystem type='mount' accessmode='mapped'>\n<source dir='/a'/>\n"
		"<target dir='/guest/it'/>\n</filesystem>",
		"qemu");
	ASSERT_NE((f = found(&self->found, "tag-place")), NULL);
	EXPECT_FALSE(f->refuses);
	EXPECT_NE(strstr(f->what, "line 3: <target dir> '/guest/it' is a tag, not a place"), NULL);
	EXPECT_NE(strstr(f->mend[0].text, "mount -t 9p -o trans=virtio,version=9p2000.L /guest/it"),
		  NULL);
}

/* virtiofsd is root's, and chowns. */
TEST_F(qemu, virtiofs)
{
	LIBVIRT("<filesystem type='mount' accessmode='passthrough'>\n<driver type='virtiofs'/>\n"
		"<source dir='/a'/>\n<target dir='a'/>\n</filesystem>",
		"root");
	EXPECT_EQ(self->found.n, 0);
}

TEST_F(qemu, driver_that_is_gone)
{
	LIBVIRT("<filesystem type='mount' accessmode='mapped'>\n<driver type='handle'/>\n"
		"<source dir='/a'/>\n<target dir='a'/>\n</filesystem>",
		"qemu");
	EXPECT_NE(found(&self->found, "driver"), NULL);
}

TEST_F(qemu, modes_without_mapping)
{
	VIRTFS("local,path=/a,mount_tag=a,security_model=none,fmode=0644", "qemu");
	EXPECT_NE(found(&self->found, "modes"), NULL);
}

TEST_F(qemu, virtfs)
{
	const struct finding *f;

	VIRTFS("local,path=/a,mount_tag=a,security_model=passthrough,readonly=on", "qemu");
	ASSERT_NE((f = found(&self->found, "model-chown")), NULL);
	EXPECT_STREQ(f->what,
		     "security_model=passthrough: QEMU as qemu may not chown, so creates fail "
		     "with EPERM");
	EXPECT_EQ(strncmp(f->mend[0].text, "use security_model=mapped-xattr", 31), 0);
	EXPECT_NE(found(&self->found, "read-only-share"), NULL);
}

TEST_F(qemu, virtfs_without_a_model)
{
	VIRTFS("local,path=/a,mount_tag=a", "qemu");
	EXPECT_NE(found(&self->found, "no-model"), NULL);
}

TEST_F(qemu, virtfs_with_an_unknown_model)
{
	VIRTFS("local,path=/a,mount_tag=a,security_model=mapping", "qemu");
	EXPECT_NE(found(&self->found, "unknown-model"), NULL);
}

TEST_F(qemu, long_tag)
{
	VIRTFS("local,path=/a,mount_tag=a234567890123456789012345678901,security_model=none",
	       "qemu");
	EXPECT_EQ(self->found.n, 0);
	foreign_free(&self->foreign);
	memset(&self->foreign, 0, sizeof(self->foreign));
	person_free(&self->person);
	VIRTFS("local,path=/a,mount_tag=a2345678901234567890123456789012,security_model=none",
	       "qemu");
	EXPECT_NE(found(&self->found, "long-tag"), NULL);
}

/* ---- as whom ---- */

TEST_F(qemu, runs_as_its_configuration_says)
{
	put("qemu.conf",
	    "# user = \"root\"\n#group = \"root\"\n  user = \"qemu\"\ngroup=\"kvm\"\n");
	ASSERT_EQ(qemu_person(&self->person, &self->people, "qemu.conf", &self->why), 0);
	EXPECT_EQ(self->person.uid, 107);
	EXPECT_EQ(self->person.gid, 108);
}

TEST_F(qemu, runs_as_a_number)
{
	put("qemu.conf", "user = \"+107\"\n");
	ASSERT_EQ(qemu_person(&self->person, &self->people, "qemu.conf", &self->why), 0);
	EXPECT_STREQ(self->person.name, "qemu");
}

TEST_F(qemu, runs_as_nobody_there_is)
{
	put("qemu.conf", "user = \"carol\"\n");
	EXPECT_EQ(qemu_person(&self->person, &self->people, "qemu.conf", &self->why), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "carol"), NULL);
}

TEST_F(qemu, runs_as_is_usual)
{
	struct people other;

	put("qemu.conf", "#user = \"root\"\n");
	ASSERT_EQ(qemu_person(&self->person, &self->people, "qemu.conf", &self->why), 0);
	EXPECT_STREQ(self->person.name, "libvirt-qemu");
	person_free(&self->person);
	put("etc/passwd", "root:x:0:0::/root:/bin/sh\nqemu:x:107:107::/:/bin/false\n");
	people_open(&other, ".");
	ASSERT_EQ(qemu_person(&self->person, &other, "no-such.conf", &self->why), 0);
	EXPECT_STREQ(self->person.name, "qemu");
	person_free(&self->person);
	people_close(&other);
	put("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
	people_open(&other, ".");
	ASSERT_EQ(qemu_person(&self->person, &other, "no-such.conf", &self->why), 0);
	EXPECT_TRUE(self->person.self);
	people_close(&other);
}

TEST_HARNESS_MAIN
