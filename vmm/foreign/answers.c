// SPDX-License-Identifier: MIT
/*
 * Commands that pages tell people to type when a shared folder refuses them: what each really does, and
 * whether ninepin needs it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/foreign/read.h"

static bool has_word(const struct foreign_words *w, const char *part)
{
	for (size_t i = 1; i < w->n; i++)
		if (strstr(w->word[i], part))
			return true;
	return false;
}

/* The value of a short option, in the next word or the same; NULL: it is not there. */
static const char *option_value(const struct foreign_words *w, const char *option)
{
	for (size_t i = 1; i < w->n; i++)
		if (!strncmp(w->word[i], option, 2))
			return w->word[i][2] ? w->word[i] + 2 : w->word[i + 1];
	return NULL;
}

/* Each fills to with a sentence. */

static void about_ls(const struct foreign_words *w, char *to, size_t size)
{
	(void)w;
	snprintf(to, size, "shows the owner and mode of the folder itself; the folders above it have to "
			   "let you through too, and ninepin doctor looks at them all");
}

static void about_mount(const struct foreign_words *w, char *to, size_t size)
{
	const char *what = "mounts no shared folder, and is not carried out";

	if (w->n > 1 && !strcmp(w->word[1], "-a"))
		what = "mounts what the guest's /etc/fstab says, and is not needed: ninepin mounts the "
		       "shares before anything runs";
	else if (option_value(w, "-t") && has_word(w, "9p"))
		what = "lacks a word, and is not carried out: mount -t 9p -o OPTIONS TAG PLACE";
	else if (has_word(w, "9p"))
		what = "lists the guest's 9P mounts with the options that the guest's kernel really "
		       "uses; works in the guest as it is";
	snprintf(to, size, "%s", what);
}

static void about_echo(const struct foreign_words *w, char *to, size_t size)
{
	const char *file = "a file";

	for (size_t i = 1; i + 1 < w->n; i++)
		if (w->op[i] && *w->word[i] == '>')
			file = w->word[i + 1];
	snprintf(to, size, "creates %s as a test, in the guest, where it works as it is; on the host, "
			   "ninepin doctor tries the same",
		 file);
}

static void about_chmod(const struct foreign_words *w, char *to, size_t size)
{
	(void)w;
	snprintf(to, size, "gives everybody on the host access to what is in there now, not to what is "
			   "made later; ninepin runs as you and needs only what you may do yourself");
}

static void about_chcon(const struct foreign_words *w, char *to, size_t size)
{
	const char *type = option_value(w, "-t");
	bool content = type && !strcmp(type, "virt_content_t");

	snprintf(to, size, "gives the SELinux label%s%s, %s; it lasts until files are labelled afresh, and "
			   "ninepin, which runs as you, needs none",
		 type ? " " : "", type ? type : "",
		 content ? "which lets a QEMU that libvirt confines read, but not write" :
			   "for a QEMU that libvirt confines");
}

static void about_setfacl(const struct foreign_words *w, char *to, size_t size)
{
	const char *entry = option_value(w, "-m"), *name = entry ? strstr(entry, "u:") : NULL;
	int len = name ? (int)strcspn(name + 2, ":") : 0;
	bool later = entry && (!strncmp(entry, "d:", 2) || strstr(entry, ",d:") ||
			       strstr(entry, "default:"));

	snprintf(to, size, "gives the user %.*s access to what is in there now%s; QEMU runs as that user "
			   "under libvirt, while ninepin runs as you and needs no such entry",
		 len ? len : (int)strlen("named there"), len ? name + 2 : "named there",
		 later ? ", and later" : ", not to what is made later, which takes d:u:… as well");
}

static void about_dmesg(const struct foreign_words *w, char *to, size_t size)
{
	(void)w;
	snprintf(to, size, "shows what the guest's kernel said of 9P: a refused call is not in it, only "
			   "the program that called is told; in the guest it works as it is");
}

static void about_mkdir(const struct foreign_words *w, char *to, size_t size)
{
	(void)w;
	snprintf(to, size, "is not needed for a mount point: ninepin makes it in the guest");
}

static void about_modprobe(const struct foreign_words *w, char *to, size_t size)
{
	(void)w;
	snprintf(to, size, "is not needed: ninepin loads what its shares need into the guest's kernel");
}

static void about_security_model(const struct foreign_words *w, char *to, size_t size)
{
	snprintf(to, size, "is no option of mount's: the host decides it, by "
			   "accessmode= in the XML or ninepin run --share FOLDER,%s",
		 w->word[0]);
}

static const struct {
	const char *name;
	void (*about)(const struct foreign_words *w, char *to, size_t size);
} answers[] = {
	{ "ls", about_ls },	      { "mount", about_mount },	  { "echo", about_echo },
	{ "chmod", about_chmod },     { "chcon", about_chcon },	  { "setfacl", about_setfacl },
	{ "dmesg", about_dmesg },     { "mkdir", about_mkdir },	  { "modprobe", about_modprobe },
	{ "security_model=", about_security_model },
};

/* Its place in the table; past the end: none. */
static size_t find(const char *name)
{
	size_t i = 0;

	for (; i < sizeof(answers) / sizeof(answers[0]); i++) {
		size_t len = strlen(answers[i].name);

		if (!strncmp(name, answers[i].name, len) &&
		    (!name[len] || answers[i].name[len - 1] == '='))
			break;
	}
	return i;
}

bool foreign_has_answer(const char *name)
{
	return find(name) < sizeof(answers) / sizeof(answers[0]);
}

void foreign_answer(const struct foreign_command *command, char *to, size_t size)
{
	struct foreign_words words;
	char text[512];

	*to = '\0';
	if (foreign_split(&words, command->line.text, strlen(command->line.text), 1, 1))
		return;
	answers[find(words.word[0])].about(&words, text, sizeof(text));
	snprintf(to, size, "'%s' %s", command->line.text, text);
	foreign_words_free(&words);
}
