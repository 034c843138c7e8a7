// SPDX-License-Identifier: Apache-2.0
/* test_demangle.c - readable names against c++filt's and the books' */
#include "image/demangle.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>

#include "image_util.h"

#define LINE_SIZE 65536

struct word {
	const char *mangled, *full, *simple; /* NULL: stays as it is */
};

static const char *demangle(const char *name, enum pyro_demangle how)
{
	static char text[PYRO_TEXT_MAX];
	struct pyro_buf out = {0};
	bool good = pyro_demangle(name, how, &out);

	assert_false(out.failed);
	assert_true(out.len < sizeof(text));
	assert_int_equal(good, out.len > 0);
	if (good)
		memcpy(text, out.data, out.len);
	text[out.len] = '\0';
	pyro_buf_free(&out);
	return good ? text : NULL;
}

static void check(const char *name, enum pyro_demangle how, const char *want)
{
	const char *got = demangle(name, how);

	if (!got != !want || (got && strcmp(got, want) != 0))
		fail_msg("%s\n  wanted %s\n  got    %s", name,
			 want ? want : "it as it is", got ? got : "nothing");
}

static void check_words(const struct word *word, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		check(word[i].mangled, PYRO_DEMANGLE_FULL, word[i].full);
		check(word[i].mangled, PYRO_DEMANGLE_SIMPLIFIED,
		      word[i].simple);
		check(word[i].mangled, PYRO_DEMANGLE_NONE, NULL);
	}
}

static bool has_libstdcxx(void)
{
	return dlopen("libstdc++.so.6", RTLD_NOW | RTLD_NOLOAD) != NULL;
}

/* By the text of RFC 2603; what it does not decide is as in rustc's own. */
static void test_rust(void **state)
{
	static const struct word words[] = {
		{"_RNvCs1234_7mycrate3foo", "mycrate::foo", "mycrate::foo"},
		{"_RNvC7mycrate3foo.llvm.A5310EB9", "mycrate::foo",
		 "mycrate::foo"},
		{"_RNCNvC7mycrate3foo0B3_", "mycrate::foo::{closure#0}",
		 "mycrate::foo::{closure#0}"},
		{"_RNCNvC7mycrate3foos_0", "mycrate::foo::{closure#1}",
		 "mycrate::foo::{closure#1}"},
		{"_RNSNvC7mycrate3foos_6vtable",
		 "mycrate::foo::{shim:vtable#1}",
		 "mycrate::foo::{shim:vtable#1}"},
		{"_RINvNtC3std3mem8align_ofjdE",
		 "std::mem::align_of::<usize, f64>", "std::mem::align_of"},
		{"_RNvMC1aINtB2_3FoohE3bar", "<a::Foo<u8>>::bar",
		 "<a::Foo>::bar"},
		{"_RNvXC1aINtB2_3FoohENtB2_5Trait3bar",
		 "<a::Foo<u8> as a::Trait>::bar", "<a::Foo as a::Trait>::bar"},
		{"_RINvC1a1fReQhPlOnAsj3_SoTEThETxaEE",
		 "a::f::<&str, &mut u8, *const i32, *mut i128, [i16; 3], "
		 "[u128], (), (u8,), (i64, i8)>",
		 "a::f"},
		{"_RINvC1a1fFUKCRL0_eEuE", NULL, NULL}, /* not bound */
		{"_RINvC1a1fFG_UKCRL0_eRL_hEuE",
		 "a::f::<for<'a> unsafe extern \"C\" fn(&'a str, &u8)>",
		 "a::f"},
		{"_RINvC1a1fFK5C_fooEjE",
		 "a::f::<extern \"C-foo\" fn() -> usize>", "a::f"},
		{"_RINvC1a1fDINtC1b2FnThEEp6OutputbNtC1b4SendEL_E",
		 "a::f::<dyn b::Fn<(u8,), Output = bool> + b::Send>", "a::f"},
		{"_RINvC1a1fKj1f_Kanff_Kb1_Kc61_Kce9_Kp"
		 "Ko1ffffffffffffffff_E",
		 "a::f::<31, -255, true, 'a', '\\u{e9}', _, "
		 "0x1ffffffffffffffff>",
		 "a::f"},
		{"_RNvCs1_u6g_3p61a3f", NULL, NULL}, /* cut short */
		{"_RNqCs4fqI2P2rA04_11utf8_identsu30____"
		 "7hkackfecea1cbdathfdh9hlq6y",
		 "utf8_idents::საჭმელად_გემრიელი_სადილი",
		 "utf8_idents::საჭმელად_გემრიელი_სადილი"},
		{"_R", NULL, NULL},
		{"_R1NvC7mycrate3foo", NULL, NULL}, /* a later version */
		{"_RNvC7mycrate", NULL, NULL},
		{"_RNvC7mycrate3foo!", NULL, NULL},
		{"_RNvB_3foo", NULL, NULL}, /* refers to itself */
		{"_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
		 "core::fmt::Write::write_fmt", "core::fmt::Write::write_fmt"},
		{"_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$"
		 "17h0123456789abcdefE.llvm.123",
		 "core::ptr::drop_in_place<alloc::string::String>",
		 "core::ptr::drop_in_place"},
		{"_ZN61_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..fmt.."
		 "Debug$GT$3fmt17h0123456789abcdefE",
		 "<alloc::vec::Vec<T> as core::fmt::Debug>::fmt",
		 "<alloc::vec::Vec as core::fmt::Debug>::fmt"},
		{"_ZN4core3num61_$LT$impl$u20$core..str..FromStr$u20$for$u20$"
		 "Box$LT$T$GT$$GT$8from_str17h0123456789abcdefE",
		 "core::num::<impl core::str::FromStr for Box<T>>::from_str",
		 "core::num::<impl core::str::FromStr for Box>::from_str"},
		{"_ZN1a1f28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE",
		 "a::f::{{closure}}", "a::f::{{closure}}"},
		{"_ZN1a10m$uf3$dulo17h0123456789abcdefE", "a::módulo",
		 "a::módulo"},
		{"main", NULL, NULL},
		{"", NULL, NULL},
		{"_", NULL, NULL},
	};
	bool had = has_libstdcxx();

	(void)state;
	check_words(words, PYRO_COUNT_OF(words));
	/* Nothing of it needs the C++ runtime library. */
	assert_int_equal(has_libstdcxx(), had);
}

