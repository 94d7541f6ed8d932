/* SPDX-License-Identifier: MIT */
/* What the readers of other programs' configurations share. */
#ifndef VMM_FOREIGN_READ_H
#define VMM_FOREIGN_READ_H

#include "vmm/foreign/foreign.h"

/* The most bytes of a configuration: far more than any, and what a parser's int can count. */
#define FOREIGN_MAX_BYTES (1u << 20)
/* The most words of a command line that are looked at. */
#define FOREIGN_MAX_WORDS 256

int foreign_no_memory(struct why *why);

/* len bytes become the word, instead of what it was; text has no NUL in these. -ENOMEM. */
int foreign_set(struct foreign_word *word, const char *text, size_t len, unsigned int line,
		unsigned int column);
/* A word more at the end of a list. -ENOMEM. */
int foreign_add_word(struct foreign_word **list, size_t *n, unsigned int line, unsigned int column,
		     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void foreign_free_words(struct foreign_word *list, size_t n);
/* A new one, all zero, at the end of f's list; NULL without memory. */
struct foreign_share *foreign_add_share(struct foreign *f);
struct foreign_command *foreign_add_command(struct foreign *f);
void foreign_free_command(struct foreign_command *command);

/* Moves on over the bytes between from and to: a newline begins a line, a character takes a column. */
void foreign_advance(unsigned int *line, unsigned int *column, const char *from, const char *to);

/*
 * A line outside of any element, len bytes from where its first word begins. What is no command that
 * ninepin knows an answer to is somebody's prose, and passed over. -ENOMEM.
 */
int foreign_text_line(struct foreign *f, const char *text, size_t len, unsigned int line,
		      unsigned int column);

/* A command line's words, as a shell would split it, up to a comment. */
struct foreign_words {
	char *word[FOREIGN_MAX_WORDS + 1]; /* ends with NULL; without quotes */
	unsigned int line[FOREIGN_MAX_WORDS], column[FOREIGN_MAX_WORDS];
	bool op[FOREIGN_MAX_WORDS]; /* one of | || & && ; < > >> */
	size_t n;
	char *buf; /* which the words are in */
};

/* Words past the most are left out. A quote that is not closed ends with the text. -ENOMEM. */
int foreign_split(struct foreign_words *words, const char *text, size_t len, unsigned int line,
		  unsigned int column);
void foreign_words_free(struct foreign_words *words);

/* Whether there is something to say to a command of this name. */
bool foreign_has_answer(const char *name);
/* What a pasted command that mounts nothing really does, and whether ninepin needs it. */
void foreign_answer(const struct foreign_command *command, char *to, size_t size);

#endif
