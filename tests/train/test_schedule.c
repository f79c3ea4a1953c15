/* Schedules: 40 steps against PyTorch's (tools/golden_schedules.py), text,
 * ranges, and what they do to a fit.
 */
#include <float.h>
#include <math.h>

#include "golden_tensors.h"
#include "torch_words.h"

#include "glia/glia.h"
#include "blobs.h"
#include "train/learner.h"

enum { STEPS = 40 };

/* ---- against PyTorch --------------------------------------------------------------------- */

static void check_file(const char *name) {
  golden f = golden_open(name);
  char text[512];
  glia_schedule s;
  torch_schedule(f.op, f.attributes, text, sizeof text);
  OK(glia_schedule_parse(text, &s));
  glia_tensor *lr = golden_tensor(&f, "lr"), *momentum = golden_tensor(&f, "momentum");
  glia_tensor *metric = golden_has(&f, "metric") ? golden_tensor(&f, "metric") : NULL;
  assert_int_equal(glia_tensor_count(lr), STEPS);
  for (int64_t k = 0; k < STEPS; k++) {
    const glia_schedule_point at = {.lr = 0.1,
                                    .step = k,
                                    .steps = STEPS,
                                    .metrics = metric != NULL ? glia_tensor_data(metric) : NULL,
                                    .n_metrics = metric != NULL ? k : 0};
    glia_rates r;
    OK(glia_schedule_rates(&s, &at, &r));
    if (isnan(r.momentum)) r.momentum = 0.9;
    const double want = glia_tensor_get(lr, k), wanted = glia_tensor_get(momentum, k);
    if (!(fabs(r.lr - want) < 1e-12 && fabs(r.momentum - wanted) < 1e-12))
      fail_msg(
          "%s (%s): step %lld has lr %.17g and momentum %.17g, wanted "
          "%.17g and %.17g",
          name, text, (long long)k, r.lr, r.momentum, want, wanted);
  }
  glia_tensor_free(lr);
  glia_tensor_free(momentum);
  glia_tensor_free(metric);
  golden_close(&f);
}

static void test_golden(void **state) {
  (void)state;
  char dir[512], name[300];
  gi_names files;
  snprintf(dir, sizeof dir, "%s/tests/golden/schedules", GI_TEST_SOURCE);
  OK(gi_list_dir(dir, &files));
  for (size_t i = 0; i < files.n; i++) {
    snprintf(name, sizeof name, "schedules/%.*s", (int)strcspn(files.at[i], "."), files.at[i]);
    check_file(name);
  }
  assert_int_equal(files.n, 36);
  gi_names_free(&files);
}

/* ---- every row of the table -------------------------------------------------------------- */

/* With what must be given. */
static glia_schedule minimal(const gi_schedule_rule *rule) {
  return (glia_schedule){
      .name = rule->name,
      .step_size = strcmp(rule->name, "step") == 0 ? 3 : 0,
      .milestones = {strcmp(rule->name, "multi_step") == 0 ? 4 : 0},
      .gamma = strcmp(rule->name, "exponential") == 0 ? 0.5 : 0,
      .warmup = strcmp(rule->name, "warmup") == 0 ? 2 : 0,
  };
}

static void each_number(const gi_schedule_rule *rule) {
  for (const gi_field *f = rule->fields; f->name != NULL; f++) {
    const double low[] = {-1, NAN, INFINITY};
    const int64_t bad = -1;
    glia_schedule s = minimal(rule);
    if (f->kind == GI_FIELD_I64 || f->kind == GI_FIELD_LIST) {
      memcpy((char *)&s + f->offset, &bad, sizeof bad);
      FAILS(glia_schedule_resolve(&s), GLIA_INVALID, f->name);
    }
    for (int i = 0; f->kind == GI_FIELD_F64 && i < GI_COUNT(low); i++) {
      s = minimal(rule);
      memcpy((char *)&s + f->offset, &low[i], sizeof low[i]);
      FAILS(glia_schedule_resolve(&s), GLIA_INVALID, f->name);
    }
    if (f->kind != GI_FIELD_NAME) continue;
    const char *name = "banana";
    s = minimal(rule);
    memcpy((char *)&s + f->offset, &name, sizeof name);
    FAILS(glia_schedule_resolve(&s), GLIA_INVALID, f->name);
  }
}

