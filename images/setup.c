// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "images/init.h"

#define NEW_ROOT  "/" GUEST_DIR "/root"
#define LOWER_DIR "/" GUEST_DIR "/lower"
#define UPPER_DIR "/" GUEST_DIR "/upper"

/* Makes a folder and those above it. */
static int make_dirs(const char *path)
{
	char part[PATH_MAX];

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (char *slash = part + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return -1;
	}
	return mkdir(part, 0755) && errno != EEXIST ? -1 : 0;
}

/* The option that a kernel without this file system was built without. */
static const char *option_of(const char *type)
{
	static const struct {
		const char *type;
		const char *option;
	} options[] = {
		{"devtmpfs", "CONFIG_DEVTMPFS"}, {"proc", "CONFIG_PROC_FS"},
		{"sysfs", "CONFIG_SYSFS"},	 {"devpts", "CONFIG_UNIX98_PTYS"},
		{"tmpfs", "CONFIG_TMPFS"},	 {"9p", "CONFIG_9P_FS"},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(options[i].type, type))
			return options[i].option;
	return "an option";
}

/* A file system of the kernel's own. */
static int mount_kernel_fs(const char *type, const char *path, unsigned long flags,
			   const char *options)
{
	if (make_dirs(path))
		return fail("cannot make %s in the guest: %s", path, strerror(errno));
	if (!mount(type, path, type, flags, options) || errno == EBUSY)
		return 0;
	if (errno == ENODEV)
		return fail("the guest kernel lacks %s: use one that was built with it", option_of(type));
	return fail("cannot mount %s on %s in the guest: %s", type, path, strerror(errno));
}

