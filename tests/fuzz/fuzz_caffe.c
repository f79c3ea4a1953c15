/* Caffe's weights: protobuf messages within messages. */
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_file(fuzz_row("caffe"), data, size);
  return 0;
}
