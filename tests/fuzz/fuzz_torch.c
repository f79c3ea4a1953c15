/* Torch checkpoints, zip and legacy; pickles inside zips have a checksum, which a fuzzer does
 * not guess: fuzz_pickle is for them. */
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_file(fuzz_row("torch"), data, size);
  return 0;
}
