// SPDX-License-Identifier: MIT
/*
 * Who owns what, for tests of the ownership models. One static program, for both sides:
 *
 *   owner socket PATH             binds a socket there
 *   owner link FROM TO            link(2), which does not follow
 *   owner xattr PATH NAME VALUE   sets an attribute
 *   owner acl PATH KIND ACL       KIND: access or default; ACL: u::rw-,u:1000:r--,g::---,m::r--,o::---
 *   owner dump [-m] [-s N] DIR    says all of what is below DIR, but times and inode numbers, one line
 *                                 each, in the order of names:
 *                                   NAME TYPE MODE UID:GID RDEV LINKS SIZE CONTENT ATTRIBUTE=VALUE…
 *                                 -m: as whoever is given the files of a mapped-xattr share has to
 *                                 understand them. -s N: every id of N and more less N
 *   owner raw DIR                 the same, of a file's own attributes all, in hex
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#define VIRTFS	    "user.virtfs."
#define ACL_MAX	    32
#define ACL_VERSION 2

/* As in the attribute: little-endian. */
struct acl {
	uint32_t version;
	struct acl_entry {
		uint16_t tag, perm;
		uint32_t id;
	} entry[ACL_MAX];
};

static bool raw, mapped;
static uint32_t shift;

static int failed(const char *what)
{
	fprintf(stderr, "owner: %s: %s\n", what, strerror(errno));
	return 1;
}

static uint32_t shifted(uint32_t id)
{
	return id >= shift ? id - shift : id;
}

/* ---- ACLs ---- */

static const struct {
	char letter;
	uint16_t tag, tag_with_id;
} acl_kinds[] = {{'u', 0x01, 0x02}, {'g', 0x04, 0x08}, {'m', 0x10, 0}, {'o', 0x20, 0}};

static int acl_entry(struct acl_entry *entry, const char *word)
{
	const char *id = strchr(word, ':'), *perm = id ? strchr(id + 1, ':') : NULL;

	for (size_t i = 0; perm && i < sizeof(acl_kinds) / sizeof(acl_kinds[0]); i++) {
		if (acl_kinds[i].letter != *word)
			continue;
		entry->tag = htole16(perm == id + 1 ? acl_kinds[i].tag : acl_kinds[i].tag_with_id);
		entry->id = htole32(perm == id + 1 ? UINT32_MAX : (uint32_t)strtoul(id + 1, NULL, 10));
		for (; *perm; perm++)
			entry->perm |= *perm == 'r' ? 4 : *perm == 'w' ? 2 : *perm == 'x' ? 1 : 0;
		entry->perm = htole16(entry->perm);
		return 0;
	}
	errno = EINVAL;
	return failed(word);
}

static int set_acl(const char *path, const char *kind, char *text)
{
	struct acl acl = {.version = htole32(ACL_VERSION)};
	char name[64];
	size_t n = 0;

	for (char *word = strtok(text, ","); word && n < ACL_MAX; word = strtok(NULL, ","))
		if (acl_entry(&acl.entry[n++], word))
			return 1;
	snprintf(name, sizeof(name), "system.posix_acl_%s", kind);
	return setxattr(path, name, &acl, 4 + n * sizeof(acl.entry[0]), 0) ? failed(path) : 0;
}

static void print_acl(const struct acl *acl, size_t size)
{
	for (size_t i = 0; 4 + (i + 1) * sizeof(acl->entry[0]) <= size; i++) {
		const struct acl_entry *entry = &acl->entry[i];
		uint16_t tag = le16toh(entry->tag), perm = le16toh(entry->perm);

		for (size_t k = 0; k < sizeof(acl_kinds) / sizeof(acl_kinds[0]); k++) {
			if (tag != acl_kinds[k].tag && tag != acl_kinds[k].tag_with_id)
				continue;
			printf("%s%c:", i ? "," : "", acl_kinds[k].letter);
			if (tag == acl_kinds[k].tag_with_id)
				printf("%u", shifted(le32toh(entry->id)));
			printf(":%c%c%c", perm & 4 ? 'r' : '-', perm & 2 ? 'w' : '-', perm & 1 ? 'x' : '-');
		}
	}
}

/* ---- one file ---- */

/* A number that a mapped share keeps; what it is without. */
static uint64_t kept(const char *path, const char *name, size_t size, uint64_t without)
{
	uint64_t value = 0;
	char full[64];

	snprintf(full, sizeof(full), VIRTFS "%s", name);
	return lgetxattr(path, full, &value, size) == (ssize_t)size ? le64toh(value) : without;
}

static void understand(const char *path, struct stat *st)
{
	uint32_t mode = (uint32_t)kept(path, "mode", 4, st->st_mode);

	st->st_uid = (uid_t)kept(path, "uid", 4, st->st_uid);
	st->st_gid = (gid_t)kept(path, "gid", 4, st->st_gid);
	if (S_ISCHR(mode) || S_ISBLK(mode))
		st->st_rdev = kept(path, "rdev", 8, 0);
	st->st_mode = mode;
}

