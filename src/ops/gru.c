/* gru.c - the gated recurrent unit over all time steps, and its gradient (ops/recurrent.h).
 * (Cho et al., arXiv:1406.1078, with the reset gate behind the product, as PyTorch and Keras)
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

/* ---- shapes ------------------------------------------------------------------------------ */

static glia_status infer(gi_infer *c) {
  gi_recurrence r;
  GI_TRY(gi_recurrence_check(c, &gi_op_gru, &r));
  c->out[0] = gi_recurrence_type(&r, c->in[0].dtype, true, r.units);
  c->out[1] = gi_recurrence_type(&r, c->in[0].dtype, false, r.units);
  c->out[2] = gi_recurrence_type(&r, c->in[0].dtype, true, 4 * r.units);
  return GLIA_OK;
}

static glia_status infer_grad(gi_infer *c) {
  gi_recurrence r;
  GI_TRY(gi_recurrence_check(c, &gi_op_gru_grad, &r));
  c->out[0] = c->out[2] = gi_recurrence_type(&r, c->in[0].dtype, true, 3 * r.units);
  c->out[1] = gi_recurrence_type(&r, c->in[0].dtype, false, r.units);
  return GLIA_OK;
}

/* ---- gradients --------------------------------------------------------------------------- */

static glia_value input(const gi_vjp *c, const gi_recurrence *r, gi_recurrent_input i) {
  return gi_has(r, i) ? c->in[r->at[i]] : GLIA_NONE;
}

static glia_status vjp(gi_vjp *c) {
  gi_recurrent_attr a = *(const gi_recurrent_attr *)c->attr;
  gi_recurrence r = gi_recurrence_of(&gi_op_gru, &a);
  const gi_type x = gi_value_type(c->in[0]), u = gi_value_type(c->in[1]),
                y = gi_value_type(c->out[0]), h = gi_value_type(c->out[1]);
  gi_recurrence_size(&r, &x, &u);
  a.saved = !gi_null(c->dout[2]);
  glia_value in[8] = {c->in[1],
                      c->in[2],
                      c->out[0],
                      c->out[2],
                      gi_recurrent_or_zeros(c->dout[0], c->in[0], &y),
                      gi_recurrent_or_zeros(c->dout[1], c->in[0], &h)};
  int n = 6;
  const glia_value lengths = input(c, &r, GI_RECURRENT_LENGTHS);
  if (!gi_null(lengths)) in[n++] = lengths;
  if (a.saved) in[n++] = c->dout[2];
  glia_value grads[3];
  gi_emit(c->g, &gi_op_gru_grad, &a, in, n, grads);
  c->din[0] = grads[0];
  c->din[2] = grads[1];
  if (c->need[1])
    c->din[1] = gi_recurrent_weight_grad(grads[2],
                                         gi_recurrent_before(&r, c->out[0], c->in[2], lengths));
  if (gi_has(&r, GI_RECURRENT_BIAS) && c->need[r.at[GI_RECURRENT_BIAS]])
    c->din[r.at[GI_RECURRENT_BIAS]] =
        glia_sum(gi_recurrent_columns(grads[2], 2 * r.units, r.units), .n = 2, .axes = {0, 1});
  return GLIA_OK;
}

/* slope of the logistic function, from its value */
static glia_value rise(glia_value v) {
  return glia_mul(v, glia_sub(glia_scalar_like(v, 1), v));
}

