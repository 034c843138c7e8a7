// SPDX-License-Identifier: Apache-2.0
/* scope.c - a scope with a label around a call, compiled as C, as C++, and as a
 * release build of both; with BARE the call alone, which the latter must equal */
#ifdef __cplusplus
#include <pyroscope/pyroscope.hpp>
#else
#include <pyroscope/pyroscope.h>
#endif
#include "calls.h"

void SCOPE(const char *value)
{
#ifndef BARE
	PYROSCOPE_LABELS_SCOPE("route", value);
#endif
	(void)value;
	nothing();
}
