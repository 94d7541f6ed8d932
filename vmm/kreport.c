// SPDX-License-Identifier: MIT
#include "vmm/kreport.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CUT_HERE "------------[ cut here ]------------" /* include/asm-generic/bug.h */
#define CUT_LINES 16 /* of a warning's own message */

static const char *const names[] = {
	[REPORT_NONE] = "none",	      [REPORT_PANIC] = "panic",	    [REPORT_OOPS] = "oops",
	[REPORT_WARN] = "warn",	      [REPORT_LOCKUP] = "lockup",   [REPORT_HUNG] = "hung",
	[REPORT_KASAN] = "kasan",     [REPORT_KCSAN] = "kcsan",	    [REPORT_KFENCE] = "kfence",
	[REPORT_KMSAN] = "kmsan",     [REPORT_UBSAN] = "ubsan",	    [REPORT_LOCKDEP] = "lockdep",
	[REPORT_RCU] = "rcu",
};

/*
 * How the first line of a report begins, the particular before the general, and what else it has. Where
 * from: panic.c, traps.c, fault.c and dumpstack.c of the processor, bug.c, watchdog.c, workqueue.c,
 * hung_task.c, lockdep.c, rtmutex debugging, mm/{kasan,kcsan,kfence,kmsan}, lib/ubsan.c, rcu/tree_stall.h.
 */
static const struct {
	const char *start;
	const char *also;
	enum report_kind kind;
} patterns[] = {
	{ "Kernel panic - not syncing", NULL, REPORT_PANIC },
	{ "BUG: KASAN: ", NULL, REPORT_KASAN },
	{ "BUG: KCSAN: ", NULL, REPORT_KCSAN },
	{ "BUG: KFENCE: ", NULL, REPORT_KFENCE },
	{ "BUG: KMSAN: ", NULL, REPORT_KMSAN },
	{ "UBSAN: ", NULL, REPORT_UBSAN },
	{ "BUG: soft lockup", NULL, REPORT_LOCKUP },
	{ "BUG: workqueue lockup", NULL, REPORT_LOCKUP },
	{ "watchdog: ", "soft lockup", REPORT_LOCKUP },
	{ "watchdog: ", "hard LOCKUP", REPORT_LOCKUP },
	{ "NMI watchdog: ", "LOCKUP", REPORT_LOCKUP },
	{ "Watchdog detected hard LOCKUP", NULL, REPORT_LOCKUP },
	{ "INFO: task ", " blocked for more than ", REPORT_HUNG },
	{ "INFO: task ", " blocked in I/O wait for more than ", REPORT_HUNG },
	{ "rcu: INFO: ", " stall", REPORT_RCU },
	{ "INFO: rcu_", " stall", REPORT_RCU },
	{ "WARNING: suspicious RCU usage", NULL, REPORT_RCU },
	{ "WARNING: possible circular locking dependency", NULL, REPORT_LOCKDEP },
	{ "WARNING: possible recursive locking", NULL, REPORT_LOCKDEP },
	{ "WARNING: possible irq lock inversion", NULL, REPORT_LOCKDEP },
	{ "WARNING: inconsistent lock state", NULL, REPORT_LOCKDEP },
	{ "WARNING: bad unlock balance", NULL, REPORT_LOCKDEP },
	{ "WARNING: bad contention detected", NULL, REPORT_LOCKDEP },
	{ "WARNING: Nested lock was not taken", NULL, REPORT_LOCKDEP },
	{ "WARNING: held lock freed", NULL, REPORT_LOCKDEP },
	{ "WARNING: lock held when returning to user space", NULL, REPORT_LOCKDEP },
	{ "WARNING: ", " still has locks held", REPORT_LOCKDEP },
	{ "WARNING: ", "-unsafe lock order detected", REPORT_LOCKDEP },
	{ "BUG: Invalid wait context", NULL, REPORT_LOCKDEP },
	{ "[ BUG: Invalid wait context ]", NULL, REPORT_LOCKDEP },
	{ "BUG: MAX_LOCK", NULL, REPORT_LOCKDEP },
	{ "BUG: MAX_STACK_TRACE_ENTRIES", NULL, REPORT_LOCKDEP },
	{ "WARNING: CPU: ", " at ", REPORT_WARN },
	{ "BUG: ", NULL, REPORT_OOPS },
	{ "kernel BUG at ", NULL, REPORT_OOPS },
	{ "Oops", " [#", REPORT_OOPS },
	{ "Oops:", NULL, REPORT_OOPS },
	{ "Internal error: ", " [#", REPORT_OOPS },
	{ "general protection fault", " [#", REPORT_OOPS },
	{ "invalid opcode", " [#", REPORT_OOPS },
	{ "divide error", " [#", REPORT_OOPS },
	{ "stack segment", " [#", REPORT_OOPS },
	{ "alignment check", " [#", REPORT_OOPS },
	{ "invalid TSS", " [#", REPORT_OOPS },
	{ "segment not present", " [#", REPORT_OOPS },
	{ "int3", " [#", REPORT_OOPS },
	{ "traps: PANIC: double fault", NULL, REPORT_OOPS },
	{ "PANIC: double fault", NULL, REPORT_OOPS },
	{ "double fault", " [#", REPORT_OOPS },
	{ "Unable to handle kernel ", NULL, REPORT_OOPS },
	{ "unable to handle kernel ", NULL, REPORT_OOPS },
};

