// SPDX-License-Identifier: MIT
/* Extended attributes, and what is kept in them: file capabilities and POSIX ACLs. */
#include "tests/guest/fs/fs.h"

#include <endian.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/xattr.h>

/* Whether the file has just this value, or, with NULL, no such attribute. */
static int is(const char *path, const char *name, const char *value)
{
	char got[256];
	ssize_t n = lgetxattr(path, name, got, sizeof(got));

	if (!value)
		return n < 0 && errno == ENODATA;
	return n == (ssize_t)strlen(value) && !memcmp(got, value, (size_t)n);
}

/* fs xattr FILE NAME VALUE: whether it is so. fs xattr FILE NAME: whether there is none. */
int host_xattr(char **word)
{
	return !is(word[0], word[1], word[2]);
}

static int set(const char *path, const char *name, const char *value, int flags)
{
	return lsetxattr(path, name, value, strlen(value), flags);
}

static int life(const char *path)
{
	CHECK(is(path, "user.a", NULL));
	CHECK(set(path, "user.a", "one", 0) == 0);
	CHECK(is(path, "user.a", "one"));
	CHECK(set(path, "user.a", "another", 0) == 0);
	CHECK(is(path, "user.a", "another"));
	SAME(host("fs xattr %s user.a another", path), 0);
	CHECK(set(path, "trusted.b", "two", 0) == 0);
	SAME(host("fs xattr %s trusted.b two", path), 0);
	CHECK(removexattr(path, "user.a") == 0);
	CHECK(is(path, "user.a", NULL));
	SAME(host("fs xattr %s user.a", path), 0);
	FAILS(ENODATA, removexattr(path, "user.a"));
	return 0;
}

static int of_file(void)
{
	TRY(make("f", "", 0644));
	return life("f");
}

static int of_folder(void)
{
	CHECK(mkdir("d", 0755) == 0);
	return life("d");
}

static int flags(void)
{
	TRY(make("f", "", 0644));
	FAILS(ENODATA, set("f", "user.a", "x", XATTR_REPLACE));
	CHECK(set("f", "user.a", "one", XATTR_CREATE) == 0);
	FAILS(EEXIST, set("f", "user.a", "two", XATTR_CREATE));
	CHECK(is("f", "user.a", "one"));
	CHECK(set("f", "user.a", "three", XATTR_REPLACE) == 0);
	CHECK(is("f", "user.a", "three"));
	return 0;
}

static int empty(void)
{
	TRY(make("f", "", 0644));
	CHECK(set("f", "user.a", "", XATTR_CREATE) == 0);
	CHECK(is("f", "user.a", ""));
	SAME(host("fs xattr f user.a ''"), 0);
	CHECK(set("f", "user.a", "x", 0) == 0 && set("f", "user.a", "", 0) == 0);
	CHECK(is("f", "user.a", ""));
	CHECK(removexattr("f", "user.a") == 0);
	CHECK(is("f", "user.a", NULL));
	return 0;
}

static int list(void)
{
	char names[4096], name[32];
	ssize_t n, seen = 0;

	TRY(make("f", "", 0644));
	SAME(listxattr("f", names, sizeof(names)), 0);
	for (int i = 10; i < 30; i++) {
		snprintf(name, sizeof(name), "user.name-%d", i);
		CHECK(set("f", name, name, 0) == 0);
	}
	SAME(listxattr("f", NULL, 0), 20 * 13);
	FAILS(ERANGE, listxattr("f", names, 20));
	n = listxattr("f", names, sizeof(names));
	SAME(n, 20 * 13);
	for (const char *at = names; at < names + n; at += strlen(at) + 1, seen++)
		CHECK(is("f", at, at));
	SAME(seen, 20);
	return 0;
}

static int sizes(void)
{
	static char value[60000], got[60000];
	int err;

	TRY(make("f", "", 0644));
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (char)(i * 5 / 3);
	CHECK(setxattr("f", "user.a", value, 3000, 0) == 0);
	SAME(getxattr("f", "user.a", NULL, 0), 3000);
	FAILS(ERANGE, getxattr("f", "user.a", got, 2999));
	SAME(getxattr("f", "user.a", got, sizeof(got)), 3000);
	CHECK(!memcmp(got, value, 3000));
	/* More than ext4 takes: it says so, and the value is what it was. */
	err = setxattr("f", "user.a", value, sizeof(value), 0) ? errno : 0;
	CHECK(err == ENOSPC || err == E2BIG);
	SAME(getxattr("f", "user.a", got, sizeof(got)), 3000);
	return 0;
}

