/* ctc.c - connectionist temporal classification: -log of the probability that a sequence of
 * letters comes out, whatever the times, and its gradient. (Graves et al., ICML 2006,
 * doi:10.1145/1143844.1143891)
 *
 *   x        [T, N, C] logarithms of the letters' probabilities at each time
 *   targets  [N, S], i64 or i32: the letters, of which the first target_lengths[n] count
 *   input_lengths, target_lengths  [N], i64 or i32: at most T, at most S
 *   loss     [N]; infinite where no path of input_lengths[n] times spells the target
 *
 * A path names a letter at each time; repeated letters and then blanks are taken out. With the
 * target z of L letters spread to e = blank z[0] blank z[1] ... blank (2 L + 1 places),
 *
 *   alpha[t, s] = x[t, e[s]] + log(sum of e^alpha[t - 1, r], r = s, s - 1 and, where e[s] is no
 *                 blank and not e[s - 2], s - 2),   alpha[0, s] = x[0, e[s]] for s = 0, 1
 *   loss        = -log(e^alpha[T' - 1, 2 L] + e^alpha[T' - 1, 2 L - 1])
 *
 * beta is the same from the other end. The share of all paths that stand at place s at time t
 * is e^(alpha + beta - x[t, e[s]] + loss), and the gradient of x[t, c] is minus the sum of the
 * shares of its places; 0 where the loss is infinite. Everything stays logarithms, so that no
 * sequence is too long. Lengths and letters are data, so they are checked at run time.
 */
#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

/* ---- shapes -------------------------------------------------------------------------- */

static glia_status want_whole(const gi_infer *c, int i, const char *op, const char *name) {
  char text[GI_TEXT];
  if (c->in[i].dtype == GLIA_I64 || c->in[i].dtype == GLIA_I32) return GLIA_OK;
  return gi_fail(GLIA_DTYPE, "%s: %s are %s, wanted i64 or i32", op, name,
                 gi_type_text(&c->in[i], text, sizeof text));
}

static glia_status check(const gi_infer *c, const char *op) {
  static const char *const names[] = {"x",      "targets", "input lengths", "target lengths",
                                      "losses", "dlosses"};
  const gi_type *x = &c->in[0];
  const int64_t blank = ((const gi_ctc_attr *)c->attr)->blank;
  char tx[GI_TEXT], ti[GI_TEXT];
  GI_TRY(gi_want_rank(c, 0, 3, op, "x", "[T, N, C]"));
  GI_TRY(gi_want_float(c, 0, op, "x"));
  GI_TRY(gi_want_rank(c, 1, 2, op, "targets", "[N, S]"));
  for (int i = 1; i < 4; i++) GI_TRY(want_whole(c, i, op, names[i]));
  for (int i = 4; i < c->n_in; i++) GI_TRY(gi_want_same(c, 0, i, op));
  for (int i = 1; i < c->n_in; i++)
    if (c->in[i].rank != (i == 1 ? 2 : 1) || c->in[i].dim[0] != x->dim[1])
      return gi_fail(GLIA_SHAPE, "%s: x is %s, %s are %s, wanted one for each of N", op,
                     gi_shape_text(x, tx, sizeof tx), names[i],
                     gi_shape_text(&c->in[i], ti, sizeof ti));
  if (blank < 0 || blank >= x->dim[2])
    return gi_fail(GLIA_INVALID, "%s: the blank is %" PRId64 ", x %s has letters 0 to %" PRId64,
                   op, blank, gi_shape_text(x, tx, sizeof tx), x->dim[2] - 1);
  const gi_type tables = {
      .dtype = GLIA_F64, .rank = 3, .dim = {2, x->dim[0], 2 * c->in[1].dim[1] + 1}};
  return gi_type_check(&tables, op);
}

static glia_status infer_loss(gi_infer *c) {
  GI_TRY(check(c, "ctc"));
  c->out[0] = (gi_type){.dtype = c->in[0].dtype, .rank = 1, .dim = {c->in[0].dim[1]}};
  return GLIA_OK;
}

static glia_status infer_grad(gi_infer *c) {
  GI_TRY(check(c, "ctc_grad"));
  c->out[0] = c->in[0];
  return GLIA_OK;
}

