// SPDX-License-Identifier: Apache-2.0
/* arch.h - what the unwinder must know of the processor */
#ifndef PYRO_CAPTURE_ARCH_H
#define PYRO_CAPTURE_ARCH_H

#include <ucontext.h>

#include "base/util.h"

/* The registers that a walk carries from frame to frame. */
struct pyro_regs {
	uintptr_t pc, sp, fp;
	uintptr_t rbx; /* x86_64 */
	uintptr_t lr;  /* aarch64 */
};

/* A test walks aarch64 stacks on another processor. */
#if defined(__aarch64__) || defined(PYRO_WALK_AARCH64)
#include "capture/arch_aarch64.h"
#elif defined(__x86_64__)
#include "capture/arch_x86_64.h"
#else
#error "x86_64 and aarch64 only"
#endif

#endif
