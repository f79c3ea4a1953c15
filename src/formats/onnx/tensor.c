/* formats/onnx/tensor.c - TensorProto: a shape, a type, and elements in one of many places.
 *
 * Elements are raw_data (little-endian), or numbers of a typed field (float_data,
 * int32_data...: which one, the type says), or in a file beside the model. Raw ones, and floats
 * packed as one field, stay where they are; the others are decoded into the arena. Sparse
 * tensors are made dense, within a limit, since a few bytes of a file can stand for any number
 * of zeros. https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
#include "formats/formats.h"
#include "formats/onnx/read.h"

/* Numbers of fields of TensorProto. */
enum {
  DIMS = 1,
  DATA_TYPE = 2,
  FLOAT_DATA = 4,
  INT32_DATA = 5,
  STRING_DATA = 6,
  INT64_DATA = 7,
  NAME = 8,
  RAW_DATA = 9,
  DOUBLE_DATA = 10,
  UINT64_DATA = 11,
  EXTERNAL_DATA = 13,
  DATA_LOCATION = 14
};
enum { NO_CARRIER = -1 };
static const size_t SPARSE_MAX = (size_t)1 << 30; /* of a model, made dense */

/* ---- types ----------------------------------------------------------------------------- */

typedef struct type_row {
  const char *name;
  unsigned bits;
  uint32_t field;    /* of typed elements */
  int carrier;       /* glia_dtype */
  int32_t low, high; /* of int32_data */
} type_row;

static const type_row types[] = {
    [GI_ONNX_FLOAT] = {"float", 32, FLOAT_DATA, GLIA_F32, 0, 0},
    [GI_ONNX_UINT8] = {"uint8", 8, INT32_DATA, GLIA_U8, 0, UINT8_MAX},
    [GI_ONNX_INT8] = {"int8", 8, INT32_DATA, GLIA_I8, INT8_MIN, INT8_MAX},
    [GI_ONNX_UINT16] = {"uint16", 16, INT32_DATA, GLIA_I32, 0, UINT16_MAX},
    [GI_ONNX_INT16] = {"int16", 16, INT32_DATA, GLIA_I32, INT16_MIN, INT16_MAX},
    [GI_ONNX_INT32] = {"int32", 32, INT32_DATA, GLIA_I32, INT32_MIN, INT32_MAX},
    [GI_ONNX_INT64] = {"int64", 64, INT64_DATA, GLIA_I64, 0, 0},
    [GI_ONNX_STRING] = {"string", 0, STRING_DATA, NO_CARRIER, 0, 0},
    [GI_ONNX_BOOL] = {"bool", 8, INT32_DATA, GLIA_BOOL, 0, 1},
    [GI_ONNX_FLOAT16] = {"float16", 16, INT32_DATA, GLIA_F16, 0, UINT16_MAX},
    [GI_ONNX_DOUBLE] = {"double", 64, DOUBLE_DATA, GLIA_F64, 0, 0},
    [GI_ONNX_UINT32] = {"uint32", 32, UINT64_DATA, GLIA_I64, 0, 0},
    [GI_ONNX_UINT64] = {"uint64", 64, UINT64_DATA, GLIA_I64, 0, 0},
    [GI_ONNX_COMPLEX64] = {"complex64", 64, FLOAT_DATA, NO_CARRIER, 0, 0},
    [GI_ONNX_COMPLEX128] = {"complex128", 128, DOUBLE_DATA, NO_CARRIER, 0, 0},
    [GI_ONNX_BFLOAT16] = {"bfloat16", 16, INT32_DATA, GLIA_BF16, 0, UINT16_MAX},
    [17] = {"float8e4m3fn", 8, INT32_DATA, NO_CARRIER, 0, UINT8_MAX},
    [18] = {"float8e4m3fnuz", 8, INT32_DATA, NO_CARRIER, 0, UINT8_MAX},
    [19] = {"float8e5m2", 8, INT32_DATA, NO_CARRIER, 0, UINT8_MAX},
    [20] = {"float8e5m2fnuz", 8, INT32_DATA, NO_CARRIER, 0, UINT8_MAX},
    /* Elements of less than a byte lie two or four in one, the first in the low bits. */
    [21] = {"uint4", 4, INT32_DATA, NO_CARRIER, INT8_MIN, UINT8_MAX},
    [22] = {"int4", 4, INT32_DATA, NO_CARRIER, INT8_MIN, UINT8_MAX},
    [23] = {"float4e2m1", 4, INT32_DATA, NO_CARRIER, INT8_MIN, UINT8_MAX},
    [24] = {"float8e8m0", 8, INT32_DATA, NO_CARRIER, 0, UINT8_MAX},
    [25] = {"uint2", 2, INT32_DATA, NO_CARRIER, INT8_MIN, UINT8_MAX},
    [26] = {"int2", 2, INT32_DATA, NO_CARRIER, INT8_MIN, UINT8_MAX},
};

