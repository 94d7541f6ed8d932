// SPDX-License-Identifier: MIT
/* Names and folders: rename, link, long names, and lists that change while they are read. */
#include "tests/guest/fs/fs.h"

#include <dirent.h>

static int rename_into_itself(void)
{
	CHECK(mkdir("d", 0755) == 0 && mkdir("d/sub", 0755) == 0);
	FAILS(EINVAL, rename("d", "d/sub/d"));
	FAILS(EINVAL, rename("d", "d/d"));
	FAILS(ENOTEMPTY, rename("d/sub", "d"));
	return 0;
}

static int rename_over(void)
{
	struct stat st;

	TRY(make("a", "a", 0644));
	TRY(make("b", "b", 0644));
	CHECK(mkdir("d", 0755) == 0 && mkdir("empty", 0755) == 0 && mkdir("full", 0755) == 0);
	TRY(make("d/inside", "", 0644));
	TRY(make("full/inside", "", 0644));
	CHECK(rename("a", "b") == 0 && has("b", "a"));
	SAME(mode_of("a"), -1);
	FAILS(EISDIR, rename("b", "empty"));
	FAILS(ENOTDIR, rename("d", "b"));
	CHECK(rename("d", "full") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
	CHECK(rename("d", "empty") == 0);
	CHECK(mode_of("empty/inside") >= 0);
	FAILS(ENOENT, rename("missing", "b"));
	CHECK(rename("b", "b") == 0 && link("b", "c") == 0 && rename("b", "c") == 0);
	CHECK(stat("b", &st) == 0);
	SAME(st.st_nlink, 2);
	return 0;
}

static int rename_across(void)
{
	CHECK(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0 && mkdir("a/d", 0755) == 0);
	TRY(make("a/d/f", "hello", 0644));
	CHECK(rename("a/d", "b/e") == 0);
	CHECK(has("b/e/f", "hello"));
	CHECK(mode_of("a/d") == -1);
	CHECK(chdir("b/e") == 0 && has("../../b/e/f", "hello"));
	CHECK(rename("../../b", "../../a/b") == 0);
	CHECK(has("f", "hello"));
	return 0;
}

static int links(void)
{
	struct stat st, other;

	TRY(make("f", "hello", 0644));
	CHECK(mkdir("d", 0755) == 0);
	CHECK(link("f", "d/g") == 0);
	CHECK(stat("f", &st) == 0 && stat("d/g", &other) == 0);
	SAME(st.st_nlink, 2);
	SAME(st.st_ino, other.st_ino);
	TRY(make("d/g", "through g", 0644));
	CHECK(has("f", "through g"));
	FAILS(EEXIST, link("f", "d/g"));
	FAILS(EPERM, link("d", "e"));
	CHECK(unlink("f") == 0 && has("d/g", "through g"));
	CHECK(stat("d/g", &st) == 0);
	SAME(st.st_nlink, 1);
	return 0;
}

static int long_names(void)
{
	char name[257] = "";
	DIR *dir;
	struct dirent *entry;
	int seen = 0;

	memset(name, 'n', 255);
	TRY(make(name, "long", 0644));
	CHECK(mkdir("d", 0755) == 0);
	name[0] = 'm';
	CHECK(mkdir(name, 0755) == 0 && rmdir(name) == 0);
	name[0] = 'n';
	CHECK(link(name, "f") == 0 && unlink(name) == 0 && rename("f", name) == 0);
	CHECK(has(name, "long"));
	CHECK((dir = opendir(".")) != NULL);
	while ((entry = readdir(dir)))
		seen += !strcmp(entry->d_name, name);
	SAME(seen, 1);
	name[255] = 'n';
	FAILS(ENAMETOOLONG, open(name, O_WRONLY | O_CREAT, 0644));
	FAILS(ENAMETOOLONG, mkdir(name, 0755));
	FAILS(ENAMETOOLONG, rename("d", name));
	FAILS(ENAMETOOLONG, stat(name, &(struct stat){ 0 }));
	return 0;
}

static int deep(void)
{
	for (int i = 0; i < 60; i++)
		CHECK(mkdir("folder-with-a-longer-name", 0755) == 0 &&
		      chdir("folder-with-a-longer-name") == 0);
	TRY(make("f", "deep", 0644));
	for (int i = 0; i < 60; i++)
		CHECK(chdir("..") == 0);
	CHECK(mode_of("folder-with-a-longer-name/folder-with-a-longer-name") >= 0);
	return 0;
}

/* ---- lists ---- */

#define MANY 3000
/* Those that are made and deleted while the list is read. */
#define SOME 40

/* Counts how often each of f0, f1, … is met. */
static int meet(const struct dirent *entry, unsigned char *met)
{
	unsigned int i;

	if (sscanf(entry->d_name, "f%u", &i) != 1)
		return 0;
	CHECK(i < MANY);
	CHECK(entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN);
	SAME(++met[i], 1);
	return 0;
}

static int list_while_changing(void)
{
	static unsigned char met[MANY], deleted[MANY];
	struct dirent *entry;
	char name[32];
	DIR *dir;

	/* The host is quicker at this. */
	SAME(host("mkdir d && cd d && seq 0 %d | sed s/^/f/ | xargs touch", MANY - 1), 0);
	CHECK((dir = opendir("d")) != NULL && chdir("d") == 0);
	for (int i = 0; (entry = readdir(dir)); i++) {
		TRY(meet(entry, met));
		if (i % (MANY / SOME) || i >= MANY)
			continue;
		snprintf(name, sizeof(name), "new%d", i);
		CHECK(close(open(name, O_WRONLY | O_CREAT | O_EXCL, 0644)) == 0);
		snprintf(name, sizeof(name), "f%d", MANY - 1 - i);
		CHECK(unlink(name) == 0);
		deleted[MANY - 1 - i] = 1;
	}
	for (int i = 0; i < MANY; i++)
		if (!met[i] && !deleted[i])
			return COMPLAIN("f%d was not met", i);
	rewinddir(dir);
	for (int i = -2; i <= MANY; i++) {
		entry = readdir(dir);
		if (!entry) {
			SAME(i, MANY);
			return 0;
		}
	}
	return COMPLAIN("more than %d at the second time", MANY);
}

static int seek(void)
{
	static char name[302][256];
	static long at[302];
	struct dirent *entry;
	DIR *dir;

	SAME(host("mkdir d && cd d && seq 300 | xargs touch"), 0);
	CHECK((dir = opendir("d")) != NULL);
	for (int i = 0; i < 302; i++) {
		at[i] = telldir(dir);
		CHECK((entry = readdir(dir)) != NULL);
		snprintf(name[i], sizeof(name[i]), "%s", entry->d_name);
	}
	CHECK(!readdir(dir));
	for (int i = 301; i >= 0; i -= 7) {
		seekdir(dir, at[i]);
		CHECK((entry = readdir(dir)) != NULL);
		if (strcmp(entry->d_name, name[i]))
			return COMPLAIN("entry %d was %s, is %s", i, name[i], entry->d_name);
	}
	return 0;
}

static int types(void)
{
	struct dirent *entry;
	struct stat st;
	int n = 0;
	DIR *dir;

	TRY(make("file", "", 0644));
	CHECK(mkdir("folder", 0755) == 0 && symlink("file", "link") == 0 && mkfifo("fifo", 0600) == 0);
	CHECK((dir = opendir(".")) != NULL);
	while ((entry = readdir(dir))) {
		CHECK(lstat(entry->d_name, &st) == 0);
		/* In a mapped share a list may leave it open. */
		if (where != ON_MAPPED || entry->d_type != DT_UNKNOWN)
			SAME(entry->d_type, IFTODT(st.st_mode));
		/* What is ".." is seen by its path only. */
		if (strcmp(entry->d_name, "..") != 0)
			SAME(entry->d_ino, st.st_ino);
		n++;
	}
	SAME(n, 6);
	return 0;
}

static int removing_all(void)
{
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	SAME(host("mkdir d && cd d && seq 400 | xargs touch"), 0);
	CHECK((dir = opendir("d")) != NULL);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			CHECK(unlinkat(dirfd(dir), entry->d_name, 0) == 0);
			n++;
		}
	SAME(n, 400);
	CHECK(rmdir("d") == 0);
	return 0;
}

