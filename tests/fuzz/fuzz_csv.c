/* CSV: the first byte chooses options, the rest is the table. What opens can be read to its
 * last row, and all its numbers are finite. */
#include <math.h>

#include "data/dataset.h"
#include "fuzz.h"

static void read_all(const glia_dataset *d) {
  const glia_sample_spec *s = glia_dataset_spec(d);
  float *x = malloc(gi_sample_bytes(s)), target = 0.0f;
  int64_t label;
  if (x == NULL) abort();
  for (int64_t i = 0; i < glia_dataset_count(d); i++) {
    void *y = s->classes > 0 ? (void *)&label : (void *)&target;
    if (glia_dataset_read(d, i, x, y) != GLIA_OK || !isfinite(target)) abort();
    for (int64_t k = 0; k < s->shape[0]; k++)
      if (!isfinite(x[k])) abort();
  }
  for (int c = 0; c < s->classes; c++)
    if (glia_dataset_class(d, c) == NULL) abort();
  free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const classes[] = {"a", "1", "yes"};
  static const char separators[] = {0, ',', ';', '\t'};
  if (size == 0) return 0;
  const uint8_t choice = data[0];
  glia_csv_opts o = {.regression = (choice & 1) != 0, .separator = separators[choice >> 1 & 3]};
  if ((choice & 8) != 0) o.target = "0";
  if ((choice & 17) == 16) {
    o.classes = classes;
    o.n_classes = GI_COUNT(classes);
  }
  glia_dataset *d = NULL;
  if (gi_csv_dataset((const char *)data + 1, size - 1, "fuzz", &o, &d) == GLIA_OK) {
    read_all(d);
    glia_dataset_free(d);
  }
  return 0;
}