static const type_row *row_of(int64_t type) {
  return type > 0 && type < GI_COUNT(types) ? &types[type] : NULL;
}

const char *gi_onnx_type_name(int type) {
  const type_row *row = row_of(type);
  return row == NULL ? "?" : row->name;
}

size_t gi_onnx_type_size(int type) {
  const type_row *row = row_of(type);
  return row == NULL || row->bits % 8 != 0 ? 0 : row->bits / 8;
}

bool gi_onnx_carrier(int type, glia_dtype *out) {
  const type_row *row = row_of(type);
  if (row == NULL || row->carrier == NO_CARRIER) return false;
  *out = (glia_dtype)row->carrier;
  return true;
}

int gi_onnx_type_of(glia_dtype dtype) {
  switch (dtype) {
    case GLIA_F32: return GI_ONNX_FLOAT;
    case GLIA_F64: return GI_ONNX_DOUBLE;
    case GLIA_BF16: return GI_ONNX_BFLOAT16;
    case GLIA_F16: return GI_ONNX_FLOAT16;
    case GLIA_I32: return GI_ONNX_INT32;
    case GLIA_I64: return GI_ONNX_INT64;
    case GLIA_U8: return GI_ONNX_UINT8;
    case GLIA_BOOL: return GI_ONNX_BOOL;
    case GLIA_I8: return GI_ONNX_INT8;
  }
  return GI_ONNX_UNDEFINED;
}

/* ---- what a message holds -------------------------------------------------------------- */

typedef struct content {
  int64_t type;
  const type_row *row;
  gi_wire_field raw;   /* p NULL: there is none */
  uint32_t typed;      /* number of the typed field; 0: there is none */
  int fields;          /* of that number */
  size_t numbers;      /* in them */
  gi_wire_field first; /* of them */
  bool external;
  gi_onnx_place place;
} content;

static gi_wire_kind kind_of(uint32_t field) {
  return field == FLOAT_DATA    ? GI_WIRE_FIXED32
         : field == DOUBLE_DATA ? GI_WIRE_FIXED64
                                : GI_WIRE_VARINT;
}

static glia_status scan_typed(const gi_wire_field *f, content *c) {
  if (c->typed != 0 && c->typed != f->number)
    return gi_fail(GLIA_FORMAT, "has elements in two fields, %u and %u", c->typed, f->number);
  if (c->typed == 0) c->first = *f;
  c->typed = f->number;
  c->fields++;
  if (f->number != STRING_DATA)
    return gi_wire_numbers(f, kind_of(f->number), NULL, 0, &c->numbers, "its elements");
  c->numbers++;
  return gi_wire_want(f, GI_WIRE_BYTES, "string_data");
}

