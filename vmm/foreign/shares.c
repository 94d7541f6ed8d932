// SPDX-License-Identifier: MIT
/* What ninepin makes of another program's configuration. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/foreign/read.h"

/* The longest tag that QEMU takes, and what guests are used to. */
#define TAG_MAX 31

struct making {
	const struct foreign *f;
	const struct foreign_share *from;
	struct share_options *to;
	struct why *why;
	bool *left_out;	    /* for each of f's: it cannot be had */
	struct why skipped; /* why the last such cannot */
	/* What is to be said, each with where it is about; said in the order of the text. */
	struct foreign_word *said;
	size_t nsaid;
};

/* ---- saying something about a word ---- */

static __attribute__((format(printf, 3, 4))) void
note(struct making *m, const struct foreign_word *word, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Without memory, it is not said. */
	foreign_add_word(&m->said, &m->nsaid, word->line, word->column, "%s", text);
}

static int by_place(const void *a, const void *b)
{
	const struct foreign_word *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->column == y->column ? 0 : x->column < y->column ? -1 : 1;
}

static void say_all(struct making *m, struct notes *notes)
{
	char at[512];

	if (m->nsaid)
		qsort(m->said, m->nsaid, sizeof(*m->said), by_place);
	for (size_t i = 0; i < m->nsaid; i++)
		notes_add(notes, "%s: %s", foreign_at(m->f, &m->said[i], at, sizeof(at)),
			  m->said[i].text);
	foreign_free_words(m->said, m->nsaid);
}

/* Returns true: the share is left out. */
static __attribute__((format(printf, 3, 4))) bool
skip(struct making *m, const struct foreign_word *word, const char *fmt, ...)
{
	char at[256], text[700];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	why_fail(&m->skipped, 0, "%s: %s", foreign_at(m->f, word, at, sizeof(at)), text);
	note(m, word, "%s", text);
	return true;
}

/* How this program writes a value, for sentences: accessmode='mapped', security_model=mapped. */
static const char *quoted(const struct making *m, const char *libvirt, const char *qemu,
			  const struct foreign_word *word, char *to, size_t size)
{
	if (m->f->program == FOREIGN_LIBVIRT)
		snprintf(to, size, "%s='%s'", libvirt, word->text);
	else
		snprintf(to, size, "%s=%s", qemu, word->text);
	return to;
}

/*
 * One option of --share, as this word of the configuration asks for it. Complaints and notes are
 * about the word, not about --share.
 */
static __attribute__((format(printf, 3, 4))) int
option(struct making *m, const struct foreign_word *word, const char *fmt, ...)
{
	static const char ours[] = "--share: ";
	struct notes notes = { 0 };
	struct why why;
	char text[512], at[512];
	va_list ap;
	int err;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err = share_option(m->to, text, &notes, &why);
	for (char *line = notes.text, *end; line && *line; line = end + 1) {
		end = strchr(line, '\n');
		note(m, word, "%.*s", (int)(end - line), line);
	}
	notes_free(&notes);
	if (!err)
		return 0;
	return why_fail(m->why, err, "%s: %s", foreign_at(m->f, word, at, sizeof(at)),
			strncmp(why.text, ours, strlen(ours)) ? why.text :
								why.text + strlen(ours));
}

static int set_string(char **to, const char *prefix, const char *text, struct why *why)
{
	free(*to);
	if (asprintf(to, "%s%s", prefix, text) >= 0)
		return 0;
	*to = NULL;
	return foreign_no_memory(why);
}

/* ---- which cannot be had ---- */

