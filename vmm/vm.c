// SPDX-License-Identifier: MIT
#include "vmm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define HUGE_PAGE (2ull << 20)

static const struct {
	int cap;
	const char *name;
} needed_caps[] = {
	{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP" },
	{ KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI" },
	{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
	{ KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR" },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM_CAP_SET_IDENTITY_MAP_ADDR" },
	{ KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
	{ KVM_CAP_PIT2, "KVM_CAP_PIT2" },
	{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" }, /* the youngest: Linux 4.13 */
};

/*
 * Whether the processor has virtualization instructions. There are KVMs that do without, in
 * software, and a stock kernel hangs on them: better to say so than to hang.
 */
bool vm_has_hardware(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char *line = NULL;
	size_t cap = 0;
	bool found = false;

	if (!f)
		return true; /* cannot tell */
	while (!found && getline(&line, &cap, f) > 0)
		if (!strncmp(line, "flags", 5))
			found = strstr(line, " vmx") || strstr(line, " svm");
	free(line);
	fclose(f);
	return found;
}

/* Root's group may have far more than this device, and only a group that may use it is worth joining. */
static int kvm_refused(struct why *why)
{
	struct stat st;

	if (stat("/dev/kvm", &st) == 0 && (st.st_mode & 060) == 060 && st.st_gid)
		return why_fail(why, -EACCES,
				"no permission on /dev/kvm: join its group, mostly kvm (sudo usermod "
				"-aG kvm \"$USER\"), then log in again");
	return why_fail(why, -EACCES,
			"no permission on /dev/kvm: sudo setfacl -m u:\"$USER\":rw /dev/kvm gives it "
			"to you, until the next boot");
}

static int open_kvm(struct vm *vm, bool software, struct why *why)
{
	int version;

	vm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0 && errno == ENOENT)
		return why_fail(why, -ENOENT,
				"/dev/kvm is not there: enable virtualization in the firmware and load "
				"kvm_intel or kvm_amd (`make run` works without, in an emulated host)");
	if (vm->kvm_fd < 0 && (errno == EACCES || errno == EPERM))
		return kvm_refused(why);
	if (vm->kvm_fd < 0)
		return why_fail(why, -errno, "/dev/kvm cannot be opened: %s", strerror(errno));
	if (!software && !vm_has_hardware())
		return why_fail(why, -ENOTSUP,
				"the KVM of this machine is not hardware's (no vmx or svm in "
				"/proc/cpuinfo) and cannot boot a stock kernel: use `make run`, which "
				"falls back to an emulated host, or a machine with virtualization");
	version = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION)
		return why_fail(why, -ENOTSUP,
				"the KVM of this kernel speaks API version %d, ninepin needs %d: use Linux "
				"5.6 or later",
				version, KVM_API_VERSION);
	for (size_t i = 0; i < sizeof(needed_caps) / sizeof(needed_caps[0]); i++)
		if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, needed_caps[i].cap) <= 0)
			return why_fail(why, -ENOTSUP,
					"the KVM of this kernel is too old, it lacks %s: use Linux 5.6 "
					"or later",
					needed_caps[i].name);
	return 0;
}

int vm_check(struct why *why)
{
	struct vm vm;
	int err = open_kvm(&vm, false, why);

	if (vm.kvm_fd >= 0)
		close(vm.kvm_fd);
	return err;
}

/*
 * Memory that begins at a huge page's boundary, as the guest's addresses do: else KVM cannot map a huge page
 * as one, and the guest's first touch of each 4 KiB is an exit. NULL and errno.
 */
static void *map_ram(uint64_t size)
{
	uint64_t skip;
	char *host;

	host = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (host == MAP_FAILED)
		return NULL;
	skip = -(uintptr_t)host & (HUGE_PAGE - 1);
	if (skip)
		munmap(host, skip);
	munmap(host + skip + size, HUGE_PAGE - skip);
	return host + skip;
}

static int add_ram(struct vm *vm, uint64_t gpa, uint64_t size, struct why *why)
{
	struct kvm_userspace_memory_region slot = {
		.slot = vm->mem.nregions,
		.guest_phys_addr = gpa,
		.memory_size = size,
	};
	void *host;

	host = map_ram(size);
	if (!host)
		return why_fail(why, -errno,
				"no address space for %llu MiB of guest memory (%s): give less with --mem",
				(unsigned long long)(size >> 20), strerror(errno));
	/* Not in core dumps: it is the guest's, and large. Huge pages are a wish, not a need. */
	madvise(host, size, MADV_DONTDUMP);
	madvise(host, size, MADV_HUGEPAGE);
	slot.userspace_addr = (uintptr_t)host;
	vm->mem.region[vm->mem.nregions++] = (struct gmem_region){
		.gpa = gpa,
		.size = size,
		.host = host,
	};
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return why_fail(why, -errno, "KVM refuses %llu MiB of guest memory: %s",
				(unsigned long long)(size >> 20), strerror(errno));
	return 0;
}

static int make_ram(struct vm *vm, uint64_t ram, struct why *why)
{
	uint64_t low = ram < VM_HOLE_START ? ram : VM_HOLE_START;
	struct sysinfo info;
	int err;

	if (ram < VM_MIN_RAM)
		return why_fail(why, -EINVAL, "--mem: %llu MiB is too small: give at least %llu",
				(unsigned long long)(ram >> 20),
				(unsigned long long)(VM_MIN_RAM >> 20));
	if (sysinfo(&info) == 0 && ram / info.mem_unit > info.totalram)
		return why_fail(why, -ENOMEM,
				"--mem: %llu MiB is more memory than the %llu MiB that this machine has: "
				"give less",
				(unsigned long long)(ram >> 20),
				(unsigned long long)info.totalram * info.mem_unit >> 20);
	err = add_ram(vm, 0, low, why);
	if (!err && ram > low)
		err = add_ram(vm, VM_HOLE_END, ram - low, why);
	return err;
}

/* ---- interrupts ---- */

/*
 * KVM delivers it there and then, in one call. Measured in instructions: 1140; an eventfd of KVM_IRQFD,
 * 1270; an edge on a line of KVM's own IOAPIC is two calls, up and down, and 2300.
 */
static void send_message(void *arg, uint32_t address, uint32_t data)
{
	const struct vm *vm = arg;
	struct kvm_msi msi = { .address_lo = address, .data = data };

	/* It fails for a message to nobody. */
	ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
}

void vm_irq(struct vm *vm, uint32_t gsi)
{
	ioapic_edge(&vm->ioapic, gsi);
}

void vm_isa_irq(struct vm *vm, uint32_t irq)
{
	struct kvm_irq_level line = { .irq = irq, .level = 1 };

	vm_irq(vm, irq);
	/* KVM's own IOAPIC is masked, and so are the 8259s' lines that a kernel takes elsewhere. */
	ioctl(vm->fd, KVM_IRQ_LINE, &line);
	line.level = 0;
	ioctl(vm->fd, KVM_IRQ_LINE, &line);
}

static void ioapic_bus_read(void *dev, uint64_t offset, void *data, unsigned int len)
{
	uint32_t value = ioapic_read(dev, offset);

	memset(data, 0, len);
	memcpy(data, &value, len < sizeof(value) ? len : sizeof(value));
}

static void ioapic_bus_write(void *dev, uint64_t offset, const void *data, unsigned int len)
{
	uint32_t value;

	if (len != sizeof(value))
		return;
	memcpy(&value, data, sizeof(value));
	ioapic_write(dev, offset, value);
}

static void add_ioapic(struct vm *vm)
{
	vm->ioapic.arg = vm;
	vm->ioapic.send = send_message;
	ioapic_init(&vm->ioapic);
	bus_add(&vm->mmio, &(struct bus_range){
		.base = VM_IOAPIC_BASE,
		.size = IOAPIC_SIZE,
		.dev = &vm->ioapic,
		.read = ioapic_bus_read,
		.write = ioapic_bus_write,
	});
}

/*
 * KVM's local interrupt controllers, and with them an IOAPIC and two 8259s that the guest is not told
 * of and only the serial port is connected to. KVM can leave these out (KVM_CAP_SPLIT_IRQCHIP), but then each
 * KVM_RUN takes longer, and there is no timer either.
 */
static int make_controllers(struct vm *vm, struct why *why)
{
	/* A kernel without KVM's clock calibrates the TSC with the timer, by way of port 0x61. It allows
	 * a few microseconds for a look at it: too few for coming to ninepin on a slow machine. */
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	uint64_t identity_map = VM_IDENTITY_MAP_ADDR;

	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, VM_TSS_ADDR) < 0 ||
	    ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0)
		return why_fail(why, -errno, "KVM cannot set up real mode: %s", strerror(errno));
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0 || ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0)
		return why_fail(why, -errno, "KVM cannot make interrupt controllers: %s",
				strerror(errno));
	add_ioapic(vm);
	return 0;
}

