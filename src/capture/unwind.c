// SPDX-License-Identifier: Apache-2.0
/* unwind.c - the stack walk
 *
 * Each step looks up the rule of a pc in the module's table, computes the CFA
 * (the caller's sp), and loads the return address and the saved fp and rbx.
 * Invariants that make it safe on any input:
 *   - the CFA grows with every frame (a signal frame may jump: it ends an
 *     alternate stack), and there is an end to the number of frames;
 *   - memory is read at or above sp only: what lies below has been popped. An
 *     interrupted frame may have its red zone read, if the kernel says that it
 *     can be: with an alternate stack it may be unmapped;
 *   - a word is loaded plainly only inside the thread's known stack, and in the
 *     page of its sp; elsewhere the kernel copies 256 bytes at a time. To ask
 *     whether a page can be read and then to read it is not enough: what lies
 *     behind an unknown stack is another thread's, which unmaps it between.
 * What a return address led to is remembered in the snapshot: a search in the
 * tables costs some ten cache lines, the memo one. The leaf's address is hardly
 * ever the same and is not.
 * Return addresses are looked up minus one, so that a call that never returns,
 * at the very end of its function, finds its own function. One that is in no
 * object has to stand behind a call, as in code made at run time: else it is
 * something else that lay on the stack.
 * unwind_foreign.c compiles the steps once more, with reads of another kind. */
#include "capture/unwind.h"

#include "capture/edge_aarch64.h"
#include "capture/walker.h"

/* The first stub of aarch64's PLT has no CFI and pushes lr with another word;
 * a frame record that looks like it would have fp point to it. */
static bool pushed_by_plt(struct walker *w)
{
	uintptr_t word;

	return PYRO_CFA_MAY_EQUAL_SP && w->regs.fp != w->regs.sp &&
	       load(w, w->regs.sp + sizeof(word), &word) && word == w->regs.lr;
}

/* A leaf that has not touched the stack. */
static bool step_from_leaf(struct walker *w, bool made)
{
	uintptr_t ra = pyro_strip_return_address(w->regs.lr);
	uintptr_t cfa = w->regs.sp;

	if (!w->interrupted)
		return false;
	if (!PYRO_CFA_MAY_EQUAL_SP) {
		if (!load(w, cfa, &ra))
			return false;
		cfa += sizeof(uintptr_t);
	}
	/* Code made at run time pushes registers, which may hold the address of a
	 * function. */
	if (made ? !follows_call(w, ra) : !is_return_address(w, ra))
		return false;
	enter_caller(w, ra, cfa + (pushed_by_plt(w) ? 2 * sizeof(ra) : 0));
	return true;
}

/* Without CFI: a leaf, or a frame pointer, if what they lead to is code. Code
 * made at run time may so call its like. */
static enum pyro_stop step_without_cfi(struct walker *w, enum pyro_stop reason)
{
	uintptr_t ra, fp;

	if (step_from_leaf(w, reason == PYRO_STOP_UNMAPPED))
		return PYRO_STOP_END;
	if (w->lost_fp || w->regs.fp < w->regs.sp ||
	    !load(w, w->regs.fp + sizeof(uintptr_t), &ra) ||
	    !load(w, w->regs.fp, &fp))
		return reason;
	ra = pyro_strip_return_address(ra);
	/* A caller without frame pointer has anything in that register. */
	if (fp > w->regs.fp ? !is_return_address(w, ra) : !follows_call(w, ra))
		return reason;
	enter_caller(w, ra, w->regs.fp + 2 * sizeof(uintptr_t));
	w->regs.fp = fp;
	w->lost_rbx = true;
	return PYRO_STOP_END;
}

/* Which registers calls keep is not followed here. But one that no call has to
 * keep has its value still, if a frame that made a call is described by it: the
 * two are assembler that knows each other. */
