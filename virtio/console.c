// SPDX-License-Identifier: MIT
#include "virtio/console.h"

#include <linux/virtio_ids.h>
#include <string.h>

/* §5.3.2: with MULTIPORT, port 0 has queues 0 and 1, control has 2 and 3. */
enum { Q_RX, Q_TX, Q_CTRL_RX, Q_CTRL_TX, NQUEUES };

/* Chains taken in one go, so that a guest that refills its queue does not hold the owner up. */
#define BATCH VIRTQ_MAX_SIZE

/* Control messages to the driver, in the order they are sent. */
enum { MSG_ADD = 1u, MSG_NAME = 2u, MSG_OPEN = 4u };

static size_t gather(const struct virtq_chain *chain, void *buf, size_t cap)
{
	size_t len = 0;

	for (unsigned int i = 0; i < chain->nout && len < cap; i++) {
		size_t n = chain->iov[i].iov_len;

		if (n > cap - len)
			n = cap - len;
		memcpy((char *)buf + len, chain->iov[i].iov_base, n);
		len += n;
	}
	return len;
}

/* Only what fits; a control message to the driver is at most 40 bytes, its buffers are pages. */
static uint32_t scatter(const struct virtq_chain *chain, const void *buf, size_t len)
{
	size_t done = 0;

	for (unsigned int i = chain->nout; i < chain->nout + chain->nin && done < len; i++) {
		size_t n = chain->iov[i].iov_len;

		if (n > len - done)
			n = len - done;
		memcpy(chain->iov[i].iov_base, (const char *)buf + done, n);
		done += n;
	}
	return (uint32_t)done;
}

static void handle_control(struct virtio_console *con, const struct virtq_chain *chain)
{
	struct virtio_console_control msg;

	if (gather(chain, &msg, sizeof(msg)) < sizeof(msg))
		return;
	switch (msg.event) {
	case VIRTIO_CONSOLE_DEVICE_READY:
		if (msg.value)
			con->pending |= MSG_ADD;
		break;
	case VIRTIO_CONSOLE_PORT_READY:
		if (msg.value && msg.id == 0)
			con->pending |= MSG_NAME | MSG_OPEN;
		break;
	case VIRTIO_CONSOLE_PORT_OPEN:
		if (msg.id == 0)
			con->guest_open = msg.value;
		break;
	}
}

static bool pump_control_in(struct virtio_console *con)
{
	struct virtq *q = &con->vdev.queue[Q_CTRL_TX];
	struct virtq_chain chain;
	int got = 0;

	for (int n = 0; n < BATCH && (got = virtq_pop(q, &chain)) > 0; n++) {
		handle_control(con, &chain);
		virtq_push(q, chain.head, 0);
	}
	return got >= 0;
}

static bool pump_control_out(struct virtio_console *con)
{
	static const struct {
		unsigned int bit;
		uint16_t event;
		uint16_t value;
	} order[] = {
		{ MSG_ADD, VIRTIO_CONSOLE_PORT_ADD, 1 },
		{ MSG_NAME, VIRTIO_CONSOLE_PORT_NAME, 1 },
		{ MSG_OPEN, VIRTIO_CONSOLE_PORT_OPEN, 1 },
	};
	struct virtq *q = &con->vdev.queue[Q_CTRL_RX];

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		struct virtio_console_control head = {
			.event = order[i].event,
			.value = order[i].value,
		};
		char msg[sizeof(head) + 32];
		size_t len = sizeof(head);
		struct virtq_chain chain;
		int got;

		if (!(con->pending & order[i].bit))
			continue;
		got = virtq_pop(q, &chain);
		if (got <= 0)
			return got == 0;
		memcpy(msg, &head, sizeof(head));
		if (order[i].bit == MSG_NAME) {
			/* The name without its NUL: Linux's driver adds one. */
			size_t n = strnlen(con->port_name, sizeof(msg) - len);

			memcpy(msg + len, con->port_name, n);
			len += n;
		}
		virtq_push(q, chain.head, scatter(&chain, msg, len));
		con->pending &= ~order[i].bit;
	}
	return true;
}

