/* recurrence.c - one direction of a recurrent layer (recurrence.h).
 *
 *   rnn   h = f(x + U h)
 *   gru   r = f(x_r + U_r h), z = f(x_z + U_z h), h = (1 - z) n + z h,
 *         n = g(x_n + U_n (r h)) or, reset_after, g(x_n + r (U_n h + b))
 *   lstm  i = f(x_i + U_i h + p_i c), f = f(x_f + U_f h + p_f c) or 1 - i, g = g(x_g + U_g h)
 *         c = f c + i g, o = f(x_o + U_o h + p_o c), h = o h(c)
 *
 * with activations f, g and h. glia's layers have sigmoid and tanh (rnn: tanh or relu) and no
 * clip.
 */
#include "formats/onnx/recurrence.h"

#include <strings.h>

#include "formats/onnx/values.h"

/* ---- activations ------------------------------------------------------------------------- */

typedef glia_value activation(glia_value v, double alpha, double beta);

static glia_value affine(glia_value v, double alpha, double beta) {
  return gi_onnx_plus(gi_onnx_times(v, alpha), beta);
}
static glia_value relu(glia_value v, double alpha, double beta) {
  (void)alpha, (void)beta;
  return glia_relu(v);
}
static glia_value hyperbolic(glia_value v, double alpha, double beta) {
  return gi_onnx_times(glia_tanh(gi_onnx_times(v, beta)), alpha);
}
static glia_value sigmoid(glia_value v, double alpha, double beta) {
  (void)alpha, (void)beta;
  return glia_sigmoid(v);
}
static glia_value leaky_relu(glia_value v, double alpha, double beta) {
  (void)beta;
  return glia_leaky_relu(v, alpha);
}
static glia_value thresholded_relu(glia_value v, double alpha, double beta) {
  (void)beta;
  return glia_threshold(v, alpha, 0);
}
static glia_value hard_sigmoid(glia_value v, double alpha, double beta) {
  return glia_clip(affine(v, alpha, beta), 0, 1);
}
static glia_value elu(glia_value v, double alpha, double beta) {
  (void)beta;
  return glia_elu(v, alpha);
}
static glia_value softsign(glia_value v, double alpha, double beta) {
  (void)alpha, (void)beta;
  return glia_softsign(v);
}
static glia_value softplus(glia_value v, double alpha, double beta) {
  (void)alpha, (void)beta;
  return glia_softplus(v);
}

enum { SIGMOID, TANH, RELU };
static const struct row {
  const char *name;
  activation *apply;
  bool has_alpha, has_beta; /* takes the next of the attribute's numbers */
  double alpha, beta;       /* where there are none */
} table[] = {
    [SIGMOID] = {"Sigmoid", sigmoid, false, false, 0, 0},
    [TANH] = {"Tanh", hyperbolic, false, false, 1, 1},
    [RELU] = {"Relu", relu, false, false, 0, 0},
    {"Affine", affine, true, true, 1, 0},
    {"LeakyRelu", leaky_relu, true, false, 0.01, 0},
    {"ThresholdedRelu", thresholded_relu, true, false, 1, 0},
    {"ScaledTanh", hyperbolic, true, true, 1, 1},
    {"HardSigmoid", hard_sigmoid, true, true, 0.2, 0.5},
    {"Elu", elu, true, false, 1, 0},
    {"Softsign", softsign, false, false, 0, 0},
    {"Softplus", softplus, false, false, 0, 0},
};

static glia_status find(const gi_onnx_call *c, const char *name, gi_onnx_activation *out) {
  for (int k = 0; k < GI_COUNT(table); k++)
    if (strcasecmp(name, table[k].name) == 0) {
      *out = (gi_onnx_activation){k, table[k].alpha, table[k].beta};
      return GLIA_OK;
    }
  return gi_onnx_fail(c, GLIA_UNSUPPORTED, "activation \"%s\" is not known", name);
}

static const int usual[][GI_ONNX_ACTIVATIONS] = {[GI_ONNX_RNN] = {TANH},
                                                 [GI_ONNX_GRU] = {SIGMOID, TANH},
                                                 [GI_ONNX_LSTM] = {SIGMOID, TANH, TANH}};

