/* convnet.c - the convolutional network that everybody trains on MNIST: 3x3x32, 3x3x64, pool,
 * dropout, 128, dropout, 10, with Adam. Layers are numbered as in PyTorch's Sequential.
 */
#include "workload.h"

static glia_value convnet(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_conv2d(s, "0", x, .filters = 32, .kernel = {3, 3}, .activation = "relu");
  x = glia_conv2d(s, "2", x, .filters = 64, .kernel = {3, 3}, .activation = "relu");
  x = glia_dropout(s, "5", glia_max_pool2d(x, .kernel = {2, 2}), 0.25);
  x = glia_dense(s, "7", glia_flatten(x), .units = 128, .activation = "relu");
  return glia_dense(s, "10", glia_dropout(s, "9", x, 0.5), .units = 10);
}

#define CONVNET                                                                   \
  .model = convnet, .rank = 3, .shape = {1, 28, 28}, .classes = 10, .batches = 8, \
  .target = {2.1, 2.5}, .settings = "--avx512;--channels-last;--foreach"
static const workload b64 = {
    .name = "cnn_b64", .peer = "cnn_b64", .optimizer = "adam", .batch = 64, CONVNET};
static const workload b128 = {
    .name = "cnn_b128", .peer = "cnn_b128", .optimizer = "adam", .batch = 128, CONVNET};

const workload *const gi_workloads_convnet[] = {&b64, &b128, NULL};
