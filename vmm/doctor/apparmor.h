/* SPDX-License-Identifier: MIT */
/*
 * What AppArmor would say to this process, if it has a profile: asked of the kernel, through
 * apparmorfs. A question is "label", NUL, the profile, NUL, the class (2: files), the path; see
 * query_label() in security/apparmor/apparmorfs.c. The answer begins "allow 0x…".
 */
#ifndef VMM_DOCTOR_APPARMOR_H
#define VMM_DOCTOR_APPARMOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APPARMOR_ROOT	 "/sys/kernel/security/apparmor"
#define APPARMOR_CURRENT "/proc/self/attr/apparmor/current" /* Linux 5.8 */

/* Of security/apparmor/include/file.h. */
#define APPARMOR_WRITE	2u
#define APPARMOR_READ	4u
#define APPARMOR_CREATE 0x10u

struct apparmor {
	int dir;     /* apparmorfs; -1: not active, or not to be asked */
	char *label; /* the profile that is enforced, malloc'd; NULL: none */
	/*
	 * Sends a question of len bytes and gets the answer: 0 or a negative errno. Tests have
	 * their own.
	 */
	int (*ask)(const struct apparmor *apparmor, const char *question, size_t len, char *answer,
		   size_t size);
};

/* root: where apparmorfs is; current: a file with "PROFILE (mode)". */
void apparmor_open(struct apparmor *apparmor, const char *root, const char *current);
void apparmor_close(struct apparmor *apparmor);
/*
 * Which of these permissions (APPARMOR_*) it refuses on a path; what cannot be asked is not
 * refused.
 */
uint32_t apparmor_refuses(const struct apparmor *apparmor, const char *path, uint32_t perms);

#endif
