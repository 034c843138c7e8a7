// SPDX-License-Identifier: Apache-2.0
/* demangle.h - readable names of C++ and Rust functions (collector only) */
#ifndef PYRO_IMAGE_DEMANGLE_H
#define PYRO_IMAGE_DEMANGLE_H

#include "base/buf.h"

/* How much of a name is written. Of std::vector<int>::at(unsigned long) const
 * and of core::ptr::drop_in_place::<alloc::string::String>: */
enum pyro_demangle {
	PYRO_DEMANGLE_SIMPLIFIED, /* std::vector::at, core::ptr::drop_in_place:
				     no parameters, template or generic
				     arguments, return type, qualifiers, nor
				     the compiler's mark of a clone */
	PYRO_DEMANGLE_FULL,       /* all of it */
	PYRO_DEMANGLE_NONE,       /* as in the object file */
	PYRO_DEMANGLE_COUNT
};

/* Longer names stay as they are: libstdc++ takes no more, and how deep its
 * recursion goes depends on it. */
#define PYRO_MANGLED_MAX 1023
/* A readable name that is longer is not used. */
#define PYRO_TEXT_MAX 8192

/* Append the readable form, without a NUL. False, and nothing is appended: name
 * is not mangled, or not in a way that is known. The first name of C++ that comes
 * loads a C++ runtime library if the process has none. */
bool pyro_demangle(const char *name, enum pyro_demangle how,
		   struct pyro_buf *out);

/* The parts of it. Text is NUL-terminated, size is the room for it. */
bool pyro_demangle_rust(const char *name, char *text, size_t size);
/* Make the text of a demangler simple, in place. False: it is not understood,
 * and unchanged. */
bool pyro_simplify_cxx(char *text);
bool pyro_simplify_rust(char *text);

/* Readable names that were asked for before, up to some MiB of them. */
struct pyro_names;

/* Returns owned; NULL for out of memory. */
struct pyro_names *pyro_names_new(enum pyro_demangle how);
void pyro_names_free(struct pyro_names *names);
/* The readable form of name, or name. Valid until the next call. */
const char *pyro_names_get(struct pyro_names *names, const char *name);
size_t pyro_names_bytes(const struct pyro_names *names);

#endif