static int unlinked(void)
{
	char got[16];
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	CHECK(fd >= 0 && fsetxattr(fd, "user.before", "x", 1, 0) == 0);
	CHECK(unlink("f") == 0);
	CHECK(fsetxattr(fd, "user.a", "hello", 5, 0) == 0);
	SAME(fgetxattr(fd, "user.a", got, sizeof(got)), 5);
	SAME(flistxattr(fd, NULL, 0), 12 + 7);
	CHECK(fremovexattr(fd, "user.before") == 0);
	FAILS(ENODATA, fgetxattr(fd, "user.before", got, sizeof(got)));
	return 0;
}

static int as_other_user(void)
{
	CHECK(set("mine", "user.a", "x", 0) == 0);
	FAILS(EACCES, set("root's", "user.a", "x", 0));
	FAILS(EPERM, set("mine", "trusted.a", "x", 0));
	CHECK(is("root's", "user.b", "y"));
	FAILS(EACCES, getxattr("secret", "user.b", NULL, 0));
	return 0;
}

static int permissions(void)
{
	TRY(make("mine", "", 0600));
	CHECK(chown("mine", USER, USER) == 0);
	TRY(make("root's", "", 0644));
	TRY(make("secret", "", 0600));
	CHECK(set("root's", "user.b", "y", 0) == 0);
	CHECK(set("secret", "user.b", "y", 0) == 0);
	CHECK(symlink("mine", "link") == 0);
	FAILS(EPERM, set("link", "user.a", "x", 0));
	CHECK(set("link", "trusted.a", "x", 0) == 0);
	CHECK(is("link", "trusted.a", "x"));
	CHECK(is("mine", "trusted.a", NULL));
	return as_user(USER, as_other_user);
}

static int capability_goes(int by_truncate)
{
	/* cap_net_raw+ep */
	struct vfs_cap_data cap = { .magic_etc = htole32(VFS_CAP_REVISION_2 |
							 VFS_CAP_FLAGS_EFFECTIVE) };
	char got[64];

	cap.data[0].permitted = htole32(1u << CAP_NET_RAW);
	TRY(make("f", "program", 0755));
	CHECK(setxattr("f", "security.capability", &cap, XATTR_CAPS_SZ_2, 0) == 0);
	SAME(getxattr("f", "security.capability", got, sizeof(got)), XATTR_CAPS_SZ_2);
	if (by_truncate)
		CHECK(truncate("f", 1) == 0);
	else
		TRY(make("f", "other", 0755));
	FAILS(ENODATA, getxattr("f", "security.capability", got, sizeof(got)));
	SAME(host("fs xattr f security.capability"), 0);
	return 0;
}

static int capability_write(void)
{
	return capability_goes(0);
}

static int capability_truncate(void)
{
	return capability_goes(1);
}

const struct fs_case xattr_cases[] = {
	{ "an xattr's life, on a file", of_file, ON_FAITHFUL },
	{ "an xattr's life, on a folder", of_folder, ON_FAITHFUL },
	{ "xattr: XATTR_CREATE and XATTR_REPLACE", flags, 0 },
	{ "xattr: an empty value", empty, 0 },
	{ "xattr: a list of 20", list, 0 },
	{ "xattr: large and too large", sizes, 0 },
	{ "xattr: of an unlinked open file", unlinked, 0 },
	{ "xattr: permissions, and symbolic links", permissions, ON_FAITHFUL },
	{ "security.capability goes when the file is written", capability_write, ON_FAITHFUL },
	{ "security.capability goes when the file is truncated", capability_truncate, ON_FAITHFUL },
	{ 0 },
};

/* ---- POSIX ACLs: on a share these need access=client,posixacl ---- */

struct acl {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} entry[5];
};

