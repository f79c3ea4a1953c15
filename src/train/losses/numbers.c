/* numbers.c - losses of numbers [B, K] against numbers of that shape: amounts and counts. */
#include "train/loss.h"

static glia_value mse(const glia_loss *o, glia_value x, glia_value t) {
  (void)o;
  return glia_mse_loss(x, t);
}
static glia_value mae(const glia_loss *o, glia_value x, glia_value t) {
  (void)o;
  return glia_mae_loss(x, t);
}
static glia_value huber(const glia_loss *o, glia_value x, glia_value t) {
  return glia_huber_loss(x, t, o->delta);
}
static glia_value smooth_l1(const glia_loss *o, glia_value x, glia_value t) {
  return glia_smooth_l1_loss(x, t, o->beta);
}
/* x is the logarithm of the expected count. */
static glia_value poisson_nll(const glia_loss *o, glia_value x, glia_value t) {
  (void)o;
  return glia_poisson_nll_loss(x, t);
}

static void delta_default(glia_loss *o) {
  if (o->delta == 0) o->delta = 1;
}
static void beta_default(glia_loss *o) {
  if (o->beta == 0) o->beta = 1;
}

static const gi_field huber_fields[] = {
    GI_LOSS_F64(delta, 0, 1e6, "1", "error up to which it is squared"),
    {.name = NULL},
};
static const gi_field smooth_fields[] = {
    GI_LOSS_F64(beta, 0, 1e6, "1", "error up to which it is squared"),
    {.name = NULL},
};

GI_LOSS_ROW(mse, "mean of the squared error", "MSELoss", GI_LINK_NONE, gi_loss_no_fields, NULL)
GI_LOSS_ROW(mae, "mean of the absolute error", "L1Loss", GI_LINK_NONE, gi_loss_no_fields, NULL)
GI_LOSS_ROW(huber, "half the square of small errors, delta times large ones", "HuberLoss",
            GI_LINK_NONE, huber_fields, delta_default)
GI_LOSS_ROW(smooth_l1, "squares of small errors over 2 beta, else the error less beta / 2",
            "SmoothL1Loss", GI_LINK_NONE, smooth_fields, beta_default)
GI_LOSS_ROW(poisson_nll, "e^x - t x: counts t whose expectation is e^x", "PoissonNLLLoss",
            GI_LINK_EXP, gi_loss_no_fields, NULL)

const gi_loss *const gi_losses_numbers[] = {&row_mse,       &row_mae,         &row_huber,
                                            &row_smooth_l1, &row_poisson_nll, NULL};
