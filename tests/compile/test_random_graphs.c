/* Graphs drawn at random: every subset of passes must give the same answer, to the bit on the
 * reference but for the passes that say of themselves that they round otherwise, within what
 * rounding may do (noisy_backend.h) with those and on the cpu; and every plan's memory must
 * stand the check of check_plan.h.
 *
 * GLIA_FUZZ_SEEDS graphs (default 600), from seed GLIA_FUZZ_FIRST (default 1) on, or for
 * GLIA_FUZZ_SECONDS where that is set. A failure names the seed, by which it is found again.
 */
#include "compile/check_plan.h"
#include "compile/noisy_backend.h"
#include "compile/random_graph.h"
#include "ops/int8.h"

enum { RUNS = 2, ROOTS = 16 };

static uint64_t current; /* the seed, named where a check fails */

enum { STORE = 64 };

typedef struct answer { /* outputs of each run, then the variables */
  glia_tensor *out[RUNS][ROOTS];
  glia_tensor *store[STORE];
  bool diverged; /* the loss was not finite: the run stopped */
} answer;

typedef struct setting {
  const char *backend, *skip; /* backend NULL: the noisy one */
  bool fixed;
  bool limited; /* to three quarters of the memory, if that can be had */
} setting;

static void answer_free(answer *a) {
  for (int r = 0; r < RUNS; r++)
    for (int i = 0; i < ROOTS; i++) glia_tensor_free(a->out[r][i]);
  for (int i = 0; i < STORE; i++) glia_tensor_free(a->store[i]);
}

/* Random inputs of run r; every third one is handed over as a view that is not contiguous. */
static glia_tensor *input_of(const maker *m, int i, int r, glia_tensor **whole) {
  gi_type t = gi_value_type(m->inputs[i]), doubled = t;
  const gi_rng rng = {11, (uint64_t)i, (uint64_t)r};
  glia_tensor *view = NULL;
  const bool strided = i % 3 == 1 && t.rank > 0;
  if (strided) doubled.dim[t.rank - 1] *= 2;
  OK(gi_tensor_new(&doubled, whole));
  if (strided)
    OK(glia_tensor_slice(*whole, -1, 0, doubled.dim[t.rank - 1], 2, &view));
  else
    OK(glia_tensor_reshape(*whole, t.rank, t.dim, &view));
  for (int64_t k = 0; k < gi_type_count(&t); k++)
    glia_tensor_set(view, k, 4 * gi_rng_uniform(&rng, (uint64_t)k) - 2);
  return view;
}

/* A step that stops because of its loss leaves every variable as it was, and says where. */
static void check_diverged(const maker *m, glia_plan *p, glia_tensor *const *before) {
  for (int i = 0; i < glia_store_count(m->store); i++) {
    const glia_tensor *t = glia_store_tensor(m->store, i);
    assert_memory_equal(glia_tensor_data(t), glia_tensor_data(before[i]), glia_tensor_bytes(t));
  }
  assert_int_equal(glia_plan_diagnose(p), GLIA_DIVERGED);
  if (strstr(glia_error_message(), "again") != NULL) fail_msg("%s", glia_error_message());
}

static glia_status run_bound(const maker *m, glia_plan *p) {
  glia_tensor *before[STORE] = {NULL};
  for (int i = 0; i < glia_store_count(m->store); i++)
    OK(glia_tensor_copy(glia_store_tensor(m->store, i), &before[i]));
  const glia_status s = glia_plan_run(p);
  if (s == GLIA_DIVERGED)
    check_diverged(m, p, before);
  else
    OK(s);
  for (int i = 0; i < STORE; i++) glia_tensor_free(before[i]);
  return s;
}