static bool pump_tx(struct virtio_console *con)
{
	struct virtq *q = &con->vdev.queue[Q_TX];
	struct virtq_chain chain;
	int got = 0;

	for (int n = 0; n < BATCH && (got = virtq_pop(q, &chain)) > 0; n++) {
		/* The input callback copies: nothing it looks at can be changed under it. */
		for (unsigned int i = 0; i < chain.nout; i++)
			con->input(con->arg, chain.iov[i].iov_base, chain.iov[i].iov_len);
		virtq_push(q, chain.head, 0);
	}
	return got >= 0;
}

static bool pump_rx(struct virtio_console *con)
{
	struct virtq *q = &con->vdev.queue[Q_RX];
	char buf[4096];
	struct virtq_chain chain;

	while (con->guest_open) {
		size_t len, cap;
		int got = virtq_pop(q, &chain);

		if (got <= 0)
			return got == 0;
		cap = chain.in_len < sizeof(buf) ? chain.in_len : sizeof(buf);
		len = cap ? con->output(con->arg, buf, cap) : 0;
		if (len == 0) {
			/* Nothing to say: the chain stays with the driver's next in line. */
			virtq_unpop(q);
			break;
		}
		virtq_push(q, chain.head, scatter(&chain, buf, len));
	}
	return true;
}

void virtio_console_pump(struct virtio_console *con)
{
	struct virtio_dev *vdev = &con->vdev;
	bool interrupt = false;

	pthread_mutex_lock(&vdev->queue_lock);
	if (!virtio_live(vdev))
		goto out;
	/* What is still there after a batch waits for the next turn of the owner's loop. */
	for (int turn = 0;; turn++) {
		if (!pump_control_in(con) || !pump_control_out(con) || !pump_tx(con) ||
		    !pump_rx(con)) {
			virtio_broken(vdev);
			goto out;
		}
		if (virtq_want_kicks(&vdev->queue[Q_CTRL_TX]) &&
		    virtq_want_kicks(&vdev->queue[Q_TX]))
			break;
		if (turn == 1) {
			con->wake(con->arg);
			break;
		}
	}
	/* Only a kick tells that the driver has given new buffers to fill. */
	virtq_want_kicks(&vdev->queue[Q_RX]);
	virtq_want_kicks(&vdev->queue[Q_CTRL_RX]);
	for (unsigned int i = 0; i < NQUEUES; i++)
		if (vdev->queue[i].ready && virtq_must_notify(&vdev->queue[i]))
			interrupt = true;
out:
	pthread_mutex_unlock(&vdev->queue_lock);
	if (interrupt)
		virtio_interrupt(vdev);
}

static void console_notify(struct virtio_dev *vdev, unsigned int index)
{
	struct virtio_console *con = (struct virtio_console *)vdev;

	(void)index;
	con->wake(con->arg);
}

static void console_reset(struct virtio_dev *vdev)
{
	struct virtio_console *con = (struct virtio_console *)vdev;

	pthread_mutex_lock(&vdev->queue_lock);
	con->guest_open = false;
	con->pending = 0;
	pthread_mutex_unlock(&vdev->queue_lock);
}

static const struct virtio_ops console_ops = {
	.notify = console_notify,
	.reset = console_reset,
};

void virtio_console_init(struct virtio_console *con, const struct gmem *mem, const char *port_name)
{
	con->config = (struct virtio_console_config){ .max_nr_ports = 1 };
	con->port_name = port_name;
	con->guest_open = false;
	con->pending = 0;
	con->vdev = (struct virtio_dev){
		.ops = &console_ops,
		.id = VIRTIO_ID_CONSOLE,
		.features = 1ull << VIRTIO_CONSOLE_F_MULTIPORT,
		.config = &con->config,
		.config_len = sizeof(con->config),
		.nqueues = NQUEUES,
		/* Linux's driver frees its buffers after the reset and before it disables the queues. */
		.reset_by_memory = false,
	};
	virtio_init(&con->vdev, mem);
}
