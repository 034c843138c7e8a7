// SPDX-License-Identifier: Apache-2.0
/* main.cpp - the same from C++, by its header */
#include <pyroscope/pyroscope.hpp>
#include <cstdio>
#include <string>

int main()
{
	PYROSCOPE_LABELS_SCOPE("from", "C++");

	pyroscope_load("http://127.0.0.1:1");
	if (PYROSCOPE_ENABLED &&
	    std::string(pyroscope_version()) != PYROSCOPE_VERSION_STRING)
		return 1;
	pyroscope_stop(0);
	std::puts(PYROSCOPE_ENABLED ? "on" : "off");
	return 0;
}