static int make_vcpu(struct vm *vm, unsigned int id, struct why *why)
{
	struct vcpu *vcpu = &vm->vcpu[id];

	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (vcpu->fd < 0)
		return why_fail(why, -errno, "KVM cannot make CPU %u: %s; give fewer with --cpus",
				id, strerror(errno));
	vcpu->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return why_fail(why, -errno, "KVM's state of CPU %u cannot be mapped: %s", id,
				strerror(errno));
	}
	return 0;
}

int vm_new(struct vm *vm, uint64_t ram, unsigned int ncpus, bool software, struct why *why)
{
	int size, err;

	memset(vm, 0, sizeof(*vm));
	vm->kvm_fd = -1;
	vm->fd = -1;
	for (unsigned int i = 0; i < PLATFORM_MAX_CPUS; i++)
		vm->vcpu[i].fd = -1;
	pthread_mutex_init(&vm->end_lock, NULL);
	pthread_mutex_init(&vm->pause.lock, NULL);
	pthread_cond_init(&vm->pause.resumed, NULL);

	err = open_kvm(vm, software, why);
	if (err)
		return err;
	vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return why_fail(why, -errno,
				"KVM cannot make a virtual machine: %s (does another hypervisor hold the "
				"processor?)",
				strerror(errno));
	err = make_ram(vm, ram, why);
	if (!err)
		err = make_controllers(vm, why);
	if (err)
		return err;
	size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run))
		return why_fail(why, -ENOTSUP, "KVM's CPU state has an impossible size: %d", size);
	vm->run_size = (size_t)size;
	for (unsigned int i = 0; i < ncpus; i++) {
		vm->ncpus = i + 1;
		err = make_vcpu(vm, i, why);
		if (err)
			return err;
	}
	return 0;
}

