// SPDX-License-Identifier: MIT
/*
 * QEMU's words for a shared folder: -virtfs in one, or -fsdev and the -device that it belongs to. What
 * they may say is in qemu(1) and in QEMU's docs/system/devices/virtio/virtio-9p.rst. libvirt's logs
 * have -device as JSON.
 */
#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/foreign/read.h"

/* A -device virtio-9p-…, until its -fsdev is found. */
struct device {
	struct foreign_word fsdev, tag, address;
};

struct reader {
	struct foreign *f;
	struct why *why;
	struct device *device;
	size_t ndevices;
};

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(word, *list))
			return true;
	return false;
}

/* ---- one option, as between two commas ---- */

static const struct {
	const char *name;
	size_t at;
} share_words[] = {
	{ "fsdriver", offsetof(struct foreign_share, type) },
	{ "path", offsetof(struct foreign_share, path) },
	{ "mount_tag", offsetof(struct foreign_share, tag) },
	{ "security_model", offsetof(struct foreign_share, model) },
	{ "writeout", offsetof(struct foreign_share, writeout) },
	{ "fmode", offsetof(struct foreign_share, fmode) },
	{ "dmode", offsetof(struct foreign_share, dmode) },
	{ "multidevs", offsetof(struct foreign_share, multidevs) },
	{ "id", offsetof(struct foreign_share, id) },
};

/* "readonly" alone means on. Anything that is not off keeps a folder from being written to. */
static int take_readonly(struct foreign_share *share, const char *word, const char *value,
			 unsigned int line, unsigned int column)
{
	static const char *const off[] = { "off", "no", "false", "n", NULL };

	if (value && is_one_of(value, off)) {
		free(share->readonly.text);
		share->readonly.text = NULL;
		return 0;
	}
	return foreign_set(&share->readonly, word, strlen(word), line, column);
}

static int take_word(struct foreign_share *share, const char *word, bool first, unsigned int line,
		     unsigned int column)
{
	const char *value = strchr(word, '=');
	size_t len = value ? (size_t)(value++ - word) : strlen(word);

	if (len == strlen("readonly") && !strncmp(word, "readonly", len))
		return take_readonly(share, word, value, line, column);
	if (first && !value)
		return foreign_set(&share->type, word, len, line, column);
	for (size_t i = 0; value && i < sizeof(share_words) / sizeof(share_words[0]); i++)
		if (strlen(share_words[i].name) == len && !strncmp(word, share_words[i].name, len))
			return foreign_set((struct foreign_word *)((char *)share + share_words[i].at),
					   value, strlen(value), line, column);
	return foreign_add_word(&share->other, &share->nother, line, column, "%s", word);
}

/* ---- -virtfs, -fsdev, -device ---- */

static int read_share(struct reader *r, const char *name, const char *text, unsigned int line,
		      unsigned int column)
{
	struct foreign_share *share = foreign_add_share(r->f);
	char *copy = strdup(text), *rest = copy, *word;
	int err = share && copy ? foreign_set(&share->self, name, strlen(name), line, column) : -ENOMEM;

	while (!err && (word = rest)) {
		unsigned int l = line, c = column;

		foreign_advance(&l, &c, text, text + (word - copy));
		share_next_word(&rest);
		if (*word)
			err = take_word(share, word, word == copy, l, c);
	}
	free(copy);
	return err ? foreign_no_memory(r->why) : 0;
}

static int device_word(struct device *device, const char *key, const char *value, unsigned int line,
		       unsigned int column)
{
	struct foreign_word *word = !strcmp(key, "fsdev")     ? &device->fsdev :
				    !strcmp(key, "mount_tag") ? &device->tag :
				    !strcmp(key, "addr")      ? &device->address :
								NULL;

	return word ? foreign_set(word, value, strlen(value), line, column) : 0;
}

static bool is_9p(const char *driver)
{
	return !strncmp(driver, "virtio-9p", strlen("virtio-9p"));
}

