// SPDX-License-Identifier: MIT
/* Kernel modules: which files, in which order (of depmod's modules.dep, or without), and what is in them. */
#include "boot/boot.h"
#include "boot/module_files.h"
#include "boot/tree_index.h"
#include "boot/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <elf.h>

#define DEPTH_MAX 64 /* of dependencies; Linux has about ten */

/* One line of modules.dep: "kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz". */
struct module {
	struct module *next;
	char *text; /* where there is no modules.dep: the line, made up */
	struct span path; /* below DIR */
	struct span deps; /* paths, separated by spaces */
	enum { MODULE_NEW, MODULE_OPEN, MODULE_LISTED } state;
};

struct modules {
	const char *dir;
	const char *dep_name; /* which of the three it is */
	enum dep_kind { DEP_BINARY, DEP_TEXT, DEP_NONE } kind;
	struct span dep; /* files, mapped */
	struct span builtin;
	bool has_builtin;
	struct module *seen;
	struct module_list *list;
};

static int map_index(const struct modules *m, const char *name, struct span *span, struct why *why)
{
	char path[PATH_MAX];
	int err;

	if (snprintf(path, sizeof(path), "%s/%s", m->dir, name) >= (int)sizeof(path))
		err = -ENAMETOOLONG;
	else
		err = module_map(path, INDEX_MAX, span);
	if (err && err != -ENOENT)
		why_fail(why, err, "The list of modules %s/%s cannot be read: %s.", m->dir, name,
			 strerror(-err));
	return err;
}

/* 1, 0, or a negative errno. Without modules.builtin, nothing is known to be built in. */
static int is_builtin(struct modules *m, struct span name, struct why *why)
{
	struct span rest, line;
	int err;

	if (!m->has_builtin) {
		err = map_index(m, "modules.builtin", &m->builtin, why);
		if (err && err != -ENOENT)
			return err;
		m->has_builtin = true;
	}
	rest = m->builtin;
	while (span_cut(&rest, '\n', &line))
		if (module_has_name(line, name))
			return 1;
	return 0;
}

/* ---- modules.dep ---- */

/* Modprobe's index if there is one: the text says the same, and all of it has to be read. Where depmod has not
 * run, what it would have read. */
static int map_dep(struct modules *m, struct why *why)
{
	static const char *const names[] = {
		[DEP_BINARY] = "modules.dep.bin", [DEP_TEXT] = "modules.dep", [DEP_NONE] = "modules.order",
	};
	int err = -ENOENT;

	for (size_t i = 0; err == -ENOENT && i < sizeof(names) / sizeof(names[0]); i++) {
		m->kind = i;
		m->dep_name = names[i];
		err = map_index(m, names[i], &m->dep, why);
	}
	return err;
}

/* The part of a line before its colon, a path, and what is behind it. */
static struct span cut_path(struct span *line)
{
	struct span path = *line;

	span_cut(line, ':', &path);
	return path;
}

/* The line of the module called name, *text if it had to be made: 1, 0, or a negative errno. */
static int find_line(const struct modules *m, struct span name, struct span *line, char **text,
		     struct why *why)
{
	struct span rest = m->dep, copy;
	int found = 0;

	*text = NULL;
	switch (m->kind) {
	case DEP_BINARY:
		found = dep_index_find(m->dep, name, line);
		if (found < 0)
			why_fail(why, found, "%s/%s is damaged; run depmod for it again.", m->dir,
				 m->dep_name);
		break;
	case DEP_TEXT:
		while (!found && span_cut(&rest, '\n', line)) {
			copy = *line;
			found = module_has_name(cut_path(&copy), name);
		}
		break;
	case DEP_NONE:
		found = tree_index_find(m->dir, m->dep, name, text, why);
		if (found > 0)
			*line = (struct span){ *text, strlen(*text) };
		break;
	}
	return found;
}

/* *module is NULL if there is none. */
static int by_name(struct modules *m, struct span name, struct module **module, struct why *why)
{
	struct span line, path;
	struct module *new = NULL;
	char *text;
	int found;

	for (*module = m->seen; *module; *module = (*module)->next)
		if (module_has_name((*module)->path, name))
			return 0;
	found = find_line(m, name, &line, &text, why);
	if (found <= 0)
		return found;
	path = cut_path(&line);
	if (module_has_name(path, name))
		new = malloc(sizeof(*new));
	else
		found = 0;
	if (!new) {
		free(text);
		return found ? why_fail(why, -ENOMEM, "There is no memory left for the list of modules.")
			     : 0;
	}
	*new = (struct module){ .next = m->seen, .text = text, .path = path, .deps = line };
	m->seen = new;
	*module = new;
	return 0;
}

