/* cell.c - single steps of recurrent layers: a stack of one layer over one time step, whose
 * parameters have no "_l0" behind their names, as those of PyTorch's cells.
 */
#include "glia/layers.h"
#include "nn/recurrent.h"

/* "weight_ih_l0" is called weight_ih. */
static glia_value parameter(void *scope, const char *name, int rank, const int64_t *shape,
                            double bound) {
  const glia_init init = {.kind = GLIA_INIT_UNIFORM, .a = -bound, .b = bound};
  const char *end = strstr(name, "_l0");
  char plain[32];
  snprintf(plain, sizeof plain, "%.*s", (int)(end != NULL ? end - name : 31), name);
  return glia_parameter(scope, plain, rank, shape, init);
}

static glia_value as_step(glia_value v) {
  if (gi_null(v) || glia_value_rank(v) != 2) return v;
  return glia_reshape(v, 3, (const int64_t[]){1, glia_value_dim(v, 0), glia_value_dim(v, 1)});
}
static glia_value as_state(glia_value v) {
  return gi_null(v) ? v : glia_reshape(v, 2, glia_value_shape(v) + 1);
}

static glia_value one_step(gi_recurrent_kind kind, glia_scope *s, glia_value x,
                           const glia_cell_opts *o) {
  static const char *const names[] = {"rnn_cell", "gru_cell", "lstm_cell"};
  const gi_recurrent_weights weights = {s, parameter, s};
  glia_value cell = GLIA_NONE;
  if (glia_value_rank(x) != 2)
    return gi_latch(x.graph, GLIA_SHAPE, "%s: x has rank %d, wanted [N, features]", names[kind],
                    glia_value_rank(x));
  const glia_recurrent_opts all = {.size = sizeof all,
                                   .units = o->units,
                                   .no_bias = o->no_bias,
                                   .activation = o->activation,
                                   .reset_before = o->reset_before,
                                   .last_only = true,
                                   .h0 = as_step(o->h),
                                   .c0 = as_step(o->c),
                                   .final_c = &cell};
  const glia_value h = gi_recurrent_stack(kind, &weights, as_step(x), &all);
  if (o->next_c != NULL) *o->next_c = as_state(cell);
  return h;
}

static glia_value build(gi_recurrent_kind kind, glia_scope *s, const char *name, glia_value x,
                        const glia_cell_opts *opt) {
  glia_cell_opts o;
  gi_opts(&o, sizeof o, opt);
  if (o.next_c != NULL) *o.next_c = GLIA_NONE;
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, one_step(kind, e.scope, x, &o));
}

glia_value glia_rnn_cell_opt(glia_scope *s, const char *name, glia_value x,
                             const glia_cell_opts *opt) {
  return build(GI_RNN, s, name, x, opt);
}
glia_value glia_gru_cell_opt(glia_scope *s, const char *name, glia_value x,
                             const glia_cell_opts *opt) {
  return build(GI_GRU, s, name, x, opt);
}
glia_value glia_lstm_cell_opt(glia_scope *s, const char *name, glia_value x,
                              const glia_cell_opts *opt) {
  return build(GI_LSTM, s, name, x, opt);
}
