/* 09 - a variational autoencoder: a passage from which new pictures can be drawn
 * (arXiv:1312.6114).
 *
 *   m, v = encoder(x)           for each of 12 numbers a mean and the log of a variance
 *   z    = m + e^(v/2) noise    the code is a cloud, not a point
 *   loss = sum of the binary cross entropies of the pixels of decoder(z) against x
 *        + sum of (e^v + m^2 - 1 - v) / 2: how far the clouds are from normal numbers
 *
 * The second part packs the clouds around 0, so that any normal numbers are a code that the
 * decoder knows: digits that nobody drew come out. They are in vae.png.
 *
 *   > made digits are nearer to real ones than those of a network that has learned nothing
 */
#include "pictures.h"

enum { BATCH = 50, CODE = 12, EPOCHS = 30, SAMPLES = 100 };

static glia_value decoder(glia_scope *s, glia_value z) {
  const glia_value h = glia_dense(s, "up1", z, .units = 200, .activation = "relu");
  return glia_dense(s, "up2", h, .units = PIXELS); /* logits */
}

static glia_value times(glia_value x, double c) { return glia_mul(x, glia_scalar_like(x, c)); }
static glia_plan *compile_step(glia_store *store) {
  const int64_t shape[] = {BATCH, 1, SIDE, SIDE}, code[] = {BATCH, CODE};
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(g, store, &(glia_scope_opts){.train = true, .seed = 1});
  const glia_value x = glia_flatten(glia_input(g, "x", GLIA_F32, 4, shape));
  const glia_value h = glia_dense(s, "down1", x, .units = 200, .activation = "relu");
  const glia_value m = glia_dense(s, "mean", h, .units = CODE);
  const glia_value v = glia_dense(s, "logvar", h, .units = CODE);
  const glia_value noise = glia_random_normal(g, GLIA_F32, 2, code, 0, 1, 2);
  const glia_value z = glia_add(m, glia_mul(glia_exp(times(v, 0.5)), noise));

  const glia_value pixels =
      times(glia_bce_with_logits_loss(decoder(s, z), x, .reduction = GLIA_REDUCTION_SUM),
            1.0 / BATCH);
  const glia_value far = glia_sub(glia_add(glia_exp(v), glia_square(m)), v);
  const glia_value clouds =
      times(glia_sum(glia_sub(far, glia_scalar_like(far, 1))), 0.5 / BATCH);
  glia_output("pixels", pixels);
  glia_output("clouds", clouds);
  glia_minimize(s, glia_add(pixels, clouds), &glia_adam(.lr = 2e-3));
  OK(glia_compile(g, &plan));
  glia_graph_free(g);
  return plan;
}

/* Pictures from normal numbers. Owned. */
static glia_tensor *draw(glia_store *store) {
  const int64_t code[] = {SAMPLES, CODE};
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  glia_tensor *made = NULL;
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(g, store, &(glia_scope_opts){.seed = 1});
  glia_output("made",
              glia_sigmoid(decoder(s, glia_random_normal(g, GLIA_F32, 2, code, 0, 1, 3))));
  OK(glia_compile(g, &plan));
  OK(glia_plan_run(plan));
  OK(glia_tensor_copy(glia_plan_output(plan, "made"), &made));
  glia_plan_free(plan);
  glia_graph_free(g);
  return made;
}

int main(void) {
  glia_dataset *data = NULL;
  glia_loader *loader = digits(2000, BATCH, &data);
  glia_store *store = NULL;
  OK(glia_store_new(&store));
  glia_plan *step = compile_step(store);
  glia_tensor *before = draw(store);
  for (int epoch = 0; epoch < EPOCHS; epoch++) {
    double pixels = 0, clouds = 0;
    OK(glia_loader_start(loader, epoch));
    while (run_on_next(step, loader)) {
      pixels += number(step, "pixels") / (2000 / BATCH);
      clouds += number(step, "clouds") / (2000 / BATCH);
    }
    if (epoch % 5 == 0 || epoch == EPOCHS - 1)
      printf("epoch %2d  pixels %6.1f  clouds %5.1f\n", epoch + 1, pixels, clouds);
  }
  glia_tensor *after = draw(store);
  write_grid("vae.png", after, 10);
  const double far = distance_to_real(before, data), near = distance_to_real(after, data);
  printf("distance from the nearest digit %.3f before, %.3f after; see vae.png\n", far, near);
  CLAIM(near < far / 2);
  printf(
      "made digits are nearer to real ones than those of a network that has learned nothing\n");
  glia_tensor_free(before);
  glia_tensor_free(after);
  glia_plan_free(step);
  glia_loader_free(loader);
  glia_dataset_free(data);
  glia_store_free(store);
}
