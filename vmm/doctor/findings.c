// SPDX-License-Identifier: MIT
#include "vmm/doctor/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

struct finding *findings_add(struct findings *findings, const char *kind, enum layer layer, int err,
			     const char *place, const char *fmt, ...)
{
	struct finding *grown, *finding;
	va_list ap;
	int n;

	if (has(findings, kind, place))
		return NULL;
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
	va_start(ap, fmt);
	n = vasprintf(&finding->what, fmt, ap);
	va_end(ap);
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

static void add_mend(struct finding *finding, bool command, const char *fmt, va_list ap)
{
	struct mend *mend = &finding->mend[finding->nmends];

	mend->command = command;
	if (finding->nmends < FINDING_MENDS && vasprintf(&mend->text, fmt, ap) >= 0)
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

char *shell_word(const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "_@%+=:,./-";
	char *quoted, *to;

	if (*word && !word[strspn(word, plain)])
		return strdup(word);
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
