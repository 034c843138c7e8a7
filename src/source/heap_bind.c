// SPDX-License-Identifier: Apache-2.0
/* heap_bind.c - have calls bound to the hooks, also where another allocator comes
 * before us */
#include "source/heap_front.h"

#include "base/log.h"
#include "base/os.h"

#define FRONT(name) atomic_load(&pyro_heap_front.name)

/* To what the hooks in front forward, where they are to be used. */
static struct pyro_heap_next used;

static struct {
	void *(*real)(size_t);
	_Atomic pid_t tid;
	_Atomic bool called;
} probe;

static void *probe_malloc(size_t size)
{
	if (pyro_gettid() == atomic_load(&probe.tid))
		atomic_store(&probe.called, true);
	return probe.real(size);
}

/* Does what is in front call what is behind it, us? */
static bool is_interposer(void)
{
	uintptr_t next = atomic_load(&pyro_heap_next.malloc);

	probe.real = (void *(*)(size_t))next;
	atomic_store(&probe.tid, pyro_gettid());
	atomic_store(&pyro_heap_next.malloc, (uintptr_t)probe_malloc);
	((void (*)(void *))FRONT(free))(((void *(*)(size_t))FRONT(malloc))(1));
	atomic_store(&pyro_heap_next.malloc, next);
	return atomic_load(&probe.called);
}

#define FIND(result, name, parameters, arguments) \
	atomic_store(&pyro_heap_front.name,       \
		     pyro_bind_definition(#name).function);
#define FIND_FREE(name, parameters, arguments) \
	FIND(void, name, parameters, arguments)
/* What it does not have is what the exported hook forwards to. */
#define USE(result, name, parameters, arguments)              \
	if (FRONT(name) != atomic_load(&pyro_heap_next.name)) \
		atomic_store(&used.name, FRONT(name));
#define USE_FREE(name, parameters, arguments) \
	USE(void, name, parameters, arguments)

static void use_front(void)
{
	struct pyro_bind_definition first = pyro_bind_definition("malloc");

	if (FRONT(malloc) || first.mode == PYRO_BIND_SYMBOLS ||
	    !first.function ||
	    first.function == atomic_load(&pyro_heap_next.malloc) ||
	    !pyro_bind_definition("free").function)
		return;
	PYRO_HEAP_CALLS(FIND)
	PYRO_HEAP_FREES(FIND_FREE)
	if (is_interposer())
		return;
	PYRO_HEAP_CALLS(USE)
	PYRO_HEAP_FREES(USE_FREE)
	if (first.mode == PYRO_BIND_OWN)
		PYRO_LOG_ONCE("the program has a malloc() of its own: of the "
			      "heap, what its libraries allocate is seen");
}

void pyro_heap_bind(void)
{
#define HOOKED(result, name, parameters, arguments) \
	{#name, (void (*)(void))pyro_front_##name, &used.name},
#define HOOKED_FREE(name, parameters, arguments) \
	HOOKED(void, name, parameters, arguments)
	static const struct pyro_hooked hooked[] = {
		PYRO_HEAP_CALLS(HOOKED) PYRO_HEAP_FREES(HOOKED_FREE)};

	pyro_heap_next_find();
	pyro_bind_add(pyro_heap_hooked, PYRO_HEAP_COUNT, NULL);
	pyro_bind_add(hooked, PYRO_COUNT_OF(hooked), use_front);
}
