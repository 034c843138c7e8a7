// SPDX-License-Identifier: Apache-2.0
/* config.h - the settings of a session */
#ifndef PYRO_API_CONFIG_H
#define PYRO_API_CONFIG_H

#include <limits.h>

#include "profile/frames.h"
#include "profile/types.h"
#include "pyroscope/pyroscope.h"
#include "settings/settings.h"
#include "settings/tags.h"
#include "transport/headers.h"
#include "transport/url.h"

#define PYRO_NAME_MAX 255
#define PYRO_NOT_STARTED "not started" /* what log lines begin with */

struct pyro_config {
	struct pyro_url url;
	char address[512];                        /* as given, for log lines */
	char application_name[PYRO_NAME_MAX + 1]; /* label service_name */
	char hostname[PYRO_NAME_MAX + 1];         /* label hostname */
	struct pyro_tags tags;                    /* the other labels */
	uint32_t sample_rate;
	uint32_t upload_interval_ms;
	uint32_t stack_depth; /* frames */
	enum pyro_symbolize symbolize;
	enum pyro_demangle demangle;
	uint32_t lines_cpu_permille;
	uint32_t lines_memory_mib;
	uint32_t memory_mib;
	uint32_t types; /* PYRO_TYPE_ */
	uint32_t heap_interval;
	uint32_t block_classes;  /* bits 1 << enum pyro_wait_class */
	uint32_t inherit_labels; /* 0 or 1 */
	uint32_t strip;          /* 0 or 1: folders of file names */
	uint32_t trace_ids;      /* 0 or 1: as labels of samples */
	uint32_t overhead_permille;
	bool heap_ages;            /* in-use by how long it has been so */
	bool alone;                /* executed programs are not followed */
	char output_dir[PATH_MAX]; /* "": push to url */
	char pprof_address[256];   /* "": no listener */
	/* "": it wants none; secret */
	char pprof_token[PYRO_SECRET_MAX + 1];
	uint32_t format; /* enum pyro_format; without output_dir */
	uint32_t send_timeout_ms;
	uint32_t queue_max; /* profiles */
	uint32_t tries_max; /* of one that the server refuses */
	struct pyro_headers headers;
};

/* Fill config from given (NULL: nothing given), what is written down, and
 * defaults, in this order; PYROSCOPE_ADHOC_SERVER_ADDRESS wins over all. Says in a
 * log line each what is wrong (quiet: only what is wrong in given) and sets where
 * log lines go. 0, -EINVAL, -E2BIG, or -ECANCELED: profiling is switched off. */
int pyro_config_load(struct pyro_config *config,
		     const struct pyroscope_config *given, bool quiet);

/* The token that a listener at address wants, "" for none. NULL, after a log line
 * unless written is quiet: a bad one, and to listen without any were to let
 * everybody in. */
const char *pyro_config_token(const struct pyro_settings *written,
			      const char *address);

/* sending.c: format and headers. 0 or -EINVAL. */
int pyro_config_sending(struct pyro_config *config,
			const struct pyro_settings *written,
			const struct pyroscope_config *code);

#define PYRO_TYPES_TEXT_MAX 128
/* The words for types (PYRO_TYPE_). Returns to. */
const char *pyro_config_types(uint32_t types, char to[PYRO_TYPES_TEXT_MAX]);

/* Say at level info what is profiled. */
void pyro_config_tell(const struct pyro_config *config);

#endif
