// SPDX-License-Identifier: MIT
/* What the doctor gathers: walks through folders that are there, users, mounts. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/posix_acl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vmm/doctor/facts.h"
#include "vmm/doctor/report.h"
#include "vmm/notes.h"

FIXTURE(walk)
{
	char dir[64];
	size_t depth; /* places up to dir */
	struct facts_source source;
	struct facts facts;
};

FIXTURE_SETUP(walk)
{
	memset(self, 0, sizeof(*self));
	strcpy(self->dir, "/tmp/vmm_doctor_facts.XXXXXX");
	ASSERT_NE(mkdtemp(self->dir), NULL);
	ASSERT_EQ(chdir(self->dir), 0);
	self->depth = 3; /* /, /tmp and it */
	facts_source_open(&self->source);
}

FIXTURE_TEARDOWN(walk)
{
	char command[128];

	facts_free(&self->facts);
	facts_source_close(&self->source);
	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	(void)!system(command);
}

/* Walks, and says where: "/ /tmp /tmp/x"; valid until the next call. The dir's own name is "D". */
static const char *walked(const struct facts *facts, const char *dir)
{
	static char text[4096];
	size_t n = 0, len = strlen(dir);

	for (size_t i = 0; i < facts->n; i++) {
		const char *path = facts->place[i].path;
		bool in = !strncmp(path, dir, len);

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", i ? " " : "",
				      in ? "D" : "", in ? path + len : path);
	}
	return text;
}

TEST_F(walk, relative)
{
	ASSERT_EQ(mkdir("a", 0750), 0);
	ASSERT_EQ(facts_gather(&self->facts, &self->source, "a", geteuid()), 0);
	EXPECT_STREQ(walked(&self->facts, self->dir), "/ /tmp D D/a");
	EXPECT_EQ(self->facts.err, 0);
	EXPECT_EQ(self->facts.missing, NULL);
	EXPECT_EQ(self->facts.place[3].mode, S_IFDIR | 0750);
	EXPECT_EQ(self->facts.place[3].uid, geteuid());
	EXPECT_NE(facts_mount(&self->facts, &self->facts.place[3]), NULL);
	EXPECT_GT(self->facts.room.size, 0);
}

TEST_F(walk, absolute_with_dots_and_slashes)
{
	char path[128];

	ASSERT_EQ(mkdir("a", 0700), 0);
	snprintf(path, sizeof(path), "/%s//a/.././a/", self->dir);
	ASSERT_EQ(facts_gather(&self->facts, &self->source, path, 0), 0);
	EXPECT_STREQ(walked(&self->facts, self->dir), "/ /tmp D D/a D D/a");
}

TEST_F(walk, above_the_root_is_the_root)
{
	ASSERT_EQ(facts_gather(&self->facts, &self->source, "/../..", 0), 0);
	EXPECT_STREQ(walked(&self->facts, self->dir), "/ / /");
}

/* The folders on the way of both paths have to be passed. */
TEST_F(walk, symlinks)
{
	char target[128];

	ASSERT_EQ(mkdir("a", 0700), 0);
	ASSERT_EQ(mkdir("b", 0700), 0);
	snprintf(target, sizeof(target), "%s/b", self->dir);
	ASSERT_EQ(symlink(target, "a/absolute"), 0);
	ASSERT_EQ(symlink("../b", "a/relative"), 0);
	ASSERT_EQ(mkdir("b/c", 0700), 0);
	ASSERT_EQ(facts_gather(&self->facts, &self->source, "a/absolute/c", 0), 0);
	EXPECT_STREQ(walked(&self->facts, self->dir), "/ /tmp D D/a / /tmp D D/b D/b/c");
	facts_free(&self->facts);
	memset(&self->facts, 0, sizeof(self->facts));
	ASSERT_EQ(facts_gather(&self->facts, &self->source, "a/relative/c", 0), 0);
	EXPECT_STREQ(walked(&self->facts, self->dir), "/ /tmp D D/a D D/b D/b/c");
}

