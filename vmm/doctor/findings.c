// SPDX-License-Identifier: MIT
#include "vmm/doctor/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/notes.h"

static const char *const layers[] = {
	[LAYER_PATH] = "path",
	[LAYER_MODE] = "host mode",
	[LAYER_ACL] = "ACL",
	[LAYER_MOUNT] = "mount",
	[LAYER_SPACE] = "space",
	[LAYER_QUOTA] = "quota",
	[LAYER_FLAGS] = "file flags",
	[LAYER_FILE_SYSTEM] = "file system",
	[LAYER_SELINUX] = "SELinux",
	[LAYER_APPARMOR] = "AppArmor",
	[LAYER_MODEL] = "model",
	[LAYER_SHARE] = "share",
	[LAYER_CONFIG] = "configuration",
	[LAYER_KVM] = "KVM",
	[LAYER_IO_URING] = "io_uring",
	[LAYER_KERNEL] = "kernel",
	[LAYER_UNKNOWN] = "unknown",
};

const char *layer_name(enum layer layer)
{
	return layers[layer];
}

static bool has(const struct findings *findings, const char *kind, const char *place)
{
	for (size_t i = 0; i < findings->n; i++)
		if (!strcmp(findings->finding[i].kind, kind) &&
		    !strcmp(findings->finding[i].place, place))
			return true;
	return false;
}

static struct finding *add(struct findings *findings, const char *kind, enum layer layer, int err,
			   const char *place, const char *fmt, va_list ap)
{
	struct finding *grown, *finding;
	int n;

	grown = realloc(findings->finding, (findings->n + 1) * sizeof(*grown));
	if (!grown)
		goto no_memory;
	findings->finding = grown;
	finding = &grown[findings->n];
	*finding = (struct finding){
		.kind = kind,
		.layer = layer,
		.refuses = true,
		.err = err,
		.place = strdup(place),
	};
	n = vasprintf(&finding->what, fmt, ap);
	if (n < 0 || !finding->place) {
		free(finding->place);
		if (n >= 0)
			free(finding->what);
		goto no_memory;
	}
	findings->n++;
	return finding;
no_memory:
	findings->no_memory = true;
	return NULL;
}

struct finding *findings_add(struct findings *findings, const char *kind, enum layer layer, int err,
			     const char *place, const char *fmt, ...)
{
	struct finding *finding;
	va_list ap;

	if (has(findings, kind, place))
		return NULL;
	va_start(ap, fmt);
	finding = add(findings, kind, layer, err, place, fmt, ap);
	va_end(ap);
	return finding;
}

void findings_note(struct findings *findings, enum layer layer, const char *place, const char *fmt,
		   ...)
{
	va_list ap;

	va_start(ap, fmt);
	finding_note(add(findings, "note", layer, 0, place, fmt, ap));
	va_end(ap);
}

static void add_mend(struct finding *finding, bool command, const char *fmt, va_list ap)
{
	struct mend *mend = &finding->mend[finding->nmends];

	if (finding->nmends == FINDING_MENDS || vasprintf(&mend->text, fmt, ap) < 0)
		return;
	mend->command = command;
	finding->nmends++;
}

void finding_command(struct finding *finding, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (finding)
		add_mend(finding, true, fmt, ap);
	va_end(ap);
}

void finding_advice(struct finding *finding, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (finding)
		add_mend(finding, false, fmt, ap);
	va_end(ap);
}

void finding_note(struct finding *finding)
{
	if (finding)
		finding->refuses = false;
}

size_t findings_refusing(const struct findings *findings)
{
	size_t n = 0;

	for (size_t i = 0; i < findings->n; i++)
		n += findings->finding[i].refuses;
	return n;
}

void findings_free(struct findings *findings)
{
	for (size_t i = 0; i < findings->n; i++) {
		struct finding *finding = &findings->finding[i];

		free(finding->place);
		free(finding->what);
		for (size_t k = 0; k < finding->nmends; k++)
			free(finding->mend[k].text);
	}
	free(findings->finding);
}

/* $'…', in which any byte can be written as what is printed anyway. */
static char *shell_escape(const char *word)
{
	char *quoted = malloc(4 * strlen(word) + 4), *to = quoted;

	if (!quoted)
		return NULL;
	to = stpcpy(to, "$'");
	for (; *word; word++) {
		unsigned char byte = (unsigned char)*word;

		if (byte < 0x20 || byte > 0x7e)
			to += sprintf(to, "\\%03o", byte);
		else if (byte == '\'' || byte == '\\')
			to += sprintf(to, "\\%c", byte);
		else
			*to++ = *word;
	}
	stpcpy(to, "'");
	return quoted;
}

char *shell_word(const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "_@%+=:,./-";
	char *quoted, *to;
	bool printed;

	if (*word && !word[strspn(word, plain)])
		return strdup(word);
	/* What is not printed as it is would name another file. */
	quoted = clean_text(word);
	if (!quoted)
		return NULL;
	printed = !strcmp(quoted, word);
	free(quoted);
	if (!printed)
		return shell_escape(word);
	quoted = malloc(4 * strlen(word) + 3);
	if (!quoted)
		return NULL;
	to = quoted;
	*to++ = '\'';
	for (; *word; word++) {
		if (*word == '\'')
			to = stpcpy(to, "'\\''");
		else
			*to++ = *word;
	}
	stpcpy(to, "'");
	return quoted;
}
