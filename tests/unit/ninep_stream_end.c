// SPDX-License-Identifier: MIT
/* The server over a socket: how a connection ends. */
#include "kselftest_harness.h"

#include "tests/unit/stream.h"

/* ---- how a connection ends ---- */

TEST_F(stream, end_amid_a_message)
{
	struct p9c *c = self->a;

	ASSERT_EQ(0, greet(c, 8192));
	p9c_build(c, P9_TGETATTR, "dq", 0, (uint64_t)0x7ff);
	ASSERT_EQ(0, p9c_send(c, c->t, c->t_len - 1));
	work_on(&self->o);
	hang_up(&self->o.wire[0]);
	await_end(&self->o, &self->o.wire[0]);
	/* And amid a header. */
	ASSERT_EQ(0, p9c_send(self->b, c->t, 5));
	work_on(&self->o);
	hang_up(&self->o.wire[1]);
	await_end(&self->o, &self->o.wire[1]);
}

/* A client that has nothing more to ask may still want its answers. */
TEST_F(stream, half_closed)
{
	struct p9c *c = self->a;
	pthread_t thread;

	ASSERT_EQ(0, greet(c, 8192));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	hold(&self->o, &self->lease);
	p9c_build(c, P9_TLOPEN, "dd", 1, O_WRONLY);
	ASSERT_EQ(0, send_built(c, 0));
	p9c_build(c, P9_TGETATTR, "dq", 0, (uint64_t)0x7ff);
	ASSERT_EQ(0, send_built(c, 1));
	shutdown(c->sock, SHUT_WR);
	if (variant->executor == P9_EXEC_SYNC)
		pthread_create(&thread, NULL, release_soon, &self->lease);
	work_on(&self->o);
	if (variant->executor == P9_EXEC_SYNC)
		pthread_join(thread, NULL);
	release(self->lease);
	ASSERT_EQ(0, p9c_receive(c));
	ASSERT_EQ(0, p9c_receive(c));
	EXPECT_EQ(P9C_DROPPED, p9c_receive(c));
	await_end(&self->o, &self->o.wire[0]);
}

TEST_F(stream, end_with_requests_in_flight)
{
	struct p9c *c = self->a;
	struct owner *o = &self->o;
	pthread_t thread;

	ASSERT_EQ(0, greet(c, 8192));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	hold(o, &self->lease);
	p9c_build(c, P9_TLOPEN, "dd", 1, O_WRONLY);
	ASSERT_EQ(0, send_built(c, 1));
	p9c_build(c, P9_TMKDIR, "dsdd", 0, "made", 0755, getgid());
	ASSERT_EQ(0, send_built(c, 2));
	if (variant->executor == P9_EXEC_SYNC)
		pthread_create(&thread, NULL, release_soon, &self->lease);
	else
		work_on(o);
	hang_up(&o->wire[0]);
	if (variant->executor != P9_EXEC_SYNC) {
		work_on(o);
		EXPECT_NE(NULL, o->wire[0].stream);
		EXPECT_EQ(0, greet(self->b, 8192));
		release(self->lease);
	}
	await_end(o, &o->wire[0]);
	/* What was asked for was done. */
	EXPECT_EQ(0, access(p9c_path(&o->w, "made"), F_OK));
	if (variant->executor == P9_EXEC_SYNC)
		pthread_join(thread, NULL);
}

/* The owner ends it: as soon as what is in flight lets it. */
TEST_F(stream, freed_with_requests_in_flight)
{
	struct p9c *c = self->a;
	struct owner *o = &self->o;
	pthread_t thread;

	ASSERT_EQ(0, greet(c, 8192));
	ASSERT_EQ(0, p9c_walk(c, 0, 1, "f"));
	hold(o, &self->lease);
	pthread_create(&thread, NULL, release_soon, &self->lease);
	p9c_build(c, P9_TLOPEN, "dd", 1, O_WRONLY);
	ASSERT_EQ(0, send_built(c, 1));
	p9c_build(c, P9_TGETATTR, "dq", 0, (uint64_t)0x7ff);
	for (uint16_t tag = 2; tag < 50; tag++)
		ASSERT_EQ(0, send_built(c, tag));
	for (int i = 0; i < 3; i++)
		work(o);
	p9_stream_free(o->wire[0].stream);
	o->wire[0].stream = NULL;
	while (!p9c_receive(c))
		;
	pthread_join(thread, NULL);
}

/* ---- workers that have not begun, so that what is theirs to do waits ---- */

static int idle_world(struct owner *o)
{
	int err;

	*o = (struct owner){.w = {.idle_workers = true}};
	err = p9c_world_open(&o->w, P9_EXEC_RING, false, 0);
	o->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return err ?: open_wire(o, &o->wire[0]);
}

/* Closing may wait: it is left to the workers, and the connection is over when they are through. */
TEST(end_while_workers_wait)
{
	struct owner o;
	struct wire *wire = &o.wire[0];

	ASSERT_EQ(0, idle_world(&o));
	ASSERT_EQ(0, p9c_host_file(&o.w, "f", "hello"));
	ASSERT_EQ(0, greet(wire->c, 8192));
	ASSERT_EQ(0, p9c_walk(wire->c, 0, 1, "f"));
	ASSERT_EQ(0, p9c_lopen(wire->c, 1, O_RDONLY | P9_OPEN_NOATIME));
	hang_up(wire);
	work_on(&o);
	EXPECT_NE(NULL, wire->stream);
	ASSERT_EQ(0, p9_server_start(o.w.server));
	await_end(&o, wire);
	p9c_free(wire->c);
	close(o.wake_fd);
	EXPECT_EQ(0, p9c_world_close(&o.w));
}

/* A request that was flushed before it began has no reply: Rflush comes alone. */
TEST(flush_before_the_workers_start)
{
	struct owner o;
	struct wire *wire = &o.wire[0];
	struct p9c *c;

	ASSERT_EQ(0, idle_world(&o));
	c = wire->c;
	ASSERT_EQ(0, greet(c, 8192));
	p9c_build(c, P9_TSTATFS, "d", 0);
	ASSERT_EQ(0, send_built(c, 1));
	p9c_build(c, P9_TFLUSH, "w", 1);
	ASSERT_EQ(0, send_built(c, 2));
	work_on(&o);
	ASSERT_EQ(0, p9_server_start(o.w.server));
	ASSERT_EQ(0, p9c_receive(c));
	EXPECT_EQ(P9_TFLUSH + 1, c->r[4]);
	EXPECT_EQ(0, p9c_call(c, P9_TSTATFS, "d", 0));
	hang_up(wire);
	await_end(&o, wire);
	p9c_free(c);
	close(o.wake_fd);
	EXPECT_EQ(0, p9c_world_close(&o.w));
}

TEST_HARNESS_MAIN
