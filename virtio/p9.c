// SPDX-License-Identifier: MIT
#include "virtio/p9.h"

#include <errno.h>
#include <linux/virtio_9p.h>
#include <linux/virtio_ids.h>
#include <string.h>

_Static_assert(VIRTQ_MAX_SIZE <= P9_MAX_REQS, "a full queue must fit into a session");
_Static_assert(VIRTQ_MAX_SIZE <= P9_MAX_IOV, "a full chain must fit into a request");

/*
 * The device whose kick, or round of the ring, this thread is serving. What it finishes meanwhile
 * shares one interrupt, raised when that has been served.
 */
static _Thread_local struct virtio_p9 *serving;

/* done() runs on whatever thread finished the request: not inlined, so that the thread's own copy
 * of `serving` is looked up here and now. */
static __attribute__((noinline)) bool is_serving(const struct virtio_p9 *p9)
{
	return serving == p9;
}

/* One chain less is in flight; queue_lock is held. */
static void gave_back(struct virtio_p9 *p9)
{
	if (--p9->in_flight == 0 && p9->draining)
		pthread_cond_broadcast(&p9->idle);
}

static void p9_chain_done(void *opaque, size_t len)
{
	struct virtio_p9_slot *slot = opaque;
	struct virtio_p9 *p9 = slot->p9;
	struct virtio_dev *vdev = &p9->vdev;
	struct virtq *q = &vdev->queue[0];
	bool interrupt = false;

	pthread_mutex_lock(&vdev->queue_lock);
	/* After a reset, noticed or not, the rings are the guest's own memory again. */
	if (virtio_live(vdev)) {
		virtq_push(q, slot->head, (uint32_t)len);
		interrupt = !is_serving(p9) && virtq_must_notify(q);
	}
	gave_back(p9);
	pthread_mutex_unlock(&vdev->queue_lock);
	if (interrupt)
		virtio_interrupt(vdev);
}

/* queue_lock is held, and given back. */
static void served(struct virtio_p9 *p9)
{
	struct virtio_dev *vdev = &p9->vdev;
	struct virtq *q = &vdev->queue[0];
	bool interrupt = virtio_live(vdev) && q->ready && virtq_must_notify(q);

	pthread_mutex_unlock(&vdev->queue_lock);
	serving = NULL;
	if (interrupt)
		virtio_interrupt(vdev);
}

static void p9_notify(struct virtio_dev *vdev, unsigned int index)
{
	struct virtio_p9 *p9 = (struct virtio_p9 *)vdev;
	struct virtq *q = &vdev->queue[index];
	struct virtq_chain chain;
	struct p9_pieces t, r;

	serving = p9;
	p9_kick_begin();
	pthread_mutex_lock(&vdev->queue_lock);
	while (virtio_live(vdev)) {
		int got = virtq_pop(q, &chain);
		int err;

		if (got == 0 && virtq_want_kicks(q))
			break;
		if (got < 0)
			virtio_broken(vdev);
		if (got <= 0)
			continue;
		p9->in_flight++;
		pthread_mutex_unlock(&vdev->queue_lock);
		t = (struct p9_pieces){.iov = chain.iov, .n = chain.nout, .len = chain.out_len};
		r = (struct p9_pieces){
			.iov = chain.iov + chain.nout,
			.n = chain.nin,
			.len = chain.in_len,
		};
		err = p9_submit(p9->session, &t, &r, p9_chain_done, &p9->slot[chain.head]);
		pthread_mutex_lock(&vdev->queue_lock);
		if (err) {
			/* More in flight than the queue has entries: the same head twice. */
			gave_back(p9);
			virtio_broken(vdev);
		}
	}
	p9_kick_end();
	served(p9);
}

static void p9_round(void *arg, bool begins)
{
	struct virtio_p9 *p9 = arg;

	if (begins) {
		serving = p9;
		return;
	}
	pthread_mutex_lock(&p9->vdev.queue_lock);
	served(p9);
}

static void p9_reset(struct virtio_dev *vdev)
{
	struct virtio_p9 *p9 = (struct virtio_p9 *)vdev;

	p9_session_reset(p9->session);
	/* Another vCPU may have taken a chain and not yet submitted it when the queue went dead. */
	pthread_mutex_lock(&vdev->queue_lock);
	p9->draining = true;
	while (p9->in_flight)
		pthread_cond_wait(&p9->idle, &vdev->queue_lock);
	p9->draining = false;
	pthread_mutex_unlock(&vdev->queue_lock);
	p9_session_reset(p9->session);
}

static const struct virtio_ops p9_ops = {
	.notify = p9_notify,
	.reset = p9_reset,
};

int virtio_p9_init(struct virtio_p9 *p9, const struct gmem *mem, struct p9_session *session,
		   const char *tag)
{
	size_t len = strlen(tag);

	if (len > VIRTIO_P9_TAG_MAX)
		return -ENAMETOOLONG;
	*p9 = (struct virtio_p9){
		.session = session,
		.config.len = (uint16_t)len,
	};
	memcpy(p9->config.tag, tag, len);
	p9->vdev = (struct virtio_dev){
		.ops = &p9_ops,
		.id = VIRTIO_ID_9P,
		.features = 1ull << VIRTIO_9P_MOUNT_TAG,
		.config = &p9->config,
		.config_len = (uint32_t)(sizeof(p9->config.len) + len),
		.nqueues = 1,
		/* Linux removes a device that no mount uses: nothing is freed before its queue is. */
		.reset_by_memory = true,
	};
	for (unsigned int i = 0; i < VIRTQ_MAX_SIZE; i++)
		p9->slot[i] = (struct virtio_p9_slot){ .p9 = p9, .head = (uint16_t)i };
	pthread_cond_init(&p9->idle, NULL);
	p9_session_on_round(session, p9_round, p9);
	virtio_init(&p9->vdev, mem);
	return 0;
}

void virtio_p9_destroy(struct virtio_p9 *p9)
{
	virtio_destroy(&p9->vdev);
	pthread_cond_destroy(&p9->idle);
}
