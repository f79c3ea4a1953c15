/* glia/attention.h - attention, embeddings and positions: what transformers are built from.
 */
#ifndef GLIA_ATTENTION_H
#define GLIA_ATTENTION_H

#include "glia/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- attention --------------------------------------------------------------------------- */

typedef struct glia_attention_opts {
  size_t size;
  glia_value mask; /* broadcasts to [N, H, T, S]: bool, true: the key is seen; or floats that
                      are added to the scores; GLIA_NONE: every key is seen */
  bool causal;     /* row t sees the keys 0 .. t + offset */
  int64_t offset;  /* causal: keys that come before the first row, as in a cache */
  double scale;    /* of the scores; 0 -> 1 / sqrt(D) */
  double dropout;  /* probability that a weight falls away; the rest is scaled up */
  uint64_t stream; /* of dropout */
  glia_value
      *log_sum; /* receives log of the sum over s of e^score, [N, H, T]; NULL: unwanted */
} glia_attention_opts;
/* Scaled dot-product attention, y = softmax(scale q k^T + mask) v: q [N, H, T, D], k [N, G, S,
 * D], v [N, G, S, E] -> [N, H, T, E]. G divides H: H / G heads of q in a row share a head of k
 * and v. Rows that see no key are 0, and so is their gradient (and log_sum). Memory grows with
 * T + S, never with T S, but for the gradient in a mask of floats. arXiv:1706.03762,
 * arXiv:2205.14135 */
GLIA_API glia_value glia_attention_opt(glia_value q, glia_value k, glia_value v,
                                       const glia_attention_opts *opt);
#ifndef __cplusplus /* glia_attention(q, k, v, .causal = true) */
#define glia_attention(...)                                         \
  GLIA_NAMED3(glia_attention_opt, glia_attention_opts, __VA_ARGS__, \
              .size = sizeof(glia_attention_opts))
#endif

/* cache with y written over it: places at .. at + M - 1 of `axis`, where at is an integer of
 * rank 0, known when the graph runs; cache [.., S, ..], y [.., M, ..] of its shape but for that
 * axis. Assigned to the variable that it came from (glia_assign), it is written in place: keys
 * and values of the steps before, in decoding. A place outside is reported at run time. */
GLIA_API glia_value glia_write_at(glia_value cache, glia_value y, glia_value at, int axis);

/* ---- embeddings -------------------------------------------------------------------------- */

typedef struct glia_lookup_opts {
  size_t size;
  bool padded;       /* the row called `padding` gets no gradient */
  int64_t padding;   /* negative numbers count from the last row */
  double max_norm;   /* rows that are longer are taken as scaled down to this length, the
                        gradient as if they were stored so; 0: they stay */
  double norm;       /* which length: (sum |x|^norm)^(1/norm); 0 -> 2 */
  bool by_frequency; /* a row's gradient is divided by how often the index names it */
  bool sparse; /* glia_minimize updates only rows that are named, if look-ups so marked are
                  all that the loss reads the weight by: see glia_embedding_opts */
} glia_lookup_opts;
/* Rows of weight [R, D] by index [...], i64 or i32 -> [..., D]. opt NULL: as they are. The
 * gradient adds only to rows that are named (glia_scatter_add). An index out of range is
 * reported at run time with its position. */
GLIA_API glia_value glia_embedding_with(glia_value weight, glia_value index,
                                        const glia_lookup_opts *opt);

typedef enum glia_bag_mode { GLIA_BAG_MEAN, GLIA_BAG_SUM, GLIA_BAG_MAX } glia_bag_mode;
typedef struct glia_bag_opts {
  size_t size;
  glia_bag_mode mode;
  glia_value offsets;      /* i64 [B], for index [n]: where each bag begins, rising from 0 */
  bool last_offset;        /* offsets has one more, where the last bag ends: n */
  glia_value weights;      /* of index's shape, times the rows; sum only */
  glia_lookup_opts lookup; /* padding: such rows are left out of the bag */
} glia_bag_opts;
/* Rows of weight [R, D] brought together by bags, of index [B, n], or of index [n] cut at
 * offsets [B] -> [B, D]. Empty bags give 0. Largest elements by offsets take memory for B n D.
 */
GLIA_API glia_value glia_embedding_bag_with(glia_value weight, glia_value index,
                                            const glia_bag_opts *opt);

/* ---- positions --------------------------------------------------------------------------- */

typedef struct glia_rotary_opts {
  size_t size;
  glia_value positions; /* i64 or i32, [T] or [N, T], below `limit`; GLIA_NONE: 0 .. T - 1 */
  int64_t limit;        /* with positions */
  int64_t width;        /* of the part of D that is turned, even; 0 -> D */
  double base;          /* 0 -> 10000 */
  bool interleaved;     /* elements 2 i and 2 i + 1 are a pair (GPT-J); else i and i + width / 2
                           (GPT-NeoX, Llama) */
  const double *frequencies; /* width / 2 of them, copied; NULL: base^(-2 i / width) */
} glia_rotary_opts;
/* x [N, H, T, D] with pair i at position t turned by the angle t frequency[i]: so q . k depends
 * on distances alone. arXiv:2104.09864 */
GLIA_API glia_value glia_rotary_opt(glia_value x, const glia_rotary_opts *opt);
#ifndef __cplusplus
#define glia_rotary(...) \
  GLIA_NAMED1(glia_rotary_opt, glia_rotary_opts, __VA_ARGS__, .size = sizeof(glia_rotary_opts))
#endif
/* [n, width]: element (t, 2 i) is sin(t base^(-2 i / width)), (t, 2 i + 1) its cosine; base 0
 * -> 10000. arXiv:1706.03762 */
GLIA_API glia_value glia_sinusoidal_positions(glia_graph *g, glia_dtype dtype, int64_t n,
                                              int64_t width, double base);
/* [heads, 1, n]: slope[h] s, to be added to causal scores: it differs from slope[h] (s - t) by
 * what softmax takes off. Slopes are 2^(-8 (h + 1) / heads), and those in between where heads
 * is no power of two. arXiv:2108.12409 */
GLIA_API glia_value glia_alibi(glia_graph *g, glia_dtype dtype, int64_t heads, int64_t n);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_ATTENTION_H */