static void lower_step(gi_back_step *s) {
  const int64_t n = s->r->units;
  const bool saved = gi_has(s->r, GI_RECURRENT_DGATES);
  const glia_value gates = gi_recurrent_at(s, GI_RECURRENT_GATES);
  const glia_value more = saved ? gi_recurrent_at(s, GI_RECURRENT_DGATES) : GLIA_NONE;
  const glia_value before = gi_recurrent_before_step(s, GI_RECURRENT_Y, GI_RECURRENT_H0);
  const glia_value one = glia_scalar_like(gates, 1);
  glia_value v[4], d[4];
  for (int i = 0; i < 4; i++) v[i] = gi_recurrent_columns(gates, i * n, n);
  d[1] = glia_mul(s->dh, glia_sub(before, v[2]));
  d[2] = glia_mul(s->dh, glia_sub(one, v[1]));
  if (saved)
    for (int i = 1; i < 3; i++) d[i] = glia_add(d[i], gi_recurrent_columns(more, i * n, n));
  d[2] = glia_mul(d[2], glia_sub(one, glia_square(v[2])));
  d[0] = glia_mul(d[2], v[3]);
  d[3] = glia_mul(d[2], v[0]);
  if (saved)
    for (int i = 0; i < 4; i += 3) d[i] = glia_add(d[i], gi_recurrent_columns(more, i * n, n));
  d[0] = glia_mul(d[0], rise(v[0]));
  d[1] = glia_mul(d[1], rise(v[1]));
  const glia_value of_u[] = {d[0], d[1], d[3]};
  s->dx = glia_concat(d, 3, 1);
  s->du = glia_concat(of_u, 3, 1);
  s->dkept = glia_mul(s->dh, v[1]);
}

static glia_status lower_grad(gi_lower *c) {
  gi_recurrence r = gi_recurrence_of(&gi_op_gru_grad, c->attr);
  const gi_type dy = gi_value_type(c->in[gi_steps_input(&r)]), u = gi_value_type(c->in[0]);
  gi_back back = {.dc = GLIA_NONE};
  gi_recurrence_size(&r, &dy, &u);
  GI_TRY(gi_recurrent_unroll(&r, c, lower_step, &back));
  c->out[0] = back.dx;
  c->out[1] = back.dh0;
  c->out[2] = back.du;
  return GLIA_OK;
}

/* ---- reference --------------------------------------------------------------------------- */

static void forward(gi_sequence *s) {
  const gi_recurrence *r = s->r;
  const int64_t units = r->units;
  gi_sequence_load(s, GI_RECURRENT_H0, units, s->h);
  for (int64_t k = 0; k < r->steps; k++) {
    const int64_t t = gi_step(r, k);
    if (t >= s->length) {
      gi_sequence_clear(s, 0, t);
      gi_sequence_clear(s, 2, t);
      continue;
    }
    memset(s->sums, 0, (size_t)(3 * units) * sizeof *s->sums);
    gi_add_product(gi_input_of(s, GI_RECURRENT_U), false, s->h, s->sums);
    for (int64_t j = 0; j < units; j++) {
      const double xr = gi_sequence_get(s, GI_RECURRENT_X, t, j),
                   xz = gi_sequence_get(s, GI_RECURRENT_X, t, units + j),
                   xn = gi_sequence_get(s, GI_RECURRENT_X, t, 2 * units + j);
      const gi_buf *bias = gi_input_of(s, GI_RECURRENT_BIAS);
      const double m = s->sums[2 * units + j] + (bias != NULL ? gi_get(bias, j) : 0);
      const double reset = gi_logistic(xr + s->sums[j]),
                   z = gi_logistic(xz + s->sums[units + j]);
      const double n = tanh(xn + reset * m), saved[] = {reset, z, n, m};
      for (int i = 0; i < 4; i++) gi_sequence_put(s, 2, t, i * units + j, saved[i]);
      s->h[j] = (1 - z) * n + z * s->h[j];
      gi_sequence_put(s, 0, t, j, s->h[j]);
    }
  }
  for (int64_t j = 0; j < units; j++) gi_sequence_put(s, 1, 0, j, s->h[j]);
}

