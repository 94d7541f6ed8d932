// SPDX-License-Identifier: MIT
#include "vmm/share.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/options.h"

/* Shared mappings work with it, and edits on the host are seen. */
#define DEFAULT_CACHE "mmap"

static const struct {
	const char *word;
	enum p9_model model;
} models[] = {
	/* The first of each is its name; what comes later is what others call it. */
	{ "passthrough", P9_MODEL_PASSTHROUGH },
	{ "mapped-xattr", P9_MODEL_MAPPED },
	{ "none", P9_MODEL_NONE },
	{ "idmap", P9_MODEL_IDMAP },
	{ "mapped", P9_MODEL_MAPPED },
	{ "squash", P9_MODEL_NONE },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *share_model_name(enum p9_model model)
{
	size_t i = 0;

	while (models[i].model != model)
		i++;
	return models[i].word;
}

/* A word that says how the guest mounts the share. */
static int mount_word(struct share_options *share, const char *word, struct why *why)
{
	return option_string(&share->mount, word, why);
}

/* ---- the options, each by its value ---- */

static int read_only(struct share_options *share, bool ro)
{
	if (ro)
		share->config.flags |= P9_SHARE_RO;
	else
		share->config.flags &= ~P9_SHARE_RO;
	return 0;
}

static int opt_cache(struct share_options *share, const char *value, struct notes *notes,
		     struct why *why)
{
	static const char *const caches[] = { "none", "readahead", "mmap", "loose", "fscache" };

	for (size_t i = 0; i < COUNT(caches); i++) {
		if (strcmp(value, caches[i]) != 0)
			continue;
		if (!strcmp(value, "loose") || !strcmp(value, "fscache"))
			notes_add(notes,
				  "cache=%s: what the host changes in the folder meanwhile, the guest "
				  "may see late or never; cache=mmap does not have that",
				  value);
		return option_string(&share->cache, value, why);
	}
	return why_fail(why, -EINVAL,
			"--share: cache=%s is none of none, readahead, mmap, loose and fscache", value);
}

static int opt_msize(struct share_options *share, const char *value, struct notes *notes,
		     struct why *why)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (!isdigit((unsigned char)*value) || *end || n < P9_MSIZE_MIN || n > INT32_MAX)
		return why_fail(why, -EINVAL,
				"--share: msize=%s is not a number of bytes from %u to %u", value,
				P9_MSIZE_MIN, SHARE_MSIZE_MAX);
	if (n > SHARE_MSIZE_MAX) {
		notes_add(notes,
			  "msize=%s: the guest's virtio transport takes %u bytes at most, so msize=%u "
			  "is used",
			  value, SHARE_MSIZE_MAX, SHARE_MSIZE_MAX);
		n = SHARE_MSIZE_MAX;
	}
	share->msize = (uint32_t)n;
	return 0;
}

static int opt_access(struct share_options *share, const char *value, struct notes *notes,
		      struct why *why)
{
	size_t digits = strspn(value, "0123456789");

	(void)notes;
	if (strcmp(value, "user") && strcmp(value, "client") && strcmp(value, "any") &&
	    (value[digits] || !digits || digits > 10 || strtoul(value, NULL, 10) >= UINT32_MAX))
		return why_fail(why, -EINVAL,
				"--share: access=%s is none of user, client, any and a user's number",
				value);
	return option_string(&share->access, value, why);
}

static int opt_tag(struct share_options *share, const char *value, struct notes *notes,
		   struct why *why)
{
	(void)notes;
	if (!*value || strlen(value) > 31 || strpbrk(value, " \t/"))
		return why_fail(why, -EINVAL,
				"--share: tag=%s: a tag is one word of at most 31 letters", value);
	return option_string(&share->tag, value, why);
}

static int opt_multidevs(struct share_options *share, const char *value, struct notes *notes,
			 struct why *why)
{
	static const struct {
		const char *word;
		unsigned int flag;
	} words[] = {
		{ "remap", 0 },
		{ "forbid", P9_SHARE_FORBID_MULTIDEVS },
		{ "warn", P9_SHARE_WARN_MULTIDEVS },
	};

