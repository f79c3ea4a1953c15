/* determinant.c - determinants of square matrices: x [..., n, n] -> [...].
 *
 * Gauss' elimination with the largest pivot of each column, in double; the determinant is the
 * product of the pivots, times -1 for each exchange of rows. A column of zeros gives 0.
 */
#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

static glia_status infer(gi_infer *c) {
  const gi_type *x = &c->in[0];
  char text[GI_TEXT];
  GI_TRY(gi_want_float(c, 0, "determinant", "x"));
  if (x->rank < 2 || x->dim[x->rank - 1] != x->dim[x->rank - 2])
    return gi_fail(GLIA_SHAPE, "determinant: x is %s, wanted [..., n, n]",
                   gi_shape_text(x, text, sizeof text));
  c->out[0] = *x;
  c->out[0].rank -= 2;
  c->out[0].dim[x->rank - 2] = c->out[0].dim[x->rank - 1] = 0;
  return GLIA_OK;
}

static double eliminate(double *m, int64_t n) {
  double product = 1;
  for (int64_t k = 0; k < n; k++) {
    int64_t best = k;
    for (int64_t r = k + 1; r < n; r++)
      if (fabs(m[r * n + k]) > fabs(m[best * n + k])) best = r;
    const double pivot = m[best * n + k];
    product *= best == k ? pivot : -pivot;
    if (pivot == 0) return 0;
    for (int64_t j = k; j < n && best != k; j++) {
      const double kept = m[k * n + j];
      m[k * n + j] = m[best * n + j];
      m[best * n + j] = kept;
    }
    for (int64_t r = k + 1; r < n; r++) {
      const double factor = m[r * n + k] / pivot;
      for (int64_t j = k; j < n; j++) m[r * n + j] -= factor * m[k * n + j];
    }
  }
  return product;
}

static glia_status ref(gi_ref *c) {
  const gi_type *x = &c->in[0].t;
  const int64_t n = x->dim[x->rank - 1], count = gi_type_count(&c->out[0].t);
  const size_t bytes = (size_t)n * (size_t)n * sizeof(double);
  double *m = gi_alloc(bytes + 1);
  if (m == NULL) return gi_fail_nomem(bytes);
  for (int64_t e = 0; e < count; e++) {
    for (int64_t i = 0; i < n * n; i++) m[i] = gi_get(&c->in[0], e * n * n + i);
    gi_put(&c->out[0], e, eliminate(m, n));
  }
  gi_free(m);
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) {
  const gi_type *x = &c->in[0];
  gi_cost k = gi_default_cost(c);
  k.flops = (double)gi_type_count(x) * (double)x->dim[x->rank - 1] * 2 / 3;
  return k;
}

#define R -2, 2, GLIA_F32
static const gi_sample samples[] = {
    {NULL, 1, {{2, {3, 3}, R}}, GLIA_OK},
    {NULL, 1, {{4, {2, 3, 5, 5}, R}}, GLIA_OK},
    {NULL, 1, {{3, {4, 1, 1}, R}}, GLIA_OK},
    {NULL, 1, {{3, {0, 2, 2}, R}}, GLIA_OK},
    {NULL, 1, {{2, {0, 0}, R}}, GLIA_OK}, /* no pivots: 1 */
    {NULL, 1, {{2, {2, 3}, R}}, GLIA_SHAPE},
    {NULL, 1, {{1, {3}, R}}, GLIA_SHAPE},
    {NULL, 1, {{2, {2, 2}, 0, 9, GLIA_I32}}, GLIA_DTYPE},
};
#undef R

const gi_op gi_op_determinant = {
    .name = "determinant",
    .doc = "determinants of square matrices",
    .torch = "torch.det(x0)",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .no_grad = "it wants the inverse matrix, for which there is no op",
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};
const gi_op *const gi_ops_determinant[] = {&gi_op_determinant, NULL};

glia_value glia_determinant(glia_value x) { return gi_emit1(&gi_op_determinant, NULL, x); }
