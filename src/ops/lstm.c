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

/* ---- shapes ------------------------------------------------------------------------------ */

enum { GATES, Y, LAST_H, LAST_C, CELLS, OUTPUTS }; /* of lstm */
enum { DX, DH0, DC0, DH };                         /* of lstm_grad */

static glia_status infer(gi_infer *c) {
  gi_recurrence r;
  GI_TRY(gi_recurrence_check(c, &gi_op_lstm, &r));
  const glia_dtype dtype = c->in[0].dtype;
  c->out[GATES] = gi_recurrence_type(&r, dtype, true, 4 * r.units);
  c->out[Y] = gi_recurrence_type(&r, dtype, true, r.state);
  c->out[LAST_H] = gi_recurrence_type(&r, dtype, false, r.state);
  c->out[LAST_C] = gi_recurrence_type(&r, dtype, false, r.units);
  c->out[CELLS] = gi_recurrence_type(&r, dtype, true, r.units);
  return GLIA_OK;
}

static glia_status infer_grad(gi_infer *c) {
  gi_recurrence r;
  GI_TRY(gi_recurrence_check(c, &gi_op_lstm_grad, &r));
  const glia_dtype dtype = c->in[0].dtype;
  c->out[DX] = gi_recurrence_type(&r, dtype, true, 4 * r.units);
  c->out[DH0] = gi_recurrence_type(&r, dtype, false, r.state);
  c->out[DC0] = gi_recurrence_type(&r, dtype, false, r.units);
  c->out[DH] = gi_recurrence_type(&r, dtype, true, r.state);
  c->n_out = gi_has(&r, GI_RECURRENT_PROJECTION) ? 4 : 3;
  return GLIA_OK;
}

/* ---- gradients --------------------------------------------------------------------------- */

static glia_value input(const gi_vjp *c, const gi_recurrence *r, gi_recurrent_input i) {
  return gi_has(r, i) ? c->in[r->at[i]] : GLIA_NONE;
}

static bool wanted(const gi_vjp *c, const gi_recurrence *r, gi_recurrent_input i) {
  return gi_has(r, i) && c->need[r->at[i]];
}

static glia_value gate(glia_value all, const gi_recurrence *r, int i) {
  return gi_recurrent_columns(all, i * r->units, r->units);
}

/* What reaches output k, or zeros. */
static glia_value reaching(const gi_vjp *c, int k) {
  const gi_type t = gi_value_type(c->out[k]);
  return gi_recurrent_or_zeros(c->dout[k], c->in[0], &t);
}

static void emit_grad(const gi_vjp *c, const gi_recurrence *r, glia_value *grads) {
  gi_recurrent_attr a = *(const gi_recurrent_attr *)c->attr;
  a.saved = !gi_null(c->dout[GATES]) || !gi_null(c->dout[CELLS]);
  glia_value in[GI_RECURRENT_INPUTS] = {c->in[1],           c->in[3],       c->out[GATES],
                                        c->out[CELLS],      reaching(c, Y), reaching(c, LAST_H),
                                        reaching(c, LAST_C)};
  int n = 7;
  for (gi_recurrent_input i = GI_RECURRENT_LENGTHS; i <= GI_RECURRENT_PROJECTION; i++)
    if (gi_has(r, i)) in[n++] = input(c, r, i);
  if (a.saved) in[n++] = reaching(c, GATES);
  if (a.saved) in[n++] = reaching(c, CELLS);
  gi_emit(c->g, &gi_op_lstm_grad, &a, in, n, grads);
}

/* da_i c[t - 1], da_f c[t - 1], da_o c[t], added up over steps and sequences. */
static glia_value peephole_grad(const gi_vjp *c, const gi_recurrence *r, glia_value dx) {
  const glia_value before =
      gi_recurrent_before(r, c->out[CELLS], c->in[3], input(c, r, GI_RECURRENT_LENGTHS));
  glia_value parts[3];
  for (int i = 0; i < 3; i++) {
    const glia_value cell = i < 2 ? before : c->out[CELLS], d = gate(dx, r, i < 2 ? i : 3);
    parts[i] = glia_reshape(glia_sum(glia_mul(d, cell), .n = 2, .axes = {0, 1}), 2,
                            (const int64_t[]){1, r->units});
  }
  return glia_concat(parts, 3, 0);
}

