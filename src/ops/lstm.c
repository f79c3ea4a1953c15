/* lstm.c - long short-term memory over all time steps, and its gradient (ops/recurrent.h).
 * (Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; peepholes: Gers et al.
 * 2000; projection: arXiv:1402.1128)
 *
 *   [a_i a_f a_g a_o] = x + U h[t - 1]
 *   i = sigmoid(a_i + p_i c[t - 1]),  f = sigmoid(a_f + p_f c[t - 1]),  g = tanh(a_g)
 *   c[t] = f c[t - 1] + i g,  o = sigmoid(a_o + p_o c[t]),  h[t] = V (o tanh(c[t]))
 *
 * without peepholes p = 0, without projection V = 1.
 *
 *   lstm       x [T, N, 4 H], U [4 H, P], h0 [N, P], c0 [N, H][, lengths [N]]
 *              [, peepholes [3, H]][, V [P, H]]
 *              -> gates [T, N, 4 H]: i, f, g, o;  y = h[0 .. T - 1], the last h, the last c,
 *              cells = c[0 .. T - 1]
 *   lstm_grad  U, c0, gates, cells, dy, dh, dc[, lengths][, peepholes][, V][, dgates, dcells]
 *              -> dx [T, N, 4 H], dh0, dc0[, with V: what reaches each h [T, N, P]]
 *
 * Going back in time, with d the cotangent of o tanh(c[t]) and dc that of c[t] from later:
 *
 *   da_o = d tanh(c) o (1 - o),  dc += d o (1 - tanh(c)^2) + p_o da_o
 *   da_i = dc g i (1 - i),  da_f = dc c[t - 1] f (1 - f),  da_g = dc i (1 - g^2)
 *   dc[t - 1] = dc f + p_i da_i + p_f da_f,  dh[t - 1] = [da_i da_f da_g da_o] U
 *
 * The gates come first, so that they may lie over x and dx over them: in training these are
 * the largest values of a recurrent layer.
 */
#include "ops/recurrent.h"

#include "ops/ref.h"

/* ---- shapes and gradients ---------------------------------------------------------------- */

static glia_status infer(gi_infer *c) { return gi_recurrence_infer(c, &gi_op_lstm); }
static glia_status infer_grad(gi_infer *c) { return gi_recurrence_infer(c, &gi_op_lstm_grad); }

/* da_i c[t - 1], da_f c[t - 1], da_o c[t], added up over steps and sequences. */
static glia_value peephole_grad(const gi_vjp *c, const gi_recurrence *r, glia_value dx) {
  const glia_value cells = c->out[r->out[GI_RECURRENT_CELLS]],
                   before = gi_recurrent_before(c, r, GI_RECURRENT_CELLS, GI_RECURRENT_C0);
  glia_value parts[3];
  for (int i = 0; i < 3; i++) {
    const glia_value d = gi_recurrent_gate(r, dx, i < 2 ? i : 3);
    parts[i] =
        glia_reshape(glia_sum(glia_mul(d, i < 2 ? before : cells), .n = 2, .axes = {0, 1}), 2,
                     (const int64_t[]){1, r->units});
  }
  return glia_concat(parts, 3, 0);
}

static glia_status vjp(gi_vjp *c) {
  gi_recurrence r;
  glia_value d[GI_RECURRENT_VALUES];
  gi_recurrent_vjp(c, &gi_op_lstm, &gi_op_lstm_grad, &r, d);
  if (gi_recurrent_wants(c, &r, GI_RECURRENT_PEEPHOLES))
    c->din[r.at[GI_RECURRENT_PEEPHOLES]] = peephole_grad(c, &r, d[GI_RECURRENT_DX]);
  if (!gi_recurrent_wants(c, &r, GI_RECURRENT_PROJECTION)) return GLIA_OK;
  const glia_value out = gi_recurrent_gate(&r, c->out[r.out[GI_RECURRENT_GATES]], 3);
  c->din[r.at[GI_RECURRENT_PROJECTION]] = gi_recurrent_weight_grad(
      d[GI_RECURRENT_DH_ALL], glia_mul(out, glia_tanh(c->out[r.out[GI_RECURRENT_CELLS]])));
  return GLIA_OK;
}

