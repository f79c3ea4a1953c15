/* What a training takes is known before its first step: the plan's figure, the store and the
 * batches that are read ahead, and nothing grows beyond it.
 */
#include "test.h"

#include "glia/glia.h"
#include "run/cache.h"
#include "train/run.h"

enum { ROWS = 96, BATCH = 16, SLOTS = 5 /* the loader's prefetch, and the one lent */ };

static const char *write_table(const char *dir) {
  static char path[600];
  const gi_rng r = {4, 1, 0};
  snprintf(path, sizeof path, "%s/table.csv", dir);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fprintf(f, "a,b,colour\n");
  for (uint64_t i = 0; i < ROWS; i++)
    fprintf(f, "%.4f,%.4f,%s\n", gi_rng_normal(&r, 2 * i), gi_rng_normal(&r, 2 * i + 1),
            i % 3 == 0   ? "red"
            : i % 3 == 1 ? "green"
                         : "blue");
  fclose(f);
  return path;
}

static void test_planned(void **state) {
  char dir[512], net[600], folder[600];
  glia_run *r = NULL;
  glia_memory before, after;
  size_t step = 0;
  (void)state;
  snprintf(dir, sizeof dir, "%s", test_dir("memory"));
  snprintf(net, sizeof net, "%s/a.net", dir);
  snprintf(folder, sizeof folder, "%s/run", dir);
  OK(gi_write_file(net, "dense 16 tanh\ndense 3\n", 22));
  const glia_train_opts o = {.size = sizeof o,
                             .data = write_table(dir),
                             .net = net,
                             .run = folder,
                             .epochs = 2,
                             .batch = BATCH,
                             .threads = 1};
  OK(glia_run_new(&o, &r));
  OK(glia_run_memory(r, &before));
  OK(glia_learner_plan_bytes(glia_run_learner(r), BATCH, &step));
  assert_true(before.step >= step); /* there is a smaller batch at the end */
  /* 99 parameters, twice as many numbers of Adam's state, its count of steps. */
  assert_in_range(before.store, 3 * 99 * sizeof(float), 3 * 99 * sizeof(float) + 64);
  const size_t sample = 2 * sizeof(float) + 2 * sizeof(int64_t); /* with its class and number */
  assert_int_equal(before.batches, 2 * SLOTS * BATCH * sample);
  OK(glia_run_fit(r, NULL, NULL));
  OK(glia_run_memory(r, &after));
  assert_int_equal(after.store, before.store);
  assert_int_equal(gi_cache_bytes(glia_run_learner(r)->plans), before.step + 64);
  glia_run_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_planned)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
