/* open.c - what a path holds: idx files, class folders, or a table, found by looking at it.
 *
 * A training and a test part must agree, whatever each holds on its own: the test part is
 * opened with the classes, size and channels that the training part settled.
 */
#include <strings.h>

#include "data/dataset.h"

/* ---- idx files --------------------------------------------------------------------------- */

/* Path of the first of the names in use that exists, owned; NULL where there is none. */
static glia_status find_idx(const char *dir, const char *part, const char *kind, int axes,
                            char **out) {
  static const char *const separators[] = {"-", "."}, *const ends[] = {"", ".gz"};
  *out = NULL;
  for (int i = 0; i < 4 && *out == NULL; i++) {
    gi_str path = {0};
    gi_str_printf(&path, "%s/%s-%s%sidx%d-ubyte%s", dir, part, kind, separators[i / 2], axes,
                  ends[i % 2]);
    char *text = gi_str_take(&path);
    if (text == NULL) return gi_fail_nomem(strlen(dir));
    if (gi_exists(text))
      *out = text;
    else
      gi_free(text);
  }
  return GLIA_OK;
}

/* Opens one part; `classes` as gi_idx_dataset. *out stays NULL where there are no images. */
static glia_status open_idx_part(const char *dir, const char *part, int classes,
                                 glia_dataset **out) {
  char *images = NULL, *labels = NULL;
  gi_stream a = {0}, b = {0};
  glia_status status = find_idx(dir, part, "images", 3, &images);
  if (status == GLIA_OK && images != NULL) status = find_idx(dir, part, "labels", 1, &labels);
  if (status == GLIA_OK && images != NULL && labels == NULL)
    status = gi_fail(GLIA_DATA, "%s: there is no %s/%s-labels-idx1-ubyte[.gz] beside it",
                     images, dir, part);
  if (status == GLIA_OK && images != NULL) {
    status = gi_stream_open(&a, images);
    if (status == GLIA_OK) status = gi_stream_open(&b, labels);
    if (status == GLIA_OK) status = gi_idx_dataset(&a, &b, classes, out);
    gi_stream_close(&b);
    gi_stream_close(&a);
  }
  gi_free(labels);
  gi_free(images);
  return status;
}

static glia_status open_idx(const char *dir, glia_dataset **train, glia_dataset **test) {
  GI_TRY(open_idx_part(dir, "train", 0, train));
  if (*train == NULL) return GLIA_OK;
  const glia_sample_spec *a = glia_dataset_spec(*train);
  GI_TRY(open_idx_part(dir, "t10k", a->classes, test));
  if (*test == NULL) GI_TRY(open_idx_part(dir, "test", a->classes, test));
  if (*test == NULL) return GLIA_OK;
  const glia_sample_spec *b = glia_dataset_spec(*test);
  if (a->rank == b->rank && memcmp(a->shape, b->shape, sizeof a->shape) == 0) return GLIA_OK;
  return gi_fail(GLIA_DATA, "%s: images of the training and the test part differ in size", dir);
}

/* ---- class folders ----------------------------------------------------------------------- */

/* Does the folder hold sub-folders? A flat folder of pictures to be labelled does not count. */
static glia_status has_folders(const char *dir, bool *out) {
  *out = false;
  if (!gi_is_dir(dir)) return GLIA_OK;
  gi_names names;
  GI_TRY(gi_list_dir(dir, &names));
  glia_status status = GLIA_OK;
  for (size_t i = 0; status == GLIA_OK && i < names.n && !*out; i++) {
    char *path = gi_path_join(dir, names.at[i]);
    if (path == NULL) status = gi_fail_nomem(strlen(dir));
    *out = path != NULL && gi_is_dir(path);
    gi_free(path);
  }
  gi_names_free(&names);
  return status;
}

/* The first of the names below dir that holds class folders, owned; NULL: none. */
static glia_status find_part(const char *dir, const char *const *names, int n, char **out) {
  *out = NULL;
  for (int i = 0; i < n && *out == NULL; i++) {
    char *path = gi_path_join(dir, names[i]);
    if (path == NULL) return gi_fail_nomem(strlen(dir));
    bool found;
    const glia_status status = has_folders(path, &found);
    if (status == GLIA_OK && found)
      *out = path;
    else
      gi_free(path);
    GI_TRY(status);
  }
  return GLIA_OK;
}

