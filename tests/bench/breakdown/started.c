// SPDX-License-Identifier: MIT
/*
 * The start of a guest is counted from here to its first instruction, which is a marker, too (tests/bench/tiny.S).
 *
 *   started PROGRAM ARG…
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/breakdown/marker.h"

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: started PROGRAM ARG…\n");
		return 2;
	}
	MARKER(MARKER_BEGIN);
	execv(argv[1], argv + 1);
	fprintf(stderr, "started: %s: %s\n", argv[1], strerror(errno));
	return 1;
}
