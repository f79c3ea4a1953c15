/* Pairs of idx files, plain or gzip: two bytes say how long the labels are, then labels,
 * images. What opens can be read to its last sample. */
#include "data/dataset.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  const size_t rest = size - 2, labels = GI_MIN((size_t)data[0] << 8 | data[1], rest);
  gi_stream a, b;
  if (gi_stream_open_bytes(&a, data + 2, labels, "labels") != GLIA_OK) abort();
  if (gi_stream_open_bytes(&b, data + 2 + labels, rest - labels, "images") != GLIA_OK) abort();
  glia_dataset *d = NULL;
  if (gi_idx_dataset(&b, &a, 0, &d) == GLIA_OK) {
    void *x = malloc(gi_sample_bytes(glia_dataset_spec(d)));
    int64_t y;
    if (x == NULL) abort();
    for (int64_t i = 0; i < glia_dataset_count(d); i++)
      if (glia_dataset_read(d, i, x, &y) != GLIA_OK) abort();
    free(x);
    glia_dataset_free(d);
  }
  gi_stream_close(&a);
  gi_stream_close(&b);
  return 0;
}