static glia_status vjp(gi_vjp *c) {
  gi_recurrence r = gi_recurrence_of(&gi_op_lstm, c->attr);
  const gi_type x = gi_value_type(c->in[0]), u = gi_value_type(c->in[1]);
  gi_recurrence_size(&r, &x, &u);
  glia_value grads[4];
  emit_grad(c, &r, grads);
  c->din[0] = grads[DX];
  c->din[2] = grads[DH0];
  c->din[3] = grads[DC0];
  if (c->need[1])
    c->din[1] = gi_recurrent_weight_grad(
        grads[DX],
        gi_recurrent_before(&r, c->out[Y], c->in[2], input(c, &r, GI_RECURRENT_LENGTHS)));
  if (wanted(c, &r, GI_RECURRENT_PEEPHOLES))
    c->din[r.at[GI_RECURRENT_PEEPHOLES]] = peephole_grad(c, &r, grads[DX]);
  if (wanted(c, &r, GI_RECURRENT_PROJECTION))
    c->din[r.at[GI_RECURRENT_PROJECTION]] = gi_recurrent_weight_grad(
        grads[DH], glia_mul(gate(c->out[GATES], &r, 3), glia_tanh(c->out[CELLS])));
  return GLIA_OK;
}

/* slope of the logistic function, from its value */
static glia_value rise(glia_value v) {
  return glia_mul(v, glia_sub(glia_scalar_like(v, 1), v));
}
static glia_value slope_of_tanh(glia_value v) {
  return glia_sub(glia_scalar_like(v, 1), glia_square(v));
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
    v[i] = gate(gates, r, i);
    more[i] = saved ? gate(gi_recurrent_at(s, GI_RECURRENT_DGATES), r, i)
                    : glia_scalar_like(gates, 0);
  }
  if (gi_has(r, GI_RECURRENT_PROJECTION))
    dhidden = glia_matmul(dhidden, s->in[r->at[GI_RECURRENT_PROJECTION]]);
  d[3] = glia_mul(glia_add(glia_mul(dhidden, squashed), more[3]), rise(v[3]));
  dc = glia_add(dc, glia_mul(glia_mul(dhidden, v[3]), slope_of_tanh(squashed)));
  if (saved) dc = glia_add(dc, gi_recurrent_at(s, GI_RECURRENT_DCELLS));
  if (peeps) dc = glia_add(dc, glia_mul(d[3], peephole(s, 2)));
  d[0] = glia_mul(glia_add(glia_mul(dc, v[2]), more[0]), rise(v[0]));
  d[1] = glia_mul(glia_add(glia_mul(dc, before), more[1]), rise(v[1]));
  d[2] = glia_mul(glia_add(glia_mul(dc, v[0]), more[2]), slope_of_tanh(v[2]));
  s->dc = glia_mul(dc, v[1]);
  for (int i = 0; i < 2 && peeps; i++) s->dc = glia_add(s->dc, glia_mul(d[i], peephole(s, i)));
  s->dx = glia_concat(d, 4, 1);
}

static glia_status lower_grad(gi_lower *c) {
  gi_recurrence r = gi_recurrence_of(&gi_op_lstm_grad, c->attr);
  const gi_type dy = gi_value_type(c->in[gi_steps_input(&r)]), u = gi_value_type(c->in[0]);
  gi_back back = {.dc = c->in[r.at[GI_RECURRENT_DC]]};
  gi_recurrence_size(&r, &dy, &u);
  GI_TRY(gi_recurrent_unroll(&r, c, lower_step, &back));
  c->out[DX] = back.dx;
  c->out[DH0] = back.dh0;
  c->out[DC0] = back.dc;
  if (gi_has(&r, GI_RECURRENT_PROJECTION)) c->out[DH] = back.dh_all;
  return GLIA_OK;
}

/* ---- reference --------------------------------------------------------------------------- */

static double peep(const gi_sequence *s, int i, int64_t j) {
  const gi_buf *b = gi_input_of(s, GI_RECURRENT_PEEPHOLES);
  return b != NULL ? gi_get(b, i * s->r->units + j) : 0;
}

