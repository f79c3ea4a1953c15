/* tensor/tensor.c - concrete memory and views of it.
 *
 * A tensor points into a block; views add a reference, and the last tensor to go frees it. The
 * count is atomic because views of one tensor may be made and freed on several threads.
 */
#include <math.h>
#include <stdatomic.h>

#include "tensor/tensor.h"

typedef struct block {
  atomic_size_t references;
  void *memory;                /* gi_alloc_aligned; NULL: somebody else's */
  void (*release)(void *user); /* who is told when the last tensor goes; NULL: nobody */
  void *user;
} block;

struct glia_tensor {
  gi_type type;
  int64_t stride[GLIA_MAX_RANK]; /* in elements */
  void *data;
  block *block; /* NULL: the caller's memory */
};

/* ---- making ---------------------------------------------------------------------------- */

static glia_status make_type(glia_dtype dtype, int rank, const int64_t *shape, const char *who,
                             gi_type *out) {
  gi_type t = {.dtype = dtype, .rank = rank};
  if (rank > 0 && shape == NULL) return gi_fail(GLIA_INVALID, "%s: the shape is NULL", who);
  for (int i = 0; i < rank && i < GLIA_MAX_RANK; i++) t.dim[i] = shape[i];
  GI_TRY(gi_type_check(&t, who));
  *out = t;
  return GLIA_OK;
}

/* A tensor over memory at data; b (may be NULL) gains a reference. */
static glia_status make_view(const gi_type *t, void *data, block *b, glia_tensor **out) {
  glia_tensor *r = gi_alloc(sizeof *r);
  if (r == NULL) return gi_fail_nomem(sizeof *r);
  r->type = *t;
  gi_type_strides(t, r->stride);
  r->data = data;
  r->block = b;
  if (b != NULL) atomic_fetch_add(&b->references, 1);
  *out = r;
  return GLIA_OK;
}

static void drop_block(block *b) {
  if (b == NULL || atomic_fetch_sub(&b->references, 1) != 1) return;
  if (b->release != NULL) b->release(b->user);
  gi_free_aligned(b->memory);
  gi_free(b);
}

glia_status gi_tensor_new(const gi_type *t, glia_tensor **out) {
  GI_TRY(gi_type_check(t, "tensor"));
  const size_t bytes = gi_type_bytes(t);
  block *b = gi_alloc(sizeof *b);
  if (b == NULL) return gi_fail_nomem(sizeof *b);
  atomic_init(&b->references, 1);
  b->memory = gi_alloc_aligned(bytes);
  const glia_status s =
      b->memory == NULL ? gi_fail_nomem(bytes) : make_view(t, b->memory, b, out);
  drop_block(b); /* the tensor, if there is one, holds its own reference */
  return s;
}

glia_status glia_tensor_new(glia_dtype dtype, int rank, const int64_t *shape,
                            glia_tensor **out) {
  gi_type t;
  GI_TRY(make_type(dtype, rank, shape, "tensor", &t));
  return gi_tensor_new(&t, out);
}

glia_status glia_tensor_from(glia_dtype dtype, int rank, const int64_t *shape, const void *data,
                             glia_tensor **out) {
  glia_tensor *t = NULL;
  GI_TRY(glia_tensor_new(dtype, rank, shape, &t));
  if (glia_tensor_bytes(t) > 0) memcpy(t->data, data, glia_tensor_bytes(t));
  *out = t;
  return GLIA_OK;
}

glia_status glia_tensor_wrap(glia_dtype dtype, int rank, const int64_t *shape, void *data,
                             glia_tensor **out) {
  gi_type t;
  GI_TRY(make_type(dtype, rank, shape, "tensor", &t));
  return make_view(&t, data, NULL, out);
}

glia_status gi_tensor_share(const glia_tensor *t, glia_tensor **out) {
  GI_TRY(make_view(&t->type, t->data, t->block, out));
  memcpy((*out)->stride, t->stride, sizeof t->stride);
  return GLIA_OK;
}

glia_status gi_tensor_adopt(const gi_type *t, const int64_t *strides, void *data,
                            void (*release)(void *user), void *user, glia_tensor **out) {
  block *b = gi_alloc(sizeof *b);
  if (b == NULL) return gi_fail_nomem(sizeof *b);
  atomic_init(&b->references, 0); /* the tensor's is the first */
  const glia_status s = make_view(t, data, b, out);
  if (s != GLIA_OK) {
    gi_free(b);
    return s;
  }
  b->release = release;
  b->user = user;
  for (int i = 0; i < t->rank && strides != NULL; i++) (*out)->stride[i] = strides[i];
  return GLIA_OK;
}

void glia_tensor_free(glia_tensor *t) {
  if (t == NULL) return;
  drop_block(t->block);
  gi_free(t);
}

/* ---- asking ---------------------------------------------------------------------------- */

glia_dtype glia_tensor_dtype(const glia_tensor *t) { return t->type.dtype; }