/* *module is NULL if there is none. */
static int by_path(struct modules *m, struct span path, struct module **module, struct why *why)
{
	struct span name = span_base(path);
	const char *end = memmem(name.at, name.len, ".ko", 3);
	int err;

	*module = NULL;
	if (!end)
		return 0;
	name.len = (size_t)(end - name.at);
	err = by_name(m, name, module, why);
	if (*module && !span_same((*module)->path, path))
		*module = NULL;
	return err;
}

/* An index may come from anywhere: what it names must be below DIR. */
static bool stays_below(struct span path)
{
	struct span part;

	if (path.at[0] == '/' || memchr(path.at, '\0', path.len))
		return false;
	while (span_cut(&path, '/', &part))
		if (part.len == 2 && !memcmp(part.at, "..", 2))
			return false;
	return true;
}

static int append(struct modules *m, const struct module *module, struct why *why)
{
	struct module_list *list = m->list;
	char **path = NULL;
	char *text = NULL;

	if (!stays_below(module->path) || module->path.len > PATH_MAX)
		return why_fail(why, -EINVAL,
				"%s/%s names a module outside of that folder (%.*s); run "
				"depmod for it again.",
				m->dir, m->dep_name, (int)(module->path.len < 200 ? module->path.len : 200),
				module->path.at);
	path = realloc(list->path, (list->n + 1) * sizeof(*path));
	if (path) {
		list->path = path;
		if (asprintf(&text, "%s/%.*s", m->dir, (int)module->path.len, module->path.at) < 0)
			text = NULL;
	}
	if (!text)
		return why_fail(why, -ENOMEM, "There is no memory left for the list of modules.");
	list->path[list->n++] = text;
	return 0;
}

/*
 * Appends what the module depends on, then the module. Each is visited once, so the work is bounded
 * by the size of modules.dep, and the stack by DEPTH_MAX.
 */
static int add(struct modules *m, struct module *module, unsigned int depth, struct why *why)
{
	struct span deps = module->deps, dep;
	int len = module->path.len < 200 ? (int)module->path.len : 200;
	int err;

	if (module->state == MODULE_LISTED)
		return 0;
	if (module->state == MODULE_OPEN || depth > DEPTH_MAX)
		return why_fail(why, -ELOOP,
				"In %s/%s, %.*s depends on itself or on too long a chain; "
				"run depmod for it again.",
				m->dir, m->dep_name, len, module->path.at);
	module->state = MODULE_OPEN;
	while (span_cut(&deps, ' ', &dep)) {
		struct module *needed;

		if (!dep.len)
			continue;
		err = by_path(m, dep, &needed, why);
		if (err)
			return err;
		if (!needed)
			return why_fail(why, -ENOENT,
					"The module %.*s needs %.*s, which %s/%s does not have; run "
					"depmod for it again.",
					len, module->path.at, (int)(dep.len < 200 ? dep.len : 200),
					dep.at, m->dir, m->dep_name);
		err = add(m, needed, depth + 1, why);
		if (err)
			return err;
	}
	module->state = MODULE_LISTED;
	return append(m, module, why);
}

/* A name as the caller gives it: without the '?' of one that may be missing. */
static struct span plain_name(const char *name, bool *optional)
{
	size_t len = strlen(name);

	*optional = len && name[len - 1] == '?';
	return (struct span){name, len - *optional};
}

/*
 * There is no modules.dep. That is no harm if all is built in; if not, depmod makes one. DIR is
 * BASE/lib/modules/VERSION, as depmod wants to be told.
 */
static int no_dep(struct modules *m, const char *const *names, size_t n, struct why *why)
{
	static const char folder[] = "/lib/modules/";
	size_t len = strlen(m->dir), below;
	const char *slash;
	bool optional, wanted = false;
	struct stat st;

	for (size_t i = 0; i < n; i++) {
		int builtin = is_builtin(m, plain_name(names[i], &optional), why);

		if (builtin < 0)
			return builtin;
		wanted |= !builtin;
	}
	if (!wanted)
		return 0;
	if (stat(m->dir, &st) < 0)
		return why_fail(why, -ENOENT,
				"The folder of the kernel's modules, %s, is not there (%s); "
				"install them, e.g. with `make modules_install`.",
				m->dir, strerror(errno));
	while (len > 1 && m->dir[len - 1] == '/')
		len--;
	slash = memrchr(m->dir, '/', len);
	below = slash ? (size_t)(slash + 1 - m->dir) : 0;
	if (below >= strlen(folder) && !memcmp(slash + 1 - strlen(folder), folder, strlen(folder)))
		return why_fail(why, -ENOENT,
				"%s has no modules.dep, which says what the modules need; run "
				"`depmod -b %.*s/ %.*s`.",
				m->dir, (int)(below - strlen(folder)), m->dir, (int)(len - below),
				slash + 1);
	return why_fail(why, -ENOENT,
			"%s has no modules.dep, which says what the modules need; move it to "
			"BASE/lib/modules/VERSION and run `depmod -b BASE VERSION`.",
			m->dir);
}

