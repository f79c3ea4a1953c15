/* loss_ctc.c - sequences of letters without their times: the op ctc with PyTorch's options. */
#include <math.h>

#include "nn/loss.h"
#include "ops/attrs.h"

/* The mean is of each loss over its target's length, 1 at least. */
static glia_value reduced(const char *who, glia_value loss, glia_value lengths,
                          glia_reduction reduction) {
  if (reduction != GLIA_REDUCTION_MEAN || gi_null(loss))
    return gi_loss_reduced(who, loss, reduction);
  const glia_value length =
      glia_maximum(glia_cast(lengths, glia_value_dtype(loss)), glia_scalar_like(loss, 1));
  return glia_mean(glia_div(loss, length));
}

glia_value glia_ctc_loss_opt(glia_value log_probabilities, glia_value targets,
                             glia_value input_lengths, glia_value target_lengths,
                             const glia_ctc_opts *opt) {
  const char *who = "ctc_loss";
  glia_ctc_opts o;
  gi_opts(&o, sizeof o, opt);
  const glia_value in[] = {log_probabilities, targets, input_lengths, target_lengths};
  for (int i = 0; i < GI_COUNT(in); i++)
    if (gi_null(in[i])) return GLIA_NONE;
  const gi_ctc_attr a = {.blank = o.blank};
  glia_value loss = gi_emit(NULL, &gi_op_ctc, &a, in, GI_COUNT(in), NULL);
  if (gi_null(loss)) return loss;
  if (o.zero_infinity)
    loss = glia_where(glia_less(loss, glia_scalar_like(loss, INFINITY)), loss,
                      glia_scalar_like(loss, 0));
  return reduced(who, loss, target_lengths, o.reduction);
}
