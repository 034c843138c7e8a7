// SPDX-License-Identifier: Apache-2.0
/* ingest.c - a request to /ingest: a form of one profile
 *
 *     POST /ingest?name=app{label=value,...}&from=ns&until=ns&spyName=...
 *
 * There is no quoting in name: a value that holds "," or "}" would end there, so
 * these become "_". Nor is any name of an application accepted; one that is not
 * is sent as the label service_name, too, which wins. Every part of the form
 * needs a filename, without which the server does not see it, and says 200. With
 * format=pprof it would take the whole form for a profile. */
#include "encode/ingest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "profile/utf8.h"

#define VALUE_MAX_BYTES 2048 /* the server's limit */

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-';
}

static void put_encoded(struct pyro_buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (is_plain(s[i]))
			pyro_buf_put(out, &s[i], 1);
		else
			pyro_buf_printf(out, "%%%02X", (unsigned char)s[i]);
}

/* Returns whether the server has the name as it is. */
static bool put_application(struct pyro_buf *out, const char *name)
{
	bool same = *name != '\0';

	if (!*name)
		name = "_";
	for (const char *c = name; *c; c++) {
		bool ok = is_plain(*c) || *c == '/';

		put_encoded(out, ok ? c : "_", 1);
		same = same && ok;
	}
	return same;
}

static void put_label(struct pyro_buf *out, bool first, const char *name,
		      const char *value)
{
	char clean[VALUE_MAX_BYTES];
	size_t len =
		pyro_utf8_clean(value, strlen(value), clean, sizeof(clean));

	for (size_t i = 0; i < len; i++)
		if (clean[i] == ',' || clean[i] == '}')
			clean[i] = '_';
	pyro_buf_puts(out, first ? "%7B" : "%2C");
	put_encoded(out, name, strlen(name));
	pyro_buf_puts(out, "%3D");
	put_encoded(out, clean, len);
}

static void put_target(const struct pyro_ingest *r, struct pyro_buf *out)
{
	size_t count = 0;

	pyro_buf_puts(out, "/ingest?name=");
	if (!put_application(out, r->application))
		put_label(out, count++ == 0, "service_name", r->application);
	for (size_t i = 0; i < r->label_count; i++)
		put_label(out, count++ == 0, r->labels[i].name,
			  r->labels[i].value);
	pyro_buf_puts(out, count ? "%7D" : "");
	pyro_buf_printf(out,
			"&from=%" PRId64 "&until=%" PRId64
			"&spyName=cspy&sampleRate=%" PRIu32,
			r->time_ns, r->time_ns + r->duration_ns,
			r->sample_rate);
	pyro_buf_put(out, "", 1);
}

static void put_part(struct pyro_buf *out, const char *boundary,
		     const char *name, const char *file, const void *data,
		     size_t len)
{
	pyro_buf_printf(out,
			"--%s\r\nContent-Disposition: form-data; name=\"%s\"; "
			"filename=\"%s\"\r\n"
			"Content-Type: application/octet-stream\r\n\r\n",
			boundary, name, file);
	pyro_buf_put(out, data, len);
	pyro_buf_puts(out, "\r\n");
}

size_t pyro_ingest_write(const struct pyro_ingest *r, struct pyro_buf *out)
{
	char boundary[33];

	snprintf(boundary, sizeof(boundary), "%016" PRIx64 "%016" PRIx64,
		 pyro_random(), pyro_random());
	put_target(r, out);
	pyro_buf_printf(out, "multipart/form-data; boundary=%s", boundary);
	pyro_buf_put(out, "", 1);

	size_t body_at = out->len;

	put_part(out, boundary, "profile", "profile.pprof", r->pprof,
		 r->pprof_len);
	if (r->type_names)
		put_part(out, boundary, "sample_type_config",
			 "sample_type_config.json", r->type_names,
			 strlen(r->type_names));
	pyro_buf_printf(out, "--%s--\r\n", boundary);
	return out->failed ? 0 : body_at;
}