static bool lacks_type(struct making *m)
{
	static const struct {
		const char *type, *means;
	} others[] = {
		{ "template", "a template of OpenVZ's is no folder" },
		{ "block", "a block device is no folder: mount it on the host, and share that" },
		{ "file", "an image file is no folder: mount it on the host, and share that" },
		{ "volume", "a volume of a storage pool is no folder" },
		{ "ram", "this is no folder of the host's: the guest has it by mount -t tmpfs" },
		{ "bind", "this is a folder of the guest's own: it has it by mount --bind" },
		{ "synth", "this is QEMU's made-up file system for tests" },
		{ "proxy", "QEMU's proxy helper is not needed: write 'local' instead" },
	};
	const struct foreign_word *type = &m->from->type;
	const char *usual = m->f->program == FOREIGN_LIBVIRT ? "mount" : "local";
	char text[64];

	if (!type->text || !strcmp(type->text, usual))
		return false;
	quoted(m, "type", "fsdriver", type, text, sizeof(text));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strcmp(type->text, others[i].type))
			return skip(m, type, "skipped: %s: %s", text, others[i].means);
	return skip(m, type, "skipped: %s is unknown: a shared folder is a '%s'", text, usual);
}

static bool lacks_path(struct making *m)
{
	const struct foreign_share *from = m->from;
	bool libvirt = m->f->program == FOREIGN_LIBVIRT;

	if (!from->path.text || !*from->path.text)
		return skip(m, &from->self, "skipped: it does not say which folder: %s is missing",
			    libvirt ? "<source dir='…'/>" : "path=");
	if (!from->tag.text || !*from->tag.text)
		return skip(m, &from->self, "skipped: it has no tag to be mounted by: %s is missing",
			    libvirt			      ? "<target dir='…'/>" :
			    strcmp(from->self.text, "-fsdev") ? "mount_tag=" :
								"its -device virtio-9p-pci,fsdev=…,mount_tag=");
	if (strspn(from->tag.text, "/") == strlen(from->tag.text))
		return skip(m, &from->tag,
			    "skipped: the tag '%s' would be the guest's whole root: that is --root's "
			    "business",
			    from->tag.text);
	return false;
}

static bool lacks_model(struct making *m)
{
	const struct foreign_word *word = &m->from->model;
	const char *model = foreign_model(m->f, m->from);
	char text[128];

	if (!word->text)
		return false;
	quoted(m, "accessmode", "security_model", word, text, sizeof(text));
	if (!model)
		return skip(m, word, "skipped: %s is unknown: it is one of passthrough, mapped and %s",
			    text, m->f->program == FOREIGN_LIBVIRT ? "squash" : "none");
	if (!strcmp(model, "mapped-file"))
		return skip(m, word,
			    "skipped: %s keeps owners in files of its own, .virtfs_metadata, which "
			    "ninepin does not read: they would be lost; mapped-xattr keeps them in "
			    "attributes",
			    text);
	return false;
}

/* ---- what it asks for ---- */

static int make_model(struct making *m)
{
	const struct foreign_share *from = m->from;
	const char *model = foreign_model(m->f, from);
	int err = 0;

	if (from->nids && model && strcmp(model, "passthrough") != 0) {
		note(m, &from->ids[0].range, "<idmap>: skipped: it is for accessmode='passthrough'");
		return option(m, &from->model, "security_model=%s", model);
	}
	for (size_t i = 0; !err && i < from->nids; i++)
		err = option(m, &from->ids[i].range, "%s=%s",
			     from->ids[i].group ? "gidmap" : "uidmap", from->ids[i].range.text);
	if (err || !model || from->nids)
		return err;
	return option(m, from->model.text ? &from->model : &from->self, "security_model=%s", model);
}

/* A mode for what is created on the host. libvirt's is octal; QEMU reads numbers as C does. */
static int make_mode(struct making *m, const char *name, const struct foreign_word *word)
{
	const char *model = foreign_model(m->f, m->from);
	char at[512], text[64];

	if (!word->text)
		return 0;
	quoted(m, name, name, word, text, sizeof(text));
	if (!model || strcmp(model, "mapped-xattr") != 0)
		return why_fail(m->why, -EINVAL,
				"%s: %s is for the mapped model only, as libvirt and QEMU say too: leave "
				"it out, or have files mapped",
				foreign_at(m->f, word, at, sizeof(at)), text);
	if (m->f->program == FOREIGN_QEMU && strspn(word->text, "123456789") > 0)
		note(m, word,
		     "%s: QEMU takes a number without a 0 before it for decimal, which makes this 0%lo; "
		     "here it is octal",
		     text, strtoul(word->text, NULL, 10) & 0777);
	return option(m, word, "%s=%s", name, word->text);
}

