/* SPDX-License-Identifier: MIT */
/*
 * Shared folders as another program's configuration describes them: libvirt's XML with the commands
 * that people paste around it, or QEMU's -virtfs, -fsdev and -device.
 *
 * Reading keeps everything as it was written and where it stands, and judges nothing: what ninepin
 * makes of it is foreign_to_shares()'s business, and what another program would is the doctor's.
 */
#ifndef VMM_FOREIGN_FOREIGN_H
#define VMM_FOREIGN_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "boot/why.h"
#include "vmm/notes.h"
#include "vmm/share.h"

/*
 * Something that the configuration says: its value as written, without quotes and entities, and
 * where it begins, both from 1. Of an XML attribute that is where its element's `<` is; of QEMU's
 * words, where the word is. Columns count characters, a tab being one. text is NULL where nothing
 * is said.
 */
struct foreign_word {
	char *text;
	unsigned int line, column;
};

enum foreign_program {
	FOREIGN_LIBVIRT,
	FOREIGN_QEMU,
};

/* <idmap>'s <uid start= target= count=> */
struct foreign_ids {
	bool group;		   /* <gid> */
	struct foreign_word range; /* "GUEST:HOST:COUNT" */
};

/* One <filesystem>, -virtfs, or -fsdev with its -device. */
struct foreign_share {
	struct foreign_word self;      /* "<filesystem>", "-virtfs" or "-fsdev" */
	struct foreign_word type;      /* type=: mount, template, …; QEMU's local, synth, proxy */
	struct foreign_word driver;    /* <driver type=>: path, handle, virtiofs, loop, … */
	struct foreign_word path;      /* <source dir=>, path= */
	struct foreign_word tag;       /* <target dir=>, mount_tag=; QEMU and the guest take it for a
					  tag even where it begins with '/' */
	struct foreign_word model;     /* accessmode=, security_model=: passthrough, mapped,
					  mapped-xattr, mapped-file, squash, none: foreign_model() */
	struct foreign_word readonly;  /* there if it is read-only: "<readonly/>", "readonly=on" */
	struct foreign_word writeout;  /* wrpolicy=, writeout= */
	struct foreign_word fmode;     /* octal in libvirt, in QEMU only with a 0 before it */
	struct foreign_word dmode;
	struct foreign_word multidevs;
	struct foreign_word address;   /* <address type=>: pci, ccw, …; addr= of -device */
	struct foreign_word id;	       /* id= of -fsdev or -virtfs; libvirt's <alias name=> */
	struct foreign_ids *ids;       /* <idmap> */
	size_t nids;
	struct foreign_word *other;    /* the rest: "<space_hard_limit>", "<driver queue='1024'>",
					  "throttling.bps-total=1" */
	size_t nother;
};

/* A command among the lines around the XML, or a line of an fstab. */
struct foreign_command {
	struct foreign_word line; /* as pasted, without a prompt and sudo */
	/* of one that mounts 9P: */
	struct foreign_word tag;     /* the source: which share is meant */
	struct foreign_word place;   /* an absolute path in the guest */
	struct foreign_word options; /* all -o, with a comma between */
};

struct foreign {
	enum foreign_program program;
	char *origin; /* the file's name, as given; "--virtfs" */
	struct foreign_share *share;
	size_t nshares;
	struct foreign_command *command;
	size_t ncommands;
	/* What else was there, and was not read: "<domain>", or QEMU's "-m". */
	struct foreign_word *other;
	size_t nother;
};

/*
 * A libvirt domain, or any number of <devices> and <filesystem> elements with lines of text around
 * them. -EINVAL with the line and column, or what open(2) and read(2) say. f must be zeroed, as in
 * all of these; foreign_free() is right after each.
 */
int foreign_read_libvirt(struct foreign *f, const char *path, struct why *why);
/* The same of len bytes that origin had. */
int foreign_parse_libvirt(struct foreign *f, const char *origin, const char *text, size_t len,
			  struct why *why);
/*
 * What follows QEMU's -virtfs: "local,path=…,mount_tag=…", or words of a QEMU command line with any
 * number of -virtfs, -fsdev and -device, quoted as for a shell. -EINVAL with a sentence.
 */
int foreign_read_virtfs(struct foreign *f, const char *text, struct why *why);
void foreign_free(struct foreign *f);

/*
 * Which of QEMU's models a share asks for: "passthrough", "mapped-xattr", "mapped-file" or "none".
 * libvirt's default is passthrough; QEMU has none and wants to be told: NULL, and so if the word
 * is unknown.
 */
const char *foreign_model(const struct foreign *f, const struct foreign_share *share);
/* The command that mounts a share, the last one counting; NULL: none. */
const struct foreign_command *foreign_mount(const struct foreign *f,
					    const struct foreign_share *share);
/* "guest.xml:3:5", or "--virtfs" where a position would help nobody. Returns to. */
const char *foreign_at(const struct foreign *f, const struct foreign_word *word, char *to,
		       size_t size);

/*
 * The shares that ninepin makes of it: at most room of them from to on, which must be zeroed; *n is
 * set to their number also on failure. What cannot be had, or means something else than people
 * think, goes into notes. -EINVAL with a sentence, also if there is nothing to share.
 */
int foreign_to_shares(const struct foreign *f, struct share_options *to, unsigned int room,
		      unsigned int *n, struct notes *notes, struct why *why);
/* What there is to say, as a failure, of one in which nothing is shared. -EINVAL. */
int foreign_no_share(const struct foreign *f, struct why *why);

#endif
