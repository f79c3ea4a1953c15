/* evaluation.c - running sums over batches of predictions, and the predictions themselves where
 * they are wanted.
 *
 * A batch is looked at twice: first every output and target is checked, then the rows are
 * added, so that a bad row leaves the evaluation as it was. Rows are converted to double one at
 * a time; the sums are the same whatever the batch size.
 */
#include <float.h>
#include <math.h>

#include "tensor/tensor.h"
#include "train/evaluation.h"

enum { COLUMNS_MAX = 1 << 24 };
#define PROBABILITY_SLACK 1e-4

/* ---- making ----------------------------------------------------------------------------- */

static glia_status take(void **out, size_t n, size_t item) {
  size_t bytes;
  if (!gi_mul_size(n, item, &bytes)) bytes = SIZE_MAX;
  *out = bytes == SIZE_MAX ? NULL : gi_alloc(bytes);
  return *out != NULL ? GLIA_OK : gi_fail_nomem(bytes);
}

static glia_status take_counts(glia_evaluation *e) {
  const size_t classes = (size_t)e->classes;
  GI_TRY(take((void **)&e->truths, classes, sizeof(int64_t)));
  GI_TRY(take((void **)&e->guesses, classes, sizeof(int64_t)));
  GI_TRY(take((void **)&e->matches, classes, sizeof(int64_t)));
  if (classes <= GLIA_CONFUSION_MAX)
    GI_TRY(take((void **)&e->confusion, classes * classes, sizeof(int64_t)));
  return GLIA_OK;
}

static glia_status take_states(glia_evaluation *e) {
  while (gi_metric_at(e->metrics) != NULL) e->metrics++;
  GI_TRY(take((void **)&e->state, (size_t)e->metrics + 1, sizeof *e->state));
  for (int i = 0; i < e->metrics; i++) {
    const gi_metric *m = gi_metric_at(i);
    if (m->add != NULL && m->regression == (e->classes == 0))
      GI_TRY(take((void **)&e->state[i], m->state_size(e->columns), sizeof(double)));
  }
  return GLIA_OK;
}

static glia_status take_all(glia_evaluation *e) {
  GI_TRY(take((void **)&e->output, (size_t)e->columns, sizeof(double)));
  GI_TRY(take((void **)&e->target, (size_t)e->columns, sizeof(double)));
  if (e->classes > 0) GI_TRY(take_counts(e));
  return take_states(e);
}

glia_status glia_evaluation_new(const glia_evaluation_opts *opt, glia_evaluation **out) {
  glia_evaluation_opts o = {0};
  if (opt != NULL) memcpy(&o, opt, opt->size == 0 ? sizeof o : GI_MIN(opt->size, sizeof o));
  if (o.classes < 0 || o.classes == 1 || o.classes > COLUMNS_MAX)
    return gi_fail(GLIA_INVALID, "evaluation: classes is %d, wanted 0 (regression) or 2..%d",
                   o.classes, COLUMNS_MAX);
  if (o.targets < 0 || o.targets > COLUMNS_MAX || (o.classes > 0 && o.targets > 0))
    return gi_fail(GLIA_INVALID,
                   "evaluation: targets is %d with %d classes, wanted 0..%d, and 0 "
                   "for classes",
                   o.targets, o.classes, COLUMNS_MAX);
  if (o.scores != GLIA_SCORES_LOGITS && o.scores != GLIA_SCORES_PROBABILITIES)
    return gi_fail(GLIA_INVALID,
                   "evaluation: scores is %d, wanted GLIA_SCORES_LOGITS or "
                   "GLIA_SCORES_PROBABILITIES",
                   (int)o.scores);
  glia_evaluation *e;
  GI_TRY(take((void **)&e, 1, sizeof *e));
  e->classes = o.classes;
  e->columns = o.classes > 0 ? o.classes : GI_MAX(o.targets, 1);
  e->scores = o.scores;
  e->keep = o.keep;
  const glia_status s = take_all(e);
  if (s != GLIA_OK) {
    glia_evaluation_free(e);
    return s;
  }
  *out = e;
  return GLIA_OK;
}

void glia_evaluation_free(glia_evaluation *e) {
  if (e == NULL) return;
  for (int i = 0; e->state != NULL && i < e->metrics; i++) gi_free(e->state[i]);
  gi_free(e->state);
  gi_free(e->truths);
  gi_free(e->guesses);
  gi_free(e->matches);
  gi_free(e->confusion);
  gi_free(e->output);
  gi_free(e->target);
  gi_vec_free(&e->kept);
  gi_free(e);
}