int glia_tensor_rank(const glia_tensor *t) { return t->type.rank; }

const int64_t *glia_tensor_shape(const glia_tensor *t) { return t->type.dim; }

const int64_t *glia_tensor_strides(const glia_tensor *t) { return t->stride; }

int64_t glia_tensor_count(const glia_tensor *t) { return gi_type_count(&t->type); }

size_t glia_tensor_bytes(const glia_tensor *t) { return gi_type_bytes(&t->type); }

void *glia_tensor_data(const glia_tensor *t) { return t->data; }

gi_type gi_tensor_type(const glia_tensor *t) { return t->type; }

/* The stride of an axis with one entry is never used, so it does not matter. */
bool glia_tensor_is_contiguous(const glia_tensor *t) {
  int64_t step = 1;
  for (int i = t->type.rank - 1; i >= 0; i--) {
    if (t->type.dim[i] == 0) return true;
    if (t->type.dim[i] != 1 && t->stride[i] != step) return false;
    step *= t->type.dim[i];
  }
  return true;
}

/* Where element i of the row-major order lies, in elements from data. */
static int64_t offset_of(const glia_tensor *t, int64_t i) {
  int64_t at = 0;
  for (int k = t->type.rank - 1; k >= 0; k--) {
    at += i % t->type.dim[k] * t->stride[k];
    i /= t->type.dim[k];
  }
  return at;
}

double glia_tensor_get(const glia_tensor *t, int64_t i) {
  if (i < 0 || i >= glia_tensor_count(t)) return (double)NAN;
  return gi_load(t->type.dtype, t->data, offset_of(t, i));
}

void glia_tensor_set(glia_tensor *t, int64_t i, double v) {
  if (i < 0 || i >= glia_tensor_count(t)) return;
  gi_store(t->type.dtype, t->data, offset_of(t, i), v);
}

/* ---- views ----------------------------------------------------------------------------- */

/* `shape` with its -1, if any, worked out. */
static glia_status fill_in(const glia_tensor *t, int rank, const int64_t *shape, gi_type *out) {
  gi_type r = {.dtype = t->type.dtype, .rank = rank};
  int open = -1;
  if (rank < 0 || rank > GLIA_MAX_RANK || (rank > 0 && shape == NULL))
    return make_type(r.dtype, rank, shape, "reshape", &r);
  for (int i = 0; i < rank; i++) {
    r.dim[i] = shape[i];
    if (shape[i] != -1) continue;
    if (open >= 0) return gi_fail(GLIA_SHAPE, "reshape: more than one dimension is -1");
    open = i;
    r.dim[i] = 1;
  }
  GI_TRY(gi_type_check(&r, "reshape"));
  const int64_t n = gi_type_count(&r), have = glia_tensor_count(t);
  if (open >= 0 && n > 0 && have % n == 0) r.dim[open] = have / n;
  if (gi_type_count(&r) != have || (open >= 0 && n == 0)) {
    char from[256], to[256];
    if (open >= 0) r.dim[open] = -1;
    return gi_fail(GLIA_SHAPE, "reshape: %s has %lld elements, which do not fill %s",
                   gi_shape_text(&t->type, from, sizeof from), (long long)have,
                   gi_shape_text(&r, to, sizeof to));
  }
  *out = r;
  return GLIA_OK;
}

glia_status glia_tensor_reshape(const glia_tensor *t, int rank, const int64_t *shape,
                                glia_tensor **out) {
  gi_type r;
  if (!glia_tensor_is_contiguous(t)) {
    char text[256];
    return gi_fail(GLIA_SHAPE, "reshape: the view of shape %s is not contiguous; copy it first",
                   gi_shape_text(&t->type, text, sizeof text));
  }
  GI_TRY(fill_in(t, rank, shape, &r));
  return make_view(&r, t->data, t->block, out);
}

glia_status glia_tensor_permute(const glia_tensor *t, const int *axes, glia_tensor **out) {
  gi_type r = t->type;
  int64_t stride[GLIA_MAX_RANK] = {0};
  bool seen[GLIA_MAX_RANK] = {false};
  for (int i = 0; i < r.rank; i++) {
    const int k = gi_axis(axes[i], r.rank);
    if (k < 0 || seen[k])
      return gi_fail(GLIA_SHAPE, "permute: axes[%d] is %d, %s", i, axes[i],
                     k < 0 ? "out of range" : "which was named before");
    seen[k] = true;
    r.dim[i] = t->type.dim[k];
    stride[i] = t->stride[k];
  }
  glia_tensor *v = NULL;
  GI_TRY(make_view(&r, t->data, t->block, &v));
  memcpy(v->stride, stride, sizeof stride);
  *out = v;
  return GLIA_OK;
}

/* A begin or end as NumPy takes it: from the end if negative, then clamped to 0..n. */
static int64_t bound(int64_t i, int64_t n) {
  if (i < 0) i = i < -n ? 0 : i + n;
  return i > n ? n : i;
}

