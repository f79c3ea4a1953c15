/* 07 - saving a trained network, loading it into a fresh one, predicting a picture file.
 *
 * A saved model is a safetensors file: the parameters under their names, and words of one's own
 * in the metadata. Any reader of safetensors opens it, and loading it runs no code. The file is
 * written beside its place and then moved there, so a crash leaves the old one or the new one.
 *
 * The network that loads starts from another seed, so that it owes what it knows to the file,
 * and must then give the same probabilities to the last bit.
 *
 *   > saved model.safetensors
 *   >   conv.weight [8, 1, 3, 3]
 *   >   out.bias [10]
 *   > same probabilities to the last bit
 *   > digits/test/7/
 */
#include "example.h"

static glia_value model(glia_scope *s, glia_value x, void *user) {
  (void)user;
  x = glia_conv2d(s, "conv", x, .filters = 8, .kernel = {3, 3}, .activation = "relu");
  return glia_dense(s, "out", glia_flatten(glia_max_pool2d(x, .kernel = {2, 2})), .units = 10);
}

static glia_learner *new_learner(const glia_dataset *data, uint64_t seed) {
  glia_learner *l = NULL;
  OK(glia_learner_new(
      &(glia_learner_opts){.model = model, .data = *glia_dataset_spec(data), .seed = seed},
      &l));
  return l;
}

static void save(glia_learner *learner, const char *path) {
  const glia_metadata metadata[] = {{"task", "digits"}, {"made_by", "examples/07"}};
  glia_safetensors *f = NULL;
  OK(glia_save(glia_learner_store(learner), path, metadata, 2));
  printf("saved %s\n", path);
  OK(glia_safetensors_open(path, &f));
  for (int i = 0; i < glia_safetensors_count(f); i++) {
    const int64_t *shape = NULL;
    const int rank = glia_safetensors_shape(f, i, &shape);
    printf("  %s [", glia_safetensors_name(f, i));
    for (int k = 0; k < rank; k++) printf("%s%lld", k > 0 ? ", " : "", (long long)shape[k]);
    printf("]\n");
  }
  CLAIM(strcmp(glia_safetensors_metadata(f, "task"), "digits") == 0);
  glia_safetensors_close(f);
}

/* Probabilities [1, 10] of a picture file. */
static glia_tensor *predict(glia_learner *learner, const glia_sample_spec *spec,
                            const char *path) {
  const int64_t shape[] = {1, 1, 28, 28};
  glia_tensor *picture = NULL, *x = NULL, *p = NULL;
  const glia_image_opts gray = {.channels = 1, .height = 28, .width = 28};
  OK(glia_image_read(path, &gray, &picture)); /* any size and colour, made to fit */
  OK(glia_tensor_new(GLIA_F32, 4, shape, &x));
  glia_normalise_apply(NULL, spec, glia_tensor_data(picture), glia_tensor_data(x));
  OK(glia_predict(learner, x, &p));
  glia_tensor_free(picture);
  glia_tensor_free(x);
  return p;
}

int main(void) {
  glia_dataset *data = NULL, *test = NULL;
  glia_loader *batches = NULL;
  OK(glia_make_digits("digits", &(glia_digits_opts){.train = 1000, .test = 200}));
  OK(glia_data_open("digits", NULL, &data, &test));
  OK(glia_loader_new(data, &(glia_loader_opts){.batch = 32, .shuffle = true}, &batches));
  glia_learner *trained = new_learner(data, 1), *loaded = new_learner(data, 2);
  OK(glia_fit(trained, batches, NULL, .epochs = 3, .lr = 3e-3));
  save(trained, "model.safetensors");
  OK(glia_load(glia_learner_store(loaded), "model.safetensors", false));

  const char *path = glia_dataset_name(test, 150);
  const glia_sample_spec *spec = glia_dataset_spec(test);
  glia_tensor *a = predict(trained, spec, path), *b = predict(loaded, spec, path);
  printf("%s\n", path);
  for (int c = 0; c < 10; c++)
    if (glia_tensor_get(b, c) > 0.01) printf("  %d  %.4f\n", c, glia_tensor_get(b, c));
  CLAIM(memcmp(glia_tensor_data(a), glia_tensor_data(b), glia_tensor_bytes(a)) == 0);
  printf("same probabilities to the last bit\n");
  glia_tensor_free(a);
  glia_tensor_free(b);
  glia_learner_free(trained);
  glia_learner_free(loaded);
  glia_loader_free(batches);
  glia_dataset_free(data);
  glia_dataset_free(test);
}
