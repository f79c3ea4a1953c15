/* rotary_embedding.c - RotaryEmbedding: pairs of elements turned by angles whose cosines and
 * sines are given (arXiv:2104.09864).
 *
 *   (a, b) -> (a cos - b sin, a sin + b cos)
 *
 * x [N, H, T, D], or [N, T, H D] with num_heads. The first rotary_embedding_dim elements of D
 * (0: all) are turned, R of them: a and b are its halves or, interleaved, its even and odd
 * elements. cos and sin are [N, T, R / 2], or tables [P, R / 2] that position_ids [N, T] look
 * up.
 */
#include "formats/onnx/values.h"

enum { X, COS, SIN, POSITIONS };

/* As [N, 1, T, R / 2] or, heads behind the steps, [N, T, 1, R / 2]. */
static glia_value angles(const gi_onnx_call *c, int i, glia_value x, bool packed,
                         int64_t half) {
  glia_value v = gi_onnx_like(c->in[i], x);
  if (gi_onnx_given(c, POSITIONS)) v = glia_gather(v, c->in[POSITIONS], 0);
  if (gi_null(v) || glia_value_rank(v) != 3)
    return gi_null(v) ? v
                      : gi_latch(c->g, GLIA_SHAPE,
                                 "RotaryEmbedding: angles have rank %d, "
                                 "wanted [N, T, R / 2]",
                                 glia_value_rank(v));
  v = gi_onnx_part(v, 2, 0, half);
  const int64_t n = glia_value_dim(v, 0), t = glia_value_dim(v, 1);
  const int64_t shape[] = {n, packed ? t : 1, packed ? 1 : t, -1};
  return glia_reshape(v, 4, shape);
}

/* a and b in their places again. */
static glia_value woven(glia_value a, glia_value b, bool interleaved) {
  glia_value parts[] = {a, b};
  if (!interleaved) return glia_concat(parts, 2, 3);
  if (gi_null(a) || gi_null(b)) return GLIA_NONE;
  const int64_t *d = glia_value_shape(a);
  const int64_t apart[] = {d[0], d[1], d[2], d[3], 1}, shape[] = {d[0], d[1], d[2], 2 * d[3]};
  for (int k = 0; k < 2; k++) parts[k] = glia_reshape(parts[k], 5, apart);
  return glia_reshape(glia_concat(parts, 2, 4), 4, shape);
}

static glia_value turned(const gi_onnx_call *c, glia_value x, bool packed, bool interleaved,
                         int64_t width) {
  const int64_t half = width / 2, whole = glia_value_dim(x, 3);
  const glia_value part = gi_onnx_part(x, 3, 0, width);
  const glia_value cosine = angles(c, COS, x, packed, half),
                   sine = angles(c, SIN, x, packed, half);
  const glia_value a =
      interleaved ? glia_slice(part, 3, 0, width, 2) : gi_onnx_part(part, 3, 0, half);
  const glia_value b =
      interleaved ? glia_slice(part, 3, 1, width, 2) : gi_onnx_part(part, 3, half, width);
  const glia_value y = woven(glia_sub(glia_mul(a, cosine), glia_mul(b, sine)),
                             glia_add(glia_mul(a, sine), glia_mul(b, cosine)), interleaved);
  if (width == whole) return y;
  const glia_value parts[] = {y, gi_onnx_part(x, 3, width, whole)};
  return glia_concat(parts, 2, 3);
}

static glia_status rotary_embedding(gi_onnx_call *c) {
  glia_value x = gi_onnx_as_float(c->in[X]);
  const int rank = glia_value_rank(x);
  const int64_t *d = glia_value_shape(x);
  int64_t heads, width;
  bool interleaved;
  GI_TRY(gi_onnx_int(c, "num_heads", 0, &heads));
  GI_TRY(gi_onnx_int(c, "rotary_embedding_dim", 0, &width));
  GI_TRY(gi_onnx_bool(c, "interleaved", false, &interleaved));
  if (rank != 4 && (rank != 3 || heads < 1 || d[2] % heads != 0))
    return gi_onnx_fail(c, GLIA_SHAPE,
                        "x has rank %d, num_heads is %lld; wanted [N, H, T, D] or "
                        "[N, T, H D]",
                        rank, (long long)heads);
  if (rank == 3) x = glia_reshape(x, 4, (const int64_t[]){d[0], d[1], heads, d[2] / heads});
  if (gi_null(x)) return GLIA_OK;
  if (width == 0) width = glia_value_dim(x, 3);
  if (width < 2 || width % 2 != 0 || width > glia_value_dim(x, 3))
    return gi_onnx_fail(c, GLIA_SHAPE,
                        "rotary_embedding_dim is %lld of %lld, wanted an even part",
                        (long long)width, (long long)glia_value_dim(x, 3));
  glia_value y = turned(c, x, rank == 3, interleaved, width);
  if (rank == 3) y = glia_reshape(y, 3, glia_value_shape(c->in[X]));
  c->out[0] = gi_onnx_like(y, c->in[X]);
  return GLIA_OK;
}

const gi_onnx_operator *const gi_onnx_operators_rotary_embedding[] = {
    GI_ONNX_ROW("RotaryEmbedding", "interleaved num_heads rotary_embedding_dim", 3, 4, 1,
                rotary_embedding, 23),
    NULL,
};
