/* readers/caffe.c - Caffe's weights, .caffemodel: a NetParameter of protobuf.
 *
 *   NetParameter    name 1, layers 2 (V1LayerParameter), layer 100 (LayerParameter)
 *   LayerParameter  name 1, type 2 (text), blobs 7
 *   V1Layer...      name 4, type 5 (a number), blobs 6
 *   BlobProto       num 1, channels 2, height 3, width 4, data 5 (f32), double_data 8, shape 7
 *   BlobShape       dim 1
 *
 * The blobs of a layer have an order and no names: weight and bias in most; a BatchNorm's are
 * mean, variance and a factor that both are to be divided by. Others are called by their
 * number. Weights of convolutions are [out, in / groups, h, w], of InnerProduct [out, in].
 */
#include <inttypes.h>

#include "base/protobuf.h"
#include "formats/reader.h"

enum { AXES = 32, NAME_BYTES = 1024 };

typedef struct layer {
  char name[NAME_BYTES];
  char type[64];
  gi_wire message;
  uint32_t blobs; /* number of that field */
} layer;

typedef struct blob {
  int rank;
  int64_t shape[AXES];
  int64_t old[4]; /* num, channels, height, width */
  bool has_shape;
  size_t floats, doubles;      /* numbers, in all fields */
  const unsigned char *packed; /* where they lie, if in one field */
  size_t packed_bytes;
} blob;

/* ---- blobs ------------------------------------------------------------------------------ */

static glia_status read_dims(const gi_wire_field *field, blob *b) {
  gi_wire w = gi_wire_of(field);
  gi_wire_field d;
  uint64_t dims[AXES];
  size_t n = 0;
  for (bool more = true;;) {
    GI_TRY(gi_wire_next(&w, &d, &more));
    if (!more) break;
    if (d.number == 1) GI_TRY(gi_wire_numbers(&d, GI_WIRE_VARINT, dims, AXES, &n, "dim"));
  }
  for (size_t i = 0; i < n; i++) {
    if (dims[i] > INT64_MAX) return gi_fail(GLIA_FORMAT, "shape: dimension %zu is negative", i);
    b->shape[i] = (int64_t)dims[i];
  }
  b->rank = (int)n;
  b->has_shape = true;
  return GLIA_OK;
}

static glia_status read_data(const gi_wire_field *field, gi_wire_kind kind, blob *b,
                             size_t *count) {
  GI_TRY(gi_wire_numbers(field, kind, NULL, 0, count, "data"));
  const bool alone = field->kind == GI_WIRE_BYTES && b->floats + b->doubles == *count &&
                     *count * (kind == GI_WIRE_FIXED32 ? 4 : 8) == field->n;
  b->packed = alone ? field->p : NULL;
  b->packed_bytes = alone ? field->n : 0;
  return GLIA_OK;
}

static glia_status read_blob_field(const gi_wire_field *field, blob *b) {
  switch (field->number) {
    case 1:
    case 2:
    case 3:
    case 4:
      GI_TRY(gi_wire_want(field, GI_WIRE_VARINT, "size"));
      if (field->value > INT32_MAX) return gi_fail(GLIA_FORMAT, "a size is negative");
      b->old[field->number - 1] = (int64_t)field->value;
      return GLIA_OK;
    case 5: return read_data(field, GI_WIRE_FIXED32, b, &b->floats);
    case 8: return read_data(field, GI_WIRE_FIXED64, b, &b->doubles);
    case 7: GI_TRY(gi_wire_want(field, GI_WIRE_BYTES, "shape")); return read_dims(field, b);
    default: return GLIA_OK; /* diff */
  }
}

/* Old files have four axes always; those of length 1 before the first that is not are dropped
 * from what is no convolution's weight. */
static void take_old_shape(blob *b, bool is_kernel) {
  int first = 0;
  while (!is_kernel && first < 3 && b->old[first] <= 1) first++;
  for (int i = first; i < 4; i++) b->shape[b->rank++] = b->old[i];
}

static glia_status read_blob(gi_wire w, bool is_kernel, blob *b) {
  gi_wire_field field;
  *b = (blob){0};
  for (bool more = true;;) {
    GI_TRY(gi_wire_next(&w, &field, &more));
    if (!more) break;
    GI_TRY(read_blob_field(&field, b));
  }
  if (!b->has_shape) take_old_shape(b, is_kernel);
  if (b->floats > 0 && b->doubles > 0) return gi_fail(GLIA_FORMAT, "has floats and doubles");
  return GLIA_OK;
}

/* ---- layers ----------------------------------------------------------------------------- */

static void copy_text(char *to, size_t room, const gi_wire_field *field) {
  const size_t n = GI_MIN(field->n, room - 1);
  memcpy(to, field->p, n);
  to[n] = '\0';
}

/* Types of V1LayerParameter whose weights matter here. */
static const char *v1_type(uint64_t type) {
  switch (type) {
    case 4: return "Convolution";
    case 39: return "Deconvolution";
    case 14: return "InnerProduct";
    default: return "";
  }
}

/* Name and type, wherever in the message they are. */
static glia_status read_layer(const gi_wire_field *field, bool v1, layer *out) {
  const uint32_t name = v1 ? 4 : 1, type = v1 ? 5 : 2;
  *out = (layer){.message = gi_wire_of(field), .blobs = v1 ? 6 : 7};
  gi_wire w = out->message;
  gi_wire_field f;
  for (bool more = true;;) {
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) return GLIA_OK;
    if (f.number == name) {
      GI_TRY(gi_wire_want(&f, GI_WIRE_BYTES, "name"));
      copy_text(out->name, sizeof out->name, &f);
    } else if (f.number == type && v1) {
      GI_TRY(gi_wire_want(&f, GI_WIRE_VARINT, "type"));
      snprintf(out->type, sizeof out->type, "%s", v1_type(f.value));
    } else if (f.number == type) {
      GI_TRY(gi_wire_want(&f, GI_WIRE_BYTES, "type"));
      copy_text(out->type, sizeof out->type, &f);
    }
  }
}

