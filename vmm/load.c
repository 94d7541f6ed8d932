// SPDX-License-Identifier: MIT
#include "vmm/load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An own initramfs of the user's, read to where the guest finds it. */
static int add_initrd(struct cpio *cpio, const char *path, struct why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return why_fail(why, -errno, "--initrd: %s cannot be read: %s", path,
				strerror(errno));
	err = cpio_read(cpio, fd);
	if (err == -ENOSPC)
		err = why_fail(why, -ENOMEM,
			       "--initrd: %s does not fit into the guest's memory: give more with "
			       "--mem",
			       path);
	else if (err)
		why_fail(why, err, "--initrd: %s cannot be read: %s", path, strerror(-err));
	close(fd);
	return err;
}

/* As large as the area that a guest's copy has. */
static int dump_tree(const struct platform *platform, const char *path, struct why *why)
{
	uint8_t *tree = malloc(BOOT_TABLES_SIZE);
	int size, err = 0;
	FILE *f;

	if (!tree)
		return why_fail(why, -ENOMEM, "no memory left for the device tree");
	size = firmware_device_tree(platform, tree, BOOT_TABLES_SIZE);
	f = fopen(path, "we");
	if (!f || fwrite(tree, 1, (size_t)size, f) != (size_t)size)
		err = -errno;
	if (f && fclose(f) && !err)
		err = -errno;
	free(tree);
	return err ? why_fail(why, err, "--dump-dtb: %s cannot be written: %s", path, strerror(-err)) :
		     0;
}

int load_guest(struct machine *machine, struct plan *plan, struct boot_entry *entry,
	       struct why *why)
{
	struct boot_mem mem = vm_low_ram(&machine->vm);
	struct kernel *kernel = &plan->kernel.kernel;
	struct boot_tables tables;
	uint64_t initrd_gpa;
	struct cpio cpio;
	int err;

	err = kernel_load(kernel, &mem, &initrd_gpa, why);
	if (err)
		goto out;
	cpio_begin(&cpio, boot_slice(&mem, initrd_gpa, mem.size - initrd_gpa),
		   mem.size - initrd_gpa);
	if (plan->opt->initrd)
		err = add_initrd(&cpio, plan->opt->initrd, why);
	if (!err)
		err = guest_write(&cpio, &plan->guest, why);
	if (!err && cpio_end(&cpio) < 0)
		err = -ENOSPC;
	if (err == -ENOSPC)
		why_fail(why, err, "the initramfs does not fit into %" PRIu64
				   " MiB of memory beside the kernel: give more with --mem",
			 plan->opt->ram >> 20);
	if (err)
		goto out;
	err = plan_describe(plan, &machine->platform, why);
	if (!err)
		err = firmware_write(plan->firmware, &machine->platform, &mem, &tables, why);
	if (!err && plan->opt->dump_dtb)
		err = dump_tree(&machine->platform, plan->opt->dump_dtb, why);
	if (!err)
		err = kernel_finish(kernel, &mem, &machine->platform, plan->cmdline,
				    initrd_gpa, cpio.len, &tables, entry, why);
out:
	/* It may be memory. */
	kernel_close(kernel);
	return err;
}
