/* base/protobuf.h - protobuf's wire format, read where it lies and written into a string.
 *
 * A message is a run of fields: a key (number << 3 | kind) as a varint, then a varint, 4 or 8
 * bytes, or a length and so many bytes (text, a message within, packed numbers). That is all
 * that ONNX models, TensorBoard's event files, Caffe's weights and SentencePiece's models need,
 * and reading it in place copies no tensor. Bytes come from outside: every length is checked
 * against what is left of the message around it before it is used, groups are refused, and who
 * reads messages within messages counts their depth (GI_PROTOBUF_DEPTH).
 * https://protobuf.dev/programming-guides/encoding/
 */
#ifndef GI_PROTOBUF_H
#define GI_PROTOBUF_H

#include "base/base.h"

enum { GI_PROTOBUF_DEPTH = 100 }; /* as Google's library */

typedef enum gi_wire_kind {
  GI_WIRE_VARINT = 0,
  GI_WIRE_FIXED64 = 1,
  GI_WIRE_BYTES = 2,
  GI_WIRE_FIXED32 = 5
} gi_wire_kind;

/* What is left of a message; copies are cheap, and are how one is read twice. */
typedef struct gi_wire {
  const unsigned char *p, *end;
} gi_wire;

typedef struct gi_wire_field {
  uint32_t number;
  gi_wire_kind kind;
  uint64_t value;         /* of a varint, fixed32 and fixed64: its bits */
  const unsigned char *p; /* of bytes: where they lie (borrowed), and how many */
  size_t n;
} gi_wire_field;

/* The next field; *more is false at the end of the message. GLIA_FORMAT says what is cut off or
 * malformed; where, the caller knows. */
glia_status gi_wire_next(gi_wire *w, gi_wire_field *out, bool *more);
/* A message, or packed numbers, within a field of bytes. */
static inline gi_wire gi_wire_of(const gi_wire_field *f) {
  return (gi_wire){f->p, f->p + f->n};
}
/* GLIA_FORMAT where the field has another kind; `what` names it. */
glia_status gi_wire_want(const gi_wire_field *f, gi_wire_kind kind, const char *what);
/* The next number of a packed run; the run's end is the caller's to see (w->p == w->end). */
glia_status gi_wire_number(gi_wire *w, gi_wire_kind kind, uint64_t *out);
/* Repeated numbers, packed or one a field: how many numbers a field holds, and them. `kind` is
 * that of one number. Adds to out[*n..], at most `room` in all (GLIA_FORMAT where there are
 * more); out NULL: counts. Numbers are bits: of an int64, of a float (low 32), of a double. */
glia_status gi_wire_numbers(const gi_wire_field *f, gi_wire_kind kind, uint64_t *out,
                            size_t room, size_t *n, const char *what);

static inline float gi_wire_float(uint64_t bits) {
  const uint32_t low = (uint32_t)bits;
  float f;
  memcpy(&f, &low, sizeof f);
  return f;
}
static inline double gi_wire_double(uint64_t bits) {
  double d;
  memcpy(&d, &bits, sizeof d);
  return d;
}

/* ---- writing: fields are added behind each other; failures latch in the string ----------- */

void gi_wire_put_varint(gi_str *b, uint32_t number, uint64_t v); /* int64, enum, bool */
void gi_wire_put_float(gi_str *b, uint32_t number, float v);
void gi_wire_put_double(gi_str *b, uint32_t number, double v);
void gi_wire_put_bytes(gi_str *b, uint32_t number, const void *p, size_t n);
/* Only what stands before n bytes that the caller adds (elements too large for a copy). */
void gi_wire_put_head(gi_str *b, uint32_t number, size_t n);
void gi_wire_put_text(gi_str *b, uint32_t number, const char *s);
/* The message in m as a field; m is emptied and freed, and its failure is passed on. */
void gi_wire_put_message(gi_str *b, uint32_t number, gi_str *m);
/* Packed repeated numbers. */
void gi_wire_put_varints(gi_str *b, uint32_t number, const int64_t *v, size_t n);
void gi_wire_put_floats(gi_str *b, uint32_t number, const float *v, size_t n);
void gi_wire_put_doubles(gi_str *b, uint32_t number, const double *v, size_t n);

#endif /* GI_PROTOBUF_H */
