/* weight_norm.c - weights that are made of others: of a learned length, of a largest singular
 * value that is held (arXiv:1602.07868, arXiv:1802.05957), with elements dropped. A scope
 * carries the rule (nn/scope.h), so that every layer has it without an option of its own.
 */
#include <math.h>

#include "glia/layers.h"
#include "nn/scope.h"
#include "graph/store.h"

/* The parameters that a weight is made of are made in a scope without the rule. */
static glia_scope plain(const glia_scope *s) {
  glia_scope p = *s;
  p.weight = NULL;
  return p;
}

/* Is this tensor new in the store, that is, still to be filled? */
static bool is_new(const glia_scope *s, const char *name) {
  const char *full = gi_scoped(s, name);
  return full != NULL && !s->zeros && gi_store_find(s->store, full) == NULL;
}

/* The elements of an entry of the store; NULL without one. */
static float *elements(const glia_scope *s, const char *name, gi_type *t) {
  const char *full = gi_scoped(s, name);
  const gi_entry *e = full != NULL ? gi_store_find(s->store, full) : NULL;
  if (e == NULL || glia_tensor_dtype(e->tensor) != GLIA_F32) return NULL;
  *t = gi_tensor_type(e->tensor);
  return glia_tensor_data(e->tensor);
}

/* ---- g v / |v| ----------------------------------------------------------------------- */

/* The shape of |v|: 1 but for the axis; of one length for all no axes. */
static int lengths_of(int rank, const int64_t *shape, int axis, int64_t *out) {
  for (int d = 0; d < rank; d++) out[d] = d == axis ? shape[d] : 1;
  return axis < 0 ? 0 : rank;
}

/* g := |v|, so that the weight is v at first. */
static void begin_lengths(const glia_scope *s, int axis) {
  gi_type tv, tg;
  const float *v = elements(s, "weight_v", &tv);
  float *g = elements(s, "weight_g", &tg);
  if (v == NULL || g == NULL) return;
  int64_t inner = 1;
  for (int d = axis + 1; d < tv.rank; d++) inner *= tv.dim[d];
  const int64_t n = axis < 0 ? 1 : tv.dim[axis], count = gi_type_count(&tv);
  for (int64_t k = 0; k < n; k++) {
    double square = 0;
    for (int64_t e = 0; e < count; e++)
      if (axis < 0 || e / inner % n == k) square += (double)v[e] * (double)v[e];
    g[k] = (float)sqrt(square);
  }
}

static glia_value weight_norm(glia_scope *s, int rank, const int64_t *shape, glia_init init) {
  glia_scope p = plain(s);
  const int axis = p.weight_axis < rank ? p.weight_axis : -1;
  int64_t lengths[GLIA_MAX_RANK];
  const int g_rank = lengths_of(rank, shape, axis, lengths);
  const bool fill = is_new(&p, "weight_g");
  const glia_value v = glia_parameter(&p, "weight_v", rank, shape, init);
  const glia_value g =
      glia_parameter(&p, "weight_g", g_rank, lengths, (glia_init){.kind = GLIA_INIT_ONES});
  if (gi_null(v) || gi_null(g)) return GLIA_NONE;
  if (fill) begin_lengths(&p, axis);
  glia_reduce_opts over = {.size = sizeof over, .keep = true};
  for (int d = 0; d < rank; d++)
    if (d != axis) over.axes[over.n++] = d;
  const glia_value length = glia_sqrt(glia_sum_opt(glia_square(v), &over));
  return glia_mul(v, glia_div(g, length));
}

/* ---- weight / sigma ------------------------------------------------------------------ */

/* A vector by chance of length 1. */
static void begin_vector(const glia_scope *s, const char *name) {
  gi_type t;
  float *v = elements(s, name, &t);
  const char *full = gi_scoped(s, name);
  const gi_entry *e = full != NULL ? gi_store_find(s->store, full) : NULL;
  double square = 0;
  if (v == NULL || e == NULL ||
      glia_initialise(e->tensor, (glia_init){.kind = GLIA_INIT_NORMAL, .b = 1}, s->seed,
                      full) != GLIA_OK)
    return;
  const int64_t n = gi_type_count(&t);
  for (int64_t i = 0; i < n; i++) square += (double)v[i] * (double)v[i];
  for (int64_t i = 0; i < n && square > 0; i++) v[i] = (float)((double)v[i] / sqrt(square));
}

