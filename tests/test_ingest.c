// SPDX-License-Identifier: Apache-2.0
/* test_ingest.c - requests to /ingest, against bytes written by hand: what the
 * server wants of them is in the Go tests */
#include "tests/profile_util.h"

#include "encode/ingest.h"

static struct pyro_ingest request(const char *application,
				  const struct pyro_series_label *labels,
				  size_t count)
{
	return (struct pyro_ingest){
		.application = application,
		.labels = labels,
		.label_count = count,
		.time_ns = INT64_C(1755770000000000001),
		.duration_ns = INT64_C(15000000000),
		.sample_rate = 99,
		.pprof = (const unsigned char *)"\x1f\x8b\0PPF",
		.pprof_len = 6,
	};
}

static void check_name(const struct pyro_ingest *r, const char *name)
{
	struct pyro_buf out = {0};
	char want[1024];
	size_t at = pyro_ingest_write(r, &out);

	sprintf(want,
		"/ingest?name=%s&from=1755770000000000001"
		"&until=1755770015000000001&spyName=cspy&sampleRate=99",
		name);
	assert_true(at > strlen(want) + 1);
	assert_string_equal(out.data, want);
	pyro_buf_free(&out);
}

static void test_names(void **state)
{
	static const struct pyro_series_label labels[] = {
		{"hostname", "h-1.x"},
		{"route", "a,b}c{d=e&f g%\xc3\xa4\xff"},
		{"empty", ""},
	};
	struct pyro_ingest r = request("app-1.x_/y", labels, 0);

	(void)state;
	check_name(&r, "app-1.x_%2Fy");
	r.label_count = 1;
	check_name(&r, "app-1.x_%2Fy%7Bhostname%3Dh-1.x%7D");
	r.label_count = 3;
	check_name(&r, "app-1.x_%2Fy%7Bhostname%3Dh-1.x%2C"
		       "route%3Da_b_c%7Bd%3De%26f%20g%25%C3%A4%EF%BF%BD%2C"
		       "empty%3D%7D");
	/* Names that the server would refuse there. */
	r = request("my app{x=\xc3\xa4}", labels, 1);
	check_name(&r, "my_app_x____%7Bservice_name%3Dmy%20app%7Bx%3D%C3%A4_%2C"
		       "hostname%3Dh-1.x%7D");
	r = request("", NULL, 0);
	check_name(&r, "_%7Bservice_name%3D%7D");
}

static void test_form(void **state)
{
	struct pyro_ingest r = request("app", NULL, 0);
	struct pyro_buf out = {0};
	char boundary[64], want[1024];

	(void)state;
	r.type_names = "{\"a\":1}";

	size_t at = pyro_ingest_write(&r, &out);
	const char *type = (char *)out.data + strlen((char *)out.data) + 1;

	assert_int_equal(
		sscanf(type, "multipart/form-data; boundary=%63s", boundary),
		1);
	assert_int_equal(strlen(boundary), 32);
	assert_ptr_equal(out.data + at, type + strlen(type) + 1);

	int head = sprintf(want,
			   "--%s\r\nContent-Disposition: form-data; "
			   "name=\"profile\"; filename=\"profile.pprof\"\r\n"
			   "Content-Type: application/octet-stream\r\n\r\n",
			   boundary);

	assert_memory_equal(out.data + at, want, head);
	at += (size_t)head;
	assert_memory_equal(out.data + at, r.pprof, 6);
	at += 6;
	sprintf(want,
		"\r\n--%s\r\nContent-Disposition: form-data; "
		"name=\"sample_type_config\"; "
		"filename=\"sample_type_config.json\"\r\n"
		"Content-Type: application/octet-stream\r\n\r\n"
		"{\"a\":1}\r\n--%s--\r\n",
		boundary, boundary);
	assert_int_equal(out.len - at, strlen(want));
	assert_memory_equal(out.data + at, want, strlen(want));
	pyro_buf_free(&out);
}

/* The profile may hold anything, but not what separates it from the rest. */
static void test_boundary(void **state)
{
	struct pyro_ingest r = request("app", NULL, 0);
	struct pyro_buf one = {0}, two = {0};

	(void)state;
	pyro_ingest_write(&r, &one);
	pyro_ingest_write(&r, &two);
	assert_int_equal(one.len, two.len);
	assert_memory_not_equal(one.data, two.data, one.len);
	pyro_buf_free(&one);
	pyro_buf_free(&two);
}

static void test_no_memory(void **state)
{
	struct pyro_ingest r = request("app", NULL, 0);
	struct pyro_buf out = {.failed = true};

	(void)state;
	assert_int_equal(pyro_ingest_write(&r, &out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
