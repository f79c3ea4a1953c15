/* recurrent.c - stacks of recurrent layers, as PyTorch's RNN, GRU and LSTM.
 *
 * A layer is, for each direction, one product of all time steps with weight_ih, and an op that
 * goes from step to step (ops/recurrent.h); the directions of a layer stand side by side in
 * what the next one reads. Weights have PyTorch's names, shapes, order of gates (lstm i, f, g,
 * o; gru r, z, n) and initial values, uniform in +-1/sqrt(units).
 */
#include "nn/recurrent.h"

#include <math.h>

enum { MOST_LAYERS = 64, NAME = 48 };

typedef struct stack {
  gi_recurrent_kind kind;
  const gi_recurrent_weights *weights;
  const glia_recurrent_opts *o;
  const char *who;
  glia_graph *g;
  int64_t layers, directions, units, state, gates, batch;
  double bound;
} stack;

/* ---- what is refused --------------------------------------------------------------------- */

static bool refused(const stack *k, glia_status s, const char *what, double is,
                    const char *wanted) {
  gi_latch(k->g, s, "%s: %s is %g, wanted %s", k->who, what, is, wanted);
  return false;
}

static bool state_fits(const stack *k, glia_value v, const char *what, int64_t width) {
  if (gi_null(v)) return true;
  const gi_type t = gi_value_type(v),
                want = {.rank = 3, .dim = {k->layers * k->directions, k->batch, width}};
  char tt[96], tw[96];
  if (gi_shape_equal(&t, &want)) return true;
  gi_latch(k->g, GLIA_SHAPE, "%s: %s is %s, wanted [layers directions, N, numbers] = %s",
           k->who, what, gi_shape_text(&t, tt, sizeof tt), gi_shape_text(&want, tw, sizeof tw));
  return false;
}

static bool options_fit(const stack *k, glia_value x) {
  const glia_recurrent_opts *o = k->o;
  char text[96];
  const gi_type t = gi_value_type(x);
  if (t.rank != 3) {
    gi_latch(k->g, GLIA_SHAPE, "%s: x is %s, wanted %s", k->who,
             gi_shape_text(&t, text, sizeof text),
             o->batch_first ? "[N, T, features]"
                            : "[T, N, features]; hint: batch_first is for [N, T, features]");
    return false;
  }
  if (o->units < 1) return refused(k, GLIA_INVALID, "units", (double)o->units, "1 or more");
  if (k->layers < 1 || k->layers > MOST_LAYERS)
    return refused(k, GLIA_INVALID, "layers", (double)o->layers, "1 to 64");
  if (o->projection < 0 || o->projection >= o->units)
    return refused(k, GLIA_INVALID, "projection", (double)o->projection,
                   "less than units (0: none)");
  if ((o->projection > 0 || o->peepholes) && k->kind != GI_LSTM) {
    gi_latch(k->g, GLIA_INVALID, "%s: projection and peepholes are for lstm", k->who);
    return false;
  }
  if (o->reset_before && k->kind != GI_GRU) {
    gi_latch(k->g, GLIA_INVALID, "%s: reset_before is for gru", k->who);
    return false;
  }
  if (!gi_null(o->c0) && k->kind != GI_LSTM) {
    gi_latch(k->g, GLIA_INVALID, "%s: c0 is for lstm", k->who);
    return false;
  }
  if (!(o->dropout >= 0 && o->dropout < 1))
    return refused(k, GLIA_INVALID, "dropout", o->dropout, "0 <= rate < 1");
  if (!(o->weight_dropout >= 0 && o->weight_dropout < 1))
    return refused(k, GLIA_INVALID, "weight_dropout", o->weight_dropout, "0 <= rate < 1");
  return state_fits(k, o->h0, "h0", k->state) && state_fits(k, o->c0, "c0", k->units);
}

/* ---- one direction of one layer ---------------------------------------------------------- */

typedef struct place { /* in the stack */
  int64_t layer;
  bool reverse;
} place;

static void name_of(char *name, const char *what, place at) {
  snprintf(name, NAME, "%s_l%d%s", what, (int)at.layer, at.reverse ? "_reverse" : "");
}

static glia_value weight(const stack *k, const char *what, place at, int64_t rows,
                         int64_t cols) {
  char name[NAME];
  const int64_t shape[] = {rows, cols};
  name_of(name, what, at);
  return k->weights->weight(k->weights->user, name, cols > 0 ? 2 : 1, shape, k->bound);
}

/* The recurrent weight, with DropConnect while training (arXiv:1708.02182): one mask a step of
 * training, the same at all time steps. */
static glia_value recurrent_weight(const stack *k, place at) {
  char name[NAME];
  const glia_value u = weight(k, "weight_hh", at, k->gates * k->units, k->state);
  if (k->weights->scope == NULL || k->o->weight_dropout == 0) return u;
  name_of(name, "weight_hh", at);
  return glia_dropout(k->weights->scope, name, u, k->o->weight_dropout);
}

/* The first state of a layer: its part of what was given, or zeros. */
static glia_value first_state(const stack *k, glia_value given, place at, int64_t width,
                              glia_value like) {
  const int64_t shape[] = {k->batch, width};
  const int64_t row = at.layer * k->directions + at.reverse;
  if (gi_null(given)) return glia_broadcast_to(glia_scalar_like(like, 0), 2, shape);
  return glia_reshape(glia_slice(given, 0, row, row + 1, 1), 2, shape);
}

/* What the product of all steps adds: both biases, but for the one that a gru keeps inside of
 * its reset gate's product, which goes to *inside. */