static int activations_of(gi_onnx_cell cell) { return 1 + (int)cell; }

glia_status gi_onnx_recurrence_activations(const gi_onnx_call *c, gi_onnx_recurrence *r,
                                           int direction, int *alpha_at, int *beta_at) {
  const gi_onnx_attr *names = gi_onnx_attr_of(c, "activations");
  const int each = activations_of(r->cell), first = direction * each;
  double alpha[2 * GI_ONNX_ACTIVATIONS], beta[2 * GI_ONNX_ACTIVATIONS];
  int alphas, betas;
  GI_TRY(gi_onnx_floats(c, "activation_alpha", alpha, GI_COUNT(alpha), &alphas));
  GI_TRY(gi_onnx_floats(c, "activation_beta", beta, GI_COUNT(beta), &betas));
  if (names != NULL && (names->type != GI_ONNX_ATTR_STRINGS || names->n < first + each))
    return gi_onnx_fail(c, GLIA_FORMAT, "activations are %d, wanted %d names a direction",
                        names->n, each);
  for (int k = 0; k < each; k++) {
    gi_onnx_activation *a = &r->activation[k];
    GI_TRY(
        find(c, names != NULL ? names->strings[first + k] : table[usual[r->cell][k]].name, a));
    if (table[a->kind].has_alpha && *alpha_at < alphas) a->alpha = alpha[(*alpha_at)++];
    if (table[a->kind].has_beta && *beta_at < betas) a->beta = beta[(*beta_at)++];
  }
  return GLIA_OK;
}

/* ---- fused ------------------------------------------------------------------------------- */

static bool is_fused(const gi_onnx_recurrence *r) {
  if (r->clip != 0 || r->coupled) return false;
  if (r->cell == GI_ONNX_RNN && r->activation[0].kind == RELU) return true;
  for (int k = 0; k < activations_of(r->cell); k++)
    if (r->activation[k].kind != usual[r->cell][k]) return false;
  return true;
}

static glia_value fused(gi_onnx_recurrence *r) {
  const glia_recurrence_opts o = {.size = sizeof o,
                                  .reverse = r->reverse,
                                  .activation = r->activation[0].kind == RELU ? "relu" : "tanh",
                                  .lengths = r->lengths,
                                  .bias = r->bias,
                                  .peepholes = r->peepholes,
                                  .reset_before = r->cell == GI_ONNX_GRU && !r->reset_after};
  glia_value h = GLIA_NONE, c = GLIA_NONE, y;
  if (r->cell == GI_ONNX_RNN)
    y = glia_rnn_with(r->x, r->weight, r->h, &o, &h);
  else if (r->cell == GI_ONNX_GRU)
    y = glia_gru_with(r->x, r->weight, r->h, &o, &h);
  else
    y = glia_lstm_with(r->x, r->weight, r->h, r->c, &o, &h, &c);
  r->h = h;
  r->c = c;
  return y;
}

/* ---- step by step ------------------------------------------------------------------------ */

/* The clip is of gates; what the cell shows (h of lstm) is not cut, as in ONNX Runtime. */
static glia_value activated(const gi_onnx_recurrence *r, int k, glia_value v) {
  const gi_onnx_activation *a = &r->activation[k];
  if (r->clip != 0 && k < 2) v = glia_clip(v, -r->clip, r->clip);
  return table[a->kind].apply(v, a->alpha, a->beta);
}

/* Of [N, gates H], those of gates from .. to - 1; of weights [gates H, H] likewise, along axis
 * 0. */
static glia_value gates(const gi_onnx_recurrence *r, glia_value v, int axis, int from, int to) {
  const int64_t h = glia_value_dim(r->weight, 1);
  return gi_onnx_part(v, axis, from * h, to * h);
}
static glia_value product(const gi_onnx_recurrence *r, glia_value h, int from, int to) {
  return glia_matmul(h, gates(r, r->weight, 0, from, to), .transpose_b = true);
}

static glia_value rnn_step(const gi_onnx_recurrence *r, glia_value x) {
  return activated(r, 0, glia_add(x, product(r, r->h, 0, 1)));
}

