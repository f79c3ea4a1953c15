/* Timing kernels that compete, on a backend whose kernels lie about their speed; and the file
 * that keeps what was chosen.
 */
#include "test.h"

#include "compile/offers.h"
#include "compile/plan.h"
#include "glia/glia.h"

/* ---- a backend of toys ---------------------------------------------------------------------
 */

/* Both compute add by the reference; "lame" says that it is the faster one, and spins. */
static int prepared[3], runs[3];
static bool missing[2]; /* "lame", "nimble": turns out not to be there */

static glia_status prepare_reference(const gi_problem *p, gi_prepared *out) {
  return gi_backend_ref.kernels[0][0]->prepare(p, out);
}
static glia_status run_reference(const gi_exec *x) {
  return gi_backend_ref.kernels[0][0]->run(x);
}

static glia_status prepare_lame(const gi_problem *p, gi_prepared *out) {
  prepared[0]++;
  if (missing[0]) return gi_fail(GLIA_UNSUPPORTED, "lame: is not there");
  return prepare_reference(p, out);
}
static glia_status run_lame(const gi_exec *x) {
  runs[0]++;
  for (const double end = gi_now() + 0.01; gi_now() < end;) continue;
  return run_reference(x);
}
static double cost_lame(const gi_problem *p, const gi_limits *l) {
  return gi_time(p, l, 1, 1) / 2;
}

static glia_status prepare_nimble(const gi_problem *p, gi_prepared *out) {
  prepared[1]++;
  if (missing[1]) return gi_fail(GLIA_UNSUPPORTED, "nimble: is not there");
  return prepare_reference(p, out);
}
static glia_status run_nimble(const gi_exec *x) {
  runs[1]++;
  return run_reference(x);
}
static double cost_nimble(const gi_problem *p, const gi_limits *l) {
  return gi_time(p, l, 1, 1);
}

/* By its model it stands no chance, and by the models of the others it would win once these are
 * found to be wrong: they are corrected alike. */
static glia_status prepare_hopeless(const gi_problem *p, gi_prepared *out) {
  prepared[2]++;
  return prepare_reference(p, out);
}
static double cost_hopeless(const gi_problem *p, const gi_limits *l) {
  return 20 * gi_time(p, l, 1, 1);
}

#define TOY(id)                                                              \
  {                                                                          \
    .ops = {"add"}, .name = #id, .cost = cost_##id, .prepare = prepare_##id, \
    .release = gi_free, .run = run_##id                                      \
  }
#define run_hopeless run_reference
static const gi_kernel lame = TOY(lame), nimble = TOY(nimble), hopeless = TOY(hopeless);
static const gi_kernel *const toys[] = {&lame, &nimble, &hopeless, NULL};
static const gi_kernel *const *const lists[] = {toys, NULL};
static const gi_backend toy = {.name = "toy", .kernels = lists};

static void start_over(void) {
  memset(prepared, 0, sizeof prepared);
  memset(runs, 0, sizeof runs);
  memset(missing, 0, sizeof missing);
}

/* ---- choosing ------------------------------------------------------------------------------
 */

typedef struct trial {
  gi_times times;
  gi_target target;
} trial;

static trial new_trial(double tune) {
  start_over();
  trial t = {.times = {.rows = {.n = 0}}};
  t.target = (gi_target){
      .backend = &toy, .threads = 1, .limits = gi_backend_ref.limits(1), .tune = tune};
  return t;
}

/* Sums of these lengths, each of its own inputs; two sums of equal length are equal problems.
 */
static glia_graph *sums(const int64_t *lengths, int n) {
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  for (int i = 0; i < n; i++) {
    char name[3][8];
    for (int k = 0; k < 3; k++) snprintf(name[k], sizeof name[k], "%c%d", 'a' + k, i);
    glia_output(name[2], glia_add(glia_input(g, name[0], GLIA_F32, 1, &lengths[i]),
                                  glia_input(g, name[1], GLIA_F32, 1, &lengths[i])));
  }
  OK(glia_graph_status(g));
  return g;
}

