// SPDX-License-Identifier: Apache-2.0
/* scopes.cpp - the scopes of pyroscope.hpp, and that their labels end with them
 *
 * Compiled with -DCALLS_DELETED it is the same program without them. */
#include <pyroscope/pyroscope.hpp>
#include <cstdio>
#include <exception>

#ifdef CALLS_DELETED
#define SCOPE(scope) static_cast<void>(0)
#define LABELS() 0u
#else
#define SCOPE(scope) scope
#define LABELS() pyroscope_labels_get()
#endif

static const uint8_t trace_id[16] = {1}, span_id[8] = {2};

/* The labels inside, and one of them thrown. */
static pyroscope_labels throwing(const char *route, pyroscope_labels &inside)
{
	SCOPE(PYROSCOPE_LABELS_SCOPE("route", route));
	SCOPE(pyroscope::span_scope span(trace_id, span_id, "a span"));
	SCOPE(pyroscope::labels_scope more("tenant", "seven"));
	inside = LABELS();
	if (route)
		throw 1;
	return LABELS();
}

int main(int argc, char **argv)
{
	pyroscope_labels inside = 0, again = 0;
	bool caught = false;

	try {
		throwing(argv[0], inside);
	} catch (int) {
		caught = true;
	}
	const pyroscope_labels after = LABELS();
	{
		SCOPE(pyroscope::labels_scope kept(inside));
		again = LABELS();
	}
	const bool wanted = caught && after == 0 && LABELS() == 0 &&
			    again == inside &&
			    (inside != 0) == (PYROSCOPE_ENABLED != 0);
	std::puts(argc > 5 ? "many" : wanted ? "few" : "wrong");
	return 0;
}
