// SPDX-License-Identifier: MIT
#include "vmm/plan.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/config.h"
#include "vmm/needs.h"
#include "vmm/root.h"

#define ROOT_TAG "ninepin.root"
/* Variables that a command has if none is asked for. */
#define MAX_ENV 8
#define ROOT_OPTIONS "trans=virtio,version=9p2000.L,msize=512000"

/* Formats a string that lives as long as the plan. NULL if there is no memory. */
static __attribute__((format(printf, 2, 3))) char *keep(struct plan *plan, const char *fmt, ...)
{
	char **grown = realloc(plan->kept, (plan->nkept + 1) * sizeof(*grown));
	char *text;
	va_list ap;
	int n;

	if (!grown)
		return NULL;
	plan->kept = grown;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	plan->kept[plan->nkept++] = text;
	return text;
}

static int no_memory(struct why *why)
{
	return why_fail(why, -ENOMEM, "there is no memory left to prepare the guest");
}

/* ---- shares ---- */

static bool is_host_root(const struct plan *plan)
{
	return plan->guest.root && !strcmp(plan->share[0].path, "/");
}

static int check_folder(const char *path, struct why *why)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return why_fail(why, -errno, "the folder %s cannot be shared: %s", path,
				strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return why_fail(why, -ENOTDIR,
				"%s is not a folder: share the folder that it is in", path);
	if (faccessat(AT_FDCWD, path, R_OK | X_OK, AT_EACCESS) < 0)
		return why_fail(why, -EACCES,
				"the folder %s may not be read by you: chmod u+rx it, or be its owner",
				path);
	return 0;
}

/* Where the folder of a share really is; the first thing to be looked at, as the likeliest mistake. */
static int resolve_share(struct plan *plan, unsigned int i, struct why *why)
{
	const char *host = plan->opt->share[i].host;
	char *real = realpath(host, NULL);

	if (!real && errno == ENOENT)
		return why_fail(why, -ENOENT,
				"the folder %s to share is not there: make it first, or name another",
				host);
	if (!real)
		return why_fail(why, -errno,
				"the folder %s to share cannot be reached: %s: see the modes of the "
				"folders above it",
				host, strerror(errno));
	plan->folder[i] = keep(plan, "%s", real);
	free(real);
	if (!plan->folder[i])
		return no_memory(why);
	return check_folder(plan->folder[i], why);
}

static int add_share(struct plan *plan, unsigned int i, struct why *why)
{
	struct share_options *opt = &plan->opt->share[i];
	struct machine_share *share = &plan->share[plan->nshares];
	struct guest_mount *mount = &plan->mount[i];
	int err = share_settle(opt, plan->user.ids.uid, plan->user.ids.gid, &plan->notes, why);

	if (err)
		return err;
	share->path = plan->folder[i];
	share->config = opt->config;
	share->explain = true;
	share->tag = opt->tag ? opt->tag : keep(plan, "share%u", i);

	if (opt->guest) {
		mount->path = opt->guest;
	} else if (is_host_root(plan) && strcmp(share->path, "/")) {
		mount->path = share->path;
	} else {
		const char *slash = strrchr(share->path, '/');

		mount->path = keep(plan, "/mnt/%s", slash[1] ? slash + 1 : "root");
	}
	mount->source = share->tag;
	mount->type = "9p";
	/* A blocking lock that is taken sleeps for locktimeout seconds before it asks again. */
	mount->options = keep(plan,
			      "trans=virtio,version=9p2000.L,cache=%s,msize=%u,locktimeout=1%s%s%s%s",
			      opt->cache, opt->msize, opt->access ? ",access=" : "",
			      opt->access ? opt->access : "", opt->posixacl ? ",posixacl" : "",
			      opt->config.flags & P9_SHARE_RO ? ",ro" : "");
	if (!share->tag || !mount->path || !mount->options)
		return no_memory(why);

	for (unsigned int k = 0; k < i; k++) {
		if (!strcmp(plan->mount[k].path, mount->path))
			return why_fail(why, -EINVAL,
					"two shares would both be at %s in the guest: give one another "
					"place with --share HOST:GUEST",
					mount->path);
		if (!strcmp(plan->mount[k].source, mount->source))
			return why_fail(why, -EINVAL,
					"two shares have the tag '%s': give one another with tag=",
					mount->source);
	}
	if (!strcmp(share->tag, ROOT_TAG))
		return why_fail(why, -EINVAL, "the tag " ROOT_TAG " is taken: give another with tag=");
	plan->nshares++;
	return 0;
}

