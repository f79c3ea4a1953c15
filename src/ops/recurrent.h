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

/* What the ops take and give; recurrent.c has the table that says which op has which, in which
 * order. */
typedef enum gi_recurrent_value {
  GI_RECURRENT_NONE,
  GI_RECURRENT_X,          /* [T, N, G H] */
  GI_RECURRENT_U,          /* [G H, P] */
  GI_RECURRENT_H0,         /* [N, P] */
  GI_RECURRENT_C0,         /* [N, H] */
  GI_RECURRENT_BIAS,       /* [H]: of the new state, inside the reset gate's product */
  GI_RECURRENT_LENGTHS,    /* [N] */
  GI_RECURRENT_PEEPHOLES,  /* [3, H]: of the gates i, f, o */
  GI_RECURRENT_PROJECTION, /* [P, H] */
  GI_RECURRENT_Y,          /* [T, N, P]: the state after each step */
  GI_RECURRENT_LAST_H,     /* [N, P] */
  GI_RECURRENT_LAST_C,     /* [N, H] */
  GI_RECURRENT_GATES,      /* [T, N, 4 H]: what is saved of each step */
  GI_RECURRENT_CELLS,      /* [T, N, H] */
  GI_RECURRENT_DY,         /* cotangents, of the type of what they belong to */
  GI_RECURRENT_DH,         /* of the last state */
  GI_RECURRENT_DC,         /* of the last cell */
  GI_RECURRENT_DGATES,     /* of what was saved */
  GI_RECURRENT_DCELLS,
  GI_RECURRENT_DX,
  GI_RECURRENT_DU, /* [T, N, G H]: of U h, where that is another than dx */
  GI_RECURRENT_DH0,
  GI_RECURRENT_DC0,
  GI_RECURRENT_DH_ALL, /* [T, N, P]: what reaches each state, for the projection's gradient */
  GI_RECURRENT_VALUES
} gi_recurrent_value;

typedef struct gi_recurrence {
  const gi_op *op;
  bool reverse, backward;
  int n_in, n_out;
  int at[GI_RECURRENT_VALUES];  /* input numbers; -1: the op has none of that kind */
  int out[GI_RECURRENT_VALUES]; /* output numbers */
  int64_t gates;                /* G: 1 rnn, 3 gru, 4 lstm */
  int64_t steps, batch, units, state;
} gi_recurrence;

/* Which inputs and outputs there are; no sizes. */
gi_recurrence gi_recurrence_of(const gi_op *op, const void *attr);
/* The same with the sizes, from the types of the inputs that tell them: those of x or dy, and
 * of U. */
void gi_recurrence_size(gi_recurrence *r, const gi_type *steps, const gi_type *weight);
static inline bool gi_has(const gi_recurrence *r, gi_recurrent_value i) {
  return r->at[i] >= 0;
}
static inline int gi_steps_input(const gi_recurrence *r) {
  return r->at[r->backward ? GI_RECURRENT_DY : GI_RECURRENT_X];
}
/* Step s in the order in which they are computed, as a place in time. */
static inline int64_t gi_step(const gi_recurrence *r, int64_t s) {
  return r->reverse ? r->steps - 1 - s : s;
}

/* ---- parts of the rows ------------------------------------------------------------------- */

/* Attributes that all have. */
#define GI_RECURRENT_FIELDS                                                              \
  {"reverse", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, reverse), "begin at the end"}, { \
    "lengths", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, lengths),                       \
        "an input tells the steps of each sequence that count"                           \
  }
#define GI_RECURRENT_SAVED                                     \
  {                                                            \
    "saved", GI_ATTR_BOOL, offsetof(gi_recurrent_attr, saved), \
        "gradient: cotangents of what was saved come in too"   \
  }

/* Checks all inputs and sets the outputs' types. */
glia_status gi_recurrence_infer(gi_infer *c, const gi_op *op);
/* The lengths as numbers, or T for each; checked: GLIA_INVALID names the first that is not in
 * 0 .. T. lengths NULL: there are none. */
glia_status gi_recurrence_lengths(const gi_recurrence *r, const gi_buf *lengths, int64_t *out);
gi_cost gi_recurrence_cost(const gi_op *op, const gi_infer *c);
/* The builder of all: c0 may be null. `last` is that of h; last_h, last_c may be NULL. */
glia_value gi_recurrence_emit(const gi_op *op, const glia_recurrence_opts *opt, glia_value x,
                              glia_value weight, glia_value h0, glia_value c0,
                              glia_value *last_h, glia_value *last_c);

