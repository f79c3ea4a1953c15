/* ops/recurrent.h - what rnn, gru and lstm share: one layer, one direction, all time steps.
 *
 * The part of a layer that waits for nothing, W x + b of all steps, is one product outside of
 * these ops; they get it as x [T, N, G H] and add what the state before brings:
 *
 *   a[t] = x[t] + U h[t - 1],   h[t] = cell(a[t], h[t - 1])
 *
 * T steps, N sequences, H units, G gates a unit, P numbers of state (H, but for projections).
 * With `reverse` the last step is the first. Where lengths are given, steps from lengths[n] on
 * are padding: they give zeros and leave the state alone, so that the last state is that of
 * each sequence's own last step, and a reversed layer begins at each sequence's own end.
 *
 * What the gradient of U needs is d a of all steps and the states before them: one product over
 * all time steps outside of the ops (gi_recurrent_weight_grad).
 */
#ifndef GI_RECURRENT_H
#define GI_RECURRENT_H

#include <math.h>

#include "ops/attrs.h"

/* Inputs are in this order, those that an op does not have left out:
 *   rnn        x, U, h0[, lengths]
 *   gru        x, U, h0[, bias][, lengths]
 *   lstm       x, U, h0, c0[, lengths][, peepholes][, projection]
 *   rnn_grad   U, y, dy, dh[, lengths]
 *   gru_grad   U, h0, y, gates, dy, dh[, lengths][, dgates]
 *   lstm_grad  U, c0, gates, cells, dy, dh, dc[, lengths][, peepholes][, projection]
 *              [, dgates, dcells] */
typedef enum gi_recurrent_input {
  GI_RECURRENT_X,          /* [T, N, G H] */
  GI_RECURRENT_U,          /* [G H, P] */
  GI_RECURRENT_H0,         /* [N, P] */
  GI_RECURRENT_C0,         /* [N, H] */
  GI_RECURRENT_BIAS,       /* [H]: of the new state, inside the reset gate's product */
  GI_RECURRENT_Y,          /* [T, N, P] */
  GI_RECURRENT_GATES,      /* [T, N, 4 H]: what was saved of each step */
  GI_RECURRENT_CELLS,      /* [T, N, H] */
  GI_RECURRENT_DY,         /* [T, N, P] */
  GI_RECURRENT_DH,         /* [N, P]: of the last state */
  GI_RECURRENT_DC,         /* [N, H] */
  GI_RECURRENT_LENGTHS,    /* [N] */
  GI_RECURRENT_PEEPHOLES,  /* [3, H]: of the gates i, f, o */
  GI_RECURRENT_PROJECTION, /* [P, H] */
  GI_RECURRENT_DGATES,     /* as gates: cotangents of what was saved */
  GI_RECURRENT_DCELLS,
  GI_RECURRENT_INPUTS
} gi_recurrent_input;

typedef struct gi_recurrence {
  const gi_op *op;
  bool reverse, backward;
  int n_in, at[GI_RECURRENT_INPUTS]; /* input numbers; -1: the op has none of that kind */
  int64_t gates;                     /* G: 1 rnn, 3 gru, 4 lstm */
  int64_t steps, batch, units, state;
} gi_recurrence;

/* Which inputs there are; no sizes. */
gi_recurrence gi_recurrence_of(const gi_op *op, const void *attr);
/* The same with the sizes, from the types of the inputs that tell them: those of x or dy, and
 * of U. */
void gi_recurrence_size(gi_recurrence *r, const gi_type *steps, const gi_type *weight);
static inline bool gi_has(const gi_recurrence *r, gi_recurrent_input i) {
  return r->at[i] >= 0;
}
static inline int gi_steps_input(const gi_recurrence *r) {
  return r->at[r->backward ? GI_RECURRENT_DY : GI_RECURRENT_X];
}
/* Step s in the order in which they are computed, as a place in time. */
static inline int64_t gi_step(const gi_recurrence *r, int64_t s) {
  return r->reverse ? r->steps - 1 - s : s;
}

/* Checks all inputs; r gets its sizes. */
glia_status gi_recurrence_check(const gi_infer *c, const gi_op *op, gi_recurrence *r);
/* The lengths as numbers, or T for each; checked: GLIA_INVALID names the first that is not in
 * 0 .. T. lengths NULL: there are none. */