/* Row i of the peepholes. */
static glia_value peephole(const gi_back_step *s, int i) {
  return glia_slice(s->in[s->r->at[GI_RECURRENT_PEEPHOLES]], 0, i, i + 1, 1);
}

static void lower_step(gi_back_step *s) {
  const gi_recurrence *r = s->r;
  const bool peeps = gi_has(r, GI_RECURRENT_PEEPHOLES), saved = gi_has(r, GI_RECURRENT_DGATES);
  const glia_value gates = gi_recurrent_at(s, GI_RECURRENT_GATES),
                   cell = gi_recurrent_at(s, GI_RECURRENT_CELLS),
                   before = gi_recurrent_before_step(s, GI_RECURRENT_CELLS, GI_RECURRENT_C0);
  const glia_value squashed = glia_tanh(cell);
  glia_value v[4], d[4], more[4], dhidden = s->dh, dc = s->dc;
  for (int i = 0; i < 4; i++) {
    v[i] = gi_recurrent_gate(r, gates, i);
    more[i] = saved ? gi_recurrent_gate(r, gi_recurrent_at(s, GI_RECURRENT_DGATES), i)
                    : glia_scalar_like(gates, 0);
  }
  if (gi_has(r, GI_RECURRENT_PROJECTION))
    dhidden = glia_matmul(dhidden, s->in[r->at[GI_RECURRENT_PROJECTION]]);
  d[3] = glia_mul(glia_add(glia_mul(dhidden, squashed), more[3]), gi_recurrent_rise(v[3]));
  dc = glia_add(dc, glia_mul(glia_mul(dhidden, v[3]), gi_recurrent_slope(squashed)));
  if (saved) dc = glia_add(dc, gi_recurrent_at(s, GI_RECURRENT_DCELLS));
  if (peeps) dc = glia_add(dc, glia_mul(d[3], peephole(s, 2)));
  d[0] = glia_mul(glia_add(glia_mul(dc, v[2]), more[0]), gi_recurrent_rise(v[0]));
  d[1] = glia_mul(glia_add(glia_mul(dc, before), more[1]), gi_recurrent_rise(v[1]));
  d[2] = glia_mul(glia_add(glia_mul(dc, v[0]), more[2]), gi_recurrent_slope(v[2]));
  s->dc = glia_mul(dc, v[1]);
  for (int i = 0; i < 2 && peeps; i++) s->dc = glia_add(s->dc, glia_mul(d[i], peephole(s, i)));
  s->dx = glia_concat(d, 4, 1);
}

static glia_status lower_grad(gi_lower *c) {
  return gi_recurrent_unroll(c, &gi_op_lstm_grad, lower_step);
}

/* ---- reference --------------------------------------------------------------------------- */

static double peep(const gi_sequence *s, int i, int64_t j) {
  const gi_buf *b = gi_input_of(s, GI_RECURRENT_PEEPHOLES);
  return b != NULL ? gi_get(b, i * s->r->units + j) : 0;
}

static void forward_unit(gi_sequence *s, int64_t j) {
  const int64_t units = s->r->units;
  double a[4];
  for (int i = 0; i < 4; i++)
    a[i] = s->sums[i * units + j] + gi_sequence_get(s, GI_RECURRENT_X, i * units + j);
  const double before = s->cell[j];
  const double in = gi_logistic(a[0] + peep(s, 0, j) * before);
  const double forget = gi_logistic(a[1] + peep(s, 1, j) * before), g = tanh(a[2]);
  const double cell = forget * before + in * g;
  const double out = gi_logistic(a[3] + peep(s, 2, j) * cell), v[] = {in, forget, g, out};
  for (int i = 0; i < 4; i++) gi_sequence_put(s, GI_RECURRENT_GATES, i * units + j, v[i]);
  gi_sequence_put(s, GI_RECURRENT_CELLS, j, cell);
  s->cell[j] = cell;
  s->hidden[j] = out * tanh(cell);
}

