// SPDX-License-Identifier: Apache-2.0
/* walker.h - a walk's state, and how it reads what it walks over
 *
 * Part of unwind.c, which says what makes this safe. */
#ifndef PYRO_CAPTURE_WALKER_H
#define PYRO_CAPTURE_WALKER_H

#include <errno.h>
#include <sys/uio.h>

#include "base/syscall.h"
#include "capture/ranges.h"
#include "capture/unwind.h"

#define PAGE_MASK (~(uintptr_t)4095)
/* Copies that one walk may make, some microsecond each. */
#define READS_MAX 192
#define CHUNK_WORDS 32
#define CHUNK_BYTES (CHUNK_WORDS * sizeof(uint64_t))
#define NO_CHUNK 1 /* the address of none */
/* What the kernel writes for a signal is smaller, with AMX's registers, too. */
#define SIGNAL_FRAME_MAX 16384

/* How the walked stack is read, plainly and where that might fault: a test that
 * walks another process's stack reads it otherwise. */
#ifndef PYRO_WALK_LOAD
#define PYRO_WALK_LOAD(addr) (*(const volatile uintptr_t *)(addr))
#define PYRO_WALK_COPY(to, addr, len) copy_memory(to, addr, len)

/* rt_sigprocmask copies the new set before it looks at `how`: EFAULT tells that
 * it cannot be read. */
static bool copy_after_asking(uint64_t *to, uintptr_t addr, size_t len)
{
	if (pyro_syscall4(SYS_rt_sigprocmask, -1, (long)addr, 0, 8) != -EINVAL)
		return false;
	for (size_t i = 0; i < len / sizeof(*to); i++)
		to[i] = PYRO_WALK_LOAD(addr + i * sizeof(*to));
	return true;
}

/* All of it within one page. */
static bool copy_memory(uint64_t *to, uintptr_t addr, size_t len)
{
	struct iovec local = {to, len};
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): any address */
	struct iovec remote = {(void *)addr, len};
	long pid = pyro_syscall4(SYS_getpid, 0, 0, 0, 0);
	long got = pyro_syscall6(SYS_process_vm_readv, pid, (long)&local, 1,
				 (long)&remote, 1, 0);

	/* A filter of system calls, or an emulator. */
	if (got == -ENOSYS || got == -EPERM)
		return copy_after_asking(to, addr, len);
	return got == (long)len;
}
#endif

struct walker {
	const struct pyro_snapshot *snapshot;
	struct pyro_regs regs;
	struct pyro_stack own;   /* the thread's */
	struct pyro_stack stack; /* on which sp is; both 0 if not known */
	/* All general registers of the frame that was interrupted last; 0 if
	 * they are not known. */
	uintptr_t gregs;
	uintptr_t own_page; /* surely mapped, and nobody else's */
	/* Copied last, from chunk_at; NULL: no room. */
	uint64_t *chunk;
	uintptr_t chunk_at;
	unsigned reads;
	bool interrupted; /* pc is the next instruction, not after a call */
	bool lost_fp, lost_rbx;
	bool nowhere; /* pc is no return address, and no frame */
};

/* A word that may be anybody's, or nobody's. */
static bool fetch(struct walker *w, uintptr_t addr, uintptr_t *value)
{
	uintptr_t at = addr & ~(CHUNK_BYTES - 1);

	if ((addr & PAGE_MASK) == w->own_page) {
		*value = PYRO_WALK_LOAD(addr);
		return true;
	}
	if (at != w->chunk_at || !w->chunk) {
		if (++w->reads > READS_MAX)
			return false;
		if (!w->chunk)
			return PYRO_WALK_COPY(value, addr, sizeof(*value));
		w->chunk_at = NO_CHUNK;
		if (!PYRO_WALK_COPY(w->chunk, at, CHUNK_BYTES))
			return false;
		w->chunk_at = at;
	}
	*value = w->chunk[(addr - at) / sizeof(*w->chunk)];
	return true;
}

/* Chunks are kept behind the frames, as long as there is room. */
static void make_room(struct walker *w, uint64_t *pc, size_t depth, size_t max)
{
	bool fits = max >= CHUNK_WORDS && depth < max - CHUNK_WORDS;

	w->chunk = fits ? pc + (max - CHUNK_WORDS) : NULL;
	if (!fits)
		w->chunk_at = NO_CHUNK;
}

