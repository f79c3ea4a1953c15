/* formats/element.h - the elements of files: what types there are, and how they become those of
 * this machine, row by row.
 *
 * Files know more types than glia_dtype has (u16, u64, complex, text). A file's elements are
 * kept as the file has them, so that they can be written to another file unchanged; a tensor is
 * made of those that one of glia's types holds exactly.
 */
#ifndef GI_ELEMENT_H
#define GI_ELEMENT_H

#include "base/base.h"
#include "glia/tensor.h"

enum { GI_NOT_HELD = -1 };

typedef struct gi_element {
  const char *name; /* "F32": safetensors' word, and what is told of a tensor */
  const char *npy;  /* "f4": NumPy's word without its byte order; NULL: it has none */
  unsigned bits;    /* of one element; 0: text, as wide as each array has it */
  bool is_signed;
  bool foreign; /* to safetensors, which has no such type */
  int dtype;    /* of a tensor that holds all its values; GI_NOT_HELD */
} gi_element;

/* NULL where there is none. Text is "TEXT", UTF-32 padded with zeros, as NumPy's U. */
const gi_element *gi_element_of(glia_dtype dtype);
const gi_element *gi_element_named(const char *name);
const gi_element *gi_element_npy(const char *word);
/* Has a tensor of e's dtype the same bits? */
bool gi_element_is_own(const gi_element *e);

/* Elements somewhere in memory. */
typedef struct gi_array {
  const gi_element *element;
  size_t width; /* bytes of an element of text; of others, by the element */
  int rank;
  const int64_t *shape;
  const int64_t *strides; /* in elements; NULL: row-major, without gaps */
  const void *data;       /* of element [0, 0...]; need not be aligned */
  bool swap;              /* the most significant byte comes first */
} gi_array;

/* Bytes of all elements, row-major and without gaps. GLIA_FORMAT where they overflow or do not
 * fill whole bytes. */
glia_status gi_array_bytes(const gi_array *a, size_t *out);
int64_t gi_array_count(const gi_array *a); /* after gi_array_bytes has said that it fits */
/* Is the data what gi_array_gather would write? */
bool gi_array_is_plain(const gi_array *a);
/* Row-major, without gaps, in this machine's byte order. At most GI_ARRAY_RANK axes where there
 * are strides. */
enum { GI_ARRAY_RANK = 64 };
void gi_array_gather(const gi_array *a, void *to);
/* A tensor of the array's elements; owned. GLIA_DTYPE where none holds them, GLIA_SHAPE for
 * more axes than it has; `what` and `name` lead messages. */
glia_status gi_array_tensor(const gi_array *a, const char *what, const char *name,
                            glia_tensor **out);

#endif /* GI_ELEMENT_H */
