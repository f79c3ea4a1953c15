/* yes_or_no.c - losses of logits [B, K], each a question of its own, against targets of that
 * shape: within [0, 1], or (hinge, soft_margin) 1 and -1.
 */
#include "train/loss.h"

static glia_value bce(const glia_loss *o, glia_value x, glia_value t) {
  (void)o;
  return glia_bce_with_logits_loss(x, t);
}
static glia_value focal(const glia_loss *o, glia_value x, glia_value t) {
  return glia_focal_loss(x, t, o->gamma, .alpha = o->alpha);
}
static glia_value dice(const glia_loss *o, glia_value x, glia_value t) {
  return glia_dice_loss(glia_sigmoid(x), t, .smooth = o->smooth);
}
static glia_value hinge(const glia_loss *o, glia_value x, glia_value t) {
  (void)o;
  return glia_hinge_loss(x, t);
}
static glia_value soft_margin(const glia_loss *o, glia_value x, glia_value t) {
  (void)o;
  return glia_soft_margin_loss(x, t);
}

static void focal_defaults(glia_loss *o) {
  if (o->gamma == 0) o->gamma = 2;
  if (o->alpha == 0) o->alpha = 0.25;
}
static void dice_default(glia_loss *o) {
  if (o->smooth == 0) o->smooth = 1;
}

static const gi_field focal_fields[] = {
    GI_LOSS_F64(gamma, 0, 1e3, "2", "how little easy answers count"),
    GI_LOSS_F64(alpha, 0, 1, "0.25", "weight of yes; that of no is the rest"),
    {.name = NULL},
};
static const gi_field dice_fields[] = {
    GI_LOSS_F64(smooth, 0, 1e6, "1", "added above and below the line"),
    {.name = NULL},
};

GI_LOSS_ROW(bce, "binary cross entropy of logits", "BCEWithLogitsLoss", GI_LINK_SIGMOID,
            gi_loss_no_fields, NULL)
GI_LOSS_ROW(focal, "binary cross entropy in which easy answers count little",
            "arXiv:1708.02002", GI_LINK_SIGMOID, focal_fields, focal_defaults)
GI_LOSS_ROW(dice, "how little the yes of truth and prediction overlap", "arXiv:1606.04797",
            GI_LINK_SIGMOID, dice_fields, dice_default)
GI_LOSS_ROW(hinge, "max(0, 1 - t x) of sides t, 1 or -1", "torchmetrics' HingeLoss",
            GI_LINK_NONE, gi_loss_no_fields, NULL)
GI_LOSS_ROW(soft_margin, "log(1 + e^(-t x)) of sides t, 1 or -1", "SoftMarginLoss",
            GI_LINK_NONE, gi_loss_no_fields, NULL)

const gi_loss *const gi_losses_yes_or_no[] = {&row_bce,   &row_focal,       &row_dice,
                                              &row_hinge, &row_soft_margin, NULL};
