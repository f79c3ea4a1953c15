/* recurrent.c - rnn, gru and lstm as layers: a stack whose weights are parameters. */
#include "nn/layer.h"
#include "nn/recurrent.h"

static glia_value parameter(void *scope, const char *name, int rank, const int64_t *shape,
                            double bound) {
  const glia_init init = {.kind = GLIA_INIT_UNIFORM, .a = -bound, .b = bound};
  return glia_parameter(scope, name, rank, shape, init);
}

static glia_value build(gi_recurrent_kind kind, glia_scope *s, const char *name, glia_value x,
                        const glia_recurrent_opts *opt) {
  glia_recurrent_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  const gi_recurrent_weights weights = {e.scope, parameter, e.scope};
  return gi_leave(&e, gi_recurrent_stack(kind, &weights, x, &o));
}

glia_value glia_rnn_opt(glia_scope *s, const char *name, glia_value x,
                        const glia_recurrent_opts *opt) {
  return build(GI_RNN, s, name, x, opt);
}
glia_value glia_gru_opt(glia_scope *s, const char *name, glia_value x,
                        const glia_recurrent_opts *opt) {
  return build(GI_GRU, s, name, x, opt);
}
glia_value glia_lstm_opt(glia_scope *s, const char *name, glia_value x,
                         const glia_recurrent_opts *opt) {
  return build(GI_LSTM, s, name, x, opt);
}

static glia_value rnn_row(glia_scope *s, const char *name, glia_value x, const void *opts) {
  return glia_rnn_opt(s, name, x, opts);
}
static glia_value gru_row(glia_scope *s, const char *name, glia_value x, const void *opts) {
  return glia_gru_opt(s, name, x, opts);
}
static glia_value lstm_row(glia_scope *s, const char *name, glia_value x, const void *opts) {
  return glia_lstm_opt(s, name, x, opts);
}

static const char *const activations[] = {"tanh", "relu", NULL};

#define COMMON                                                                              \
  GI_FIELD(I64, glia_recurrent_opts, units, .positional = true, .required = true, .min = 1, \
           .max = 1e6, .doc = "numbers of state of a direction"),                           \
      GI_FIELD(I64, glia_recurrent_opts, layers, .min = 1, .max = 64, .dflt = "1",          \
               .doc = "one on top of the other"),                                           \
      GI_FIELD(BOOL, glia_recurrent_opts, bidirectional,                                    \
               .doc = "a second direction, from the end, beside it"),                       \
      GI_FIELD(BOOL, glia_recurrent_opts, batch_first, .doc = "x is [N, T, features]"),     \
      GI_FIELD(BOOL, glia_recurrent_opts, last_only,                                        \
               .doc = "give the last state of each sequence alone"),                        \
      GI_FIELD(BOOL, glia_recurrent_opts, no_bias, .doc = "leave the biases out"),          \
      GI_FIELD(F64, glia_recurrent_opts, dropout, .min = 0, .max = 0.999,                   \
               .doc = "between layers, while training"),                                    \
      GI_FIELD(F64, glia_recurrent_opts, weight_dropout, .min = 0, .max = 0.999,            \
               .doc = "of the recurrent weights, while training"),                          \
      GI_FIELD(BOOL, glia_recurrent_opts, variational,                                      \
               .doc = "dropout takes the same numbers away at all time steps")

static const gi_field rnn_fields[] = {
    COMMON,
    GI_FIELD(NAME, glia_recurrent_opts, activation, .dflt = "tanh", .doc = "of the state",
             .choices = activations),
    {.name = NULL},
};
static const gi_field gru_fields[] = {
    COMMON,
    GI_FIELD(BOOL, glia_recurrent_opts, reset_before,
             .doc = "the reset gate comes before the product of the state"),
    {.name = NULL},
};
static const gi_field lstm_fields[] = {
    COMMON,
    GI_FIELD(I64, glia_recurrent_opts, projection, .min = 1, .max = 1e6, .dflt = "none",
             .doc = "the state has so many numbers, fewer than units"),
    GI_FIELD(BOOL, glia_recurrent_opts, peepholes, .doc = "gates see the cell"),
    {.name = NULL},
};
#undef COMMON

static const gi_layer rnn = {
    .name = "rnn",
    .doc = "plain recurrent layers over [T, N, features]",
    .opts_size = sizeof(glia_recurrent_opts),
    .fields = rnn_fields,
    .build = rnn_row,
};
static const gi_layer gru = {
    .name = "gru",
    .doc = "gated recurrent units over [T, N, features]",
    .opts_size = sizeof(glia_recurrent_opts),
    .fields = gru_fields,
    .build = gru_row,
};
static const gi_layer lstm = {
    .name = "lstm",
    .doc = "long short-term memory over [T, N, features]",
    .opts_size = sizeof(glia_recurrent_opts),
    .fields = lstm_fields,
    .build = lstm_row,
};

const gi_layer *const gi_layers_recurrent[] = {&rnn, &gru, &lstm, NULL};
