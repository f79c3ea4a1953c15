/* tensor.c - functions of tensors that layers are made of: sums along the way, order, places.
 */
#include "parity/parity.h"

static int dim_of(const question *q, int fallback) { return (int)q_int(q, "dim", fallback); }

static void cumsum(question *q) {
  q_output(q, 0, glia_cumsum(q_input(q, 0), dim_of(q, 0), false));
}
static void cumprod(question *q) {
  q_output(q, 0, glia_cumprod(q_input(q, 0), dim_of(q, 0), false));
}

/* The largest element is taken off before, and put on behind. */
static void log_sum_exp(question *q) {
  const glia_value x = q_input(q, 0);
  const int axis = dim_of(q, 0);
  const bool keep = q_bool(q, "keepdim", false);
  const glia_value top = glia_stop_gradient(glia_max(x, .n = 1, .axes = {axis}, .keep = true));
  const glia_value sum =
      glia_sum(glia_exp(glia_sub(x, top)), .n = 1, .axes = {axis}, .keep = keep);
  const glia_value at = keep ? top : glia_stop_gradient(glia_max(x, .n = 1, .axes = {axis}));
  q_output(q, 0, glia_add(glia_log(sum), at));
}
static void log_cum_sum_exp(question *q) {
  const glia_value x = q_input(q, 0);
  const int axis = dim_of(q, 0);
  const glia_value top = glia_stop_gradient(glia_max(x, .n = 1, .axes = {axis}, .keep = true));
  q_output(q, 0, glia_add(glia_log(glia_cumsum(glia_exp(glia_sub(x, top)), axis, false)), top));
}

/* ---- order ------------------------------------------------------------------------------- */

static void sort(question *q) {
  glia_value index;
  const bool down = q_bool(q, "descending", false);
  q_output(q, 0, glia_sort(q_input(q, 0), dim_of(q, -1), down, &index));
  q_output(q, 1, index);
}
static void top_k(question *q) {
  glia_value index;
  const bool smallest = !q_bool(q, "largest", true);
  q_output(q, 0, glia_top_k(q_input(q, 0), q_int(q, "k", 1), dim_of(q, -1), smallest, &index));
  q_output(q, 1, index);
}
static void cummax(question *q) {
  glia_value index;
  q_output(q, 0, glia_cummax(q_input(q, 0), dim_of(q, 0), &index));
  q_output(q, 1, index);
}
static void cummin(question *q) {
  glia_value index;
  q_output(q, 0, glia_cummin(q_input(q, 0), dim_of(q, 0), &index));
  q_output(q, 1, index);
}

/* ---- places ------------------------------------------------------------------------------ */

static void gather(question *q) {
  q_output(q, 0, glia_take_along(q_input(q, 0), q_input(q, 1), dim_of(q, 0)));
}
static void index_select(question *q) {
  q_output(q, 0, glia_gather(q_input(q, 0), q_input(q, 1), dim_of(q, 0)));
}
static void flip(question *q) {
  int64_t listed[GLIA_MAX_RANK] = {0};
  int axes[GLIA_MAX_RANK];
  const int n = GI_MIN(q_count(q, "dims"), GLIA_MAX_RANK);
  q_ints(q, "dims", n, listed);
  for (int i = 0; i < n; i++) axes[i] = (int)listed[i];
  q_output(q, 0, glia_flip(q_input(q, 0), axes, n));
}
static void roll(question *q) {
  int64_t shift[GLIA_MAX_RANK] = {0}, axis[GLIA_MAX_RANK] = {0};
  const int n = GI_MIN(GI_MAX(1, q_count(q, "dims")), GLIA_MAX_RANK);
  glia_value x = q_input(q, 0);
  q_ints(q, "shifts", n, shift);
  q_ints(q, "dims", n, axis);
  for (int i = 0; i < n; i++) x = glia_roll(x, (int)axis[i], shift[i]);
  q_output(q, 0, x);
}
static void tril(question *q) {
  q_output(q, 0, glia_tril(q_input(q, 0), q_int(q, "diagonal", 0)));
}
static void triu(question *q) {
  q_output(q, 0, glia_triu(q_input(q, 0), q_int(q, "diagonal", 0)));
}
static void repeat(question *q) {
  q_output(q, 0, glia_repeat(q_input(q, 0), dim_of(q, 0), q_int(q, "repeats", 1)));
}
static void one_hot(question *q) {
  q_output(q, 0, glia_one_hot(q_input(q, 0), q_int(q, "num_classes", 0), GLIA_I64));
}

/* ---- products ---------------------------------------------------------------------------- */

static void matmul(question *q) { q_output(q, 0, glia_matmul(q_input(q, 0), q_input(q, 1))); }

static const parity_row rows[] = {
    {.op = "cumsum", .build = cumsum},
    {.op = "cumprod", .build = cumprod},
    {.op = "logsumexp", .build = log_sum_exp},
    {.op = "logcumsumexp", .build = log_cum_sum_exp},
    {.op = "sort", .build = sort},
    {.op = "topk", .build = top_k},
    {.op = "cummax", .build = cummax},
    {.op = "cummin", .build = cummin},
    {.op = "gather", .build = gather},
    {.op = "index_select", .build = index_select},
    {.op = "flip", .build = flip},
    {.op = "roll", .build = roll},
    {.op = "tril", .build = tril},
    {.op = "triu", .build = triu},
    {.op = "repeat_interleave", .build = repeat},
    {.op = "one_hot", .build = one_hot},
    {.op = "matmul", .build = matmul},
    {.op = "bmm", .build = matmul},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_tensor[] = {&all, NULL};
