// SPDX-License-Identifier: Apache-2.0
/* calls.h - what calls.c measures beside the library's own functions */
#ifdef __cplusplus
extern "C" {
#endif

void nothing(void); /* in a shared library of its own */
void scope_c(const char *value);
void scope_cxx(const char *value);

#ifdef __cplusplus
}
#endif