static bool may_use(const struct walker *w, unsigned dwarf)
{
	return w->interrupted ||
	       (dwarf < 32 && (PYRO_DWARF_VOLATILE >> dwarf & 1));
}

/* The frame pointer that is lost. */
static bool find_fp(struct walker *w, const struct pyro_rule *rule)
{
#ifdef PYRO_WALK_FOREIGN
	uintptr_t pc = w->regs.pc - (w->interrupted ? 0 : 1), ra;
	const struct pyro_map *map = pyro_snapshot_find(w->snapshot, pc);
	uintptr_t distance =
		rule->cfa == PYRO_CFA_FP && map ? find_frame(map, rule, pc) : 0;

	if (!distance || !load(w, w->regs.sp + distance - sizeof(ra), &ra) ||
	    !is_return_address(w, ra))
		return false;
	w->regs.fp = w->regs.sp + distance - (uintptr_t)(intptr_t)rule->cfa_off;
	w->lost_fp = false;
	return true;
#else
	(void)w;
	(void)rule;
	return false;
#endif
}

static enum pyro_stop find_cfa(struct walker *w, const struct pyro_rule *rule,
			       uintptr_t *cfa)
{
	intptr_t off = rule->cfa_off;
	uintptr_t base = 0;

	switch ((enum pyro_cfa)rule->cfa) {
	case PYRO_CFA_SP:
		*cfa = w->regs.sp + (uintptr_t)off;
		return PYRO_STOP_END;
	case PYRO_CFA_PLT:
		*cfa = w->regs.sp + 8 +
		       ((w->regs.pc & 15) >= (uintptr_t)off ? 8 : 0);
		return PYRO_STOP_END;
	case PYRO_CFA_FP:
	case PYRO_CFA_FP_DEREF:
		if (w->lost_fp && !find_fp(w, rule))
			return PYRO_STOP_REGISTER;
		base = w->regs.fp;
		break;
	case PYRO_CFA_RBX:
		if (w->lost_rbx)
			return PYRO_STOP_REGISTER;
		base = w->regs.rbx;
		break;
	case PYRO_CFA_REG:
		if (!may_use(w, rule->reg) || !greg(w, rule->reg, &base))
			return PYRO_STOP_REGISTER;
		break;
	case PYRO_CFA_SP_INDEX:
		if (!w->interrupted || !greg(w, rule->reg, &base))
			return PYRO_STOP_REGISTER;
		base = w->regs.sp + base * sizeof(uintptr_t);
		break;
	case PYRO_CFA_SP_DEREF:
		base = w->regs.sp;
		break;
	default:
		return PYRO_STOP_EXPRESSION;
	}
	base += (uintptr_t)off;
	if (rule->cfa == PYRO_CFA_FP_DEREF || rule->cfa == PYRO_CFA_SP_DEREF ||
	    rule->cfa == PYRO_CFA_SP_INDEX) {
		if (!load(w, base, &base))
			return PYRO_STOP_BOUNDS;
		base += (uintptr_t)(intptr_t)rule->post;
	}
	*cfa = base;
	return PYRO_STOP_END;
}

/* The caller's value of a saved register; returns whether it is lost. A slot
 * below sp has been popped already, and so has one that is found by fp where fp
 * points out of the frame: the live register is the caller's, if it is known. */
static bool restore(struct walker *w, uintptr_t addr, uintptr_t hi,
		    uintptr_t *reg, bool lost)
{
	return addr < w->regs.sp || addr >= hi ? lost : !load(w, addr, reg);
}

/* Where a saved register is, from the CFA or fp. */
static intptr_t distance(const struct pyro_rule *rule, int16_t off)
{
	return rule->flags & PYRO_RULE_LARGE ? off * (intptr_t)sizeof(uintptr_t)
					     : off;
}

/* A frame without a word on the stack: its return address is in a register. */
static bool may_equal_sp(const struct walker *w, const struct pyro_rule *rule)
{
	return w->interrupted &&
	       (PYRO_CFA_MAY_EQUAL_SP || (rule->flags & PYRO_RULE_RA_REG));
}

