/* Pickles: whatever they say, plain data come of them or a refusal, and tensors stay inside
 * their storages. */
#include "formats/pickle.h"
#include "fuzz.h"

static void check_tensor(const gi_value *v) {
  int64_t last = v->offset;
  for (int i = 0; i < v->rank; i++) {
    if (v->shape[i] == 0) return;
    last += (v->shape[i] - 1) * v->strides[i];
  }
  if (v->offset < 0 || last < 0 || last >= v->storage->count) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  gi_arena arena = {0};
  gi_pickle p;
  if (gi_pickle_read(data, size, "fuzz", &arena, &p) == GLIA_OK) {
    if (p.root == NULL || p.bytes > size) abort();
    if (p.root->kind == GI_PICKLE_TENSOR) check_tensor(p.root);
    for (size_t i = 0; p.root->kind == GI_PICKLE_DICT && i < p.root->n; i++)
      if (p.root->item[i]->kind == GI_PICKLE_TENSOR) check_tensor(p.root->item[i]);
  }
  gi_arena_free(&arena);
  return 0;
}
