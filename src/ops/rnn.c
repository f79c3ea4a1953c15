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

static glia_status typed(gi_infer *c, const gi_op *op) {
  const char *act = ((const gi_recurrent_attr *)c->attr)->activation;
  GI_TRY(gi_recurrence_infer(c, op));
  if (act != NULL && (strcmp(act, "tanh") == 0 || strcmp(act, "relu") == 0)) return GLIA_OK;
  return gi_fail(GLIA_INVALID, "%s: the activation is %s, wanted tanh or relu", op->name,
                 act != NULL ? act : "none");
}

static glia_status infer(gi_infer *c) { return typed(c, &gi_op_rnn); }
static glia_status infer_grad(gi_infer *c) { return typed(c, &gi_op_rnn_grad); }

/* ---- gradients --------------------------------------------------------------------------- */

static glia_status vjp(gi_vjp *c) {
  gi_recurrence r;
  glia_value d[GI_RECURRENT_VALUES];
  gi_recurrent_vjp(c, &gi_op_rnn, &gi_op_rnn_grad, &r, d);
  return GLIA_OK;
}

static void lower_tanh(gi_back_step *s) {
  s->dx = glia_mul(s->dh, gi_recurrent_slope(gi_recurrent_at(s, GI_RECURRENT_Y)));
}
static void lower_relu(gi_back_step *s) {
  const glia_value h = gi_recurrent_at(s, GI_RECURRENT_Y), zero = glia_scalar_like(h, 0);
  s->dx = glia_where(glia_greater(h, zero), s->dh, zero);
}

static glia_status lower_grad(gi_lower *c) {
  return gi_recurrent_unroll(c, &gi_op_rnn_grad, is_relu(c->attr) ? lower_relu : lower_tanh);
}

/* ---- reference --------------------------------------------------------------------------- */

static void forward(gi_sequence *s) {
  const bool relu = is_relu(s->c->attr);
  for (int64_t j = 0; j < s->r->units; j++) {
    const double a = gi_sequence_get(s, GI_RECURRENT_X, j) + s->sums[j];
    s->h[j] = relu ? gi_larger(a, 0) : tanh(a);
  }
}

static void backward(gi_sequence *s) {
  const bool relu = is_relu(s->c->attr);
  for (int64_t j = 0; j < s->r->units; j++) {
    const double h = gi_sequence_get(s, GI_RECURRENT_Y, j);
    s->sums[j] = relu ? (h > 0 ? s->h[j] : 0) : s->h[j] * (1 - h * h);
    gi_sequence_put(s, GI_RECURRENT_DX, j, s->sums[j]);
    s->h[j] = 0;
  }
}

static glia_status ref(gi_ref *c) { return gi_each_step(c, &gi_op_rnn, forward); }
static glia_status ref_grad(gi_ref *c) { return gi_each_step(c, &gi_op_rnn_grad, backward); }

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
/* x, U, h0 of t steps, n sequences, h units; and for the gradient U, y, dy, dh */
#define MATRIX(rows, columns) \
  { 2, {rows, columns}, X }
#define STEPS(t, n, columns) \
  { 3, {t, n, columns}, X }
#define FORWARD(t, n, h)  STEPS(t, n, h), MATRIX(h, h), MATRIX(n, h)
#define BACKWARD(t, n, h) MATRIX(h, h), STEPS(t, n, h), STEPS(t, n, h), MATRIX(n, h)
static const gi_sample samples[] = {
    {&plain, 3, {FORWARD(2, 2, 2)}, GLIA_OK},
    {&relu, 3, {FORWARD(5, 3, 7)}, GLIA_OK},
    {&back, 3, {FORWARD(4, 1, 9)}, GLIA_OK},
    {&plain, 3, {FORWARD(1, 2, 3)}, GLIA_OK},
    {&plain,
     3,
     {{3, {3, 8, 40}, X}, {2, {40, 40}, -0.3, 0.3, GLIA_F32}, {2, {8, 40}, X}},
     GLIA_OK},
    {&plain, 3, {FORWARD(3, 0, 2)}, GLIA_OK}, /* no sequence */
    {&padded, 4, {FORWARD(4, 6, 3), {1, {6}, L(4)}}, GLIA_OK},
    {&padded_back, 4, {FORWARD(4, 6, 3), {1, {6}, 0, 5, GLIA_I32}}, GLIA_OK},
    {&plain, 3, {FORWARD(0, 2, 2)}, GLIA_SHAPE}, /* no steps */
    {&plain, 3, {{2, {2, 2}, X}, {2, {2, 2}, X}, {2, {2, 2}, X}}, GLIA_SHAPE},
    {&plain, 3, {{3, {2, 2, 3}, X}, {2, {2, 2}, X}, {2, {2, 2}, X}}, GLIA_SHAPE},
    {&plain, 3, {{3, {2, 2, 2}, X}, {2, {2, 3}, X}, {2, {2, 3}, X}}, GLIA_SHAPE},
    {&plain, 3, {{3, {2, 2, 2}, X}, {2, {2, 2}, X}, {2, {3, 2}, X}}, GLIA_SHAPE},
    {&padded, 3, {FORWARD(2, 2, 2)}, GLIA_INVALID},
    {&padded, 4, {FORWARD(2, 2, 2), {1, {2}, X}}, GLIA_DTYPE},
    {&padded, 4, {FORWARD(2, 2, 2), {1, {3}, L(2)}}, GLIA_SHAPE},
    {&plain, 3, {{3, {2, 2, 2}, 0, 3, GLIA_I32}, {2, {2, 2}, X}, {2, {2, 2}, X}}, GLIA_DTYPE},
    {&other, 3, {FORWARD(2, 2, 2)}, GLIA_INVALID},
};
static const gi_sample samples_grad[] = {
    {&plain, 4, {BACKWARD(2, 2, 2)}, GLIA_OK},
    {&relu, 4, {BACKWARD(5, 3, 7)}, GLIA_OK},
    {&back, 4, {BACKWARD(4, 1, 9)}, GLIA_OK},
    {&plain,
     4,
     {{2, {40, 40}, -0.3, 0.3, GLIA_F32},
      {3, {3, 8, 40}, X},
      {3, {3, 8, 40}, X},
      {2, {8, 40}, X}},
     GLIA_OK},
    {&padded, 5, {BACKWARD(4, 6, 3), {1, {6}, L(4)}}, GLIA_OK},
    {&padded_back, 5, {BACKWARD(4, 6, 3), {1, {6}, L(4)}}, GLIA_OK},
    {&plain,
     4,
     {{2, {2, 2}, X}, {3, {2, 2, 2}, X}, {3, {2, 2, 3}, X}, {2, {2, 2}, X}},
     GLIA_SHAPE},
};
#undef MATRIX
#undef STEPS
#undef FORWARD
#undef BACKWARD
#undef X
#undef L

static const gi_attr fields[] = {
    GI_RECURRENT_FIELDS,
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
  return gi_recurrence_emit(&gi_op_rnn, opt, x, weight, h0, GLIA_NONE, last, NULL);
}