void vm_free(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		if (vm->vcpu[i].run)
			munmap(vm->vcpu[i].run, vm->run_size);
		if (vm->vcpu[i].fd >= 0)
			close(vm->vcpu[i].fd);
	}
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	for (unsigned int i = 0; i < vm->mem.nregions; i++)
		munmap(vm->mem.region[i].host, vm->mem.region[i].size);
	pthread_mutex_destroy(&vm->end_lock);
	pthread_mutex_destroy(&vm->pause.lock);
	pthread_cond_destroy(&vm->pause.resumed);
}

struct boot_mem vm_low_ram(const struct vm *vm)
{
	return (struct boot_mem){ .host = vm->mem.region[0].host, .size = vm->mem.region[0].size };
}

int vm_prepare(struct vm *vm, const struct boot_entry *entry, struct why *why)
{
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		int err = vcpu_setup(&vm->vcpu[i], i == 0 ? entry : NULL, why);

		if (err)
			return err;
	}
	return 0;
}

static void kicked(int sig)
{
	(void)sig;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", vcpu->id);
	pthread_setname_np(pthread_self(), name);
	vcpu_loop(vcpu);
	return NULL;
}

int vm_start(struct vm *vm, struct why *why)
{
	/* Without SA_RESTART: a vCPU thread that waits in a write must come back as well. */
	struct sigaction action = { .sa_handler = kicked };
	struct sigaction restart = { .sa_handler = kicked, .sa_flags = SA_RESTART };

	sigaction(VCPU_KICK_SIGNAL, &action, NULL);
	sigaction(VCPU_PAUSE_SIGNAL, &restart, NULL);
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		struct vcpu *vcpu = &vm->vcpu[i];
		int err;

		/* One that runs already may want to pause this one. */
		pthread_mutex_lock(&vm->pause.lock);
		err = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);
		vcpu->started = !err;
		pthread_mutex_unlock(&vm->pause.lock);
		if (err)
			return why_fail(why, -err, "no thread for CPU %u: %s", i, strerror(err));
	}
	return 0;
}