static glia_status vjp(gi_vjp *c) {
  const glia_value in[] = {c->in[0], c->in[1], c->in[2], c->in[3], c->out[0], c->dout[0]};
  if (c->need[0]) c->din[0] = gi_emit(c->g, &gi_op_ctc_grad, c->attr, in, 6, NULL);
  return GLIA_OK;
}

/* ---- the gradient in plain ops ------------------------------------------------------- */

/* All of it as nodes, time by time: what second derivatives are taken of. No path is -1e30
 * here, whose exponential is 0 and whose differences are numbers. */
#define NO_PATH -1e30

typedef struct unrolled {
  int64_t blank, times, places;
  glia_value letters; /* [N, P]: blank z[0] blank ...; blanks behind the target's end */
  glia_value skip;    /* [N, P]: from s - 2 to s */
  glia_value ends;    /* [N, P]: the last two places */
  glia_value last;    /* [N, 1]: the last time */
  glia_value *x, *a;  /* of each time [N, P]: x of the letters, alpha */
} unrolled;

static glia_value column_of(glia_value v) {
  return glia_reshape(v, 2, (const int64_t[]){glia_value_dim(v, 0), 1});
}

static glia_value times_k(glia_value x, double k) {
  return glia_mul(x, glia_scalar_like(x, k));
}

/* v [N, P] moved by k places to the right, or to the left where k < 0; `fill` comes in. */
static glia_value moved(glia_value v, int64_t k, double fill) {
  const int64_t n = glia_value_dim(v, 1), before[] = {0, GI_MAX(k, 0)},
                after[] = {0, GI_MAX(-k, 0)};
  return glia_slice(glia_pad(v, before, after, fill), 1, GI_MAX(-k, 0), n + GI_MAX(-k, 0), 1);
}

static glia_value log_sum_of(glia_value a, glia_value b, glia_value c) {
  const glia_value m = glia_stop_gradient(glia_maximum(a, glia_maximum(b, c)));
  const glia_value sum = glia_add(glia_add(glia_exp(glia_sub(a, m)), glia_exp(glia_sub(b, m))),
                                  glia_exp(glia_sub(c, m)));
  return glia_add(m, glia_log(sum));
}

/* blank z[0] blank ... z[S - 1] blank */
static glia_value spread(glia_value targets, glia_value lengths, int64_t blank) {
  const int64_t n = glia_value_dim(targets, 0), s = glia_value_dim(targets, 1);
  const glia_value b = glia_scalar_like(targets, (double)blank);
  const glia_value single = glia_broadcast_to(b, 2, (const int64_t[]){n, 1});
  if (s == 0) return single;
  const glia_value place =
      glia_reshape(glia_range(targets.graph, s, GLIA_I64), 2, (const int64_t[]){1, s});
  const glia_value own = glia_where(glia_less(place, column_of(lengths)), targets, b);
  const int64_t deep[] = {n, s, 1}, flat[] = {n, 2 * s};
  const glia_value pair[] = {glia_broadcast_to(b, 3, deep), glia_reshape(own, 3, deep)};
  const glia_value both[] = {glia_reshape(glia_concat(pair, 2, 2), 2, flat), single};
  return glia_concat(both, 2, 1);
}

static void describe(unrolled *u, const gi_lower *c, glia_dtype dtype) {
  glia_graph *g = c->g;
  const glia_value targets = glia_cast(c->in[1], GLIA_I64);
  const glia_value times = column_of(glia_cast(c->in[2], GLIA_I64));
  const glia_value lengths = glia_cast(c->in[3], GLIA_I64);
  const glia_value place =
      glia_reshape(glia_range(g, u->places, GLIA_I64), 2, (const int64_t[]){1, u->places});
  const glia_value half = times_k(glia_cast(place, dtype), 0.5);
  const glia_value odd = glia_not_equal(half, glia_floor(half));
  const glia_value end = times_k(column_of(lengths), 2), one = glia_scalar_like(end, 1);
  u->letters = spread(targets, lengths, u->blank);
  u->skip = glia_logical_and(odd, glia_not_equal(u->letters, moved(u->letters, 2, -1)));
  u->ends = glia_logical_or(glia_equal(place, end), glia_equal(place, glia_sub(end, one)));
  u->last = glia_sub(times, one);
}

