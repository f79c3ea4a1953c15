/* classes.c - losses of scores [B, C] against classes [B]. */
#include "train/loss.h"

/* -log softmax(x)[t]; with smoothing e the target is (1 - e) one-hot + e / C. */
static glia_value cross_entropy(const glia_loss *o, glia_value x, glia_value target) {
  return glia_cross_entropy_loss(x, target, .label_smoothing = o->label_smoothing);
}

/* 1 / C sum over c != t of max(0, margin - x[t] + x[c]) */
static glia_value multi_margin(const glia_loss *o, glia_value x, glia_value target) {
  return glia_multi_margin_loss(x, target, o->margin);
}
static void margin_default(glia_loss *o) {
  if (o->margin == 0) o->margin = 1;
}

static const gi_field cross_entropy_fields[] = {
    GI_LOSS_F64(label_smoothing, 0, 0.999999, "0", "share spread over all classes"),
    {.name = NULL},
};
static const gi_field margin_fields[] = {
    GI_LOSS_F64(margin, 0, 1e6, "1", "how far the true class is to be ahead"),
    {.name = NULL},
};

static const gi_loss row_cross_entropy = {
    .name = "cross_entropy",
    .doc = "minus the logarithm of the true class's probability",
    .source = "CrossEntropyLoss",
    .classes = true,
    .link = GI_LINK_SOFTMAX,
    .fields = cross_entropy_fields,
    .build = cross_entropy,
};
static const gi_loss row_margin = {
    .name = "multi_margin",
    .doc = "how far each other class is short of a margin behind the true one",
    .source = "MultiMarginLoss",
    .classes = true,
    .link = GI_LINK_SOFTMAX,
    .fields = margin_fields,
    .defaults = margin_default,
    .build = multi_margin,
};

const gi_loss *const gi_losses_classes[] = {&row_cross_entropy, &row_margin, NULL};
