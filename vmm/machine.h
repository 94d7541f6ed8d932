/* SPDX-License-Identifier: MIT */
/* The machine a guest sees: a VM with its devices, and the description that boot/ renders. */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include "boot/platform.h"
#include "devices/rtc.h"
#include "devices/serial.h"
#include "ninep/p9.h"
#include "virtio/console.h"
#include "virtio/p9.h"
#include "virtio/rng.h"
#include "vmm/virtio_bus.h"
#include "vmm/vm.h"

#define MACHINE_MAX_SHARES 16

struct machine_share {
	const char *path; /* folder on the host */
	const char *tag;
	struct p9_share_config config;
	bool explain; /* why it refuses something to the guest, on stderr */
};

struct machine_config {
	uint64_t ram;
	unsigned int cpus;
	enum p9_executor executor;
	const struct machine_share *share;
	unsigned int nshares;
	const char *port_name; /* of the console port */

	void *arg;
	void (*serial_output)(void *arg, uint8_t byte); /* a vCPU's thread */
	void (*serial_first)(void *arg); /* the kernel sets its console up; a vCPU's thread, once */
	void (*panicked)(void *arg);	 /* the kernel says so; a vCPU's thread */
	void (*ended)(void *arg);			/* any thread, once */
	/* The console port; see virtio/console.h. */
	void (*port_wake)(void *arg);
	void (*port_input)(void *arg, const void *data, size_t len);
	size_t (*port_output)(void *arg, void *buf, size_t cap);
};

/* A device's interrupt line. */
struct machine_line {
	struct vm *vm;
	uint32_t gsi;
};

struct machine {
	struct vm vm;
	struct platform platform;
	struct serial serial;
	_Atomic bool serial_used;
	void (*serial_first)(void *arg); /* of the configuration */
	void (*panicked)(void *arg);
	struct rtc rtc;
	struct virtio_bus virtio;
	struct virtio_rng rng;
	struct virtio_console console;
	struct p9_server *server;
	struct explain *explain;
	struct why note; /* for the user; "" if there is nothing to say */
	struct machine_slot {
		struct p9_share *share;
		struct p9_session *session;
		struct virtio_p9 dev;
		bool ready;
	} share[MACHINE_MAX_SHARES];
	unsigned int nshares;
	struct machine_line line[PLATFORM_MAX_DEVICES];
	bool devices_ready;
};

/*
 * Makes the machine; no thread runs yet. *m is all zero before: it is large, and most of it never in use, so that
 * it is better not written to. The calling thread becomes the 9P server's (p9.h).
 * Negative errno and a sentence. machine_free() is right after either.
 */
int machine_new(struct machine *m, const struct machine_config *config, struct why *why);
/* Starts the server's workers and the vCPUs, at entry. */
int machine_start(struct machine *m, const struct boot_entry *entry, struct why *why);
/* Stops the vCPUs; false if one hangs (vm_stop()). The console port may still hold what the guest had
 * sent. */
bool machine_stop(struct machine *m);
/* Stops the vCPUs, waits for requests in flight, frees everything (nothing, if a vCPU hangs). */
void machine_free(struct machine *m);

#endif
