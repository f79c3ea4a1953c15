/* glia inspect FILE: what a file is and what is in it, without loading a model.
 *
 * A format is one row: how its files begin, what they are called, and how to describe one. A
 * file that begins like none of them is tried by its name, so that a damaged model.safetensors
 * is reported as damaged and not as unknown.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "data/dataset.h"
#include "glia/formats.h"
#include "vision/image.h"

typedef struct subject {
  const gi_cli *c;
  const char *path;
  const char *format;
  size_t bytes;  /* of the file */
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

/* ---- safetensors --------------------------------------------------------------------------
 */

/* Bits of one element by the number in a dtype's name: "F32", "BF16", "F8_E4M3"; BOOL has 8. */
static int bits_of(const char *dtype) {
  const int bits = atoi(dtype + strcspn(dtype, "0123456789"));
  return bits > 0 ? bits : 8;
}

static int64_t elements_of(int rank, const int64_t *shape) {
  int64_t n = 1; /* the file's checks have made sure that this does not overflow */
  for (int i = 0; i < rank; i++) n *= shape[i];
  return n;
}

static glia_status show_tensor(const subject *s, const glia_safetensors *f, const char *name) {
  const int i = glia_safetensors_find(f, name);
  if (i < 0) return gi_fail(GLIA_INVALID, "%s: holds no tensor '%s'", s->path, name);
  glia_tensor *t = NULL;
  GI_TRY(glia_safetensors_read(f, i, &t));
  char *text = glia_tensor_text(t, 0);
  glia_tensor_free(t);
  if (text == NULL) return gi_fail_nomem(1);
  gi_json_set_str(s->json, "tensor", name);
  gi_json_set_str(s->json, "text", text);
  gi_str_printf(s->text, "%s: %s\n", name, text);
  free(text);
  return GLIA_OK;
}

static void list_metadata(const subject *s, const glia_safetensors *f) {
  gi_json *all = s->json != NULL ? gi_json_object() : NULL;
  const char *key;
  for (int i = 0; (key = glia_safetensors_metadata_key(f, i)) != NULL; i++) {
    const char *value = glia_safetensors_metadata(f, key);
    gi_json_set_str(all, key, value);
    /* One line each; --json has all of it. */
    const int n = (int)GI_MIN(strcspn(value, "\n"), 100);
    gi_str_printf(s->text, "  %s: %.*s%s\n", key, n, value, value[n] != '\0' ? "..." : "");
  }
  gi_json_set(s->json, "metadata", all);
}

static glia_status list_tensors(const subject *s, const glia_safetensors *f) {
  gi_json *list = s->json != NULL ? gi_json_array() : NULL;
  gi_table table;
  gi_table_begin(&table, "<tensor|<dtype|<shape|bytes");
  int64_t numbers = 0;
  for (int i = 0; i < glia_safetensors_count(f); i++) {
    const int64_t *shape = NULL;
    const int rank = glia_safetensors_shape(f, i, &shape);
    const char *dtype = glia_safetensors_dtype(f, i);
    const int64_t n = elements_of(rank, shape);
    const int64_t bytes = (int64_t)((double)n * bits_of(dtype) / 8);
    char text[192];
    shape_text(text, sizeof text, rank, shape);
    numbers += n;
    gi_table_cell(&table, "%s", glia_safetensors_name(f, i));
    gi_table_cell(&table, "%s", dtype);
    gi_table_cell(&table, "%s", text);
    gi_table_cell(&table, "%s", gi_table_count(bytes));
    gi_json *one = s->json != NULL ? gi_json_object() : NULL;
    gi_json_set_str(one, "name", glia_safetensors_name(f, i));
    gi_json_set_str(one, "dtype", dtype);
    if (one != NULL) gi_json_set(one, "shape", shape_json(rank, shape));
    gi_json_set_int(one, "bytes", bytes);
    gi_json_add(list, one);
  }
  gi_json_set(s->json, "tensors", list);
  gi_json_set_int(s->json, "numbers", numbers);
  gi_table_print(&table, s->text);
  gi_table_free(&table);
  gi_str_printf(s->text, "%d tensors, %s numbers\n", glia_safetensors_count(f),
                gi_table_count(numbers));
  return GLIA_OK;
}