	(void)notes;
	for (size_t i = 0; i < COUNT(words); i++) {
		if (strcmp(value, words[i].word) != 0)
			continue;
		share->config.flags &= ~(P9_SHARE_FORBID_MULTIDEVS | P9_SHARE_WARN_MULTIDEVS);
		share->config.flags |= words[i].flag;
		return 0;
	}
	return why_fail(why, -EINVAL, "--share: multidevs=%s is none of remap, forbid and warn",
			value);
}

static int opt_model(struct share_options *share, const char *value, struct notes *notes,
		     struct why *why)
{
	(void)notes;
	for (size_t i = 0; i < COUNT(models); i++) {
		if (strcmp(value, models[i].word) != 0)
			continue;
		share->config.model = models[i].model;
		share->model_set = true;
		return 0;
	}
	if (!strcmp(value, "mapped-file"))
		return why_fail(why, -EINVAL,
				"--share: security_model=mapped-file keeps owners in files of its own, "
				"which ninepin does not: use mapped-xattr");
	return why_fail(why, -EINVAL,
			"--share: security_model=%s is none of passthrough, mapped-xattr, none and "
			"idmap",
			value);
}

static int set_mode(uint32_t *mode, const char *name, const char *value, uint32_t least,
		    struct why *why)
{
	char *end;
	unsigned long n = strtoul(value, &end, 8);

	if (!isdigit((unsigned char)*value) || *end || n > 0777)
		return why_fail(why, -EINVAL, "--share: %s=%s is not a mode such as 0%o: three "
					      "octal digits",
				name, value, least);
	/* Else whoever serves the folder could not get at what it has just made. */
	if ((n & least) != least)
		return why_fail(why, -EINVAL,
				"--share: %s=%s keeps the owner out, and that is ninepin itself: it has "
				"to have 0%o at least",
				name, value, least);
	*mode = (uint32_t)n;
	return 0;
}

static int opt_fmode(struct share_options *share, const char *value, struct notes *notes,
		     struct why *why)
{
	(void)notes;
	return set_mode(&share->config.fmode, "fmode", value, 0600, why);
}

static int opt_dmode(struct share_options *share, const char *value, struct notes *notes,
		     struct why *why)
{
	(void)notes;
	return set_mode(&share->config.dmode, "dmode", value, 0700, why);
}

static int opt_writeout(struct share_options *share, const char *value, struct notes *notes,
			struct why *why)
{
	(void)notes;
	if (strcmp(value, "immediate") != 0)
		return why_fail(why, -EINVAL,
				"--share: writeout=%s: there is only writeout=immediate", value);
	share->config.flags |= P9_SHARE_WRITEOUT;
	return 0;
}

static bool overlap(uint32_t a, uint32_t b, uint32_t na, uint32_t nb)
{
	return a < (uint64_t)b + nb && b < (uint64_t)a + na;
}

/* GUEST:HOST:COUNT */
static int add_range(struct p9_idmap *map, const char *name, const char *value, struct why *why)
{
	uint32_t n[3];
	const char *at = value;

	for (int i = 0; i < 3; i++) {
		char *end;
		unsigned long long v = strtoull(at, &end, 10);

		if (!isdigit((unsigned char)*at) || v >= UINT32_MAX || *end != (i < 2 ? ':' : 0))
			goto bad;
		n[i] = (uint32_t)v;
		at = end + 1;
	}
	if (!n[2] || (uint64_t)n[0] + n[2] > UINT32_MAX || (uint64_t)n[1] + n[2] > UINT32_MAX)
		goto bad;
	if (map->n == P9_MAX_ID_RANGES)
		return why_fail(why, -EINVAL, "--share: %s=%s: there can be %d at most", name, value,
				P9_MAX_ID_RANGES);
	for (unsigned int i = 0; i < map->n; i++)
		if (overlap(n[0], map->range[i].guest, n[2], map->range[i].count))
			return why_fail(why, -EINVAL,
					"--share: %s=%s: some of these ids in the guest have a place "
					"on the host already, by an earlier %s=",
					name, value, name);
	map->range[map->n++] =
		(struct p9_id_range){ .guest = n[0], .host = n[1], .count = n[2] };
	return 0;
bad:
	return why_fail(why, -EINVAL,
			"--share: %s=%s is not GUEST:HOST:COUNT: the first id in the guest, the first "
			"on the host, and how many",
			name, value);
}

