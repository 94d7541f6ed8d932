// SPDX-License-Identifier: MIT
#include "vmm/doctor/apparmor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLASS_FILE '\002'

static int ask_kernel(const struct apparmor *apparmor, const char *question, size_t len,
		      char *answer, size_t size)
{
	int fd = openat(apparmor->dir, ".access", O_RDWR | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0)
		return -errno;
	if (write(fd, question, len) == (ssize_t)len)
		n = read(fd, answer, size - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	answer[n] = '\0';
	return 0;
}

/* "PROFILE (enforce)"; another mode refuses nothing, and without a profile it says "unconfined". */
static char *read_label(const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL, *mode;
	size_t cap = 0;

	if (!f)
		return NULL;
	if (getline(&line, &cap, f) < 0 || !(mode = strstr(line, " (enforce)"))) {
		free(line);
		line = NULL;
	} else {
		*mode = '\0';
	}
	fclose(f);
	return line;
}

void apparmor_open(struct apparmor *apparmor, const char *root, const char *current)
{
	*apparmor = (struct apparmor){
		.dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC),
		.label = read_label(current),
		.ask = ask_kernel,
	};
}

void apparmor_close(struct apparmor *apparmor)
{
	if (apparmor->dir >= 0)
		close(apparmor->dir);
	free(apparmor->label);
	*apparmor = (struct apparmor){ .dir = -1 };
}

uint32_t apparmor_refuses(const struct apparmor *apparmor, const char *path, uint32_t perms)
{
	char *question, answer[128];
	unsigned int allowed = 0;
	int len, err;

	if (apparmor->dir < 0 || !apparmor->label)
		return 0;
	len = asprintf(&question, "label%c%s%c%c%s", 0, apparmor->label, 0, CLASS_FILE, path);
	if (len < 0)
		return 0;
	err = apparmor->ask(apparmor, question, (size_t)len, answer, sizeof(answer));
	free(question);
	if (err || sscanf(answer, "allow %x", &allowed) != 1)
		return 0;
	return perms & ~allowed;
}
