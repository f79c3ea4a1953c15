/* recurrent.c - RNN, GRU and LSTM: one or two directions of gi_onnx_recurrence.
 *
 *   inputs   X [T, N, I], W [D, gates H, I], R [D, gates H, H], B [D, 2 gates H],
 *            sequence_lens [N], initial_h [D, N, H]; LSTM: initial_c [D, N, H], P [D, 3 H]
 *   outputs  Y [T, D, N, H], Y_h [D, N, H]; LSTM: Y_c [D, N, H]
 *
 * With layout 1 the batch comes first: X [N, T, I], Y [N, T, D, H], states [N, D, H]. B holds
 * the biases of W and then those of R. ONNX orders gates z r h and i o f c, peepholes i o f;
 * glia r z n, i f g o and i f o.
 */
#include "formats/onnx/recurrence.h"

#include "formats/onnx/values.h"

enum { X, W, R, B, LENGTHS, H0, C0, P };

typedef struct layer {
  gi_onnx_cell cell;
  int gates, directions;
  int64_t units;
  bool reverse, batch_first, reset_after;
  glia_value x, h0, c0; /* [T, N, I] wide, [D, N, H] or null */
} layer;

static const int order[][4] = {
    [GI_ONNX_RNN] = {0}, [GI_ONNX_GRU] = {1, 0, 2}, [GI_ONNX_LSTM] = {0, 2, 3, 1}};

/* ---- parts ------------------------------------------------------------------------------- */

/* Entry d of [D, ...] as [...]. */
static glia_value of_direction(glia_value v, int d) {
  if (gi_null(v)) return v;
  const int64_t *shape = glia_value_shape(v) + 1;
  return glia_reshape(gi_onnx_part(v, 0, d, d + 1), glia_value_rank(v) - 1, shape);
}

/* The n blocks of H entries of axis 0, `first` on, in another order. */
static glia_value blocks(glia_value v, int64_t units, int first, const int *by, int n) {
  glia_value part[4];
  if (gi_null(v)) return v;
  for (int k = 0; k < n; k++)
    part[k] = gi_onnx_part(v, 0, (first + by[k]) * units, (first + by[k] + 1) * units);
  return n == 1 ? part[0] : glia_concat(part, n, 0);
}

/* What is added to W x, both biases; but for that of the new state's product where the reset
 * gate comes after it. */
static glia_value outer_bias(const layer *l, glia_value bias, glia_value *inner) {
  const int *by = order[l->cell];
  const glia_value of_w = blocks(bias, l->units, 0, by, l->gates);
  const glia_value of_r = blocks(bias, l->units, l->gates, by, l->gates);
  *inner = GLIA_NONE;
  if (gi_null(bias) || !l->reset_after) return gi_null(bias) ? bias : glia_add(of_w, of_r);
  const int64_t two = 2 * l->units, all = 3 * l->units;
  *inner = gi_onnx_part(of_r, 0, two, all);
  const glia_value parts[] = {
      glia_add(gi_onnx_part(of_w, 0, 0, two), gi_onnx_part(of_r, 0, 0, two)),
      gi_onnx_part(of_w, 0, two, all)};
  return glia_concat(parts, 2, 0);
}

/* W x + b of all steps. */
static glia_value outer(const layer *l, glia_value weight, glia_value bias) {
  const int64_t *d = glia_value_shape(l->x), width = l->gates * l->units;
  const int64_t rows[] = {d[0] * d[1], d[2]}, steps[] = {d[0], d[1], width};
  glia_value a = glia_matmul(glia_reshape(l->x, 2, rows), weight, .transpose_b = true);
  if (!gi_null(bias)) a = glia_add(a, bias);
  return glia_reshape(a, 3, steps);
}

static glia_value state(const layer *l, glia_value given, int d) {
  if (!gi_null(given)) return of_direction(given, d);
  const int64_t shape[] = {glia_value_dim(l->x, 1), l->units};
  return gi_onnx_zeros(l->x, 2, shape);
}

