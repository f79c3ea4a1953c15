/* readers/npy.c - NumPy's array, and its zip of arrays. */
#include <stdlib.h>

#include "formats/npy.h"
#include "formats/zip.h"

/* ---- .npy ------------------------------------------------------------------------------- */

static bool is_npy(const unsigned char *p, size_t n) {
  return n >= 6 && memcmp(p, "\x93NUMPY", 6) == 0;
}

static glia_status open_npy(glia_file *f) {
  gi_npy h;
  gi_entry e = {.name = "a"};
  GI_TRY(gi_npy_header(f->p, f->n, f->what, &h));
  GI_TRY(gi_npy_array(&h, f->p + h.data, f->n - h.data, f->what, &e.array));
  return gi_file_add(f, &e);
}

static const char *const npy_suffixes[] = {".npy", NULL};

static const gi_reader npy = {
    .name = "npy",
    .title = "NumPy array",
    .suffixes = npy_suffixes,
    .lone = true,
    .values = true,
    .is = is_npy,
    .open = open_npy,
    .write = gi_npy_write_file,
};

/* ---- .npz ------------------------------------------------------------------------------- */

enum { HEADER_MAX = 70000 /* version 1.0's longest, and more than anybody writes */ };

/* What an entry needs to be read. */
typedef struct member {
  const gi_member *member;
  size_t data; /* where its elements begin */
} member;

/* Torch's and Keras' files are zips too. */
static bool is_npz(const unsigned char *p, size_t n) {
  gi_arena arena = {0};
  gi_zip zip;
  bool is = false;
  if (!gi_is_zip(p, n)) return false;
  if (gi_zip_open(p, n, "npz", &arena, &zip) == GLIA_OK)
    is = zip.n == 0 || gi_zip_ending(&zip, ".npy") != NULL;
  gi_arena_free(&arena);
  return is;
}

static glia_status add_member(glia_file *f, const gi_zip *zip, const gi_member *m, char *head) {
  const size_t length = strlen(m->name);
  if (length < 4 || strcmp(m->name + length - 4, ".npy") != 0) return GLIA_OK;
  size_t got = 0;
  gi_npy h;
  gi_entry e = {0};
  member *own = gi_arena_alloc(&f->arena, sizeof *own);
  char *name = gi_arena_strdup(&f->arena, m->name);
  if (own == NULL || name == NULL) return gi_fail_nomem(length + sizeof *own);
  name[length - 4] = '\0';
  GI_TRY(gi_zip_begin(zip, m, head, HEADER_MAX, &got));
  GI_TRY(gi_npy_header((const unsigned char *)head, got, m->name, &h));
  GI_TRY(gi_npy_array(&h, NULL, m->bytes - h.data, m->name, &e.array));
  *own = (member){m, h.data};
  e.name = name;
  e.own = own;
  return gi_file_add(f, &e);
}

static glia_status open_npz(glia_file *f) {
  gi_zip *zip = gi_arena_alloc(&f->arena, sizeof *zip);
  if (zip == NULL) return gi_fail_nomem(sizeof *zip);
  f->own = zip;
  GI_TRY(gi_zip_open(f->p, f->n, f->what, &f->arena, zip));
  char *head = gi_alloc(HEADER_MAX);
  if (head == NULL) return gi_fail_nomem(HEADER_MAX);
  glia_status s = GLIA_OK;
  for (size_t i = 0; i < zip->n && s == GLIA_OK; i++)
    s = gi_where(add_member(f, zip, &zip->at[i], head), "%s", f->what);
  gi_free(head);
  return s;
}

static glia_status fetch_npz(const glia_file *f, const gi_entry *e, const void **data,
                             void **hold) {
  const member *own = e->own;
  const void *all = NULL;
  GI_TRY(gi_zip_read(f->own, own->member, &all, hold));
  *data = (const unsigned char *)all + own->data;
  return GLIA_OK;
}

static const char *const npz_suffixes[] = {".npz", NULL};

static const gi_reader npz = {
    .name = "npz",
    .title = "NumPy arrays with names",
    .suffixes = npz_suffixes,
    .is = is_npz,
    .open = open_npz,
    .fetch = fetch_npz,
    .write = gi_npz_write_file,
};

const gi_reader *const gi_readers_npy[] = {&npy, &npz, NULL};