/* Opens the test part with what the training part settled. */
static glia_status open_like(const char *dir, const glia_dataset *train,
                             const glia_image_opts *opt, glia_dataset **out) {
  const glia_sample_spec *s = glia_dataset_spec(train);
  const char **classes = gi_alloc((size_t)s->classes * sizeof *classes);
  if (classes == NULL) return gi_fail_nomem((size_t)s->classes * sizeof *classes);
  for (int c = 0; c < s->classes; c++) classes[c] = glia_dataset_class(train, c);
  const glia_image_opts same = {.size = sizeof same,
                                .channels = (int)s->shape[0],
                                .height = (int)s->shape[1],
                                .width = (int)s->shape[2],
                                .refuse_sizes = opt->refuse_sizes,
                                .classes = classes,
                                .n_classes = s->classes};
  const glia_status status = glia_dataset_class_folders(dir, &same, out);
  gi_free(classes);
  return status;
}

static glia_status open_folders(const char *dir, const glia_image_opts *opt,
                                glia_dataset **train, glia_dataset **test) {
  static const char *const train_names[] = {"train", "training"};
  static const char *const test_names[] = {"test", "valid", "val", "validation"};
  char *a = NULL, *b = NULL;
  glia_status status = find_part(dir, train_names, GI_COUNT(train_names), &a);
  if (status == GLIA_OK && a != NULL)
    status = find_part(dir, test_names, GI_COUNT(test_names), &b);
  if (status == GLIA_OK) status = glia_dataset_class_folders(a != NULL ? a : dir, opt, train);
  if (status == GLIA_OK && b != NULL) status = open_like(b, *train, opt, test);
  gi_free(b);
  gi_free(a);
  return status;
}

/* ---- all of them ------------------------------------------------------------------------- */

static bool is_table(const char *path) {
  static const char *const ends[] = {".csv",    ".tsv",    ".txt",    ".data",
                                     ".csv.gz", ".tsv.gz", ".txt.gz", ".data.gz"};
  const size_t n = strlen(path);
  for (int i = 0; i < GI_COUNT(ends); i++) {
    const size_t length = strlen(ends[i]);
    if (n > length && strcasecmp(path + n - length, ends[i]) == 0) return true;
  }
  return false;
}

static glia_status open_path(const char *path, const glia_data_opts *o, glia_dataset **train,
                             glia_dataset **test) {
  if (!gi_exists(path))
    return gi_fail(GLIA_IO, "%s: there is no such file or folder; hint: check the spelling",
                   path);
  if (is_table(path) && !gi_is_dir(path)) return glia_dataset_csv(path, &o->csv, train);
  if (!gi_is_dir(path))
    return gi_fail(
        GLIA_DATA,
        "%s: is no data set; looked for a folder of idx files "
        "(train-images-idx3-ubyte[.gz] and its kin), a folder of class folders, or a "
        "table (.csv, .tsv, .gz of them)",
        path);
  GI_TRY(open_idx(path, train, test));
  if (*train != NULL) return GLIA_OK;
  bool folders;
  GI_TRY(has_folders(path, &folders));
  const glia_status status = open_folders(path, &o->image, train, test);
  return folders ? status
                 : gi_where(status,
                            "looked for idx files (train-images-idx3-ubyte[.gz] and its "
                            "kin), train/ and test/ (valid/, val/), class folders");
}

glia_status glia_data_open(const char *path, const glia_data_opts *opt, glia_dataset **train,
                           glia_dataset **test) {
  if (path == NULL || train == NULL || test == NULL)
    return gi_fail(GLIA_INVALID, "glia_data_open: no path, or nowhere to put the data sets");
  glia_data_opts o;
  gi_data_options(&o, sizeof o, opt);
  glia_dataset *a = NULL, *b = NULL;
  const glia_status status = open_path(path, &o, &a, &b);
  if (status == GLIA_OK) {
    *train = a;
    *test = b;
  } else {
    glia_dataset_free(b);
    glia_dataset_free(a);
  }
  return status;
}