static enum pyro_stop find_return_address(struct walker *w,
					  const struct pyro_rule *rule,
					  uintptr_t cfa, uintptr_t *ra)
{
	if (rule->flags & PYRO_RULE_RA_REG)
		return w->interrupted && ra_register(w, (unsigned)rule->ra_off,
						     ra)
			       ? PYRO_STOP_END
			       : PYRO_STOP_REGISTER;
	if (!load(w, cfa + (uintptr_t)distance(rule, rule->ra_off), ra))
		return PYRO_STOP_BOUNDS;
	/* That the register had its value still is shown by what is there. */
	if (rule->cfa == PYRO_CFA_REG && !w->interrupted &&
	    !is_code(w, *ra - 1))
		return PYRO_STOP_REGISTER;
	return PYRO_STOP_END;
}

/* Bytes of the frame that the CFA leaves out: none, but the CFI of ld.so's
 * resolver on aarch64 does not count what the PLT has pushed. */
static uintptr_t above_cfa(const struct pyro_rule *rule)
{
	return rule->ra_off < 0 || (rule->flags & PYRO_RULE_RA_REG)
		       ? 0
		       : pyro_align_up((size_t)rule->ra_off + sizeof(uintptr_t),
				       PYRO_STACK_ALIGN);
}

static enum pyro_stop step_by_rule(struct walker *w,
				   const struct pyro_rule *rule)
{
	struct pyro_regs next = w->regs;
	uintptr_t cfa, ra;
	enum pyro_stop stop = find_cfa(w, rule, &cfa);

	if (stop != PYRO_STOP_END)
		return stop;
	if (cfa < w->regs.sp || cfa % PYRO_STACK_ALIGN != 0 ||
	    (cfa == w->regs.sp && !may_equal_sp(w, rule)))
		return PYRO_STOP_PROGRESS;

	stop = find_return_address(w, rule, cfa, &ra);
	if (stop != PYRO_STOP_END)
		return stop;

	bool fp_at_fp = rule->flags & PYRO_RULE_FP_AT_FP;
	bool rbx_at_fp = rule->flags & PYRO_RULE_RBX_AT_FP;
	bool lost_fp = w->lost_fp, lost_rbx = w->lost_rbx;

	if (fp_at_fp && w->lost_fp)
		lost_fp = true;
	else if (rule->flags & (PYRO_RULE_FP_SAVED | PYRO_RULE_FP_AT_FP))
		lost_fp = restore(
			w,
			(fp_at_fp ? w->regs.fp : cfa) +
				(uintptr_t)distance(rule, rule->fp_off),
			fp_at_fp ? cfa : UINTPTR_MAX, &next.fp, lost_fp);
	if (rbx_at_fp && w->lost_fp)
		lost_rbx = true;
	else if (rule->flags & (PYRO_RULE_RBX_SAVED | PYRO_RULE_RBX_AT_FP))
		lost_rbx = restore(
			w,
			(rbx_at_fp ? w->regs.fp : cfa) +
				(uintptr_t)distance(rule, rule->rbx_off),
			rbx_at_fp ? cfa : UINTPTR_MAX, &next.rbx, lost_rbx);
	w->regs = next;
	w->lost_fp = lost_fp || (rule->flags & PYRO_RULE_FP_LOST);
	w->lost_rbx = lost_rbx || (rule->flags & PYRO_RULE_RBX_LOST);
	enter_caller(w, pyro_strip_return_address(ra), cfa + above_cfa(rule));
	return PYRO_STOP_END;
}

/* A memo's step: a kind and, for rules as compilers make them, the offsets of
 * what is in reach of 16 bits. The return address is at CFA - 8; or else it is
 * in rbx's place, where the processor has no rbx that would be followed. */
