// SPDX-License-Identifier: MIT
/* The server over a socket: framing, several at a time, a client that does not read. */
#include "kselftest_harness.h"

#include "tests/unit/stream.h"

/* ---- framing ---- */

/* Sends what was built byte by byte; no reply may come before the last one. */
static int crumbs(struct owner *o, struct p9c *c)
{
	for (size_t i = 0; i < c->t_len; i++) {
		struct pollfd fd = {.fd = c->sock, .events = POLLIN};

		for (int k = 0; k < 3; k++)
			work(o);
		if (poll(&fd, 1, 0))
			return -EPROTO;
		if (p9c_send(c, c->t + i, 1))
			return -EIO;
	}
	return p9c_wait(c);
}

TEST_F(stream, one_byte_at_a_time)
{
	struct p9c *c = self->a;
	struct p9c_attr attr;

	p9c_build(c, P9_TVERSION, "ds", 65536, "9P2000.L");
	ASSERT_EQ(0, crumbs(&self->o, c));
	EXPECT_EQ(65536, p9c_get(c, 4));
	p9c_build(c, P9_TATTACH, "ddssd", 0, P9_NOFID, "nobody", "", P9_NONUNAME);
	ASSERT_EQ(0, crumbs(&self->o, c));
	p9c_build(c, P9_TGETATTR, "dq", 0, (uint64_t)0x7ff);
	ASSERT_EQ(0, crumbs(&self->o, c));
	/* The connection is as good as new. */
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_getattr(c, 1, &attr));
	EXPECT_EQ(5, attr.size);
}

/* Nothing but Tversion is understood at first. */
TEST_F(stream, before_version)
{
	EXPECT_EQ(-EPROTO, p9c_attach(self->a, 0, "", P9_NONUNAME));
	EXPECT_EQ(0, greet(self->a, 8192));
}

/* Receives n replies of a type, of tags below n; 0 if each tag came once. */
static int receive_all(struct p9c *c, unsigned int n, uint8_t type)
{
	bool *seen = calloc(n, sizeof(*seen));
	uint16_t tag;
	int err = 0;

	for (unsigned int i = 0; i < n && !err; i++) {
		err = p9c_receive(c);
		if (err)
			break;
		memcpy(&tag, c->r + 5, 2);
		if (c->r[4] != type || tag >= n || seen[tag])
			err = P9C_BROKEN;
		else
			seen[tag] = true;
	}
	free(seen);
	return err;
}

/* Many messages in one piece, one of them in two halves. */
TEST_F(stream, pipelined)
{
	enum { N = 200 };
	struct p9c *c = self->a;
	uint8_t *all = malloc(N * 64), *p = all;
	size_t half;

	ASSERT_EQ(0, greet(c, 8192));
	for (uint16_t tag = 0; tag < N; tag++) {
		p9c_build(c, P9_TGETATTR, "dq", 0, (uint64_t)0x7ff);
		memcpy(c->t + 5, &tag, 2);
		memcpy(p, c->t, c->t_len);
		p += c->t_len;
	}
	half = c->t_len * N / 2 + 3;
	ASSERT_EQ(0, p9c_send(c, all, half));
	work_on(&self->o);
	ASSERT_EQ(0, p9c_send(c, all + half, (size_t)(p - all) - half));
	EXPECT_EQ(0, receive_all(c, N, P9_TGETATTR + 1));
	free(all);
	EXPECT_EQ(0, p9c_call(c, P9_TSTATFS, "d", 0));
}

/* More than are in flight at a time, of a client that reads nothing before it has sent them all. */
TEST_F(stream, more_than_may_be)
{
	enum { N = 3 * P9_MAX_REQS };
	struct p9c *c = self->a;

	ASSERT_EQ(0, greet(c, 8192));
	for (uint16_t tag = 0; tag < N; tag++) {
		p9c_build(c, P9_TGETATTR, "dq", 0, (uint64_t)0x7ff);
		ASSERT_EQ(0, send_built(c, tag));
	}
	EXPECT_EQ(0, receive_all(c, N, P9_TGETATTR + 1));
}

