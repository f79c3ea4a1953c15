/* formats/npy.h - NumPy's arrays, alone in a file and as members of a .npz. */
#ifndef GI_NPY_H
#define GI_NPY_H

#include "formats/reader.h"

enum { GI_NPY_RANK = 32 /* as NumPy 1 */ };

typedef struct gi_npy {
  const gi_element *element;
  size_t width;  /* of text */
  char word[32]; /* its type as it is written, '<f4' */
  bool swap, fortran;
  int rank;
  int64_t dim[GI_NPY_RANK], stride[GI_NPY_RANK];
  size_t data; /* where the elements begin */
} gi_npy;

/* The header at the beginning of n bytes, behind which elements may follow or be missing. */
glia_status gi_npy_header(const unsigned char *p, size_t n, const char *what, gi_npy *h);
/* The array of n bytes of elements, which must be as many as the shape says. It points into h.
 */
glia_status gi_npy_array(gi_npy *h, const void *data, size_t n, const char *what,
                         gi_array *out);

/* An entry as a .npy file: its header, then its elements. */
typedef struct gi_npy_bytes {
  gi_str head;
  gi_elements elements;
} gi_npy_bytes;
glia_status gi_npy_encode(const glia_file *f, int i, gi_npy_bytes *out);
void gi_npy_bytes_clear(gi_npy_bytes *b);

#endif /* GI_NPY_H */
