/* SPDX-License-Identifier: MIT */
/*
 * One run of `ninepin run`, for the files that make it up; all in the main thread but where it says so.
 *
 *   run.c        from options to a running guest, and to the exit status
 *   run_guest.c  what the guest says: its init, its console
 *   run_end.c    how the run ends, and what is said of it
 *   run_gdb.c    while gdb is connected
 */
#ifndef VMM_RUN_H
#define VMM_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "vmm/console_log.h"
#include "vmm/gdb_server.h"
#include "vmm/link.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/options.h"
#include "vmm/outcome.h"
#include "vmm/plan.h"
#include "vmm/run_core.h"
#include "vmm/stdio.h"

struct run {
	struct run_options opt;
	struct plan plan;
	struct machine machine;
	struct console_log log;
	struct loop *loop;
	struct link *link;
	struct stdio *stdio;
	struct outcome outcome;
	struct run_core core;	/* --core */
	struct gdb_server *gdb; /* --gdb, or NULL */
	int result_fd;
	int wake_fd;	/* eventfd: a thread wants the loop to look */
	int signal_fd;	/* SIGINT, SIGTERM, SIGHUP, SIGQUIT */
	int timeout_fd; /* --timeout */
	int boot_fd;	/* --boot-timeout */
	int grace_fd;	/* after a panic */
	int tick_fd;	/* while the log is waited for */
	int halt_fd;	/* each second: has the guest halted? */
	bool plan_made, machine_made, log_made;
	bool draining;
	bool stuck; /* a vCPU thread does not come back: nothing can be freed */
	/* What the guest's kernel says, for the loop to look at. */
	_Atomic bool panicked; /* at its console or at the panic device; or, only there, … */
	_Atomic bool told_panic;
	_Atomic bool reported; /* what --fail-on names */

	/* What the log is waited for, if anything. */
	enum { AWAIT_NOTHING, AWAIT_REPORT, AWAIT_SYSRQ } await;
	unsigned int ticks, quiet; /* since it is; since the last line */
	unsigned long traffic;
	const char *keys; /* still to be sent */

	/* What was left of these timers when gdb took hold of the guest. */
	struct itimerspec timeout_left, boot_left, grace_left, tick_left;
};

#define RUN_HALT_MS 1000

/* The moment is now. */
void run_mark(struct run *run, enum moment moment);
/* run_woken() is called soon, from the loop. Any thread. */
void run_wake(struct run *run);

/* ---- run_guest.c ---- */

/* What link_new() and machine_new() want; their arg is the run. */
extern const struct link_ops run_link_ops;
void run_on_serial(void *arg, uint8_t byte); /* a vCPU's thread */
void run_on_output(void *arg);		     /* any thread */
void run_on_serial_first(void *arg);	     /* a vCPU's thread */
void run_on_panic_device(void *arg);	     /* a vCPU's thread */
void run_on_report(void *arg, enum report_kind kind); /* any thread */
void run_on_port_input(void *arg, const void *data, size_t len);
size_t run_on_port_output(void *arg, void *buf, size_t cap);

/* ---- run_end.c ---- */

/*
 * The run ends like this; the first end counts. May be called from deep within the console port: the
 * guest is stopped later, from the loop.
 */
void run_finish(struct run *run, enum reason reason, int status, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Finishes the run if there is a report that --fail-on names. */
bool run_finish_reported(struct run *run);
/* For loop_watch(), each with its descriptor of struct run. */
void run_woken(void *arg, short revents);
void run_signalled(void *arg, short revents);
void run_timed_out(void *arg, short revents);
void run_boot_timed_out(void *arg, short revents);
void run_ticked(void *arg, short revents);
void run_grace_over(void *arg, short revents);
void run_look_at_halt(void *arg, short revents);
/* The user typed Ctrl-A x. */
void run_on_quit(void *arg);
/* A timerfd expires once, in so long; 0: not at all. */
void run_set_timer(int fd, uint64_t ms);
/* Tells the user, and the file that --result names, how it was. */
void run_report(struct run *run);

/* ---- run_gdb.c ---- */

/* Listens where --gdb says, if it was given. 0, or a negative errno and a sentence. */
int run_gdb_open(struct run *run, struct why *why);

#endif