/* A word of the stack at or above sp, or in the red zone. */
static bool load(struct walker *w, uintptr_t addr, uintptr_t *value)
{
	if (addr % sizeof(uintptr_t) != 0)
		return false;
	if (addr < w->regs.sp) {
		return w->interrupted && w->regs.sp - addr <= PYRO_RED_ZONE &&
		       fetch(w, addr, value);
	}
	if (w->regs.sp < w->stack.lo || w->regs.sp >= w->stack.hi ||
	    addr >= w->stack.hi)
		return fetch(w, addr, value);
	if (w->stack.hi - addr < sizeof(uintptr_t))
		return false;
	*value = PYRO_WALK_LOAD(addr);
	return true;
}

/* A register of the frame that was interrupted. */
static bool greg(struct walker *w, unsigned dwarf, uintptr_t *value)
{
	int index = pyro_greg_index(dwarf);

	if (!w->gregs || index < 0)
		return false;

	return fetch(w, w->gregs + (uintptr_t)index * sizeof(uintptr_t), value);
}

/* The return address in a register: the called function's own from the first
 * call on that it makes, so that only an interrupted frame has it. */
static bool ra_register(struct walker *w, unsigned dwarf, uintptr_t *value)
{
	if (dwarf != PYRO_DWARF_LR || !w->interrupted)
		return greg(w, dwarf, value);
	*value = w->regs.lr;
	return true;
}

/* The thread's own stack, or another that sp is on. */
static void choose_stack(struct walker *w)
{
	uintptr_t sp = w->regs.sp;

	w->stack = w->own;
	if (sp < w->own.lo || sp >= w->own.hi)
		w->stack = pyro_ranges_find(sp);
}

static bool load_gregs(struct walker *w, uintptr_t gregs)
{
	struct pyro_regs r = {0};

	w->gregs = gregs;
	w->interrupted = true;
	w->lost_fp = w->lost_rbx = false;
	if (gregs % sizeof(uintptr_t) != 0 || !greg(w, PYRO_DWARF_PC, &r.pc) ||
	    !greg(w, PYRO_DWARF_SP, &r.sp) || !greg(w, PYRO_DWARF_FP, &r.fp) ||
	    !greg(w, PYRO_DWARF_RBX, &r.rbx) || !greg(w, PYRO_DWARF_LR, &r.lr))
		return false;
	w->regs = r;
	choose_stack(w);
	return true;
}

static bool is_code(const struct walker *w, uintptr_t pc)
{
	return pyro_snapshot_find(w->snapshot, pc) != NULL;
}

/* Eight bytes of code or data from anywhere. */
static bool fetch_bytes(struct walker *w, uintptr_t at, uint64_t *bytes)
{
	uintptr_t word = at & ~(uintptr_t)7, low = 0, high = 0;
	unsigned bits = 8 * (unsigned)(at % 8);

	if (!fetch(w, word, &low) || (bits && !fetch(w, word + 8, &high)))
		return false;
	*bytes = low >> bits;
	if (bits)
		*bytes |= (uint64_t)high << (64 - bits);
	return true;
}

/* Does a call end there? Asked where no object is known, too. */
static bool follows_call(struct walker *w, uintptr_t ra)
{
	uint64_t bytes;

	return ra >= 2 * sizeof(bytes) && fetch_bytes(w, ra - 8, &bytes) &&
	       pyro_ends_in_call(bytes);
}

/* Nothing called what a coroutine's first function returns to. */
static bool ends_a_coroutine(struct walker *w, uintptr_t ra)
{
	uint64_t bytes;

	return fetch_bytes(w, ra, &bytes) && pyro_ends_coroutine(bytes) &&
	       !follows_call(w, ra);
}

/* The kernel is asked only where no object is known. */
static bool is_return_address(struct walker *w, uintptr_t ra)
{
	return is_code(w, ra - 1) || follows_call(w, ra);
}

static void enter_caller(struct walker *w, uintptr_t pc, uintptr_t cfa)
{
	w->regs.pc = pc;
	w->regs.sp = cfa;
	w->interrupted = false;
}

#endif
