/* nn/linear.h - linear maps of rows: what dense layers and transformers are made of.
 *
 * Leading axes are joined to rows first, so that a product, and the gradient in its weight, is
 * one product of two matrices, and what follows it can be done in the same kernel.
 */
#ifndef GI_LINEAR_H
#define GI_LINEAR_H

#include "nn/scope.h"

/* [..., K] as [rows, K], and rows as the axes that x has, but for the last. */
glia_value gi_as_rows(glia_value x);
glia_value gi_as_before(glia_value rows, glia_value x);
/* x W^T + b: x [rows, K], w [M, K], b [M] or GLIA_NONE. */
glia_value gi_linear(glia_value x, glia_value w, glia_value b);
/* A layer of its own: weight [units, K] and, if wanted, bias [units], in scope s under `name`;
 * as PyTorch's Linear. */
glia_value gi_linear_layer(glia_scope *s, const char *name, glia_value x, int64_t units,
                           bool bias);
/* x W^T + b in n equal parts of its columns; `turned`: w is [K, M]. */
enum { GI_LINEAR_PARTS = 3 };
void gi_linear_parts(glia_value x, glia_value w, glia_value b, bool turned, int n,
                     glia_value *out);

#endif /* GI_LINEAR_H */
