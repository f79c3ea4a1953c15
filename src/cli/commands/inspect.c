/* glia inspect FILE: what a file is and what is in it, without loading a model.
 *
 * Files of tensors are described by the table of their formats (formats/reader.h), pictures
 * here. A file that begins like none of them is tried by its name, so that a damaged
 * model.safetensors is reported as damaged and not as unknown.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/show_onnx.h"
#include "cli/table.h"
#include "formats/reader.h"
#include "vision/image.h"

typedef struct subject {
  const gi_cli *c;
  const char *path;
  gi_json *json; /* NULL unless --json; gets the format's own members */
  gi_str *text;
} subject;

static gi_json *shape_json(int rank, const int64_t *shape) {
  gi_json *list = gi_json_array();
  for (int i = 0; i < rank; i++) gi_json_add_int(list, shape[i]);
  return list;
}

static void shape_text(char *out, size_t room, int rank, const int64_t *shape) {
  size_t n = (size_t)snprintf(out, room, "[");
  for (int i = 0; i < rank && n < room; i++)
    n += (size_t)snprintf(out + n, room - n, i > 0 ? ", %" PRId64 : "%" PRId64, shape[i]);
  if (n < room) snprintf(out + n, room - n, "]");
}

/* ---- files of tensors ---------------------------------------------------------------------
 */

static int64_t elements_of(int rank, const int64_t *shape) {
  int64_t n = 1; /* the file's checks have made sure that this does not overflow */
  for (int i = 0; i < rank; i++) n *= shape[i];
  return n;
}

static glia_status show_tensor(const subject *s, const glia_file *f, const char *name) {
  const int i = glia_file_find(f, name);
  if (i < 0) return gi_fail(GLIA_INVALID, "%s: holds no tensor '%s'", s->path, name);
  glia_tensor *t = NULL;
  GI_TRY(glia_file_read(f, i, &t));
  char *text = glia_tensor_text(t, 0);
  glia_tensor_free(t);
  if (text == NULL) return gi_fail_nomem(1);
  gi_json_set_str(s->json, "tensor", name);
  gi_json_set_str(s->json, "text", text);
  gi_str_printf(s->text, "%s: %s\n", name, text);
  free(text);
  return GLIA_OK;
}

static void list_metadata(const subject *s, const glia_file *f) {
  gi_json *all = s->json != NULL ? gi_json_object() : NULL;
  const char *key;
  for (int i = 0; (key = glia_file_metadata_key(f, i)) != NULL; i++) {
    const char *value = glia_file_metadata(f, key);
    gi_json_set_str(all, key, value);
    /* One line each; --json has all of it. */
    const int n = (int)GI_MIN(strcspn(value, "\n"), 100);
    gi_str_printf(s->text, "  %s: %.*s%s\n", key, n, value, value[n] != '\0' ? "..." : "");
  }
  gi_json_set(s->json, "metadata", all);
}

static glia_status list_tensors(const subject *s, const glia_file *f) {
  gi_json *list = s->json != NULL ? gi_json_array() : NULL;
  gi_table table;
  gi_table_begin(&table, "<tensor|<dtype|<shape|bytes");
  int64_t numbers = 0;
  for (int i = 0; i < glia_file_count(f); i++) {
    const int64_t *shape = NULL;
    const int rank = glia_file_shape(f, i, &shape);
    const int64_t bytes = glia_file_bytes(f, i);
    char text[192];
    shape_text(text, sizeof text, rank, shape);
    numbers += elements_of(rank, shape);
    gi_table_cell(&table, "%s", glia_file_name(f, i));
    gi_table_cell(&table, "%s", glia_file_dtype(f, i));
    gi_table_cell(&table, "%s", text);
    gi_table_cell(&table, "%s", gi_table_count(bytes));
    gi_json *one = s->json != NULL ? gi_json_object() : NULL;
    gi_json_set_str(one, "name", glia_file_name(f, i));
    gi_json_set_str(one, "dtype", glia_file_dtype(f, i));
    if (one != NULL) gi_json_set(one, "shape", shape_json(rank, shape));
    gi_json_set_int(one, "bytes", bytes);
    gi_json_add(list, one);
  }
  gi_json_set(s->json, "tensors", list);
  gi_json_set_int(s->json, "numbers", numbers);
  gi_table_print(&table, s->text);
  gi_table_free(&table);
  gi_str_printf(s->text, "%d tensors, %s numbers\n", glia_file_count(f),
                gi_table_count(numbers));
  return GLIA_OK;
}

static glia_status show_values(const subject *s, const glia_file *f) {
  glia_tensor *t = NULL;
  GI_TRY(glia_file_read(f, 0, &t));
  char *text = glia_tensor_text(t, 0);
  if (text != NULL) gi_str_printf(s->text, "%s\n", text);
  glia_tensor_free(t);
  free(text);
  return text != NULL ? GLIA_OK : gi_fail_nomem(1);
}

/* "F32" is "f32" among glia's own words. */
static void lower_case(char *out, size_t room, const char *text) {
  size_t n = 0;
  for (; text[n] != '\0' && n + 1 < room; n++)
    out[n] = text[n] >= 'A' && text[n] <= 'Z' ? (char)(text[n] - 'A' + 'a') : text[n];
  out[n] = '\0';
}

