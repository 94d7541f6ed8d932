// SPDX-License-Identifier: MIT
#include "boot/tree_index.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <elf.h>

#include "boot/module_files.h"
#include "boot/unpack.h"

#define LINE_MAX_SIZE 65536 /* of dependencies; Linux's have a few hundred bytes */

/* Where the file is that modules.order calls path, below dir: "" if it is not there. */
static void find_file(const char *dir, struct span path, char found[PATH_MAX])
{
	static const char *const packed[] = { "", ".xz", ".zst", ".gz" };
	static const char installed[] = "kernel/"; /* old trees write this, too, for which there is no folder */
	char file[PATH_MAX];

	found[0] = '\0';
	/* Linux 6.3 and later name the object. */
	if (path.len > 2 && !memcmp(path.at + path.len - 2, ".o", 2))
		path.len -= 2;
	else if (path.len > 3 && !memcmp(path.at + path.len - 3, ".ko", 3))
		path.len -= 3;
	for (size_t i = 0; i < 2 * sizeof(packed) / sizeof(packed[0]); i++) {
		struct span rest = path;

		if (i % 2) {
			if (rest.len < strlen(installed) ||
			    memcmp(rest.at, installed, strlen(installed)))
				continue;
			rest.at += strlen(installed);
			rest.len -= strlen(installed);
		}
		if (snprintf(found, PATH_MAX, "%.*s.ko%s", (int)rest.len, rest.at, packed[i / 2]) <
			    PATH_MAX &&
		    snprintf(file, sizeof(file), "%s/%s", dir, found) < PATH_MAX &&
		    access(file, F_OK) == 0)
			return;
	}
	found[0] = '\0';
}

/* The line of modules.order whose file is the module called name, as a path. */
static bool find_entry(struct span order, struct span name, struct span *path)
{
	while (span_cut(&order, '\n', path)) {
		struct span base = span_base(*path);

		if (base.len < name.len + 2 || base.at[name.len] != '.')
			continue;
		base.len = name.len;
		for (size_t i = 0; i < name.len && base.len; i++)
			if (module_fold(base.at[i]) != module_fold(name.at[i]))
				base.len = 0;
		if (base.len)
			return true;
	}
	return false;
}

/* ---- what a module says of itself ---- */

static bool get_section(struct span elf, uint64_t table, unsigned int i, Elf64_Shdr *section)
{
	memcpy(section, elf.at + table + i * sizeof(*section), sizeof(*section));
	return section->sh_offset <= elf.len && section->sh_size <= elf.len - section->sh_offset;
}

/* The contents of .modinfo: "KEY=VALUE", each with a NUL. */
static bool find_modinfo(struct span elf, struct span *modinfo)
{
	static const char wanted[] = ".modinfo";
	Elf64_Shdr names, section;
	Elf64_Ehdr header;

	if (elf.len < sizeof(header))
		return false;
	memcpy(&header, elf.at, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_shentsize != sizeof(section) || header.e_shoff > elf.len ||
	    header.e_shnum > (elf.len - header.e_shoff) / sizeof(section) ||
	    header.e_shstrndx >= header.e_shnum ||
	    !get_section(elf, header.e_shoff, header.e_shstrndx, &names))
		return false;
	for (unsigned int i = 0; i < header.e_shnum; i++) {
		if (!get_section(elf, header.e_shoff, i, &section) ||
		    section.sh_type != SHT_PROGBITS || section.sh_name > names.sh_size ||
		    names.sh_size - section.sh_name < sizeof(wanted) ||
		    memcmp(elf.at + names.sh_offset + section.sh_name, wanted, sizeof(wanted)))
			continue;
		*modinfo = (struct span){ elf.at + section.sh_offset, section.sh_size };
		return true;
	}
	return false;
}

/* The names that the module depends on, "netfs,9pnet". */
static bool find_depends(struct span elf, struct span *depends)
{
	static const char key[] = "depends=";
	struct span modinfo, entry;

	if (!find_modinfo(elf, &modinfo))
		return false;
	while (span_cut(&modinfo, '\0', &entry)) {
		if (entry.len < strlen(key) || memcmp(entry.at, key, strlen(key)))
			continue;
		*depends = (struct span){ entry.at + strlen(key), entry.len - strlen(key) };
		return true;
	}
	return false;
}

static int write_line(const char *dir, struct span order, const char *path, struct span depends,
		      char **line)
{
	size_t used = 0, cap = LINE_MAX_SIZE;
	struct span name;
	char *text = malloc(cap);

	if (!text)
		return -ENOMEM;
	used = (size_t)snprintf(text, cap, "%s:", path);
	while (span_cut(&depends, ',', &name)) {
		char file[PATH_MAX] = "";
		struct span entry;

		if (!name.len)
			continue;
		if (find_entry(order, name, &entry))
			find_file(dir, entry, file);
		/* One that is not there is missed by its name. */
		used += (size_t)(file[0] ? snprintf(text + used, cap - used, " %s", file)
					 : snprintf(text + used, cap - used, " %.*s.ko",
						    (int)(name.len < NAME_MAX ? name.len : NAME_MAX),
						    name.at));
		if (used >= cap) {
			free(text);
			return -EFBIG;
		}
	}
	*line = text;
	return 1;
}

int tree_index_find(const char *dir, struct span order, struct span name, char **line,
		    struct why *why)
{
	char path[PATH_MAX], file[2 * PATH_MAX];
	struct span entry, packed, elf, depends;
	uint8_t *unpacked = NULL;
	int ret;

	if (!name.len || !find_entry(order, name, &entry))
		return 0;
	find_file(dir, entry, path);
	if (!path[0])
		return why_fail(why, -ENOENT,
				"%s/modules.order has a module %.*s whose file is not there; build the "
				"modules, e.g. with `make modules`.",
				dir, (int)(name.len < NAME_MAX ? name.len : NAME_MAX), name.at);
	snprintf(file, sizeof(file), "%s/%s", dir, path);
	ret = module_map(file, MODULE_MAX, &packed);
	if (ret)
		return why_fail(why, ret, "The module %s cannot be read: %s.", file, strerror(-ret));
	elf = packed;
	if (packing_of((const uint8_t *)packed.at, packed.len) != PACKING_NONE) {
		ret = unpack((const uint8_t *)packed.at, packed.len, MODULE_MAX, &unpacked, &elf.len);
		elf.at = (const char *)unpacked;
	}
	if (ret || !find_depends(elf, &depends))
		ret = why_fail(why, -ENOEXEC,
			       "%s is not a kernel module, or is damaged; build it again.", file);
	else
		ret = write_line(dir, order, path, depends, line);
	if (ret == -ENOMEM || ret == -EFBIG)
		why_fail(why, ret, "The dependencies of the module %s cannot be held: %s.", file,
			 strerror(-ret));
	free(unpacked);
	module_unmap(&packed);
	return ret;
}
