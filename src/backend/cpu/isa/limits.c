/* limits.c - multiply-adds on twelve sums at a time, more than any processor has under way, and
 * the plainest loops over memory.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

#define EACH_SUM(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

static float arithmetic(int64_t rounds) {
  const vec shrink = splat(0.75f), grow = splat(0.25f); /* all tend to 1 */
#define START(i) vec s##i = splat(0.1f * (i));
  EACH_SUM(START)
  for (int64_t r = 0; r < rounds; r++) {
#define STEP(i) s##i = multiply_add(s##i, shrink, grow);
    EACH_SUM(STEP)
  }
  vec sum = splat(0);
#define ADD(i) sum += s##i;
  EACH_SUM(ADD)
  return sum[0];
}

static void traffic(float *to, const float *a, const float *b, int64_t n) {
  int64_t i = 0;
  for (; i + GI_LANES <= n; i += GI_LANES)
    store(to + i, load(a + i) + load(b + i) * splat(0.5f));
  for (; i < n; i++) to[i] = a[i] + b[i] * 0.5f;
}

static float read(const float *a, int64_t n) {
  enum { SUMS = 8 };
  vec sum[SUMS];
  int64_t i = 0;
  for (int k = 0; k < SUMS; k++) sum[k] = splat(0);
  for (; i + SUMS * GI_LANES <= n; i += SUMS * GI_LANES)
    for (int k = 0; k < SUMS; k++) sum[k] += load(a + i + k * GI_LANES);
  for (int k = 1; k < SUMS; k++) sum[0] += sum[k];
  float all = 0;
  for (int k = 0; k < GI_LANES; k++) all += sum[0][k];
  for (; i < n; i++) all += a[i];
  return all;
}

const gi_limit_loops GI_ISA(gi_limit_loops) = {
    .round_flops = 12 * 2 * GI_LANES,
    .arithmetic = arithmetic,
    .traffic = traffic,
    .read = read,
};
