// SPDX-License-Identifier: Apache-2.0
/* on.h - the one word that says whether this process is being profiled
 *
 * It lives in a page that reads as zero in every forked child, however it was
 * forked (fork, _Fork, raw clone), and is shared with a vfork child, which
 * must notice nothing. */
#ifndef PYRO_BASE_ON_H
#define PYRO_BASE_ON_H

#include <stdatomic.h>

#include "base/util.h"

enum pyro_on {
	PYRO_ON_NO,       /* never started, stopped, or a forked child */
	PYRO_ON_CHILD,    /* a forked child that samples, without collector */
	PYRO_ON_STARTING, /* threads are announced, but no timer runs yet */
	PYRO_ON_YES
};

struct pyro_on_page {
	_Atomic uint32_t on;
	_Atomic uint32_t owned; /* 1: not wiped since somebody set it up */
	/* CLOCK_MONOTONIC when the child began; in its own wiped page too. */
	_Atomic uint64_t child_since_ns;
	/* When it may try again to start a thread, as there was none; 0: it has
	 * not tried. */
	_Atomic uint64_t child_retry_ns;
};

/* Never NULL: before init it points to a constant "no". */
extern struct pyro_on_page *_Atomic pyro_on_page;

/* 0, or -ENOSYS when the kernel cannot wipe pages (before 4.14). Once. */
int pyro_on_init(void);

static inline enum pyro_on pyro_on_get(void)
{
	struct pyro_on_page *page =
		atomic_load_explicit(&pyro_on_page, memory_order_acquire);

	return (enum pyro_on)atomic_load_explicit(&page->on,
						  memory_order_acquire);
}

static inline void pyro_on_set(enum pyro_on on)
{
	atomic_store_explicit(&pyro_on_page->on, on, memory_order_release);
}

#endif
