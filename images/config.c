// SPDX-License-Identifier: MIT

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/init.h"

struct config config;

/* Adds to a list of at most max words. */
static int add(char **list, size_t *n, size_t max, char *value, const char *what)
{
	if (*n == max)
		return fail("the guest's init takes at most %zu of %s", max, what);
	list[(*n)++] = value;
	return 0;
}

static int mount_record(const char *key, char *value)
{
	struct mount_order *mount;

	if (!strcmp(key, "source")) {
		if (config.nmounts == GUEST_MAX_MOUNTS)
			return fail("the guest's init takes at most %d mounts", GUEST_MAX_MOUNTS);
		config.mount[config.nmounts++].source = value;
		return 0;
	}
	if (!config.nmounts)
		return fail("orders for the guest's init: mount.%s before mount.source", key);
	mount = &config.mount[config.nmounts - 1];
	if (!strcmp(key, "type"))
		mount->type = value;
	else if (!strcmp(key, "path"))
		mount->path = value;
	else if (!strcmp(key, "options"))
		mount->options = value;
	else
		return fail("orders for the guest's init: unknown mount.%s", key);
	return 0;
}

static int root_record(const char *key, char *value)
{
	if (!strcmp(key, "source"))
		config.root.source = value;
	else if (!strcmp(key, "type"))
		config.root.type = value;
	else if (!strcmp(key, "options"))
		config.root.options = value;
	else if (!strcmp(key, "overlay"))
		config.overlay = true;
	else if (!strcmp(key, "layer"))
		config.layer = value;
	else
		return fail("orders for the guest's init: unknown root.%s", key);
	return 0;
}

/* UID:GID[:GROUP…] */
static int user_record(const char *value)
{
	unsigned long id[GUEST_MAX_GROUPS + 2];
	const char *at = value;
	char *end;
	size_t n = 0;

	do {
		if (n == GUEST_MAX_GROUPS + 2)
			return fail("the guest's init takes at most %d groups", GUEST_MAX_GROUPS);
		id[n++] = strtoul(at, &end, 10);
		if (end == at || (*end && *end != ':'))
			return fail("orders for the guest's init: user=%s is no user", value);
		at = end + 1;
	} while (*end);
	if (n < 2)
		return fail("orders for the guest's init: user=%s has no group", value);
	config.user = true;
	config.uid = (uid_t)id[0];
	config.gid = (gid_t)id[1];
	for (size_t i = 2; i < n; i++)
		config.group[config.ngroups++] = (gid_t)id[i];
	return 0;
}

static int record(char *key, char *value)
{
	if (!strncmp(key, "mount.", 6))
		return mount_record(key + 6, value);
	if (!strncmp(key, "root.", 5))
		return root_record(key + 5, value);
	if (!strcmp(key, "module"))
		return add(config.module, &config.nmodules, GUEST_MAX_MODULES, value, "modules");
	if (!strcmp(key, "env"))
		return add(config.env, &config.nenv, GUEST_MAX_WORDS, value,
			   "environment variables");
	if (!strcmp(key, "arg"))
		return add(config.arg, &config.nargs, GUEST_MAX_WORDS, value, "words in a command");
	if (!strcmp(key, "user"))
		return user_record(value);
	if (!strcmp(key, "busybox")) {
		config.busybox = true;
	} else if (!strcmp(key, "hostname")) {
		config.hostname = value;
	} else if (!strcmp(key, "cwd")) {
		config.cwd = value;
	} else if (!strcmp(key, "home")) {
		config.home = value;
	} else if (!strcmp(key, "tty")) {
		config.tty = true;
		if (sscanf(value, "%ux%u", &config.rows, &config.columns) != 2)
			return fail("orders for the guest's init: tty=%s is no size", value);
	} else {
		return fail("orders for the guest's init: unknown %s", key);
	}
	return 0;
}

/* The whole file, with a NUL after it; it stays in memory, since the records point into it. */
static char *slurp(const char *path, size_t *size)
{
	struct stat st;
	char *text = NULL;
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		goto out;
	text = malloc((size_t)st.st_size + 1);
	while (text && len < (size_t)st.st_size) {
		ssize_t n = read(fd, text + len, (size_t)st.st_size - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (text)
		text[len] = '\0';
out:
	if (fd >= 0)
		close(fd);
	*size = len;
	return text;
}

int config_read(void)
{
	static char *text; /* what config points into, to the end */
	size_t size;

	text = slurp("/" GUEST_CONFIG_PATH, &size);
	if (!text)
		return fail("the initramfs has no readable /" GUEST_CONFIG_PATH ": %s",
			    strerror(errno));
	for (char *key = text, *next; key < text + size; key = next) {
		char *value = strchr(key, '=');

		next = key + strlen(key) + 1;
		if (!value)
			return fail("orders for the guest's init: '%s' has no value", key);
		*value = '\0';
		if (record(key, value + 1))
			return -1;
	}
	if (!config.nargs)
		return fail("orders for the guest's init name no command");
	return 0;
}
