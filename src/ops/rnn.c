/* rnn.c - the plain recurrent layer over all time steps, and its gradient (ops/recurrent.h).
 *
 *   h[t] = act(x[t] + U h[t - 1]),   act: tanh or relu   (Elman 1990)
 *
 *   rnn       x [T, N, H], U [H, H], h0 [N, H][, lengths [N]] -> y = h[0 .. T - 1], the last h
 *   rnn_grad  U, y, dy, dh[, lengths] -> dx [T, N, H], dh0
 *
 * Going back in time, d a[t] = act'(h[t]) (dy[t] + dh[t]) and dh[t - 1] = d a[t] U; d a is dx.
 */
#include "ops/recurrent.h"

#include "ops/ref.h"

static bool is_relu(const void *attr) {
  return strcmp(((const gi_recurrent_attr *)attr)->activation, "relu") == 0;
}

/* ---- shapes ------------------------------------------------------------------------------ */

static glia_status check(gi_infer *c, const gi_op *op, gi_recurrence *r) {
  const char *act = ((const gi_recurrent_attr *)c->attr)->activation;
  GI_TRY(gi_recurrence_check(c, op, r));
  if (act != NULL && (strcmp(act, "tanh") == 0 || strcmp(act, "relu") == 0)) return GLIA_OK;
  return gi_fail(GLIA_INVALID, "%s: the activation is %s, wanted tanh or relu", op->name,
                 act != NULL ? act : "none");
}

static glia_status infer(gi_infer *c) {
  gi_recurrence r;
  GI_TRY(check(c, &gi_op_rnn, &r));
  c->out[0] = gi_recurrence_type(&r, c->in[0].dtype, true, r.units);
  c->out[1] = gi_recurrence_type(&r, c->in[0].dtype, false, r.units);
  return GLIA_OK;
}

static glia_status infer_grad(gi_infer *c) {
  gi_recurrence r;
  GI_TRY(check(c, &gi_op_rnn_grad, &r));
  c->out[0] = gi_recurrence_type(&r, c->in[0].dtype, true, r.units);
  c->out[1] = gi_recurrence_type(&r, c->in[0].dtype, false, r.units);
  return GLIA_OK;
}

/* ---- gradients --------------------------------------------------------------------------- */

static glia_status vjp(gi_vjp *c) {
  gi_recurrence r = gi_recurrence_of(&gi_op_rnn, c->attr);
  const gi_type x = gi_value_type(c->in[0]), u = gi_value_type(c->in[1]),
                y = gi_value_type(c->out[0]), h = gi_value_type(c->out[1]);
  gi_recurrence_size(&r, &x, &u);
  const glia_value lengths =
      gi_has(&r, GI_RECURRENT_LENGTHS) ? c->in[r.at[GI_RECURRENT_LENGTHS]] : GLIA_NONE;
  const glia_value in[] = {c->in[1], c->out[0], gi_recurrent_or_zeros(c->dout[0], c->in[0], &y),
                           gi_recurrent_or_zeros(c->dout[1], c->in[0], &h), lengths};
  glia_value grads[2];
  gi_emit(c->g, &gi_op_rnn_grad, c->attr, in, gi_null(lengths) ? 4 : 5, grads);
  c->din[0] = grads[0];
  c->din[2] = grads[1];
  if (c->need[1])
    c->din[1] = gi_recurrent_weight_grad(grads[0],
                                         gi_recurrent_before(&r, c->out[0], c->in[2], lengths));
  return GLIA_OK;
}

static void lower_tanh(gi_back_step *s) {
  const glia_value h = gi_recurrent_at(s, GI_RECURRENT_Y);
  s->dx = glia_mul(s->dh, glia_sub(glia_scalar_like(h, 1), glia_square(h)));
}
static void lower_relu(gi_back_step *s) {
  const glia_value h = gi_recurrent_at(s, GI_RECURRENT_Y), zero = glia_scalar_like(h, 0);
  s->dx = glia_where(glia_greater(h, zero), s->dh, zero);
}

static glia_status lower_grad(gi_lower *c) {
  gi_recurrence r = gi_recurrence_of(&gi_op_rnn_grad, c->attr);
  const gi_type dy = gi_value_type(c->in[gi_steps_input(&r)]), u = gi_value_type(c->in[0]);
  gi_back back = {.dc = GLIA_NONE};
  gi_recurrence_size(&r, &dy, &u);
  GI_TRY(gi_recurrent_unroll(&r, c, is_relu(c->attr) ? lower_relu : lower_tanh, &back));
  c->out[0] = back.dx;
  c->out[1] = back.dh0;
  return GLIA_OK;
}

/* ---- reference --------------------------------------------------------------------------- */

