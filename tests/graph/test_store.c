/* The store: named tensors in the order of creation, whose memory stays where it is. */
#include "test.h"

#include "graph/store.h"

static const gi_type pair = {.dtype = GLIA_F32, .rank = 1, .dim = {2}};

static glia_store *store_new(void) {
  glia_store *s = NULL;
  OK(glia_store_new(&s));
  return s;
}

static void test_entries(void **state) {
  (void)state;
  glia_store *s = store_new();
  gi_entry *e = NULL;
  const gi_type scalar = {.dtype = GLIA_F64};
  OK(gi_store_add(s, "fc.weight", GLIA_PARAMETER, &pair, &e));
  OK(gi_store_add(s, "bn.running_mean", GLIA_BUFFER, &pair, NULL));
  OK(gi_store_add(s, "optimizer.step", GLIA_STATE, &scalar, NULL));
  assert_int_equal(glia_store_count(s), 3);
  assert_int_equal(glia_store_parameters(s), 2);
  assert_string_equal(glia_store_name(s, 1), "bn.running_mean");
  assert_int_equal(glia_store_kind_of(s, 0), GLIA_PARAMETER);
  assert_int_equal(glia_store_kind_of(s, 2), GLIA_STATE);
  assert_ptr_equal(glia_store_get(s, "fc.weight"), e->tensor);
  assert_ptr_equal(glia_store_tensor(s, 0), e->tensor);
  NEAR(glia_tensor_get(e->tensor, 1), 0, 0);
  assert_null(glia_store_get(s, "fc"));
  assert_null(glia_store_get(s, ""));
  assert_null(glia_store_name(s, 3));
  assert_null(glia_store_name(s, -1));
  assert_null(glia_store_tensor(s, 3));
  FAILS(gi_store_add(s, "fc.weight", GLIA_BUFFER, &pair, NULL), GLIA_INVALID,
        "fc.weight: the store has a tensor of this name");
  const gi_type bad = {.dtype = GLIA_F32, .rank = 1, .dim = {-2}};
  FAILS(gi_store_add(s, "bad", GLIA_BUFFER, &bad, NULL), GLIA_SHAPE, "-2");
  assert_int_equal(glia_store_count(s), 3);
  glia_store_free(s);
  glia_store_free(NULL);
}

static void test_memory_stays(void **state) {
  (void)state;
  glia_store *s = store_new();
  const void *data[300];
  for (int i = 0; i < GI_COUNT(data); i++) {
    char name[32];
    gi_entry *e = NULL;
    snprintf(name, sizeof name, "layer%d.weight", i);
    OK(gi_store_add(s, name, GLIA_PARAMETER, &pair, &e));
    data[i] = glia_tensor_data(e->tensor);
    glia_tensor_set(e->tensor, 0, i);
  }
  for (int i = 0; i < GI_COUNT(data); i++) {
    assert_ptr_equal(glia_tensor_data(glia_store_tensor(s, i)), data[i]);
    NEAR(glia_tensor_get(glia_store_tensor(s, i), 0), i, 0);
    assert_true((uintptr_t)data[i] % 64 == 0);
  }
  glia_store_free(s);
}

static void test_freezing(void **state) {
  static const char *const names[] = {"layer1.0.weight", "layer1.1.weight", "layer10.weight",
                                      "fc.weight"};
  (void)state;
  glia_store *s = store_new();
  for (int i = 0; i < GI_COUNT(names); i++)
    OK(gi_store_add(s, names[i], GLIA_PARAMETER, &pair, NULL));
  OK(gi_store_add(s, "layer1.0.running_mean", GLIA_BUFFER, &pair, NULL));
  const uint64_t before = gi_store_freezes(s);
  assert_int_equal(glia_store_freeze(s, "layer1.", true), 2);
  assert_true(gi_store_find(s, "layer1.1.weight")->frozen);
  assert_false(gi_store_find(s, "layer10.weight")->frozen);
  assert_false(gi_store_find(s, "layer1.0.running_mean")->frozen);
  assert_true(gi_store_freezes(s) > before);
  const uint64_t after = gi_store_freezes(s);
  assert_int_equal(glia_store_freeze(s, "layer1.", true), 2); /* nothing changes */
  assert_int_equal(glia_store_freeze(s, "nothing", true), 0);
  assert_true(gi_store_freezes(s) == after);
  assert_int_equal(glia_store_freeze(s, "", false), 4);
  assert_false(gi_store_find(s, "layer1.1.weight")->frozen);
  glia_store_free(s);
}

static void test_without_memory(void **state) {
  (void)state;
  for (int n = 1; n < 12; n++) {
    glia_store *s = NULL;
    gi_alloc_fail_after(n);
    glia_status status = glia_store_new(&s);
    if (status == GLIA_OK) status = gi_store_add(s, "w", GLIA_PARAMETER, &pair, NULL);
    gi_alloc_fail_after(0);
    if (n <= 5) assert_int_equal(status, GLIA_NOMEM);
    if (s != NULL) {
      assert_int_equal(glia_store_count(s), status == GLIA_OK);
      if (status != GLIA_OK) OK(gi_store_add(s, "w", GLIA_PARAMETER, &pair, NULL));
    }
    glia_store_free(s);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_entries),
      cmocka_unit_test(test_memory_stays),
      cmocka_unit_test(test_freezing),
      cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
