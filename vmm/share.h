/* SPDX-License-Identifier: MIT */
/* One shared folder, as a user asks for it: --share HOST[:GUEST][:ro][,OPTION…]. */
#ifndef VMM_SHARE_H
#define VMM_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/why.h"
#include "ninep/p9.h"
#include "vmm/notes.h"

/* What the guest's virtio transport takes at most: PAGE_SIZE × (128 - 3). More is clamped there. */
#define SHARE_MSIZE_MAX 512000u

/* All strings are malloc'd and the options' own. */
struct share_options {
	char *host;   /* as given; the folder on the host */
	char *guest;  /* where it appears; NULL: where the root says */
	char *tag;    /* 9P mount tag; NULL: made up */
	char *cache;  /* as in mount(8)'s cache= for 9p */
	char *access; /* as its access=; NULL: the client's own default */
	uint32_t msize;
	bool posixacl;
	bool model_set; /* else it depends on who runs ninepin: share_settle() */
	bool foreign;	/* of another program's configuration: what cannot be had is replaced */
	struct p9_share_config config;
	char *mount; /* a word of it that concerns only how a guest mounts it, as given; NULL: none */
};

/* What a share is without options. -ENOMEM. share must be zeroed. */
int share_options_init(struct share_options *share, struct why *why);
/* One share, as after --share. share must be zeroed; share_options_free() is right after either. */
int share_options_parse(struct share_options *share, const char *text, struct notes *notes,
			struct why *why);
/* One of its options, as between two commas. -EINVAL with a sentence. */
int share_option(struct share_options *share, const char *word, struct notes *notes,
		 struct why *why);
/*
 * Splits the next comma-separated word off *rest, in place; two commas are one that is meant. NULL
 * after the last.
 */
char *share_next_word(char **rest);
/*
 * After all options are known: whoever runs ninepin, and the uid and gid that the guest's command
 * runs as, decide what is not yet decided. SHARE_NO_GUEST for both: there is no guest, and everybody
 * is the same on both sides. -EPERM with a sentence: the model needs a privilege.
 */
#define SHARE_NO_GUEST UINT32_MAX
int share_settle(struct share_options *share, uint32_t guest_uid, uint32_t guest_gid,
		 struct notes *notes, struct why *why);
void share_options_free(struct share_options *share);

/* The option's word for it: "mapped-xattr". */
const char *share_model_name(enum p9_model model);

#endif
