/* .npy files: what is read is contiguous, no larger than the file can fill, and prints. */
#include "formats/formats.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  glia_tensor *t = NULL;
  if (gi_npy_from_memory(data, size, "fuzz", &t) != GLIA_OK) return 0;
  /* widening makes four bytes of one at most */
  if (!glia_tensor_is_contiguous(t) || glia_tensor_bytes(t) / 4 > size) abort();
  char *text = glia_tensor_text(t, 2);
  if (text == NULL) abort();
  free(text);
  glia_tensor_free(t);
  return 0;
}