TEST_F(stream, a_size_that_is_none)
{
	struct p9c *c = self->a;

	ASSERT_EQ(0, greet(c, 8192));
	p9c_build(c, P9_TSTATFS, "d", 0);
	ASSERT_EQ(0, p9c_send(c, c->t, c->t_len));
	c->t[0] = 6;
	ASSERT_EQ(0, p9c_send(c, c->t, c->t_len));
	/* What came before is answered; what follows is not. */
	EXPECT_EQ(0, p9c_receive(c));
	EXPECT_EQ(P9_TSTATFS + 1, c->r[4]);
	EXPECT_EQ(P9C_DROPPED, p9c_receive(c));
	await_end(&self->o, &self->o.wire[0]);
	EXPECT_EQ(0, greet(self->b, 8192));
}

TEST_F(stream, a_message_that_is_too_long)
{
	const uint32_t size = P9_MSIZE_MAX + 1;
	struct p9c *c = self->a;

	ASSERT_EQ(0, greet(c, P9_MSIZE_MAX));
	p9c_build(c, P9_TWRITE, "dqd", 0, (uint64_t)0, size - P9_TWRITE_DATA);
	memcpy(c->t, &size, 4);
	c->t[5] = 0x34;
	c->t[6] = 0x12;
	EXPECT_EQ(-EMSGSIZE, p9c_go(c));
	EXPECT_EQ(P9C_DROPPED, p9c_receive(c));
	await_end(&self->o, &self->o.wire[0]);
}

TEST_F(stream, not_9p_at_all)
{
	struct p9c *c = self->a;

	ASSERT_EQ(0, p9c_send(c, "GET / HTTP/1.1\r\n\r\n", 18));
	EXPECT_EQ(0, p9c_receive(c));
	EXPECT_EQ(P9_RLERROR, c->r[4]);
	EXPECT_EQ(P9C_DROPPED, p9c_receive(c));
	await_end(&self->o, &self->o.wire[0]);
}

/* Longer than msize but not than any: the frame holds, so only the message is refused. */
TEST_F(stream, msize_is_kept)
{
	struct p9c *c = self->a;
	static const char data[16384];

	p9c_build(c, P9_TVERSION, "ds", 8192, "9P2000.L");
	ASSERT_EQ(0, p9c_go(c));
	EXPECT_EQ(8192, p9c_get(c, 4));
	ASSERT_EQ(0, p9c_attach(c, 0, "", P9_NONUNAME));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	ASSERT_EQ(0, p9c_lcreate(c, 1, "new", O_RDWR, 0644, getgid()));
	EXPECT_EQ(-EMSGSIZE, p9c_write(c, 1, 0, data, 8192 - P9_TWRITE_DATA + 1));
	EXPECT_EQ(8192 - P9_TWRITE_DATA, p9c_write(c, 1, 0, data, 8192 - P9_TWRITE_DATA));
	EXPECT_EQ(8192 - P9_TWRITE_DATA, p9c_write(c, 1, 8000, data, 8192 - P9_TWRITE_DATA));
	EXPECT_EQ(8192 - P9_RREAD_DATA, p9c_read(c, 1, 0, 100000));
	EXPECT_EQ(8192 - P9_RREAD_DATA, p9c_read(c, 1, 0, UINT32_MAX));
	/* Another Tversion: another msize, and the fids are gone. */
	ASSERT_EQ(0, p9c_version(c, 16384));
	EXPECT_EQ(-EBADF, p9c_read(c, 1, 0, 10));
	ASSERT_EQ(0, greet(c, 16384));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "new"));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDONLY));
	EXPECT_EQ(8000 + 8192 - P9_TWRITE_DATA, p9c_read(c, 1, 0, 100000));
}

