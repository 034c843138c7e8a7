// SPDX-License-Identifier: Apache-2.0
/* identity.h - under which name and labels a process's profiles are found */
#ifndef PYRO_API_IDENTITY_H
#define PYRO_API_IDENTITY_H

#include "api/config.h"
#include "settings/settings.h"

/* Set application_name, hostname and tags of config, whose symbolize is set. 0, or
 * -EINVAL after a log line: code has set what is bad. */
int pyro_identity_load(struct pyro_config *config,
		       const struct pyro_settings *settings,
		       const struct pyroscope_config *code);

/* What pyroscope_set_app_name() was given; NULL or "" for none. 0 or -EINVAL. */
int pyro_identity_set_app_name(const char *name);

/* In a forked child: nobody is at it. */
void pyro_identity_forked(void);

#endif
