// SPDX-License-Identifier: Apache-2.0
// unit.cpp - a megabyte of DWARF from twenty lines: bench/lines.sh links it often
#include <algorithm>
#include <functional>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

int work(const std::string &text, int n)
{
	std::regex pattern("([a-z]+)-([0-9]+)");
	std::map<std::string, int> sums;
	std::unordered_map<int, std::string> texts;
	std::vector<std::function<int(int)>> functions;
	std::vector<std::pair<int, std::string>> sorted;
	std::ostringstream out;

	for (std::sregex_iterator i(text.begin(), text.end(), pattern), end;
	     i != end; ++i) {
		sums[(*i)[1]] += std::stoi((*i)[2]);
		texts[n++] = i->str();
		functions.push_back([n](int x) { return x * n; });
	}
	for (auto &sum : sums)
		sorted.emplace_back(sum.second, sum.first);
	std::sort(sorted.begin(), sorted.end());
	std::stable_sort(sorted.begin(), sorted.end(), [](auto &a, auto &b) {
		return a.second < b.second;
	});
	for (auto &pair : sorted)
		out << pair.first << pair.second;
	for (auto &pair : texts)
		out << pair.second;
	for (auto &function : functions)
		out << function(3);
	return static_cast<int>(out.str().size());
}