static void run_once(const maker *m, glia_plan *p, int r, answer *out) {
  glia_tensor *views[INPUTS] = {NULL}, *wholes[INPUTS] = {NULL};
  for (int i = 0; i < m->n_inputs; i++) {
    char name[32];
    snprintf(name, sizeof name, "x%d", i);
    views[i] = input_of(m, i, r, &wholes[i]);
    OK(glia_plan_bind(p, name, views[i]));
  }
  out->diverged = out->diverged || run_bound(m, p) != GLIA_OK;
  for (size_t i = 0; i < m->g->roots.n && i < ROOTS && !out->diverged; i++)
    if (m->g->roots.at[i].name != NULL)
      OK(glia_tensor_copy(glia_plan_output(p, m->g->roots.at[i].name), &out->out[r][i]));
  for (int i = 0; i < m->n_inputs; i++) {
    glia_tensor_free(views[i]);
    glia_tensor_free(wholes[i]);
  }
}

static void limit_memory(const maker *m, const setting *s, const char *watch, glia_plan **p) {
  const int64_t limit = (int64_t)(glia_plan_bytes(*p) * 3 / 4) + 1;
  glia_plan *q = NULL;
  const glia_status status =
      glia_compile(m->g, &q, .backend = s->backend, .skip = s->skip, .seed = 5, .threads = 2,
                   .watch = watch, .fixed = s->fixed, .memory_limit = limit);
  if (status == GLIA_NOMEM) return;
  OK(status);
  glia_plan_free(*p);
  *p = q;
}

/* ---- patterns ---------------------------------------------------------------------------- */

/* The fused ops that turned up in some plan: a pattern that is never found is not tested. */
static const gi_op *found[16];
static int n_found;

static bool is_found(const gi_op *op) {
  for (int i = 0; i < n_found; i++)
    if (found[i] == op) return true;
  return false;
}

static void note_patterns(const glia_plan *p) {
  for (int i = 0; i < p->n_steps; i++) {
    const gi_op *op = p->graph->nodes.at[p->steps[i].node]->op;
    if (op->match != NULL && !is_found(op) && n_found < GI_COUNT(found)) found[n_found++] = op;
  }
}

/* The graphs here are not of calibrated models: for those there is test_int8_pass. */
static bool is_drawn(const gi_op *op) {
  return op != &gi_op_conv2d_int8 && op != &gi_op_matmul_int8;
}

static bool want_found(const gi_op *op, void *user) {
  (void)user;
  if (op->match != NULL && is_drawn(op) && !is_found(op))
    fail_msg("%s: no graph had its pattern", op->name);
  return true;
}

/* Compiles and runs the graph twice; the store is put back as it was. */
static answer solve(const maker *m, const setting *s) {
  answer a = {0};
  glia_tensor *before[STORE] = {NULL};
  glia_plan *p = NULL;
  const int n = glia_store_count(m->store);
  assert_true(n <= STORE);
  void *arena = NULL;
  const char *watch = m->has_loss ? "loss" : NULL;
  for (int i = 0; i < n; i++) OK(glia_tensor_copy(glia_store_tensor(m->store, i), &before[i]));
  if (s->backend == NULL)
    OK(noisy_compile(m->g, watch, 5, &arena, &p));
  else
    OK(glia_compile(m->g, &p, .backend = s->backend, .skip = s->skip, .seed = 5, .threads = 2,
                    .watch = watch, .fixed = s->fixed));
  if (s->limited) limit_memory(m, s, watch, &p);
  check_plan(p);
  note_patterns(p);
  for (int r = 0; r < RUNS; r++) run_once(m, p, r, &a);
  for (int i = 0; i < n; i++) {
    glia_tensor *t = glia_store_tensor(m->store, i);
    OK(glia_tensor_copy(t, &a.store[i]));
    memcpy(glia_tensor_data(t), glia_tensor_data(before[i]), glia_tensor_bytes(t));
    glia_tensor_free(before[i]);
  }
  char *text = glia_plan_text(p);
  assert_non_null(text);
  free(text);
  glia_plan_free(p);
  gi_free_aligned(arena);
  return a;
}

/* ---- comparing --------------------------------------------------------------------------- */