static void forward_unit(gi_sequence *s, int64_t t, int64_t j) {
  const int64_t units = s->r->units;
  double a[4];
  for (int i = 0; i < 4; i++)
    a[i] = s->sums[i * units + j] + gi_sequence_get(s, GI_RECURRENT_X, t, i * units + j);
  const double before = s->c_state[j];
  const double in = gi_logistic(a[0] + peep(s, 0, j) * before);
  const double forget = gi_logistic(a[1] + peep(s, 1, j) * before), g = tanh(a[2]);
  const double cell = forget * before + in * g;
  const double out = gi_logistic(a[3] + peep(s, 2, j) * cell), v[] = {in, forget, g, out};
  for (int i = 0; i < 4; i++) gi_sequence_put(s, GATES, t, i * units + j, v[i]);
  gi_sequence_put(s, CELLS, t, j, cell);
  s->c_state[j] = cell;
  s->hidden[j] = out * tanh(cell);
}

static void forward(gi_sequence *s) {
  const gi_recurrence *r = s->r;
  const gi_buf *projection = gi_input_of(s, GI_RECURRENT_PROJECTION);
  gi_sequence_load(s, GI_RECURRENT_H0, r->state, s->h);
  gi_sequence_load(s, GI_RECURRENT_C0, r->units, s->c_state);
  for (int64_t k = 0; k < r->steps; k++) {
    const int64_t t = gi_step(r, k);
    if (t >= s->length) {
      gi_sequence_clear(s, GATES, t);
      gi_sequence_clear(s, Y, t);
      gi_sequence_clear(s, CELLS, t);
      continue;
    }
    memset(s->sums, 0, (size_t)(4 * r->units) * sizeof *s->sums);
    gi_add_product(gi_input_of(s, GI_RECURRENT_U), false, s->h, s->sums);
    for (int64_t j = 0; j < r->units; j++) forward_unit(s, t, j);
    memset(s->h, 0, (size_t)r->state * sizeof *s->h);
    if (projection != NULL) gi_add_product(projection, false, s->hidden, s->h);
    for (int64_t j = 0; j < r->state; j++) {
      if (projection == NULL) s->h[j] = s->hidden[j];
      gi_sequence_put(s, Y, t, j, s->h[j]);
    }
  }
  for (int64_t j = 0; j < r->state; j++) gi_sequence_put(s, LAST_H, 0, j, s->h[j]);
  for (int64_t j = 0; j < r->units; j++) gi_sequence_put(s, LAST_C, 0, j, s->c_state[j]);
}

/* Unit j of step t, what reaches it in s->hidden; `first`: the cell before it is c0. */
static void backward_unit(gi_sequence *s, int64_t t, int64_t j, bool first) {
  const int64_t units = s->r->units, earlier = s->r->reverse ? t + 1 : t - 1;
  double v[4], more[4], d[4];
  for (int i = 0; i < 4; i++) {
    v[i] = gi_sequence_get(s, GI_RECURRENT_GATES, t, i * units + j);
    more[i] = gi_sequence_get(s, GI_RECURRENT_DGATES, t, i * units + j);
  }
  const double before = first ? gi_sequence_get(s, GI_RECURRENT_C0, 0, j)
                              : gi_sequence_get(s, GI_RECURRENT_CELLS, earlier, j);
  const double squashed = tanh(gi_sequence_get(s, GI_RECURRENT_CELLS, t, j));
  d[3] = (s->hidden[j] * squashed + more[3]) * v[3] * (1 - v[3]);
  const double dc = s->c_state[j] + s->hidden[j] * v[3] * (1 - squashed * squashed) +
                    gi_sequence_get(s, GI_RECURRENT_DCELLS, t, j) + d[3] * peep(s, 2, j);
  d[0] = (dc * v[2] + more[0]) * v[0] * (1 - v[0]);
  d[1] = (dc * before + more[1]) * v[1] * (1 - v[1]);
  d[2] = (dc * v[0] + more[2]) * (1 - v[2] * v[2]);
  s->c_state[j] = dc * v[1] + d[0] * peep(s, 0, j) + d[1] * peep(s, 1, j);
  for (int i = 0; i < 4; i++) {
    s->sums[i * units + j] = d[i];
    gi_sequence_put(s, DX, t, i * units + j, d[i]);
  }
}