static void forward(gi_sequence *s) {
  const gi_recurrence *r = s->r;
  const gi_buf *projection = gi_input_of(s, GI_RECURRENT_PROJECTION);
  for (int64_t j = 0; j < r->units; j++) forward_unit(s, j);
  for (int64_t j = 0; j < r->state; j++) s->h[j] = projection != NULL ? 0 : s->hidden[j];
  if (projection != NULL) gi_add_product(projection, false, s->hidden, s->h);
}

/* Unit j of a step, what reaches it in s->hidden. */
static void backward_unit(gi_sequence *s, int64_t j) {
  const int64_t units = s->r->units;
  double v[4], more[4], d[4];
  for (int i = 0; i < 4; i++) {
    v[i] = gi_sequence_get(s, GI_RECURRENT_GATES, i * units + j);
    more[i] = gi_sequence_get(s, GI_RECURRENT_DGATES, i * units + j);
  }
  const double before = gi_sequence_before(s, GI_RECURRENT_CELLS, GI_RECURRENT_C0, j);
  const double squashed = tanh(gi_sequence_get(s, GI_RECURRENT_CELLS, j));
  d[3] = (s->hidden[j] * squashed + more[3]) * v[3] * (1 - v[3]);
  const double dc = s->cell[j] + s->hidden[j] * v[3] * (1 - squashed * squashed) +
                    gi_sequence_get(s, GI_RECURRENT_DCELLS, j) + d[3] * peep(s, 2, j);
  d[0] = (dc * v[2] + more[0]) * v[0] * (1 - v[0]);
  d[1] = (dc * before + more[1]) * v[1] * (1 - v[1]);
  d[2] = (dc * v[0] + more[2]) * (1 - v[2] * v[2]);
  s->cell[j] = dc * v[1] + d[0] * peep(s, 0, j) + d[1] * peep(s, 1, j);
  for (int i = 0; i < 4; i++) {
    s->sums[i * units + j] = d[i];
    gi_sequence_put(s, GI_RECURRENT_DX, i * units + j, d[i]);
  }
}

static void backward(gi_sequence *s) {
  const gi_recurrence *r = s->r;
  const gi_buf *projection = gi_input_of(s, GI_RECURRENT_PROJECTION);
  for (int64_t j = 0; j < r->state && projection != NULL; j++)
    gi_sequence_put(s, GI_RECURRENT_DH_ALL, j, s->h[j]);
  for (int64_t j = 0; j < r->units; j++) s->hidden[j] = projection != NULL ? 0 : s->h[j];
  if (projection != NULL) gi_add_product(projection, true, s->h, s->hidden);
  for (int64_t j = 0; j < r->units; j++) backward_unit(s, j);
  memset(s->h, 0, (size_t)r->state * sizeof *s->h);
}

static glia_status ref(gi_ref *c) { return gi_each_step(c, &gi_op_lstm, forward); }
static glia_status ref_grad(gi_ref *c) { return gi_each_step(c, &gi_op_lstm_grad, backward); }

static gi_cost cost(const gi_infer *c) { return gi_recurrence_cost(&gi_op_lstm, c); }
static gi_cost cost_grad(const gi_infer *c) { return gi_recurrence_cost(&gi_op_lstm_grad, c); }

/* ---- samples and rows -------------------------------------------------------------------- */

static const gi_recurrent_attr
    plain = {0},
    back = {.reverse = true}, padded = {.lengths = true},
    padded_back = {.lengths = true, .reverse = true},
    peeps = {.peepholes = true, .reverse = true}, projected = {.projection = true},
    every = {.lengths = true, .peepholes = true, .projection = true, .reverse = true},
    saved = {.saved = true},
    saved_every = {.lengths = true, .peepholes = true, .projection = true, .saved = true};
