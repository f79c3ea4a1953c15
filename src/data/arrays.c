/* arrays.c - data sets whose samples lie in one block of memory.
 *
 * Reading a sample is one memcpy, so an epoch over such a set costs little more than its
 * conversion to f32. idx and CSV files become this kind, as do tensors of the caller's.
 */
#include <inttypes.h>

#include "data/dataset.h"
#include "tensor/tensor.h"

void gi_memory_clear(gi_memory *m) {
  if (m->class_name != NULL)
    for (int c = 0; c < m->spec.classes; c++) gi_free(m->class_name[c]);
  gi_free(m->class_name);
  gi_free(m->line);
  gi_free(m->where);
  gi_free(m->x);
  gi_free(m->y);
  *m = (gi_memory){0};
}

static glia_status read_sample(void *user, int64_t i, void *x, void *y) {
  const gi_memory *m = user;
  const size_t bytes = gi_sample_bytes(&m->spec), target = gi_target_bytes(&m->spec);
  if (bytes > 0) memcpy(x, (const char *)m->x + (size_t)i * bytes, bytes);
  memcpy(y, (const char *)m->y + (size_t)i * target, target);
  return GLIA_OK;
}

static int64_t label(void *user, int64_t i) {
  const gi_memory *m = user;
  return ((const int64_t *)m->y)[i];
}

static const char *name(void *user, int64_t i) {
  const gi_memory *m = user;
  if (m->where == NULL) return NULL;
  char *text = gi_name_buffer();
  if (m->line != NULL)
    snprintf(text, GI_NAME_BYTES, "%s: line %" PRId64, m->where, m->line[i]);
  else
    snprintf(text, GI_NAME_BYTES, "%s: sample %" PRId64, m->where, i);
  return text;
}

static const char *class_name(void *user, int c) {
  const gi_memory *m = user;
  return m->class_name != NULL ? m->class_name[c] : NULL;
}

static void free_memory(void *user) {
  gi_memory_clear(user);
  gi_free(user);
}

static glia_status check_labels(const gi_memory *m) {
  if (m->spec.classes <= 0) return GLIA_OK;
  const int64_t *y = m->y;
  for (int64_t i = 0; i < m->count; i++)
    if (y[i] < 0 || y[i] >= m->spec.classes)
      return gi_fail(GLIA_DATA,
                     "%s: sample %" PRId64 " is of class %" PRId64
                     ", wanted 0 to %d (there are %d classes)",
                     m->where != NULL ? m->where : "arrays", i, y[i], m->spec.classes - 1,
                     m->spec.classes);
  return GLIA_OK;
}

glia_status gi_memory_dataset(gi_memory *m, glia_dataset **out) {
  glia_status status = check_labels(m);
  gi_memory *kept = NULL;
  if (status == GLIA_OK) {
    kept = gi_alloc(sizeof *kept);
    if (kept == NULL) status = gi_fail_nomem(sizeof *kept);
  }
  if (status == GLIA_OK) {
    *kept = *m;
    const size_t sample = gi_sample_bytes(&m->spec) + gi_target_bytes(&m->spec);
    status = gi_dataset_new(&(glia_dataset_source){.spec = m->spec,
                                                   .count = m->count,
                                                   .read = read_sample,
                                                   .label = label,
                                                   .name = name,
                                                   .class_name = class_name,
                                                   .free = free_memory,
                                                   .user = kept,
                                                   .bytes = (size_t)m->count * sample},
                            out);
  }
  if (status != GLIA_OK) {
    gi_free(kept);
    gi_memory_clear(m);
  }
  return status;
}

/* ---- tensors of the caller's ------------------------------------------------------------- */

static glia_status check_arrays(const glia_tensor *x, const glia_tensor *y, int classes) {
  const gi_type xt = gi_tensor_type(x), yt = gi_tensor_type(y);
  if (xt.dtype != GLIA_U8 && xt.dtype != GLIA_F32)
    return gi_fail(GLIA_DTYPE, "arrays: x is %s, wanted u8 or f32; hint: glia_tensor_cast",
                   glia_dtype_name(xt.dtype));
  char a[128], b[128];
  if (xt.rank < 1 || yt.rank < 1 || xt.dim[0] != yt.dim[0])
    return gi_fail(GLIA_SHAPE, "arrays: x is %s and y is %s, wanted first axes of one length",
                   gi_shape_text(&xt, a, sizeof a), gi_shape_text(&yt, b, sizeof b));
  const bool integers = yt.dtype == GLIA_U8 || yt.dtype == GLIA_I32 || yt.dtype == GLIA_I64;
  if (integers && (yt.rank != 1 || classes <= 0))
    return gi_fail(GLIA_SHAPE, "arrays: y is %s with %d classes, wanted [N] and above 0",
                   gi_type_text(&yt, b, sizeof b), classes);
  if (!integers && yt.dtype != GLIA_F32)
    return gi_fail(GLIA_DTYPE, "arrays: y is %s, wanted u8, i32, i64 (classes) or f32",
                   glia_dtype_name(yt.dtype));
  if (!integers && (yt.rank > 2 || classes != 0 || (yt.rank == 2 && yt.dim[1] > INT32_MAX)))
    return gi_fail(GLIA_SHAPE,
                   "arrays: y is %s with %d classes, wanted f32 [N] or [N, K] and 0 classes",
                   gi_type_text(&yt, b, sizeof b), classes);
  return GLIA_OK;
}

/* A contiguous copy of t in memory of gi_alloc, converted to dtype. */
static glia_status copy_elements(const glia_tensor *t, glia_dtype dtype, void **out) {
  glia_tensor *hold = NULL;
  const void *data;
  GI_TRY(gi_tensor_dense(t, &data, &hold));
  const size_t bytes = (size_t)glia_tensor_count(t) * glia_dtype_size(dtype);
  void *p = gi_alloc(GI_MAX(bytes, 1));
  if (p != NULL) gi_convert(glia_tensor_dtype(t), data, dtype, p, glia_tensor_count(t));
  glia_tensor_free(hold);
  if (p == NULL) return gi_fail_nomem(bytes);
  *out = p;
  return GLIA_OK;
}

glia_status glia_dataset_arrays(const glia_tensor *x, const glia_tensor *y, int classes,
                                glia_dataset **out) {
  if (x == NULL || y == NULL || out == NULL)
    return gi_fail(GLIA_INVALID, "arrays: x or y is missing");
  GI_TRY(check_arrays(x, y, classes));
  const gi_type xt = gi_tensor_type(x), yt = gi_tensor_type(y);
  gi_memory m = {.spec = {.dtype = xt.dtype, .rank = xt.rank - 1}, .count = xt.dim[0]};
  memcpy(m.spec.shape, xt.dim + 1, (size_t)m.spec.rank * sizeof *xt.dim);
  if (yt.dtype == GLIA_F32)
    m.spec.targets = yt.rank == 2 ? (int)yt.dim[1] : 1;
  else
    m.spec.classes = classes;
  glia_status status = copy_elements(x, xt.dtype, &m.x);
  if (status == GLIA_OK)
    status = copy_elements(y, yt.dtype == GLIA_F32 ? GLIA_F32 : GLIA_I64, &m.y);
  if (status == GLIA_OK) return gi_memory_dataset(&m, out);
  gi_memory_clear(&m);
  return status;
}
