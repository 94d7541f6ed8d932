// SPDX-License-Identifier: MIT
#include "vmm/usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

/* proc(5), /proc/PID/stat, field 43: of all threads, also those that have ended. */
static uint64_t guest_ticks(void)
{
	FILE *file = fopen("/proc/self/stat", "re");
	uint64_t ticks = 0;
	char text[2048], *at;

	if (!file)
		return 0;
	/* The name, field 2, may hold anything, also blanks and brackets: the last one ends it. */
	if (fgets(text, sizeof(text), file) && (at = strrchr(text, ')'))) {
		for (int field = 2; at && field < 43; field++)
			at = strchr(at + 1, ' ');
		if (at)
			sscanf(at, " %" SCNu64, &ticks);
	}
	fclose(file);
	return ticks;
}

static uint64_t to_ms(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_usec / 1000;
}

void usage_take(struct usage *usage)
{
	struct rusage rusage;
	long hz = sysconf(_SC_CLK_TCK);

	memset(usage, 0, sizeof(*usage));
	if (getrusage(RUSAGE_SELF, &rusage))
		return;
	usage->guest_ms = hz > 0 ? guest_ticks() * 1000 / (uint64_t)hz : 0;
	usage->user_ms = to_ms(&rusage.ru_utime);
	usage->system_ms = to_ms(&rusage.ru_stime);
	usage->peak_kib = (uint64_t)rusage.ru_maxrss;
	/* The kernel counts the guest's as user time, too. */
	usage->user_ms -= usage->guest_ms < usage->user_ms ? usage->guest_ms : usage->user_ms;
}
