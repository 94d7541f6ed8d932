// SPDX-License-Identifier: MIT
/* modules.dep.bin: found by name as in modules.dep, whatever a damaged one says. Indexes are made
 * here. */
#include "boot/boot.h"
#include "boot/dep_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define PREFIX	 0x80000000u
#define VALUES	 0x40000000u
#define CHILDREN 0x20000000u

/* A file in memory, exactly as long as it is, so that a sanitizer sees what is behind it. */
struct file {
	char data[65536];
	size_t len;
};

static void put(struct file *file, const void *data, size_t len)
{
	if (len > sizeof(file->data) - file->len)
		abort();
	memcpy(file->data + file->len, data, len);
	file->len += len;
}

static void set_number(struct file *file, size_t at, uint32_t number)
{
	number = __builtin_bswap32(number);
	memcpy(file->data + at, &number, sizeof(number));
}

static void put_number(struct file *file, uint32_t number)
{
	put(file, &number, sizeof(number));
	set_number(file, file->len - sizeof(number), number);
}

/* A name of a module as depmod has it (underscores only), and its line. In order of the names. */
struct line {
	const char *name;
	const char *line;
};

/* The node of n lines whose names have the first skip letters in common. Returns its place. */
static uint32_t put_node(struct file *file, const struct line *line, size_t n, size_t skip)
{
	uint32_t place, child[128] = {0};
	size_t prefix = 0, i = 0;
	int first = 128, last = -1;

	while (line[0].name[skip + prefix] &&
	       line[0].name[skip + prefix] == line[n - 1].name[skip + prefix])
		prefix++;
	if (!line[0].name[skip + prefix])
		i = 1;
	while (i < n) {
		unsigned char letter = line[i].name[skip + prefix];
		size_t same = i;

		while (same < n && line[same].name[skip + prefix] == letter)
			same++;
		child[letter] = put_node(file, line + i, same - i, skip + prefix + 1);
		first = letter < first ? letter : first;
		last = letter;
		i = same;
	}
	place = file->len;
	if (prefix) {
		put(file, line[0].name + skip, prefix);
		put(file, "", 1);
		place |= PREFIX;
	}
	if (last >= 0) {
		put(file, (char[]){first, last}, 2);
		for (int c = first; c <= last; c++)
			put_number(file, child[c]);
		place |= CHILDREN;
	}
	if (!line[0].name[skip + prefix]) {
		put_number(file, 1);
		put_number(file, 0);
		put(file, line[0].line, strlen(line[0].line) + 1);
		place |= VALUES;
	}
	return place;
}

static void make_index(struct file *file, const struct line *line, size_t n)
{
	file->len = 0;
	put_number(file, 0xb007f457);
	put_number(file, 0x00020001);
	put_number(file, 0);
	set_number(file, 8, put_node(file, line, n, 0));
}

static const struct line lines[] = {
	{"9p", "kernel/fs/9p/9p.ko: kernel/net/9p/9pnet.ko"},
	{"9pnet", "kernel/net/9p/9pnet.ko:"},
	{"9pnet_virtio", "kernel/net/9p/9pnet_virtio.ko: virtio.ko kernel/net/9p/9pnet.ko"},
	{"virtio", "virtio.ko:"},
	{"virtio_rng", "char/virtio-rng.ko.xz: virtio.ko"},
	{"zzz", "z/zzz.ko:"},
};

#define NLINES (sizeof(lines) / sizeof(lines[0]))

/* As dep_index_find(), in a copy of its own of the first len bytes. */
static int find(const struct file *file, size_t len, const char *name, char *line)
{
	char *copy = malloc(len ? len : 1);
	struct span found;
	int ret;

	memcpy(copy, file->data, len);
	ret = dep_index_find((struct span){copy, len}, (struct span){name, strlen(name)}, &found);
	if (ret == 1) {
		memcpy(line, found.at, found.len);
		line[found.len] = '\0';
	}
	free(copy);
	return ret;
}

TEST(each_name_has_its_line)
{
	static struct file file;
	static char line[sizeof(file.data) + 1];

	make_index(&file, lines, NLINES);
	for (size_t i = 0; i < NLINES; i++) {
		ASSERT_EQ(find(&file, file.len, lines[i].name, line), 1);
		EXPECT_STREQ(line, lines[i].line);
	}
	ASSERT_EQ(find(&file, file.len, "virtio-rng", line), 1);
	EXPECT_STREQ(line, lines[4].line);
}