glia_status gi_recurrence_lengths(const gi_recurrence *r, const gi_buf *lengths, int64_t *out);
gi_cost gi_recurrence_cost(const gi_op *op, const gi_infer *c);
/* [T, N, width] or, without steps, [N, width], in the dtype of U. */
gi_type gi_recurrence_type(const gi_recurrence *r, glia_dtype dtype, bool steps, int64_t width);

/* ---- gradients as nodes ------------------------------------------------------------------ */

/* What is h (or c) before each step [T, N, ...]: all values moved by a step, h0 at each
 * sequence's first. lengths may be null. */
glia_value gi_recurrent_before(const gi_recurrence *r, glia_value all, glia_value first,
                               glia_value lengths);
/* a^T b over all steps and sequences: [T, N, A], [T, N, B] -> [A, B] */
glia_value gi_recurrent_weight_grad(glia_value a, glia_value b);
/* Or zeros of this type where there is none. */
glia_value gi_recurrent_or_zeros(glia_value v, glia_value like, const gi_type *t);
/* Columns first .. first + n - 1 of the last axis. */
glia_value gi_recurrent_columns(glia_value v, int64_t first, int64_t n);

/* One step of a gradient that is written out time by time, so that it can be differentiated
 * again. */
typedef struct gi_back_step {
  const gi_recurrence *r;
  const glia_value *in;
  int64_t t;
  bool first;       /* in time: the state before it is h0 */
  glia_value valid; /* [N, 1]: is the step no padding? null: always */
  glia_value dh;    /* [N, P]: of the state that the step gives */
  glia_value dc;    /* [N, H], lstm: in: of the cell after the step; out: before it */
  glia_value dx;    /* out: [N, G H] */
  glia_value du;    /* out: of U h, where that is another than dx */
  glia_value dkept; /* out: [N, P], what reaches the state before directly; null: nothing */
} gi_back_step;
typedef struct gi_back { /* in: dc of the last cell; out: all steps, and of the first states */
  glia_value dx, du, dh_all, dh0, dc;
} gi_back;
glia_status gi_recurrent_unroll(const gi_recurrence *r, const gi_lower *c,
                                void (*step)(gi_back_step *s), gi_back *out);
/* Step t of an input [T, N, ...] as [N, ...]. */
glia_value gi_recurrent_at(const gi_back_step *s, gi_recurrent_input i);
/* What is h or c before the step [N, ...], of an input with the values after each. */
glia_value gi_recurrent_before_step(const gi_back_step *s, gi_recurrent_input all,
                                    gi_recurrent_input first);

/* ---- reference --------------------------------------------------------------------------- */

/* One sequence at a time, in double. */
typedef struct gi_sequence {
  const gi_recurrence *r;
  gi_ref *c;
  int64_t n;           /* of the batch */
  int64_t length;      /* steps of it that count */
  double *h, *c_state; /* [P], [H]: the state, or its cotangent */
  double *sums;        /* [G H] */
  double *hidden;      /* [H] */
} gi_sequence;

/* Calls fn for every sequence of the batch, with its lengths checked. */
glia_status gi_each_sequence(gi_ref *c, const gi_op *op, void (*fn)(gi_sequence *s));
static inline const gi_buf *gi_input_of(const gi_sequence *s, gi_recurrent_input i) {
  return gi_has(s->r, i) ? &s->c->in[s->r->at[i]] : NULL;
}
/* Of an input of steps: element (t, n, k); 0 where there is no such input. */
double gi_sequence_get(const gi_sequence *s, gi_recurrent_input i, int64_t t, int64_t k);
/* Into output o: element k of step t; t -1: of an output without steps. */
void gi_sequence_put(const gi_sequence *s, int o, int64_t t, int64_t k, double v);
/* Zeros in output o at step t. */
void gi_sequence_clear(const gi_sequence *s, int o, int64_t t);
/* An [N, ...] input as the vector v; null inputs are zeros. */
void gi_sequence_load(const gi_sequence *s, gi_recurrent_input i, int64_t n, double *v);
/* out[j] += sum over k of m[j, k] v[k]; m^T: out[k] += sum over j of m[j, k] v[j]. */
void gi_add_product(const gi_buf *m, bool transpose, const double *v, double *out);
static inline double gi_logistic(double a) { return 1 / (1 + exp(-a)); }

#endif /* GI_RECURRENT_H */
