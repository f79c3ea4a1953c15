/* nn/loss.h - what all losses share: checks of their inputs, and the reduction. `who` is the
 * loss's name, for messages.
 */
#ifndef GI_LOSS_H
#define GI_LOSS_H

#include "glia/losses.h"
#include "ops/op.h"

enum { GI_LOSS_TEXT = 192 }; /* room for the text of any type */

/* True if no value is null, x is of floats, and both have one dtype and shape; else false, and
 * what is wrong is latched. The names are nouns: "prediction", "target". */
bool gi_loss_floats(const char *who, const char *name, glia_value x);
bool gi_loss_same(const char *who, const char *name_a, glia_value a, const char *name_b,
                  glia_value b);
/* The sides y (1, -1) of this shape, as x's dtype: integers are cast. Null if they do not fit.
 */
glia_value gi_loss_sides(const char *who, glia_value x, glia_value y, int rank,
                         const int64_t *shape);
/* True if `weights` is null or of x's dtype with one number a class. */
bool gi_loss_class_weights(const char *who, glia_value x, glia_value weights, int64_t classes);
/* loss times weight, which broadcasts to it; loss itself where weight is null. */
glia_value gi_loss_weighted(const char *who, glia_value loss, glia_value weight);
glia_value gi_loss_reduced(const char *who, glia_value loss, glia_reduction reduction);
/* Latches GLIA_INVALID, "who: name is value, wanted ...", in x's graph; the null value. */
glia_value gi_loss_refuse(const char *who, glia_value x, const char *name, double value,
                          const char *wanted);

glia_value gi_times(glia_value x, double k); /* x k */
glia_value gi_plus(glia_value x, double k);  /* x + k */
/* max(x, 0) with gradient 1 at 0, as PyTorch's clamp_min; NaN stays. glia_relu has 0 there. */
glia_value gi_positive_part(glia_value x);
/* x with an axis of size 1 before `axis`. */
glia_value gi_with_axis(glia_value x, int axis);

#endif /* GI_LOSS_H */
