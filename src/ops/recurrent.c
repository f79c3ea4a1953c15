/* recurrent.c - what rnn, gru and lstm share (ops/recurrent.h): inputs and outputs and their
 * checks, the gradient as a node and written out time by time, and the frame of the reference
 * loops.
 */
#include "ops/recurrent.h"

#include "ops/ref.h"

/* ---- inputs and outputs ------------------------------------------------------------------ */

#define V(kind) GI_RECURRENT_##kind
static const struct form { /* in order; those that a call does not have are left out */
  const gi_op *op;
  int64_t gates;
  bool backward;
  gi_recurrent_value in[GI_SAMPLE_IN], out[GI_MAX_OUT];
} forms[] = {
    {&gi_op_rnn, 1, false, {V(X), V(U), V(H0), V(LENGTHS)}, {V(Y), V(LAST_H)}},
    {&gi_op_rnn_grad, 1, true, {V(U), V(Y), V(DY), V(DH), V(LENGTHS)}, {V(DX), V(DH0)}},
    {&gi_op_gru,
     3,
     false,
     {V(X), V(U), V(H0), V(BIAS), V(LENGTHS)},
     {V(Y), V(LAST_H), V(GATES)}},
    {&gi_op_gru_grad,
     3,
     true,
     {V(U), V(H0), V(Y), V(GATES), V(DY), V(DH), V(LENGTHS), V(DGATES)},
     {V(DX), V(DH0), V(DU)}},
    {&gi_op_lstm,
     4,
     false,
     {V(X), V(U), V(H0), V(C0), V(LENGTHS), V(PEEPHOLES), V(PROJECTION)},
     {V(GATES), V(Y), V(LAST_H), V(LAST_C), V(CELLS)}},
    {&gi_op_lstm_grad,
     4,
     true,
     {V(U), V(C0), V(GATES), V(CELLS), V(DY), V(DH), V(DC), V(LENGTHS), V(PEEPHOLES),
      V(PROJECTION), V(DGATES), V(DCELLS)},
     {V(DX), V(DH0), V(DC0), V(DH_ALL)}},
};

static bool is_there(const gi_recurrent_attr *a, gi_recurrent_value i) {
  switch (i) {
    case V(LENGTHS): return a->lengths;
    case V(BIAS): return a->bias;
    case V(PEEPHOLES): return a->peepholes;
    case V(PROJECTION):
    case V(DH_ALL): return a->projection;
    case V(DGATES):
    case V(DCELLS): return a->saved;
    default: return i != V(NONE);
  }
}

gi_recurrence gi_recurrence_of(const gi_op *op, const void *attr) {
  const gi_recurrent_attr *a = attr;
  const struct form *f = forms;
  while (f->op != op) f++;
  gi_recurrence r = {
      .op = op, .reverse = a->reverse, .backward = f->backward, .gates = f->gates};
  for (int i = 0; i < GI_RECURRENT_VALUES; i++) r.at[i] = r.out[i] = -1;
  for (int i = 0; i < GI_SAMPLE_IN; i++)
    if (is_there(a, f->in[i])) r.at[f->in[i]] = r.n_in++;
  for (int i = 0; i < GI_MAX_OUT; i++)
    if (is_there(a, f->out[i])) r.out[f->out[i]] = r.n_out++;
  return r;
}

void gi_recurrence_size(gi_recurrence *r, const gi_type *steps, const gi_type *weight) {
  r->steps = steps->dim[0];
  r->batch = steps->dim[1];
  r->units = weight->dim[0] / r->gates;
  r->state = weight->dim[1];
}

typedef struct wanted { /* of an input or output */
  const char *name, *axes;
  int rank;
  int64_t dim[3];
} wanted;

