// SPDX-License-Identifier: MIT
/* `ninepin bench`, but for what needs KVM: its words, and --server-only as a process of its own. */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

#include "vmm/bench.h"
#include "vmm/commands.h"

static struct bench_options opt;
static struct why why;

static int parse_words(char *words[])
{
	int n = 0;

	while (words[n])
		n++;
	memset(&why, 0, sizeof(why));
	return bench_options_parse(&opt, n, words, &why);
}

#define PARSE(...) parse_words((char *[]){"bench", ##__VA_ARGS__, NULL})
/* The sentence names the thing. */
#define EXPECT_COMPLAINT(word, ...)                                                                \
	do {                                                                                       \
		EXPECT_EQ(-EINVAL, PARSE(__VA_ARGS__));                                            \
		EXPECT_NE(NULL, strstr(why.text, word)) TH_LOG("said: %s", why.text);              \
	} while (0)

TEST(defaults)
{
	ASSERT_EQ(0, PARSE());
	for (int i = 0; i < WORK_OPS; i++)
		EXPECT_TRUE(opt.op[i]);
	for (int i = 0; i < BENCH_EXECUTORS; i++)
		EXPECT_TRUE(opt.io[i]);
	EXPECT_FALSE(opt.io_set);
	EXPECT_TRUE(opt.mode[BENCH_POLL] && opt.mode[BENCH_IRQ] && !opt.mode[BENCH_SERVER]);
	ASSERT_EQ(2, opt.ndepths);
	EXPECT_EQ(1, opt.depth[0]);
	EXPECT_EQ(16, opt.depth[1]);
	EXPECT_EQ(300000000, opt.ns);
	EXPECT_EQ(0, opt.requests);
	EXPECT_FALSE(opt.kick_each);
	EXPECT_EQ(NULL, opt.share);
	EXPECT_EQ(NULL, opt.csv);
}

TEST(everything_at_once)
{
	ASSERT_EQ(0, PARSE("--mode=irq", "--op", "walk,read4k", "--op=write128k", "--qd", "64,1,64",
			   "--io=ring,sync", "--requests", "5000", "--kick=each", "--share", "/d",
			   "--csv=f"));
	EXPECT_TRUE(opt.op[WORK_WALK] && opt.op[WORK_READ_4K] && opt.op[WORK_WRITE_128K]);
	EXPECT_FALSE(opt.op[WORK_GETATTR] || opt.op[WORK_WRITE_4K] || opt.op[WORK_READ_128K]);
	EXPECT_TRUE(opt.io[P9_EXEC_RING] && opt.io[P9_EXEC_SYNC] && !opt.io[P9_EXEC_AUTO]);
	EXPECT_TRUE(opt.mode[BENCH_IRQ] && !opt.mode[BENCH_POLL]);
	ASSERT_EQ(2, opt.ndepths);
	EXPECT_EQ(64, opt.depth[0]);
	EXPECT_EQ(1, opt.depth[1]);
	EXPECT_EQ(5000, opt.requests);
	EXPECT_EQ(0, opt.ns);
	EXPECT_TRUE(opt.kick_each);
	EXPECT_STREQ("/d", opt.share);
	EXPECT_STREQ("f", opt.csv);
	ASSERT_EQ(0, PARSE("--time", "1.5m"));
	EXPECT_EQ(90000000000ull, opt.ns);
	ASSERT_EQ(0, PARSE("--server-only"));
	EXPECT_TRUE(opt.mode[BENCH_SERVER] && !opt.mode[BENCH_POLL] && !opt.mode[BENCH_IRQ]);
}

TEST(bad_words)
{
	EXPECT_COMPLAINT("'--nosuch'", "--nosuch");
	EXPECT_COMPLAINT("'word'", "word");
	EXPECT_COMPLAINT("'--qd' needs a value", "--qd");
	EXPECT_COMPLAINT("'read'", "--op", "getattr,read");
	EXPECT_COMPLAINT("''", "--op", "getattr,");
	EXPECT_COMPLAINT("'uring'", "--io=uring");
	EXPECT_COMPLAINT("'server'", "--mode=server");
	EXPECT_COMPLAINT("'0'", "--qd=0");
	EXPECT_COMPLAINT("'65'", "--qd=1,65");
	EXPECT_COMPLAINT("'-1'", "--qd=-1");
	EXPECT_COMPLAINT("'4x'", "--qd=4x");
	EXPECT_COMPLAINT("16 depths", "--qd=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17");
	EXPECT_COMPLAINT("'soon'", "--time=soon");
	EXPECT_COMPLAINT("'0'", "--time=0");
	EXPECT_COMPLAINT("'2d'", "--time=2d");
	EXPECT_COMPLAINT("'0'", "--requests=0");
	EXPECT_COMPLAINT("'1000000000'", "--requests=1000000000");
	EXPECT_COMPLAINT("'1e6'", "--requests=1e6");
	EXPECT_COMPLAINT("'some'", "--kick=some");
	EXPECT_COMPLAINT("give one of the two", "--time=1", "--requests=1");
	EXPECT_COMPLAINT("--mode", "--server-only", "--mode=irq");
	EXPECT_COMPLAINT("--kick", "--server-only", "--kick=each");
}

