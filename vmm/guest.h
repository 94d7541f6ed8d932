/* SPDX-License-Identifier: MIT */
/*
 * The guest's part of the initramfs: our init, the kernel modules it loads, and its orders
 * (images/config.h). Used for a guest of ninepin, and for the emulated host of the tests.
 */
#ifndef VMM_GUEST_H
#define VMM_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/boot.h"
#include "boot/why.h"

struct guest_mount {
	const char *source;  /* a 9P tag; a block device */
	const char *type;    /* "9p", … */
	const char *path;    /* absolute; for a root: ignored */
	const char *options; /* as mount(8) takes them ("ro,trans=virtio,msize=512000"), or "" */
};

/* The init is root, and so is the command without one. */
struct guest_user {
	uint32_t uid;
	uint32_t gid;
	const uint32_t *group; /* those that setgroups(2) gives; at most GUEST_MAX_GROUPS */
	size_t ngroups;
};

struct guest_spec {
	const char *modules_dir;    /* a /lib/modules/VERSION; may be NULL if nmodules is 0 */
	const char *const *modules; /* for modules_resolve(), in order; "NAME PARAMETERS" is fine */
	size_t nmodules;
	const struct guest_mount *root; /* NULL: the initramfs is the root */
	bool overlay;			/* the root stays read-only below a tmpfs */
	const char *layer;   /* with overlay: initramfs folder that covers the root; or NULL */
	const char *busybox; /* static busybox on the host, for an initramfs root; or NULL */
	const struct guest_mount *mounts; /* further mounts, in order */
	size_t nmounts;
	const char *hostname;	 /* or NULL */
	const char *cwd;	 /* where the command starts; NULL: / */
	const char *home;	 /* made for the command's user if it is not there; or NULL */
	const char *const *env;	 /* NAME=VALUE … NULL; the whole environment. PATH is needed */
	const char *const *argv; /* the command, NULL at the end, at least one word */
	const struct guest_user *user; /* whom the command runs as; NULL: root */
	bool tty;		 /* the command gets a terminal of this size */
	unsigned int rows;
	unsigned int columns;
};

/* The program embedded in this binary. */
extern const unsigned char guest_init[];
extern const unsigned char guest_init_end[];

/*
 * Appends the folder .ninepin (and /dev/console, and busybox) to an archive that the caller has
 * begun and will end. 0; -ENOENT: a module or file is not there; -ENOSPC: the archive's buffer is
 * too small; -EINVAL: the spec asks for what cannot be written down.
 */
int guest_write(struct cpio *cpio, const struct guest_spec *spec, struct why *why);

/* Appends only the orders, as images/config.h says, to a buffer: the bytes needed (like snprintf(),
 * which may be more than cap), or -EINVAL. module: the paths in the initramfs, with parameters. */
int guest_config(char *buf, size_t cap, const struct guest_spec *spec, const char *const *module,
		 size_t nmodules, struct why *why);

#endif
