// SPDX-License-Identifier: Apache-2.0
/* on.c - the page of the on-word */
#include "base/on.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/arena.h"

static struct pyro_on_page never = {.owned = 1};

struct pyro_on_page *_Atomic pyro_on_page = &never;

int pyro_on_init(void)
{
	if (pyro_on_page != &never) {
		/* Wiped if this is a child of a process that had stopped. */
		atomic_store(&pyro_on_page->owned, 1);
		return 0;
	}

	struct pyro_on_page *page = pyro_pages_alloc(sizeof(*page));

	if (!page)
		return -ENOMEM;
	if (madvise(page, 4096, MADV_WIPEONFORK) != 0) {
		pyro_pages_free(page, sizeof(*page));
		return -ENOSYS;
	}
	atomic_store(&page->owned, 1);
	pyro_on_page = page;
	return 0;
}