/* Many times what a socket holds, there and back. */
TEST_F(stream, the_longest_message)
{
	const uint32_t n = P9_MSIZE_MAX - P9_TWRITE_DATA;
	struct p9c *c = self->a;
	uint8_t *message = malloc(P9_MSIZE_MAX), *back = malloc(P9_MSIZE_MAX);
	uint32_t size = P9_MSIZE_MAX;
	int fd;

	ASSERT_EQ(0, greet(c, UINT32_MAX));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, ""));
	ASSERT_EQ(0, p9c_lcreate(c, 1, "big", O_RDWR, 0644, getgid()));
	p9c_build(c, P9_TWRITE, "dqd", 1, (uint64_t)0, n);
	memcpy(message, &size, 4);
	memcpy(message + 4, c->t + 4, P9_TWRITE_DATA - 4);
	for (uint32_t i = 0; i < n; i++)
		message[P9_TWRITE_DATA + i] = (uint8_t)(i * 7 + i / 251);
	ASSERT_EQ(0, p9c_send(c, message, size));
	ASSERT_EQ(0, p9c_receive(c));
	ASSERT_EQ(0, p9c_result(c));
	EXPECT_EQ(n, p9c_get(c, 4));
	fd = open(p9c_path(&self->o.w, "big"), O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(n, read(fd, back, P9_MSIZE_MAX));
	EXPECT_EQ(0, memcmp(back, message + P9_TWRITE_DATA, n));
	close(fd);

	/* The reply is longer than the client's buffer. */
	p9c_build(c, P9_TREAD, "dqd", 1, (uint64_t)0, UINT32_MAX);
	ASSERT_EQ(0, p9c_send(c, c->t, c->t_len));
	memset(back, 0, P9_MSIZE_MAX);
	for (size_t got = 0, all = P9_RREAD_DATA + n; got < all;) {
		size_t part = all - got < 50000 ? all - got : 50000;

		c->r_len = 0;
		ASSERT_EQ(0, p9c_receive_bytes(c, part));
		memcpy(back + got, c->r, part);
		got += part;
	}
	memcpy(&size, back, 4);
	EXPECT_EQ(P9_RREAD_DATA + n, size);
	EXPECT_EQ(0, memcmp(back + P9_RREAD_DATA, message + P9_TWRITE_DATA, n));
	EXPECT_EQ(0, p9c_clunk(c, 1));
	free(message);
	free(back);
}

/* ---- several at a time ---- */

TEST_F(stream, replies_as_requests_end)
{
	struct p9c *c = self->a;
	bool waits = variant->executor != P9_EXEC_SYNC;
	pthread_t thread;

	ASSERT_EQ(0, greet(c, 8192));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	hold(&self->o, &self->lease);
	/* System calls alone do one thing after the other: somebody else must release it then. */
	if (!waits)
		pthread_create(&thread, NULL, release_soon, &self->lease);
	p9c_build(c, P9_TLOPEN, "dd", 1, O_WRONLY);
	ASSERT_EQ(0, send_built(c, 1));
	p9c_build(c, P9_TSTATFS, "d", 0);
	ASSERT_EQ(0, send_built(c, 2));
	ASSERT_EQ(0, p9c_receive(c));
	EXPECT_EQ(waits ? P9_TSTATFS + 1 : P9_TLOPEN + 1, c->r[4]);
	EXPECT_EQ(waits ? 2 : 1, c->r[5]);
	if (waits) {
		/* The other connection does not wait either. */
		EXPECT_EQ(0, greet(self->b, 8192));
		release(self->lease);
	}
	ASSERT_EQ(0, p9c_receive(c));
	EXPECT_EQ(waits ? P9_TLOPEN + 1 : P9_TSTATFS + 1, c->r[4]);
	EXPECT_EQ(waits ? 1 : 2, c->r[5]);
	if (!waits)
		pthread_join(thread, NULL);
}

/* Each connection has fids and files of its own. */
TEST_F(stream, two_connections)
{
	struct p9c *a = self->a, *b = self->b;

	ASSERT_EQ(0, greet(a, 8192));
	ASSERT_EQ(0, greet(b, 65536));
	ASSERT_EQ(0, p9c_walk(a, 0, 1, "f"));
	EXPECT_EQ(-EBADF, p9c_lopen(b, 1, O_RDONLY));
	ASSERT_EQ(0, p9c_walk(b, 0, 1, ""));
	ASSERT_EQ(0, p9c_lcreate(b, 1, "b", O_RDWR, 0644, getgid()));
	ASSERT_EQ(0, p9c_lopen(a, 1, O_RDONLY));
	EXPECT_EQ(3, p9c_write(b, 1, 0, "new", 3));
	EXPECT_EQ(5, p9c_read(a, 1, 0, 100));
	EXPECT_EQ(0, memcmp(a->rp, "hello", 5));
	/* The end of one is not the other's. */
	hang_up(&self->o.wire[0]);
	await_end(&self->o, &self->o.wire[0]);
	EXPECT_EQ(3, p9c_read(b, 1, 0, 100));
	EXPECT_EQ(0, memcmp(b->rp, "new", 3));
}

