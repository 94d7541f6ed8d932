/* SPDX-License-Identifier: MIT */
/*
 * The guest's init: PID 1 of the guest, started from the initramfs. One process, one thread.
 *
 *   init.c     the order of things, and the end
 *   config.c   the VMM's orders
 *   setup.c    modules, mounts, the root, names
 *   port.c     the port to the VMM: frames in and out
 *   kmsg.c     the kernel's log, for people
 *   command.c  starts the command, with pipes or a terminal
 *   pump.c     the command's streams, until it ends
 */
#ifndef IMAGES_INIT_H
#define IMAGES_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "images/config.h"
#include "images/frames.h"

struct mount_order {
	char *source;
	char *type;
	char *path;
	char *options;
};

struct config {
	char *module[GUEST_MAX_MODULES];
	size_t nmodules;
	struct mount_order root; /* source NULL: the initramfs */
	bool overlay;
	char *layer;
	bool busybox;
	struct mount_order mount[GUEST_MAX_MOUNTS];
	size_t nmounts;
	char *hostname;
	char *cwd;
	char *home;
	bool user; /* the command is not root's, but that of: */
	uid_t uid;
	gid_t gid;
	gid_t group[GUEST_MAX_GROUPS];
	size_t ngroups;
	char *env[GUEST_MAX_WORDS + 1];
	size_t nenv;
	char *arg[GUEST_MAX_WORDS + 1];
	size_t nargs;
	bool tty;
	unsigned int rows;
	unsigned int columns;
};

extern struct config config;

/*
 * Notes why init cannot go on: a sentence; only the first one counts. Returns -1, so that a
 * function can end with it.
 */
int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The sentence, or NULL. */
const char *failure(void);

/* 0, or -1 after fail(). */
int config_read(void);

/* Each 0, or -1 after fail(). */
int setup_early(void);	 /* /dev, /proc, /sys */
int setup_modules(void); /* goes on after a failure: the port may still come up */
int setup_root(void);	 /* the root, further mounts, names; afterwards, / is the command's */
/* Writes back what the command changed: dirty pages of the shares reach the host. */
int setup_flush(void);

/* Finds and opens the port, waiting for it at most so long. 0, or -1 after fail(). */
int port_open(int timeout_ms);
int port_fd(void); /* -1 if it is not open */
/* Whether a frame may be queued: the one before has been written. */
bool port_idle(void);
/* Queues a frame; port_idle() must be true. Returns where its payload goes, FRAMES_MAX bytes;
 * port_send() then says how much there is. */
uint8_t *port_payload(void);
void port_send(enum frame_channel channel, enum frame_type type, size_t length);
/* Writes what it can without waiting. -1: the VMM is gone. */
int port_write(void);
/* The same, but waits until everything queued is written. */
int port_flush(void);
/* Reads what there is and calls port_frame() for each whole frame. -1: the VMM is gone or makes no
 * sense. */
int port_read(void);
/* For control frames: waits for the port. */
void port_send_wait(enum frame_channel channel, enum frame_type type, const void *data,
		    size_t length);
/* Called for frames as they come in (pump.c). -1: it makes no sense. */
int port_frame(const struct frame_header *frame, const uint8_t *data);

/* Opens /dev/kmsg at the first record. Without it there is no log, and no error. */
void kmsg_open(void);
int kmsg_fd(void);
/* Fills buf with whole lines; 0: nothing there now. */
size_t kmsg_read(uint8_t *buf, size_t size);

/* What the command is connected to: our ends of its pipes, or the terminal's master as both in and
 * out. -1: closed. */
struct command {
	pid_t pid;
	int in;
	int out;
	int err;
	int started; /* reads end of file when the command has been executed, or that failed */
	int slave;   /* kept open, so that the terminal does not hang up while the command runs */
};

/* 0, or -1 after fail(). A command that cannot be executed is not a failure: it ends as in a shell,
 * with 127 or 126. */
int command_start(struct command *command);
void command_winsize(const struct command *command, unsigned int rows, unsigned int columns);

/* Sends HELLO and waits for START. 0, or -1 after fail(). */
int pump_hello(void);
/* Tells where the kernel's VMCOREINFO is, if it has one. */
void pump_vmcoreinfo(void);
/* Passes on the kernel's log, as far as it goes. */
void pump_kmsg(void);
/*
 * Runs the command. 0: *status is its wait status, all its output has been passed on, and no
 * process is left. 1: a signal asked for the machine's end, *status is what for: RB_POWER_OFF, ….
 * -1: after fail().
 */
int pump_run(int *status);

#endif
