/* readers/hdf5.c - weights that Keras keeps: .h5 (HDF5), and .keras, a zip with one inside.
 *
 * A data set is a tensor, called by its path with dots: layers/dense/vars/0 is
 * "layers.dense.vars.0". Keras 2 repeats a layer's name (dense/dense/kernel:0), and puts the
 * whole below model_weights in a file of a model: neither is part of the name. Short texts
 * beside the root (model_config, keras_version) are metadata, as are a .keras file's JSON
 * members.
 *
 * The library has bugs that hostile files reach: of 6000 copies of two files with up to six
 * bytes changed at random, Debian's 1.10.8 crashed on 6 and found no end on 8. So it is
 * optional, it is loaded when the first such file is opened (hdf5.h), it is told to do as
 * little as it can (no links to other files, no data sets made of others, no plug-ins for
 * filters; only hard links are followed, to a depth), and it runs in a process of its own,
 * which ends with it: that one writes what it finds as safetensors into a pipe, and this one
 * reads those, trusting nothing.
 */
#include "base/apart.h"
#include "formats/formats.h"
#include "formats/reader.h"
#include "formats/zip.h"

static const char *const h5_suffixes[] = {".h5", ".hdf5", NULL};
static const char *const keras_suffixes[] = {".keras", NULL};
static const char weights_member[] = "model.weights.h5";

static bool is_h5(const unsigned char *p, size_t n) {
  return n >= 8 && memcmp(p, "\x89HDF\r\n\x1a\n", 8) == 0;
}

static bool is_keras(const unsigned char *p, size_t n) {
  gi_arena arena = {0};
  gi_zip zip;
  bool is = false;
  if (!gi_is_zip(p, n)) return false;
  if (gi_zip_open(p, n, "keras", &arena, &zip) == GLIA_OK)
    is = gi_zip_find(&zip, weights_member) != NULL;
  gi_arena_free(&arena);
  return is;
}

#ifdef GI_HAS_HDF5

#include <pthread.h>

#include "formats/hdf5.h"

enum {
  SECONDS = 10, /* of processor time, and one more for each of so many bytes */
  BYTES_A_SECOND = 10 << 20
};
enum { DEPTH = 32, OBJECTS = 1 << 16, PATH_BYTES = 4096, TEXT_MAX = 16 << 20, RANK = 32 };

enum { READ_ONLY = 0 }; /* H5F_ACC_RDONLY, whose macro calls the library by its name */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const gi_hdf5 *h5; /* NULL until it is wanted; loaded under the lock */

typedef struct weights {
  void *unpacked;            /* what lay deflated in a .keras file */
  char *found;               /* the file as safetensors */
  glia_safetensors *tensors; /* in `found` */
  /* What the other process reads, and how far it is. */
  const char *path; /* NULL: the bytes */
  const void *p;
  size_t n;
  hid_t file;
  int64_t objects;
} weights;

typedef struct dataset {
  haddr_t address; /* of the object in the file: a path could lead elsewhere by now */
} dataset;

/* What visiting a group needs; `status` latches. */
typedef struct visit {
  glia_file *f;
  const char *path; /* of the group, with dots */
  int depth;
  glia_status status;
} visit;

/* ---- data sets -------------------------------------------------------------------------- */

static const gi_element *float_element(hid_t type) {
  size_t sign, exponent, exponent_bits, mantissa, mantissa_bits;
  if (h5->H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0)
    return NULL;
  const size_t size = h5->H5Tget_size(type);
  if (mantissa != 0 || exponent != mantissa_bits || sign != size * 8 - 1) return NULL;
  if (size == 8 && exponent_bits == 11) return gi_element_of(GLIA_F64);
  if (size == 4 && exponent_bits == 8) return gi_element_of(GLIA_F32);
  if (size == 2 && exponent_bits == 8) return gi_element_of(GLIA_BF16);
  return size == 2 && exponent_bits == 5 ? gi_element_of(GLIA_F16) : NULL;
}