static wanted wanted_of(const gi_recurrence *r, gi_recurrent_value i) {
  const int64_t t = r->steps, n = r->batch, h = r->units, p = r->state, gates = r->gates * h;
  switch (i) {
    case V(X): return (wanted){"x", "[T, N, gates H]", 3, {t, n, gates}};
    case V(U): return (wanted){"the weight", "[gates H, P]", 2, {gates, p}};
    case V(H0): return (wanted){"h0", "[N, P]", 2, {n, p}};
    case V(C0): return (wanted){"c0", "[N, H]", 2, {n, h}};
    case V(BIAS): return (wanted){"the bias", "[H]", 1, {h}};
    case V(LENGTHS): return (wanted){"lengths", "[N]", 1, {n}};
    case V(PEEPHOLES): return (wanted){"peepholes", "[3, H]", 2, {3, h}};
    case V(PROJECTION): return (wanted){"the projection", "[P, H]", 2, {p, h}};
    case V(Y): return (wanted){"y", "[T, N, P]", 3, {t, n, p}};
    case V(GATES): return (wanted){"gates", "[T, N, 4 H]", 3, {t, n, 4 * h}};
    case V(CELLS): return (wanted){"cells", "[T, N, H]", 3, {t, n, h}};
    case V(DY): return (wanted){"dy", "[T, N, P]", 3, {t, n, p}};
    case V(DH): return (wanted){"dh", "[N, P]", 2, {n, p}};
    case V(DC): return (wanted){"dc", "[N, H]", 2, {n, h}};
    case V(DGATES): return (wanted){"dgates", "[T, N, 4 H]", 3, {t, n, 4 * h}};
    case V(DCELLS): return (wanted){"dcells", "[T, N, H]", 3, {t, n, h}};
    case V(DX):
    case V(DU): return wanted_of(r, V(X));
    case V(LAST_H):
    case V(DH0): return wanted_of(r, V(H0));
    case V(LAST_C):
    case V(DC0): return wanted_of(r, V(C0));
    default: return wanted_of(r, V(Y));
  }
}

static gi_type type_of(const gi_recurrence *r, gi_recurrent_value i, glia_dtype dtype) {
  const wanted w = wanted_of(r, i);
  gi_type t = {.dtype = dtype, .rank = w.rank};
  memcpy(t.dim, w.dim, (size_t)w.rank * sizeof w.dim[0]);
  return t;
}

static glia_status check_input(const gi_infer *c, const gi_recurrence *r,
                               gi_recurrent_value i) {
  const wanted w = wanted_of(r, i);
  const gi_type *t = &c->in[r->at[i]], like = type_of(r, i, t->dtype);
  char tt[GI_TEXT], tw[GI_TEXT];
  if (!gi_shape_equal(t, &like))
    return gi_fail(GLIA_SHAPE, "%s: %s is %s, wanted %s = %s", r->op->name, w.name,
                   gi_shape_text(t, tt, sizeof tt), w.axes,
                   gi_shape_text(&like, tw, sizeof tw));
  if (i != V(LENGTHS)) return gi_want_same(c, r->at[V(U)], r->at[i], r->op->name);
  if (t->dtype == GLIA_I64 || t->dtype == GLIA_I32) return GLIA_OK;
  return gi_fail(GLIA_DTYPE, "%s: lengths are %s, wanted i64 or i32", r->op->name,
                 gi_type_text(t, tt, sizeof tt));
}

static glia_status check(const gi_infer *c, const gi_op *op, gi_recurrence *r) {
  *r = gi_recurrence_of(op, c->attr);
  char text[GI_TEXT];
  if (c->n_in != r->n_in)
    return gi_fail(GLIA_INVALID, "%s: %d inputs, wanted %d with these attributes", op->name,
                   c->n_in, r->n_in);
  const int steps = gi_steps_input(r), weight = r->at[V(U)];
  GI_TRY(gi_want_rank(c, steps, 3, op->name, r->backward ? "dy" : "x", "[T, N, columns]"));
  GI_TRY(gi_want_rank(c, weight, 2, op->name, "the weight", "[gates H, P]"));
  GI_TRY(gi_want_float(c, weight, op->name, "the weight"));
  gi_recurrence_size(r, &c->in[steps], &c->in[weight]);
  if (r->steps == 0 || r->units == 0 || r->state == 0)
    return gi_fail(GLIA_SHAPE, "%s: no steps, or no units: the weight is %s, %" PRId64 " steps",
                   op->name, gi_shape_text(&c->in[weight], text, sizeof text), r->steps);
  for (gi_recurrent_value i = 0; i < GI_RECURRENT_VALUES; i++)
    if (gi_has(r, i)) GI_TRY(check_input(c, r, i));
  if (r->state != r->units && !gi_has(r, V(PROJECTION)))
    return gi_fail(GLIA_SHAPE,
                   "%s: %" PRId64 " units give a state of %" PRId64
                   " numbers, wanted as many, or a projection",
                   op->name, r->units, r->state);
  return GLIA_OK;
}