TEST(other_names_have_none)
{
	static const char *const names[] = {
		"",	    "9",	"9pn",	       "9pnets", "9pnet_", "virtio_",
		"virtio_r", "virtio_s", "virtio_rngs", "a",	 "zzzz",   "\xff"};
	static struct file file;
	char line[256];

	make_index(&file, lines, NLINES);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		EXPECT_EQ(find(&file, file.len, names[i], line), 0)
		{
			TH_LOG("%s", names[i]);
		}
	}
}

TEST(what_is_no_index)
{
	static struct file file;
	char line[256];

	make_index(&file, lines, NLINES);
	for (size_t len = 0; len < 12; len++)
		EXPECT_EQ(find(&file, len, "9p", line), -EBADMSG);
	set_number(&file, 0, 0xb007f458);
	EXPECT_EQ(find(&file, file.len, "9p", line), -EBADMSG);
	set_number(&file, 0, 0xb007f457);
	set_number(&file, 4, 0x00030001);
	EXPECT_EQ(find(&file, file.len, "9p", line), -EBADMSG);
	/* Later minor versions are readable. */
	set_number(&file, 4, 0x00020009);
	EXPECT_EQ(find(&file, file.len, "9p", line), 1);
	/* A root in the header, and beyond the end. */
	set_number(&file, 8, PREFIX | 4);
	EXPECT_EQ(find(&file, file.len, "9p", line), -EBADMSG);
	set_number(&file, 8, 0);
	EXPECT_EQ(find(&file, file.len, "9p", line), -EBADMSG);
	for (int i = 1; i < 8; i++) {
		set_number(&file, 8, (uint32_t)i << 29 | 0x0fffffff);
		EXPECT_EQ(find(&file, file.len, i == 2 ? "" : "9p", line), -EBADMSG);
	}
}

TEST(nodes_that_do_not_fit)
{
	static struct file file;
	char line[256];
	uint32_t node;

	/* A prefix without an end. */
	make_index(&file, lines, 1);
	file.len = 12;
	put(&file, "9p", 2);
	set_number(&file, 8, PREFIX | 12);
	EXPECT_EQ(find(&file, file.len, "9p", line), -EBADMSG);
	/* The last letter before the first one; a table that ends within an entry. */
	for (int i = 0; i < 2; i++) {
		file.len = 12;
		put(&file, i ? "89" : "98", 2);
		put(&file, "\0\0\0\0\0\0\0", 7);
		set_number(&file, 8, CHILDREN | 12);
		EXPECT_EQ(find(&file, file.len, "9p", line), -EBADMSG);
	}
	/* No value at all, one that is not there, one without an end. */
	for (int i = 0; i < 3; i++) {
		file.len = 12;
		put_number(&file, i != 0);
		put_number(&file, 0);
		put(&file, "x", i ? i - 1 : 2);
		set_number(&file, 8, VALUES | 12);
		EXPECT_EQ(find(&file, file.len, "", line), -EBADMSG);
	}
	/* A node that is its own child takes a letter in each turn. */
	file.len = 12;
	node = CHILDREN | 12;
	put(&file, "99", 2);
	put_number(&file, node);
	set_number(&file, 8, node);
	EXPECT_EQ(find(&file, file.len, "9999999999999999999999", line), 0);
	EXPECT_EQ(find(&file, file.len, "999p", line), 0);
}

TEST(cut_short_or_damaged)
{
	static struct file file, bad;
	static char line[sizeof(file.data) + 1];
	int ret;

	make_index(&file, lines, NLINES);
	for (size_t len = 0; len < file.len; len++)
		for (size_t i = 0; i < NLINES; i++)
			find(&file, len, lines[i].name, line);
	srand(1);
	for (int round = 0; round < 20000; round++) {
		bad = file;
		for (int i = rand() % 4; i >= 0; i--)
			bad.data[rand() % bad.len] = rand() % 2 ? rand() : rand() % 4 * 0x7f;
		ret = find(&bad, bad.len, lines[rand() % NLINES].name, line);
		ASSERT_TRUE(ret == 0 || ret == 1 || ret == -EBADMSG);
	}
}