/* Few have one of more than some entries; then it is read, too. */
TEST_F(walk, a_long_acl)
{
	struct {
		uint32_t version;
		struct acl_entry entry[44];
	} acl = { .version = 2 };
	size_t n = 0;

	acl.entry[n++] = (struct acl_entry){ ACL_USER_OBJ, 7, ~0u };
	while (n < 41)
		acl.entry[n++] = (struct acl_entry){ ACL_USER, 5, 1000 + n };
	acl.entry[n++] = (struct acl_entry){ ACL_GROUP_OBJ, 5, ~0u };
	acl.entry[n++] = (struct acl_entry){ ACL_MASK, 5, ~0u };
	acl.entry[n++] = (struct acl_entry){ ACL_OTHER, 0, ~0u };
	ASSERT_EQ(mkdir("a", 0750), 0);
	if (setxattr("a", "system.posix_acl_access", &acl, sizeof(acl), 0))
		SKIP(return, "this file system has no ACLs");
	ASSERT_EQ(facts_gather(&self->facts, &self->source, "a", geteuid()), 0);
	ASSERT_EQ(self->facts.place[3].acl.n, 44);
	EXPECT_EQ(self->facts.place[3].acl.entry[40].tag, ACL_USER);
	EXPECT_EQ(self->facts.place[3].acls, PLACE_YES);
}

TEST_F(walk, symlink_to_itself)
{
	ASSERT_EQ(symlink("loop", "loop"), 0);
	ASSERT_EQ(facts_gather(&self->facts, &self->source, "loop", 0), 0);
	EXPECT_EQ(self->facts.err, -ELOOP);
}

TEST_F(walk, missing)
{
	ASSERT_EQ(facts_gather(&self->facts, &self->source, "no", 0), 0);
	EXPECT_EQ(self->facts.err, -ENOENT);
	EXPECT_TRUE(facts_is_next(&self->facts));
	EXPECT_EQ(self->facts.n, self->depth);
	facts_free(&self->facts);
	memset(&self->facts, 0, sizeof(self->facts));
	ASSERT_EQ(facts_gather(&self->facts, &self->source, "no/such", 0), 0);
	EXPECT_EQ(self->facts.err, -ENOENT);
	EXPECT_FALSE(facts_is_next(&self->facts));
	EXPECT_STREQ(strrchr(self->facts.missing, '/'), "/no");
	EXPECT_STREQ(strrchr(self->facts.wanted, '/'), "/such");
}

TEST_F(walk, through_a_file)
{
	close(open("f", O_CREAT | O_WRONLY, 0600));
	ASSERT_EQ(facts_gather(&self->facts, &self->source, "f/x", 0), 0);
	EXPECT_EQ(self->facts.err, -ENOTDIR);
	EXPECT_EQ(self->facts.n, self->depth + 1);
}

/* As a running share does it: by a descriptor, also when the path is no longer. */
TEST_F(walk, below)
{
	int fd;

	ASSERT_EQ(mkdir("root", 0700), 0);
	ASSERT_EQ(mkdir("root/a", 0700), 0);
	ASSERT_EQ(symlink("/etc", "root/out"), 0);
	ASSERT_EQ(facts_gather(&self->facts, &self->source, "root", 0), 0);
	fd = open("root", O_PATH | O_DIRECTORY);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(chmod("root", 0711), 0);
	ASSERT_EQ(rename("root", "elsewhere"), 0);
	ASSERT_EQ(facts_below(&self->facts, &self->source, fd, "a", 0), 0);
	EXPECT_STREQ(walked(&self->facts, self->dir), "/ /tmp D D/root D/root/a");
	EXPECT_EQ(self->facts.place[3].mode, S_IFDIR | 0711);
	facts_cut(&self->facts, 4);
	ASSERT_EQ(facts_below(&self->facts, &self->source, fd, "a/new", 0), 0);
	EXPECT_EQ(self->facts.err, -ENOENT);
	facts_cut(&self->facts, 4);
	EXPECT_EQ(self->facts.err, 0);
	/* Links are the guest's to follow. */
	ASSERT_EQ(facts_below(&self->facts, &self->source, fd, "out/passwd", 0), 0);
	EXPECT_EQ(self->facts.err, -ENOTDIR);
	facts_cut(&self->facts, 4);
	ASSERT_EQ(facts_below(&self->facts, &self->source, fd, "a/../../x", 0), 0);
	EXPECT_EQ(self->facts.err, -EXDEV);
	EXPECT_EQ(self->facts.n, 5);
	facts_cut(&self->facts, 4);
	ASSERT_EQ(facts_below(&self->facts, &self->source, fd, "", 0), 0);
	EXPECT_EQ(self->facts.n, 4);
	close(fd);
}

/* ---- mounts ---- */

