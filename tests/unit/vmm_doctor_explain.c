// SPDX-License-Identifier: MIT
/* What a running share says of what it refused. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vmm/doctor/explain.h"

/* Of no user, and not the one who runs the test. */
#define STRANGER 54321

FIXTURE(explain)
{
	char dir[64], root[80];
	struct explain *explain;
	struct p9_share_config config;
	char said[16384];
	atomic_uint lines; /* counted on the thread that explains */
	struct why why;
};

static const struct p9_share *const share = (const struct p9_share *)"one";

static void hear(void *arg, const char *sentence)
{
	FIXTURE_DATA(explain) *self = arg;

	strncat(self->said, sentence, sizeof(self->said) - strlen(self->said) - 2);
	strcat(self->said, "\n");
	self->lines++;
}

FIXTURE_SETUP(explain)
{
	memset(self, 0, sizeof(*self));
	strcpy(self->dir, "/tmp/vmm_doctor_explain.XXXXXX");
	ASSERT_NE(mkdtemp(self->dir), NULL);
	ASSERT_EQ(chdir(self->dir), 0);
	ASSERT_EQ(chmod(self->dir, 0755), 0);
	snprintf(self->root, sizeof(self->root), "%s/root", self->dir);
	ASSERT_EQ(mkdir("root", 0755), 0);
	ASSERT_EQ(mkdir("root/sub", 0755), 0);
	ASSERT_EQ(mkdir("root/open", 0755), 0);
	ASSERT_EQ(chmod("root/open", 0777), 0);
	ASSERT_EQ(explain_new(&self->explain, hear, self, &self->why), 0);
}

FIXTURE_TEARDOWN(explain)
{
	char command[128];

	explain_free(self->explain);
	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	(void)!system(command);
}

static void start(FIXTURE_DATA(explain) *self, struct __test_metadata *_metadata)
{
	ASSERT_EQ(explain_share(self->explain, share, self->root, &self->config, &self->why), 0);
	ASSERT_EQ(explain_start(self->explain), 0);
}

static void refuse(FIXTURE_DATA(explain) *self, enum p9_refused what, int err, const char *path)
{
	const struct p9_refusal refusal = {
		.share = (struct p9_share *)share,
		.what = what,
		.err = err,
		.uid = STRANGER,
		.gid = STRANGER,
		.path = path,
	};

	explain_refusal(self->explain, &refusal);
}

static const char *last_line(FIXTURE_DATA(explain) *self)
{
	char *end = self->said + strlen(self->said);

	if (end == self->said)
		return "";
	for (end--; end > self->said && end[-1] != '\n'; end--)
		;
	return end;
}

/* All that was refused is explained after this. */
static void finish(FIXTURE_DATA(explain) *self)
{
	explain_free(self->explain);
	self->explain = NULL;
}

TEST_F(explain, creating)
{
	start(self, _metadata);
	refuse(self, P9_REFUSED_CREATE, -EACCES, "sub/new");
	finish(self);
	EXPECT_EQ(self->lines, 1);
	EXPECT_EQ(strncmp(self->said, "creating sub/new in /tmp/vmm_doctor_explain.", 44), 0);
	EXPECT_NE(strstr(self->said, "was refused to the guest (EACCES): 54321 may not create in "),
		  NULL);
	EXPECT_NE(strstr(self->said, "/root/sub: it is drwxr-xr-x "), NULL);
	EXPECT_NE(strstr(self->said, "; mend: "), NULL);
	EXPECT_NE(strstr(self->said, "setfacl -R -m u:54321:rwX,d:u:54321:rwX "), NULL);
}

TEST_F(explain, once_for_each_cause)
{
	start(self, _metadata);
	refuse(self, P9_REFUSED_CREATE, -EACCES, "sub/new");
	refuse(self, P9_REFUSED_CREATE, -EACCES, "sub/other");
	refuse(self, P9_REFUSED_OPEN, -EACCES, "sub");
	refuse(self, P9_REFUSED_CREATE, -EACCES, "new");
	finish(self);
	EXPECT_EQ(self->lines, 2);
	EXPECT_NE(strstr(self->said, "creating new in "), NULL);
}

TEST_F(explain, the_share_itself)
{
	start(self, _metadata);
	refuse(self, P9_REFUSED_OPEN, -EACCES, "");
	finish(self);
	EXPECT_EQ(self->lines, 1);
	EXPECT_EQ(strncmp(self->said, "opening /tmp/", 13), 0);
}

/* What keeps the error from being that one is not the cause. */
TEST_F(explain, another_error)
{
	start(self, _metadata);
	refuse(self, P9_REFUSED_CREATE, -EDQUOT, "sub/new");
	finish(self);
	EXPECT_EQ(self->lines, 1);
	EXPECT_NE(strstr(self->said, "(EDQUOT): nothing that can be read says why"), NULL);
}

TEST_F(explain, changing_the_owner_with_idmap)
{
	self->config.model = P9_MODEL_IDMAP;
	start(self, _metadata);
	refuse(self, P9_REFUSED_CHOWN, -EPERM, "open");
	finish(self);
	EXPECT_EQ(self->lines, 1);
	EXPECT_EQ(strncmp(self->said, "changing the owner of open in ", 30), 0);
	EXPECT_NE(strstr(self->said, "idmap"), NULL);
}

/* That the folder cannot be written, either, is no reason for EPERM. */
TEST_F(explain, changing_the_owner_of_somebody_elses_file)
{
	self->config.model = P9_MODEL_IDMAP;
	start(self, _metadata);
	refuse(self, P9_REFUSED_CHOWN, -EPERM, "sub");
	finish(self);
	EXPECT_EQ(self->lines, 1);
	EXPECT_NE(strstr(self->said, "idmap"), NULL);
}

