/* Updates of few rows: on the reference the same bits as updates of all rows, over steps whose
 * indices repeat, for every rule that leaves a row without gradient as it is; and no value of
 * the table's size beside parameter and state. Where a rule moves such rows, or somebody wants
 * the gradient itself, nothing changes.
 */
#include "compile/check_plan.h"
#include "glia/glia.h"
#include "optim/optim.h"

enum { ROWS = 60, WIDTH = 5, STEPS = 4 };

typedef struct setting {
  glia_optimizer optimizer;
  double clip_norm, norm_type;
  bool tied;         /* an output layer reads the table too */
  bool gives;        /* the gradient is a result, too */
  int64_t index[2];  /* its shape */
  glia_dtype dtype;  /* of the table; 0: f32 */
  const char *watch; /* the loss */
} setting;

typedef struct built {
  glia_graph *g;
  glia_store *store;
  gi_type index;
} built;

static glia_value table(glia_store *store, glia_graph *g, glia_dtype dtype) {
  const gi_type t = {.dtype = dtype, .rank = 2, .dim = {ROWS, WIDTH}};
  gi_entry *e = NULL;
  OK(gi_store_add(store, "table", GLIA_PARAMETER, &t, &e));
  for (int64_t i = 0; i < ROWS * WIDTH; i++)
    glia_tensor_set(e->tensor, i, sin((double)(i * i % 97)));
  return gi_variable(g, "table");
}

/* loss = sum tanh(rows w)^2, and sum tanh(rows table^T)^2 */
static built build(const setting *o) {
  built b = {.index = {.dtype = GLIA_I64, .rank = 2, .dim = {o->index[0], o->index[1]}}};
  OK(glia_graph_new(&b.g));
  OK(glia_store_new(&b.store));
  glia_scope *s = glia_scope_new(b.g, b.store, NULL);
  const glia_value w = table(b.store, b.g, o->dtype);
  const glia_value index = glia_input(b.g, "index", GLIA_I64, 2, b.index.dim);
  const glia_value rows = glia_gather(w, index, 0);
  const glia_value scale = glia_full_like(rows, 0.7);
  glia_value loss = glia_sum(glia_square(glia_tanh(glia_mul(rows, scale))));
  const int64_t flat[] = {o->index[0] * o->index[1], WIDTH};
  if (o->tied)
    loss = glia_add(loss, glia_sum(glia_square(glia_tanh(glia_matmul(
                              glia_reshape(rows, 2, flat), w, .transpose_b = true)))));
  glia_output("loss", loss);
  if (o->gives) {
    glia_value d;
    OK(glia_grad(loss, &w, 1, &d));
    glia_output("gradient", d);
  }
  glia_minimize(s, loss, &o->optimizer, .clip_norm = o->clip_norm, .norm_type = o->norm_type);
  OK(glia_graph_status(b.g));
  return b;
}

static void free_built(built *b) {
  glia_graph_free(b->g);
  glia_store_free(b->store);
}

/* Some indices often, most never. */
static void fill(glia_tensor *index, int step) {
  for (int64_t i = 0; i < glia_tensor_count(index); i++)
    glia_tensor_set(index, i, (double)((i * i + 3 * step) % 7 * 8 % ROWS));
}

/* Values that the plan computes with as many rows as the table has; those written over it do
 * not count. */
static int wide_values(const glia_plan *p, int *written) {
  int wide = 0;
  *written = 0;
  for (int i = 0; i < p->n_steps; i++) {
    const gi_node *n = p->graph->nodes.at[p->steps[i].node];
    for (int k = 0; k < n->n_out; k++) {
      const gi_type *t = &p->graph->values.at[n->out + (uint32_t)k]->type;
      wide += n->op != &gi_op_write_rows && t->rank > 0 && t->dim[0] == ROWS;
    }
    *written += n->op == &gi_op_write_rows && p->memory.place[n->out].kind == GI_IN_STORE;
  }
  return wide;
}