glia_status gi_recurrence_infer(gi_infer *c, const gi_op *op) {
  gi_recurrence r;
  GI_TRY(check(c, op, &r));
  const glia_dtype dtype = c->in[r.at[V(U)]].dtype;
  c->n_out = r.n_out;
  for (gi_recurrent_value i = 0; i < GI_RECURRENT_VALUES; i++)
    if (r.out[i] >= 0) c->out[r.out[i]] = type_of(&r, i, dtype);
  return GLIA_OK;
}

glia_status gi_recurrence_lengths(const gi_recurrence *r, const gi_buf *lengths, int64_t *out) {
  for (int64_t n = 0; n < r->batch; n++) {
    out[n] = lengths != NULL ? gi_index_at(lengths, n) : r->steps;
    if (out[n] < 0 || out[n] > r->steps)
      return gi_fail(GLIA_INVALID,
                     "%s: the length of sequence %" PRId64 " is %" PRId64
                     ", wanted 0 to %" PRId64,
                     r->op->name, n, out[n], r->steps);
  }
  return GLIA_OK;
}

/* The product with U, and some ten operations for each gate. */
gi_cost gi_recurrence_cost(const gi_op *op, const gi_infer *c) {
  gi_recurrence r = gi_recurrence_of(op, c->attr);
  gi_recurrence_size(&r, &c->in[gi_steps_input(&r)], &c->in[r.at[V(U)]]);
  gi_cost k = gi_default_cost(c);
  double each = 2 * (double)r.gates * (double)r.units * (double)r.state;
  if (gi_has(&r, V(PROJECTION))) each += 2 * (double)r.units * (double)r.state;
  k.flops = (double)r.steps * (double)r.batch * (each + 10 * (double)(r.gates * r.units));
  return k;
}

/* ---- the builder ------------------------------------------------------------------------- */

glia_value gi_recurrence_emit(const gi_op *op, const glia_recurrence_opts *opt, glia_value x,
                              glia_value weight, glia_value h0, glia_value c0,
                              glia_value *last_h, glia_value *last_c) {
  glia_recurrence_opts o;
  gi_opts(&o, sizeof o, opt);
  if (op == &gi_op_rnn && o.activation == NULL) o.activation = "tanh";
  const gi_recurrent_attr a = {.reverse = o.reverse,
                               .lengths = !gi_null(o.lengths),
                               .activation = o.activation,
                               .bias = !gi_null(o.bias),
                               .peepholes = !gi_null(o.peepholes),
                               .projection = !gi_null(o.projection)};
  const gi_recurrence r = gi_recurrence_of(op, &a);
  const glia_value of[GI_RECURRENT_VALUES] = {
      [V(X)] = x,
      [V(U)] = weight,
      [V(H0)] = h0,
      [V(C0)] = c0,
      [V(LENGTHS)] = o.lengths,
      [V(BIAS)] = o.bias,
      [V(PEEPHOLES)] = o.peepholes,
      [V(PROJECTION)] = o.projection,
  };
  glia_value in[GI_SAMPLE_IN], out[GI_MAX_OUT];
  for (gi_recurrent_value i = 0; i < GI_RECURRENT_VALUES; i++) {
    if (gi_has(&r, i))
      in[r.at[i]] = of[i];
    else if (!gi_null(of[i]))
      return gi_latch(of[i].graph, GLIA_INVALID, "%s: takes no %s", op->name,
                      wanted_of(&r, i).name);
  }
  if (op != &gi_op_rnn && a.activation != NULL && strcmp(a.activation, "tanh") != 0)
    return gi_latch(x.graph, GLIA_INVALID, "%s: the activation is %s, it has tanh alone",
                    op->name, a.activation);
  gi_emit(x.graph, op, &a, in, r.n_in, out);
  if (last_h != NULL) *last_h = out[r.out[V(LAST_H)]];
  if (last_c != NULL) *last_c = out[r.out[V(LAST_C)]];
  return out[r.out[V(Y)]];
}

