/* loss_gram.c - perceptual losses: which features go together, not where. (arXiv:1603.08155)
 */
#include "nn/loss.h"
#include "ops/attrs.h"

/* f f^T / (C M) of the rows f [C, M] of each image. */
glia_value glia_gram(glia_value features) {
  if (!gi_loss_floats("gram", "value", features)) return GLIA_NONE;
  const gi_type t = gi_value_type(features);
  char text[GI_LOSS_TEXT];
  const int64_t count = gi_type_count(&t);
  if (t.rank < 3 || count == 0)
    return gi_latch(features.graph, GLIA_SHAPE, "gram: features are %s, wanted [N, C, ...]",
                    gi_type_text(&t, text, sizeof text));
  const glia_value f = glia_reshape(features, 3, (const int64_t[]){t.dim[0], t.dim[1], -1});
  return gi_times(glia_matmul(f, f, .transpose_b = true), (double)t.dim[0] / (double)count);
}

glia_value glia_gram_loss_opt(glia_value features, glia_value target,
                              const glia_loss_opts *opt) {
  const char *who = "gram_loss";
  glia_loss_opts o;
  gi_opts(&o, sizeof o, opt);
  if (!gi_loss_same(who, "prediction", features, "target", target)) return GLIA_NONE;
  return gi_loss_reduced(who, glia_square(glia_sub(glia_gram(features), glia_gram(target))),
                         o.reduction);
}
