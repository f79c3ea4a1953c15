/* tests/compile/random_graph.h - graphs drawn at random from the op table: a function of a
 * seed.
 *
 * Sources are inputs, variables of a store and constants; their sizes come from one small
 * shape, so that broadcasting and shared groups are common. Arguments are brought into the
 * range in which an op is defined. Behind the forward part come gradients of a loss, updates by
 * the optimisers, and assignments between variables.
 */
#ifndef GI_TEST_RANDOM_GRAPH_H
#define GI_TEST_RANDOM_GRAPH_H

#include "test.h"

#include "glia/glia.h"
#include "ops/attrs.h"
#include "optim/optim.h"

enum { POOL = 256, INPUTS = 3, LEAVES = 12 };

typedef struct maker {
  uint64_t random;
  glia_graph *g;
  glia_store *store;
  glia_scope *s;
  glia_dtype dtype; /* of most values: f32 or f64 */
  int64_t base[4];  /* shapes are its tails, with some sizes 1 */
  glia_value pool[POOL];
  int n;
  glia_value inputs[INPUTS];
  int n_inputs;
  glia_value variables[LEAVES];
  int n_variables, names;
  bool assigned[LEAVES];
  bool has_loss; /* output "loss" */
  const gi_op *elementwise[128];
  int n_elementwise;
  const gi_op *others[512]; /* of the table, drawn by their samples */
  int n_others;
  glia_value sampled; /* the result of one of them: an output, and in the loss */
} maker;

/* ---- chance ------------------------------------------------------------------------------ */

