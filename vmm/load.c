// SPDX-License-Identifier: MIT
#include "vmm/load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An own initramfs of the user's: mapped, copied into the archive, done. */
static int add_initrd(struct cpio *cpio, const char *path, struct why *why)
{
	char *buf = NULL;
	size_t len = 0, cap = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd < 0)
		return why_fail(why, -errno, "--initrd: %s cannot be read: %s", path,
				strerror(errno));
	do {
		len += (size_t)n;
		if (cap - len < 65536) {
			char *grown = realloc(buf, cap = cap * 2 + 65536);

			if (!grown) {
				errno = ENOMEM;
				n = -1;
				break;
			}
			buf = grown;
		}
		n = read(fd, buf + len, cap - len);
	} while (n > 0);
	if (n < 0)
		n = why_fail(why, -errno, "--initrd: %s cannot be read: %s", path, strerror(errno));
	else
		cpio_raw(cpio, buf, len);
	if (n == 0 && cpio->err)
		n = why_fail(why, -ENOMEM,
			     "--initrd: %s, %zu MiB, does not fit into the guest's memory: give more with "
			     "--mem",
			     path, len >> 20);
	free(buf);
	close(fd);
	return (int)n;
}

int load_guest(struct machine *machine, const struct plan *plan, struct boot_entry *entry,
	       struct why *why)
{
	struct boot_mem mem = vm_low_ram(&machine->vm);
	uint64_t initrd_gpa, rsdp_gpa;
	struct kernel kernel;
	struct cpio cpio;
	int err;

	err = kernel_open(&kernel, plan->kernel.path, why);
	if (err)
		return err;
	err = kernel_load(&kernel, &mem, &initrd_gpa, why);
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
	err = acpi_write(&machine->platform, &mem, &rsdp_gpa, why);
	if (!err)
		err = kernel_finish(&kernel, &mem, &machine->platform, plan->cmdline,
				    initrd_gpa, cpio.len, rsdp_gpa, entry, why);
out:
	kernel_close(&kernel);
	return err;
}
