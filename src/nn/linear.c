/* linear.c - linear maps of rows. */
#include "nn/linear.h"

glia_value gi_as_rows(glia_value x) {
  if (gi_null(x) || glia_value_rank(x) == 2) return x;
  int64_t rows = 1;
  for (int d = 0; d < glia_value_rank(x) - 1; d++) rows *= glia_value_dim(x, d);
  return glia_reshape(x, 2, (const int64_t[]){rows, glia_value_dim(x, -1)});
}

glia_value gi_as_before(glia_value rows, glia_value x) {
  if (gi_null(rows) || gi_null(x) || glia_value_rank(x) == 2) return rows;
  int64_t shape[GLIA_MAX_RANK] = {0};
  const int rank = glia_value_rank(x);
  for (int d = 0; d < rank - 1; d++) shape[d] = glia_value_dim(x, d);
  shape[rank - 1] = glia_value_dim(rows, -1);
  return glia_reshape(rows, rank, shape);
}

glia_value gi_linear(glia_value x, glia_value w, glia_value b) {
  const glia_value y = glia_matmul(x, w, .transpose_b = true);
  return gi_null(b) ? y : glia_add(y, b);
}

static glia_value build(glia_scope *s, glia_value x, int64_t units, bool bias) {
  if (gi_null(x)) return x;
  const int64_t shape[] = {units, glia_value_dim(x, -1)};
  const glia_value w = glia_parameter(s, "weight", 2, shape, (glia_init){.fan_in = shape[1]});
  const glia_value b =
      bias ? glia_parameter(s, "bias", 1, shape, (glia_init){.fan_in = shape[1]}) : GLIA_NONE;
  if (s->graph->status != GLIA_OK) return GLIA_NONE;
  return gi_as_before(gi_linear(gi_as_rows(x), w, b), x);
}

glia_value gi_linear_layer(glia_scope *s, const char *name, glia_value x, int64_t units,
                           bool bias) {
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, build(e.scope, x, units, bias));
}

/* Cut is what has fewer elements: the weight, or, of a few rows, the result. */
void gi_linear_parts(glia_value x, glia_value w, glia_value b, bool turned, int n,
                     glia_value *out) {
  for (int i = 0; i < n; i++) out[i] = GLIA_NONE;
  if (gi_null(x) || gi_null(w)) return;
  const int axis = turned ? 1 : 0;
  const int64_t each = glia_value_dim(w, axis) / n;
  if (glia_value_dim(x, 0) < glia_value_dim(x, 1)) {
    glia_value y = glia_matmul(x, w, .transpose_b = !turned);
    if (!gi_null(b)) y = glia_add(y, b);
    for (int i = 0; i < n; i++) out[i] = glia_slice(y, 1, i * each, (i + 1) * each, 1);
    return;
  }
  for (int i = 0; i < n; i++) {
    const glia_value own = glia_slice(w, axis, i * each, (i + 1) * each, 1);
    out[i] = glia_matmul(x, own, .transpose_b = !turned);
    if (!gi_null(b)) out[i] = glia_add(out[i], glia_slice(b, 0, i * each, (i + 1) * each, 1));
  }
}