enum step_kind {
	STEP_NONE,
	STEP_SP,
	STEP_FP,
	STEP_END
};
#define STEP_KIND(step) ((enum step_kind)((step)&3))
#define STEP_FP_SAVED 4
#define STEP_RBX_SAVED 8
#define STEP_CFA_OFF(step) ((uint16_t)((step) >> 16))
/* Words below the return address. No step leads out of the frame. */
#define STEP_FP_AT(step, cfa) \
	((cfa)-16 - 8 * (uintptr_t)(uint16_t)((step) >> 32))
#define STEP_RBX_AT(step, cfa) ((cfa)-16 - 8 * (uintptr_t)((step) >> 48))
#define STEP_RA_AT(step, cfa) \
	(PYRO_RA_AT_CFA ? (cfa)-8 : STEP_RBX_AT(step, cfa) + 8)

static uint64_t mixed(uint64_t bits)
{
	return bits * UINT64_C(0x9e3779b97f4a7c15);
}

static struct pyro_memo *memo_of(const struct pyro_snapshot *s, uintptr_t key)
{
	return &s->memo[mixed(key) >> (64 - PYRO_MEMO_BITS)];
}

static uint64_t short_step(const struct pyro_rule *rule)
{
	const unsigned saved = PYRO_RULE_FP_SAVED | PYRO_RULE_RBX_SAVED;
	bool fp = rule->flags & PYRO_RULE_FP_SAVED;
	bool rbx = rule->flags & PYRO_RULE_RBX_SAVED;
	int rbx_off = PYRO_RA_AT_CFA ? rule->rbx_off : rule->ra_off - 8;

	if (rule->cfa == PYRO_CFA_END)
		return STEP_END;
	if ((rule->cfa != PYRO_CFA_SP && rule->cfa != PYRO_CFA_FP) ||
	    (rule->flags & ~saved) || (PYRO_RA_AT_CFA && rule->ra_off != -8) ||
	    rule->cfa_off < 0 || rule->cfa_off > UINT16_MAX ||
	    (fp && (rule->fp_off > -16 || rule->fp_off % 8 != 0)) ||
	    ((rbx || !PYRO_RA_AT_CFA) && (rbx_off > -16 || rbx_off % 8 != 0)))
		return STEP_NONE;
	return (uint64_t)(rule->cfa == PYRO_CFA_SP ? STEP_SP : STEP_FP) |
	       (fp ? STEP_FP_SAVED | (uint64_t)(-16 - rule->fp_off) / 8 << 32
		   : 0) |
	       (rbx ? STEP_RBX_SAVED : 0) |
	       (rbx || !PYRO_RA_AT_CFA ? (uint64_t)(-16 - rbx_off) / 8 << 48
				       : 0) |
	       (uint64_t)rule->cfa_off << 16;
}

static void remember(const struct walker *w, uintptr_t key,
		     const struct pyro_rule *rule)
{
	uint64_t step = short_step(rule);

	if (!w->snapshot->memo || step == STEP_NONE)
		return;

	struct pyro_memo *memo = memo_of(w->snapshot, key);

	atomic_store_explicit(&memo->check, key ^ mixed(step),
			      memory_order_relaxed);
	atomic_store_explicit(&memo->step, step, memory_order_relaxed);
}

/* Is pc the trampoline that a signal handler returns to, which no CFI tells?
 * Read is what this thread is to run next, and only if it can be read. */
static bool at_trampoline(struct walker *w)
{
	static const uint32_t code[] = PYRO_TRAMPOLINE;
	uintptr_t pc = w->regs.pc;

	if (code[0] == 0 || w->interrupted || pc % 4 != 0)
		return false;
	for (size_t i = 0; i < PYRO_COUNT_OF(code); i++) {
		uintptr_t at = pc + i * sizeof(*code), word;

		if (!fetch(w, at & ~(uintptr_t)7, &word) ||
		    (uint32_t)(word >> 8 * (at % 8)) != code[i])
			return false;
	}
	return true;
}

