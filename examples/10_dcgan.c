/* 10 - two networks against each other: a DCGAN (arXiv:1406.2661, arXiv:1511.06434).
 *
 *   G  noise [64] -> [64, 7, 7] -> [32, 14, 14] -> [1, 28, 28]     makes pictures
 *   D  [1, 28, 28] -> [16, 14, 14] -> [32, 7, 7] -> one logit      tells made from drawn
 *   loss of D = cross entropy of D(drawn) as 1 and of D(G(noise)) as 0
 *   loss of G = cross entropy of D(G(noise)) as 1
 *
 * One step is one graph: G makes pictures once, D learns from them, G learns from D as it has
 * just become (glia_scope_updated). Nothing compares a made picture with a digit; G hears of
 * digits through D alone. What it makes is in dcgan.png.
 *
 *   > made digits are nearer to real ones than those of a network that has learned nothing
 */
#include "pictures.h"

enum { BATCH = 50, NOISE = 64, EPOCHS = 12, SAMPLES = 64 };

static glia_value grow(glia_scope *s, const char *name, glia_value x, int64_t filters) {
  return glia_conv2d_transpose(s, name, x, .filters = filters, .kernel = {4, 4},
                               .stride = {2, 2}, .padding = {1, 1});
}

static glia_value generator(glia_scope *s, glia_value z) {
  glia_value x = glia_dense(s, "fc", z, .units = 64 * 7 * 7);
  x = glia_reshape(x, 4, (const int64_t[]){-1, 64, 7, 7});
  x = glia_batch_norm(s, "bn1", x, .activation = "relu");
  x = glia_batch_norm(s, "bn2", grow(s, "up1", x, 32), .activation = "relu");
  return glia_sigmoid(grow(s, "up2", x, 1));
}

static glia_value halve(glia_scope *s, const char *name, glia_value x, int64_t filters) {
  return glia_leaky_relu(glia_conv2d(s, name, x, .filters = filters, .kernel = {4, 4},
                                     .stride = {2, 2}, .padding = {1, 1}),
                         0.2);
}

static glia_value discriminator(glia_scope *s, glia_value x) {
  x = halve(s, "down1", x, 16);
  return glia_dense(s, "fc", glia_flatten(halve(s, "down2", x, 32)), .units = 1);
}

static glia_value judged(glia_value logits, double as) {
  return glia_bce_with_logits_loss(logits, glia_full_like(logits, as));
}

/* A step of the game or, without training, pictures to look at. */
static glia_plan *compile_plan(glia_store *store, bool train) {
  const int64_t shape[] = {BATCH, 1, SIDE, SIDE}, noise[] = {train ? BATCH : SAMPLES, NOISE};
  const glia_optimizer adam = glia_adam(.lr = 1e-3, .beta1 = 0.5);
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(g, store, &(glia_scope_opts){.train = train, .seed = 1});
  glia_scope *d = glia_scope_in(s, "D");
  const glia_value z = glia_random_normal(g, GLIA_F32, 2, noise, 0, 1, 1);
  const glia_value made = glia_output("made", generator(glia_scope_in(s, "G"), z));
  if (train) {
    const glia_value real = discriminator(d, glia_input(g, "x", GLIA_F32, 4, shape));
    const glia_value fake = discriminator(d, glia_stop_gradient(made));
    const glia_value loss = glia_output("D", glia_add(judged(real, 1), judged(fake, 0)));
    glia_minimize(s, loss, &adam, .prefix = "D.");
    const glia_value fooled = judged(discriminator(glia_scope_updated(d), made), 1);
    glia_minimize(s, glia_output("G", fooled), &adam, .prefix = "G.");
  }
  OK(glia_compile(g, &plan));
  glia_graph_free(g);
  return plan;
}

int main(void) {
  glia_dataset *data = NULL;
  glia_loader *loader = digits(2000, BATCH, &data);
  glia_store *store = NULL;
  OK(glia_store_new(&store));
  glia_plan *step = compile_plan(store, true), *look = compile_plan(store, false);
  OK(glia_plan_run(look));
  const double far = distance_to_real(glia_plan_output(look, "made"), data);
  for (int epoch = 0; epoch < EPOCHS; epoch++) {
    OK(glia_loader_start(loader, epoch));
    while (run_on_next(step, loader)) continue;
    if (epoch % 4 == 3)
      printf("epoch %2d  loss of D %.3f, of G %.3f\n", epoch + 1, number(step, "D"),
             number(step, "G"));
  }
  OK(glia_plan_run(look));
  write_grid("dcgan.png", glia_plan_output(look, "made"), 8);
  const double near = distance_to_real(glia_plan_output(look, "made"), data);
  printf("distance from the nearest digit %.3f before, %.3f after; see dcgan.png\n", far, near);
  CLAIM(near < far / 2);
  printf(
      "made digits are nearer to real ones than those of a network that has learned nothing\n");
  glia_plan_free(step);
  glia_plan_free(look);
  glia_loader_free(loader);
  glia_dataset_free(data);
  glia_store_free(store);
}
