// SPDX-License-Identifier: Apache-2.0
// words.cpp - C++ whose functions are mostly inlined: templates, lambdas,
// containers, exceptions, virtual calls
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "shapes.h"

namespace words
{
struct Word {
	std::string text;
	int weight;
	bool operator<(const Word &other) const
	{
		return weight != other.weight ? weight > other.weight
					      : text < other.text;
	}
};

template <typename Key, typename Value> class Counter
{
      public:
	void add(const Key &key, Value by)
	{
		counts_[key] += by;
	}
	template <typename Fn> void each(Fn fn) const
	{
		for (const auto &entry : counts_)
			fn(entry.first, entry.second);
	}

      private:
	std::unordered_map<Key, Value> counts_;
};

static std::string make(unsigned seed)
{
	std::string s;

	while (s.size() < 3 + seed % 5) {
		s.push_back(static_cast<char>('a' + seed % 26));
		seed = seed * 1664525u + 1013904223u;
	}
	return s;
}

std::vector<Word> count(unsigned n)
{
	Counter<std::string, int> counter;
	std::vector<Word> out;

	for (unsigned i = 0; i < n; i++)
		counter.add(make(i * 2654435761u), 1 + i % 3);
	counter.each([&out](const std::string &text, int weight) {
		if (weight > 1)
			out.push_back({text, weight});
	});
	std::sort(out.begin(), out.end());
	return out;
}

__attribute__((noinline)) int risky(int x)
{
	if (x % 1000 == 999)
		throw std::runtime_error("x is " + std::to_string(x));
	return x * 3;
}
} // namespace words

int main(int argc, char **)
{
	std::map<std::string, std::function<double(double)>> table;
	double sum = 0;

	table["square"] = [](double x) { return x * x; };
	table["half"] = [](double x) { return x / 2; };
	for (int round = 0; round < 20 * argc; round++) {
		for (const auto &word : words::count(3000))
			sum += word.weight;
		for (const auto &entry : table)
			sum = entry.second(sum);
		sum += shapes::total(round);
		try {
			for (int i = 0; i < 2000; i++)
				sum += words::risky(i);
		} catch (const std::exception &e) {
			sum += static_cast<double>(e.what()[0]);
		}
	}
	std::printf("%g\n", sum);
	return 0;
}