/* ---- gradients as nodes ------------------------------------------------------------------ */

static glia_value rows_of(glia_value v, bool steps) {
  const int64_t n = glia_value_dim(v, 0), width = glia_value_dim(v, -1);
  return steps ? glia_reshape(v, 3, (const int64_t[]){1, n, width})
               : glia_reshape(v, 2, (const int64_t[]){-1, width});
}

glia_value gi_recurrent_columns(glia_value v, int64_t first, int64_t n) {
  return glia_slice(v, -1, first, first + n, 1);
}

glia_value gi_recurrent_gate(const gi_recurrence *r, glia_value all, int i) {
  return gi_recurrent_columns(all, i * r->units, r->units);
}

glia_value gi_recurrent_rise(glia_value v) {
  return glia_mul(v, glia_sub(glia_scalar_like(v, 1), v));
}
glia_value gi_recurrent_slope(glia_value v) {
  return glia_sub(glia_scalar_like(v, 1), glia_square(v));
}

glia_value gi_recurrent_weight_grad(glia_value a, glia_value b) {
  if (gi_null(a) || gi_null(b)) return GLIA_NONE;
  const int64_t rows = glia_value_dim(a, 0) * glia_value_dim(a, 1);
  const int64_t sa[] = {rows, glia_value_dim(a, 2)}, sb[] = {rows, glia_value_dim(b, 2)};
  return glia_matmul(glia_reshape(a, 2, sa), glia_reshape(b, 2, sb), .transpose_a = true);
}

glia_value gi_recurrent_before(const gi_vjp *c, const gi_recurrence *r, gi_recurrent_value of,
                               gi_recurrent_value first) {
  const glia_value all = c->out[r->out[of]], start = rows_of(c->in[r->at[first]], true);
  if (r->steps == 1) return start;
  const int64_t from = r->reverse ? 1 : 0;
  const glia_value rest = glia_slice(all, 0, from, from + r->steps - 1, 1);
  const glia_value parts[] = {r->reverse ? rest : start, r->reverse ? start : rest};
  const glia_value moved = glia_concat(parts, 2, 0);
  if (!gi_has(r, V(LENGTHS)) || !r->reverse) return moved;
  /* the step after t is padding: t is the first of its sequence */
  const glia_value lengths = c->in[r->at[V(LENGTHS)]];
  const glia_value range =
      glia_cast(glia_range(all.graph, r->steps, GLIA_I64), glia_value_dtype(lengths));
  const glia_value after = glia_reshape(glia_add(range, glia_scalar_like(range, 1)), 3,
                                        (const int64_t[]){r->steps, 1, 1});
  const glia_value inside =
      glia_less(after, glia_reshape(lengths, 3, (const int64_t[]){1, r->batch, 1}));
  return glia_where(inside, moved, start);
}

/* What reaches an output, or zeros. */
static glia_value reaching(const gi_vjp *c, const gi_recurrence *r, gi_recurrent_value o) {
  const int at = r->out[o];
  if (!gi_null(c->dout[at])) return c->dout[at];
  const gi_type t = gi_value_type(c->out[at]);
  return glia_broadcast_to(glia_scalar_like(c->in[0], 0), t.rank, t.dim);
}

