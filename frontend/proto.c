// SPDX-License-Identifier: Apache-2.0
// Bytes to protobuf-c messages. protobuf-c unpacks nested messages by recursion without a limit, so the wire format is walked first with the
// message descriptors and refused beyond LOAD_MAX_NESTING levels.

#include "load.h"
#include "../compiler/diag.h"

/* One varint; 0 when truncated or longer than 64 bits, else the bytes it takes. */
static size_t varint(const uint8_t *p, size_t len, uint64_t *v)
{
    *v = 0;
    for (size_t i = 0; i < len && i < 10; i++) {
        *v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
        if (!(p[i] & 0x80))
            return i + 1;
    }
    return 0;
}

/* 0 well-formed as far as nesting goes, -1 truncated, -2 too deep. */
static int scan(const ProtobufCMessageDescriptor *desc, const uint8_t *p, size_t len, int depth)
{
    if (depth > LOAD_MAX_NESTING)
        return -2;
    while (len) {
        uint64_t key, n = 0;
        size_t used = varint(p, len, &key);
        if (!used)
            return -1;
        p += used, len -= used;
        uint32_t wire = key & 7;
        if (wire == 0) {
            if (!(used = varint(p, len, &n)))
                return -1;
            n = used;
        } else if (wire == 1) {
            n = 8;
        } else if (wire == 5) {
            n = 4;
        } else if (wire == 2) {
            if (!(used = varint(p, len, &n)))
                return -1;
            p += used, len -= used;
        } else {
            return -1;
        }
        if (n > len)
            return -1;
        if (wire == 2 && key >> 3 <= UINT32_MAX) {
            const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(desc, (unsigned)(key >> 3));
            if (f && f->type == PROTOBUF_C_TYPE_MESSAGE) {
                int r = scan(f->descriptor, p, n, depth + 1);
                if (r)
                    return r;
            }
        }
        p += n, len -= n;
    }
    return 0;
}

static ProtobufCMessage *unpack(const char *file, const ProtobufCMessageDescriptor *desc, const char *what, const uint8_t *bytes,
                                size_t len)
{
    int r = scan(desc, bytes, len, 0);
    if (r == -2) {
        diag_error(file, "the %s is nested more than %d messages deep", what, LOAD_MAX_NESTING);
        return NULL;
    }
    ProtobufCMessage *m = r ? NULL : protobuf_c_message_unpack(desc, NULL, len, bytes);
    if (!m)
        diag_error(file, "not %s, or truncated (%zu bytes)", what, len);
    return m;
}

Onnx__ModelProto *proto_model(const char *file, const uint8_t *bytes, size_t len)
{
    Onnx__ModelProto *m = (Onnx__ModelProto *)unpack(file, &onnx__model_proto__descriptor, "an ONNX model", bytes, len);
    if (m && !m->graph) {
        diag_error(file, "not an ONNX model: it holds no graph (%zu bytes)", len);
        onnx__model_proto__free_unpacked(m, NULL);
        return NULL;
    }
    return m;
}

Onnx__TensorProto *proto_tensor(const char *file, const uint8_t *bytes, size_t len)
{
    return (Onnx__TensorProto *)unpack(file, &onnx__tensor_proto__descriptor, "an ONNX tensor", bytes, len);
}