static void print_case(const maker *m, const setting *s) {
  char *text = glia_graph_text(m->g);
  printf("seed %llu, backend %s%s, skip %s\n%s", (unsigned long long)current, s->backend,
         s->fixed ? ", fixed" : "", s->skip != NULL ? s->skip : "nothing",
         text); /* too long for print_message */
  free(text);
}

static void same_tensor(const maker *m, const setting *s, const glia_tensor *want,
                        const glia_tensor *got, const char *what, int i) {
  for (int64_t k = 0; want != NULL && k < glia_tensor_count(want); k++) {
    const double a = glia_tensor_get(want, k), b = glia_tensor_get(got, k);
    if (a == b || (isnan(a) && isnan(b))) continue;
    print_case(m, s);
    fail_msg("%s %d: element %lld is %.17g, was %.17g without passes", what, i, (long long)k, b,
             a);
  }
}

static void same_answer(const maker *m, const setting *s, const answer *want,
                        const answer *got) {
  assert_int_equal(got->diverged, want->diverged);
  for (int r = 0; r < RUNS; r++)
    for (int i = 0; i < ROOTS; i++)
      same_tensor(m, s, want->out[r][i], got->out[r][i],
                  r == 0 ? "first run: output" : "output", i);
  for (int i = 0; i < STORE; i++)
    same_tensor(m, s, want->store[i], got->store[i], "variable", i);
}

/* The largest distance of two tensors' elements, and the largest element; infinite for what is
 * not finite in `a`, since nothing can be said there. */
static double distance(const glia_tensor *a, const glia_tensor *b) {
  double most = 0;
  for (int64_t k = 0; k < glia_tensor_count(a); k++) {
    const double x = glia_tensor_get(a, k), y = glia_tensor_get(b, k);
    if (!isfinite(x) || fabs(x) > 1e6) return INFINITY;
    most = fmax(most, isfinite(y) ? fabs(x - y) : INFINITY);
  }
  return most;
}

static double size_at_most(const glia_tensor *t) {
  double most = 0;
  for (int64_t k = 0; k < glia_tensor_count(t); k++)
    most = fmax(most, fabs(glia_tensor_get(t, k)));
  return most;
}

enum { TENSORS = RUNS * ROOTS + STORE };

static glia_tensor *tensor_at(const answer *a, int i) {
  return i < RUNS * ROOTS ? a->out[i / ROOTS][i % ROOTS] : a->store[i - RUNS * ROOTS];
}

/* Widens the spread of each tensor by `count` noisy runs of the graph. */
static void widen(const maker *m, const answer *plain, int count, double spread[TENSORS]) {
  for (int n = 0; n < count; n++) {
    noise_stream++;
    answer a = solve(m, &(setting){NULL, NULL, false, false});
    for (int i = 0; i < TENSORS; i++)
      if (tensor_at(plain, i) != NULL)
        spread[i] = a.diverged
                        ? INFINITY
                        : fmax(spread[i], distance(tensor_at(plain, i), tensor_at(&a, i)));
    answer_free(&a);
  }
}

/* The first tensor further away than rounding explains; -1: none. */
static int first_far(const answer *plain, const answer *got, const double spread[TENSORS]) {
  for (int i = 0; i < TENSORS; i++) {
    const glia_tensor *t = tensor_at(plain, i);
    if (t == NULL || isinf(spread[i])) continue;
    if (tensor_at(got, i) == NULL) return i; /* diverged */
    const bool half = glia_tensor_dtype(t) == GLIA_BF16 || glia_tensor_dtype(t) == GLIA_F16;
    const double floor = (half ? 1e-2 : 1e-5) * (1 + size_at_most(t));
    if (distance(t, tensor_at(got, i)) > floor + 30 * spread[i]) return i;
  }
  return -1;
}

