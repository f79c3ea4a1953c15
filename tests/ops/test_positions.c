/* test_positions.c - rotary positions in both forms, by given places, in part; sinusoidal
 * positions and biases by distance, against their formulas.
 */
#include "test.h"

#include "glia/glia.h"

enum { H = 2, T = 5, D = 6 };
static const int64_t shape[] = {1, H, T, D};

static void fill(double x[H][T][D]) {
  for (int i = 0; i < H * T * D; i++) (&x[0][0][0])[i] = sin(1 + i * 0.7);
}

static glia_value constant(glia_graph *g, double x[H][T][D]) {
  return glia_constant(g, GLIA_F64, 4, shape, x);
}

static void run(glia_value y, double *out) {
  glia_tensor *t = NULL;
  OK(glia_graph_status(y.graph));
  OK(glia_eval(y, &t));
  for (int64_t i = 0; i < glia_tensor_count(t); i++) out[i] = glia_tensor_get(t, i);
  glia_tensor_free(t);
}

static void test_pairs_are_turned(void **state) {
  double x[H][T][D], half[H][T][D], inter[H][T][D];
  glia_graph *g = NULL;
  (void)state;
  OK(glia_graph_new(&g));
  fill(x);
  run(glia_rotary(constant(g, x), .base = 100), &half[0][0][0]);
  run(glia_rotary(constant(g, x), .base = 100, .interleaved = true), &inter[0][0][0]);
  for (int h = 0; h < H; h++)
    for (int t = 0; t < T; t++)
      for (int i = 0; i < D / 2; i++) {
        const double a = t * pow(100, -2.0 * i / D), c = cos(a), s = sin(a);
        NEAR(half[h][t][i], x[h][t][i] * c - x[h][t][i + D / 2] * s, 1e-14);
        NEAR(half[h][t][i + D / 2], x[h][t][i + D / 2] * c + x[h][t][i] * s, 1e-14);
        NEAR(inter[h][t][2 * i], x[h][t][2 * i] * c - x[h][t][2 * i + 1] * s, 1e-14);
        NEAR(inter[h][t][2 * i + 1], x[h][t][2 * i + 1] * c + x[h][t][2 * i] * s, 1e-14);
      }
  glia_graph_free(g);
}

static void test_places_may_be_given(void **state) {
  const int64_t places[] = {3, 0, 1, 2, 7}, one[] = {T}, all[] = {1, T};
  double x[H][T][D], whole[H][T][D], by_row[H][T][D], by_batch[H][T][D];
  glia_graph *g = NULL;
  (void)state;
  OK(glia_graph_new(&g));
  fill(x);
  for (int h = 0; h < H; h++) /* the same at every place, so that they can be compared */
    for (int t = 1; t < T; t++) memcpy(x[h][t], x[h][0], sizeof x[h][t]);
  run(glia_rotary(constant(g, x)), &whole[0][0][0]);
  run(glia_rotary(constant(g, x), .limit = 8,
                  .positions = glia_constant(g, GLIA_I64, 1, one, places)),
      &by_row[0][0][0]);
  run(glia_rotary(constant(g, x), .limit = 8,
                  .positions = glia_constant(g, GLIA_I64, 2, all, places)),
      &by_batch[0][0][0]);
  for (int h = 0; h < H; h++)
    for (int t = 0; t < T; t++)
      for (int i = 0; i < D; i++) {
        NEAR(by_row[h][t][i], by_batch[h][t][i], 0);
        if (t < 4) NEAR(by_row[h][t][i], whole[h][places[t]][i], 0);
      }
  glia_graph_free(g);
}

static void test_a_part_may_be_turned(void **state) {
  double x[H][T][D], part[H][T][D];
  glia_graph *g = NULL;
  (void)state;
  OK(glia_graph_new(&g));
  fill(x);
  run(glia_rotary(constant(g, x), .width = 2), &part[0][0][0]);
  for (int t = 0; t < T; t++) {
    NEAR(part[1][t][0], x[1][t][0] * cos(t) - x[1][t][1] * sin(t), 1e-14);
    for (int i = 2; i < D; i++) NEAR(part[1][t][i], x[1][t][i], 0);
  }
  glia_rotary(constant(g, x), .width = 3);
  FAILS(glia_graph_status(g), GLIA_SHAPE, "rotary: x is [1, 2, 5, 6], width 3");
  glia_graph_free(g);
}

static void test_tables(void **state) {
  double waves[4 * 6], slopes[6 * 3];
  glia_graph *g = NULL;
  (void)state;
  OK(glia_graph_new(&g));
  run(glia_sinusoidal_positions(g, GLIA_F64, 4, 6, 0), waves);
  for (int t = 0; t < 4; t++)
    for (int i = 0; i < 6; i++) {
      const double a = t / pow(10000, i / 2 * 2 / 6.0);
      NEAR(waves[t * 6 + i], i % 2 == 0 ? sin(a) : cos(a), 1e-14);
    }
  run(glia_alibi(g, GLIA_F64, 6, 3), slopes); /* 4 heads' slopes, then every other of 8 */
  static const double want[] = {0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125};
  for (int h = 0; h < 6; h++)
    for (int s = 0; s < 3; s++) NEAR(slopes[h * 3 + s], want[h] * s, 1e-15);
  glia_graph_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pairs_are_turned),
      cmocka_unit_test(test_places_may_be_given),
      cmocka_unit_test(test_a_part_may_be_turned),
      cmocka_unit_test(test_tables),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