static int remove_kinds(void)
{
	TRY(make("f", "", 0644));
	CHECK(mkdir("d", 0755) == 0);
	FAILS(ENOTDIR, rmdir("f"));
	FAILS(EISDIR, unlink("d"));
	TRY(make("d/f", "", 0644));
	FAILS(ENOTEMPTY, rmdir("d"));
	FAILS(ENOENT, unlink("missing"));
	CHECK(unlink("d/f") == 0 && rmdir("d") == 0);
	FAILS(EEXIST, mkdir("f", 0755));
	FAILS(ENOTDIR, mkdir("f/d", 0755));
	return 0;
}

const struct fs_case name_cases[] = {
	{ "rename into its own sub-folder is EINVAL", rename_into_itself, 0 },
	{ "rename over a file, an empty and a full folder", rename_over, 0 },
	{ "rename across folders, while one stands in it", rename_across, 0 },
	{ "hard links", links, 0 },
	{ "names of 255 and of 256 bytes", long_names, 0 },
	{ "sixty folders deep", deep, 0 },
	{ "a list of 3000, while entries come and go", list_while_changing, 0 },
	{ "telldir and seekdir", seek, 0 },
	{ "a list says each one's type and inode", types, 0 },
	{ "removing each entry while it is listed", removing_all, 0 },
	{ "unlink and rmdir of the wrong kind", remove_kinds, 0 },
	{ 0 },
};