static void unroll_forward(unrolled *u, glia_value x) {
  const int64_t n = glia_value_dim(x, 1), c = glia_value_dim(x, 2),
                first = GI_MIN(2, u->places);
  for (int64_t t = 0; t < u->times; t++) {
    const glia_value now =
        glia_reshape(glia_slice(x, 0, t, t + 1, 1), 2, (const int64_t[]){n, c});
    u->x[t] = glia_take_along(now, u->letters, 1);
    const glia_value none = glia_scalar_like(x, NO_PATH);
    if (t == 0) {
      const int64_t before[] = {0, 0}, after[] = {0, u->places - first};
      u->a[t] = glia_pad(glia_slice(u->x[t], 1, 0, first, 1), before, after, NO_PATH);
      continue;
    }
    const glia_value a = u->a[t - 1];
    const glia_value sum =
        log_sum_of(a, moved(a, 1, NO_PATH), glia_where(u->skip, moved(a, 2, NO_PATH), none));
    u->a[t] = glia_add(u->x[t], sum);
  }
}

/* d loss of time t, given beta there: minus the shares of its places, added up by letter. */
static glia_value at_time(const unrolled *u, int64_t t, glia_value beta, glia_value loss,
                          glia_value dloss, int64_t letters) {
  const glia_value both = glia_sub(glia_add(u->a[t], beta), u->x[t]);
  const glia_value share = glia_mul(glia_exp(glia_add(both, loss)), glia_neg(dloss));
  const glia_value dx = glia_put_along(share, u->letters, 1, letters);
  return glia_reshape(dx, 3, (const int64_t[]){1, glia_value_dim(dx, 0), letters});
}

/* Backward in time; a[t] becomes the gradient at t as soon as alpha is used. */
static glia_value unroll_backward(unrolled *u, glia_value x, glia_value loss,
                                  glia_value dloss) {
  const glia_value none = glia_scalar_like(x, NO_PATH), zero = glia_scalar_like(x, 0);
  const glia_value start = glia_where(u->ends, zero, none);
  glia_value beta = glia_full_like(start, NO_PATH);
  for (int64_t t = u->times - 1; t >= 0; t--) {
    const glia_value skipped = glia_where(u->skip, beta, none);
    const glia_value next =
        log_sum_of(beta, moved(beta, -1, NO_PATH), moved(skipped, -2, NO_PATH));
    const glia_value now = glia_equal(u->last, glia_scalar_like(u->last, (double)t));
    beta = glia_add(u->x[t], glia_where(now, start, next));
    u->a[t] = at_time(u, t, beta, loss, dloss, glia_value_dim(x, 2));
  }
  return glia_concat(u->a, (int)u->times, 0);
}

static glia_status lower_grad(gi_lower *c) {
  const glia_dtype dtype = glia_value_dtype(c->in[0]);
  const glia_dtype wide = glia_dtype_size(dtype) < 4 ? GLIA_F32 : dtype;
  const glia_value x = glia_cast(c->in[0], wide), zero = glia_scalar_like(x, 0);
  const glia_value given = glia_cast(c->in[4], wide);
  const glia_value some = glia_less(given, glia_scalar_like(given, INFINITY));
  const glia_value loss = column_of(glia_where(some, given, zero));
  const glia_value dloss = column_of(glia_where(some, glia_cast(c->in[5], wide), zero));
  unrolled u = {.blank = ((const gi_ctc_attr *)c->attr)->blank,
                .times = glia_value_dim(x, 0),
                .places = 2 * glia_value_dim(c->in[1], 1) + 1};
  c->out[0] = glia_full_like(c->in[0], 0);
  if (u.times == 0 || glia_value_dim(x, 1) == 0) return GLIA_OK;
  u.x = gi_alloc(2 * (size_t)u.times * sizeof *u.x);
  if (u.x == NULL) return gi_fail_nomem(2 * (size_t)u.times * sizeof *u.x);
  u.a = u.x + u.times;
  describe(&u, c, wide);
  unroll_forward(&u, x);
  c->out[0] = glia_cast(unroll_backward(&u, x, loss, dloss), dtype);
  gi_free(u.x);
  return GLIA_OK;
}