static int make_words(struct making *m)
{
	const struct foreign_share *from = m->from;
	int err = make_mode(m, "fmode", &from->fmode) ?: make_mode(m, "dmode", &from->dmode);

	if (!err && from->multidevs.text && strcmp(from->multidevs.text, "default") != 0)
		err = option(m, &from->multidevs, "multidevs=%s", from->multidevs.text);
	if (!err && from->writeout.text && strcmp(from->writeout.text, "default") != 0)
		err = option(m, &from->writeout, "writeout=%s", from->writeout.text);
	if (!err && from->readonly.text)
		err = option(m, &from->readonly, "ro");
	return err;
}

static int make_tag(struct making *m)
{
	const struct foreign_word *tag = &m->from->tag;
	int err;

	if (strlen(tag->text) <= TAG_MAX)
		err = set_string(&m->to->tag, "", tag->text, m->why);
	else
		err = (note(m, tag,
			    "the tag '%s' is longer than %d bytes: it names the place, and the folder "
			    "has another tag",
			    tag->text, TAG_MAX),
		       0);
	if (!err && *tag->text == '/')
		note(m, tag,
		     "'%s' is a tag, for libvirt and QEMU mount nothing in a guest; ninepin does, there",
		     tag->text);
	return err ? err : set_string(&m->to->guest, *tag->text == '/' ? "" : "/mnt/", tag->text, m->why);
}

static void say_driver(struct making *m)
{
	const struct foreign_word *driver = &m->from->driver;
	char text[64];

	if (!driver->text)
		return;
	quoted(m, "<driver type", "type", driver, text, sizeof(text));
	if (!strcmp(driver->text, "path"))
		note(m, driver, "%s>: nothing to do, it is the default: 9P by path", text);
	else if (!strcmp(driver->text, "handle"))
		note(m, driver, "%s>: shared by path: QEMU itself has no handle driver any more", text);
	else if (!strcmp(driver->text, "virtiofs"))
		note(m, driver,
		     "%s>: shared by 9P instead: in the guest, mount -t virtiofs becomes mount -t 9p -o "
		     "trans=virtio",
		     text);
	else
		note(m, driver, "%s>: skipped: it is for container images; shared by 9P", text);
}

static void say_rest(struct making *m)
{
	const struct foreign_share *from = m->from;

	say_driver(m);
	if (from->address.text && m->f->program == FOREIGN_LIBVIRT)
		note(m, &from->address, "<address type='%s'>: not needed, the guest has no PCI",
		     from->address.text);
	else if (from->address.text)
		note(m, &from->address, "addr=%s: not needed, the guest has no PCI",
		     from->address.text);
	for (size_t i = 0; i < from->nother; i++)
		note(m, &from->other[i], "%s: skipped: ninepin has nothing of the kind",
		     from->other[i].text);
}

/* ---- how it is mounted ---- */

/* Whether a word is this option with a value. */
static bool is_option(const char *word, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(word, name, len) && word[len] == '=';
}