/* As acl(5) has it: the owner may what "mode" says, USER what is given, the group and others nothing. */
static int set_acl(const char *path, const char *name, uint16_t owner, uint16_t user, uint16_t others)
{
	const struct acl acl = {
		.version = 2,
		.entry = {
			{ 0x01, owner, UINT32_MAX }, { 0x02, user, USER },
			{ 0x04, 0, UINT32_MAX },     { 0x10, 7, UINT32_MAX },
			{ 0x20, others, UINT32_MAX },
		},
	};

	return setxattr(path, name, &acl, sizeof(acl), 0);
}

#define ACCESS	"system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

static int read_f(void)
{
	CHECK(has("f", "secret"));
	FAILS(EACCES, open("f", O_WRONLY));
	return 0;
}

static int may_not_read_f(void)
{
	FAILS(EACCES, open("f", O_RDONLY));
	return 0;
}

static int acl_grants(void)
{
	char got[128];

	TRY(make("f", "secret", 0600));
	TRY(as_user(USER, may_not_read_f));
	CHECK(set_acl("f", ACCESS, 6, 4, 0) == 0);
	TRY(as_user(USER, read_f));
	TRY(as_user(OTHER, may_not_read_f));
	SAME(getxattr("f", ACCESS, got, sizeof(got)), sizeof(struct acl));
	/* The group's bits are the mask now. */
	SAME(mode_of("f"), S_IFREG | 0670);
	SAME(faithful_host("! fs xattr f " ACCESS), 0);
	CHECK(removexattr("f", ACCESS) == 0);
	TRY(as_user(USER, may_not_read_f));
	SAME(faithful_host("fs xattr f " ACCESS), 0);
	return 0;
}

static int acl_denies(void)
{
	TRY(make("f", "secret", 0644));
	CHECK(set_acl("f", ACCESS, 6, 0, 4) == 0);
	TRY(as_user(USER, may_not_read_f));
	TRY(as_user(OTHER, read_f));
	return 0;
}

static int acl_mask(void)
{
	TRY(make("f", "secret", 0600));
	CHECK(set_acl("f", ACCESS, 6, 4, 0) == 0);
	CHECK(chmod("f", 0600) == 0);
	TRY(as_user(USER, may_not_read_f));
	CHECK(chmod("f", 0640) == 0);
	TRY(as_user(USER, read_f));
	return 0;
}

static int acl_inherited(void)
{
	CHECK(mkdir("d", 0755) == 0);
	CHECK(set_acl("d", DEFAULT, 7, 5, 0) == 0);
	CHECK(mkdir("d/sub", 0777) == 0);
	CHECK(getxattr("d/sub", DEFAULT, NULL, 0) == sizeof(struct acl));
	TRY(make("d/sub/f", "", 0));
	/* make() has set the bits anew; a file's own are by the folder's ACL. */
	CHECK(unlink("d/sub/f") == 0);
	umask(077);
	CHECK(close(open("d/sub/f", O_WRONLY | O_CREAT, 0666)) == 0);
	SAME(mode_of("d/sub/f"), S_IFREG | 0660);
	CHECK(getxattr("d/sub/f", ACCESS, NULL, 0) == sizeof(struct acl));
	SAME(faithful_host("! fs xattr d/sub/f " ACCESS), 0);
	return 0;
}

static int acl_as_user(void)
{
	CHECK(set_acl("mine", ACCESS, 6, 4, 0) == 0);
	FAILS(EPERM, set_acl("root's", ACCESS, 6, 4, 0));
	return 0;
}

static int acl_permissions(void)
{
	TRY(make("mine", "", 0600));
	CHECK(chown("mine", USER, USER) == 0);
	TRY(make("root's", "", 0666));
	return as_user(USER, acl_as_user);
}

const struct fs_case acl_cases[] = {
	{ "an ACL lets a user read", acl_grants, 0 },
	{ "an ACL keeps a user from reading", acl_denies, 0 },
	{ "an ACL's mask is the group's bits", acl_mask, 0 },
	{ "a folder's default ACL is inherited", acl_inherited, 0 },
	{ "an ACL is set by the owner only", acl_permissions, 0 },
	{ 0 },
};
