// SPDX-License-Identifier: MIT
#include "vmm/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the guest's init mounts something on. What is below is in memory. */
static const char *const usual[] = { "/dev", "/proc", "/sys", "/run", "/tmp" };

#define USUAL (sizeof(usual) / sizeof(usual[0]))

bool root_is_machine(const char *root)
{
	struct stat a, b;

	return !stat(root, &a) && !stat("/", &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool root_has(const char *root, const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	long fd = dir < 0 ? -1 : syscall(SYS_openat2, dir, path, &how, sizeof(how));
	bool has = fd >= 0 || (errno != ENOENT && errno != ENOTDIR);

	if (fd >= 0)
		close((int)fd);
	if (dir >= 0)
		close(dir);
	return has;
}

static bool is_below_usual(const char *path)
{
	for (size_t i = 0; i < USUAL; i++) {
		size_t len = strlen(usual[i]);

		if (!strncmp(path, usual[i], len) && path[len] == '/')
			return true;
	}
	return false;
}

void root_note_made(struct notes *notes, const char *root, const struct guest_mount *mount, size_t n)
{
	char *text = NULL;
	size_t len;
	FILE *list = open_memstream(&text, &len);

	if (!list)
		return;
	for (size_t i = 0; i < USUAL + n; i++) {
		const char *path = i < USUAL ? usual[i] : mount[i - USUAL].path;

		if (!root_has(root, path) && !is_below_usual(path))
			fprintf(list, "%s%s", ftell(list) ? ", " : "", path);
	}
	if (!fclose(list) && len)
		notes_add(notes, "%s has no %s to mount on: the guest makes it there", root, text);
	free(text);
}
