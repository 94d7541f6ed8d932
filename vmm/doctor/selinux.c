// SPDX-License-Identifier: MIT
#include "vmm/doctor/selinux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What libvirt's default is, with any categories: all of them may write what has none. */
#define QEMU_CONTEXT "system_u:system_r:svirt_t:s0"
/* Of the answer's flags: the subject's domain is permissive. */
#define AVD_PERMISSIVE 1

static const char *const class_names[] = {
	[SELINUX_DIR] = "dir",
	[SELINUX_FILE] = "file",
};

/* A small file's text. 0 or a negative errno. */
static int read_text(int dir, const char *path, char *text, size_t size)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	close(fd);
	if (n <= 0)
		return -EIO;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

static int ask_kernel(const struct selinux *selinux, const char *question, char *answer,
		      size_t size)
{
	int fd = openat(selinux->dir, "access", O_RDWR | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0)
		return -errno;
	if (write(fd, question, strlen(question)) == (ssize_t)strlen(question))
		n = read(fd, answer, size - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	answer[n] = '\0';
	return 0;
}

/* class/NAME/index, and in class/NAME/perms a file for each permission, with its number from 1. */
static void read_class(struct selinux *selinux, enum selinux_class class)
{
	char path[512], text[32];
	const struct dirent *entry;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "class/%s/index", class_names[class]);
	if (read_text(selinux->dir, path, text, sizeof(text)))
		return;
	selinux->class[class].index = (unsigned int)strtoul(text, NULL, 10);
	snprintf(path, sizeof(path), "class/%s/perms", class_names[class]);
	fd = openat(selinux->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (selinux->class[class].nperms < SELINUX_PERMS && (entry = readdir(dir))) {
		size_t n = selinux->class[class].nperms;
		unsigned long number;

		if (entry->d_name[0] == '.' ||
		    read_text(dirfd(dir), entry->d_name, text, sizeof(text)))
			continue;
		number = strtoul(text, NULL, 10);
		if (number < 1 || number > 32)
			continue;
		snprintf(selinux->class[class].perm[n].name,
			 sizeof(selinux->class[class].perm[n].name), "%.31s",
			 entry->d_name);
		selinux->class[class].perm[n].bit = 1u << (number - 1);
		selinux->class[class].nperms++;
	}
	closedir(dir);
}

void selinux_open(struct selinux *selinux, const char *root)
{
	char text[32] = "";

	memset(selinux, 0, sizeof(*selinux));
	selinux->ask = ask_kernel;
	selinux->dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (selinux->dir < 0)
		return;
	/* The folder is also there where SELinux is not in use: then it is empty. */
	if (read_text(selinux->dir, "enforce", text, sizeof(text))) {
		selinux_close(selinux);
		return;
	}
	selinux->enforcing = *text == '1';
	for (int i = 0; i < SELINUX_CLASSES; i++)
		read_class(selinux, (enum selinux_class)i);
}

void selinux_close(struct selinux *selinux)
{
	if (selinux->dir >= 0)
		close(selinux->dir);
	selinux->dir = -1;
}

static uint32_t perm_bit(const struct selinux *selinux, enum selinux_class class, const char *name)
{
	for (size_t i = 0; i < selinux->class[class].nperms; i++)
		if (!strcmp(selinux->class[class].perm[i].name, name))
			return selinux->class[class].perm[i].bit;
	return 0; /* the policy has no such permission, so it refuses none */
}

bool selinux_refuses(const struct selinux *selinux, const char *context, const char *label,
		     enum selinux_class class, const char *perms, char *refused, size_t size)
{
	unsigned int allowed, flags = 0;
	char *question, answer[128], words[256], *rest = words, *word;
	size_t used = 0;
	int err;

	*refused = '\0';
	if (selinux->dir < 0 || !context || !label || !selinux->class[class].index)
		return false;
	if (asprintf(&question, "%s %s %u", context, label, selinux->class[class].index) < 0)
		return false;
	err = selinux->ask(selinux, question, answer, sizeof(answer));
	free(question);
	/* Granted, decided, audited if granted, audited if refused, sequence number, flags. */
	if (err || sscanf(answer, "%x %*x %*x %*x %*u %x", &allowed, &flags) < 1 ||
	    flags & AVD_PERMISSIVE)
		return false;
	snprintf(words, sizeof(words), "%s", perms);
	while ((word = strsep(&rest, " "))) {
		uint32_t bit = perm_bit(selinux, class, word);

		if (bit && !(allowed & bit) && used < size)
			used += (size_t)snprintf(refused + used, size - used, "%s%s",
						 used ? " " : "", word);
	}
	return used > 0;
}

char *selinux_own_context(void)
{
	char text[512];

	/* With another module in charge it is that one's, which has no colons. */
	if (read_text(AT_FDCWD, "/proc/self/attr/current", text, sizeof(text)) ||
	    !strchr(text, ':'))
		return NULL;
	return strdup(text);
}

/* The value of SELINUXTYPE= in the file. */
static bool policy_name(const char *path, char *name, size_t size)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	bool found = false;

	if (!f)
		return false;
	while (getline(&line, &cap, f) > 0)
		if (!strncmp(line, "SELINUXTYPE=", 12)) {
			line[strcspn(line, "\n ")] = '\0';
			snprintf(name, size, "%s", line + 12);
			found = true;
		}
	free(line);
	fclose(f);
	return found;
}

char *selinux_qemu_context(const char *etc)
{
	char path[512], name[64], context[256];

	snprintf(path, sizeof(path), "%s/config", etc);
	if (policy_name(path, name, sizeof(name))) {
		snprintf(path, sizeof(path), "%s/%s/contexts/virtual_domain_context", etc, name);
		if (!read_text(AT_FDCWD, path, context, sizeof(context)) && strchr(context, ':'))
			return strdup(context);
	}
	return strdup(QEMU_CONTEXT);
}