/* The handler has returned into the trampoline: sp points to the frame that the
 * kernel made. */
static enum pyro_stop step_from_signal(struct walker *w, struct pyro_walk *walk)
{
	walk->signal_frame = true;
	return load_gregs(w, w->regs.sp + PYRO_SIGNAL_FRAME_GREGS)
		       ? PYRO_STOP_END
		       : PYRO_STOP_BOUNDS;
}

/* Go to the caller. PYRO_STOP_END with *done: this was the outermost frame. */
static enum pyro_stop step(struct walker *w, struct pyro_walk *walk, bool *done)
{
	uintptr_t key = w->regs.pc - (w->interrupted ? 0 : 1);
	const struct pyro_map *map = pyro_snapshot_find(w->snapshot, key);
	const struct pyro_rule *rule =
		map && map->table
			? pyro_unwind_rule(map->table, key - map->bias)
			: NULL;

	if ((!rule || rule->cfa == PYRO_CFA_GAP) && at_trampoline(w))
		return step_from_signal(w, walk);
	if (!map && !w->interrupted && !follows_call(w, w->regs.pc)) {
		w->nowhere = true;
		return PYRO_STOP_GAP;
	}
	if (!rule || rule->cfa == PYRO_CFA_GAP)
		return step_without_cfi(w, map ? PYRO_STOP_GAP
					       : PYRO_STOP_UNMAPPED);
	if (!w->interrupted)
		remember(w, key, rule);
	if (rule->cfa == PYRO_CFA_END) {
		*done = true;
		return PYRO_STOP_END;
	}
	if (rule->cfa == PYRO_CFA_SIGNAL)
		return step_from_signal(w, walk);
	return step_by_rule(w, rule);
}

/* Stacks are cold when a sample comes, and where the next frame is, one knows
 * only when this one was read. Prefetching faults never. */
#define AHEAD_BYTES 1024

static void prefetch(uintptr_t from, uintptr_t to)
{
	for (; from < to; from += 64)
		__builtin_prefetch((const void *)from);
}

/* Go to the caller with all checks of a slow step, or change nothing. Inline:
 * the walker is then the loop's own, and its registers are registers. */
static inline bool step_by_memo(struct walker *w, uint64_t step)
{
	struct pyro_regs *r = &w->regs;
	bool by_fp = STEP_KIND(step) == STEP_FP;
	uintptr_t sp = r->sp, at;
	uintptr_t cfa = (by_fp ? r->fp : sp) + STEP_CFA_OFF(step);
	uintptr_t ra_at = STEP_RA_AT(step, cfa);

	if ((by_fp && w->lost_fp) || cfa < sp + sizeof(uintptr_t) ||
	    cfa > w->stack.hi || sp < w->stack.lo || ra_at < sp ||
	    ra_at > cfa - sizeof(uintptr_t) || cfa % PYRO_STACK_ALIGN != 0)
		return false;
	prefetch(sp + AHEAD_BYTES,
		 pyro_min(cfa, sp + AHEAD_BYTES) + AHEAD_BYTES);
	/* A slot below sp has been popped already. */
	at = STEP_FP_AT(step, cfa);
	if (step & STEP_FP_SAVED) {
		if (at >= sp) {
			r->fp = PYRO_WALK_LOAD(at);
			w->lost_fp = false;
		}
	}
	at = STEP_RBX_AT(step, cfa);
	if (PYRO_RA_AT_CFA && (step & STEP_RBX_SAVED)) {
		if (at >= sp) {
			r->rbx = PYRO_WALK_LOAD(at);
			w->lost_rbx = false;
		}
	}
	r->pc = pyro_strip_return_address(PYRO_WALK_LOAD(ra_at));
	r->sp = cfa;
	return true;
}

