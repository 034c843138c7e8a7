// SPDX-License-Identifier: Apache-2.0
/* page.h - the parts of the flame graph page, lines up to a NULL, in order */
#ifndef PYRO_CLI_PAGE_H
#define PYRO_CLI_PAGE_H

extern const char *const pyro_page_head[];
extern const char *const pyro_page_body[];
extern const char *const pyro_page_main[];
extern const char *const pyro_page_script[];

#endif
