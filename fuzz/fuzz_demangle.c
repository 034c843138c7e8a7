// SPDX-License-Identifier: Apache-2.0
/* fuzz_demangle.c - a name from anywhere: our demangler of Rust's, and what is
 * left out of texts as other demanglers write them */
#include <stdlib.h>
#include <string.h>

#include "image/demangle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void simplify(const char *name, bool (*how)(char *))
{
	char text[PYRO_TEXT_MAX];

	if (strlen(name) >= sizeof(text))
		return;
	strcpy(text, name);
	if (!how(text) && strcmp(text, name) != 0)
		abort();
	if (strlen(text) > strlen(name))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[PYRO_TEXT_MAX];
	char *name = malloc(size + 1);

	if (!name)
		abort();
	if (size)
		memcpy(name, data, size);
	name[size] = '\0';
	if (pyro_demangle_rust(name, text, sizeof(text)) && text[0] == '\0')
		abort();
	pyro_demangle_rust(name, text, 1 + size % 64);
	simplify(name, pyro_simplify_cxx);
	simplify(name, pyro_simplify_rust);
	free(name);
	return 0;
}
