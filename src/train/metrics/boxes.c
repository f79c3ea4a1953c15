/* boxes.c - mean average precision of found boxes.
 *
 *   first   [T, 6] true boxes: picture, class, x1, y1, x2, y2
 *   second  [P, 7] found boxes: picture, class, score, x1, y1, x2, y2
 * By falling score, a found box is a hit if the true box of its picture and class that it
 * overlaps most, of those that are not taken yet, overlaps it by `iou` at least (intersection
 * over union). The average precision of a class is the mean, over the recalls 0, 0.01 ... 1, of
 * the largest precision at that recall or a higher one; the result is the mean over the classes
 * of the true boxes and, unless one `iou` is given, over 0.5, 0.55 ... 0.95 (Lin et al. 2014,
 * COCO, arXiv:1405.0312).
 */
#include <stdlib.h>

#include "train/metric_call.h"

enum { TRUE_COLUMNS = 6, FOUND_COLUMNS = 7, RECALLS = 101 };

/* Intersection over union of x1, y1, x2, y2. */
static double overlap(const double *a, const double *b) {
  const double w = fmin(a[2], b[2]) - fmax(a[0], b[0]), h = fmin(a[3], b[3]) - fmax(a[1], b[1]);
  const double both = w > 0 && h > 0 ? w * h : 0;
  const double sum = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]);
  return gi_ratio(both, sum - both);
}

static glia_status check_boxes(const gi_metric_call *c) {
  if (c->columns[0] != TRUE_COLUMNS || c->columns[1] != FOUND_COLUMNS)
    return gi_fail(GLIA_SHAPE, "%s: boxes have %lld and %lld columns, wanted [T, 6] and [P, 7]",
                   c->name, (long long)c->columns[0], (long long)c->columns[1]);
  for (int which = 0; which < 2; which++)
    for (int64_t i = 0; i < c->rows[which]; i++) {
      const double *box =
          which == 0 ? c->a + i * TRUE_COLUMNS + 2 : c->b + i * FOUND_COLUMNS + 3;
      if (box[2] < box[0] || box[3] < box[1])
        return gi_fail(GLIA_DATA, "%s: box %lld of %s ends before it begins", c->name,
                       (long long)i, gi_metric_argument(c->m, which));
    }
  return GLIA_OK;
}

/* ---- true boxes by picture and class ------------------------------------------------------
 */

typedef struct place {
  double class, picture;
  int64_t at;
} place;

static int by_place(const void *x, const void *y) {
  const place *a = x, *b = y;
  if (a->class != b->class) return a->class < b->class ? -1 : 1;
  if (a->picture != b->picture) return a->picture < b->picture ? -1 : 1;
  return (a->at > b->at) - (a->at < b->at);
}

/* The first of n sorted places that is not before this class and picture. */
static int64_t first_of(const place *p, int64_t n, double class, double picture) {
  const place wanted = {class, picture, -1};
  int64_t low = 0, high = n;
  while (low < high) {
    const int64_t mid = low + (high - low) / 2;
    if (by_place(&p[mid], &wanted) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

/* ---- one class ----------------------------------------------------------------------------
 */

typedef struct boxes {
  place *truth;               /* [T] sorted */
  gi_keyed *found;            /* [P] by falling score */
  bool *taken;                /* [T] */
  double *precision, *recall; /* [P] scratch */
} boxes;

/* Takes the free true box that is overlapped most, if by enough. */
static bool hits(const gi_metric_call *c, boxes *b, const double *found, double iou) {
  const int64_t n = c->rows[0];
  double most = iou;
  int64_t best = -1;
  for (int64_t i = first_of(b->truth, n, found[1], found[0]);
       i < n && b->truth[i].class == found[1] && b->truth[i].picture == found[0]; i++) {
    const double o = overlap(c->a + b->truth[i].at * TRUE_COLUMNS + 2, found + 3);
    if (b->taken[i] || o < most || (best >= 0 && o == most)) continue;
    most = o;
    best = i;
  }
  if (best >= 0) b->taken[best] = true;
  return best >= 0;
}

static double class_precision(const gi_metric_call *c, boxes *b, double class, int64_t truths,
                              double iou) {
  int64_t n = 0;
  double hit = 0, sum = 0;
  for (int64_t i = 0; i < c->rows[1]; i++) {
    const double *found = c->b + b->found[i].at * FOUND_COLUMNS;
    if (found[1] != class) continue;
    hit += hits(c, b, found, iou);
    b->precision[n] = hit / (double)(n + 1);
    b->recall[n++] = hit / (double)truths;
  }
  for (int64_t i = n - 2; i >= 0; i--) /* the best from here on */
    b->precision[i] = fmax(b->precision[i], b->precision[i + 1]);
  int64_t at = 0;
  for (int r = 0; r < RECALLS; r++) {
    while (at < n && b->recall[at] < r / 100.0) at++;
    if (at < n) sum += b->precision[at];
  }
  return sum / RECALLS;
}

static double mean_at(const gi_metric_call *c, boxes *b, double iou) {
  const int64_t n = c->rows[0];
  double sum = 0, classes = 0;
  memset(b->taken, 0, (size_t)n * sizeof *b->taken);
  for (int64_t i = 0, to; i < n; i = to) {
    for (to = i; to < n && b->truth[to].class == b->truth[i].class; to++) continue;
    sum += class_precision(c, b, b->truth[i].class, to - i, iou);
    classes++;
  }
  return sum / classes;
}

static glia_status compute(gi_metric_call *c) {
  boxes b = {0};
  double *scores = NULL, sum = 0;
  GI_TRY(check_boxes(c));
  GI_TAKE(c, c->rows[0], &b.truth);
  GI_TAKE(c, c->rows[0], &b.taken);
  GI_TAKE(c, c->rows[1], &b.precision);
  GI_TAKE(c, c->rows[1], &b.recall);
  GI_TAKE(c, c->rows[1], &scores);
  for (int64_t i = 0; i < c->rows[0]; i++)
    b.truth[i] = (place){c->a[i * TRUE_COLUMNS + 1], c->a[i * TRUE_COLUMNS], i};
  qsort(b.truth, (size_t)c->rows[0], sizeof *b.truth, by_place);
  for (int64_t i = 0; i < c->rows[1]; i++) scores[i] = c->b[i * FOUND_COLUMNS + 2];
  GI_TRY(gi_metric_sorted(c, scores, c->rows[1], true, &b.found));
  if (c->o.iou > 0) return gi_metric_number(c, mean_at(c, &b, c->o.iou));
  for (int k = 0; k < 10; k++) sum += mean_at(c, &b, (50 + 5 * k) / 100.0);
  return gi_metric_number(c, sum / 10);
}

static const gi_field fields[] = {
    GI_METRIC_F64(iou, 0, 1, "the mean over 0.5, 0.55 ... 0.95", "least overlap of a hit"),
    GI_METRIC_END};

static const gi_metric row = {
    .name = "mean_average_precision",
    .doc = "of found boxes: mean of the largest precisions at 101 recalls, over the classes",
    .source = "COCO's AP",
    .compute = compute,
    .fields = fields,
    .shape = GI_SHAPE_UNLIKE,
    .arguments = {"truth", "found"},
};

const gi_metric *const gi_metrics_boxes[] = {&row, NULL};