static const gi_element *integer_element(hid_t type) {
  const size_t size = h5->H5Tget_size(type);
  char name[8];
  if (size != 1 && size != 2 && size != 4 && size != 8) return NULL;
  snprintf(name, sizeof name, "%c%zu", h5->H5Tget_sign(type) == H5T_SGN_NONE ? 'U' : 'I',
           size * 8);
  return gi_element_named(name);
}

/* NULL: the type is none of numbers. h5py writes bool as an enum of one byte. */
static const gi_element *element_of(hid_t type) {
  switch (h5->H5Tget_class(type)) {
    case H5T_FLOAT: return float_element(type);
    case H5T_INTEGER: return integer_element(type);
    case H5T_ENUM: return h5->H5Tget_size(type) == 1 ? gi_element_of(GLIA_BOOL) : NULL;
    default: return NULL;
  }
}

/* Data in other files, and filters that are not there. */
static glia_status check_storage(hid_t set) {
  const hid_t list = h5->H5Dget_create_plist(set);
  if (list < 0) return gi_fail(GLIA_FORMAT, "its properties cannot be read");
  glia_status s = GLIA_OK;
  if (h5->H5Pget_layout(list) == H5D_VIRTUAL || h5->H5Pget_external_count(list) > 0)
    s = gi_fail(GLIA_FORMAT, "its data are in another file, which is not opened");
  const int filters = h5->H5Pget_nfilters(list);
  for (int i = 0; i < filters && s == GLIA_OK; i++) {
    unsigned flags = 0;
    size_t values = 0;
    const H5Z_filter_t filter =
        h5->H5Pget_filter2(list, (unsigned)i, &flags, &values, NULL, 0, NULL, NULL);
    if (filter < 0 || h5->H5Zfilter_avail(filter) <= 0)
      s = gi_fail(GLIA_FORMAT, "it is packed by filter %d, which is not known", (int)filter);
  }
  (void)h5->H5Pclose(list);
  return s;
}

static glia_status read_shape(hid_t set, int *rank, int64_t *shape) {
  hsize_t dims[RANK] = {0};
  const hid_t space = h5->H5Dget_space(set);
  if (space < 0) return gi_fail(GLIA_FORMAT, "its shape cannot be read");
  const H5S_class_t kind = h5->H5Sget_simple_extent_type(space);
  const int n = h5->H5Sget_simple_extent_ndims(space);
  const bool fits =
      n >= 0 && n <= RANK && h5->H5Sget_simple_extent_dims(space, dims, NULL) == n;
  (void)h5->H5Sclose(space);
  if (!fits) return gi_fail(GLIA_FORMAT, "it has %d axes", n);
  *rank = n;
  for (int i = 0; i < n; i++) {
    if (dims[i] > INT64_MAX) return gi_fail(GLIA_FORMAT, "its axis %d is too long", i);
    shape[i] = (int64_t)dims[i];
  }
  if (kind == H5S_NULL) { /* no elements at all */
    *rank = 1;
    shape[0] = 0;
  }
  return GLIA_OK;
}

static glia_status add_set(glia_file *f, hid_t set, const char *name, haddr_t address) {
  int64_t shape[RANK] = {0};
  int rank = 0;
  const hid_t type = h5->H5Dget_type(set);
  const gi_element *element = type < 0 ? NULL : element_of(type);
  if (type >= 0) (void)h5->H5Tclose(type);
  GI_TRY(check_storage(set));
  if (element == NULL) return gi_file_note(f, name, "(a data set that holds no numbers)");
  GI_TRY(read_shape(set, &rank, shape));
  dataset *own = gi_arena_alloc(&f->arena, sizeof *own);
  if (own == NULL) return gi_fail_nomem(sizeof *own);
  own->address = address;
  return gi_file_add_plain(f, name, element, rank, shape, NULL, own);
}

/* ---- groups ----------------------------------------------------------------------------- */

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *info, void *user);

