// SPDX-License-Identifier: MIT
#include "vmm/outcome.h"

#include <errno.h>
#include <jansson.h>
#include <unistd.h>

const char *reason_name(enum reason reason)
{
	static const char *const names[] = {
		[REASON_NONE] = "running",
		[REASON_EXIT] = "exit",
		[REASON_SIGNAL] = "signal",
		[REASON_PANIC] = "panic",
		[REASON_TRIPLE_FAULT] = "triple-fault",
		[REASON_POWER_OFF] = "power-off",
		[REASON_RESTART] = "restart",
		[REASON_INIT_FAILED] = "init-failed",
		[REASON_LOST_DATA] = "lost-data",
		[REASON_PROTOCOL] = "protocol",
		[REASON_TIMEOUT] = "timeout",
		[REASON_INTERRUPTED] = "interrupted",
		[REASON_VMM_FAILED] = "vmm-failed",
		[REASON_NOT_STARTED] = "not-started",
	};

	return names[reason];
}

static json_t *milliseconds(const struct outcome *outcome, enum moment moment)
{
	uint64_t at = outcome->moment[moment], us;

	if (!at)
		return json_null();
	us = (at - outcome->moment[MOMENT_START]) / 1000;
	return json_real((double)us / 1000);
}

static json_t *text_or_null(const char *text)
{
	/* Bytes that are no UTF-8 (a file name may have them) make json_string() refuse. */
	json_t *value = text && *text ? json_string(text) : NULL;

	return value ? value : json_null();
}

int outcome_write(const struct outcome *outcome, int fd)
{
	json_t *json = json_pack("{s:s, s:i, s:o, s:{s:o, s:o}, s:{s:o, s:o, s:o, s:o, s:o}}",
				 "reason", reason_name(outcome->reason),
				 "status", outcome->status,
				 "message", text_or_null(outcome->message),
				 "kernel",
					 "file", text_or_null(outcome->kernel),
					 "release", text_or_null(outcome->release),
				 "times_ms",
					 "guest", milliseconds(outcome, MOMENT_GUEST),
					 "init", milliseconds(outcome, MOMENT_INIT),
					 "mounted", milliseconds(outcome, MOMENT_MOUNTED),
					 "command", milliseconds(outcome, MOMENT_COMMAND),
					 "end", milliseconds(outcome, MOMENT_END));
	int err = 0;

	if (!json)
		return -ENOMEM;
	if (json_dumpfd(json, fd, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) < 0 ||
	    write(fd, "\n", 1) != 1)
		err = errno ? -errno : -EIO;
	json_decref(json);
	return err;
}
