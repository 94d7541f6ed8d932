/* SPDX-License-Identifier: MIT */
/*
 * Getting a kernel into guest memory: what a kernel file is, where its parts go, and what the vCPU
 * must find when it starts. Set-up functions return 0 or a negative errno with a sentence in *why.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/kconfig.h"
#include "boot/platform.h"
#include "boot/why.h"

enum kernel_format {
	KERNEL_BZIMAGE, /* Linux boot protocol ≥ 2.12 with XLF_KERNEL_64 */
	KERNEL_ELF,	/* ELF64 x86-64: a vmlinux */
	KERNEL_PACKED,	/* vmlinux.gz, .xz, .zst: for kernel_unpack(), not to be loaded */
};

/* An opened kernel file. Owned by the caller; kernel_close() unmaps and closes it. */
struct kernel {
	const char *path; /* borrowed from kernel_open()'s caller */
	int fd;
	const uint8_t *data; /* the file, mapped */
	size_t size;
	enum kernel_format format;
	char release[128]; /* "6.1.0-18-amd64", as uname -r says; "" if the file does not tell */
};

/*
 * Maps the file and recognises its format by content.
 * -ENOENT, -EACCES, …: it cannot be opened; -ENOEXEC: not a kernel we can boot (32-bit, other
 * processor, no entry point, truncated …).
 */
int kernel_open(struct kernel *kernel, const char *path, struct why *why);
void kernel_close(struct kernel *kernel);

/*
 * The ELF inside a bzImage (payload_offset/payload_length, boot protocol ≥ 2.08) or a packed file,
 * decompressed (xz, zstd, gzip). *elf is malloc'd, the caller frees it. -ENOTSUP: a compression we do
 * not know; -ENOEXEC: what comes out is no ELF file.
 */
int kernel_unpack(const struct kernel *kernel, uint8_t **elf, size_t *size, struct why *why);

/*
 * Takes the zeros at the end of each segment out of what is to be loaded: what kernel_unpack() gives has a large
 * .bss in the file. Guest memory is zero anyway.
 */
void kernel_trim(uint8_t *elf, size_t size);

/*
 * What kernel_unpack() gave, in a file: fd, which is taken over, also on failure. Sentences name the packed
 * one. kernel->format becomes KERNEL_ELF.
 */
int kernel_open_unpacked(struct kernel *kernel, const struct kernel *packed, int fd,
			 struct why *why);

/* What an ELF kernel says itself of its configuration; NULL if it does not, and of other formats. */
struct kconfig *kernel_config(const struct kernel *kernel);

/*
 * What the first vCPU starts with: the 64-bit entry of the Linux boot protocol, with the page tables and
 * the GDT at their fixed places.
 */
struct boot_entry {
	uint64_t rip;
	uint64_t params; /* gpa of boot_params: rsi */
};

/* How the guest learns of its machine. */
enum firmware {
	FIRMWARE_ACPI,	  /* ACPI tables */
	FIRMWARE_DTB,	  /* a device tree, for CONFIG_OF */
	FIRMWARE_CMDLINE, /* an MP table, and words for CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES */
};

/* Where the tables for it are; 0: there is no such. */
struct boot_tables {
	uint64_t rsdp;	     /* ACPI's root pointer */
	uint64_t setup_data; /* a struct setup_data of the boot protocol, with the device tree */
};

/*
 * Writes the tables that describe the machine to the area at BOOT_TABLES_GPA. -EINVAL: what the tables
 * cannot say is a mistake in the description; -ENOMEM: there is no such area.
 */
int firmware_write(enum firmware firmware, const struct platform *platform,
		   const struct boot_mem *mem, struct boot_tables *tables, struct why *why);
/*
 * Writes the device tree to buf, as FIRMWARE_DTB has it. Returns its size, or -ENOSPC if it is more than
 * cap.
 */
int firmware_device_tree(const struct platform *platform, void *buf, size_t cap);
/*
 * Writes the words that FIRMWARE_CMDLINE adds to the command line, a space between, and a NUL. Returns
 * their length, which may be more than cap, as snprintf() does.
 */
size_t firmware_words(const struct platform *platform, char *buf, size_t cap);

