/* SPDX-License-Identifier: MIT */
/* What a guest's kernel must have for a plan, and which of it are modules. */
#ifndef VMM_NEEDS_H
#define VMM_NEEDS_H

#include <stdbool.h>

#include "boot/why.h"
#include "virtio/mmio.h"

struct plan;

/* Whether the chosen kernel can lay a tmpfs over a read-only root; if nobody can know, it is taken to. */
bool needs_has_overlay(const struct plan *plan);
/* Chooses how the guest learns of its machine: by ACPI if nothing is known. */
void needs_firmware(struct plan *plan);
/* Fills in the modules that the guest loads. The plan is otherwise made. */
void needs_modules(struct plan *plan);
/*
 * 0 if the kernel has all that it needs, or its configuration is not known. -ENOTSUP with a sentence that names
 * all that is missing. What is a module, but not in the folder of modules, is not looked for here where there is
 * such a folder: modules_resolve() will tell.
 */
int needs_check(struct plan *plan, struct why *why);
/* For a guest whose init said nothing: what its kernel has done with the console's device, to go on "before its
 * init ran"; "" if a driver used it. */
const char *needs_unmet(const struct virtio_dev *console);

#endif
