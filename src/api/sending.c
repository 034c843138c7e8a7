// SPDX-License-Identifier: Apache-2.0
/* sending.c - the settings of how profiles are sent, and by whom
 *
 * User, password, token and tenant become headers here and are kept as nothing
 * else. What is wrong is said without them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "api/config.h"
#include "base/log.h"
#include "settings/settings.h"

/* From code, else from where it is written down. 1, 2, or 0 for not set; -EINVAL
 * after a log line. */
static int find(const struct pyro_settings *written,
		const struct pyroscope_config *code, enum pyro_setting_id id,
		struct pyro_setting_value *value)
{
	int given = pyro_setting_given(code, id, PYRO_NOT_STARTED, value);

	if (given == 0 && pyro_settings_written(written, id, value))
		given = 2;
	return given;
}

/* Bad is an error in code, elsewhere a log line. */
static int refuse(const struct pyro_settings *written, enum pyro_setting_id id,
		  int found, const char *why)
{
	const char *name = pyro_setting[id].name;

	if (!why)
		return 0;
	if (found == 1)
		pyro_log(PYRO_NOT_STARTED ": %s: %s", name, why);
	else if (!written->quiet)
		pyro_log("%s is not used: %s", name, why);
	return found == 1 ? -EINVAL : 0;
}

/* The text of a small file without the line end behind it; what is wrong. */
static const char *read_secret(const char *path, char *to, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = fd < 0 ? -1 : read(fd, to, cap);

	if (fd >= 0)
		close(fd);
	if (len < 0)
		return "the file cannot be read";
	if ((size_t)len == cap)
		return "the file is too long";
	while (len > 0 && (to[len - 1] == '\n' || to[len - 1] == '\r'))
		len--;
	to[len] = '\0';
	return strlen(to) == (size_t)len ? NULL : "there is a NUL in the file";
}

struct secret {
	int found; /* as find() says */
	const char *text;
	enum pyro_setting_id id; /* where it is from */
	char file[PYRO_SECRET_MAX + 1];
};

/* A setting, else what is in the file that another one names. */
static int find_secret(const struct pyro_settings *written,
		       const struct pyroscope_config *code,
		       enum pyro_setting_id id, enum pyro_setting_id file_id,
		       struct secret *secret)
{
	struct pyro_setting_value value;
	const char *why;

	secret->id = id;
	secret->found = find(written, code, id, &value);
	secret->text = value.text;
	if (secret->found)
		return secret->found < 0 ? secret->found : 0;
	secret->id = file_id;
	secret->found = find(written, code, file_id, &value);
	if (secret->found <= 0)
		return secret->found;
	why = read_secret(value.text, secret->file, sizeof(secret->file));
	secret->text = secret->file;
	if (!why)
		return 0;
	secret->found = 0;
	return refuse(written, file_id, 2, why);
}

static int set_basic(struct pyro_config *config,
		     const struct pyro_settings *written,
		     const struct pyroscope_config *code)
{
	struct secret password;
	struct pyro_setting_value user;
	int found = find(written, code, PYRO_SET_BASIC_AUTH_USER, &user);
	int err = find_secret(written, code, PYRO_SET_BASIC_AUTH_PASSWORD,
			      PYRO_SET_BASIC_AUTH_PASSWORD_FILE, &password);

	if (found < 0 || err)
		return found < 0 ? found : err;
	if (found == 0)
		return refuse(written, password.id, password.found,
			      password.found ? "there is no basic_auth_user"
					     : NULL);
	return refuse(written, PYRO_SET_BASIC_AUTH_USER, found,
		      pyro_headers_basic(&config->headers, user.text,
					 password.found ? password.text : ""));
}

static int set_token(struct pyro_config *config,
		     const struct pyro_settings *written,
		     const struct pyroscope_config *code)
{
	struct secret token;
	int err = find_secret(written, code, PYRO_SET_AUTH_TOKEN,
			      PYRO_SET_AUTH_TOKEN_FILE, &token);

	if (err || !token.found)
		return err;
	return refuse(written, token.id, token.found,
		      pyro_headers_bearer(&config->headers, token.text));
}

static int set_header(struct pyro_config *config,
		      const struct pyro_settings *written,
		      const struct pyroscope_config *code,
		      enum pyro_setting_id id,
		      const char *(*add)(struct pyro_headers *, const char *))
{
	struct pyro_setting_value value;
	int found = find(written, code, id, &value);

	if (found <= 0)
		return found;
	return refuse(written, id, found, add(&config->headers, value.text));
}

static int set_format(struct pyro_config *config,
		      const struct pyro_settings *written,
		      const struct pyroscope_config *code)
{
	struct pyro_setting_value format;
	int err = pyro_settings_get(written, code, PYRO_SET_FORMAT, &format);

	if (err)
		return err;
	config->format = format.number;
	if (config->format == PYRO_FORMAT_FILE && !config->output_dir[0])
		return refuse(written, PYRO_SET_FORMAT,
			      find(written, code, PYRO_SET_FORMAT, &format),
			      "file needs output_dir to be set");
	return 0;
}

int pyro_config_sending(struct pyro_config *config,
			const struct pyro_settings *written,
			const struct pyroscope_config *code)
{
	int err = set_basic(config, written, code);

	if (!err)
		err = set_token(config, written, code);
	if (!err)
		err = set_header(config, written, code, PYRO_SET_TENANT_ID,
				 pyro_headers_tenant);
	if (!err)
		err = set_header(config, written, code, PYRO_SET_HTTP_HEADERS,
				 pyro_headers_json);
	if (!err)
		err = set_format(config, written, code);
	return err;
}
