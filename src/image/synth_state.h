// SPDX-License-Identifier: Apache-2.0
/* synth_state.h - where the frame is at an instruction (used by synth.c only) */
#ifndef PYRO_IMAGE_SYNTH_STATE_H
#define PYRO_IMAGE_SYNTH_STATE_H

#include "image/insn_x86.h"
#include "image/tables.h"

enum pyro_synth_kind {
	PYRO_SYNTH_GAP,  /* nothing came by */
	PYRO_SYNTH_LOST, /* code, but where its frame is nobody can tell */
	PYRO_SYNTH_FRAME,
	PYRO_SYNTH_END,   /* nothing called this code */
	PYRO_SYNTH_SIGNAL /* signal trampoline */
};

struct pyro_synth_state {
	uint8_t kind; /* enum pyro_synth_kind */
	bool has_sp, has_fp, lost_fp;
	int32_t sp_off; /* CFA = rsp + sp_off, if has_sp */
	int32_t fp_off; /* CFA = rbp + fp_off, if has_fp */
	int16_t fp_at;  /* rbp's saved value, from the CFA; 0: not saved */
	int16_t rbx_at;
};

/* What is true before an instruction becomes what is true behind it. Equal
 * states have equal bytes, if they were zeroed before they were first set. */
void pyro_synth_apply(struct pyro_synth_state *state,
		      const struct pyro_insn *insn);
struct pyro_rule pyro_synth_rule(const struct pyro_synth_state *state);

#endif
