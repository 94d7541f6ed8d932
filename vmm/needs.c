// SPDX-License-Identifier: MIT
#include "vmm/needs.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/plan.h"

#define FRAGMENT "images/ninepin.config"

/* When something is needed. */
enum when {
	ALWAYS,
	IF_SHARES,
	IF_OVERLAY,
	IF_USER,
	IF_CPUS, /* more than one, asked for */
	IF_POSIXACL, /* which it would leave out without a word */
	NEVER,	     /* a convenience */
};

/* In the order that modules are loaded. */
static const struct need {
	const char *option;
	const char *module; /* what may be one, as modules_resolve() takes it */
	enum when when;
} needs[] = {
	{ "BLK_DEV_INITRD", NULL, ALWAYS },
	{ "BINFMT_ELF", NULL, ALWAYS },
	{ "DEVTMPFS", NULL, ALWAYS },
	{ "PROC_FS", NULL, ALWAYS },
	{ "SYSFS", NULL, ALWAYS },
	{ "TMPFS", NULL, ALWAYS },
	{ "UNIX98_PTYS", NULL, ALWAYS },
	{ "SIGNALFD", NULL, ALWAYS },
	{ "SMP", NULL, IF_CPUS },
	{ "MULTIUSER", NULL, IF_USER },
	{ "VIRTIO_MMIO", "virtio_mmio", ALWAYS },
	{ "VIRTIO_CONSOLE", "virtio_console", ALWAYS },
	{ "9P_FS", "9p", IF_SHARES },
	{ "NET_9P_VIRTIO", "9pnet_virtio", IF_SHARES },
	{ "9P_FS_POSIX_ACL", NULL, IF_POSIXACL },
	{ "OVERLAY_FS", "overlay", IF_OVERLAY },
	{ "HW_RANDOM_VIRTIO", "virtio_rng?", NEVER },
	{ "PVPANIC_MMIO", "pvpanic_mmio?", NEVER },
};

#define NNEEDS (sizeof(needs) / sizeof(needs[0]))

/*
 * A virtio-mmio device is found by one of these, best first. CONFIG_OF alone does not take a tree from who
 * started the kernel.
 */
static const struct finder {
	const char *option;
	enum firmware firmware;
} finders[] = {
	{ "ACPI", FIRMWARE_ACPI },
	{ "OF_EARLY_FLATTREE", FIRMWARE_DTB },
	{ "VIRTIO_MMIO_CMDLINE_DEVICES", FIRMWARE_CMDLINE },
};

#define NFINDERS (sizeof(finders) / sizeof(finders[0]))

static bool is_needed(const struct need *need, const struct plan *plan)
{
	switch (need->when) {
	case ALWAYS:
		return true;
	case IF_SHARES:
		return plan->nshares > 0;
	case IF_OVERLAY:
		return plan->guest.overlay;
	case IF_USER:
		return plan->guest.user != NULL;
	case IF_CPUS:
		return plan->opt->cpus_set && plan->opt->cpus > 1;
	case IF_POSIXACL:
		for (unsigned int i = 0; i < plan->opt->nshares; i++)
			if (plan->opt->share[i].posixacl)
				return true;
		return false;
	case NEVER:
		return false;
	}
	return false;
}

bool needs_has_overlay(const struct plan *plan)
{
	static const char *const overlay[] = { "overlay" };
	const char *modules = plan->kernel.modules;
	struct module_list list;
	char index[4096];
	struct why ignored;

	switch (kconfig_get(plan->kernel.config, "OVERLAY_FS")) {
	case KCONFIG_Y:
		return true;
	case KCONFIG_N:
		return false;
	case KCONFIG_M:
		if (!modules)
			return false;
		break;
	case KCONFIG_UNKNOWN:
		break;
	}
	/* Without (an index of) modules, whoever needs them will say what is missing. */
	if (!modules)
		return true;
	snprintf(index, sizeof(index), "%s/modules.dep", modules);
	if (access(index, R_OK) < 0)
		return true;
	if (modules_resolve(&list, modules, overlay, 1, &ignored) < 0)
		return false;
	module_list_free(&list);
	return true;
}

void needs_modules(struct plan *plan)
{
	size_t n = 0;

	if (!plan->kernel.modules)
		return;
	for (size_t i = 0; i < NNEEDS; i++) {
		const struct need *need = &needs[i];
		enum kconfig_value value;

		if (!need->module || (need->when != NEVER && !is_needed(need, plan)))
			continue;
		/* Without a configuration, modules.builtin knows. */
		value = kconfig_get(plan->kernel.config, need->option);
		if (value == KCONFIG_M || value == KCONFIG_UNKNOWN)
			plan->modules[n++] = need->module;
	}
	plan->guest.modules = plan->modules;
	plan->guest.nmodules = n;
	plan->guest.modules_dir = plan->kernel.modules;
}

