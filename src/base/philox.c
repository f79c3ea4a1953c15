/* base/philox.c - Philox4x32-10: random numbers by counting.
 *
 * Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3",
 * doi:10.1145/2063384.2063405. A block of four words is a bijection of its counter, keyed: no
 * state is kept, so a number can be had anywhere, in any order, by any thread.
 */
#include <math.h>

#include "base/base.h"

static const double two_pi = 6.283185307179586476925;

/* One round: (c0, c1, c2, c3) -> (hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1,
 * lo(M0 c0)); the key moves on by two Weyl constants between rounds. */
void gi_philox(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3];
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/* The block of four that holds this element. */
static void block_of(const gi_rng *r, uint64_t element, uint32_t out[4]) {
  const uint64_t k = r->seed ^ r->stream, e = element / 4;
  const uint32_t key[2] = {(uint32_t)k, (uint32_t)(k >> 32)};
  const uint32_t ctr[4] = {(uint32_t)e, (uint32_t)(e >> 32), (uint32_t)r->step,
                           (uint32_t)(r->step >> 32)};
  gi_philox(ctr, key, out);
}

uint32_t gi_rng_u32(const gi_rng *r, uint64_t element) {
  uint32_t block[4];
  block_of(r, element, block);
  return block[element % 4];
}

double gi_rng_uniform(const gi_rng *r, uint64_t element) {
  return (double)(gi_rng_u32(r, element) >> 8) * 0x1p-24;
}

void gi_rng_uniform4(const gi_rng *r, uint64_t block, double out[4]) {
  uint32_t bits[4];
  block_of(r, block * 4, bits);
  for (int i = 0; i < 4; i++) out[i] = (double)(bits[i] >> 8) * 0x1p-24;
}

/* Box and Muller: from u in (0, 1) and v in [0, 1), sqrt(-2 ln u) times the cosine and the sine
 * of 2 pi v are two normal numbers; elements 4k and 4k + 1 share a pair, so do 4k + 2, 4k + 3.
 */
double gi_rng_normal(const gi_rng *r, uint64_t element) {
  uint32_t block[4];
  block_of(r, element, block);
  const uint32_t *pair = block + (element % 4 / 2) * 2;
  const double u = ((double)pair[0] + 0.5) * 0x1p-32; /* never 0: the logarithm is finite */
  const double angle = two_pi * ((double)pair[1] * 0x1p-32);
  return sqrt(-2.0 * log(u)) * (element % 2 == 0 ? cos(angle) : sin(angle));
}

/* floor(u32 * n / 2^32): each value's chance is off by less than 2^-32. */
uint64_t gi_rng_below(const gi_rng *r, uint64_t element, uint64_t n) {
  return ((uint64_t)gi_rng_u32(r, element) * n) >> 32;
}

void gi_rng_shuffle(const gi_rng *r, int64_t *a, int64_t n) {
  for (int64_t i = n - 1; i > 0; i--) {
    const int64_t j = (int64_t)gi_rng_below(r, (uint64_t)i, (uint64_t)i + 1);
    const int64_t t = a[i];
    a[i] = a[j];
    a[j] = t;
  }
}
