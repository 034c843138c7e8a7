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

/* From the strongest on. Options are written into the environment. */
enum place {
	IN_CODE,
	IN_ENVIRONMENT,
	IN_FILE,
	PLACES
};

/* 1, 0 for not set there, or -EINVAL: in code, and after a log line. */
static int find_in(const struct pyro_settings *written,
		   const struct pyroscope_config *code, enum place place,
		   enum pyro_setting_id id, struct pyro_setting_value *value)
{
	if (place == IN_CODE)
		return pyro_setting_given(code, id, PYRO_NOT_STARTED, value);
	return pyro_settings_from(written,
				  place == IN_ENVIRONMENT
					  ? &written->environment
					  : &written->file,
				  id, value);
}

/* Bad is an error in code, elsewhere a log line. That a header is there already is
 * never an error: a stronger place has it. */
static int refuse(const struct pyro_settings *written, enum pyro_setting_id id,
		  enum place place, const char *why, bool partly)
{
	const char *name = pyro_setting[id].name;

	if (place == IN_CODE && why != pyro_headers_twice) {
		pyro_log(PYRO_NOT_STARTED ": %s: %s", name, why);
		return -EINVAL;
	}
	if (!written->quiet)
		pyro_log("%s%s is %s: %s", partly ? "not all of " : "", name,
			 partly ? "used" : "not used", why);
	return 0;
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

/* What the headers are made from. */
struct maker {
	struct pyro_config *config;
	const struct pyro_settings *written;
	const struct pyroscope_config *code;
	bool has_user;
};

static int find_at(const struct maker *from, enum place place,
		   enum pyro_setting_id id, struct pyro_setting_value *value)
{
	return find_in(from->written, from->code, place, id, value);
}

/* 1 for a header that is made, or need not be; 0 for a bad one; -EINVAL */
static int settle(const struct maker *from, enum place place,
		  enum pyro_setting_id id, const char *why, bool partly)
{
	int err = why ? refuse(from->written, id, place, why, partly) : 0;

	return err ? err : !why || partly || why == pyro_headers_twice;
}

struct secret {
	const char *text;
	enum pyro_setting_id id; /* where it is from */
	enum place place;
	char file[PYRO_SECRET_MAX + 1];
};

/* In one place: a setting, else what is in the file that another one names. 1, 0
 * for none there, or -EINVAL. */
static int find_secret(const struct maker *from, enum place place,
		       enum pyro_setting_id id, enum pyro_setting_id file_id,
		       struct secret *secret)
{
	struct pyro_setting_value value = {0};
	int found = find_at(from, place, id, &value);
	const char *why;

	secret->place = place;
	secret->id = id;
	secret->text = value.text;
	if (found)
		return found;
	found = find_at(from, place, file_id, &value);
	if (found <= 0)
		return found;
	secret->id = file_id;
	secret->text = secret->file;
	why = read_secret(value.text, secret->file, sizeof(secret->file));
	return why ? refuse(from->written, file_id, place, why, false) : 1;
}

static int find_password(const struct maker *from, struct secret *password)
{
	int found = 0;

	for (int place = IN_CODE; place < PLACES && found == 0; place++)
		found = find_secret(
			from, (enum place)place, PYRO_SET_BASIC_AUTH_PASSWORD,
			PYRO_SET_BASIC_AUTH_PASSWORD_FILE, password);
	return found;
}

/* The password may be from another place than the user, who counts. */
static int set_basic(struct maker *from, enum place place)
{
	struct secret user, password;
	int found = find_secret(from, place, PYRO_SET_BASIC_AUTH_USER,
				PYRO_SET_BASIC_AUTH_USER_FILE, &user);
	int with = found > 0 ? find_password(from, &password) : 0;

	if (found <= 0 || with < 0)
		return found <= 0 ? found : with;
	from->has_user = true;
	return settle(from, place, user.id,
		      !*user.text ? "an empty user name"
				  : pyro_headers_basic(
					    &from->config->headers, user.text,
					    with ? password.text : ""),
		      false);
}

static int set_token(struct maker *from, enum place place)
{
	struct secret token;
	int found = find_secret(from, place, PYRO_SET_AUTH_TOKEN,
				PYRO_SET_AUTH_TOKEN_FILE, &token);

	if (found <= 0)
		return found;

	const char *why =
		pyro_headers_bearer(&from->config->headers, token.text);

	/* As other clients, which have given it up. */
	if (!why && place == IN_ENVIRONMENT &&
	    token.id == PYRO_SET_AUTH_TOKEN && !from->written->quiet)
		pyro_log("PYROSCOPE_AUTH_TOKEN is used, but deprecated: see "
			 "basic_auth_user and auth_token_file");
	return settle(from, place, token.id, why, false);
}

static int set_tenant(struct maker *from, enum place place)
{
	struct pyro_setting_value tenant;
	int found = find_at(from, place, PYRO_SET_TENANT_ID, &tenant);

	if (found <= 0)
		return found;
	return settle(from, place, PYRO_SET_TENANT_ID,
		      pyro_headers_tenant(&from->config->headers, tenant.text),
		      false);
}

static int set_more(struct maker *from, enum place place)
{
	struct pyro_headers *headers = &from->config->headers;
	struct pyro_setting_value json;
	int found = find_at(from, place, PYRO_SET_HTTP_HEADERS, &json);
	size_t before = headers->len;

	if (found <= 0)
		return found;

	const char *why = pyro_headers_json(headers, json.text);

	return settle(from, place, PYRO_SET_HTTP_HEADERS, why,
		      why && headers->len > before);
}

static int check_password(const struct maker *from)
{
	struct secret password;
	int found = from->has_user ? 0 : find_password(from, &password);

	return found <= 0 ? found
			  : refuse(from->written, password.id, password.place,
				   "there is no basic_auth_user", false);
}

/* Of two for one header the first is taken: that of the stronger place, and in one
 * place of these in their order. */
static int set_headers(struct maker *from)
{
	static int (*const set[])(struct maker *, enum place) = {
		set_basic, set_token, set_tenant, set_more};
	bool settled[PYRO_COUNT_OF(set)] = {false};

	for (int place = IN_CODE; place < PLACES; place++) {
		for (size_t i = 0; i < PYRO_COUNT_OF(set); i++) {
			int done = settled[i] ? 1
					      : set[i](from, (enum place)place);

			if (done < 0)
				return done;
			settled[i] = done > 0;
		}
	}
	return check_password(from);
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
	if (config->format != PYRO_FORMAT_FILE || config->output_dir[0])
		return 0;

	bool in_code =
		find_in(written, code, IN_CODE, PYRO_SET_FORMAT, &format) > 0;

	return refuse(written, PYRO_SET_FORMAT,
		      in_code ? IN_CODE : IN_ENVIRONMENT,
		      "file needs output_dir to be set", false);
}

int pyro_config_sending(struct pyro_config *config,
			const struct pyro_settings *written,
			const struct pyroscope_config *code)
{
	struct maker from = {
		.config = config, .written = written, .code = code};
	int err = set_headers(&from);

	if (!err)
		err = set_format(config, written, code);
	return err;
}
