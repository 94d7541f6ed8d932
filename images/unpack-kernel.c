// SPDX-License-Identifier: MIT
/*
 * unpack-kernel BZIMAGE VMLINUX: writes the ELF that is inside a kernel file, so that a guest need
 * not unpack it at each boot.
 */
#include "boot/boot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int write_file(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "wx");
	size_t written;

	if (!file)
		return -errno;
	written = fwrite(data, 1, size, file);
	if (fclose(file) || written != size)
		return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	struct kernel kernel;
	struct why why = { "" };
	uint8_t *elf = NULL;
	size_t size;
	int err;

	if (argc != 3) {
		fprintf(stderr, "usage: unpack-kernel BZIMAGE VMLINUX\n");
		return 125;
	}
	err = kernel_open(&kernel, argv[1], &why);
	if (err)
		goto out;
	err = kernel_unpack(&kernel, &elf, &size, &why);
	if (err)
		goto out_close;
	err = write_file(argv[2], elf, size);
	if (err)
		why_fail(&why, err, "%s: cannot be written: %s.", argv[2], strerror(-err));
	free(elf);
out_close:
	kernel_close(&kernel);
out:
	if (!err)
		return 0;
	fprintf(stderr, "unpack-kernel: %s\n", why.text);
	return 125;
}
