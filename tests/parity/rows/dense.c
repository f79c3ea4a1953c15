/* dense.c - layers that are products and look-ups. */
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

/* y[n, o] = sum_ij a[n, i] w[o, i, j] b[n, j] + bias[o], by the products a[n, i] b[n, j]. */
static void bilinear(question *q) {
  const glia_value a = q_input(q, 0), b = q_input(q, 1), w = q_param(q, "weight");
  if (glia_value_rank(a) != 2) {
    q_cannot(q, "has inputs of more than two axes");
    return;
  }
  const int64_t n = glia_value_dim(a, 0), i = glia_value_dim(a, 1), j = glia_value_dim(b, 1);
  const glia_value pairs =
      glia_reshape(glia_mul(glia_reshape(a, 3, (const int64_t[]){n, i, 1}),
                            glia_reshape(b, 3, (const int64_t[]){n, 1, j})),
                   2, (const int64_t[]){n, i * j});
  const glia_value flat = glia_reshape(w, 2, (const int64_t[]){glia_value_dim(w, 0), i * j});
  q_output(q, 0, plus(glia_matmul(pairs, flat, .transpose_b = true), q_param(q, "bias")));
}

static const parity_row rows[] = {{.op = "Linear", .build = linear},
                                  {.op = "Bilinear", .build = bilinear}};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_dense[] = {&all, NULL};
