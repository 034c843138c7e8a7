// SPDX-License-Identifier: Apache-2.0
/* preload.c - the constructor: started by LD_PRELOAD, the library starts itself
 *
 * When it is linked, it does nothing until it is called. The variables that
 * `pyro` sets:
 *   PYROSCOPE_COMMAND    exec or record: die politely on SIGTERM
 *   PYROSCOPE_ROOT_PID   the process that pyro started; others are descendants
 *   PYROSCOPE_OUTPUT_DIR, PYROSCOPE_LOG_FILE, and settings of the user's */
#include <stdlib.h>
#include <string.h>

#include "api/session.h"
#include "base/log.h"
#include "base/os.h"
#include "source/alloc_hook.h"
#include "source/exec_hook.h"
#include "source/fatal_hook.h"
#include "source/heap_front.h"
#include "source/hook.h"
#include "source/id_hook.h"
#include "source/io_hook.h"
#include "source/lock_hook.h"
#include "source/signal_hook.h"
#include "source/sync_hook.h"

/* Take our entry out, in place, and with it what would make a program that
 * links the library drop files for a parent that does not wait for it. */
static void leave_environment(char *entry, size_t len)
{
	char *rest = entry + len + strspn(entry + len, ": ");

	memmove(entry, rest, strlen(rest) + 1);
	if (!*secure_getenv("LD_PRELOAD"))
		unsetenv("LD_PRELOAD");
	unsetenv("PYROSCOPE_OUTPUT_DIR");
}

static bool is_root(void)
{
	const char *root = secure_getenv("PYROSCOPE_ROOT_PID");

	return !root || atoi(root) == (int)pyro_getpid();
}

__attribute__((constructor)) static void on_load(void)
{
	char *list = secure_getenv("LD_PRELOAD");
	const char *command = secure_getenv("PYROSCOPE_COMMAND");
	size_t len;
	const char *entry = list ? pyro_preload_entry(list, &len) : NULL;

	pyro_heap_bind();
	pyro_alloc_hook_resolve();
	pyro_hook_resolve();
	pyro_sync_hook_resolve();
	pyro_lock_hook_resolve();
	pyro_io_hook_resolve();
	pyro_signal_hook_resolve();
	pyro_fatal_hook_resolve();
	pyro_exec_hook_resolve();
	pyro_id_hook_resolve();
	if (!entry)
		return;
	pyro_process.preloaded = true;
	pyro_process.under_pyro = command && *command;
	pyro_process.descendant = !is_root();
	if (pyro_process.under_pyro)
		pyro_log_to(secure_getenv("PYROSCOPE_LOG_FILE"));

	bool record = command && strcmp(command, "record") == 0;
	enum pyro_start_how how = pyro_process.descendant ? PYRO_START_LAZY
				  : record                ? PYRO_START_ROOT
							  : PYRO_START_NORMAL;

	if (pyro_session_start(NULL, how) == 0 && pyro_process.under_pyro)
		pyro_fatal_start();
	if (pyro_session.config.alone)
		leave_environment(list + (entry - list), len);
}
