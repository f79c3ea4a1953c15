/* gru_reset.c - the gated recurrent unit whose reset gate comes before the product, as in Cho
 * et al. (arXiv:1406.1078), in Keras with reset_after=False and in ONNX with
 * linear_before_reset=0:
 *
 *   r = sigmoid(x_r + U_r h),  z = sigmoid(x_z + U_z h),  n = tanh(x_n + U_n (r h) + b)
 *   h[t] = (1 - z) n + z h[t - 1]
 *
 * A step has two products, the second of what the first one gives. So it is written out step by
 * step in other ops, which brings the gradient too; there is no op for it.
 */
#include "ops/recurrent.h"

#include "ops/ref.h"

typedef struct unit {
  int64_t steps, batch, units;
  glia_value x, gates, fresh; /* [T, N, 3 H]; U of r and z [2 H, H], of n [H, H] */
  const glia_recurrence_opts *o;
} unit;

static glia_value step(const unit *u, int64_t t, glia_value h) {
  const int64_t n = u->units;
  const glia_value x =
      glia_reshape(glia_slice(u->x, 0, t, t + 1, 1), 2, (const int64_t[]){u->batch, 3 * n});
  const glia_value both = glia_sigmoid(glia_add(gi_recurrent_columns(x, 0, 2 * n),
                                                glia_matmul(h, u->gates, .transpose_b = true)));
  const glia_value r = gi_recurrent_columns(both, 0, n), z = gi_recurrent_columns(both, n, n);
  glia_value a = glia_matmul(glia_mul(r, h), u->fresh, .transpose_b = true);
  if (!gi_null(u->o->bias)) a = glia_add(a, u->o->bias);
  const glia_value fresh = glia_tanh(glia_add(gi_recurrent_columns(x, 2 * n, n), a));
  return glia_add(fresh, glia_mul(z, glia_sub(h, fresh)));
}

/* Does step t of each sequence count? [N, 1] */
static glia_value counts(const unit *u, int64_t t) {
  const glia_value lengths = u->o->lengths;
  return glia_reshape(glia_less(glia_scalar_like(lengths, (double)t), lengths), 2,
                      (const int64_t[]){u->batch, 1});
}

static glia_value all_steps(const unit *u, glia_value h, glia_value *last, glia_value *y) {
  for (int64_t k = 0; k < u->steps; k++) {
    const int64_t t = u->o->reverse ? u->steps - 1 - k : k;
    const glia_value after = step(u, t, h);
    glia_value shown = after;
    if (!gi_null(u->o->lengths)) {
      const glia_value valid = counts(u, t);
      shown = glia_where(valid, after, glia_scalar_like(after, 0));
      h = glia_where(valid, after, h);
    } else {
      h = after;
    }
    y[t] = glia_reshape(shown, 3, (const int64_t[]){1, u->batch, u->units});
  }
  if (last != NULL) *last = h;
  return glia_concat(y, (int)u->steps, 0);
}

static bool fits(glia_value x, glia_value weight, glia_value h0) {
  const gi_type tx = gi_value_type(x), tw = gi_value_type(weight), th = gi_value_type(h0);
  char a[GI_TEXT], b[GI_TEXT], c[GI_TEXT];
  const int64_t units = tw.rank == 2 ? tw.dim[1] : 0;
  if (tx.rank == 3 && tx.dim[0] > 0 && units > 0 && tw.dim[0] == 3 * units &&
      tx.dim[2] == 3 * units && th.rank == 2 && th.dim[0] == tx.dim[1] && th.dim[1] == units)
    return true;
  gi_latch(x.graph, GLIA_SHAPE,
           "gru: x is %s, the weight %s, h0 %s; wanted [T, N, 3 H], [3 H, H] and [N, H]",
           gi_shape_text(&tx, a, sizeof a), gi_shape_text(&tw, b, sizeof b),
           gi_shape_text(&th, c, sizeof c));
  return false;
}

glia_value gi_gru_reset_before(glia_value x, glia_value weight, glia_value h0,
                               const glia_recurrence_opts *o, glia_value *last) {
  if (last != NULL) *last = GLIA_NONE;
  if (gi_null(x) || gi_null(weight) || gi_null(h0) || !fits(x, weight, h0)) return GLIA_NONE;
  unit u = {.steps = glia_value_dim(x, 0),
            .batch = glia_value_dim(x, 1),
            .units = glia_value_dim(weight, 1),
            .x = x,
            .o = o};
  u.gates = glia_slice(weight, 0, 0, 2 * u.units, 1);
  u.fresh = glia_slice(weight, 0, 2 * u.units, 3 * u.units, 1);
  glia_value *y = gi_alloc((size_t)u.steps * sizeof *y);
  if (y == NULL)
    return gi_latch(x.graph, GLIA_NOMEM, "gru: no memory for %" PRId64 " steps", u.steps);
  const glia_value all = all_steps(&u, h0, last, y);
  gi_free(y);
  return all;
}
