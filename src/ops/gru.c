/* gru.c - the gated recurrent unit over all time steps, and its gradient (ops/recurrent.h).
 * (Cho et al., arXiv:1406.1078, with the reset gate behind the product, as PyTorch and Keras;
 * gru_reset.c has it before)
 *
 *   [a_r a_z m] = U h[t - 1],   m += bias
 *   r = sigmoid(x_r + a_r),  z = sigmoid(x_z + a_z),  n = tanh(x_n + r m)
 *   h[t] = (1 - z) n + z h[t - 1]
 *
 *   gru       x [T, N, 3 H], U [3 H, H], h0 [N, H][, bias [H]][, lengths [N]]
 *             -> y = h[0 .. T - 1], the last h, gates [T, N, 4 H]: r, z, n, m
 *   gru_grad  U, h0, y, gates, dy, dh[, lengths][, dgates] -> dx [T, N, 3 H], dh0,
 *             du [T, N, 3 H]: of U h[t - 1] + bias
 *
 * Going back in time, with d the cotangent of h[t]:
 *
 *   dn = d (1 - z),  dz = d (h[t - 1] - n),  da_n = dn (1 - n^2),  dm = da_n r,  dr = da_n m
 *   dh[t - 1] = d z + [da_r da_z dm] U
 */
#include "ops/recurrent.h"

#include "ops/ref.h"

/* ---- shapes and gradients ---------------------------------------------------------------- */

static glia_status infer(gi_infer *c) { return gi_recurrence_infer(c, &gi_op_gru); }
static glia_status infer_grad(gi_infer *c) { return gi_recurrence_infer(c, &gi_op_gru_grad); }

static glia_status vjp(gi_vjp *c) {
  gi_recurrence r;
  glia_value d[GI_RECURRENT_VALUES];
  gi_recurrent_vjp(c, &gi_op_gru, &gi_op_gru_grad, &r, d);
  if (gi_recurrent_wants(c, &r, GI_RECURRENT_BIAS))
    c->din[r.at[GI_RECURRENT_BIAS]] =
        glia_sum(gi_recurrent_gate(&r, d[GI_RECURRENT_DU], 2), .n = 2, .axes = {0, 1});
  return GLIA_OK;
}

static void lower_step(gi_back_step *s) {
  const gi_recurrence *r = s->r;
  const bool saved = gi_has(r, GI_RECURRENT_DGATES);
  const glia_value gates = gi_recurrent_at(s, GI_RECURRENT_GATES),
                   more = saved ? gi_recurrent_at(s, GI_RECURRENT_DGATES) : GLIA_NONE,
                   before = gi_recurrent_before_step(s, GI_RECURRENT_Y, GI_RECURRENT_H0),
                   one = glia_scalar_like(gates, 1);
  glia_value v[4], d[4];
  for (int i = 0; i < 4; i++) v[i] = gi_recurrent_gate(r, gates, i);
  d[1] = glia_mul(s->dh, glia_sub(before, v[2]));
  d[2] = glia_mul(s->dh, glia_sub(one, v[1]));
  if (saved)
    for (int i = 1; i < 3; i++) d[i] = glia_add(d[i], gi_recurrent_gate(r, more, i));
  d[2] = glia_mul(d[2], gi_recurrent_slope(v[2]));
  d[0] = glia_mul(d[2], v[3]);
  d[3] = glia_mul(d[2], v[0]);
  if (saved)
    for (int i = 0; i < 4; i += 3) d[i] = glia_add(d[i], gi_recurrent_gate(r, more, i));
  d[0] = glia_mul(d[0], gi_recurrent_rise(v[0]));
  d[1] = glia_mul(d[1], gi_recurrent_rise(v[1]));
  const glia_value of_u[] = {d[0], d[1], d[3]};
  s->dx = glia_concat(d, 3, 1);
  s->du = glia_concat(of_u, 3, 1);
  s->dkept = glia_mul(s->dh, v[1]);
}

static glia_status lower_grad(gi_lower *c) {
  return gi_recurrent_unroll(c, &gi_op_gru_grad, lower_step);
}

/* ---- reference --------------------------------------------------------------------------- */