/* ---- the reference ------------------------------------------------------------------- */

typedef struct sequence { /* one of N */
  const gi_ref *c;
  int64_t n, times, places; /* input length, 2 L + 1 */
  double *alpha, *beta;     /* [times, places] */
} sequence;

static int64_t letter_of(const sequence *q, int64_t s) {
  const gi_buf *targets = &q->c->in[1];
  if (s % 2 == 0) return ((const gi_ctc_attr *)q->c->attr)->blank;
  return gi_index_at(targets, q->n * targets->t.dim[1] + s / 2);
}

static int64_t at(const sequence *q, int64_t t, int64_t s) {
  const gi_type *x = &q->c->in[0].t;
  return (t * x->dim[1] + q->n) * x->dim[2] + letter_of(q, s);
}

static double log_sum(double a, double b) {
  const double m = fmax(a, b);
  return m == -INFINITY ? m : m + log(exp(a - m) + exp(b - m));
}

/* Place s may be reached from s - 2 as well. */
static bool may_skip(const sequence *q, int64_t s) {
  return s % 2 == 1 && s >= 2 && letter_of(q, s) != letter_of(q, s - 2);
}

static void forward(const sequence *q) {
  for (int64_t t = 0; t < q->times; t++)
    for (int64_t s = 0; s < q->places; s++) {
      const double *before = q->alpha + (t - 1) * q->places;
      double sum = t == 0 && s < 2 ? 0 : -INFINITY;
      if (t > 0) sum = before[s];
      if (t > 0 && s > 0) sum = log_sum(sum, before[s - 1]);
      if (t > 0 && may_skip(q, s)) sum = log_sum(sum, before[s - 2]);
      q->alpha[t * q->places + s] = sum + gi_get(&q->c->in[0], at(q, t, s));
    }
}

static void backward(const sequence *q) {
  for (int64_t t = q->times - 1; t >= 0; t--)
    for (int64_t s = q->places - 1; s >= 0; s--) {
      const double *after = q->beta + (t + 1) * q->places;
      const bool last = t + 1 == q->times;
      double sum = last && s + 2 >= q->places ? 0 : -INFINITY;
      if (!last) sum = after[s];
      if (!last && s + 1 < q->places) sum = log_sum(sum, after[s + 1]);
      if (!last && s + 2 < q->places && may_skip(q, s + 2)) sum = log_sum(sum, after[s + 2]);
      q->beta[t * q->places + s] = sum + gi_get(&q->c->in[0], at(q, t, s));
    }
}

/* Lengths and letters of sequence n, checked. */
static glia_status begin(sequence *q, const gi_ref *c, int64_t n, const char *op) {
  const int64_t most = c->in[0].t.dim[0], room = c->in[1].t.dim[1];
  const int64_t length = gi_index_at(&c->in[3], n);
  q->c = c;
  q->n = n;
  q->times = gi_index_at(&c->in[2], n);
  if (q->times < 0 || q->times > most)
    return gi_fail(GLIA_INVALID,
                   "%s: input length %" PRId64 " is %" PRId64 ", wanted 0 to %" PRId64, op, n,
                   q->times, most);
  if (length < 0 || length > room)
    return gi_fail(GLIA_INVALID,
                   "%s: target length %" PRId64 " is %" PRId64 ", wanted 0 to %" PRId64, op, n,
                   length, room);
  q->places = 2 * length + 1;
  for (int64_t i = 0; i < length; i++) {
    const int64_t letter = letter_of(q, 2 * i + 1);
    if (letter < 0 || letter >= c->in[0].t.dim[2])
      return gi_fail(GLIA_INVALID,
                     "%s: letter %" PRId64 " of target %" PRId64 " is %" PRId64
                     ", wanted 0 to %" PRId64,
                     op, i, n, letter, c->in[0].t.dim[2] - 1);
  }
  return GLIA_OK;
}

static double loss_of(const sequence *q) {
  if (q->times == 0) return q->places == 1 ? 0 : INFINITY;
  const double *end = q->alpha + (q->times - 1) * q->places;
  const double one = end[q->places - 1];
  return -(q->places > 1 ? log_sum(one, end[q->places - 2]) : one);
}

