/* ONNX files as they are: what the model's header promises, on models that the test writes,
 * good ones and each kind of bad one. */
#include "onnx_words.h"

/* ---- good files -------------------------------------------------------------------------- */

static gi_str small_graph(void) {
  gi_str g = {0}, w = tensor("w", GI_ONNX_FLOAT, DIMS(2));
  gi_wire_put_floats(&w, FLOATS, (const float[]){1.5f, -2}, 2);
  gi_wire_put_message(&g, 5, &w);
  put_info(&g, IN, "x");
  put_info(&g, IN, "w"); /* as files of IR 3 list them */
  put_node(&g, "Add", "x w", "y");
  put_node(&g, "Relu", "y", "z");
  put_info(&g, OUT, "z");
  return g;
}

static void a_model_is_what_was_written(void **state) {
  (void)state;
  gi_str g = small_graph(), bytes;
  gi_onnx_model *m = opened(&g, &bytes);
  assert_int_equal(m->ir, 8);
  assert_string_equal(m->producer, "a test");
  assert_int_equal(m->n_opset, 1);
  assert_string_equal(m->opset[0].domain, "");
  assert_int_equal(m->opset[0].version, 17);
  assert_string_equal(m->graph.name, "the graph");
  assert_int_equal(m->graph.n_node, 2);
  assert_string_equal(m->graph.node[0].op, "Add");
  assert_string_equal(m->graph.node[0].in[1], "w");
  assert_string_equal(m->graph.node[1].out[0], "z");
  assert_int_equal(m->graph.n_in, 1); /* w is not for the caller to give */
  assert_string_equal(m->graph.in[0].name, "x");
  assert_int_equal(m->graph.in[0].type, GI_ONNX_FLOAT);
  assert_int_equal(m->graph.in[0].rank, -1);
  assert_int_equal(m->graph.n_out, 1);
  assert_int_equal(m->graph.init[0].count, 2);
  closed(m, &bytes);
}

static void types_of_values_are_read(void **state) {
  (void)state;
  gi_str g = {0}, dim = {0}, shape = {0}, tensor_type = {0}, type = {0}, value = {0};
  gi_wire_put_text(&dim, 2, "batch");
  gi_wire_put_message(&shape, 1, &dim);
  gi_wire_put_varint(&dim, 1, 28);
  gi_wire_put_message(&shape, 1, &dim);
  gi_wire_put_varint(&dim, 1, (uint64_t)-1);
  gi_wire_put_message(&shape, 1, &dim);
  gi_wire_put_varint(&tensor_type, 1, GI_ONNX_INT64);
  gi_wire_put_message(&tensor_type, 2, &shape);
  gi_wire_put_message(&type, 1, &tensor_type);
  gi_wire_put_text(&value, 1, "x");
  gi_wire_put_message(&value, 2, &type);
  gi_wire_put_message(&g, IN, &value);
  gi_str sequence = {0};
  gi_wire_put_bytes(&type, 4, "", 0); /* sequence_type */
  gi_wire_put_text(&sequence, 1, "s");
  gi_wire_put_message(&sequence, 2, &type);
  gi_wire_put_message(&g, IN, &sequence);
  gi_str bytes;
  gi_onnx_model *m = opened(&g, &bytes);
  const gi_onnx_info *x = &m->graph.in[0];
  assert_true(x->is_tensor);
  assert_int_equal(x->type, GI_ONNX_INT64);
  assert_int_equal(x->rank, 3);
  assert_int_equal(x->dim[0], -1);
  assert_string_equal(x->symbol[0], "batch");
  assert_int_equal(x->dim[1], 28);
  assert_null(x->symbol[1]);
  assert_int_equal(x->dim[2], -1);
  assert_false(m->graph.in[1].is_tensor);
  closed(m, &bytes);
}

