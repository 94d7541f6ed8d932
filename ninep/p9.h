/* SPDX-License-Identifier: MIT */
/*
 * The 9P2000.L server, as a transport sees it. It knows no guest addresses: a request is an iovec
 * of T-message bytes and an iovec to put the reply in.
 *
 * Server: the executor, its ring and workers, the pools. Share: a host folder. Session: one
 * connection to a share with its fids. A server serves any number of sessions.
 */
#ifndef NINEP_P9_H
#define NINEP_P9_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct p9_server;
struct p9_share;
struct p9_session;
struct p9_req;

/* How host operations are carried out. Replies are the same in all. */
enum p9_executor {
	P9_EXEC_SYNC, /* system calls, here and now */
	P9_EXEC_RING, /* everything through io_uring, or a worker where it has no opcode */
	P9_EXEC_AUTO, /* in place where it cannot block, else as P9_EXEC_RING */
};

/* Every limit of the server, in one place; see docs/run.md, "Limits". */
#define P9_MSIZE_MAX	  (1024u * 1024u) /* bytes of one message, its payload included */
#define P9_MSIZE_MIN	  4096u
#define P9_MAX_REQS	  256	  /* requests in flight, of one session */
#define P9_MAX_FIDS	  2097152 /* fids of one session */
#define P9_MAX_NODES	  4194304 /* files and folders that a share's fids refer to, or lie below */
#define P9_T_MAX	  8192	  /* bytes of a T-message without Twrite's payload */
#define P9_MAX_IOV	  260	  /* pieces of one request's buffer, T or R */
#define P9_WORKERS	  8 /* one file system may keep half of them busy */
#define P9_KICK_OPS	  64 /* host operations in place on one kick, */
#define P9_KICK_BYTES	  (1024u * 1024u) /* and bytes read or written */
#define P9_KICK_LARGE	  (256u * 1024u)  /* bytes of one that several callers hand over */
#define P9_MAX_XATTRS	  256 /* extended attributes under way, of one session; 64 KiB each at most */
#define P9_MAX_LOCKS	  4096 /* byte ranges locked, of one session */
#define P9_MAX_LOCK_WAITS 64   /* requests that wait for a lock, of one session */
#define P9_MAX_ID_RANGES  16 /* in a share's table of uids, and in that of gids */
#define P9_STREAM_BYTES	  (8u * 1024 * 1024) /* messages and replies of one stream connection */

/*
 * Whether this process may act as any user and give files to anybody, which root may unless
 * something was taken from it. What P9_MODEL_PASSTHROUGH is without, it does as itself.
 */
bool p9_privileged(void);

/*
 * Makes a server. All its descriptors are opened here; threads start with p9_server_start().
 * P9_EXEC_RING and P9_EXEC_AUTO need io_uring: -ENOSYS or -EPERM if the host refuses it (the caller
 * may then choose P9_EXEC_SYNC). The calling thread is the ring's thread from then on.
 * Sets the process's umask to 0: the mode of what is created is the guest's affair. Raises its soft
 * limit of descriptors to the hard one.
 */
int p9_server_new(struct p9_server **server, enum p9_executor executor);
int p9_server_start(struct p9_server *server);
/*
 * How many threads call p9_submit() and keep one another waiting meanwhile; 1 unless told. A guest's
 * processors do: Linux's client kicks with its channel's lock held, and interrupts off. With more
 * than one, payloads of P9_KICK_LARGE are not copied in place. Before p9_server_start().
 */
void p9_server_callers(struct p9_server *server, unsigned int n);
/*
 * What the user should know is told to say(), a sentence without an end, at most once for each
 * share and subject; on any thread. Before p9_server_start().
 */
void p9_server_on_say(struct p9_server *server, void (*say)(void *arg, const char *sentence),
		      void *arg);
/*
 * The host, or a share's model, refused something to a guest. Told on whatever thread had it, which
 * must not be kept waiting; path (below the share; NULL: too long) lasts until fn returns.
 */
enum p9_refused {
	P9_REFUSED_CREATE, /* files, folders, symbolic and hard links */
	P9_REFUSED_MKNOD,
	P9_REFUSED_OPEN,
	P9_REFUSED_CHOWN,
};
struct p9_refusal {
	struct p9_share *share;
	enum p9_refused what;
	int err;      /* -EACCES, -EPERM, -EROFS, -ENOSPC, -EDQUOT, -EOPNOTSUPP */
	uid_t uid;    /* the host's user, and group, that it was asked as */
	gid_t gid;
	const char *path;
};
void p9_server_on_refusal(struct p9_server *server,
			  void (*fn)(void *arg, const struct p9_refusal *refusal), void *arg);
/* After every session is freed. Stops the threads. */
void p9_server_free(struct p9_server *server);