/* As far as memos lead: the rest is for the tables. */
static size_t walk_by_memos(struct walker *w, uint64_t *pc, size_t depth,
			    size_t max, bool *done)
{
	struct walker here = *w;

	while (depth < max) {
		uintptr_t key = here.regs.pc - 1;
		struct pyro_memo *memo = memo_of(w->snapshot, key);
		uint64_t step =
			atomic_load_explicit(&memo->step, memory_order_relaxed);

		if ((atomic_load_explicit(&memo->check, memory_order_relaxed) ^
		     mixed(step)) != key)
			break;
		*done = STEP_KIND(step) == STEP_END;
		if (!*done && (STEP_KIND(step) == STEP_NONE ||
			       !step_by_memo(&here, step)))
			break;
		pc[depth++] = key;
		if (*done)
			break;
	}
	*w = here;
	return depth;
}

/* depth addresses are there already. */
static size_t walk_all(struct walker *w, uint64_t *pc, size_t depth, size_t max,
		       struct pyro_walk *walk)
{
	bool done = false;

	walk->signal_frame = false;
	walk->stop = PYRO_STOP_PENDING;
	if (!w->snapshot) {
		if (max > 0)
			pc[depth++] = w->regs.pc;
		return depth;
	}
	prefetch(w->regs.sp, w->regs.sp + AHEAD_BYTES);
	for (;;) {
		if (!w->interrupted && w->snapshot->memo)
			depth = walk_by_memos(w, pc, depth, max, &done);
		if (done) {
			walk->stop = PYRO_STOP_END;
			return depth;
		}
		if (depth == max) {
			walk->stop = PYRO_STOP_DEPTH;
			return depth;
		}
		make_room(w, pc, depth + 1, max);
		pc[depth++] = w->regs.pc - (w->interrupted ? 0 : 1);
		walk->stop = step(w, walk, &done);
		if (done || walk->stop != PYRO_STOP_END)
			break;
	}
	depth -= w->nowhere ? 1 : 0;
	if (!done && depth > 0 && ends_a_coroutine(w, pc[depth - 1] + 1))
		walk->stop = PYRO_STOP_END;
	return depth;
}

#ifndef PYRO_WALK_FOREIGN

/* The instructions around pc, as far as the object goes: from code + *before on,
 * *after of them. */
static bool copy_code(struct walker *w, const struct pyro_map *map,
		      uint64_t code[2 * PYRO_EDGE_WORDS], size_t *before,
		      size_t *after)
{
	uintptr_t pc = w->regs.pc, word;

	*before = pyro_min(PYRO_EDGE_WORDS, (pc - map->lo) / 4);
	*after = pyro_min(PYRO_EDGE_WORDS, (map->hi - pc) / 4);
	if (pc % 4 != 0)
		return false;
	pc -= *before * 4;
	for (size_t i = 0; i < *before + *after; i++, pc += 4) {
		if (!fetch(w, pc & ~(uintptr_t)7, &word))
			return false;
		code[i] = (uint32_t)(word >> 8 * (pc % 8));
	}
	return true;
}

/* The frame, if the instructions tell more of it than the rule. */
static bool find_edge(const uint64_t *code, size_t before, size_t after,
		      const struct pyro_rule *rule, struct pyro_edge *edge)
{
	bool by_sp = rule->cfa == PYRO_CFA_SP;
	bool is_leaf = by_sp && (rule->flags & PYRO_RULE_RA_REG);

	if (rule->cfa == PYRO_CFA_END || rule->cfa == PYRO_CFA_SIGNAL)
		return false;
	if (pyro_edge_end(code, before, after, by_sp && rule->cfa_off > 0,
			  edge))
		return true;
	if (is_leaf && rule->cfa_off == 0)
		return pyro_edge_begin(code, before, edge);
	*edge = (struct pyro_edge){0};
	return is_leaf && pyro_edge_is_early(code, after, rule->cfa_off);
}