/* Whether the kernel can be told so of its machine, as far as is known, and the user has not chosen another way. */
static bool may_find(const struct plan *plan, const struct finder *finder)
{
	enum kconfig_value value = kconfig_get(plan->kernel.config, finder->option);

	if (plan->opt->firmware_set && plan->opt->firmware != finder->firmware)
		return false;
	return value == KCONFIG_Y || value == KCONFIG_UNKNOWN;
}

void needs_firmware(struct plan *plan)
{
	for (size_t i = NFINDERS; i-- > 0;)
		if (may_find(plan, &finders[i]))
			plan->firmware = finders[i].firmware;
}

/* A list of options, "CONFIG_A, CONFIG_B". */
struct names {
	char text[600];
	size_t len;
	bool modules; /* nothing but modules */
};

static void add_name(struct names *names, const char *separator, const char *option, const char *note)
{
	int n = snprintf(names->text + names->len, sizeof(names->text) - names->len,
			 "%sCONFIG_%s%s", names->len ? separator : "", option, note);

	names->len += (size_t)n;
	if (names->len >= sizeof(names->text))
		names->len = sizeof(names->text) - 1;
}

static void list_missing(struct names *missing, const struct plan *plan)
{
	const struct kconfig *config = plan->kernel.config;
	bool found = false, first = true;

	*missing = (struct names){ .modules = true };
	for (size_t i = 0; i < NNEEDS; i++) {
		enum kconfig_value value = kconfig_get(config, needs[i].option);

		if (value == KCONFIG_Y || (value == KCONFIG_M && plan->kernel.modules) ||
		    !is_needed(&needs[i], plan))
			continue;
		add_name(missing, ", ", needs[i].option, value == KCONFIG_M ? " (a module)" : "");
		missing->modules &= value == KCONFIG_M;
	}
	for (size_t i = 0; i < NFINDERS; i++)
		found |= may_find(plan, &finders[i]);
	if (!found) {
		for (size_t i = 0; i < NFINDERS; i++) {
			if (plan->opt->firmware_set && plan->opt->firmware != finders[i].firmware)
				continue;
			add_name(missing, first ? ", " : " or ", finders[i].option, "");
			first = false;
		}
		missing->modules = false;
	}
	if (plan->firmware == FIRMWARE_CMDLINE && kconfig_get(config, "X86_MPPARSE") == KCONFIG_N) {
		add_name(missing, ", ", "X86_MPPARSE", "");
		missing->modules = false;
	}
}

int needs_check(struct plan *plan, struct why *why)
{
	const struct kconfig *config = plan->kernel.config;
	const char *path = plan->kernel.path, *from;
	struct names missing;

	if (!config)
		return 0;
	if (kconfig_get(config, "PRINTK") == KCONFIG_N ||
	    kconfig_get(config, "SERIAL_8250_CONSOLE") == KCONFIG_N)
		notes_add(&plan->notes,
			  "the kernel %s has no CONFIG_SERIAL_8250_CONSOLE or no CONFIG_PRINTK: what it says "
			  "before its init runs, and when it panics, cannot be seen",
			  path);
	list_missing(&missing, plan);
	if (!missing.len)
		return 0;
	if (missing.modules)
		return why_fail(why, -ENOTSUP,
				"the modules of the kernel %s are not found, and this run needs %s: name "
				"their folder with --modules, or make them with `make modules`",
				path, missing.text);
	from = kconfig_from(config);
	return why_fail(why, -ENOTSUP,
			"the kernel %s lacks what this run needs (so says %s): %s: build it with "
			"ninepin's " FRAGMENT " (scripts/kconfig/merge_config.sh .config "
			"ninepin.config)%s",
			path, *from ? from : "its own configuration", missing.text,
			!strcmp(missing.text, "CONFIG_OVERLAY_FS") ? ", or use --root busybox" : "");
}

const char *needs_unmet(const struct virtio_dev *console)
{
	if (console->kicks)
		return "";
	/* The virtio bus acknowledges what it finds, before it looks for a driver. */
	if (console->status & VIRTIO_CONFIG_S_ACKNOWLEDGE)
		return ", and no driver took its virtio console (CONFIG_VIRTIO_CONSOLE)";
	return ", and no driver found its virtio devices (CONFIG_VIRTIO_MMIO, and one of CONFIG_ACPI, "
	       "CONFIG_OF_EARLY_FLATTREE, CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES)";
}
