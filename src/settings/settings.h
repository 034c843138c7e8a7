// SPDX-License-Identifier: Apache-2.0
/* settings.h - everything that can be set, in one table
 *
 * The table (table.c) makes the PYROSCOPE_* environment, the configuration file,
 * pyroscope_config_set(), the options of pyro exec and record, and
 * docs/configuration.md. A setting comes from code, else from the environment (in
 * which pyro writes its options), else from the file, else it is its default. What
 * is bad in the environment or the file is one log line, and as if it were not
 * there. */
#ifndef PYRO_SETTINGS_SETTINGS_H
#define PYRO_SETTINGS_SETTINGS_H

#include "base/buf.h"
#include "pyroscope/pyroscope.h"

enum pyro_setting_id {
	PYRO_SET_SERVER_ADDRESS,
	PYRO_SET_ADHOC_SERVER_ADDRESS,
	PYRO_SET_APPLICATION_NAME,
	PYRO_SET_TAGS,
	PYRO_SET_PROFILING_ENABLED,
	PYRO_SET_PROFILE_TYPES,
	PYRO_SET_SAMPLE_RATE,
	PYRO_SET_STACK_DEPTH,
	PYRO_SET_UPLOAD_INTERVAL,
	PYRO_SET_HEAP_INTERVAL,
	PYRO_SET_BLOCK_CLASSES,
	PYRO_SET_INHERIT_LABELS,
	PYRO_SET_TRACE_IDS,
	PYRO_SET_OVERHEAD_PERMILLE,
	PYRO_SET_SYMBOLS,
	PYRO_SET_DEMANGLE,
	PYRO_SET_STRIP_FILENAMES,
	PYRO_SET_LINES_CPU_PERMILLE,
	PYRO_SET_LINES_MEMORY_MIB,
	PYRO_SET_MEMORY_MIB,
	PYRO_SET_OUTPUT_DIR,
	PYRO_SET_CONFIGURATION_FILE,
	PYRO_SET_FORMAT,
	PYRO_SET_BASIC_AUTH_USER,
	PYRO_SET_BASIC_AUTH_USER_FILE,
	PYRO_SET_BASIC_AUTH_PASSWORD,
	PYRO_SET_BASIC_AUTH_PASSWORD_FILE,
	PYRO_SET_AUTH_TOKEN,
	PYRO_SET_AUTH_TOKEN_FILE,
	PYRO_SET_TENANT_ID,
	PYRO_SET_HTTP_HEADERS,
	PYRO_SET_EXPORT_TIMEOUT,
	PYRO_SET_QUEUE_CAPACITY,
	PYRO_SET_MAX_TRIES,
	PYRO_SET_PPROF_ADDRESS,
	PYRO_SET_PPROF_TOKEN,
	PYRO_SET_LOG_FILE,
	PYRO_SET_LOG_LEVEL,
	PYRO_SET_CHILDREN,
	/* Other clients' switches: what they turn on or off of the types. */
	PYRO_SET_PROFILING_CPU,
	PYRO_SET_PROFILING_ALLOCATION,
	PYRO_SET_PROFILING_HEAP,
	PYRO_SET_PROFILING_LOCK,
	PYRO_SET_PROFILER_EVENT,
	PYRO_SET_IGNORED, /* those that have nothing to switch here */
	/* From pyro to the library, or to pyro. */
	PYRO_SET_COMMAND,
	PYRO_SET_ROOT_PID,
	PYRO_SET_HEAP_AGES,
	PYRO_SET_LIBRARY,
	PYRO_SETTINGS
};

/* How profiles are sent. Words are not 0. */
enum pyro_format {
	PYRO_FORMAT_PUSH = 1,
	PYRO_FORMAT_INGEST, /* for servers and agents that have nothing else */
	PYRO_FORMAT_FILE,   /* not at all: into output_dir */
	PYRO_FORMAT_NONE    /* not at all: for those who fetch them */
};

/* Who has started the program. */
enum {
	PYRO_COMMAND_EXEC = 1,
	PYRO_COMMAND_RECORD
};

/* How a value is written. */
enum pyro_setting_kind {
	PYRO_KIND_TEXT, /* min to max bytes */
	PYRO_KIND_ADDRESS,
	PYRO_KIND_SWITCH, /* 1, true, yes, on; 0, false, no, off */
	PYRO_KIND_NUMBER,
	PYRO_KIND_MS,     /* "15s", "500ms", "2m"; without a unit seconds */
	PYRO_KIND_BYTES,  /* "512k", "1m", "1g"; without a unit bytes */
	PYRO_KIND_PERIOD, /* the same as MS, but the setting is the rate */
	/* "10ms", "500us"; without a unit nanoseconds: the setting is on */
	PYRO_KIND_THRESHOLD,
	PYRO_KIND_WORD, /* one of words */
	PYRO_KIND_NAME, /* min to max bytes, and labels: "app{k=v}" */
	PYRO_KIND_TAGS, /* "k=v,k=v" */
	PYRO_KIND_LIST  /* several, by commas: the OR of their values */
};

struct pyro_setting_word {
	const char *text; /* NULL: the end */
	uint32_t value;
};

enum {
	PYRO_SETTING_SECRET = 1,   /* its value is not shown to anybody */
	PYRO_SETTING_INTERNAL = 2, /* not for users, nor in files */
	PYRO_SETTING_RECORD = 4    /* an option of pyro record, too */
};

struct pyro_setting {
	const char *name; /* as a variable, PYROSCOPE_ and in capitals */
	enum pyro_setting_kind kind;
	unsigned int flags;
	/* Where it is in struct pyroscope_config: a const char *, of numbers a
	 * uint32_t. 0: not there. */
	size_t field;
	const char *fallback; /* NULL: as help says */
	uint32_t min, max;    /* both 0: any */
	const struct pyro_setting_word *words;
	const char *option, *argument; /* of pyro, NULL: none; "URL" */
	const char *help;              /* without the full stop */
};

