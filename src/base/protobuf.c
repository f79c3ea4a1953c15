/* base/protobuf.c - the wire format (see protobuf.h): a cursor that never passes its end, and
 * its reverse.
 *
 * Strict where the encoding leaves no doubt (numbers of 1 to 2^29 - 1, varints of at most 64
 * bits, no groups: proto2's, which nothing here has) and lax where its rules say so: fields in
 * any order, repeated numbers packed or not, unknown fields skipped by whoever reads.
 */
#include "base/protobuf.h"

enum { NUMBER_MAX = (1 << 29) - 1 };

/* ---- reading --------------------------------------------------------------------------- */

static size_t left(const gi_wire *w) { return (size_t)(w->end - w->p); }

/* Seven bits a byte, lowest first, the top bit says that another byte follows. */
static glia_status read_varint(gi_wire *w, uint64_t *out) {
  uint64_t v = 0;
  for (unsigned shift = 0;; shift += 7) {
    if (w->p == w->end) return gi_fail(GLIA_FORMAT, "a number is cut off");
    const unsigned char byte = *w->p++;
    if (shift == 63 && byte > 1) return gi_fail(GLIA_FORMAT, "a number has more than 64 bits");
    v |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *out = v;
      return GLIA_OK;
    }
  }
}

static glia_status read_fixed(gi_wire *w, size_t n, uint64_t *out) {
  if (left(w) < n)
    return gi_fail(GLIA_FORMAT, "a number of %zu bytes is cut off after %zu", n, left(w));
  uint64_t v = 0;
  for (size_t i = n; i-- > 0;) v = v << 8 | w->p[i];
  w->p += n;
  *out = v;
  return GLIA_OK;
}

static glia_status read_bytes(gi_wire *w, gi_wire_field *f) {
  uint64_t n = 0;
  GI_TRY(read_varint(w, &n));
  if (n > left(w))
    return gi_fail(GLIA_FORMAT, "field %u should have %llu bytes, there are %zu", f->number,
                   (unsigned long long)n, left(w));
  f->p = w->p;
  f->n = (size_t)n;
  w->p += f->n;
  return GLIA_OK;
}

glia_status gi_wire_number(gi_wire *w, gi_wire_kind kind, uint64_t *out) {
  if (kind == GI_WIRE_VARINT) return read_varint(w, out);
  return read_fixed(w, kind == GI_WIRE_FIXED64 ? 8 : 4, out);
}

glia_status gi_wire_next(gi_wire *w, gi_wire_field *out, bool *more) {
  *more = w->p < w->end;
  if (!*more) return GLIA_OK;
  uint64_t key = 0;
  GI_TRY(read_varint(w, &key));
  const unsigned kind = (unsigned)(key & 7);
  if (key >> 3 == 0 || key >> 3 > NUMBER_MAX)
    return gi_fail(GLIA_FORMAT, "there is no field number %llu",
                   (unsigned long long)(key >> 3));
  *out = (gi_wire_field){.number = (uint32_t)(key >> 3), .kind = (gi_wire_kind)kind};
  switch (kind) {
    case GI_WIRE_VARINT:
    case GI_WIRE_FIXED64:
    case GI_WIRE_FIXED32: return gi_wire_number(w, out->kind, &out->value);
    case GI_WIRE_BYTES: return read_bytes(w, out);
    default:
      return gi_fail(GLIA_FORMAT, "field %u has wire type %u, want 0, 1, 2 or 5", out->number,
                     kind);
  }
}

static const char *kind_name(gi_wire_kind kind) {
  switch (kind) {
    case GI_WIRE_VARINT: return "a whole number";
    case GI_WIRE_FIXED64: return "8 bytes";
    case GI_WIRE_BYTES: return "a length and bytes";
    case GI_WIRE_FIXED32: return "4 bytes";
  }
  return "?";
}

glia_status gi_wire_want(const gi_wire_field *f, gi_wire_kind kind, const char *what) {
  if (f->kind == kind) return GLIA_OK;
  return gi_fail(GLIA_FORMAT, "%s (field %u) is %s, want %s", what, f->number,
                 kind_name(f->kind), kind_name(kind));
}

