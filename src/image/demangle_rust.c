// SPDX-License-Identifier: Apache-2.0
/* demangle_rust.c - names of Rust functions
 *
 * Those of the "v0" form (RFC 2603) are a grammar of prefixes: each construct
 * begins with a letter that says what it is, and may be a reference to an earlier
 * place of the name. Nested names are bounded in depth, references in how much
 * they can make of a little. */
#include "image/demangle.h"
#include "image/demangle_text.h"

#define DEPTH_MAX 100
#define STEPS_MAX 20000

struct rust {
	const char *name; /* behind _R */
	size_t len, at;
	struct pyro_text text;
	uint64_t lifetimes; /* bound around here */
	unsigned depth, steps;
	bool failed;
};

static void fail(struct rust *r)
{
	r->failed = true;
	r->at = r->len;
}

static void put(struct rust *r, const char *s, size_t len)
{
	pyro_text_put(&r->text, s, len);
	if (r->text.failed)
		fail(r);
}

static void puts_(struct rust *r, const char *s)
{
	put(r, s, strlen(s));
}

static char peek(const struct rust *r)
{
	return r->at < r->len ? r->name[r->at] : '\0';
}

static char next(struct rust *r)
{
	if (r->at >= r->len) {
		fail(r);
		return '\0';
	}
	return r->name[r->at++];
}

static bool eat(struct rust *r, char c)
{
	if (r->at >= r->len || r->name[r->at] != c)
		return false;
	r->at++;
	return true;
}

/* Every recursion passes here. */
static bool enter(struct rust *r)
{
	if (r->depth >= DEPTH_MAX || r->steps >= STEPS_MAX)
		fail(r);
	r->depth++;
	r->steps++;
	return !r->failed;
}

static void leave(struct rust *r)
{
	r->depth--;
}

/* "_" is 0, "0_" is 1. */
static uint64_t base62(struct rust *r)
{
	uint64_t n = 0;

	if (eat(r, '_'))
		return 0;
	while (!eat(r, '_')) {
		char c = next(r);
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'z')
			digit = (unsigned)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'Z')
			digit = (unsigned)(c - 'A') + 36;
		else
			fail(r);
		if (r->failed || n > (UINT64_MAX - 62) / 62) {
			fail(r);
			return 0;
		}
		n = n * 62 + digit;
	}
	return n + 1;
}

/* A number behind its letter; absent is 0. */
static uint64_t optional(struct rust *r, char letter)
{
	return eat(r, letter) ? base62(r) + 1 : 0;
}

static uint64_t decimal(struct rust *r)
{
	uint64_t n = 0;

	if (peek(r) < '0' || peek(r) > '9')
		fail(r);
	if (eat(r, '0'))
		return 0;
	while (peek(r) >= '0' && peek(r) <= '9' && n <= r->len)
		n = n * 10 + (uint64_t)(next(r) - '0');
	return n;
}

struct ident {
	const char *s;
	size_t len;
	bool is_punycode;
};

static struct ident ident(struct rust *r)
{
	struct ident id = {.s = "", .is_punycode = eat(r, 'u')};
	uint64_t len = decimal(r);

	eat(r, '_');
	if (len > r->len - r->at)
		fail(r);
	if (r->failed)
		return id;
	id.s = r->name + r->at;
	id.len = len;
	r->at += len;
	return id;
}

static void put_ident(struct rust *r, struct ident id)
{
	if (!id.is_punycode)
		put(r, id.s, id.len);
	else if (!r->failed)
		pyro_text_punycode(&r->text, id.s, id.len);
	if (r->text.failed)
		fail(r);
}

static void path(struct rust *r, bool is_value);
static void type(struct rust *r);
static void constant(struct rust *r);

/* Go on at an earlier place of the name, for one construct. */
static bool backref(struct rust *r, size_t *back)
{
	size_t begin = r->at - 1;
	uint64_t to = base62(r);

	*back = r->at;
	if (to >= begin)
		fail(r);
	if (r->failed || r->text.skips)
		return false;
	r->at = to;
	return true;
}

static void come_back(struct rust *r, size_t back)
{
	if (!r->failed)
		r->at = back;
}

static void put_lifetime(struct rust *r, uint64_t index)
{
	if (index == 0) {
		puts_(r, "'_");
		return;
	}
	if (index > r->lifetimes) {
		fail(r);
		return;
	}

	uint64_t n = r->lifetimes - index;
	char name = (char)('a' + n % 26);

	puts_(r, "'");
	if (n < 26) {
		put(r, &name, 1);
		return;
	}
	puts_(r, "_");
	pyro_text_number(&r->text, n);
}

/* for<'a, 'b>: returns how many, which the caller takes back. */
static uint64_t binder(struct rust *r)
{
	uint64_t count = optional(r, 'G');

	if (count == 0)
		return 0;
	if (count > r->len) {
		fail(r);
		return 0;
	}
	puts_(r, "for<");
	for (uint64_t i = 0; i < count; i++) {
		r->lifetimes++;
		puts_(r, i ? ", " : "");
		put_lifetime(r, 1);
	}
	puts_(r, "> ");
	return count;
}

