/* Files of tensors whose format is found by their content, also inside gzip. HDF5 is left out:
 * what a fuzzer finds there is its library's. */
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const gi_reader *reader = gi_reader_by_content(data, size);
  if (reader != NULL &&
      (strcmp(reader->name, "hdf5") == 0 || strcmp(reader->name, "keras") == 0))
    return 0;
  fuzz_file(NULL, data, size);
  return 0;
}