const char *report_kind_name(enum report_kind kind)
{
	return names[kind];
}

static int refuse(const char *word, size_t len, struct why *why)
{
	char all[256] = "";
	size_t n = 0;

	for (int kind = REPORT_PANIC; kind < REPORT_KINDS; kind++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s, ", names[kind]);
	return why_fail(why, -EINVAL,
			"--fail-on: '%.*s' is no kind of report: give a list of %sor all, or none",
			(int)len, word, all);
}

int report_kinds_parse(const char *list, unsigned int *kinds, struct why *why)
{
	unsigned int all = (1u << REPORT_KINDS) - (1u << REPORT_PANIC);

	*kinds = 1u << REPORT_PANIC;
	if (!strcmp(list, "none"))
		return 0;
	if (!strcmp(list, "all")) {
		*kinds = all;
		return 0;
	}
	for (const char *word = list;; word++) {
		size_t len = strcspn(word, ",");
		int kind = REPORT_PANIC;

		while (kind < REPORT_KINDS &&
		       (strlen(names[kind]) != len || strncmp(names[kind], word, len)))
			kind++;
		if (kind == REPORT_KINDS)
			return refuse(word, len, why);
		*kinds |= 1u << kind;
		word += len;
		if (!*word)
			return 0;
	}
}

/* ---- lines ---- */

const char *report_skip_stamp(const char *line, bool *stamped)
{
	*stamped = false;
	/* Times, and tasks or processors: "[   12.345678]", "[  T123]", "[    C0]". */
	for (const char *p = line; *p == '['; ) {
		size_t n = 1 + strspn(p + 1, " 0123456789.TC");

		if (p[n] != ']' || n == 1)
			break;
		p += n + 1;
		*stamped = true;
		line = p;
	}
	return *stamped && *line == ' ' ? line + 1 : line;
}

/* The time in it, without blanks; "" if there is none. */
static void get_stamp(char *stamp, size_t size, const char *line)
{
	size_t n;

	*stamp = '\0';
	if (*line++ != '[')
		return;
	line += strspn(line, " ");
	n = strspn(line, "0123456789.");
	if (n < size && line[n] == ']')
		*(char *)mempcpy(stamp, line, n) = '\0';
}

static enum report_kind kind_of(const char *text)
{
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (!strncmp(text, patterns[i].start, strlen(patterns[i].start)) &&
		    (!patterns[i].also || strstr(text, patterns[i].also)))
			return patterns[i].kind;
	return REPORT_NONE;
}

/* "=========": around some reports, at least so long. */
static bool is_rule(const char *text)
{
	size_t n = strspn(text, "=");

	return n >= 20 && !text[n + strspn(text + n, " ")];
}

static bool ends_with_rule(enum report_kind kind)
{
	return kind == REPORT_KASAN || kind == REPORT_KCSAN || kind == REPORT_KFENCE ||
	       kind == REPORT_KMSAN || kind == REPORT_UBSAN;
}

/* ---- one source ---- */

/* Whole lines; what does not fit ends the text. */
static void add_text(struct kreport_text *to, const char *text, size_t len)
{
	if (to->whole || len > sizeof(to->text) - 1 - to->len) {
		to->whole = true;
		return;
	}
	memcpy(to->text + to->len, text, len);
	to->len += len;
	to->text[to->len] = '\0';
}

static void add_line(struct kreport_text *to, const char *line)
{
	char text[1024];
	int len = snprintf(text, sizeof(text), "%s\n", line);

	if (len < (int)sizeof(text))
		add_text(to, text, (size_t)len);
}

static void hold(struct kreport_reader *reader, const char *line)
{
	size_t room = sizeof(reader->pending_text) - reader->pending_len;
	int len = snprintf(reader->pending_text + reader->pending_len, room, "%s\n", line);

	if (len >= (int)room)
		reader->pending = 0;
	else
		reader->pending_len += (size_t)len;
}

static void close_report(struct kreport_reader *reader, enum report_source source)
{
	if (reader->open)
		reader->open->by[source].whole = true;
	reader->open = NULL;
	reader->kind = REPORT_NONE;
}

/* The same report, from the other source. */
static struct kreport *known(struct kreports *reports, enum report_source source, const char *text,
			    const char *stamp)
{
	for (unsigned int i = 0; i < reports->n; i++) {
		struct kreport *report = &reports->report[i];

		if (report->kind != REPORT_NONE && !report->by[source].begun &&
		    !strncmp(report->line, text, sizeof(report->line) - 1) &&
		    (!*stamp || !report->stamp[0] || !strcmp(report->stamp, stamp)))
			return report;
	}
	return NULL;
}

/* A place for one more, or NULL if there are enough of its kind. */
static struct kreport *new_report(struct kreports *reports, enum report_kind kind)
{
	for (unsigned int i = 0; i < reports->n; i++)
		if (reports->report[i].kind == REPORT_NONE) {
			memset(&reports->report[i], 0, sizeof(reports->report[i]));
			return &reports->report[i];
		}
	if (reports->n >= REPORTS_FIRST && reports_find(reports, 1u << kind))
		return NULL;
	return &reports->report[reports->n++];
}

static enum report_kind open_report(struct kreports *reports, enum report_source source,
				    enum report_kind kind, const char *line, const char *text)
{
	struct kreport_reader *reader = &reports->reader[source];
	enum report_kind news = REPORT_NONE;
	struct kreport *report;
	char stamp[sizeof(report->stamp)];

	get_stamp(stamp, sizeof(stamp), line);
	report = known(reports, source, text, stamp);
	if (!report) {
		news = kind;
		reports->count[kind]++;
		report = new_report(reports, kind);
		if (report) {
			report->kind = kind;
			snprintf(report->line, sizeof(report->line), "%s", text);
			memcpy(report->stamp, stamp, sizeof(stamp));
		}
	}
	reader->open = report;
	reader->kind = kind;
	reader->lines = 0;
	reader->traced = false;
	if (report) {
		report->by[source].begun = true;
		if (reader->pending)
			add_text(&report->by[source], reader->pending_text, reader->pending_len);
		add_line(&report->by[source], line);
	}
	reader->pending = 0;
	return news;
}

/*
 * Whether this line, of this kind, begins something new while a report is open. An oops says several
 * such lines before its call trace; reports without an end of their own end with any other one.
 */
static bool begins_another(const struct kreport_reader *reader, const char *text, enum report_kind kind)
{
	bool several = reader->kind == REPORT_OOPS || reader->kind == REPORT_WARN ||
		       reader->kind == REPORT_PANIC;

	if (!strcmp(text, CUT_HERE) || (is_rule(text) && !ends_with_rule(reader->kind)))
		return true;
	if (kind == REPORT_PANIC && reader->kind != REPORT_PANIC)
		return true;
	if (kind == REPORT_NONE || ends_with_rule(reader->kind))
		return false;
	return reader->traced || (!several && kind != reader->kind);
}

static void continue_report(struct kreport_reader *reader, enum report_source source, const char *line,
			    const char *text)
{
	bool trace_end = !strcmp(text, " </TASK>");

	if (reader->open)
		add_line(&reader->open->by[source], line);
	reader->traced |= trace_end;
	/* "---[ end trace …", "---[ end Kernel panic …"; a panic that restarts at once says only this. */
	if (!strncmp(text, "---[ end ", 9) || is_rule(text) ||
	    (reader->kind == REPORT_PANIC && !strncmp(text, "Kernel Offset: ", 15)) ||
	    (trace_end && (reader->kind == REPORT_HUNG || reader->kind == REPORT_LOCKDEP)) ||
	    ++reader->lines == REPORT_LINES_MAX)
		close_report(reader, source);
}

enum report_kind reports_line(struct kreports *reports, enum report_source source, const char *line)
{
	struct kreport_reader *reader = &reports->reader[source];
	bool stamped;
	const char *text = report_skip_stamp(line, &stamped);
	enum report_kind kind = kind_of(text);

	if (reader->kind != REPORT_NONE) {
		if (!begins_another(reader, text, kind)) {
			continue_report(reader, source, line, text);
			return REPORT_NONE;
		}
		close_report(reader, source);
	}
	if (!strcmp(text, CUT_HERE) || is_rule(text)) {
		reader->pending = is_rule(text) ? 1 : CUT_LINES;
		reader->pending_len = 0;
		hold(reader, line);
		return REPORT_NONE;
	}
	/* Behind "cut here", a WARNING is one however it goes on. */
	if (kind == REPORT_NONE && reader->pending && !strncmp(text, "WARNING: ", 9))
		kind = REPORT_WARN;
	if (kind != REPORT_NONE)
		return open_report(reports, source, kind, line, text);
	if (reader->pending && --reader->pending)
		hold(reader, line);
	return REPORT_NONE;
}

void reports_withdraw(struct kreports *reports, const char *line)
{
	struct kreport_reader *reader = &reports->reader[REPORT_SERIAL];
	bool stamped;
	const char *text = report_skip_stamp(line, &stamped);
	struct kreport *report;
	char stamp[sizeof(report->stamp)];

	get_stamp(stamp, sizeof(stamp), line);
	report = known(reports, REPORT_KMSG, text, stamp);
	if (!report)
		return;
	if (reader->open == report)
		close_report(reader, REPORT_SERIAL);
	reports->count[report->kind]--;
	report->kind = REPORT_NONE;
}

const struct kreport *reports_find(const struct kreports *reports, unsigned int kinds)
{
	for (unsigned int i = 0; i < reports->n; i++) {
		const struct kreport *report = &reports->report[i];

		if (report->kind != REPORT_NONE && (kinds & 1u << report->kind))
			return report;
	}
	return NULL;
}

bool report_is_whole(const struct kreport *report)
{
	for (int i = 0; i < REPORT_SOURCES; i++)
		if (report->by[i].whole)
			return true;
	return false;
}

const char *report_text(const struct kreport *report)
{
	const struct kreport_text *a = &report->by[REPORT_SERIAL], *b = &report->by[REPORT_KMSG];

	return a->len >= b->len ? a->text : b->text;
}