static void attributes_of_each_type_are_read(void **state) {
  (void)state;
  gi_str g = {0}, n = node("Op", "", "y"), a = {0};
  gi_wire_put_text(&a, 1, "f");
  gi_wire_put_float(&a, 2, 0.25f);
  gi_wire_put_varint(&a, 20, GI_ONNX_ATTR_FLOAT);
  gi_wire_put_message(&n, 5, &a);
  gi_wire_put_text(&a, 1, "i"); /* without a type, as the oldest files */
  gi_wire_put_varint(&a, 3, (uint64_t)-7);
  gi_wire_put_message(&n, 5, &a);
  gi_wire_put_text(&a, 1, "s");
  gi_wire_put_bytes(&a, 4, "a\0b", 3);
  gi_wire_put_varint(&a, 20, GI_ONNX_ATTR_STRING);
  gi_wire_put_message(&n, 5, &a);
  gi_str t = tensor("", GI_ONNX_INT32, NULL, 0);
  gi_wire_put_varints(&t, INT32S, (const int64_t[]){-5}, 1);
  gi_wire_put_text(&a, 1, "t");
  gi_wire_put_message(&a, 5, &t);
  gi_wire_put_varint(&a, 20, GI_ONNX_ATTR_TENSOR);
  gi_wire_put_message(&n, 5, &a);
  gi_wire_put_text(&a, 1, "floats");
  gi_wire_put_float(&a, 7, 1); /* one a field and packed are the same */
  gi_wire_put_floats(&a, 7, (const float[]){2, 3}, 2);
  gi_wire_put_varint(&a, 20, GI_ONNX_ATTR_FLOATS);
  gi_wire_put_message(&n, 5, &a);
  gi_wire_put_text(&a, 1, "ints");
  gi_wire_put_varints(&a, 8, (const int64_t[]){-1, 300}, 2);
  gi_wire_put_varint(&a, 20, GI_ONNX_ATTR_INTS);
  gi_wire_put_message(&n, 5, &a);
  gi_wire_put_text(&a, 1, "strings");
  gi_wire_put_text(&a, 9, "one");
  gi_wire_put_text(&a, 9, "two");
  gi_wire_put_varint(&a, 20, GI_ONNX_ATTR_STRINGS);
  gi_wire_put_message(&n, 5, &a);
  gi_wire_put_message(&g, 1, &n);
  gi_str bytes;
  gi_onnx_model *m = opened(&g, &bytes);
  assert_int_equal(m->graph.node[0].n_attr, 7);
  const gi_onnx_attr *at = m->graph.node[0].attr;
  assert_true(at[0].type == GI_ONNX_ATTR_FLOAT && at[0].f == 0.25);
  assert_true(at[1].type == GI_ONNX_ATTR_INT && at[1].i == -7);
  assert_int_equal(at[2].s_n, 3);
  assert_memory_equal(at[2].s, "a\0b", 4);
  assert_int_equal(at[3].t->rank, 0);
  assert_int_equal(at[3].t->count, 1);
  assert_true(at[4].n == 3 && at[4].floats[0] == 1 && at[4].floats[2] == 3);
  assert_true(at[5].n == 2 && at[5].ints[0] == -1 && at[5].ints[1] == 300);
  assert_true(at[6].n == 2 && strcmp(at[6].strings[1], "two") == 0);
  closed(m, &bytes);
}

static void elements_are_read_from_wherever_they_are(void **state) {
  (void)state;
  gi_str t = tensor("w", GI_ONNX_FLOAT, DIMS(2));
  gi_wire_put_bytes(&t, RAW, "\0\0\xc0\x3f\0\0\0\xc0", 8);
  elements_are(&t, (const double[]){1.5, -2}, 2);
  t = tensor("w", GI_ONNX_FLOAT, DIMS(2)); /* not packed */
  gi_wire_put_float(&t, FLOATS, 1.5f);
  gi_wire_put_float(&t, FLOATS, -2);
  elements_are(&t, (const double[]){1.5, -2}, 2);
  t = tensor("w", GI_ONNX_DOUBLE, DIMS(1, 1));
  gi_wire_put_doubles(&t, DOUBLES, (const double[]){1e300}, 1);
  elements_are(&t, (const double[]){1e300}, 1);
  static const struct {
    int type;
    uint32_t field;
    int64_t v[3];
  } whole[] = {
      {GI_ONNX_INT8, INT32S, {-128, 0, 127}},
      {GI_ONNX_UINT8, INT32S, {0, 1, 255}},
      {GI_ONNX_INT16, INT32S, {-32768, 1, 32767}},
      {GI_ONNX_UINT16, INT32S, {0, 1, 65535}},
      {GI_ONNX_INT32, INT32S, {INT32_MIN, -1, INT32_MAX}},
      {GI_ONNX_BOOL, INT32S, {0, 1, 1}},
      {GI_ONNX_INT64, INT64S, {-((int64_t)1 << 52), -1, (int64_t)1 << 52}},
      {GI_ONNX_UINT32, UINT64S, {0, 1, UINT32_MAX}},
      {GI_ONNX_UINT64, UINT64S, {0, 1, (int64_t)1 << 52}},
  };
  for (int i = 0; i < GI_COUNT(whole); i++) {
    t = tensor("w", whole[i].type, DIMS(3));
    gi_wire_put_varints(&t, whole[i].field, whole[i].v, 3);
    const int64_t *v = whole[i].v;
    elements_are(&t, (const double[]){(double)v[0], (double)v[1], (double)v[2]}, 3);
  }
  t = tensor("w", GI_ONNX_FLOAT16, DIMS(2)); /* as bits */
  gi_wire_put_varints(&t, INT32S, (const int64_t[]){0x3c00, 0xc000}, 2);
  elements_are(&t, (const double[]){1, -2}, 2);
  t = tensor("w", GI_ONNX_BFLOAT16, DIMS(1));
  gi_wire_put_varints(&t, INT32S, (const int64_t[]){0x3fc0}, 1);
  elements_are(&t, (const double[]){1.5}, 1);
  t = tensor("w", GI_ONNX_UINT16, DIMS(1));
  gi_wire_put_bytes(&t, RAW, "\xff\xff", 2);
  elements_are(&t, (const double[]){65535}, 1);
  t = tensor("w", GI_ONNX_BOOL, DIMS(2));
  gi_wire_put_bytes(&t, RAW, "\x00\x07", 2);
  elements_are(&t, (const double[]){0, 1}, 2);
  t = tensor("w", GI_ONNX_FLOAT, DIMS(0, 3)); /* nothing to write */
  elements_are(&t, NULL, 0);
}

