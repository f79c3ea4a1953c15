/* formats/reader.h - what a format is that holds named tensors: one row in one file of
 * src/formats/readers/.
 *
 * An open file is a list of entries. Its row's `open` checks all that can go wrong and adds an
 * entry for each tensor, which points at the elements where they lie; entries whose elements
 * must be unpacked or computed first have no data, and the row's `fetch` gets it when it is
 * asked for. Everything else (reading, finding, writing, showing) is the same for all formats.
 *
 * Files are outside input. gi_file_add refuses what a file of that size cannot hold, so that
 * nothing is allocated on a file's word alone; where a row allocates by itself, it asks
 * gi_file_claim first.
 */
#ifndef GI_READER_H
#define GI_READER_H

#include "formats/element.h"
#include "glia/formats.h"

typedef struct gi_entry {
  const char *name;
  const char *dtype; /* the file's word for its elements; NULL: the element's name */
  gi_array array;
  size_t bytes;    /* of the elements, gathered */
  const void *own; /* of the row: what `fetch` needs */
} gi_entry;

typedef struct gi_reader gi_reader;

struct glia_file {
  const gi_reader *reader;
  const char *what;       /* leads messages */
  const char *path;       /* of the file; NULL where the bytes came from elsewhere */
  const unsigned char *p; /* its bytes, unpacked where they were gzip */
  size_t n;
  gi_map map;
  char *unpacked; /* what a gzip file held; NULL: it was none */
  gi_arena arena; /* all that entries and metadata point to, but for the elements */
  GI_VEC(gi_entry) entries;
  GI_VEC(glia_metadata) metadata;
  const gi_entry **by_name;
  const glia_metadata **by_key;
  size_t held;    /* bytes of the file, and of those that belong to it */
  size_t claimed; /* of all entries, and of what rows asked for */
  void *own;      /* of the row; freed by its `close` */
};

struct gi_reader {
  const char *name;            /* "npz" */
  const char *title;           /* "NumPy arrays with names" */
  const char *const *suffixes; /* ".npz", NULL-terminated; NULL: none */
  bool lone;                   /* one array, which has no name: it is called "a" */
  bool values;                 /* inspect shows its numbers */
  /* Does a file of these n bytes begin, or look, like one? NULL: known by its suffix alone. */
  bool (*is)(const unsigned char *p, size_t n);
  glia_status (*open)(glia_file *f);
  /* *data: the entry's elements, as its array describes them. *hold is freed by the caller
   * (gi_free). NULL where every entry has its data. */
  glia_status (*fetch)(const glia_file *f, const gi_entry *e, const void **data, void **hold);
  void (*close)(glia_file *f); /* frees f->own; NULL: there is none */
  /* Writes all entries of a file of any format. NULL: this format is only read. */
  glia_status (*write)(const char *path, const glia_file *f);
};

extern const gi_reader *const *const gi_readers_table[];

/* ---- for rows --------------------------------------------------------------------------- */

/* Adds a tensor: name, array and what the array points to but for the data are copied; `own`
 * and `dtype` are kept. GLIA_FORMAT, led by file and tensor. */
glia_status gi_file_add(glia_file *f, const gi_entry *e);
/* A tensor of dtype's elements at data, row-major (NULL: fetched); `own` is kept. */
glia_status gi_file_add_plain(glia_file *f, const char *name, const gi_element *element,
                              int rank, const int64_t *shape, const void *data,
                              const void *own);
/* So many more bytes will be made out of the file: GLIA_FORMAT where all of it is more than
 * 256 MiB and more than 100 times what is held. */
glia_status gi_file_claim(glia_file *f, size_t bytes);
/* All tensors and metadata of s, which is kept until close. */
glia_status gi_file_add_safetensors(glia_file *f, const glia_safetensors *s);
/* The most bytes that gi_file_claim lets it claim. */
size_t gi_file_trust(const glia_file *f);
/* Adds to the metadata; copies both, which count as claimed. */
glia_status gi_file_note(glia_file *f, const char *key, const char *value);

/* ---- for writers and commands ------------------------------------------------------------ */

/* The row for a file by its beginning, else by its name; NULL: none fits. */
const gi_reader *gi_reader_by_content(const unsigned char *p, size_t n);
const gi_reader *gi_reader_by_name(const char *path);
void gi_reader_names(gi_str *out); /* "npy, npz, safetensors", in the order of the table */

/* As glia_file_open, from n bytes that are kept until close; what leads messages. reader NULL:
 * the row is found. */
glia_status gi_file_from_memory(const gi_reader *reader, const void *p, size_t n,
                                const char *what, glia_file **out);
/* A file that is nowhere but in memory, with these tensors, which are kept until close; its
 * entries are in their order. */
glia_status gi_file_of(const char *what, const glia_named_tensor *tensors, int n,
                       const glia_metadata *metadata, int n_metadata, glia_file **out);

typedef struct gi_elements {
  const void *data; /* row-major, without gaps, in this machine's byte order */
  size_t bytes;
  void *hold[2];
} gi_elements;
/* Of entry i, for as long as the file is open and until gi_elements_clear. */
glia_status gi_file_elements(const glia_file *f, int i, gi_elements *out);
void gi_elements_clear(gi_elements *e);

/* The writers of the rows. */
glia_status gi_safetensors_write_file(const char *path, const glia_file *f);
glia_status gi_npz_write_file(const char *path, const glia_file *f);
glia_status gi_npy_write_file(const char *path, const glia_file *f);

#endif /* GI_READER_H */
