// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "images/config.h"
#include "tests/host/hostrun.h"
#include "vmm/guest.h"

/* The archive grows in a mapping of this size; only what is written takes memory. */
#define ARCHIVE_MAX  (4ull << 30)
#define SCRATCH_SIZE (1ll << 30)
#define LAYER	     GUEST_DIR "/layer"
/* Nobody but us writes there while the machine runs, or it is known to be read only: a cache. */
#define ROOT_OPTIONS  "trans=virtio,version=9p2000.L,msize=512000,access=user,cache=loose"
#define SHARE_OPTIONS "trans=virtio,version=9p2000.L,msize=512000,access=user,cache=mmap"
#define PATH_ENV      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What the emulated host itself loads. crc32c is ext4's, which modules.dep does not tell. */
static const char *const host_modules[] = {
	"virtio_pci",	   "virtio_console", "virtio_blk", "virtio_rng",
	"crc32c_generic?", "ext4",	     "9p",	   "9pnet_virtio",
	"9pnet_fd",	   "overlay",	     "irqbypass",  "ccp",
};

/* What a guest of ninepin may load. */
static const char *const guest_modules[] = {
	"virtio_mmio", "virtio_console", "virtio_rng?", "pvpanic_mmio?", "9p", "9pnet_virtio", "overlay?",
};

extern char **environ;

int run_program(const char *const argv[], char **text)
{
	posix_spawn_file_actions_t actions;
	char *buf = NULL;
	size_t len = 0, cap = 0;
	int fds[2], status;
	pid_t pid;
	int err;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 2);
	err = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	while (!err) {
		ssize_t n;

		if (cap - len < 4097) {
			char *more = realloc(buf, cap + 16384);

			if (!more)
				break;
			buf = more;
			cap += 16384;
		}
		n = read(fds[0], buf + len, cap - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fds[0]);
	if (err) {
		free(buf);
		return -err;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (buf)
		buf[len] = '\0';
	if (text)
		*text = buf;
	else
		free(buf);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The one folder in BUILD/kernel/lib/modules. */
static int find_version(const struct options *options, char *version, size_t size, struct why *why)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/kernel/lib/modules", options->build);
	dir = opendir(path);
	*version = '\0';
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			snprintf(version, size, "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return *version ? 0
			: why_fail(why, -ENOENT,
				   "%s has no kernel modules: remove %s/kernel, "
				   "and make fetches them again",
				   path, options->build);
}

/* The guest's kernel, where a distribution has it. */
static int add_kernel(struct archive *archive, const struct options *options, const char *version,
		      struct why *why)
{
	static const char *const indexes[] = { "modules.dep", "modules.dep.bin", "modules.builtin" };
	struct module_list list;
	char tree[PATH_MAX / 2], from[PATH_MAX], to[PATH_MAX];
	int ret;

	snprintf(tree, sizeof(tree), "%s/kernel/lib/modules/%s", options->build, version);
	ret = modules_resolve(&list, tree, guest_modules,
			      sizeof(guest_modules) / sizeof(guest_modules[0]), why);
	if (ret)
		return ret;
	for (size_t i = 0; i < list.n && !ret; i++) {
		snprintf(to, sizeof(to), "/usr/lib/modules/%s%s", version,
			 list.path[i] + strlen(tree));
		ret = archive_add(archive, list.path[i], to, why);
	}
	module_list_free(&list);

	for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]) && !ret; i++) {
		snprintf(from, sizeof(from), "%s/%s", tree, indexes[i]);
		snprintf(to, sizeof(to), "/usr/lib/modules/%s/%s", version, indexes[i]);
		ret = archive_add(archive, from, to, why);
	}
	if (!ret) {
		snprintf(from, sizeof(from), "%s/kernel/vmlinux", options->build);
		snprintf(to, sizeof(to), "/usr/lib/modules/%s/vmlinuz", version);
		ret = archive_add(archive, from, to, why);
	}
	if (!ret) {
		snprintf(from, sizeof(from), "%s/kernel/boot/vmlinuz-%s", options->build, version);
		snprintf(to, sizeof(to), "/boot/vmlinuz-%s", version);
		ret = archive_add(archive, from, to, why);
	}
	return ret;
}

static int add_files(struct archive *archive, const struct options *options, const char *version,
		     struct why *why)
{
	char path[PATH_MAX];
	int ret = 0;

	if (options->root) {
		archive->prefix = LAYER "/";
		ret = archive_dir(archive, "/", why);
	} else {
		ret = archive_dir(archive, "/usr/lib", why);
		if (!ret)
			ret = archive_dir(archive, "/usr/lib64", why);
		if (!ret)
			ret = archive_symlink(archive, "/lib", "usr/lib", why);
		if (!ret)
			ret = archive_symlink(archive, "/lib64", "usr/lib64", why);
	}
	snprintf(path, sizeof(path), "%s/ninepin", options->build);
	if (!ret)
		ret = archive_add(archive, path, "/usr/local/bin/ninepin", why);
	if (!ret)
		ret = add_kernel(archive, options, version, why);
	for (size_t i = 0; i < options->nadds && !ret; i++)
		ret = archive_add(archive, options->add[i].file, options->add[i].path, why);
	return ret;
}

