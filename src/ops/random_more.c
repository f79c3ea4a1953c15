/* random_more.c - chance beyond uniform and normal: whole numbers, orders, truncated normals as
 * ops; what is a function of those (exponential, Gumbel, choices) as builders.
 *
 * As in random.c element i is a function of (seed, stream, step, i) alone. A permutation is one
 * draw of all its elements, and so a function of (seed, stream, step, n).
 */
#include <math.h>

#include "glia/chance.h"
#include "glia/index.h"
#include "ops/attrs.h"
#include "ops/ref.h"

static gi_rng rng_of(const gi_ref *c, uint64_t stream) {
  return (gi_rng){.seed = c->clock->seed, .stream = stream, .step = c->clock->step};
}

/* ---- whole numbers ------------------------------------------------------------------- */

static glia_status infer_integers(gi_infer *c) {
  const gi_random_integers_attr *a = c->attr;
  char text[GI_TEXT];
  GI_TRY(gi_type_check(&a->type, "random_integers"));
  if (a->type.dtype == GLIA_BOOL)
    return gi_fail(GLIA_DTYPE, "random_integers: %s is asked for, wanted numbers",
                   gi_type_text(&a->type, text, sizeof text));
  if (a->low >= a->high || (uint64_t)a->high - (uint64_t)a->low > UINT32_MAX)
    return gi_fail(GLIA_INVALID,
                   "random_integers: from %" PRId64 " to below %" PRId64
                   ", wanted low < high, less than 2^32 numbers",
                   a->low, a->high);
  c->out[0] = a->type;
  return GLIA_OK;
}

static glia_status ref_integers(gi_ref *c) {
  const gi_random_integers_attr *a = c->attr;
  const gi_rng r = rng_of(c, a->stream);
  const uint64_t n = (uint64_t)a->high - (uint64_t)a->low;
  const int64_t count = gi_type_count(&a->type);
  for (int64_t e = 0; e < count; e++) {
    const int64_t v = a->low + (int64_t)gi_rng_below(&r, (uint64_t)e, n);
    if (a->type.dtype == GLIA_I64)
      ((int64_t *)c->out[0].p)[e] = v;
    else
      gi_put(&c->out[0], e, (double)v);
  }
  return GLIA_OK;
}

static glia_status infer_permutation(gi_infer *c) {
  const gi_random_integers_attr *a = c->attr;
  if (a->type.rank != 1 || a->type.dtype != GLIA_I64 || a->type.dim[0] < 0 ||
      a->type.dim[0] > UINT32_MAX)
    return gi_fail(GLIA_SHAPE, "random_permutation: wanted [0 to 2^32 - 1] of i64");
  c->out[0] = a->type;
  return GLIA_OK;
}

static glia_status ref_permutation(gi_ref *c) {
  const gi_random_integers_attr *a = c->attr;
  const gi_rng r = rng_of(c, a->stream);
  int64_t *order = c->out[0].p;
  for (int64_t e = 0; e < a->type.dim[0]; e++) order[e] = e;
  gi_rng_shuffle(&r, order, a->type.dim[0]);
  return GLIA_OK;
}

/* ---- truncated normal ---------------------------------------------------------------- */

static glia_status infer_truncated(gi_infer *c) {
  const gi_random_truncated_attr *a = c->attr;
  char text[GI_TEXT];
  GI_TRY(gi_type_check(&a->type, "random_truncated_normal"));
  if (!glia_dtype_is_float(a->type.dtype))
    return gi_fail(GLIA_DTYPE, "random_truncated_normal: %s is asked for, wanted a float type",
                   gi_type_text(&a->type, text, sizeof text));
  if (!isfinite(a->mean) || !isfinite(a->deviation) || !(a->deviation > 0) ||
      !(a->low < a->high) || a->low > a->mean + 8 * a->deviation ||
      a->high < a->mean - 8 * a->deviation)
    return gi_fail(GLIA_INVALID,
                   "random_truncated_normal: mean %g, deviation %g, from %g to %g; wanted a "
                   "deviation > 0 and low < high not farther than 8 deviations from the mean",
                   a->mean, a->deviation, a->low, a->high);
  c->out[0] = a->type;
  return GLIA_OK;
}

/* The share of a normal distribution that lies below z. */
static double below(double z) { return 0.5 * erfc(-z * 0.70710678118654752440); }

