// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/config.h"
#include "kselftest_harness.h"
#include "vmm/guest.h"

#define ARCHIVE_MAX (1u << 20)

static const char *const env[] = {"PATH=/bin", "A=b c", NULL};
static const char *const argv[] = {"sh", "-c", "echo \"a b\"", "", NULL};

/* One entry of a newc archive. */
struct entry {
	const char *name;
	unsigned int mode;
	unsigned int rmajor;
	unsigned int rminor;
	const uint8_t *data;
	size_t size;
};

static unsigned int hex(const uint8_t *p)
{
	char text[9];

	memcpy(text, p, 8);
	text[8] = '\0';
	return (unsigned int)strtoul(text, NULL, 16);
}

/* Finds a name, as the kernel would read the archive. */
static bool find(struct entry *entry, const struct cpio *cpio, const char *name)
{
	for (size_t pos = 0; pos + 110 <= cpio->len;) {
		const uint8_t *head = cpio->buf + pos;
		size_t name_size = hex(head + 94), data = (pos + 110 + name_size + 3) & ~3ul;

		if (memcmp(head, "070701", 6))
			return false;
		*entry = (struct entry){
			.name = (const char *)head + 110,
			.mode = hex(head + 14),
			.rmajor = hex(head + 78),
			.rminor = hex(head + 86),
			.data = cpio->buf + data,
			.size = hex(head + 54),
		};
		if (!strcmp(entry->name, name))
			return true;
		pos = (data + entry->size + 3) & ~3ul;
	}
	return false;
}

static void make_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	fputs(text, file);
	fclose(file);
}

FIXTURE(guest)
{
	char dir[32]; /* a module tree */
	struct cpio cpio;
	struct guest_spec spec;
	struct why why;
};

FIXTURE_SETUP(guest)
{
	strcpy(self->dir, "/tmp/guest.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	make_file(self->dir, "modules.dep",
		  "virtio.ko:\nvirtio-rng.ko: virtio.ko\nkvm.ko:\nkvm-amd.ko: kvm.ko\n");
	make_file(self->dir, "modules.builtin", "kernel/built_in.ko\n");
	make_file(self->dir, "virtio.ko", "\177ELF the virtio module");
	make_file(self->dir, "virtio-rng.ko", "\177ELF the rng module");
	make_file(self->dir, "kvm.ko", "\177ELF the kvm module");
	make_file(self->dir, "kvm-amd.ko", "\177ELF the other kvm module");
	make_file(self->dir, "busybox", "a box");
	cpio_begin(&self->cpio, malloc(ARCHIVE_MAX), ARCHIVE_MAX);
	self->spec = (struct guest_spec){.modules_dir = self->dir, .env = env, .argv = argv};
}

FIXTURE_TEARDOWN(guest)
{
	static const char *const names[] = {"modules.dep",   "modules.builtin", "virtio.ko",
					    "virtio-rng.ko", "kvm.ko",		"kvm-amd.ko",
					    "busybox"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s/%s", self->dir, names[i]);
		unlink(path);
	}
	rmdir(self->dir);
	free(self->cpio.buf);
}

#define EXPECT_CONFIG(expected)                                                                    \
	do {                                                                                       \
		EXPECT_TRUE(find(&entry, &self->cpio, GUEST_CONFIG_PATH));                         \
		EXPECT_EQ(sizeof(expected) - 1, entry.size);                                       \
		EXPECT_EQ(0, memcmp(expected, entry.data, sizeof(expected) - 1));                  \
	} while (0)

TEST_F(guest, the_least)
{
	struct entry entry;

	ASSERT_EQ(0, guest_write(&self->cpio, &self->spec, &self->why))
	{
		TH_LOG("%s", self->why.text);
	}
	ASSERT_EQ(0, cpio_end(&self->cpio));

	ASSERT_TRUE(find(&entry, &self->cpio, ".ninepin/init"));
	EXPECT_EQ(S_IFREG | 0700, entry.mode);
	EXPECT_EQ(guest_init_end - guest_init, entry.size);
	EXPECT_EQ(0, memcmp(guest_init, entry.data, entry.size));
	EXPECT_EQ(0, memcmp(guest_init, "\177ELF", 4));
	ASSERT_TRUE(find(&entry, &self->cpio, ".ninepin"));
	EXPECT_EQ(S_IFDIR | 0700, entry.mode);
	ASSERT_TRUE(find(&entry, &self->cpio, "dev/console"));
	EXPECT_EQ(S_IFCHR | 0600, entry.mode);
	EXPECT_EQ(5, entry.rmajor);
	EXPECT_EQ(1, entry.rminor);
	EXPECT_FALSE(find(&entry, &self->cpio, "bin/busybox"));
	EXPECT_CONFIG("env=PATH=/bin\0env=A=b c\0arg=sh\0arg=-c\0arg=echo \"a b\"\0arg=\0");
}