static const struct {
  const char *type, *blob[3];
} names[] = {
    {"Convolution", {"weight", "bias", NULL}},
    {"Deconvolution", {"weight", "bias", NULL}},
    {"InnerProduct", {"weight", "bias", NULL}},
    {"Scale", {"weight", "bias", NULL}},
    {"Embed", {"weight", "bias", NULL}},
    {"PReLU", {"weight", NULL, NULL}},
    {"Bias", {"bias", NULL, NULL}},
    {"BatchNorm", {"running_mean", "running_var", "factor"}},
};

static void blob_name(const layer *l, int i, char *out, size_t room) {
  for (int k = 0; k < GI_COUNT(names) && i < 3; k++)
    if (strcmp(names[k].type, l->type) == 0 && names[k].blob[i] != NULL) {
      snprintf(out, room, "%s.%s", l->name, names[k].blob[i]);
      return;
    }
  snprintf(out, room, "%s.%d", l->name, i);
}

/* Numbers that lie in several fields, or one a field, are put together in the arena. */
static glia_status gather(glia_file *f, gi_wire w, uint32_t number, size_t width, size_t count,
                          const void **out) {
  GI_TRY(gi_file_claim(f, count * sizeof(uint64_t)));
  uint64_t *bits = gi_alloc(GI_MAX(count, 1) * sizeof *bits);
  unsigned char *to = gi_arena_alloc(&f->arena, count * width);
  glia_status s = bits == NULL || to == NULL ? gi_fail_nomem(count * sizeof *bits) : GLIA_OK;
  gi_wire_field field;
  size_t n = 0;
  for (bool more = true; s == GLIA_OK;) {
    s = gi_wire_next(&w, &field, &more);
    if (s != GLIA_OK || !more) break;
    if (field.number == number)
      s = gi_wire_numbers(&field, width == 4 ? GI_WIRE_FIXED32 : GI_WIRE_FIXED64, bits, count,
                          &n, "data");
  }
  for (size_t i = 0; i < n && s == GLIA_OK; i++) memcpy(to + i * width, &bits[i], width);
  gi_free(bits);
  *out = to;
  return s;
}

static glia_status add_blob(glia_file *f, const layer *l, const gi_wire_field *field, int i) {
  char name[NAME_BYTES + 32];
  blob b;
  const bool is_kernel = i == 0 && strstr(l->type, "onvolution") != NULL;
  GI_TRY(gi_wire_want(field, GI_WIRE_BYTES, "blob"));
  blob_name(l, i, name, sizeof name);
  GI_TRY(gi_where(read_blob(gi_wire_of(field), is_kernel, &b), "\"%.80s\"", name));
  const bool wide = b.doubles > 0;
  const size_t count = wide ? b.doubles : b.floats, width = wide ? 8 : 4;
  const gi_array a = {
      .element = gi_element_of(wide ? GLIA_F64 : GLIA_F32), .rank = b.rank, .shape = b.shape};
  size_t bytes = 0;
  GI_TRY(gi_where(gi_array_bytes(&a, &bytes), "\"%.80s\"", name));
  if (bytes / width != count)
    return gi_fail(GLIA_FORMAT, "\"%.80s\" has %zu numbers, its shape wants %zu", name, count,
                   bytes / width);
  const void *data = b.packed;
  if (data == NULL && count > 0)
    GI_TRY(gather(f, gi_wire_of(field), wide ? 8 : 5, width, count, &data));
  return gi_file_add_plain(f, name, a.element, b.rank, b.shape, data, NULL);
}

static glia_status add_layer(glia_file *f, const gi_wire_field *field, bool v1) {
  layer l;
  GI_TRY(gi_wire_want(field, GI_WIRE_BYTES, "layer"));
  GI_TRY(read_layer(field, v1, &l));
  gi_wire w = l.message;
  gi_wire_field blob_field;
  int i = 0;
  for (bool more = true;;) {
    GI_TRY(gi_wire_next(&w, &blob_field, &more));
    if (!more) return GLIA_OK;
    if (blob_field.number == l.blobs) GI_TRY(add_blob(f, &l, &blob_field, i++));
  }
}

static glia_status read_net(glia_file *f) {
  gi_wire w = {f->p, f->p + f->n};
  gi_wire_field field;
  int layers = 0;
  for (bool more = true;;) {
    GI_TRY(gi_wire_next(&w, &field, &more));
    if (!more) break;
    if (field.number != 2 && field.number != 100) continue;
    GI_TRY(gi_where(add_layer(f, &field, field.number == 2), "layer %d", layers));
    layers++;
  }
  return layers > 0 ? GLIA_OK : gi_fail(GLIA_FORMAT, "holds no layers; is it a .caffemodel?");
}

static glia_status open_caffe(glia_file *f) {
  return gi_where(read_net(f), "%s: caffe", f->what);
}

static const char *const suffixes[] = {".caffemodel", NULL};

static const gi_reader caffe = {
    .name = "caffe",
    .title = "Caffe weights",
    .suffixes = suffixes,
    .open = open_caffe,
};

const gi_reader *const gi_readers_caffe[] = {&caffe, NULL};