static built train(const setting *o, const char *backend, const char *skip, int threads,
                   int *wide, int *written) {
  built b = build(o);
  glia_plan *p = NULL;
  glia_tensor *index = NULL;
  OK(gi_tensor_new(&b.index, &index));
  OK(glia_compile(b.g, &p, .backend = backend, .skip = skip, .threads = threads,
                  .watch = o->watch));
  check_plan(p);
  *wide = wide_values(p, written);
  OK(glia_plan_bind(p, "index", index));
  for (int step = 0; step < STEPS; step++) {
    fill(index, step);
    OK(glia_plan_run(p));
  }
  glia_plan_free(p);
  glia_tensor_free(index);
  return b;
}

/* Every tensor of the store: within tolerance * (1 + |x|); 0: the same bits, but for -0. */
static void same_store(const glia_store *a, const glia_store *b, double tolerance) {
  assert_int_equal(glia_store_count(a), glia_store_count(b));
  for (int i = 0; i < glia_store_count(a); i++) {
    const glia_tensor *x = glia_store_tensor(a, i), *y = glia_store_tensor(b, i);
    assert_string_equal(glia_store_name(a, i), glia_store_name(b, i));
    for (int64_t k = 0; k < glia_tensor_count(x); k++)
      NEAR(glia_tensor_get(x, k), glia_tensor_get(y, k),
           tolerance * (1 + fabs(glia_tensor_get(x, k))));
  }
}

/* Trains with and without the pass: `written` tensors of the table's size are written by rows,
 * and nothing else has that size, unless `wide`. */
static void check(setting o, int written, bool wide) {
  static const glia_dtype dtypes[] = {GLIA_F32, GLIA_F64};
  int n_wide, n_written;
  if (o.index[0] == 0) o.index[0] = 3, o.index[1] = 4;
  o.watch = "loss";
  OK(glia_optimizer_resolve(&o.optimizer));
  for (int d = 0; d < GI_COUNT(dtypes); d++) {
    o.dtype = dtypes[d];
    built none = train(&o, "ref", "all", 1, &n_wide, &n_written);
    built without = train(&o, "ref", "sparse", 1, &n_wide, &n_written);
    assert_int_equal(n_written, 0);
    assert_true(n_wide > 0);
    built with = train(&o, "ref", NULL, 1, &n_wide, &n_written);
    assert_int_equal(n_written, written);
    assert_int_equal(n_wide > 0, wide);
    same_store(none.store, with.store, 0);
    same_store(without.store, with.store, 0);
    built fast = train(&o, NULL, NULL, 1, &n_wide, &n_written);
    assert_int_equal(n_written, written);
    same_store(none.store, fast.store, d == 0 ? 1e-4 : 1e-12);
    for (int threads = 2; threads < 8; threads += 5) {
      built more = train(&o, NULL, NULL, threads, &n_wide, &n_written);
      same_store(fast.store, more.store, 0);
      free_built(&more);
    }
    free_built(&none);
    free_built(&without);
    free_built(&with);
    free_built(&fast);
  }
}

static void test_rules_that_leave_rows_alone(void **state) {
  (void)state;
  check((setting){.optimizer = glia_sgd(.lr = 0.1)}, 1, false);
  check((setting){.optimizer = glia_sgd(.lr = 0.1, .maximize = true)}, 1, false);
  check((setting){.optimizer = glia_adagrad(.lr = 0.1)}, 2, false);
  check((setting){.optimizer =
                      glia_adagrad(.lr = 0.1, .lr_decay = 0.1, .initial_accumulator = 0.3)},
        2, false);
}

/* The norm is that of the rows. */
static void test_clipping(void **state) {
  (void)state;
  check((setting){.optimizer = glia_sgd(.lr = 0.1), .clip_norm = 0.5}, 1, false);
  static const double types[] = {1, 3.5, INFINITY};
  for (int i = 0; i < GI_COUNT(types); i++)
    check(
        (setting){
            .optimizer = glia_adagrad(.lr = 0.1), .clip_norm = 0.5, .norm_type = types[i]},
        2, false);
}

/* What goes around the rule reads the table as the rows have changed it. */
static void test_mean_of_the_parameters(void **state) {
  (void)state;
  check((setting){.optimizer = glia_sgd(.lr = 0.1, .ema = 0.9)}, 1, true);
}