/* Trainings of few steps: where PyTorch has no answer the rate is still one. */
static void each_short(const gi_schedule_rule *rule) {
  const double metrics[12] = {0};
  for (int total = 0; total < 12; total++)
    for (int k = 0; k < GI_MAX(total, 1); k++) {
      const glia_schedule s = minimal(rule);
      const glia_schedule_point at = {
          .lr = 0.1, .step = k, .steps = total, .metrics = metrics, .n_metrics = k};
      glia_rates r;
      OK(glia_schedule_rates(&s, &at, &r));
      if (!(r.lr >= 0 && r.lr <= 0.1 + 1e-15))
        fail_msg("%s: step %d of %d is %g", rule->name, k, total, r.lr);
    }
}

static void test_each_row(void **state) {
  (void)state;
  int n = 0;
  for (int list = 0; gi_schedules_table[list] != NULL; list++)
    for (int k = 0; gi_schedules_table[list][k] != NULL; k++, n++) {
      each_number(gi_schedules_table[list][k]);
      each_short(gi_schedules_table[list][k]);
    }
  assert_int_equal(n, 12);
}

/* ---- text and errors --------------------------------------------------------------------- */

static void test_parse(void **state) {
  (void)state;
  glia_schedule s;
  OK(glia_schedule_parse("one-cycle max_lr=0.5 three_phase anneal=linear", &s));
  assert_string_equal(s.name, "one_cycle");
  assert_true(s.three_phase && !s.cycle_momentum);
  NEAR(s.max_lr, 0.5, 0);
  NEAR(s.pct_start, 0.3, 0);
  assert_string_equal(s.anneal, "linear");
  OK(glia_schedule_parse("multi_step milestones=3,70,800", &s));
  assert_int_equal(s.milestones[0], 3);
  assert_int_equal(s.milestones[2], 800);
  assert_int_equal(s.milestones[3], 0);
  OK(glia_schedule_parse("plateau patience=0 threshold=0 per_epoch", &s));
  assert_true(s.patience < 1e-300 && s.threshold < 1e-300 && s.per_epoch);
  s = (glia_schedule){0};
  OK(glia_schedule_resolve(&s));
  assert_string_equal(s.name, "constant");
  s = glia_schedule_of("step", .step_size = 4);
  OK(glia_schedule_resolve(&s));
  NEAR(s.gamma, 0.1, 0);
}