static void forward(gi_sequence *s) {
  const int64_t units = s->r->units;
  for (int64_t j = 0; j < units; j++) {
    double x[3];
    for (int i = 0; i < 3; i++) x[i] = gi_sequence_get(s, GI_RECURRENT_X, i * units + j);
    const double m = s->sums[2 * units + j] + gi_sequence_get(s, GI_RECURRENT_BIAS, j);
    const double reset = gi_logistic(x[0] + s->sums[j]),
                 z = gi_logistic(x[1] + s->sums[units + j]);
    const double n = tanh(x[2] + reset * m), saved[] = {reset, z, n, m};
    for (int i = 0; i < 4; i++) gi_sequence_put(s, GI_RECURRENT_GATES, i * units + j, saved[i]);
    s->h[j] = (1 - z) * n + z * s->h[j];
  }
}

static void backward_unit(gi_sequence *s, int64_t j) {
  const int64_t units = s->r->units;
  double v[4], more[4];
  for (int i = 0; i < 4; i++) {
    v[i] = gi_sequence_get(s, GI_RECURRENT_GATES, i * units + j);
    more[i] = gi_sequence_get(s, GI_RECURRENT_DGATES, i * units + j);
  }
  const double h = gi_sequence_before(s, GI_RECURRENT_Y, GI_RECURRENT_H0, j), d = s->h[j];
  const double dn = (d * (1 - v[1]) + more[2]) * (1 - v[2] * v[2]);
  const double dr = (dn * v[3] + more[0]) * v[0] * (1 - v[0]);
  const double dz = (d * (h - v[2]) + more[1]) * v[1] * (1 - v[1]);
  const double dm = dn * v[0] + more[3];
  const double dx[] = {dr, dz, dn}, du[] = {dr, dz, dm};
  for (int i = 0; i < 3; i++) {
    gi_sequence_put(s, GI_RECURRENT_DX, i * units + j, dx[i]);
    gi_sequence_put(s, GI_RECURRENT_DU, i * units + j, du[i]);
    s->sums[i * units + j] = du[i];
  }
  s->h[j] = d * v[1];
}

static void backward(gi_sequence *s) {
  for (int64_t j = 0; j < s->r->units; j++) backward_unit(s, j);
}

static glia_status ref(gi_ref *c) { return gi_each_step(c, &gi_op_gru, forward); }
static glia_status ref_grad(gi_ref *c) { return gi_each_step(c, &gi_op_gru_grad, backward); }

static gi_cost cost(const gi_infer *c) { return gi_recurrence_cost(&gi_op_gru, c); }
static gi_cost cost_grad(const gi_infer *c) { return gi_recurrence_cost(&gi_op_gru_grad, c); }

/* ---- samples and rows -------------------------------------------------------------------- */

static const gi_recurrent_attr plain = {0}, biased = {.bias = true},
                               back = {.bias = true, .reverse = true},
                               padded = {.bias = true, .lengths = true},
                               padded_back = {.lengths = true, .reverse = true},
                               saved = {.saved = true},
                               all = {.lengths = true, .reverse = true, .saved = true};
#define X    -1, 1, GLIA_F32
#define W    -0.4, 0.4, GLIA_F32
#define G    0, 1, GLIA_F32 /* gates */
#define L(t) 0, (t) + 1, GLIA_I64
/* x, U, h0 of t steps, n sequences, h units; and for the gradient U, h0, y, gates, dy, dh */
#define MATRIX(rows, columns) \
  { 2, {rows, columns}, X }
#define STEPS(t, n, columns) \
  { 3, {t, n, columns}, X }
#define FORWARD(t, n, h) STEPS(t, n, 3 * (h)), MATRIX(3 * (h), h), MATRIX(n, h)
#define BACKWARD(t, n, h)                                                                      \
  {2, {3 * (h), h}, W}, MATRIX(n, h), STEPS(t, n, h), {3, {t, n, 4 * (h)}, G}, STEPS(t, n, h), \
      MATRIX(n, h)