static void generic_args(struct rust *r)
{
	for (size_t i = 0; !r->failed && !eat(r, 'E'); i++) {
		puts_(r, i ? ", " : "");
		if (eat(r, 'L'))
			put_lifetime(r, base62(r));
		else if (eat(r, 'K'))
			constant(r);
		else
			type(r);
	}
}

/* name in a path, by its namespace. */
static void nested(struct rust *r, bool is_value)
{
	char space = next(r);

	if (!((space >= 'a' && space <= 'z') || (space >= 'A' && space <= 'Z')))
		fail(r);
	path(r, is_value);

	uint64_t number = optional(r, 's');
	struct ident name = ident(r);

	if (space >= 'a') {
		if (name.len) {
			puts_(r, "::");
			put_ident(r, name);
		}
		return;
	}
	puts_(r, "::{");
	if (space == 'C')
		puts_(r, "closure");
	else if (space == 'S')
		puts_(r, "shim");
	else
		put(r, &space, 1);
	if (name.len) {
		puts_(r, ":");
		put_ident(r, name);
	}
	puts_(r, "#");
	pyro_text_number(&r->text, number);
	puts_(r, "}");
}

/* <type> or <type as trait>; where the impl stands is not written. */
static void qualified(struct rust *r, char tag)
{
	if (tag != 'Y') {
		bool skips = r->text.skips;

		optional(r, 's');
		r->text.skips = true;
		path(r, false);
		r->text.skips = skips;
	}
	puts_(r, "<");
	type(r);
	if (tag != 'M') {
		puts_(r, " as ");
		path(r, false);
	}
	puts_(r, ">");
}

static void path(struct rust *r, bool is_value)
{
	size_t back;
	char tag = next(r);

	if (!enter(r))
		return;
	switch (tag) {
	case 'C':
		optional(r, 's');
		put_ident(r, ident(r));
		break;
	case 'N':
		nested(r, is_value);
		break;
	case 'M':
	case 'X':
	case 'Y':
		qualified(r, tag);
		break;
	case 'I':
		path(r, is_value);
		puts_(r, is_value ? "::<" : "<");
		generic_args(r);
		puts_(r, ">");
		break;
	case 'B':
		if (backref(r, &back)) {
			path(r, is_value);
			come_back(r, back);
		}
		break;
	default:
		fail(r);
	}
	leave(r);
}

static const char *basic_type(char tag)
{
	static const char *const name[26] = {
		"i8",   "bool",  "char",  "f64", "str", "f32", NULL,
		"u8",   "isize", "usize", NULL,  "i32", "u32", "i128",
		"u128", "_",     NULL,    NULL,  "i16", "u16", "()",
		"...",  NULL,    "i64",   "u64", "!",
	};

	return tag >= 'a' && tag <= 'z' ? name[tag - 'a'] : NULL;
}

static void function_type(struct rust *r)
{
	uint64_t bound = binder(r);

	if (eat(r, 'U'))
		puts_(r, "unsafe ");
	if (eat(r, 'K')) {
		puts_(r, "extern \"");
		if (eat(r, 'C')) {
			puts_(r, "C");
		} else {
			struct ident abi = ident(r);

			if (abi.is_punycode || abi.len == 0)
				fail(r);
			for (size_t i = 0; i < abi.len && !r->failed; i++)
				put(r, abi.s[i] == '_' ? "-" : abi.s + i, 1);
		}
		puts_(r, "\" ");
	}
	puts_(r, "fn(");
	for (size_t i = 0; !r->failed && !eat(r, 'E'); i++) {
		puts_(r, i ? ", " : "");
		type(r);
	}
	puts_(r, ")");
	if (!eat(r, 'u')) {
		puts_(r, " -> ");
		type(r);
	}
	r->lifetimes -= bound;
}

/* A path whose generic arguments are left open for what else is bound. */
static bool open_path(struct rust *r)
{
	size_t back;
	bool is_open = false;

	if (!enter(r))
		return false;
	if (eat(r, 'B')) {
		if (backref(r, &back)) {
			is_open = open_path(r);
			come_back(r, back);
		}
	} else if (eat(r, 'I')) {
		path(r, false);
		puts_(r, "<");
		generic_args(r);
		is_open = true;
	} else {
		path(r, false);
	}
	leave(r);
	return is_open;
}

