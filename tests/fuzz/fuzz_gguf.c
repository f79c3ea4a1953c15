/* GGUF: pairs, tensors and blocks of every type. */
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_file(fuzz_row("gguf"), data, size);
  return 0;
}
