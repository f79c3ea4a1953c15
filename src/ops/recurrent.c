/* recurrent.c - what rnn, gru and lstm share (ops/recurrent.h): inputs and their checks, the
 * gradient written out time by time, and the frame of the reference loops.
 */
#include "ops/recurrent.h"

#include "ops/ref.h"

/* ---- inputs ------------------------------------------------------------------------------ */

static void add(gi_recurrence *r, gi_recurrent_input i, bool there) {
  if (there) r->at[i] = r->n_in++;
}

gi_recurrence gi_recurrence_of(const gi_op *op, const void *attr) {
  const gi_recurrent_attr *a = attr;
  const bool rnn = op == &gi_op_rnn || op == &gi_op_rnn_grad;
  const bool gru = op == &gi_op_gru || op == &gi_op_gru_grad, lstm = !rnn && !gru;
  gi_recurrence r = {.op = op, .reverse = a->reverse, .gates = rnn ? 1 : gru ? 3 : 4};
  r.backward = op == &gi_op_rnn_grad || op == &gi_op_gru_grad || op == &gi_op_lstm_grad;
  for (int i = 0; i < GI_RECURRENT_INPUTS; i++) r.at[i] = -1;
  add(&r, GI_RECURRENT_X, !r.backward);
  add(&r, GI_RECURRENT_U, true);
  add(&r, GI_RECURRENT_H0, !r.backward || gru);
  add(&r, GI_RECURRENT_C0, lstm);
  add(&r, GI_RECURRENT_BIAS, !r.backward && gru && a->bias);
  add(&r, GI_RECURRENT_Y, r.backward && !lstm);
  add(&r, GI_RECURRENT_GATES, r.backward && !rnn);
  add(&r, GI_RECURRENT_CELLS, r.backward && lstm);
  add(&r, GI_RECURRENT_DY, r.backward);
  add(&r, GI_RECURRENT_DH, r.backward);
  add(&r, GI_RECURRENT_DC, r.backward && lstm);
  add(&r, GI_RECURRENT_LENGTHS, a->lengths);
  add(&r, GI_RECURRENT_PEEPHOLES, lstm && a->peepholes);
  add(&r, GI_RECURRENT_PROJECTION, lstm && a->projection);
  add(&r, GI_RECURRENT_DGATES, r.backward && !rnn && a->saved);
  add(&r, GI_RECURRENT_DCELLS, r.backward && lstm && a->saved);
  return r;
}

void gi_recurrence_size(gi_recurrence *r, const gi_type *steps, const gi_type *weight) {
  r->steps = steps->dim[0];
  r->batch = steps->dim[1];
  r->units = weight->dim[0] / r->gates;
  r->state = weight->dim[1];
}

gi_type gi_recurrence_type(const gi_recurrence *r, glia_dtype dtype, bool steps,
                           int64_t width) {
  gi_type t = {.dtype = dtype, .rank = 3, .dim = {r->steps, r->batch, width}};
  if (!steps) t = (gi_type){.dtype = dtype, .rank = 2, .dim = {r->batch, width}};
  return t;
}

typedef struct wanted { /* of an input */
  const char *name, *axes;
  int rank;
  int64_t dim[3];
} wanted;

static wanted wanted_of(const gi_recurrence *r, gi_recurrent_input i) {
  const int64_t t = r->steps, n = r->batch, h = r->units, p = r->state;
  switch (i) {
    case GI_RECURRENT_X: return (wanted){"x", "[T, N, gates H]", 3, {t, n, r->gates * h}};
    case GI_RECURRENT_U: return (wanted){"the weight", "[gates H, P]", 2, {r->gates * h, p}};
    case GI_RECURRENT_H0: return (wanted){"h0", "[N, P]", 2, {n, p}};
    case GI_RECURRENT_C0: return (wanted){"c0", "[N, H]", 2, {n, h}};
    case GI_RECURRENT_BIAS: return (wanted){"the bias", "[H]", 1, {h}};
    case GI_RECURRENT_Y: return (wanted){"y", "[T, N, P]", 3, {t, n, p}};
    case GI_RECURRENT_GATES: return (wanted){"gates", "[T, N, 4 H]", 3, {t, n, 4 * h}};
    case GI_RECURRENT_CELLS: return (wanted){"cells", "[T, N, H]", 3, {t, n, h}};
    case GI_RECURRENT_DY: return (wanted){"dy", "[T, N, P]", 3, {t, n, p}};
    case GI_RECURRENT_DH: return (wanted){"dh", "[N, P]", 2, {n, p}};
    case GI_RECURRENT_DC: return (wanted){"dc", "[N, H]", 2, {n, h}};
    case GI_RECURRENT_LENGTHS: return (wanted){"lengths", "[N]", 1, {n}};
    case GI_RECURRENT_PEEPHOLES: return (wanted){"peepholes", "[3, H]", 2, {3, h}};
    case GI_RECURRENT_PROJECTION: return (wanted){"the projection", "[P, H]", 2, {p, h}};
    case GI_RECURRENT_DGATES: return (wanted){"dgates", "[T, N, 4 H]", 3, {t, n, 4 * h}};
    default: return (wanted){"dcells", "[T, N, H]", 3, {t, n, h}};
  }
}