/* ---- checks ------------------------------------------------------------------------------ */

static glia_status want(const gi_onnx_call *c, int i, const char *name, int rank,
                        const int64_t *shape) {
  if (!gi_onnx_given(c, i)) return GLIA_OK;
  bool fits = glia_value_rank(c->in[i]) == rank;
  for (int d = 0; d < rank && fits; d++) fits = glia_value_dim(c->in[i], d) == shape[d];
  if (fits) return GLIA_OK;
  return gi_onnx_fail(c, GLIA_SHAPE, "%s has another shape than X, R and direction ask for",
                      name);
}

static glia_status check(const gi_onnx_call *c, const layer *l) {
  const int64_t *x = glia_value_shape(l->x), d = l->directions, h = l->units, g = l->gates * h;
  const int64_t first = l->batch_first ? x[1] : d, second = l->batch_first ? d : x[1];
  int64_t hidden;
  GI_TRY(gi_onnx_int(c, "hidden_size", h, &hidden));
  if (hidden != h || h < 1)
    return gi_onnx_fail(c, GLIA_SHAPE, "hidden_size is %lld, R has %lld units",
                        (long long)hidden, (long long)h);
  GI_TRY(want(c, W, "W", 3, (const int64_t[]){d, g, x[2]}));
  GI_TRY(want(c, R, "R", 3, (const int64_t[]){d, g, h}));
  GI_TRY(want(c, B, "B", 2, (const int64_t[]){d, 2 * g}));
  GI_TRY(want(c, LENGTHS, "sequence_lens", 1, (const int64_t[]){x[1]}));
  GI_TRY(want(c, H0, "initial_h", 3, (const int64_t[]){first, second, h}));
  if (l->cell != GI_ONNX_LSTM) return GLIA_OK;
  GI_TRY(want(c, C0, "initial_c", 3, (const int64_t[]){first, second, h}));
  return want(c, P, "P", 2, (const int64_t[]){d, 3 * h});
}

static glia_status read(const gi_onnx_call *c, gi_onnx_cell cell, layer *l) {
  static const char *const words[] = {"forward", "reverse", "bidirectional", NULL};
  static const int gates[] = {1, 3, 4};
  const int batch_last[] = {1, 0, 2};
  int direction;
  *l = (layer){.cell = cell, .gates = gates[cell]};
  GI_TRY(gi_onnx_choice(c, "direction", "forward", words, &direction));
  GI_TRY(gi_onnx_bool(c, "layout", false, &l->batch_first));
  GI_TRY(gi_onnx_bool(c, "linear_before_reset", false, &l->reset_after));
  GI_TRY(gi_onnx_want_rank(c, X, 3, "three axes"));
  GI_TRY(gi_onnx_want_rank(c, R, 3, "[directions, gates H, H]"));
  l->reverse = direction == 1;
  l->directions = direction == 2 ? 2 : 1;
  l->units = glia_value_dim(c->in[R], 2);
  l->x = gi_onnx_as_float(c->in[X]);
  l->h0 = gi_onnx_float_in(c, H0);
  if (cell == GI_ONNX_LSTM) l->c0 = gi_onnx_float_in(c, C0);
  if (l->batch_first) {
    l->x = glia_permute(l->x, batch_last);
    if (!gi_null(l->h0)) l->h0 = glia_permute(l->h0, batch_last);
    if (!gi_null(l->c0)) l->c0 = glia_permute(l->c0, batch_last);
  }
  return check(c, l);
}

/* ---- all of it --------------------------------------------------------------------------- */

