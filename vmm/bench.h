/* SPDX-License-Identifier: MIT */
/* Inside `ninepin bench`. */
#ifndef VMM_BENCH_H
#define VMM_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "boot/why.h"
#include "images/bench/work.h"
#include "ninep/hist.h"
#include "ninep/p9.h"

#define BENCH_EXECUTORS	 3 /* enum p9_executor */
#define BENCH_MAX_DEPTHS 16
/* Each row is measured in so many turns with the others, so that what disturbs hits them alike. */
#define BENCH_ROUNDS 5

/* How the guest learns that a request is done. */
enum bench_mode {
	BENCH_POLL,
	BENCH_IRQ,
	BENCH_SERVER, /* there is no guest */
	BENCH_MODES,
};

/* ---- bench_options.c ---- */

struct bench_options {
	const char *share; /* borrowed from argv; NULL: a folder in memory */
	const char *csv;   /* borrowed; NULL: none */
	bool io[BENCH_EXECUTORS];
	bool io_set; /* chosen by the user */
	bool op[WORK_OPS];
	bool mode[BENCH_MODES];
	unsigned int depth[BENCH_MAX_DEPTHS]; /* requests in flight */
	unsigned int ndepths;
	uint64_t ns;	   /* of one row; 0: `requests` decides */
	uint64_t requests; /* of one row */
	bool kick_each;
	bool server_only;
	bool help;
};

extern const char bench_usage[];
/* argv[0] is "bench". 0, or -EINVAL with a sentence. */
int bench_options_parse(struct bench_options *opt, int argc, char *const *argv, struct why *why);

extern const char *const bench_op_name[WORK_OPS];
extern const char *const bench_io_name[BENCH_EXECUTORS];
extern const char *const bench_mode_name[BENCH_MODES];

/* ---- bench_rows.c ---- */

struct bench_row {
	enum bench_mode mode;
	enum work_op op;
	unsigned int depth;
	enum p9_executor io;
	struct p9_hist hist; /* of each request, from submission to the completion being seen */
	uint64_t span_ns;    /* in which hist.n requests were completed */
	/* Of all messages, also those that warm up and tidy up. */
	uint64_t messages, exits, kicks, interrupts;
};

struct bench_rows {
	struct bench_row *row;
	unsigned int n;
	const struct bench_options *opt;
	unsigned int round, next; /* round 0 warms up */
	struct p9_hist exit;	  /* of an exit that does nothing, and the way back */
	bool progress;		  /* is shown */
};

/* One turn of a row. */
struct bench_turn {
	struct bench_row *row;
	bool warm_up;	   /* nothing is added to the row, and every byte that is read is checked */
	uint64_t requests; /* at most */
	uint64_t ns;	   /* at most */
};

/* Every combination of what the options ask for. -ENOMEM. */
int bench_rows_init(struct bench_rows *rows, const struct bench_options *opt);
void bench_rows_free(struct bench_rows *rows);
/* The next turn, false if all is done. Shows progress on stderr, if that is a terminal. */
bool bench_rows_next(struct bench_rows *rows, struct bench_turn *turn);
void bench_rows_print(const struct bench_rows *rows, FILE *out);
void bench_rows_csv(const struct bench_rows *rows, FILE *out);
/* Takes the progress off the terminal. */
void bench_progress_end(const struct bench_rows *rows);

/* ---- bench_files.c ---- */

/* A folder of its own, with a file to read and one to write. */
struct bench_files {
	char dir[256]; /* "": not made */
	int fd;	       /* of the file to write */
};

/* In `where`, or in memory (NULL). Negative errno and a sentence. */
int bench_files_make(struct bench_files *files, const char *where, struct why *why);
/* Whether the first blocks of an operation are what was written; makes them empty again. */
int bench_files_written(struct bench_files *files, enum work_op op, uint64_t blocks,
			struct why *why);
void bench_files_remove(struct bench_files *files);

/* ---- bench.c ---- */

/* A server with its executor, and a session on the folder. */
struct bench_side {
	struct p9_server *server; /* NULL: not wanted */
	struct p9_share *share;
	struct p9_session *session;
};

struct bench {
	struct bench_options opt;
	struct bench_rows rows;
	struct bench_files files;
	struct bench_side side[BENCH_EXECUTORS];
	int signal_fd;
	int signal; /* that ended it; 0: none */
	bool stuck; /* the vCPU does not come back, and may use anything: nothing can be freed */
};

/* Puts the calling thread on the first CPU that it may use, or on another one if there is one. */
void bench_pin(bool another);
/* Whether a signal has come: then the bench is over. */
bool bench_signalled(struct bench *bench);
/* An error of the measuring itself. Returns err. */
int bench_failed(struct why *why, int err, const struct bench_row *row, const char *what);

/* bench_vm.c, bench_server.c: measure everything. Negative errno and a sentence. */
int bench_vm(struct bench *bench, struct why *why);
int bench_server(struct bench *bench, struct why *why);

#endif
