/* safetensors files: what opens lists and finds its tensors, and reads those that can be held.
 */
#include "formats/formats.h"
#include "fuzz.h"

static void check_tensor(const glia_safetensors *f, int i) {
  const int64_t *shape = NULL;
  const int rank = glia_safetensors_shape(f, i, &shape);
  const char *name = glia_safetensors_name(f, i);
  if (rank > 0 && shape == NULL) abort();
  if (glia_safetensors_dtype(f, i) == NULL || glia_safetensors_find(f, name) != i) abort();
  glia_tensor *t = NULL;
  const glia_status s = glia_safetensors_read(f, i, &t);
  if (s != GLIA_OK && s != GLIA_DTYPE && s != GLIA_SHAPE && s != GLIA_NOMEM) abort();
  if (s == GLIA_OK && glia_tensor_rank(t) != rank) abort();
  char *text = s == GLIA_OK ? glia_tensor_text(t, 2) : NULL; /* looks at the elements */
  free(text);
  glia_tensor_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  glia_safetensors *f = NULL;
  if (gi_safetensors_from_memory(data, size, "fuzz", &f) != GLIA_OK) return 0;
  for (int i = 0; i < glia_safetensors_count(f); i++) check_tensor(f, i);
  const char *key = NULL;
  for (int i = 0; (key = glia_safetensors_metadata_key(f, i)) != NULL; i++)
    if (glia_safetensors_metadata(f, key) == NULL) abort();
  glia_safetensors_close(f);
  return 0;
}