static void forward(gi_sequence *s) {
  const gi_recurrence *r = s->r;
  const bool relu = is_relu(s->c->attr);
  gi_sequence_load(s, GI_RECURRENT_H0, r->units, s->h);
  for (int64_t k = 0; k < r->steps; k++) {
    const int64_t t = gi_step(r, k);
    if (t >= s->length) {
      gi_sequence_clear(s, 0, t);
      continue;
    }
    for (int64_t j = 0; j < r->units; j++)
      s->sums[j] = gi_sequence_get(s, GI_RECURRENT_X, t, j);
    gi_add_product(gi_input_of(s, GI_RECURRENT_U), false, s->h, s->sums);
    for (int64_t j = 0; j < r->units; j++) {
      s->h[j] = relu ? gi_larger(s->sums[j], 0) : tanh(s->sums[j]);
      gi_sequence_put(s, 0, t, j, s->h[j]);
    }
  }
  for (int64_t j = 0; j < r->units; j++) gi_sequence_put(s, 1, 0, j, s->h[j]);
}

static void backward(gi_sequence *s) {
  const gi_recurrence *r = s->r;
  const bool relu = is_relu(s->c->attr);
  gi_sequence_load(s, GI_RECURRENT_DH, r->units, s->h);
  for (int64_t k = r->steps - 1; k >= 0; k--) {
    const int64_t t = gi_step(r, k);
    if (t >= s->length) {
      gi_sequence_clear(s, 0, t);
      continue;
    }
    for (int64_t j = 0; j < r->units; j++) {
      const double h = gi_sequence_get(s, GI_RECURRENT_Y, t, j),
                   dh = s->h[j] + gi_sequence_get(s, GI_RECURRENT_DY, t, j);
      s->sums[j] = relu ? (h > 0 ? dh : 0) : dh * (1 - h * h);
      gi_sequence_put(s, 0, t, j, s->sums[j]);
      s->h[j] = 0;
    }
    gi_add_product(gi_input_of(s, GI_RECURRENT_U), true, s->sums, s->h);
  }
  for (int64_t j = 0; j < r->units; j++) gi_sequence_put(s, 1, 0, j, s->h[j]);
}

static glia_status ref(gi_ref *c) { return gi_each_sequence(c, &gi_op_rnn, forward); }
static glia_status ref_grad(gi_ref *c) {
  return gi_each_sequence(c, &gi_op_rnn_grad, backward);
}

static gi_cost cost(const gi_infer *c) { return gi_recurrence_cost(&gi_op_rnn, c); }
static gi_cost cost_grad(const gi_infer *c) { return gi_recurrence_cost(&gi_op_rnn_grad, c); }

/* ---- samples and rows -------------------------------------------------------------------- */

static const gi_recurrent_attr plain = {.activation = "tanh"}, relu = {.activation = "relu"},
                               back = {.activation = "tanh", .reverse = true},
                               padded = {.activation = "tanh", .lengths = true},
                               padded_back = {.activation = "relu",
                                              .lengths = true,
                                              .reverse = true},
                               other = {.activation = "sigmoid"};
