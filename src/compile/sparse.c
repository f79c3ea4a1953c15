/* sparse.c - updates of a few rows, where a gradient is zero on all others.
 *
 * The gradient of a look-up in a table is scatter_add(y, index), as large as the table and zero
 * where no index points. An optimiser's rule then walks over all rows of the gradient, of the
 * parameter and of its state, though most come out as they went in: w - lr 0 = w, and for
 * Adagrad s + 0^2 = s. Here such updates are computed for the rows that are named (ops/rows.h)
 * and written over the parameter:
 *
 *   G = scatter_add(y, index)         index', sum, count = rows of (y, index)
 *   w := w - lr G               ->    w := write_rows(w, index', gather(w, index') - lr sum)
 *
 * No rule is named. Of every value that elementwise ops make of G it is asked what it is in a
 * row where G is 0: zero, the variable of which the row is, or anything else. What is zero may
 * be folded by its rows (the norm for clipping); what is the variable is made by writing rows
 * over it; anything else that is wanted as a whole, such as Adam's moments, wants G as a whole,
 * and then nothing is changed.
 *
 * That 0 times a factor is 0 holds for finite factors: a learning rate or a norm that is
 * infinite or NaN spoils the rows that are named, where it spoilt all. -0 may become 0.
 */
#include "compile/compile.h"
#include "ops/rows.h"

/* Rows are summed, taken out and written back; all of a table is zeroed as a gradient, read and
 * updated. With three rows an index both take the same within a tenth (512 indices, rows of 256
 * numbers, one thread, AVX2). */
enum { WORTH = 3 }; /* rows of the table for each index */

typedef enum kind {
  OUTSIDE, /* made of no such gradient, or of two, or not element by element */
  OTHER,
  ZERO,
  SAME /* as the variable */
} kind;

typedef struct row_value { /* what a value is in rows where the gradient is 0 */
  kind kind;
  uint32_t seed;     /* value: the gradient that it is made of */
  uint32_t variable; /* value; SAME alone */
} row_value;

typedef struct finder {
  gi_rewrite r;
  row_value *is;      /* by value */
  bool *whole;        /* by value: somebody wants all its rows */
  bool *refused;      /* by seed: it must stay whole itself */
  gi_used_rows *used; /* by seed: of the new graph */
  glia_value *rows;   /* by value: its rows, of the new graph */
} finder;

static const gi_node *maker(const finder *f, uint32_t v) {
  return f->r.from->nodes.at[f->r.from->values.at[v]->node];
}
static const gi_type *type_of(const finder *f, uint32_t v) {
  return &f->r.from->values.at[v]->type;
}

/* ---- what values are where the gradient is 0 -------------------------------------------- */

static bool is_seed(const finder *f, const gi_node *n) {
  if (n->op != &gi_op_scatter_add || ((const gi_gather_attr *)n->attr)->axis != 0) return false;
  const gi_type *t = type_of(f, n->out);
  const int64_t named = gi_type_count(type_of(f, n->in[1]));
  return glia_dtype_is_float(t->dtype) && named > 0 && named <= t->dim[0] / WORTH;
}

/* The variable that operand v holds where the gradient is 0; GI_NO_VALUE: none. */
static uint32_t variable_in(const finder *f, uint32_t v, const gi_type *as) {
  if (f->is[v].kind == SAME) return f->is[v].variable;
  return f->is[v].kind == OUTSIDE && maker(f, v)->op == &gi_op_variable &&
                 gi_type_equal(type_of(f, v), as)
             ? v
             : GI_NO_VALUE;
}

static bool is_constant(const finder *f, uint32_t v, double *c) {
  return gi_constant_scalar((glia_value){(glia_graph *)(uintptr_t)f->r.from, v}, c);
}

static bool is_positive(const finder *f, uint32_t v);

static bool is_not_negative(const finder *f, uint32_t v) {
  const gi_op *op = maker(f, v)->op;
  return op == &gi_op_sqrt || op == &gi_op_square || op == &gi_op_abs || is_positive(f, v);
}

/* Above 0, or NaN. */
static bool is_positive(const finder *f, uint32_t v) {
  const gi_node *n = maker(f, v);
  double c;
  if (is_constant(f, v, &c)) return c > 0;
  if (n->op != &gi_op_add) return false;
  return (is_positive(f, n->in[0]) && is_not_negative(f, n->in[1])) ||
         (is_positive(f, n->in[1]) && is_not_negative(f, n->in[0]));
}