TEST(mountinfo)
{
	static const char text[] =
		"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 "
		"rw,errors=remount-ro,rootmode=4\n"
		"30 22 0:25 / /a\\040b ro,nosuid - tmpfs tmp\\134fs rw,size=4k\n"
		"31 22 0:26 / /c rw master:1 propagate_from:2 - squashfs /dev/loop0 ro\n"
		"broken line\n";
	struct mount_fact *m;
	size_t n;

	ASSERT_EQ(mounts_parse(&m, &n, text), 0);
	ASSERT_EQ(n, 3);
	EXPECT_EQ(m[0].id, 22);
	EXPECT_STREQ(m[0].point, "/");
	EXPECT_STREQ(m[0].type, "ext4");
	EXPECT_STREQ(m[0].source, "/dev/sda1");
	EXPECT_FALSE(m[0].ro);
	/* Options that end or begin so. */
	EXPECT_FALSE(m[0].fs_ro);
	EXPECT_STREQ(m[1].point, "/a b");
	EXPECT_STREQ(m[1].source, "tmp\\fs");
	EXPECT_TRUE(m[1].ro);
	EXPECT_FALSE(m[1].fs_ro);
	EXPECT_FALSE(m[2].ro);
	EXPECT_TRUE(m[2].fs_ro);
	mounts_free(m, n);
}

/* ---- users and groups ---- */

FIXTURE(people)
{
	char dir[64];
	struct people people;
	struct person person;
	struct why why;
};

FIXTURE_SETUP(people)
{
	FILE *f;

	memset(self, 0, sizeof(*self));
	strcpy(self->dir, "/tmp/vmm_doctor_people.XXXXXX");
	ASSERT_NE(mkdtemp(self->dir), NULL);
	ASSERT_EQ(chdir(self->dir), 0);
	ASSERT_EQ(mkdir("etc", 0755), 0);
	f = fopen("etc/passwd", "w");
	fputs("root:x:0:0:root:/root:/bin/sh\nalice:x:1000:100::/home/alice:/bin/sh\n"
	      "1234:x:77:77::/:/bin/sh\nali:x:1000:3::/:/bin/sh\n",
	      f);
	fclose(f);
	f = fopen("etc/group", "w");
	fputs("root:x:0:\nusers:x:100:\nstaff:x:50:bob,alice\nkvm:x:108:alice\nali:x:3:ali\n", f);
	fclose(f);
	people_open(&self->people, ".");
}

FIXTURE_TEARDOWN(people)
{
	char command[128];

	person_free(&self->person);
	people_close(&self->people);
	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	(void)!system(command);
}

TEST_F(people, by_name)
{
	ASSERT_EQ(person_find(&self->person, &self->people, "alice", &self->why), 0);
	EXPECT_STREQ(self->person.name, "alice");
	EXPECT_EQ(self->person.uid, 1000);
	EXPECT_EQ(self->person.gid, 100);
	EXPECT_EQ(self->person.caps, 0);
	EXPECT_TRUE(person_in_group(&self->person, 100));
	EXPECT_TRUE(person_in_group(&self->person, 50));
	EXPECT_TRUE(person_in_group(&self->person, 108));
	EXPECT_FALSE(person_in_group(&self->person, 3));
}

TEST_F(people, with_a_group)
{
	ASSERT_EQ(person_find(&self->person, &self->people, "alice:kvm", &self->why), 0);
	EXPECT_EQ(self->person.gid, 108);
	EXPECT_TRUE(person_in_group(&self->person, 100));
}

TEST_F(people, by_numbers)
{
	ASSERT_EQ(person_find(&self->person, &self->people, "1000", &self->why), 0);
	EXPECT_STREQ(self->person.name, "alice");
	EXPECT_EQ(self->person.gid, 100);
	person_free(&self->person);
	ASSERT_EQ(person_find(&self->person, &self->people, "5000:6000", &self->why), 0);
	EXPECT_STREQ(self->person.name, "5000");
	EXPECT_EQ(self->person.gid, 6000);
	EXPECT_EQ(self->person.ngroups, 1);
	EXPECT_EQ(self->person.groups[0], 6000);
}

/* As chown(1) has it. */
TEST_F(people, a_name_of_digits_is_a_name)
{
	ASSERT_EQ(person_find(&self->person, &self->people, "1234", &self->why), 0);
	EXPECT_EQ(self->person.uid, 77);
}

TEST_F(people, two_with_one_uid)
{
	ASSERT_EQ(person_find(&self->person, &self->people, "ali", &self->why), 0);
	EXPECT_STREQ(self->person.name, "ali");
	EXPECT_EQ(self->person.uid, 1000);
	EXPECT_TRUE(person_in_group(&self->person, 3));
	EXPECT_FALSE(person_in_group(&self->person, 50));
}

TEST_F(people, root_has_capabilities)
{
	ASSERT_EQ(person_find(&self->person, &self->people, "root", &self->why), 0);
	EXPECT_TRUE(person_can(&self->person, 0));
	EXPECT_TRUE(person_can(&self->person, 38));
}