/* The guest's orders: see images/config.h. */
static int write_guest(struct cpio *cpio, const struct options *options, const char *version,
		       bool tty, unsigned int rows, unsigned int columns, struct why *why)
{
	static const struct guest_mount root = {"root", "9p", "/", ROOT_OPTIONS};
	static const char *const plain_kvm[] = {"kvm", "kvm_amd"};
	static const char *const counted_kvm[] = {"kvm lapic_timer_advance_ns=0 halt_poll_ns=0",
						  "kvm_amd"};
	const size_t n = sizeof(host_modules) / sizeof(host_modules[0]);
	const char *modules[sizeof(host_modules) / sizeof(host_modules[0]) + 2];
	struct guest_mount mounts[MAX_SHARES + 1] = {{"/dev/vda", "ext4", "/scratch", ""}};
	char tags[MAX_SHARES][16], term[128];
	const char *env[] = {PATH_ENV, "HOME=/root", tty ? term : NULL, NULL};
	char tree[PATH_MAX];
	struct guest_spec spec = {
		.modules_dir = tree,
		.modules = modules,
		.nmodules = n + 2,
		.root = options->root ? &root : NULL,
		.overlay = options->root,
		.layer = "/" LAYER,
		.busybox = options->root ? NULL : "/bin/busybox",
		.mounts = mounts,
		.nmounts = options->nshares + 1,
		.hostname = "emulated",
		.cwd = "/",
		.env = env,
		.argv = (const char *const *)options->argv,
		.tty = tty,
		.rows = rows,
		.columns = columns,
	};

	snprintf(tree, sizeof(tree), "%s/kernel/lib/modules/%s", options->build, version);
	snprintf(term, sizeof(term), "TERM=%s", getenv("TERM") ? getenv("TERM") : "linux");
	memcpy(modules, host_modules, sizeof(host_modules));
	memcpy(modules + n, options->icount ? counted_kvm : plain_kvm, sizeof(plain_kvm));
	for (size_t i = 0; i < options->nshares; i++) {
		const struct share *share = &options->share[i];

		snprintf(tags[i], sizeof(tags[i]), "share%zu", i);
		mounts[i + 1] = (struct guest_mount){
			.source = tags[i],
			.type = "9p",
			.path = share->path,
			.options = share->read_only ? ROOT_OPTIONS ",ro" : SHARE_OPTIONS,
		};
	}
	return guest_write(cpio, &spec, why);
}

int image_initramfs(const struct options *options, bool tty, unsigned int rows,
		    unsigned int columns, struct why *why)
{
	struct archive archive = {.prefix = ""};
	char version[256];
	void *buf;
	int ret, fd;

	fd = memfd_create("initramfs", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, ARCHIVE_MAX)) {
		ret = why_fail(why, -errno, "no memory for the initramfs: %s", strerror(errno));
		goto out;
	}
	buf = mmap(NULL, ARCHIVE_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (buf == MAP_FAILED) {
		ret = why_fail(why, -errno, "no memory for the initramfs: %s", strerror(errno));
		goto out;
	}
	cpio_begin(&archive.cpio, buf, ARCHIVE_MAX);
	ret = find_version(options, version, sizeof(version), why);
	if (!ret)
		ret = write_guest(&archive.cpio, options, version, tty, rows, columns, why);
	if (!ret)
		ret = add_files(&archive, options, version, why);
	if (!ret && cpio_end(&archive.cpio))
		ret = why_fail(why, archive.cpio.err,
			       "the files that --add names are too large: use --share");
	/* The kernel keeps the archive and what it unpacks at the same time. */
	if (!ret && archive.cpio.len > ((size_t)options->mem << 20) / 5 * 2)
		ret = why_fail(why, -ENOSPC,
			       "the files that --add names (%zu MiB in all) are too much for the "
			       "machine's %lu MiB: use --mem, or --share",
			       archive.cpio.len >> 20, options->mem);
	munmap(buf, ARCHIVE_MAX);
	if (!ret && ftruncate(fd, (off_t)archive.cpio.len))
		ret = why_fail(why, -errno, "the initramfs: %s", strerror(errno));
out:
	archive_free(&archive);
	if (ret && fd >= 0)
		close(fd);
	return ret ? ret : fd;
}

int image_scratch(struct why *why)
{
	const char *tmp = getenv("TMPDIR");
	char template[PATH_MAX], path[64], *text = NULL;
	const char *argv[] = {"mkfs.ext4",	    "-q", "-F", "-m", "0", "-E",
			      "lazy_itable_init=1", path, NULL};
	int fd, ret;

	snprintf(template, sizeof(template), "%s/ninepin-scratch.XXXXXX", tmp ? tmp : "/tmp");
	fd = mkostemp(template, O_CLOEXEC);
	if (fd < 0)
		return why_fail(why, -errno, "the scratch disk %s: %s", template, strerror(errno));
	/* Without a name, it goes away however we end. */
	unlink(template);
	if (ftruncate(fd, SCRATCH_SIZE)) {
		ret = why_fail(why, -errno, "the scratch disk in %s: %s", tmp ? tmp : "/tmp",
			       strerror(errno));
		goto out;
	}
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	ret = run_program(argv, &text);
	if (ret < 0)
		why_fail(why, ret, "mkfs.ext4 cannot be started: %s; install the package e2fsprogs",
			 strerror(-ret));
	else if (ret > 0)
		ret = why_fail(why, -EIO, "mkfs.ext4 failed: %s", text ? text : "");
out:
	free(text);
	if (ret)
		close(fd);
	return ret ? ret : fd;
}