static int opt_uidmap(struct share_options *share, const char *value, struct notes *notes,
		      struct why *why)
{
	(void)notes;
	return add_range(&share->config.uids, "uidmap", value, why);
}

static int opt_gidmap(struct share_options *share, const char *value, struct notes *notes,
		      struct why *why)
{
	(void)notes;
	return add_range(&share->config.gids, "gidmap", value, why);
}

static const struct {
	const char *name;
	int (*set)(struct share_options *share, const char *value, struct notes *notes,
		   struct why *why);
	bool mount; /* concerns only how a guest mounts it */
} options[] = {
	{ "cache", opt_cache, true },
	{ "msize", opt_msize, true },
	{ "access", opt_access, true },
	{ "tag", opt_tag, true },
	{ "multidevs", opt_multidevs, false },
	{ "security_model", opt_model, false },
	{ "model", opt_model, false },
	{ "fmode", opt_fmode, false },
	{ "dmode", opt_dmode, false },
	{ "writeout", opt_writeout, false },
	{ "uidmap", opt_uidmap, false },
	{ "gidmap", opt_gidmap, false },
};

int share_option(struct share_options *share, const char *word, struct notes *notes,
		 struct why *why)
{
	const char *value = strchr(word, '=');

	for (size_t i = 0; value && i < COUNT(options); i++) {
		size_t len = strlen(options[i].name);
		int err;

		if ((size_t)(value - word) != len || strncmp(word, options[i].name, len) != 0)
			continue;
		err = options[i].set(share, value + 1, notes, why);
		if (!err && options[i].mount)
			err = mount_word(share, word, why);
		return err;
	}
	if (!strcmp(word, "ro") || !strcmp(word, "rw"))
		return read_only(share, word[1] == 'o');
	if (!strcmp(word, "posixacl")) {
		share->posixacl = true;
		return mount_word(share, word, why);
	}
	/* What every mount of ours has: people copy it. */
	if (!strcmp(word, "trans=virtio") || !strcmp(word, "version=9p2000.L"))
		return mount_word(share, word, why);
	if (!strcmp(word, "writeback")) {
		notes_add(notes, "writeback is no option of 9P, and is ignored: cache=loose is what "
				 "writes later");
		return 0;
	}
	return why_fail(why, -EINVAL,
			"--share: unknown option '%s': see ninepin run --help-share (a comma in a path is "
			"written twice)",
			word);
}

/* ---- --share ---- */

char *share_next_word(char **rest)
{
	char *word = *rest, *to = word, *from = word;

	if (!word)
		return NULL;
	for (; *from; from++) {
		if (*from == ',' && from[1] != ',')
			break;
		if (*from == ',')
			from++;
		*to++ = *from;
	}
	*rest = *from ? from + 1 : NULL;
	*to = '\0';
	return word;
}

static int share_place(struct share_options *share, char *place, struct why *why)
{
	struct stat st;
	char *colon;
	int err;

	/* A colon in the name of a folder that is there is no separator. */
	if (stat(place, &st) != 0) {
		colon = strrchr(place, ':');
		if (colon && (!strcmp(colon, ":ro") || !strcmp(colon, ":rw"))) {
			read_only(share, colon[2] == 'o');
			*colon = '\0';
		}
	}
	if (stat(place, &st) != 0) {
		colon = strrchr(place, ':');
		if (colon && colon[1] != '/')
			return why_fail(why, -EINVAL,
					"--share: '%s' is no place in the guest: give an absolute path",
					colon + 1);
		if (colon && strspn(colon + 1, "/") == strlen(colon + 1))
			return why_fail(why, -EINVAL,
					"--share: a share cannot be the guest's whole /: give a folder "
					"below it, or see --root");
		if (colon) {
			err = mount_word(share, colon + 1, why) ?:
			      option_string(&share->guest, colon + 1, why);
			if (err)
				return err;
			*colon = '\0';
		}
	}
	if (!*place)
		return why_fail(why, -EINVAL, "--share: the name is empty: give a folder");
	return option_string(&share->host, place, why);
}

