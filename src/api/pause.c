// SPDX-License-Identifier: Apache-2.0
/* pause.c - types of profiles that are paused and resumed
 *
 * The caller says what is to be profiled, the collector does it: what is paused
 * stops first, then what was recorded is swept and shown, and what is resumed
 * begins with a window of its own. */
#include <errno.h>

#include "api/session.h"
#include "base/log.h"
#include "base/os.h"
#include "source/cpu.h"
#include "source/hook.h"

#define WAIT_NS PYRO_NS_PER_SEC

static bool any(uint32_t types, uint32_t of)
{
	return (types & of) != 0;
}

void pyro_types_leave(struct pyro_session *s, uint32_t types)
{
	uint32_t left = s->types & ~types;

	if (any(left, PYRO_TYPE_CPU)) {
		pyro_cpu_pause(true);
		pyro_cpu_window_stop(s);
	}
	if (any(left, PYRO_TYPE_HEAP) && !any(types, PYRO_TYPE_HEAP))
		pyro_heap_window_pause(s, true);
	if (any(left, PYRO_TYPE_MUTEX | PYRO_TYPE_BLOCK))
		pyro_wait_window_switch(s, s->types & types);
	if (any(left, PYRO_TYPE_CREATION))
		pyro_hook_births(false);
}

void pyro_types_enter(struct pyro_session *s, uint32_t types)
{
	uint32_t before = s->types, fresh = types & ~before;

	atomic_store(&s->types, types);
	if (any(fresh, PYRO_TYPE_HEAP) && !any(before, PYRO_TYPE_HEAP))
		pyro_heap_window_pause(s, false);
	if (any(fresh, PYRO_TYPE_MUTEX | PYRO_TYPE_BLOCK))
		pyro_wait_window_switch(s, types);
	pyro_budget_resumed(s);
	if (any(fresh, PYRO_TYPE_CREATION))
		pyro_hook_births(true);
	if (any(fresh, PYRO_TYPE_CPU)) {
		pyro_cpu_window_go_on(s);
		pyro_cpu_pause(false);
		s->next_scan_ns = 0;
	}
}

/* 0: what is meant are all. */
static int read_types(const char *what, const char *text, uint32_t *types)
{
	const struct pyro_setting *setting =
		&pyro_setting[PYRO_SET_PROFILE_TYPES];
	char expects[PYRO_SETTING_EXPECTS_MAX], shown[PYRO_SETTING_SHOWN_MAX];
	const char *why;

	*types = 0;
	if (!text || !*text ||
	    pyro_setting_parse(setting, setting->kind, text, types, &why) ==
		    PYRO_SETTING_GOOD)
		return 0;
	pyro_log("%s: \"%s\" is not %s", what,
		 pyro_setting_shown(setting, text, shown),
		 pyro_setting_expects(setting, setting->kind, expects));
	return -EINVAL;
}

/* Session lock held. */
static int ask(struct pyro_session *s, uint32_t bits, bool on)
{
	uint32_t asked = atomic_load(&s->types_asked), done;
	char text[PYRO_TYPES_TEXT_MAX];

	bits = bits ? bits & s->config.types : s->config.types;
	if (!bits)
		return -ENOENT;
	bits &= on ? ~asked : asked;
	if (bits)
		pyro_log_as(PYRO_LOG_INFO, "%s: %s", on ? "resumed" : "paused",
			    pyro_config_types(bits, text));
	asked ^= bits;
	atomic_store(&s->types_asked, asked);
	pyro_slots_wake();
	/* First may be done what a call has asked for that gave up. */
	while ((done = atomic_load(&s->types_done)) != asked)
		if (!pyro_wait(&s->types_done, done, WAIT_NS))
			return -ETIMEDOUT;
	return 0;
}

static int change(const char *what, const char *text, bool on)
{
	struct pyro_session *s = &pyro_session;
	uint32_t bits;
	int err = read_types(what, text, &bits);

	if (err)
		return err;
	pyro_lifecycle_enter();
	if (pyro_session_is_uncollected(s))
		pyro_lifecycle_revive();
	/* Held so that no stop frees what is waited on. */
	if (!pyro_mutex_lock_for(&s->lock, WAIT_NS))
		return -ETIMEDOUT;
	if (atomic_load(&s->state) == PYRO_SESSION_RUNNING &&
	    !pyro_session_is_uncollected(s))
		err = ask(s, bits, on);
	else
		err = -ENOENT;
	pyro_mutex_unlock(&s->lock);
	return err;
}

int pyroscope_pause(const char *types)
{
	return change("pyroscope_pause", types, false);
}

int pyroscope_resume(const char *types)
{
	return change("pyroscope_resume", types, true);
}