/*
 * The ring's thread sleeps in p9_server_wait(), until fd polls readable (1), or something was done
 * for requests or a signal has come (0), or a negative errno. It looks at fd again each time.
 * done() may be called from within. Requests that it submits itself begin there, and whoever has
 * requests carried out by it while it does something else relies on its coming back.
 *
 * p9_server_run() does what there is to do and never waits: for a thread that waits for something
 * else, and comes back from time to time.
 *
 * A server of P9_EXEC_SYNC has no ring and no such thread: p9_server_run() does nothing, and there is
 * no p9_server_wait().
 */
bool p9_server_has_ring(const struct p9_server *server);
int p9_server_wait(struct p9_server *server, int fd);
void p9_server_run(struct p9_server *server);

#define P9_SHARE_RO 1u /* every change is refused with EROFS */
/* Several file systems below the folder: by default inode numbers are mapped to distinct ones. */
#define P9_SHARE_FORBID_MULTIDEVS 2u /* the others are refused with ENODEV */
#define P9_SHARE_WARN_MULTIDEVS	  4u /* inode numbers stay as they are, and may be the same */
/* The host has begun to write out what a Twrite brought, and finished with what was before. */
#define P9_SHARE_WRITEOUT 8u

/* Who owns what on either side. */
enum p9_model {
	P9_MODEL_PASSTHROUGH, /* the same ids on both */
	P9_MODEL_MAPPED,      /* the guest's in attributes of files that the server owns */
	P9_MODEL_NONE,	      /* as passthrough, and nobody hears that a chown was refused */
	P9_MODEL_IDMAP,	      /* each side's by a table */
};

struct p9_id_range {
	uint32_t guest, host, count;
};

/* Of uids or gids. The first range that fits counts. */
struct p9_idmap {
	struct p9_id_range range[P9_MAX_ID_RANGES];
	unsigned int n;
	bool rest; /* ids in no range stay as they are, where no range says otherwise */
};

/*
 * A path below a share that its clients do not see: neither by walking nor in a listing, and nothing of
 * that name can be made, moved or removed. It need not be there (yet). `*` in its last name, once,
 * stands for anything. Links on the way are followed when the share is opened, and where the last
 * name leads if it is one is hidden too.
 */
struct p9_hidden {
	const char *path;
	bool shown; /* it is not hidden after all, where only a `*` says so */
};

struct p9_share_config {
	unsigned int flags; /* P9_SHARE_* */
	const struct p9_hidden *hidden; /* is not kept */
	unsigned int nhidden;
	enum p9_model model;
	uint32_t fmode, dmode; /* on the host, of files and folders of P9_MODEL_MAPPED; 0: 0600, 0700 */
	struct p9_idmap uids, gids; /* of P9_MODEL_IDMAP */
};

/*
 * Opens a host folder as a share. Negative errno: as open(2), -ENOTDIR; -EOPNOTSUPP: its file system
 * has no user.* attributes, which P9_MODEL_MAPPED needs; -EINVAL: a hidden path is the folder itself,
 * or goes up where nothing is. The server must outlive it, sessions hold a reference.
 */
int p9_share_open(struct p9_share **share, struct p9_server *server, const char *path,
		  const struct p9_share_config *config);
void p9_share_put(struct p9_share *share);

int p9_session_new(struct p9_session **session, struct p9_share *share);
/*
 * Drops every fid, after every request in flight has ended (done() was called for each): a device
 * reset. This waits; on the ring's thread it does that thread's work meanwhile, on another one it
 * relies on that thread's doing so.
 */
void p9_session_reset(struct p9_session *session);
/* Resets, then frees. */
void p9_session_free(struct p9_session *session);

/*
 * The end of a request: len is the length of the reply that was written to r, 0 if the request was
 * dropped (reset, or a T-message too broken to answer). Called exactly once, on whatever
 * thread finished the request, perhaps before p9_submit() returns.
 */
typedef void (*p9_done)(void *opaque, size_t len);

/*
 * Between round(arg, true) and round(arg, false), both on the ring's thread, several requests of the
 * session may end there: what is to be told to its client at each may then be told once, at the end.
 * Other threads may end requests meanwhile. Before the first request; a reset waits for the end of
 * a round.
 */
void p9_session_on_round(struct p9_session *session, void (*round)(void *arg, bool begins),
			 void *arg);

/* Memory in n pieces, len bytes in all. */
struct p9_pieces {
	const struct iovec *iov;
	size_t n, len;
};

/*
 * Takes one request. The iovec arrays are copied; the memory they name must stay until done(). The
 * bytes of the T-message are read once (a Twrite's payload by the host's write itself).
 * Returns 0, or -EAGAIN if P9_MAX_REQS of this session are in flight (done() is not called then;
 * try again when a request has ended), or -EINVAL if an array has more than P9_MAX_IOV pieces.
 */
int p9_submit(struct p9_session *session, const struct p9_pieces *t, const struct p9_pieces *r,
	      p9_done done, void *opaque);

/*
 * Around the p9_submit()s of one kick, on their thread, which somebody waits for: P9_EXEC_AUTO does
 * only so much in place between the two (P9_KICK_OPS, P9_KICK_BYTES), and hands over the rest.
 */
void p9_kick_begin(void);
void p9_kick_end(void);

#endif