int share_options_init(struct share_options *share, struct why *why)
{
	share->msize = SHARE_MSIZE_MAX;
	return option_string(&share->cache, DEFAULT_CACHE, why);
}

int share_options_parse(struct share_options *share, const char *text, struct notes *notes,
			struct why *why)
{
	char *copy = strdup(text), *rest = copy, *word;
	int err;

	if (!copy)
		return option_no_memory(why);
	err = share_options_init(share, why);
	if (!err)
		err = share_place(share, share_next_word(&rest), why);
	while (!err && (word = share_next_word(&rest)))
		err = share_option(share, word, notes, why);
	free(copy);
	return err;
}

void share_options_free(struct share_options *share)
{
	free(share->host);
	free(share->guest);
	free(share->tag);
	free(share->cache);
	free(share->access);
	free(share->mount);
}

/* ---- what depends on who runs ninepin ---- */

/* You are the guest's root and its command, and every other id is the same on both sides. */
static void map_you(struct p9_idmap *map, uint32_t guest, uint32_t you)
{
	if (map->n)
		return;
	map->rest = true;
	if (guest == SHARE_NO_GUEST)
		return;
	map->range[map->n++] = (struct p9_id_range){ .guest = guest, .host = you, .count = 1 };
	if (guest)
		map->range[map->n++] = (struct p9_id_range){ .guest = 0, .host = you, .count = 1 };
}

int share_settle(struct share_options *share, uint32_t guest_uid, uint32_t guest_gid,
		 struct notes *notes, struct why *why)
{
	struct p9_share_config *config = &share->config;
	bool privileged = p9_privileged();
	bool maps = config->uids.n || config->gids.n;

	if (!share->model_set) {
		config->model = privileged && !maps ? P9_MODEL_PASSTHROUGH : P9_MODEL_IDMAP;
	} else if (config->model == P9_MODEL_PASSTHROUGH && !privileged) {
		if (!share->foreign)
			return why_fail(why, -EPERM,
					"--share: %s: security_model=passthrough gives files to any "
					"owner, which only root may: leave it out (idmap: the guest's "
					"root is you), use security_model=mapped-xattr (owners are kept "
					"in attributes), or run ninepin as root",
					share->host);
		notes_add(notes,
			  "%s: passthrough gives files to any owner, which only root may: idmap is "
			  "used, in which the guest's root is you",
			  share->host);
		config->model = P9_MODEL_IDMAP;
	}
	if ((config->fmode || config->dmode) && config->model != P9_MODEL_MAPPED)
		return why_fail(why, -EINVAL,
				"--share: %s: fmode= and dmode= are for security_model=mapped-xattr; in "
				"%s files have the modes that the guest asks for: leave them out",
				share->host, share_model_name(config->model));
	if (maps && config->model != P9_MODEL_IDMAP)
		return why_fail(why, -EINVAL,
				"--share: %s: uidmap= and gidmap= are for security_model=idmap, not for "
				"%s: leave one or the other out",
				share->host, share_model_name(config->model));
	/* Half a table would leave the guest's root the host's own groups. */
	if (privileged && !config->uids.n != !config->gids.n)
		return why_fail(why, -EINVAL,
				"--share: %s: uidmap= and gidmap= belong together when root shares a "
				"folder: give %s=, too",
				share->host, config->uids.n ? "gidmap" : "uidmap");
	if (config->model == P9_MODEL_IDMAP && !privileged) {
		map_you(&config->uids, guest_uid, geteuid());
		map_you(&config->gids, guest_gid, getegid());
	} else if (config->model == P9_MODEL_IDMAP) {
		config->uids.rest = !config->uids.n;
		config->gids.rest = !config->gids.n;
	}
	return 0;
}
