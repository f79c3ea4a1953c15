/* pixel_shuffle.c - channels that become pixels, and back (arXiv:1609.05158), or change
 * places (arXiv:1707.01083).
 *
 *   shuffle    x [..., C r r, H, W] -> y [..., C, H r, W r],
 *              y[c, h r + i, w r + j] = x[(c r + i) r + j, h, w]
 *   unshuffle  its inverse
 *
 * All are reshape, permute, reshape, so there is no op for them. Axes in front of the channels
 * are one while it happens.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

/* All axes but the last three, joined. */
static int64_t images(const gi_type *t) {
  int64_t n = 1;
  for (int d = 0; d < t->rank - 3; d++) n *= t->dim[d];
  return n;
}

static glia_value refused(glia_value x, const char *name, const char *wanted, int64_t r) {
  const gi_type t = gi_value_type(x);
  char text[GI_TEXT];
  return gi_latch(x.graph, GLIA_SHAPE, "%s: x is %s, factor %" PRId64 "; wanted %s", name,
                  gi_shape_text(&t, text, sizeof text), r, wanted);
}

glia_value glia_pixel_shuffle(glia_value x, int64_t factor) {
  if (gi_null(x)) return x;
  gi_type t = gi_value_type(x);
  const int64_t r = factor;
  int64_t *last = &t.dim[GI_MAX(0, t.rank - 3)]; /* C, H, W */
  if (t.rank < 3 || r < 1 || r > INT32_MAX || last[0] % (r * r) != 0)
    return refused(x, "pixel_shuffle", "[..., C factor^2, H, W]", r);
  const int64_t n = images(&t), c = last[0] / (r * r), h = last[1], w = last[2];
  x = glia_reshape(x, 6, (const int64_t[]){n, c, r, r, h, w});
  x = glia_permute(x, (const int[]){0, 1, 4, 2, 5, 3});
  last[0] = c;
  last[1] = h * r;
  last[2] = w * r;
  return glia_reshape(x, t.rank, t.dim);
}

glia_value glia_pixel_unshuffle(glia_value x, int64_t factor) {
  if (gi_null(x)) return x;
  gi_type t = gi_value_type(x);
  const int64_t r = factor;
  int64_t *last = &t.dim[GI_MAX(0, t.rank - 3)];
  if (t.rank < 3 || r < 1 || r > INT32_MAX || last[1] % r != 0 || last[2] % r != 0)
    return refused(x, "pixel_unshuffle", "[..., C, H factor, W factor]", r);
  const int64_t n = images(&t), c = last[0], h = last[1] / r, w = last[2] / r;
  x = glia_reshape(x, 6, (const int64_t[]){n, c, h, r, w, r});
  x = glia_permute(x, (const int[]){0, 1, 3, 5, 2, 4});
  last[0] = c * r * r;
  last[1] = h;
  last[2] = w;
  return glia_reshape(x, t.rank, t.dim);
}

glia_value glia_channel_shuffle(glia_value x, int64_t groups) {
  if (gi_null(x)) return x;
  const gi_type t = gi_value_type(x);
  if (t.rank < 2 || groups < 1 || t.dim[1] % groups != 0)
    return refused(x, "channel_shuffle", "[N, C, ...] and a divisor of C", groups);
  int64_t rest = 1;
  for (int d = 2; d < t.rank; d++) rest *= t.dim[d];
  x = glia_reshape(x, 4, (const int64_t[]){t.dim[0], groups, t.dim[1] / groups, rest});
  return glia_reshape(glia_permute(x, (const int[]){0, 2, 1, 3}), t.rank, t.dim);
}
