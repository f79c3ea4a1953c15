/* Vectors of words: word2vec's text and binary, GloVe's, each taken for all three. */
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_file(fuzz_row("word2vec"), data, size);
  fuzz_file(fuzz_row("word2vec binary"), data, size);
  fuzz_file(fuzz_row("glove"), data, size);
  return 0;
}
