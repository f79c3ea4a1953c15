/* resnet.c - residual networks (arXiv:1512.03385) with torchvision's names and strides:
 * ResNet-18 of basic blocks, ResNet-50 of bottlenecks (the stride in the 3x3 convolution), ten
 * classes.
 */
#include "workload.h"

static glia_value conv(glia_scope *s, const char *name, glia_value x, int64_t filters,
                       int64_t kernel, int64_t stride) {
  return glia_conv2d(s, name, x, .filters = filters, .kernel = {kernel, kernel},
                     .stride = {stride, stride}, .padding = {kernel / 2, kernel / 2},
                     .no_bias = true, .init = GLIA_INIT_HE_NORMAL);
}

/* What is added: the block's input, through a 1x1 convolution where the shape changes. */
static glia_value shortcut(glia_scope *s, glia_value x, int64_t filters, int64_t stride) {
  if (stride == 1 && glia_value_dim(x, 1) == filters) return x;
  glia_scope *down = glia_scope_in(s, "downsample");
  return glia_batch_norm(down, "1", conv(down, "0", x, filters, 1, stride));
}

static glia_value basic(glia_scope *s, glia_value x, int64_t filters, int64_t stride) {
  glia_value y = conv(s, "conv1", x, filters, 3, stride);
  y = glia_batch_norm(s, "bn1", y, .activation = "relu");
  y = glia_batch_norm(s, "bn2", conv(s, "conv2", y, filters, 3, 1));
  return glia_relu(glia_add(y, shortcut(s, x, filters, stride)));
}

static glia_value bottleneck(glia_scope *s, glia_value x, int64_t filters, int64_t stride) {
  glia_value y = conv(s, "conv1", x, filters, 1, 1);
  y = glia_batch_norm(s, "bn1", y, .activation = "relu");
  y = glia_batch_norm(s, "bn2", conv(s, "conv2", y, filters, 3, stride), .activation = "relu");
  y = glia_batch_norm(s, "bn3", conv(s, "conv3", y, 4 * filters, 1, 1));
  return glia_relu(glia_add(y, shortcut(s, x, 4 * filters, stride)));
}

typedef struct family {
  glia_value (*block)(glia_scope *s, glia_value x, int64_t filters, int64_t stride);
  int blocks[4]; /* of each stage */
} family;

static glia_value resnet(glia_scope *s, glia_value x, const family *f) {
  char name[16];
  x = glia_batch_norm(s, "bn1", conv(s, "conv1", x, 64, 7, 2), .activation = "relu");
  x = glia_max_pool2d(x, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1});
  for (int stage = 0; stage < 4; stage++) {
    snprintf(name, sizeof name, "layer%d", stage + 1);
    glia_scope *layer = glia_scope_in(s, name);
    for (int i = 0; i < f->blocks[stage]; i++) {
      snprintf(name, sizeof name, "%d", i);
      x = f->block(glia_scope_in(layer, name), x, (int64_t)64 << stage,
                   stage > 0 && i == 0 ? 2 : 1);
    }
  }
  return glia_dense(s, "fc", glia_global_avg_pool2d(x), .units = 10);
}

static glia_value resnet18(glia_scope *s, glia_value x, void *user) {
  static const family f = {basic, {2, 2, 2, 2}};
  (void)user;
  return resnet(s, x, &f);
}

static glia_value resnet50(glia_scope *s, glia_value x, void *user) {
  static const family f = {bottleneck, {3, 4, 6, 3}};
  (void)user;
  return resnet(s, x, &f);
}

/* Three stages of one block on 28x28 pictures: learning curves are drawn with it. */
static glia_value resnet8(glia_scope *s, glia_value x, void *user) {
  char name[16];
  (void)user;
  x = glia_batch_norm(s, "bn1", conv(s, "conv1", x, 16, 3, 1), .activation = "relu");
  for (int stage = 0; stage < 3; stage++) {
    snprintf(name, sizeof name, "layer%d", stage + 1);
    x = basic(glia_scope_in(glia_scope_in(s, name), "0"), x, (int64_t)16 << stage,
              stage > 0 ? 2 : 1);
  }
  return glia_dense(s, "fc", glia_global_avg_pool2d(x), .units = 10);
}

#define IMAGES(size) .rank = 3, .shape = {3, size, size}, .classes = 10, .batches = 1
#define TRAIN                                                 \
  .model = resnet18, .optimizer = "sgd momentum=0.9 lr=0.01", \
  .settings = "--variant channels_last;--variant channels_last --avx512"
#define INFER                                                                   \
  .model = resnet18,                                                            \
  .settings =                                                                   \
      "--variant channels_last;--variant fused+channels_last;--variant mkldnn;" \
      "--variant ofi;--variant ofi+channels_last"
static const workload train224 = {.name = "rn18_train224",
                                  .peer = "rn18_train224",
                                  .target = {1.7, 1.6},
                                  .batch = 16,
                                  TRAIN,
                                  IMAGES(224)};
static const workload train64 = {.name = "rn18_train64",
                                 .peer = "rn18_train64",
                                 .target = {1.6, 1.6},
                                 .batch = 32,
                                 TRAIN,
                                 IMAGES(64)};
static const workload infer1 = {.name = "rn18_infer_b1",
                                .peer = "rn18_inf_b1",
                                .target = {1.4, 1.4},
                                .batch = 1,
                                INFER,
                                IMAGES(224)};
static const workload infer16 = {.name = "rn18_infer_b16",
                                 .peer = "rn18_inf_b16",
                                 .target = {1.6, 1.6},
                                 .batch = 16,
                                 INFER,
                                 IMAGES(224)};
static const workload train224_bf16 = {.name = "rn18_train224_bf16",
                                       .peer = "rn18_train224",
                                       .precision = GLIA_BF16,
                                       .target = {1.15, 1.15},
                                       .batch = 16,
                                       TRAIN,
                                       IMAGES(224)};
static const workload infer16_bf16 = {.name = "rn18_infer_b16_bf16",
                                      .peer = "rn18_inf_b16",
                                      .precision = GLIA_BF16,
                                      .target = {1.1, 1.1},
                                      .batch = 16,
                                      INFER,
                                      IMAGES(224)};
/* For the time that making its plan takes. */
static const workload large = {.name = "rn50_train224",
                               .model = resnet50,
                               .optimizer = "sgd momentum=0.9 lr=0.01",
                               .batch = 16,
                               IMAGES(224)};

static const workload small = {.name = "rn8_mnist",
                               .model = resnet8,
                               .optimizer = "sgd momentum=0.9 lr=0.05",
                               .rank = 3,
                               .shape = {1, 28, 28},
                               .classes = 10,
                               .batch = 128,
                               .batches = 1};

const workload *const gi_workloads_resnet[] = {&small,        &train224, &train64,
                                               &infer1,       &infer16,  &train224_bf16,
                                               &infer16_bf16, &large,    NULL};
