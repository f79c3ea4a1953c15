/* Caffe's weights: both kinds of layer, shapes old and new, numbers packed and one by one. */
#include "base/protobuf.h"

#include "bytes.h"

static void put_shape(gi_str *blob, const int64_t *dims, int n) {
  gi_str shape = {0};
  gi_wire_put_varints(&shape, 1, dims, (size_t)n);
  gi_wire_put_message(blob, 7, &shape);
}

static gi_str blob(const int64_t *dims, int rank, const float *v, int n) {
  gi_str b = {0};
  put_shape(&b, dims, rank);
  gi_wire_put_floats(&b, 5, v, (size_t)n);
  return b;
}

/* num, channels, height, width, and each number a field of its own. */
static gi_str old_blob(const int64_t *dims, const float *v, int n) {
  gi_str b = {0};
  for (uint32_t i = 0; i < 4; i++) gi_wire_put_varint(&b, i + 1, (uint64_t)dims[i]);
  for (int i = 0; i < n; i++) gi_wire_put_float(&b, 5, v[i]);
  return b;
}

static gi_str layer(const char *name, const char *type) {
  gi_str l = {0};
  gi_wire_put_text(&l, 1, name);
  gi_wire_put_text(&l, 2, type);
  return l;
}

static const float numbers[] = {0, 1, 2, 3, 4, 5};

static gi_str model(void) {
  gi_str net = {0}, conv = layer("conv1", "Convolution"), b;
  gi_wire_put_text(&net, 1, "net");
  b = blob((const int64_t[]){2, 1, 1, 3}, 4, numbers, 6);
  gi_wire_put_message(&conv, 7, &b);
  b = blob((const int64_t[]){2}, 1, numbers, 2);
  gi_wire_put_message(&conv, 7, &b);
  gi_wire_put_message(&net, 100, &conv);
  gi_str norm = layer("bn", "BatchNorm");
  for (int i = 0; i < 3; i++) {
    b = blob((const int64_t[]){1}, 1, numbers + i, 1);
    gi_wire_put_message(&norm, 7, &b);
  }
  gi_wire_put_message(&net, 100, &norm);
  gi_str other = layer("other", "Strange");
  put_shape(&b, (const int64_t[]){2}, 1);
  gi_wire_put_doubles(&b, 8, (const double[]){0.5, 1.5}, 2);
  gi_wire_put_message(&other, 7, &b);
  gi_wire_put_message(&net, 100, &other);
  gi_str product = {0}, v1 = {0}; /* a V1LayerParameter: InnerProduct is 14, Convolution 4 */
  gi_wire_put_text(&product, 4, "ip");
  gi_wire_put_varint(&product, 5, 14);
  b = old_blob((const int64_t[]){1, 1, 2, 3}, numbers, 6);
  gi_wire_put_message(&product, 6, &b);
  gi_wire_put_message(&net, 2, &product);
  gi_wire_put_text(&v1, 4, "old");
  gi_wire_put_varint(&v1, 5, 4);
  b = old_blob((const int64_t[]){1, 1, 2, 3}, numbers, 6);
  gi_wire_put_message(&v1, 6, &b);
  b = old_blob((const int64_t[]){1, 1, 1, 2}, numbers, 2);
  gi_wire_put_message(&v1, 6, &b);
  gi_wire_put_message(&net, 2, &v1);
  return net;
}

static void models_are_read(void **state) {
  (void)state;
  gi_str net = model();
  glia_file *f = NULL;
  OK(gi_file_from_memory(row("caffe"), net.s, net.n, "file", &f));
  assert_int_equal(glia_file_count(f), 9);
  holds(f, "conv1.weight", "F32", SHAPE(2, 1, 1, 3), WANT(0, 1, 2, 3, 4, 5));
  holds(f, "conv1.bias", "F32", SHAPE(2), WANT(0, 1));
  holds(f, "bn.running_mean", "F32", SHAPE(1), WANT(0));
  holds(f, "bn.running_var", "F32", SHAPE(1), WANT(1));
  holds(f, "bn.factor", "F32", SHAPE(1), WANT(2));
  holds(f, "other.0", "F64", SHAPE(2), WANT(0.5, 1.5));
  holds(f, "ip.weight", "F32", SHAPE(2, 3), WANT(0, 1, 2, 3, 4, 5));
  holds(f, "old.weight", "F32", SHAPE(1, 1, 2, 3), WANT(0, 1, 2, 3, 4, 5));
  holds(f, "old.bias", "F32", SHAPE(2), WANT(0, 1));
  glia_file_close(f);
  every_byte_changed("caffe", net.s, net.n);
  every_allocation_fails("caffe", net.s, net.n);
  gi_str_free(&net);
}

/* A layer of one blob. */
static void blob_refused(gi_str *b, const char *words) {
  gi_str net = {0}, l = layer("l", "Scale");
  gi_wire_put_message(&l, 7, b);
  gi_wire_put_message(&net, 100, &l);
  refused("caffe", net.s, net.n, words);
  gi_str_free(&net);
}

static void blobs_that_lie(void **state) {
  (void)state;
  gi_str b = blob((const int64_t[]){3}, 1, numbers, 2);
  blob_refused(&b, "\"l.weight\" has 2 numbers, its shape wants 3");
  b = blob((const int64_t[]){-1}, 1, numbers, 1);
  blob_refused(&b, "dimension 0 is negative");
  b = blob((const int64_t[]){(int64_t)1 << 40, (int64_t)1 << 40}, 2, numbers, 1);
  blob_refused(&b, "more elements than can be counted");
  b = blob((const int64_t[]){1}, 1, numbers, 1);
  gi_wire_put_double(&b, 8, 1);
  blob_refused(&b, "floats and doubles");
  int64_t many[40];
  for (int i = 0; i < 40; i++) many[i] = 1;
  b = blob(many, 40, numbers, 1);
  blob_refused(&b, "more than 32 numbers");
  gi_wire_put_text(&b, 5, "abc"); /* three bytes are no floats */
  blob_refused(&b, "");
}

static void files_that_are_none(void **state) {
  (void)state;
  refused("caffe", "", 0, "holds no layers");
  refused("caffe", "\x0a\x01x", 3, "holds no layers");
  refused("caffe", "\xa2\x06\xff\xff\xff\xff\x0f", 7, "");
  refused("caffe", "\xa0\x06\x01", 3, "layer 0");
  gi_str net = {0};
  for (int i = 0; i < 2; i++) {
    gi_str l = layer("twice", "Scale"), b = blob((const int64_t[]){1}, 1, numbers, 1);
    gi_wire_put_message(&l, 7, &b);
    gi_wire_put_message(&net, 100, &l);
  }
  refused("caffe", net.s, net.n, "two tensors are called \"twice.weight\"");
  gi_str_free(&net);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(models_are_read),
      cmocka_unit_test(blobs_that_lie),
      cmocka_unit_test(files_that_are_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
