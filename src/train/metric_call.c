/* metric_call.c - metrics of whole arrays: reading the arrays, checking, handing out results.
 *
 * Arrays are converted to double once, at the beginning, and looked over for NaN and
 * infinities; what a single metric wants beyond that it checks itself, with the tools here.
 */
#include "train/metric_call.h"

#include <float.h>
#include <stdlib.h>

#include "ops/op.h"

const char *const gi_metric_averages[] = {"binary",  "micro", "macro", "weighted",
                                          "samples", "none",  NULL};
const char *const gi_metric_outputs[] = {"uniform_average", "raw_values", "variance_weighted",
                                         NULL};
static const gi_field no_fields[] = {GI_METRIC_END};

/* ---- memory and results ----------------------------------------------------------------- */

glia_status gi_metric_take(gi_metric_call *c, int64_t n, size_t item, void *out) {
  size_t bytes = 0;
  void *p = NULL;
  if (n >= 0 && gi_mul_size((size_t)GI_MAX(n, 1), item, &bytes) && bytes < SIZE_MAX / 2)
    p = gi_arena_alloc(&c->arena, bytes);
  memcpy(out, &p, sizeof p);
  return p != NULL ? GLIA_OK : gi_fail_nomem(bytes);
}

glia_status gi_metric_number(gi_metric_call *c, double v) {
  c->result->number = v;
  return GLIA_OK;
}

glia_status gi_metric_array(gi_metric_call *c, glia_dtype dtype, int rank, const int64_t *shape,
                            const double *data) {
  glia_tensor *t = NULL;
  GI_TRY(glia_tensor_new(dtype, rank, shape, &t));
  for (int64_t i = 0; i < glia_tensor_count(t); i++) glia_tensor_set(t, i, data[i]);
  c->result->array[c->result->arrays++] = t;
  return GLIA_OK;
}

glia_status gi_metric_vector(gi_metric_call *c, int64_t n, const double *data) {
  return gi_metric_array(c, GLIA_F64, 1, &n, data);
}

void glia_metric_result_clear(glia_metric_result *r) {
  for (int i = 0; i < GI_COUNT(r->array); i++) glia_tensor_free(r->array[i]);
  *r = (glia_metric_result){.number = (double)NAN};
}

/* ---- checks ----------------------------------------------------------------------------- */

const char *gi_metric_argument(const gi_metric *m, int i) {
  static const char *const usual[] = {"y_true", "y_pred"};
  return m->arguments[i] != NULL ? m->arguments[i] : usual[i];
}

static char *text_of(const gi_metric_call *c, int i, char *text, size_t n) {
  return gi_shape_text(&c->type[i], text, n);
}

glia_status gi_metric_vectors(const gi_metric_call *c) {
  char text[96];
  for (int i = 0; i < 2; i++)
    if (c->columns[i] != 1)
      return gi_fail(GLIA_SHAPE, "%s: %s is %s, wanted [N]", c->name,
                     gi_metric_argument(c->m, i), text_of(c, i, text, sizeof text));
  return GLIA_OK;
}

glia_status gi_metric_equal(const gi_metric_call *c) {
  char a[96], b[96];
  if (c->columns[0] == c->columns[1]) return GLIA_OK;
  return gi_fail(GLIA_SHAPE, "%s: %s is %s, %s is %s; wanted equal shapes", c->name,
                 gi_metric_argument(c->m, 0), text_of(c, 0, a, sizeof a),
                 gi_metric_argument(c->m, 1), text_of(c, 1, b, sizeof b));
}

/* Why a number will not do. */
static glia_status refuse(const gi_metric_call *c, int which, int64_t i, double v,
                          const char *wanted) {
  const int64_t row = i / c->columns[which], column = i % c->columns[which];
  if (c->columns[which] > 1)
    return gi_fail(GLIA_DATA, "%s: %s [%lld, %lld] is %g, wanted %s", c->name,
                   gi_metric_argument(c->m, which), (long long)row, (long long)column, v,
                   wanted);
  return gi_fail(GLIA_DATA, "%s: %s [%lld] is %g, wanted %s", c->name,
                 gi_metric_argument(c->m, which), (long long)row, v, wanted);
}

static int64_t count_of(const gi_metric_call *c, int which) {
  return c->rows[which] * c->columns[which];
}

glia_status gi_metric_whole(const gi_metric_call *c, int which) {
  const double *v = which == 0 ? c->a : c->b;
  for (int64_t i = 0; i < count_of(c, which); i++)
    if (v[i] != floor(v[i]) || fabs(v[i]) > 0x1p53)
      return refuse(c, which, i, v[i], "a class, which is a whole number");
  return GLIA_OK;
}

glia_status gi_metric_binary(const gi_metric_call *c, int which) {
  const double *v = which == 0 ? c->a : c->b;
  for (int64_t i = 0; i < count_of(c, which); i++)
    if (v[i] != 0 && v[i] != 1) return refuse(c, which, i, v[i], "0 or 1 for each label");
  return GLIA_OK;
}