static glia_status scan_dims(const gi_wire_field *f, gi_onnx_tensor *t) {
  uint64_t dim[GLIA_MAX_RANK];
  size_t n = (size_t)t->rank;
  GI_TRY(gi_wire_numbers(f, GI_WIRE_VARINT, dim, GLIA_MAX_RANK, &n, "its shape"));
  for (; (size_t)t->rank < n; t->rank++) t->dim[t->rank] = (int64_t)dim[t->rank];
  return GLIA_OK;
}

static glia_status scan_field(gi_onnx_reader *r, const gi_wire_field *f, gi_onnx_tensor *t,
                              content *c) {
  switch (f->number) {
    case DIMS: return scan_dims(f, t);
    case DATA_TYPE: c->type = (int64_t)f->value; return gi_wire_want(f, GI_WIRE_VARINT, "type");
    case NAME: return gi_onnx_string(r, f, "its name", &t->name);
    case RAW_DATA: c->raw = *f; return gi_wire_want(f, GI_WIRE_BYTES, "raw_data");
    case FLOAT_DATA:
    case INT32_DATA:
    case STRING_DATA:
    case INT64_DATA:
    case DOUBLE_DATA:
    case UINT64_DATA: return scan_typed(f, c);
    case EXTERNAL_DATA: return gi_onnx_place_of(r, f, &c->place);
    case DATA_LOCATION: c->external = f->value == 1; return GLIA_OK;
    default: return GLIA_OK; /* what newer versions have */
  }
}

static glia_status scan(gi_onnx_reader *r, gi_wire w, gi_onnx_tensor *t, content *c) {
  t->name = "";
  c->place.length = -1;
  for (;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) return GLIA_OK;
    GI_TRY(scan_field(r, &f, t, c));
  }
}

/* ---- shape and bytes ------------------------------------------------------------------- */

static char *shape_text(const gi_onnx_tensor *t, char *buf, size_t n) {
  gi_type shape = {.rank = t->rank};
  memcpy(shape.dim, t->dim, sizeof shape.dim);
  return gi_shape_text(&shape, buf, n);
}

/* Zeros count as ones, so that strides and the products of a part do not overflow either. */
static glia_status count_elements(gi_onnx_tensor *t) {
  char text[256];
  size_t all = 1, count = 1;
  for (int i = 0; i < t->rank; i++) {
    if (t->dim[i] < 0)
      return gi_fail(GLIA_FORMAT, "dimension %d is %lld, want 0 or more", i,
                     (long long)t->dim[i]);
    if (!gi_mul_size(all, (size_t)GI_MAX(t->dim[i], 1), &all) || all > PTRDIFF_MAX / 16)
      return gi_fail(GLIA_FORMAT, "shape %s has more elements than can be counted",
                     shape_text(t, text, sizeof text));
    count *= (size_t)t->dim[i];
  }
  t->count = (int64_t)count;
  return GLIA_OK;
}

/* Of all elements: whole ones, or the last byte in part filled. No overflow: count_elements. */
static size_t bytes_of(const gi_onnx_tensor *t, const type_row *row) {
  return row->bits % 8 == 0 ? (size_t)t->count * (row->bits / 8)
                            : ((size_t)t->count * row->bits + 7) / 8;
}

static size_t numbers_wanted(const gi_onnx_tensor *t, const type_row *row) {
  if (t->type == GI_ONNX_COMPLEX64 || t->type == GI_ONNX_COMPLEX128)
    return 2 * (size_t)t->count;
  return row->bits == 2 || row->bits == 4 ? bytes_of(t, row) : (size_t)t->count;
}

/* ---- typed elements -------------------------------------------------------------------- */

