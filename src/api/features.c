// SPDX-License-Identifier: Apache-2.0
/* features.c - what the library can do in this process */
#include "api/session.h"
#include "base/library.h"
#include "transport/resolve.h"

uint32_t pyroscope_features(void)
{
	uint32_t features = 0;

	if (!pyro_session_is_refused())
		features |= PYROSCOPE_FEATURE_CPU | PYROSCOPE_FEATURE_HEAP;
	if (pyro_library_can_load())
		features |= PYROSCOPE_FEATURE_HTTPS | PYROSCOPE_FEATURE_LINES;
	if (pyro_resolver_is_there())
		features |= PYROSCOPE_FEATURE_RESOLVER;
	return features;
}
