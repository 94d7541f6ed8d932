// SPDX-License-Identifier: MIT
#include "vmm/doctor/facts.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/dqblk_xfs.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define MAX_LINKS 40 /* of one walk, as the kernel's own */

int acl_parse(struct acl *acl, const void *value, size_t size)
{
	const struct posix_acl_xattr_header *head = value;
	const struct posix_acl_xattr_entry *from = (const void *)(head + 1);
	size_t n;

	memset(acl, 0, sizeof(*acl));
	if (size < sizeof(*head) || (size - sizeof(*head)) % sizeof(*from) ||
	    le32toh(head->a_version) != POSIX_ACL_XATTR_VERSION)
		return -EINVAL;
	n = (size - sizeof(*head)) / sizeof(*from);
	acl->entry = calloc(n + 1, sizeof(*acl->entry));
	if (!acl->entry)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		acl->entry[i] = (struct acl_entry){
			.tag = le16toh(from[i].e_tag),
			.perm = le16toh(from[i].e_perm),
			.id = le32toh(from[i].e_id),
		};
	acl->n = n;
	return 0;
}

void facts_source_open(struct facts_source *source)
{
	source->mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	people_open(&source->people, "/");
}

void facts_source_close(struct facts_source *source)
{
	if (source->mountinfo >= 0)
		close(source->mountinfo);
	people_close(&source->people);
}

/* ---- one place ---- */

/* Attributes take a path; procfs's link leads to the file that an O_PATH descriptor is of. */
static ssize_t get_xattr(int fd, const char *name, void *value, size_t size)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return getxattr(path, name, value, size);
}

/* malloc'd, with a NUL after its end; NULL and errno. */
static char *read_xattr(int fd, const char *name, size_t *size)
{
	/* Most have none, or a short one; and the kernel clears as much memory as it is given. */
	size_t room = 256;
	char *value;
	ssize_t n;

	for (;;) {
		value = calloc(1, room + 1);
		if (!value)
			return NULL;
		n = get_xattr(fd, name, value, room);
		if (n >= 0)
			break;
		free(value);
		if (errno != ERANGE || room == XATTR_SIZE_MAX)
			return NULL;
		room = XATTR_SIZE_MAX;
	}
	*size = (size_t)n;
	return value;
}

static enum place_has has_user_xattrs(int fd)
{
	if (get_xattr(fd, "user.virtfs.uid", NULL, 0) >= 0 || errno == ENODATA)
		return PLACE_YES;
	return errno == EOPNOTSUPP ? PLACE_NO : PLACE_UNKNOWN;
}

static int read_acl(struct place *place, int fd)
{
	size_t size;
	char *value = read_xattr(fd, "system.posix_acl_access", &size);
	int err;

	if (!value) {
		place->acls = errno == ENODATA	   ? PLACE_YES
			      : errno == EOPNOTSUPP ? PLACE_NO
						    : PLACE_UNKNOWN;
		return errno == ENOMEM ? -ENOMEM : 0;
	}
	place->acls = PLACE_YES;
	err = acl_parse(&place->acl, value, size);
	free(value);
	return err == -ENOMEM ? err : 0;
}

/* All but the path. */
static int read_place(struct place *place, const struct facts_source *source, int fd)
{
	struct statx stx;
	size_t size;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &stx))
		return -errno;
	place->mode = stx.stx_mode;
	place->uid = stx.stx_uid;
	place->gid = stx.stx_gid;
	people_user_name(&source->people, place->uid, place->owner, sizeof(place->owner));
	people_group_name(&source->people, place->gid, place->group, sizeof(place->group));
	place->immutable = stx.stx_attributes & STATX_ATTR_IMMUTABLE;
	place->append_only = stx.stx_attributes & STATX_ATTR_APPEND;
	if (stx.stx_mask & STATX_MNT_ID)
		place->mount = stx.stx_mnt_id;
	place->user_xattrs = has_user_xattrs(fd);
	place->label = read_xattr(fd, "security.selinux", &size);
	return read_acl(place, fd);
}

static void free_place(struct place *place)
{
	free(place->path);
	free(place->acl.entry);
	free(place->label);
}

/* ---- the file system of the last place ---- */

static void read_room(struct facts *facts, int fd)
{
	struct statvfs v;

	memset(&facts->room, 0, sizeof(facts->room));
	if (fstatvfs(fd, &v))
		return;
	facts->room = (struct room){
		.size = v.f_blocks * v.f_frsize,
		.free = v.f_bavail * v.f_frsize,
		.free_root = v.f_bfree * v.f_frsize,
		.files = v.f_files,
		.files_free = v.f_ffree,
	};
}

