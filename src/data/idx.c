/* idx.c - pairs of idx files, as MNIST and its kin come: images and their labels.
 *
 * An idx file is a magic (two zero bytes, the type of the elements, the number of axes), one
 * big-endian u32 an axis, then the elements, row-major and big-endian (Y. LeCun, "The MNIST
 * database of handwritten digits"). Types are 8 u8, 9 i8, 11 i16, 12 i32, 13 f32, 14 f64;
 * images and labels are u8 everywhere, so that is what is read.
 */
#include <inttypes.h>

#include "data/dataset.h"

enum { IDX_U8 = 8, IDX_AXES = 4 };

typedef struct header {
  int axes;
  int64_t dim[IDX_AXES];
  size_t bytes; /* product of the dimensions */
} header;

static uint32_t big_endian(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static glia_status truncated(const gi_stream *s, size_t got, size_t wanted, const char *of) {
  return gi_fail(GLIA_FORMAT, "%s: ends after %zu bytes of its %s, wanted %zu; truncated?",
                 s->what, got, of, wanted);
}

static const char *type_name(unsigned char code) {
  switch (code) {
    case 9: return "i8";
    case 11: return "i16";
    case 12: return "i32";
    case 13: return "f32";
    case 14: return "f64";
    default: return NULL;
  }
}

static glia_status check_magic(const gi_stream *s, const unsigned char *p, int least,
                               int most) {
  if (p[0] != 0 || p[1] != 0)
    return gi_fail(GLIA_FORMAT, "%s: begins with %02x %02x, wanted the 00 00 of an idx file",
                   s->what, p[0], p[1]);
  if (p[2] != IDX_U8 && type_name(p[2]) != NULL)
    return gi_fail(GLIA_UNSUPPORTED, "%s: elements are %s, wanted u8 (type 8)", s->what,
                   type_name(p[2]));
  if (p[2] != IDX_U8)
    return gi_fail(GLIA_FORMAT, "%s: elements are of type %d, wanted 8 (u8); not an idx file?",
                   s->what, p[2]);
  if (p[3] < least || p[3] > most)
    return gi_fail(GLIA_FORMAT,
                   "%s: has %d axes, wanted %d to %d; hint: are images and labels swapped?",
                   s->what, p[3], least, most);
  return GLIA_OK;
}

static glia_status read_header(gi_stream *s, int least, int most, header *h) {
  unsigned char p[4 * (1 + IDX_AXES)];
  size_t got, more;
  GI_TRY(gi_stream_read(s, p, 4, &got));
  if (got < 4) return truncated(s, got, 4, "magic");
  GI_TRY(check_magic(s, p, least, most));
  *h = (header){.axes = p[3], .bytes = 1};
  const size_t want = 4 * (size_t)h->axes;
  GI_TRY(gi_stream_read(s, p + 4, want, &more));
  if (more < want) return truncated(s, 4 + more, 4 + want, "header");
  for (int i = 0; i < h->axes; i++) {
    h->dim[i] = big_endian(p + 4 + 4 * i);
    if (!gi_mul_size(h->bytes, (size_t)h->dim[i], &h->bytes))
      return gi_fail(GLIA_FORMAT, "%s: its dimensions overflow", s->what);
  }
  if (h->dim[0] == 0) return gi_fail(GLIA_DATA, "%s: holds no samples", s->what);
  if (h->bytes == 0) return gi_fail(GLIA_DATA, "%s: its samples hold no elements", s->what);
  if (h->bytes > gi_stream_most(s)) /* before memory is asked for */
    return gi_fail(GLIA_FORMAT,
                   "%s: its header promises %zu bytes, the file holds %zu at most; truncated?",
                   s->what, h->bytes, gi_stream_most(s));
  return GLIA_OK;
}

/* The elements: as many as the header says, and nothing behind them. Owned. */
static glia_status read_elements(gi_stream *s, const header *h, unsigned char **out) {
  unsigned char *p = gi_alloc(h->bytes);
  if (p == NULL) return gi_fail_nomem(h->bytes);
  size_t got, more = 0;
  unsigned char extra;
  glia_status status = gi_stream_read(s, p, h->bytes, &got);
  if (status == GLIA_OK && got < h->bytes) status = truncated(s, got, h->bytes, "elements");
  if (status == GLIA_OK) status = gi_stream_read(s, &extra, 1, &more);
  if (status == GLIA_OK && more > 0)
    status = gi_fail(GLIA_FORMAT, "%s: more bytes follow the %zu elements of its header",
                     s->what, h->bytes);
  if (status != GLIA_OK) {
    gi_free(p);
    return status;
  }
  *out = p;
  return GLIA_OK;
}

/* Labels as int64_t [N], and how many classes they take. */
static glia_status read_labels(gi_stream *s, int64_t **y, int64_t *n, int *classes) {
  header h;
  GI_TRY(read_header(s, 1, 1, &h));
  unsigned char *p;
  GI_TRY(read_elements(s, &h, &p));
  size_t bytes;
  int64_t *labels = gi_mul_size(h.bytes, sizeof *labels, &bytes) ? gi_alloc(bytes) : NULL;
  int highest = 0;
  for (size_t i = 0; labels != NULL && i < h.bytes; i++) {
    labels[i] = p[i];
    highest = GI_MAX(highest, p[i]);
  }
  gi_free(p);
  if (labels == NULL) return gi_fail_nomem(h.bytes);
  *y = labels;
  *n = h.dim[0];
  *classes = highest + 1;
  return GLIA_OK;
}

static bool one_class(const int64_t *y, int64_t n) {
  for (int64_t i = 1; i < n; i++)
    if (y[i] != y[0]) return false;
  return true;
}

/* Shape of one sample: [N, D] -> [D]; [N, H, W] -> [1, H, W]; [N, C, H, W] -> [C, H, W]. */
static void sample_shape(const header *h, glia_sample_spec *s) {
  s->dtype = GLIA_U8;
  if (h->axes == 3) s->shape[s->rank++] = 1;
  for (int i = 1; i < h->axes; i++) s->shape[s->rank++] = h->dim[i];
}

glia_status gi_idx_dataset(gi_stream *images, gi_stream *labels, int classes,
                           glia_dataset **out) {
  gi_memory m = {0};
  header h;
  int64_t *y = NULL, n_labels = 0;
  unsigned char *x;
  glia_status status = read_labels(labels, &y, &n_labels, &m.spec.classes);
  m.y = y;
  if (status == GLIA_OK && classes == 0 && one_class(y, n_labels))
    status = gi_fail(GLIA_DATA,
                     "%s: all %" PRId64 " labels are %" PRId64 ", wanted two classes at least",
                     labels->what, n_labels, y[0]);
  if (status == GLIA_OK && classes > 0 && m.spec.classes > classes)
    status = gi_fail(GLIA_DATA, "%s: has a label %d, wanted 0 to %d", labels->what,
                     m.spec.classes - 1, classes - 1);
  if (status == GLIA_OK) status = read_header(images, 2, IDX_AXES, &h);
  if (status == GLIA_OK && h.dim[0] != n_labels)
    status = gi_fail(GLIA_DATA,
                     "%s: holds %" PRId64 " images, %s holds %" PRId64
                     " labels; hint: do they belong together?",
                     images->what, h.dim[0], labels->what, n_labels);
  if (status == GLIA_OK) status = read_elements(images, &h, &x);
  if (status != GLIA_OK) {
    gi_memory_clear(&m);
    return status;
  }
  m.x = x;
  m.count = n_labels;
  if (classes > 0) m.spec.classes = classes;
  sample_shape(&h, &m.spec);
  m.where = gi_strdup(images->what);
  if (m.where == NULL) {
    gi_memory_clear(&m);
    return gi_fail_nomem(strlen(images->what) + 1);
  }
  return gi_memory_dataset(&m, out);
}

glia_status glia_dataset_idx(const char *images, const char *labels, glia_dataset **out) {
  if (images == NULL || labels == NULL || out == NULL)
    return gi_fail(GLIA_INVALID, "idx: the path of the images or of the labels is missing");
  gi_stream a, b;
  GI_TRY(gi_stream_open(&a, images));
  glia_status status = gi_stream_open(&b, labels);
  if (status == GLIA_OK) {
    status = gi_idx_dataset(&a, &b, 0, out);
    gi_stream_close(&b);
  }
  gi_stream_close(&a);
  return status;
}
