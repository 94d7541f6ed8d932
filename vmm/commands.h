/* SPDX-License-Identifier: MIT */
/* The subcommands: each takes its words (argv[0] is its name) and returns the exit status. */
#ifndef VMM_COMMANDS_H
#define VMM_COMMANDS_H

int run_main(int argc, char **argv);
int test_main(int argc, char **argv);
int serve_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int bench_main(int argc, char **argv);

#endif