static inline uint64_t draw(maker *m) { /* splitmix64 */
  uint64_t z = (m->random += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static inline int below(maker *m, int n) { return (int)(draw(m) % (uint64_t)n); }
static inline bool chance(maker *m, int percent) { return below(m, 100) < percent; }
static inline double uniform(maker *m, double low, double high) {
  return low + (high - low) * (double)(draw(m) >> 40) / 16777216.0;
}

static inline void keep(maker *m, glia_value v) {
  if (gi_null(v)) return; /* the graph has latched it; looked at when all is built */
  if (m->n == POOL)
    m->pool[below(m, POOL)] = v;
  else
    m->pool[m->n++] = v;
}

/* ---- sources ----------------------------------------------------------------------------- */

static inline int draw_shape(maker *m, int64_t *shape) {
  const int rank = below(m, 5);
  for (int i = 0; i < rank; i++) shape[i] = chance(m, 25) ? 1 : m->base[4 - rank + i];
  return rank;
}

static inline glia_value new_variable(maker *m, int rank, const int64_t *shape) {
  char name[32];
  gi_entry *e = NULL;
  gi_type t = {.dtype = m->dtype, .rank = rank};
  if (m->n_variables == LEAVES) return GLIA_NONE;
  for (int i = 0; i < rank; i++) t.dim[i] = shape[i];
  snprintf(name, sizeof name, "w%d", m->names++);
  OK(gi_store_add(m->store, name, GLIA_PARAMETER, &t, &e));
  for (int64_t i = 0; i < glia_tensor_count(e->tensor); i++)
    glia_tensor_set(e->tensor, i, uniform(m, -1, 1));
  return m->variables[m->n_variables++] = gi_variable(m->g, name);
}

static inline void add_constant(maker *m) {
  static const double scalars[] = {0, 1, -1, 0.5, 2, 3, -0.25};
  const double v = scalars[below(m, GI_COUNT(scalars))];
  const glia_value like = m->pool[below(m, m->n)];
  double data[700];
  int64_t shape[4];
  if (chance(m, 40)) {
    keep(m, glia_scalar(m->g, m->dtype, v));
  } else if (chance(m, 40)) {
    keep(m, glia_full_like(like, v));
  } else {
    const int rank = draw_shape(m, shape);
    for (int i = 0; i < GI_COUNT(data); i++) gi_store(m->dtype, data, i, uniform(m, -1, 1));
    keep(m, glia_constant(m->g, m->dtype, rank, shape, data));
  }
}

static inline void add_sources(maker *m) {
  int64_t shape[4];
  char name[32];
  m->n_inputs = 1 + below(m, INPUTS);
  for (int i = 0; i < m->n_inputs; i++) {
    snprintf(name, sizeof name, "x%d", i);
    const int rank = i == 0 ? 4 : draw_shape(m, shape);
    keep(m, m->inputs[i] = glia_input(m->g, name, m->dtype, rank, i == 0 ? m->base : shape));
  }
  for (int i = below(m, 4); i >= 0; i--) {
    const int rank = draw_shape(m, shape);
    keep(m, new_variable(m, rank, shape));
  }
}

/* ---- finding arguments ------------------------------------------------------------------- */

static inline bool is_float(glia_value v) { return glia_dtype_is_float(glia_value_dtype(v)); }

/* A value of this dtype and of at least this rank; null if a few draws find none. */
static inline glia_value pick(maker *m, glia_dtype dtype, int rank) {
  for (int i = 0; i < 12; i++) {
    /* the newest are the likeliest, so that graphs become deep */
    const int back = chance(m, 60) ? GI_MIN(m->n, 6) : m->n;
    const glia_value v = m->pool[m->n - 1 - below(m, back)];
    if (glia_value_dtype(v) == dtype && glia_value_rank(v) >= rank) return v;
  }
  return GLIA_NONE;
}

static inline bool broadcasts(glia_value a, glia_value b) {
  const gi_type x = gi_value_type(a), y = gi_value_type(b);
  for (int i = 1; i <= x.rank && i <= y.rank; i++)
    if (x.dim[x.rank - i] != y.dim[y.rank - i] && x.dim[x.rank - i] != 1 &&
        y.dim[y.rank - i] != 1)
      return false;
  return true;
}

static inline int64_t size_of(glia_value v) {
  const gi_type t = gi_value_type(v);
  return gi_type_count(&t);
}

/* ---- elementwise ------------------------------------------------------------------------- */

static inline bool list_elementwise(const gi_op *op, void *user) {
  maker *m = user;
  if ((op->flags & GI_ELEMENTWISE) && strcmp(op->name, "cast") != 0)
    m->elementwise[m->n_elementwise++] = op;
  return m->n_elementwise < GI_COUNT(m->elementwise);
}

/* Into the range where samples of the op are drawn, if it ends where the op does: log wants x >
 * 0, asin |x| < 1, and errors near its ends would tell numbers from NaN. */
static inline glia_value in_domain(maker *m, const gi_op *op, int i, glia_value x) {
  const double low = op->samples[0].in[i].low, high = op->samples[0].in[i].high;
  (void)m;
  if (is_float(x) && high < 1) return glia_clip(x, low, high);
  return is_float(x) && low > -0.9 ? glia_clip(x, low, high + 2) : x;
}

static inline void add_elementwise(maker *m) {
  const gi_op *op = m->elementwise[below(m, m->n_elementwise)];
  glia_value in[3] = {GLIA_NONE, GLIA_NONE, GLIA_NONE};
  for (int i = 0; i < op->min_in; i++) {
    const bool truth = op->samples[0].in[i].dtype == GLIA_BOOL;
    in[i] = pick(m, truth ? GLIA_BOOL : m->dtype, 0);
    if (gi_null(in[i])) return;
    for (int k = 0; k < i; k++)
      if (!broadcasts(in[i], in[k])) return;
  }
  if (op->min_in == 3) {
    /* two that broadcast with the third need not broadcast with each other's result */
    gi_type t = gi_value_type(in[0]), b = gi_value_type(in[1]), c = gi_value_type(in[2]);
    if (gi_broadcast(&t, &b, "x", &t) != GLIA_OK || gi_broadcast(&t, &c, "x", &t) != GLIA_OK)
      return;
  }
  for (int i = 0; i < op->min_in; i++) in[i] = in_domain(m, op, i, in[i]);
  glia_value y = gi_emit(m->g, op, op->samples[0].attr, in, op->min_in, NULL);
  if (!gi_null(y) && is_float(y) && chance(m, 15)) y = glia_tanh(y);
  if (!gi_null(y) && size_of(y) <= 600) keep(m, y);
}

static inline void add_cast(maker *m) {
  static const glia_dtype to[] = {GLIA_F32,  GLIA_F64,  GLIA_I32, GLIA_I64,
                                  GLIA_BOOL, GLIA_BF16, GLIA_F16, GLIA_U8};
  const glia_value x = m->pool[below(m, m->n)];
  const glia_value y = glia_cast(x, to[below(m, GI_COUNT(to))]);
  keep(m, y);
  if (!gi_null(y) && glia_value_dtype(y) != m->dtype) keep(m, glia_cast(y, m->dtype));
}

static inline void add_integers(maker *m) {
  const glia_value a = pick(m, GLIA_I64, 0), b = pick(m, GLIA_I64, 0);
  if (gi_null(a) || gi_null(b) || !broadcasts(a, b)) return;
  switch (below(m, 5)) {
    case 0: keep(m, glia_add(a, b)); break;
    case 1: keep(m, glia_minimum(a, glia_neg(b))); break;
    case 2: keep(m, glia_less(a, b)); break;
    case 3: keep(m, glia_clip(glia_sub(a, b), -3, 3)); break;
    default: keep(m, glia_sum(a)); break;
  }
}

/* ---- other ops --------------------------------------------------------------------------- */

static inline void add_reduction(maker *m) {
  glia_reduce_opts o = {.size = sizeof o, .keep = chance(m, 50)};
  const glia_value x = pick(m, m->dtype, 1);
  if (gi_null(x)) return;
  const int rank = glia_value_rank(x);
  for (int d = 0; d < rank; d++)
    if (chance(m, 40)) o.axes[o.n++] = chance(m, 50) ? d : d - rank;
  switch (below(m, 8)) {
    case 0: keep(m, glia_sum_opt(x, &o)); break;
    case 1: keep(m, glia_mean_opt(x, &o)); break;
    case 2: keep(m, glia_max_opt(x, &o)); break;
    case 3: keep(m, glia_min_opt(x, &o)); break;
    case 4: keep(m, glia_prod_opt(x, &o)); break;
    case 5: keep(m, glia_variance_opt(x, &o)); break;
    case 6: keep(m, glia_argmax(x, below(m, rank), o.keep)); break;
    default: keep(m, glia_softmax(x, below(m, rank))); break;
  }
}

/* Something of its type added, as residual networks do; mostly what is there already. */
static inline glia_value add_like(maker *m, glia_value y) {
  if (gi_null(y)) return y;
  const gi_type t = gi_value_type(y);
  glia_value z = GLIA_NONE;
  for (int i = 0; i < m->n && gi_null(z); i++) {
    const gi_type other = gi_value_type(m->pool[m->n - 1 - i]);
    if (gi_type_equal(&t, &other)) z = m->pool[m->n - 1 - i];
  }
  if (gi_null(z)) z = new_variable(m, t.rank, t.dim);
  if (gi_null(z)) return y;
  return chance(m, 50) ? glia_add(y, z) : glia_add(z, y);
}

static inline void add_matmul(maker *m) {
  const glia_value a = pick(m, m->dtype, 2);
  if (gi_null(a)) return;
  const bool ta = chance(m, 30), tb = chance(m, 30);
  const int64_t k = glia_value_dim(a, ta ? -2 : -1), n = 1 + below(m, 7);
  const glia_value b = new_variable(m, 2, tb ? (int64_t[]){n, k} : (int64_t[]){k, n});
  if (gi_null(b)) return;
  glia_value y = glia_matmul(a, b, .transpose_a = ta, .transpose_b = tb);
  if (chance(m, 60)) {
    const glia_value bias = new_variable(m, 1, &n);
    if (!gi_null(bias)) y = chance(m, 50) ? glia_add(y, bias) : glia_add(bias, y);
  }
  if (chance(m, 30)) y = add_like(m, y);
  if (chance(m, 50)) y = glia_relu(y);
  keep(m, y);
}

static inline void add_image_op(maker *m) {
  const glia_value x = pick(m, m->dtype, 4);
  if (gi_null(x)) return;
  const int64_t c = glia_value_dim(x, 1), h = glia_value_dim(x, 2), w = glia_value_dim(x, 3);
  glia_window_opts o = {.size = sizeof o,
                        .padding = {below(m, 2), below(m, 2)},
                        .stride = {1 + below(m, 2), 1 + below(m, 2)}};
  const int64_t kernel[] = {1 + below(m, (int)GI_MIN(h, 3)), 1 + below(m, (int)GI_MIN(w, 3))};
  o.kernel[0] = kernel[0];
  o.kernel[1] = kernel[1];
  const int kind = below(m, 7);
  if (kind > 2) /* padding is at most half of a pooling kernel */
    for (int i = 0; i < 2; i++) o.padding[i] = GI_MIN(o.padding[i], kernel[i] / 2);
  if (kind <= 2) {
    const int64_t f = 1 + below(m, 4);
    const glia_value wt = new_variable(m, 4, (int64_t[]){f, c, kernel[0], kernel[1]});
    const glia_value bias = chance(m, 60) ? new_variable(m, 1, &f) : GLIA_NONE;
    if (gi_null(wt)) return;
    glia_value y = glia_conv2d_with(x, wt, bias, &o);
    if (chance(m, 40)) y = add_like(m, y);
    keep(m, chance(m, 60) ? glia_relu(y) : y);
  } else if (kind == 3) {
    keep(m, glia_max_pool2d_opt(x, &o));
  } else if (kind == 4) {
    keep(m, glia_avg_pool2d_opt(x, &o));
  } else if (kind == 5) {
    keep(m, glia_adaptive_avg_pool2d(x, 1 + below(m, 3), 1 + below(m, 3)));
  } else {
    const glia_value gamma = new_variable(m, 1, &c), beta = new_variable(m, 1, &c);
    glia_value mean, variance;
    if (gi_null(gamma) || gi_null(beta)) return;
    keep(m, glia_batch_norm_train(x, gamma, beta, 1e-3, &mean, &variance));
    keep(m, mean);
    keep(m, variance);
  }
}

static inline void add_shape_op(maker *m) {
  const glia_value x = m->pool[below(m, m->n)];
  const int rank = glia_value_rank(x);
  int axes[GLIA_MAX_RANK];
  int64_t shape[GLIA_MAX_RANK + 1] = {1}, count = 0;
  for (int d = 0; d < rank; d++) axes[d] = d;
  for (int d = rank - 1; d > 0; d--) {
    const int k = below(m, d + 1), t = axes[d];
    axes[d] = axes[k];
    axes[k] = t;
  }
  switch (below(m, 6)) {
    case 0: keep(m, glia_permute(x, axes)); break;
    case 1: keep(m, glia_reshape(x, 1, (int64_t[]){-1})); break;
    case 2: /* an axis of size 1 in front, then two axes in one */
      if (rank >= 4) break;
      memcpy(shape + 1, glia_value_shape(x), (size_t)rank * sizeof *shape);
      keep(m, glia_reshape(x, rank + 1, shape));
      break;
    case 3:
      if (rank > 1) keep(m, glia_flatten(x));
      break;
    case 4: keep(m, glia_stop_gradient(x)); break;
    default:
      for (int d = 0; d < rank; d++) {
        shape[d] = glia_value_dim(x, d) == 1 ? 1 + below(m, 4) : glia_value_dim(x, d);
        count = d == 0 ? shape[0] : count * shape[d];
      }
      if (count <= 600) keep(m, glia_broadcast_to(x, rank, shape));
  }
}

static inline void add_place_op(maker *m) {
  const glia_value x = pick(m, chance(m, 80) ? m->dtype : GLIA_I64, 1);
  if (gi_null(x)) return;
  const int rank = glia_value_rank(x), axis = below(m, rank);
  const int64_t n = glia_value_dim(x, axis);
  int64_t before[GLIA_MAX_RANK] = {0}, after[GLIA_MAX_RANK] = {0}, at[3];
  for (int i = 0; i < 3; i++) at[i] = below(m, (int)n);
  const int64_t three = 3, begin = below(m, (int)n);
  switch (below(m, 6)) {
    case 0:
      keep(m, glia_slice(x, axis, begin, begin + 1 + below(m, 3), 1 + below(m, 2)));
      break;
    case 1:
      if (size_of(x) <= 200) keep(m, glia_concat((glia_value[]){x, x, glia_neg(x)}, 3, axis));
      break;
    case 2:
      before[axis] = below(m, 2);
      after[axis] = below(m, 3);
      keep(m, glia_pad(x, before, after, 0.5));
      break;
    case 3: keep(m, glia_gather(x, glia_constant(m->g, GLIA_I64, 1, &three, at), axis)); break;
    case 4: /* made of other ops */
      if (rank < 4 && size_of(x) <= 100) keep(m, glia_frames(x, axis, GI_MIN(n, 2), 1));
      break;
    default: {
      glia_value parts[2];
      if (n < 2) break;
      glia_split(x, axis, 2, (int64_t[]){1, n - 1}, parts);
      keep(m, parts[0]);
      keep(m, parts[1]);
    }
  }
}

/* Few rows of a table: the gradient is zero on the others. */
static inline void add_look_up(maker *m) {
  const int64_t shape[] = {9 + below(m, 9), 1 + below(m, 5)}, n = 1 + below(m, 4);
  int64_t at[4];
  const glia_value table = new_variable(m, 2, shape);
  if (gi_null(table)) return;
  for (int i = 0; i < n; i++) at[i] = below(m, (int)shape[0]);
  const glia_value index = glia_constant(m->g, GLIA_I64, 1, &n, at);
  keep(m, glia_embedding_with(
              table, index,
              &(glia_lookup_opts){.size = sizeof(glia_lookup_opts), .sparse = chance(m, 50)}));
}

/* ---- any op of the table, by its samples ------------------------------------------------- */

/* Not those that only passes put in, nor those that need a value's address. */
static inline bool list_other(const gi_op *op, void *user) {
  maker *m = user;
  const bool of_passes = op == &gi_op_reorder || op == &gi_op_again;
  if (!(op->flags & (GI_ELEMENTWISE | GI_SOURCE)) && !of_passes && op->n_samples > 0)
    m->others[m->n_others++] = op;
  return m->n_others < GI_COUNT(m->others);
}

/* Numbers of [low, high] in a shape: variables or some of their own, moved by what the graph
 * has. */
static inline glia_value numbers_within(maker *m, const gi_type *t, double low, double high) {
  double data[600];
  glia_value x = GLIA_NONE;
  if (t->dtype == m->dtype && gi_type_count(t) > 0 && chance(m, 30))
    x = new_variable(m, t->rank, t->dim);
  for (int64_t i = 0; i < gi_type_count(t); i++) gi_store(t->dtype, data, i, uniform(m, -2, 2));
  if (gi_null(x)) x = glia_constant(m->g, t->dtype, t->rank, t->dim, data);
  const glia_value from = pick(m, t->dtype, 0);
  if (!gi_null(from)) x = glia_add(x, glia_mean(glia_tanh(from)));
  const glia_value unit = glia_sigmoid(x);
  return glia_add(glia_mul(unit, glia_scalar_like(unit, high - low)),
                  glia_scalar_like(unit, low));
}

static inline glia_value whole_numbers(maker *m, const gi_type *t, double low, double high) {
  double data[600];
  for (int64_t i = 0; i < gi_type_count(t); i++)
    gi_store(t->dtype, data, i,
             t->dtype == GLIA_BOOL ? chance(m, 50) : floor(uniform(m, low, high)));
  return glia_constant(m->g, t->dtype, t->rank, t->dim, data);
}

static inline glia_value add_sampled(maker *m, const gi_op *op, int number) {
  const gi_sample *sample = &op->samples[number % op->n_samples];
  glia_value in[GI_SAMPLE_IN], out[GI_MAX_OUT];
  if (sample->want != GLIA_OK) return GLIA_NONE;
  for (int i = 0; i < sample->n_in; i++) {
    gi_type t = {.dtype = sample->in[i].dtype, .rank = sample->in[i].rank};
    if (t.dtype == GLIA_F32) t.dtype = m->dtype;
    memcpy(t.dim, sample->in[i].dim, (size_t)t.rank * sizeof t.dim[0]);
    if (gi_type_count(&t) > 600) return GLIA_NONE;
    const double low = sample->in[i].low, high = sample->in[i].high;
    in[i] = glia_dtype_is_float(t.dtype) ? numbers_within(m, &t, low, high)
                                         : whole_numbers(m, &t, low, high);
  }
  for (int i = 0; i < GI_MAX_OUT; i++) out[i] = GLIA_NONE;
  gi_emit(m->g, op, sample->attr, in, sample->n_in, out);
  for (int i = 0; i < GI_MAX_OUT; i++)
    if (!gi_null(out[i]) && size_of(out[i]) > 0 && size_of(out[i]) <= 600) keep(m, out[i]);
  return out[0];
}

static inline void add_random_op(maker *m) {
  const glia_value x = pick(m, m->dtype, 0);
  if (gi_null(x)) return;
  const gi_type t = gi_value_type(x);
  const uint64_t stream = (uint64_t)below(m, 3);
  if (chance(m, 70))
    keep(m, glia_dropout_with(x, 0.3, stream));
  else
    keep(m, glia_random_normal(m->g, t.dtype, t.rank, t.dim, 0, 1, stream));
}

static inline void add_node(maker *m) {
  const int r = below(m, 100);
  if (r < 50)
    add_elementwise(m);
  else if (r < 60)
    add_reduction(m);
  else if (r < 66)
    add_matmul(m);
  else if (r < 74)
    add_image_op(m);
  else if (r < 82)
    add_shape_op(m);
  else if (r < 88)
    add_place_op(m);
  else if (r < 91)
    add_sampled(m, m->others[below(m, m->n_others)], below(m, 100));
  else if (r < 93)
    add_constant(m);
  else if (r < 96)
    add_cast(m);
  else if (r < 98)
    add_integers(m);
  else if (r < 99)
    add_look_up(m);
  else
    add_random_op(m);
}

/* ---- the backward part ------------------------------------------------------------------- */

static inline void assign(maker *m, int k, glia_value v) {
  const gi_type t = gi_value_type(m->variables[k]), have = gi_value_type(v);
  if (m->assigned[k] || !gi_type_equal(&t, &have)) return;
  m->assigned[k] = true;
  glia_assign(m->variables[k], v);
}

static inline glia_value make_loss(maker *m) {
  glia_value loss = glia_scalar(m->g, m->dtype, 0);
  for (int i = 0; i < 3; i++) {
    const glia_value v = pick(m, m->dtype, 0);
    if (!gi_null(v)) loss = glia_add(loss, glia_mean(glia_square(glia_tanh(v))));
  }
  if (!gi_null(m->sampled) && glia_value_dtype(m->sampled) == m->dtype &&
      size_of(m->sampled) > 0)
    loss = glia_add(loss, glia_mean(glia_square(glia_tanh(m->sampled))));
  return loss;
}

static inline void update(maker *m, int k, glia_value grad) {
  static const glia_optimizer rules[] = {{.name = "sgd", .lr = 0.1, .momentum = 0.5},
                                         {.name = "adam", .lr = 0.01, .eps = 1e-2},
                                         {.name = "rmsprop", .lr = 0.01, .eps = 0.1},
                                         {.name = "adagrad", .lr = 0.1, .eps = 0.1},
                                         {.name = "sgd", .lr = 0.1}};
  glia_optimizer o = rules[below(m, GI_COUNT(rules))];
  const glia_value w = m->variables[k];
  const char *name = ((const gi_input_attr *)gi_node_of(w)->attr)->name;
  if (m->assigned[k]) return;
  if (chance(m, 40)) {
    assign(m, k, glia_sub(w, glia_mul(grad, glia_scalar_like(grad, 0.1))));
    return;
  }
  OK(glia_optimizer_resolve(&o));
  m->assigned[k] = true;
  const gi_optim_step step = {
      .o = &o, .lr = glia_scalar(m->g, GLIA_F64, o.lr), .step = glia_scalar(m->g, GLIA_F64, 3)};
  gi_used_rows used;
  if (gi_is_sparse(grad, &used))
    gi_apply_to_rows(m->s, gi_optim_find(o.name), &step, name, &used);
  else
    gi_apply_update(m->s, gi_optim_find(o.name), &step, name, grad);
}

static inline void add_gradients(maker *m) {
  const glia_value loss = make_loss(m);
  m->has_loss = true;
  keep(m, glia_output("loss", loss));
  for (int k = 0; k < m->n_variables; k++) {
    glia_value d;
    const glia_status s = glia_grad(loss, &m->variables[k], 1, &d);
    if (s == GLIA_MODEL) continue; /* it does not depend on this one */
    OK(s);
    if (chance(m, 30)) keep(m, d);
    if (chance(m, 70)) update(m, k, d);
    if (chance(m, 10)) { /* and once more through the gradient */
      glia_value dd;
      const glia_value penalty = glia_mean(glia_square(d));
      const glia_status again = glia_grad(penalty, &m->variables[k], 1, &dd);
      if (again != GLIA_MODEL) OK(again);
      if (again == GLIA_OK) keep(m, dd);
    }
  }
}

static inline void add_roots(maker *m) {
  char name[32];
  for (int i = 0; i < 1 + below(m, 4); i++) {
    snprintf(name, sizeof name, "y%d", i);
    const glia_value v = chance(m, 15) && m->n_variables > 0
                             ? m->variables[below(m, m->n_variables)]
                             : m->pool[m->n - 1 - below(m, GI_MIN(m->n, 20))];
    glia_output(name, v);
  }
  if (!gi_null(m->sampled)) glia_output("sampled", m->sampled);
  for (int k = 0; k < m->n_variables; k++) {
    if (!chance(m, 40)) continue;
    assign(m, k,
           chance(m, 40) ? m->variables[below(m, m->n_variables)] : m->pool[below(m, m->n)]);
  }
}

/* Owned: maker_free. */
static inline void maker_new(maker *m, uint64_t seed) {
  static const int64_t sizes[] = {1, 2, 2, 3, 3, 4, 5, 17};
  memset(m, 0, sizeof *m);
  m->random = seed * 0x2545f4914f6cdd1du + 1;
  m->dtype = chance(m, 60) ? GLIA_F32 : GLIA_F64;
  for (int i = 0; i < 4; i++) m->base[i] = sizes[below(m, i < 2 ? 5 : GI_COUNT(sizes))];
  OK(glia_graph_new(&m->g));
  OK(glia_store_new(&m->store));
  m->s = glia_scope_new(m->g, m->store, NULL);
  m->g->no_cse = chance(m, 30);
  gi_op_each(list_elementwise, m);
  gi_op_each(list_other, m);
  add_sources(m);
  /* Seeds one after the other go through the whole table, then through further samples. */
  const uint64_t n = (uint64_t)m->n_others;
  m->sampled = add_sampled(m, m->others[seed % n], (int)(seed / n));
  for (int i = 5 + below(m, 30); i > 0; i--) add_node(m);
  if (chance(m, 70)) add_gradients(m);
  add_roots(m);
  OK(glia_graph_status(m->g));
}

static inline void maker_free(maker *m) {
  glia_graph_free(m->g);
  glia_store_free(m->store);
}

#endif /* GI_TEST_RANDOM_GRAPH_H */
