/* SPDX-License-Identifier: MIT */
/* The signals that end a program, and a bound to how long its end takes. */
#ifndef VMM_SIGNALS_H
#define VMM_SIGNALS_H

/*
 * A non-blocking signalfd(2) of SIGINT, SIGTERM, SIGHUP and SIGQUIT, but for those that the caller
 * wants ignored (nohup, a shell's `&`). For the start, before threads. -1 with errno set.
 */
int signals_open(void);

/*
 * From now on the process has some seconds to end by itself: what it waits for may be the host's (a
 * reader that does not read, a file server that is dead). After that it exits with this status.
 */
void signals_bound_end(int status);
/* It has ended what could hang. */
void signals_end_reached(void);

#endif