static glia_status direction(const gi_onnx_call *c, const layer *l, int d, int *alpha_at,
                             int *beta_at, gi_onnx_recurrence *r, glia_value *y) {
  static const int peephole_order[] = {0, 2, 1};
  const int *by = order[l->cell];
  *r = (gi_onnx_recurrence){.cell = l->cell,
                            .reverse = l->reverse || d == 1,
                            .reset_after = l->reset_after,
                            .h = state(l, l->h0, d)};
  GI_TRY(gi_onnx_float(c, "clip", 0, &r->clip));
  GI_TRY(gi_onnx_bool(c, "input_forget", false, &r->coupled));
  GI_TRY(gi_onnx_recurrence_activations(c, r, d, alpha_at, beta_at));
  const glia_value bias = outer_bias(l, of_direction(gi_onnx_float_in(c, B), d), &r->bias);
  r->x = outer(
      l, blocks(of_direction(gi_onnx_as_float(c->in[W]), d), l->units, 0, by, l->gates), bias);
  r->weight = blocks(of_direction(gi_onnx_as_float(c->in[R]), d), l->units, 0, by, l->gates);
  if (gi_onnx_given(c, LENGTHS)) r->lengths = c->in[LENGTHS];
  if (l->cell == GI_ONNX_LSTM) {
    const int64_t shape[] = {3, l->units};
    const glia_value p =
        blocks(of_direction(gi_onnx_float_in(c, P), d), l->units, 0, peephole_order, 3);
    r->c = state(l, l->c0, d);
    if (!gi_null(p)) r->peepholes = glia_reshape(p, 2, shape);
  }
  if (glia_graph_status(c->g) != GLIA_OK) return GLIA_OK;
  return gi_onnx_recur(c, r, y);
}

/* One or two directions side by side on a new axis. */
static glia_value together(const glia_value *v, int n, int axis) {
  glia_value part[2];
  for (int d = 0; d < n; d++) {
    if (gi_null(v[d])) return GLIA_NONE;
    const int rank = glia_value_rank(v[d]);
    int64_t shape[GLIA_MAX_RANK];
    for (int k = 0; k <= rank; k++)
      shape[k] = k == axis ? 1 : glia_value_dim(v[d], k < axis ? k : k - 1);
    part[d] = glia_reshape(v[d], rank + 1, shape);
  }
  return n == 1 ? part[0] : glia_concat(part, n, axis);
}

static glia_status build(gi_onnx_call *c, gi_onnx_cell cell) {
  const int first_batch[] = {2, 0, 1, 3}, batch_first[] = {1, 0, 2};
  glia_value y[2], last[2][2];
  gi_onnx_recurrence r;
  int alpha_at = 0, beta_at = 0;
  layer l;
  GI_TRY(read(c, cell, &l));
  for (int d = 0; d < l.directions; d++) {
    y[d] = GLIA_NONE;
    GI_TRY(direction(c, &l, d, &alpha_at, &beta_at, &r, &y[d]));
    last[0][d] = r.h;
    last[1][d] = r.c;
  }
  for (int k = 0; k < c->n_out; k++) {
    if (!gi_onnx_wanted(c, k)) continue;
    glia_value v =
        k == 0 ? together(y, l.directions, 1) : together(last[k - 1], l.directions, 0);
    if (l.batch_first) v = glia_permute(v, k == 0 ? first_batch : batch_first);
    c->out[k] = gi_onnx_like(v, c->in[X]);
  }
  return GLIA_OK;
}
static glia_status rnn(gi_onnx_call *c) { return build(c, GI_ONNX_RNN); }
static glia_status gru(gi_onnx_call *c) { return build(c, GI_ONNX_GRU); }
static glia_status lstm(gi_onnx_call *c) { return build(c, GI_ONNX_LSTM); }

/* ---- rows -------------------------------------------------------------------------------- */

#define ALL                                                                         \
  "activations activation_alpha activation_beta clip direction hidden_size layout " \
  "output_sequence"

const gi_onnx_operator *const gi_onnx_operators_recurrent[] = {
    GI_ONNX_ROW("RNN", ALL, 3, 6, 2, rnn, 1),
    GI_ONNX_ROW("GRU", ALL " linear_before_reset", 3, 6, 2, gru, 1),
    GI_ONNX_ROW("LSTM", ALL " input_forget", 3, 8, 3, lstm, 1),
    NULL,
};