static int add_device(struct reader *r, const struct device *device)
{
	struct device *grown = reallocarray(r->device, r->ndevices + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	r->device = grown;
	grown[r->ndevices++] = *device;
	return 0;
}

/* {"driver":"virtio-9p-pci","fsdev":"fsdev-fs0","mount_tag":"data"}: 1 if it is a 9P device's. */
static int device_of_json(struct device *device, const char *text, unsigned int line,
			  unsigned int column)
{
	json_t *json = json_loads(text, 0, NULL), *value;
	const char *driver = json_string_value(json_object_get(json, "driver")), *key;
	int err = 0;

	if (driver && is_9p(driver)) {
		json_object_foreach(json, key, value)
			if (!err && json_is_string(value))
				err = device_word(device, key, json_string_value(value), line,
						  column);
		err = err ? err : 1;
	}
	json_decref(json);
	return err;
}

static int device_of_words(struct device *device, const char *text, unsigned int line,
			   unsigned int column)
{
	char *copy = strdup(text), *rest = copy, *word = copy ? share_next_word(&rest) : NULL;
	int err = copy ? 0 : -ENOMEM;

	if (word && is_9p(word)) {
		while (!err && (word = share_next_word(&rest))) {
			char *value = strchr(word, '=');

			if (value)
				*value++ = '\0';
			err = device_word(device, word, value ? value : "", line, column);
		}
		err = err ? err : 1;
	}
	free(copy);
	return err;
}

static void free_device(struct device *device)
{
	free(device->fsdev.text);
	free(device->tag.text);
	free(device->address.text);
}

static int read_device(struct reader *r, const char *text, unsigned int line, unsigned int column)
{
	struct device device = { 0 };
	int err = *text == '{' ? device_of_json(&device, text, line, column) :
				 device_of_words(&device, text, line, column);

	if (err > 0) {
		err = add_device(r, &device);
		if (!err)
			return 0;
	}
	free_device(&device);
	return err ? foreign_no_memory(r->why) : 0;
}

/* A -device gives its -fsdev a tag; either may come first. */
static int pair(struct reader *r, struct device *device)
{
	const char *id = device->fsdev.text ? device->fsdev.text : "";

	for (size_t i = 0; i < r->f->nshares; i++) {
		struct foreign_share *share = &r->f->share[i];

		if (strcmp(share->self.text, "-fsdev") || !share->id.text ||
		    strcmp(share->id.text, id) != 0)
			continue;
		free(share->tag.text);
		free(share->address.text);
		share->tag = device->tag;
		share->address = device->address;
		device->tag.text = device->address.text = NULL;
		return 0;
	}
	return why_fail(r->why, -EINVAL,
			"--virtfs: there is a -device with fsdev=%s, and no -fsdev with id=%s: give both "
			"of them in one --virtfs",
			id, id);
}

/* ---- all ---- */

/* The word that an option of QEMU's is, with one dash or two; NULL: another word. */
static const char *option_name(const char *word)
{
	static const char *const names[] = { "-virtfs", "-fsdev", "-device" };

	word += *word == '-' && word[1] == '-';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(word, names[i]))
			return names[i];
	return NULL;
}

static int read_words(struct reader *r, const struct foreign_words *w)
{
	int err = 0;

	for (size_t i = 0; !err && i < w->n; i++) {
		const char *name = option_name(w->word[i]);

		if (name && i + 1 == w->n)
			return why_fail(r->why, -EINVAL, "--virtfs: nothing follows %s", name);
		if (name)
			i++;
		if (!name && w->word[i][0] == '-')
			err = foreign_add_word(&r->f->other, &r->f->nother, w->line[i], w->column[i],
					       "%s", w->word[i]) ?
				      foreign_no_memory(r->why) :
				      0;
		else if (name && !strcmp(name, "-device"))
			err = read_device(r, w->word[i], w->line[i], w->column[i]);
		else if (name)
			err = read_share(r, name, w->word[i], w->line[i], w->column[i]);
	}
	for (size_t i = 0; !err && i < r->ndevices; i++)
		err = pair(r, &r->device[i]);
	return err;
}

int foreign_read_virtfs(struct foreign *f, const char *text, struct why *why)
{
	struct reader r = { .f = f, .why = why };
	struct foreign_words words;
	bool command_line = false;
	int err;

	f->program = FOREIGN_QEMU;
	f->origin = strdup("--virtfs");
	if (!f->origin)
		return foreign_no_memory(why);
	if (strlen(text) > FOREIGN_MAX_BYTES)
		return why_fail(why, -EINVAL, "--virtfs: more than %u MiB are no options of QEMU's",
				FOREIGN_MAX_BYTES >> 20);
	if (foreign_split(&words, text, strlen(text), 1, 1))
		return foreign_no_memory(why);
	/* A path may have blanks in it: only an option's name makes it a command line. */
	for (size_t i = 0; i < words.n; i++)
		command_line |= option_name(words.word[i]) != NULL;
	err = command_line ? read_words(&r, &words) : read_share(&r, "-virtfs", text, 1, 1);
	foreign_words_free(&words);
	for (size_t i = 0; i < r.ndevices; i++)
		free_device(&r.device[i]);
	free(r.device);
	return err;
}
