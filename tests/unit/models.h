/* SPDX-License-Identifier: MIT */
/* What the tests of ownership models share: a share of any model, in each executor. */
#ifndef TESTS_MODELS_H
#define TESTS_MODELS_H

#include "kselftest_harness.h"

#include <grp.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "tests/unit/p9client.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

FIXTURE(models)
{
	struct p9c_world w;
	struct p9c *c;
	bool open;
	uid_t uid;
	bool root;
};

FIXTURE_VARIANT(models)
{
	enum p9_executor executor;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(models, sync) { P9_EXEC_SYNC };
FIXTURE_VARIANT_ADD(models, ring) { P9_EXEC_RING };
FIXTURE_VARIANT_ADD(models, auto) { P9_EXEC_AUTO };
/* clang-format on */

FIXTURE_SETUP(models)
{
	self->uid = geteuid();
	self->root = !self->uid;
}

FIXTURE_TEARDOWN(models)
{
	if (self->open)
		EXPECT_EQ(0, p9c_world_close(&self->w));
}

/* A share with the model of self->w.config. fid 0 is nobody's in particular, 1000 is uid 1000's. */
static inline int open_world(struct _test_data_models *self, enum p9_executor executor)
{
	int err = p9c_world_open(&self->w, executor, false, 0);

	if (err == -EOPNOTSUPP)
		return err;
	self->open = !err;
	self->c = self->w.c;
	return err ?: p9c_attach(self->c, 1000, "", 1000);
}

#define OPEN_WORLD()                                                                               \
	do {                                                                                       \
		int open_err = open_world(self, variant->executor);                                \
		if (open_err == -EOPNOTSUPP)                                                       \
			SKIP(return, "the file system of TMPDIR has no extended attributes");      \
		ASSERT_EQ(0, open_err);                                                            \
	} while (0)

/* An attribute on the host as text: "e8030000", or "-" if there is none. */
static inline const char *hex(const char *path, const char *name)
{
	static char text[4][64];
	static unsigned int at;
	unsigned char value[16];
	ssize_t n = lgetxattr(path, name, value, sizeof(value));
	char *to = text[at = (at + 1) % 4];

	strcpy(to, "-");
	for (ssize_t i = 0; i < n; i++)
		sprintf(to + 2 * i, "%02x", value[i]);
	return to;
}

static inline uint32_t host_mode(const struct p9c_world *w, const char *name)
{
	struct stat st;

	return lstat(p9c_path(w, name), &st) ? 0 : st.st_mode;
}

/* What the guest is told of a name, walked to by fid 0. */
static inline struct p9c_attr attr_of(struct p9c *c, const char *name)
{
	struct p9c_attr a = {0};

	if (!p9c_walk(c, 0, 99, name)) {
		p9c_getattr(c, 99, &a);
		p9c_clunk(c, 99);
	}
	return a;
}

static inline int create(struct p9c *c, uint32_t dir, const char *name, uint32_t mode, uint32_t gid)
{
	int err = p9c_walk(c, dir, 98, "");

	err = err ?: p9c_lcreate(c, 98, name, O_WRONLY, mode, gid);
	p9c_clunk(c, 98);
	return err;
}

static inline int change(struct p9c *c, uint32_t root, const char *name, uint32_t valid, uint32_t mode,
		  uint32_t uid, uint32_t gid)
{
	struct p9c_attr a = {.mode = mode, .uid = uid, .gid = gid};
	int err = p9c_walk(c, root, 97, name);

	err = err ?: p9c_setattr(c, 97, &a, valid);
	p9c_clunk(c, 97);
	return err;
}

#define EXPECT_OWNER(name, m, u, g)                                                                \
	do {                                                                                       \
		struct p9c_attr got = attr_of(self->c, name);                                      \
		EXPECT_EQ(m, got.mode);                                                            \
		EXPECT_EQ(u, got.uid);                                                             \
		EXPECT_EQ(g, got.gid);                                                             \
	} while (0)

/* The rest of the test is somebody who may not give files away. To be called before all else. */
static inline void become_user(struct _test_data_models *self)
{
	const gid_t group = 1235;

	if (self->root && (setgroups(1, &group) || setgid(1234) || setuid(1234)))
		exit(KSFT_FAIL);
	self->uid = geteuid();
}

#endif
