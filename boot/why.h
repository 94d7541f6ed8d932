/* SPDX-License-Identifier: MIT */
/*
 * Why a set-up step failed: one sentence naming the thing, the reason and the mend.
 *
 * Functions that set something up return 0 or a negative errno and, on failure, leave the sentence
 * in a struct why that the caller owns. Only main() prints it.
 */
#ifndef BOOT_WHY_H
#define BOOT_WHY_H

struct why {
	char text[1024];
};

/* Formats the sentence (cut if longer than the buffer) and returns err, a negative errno. */
int why_fail(struct why *why, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
