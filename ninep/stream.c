// SPDX-License-Identifier: MIT
#include "ninep/stream.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ninep/proto.h"

#define IN_SIZE 8192u
/* In one p9_stream_run(), before the owner's other connections get their turn. */
#define RECEIVES 16
/* Replies that leave in one system call. */
#define SEND_MAX 64

/* A request, from the first byte of its T-message to the last one of its reply. */
struct call {
	struct p9_stream *stream;
	struct call *next;
	size_t size; /* of the T-message */
	size_t got;  /* bytes of it that are here */
	uint8_t *reply;
	size_t room;
	size_t reply_len; /* 0 if it was flushed: then nothing is sent */
	uint8_t message[];
};

struct queue {
	struct call *head, **end;
};

struct p9_stream {
	int fd;
	struct p9_session *session;
	void (*wake)(void *arg);
	void *arg;

	/* What the socket gave beyond the message that is being received. */
	uint8_t in[IN_SIZE];
	size_t in_pos, in_len;
	struct call *incoming; /* not yet whole; or whole, and there is no room for it yet */
	bool ended;	       /* takes no more requests */
	bool broken;	       /* nobody takes replies */
	bool cleared;	       /* the Tversion that closes all fids was submitted */

	/* Calls in flight and those whose reply is not sent. */
	unsigned int calls;
	size_t bytes;
	struct queue out;
	size_t sent; /* bytes of the first reply in `out` */

	pthread_mutex_t lock;
	/* guarded by the lock */
	struct queue done; /* ended, in this order */
	bool told;	   /* somebody will look at `done` */
};

/* ---- calls ---- */

static void queue_init(struct queue *queue)
{
	queue->head = NULL;
	queue->end = &queue->head;
}

static void queue_add(struct queue *queue, struct call *call)
{
	call->next = NULL;
	*queue->end = call;
	queue->end = &call->next;
}

static struct call *queue_take(struct queue *queue)
{
	struct call *call = queue->head;

	queue->head = call->next;
	if (!queue->head)
		queue_init(queue);
	return call;
}

static struct call *call_new(struct p9_stream *stream, size_t size)
{
	struct call *call = malloc(sizeof(*call) + size);

	if (call)
		*call = (struct call){.stream = stream, .size = size};
	return call;
}

static void call_free(struct call *call)
{
	if (call)
		free(call->reply);
	free(call);
}

/* A call that counted is over. */
static void forget(struct p9_stream *stream, struct call *call)
{
	stream->calls--;
	stream->bytes -= call->size + call->room;
	call_free(call);
}

/* On any thread. */
static void call_done(void *opaque, size_t len)
{
	struct call *call = opaque;
	struct p9_stream *stream = call->stream;
	bool wake;

	pthread_mutex_lock(&stream->lock);
	call->reply_len = len;
	queue_add(&stream->done, call);
	wake = !stream->told;
	stream->told = true;
	pthread_mutex_unlock(&stream->lock);
	if (wake)
		stream->wake(stream->arg);
}

/* ---- requests ---- */

/* As much as the reply can need. Those of Tread and Treaddir are as long as the client asks, and
 * the count is at the same place in both; no other is longer than a T-message may be. */
static size_t reply_room(const struct call *call)
{
	const size_t at = P9_TWRITE_DATA - sizeof(uint32_t);
	uint8_t type = call->message[4];
	uint32_t count;

	if ((type != P9_TREAD && type != P9_TREADDIR) || call->size < P9_TWRITE_DATA)
		return P9_T_MAX;
	memcpy(&count, call->message + at, sizeof(count));
	count = le32toh(count);
	if (count > P9_MSIZE_MAX - P9_RREAD_DATA)
		return P9_MSIZE_MAX;
	return P9_RREAD_DATA + count;
}

/* No memory, or the server says what it cannot say: the connection is of no use any more. */
static void give_up(struct p9_stream *stream)
{
	stream->ended = stream->broken = true;
}