static bool is_zero(const finder *f, uint32_t v) { return f->is[v].kind == ZERO; }

/* Does the node give 0 for zeros and constants? */
static bool keeps_zero(const finder *f, const gi_node *n) {
  double in[3] = {0};
  for (int i = 0; i < n->n_in; i++)
    if (!is_zero(f, n->in[i]) && !is_constant(f, n->in[i], &in[i])) return false;
  return n->op->scalar(in, n->attr) == 0;
}

/* Of an elementwise node that reads something of the gradient `seed`. */
static row_value result_of(const finder *f, const gi_node *n, uint32_t seed) {
  const row_value zero = {ZERO, seed, GI_NO_VALUE};
  row_value v = {OTHER, seed, GI_NO_VALUE};
  if (keeps_zero(f, n)) return zero;
  if (n->n_in != 2) return v;
  const uint32_t a = n->in[0], b = n->in[1];
  const bool sum = n->op == &gi_op_add, difference = n->op == &gi_op_sub;
  if (n->op == &gi_op_mul && (is_zero(f, a) || is_zero(f, b))) return zero;
  if (n->op == &gi_op_div && is_zero(f, a) && is_positive(f, b)) return zero;
  if (sum && is_zero(f, a)) v.variable = variable_in(f, b, type_of(f, n->out));
  if ((sum || difference) && is_zero(f, b)) v.variable = variable_in(f, a, type_of(f, n->out));
  if (v.variable != GI_NO_VALUE) v.kind = SAME;
  return v;
}

static row_value classify(const finder *f, const gi_node *n) {
  const row_value outside = {OUTSIDE, GI_NO_VALUE, GI_NO_VALUE};
  uint32_t seed = GI_NO_VALUE;
  if (n->n_out != 1) return outside;
  if (is_seed(f, n)) return (row_value){ZERO, n->out, GI_NO_VALUE};
  if (!(n->op->flags & GI_ELEMENTWISE) || n->op->flags & GI_RANDOM) return outside;
  for (int i = 0; i < n->n_in; i++) {
    const row_value *of = &f->is[n->in[i]];
    if (of->kind == OUTSIDE) continue;
    if (seed != GI_NO_VALUE && seed != of->seed) return outside;
    seed = of->seed;
  }
  if (seed == GI_NO_VALUE || !gi_shape_equal(type_of(f, n->out), type_of(f, seed)))
    return outside;
  return result_of(f, n, seed);
}

/* ---- what is wanted as a whole ---------------------------------------------------------- */

/* Is it folded over the rows, and do those where it is zero add nothing? There are some of
 * these, so that a largest element is not below 0. */
static bool folds_rows(const finder *f, const gi_node *n) {
  const bool largest = n->op == &gi_op_max && is_not_negative(f, n->in[0]);
  if ((n->op != &gi_op_sum && !largest) || !is_zero(f, n->in[0])) return false;
  const gi_dims *axes = &((const gi_reduce_attr *)n->attr)->axes;
  return axes->n > 0 && axes->at[0] == 0;
}

static void want_whole(finder *f, uint32_t v) {
  f->whole[v] = true;
  if (is_zero(f, v)) f->refused[f->is[v].seed] = true;
}

/* From the roots back. What is to be whole and is neither zero nor a variable's is computed
 * whole, and so are its operands. */
static void find_whole(finder *f) {
  const glia_graph *g = f->r.from;
  for (size_t i = 0; i < g->roots.n; i++) want_whole(f, g->roots.at[i].value);
  for (size_t k = g->nodes.n; k-- > 0;) {
    const gi_node *n = g->nodes.at[k];
    const row_value *is = n->n_out == 1 ? &f->is[n->out] : NULL;
    const bool by_rows =
        is != NULL && is->kind != OUTSIDE && (is->kind != OTHER || !f->whole[n->out]);
    /* a seed's own inputs are no part of it */
    const bool inner = by_rows && n->out != is->seed;
    if (!f->r.live[k] || inner || folds_rows(f, n)) continue;
    for (int i = 0; i < n->n_in; i++) want_whole(f, n->in[i]);
  }
}

/* ---- the new graph ---------------------------------------------------------------------- */

static bool has_rows(const finder *f, uint32_t v) {
  return f->is[v].kind != OUTSIDE && !f->refused[f->is[v].seed];
}

/* The rows of operand v of something of t's shape; what has no such axis is the same for all.
 */
