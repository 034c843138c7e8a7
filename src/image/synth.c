// SPDX-License-Identifier: Apache-2.0
/* synth.c - unwind rules for x86_64 code that has no CFI
 *
 * musl is built without CFI, and so is much assembler. What CFI would say - how
 * far rsp is from the CFA - follows from the instructions: a function begins with
 * the return address on top of the stack, and each push, pop and sub moves it by
 * a known distance. All paths of a function agree about it at each instruction,
 * so each is looked at once, along the first path that comes by:
 *
 *   1. from the functions that are known, and those they call;
 *   2. from what may be functions: addresses that the code takes, relocations;
 *   3. from what is left: the targets of jump tables, which go on where the
 *      table's jump stands, and functions that nobody names.
 *
 * Where rsp is set to something unknown (alloca, realignment), rbp has the frame
 * if it was made a frame pointer before. A jump out of a function with something
 * on the stack leads to a part of it that the compiler put elsewhere: that part
 * is looked at again. No address is looked at more than twice. */
#include "image/synth.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/table.h"
#include "image/synth_state.h"

#define STATES_MAX 65535
#define PADDING_MAX 15
#define FIT_MAX 512

enum {
	FLAG_LOCAL = 1,  /* a function or a part of one begins here */
	FLAG_CALLED = 2, /* a function does */
	FLAG_AGAIN = 4   /* was looked at for the second time */
};

/* What is kept of an instruction: its length, and whether it is a call or a jump
 * to what is not known. */
#define SEEN_LEN 15
#define SEEN_TURNS 16

/* Of each byte of the code. */
struct mark {
	uint16_t state; /* before the instruction that begins here; 0: none */
	uint8_t flags;
	uint8_t seen; /* SEEN_LEN | SEEN_TURNS, once it was decoded */
};

struct job {
	uint64_t at;
	uint16_t state;
	bool again;
};

/* The arrays, with what they have room for, stay from one piece of code to the
 * next, and so do the states. */
struct pyro_synth {
	const struct pyro_synth_code *code;
	struct mark *mark;
	size_t mark_cap;
	struct pyro_synth_state *state;
	size_t state_count, state_cap;
	struct pyro_table index;
	struct job *job;
	size_t job_count, job_cap;
	uint64_t *address; /* that the code takes */
	size_t address_count, address_cap;
	bool sweeping;
	size_t fits_left; /* instructions that may be looked at to guess */
	bool failed;
};

static bool same_state(const void *owner, uint32_t item, const void *key)
{
	const struct pyro_synth *s = owner;

	return memcmp(&s->state[item], key, sizeof(*s->state)) == 0;
}

/* A number for a state; 0, the gap, when there are too many. */
static uint16_t number_of(struct pyro_synth *s,
			  const struct pyro_synth_state *state)
{
	uint64_t hash = pyro_hash(state, sizeof(*state), 0);
	uint32_t i = pyro_table_find(&s->index, hash, same_state, s, state);

	if (i != PYRO_TABLE_NONE)
		return (uint16_t)i;
	if (s->state_count >= STATES_MAX)
		return 0;

	struct pyro_synth_state *grown = pyro_array_grow(
		s->state, &s->state_cap, s->state_count + 1, sizeof(*grown));

	if (grown)
		s->state = grown;
	if (!grown ||
	    pyro_table_add(&s->index, hash, (uint32_t)s->state_count)) {
		s->failed = true;
		return 0;
	}
	s->state[s->state_count] = *state;
	return (uint16_t)s->state_count++;
}

static uint16_t of_kind(struct pyro_synth *s, enum pyro_synth_kind kind)
{
	struct pyro_synth_state state;

	memset(&state, 0, sizeof(state));
	state.kind = (uint8_t)kind;
	if (kind == PYRO_SYNTH_FRAME) {
		state.has_sp = true;
		state.sp_off = 8;
	}
	return number_of(s, &state);
}

static bool holds(const struct pyro_synth *s, uint64_t at)
{
	return at - s->code->lo < s->code->len;
}

static bool decode(const struct pyro_synth *s, uint64_t at,
		   struct pyro_insn *insn)
{
	size_t off = (size_t)(at - s->code->lo);

	return pyro_insn_decode(s->code->bytes + off, s->code->len - off, at,
				insn);
}

