// SPDX-License-Identifier: MIT
#include "vmm/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/config.h"

#define MODULE_NAME_MAX 64

/* ---- the orders ---- */

struct text {
	char *buf;
	size_t cap;
	size_t len; /* also counts what did not fit */
};

/* Appends "KEY=VALUE" and a NUL. */
static void record(struct text *text, const char *key, const char *value)
{
	const char *const part[] = {key, "=", value};

	for (size_t i = 0; i < 3; i++) {
		/* The NUL of the last part ends the record. */
		size_t n = strlen(part[i]) + (i == 2);

		if (text->len < text->cap)
			memcpy(text->buf + text->len, part[i],
			       n < text->cap - text->len ? n : text->cap - text->len);
		text->len += n;
	}
}

static void mount_records(struct text *text, const struct guest_mount *mount, bool root)
{
	record(text, root ? "root.source" : "mount.source", mount->source);
	record(text, root ? "root.type" : "mount.type", mount->type);
	if (!root)
		record(text, "mount.path", mount->path);
	record(text, root ? "root.options" : "mount.options", mount->options ? mount->options : "");
}

static void user_record(struct text *text, const struct guest_user *user)
{
	char ids[11 * (GUEST_MAX_GROUPS + 2) + 1];
	int n = snprintf(ids, sizeof(ids), "%u:%u", user->uid, user->gid);

	for (size_t i = 0; i < user->ngroups; i++)
		n += snprintf(ids + n, sizeof(ids) - (size_t)n, ":%u", user->group[i]);
	record(text, "user", ids);
}

static size_t count(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static int check_spec(const struct guest_spec *spec, size_t nmodules, struct why *why)
{
	if (!count(spec->argv))
		return why_fail(why, -EINVAL, "there is no command for the guest");
	if (nmodules > GUEST_MAX_MODULES)
		return why_fail(why, -EINVAL,
				"the guest's kernel needs %zu modules, but its init loads at most "
				"%d: use a kernel with more built in",
				nmodules, GUEST_MAX_MODULES);
	if (spec->nmounts > GUEST_MAX_MOUNTS)
		return why_fail(why, -EINVAL, "%zu shares are too many: at most %d", spec->nmounts,
				GUEST_MAX_MOUNTS);
	if (spec->user && spec->user->ngroups > GUEST_MAX_GROUPS)
		return why_fail(why, -EINVAL, "the guest's user is in %zu groups: at most %d",
				spec->user->ngroups, GUEST_MAX_GROUPS);
	if (count(spec->argv) > GUEST_MAX_WORDS || count(spec->env) > GUEST_MAX_WORDS)
		return why_fail(why, -EINVAL,
				"the guest's command or environment is longer than %d words: put "
				"it in a script",
				GUEST_MAX_WORDS);
	return 0;
}

int guest_config(char *buf, size_t cap, const struct guest_spec *spec, const char *const *module,
		 size_t nmodules, struct why *why)
{
	struct text text = {.buf = buf, .cap = cap};
	int ret = check_spec(spec, nmodules, why);

	if (ret)
		return ret;
	for (size_t i = 0; i < nmodules; i++)
		record(&text, "module", module[i]);
	if (spec->root) {
		mount_records(&text, spec->root, true);
		if (spec->overlay)
			record(&text, "root.overlay", "1");
		if (spec->overlay && spec->layer)
			record(&text, "root.layer", spec->layer);
	}
	if (spec->busybox)
		record(&text, "busybox", "1");
	for (size_t i = 0; i < spec->nmounts; i++)
		mount_records(&text, &spec->mounts[i], false);
	if (spec->hostname)
		record(&text, "hostname", spec->hostname);
	if (spec->cwd)
		record(&text, "cwd", spec->cwd);
	if (spec->home)
		record(&text, "home", spec->home);
	for (size_t i = 0; i < count(spec->env); i++)
		record(&text, "env", spec->env[i]);
	if (spec->user)
		user_record(&text, spec->user);
	if (spec->tty) {
		char size[32];

		snprintf(size, sizeof(size), "%ux%u", spec->rows, spec->columns);
		record(&text, "tty", size);
	}
	for (size_t i = 0; i < count(spec->argv); i++)
		record(&text, "arg", spec->argv[i]);
	if (text.len > GUEST_CONFIG_MAX)
		return why_fail(why, -EINVAL,
				"the guest's command and environment are %zu bytes, more than %u: "
				"put them in a script",
				text.len, GUEST_CONFIG_MAX);
	return (int)text.len;
}

/* ---- modules ---- */

/* "/lib/…/virtio-rng.ko.xz" and "virtio_rng PARAMETERS" are both virtio_rng. */
static void module_name(char *name, const char *from)
{
	const char *slash = strrchr(from, '/');
	size_t n;

	from = slash ? slash + 1 : from;
	n = strcspn(from, ". ?");
	if (n > MODULE_NAME_MAX - 1)
		n = MODULE_NAME_MAX - 1;
	for (size_t i = 0; i < n; i++)
		name[i] = from[i] == '-' ? '_' : from[i];
	name[n] = '\0';
}

/* The parameters that the spec gives to a module: " a=1 b=2", or "". */
static const char *module_params(const struct guest_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->nmodules; i++) {
		const char *params = strchr(spec->modules[i], ' ');
		char other[MODULE_NAME_MAX];

		module_name(other, spec->modules[i]);
		if (params && !strcmp(other, name))
			return params;
	}
	return "";
}