/* quotactl_fd(2), Linux 5.14, of users' quotas. (QCMD() shifts a bit into an int's sign.) */
static int quota_call(int fd, uint32_t command, uint32_t uid, void *arg)
{
	return (int)syscall(SYS_quotactl_fd, fd, command << SUBCMDSHIFT | USRQUOTA, uid, arg);
}

static void read_quota(struct facts *facts, int fd, uint32_t uid)
{
	struct quota *quota = &facts->quota;
	struct fs_quota_stat state = { 0 };
	struct dqblk dq = { 0 };
	uint64_t now = (uint64_t)time(NULL);

	memset(quota, 0, sizeof(*quota));
	/*
	 * Limits may be there, and not be enforced. Of another user, they take privilege to know.
	 */
	if (quota_call(fd, Q_XGETQSTAT, 0, &state) || !(state.qs_flags & FS_QUOTA_UDQ_ENFD) ||
	    quota_call(fd, Q_GETQUOTA, uid, &dq))
		return;
	*quota = (struct quota){
		.known = true,
		.space = dq.dqb_curspace,
		.space_soft = dbtob(dq.dqb_bsoftlimit),
		.space_hard = dbtob(dq.dqb_bhardlimit),
		.files = dq.dqb_curinodes,
		.files_soft = dq.dqb_isoftlimit,
		.files_hard = dq.dqb_ihardlimit,
		.space_late = dq.dqb_btime && dq.dqb_btime <= now,
		.files_late = dq.dqb_itime && dq.dqb_itime <= now,
	};
}

/* ---- the walk ---- */

struct walk {
	struct facts *facts;
	const struct facts_source *source;
	int fd;	    /* O_PATH, of the place that it is at; the walk's own */
	char *path; /* that place's */
	char *rest; /* what is still to be walked */
	bool follow;
	int links;
};

static int add_place(struct walk *walk)
{
	struct facts *facts = walk->facts;
	struct place *grown = realloc(facts->place, (facts->n + 1) * sizeof(*grown));
	struct place *place;

	if (!grown)
		return -ENOMEM;
	facts->place = grown;
	place = &grown[facts->n++];
	memset(place, 0, sizeof(*place));
	place->path = strdup(walk->path);
	if (!place->path)
		return -ENOMEM;
	return read_place(place, walk->source, walk->fd);
}

/* Takes the descriptor of the place that the walk goes on from. */
static void step(struct walk *walk, int fd)
{
	if (walk->fd >= 0)
		close(walk->fd);
	walk->fd = fd;
}

static int set_path(char **to, char *path)
{
	if (!path)
		return -ENOMEM;
	free(*to);
	*to = path;
	return 0;
}

/* DIR/NAME, or for ".." what is above DIR; malloc'd. */
static char *path_of(const char *dir, const char *name)
{
	const char *slash = strrchr(dir, '/');
	char *path;

	if (!strcmp(name, ".."))
		return slash && slash > dir ? strndup(dir, (size_t)(slash - dir)) : strdup("/");
	if (asprintf(&path, "%s/%s", slash && !slash[1] ? "" : dir, name) < 0)
		return NULL;
	return path;
}

/* The walk goes no further than it is. */
static int end_walk(struct walk *walk, const char *name, int err)
{
	struct facts *facts = walk->facts;
	const char *rest = walk->rest;
	bool last = !rest[strspn(rest, "/")];

	facts->err = err;
	facts->missing = path_of(walk->path, name);
	if (!facts->missing)
		return -ENOMEM;
	if (asprintf(&facts->wanted, "%s%s", facts->missing, last ? "" : rest) >= 0)
		return 0;
	facts->wanted = NULL;
	return -ENOMEM;
}

/* To the root of all paths. */
static int to_root(struct walk *walk)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	step(walk, fd);
	err = set_path(&walk->path, strdup("/"));
	return err ? err : add_place(walk);
}

/* A symlink that fd refers to takes the place of its own name. */
static int follow_link(struct walk *walk, const char *name, int fd)
{
	char target[PATH_MAX], *rest;
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

	if (n < 0 || walk->links++ == MAX_LINKS)
		return end_walk(walk, name, n < 0 ? -errno : -ELOOP);
	target[n] = '\0';
	if (asprintf(&rest, "%s/%s", target, walk->rest) < 0)
		return -ENOMEM;
	free(walk->rest);
	walk->rest = rest;
	return *target == '/' ? to_root(walk) : 0;
}

/* Cuts the next name off walk->rest; NULL: there is none. */
static char *next_name(struct walk *walk, int *err)
{
	const char *at = walk->rest + strspn(walk->rest, "/");
	size_t len = strcspn(at, "/");
	char *name = len ? strndup(at, len) : NULL, *rest;

	*err = 0;
	if (!len)
		return NULL;
	rest = strdup(at + len);
	if (!name || !rest) {
		free(name);
		free(rest);
		*err = -ENOMEM;
		return NULL;
	}
	free(walk->rest);
	walk->rest = rest;
	return name;
}

