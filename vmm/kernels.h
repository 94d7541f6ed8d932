/* SPDX-License-Identifier: MIT */
/* Which kernel to boot, and where its modules are. */
#ifndef VMM_KERNELS_H
#define VMM_KERNELS_H

#include "boot/boot.h"
#include "boot/kconfig.h"
#include "boot/why.h"

struct kernel_choice {
	char *path;    /* the file; malloc'd */
	struct kernel kernel; /* what is loaded: the file, or what was packed in it */
	char *modules; /* its /lib/modules/VERSION, or NULL if there is none; malloc'd */
	struct kconfig *config; /* what it was built with, or NULL if that is not known */
	/* A sentence for the user about a kernel that was passed over, or "". */
	struct why note;
};

/* What is to become of a packed kernel. */
enum kernel_use {
	KERNEL_UNPACKED, /* unpacked here, if it can then start */
	KERNEL_AS_IT_IS, /* a bzImage unpacks itself in the guest */
	KERNEL_LOOK,	 /* nothing: it is not to be booted */
};

/*
 * asked: a kernel file or a build tree, or NULL to look around: the build tree we stand in, the
 * running kernel, the newest readable one in /boot, the one that `make run` keeps beside the
 * program. modules: a folder that the user named, or NULL.
 * A negative errno with a sentence: -ENOENT, -EACCES, or as of kernel_open() and kernel_unpack().
 * kernel_choice_free() is right after either.
 */
int kernel_choose(struct kernel_choice *choice, const char *asked, const char *modules,
		  enum kernel_use use, struct why *why);
void kernel_choice_free(struct kernel_choice *choice);

#endif