static glia_status choose(trial *t, const int64_t *lengths, int n, const char **names) {
  glia_graph *g = sums(lengths, n), *out = NULL;
  if (t->target.tune > 0 || t->times.rows.n > 0) t->target.times = &t->times;
  glia_status s = gi_run_passes(g, &t->target, NULL, NULL, NULL, &out);
  int at = 0;
  for (size_t k = 0; s == GLIA_OK && k < out->nodes.n; k++)
    if (out->nodes.at[k]->kernel != NULL) names[at++] = out->nodes.at[k]->kernel->name;
  if (s == GLIA_OK) assert_int_equal(at, n);
  glia_graph_free(g);
  glia_graph_free(out);
  return s;
}

static const int64_t lengths[] = {64, 64, 5};

static void test_times_win_over_the_model(void **state) {
  (void)state;
  const char *names[3];
  trial t = new_trial(0);
  OK(choose(&t, lengths, 3, names));
  assert_string_equal(names[0], "lame"); /* so says the model */
  assert_int_equal(prepared[0] + prepared[1], 0);

  t = new_trial(60);
  OK(choose(&t, lengths, 3, names));
  for (int i = 0; i < 3; i++) assert_string_equal(names[i], "nimble");
  assert_int_equal(t.times.rows.n, 4); /* two kernels, two problems: equal ones once */
  assert_int_equal(prepared[0], 2);
  assert_int_equal(prepared[1], 2);
  assert_int_equal(prepared[2], 0);

  start_over(); /* all is known now */
  OK(choose(&t, lengths, 3, names));
  t.target.tune = 0;
  OK(choose(&t, lengths, 3, names));
  for (int i = 0; i < 3; i++) assert_string_equal(names[i], "nimble");
  assert_int_equal(prepared[0] + prepared[1] + runs[0] + runs[1], 0);
  gi_times_free(&t.times);
}

static void test_time_is_bounded(void **state) {
  (void)state;
  int64_t many[20];
  const char *names[20];
  for (int i = 0; i < 20; i++) many[i] = i + 1;
  trial t = new_trial(1e-3); /* lame alone takes ten times that */
  OK(choose(&t, many, 20, names));
  assert_int_equal(t.times.rows.n, 2);
  assert_string_equal(names[19], "nimble"); /* the longest comes first */
  assert_string_equal(names[0], "lame");
  gi_times_free(&t.times);
}

static void test_a_kernel_that_is_not_there(void **state) {
  (void)state;
  const char *names[1];
  trial t = new_trial(60);
  missing[1] = true;
  OK(choose(&t, lengths, 1, names));
  assert_string_equal(names[0], "lame");
  gi_times_free(&t.times);
}

/* Nobody has tried the kernels before the plan prepares them: the next best one steps in. */
static void test_a_plan_whose_kernel_is_not_there(void **state) {
  static const char *const expected[] = {"lame", "nimble", "reference"};
  (void)state;
  for (int gone = 0; gone < 3; gone++) {
    trial t = new_trial(0);
    glia_graph *g = sums(lengths, 1), *compiled = NULL;
    glia_plan *p = NULL;
    for (int i = 0; i < gone; i++) missing[i] = true;
    OK(gi_run_passes(g, &t.target, NULL, NULL, NULL, &compiled));
    OK(gi_plan_new(compiled, &t.target, NULL, &p));
    assert_int_equal(p->n_steps, 1);
    assert_string_equal(p->steps[0].kernel->name, expected[gone]);
    glia_plan_free(p);
    glia_graph_free(g);
  }
}