static int walk_name(struct walk *walk, const char *name)
{
	struct stat st;
	int fd, err;

	/* No way out of a share. */
	if (!walk->follow && !strcmp(name, ".."))
		return end_walk(walk, name, -EXDEV);
	fd = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		err = end_walk(walk, name, -errno);
		if (fd >= 0)
			close(fd);
		return err;
	}
	if (S_ISLNK(st.st_mode) && walk->follow) {
		err = follow_link(walk, name, fd);
		close(fd);
		return err;
	}
	step(walk, fd);
	err = set_path(&walk->path, path_of(walk->path, name));
	return err ? err : add_place(walk);
}

static int walk_on(struct walk *walk, uint32_t uid)
{
	int err = 0;

	while (!err && !walk->facts->err) {
		char *name = next_name(walk, &err);

		if (!name)
			break;
		if (strcmp(name, ".") != 0)
			err = walk_name(walk, name);
		free(name);
	}
	if (!err) {
		read_room(walk->facts, walk->fd);
		read_quota(walk->facts, walk->fd, uid);
	}
	if (walk->fd >= 0)
		close(walk->fd);
	free(walk->path);
	free(walk->rest);
	return err;
}

/* The mounts as they are now. */
static int read_mounts(struct facts *facts, const struct facts_source *source)
{
	char *text = NULL;
	size_t size = 0;
	ssize_t n = 1;
	int err = 0;

	while (n > 0) {
		char *grown = realloc(text, size + 65536 + 1);

		if (!grown) {
			free(text);
			return -ENOMEM;
		}
		text = grown;
		n = pread(source->mountinfo, text + size, 65536, (off_t)size);
		size += n > 0 ? (size_t)n : 0;
	}
	text[size] = '\0';
	err = mounts_parse(&facts->mount, &facts->nmounts, text);
	free(text);
	return err;
}

int facts_gather(struct facts *facts, const struct facts_source *source, const char *path,
		 uint32_t uid)
{
	struct walk walk = { .facts = facts, .source = source, .fd = -1, .follow = true };
	char *cwd = *path == '/' ? strdup("") : getcwd(NULL, 0);
	int err = read_mounts(facts, source);

	/* A working directory that is gone has no path: then the path is tried as one below /. */
	if (!err && asprintf(&walk.rest, "%s/%s", cwd ? cwd : "", path) < 0) {
		walk.rest = NULL;
		err = -ENOMEM;
	}
	free(cwd);
	if (!err)
		err = to_root(&walk);
	if (err) {
		free(walk.rest);
		free(walk.path);
		if (walk.fd >= 0)
			close(walk.fd);
		return err;
	}
	return walk_on(&walk, uid);
}

int facts_below(struct facts *facts, const struct facts_source *source, int fd, const char *path,
		uint32_t uid)
{
	struct walk walk = { .facts = facts, .source = source };
	struct place *root = &facts->place[facts->n - 1];
	struct place again = { .path = root->path };
	int bad = read_place(&again, source, fd), err;

	root->path = NULL;
	free_place(root);
	*root = again;
	mounts_free(facts->mount, facts->nmounts);
	facts->mount = NULL;
	facts->nmounts = 0;
	err = read_mounts(facts, source) ?: bad;
	if (err)
		return err;
	walk.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	walk.path = strdup(root->path);
	walk.rest = strdup(path);
	if (walk.fd < 0 || !walk.path || !walk.rest) {
		if (walk.fd >= 0)
			close(walk.fd);
		free(walk.path);
		free(walk.rest);
		return -ENOMEM;
	}
	return walk_on(&walk, uid);
}

void facts_cut(struct facts *facts, size_t n)
{
	while (facts->n > n)
		free_place(&facts->place[--facts->n]);
	free(facts->missing);
	free(facts->wanted);
	facts->missing = NULL;
	facts->wanted = NULL;
	facts->err = 0;
}

bool facts_is_next(const struct facts *facts)
{
	return facts->err == -ENOENT && !strcmp(facts->missing, facts->wanted);
}

void facts_free(struct facts *facts)
{
	facts_cut(facts, 0);
	free(facts->place);
	mounts_free(facts->mount, facts->nmounts);
}

const struct mount_fact *facts_mount(const struct facts *facts, const struct place *place)
{
	for (size_t i = 0; place->mount && i < facts->nmounts; i++)
		if (facts->mount[i].id == place->mount)
			return &facts->mount[i];
	return NULL;
}