/* The path of a thing in a group, without model_weights and a layer's repeated name. */
static void extend(gi_str *out, const char *path, const char *name) {
  const bool whole = path[0] == '\0' && strcmp(name, "model_weights") == 0;
  gi_str_puts(out, path);
  if (whole || strcmp(path, name) == 0) return;
  if (path[0] != '\0') gi_str_puts(out, ".");
  gi_str_puts(out, name);
}

static glia_status visit_object(visit *v, hid_t object, const char *path) {
  H5O_info_t info;
  weights *own = v->f->own;
  if (own->objects++ == OBJECTS)
    return gi_fail(GLIA_FORMAT, "holds more than %d objects", OBJECTS);
  if (h5->H5Oget_info(object, &info) < 0)
    return gi_fail(GLIA_FORMAT, "an object cannot be read");
  if (info.type == H5O_TYPE_DATASET) return add_set(v->f, object, path, info.addr);
  if (info.type != H5O_TYPE_GROUP) return GLIA_OK; /* a type with a name */
  if (v->depth == DEPTH)
    return gi_fail(GLIA_FORMAT, "groups lie more than %d deep in one another", DEPTH);
  visit inner = {.f = v->f, .path = path, .depth = v->depth + 1};
  if (h5->H5Literate(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_link, &inner) < 0 &&
      inner.status == GLIA_OK)
    return gi_fail(GLIA_FORMAT, "a group cannot be read");
  return inner.status;
}

static glia_status visit_hard(visit *v, hid_t group, const char *name) {
  gi_str path = {0};
  extend(&path, v->path, name);
  if (path.failed || path.n > PATH_BYTES) {
    gi_str_free(&path);
    return gi_fail(GLIA_FORMAT, "a name has more than %d bytes", PATH_BYTES);
  }
  const hid_t object = h5->H5Oopen(group, name, H5P_DEFAULT);
  glia_status s = object < 0 ? gi_fail(GLIA_FORMAT, "it cannot be opened")
                             : visit_object(v, object, path.s == NULL ? "" : path.s);
  if (object >= 0) (void)h5->H5Oclose(object);
  gi_str_free(&path);
  return s;
}

/* Soft links lead to what is found elsewhere in the file, if anywhere. */
static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *info, void *user) {
  visit *v = user;
  if (info->type == H5L_TYPE_SOFT) return 0;
  v->status = info->type == H5L_TYPE_HARD
                  ? visit_hard(v, group, name)
                  : gi_fail(GLIA_FORMAT, "is a link to another file, which is not opened");
  v->status = gi_where(v->status, "\"%.80s\"", name);
  return v->status == GLIA_OK ? 0 : -1;
}

/* ---- metadata --------------------------------------------------------------------------- */

/* The text of an attribute, owned; NULL: it is none, or too long. */
static char *attribute_text(hid_t attribute) {
  const hid_t type = h5->H5Aget_type(attribute), space = h5->H5Aget_space(attribute);
  char *text = NULL;
  const bool is_text = type >= 0 && space >= 0 && h5->H5Tget_class(type) == H5T_STRING &&
                       h5->H5Sget_simple_extent_npoints(space) == 1;
  const size_t size = is_text ? h5->H5Tget_size(type) : 0;
  if (is_text && h5->H5Tis_variable_str(type) > 0) {
    char *inner = NULL;
    if (h5->H5Aread(attribute, type, &inner) >= 0 && inner != NULL && strlen(inner) <= TEXT_MAX)
      text = gi_strdup(inner);
    if (inner != NULL) (void)h5->H5free_memory(inner);
  } else if (size > 0 && size <= TEXT_MAX && (text = gi_alloc(size + 1)) != NULL &&
             h5->H5Aread(attribute, type, text) < 0) {
    gi_free(text);
    text = NULL;
  }
  if (type >= 0) (void)h5->H5Tclose(type);
  if (space >= 0) (void)h5->H5Sclose(space);
  return text;
}

