// SPDX-License-Identifier: Apache-2.0
// readable.cpp - work in functions of C++, and of Rust by their names: seconds of
// CPU time to spend are the argument; says whether libstdc++ was loaded then
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

extern "C" unsigned long v0(unsigned long x) asm(
	"_RINvNtCs1234_7mycrate4work4spinhE");
extern "C" unsigned long legacy(unsigned long x) asm(
	"_ZN7mycrate4work12old$LT$T$GT$17h0123456789abcdefE");

static inline unsigned long spin(unsigned long x)
{
	for (int i = 0; i < 200000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		asm volatile("" : "+r"(x));
	}
	return x;
}

extern "C" __attribute__((noipa)) unsigned long v0(unsigned long x)
{
	return spin(x) + 1;
}

extern "C" __attribute__((noipa)) unsigned long legacy(unsigned long x)
{
	return spin(x) + 2;
}

namespace shape
{
template <class T> struct area {
	__attribute__((noipa)) unsigned long of(T t, std::vector<T> *) const;
};

template <class T>
__attribute__((noipa)) unsigned long area<T>::of(T t, std::vector<T> *) const
{
	return spin(static_cast<unsigned long>(t)) + 3;
}
} // namespace shape

int main(int argc, char **argv)
{
	clock_t end = (argc > 1 ? atoi(argv[1]) : 1) * CLOCKS_PER_SEC;
	bool only_rust = argc > 2;
	unsigned long x = 88172645463325252u;
	std::string line;

	while (clock() < end) {
		x = legacy(v0(x));
		if (!only_rust)
			x += shape::area<unsigned long>().of(x, nullptr);
	}

	std::ifstream maps("/proc/self/maps");
	bool loaded = false;

	while (std::getline(maps, line))
		loaded |= line.find("libstdc++") != line.npos;
	printf("%s %d\n", loaded ? "loaded" : "absent", static_cast<int>(x & 1));
	return 0;
}