/* Unit j of step t; `first`: the state before it is h0. */
static void backward_unit(gi_sequence *s, int64_t t, int64_t j, bool first) {
  const int64_t units = s->r->units, before = s->r->reverse ? t + 1 : t - 1;
  double v[4], more[4];
  for (int i = 0; i < 4; i++) {
    v[i] = gi_sequence_get(s, GI_RECURRENT_GATES, t, i * units + j);
    more[i] = gi_sequence_get(s, GI_RECURRENT_DGATES, t, i * units + j);
  }
  const double h = first ? gi_sequence_get(s, GI_RECURRENT_H0, 0, j)
                         : gi_sequence_get(s, GI_RECURRENT_Y, before, j);
  const double d = s->h[j] + gi_sequence_get(s, GI_RECURRENT_DY, t, j);
  const double dn = (d * (1 - v[1]) + more[2]) * (1 - v[2] * v[2]);
  const double dr = (dn * v[3] + more[0]) * v[0] * (1 - v[0]);
  const double dz = (d * (h - v[2]) + more[1]) * v[1] * (1 - v[1]);
  const double dm = dn * v[0] + more[3];
  const double dx[] = {dr, dz, dn}, du[] = {dr, dz, dm};
  for (int i = 0; i < 3; i++) {
    gi_sequence_put(s, 0, t, i * units + j, dx[i]);
    gi_sequence_put(s, 2, t, i * units + j, du[i]);
    s->sums[i * units + j] = du[i];
  }
  s->h[j] = d * v[1];
}

static void backward(gi_sequence *s) {
  const gi_recurrence *r = s->r;
  gi_sequence_load(s, GI_RECURRENT_DH, r->units, s->h);
  for (int64_t k = r->steps - 1; k >= 0; k--) {
    const int64_t t = gi_step(r, k);
    if (t >= s->length) {
      gi_sequence_clear(s, 0, t);
      gi_sequence_clear(s, 2, t);
      continue;
    }
    const bool first = k == 0 || (r->reverse && t + 1 >= s->length);
    for (int64_t j = 0; j < r->units; j++) backward_unit(s, t, j, first);
    gi_add_product(gi_input_of(s, GI_RECURRENT_U), true, s->sums, s->h);
  }
  for (int64_t j = 0; j < r->units; j++) gi_sequence_put(s, 1, 0, j, s->h[j]);
}

