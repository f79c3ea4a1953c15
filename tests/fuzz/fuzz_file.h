/* What the targets of file formats share: a row's reader on some bytes, all of what it finds
 * read, and no more memory claimed than such a file is trusted with. */
#ifndef GI_FUZZ_FILE_H
#define GI_FUZZ_FILE_H

#include "formats/reader.h"
#include "fuzz.h"

static inline const gi_reader *fuzz_row(const char *name) {
  for (int i = 0; gi_readers_table[i] != NULL; i++)
    for (int k = 0; gi_readers_table[i][k] != NULL; k++)
      if (strcmp(gi_readers_table[i][k]->name, name) == 0) return gi_readers_table[i][k];
  abort();
}

/* reader NULL: found by the content. */
static inline void fuzz_file(const gi_reader *reader, const uint8_t *data, size_t size) {
  glia_file *f = NULL;
  if (gi_file_from_memory(reader, data, size, "fuzz", &f) != GLIA_OK) return;
  for (int i = 0; i < glia_file_count(f); i++) {
    gi_elements e;
    if (glia_file_name(f, i) == NULL || glia_file_find(f, glia_file_name(f, i)) != i) abort();
    if (gi_file_elements(f, i, &e) != GLIA_OK) continue;
    unsigned sum = 0;
    for (size_t k = 0; k < e.bytes; k++) sum += ((const unsigned char *)e.data)[k];
    if (sum == UINT32_MAX) abort(); /* never: so that every byte is looked at */
    gi_elements_clear(&e);
  }
  for (int i = 0; glia_file_metadata_key(f, i) != NULL; i++)
    if (glia_file_metadata(f, glia_file_metadata_key(f, i)) == NULL) abort();
  glia_file_close(f);
}

#endif /* GI_FUZZ_FILE_H */