/* Words of a mount that nothing has to be done for, or that say something on the wrong side. */
static bool answer_mount_word(struct making *m, const struct foreign_word *at, const char *word)
{
	static const char *const waits[] = { "_netdev", "nofail", "noauto", "auto", "defaults" };

	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		if (!strcmp(word, waits[i]) || !strncmp(word, "x-", 2)) {
			note(m, at, "%s: ignored: it is for the guest's boot, and ninepin mounts "
				    "before anything runs",
			     word);
			return true;
		}
	if (is_option(word, "security_model")) {
		note(m, at,
		     "%s: ignored: it is no option of mount's, the host decides it: %s, or ninepin run "
		     "--share %s,%s",
		     word,
		     m->f->program == FOREIGN_LIBVIRT ? "accessmode= in the XML" : "-virtfs has it",
		     m->from->path.text, word);
		return true;
	}
	if (is_option(word, "version") && strcmp(word, "version=9p2000.L") != 0) {
		note(m, at, "%s: ninepin speaks 9p2000.L only, and mounts with that", word);
		return true;
	}
	if (is_option(word, "trans") && strcmp(word, "trans=virtio") != 0) {
		note(m, at, "%s: the folder comes by virtio, and is mounted with trans=virtio", word);
		return true;
	}
	return false;
}

/* Whether it is the name of an option that --share has for the mount. */
static bool is_ours(const char *word)
{
	static const char *const ours[] = { "access=", "cache=",	  "msize=",	  "posixacl",
					    "ro",      "rw",	  "trans=virtio", "version=9p2000.L",
					    "writeback" };

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		size_t len = strlen(ours[i]);

		if (!strncmp(word, ours[i], len) && (ours[i][len - 1] == '=' || !word[len]))
			return true;
	}
	return false;
}

static int make_mount_word(struct making *m, const struct foreign_word *at, const char *word)
{
	bool ro = m->from->readonly.text != NULL;

	if (!*word || answer_mount_word(m, at, word))
		return 0;
	/* Older ways to say the same. */
	if (!strcmp(word, "loose") || !strcmp(word, "mmap") || !strcmp(word, "fscache"))
		return option(m, at, "cache=%s", word);
	if (!strcmp(word, "rw") && ro) {
		note(m, at, "rw: ignored: the host gives it read-only, by %s", m->from->readonly.text);
		return 0;
	}
	if (is_ours(word))
		return option(m, at, "%s", word);
	note(m, at, "%s: skipped: ninepin mounts without it", word);
	return 0;
}

static int make_mount_words(struct making *m, const struct foreign_word *options)
{
	char *copy, *rest, *word;
	int err = 0;

	if (!options->text)
		return 0;
	copy = rest = strdup(options->text);
	if (!copy)
		return foreign_no_memory(m->why);
	while (!err && (word = strsep(&rest, ",")))
		err = make_mount_word(m, options, word);
	free(copy);
	return err;
}

static int make_mount(struct making *m)
{
	const struct foreign_command *mount = foreign_mount(m->f, m->from);
	int err = 0;

	if (!mount)
		return 0;
	if (mount->place.text[0] == '/' && mount->place.text[strspn(mount->place.text, "/")])
		err = set_string(&m->to->guest, "", mount->place.text, m->why);
	else
		note(m, &mount->place, "%s: this is no place for a mount: it is at %s",
		     mount->place.text, m->to->guest);
	return err ? err : make_mount_words(m, &mount->options);
}

/* ---- a share, and all ---- */

static int make_share(struct making *m)
{
	int err;

	err = share_options_init(m->to, m->why);
	if (!err)
		err = set_string(&m->to->host, "", m->from->path.text, m->why);
	if (!err)
		err = make_model(m);
	if (!err)
		err = make_words(m);
	if (!err)
		err = make_tag(m);
	if (!err)
		err = make_mount(m);
	if (err)
		return err;
	m->to->foreign = true;
	say_rest(m);
	return 0;
}

/* The same tag again is another variant on the same page: a later share that has it, or NULL. */
static const struct foreign_share *replaced_by(const struct making *m, size_t i)
{
	const struct foreign_share *share = m->f->share;

	for (size_t k = m->f->nshares; k-- > i + 1;)
		if (!m->left_out[k] && !strcmp(share[k].tag.text, share[i].tag.text))
			return &share[k];
	return NULL;
}