/* Hands over the incoming call, which is whole. False: there is no room for it now. */
static bool submit(struct p9_stream *stream)
{
	struct call *call = stream->incoming;
	const struct iovec t_iov = {.iov_base = call->message, .iov_len = call->size};
	const struct p9_pieces t = {.iov = &t_iov, .n = 1, .len = call->size};
	struct iovec r_iov;
	struct p9_pieces r = {.iov = &r_iov, .n = 1};

	call->room = reply_room(call);
	/* So there are never more in flight than the session takes. */
	if (stream->calls == P9_MAX_REQS ||
	    (stream->calls && stream->bytes + call->size + call->room > P9_STREAM_BYTES))
		return false;
	stream->incoming = NULL;
	stream->calls++;
	stream->bytes += call->size + call->room;
	call->reply = malloc(call->room);
	r_iov = (struct iovec){.iov_base = call->reply, .iov_len = call->room};
	r.len = call->room;
	if (!call->reply || p9_submit(stream->session, &t, &r, call_done, call)) {
		forget(stream, call);
		give_up(stream);
	}
	return true;
}

/* A message that is too long to be taken: its header is all that will be read of it. */
static void refuse(struct p9_stream *stream, const uint8_t *header)
{
	struct call *call = call_new(stream, 0);
	const uint8_t reply[P9_RLERROR_SIZE] = {
		P9_RLERROR_SIZE, 0, 0, 0, P9_RLERROR, header[5], header[6], EMSGSIZE,
	};

	stream->ended = true;
	if (call)
		call->reply = malloc(sizeof(reply));
	if (!call || !call->reply) {
		call_free(call);
		return;
	}
	memcpy(call->reply, reply, sizeof(reply));
	stream->calls++;
	call_done(call, sizeof(reply));
}

/* A header has come: begins the message that it is of. */
static void begin(struct p9_stream *stream)
{
	const uint8_t *header = stream->in + stream->in_pos;
	uint32_t size;

	memcpy(&size, header, sizeof(size));
	size = le32toh(size);
	if (size < P9_HEADER) {
		stream->ended = true;
	} else if (size > P9_MSIZE_MAX) {
		refuse(stream, header);
	} else {
		stream->incoming = call_new(stream, size);
		if (!stream->incoming)
			give_up(stream);
	}
}

/* Moves on with what has been received. False: that needs more bytes. */
static bool consume(struct p9_stream *stream)
{
	size_t have = stream->in_len - stream->in_pos;
	struct call *call = stream->incoming;

	if (!call) {
		if (have < P9_HEADER)
			return false;
		begin(stream);
		return true;
	}
	if (!have)
		return false;
	if (have > call->size - call->got)
		have = call->size - call->got;
	memcpy(call->message + call->got, stream->in + stream->in_pos, have);
	call->got += have;
	stream->in_pos += have;
	return true;
}

/* Reads once: the rest of a message straight to its place, what follows into `in`. False: that was
 * all there is so far. */
static bool receive(struct p9_stream *stream)
{
	struct call *call = stream->incoming;
	struct iovec iov[2];
	struct msghdr msg = {.msg_iov = iov};
	size_t rest = 0, room;
	ssize_t n;

	stream->in_len -= stream->in_pos;
	memmove(stream->in, stream->in + stream->in_pos, stream->in_len);
	stream->in_pos = 0;
	if (call) {
		rest = call->size - call->got;
		iov[msg.msg_iovlen++] = (struct iovec){call->message + call->got, rest};
	}
	room = IN_SIZE - stream->in_len;
	iov[msg.msg_iovlen++] = (struct iovec){stream->in + stream->in_len, room};
	n = recvmsg(stream->fd, &msg, MSG_DONTWAIT);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			give_up(stream);
		return false;
	}
	if (!n)
		stream->ended = true;
	if (call)
		call->got += (size_t)n < rest ? (size_t)n : rest;
	if ((size_t)n > rest)
		stream->in_len += (size_t)n - rest;
	return (size_t)n == rest + room;
}

static bool is_whole(const struct call *call)
{
	return call && call->got == call->size;
}

/* Takes what requests there are; reads at most *receives times. True: took one. */
static bool take(struct p9_stream *stream, int *receives)
{
	bool any = false;

	while (!stream->ended) {
		if (is_whole(stream->incoming)) {
			if (!submit(stream))
				break;
			any = true;
		} else if (!consume(stream)) {
			if (!*receives)
				break;
			*receives = receive(stream) ? *receives - 1 : 0;
		}
	}
	return any;
}

/* ---- replies ---- */

/* Fetches what has ended. True: there was something. */
static bool collect(struct p9_stream *stream)
{
	struct call *call, *next;

	pthread_mutex_lock(&stream->lock);
	call = stream->done.head;
	queue_init(&stream->done);
	pthread_mutex_unlock(&stream->lock);
	if (!call)
		return false;
	for (; call; call = next) {
		next = call->next;
		if (stream->broken)
			forget(stream, call);
		else
			queue_add(&stream->out, call);
	}
	return true;
}

