/* test_loss.c - losses by name: every row's value against its formula, options, text, errors,
 * and what a run keeps of one. */
#include <float.h>

#include "glia/glia.h"
#include "test.h"
#include "train/loss.h"

/* ---- values ------------------------------------------------------------------------------ */

enum { ROWS = 4, COLUMNS = 3 };

static const double results[ROWS * COLUMNS] = {0.5, -1, 2,  0.1, 0.2, -0.3,
                                               3,   1,  -2, 0,   0.7, 1.5};
static const double classes[ROWS] = {2, 0, 1, 1};
static const double shares[ROWS * COLUMNS] = {1, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1};

/* The loss of row `o` of the results, taken as parameters of an eval. */
static double value_of(const glia_loss *o) {
  const gi_loss *row = gi_loss_find(o->name);
  const int64_t shape[] = {ROWS, COLUMNS}, n[] = {ROWS};
  const bool sides = strcmp(row->name, "hinge") == 0 || strcmp(row->name, "soft_margin") == 0;
  double t[ROWS * COLUMNS];
  int64_t c[ROWS];
  glia_graph *g;
  glia_tensor *out;
  for (int i = 0; i < ROWS * COLUMNS; i++) t[i] = sides ? 2 * shares[i] - 1 : shares[i];
  for (int i = 0; i < ROWS; i++) c[i] = (int64_t)classes[i];
  OK(glia_graph_new(&g));
  const glia_value x = glia_constant(g, GLIA_F64, 2, shape, results);
  const glia_value target = row->classes ? glia_constant(g, GLIA_I64, 1, n, c)
                                         : glia_constant(g, GLIA_F64, 2, shape, t);
  OK(glia_eval(row->build(o, x, target), &out));
  assert_int_equal(glia_tensor_count(out), 1);
  const double v = glia_tensor_get(out, 0);
  glia_tensor_free(out);
  glia_graph_free(g);
  return v;
}

static double bce(double x, double t) { return fmax(x, 0) - x * t + log1p(exp(-fabs(x))); }

static double focal(double x, double t, const glia_loss *o) {
  const double p = 1 / (1 + exp(-x)), right = t == 1 ? p : 1 - p;
  return (t == 1 ? o->alpha : 1 - o->alpha) * pow(1 - right, o->gamma) * bce(x, t);
}

/* What element i of a loss of numbers costs. */
static double element(const glia_loss *o, double x, double t) {
  const double r = fabs(x - t), side = 2 * t - 1;
  if (strcmp(o->name, "mse") == 0) return r * r;
  if (strcmp(o->name, "mae") == 0) return r;
  if (strcmp(o->name, "huber") == 0)
    return r <= o->delta ? r * r / 2 : o->delta * (r - o->delta / 2);
  if (strcmp(o->name, "smooth_l1") == 0)
    return r < o->beta ? r * r / (2 * o->beta) : r - o->beta / 2;
  if (strcmp(o->name, "poisson_nll") == 0) return exp(x) - t * x;
  if (strcmp(o->name, "bce") == 0) return bce(x, t);
  if (strcmp(o->name, "focal") == 0) return focal(x, t, o);
  if (strcmp(o->name, "hinge") == 0) return fmax(0, 1 - side * x);
  if (strcmp(o->name, "soft_margin") == 0) return log1p(exp(-side * x));
  fail_msg("no formula for %s", o->name);
  return 0;
}

static double dice(const glia_loss *o) {
  double sum = 0;
  for (int i = 0; i < ROWS; i++) {
    double both = 0, either = 0;
    for (int j = 0; j < COLUMNS; j++) {
      const double p = 1 / (1 + exp(-results[i * COLUMNS + j])), t = shares[i * COLUMNS + j];
      both += p * t;
      either += p + t;
    }
    sum += 1 - (2 * both + o->smooth) / (either + o->smooth);
  }
  return sum / ROWS;
}

/* Of row i of scores, with true class t. */
static double of_class(const glia_loss *o, const double *x, int t) {
  double sum = 0, all = 0, margins = 0;
  for (int j = 0; j < COLUMNS; j++) all += exp(x[j]);
  for (int j = 0; j < COLUMNS; j++) {
    const double e = o->label_smoothing;
    sum -= ((j == t ? 1 - e : 0) + e / COLUMNS) * (x[j] - log(all));
    if (j != t) margins += fmax(0, o->margin - x[t] + x[j]) / COLUMNS;
  }
  return strcmp(o->name, "cross_entropy") == 0 ? sum : margins;
}

static double wanted(const glia_loss *o) {
  double sum = 0;
  if (strcmp(o->name, "dice") == 0) return dice(o);
  for (int i = 0; gi_loss_find(o->name)->classes && i < ROWS; i++)
    sum += of_class(o, results + (size_t)i * COLUMNS, (int)classes[i]) / ROWS;
  if (gi_loss_find(o->name)->classes) return sum;
  for (int i = 0; i < ROWS * COLUMNS; i++)
    sum += element(o, results[i], shares[i]) / (ROWS * COLUMNS);
  return sum;
}