int setup_early(void)
{
	chmod("/", 0755); /* an initramfs begins as a tmpfs that anyone may write to */
	if (mount_kernel_fs("devtmpfs", "/dev", MS_NOSUID, "mode=0755") ||
	    mount_kernel_fs("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) ||
	    mount_kernel_fs("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return -1;
	return 0;
}

/* ---- modules ---- */

static int load_module(const char *order)
{
	const char *params = strchr(order, ' ');
	char path[PATH_MAX];
	int fd, err;

	snprintf(path, sizeof(path), "%.*s", params ? (int)(params - order) : INT_MAX, order);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail("the initramfs has no readable module %s: %s", path, strerror(errno));
	err = syscall(SYS_finit_module, fd, params ? params + 1 : "", 0) ? errno : 0;
	close(fd);
	if (err && err != EEXIST)
		return fail("the guest kernel does not load %s: %s; are the modules of another "
			    "kernel?",
			    path, strerror(err));
	unlink(path); /* it is memory of the guest */
	return 0;
}

int setup_modules(void)
{
	int ret = 0;

	for (size_t i = 0; i < config.nmodules; i++)
		ret |= load_module(config.module[i]);
	return ret;
}

/* ---- mounts ---- */

static const struct {
	const char *word;
	unsigned long set;
	unsigned long clear;
} mount_flags[] = {
	{"ro", MS_RDONLY, 0},	      {"rw", 0, MS_RDONLY},
	{"nosuid", MS_NOSUID, 0},     {"suid", 0, MS_NOSUID},
	{"nodev", MS_NODEV, 0},	      {"dev", 0, MS_NODEV},
	{"noexec", MS_NOEXEC, 0},     {"exec", 0, MS_NOEXEC},
	{"noatime", MS_NOATIME, 0},   {"nodiratime", MS_NODIRATIME, 0},
	{"relatime", MS_RELATIME, 0}, {"strictatime", MS_STRICTATIME, 0},
	{"sync", MS_SYNCHRONOUS, 0},  {"dirsync", MS_DIRSYNC, 0},
};

/* Takes the words that mount(2) wants as flags out of the options. */
static unsigned long take_flags(char *options)
{
	unsigned long flags = 0;
	char *to = options;

	for (char *word = options, *next; word; word = next) {
		size_t i, n = sizeof(mount_flags) / sizeof(mount_flags[0]);

		next = strchr(word, ',');
		if (next)
			*next++ = '\0';
		for (i = 0; i < n && strcmp(word, mount_flags[i].word); i++)
			;
		if (i < n) {
			flags = (flags | mount_flags[i].set) & ~mount_flags[i].clear;
		} else if (*word) {
			size_t len = strlen(word);

			if (to != options)
				*to++ = ',';
			memmove(to, word, len);
			to += len;
		}
	}
	*to = '\0';
	return flags;
}

/* Whether one of the options is just this. */
static bool has_word(const char *options, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = options; (at = strstr(at, word)); at += len)
		if ((at == options || at[-1] == ',') && (!at[len] || at[len] == ','))
			return true;
	return false;
}

static int mount_order(const struct mount_order *order, const char *path, unsigned long flags)
{
	char options[4096];

	if (!order->type)
		return fail("orders for the guest's init: the mount of %s has no type",
			    order->source);
	if (snprintf(options, sizeof(options), "%s", order->options ? order->options : "") >=
	    (int)sizeof(options))
		return fail("the mount options of %s are too long", path);
	flags |= take_flags(options);
	if (!mount(order->source, path, order->type, flags, options))
		return 0;
	if (errno == ENODEV)
		return fail("the guest kernel has no file system %s (%s), which %s needs: use a kernel "
			    "that has it, or give its modules with --modules",
			    order->type, option_of(order->type), path);
	if (errno == ENOENT && !strcmp(order->type, "9p"))
		return fail("the guest has no 9P device with the tag %s", order->source);
	if (errno == EINVAL && !strcmp(order->type, "9p")) {
		if (access("/sys/bus/virtio/drivers/9pnet_virtio", F_OK))
			return fail("the guest kernel has no 9P over virtio (CONFIG_NET_9P_VIRTIO), which %s "
				    "needs: use a kernel that has it, or give its modules with --modules",
				    path);
		if (has_word(options, "cache=readahead"))
			return fail("the guest kernel refuses to mount %s: cache=readahead needs Linux "
				    "6.4 or later: use cache=mmap, or another kernel",
				    path);
		return fail("the guest kernel refuses to mount %s: leave out the option that it does "
			    "not know: '%s'",
			    path, options);
	}
	return fail("the guest cannot mount %s (%s) on %s: %s (options '%s')", order->source,
		    order->type, path, strerror(errno), options);
}

static int mount_overlay(void)
{
	char options[PATH_MAX + 256];

	if (mount_kernel_fs("tmpfs", UPPER_DIR, 0, "mode=0755") || make_dirs(UPPER_DIR "/upper") ||
	    make_dirs(UPPER_DIR "/work"))
		return fail("cannot make the overlay's folders: %s", strerror(errno));
	snprintf(options, sizeof(options), "lowerdir=%s%s%s,upperdir=%s,workdir=%s",
		 config.layer ? config.layer : "", config.layer ? ":" : "", LOWER_DIR,
		 UPPER_DIR "/upper", UPPER_DIR "/work");
	if (!mount("overlay", NEW_ROOT, "overlay", 0, options))
		return 0;
	if (errno == ENODEV)
		return fail("the guest kernel has no overlayfs (CONFIG_OVERLAY_FS): use --root busybox, "
			    "or a kernel that has it");
	return fail("the guest cannot mount an overlay over the root: %s (options '%s')",
		    strerror(errno), options);
}

/* Mounts the root beside the initramfs and goes there. */
static int enter_root(void)
{
	static const char *const kernel_fs[] = {"/dev", "/proc", "/sys"};

	if (make_dirs(NEW_ROOT) || make_dirs(LOWER_DIR))
		return fail("cannot make %s in the guest: %s", NEW_ROOT, strerror(errno));
	if (config.overlay) {
		if (mount_order(&config.root, LOWER_DIR, MS_RDONLY) || mount_overlay())
			return -1;
	} else if (mount_order(&config.root, NEW_ROOT, 0)) {
		return -1;
	}

	for (size_t i = 0; i < sizeof(kernel_fs) / sizeof(kernel_fs[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), NEW_ROOT "%s", kernel_fs[i]);
		if (make_dirs(path))
			return fail("the guest's root has no %s, which cannot be made: %s: make it, or "
				    "leave out rw",
				    kernel_fs[i], strerror(errno));
		if (mount(kernel_fs[i], path, NULL, MS_MOVE, NULL))
			return fail("the guest's root cannot take %s: %s", kernel_fs[i],
				    strerror(errno));
	}
	/* Not pivot_root(2): an initramfs cannot be unmounted. */
	if (chdir(NEW_ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		return fail("the guest cannot enter its root: %s", strerror(errno));
	return 0;
}

/* ---- the rest of what a command expects ---- */

static int mount_usual(void)
{
	if (mount_kernel_fs("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC,
			    "mode=0620,ptmxmode=0666,gid=5") ||
	    mount_kernel_fs("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777"))
		return -1;
	/* An initramfs is memory already, and somebody may have put files there. */
	if (config.root.source &&
	    (mount_kernel_fs("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755") ||
	     mount_kernel_fs("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777")))
		return -1;
	if (!config.root.source &&
	    (make_dirs("/run") || make_dirs("/tmp") || chmod("/tmp", 01777)))
		return fail("cannot make /run and /tmp in the guest: %s", strerror(errno));
	/* Shells and scripts rely on these; devtmpfs does not make them. */
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	return 0;
}

static int install_busybox(void)
{
	static const char *const dirs[] = {"/bin", "/sbin", "/usr/bin", "/usr/sbin"};
	pid_t pid;
	int status = 0;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (make_dirs(dirs[i]))
			return fail("cannot make %s in the guest: %s", dirs[i], strerror(errno));
	}
	pid = fork();
	if (!pid) {
		execl("/bin/busybox", "busybox", "--install", "-s", (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return fail("/bin/busybox in the guest does not install its applets: is it a "
			    "static busybox?");
	return 0;
}

/* Without the loopback interface, tests of anything that talks to localhost fail. */
static void raise_loopback(void)
{
	struct ifreq ifr = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return; /* a kernel without a network */
	if (!ioctl(fd, SIOCGIFFLAGS, &ifr)) {
		ifr.ifr_flags |= IFF_UP;
		ioctl(fd, SIOCSIFFLAGS, &ifr);
	}
	close(fd);
}

/* A command can do without, so that no failure counts. */
static void make_home(void)
{
	struct stat st;

	if (!config.home || !lstat(config.home, &st) || errno != ENOENT || make_dirs(config.home))
		return;
	chmod(config.home, 0700);
	chown(config.home, config.uid, config.gid);
}

int setup_root(void)
{
	if (config.root.source && enter_root())
		return -1;
	if (mount_usual() || (config.busybox && install_busybox()))
		return -1;
	for (size_t i = 0; i < config.nmounts; i++) {
		const struct mount_order *order = &config.mount[i];

		if (!order->path || order->path[0] != '/')
			return fail("orders for the guest's init: the mount of %s has no path",
				    order->source);
		if (make_dirs(order->path))
			return fail("cannot make the mount point %s in the guest: %s", order->path,
				    strerror(errno));
		if (mount_order(order, order->path, 0))
			return -1;
	}
	if (config.hostname)
		sethostname(config.hostname, strlen(config.hostname));
	raise_loopback();
	make_home();
	if (config.cwd && (chdir(config.cwd) || chdir("/")))
		return fail("the guest cannot enter %s, where the command is to start: %s",
			    config.cwd, strerror(errno));
	return 0;
}

/*
 * With access=UID, a mount lets in that user only, and not even root. Acting as another takes
 * capabilities, which are wanted all the same: the folder may be one that the user cannot list.
 */
static bool act_as_its_user(const char *options)
{
	/* capget(2), its version 3: musl has no names for these. */
	struct {
		uint32_t version;
		int pid;
	} header = {.version = 0x20080522};
	uint32_t caps[2][3];
	const char *access = options ? strstr(options, "access=") : NULL;

	access = access ? access + strlen("access=") : "";
	if (*access < '0' || *access > '9' || syscall(SYS_capget, &header, caps[0]))
		return false;
	setfsuid((uid_t)strtoul(access, NULL, 10));
	syscall(SYS_capset, &header, caps[0]);
	return true;
}

static int flush_mount(const struct mount_order *order)
{
	const char *path = order->path;
	bool other = act_as_its_user(order->options);
	int fd, err;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = fd < 0 || syncfs(fd) ? errno : 0;
	setfsuid(0);
	if (fd >= 0)
		close(fd);
	/* The host may refuse to list it, to that user: then it is not known, and no failure. */
	if (fd < 0 && other && err == EACCES)
		return 0;
	return err ? fail("%s did not take all that was written: %s", path, strerror(err)) : 0;
}

int setup_flush(void)
{
	int ret = 0;

	if (chdir("/"))
		return fail("the guest cannot leave its shares: %s", strerror(errno));
	for (size_t i = config.nmounts; i-- > 0;) {
		if (!config.mount[i].path)
			continue;
		if (flush_mount(&config.mount[i]))
			ret = -1;
		umount2(config.mount[i].path, 0);
	}
	if (config.root.source && !config.overlay &&
	    flush_mount(&(struct mount_order){.path = "/", .options = config.root.options}))
		ret = -1;
	sync();
	return ret;
}
