// SPDX-License-Identifier: Apache-2.0
/* main.c - says whether it was built with profiling, and that it runs */
#include <pyroscope/pyroscope.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	pyroscope_load("http://127.0.0.1:1");
	if (PYROSCOPE_ENABLED &&
	    strcmp(pyroscope_version(), PYROSCOPE_VERSION_STRING) != 0)
		return 1;
	pyroscope_stop(0);
	puts(PYROSCOPE_ENABLED ? "on" : "off");
	return 0;
}