/* ---- by modules_resolve() ---- */

FIXTURE(folder)
{
	char dir[64];
	struct file file;
	struct module_list list;
	struct why why;
};

static void write_file(const char *dir, const char *name, const void *data, size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f || (len && fwrite(data, len, 1, f) != 1) || fclose(f))
		abort();
}

FIXTURE_SETUP(folder)
{
	strcpy(self->dir, "/tmp/boot_dep_index.XXXXXX");
	if (!mkdtemp(self->dir))
		abort();
	/* The text says something else, and is not asked. */
	write_file(self->dir, "modules.dep", "text/9p.ko:\n", 12);
}

FIXTURE_TEARDOWN(folder)
{
	char command[256];

	module_list_free(&self->list);
	snprintf(command, sizeof(command), "rm -r %s", self->dir);
	if (system(command))
		abort();
}

static int resolve(FIXTURE_DATA(folder) * self, const struct line *line, size_t n, char *order,
		   const char *name)
{
	int err;

	make_index(&self->file, line, n);
	write_file(self->dir, "modules.dep.bin", self->file.data, self->file.len);
	module_list_free(&self->list);
	err = modules_resolve(&self->list, self->dir, &name, 1, &self->why);
	*order = '\0';
	for (size_t i = 0; i < self->list.n; i++)
		sprintf(order + strlen(order), "%s%s", i ? " " : "",
			self->list.path[i] + strlen(self->dir) + 1);
	return err;
}

TEST_F(folder, order)
{
	char order[1024];

	ASSERT_EQ(resolve(self, lines, NLINES, order, "9pnet-virtio"), 0);
	EXPECT_STREQ(order, "virtio.ko kernel/net/9p/9pnet.ko kernel/net/9p/9pnet_virtio.ko");
	ASSERT_EQ(resolve(self, lines, NLINES, order, "virtio_rng"), 0);
	EXPECT_STREQ(order, "virtio.ko char/virtio-rng.ko.xz");
	EXPECT_EQ(resolve(self, lines, NLINES, order, "virtio_net?"), 0);
	EXPECT_EQ(resolve(self, lines, NLINES, order, "virtio_net"), -ENOENT);
	write_file(self->dir, "modules.builtin", "kernel/virtio_net.ko\n", 21);
	EXPECT_EQ(resolve(self, lines, NLINES, order, "virtio_net"), 0);
	EXPECT_STREQ(order, "");
}

TEST_F(folder, lines_that_do_not_belong_there)
{
	static const struct line other[] = {{"9p", "kernel/9pnet.ko:"}},
				 outside[] = {{"9p", "../9p.ko:"}},
				 circle[] = {{"a", "a.ko: b.ko"}, {"b", "b.ko: a.ko"}},
				 elsewhere[] = {{"a", "a.ko: x/b.ko"}, {"b", "b.ko:"}},
				 gone[] = {{"a", "a.ko: b"}};
	char order[1024];

	EXPECT_EQ(resolve(self, other, 1, order, "9p"), -ENOENT);
	EXPECT_EQ(resolve(self, outside, 1, order, "9p"), -EINVAL);
	EXPECT_NE(strstr(self->why.text, "modules.dep.bin names a module outside"), NULL)
	{
		TH_LOG("%s", self->why.text);
	}
	EXPECT_EQ(resolve(self, circle, 2, order, "a"), -ELOOP);
	EXPECT_EQ(resolve(self, elsewhere, 2, order, "a"), -ENOENT);
	EXPECT_NE(strstr(self->why.text, "needs x/b.ko"), NULL);
	EXPECT_EQ(resolve(self, gone, 1, order, "a"), -ENOENT);
	EXPECT_NE(strstr(self->why.text, "needs b"), NULL);
}

TEST_F(folder, a_damaged_index_is_told_with_the_mend)
{
	static const char *const name[] = {"9p"};

	for (size_t len = 0; len < 2; len++) {
		write_file(self->dir, "modules.dep.bin", "x", len);
		EXPECT_EQ(modules_resolve(&self->list, self->dir, name, 1, &self->why), -EBADMSG);
		EXPECT_NE(strstr(self->why.text, "modules.dep.bin is damaged; run depmod"), NULL)
		{
			TH_LOG("%s", self->why.text);
		}
	}
}

TEST_HARNESS_MAIN