static void near_answer(const maker *m, const setting *s, const answer *plain,
                        const answer *got) {
  double spread[TENSORS] = {0};
  if (plain->diverged) return; /* nothing to compare with */
  widen(m, plain, 2, spread);
  if (first_far(plain, got, spread) >= 0) widen(m, plain, 40, spread); /* a step lies near? */
  const int i = first_far(plain, got, spread);
  if (i < 0) return;
  print_case(m, s);
  if (got->diverged) fail_msg("diverged, which the reference does not");
  fail_msg("%s %d is %g away from the reference, whose own spread is %g",
           i < RUNS * ROOTS ? "output" : "variable", i % ROOTS,
           distance(tensor_at(plain, i), tensor_at(got, i)), spread[i]);
}

/* ---- the graphs -------------------------------------------------------------------------- */

typedef struct passes { /* that are skipped */
  char names[256];
} passes;

static void leave_out(passes *p, const gi_pass *pass) {
  const size_t n = strlen(p->names);
  snprintf(p->names + n, sizeof p->names - n, "%s,", pass->name);
}

static void skip_some(maker *m, passes *p) {
  for (int i = 0; gi_passes[i] != NULL; i++)
    if (chance(m, 40)) leave_out(p, gi_passes[i]);
}

static void skip_rounding(passes *p) {
  for (int i = 0; gi_passes[i] != NULL; i++)
    if (gi_passes[i]->rounds) leave_out(p, gi_passes[i]);
}

/* Is what is left the same to the bit? */
static bool is_exact(const passes *p) {
  for (int i = 0; gi_passes[i] != NULL; i++)
    if (gi_passes[i]->rounds && !gi_listed(p->names, gi_passes[i]->name)) return false;
  return true;
}

/* Every second graph that changes no variable is fixed. */
static bool may_fix(maker *m) {
  bool assigns = m->has_loss;
  for (int i = 0; i < LEAVES; i++) assigns = assigns || m->assigned[i];
  return !assigns && chance(m, 50);
}

static void try_cpu(maker *m, const answer *plain) {
  passes skipped = {""};
  const gi_backend *cpu = NULL;
  if (gi_backend_find("cpu", &cpu) != GLIA_OK) return; /* a build without it */
  if (chance(m, 50)) skip_some(m, &skipped);
  const setting s = {"cpu", skipped.names, may_fix(m), chance(m, 30)};
  answer got = solve(m, &s);
  near_answer(m, &s, plain, &got);
  answer_free(&got);
}

static void try_seed(uint64_t seed) {
  maker m;
  maker_new(&m, seed);
  const setting none = {"ref", "all", false, false};
  answer plain = solve(&m, &none);
  for (int i = 0; i < 3; i++) {
    passes skipped = {""};
    if (i < 2) skip_rounding(&skipped);
    if (i > 0) skip_some(&m, &skipped);
    const setting s = {"ref", skipped.names, may_fix(&m), chance(&m, 30)};
    answer a = solve(&m, &s);
    if (is_exact(&skipped))
      same_answer(&m, &s, &plain, &a);
    else
      near_answer(&m, &s, &plain, &a);
    answer_free(&a);
  }
  if (seed % 4 == 0) try_cpu(&m, &plain);
  answer_free(&plain);
  maker_free(&m);
}

static double setting_of(const char *name, double dflt) {
  double v = dflt;
  if (getenv(name) != NULL && !gi_parse_f64(getenv(name), &v))
    fail_msg("%s: not a number", name);
  return v;
}

static void test_any_subset_of_passes(void **state) {
  (void)state;
  const double seconds = setting_of("GLIA_FUZZ_SECONDS", 0), began = gi_now();
  const uint64_t first = (uint64_t)setting_of("GLIA_FUZZ_FIRST", 1);
  const uint64_t count = (uint64_t)setting_of("GLIA_FUZZ_SEEDS", seconds > 0 ? 1e15 : 600);
  for (current = first; current - first < count; current++) {
    if (seconds > 0 && gi_now() - began > seconds) break;
    try_seed(current);
  }
  print_message("%llu graphs\n", (unsigned long long)(current - first));
  if (current - first >= 600) gi_op_each(want_found, NULL);
}

static int name_seed(void **state) {
  (void)state;
  print_message("last seed: %llu\n", (unsigned long long)current);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_any_subset_of_passes, name_seed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
