// SPDX-License-Identifier: Apache-2.0
/* demangle_simple.c - leave out of a readable name what makes it long
 *
 * Works on the text that a demangler wrote: it knows the name's structure from
 * brackets alone, and operators, which may be brackets. What is left out is
 * skipped to its closing bracket; where none closes, the text stays as it is.
 *
 * In C++ a space outside brackets ends a return type, except in the name of an
 * operator, and parentheses are a function's parameters if "::", qualifiers or
 * the end follow. */
#include "image/demangle.h"
#include "image/demangle_text.h"

struct simple {
	const char *at; /* NUL-terminated */
	char *out;
	size_t len;
	size_t name; /* where the name begins in out */
};

static bool starts_with(const char *s, const char *word)
{
	return strncmp(s, word, strlen(word)) == 0;
}

static void keep(struct simple *s, size_t len)
{
	memcpy(s->out + s->len, s->at, len);
	s->len += len;
	s->at += len;
}

/* Length of an operator's symbol, longest first; 0: it is none. */
static size_t operator_symbol(const char *at)
{
	static const char *const known[] = {
		"<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "==", "!=",
		"->",  "&&",  "||",  "++",  "--", "+=", "-=", "*=", "/=", "%=",
		"^=",  "&=",  "|=",  "()",  "[]", "<",  ">",  "+",  "-",  "*",
		"/",   "%",   "^",   "&",   "|",  "~",  "!",  "=",  ","};

	for (size_t i = 0; i < PYRO_COUNT_OF(known); i++)
		if (starts_with(at, known[i]))
			return strlen(known[i]);
	return 0;
}

static bool is_operator(const char *begin, const char *at)
{
	return starts_with(at, "operator") && !pyro_is_word(at[8]) &&
	       (at == begin || !pyro_is_word(at[-1]));
}

/* Behind the bracket that closes the one at s; NULL if none does. */
static const char *behind_brackets(const char *s, char open, char close)
{
	const char *begin = s;
	size_t depth = 0, round = 0;

	for (; *s; s++) {
		if (open == '<' && is_operator(begin, s)) {
			s += 7 + operator_symbol(s + 8);
		} else if (open == '<' && *s == '(') {
			round++;
		} else if (open == '<' && *s == ')') {
			if (round-- == 0)
				return NULL;
		} else if (round > 0) {
			continue;
		} else if (*s == open) {
			depth++;
		} else if (*s == close && !(close == '>' && s[-1] == '-') &&
			   --depth == 0) {
			return s + 1;
		}
	}
	return NULL;
}

static bool skip(struct simple *s, char open, char close)
{
	const char *end = behind_brackets(s->at, open, close);

	if (end)
		s->at = end;
	return end != NULL;
}

/* new, delete, a literal's suffix, or the type that is converted to. */
static bool keep_operator(struct simple *s)
{
	size_t symbol;

	keep(s, strlen("operator"));
	symbol = operator_symbol(s->at);
	if (symbol) {
		keep(s, symbol);
		if (starts_with(s->at, " <"))
			s->at++;
		return true;
	}
	while (*s->at && *s->at != '(' && !starts_with(s->at, " [clone")) {
		if (*s->at != '<')
			keep(s, 1);
		else if (!skip(s, '<', '>'))
			return false;
	}
	return true;
}

/* Behind parameters: const, &, noexcept. */
static const char *behind_qualifiers(const char *at)
{
	static const char *const known[] = {" const", " volatile", " restrict",
					    " &&",    " &",        " noexcept"};
	size_t i;

	do {
		for (i = 0; i < PYRO_COUNT_OF(known); i++) {
			size_t len = strlen(known[i]);

			if (starts_with(at, known[i]) &&
			    !pyro_is_word(at[len])) {
				at += len;
				break;
			}
		}
	} while (i < PYRO_COUNT_OF(known));
	return at;
}

/* Parentheses. *done: the name is complete. */
static bool skip_round(struct simple *s, bool *done)
{
	static const char anonymous[] = "(anonymous namespace)";
	const char *behind;

	if (starts_with(s->at, anonymous)) {
		keep(s, sizeof(anonymous) - 1);
		return true;
	}
	/* Function that returns a pointer to a function: its name is inside. */
	if (s->at[1] == '*' || s->at[1] == '&') {
		s->len = s->name;
		s->at += 2;
		return true;
	}
	if (!skip(s, '(', ')'))
		return false;
	behind = behind_qualifiers(s->at);
	if (starts_with(behind, "::") || *behind == '#' || *behind == '(')
		s->at = behind;
	else if (*behind != ' ' || starts_with(behind, " [clone") ||
		 starts_with(behind, " (.") || starts_with(behind, " requires"))
		*done = true;
	return true; /* else it was of a return type, which a space ends */
}

static bool step(struct simple *s, const char *begin, size_t *braces,
		 bool *done)
{
	if (is_operator(begin, s->at))
		return keep_operator(s);
	switch (*s->at) {
	case '<':
		return skip(s, '<', '>');
	case '(':
		return skip_round(s, done);
	case ' ':
		if (*braces) {
			keep(s, 1);
		} else if (starts_with(s->at, " [clone")) {
			*done = true;
		} else {
			s->len = s->name;
			s->at++;
		}
		return true;
	case '{':
		++*braces;
		break;
	case '}':
		*braces -= *braces > 0;
		break;
	default:
		break;
	}
	keep(s, 1);
	return true;
}

static void keep_prefix(struct simple *s)
{
	static const char *const known[] = {
		"non-virtual thunk to ",      "virtual thunk to ",
		"covariant return thunk to ", "guard variable for ",
		"TLS init function for ",     "TLS wrapper function for ",
		"transaction clone for ",     "non-transaction clone for ",
		"initializer for module "};

	for (size_t i = 0; i < PYRO_COUNT_OF(known); i++) {
		if (starts_with(s->at, known[i])) {
			keep(s, strlen(known[i]));
			s->name = s->len;
			return;
		}
	}
}

bool pyro_simplify_cxx(char *text)
{
	char out[PYRO_TEXT_MAX];
	struct simple s = {.at = text, .out = out};
	size_t braces = 0;
	bool done = false;

	if (strlen(text) >= sizeof(out))
		return false;
	keep_prefix(&s);
	while (*s.at && !done)
		if (!step(&s, text, &braces, &done))
			return false;
	if (s.len == s.name)
		return false;
	memcpy(text, out, s.len);
	text[s.len] = '\0';
	return true;
}

/* Generic arguments follow a word or "::"; <T as Trait> and <impl ...> do not,
 * or are parts of a path. */
static bool is_generic(const char *begin, const char *at)
{
	if (at == begin)
		return false;
	if (at - begin >= 2 && at[-1] == ':' && at[-2] == ':')
		return !starts_with(at, "<impl ");
	return pyro_is_word(at[-1]);
}

bool pyro_simplify_rust(char *text)
{
	char out[PYRO_TEXT_MAX];
	struct simple s = {.at = text, .out = out};

	if (strlen(text) >= sizeof(out))
		return false;
	while (*s.at) {
		if (*s.at != '<' || !is_generic(text, s.at)) {
			keep(&s, 1);
			continue;
		}
		if (!skip(&s, '<', '>'))
			return false;
		if (s.len >= 2 && out[s.len - 1] == ':')
			s.len -= 2;
	}
	memcpy(text, out, s.len);
	text[s.len] = '\0';
	return true;
}