static void backward(gi_sequence *s) {
  const gi_recurrence *r = s->r;
  const gi_buf *projection = gi_input_of(s, GI_RECURRENT_PROJECTION);
  gi_sequence_load(s, GI_RECURRENT_DH, r->state, s->h);
  gi_sequence_load(s, GI_RECURRENT_DC, r->units, s->c_state);
  for (int64_t k = r->steps - 1; k >= 0; k--) {
    const int64_t t = gi_step(r, k);
    if (t >= s->length) {
      gi_sequence_clear(s, DX, t);
      if (projection != NULL) gi_sequence_clear(s, DH, t);
      continue;
    }
    for (int64_t j = 0; j < r->state; j++) {
      s->h[j] += gi_sequence_get(s, GI_RECURRENT_DY, t, j);
      if (projection != NULL) gi_sequence_put(s, DH, t, j, s->h[j]);
    }
    memset(s->hidden, 0, (size_t)r->units * sizeof *s->hidden);
    if (projection != NULL) gi_add_product(projection, true, s->h, s->hidden);
    for (int64_t j = 0; j < r->units && projection == NULL; j++) s->hidden[j] = s->h[j];
    const bool first = k == 0 || (r->reverse && t + 1 >= s->length);
    for (int64_t j = 0; j < r->units; j++) backward_unit(s, t, j, first);
    memset(s->h, 0, (size_t)r->state * sizeof *s->h);
    gi_add_product(gi_input_of(s, GI_RECURRENT_U), true, s->sums, s->h);
  }
  for (int64_t j = 0; j < r->state; j++) gi_sequence_put(s, DH0, 0, j, s->h[j]);
  for (int64_t j = 0; j < r->units; j++) gi_sequence_put(s, DC0, 0, j, s->c_state[j]);
}

static glia_status ref(gi_ref *c) { return gi_each_sequence(c, &gi_op_lstm, forward); }
static glia_status ref_grad(gi_ref *c) {
  return gi_each_sequence(c, &gi_op_lstm_grad, backward);
}

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
#define START(t, n, h) \
  {3, {t, n, 4 * (h)}, X}, {2, {4 * (h), h}, X}, {2, {n, h}, X}, { 2, {n, h}, X }
static const gi_sample samples[] = {
    {&plain, 4, {START(2, 2, 2)}, GLIA_OK},
    {&plain, 4, {START(5, 3, 7)}, GLIA_OK},
    {&back, 4, {START(4, 1, 9)}, GLIA_OK},
    {&plain,
     4,
     {{3, {3, 8, 160}, X},
      {2, {160, 40}, -0.3, 0.3, GLIA_F32},
      {2, {8, 40}, X},
      {2, {8, 40}, X}},
     GLIA_OK},
    {&padded, 5, {START(4, 6, 3), {1, {6}, L(4)}}, GLIA_OK},
    {&padded_back, 5, {START(4, 6, 3), {1, {6}, 0, 5, GLIA_I32}}, GLIA_OK},
    {&peeps, 5, {START(3, 2, 5), {2, {3, 5}, X}}, GLIA_OK},
    {&projected,
     5,
     {{3, {3, 2, 20}, X}, {2, {20, 3}, X}, {2, {2, 3}, X}, {2, {2, 5}, X}, {2, {3, 5}, X}},
     GLIA_OK},
    {&every,
     7,
     {{3, {3, 5, 20}, X},
      {2, {20, 3}, X},
      {2, {5, 3}, X},
      {2, {5, 5}, X},
      {1, {5}, L(3)},
      {2, {3, 5}, X},
      {2, {3, 5}, X}},
     GLIA_OK},
    {&plain, 4, {START(2, 0, 3)}, GLIA_OK}, /* no sequence */
    {&plain, 4, {START(0, 2, 3)}, GLIA_SHAPE},
    {&plain,
     4,
     {{3, {2, 2, 6}, X}, {2, {8, 2}, X}, {2, {2, 2}, X}, {2, {2, 2}, X}},
     GLIA_SHAPE},
    {&plain,
     4,
     {{3, {2, 2, 8}, X}, {2, {8, 2}, X}, {2, {2, 2}, X}, {2, {2, 3}, X}},
     GLIA_SHAPE},
    {&plain,
     4,
     {{3, {2, 2, 8}, X}, {2, {8, 3}, X}, {2, {2, 3}, X}, {2, {2, 2}, X}},
     GLIA_SHAPE},
    {&peeps, 5, {START(2, 2, 2), {2, {4, 2}, X}}, GLIA_SHAPE},
    {&projected, 5, {START(2, 2, 2), {2, {3, 2}, X}}, GLIA_SHAPE},
    {&padded, 5, {START(2, 2, 2), {1, {2}, X}}, GLIA_DTYPE},
    {&padded, 4, {START(2, 2, 2)}, GLIA_INVALID},
};
#undef START
#define START(t, n, h)                                                              \
  {2, {4 * (h), h}, X}, {2, {n, h}, X}, {3, {t, n, 4 * (h)}, G}, {3, {t, n, h}, X}, \
      {3, {t, n, h}, X}, {2, {n, h}, X}, {                                          \
    2, {n, h}, X                                                                    \
  }