/* Every allocation fails once: a status or a choice, never a crash. */
static void test_without_memory(void **state) {
  (void)state;
  const char *names[3];
  for (int i = 1;; i++) {
    trial t = new_trial(60);
    glia_graph *g = sums(lengths, 2), *out = NULL;
    t.target.times = &t.times;
    gi_alloc_count();
    gi_alloc_fail_after(i);
    const glia_status s = gi_run_passes(g, &t.target, NULL, NULL, NULL, &out);
    const bool all = gi_alloc_count() < i;
    gi_alloc_fail_after(0);
    if (s != GLIA_OK) assert_int_equal(s, GLIA_NOMEM);
    glia_graph_free(out);
    glia_graph_free(g);
    gi_times_free(&t.times);
    if (all) break;
  }
  trial t = new_trial(60);
  OK(choose(&t, lengths, 3, names));
  gi_times_free(&t.times);
}

/* ---- what was chosen ------------------------------------------------------------------------
 */

static char *text_of(const char *path) {
  char *text = NULL;
  size_t n = 0;
  OK(gi_read_file(path, 1 << 20, &text, &n));
  return text;
}

static void test_choices_are_kept(void **state) {
  (void)state;
  const char *names[3];
  char path[600];
  snprintf(path, sizeof path, "%s/kernels.json", test_dir("choices"));
  trial t = new_trial(60);
  t.target.choices = path;
  OK(choose(&t, lengths, 3, names));
  gi_times_free(&t.times);
  char *first = text_of(path);

  t = new_trial(0); /* the model would take "lame" */
  t.target.choices = path;
  OK(choose(&t, lengths, 3, names));
  for (int i = 0; i < 3; i++) assert_string_equal(names[i], "nimble");
  char *same = text_of(path);
  assert_string_equal(first, same);
  gi_free(same);

  OK(choose(&t, lengths, 2, names)); /* another graph */
  assert_string_equal(names[0], "lame");
  t.target.threads = 2; /* another setup */
  OK(choose(&t, lengths, 3, names));
  assert_string_equal(names[0], "lame");
  t.target.threads = 1;
  OK(choose(&t, lengths, 3, names));
  assert_string_equal(names[0], "nimble");

  /* A kernel that is no more: all is chosen anew. */
  char *other = gi_strdup(first), *at = strstr(other, "nimble");
  at[0] = 'N';
  OK(gi_write_file(path, other, strlen(other)));
  OK(choose(&t, lengths, 3, names));
  assert_string_equal(names[0], "lame");
  gi_free(other);
  gi_free(first);
}

static void test_spoilt_choices(void **state) {
  (void)state;
  const char *names[3];
  char path[600];
  snprintf(path, sizeof path, "%s/kernels.json", test_dir("choices_spoilt"));
  trial t = new_trial(0);
  t.target.choices = path;
  OK(choose(&t, lengths, 3, names));
  char *text = text_of(path);
  const size_t n = strlen(text);
  for (size_t cut = 0; cut + 2 < n; cut++) { /* without the last brace */
    OK(gi_write_file(path, text, cut));
    FAILS(choose(&t, lengths, 3, names), GLIA_FORMAT, path);
  }
  FAILS(choose(&t, lengths, 3, names), GLIA_FORMAT, "chosen anew");
  const gi_rng r = {4, 0, 0};
  for (uint64_t i = 0; i < 1000; i++) {
    char *bad = gi_strdup(text);
    bad[gi_rng_below(&r, 2 * i, n)] = (char)gi_rng_below(&r, 2 * i + 1, 256);
    OK(gi_write_file(path, bad, n));
    const glia_status s = choose(&t, lengths, 3, names);
    if (s != GLIA_OK) assert_int_equal(s, GLIA_FORMAT);
    gi_free(bad);
  }
  gi_free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_times_win_over_the_model),
      cmocka_unit_test(test_time_is_bounded),
      cmocka_unit_test(test_a_kernel_that_is_not_there),
      cmocka_unit_test(test_a_plan_whose_kernel_is_not_there),
      cmocka_unit_test(test_without_memory),
      cmocka_unit_test(test_choices_are_kept),
      cmocka_unit_test(test_spoilt_choices),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