static glia_status add_attributes(glia_file *f, hid_t file) {
  static const char *const names[] = {"backend", "keras_version", "model_config"};
  for (int i = 0; i < GI_COUNT(names); i++) {
    if (h5->H5Aexists(file, names[i]) <= 0) continue;
    const hid_t attribute = h5->H5Aopen(file, names[i], H5P_DEFAULT);
    char *text = attribute < 0 ? NULL : attribute_text(attribute);
    if (attribute >= 0) (void)h5->H5Aclose(attribute);
    const glia_status s =
        text != NULL && gi_is_utf8(text) ? gi_file_note(f, names[i], text) : GLIA_OK;
    gi_free(text);
    GI_TRY(s);
  }
  return GLIA_OK;
}

/* ---- the file --------------------------------------------------------------------------- */

/* From the path, or from a copy in memory where there is none. */
static hid_t open_library(const char *path, const void *p, size_t n) {
  (void)h5->H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* nothing is printed */
  (void)h5->H5PLset_loading_state(0);
  const hid_t list = h5->H5Pcreate(*h5->file_access);
  if (list < 0) return -1;
  hid_t file = -1;
  if (path != NULL)
    file = h5->H5Fopen(path, READ_ONLY, list);
  else if (h5->H5Pset_fapl_core(list, 65536, 0) >= 0 &&
           h5->H5Pset_file_image(list, (void *)(uintptr_t)p, n) >= 0)
    file = h5->H5Fopen("memory", READ_ONLY, list);
  (void)h5->H5Pclose(list);
  return file;
}

static glia_status read_tree(glia_file *f) {
  weights *own = f->own;
  own->file = open_library(own->path, own->p, own->n);
  if (own->file < 0) return gi_fail(GLIA_FORMAT, "cannot be opened; is it damaged?");
  visit root = {.f = f, .path = ""};
  const hid_t group = h5->H5Gopen2(own->file, "/", H5P_DEFAULT);
  if (group < 0) return gi_fail(GLIA_FORMAT, "has no root");
  const glia_status s = visit_object(&root, group, "");
  (void)h5->H5Gclose(group);
  return s == GLIA_OK ? add_attributes(f, own->file) : s;
}

/* In the other process: f is a copy, which ends with it. */
static glia_status write_found(int fd, void *user) {
  glia_file *f = user;
  char name[32];
  snprintf(name, sizeof name, "/dev/fd/%d", fd);
  GI_TRY(read_tree(f));
  return gi_safetensors_write_file(name, f);
}

static glia_status load_library(void) {
  (void)pthread_mutex_lock(&lock);
  const glia_status s = h5 == NULL ? gi_hdf5_load(&h5) : GLIA_OK;
  (void)pthread_mutex_unlock(&lock);
  return s;
}

static glia_status read_apart(glia_file *f) {
  weights *own = f->own;
  size_t n = 0;
  GI_TRY(load_library());
  GI_TRY(gi_apart(write_found, f, (unsigned)(SECONDS + own->n / BYTES_A_SECOND),
                  gi_file_trust(f), &own->found, &n));
  GI_TRY(gi_safetensors_from_memory(own->found, n, "what was found", &own->tensors));
  f->held += n;
  return gi_file_add_safetensors(f, own->tensors);
}

static glia_status open_weights(glia_file *f, const char *path, const void *p, size_t n) {
  weights *own = f->own;
  own->path = path;
  own->p = p;
  own->n = n;
  return gi_where(read_apart(f), "%s: hdf5", f->what);
}

static glia_status make_own(glia_file *f) {
  weights *own = gi_alloc(sizeof *own);
  if (own == NULL) return gi_fail_nomem(sizeof *own);
  own->file = -1;
  f->own = own;
  return GLIA_OK;
}

static glia_status open_h5(glia_file *f) {
  GI_TRY(make_own(f));
  return open_weights(f, f->path, f->p, f->n);
}