static void types_without_a_dtype_are_known_by_name(void **state) {
  (void)state;
  glia_tensor *x = NULL;
  gi_str t = tensor("w", 22, DIMS(3)), bytes; /* int4: two in a byte */
  gi_wire_put_bytes(&t, RAW, "\x21\x03", 2);
  gi_str g = graph_with(&t);
  gi_onnx_model *m = opened(&g, &bytes);
  FAILS(gi_onnx_tensor_load(&m->graph.init[0], "w", &x), GLIA_UNSUPPORTED, "int4");
  closed(m, &bytes);
  t = tensor("w", GI_ONNX_STRING, DIMS(2));
  gi_wire_put_text(&t, STRINGS, "one");
  gi_wire_put_text(&t, STRINGS, "two");
  g = graph_with(&t);
  m = opened(&g, &bytes);
  assert_null(m->graph.init[0].data);
  FAILS(gi_onnx_tensor_load(&m->graph.init[0], "w", &x), GLIA_UNSUPPORTED, "string");
  closed(m, &bytes);
  assert_string_equal(gi_onnx_type_name(GI_ONNX_BFLOAT16), "bfloat16");
  assert_string_equal(gi_onnx_type_name(99), "?");
  assert_int_equal(gi_onnx_type_size(GI_ONNX_COMPLEX128), 16);
  assert_int_equal(gi_onnx_type_size(21), 0);
  glia_dtype dtype = GLIA_F32;
  for (int d = GLIA_F32; d <= GLIA_I8; d++) { /* a dtype carries its own type */
    assert_true(gi_onnx_carrier(gi_onnx_type_of((glia_dtype)d), &dtype));
    assert_int_equal(dtype, d);
  }
}

/* A sparse tensor of values 5 and 6. */
static gi_str sparse(const int64_t *dim, size_t rank, const int64_t *index_dim,
                     size_t index_rank, const int64_t *index) {
  gi_str s = {0}, v = tensor("w", GI_ONNX_INT32, DIMS(2));
  gi_wire_put_varints(&v, INT32S, (const int64_t[]){5, 6}, 2);
  gi_wire_put_message(&s, 1, &v);
  gi_str i = tensor("", GI_ONNX_INT64, index_dim, index_rank);
  size_t n = 1;
  for (size_t k = 0; k < index_rank; k++) n *= (size_t)index_dim[k];
  gi_wire_put_varints(&i, INT64S, index, n);
  gi_wire_put_message(&s, 2, &i);
  gi_wire_put_varints(&s, 3, dim, rank);
  return s;
}

