/* glia/chance.h - numbers by chance. As glia/graph.h, where uniform, normal and dropout are.
 *
 * A number is a function of (seed, stream, step, element): fresh at every step, the same
 * whenever a step is done again. Two calls with one stream draw the same numbers, so give each
 * its own. No gradient goes through what is drawn; it goes to what it is combined with.
 */
#ifndef GLIA_CHANCE_H
#define GLIA_CHANCE_H

#include "glia/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whole numbers from low up to high - 1, each as likely; high - low below 2^32. */
GLIA_API glia_value glia_random_integers(glia_graph *g, glia_dtype dtype, int rank,
                                         const int64_t *shape, int64_t low, int64_t high,
                                         uint64_t stream);
/* 0 .. n - 1 in an order by chance, i64 [n]. */
GLIA_API glia_value glia_random_permutation(glia_graph *g, int64_t n, uint64_t stream);
/* The entries of an axis in an order by chance. Differentiable. */
GLIA_API glia_value glia_shuffle(glia_value x, int axis, uint64_t stream);
/* Normal, drawn again until it lies in low .. high (by inverting the distribution: one draw).
 */
GLIA_API glia_value glia_random_truncated_normal(glia_graph *g, glia_dtype dtype, int rank,
                                                 const int64_t *shape, double mean,
                                                 double deviation, double low, double high,
                                                 uint64_t stream);
/* The density rate e^(-rate x), x >= 0. */
GLIA_API glia_value glia_random_exponential(glia_graph *g, glia_dtype dtype, int rank,
                                            const int64_t *shape, double rate, uint64_t stream);
/* -log(-log(u)), u uniform: the largest of many. */
GLIA_API glia_value glia_random_gumbel(glia_graph *g, glia_dtype dtype, int rank,
                                       const int64_t *shape, uint64_t stream);
/* True with probability p (of floats), element by element. */
GLIA_API glia_value glia_bernoulli(glia_value p, uint64_t stream);
/* `count` draws from each row of scores [..., C], whose classes have the probabilities
 * softmax(scores): i64 [..., count]. Without `replace` no class is drawn twice, and count <= C.
 */
GLIA_API glia_value glia_categorical(glia_value scores, int64_t count, bool replace,
                                     uint64_t stream);
/* The same of weights [..., C] >= 0 that need not add up to one, as torch.multinomial. */
GLIA_API glia_value glia_multinomial(glia_value weights, int64_t count, bool replace,
                                     uint64_t stream);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_CHANCE_H */