/* What the gradient's node takes, as the forward node has it. */
static glia_value given(const gi_vjp *c, const gi_recurrence *r, gi_recurrent_value i) {
  switch (i) {
    case V(DY): return reaching(c, r, V(Y));
    case V(DH): return reaching(c, r, V(LAST_H));
    case V(DC): return reaching(c, r, V(LAST_C));
    case V(DGATES): return reaching(c, r, V(GATES));
    case V(DCELLS): return reaching(c, r, V(CELLS));
    default: return gi_has(r, i) ? c->in[r->at[i]] : c->out[r->out[i]];
  }
}

static bool reached(const gi_vjp *c, const gi_recurrence *r, gi_recurrent_value o) {
  return r->out[o] >= 0 && !gi_null(c->dout[r->out[o]]);
}

void gi_recurrent_vjp(gi_vjp *c, const gi_op *op, const gi_op *grad, gi_recurrence *r,
                      glia_value d[GI_RECURRENT_VALUES]) {
  gi_recurrent_attr a = *(const gi_recurrent_attr *)c->attr;
  glia_value in[GI_SAMPLE_IN], out[GI_MAX_OUT];
  *r = gi_recurrence_of(op, &a);
  const gi_type x = gi_value_type(c->in[r->at[V(X)]]), u = gi_value_type(c->in[r->at[V(U)]]);
  gi_recurrence_size(r, &x, &u);
  a.saved = reached(c, r, V(GATES)) || reached(c, r, V(CELLS));
  const gi_recurrence back = gi_recurrence_of(grad, &a);
  for (gi_recurrent_value i = 0; i < GI_RECURRENT_VALUES; i++)
    if (gi_has(&back, i)) in[back.at[i]] = given(c, r, i);
  gi_emit(c->g, grad, &a, in, back.n_in, out);
  for (gi_recurrent_value i = 0; i < GI_RECURRENT_VALUES; i++)
    d[i] = back.out[i] >= 0 ? out[back.out[i]] : GLIA_NONE;
  c->din[r->at[V(X)]] = d[V(DX)];
  c->din[r->at[V(H0)]] = d[V(DH0)];
  if (gi_has(r, V(C0))) c->din[r->at[V(C0)]] = d[V(DC0)];
  if (c->need[r->at[V(U)]])
    c->din[r->at[V(U)]] = gi_recurrent_weight_grad(d[back.out[V(DU)] >= 0 ? V(DU) : V(DX)],
                                                   gi_recurrent_before(c, r, V(Y), V(H0)));
}

/* ---- the gradient, written out ----------------------------------------------------------- */

static glia_value step_of(glia_value v, int64_t t) {
  return rows_of(glia_slice(v, 0, t, t + 1, 1), false);
}

glia_value gi_recurrent_at(const gi_back_step *s, gi_recurrent_value i) {
  return step_of(s->in[s->r->at[i]], s->t);
}

/* Does step t count? [N, 1] */
static glia_value counts(const gi_recurrence *r, const glia_value *in, int64_t t) {
  const glia_value lengths = in[r->at[V(LENGTHS)]];
  const glia_value counted = glia_less(glia_scalar_like(lengths, (double)t), lengths);
  return glia_reshape(counted, 2, (const int64_t[]){r->batch, 1});
}

glia_value gi_recurrent_before_step(const gi_back_step *s, gi_recurrent_value all,
                                    gi_recurrent_value first) {
  const glia_value start = s->in[s->r->at[first]];
  if (s->first) return start;
  const int64_t t = s->r->reverse ? s->t + 1 : s->t - 1;
  const glia_value before = step_of(s->in[s->r->at[all]], t);
  if (gi_null(s->valid) || !s->r->reverse) return before;
  return glia_where(counts(s->r, s->in, t), before, start);
}

static glia_value chosen(glia_value valid, glia_value a, glia_value b) {
  return gi_null(valid) || gi_null(a) ? a : glia_where(valid, a, b);
}

