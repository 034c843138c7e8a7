// SPDX-License-Identifier: Apache-2.0
/* view.h - a profile as a page */
#ifndef PYRO_CLI_VIEW_H
#define PYRO_CLI_VIEW_H

#include "base/buf.h"
#include "profile/profile.h"

/* Append one self-contained HTML page with the flame graph of the profile's value
 * number `type`; of the heap the page can show the others, too. Nothing in the profile or title can leave its place in the page.
 * 0 or -ENOMEM. */
int pyro_view_write(const struct pyro_profile *profile, size_t type,
		    const char *title, struct pyro_buf *out);

#endif