static void dyn_type(struct rust *r)
{
	uint64_t bound;

	puts_(r, "dyn ");
	bound = binder(r);
	for (size_t i = 0; !r->failed && !eat(r, 'E'); i++) {
		puts_(r, i ? " + " : "");

		bool is_open = open_path(r);

		while (!r->failed && eat(r, 'p')) {
			puts_(r, is_open ? ", " : "<");
			is_open = true;
			put_ident(r, ident(r));
			puts_(r, " = ");
			type(r);
		}
		puts_(r, is_open ? ">" : "");
	}
	r->lifetimes -= bound;
	if (!eat(r, 'L'))
		fail(r);

	uint64_t lifetime = base62(r);

	if (lifetime) {
		puts_(r, " + ");
		put_lifetime(r, lifetime);
	}
}

static void reference(struct rust *r, char tag)
{
	puts_(r, "&");
	if (eat(r, 'L')) {
		uint64_t lifetime = base62(r);

		if (lifetime) {
			put_lifetime(r, lifetime);
			puts_(r, " ");
		}
	}
	puts_(r, tag == 'Q' ? "mut " : "");
	type(r);
}

static void tuple(struct rust *r)
{
	size_t i;

	puts_(r, "(");
	for (i = 0; !r->failed && !eat(r, 'E'); i++) {
		puts_(r, i ? ", " : "");
		type(r);
	}
	puts_(r, i == 1 ? ",)" : ")");
}

static void array(struct rust *r, char tag)
{
	puts_(r, "[");
	type(r);
	if (tag == 'A') {
		puts_(r, "; ");
		constant(r);
	}
	puts_(r, "]");
}

static void type(struct rust *r)
{
	size_t back;
	char tag = next(r);

	if (!enter(r))
		return;
	switch (tag) {
	case 'R':
	case 'Q':
		reference(r, tag);
		break;
	case 'P':
	case 'O':
		puts_(r, tag == 'P' ? "*const " : "*mut ");
		type(r);
		break;
	case 'A':
	case 'S':
		array(r, tag);
		break;
	case 'T':
		tuple(r);
		break;
	case 'F':
		function_type(r);
		break;
	case 'D':
		dyn_type(r);
		break;
	case 'B':
		if (backref(r, &back)) {
			type(r);
			come_back(r, back);
		}
		break;
	default:
		if (basic_type(tag)) {
			puts_(r, basic_type(tag));
		} else if (!r->failed) {
			r->at--;
			path(r, false);
		}
	}
	leave(r);
}

/* Lower-case hexadecimal digits up to "_"; more than fit are written as such. */
static void number_constant(struct rust *r, char tag)
{
	size_t begin = r->at;
	uint64_t n = 0;

	while (!r->failed && !eat(r, '_')) {
		char c = next(r);

		if (c >= '0' && c <= '9')
			n = n << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uint64_t)(c - 'a' + 10);
		else
			fail(r);
	}
	if (r->failed)
		return;

	size_t digits = r->at - begin - 1;

	if (tag == 'b' && digits == 1 && n < 2) {
		puts_(r, n ? "true" : "false");
	} else if (tag == 'b') {
		fail(r);
	} else if (tag == 'c') {
		pyro_text_quote(&r->text,
				digits <= 8 ? (uint32_t)n : UINT32_MAX);
	} else if (digits > 16) {
		puts_(r, "0x");
		put(r, r->name + begin, digits);
	} else {
		pyro_text_number(&r->text, n);
	}
}

static void constant(struct rust *r)
{
	size_t back;
	char tag = next(r);

	if (!enter(r))
		return;
	if (tag == 'B') {
		if (backref(r, &back)) {
			constant(r);
			come_back(r, back);
		}
	} else if (tag == 'p') {
		puts_(r, "_");
	} else if (strchr("aslxni", tag)) {
		puts_(r, eat(r, 'n') ? "-" : "");
		number_constant(r, tag);
	} else if (strchr("htmyojbc", tag)) {
		number_constant(r, tag);
	} else {
		fail(r);
	}
	leave(r);
}

static bool demangle_v0(struct rust *r)
{
	/* What LLVM appends to a name it had to make another of. */
	while (r->at < r->len && pyro_is_word(r->name[r->at]))
		r->at++;
	if (r->at < r->len && r->name[r->at] != '.')
		return false;
	r->len = r->at;
	r->at = 0;
	if (peek(r) < 'A' || peek(r) > 'Z')
		return false; /* a version to come */
	path(r, true);
	if (!r->failed && r->at < r->len) {
		r->text.skips = true; /* the crate that it was made for */
		path(r, false);
	}
	return !r->failed && r->at == r->len;
}

bool pyro_demangle_rust(const char *name, char *text, size_t size)
{
	size_t len = strlen(name);
	struct rust r = {.text = {.data = text, .cap = size}};
	bool done = false;

	if (len > PYRO_MANGLED_MAX || size == 0)
		return false;
	if (strncmp(name, "_R", 2) == 0) {
		r.name = name + 2;
		r.len = len - 2;
		done = demangle_v0(&r);
	} else if (strncmp(name, "_ZN", 3) == 0) {
		done = pyro_demangle_legacy(name + 3, &r.text);
	}
	if (done)
		text[r.text.len] = '\0';
	return done;
}