/* Puts number v into place i of out, by the bytes of its kind. */
static glia_status put_number(const content *c, uint64_t v, unsigned char *out, size_t i) {
  if (c->typed == FLOAT_DATA) {
    const uint32_t bits = (uint32_t)v;
    memcpy(out + 4 * i, &bits, 4);
  } else if (c->typed == INT32_DATA) {
    const int32_t n = (int32_t)(uint32_t)v; /* as protobuf cuts an int32 */
    const size_t size = GI_MAX(c->row->bits / 8, 1);
    if (n < c->row->low || n > c->row->high)
      return gi_fail(GLIA_FORMAT, "element %zu is %d, which is no %s", i, (int)n, c->row->name);
    memcpy(out + size * i, &n, size); /* the low bytes first */
  } else if (c->type == GI_ONNX_UINT32) {
    const uint32_t n = (uint32_t)v;
    if (v > UINT32_MAX)
      return gi_fail(GLIA_FORMAT, "element %zu is %llu, which is no uint32", i,
                     (unsigned long long)v);
    memcpy(out + 4 * i, &n, 4);
  } else {
    memcpy(out + 8 * i, &v, 8);
  }
  return GLIA_OK;
}

static glia_status decode_field(const content *c, const gi_wire_field *f, unsigned char *out,
                                size_t *i) {
  if (f->kind != GI_WIRE_BYTES) return put_number(c, f->value, out, (*i)++);
  for (gi_wire run = gi_wire_of(f); run.p < run.end;) {
    uint64_t v = 0;
    GI_TRY(gi_wire_number(&run, kind_of(c->typed), &v));
    GI_TRY(put_number(c, v, out, (*i)++));
  }
  return GLIA_OK;
}

static glia_status decode(gi_onnx_reader *r, gi_wire w, const content *c, gi_onnx_tensor *t) {
  unsigned char *out = gi_onnx_take(r, t->bytes, 1);
  if (out == NULL) return GLIA_NOMEM;
  t->data = out;
  for (size_t i = 0;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) return GLIA_OK;
    if (f.number == c->typed) GI_TRY(decode_field(c, &f, out, &i));
  }
}

static glia_status take_typed(gi_onnx_reader *r, gi_wire w, const content *c,
                              gi_onnx_tensor *t) {
  char text[256];
  const size_t want = numbers_wanted(t, c->row);
  if (c->typed != c->row->field)
    return gi_fail(GLIA_FORMAT, "elements of %s are in field %u, want %u (or raw_data)",
                   c->row->name, c->typed, c->row->field);
  if (c->numbers != want)
    return gi_fail(GLIA_FORMAT, "shape %s wants %zu elements, there are %zu",
                   shape_text(t, text, sizeof text), want, c->numbers);
  if (t->type == GI_ONNX_STRING) return GLIA_OK;
  if (c->fields == 1 && c->first.kind == GI_WIRE_BYTES && kind_of(c->typed) != GI_WIRE_VARINT) {
    t->data = c->first.p; /* packed floats are what memory has */
    return GLIA_OK;
  }
  return decode(r, w, c, t);
}

/* ---- a tensor -------------------------------------------------------------------------- */

static glia_status find_elements(gi_onnx_reader *r, gi_wire w, const content *c,
                                 gi_onnx_tensor *t) {
  char text[256];
  const int sources = (c->raw.n > 0) + (c->numbers > 0) + c->external;
  if (sources > 1) return gi_fail(GLIA_FORMAT, "has its elements in more than one place");
  t->bytes = bytes_of(t, c->row);
  if (c->external && t->type == GI_ONNX_STRING)
    return gi_fail(GLIA_FORMAT, "strings cannot be external data");
  if (c->external && r->hollow && c->place.location != NULL &&
      strcmp(c->place.location, GI_ONNX_ELSEWHERE) == 0 && gi_onnx_is_parameter(t))
    return GLIA_OK;
  if (c->external) return gi_onnx_find_external(r, &c->place, t->bytes, &t->data);
  if (c->numbers > 0) return take_typed(r, w, c, t);
  t->data = c->raw.p;
  if (c->raw.p != NULL && t->type == GI_ONNX_STRING)
    return gi_fail(GLIA_FORMAT, "strings cannot be raw_data");
  if (c->raw.n != t->bytes || (t->type == GI_ONNX_STRING && t->count > 0))
    return gi_fail(GLIA_FORMAT, "shape %s of %s wants %zu bytes, there are %zu",
                   shape_text(t, text, sizeof text), c->row->name, t->bytes, c->raw.n);
  if (t->data == NULL && t->type != GI_ONNX_STRING) t->data = ""; /* no elements, not written */
  return GLIA_OK;
}

