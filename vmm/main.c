// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "vmm/commands.h"
#include "vmm/outcome.h"
#include "vmm/stdio.h"

#define VERSION "0.1"

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "run", run_main, "boot a Linux guest that shares folders, and run a command in it" },
	{ "test", test_main, "run a command in guests of many kernels, and tell which pass (TAP, JUnit)" },
	{ "serve", serve_main, "serve a folder by 9P over a Unix socket" },
	{ "doctor", doctor_main, "find what refuses to read, create or change files, and the mend" },
	{ "bench", bench_main, "measure the 9P device, with no Linux in the guest" },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static int usage(FILE *to, int status)
{
	fprintf(to, "usage: ninepin COMMAND [OPTION]…\n\n");
	for (size_t i = 0; i < NCOMMANDS; i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].what);
	fprintf(to, "\nninepin COMMAND --help tells more; ninepin --version tells the version.\n");
	return status;
}

int main(int argc, char **argv)
{
	stdio_sanitize();
	if (argc < 2)
		return usage(stderr, STATUS_NOT_STARTED);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return usage(stdout, 0);
	if (!strcmp(argv[1], "--version")) {
		printf("ninepin " VERSION "\n");
		return 0;
	}
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].main(argc - 1, argv + 1);
	fprintf(stderr, "ninepin: '%s' is not a command: see ninepin --help\n", argv[1]);
	return STATUS_NOT_STARTED;
}