static void read_line(FILE *in, char line[LINE_SIZE])
{
	assert_non_null(fgets(line, LINE_SIZE, in));
	line[strcspn(line, "\n")] = '\0';
}

/* Lines of the commands' outputs, one beside the other. */
static size_t compare(const char *names, enum pyro_demangle how,
		      const char *oracle)
{
	static char name[LINE_SIZE], want[LINE_SIZE];
	FILE *in = output_of("%s", names);
	FILE *answers = output_of("%s | %s", names, oracle);
	size_t count = 0;

	while (fgets(name, sizeof(name), in)) {
		const char *got;

		name[strcspn(name, "\n")] = '\0';
		read_line(answers, want);
		got = demangle(name, how);
		if (strcmp(got ? got : name, want) != 0)
			fail_msg("%s\n  wanted %s\n  got    %s", name, want,
				 got ? got : "nothing");
		count++;
	}
	assert_int_equal(pclose(in), 0);
	assert_int_equal(pclose(answers), 0);
	return count;
}

/* Names that rustc 1.95 made of a program full of types, and of its library.
 * c++filt says more of them: hashes of crates, and the types of constants. */
static void test_rust_names(void **state)
{
	char names[PATH_MAX + 64];

	(void)state;
	snprintf(names, sizeof(names), "cat '%s/tests/names/rust'",
		 getenv("SOURCE_DIR"));
	print_message("%zu names of Rust\n",
		      compare(names, PYRO_DEMANGLE_FULL,
			      "sed 's/\\.llvm\\.[0-9A-F]*$//' | c++filt | "
			      "sed -E 's/\\[[0-9a-f]{8,16}\\]//g; "
			      "s/::h[0-9a-f]{16}$//; "
			      "s/: ([iu](size|8|16|32|64|128)|bool|char)"
			      "([],>;])/\\3/g'"));
}

