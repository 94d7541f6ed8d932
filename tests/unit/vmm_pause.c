// SPDX-License-Identifier: MIT
/* Pausing, with threads that only pretend to run a guest. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vmm/vm.h"

#define CPUS 4

FIXTURE(pause)
{
	struct vm vm;
	struct kvm_run run[CPUS];
	int done_fd;
	_Atomic unsigned long turns[CPUS];
	bool all;
};

static void done(void *arg)
{
	FIXTURE_DATA(pause) *self = arg;
	uint64_t one = 1;

	(void)!write(self->done_fd, &one, sizeof(one));
}

static void nothing(int sig)
{
}

/* As vcpu_loop() does it, where KVM_RUN returns at once if immediate_exit is set. */
static void *pretend(void *arg)
{
	struct vcpu *vcpu = arg;
	FIXTURE_DATA(pause) *self = vcpu->vm->debug_arg;

	while (!atomic_load(&vcpu->vm->stop)) {
		if (!__atomic_load_n(&vcpu->run->immediate_exit, __ATOMIC_SEQ_CST))
			atomic_fetch_add(&self->turns[vcpu->id], 1);
		else if (atomic_load(&vcpu->hold))
			vcpu_park(vcpu);
	}
	return NULL;
}

FIXTURE_SETUP(pause)
{
	memset(self, 0, sizeof(*self));
	signal(VCPU_PAUSE_SIGNAL, nothing);
	self->done_fd = eventfd(0, 0);
	self->vm.ncpus = CPUS;
	self->vm.pause.done = done;
	self->vm.pause.arg = self;
	self->vm.debug_arg = self;
	pthread_mutex_init(&self->vm.pause.lock, NULL);
	pthread_cond_init(&self->vm.pause.resumed, NULL);
	for (unsigned int i = 0; i < CPUS; i++)
		self->vm.vcpu[i] = (struct vcpu){ .vm = &self->vm, .id = i, .run = &self->run[i] };
}

static void start(FIXTURE_DATA(pause) *self)
{
	pthread_mutex_lock(&self->vm.pause.lock);
	for (unsigned int i = 0; i < CPUS; i++) {
		pthread_create(&self->vm.vcpu[i].thread, NULL, pretend, &self->vm.vcpu[i]);
		self->vm.vcpu[i].started = true;
	}
	pthread_mutex_unlock(&self->vm.pause.lock);
}

FIXTURE_TEARDOWN(pause)
{
	pthread_mutex_lock(&self->vm.pause.lock);
	atomic_store(&self->vm.stop, true);
	pthread_cond_broadcast(&self->vm.pause.resumed);
	pthread_mutex_unlock(&self->vm.pause.lock);
	for (unsigned int i = 0; i < CPUS; i++)
		pthread_join(self->vm.vcpu[i].thread, NULL);
	close(self->done_fd);
}

/* Until all are parked. Each pause tells of it once. */
static uint64_t wait_for_done(FIXTURE_DATA(pause) *self)
{
	uint64_t n = 0;

	(void)!read(self->done_fd, &n, sizeof(n));
	return n;
}

static void wait_for_turn(FIXTURE_DATA(pause) *self, unsigned int cpu)
{
	unsigned long was = atomic_load(&self->turns[cpu]);

	while (atomic_load(&self->turns[cpu]) == was)
		sched_yield();
}

TEST_F(pause, all_stand_still_and_go_on)
{
	start(self);
	for (int round = 0; round < 2000; round++) {
		unsigned long turns[CPUS];

		vm_pause(&self->vm);
		ASSERT_EQ(wait_for_done(self), 1);
		for (unsigned int i = 0; i < CPUS; i++) {
			ASSERT_TRUE(self->vm.vcpu[i].parked);
			turns[i] = atomic_load(&self->turns[i]);
		}
		sched_yield();
		for (unsigned int i = 0; i < CPUS; i++)
			ASSERT_EQ(atomic_load(&self->turns[i]), turns[i]);
		vm_resume(&self->vm, ~0ull);
	}
	for (unsigned int i = 0; i < CPUS; i++)
		wait_for_turn(self, i);
}

/* One at a time goes on, and asks for the next pause itself, as at a breakpoint. */
TEST_F(pause, one_goes_on)
{
	start(self);
	vm_pause(&self->vm);
	ASSERT_EQ(wait_for_done(self), 1);
	for (unsigned int round = 0; round < 2000; round++) {
		unsigned int cpu = round % CPUS, other = (round + 1) % CPUS;
		unsigned long was = atomic_load(&self->turns[other]);

		vm_resume(&self->vm, 1ull << cpu);
		if (round % 2)
			wait_for_turn(self, cpu);
		vm_pause(&self->vm);
		ASSERT_EQ(wait_for_done(self), 1);
		ASSERT_EQ(atomic_load(&self->turns[other]), was);
	}
}

TEST_F(pause, before_the_start)
{
	vm_pause(&self->vm);
	start(self);
	ASSERT_EQ(wait_for_done(self), 1);
	for (unsigned int i = 0; i < CPUS; i++)
		EXPECT_EQ(atomic_load(&self->turns[i]), 0);
	vm_resume(&self->vm, ~0ull);
	for (unsigned int i = 0; i < CPUS; i++)
		wait_for_turn(self, i);
}

/* Many ask at once, while the machine ends. */
TEST_F(pause, the_end_wakes_all)
{
	start(self);
	for (int round = 0; round < 100; round++)
		vm_pause(&self->vm);
}

TEST_HARNESS_MAIN
