/* tensor/shape.c - types (dtype and shape): counting, checking, printing, broadcasting. */
#include "tensor/tensor.h"

int64_t gi_type_count(const gi_type *t) {
  int64_t n = 1;
  for (int i = 0; i < t->rank; i++) n *= t->dim[i];
  return n;
}

size_t gi_type_bytes(const gi_type *t) {
  return (size_t)gi_type_count(t) * glia_dtype_size(t->dtype);
}

bool gi_shape_equal(const gi_type *a, const gi_type *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dim[i] != b->dim[i]) return false;
  return true;
}

bool gi_type_equal(const gi_type *a, const gi_type *b) {
  return a->dtype == b->dtype && gi_shape_equal(a, b);
}

/* Zeros count as ones here, so that strides do not overflow either. */
glia_status gi_type_check(const gi_type *t, const char *who) {
  const size_t size = glia_dtype_size(t->dtype);
  if (size == 0) return gi_fail(GLIA_DTYPE, "%s: %d is no dtype", who, (int)t->dtype);
  if (t->rank < 0 || t->rank > GLIA_MAX_RANK)
    return gi_fail(GLIA_SHAPE, "%s: rank is %d, want 0 to %d", who, t->rank, GLIA_MAX_RANK);
  size_t bytes = size;
  for (int i = 0; i < t->rank; i++) {
    if (t->dim[i] < 0)
      return gi_fail(GLIA_SHAPE, "%s: dimension %d is %lld, want 0 or more", who, i,
                     (long long)t->dim[i]);
    if (!gi_mul_size(bytes, (size_t)GI_MAX(t->dim[i], 1), &bytes) || bytes > PTRDIFF_MAX) {
      char text[256];
      return gi_fail(GLIA_SHAPE, "%s: %s has more bytes than can be addressed", who,
                     gi_type_text(t, text, sizeof text));
    }
  }
  return GLIA_OK;
}

void gi_type_strides(const gi_type *t, int64_t *strides) {
  int64_t step = 1;
  for (int i = t->rank - 1; i >= 0; i--) {
    strides[i] = step;
    step *= GI_MAX(t->dim[i], 1);
  }
}

char *gi_shape_text(const gi_type *t, char *buf, size_t n) {
  size_t used = 0;
  if (n == 0) return buf;
  buf[0] = '\0';
  for (int i = 0; i < t->rank && i < GLIA_MAX_RANK && used < n; i++) {
    const int put =
        snprintf(buf + used, n - used, "%s%lld", i == 0 ? "[" : ", ", (long long)t->dim[i]);
    used += (size_t)put;
  }
  if (used < n) snprintf(buf + used, n - used, used == 0 ? "[]" : "]");
  return buf;
}

char *gi_type_text(const gi_type *t, char *buf, size_t n) {
  const int put = snprintf(buf, n, "%s ", glia_dtype_name(t->dtype));
  if (put > 0 && (size_t)put < n) gi_shape_text(t, buf + put, n - (size_t)put);
  return buf;
}

int gi_axis(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) return -1;
  return (int)(axis < 0 ? axis + rank : axis);
}

/* Dimension i of t as one of `rank`, aligned at the right; missing ones are 1. */
static int64_t dim_at(const gi_type *t, int i, int rank) {
  const int own = i - (rank - t->rank);
  return own < 0 ? 1 : t->dim[own];
}

glia_status gi_broadcast(const gi_type *a, const gi_type *b, const char *who, gi_type *out) {
  gi_type r = {.dtype = a->dtype, .rank = GI_MAX(a->rank, b->rank)};
  for (int i = 0; i < r.rank; i++) {
    const int64_t da = dim_at(a, i, r.rank), db = dim_at(b, i, r.rank);
    if (da != db && da != 1 && db != 1) {
      char ta[256], tb[256];
      return gi_fail(GLIA_SHAPE,
                     "%s: shapes %s and %s do not broadcast: %lld against %lld on axis %d", who,
                     gi_shape_text(a, ta, sizeof ta), gi_shape_text(b, tb, sizeof tb),
                     (long long)da, (long long)db, i - r.rank);
    }
    r.dim[i] = da == 1 ? db : da;
  }
  GI_TRY(gi_type_check(&r, who));
  *out = r;
  return GLIA_OK;
}

void gi_broadcast_strides(const gi_type *t, const gi_type *to, int64_t *strides) {
  int64_t own[GLIA_MAX_RANK];
  gi_type_strides(t, own);
  for (int i = 0; i < to->rank; i++) {
    const int k = i - (to->rank - t->rank);
    strides[i] = k < 0 || (t->dim[k] == 1 && to->dim[i] != 1) ? 0 : own[k];
  }
}