static void test_cxx(void **state)
{
	static const struct word words[] = {
		{"_Z3foov", "foo()", "foo"},
		{"_ZNK3foo3barEi", "foo::bar(int) const", "foo::bar"},
		{"_ZNSt6vectorIiSaIiEE2atEm",
		 "std::vector<int, std::allocator<int> >::at(unsigned long)",
		 "std::vector::at"},
		{"_Z3fooIiEmT_", "unsigned long foo<int>(int)", "foo"},
		{"_Z3fooIiEPFivEv", "int (*foo<int>())()", "foo"},
		{"_ZN1AclEv", "A::operator()()", "A::operator()"},
		{"_ZN1AltIiEEbT_", "bool A::operator< <int>(int)",
		 "A::operator<"},
		{"_ZlsRSoi", "operator<<(std::ostream&, int)", "operator<<"},
		{"_ZN1AcvSt6vectorIiSaIiEEEv",
		 "A::operator std::vector<int, std::allocator<int> >()",
		 "A::operator std::vector"},
		{"_ZN1AptEv", "A::operator->()", "A::operator->"},
		{"_ZN1AnwEm", "A::operator new(unsigned long)",
		 "A::operator new"},
		{"_ZN1AdaEPv", "A::operator delete[](void*)",
		 "A::operator delete[]"},
		{"_Zli2_sy", "operator\"\" _s(unsigned long long)",
		 "operator\"\" _s"},
		{"_ZN12_GLOBAL__N_13fooEv", "(anonymous namespace)::foo()",
		 "(anonymous namespace)::foo"},
		{"_ZZ3fooiENKUlicE0_clEic",
		 "foo(int)::{lambda(int, char)#2}::operator()(int, char) const",
		 "foo::{lambda#2}::operator()"},
		{"_ZThn8_N1A1fEv", "non-virtual thunk to A::f()",
		 "non-virtual thunk to A::f"},
		{"_Z3fooi.constprop.0", "foo(int) [clone .constprop.0]", "foo"},
		{"_ZN1AIXgtLi2ELi1EEE1fEv", "A<((2)>(1))>::f()", "A::f"},
		{"_ZN3foo3barB5cxx11Ev", "foo::bar[abi:cxx11]()",
		 "foo::bar[abi:cxx11]"},
		{"_Z1fIiEDTcl1gfp_EET_", "decltype (g({parm#1})) f<int>(int)",
		 "f"},
		/* Too few different digits for a hash of Rust. */
		{"_ZN1a17h0000000000000000E", "a::h0000000000000000",
		 "a::h0000000000000000"},
		{"_Z", NULL, NULL},
		{"_Zz", NULL, NULL},
		{"_ZN3foo", NULL, NULL},
	};

	(void)state;
	check_words(words, PYRO_COUNT_OF(words));
}

/* c++filt writes std::string whole, and knows data, too. */
static void test_cxx_names(void **state)
{
	static const char names[] =
		"{ nm -D --defined-only $(cc -print-file-name=libstdc++.so); "
		"nm -D /usr/bin/cmake; } | "
		"awk '{ sub(/@.*/, \"\", $NF); print $NF }' | "
		"grep -E '^_Z' | grep -vE '^_Z(T[ISTV]|G[TV])|S[abdios]' | "
		"sort -u";

	char oracle[PATH_MAX + 64];

	(void)state;
	print_message("%zu names of C++\n",
		      compare(names, PYRO_DEMANGLE_FULL, "c++filt"));
	snprintf(oracle, sizeof(oracle),
		 "c++filt -p | python3 '%s/tests/names/simplify.py'",
		 getenv("SOURCE_DIR"));
	compare(names, PYRO_DEMANGLE_SIMPLIFIED, oracle);
}