glia_status gi_metric_probabilities(const gi_metric_call *c) {
  for (int64_t i = 0; i < count_of(c, 1); i++)
    if (c->b[i] < 0 || c->b[i] > 1)
      return refuse(c, 1, i, c->b[i], "a probability within [0, 1]");
  return GLIA_OK;
}

/* ---- arrays ----------------------------------------------------------------------------- */

/* numpy.finfo's machine epsilon; whole numbers have that of double. */
static double epsilon_of(glia_dtype t) {
  switch (t) {
    case GLIA_F32: return (double)FLT_EPSILON;
    case GLIA_F16: return 0x1p-10;
    case GLIA_BF16: return 0x1p-7;
    default: return DBL_EPSILON;
  }
}

static glia_status to_double(gi_metric_call *c, const glia_tensor *t, double **out) {
  const gi_type type = gi_tensor_type(t);
  const void *data = NULL;
  glia_tensor *hold = NULL;
  GI_TAKE(c, gi_type_count(&type), out);
  GI_TRY(gi_tensor_dense(t, &data, &hold));
  gi_convert(type.dtype, data, GLIA_F64, *out, gi_type_count(&type));
  glia_tensor_free(hold);
  return GLIA_OK;
}

static glia_status read_array(gi_metric_call *c, int i, const glia_tensor *t) {
  const char *argument = gi_metric_argument(c->m, i);
  char text[96];
  double *v = NULL;
  if (t == NULL) return gi_fail(GLIA_INVALID, "%s: %s is NULL", c->name, argument);
  c->type[i] = gi_tensor_type(t);
  const gi_type *y = &c->type[i];
  if (y->rank < 1 || (y->rank > 2 && c->m->shape != GI_SHAPE_EQUAL))
    return gi_fail(GLIA_SHAPE, "%s: %s is %s, wanted rank 1 or 2", c->name, argument,
                   text_of(c, i, text, sizeof text));
  c->rows[i] = y->dim[0];
  if (gi_type_count(y) == 0)
    return gi_fail(GLIA_DATA, "%s: %s is %s, there are no samples", c->name, argument,
                   text_of(c, i, text, sizeof text));
  c->columns[i] = gi_type_count(y) / y->dim[0];
  GI_TRY(to_double(c, t, &v));
  for (int64_t k = 0; k < count_of(c, i); k++)
    if (!isfinite(v[k])) return refuse(c, i, k, v[k], "a finite number");
  if (i == 0) c->a = v;
  if (i == 1) c->b = v;
  return GLIA_OK;
}

static glia_status check_shapes(const gi_metric_call *c) {
  char a[96], b[96];
  const bool fits = c->m->shape == GI_SHAPE_UNLIKE ||
                    (c->m->shape == GI_SHAPE_EQUAL ? gi_shape_equal(&c->type[0], &c->type[1])
                                                   : c->rows[0] == c->rows[1]);
  if (fits) return GLIA_OK;
  return gi_fail(GLIA_SHAPE, "%s: %s is %s, %s is %s; wanted %s", c->name,
                 gi_metric_argument(c->m, 0), text_of(c, 0, a, sizeof a),
                 gi_metric_argument(c->m, 1), text_of(c, 1, b, sizeof b),
                 c->m->shape == GI_SHAPE_EQUAL ? "one shape" : "as many rows");
}

static glia_status read_weights(gi_metric_call *c) {
  if (c->o.sample_weight == NULL) return GLIA_OK;
  double *w = NULL, sum = 0;
  if (glia_tensor_count(c->o.sample_weight) != c->n)
    return gi_fail(GLIA_SHAPE, "%s: sample_weight has %lld elements for %lld samples", c->name,
                   (long long)glia_tensor_count(c->o.sample_weight), (long long)c->n);
  GI_TRY(to_double(c, c->o.sample_weight, &w));
  for (int64_t i = 0; i < c->n; i++) {
    if (!(w[i] >= 0 && isfinite(w[i])))
      return gi_fail(GLIA_DATA, "%s: sample_weight [%lld] is %g, wanted 0 or more", c->name,
                     (long long)i, w[i]);
    sum += w[i];
  }
  if (sum == 0) return gi_fail(GLIA_DATA, "%s: every sample_weight is 0", c->name);
  c->weight = w;
  return GLIA_OK;
}

double gi_weight_sum(const gi_metric_call *c) {
  double sum = 0;
  if (c->weight == NULL) return (double)c->n;
  for (int64_t i = 0; i < c->n; i++) sum += c->weight[i];
  return sum;
}

/* ---- options ---------------------------------------------------------------------------- */