void glia_evaluation_reset(glia_evaluation *e) {
  const size_t classes = (size_t)e->classes;
  e->count = e->labels_only = e->hits = 0;
  e->kept.n = 0;
  e->dropped = false;
  if (classes > 0) {
    memset(e->truths, 0, classes * sizeof(int64_t));
    memset(e->guesses, 0, classes * sizeof(int64_t));
    memset(e->matches, 0, classes * sizeof(int64_t));
    if (e->confusion != NULL) memset(e->confusion, 0, classes * classes * sizeof(int64_t));
  }
  for (int i = 0; i < e->metrics; i++)
    if (e->state[i] != NULL)
      memset(e->state[i], 0, gi_metric_at(i)->state_size(e->columns) * sizeof(double));
}

/* ---- adding ----------------------------------------------------------------------------- */

/* A batch as dense rows. */
typedef struct batch {
  int64_t rows;
  int columns; /* of output: 1 for a lone score of class 1 */
  glia_dtype output_dtype, target_dtype;
  const void *output, *target;
  glia_tensor *hold_output, *hold_target; /* copies where the tensors had strides */
} batch;

/* Machine epsilon of a dtype, as numpy.finfo has it; NumPy has no bfloat16. */
static double epsilon(glia_dtype t) {
  switch (t) {
    case GLIA_F32: return (double)FLT_EPSILON;
    case GLIA_F16: return 0x1p-10;
    case GLIA_BF16: return 0x1p-7;
    default: return DBL_EPSILON;
  }
}

static glia_status check_types(const glia_evaluation *e, const gi_type *x, const gi_type *y) {
  char a[96], b[96];
  gi_type_text(x, a, sizeof a);
  gi_type_text(y, b, sizeof b);
  const bool classes = e->classes > 0;
  const bool lone = (classes && e->classes == 2) || (!classes && e->columns == 1);
  const bool fits = (x->rank == 2 && x->dim[1] == e->columns) ||
                    (lone && (x->rank == 1 || (x->rank == 2 && x->dim[1] == 1)));
  if (!fits)
    return gi_fail(GLIA_SHAPE, "evaluation: output is %s, wanted [B, %d]%s", a, e->columns,
                   lone ? " or [B]" : "");
  if (!glia_dtype_is_float(x->dtype))
    return gi_fail(GLIA_DTYPE, "evaluation: output is %s, wanted floats", a);
  const bool same = y->dim[0] == x->dim[0] && y->rank >= 1;
  if (classes) {
    if (y->rank != 1 || !same)
      return gi_fail(GLIA_SHAPE,
                     "evaluation: target is %s, wanted [%lld], a class for each row "
                     "of output %s",
                     b, (long long)x->dim[0], a);
    if (y->dtype != GLIA_I64 && y->dtype != GLIA_I32 && y->dtype != GLIA_U8)
      return gi_fail(GLIA_DTYPE, "evaluation: target is %s, wanted i64, i32 or u8 classes", b);
    return GLIA_OK;
  }
  if (!same || gi_type_count(y) != gi_type_count(x) || y->rank > 2)
    return gi_fail(GLIA_SHAPE, "evaluation: target is %s, output %s; wanted equal shapes", b,
                   a);
  return GLIA_OK;
}

static void batch_close(batch *b) {
  glia_tensor_free(b->hold_output);
  glia_tensor_free(b->hold_target);
}

static glia_status batch_open(batch *b, const glia_evaluation *e, const glia_tensor *output,
                              const glia_tensor *target) {
  *b = (batch){0};
  if (output == NULL || target == NULL)
    return gi_fail(GLIA_INVALID, "evaluation: %s is NULL",
                   output == NULL ? "output" : "target");
  const gi_type x = gi_tensor_type(output), y = gi_tensor_type(target);
  GI_TRY(check_types(e, &x, &y));
  b->rows = x.dim[0];
  b->columns = x.rank == 2 ? (int)x.dim[1] : 1;
  b->output_dtype = x.dtype;
  b->target_dtype = y.dtype;
  GI_TRY(gi_tensor_dense(output, &b->output, &b->hold_output));
  const glia_status s = gi_tensor_dense(target, &b->target, &b->hold_target);
  if (s != GLIA_OK) batch_close(b);
  return s;
}

/* Row r as doubles in e->output; a lone score of two classes gets its counterpart. */
static void read_output(glia_evaluation *e, const batch *b, int64_t r) {
  const size_t at = (size_t)(r * b->columns) * glia_dtype_size(b->output_dtype);
  gi_convert(b->output_dtype, (const char *)b->output + at, GLIA_F64, e->output, b->columns);
  if (e->classes == 2 && b->columns == 1) {
    e->output[1] = e->output[0];
    e->output[0] = e->scores == GLIA_SCORES_LOGITS ? 0 : 1 - e->output[1];
  }
}

static void read_target(glia_evaluation *e, const batch *b, int64_t r) {
  const size_t at = (size_t)(r * e->columns) * glia_dtype_size(b->target_dtype);
  gi_convert(b->target_dtype, (const char *)b->target + at, GLIA_F64, e->target, e->columns);
}

