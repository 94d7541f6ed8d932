// SPDX-License-Identifier: MIT
#include "ninep/stats.h"

#include "ninep/proto.h"
#include "ninep/session.h"

static const char *const names[P9_STAT_TYPES] = {
	[P9_TSTATFS / 2] = "statfs",	   [P9_TLOPEN / 2] = "lopen",
	[P9_TLCREATE / 2] = "lcreate",	   [P9_TSYMLINK / 2] = "symlink",
	[P9_TMKNOD / 2] = "mknod",	   [P9_TRENAME / 2] = "rename",
	[P9_TREADLINK / 2] = "readlink",   [P9_TGETATTR / 2] = "getattr",
	[P9_TSETATTR / 2] = "setattr",	   [P9_TXATTRWALK / 2] = "xattrwalk",
	[P9_TXATTRCREATE / 2] = "xattrcreate", [P9_TREADDIR / 2] = "readdir",
	[P9_TFSYNC / 2] = "fsync",	   [P9_TLOCK / 2] = "lock",
	[P9_TGETLOCK / 2] = "getlock",	   [P9_TLINK / 2] = "link",
	[P9_TMKDIR / 2] = "mkdir",	   [P9_TRENAMEAT / 2] = "renameat",
	[P9_TUNLINKAT / 2] = "unlinkat",   [P9_TVERSION / 2] = "version",
	[P9_TAUTH / 2] = "auth",	   [P9_TATTACH / 2] = "attach",
	[P9_TFLUSH / 2] = "flush",	   [P9_TWALK / 2] = "walk",
	[P9_TREAD / 2] = "read",	   [P9_TWRITE / 2] = "write",
	[P9_TCLUNK / 2] = "clunk",	   [P9_TREMOVE / 2] = "remove",
};

static unsigned int index_of(uint8_t type)
{
	unsigned int index = type / 2u;

	return type % 2 == 0 && index < P9_STAT_TYPES && names[index] ? index : 0;
}

const char *p9_stat_name(unsigned int index)
{
	return index < P9_STAT_TYPES && names[index] ? names[index] : "unknown";
}

/* There is one writer: no locked instruction is needed. */
static void count(_Atomic uint64_t *to, uint64_t more)
{
	atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + more,
			      memory_order_relaxed);
}

void p9_stats_add(struct p9_stats *stats, const struct p9_counted *one)
{
	struct p9_stat *stat = &stats->stat[index_of(one->type)][one->path];

	if (!one->sent) {
		count(&stats->dropped, 1);
		return;
	}
	p9_hist_add(&stat->ns, one->published_ns - one->taken_ns);
	count(&stat->errors, one->failed);
	count(&stat->received, one->received);
	count(&stat->sent, one->sent);
}

void p9_stats_merge(struct p9_stats *to, const struct p9_stats *from)
{
	for (unsigned int i = 0; i < P9_STAT_TYPES; i++)
		for (unsigned int path = 0; path < P9_PATHS; path++) {
			const struct p9_stat *more = &from->stat[i][path];
			struct p9_stat *stat = &to->stat[i][path];

			p9_hist_merge(&stat->ns, &more->ns);
			count(&stat->errors, more->errors);
			count(&stat->received, more->received);
			count(&stat->sent, more->sent);
		}
	count(&to->dropped, from->dropped);
}

const struct p9_stats *p9_session_stats(const struct p9_session *session)
{
	return &session->stats;
}
