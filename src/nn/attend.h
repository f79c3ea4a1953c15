/* nn/attend.h - multi-head attention on rows, as the layers of transformers need it. */
#ifndef GI_ATTEND_H
#define GI_ATTEND_H

#include "nn/scope.h"

typedef struct gi_attended {
  glia_value query, key, value; /* [rows, width]; equal values are one */
  int64_t n, t, s;              /* sequences, queries and keys of each */
  const glia_multi_head_attention_opts *o;
} gi_attended;

/* In the layer's own scope: [n t, width of query]. */
glia_value gi_attend(glia_scope *s, const gi_attended *a);
/* [rows, heads d], rows by (n, t), or by (t, n) if the sequence is first, as [N, heads, T, d];
 * and back. */
glia_value gi_to_heads(glia_value rows, int64_t n, int64_t t, int64_t heads,
                       bool sequence_first);
glia_value gi_from_heads(glia_value y, bool sequence_first);
/* Both at once, to be given to glia_attention as its mask: bools say which keys are seen,
 * floats are added. Either may be GLIA_NONE. */
glia_value gi_both_masks(glia_value a, glia_value b);

#endif /* GI_ATTEND_H */