glia_status gi_onnx_read_tensor(gi_onnx_reader *r, gi_wire w, gi_onnx_tensor *out) {
  gi_onnx_tensor t = {0};
  content c = {0};
  glia_status s = scan(r, w, &t, &c);
  c.row = row_of(c.type);
  if (s == GLIA_OK && c.row == NULL)
    s = gi_fail(GLIA_FORMAT, "there is no data type %lld", (long long)c.type);
  t.type = (int)c.type;
  if (s == GLIA_OK) s = count_elements(&t);
  if (s == GLIA_OK) s = find_elements(r, w, &c, &t);
  if (s != GLIA_OK) return gi_where(s, "tensor \"%.80s\"", t.name);
  *out = t;
  return GLIA_OK;
}

/* ---- sparse tensors -------------------------------------------------------------------- */

static int64_t index_at(const gi_onnx_tensor *indices, int64_t i) {
  int64_t v;
  memcpy(&v, (const unsigned char *)indices->data + 8 * i, 8);
  return v;
}

/* The place of element i of the values among all: said by one number, or one for each axis. */
static glia_status sparse_place(const gi_onnx_tensor *t, const gi_onnx_tensor *indices,
                                int64_t i, int64_t *out) {
  int64_t at = 0;
  if (indices->rank == 1) {
    at = index_at(indices, i);
    if (at < 0 || at >= t->count)
      return gi_fail(GLIA_FORMAT, "index %lld of %lld elements", (long long)at,
                     (long long)t->count);
  }
  for (int k = 0; indices->rank == 2 && k < t->rank; k++) {
    const int64_t v = index_at(indices, i * t->rank + k);
    if (v < 0 || v >= t->dim[k])
      return gi_fail(GLIA_FORMAT, "index %lld on axis %d, which has %lld", (long long)v, k,
                     (long long)t->dim[k]);
    at = at * t->dim[k] + v;
  }
  *out = at;
  return GLIA_OK;
}

static glia_status fill_dense(gi_onnx_reader *r, const gi_onnx_tensor *values,
                              const gi_onnx_tensor *indices, gi_onnx_tensor *t) {
  const size_t size = gi_onnx_type_size(t->type);
  if (t->bytes > SPARSE_MAX - r->sparse_bytes)
    return gi_fail(GLIA_UNSUPPORTED,
                   "made dense it has %zu bytes, which with those before it is more than the "
                   "%zu that a model's sparse tensors are given",
                   t->bytes, SPARSE_MAX);
  r->sparse_bytes += t->bytes;
  unsigned char *out = gi_onnx_take(r, t->bytes, 1);
  if (out == NULL) return GLIA_NOMEM;
  t->data = out;
  int64_t last = -1;
  for (int64_t i = 0; i < values->count; i++) {
    int64_t at = 0;
    GI_TRY(sparse_place(t, indices, i, &at));
    if (at <= last) return gi_fail(GLIA_FORMAT, "its indices do not rise");
    last = at;
    memcpy(out + (size_t)at * size, (const unsigned char *)values->data + (size_t)i * size,
           size);
  }
  return GLIA_OK;
}

static glia_status check_sparse(const gi_onnx_tensor *values, const gi_onnx_tensor *indices,
                                const gi_onnx_tensor *t) {
  if (gi_onnx_type_size(values->type) == 0)
    return gi_fail(GLIA_UNSUPPORTED, "sparse elements of %s", gi_onnx_type_name(values->type));
  if (values->rank != 1) return gi_fail(GLIA_FORMAT, "its values are no list");
  if (indices->type != GI_ONNX_INT64)
    return gi_fail(GLIA_FORMAT, "its indices are %s, want int64",
                   gi_onnx_type_name(indices->type));
  const bool linear = indices->rank == 1 && indices->dim[0] == values->count;
  const bool by_axis =
      indices->rank == 2 && indices->dim[0] == values->count && indices->dim[1] == t->rank;
  if (!linear && !by_axis) return gi_fail(GLIA_FORMAT, "its indices do not fit its values");
  return GLIA_OK;
}