/* The z in low .. high with below(z) = p: Newton's steps, halving where one leaves the
 * bracket. */
static double quantile(double p, double low, double high) {
  double z = low + (high - low) / 2;
  for (int i = 0; i < 100 && high - low > 1e-15 * (1 + fabs(z)); i++) {
    const double off = below(z) - p;
    if (off > 0)
      high = z;
    else
      low = z;
    const double density = 0.39894228040143267794 * exp(-z * z / 2);
    const double next = z - off / density;
    if (next == z) break;
    z = next > low && next < high ? next : low + (high - low) / 2;
  }
  return z;
}

static glia_status ref_truncated(gi_ref *c) {
  const gi_random_truncated_attr *a = c->attr;
  const gi_rng r = rng_of(c, a->stream);
  const double low = fmax((a->low - a->mean) / a->deviation, -40),
               high = fmin((a->high - a->mean) / a->deviation, 40);
  const double from = below(low), to = below(high);
  const int64_t count = gi_type_count(&a->type);
  for (int64_t e = 0; e < count; e++) {
    const double u = gi_rng_uniform(&r, (uint64_t)e) + 0x1p-25; /* never at the ends */
    gi_put(&c->out[0], e, a->mean + a->deviation * quantile(from + (to - from) * u, low, high));
  }
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) {
  gi_cost k = gi_default_cost(c);
  k.flops *= 20;
  return k;
}

/* ---- samples and rows ---------------------------------------------------------------- */

static const gi_random_integers_attr dice = {{GLIA_I64, 1, {67}}, 1, 7, 3},
                                     narrow = {{GLIA_U8, 2, {5, 7}}, 0, 256, 4},
                                     floats = {{GLIA_F32, 1, {9}}, -3, 3, 4},
                                     nothing = {{GLIA_I32, 1, {0}}, 0, 1, 5},
                                     backwards = {{GLIA_I64, 1, {2}}, 1, 1, 6},
                                     far = {{GLIA_I64, 1, {2}}, 0, INT64_MAX, 6},
                                     truth = {{GLIA_BOOL, 1, {2}}, 0, 2, 7},
                                     order40 = {{GLIA_I64, 1, {40}}, 0, 0, 8},
                                     order1 = {{GLIA_I64, 1, {1}}, 0, 0, 8},
                                     order0 = {{GLIA_I64, 1, {0}}, 0, 0, 8},
                                     flat = {{GLIA_I64, 2, {2, 2}}, 0, 0, 8};
static const gi_random_truncated_attr usual = {{GLIA_F32, 1, {67}}, 0, 1, -2, 2, 3},
                                      tail = {{GLIA_F64, 2, {5, 7}}, 1, 0.5, 2, 9, 4},
                                      half = {{GLIA_F32, 1, {9}}, 0, 2, 0, INFINITY, 4},
                                      far_off = {{GLIA_F32, 1, {9}}, 0, 1, 9, 10, 4},
                                      point = {{GLIA_F32, 1, {9}}, 0, 1, 1, 1, 4},
                                      integers = {{GLIA_I32, 1, {9}}, 0, 1, -1, 1, 4};
static const gi_sample samples_integers[] = {
    {&dice, 0, {{0}}, GLIA_OK},           {&narrow, 0, {{0}}, GLIA_OK},
    {&floats, 0, {{0}}, GLIA_OK},         {&nothing, 0, {{0}}, GLIA_OK},
    {&backwards, 0, {{0}}, GLIA_INVALID}, {&far, 0, {{0}}, GLIA_INVALID},
    {&truth, 0, {{0}}, GLIA_DTYPE},
};
static const gi_sample samples_permutation[] = {
    {&order40, 0, {{0}}, GLIA_OK},
    {&order1, 0, {{0}}, GLIA_OK},
    {&order0, 0, {{0}}, GLIA_OK},
    {&flat, 0, {{0}}, GLIA_SHAPE},
};
static const gi_sample samples_truncated[] = {
    {&usual, 0, {{0}}, GLIA_OK},      {&tail, 0, {{0}}, GLIA_OK},
    {&half, 0, {{0}}, GLIA_OK},       {&far_off, 0, {{0}}, GLIA_INVALID},
    {&point, 0, {{0}}, GLIA_INVALID}, {&integers, 0, {{0}}, GLIA_DTYPE},
};

