// SPDX-License-Identifier: MIT
#include "vmm/people.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is no file, such as a FIFO, must not be waited for. NULL and *err. */
static FILE *open_file(int root, const char *path, int *err)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT,
	};
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	FILE *file = NULL;
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st)) {
		errno = EINVAL;
		if (S_ISREG(st.st_mode))
			file = fdopen(fd, "r");
	}
	*err = file ? 0 : errno;
	if (fd >= 0 && !file)
		close(fd);
	return file;
}

void people_open(struct people *people, const char *root)
{
	int dir = root ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	*people = (struct people){ 0 };
	if (root && dir < 0) {
		people->passwd_err = people->group_err = errno;
	} else if (root) {
		people->passwd = open_file(dir, "etc/passwd", &people->passwd_err);
		people->group = open_file(dir, "etc/group", &people->group_err);
		close(dir);
	}
}

void people_close(struct people *people)
{
	if (people->passwd)
		fclose(people->passwd);
	if (people->group)
		fclose(people->group);
	*people = (struct people){ 0 };
}

const struct passwd *people_user(const struct people *people, const char *name, uint32_t uid)
{
	const struct passwd *pw;

	if (!people->passwd)
		return NULL;
	rewind(people->passwd);
	do {
		pw = fgetpwent(people->passwd);
	} while (pw && (name ? strcmp(pw->pw_name, name) != 0 : pw->pw_uid != uid));
	return pw;
}

const struct group *people_group(const struct people *people, const char *name, uint32_t gid)
{
	const struct group *gr;

	if (!people->group)
		return NULL;
	rewind(people->group);
	do {
		gr = fgetgrent(people->group);
	} while (gr && (name ? strcmp(gr->gr_name, name) != 0 : gr->gr_gid != gid));
	return gr;
}

static bool lists(char *const *member, const char *name)
{
	for (; *member; member++)
		if (!strcmp(*member, name))
			return true;
	return false;
}

static int add_group(uint32_t **groups, size_t *n, uint32_t gid)
{
	uint32_t *grown;

	for (size_t i = 0; i < *n; i++)
		if ((*groups)[i] == gid)
			return 0;
	grown = realloc(*groups, (*n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	grown[(*n)++] = gid;
	*groups = grown;
	return 0;
}

int people_groups(const struct people *people, const char *name, uint32_t gid, uint32_t **groups,
		  size_t *n)
{
	const struct group *gr;
	int err;

	*groups = NULL;
	*n = 0;
	err = add_group(groups, n, gid);
	if (!name || !people->group)
		return err;
	rewind(people->group);
	while (!err && (gr = fgetgrent(people->group)))
		if (lists(gr->gr_mem, name))
			err = add_group(groups, n, gr->gr_gid);
	return err;
}

bool people_number(const char *text, uint32_t *id)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	/* The last one means "no change" to chown(2) and its kin. */
	if (!isdigit((unsigned char)*text) || *end || n >= UINT32_MAX)
		return false;
	*id = (uint32_t)n;
	return true;
}