static void push_job(struct pyro_synth *s, uint64_t at, uint16_t state,
		     bool again)
{
	struct job *grown = pyro_array_grow(s->job, &s->job_cap,
					    s->job_count + 1, sizeof(*grown));

	if (!grown) {
		s->failed = true;
		return;
	}
	s->job = grown;
	s->job[s->job_count++] = (struct job){at, state, again};
}

static void add_address(struct pyro_synth *s, uint64_t at)
{
	uint64_t *grown = pyro_array_grow(s->address, &s->address_cap,
					  s->address_count + 1, sizeof(*grown));

	if (!grown) {
		s->failed = true;
		return;
	}
	s->address = grown;
	s->address[s->address_count++] = at;
}

static bool has_frame(const struct pyro_synth_state *state)
{
	return state->kind == PYRO_SYNTH_FRAME &&
	       (state->has_fp || !state->has_sp || state->sp_off != 8);
}

/* The target of a jump or branch. */
static void go_to(struct pyro_synth *s, uint64_t at, uint16_t state)
{
	if (!holds(s, at))
		return;

	size_t off = (size_t)(at - s->code->lo);
	bool again = s->mark[off].flags == FLAG_LOCAL && !s->sweeping &&
		     has_frame(&s->state[state]);

	if (again || !s->mark[off].state)
		push_job(s, at, state, again);
}

static void call(struct pyro_synth *s, uint64_t at)
{
	if (at == 0 || !holds(s, at))
		return;

	size_t off = (size_t)(at - s->code->lo);

	s->mark[off].flags |= FLAG_CALLED;
	if (!s->mark[off].state)
		push_job(s, at, of_kind(s, PYRO_SYNTH_FRAME), false);
}

/* Returns whether the next instruction follows. */
static bool follow(struct pyro_synth *s, const struct pyro_insn *insn,
		   uint16_t state)
{
	uint64_t target = (uint64_t)insn->value;

	switch ((enum pyro_insn_kind)insn->kind) {
	case PYRO_INSN_BRANCH:
		go_to(s, target, state);
		return true;
	case PYRO_INSN_JUMP:
		if (target)
			go_to(s, target, state);
		return false;
	case PYRO_INSN_CALL:
		call(s, target);
		return true;
	case PYRO_INSN_CONSTANT:
		if (s->code->is_absolute && holds(s, target))
			add_address(s, target);
		return true;
	case PYRO_INSN_ADDRESS:
		if (holds(s, target))
			add_address(s, target);
		return true;
	case PYRO_INSN_RETURN:
	case PYRO_INSN_STOP:
		return false;
	default:
		return true;
	}
}

static bool is_padding(const struct pyro_synth *s, uint64_t at,
		       const struct pyro_insn *insn)
{
	const unsigned char *p = s->code->bytes + (at - s->code->lo);
	size_t i = 0;

	while (i + 1 < insn->len && (p[i] == 0x66 || p[i] == 0x2e))
		i++;
	return p[i] == 0x90 || p[i] == 0xcc ||
	       (p[i] == 0x0f && i + 1 < insn->len && p[i + 1] == 0x1f);
}

/* Behind a call that never returns, another function may begin. */
static bool may_begin(const struct pyro_synth *s, uint64_t at)
{
	struct pyro_insn insn;

	return s->code->is_code && holds(s, at) &&
	       (at % 16 == 0 ||
		(decode(s, at, &insn) && is_padding(s, at, &insn)));
}

static uint8_t see(const struct pyro_insn *insn)
{
	bool turns = insn->kind == PYRO_INSN_CALL ||
		     (insn->kind == PYRO_INSN_JUMP && insn->value == 0);

	return insn->len | (turns ? SEEN_TURNS : 0);
}

/* From one instruction on to where no next one follows, or it is known. */
static void run_job(struct pyro_synth *s, struct job job)
{
	struct pyro_synth_state state = s->state[job.state];
	bool first = true;

	for (uint64_t at = job.at; holds(s, at) && !s->failed;) {
		size_t off = (size_t)(at - s->code->lo);
		struct pyro_insn insn;

		if (job.again ? s->mark[off].flags & FLAG_AGAIN
			      : s->mark[off].state)
			return;
		/* One function does not fall into the next. */
		if (!first && (s->mark[off].flags & (FLAG_LOCAL | FLAG_CALLED)))
			return;
		if (!decode(s, at, &insn))
			return;
		if (job.again)
			s->mark[off].flags |= FLAG_AGAIN;
		s->mark[off].seen = see(&insn);
		s->mark[off].state = job.state;
		pyro_synth_apply(&state, &insn);
		if (memcmp(&state, &s->state[job.state], sizeof(state)) != 0)
			job.state = number_of(s, &state);
		if (!follow(s, &insn, job.state))
			return;
		at += insn.len;
		first = false;
		if (insn.kind == PYRO_INSN_CALL && may_begin(s, at))
			return;
	}
}