/* Room for `tables` tables of the largest sequence. */
static double *new_tables(const gi_ref *c, size_t tables) {
  const size_t times = (size_t)c->in[0].t.dim[0], places = 2 * (size_t)c->in[1].t.dim[1] + 1;
  return gi_alloc(tables * times * places * sizeof(double) + 1);
}

static glia_status ref_loss(gi_ref *c) {
  glia_status s = GLIA_OK;
  sequence q = {.alpha = new_tables(c, 1)};
  if (q.alpha == NULL) return gi_fail_nomem(1);
  for (int64_t n = 0; s == GLIA_OK && n < c->in[0].t.dim[1]; n++) {
    s = begin(&q, c, n, "ctc");
    if (s != GLIA_OK) break;
    forward(&q);
    gi_put(&c->out[0], n, loss_of(&q));
  }
  gi_free(q.alpha);
  return s;
}

static void add_shares(const sequence *q) {
  const double loss = gi_get(&q->c->in[4], q->n), dloss = gi_get(&q->c->in[5], q->n);
  const gi_buf *dx = &q->c->out[0];
  if (!(loss < INFINITY)) return; /* no path, or NaN */
  for (int64_t t = 0; t < q->times; t++)
    for (int64_t s = 0; s < q->places; s++) {
      const int64_t e = t * q->places + s, i = at(q, t, s);
      const double both = q->alpha[e] + q->beta[e];
      if (both == -INFINITY) continue;
      gi_put(dx, i, gi_get(dx, i) - dloss * exp(both - gi_get(&q->c->in[0], i) + loss));
    }
}

static glia_status ref_grad(gi_ref *c) {
  glia_status s = GLIA_OK;
  sequence q = {.alpha = new_tables(c, 2)};
  if (q.alpha == NULL) return gi_fail_nomem(1);
  q.beta = q.alpha + c->in[0].t.dim[0] * (2 * c->in[1].t.dim[1] + 1);
  gi_zero(&c->out[0]);
  for (int64_t n = 0; s == GLIA_OK && n < c->in[0].t.dim[1]; n++) {
    s = begin(&q, c, n, "ctc_grad");
    if (s != GLIA_OK) break;
    forward(&q);
    backward(&q);
    add_shares(&q);
  }
  gi_free(q.alpha);
  return s;
}

static gi_cost cost(
    const gi_infer *c) { /* three exponentials and a logarithm a place and time */
  const double places = 2 * (double)c->in[1].dim[1] + 1;
  gi_cost k = gi_default_cost(c);
  k.flops = 40 * places * (double)c->in[0].dim[0] * (double)c->in[0].dim[1];
  return k;
}

/* ---- samples and rows ---------------------------------------------------------------- */

