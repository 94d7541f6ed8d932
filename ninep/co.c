// SPDX-License-Identifier: MIT
#include "ninep/co.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

/* What gcc says by these macros, clang says in its own way. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#elif __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_SIZE (256u << 10) /* their frames are larger */
#else
#define STACK_SIZE (32u << 10)
#endif
#define GUARD_SIZE (4u << 10)

void p9_co_switch(void **save_sp, void *load_sp);
void p9_co_start(void);
void p9_co_main(struct p9_co *co);

#if defined(__SANITIZE_THREAD__)
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned int flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned int flags);
#endif

/* The address sanitizer wants to know both stacks, and keeps a shadow of frames for each. */
static inline void leave(void **fake_stack, const void *bottom, size_t size)
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_start_switch_fiber(fake_stack, bottom, size);
#else
	(void)fake_stack, (void)bottom, (void)size;
#endif
}

static inline void arrive(void *fake_stack, const void **from_bottom, size_t *from_size)
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(fake_stack, from_bottom, from_size);
#else
	(void)fake_stack, (void)from_bottom, (void)from_size;
#endif
}

int p9_co_init(struct p9_co *co, void (*fn)(void *arg), void *arg)
{
	void **sp;
	uint8_t *map = mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return -ENOMEM;
	if (mprotect(map + GUARD_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE)) {
		munmap(map, GUARD_SIZE + STACK_SIZE);
		return -ENOMEM;
	}
	/*
	 * What p9_co_switch() pops: r15 r14 r13 r12 rbx rbp and the return address; two words more
	 * leave the stack aligned as a call wants it.
	 */
	sp = (void **)(void *)(map + GUARD_SIZE + STACK_SIZE) - 9;
	sp[3] = co;
	sp[6] = (void *)(uintptr_t)p9_co_start;
	*co = (struct p9_co){.sp = sp, .map = map, .fn = fn, .arg = arg};
#if defined(__SANITIZE_THREAD__)
	co->fiber = __tsan_create_fiber(0);
#endif
	return 0;
}

void p9_co_destroy(struct p9_co *co)
{
	if (!co->map)
		return;
#if defined(__SANITIZE_THREAD__)
	__tsan_destroy_fiber(co->fiber);
#endif
	munmap(co->map, GUARD_SIZE + STACK_SIZE);
	co->map = NULL;
}

/* Never returns: a coroutine that is done waits to be called again, on the same stack. */
void p9_co_main(struct p9_co *co)
{
	arrive(NULL, &co->caller_bottom, &co->caller_size);
	for (;;) {
		co->fn(co->arg);
		co->done = true;
		p9_co_wait(co);
	}
}

__attribute__((noinline)) void p9_co_resume(struct p9_co *co)
{
	void *fake_stack = NULL;

	co->done = false;
	leave(&fake_stack, (uint8_t *)co->map + GUARD_SIZE, STACK_SIZE);
#if defined(__SANITIZE_THREAD__)
	co->caller_fiber = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(co->fiber, 0);
#endif
	p9_co_switch(&co->caller_sp, co->sp);
	arrive(fake_stack, NULL, NULL);
}

__attribute__((noinline)) void p9_co_wait(struct p9_co *co)
{
	leave(&co->fake_stack, co->caller_bottom, co->caller_size);
#if defined(__SANITIZE_THREAD__)
	__tsan_switch_to_fiber(co->caller_fiber, 0);
#endif
	p9_co_switch(&co->sp, co->caller_sp);
	arrive(co->fake_stack, &co->caller_bottom, &co->caller_size);
}
