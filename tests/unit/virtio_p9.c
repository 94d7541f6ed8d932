// SPDX-License-Identifier: MIT
/* The 9P device over a server of the test's own, which answers when the test says so. */
#include "driver.h"
#include "kselftest_harness.h"
#include "virtio/p9.h"

static struct {
	p9_done done;
	void *opaque;
	int submitted;
	int resets;
} server;

int p9_submit(struct p9_session *session, const struct p9_pieces *t, const struct p9_pieces *r,
	      p9_done done, void *opaque)
{
	(void)session;
	(void)t;
	(void)r;
	server.done = done;
	server.opaque = opaque;
	server.submitted++;
	return 0;
}

static void answer(void)
{
	p9_done done = server.done;

	server.done = NULL;
	if (done)
		done(server.opaque, 7);
}

/* Returns when all requests have come back. */
void p9_session_reset(struct p9_session *session)
{
	(void)session;
	server.resets++;
	answer();
}

void p9_session_on_round(struct p9_session *session, void (*round)(void *arg, bool begins), void *arg)
{
	(void)session;
	(void)round;
	(void)arg;
}

void p9_kick_begin(void)
{
}

void p9_kick_end(void)
{
}

FIXTURE(p9)
{
	struct driver drv;
	struct virtio_p9 p9;
};

FIXTURE_SETUP(p9)
{
	memset(&server, 0, sizeof(server));
	driver_init(&self->drv);
	virtio_p9_init(&self->p9, &self->drv.mem, NULL, "tag");
	driver_attach(&self->drv, &self->p9.vdev);
	driver_attach_page(&self->drv);
}

FIXTURE_TEARDOWN(p9)
{
	virtio_p9_destroy(&self->p9);
	driver_free(&self->drv);
}

/* A request that the server has and has not answered. */
static bool in_flight(FIXTURE_DATA(p9) *self)
{
	struct driver *d = &self->drv;
	struct piece p[2];

	d->next = GUEST_BASE;
	if (!driver_start(d, 0, 1, 8) || !d->shown)
		return false;
	server.resets = 0;
	p[0] = (struct piece){ driver_put(d, "request", 7), 7, false };
	p[1] = (struct piece){ driver_alloc(d, 64), 64, true };
	driver_add(d, 0, p, 2);
	driver_kick(d, 0);
	return server.done && server.submitted == 1 && !driver_take(d, 0);
}

TEST_F(p9, an_answer_interrupts)
{
	const struct vring_used_elem *used;

	ASSERT_TRUE(in_flight(self));
	answer();
	used = driver_take(&self->drv, 0);
	ASSERT_NE(used, NULL);
	EXPECT_EQ(used->len, 7);
	EXPECT_EQ(self->drv.irqs, 1);
}

TEST_F(p9, an_answer_after_a_reset_in_memory_is_not_given)
{
	struct driver *d = &self->drv;

	ASSERT_TRUE(in_flight(self));
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	answer();
	EXPECT_EQ(driver_take(d, 0), NULL);
	EXPECT_EQ(d->irqs, 0);
	EXPECT_EQ(server.resets, 0);
}

TEST_F(p9, what_is_in_flight_is_waited_for)
{
	struct driver *d = &self->drv;

	ASSERT_TRUE(in_flight(self));
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_SEL, 0);
	EXPECT_EQ(server.done, NULL);
	EXPECT_EQ(self->p9.in_flight, 0);
	EXPECT_EQ(driver_take(d, 0), NULL);
	EXPECT_EQ(d->irqs, 0);
	EXPECT_FALSE(d->shown);
}

/* Nothing is taken from a queue whose driver has gone, though it is kicked. */
TEST_F(p9, a_kick_after_a_reset_in_memory)
{
	struct driver *d = &self->drv;
	struct piece p;

	ASSERT_TRUE(in_flight(self));
	answer();
	p = (struct piece){ driver_alloc(d, 16), 16, false };
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	driver_add(d, 0, &p, 1);
	driver_kick(d, 0);
	EXPECT_EQ(server.submitted, 1);
	EXPECT_FALSE(d->shown);
}

TEST_HARNESS_MAIN