static uintptr_t edge_address(const struct walker *w,
			      const struct pyro_edge_place *place)
{
	return (place->by_fp ? w->regs.fp : w->regs.sp) +
	       (uintptr_t)(intptr_t)place->off;
}

/* Leave the top frame, if its function is just beginning or ending. Returns how
 * many frames that was. The instructions are kept where there is room for frames:
 * the stack that may be used does not reach. */
static __attribute__((noinline)) size_t step_by_edge(struct walker *w,
						     uint64_t *pc, size_t max)
{
	uintptr_t cfa, top = w->regs.pc, ra = w->regs.lr, fp = w->regs.fp;
	const struct pyro_map *map =
		w->snapshot ? pyro_snapshot_find(w->snapshot, top) : NULL;
	const struct pyro_rule *rule =
		map && map->table
			? pyro_unwind_rule(map->table, top - map->bias)
			: NULL;
	size_t before, after;
	struct pyro_edge edge;

	if (!rule || max < CHUNK_WORDS + 2 * PYRO_EDGE_WORDS ||
	    !copy_code(w, map, pc, &before, &after) ||
	    !find_edge(pc + before, before, after, rule, &edge))
		return 0;
	cfa = edge_address(w, &edge.cfa);
	if (cfa < w->regs.sp || cfa % PYRO_STACK_ALIGN != 0 ||
	    (edge.ra_saved && !load(w, edge_address(w, &edge.ra_at), &ra)) ||
	    (edge.fp_saved && !load(w, edge_address(w, &edge.fp_at), &fp)))
		return 0;
	ra = pyro_strip_return_address(ra);
	if (!is_return_address(w, ra))
		return 0;
	enter_caller(w, ra, cfa);
	w->regs.fp = fp;
	pc[0] = top;
	return 1;
}

const char *pyro_stop_name(enum pyro_stop stop)
{
	static const char *const name[PYRO_STOP_COUNT] = {
		"complete", "depth",    "gap",       "expression",
		"register", "bounds",   "progress",  "unmapped",
		"pending",  "unloaded", "unreached",
	};

	return stop < PYRO_STOP_COUNT ? name[stop] : "unknown";
}

/* Below sp lies what this walk itself stands on: that page is no other's. */
static void trust_page(struct walker *w, uintptr_t below)
{
	uintptr_t sp = w->regs.sp;

	w->own_page = sp > below && sp - below < SIGNAL_FRAME_MAX
			      ? (sp - 1) & PAGE_MASK
			      : NO_CHUNK;
}

size_t pyro_unwind_signal(const struct pyro_snapshot *snapshot,
			  const ucontext_t *context, struct pyro_stack stack,
			  uint64_t *pc, size_t max, struct pyro_walk *walk)
{
	uintptr_t gregs = (uintptr_t)context + PYRO_UCONTEXT_GREGS;
	struct walker w = {
		.snapshot = snapshot,
		.own = stack,
		.own_page = gregs & PAGE_MASK, /* the kernel has just written */
	};

	make_room(&w, pc, 0, max);
	w.chunk_at = NO_CHUNK;
	if (!load_gregs(&w, gregs)) {
		walk->stop = PYRO_STOP_BOUNDS;
		walk->signal_frame = false;
		return 0;
	}
	trust_page(&w, gregs);
	return walk_all(&w, pc,
			PYRO_DECODES_EDGES ? step_by_edge(&w, pc, max) : 0, max,
			walk);
}

size_t pyro_unwind_regs(const struct pyro_snapshot *snapshot,
			const struct pyro_regs *regs, struct pyro_stack stack,
			uint64_t *pc, size_t max, struct pyro_walk *walk)
{
	struct walker w = {
		.snapshot = snapshot,
		.own = stack,
		.regs = *regs,
		.chunk_at = NO_CHUNK,
		.interrupted = true,
	};

	choose_stack(&w);
	trust_page(&w, (uintptr_t)&w);
	return walk_all(&w, pc, 0, max, walk);
}

#endif