static void sparse_becomes_dense(void **state) {
  (void)state;
  for (int by_axis = 0; by_axis < 2; by_axis++) {
    gi_str g = {0}, bytes;
    gi_str s = by_axis ? sparse(DIMS(2, 3), DIMS(2, 2), (const int64_t[]){0, 1, 1, 2})
                       : sparse(DIMS(2, 3), DIMS(2), (const int64_t[]){1, 5});
    gi_wire_put_message(&g, 15, &s);
    gi_onnx_model *m = opened(&g, &bytes);
    const gi_onnx_tensor *t = &m->graph.init[0];
    glia_tensor *x = NULL;
    assert_true(t->sparse);
    OK(gi_onnx_tensor_load(t, "w", &x));
    for (int64_t i = 0; i < 6; i++) NEAR(glia_tensor_get(x, i), i == 1 ? 5 : i == 5 ? 6 : 0, 0);
    glia_tensor_free(x);
    closed(m, &bytes);
  }
}

static void bad_sparse_tensors_are_refused(void **state) {
  (void)state;
  gi_str g = {0}, s = sparse(DIMS(2, 3), DIMS(2), (const int64_t[]){1, 6});
  gi_wire_put_message(&g, 15, &s);
  graph_refused(&g, "index 6 of 6 elements");
  s = sparse(DIMS(2, 3), DIMS(2), (const int64_t[]){4, 4});
  gi_wire_put_message(&g, 15, &s);
  graph_refused(&g, "do not rise");
  s = sparse(DIMS(2, 3), DIMS(2, 2), (const int64_t[]){0, 1, 0, 3});
  gi_wire_put_message(&g, 15, &s);
  graph_refused(&g, "index 3 on axis 1");
  s = sparse(DIMS(2, 3), DIMS(1), (const int64_t[]){1});
  gi_wire_put_message(&g, 15, &s);
  graph_refused(&g, "do not fit its values");
  s = sparse(DIMS((int64_t)1 << 40), DIMS(2), (const int64_t[]){1, 2});
  gi_wire_put_message(&g, 15, &s);
  graph_refused(&g, "made dense it has"); /* a terabyte of zeros in forty bytes */
}

/* ---- bad files --------------------------------------------------------------------------- */

static void every_cut_is_refused(void **state) {
  (void)state;
  gi_str g = small_graph();
  gi_str m = model_of(&g);
  for (size_t n = 0; n < m.n; n++) {
    gi_onnx_model *model = NULL;
    void *exact = malloc(n + 1); /* so that reading behind it is seen */
    assert_non_null(exact);
    memcpy(exact, m.s, n);
    char *copy = realloc(exact, n > 0 ? n : 1);
    assert_non_null(copy);
    const glia_status s = gi_onnx_from_memory(copy, n, "cut", &model);
    if (s == GLIA_OK) fail_msg("%zu of %zu bytes were taken for a model", n, m.n);
    free(copy);
  }
  gi_str_free(&m);
}

static void what_is_no_model_is_refused(void **state) {
  (void)state;
  gi_str m = {0};
  gi_str_puts(&m, "");
  refused(&m, "is empty");
  gi_str_puts(&m, "solver { net: 1 }");
  refused(&m, "test.onnx");
  gi_wire_put_varint(&m, 1, 8);
  refused(&m, "has no graph");
  gi_wire_put_bytes(&m, 7, "", 0);
  refused(&m, "has no ir_version");
  gi_wire_put_varint(&m, 1, 8);
  gi_wire_put_bytes(&m, 7, "", 0);
  gi_wire_put_bytes(&m, 7, "", 0);
  refused(&m, "has 2 graphs");
  gi_wire_put_varint(&m, 1, 8);
  gi_wire_put_bytes(&m, 7, "", 0);
  refused(&m, "operator set");
  gi_str g = small_graph();
  m = model_of(&g);
  put_opset(&m, 8, "ai.onnx", 16); /* the same domain by its long name */
  refused(&m, "ai.onnx");
}

static void depth_is_limited(void **state) {
  (void)state;
  gi_str inner = {0};
  put_node(&inner, "Relu", "", "y");
  for (int i = 0; i < 10000; i++) {
    gi_str a = {0}, n = node("If", "", ""), outer = {0};
    gi_wire_put_text(&a, 1, "then_branch");
    gi_wire_put_message(&a, 6, &inner);
    gi_wire_put_varint(&a, 20, GI_ONNX_ATTR_GRAPH);
    gi_wire_put_message(&n, 5, &a);
    gi_wire_put_message(&outer, 1, &n);
    inner = outer;
  }
  graph_refused(&inner, "more than 100 deep");
}