extern const struct pyro_setting pyro_setting[PYRO_SETTINGS];

/* Another name of a setting. */
struct pyro_setting_alias {
	const char *name; /* NULL: the end */
	enum pyro_setting_id id;
	enum pyro_setting_kind kind; /* how it is written under this name */
};
extern const struct pyro_setting_alias pyro_setting_aliases[];

/* The setting of a key, however it is spelled: "sample_rate", "sample-rate",
 * "pyroscope.sample.rate", "PYROSCOPE_SAMPLE_RATE". *alias is the other name that
 * it is, else NULL. PYRO_SETTINGS: none. */
enum pyro_setting_id pyro_setting_find(const char *key, size_t len,
				       const struct pyro_setting_alias **alias);

/* The value of a word of len bytes; 0: none of them. */
uint32_t pyro_setting_word(const struct pyro_setting_word *words,
			   const char *text, size_t len);

enum pyro_setting_result {
	PYRO_SETTING_GOOD,
	PYRO_SETTING_PARTLY, /* of a list, some; *number is of these */
	PYRO_SETTING_BAD
};

/* Read a value. *number is set if it is one, a word or a list; *why to what is
 * wrong with it, if more can be said than pyro_setting_expects() does, else to
 * NULL. */
enum pyro_setting_result pyro_setting_parse(const struct pyro_setting *setting,
					    enum pyro_setting_kind kind,
					    const char *text, uint32_t *number,
					    const char **why);

#define PYRO_SETTING_EXPECTS_MAX 320

/* What a value may be, for people: "1 to 1000", "names, lines or server". kind is
 * the setting's own, or that of its alias. Returns to. */
const char *pyro_setting_expects(const struct pyro_setting *setting,
				 enum pyro_setting_kind kind,
				 char to[PYRO_SETTING_EXPECTS_MAX]);

/* Is it a number, whatever its unit? */
static inline bool pyro_setting_is_number(const struct pyro_setting *setting)
{
	return setting->kind == PYRO_KIND_NUMBER ||
	       setting->kind == PYRO_KIND_SWITCH ||
	       setting->kind == PYRO_KIND_MS ||
	       setting->kind == PYRO_KIND_BYTES;
}

#define PYRO_SETTING_SHOWN_MAX 128

/* A value as it may be logged: cut, and without what is secret. Returns to. */
const char *pyro_setting_shown(const struct pyro_setting *setting,
			       const char *text,
			       char to[PYRO_SETTING_SHOWN_MAX]);

struct pyro_setting_value {
	const char *text; /* borrowed from where it was found; NULL: nothing */
	uint32_t number;
};

/* What code has set: 1 and the value, 0 for nothing, or -EINVAL after a log line
 * that begins with what. */
int pyro_setting_given(const struct pyroscope_config *config,
		       enum pyro_setting_id id, const char *what,
		       struct pyro_setting_value *value);

/* One place where settings are written down. */
struct pyro_settings_source {
	struct pyro_setting_entry {
		const char *text; /* NULL: not there */
		const char *name; /* as it is called there, not terminated */
		int name_len;
		unsigned int line; /* of the file; 0: the environment */
		const struct pyro_setting_alias *alias; /* NULL: none */
	} entry[PYRO_SETTINGS];
};

#define PYRO_SETTINGS_UNKNOWN_MAX 300

struct pyro_settings {
	bool quiet; /* set by the caller: say nothing of what is bad */
	struct pyro_settings_source environment, file;
	const char *path;     /* of the file; borrowed from the environment */
	struct pyro_buf text; /* of the file */
	/* Names of variables that are no setting's, as far as there is room,
	 * and how many are in there and are not. */
	char unknown[PYRO_SETTINGS_UNKNOWN_MAX];
	size_t unknown_len, unknown_named, unknown_left_out;
};

/* Read the environment, and the file that it names, of which a line that is none is
 * told. Borrows the environment for as long as values are used; nothing is taken
 * of it where the process is privileged. Until pyro_settings_free(). Keeps errno. */
void pyro_settings_read(struct pyro_settings *settings);
void pyro_settings_free(struct pyro_settings *settings);

/* file.c: read the file at path, or the len bytes of one, which are changed and
 * borrowed as long; one more than len may be written. */
void pyro_settings_read_file(struct pyro_settings *settings, const char *path);
void pyro_settings_parse(struct pyro_settings *settings, char *text,
			 size_t len);

/* Say in one line which variables are no setting, unless quiet. */
void pyro_settings_tell_unknown(const struct pyro_settings *settings);

/* The value in one source. False: there is none, or it is bad, which is told. */
bool pyro_settings_from(const struct pyro_settings *settings,
			const struct pyro_settings_source *source,
			enum pyro_setting_id id,
			struct pyro_setting_value *value);

/* The first good value that is written down. False: there is none, and value is
 * the default. */
bool pyro_settings_written(const struct pyro_settings *settings,
			   enum pyro_setting_id id,
			   struct pyro_setting_value *value);

/* Is it written down, but nowhere a good one? Says nothing. For what must not be as
 * if it were not there. */
bool pyro_settings_are_bad(const struct pyro_settings *settings,
			   enum pyro_setting_id id);

/* Code, else what is written down, else the default. 0, or -EINVAL after a log
 * line: code has set what is bad. */
int pyro_settings_get(const struct pyro_settings *settings,
		      const struct pyroscope_config *code,
		      enum pyro_setting_id id,
		      struct pyro_setting_value *value);

#endif
