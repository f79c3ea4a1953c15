/* .npy files: what is read prints. */
#include "formats/formats.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  glia_tensor *t = NULL;
  if (gi_npy_from_memory(data, size, "fuzz", &t) != GLIA_OK) return 0;
  char *text = glia_tensor_text(t, 2);
  if (text == NULL) abort();
  free(text);
  glia_tensor_free(t);
  return 0;
}
