/* Attributes by their schema: copied deep, compared, hashed and printed, each kind of field. */
#include "test.h"

#include "graph/graph.h"

typedef struct every { /* one field of each kind */
  double f64;
  int64_t i64;
  uint64_t u64;
  bool truth;
  gi_dims dims;
  glia_dtype dtype;
  const char *name;
  gi_type type;
  gi_literal literal;
  gi_blob blob;
} every;

static const gi_attr fields[] = {
    {"f64", GI_ATTR_F64, offsetof(every, f64), ""},
    {"i64", GI_ATTR_I64, offsetof(every, i64), ""},
    {"u64", GI_ATTR_U64, offsetof(every, u64), ""},
    {"truth", GI_ATTR_BOOL, offsetof(every, truth), ""},
    {"dims", GI_ATTR_DIMS, offsetof(every, dims), ""},
    {"dtype", GI_ATTR_DTYPE, offsetof(every, dtype), ""},
    {"name", GI_ATTR_NAME, offsetof(every, name), ""},
    {"type", GI_ATTR_TYPE, offsetof(every, type), ""},
    {"literal", GI_ATTR_LITERAL, offsetof(every, literal), ""},
    {"blob", GI_ATTR_BLOB, offsetof(every, blob), ""},
    {NULL, GI_ATTR_I64, 0, NULL},
};

static glia_status infer(gi_infer *c) {
  c->out[0] = c->in[0];
  return GLIA_OK;
}

static const gi_op op = {.name = "every",
                         .min_in = 1,
                         .max_in = 1,
                         .n_out = 1,
                         .attr_size = sizeof(every),
                         .attrs = fields,
                         .infer = infer,
                         .no_grad = "it is a test"};

static float numbers[] = {1.5f, -2, 3, 4, 5};
static char bytes[] = "bytes";
static char name[] = "relu";

static every first(void) {
  every a;
  memset(&a, 0, sizeof a);
  a.f64 = 0.25;
  a.i64 = -7;
  a.u64 = 0xabcdef;
  a.truth = true;
  a.dims = (gi_dims){.n = 3, .at = {2, 1, 0}};
  a.dtype = GLIA_BF16;
  a.name = name;
  a.type = (gi_type){.dtype = GLIA_I64, .rank = 2, .dim = {4, 5}};
  a.literal = (gi_literal){{.dtype = GLIA_F32, .rank = 1, .dim = {5}}, numbers};
  a.blob = (gi_blob){sizeof bytes, bytes};
  return a;
}

static void test_each_field_counts(void **state) {
  static const float other[] = {1.5f, -2, 3, 4, 6};
  (void)state;
  const every a = first();
  for (int i = 0; i < 13; i++) {
    every b = first();
    switch (i) {
      case 0: b.f64 = -0.25; break;
      case 1: b.i64 = 7; break;
      case 2: b.u64++; break;
      case 3: b.truth = false; break;
      case 4: b.dims.n = 2; break;
      case 5: b.dims.at[2] = 1; break;
      case 6: b.dtype = GLIA_F16; break;
      case 7: b.name = "tanh"; break;
      case 8: b.type.dim[1] = 6; break;
      case 9: b.type.dtype = GLIA_I32; break;
      case 10: b.literal.data = other; break;
      case 11: b.literal.type.dim[0] = 4; break;
      default: b.blob = (gi_blob){sizeof bytes - 1, bytes}; break;
    }
    if (gi_attr_equal(&op, &a, &b)) fail_msg("change %d is not seen", i);
    if (gi_attr_hash(&op, &a) == gi_attr_hash(&op, &b)) fail_msg("change %d keeps the hash", i);
  }
  const every same = first();
  assert_true(gi_attr_equal(&op, &a, &same));
  assert_true(gi_attr_hash(&op, &a) == gi_attr_hash(&op, &same));
}

/* What lies behind the last of the dims is no part of them, nor are the paddings of the struct.
 */
static void test_what_does_not_count(void **state) {
  (void)state;
  every a = first(), b;
  memset(&b, 0xff, sizeof b);
  b.f64 = a.f64, b.i64 = a.i64, b.u64 = a.u64, b.truth = a.truth, b.dtype = a.dtype;
  b.dims = a.dims, b.name = a.name, b.type = a.type, b.literal = a.literal, b.blob = a.blob;
  b.dims.at[5] = 99;
  assert_true(gi_attr_equal(&op, &a, &b));
  assert_true(gi_attr_hash(&op, &a) == gi_attr_hash(&op, &b));
}

static void test_zeros_and_nan(void **state) {
  (void)state;
  every a = first(), b = first();
  a.f64 = 0.0;
  b.f64 = -0.0; /* 1 / 0 and 1 / -0 differ */
  assert_false(gi_attr_equal(&op, &a, &b));
  a.f64 = b.f64 = NAN; /* the same NaN is the same attribute */
  assert_true(gi_attr_equal(&op, &a, &b));
}

static void test_copies_are_deep(void **state) {
  (void)state;
  gi_arena arena = {0};
  float own_numbers[5];
  char own_bytes[sizeof bytes], own_name[] = "relu";
  memcpy(own_numbers, numbers, sizeof numbers);
  memcpy(own_bytes, bytes, sizeof bytes);
  every a = first();
  a.literal.data = own_numbers;
  a.blob.data = own_bytes;
  a.name = own_name;
  const void *copy = gi_attr_copy(&arena, &op, &a);
  assert_non_null(copy);
  memset(own_numbers, 0, sizeof own_numbers);
  memset(own_bytes, 0, sizeof own_bytes);
  memset(own_name, 'x', 4);
  const every want = first();
  assert_true(gi_attr_equal(&op, copy, &want));
  gi_arena_free(&arena);
}

static void test_copies_without_memory(void **state) {
  (void)state;
  const every a = first();
  for (int n = 1; n <= 2; n++) { /* the arena takes blocks: few allocations in all */
    gi_arena arena = {0};
    float large[4096] = {0};
    every b = a;
    b.literal = (gi_literal){{.dtype = GLIA_F32, .rank = 1, .dim = {4096}}, large};
    gi_alloc_fail_after(n);
    assert_null(gi_attr_copy(&arena, &op, &b));
    gi_alloc_fail_after(0);
    gi_arena_free(&arena);
  }
}

static void test_text(void **state) {
  (void)state;
  gi_str s = {0};
  const every a = first();
  gi_attr_text(&op, &a, &s);
  assert_string_equal(
      s.s,
      "f64=0.25 i64=-7 u64=0000000000abcdef truth=true dims=[2, 1, 0] dtype=bf16 "
      "name=\"relu\" type=i64 [4, 5] literal={1.5, -2, 3, ...} blob=6 bytes");
  gi_str_free(&s);
}

/* In a graph: equal attributes are one node, and live in the graph's own memory. */
static void test_nodes_keep_their_attributes(void **state) {
  (void)state;
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  char own_name[] = "relu";
  every a = first();
  a.name = own_name;
  const glia_value x = glia_input(g, "x", GLIA_F32, 0, NULL), y = gi_emit1(&op, &a, x);
  memset(own_name, 'y', 4);
  const every same = first();
  assert_int_equal(gi_emit1(&op, &same, x).id, y.id);
  every other = first();
  other.dims.at[0] = 5;
  assert_int_not_equal(gi_emit1(&op, &other, x).id, y.id);
  glia_graph_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_field_counts),
      cmocka_unit_test(test_what_does_not_count),
      cmocka_unit_test(test_zeros_and_nan),
      cmocka_unit_test(test_copies_are_deep),
      cmocka_unit_test(test_copies_without_memory),
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_nodes_keep_their_attributes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
