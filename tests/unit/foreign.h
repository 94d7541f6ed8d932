/* SPDX-License-Identifier: MIT */
/* Reading another program's configuration in a test, and what becomes of it. */
#ifndef TESTS_UNIT_FOREIGN_H
#define TESTS_UNIT_FOREIGN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "vmm/foreign/foreign.h"

#define MAX_TEST_SHARES 4

struct made {
	struct foreign f;
	struct share_options share[MAX_TEST_SHARES];
	unsigned int n;
	struct notes notes;
	struct why why;
};

static inline void clear(struct made *m)
{
	foreign_free(&m->f);
	for (unsigned int i = 0; i < MAX_TEST_SHARES; i++)
		share_options_free(&m->share[i]);
	notes_free(&m->notes);
	memset(m, 0, sizeof(*m));
}

/* text is copied to the very end of its memory: a read beyond it is seen by the sanitizer. */
static inline int parse(struct made *m, const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	int err;

	clear(m);
	if (len)
		memcpy(copy, text, len);
	err = foreign_parse_libvirt(&m->f, "f", copy, len, &m->why);
	free(copy);
	return err;
}

static inline int to_shares(struct made *m)
{
	return foreign_to_shares(&m->f, m->share, MAX_TEST_SHARES, &m->n, &m->notes, &m->why);
}

static inline int libvirt(struct made *m, const char *text)
{
	return parse(m, text, strlen(text)) ?: to_shares(m);
}

static inline int qemu(struct made *m, const char *text)
{
	clear(m);
	return foreign_read_virtfs(&m->f, text, &m->why) ?: to_shares(m);
}

/* How often the words are in the notes. */
static inline unsigned int said(const struct made *m, const char *words)
{
	unsigned int n = 0;

	for (const char *at = m->notes.text; at && (at = strstr(at, words)); at += strlen(words))
		n++;
	return n;
}

static inline unsigned int lines_said(const struct made *m)
{
	return said(m, "\n");
}

#define EXPECT_SAID(m, words) \
	EXPECT_EQ(said(m, words), 1) TH_LOG("'%s' in:\n%s", words, (m)->notes.text ? (m)->notes.text : "")
#define EXPECT_WHY(m, words) \
	EXPECT_NE(strstr((m)->why.text, words), NULL) TH_LOG("'%s' in: %s", words, (m)->why.text)
#define EXPECT_WORD(word, t, l, c)                  \
	do {                                        \
		EXPECT_STREQ((word).text, t);       \
		EXPECT_EQ((word).line, l);          \
		EXPECT_EQ((word).column, c);        \
	} while (0)

#endif
