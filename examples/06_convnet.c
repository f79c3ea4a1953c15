/* 06 - a convolutional network on pictures, and what the convolutions are good for.
 *
 * The pictures are digits that glia_make_digits draws: folders 0..9 of PNG files, slanted,
 * bent, moved and noisy. Two networks see the same pictures for the same number of epochs:
 *
 *   linear         z = W x + b, one weight for each pixel: a digit moved by three pixels is
 * quite another digit to it convolutional  3x3 filters that slide over the picture look for the
 * same stroke everywhere; pooling keeps the strongest answer of each 2x2 window, so that small
 * moves do not matter; only the last layers see the whole
 *
 *   > the convolutional network is clearly better
 *   > predicted
 */
#include "example.h"

static glia_value linear(glia_scope *s, glia_value x, void *user) {
  (void)user;
  return glia_dense(s, "out", glia_flatten(x), .units = 10);
}

/* [N, 1, 28, 28] -> [N, 8, 26, 26] -> [N, 8, 13, 13] -> [N, 16, 11, 11] -> [N, 16, 5, 5] -> [N,
 * 10] */
static glia_value convolutional(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_conv2d(s, "conv1", x, .filters = 8, .kernel = {3, 3}, .activation = "relu");
  x = glia_max_pool2d(x, .kernel = {2, 2});
  x = glia_conv2d(s, "conv2", x, .filters = 16, .kernel = {3, 3}, .activation = "relu");
  x = glia_max_pool2d(x, .kernel = {2, 2});
  return glia_dense(s, "out", glia_flatten(x), .units = 10);
}

/* Trains and measures on pictures that the network never saw. The learner is the caller's. */
static double train(const char *name, glia_model_fn model, const glia_dataset *train_data,
                    const glia_dataset *test_data, glia_learner **learner) {
  const glia_learner_opts options = {.model = model, .data = *glia_dataset_spec(train_data)};
  glia_loader *batches = NULL, *exam = NULL;
  glia_result result;
  double accuracy = 0;
  OK(glia_loader_new(train_data, &(glia_loader_opts){.batch = 32, .shuffle = true}, &batches));
  OK(glia_loader_new(test_data, NULL, &exam));
  OK(glia_learner_new(&options, learner));
  OK(glia_fit(*learner, batches, NULL, .epochs = 4, .lr = 3e-3));
  OK(glia_evaluate(*learner, exam, &result));
  OK(glia_evaluation_value(result.evaluation, "accuracy", &accuracy));
  printf("%-14s %6lld parameters  loss %.3f  accuracy %.1f %%\n", name,
         (long long)glia_store_parameters(glia_learner_store(*learner)), result.loss,
         100 * accuracy);
  glia_result_clear(&result);
  glia_loader_free(batches);
  glia_loader_free(exam);
  return accuracy;
}

/* One picture, as the terminal can show it, and what the network makes of it. */
static void look(glia_learner *learner, const glia_dataset *data, int64_t i) {
  const int64_t shape[] = {1, 1, 28, 28};
  unsigned char pixels[28 * 28];
  int64_t label = 0;
  glia_tensor *x = NULL, *p = NULL;
  OK(glia_dataset_read(data, i, pixels, &label));
  for (int at = 0; at < 28 * 28; at++)
    printf("%c%s", " .:*#"[pixels[at] / 52], at % 28 == 27 ? "\n" : "");
  OK(glia_tensor_new(GLIA_F32, 4, shape, &x));
  glia_normalise_apply(NULL, glia_dataset_spec(data), pixels, glia_tensor_data(x));
  OK(glia_predict(learner, x, &p)); /* probabilities [1, 10] */
  int best = 0;
  for (int c = 1; c < 10; c++)
    if (glia_tensor_get(p, c) > glia_tensor_get(p, best)) best = c;
  printf("%s\nis a %s, predicted %s with probability %.3f\n", glia_dataset_name(data, i),
         glia_dataset_class(data, (int)label), glia_dataset_class(data, best),
         glia_tensor_get(p, best));
  glia_tensor_free(x);
  glia_tensor_free(p);
}

int main(void) {
  glia_dataset *train_data = NULL, *test_data = NULL;
  glia_learner *line = NULL, *net = NULL;
  OK(glia_make_digits("digits", &(glia_digits_opts){.train = 2000, .test = 500}));
  OK(glia_data_open("digits", NULL, &train_data, &test_data));
  const double a = train("linear", linear, train_data, test_data, &line);
  const double b = train("convolutional", convolutional, train_data, test_data, &net);
  CLAIM(b > a + 0.05 && b > 0.85);
  printf("the convolutional network is clearly better\n\n");
  look(net, test_data, 260);
  glia_learner_free(line);
  glia_learner_free(net);
  glia_dataset_free(train_data);
  glia_dataset_free(test_data);
}