static void test_rules_that_move_all_rows(void **state) {
  (void)state;
  check((setting){.optimizer = glia_sgd(.lr = 0.1, .momentum = 0.9)}, 0, true);
  check((setting){.optimizer = glia_sgd(.lr = 0.1, .weight_decay = 0.1)}, 0, true);
  check((setting){.optimizer = glia_sgd(.lr = 0.1, .l1 = 0.1)}, 0, true);
  check((setting){.optimizer = glia_adam(.lr = 0.01, .eps = 1e-2)}, 0, true);
  check((setting){.optimizer = glia_rmsprop(.lr = 0.01)}, 0, true);
  check((setting){.optimizer = glia_adagrad(.lr = 0.1, .weight_decay = 0.1)}, 0, true);
}

/* 0 / 0 is no 0: with a divisor that may be 0 all rows are computed. */
static void test_divisors_that_may_be_zero(void **state) {
  (void)state;
  glia_graph *g = NULL, *out = NULL;
  glia_store *store = NULL;
  const gi_target target = {.threads = 1};
  OK(glia_graph_new(&g));
  OK(glia_store_new(&store));
  glia_scope_new(g, store, NULL);
  const glia_value w = table(store, g, GLIA_F32);
  const glia_value index = glia_input(g, "index", GLIA_I64, 1, (const int64_t[]){3});
  const glia_value y = glia_input(g, "y", GLIA_F32, 2, (const int64_t[]){3, WIDTH});
  const glia_value d = glia_scatter_add(y, index, 0, ROWS);
  glia_assign(w, glia_sub(w, glia_div(d, glia_sqrt(glia_square(w)))));
  OK(glia_graph_new(&out));
  OK(gi_pass_sparse.run(g, out, &target));
  for (size_t k = 0; k < out->nodes.n; k++)
    assert_ptr_not_equal(out->nodes.at[k]->op, &gi_op_write_rows);
  glia_graph_free(out);
  glia_graph_free(g);
  glia_store_free(store);
}

static void test_gradients_that_are_wanted_whole(void **state) {
  (void)state;
  check((setting){.optimizer = glia_sgd(.lr = 0.1), .tied = true}, 0, true);
  check((setting){.optimizer = glia_sgd(.lr = 0.1), .gives = true}, 0, true);
  check((setting){.optimizer = glia_sgd(.lr = 0.1), .clip_norm = 1, .tied = true}, 0, true);
}

/* So many indices that rows are more work than the table; and none at all. */
static void test_sizes(void **state) {
  (void)state;
  check((setting){.optimizer = glia_sgd(.lr = 0.1), .index = {4, 5}}, 1, false);
  check((setting){.optimizer = glia_sgd(.lr = 0.1), .index = {3, 7}}, 0, true);
  check((setting){.optimizer = glia_sgd(.lr = 0.1), .index = {3, 0}}, 0, true);
}

/* An index out of range is reported by the look-up, and nothing has changed. */
static void test_index_out_of_range(void **state) {
  (void)state;
  static const char *const backends[] = {"ref", NULL};
  setting o = {.optimizer = glia_sgd(.lr = 0.1), .index = {2, 2}, .dtype = GLIA_F32};
  OK(glia_optimizer_resolve(&o.optimizer));
  for (int i = 0; i < GI_COUNT(backends); i++) {
    built b = build(&o), fresh = build(&o);
    glia_plan *p = NULL;
    glia_tensor *index = NULL;
    OK(gi_tensor_new(&b.index, &index));
    OK(glia_compile(b.g, &p, .backend = backends[i], .watch = "loss"));
    OK(glia_plan_bind(p, "index", index));
    glia_tensor_set(index, 2, ROWS);
    FAILS(glia_plan_run(p), GLIA_INVALID, "gather: index 60 at position 2 is not in 0 .. 59");
    same_store(b.store, fresh.store, 0);
    glia_plan_free(p);
    glia_tensor_free(index);
    free_built(&b);
    free_built(&fresh);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rules_that_leave_rows_alone),
      cmocka_unit_test(test_clipping),
      cmocka_unit_test(test_mean_of_the_parameters),
      cmocka_unit_test(test_rules_that_move_all_rows),
      cmocka_unit_test(test_divisors_that_may_be_zero),
      cmocka_unit_test(test_gradients_that_are_wanted_whole),
      cmocka_unit_test(test_sizes),
      cmocka_unit_test(test_index_out_of_range),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