static int print_content(const char *path, const struct stat *st)
{
	char text[PATH_MAX];
	ssize_t n = 0;
	int fd;

	if (S_ISLNK(st->st_mode) && !mapped) {
		n = readlink(path, text, sizeof(text));
	} else if (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode)) {
		fd = open(path, O_RDONLY | O_NOFOLLOW);
		n = fd < 0 ? -1 : read(fd, text, sizeof(text));
		close(fd);
	}
	if (n < 0)
		return failed(path);
	putchar('"');
	for (ssize_t i = 0; i < n; i++)
		printf(text[i] < 32 || text[i] > 126 ? "\\%03o" : "%c", (unsigned char)text[i]);
	putchar('"');
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int print_attribute(const char *path, const char *name)
{
	union {
		struct acl acl;
		uint8_t byte[65536];
	} value;
	const char *shown = name;
	ssize_t n = lgetxattr(path, name, &value, sizeof(value));

	if (n < 0)
		return failed(name);
	if (mapped && !strncmp(name, VIRTFS, strlen(VIRTFS))) {
		if (strncmp(name, VIRTFS "system.", strlen(VIRTFS "system.")) != 0)
			return 0;
		shown += strlen(VIRTFS);
	}
	printf(" %s=", shown);
	if (!raw && !strncmp(shown, "system.posix_acl_", 17)) {
		print_acl(&value.acl, (size_t)n);
		return 0;
	}
	for (ssize_t i = 0; i < n; i++)
		printf("%02x", value.byte[i]);
	return 0;
}

static int print_attributes(const char *path)
{
	char list[65536], *name[256] = {NULL};
	ssize_t len = llistxattr(path, list, sizeof(list));
	size_t n = 0;
	int ret = len < 0 ? failed(path) : 0;

	for (char *at = list; at < list + len && n < 256; at += strlen(at) + 1)
		name[n++] = at;
	qsort(name, n, sizeof(*name), by_name);
	for (size_t i = 0; i < n && !ret; i++)
		ret = print_attribute(path, name[i]);
	return ret;
}

static char type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return '-';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	}
	return '?';
}

static int print_file(const char *path)
{
	struct stat st;
	int ret;

	if (lstat(path, &st))
		return failed(path);
	if (mapped)
		understand(path, &st);
	printf("%s %c %04o %u:%u %u:%u %lu ", path, type_of(st.st_mode), st.st_mode & 07777,
	       shifted(st.st_uid), shifted(st.st_gid), major(st.st_rdev), minor(st.st_rdev),
	       (unsigned long)st.st_nlink);
	/* A folder's is the file system's own affair. */
	printf("%ld ", S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
	ret = print_content(path, &st);
	if (!ret)
		ret = print_attributes(path);
	putchar('\n');
	return ret;
}

/* ---- all ---- */

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int in_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Of the working directory; what is in a folder comes after it. */
static int dump(const char *dir)
{
	struct dirent **entry;
	int n = scandir(dir, &entry, not_dots, in_bytes), ret = n < 0 ? failed(dir) : 0;

	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];
		struct stat st;

		snprintf(path, sizeof(path), "%s%s%s", strcmp(dir, ".") ? dir : "",
			 strcmp(dir, ".") ? "/" : "", entry[i]->d_name);
		free(entry[i]);
		ret |= print_file(path);
		if (!lstat(path, &st) && S_ISDIR(st.st_mode))
			ret |= dump(path);
	}
	if (n >= 0)
		free(entry);
	return ret;
}

static int bind_socket(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	return fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ? failed(path) : 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	int c;

	if (!strcmp(verb, "socket") && argc == 3)
		return bind_socket(argv[2]);
	if (!strcmp(verb, "link") && argc == 4)
		return link(argv[2], argv[3]) ? failed(argv[3]) : 0;
	if (!strcmp(verb, "xattr") && argc == 5)
		return setxattr(argv[2], argv[3], argv[4], strlen(argv[4]), 0) ? failed(argv[3]) : 0;
	if (!strcmp(verb, "acl") && argc == 5)
		return set_acl(argv[2], argv[3], argv[4]);
	raw = !strcmp(verb, "raw");
	optind = 2;
	while ((c = getopt(argc, argv, "ms:")) != -1) {
		mapped |= c == 'm';
		if (c == 's')
			shift = (uint32_t)strtoul(optarg, NULL, 10);
	}
	if ((raw || !strcmp(verb, "dump")) && argc == optind + 1)
		return chdir(argv[optind]) ? failed(argv[optind]) : dump(".");
	fprintf(stderr, "owner: see the head of tests/guest/owner.c\n");
	return 125;
}