TEST(help_fits_a_terminal)
{
	int lines = 0;

	for (const char *line = bench_usage; *line; line = strchr(line, '\n') + 1) {
		int columns = 0;

		for (const char *p = line; *p != '\n'; p++)
			columns += (*p & 0xc0) != 0x80;
		EXPECT_GE(80, columns);
		lines++;
	}
	EXPECT_GE(24, lines);
}

/* ---- turns ---- */

/* Every row has its turn in every round, and they share what one row may take. */
TEST(rounds)
{
	struct bench_rows rows;
	struct bench_turn turn;
	unsigned int turns = 0;

	ASSERT_EQ(0, PARSE("--op=walk,read4k", "--qd=1,3", "--requests=12"));
	ASSERT_EQ(0, bench_rows_init(&rows, &opt));
	ASSERT_EQ(2 * 2 * 2 * 3, rows.n);
	while (bench_rows_next(&rows, &turn)) {
		EXPECT_EQ(&rows.row[turns % rows.n], turn.row);
		EXPECT_EQ(turns < rows.n, turn.warm_up);
		if (!turn.warm_up)
			EXPECT_EQ(3, turn.requests);
		EXPECT_EQ(UINT64_MAX, turn.ns);
		turns++;
	}
	EXPECT_EQ((BENCH_ROUNDS + 1) * rows.n, turns);
	/* The three executors stand together. */
	EXPECT_EQ(rows.row[0].depth, rows.row[2].depth);
	EXPECT_NE(rows.row[0].io, rows.row[1].io);
	EXPECT_EQ(3, rows.row[3].depth);
	EXPECT_EQ(WORK_READ_4K, rows.row[6].op);
	EXPECT_EQ(BENCH_IRQ, rows.row[12].mode);
	bench_rows_free(&rows);
}

TEST(time_is_shared_by_rounds)
{
	struct bench_rows rows;
	struct bench_turn turn;

	ASSERT_EQ(0, PARSE("--op=walk", "--time=1"));
	ASSERT_EQ(0, bench_rows_init(&rows, &opt));
	ASSERT_TRUE(bench_rows_next(&rows, &turn));
	EXPECT_EQ(1000000000 / BENCH_ROUNDS, turn.ns);
	bench_rows_free(&rows);
}

/* No time at all is not what nothing was measured of has taken. */
TEST(nothing_measured)
{
	struct bench_rows rows;
	char *text = NULL;
	size_t size;
	FILE *out;

	ASSERT_EQ(0, PARSE("--op=walk", "--io=sync", "--qd=1,2", "--mode=poll"));
	ASSERT_EQ(0, bench_rows_init(&rows, &opt));
	p9_hist_add(&rows.row[0].hist, 1000);
	out = open_memstream(&text, &size);
	bench_rows_print(&rows, out);
	fclose(out);
	EXPECT_NE(NULL, strstr(text, "walk       1 sync    1.00    1.00    1.00    1.00        0 "));
	EXPECT_NE(NULL, strstr(text, "walk       2 sync       -       -       -       -        - "))
	TH_LOG("printed: %s", text);
	free(text);
	bench_rows_free(&rows);
}

/* ---- requests that are checked ---- */

FIXTURE(request)
{
	struct work work;
	struct work_slot slot;
	uint8_t t[WORK_BUFFER], r[WORK_BUFFER];
	uint8_t *data;
};

FIXTURE_SETUP(request)
{
	self->data = aligned_alloc(WORK_PAGE, WORK_LARGE);
	self->slot = (struct work_slot){.t = self->t, .r = self->r, .data = self->data};
	work_slot_init(&self->slot, 7);
}

FIXTURE_TEARDOWN(request)
{
	free(self->data);
}

