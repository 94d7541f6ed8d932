// SPDX-License-Identifier: MIT
#include "vmm/outcome.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *key;
	const char *name;
} moments[MOMENTS] = {
	[MOMENT_SETUP] = { "setup", "the machine is made" },
	[MOMENT_LOADED] = { "loaded", "kernel and initramfs are loaded" },
	[MOMENT_GUEST] = { "guest", "the first instruction" },
	[MOMENT_KERNEL] = { "kernel", "the kernel takes its console" },
	[MOMENT_INIT] = { "init", "init speaks" },
	[MOMENT_MOUNTED] = { "mounted", "root and shares are mounted" },
	[MOMENT_COMMAND] = { "command", "the command runs" },
	[MOMENT_END] = { "end", "the end" },
};

const char *reason_name(enum reason reason)
{
	static const char *const names[] = {
		[REASON_NONE] = "running",
		[REASON_EXIT] = "exit",
		[REASON_SIGNAL] = "signal",
		[REASON_PANIC] = "panic",
		[REASON_REPORT] = "report",
		[REASON_TRIPLE_FAULT] = "triple-fault",
		[REASON_POWER_OFF] = "power-off",
		[REASON_RESTART] = "restart",
		[REASON_INIT_FAILED] = "init-failed",
		[REASON_LOST_DATA] = "lost-data",
		[REASON_PROTOCOL] = "protocol",
		[REASON_TIMEOUT] = "timeout",
		[REASON_BOOT_TIMEOUT] = "boot-timeout",
		[REASON_INTERRUPTED] = "interrupted",
		[REASON_VMM_FAILED] = "vmm-failed",
		[REASON_NOT_STARTED] = "not-started",
	};

	return names[reason];
}

/* ---- strings ---- */

/* How many bytes a well-formed UTF-8 sequence at p has (RFC 3629), 0: there is none. */
static size_t sequence(const unsigned char *p)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int c = *p;
	size_t n = c < 0x80 ? 1 : c >= 0xf0 && c < 0xf8 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;

	if (n < 2 || c >= 0xf8)
		return n == 1;
	c &= 0x7fu >> n;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

static json_t *text(const char *from)
{
	char *to = malloc(4 * strlen(from) + 1), *end = to;
	json_t *value = NULL;

	if (!to)
		return NULL;
	for (const unsigned char *p = (const unsigned char *)from; *p;) {
		size_t n = sequence(p);

		if (n)
			end = mempcpy(end, p, n);
		else
			end += sprintf(end, "\\x%02x", *p);
		p += n ? n : 1;
	}
	*end = '\0';
	value = json_string(to);
	free(to);
	return value;
}

static json_t *text_or_null(const char *from)
{
	return from && *from ? text(from) : json_null();
}

static void append_line(void *arg, const char *line)
{
	json_array_append_new(arg, text(line));
}

/* ---- parts ---- */

static double milliseconds(const struct outcome *outcome, enum moment moment)
{
	uint64_t us = (outcome->moment[moment] - outcome->moment[MOMENT_START]) / 1000;

	return (double)us / 1000;
}

static json_t *times(const struct outcome *outcome)
{
	json_t *json = json_object();

	for (int i = MOMENT_START + 1; i < MOMENTS; i++)
		json_object_set_new(json, moments[i].key,
				    outcome->moment[i] ? json_real(milliseconds(outcome, i)) :
							 json_null());
	return json;
}

/* The letters of Documentation/admin-guide/tainted-kernels.rst, for bits 0, 1, …. */
static json_t *tainted(const struct outcome *outcome)
{
	static const char letter[] = "PFSRMBUDAWCIOELKXTNJ";
	char letters[sizeof(letter)] = "";
	size_t n = 0;

	if (!outcome->tainted_known)
		return json_null();
	for (size_t bit = 0; letter[bit]; bit++)
		if (outcome->tainted >> bit & 1)
			letters[n++] = letter[bit];
	return json_pack("{s:I, s:s}", "flags", (json_int_t)outcome->tainted, "letters", letters);
}

static void append_report(void *arg, const struct kreport *report)
{
	json_array_append_new(arg, json_pack("{s:s, s:o, s:b, s:o}",
					     "kind", report_kind_name(report->kind),
					     "line", text(report->line),
					     "whole", report_is_whole(report),
					     "text", text(report_text(report))));
}

static json_t *reports(struct console_log *log, json_t *counts)
{
	json_t *json = json_array();
	unsigned int count[REPORT_KINDS];

	if (!log)
		return json;
	console_log_each_report(log, append_report, json, count);
	for (int kind = REPORT_PANIC; kind < REPORT_KINDS; kind++)
		if (count[kind])
			json_object_set_new(counts, report_kind_name(kind), json_integer(count[kind]));
	return json;
}

static json_t *console(struct console_log *log)
{
	json_t *json = json_array();

	if (log)
		console_log_tail(log, CONSOLE_KEPT, append_line, json);
	return json;
}

static json_t *asked(struct console_log *log)
{
	json_t *json = json_array();

	if (log)
		console_log_after_mark(log, append_line, json);
	return json;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int outcome_write(const struct outcome *outcome, struct console_log *log, int fd)
{
	json_t *counts = json_object();
	json_t *json = json_pack(
		"{s:s, s:i, s:o, s:{s:o, s:o, s:o, s:o}, s:o, s:{s:I, s:I, s:I}, s:{s:I, s:I}, s:o, s:o, s:o, "
		"s:o, s:o}",
		"reason", reason_name(outcome->reason),
		"status", outcome->status,
		"message", text_or_null(outcome->message),
		"kernel",
			"file", text_or_null(outcome->kernel),
			"release", text_or_null(outcome->release),
			"version", text_or_null(log ? log->version : NULL),
			"command_line", text_or_null(outcome->cmdline),
		"times_ms", times(outcome),
		"cpu_ms",
			"guest", (json_int_t)outcome->usage.guest_ms,
			"user", (json_int_t)outcome->usage.user_ms,
			"system", (json_int_t)outcome->usage.system_ms,
		"memory_kib",
			"guest", (json_int_t)(outcome->ram >> 10),
			"peak", (json_int_t)outcome->usage.peak_kib,
		"tainted", tainted(outcome),
		"reports", reports(log, counts),
		"report_counts", counts,
		"console", console(log),
		"sysrq", asked(log));
	char *dump = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
	int err = dump ? write_all(fd, dump, strlen(dump)) : -ENOMEM;

	if (!err)
		err = write_all(fd, "\n", 1);
	free(dump);
	json_decref(json);
	return err;
}

void outcome_print_times(const struct outcome *outcome, FILE *to)
{
	const struct usage *usage = &outcome->usage;
	double before = 0;

	fprintf(to, "ninepin: times in ms%24s %10s\n", "at", "took");
	for (int i = MOMENT_START + 1; i < MOMENTS; i++) {
		double at = milliseconds(outcome, i);

		if (!outcome->moment[i])
			continue;
		fprintf(to, "  %-31s %10.3f %10.3f\n", moments[i].name, at, at - before);
		before = at;
	}
	fprintf(to,
		"ninepin: processor time in ms: %" PRIu64 " in the guest, %" PRIu64 " user, %" PRIu64
		" system\n"
		"ninepin: memory in KiB: %" PRIu64 " at most, of which the guest's is up to %" PRIu64 "\n",
		usage->guest_ms, usage->user_ms, usage->system_ms, usage->peak_kib, outcome->ram >> 10);
}