static void run_jobs(struct pyro_synth *s)
{
	while (s->job_count > 0 && !s->failed)
		run_job(s, s->job[--s->job_count]);
}

static void begin(struct pyro_synth *s, uint64_t at, enum pyro_synth_kind kind)
{
	if (!holds(s, at) || s->mark[at - s->code->lo].state)
		return;
	push_job(s, at, of_kind(s, kind), false);
	run_jobs(s);
}

static bool stands_at(const struct pyro_synth *s, size_t off, const void *bytes,
		      size_t len)
{
	return len <= s->code->len - off &&
	       memcmp(s->code->bytes + off, bytes, len) == 0;
}

/* xor ebp, ebp marks the outermost frame (System V ABI 3.4.1); it is done by the
 * program's entry, and by what clone() starts a thread with: then pop rdi; call
 * *r9 follow, in musl. glibc's loader begins with mov rsp, rdi. */
static void find_ends(struct pyro_synth *s)
{
	static const unsigned char marks[] = {0x31, 0xed};
	static const unsigned char marks_64[] = {0x48, 0x31, 0xed};
	static const unsigned char loader[] = {0x48, 0x89, 0xe7};
	static const unsigned char endbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
	static const unsigned char child[] = {0x31, 0xed, 0x5f,
					      0x41, 0xff, 0xd1};
	const struct pyro_synth_code *c = s->code;

	if (c->entry && holds(s, c->entry)) {
		size_t off = (size_t)(c->entry - c->lo);

		if (stands_at(s, off, endbr, sizeof(endbr)))
			off += sizeof(endbr);
		if (stands_at(s, off, marks, sizeof(marks)) ||
		    stands_at(s, off, marks_64, sizeof(marks_64)) ||
		    stands_at(s, off, loader, sizeof(loader)))
			begin(s, c->entry, PYRO_SYNTH_END);
	}
	for (const unsigned char *at = c->bytes;
	     (at = memmem(at, c->len - (size_t)(at - c->bytes), child,
			  sizeof(child)));
	     at++)
		begin(s, c->lo + (uint64_t)(at - c->bytes), PYRO_SYNTH_END);
}

/* mov $15, rax; syscall: what a signal handler returns to. The address before
 * it is looked up then, and belongs to it if it is padding. */
static void find_trampolines(struct pyro_synth *s)
{
	static const unsigned char restorer[] = {0x48, 0xc7, 0xc0, 0x0f, 0,
						 0,    0,    0x0f, 0x05};
	const struct pyro_synth_code *c = s->code;

	for (const unsigned char *at = c->bytes;
	     (at = memmem(at, c->len - (size_t)(at - c->bytes), restorer,
			  sizeof(restorer)));
	     at++) {
		size_t off = (size_t)(at - c->bytes);

		if (off > 0 && at[-1] == 0x90)
			s->mark[off - 1].state = of_kind(s, PYRO_SYNTH_SIGNAL);
		s->mark[off].state = s->mark[off + 7].state =
			of_kind(s, PYRO_SYNTH_SIGNAL);
	}
}

static void mark(struct pyro_synth *s, const uint64_t *at, size_t count,
		 int flag)
{
	for (size_t i = 0; i < count; i++)
		if (holds(s, at[i]))
			s->mark[at[i] - s->code->lo].flags |= (uint8_t)flag;
}

/* Compilers align functions, or put them behind the end of another; what a jump
 * by addresses of labels leads to stands anywhere, and is no function. */
static bool looks_like_start(const struct pyro_synth *s, uint64_t at)
{
	if (!holds(s, at) || at % 16 == 0 || at == s->code->lo)
		return true;

	unsigned char before = s->code->bytes[at - s->code->lo - 1];

	return before == 0xc3 || before == 0x90 || before == 0xcc;
}

static void begin_likely(struct pyro_synth *s, uint64_t at)
{
	if (looks_like_start(s, at))
		begin(s, at, PYRO_SYNTH_FRAME);
}