/* ---- the root ---- */

/* Whether a program needs no other files to run: a PT_INTERP header names a dynamic linker. */
static bool is_static(const char *path)
{
	Elf64_Ehdr head;
	Elf64_Phdr ph;
	bool found = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (pread(fd, &head, sizeof(head), 0) == sizeof(head) &&
	    !memcmp(head.e_ident, ELFMAG, SELFMAG) && head.e_ident[EI_CLASS] == ELFCLASS64) {
		found = true;
		for (unsigned int i = 0; found && i < head.e_phnum; i++) {
			off_t at = (off_t)(head.e_phoff + i * sizeof(ph));

			if (pread(fd, &ph, sizeof(ph), at) != sizeof(ph) || ph.p_type == PT_INTERP)
				found = false;
		}
	}
	close(fd);
	return found;
}

static int find_busybox(struct plan *plan, struct why *why)
{
	static const char *const places[] = {
		"/bin/busybox", "/usr/bin/busybox", "/usr/local/bin/busybox", "/bin/busybox.static",
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (is_static(places[i])) {
			plan->busybox = strdup(places[i]);
			return plan->busybox ? 0 : no_memory(why);
		}
	return why_fail(why, -ENOENT,
			"--root busybox needs a static busybox in /bin, and there is none: "
			"apt-get install busybox-static");
}

/* What of the root is hidden: of this machine's, secrets. */
static int hide(struct plan *plan, struct machine_share *share, struct why *why)
{
	const struct hide_list *given = &plan->opt->hide;
	int err = 0;

	if (root_is_machine(share->path) && !plan->opt->hide_none)
		err = hide_add_machine(&plan->hide, why);
	for (unsigned int i = 0; !err && i < given->n; i++)
		err = hide_add(&plan->hide, given->entry[i].path, why);
	share->config.hidden = plan->hide.entry;
	share->config.nhidden = plan->hide.n;
	return err;
}

static int choose_root(struct plan *plan, struct why *why)
{
	const char *root = plan->opt->root;
	struct machine_share *share;
	char *real;
	int err;

	if (strcmp(root, "busybox") && !plan->opt->root_rw && !needs_has_overlay(plan)) {
		/* Where the configuration is known, needs_check() names all that is missing. */
		if (plan->opt->root_set && !plan->kernel.config)
			return why_fail(why, -ENOTSUP,
					"the kernel %s has no overlayfs, which --root %s needs: use "
					"--root DIR,rw (DIR itself is written to then), --root busybox, or "
					"another kernel",
					plan->kernel.path, root);
		if (!plan->opt->root_set) {
			notes_add(&plan->notes,
				  "the kernel %s has no overlayfs: the guest's root is busybox instead "
				  "of this machine's",
				  plan->kernel.path);
			root = "busybox";
		}
	}
	if (!strcmp(root, "busybox")) {
		err = find_busybox(plan, why);
		plan->guest.busybox = plan->busybox;
		return err;
	}
	real = realpath(root, NULL);
	if (!real)
		return why_fail(why, -errno, "--root: the folder %s cannot be used: %s: give another, "
					     "or busybox",
				root, strerror(errno));
	share = &plan->share[plan->nshares++];
	share->path = keep(plan, "%s", real);
	free(real);
	if (!share->path)
		return no_memory(why);
	share->tag = ROOT_TAG;
	if (plan->opt->root_rw && root_is_machine(share->path))
		return why_fail(why, -EINVAL,
				"--root /,rw would let the guest change this machine's own system: leave "
				"out rw, and share with --share what it is to write to");
	err = check_folder(share->path, why);
	if (!err)
		err = hide(plan, share, why);
	if (err)
		return err;
	plan->root = (struct guest_mount){
		.source = ROOT_TAG,
		.type = "9p",
		.path = "/",
		.options = plan->opt->root_rw ? ROOT_OPTIONS ",cache=mmap,locktimeout=1" :
						/* Nothing changes below the overlay. */
						ROOT_OPTIONS ",cache=loose",
	};
	plan->guest.root = &plan->root;
	if (plan->opt->root_rw)
		return 0; /* whose it is depends on the user: settle_root() */
	plan->guest.overlay = true;
	/* Owners show as they are: that takes no privilege, and programs such as sudo look at them. */
	share->config.flags = P9_SHARE_RO;
	share->config.model = p9_privileged() ? P9_MODEL_PASSTHROUGH : P9_MODEL_IDMAP;
	share->config.uids.rest = share->config.gids.rest = true;
	return 0;
}

/* A root that is written to is owned as a share is. */
static int settle_root(struct plan *plan, struct why *why)
{
	struct machine_share *share = &plan->share[0];
	struct share_options opt = { .host = (char *)share->path };
	int err;

	if (!plan->guest.root || plan->guest.overlay)
		return 0;
	err = share_settle(&opt, plan->user.ids.uid, plan->user.ids.gid, &plan->notes, why);
	opt.config.hidden = share->config.hidden;
	opt.config.nhidden = share->config.nhidden;
	share->config = opt.config;
	share->explain = true;
	return err;
}

/* ---- the command and its environment ---- */

static int choose_user(struct plan *plan, struct why *why)
{
	const char *root = plan->guest.root ? plan->share[0].path : NULL;
	gid_t groups[GUEST_MAX_GROUPS];
	int err;

	if (!plan->opt->user)
		return 0;
	err = user_find(&plan->user, plan->opt->user, root, why);
	plan->guest.user = &plan->user.ids;
	/* Who works on your files as you may do so by your groups, too. */
	if (!err && !p9_privileged())
		user_join(&plan->user, groups, getgroups(GUEST_MAX_GROUPS, groups), getegid());
	return err;
}

/* Without a COMMAND: the user's shell, or the best that the root has. */
static int choose_shell(struct plan *plan, struct why *why)
{
	const char *root = plan->guest.root ? plan->share[0].path : NULL;

	if (plan->guest.user)
		plan->shell[0] = plan->user.shell;
	else if (root && root_has(root, "/bin/bash"))
		plan->shell[0] = "/bin/bash";
	else
		plan->shell[0] = "/bin/sh";
	plan->guest.argv = plan->shell;
	for (size_t i = 0; i < plan->guest.nmounts; i++) {
		size_t len = strlen(plan->mount[i].path);

		if (!strncmp(plan->shell[0], plan->mount[i].path, len) && plan->shell[0][len] == '/')
			return 0; /* it is not the root's */
	}
	if (root && !root_has(root, plan->shell[0]))
		return why_fail(why, -ENOENT,
				"the root %s has no %s: name a COMMAND that it has, or give another "
				"--root",
				root, plan->shell[0]);
	return 0;
}

/* NAME=VALUE, in place of what the name had before; NULL: no memory. */
static bool set_env(struct plan *plan, size_t *n, char *text)
{
	size_t i = 0, len = text ? strcspn(text, "=") + 1 : 0;

	while (text && i < *n && strncmp(plan->env[i], text, len))
		i++;
	if (text)
		plan->env[i] = text;
	*n += i == *n;
	return text;
}

/* The same on every machine, but for the user, the kind of terminal, and what is asked for. */
static int make_env(struct plan *plan, struct why *why)
{
	const struct user *user = plan->guest.user ? &plan->user : NULL;
	const char *name = user ? user->name : "root";
	const char *home = user ? user->home : "/root";
	const char *term = getenv("TERM");
	bool ok = true;
	size_t n = 0;

	plan->env = calloc(MAX_ENV + plan->opt->nenv + 1, sizeof(*plan->env));
	if (!plan->env)
		return no_memory(why);
	ok &= set_env(plan, &n, keep(plan, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
					   "/sbin:/bin"));
	ok &= set_env(plan, &n, keep(plan, "LANG=C.UTF-8"));
	ok &= set_env(plan, &n, keep(plan, "HOME=%s", home));
	if (name) {
		ok &= set_env(plan, &n, keep(plan, "USER=%s", name));
		ok &= set_env(plan, &n, keep(plan, "LOGNAME=%s", name));
	}
	if (user)
		ok &= set_env(plan, &n, keep(plan, "SHELL=%s", user->shell));
	if (plan->guest.tty)
		ok &= set_env(plan, &n, keep(plan, "TERM=%s", term && *term ? term : "linux"));
	for (size_t i = 0; i < plan->opt->nenv; i++)
		ok &= set_env(plan, &n, plan->opt->env[i]);
	if (!ok)
		return no_memory(why);
	plan->guest.env = (const char *const *)plan->env;
	/* It may be one that is hidden. */
	if (plan->guest.overlay && root_has(plan->share[0].path, home))
		plan->guest.home = home;
	return 0;
}

static int make_cmdline(struct plan *plan, struct why *why)
{
	const char *append = plan->opt->append;

	/*
	 * A panic restarts at once, which ends the VM. By ACPI's reset register, for Linux would try
	 * EFI on a hardware-reduced machine, and then a BIOS that is not there. The self-tests of the
	 * crypto library are a good part of a boot, and so is the early search for bridges where there is
	 * no PCI. SysRq is asked before a time-out ends the VM; it must work whatever is set in the guest. A
	 * time before each line tells the kernel's own from what a program writes to the console. The user's words
	 * come last, so they win.
	 */
	plan->cmdline = keep(plan,
			     "console=ttyS0%s panic=-1 reboot=acpi pci=off cryptomgr.notests "
			     "sysrq_always_enabled printk.time=1 rdinit=/" GUEST_INIT_PATH "%s%s",
			     plan->opt->verbose ? "" : " quiet", *append ? " " : "", append);
	return plan->cmdline ? 0 : no_memory(why);
}

/* Before the words that are there: the user's come last. */
int plan_describe(struct plan *plan, const struct platform *platform, struct why *why)
{
	size_t len;
	char *words;

	if (plan->firmware != FIRMWARE_CMDLINE)
		return 0;
	len = firmware_words(platform, NULL, 0);
	words = malloc(len + 1);
	if (!words)
		return no_memory(why);
	firmware_words(platform, words, len + 1);
	plan->cmdline = keep(plan, "%s %s", words, plan->cmdline);
	free(words);
	return plan->cmdline ? 0 : no_memory(why);
}

/* A mount within another comes after it; a path is always longer than those above it. */
static void order_mounts(struct guest_mount *mount, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct guest_mount m = mount[i];
		size_t k = i;

		for (; k > 0 && strlen(mount[k - 1].path) > strlen(m.path); k--)
			mount[k] = mount[k - 1];
		mount[k] = m;
	}
}

