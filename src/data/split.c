/* split.c - one data set in two: training and validation.
 *
 * With classes, each is split by the same ratio: class c with n_c of the n samples gives
 * floor(n_c * ratio) to the second part, and the classes with the largest remainders one more
 * each, until there are round(n * ratio). The parts are taken from one shuffled order, a
 * function of the seed alone.
 */
#include <inttypes.h>
#include <math.h>

#include "data/dataset.h"

typedef struct share { /* of one class in the second part */
  int64_t count, quota;
  double remainder;
} share;

/* n indices in shuffled order. Owned. */
static glia_status shuffled(int64_t n, uint64_t seed, int64_t **out) {
  int64_t *order = gi_alloc((size_t)n * sizeof *order);
  if (order == NULL) return gi_fail_nomem((size_t)n * sizeof *order);
  for (int64_t i = 0; i < n; i++) order[i] = i;
  const gi_rng rng = {.seed = seed, .stream = gi_hash_str("data.split", 0)};
  gi_rng_shuffle(&rng, order, n);
  *out = order;
  return GLIA_OK;
}

/* Group of each sample: its class; one group more for those that cannot be read; all in one
 * group where there are no classes. */
static int group_of(const glia_dataset *d, int64_t i, int groups) {
  if (groups == 1) return 0;
  const int64_t c = glia_dataset_label(d, i);
  return c >= 0 ? (int)c : groups - 1;
}

static void set_quotas(share *shares, int groups, int64_t total, double ratio) {
  int64_t given = 0;
  for (int g = 0; g < groups; g++) {
    const double exact = (double)shares[g].count * ratio;
    shares[g].quota = (int64_t)floor(exact);
    shares[g].remainder = exact - floor(exact);
    given += shares[g].quota;
  }
  for (; given < total; given++) {
    int best = -1;
    for (int g = 0; g < groups; g++)
      if (shares[g].quota < shares[g].count &&
          (best < 0 || shares[g].remainder > shares[best].remainder))
        best = g;
    if (best < 0) return;
    shares[best].quota++;
    shares[best].remainder -= 1.0;
  }
}

/* Puts the samples of the second part first in `second`, the others into `first`. */
static void deal(const int *group, const int64_t *order, int64_t n, share *shares,
                 int64_t *first, int64_t *second) {
  int64_t a = 0, b = 0;
  for (int64_t i = 0; i < n; i++) {
    share *s = &shares[group[order[i]]];
    if (s->quota > 0) {
      s->quota--;
      second[b++] = order[i];
    } else {
      first[a++] = order[i];
    }
  }
}

static glia_status divide(const glia_dataset *base, const glia_split_opts *o, int64_t total,
                          int64_t *first, int64_t *second) {
  const int64_t n = glia_dataset_count(base);
  const int classes = glia_dataset_spec(base)->classes;
  const int groups = classes > 0 && !o->no_stratify ? classes + 1 : 1;
  int64_t *order = NULL;
  glia_status status = shuffled(n, o->seed, &order);
  int *group = gi_alloc((size_t)n * sizeof *group);
  share *shares = gi_alloc((size_t)groups * sizeof *shares);
  if (status == GLIA_OK && (group == NULL || shares == NULL))
    status = gi_fail_nomem((size_t)n * sizeof *group);
  if (status == GLIA_OK) {
    for (int64_t i = 0; i < n; i++) {
      group[i] = group_of(base, i, groups);
      shares[group[i]].count++;
    }
    set_quotas(shares, groups, total, o->ratio);
    deal(group, order, n, shares, first, second);
  }
  gi_free(shares);
  gi_free(group);
  gi_free(order);
  return status;
}

glia_status glia_dataset_split(const glia_dataset *base, const glia_split_opts *opt,
                               glia_dataset **a, glia_dataset **b) {
  if (base == NULL || a == NULL || b == NULL)
    return gi_fail(GLIA_INVALID, "split: no data set, or nowhere to put its parts");
  glia_split_opts o;
  gi_data_options(&o, sizeof o, opt);
  if (o.ratio == 0.0) o.ratio = 0.2;
  if (!(o.ratio > 0.0 && o.ratio < 1.0))
    return gi_fail(GLIA_INVALID, "split: ratio is %g, wanted above 0 and below 1", o.ratio);
  const int64_t n = glia_dataset_count(base);
  if (n < 2)
    return gi_fail(GLIA_DATA, "split: there are %" PRId64 " samples, wanted 2 at least", n);
  const int64_t rounded = (int64_t)llround((double)n * o.ratio);
  const int64_t total = GI_MIN(GI_MAX(rounded, 1), n - 1); /* neither part is empty */
  int64_t *first = gi_alloc((size_t)n * sizeof *first);
  int64_t *second = gi_alloc((size_t)n * sizeof *second);
  glia_dataset *one = NULL, *two = NULL;
  glia_status status = first != NULL && second != NULL
                           ? divide(base, &o, total, first, second)
                           : gi_fail_nomem((size_t)n * sizeof *first);
  if (status == GLIA_OK) status = glia_dataset_subset(base, first, n - total, &one);
  if (status == GLIA_OK) status = glia_dataset_subset(base, second, total, &two);
  if (status == GLIA_OK) {
    *a = one;
    *b = two;
  } else {
    glia_dataset_free(one);
  }
  gi_free(second);
  gi_free(first);
  return status;
}
