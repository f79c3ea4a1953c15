/* 05 - a multi-layer perceptron, trained by glia_fit on data in memory.
 *
 * The data are XOR again, as points of the square: class 1 where x1 and x2 have different
 * signs. No line separates them (01_perceptron.c), and a network without a hidden layer stays
 * near the half that guessing gets right. A hidden layer bends the space so that a line will
 * do:
 *
 *   h = relu(W1 x + b1)   [16]        each unit is a fold along a line of its own
 *   z = W2 h + b2         [2]         one score for each class; the loss is cross entropy
 *
 * glia_fit is the loop of 04 with what goes around it: batches in a new order every epoch,
 * validation, and a callback that hears of each epoch and may stop.
 *
 *   > without a hidden layer: a line cannot do it
 *   > with 16 hidden units: learned
 */
#include "example.h"

enum { SAMPLES = 1000 };

/* A model is a function: from a scope, where parameters live, and a value to a value. */
static glia_value mlp(glia_scope *s, glia_value x, void *hidden) {
  const int64_t units = *(const int64_t *)hidden;
  if (units > 0) x = glia_dense(s, "hidden", x, .units = units, .activation = "relu");
  return glia_dense(s, "out", x, .units = 2);
}

static glia_dataset *make_data(void) {
  const int64_t shape[] = {SAMPLES, 2}, n[] = {SAMPLES};
  glia_graph *g = NULL;
  glia_tensor *x = NULL, *y = NULL;
  glia_dataset *d = NULL;
  OK(glia_graph_new(&g));
  OK(glia_eval(glia_random_uniform(g, GLIA_F32, 2, shape, -1, 1, 1), &x));
  OK(glia_tensor_new(GLIA_U8, 1, n, &y));
  for (int i = 0; i < SAMPLES; i++)
    glia_tensor_set(y, i, glia_tensor_get(x, 2 * i) * glia_tensor_get(x, 2 * i + 1) < 0);
  OK(glia_dataset_arrays(x, y, 2, &d)); /* copies both */
  glia_tensor_free(x);
  glia_tensor_free(y);
  glia_graph_free(g);
  return d;
}

static bool on_event(const glia_progress *p, void *user) {
  double *accuracy = user;
  if (p->event != GLIA_EPOCH_END) return true;
  *accuracy = p->row->metric;
  if (p->epoch == 1 || p->epoch % 10 == 0)
    printf("%5lld  %10.4f  %10.4f  %8.3f\n", (long long)p->epoch, p->row->train_loss,
           p->row->valid_loss, *accuracy);
  return true; /* false would stop the training */
}

/* Trains a network with so many hidden units; returns its accuracy on samples it never saw. */
static double train(const glia_dataset *data, int64_t hidden) {
  glia_dataset *train_data = NULL, *valid_data = NULL;
  glia_loader *train_loader = NULL, *valid_loader = NULL;
  glia_learner *learner = NULL;
  double accuracy = 0;
  OK(glia_dataset_split(data, &(glia_split_opts){.ratio = 0.3}, &train_data, &valid_data));
  OK(glia_loader_new(train_data, &(glia_loader_opts){.batch = 32, .shuffle = true},
                     &train_loader));
  OK(glia_loader_new(valid_data, &(glia_loader_opts){.batch = 100}, &valid_loader));
  OK(glia_learner_new(&(glia_learner_opts){.model = mlp,
                                           .user = &hidden,
                                           .data = *glia_dataset_spec(data),
                                           .optimizer = glia_adam(.lr = 0.01),
                                           .seed = 1},
                      &learner));
  printf("%5s  %10s  %10s  %8s\n", "epoch", "train_loss", "valid_loss", "accuracy");
  OK(glia_fit(learner, train_loader, valid_loader, .epochs = 30, .on_event = on_event,
              .user = &accuracy));
  glia_learner_free(learner);
  glia_loader_free(train_loader);
  glia_loader_free(valid_loader);
  glia_dataset_free(train_data);
  glia_dataset_free(valid_data);
  return accuracy;
}

int main(void) {
  glia_dataset *data = make_data();
  CLAIM(train(data, 0) < 0.7);
  printf("without a hidden layer: a line cannot do it\n\n");
  CLAIM(train(data, 16) > 0.95);
  printf("with 16 hidden units: learned\n");
  glia_dataset_free(data);
}
