/* SPDX-License-Identifier: MIT */
/*
 * Why a running share refused something to its guest: found as `ninepin doctor` finds it, and said
 * once for each cause. The work is done on a thread of its own.
 */
#ifndef VMM_DOCTOR_EXPLAIN_H
#define VMM_DOCTOR_EXPLAIN_H

#include "boot/why.h"
#include "ninep/p9.h"

struct explain;

/*
 * say() is told the sentences, without an end, on that thread. What is needed of the host beside
 * the shares is opened and read here. -ENOMEM with a sentence.
 */
int explain_new(struct explain **explain, void (*say)(void *arg, const char *sentence), void *arg,
		struct why *why);
/*
 * A share whose refusals are to be explained, at most EXPLAIN_SHARES of them: its folder is opened,
 * and what is on the way to it is looked at. share is only compared with, never used; path must
 * last. -ENOMEM or as open(2), with a sentence.
 */
#define EXPLAIN_SHARES 16
int explain_share(struct explain *explain, const struct p9_share *share, const char *path,
		  const struct p9_share_config *config, struct why *why);
/* Starts the thread. Negative errno. */
int explain_start(struct explain *explain);
/* For p9_server_on_refusal(), with explain as arg: on any thread, and it does not wait. */
void explain_refusal(void *explain, const struct p9_refusal *refusal);
/* After the last refusal. Waits until all are explained. NULL is fine. */
void explain_free(struct explain *explain);

#endif
