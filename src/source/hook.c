// SPDX-License-Identifier: Apache-2.0
/* hook.c - pthread_create, and thrd_create, which calls it inside libc */
#include "source/hook.h"

#include <pthread.h>
#include <stdatomic.h>
#include <threads.h>

#include "base/cost.h"
#include "base/on.h"
#include "base/os.h"
#include "base/slots.h"
#include "capture/labels.h"
#include "source/cpu.h"
#include "source/here.h"
#include "source/next.h"

pyro_child_fn *_Atomic pyro_on_child;
static _Atomic bool key_made;
static pthread_key_t exit_key;

PYRO_NEXT_SLOT(pthread_create);
PYRO_NEXT_SLOT(thrd_create);

static void release_self(struct pyro_thread *self)
{
	if (atomic_load(&self->tid) != pyro_gettid())
		return; /* a forked child's copy of the pointer */
	/* When the lock is not to be had, the scan releases it later. */
	if (!pyro_mutex_lock_for(&pyro_registry_lock, 10 * PYRO_NS_PER_MS))
		return;
	pyro_cpu_disarm(self);
	pyro_registry_release(self);
	pyro_mutex_unlock(&pyro_registry_lock);
}

/* The destructor of exit_key: runs when a thread returns, calls pthread_exit or
 * is cancelled. A signal that our timer has queued already finds that the entry
 * is not its thread's any more. */
static void on_thread_exit(void *arg)
{
	release_self(arg);
}

static void register_self(struct pyro_thread *self)
{
	/* announce() left the sizes there. */
	struct pyro_stack stack =
		pyro_stack_of_self(self->stack.lo, self->stack.hi);

	self->stack = stack;
	pyro_here_stack = stack;
	pyro_labels = self->labels;
	/* From here on the scan knows the thread, and arms it if this cannot. */
	atomic_store(&self->tid, pyro_gettid());
	atomic_store(&self->state, PYRO_THREAD_LIVE);
	if (!pyro_mutex_lock_for(&pyro_registry_lock, 100 * PYRO_NS_PER_MS))
		return;
	if (!self->armed && pyro_on_get() == PYRO_ON_YES)
		pyro_cpu_arm(self, pyro_gettid());
	pyro_cpu_unblock_signal();
	pyro_mutex_unlock(&pyro_registry_lock);
}

/* What is run instead of the program's function. In a section of its own, so that
 * its address range is known. */
#define TRAMPOLINE __attribute__((section("pyro_trampoline"), noinline)) static

TRAMPOLINE void *run_thread(void *arg)
{
	struct pyro_thread *self = arg;
	void *(*start)(void *) = self->start;
	void *start_arg = self->arg;

	pthread_setspecific(exit_key, self);
	register_self(self);
	return start(start_arg);
}

TRAMPOLINE int run_c11_thread(void *arg)
{
	struct pyro_thread *self = arg;
	int (*start)(void *) = self->start_c11;
	void *start_arg = self->arg;

	pthread_setspecific(exit_key, self);
	register_self(self);
	return start(start_arg);
}

/* The linker's, for the section's ends. */
extern const char __start_pyro_trampoline[]
	__attribute__((visibility("hidden")));
extern const char __stop_pyro_trampoline[]
	__attribute__((visibility("hidden")));

bool pyro_hook_is_trampoline(uint64_t pc)
{
	return pc >= (uintptr_t)__start_pyro_trampoline &&
	       pc < (uintptr_t)__stop_pyro_trampoline;
}

static struct pyro_thread *announce(const pthread_attr_t *attr)
{
	size_t size = 0, guard = 0;
	pthread_attr_t standard;

	if (!attr) {
		pthread_attr_init(&standard);
		attr = &standard;
	}
	pthread_attr_getstacksize(attr, &size);
	pthread_attr_getguardsize(attr, &guard);
	if (attr == &standard)
		pthread_attr_destroy(&standard);

	if (!pyro_mutex_lock_for(&pyro_registry_lock, PYRO_NS_PER_MS))
		return NULL;

	struct pyro_thread *t = pyro_registry_claim(PYRO_THREAD_STARTING);