/* SparseTensorProto: values = 1, indices = 2, dims = 3. */
static glia_status read_parts(gi_onnx_reader *r, gi_wire w, gi_onnx_tensor *values,
                              gi_onnx_tensor *indices, gi_onnx_tensor *t) {
  bool has_values = false, has_indices = false;
  for (;;) {
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) break;
    if (f.number == 1 || f.number == 2) {
      GI_TRY(gi_wire_want(&f, GI_WIRE_BYTES, "a part of a sparse tensor"));
      GI_TRY(gi_onnx_read_tensor(r, gi_wire_of(&f), f.number == 1 ? values : indices));
      has_values |= f.number == 1;
      has_indices |= f.number == 2;
    } else if (f.number == 3) {
      GI_TRY(scan_dims(&f, t));
    }
  }
  if (!has_values || !has_indices)
    return gi_fail(GLIA_FORMAT, "a sparse tensor without %s",
                   has_values ? "indices" : "values");
  return GLIA_OK;
}

glia_status gi_onnx_read_sparse(gi_onnx_reader *r, gi_wire w, gi_onnx_tensor *out) {
  gi_onnx_tensor values = {0}, indices = {0}, t = {.name = "", .sparse = true};
  GI_TRY(read_parts(r, w, &values, &indices, &t));
  t.name = values.name;
  t.type = values.type;
  glia_status s = count_elements(&t);
  if (s == GLIA_OK) s = check_sparse(&values, &indices, &t);
  t.bytes = (size_t)t.count * gi_onnx_type_size(t.type);
  if (s == GLIA_OK) s = fill_dense(r, &values, &indices, &t);
  if (s != GLIA_OK) return gi_where(s, "sparse tensor \"%.80s\"", t.name);
  *out = t;
  return GLIA_OK;
}

/* ---- as glia's tensors ----------------------------------------------------------------- */

/* 16- and 32-bit numbers that have no dtype of their own, each in the next wider one. */
static void widen(const gi_onnx_tensor *t, void *out) {
  const unsigned char *p = t->data;
  for (int64_t i = 0; i < t->count; i++) {
    if (t->type == GI_ONNX_UINT32) {
      uint32_t v;
      memcpy(&v, p + 4 * i, 4);
      ((int64_t *)out)[i] = v;
    } else {
      uint16_t v;
      memcpy(&v, p + 2 * i, 2);
      ((int32_t *)out)[i] = t->type == GI_ONNX_INT16 ? (int16_t)v : v;
    }
  }
}

glia_status gi_onnx_tensor_load(const gi_onnx_tensor *t, const char *who, glia_tensor **out) {
  glia_dtype dtype = GLIA_F32;
  if (!gi_onnx_carrier(t->type, &dtype))
    return gi_fail(GLIA_UNSUPPORTED, "%s: elements of %s cannot be held", who,
                   gi_onnx_type_name(t->type));
  glia_tensor *made = NULL;
  const glia_status s = glia_tensor_new(dtype, t->rank, t->dim, &made);
  if (s != GLIA_OK) return gi_where(s, "%s", who);
  unsigned char *data = glia_tensor_data(made);
  if (glia_dtype_size(dtype) != gi_onnx_type_size(t->type))
    widen(t, data);
  else if (t->bytes > 0)
    memcpy(data, t->data, t->bytes);
  if (dtype == GLIA_BOOL) /* any byte may be in a file; true is 1 in memory */
    for (size_t i = 0; i < t->bytes; i++) data[i] = data[i] != 0;
  *out = made;
  return GLIA_OK;
}
