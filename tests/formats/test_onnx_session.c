/* Sessions: a model is traced for the shapes it is run on, and for elements that shapes follow
 * from; loops, branches and functions; what bad inputs are told. */
#include "formats/onnx_words.h"
#include "glia/onnx.h"

static const char *write_model(gi_str *graph, const char *name) {
  static char path[700];
  gi_str m = model_of(graph);
  snprintf(path, sizeof path, "%s/%s.onnx", test_dir("onnx_session"), name);
  OK(gi_write_file(path, m.s, m.n));
  gi_str_free(&m);
  return path;
}

static void put_input(gi_str *graph, const char *name, int type) {
  gi_str i = info(name, type);
  gi_wire_put_message(graph, IN, &i);
}

static glia_tensor *floats(int rank, const int64_t *shape) {
  glia_tensor *t = NULL;
  OK(glia_tensor_new(GLIA_F32, rank, shape, &t));
  for (int64_t i = 0; i < glia_tensor_count(t); i++) glia_tensor_set(t, i, (double)i);
  return t;
}

static glia_tensor *whole(int64_t n, const int64_t *v) {
  glia_tensor *t = NULL;
  OK(glia_tensor_from(GLIA_I64, 1, &n, v, &t));
  return t;
}

static void run_2(glia_onnx *m, glia_tensor *a, glia_tensor *b, const glia_tensor **out) {
  const glia_tensor *in[] = {a, b};
  OK(glia_onnx_run(m, in, 2, out));
}

/* ---- shapes and elements ----------------------------------------------------------------- */

/* More shapes than traces are kept; the first ones come again. */
static void test_any_shape(void **state) {
  gi_str g = {0};
  glia_onnx *m = NULL;
  (void)state;
  put_input(&g, "x", GI_ONNX_FLOAT);
  put_node(&g, "Relu", "x", "r");
  put_node(&g, "ReduceSum", "r", "y");
  put_info(&g, OUT, "y");
  OK(glia_onnx_open(write_model(&g, "shapes"), &m));
  for (int round = 0; round < 2; round++)
    for (int64_t n = 1; n < 14; n++) {
      const glia_tensor *in, *out = NULL;
      glia_tensor *x = floats(2, (const int64_t[]){2, n});
      in = x;
      OK(glia_onnx_run(m, &in, 1, &out));
      NEAR(glia_tensor_get(out, 0), (double)(n * (2 * n - 1)), 1e-3);
      glia_tensor_free(x);
    }
  glia_onnx_close(m);
}

/* The shape is an input: its elements decide, each time. */
static void test_shape_from_an_input(void **state) {
  gi_str g = {0};
  glia_onnx *m = NULL;
  const glia_tensor *out = NULL;
  (void)state;
  put_input(&g, "x", GI_ONNX_FLOAT);
  put_input(&g, "shape", GI_ONNX_INT64);
  put_node(&g, "Reshape", "x shape", "y");
  put_info(&g, OUT, "y");
  OK(glia_onnx_open(write_model(&g, "reshape"), &m));
  glia_tensor *x = floats(1, (const int64_t[]){6});
  glia_tensor *wide = whole(2, (const int64_t[]){2, 3}),
              *tall = whole(2, (const int64_t[]){3, -1});
  glia_tensor *bad = whole(2, (const int64_t[]){4, 2});
  for (int i = 0; i < 4; i++) {
    run_2(m, x, i % 2 == 0 ? wide : tall, &out);
    assert_int_equal(glia_tensor_shape(out)[0], i % 2 == 0 ? 2 : 3);
    NEAR(glia_tensor_get(out, 5), 5, 0);
  }
  const glia_tensor *in[] = {x, bad};
  FAILS(glia_onnx_run(m, in, 2, &out), GLIA_SHAPE, "node 'the node' (Reshape)");
  run_2(m, x, wide, &out); /* a failure leaves the session as it was */
  assert_int_equal(glia_tensor_shape(out)[1], 3);
  glia_tensor_free(x);
  glia_tensor_free(wide);
  glia_tensor_free(tall);
  glia_tensor_free(bad);
  glia_onnx_close(m);
}

/* ---- loops ------------------------------------------------------------------------------- */

