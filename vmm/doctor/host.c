// SPDX-License-Identifier: MIT
#include "vmm/doctor/host.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/boot.h"
#include "vmm/doctor/access.h"
#include "vmm/kernels.h"
#include "vmm/vm.h"

#define KVM "/dev/kvm"

static const char *sudo(void)
{
	return geteuid() ? "sudo " : "";
}

/* ---- KVM ---- */

static void kvm_missing(struct findings *findings)
{
	struct finding *finding =
		findings_add(findings, "kvm-missing", LAYER_KVM, ENOENT, KVM, KVM " is not there");

	finding_command(finding, "%smodprobe kvm_intel || %smodprobe kvm_amd", sudo(), sudo());
	finding_advice(finding, "enable virtualization in the firmware, or for a VM in its host");
	finding_advice(finding, "`make run` works without, in an emulated host");
}

/* The device's file does not let the person in. */
static void kvm_refused(struct findings *findings, const struct place *place,
			const struct person *person)
{
	struct finding *finding =
		findings_add(findings, "kvm-permission", LAYER_KVM, EACCES, KVM,
			     "%s may not open " KVM ", which is %s:%s's with mode %o", person->name,
			     place->owner, place->group, place->mode & 07777);
	char *name = shell_word(person->name);
	char *group = shell_word(place->group);

	if (name)
		finding_command(finding, "%ssetfacl -m u:%s:rw " KVM "    # until the next boot",
				sudo(), name);
	/* Root's group may have far more than this device. */
	if (name && group && (place->mode & 060) == 060 && place->gid)
		finding_command(finding, "%susermod -aG %s %s    # then log in again", sudo(),
				group, name);
	free(name);
	free(group);
}

static void judge_kvm(struct subject *subject, const struct facts *facts,
		      const struct person *person)
{
	const struct place *place = &facts->place[facts->n - 1];
	struct finding *finding;
	struct why why;

	if (facts->err == -ENOENT) {
		kvm_missing(&subject->findings);
	} else if (!facts->err &&
		   !access_check(place, person, ACCESS_READ | ACCESS_WRITE).allowed) {
		kvm_refused(&subject->findings, place, person);
	} else if (!vm_has_hardware()) {
		finding = findings_add(&subject->findings, "kvm-software", LAYER_KVM, 0, KVM,
				       "this machine's KVM is a software one (no vmx or svm in "
				       "/proc/cpuinfo), which boots no stock kernel");
		finding_advice(finding, "`make run` falls back to an emulated host");
		finding_advice(finding,
			       "a machine with virtualization, or nesting switched on in its "
			       "own host");
	} else if (person->self && vm_check(&why)) {
		findings_add(&subject->findings, "kvm-unusable", LAYER_KVM, 0, KVM, "%s", why.text);
	} else {
		subject_say(&subject->good, "hardware's, and %s may use it", person->name);
	}
}

static int check_kvm(struct report *report, const struct facts_source *source,
		     const struct person *person)
{
	struct subject *subject = report_add(report, "kvm", KVM);
	struct facts facts = { 0 };
	int err = subject ? facts_gather(&facts, source, KVM, person->uid) : -ENOMEM;

	if (!err)
		judge_kvm(subject, &facts, person);
	facts_free(&facts);
	return err;
}

/* ---- io_uring ---- */

/* The kernel's own switch (Linux 6.6); 0 if there is none. */
static int uring_disabled(void)
{
	FILE *f = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int value = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%d", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

static int check_uring(struct report *report)
{
	struct subject *subject = report_add(report, "io_uring", "io_uring");
	struct io_uring ring;
	struct finding *finding;
	int err, disabled = uring_disabled();

	if (!subject)
		return -ENOMEM;
	err = io_uring_queue_init(8, &ring, 0);
	if (!err) {
		io_uring_queue_exit(&ring);
		subject_say(&subject->good, "allowed");
		return 0;
	}
	finding =
		findings_add(&subject->findings, "io_uring", LAYER_IO_URING, -err, "io_uring",
			     "it is refused here: ninepin reaches host files by system calls only, "
			     "which is slower where they wait");
	finding_note(finding);
	if (err == -EPERM && disabled)
		finding_command(finding, "%ssysctl kernel.io_uring_disabled=0", sudo());
	else if (err == -EPERM || err == -EACCES)
		finding_advice(finding, "in a container: a seccomp profile that allows "
					"io_uring_setup, io_uring_enter and io_uring_register");
	else if (err == -ENOMEM)
		finding_advice(finding, "a higher limit of locked memory: ulimit -l");
	else
		finding_advice(finding, "a kernel with CONFIG_IO_URING");
	return 0;
}

/* ---- the kernel ---- */

static void judge_modules(struct subject *subject, const struct kernel_choice *choice)
{
	static const char *const needed[] = { "virtio_mmio", "virtio_console", "9p",
					      "9pnet_virtio" };
	struct module_list list;
	struct finding *finding;
	struct why why;

	if (!choice->modules) {
		finding = findings_add(&subject->findings, "modules", LAYER_KERNEL, 0, choice->path,
				       "no modules of %s are found: it boots only if VIRTIO_MMIO, "
				       "VIRTIO_CONSOLE, NET_9P_VIRTIO and 9P_FS are built in",
				       choice->path);
		finding_note(finding);
		finding_advice(finding, "name them: ninepin run --modules DIR");
	} else if (modules_resolve(&list, choice->modules, needed,
				   sizeof(needed) / sizeof(needed[0]), &why)) {
		findings_add(&subject->findings, "modules", LAYER_KERNEL, 0, choice->modules, "%s",
			     why.text);
	} else {
		module_list_free(&list);
		subject_say(&subject->good, "%s, modules in %s", choice->path, choice->modules);
	}
}

static int check_kernel(struct report *report)
{
	struct subject *subject = report_add(report, "kernel", "kernel");
	struct kernel_choice choice;
	struct finding *finding;
	struct why why;
	int err;

	if (!subject)
		return -ENOMEM;
	err = kernel_choose(&choice, NULL, NULL, KERNEL_LOOK, &why);
	if (err)
		findings_add(&subject->findings, "kernel", LAYER_KERNEL, -err, "kernel", "%s",
			     why.text);
	else
		judge_modules(subject, &choice);
	if (!err && choice.note.text[0]) {
		finding = findings_add(&subject->findings, "kernel-passed-over", LAYER_KERNEL,
				       EACCES, "kernel", "%s", choice.note.text);
		finding_note(finding);
		subject_say(&subject->about, "%s", choice.path);
	}
	kernel_choice_free(&choice);
	return 0;
}

int host_check(struct report *report, const struct facts_source *source,
	       const struct person *person)
{
	int err = check_kvm(report, source, person);

	if (!err)
		err = check_uring(report);
	if (!err)
		err = check_kernel(report);
	return err;
}
