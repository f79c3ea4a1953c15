/* silhouette.c - how well points [N, D] are parted into groups, without knowing the true ones.
 *
 *   silhouette          mean of (b - a) / max(a, b): a the mean distance to the others of the
 *                       own group, b that to the nearest other group; 0 alone in a group
 *                       (Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7). O(N^2 D) time, O(N)
 *                       memory: no matrix of distances is kept
 *   silhouette_samples  the same for each point, [N]
 *   calinski_harabasz   (scatter between / (G - 1)) / (scatter within / (N - G)) of G groups; 1
 *                       where nothing is scattered within
 *   davies_bouldin      mean over the groups of the largest (s_i + s_j) / d_ij, s the mean
 *                       distance to the own centre, d that between centres
 * There must be 2 to N - 1 groups.
 */
#include "train/metric_call.h"

typedef struct grouped {
  int64_t groups, d;
  int64_t *group; /* [N] */
  double *size;   /* [groups] */
} grouped;

static glia_status groups_of(gi_metric_call *c, grouped *g) {
  gi_classes k = {0};
  if (c->columns[1] != 1)
    return gi_fail(GLIA_SHAPE, "%s: labels have %lld columns, wanted [N]", c->name,
                   (long long)c->columns[1]);
  GI_TRY(gi_classes_of(c, 2, &k));
  g->groups = k.n;
  g->d = c->columns[0];
  if (k.n < 2 || k.n >= c->n)
    return gi_fail(GLIA_DATA, "%s: %lld groups of %lld points, wanted 2..%lld", c->name,
                   (long long)k.n, (long long)c->n, (long long)c->n - 1);
  GI_TAKE(c, c->n, &g->group);
  GI_TAKE(c, k.n, &g->size);
  for (int64_t i = 0; i < c->n; i++) {
    g->group[i] = gi_class_rank(&k, c->b[i]);
    g->size[g->group[i]]++;
  }
  return GLIA_OK;
}

/* ---- distances -------------------------------------------------------------------------- */

static double squared(const double *a, const double *b, int64_t d) {
  double sum = 0;
  for (int64_t j = 0; j < d; j++) sum += (a[j] - b[j]) * (a[j] - b[j]);
  return sum;
}

static double manhattan(const double *a, const double *b, int64_t d) {
  double sum = 0;
  for (int64_t j = 0; j < d; j++) sum += fabs(a[j] - b[j]);
  return sum;
}

static double cosine(const double *a, const double *b, int64_t d) {
  double aa = 0, bb = 0, ab = 0;
  for (int64_t j = 0; j < d; j++) {
    aa += a[j] * a[j];
    bb += b[j] * b[j];
    ab += a[j] * b[j];
  }
  return fmin(2, fmax(0, 1 - gi_ratio(ab, sqrt(aa) * sqrt(bb))));
}

static const char *const distances[] = {"euclidean", "sqeuclidean", "manhattan",
                                        "cosine",    "precomputed", NULL};

static double distance(const gi_metric_call *c, int kind, int64_t i, int64_t j) {
  const int64_t d = c->columns[0];
  const double *a = c->a + i * d, *b = c->a + j * d;
  switch (kind) {
    case 1: return squared(a, b, d);
    case 2: return manhattan(a, b, d);
    case 3: return i == j ? 0 : cosine(a, b, d);
    case 4: return a[j];
    default: return sqrt(squared(a, b, d));
  }
}

static glia_status kind_of(const gi_metric_call *c, int *kind) {
  *kind = 0;
  for (int i = 0; c->o.distance != NULL && distances[i] != NULL; i++)
    if (strcmp(distances[i], c->o.distance) == 0) *kind = i;
  if (*kind != 4) return GLIA_OK;
  if (c->columns[0] != c->n)
    return gi_fail(GLIA_SHAPE, "%s: precomputed distances are [%lld, %lld], wanted [N, N]",
                   c->name, (long long)c->n, (long long)c->columns[0]);
  for (int64_t i = 0; i < c->n; i++)
    if (fabs(c->a[i * c->n + i]) > 100 * 0x1p-52)
      return gi_fail(GLIA_DATA, "%s: the distance of point %lld from itself is %g", c->name,
                     (long long)i, c->a[i * c->n + i]);
  return GLIA_OK;
}

/* ---- silhouettes ------------------------------------------------------------------------ */

static double silhouette_of(const grouped *g, const double *sums, int64_t own) {
  double nearest = INFINITY;
  if (g->size[own] < 2) return 0;
  for (int64_t k = 0; k < g->groups; k++)
    if (k != own) nearest = fmin(nearest, sums[k] / g->size[k]);
  const double within = sums[own] / (g->size[own] - 1);
  return gi_ratio(nearest - within, fmax(nearest, within));
}

