// SPDX-License-Identifier: MIT
#include "vmm/foreign/foreign.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/foreign/read.h"

int foreign_no_memory(struct why *why)
{
	return why_fail(why, -ENOMEM, "there is no memory left to read the configuration");
}

int foreign_no_share(const struct foreign *f, struct why *why)
{
	return why_fail(why, -EINVAL,
			f->program == FOREIGN_LIBVIRT ?
				"%s: there is no <filesystem> element in it: give libvirt's XML of a "
				"shared folder" :
				"%s: there is no -virtfs or -fsdev in it",
			f->origin);
}

/* ---- building it ---- */

int foreign_set(struct foreign_word *word, const char *text, size_t len, unsigned int line,
		unsigned int column)
{
	char *copy = strndup(text, len);

	if (!copy)
		return -ENOMEM;
	free(word->text);
	*word = (struct foreign_word){ .text = copy, .line = line, .column = column };
	return 0;
}

/* Room for one more, zeroed, at the end of a list of n that are size bytes each. */
static void *grow(void *list, size_t n, size_t size)
{
	char *grown = reallocarray(list, n + 1, size);

	if (grown)
		memset(grown + n * size, 0, size);
	return grown;
}

int foreign_add_word(struct foreign_word **list, size_t *n, unsigned int line, unsigned int column,
		     const char *fmt, ...)
{
	struct foreign_word *grown = grow(*list, *n, sizeof(**list));
	char *text;
	va_list ap;
	int len;

	if (!grown)
		return -ENOMEM;
	*list = grown;
	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		return -ENOMEM;
	grown[(*n)++] = (struct foreign_word){ .text = text, .line = line, .column = column };
	return 0;
}

struct foreign_share *foreign_add_share(struct foreign *f)
{
	struct foreign_share *grown = grow(f->share, f->nshares, sizeof(*grown));

	if (!grown)
		return NULL;
	f->share = grown;
	return &grown[f->nshares++];
}

struct foreign_command *foreign_add_command(struct foreign *f)
{
	struct foreign_command *grown = grow(f->command, f->ncommands, sizeof(*grown));

	if (!grown)
		return NULL;
	f->command = grown;
	return &grown[f->ncommands++];
}

void foreign_advance(unsigned int *line, unsigned int *column, const char *from, const char *to)
{
	for (; from < to; from++) {
		if (*from == '\n') {
			++*line;
			*column = 1;
		} else if ((*from & 0xc0) != 0x80) { /* not within a character of UTF-8 */
			++*column;
		}
	}
}

void foreign_free_words(struct foreign_word *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].text);
	free(list);
}

static void free_share(struct foreign_share *share)
{
	char *const text[] = {
		share->self.text,     share->type.text,	 share->driver.text,	share->path.text,
		share->tag.text,      share->model.text, share->readonly.text,	share->writeout.text,
		share->fmode.text,    share->dmode.text, share->multidevs.text, share->address.text,
		share->id.text,
	};

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		free(text[i]);
	for (size_t i = 0; i < share->nids; i++)
		free(share->ids[i].range.text);
	free(share->ids);
	foreign_free_words(share->other, share->nother);
}

void foreign_free_command(struct foreign_command *command)
{
	free(command->line.text);
	free(command->tag.text);
	free(command->place.text);
	free(command->options.text);
	memset(command, 0, sizeof(*command));
}

void foreign_free(struct foreign *f)
{
	for (size_t i = 0; i < f->nshares; i++)
		free_share(&f->share[i]);
	free(f->share);
	for (size_t i = 0; i < f->ncommands; i++)
		foreign_free_command(&f->command[i]);
	free(f->command);
	foreign_free_words(f->other, f->nother);
	free(f->origin);
	memset(f, 0, sizeof(*f));
}

/* ---- asking it ---- */

const char *foreign_model(const struct foreign *f, const struct foreign_share *share)
{
	static const struct {
		const char *word, *model;
	} words[] = {
		{ "passthrough", "passthrough" },   { "mapped", "mapped-xattr" },
		{ "mapped-xattr", "mapped-xattr" }, { "mapped-file", "mapped-file" },
		{ "squash", "none" },		    { "none", "none" },
	};
	const char *word = share->model.text;

	if (!word)
		return f->program == FOREIGN_LIBVIRT ? "passthrough" : NULL;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i].word))
			return words[i].model;
	return NULL;
}

const struct foreign_command *foreign_mount(const struct foreign *f,
					    const struct foreign_share *share)
{
	for (size_t i = f->ncommands; share->tag.text && i-- > 0;)
		if (f->command[i].tag.text && !strcmp(f->command[i].tag.text, share->tag.text))
			return &f->command[i];
	return NULL;
}

const char *foreign_at(const struct foreign *f, const struct foreign_word *word, char *to,
		       size_t size)
{
	if (f->program == FOREIGN_LIBVIRT)
		snprintf(to, size, "%s:%u:%u", f->origin, word->line, word->column);
	else
		snprintf(to, size, "%s", f->origin);
	return to;
}
