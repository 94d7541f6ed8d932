/* SPDX-License-Identifier: MIT */
/*
 * A 9P client for tests: builds T-messages, hands them to p9_submit() in one piece or in crumbs, or
 * sends them over a socket, waits, and takes R-messages apart. One call at a time for each struct
 * p9c; any number of those.
 */
#ifndef TESTS_P9CLIENT_H
#define TESTS_P9CLIENT_H

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

#include "ninep/p9.h"
#include "ninep/proto.h"

#define P9C_SIZE    (512u * 1024)
#define P9C_DROPPED (-100000) /* the request came back without a reply */
#define P9C_BROKEN  (-100001) /* the reply is not one: wrong size, type or tag */

struct p9c {
	struct p9_session *session;
	bool pump; /* the caller is the ring's thread, and does its work */
	struct p9_server *server;
	bool crumbs; /* iovecs of one byte each, as many as fit */
	int sock;    /* a connection, used in place of all the above; else -1 */
	void (*work)(void *arg); /* does the server's work, if this thread is also its */
	void *arg;
	uint16_t tag;
	unsigned int order; /* which of all replies this one was */
	size_t room;	    /* bytes offered for the reply */
	uint8_t t[P9C_SIZE];
	size_t t_len;
	uint8_t r[P9C_SIZE];
	const uint8_t *rp; /* the next byte of the reply to be read */
	size_t r_len;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
};

struct p9c_qid {
	uint8_t type;
	uint32_t version;
	uint64_t path;
};

static inline struct p9c *p9c_new(struct p9_server *server, struct p9_session *session, bool crumbs)
{
	struct p9c *c = calloc(1, sizeof(*c));

	c->server = server;
	c->session = session;
	c->pump = p9_server_has_ring(server);
	c->crumbs = crumbs;
	c->sock = -1;
	c->room = sizeof(c->r);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->cond, NULL);
	return c;
}

/* Of a connected socket, which stays the caller's. work(arg) is called while it waits; or NULL. */
static inline struct p9c *p9c_connect(int sock, void (*work)(void *arg), void *arg)
{
	struct p9c *c = calloc(1, sizeof(*c));

	c->sock = sock;
	c->work = work;
	c->arg = arg;
	c->room = sizeof(c->r);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->cond, NULL);
	return c;
}

static inline void p9c_free(struct p9c *c)
{
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->cond);
	free(c);
}

static inline void p9c_put(struct p9c *c, uint64_t v, size_t len)
{
	v = htole64(v);
	memcpy(c->t + c->t_len, &v, len);
	c->t_len += len;
}

static inline void p9c_bytes(struct p9c *c, const void *data, size_t len)
{
	memcpy(c->t + c->t_len, data, len);
	c->t_len += len;
}

/* b, w, d, q: integers of 1, 2, 4, 8 bytes; s: a string. */
static inline void p9c_vbuild(struct p9c *c, uint8_t type, const char *format, va_list ap)
{
	uint32_t size;

	c->t_len = 4;
	p9c_put(c, type, 1);
	p9c_put(c, type == P9_TVERSION ? P9_NOTAG : c->tag, 2);
	for (; *format; format++) {
		const char *s;

		switch (*format) {
		case 'b':
			p9c_put(c, va_arg(ap, unsigned int), 1);
			break;
		case 'w':
			p9c_put(c, va_arg(ap, unsigned int), 2);
			break;
		case 'd':
			p9c_put(c, va_arg(ap, unsigned int), 4);
			break;
		case 'q':
			p9c_put(c, va_arg(ap, uint64_t), 8);
			break;
		case 's':
			s = va_arg(ap, const char *);
			p9c_put(c, strlen(s), 2);
			p9c_bytes(c, s, strlen(s));
			break;
		}
	}
	size = htole32((uint32_t)c->t_len);
	memcpy(c->t, &size, 4);
}

static inline void p9c_build(struct p9c *c, uint8_t type, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	p9c_vbuild(c, type, format, ap);
	va_end(ap);
}

static inline void p9c_done(void *opaque, size_t len)
{
	struct p9c *c = opaque;

	static atomic_uint order;

	pthread_mutex_lock(&c->lock);
	c->order = atomic_fetch_add(&order, 1);
	c->r_len = len;
	c->done = true;
	pthread_cond_broadcast(&c->cond);
	pthread_mutex_unlock(&c->lock);
}

static inline size_t p9c_iov(struct p9c *c, uint8_t *p, size_t len, struct iovec *iov)
{
	size_t n = 0;

	while (c->crumbs && len > 1 && n < P9_MAX_IOV - 1) {
		iov[n].iov_base = p++;
		iov[n++].iov_len = 1;
		len--;
	}
	iov[n].iov_base = p;
	iov[n++].iov_len = len;
	return n;
}