glia_status glia_tensor_slice(const glia_tensor *t, int axis, int64_t begin, int64_t end,
                              int64_t step, glia_tensor **out) {
  const int k = gi_axis(axis, t->type.rank);
  if (k < 0)
    return gi_fail(GLIA_SHAPE, "slice: axis %d of a tensor of rank %d", axis, t->type.rank);
  if (step < 1)
    return gi_fail(GLIA_INVALID, "slice: step is %lld, want 1 or more", (long long)step);
  gi_type r = t->type;
  const int64_t b = bound(begin, r.dim[k]), e = bound(end, r.dim[k]);
  r.dim[k] = e > b ? (e - b - 1) / step + 1 : 0;
  char *data = t->data;
  if (gi_type_count(&r) > 0) data += b * t->stride[k] * (int64_t)glia_dtype_size(r.dtype);
  glia_tensor *v = NULL;
  GI_TRY(make_view(&r, data, t->block, &v));
  memcpy(v->stride, t->stride, sizeof v->stride);
  if (r.dim[k] > 1) v->stride[k] *= step; /* else unused, and might overflow */
  *out = v;
  return GLIA_OK;
}

glia_status glia_tensor_broadcast(const glia_tensor *t, int rank, const int64_t *shape,
                                  glia_tensor **out) {
  gi_type want, r;
  GI_TRY(make_type(t->type.dtype, rank, shape, "broadcast", &want));
  GI_TRY(gi_broadcast(&t->type, &want, "broadcast", &r));
  if (!gi_shape_equal(&r, &want)) {
    char from[256], to[256];
    return gi_fail(GLIA_SHAPE, "broadcast: %s does not repeat to %s",
                   gi_shape_text(&t->type, from, sizeof from),
                   gi_shape_text(&want, to, sizeof to));
  }
  glia_tensor *v = NULL;
  GI_TRY(make_view(&r, t->data, t->block, &v));
  for (int i = 0; i < rank; i++) {
    const int k = i - (rank - t->type.rank);
    v->stride[i] = k < 0 || (t->type.dim[k] == 1 && r.dim[i] != 1) ? 0 : t->stride[k];
  }
  *out = v;
  return GLIA_OK;
}

/* ---- copies ---------------------------------------------------------------------------- */

static void copy_line(char *dst, const char *src, int64_t n, int64_t stride, size_t size) {
  if (stride == 1) {
    memcpy(dst, src, (size_t)n * size);
    return;
  }
  const int64_t step = stride * (int64_t)size;
  for (int64_t i = 0; i < n; i++) memcpy(dst + i * (int64_t)size, src + i * step, size);
}

/* Row-major elements of t to dst: an odometer over the outer axes, lines of the last one. */
static void gather(const glia_tensor *t, char *dst) {
  const int rank = t->type.rank;
  const int64_t count = glia_tensor_count(t);
  if (count == 0) return;
  const size_t size = glia_dtype_size(t->type.dtype);
  const int64_t line = rank == 0 ? 1 : t->type.dim[rank - 1];
  const int64_t step = rank == 0 ? 1 : t->stride[rank - 1];
  int64_t at[GLIA_MAX_RANK] = {0};
  const char *src = t->data;
  for (int64_t done = 0; done < count; done += line) {
    copy_line(dst + done * (int64_t)size, src, line, step, size);
    for (int k = rank - 2; k >= 0; k--) {
      src += t->stride[k] * (int64_t)size;
      if (++at[k] < t->type.dim[k]) break;
      src -= t->stride[k] * (int64_t)size * t->type.dim[k];
      at[k] = 0;
    }
  }
}

glia_status glia_tensor_copy(const glia_tensor *t, glia_tensor **out) {
  glia_tensor *r = NULL;
  GI_TRY(gi_tensor_new(&t->type, &r));
  gather(t, r->data);
  *out = r;
  return GLIA_OK;
}

glia_status gi_tensor_dense(const glia_tensor *t, const void **data, glia_tensor **hold) {
  glia_tensor *copy = NULL;
  if (!glia_tensor_is_contiguous(t)) GI_TRY(glia_tensor_copy(t, &copy));
  *data = copy != NULL ? copy->data : t->data;
  *hold = copy;
  return GLIA_OK;
}

glia_status glia_tensor_cast(const glia_tensor *t, glia_dtype dtype, glia_tensor **out) {
  gi_type want = t->type;
  want.dtype = dtype;
  GI_TRY(gi_type_check(&want, "cast"));
  const void *data = NULL;
  glia_tensor *hold = NULL, *r = NULL;
  GI_TRY(gi_tensor_dense(t, &data, &hold));
  const glia_status s = gi_tensor_new(&want, &r);
  if (s == GLIA_OK) {
    gi_convert(t->type.dtype, data, dtype, r->data, gi_type_count(&want));
    *out = r;
  }
  glia_tensor_free(hold);
  return s;
}