static void names_are_made_once_and_before_they_are_used(void **state) {
  (void)state;
  gi_str g = {0};
  put_node(&g, "Add", "a b", "y");
  graph_refused(&g, "input 0 is \"a\", which nobody makes");
  put_node(&g, "Neg", "b", "a");
  put_node(&g, "Neg", "a", "b");
  graph_refused(&g, "feed each other");
  put_node(&g, "Neg", "y", "y");
  graph_refused(&g, "feed each other");
  put_info(&g, IN, "x");
  put_node(&g, "Neg", "x", "y");
  put_node(&g, "Abs", "x", "y");
  graph_refused(&g, "node 1 \"the node\" (Abs): output \"y\": there is one");
  put_info(&g, IN, "x");
  put_node(&g, "Neg", "x", "x");
  graph_refused(&g, "output \"x\": there is one");
  put_info(&g, IN, "x");
  put_info(&g, IN, "x");
  graph_refused(&g, "input \"x\": there is one");
  for (int i = 0; i < 2; i++) {
    gi_str t = tensor("w", GI_ONNX_FLOAT, DIMS(0));
    gi_wire_put_message(&g, 5, &t);
  }
  graph_refused(&g, "initializer \"w\": there is one");
  put_info(&g, OUT, "z");
  graph_refused(&g, "output \"z\" is made by nobody");
  put_info(&g, 13, "");
  graph_refused(&g, "has no name"); /* two bytes of a file, and many of memory */
  gi_str n = node("Op", "", "y");
  for (int i = 0; i < 2; i++) {
    gi_str a = {0};
    gi_wire_put_text(&a, 1, "axis");
    gi_wire_put_varint(&a, 3, 1);
    gi_wire_put_message(&n, 5, &a);
  }
  gi_wire_put_message(&g, 1, &n);
  graph_refused(&g, "attribute \"axis\": there is one");
}

/* If with a branch of one node, which reads `in`. */
static gi_str branch(const char *in, const char *out, const char *result) {
  gi_str g = {0}, a = {0}, n = node("If", "c", "y");
  put_node(&g, "Neg", in, out);
  put_info(&g, OUT, result);
  gi_wire_put_text(&a, 1, "then_branch");
  gi_wire_put_message(&a, 6, &g);
  gi_wire_put_varint(&a, 20, GI_ONNX_ATTR_GRAPH);
  gi_wire_put_message(&n, 5, &a);
  return n;
}

static void inner_graphs_see_the_names_around(void **state) {
  (void)state;
  gi_str g = {0}, n = branch("x", "b", "b"), bytes;
  put_info(&g, IN, "c");
  put_info(&g, IN, "x");
  gi_wire_put_message(&g, 1, &n);
  put_node(&g, "Abs", "y", "b"); /* what is made within is not seen outside */
  gi_onnx_model *m = opened(&g, &bytes);
  assert_int_equal(m->graph.node[0].attr[0].g->n_node, 1);
  closed(m, &bytes);
  n = branch("x", "b", "b");
  put_info(&g, IN, "c");
  gi_wire_put_message(&g, 1, &n);
  put_node(&g, "Neg", "c", "x"); /* made, but too late */
  graph_refused(&g, "\"x\", which nobody makes");
}

static void shapes_and_bytes_agree(void **state) {
  (void)state;
  gi_str t = tensor("w", GI_ONNX_FLOAT, DIMS(2, 3));
  gi_wire_put_bytes(&t, RAW, "12345678", 8);
  tensor_refused(&t, "tensor \"w\": shape [2, 3] of float wants 24 bytes, there are 8");
  t = tensor("w", GI_ONNX_FLOAT, DIMS(3));
  gi_wire_put_floats(&t, FLOATS, (const float[]){1, 2}, 2);
  tensor_refused(&t, "wants 3 elements, there are 2");
  t = tensor("w", GI_ONNX_FLOAT, DIMS(3));
  tensor_refused(&t, "wants 12 bytes, there are 0");
  t = tensor("w", GI_ONNX_FLOAT, DIMS((int64_t)1 << 32, (int64_t)1 << 32));
  tensor_refused(&t, "more elements than can be counted");
  t = tensor("w", GI_ONNX_FLOAT, DIMS(0, INT64_MAX, INT64_MAX));
  tensor_refused(&t, "more elements than can be counted");
  t = tensor("w", GI_ONNX_FLOAT, DIMS((int64_t)1 << 40));
  gi_wire_put_bytes(&t, RAW, "1234", 4);
  tensor_refused(&t, "there are 4");
  t = tensor("w", GI_ONNX_FLOAT, DIMS(-1));
  tensor_refused(&t, "dimension 0 is -1");
  t = tensor("w", GI_ONNX_FLOAT, DIMS(1, 1, 1, 1, 1, 1, 1, 1, 1));
  tensor_refused(&t, "more than 8");
  t = tensor("w", 77, DIMS(1));
  tensor_refused(&t, "no data type 77");
  t = tensor("w", 0, DIMS(1));
  tensor_refused(&t, "no data type 0");
}