static const gi_ctc_attr first = {0}, third = {2}, ninth = {9};
static const gi_attr fields[] = {
    {"blank", GI_ATTR_I64, offsetof(gi_ctc_attr, blank), "the letter that is none"},
    {NULL, GI_ATTR_I64, 0, NULL},
};
#define X            -3, 0, GLIA_F32
#define L(low, high) low, high, GLIA_I64
/* clang-format off */
static const gi_sample samples_loss[] = {
    {&first, 4, {{3, {4, 2, 3}, X}, {2, {2, 2}, L(1, 3)}, {1, {2}, L(4, 5)}, {1, {2}, L(1, 3)}}, GLIA_OK},
    {&third, 4, {{3, {9, 3, 4}, X}, {2, {3, 3}, L(0, 2)}, {1, {3}, L(7, 10)}, {1, {3}, 0, 4, GLIA_I32}}, GLIA_OK},
    {&first, 4, {{3, {5, 2, 3}, X}, {2, {2, 0}, L(1, 3)}, {1, {2}, L(1, 6)}, {1, {2}, L(0, 1)}}, GLIA_OK},
    {&first, 4, {{3, {5, 0, 3}, X}, {2, {0, 2}, L(1, 3)}, {1, {0}, L(5, 6)}, {1, {0}, L(2, 3)}}, GLIA_OK},
    {&ninth, 4, {{3, {4, 2, 3}, X}, {2, {2, 2}, L(1, 3)}, {1, {2}, L(4, 5)}, {1, {2}, L(1, 3)}}, GLIA_INVALID},
    {&first, 4, {{2, {4, 2}, X}, {2, {2, 2}, L(1, 3)}, {1, {2}, L(4, 5)}, {1, {2}, L(1, 3)}}, GLIA_SHAPE},
    {&first, 4, {{3, {4, 2, 3}, X}, {1, {2}, L(1, 3)}, {1, {2}, L(4, 5)}, {1, {2}, L(1, 3)}}, GLIA_SHAPE},
    {&first, 4, {{3, {4, 2, 3}, X}, {2, {2, 2}, L(1, 3)}, {1, {3}, L(4, 5)}, {1, {2}, L(1, 3)}}, GLIA_SHAPE},
    {&first, 4, {{3, {4, 2, 3}, X}, {2, {2, 2}, X}, {1, {2}, L(4, 5)}, {1, {2}, L(1, 3)}}, GLIA_DTYPE},
    {&first, 4, {{3, {4, 2, 3}, L(0, 2)}, {2, {2, 2}, L(1, 3)}, {1, {2}, L(4, 5)}, {1, {2}, L(1, 3)}}, GLIA_DTYPE},
};
static const gi_sample samples_grad[] = {
    {&first, 6, {{3, {4, 2, 3}, X}, {2, {2, 2}, L(1, 3)}, {1, {2}, L(4, 5)}, {1, {2}, L(1, 3)}, {1, {2}, 1, 2, GLIA_F32}, {1, {2}, 1, 2, GLIA_F32}}, GLIA_OK},
    {&third, 6, {{3, {6, 3, 4}, X}, {2, {3, 3}, L(0, 2)}, {1, {3}, L(4, 7)}, {1, {3}, 0, 4, GLIA_I32}, {1, {3}, 1, 2, GLIA_F32}, {1, {3}, -1, 1, GLIA_F32}}, GLIA_OK},
    {&first, 6, {{3, {3, 2, 3}, X}, {2, {2, 0}, L(1, 3)}, {1, {2}, L(1, 4)}, {1, {2}, L(0, 1)}, {1, {2}, 1, 2, GLIA_F32}, {1, {2}, 1, 2, GLIA_F32}}, GLIA_OK},
    {&first, 6, {{3, {4, 2, 3}, X}, {2, {2, 2}, L(1, 3)}, {1, {2}, L(4, 5)}, {1, {2}, L(1, 3)}, {1, {3}, 1, 2, GLIA_F32}, {1, {2}, 1, 2, GLIA_F32}}, GLIA_SHAPE},
    {&first, 6, {{3, {4, 2, 3}, X}, {2, {2, 2}, L(1, 3)}, {1, {2}, L(4, 5)}, {1, {2}, L(1, 3)}, {1, {2}, L(1, 2)}, {1, {2}, 1, 2, GLIA_F32}}, GLIA_DTYPE},
};
/* clang-format on */
#undef X
#undef L

const gi_op gi_op_ctc = {
    .name = "ctc",
    .doc = "-log of the probability of a sequence of letters, whatever their times",
    .paper = "doi:10.1145/1143844.1143891",
    .torch = "torch.nn.functional.ctc_loss(x0, x1, x2, x3, blank, reduction='none')",
    .min_in = 4,
    .max_in = 4,
    .n_out = 1,
    .attr_size = sizeof(gi_ctc_attr),
    .attrs = fields,
    .infer = infer_loss,
    .vjp = vjp,
    .ref = ref_loss,
    .cost = cost,
    .samples = samples_loss,
    .n_samples = GI_COUNT(samples_loss),
};

const gi_op gi_op_ctc_grad = {
    .name = "ctc_grad",
    .doc = "gradient of ctc with respect to the logarithms",
    .paper = "doi:10.1145/1143844.1143891",
    .min_in = 6,
    .max_in = 6,
    .n_out = 1,
    .attr_size = sizeof(gi_ctc_attr),
    .attrs = fields,
    .infer = infer_grad,
    .lower = lower_grad,
    .ref = ref_grad,
    .cost = cost,
    .samples = samples_grad,
    .n_samples = GI_COUNT(samples_grad),
};

const gi_op *const gi_ops_ctc[] = {&gi_op_ctc, &gi_op_ctc_grad, NULL};
