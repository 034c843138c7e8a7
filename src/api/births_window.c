// SPDX-License-Identifier: Apache-2.0
/* births_window.c - the threads that there are, by who has created them
 *
 * pthread_create() tells the stack of each creation (hook.c), which is kept for as
 * long as the thread has its entry in the registry. Threads that came otherwise, or
 * before profiling began, have no creator. */
#include "api/session.h"
#include "base/os.h"
#include "capture/registry.h"

void pyro_births_add(struct pyro_session *s, struct pyro_stack_frames *stack,
		     const struct pyro_birth *birth)
{
	struct pyro_births *b = &s->births;
	struct pyro_origin *of;
	uint32_t number;

	if (birth->place >= PYRO_THREADS_MAX)
		return;
	of = pyro_array_grow(b->of, &b->cap, birth->place + 1, sizeof(*of));
	if (!of)
		return;
	b->of = of;
	/* A sweep has them in any order. */
	if (of[birth->place].stack &&
	    (int32_t)(birth->serial - of[birth->place].serial) < 0)
		return;
	stack->labels = 0; /* the creator's */
	number = pyro_stack_set_add(&b->stacks, stack);
	of[birth->place] = (struct pyro_origin){
		.serial = birth->serial,
		.stack = number == PYRO_TABLE_NONE ? 0 : number + 1,
	};
}

static bool same_tid(const void *owner, uint32_t item, const void *key)
{
	(void)owner;
	return atomic_load(&pyro_registry_at(item)->tid) == *(const pid_t *)key;
}

static uint64_t tid_hash(pid_t tid)
{
	return pyro_hash(&tid, sizeof(tid), 0);
}

static void index_threads(struct pyro_table *by_tid)
{
	pyro_mutex_lock(&pyro_registry_lock);
	for (size_t i = 0; i < pyro_registry_limit(); i++) {
		struct pyro_thread *t = pyro_registry_at(i);

		if (atomic_load(&t->state) == PYRO_THREAD_LIVE)
			pyro_table_add(by_tid, tid_hash(atomic_load(&t->tid)),
				       (uint32_t)i);
	}
	pyro_mutex_unlock(&pyro_registry_lock);
}

/* NULL: nobody told. */
static const struct pyro_stack_frames *
creator_of(const struct pyro_births *b, const struct pyro_table *by_tid,
	   pid_t tid)
{
	uint32_t place =
		pyro_table_find(by_tid, tid_hash(tid), same_tid, NULL, &tid);
	const struct pyro_origin *of = place < b->cap ? &b->of[place] : NULL;

	return of && of->stack && of->serial == pyro_registry_at(place)->serial
		       ? &b->stacks.stacks[of->stack - 1]
		       : NULL;
}

void pyro_births_take(struct pyro_session *s)
{
	struct pyro_births *b = &s->births;
	struct pyro_table by_tid = {0};

	pyro_stacks_clear(&b->now);
	b->not_seen = 0;
	index_threads(&by_tid);
	for (size_t i = 0; i < s->threads.count; i++) {
		const struct pyro_asked *thread = &s->threads.asked[i];
		const struct pyro_stack_frames *creator;
		struct pyro_stack_frames stack;

		if (thread->gone || thread->tid == pyro_process.pid)
			continue;
		creator = creator_of(b, &by_tid, thread->tid);
		if (!creator) {
			b->not_seen++;
			continue;
		}
		stack = *creator;
		stack.labels = thread->labels;
		pyro_stacks_add(&b->now, &stack, 0, 1);
	}
	pyro_table_free(&by_tid);
}

void pyro_births_free(struct pyro_session *s)
{
	struct pyro_births *b = &s->births;

	pyro_stack_set_free(&b->stacks);
	pyro_stacks_free(&b->now);
	pyro_pages_free(b->of, b->cap * sizeof(*b->of));
	*b = (struct pyro_births){0};
}
