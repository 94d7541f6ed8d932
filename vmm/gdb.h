/* SPDX-License-Identifier: MIT */
/*
 * gdb's remote serial protocol (GDB's manual, appendix E), the side of the target: bytes in, bytes out,
 * and a table of what can be done to the target. No descriptors, and nothing ever waits. One thread.
 *
 * What comes in is not trusted: a packet that makes no sense is answered with an error, one that is too
 * long is dropped. While the target runs, no packet but Ctrl-C is looked at.
 *
 * A thread is a processor: gdb's number 1 is CPU 0.
 */
#ifndef VMM_GDB_H
#define VMM_GDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GDB_PACKET_MAX 8192 /* bytes in a packet, without its frame */
#define GDB_MAX_CPUS   64
#define GDB_REGISTERS_MAX 1024 /* bytes */

/* As in the packets Z and z. */
enum gdb_break {
	GDB_BREAK_SOFTWARE,
	GDB_BREAK_HARDWARE,
	GDB_WATCH_WRITE,
	GDB_WATCH_READ,
	GDB_WATCH_ACCESS,
};

enum gdb_resume {
	GDB_STAY, /* goes on waiting */
	GDB_CONTINUE,
	GDB_STEP, /* one instruction */
};

/* gdb's numbers. */
enum { GDB_SIGINT = 2, GDB_SIGTRAP = 5 };

struct gdb_stop {
	unsigned int cpu;
	int signal;
	bool at_break; /* and of this kind: */
	enum gdb_break kind;
	uint64_t address; /* of what is watched */
};

/* The registers, in gdb's order, and what tells gdb of them. */
struct gdb_registers {
	const char *xml; /* target.xml */
	size_t size;	 /* bytes of all, at most GDB_REGISTERS_MAX */
	unsigned int n;
	const struct gdb_slot {
		uint16_t offset;
		uint16_t size; /* bytes */
	} *slot;
};

/* The target is stopped when any of these is called but interrupt and kill. Errors are negative errnos. */
struct gdb_ops {
	int (*get_registers)(void *arg, unsigned int cpu, uint8_t *registers);
	int (*set_registers)(void *arg, unsigned int cpu, const uint8_t *registers);
	/* Memory as this processor sees it. Bytes read, fewer at the end of what is mapped; an error if none. */
	ssize_t (*read)(void *arg, unsigned int cpu, uint64_t address, void *buf, size_t len);
	int (*write)(void *arg, unsigned int cpu, uint64_t address, const void *data, size_t len);
	int (*set_break)(void *arg, unsigned int cpu, enum gdb_break kind, uint64_t address,
			 uint64_t len, bool on);
	/* What each processor does now. gdb_stopped() comes when they all have stopped again. */
	void (*resume)(void *arg, const enum gdb_resume *how);
	void (*interrupt)(void *arg);
	/* gdb goes: breakpoints go, and all runs. */
	void (*detach)(void *arg);
	void (*kill)(void *arg);
	/* A few words for people. */
	void (*describe)(void *arg, unsigned int cpu, char *buf, size_t cap);
};

struct gdb {
	const struct gdb_ops *ops;
	void *arg;
	const struct gdb_registers *registers;
	unsigned int ncpus;

	bool running;
	bool awaits_stop; /* it let the target run, and is to be told when that stops */
	bool acks; /* each packet is acknowledged, until gdb says that it need not be */
	bool knows_swbreak, knows_hwbreak;
	unsigned int cpu;    /* that packets are about (Hg) */
	unsigned int step_cpu; /* that `s` is about (Hc) */
	struct gdb_stop stop; /* the last one */

	enum { GDB_IDLE, GDB_DATA, GDB_ESCAPED, GDB_SUM, GDB_SUM2 } state;
	char packet[GDB_PACKET_MAX + 1];
	size_t len;
	bool too_long;
	uint8_t sum, sum_told;

	char ack; /* to be sent first; '\0': none */
	char frame[2 * GDB_PACKET_MAX + 8];
	size_t frame_len, frame_sent;
};

/* ncpus from 1 to GDB_MAX_CPUS. */
void gdb_init(struct gdb *gdb, const struct gdb_ops *ops, void *arg,
	      const struct gdb_registers *registers, unsigned int ncpus);
/* A new gdb is there. The target is thought to run until gdb_stopped(). */
void gdb_connected(struct gdb *gdb);

/* Bytes from gdb. Returns how many were taken: the others may be, when output is gone or the target stops. */
size_t gdb_push(struct gdb *gdb, const void *data, size_t len);
/* Bytes for gdb: fills buf and returns how many; 0: nothing to send now. */
size_t gdb_pull(struct gdb *gdb, void *buf, size_t cap);

/* All processors have stopped. */
void gdb_stopped(struct gdb *gdb, const struct gdb_stop *stop);
/* The target is gone. */
void gdb_exited(struct gdb *gdb, int status);

#endif