static void elements_are_of_their_type(void **state) {
  (void)state;
  gi_str t = tensor("w", GI_ONNX_FLOAT, DIMS(1));
  gi_wire_put_varints(&t, INT64S, (const int64_t[]){1}, 1);
  tensor_refused(&t, "elements of float are in field 7, want 4");
  t = tensor("w", GI_ONNX_INT8, DIMS(1));
  gi_wire_put_varints(&t, INT32S, (const int64_t[]){128}, 1);
  tensor_refused(&t, "element 0 is 128, which is no int8");
  t = tensor("w", GI_ONNX_UINT32, DIMS(1));
  gi_wire_put_varints(&t, UINT64S, (const int64_t[]){(int64_t)1 << 32}, 1);
  tensor_refused(&t, "no uint32");
  t = tensor("w", GI_ONNX_FLOAT, DIMS(1));
  gi_wire_put_float(&t, FLOATS, 1);
  gi_wire_put_bytes(&t, RAW, "1234", 4);
  tensor_refused(&t, "more than one place");
  t = tensor("w", GI_ONNX_STRING, DIMS(1));
  gi_wire_put_bytes(&t, RAW, "1234", 4);
  tensor_refused(&t, "strings cannot be raw_data");
  gi_str g = {0}, n = node("Op", "", "y"), a = {0};
  gi_wire_put_text(&a, 1, "axis");
  gi_wire_put_varint(&a, 3, 1);
  gi_wire_put_varint(&a, 20, GI_ONNX_ATTR_STRING);
  gi_wire_put_message(&n, 5, &a);
  gi_wire_put_message(&g, 1, &n);
  graph_refused(&g, "attribute \"axis\": says that it is of type 3");
  n = node("If", "", "y");
  gi_wire_put_text(&a, 1, "then_branch");
  gi_wire_put_varint(&a, 20, GI_ONNX_ATTR_GRAPH);
  gi_wire_put_message(&n, 5, &a);
  gi_wire_put_message(&g, 1, &n);
  graph_refused(&g, "attribute \"then_branch\": has no value");
  n = node("", "", "y");
  gi_wire_put_message(&g, 1, &n);
  graph_refused(&g, "has no operator");
  n = node("Op", "", "y");
  gi_wire_put_bytes(&n, 3, "a\0b", 3);
  gi_wire_put_message(&g, 1, &n);
  graph_refused(&g, "holds a NUL");
}

/* ---- functions --------------------------------------------------------------------------- */

/* A function of this name with the calls of another one. */
static void put_function(gi_str *m, const char *name, const char *calls, int times) {
  gi_str f = {0};
  gi_wire_put_text(&f, 1, name);
  gi_wire_put_text(&f, 4, "x");
  gi_wire_put_text(&f, 10, "own");
  for (int i = 0; i < times; i++) {
    char out[16];
    snprintf(out, sizeof out, "y%d", i);
    gi_str n = node(calls, "x", out);
    gi_wire_put_text(&n, 7, strcmp(calls, "Relu") == 0 ? "ai.onnx" : "own");
    gi_wire_put_message(&f, 7, &n);
  }
  gi_wire_put_text(&f, 5, "y0");
  put_opset(&f, 9, "", 17);
  gi_wire_put_message(m, 25, &f);
}

