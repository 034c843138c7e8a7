/* SPDX-License-Identifier: Apache-2.0 */
/* pyroscope.hpp - pyroscope.h for C++11 and later, with scopes as objects
 *
 *     #include <pyroscope/pyroscope.hpp>
 *
 *     void handle(const request &request)
 *     {
 *             PYROSCOPE_LABELS_SCOPE("route", request.route());
 *             pyroscope::span_scope span(request.trace_id(), request.span_id());
 *             ...
 *     }
 *
 * All in line: the library has nothing of C++ in it. A scope belongs to the thread
 * that made it, and is ended there, in the reverse order: a local variable is. It
 * is neither copied nor moved, takes no memory from the heap and throws nothing.
 *
 * Where profiling is off (pyroscope.h), scopes are empty: with optimization nothing
 * is left of them. An object's arguments are evaluated even so, those of
 * PYROSCOPE_LABELS_SCOPE are not. */
#ifndef PYROSCOPE_PYROSCOPE_HPP
#define PYROSCOPE_PYROSCOPE_HPP

#include <pyroscope/pyroscope.h>

namespace pyroscope {

#if PYROSCOPE_ENABLED

/* The calling thread's labels until the scope ends. */
class labels_scope {
public:
	/* One label more, as of pyroscope_labels_push(). */
	labels_scope(const char *key, const char *value) noexcept
		: before(pyroscope_labels_push(key, value))
	{
	}

	/* These instead, as of pyroscope_labels_set(): those of a task that goes
	 * on here. */
	explicit labels_scope(pyroscope_labels labels) noexcept
		: before(pyroscope_labels_set(labels))
	{
	}

	~labels_scope()
	{
		pyroscope_labels_pop(before);
	}

	labels_scope(const labels_scope &) = delete;
	labels_scope &operator=(const labels_scope &) = delete;

private:
	pyroscope_labels before;
};

/* A span of a trace until the scope ends, as of pyroscope_span_begin(). */
class span_scope {
public:
	span_scope(const uint8_t (&trace_id)[16], const uint8_t (&span_id)[8],
		   const char *name = nullptr) noexcept
	{
		pyroscope_span_begin(trace_id, span_id, name);
	}

	~span_scope()
	{
		pyroscope_span_end();
	}

	span_scope(const span_scope &) = delete;
	span_scope &operator=(const span_scope &) = delete;
};

#undef PYROSCOPE_LABELS_SCOPE
#define PYROSCOPE_LABELS_SCOPE(key, value)                         \
	const ::pyroscope::labels_scope PYROSCOPE_LABELS_NAME_(    \
		__LINE__)(key, value)

#else

class labels_scope {
public:
	labels_scope(const char *, const char *) noexcept {}
	explicit labels_scope(pyroscope_labels) noexcept {}
	~labels_scope() {}
	labels_scope(const labels_scope &) = delete;
	labels_scope &operator=(const labels_scope &) = delete;
};

class span_scope {
public:
	span_scope(const uint8_t (&)[16], const uint8_t (&)[8],
		   const char * = nullptr) noexcept
	{
	}
	~span_scope() {}
	span_scope(const span_scope &) = delete;
	span_scope &operator=(const span_scope &) = delete;
};

#endif

}

#endif
