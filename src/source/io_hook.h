// SPDX-License-Identifier: Apache-2.0
/* io_hook.h - the calls in which threads wait for files, sockets, processes and
 * time; also where forked children wake */
#ifndef PYRO_SOURCE_IO_HOOK_H
#define PYRO_SOURCE_IO_HOOK_H

/* Find the next definitions, and register the hooks to be bound. From the
 * constructor, of libpyroscope.so alone. */
void pyro_io_hook_resolve(void);

#endif