static int resolve(struct modules *m, const char *const *names, size_t n, struct why *why)
{
	char missing[512] = "";
	size_t used = 0, count = 0;
	int err;

	for (size_t i = 0; i < n; i++) {
		bool optional;
		struct span name = plain_name(names[i], &optional);
		struct module *module;

		err = by_name(m, name, &module, why);
		if (!err && module)
			err = add(m, module, 0, why);
		if (err)
			/* It is in m->seen, which modules_resolve() frees. */
			return err; /* NOLINT(clang-analyzer-unix.Malloc) */
		if (module || optional)
			continue;
		err = is_builtin(m, name, why);
		if (err < 0)
			return err;
		if (!err) {
			if (used < sizeof(missing))
				used += (size_t)snprintf(missing + used, sizeof(missing) - used,
							 "%s%.*s", count ? ", " : "", (int)name.len,
							 name.at);
			count++;
		}
	}
	if (count)
		return why_fail(why, -ENOENT,
				"%s has %s %s, nor %s built into the kernel; take a kernel that "
				"has %s, or %s.",
				m->dir, count > 1 ? "none of the modules" : "no module", missing,
				count > 1 ? "are they" : "is it", count > 1 ? "them" : "it",
				m->kind == DEP_NONE ? "build them with `make modules`"
						    : "run depmod if the files are there");
	return 0;
}

int modules_resolve(struct module_list *list, const char *dir, const char *const *names, size_t n,
		    struct why *why)
{
	struct modules m = {.dir = dir, .list = list};
	int err;

	*list = (struct module_list){0};
	err = map_dep(&m, why);
	if (err == -ENOENT)
		err = no_dep(&m, names, n, why);
	else if (!err)
		err = resolve(&m, names, n, why);
	while (m.seen) {
		struct module *next = m.seen->next;

		free(m.seen->text);
		free(m.seen);
		m.seen = next;
	}
	module_unmap(&m.dep);
	module_unmap(&m.builtin);
	if (err)
		module_list_free(list);
	return err;
}

void module_list_free(struct module_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->path[i]);
	free(list->path);
	*list = (struct module_list){0};
}

int module_write(struct cpio *cpio, const char *inside, unsigned int mode, const char *path,
		 struct why *why)
{
	const struct cpio before = *cpio;
	const uint8_t *data = NULL;
	uint8_t *unpacked = NULL;
	enum packing packing;
	size_t size = 0;
	int fd, err;

	fd = module_open(path, MODULE_MAX, &size, &err);
	if (fd >= 0) {
		data = cpio_file_from(cpio, inside, mode, fd, size);
		close(fd);
		/* No room is the archive's matter, which says so at its end. */
		if (cpio->err == -ENOSPC)
			return 0;
		err = cpio->err;
	}
	if (err)
		return why_fail(why, err,
				"The module %s cannot be read: %s; install the kernel's "
				"modules again, or run depmod.",
				path, strerror(-err));
	packing = packing_of(data, size);
	if (packing != PACKING_NONE) {
		err = unpack(data, size, MODULE_MAX, &unpacked, &size);
		if (err)
			return why_fail(why, err, "The module %s cannot be unpacked (%s): %s.",
					path, packing_name(packing),
					err == -EBADMSG	  ? "its data is damaged; install it again"
					: err == -ENOTSUP ? "only gzip, xz and zstd are known"
							  : strerror(-err));
		/* In the place of the packed one. */
		*cpio = before;
		cpio_file(cpio, inside, mode, unpacked, size);
		data = unpacked;
	}
	if (!data || size < SELFMAG || memcmp(data, ELFMAG, SELFMAG))
		err = why_fail(why, -ENOEXEC, "%s is not a kernel module; install it again.", path);
	free(unpacked);
	return err;
}
