/* dense.c - layers that are products. */
#include <float.h>
#include <stdlib.h>

#include "glia/layers.h"
#include "parity/parity.h"

static glia_value plus(glia_value y, glia_value bias) {
  return bias.graph == NULL ? y : glia_add(y, bias);
}

/* Leading axes are rows. */
static void linear(question *q) {
  const glia_value x = q_input(q, 0), w = q_param_or(q, "weight", 1);
  int64_t shape[GLIA_MAX_RANK];
  const int rank = glia_value_rank(x);
  if (rank < 1) {
    q_cannot(q, "has an input without axes");
    return;
  }
  memcpy(shape, glia_value_shape(x), (size_t)rank * sizeof shape[0]);
  const glia_value rows = glia_reshape(x, 2, (const int64_t[]){-1, glia_value_dim(x, -1)});
  shape[rank - 1] = glia_value_dim(w, 0);
  q_output(
      q, 0,
      glia_reshape(plus(glia_matmul(rows, w, .transpose_b = true), q_param_or(q, "bias", 2)),
                   rank, shape));
}

/* The module by the layer, the function by its formula. */
static void bilinear(question *q) {
  const glia_value a = q_input(q, 0), b = q_input(q, 1);
  glia_scope *s = q_scope(q);
  if (strcmp(q_op(q), "Bilinear") == 0) {
    q_output(q, 0,
             glia_bilinear(s, q_around(q, "weight"), a, b, .units = q_int(q, "out_features", 0),
                           .no_bias = !q_bool(q, "bias", true)));
    return;
  }
  const glia_value of[] = {a, q_input(q, 2), b};
  q_output(q, 0, plus(glia_einsum("...i,uij,...j->...u", of, 3), q_input(q, 3)));
}

/* ---- how far, how alike ------------------------------------------------------------------ */

/* Two values of one shape: new axes come in front, sizes of 1 are repeated. */
static void broadcast(glia_value *a, glia_value *b) {
  const int ra = glia_value_rank(*a), rb = glia_value_rank(*b), rank = GI_MAX(ra, rb);
  int64_t shape[GLIA_MAX_RANK];
  for (int d = 1; d <= rank; d++) {
    const int64_t da = d <= ra ? glia_value_dim(*a, -d) : 1,
                  db = d <= rb ? glia_value_dim(*b, -d) : 1;
    shape[rank - d] = da == 1 ? db : da;
  }
  *a = glia_broadcast_to(*a, rank, shape);
  *b = glia_broadcast_to(*b, rank, shape);
}

/* Documents are compared under the same name, elsewhere. */
static void cosine(question *q) {
  glia_value a = q_input(q, 0), b = q_input(q, 1);
  if (a.graph == NULL) {
    q_cannot(q, "has no vectors");
    return;
  }
  broadcast(&a, &b);
  q_output(q, 0, glia_cosine_similarity(a, b, (int)q_int(q, "dim", 1), q_num(q, "eps", 1e-8)));
}

/* Our 0 is the default. */
static glia_value between(question *q, glia_value a, glia_value b, double eps) {
  broadcast(&a, &b);
  return glia_pairwise_distance(a, b, .p = q_num(q, "p", 2), .eps = GI_MAX(eps, DBL_MIN),
                                .keep = q_bool(q, "keepdim", false));
}
static void distance(question *q) {
  q_output(q, 0, between(q, q_input(q, 0), q_input(q, 1), q_num(q, "eps", 1e-6)));
}

/* a [..., P, M], b [..., R, M] -> [..., P, R] */
static void all_distances(question *q) {
  const glia_value a = q_input(q, 0), b = q_input(q, 1);
  const int rank = glia_value_rank(a);
  int64_t sa[GLIA_MAX_RANK], sb[GLIA_MAX_RANK];
  if (rank < 2 || rank != glia_value_rank(b) || rank == GLIA_MAX_RANK) {
    q_cannot(q, "has vectors of other ranks");
    return;
  }
  memcpy(sa, glia_value_shape(a), (size_t)rank * sizeof sa[0]);
  memcpy(sb, glia_value_shape(b), (size_t)rank * sizeof sb[0]);
  sa[rank] = sa[rank - 1], sa[rank - 1] = 1;
  sb[rank] = sb[rank - 1], sb[rank - 1] = sb[rank - 2], sb[rank - 2] = 1;
  q_output(q, 0, between(q, glia_reshape(a, rank + 1, sa), glia_reshape(b, rank + 1, sb), 0));
}

/* x [N, M] -> the distances of all pairs i < j, row by row. */
static void own_distances(question *q) {
  enum { MOST_PAIRS = 4096 };
  const glia_value x = q_input(q, 0);
  const int64_t n = glia_value_dim(x, 0), pairs = n * (n - 1) / 2;
  int64_t *at = pairs <= MOST_PAIRS ? malloc(2 * (size_t)GI_MAX(pairs, 1) * sizeof *at) : NULL;
  if (at == NULL) {
    q_cannot(q, "has too many pairs");
    return;
  }
  for (int64_t i = 0, k = 0; i < n; i++)
    for (int64_t j = i + 1; j < n; j++, k++) at[k] = i, at[pairs + k] = j;
  const glia_value first = glia_constant(q_graph(q), GLIA_I64, 1, &pairs, at),
                   second = glia_constant(q_graph(q), GLIA_I64, 1, &pairs, at + pairs);
  free(at);
  q_output(q, 0, between(q, glia_gather(x, first, 0), glia_gather(x, second, 0), 0));
}

static const parity_row rows[] = {{.op = "Linear", .build = linear},
                                  {.op = "linear", .build = linear},
                                  {.op = "Bilinear", .build = bilinear},
                                  {.op = "bilinear", .build = bilinear},
                                  {.op = "CosineSimilarity", .build = cosine},
                                  {.op = "cosine_similarity", .build = cosine},
                                  {.op = "PairwiseDistance", .build = distance},
                                  {.op = "pairwise_distance", .build = distance},
                                  {.op = "cdist", .build = all_distances},
                                  {.op = "pdist", .build = own_distances}};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_dense[] = {&all, NULL};