#define X    -1, 1, GLIA_F32
#define G    0, 1, GLIA_F32
#define L(t) 0, (t) + 1, GLIA_I64
/* x, U, h0, c0 of t steps, n sequences, h units, p numbers of state; and for the gradient U,
 * c0, gates, cells, dy, dh, dc */
#define MATRIX(rows, columns) \
  { 2, {rows, columns}, X }
#define STEPS(t, n, columns) \
  { 3, {t, n, columns}, X }
#define FORWARD(t, n, h, p) STEPS(t, n, 4 * (h)), MATRIX(4 * (h), p), MATRIX(n, p), MATRIX(n, h)
#define BACKWARD(t, n, h, p)                                                                 \
  MATRIX(4 * (h), p), MATRIX(n, h), {3, {t, n, 4 * (h)}, G}, STEPS(t, n, h), STEPS(t, n, p), \
      MATRIX(n, p), MATRIX(n, h)
#define WEIGHTS(h, p) MATRIX(3, h), MATRIX(p, h) /* peepholes, projection */
static const gi_sample samples[] = {
    {&plain, 4, {FORWARD(2, 2, 2, 2)}, GLIA_OK},
    {&plain, 4, {FORWARD(5, 3, 7, 7)}, GLIA_OK},
    {&back, 4, {FORWARD(4, 1, 9, 9)}, GLIA_OK},
    {&plain,
     4,
     {{3, {3, 8, 160}, X},
      {2, {160, 40}, -0.3, 0.3, GLIA_F32},
      {2, {8, 40}, X},
      {2, {8, 40}, X}},
     GLIA_OK},
    {&padded, 5, {FORWARD(4, 6, 3, 3), {1, {6}, L(4)}}, GLIA_OK},
    {&padded_back, 5, {FORWARD(4, 6, 3, 3), {1, {6}, 0, 5, GLIA_I32}}, GLIA_OK},
    {&peeps, 5, {FORWARD(3, 2, 5, 5), {2, {3, 5}, X}}, GLIA_OK},
    {&projected, 5, {FORWARD(3, 2, 5, 3), {2, {3, 5}, X}}, GLIA_OK},
    {&every, 7, {FORWARD(3, 5, 5, 3), {1, {5}, L(3)}, WEIGHTS(5, 3)}, GLIA_OK},
    {&plain, 4, {FORWARD(2, 0, 3, 3)}, GLIA_OK}, /* no sequence */
    {&plain, 4, {FORWARD(0, 2, 3, 3)}, GLIA_SHAPE},
    {&plain,
     4,
     {{3, {2, 2, 6}, X}, {2, {8, 2}, X}, {2, {2, 2}, X}, {2, {2, 2}, X}},
     GLIA_SHAPE},
    {&plain,
     4,
     {{3, {2, 2, 8}, X}, {2, {8, 2}, X}, {2, {2, 2}, X}, {2, {2, 3}, X}},
     GLIA_SHAPE},
    {&plain, 4, {FORWARD(2, 2, 2, 3)}, GLIA_SHAPE}, /* no projection */
    {&peeps, 5, {FORWARD(2, 2, 2, 2), {2, {4, 2}, X}}, GLIA_SHAPE},
    {&projected, 5, {FORWARD(2, 2, 2, 2), {2, {3, 2}, X}}, GLIA_SHAPE},
    {&padded, 5, {FORWARD(2, 2, 2, 2), {1, {2}, X}}, GLIA_DTYPE},
    {&padded, 4, {FORWARD(2, 2, 2, 2)}, GLIA_INVALID},
};
static const gi_sample samples_grad[] = {
    {&saved, 9, {BACKWARD(2, 2, 2, 2), {3, {2, 2, 8}, X}, {3, {2, 2, 2}, X}}, GLIA_OK},
    {&plain, 7, {BACKWARD(5, 3, 7, 7)}, GLIA_OK},
    {&back, 7, {BACKWARD(4, 1, 9, 9)}, GLIA_OK},
    {&plain,
     7,
     {{2, {160, 40}, -0.3, 0.3, GLIA_F32},
      {2, {8, 40}, X},
      {3, {3, 8, 160}, G},
      {3, {3, 8, 40}, X},
      {3, {3, 8, 40}, X},
      {2, {8, 40}, X},
      {2, {8, 40}, X}},
     GLIA_OK},
    {&padded, 8, {BACKWARD(4, 6, 3, 3), {1, {6}, L(4)}}, GLIA_OK},
    {&padded_back, 8, {BACKWARD(4, 6, 3, 3), {1, {6}, L(4)}}, GLIA_OK},
    {&peeps, 8, {BACKWARD(3, 2, 5, 5), {2, {3, 5}, X}}, GLIA_OK},
    {&projected, 8, {BACKWARD(3, 2, 5, 3), {2, {3, 5}, X}}, GLIA_OK},
    {&every, 10, {BACKWARD(3, 5, 5, 3), {1, {5}, L(3)}, WEIGHTS(5, 3)}, GLIA_OK},
    {&saved_every,
     12,
     {BACKWARD(3, 5, 5, 3),
      {1, {5}, L(3)},
      WEIGHTS(5, 3),
      {3, {3, 5, 20}, X},
      {3, {3, 5, 5}, X}},
     GLIA_OK},
    {&plain,
     7,
     {{2, {8, 2}, X},
      {2, {2, 2}, X},
      {3, {2, 2, 6}, G}, /* gates: three of four */
      {3, {2, 2, 2}, X},
      {3, {2, 2, 2}, X},
      {2, {2, 2}, X},
      {2, {2, 2}, X}},
     GLIA_SHAPE},
};
#undef MATRIX
#undef STEPS
#undef FORWARD
#undef BACKWARD
#undef WEIGHTS
#undef X
#undef G
#undef L