#define X    -1, 1, GLIA_F32
#define L(t) 0, (t) + 1, GLIA_I64
static const gi_sample samples[] = {
    {&plain, 3, {{3, {2, 2, 2}, X}, {2, {2, 2}, X}, {2, {2, 2}, X}}, GLIA_OK},
    {&relu, 3, {{3, {5, 3, 7}, X}, {2, {7, 7}, X}, {2, {3, 7}, X}}, GLIA_OK},
    {&back, 3, {{3, {4, 1, 9}, X}, {2, {9, 9}, X}, {2, {1, 9}, X}}, GLIA_OK},
    {&plain, 3, {{3, {1, 2, 3}, X}, {2, {3, 3}, X}, {2, {2, 3}, X}}, GLIA_OK},
    {&plain,
     3,
     {{3, {3, 8, 40}, X}, {2, {40, 40}, -0.3, 0.3, GLIA_F32}, {2, {8, 40}, X}},
     GLIA_OK},
    {&plain, 3, {{3, {3, 0, 2}, X}, {2, {2, 2}, X}, {2, {0, 2}, X}}, GLIA_OK}, /* no sequence */
    {&padded, 4, {{3, {4, 6, 3}, X}, {2, {3, 3}, X}, {2, {6, 3}, X}, {1, {6}, L(4)}}, GLIA_OK},
    {&padded_back,
     4,
     {{3, {4, 6, 3}, X}, {2, {3, 3}, X}, {2, {6, 3}, X}, {1, {6}, 0, 5, GLIA_I32}},
     GLIA_OK},
    {&plain, 3, {{3, {0, 2, 2}, X}, {2, {2, 2}, X}, {2, {2, 2}, X}}, GLIA_SHAPE}, /* no steps */
    {&plain, 3, {{2, {2, 2}, X}, {2, {2, 2}, X}, {2, {2, 2}, X}}, GLIA_SHAPE},
    {&plain, 3, {{3, {2, 2, 3}, X}, {2, {2, 2}, X}, {2, {2, 2}, X}}, GLIA_SHAPE},
    {&plain, 3, {{3, {2, 2, 2}, X}, {2, {2, 3}, X}, {2, {2, 3}, X}}, GLIA_SHAPE},
    {&plain, 3, {{3, {2, 2, 2}, X}, {2, {2, 2}, X}, {2, {3, 2}, X}}, GLIA_SHAPE},
    {&padded, 3, {{3, {2, 2, 2}, X}, {2, {2, 2}, X}, {2, {2, 2}, X}}, GLIA_INVALID},
    {&padded, 4, {{3, {2, 2, 2}, X}, {2, {2, 2}, X}, {2, {2, 2}, X}, {1, {2}, X}}, GLIA_DTYPE},
    {&padded,
     4,
     {{3, {2, 2, 2}, X}, {2, {2, 2}, X}, {2, {2, 2}, X}, {1, {3}, L(2)}},
     GLIA_SHAPE},
    {&plain, 3, {{3, {2, 2, 2}, 0, 3, GLIA_I32}, {2, {2, 2}, X}, {2, {2, 2}, X}}, GLIA_DTYPE},
    {&other, 3, {{3, {2, 2, 2}, X}, {2, {2, 2}, X}, {2, {2, 2}, X}}, GLIA_INVALID},
};
static const gi_sample samples_grad[] = {
    {&plain,
     4,
     {{2, {2, 2}, X}, {3, {2, 2, 2}, X}, {3, {2, 2, 2}, X}, {2, {2, 2}, X}},
     GLIA_OK},
    {&relu, 4, {{2, {7, 7}, X}, {3, {5, 3, 7}, X}, {3, {5, 3, 7}, X}, {2, {3, 7}, X}}, GLIA_OK},
    {&back, 4, {{2, {9, 9}, X}, {3, {4, 1, 9}, X}, {3, {4, 1, 9}, X}, {2, {1, 9}, X}}, GLIA_OK},
    {&plain,
     4,
     {{2, {40, 40}, -0.3, 0.3, GLIA_F32},
      {3, {3, 8, 40}, X},
      {3, {3, 8, 40}, X},
      {2, {8, 40}, X}},
     GLIA_OK},
    {&padded,
     5,
     {{2, {3, 3}, X}, {3, {4, 6, 3}, X}, {3, {4, 6, 3}, X}, {2, {6, 3}, X}, {1, {6}, L(4)}},
     GLIA_OK},
    {&padded_back,
     5,
     {{2, {3, 3}, X}, {3, {4, 6, 3}, X}, {3, {4, 6, 3}, X}, {2, {6, 3}, X}, {1, {6}, L(4)}},
     GLIA_OK},
    {&plain,
     4,
     {{2, {2, 2}, X}, {3, {2, 2, 2}, X}, {3, {2, 2, 3}, X}, {2, {2, 2}, X}},
     GLIA_SHAPE},
};
#undef X
#undef L

static const gi_attr fields[] = {
    {"reverse", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, reverse), "begin at the end"},
    {"lengths", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, lengths),
     "an input tells the steps of each sequence that count"},
    {"activation", GI_ATTR_NAME, offsetof(gi_recurrent_attr, activation), "tanh or relu"},
    {NULL, GI_ATTR_BOOL, 0, NULL},
};

const gi_op gi_op_rnn = {
    .name = "rnn",
    .doc = "plain recurrent layer over all time steps: h = act(x + U h)",
    .paper = "doi:10.1207/s15516709cog1402_1",
    .min_in = 3,
    .max_in = 4,
    .n_out = 2,
    .over_in = 1 << 0, /* y[t] is written when x[t] was read */
    .attr_size = sizeof(gi_recurrent_attr),
    .attrs = fields,
    .infer = infer,
    .vjp = vjp,
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op gi_op_rnn_grad = {
    .name = "rnn_grad",
    .doc = "gradient of rnn: dx, dh0",
    .paper = "doi:10.1207/s15516709cog1402_1",
    .min_in = 4,
    .max_in = 5,
    .n_out = 2,
    .over_in = 1 << 1 | 1 << 2, /* y and dy alike */
    .attr_size = sizeof(gi_recurrent_attr),
    .attrs = fields,
    .infer = infer_grad,
    .lower = lower_grad,
    .ref = ref_grad,
    .cost = cost_grad,
    .samples = samples_grad,
    .n_samples = GI_COUNT(samples_grad),
};

const gi_op *const gi_ops_rnn[] = {&gi_op_rnn, &gi_op_rnn_grad, NULL};

/* ---- builder ----------------------------------------------------------------------------- */

glia_value glia_rnn_with(glia_value x, glia_value weight, glia_value h0,
                         const glia_recurrence_opts *opt, glia_value *last) {
  glia_recurrence_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_recurrent_attr a = {.reverse = o.reverse,
                               .lengths = !gi_null(o.lengths),
                               .activation = o.activation != NULL ? o.activation : "tanh"};
  const glia_value in[] = {x, weight, h0, o.lengths};
  glia_value out[2];
  gi_emit(x.graph, &gi_op_rnn, &a, in, a.lengths ? 4 : 3, out);
  if (last != NULL) *last = out[1];
  return out[0];
}
