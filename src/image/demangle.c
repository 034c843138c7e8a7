// SPDX-License-Identifier: Apache-2.0
/* demangle.c - which demangler, and what it said before
 *
 * C++ names are read by the C++ runtime library's own function. The process has
 * one, mostly; a program that was linked statically with its own, and does not
 * export it, gets libstdc++ loaded: 1.5 ms and 100 KiB of its own memory, once,
 * and only where a C++ function was sampled. It takes its memory from the
 * program's malloc, and its recursion is bounded by the length of the name. */
#include "image/demangle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/library.h"
#include "base/log.h"
#include "base/sync.h"
#include "base/table.h"

#define NAMES_BYTES ((size_t)4 << 20)

typedef char *cxa_demangle_fn(const char *, char *, size_t *, int *);

extern cxa_demangle_fn __cxa_demangle PYRO_WEAK;

/* Written once under pyro_loader_lock, then constant. */
static cxa_demangle_fn *cxa_demangle;
static bool tried;

static void find_locked(void)
{
	const struct pyro_library_function wanted = {"__cxa_demangle",
						     &cxa_demangle};
	int err = 0;

	tried = true;
	cxa_demangle = __cxa_demangle;
	if (!cxa_demangle)
		err = pyro_library_load("libstdc++.so.6", &wanted, 1);
	if (err)
		err = pyro_library_load("libc++abi.so.1", &wanted, 1);
	if (err && err != -ENOTSUP)
		PYRO_LOG_ONCE("C++ names stay mangled: that needs "
			      "libstdc++.so.6; install libstdc++6 (Debian, "
			      "Ubuntu) or libstdc++ (Fedora, Alpine)");
}

static bool demangle_cxx(const char *name, char *text, size_t size)
{
	int saved = errno, status = -1;

	pyro_mutex_lock(&pyro_loader_lock);
	if (!tried)
		find_locked();
	pyro_mutex_unlock(&pyro_loader_lock);

	char *made =
		cxa_demangle ? cxa_demangle(name, NULL, NULL, &status) : NULL;
	size_t len = made ? strlen(made) : 0;
	bool good = made && status == 0 && len > 0 && len < size;

	if (good)
		memcpy(text, made, len + 1);
	free(made);
	errno = saved;
	return good;
}

bool pyro_demangle(const char *name, enum pyro_demangle how,
		   struct pyro_buf *out)
{
	char text[PYRO_TEXT_MAX];
	bool is_cxx;

	if (how == PYRO_DEMANGLE_NONE || name[0] != '_' ||
	    (name[1] != 'Z' && name[1] != 'R') ||
	    strnlen(name, PYRO_MANGLED_MAX + 1) > PYRO_MANGLED_MAX)
		return false;
	is_cxx = !pyro_demangle_rust(name, text, sizeof(text));
	if (is_cxx &&
	    (name[1] != 'Z' || !demangle_cxx(name, text, sizeof(text))))
		return false;
	if (how == PYRO_DEMANGLE_SIMPLIFIED) {
		if (is_cxx)
			pyro_simplify_cxx(text);
		else
			pyro_simplify_rust(text);
	}
	pyro_buf_puts(out, text);
	return !out->failed;
}

struct pyro_names {
	enum pyro_demangle how;
	struct pyro_strings mangled;
	struct pyro_strings readable;
	uint32_t *by_mangled; /* number in readable; 0: none */
	size_t cap;
};

/* Empty, with the room for the numbers kept. 0 or -ENOMEM. */
static int forget(struct pyro_names *n)
{
	pyro_strings_free(&n->mangled);
	pyro_strings_free(&n->readable);

	int err = pyro_strings_init(&n->mangled);

	return err ? err : pyro_strings_init(&n->readable);
}

struct pyro_names *pyro_names_new(enum pyro_demangle how)
{
	struct pyro_names *n = pyro_pages_alloc(sizeof(*n));

	if (n && forget(n) != 0) {
		pyro_names_free(n);
		n = NULL;
	}
	if (n)
		n->how = how;
	return n;
}

void pyro_names_free(struct pyro_names *names)
{
	if (!names)
		return;
	pyro_strings_free(&names->mangled);
	pyro_strings_free(&names->readable);
	pyro_pages_free(names->by_mangled,
			names->cap * sizeof(*names->by_mangled));
	pyro_pages_free(names, sizeof(*names));
}

static size_t bytes_of(const struct pyro_strings *s)
{
	/* A slot of the table is some 16 bytes, too. */
	return s->arena.bytes + (s->cap + s->table.cap) * sizeof(*s->items);
}

size_t pyro_names_bytes(const struct pyro_names *names)
{
	return bytes_of(&names->mangled) + bytes_of(&names->readable) +
	       names->cap * sizeof(*names->by_mangled);
}

/* The number of the readable name, 0 if there is none. */
static uint32_t learn(struct pyro_names *n, const char *name)
{
	struct pyro_buf text = {0};
	uint32_t id = 0;

	if (pyro_demangle(name, n->how, &text))
		id = pyro_strings_add(&n->readable, (const char *)text.data,
				      text.len);
	pyro_buf_free(&text);
	return id;
}

const char *pyro_names_get(struct pyro_names *names, const char *name)
{
	if (names->how == PYRO_DEMANGLE_NONE || name[0] != '_' ||
	    (name[1] != 'Z' && name[1] != 'R'))
		return name;
	if (pyro_names_bytes(names) > NAMES_BYTES && forget(names) != 0)
		return name;

	size_t known = names->mangled.count;
	uint32_t *grown = pyro_array_grow(names->by_mangled, &names->cap,
					  known + 1, sizeof(*grown));

	if (!grown)
		return name;
	names->by_mangled = grown;

	uint32_t id = pyro_strings_add(&names->mangled, name, strlen(name));

	if (id == 0)
		return name;
	if (id == known)
		grown[id] = learn(names, name);
	return grown[id] ? pyro_strings_get(&names->readable, grown[id]) : name;
}