static int64_t label(const batch *b, int64_t r) {
  switch (b->target_dtype) {
    case GLIA_I64: return ((const int64_t *)b->target)[r];
    case GLIA_I32: return ((const int32_t *)b->target)[r];
    default: return ((const uint8_t *)b->target)[r];
  }
}

static glia_status check_label(const glia_evaluation *e, const char *what, int64_t row,
                               int64_t c) {
  if (c >= 0 && c < e->classes) return GLIA_OK;
  return gi_fail(GLIA_DATA, "evaluation: %s %lld is class %lld, wanted 0..%d", what,
                 (long long)row, (long long)c, e->classes - 1);
}

static glia_status check_scores(const glia_evaluation *e, int64_t row) {
  bool any = false; /* a finite logit */
  for (int j = 0; j < e->columns; j++) {
    const double v = e->output[j];
    const bool masked = e->classes > 0 && e->scores == GLIA_SCORES_LOGITS && v == -INFINITY;
    if (!isfinite(v) && !masked)
      return gi_fail(GLIA_DIVERGED, "evaluation: output [%lld, %d] is %g", (long long)row, j,
                     v);
    if (e->classes > 0 && e->scores == GLIA_SCORES_PROBABILITIES &&
        (v < -PROBABILITY_SLACK || v > 1 + PROBABILITY_SLACK))
      return gi_fail(GLIA_INVALID,
                     "evaluation: output [%lld, %d] is %g, wanted a probability; "
                     "hint: these look like logits (GLIA_SCORES_LOGITS)",
                     (long long)row, j, v);
    any = any || !masked;
  }
  return any ? GLIA_OK
             : gi_fail(GLIA_DIVERGED, "evaluation: output row %lld is -infinity throughout",
                       (long long)row);
}

static glia_status check_rows(glia_evaluation *e, const batch *b) {
  for (int64_t r = 0; r < b->rows; r++) {
    read_output(e, b, r);
    GI_TRY(check_scores(e, r));
    if (e->classes > 0) {
      GI_TRY(check_label(e, "target", r, label(b, r)));
      continue;
    }
    read_target(e, b, r);
    for (int j = 0; j < e->columns; j++)
      if (!isfinite(e->target[j]))
        return gi_fail(GLIA_DATA, "evaluation: target [%lld, %d] is %g", (long long)r, j,
                       e->target[j]);
  }
  return GLIA_OK;
}

static void count(glia_evaluation *e, int64_t truth, int64_t guess) {
  e->truths[truth]++;
  e->guesses[guess]++;
  if (truth == guess) {
    e->matches[truth]++;
    e->hits++;
  }
  if (e->confusion != NULL) e->confusion[truth * e->classes + guess]++;
}

/* ---- keeping ---------------------------------------------------------------------------- */

/* Room for so many rows more; where that is too much, none are kept from now on. */
static glia_status make_room(glia_evaluation *e, int64_t rows) {
  size_t more, bytes;
  if (e->keep == 0 || e->dropped) return GLIA_OK;
  if (!gi_mul_size((size_t)rows, gi_kept_row(e), &more) ||
      !gi_mul_size(e->kept.n + more, sizeof(double), &bytes) || bytes > e->keep) {
    gi_vec_free(&e->kept);
    e->dropped = true;
    return GLIA_OK;
  }
  return gi_vec_reserve(&e->kept, e->kept.n + more) ? GLIA_OK : gi_fail_nomem(bytes);
}

/* The row that lies in e->output and e->target, or (guess >= 0) is a label alone. */
static void keep_row(glia_evaluation *e, int64_t truth, int64_t guess) {
  if (e->keep == 0 || e->dropped) return;
  double *row = e->kept.at + e->kept.n;
  const size_t targets = gi_kept_row(e) - (size_t)e->columns;
  if (e->classes > 0)
    row[0] = (double)truth;
  else
    memcpy(row, e->target, targets * sizeof *row);
  if (guess < 0) memcpy(row + targets, e->output, (size_t)e->columns * sizeof *row);
  for (int j = 0; guess >= 0 && j < e->columns; j++) row[targets + (size_t)j] = j == guess;
  e->kept.n += gi_kept_row(e);
}

int64_t gi_first_largest(const double *v, int n) {
  int best = 0;
  for (int j = 1; j < n; j++)
    if (v[j] > v[best]) best = j;
  return best;
}

