// SPDX-License-Identifier: MIT
#include "vmm/kernels.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmm/kernel_cache.h"

#define TREE_IMAGE "arch/x86/boot/bzImage"

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/*
 * Takes a candidate: 1 if it can be read, 0 if not. One that is there but may not be read is
 * remembered in the note, with the mend: distributions hide kernels from ordinary users.
 */
static int try_kernel(struct kernel_choice *choice, const char *path)
{
	if (!is_file(path))
		return 0;
	if (access(path, R_OK) == 0) {
		choice->path = strdup(path);
		return choice->path != NULL;
	}
	if (!choice->note.text[0])
		why_fail(&choice->note, 0,
			 "the kernel %s is readable by root only: sudo chmod a+r %s", path, path);
	return 0;
}

static int is_vmlinuz(const struct dirent *entry)
{
	return !strncmp(entry->d_name, "vmlinuz-", 8);
}

/* The newest by version among DIR/vmlinuz-*. */
static int try_newest(struct kernel_choice *choice, const char *dir)
{
	struct dirent **list;
	int n = scandir(dir, &list, is_vmlinuz, versionsort), found = 0;

	for (int i = n - 1; i >= 0; i--) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
		if (!found)
			found = try_kernel(choice, path);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return found;
}

/* What `make run` fetched: the folder "kernel" beside the program. */
static int try_cache(struct kernel_choice *choice)
{
	char exe[3072], path[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (n <= 0)
		return 0;
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	if (!slash)
		return 0;
	*slash = '\0';
	/* The unpacked kernel boots faster. */
	snprintf(path, sizeof(path), "%s/kernel/vmlinux", exe);
	if (try_kernel(choice, path))
		return 1;
	snprintf(path, sizeof(path), "%s/kernel/boot", exe);
	return try_newest(choice, path);
}

static int look_around(struct kernel_choice *choice, struct why *why)
{
	struct utsname uts;
	char path[4096];

	if (try_kernel(choice, TREE_IMAGE))
		return 0;
	if (uname(&uts) == 0) {
		snprintf(path, sizeof(path), "/usr/lib/modules/%s/vmlinuz", uts.release);
		if (try_kernel(choice, path))
			return 0;
		snprintf(path, sizeof(path), "/boot/vmlinuz-%s", uts.release);
		if (try_kernel(choice, path))
			return 0;
	}
	if (try_newest(choice, "/boot") || try_cache(choice))
		return 0;
	if (choice->note.text[0])
		return why_fail(why, -EACCES, "%s", choice->note.text);
	return why_fail(why, -ENOENT,
			"no kernel found (not in " TREE_IMAGE
			", /usr/lib/modules, /boot or beside the program): name one with --kernel, or "
			"let `make run` fetch one");
}

static int take_asked(struct kernel_choice *choice, const char *asked, struct why *why)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s", asked);
	if (is_folder(asked)) {
		snprintf(path, sizeof(path), "%s/" TREE_IMAGE, asked);
		if (!is_file(path))
			snprintf(path, sizeof(path), "%s/vmlinux", asked);
		if (!is_file(path))
			return why_fail(why, -ENOENT,
					"--kernel: %s is a folder without " TREE_IMAGE
					" and without vmlinux: build the kernel there, or name a file",
					asked);
	}
	choice->path = strdup(path);
	return choice->path ? 0 : why_fail(why, -ENOMEM, "no memory left");
}

/* Sets choice->modules to dir if it is one that modules can be found in. */
static bool try_modules(struct kernel_choice *choice, const char *dir)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/modules.dep", dir);
	if (!is_file(path)) {
		/* Built here, or installed without depmod. */
		snprintf(path, sizeof(path), "%s/modules.order", dir);
		if (!is_file(path))
			return false;
	}
	choice->modules = realpath(dir, NULL);
	return choice->modules != NULL;
}

/* Of the folder that a path is in, with its slash; 0 if that is the current one. */
static size_t dir_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash + 1 - path) : 0;
}

/* The folder that the kernel was built in, written to dir; NULL if it does not lie in one. */
static const char *find_tree(char dir[4096], const char *path)
{
	static const char *const up[] = { "", "../../../" };
	char mark[4096];

	for (size_t i = 0; i < sizeof(up) / sizeof(up[0]); i++) {
		snprintf(dir, 4096, "%.*s%s.", (int)dir_length(path), path, up[i]);
		/* Each build begins with writing this. */
		if (snprintf(mark, sizeof(mark), "%s/include/config/kernel.release", dir) <
			    (int)sizeof(mark) &&
		    is_file(mark))
			return dir;
	}
	return NULL;
}