/* An Rread of all that was asked for; its length. */
static uint32_t answer_read(struct work_slot *slot)
{
	uint32_t len = 11 + slot->data_len;
	uint64_t first = slot->block * (slot->data_len / WORK_PAGE);

	memcpy(slot->r, &len, 4);
	slot->r[4] = 117;
	slot->r[5] = 7;
	slot->r[6] = 0;
	memcpy(slot->r + 7, &slot->data_len, 4);
	for (uint32_t at = 0; at < slot->data_len; at += WORK_PAGE)
		work_page_fill(slot->data + at, first + at / WORK_PAGE);
	return len;
}

#define EXPECT_WRONG(word, len)                                                                    \
	do {                                                                                       \
		const char *wrong = work_check(&self->work, &self->slot, len);                     \
                                                                                                   \
		ASSERT_NE(NULL, wrong);                                                            \
		EXPECT_NE(NULL, strstr(wrong, word)) TH_LOG("said: %s", wrong);                    \
	} while (0)

TEST_F(request, a_wrong_reply_is_seen)
{
	struct work_slot *slot = &self->slot;
	uint32_t len;

	for (int all = 0; all < 2; all++) {
		work_begin(&self->work, WORK_READ_128K, all);
		work_next(&self->work, slot);
		work_next(&self->work, slot); /* not the first block */
		EXPECT_EQ(1, slot->block);
		/* Nothing came at all. */
		EXPECT_WRONG("type", 11 + WORK_LARGE);
		len = answer_read(slot);
		EXPECT_EQ(NULL, work_check(&self->work, slot, len));
		EXPECT_WRONG("size", len - 1);
		slot->r[9]--;
		EXPECT_WRONG("fewer", len);
		slot->r[9]++;
		slot->r[5] = 8;
		EXPECT_WRONG("tag", len);
		slot->r[5] = 7;
		slot->r[4] = 7;
		EXPECT_WRONG("error", len);
		slot->r[4] = 117;
		/* The head is right, and the last page did not come. */
		work_next(&self->work, slot);
		len = answer_read(slot);
		work_page_fill(self->data + WORK_LARGE - WORK_PAGE, 3);
		EXPECT_WRONG("what was read", len);
		len = answer_read(slot);
		self->data[WORK_LARGE - 1] ^= 1;
		EXPECT_WRONG("what was read", len);
	}
	len = answer_read(slot);
	self->data[WORK_PAGE / 2] ^= 1;
	EXPECT_WRONG("what was read", len);
}

/* What an earlier reply left in the buffer is not taken for this one's. */
TEST_F(request, old_data_is_seen)
{
	struct work_slot *slot = &self->slot;
	uint32_t len;

	work_begin(&self->work, WORK_READ_4K, false);
	work_next(&self->work, slot);
	len = answer_read(slot);
	EXPECT_EQ(NULL, work_check(&self->work, slot, len));
	self->work.next_block = 0;
	work_next(&self->work, slot);
	memcpy(slot->r, "\x0b\x10\0\0\x75\x07\0\0\x10\0\0", 11);
	EXPECT_WRONG("what was read", len);
}

/* ---- what a bench leaves ---- */

FIXTURE(bench)
{
	char dir[64];
	char printed[16384], said[4096];
};

FIXTURE_SETUP(bench)
{
	strcpy(self->dir, "/tmp/vmm_bench.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, chdir(self->dir));
}

FIXTURE_TEARDOWN(bench)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(command));
}

static pid_t start(char *const words[])
{
	char *argv[16] = {"bench"};
	int argc = 1;
	pid_t pid;

	while ((argv[argc] = words[argc - 1]))
		argc++;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		int status;

		prctl(PR_SET_PDEATHSIG, SIGKILL); /* some would measure for an hour */
		signal(SIGINT, SIG_DFL); /* a shell's & ignores it */
		signal(SIGPIPE, SIG_DFL);
		signal(SIGXFSZ, SIG_DFL);
		if (!freopen("out", "w", stdout) || !freopen("err", "w", stderr))
			abort();
		status = bench_main(argc, argv);
		fflush(NULL);
#if defined(__SANITIZE_ADDRESS__)
		if (__lsan_do_recoverable_leak_check())
			status = 99;
#endif
		_exit(status);
	}
	return pid;
}

static void read_file(const char *name, char *text, size_t size)
{
	FILE *f = fopen(name, "r");
	size_t n = f ? fread(text, 1, size - 1, f) : 0;

	text[n] = '\0';
	if (f)
		fclose(f);
}