/* The one array of a file without names. */
static glia_status show_array(const subject *s, const glia_file *f) {
  char dtype[16], text[128];
  const int64_t *shape = NULL;
  const int rank = glia_file_shape(f, 0, &shape);
  lower_case(dtype, sizeof dtype, glia_file_dtype(f, 0));
  gi_json_set_str(s->json, "dtype", dtype);
  if (s->json != NULL) gi_json_set(s->json, "shape", shape_json(rank, shape));
  if (f->reader->values && f->entries.at[0].array.element->dtype != GI_NOT_HELD)
    return show_values(s, f);
  shape_text(text, sizeof text, rank, shape);
  gi_str_printf(s->text, "%s %s\n", dtype, text);
  return GLIA_OK;
}

static glia_status show_file(const subject *s, const glia_file *f) {
  const char *name = gi_cli_text(s->c, "tensor");
  if (name != NULL) return show_tensor(s, f, name);
  if (f->reader->lone) return show_array(s, f);
  list_metadata(s, f);
  return list_tensors(s, f);
}

/* ---- pictures -----------------------------------------------------------------------------
 */

/* Decodes all of it: a header alone says nothing about damage behind it. */
static glia_status show_picture(const subject *s) {
  static const char *const kinds[] = {"?", "gray", "gray and alpha", "RGB", "RGB and alpha"};
  gi_image image = {0};
  GI_TRY(gi_image_read(s->path, false, &image));
  gi_json_set_int(s->json, "width", image.width);
  gi_json_set_int(s->json, "height", image.height);
  gi_json_set_int(s->json, "channels", image.channels);
  gi_str_printf(s->text, "%d x %d, %s\n", image.width, image.height, kinds[image.channels]);
  gi_image_clear(&image);
  return GLIA_OK;
}

/* The format of a picture, by its beginning, else by its name; NULL: it is none. */
static const char *picture_format(const char *path, const gi_map *m) {
  static const char *const endings[][2] = {
      {".png", "png"}, {".jpg", "jpeg"}, {".jpeg", "jpeg"}};
  if (gi_is_png(m->p, m->n)) return "png";
  if (gi_is_jpeg(m->p, m->n)) return "jpeg";
  if (gi_reader_by_content(m->p, m->n) != NULL) return NULL;
  const size_t n = strlen(path);
  for (int i = 0; i < GI_COUNT(endings); i++) {
    const size_t k = strlen(endings[i][0]);
    if (n > k && strcmp(path + n - k, endings[i][0]) == 0) return endings[i][1];
  }
  return NULL;
}

/* Is it an ONNX model? It is shown even where it cannot be built, which opening it would
 * refuse. */
static bool is_onnx(const char *path, const gi_map *m) {
  const gi_reader *by_content = gi_reader_by_content(m->p, m->n);
  const gi_reader *reader = by_content != NULL ? by_content : gi_reader_by_name(path);
  return reader != NULL && strcmp(reader->name, "onnx") == 0;
}

/* ---- the command --------------------------------------------------------------------------
 */

static void begin(const subject *s, const char *format, const char *title, size_t bytes) {
  gi_json_set_str(s->json, "file", s->path);
  gi_json_set_str(s->json, "format", format);
  gi_json_set_int(s->json, "bytes", (int64_t)bytes);
  gi_str_printf(s->text, "%s: %s, %s, %s\n", s->path, format, title,
                gi_table_bytes((double)bytes));
}

static glia_status look(const subject *s) {
  gi_map map;
  GI_TRY(gi_map_open(&map, s->path));
  const size_t bytes = map.n;
  const char *picture = picture_format(s->path, &map);
  const bool onnx = is_onnx(s->path, &map);
  gi_map_close(&map);
  if (onnx && gi_cli_text(s->c, "tensor") == NULL) {
    begin(s, "onnx", "a network with its weights", bytes);
    return gi_show_onnx(s->path, s->text, s->json);
  }
  if (picture != NULL) {
    begin(s, picture, "picture", bytes);
    return show_picture(s);
  }
  glia_file *f = NULL;
  glia_status status = glia_file_open(s->path, &f);
  if (status == GLIA_OK) {
    begin(s, f->reader->name, f->reader->title, bytes);
    status = show_file(s, f);
  }
  glia_file_close(f);
  return status;
}

static glia_status run(gi_cli *c) {
  gi_str text = {0};
  const subject s = {.c = c,
                     .path = gi_cli_argument(c, "FILE"),
                     .json = c->json ? gi_json_object() : NULL,
                     .text = &text};
  const glia_status status = look(&s);
  if (status != GLIA_OK) {
    gi_json_free(s.json);
    gi_str_free(&text);
    return status;
  }
  if (!c->json) return gi_cli_print_text(&text);
  gi_str_free(&text);
  return gi_cli_print_json(s.json);
}

static const gi_argument arguments[] = {
    {.name = "FILE",
     .kind = GI_OPTION_PATH,
     .help = "a file of tensors (any that glia convert reads) or a PNG or JPEG picture"},
    {0},
};

static const gi_option options[] = {
    {.name = "tensor",
     .kind = GI_OPTION_TEXT,
     .value = "NAME",
     .help = "show the numbers of one tensor"},
    {0},
};

static const gi_command inspect = {
    .name = "inspect",
    .group = GI_GROUP_LOOK,
    .summary = "say what a file is and what is in it",
    .help =
        "Tells the format of FILE by its first bytes and lists what it holds: of a model its "
        "tensors with type, shape and size, and its metadata; of an array its type and shape; "
        "of a picture its size and channels. All of the file is checked on the way.",
    .example =
        "glia inspect runs/mnist/model.safetensors\n"
        "glia inspect runs/mnist/model.safetensors --tensor conv2d.bias\n"
        "glia inspect photo.jpg --json",
    .arguments = arguments,
    .options = options,
    .run = run,
};

const gi_command *const gi_commands_inspect[] = {&inspect, NULL};