/* Modules of a kernel of this release in BASE/lib/modules, BASE being as printf() takes it. */
static __attribute__((format(printf, 3, 4))) bool
try_modules_of(struct kernel_choice *choice, const char *release, const char *fmt, ...)
{
	char base[2048], path[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(base, sizeof(base), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/lib/modules/%s", base, release);
	return try_modules(choice, path);
}

/*
 * Modules of a kernel of this release: of one that lies where it was built, those that were built with it; else
 * beside the file, as packages lay them out when unpacked into a folder (DIR/boot/vmlinuz-V or DIR/vmlinux, and
 * DIR/lib/modules/V), else the system's.
 */
static void find_modules(struct kernel_choice *choice, const char *release)
{
	const char *installed = getenv("INSTALL_MOD_PATH");
	char dir[4096];

	if (find_tree(dir, choice->path)) {
		if (installed && *installed && try_modules_of(choice, release, "%s", installed))
			return;
		if (try_modules(choice, dir))
			return;
	}
	snprintf(dir, sizeof(dir), "%.*s.", (int)dir_length(choice->path), choice->path);
	if (try_modules_of(choice, release, "%s", dir) ||
	    try_modules_of(choice, release, "%s/..", dir) ||
	    try_modules_of(choice, release, "%s/../usr", dir))
		return;
	/* /usr/lib/modules/V/vmlinuz has them right there. */
	if (!try_modules(choice, dir) && !try_modules_of(choice, release, "/usr"))
		try_modules_of(choice, release, "%s", "");
}

/* Takes a configuration file, if it is one. */
static __attribute__((format(printf, 2, 3))) bool try_config(struct kernel_choice *choice,
							      const char *fmt, ...)
{
	char path[4096], *real;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	real = n < (int)sizeof(path) ? realpath(path, NULL) : NULL;
	if (real)
		choice->config = kconfig_read(real);
	free(real);
	return choice->config != NULL;
}

/*
 * What the kernel was built with. A file beside it that has its very release in its name was installed with
 * it; then counts what it says itself; then what lies where it was built or its modules are.
 */
static void find_config(struct kernel_choice *choice)
{
	const char *release = choice->kernel.release;
	int dir = (int)dir_length(choice->path);

	if (release[0] && (try_config(choice, "%.*sconfig-%s", dir, choice->path, release) ||
			   try_config(choice, "%.*sboot/config-%s", dir, choice->path, release)))
		return;
	choice->config = kernel_config(&choice->kernel);
	if (choice->config || try_config(choice, "%.*s.config", dir, choice->path) ||
	    try_config(choice, "%.*s../../../.config", dir, choice->path))
		return;
	if (choice->modules && try_config(choice, "%s/config", choice->modules))
		return;
	if (release[0] && !try_config(choice, "/boot/config-%s", release))
		try_config(choice, "/usr/lib/modules/%s/config", release);
}

/*
 * A packed kernel is unpacked here and now, for a guest that starts from the ELF is there sooner. A bzImage
 * that shall not, or is packed in a way that only it knows, goes its own way.
 */
static int open_inside(struct kernel_choice *choice, enum kernel_use use, struct why *why)
{
	struct kernel inside;
	int fd, err;

	if (choice->kernel.format == KERNEL_ELF || use == KERNEL_LOOK)
		return 0;
	fd = kernel_cache_open(&choice->kernel, why);
	if (fd == -ENOTSUP)
		return 0;
	err = fd < 0 ? fd : kernel_open_unpacked(&inside, &choice->kernel, fd, why);
	if (err)
		return err;
	if (use == KERNEL_AS_IT_IS && choice->kernel.format == KERNEL_BZIMAGE) {
		choice->config = kernel_config(&inside);
		kernel_close(&inside);
	} else {
		kernel_close(&choice->kernel);
		choice->kernel = inside;
	}
	return 0;
}

int kernel_choose(struct kernel_choice *choice, const char *asked, const char *modules,
		  enum kernel_use use, struct why *why)
{
	int err;

	memset(choice, 0, sizeof(*choice));
	err = asked ? take_asked(choice, asked, why) : look_around(choice, why);
	if (err)
		return err;
	if (modules && !is_folder(modules))
		return why_fail(why, -ENOENT,
				"--modules: %s is not a folder: give a /lib/modules/VERSION", modules);
	err = kernel_open(&choice->kernel, choice->path, why);
	if (!err)
		err = open_inside(choice, use, why);
	if (err)
		return err;
	if (modules) {
		choice->modules = strdup(modules);
		if (!choice->modules)
			return why_fail(why, -ENOMEM, "no memory left");
	} else if (choice->kernel.release[0]) {
		find_modules(choice, choice->kernel.release);
	}
	if (!choice->config)
		find_config(choice);
	return 0;
}

void kernel_choice_free(struct kernel_choice *choice)
{
	kernel_close(&choice->kernel);
	free(choice->path);
	free(choice->modules);
	kconfig_free(choice->config);
}