	if (t) /* the sizes until the thread knows its addresses */
		t->stack = (struct pyro_stack){size, guard};
	pyro_mutex_unlock(&pyro_registry_lock);
	return t;
}

static _Atomic bool births;

void pyro_hook_births(bool on)
{
	atomic_store(&births, on);
}

/* Who creates it, unless so many do that others would find no room in the pool. */
static __attribute__((noinline)) void tell_birth(const struct pyro_thread *t,
						 void *caller)
{
	struct pyro_record *record;
	uint64_t began, mask;

	if (pyro_slots_are_crowded())
		return;
	began = pyro_cost_begin(PYRO_COST_HOOKS);
	mask = pyro_here_block(UINT64_MAX);
	record = pyro_slots_take(PYRO_KIND_BIRTH, pyro_gettid(),
				 (struct pyro_weight){1, 0});
	if (record) {
		record->birth = (struct pyro_birth){
			.place = (uint32_t)(t - pyro_registry_at(0)),
			.serial = t->serial,
		};
		pyro_here_commit(record, caller);
	}
	pyro_here_block(mask);
	pyro_cost_end(PYRO_COST_HOOKS, began);
}

static _Atomic bool inherit_labels;

void pyro_hook_inherit_labels(bool on)
{
	atomic_store(&inherit_labels, on);
}

/* An entry for the thread to come; NULL: it comes without. */
static struct pyro_thread *before_create(const pthread_attr_t *attr, void *arg,
					 void *caller)
{
	struct pyro_thread *self;

	pyro_hook_wake_child();
	if (pyro_on_get() < PYRO_ON_STARTING || !atomic_load(&key_made))
		return NULL;
	self = announce(attr);
	if (!self)
		return NULL;
	self->arg = arg;
	self->labels =
		atomic_load_explicit(&inherit_labels, memory_order_relaxed)
			? pyro_labels
			: 0;
	if (atomic_load_explicit(&births, memory_order_relaxed))
		tell_birth(self, caller);
	return self;
}

static void not_created(struct pyro_thread *self)
{
	pyro_mutex_lock(&pyro_registry_lock);
	pyro_registry_release(self);
	pyro_mutex_unlock(&pyro_registry_lock);
}

PYRO_HOOK int
PYRO_HOOK_NAME(pthread_create)(pthread_t *restrict thread,
			       const pthread_attr_t *restrict attr,
			       void *(*start)(void *), void *restrict arg)
{
	struct pyro_thread *self =
		before_create(attr, arg, __builtin_return_address(0));

	if (!self)
		return PYRO_NEXT(pthread_create)(thread, attr, start, arg);
	self->start = start;

	int err = PYRO_NEXT(pthread_create)(thread, attr, run_thread, self);

	if (err)
		not_created(self);
	return err;
}

PYRO_HOOK int PYRO_HOOK_NAME(thrd_create)(thrd_t *thread, thrd_start_t start,
					  void *arg)
{
	struct pyro_thread *self =
		before_create(NULL, arg, __builtin_return_address(0));

	if (!self)
		return PYRO_NEXT(thrd_create)(thread, start, arg);
	self->start_c11 = start;

	int rc = PYRO_NEXT(thrd_create)(thread, run_c11_thread, self);

	if (rc != thrd_success)
		not_created(self);
	return rc;
}

#ifndef PYRO_STATIC

PYRO_OWN(pthread_create);
PYRO_OWN(thrd_create);

void pyro_hook_resolve(void)
{
	static const struct pyro_hooked hooked[] = {PYRO_HOOKED(pthread_create),
						    PYRO_HOOKED(thrd_create)};

	pyro_next_resolve(hooked, PYRO_COUNT_OF(hooked));
}

#endif

void pyro_hook_init(void)
{
	pyro_libc_threads.create = PYRO_NEXT(pthread_create);
	/* In this order: a child may be forked in between. */
	if (!atomic_load(&key_made) &&
	    pthread_key_create(&exit_key, on_thread_exit) == 0)
		atomic_store(&key_made, true);
}

void pyro_hook_on_child(pyro_child_fn *fn)
{
	atomic_store(&pyro_on_child, fn);
}
