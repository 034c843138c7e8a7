// SPDX-License-Identifier: Apache-2.0
/* file.c - the configuration file: lines of key=value
 *
 * Blank lines and those that begin with "#" or "!" say nothing; blanks around key
 * and value are dropped, and of two lines with one key the later one counts. Nobody
 * vouches for the file: it is read if it is a regular one of 64 KiB or less, and a
 * line that is none is told by its number. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "settings/settings.h"

#define FILE_MAX ((size_t)64 << 10)
#define TOLD_MAX 10 /* lines of one file */

/* [*from, *to) without the blanks around it. */
static void trim(char **from, char **to)
{
	while (*from < *to && strchr(" \t\r", **from))
		(*from)++;
	while (*from < *to && strchr(" \t\r", (*to)[-1]))
		(*to)--;
}

static bool has_controls(const char *from, const char *to)
{
	for (; from < to; from++)
		if (((unsigned char)*from < ' ' && *from != '\t') ||
		    *from == 127)
			return true;
	return false;
}

static bool is_for_files(enum pyro_setting_id id)
{
	return id != PYRO_SETTINGS && id != PYRO_SET_CONFIGURATION_FILE &&
	       !(pyro_setting[id].flags & PYRO_SETTING_INTERNAL);
}

/* One line without its end, which is overwritten. NULL, or what is wrong with it. */
static const char *take_line(struct pyro_settings_source *source, char *from,
			     char *to, unsigned int number)
{
	struct pyro_setting_entry entry = {.line = number};
	struct pyro_setting_entry *old;

	trim(&from, &to);
	if (from == to || *from == '#' || *from == '!')
		return NULL;
	if (has_controls(from, to))
		return "control characters";

	char *equals = memchr(from, '=', (size_t)(to - from));

	if (!equals)
		return "no key=value";

	char *key_end = equals, *value = equals + 1;

	trim(&from, &key_end);
	trim(&value, &to);

	enum pyro_setting_id id =
		pyro_setting_find(from, (size_t)(key_end - from), &entry.alias);

	if (!is_for_files(id))
		return "no setting of this version";
	entry.name = from;
	entry.name_len = (int)(key_end - from);
	entry.text = value;
	*to = '\0';
	old = &source->entry[id];
	if (*value && (!old->text || !entry.alias || old->alias))
		*old = entry;
	return NULL;
}

void pyro_settings_parse(struct pyro_settings *settings, char *text, size_t len)
{
	char *end = text + len;
	unsigned int number = 1;
	size_t wrong = 0;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (; text < end; number++) {
		char *to = memchr(text, '\n', (size_t)(end - text));

		if (!to)
			to = end;

		const char *why = take_line(&settings->file, text, to, number);

		if (why && wrong++ < TOLD_MAX && !settings->quiet)
			pyro_log("%.200s:%u: %s: not used", settings->path,
				 number, why);
		text = to + 1;
	}
	if (wrong > TOLD_MAX && !settings->quiet)
		pyro_log("%.200s: nor are %zu more lines", settings->path,
			 wrong - TOLD_MAX);
}

/* One byte more than may be there, and one to end the last line with. */
static int read_all(int fd, struct pyro_buf *buf)
{
	unsigned char *to = pyro_buf_reserve(buf, FILE_MAX + 2);
	ssize_t n = 1;

	if (!to)
		return -ENOMEM;
	while (n != 0 && buf->len <= FILE_MAX) {
		n = read(fd, to + buf->len, FILE_MAX + 1 - buf->len);
		if (n < 0 && errno != EINTR)
			return -errno;
		buf->len += n > 0 ? (size_t)n : 0;
	}
	return buf->len > FILE_MAX ? -EFBIG : 0;
}

/* Nothing is waited for at the end of a pipe, nor does a terminal become the
 * process's own. */
static int read_file(const char *path, struct pyro_buf *buf)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int err;

	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) != 0            ? -errno
	      : S_ISDIR(st.st_mode)          ? -EISDIR
	      : !S_ISREG(st.st_mode)         ? -EINVAL
	      : st.st_size > (off_t)FILE_MAX ? -EFBIG
					     : read_all(fd, buf);
	close(fd);
	return err;
}

static const char *reason(int err)
{
	switch (err) {
	case -ENOENT:
		return "there is none";
	case -EACCES:
		return "it may not be read";
	case -EISDIR:
		return "it is a folder";
	case -EINVAL:
		return "it is no file";
	case -EFBIG:
		return "it has more than 64 KiB";
	default:
		return "it cannot be read";
	}
}

void pyro_settings_read_file(struct pyro_settings *settings, const char *path)
{
	int err = read_file(path, &settings->text);

	settings->path = path;
	if (!err)
		pyro_settings_parse(settings, (char *)settings->text.data,
				    settings->text.len);
	else if (!settings->quiet)
		pyro_log("the configuration file %.200s is not used: %s", path,
			 reason(err));
}
