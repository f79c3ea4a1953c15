/* dense.c - layers that are products. */
#include "parity/parity.h"

static glia_value plus(glia_value y, glia_value bias) {
  return bias.graph == NULL ? y : glia_add(y, bias);
}

/* Leading axes are rows. */
static void linear(question *q) {
  const glia_value x = q_input(q, 0), w = q_param(q, "weight");
  int64_t shape[GLIA_MAX_RANK];
  const int rank = glia_value_rank(x);
  if (rank < 1) {
    q_cannot(q, "has an input without axes");
    return;
  }
  memcpy(shape, glia_value_shape(x), (size_t)rank * sizeof shape[0]);
  const glia_value rows = glia_reshape(x, 2, (const int64_t[]){-1, glia_value_dim(x, -1)});
  shape[rank - 1] = glia_value_dim(w, 0);
  q_output(q, 0,
           glia_reshape(plus(glia_matmul(rows, w, .transpose_b = true), q_param(q, "bias")),
                        rank, shape));
}

/* y[.., o] = sum_ij a[.., i] w[o, i, j] b[.., j] + bias[o], by the products a[.., i] b[.., j].
 */
static void bilinear(question *q) {
  glia_value a = q_input(q, 0), b = q_input(q, 1);
  const glia_value w = q_param(q, "weight");
  int64_t shape[GLIA_MAX_RANK];
  const int rank = glia_value_rank(a);
  if (rank < 1) {
    q_cannot(q, "has inputs without axes");
    return;
  }
  memcpy(shape, glia_value_shape(a), (size_t)rank * sizeof shape[0]);
  const int64_t i = glia_value_dim(a, -1), j = glia_value_dim(b, -1);
  a = glia_reshape(a, 3, (const int64_t[]){-1, i, 1});
  b = glia_reshape(b, 3, (const int64_t[]){-1, 1, j});
  const glia_value pairs = glia_reshape(glia_mul(a, b), 2, (const int64_t[]){-1, i * j});
  const glia_value flat = glia_reshape(w, 2, (const int64_t[]){glia_value_dim(w, 0), i * j});
  shape[rank - 1] = glia_value_dim(w, 0);
  q_output(q, 0,
           glia_reshape(plus(glia_matmul(pairs, flat, .transpose_b = true), q_param(q, "bias")),
                        rank, shape));
}

/* Documents are compared under the same name, elsewhere. */
static void cosine(question *q) {
  if (q_input(q, 0).graph == NULL) {
    q_cannot(q, "has no vectors");
    return;
  }
  q_output(q, 0,
           glia_cosine_similarity(q_input(q, 0), q_input(q, 1), (int)q_int(q, "dim", 1),
                                  q_num(q, "eps", 1e-8)));
}
static void distance(question *q) {
  q_output(q, 0,
           glia_pairwise_distance(q_input(q, 0), q_input(q, 1), .p = q_num(q, "p", 2),
                                  .eps = q_num(q, "eps", 1e-6),
                                  .keep = q_bool(q, "keepdim", false)));
}

static const parity_row rows[] = {{.op = "Linear", .build = linear},
                                  {.op = "Bilinear", .build = bilinear},
                                  {.op = "CosineSimilarity", .build = cosine},
                                  {.op = "cosine_similarity", .build = cosine},
                                  {.op = "PairwiseDistance", .build = distance},
                                  {.op = "pairwise_distance", .build = distance}};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_dense[] = {&all, NULL};
