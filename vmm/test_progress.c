// SPDX-License-Identifier: MIT
#include "vmm/test_progress.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/stdio.h"

#define MAX_LINES 16

void progress_init(struct progress *progress, FILE *to, uint64_t now_ns)
{
	const char *term = getenv("TERM");

	*progress = (struct progress){
		.to = to,
		.on = isatty(fileno(to)) && term && strcmp(term, "dumb") != 0,
		.news_ns = now_ns,
	};
}

void progress_news(struct progress *progress, uint64_t now_ns)
{
	if (progress->lines) {
		/* To the first of its lines, and all from there is erased. */
		fprintf(progress->to, "\x1b[%uA\r\x1b[J", progress->lines);
		fflush(progress->to);
	}
	progress->lines = 0;
	progress->news_ns = now_ns;
}

/* A line, cut behind so many characters: a byte that goes on with one is none. */
static void put_line(FILE *to, const char *text, unsigned int columns)
{
	for (; *text; text++) {
		bool begins = ((unsigned char)*text & 0xc0) != 0x80;

		if (begins && !columns--)
			break;
		putc(*text, to);
	}
	putc('\n', to);
}

unsigned int progress_draw(FILE *to, const struct test_run *run, size_t nruns, uint64_t now_ns,
			   unsigned int rows, unsigned int columns)
{
	unsigned int most = rows > MAX_LINES + 2 ? MAX_LINES : rows > 3 ? rows - 3 : 0, lines = 0;
	struct test_sum sum;
	char line[1024];

	/* Not in the last column: some terminals go to the next line then. */
	columns = columns > 1 ? columns - 1 : 1;
	for (size_t i = 0; i < nruns && lines < most; i++) {
		if (run[i].verdict != TEST_RUNS)
			continue;
		snprintf(line, sizeof(line), "%5" PRIu64 " s  %s",
			 (now_ns - run[i].begin_ns) / 1000000000, run[i].name);
		put_line(to, line, columns);
		lines++;
	}
	test_count(&sum, run, nruns);
	snprintf(line, sizeof(line), "%zu of %zu ended, %u failed, %u running",
		 nruns - sum.of[TEST_WAITS] - sum.of[TEST_RUNS], nruns, sum.of[TEST_FAILED],
		 sum.of[TEST_RUNS]);
	put_line(to, line, columns);
	return lines + 1;
}

void progress_tick(struct progress *progress, const struct test_run *run, size_t nruns,
		   uint64_t now_ns)
{
	uint64_t news_ns = progress->news_ns;
	unsigned int rows, columns;

	if (!progress->on || now_ns - news_ns < PROGRESS_QUIET_NS)
		return;
	progress_news(progress, news_ns);
	stdio_winsize(fileno(progress->to), &rows, &columns);
	progress->lines = progress_draw(progress->to, run, nruns, now_ns, rows, columns);
	fflush(progress->to);
}