static glia_status silhouettes(gi_metric_call *c) {
  grouped g = {0};
  double *sums = NULL, *each = NULL;
  int kind;
  GI_TRY(groups_of(c, &g));
  GI_TRY(kind_of(c, &kind));
  GI_TAKE(c, g.groups, &sums);
  GI_TAKE(c, c->n, &each);
  for (int64_t i = 0; i < c->n; i++) {
    memset(sums, 0, (size_t)g.groups * sizeof *sums);
    for (int64_t j = 0; j < c->n; j++) sums[g.group[j]] += distance(c, kind, i, j);
    each[i] = silhouette_of(&g, sums, g.group[i]);
  }
  if (c->m->variant != 0) return gi_metric_vector(c, c->n, each);
  return gi_metric_mean(c, each, false);
}

/* ---- centres ---------------------------------------------------------------------------- */

/* [groups, d], and of all points [d]. */
static glia_status centres_of(gi_metric_call *c, const grouped *g, double **centres,
                              double **all) {
  GI_TAKE(c, g->groups * g->d, centres);
  GI_TAKE(c, g->d, all);
  for (int64_t i = 0; i < c->n; i++)
    for (int64_t j = 0; j < g->d; j++) {
      (*centres)[g->group[i] * g->d + j] += c->a[i * g->d + j];
      (*all)[j] += c->a[i * g->d + j];
    }
  for (int64_t i = 0; i < g->groups * g->d; i++) (*centres)[i] /= g->size[i / g->d];
  for (int64_t j = 0; j < g->d; j++) (*all)[j] /= (double)c->n;
  return GLIA_OK;
}

static glia_status calinski_harabasz(gi_metric_call *c) {
  grouped g = {0};
  double *centres = NULL, *all = NULL, between = 0, within = 0;
  GI_TRY(groups_of(c, &g));
  GI_TRY(centres_of(c, &g, &centres, &all));
  for (int64_t k = 0; k < g.groups; k++)
    between += g.size[k] * squared(centres + k * g.d, all, g.d);
  for (int64_t i = 0; i < c->n; i++)
    within += squared(c->a + i * g.d, centres + g.group[i] * g.d, g.d);
  return gi_metric_number(
      c, within == 0 ? 1
                     : between * (double)(c->n - g.groups) / (within * (double)(g.groups - 1)));
}

static glia_status davies_bouldin(gi_metric_call *c) {
  grouped g = {0};
  double *centres = NULL, *all = NULL, *spread = NULL, sum = 0;
  bool some_spread = false, some_distance = false;
  GI_TRY(groups_of(c, &g));
  GI_TRY(centres_of(c, &g, &centres, &all));
  GI_TAKE(c, g.groups, &spread);
  for (int64_t i = 0; i < c->n; i++)
    spread[g.group[i]] +=
        sqrt(squared(c->a + i * g.d, centres + g.group[i] * g.d, g.d)) / g.size[g.group[i]];
  for (int64_t i = 0; i < g.groups; i++) {
    double worst = 0;
    some_spread = some_spread || spread[i] > 1e-8;
    for (int64_t j = 0; j < g.groups; j++) {
      const double d = sqrt(squared(centres + i * g.d, centres + j * g.d, g.d));
      some_distance = some_distance || d > 1e-8;
      if (d > 0) worst = fmax(worst, (spread[i] + spread[j]) / d);
    }
    sum += worst;
  }
  return gi_metric_number(c, some_spread && some_distance ? sum / (double)g.groups : 0);
}

static const gi_field fields[] = {
    GI_METRIC_NAME(distance, distances, "euclidean", "between points"), GI_METRIC_END};

#define ROW(id, NAME, TEXT, SOURCE, LOWER, VARIANT, COMPUTE, FIELDS) \
  static const gi_metric id = {.name = NAME,                         \
                               .doc = TEXT,                          \
                               .source = SOURCE "(X, labels)",       \
                               .lower_is_better = LOWER,             \
                               .variant = VARIANT,                   \
                               .compute = COMPUTE,                   \
                               .fields = FIELDS,                     \
                               .arguments = {"X", "labels"}};
ROW(silhouette, "silhouette", "nearness to the own group against the next one",
    "silhouette_score", false, 0, silhouettes, fields)
ROW(samples, "silhouette_samples", "silhouette of each point", "silhouette_samples", false, 1,
    silhouettes, fields)
ROW(scatter, "calinski_harabasz", "scatter between groups over that within",
    "calinski_harabasz_score", false, 0, calinski_harabasz, NULL)
ROW(overlap, "davies_bouldin", "spread of groups over the distance between them",
    "davies_bouldin_score", true, 0, davies_bouldin, NULL)

const gi_metric *const gi_metrics_silhouette[] = {&silhouette, &samples, &scatter, &overlap,
                                                  NULL};