static void functions_are_read_and_do_not_call_themselves(void **state) {
  (void)state;
  gi_str g = small_graph();
  gi_str m = model_of(&g);
  put_function(&m, "f", "Relu", 2);
  gi_onnx_model *model = NULL;
  OK(open_bytes(&m, &model));
  assert_int_equal(model->n_function, 1);
  assert_string_equal(model->function[0].domain, "own");
  assert_int_equal(model->function[0].n_node, 2);
  assert_string_equal(model->function[0].node[0].domain, "");
  gi_onnx_close(model);
  put_function(&m, "f", "Relu", 1);
  refused(&m, "function");
  g = small_graph(), m = model_of(&g);
  gi_wire_put_bytes(&m, 25, "", 0);
  refused(&m, "has no name");
  g = small_graph(), m = model_of(&g);
  put_function(&m, "f", "f", 1);
  refused(&m, "calls itself");
  g = small_graph(), m = model_of(&g);
  put_function(&m, "f", "g", 1);
  put_function(&m, "g", "f", 1);
  refused(&m, "calls itself");
}

static void functions_written_out_are_bounded(void **state) {
  (void)state;
  char name[16], next[16];
  gi_str g = small_graph();
  gi_str m = model_of(&g);
  for (int i = 0; i < 30; i++) { /* 2^30 nodes */
    snprintf(name, sizeof name, "f%d", i);
    snprintf(next, sizeof next, "f%d", i + 1);
    put_function(&m, name, i == 29 ? "Relu" : next, 2);
  }
  refused(&m, "functions written out");
  g = small_graph(), m = model_of(&g);
  for (int i = 0; i < 5000; i++) {
    snprintf(name, sizeof name, "f%d", i);
    snprintf(next, sizeof next, "f%d", i + 1);
    put_function(&m, name, i == 4999 ? "Relu" : next, 1);
  }
  refused(&m, "100 deep");
}

/* ---- tensors that stand alone ------------------------------------------------------------ */

static void a_tensor_file_is_read(void **state) {
  (void)state;
  char path[700];
  snprintf(path, sizeof path, "%s/input_0.pb", test_dir("onnx_tensor"));
  gi_str t = tensor("x", GI_ONNX_INT16, DIMS(2, 1));
  gi_wire_put_varints(&t, INT32S, (const int64_t[]){-3, 4}, 2);
  OK(gi_write_file(path, t.s, t.n));
  glia_tensor *x = NULL;
  int type = 0;
  OK(gi_onnx_tensor_read(path, &x, &type));
  assert_int_equal(type, GI_ONNX_INT16);
  assert_int_equal(glia_tensor_dtype(x), GLIA_I32);
  assert_int_equal(glia_tensor_rank(x), 2);
  NEAR(glia_tensor_get(x, 0), -3, 0);
  glia_tensor_free(x);
  OK(gi_write_file(path, t.s, t.n - 1));
  FAILS(gi_onnx_tensor_read(path, &x, &type), GLIA_FORMAT, path);
  OK(gi_write_file(path, "", 0));
  FAILS(gi_onnx_tensor_read(path, &x, &type), GLIA_FORMAT, path);
  gi_str_free(&t);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  gi_str g = small_graph();
  gi_str m = model_of(&g);
  put_function(&m, "f", "Relu", 2);
  gi_onnx_model *model = NULL;
  int64_t n = 0;
  for (glia_status s = GLIA_NOMEM; s != GLIA_OK;) {
    gi_alloc_fail_after(++n);
    s = open_bytes(&m, &model);
    gi_alloc_fail_after(0);
    if (s != GLIA_OK) assert_int_equal(s, GLIA_NOMEM);
  }
  assert_in_range(n, 3, 1000);
  gi_onnx_close(model);
  gi_str_free(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_model_is_what_was_written),
      cmocka_unit_test(types_of_values_are_read),
      cmocka_unit_test(attributes_of_each_type_are_read),
      cmocka_unit_test(elements_are_read_from_wherever_they_are),
      cmocka_unit_test(types_without_a_dtype_are_known_by_name),
      cmocka_unit_test(sparse_becomes_dense),
      cmocka_unit_test(bad_sparse_tensors_are_refused),
      cmocka_unit_test(every_cut_is_refused),
      cmocka_unit_test(what_is_no_model_is_refused),
      cmocka_unit_test(depth_is_limited),
      cmocka_unit_test(names_are_made_once_and_before_they_are_used),
      cmocka_unit_test(inner_graphs_see_the_names_around),
      cmocka_unit_test(shapes_and_bytes_agree),
      cmocka_unit_test(elements_are_of_their_type),
      cmocka_unit_test(functions_are_read_and_do_not_call_themselves),
      cmocka_unit_test(functions_written_out_are_bounded),
      cmocka_unit_test(a_tensor_file_is_read),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
