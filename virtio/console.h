/* SPDX-License-Identifier: MIT */
/*
 * Console device (virtio 1.2 §5.3) with one port that is no terminal: a byte stream in each
 * direction, which Linux shows as /dev/vportNp0 with the port's name in sysfs.
 *
 * A kick only wakes the owner; all bytes move in virtio_console_pump(), on the owner's thread.
 */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H

#include <linux/virtio_console.h>
#include <stddef.h>

#include "virtio/mmio.h"

struct virtio_console {
	struct virtio_dev vdev;
	struct virtio_console_config config;
	const char *port_name;
	bool guest_open; /* the guest has the port open: bytes may be sent */
	/* Control messages that wait for a buffer of the guest's, one bit each. */
	unsigned int pending;

	/* The owner's, set before virtio_console_init(). */
	void *arg;
	void (*wake)(void *arg); /* any thread: call virtio_console_pump() soon */
	void (*input)(void *arg, const void *data, size_t len); /* bytes from the guest */
	/* Bytes for the guest: fills at most cap, returns how many (0: nothing now). */
	size_t (*output)(void *arg, void *buf, size_t cap);
};

void virtio_console_init(struct virtio_console *con, const struct gmem *mem, const char *port_name);

/* Moves what can be moved, both ways. Call after wake(), and when output() has something new. */
void virtio_console_pump(struct virtio_console *con);

#endif