static void begin_all(struct pyro_synth *s, const uint64_t *at, size_t count)
{
	for (size_t i = 0; i < count && !s->failed; i++)
		begin(s, at[i], PYRO_SYNTH_FRAME);
}

/* What compilers write at the begin of functions, and hardly where the cases of
 * a switch begin, which are aligned as well. */
static bool is_prologue(const struct pyro_synth *s, uint64_t at)
{
	static const unsigned char endbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
	struct pyro_insn insn;

	if (at % 16 != 0 || !decode(s, at, &insn))
		return false;
	return (insn.kind == PYRO_INSN_PUSH && insn.reg != PYRO_INSN_NO_REG) ||
	       (insn.kind == PYRO_INSN_ADD_SP && insn.value < 0) ||
	       stands_at(s, (size_t)(at - s->code->lo), endbr, sizeof(endbr));
}

enum fit {
	FIT_BAD,
	FIT_UNKNOWN,
	FIT_GOOD
};

/* Does a path from here on end as one must that begins with this state? It
 * returns, or leaves, with nothing on the stack, or comes to where the state is
 * known. */
static enum fit fit(struct pyro_synth *s, uint64_t at, uint16_t number)
{
	struct pyro_synth_state state = s->state[number];

	for (int n = 0; n < FIT_MAX && holds(s, at) && s->fits_left > 0; n++) {
		struct pyro_insn insn;
		uint16_t known = s->mark[at - s->code->lo].state;

		s->fits_left--;
		if (state.kind != PYRO_SYNTH_FRAME || !decode(s, at, &insn))
			return FIT_BAD;
		if (known)
			return s->state[known].kind == state.kind &&
					       s->state[known].sp_off ==
						       state.sp_off
				       ? FIT_GOOD
				       : FIT_BAD;
		if (insn.kind == PYRO_INSN_RETURN)
			return state.sp_off == 8 ? FIT_GOOD : FIT_BAD;
		if (insn.kind == PYRO_INSN_STOP ||
		    (insn.kind == PYRO_INSN_JUMP && insn.value == 0))
			return FIT_UNKNOWN;
		pyro_synth_apply(&state, &insn);
		at += insn.len;
		if (insn.kind == PYRO_INSN_JUMP) {
			at = (uint64_t)insn.value;
			if (!holds(s, at))
				return state.sp_off == 8 ? FIT_GOOD : FIT_BAD;
		} else if (holds(s, at) && s->mark[at - s->code->lo].flags) {
			return FIT_UNKNOWN; /* behind a call: exit() */
		}
	}
	return FIT_UNKNOWN;
}

/* What most likely holds where no path leads to: as behind the call before it, as
 * at the last jump by a table, or as at the beginning of a function. */
static uint16_t guess(struct pyro_synth *s, uint64_t at, uint16_t behind,
		      uint16_t jump, bool padded)
{
	uint16_t fresh = of_kind(s, PYRO_SYNTH_FRAME);
	const uint16_t candidate[] = {behind, jump, fresh};
	enum fit best_fit = FIT_BAD;
	uint16_t likely = behind ? behind : jump;
	uint16_t best =
		likely && !(padded && is_prologue(s, at)) ? likely : fresh;

	for (size_t i = 0; i < PYRO_COUNT_OF(candidate); i++) {
		enum fit f = candidate[i] ? fit(s, at, candidate[i]) : FIT_BAD;

		if (f > best_fit && (f == FIT_GOOD || candidate[i] == best)) {
			best_fit = f;
			best = candidate[i];
		}
	}
	return best;
}

/* Code that no path leads to: the targets of jumps by a table stand behind
 * them, most often. What neither stands so nor begins as functions do is left to
 * the second time: it may be a part of a function that the compiler put far away,
 * and jump back into it; by then, the function has led there. */