/* ---- gradients as nodes ------------------------------------------------------------------ */

/* The gradient of `op` by its op `grad`: sets the cotangents of x, U, h0 and c0, and gives all
 * that the gradient's node gives in d, by kind. */
void gi_recurrent_vjp(gi_vjp *c, const gi_op *op, const gi_op *grad, gi_recurrence *r,
                      glia_value d[GI_RECURRENT_VALUES]);
/* Is the cotangent of this input wanted? */
static inline bool gi_recurrent_wants(const gi_vjp *c, const gi_recurrence *r,
                                      gi_recurrent_value i) {
  return gi_has(r, i) && c->need[r->at[i]];
}
/* What is h (or c) before each step [T, N, ...]: all values moved by a step, `first` (h0) at
 * each sequence's first. */
glia_value gi_recurrent_before(const gi_vjp *c, const gi_recurrence *r, gi_recurrent_value all,
                               gi_recurrent_value first);
/* a^T b over all steps and sequences: [T, N, A], [T, N, B] -> [A, B] */
glia_value gi_recurrent_weight_grad(glia_value a, glia_value b);
/* Columns first .. first + n - 1 of the last axis. */
glia_value gi_recurrent_columns(glia_value v, int64_t first, int64_t n);
/* Of values [..., n H], those of gate i [..., H]. */
glia_value gi_recurrent_gate(const gi_recurrence *r, glia_value all, int i);
/* The slopes of the logistic function and of tanh, from their values. */
glia_value gi_recurrent_rise(glia_value v);
glia_value gi_recurrent_slope(glia_value v);

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
/* The lowering of a gradient: calls step for each, the last first, and sets all outputs. */
glia_status gi_recurrent_unroll(gi_lower *c, const gi_op *op, void (*step)(gi_back_step *s));
/* Step t of an input [T, N, ...] as [N, ...]. */
glia_value gi_recurrent_at(const gi_back_step *s, gi_recurrent_value i);
/* What is h or c before the step [N, ...], of an input with the values after each. */
glia_value gi_recurrent_before_step(const gi_back_step *s, gi_recurrent_value all,
                                    gi_recurrent_value first);

/* gru with the reset gate before the product, written out in other ops (gru_reset.c). */
glia_value gi_gru_reset_before(glia_value x, glia_value weight, glia_value h0,
                               const glia_recurrence_opts *o, glia_value *last);

/* ---- reference --------------------------------------------------------------------------- */

/* One sequence at a time, in double. */
typedef struct gi_sequence {
  const gi_recurrence *r;
  gi_ref *c;
  int64_t n;        /* of the batch */
  int64_t length;   /* steps of it that count */
  int64_t t;        /* the step, as a place in time */
  bool first;       /* the state before it is h0 */
  double *h, *cell; /* [P], [H]: the state before the step, which makes it that after it;
                       backward: what reaches the state after it, then before it */
  double *sums;     /* [G H]: U h; backward: what the step finds to be the cotangent of that */
  double *hidden;   /* [H]: for the step's use */
} gi_sequence;

/* Calls step for every step that counts of every sequence of the batch, backward the last
 * first, the lengths checked. Around it: forward sums = U h before the step and y is h after
 * it; backward h += dy before it and h += U^T sums after it. Padding is zeros. */
glia_status gi_each_step(gi_ref *c, const gi_op *op, void (*step)(gi_sequence *s));
static inline const gi_buf *gi_input_of(const gi_sequence *s, gi_recurrent_value i) {
  return gi_has(s->r, i) ? &s->c->in[s->r->at[i]] : NULL;
}
/* Element k of an input, at the step if it has steps, at the sequence if it has such; 0 where
 * there is no such input. */
double gi_sequence_get(const gi_sequence *s, gi_recurrent_value i, int64_t k);
/* Of `all`, but at the step before in the order of the sequence; at its first step of `first`.
 */
double gi_sequence_before(const gi_sequence *s, gi_recurrent_value all,
                          gi_recurrent_value first, int64_t k);
/* Sets element k of an output, at the step if it has steps. */
void gi_sequence_put(const gi_sequence *s, gi_recurrent_value o, int64_t k, double v);
/* out[j] += sum over k of m[j, k] v[k]; m^T: out[k] += sum over j of m[j, k] v[j]. */
void gi_add_product(const gi_buf *m, bool transpose, const double *v, double *out);
static inline double gi_logistic(double a) { return 1 / (1 + exp(-a)); }

#endif /* GI_RECURRENT_H */
