/* SPDX-License-Identifier: MIT */
/* What a kernel was built with: a .config, as Kconfig writes it (Documentation/kbuild/kconfig). */
#ifndef BOOT_KCONFIG_H
#define BOOT_KCONFIG_H

#include <stddef.h>
#include <stdint.h>

struct kconfig; /* read-only once made; kconfig_free() ends it */

enum kconfig_value {
	KCONFIG_UNKNOWN, /* the kernel's configuration is not known */
	KCONFIG_N,	 /* not set, or not an option of this kernel at all */
	KCONFIG_M,
	KCONFIG_Y,
};

/* Of an option without its CONFIG_ ("OVERLAY_FS"). config may be NULL: nothing is known then. */
enum kconfig_value kconfig_get(const struct kconfig *config, const char *option);

/* Where it was found, for sentences: a path, or "" if it came out of the kernel itself. */
const char *kconfig_from(const struct kconfig *config);

/* A file, packed or not. NULL: it is not there, cannot be read, or is no .config. */
struct kconfig *kconfig_read(const char *path);

/*
 * Inside an ELF kernel's data, as CONFIG_IKCONFIG puts it there: "IKCFG_ST", the packed file, "IKCFG_ED".
 * NULL: not there, or damaged.
 */
struct kconfig *kconfig_find(const uint8_t *data, size_t size);

void kconfig_free(struct kconfig *config);

#endif