TEST_F(people, nobody_of_that_name)
{
	EXPECT_EQ(person_find(&self->person, &self->people, "carol", &self->why), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "carol"), NULL);
	person_free(&self->person);
	EXPECT_EQ(person_find(&self->person, &self->people, "alice:wheel", &self->why), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "wheel"), NULL);
	person_free(&self->person);
	EXPECT_EQ(person_find(&self->person, &self->people, "", &self->why), -EINVAL);
	person_free(&self->person);
	EXPECT_EQ(person_find(&self->person, &self->people, "99999999999", &self->why), -EINVAL);
}

TEST_F(people, files_that_are_not_there)
{
	struct people none;

	people_open(&none, "no-such-folder");
	EXPECT_EQ(person_find(&self->person, &none, "alice", &self->why), -EINVAL);
	person_free(&self->person);
	ASSERT_EQ(person_find(&self->person, &none, "7", &self->why), 0);
	people_close(&none);
}

TEST_F(people, oneself)
{
	ASSERT_EQ(person_self(&self->person, &self->people, &self->why), 0);
	EXPECT_EQ(self->person.uid, geteuid());
	EXPECT_TRUE(self->person.self);
	EXPECT_TRUE(person_in_group(&self->person, getegid()));
}

/* ---- what is printed ---- */

TEST(names_cannot_command_a_terminal)
{
	static const char *const texts[][2] = {
		{ "plain", "plain" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "a\033[2Jb\n\x7f", "a?[2Jb??" },
		{ "c1\xc2\x9b!", "c1?!" },
		{ "no\xff\xc3 utf", "no?? utf" },
		{ "surrogate\xed\xa0\x80", "surrogate???" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xf0\x9f\x98\x80 \xf4\x90\x80\x80", "\xf0\x9f\x98\x80 ????" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *clean = clean_text(texts[i][0]);

		EXPECT_STREQ(clean, texts[i][1]);
		free(clean);
	}
}

TEST(json)
{
	struct report report = { 0 };
	struct subject *subject = report_add(&report, "share", "/a\xff\"b");
	const struct person alice = { .name = "alice", .uid = 1000, .gid = 100 };
	struct finding *finding;
	json_t *object;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	ASSERT_NE(subject, NULL);
	subject_person(subject, &alice);
	subject->model = "idmap";
	finding = findings_add(&subject->findings, "search", LAYER_MODE, EACCES, "/a",
			       "what \"it\" is");
	finding_command(finding, "chmod %s", "x");
	finding_advice(finding, "think");
	finding_note(findings_add(&subject->findings, "note", LAYER_SHARE, 0, "/a", "note"));
	ASSERT_NE(report_add(&report, "kvm", "/dev/kvm"), NULL);
	ASSERT_EQ(report_print_json(&report, f), 0);
	fclose(f);
	object = json_loads(text, 0, NULL);
	ASSERT_NE(object, NULL);
	EXPECT_EQ(json_integer_value(json_object_get(object, "refusing")), 1);
	object = json_object_get(object, "subjects");
	EXPECT_EQ(json_array_size(object), 2);
	object = json_array_get(object, 0);
	EXPECT_STREQ(json_string_value(json_object_get(object, "name")), "/a?\"b");
	EXPECT_TRUE(json_is_true(json_object_get(object, "refuses")));
	EXPECT_EQ(json_integer_value(json_object_get(json_object_get(object, "as"), "uid")), 1000);
	object = json_object_get(object, "findings");
	EXPECT_EQ(json_array_size(object), 2);
	EXPECT_TRUE(json_is_null(json_object_get(json_array_get(object, 1), "errno")));
	object = json_array_get(object, 0);
	EXPECT_STREQ(json_string_value(json_object_get(object, "errno")), "EACCES");
	object = json_object_get(object, "mend");
	EXPECT_STREQ(json_string_value(json_object_get(json_array_get(object, 0), "command")),
		     "chmod x");
	EXPECT_STREQ(json_string_value(json_object_get(json_array_get(object, 1), "advice")),
		     "think");
	free(text);
	report_free(&report);
}

TEST(shell_words)
{
	static const char *const words[][2] = {
		{ "/srv/data", "/srv/data" },
		{ "/a b", "'/a b'" },
		{ "", "''" },
		{ "$(x)", "'$(x)'" },
		{ "it's", "'it'\\''s'" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char *word = shell_word(words[i][0]);

		EXPECT_STREQ(word, words[i][1]);
		free(word);
	}
}

TEST_HARNESS_MAIN
