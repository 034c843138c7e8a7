// SPDX-License-Identifier: Apache-2.0
/* cxx.cc - exceptions, virtual calls, templates of the standard library */
#include <alloca.h>
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "marker.h"

#define NOINLINE __attribute__((noinline))

namespace {

volatile unsigned sink;

struct shape {
	virtual ~shape() = default;
	virtual unsigned area(unsigned n) const = 0;
};

struct square : shape {
	NOINLINE unsigned area(unsigned n) const override
	{
		return n * n + sink;
	}
};

struct pile : shape {
	std::vector<std::unique_ptr<shape>> parts;

	NOINLINE unsigned area(unsigned n) const override
	{
		unsigned total = 0;

		for (const auto &part : parts)
			total += part->area(n + 1);
		return total;
	}
};

/* Its destructor runs while an exception passes. */
struct witness {
	explicit witness(unsigned n) : n(n)
	{
	}
	NOINLINE ~witness()
	{
		sink += n;
	}
	unsigned n;
};

NOINLINE unsigned throws(unsigned depth)
{
	witness w(depth);

	if (depth == 0)
		throw std::runtime_error("at the bottom");
	return throws(depth - 1) + w.n;
}

NOINLINE unsigned throws_over_alloca(unsigned n)
{
	char *bytes = static_cast<char *>(alloca(n * 16));

	bytes[n] = 1;
	return throws(n % 4) + static_cast<unsigned>(bytes[n]);
}

NOINLINE unsigned throws_over_alignment(unsigned n)
{
	alignas(64) volatile char here[64];

	here[n % 64] = 1;
	return throws(2) + static_cast<unsigned>(here[n % 64]);
}

NOINLINE unsigned rethrows(unsigned n)
{
	try {
		return throws(n);
	} catch (const std::exception &) {
		sink++;
		throw;
	}
}

NOINLINE void exceptions()
{
	const std::function<unsigned(unsigned)> all[] = {
		throws, throws_over_alloca, throws_over_alignment, rethrows,
	};

	for (const auto &fn : all) {
		try {
			sink += fn(5);
		} catch (const std::logic_error &) {
			sink += 1000;
		} catch (const std::runtime_error &e) {
			sink += static_cast<unsigned>(
				std::string(e.what()).size());
		}
	}
}

NOINLINE unsigned quiet(unsigned n) noexcept
{
	return n < 2 ? n : quiet(n - 1) + quiet(n - 2);
}

NOINLINE void containers()
{
	std::vector<unsigned> values;
	std::map<std::string, unsigned> names;

	for (unsigned i = 0; i < 60; i++)
		values.push_back(i * 7919 % 61);
	std::sort(values.begin(), values.end(),
		  [](unsigned a, unsigned b) { return a > b; });
	for (unsigned v : values)
		if (v % 6 == 0)
			names["name " + std::to_string(v)] = v;
	for (const auto &[name, v] : names)
		sink += v + static_cast<unsigned>(name.size());
	try {
		sink += names.at("none");
	} catch (const std::out_of_range &) {
		sink++;
	}
}

NOINLINE void streams()
{
	std::ostringstream out;

	out << 42 << ' ' << 3.25 << " text";
	sink += static_cast<unsigned>(out.str().size());
}

NOINLINE void shapes()
{
	auto outer = std::make_unique<pile>();

	for (unsigned i = 0; i < 4; i++) {
		auto inner = std::make_unique<pile>();

		inner->parts.push_back(std::make_unique<square>());
		outer->parts.push_back(std::move(inner));
	}
	const shape &s = *outer;
	sink += s.area(3);
}

} // namespace

int main()
{
	MARKER();
	shapes();
	exceptions();
	containers();
	streams();
	sink += quiet(7);
	MARKER();
	return 0;
}