static bool is_safetensors(const unsigned char *p, size_t n, size_t file) {
  uint64_t header = 0;
  for (int i = 7; i >= 0 && n > 8; i--) header = header << 8 | p[i];
  return n > 8 && p[8] == '{' && header <= file - 8;
}

static glia_status show_safetensors(const subject *s) {
  glia_safetensors *f = NULL;
  GI_TRY(glia_safetensors_open(s->path, &f));
  const char *name = gi_cli_text(s->c, "tensor");
  glia_status status;
  if (name != NULL) {
    status = show_tensor(s, f, name);
  } else {
    list_metadata(s, f);
    status = list_tensors(s, f);
  }
  glia_safetensors_close(f);
  return status;
}

/* ---- npy ----------------------------------------------------------------------------------
 */

static bool is_npy(const unsigned char *p, size_t n, size_t file) {
  (void)file;
  return n >= 6 && memcmp(p, "\x93NUMPY", 6) == 0;
}

static glia_status show_npy(const subject *s) {
  glia_tensor *t = NULL;
  GI_TRY(glia_npy_read(s->path, &t));
  gi_json_set_str(s->json, "dtype", glia_dtype_name(glia_tensor_dtype(t)));
  if (s->json != NULL)
    gi_json_set(s->json, "shape", shape_json(glia_tensor_rank(t), glia_tensor_shape(t)));
  char *text = glia_tensor_text(t, 0);
  if (text != NULL) gi_str_printf(s->text, "%s\n", text);
  glia_tensor_free(t);
  free(text);
  return text != NULL ? GLIA_OK : gi_fail_nomem(1);
}

/* ---- idx ----------------------------------------------------------------------------------
 */

enum { IDX_RANK = 8 };

static const struct {
  unsigned char code, bytes;
  const char *name;
} idx_types[] = {{8, 1, "u8"},   {9, 1, "i8"},   {11, 2, "i16"},
                 {12, 4, "i32"}, {13, 4, "f32"}, {14, 8, "f64"}};

/* gzip may hold anything; of what this program reads, that is idx and CSV. */
static bool is_idx(const unsigned char *p, size_t n, size_t file) {
  (void)file;
  if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b) return true;
  return n >= 4 && p[0] == 0 && p[1] == 0 && p[2] >= 8 && p[2] <= 14 && p[3] >= 1 &&
         p[3] <= IDX_RANK;
}

/* Counts what is left of the stream, which also checks a gzip file to its end. */
static glia_status count_rest(gi_stream *stream, uint64_t *n) {
  unsigned char piece[16384];
  size_t got;
  *n = 0;
  do {
    GI_TRY(gi_stream_read(stream, piece, sizeof piece, &got));
    *n += got;
  } while (got == sizeof piece);
  return GLIA_OK;
}

static glia_status describe_idx(const subject *s, gi_stream *stream) {
  unsigned char head[4], word[4];
  size_t got;
  GI_TRY(gi_stream_read(stream, head, sizeof head, &got));
  if (got < 4 || !is_idx(head, 4, 4) || head[0] != 0)
    return gi_fail(GLIA_FORMAT, "%s: does not hold an idx file", s->path);
  const char *type = NULL;
  uint64_t wanted = 0;
  for (int i = 0; i < GI_COUNT(idx_types); i++)
    if (idx_types[i].code == head[2]) {
      type = idx_types[i].name;
      wanted = idx_types[i].bytes;
    }
  if (type == NULL)
    return gi_fail(GLIA_FORMAT, "%s: elements are of type %d, which idx does not know", s->path,
                   head[2]);
  int64_t shape[IDX_RANK];
  for (int i = 0; i < head[3]; i++) {
    GI_TRY(gi_stream_read(stream, word, sizeof word, &got));
    if (got < 4) return gi_fail(GLIA_FORMAT, "%s: ends within its header; truncated?", s->path);
    shape[i] = (int64_t)word[0] << 24 | word[1] << 16 | word[2] << 8 | word[3];
    if (__builtin_mul_overflow(wanted, (uint64_t)shape[i], &wanted))
      return gi_fail(GLIA_FORMAT, "%s: its axes overflow", s->path);
  }
  uint64_t have = 0;
  GI_TRY(count_rest(stream, &have));
  if (have != wanted)
    return gi_fail(GLIA_FORMAT,
                   "%s: %" PRIu64 " bytes of elements, wanted %" PRIu64
                   " by its "
                   "header",
                   s->path, have, wanted);
  char text[128];
  shape_text(text, sizeof text, head[3], shape);
  gi_json_set_str(s->json, "dtype", type);
  if (s->json != NULL) gi_json_set(s->json, "shape", shape_json(head[3], shape));
  gi_str_printf(s->text, "%s %s\n", type, text);
  return GLIA_OK;
}

