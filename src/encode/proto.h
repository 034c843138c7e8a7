// SPDX-License-Identifier: Apache-2.0
/* proto.h - the protobuf wire format: tags, varints and nested messages
 *
 * The writer appends to a buffer whose failure is sticky. The reader never
 * reads behind the end, copies nothing, and once it has failed finds no more
 * fields. */
#ifndef PYRO_ENCODE_PROTO_H
#define PYRO_ENCODE_PROTO_H

#include "base/buf.h"

enum pyro_proto_wire {
	PYRO_PROTO_VARINT = 0,
	PYRO_PROTO_FIXED64 = 1,
	PYRO_PROTO_BYTES = 2,
	PYRO_PROTO_FIXED32 = 5
};

void pyro_proto_put_varint(struct pyro_buf *buf, uint64_t value);
/* A field of one number, as it is and left out when it is 0. */
void pyro_proto_put(struct pyro_buf *buf, uint32_t field, uint64_t value);
void pyro_proto_put_opt(struct pyro_buf *buf, uint32_t field, uint64_t value);
void pyro_proto_put_bytes(struct pyro_buf *buf, uint32_t field,
			  const void *data, size_t len);
/* What is appended between these two becomes the content of a field of bytes;
 * begin's result goes to end. They nest. */
size_t pyro_proto_begin(struct pyro_buf *buf);
void pyro_proto_end(struct pyro_buf *buf, uint32_t field, size_t begun);

struct pyro_proto_reader {
	const unsigned char *at; /* borrowed */
	const unsigned char *end;
	bool failed; /* what was read is no message */
};

struct pyro_proto_field {
	uint32_t number;
	enum pyro_proto_wire wire;
	uint64_t value; /* of a varint, else 0 */
	/* The content without tag and length. A varint's own bytes, so that
	 * repeated numbers read the same packed or not. */
	const unsigned char *data;
	size_t len;
};

struct pyro_proto_reader pyro_proto_reader(const unsigned char *data,
					   size_t len);
/* The next field, whatever it is. False at the end, and when failed. */
bool pyro_proto_next(struct pyro_proto_reader *reader,
		     struct pyro_proto_field *field);
/* 0 when failed. */
uint64_t pyro_proto_varint(struct pyro_proto_reader *reader);
static inline bool pyro_proto_more(const struct pyro_proto_reader *reader)
{
	return !reader->failed && reader->at < reader->end;
}

#endif