/* A mount of a tag that no share has: that is said, and what its options would have meant. */
static int answer_mount(struct making *m, const struct foreign_command *mount)
{
	static const struct foreign_share nothing = { .path = { .text = "FOLDER" } };
	struct share_options scratch = { 0 };
	char tags[512] = "";
	size_t used = 0;
	int err;

	for (size_t i = 0; i < m->f->nshares && used < sizeof(tags); i++)
		if (!m->left_out[i] && !replaced_by(m, i))
			used += (size_t)snprintf(tags + used, sizeof(tags) - used, "%s%s",
						 used ? ", " : "", m->f->share[i].tag.text);
	note(m, &mount->tag, "no shared folder has the tag '%s', so this mount would fail: %s%s",
	     mount->tag.text, used ? "there is " : "none has a tag", tags);
	m->from = &nothing;
	m->to = &scratch;
	err = make_mount_words(m, &mount->options);
	m->to = NULL;
	share_options_free(&scratch);
	return err;
}

static int answer_commands(struct making *m)
{
	int err = 0;

	for (size_t i = 0; !err && i < m->f->ncommands; i++) {
		const struct foreign_command *c = &m->f->command[i], *last = NULL;
		char text[1024];

		if (!c->tag.text) {
			foreign_answer(c, text, sizeof(text));
			note(m, &c->line, "%s", text);
			continue;
		}
		for (size_t k = 0; !last && k < m->f->nshares; k++)
			if (!m->left_out[k] && !strcmp(m->f->share[k].tag.text, c->tag.text))
				last = foreign_mount(m->f, &m->f->share[k]);
		if (!last)
			err = answer_mount(m, c);
		else if (last != c)
			note(m, &c->line, "%s is mounted again in line %u, and that one counts",
			     c->tag.text, last->line.line);
	}
	return err;
}

static void say_other(struct making *m)
{
	for (size_t i = 0; i < m->f->nother; i++)
		note(m, &m->f->other[i], "%s: not used, only %s", m->f->other[i].text,
		     m->f->program == FOREIGN_LIBVIRT ? "<filesystem> elements are" :
							"-virtfs, -fsdev and -device virtio-9p are");
}

static int make_all(struct making *m, struct share_options *to, unsigned int room, unsigned int *n)
{
	const struct foreign *f = m->f;

	for (size_t i = 0; i < f->nshares; i++) {
		m->from = &f->share[i];
		m->left_out[i] = lacks_type(m) || lacks_path(m) || lacks_model(m);
	}
	for (size_t i = 0; i < f->nshares; i++) {
		const struct foreign_share *by = m->left_out[i] ? NULL : replaced_by(m, i);
		int err;

		m->from = &f->share[i];
		if (m->left_out[i])
			continue;
		if (by) {
			note(m, &m->from->self, "the tag %s comes again in line %u, and that one counts",
			     m->from->tag.text, by->self.line);
			continue;
		}
		if (*n == room)
			return why_fail(m->why, -EINVAL,
					"%s: there are more folders in it than the %u that can be shared "
					"with these options",
					f->origin, room);
		m->to = &to[*n];
		err = make_share(m);
		if (err) {
			share_options_free(m->to);
			memset(m->to, 0, sizeof(*m->to));
			return err;
		}
		++*n;
	}
	if (*n)
		return 0;
	if (m->skipped.text[0])
		return why_fail(m->why, -EINVAL, "nothing is left to share: %s", m->skipped.text);
	return foreign_no_share(f, m->why);
}

int foreign_to_shares(const struct foreign *f, struct share_options *to, unsigned int room,
		      unsigned int *n, struct notes *notes, struct why *why)
{
	struct making m = { .f = f, .why = why };
	int err;

	*n = 0;
	m.left_out = calloc(f->nshares + 1, sizeof(*m.left_out));
	if (!m.left_out)
		return foreign_no_memory(why);
	say_other(&m);
	err = make_all(&m, to, room, n);
	if (!err)
		err = answer_commands(&m);
	say_all(&m, notes);
	free(m.left_out);
	return err;
}