static glia_status refuse_pointers(const gi_metric_call *c) {
  const struct {
    const char *name;
    bool set;
    int takes;
  } p[] = {{"sample_weight", c->o.sample_weight != NULL, GI_TAKES_WEIGHT},
           {"labels", c->o.labels != NULL || c->o.n_labels != 0, GI_TAKES_LABELS},
           {"pos_label", c->o.pos_label != NULL, GI_TAKES_POSITIVE},
           {"target_weight", c->o.target_weight != NULL, GI_TAKES_TARGET_WEIGHT}};
  for (int i = 0; i < GI_COUNT(p); i++)
    if (p[i].set && (c->m->takes & p[i].takes) == 0)
      return gi_fail(GLIA_INVALID, "%s: has no option %s", c->name, p[i].name);
  if (c->o.n_labels < 0 || (c->o.n_labels > 0) != (c->o.labels != NULL))
    return gi_fail(GLIA_INVALID, "%s: %d labels, or a list that is NULL", c->name,
                   c->o.n_labels);
  return GLIA_OK;
}

static glia_status check_options(gi_metric_call *c) {
  const gi_field *mine = c->m->fields != NULL ? c->m->fields : no_fields;
  const gi_metric *m;
  for (int i = 0; (m = gi_metric_at(i)) != NULL; i++) {
    const gi_field *f = m->fields != NULL ? gi_fields_foreign(mine, m->fields, &c->o) : NULL;
    if (f != NULL)
      return gi_fail(GLIA_INVALID, "%s: has no option %s; %s has", c->name, f->name, m->name);
  }
  GI_TRY(refuse_pointers(c));
  GI_TRY(gi_fields_check(mine, c->name, &c->o));
  if (c->o.zero_division > 0 && c->o.zero_division < 1)
    return gi_fail(GLIA_INVALID, "%s: zero_division is %g, wanted 0 or 1", c->name,
                   c->o.zero_division);
  return GLIA_OK;
}

/* ---- the call --------------------------------------------------------------------------- */

static glia_status run(gi_metric_call *c, const glia_tensor *first, const glia_tensor *second) {
  if (c->m->compute == NULL)
    return gi_fail(GLIA_UNSUPPORTED, "%s: is a metric of evaluations alone", c->name);
  GI_TRY(check_options(c));
  GI_TRY(read_array(c, 0, first));
  GI_TRY(read_array(c, 1, second));
  GI_TRY(check_shapes(c));
  c->n = c->rows[0];
  c->epsilon = epsilon_of(c->type[1].dtype);
  GI_TRY(read_weights(c));
  return c->m->compute(c);
}

glia_status glia_metric_compute_opt(const char *name, const glia_tensor *first,
                                    const glia_tensor *second, glia_metric_result *out,
                                    const glia_metric_opts *opt) {
  gi_metric_call c = {.name = name, .result = out};
  int64_t k;
  *out = (glia_metric_result){.number = (double)NAN};
  GI_TRY(gi_metric_of_arrays(name, &c.m, &k));
  gi_opts(&c.o, sizeof c.o, opt);
  if (k > 0 && c.o.k == 0) c.o.k = k; /* "top_3_accuracy" */
  const glia_status s = run(&c, first, second);
  gi_arena_free(&c.arena);
  if (s != GLIA_OK) glia_metric_result_clear(out);
  return s;
}

/* ---- what a metric is, as text ---------------------------------------------------------- */

static void option_text(const char *name, const char *doc, const char *dflt, gi_str *out) {
  gi_str_printf(out, "  %-15s %s", name, doc);
  if (dflt != NULL) gi_str_printf(out, " (%s)", dflt);
  gi_str_puts(out, "\n");
}

static void field_text(const gi_field *f, gi_str *out) {
  gi_str doc = {0};
  gi_str_puts(&doc, f->doc);
  for (int i = 0; f->choices != NULL && f->choices[i] != NULL; i++)
    gi_str_printf(&doc, "%s%s", i == 0 ? ": " : ", ", f->choices[i]);
  option_text(f->name, doc.s != NULL ? doc.s : "", f->dflt, out);
  gi_str_free(&doc);
}

glia_status glia_metric_text(const char *name, char **out) {
  const gi_metric *m;
  int64_t k;
  gi_str s = {0};
  GI_TRY(gi_metric_of_arrays(name, &m, &k));
  gi_str_printf(&s, "%s: %s\nas %s\n", m->name, m->doc, m->source);
  if (m->compute != NULL)
    gi_str_printf(&s, "of %s and %s%s\n", gi_metric_argument(m, 0), gi_metric_argument(m, 1),
                  m->fields != NULL || m->takes != 0 ? ", with" : "");
  for (const gi_field *f = m->fields; f != NULL && f->name != NULL; f++) field_text(f, &s);
  if (m->takes & GI_TAKES_WEIGHT) option_text("sample_weight", "of each sample", "1", &s);
  if (m->takes & GI_TAKES_LABELS) option_text("labels", "that are looked at", "all", &s);
  if (m->takes & GI_TAKES_POSITIVE) option_text("pos_label", "the class meant", "1", &s);
  if (m->takes & GI_TAKES_TARGET_WEIGHT)
    option_text("target_weight", "of each target in the mean", "1", &s);
  *out = gi_str_take(&s);
  return *out != NULL ? GLIA_OK : gi_fail_nomem(1);
}