static const gi_attr fields[] = {
    GI_RECURRENT_FIELDS,
    {"peepholes", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, peepholes),
     "an input weighs the cell in the gates i, f, o"},
    {"projection", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, projection),
     "an input makes the state of the units"},
    GI_RECURRENT_SAVED,
    {NULL, GI_ATTR_BOOL, 0, NULL},
};

const gi_op gi_op_lstm = {
    .name = "lstm",
    .doc = "long short-term memory over all time steps",
    .paper = "doi:10.1162/neco.1997.9.8.1735",
    .min_in = 4,
    .max_in = 7,
    .n_out = 5,
    .over_in = 1 << 0, /* gates over x: a step's are written when its x was read */
    .attr_size = sizeof(gi_recurrent_attr),
    .attrs = fields,
    .infer = infer,
    .vjp = vjp,
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op gi_op_lstm_grad = {
    .name = "lstm_grad",
    .doc = "gradient of lstm: dx, dh0, dc0 and, with a projection, of each state",
    .paper = "doi:10.1162/neco.1997.9.8.1735",
    .min_in = 7,
    .max_in = 12,
    .n_out = 4,
    .over_in = 1 << 2, /* dx over gates */
    .attr_size = sizeof(gi_recurrent_attr),
    .attrs = fields,
    .infer = infer_grad,
    .lower = lower_grad,
    .ref = ref_grad,
    .cost = cost_grad,
    .samples = samples_grad,
    .n_samples = GI_COUNT(samples_grad),
};

const gi_op *const gi_ops_lstm[] = {&gi_op_lstm, &gi_op_lstm_grad, NULL};

/* ---- builder ----------------------------------------------------------------------------- */

glia_value glia_lstm_with(glia_value x, glia_value weight, glia_value h0, glia_value c0,
                          const glia_recurrence_opts *opt, glia_value *last_h,
                          glia_value *last_c) {
  return gi_recurrence_emit(&gi_op_lstm, opt, x, weight, h0, c0, last_h, last_c);
}
