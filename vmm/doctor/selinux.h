/* SPDX-License-Identifier: MIT */
/*
 * What SELinux would say: asked of the kernel, through selinuxfs, which knows the loaded policy.
 * See security/selinux/selinuxfs.c for the format: a question is "SUBJECT OBJECT CLASS", its answer
 * begins with the permissions granted, in hex.
 */
#ifndef VMM_DOCTOR_SELINUX_H
#define VMM_DOCTOR_SELINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELINUX_ROOT "/sys/fs/selinux"

enum selinux_class {
	SELINUX_DIR,
	SELINUX_FILE,
	SELINUX_CLASSES,
};

#define SELINUX_PERMS 32

struct selinux {
	int dir; /* the folder's descriptor, -1: not active */
	bool enforcing;
	struct {
		unsigned int index;
		struct {
			char name[32];
			uint32_t bit;
		} perm[SELINUX_PERMS];
		size_t nperms;
	} class[SELINUX_CLASSES];
	/* Sends a question and gets the answer: 0 or a negative errno. Tests have their own. */
	int (*ask)(const struct selinux *selinux, const char *question, char *answer, size_t size);
};

/* Of a selinuxfs mounted at root. Not active if it is not there. */
void selinux_open(struct selinux *selinux, const char *root);
void selinux_close(struct selinux *selinux);

/*
 * Whether the policy refuses a process of that context one of these permissions (words with spaces
 * between, as in the policy) on a file of that label. Then refused has those of them that it
 * refuses. What cannot be asked is not refused.
 */
bool selinux_refuses(const struct selinux *selinux, const char *context, const char *label,
		     enum selinux_class class, const char *perms, char *refused, size_t size);

/* The context of this process; malloc'd, NULL if there is none. */
char *selinux_own_context(void);
/*
 * The context in which libvirt runs QEMU: from the policy's files below etc (/etc/selinux);
 * malloc'd, NULL without memory.
 */
char *selinux_qemu_context(const char *etc);

#endif