/* y = x + 1 + 1 ..., as often as an input says; what every turn had is joined. */
static void test_loop_by_an_input(void **state) {
  gi_str g = {0}, body = {0}, loop = node("Loop", "times - x", "y all"), a = {0};
  glia_onnx *m = NULL;
  const glia_tensor *out[2] = {NULL};
  (void)state;
  gi_str one = tensor("one", GI_ONNX_FLOAT, NULL, 0);
  gi_wire_put_floats(&one, FLOATS, (const float[]){1}, 1);
  gi_wire_put_message(&body, 5, &one);
  gi_wire_put_text(&body, 2, "a turn");
  put_input(&body, "i", GI_ONNX_INT64);
  put_input(&body, "go", GI_ONNX_BOOL);
  put_input(&body, "s", GI_ONNX_FLOAT);
  put_node(&body, "Identity", "go", "on");
  put_node(&body, "Add", "s one", "t");
  put_node(&body, "Identity", "t", "seen");
  put_info(&body, OUT, "on");
  put_info(&body, OUT, "t");
  put_info(&body, OUT, "seen");
  gi_wire_put_text(&a, 1, "body");
  gi_wire_put_message(&a, 6, &body);
  gi_wire_put_varint(&a, 20, GI_ONNX_ATTR_GRAPH);
  gi_wire_put_message(&loop, 5, &a);
  put_input(&g, "times", GI_ONNX_INT64);
  put_input(&g, "x", GI_ONNX_FLOAT);
  gi_wire_put_message(&g, 1, &loop);
  put_info(&g, OUT, "y");
  put_info(&g, OUT, "all");
  OK(glia_onnx_open(write_model(&g, "loop"), &m));
  glia_tensor *x = floats(1, (const int64_t[]){3});
  for (int64_t n = 0; n < 5; n++) {
    glia_tensor *times = whole(1, &n);
    run_2(m, times, x, out);
    NEAR(glia_tensor_get(out[0], 2), (double)(2 + n), 0);
    assert_int_equal(glia_tensor_rank(out[1]), 2);
    assert_int_equal(glia_tensor_shape(out[1])[0], n);
    if (n > 0) NEAR(glia_tensor_get(out[1], 1), 2, 0);
    glia_tensor_free(times);
  }
  glia_tensor_free(x);
  glia_onnx_close(m);
}

/* ---- bad inputs -------------------------------------------------------------------------- */

static void test_inputs_are_checked(void **state) {
  gi_str g = {0};
  glia_onnx *m = NULL;
  const glia_tensor *out = NULL;
  (void)state;
  put_input(&g, "x", GI_ONNX_FLOAT);
  put_node(&g, "Relu", "x", "y");
  put_info(&g, OUT, "y");
  OK(glia_onnx_open(write_model(&g, "relu"), &m));
  const int64_t v[] = {1, 2};
  glia_tensor *numbers = whole(2, v);
  const glia_tensor *in = numbers;
  FAILS(glia_onnx_run(m, &in, 1, &out), GLIA_DTYPE, "input 'x' is i64 [2]");
  FAILS(glia_onnx_run(m, NULL, 0, &out), GLIA_INVALID, "has 1 inputs, 0 are given");
  assert_null(glia_onnx_input(m, 1));
  assert_string_equal(glia_onnx_input(m, 0)->type, "float");
  glia_tensor_free(numbers);
  glia_onnx_close(m);
}

static void test_unknown_operators_are_all_named(void **state) {
  gi_str g = {0};
  glia_onnx *m = NULL;
  (void)state;
  put_input(&g, "x", GI_ONNX_FLOAT);
  put_node(&g, "Frobnicate", "x", "a");
  put_node(&g, "Relu", "a", "b");
  put_node(&g, "Unheard", "b", "y");
  put_info(&g, OUT, "y");
  const char *path = write_model(&g, "unknown");
  FAILS(glia_onnx_open(path, &m), GLIA_UNSUPPORTED, "(Frobnicate)");
  FAILS(glia_onnx_open(path, &m), GLIA_UNSUPPORTED, "(Unheard)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_any_shape),
      cmocka_unit_test(test_shape_from_an_input),
      cmocka_unit_test(test_loop_by_an_input),
      cmocka_unit_test(test_inputs_are_checked),
      cmocka_unit_test(test_unknown_operators_are_all_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
