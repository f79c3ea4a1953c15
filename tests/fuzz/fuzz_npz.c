/* .npz: zip archives of arrays, stored and deflated. */
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_file(fuzz_row("npz"), data, size);
  return 0;
}
