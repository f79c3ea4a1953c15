/* dcgan.c - a deep convolutional GAN for 28x28 pictures (arXiv:1511.06434, the sizes of
 * TensorFlow's tutorial). One step trains the discriminator on real and made pictures, then the
 * generator against the discriminator as it has just become: one graph, the pictures are made
 * once. Layers are numbered as in PyTorch's Sequential.
 */
#include "workload.h"

enum { NOISE = 100 };

static glia_value leaky(glia_value x) { return glia_leaky_relu(x, 0.3); }

static glia_value enlarge(glia_scope *s, const char *name, glia_value x, int64_t filters,
                          int64_t stride) {
  return glia_conv2d_transpose(s, name, x, .filters = filters, .kernel = {5, 5},
                               .stride = {stride, stride}, .padding = {2, 2},
                               .output_padding = {stride - 1, stride - 1}, .no_bias = true);
}

static glia_value generator(glia_scope *s, glia_value z) {
  glia_value x = glia_dense(s, "0", z, .units = 12544, .no_bias = true);
  x = leaky(glia_batch_norm(s, "1", x));
  x = glia_reshape(x, 4, (const int64_t[]){-1, 256, 7, 7});
  x = leaky(glia_batch_norm(s, "5", enlarge(s, "4", x, 128, 1)));
  x = leaky(glia_batch_norm(s, "8", enlarge(s, "7", x, 64, 2)));
  return glia_tanh(enlarge(s, "10", x, 1, 2));
}

static glia_value halve(glia_scope *s, const char *name, glia_value x, int64_t filters) {
  return leaky(glia_conv2d(s, name, x, .filters = filters, .kernel = {5, 5}, .stride = {2, 2},
                           .padding = {2, 2}));
}

static glia_value discriminator(glia_scope *s, glia_value x) {
  x = glia_dropout(s, "2", halve(s, "0", x, 64), 0.3);
  x = glia_dropout(s, "5", halve(s, "3", x, 128), 0.3);
  return glia_dense(s, "7", glia_flatten(x), .units = 1);
}

static glia_value judged(glia_value logits, double as) {
  return glia_bce_with_logits_loss(logits, glia_full_like(logits, as));
}

static void step(glia_scope *s, glia_value real) {
  glia_scope *made_by = glia_scope_in(s, "G"), *d = glia_scope_in(s, "D");
  const glia_optimizer adam = glia_adam(.lr = 1e-4);
  const int64_t noise[] = {glia_value_dim(real, 0), NOISE};
  const glia_value z =
      glia_random_normal(glia_scope_graph(s), GLIA_F32, 2, noise, 0, 1, gi_hash_str("z", 0));
  const glia_value made = generator(made_by, z);
  const glia_value loss_real = judged(discriminator(d, real), 1);
  const glia_value loss_made = judged(discriminator(d, glia_stop_gradient(made)), 0);
  const glia_value loss = glia_output("loss", glia_add(loss_real, loss_made));
  glia_minimize(s, loss, &adam, .prefix = "D.");
  const glia_value fooled = judged(discriminator(glia_scope_updated(d), made), 1);
  glia_minimize(s, glia_output("loss_G", fooled), &adam, .prefix = "G.");
}

static const workload dcgan = {.name = "dcgan",
                               .peer = "dcgan",
                               .target = {1.5, 1.75},
                               .settings = "--channels-last;--avx512",
                               .step = step,
                               .optimizer = "adam",
                               .rank = 3,
                               .shape = {1, 28, 28},
                               .batch = 64,
                               .batches = 1};

const workload *const gi_workloads_dcgan[] = {&dcgan, NULL};