static glia_status ref(gi_ref *c) { return gi_each_sequence(c, &gi_op_gru, forward); }
static glia_status ref_grad(gi_ref *c) {
  return gi_each_sequence(c, &gi_op_gru_grad, backward);
}

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
#define L(t) 0, (t) + 1, GLIA_I64
static const gi_sample samples[] = {
    {&biased, 4, {{3, {2, 2, 6}, X}, {2, {6, 2}, X}, {2, {2, 2}, X}, {1, {2}, X}}, GLIA_OK},
    {&plain, 3, {{3, {5, 3, 21}, X}, {2, {21, 7}, X}, {2, {3, 7}, X}}, GLIA_OK},
    {&back, 4, {{3, {4, 1, 27}, X}, {2, {27, 9}, X}, {2, {1, 9}, X}, {1, {9}, X}}, GLIA_OK},
    {&biased,
     4,
     {{3, {3, 8, 120}, X}, {2, {120, 40}, -0.3, 0.3, GLIA_F32}, {2, {8, 40}, X}, {1, {40}, X}},
     GLIA_OK},
    {&padded,
     5,
     {{3, {4, 6, 9}, X}, {2, {9, 3}, X}, {2, {6, 3}, X}, {1, {3}, X}, {1, {6}, L(4)}},
     GLIA_OK},
    {&padded_back,
     4,
     {{3, {4, 6, 9}, X}, {2, {9, 3}, X}, {2, {6, 3}, X}, {1, {6}, L(4)}},
     GLIA_OK},
    {&plain, 3, {{3, {2, 2, 6}, X}, {2, {4, 2}, X}, {2, {2, 2}, X}}, GLIA_SHAPE},
    {&plain, 3, {{3, {2, 2, 6}, X}, {2, {7, 2}, X}, {2, {2, 2}, X}}, GLIA_SHAPE},
    {&biased, 4, {{3, {2, 2, 6}, X}, {2, {6, 2}, X}, {2, {2, 2}, X}, {1, {6}, X}}, GLIA_SHAPE},
    {&biased, 3, {{3, {2, 2, 6}, X}, {2, {6, 2}, X}, {2, {2, 2}, X}}, GLIA_INVALID},
    {&padded,
     5,
     {{3, {4, 6, 9}, X}, {2, {9, 3}, X}, {2, {6, 3}, X}, {1, {3}, X}, {1, {6}, X}},
     GLIA_DTYPE},
};
#define G 0, 1, GLIA_F32 /* gates */
#define W -0.4, 0.4, GLIA_F32
static const gi_sample samples_grad[] = {
    {&saved,
     7,
     {{2, {6, 2}, X},
      {2, {2, 2}, X},
      {3, {2, 2, 2}, X},
      {3, {2, 2, 8}, G},
      {3, {2, 2, 2}, X},
      {2, {2, 2}, X},
      {3, {2, 2, 8}, X}},
     GLIA_OK},
    {&plain,
     6,
     {{2, {21, 7}, W},
      {2, {3, 7}, X},
      {3, {5, 3, 7}, X},
      {3, {5, 3, 28}, G},
      {3, {5, 3, 7}, X},
      {2, {3, 7}, X}},
     GLIA_OK},
    {&back,
     6,
     {{2, {27, 9}, W},
      {2, {1, 9}, X},
      {3, {4, 1, 9}, X},
      {3, {4, 1, 36}, G},
      {3, {4, 1, 9}, X},
      {2, {1, 9}, X}},
     GLIA_OK},
    {&plain,
     6,
     {{2, {120, 40}, W},
      {2, {8, 40}, X},
      {3, {3, 8, 40}, X},
      {3, {3, 8, 160}, G},
      {3, {3, 8, 40}, X},
      {2, {8, 40}, X}},
     GLIA_OK},
    {&padded,
     7,
     {{2, {9, 3}, W},
      {2, {6, 3}, X},
      {3, {4, 6, 3}, X},
      {3, {4, 6, 12}, G},
      {3, {4, 6, 3}, X},
      {2, {6, 3}, X},
      {1, {6}, L(4)}},
     GLIA_OK},
    {&padded_back,
     7,
     {{2, {9, 3}, W},
      {2, {6, 3}, X},
      {3, {4, 6, 3}, X},
      {3, {4, 6, 12}, G},
      {3, {4, 6, 3}, X},
      {2, {6, 3}, X},
      {1, {6}, L(4)}},
     GLIA_OK},
    {&all,
     8,
     {{2, {9, 3}, W},
      {2, {6, 3}, X},
      {3, {4, 6, 3}, X},
      {3, {4, 6, 12}, G},
      {3, {4, 6, 3}, X},
      {2, {6, 3}, X},
      {1, {6}, L(4)},
      {3, {4, 6, 12}, X}},
     GLIA_OK},
    {&plain,
     6,
     {{2, {6, 2}, X},
      {2, {2, 2}, X},
      {3, {2, 2, 2}, X},
      {3, {2, 2, 6}, X},
      {3, {2, 2, 2}, X},
      {2, {2, 2}, X}},
     GLIA_SHAPE},
};
#undef G
#undef W
#undef X
#undef L

static const gi_attr fields[] = {
    {"reverse", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, reverse), "begin at the end"},
    {"lengths", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, lengths),
     "an input tells the steps of each sequence that count"},
    {"bias", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, bias),
     "an input is added to the new state's product, before the reset gate"},
    {"saved", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, saved),
     "gradient: cotangents of the gates come in too"},
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
  const gi_recurrent_attr a = {
      .reverse = o.reverse, .lengths = !gi_null(o.lengths), .bias = !gi_null(o.bias)};
  glia_value in[5] = {x, weight, h0}, out[3];
  int n = 3;
  if (a.bias) in[n++] = o.bias;
  if (a.lengths) in[n++] = o.lengths;
  gi_emit(x.graph, &gi_op_gru, &a, in, n, out);
  if (last != NULL) *last = out[1];
  return out[0];
}