/* Of broken text nothing is left out. */
static void test_simplify_broken(void **state)
{
	static const char *const broken[] = {"f<int(", "f(", "f<a(b>", ""};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(broken); i++) {
		char text[16];

		strcpy(text, broken[i]);
		assert_false(pyro_simplify_cxx(text));
		assert_string_equal(text, broken[i]);
	}

	char open[] = "f::<a";

	assert_false(pyro_simplify_rust(open));
	assert_string_equal(open, "f::<a");
}

/* The stack of the library's threads is enough for the worst of names. */
static void *demangle_deep(void *arg)
{
	static const char *const parts[] = {"P", "PK", "F", "M1a", "I",  "N",
					    "S", "D",  "T", "X",   "A_", "R"};
	char name[PYRO_MANGLED_MAX + 1];

	(void)arg;
	for (size_t i = 0; i < PYRO_COUNT_OF(parts) * 2; i++) {
		const char *part = parts[i / 2];
		size_t len = (size_t)sprintf(name, "%s",
					     i % 2 ? "_RINvC1a1f" : "_Z1f");

		while (len + strlen(part) + 1 < sizeof(name))
			len += (size_t)sprintf(name + len, "%s", part);
		demangle(name, PYRO_DEMANGLE_FULL);
		name[len - 1] = 'i';
		demangle(name, PYRO_DEMANGLE_SIMPLIFIED);
	}
	return NULL;
}

static void test_deep(void **state)
{
	pthread_attr_t attr;
	pthread_t thread;

	(void)state;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)384 << 10);
	assert_int_equal(pthread_create(&thread, &attr, demangle_deep, NULL),
			 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
}

/* Each name cut at each place, and with a wrong character at each. */
static void test_damaged(void **state)
{
	static char name[LINE_SIZE];
	char path[PATH_MAX];
	FILE *in;
	uint64_t seed = 1;

	(void)state;
	snprintf(path, sizeof(path), "%s/tests/names/rust",
		 getenv("SOURCE_DIR"));
	in = fopen(path, "r");
	assert_non_null(in);
	for (size_t n = 0; fgets(name, sizeof(name), in); n++) {
		size_t len = strcspn(name, "\n");

		if (n % 16)
			continue;
		name[len] = '\0';
		for (size_t i = 2; i < len; i++) {
			char text[PYRO_TEXT_MAX], kept = name[i];

			pyro_demangle_rust((char *)guarded(name, len + 1), text,
					   sizeof(text));
			name[i] = (char)(33 + next_random(&seed) % 94);
			pyro_demangle_rust((char *)guarded(name, len + 1), text,
					   1 + next_random(&seed) % 200);
			name[i] = '\0';
			pyro_demangle_rust((char *)guarded(name, i + 1), text,
					   sizeof(text));
			name[i] = kept;
		}
	}
	fclose(in);
}

static void test_cache(void **state)
{
	struct pyro_names *names = pyro_names_new(PYRO_DEMANGLE_SIMPLIFIED);
	char name[200], want[200];

	(void)state;
	assert_non_null(names);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 60000; i++) {
			snprintf(name, sizeof(name),
				 "_RINvNtC4long27namespace_to_fill_some_room"
				 "9f%08dhE",
				 i);
			snprintf(want, sizeof(want),
				 "long::namespace_to_fill_some_room::f%08d", i);
			assert_string_equal(pyro_names_get(names, name), want);
			assert_true(pyro_names_bytes(names) <= 5 << 20);
		}
	}
	assert_string_equal(pyro_names_get(names, "main"), "main");
	assert_string_equal(pyro_names_get(names, "_Zz"), "_Zz");
	assert_string_equal(pyro_names_get(names, "_Zz"), "_Zz");
	assert_string_equal(pyro_names_get(names, "_RNvC1a1f"), "a::f");
	pyro_names_free(names);
	pyro_names_free(NULL);

	names = pyro_names_new(PYRO_DEMANGLE_NONE);
	assert_string_equal(pyro_names_get(names, "_RNvC1a1f"), "_RNvC1a1f");
	pyro_names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rust),
		cmocka_unit_test(test_rust_names),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_cxx),
		cmocka_unit_test(test_cxx_names),
		cmocka_unit_test(test_simplify_broken),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