glia_status gi_wire_numbers(const gi_wire_field *f, gi_wire_kind kind, uint64_t *out,
                            size_t room, size_t *n, const char *what) {
  const bool packed = f->kind == GI_WIRE_BYTES;
  gi_wire run = {0};
  if (packed)
    run = gi_wire_of(f);
  else
    GI_TRY(gi_wire_want(f, kind, what));
  for (bool one = !packed; one || run.p < run.end; one = false) {
    uint64_t v = f->value;
    if (packed) GI_TRY(gi_wire_number(&run, kind, &v));
    if (out != NULL && *n >= room)
      return gi_fail(GLIA_FORMAT, "%s has more than %zu numbers", what, room);
    if (out != NULL) out[*n] = v;
    ++*n;
  }
  return GLIA_OK;
}

/* ---- writing --------------------------------------------------------------------------- */

static void put_varint(gi_str *b, uint64_t v) {
  char bytes[10];
  size_t n = 0;
  for (; v >= 0x80; v >>= 7) bytes[n++] = (char)((v & 0x7f) | 0x80);
  bytes[n++] = (char)v;
  gi_str_add(b, bytes, n);
}

static void put_key(gi_str *b, uint32_t number, gi_wire_kind kind) {
  put_varint(b, (uint64_t)number << 3 | kind);
}

static void put_fixed(gi_str *b, uint64_t v, size_t n) {
  char bytes[8];
  for (size_t i = 0; i < n; i++) bytes[i] = (char)(v >> 8 * i & 0xff);
  gi_str_add(b, bytes, n);
}

static uint64_t bits_of_float(float v) {
  uint32_t u;
  memcpy(&u, &v, sizeof u);
  return u;
}

static uint64_t bits_of_double(double v) {
  uint64_t u;
  memcpy(&u, &v, sizeof u);
  return u;
}

void gi_wire_put_varint(gi_str *b, uint32_t number, uint64_t v) {
  put_key(b, number, GI_WIRE_VARINT);
  put_varint(b, v);
}

void gi_wire_put_float(gi_str *b, uint32_t number, float v) {
  put_key(b, number, GI_WIRE_FIXED32);
  put_fixed(b, bits_of_float(v), 4);
}

void gi_wire_put_double(gi_str *b, uint32_t number, double v) {
  put_key(b, number, GI_WIRE_FIXED64);
  put_fixed(b, bits_of_double(v), 8);
}

void gi_wire_put_head(gi_str *b, uint32_t number, size_t n) {
  put_key(b, number, GI_WIRE_BYTES);
  put_varint(b, n);
}

void gi_wire_put_bytes(gi_str *b, uint32_t number, const void *p, size_t n) {
  gi_wire_put_head(b, number, n);
  gi_str_add(b, p, n);
}

void gi_wire_put_text(gi_str *b, uint32_t number, const char *s) {
  gi_wire_put_bytes(b, number, s, strlen(s));
}

void gi_wire_put_message(gi_str *b, uint32_t number, gi_str *m) {
  b->failed |= m->failed;
  gi_wire_put_bytes(b, number, m->s, m->n);
  gi_str_free(m);
}

static size_t varint_bytes(uint64_t v) {
  size_t n = 1;
  for (; v >= 0x80; v >>= 7) n++;
  return n;
}

void gi_wire_put_varints(gi_str *b, uint32_t number, const int64_t *v, size_t n) {
  size_t bytes = 0; /* at most 10 each, of numbers that are in memory: no overflow */
  for (size_t i = 0; i < n; i++) bytes += varint_bytes((uint64_t)v[i]);
  gi_wire_put_head(b, number, bytes);
  for (size_t i = 0; i < n; i++) put_varint(b, (uint64_t)v[i]);
}

void gi_wire_put_floats(gi_str *b, uint32_t number, const float *v, size_t n) {
  gi_wire_put_head(b, number, 4 * n);
  for (size_t i = 0; i < n; i++) put_fixed(b, bits_of_float(v[i]), 4);
}

void gi_wire_put_doubles(gi_str *b, uint32_t number, const double *v, size_t n) {
  gi_wire_put_head(b, number, 8 * n);
  for (size_t i = 0; i < n; i++) put_fixed(b, bits_of_double(v[i]), 8);
}