static void sweep(struct pyro_synth *s, bool all)
{
	uint16_t behind = 0, jump = 0;
	bool was_padded = true;
	uint64_t hi = s->code->lo + s->code->len;

	s->sweeping = true;
	for (uint64_t at = s->code->lo; at < hi && !s->failed;) {
		size_t off = (size_t)(at - s->code->lo);
		struct pyro_insn insn = {.len = s->mark[off].seen & SEEN_LEN};
		bool is_new = insn.len == 0, padded;

		if ((is_new || s->mark[off].seen & SEEN_TURNS) &&
		    !decode(s, at, &insn)) {
			at++;
			continue;
		}
		if (s->mark[off].flags & (FLAG_LOCAL | FLAG_CALLED))
			behind = jump = 0;
		padded = is_new && !s->mark[off].state &&
			 is_padding(s, at, &insn);
		if (!s->mark[off].state && !padded &&
		    (all || behind || jump || is_prologue(s, at))) {
			push_job(s, at, guess(s, at, behind, jump, was_padded),
				 false);
			run_jobs(s);
		}

		uint16_t here = s->mark[off].state;

		if (here && insn.kind == PYRO_INSN_JUMP && insn.value == 0)
			jump = here;
		if (!padded)
			behind = insn.kind == PYRO_INSN_CALL ? here : 0;
		was_padded = padded;
		at += insn.len;
	}
}

static void explore(struct pyro_synth *s)
{
	const struct pyro_synth_code *c = s->code;

	find_trampolines(s);
	find_ends(s);
	mark(s, c->start, c->start_count, FLAG_CALLED);
	mark(s, c->local, c->local_count, FLAG_LOCAL);
	begin_all(s, c->start, c->start_count);
	begin_all(s, c->local, c->local_count);
	for (size_t i = 0; i < c->maybe_count && !s->failed; i++)
		begin_likely(s, c->maybe[i]);
	/* Grows meanwhile. */
	for (size_t i = 0; i < s->address_count && !s->failed; i++)
		begin_likely(s, s->address[i]);
	/* In assembler, of which there may be no more, nothing looks like that. */
	if (c->is_code && c->start_count)
		sweep(s, false);
	if (c->is_code)
		sweep(s, true);
}

/* Padding goes with what is before it. */
static void emit(const struct pyro_synth *s, pyro_synth_row_fn *row, void *arg)
{
	uint64_t lo = s->code->lo, hi = lo + s->code->len, done = lo;
	struct pyro_rule rule = {.cfa = PYRO_CFA_GAP};

	for (uint64_t at = lo; at < hi;) {
		uint16_t state = s->mark[at - lo].state;
		struct pyro_insn insn = {.len = s->mark[at - lo].seen &
						SEEN_LEN};

		/* Of trampolines, the bytes were looked at. */
		if (!state || (!insn.len && !decode(s, at, &insn))) {
			at++;
			continue;
		}
		if (at - done > PADDING_MAX) {
			struct pyro_rule gap = {.cfa = PYRO_CFA_GAP};
			row(arg, at, &gap);
		} else if (at > done) {
			row(arg, at, &rule);
		}
		rule = pyro_synth_rule(&s->state[state]);
		at = done = pyro_min(at + insn.len, hi);
		row(arg, done, &rule);
	}
	if (done < hi) {
		if (hi - done > PADDING_MAX)
			rule = (struct pyro_rule){.cfa = PYRO_CFA_GAP};
		row(arg, hi, &rule);
	}
}

struct pyro_synth *pyro_synth_new(void)
{
	struct pyro_synth *s = pyro_pages_alloc(sizeof(*s));

	if (s && of_kind(s, PYRO_SYNTH_GAP) == 0 && !s->failed)
		return s; /* the gap is state number 0 */
	pyro_synth_free(s);
	return NULL;
}

void pyro_synth_free(struct pyro_synth *s)
{
	if (!s)
		return;
	pyro_pages_free(s->mark, s->mark_cap * sizeof(*s->mark));
	pyro_pages_free(s->state, s->state_cap * sizeof(*s->state));
	pyro_table_free(&s->index);
	pyro_pages_free(s->job, s->job_cap * sizeof(*s->job));
	pyro_pages_free(s->address, s->address_cap * sizeof(*s->address));
	pyro_pages_free(s, sizeof(*s));
}

int pyro_synth_rows(struct pyro_synth *s, const struct pyro_synth_code *code,
		    pyro_synth_row_fn *row, void *arg)
{
	struct mark *grown = pyro_array_grow(s->mark, &s->mark_cap, code->len,
					     sizeof(*grown));

	if (!grown && code->len)
		return -ENOMEM;
	s->mark = grown;
	if (code->len)
		memset(s->mark, 0, code->len * sizeof(*s->mark));
	s->code = code;
	s->job_count = s->address_count = 0;
	s->sweeping = s->failed = false;
	s->fits_left = 8 * code->len;
	explore(s);
	if (s->failed)
		return -ENOMEM;
	emit(s, row, arg);
	return 0;
}
