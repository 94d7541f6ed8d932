/* SPDX-License-Identifier: MIT */
/* --gdb: a gdb that connects to the run's event loop, and the VM that it debugs. */
#ifndef VMM_GDB_SERVER_H
#define VMM_GDB_SERVER_H

#include <stdbool.h>

#include "boot/why.h"
#include "vmm/loop.h"
#include "vmm/vm.h"

struct gdb_server;

struct gdb_server_config {
	const char *where; /* vmm/gdb_listen.h */
	bool wait;	   /* the guest does not start before gdb says so */
	struct loop *loop;
	struct vm *vm;
	/* On the loop's thread. */
	void (*held)(void *arg, bool held); /* the guest stands still, or runs again */
	void (*kill)(void *arg);	    /* gdb wants the VM to end */
	void *arg;
};

/* Before vm_start(). 0, or a negative errno and a sentence; says on stderr what to type into gdb. */
int gdb_server_new(struct gdb_server **server, const struct gdb_server_config *config, struct why *why);
/* The vCPUs do not run any more. Tells gdb, if one is there, the run's status. */
void gdb_server_free(struct gdb_server *server, int status);

#endif
