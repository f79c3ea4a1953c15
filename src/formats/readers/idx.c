/* readers/idx.c - the array of an idx file, as MNIST keeps its images and labels.
 *
 * Two zero bytes, the type of the elements, the number of axes; one big-endian u32 an axis; the
 * elements, row-major and big-endian (Y. LeCun, "The MNIST database of handwritten digits").
 */
#include <inttypes.h>

#include "formats/reader.h"

enum { AXES = 8 };

static const struct {
  unsigned char code;
  const char *element;
} types[] = {{8, "U8"}, {9, "I8"}, {11, "I16"}, {12, "I32"}, {13, "F32"}, {14, "F64"}};

static bool is_idx(const unsigned char *p, size_t n) {
  return n >= 4 && p[0] == 0 && p[1] == 0 && p[2] >= 8 && p[2] <= 14 && p[3] >= 1 &&
         p[3] <= AXES;
}

static glia_status open_idx(glia_file *f) {
  const unsigned char *p = f->p;
  if (!is_idx(p, f->n)) return gi_fail(GLIA_FORMAT, "%s: does not hold an idx file", f->what);
  const char *type = NULL;
  for (int i = 0; i < GI_COUNT(types); i++)
    if (types[i].code == p[2]) type = types[i].element;
  if (type == NULL)
    return gi_fail(GLIA_FORMAT, "%s: elements are of type %d, which idx does not know", f->what,
                   p[2]);
  const size_t start = 4 + 4 * (size_t)p[3];
  if (f->n < start)
    return gi_fail(GLIA_FORMAT, "%s: ends within its header; truncated?", f->what);
  int64_t shape[AXES];
  for (int i = 0; i < p[3]; i++) {
    const unsigned char *q = p + 4 + 4 * i;
    shape[i] = (int64_t)q[0] << 24 | q[1] << 16 | q[2] << 8 | q[3];
  }
  const gi_entry e = {.name = "a",
                      .array = {.element = gi_element_named(type),
                                .rank = p[3],
                                .shape = shape,
                                .data = p + start,
                                .swap = true}};
  size_t wanted = 0;
  if (gi_array_bytes(&e.array, &wanted) != GLIA_OK)
    return gi_fail(GLIA_FORMAT, "%s: its axes overflow", f->what);
  if (f->n - start != wanted)
    return gi_fail(GLIA_FORMAT, "%s: %zu bytes of elements, wanted %zu by its header", f->what,
                   f->n - start, wanted);
  return gi_file_add(f, &e);
}

static const char *const suffixes[] = {"-ubyte", ".idx", NULL};

static const gi_reader idx = {
    .name = "idx",
    .title = "array as MNIST keeps it",
    .suffixes = suffixes,
    .lone = true,
    .is = is_idx,
    .open = open_idx,
};

const gi_reader *const gi_readers_idx[] = {&idx, NULL};