static glia_status show_idx(const subject *s) {
  gi_stream stream;
  GI_TRY(gi_stream_open(&stream, s->path));
  const glia_status status = describe_idx(s, &stream);
  gi_stream_close(&stream);
  return status;
}

/* ---- pictures -----------------------------------------------------------------------------
 */

static bool is_png(const unsigned char *p, size_t n, size_t file) {
  (void)file;
  return gi_is_png(p, n);
}

static bool is_jpeg(const unsigned char *p, size_t n, size_t file) {
  (void)file;
  return gi_is_jpeg(p, n);
}

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

/* ---- the formats --------------------------------------------------------------------------
 */

typedef struct format {
  const char *name, *extension, *title;
  bool (*is)(const unsigned char *p, size_t n, size_t file);
  glia_status (*show)(const subject *s);
} format;

static const format formats[] = {
    {"safetensors", ".safetensors", "tensors with names", is_safetensors, show_safetensors},
    {"npy", ".npy", "NumPy array", is_npy, show_npy},
    {"png", ".png", "picture", is_png, show_picture},
    {"jpeg", ".jpg", "picture", is_jpeg, show_picture},
    {"idx", "-ubyte", "array as MNIST keeps it", is_idx, show_idx},
};

static glia_status find_format(const char *path, const gi_map *m, const format **out) {
  for (int i = 0; i < GI_COUNT(formats); i++)
    if (formats[i].is(m->p, m->n, m->n)) return *out = &formats[i], GLIA_OK;
  const size_t n = strlen(path);
  for (int i = 0; i < GI_COUNT(formats); i++) {
    const size_t k = strlen(formats[i].extension);
    if (n > k && strcmp(path + n - k, formats[i].extension) == 0)
      return *out = &formats[i], GLIA_OK;
  }
  return gi_fail(GLIA_FORMAT, "%s: begins like none of: safetensors, npy, png, jpeg, idx",
                 path);
}

static glia_status run(gi_cli *c) {
  const char *path = gi_cli_argument(c, "FILE");
  gi_map map;
  GI_TRY(gi_map_open(&map, path));
  const format *f = NULL;
  const glia_status known = find_format(path, &map, &f);
  gi_str text = {0};
  subject s = {.c = c, .path = path, .bytes = map.n, .text = &text};
  gi_map_close(&map);
  if (known != GLIA_OK) return known;
  if (c->json) s.json = gi_json_object();
  gi_json_set_str(s.json, "file", path);
  gi_json_set_str(s.json, "format", f->name);
  gi_json_set_int(s.json, "bytes", (int64_t)s.bytes);
  gi_str_printf(&text, "%s: %s, %s, %s\n", path, f->name, f->title,
                gi_table_bytes((double)s.bytes));
  const glia_status status = f->show(&s);
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
     .help = "a safetensors, npy, idx (also gzip), PNG or JPEG file"},
    {0},
};

static const gi_option options[] = {
    {.name = "tensor",
     .kind = GI_OPTION_TEXT,
     .value = "NAME",
     .help = "show the numbers of one tensor of a safetensors file"},
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
