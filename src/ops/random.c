/* random.c - numbers by chance: uniform, normal, and dropout.
 *
 * Element i is a function of (seed, stream, step, i) alone, by Philox4x32-10 (gi_rng): not of
 * threads, order or backend. So dropout keeps no mask: its gradient is the same op on dy, which
 * draws the same numbers again, and a step that is computed twice gives the same bits.
 */
#include <math.h>

#include "ops/attrs.h"
#include "ops/ref.h"

static gi_rng rng_of(const gi_ref *c, uint64_t stream) {
  return (gi_rng){.seed = c->clock->seed, .stream = stream, .step = c->clock->step};
}

/* ---- dropout: y = x / (1 - p) or 0; arXiv:1207.0580 ---------------------------------- */

static glia_status infer_dropout(gi_infer *c) {
  const double p = ((const gi_elementwise_attr *)c->attr)->a;
  GI_TRY(gi_want_float(c, 0, "dropout", "x"));
  if (!(p >= 0 && p <= 1))
    return gi_fail(GLIA_INVALID, "dropout: p is %g, wanted a probability from 0 to 1", p);
  c->out[0] = c->in[0];
  return GLIA_OK;
}

static glia_status vjp_dropout(gi_vjp *c) {
  c->din[0] = gi_emit1(&gi_op_dropout, c->attr, c->dout[0]);
  return GLIA_OK;
}

/* x[1] is the element's uniform number; it is never at least 1. */
static double scalar_dropout(const double *x, const void *attr) {
  const double p = ((const gi_elementwise_attr *)attr)->a;
  return x[1] >= p ? x[0] / (1 - p) : 0;
}

static glia_status ref_dropout(gi_ref *c) {
  const gi_rng r = rng_of(c, ((const gi_elementwise_attr *)c->attr)->stream);
  const int64_t count = gi_type_count(&c->in[0].t);
  for (int64_t e = 0; e < count; e++) {
    const double x[] = {gi_get(&c->in[0], e), gi_rng_uniform(&r, (uint64_t)e)};
    gi_put(&c->out[0], e, scalar_dropout(x, c->attr));
  }
  return GLIA_OK;
}

/* ---- uniform and normal -------------------------------------------------------------- */

static glia_status infer_random(gi_infer *c, const char *op, bool ordered) {
  const gi_random_attr *a = c->attr;
  char text[GI_TEXT];
  if (!glia_dtype_is_float(a->type.dtype))
    return gi_fail(GLIA_DTYPE, "%s: %s is asked for, wanted a float type", op,
                   gi_type_text(&a->type, text, sizeof text));
  if (!isfinite(a->a) || !isfinite(a->b) || (ordered ? a->a > a->b : a->b < 0))
    return gi_fail(GLIA_INVALID,
                   ordered ? "%s: from %g to %g, wanted low <= high"
                           : "%s: mean %g, deviation %g, wanted deviation >= 0",
                   op, a->a, a->b);
  c->out[0] = a->type;
  return GLIA_OK;
}
static glia_status infer_uniform(gi_infer *c) {
  return infer_random(c, "random_uniform", true);
}
static glia_status infer_normal(gi_infer *c) { return infer_random(c, "random_normal", false); }

static glia_status ref_uniform(gi_ref *c) {
  const gi_random_attr *a = c->attr;
  const gi_rng r = rng_of(c, a->stream);
  const int64_t count = gi_type_count(&a->type);
  for (int64_t e = 0; e < count; e++)
    gi_put(&c->out[0], e, a->a + (a->b - a->a) * gi_rng_uniform(&r, (uint64_t)e));
  return GLIA_OK;
}

static glia_status ref_normal(gi_ref *c) {
  const gi_random_attr *a = c->attr;
  const gi_rng r = rng_of(c, a->stream);
  const int64_t count = gi_type_count(&a->type);
  for (int64_t e = 0; e < count; e++)
    gi_put(&c->out[0], e, a->a + a->b * gi_rng_normal(&r, (uint64_t)e));
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) { /* ten rounds of Philox for four numbers */
  gi_cost k = gi_default_cost(c);
  k.flops *= 20;
  return k;
}

/* ---- samples and rows ---------------------------------------------------------------- */

static const gi_elementwise_attr third = {.a = 1.0 / 3, .stream = 7}, never = {.stream = 7},
                                 always = {.a = 1, .stream = 7},
                                 minus = {.a = -0.1, .stream = 7},
                                 not_a_number = {.a = NAN, .stream = 7};
