/* Ten steps on the sparse gradients of an embedding against PyTorch's SparseAdam, SGD and
 * Adagrad (tools/golden_sparse.py): repeated indices, padding, two look-ups in one table, bags;
 * the weight after each step, and the state.
 */
#include "golden_tensors.h"
#include "torch_words.h"

#include "glia/glia.h"
#include "graph/graph.h"

enum { STEPS = 10 };

static const char *metadata(const golden *f, const char *key) {
  const char *text = glia_safetensors_metadata(f->file, key);
  if (text == NULL) fail_msg("the golden file has no %s", key);
  return text;
}

static glia_optimizer optimizer_of(const golden *f) {
  const bool sparse = strstr(f->op, "SparseAdam") != NULL;
  char text[512];
  glia_optimizer o = {0};
  torch_optimizer(sparse ? "Adam" : f->op, f->attributes, text, sizeof text);
  OK(glia_optimizer_parse(text, &o));
  return o;
}

static glia_value input_like(glia_graph *g, const golden *f, const char *name,
                             const char *sample) {
  glia_tensor *t = golden_tensor(f, sample);
  const gi_type type = gi_tensor_type(t);
  glia_tensor_free(t);
  return glia_input(g, name, type.dtype, type.rank, type.dim);
}

static glia_value look_up(glia_value weight, glia_value index, const golden *f) {
  const char *kind = metadata(f, "kind");
  const int64_t padding = strtol(metadata(f, "padding"), NULL, 10);
  glia_bag_opts bag = {.size = sizeof bag,
                       .lookup = {.size = sizeof bag.lookup,
                                  .padded = padding >= 0,
                                  .padding = padding,
                                  .sparse = true}};
  bag.mode = strcmp(kind, "mean") == 0 ? GLIA_BAG_MEAN : GLIA_BAG_SUM;
  const bool bags = strcmp(kind, "mean") == 0 || strcmp(kind, "sum") == 0;
  return bags ? glia_embedding_bag_with(weight, index, &bag)
              : glia_embedding_with(weight, index, &bag.lookup);
}

/* sum(dy * embedding(index)), minimised. */
static glia_plan *compile_step(const golden *f, glia_store *store, const char *backend,
                               int threads) {
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  gi_entry *e = NULL;
  glia_tensor *first = golden_tensor(f, "weight");
  const gi_type t = gi_tensor_type(first);
  OK(gi_store_add(store, "weight", GLIA_PARAMETER, &t, &e));
  memcpy(glia_tensor_data(e->tensor), glia_tensor_data(first), glia_tensor_bytes(first));
  glia_tensor_free(first);
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(g, store, NULL);
  const glia_value weight = gi_variable(g, "weight");
  glia_value loss = glia_sum(glia_mul(look_up(weight, input_like(g, f, "index", "index.1"), f),
                                      input_like(g, f, "dy", "dy.1")));
  if (golden_has(f, "other.1"))
    loss = glia_add(loss,
                    glia_sum(glia_mul(look_up(weight, input_like(g, f, "other", "other.1"), f),
                                      input_like(g, f, "dz", "dz.1"))));
  const glia_optimizer o = optimizer_of(f);
  glia_minimize(s, loss, &o);
  OK(glia_compile(g, &plan, .backend = backend, .threads = threads));
  glia_graph_free(g);
  return plan;
}

static void run_step(glia_plan *plan, const golden *f, int step) {
  static const char *const inputs[] = {"index", "dy", "other", "dz"};
  glia_tensor *bound[GI_COUNT(inputs)] = {NULL};
  for (int i = 0; i < GI_COUNT(inputs); i++) {
    char name[32];
    snprintf(name, sizeof name, "%s.%d", inputs[i], step);
    if (!golden_has(f, name)) continue;
    bound[i] = golden_tensor(f, name);
    OK(glia_plan_bind(plan, inputs[i], bound[i]));
  }
  OK(glia_plan_run(plan));
  for (int i = 0; i < GI_COUNT(inputs); i++) glia_tensor_free(bound[i]);
}

static void check_state(const golden *f, const glia_store *store, const char *what) {
  for (int i = 0; i < glia_safetensors_count(f->file); i++) {
    const char *name = glia_safetensors_name(f->file, i);
    char ours[64];
    if (strncmp(name, "state.", 6) != 0) continue;
    snprintf(ours, sizeof ours, "weight.%s", name + 6);
    assert_golden(glia_store_get(store, ours), f, name, 1e-12, what);
  }
}

static void check_file(const char *name, const char *backend, int threads) {
  char what[400], after[32];
  golden f = golden_open(name);
  glia_store *store = NULL;
  snprintf(what, sizeof what, "%s on %s", name, backend != NULL ? backend : "cpu");
  OK(glia_store_new(&store));
  glia_plan *plan = compile_step(&f, store, backend, threads);
  for (int step = 1; step <= STEPS; step++) {
    run_step(plan, &f, step);
    snprintf(after, sizeof after, "after.%d", step);
    assert_golden(glia_store_get(store, "weight"), &f, after, 1e-12, what);
  }
  check_state(&f, store, what);
  glia_plan_free(plan);
  glia_store_free(store);
  golden_close(&f);
}

/* Every file of the folder, so that a new one cannot be forgotten. */
static void each_file(const char *backend, int threads) {
  char dir[512], name[300];
  gi_names files;
  snprintf(dir, sizeof dir, "%s/tests/golden/sparse", GI_TEST_SOURCE);
  OK(gi_list_dir(dir, &files));
  for (size_t i = 0; i < files.n; i++) {
    snprintf(name, sizeof name, "sparse/%.*s", (int)strcspn(files.at[i], "."), files.at[i]);
    check_file(name, backend, threads);
  }
  assert_int_equal(files.n, 10);
  gi_names_free(&files);
}

static void test_on_the_reference(void **state) {
  (void)state;
  each_file("ref", 1);
}

static void test_on_the_default_backend(void **state) {
  (void)state;
  each_file(NULL, 1);
  each_file(NULL, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_on_the_reference),
      cmocka_unit_test(test_on_the_default_backend),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