/* One step back: from what reaches the state after it to what reaches the state before. */
static glia_value step_back(gi_back_step *s, void (*step)(gi_back_step *s), glia_value carried,
                            glia_value weight) {
  const glia_value zero = glia_scalar_like(weight, 0), dc = s->dc;
  glia_value dy = gi_recurrent_at(s, V(DY));
  dy = chosen(s->valid, dy, zero);
  s->dh = glia_add(carried, dy);
  s->dx = s->du = s->dkept = GLIA_NONE;
  step(s);
  if (gi_null(s->du)) s->du = s->dx;
  s->dx = chosen(s->valid, s->dx, zero);
  s->du = chosen(s->valid, s->du, zero);
  s->dc = chosen(s->valid, s->dc, dc);
  glia_value kept = s->dkept;
  if (!gi_null(s->valid)) kept = glia_where(s->valid, gi_null(kept) ? zero : kept, s->dh);
  const glia_value through = glia_matmul(s->du, weight);
  s->dh = chosen(s->valid, s->dh, zero);
  return gi_null(kept) ? through : glia_add(through, kept);
}

glia_status gi_recurrent_unroll(gi_lower *c, const gi_op *op, void (*step)(gi_back_step *s)) {
  gi_recurrence r = gi_recurrence_of(op, c->attr);
  const glia_value u = c->in[r.at[V(U)]];
  const gi_type dy = gi_value_type(c->in[gi_steps_input(&r)]), weight = gi_value_type(u);
  gi_recurrence_size(&r, &dy, &weight);
  const size_t n = (size_t)r.steps;
  glia_value *all = gi_alloc(3 * n * sizeof *all), carried = c->in[r.at[V(DH)]];
  if (all == NULL) return gi_fail_nomem(3 * n * sizeof *all);
  gi_back_step s = {.r = &r, .in = c->in};
  s.dc = gi_has(&r, V(DC)) ? c->in[r.at[V(DC)]] : GLIA_NONE;
  for (int64_t k = r.steps - 1; k >= 0; k--) {
    s.t = gi_step(&r, k);
    s.first = k == 0;
    if (gi_has(&r, V(LENGTHS))) s.valid = counts(&r, c->in, s.t);
    carried = step_back(&s, step, carried, u);
    all[s.t] = rows_of(s.dx, true);
    all[r.steps + s.t] = rows_of(s.du, true);
    all[2 * r.steps + s.t] = rows_of(s.dh, true);
  }
  const gi_recurrent_value kinds[] = {V(DX), V(DU), V(DH_ALL)};
  for (size_t i = 0; i < GI_COUNT(kinds); i++)
    if (r.out[kinds[i]] >= 0) c->out[r.out[kinds[i]]] = glia_concat(all + i * n, (int)n, 0);
  c->out[r.out[V(DH0)]] = carried;
  if (r.out[V(DC0)] >= 0) c->out[r.out[V(DC0)]] = s.dc;
  gi_free(all);
  return GLIA_OK;
}

/* ---- reference --------------------------------------------------------------------------- */

/* The place of element k in a value [T, N, n], [N, n] or [n]. */
static int64_t place(const gi_sequence *s, const gi_type *t, int64_t step, int64_t k) {
  const int64_t row = t->rank == 3 ? step * s->r->batch + s->n : t->rank == 2 ? s->n : 0;
  return row * t->dim[t->rank - 1] + k;
}

static double get(const gi_sequence *s, gi_recurrent_value i, int64_t t, int64_t k) {
  const gi_buf *b = gi_input_of(s, i);
  return b != NULL ? gi_get(b, place(s, &b->t, t, k)) : 0;
}

double gi_sequence_get(const gi_sequence *s, gi_recurrent_value i, int64_t k) {
  return get(s, i, s->t, k);
}

double gi_sequence_before(const gi_sequence *s, gi_recurrent_value all,
                          gi_recurrent_value first, int64_t k) {
  if (s->first) return get(s, first, 0, k);
  return get(s, all, s->r->reverse ? s->t + 1 : s->t - 1, k);
}

void gi_sequence_put(const gi_sequence *s, gi_recurrent_value o, int64_t k, double v) {
  const gi_buf *b = &s->c->out[s->r->out[o]];
  gi_put(b, place(s, &b->t, s->t, k), v);
}

static void load(const gi_sequence *s, gi_recurrent_value i, int64_t n, double *v) {
  for (int64_t k = 0; k < n; k++) v[k] = gi_sequence_get(s, i, k);
}