static const gi_sample samples_dropout[] = {
    {&third, 1, {{2, {2, 3}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&third, 1, {{3, {3, 17, 5}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&third, 1, {{4, {2, 37, 2, 6}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&third, 1, {{4, {2, 150, 1, 8}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&third, 1, {{4, {3, 5, 3, 3}, -2, 2, GLIA_F32}}, GLIA_OK}, /* rows that share no block */
    {&never, 1, {{1, {9}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&always, 1, {{1, {9}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&third, 1, {{2, {0, 3}, -2, 2, GLIA_F32}}, GLIA_OK},
    {&minus, 1, {{1, {9}, -2, 2, GLIA_F32}}, GLIA_INVALID},
    {&not_a_number, 1, {{1, {9}, -2, 2, GLIA_F32}}, GLIA_INVALID},
    {&third, 1, {{1, {9}, 0, 4, GLIA_I32}}, GLIA_DTYPE},
};

static const gi_random_attr vector = {{GLIA_F32, 1, {67}}, 0, 1, 3},
                            matrix = {{GLIA_F64, 2, {5, 7}}, -1, 3, 4},
                            empty = {{GLIA_F32, 1, {0}}, 0, 1, 5},
                            reversed = {{GLIA_F32, 1, {2}}, 1, -1, 6},
                            whole = {{GLIA_I32, 1, {2}}, 0, 1, 7},
                            endless = {{GLIA_F32, 1, {2}}, 0, INFINITY, 8};
static const gi_sample samples_random[] = {
    {&vector, 0, {{0}}, GLIA_OK},       {&matrix, 0, {{0}}, GLIA_OK},
    {&empty, 0, {{0}}, GLIA_OK},        {&reversed, 0, {{0}}, GLIA_INVALID},
    {&endless, 0, {{0}}, GLIA_INVALID}, {&whole, 0, {{0}}, GLIA_DTYPE},
};

static const gi_attr fields_dropout[] = {
    {"p", GI_ATTR_F64, offsetof(gi_elementwise_attr, a),
     "probability of falling away; usually 0.5"},
    {"stream", GI_ATTR_U64, offsetof(gi_elementwise_attr, stream), "which random numbers"},
    {NULL, GI_ATTR_I64, 0, NULL},
};
static const gi_attr fields_uniform[] = {
    {"type", GI_ATTR_TYPE, offsetof(gi_random_attr, type), "of the result"},
    {"low", GI_ATTR_F64, offsetof(gi_random_attr, a), "smallest"},
    {"high", GI_ATTR_F64, offsetof(gi_random_attr, b), "limit, itself left out"},
    {"stream", GI_ATTR_U64, offsetof(gi_random_attr, stream), "which random numbers"},
    {NULL, GI_ATTR_I64, 0, NULL},
};
static const gi_attr fields_normal[] = {
    {"type", GI_ATTR_TYPE, offsetof(gi_random_attr, type), "of the result"},
    {"mean", GI_ATTR_F64, offsetof(gi_random_attr, a), "of the distribution"},
    {"deviation", GI_ATTR_F64, offsetof(gi_random_attr, b), "of the distribution"},
    {"stream", GI_ATTR_U64, offsetof(gi_random_attr, stream), "which random numbers"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

const gi_op gi_op_dropout = {
    .name = "dropout",
    .doc = "elements set to zero with probability p, the others scaled by 1 / (1 - p)",
    .paper = "arXiv:1207.0580",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .flags = GI_ELEMENTWISE | GI_IN_PLACE | GI_RANDOM,
    .attr_size = sizeof(gi_elementwise_attr),
    .attrs = fields_dropout,
    .infer = infer_dropout,
    .vjp = vjp_dropout,
    .ref = ref_dropout,
    .scalar = scalar_dropout,
    .cost = cost,
    .samples = samples_dropout,
    .n_samples = GI_COUNT(samples_dropout),
};

const gi_op gi_op_random_uniform = {
    .name = "random_uniform",
    .doc = "uniform in [low, high), fresh at every step",
    .min_in = 0,
    .max_in = 0,
    .n_out = 1,
    .flags = GI_RANDOM,
    .attr_size = sizeof(gi_random_attr),
    .attrs = fields_uniform,
    .infer = infer_uniform,
    .no_grad = "it has no inputs",
    .ref = ref_uniform,
    .cost = cost,
    .samples = samples_random,
    .n_samples = GI_COUNT(samples_random),
};

const gi_op gi_op_random_normal = {
    .name = "random_normal",
    .doc = "normal with a mean and a deviation, fresh at every step",
    .min_in = 0,
    .max_in = 0,
    .n_out = 1,
    .flags = GI_RANDOM,
    .attr_size = sizeof(gi_random_attr),
    .attrs = fields_normal,
    .infer = infer_normal,
    .no_grad = "it has no inputs",
    .ref = ref_normal,
    .cost = cost,
    .samples = samples_random,
    .n_samples = GI_COUNT(samples_random),
};

const gi_op *const gi_ops_random[] = {&gi_op_dropout, &gi_op_random_uniform,
                                      &gi_op_random_normal, NULL};

/* ---- builders ------------------------------------------------------------------------ */

glia_value glia_dropout_with(glia_value x, double p, uint64_t stream) {
  const gi_elementwise_attr a = {.a = p, .stream = stream};
  return p == 0 ? x : gi_emit1(&gi_op_dropout, &a, x);
}

static glia_value random_of(glia_graph *g, const gi_op *op, glia_dtype dtype, int rank,
                            const int64_t *shape, double p, double q, uint64_t stream) {
  gi_random_attr a = {.type = {.dtype = dtype, .rank = rank}, .a = p, .b = q, .stream = stream};
  if (rank < 0 || rank > GLIA_MAX_RANK)
    return gi_latch(g, GLIA_SHAPE, "%s: rank is %d, want 0 to %d", op->name, rank,
                    GLIA_MAX_RANK);
  for (int d = 0; d < rank; d++) a.type.dim[d] = shape[d];
  return gi_emit(g, op, &a, NULL, 0, NULL);
}

glia_value glia_random_uniform(glia_graph *g, glia_dtype dtype, int rank, const int64_t *shape,
                               double low, double high, uint64_t stream) {
  return random_of(g, &gi_op_random_uniform, dtype, rank, shape, low, high, stream);
}

glia_value glia_random_normal(glia_graph *g, glia_dtype dtype, int rank, const int64_t *shape,
                              double mean, double deviation, uint64_t stream) {
  return random_of(g, &gi_op_random_normal, dtype, rank, shape, mean, deviation, stream);
}
