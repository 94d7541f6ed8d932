// SPDX-License-Identifier: MIT
/*
 * initrd OUT MODULES_DIR FILE:PATH…: writes the initramfs of the guests that are measured, the same
 * for every VMM: modules for 9P over virtio-mmio and virtio-pci, in /modules, and files or folders of
 * this machine, programs with their libraries.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/host/hostrun.h"

#define ARCHIVE_MAX (1ull << 30)

static const char *const modules[] = {"virtio_mmio", "virtio_pci", "9p", "9pnet_virtio"};

/* Numbered, in the order to load them. */
static int add_modules(struct archive *archive, const char *dir, struct why *why)
{
	struct module_list list;
	int ret = modules_resolve(&list, dir, modules, sizeof(modules) / sizeof(modules[0]), why);

	if (ret)
		return ret;
	ret = archive_dir(archive, "/modules", why);
	for (size_t i = 0; i < list.n && !ret; i++) {
		char path[64];

		snprintf(path, sizeof(path), "modules/%03zu.ko", i);
		ret = module_write(&archive->cpio, path, 0644, list.path[i], why);
	}
	module_list_free(&list);
	return ret;
}

static int add_file(struct archive *archive, char *spec, struct why *why)
{
	char *colon = strrchr(spec, ':');

	if (!colon || colon[1] != '/')
		return why_fail(why, -EINVAL, "%s is not FILE:PATH", spec);
	*colon = '\0';
	return archive_add(archive, spec, colon + 1, why);
}

/*
 * QEMU's microvm puts an initramfs as high as it goes, from the start of a page on, and its firmware
 * puts the ACPI tables into the last KiB of memory, on top of it or below: a kernel with the remains of
 * those hangs early. So the last page is to be almost empty. Zeros after an archive mean nothing, and
 * the buffer has them.
 */
static size_t padded(size_t size)
{
	return (size + 4095) / 4096 * 4096 + 4;
}

static int write_out(const char *path, const void *data, size_t size, struct why *why)
{
	FILE *file = fopen(path, "w");
	size_t written = file ? fwrite(data, 1, size, file) : 0;

	if (!file || fclose(file) || written != size)
		return why_fail(why, errno ? -errno : -EIO, "%s cannot be written: %s", path,
				strerror(errno));
	return 0;
}

int main(int argc, char **argv)
{
	struct archive archive = {.prefix = ""};
	struct why why = {""};
	void *buf;
	int ret = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: initrd OUT MODULES_DIR FILE:PATH…\n");
		return 125;
	}
	buf = mmap(NULL, ARCHIVE_MAX, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (buf == MAP_FAILED) {
		perror("initrd");
		return 125;
	}
	cpio_begin(&archive.cpio, buf, ARCHIVE_MAX - padded(0) - 4096);
	ret = add_modules(&archive, argv[2], &why);
	for (int i = 3; i < argc && !ret; i++)
		ret = add_file(&archive, argv[i], &why);
	if (!ret && cpio_end(&archive.cpio))
		ret = why_fail(&why, archive.cpio.err, "the files are too large for an initramfs");
	if (!ret)
		ret = write_out(argv[1], buf, padded(archive.cpio.len), &why);
	archive_free(&archive);
	if (ret)
		fprintf(stderr, "initrd: %s\n", why.text);
	return ret ? 125 : 0;
}
