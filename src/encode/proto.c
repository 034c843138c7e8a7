// SPDX-License-Identifier: Apache-2.0
/* proto.c - the protobuf wire format
 *
 * A nested message's length stands in front of it and is known only behind it,
 * so the writer makes room by moving the message, which is small or moved once.
 * The reader takes the four wire types of proto3; groups are refused. */
#include "encode/proto.h"

#include <string.h>

#define VARINT_MAX 10
#define FIELD_MAX ((UINT32_C(1) << 29) - 1)

static size_t varint_encode(unsigned char *to, uint64_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		to[n++] = (unsigned char)(value | 0x80);
	to[n++] = (unsigned char)value;
	return n;
}

static uint64_t tag(uint32_t field, enum pyro_proto_wire wire)
{
	return (uint64_t)field << 3 | wire;
}

void pyro_proto_put_varint(struct pyro_buf *buf, uint64_t value)
{
	unsigned char *to = pyro_buf_reserve(buf, VARINT_MAX);

	if (to)
		buf->len += varint_encode(to, value);
}

void pyro_proto_put(struct pyro_buf *buf, uint32_t field, uint64_t value)
{
	pyro_proto_put_varint(buf, tag(field, PYRO_PROTO_VARINT));
	pyro_proto_put_varint(buf, value);
}

void pyro_proto_put_opt(struct pyro_buf *buf, uint32_t field, uint64_t value)
{
	if (value)
		pyro_proto_put(buf, field, value);
}

void pyro_proto_put_bytes(struct pyro_buf *buf, uint32_t field,
			  const void *data, size_t len)
{
	pyro_proto_put_varint(buf, tag(field, PYRO_PROTO_BYTES));
	pyro_proto_put_varint(buf, len);
	pyro_buf_put(buf, data, len);
}

size_t pyro_proto_begin(struct pyro_buf *buf)
{
	return buf->len;
}

void pyro_proto_end(struct pyro_buf *buf, uint32_t field, size_t begun)
{
	unsigned char head[2 * VARINT_MAX];
	size_t len = buf->len - begun;
	size_t n = varint_encode(head, tag(field, PYRO_PROTO_BYTES));

	n += varint_encode(head + n, len);
	if (!pyro_buf_reserve(buf, n))
		return;
	memmove(buf->data + begun + n, buf->data + begun, len);
	memcpy(buf->data + begun, head, n);
	buf->len += n;
}

struct pyro_proto_reader pyro_proto_reader(const unsigned char *data,
					   size_t len)
{
	return (struct pyro_proto_reader){.at = data,
					  .end = len ? data + len : data};
}

static size_t left(const struct pyro_proto_reader *reader)
{
	return (size_t)(reader->end - reader->at);
}

uint64_t pyro_proto_varint(struct pyro_proto_reader *reader)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; pyro_proto_more(reader); shift += 7) {
		unsigned char byte = *reader->at++;

		/* The tenth byte has room for one bit. */
		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	reader->failed = true;
	return 0;
}

bool pyro_proto_next(struct pyro_proto_reader *reader,
		     struct pyro_proto_field *field)
{
	if (!pyro_proto_more(reader))
		return false;

	uint64_t key = pyro_proto_varint(reader);
	uint64_t len = 0;

	*field = (struct pyro_proto_field){0};
	field->data = reader->at;
	switch (key & 7) {
	case PYRO_PROTO_VARINT:
		field->wire = PYRO_PROTO_VARINT;
		field->value = pyro_proto_varint(reader);
		len = (uint64_t)(reader->at - field->data);
		reader->at = field->data;
		break;
	case PYRO_PROTO_FIXED64:
		field->wire = PYRO_PROTO_FIXED64;
		len = 8;
		break;
	case PYRO_PROTO_BYTES:
		field->wire = PYRO_PROTO_BYTES;
		len = pyro_proto_varint(reader);
		field->data = reader->at;
		break;
	case PYRO_PROTO_FIXED32:
		field->wire = PYRO_PROTO_FIXED32;
		len = 4;
		break;
	default:
		reader->failed = true;
	}
	if (key >> 3 == 0 || key >> 3 > FIELD_MAX || len > left(reader))
		reader->failed = true;
	if (reader->failed)
		return false;
	field->number = (uint32_t)(key >> 3);
	field->len = (size_t)len;
	reader->at += len;
	return true;
}