static glia_status check_input(const gi_infer *c, const gi_recurrence *r,
                               gi_recurrent_input i) {
  const wanted w = wanted_of(r, i);
  const gi_type *t = &c->in[r->at[i]];
  gi_type like = {.rank = w.rank};
  char tt[GI_TEXT], tw[GI_TEXT];
  memcpy(like.dim, w.dim, (size_t)w.rank * sizeof w.dim[0]);
  if (!gi_shape_equal(t, &like))
    return gi_fail(GLIA_SHAPE, "%s: %s is %s, wanted %s = %s", r->op->name, w.name,
                   gi_shape_text(t, tt, sizeof tt), w.axes,
                   gi_shape_text(&like, tw, sizeof tw));
  if (i != GI_RECURRENT_LENGTHS)
    return gi_want_same(c, r->at[GI_RECURRENT_U], r->at[i], r->op->name);
  if (t->dtype == GLIA_I64 || t->dtype == GLIA_I32) return GLIA_OK;
  return gi_fail(GLIA_DTYPE, "%s: lengths are %s, wanted i64 or i32", r->op->name,
                 gi_type_text(t, tt, sizeof tt));
}

glia_status gi_recurrence_check(const gi_infer *c, const gi_op *op, gi_recurrence *r) {
  *r = gi_recurrence_of(op, c->attr);
  char text[GI_TEXT];
  if (c->n_in != r->n_in)
    return gi_fail(GLIA_INVALID, "%s: %d inputs, wanted %d with these attributes", op->name,
                   c->n_in, r->n_in);
  const int steps = gi_steps_input(r), weight = r->at[GI_RECURRENT_U];
  GI_TRY(gi_want_rank(c, steps, 3, op->name, r->backward ? "dy" : "x", "[T, N, columns]"));
  GI_TRY(gi_want_rank(c, weight, 2, op->name, "the weight", "[gates H, P]"));
  GI_TRY(gi_want_float(c, weight, op->name, "the weight"));
  gi_recurrence_size(r, &c->in[steps], &c->in[weight]);
  if (r->steps == 0 || r->units == 0 || r->state == 0)
    return gi_fail(GLIA_SHAPE, "%s: no steps, or no units: the weight is %s, %" PRId64 " steps",
                   op->name, gi_shape_text(&c->in[weight], text, sizeof text), r->steps);
  for (gi_recurrent_input i = 0; i < GI_RECURRENT_INPUTS; i++)
    if (gi_has(r, i)) GI_TRY(check_input(c, r, i));
  if (r->state != r->units && !gi_has(r, GI_RECURRENT_PROJECTION))
    return gi_fail(GLIA_SHAPE,
                   "%s: %" PRId64 " units give a state of %" PRId64
                   " numbers, wanted as many, or a projection",
                   op->name, r->units, r->state);
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
  gi_recurrence_size(&r, &c->in[gi_steps_input(&r)], &c->in[r.at[GI_RECURRENT_U]]);
  gi_cost k = gi_default_cost(c);
  double each = 2 * (double)r.gates * (double)r.units * (double)r.state;
  if (gi_has(&r, GI_RECURRENT_PROJECTION)) each += 2 * (double)r.units * (double)r.state;
  k.flops = (double)r.steps * (double)r.batch * (each + 10 * (double)(r.gates * r.units));
  return k;
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

glia_value gi_recurrent_or_zeros(glia_value v, glia_value like, const gi_type *t) {
  if (!gi_null(v)) return v;
  return glia_broadcast_to(glia_scalar_like(like, 0), t->rank, t->dim);
}

glia_value gi_recurrent_weight_grad(glia_value a, glia_value b) {
  if (gi_null(a) || gi_null(b)) return GLIA_NONE;
  const int64_t rows = glia_value_dim(a, 0) * glia_value_dim(a, 1);
  const int64_t sa[] = {rows, glia_value_dim(a, 2)}, sb[] = {rows, glia_value_dim(b, 2)};
  return glia_matmul(glia_reshape(a, 2, sa), glia_reshape(b, 2, sb), .transpose_a = true);
}

glia_value gi_recurrent_before(const gi_recurrence *r, glia_value all, glia_value first,
                               glia_value lengths) {
  const glia_value start = rows_of(first, true);
  if (r->steps == 1) return start;
  const int64_t from = r->reverse ? 1 : 0;
  const glia_value rest = glia_slice(all, 0, from, from + r->steps - 1, 1);
  const glia_value parts[] = {r->reverse ? rest : start, r->reverse ? start : rest};
  const glia_value moved = glia_concat(parts, 2, 0);
  if (gi_null(lengths) || !r->reverse) return moved;
  /* the step after t is padding: t is the first of its sequence */
  const glia_value range =
      glia_cast(glia_range(all.graph, r->steps, GLIA_I64), glia_value_dtype(lengths));
  const glia_value after = glia_reshape(glia_add(range, glia_scalar_like(range, 1)), 3,
                                        (const int64_t[]){r->steps, 1, 1});
  const glia_value inside =
      glia_less(after, glia_reshape(lengths, 3, (const int64_t[]){1, r->batch, 1}));
  return glia_where(inside, moved, start);
}

/* ---- the gradient, written out ----------------------------------------------------------- */

static glia_value step_of(glia_value v, int64_t t) {
  return rows_of(glia_slice(v, 0, t, t + 1, 1), false);
}

glia_value gi_recurrent_at(const gi_back_step *s, gi_recurrent_input i) {
  return step_of(s->in[s->r->at[i]], s->t);
}

/* Does step t count? [N, 1] */
static glia_value counts(const gi_recurrence *r, const glia_value *in, int64_t t) {
  const glia_value lengths = in[r->at[GI_RECURRENT_LENGTHS]];
  const glia_value counted = glia_less(glia_scalar_like(lengths, (double)t), lengths);
  return glia_reshape(counted, 2, (const int64_t[]){r->batch, 1});
}

glia_value gi_recurrent_before_step(const gi_back_step *s, gi_recurrent_input all,
                                    gi_recurrent_input first) {
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
  glia_value dy = gi_recurrent_at(s, GI_RECURRENT_DY);
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

glia_status gi_recurrent_unroll(const gi_recurrence *r, const gi_lower *c,
                                void (*step)(gi_back_step *s), gi_back *out) {
  const size_t n = (size_t)r->steps;
  glia_value *all = gi_alloc(3 * n * sizeof *all);
  if (all == NULL) return gi_fail_nomem(3 * n * sizeof *all);
  glia_value carried = c->in[r->at[GI_RECURRENT_DH]];
  gi_back_step s = {.r = r, .in = c->in, .dc = out->dc};
  for (int64_t k = r->steps - 1; k >= 0; k--) {
    s.t = gi_step(r, k);
    s.first = k == 0;
    if (gi_has(r, GI_RECURRENT_LENGTHS)) s.valid = counts(r, c->in, s.t);
    carried = step_back(&s, step, carried, c->in[r->at[GI_RECURRENT_U]]);
    all[s.t] = rows_of(s.dx, true);
    all[(int64_t)n + s.t] = rows_of(s.du, true);
    all[2 * (int64_t)n + s.t] = rows_of(s.dh, true);
  }
  out->dx = glia_concat(all, (int)n, 0);
  out->du = glia_concat(all + n, (int)n, 0);
  out->dh_all = glia_concat(all + 2 * n, (int)n, 0);
  out->dh0 = carried;
  out->dc = s.dc;
  gi_free(all);
  return GLIA_OK;
}

/* ---- reference --------------------------------------------------------------------------- */

glia_status gi_each_sequence(gi_ref *c, const gi_op *op, void (*fn)(gi_sequence *s)) {
  gi_recurrence r = gi_recurrence_of(op, c->attr);
  gi_recurrence_size(&r, &c->in[gi_steps_input(&r)].t, &c->in[r.at[GI_RECURRENT_U]].t);
  const size_t numbers = (size_t)(r.state + (2 + r.gates) * r.units);
  const size_t bytes = numbers * sizeof(double) + (size_t)r.batch * sizeof(int64_t);
  double *room = gi_alloc(bytes);
  if (room == NULL) return gi_fail_nomem(bytes);
  int64_t *lengths = (int64_t *)(room + numbers);
  const gi_buf *given =
      gi_has(&r, GI_RECURRENT_LENGTHS) ? &c->in[r.at[GI_RECURRENT_LENGTHS]] : NULL;
  const glia_status status = gi_recurrence_lengths(&r, given, lengths);
  for (int64_t n = 0; n < r.batch && status == GLIA_OK; n++) {
    gi_sequence s = {.r = &r, .c = c, .n = n, .length = lengths[n]};
    s.h = room;
    s.c_state = s.h + r.state;
    s.hidden = s.c_state + r.units;
    s.sums = s.hidden + r.units;
    fn(&s);
  }
  gi_free(room);
  return status;
}

static int64_t place(const gi_sequence *s, const gi_type *t, int64_t step, int64_t k) {
  const int64_t row = t->rank == 3 ? step * s->r->batch + s->n : s->n;
  return row * t->dim[t->rank - 1] + k;
}

double gi_sequence_get(const gi_sequence *s, gi_recurrent_input i, int64_t t, int64_t k) {
  const gi_buf *b = gi_input_of(s, i);
  return b != NULL ? gi_get(b, place(s, &b->t, t, k)) : 0;
}

void gi_sequence_put(const gi_sequence *s, int o, int64_t t, int64_t k, double v) {
  gi_put(&s->c->out[o], place(s, &s->c->out[o].t, t, k), v);
}

void gi_sequence_clear(const gi_sequence *s, int o, int64_t t) {
  const gi_type *type = &s->c->out[o].t;
  for (int64_t k = 0; k < type->dim[type->rank - 1]; k++) gi_sequence_put(s, o, t, k, 0);
}

void gi_sequence_load(const gi_sequence *s, gi_recurrent_input i, int64_t n, double *v) {
  for (int64_t k = 0; k < n; k++) v[k] = gi_sequence_get(s, i, 0, k);
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