static const gi_attr fields_integers[] = {
    {"type", GI_ATTR_TYPE, offsetof(gi_random_integers_attr, type), "of the result"},
    {"low", GI_ATTR_I64, offsetof(gi_random_integers_attr, low), "smallest"},
    {"high", GI_ATTR_I64, offsetof(gi_random_integers_attr, high), "limit, itself left out"},
    {"stream", GI_ATTR_U64, offsetof(gi_random_integers_attr, stream), "which random numbers"},
    {NULL, GI_ATTR_I64, 0, NULL},
};
static const gi_attr fields_permutation[] = {
    {"type", GI_ATTR_TYPE, offsetof(gi_random_integers_attr, type), "of the result: i64 [n]"},
    {"stream", GI_ATTR_U64, offsetof(gi_random_integers_attr, stream), "which random numbers"},
    {NULL, GI_ATTR_I64, 0, NULL},
};
#define TRUNCATED(field) offsetof(gi_random_truncated_attr, field)
static const gi_attr fields_truncated[] = {
    {"type", GI_ATTR_TYPE, TRUNCATED(type), "of the result"},
    {"mean", GI_ATTR_F64, TRUNCATED(mean), "of what is truncated"},
    {"deviation", GI_ATTR_F64, TRUNCATED(deviation), "of what is truncated"},
    {"low", GI_ATTR_F64, TRUNCATED(low), "smallest"},
    {"high", GI_ATTR_F64, TRUNCATED(high), "largest"},
    {"stream", GI_ATTR_U64, TRUNCATED(stream), "which random numbers"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

#define RANDOM(row, text, struct_type, ...)                       \
  const gi_op gi_op_##row = {.name = #row,                        \
                             .doc = text ", fresh at every step", \
                             .min_in = 0,                         \
                             .max_in = 0,                         \
                             .n_out = 1,                          \
                             .flags = GI_RANDOM,                  \
                             .attr_size = sizeof(struct_type),    \
                             .no_grad = "it has no inputs",       \
                             .cost = cost,                        \
                             __VA_ARGS__}
#define WITH(list) .samples = list, .n_samples = GI_COUNT(list)
RANDOM(random_integers, "whole numbers, each as likely", gi_random_integers_attr,
       .attrs = fields_integers, .infer = infer_integers, .ref = ref_integers,
       WITH(samples_integers));
RANDOM(random_permutation, "0 .. n - 1 in an order by chance", gi_random_integers_attr,
       .attrs = fields_permutation, .infer = infer_permutation, .ref = ref_permutation,
       WITH(samples_permutation));
RANDOM(random_truncated_normal, "normal, between two limits", gi_random_truncated_attr,
       .attrs = fields_truncated, .infer = infer_truncated, .ref = ref_truncated,
       WITH(samples_truncated));

const gi_op *const gi_ops_random_more[] = {&gi_op_random_integers, &gi_op_random_permutation,
                                           &gi_op_random_truncated_normal, NULL};

/* ---- builders ------------------------------------------------------------------------ */

static bool fill_type(glia_graph *g, const char *op, gi_type *t, glia_dtype dtype, int rank,
                      const int64_t *shape) {
  *t = (gi_type){.dtype = dtype, .rank = rank};
  if (rank < 0 || rank > GLIA_MAX_RANK) {
    gi_latch(g, GLIA_SHAPE, "%s: rank is %d, want 0 to %d", op, rank, GLIA_MAX_RANK);
    return false;
  }
  for (int d = 0; d < rank; d++) t->dim[d] = shape[d];
  return true;
}

glia_value glia_random_integers(glia_graph *g, glia_dtype dtype, int rank, const int64_t *shape,
                                int64_t low, int64_t high, uint64_t stream) {
  gi_random_integers_attr a = {.low = low, .high = high, .stream = stream};
  if (!fill_type(g, "random_integers", &a.type, dtype, rank, shape)) return GLIA_NONE;
  return gi_emit(g, &gi_op_random_integers, &a, NULL, 0, NULL);
}

glia_value glia_random_permutation(glia_graph *g, int64_t n, uint64_t stream) {
  const gi_random_integers_attr a = {.type = {GLIA_I64, 1, {n}}, .stream = stream};
  return gi_emit(g, &gi_op_random_permutation, &a, NULL, 0, NULL);
}

glia_value glia_shuffle(glia_value x, int axis, uint64_t stream) {
  if (gi_null(x)) return x;
  const int at = gi_axis(axis, glia_value_rank(x));
  if (at < 0)
    return gi_latch(x.graph, GLIA_SHAPE, "shuffle: axis %d is out of range, x has rank %d",
                    axis, glia_value_rank(x));
  return glia_gather(x, glia_random_permutation(x.graph, glia_value_dim(x, at), stream), at);
}

glia_value glia_random_truncated_normal(glia_graph *g, glia_dtype dtype, int rank,
                                        const int64_t *shape, double mean, double deviation,
                                        double low, double high, uint64_t stream) {
  gi_random_truncated_attr a = {
      .mean = mean, .deviation = deviation, .low = low, .high = high, .stream = stream};
  if (!fill_type(g, "random_truncated_normal", &a.type, dtype, rank, shape)) return GLIA_NONE;
  return gi_emit(g, &gi_op_random_truncated_normal, &a, NULL, 0, NULL);
}

/* u in [2^-25, 1): half a step above 0, so that its logarithm is finite. */
static glia_value above_zero(glia_graph *g, glia_dtype dtype, int rank, const int64_t *shape,
                             uint64_t stream) {
  const glia_value u = glia_random_uniform(g, dtype, rank, shape, 0, 1, stream);
  return gi_null(u) ? u : glia_maximum(u, glia_scalar_like(u, 0x1p-25));
}

glia_value glia_random_exponential(glia_graph *g, glia_dtype dtype, int rank,
                                   const int64_t *shape, double rate, uint64_t stream) {
  if (!(rate > 0) || !isfinite(rate))
    return gi_latch(g, GLIA_INVALID, "random_exponential: rate is %g, wanted > 0", rate);
  const glia_value u = above_zero(g, dtype, rank, shape, stream);
  return gi_null(u) ? u : glia_mul(glia_log(u), glia_scalar_like(u, -1 / rate));
}

glia_value glia_random_gumbel(glia_graph *g, glia_dtype dtype, int rank, const int64_t *shape,
                              uint64_t stream) {
  return glia_neg(glia_log(glia_neg(glia_log(above_zero(g, dtype, rank, shape, stream)))));
}

glia_value glia_bernoulli(glia_value p, uint64_t stream) {
  if (gi_null(p)) return p;
  const gi_type t = gi_value_type(p);
  return glia_less(glia_random_uniform(p.graph, t.dtype, t.rank, t.dim, 0, 1, stream), p);
}

/* The largest of scores + Gumbel noise is a class with the probability softmax(scores)
 * (Gumbel 1954); the `count` largest are as many draws without replacement (arXiv:1903.06059).
 */
glia_value glia_categorical(glia_value scores, int64_t count, bool replace, uint64_t stream) {
  glia_value index;
  if (gi_null(scores)) return scores;
  gi_type t = gi_value_type(scores);
  char text[GI_TEXT];
  if (t.rank < 1 || t.rank + replace > GLIA_MAX_RANK || count < 0 ||
      t.dim[t.rank - 1] < (replace ? 1 : count))
    return gi_latch(scores.graph, GLIA_SHAPE,
                    "categorical: scores are %s, %" PRId64
                    " draws; wanted [..., C], and no more without replacement",
                    gi_shape_text(&t, text, sizeof text), count);
  if (!replace) {
    const glia_value noise = glia_random_gumbel(scores.graph, t.dtype, t.rank, t.dim, stream);
    glia_top_k(glia_add(scores, noise), count, -1, false, &index);
    return index;
  }
  const int64_t classes = t.dim[t.rank - 1];
  int64_t column[GLIA_MAX_RANK];
  memcpy(column, t.dim, sizeof column);
  column[t.rank - 1] = 1;
  t.dim[t.rank - 1] = count;
  column[t.rank] = t.dim[t.rank] = classes;
  const glia_value noise = glia_random_gumbel(scores.graph, t.dtype, t.rank + 1, t.dim, stream);
  return glia_argmax(glia_add(glia_reshape(scores, t.rank + 1, column), noise), -1, false);
}

glia_value glia_multinomial(glia_value weights, int64_t count, bool replace, uint64_t stream) {
  return glia_categorical(glia_log(weights), count, replace, stream);
}