static glia_value gru_step(const gi_onnx_recurrence *r, glia_value x) {
  const glia_value both =
      activated(r, 0, glia_add(gates(r, x, 1, 0, 2), product(r, r->h, 0, 2)));
  const glia_value reset = gates(r, both, 1, 0, 1), z = gates(r, both, 1, 1, 2);
  glia_value inner;
  if (r->reset_after) {
    inner = product(r, r->h, 2, 3);
    if (!gi_null(r->bias)) inner = glia_add(inner, r->bias);
    inner = glia_mul(reset, inner);
  } else {
    inner = product(r, glia_mul(reset, r->h), 2, 3);
  }
  const glia_value n = activated(r, 1, glia_add(gates(r, x, 1, 2, 3), inner));
  return glia_add(n, glia_mul(z, glia_sub(r->h, n)));
}

static glia_value peeped(const gi_onnx_recurrence *r, glia_value v, int gate, glia_value cell) {
  if (gi_null(r->peepholes)) return v;
  return glia_add(v, glia_mul(gi_onnx_part(r->peepholes, 0, gate, gate + 1), cell));
}

static glia_value lstm_step(const gi_onnx_recurrence *r, glia_value x, glia_value *cell) {
  const glia_value a = glia_add(x, product(r, r->h, 0, 4));
  const glia_value i = activated(r, 0, peeped(r, gates(r, a, 1, 0, 1), 0, r->c));
  const glia_value forget = r->coupled
                                ? glia_sub(glia_scalar_like(i, 1), i)
                                : activated(r, 0, peeped(r, gates(r, a, 1, 1, 2), 1, r->c));
  const glia_value fresh = activated(r, 1, gates(r, a, 1, 2, 3));
  *cell = glia_add(glia_mul(forget, r->c), glia_mul(i, fresh));
  const glia_value o = activated(r, 0, peeped(r, gates(r, a, 1, 3, 4), 2, *cell));
  return glia_mul(o, activated(r, 2, *cell));
}

/* Step t: what it shows, [1, N, H]; the states move on where it counts. */
static glia_value step(gi_onnx_recurrence *r, int64_t t) {
  const int64_t n = glia_value_dim(r->x, 1), width = glia_value_dim(r->x, 2);
  const glia_value x =
      glia_reshape(glia_slice(r->x, 0, t, t + 1, 1), 2, (const int64_t[]){n, width});
  glia_value cell = r->c, h;
  if (r->cell == GI_ONNX_RNN)
    h = rnn_step(r, x);
  else if (r->cell == GI_ONNX_GRU)
    h = gru_step(r, x);
  else
    h = lstm_step(r, x, &cell);
  glia_value shown = h;
  if (!gi_null(r->lengths)) {
    const glia_value valid =
        glia_reshape(glia_less(glia_scalar_like(r->lengths, (double)t), r->lengths), 2,
                     (const int64_t[]){n, 1});
    shown = glia_where(valid, h, glia_scalar_like(h, 0));
    h = glia_where(valid, h, r->h);
    if (r->cell == GI_ONNX_LSTM) cell = glia_where(valid, cell, r->c);
  }
  r->h = h;
  r->c = cell;
  return gi_null(shown) ? shown
                        : glia_reshape(shown, 3, (const int64_t[]){1, n, glia_value_dim(h, 1)});
}

glia_status gi_onnx_recur(const gi_onnx_call *call, gi_onnx_recurrence *r, glia_value *y) {
  const int64_t steps = glia_value_dim(r->x, 0);
  if (is_fused(r)) {
    *y = fused(r);
    return GLIA_OK;
  }
  if (steps < 1 || steps > INT16_MAX)
    return gi_onnx_fail(call, GLIA_UNSUPPORTED, "%lld steps cannot be written out",
                        (long long)steps);
  glia_value *all = gi_alloc((size_t)steps * sizeof *all);
  if (all == NULL) return gi_fail_nomem((size_t)steps * sizeof *all);
  for (int64_t k = 0; k < steps && !gi_null(r->h); k++) {
    const int64_t t = r->reverse ? steps - 1 - k : k;
    all[t] = step(r, t);
  }
  *y = glia_concat(all, (int)steps, 0);
  gi_free(all);
  return GLIA_OK;
}