/* Sends once. False: nothing more can be sent now. */
static bool send_some(struct p9_stream *stream)
{
	struct iovec iov[SEND_MAX];
	struct msghdr msg = {.msg_iov = iov};
	size_t skip = stream->sent, left;
	ssize_t n;

	for (struct call *call = stream->out.head; call && msg.msg_iovlen < SEND_MAX;
	     call = call->next) {
		iov[msg.msg_iovlen++] = (struct iovec){call->reply + skip, call->reply_len - skip};
		skip = 0;
	}
	if (!msg.msg_iovlen)
		return false;
	n = sendmsg(stream->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			give_up(stream);
		return false;
	}
	left = (size_t)n + stream->sent;
	while (stream->out.head && left >= stream->out.head->reply_len) {
		left -= stream->out.head->reply_len;
		forget(stream, queue_take(&stream->out));
	}
	stream->sent = left;
	return true;
}

static void drop_replies(struct p9_stream *stream)
{
	while (stream->out.head)
		forget(stream, queue_take(&stream->out));
}

/* ---- the end ---- */

/*
 * Closing a file can take long (nfs writes out what it has), so it is left to the server, which
 * waits elsewhere: a Tversion of our own closes every fid. False: that is done.
 */
static bool clear(struct p9_stream *stream)
{
	const size_t len = sizeof(P9_VERSION) - 1, size = P9_HEADER + 4 + 2 + len;
	struct call *call;
	uint8_t *p;

	if (stream->cleared)
		return false;
	stream->cleared = true;
	stream->broken = true;
	/* The client need not wait for it. */
	shutdown(stream->fd, SHUT_RDWR);
	call_free(stream->incoming);
	stream->incoming = call = call_new(stream, size);
	if (!call)
		return false;
	p = call->message;
	memset(p, 0, size);
	p[0] = (uint8_t)size;
	p[4] = P9_TVERSION;
	p[5] = p[6] = 0xff; /* P9_NOTAG */
	p[8] = P9_MSIZE_MIN >> 8;
	p[11] = (uint8_t)len;
	memcpy(p + 13, P9_VERSION, len);
	return submit(stream);
}

/* False: nobody needs to be told of what ends from now on, for nothing has ended meanwhile. */
static bool leave(struct p9_stream *stream)
{
	bool more;

	pthread_mutex_lock(&stream->lock);
	more = stream->done.head;
	stream->told = more;
	pthread_mutex_unlock(&stream->lock);
	return more;
}

short p9_stream_events(const struct p9_stream *stream)
{
	short events = 0;

	if (!stream->ended && !is_whole(stream->incoming))
		events |= POLLIN;
	if (stream->out.head)
		events |= POLLOUT;
	return events;
}

bool p9_stream_run(struct p9_stream *stream, short revents)
{
	int receives = revents & ~POLLOUT ? RECEIVES : 0;
	bool more;

	pthread_mutex_lock(&stream->lock);
	stream->told = true;
	pthread_mutex_unlock(&stream->lock);
	do {
		more = take(stream, &receives);
		more |= collect(stream);
		more |= send_some(stream);
		if (stream->broken)
			drop_replies(stream);
		if (stream->ended && !stream->calls)
			more |= clear(stream);
	} while (more || leave(stream));
	return !stream->ended || stream->calls;
}

/* ---- life ---- */

int p9_stream_new(struct p9_stream **out, struct p9_share *share, int fd, void (*wake)(void *arg),
		  void *arg)
{
	struct p9_stream *stream = calloc(1, sizeof(*stream));
	int err;

	if (!stream)
		return -ENOMEM;
	err = p9_session_new(&stream->session, share);
	if (err) {
		free(stream);
		return err;
	}
	stream->fd = fd;
	stream->wake = wake;
	stream->arg = arg;
	queue_init(&stream->out);
	queue_init(&stream->done);
	pthread_mutex_init(&stream->lock, NULL);
	*out = stream;
	return 0;
}

void p9_stream_free(struct p9_stream *stream)
{
	if (!stream)
		return;
	p9_session_free(stream->session);
	give_up(stream);
	collect(stream);
	drop_replies(stream);
	call_free(stream->incoming);
	close(stream->fd);
	pthread_mutex_destroy(&stream->lock);
	free(stream);
}