TEST_F(explain, device_node)
{
	start(self, _metadata);
	refuse(self, P9_REFUSED_MKNOD, -EPERM, "open/null");
	finish(self);
	EXPECT_EQ(self->lines, 1);
	EXPECT_NE(strstr(self->said, "mapped-xattr"), NULL);
}

TEST_F(explain, a_path_that_is_not_known)
{
	start(self, _metadata);
	refuse(self, P9_REFUSED_OPEN, -EACCES, NULL);
	finish(self);
	EXPECT_EQ(self->lines, 1);
	EXPECT_EQ(strncmp(self->said, "opening a file in ", 18), 0);
}

/*
 * After the folder has another name, or whoever serves it may not look at it by its name any more.
 */
TEST_F(explain, by_descriptor)
{
	start(self, _metadata);
	ASSERT_EQ(rename("root", "elsewhere"), 0);
	refuse(self, P9_REFUSED_CREATE, -EACCES, "sub/new");
	finish(self);
	EXPECT_EQ(self->lines, 1);
	EXPECT_NE(strstr(self->said, "may not create in "), NULL);
}

TEST_F(explain, names_cannot_command_a_terminal)
{
	start(self, _metadata);
	refuse(self, P9_REFUSED_CREATE, -EACCES, "sub/a\033[2J\nb");
	finish(self);
	EXPECT_EQ(self->lines, 1);
	EXPECT_EQ(strncmp(self->said, "creating sub/a?[2J?b in ", 24), 0);
}

TEST_F(explain, another_share)
{
	start(self, _metadata);
	explain_refusal(self->explain, &(struct p9_refusal){
					       .share = (struct p9_share *)"two",
					       .what = P9_REFUSED_OPEN,
					       .err = -EACCES,
					       .path = "",
				       });
	finish(self);
	EXPECT_EQ(self->lines, 0);
}

/* Whatever a guest does, it fills no log, and no memory. */
TEST_F(explain, so_much_and_no_more)
{
	start(self, _metadata);
	for (int i = 0; i < 40; i++) {
		char path[32];

		snprintf(path, sizeof(path), "root/open/%d", i);
		ASSERT_EQ(mkdir(path, 0755), 0);
	}
	/* What comes faster than it is looked into is dropped: it has to come again. */
	for (int round = 0; round < 20000 && self->lines < 33; round++) {
		char path[32];

		snprintf(path, sizeof(path), "open/%d/new", round % 40);
		refuse(self, P9_REFUSED_CREATE, -EACCES, path);
		usleep(100);
	}
	refuse(self, P9_REFUSED_CREATE, -EACCES, "sub/new");
	finish(self);
	EXPECT_EQ(self->lines, 33);
	EXPECT_EQ(strncmp(last_line(self), "what else is refused", 20), 0);
}

/* Always other files, and the same cause. */
TEST_F(explain, so_many_looks_and_no_more)
{
	start(self, _metadata);
	for (int round = 0; round < 20000 && self->lines < 2; round++) {
		char path[32];

		snprintf(path, sizeof(path), "sub/%d", round);
		refuse(self, P9_REFUSED_OPEN, -EACCES, path);
		usleep(100);
	}
	refuse(self, P9_REFUSED_CREATE, -EACCES, "new");
	finish(self);
	EXPECT_EQ(self->lines, 2);
	EXPECT_EQ(strncmp(last_line(self), "what else is refused", 20), 0);
}

static void *refuse_much(void *arg)
{
	FIXTURE_DATA(explain) *self = arg;

	for (int i = 0; i < 2000; i++)
		refuse(self, i & 1 ? P9_REFUSED_CREATE : P9_REFUSED_OPEN, -EACCES,
		       i & 2 ? "sub/new" : "open/new");
	return NULL;
}

TEST_F(explain, from_many_threads)
{
	pthread_t thread[4];

	start(self, _metadata);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(pthread_create(&thread[i], NULL, refuse_much, self), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	finish(self);
	EXPECT_GE(self->lines, 1);
	EXPECT_NE(strstr(self->said, "/root/sub"), NULL);
}

TEST_F(explain, never_started)
{
	ASSERT_EQ(explain_share(self->explain, share, self->root, &self->config, &self->why), 0);
	refuse(self, P9_REFUSED_CREATE, -EACCES, "sub/new");
	finish(self);
	EXPECT_EQ(self->lines, 0);
}

TEST_F(explain, creating_by_an_id_in_no_range)
{
	self->config.model = P9_MODEL_IDMAP;
	start(self, _metadata);
	refuse(self, P9_REFUSED_CREATE, -EPERM, "open/x");
	finish(self);
	EXPECT_EQ(self->lines, 1);
	EXPECT_NE(strstr(self->said, "the guest's user or group is in no range of uidmap= and "
				     "gidmap=; mend: uidmap= and gidmap= for them, too"),
		  NULL);
}

/* An id that is in no range stays as it is: it is something else. */
TEST_F(explain, creating_by_an_id_that_stays)
{
	self->config.model = P9_MODEL_IDMAP;
	self->config.uids.rest = self->config.gids.rest = true;
	start(self, _metadata);
	refuse(self, P9_REFUSED_CREATE, -EPERM, "open/x");
	finish(self);
	EXPECT_NE(strstr(self->said, "nothing that can be read says why"), NULL);
}

TEST_HARNESS_MAIN