static void test_every_loss(void **state) {
  (void)state;
  int n = 0;
  for (int list = 0; gi_losses_table[list] != NULL; list++)
    for (int k = 0; gi_losses_table[list][k] != NULL; k++, n++) {
      const gi_loss *row = gi_losses_table[list][k];
      glia_loss o = {.name = row->name};
      OK(glia_loss_resolve(&o));
      NEAR(value_of(&o), wanted(&o), 1e-12);
      for (const gi_field *f = row->fields; f->name != NULL; f++) { /* and another value */
        const double other = 0.3;
        memcpy((char *)&o + f->offset, &other, sizeof other);
      }
      OK(glia_loss_resolve(&o));
      NEAR(value_of(&o), wanted(&o), 1e-12);
      assert_true(strlen(row->doc) > 10 && strlen(row->source) > 5);
    }
  assert_int_equal(n, 12);
}

/* ---- text and errors --------------------------------------------------------------------- */

static void test_parse(void **state) {
  (void)state;
  glia_loss o = {.name = "untouched"};
  FAILS(glia_loss_parse("hubert", &o), GLIA_INVALID, "did you mean \"huber\"");
  FAILS(glia_loss_parse("", &o), GLIA_INVALID, "empty");
  FAILS(glia_loss_parse("huber delta=-1", &o), GLIA_INVALID, "delta is \"-1\"");
  FAILS(glia_loss_parse("huber beta=1", &o), GLIA_INVALID, "no option is called \"beta\"");
  assert_string_equal(o.name, "untouched");
  OK(glia_loss_parse("smooth-l1 beta=0.5", &o));
  assert_string_equal(o.name, "smooth_l1");
  NEAR(o.beta, 0.5, 0);
  OK(glia_loss_parse("focal gamma=0", &o)); /* 0, not the default */
  assert_true(o.gamma > 0 && o.gamma <= DBL_MIN);
  NEAR(o.alpha, 0.25, 0);
  o = (glia_loss){.name = "mae", .delta = 2};
  FAILS(glia_loss_resolve(&o), GLIA_INVALID, "loss: mae has no option delta; huber has");
  o = (glia_loss){.label_smoothing = 1.5};
  FAILS(glia_loss_resolve(&o), GLIA_INVALID, "label_smoothing is 1.5");
}

/* ---- in a run ---------------------------------------------------------------------------- */

/* A table of counts, whose logarithms are a line. */
static void write_counts(const char *path) {
  gi_str s = {0};
  gi_str_puts(&s, "a,count\n");
  for (int i = 0; i < 60; i++) gi_str_printf(&s, "%.2f,%d\n", i / 30.0, (int)exp(i / 30.0));
  OK(gi_write_file(path, s.s, s.n));
  gi_str_free(&s);
}

/* The loss is among the settings and in the model file: predictions are e^x when the model is
 * opened again, too. */
static void test_run(void **state) {
  (void)state;
  char data[600], net[600], run[600];
  const char *dir = test_dir("losses");
  snprintf(data, sizeof data, "%s/counts.csv", dir);
  snprintf(net, sizeof net, "%s/net", dir);
  snprintf(run, sizeof run, "%s/run", dir);
  write_counts(data);
  OK(gi_write_file(net, "dense 1\n", 8));
  glia_train_opts o = {.size = sizeof o,
                       .data = data,
                       .net = net,
                       .run = run,
                       .epochs = 2,
                       .loss = "poisson-nll",
                       .regression = true,
                       .tune = -1};
  glia_run *r = NULL;
  o.loss = "poison";
  FAILS(glia_run_new(&o, &r), GLIA_INVALID, "none is called \"poison\"");
  o.loss = "multi-margin";
  FAILS(glia_run_new(&o, &r), GLIA_INVALID, "multi_margin does not go with numbers");
  o.loss = "poisson-nll";
  OK(glia_run_new(&o, &r));
  OK(glia_run_fit(r, NULL, NULL));
  glia_run_free(r);
  OK(glia_run_open(run, &r));
  glia_tensor *x = NULL, *p = NULL;
  const glia_tensor *z = NULL;
  OK(glia_tensor_new(GLIA_F32, 2, (const int64_t[]){3, 1}, &x));
  glia_tensor_set(x, 1, 1);
  glia_tensor_set(x, 2, -1);
  OK(glia_predict(glia_run_learner(r), x, &p));
  OK(glia_learner_forward(glia_run_learner(r), x, &z));
  for (int i = 0; i < 3; i++) NEAR(glia_tensor_get(p, i), exp(glia_tensor_get(z, i)), 1e-5);
  glia_tensor_free(x);
  glia_tensor_free(p);
  glia_run_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_loss),
      cmocka_unit_test(test_parse),
      cmocka_unit_test(test_run),
  };
  return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