static glia_status note_member(glia_file *f, const gi_zip *zip, const char *name) {
  const gi_member *m = gi_zip_find(zip, name);
  const void *data = NULL;
  void *hold = NULL;
  if (m == NULL || m->bytes > TEXT_MAX) return GLIA_OK;
  GI_TRY(gi_zip_read(zip, m, &data, &hold));
  gi_str text = {0};
  gi_str_add(&text, data, m->bytes);
  gi_free(hold);
  glia_status s = text.failed ? gi_fail_nomem(m->bytes) : GLIA_OK;
  if (s == GLIA_OK && text.s != NULL && gi_is_utf8(text.s)) s = gi_file_note(f, name, text.s);
  gi_str_free(&text);
  return s;
}

static glia_status open_keras(glia_file *f) {
  gi_zip zip;
  GI_TRY(make_own(f));
  GI_TRY(gi_zip_open(f->p, f->n, f->what, &f->arena, &zip));
  const gi_member *m = gi_zip_find(&zip, weights_member);
  if (m == NULL) return gi_fail(GLIA_FORMAT, "%s: holds no %s", f->what, weights_member);
  const void *data = NULL;
  if (m->deflated) GI_TRY(gi_file_claim(f, m->bytes));
  GI_TRY(gi_zip_read(&zip, m, &data, &((weights *)f->own)->unpacked));
  GI_TRY(note_member(f, &zip, "config.json"));
  GI_TRY(note_member(f, &zip, "metadata.json"));
  return open_weights(f, NULL, data, m->bytes);
}

/* The elements as the file has them, but for the order of their bytes. */
static glia_status read_set(hid_t file, const dataset *own, void *out) {
  const hid_t set = h5->H5Oopen_by_addr(file, own->address);
  if (set < 0) return gi_fail(GLIA_FORMAT, "cannot be opened");
  const hid_t stored = h5->H5Dget_type(set);
  const hid_t type = stored < 0 ? -1 : h5->H5Tcopy(stored);
  const bool fine = type >= 0 &&
                    (h5->H5Tget_size(type) == 1 || h5->H5Tset_order(type, H5T_ORDER_LE) >= 0) &&
                    h5->H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0;
  if (type >= 0) (void)h5->H5Tclose(type);
  if (stored >= 0) (void)h5->H5Tclose(stored);
  (void)h5->H5Oclose(set);
  return fine ? GLIA_OK : gi_fail(GLIA_FORMAT, "its data cannot be read; is the file damaged?");
}

/* In the other process alone: here every entry has its data. */
static glia_status fetch_set(const glia_file *f, const gi_entry *e, const void **data,
                             void **hold) {
  const weights *own = f->own;
  void *out = gi_alloc(e->bytes);
  if (out == NULL) return gi_fail_nomem(e->bytes);
  const glia_status s = read_set(own->file, e->own, out);
  if (s != GLIA_OK) {
    gi_free(out);
    return gi_where(s, "\"%.80s\"", e->name);
  }
  *data = *hold = out;
  return GLIA_OK;
}

static void close_weights(glia_file *f) {
  weights *own = f->own;
  if (own == NULL) return;
  glia_safetensors_close(own->tensors);
  gi_free(own->found);
  gi_free(own->unpacked);
  gi_free(own);
}

#else

static glia_status open_h5(glia_file *f) {
  return gi_fail(GLIA_UNSUPPORTED,
                 "%s: this glia was built without HDF5; hint: install libhdf5-dev and build "
                 "again",
                 f->what);
}

static glia_status open_keras(glia_file *f) { return open_h5(f); }

#define fetch_set     NULL
#define close_weights NULL

#endif

static const gi_reader hdf5 = {
    .name = "hdf5",
    .title = "Keras weights",
    .suffixes = h5_suffixes,
    .is = is_h5,
    .open = open_h5,
    .fetch = fetch_set,
    .close = close_weights,
};

static const gi_reader keras = {
    .name = "keras",
    .title = "Keras model",
    .suffixes = keras_suffixes,
    .is = is_keras,
    .open = open_keras,
    .fetch = fetch_set,
    .close = close_weights,
};

const gi_reader *const gi_readers_hdf5[] = {&hdf5, &keras, NULL};