int plan_make(struct plan *plan, struct run_options *opt, bool tty, unsigned int rows,
	      unsigned int columns, struct why *why)
{
	int err = 0;

	memset(plan, 0, sizeof(*plan));
	plan->opt = opt;
	for (unsigned int i = 0; !err && i < opt->nshares; i++)
		err = resolve_share(plan, i, why);
	if (!err)
		err = kernel_choose(&plan->kernel, opt->kernel, opt->modules,
				    opt->no_unpack ? KERNEL_AS_IT_IS : KERNEL_UNPACKED, why);
	if (!err)
		err = choose_root(plan, why);
	if (!err)
		err = choose_user(plan, why);
	if (!err)
		err = settle_root(plan, why);
	for (unsigned int i = 0; !err && i < opt->nshares; i++)
		err = add_share(plan, i, why);
	if (err)
		return err;
	plan->guest.mounts = plan->mount;
	plan->guest.nmounts = opt->nshares;
	plan->guest.hostname = "ninepin";
	plan->guest.cwd = opt->nshares ? plan->mount[0].path : NULL;
	order_mounts(plan->mount, opt->nshares);
	plan->guest.tty = tty;
	plan->guest.rows = rows;
	plan->guest.columns = columns;
	plan->guest.argv = (const char *const *)opt->command;
	if (!opt->command[0])
		err = choose_shell(plan, why);
	needs_modules(plan);
	needs_firmware(plan);
	if (!err)
		err = needs_check(plan, why);
	if (plan->guest.root && !plan->guest.overlay)
		root_note_made(&plan->notes, plan->share[0].path, plan->mount, opt->nshares);
	if (!err)
		err = make_env(plan, why);
	if (!err)
		err = make_cmdline(plan, why);
	return err;
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->nkept; i++)
		free(plan->kept[i]);
	free(plan->kept);
	free(plan->env);
	hide_free(&plan->hide);
	free(plan->busybox);
	user_free(&plan->user);
	notes_free(&plan->notes);
	kernel_choice_free(&plan->kernel);
}