/* Waits until the socket is ready for events, doing the server's work meanwhile. */
static inline void p9c_poll(struct p9c *c, short events)
{
	struct pollfd fd = {.fd = c->sock, .events = events};

	while (!poll(&fd, 1, c->work ? 1 : -1))
		c->work(c->arg);
}

/* Sends bytes as they are. 0, or a negative errno. */
static inline int p9c_send(struct p9c *c, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = send(c->sock, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0) {
			p9c_poll(c, POLLOUT);
			continue;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* len bytes into c->r, behind those that are there; P9C_DROPPED if the connection ends before. */
static inline int p9c_receive_bytes(struct p9c *c, size_t len)
{
	while (len) {
		ssize_t n;

		p9c_poll(c, POLLIN);
		n = recv(c->sock, c->r + c->r_len, len, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			return P9C_DROPPED;
		c->r_len += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* The next reply that comes over the socket, whichever request's it is. */
static inline int p9c_receive(struct p9c *c)
{
	uint32_t size;
	int err;

	c->r_len = 0;
	err = p9c_receive_bytes(c, sizeof(size));
	if (err)
		return err;
	memcpy(&size, c->r, sizeof(size));
	size = le32toh(size);
	if (size < P9_HEADER || size > sizeof(c->r))
		return P9C_BROKEN;
	return p9c_receive_bytes(c, size - sizeof(size));
}

/* Hands over the first len bytes of what was built. */
static inline int p9c_submit_len(struct p9c *c, size_t len)
{
	struct iovec t_iov[P9_MAX_IOV], r_iov[P9_MAX_IOV];
	const struct p9_pieces t = {t_iov, p9c_iov(c, c->t, len, t_iov), len};
	const struct p9_pieces r = {r_iov, p9c_iov(c, c->r, c->room, r_iov), c->room};

	if (c->sock >= 0)
		return p9c_send(c, c->t, len);
	memset(c->r, 0xee, c->room < 64 ? c->room : 64);
	pthread_mutex_lock(&c->lock);
	c->done = false;
	c->r_len = 0;
	pthread_mutex_unlock(&c->lock);
	return p9_submit(c->session, &t, &r, p9c_done, c);
}

static inline int p9c_submit(struct p9c *c)
{
	return p9c_submit_len(c, c->t_len);
}

static inline bool p9c_is_done(struct p9c *c)
{
	bool done;

	pthread_mutex_lock(&c->lock);
	done = c->done;
	pthread_mutex_unlock(&c->lock);
	return done;
}

/* 0, or the errno of an Rlerror. */
static inline int p9c_result(struct p9c *c)
{
	uint32_t size, ecode;
	uint8_t type = c->t[4] + 1;

	if (!c->r_len)
		return P9C_DROPPED;
	if (c->r_len < 7)
		return P9C_BROKEN;
	memcpy(&size, c->r, 4);
	c->rp = c->r + 7;
	if (le32toh(size) != c->r_len || c->r_len > c->room || memcmp(c->r + 5, c->t + 5, 2))
		return P9C_BROKEN;
	if (c->r[4] == P9_RLERROR && c->r_len == 11) {
		memcpy(&ecode, c->rp, 4);
		return -(int)le32toh(ecode);
	}
	return c->r[4] == type ? 0 : P9C_BROKEN;
}

/* Waits for the reply, doing the ring's work meanwhile if this is its thread. */
static inline int p9c_wait(struct p9c *c)
{
	struct timespec until;
	int err;

	if (c->sock >= 0) {
		err = p9c_receive(c);
		return err ?: p9c_result(c);
	}
	pthread_mutex_lock(&c->lock);
	while (!c->done) {
		if (!c->pump) {
			pthread_cond_wait(&c->cond, &c->lock);
			continue;
		}
		pthread_mutex_unlock(&c->lock);
		p9_server_run(c->server);
		pthread_mutex_lock(&c->lock);
		/* Another thread may be the one that ends it, and the ring may have more to do. */
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100000;
		if (until.tv_nsec >= 1000000000l) {
			until.tv_nsec -= 1000000000l;
			until.tv_sec++;
		}
		if (!c->done)
			pthread_cond_timedwait(&c->cond, &c->lock, &until);
	}
	pthread_mutex_unlock(&c->lock);
	return p9c_result(c);
}

static inline int p9c_go(struct p9c *c)
{
	int err = p9c_submit(c);

	return err ?: p9c_wait(c);
}

static inline int p9c_call(struct p9c *c, uint8_t type, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	p9c_vbuild(c, type, format, ap);
	va_end(ap);
	return p9c_go(c);
}

static inline uint64_t p9c_get(struct p9c *c, size_t len)
{
	uint64_t v = 0;

	memcpy(&v, c->rp, len);
	c->rp += len;
	return le64toh(v);
}

static inline struct p9c_qid p9c_get_qid(struct p9c *c)
{
	struct p9c_qid qid;

	qid.type = (uint8_t)p9c_get(c, 1);
	qid.version = (uint32_t)p9c_get(c, 4);
	qid.path = p9c_get(c, 8);
	return qid;
}

static inline void p9c_get_string(struct p9c *c, char *s)
{
	size_t len = p9c_get(c, 2);

	memcpy(s, c->rp, len);
	s[len] = 0;
	c->rp += len;
}

/* ---- messages that tests send all the time ---- */

static inline int p9c_version(struct p9c *c, uint32_t msize)
{
	return p9c_call(c, P9_TVERSION, "ds", msize, P9_VERSION);
}

static inline int p9c_attach(struct p9c *c, uint32_t fid, const char *aname, uint32_t uid)
{
	return p9c_call(c, P9_TATTACH, "ddssd", fid, P9_NOFID, "nobody", aname, uid);
}

/* path: names with slashes between them. */
static inline int p9c_walk(struct p9c *c, uint32_t fid, uint32_t newfid, const char *path)
{
	size_t at;
	uint16_t n = 0;
	uint32_t size;
	int err;

	p9c_build(c, P9_TWALK, "ddw", fid, newfid, 0);
	at = c->t_len - 2;
	while (*path) {
		size_t len = strcspn(path, "/");

		p9c_put(c, len, 2);
		p9c_bytes(c, path, len);
		path += len + (path[len] == '/');
		n++;
	}
	memcpy(c->t + at, &n, 2);
	size = (uint32_t)c->t_len;
	memcpy(c->t, &size, 4);
	err = p9c_go(c);
	/* Fewer qids than names: the fid was not made. */
	return err ?: p9c_get(c, 2) == n ? 0 : -ENOENT;
}

static inline int p9c_clunk(struct p9c *c, uint32_t fid)
{
	return p9c_call(c, P9_TCLUNK, "d", fid);
}

static inline int p9c_lopen(struct p9c *c, uint32_t fid, uint32_t flags)
{
	return p9c_call(c, P9_TLOPEN, "dd", fid, flags);
}

static inline int p9c_lcreate(struct p9c *c, uint32_t fid, const char *name, uint32_t flags,
			      uint32_t mode, uint32_t gid)
{
	return p9c_call(c, P9_TLCREATE, "dsddd", fid, name, flags, mode, gid);
}

/* Bytes, or an error; the data is at c->rp. */
static inline long p9c_read(struct p9c *c, uint32_t fid, uint64_t off, uint32_t count)
{
	int err = p9c_call(c, P9_TREAD, "dqd", fid, off, count);

	return err ?: (long)p9c_get(c, 4);
}

static inline long p9c_write(struct p9c *c, uint32_t fid, uint64_t off, const void *data,
			     uint32_t count)
{
	uint32_t size;
	int err;

	p9c_build(c, P9_TWRITE, "dqd", fid, off, count);
	p9c_bytes(c, data, count);
	size = (uint32_t)c->t_len;
	memcpy(c->t, &size, 4);
	err = p9c_go(c);
	return err ?: (long)p9c_get(c, 4);
}

struct p9c_attr {
	uint64_t valid;
	struct p9c_qid qid;
	uint32_t mode, uid, gid;
	uint64_t nlink, rdev, size, blksize, blocks;
	uint64_t atime[2], mtime[2], ctime[2], btime[2];
};

static inline int p9c_getattr(struct p9c *c, uint32_t fid, struct p9c_attr *a)
{
	int err = p9c_call(c, P9_TGETATTR, "dq", fid, (uint64_t)0x3fff);
	uint64_t *times[] = {a->atime, a->mtime, a->ctime, a->btime};

	if (err)
		return err;
	if (c->r_len != 160)
		return P9C_BROKEN;
	a->valid = p9c_get(c, 8);
	a->qid = p9c_get_qid(c);
	a->mode = (uint32_t)p9c_get(c, 4);
	a->uid = (uint32_t)p9c_get(c, 4);
	a->gid = (uint32_t)p9c_get(c, 4);
	a->nlink = p9c_get(c, 8);
	a->rdev = p9c_get(c, 8);
	a->size = p9c_get(c, 8);
	a->blksize = p9c_get(c, 8);
	a->blocks = p9c_get(c, 8);
	for (int i = 0; i < 4; i++) {
		times[i][0] = p9c_get(c, 8);
		times[i][1] = p9c_get(c, 8);
	}
	return 0;
}

static inline int p9c_setattr(struct p9c *c, uint32_t fid, const struct p9c_attr *a, uint32_t valid)
{
	return p9c_call(c, P9_TSETATTR,
			"ddddd"
			"qqqqq",
			fid, valid, a->mode, a->uid, a->gid, a->size, a->atime[0], a->atime[1],
			a->mtime[0], a->mtime[1]);
}

/* Sets an attribute in pieces of `piece` bytes, by a fid of its own, 50. */
static inline int p9c_setxattr(struct p9c *c, uint32_t fid, const char *name, const void *value, size_t len,
	       uint32_t flags, size_t piece)
{
	int err = p9c_walk(c, fid, 50, "");

	err = err ?: p9c_call(c, P9_TXATTRCREATE, "dsqd", 50, name, (uint64_t)len, flags);
	for (size_t off = 0; !err && off < len; off += piece) {
		size_t n = len - off < piece ? len - off : piece;
		long done = p9c_write(c, 50, off, (const char *)value + off, (uint32_t)n);

		err = done == (long)n ? 0 : done < 0 ? (int)done : -EIO;
	}
	if (err)
		p9c_clunk(c, 50);
	return err ?: p9c_clunk(c, 50);
}

/* The size of an attribute, or of the list of names (""); the value is at c->rp. By fid 51. */
static inline long p9c_getxattr(struct p9c *c, uint32_t fid, const char *name)
{
	int err = p9c_call(c, P9_TXATTRWALK, "dds", fid, 51, name);
	long size, n;

	if (err)
		return err;
	size = (long)p9c_get(c, 8);
	n = p9c_read(c, 51, 0, 100000);
	const uint8_t *at = c->rp;
	uint8_t copy[70000];

	if (n > 0)
		memcpy(copy, at, (size_t)n);
	err = p9c_clunk(c, 51);
	if (n > 0)
		memcpy(c->r, copy, (size_t)n);
	c->rp = c->r;
	return err ?: n == size ? n : -EIO;
}

/* ---- a scratch folder, and a server over it ---- */

struct p9c_world {
	char dir[256];	   /* the scratch folder; what is shared is its subfolder `share` */
	unsigned int fds;  /* open before */
	struct p9_share_config config; /* to be set before p9c_world_open() */
	bool idle_workers; /* set before: the caller will call p9_server_start() */
	struct p9_server *server;
	struct p9_share *share;
	struct p9_session *session;
	struct p9c *c;
};

static inline unsigned int p9c_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Makes everything, and attaches fid 0 as nobody in particular. 0, or a negative errno. */
static inline int p9c_world_open(struct p9c_world *w, enum p9_executor executor, bool crumbs,
				 unsigned int share_flags)
{
	const char *tmp = getenv("TMPDIR");
	char path[300];
	int err;

	w->fds = p9c_count_fds();
	snprintf(w->dir, sizeof(w->dir), "%s/p9-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(w->dir))
		return -errno;
	chmod(w->dir, 0755);
	snprintf(path, sizeof(path), "%s/share", w->dir);
	if (mkdir(path, 0777))
		return -errno;
	chmod(path, 0777);
	err = p9_server_new(&w->server, executor);
	if (!err && !w->idle_workers)
		err = p9_server_start(w->server);
	w->config.flags |= share_flags;
	if (!err)
		err = p9_share_open(&w->share, w->server, path, &w->config);
	if (!err)
		err = p9_session_new(&w->session, w->share);
	if (err)
		return err;
	w->c = p9c_new(w->server, w->session, crumbs);
	err = p9c_version(w->c, 131072);
	return err ?: p9c_attach(w->c, 0, "", P9_NONUNAME);
}

/* 0 if nothing is left: no descriptor, and with the address sanitizer no memory. */
static inline int p9c_world_close(struct p9c_world *w)
{
	char command[300];
	int leaks = 0;

	p9_session_free(w->session);
	p9_share_put(w->share);
	p9_server_free(w->server);
	p9c_free(w->c);
	w->session = NULL;
	w->share = NULL;
	w->server = NULL;
	w->c = NULL;
	snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
	if (system(command))
		perror("rm");
#if defined(__SANITIZE_ADDRESS__)
	leaks = __lsan_do_recoverable_leak_check();
#endif
	return leaks ?: (int)(p9c_count_fds() - w->fds);
}

/* Does the ring's thread's work for so many milliseconds. */
static inline void p9c_pump(struct p9c_world *w, int ms)
{
	p9_server_run(w->server);
	for (ms *= 5; ms > 0; ms--) {
		usleep(200);
		p9_server_run(w->server);
	}
}

/* The host's path of something in the share. */
static inline const char *p9c_path(const struct p9c_world *w, const char *name)
{
	static _Thread_local char path[4][600];
	static _Thread_local unsigned int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/share/%s", w->dir, name);
	return path[i];
}

static inline int p9c_host_file(const struct p9c_world *w, const char *name, const char *content)
{
	int fd = open(p9c_path(w, name), O_WRONLY | O_CREAT | O_TRUNC, 0666);

	if (fd < 0 || write(fd, content, strlen(content)) != (ssize_t)strlen(content))
		return -errno;
	return close(fd);
}

#endif
