/* DLPack: what is given is what others expect, deleters run once, what cannot be held is
 * refused.
 */
#include "glia/dlpack.h"
#include "tensor/dlpack.h"
#include "tensor/tensor.h"
#include "test.h"

static glia_tensor *counting(glia_dtype dtype) {
  glia_tensor *t = NULL;
  OK(glia_tensor_new(dtype, 2, (const int64_t[]){2, 3}, &t));
  for (int i = 0; i < 6; i++) glia_tensor_set(t, i, dtype == GLIA_BOOL ? i % 2 : i);
  return t;
}

static void every_type_goes_round(void **state) {
  (void)state;
  for (int d = GLIA_F32; d <= GLIA_I8; d++) {
    glia_tensor *t = counting((glia_dtype)d), *back = NULL;
    struct DLManagedTensor *m = NULL;
    OK(glia_tensor_to_dlpack(t, &m));
    assert_int_equal(m->tensor.dtype.bits, 8 * glia_dtype_size((glia_dtype)d));
    assert_int_equal(m->tensor.dtype.lanes, 1);
    assert_int_equal(m->tensor.device.type, 1);
    assert_ptr_equal(m->tensor.data, glia_tensor_data(t));
    OK(glia_tensor_from_dlpack(m, &back));
    const double before = glia_tensor_get(t, 5);
    glia_tensor_free(t); /* the memory lives on */
    assert_int_equal(glia_tensor_dtype(back), d);
    assert_int_equal(glia_tensor_rank(back), 2);
    assert_true(glia_tensor_get(back, 5) == before);
    glia_tensor_free(back);
  }
}

static void strides_go_along(void **state) {
  (void)state;
  glia_tensor *t = counting(GLIA_F32), *turned = NULL, *back = NULL;
  struct DLManagedTensor *m = NULL;
  OK(glia_tensor_permute(t, (const int[]){1, 0}, &turned));
  OK(glia_tensor_to_dlpack(turned, &m));
  assert_int_equal(m->tensor.shape[0], 3);
  assert_int_equal(m->tensor.strides[0], 1);
  assert_int_equal(m->tensor.strides[1], 3);
  OK(glia_tensor_from_dlpack(m, &back));
  for (int i = 0; i < 6; i++)
    assert_true(glia_tensor_get(back, i) == glia_tensor_get(turned, i));
  glia_tensor_set(t, 1, 50); /* one memory */
  assert_true(glia_tensor_get(back, 2) == 50);
  glia_tensor_free(t);
  glia_tensor_free(turned);
  glia_tensor_free(back);
}

/* ---- a library of somebody else ---------------------------------------------------------- */

static int deleted;
static void count_deletion(struct DLManagedTensor *self) {
  (void)self;
  deleted++;
}

static float memory[8] = {0, 1, 2, 3, 4, 5, 6, 7};
static int64_t shape[9] = {2, 2, 1, 1, 1, 1, 1, 1, 1};

static struct DLManagedTensor foreign(void) {
  struct DLManagedTensor m = {.tensor = {.data = memory, .rank = 2, .shape = shape},
                              .deleter = count_deletion};
  m.tensor.device.type = 1;
  m.tensor.dtype.code = 2;
  m.tensor.dtype.bits = 32;
  m.tensor.dtype.lanes = 1;
  return m;
}

static void the_deleter_runs_once_after_the_last_view(void **state) {
  (void)state;
  struct DLManagedTensor m = foreign();
  glia_tensor *t = NULL, *view = NULL;
  m.tensor.byte_offset = 4;
  deleted = 0;
  OK(glia_tensor_from_dlpack(&m, &t));
  assert_true(glia_tensor_get(t, 0) == 1 && glia_tensor_get(t, 3) == 4);
  OK(glia_tensor_slice(t, 0, 1, 2, 1, &view));
  glia_tensor_free(t);
  assert_int_equal(deleted, 0);
  assert_true(glia_tensor_get(view, 0) == 3);
  glia_tensor_free(view);
  assert_int_equal(deleted, 1);
}

static void steps_backwards_are_followed(void **state) {
  (void)state;
  struct DLManagedTensor m = foreign();
  int64_t strides[] = {-2, -1};
  glia_tensor *t = NULL, *copy = NULL;
  m.tensor.strides = strides;
  m.tensor.byte_offset = 3 * sizeof(float);
  OK(glia_tensor_from_dlpack(&m, &t));
  OK(glia_tensor_copy(t, &copy));
  const float want[] = {3, 2, 1, 0};
  assert_memory_equal(glia_tensor_data(copy), want, sizeof want);
  glia_tensor_free(copy);
  glia_tensor_free(t);
}

static void what_cannot_be_held_is_refused(void **state) {
  (void)state;
  glia_tensor *t = NULL;
  deleted = 0;
  struct DLManagedTensor m = foreign();
  m.tensor.device.type = 2;
  FAILS(glia_tensor_from_dlpack(&m, &t), GLIA_UNSUPPORTED, "device type 2");
  m = foreign();
  m.tensor.dtype.bits = 16;
  m.tensor.dtype.code = 1;
  FAILS(glia_tensor_from_dlpack(&m, &t), GLIA_DTYPE, "code 1, 16 bits");
  m = foreign();
  m.tensor.dtype.lanes = 4;
  FAILS(glia_tensor_from_dlpack(&m, &t), GLIA_DTYPE, "4 lanes");
  m = foreign();
  m.tensor.rank = 9;
  FAILS(glia_tensor_from_dlpack(&m, &t), GLIA_SHAPE, "rank is 9");
  m = foreign();
  m.tensor.byte_offset = 2;
  FAILS(glia_tensor_from_dlpack(&m, &t), GLIA_INVALID, "not aligned");
  m = foreign();
  m.tensor.data = NULL;
  FAILS(glia_tensor_from_dlpack(&m, &t), GLIA_INVALID, "no memory");
  FAILS(glia_tensor_from_dlpack(NULL, &t), GLIA_INVALID, "NULL");
  assert_null(t);
  assert_int_equal(deleted, 0); /* what is refused stays the caller's */
}

static void every_allocation_fails_once(void **state) {
  (void)state;
  glia_tensor *t = counting(GLIA_F32), *back = NULL;
  struct DLManagedTensor *m = NULL, mine = foreign();
  for (int i = 1; gi_alloc_fail_after(i), glia_tensor_to_dlpack(t, &m) != GLIA_OK; i++)
    assert_in_range(i, 1, 20);
  gi_alloc_fail_after(0);
  m->deleter(m);
  deleted = 0;
  for (int i = 1; gi_alloc_fail_after(i), glia_tensor_from_dlpack(&mine, &back) != GLIA_OK;
       i++) {
    assert_in_range(i, 1, 20);
    assert_int_equal(deleted, 0);
  }
  gi_alloc_fail_after(0);
  glia_tensor_free(back);
  assert_int_equal(deleted, 1);
  glia_tensor_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_type_goes_round),
      cmocka_unit_test(strides_go_along),
      cmocka_unit_test(the_deleter_runs_once_after_the_last_view),
      cmocka_unit_test(steps_backwards_are_followed),
      cmocka_unit_test(what_cannot_be_held_is_refused),
      cmocka_unit_test(every_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
