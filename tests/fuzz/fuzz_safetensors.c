/* safetensors files: what opens can be listed, and what can be read can be written. */
#include "formats/formats.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  glia_safetensors *f = NULL;
  if (gi_safetensors_from_memory(data, size, "fuzz", &f) != GLIA_OK) return 0;
  size_t letters = 0;
  for (int i = 0; i < glia_safetensors_count(f); i++) {
    const int64_t *shape = NULL;
    const int rank = glia_safetensors_shape(f, i, &shape);
    letters += strlen(glia_safetensors_name(f, i)) + strlen(glia_safetensors_dtype(f, i));
    for (int k = 0; k < rank; k++)
      if (shape[k] < 0) abort();
    glia_tensor *t = NULL;
    if (glia_safetensors_read(f, i, &t) == GLIA_OK) {
      if (glia_tensor_count(t) > 0 && glia_tensor_data(t) == NULL) abort();
      glia_tensor_free(t);
    }
  }
  const char *key;
  for (int i = 0; (key = glia_safetensors_metadata_key(f, i)) != NULL; i++)
    letters += strlen(glia_safetensors_metadata(f, key));
  glia_safetensors_close(f);
  return letters == SIZE_MAX;
}