glia_status glia_evaluation_add(glia_evaluation *e, const glia_tensor *output,
                                const glia_tensor *target) {
  batch b;
  GI_TRY(batch_open(&b, e, output, target));
  glia_status s = check_rows(e, &b);
  if (s == GLIA_OK) s = make_room(e, b.rows);
  for (int64_t r = 0; s == GLIA_OK && r < b.rows; r++) {
    read_output(e, &b, r);
    gi_metric_row row = {.columns = e->columns,
                         .output = e->output,
                         .truth = -1,
                         .scores = e->scores,
                         .epsilon = epsilon(b.output_dtype),
                         .index = e->count};
    if (e->classes > 0) {
      row.truth = label(&b, r);
      count(e, row.truth, gi_first_largest(e->output, e->columns));
    } else {
      read_target(e, &b, r);
      row.target = e->target;
    }
    for (int i = 0; i < e->metrics; i++)
      if (e->state[i] != NULL) gi_metric_at(i)->add(gi_metric_at(i), e->state[i], &row);
    keep_row(e, row.truth, -1);
    e->count++;
  }
  batch_close(&b);
  return s;
}

glia_status glia_evaluation_add_labels(glia_evaluation *e, const int64_t *y_true,
                                       const int64_t *y_pred, int64_t n) {
  if (e->classes == 0)
    return gi_fail(GLIA_INVALID, "evaluation: labels were given to a regression");
  if (n < 0 || (n > 0 && (y_true == NULL || y_pred == NULL)))
    return gi_fail(GLIA_INVALID, "evaluation: %lld labels, or a list that is NULL",
                   (long long)n);
  for (int64_t i = 0; i < n; i++) {
    GI_TRY(check_label(e, "y_true", i, y_true[i]));
    GI_TRY(check_label(e, "y_pred", i, y_pred[i]));
  }
  GI_TRY(make_room(e, n));
  for (int64_t i = 0; i < n; i++) {
    count(e, y_true[i], y_pred[i]);
    keep_row(e, y_true[i], y_pred[i]);
  }
  e->count += n;
  e->labels_only += n;
  return GLIA_OK;
}

/* ---- answering -------------------------------------------------------------------------- */

int64_t glia_evaluation_count(const glia_evaluation *e) { return e->count; }

int glia_evaluation_classes(const glia_evaluation *e) { return e->classes; }

int64_t glia_evaluation_support(const glia_evaluation *e, int c) {
  return c >= 0 && c < e->classes ? e->truths[c] : 0;
}

int64_t glia_evaluation_predicted(const glia_evaluation *e, int c) {
  return c >= 0 && c < e->classes ? e->guesses[c] : 0;
}

static glia_status check_answerable(const glia_evaluation *e, const gi_metric *m,
                                    const char *name) {
  if (m->value == NULL && m->needs == GI_NEEDS_OTHER)
    return gi_fail(GLIA_UNSUPPORTED,
                   "%s: is no metric of predictions; glia_metric_compute has it", name);
  if (m->regression != (e->classes == 0))
    return gi_fail(GLIA_UNSUPPORTED, "%s: is for %s, these are %s", name,
                   m->regression ? "numbers" : "classes",
                   m->regression ? "classes" : "numbers");
  if (e->count == 0) return gi_fail(GLIA_DATA, "%s: there are no samples", name);
  if (gi_metric_needs_scores(m) && e->labels_only > 0)
    return gi_fail(GLIA_UNSUPPORTED, "%s: needs scores, but %lld samples were given as labels",
                   name, (long long)e->labels_only);
  return GLIA_OK;
}

glia_status glia_evaluation_value(const glia_evaluation *e, const char *name, double *out) {
  const gi_metric *m;
  glia_metric_opts o;
  int index, options;
  int64_t k;
  GI_TRY(gi_metric_parse(name, &m, &index, &k, &o, &options));
  GI_TRY(check_answerable(e, m, name));
  if (m->value == NULL || options > 0) return gi_evaluation_whole(e, name, m, &o, out);
  *out = m->value(m, e, e->state[index], k);
  return GLIA_OK;
}

glia_status glia_evaluation_class(const glia_evaluation *e, const char *name, int c,
                                  double *out) {
  const gi_metric *m;
  int index;
  int64_t k;
  GI_TRY(gi_metric_named(name, &m, &index, &k));
  GI_TRY(check_answerable(e, m, name));
  if (m->class_value == NULL)
    return gi_fail(GLIA_UNSUPPORTED, "%s: has no value for a single class", name);
  if (c < 0 || c >= e->classes)
    return gi_fail(GLIA_INVALID, "%s: class is %d, wanted 0..%d", name, c, e->classes - 1);
  *out = m->class_value(m, e, c);
  return GLIA_OK;
}

glia_status glia_evaluation_confusion(const glia_evaluation *e, glia_tensor **out) {
  if (e->confusion == NULL)
    return gi_fail(GLIA_UNSUPPORTED, "confusion matrix: %d classes, wanted 2..%d", e->classes,
                   GLIA_CONFUSION_MAX);
  const int64_t shape[2] = {e->classes, e->classes};
  return glia_tensor_from(GLIA_I64, 2, shape, e->confusion, out);
}
