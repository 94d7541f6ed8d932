/* SPDX-License-Identifier: MIT */
/*
 * Reports of trouble in a Linux kernel's log: which of its lines begin one, of which kind, and where it
 * ends. The same log may come by two ways, the serial console and /dev/kmsg, each perhaps in part; what
 * comes by both counts once. One thread at a time.
 *
 * What is recognised is what printk's callers have said for years, at the very beginning of a line behind
 * the time stamp; the files of the kernel that say it are named in kreport.c.
 */
#ifndef VMM_KREPORT_H
#define VMM_KREPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "boot/why.h"

enum report_kind {
	REPORT_NONE,
	REPORT_PANIC,
	REPORT_OOPS, /* BUG:, Oops:, general protection fault and the like */
	REPORT_WARN,
	REPORT_LOCKUP, /* soft, hard, of a work queue */
	REPORT_HUNG,   /* a task that does not wake up */
	REPORT_KASAN,
	REPORT_KCSAN,
	REPORT_KFENCE,
	REPORT_KMSAN,
	REPORT_UBSAN,
	REPORT_LOCKDEP,
	REPORT_RCU, /* stalls, suspicious usage */
	REPORT_KINDS,
};

#define REPORTS_FIRST	 8     /* kept with their text: so many, and the first of each kind; all are counted */
#define REPORT_TEXT_MAX	 16384 /* bytes of text that are kept, and … */
#define REPORT_LINES_MAX 256   /* … lines: a report without an end ends here */
#define REPORT_KEY_MAX	 256

enum report_source { REPORT_SERIAL, REPORT_KMSG, REPORT_SOURCES };

struct kreport {
	enum report_kind kind; /* REPORT_NONE: withdrawn */
	/* The line that says what it is: as printed without stamps, and its time ("" if none). */
	char line[REPORT_KEY_MAX];
	char stamp[24];
	struct kreport_text {
		bool begun, whole;
		size_t len;
		char text[REPORT_TEXT_MAX]; /* lines, each with a newline; ends with a NUL */
	} by[REPORT_SOURCES];
};

/* All zero is the beginning. Large: most of it is never touched. */
struct kreports {
	struct kreport report[REPORTS_FIRST + REPORT_KINDS]; /* in the order of their beginning */
	unsigned int n;
	unsigned int count[REPORT_KINDS]; /* ever begun */
	struct kreport_reader {
		struct kreport *open; /* NULL: what comes is of no report, or of one that is not kept */
		enum report_kind kind;
		unsigned int lines;
		bool traced; /* its call trace has ended */
		/* Lines that may turn out to begin one: "cut here" or a line of '=', and what came since. */
		unsigned int pending; /* so many more may come before the one that says what it is */
		size_t pending_len;
		char pending_text[4096];
	} reader[REPORT_SOURCES];
};

/* "oops", …: the word for --fail-on and the result. */
const char *report_kind_name(enum report_kind kind);

/*
 * A list of kinds ("oops,warn"), "all" or "none", to bits 1 << kind. A panic is always among them: it ends
 * every run. -EINVAL with a sentence that has all the words.
 */
int report_kinds_parse(const char *list, unsigned int *kinds, struct why *why);

/* The text of a line behind its stamp ("[    1.234567] ", and "[    T1] " of CONFIG_PRINTK_CALLER), and
 * whether there was one. */
const char *report_skip_stamp(const char *line, bool *stamped);

/* The kernel's next line from this source. Returns the kind of the report that begins with it, if one does that
 * was not known from the other source. */
enum report_kind reports_line(struct kreports *reports, enum report_source source, const char *line);

/* This line turns out to be a program's: a report that it began on the serial console is withdrawn. */
void reports_withdraw(struct kreports *reports, const char *line);

/* The first report of one of these kinds that is kept, or NULL. */
const struct kreport *reports_find(const struct kreports *reports, unsigned int kinds);
/* Whether its end has been seen. */
bool report_is_whole(const struct kreport *report);
/* The better of its texts. */
const char *report_text(const struct kreport *report);

#endif