/* Of 20 ms each. A vCPU thread that serves a system call on a dead file server may not come back. */
#define STOP_TRIES 250

static struct timespec in_20_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 20 * 1000 * 1000;
	if (t.tv_nsec >= 1000 * 1000 * 1000) {
		t.tv_nsec -= 1000 * 1000 * 1000;
		t.tv_sec++;
	}
	return t;
}

bool vm_stop(struct vm *vm, void (*meanwhile)(void *arg), void *arg)
{
	unsigned int tries = STOP_TRIES;

	/* Under the lock: who is about to wait there has seen it, or is woken. */
	pthread_mutex_lock(&vm->pause.lock);
	atomic_store(&vm->stop, true);
	pthread_cond_broadcast(&vm->pause.resumed);
	pthread_mutex_unlock(&vm->pause.lock);
	/* All at once: one that still runs could keep another busy. */
	for (unsigned int i = 0; i < vm->ncpus; i++)
		/* Read by KVM_RUN at its start: a kick that comes before it is not lost. */
		if (vm->vcpu[i].started)
			__atomic_store_n(&vm->vcpu[i].run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < vm->ncpus; i++)
		if (vm->vcpu[i].started)
			pthread_kill(vm->vcpu[i].thread, VCPU_KICK_SIGNAL);
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		struct vcpu *vcpu = &vm->vcpu[i];
		struct timespec soon;

		if (!vcpu->started)
			continue;
		do {
			if (tries-- == 0)
				return false;
			/* Again each time: it may have gone into another blocking call. */
			pthread_kill(vcpu->thread, VCPU_KICK_SIGNAL);
			if (meanwhile)
				meanwhile(arg);
			soon = in_20_ms();
		} while (pthread_timedjoin_np(vcpu->thread, NULL, &soon) == ETIMEDOUT);
		vcpu->started = false;
	}
	return true;
}

/* Another CPU's lock is waited for so, too, but not for that long, and not by all. */
#define HALTED_LOOKS 3

bool vm_halted(struct vm *vm)
{
	unsigned int first = atomic_load(&vm->vcpu[0].halted);
	bool all = first >= HALTED_LOOKS;

	/* Where each finds itself when it comes back is seen at the next call. The others are left alone as
	 * long as the first one works. */
	for (unsigned int i = 0; i < vm->ncpus && (i == 0 || first); i++) {
		all &= atomic_load(&vm->vcpu[i].halted) >= HALTED_LOOKS;
		/* The one that leaves a system call alone which it makes for a device. */
		if (vm->vcpu[i].started)
			pthread_kill(vm->vcpu[i].thread, VCPU_PAUSE_SIGNAL);
	}
	return all;
}

void vm_set_end(struct vm *vm, enum vm_end end, const char *failure)
{
	bool first;

	pthread_mutex_lock(&vm->end_lock);
	first = vm->end == VM_RUNNING;
	if (first) {
		vm->end = end;
		if (failure)
			snprintf(vm->failure.text, sizeof(vm->failure.text), "%s", failure);
		atomic_store(&vm->stop, true);
	}
	pthread_mutex_unlock(&vm->end_lock);
	if (first && vm->on_end)
		vm->on_end(vm->on_end_arg);
}

enum vm_end vm_get_end(struct vm *vm)
{
	enum vm_end end;

	pthread_mutex_lock(&vm->end_lock);
	end = vm->end;
	pthread_mutex_unlock(&vm->end_lock);
	return end;
}
