/* 08 - an autoencoder: pictures through a narrow passage and back.
 *
 *   code    = W2 relu(W1 x + b1) + b2                  784 -> 128 -> 24 numbers
 *   again   = sigmoid(W4 relu(W3 code + b3) + b4)       24 -> 128 -> 784
 *   loss    = mean (again - x)^2
 *
 * Nobody says what the pictures show; the target is the picture itself. What passes through 24
 * numbers must be what digits have in common and what tells them apart. autoencoder.png shows
 * digits and, below each, what came back.
 *
 *   > 24 numbers say more than half of what 784 pixels do
 */
#include "pictures.h"

enum { BATCH = 50, CODE = 24, EPOCHS = 30 };

static glia_value rebuilt(glia_scope *s, glia_value x) {
  glia_value h = glia_dense(s, "fc1", x, .units = 128, .activation = "relu");
  const glia_value code = glia_dense(s, "fc2", h, .units = CODE);
  h = glia_dense(s, "fc3", code, .units = 128, .activation = "relu");
  return glia_sigmoid(glia_dense(s, "fc4", h, .units = PIXELS));
}

/* A step of the training, or what comes back for looking at. */
static glia_plan *compile_plan(glia_store *store, bool train) {
  const int64_t shape[] = {BATCH, 1, SIDE, SIDE};
  glia_graph *g = NULL;
  glia_plan *plan = NULL;
  OK(glia_graph_new(&g));
  glia_scope *s = glia_scope_new(g, store, &(glia_scope_opts){.train = train, .seed = 1});
  const glia_value x =
      glia_output("seen", glia_flatten(glia_input(g, "x", GLIA_F32, 4, shape)));
  const glia_value again = glia_output("again", rebuilt(s, x));
  const glia_value loss = glia_output("loss", glia_mse_loss(again, x));
  if (train) glia_minimize(s, loss, &glia_adam(.lr = 2e-3));
  OK(glia_compile(g, &plan));
  glia_graph_free(g);
  return plan;
}

/* Mean squared distance of the pictures from their mean: the error of a code of no numbers. */
static double spread(const glia_tensor *x) {
  double sum = 0;
  for (int64_t at = 0; at < PIXELS; at++) {
    double mean = 0;
    for (int64_t i = 0; i < BATCH; i++) mean += glia_tensor_get(x, i * PIXELS + at) / BATCH;
    for (int64_t i = 0; i < BATCH; i++)
      sum += pow(glia_tensor_get(x, i * PIXELS + at) - mean, 2) / (BATCH * PIXELS);
  }
  return sum;
}

/* Ten digits of the batch and, below them, what came back. */
static void show(const glia_tensor *x, const glia_tensor *again) {
  const int64_t two_rows[] = {20, PIXELS};
  glia_tensor *both = NULL;
  OK(glia_tensor_new(GLIA_F32, 2, two_rows, &both));
  for (int64_t i = 0; i < 10 * PIXELS; i++) {
    glia_tensor_set(both, i, glia_tensor_get(x, i));
    glia_tensor_set(both, 10 * PIXELS + i, glia_tensor_get(again, i));
  }
  write_grid("autoencoder.png", both, 10);
  glia_tensor_free(both);
}

int main(void) {
  glia_dataset *data = NULL;
  glia_loader *loader = digits(2000, BATCH, &data);
  glia_store *store = NULL;
  OK(glia_store_new(&store));
  glia_plan *step = compile_plan(store, true), *look = compile_plan(store, false);
  for (int epoch = 0; epoch < EPOCHS; epoch++) {
    double loss = 0;
    OK(glia_loader_start(loader, epoch));
    while (run_on_next(step, loader)) loss += number(step, "loss") / (2000 / BATCH);
    if (epoch % 5 == 0 || epoch == EPOCHS - 1)
      printf("epoch %2d  loss %.4f\n", epoch + 1, loss);
  }
  OK(glia_loader_start(loader, EPOCHS));
  CLAIM(run_on_next(look, loader));
  const glia_tensor *seen = glia_plan_output(look, "seen");
  const double error = number(look, "loss"), all = spread(seen);
  show(seen, glia_plan_output(look, "again"));
  printf("error %.4f of a spread of %.4f; see autoencoder.png\n", error, all);
  CLAIM(error < all / 2);
  printf("24 numbers say more than half of what 784 pixels do\n");
  glia_plan_free(step);
  glia_plan_free(look);
  glia_loader_free(loader);
  glia_dataset_free(data);
  glia_store_free(store);
}