/* ---- a client that does not read ---- */

/* Sends what was built until nothing more is taken, or n times; how often that was. */
static unsigned int flood(struct owner *o, struct p9c *c, unsigned int n)
{
	unsigned int sent = 0;
	size_t part = 0;

	for (int idle = 0; sent < n && idle < 30;) {
		ssize_t got = send(c->sock, c->t + part, c->t_len - part, MSG_DONTWAIT);

		work(o);
		if (got < 0) {
			idle++;
			usleep(1000);
			continue;
		}
		idle = 0;
		part += (size_t)got;
		if (part == c->t_len) {
			uint16_t tag = (uint16_t)++sent;

			part = 0;
			memcpy(c->t + 5, &tag, 2);
		}
	}
	work_on(o);
	/* The rest of the last one, so that the stream of messages stays whole. */
	if (part)
		p9c_send(c, c->t + part, c->t_len - part);
	return part ? sent + 1 : sent;
}

/* The server takes no more requests than it has room for replies; others are served meanwhile. */
TEST_F(stream, slow_reader)
{
	struct p9c *c = self->a;
	int size = 1, unread = 0;
	unsigned int n;

	ASSERT_EQ(0, greet(c, 8192));
	ASSERT_EQ(0, setsockopt(self->o.wire[0].fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	p9c_build(c, P9_TGETATTR, "dq", 0, (uint64_t)0x7ff);
	c->t[5] = c->t[6] = 0;
	n = flood(&self->o, c, 3000);
	EXPECT_EQ(0, p9_stream_events(self->o.wire[0].stream) & POLLIN);
	ASSERT_EQ(0, ioctl(self->o.wire[0].fd, FIONREAD, &unread));
	EXPECT_LT(0, unread);
	EXPECT_EQ(0, greet(self->b, 8192));
	EXPECT_EQ(0, p9c_call(self->b, P9_TSTATFS, "d", 0));
	EXPECT_EQ(0, receive_all(c, n, P9_TGETATTR + 1));
	EXPECT_EQ(0, p9c_call(c, P9_TSTATFS, "d", 0));
}

/* The same where the bytes are the limit: far fewer requests are taken than may be in flight. */
TEST_F(stream, slow_reader_of_much)
{
	const int most = P9_STREAM_BYTES / P9_MSIZE_MAX;
	struct p9c *c = self->a;
	char name[16];
	int made = 0;

	ASSERT_EQ(0, truncate(p9c_path(&self->o.w, "f"), 2 * P9_MSIZE_MAX));
	ASSERT_EQ(0, greet(c, P9_MSIZE_MAX));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_lopen(c, 1, O_RDONLY));
	for (uint16_t i = 0; i < 100; i++) {
		p9c_build(c, P9_TREAD, "dqd", 1, (uint64_t)0, P9_MSIZE_MAX);
		ASSERT_EQ(0, send_built(c, 2 * i));
		snprintf(name, sizeof(name), "d%d", i);
		p9c_build(c, P9_TMKDIR, "dsdd", 0, name, 0755, getgid());
		ASSERT_EQ(0, send_built(c, 2 * i + 1));
	}
	work_on(&self->o);
	do
		snprintf(name, sizeof(name), "d%d", made);
	while (!access(p9c_path(&self->o.w, name), F_OK) && ++made);
	EXPECT_LT(0, made);
	EXPECT_GE(most, made);
	EXPECT_EQ(0, greet(self->b, 8192));
	/* It goes away without having read anything: the replies are dropped. */
}

TEST_HARNESS_MAIN
