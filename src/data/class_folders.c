/* class_folders.c - DIR/CLASS/PICTURE: the names of the sub-folders are the classes.
 *
 * Opening lists names and looks at a few headers; pictures are decoded when they are asked for,
 * on the loader's threads. A corrupt one among good ones is thus a failing read, which the
 * loader skips and counts.
 */
#include <inttypes.h>

#include "data/pictures.h"

enum { LOOK_AT = 16 }; /* headers that decide between gray and colour */

typedef struct picture {
  const char *name; /* of the file */
  int class_index;
} picture;

typedef struct folders {
  gi_arena names;
  const char *dir;
  glia_image_opts opt; /* channels, height and width settled; classes not used */
  GI_VEC(const char *) classes;
  GI_VEC(picture) pictures;
} folders;

static char *path_of(const folders *f, int64_t i, char *buffer) {
  const picture *p = &f->pictures.at[i];
  snprintf(buffer, GI_NAME_BYTES, "%s/%s/%s", f->dir, f->classes.at[p->class_index], p->name);
  return buffer;
}

/* ---- as a data set ----------------------------------------------------------------------- */

static glia_status read_picture(void *user, int64_t i, void *x, void *y) {
  const folders *f = user;
  char path[GI_NAME_BYTES];
  gi_image im;
  GI_TRY(gi_picture_read(path_of(f, i, path), &f->opt, &im));
  gi_image_planes(&im, x);
  gi_image_clear(&im);
  *(int64_t *)y = f->pictures.at[i].class_index;
  return GLIA_OK;
}

static int64_t label(void *user, int64_t i) {
  const folders *f = user;
  return f->pictures.at[i].class_index;
}

static const char *name(void *user, int64_t i) { return path_of(user, i, gi_name_buffer()); }

static const char *class_name(void *user, int c) {
  const folders *f = user;
  return f->classes.at[c];
}

static void free_folders(void *user) {
  folders *f = user;
  gi_vec_free(&f->classes);
  gi_vec_free(&f->pictures);
  gi_arena_free(&f->names);
  gi_free(f);
}

/* ---- listing ----------------------------------------------------------------------------- */

static glia_status add_class(folders *f, const char *class) {
  const char *kept = gi_arena_strdup(&f->names, class);
  return kept != NULL && gi_vec_push(&f->classes, kept) ? GLIA_OK
                                                        : gi_fail_nomem(strlen(class));
}

static glia_status add_picture(folders *f, const char *file, int class_index) {
  const picture p = {gi_arena_strdup(&f->names, file), class_index};
  return p.name != NULL && gi_vec_push(&f->pictures, p) ? GLIA_OK : gi_fail_nomem(sizeof p);
}

static int find_class(const folders *f, const char *class) {
  for (size_t c = 0; c < f->classes.n; c++)
    if (strcmp(f->classes.at[c], class) == 0) return (int)c;
  return -1;
}

/* A class the caller did not name. */
static glia_status unknown_class(const folders *f, const char *class) {
  const int near = gi_nearest(class, f->classes.at, (int)f->classes.n);
  return gi_fail(GLIA_DATA, "%s: folder \"%s\" is none of the %zu classes%s%s%s", f->dir, class,
                 f->classes.n, near >= 0 ? "; hint: did you mean \"" : "",
                 near >= 0 ? f->classes.at[near] : "", near >= 0 ? "\"?" : "");
}

/* Adds the pictures of one sub-folder; one without pictures is no class. */
static glia_status add_folder(folders *f, const char *class, const gi_names *files) {
  int index = -1;
  for (size_t i = 0; i < files->n; i++) {
    if (!gi_picture_name(files->at[i])) continue;
    if (index < 0) {
      index = find_class(f, class);
      if (index < 0 && f->opt.n_classes > 0) return unknown_class(f, class);
      if (index < 0) {
        GI_TRY(add_class(f, class));
        index = (int)f->classes.n - 1;
      }
    }
    GI_TRY(add_picture(f, files->at[i], index));
  }
  if (index < 0) gi_log(GLIA_LOG_WARN, "%s/%s: holds no PNG or JPEG files", f->dir, class);
  return GLIA_OK;
}

static glia_status list_folder(folders *f, const char *entry, int *loose) {
  char *path = gi_path_join(f->dir, entry);
  if (path == NULL) return gi_fail_nomem(strlen(entry));
  glia_status status = GLIA_OK;
  if (gi_is_dir(path)) {
    gi_names files;
    status = gi_list_dir(path, &files);
    if (status == GLIA_OK) {
      status = add_folder(f, entry, &files);
      gi_names_free(&files);
    }
  } else {
    *loose += gi_picture_name(entry);
  }
  gi_free(path);
  return status;
}