static glia_value biases(const stack *k, place at, glia_value *inside) {
  const int64_t n = k->gates * k->units;
  const glia_value in = weight(k, "bias_ih", at, n, 0);
  glia_value hidden = weight(k, "bias_hh", at, n, 0);
  if (k->kind == GI_GRU && !k->o->reset_before) {
    const int64_t none[] = {0}, more[] = {k->units};
    *inside = glia_slice(hidden, 0, 2 * k->units, n, 1);
    hidden = glia_pad(glia_slice(hidden, 0, 0, 2 * k->units, 1), none, more, 0);
  }
  return glia_add(in, hidden);
}

/* x [T, N, I] -> [T, N, gates units] */
static glia_value projected(const stack *k, place at, glia_value x, glia_value *inside) {
  const int64_t steps = glia_value_dim(x, 0), inputs = glia_value_dim(x, 2);
  const int64_t rows[] = {steps * k->batch, inputs},
                shape[] = {steps, k->batch, k->gates * k->units};
  const glia_value w = weight(k, "weight_ih", at, k->gates * k->units, inputs);
  glia_value y = glia_matmul(glia_reshape(x, 2, rows), w, .transpose_b = true);
  if (!k->o->no_bias) y = glia_add(y, biases(k, at, inside));
  return glia_reshape(y, 3, shape);
}

static glia_value direction(const stack *k, place at, glia_value x, glia_value *h,
                            glia_value *c) {
  const glia_recurrent_opts *o = k->o;
  glia_recurrence_opts op = {.size = sizeof op,
                             .reverse = at.reverse,
                             .activation = o->activation,
                             .lengths = o->lengths,
                             .reset_before = o->reset_before};
  const glia_value all = projected(k, at, x, &op.bias), u = recurrent_weight(k, at);
  const glia_value h0 = first_state(k, o->h0, at, k->state, x);
  if (k->kind == GI_RNN) return glia_rnn_with(all, u, h0, &op, h);
  if (k->kind == GI_GRU) return glia_gru_with(all, u, h0, &op, h);
  if (o->projection > 0) op.projection = weight(k, "weight_hr", at, k->state, k->units);
  if (o->peepholes) op.peepholes = weight(k, "weight_peephole", at, 3, k->units);
  return glia_lstm_with(all, u, h0, first_state(k, o->c0, at, k->units, x), &op, h, c);
}

/* ---- the stack --------------------------------------------------------------------------- */

/* Between layers; variational (arXiv:1512.05287): the same mask at all time steps. */
static glia_value dropped(const stack *k, glia_value x) {
  glia_scope *s = k->weights->scope;
  if (s == NULL || k->o->dropout == 0 || gi_null(x)) return x;
  if (!k->o->variational) return glia_dropout(s, "dropout", x, k->o->dropout);
  const int64_t shape[] = {1, k->batch, glia_value_dim(x, 2)};
  const glia_value ones = glia_broadcast_to(glia_scalar_like(x, 1), 3, shape);
  return glia_mul(x, glia_dropout(s, "dropout", ones, k->o->dropout));
}

/* [N, width] states of all layers and directions as [layers directions, N, width]. */
static void stacked(const stack *k, const glia_value *states, glia_value *out) {
  glia_value parts[2 * MOST_LAYERS];
  const int n = (int)(k->layers * k->directions);
  if (out == NULL) return;
  *out = GLIA_NONE;
  for (int i = 0; i < n; i++) {
    if (gi_null(states[i])) return;
    parts[i] = glia_reshape(states[i], 3,
                            (const int64_t[]){1, k->batch, glia_value_dim(states[i], 1)});
  }
  *out = glia_concat(parts, n, 0);
}

static glia_value run(const stack *k, glia_value x) {
  glia_value h[2 * MOST_LAYERS] = {{NULL, 0}}, c[2 * MOST_LAYERS] = {{NULL, 0}};
  glia_value y[2] = {GLIA_NONE, GLIA_NONE};
  for (int64_t layer = 0; layer < k->layers; layer++) {
    if (layer > 0) x = dropped(k, x);
    for (int64_t d = 0; d < k->directions && !gi_null(x); d++) {
      const int64_t i = layer * k->directions + d;
      y[d] = direction(k, (place){layer, d == 1}, x, &h[i], &c[i]);
    }
    if (gi_null(x) || gi_null(y[0])) return GLIA_NONE;
    x = k->directions == 2 ? glia_concat(y, 2, 2) : y[0];
  }
  stacked(k, h, k->o->final_h);
  if (k->kind == GI_LSTM) stacked(k, c, k->o->final_c);
  const glia_value *top = h + (k->layers - 1) * k->directions;
  if (k->o->last_only) return k->directions == 2 ? glia_concat(top, 2, 1) : top[0];
  return k->o->batch_first ? glia_transpose(x, 0, 1) : x;
}

glia_value gi_recurrent_stack(gi_recurrent_kind kind, const gi_recurrent_weights *weights,
                              glia_value x, const glia_recurrent_opts *o) {
  static const char *const names[] = {"rnn", "gru", "lstm"};
  if (gi_null(x)) return x;
  stack k = {.kind = kind, .weights = weights, .o = o, .who = names[kind], .g = x.graph};
  k.layers = o->layers != 0 ? o->layers : 1;
  k.directions = o->bidirectional ? 2 : 1;
  k.units = o->units;
  k.state = o->projection > 0 ? o->projection : o->units;
  k.gates = kind == GI_RNN ? 1 : kind == GI_GRU ? 3 : 4;
  k.batch = glia_value_dim(x, o->batch_first ? 0 : 1);
  k.bound = 1 / sqrt((double)GI_MAX(o->units, 1));
  if (!options_fit(&k, x)) return GLIA_NONE;
  return run(&k, o->batch_first ? glia_transpose(x, 0, 1) : x);
}