static void store(const gi_sequence *s, gi_recurrent_value o, int64_t n, const double *v) {
  for (int64_t k = 0; k < n && s->r->out[o] >= 0; k++) gi_sequence_put(s, o, k, v[k]);
}

/* Zeros in all outputs of a step. */
static void clear_step(const gi_sequence *s) {
  for (gi_recurrent_value o = 0; o < GI_RECURRENT_VALUES; o++) {
    const gi_type *t = s->r->out[o] >= 0 ? &s->c->out[s->r->out[o]].t : NULL;
    for (int64_t k = 0; t != NULL && t->rank == 3 && k < t->dim[2]; k++)
      gi_sequence_put(s, o, k, 0);
  }
}

static void step_forward(gi_sequence *s, void (*step)(gi_sequence *s)) {
  memset(s->sums, 0, (size_t)(s->r->gates * s->r->units) * sizeof *s->sums);
  gi_add_product(gi_input_of(s, V(U)), false, s->h, s->sums);
  step(s);
  store(s, V(Y), s->r->state, s->h);
}

static void step_backward(gi_sequence *s, void (*step)(gi_sequence *s)) {
  for (int64_t k = 0; k < s->r->state; k++) s->h[k] += gi_sequence_get(s, V(DY), k);
  step(s);
  gi_add_product(gi_input_of(s, V(U)), true, s->sums, s->h);
}

static void run_sequence(gi_sequence *s, void (*step)(gi_sequence *s)) {
  const gi_recurrence *r = s->r;
  load(s, r->backward ? V(DH) : V(H0), r->state, s->h);
  load(s, r->backward ? V(DC) : V(C0), r->units, s->cell);
  for (int64_t i = 0; i < r->steps; i++) {
    const int64_t k = r->backward ? r->steps - 1 - i : i;
    s->t = gi_step(r, k);
    s->first = k == 0 || (r->reverse && s->t + 1 >= s->length);
    if (s->t >= s->length)
      clear_step(s);
    else if (r->backward)
      step_backward(s, step);
    else
      step_forward(s, step);
  }
  store(s, r->backward ? V(DH0) : V(LAST_H), r->state, s->h);
  store(s, r->backward ? V(DC0) : V(LAST_C), r->units, s->cell);
}

glia_status gi_each_step(gi_ref *c, const gi_op *op, void (*step)(gi_sequence *s)) {
  gi_recurrence r = gi_recurrence_of(op, c->attr);
  gi_recurrence_size(&r, &c->in[gi_steps_input(&r)].t, &c->in[r.at[V(U)]].t);
  const size_t numbers = (size_t)(r.state + (2 + r.gates) * r.units);
  const size_t bytes = numbers * sizeof(double) + (size_t)r.batch * sizeof(int64_t);
  double *room = gi_alloc(bytes);
  if (room == NULL) return gi_fail_nomem(bytes);
  int64_t *lengths = (int64_t *)(room + numbers);
  const gi_buf *counted = gi_has(&r, V(LENGTHS)) ? &c->in[r.at[V(LENGTHS)]] : NULL;
  const glia_status status = gi_recurrence_lengths(&r, counted, lengths);
  for (int64_t n = 0; n < r.batch && status == GLIA_OK; n++) {
    gi_sequence s = {.r = &r, .c = c, .n = n, .length = lengths[n]};
    s.h = room;
    s.cell = s.h + r.state;
    s.hidden = s.cell + r.units;
    s.sums = s.hidden + r.units;
    run_sequence(&s, step);
  }
  gi_free(room);
  return status;
}

void gi_add_product(const gi_buf *m, bool transpose, const double *v, double *out) {
  const int64_t rows = m->t.dim[0], cols = m->t.dim[1];
  for (int64_t j = 0; j < rows; j++)
    for (int64_t k = 0; k < cols; k++) {
      const double e = gi_get(m, j * cols + k);
      if (transpose)
        out[k] += e * v[j];
      else
        out[j] += e * v[k];
    }
}