static glia_value rows_of(const finder *f, uint32_t v, const gi_used_rows *used,
                          const gi_type *t) {
  if (f->is[v].kind != OUTSIDE) return f->rows[v];
  const bool each = type_of(f, v)->rank == t->rank && type_of(f, v)->dim[0] == t->dim[0];
  return each ? glia_gather(f->r.map[v], used->index, 0) : f->r.map[v];
}

static void emit_rows(finder *f, const gi_node *n) {
  const uint32_t v = n->out, seed = f->is[v].seed;
  glia_value in[3];
  if (v == seed) {
    f->used[v] = gi_sum_rows(f->r.map[n->in[0]], f->r.map[n->in[1]]);
    f->rows[v] = f->used[v].sum;
    return;
  }
  for (int i = 0; i < n->n_in; i++) in[i] = rows_of(f, n->in[i], &f->used[seed], type_of(f, v));
  f->rows[v] = gi_emit(f->r.to, n->op, n->attr, in, n->n_in, NULL);
}

static glia_status visit(finder *f, uint32_t k, const gi_node *n) {
  if (n->n_out == 1 && has_rows(f, n->out)) {
    const row_value *is = &f->is[n->out];
    emit_rows(f, n);
    if (!f->whole[n->out]) return glia_graph_status(f->r.to);
    if (is->kind == OTHER) return gi_rewrite_copy(&f->r, k);
    const glia_value v =
        gi_write_rows(f->r.map[is->variable], f->rows[n->out], &f->used[is->seed]);
    gi_rewrite_set(&f->r, k, &v);
    return glia_graph_status(f->r.to);
  }
  if (!folds_rows(f, n) || !has_rows(f, n->in[0])) return gi_rewrite_copy(&f->r, k);
  const glia_value v = gi_emit1(n->op, n->attr, f->rows[n->in[0]]);
  gi_rewrite_set(&f->r, k, &v);
  return glia_graph_status(f->r.to);
}

static glia_status rewrite(finder *f) {
  const glia_graph *from = f->r.from;
  glia_graph *to = f->r.to;
  const size_t n = from->values.n + 1;
  f->is = gi_alloc(n * sizeof *f->is);
  f->whole = gi_alloc(n * sizeof *f->whole);
  f->refused = gi_alloc(n * sizeof *f->refused);
  f->used = gi_alloc(n * sizeof *f->used);
  f->rows = gi_alloc(n * sizeof *f->rows);
  if (f->is == NULL || f->whole == NULL || f->refused == NULL || f->used == NULL ||
      f->rows == NULL)
    return gi_fail_nomem(n * sizeof *f->used);
  for (size_t k = 0; k < from->nodes.n; k++)
    if (f->r.live[k] && from->nodes.at[k]->n_out == 1)
      f->is[from->nodes.at[k]->out] = classify(f, from->nodes.at[k]);
  find_whole(f);
  for (uint32_t k = 0; k < from->nodes.n; k++) {
    if (!f->r.live[k]) continue;
    const gi_node *node = from->nodes.at[k];
    const char *before = gi_set_path(to, gi_arena_strdup(&to->arena, node->path));
    const glia_status s = to->path == NULL ? gi_fail_nomem(1) : visit(f, k, node);
    gi_set_path(to, before);
    GI_TRY(s);
  }
  return GLIA_OK;
}

static glia_status write_new(const glia_graph *from, glia_graph *to, const gi_target *target) {
  finder f = {.is = NULL};
  glia_status s = gi_rewrite_begin(&f.r, from, to, target);
  if (s == GLIA_OK) s = rewrite(&f);
  s = gi_rewrite_end(&f.r, s);
  gi_free(f.is);
  gi_free(f.whole);
  gi_free(f.refused);
  gi_free(f.used);
  gi_free(f.rows);
  return s;
}

/* Rows that were made and turned out to be of no use are left out. */
static glia_status run(const glia_graph *from, glia_graph *to, const gi_target *target) {
  glia_graph *with_dead = NULL;
  GI_TRY(glia_graph_new(&with_dead));
  glia_status s = write_new(from, with_dead, target);
  if (s == GLIA_OK) s = gi_rewrite_live(with_dead, to, target);
  glia_graph_free(with_dead);
  return s;
}

const gi_pass gi_pass_sparse = {
    .name = "sparse",
    .doc = "updates of few rows, where all others come out as they went in",
    .run = run,
};