/* modules_resolve() with the parameters cut off the names. */
static int resolve(struct module_list *list, const struct guest_spec *spec, struct why *why)
{
	char **name = calloc(spec->nmodules + 1, sizeof(*name));
	int ret = -ENOMEM;

	if (!name)
		return why_fail(why, ret, "no memory for the list of modules");
	for (size_t i = 0; i < spec->nmodules; i++) {
		name[i] = strndup(spec->modules[i], strcspn(spec->modules[i], " "));
		if (!name[i]) {
			why_fail(why, ret, "no memory for the list of modules");
			goto out;
		}
	}
	ret = modules_resolve(list, spec->modules_dir, (const char *const *)name, spec->nmodules,
			      why);
out:
	for (size_t i = 0; i < spec->nmodules; i++)
		free(name[i]);
	free(name);
	return ret;
}

static int write_module(struct cpio *cpio, const struct guest_spec *spec, const char *path,
			char **order, struct why *why)
{
	char name[MODULE_NAME_MAX];
	char inside[MODULE_NAME_MAX + 32];
	int ret;

	module_name(name, path);
	snprintf(inside, sizeof(inside), GUEST_MODULES_DIR "/%s.ko", name);
	ret = module_write(cpio, inside, 0600, path, why);
	if (ret)
		return ret;
	if (asprintf(order, "/%s%s", inside, module_params(spec, name)) < 0) {
		*order = NULL;
		return why_fail(why, -ENOMEM, "no memory for the list of modules");
	}
	return 0;
}

/* ---- the archive ---- */

/* A root for its applets: ls -l, id and cd ask for these. */
static int write_busybox(struct cpio *cpio, const char *path, struct why *why)
{
	static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
				     "nobody:x:65534:65534:nobody:/:/bin/false\n";
	static const char group[] = "root:x:0:\nnogroup:x:65534:\n";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int ret = 0;

	if (fd < 0 || fstat(fd, &st)) {
		ret = why_fail(why, -errno, "busybox for the guest: %s: %s", path, strerror(errno));
		goto out;
	}
	cpio_dir(cpio, "etc", 0755);
	cpio_file(cpio, "etc/passwd", 0644, passwd, strlen(passwd));
	cpio_file(cpio, "etc/group", 0644, group, strlen(group));
	cpio_dir(cpio, "root", 0700);
	cpio_dir(cpio, "bin", 0755);
	if (!cpio_file_from(cpio, "bin/busybox", 0755, fd, (size_t)st.st_size) &&
	    cpio->err != -ENOSPC)
		ret = why_fail(why, cpio->err, "busybox for the guest: %s: %s", path,
			       strerror(-cpio->err));
out:
	if (fd >= 0)
		close(fd);
	return ret;
}

static int write_orders(struct cpio *cpio, const struct guest_spec *spec, char **order, size_t n,
			struct why *why)
{
	const char *const *module = (const char *const *)order;
	int len = guest_config(NULL, 0, spec, module, n, why);
	char *text;

	if (len < 0)
		return len;
	text = malloc((size_t)len + 1); /* + 1: never a size of 0 */
	if (!text)
		return why_fail(why, -ENOMEM, "no memory for the guest's orders");
	guest_config(text, (size_t)len, spec, module, n, why);
	cpio_file(cpio, GUEST_CONFIG_PATH, 0600, text, (size_t)len);
	free(text);
	return 0;
}

int guest_write(struct cpio *cpio, const struct guest_spec *spec, struct why *why)
{
	struct module_list list = {0};
	char **order = NULL;
	int ret = 0;

	if (spec->nmodules) {
		ret = resolve(&list, spec, why);
		if (ret)
			return ret;
	}
	order = calloc(list.n + 1, sizeof(*order));
	if (!order) {
		ret = why_fail(why, -ENOMEM, "no memory for the list of modules");
		goto out;
	}

	/* The kernel opens it before init runs: early messages go there. */
	cpio_dir(cpio, "dev", 0755);
	cpio_chardev(cpio, "dev/console", 0600, 5, 1);
	cpio_dir(cpio, GUEST_DIR, 0700);
	cpio_dir(cpio, GUEST_MODULES_DIR, 0700);
	cpio_file(cpio, GUEST_INIT_PATH, 0700, guest_init, (size_t)(guest_init_end - guest_init));
	for (size_t i = 0; i < list.n && !ret; i++)
		ret = write_module(cpio, spec, list.path[i], &order[i], why);
	if (!ret && spec->busybox)
		ret = write_busybox(cpio, spec->busybox, why);
	if (!ret)
		ret = write_orders(cpio, spec, order, list.n, why);
	if (!ret && cpio->err)
		ret = why_fail(why, cpio->err,
			       "the initramfs does not fit into the guest's memory (%zu MiB): give "
			       "it more with --mem",
			       cpio->cap >> 20);
out:
	for (size_t i = 0; order && i < list.n; i++)
		free(order[i]);
	free(order);
	module_list_free(&list);
	return ret;
}