static const gi_sample samples[] = {
    {&biased, 4, {FORWARD(2, 2, 2), {1, {2}, X}}, GLIA_OK},
    {&plain, 3, {FORWARD(5, 3, 7)}, GLIA_OK},
    {&back, 4, {FORWARD(4, 1, 9), {1, {9}, X}}, GLIA_OK},
    {&biased,
     4,
     {{3, {3, 8, 120}, X}, {2, {120, 40}, -0.3, 0.3, GLIA_F32}, {2, {8, 40}, X}, {1, {40}, X}},
     GLIA_OK},
    {&padded, 5, {FORWARD(4, 6, 3), {1, {3}, X}, {1, {6}, L(4)}}, GLIA_OK},
    {&padded_back, 4, {FORWARD(4, 6, 3), {1, {6}, L(4)}}, GLIA_OK},
    {&plain, 3, {{3, {2, 2, 6}, X}, {2, {4, 2}, X}, {2, {2, 2}, X}}, GLIA_SHAPE},
    {&plain, 3, {{3, {2, 2, 6}, X}, {2, {7, 2}, X}, {2, {2, 2}, X}}, GLIA_SHAPE},
    {&biased, 4, {FORWARD(2, 2, 2), {1, {6}, X}}, GLIA_SHAPE},
    {&biased, 3, {FORWARD(2, 2, 2)}, GLIA_INVALID},
    {&padded, 5, {FORWARD(4, 6, 3), {1, {3}, X}, {1, {6}, X}}, GLIA_DTYPE},
};
static const gi_sample samples_grad[] = {
    {&saved, 7, {BACKWARD(2, 2, 2), {3, {2, 2, 8}, X}}, GLIA_OK},
    {&plain, 6, {BACKWARD(5, 3, 7)}, GLIA_OK},
    {&back, 6, {BACKWARD(4, 1, 9)}, GLIA_OK},
    {&plain, 6, {BACKWARD(3, 8, 40)}, GLIA_OK},
    {&padded, 7, {BACKWARD(4, 6, 3), {1, {6}, L(4)}}, GLIA_OK},
    {&padded_back, 7, {BACKWARD(4, 6, 3), {1, {6}, L(4)}}, GLIA_OK},
    {&all, 8, {BACKWARD(4, 6, 3), {1, {6}, L(4)}, {3, {4, 6, 12}, X}}, GLIA_OK},
    {&plain,
     6,
     {{2, {6, 2}, X},
      {2, {2, 2}, X},
      {3, {2, 2, 2}, X},
      {3, {2, 2, 6}, X}, /* gates: three of four */
      {3, {2, 2, 2}, X},
      {2, {2, 2}, X}},
     GLIA_SHAPE},
};
#undef MATRIX
#undef STEPS
#undef FORWARD
#undef BACKWARD
#undef X
#undef W
#undef G
#undef L

static const gi_attr fields[] = {
    GI_RECURRENT_FIELDS,
    {"bias", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, bias),
     "an input is added to the new state's product, before the reset gate"},
    GI_RECURRENT_SAVED,
    {NULL, GI_ATTR_BOOL, 0, NULL},
};

const gi_op gi_op_gru = {
    .name = "gru",
    .doc = "gated recurrent unit over all time steps",
    .paper = "arXiv:1406.1078",
    .min_in = 3,
    .max_in = 5,
    .n_out = 3,
    .attr_size = sizeof(gi_recurrent_attr),
    .attrs = fields,
    .infer = infer,
    .vjp = vjp,
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op gi_op_gru_grad = {
    .name = "gru_grad",
    .doc = "gradient of gru: dx, dh0, and that of U h + bias",
    .paper = "arXiv:1406.1078",
    .min_in = 6,
    .max_in = 8,
    .n_out = 3,
    .attr_size = sizeof(gi_recurrent_attr),
    .attrs = fields,
    .infer = infer_grad,
    .lower = lower_grad,
    .ref = ref_grad,
    .cost = cost_grad,
    .samples = samples_grad,
    .n_samples = GI_COUNT(samples_grad),
};

const gi_op *const gi_ops_gru[] = {&gi_op_gru, &gi_op_gru_grad, NULL};

/* ---- builder ----------------------------------------------------------------------------- */

glia_value glia_gru_with(glia_value x, glia_value weight, glia_value h0,
                         const glia_recurrence_opts *opt, glia_value *last) {
  glia_recurrence_opts o;
  gi_opts(&o, sizeof o, opt);
  if (o.reset_before) return gi_gru_reset_before(x, weight, h0, &o, last);
  return gi_recurrence_emit(&gi_op_gru, opt, x, weight, h0, GLIA_NONE, last, NULL);
}
