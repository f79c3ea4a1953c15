/* test_cpu_recurrent.c - recurrent layers on the cpu backend, in sizes that fill panels and
 * tiles and that do not, few enough that sequences are shared out and so many that steps are.
 */
#include "kernels.h"
#include "ops/attrs.h"

static const int64_t sizes[][3] = {/* T, N, H */
                                   {2, 1, 1},   {3, 7, 16},   {2, 20, 33}, {3, 9, 48},
                                   {2, 64, 20}, {3, 20, 130}, {2, 5, 300}};

/* Weights as they are in layers, so that sums do not drive every gate to its end. */
static void narrow(trial *t, int i, int64_t h) {
  t->low[i] = -1 / sqrt((double)h);
  t->high[i] = -t->low[i];
}

static void try_lengths(trial *t, gi_recurrent_attr *a, int64_t steps, int64_t n,
                        uint64_t seed) {
  const gi_type lengths = {.dtype = GLIA_I64, .rank = 1, .dim = {n}};
  for (int i = 0; i < 4; i++) {
    a->reverse = i % 2;
    a->lengths = i / 2;
    trial with = *t;
    with.attr = a;
    if (a->lengths) {
      with.high[with.n_in] = (double)steps + 1;
      with.in[with.n_in++] = lengths;
    }
    try_kernel(&with, seed + (uint64_t)i);
    with.in_place = true;
    try_kernel(&with, seed + 10 + (uint64_t)i);
  }
}

static void test_rnn(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(sizes); i++) {
    const int64_t t = sizes[i][0], n = sizes[i][1], h = sizes[i][2];
    gi_recurrent_attr a = {.activation = i % 2 ? "relu" : "tanh"};
    trial f = {.op = &gi_op_rnn, .n_in = 3, .in = {F32(t, n, h), F32(h, h), F32(n, h)}};
    trial b = {.op = &gi_op_rnn_grad,
               .n_in = 4,
               .in = {F32(h, h), F32(t, n, h), F32(t, n, h), F32(n, h)}};
    narrow(&f, 1, h);
    narrow(&b, 0, h);
    try_lengths(&f, &a, t, n, 100);
    try_lengths(&b, &a, t, n, 200);
  }
}

static void test_gru(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(sizes); i++) {
    const int64_t t = sizes[i][0], n = sizes[i][1], h = sizes[i][2];
    gi_recurrent_attr a = {.bias = i % 2 == 0};
    trial f = {.op = &gi_op_gru,
               .n_in = a.bias ? 4 : 3,
               .in = {F32(t, n, 3 * h), F32(3 * h, h), F32(n, h), F32(h)}};
    trial b = {.op = &gi_op_gru_grad,
               .n_in = 6,
               .in = {F32(3 * h, h), F32(n, h), F32(t, n, h), F32(t, n, 4 * h), F32(t, n, h),
                      F32(n, h)}};
    narrow(&f, 1, h);
    narrow(&b, 0, h);
    b.high[3] = 1; /* gates */
    try_lengths(&f, &a, t, n, 300);
    a.bias = false;
    try_lengths(&b, &a, t, n, 400);
  }
}

/* Behind the inputs that are always there come lengths, peepholes, projection: tried without
 * lengths where others follow, and all together in the samples of the op. */
static void add_more(trial *t, gi_recurrent_attr *a, int64_t h, int64_t p) {
  if (a->peepholes) t->in[t->n_in++] = F32(3, h);
  if (a->projection) {
    narrow(t, t->n_in, h);
    t->in[t->n_in++] = F32(p, h);
  }
}

static void try_lstm(const int64_t *size, int64_t p, gi_recurrent_attr *a) {
  const int64_t t = size[0], n = size[1], h = size[2];
  trial f = {.op = &gi_op_lstm,
             .attr = a,
             .n_in = 4,
             .in = {F32(t, n, 4 * h), F32(4 * h, p), F32(n, p), F32(n, h)}};
  trial b = {.op = &gi_op_lstm_grad,
             .attr = a,
             .n_in = 7,
             .in = {F32(4 * h, p), F32(n, h), F32(t, n, 4 * h), F32(t, n, h), F32(t, n, p),
                    F32(n, p), F32(n, h)}};
  narrow(&f, 1, h);
  narrow(&b, 0, h);
  b.high[2] = 1; /* gates */
  add_more(&f, a, h, p);
  add_more(&b, a, h, p);
  if (f.n_in > 4) {
    try_kernel(&f, 500);
    try_kernel(&b, 600);
    return;
  }
  try_lengths(&f, a, t, n, 700);
  try_lengths(&b, a, t, n, 800);
}

static void test_lstm(void **state) {
  (void)state;
  for (int i = 0; i < GI_COUNT(sizes); i++) {
    gi_recurrent_attr a = {0}, peeps = {.peepholes = true},
                      projected = {.projection = true, .peepholes = i % 2, .reverse = i % 2};
    try_lstm(sizes[i], sizes[i][2], &a);
    try_lstm(sizes[i], sizes[i][2], &peeps);
    try_lstm(sizes[i], (sizes[i][2] + 1) / 2, &projected);
  }
}

/* Saturated gates; and sums near 0, where tanh must be as exact as its argument is small. */
static void test_edges(void **state) {
  (void)state;
  const gi_recurrent_attr a = {0};
  trial t = {.op = &gi_op_lstm,
             .attr = &a,
             .n_in = 4,
             .in = {F32(2, 3, 32), F32(32, 8), F32(3, 8), F32(3, 8)}};
  t.low[0] = -300, t.high[0] = 300;
  try_kernel(&t, 900);
  t.low[0] = -1e-6, t.high[0] = 1e-6; /* tanh near 0 */
  for (int i = 1; i < 4; i++) t.low[i] = -1e-6, t.high[i] = 1e-6;
  t.tolerance = 1e-7; /* gates are near a half */
  try_kernel(&t, 901);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rnn),
      cmocka_unit_test(test_gru),
      cmocka_unit_test(test_lstm),
      cmocka_unit_test(test_edges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
