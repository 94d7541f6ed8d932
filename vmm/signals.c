// SPDX-License-Identifier: MIT
#include "vmm/signals.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define END_SECONDS 5

int signals_open(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction old;

		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int end_status;

static void end_hangs(int sig)
{
	(void)sig;
	_exit(end_status);
}

void signals_bound_end(int status)
{
	end_status = status;
	signal(SIGALRM, end_hangs);
	alarm(END_SECONDS);
}

void signals_end_reached(void)
{
	alarm(0);
}
