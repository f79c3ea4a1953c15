/* mlp.c - dense networks: 784-512-256-10, and 2-4-1, whose step is nothing but overhead.
 * Layers are numbered as in PyTorch's Sequential, where activations count.
 */
#include "workload.h"

static glia_value mlp(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_dense(s, "0", x, .units = 512, .activation = "relu");
  x = glia_dense(s, "2", x, .units = 256, .activation = "relu");
  return glia_dense(s, "4", x, .units = 10);
}

static glia_value tiny(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_dense(s, "0", x, .units = 4, .activation = "tanh");
  return glia_dense(s, "2", x, .units = 1);
}

#define MLP                                                              \
  .model = mlp, .rank = 1, .shape = {784}, .classes = 10, .batches = 16, \
  .settings = "--foreach;--avx512"
static const workload sgd_b64 = {.name = "mlp_sgd_b64",
                                 .peer = "mlp_sgd_b64",
                                 .target = {1.5, 1.25},
                                 .optimizer = "sgd momentum=0.9 lr=0.01",
                                 .batch = 64,
                                 MLP};
static const workload adam_b64 = {.name = "mlp_adam_b64",
                                  .peer = "mlp_adam_b64",
                                  .target = {1.5, 1.25},
                                  .optimizer = "adam",
                                  .batch = 64,
                                  MLP};
static const workload sgd_b512 = {.name = "mlp_sgd_b512",
                                  .peer = "mlp_sgd_b512",
                                  .target = {1.15, 1.15},
                                  .optimizer = "sgd momentum=0.9 lr=0.01",
                                  .batch = 512,
                                  MLP};
static const workload adam_b512 = {.name = "mlp_adam_b512",
                                   .peer = "mlp_adam_b512",
                                   .target = {1.15, 1.15},
                                   .optimizer = "adam",
                                   .batch = 512,
                                   MLP};

static const workload tiny_b4 = {.name = "tiny_2_4_1",
                                 .peer = "peer_tiny.py",
                                 .target = {30, 30},
                                 .model = tiny,
                                 .optimizer = "sgd lr=0.1",
                                 .loss = "bce",
                                 .rank = 1,
                                 .shape = {2},
                                 .targets = 1,
                                 .batch = 4,
                                 .batches = 1};

const workload *const gi_workloads_mlp[] = {&sgd_b64,   &adam_b64, &sgd_b512,
                                            &adam_b512, &tiny_b4,  NULL};
