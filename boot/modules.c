// SPDX-License-Identifier: MIT
/* Kernel modules: which files, in which order (depmod's modules.dep), and what is in them. */
#include "boot/boot.h"
#include "boot/dep_index.h"
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

#define INDEX_MAX  (64u << 20)	/* modules.dep, modules.builtin: all are below 1 MiB */
#define MODULE_MAX (512u << 20) /* unpacked; with debug information, some have 100 MiB */
#define DEPTH_MAX  64		/* of dependencies; Linux has about ten */

/* One line of modules.dep: "kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz". */
struct module {
	struct module *next;
	struct span path; /* below DIR */
	struct span deps; /* paths, separated by spaces */
	enum { MODULE_NEW, MODULE_OPEN, MODULE_LISTED } state;
};

struct modules {
	const char *dir;
	const char *dep_name; /* which of the two it is */
	bool binary;
	struct span dep; /* files, mapped */
	struct span builtin;
	bool has_builtin;
	struct module *seen;
	struct module_list *list;
};

/* Opens a file of at most limit bytes; *err is 0, or why there is no descriptor. */
static int open_regular(const char *path, size_t limit, size_t *size, int *err)
{
	/* O_NONBLOCK: a fifo by that name must not stop us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	*err = 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		*err = -errno;
	else if (!S_ISREG(st.st_mode))
		*err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else if ((uint64_t)st.st_size > limit)
		*err = -EFBIG;
	else
		*size = (size_t)st.st_size;
	if (*err && fd >= 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Cuts text at the first sep into what is before it and what is behind; false at the end. */
static bool cut(struct span *text, char sep, struct span *piece)
{
	const char *found;

	if (!text->len)
		return false;
	found = memchr(text->at, sep, text->len);
	piece->at = text->at;
	piece->len = found ? (size_t)(found - text->at) : text->len;
	text->at += piece->len + !!found;
	text->len -= piece->len + !!found;
	return true;
}

static bool same_span(struct span a, struct span b)
{
	return a.len == b.len && !memcmp(a.at, b.at, a.len);
}

static struct span base_of(struct span path)
{
	const char *slash = memrchr(path.at, '/', path.len);

	return slash ? (struct span){ slash + 1, path.len - (size_t)(slash + 1 - path.at) } : path;
}

/* Is path the file of the module called name? kernel/fs/foo-bar.ko.xz is that of foo_bar. */
static bool has_name(struct span path, struct span name)
{
	struct span base = base_of(path);

	if (base.len < name.len + 3 || memcmp(base.at + name.len, ".ko", 3) ||
	    (base.len > name.len + 3 && base.at[name.len + 3] != '.'))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (module_fold(base.at[i]) != module_fold(name.at[i]))
			return false;
	return true;
}

/* Maps a file: little of it is looked at closely, and depmod replaces it rather than writes to it. */
static int map_file(const char *path, struct span *span)
{
	int fd, err;

	fd = open_regular(path, INDEX_MAX, &span->len, &err);
	if (fd < 0)
		return err;
	span->at = NULL;
	if (span->len)
		span->at = mmap(NULL, span->len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (span->at == MAP_FAILED) {
		err = -errno;
		*span = (struct span){0};
	}
	close(fd);
	return err;
}

static void unmap(struct span *span)
{
	if (span->len)
		munmap((void *)(uintptr_t)span->at, span->len);
}

static int map_index(const struct modules *m, const char *name, struct span *span, struct why *why)
{
	char path[PATH_MAX];
	int err;

	if (snprintf(path, sizeof(path), "%s/%s", m->dir, name) >= (int)sizeof(path))
		err = -ENAMETOOLONG;
	else
		err = map_file(path, span);
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
	while (cut(&rest, '\n', &line))
		if (has_name(line, name))
			return 1;
	return 0;
}

/* ---- modules.dep ---- */

/* Modprobe's index if there is one. The text says the same, and all of it has to be read. */
static int map_dep(struct modules *m, struct why *why)
{
	int err;

	m->dep_name = "modules.dep.bin";
	err = map_index(m, m->dep_name, &m->dep, why);
	m->binary = !err;
	if (err == -ENOENT) {
		m->dep_name = "modules.dep";
		err = map_index(m, m->dep_name, &m->dep, why);
	}
	return err;
}

/* The part of a line before its colon, a path, and what is behind it. */
static struct span cut_path(struct span *line)
{
	struct span path = *line;

	cut(line, ':', &path);
	return path;
}

/* The line of the module called name: 1, 0, or -EBADMSG. */
static int find_line(const struct modules *m, struct span name, struct span *line)
{
	struct span rest = m->dep, copy;

	if (m->binary)
		return dep_index_find(m->dep, name, line);
	while (cut(&rest, '\n', line)) {
		copy = *line;
		if (has_name(cut_path(&copy), name))
			return 1;
	}
	return 0;
}

/* *module is NULL if there is none. */
static int by_name(struct modules *m, struct span name, struct module **module, struct why *why)
{
	struct span line, path;
	int found;

	for (*module = m->seen; *module; *module = (*module)->next)
		if (has_name((*module)->path, name))
			return 0;
	found = find_line(m, name, &line);
	if (found < 0)
		return why_fail(why, found, "%s/%s is damaged; run depmod for it again.", m->dir,
				m->dep_name);
	if (!found)
		return 0;
	path = cut_path(&line);
	if (!has_name(path, name))
		return 0;
	*module = malloc(sizeof(**module));
	if (!*module)
		return why_fail(why, -ENOMEM, "There is no memory left for the list of modules.");
	**module = (struct module){ .next = m->seen, .path = path, .deps = line };
	m->seen = *module;
	return 0;
}

/* *module is NULL if there is none. */
static int by_path(struct modules *m, struct span path, struct module **module, struct why *why)
{
	struct span name = base_of(path);
	const char *end = memmem(name.at, name.len, ".ko", 3);
	int err;

	*module = NULL;
	if (!end)
		return 0;
	name.len = (size_t)(end - name.at);
	err = by_name(m, name, module, why);
	if (*module && !same_span((*module)->path, path))
		*module = NULL;
	return err;
}

/* An index may come from anywhere: what it names must be below DIR. */
static bool stays_below(struct span path)
{
	struct span part;

	if (path.at[0] == '/' || memchr(path.at, '\0', path.len))
		return false;
	while (cut(&path, '/', &part))
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
	while (cut(&deps, ' ', &dep)) {
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
			return err;
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
				"has %s, or run depmod if the files are there.",
				m->dir, count > 1 ? "none of the modules" : "no module", missing,
				count > 1 ? "are they" : "is it", count > 1 ? "them" : "it");
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

		free(m.seen);
		m.seen = next;
	}
	unmap(&m.dep);
	unmap(&m.builtin);
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

	fd = open_regular(path, MODULE_MAX, &size, &err);
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
	if (size < SELFMAG || memcmp(data, ELFMAG, SELFMAG))
		err = why_fail(why, -ENOEXEC, "%s is not a kernel module; install it again.", path);
	free(unpacked);
	return err;
}