static int end(FIXTURE_DATA(bench) *self, pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	read_file("out", self->printed, sizeof(self->printed));
	read_file("err", self->said, sizeof(self->said));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define RUN(...) end(self, start((char *[]){__VA_ARGS__, NULL}))

/* Folders of files that were measured with, in this one. */
static size_t left_behind(void)
{
	glob_t found;
	size_t n;

	n = glob("ninepin-bench.*", 0, NULL, &found) ? 0 : found.gl_pathc;
	globfree(&found);
	return n;
}

static void write_pages(int fd, unsigned int n)
{
	uint64_t page[WORK_PAGE / sizeof(uint64_t)];

	for (unsigned int i = 0; i < n; i++) {
		work_page_fill(page, i);
		if (pwrite(fd, page, sizeof(page), i * WORK_PAGE) != sizeof(page))
			abort();
	}
}

/* What was written is read on the host, and nothing more was written. */
TEST_F(bench, files)
{
	struct bench_files files;
	struct stat st;

	ASSERT_EQ(0, bench_files_make(&files, ".", &why));
	EXPECT_EQ(1, left_behind());
	EXPECT_EQ(0, bench_files_written(&files, WORK_WRITE_128K, 0, &why));
	write_pages(files.fd, 64);
	EXPECT_EQ(0, bench_files_written(&files, WORK_WRITE_128K, 2, &why));
	/* It is empty again. */
	EXPECT_EQ(-EIO, bench_files_written(&files, WORK_WRITE_128K, 2, &why));
	write_pages(files.fd, 64);
	EXPECT_EQ(-EIO, bench_files_written(&files, WORK_WRITE_4K, 65, &why));
	EXPECT_NE(NULL, strstr(why.text, "page 64"));
	EXPECT_EQ(-EIO, bench_files_written(&files, WORK_WRITE_4K, 63, &why));
	EXPECT_NE(NULL, strstr(why.text, "page 63"));
	/* From the first block on again. */
	write_pages(files.fd, WORK_FILE_SIZE / WORK_PAGE);
	EXPECT_EQ(0, bench_files_written(&files, WORK_WRITE_4K, UINT64_MAX, &why));
	EXPECT_EQ(0, fstat(files.fd, &st));
	EXPECT_EQ(WORK_FILE_SIZE, st.st_size);
	bench_files_remove(&files);
	EXPECT_EQ(0, left_behind());
}

TEST_F(bench, every_operation_with_every_executor)
{
	unsigned int rows = 0;
	char line[256];
	FILE *csv;

	ASSERT_EQ(0, RUN("--server-only", "--requests=100", "--qd=1,7", "--share=.", "--csv=csv"))
	TH_LOG("said: %s", self->said);
	EXPECT_STREQ("", self->said);
	EXPECT_EQ(0, left_behind());
	csv = fopen("csv", "r");
	ASSERT_NE(NULL, csv);
	ASSERT_NE(NULL, fgets(line, sizeof(line), csv));
	while (fgets(line, sizeof(line), csv)) {
		char op[16], io[16];
		unsigned int qd;
		unsigned long n, min, p50, p90, p99, max, messages;
		double rate;

		ASSERT_EQ(11, sscanf(line,
				     "server,%15[^,],%u,%15[^,],%lu,%lu,%lu,%lu,%lu,%lu,%lf,%lu,0,0,0",
				     op, &qd, io, &n, &min, &p50, &p90, &p99, &max, &rate,
				     &messages))
		TH_LOG("line: %s", line);
		EXPECT_STREQ(bench_op_name[rows / 6], op);
		EXPECT_EQ(100, n);
		EXPECT_LT(0, min);
		EXPECT_LE(min, p50);
		EXPECT_LE(p50, p90);
		EXPECT_LE(p90, p99);
		EXPECT_LE(p99, max);
		EXPECT_LT(0, rate);
		/* Those that warm up, and what was in flight at the end; a clunk after each walk. */
		EXPECT_LE(BENCH_ROUNDS * (20 + 2 * qd), messages);
		if (!strcmp(op, "walk"))
			EXPECT_LE(2 * BENCH_ROUNDS * (20 + 2 * qd), messages);
		EXPECT_GE(2 * BENCH_ROUNDS * (20 + 3 * qd), messages);
		rows++;
	}
	fclose(csv);
	EXPECT_EQ(WORK_OPS * 2 * BENCH_EXECUTORS, rows);
	EXPECT_NE(NULL, strstr(self->printed, "server read4k     7 ring "));
}

TEST_F(bench, by_time)
{
	ASSERT_EQ(0, RUN("--server-only", "--time=0.01", "--op=getattr", "--io=sync"))
	TH_LOG("said: %s", self->said);
	EXPECT_NE(NULL, strstr(self->printed, "server getattr    1 sync "));
	EXPECT_EQ(NULL, strstr(self->printed, "auto"));
}

TEST_F(bench, refused)
{
	EXPECT_EQ(125, RUN("--qd=0"));
	EXPECT_STREQ("", self->printed);
	EXPECT_EQ(125, RUN("--server-only", "--share=nowhere"));
	EXPECT_NE(NULL, strstr(self->said, "nowhere"));
	EXPECT_EQ(125, RUN("--server-only", "--csv=nowhere/f"));
	EXPECT_NE(NULL, strstr(self->said, "nowhere/f"));
	EXPECT_EQ(0, RUN("--help"));
	EXPECT_STREQ(bench_usage, self->printed);
	EXPECT_EQ(0, left_behind());
}

/* The pid of one that measures until it is ended, once its files are there. */
static pid_t start_endless(char *op)
{
	pid_t pid = start((char *[]){"--server-only", "--time=1h", "--qd=1", op, "--share=.",
				     NULL});
	struct stat st;
	glob_t found;

	for (;;) {
		int none = glob("ninepin-bench.*/write", 0, NULL, &found);
		bool whole = !none && stat(found.gl_pathv[0], &st) == 0 &&
			     st.st_size == WORK_FILE_SIZE;

		globfree(&found);
		if (whole)
			return pid;
		usleep(1000);
	}
}

TEST_F(bench, ended_by_a_signal)
{
	pid_t pid = start((char *[]){"--server-only", "--time=1h", "--op=getattr", "--share=.",
				     NULL});

	while (!left_behind())
		usleep(1000);
	kill(pid, SIGINT);
	EXPECT_EQ(128 + SIGINT, end(self, pid));
	EXPECT_STREQ("", self->printed);
	EXPECT_NE(NULL, strstr(self->said, "ended by signal 2"));
	EXPECT_EQ(0, left_behind());
}

/* Not only between two turns, which here take minutes. */
TEST_F(bench, ended_by_a_signal_while_measuring)
{
	static char *const io[] = {"--io=sync", "--io=ring"};

	for (int i = 0; i < 2; i++) {
		pid_t pid = start((char *[]){"--server-only", "--time=1h", "--op=getattr", "--qd=1",
					     io[i], "--share=.", NULL});

		/* The first turn, which warms up, is long over. */
		sleep(1);
		kill(pid, SIGINT);
		EXPECT_EQ(128 + SIGINT, end(self, pid));
		EXPECT_NE(NULL, strstr(self->said, "ended by signal 2"));
		EXPECT_EQ(0, left_behind());
	}
}

TEST_F(bench, nobody_reads_the_table)
{
	pid_t pid;
	int out;

	ASSERT_EQ(0, mkfifo("out", 0600));
	pid = start((char *[]){"--server-only", "--time=1", "--op=getattr", "--io=sync", "--qd=1",
			       "--share=.", "--csv=csv", NULL});
	out = open("out", O_RDONLY);
	ASSERT_LE(0, out);
	while (!left_behind())
		usleep(1000);
	close(out);
	ASSERT_EQ(0, unlink("out"));
	EXPECT_EQ(123, end(self, pid));
	EXPECT_NE(NULL, strstr(self->said, "Broken pipe")) TH_LOG("said: %s", self->said);
	read_file("csv", self->printed, sizeof(self->printed));
	EXPECT_NE(NULL, strstr(self->printed, "\nserver,getattr,1,sync,"));
	EXPECT_EQ(0, left_behind());
}

TEST_F(bench, files_larger_than_allowed)
{
	const struct rlimit small = {.rlim_cur = WORK_FILE_SIZE / 2, .rlim_max = RLIM_INFINITY};

	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &small));
	EXPECT_EQ(125, RUN("--server-only", "--share=."));
	EXPECT_NE(NULL, strstr(self->said, "File too large")) TH_LOG("said: %s", self->said);
	EXPECT_EQ(0, left_behind());
}

/* What the server reads is not what the file held: an error, not a number. */
TEST_F(bench, wrong_data)
{
	pid_t pid = start_endless("--op=read4k");
	glob_t found;

	ASSERT_EQ(0, glob("ninepin-bench.*/read", 0, NULL, &found));
	ASSERT_EQ(0, truncate(found.gl_pathv[0], 0));
	ASSERT_EQ(0, truncate(found.gl_pathv[0], WORK_FILE_SIZE));
	globfree(&found);
	EXPECT_EQ(123, end(self, pid));
	EXPECT_STREQ("", self->printed);
	EXPECT_NE(NULL, strstr(self->said, "read4k, 1 in flight")) TH_LOG("said: %s", self->said);
	EXPECT_EQ(0, left_behind());
}

TEST_HARNESS_MAIN