static glia_status check_found(const folders *f, int loose) {
  if (f->pictures.n == 0 && loose > 0)
    return gi_fail(
        GLIA_DATA,
        "%s: its %d pictures lie in no sub-folder; hint: one folder per class, named "
        "after it",
        f->dir, loose);
  if (f->pictures.n == 0)
    return gi_fail(
        GLIA_DATA,
        "%s: holds no pictures; wanted sub-folders of PNG or JPEG files, one per class",
        f->dir);
  if (f->classes.n < 2 && f->opt.n_classes == 0)
    return gi_fail(
        GLIA_DATA,
        "%s: has one class only (\"%s\", %zu pictures), wanted two at least; hint: one "
        "sub-folder per class",
        f->dir, f->classes.at[0], f->pictures.n);
  return GLIA_OK;
}

static glia_status list(folders *f) {
  gi_names entries;
  GI_TRY(gi_list_dir(f->dir, &entries));
  glia_status status = GLIA_OK;
  int loose = 0;
  for (int c = 0; status == GLIA_OK && c < f->opt.n_classes; c++)
    status = add_class(f, f->opt.classes[c]);
  for (size_t i = 0; status == GLIA_OK && i < entries.n; i++)
    status = list_folder(f, entries.at[i], &loose);
  gi_names_free(&entries);
  return status == GLIA_OK ? check_found(f, loose) : status;
}

/* ---- what all pictures will be ----------------------------------------------------------- */

static glia_status settle_size(folders *f) {
  char path[GI_NAME_BYTES], first[512] = "";
  for (size_t i = 0; i < f->pictures.n; i++) {
    gi_image im;
    const glia_status status = gi_image_read(path_of(f, (int64_t)i, path), true, &im);
    if (status == GLIA_NOMEM) return status;
    if (status != GLIA_OK) {
      if (first[0] == '\0') snprintf(first, sizeof first, "%s", glia_error_message());
      continue;
    }
    if (f->opt.height == 0) f->opt.height = im.height;
    if (f->opt.width == 0) f->opt.width = im.width;
    return GLIA_OK;
  }
  return gi_fail(GLIA_DATA, "%s: none of its %zu pictures can be read; the first: %s", f->dir,
                 f->pictures.n, first);
}

static glia_status settle_channels(folders *f) {
  const size_t n = f->pictures.n, looks = GI_MIN(n, (size_t)LOOK_AT);
  char path[GI_NAME_BYTES];
  f->opt.channels = 1;
  for (size_t k = 0; k < looks && f->opt.channels == 1; k++) {
    gi_image im;
    const glia_status status =
        gi_image_read(path_of(f, (int64_t)(k * n / looks), path), true, &im);
    if (status == GLIA_NOMEM) return status;
    if (status == GLIA_OK && im.channels >= 3) f->opt.channels = 3;
  }
  return GLIA_OK;
}

static glia_status build(folders *f, const char *dir, glia_dataset **out) {
  f->dir = gi_arena_strdup(&f->names, dir);
  if (f->dir == NULL) return gi_fail_nomem(strlen(dir) + 1);
  GI_TRY(list(f));
  if (f->opt.height == 0 || f->opt.width == 0) GI_TRY(settle_size(f));
  if (f->opt.channels == 0) GI_TRY(settle_channels(f));
  return gi_dataset_new(
      &(glia_dataset_source){.spec = {.dtype = GLIA_U8,
                                      .rank = 3,
                                      .shape = {f->opt.channels, f->opt.height, f->opt.width},
                                      .classes = (int)f->classes.n},
                             .count = (int64_t)f->pictures.n,
                             .read = read_picture,
                             .label = label,
                             .name = name,
                             .class_name = class_name,
                             .free = free_folders,
                             .user = f},
      out);
}

glia_status glia_dataset_class_folders(const char *dir, const glia_image_opts *opt,
                                       glia_dataset **out) {
  if (dir == NULL || out == NULL)
    return gi_fail(GLIA_INVALID, "class folders: no folder, or nowhere to put the data set");
  folders *f = gi_alloc(sizeof *f);
  if (f == NULL) return gi_fail_nomem(sizeof *f);
  gi_data_options(&f->opt, sizeof f->opt, opt);
  glia_status status = gi_picture_check(&f->opt);
  if (status == GLIA_OK) status = build(f, dir, out);
  if (status != GLIA_OK) {
    free_folders(f);
  } else { /* borrowed for the call only */
    f->opt.classes = NULL;
    f->opt.n_classes = 0;
  }
  return status;
}