/*
 * Loading a KERNEL_BZIMAGE or KERNEL_ELF, in this order:
 *   kernel_load()    copies the kernel's parts to memory that is still as new, all of it zero, and
 *                    says where the initramfs may begin;
 *   (the caller writes the initramfs to [*initrd_gpa, …) with the cpio functions)
 *   kernel_finish()  writes the command line, the memory map and the parameters block.
 * -ENOMEM: RAM is too small (the sentence says how much is needed).
 */
int kernel_load(const struct kernel *kernel, const struct boot_mem *mem, uint64_t *initrd_gpa,
		struct why *why);
int kernel_finish(const struct kernel *kernel, const struct boot_mem *mem,
		  const struct platform *platform, const char *cmdline, uint64_t initrd_gpa,
		  uint64_t initrd_size, const struct boot_tables *tables,
		  struct boot_entry *entry, struct why *why);

/*
 * Fixed places in the first MiB, below everything the kernel is loaded to. All lie in RAM that the
 * memory map gives as usable, but for the area of tables, which it reserves.
 */
#define BOOT_GDT_GPA	 0x00000500ull
#define BOOT_ZERO_GPA	 0x00007000ull
#define BOOT_PT_GPA	 0x00009000ull /* PML4, PDPT, 4 PDs: 6 pages, maps 4 GiB one to one */
#define BOOT_CMDLINE_GPA 0x00020000ull
#define BOOT_CMDLINE_MAX 0x00010000u
#define BOOT_TABLES_GPA	 0x000e0000ull
#define BOOT_TABLES_SIZE 0x00020000u

/* ---- an initramfs, written in place ("newc" cpio: kernel Documentation, buffer-format) ---- */

/* A cpio archive being written to a buffer that the caller owns. After an error (no room) every
 * further call is a no-op and cpio_end() reports it. */
struct cpio {
	uint8_t *buf;
	size_t cap;
	size_t len;
	uint32_t ino;
	int err;
};

void cpio_begin(struct cpio *cpio, void *buf, size_t cap);
/* Appends a file as it is (a user's initrd, compressed or not), from where it stands to its end, padded to
 * 4 bytes. 0, or the error that sticks: -ENOSPC, or read(2)'s. */
int cpio_read(struct cpio *cpio, int fd);
/* Paths are relative ("dev/console"). Parent folders are not made by themselves. */
void cpio_dir(struct cpio *cpio, const char *path, unsigned int mode);
void cpio_file(struct cpio *cpio, const char *path, unsigned int mode, const void *data, size_t len);
/*
 * A file of size bytes that are read from the beginning of fd to where they go. Returns where that is, or NULL:
 * an error sticks, as of cpio_file(), read(2)'s, or -EIO if there are fewer bytes.
 */
const uint8_t *cpio_file_from(struct cpio *cpio, const char *path, unsigned int mode, int fd, size_t size);
void cpio_symlink(struct cpio *cpio, const char *path, const char *target);
void cpio_chardev(struct cpio *cpio, const char *path, unsigned int mode, unsigned int major,
		  unsigned int minor);
/*
 * Writes the trailer. 0, or -ENOSPC if the buffer was too small, -EFBIG for a file over 4 GiB,
 * -ENAMETOOLONG for a path or target that the kernel would pass over (PATH_MAX).
 */
int cpio_end(struct cpio *cpio);

/* ---- kernel modules ---- */

struct module_list {
	char **path; /* absolute paths on the host, in the order to load them; malloc'd */
	size_t n;
};

/*
 * Finds each name (dashes and underscores are alike) and all it depends on, in load order, from
 * DIR/modules.dep.bin, or DIR/modules.dep if that is not there, or DIR/modules.order and the modules themselves;
 * what DIR/modules.builtin has is skipped. DIR is a /lib/modules/VERSION, or the tree that they were built in.
 * A name that ends with '?' may be missing. -ENOENT names every missing one; nothing is leaked.
 */
int modules_resolve(struct module_list *list, const char *dir, const char *const *names, size_t n,
		    struct why *why);
void module_list_free(struct module_list *list);

/*
 * Writes the module that path is to inside (a path as of cpio_file()), unpacking .ko.xz, .ko.zst and .ko.gz. 0, or a
 * negative errno with a sentence; that the archive has no room is left to it (cpio->err), and 0.
 */
int module_write(struct cpio *cpio, const char *inside, unsigned int mode, const char *path,
		 struct why *why);

#endif