static const gi_sample samples_grad[] = {
    {&saved, 9, {START(2, 2, 2), {3, {2, 2, 8}, X}, {3, {2, 2, 2}, X}}, GLIA_OK},
    {&plain, 7, {START(5, 3, 7)}, GLIA_OK},
    {&back, 7, {START(4, 1, 9)}, GLIA_OK},
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
    {&padded, 8, {START(4, 6, 3), {1, {6}, L(4)}}, GLIA_OK},
    {&padded_back, 8, {START(4, 6, 3), {1, {6}, L(4)}}, GLIA_OK},
    {&peeps, 8, {START(3, 2, 5), {2, {3, 5}, X}}, GLIA_OK},
    {&projected,
     8,
     {{2, {20, 3}, X},
      {2, {2, 5}, X},
      {3, {3, 2, 20}, G},
      {3, {3, 2, 5}, X},
      {3, {3, 2, 3}, X},
      {2, {2, 3}, X},
      {2, {2, 5}, X},
      {2, {3, 5}, X}},
     GLIA_OK},
    {&every,
     10,
     {{2, {20, 3}, X},
      {2, {5, 5}, X},
      {3, {3, 5, 20}, G},
      {3, {3, 5, 5}, X},
      {3, {3, 5, 3}, X},
      {2, {5, 3}, X},
      {2, {5, 5}, X},
      {1, {5}, L(3)},
      {2, {3, 5}, X},
      {2, {3, 5}, X}},
     GLIA_OK},
    {&saved_every,
     12,
     {{2, {20, 3}, X},
      {2, {5, 5}, X},
      {3, {3, 5, 20}, G},
      {3, {3, 5, 5}, X},
      {3, {3, 5, 3}, X},
      {2, {5, 3}, X},
      {2, {5, 5}, X},
      {1, {5}, L(3)},
      {2, {3, 5}, X},
      {2, {3, 5}, X},
      {3, {3, 5, 20}, X},
      {3, {3, 5, 5}, X}},
     GLIA_OK},
    {&plain,
     7,
     {{2, {8, 2}, X},
      {2, {2, 2}, X},
      {3, {2, 2, 6}, G},
      {3, {2, 2, 2}, X},
      {3, {2, 2, 2}, X},
      {2, {2, 2}, X},
      {2, {2, 2}, X}},
     GLIA_SHAPE},
};
#undef START
#undef X
#undef G
#undef L

static const gi_attr fields[] = {
    {"reverse", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, reverse), "begin at the end"},
    {"lengths", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, lengths),
     "an input tells the steps of each sequence that count"},
    {"peepholes", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, peepholes),
     "an input weighs the cell in the gates i, f, o"},
    {"projection", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, projection),
     "an input makes the state of the units"},
    {"saved", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, saved),
     "gradient: cotangents of gates and cells come in too"},
    {NULL, GI_ATTR_BOOL, 0, NULL},
};

const gi_op gi_op_lstm = {
    .name = "lstm",
    .doc = "long short-term memory over all time steps",
    .paper = "doi:10.1162/neco.1997.9.8.1735",
    .min_in = 4,
    .max_in = 7,
    .n_out = OUTPUTS,
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
  glia_recurrence_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_recurrent_attr a = {.reverse = o.reverse,
                               .lengths = !gi_null(o.lengths),
                               .peepholes = !gi_null(o.peepholes),
                               .projection = !gi_null(o.projection)};
  glia_value in[7] = {x, weight, h0, c0}, out[OUTPUTS];
  int n = 4;
  if (a.lengths) in[n++] = o.lengths;
  if (a.peepholes) in[n++] = o.peepholes;
  if (a.projection) in[n++] = o.projection;
  gi_emit(x.graph, &gi_op_lstm, &a, in, n, out);
  if (last_h != NULL) *last_h = out[LAST_H];
  if (last_c != NULL) *last_c = out[LAST_C];
  return out[Y];
}
