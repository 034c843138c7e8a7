// SPDX-License-Identifier: Apache-2.0
/* synth_state.c - what instructions do to the frame of their function */
#include "image/synth_state.h"

#include <string.h>

#define FRAME_MAX (1 << 28)

static void move_sp(struct pyro_synth_state *state, int64_t by)
{
	int64_t off = state->sp_off - by;

	if (by < -FRAME_MAX || by > FRAME_MAX || off < 8 || off > FRAME_MAX)
		state->has_sp = false;
	else
		state->sp_off = (int32_t)off;
}

/* rbp or rbx is stored at CFA + at; the first time that is the caller's value,
 * as compilers save it before they use it. */
static void save(struct pyro_synth_state *state, uint8_t reg, int64_t at)
{
	int16_t *slot = reg == PYRO_INSN_RBP   ? &state->fp_at
			: reg == PYRO_INSN_RBX ? &state->rbx_at
					       : NULL;

	if (slot && *slot == 0 && at <= -16 && at >= INT16_MIN)
		*slot = (int16_t)at;
}

static void pop(struct pyro_synth_state *state, const struct pyro_insn *insn)
{
	bool is_saved = state->has_sp && state->sp_off == -state->fp_at;

	if (insn->reg == PYRO_INSN_RBP) {
		state->has_fp = false;
		state->lost_fp = !is_saved && state->fp_at == 0;
		if (is_saved)
			state->fp_at = 0;
	}
	if (insn->reg == PYRO_INSN_RBX && state->has_sp &&
	    state->sp_off == -state->rbx_at)
		state->rbx_at = 0;
	move_sp(state, insn->value);
	if (insn->reg == PYRO_INSN_RSP)
		state->has_sp = false;
}

static void leave(struct pyro_synth_state *state)
{
	state->has_sp = state->has_fp;
	state->sp_off = state->fp_off;
	state->has_fp = false;
	move_sp(state, 8);
	state->fp_at = 0;
}

static void set_sp(struct pyro_synth_state *state, const struct pyro_insn *insn)
{
	state->has_sp = insn->reg == PYRO_INSN_RBP && state->has_fp;
	state->sp_off = state->fp_off;
	if (state->has_sp)
		move_sp(state, insn->value);
}

static void set_fp(struct pyro_synth_state *state, const struct pyro_insn *insn)
{
	int64_t off = state->sp_off - insn->value;

	state->has_fp = state->has_sp && off > -FRAME_MAX && off < FRAME_MAX;
	state->fp_off = state->has_fp ? (int32_t)off : 0;
	state->lost_fp = state->fp_at == 0;
}

void pyro_synth_apply(struct pyro_synth_state *state,
		      const struct pyro_insn *insn)
{
	if (state->kind != PYRO_SYNTH_FRAME)
		return;
	switch ((enum pyro_insn_kind)insn->kind) {
	case PYRO_INSN_PUSH:
		move_sp(state, -insn->value);
		if (state->has_sp)
			save(state, insn->reg, -state->sp_off);
		break;
	case PYRO_INSN_POP:
		pop(state, insn);
		break;
	case PYRO_INSN_ADD_SP:
		move_sp(state, insn->value);
		break;
	case PYRO_INSN_SET_SP:
		set_sp(state, insn);
		break;
	case PYRO_INSN_LOSE_SP:
		state->has_sp = false;
		break;
	case PYRO_INSN_SET_FP:
		set_fp(state, insn);
		break;
	case PYRO_INSN_STORE:
		if (state->has_sp && insn->value > -FRAME_MAX)
			save(state, insn->reg, insn->value - state->sp_off);
		break;
	case PYRO_INSN_LEAVE:
		leave(state);
		break;
	default:
		break;
	}
	if (insn->writes_fp) {
		state->has_fp = false;
		state->lost_fp = state->fp_at == 0;
	}
	/* Equal states have equal bytes. */
	if (!state->has_sp)
		state->sp_off = 0;
	if (!state->has_fp)
		state->fp_off = 0;
	if (!state->has_sp && !state->has_fp) {
		memset(state, 0, sizeof(*state));
		state->kind = PYRO_SYNTH_LOST;
	}
}

struct pyro_rule pyro_synth_rule(const struct pyro_synth_state *state)
{
	struct pyro_rule rule = {.cfa = PYRO_CFA_GAP};

	switch ((enum pyro_synth_kind)state->kind) {
	case PYRO_SYNTH_GAP:
	case PYRO_SYNTH_LOST:
		return rule;
	case PYRO_SYNTH_END:
		rule.cfa = PYRO_CFA_END;
		return rule;
	case PYRO_SYNTH_SIGNAL:
		rule.cfa = PYRO_CFA_SIGNAL;
		return rule;
	case PYRO_SYNTH_FRAME:
		break;
	}
	rule.cfa = state->has_sp ? PYRO_CFA_SP : PYRO_CFA_FP;
	rule.cfa_off = state->has_sp ? state->sp_off : state->fp_off;
	rule.ra_off = -8;
	if (state->fp_at) {
		rule.flags |= PYRO_RULE_FP_SAVED;
		rule.fp_off = state->fp_at;
	} else if (state->lost_fp) {
		rule.flags |= PYRO_RULE_FP_LOST;
	}
	if (state->rbx_at) {
		rule.flags |= PYRO_RULE_RBX_SAVED;
		rule.rbx_off = state->rbx_at;
	}
	return rule;
}
