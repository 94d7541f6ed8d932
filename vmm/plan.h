/* SPDX-License-Identifier: MIT */
/*
 * From options to what will be started: which folders are shared under which tags, where they
 * appear, what the root is, which modules the guest needs, what it runs. All checks of the user's
 * input that need no KVM happen here.
 */
#ifndef VMM_PLAN_H
#define VMM_PLAN_H

#include "vmm/guest.h"
#include "vmm/kernels.h"
#include "vmm/machine.h"
#include "vmm/options.h"
#include "vmm/user.h"

struct plan {
	struct run_options *opt; /* borrowed; its shares are settled */
	struct kernel_choice kernel;
	char *busybox; /* path of a static busybox, for a busybox root; else NULL */

	char *folder[MAX_SHARES]; /* of the user's shares, without symlinks */
	struct machine_share share[MACHINE_MAX_SHARES];
	unsigned int nshares;

	struct user user; /* whom the command runs as */
	struct guest_spec guest; /* points into this struct */
	struct guest_mount root;
	struct guest_mount mount[MAX_SHARES];
	const char *modules[16];
	struct hide_list hide; /* what of the root the guest does not see */
	char **env; /* ends with NULL; the strings are kept */
	const char *shell[2];
	char *cmdline;
	enum firmware firmware; /* how the guest learns of its devices */

	/* Strings that the above point to, freed together. */
	char **kept;
	size_t nkept;
	struct notes notes; /* what the user should know */
};

/*
 * 0, or a negative errno with a sentence. opt must outlive the plan. With tty, the command gets a
 * terminal of rows × columns. plan_free() is right after either.
 */
int plan_make(struct plan *plan, struct run_options *opt, bool tty, unsigned int rows,
	      unsigned int columns, struct why *why);
/*
 * Adds to the command line what the guest is told there of its machine. 0, or -ENOMEM with a sentence.
 */
int plan_describe(struct plan *plan, const struct platform *platform, struct why *why);
void plan_free(struct plan *plan);

#endif
