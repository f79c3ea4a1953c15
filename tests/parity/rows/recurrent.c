/* recurrent.c - PyTorch's RNN, GRU and LSTM, lengths as packed sequences. */
#include "parity/parity.h"

#include <stdio.h>

#include "glia/layers.h"
#include "nn/recurrent.h"

static glia_value given(void *user, const char *name, int rank, const int64_t *shape,
                        double bound) {
  (void)rank, (void)shape, (void)bound;
  return q_param(user, name);
}

/* The list as a constant; *longest receives the largest, 0 without a list. */
static glia_value lengths_of(question *q, int64_t *longest) {
  int64_t at[64] = {0};
  const int n = q_count(q, "lengths");
  const int64_t shape[] = {n};
  *longest = 0;
  if (n == 0) return GLIA_NONE;
  if (n > GI_COUNT(at)) {
    q_cannot(q, "has too many lengths");
    return GLIA_NONE;
  }
  q_ints(q, "lengths", n, at);
  for (int i = 0; i < n; i++) *longest = at[i] > *longest ? at[i] : *longest;
  return glia_constant(q_graph(q), GLIA_I64, 1, shape, at);
}

/* One sequence without a batch axis gets one, of size 1, and loses it again. */
static glia_value with_axis(glia_value v, int axis, bool on) {
  if (v.graph == NULL) return v;
  int64_t shape[GLIA_MAX_RANK];
  int rank = 0;
  for (int d = 0; d < glia_value_rank(v); d++) {
    if (on && d == axis) shape[rank++] = 1;
    if (on || d != axis) shape[rank++] = glia_value_dim(v, d);
  }
  if (on && axis == glia_value_rank(v)) shape[rank++] = 1;
  return glia_reshape(v, rank, shape);
}

static void answer(question *q, gi_recurrent_kind kind) {
  glia_value x = q_input(q, 0), h = GLIA_NONE, c = GLIA_NONE;
  const bool single = glia_value_rank(x) == 2;
  int64_t longest = 0;
  glia_recurrent_opts o = {.size = sizeof o,
                           .units = q_int(q, "hidden_size", 0),
                           .layers = q_int(q, "num_layers", 1),
                           .bidirectional = q_bool(q, "bidirectional", false),
                           .batch_first = q_bool(q, "batch_first", false) && !single,
                           .no_bias = !q_bool(q, "bias", true),
                           .activation = q_str(q, "nonlinearity", "tanh"),
                           .projection = q_int(q, "proj_size", 0),
                           .reset_before = q_bool(q, "reset_before", false), /* ours */
                           .lengths = lengths_of(q, &longest),
                           .h0 = q_input(q, 1),
                           .final_h = &h};
  if (kind == GI_LSTM) o.c0 = q_input(q, 2), o.final_c = &c;
  if (single) {
    x = with_axis(x, 1, true);
    o.h0 = with_axis(o.h0, 1, true);
    o.c0 = with_axis(o.c0, 1, true);
  }
  const gi_recurrent_weights weights = {NULL, given, q};
  glia_value y = gi_recurrent_stack(kind, &weights, x, &o);
  if (longest > 0) y = glia_slice(y, o.batch_first ? 1 : 0, 0, longest, 1);
  q_output(q, 0, single ? with_axis(y, 1, false) : y);
  q_output(q, 1, single ? with_axis(h, 1, false) : h);
  if (kind == GI_LSTM) q_output(q, 2, single ? with_axis(c, 1, false) : c);
}

static void rnn(question *q) { answer(q, GI_RNN); }
static void gru(question *q) { answer(q, GI_GRU); }
static void lstm(question *q) { answer(q, GI_LSTM); }

/* One step, by the layer itself: x, h(, c) -> h(, c). */
static void cell(question *q) {
  glia_scope *s = q_scope(q);
  glia_value c = GLIA_NONE;
  const bool lstm = strcmp(q_op(q), "LSTMCell") == 0;
  const glia_cell_opts o = {.size = sizeof o,
                            .units = q_int(q, "hidden_size", 0),
                            .no_bias = !q_bool(q, "bias", true),
                            .activation = q_str(q, "nonlinearity", "tanh"),
                            .h = q_input(q, 1),
                            .c = lstm ? q_input(q, 2) : GLIA_NONE,
                            .next_c = lstm ? &c : NULL};
  const char *name = q_around(q, "weight_ih");
  const glia_value x = q_input(q, 0);
  q_output(q, 0,
           lstm                              ? glia_lstm_cell_opt(s, name, x, &o)
           : strcmp(q_op(q), "GRUCell") == 0 ? glia_gru_cell_opt(s, name, x, &o)
                                             : glia_rnn_cell_opt(s, name, x, &o));
  if (lstm) q_output(q, 1, c);
}

static const parity_row rows[] = {
    {.op = "RNN", .build = rnn},      {.op = "GRU", .build = gru},
    {.op = "LSTM", .build = lstm},    {.op = "RNNCell", .build = cell},
    {.op = "GRUCell", .build = cell}, {.op = "LSTMCell", .build = cell}};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_recurrent[] = {&all, NULL};