static void test_errors(void **state) {
  (void)state;
  static const struct {
    const char *text, *message;
  } bad[] = {
      {"cosin", "none is called \"cosin\"; did you mean \"cosine\"?"},
      {"", "empty"},
      {"step", "step: wants step_size"},
      {"step step_size=0", "wants step_size"},
      {"step step_size=-1", "step_size is \"-1\""},
      {"step step_size=2.5", "step_size is \"2.5\", wanted an integer"},
      {"multi_step", "wants milestones"},
      {"multi_step milestones=3,2", "milestones is \"3,2\", wanted rising numbers"},
      {"multi_step milestones=0", "milestones is \"0\""},
      {"multi_step milestones=3,", "milestones is \"3,\""},
      {"multi_step milestones=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "milestones is"},
      {"exponential", "wants gamma"},
      {"warmup", "wants warmup"},
      {"warmup warmup=5 decay=cosin", "did you mean \"cosine\"?"},
      {"cosine max_lr=1", "no option is called \"max_lr\"; did you mean \"min_lr\"?"},
      {"one_cycle pct_start=2", "pct_start is \"2\", wanted a number from 0 to 1"},
      {"one_cycle div_factor=0", "div_factor is \"0\""},
      {"cyclic mode=max", "mode is \"max\""},
      {"plateau mode=triangular", "mode is \"triangular\""},
      {"linear start_factor=2", "start_factor is \"2\""},
  };
  glia_schedule s = {.name = "untouched"};
  for (int i = 0; i < GI_COUNT(bad); i++)
    FAILS(glia_schedule_parse(bad[i].text, &s), GLIA_INVALID, bad[i].message);
  assert_string_equal(s.name, "untouched");
  s = glia_schedule_of("cosine", .max_lr = 1);
  FAILS(glia_schedule_resolve(&s), GLIA_INVALID, "cosine has no option max_lr");
  s = glia_schedule_of("linear", .three_phase = true);
  FAILS(glia_schedule_resolve(&s), GLIA_INVALID, "linear has no option three_phase; one_cycle");
  s = glia_schedule_of("exponential", .gamma = 0.5, .milestones = {2});
  FAILS(glia_schedule_resolve(&s), GLIA_INVALID, "no option milestones; multi_step has");
  glia_rates r;
  s = (glia_schedule){0};
  const glia_schedule_point before = {.lr = 1, .step = -1}, broken = {.lr = NAN};
  FAILS(glia_schedule_rates(&s, &before, &r), GLIA_INVALID, "step -1");
  FAILS(glia_schedule_rates(&s, &broken, &r), GLIA_INVALID, "lr");
}

/* ---- in a fit
 * ----------------------------------------------------------------------------
 */

typedef struct seen {
  double lr[64];
  int n;
} seen;

static bool on_event(const glia_progress *p, void *user) {
  seen *s = user;
  if (p->event == GLIA_STEP_END && s->n < GI_COUNT(s->lr)) s->lr[s->n++] = p->lr;
  return true;
}

/* 64 points in batches of 32: two steps an epoch. */
static seen fit(const glia_optimizer *o, const glia_schedule *schedule, int64_t epochs,
                glia_status want, const char *message) {
  seen s = {.n = 0};
  glia_dataset *d = blobs(64, 0.5, 0, 1);
  glia_loader *data = loader_of(d, 32, true, 1);
  glia_learner *l = blob_learner(o, NULL);
  const glia_status status = glia_fit(l, data, data, .epochs = epochs, .schedule = *schedule,
                                      .lr = 0.1, .on_event = on_event, .user = &s);
  assert_int_equal(status, want);
  if (message != NULL) assert_non_null(strstr(glia_error_message(), message));
  glia_learner_free(l);
  glia_loader_free(data);
  glia_dataset_free(d);
  return s;
}

static void test_fit_by_epoch(void **state) {
  (void)state;
  const glia_schedule halves =
      glia_schedule_of("step", .step_size = 1, .gamma = 0.5, .per_epoch = true);
  const seen s = fit(&glia_sgd(), &halves, 3, GLIA_OK, NULL);
  assert_int_equal(s.n, 6);
  for (int k = 0; k < 6; k++) NEAR(s.lr[k], 0.1 * pow(0.5, k / 2), 1e-15);
}

/* A rate of 0 is 0, not the optimiser's: the first step of a warm-up moves
 * nothing. */
static void test_fit_from_zero(void **state) {
  (void)state;
  const glia_schedule w = glia_schedule_of("warmup", .warmup = 4, .decay = "constant");
  const seen s = fit(&glia_sgd(.lr = 5), &w, 3, GLIA_OK, NULL);
  assert_int_equal(s.n, 6);
  NEAR(s.lr[0], 0, 0);
  NEAR(s.lr[1], 0.025, 1e-15);
  NEAR(s.lr[5], 0.1, 1e-15);
}

/* No validation loss gets better by half of it at every epoch. */
static void test_fit_on_a_plateau(void **state) {
  (void)state;
  const glia_schedule p =
      glia_schedule_of("plateau", .patience = DBL_MIN, .threshold = 0.9, .factor = 0.5);
  const seen s = fit(&glia_sgd(), &p, 4, GLIA_OK, NULL);
  assert_int_equal(s.n, 8);
  NEAR(s.lr[0], 0.1, 0);
  NEAR(s.lr[3], 0.1, 0); /* the first epoch is the best so far */
  NEAR(s.lr[4], 0.05, 1e-15);
  NEAR(s.lr[6], 0.025, 1e-15);
}

static void test_fit_moves_momentum(void **state) {
  (void)state;
  const glia_schedule c = glia_schedule_of("one_cycle", .cycle_momentum = true);
  assert_int_equal(fit(&glia_sgd(.momentum = 0.9), &c, 3, GLIA_OK, NULL).n, 6);
  assert_int_equal(fit(&glia_adam(), &c, 3, GLIA_OK, NULL).n, 6);
  fit(&glia_sgd(), &c, 3, GLIA_INVALID, "sgd has no momentum");
  fit(&glia_adagrad(), &c, 3, GLIA_INVALID, "adagrad has no momentum");
  const glia_schedule bad = glia_schedule_of("one_cycl");
  fit(&glia_sgd(), &bad, 3, GLIA_INVALID, "did you mean \"one_cycle\"?");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_golden),
      cmocka_unit_test(test_each_row),
      cmocka_unit_test(test_parse),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_fit_by_epoch),
      cmocka_unit_test(test_fit_from_zero),
      cmocka_unit_test(test_fit_on_a_plateau),
      cmocka_unit_test(test_fit_moves_momentum),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