static glia_value vector(glia_scope *s, const char *name, int64_t n) {
  const bool fill = is_new(s, name);
  const glia_value v = glia_buffer(s, name, 1, &n, 0);
  if (fill && !gi_null(v)) begin_vector(s, name);
  return gi_null(v) ? v : glia_reshape(v, 2, (const int64_t[]){n, 1});
}

/* v / max(|v|, 1e-12) */
static glia_value unit(glia_value v) {
  const glia_value length = glia_sqrt(glia_sum(glia_square(v)));
  if (gi_null(length)) return length;
  return glia_div(v, glia_maximum(length, glia_scalar_like(length, 1e-12)));
}

/* A weight that is used twice in a step is brought nearer once. */
static void keep(glia_scope *s, const char *name, glia_value v) {
  const char *full = gi_scoped(s, name);
  if (gi_null(v) || full == NULL) return;
  const glia_value buffer = gi_variable(s->graph, full);
  for (size_t i = 0; i < s->graph->roots.n; i++)
    if (s->graph->roots.at[i].variable == buffer.id) return;
  glia_assign(buffer, glia_reshape(v, 1, (const int64_t[]){-1}));
}

static glia_value spectral_norm(glia_scope *s, int rank, const int64_t *shape, glia_init init) {
  glia_scope p = plain(s);
  const int axis = p.weight_axis >= 0 && p.weight_axis < rank ? p.weight_axis : 0;
  const glia_value w = glia_parameter(&p, "weight_orig", rank, shape, init);
  if (gi_null(w)) return w;
  const glia_value rows = glia_transpose(w, 0, axis);
  const int64_t n = shape[axis];
  const glia_value matrix = glia_reshape(rows, 2, (const int64_t[]){n, -1});
  if (gi_null(matrix)) return matrix;
  glia_value u = vector(&p, "weight_u", n),
             v = vector(&p, "weight_v", glia_value_dim(matrix, 1));
  const glia_value fixed = glia_stop_gradient(matrix);
  for (int i = 0; i < p.weight_iterations && p.train; i++) {
    v = unit(glia_matmul(fixed, u, .transpose_a = true));
    u = unit(glia_matmul(fixed, v));
  }
  if (p.train) {
    u = glia_stop_gradient(u);
    v = glia_stop_gradient(v);
    keep(&p, "weight_u", u);
    keep(&p, "weight_v", v);
  }
  return glia_div(w, glia_sum(glia_mul(u, glia_matmul(matrix, v))));
}

/* ---- elements dropped ---------------------------------------------------------------- */

static glia_value drop_connect(glia_scope *s, int rank, const int64_t *shape, glia_init init) {
  glia_scope p = plain(s);
  const glia_value w = glia_parameter(&p, "weight", rank, shape, init);
  return glia_dropout(&p, "weight", w, p.weight_rate);
}

/* ---- scopes -------------------------------------------------------------------------- */

static glia_scope *with_rule(glia_scope *s, gi_weight_rule *rule, int axis, int iterations) {
  if (s == NULL) return NULL;
  glia_scope *w = gi_arena_alloc(&s->graph->arena, sizeof *w);
  if (w == NULL) {
    gi_latch(s->graph, GLIA_NOMEM, "scope: no memory for %zu bytes", sizeof *w);
    return NULL;
  }
  *w = *s;
  w->weight = rule;
  w->weight_axis = axis;
  w->weight_iterations = iterations > 0 ? iterations : 1;
  return w;
}

glia_scope *glia_scope_weight_norm(glia_scope *s, int axis) {
  return with_rule(s, weight_norm, axis, 0);
}
glia_scope *glia_scope_spectral_norm(glia_scope *s, int axis, int iterations) {
  return with_rule(s, spectral_norm, axis, iterations);
}
glia_scope *glia_scope_drop_connect(glia_scope *s, double rate) {
  glia_scope *w = with_rule(s, drop_connect, 0, 0);
  if (w != NULL) w->weight_rate = rate; /* dropout checks it */
  return w;
}