TEST_F(guest, everything)
{
	static const struct guest_mount root = {"rootfs", "9p", NULL, "ro,msize=1"};
	static const struct guest_mount mounts[] = {{"src", "9p", "/mnt/a=b", NULL},
						    {"/dev/vda", "ext4", "/x", "noatime"}};
	static const char *const modules[] = {"virtio_rng", "built-in", "missing?",
					      "kvm halt_poll_ns=0 a=1", "kvm-amd"};
	static const uint32_t groups[] = {1001, 5, 4294967294};
	static const struct guest_user user = {1000, 1001, groups, 3};
	struct entry entry;
	char busybox[256];

	snprintf(busybox, sizeof(busybox), "%s/busybox", self->dir);
	self->spec.modules = modules;
	self->spec.nmodules = 5;
	self->spec.root = &root;
	self->spec.overlay = true;
	self->spec.layer = "/.ninepin/layer";
	self->spec.busybox = busybox;
	self->spec.mounts = mounts;
	self->spec.nmounts = 2;
	self->spec.hostname = "h";
	self->spec.cwd = "/x";
	self->spec.user = &user;
	self->spec.tty = true;
	self->spec.rows = 24;
	self->spec.columns = 80;
	ASSERT_EQ(0, guest_write(&self->cpio, &self->spec, &self->why))
	{
		TH_LOG("%s", self->why.text);
	}
	ASSERT_EQ(0, cpio_end(&self->cpio));

	ASSERT_TRUE(find(&entry, &self->cpio, ".ninepin/modules/virtio_rng.ko"));
	EXPECT_EQ(0, memcmp("\177ELF the rng module", entry.data, entry.size));
	ASSERT_TRUE(find(&entry, &self->cpio, ".ninepin/modules/kvm_amd.ko"));
	EXPECT_EQ(0, memcmp("\177ELF the other kvm module", entry.data, entry.size));
	ASSERT_TRUE(find(&entry, &self->cpio, "bin/busybox"));
	EXPECT_EQ(S_IFREG | 0755, entry.mode);
	EXPECT_EQ(0, memcmp("a box", entry.data, entry.size));
	EXPECT_CONFIG("module=/.ninepin/modules/virtio.ko\0"
		      "module=/.ninepin/modules/virtio_rng.ko\0"
		      "module=/.ninepin/modules/kvm.ko halt_poll_ns=0 a=1\0"
		      "module=/.ninepin/modules/kvm_amd.ko\0"
		      "root.source=rootfs\0root.type=9p\0root.options=ro,msize=1\0"
		      "root.overlay=1\0root.layer=/.ninepin/layer\0busybox=1\0"
		      "mount.source=src\0mount.type=9p\0mount.path=/mnt/a=b\0mount.options=\0"
		      "mount.source=/dev/vda\0mount.type=ext4\0mount.path=/x\0"
		      "mount.options=noatime\0"
		      "hostname=h\0cwd=/x\0env=PATH=/bin\0env=A=b c\0"
		      "user=1000:1001:1001:5:4294967294\0tty=24x80\0"
		      "arg=sh\0arg=-c\0arg=echo \"a b\"\0arg=\0");
}

TEST_F(guest, a_missing_module_is_named)
{
	static const char *const modules[] = {"virtio_rng", "nosuch a=1"};

	self->spec.modules = modules;
	self->spec.nmodules = 2;
	EXPECT_EQ(-ENOENT, guest_write(&self->cpio, &self->spec, &self->why));
	EXPECT_NE(NULL, strstr(self->why.text, "nosuch"));
	EXPECT_EQ(NULL, strstr(self->why.text, "a=1"));
}

TEST_F(guest, a_missing_busybox_is_named)
{
	self->spec.busybox = "/nosuch/busybox";
	EXPECT_EQ(-ENOENT, guest_write(&self->cpio, &self->spec, &self->why));
	EXPECT_NE(NULL, strstr(self->why.text, "/nosuch/busybox"));
}

TEST_F(guest, memory_that_is_too_small_is_said)
{
	self->cpio.cap = 20000;
	EXPECT_EQ(-ENOSPC, guest_write(&self->cpio, &self->spec, &self->why));
	EXPECT_NE(NULL, strstr(self->why.text, "--mem"));
}

TEST_F(guest, what_cannot_be_written_down_is_refused)
{
	static const char *const none[] = {NULL};
	static const uint32_t groups[GUEST_MAX_GROUPS + 1];
	struct guest_user user = {1, 1, groups, GUEST_MAX_GROUPS + 1};
	const char **words = calloc(GUEST_MAX_WORDS + 2, sizeof(*words));

	self->spec.argv = none;
	EXPECT_EQ(-EINVAL, guest_write(&self->cpio, &self->spec, &self->why));

	for (int i = 0; i <= GUEST_MAX_WORDS; i++)
		words[i] = "x";
	self->spec.argv = words;
	EXPECT_EQ(-EINVAL, guest_write(&self->cpio, &self->spec, &self->why));
	EXPECT_NE(NULL, strstr(self->why.text, "4096"));
	words[GUEST_MAX_WORDS] = NULL;
	EXPECT_EQ(0, guest_write(&self->cpio, &self->spec, &self->why));

	self->spec.argv = argv;
	self->spec.user = &user;
	EXPECT_EQ(-EINVAL, guest_write(&self->cpio, &self->spec, &self->why));
	user.ngroups--;
	EXPECT_EQ(0, guest_write(&self->cpio, &self->spec, &self->why));

	self->spec.nmounts = GUEST_MAX_MOUNTS + 1;
	EXPECT_EQ(-EINVAL, guest_write(&self->cpio, &self->spec, &self->why));
	free(words);
}

/* Like snprintf(): the size is told whatever the buffer, which is never written beyond. */
TEST_F(guest, orders_are_cut_at_the_buffers_end)
{
	char buf[64];
	int need = guest_config(NULL, 0, &self->spec, NULL, 0, &self->why);

	ASSERT_LT(10, need);
	for (int cap = 0; cap <= need; cap++) {
		memset(buf, '#', sizeof(buf));
		EXPECT_EQ(need, guest_config(buf, cap, &self->spec, NULL, 0, &self->why));
		EXPECT_EQ('#', buf[cap]);
		EXPECT_EQ(NULL, memchr(buf, '#', cap));
	}
}

TEST_HARNESS_MAIN
